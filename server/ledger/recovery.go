package ledger

import (
	"slices"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// custodians: each is seated in the firm's own chain, with the keys that are named.
func (a *appending) custodians(list []chain.Custodian) error {
	for _, c := range list {
		s, err := Seat(a.tx, a.head.Chain, c.Member)
		if err != nil {
			return err
		}
		if err := access.Custodian(s, c.Fingerprint); err != nil {
			return err
		}
	}
	return nil
}

// escrow keeps what a member leaves with custodians, in place of what he left before.
func (a *appending) escrow() error {
	if err := access.Escrow(a.caller, a.seat, a.head); err != nil {
		return err
	}
	had, err := layout.Has(a.tx, layout.EscrowKey(a.caller.Member))
	if err != nil {
		return err
	}
	if a.Effect.Escrow.Policy == 0 {
		if !had || len(a.Rows) > 0 {
			return access.Deny(api.CodeBadRequest)
		}
		return dropEscrow(a.tx, a.caller.Member, layout.RecoveryEnded)
	}
	policy, found, err := layout.Get[layout.Policy](a.tx, layout.PolicyKey())
	if err != nil {
		return err
	}
	if !found || policy.Position != a.Effect.Escrow.Policy {
		return &api.Error{Code: api.CodeMoved, Chain: &a.head}
	}
	e := layout.Escrow{Policy: policy.Position, K: policy.RecoveryK, Hours: policy.RecoveryHours, Custodians: policy.CustodiansFor(a.caller.Member)}
	if err := access.EscrowRows(a.caller, a.Submission, e.K, e.Custodians); err != nil {
		return err
	}
	if err := a.custodians(e.Custodians); err != nil {
		return err
	}
	if err := dropEscrow(a.tx, a.caller.Member, layout.RecoveryEnded); err != nil {
		return err
	}
	for i, row := range a.Rows {
		e.Hashes = append(e.Hashes, row.Hash())
		key := layout.EscrowRowKey(a.caller.Member)
		if i > 0 {
			key = layout.ShareKey(a.caller.Member, row.Recipient)
		}
		if err := a.tx.Put(key, row.Bytes); err != nil {
			return err
		}
	}
	return layout.Put(a.tx, layout.EscrowKey(a.caller.Member), e)
}

// dropEscrow takes away what a member left, and ends the recovery of it that is open.
func dropEscrow(tx store.Tx, member wire.ObjectID, state layout.RecoveryState) error {
	if id, r, err := openRecoveryOf(tx, member); err != nil {
		return err
	} else if r != nil {
		if err := endRecovery(tx, id, r, state); err != nil {
			return err
		}
	}
	if err := tx.Scan(layout.SharesOf(member), nil, 0, func(k, _ []byte) error { return tx.Delete(k) }); err != nil {
		return err
	}
	if err := tx.Delete(layout.EscrowRowKey(member)); err != nil {
		return err
	}
	return tx.Delete(layout.EscrowKey(member))
}

// openRecoveryOf is the recovery of a member that is open; nil where there is none.
func openRecoveryOf(tx store.Tx, member wire.ObjectID) (id wire.ObjectID, r *layout.Recovery, err error) {
	b, err := optional(tx.Get(layout.RecoveryOfKey(member)))
	if err != nil || len(b) != len(id) {
		return id, nil, err
	}
	id = wire.ObjectID(b)
	r, err = pointer[layout.Recovery](tx, layout.RecoveryKey(id))
	return id, r, err
}

// endRecovery takes away all that could still be handed over.
func endRecovery(tx store.Tx, id wire.ObjectID, r *layout.Recovery, state layout.RecoveryState) error {
	r.State = state
	if err := tx.Scan(layout.HandedOf(id), nil, 0, func(k, _ []byte) error { return tx.Delete(k) }); err != nil {
		return err
	}
	for _, k := range [][]byte{layout.RecoveryPackageKey(id), layout.RecoveryOfKey(r.Member)} {
		if err := tx.Delete(k); err != nil {
			return err
		}
	}
	return layout.Put(tx, layout.RecoveryKey(id), r)
}

// takeBackApprovals has what somebody agreed to count no more, whose seat ended or is frozen, and hands nothing of his over. Whom
// enough agreed to before, and who was bound, has the identity.
func takeBackApprovals(tx store.Tx, member wire.ObjectID) error {
	return tx.Scan(layout.OpenRecoveries(), nil, 0, func(_, v []byte) error {
		id := wire.ObjectID(v)
		r, err := pointer[layout.Recovery](tx, layout.RecoveryKey(id))
		if err != nil || r == nil || !r.Before.IsZero() || !slices.Contains(r.Agreed, member) {
			return err
		}
		r.Agreed = slices.DeleteFunc(r.Agreed, func(m wire.ObjectID) bool { return m == member })
		if err := tx.Delete(layout.HandedKey(id, member)); err != nil {
			return err
		}
		return layout.Put(tx, layout.RecoveryKey(id), r)
	})
}

// Agreed reports whether enough custodians agreed.
func Agreed(r *layout.Recovery) bool { return len(r.Agreed) >= int(r.Escrow.K) }

// Claimed is the fingerprint of the keys that a recovery's link was answered with; zeros where nobody did.
func Claimed(r *layout.Recovery) wire.Hash {
	b, err := chain.ParseBundle(r.Claim)
	if err != nil {
		return wire.Hash{}
	}
	return wire.Hash(b.Keys.Fingerprint())
}

func (a *appending) recover() error {
	x := a.Effect.Recover
	e, err := pointer[layout.Escrow](a.tx, layout.EscrowKey(x.Member))
	if err != nil {
		return err
	}
	subject, err := Seat(a.tx, a.head.Chain, x.Member)
	if err != nil {
		return err
	}
	var custodians []chain.Custodian
	if e != nil {
		custodians = e.Custodians
	}
	if err := access.Recover(a.caller, a.seat, a.head, a.now, a.Submission, x, subject, e != nil, custodians); err != nil {
		return err
	}
	for _, k := range [][]byte{layout.RecoveryKey(x.Recovery), layout.RecoveryOfKey(x.Member)} {
		if taken, err := layout.Has(a.tx, k); err != nil || taken {
			return deny(err, api.CodeBadRequest)
		}
	}
	r := layout.Recovery{Member: x.Member, PublicKey: x.PublicKey[:], Begun: a.now, Opens: a.now + int64(e.Hours)*3600, Until: int64(x.Expires), State: layout.RecoveryOpen, Escrow: *e}
	if err := a.tx.Put(layout.RecoveryPackageKey(x.Recovery), a.Rows[0].Bytes); err != nil {
		return err
	}
	if err := a.tx.Put(layout.RecoveryOfKey(x.Member), x.Recovery[:]); err != nil {
		return err
	}
	return layout.Put(a.tx, layout.RecoveryKey(x.Recovery), r)
}

// openRecovery is a recovery that goes on.
func (a *appending) openRecovery(id wire.ObjectID) (*layout.Recovery, error) {
	return OpenRecovery(a.tx, a.now, id)
}

func (a *appending) approve() error {
	x := a.Effect.Approve
	r, err := a.openRecovery(x.Recovery)
	if err != nil {
		return err
	}
	held := slices.ContainsFunc(r.Escrow.Custodians, func(c chain.Custodian) bool { return c.Member == a.caller.Member })
	subject, err := Seat(a.tx, a.head.Chain, r.Member)
	if err != nil {
		return err
	}
	if err := access.Approve(a.caller, a.seat, a.head, a.Submission, subject, held, slices.Contains(r.Agreed, a.caller.Member)); err != nil {
		return err
	}
	if a.now < r.Opens {
		return access.Deny(api.CodeTooEarly)
	}
	if x.Fingerprint.IsZero() || x.Fingerprint != Claimed(r) {
		return access.Deny(api.CodeForbidden)
	}
	r.Agreed = append(r.Agreed, a.caller.Member)
	if err := a.tx.Put(layout.HandedKey(x.Recovery, a.caller.Member), a.Rows[0].Bytes); err != nil {
		return err
	}
	return layout.Put(a.tx, layout.RecoveryKey(x.Recovery), r)
}

func (a *appending) veto() error {
	id := a.Effect.Veto.Recovery
	r, err := pointer[layout.Recovery](a.tx, layout.RecoveryKey(id))
	if err != nil {
		return err
	}
	// Whom it was handed to has it: who would undo that ends his seat.
	if r == nil || r.State != layout.RecoveryOpen || !r.Before.IsZero() {
		return access.Deny(api.CodeRecoveryGone)
	}
	if err := access.Veto(a.caller, a.seat, a.head, a.Submission, r.Member, r.Escrow.Custodians); err != nil {
		return err
	}
	return endRecovery(a.tx, id, r, layout.RecoveryVetoed)
}

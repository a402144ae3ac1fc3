package ledger

import (
	"errors"
	"slices"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// appending is one entry on its way in.
type appending struct {
	Submitted
	tx     store.Tx
	now    int64
	caller access.Caller
	seat   *access.Seat // the caller's
	head   api.ChainHead
}

func (a *appending) apply() error {
	if a.head.Stale && a.Effect.Kind.Seals() {
		return access.Deny(api.CodeNewKeys)
	}
	switch a.Effect.Kind {
	case chain.KindStatement:
		return a.statement()
	case chain.KindBatch:
		return a.batch()
	case chain.KindInvite:
		return a.invite()
	case chain.KindCancel:
		return a.cancel()
	case chain.KindAdmit:
		return a.admit()
	case chain.KindErase:
		return a.erase()
	case chain.KindForget:
		return a.forget()
	case chain.KindPolicy:
		return a.policy()
	case chain.KindRenew:
		return a.renew()
	case chain.KindDeclare:
		return access.Declare(a.caller, a.seat, a.Submission, a.Effect.Declare)
	case chain.KindUnlock:
		return a.unlock()
	case chain.KindSignOut:
		return a.office(a.Effect.SignOut.Member)
	case chain.KindEscrow:
		return a.escrow()
	case chain.KindRecover:
		return a.recover()
	case chain.KindApprove:
		return a.approve()
	case chain.KindVeto:
		return a.veto()
	}
	return access.Deny(api.CodeBadRequest)
}

func (a *appending) findInvite(id wire.ObjectID) (*access.Invite, error) {
	return pointer[access.Invite](a.tx, layout.InviteKey(a.head.Chain, id))
}

func (a *appending) putInvite(i *access.Invite) error {
	return layout.Put(a.tx, layout.InviteKey(a.head.Chain, i.Invite), i)
}

// statement ends the seats that it leaves out, with all that they reach, and the invites that it does not carry over.
func (a *appending) statement() error {
	seats, err := each[access.Seat](a.tx, layout.SeatsIn(a.head.Chain))
	if err != nil {
		return err
	}
	invites, err := each[access.Invite](a.tx, layout.InvitesIn(a.head.Chain))
	if err != nil {
		return err
	}
	if err := access.Statement(a.seat, a.head, a.Submission, a.Effect, seats, invites); err != nil {
		return err
	}
	if err := statementRows(a.tx, a.head.Chain, a.Submitted); err != nil {
		return err
	}
	for _, i := range invites {
		if err := a.carryInvite(i); err != nil {
			return err
		}
	}
	for _, s := range seats {
		if err := a.carrySeat(s, invites); err != nil {
			return err
		}
	}
	return nil
}

func (a *appending) carryInvite(i *access.Invite) error {
	if i.State != access.InviteOpen && i.State != access.InviteWaiting {
		return nil
	}
	kept := slices.Contains(a.Effect.Statement.Invites, i.Invite)
	if kept && i.State == access.InviteOpen {
		return nil
	}
	// Once somebody accepted, nobody needs the package: it stands in the statement's rows, and is not kept.
	if err := a.tx.Delete(layout.PackageKey(a.head.Chain, i.Invite)); err != nil || kept {
		return err
	}
	i.State = access.InviteCancelled
	return a.putInvite(i)
}

func (a *appending) carrySeat(s *access.Seat, invites map[wire.ObjectID]*access.Invite) error {
	stays := slices.ContainsFunc(a.Effect.Statement.Seats, func(kept chain.Seat) bool { return kept.Member == s.Member })
	switch {
	case stays && s.State == access.Frozen:
		s.State = access.Seated
		return putSeat(a.tx, a.head.Chain, s)
	case stays, s.State == access.Removed:
		return nil
	case s.State == access.Waiting && invites[s.Invite] != nil && invites[s.Invite].State == access.InviteWaiting:
		return nil
	}
	return a.remove(s)
}

// remove ends a seat at once: its wraps go, and every route asks the seat.
func (a *appending) remove(s *access.Seat) error {
	s.State = access.Removed
	err := a.tx.Scan(layout.WrapsOf(a.head.Chain, s.Member), nil, 0, func(k, _ []byte) error { return a.tx.Delete(k) })
	if err != nil {
		return err
	}
	if a.head.Chain == a.caller.Firm {
		if err := dropEscrow(a.tx, s.Member, layout.RecoveryEnded); err != nil {
			return err
		}
		if err := takeBackApprovals(a.tx, s.Member); err != nil {
			return err
		}
	}
	return putSeat(a.tx, a.head.Chain, s)
}

func (a *appending) invite() error {
	e := a.Effect.Invite
	old, err := a.findInvite(e.Invite)
	if err != nil {
		return err
	}
	if err := access.NewInvite(a.seat, a.now, a.Submission, a.Effect, old != nil); err != nil {
		return err
	}
	if err := keepRows(a.tx, a.head.Chain, a.Submitted); err != nil {
		return err
	}
	return a.putInvite(&access.Invite{InviteEffect: *e, Inviter: a.caller.Member, InviterKeys: a.seat.Fingerprint, State: access.InviteOpen})
}

func (a *appending) cancel() error {
	i, err := a.findInvite(a.Effect.Cancel.Invite)
	if err != nil {
		return err
	}
	if err := access.Cancel(a.seat, a.Submission, i); err != nil {
		return err
	}
	if i.State == access.InviteWaiting {
		guest, err := Seat(a.tx, a.head.Chain, i.Guest)
		if err != nil {
			return err
		}
		if guest != nil && guest.State == access.Waiting {
			if err := a.remove(guest); err != nil {
				return err
			}
		}
	}
	i.State = access.InviteCancelled
	if err := a.tx.Delete(layout.PackageKey(a.head.Chain, i.Invite)); err != nil {
		return err
	}
	return a.putInvite(i)
}

// accept seats the guest, or lets him wait. A second one seats nobody and freezes the first.
func (a *appending) accept(insists bool) error {
	i, err := a.findInvite(a.Effect.Accept.Invite)
	if err != nil {
		return err
	}
	var inviter *access.Seat
	if i != nil {
		if inviter, err = Seat(a.tx, a.head.Chain, i.Inviter); err != nil {
			return err
		}
	}
	m, err := pointer[layout.Member](a.tx, layout.MemberKey(a.caller.Member))
	if err != nil {
		return err
	}
	if m == nil {
		return access.Deny(api.CodeForbidden)
	}
	if err := access.Accept(a.caller, a.seat, a.now, a.Submission, a.Effect, i, inviter, m.Fingerprint, insists); err != nil {
		return err
	}
	if err := a.comesAs(m.Fingerprint); err != nil {
		return err
	}
	if err := access.Append(a.caller, a.head, a.Entry, a.Effect); err != nil {
		return err
	}
	if err := a.tx.Delete(layout.PackageKey(a.head.Chain, i.Invite)); err != nil {
		return err
	}
	if i.State != access.InviteOpen {
		return a.freeze(i)
	}
	guest := &access.Seat{Seat: chain.Seat{Member: a.caller.Member, Fingerprint: m.Fingerprint, Role: i.Role, From: 1}, State: access.Waiting, Invite: i.Invite}
	i.State, i.Guest = access.InviteWaiting, a.caller.Member
	if i.Mode == chain.ModeOpensAtOnce {
		i.State, guest.State = access.InviteSeated, access.Seated
	}
	if err := keepRows(a.tx, a.head.Chain, a.Submitted); err != nil {
		return err
	}
	if err := putSeat(a.tx, a.head.Chain, guest); err != nil {
		return err
	}
	return a.putInvite(i)
}

func (a *appending) freeze(i *access.Invite) error {
	first, err := Seat(a.tx, a.head.Chain, i.Guest)
	if err != nil {
		return err
	}
	if first != nil && (first.State == access.Seated || first.State == access.Waiting) {
		first.State = access.Frozen
		if err := putSeat(a.tx, a.head.Chain, first); err != nil {
			return err
		}
		if a.head.Chain == a.caller.Firm {
			if err := takeBackApprovals(a.tx, first.Member); err != nil {
				return err
			}
		}
	}
	i.State = access.InviteFrozen
	return a.putInvite(i)
}

func (a *appending) admit() error {
	i, err := a.findInvite(a.Effect.Admit.Invite)
	if err != nil {
		return err
	}
	var guest *access.Seat
	if i != nil {
		if guest, err = Seat(a.tx, a.head.Chain, i.Guest); err != nil {
			return err
		}
	}
	if err := access.Admit(a.seat, a.Submission, a.Effect, i, guest); err != nil {
		return err
	}
	if err := keepRows(a.tx, a.head.Chain, a.Submitted); err != nil {
		return err
	}
	guest.State, i.State = access.Seated, access.InviteSeated
	if err := putSeat(a.tx, a.head.Chain, guest); err != nil {
		return err
	}
	return a.putInvite(i)
}

// erase leaves tombstones where an owner says so. Leaves and effects stay, so the log's root does not change.
func (a *appending) erase() error {
	x := a.Effect.Erase
	if err := access.Erase(a.seat, a.head, a.Submission, x); err != nil {
		return err
	}
	for p := x.From; p < x.To; p++ {
		if err := a.bury(layout.EntryKey(layout.Trail, a.head.Chain, p), nil); err != nil {
			return err
		}
	}
	return nil
}

// forget leaves tombstones of entries that did nothing but bring and move documents which are deleted.
func (a *appending) forget() error {
	if err := access.Forget(a.seat, a.head, a.Submission, a.Effect.Forget); err != nil {
		return err
	}
	for _, p := range a.Effect.Forget.Positions {
		if err := a.bury(layout.EntryKey(layout.State, a.head.Chain, p), a.forgettable); err != nil {
			return err
		}
	}
	return nil
}

// policy keeps the firm's rules: they hold from the next request on.
func (a *appending) policy() error {
	if err := access.Policy(a.caller, a.seat, a.head, a.Submission, a.Effect.Policy); err != nil {
		return err
	}
	if err := a.custodians(a.Effect.Policy.Custodians); err != nil {
		return err
	}
	return layout.Put(a.tx, layout.PolicyKey(), layout.Policy{Policy: *a.Effect.Policy, Position: a.head.Position})
}

func (a *appending) forgettable(e chain.Entry) error {
	effect, err := chain.ParseEffect(e.Effect)
	if err != nil {
		return err
	}
	var broken error
	deleted := func(document wire.ObjectID) bool {
		d, found, err := layout.Get[layout.Document](a.tx, layout.DocumentKey(a.head.Chain, document))
		broken = errors.Join(broken, err)
		return found && d.Deleted
	}
	if !effect.Forgettable(deleted) && broken == nil {
		return access.Deny(api.CodeBadRequest)
	}
	return broken
}

// bury replaces a stored entry by its tombstone, where allowed says so.
func (a *appending) bury(key []byte, allowed func(chain.Entry) error) error {
	index, e, err := entryAt(a.tx, key)
	if err != nil {
		return err
	}
	if allowed != nil {
		if err := allowed(e); err != nil {
			return err
		}
	}
	return a.tx.Put(key, append(index, e.Erase().Bytes()...))
}

// entryAt reads an entry with the index of its leaf, as stored.
func entryAt(tx store.Tx, key []byte) (index []byte, e chain.Entry, err error) {
	b, err := tx.Get(key)
	if err != nil {
		return nil, e, err
	}
	if len(b) < 8 {
		return nil, e, errLayout
	}
	e, err = chain.ParseEntry(b[8:])
	return b[:8:8], e, err
}

func (a *appending) batch() error {
	if err := access.Batch(a.seat, a.Submission, a.Effect); err != nil {
		return err
	}
	for _, op := range a.Effect.Batch.Ops {
		if err := a.operate(op); err != nil {
			return err
		}
	}
	return nil
}

func (a *appending) operate(op chain.OpEffect) error {
	if op.Kind == chain.OpProfile {
		return nil
	}
	d, err := pointer[layout.Document](a.tx, layout.DocumentKey(a.head.Chain, op.Document))
	switch {
	case err != nil:
		return err
	case d != nil && d.Deleted:
		return access.Deny(api.CodeGone)
	case d == nil && op.Kind != chain.OpAdd:
		return access.Deny(api.CodeNotFound)
	}
	switch op.Kind {
	case chain.OpAdd:
		return a.addVersion(op)
	case chain.OpDelete:
		return a.deleteDocument(op.Document)
	}
	return nil
}

// addVersion turns a complete upload of the caller's into a version's body.
func (a *appending) addVersion(op chain.OpEffect) error {
	taken, err := layout.Has(a.tx, layout.VersionKey(a.head.Chain, op.Version))
	if err != nil {
		return err
	}
	if taken {
		return access.Deny(api.CodeBadRequest)
	}
	u, err := openUpload(a.tx, a.now, a.caller, a.head.Chain, op.Upload)
	if err != nil {
		return err
	}
	if u.Padded != op.Padded {
		return access.Deny(api.CodeBadRequest)
	}
	if !complete(u) {
		return access.Deny(api.CodeUploadMissing)
	}
	u.Committed, u.Expires = true, 0
	for _, put := range []func() error{
		func() error { return layout.Put(a.tx, layout.UploadKey(op.Upload), u) },
		func() error { return a.tx.Delete(layout.UploadOfKey(a.caller.Member, op.Upload)) },
		func() error {
			return layout.Put(a.tx, layout.VersionKey(a.head.Chain, op.Version), layout.Version{Document: op.Document, Upload: op.Upload, Padded: op.Padded})
		},
		func() error { return a.tx.Put(layout.VersionOfKey(a.head.Chain, op.Document, op.Version), nil) },
		func() error {
			return layout.Put(a.tx, layout.DocumentKey(a.head.Chain, op.Document), layout.Document{})
		},
	} {
		if err := put(); err != nil {
			return err
		}
	}
	return nil
}

// deleteDocument leaves a tombstone, and a note that the bytes of every version are to go.
func (a *appending) deleteDocument(id wire.ObjectID) error {
	if err := layout.Put(a.tx, layout.DocumentKey(a.head.Chain, id), layout.Document{Deleted: true}); err != nil {
		return err
	}
	return a.tx.Scan(layout.VersionsOf(a.head.Chain, id), nil, 0, func(k, _ []byte) error {
		version, err := wire.ParseObjectID(layout.Last(k))
		if err != nil {
			return err
		}
		v, found, err := layout.Get[layout.Version](a.tx, layout.VersionKey(a.head.Chain, version))
		if err != nil || !found {
			return err
		}
		return a.tx.Put(layout.PurgeKey(v.Upload), nil)
	})
}

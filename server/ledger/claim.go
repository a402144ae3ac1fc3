package ledger

import (
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// OpenRecovery is a recovery that goes on.
func OpenRecovery(tx store.Tx, now int64, id wire.ObjectID) (*layout.Recovery, error) {
	r, err := pointer[layout.Recovery](tx, layout.RecoveryKey(id))
	if err != nil {
		return nil, err
	}
	return r, access.OpenRecovery(r != nil && r.State == layout.RecoveryOpen, deref(r).Until, now)
}

var recoveryStates = map[layout.RecoveryState]string{layout.RecoveryDone: api.RecoveryDone, layout.RecoveryVetoed: api.RecoveryStopped}

// Recovery is what anybody may know who knows a recovery's id. Only of one that goes on is there more than its state.
func Recovery(tx store.Tx, now time.Time, id wire.ObjectID) (api.RecoveryReply, error) {
	out := api.RecoveryReply{State: api.RecoveryGone}
	r, err := OpenRecovery(tx, now.Unix(), id)
	switch {
	case access.Is(err, api.CodeRecoveryGone):
		if r != nil && r.State == layout.RecoveryOpen {
			out.State = api.RecoveryExpired
		} else if r != nil && recoveryStates[r.State] != "" {
			out.State = recoveryStates[r.State]
		}
		return out, nil
	case err != nil:
		return out, err
	}
	out.State, out.Opens, out.Until = api.RecoveryOpen, r.Opens, r.Until
	out.Package, err = tx.Get(layout.RecoveryPackageKey(id))
	return out, err
}

// Claim notes to which keys an identity is to be handed, and to whose account. The same claim again is answered as before.
func Claim(tx store.Tx, now time.Time, c access.Caller, id wire.ObjectID, req api.RecoveryClaim) (api.RecoveryStanding, error) {
	r, err := OpenRecovery(tx, now.Unix(), id)
	if err != nil {
		return api.RecoveryStanding{}, err
	}
	bundle, err := chain.ParseBundle(req.Bundle)
	if err != nil {
		return api.RecoveryStanding{}, access.Deny(api.CodeBadRequest)
	}
	same := r.Account == c.Account && Claimed(r) == wire.Hash(bundle.Keys.Fingerprint()) // whoever asks again signs anew
	isMember, err := layout.Has(tx, layout.MemberOfKey(c.Account))
	if err != nil {
		return api.RecoveryStanding{}, err
	}
	claim := chain.Claim{Bundle: bundle, Signature: req.Signature}
	if err := access.Claim(c, id, r.Member, r.PublicKey, claim, req.Proof, isMember && !same, same, len(r.Agreed) > 0); err != nil {
		return api.RecoveryStanding{}, err
	}
	if !same {
		r.Account, r.Claim, r.Signature = c.Account, req.Bundle, req.Signature
		if err := layout.Put(tx, layout.RecoveryKey(id), r); err != nil {
			return api.RecoveryStanding{}, err
		}
	}
	return standing(tx, id, r)
}

// Standing is where a recovery stands for the account that claimed.
func Standing(tx store.Tx, now time.Time, account, id wire.ObjectID) (api.RecoveryStanding, error) {
	r, err := OpenRecovery(tx, now.Unix(), id)
	if err == nil && r.Account != account {
		err = access.Deny(api.CodeRecoveryGone)
	}
	if err != nil {
		return api.RecoveryStanding{}, err
	}
	return standing(tx, id, r)
}

// standing tells how many agreed, and hands over what they handed over once they are enough (attack 19).
func standing(tx store.Tx, id wire.ObjectID, r *layout.Recovery) (api.RecoveryStanding, error) {
	out := api.RecoveryStanding{Opens: r.Opens, Until: r.Until, K: int(r.Escrow.K), Agreed: len(r.Agreed)}
	if !Agreed(r) {
		return out, nil
	}
	var err error
	if out.Escrow, err = tx.Get(layout.EscrowRowKey(r.Member)); err != nil {
		return out, err
	}
	for _, custodian := range r.Agreed {
		row, err := tx.Get(layout.HandedKey(id, custodian))
		if err != nil {
			return out, err
		}
		out.Shares = append(out.Shares, api.HandedShare{Custodian: custodian, Row: row})
	}
	err = tx.Scan(layout.KeyLinksOf(r.Member), nil, 0, func(_, link []byte) error {
		out.Link = append([]byte(nil), link...) // the last one is the newest
		return nil
	})
	return out, err
}

// ClaimOf is who claims, for those whom it concerns.
func ClaimOf(tx store.Tx, now time.Time, c access.Caller, id wire.ObjectID) (api.ClaimReply, error) {
	r, err := concerns(tx, now, c, id, func(s *access.Seat, r *layout.Recovery) error {
		return access.SeesClaim(c, s, r.Member, r.Escrow.Custodians)
	})
	if err != nil {
		return api.ClaimReply{}, err
	}
	if len(r.Claim) == 0 {
		return api.ClaimReply{}, access.Deny(api.CodeNotFound)
	}
	return api.ClaimReply{Bundle: r.Claim, Signature: r.Signature}, nil
}

// Share is a custodian's own share of what a member left, while he may hand it over.
func Share(tx store.Tx, now time.Time, c access.Caller, id wire.ObjectID) (api.ShareReply, error) {
	r, err := concerns(tx, now, c, id, func(s *access.Seat, r *layout.Recovery) error {
		return access.Share(c, s, r.Escrow.Custodians, r.Opens, now.Unix())
	})
	if err != nil {
		return api.ShareReply{}, err
	}
	row, err := tx.Get(layout.ShareKey(r.Member, c.Member))
	return api.ShareReply{Row: row, Hashes: r.Escrow.Hashes}, err
}

// concerns is a recovery that goes on and that the caller may know of. To others there is none.
func concerns(tx store.Tx, now time.Time, c access.Caller, id wire.ObjectID, may func(*access.Seat, *layout.Recovery) error) (*layout.Recovery, error) {
	seat, err := Seat(tx, c.Firm, c.Member)
	if err != nil {
		return nil, err
	}
	r, err := pointer[layout.Recovery](tx, layout.RecoveryKey(id))
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, access.Deny(api.CodeNotFound)
	}
	if err := may(seat, r); err != nil {
		return nil, err
	}
	return r, access.OpenRecovery(r.State == layout.RecoveryOpen, r.Until, now.Unix())
}

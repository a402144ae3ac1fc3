package auth

import (
	"context"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
)

// useRecovery is whether an account may be begun with a recovery's link.
func (a *Service) useRecovery(ctx context.Context, now time.Time, p api.RecoveryProof) error {
	partition := layout.FirmPartition(p.Firm)
	check := func(tx store.Tx) (*layout.Recovery, error) {
		r, err := ledger.OpenRecovery(tx, now.Unix(), p.Recovery)
		if err != nil {
			return nil, err
		}
		return r, access.HoldsRecovery(r.PublicKey, api.ProofRecoveryEnrol, p, nil)
	}
	// Looked at first: a partition that does not exist must not come into being.
	if err := a.Store.View(ctx, partition, func(tx store.Tx) error { _, err := check(tx); return err }); err != nil {
		return err
	}
	return a.Store.Update(ctx, partition, func(tx store.Tx) error {
		r, err := check(tx)
		if err != nil {
			return err
		}
		if r.Enrolments++; r.Enrolments > maxEnrolments {
			return access.Deny(api.CodeRecoveryGone)
		}
		return layout.Put(tx, layout.RecoveryKey(p.Recovery), r)
	})
}

// ClaimRecovery notes to which keys an identity is to be handed, and to whose account. The claim is the firm's, and the session is
// looked at last before it.
func (a *Service) ClaimRecovery(ctx context.Context, now time.Time, who Who, firm wire.ChainID, id wire.ObjectID, req api.RecoveryClaim) (out api.RecoveryStanding, err error) {
	partition, c := layout.FirmPartition(firm), access.Caller{Firm: firm, Account: who.Account}
	// Looked at first: a partition that does not exist must not come into being.
	if err := a.Store.View(ctx, partition, func(tx store.Tx) error { _, err := ledger.OpenRecovery(tx, now.Unix(), id); return err }); err != nil {
		return out, err
	}
	if err := a.Store.View(ctx, layout.Accounts, func(tx store.Tx) error { return who.stands(tx, now) }); err != nil {
		return out, err
	}
	err = a.Store.Update(ctx, partition, func(tx store.Tx) (err error) {
		out, err = ledger.Claim(tx, now, c, id, req)
		return err
	})
	return out, err
}

// FinishRecovery hands a member to the account that claimed him, by the link from his newest keys to the claimed ones, which
// enough custodians agreed to. When it returns, every session of his in the firm has ended, and the account he was is nobody
// there any more. The same again is answered as before.
func (a *Service) FinishRecovery(ctx context.Context, now time.Time, who Who, firm wire.ChainID, id wire.ObjectID, req api.RecoveryFinish) error {
	link, err := chain.ParseKeyLink(req.Link)
	if err != nil {
		return access.Deny(api.CodeBadRequest)
	}
	partition := layout.FirmPartition(firm)
	if err := a.Store.View(ctx, partition, func(tx store.Tx) error { _, err := claimedBy(tx, now, who.Account, id); return err }); err != nil {
		return err
	}
	renewals, err := a.twoWays(ctx, now, who)
	if err != nil {
		return err
	}
	var before wire.ObjectID
	err = a.Store.Update(ctx, partition, func(tx store.Tx) error {
		r, err := claimedBy(tx, now, who.Account, id)
		if err != nil {
			return err
		}
		if before = r.Before; !before.IsZero() {
			if r.Link != link.Commit() {
				err = access.Deny(api.CodeForbidden)
			}
			return err // the firm's half is done
		}
		if err := access.FinishRecovery(firm, r.Member, ledger.Claimed(r), link, ledger.Agreed(r)); err != nil {
			return err
		}
		if before, err = a.rebind(tx, firm, who.Account, renewals, link); err != nil {
			return err
		}
		if err := a.endMember(tx, now, firm, r.Member); err != nil {
			return err
		}
		r.Before, r.Link = before, link.Commit()
		return layout.Put(tx, layout.RecoveryKey(id), r)
	})
	if err != nil {
		return err
	}
	return a.update(ctx, now, func(tx store.Tx) error {
		if err := tx.Delete(layout.MembershipKey(before, firm)); err != nil {
			return err
		}
		return tx.Put(layout.MembershipKey(who.Account, firm), nil)
	})
}

// twoWays: whoever works in a firm has two ways to unlock (SPEC S-DECLARE-02), and a session that goes on. It returns how often the
// account's root was replaced.
func (a *Service) twoWays(ctx context.Context, now time.Time, who Who) (renewals int, err error) {
	err = a.Store.View(ctx, layout.Accounts, func(tx store.Tx) error {
		if err := who.stands(tx, now); err != nil {
			return err
		}
		n, err := ways(tx, who.Account)
		if err != nil {
			return err
		}
		if n < 2 {
			return access.Deny(api.CodeSecondWay)
		}
		row, _, err := layout.Get[layout.Account](tx, layout.AccountKey(who.Account))
		renewals = row.Renewals
		return err
	})
	return renewals, err
}

// claimedBy is a recovery that goes on and that an account claimed.
func claimedBy(tx store.Tx, now time.Time, account, id wire.ObjectID) (*layout.Recovery, error) {
	r, err := ledger.OpenRecovery(tx, now.Unix(), id)
	if err == nil && r.Account != account {
		err = access.Deny(api.CodeRecoveryGone)
	}
	return r, err
}

// rebind enters a member's next keys and makes him another account's. It returns whose he was.
func (a *Service) rebind(tx store.Tx, firm wire.ChainID, account wire.ObjectID, renewals int, link chain.KeyLink) (before wire.ObjectID, err error) {
	m, found, err := layout.Get[layout.Member](tx, layout.MemberKey(link.Member))
	if err != nil {
		return before, err
	}
	if !found {
		return before, access.Deny(api.CodeRecoveryGone)
	}
	if taken, err := layout.Has(tx, layout.MemberOfKey(account)); err != nil || taken {
		return before, deny(err, api.CodeForbidden) // an account is one member in a firm
	}
	if err := a.Log.PutLink(tx, link); err != nil {
		return before, err
	}
	before = m.Account
	m.Account, m.Renewals, m.Fingerprint = account, renewals, wire.Hash(link.Bundle.Keys.Fingerprint())
	for _, put := range []func() error{
		func() error { return tx.Delete(layout.MemberOfKey(before)) },
		func() error { return tx.Put(layout.MemberWasKey(before), link.Member[:]) },
		func() error { return tx.Put(layout.MemberOfKey(account), link.Member[:]) },
		func() error { return layout.Put(tx, layout.MemberKey(link.Member), m) },
	} {
		if err := put(); err != nil {
			return before, err
		}
	}
	return before, nil
}

func deny(err error, code api.Code) error {
	if err != nil {
		return err
	}
	return access.Deny(code)
}

// endMember ends all sessions of a member in a firm.
func (a *Service) endMember(tx store.Tx, now time.Time, firm wire.ChainID, member wire.ObjectID) error {
	rows, err := sessionsOf(tx, member, func(wire.ObjectID) bool { return true })
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := a.endSession(tx, now, firm, row, endedByRecovery); err != nil {
			return err
		}
	}
	return nil
}

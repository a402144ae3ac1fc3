package auth

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/auth/limit"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
)

// People are all who have a seat somewhere in the caller's firm, with what is known of how they sign in. Of other firms it
// tells nothing: entries and sessions are this firm's, and what an account has, it has in all of them.
func (a *Service) People(ctx context.Context, now time.Time, c access.Caller) (api.People, error) {
	out := api.People{People: []api.FirmPerson{}}
	var accounts []wire.ObjectID
	err := a.Store.View(ctx, layout.FirmPartition(c.Firm), func(tx store.Tx) error {
		owner, err := ledger.Seat(tx, c.Firm, c.Member)
		if err != nil {
			return err
		}
		if err := access.People(owner); err != nil {
			return err
		}
		return tx.Scan(layout.Members(), nil, 0, func(k, v []byte) error {
			var m layout.Member
			if err := json.Unmarshal(v, &m); err != nil {
				return err
			}
			p, seated, err := a.personIn(tx, now, c.Firm, k)
			if err == nil && seated {
				out.People, accounts = append(out.People, p), append(accounts, m.Account)
			}
			return err
		})
	})
	if err != nil {
		return out, err
	}
	return out, a.Store.View(ctx, layout.Accounts, func(tx store.Tx) error {
		for i, account := range accounts {
			if err := a.signsIn(tx, now, c.Firm, account, &out.People[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// personIn is what the firm's partition has of a member. seated is whether he has a seat in any chain.
func (a *Service) personIn(tx store.Tx, now time.Time, firm wire.ChainID, row []byte) (p api.FirmPerson, seated bool, err error) {
	if p.Member, err = wire.ParseObjectID(layout.Last(row)); err != nil {
		return p, false, err
	}
	if seated, err = ledger.Present(tx, p.Member); err != nil || !seated {
		return p, seated, err
	}
	entered, _, err := layout.Get[layout.Entered](tx, layout.EnteredKey(p.Member))
	if err != nil {
		return p, seated, err
	}
	p.Entered = entered.At
	rows, err := sessionsOf(tx, p.Member, func(wire.ObjectID) bool { return true })
	signIns := map[wire.ObjectID]bool{} // a page that is opened anew opens another session of the same sign-in
	for _, session := range rows {
		var denied *api.Error
		switch s, _, live := a.firmSession(tx, firm, session, now); {
		case live == nil && !signIns[s.AccountSession]:
			signIns[s.AccountSession] = true
			p.Sessions++
		case live == nil:
		case !errors.As(live, &denied):
			return p, seated, live
		}
	}
	return p, seated, err
}

// signsIn adds what the accounts have of somebody.
func (a *Service) signsIn(tx store.Tx, now time.Time, firm wire.ChainID, account wire.ObjectID, p *api.FirmPerson) error {
	passkeys, err := readPasskeys(tx, account)
	if err != nil {
		return err
	}
	p.Factors.Passkeys = len(passkeys)
	err = tx.Scan(layout.VaultOf(account), nil, 0, func(_, v []byte) error {
		var e api.VaultEntry
		if err := json.Unmarshal(v, &e); err != nil {
			return err
		}
		switch vault.Method(e.Method) {
		case vault.MethodPasskey:
			p.Factors.Unlocking++
		case vault.MethodKit:
			p.Factors.Kit = true
		case vault.MethodPassphrase:
			p.Factors.Passphrase = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	if p.Factors.SSO, err = layout.Has(tx, layout.SSOOfKey(account, firm)); err != nil {
		return err
	}
	if p.Factors.App, err = layout.Has(tx, layout.AuthenticatorKey(account)); err != nil {
		return err
	}
	if p.Factors.Password, err = layout.Has(tx, layout.PasswordKey(account)); err != nil {
		return err
	}
	tries, err := triesOf(tx, account)
	if err != nil {
		return err
	}
	return a.waits(tx, now, account, tries, p)
}

// triesOf are all attempts by which somebody is made to wait: at the second factor, at the password, and at that on each device of his.
func triesOf(tx store.Tx, account wire.ObjectID) ([]limit.Attempt, error) {
	tries := []limit.Attempt{secondOf(account)}
	p, found, err := layout.Get[layout.Password](tx, layout.PasswordKey(account))
	if err != nil || !found {
		return tries, err
	}
	tries = append(tries, limit.Attempt{Account: p.Name.String()})
	devices, err := readDevices(tx, account)
	for _, d := range devices {
		tries = append(tries, limit.Attempt{Account: p.Name.String(), Device: d.id.String()})
	}
	return tries, err
}

// waits adds how often somebody failed to get in, and how long he waits for that.
func (a *Service) waits(tx store.Tx, now time.Time, account wire.ObjectID, tries []limit.Attempt, p *api.FirmPerson) error {
	failed, _, err := layout.Get[layout.Attempts](tx, layout.AttemptsKey(account))
	if err != nil {
		return err
	}
	p.Failed = failed.Passwords + failed.Codes
	for _, try := range tries {
		_, wait, err := a.secrets.limit.Status(tx, now, try)
		if err != nil {
			return err
		}
		if wait > 0 {
			p.Locked = max(p.Locked, now.Add(wait).Unix())
		}
	}
	return nil
}

// SignOutMember ends what a member has open in a firm, in the transaction of an owner's entry. Whoever signed in before that does
// not come back in by the sign-in that he has.
func (a *Service) SignOutMember(tx store.Tx, now time.Time, firm wire.ChainID, member wire.ObjectID) error {
	if err := layout.Put(tx, layout.SignedOutKey(member), layout.SignedOut{At: now.Unix()}); err != nil {
		return err
	}
	rows, err := sessionsOf(tx, member, func(wire.ObjectID) bool { return true })
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := a.endSession(tx, now, firm, row, endedByOwner); err != nil {
			return err
		}
	}
	return nil
}

// outSince is whether a sign-in is one that an owner of the firm ended.
func outSince(tx store.Tx, member wire.ObjectID, created int64) error {
	out, found, err := layout.Get[layout.SignedOut](tx, layout.SignedOutKey(member))
	if err == nil && found && created <= out.At {
		err = access.Deny(api.CodeSessionEnded)
	}
	return err
}

// enters notes that a member opened a session in a firm.
func (a *Service) enters(tx store.Tx, now time.Time, firm wire.ChainID, s layout.Session) error {
	if err := layout.Put(tx, layout.EnteredKey(s.Member), layout.Entered{At: now.Unix()}); err != nil {
		return err
	}
	return a.Log.Record(tx, a.Random, now, firm, chain.Event{Kind: chain.EventSessionOpened, Member: s.Member, Session: s.Session})
}

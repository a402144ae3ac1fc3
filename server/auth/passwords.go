package auth

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/underseal/underseal/keys/opaque"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/auth/limit"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// registers answers OPAQUE's registration for an account that is to have a name. Whoever may ask learns whether the name is
// taken, which cannot be helped: so a taken one is counted, and with it the account may ask for few.
func (a *Service) registers(ctx context.Context, now time.Time, from netip.Addr, account wire.ObjectID, req api.PasswordRequest) ([]byte, error) {
	who := limit.Attempt{Account: "names of " + account.String(), Address: from}
	taken := false
	err := a.Store.View(ctx, layout.Accounts, func(tx store.Tx) (err error) {
		if err := a.secrets.limit.Check(tx, now, who); err != nil {
			return err
		}
		taken, err = isTaken(tx, account, req.Name)
		return err
	})
	if err == nil && taken {
		err = a.count(ctx, now, who, func(store.Tx, bool) error { return nil })
		if err == nil {
			err = access.Deny(api.CodeNameTaken)
		}
	}
	if err != nil {
		return nil, tooMany(err)
	}
	response, err := a.secrets.opaque.RegisterResponse(req.Name.String(), req.Request)
	if err != nil {
		return nil, access.Deny(api.CodeBadRequest)
	}
	return response, nil
}

// isTaken is whether a name is another account's.
func isTaken(tx store.Tx, account wire.ObjectID, name wire.Hash) (bool, error) {
	b, err := tx.Get(layout.NameKey(name))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && !bytes.Equal(b, account[:]), err
}

// BeginNewPassword begins to set a password. It needs a second factor to be there.
func (a *Service) BeginNewPassword(ctx context.Context, now time.Time, who Who, from netip.Addr, req api.PasswordRequest) (out api.PasswordReply, err error) {
	if err := who.justProved(now); err != nil {
		return out, err
	}
	err = a.Store.View(ctx, layout.Accounts, func(tx store.Tx) error {
		has, err := hasSecond(tx, who.Account)
		if err == nil && !has {
			err = access.Deny(api.CodeNoSecond)
		}
		return err
	})
	if err != nil {
		return out, err
	}
	if out.Response, err = a.registers(ctx, now, from, who.Account, req); err != nil {
		return out, err
	}
	if out.Ceremony, err = wire.NewObjectID(a.Random); err != nil {
		return out, err
	}
	n := layout.NewPassword{Expires: now.Unix() + api.CeremonySeconds, Account: who.Account, AccountSession: who.Session, Name: req.Name}
	return out, a.updateAs(ctx, now, who, func(tx store.Tx) error {
		return layout.PutEphemeral(tx, layout.NewPasswordKey(out.Ceremony), n, n.Expires)
	})
}

// hasSecond is whether an account has what a password needs beside it.
func hasSecond(tx store.Tx, account wire.ObjectID) (bool, error) {
	passkeys, err := readPasskeys(tx, account)
	if err != nil || len(passkeys) > 0 {
		return len(passkeys) > 0, err
	}
	return layout.Has(tx, layout.AuthenticatorKey(account))
}

// PutPassword sets a password, in place of the one before. The proof was asked for when it was begun, by this very session;
// every other one ends. The same request again finishes what the first did not.
func (a *Service) PutPassword(ctx context.Context, now time.Time, who Who, req api.PutPassword) (out api.Account, err error) {
	if opaque.CheckRecord(req.Record) != nil || vault.Method(req.Vault.Method) != vault.MethodPassword {
		return out, access.Deny(api.CodeBadRequest)
	}
	var e ended
	err = a.finishAs(ctx, now, who, layout.NewPasswordKey(req.Ceremony), func(tx store.Tx) error {
		if err := who.unlocked(tx); err != nil {
			return err
		}
		old, _, err := layout.Get[layout.Password](tx, layout.PasswordKey(who.Account))
		if err != nil {
			return err
		}
		if !bytes.Equal(old.Record, req.Record) {
			if err := a.newPassword(tx, now, who, req); err != nil {
				return err
			}
		}
		if e, err = endRows(tx, now, who.Account, endedByFactor, othersOf(who)); err != nil {
			return err
		}
		out, err = who.read(tx)
		return err
	})
	if err != nil {
		return out, err
	}
	return out, a.endFirms(ctx, now, who.Account, endedByFactor, e)
}

func (a *Service) newPassword(tx store.Tx, now time.Time, who Who, req api.PutPassword) error {
	n, err := take[layout.NewPassword](tx, layout.NewPasswordKey(req.Ceremony))
	if err != nil {
		return err
	}
	switch {
	case n.Account != who.Account || n.AccountSession != who.Session:
		return access.Deny(api.CodeForbidden)
	case now.Unix() >= n.Expires:
		return access.Deny(api.CodeSignInFailed)
	case !bytes.Equal(req.Vault.ID, n.Name[:]):
		return access.Deny(api.CodeBadRequest)
	}
	if err := dropPassword(tx, who.Account); err != nil {
		return err
	}
	if err := a.setPassword(tx, now, who.Account, n.Name, req.Record); err != nil {
		return err
	}
	if err := putVault(tx, who.Account, req.Vault); err != nil {
		return err
	}
	// This session goes on as one of the new password.
	s, err := alive(tx, layout.SessionKey(who.Token), now)
	if err != nil || s.PasswordSet == 0 {
		return err
	}
	s.PasswordSet = now.Unix()
	return layout.Put(tx, layout.SessionKey(who.Token), s)
}

// setPassword keeps a password's record. Without a second factor, or under a name that is another's, there is none.
func (a *Service) setPassword(tx store.Tx, now time.Time, account wire.ObjectID, name wire.Hash, record []byte) error {
	taken, err := isTaken(tx, account, name)
	if err != nil {
		return err
	}
	if taken {
		return access.Deny(api.CodeNameTaken)
	}
	has, err := hasSecond(tx, account)
	if err != nil {
		return err
	}
	if !has {
		return access.Deny(api.CodeNoSecond)
	}
	if err := a.secrets.bind(tx); err != nil {
		return err
	}
	if err := tx.Put(layout.NameKey(name), account[:]); err != nil {
		return err
	}
	if err := layout.Put(tx, layout.AttemptsKey(account), layout.Attempts{}); err != nil {
		return err
	}
	return layout.Put(tx, layout.PasswordKey(account), layout.Password{Name: name, Set: now.Unix(), Record: record})
}

// dropPassword takes a password and all that goes with it away, where there is one.
func dropPassword(tx store.Tx, account wire.ObjectID) error {
	p, found, err := layout.Get[layout.Password](tx, layout.PasswordKey(account))
	if err != nil || !found {
		return err
	}
	for _, k := range [][]byte{layout.PasswordKey(account), layout.NameKey(p.Name), layout.AttemptsKey(account)} {
		if err := tx.Delete(k); err != nil {
			return err
		}
	}
	_, err = dropVault(tx, account, uint8(vault.MethodPassword))
	return err
}

// RemovePassword drops a password where another way in is left, and ends the sessions that it opened elsewhere. Where there is
// none, there is none.
func (a *Service) RemovePassword(ctx context.Context, now time.Time, who Who) (out api.Account, err error) {
	if err := who.justProved(now); err != nil {
		return out, err
	}
	err = a.endBy(ctx, now, who, endedByFactor, func(tx store.Tx) (func(layout.AccountSession) bool, error) {
		if err := who.unlocked(tx); err != nil {
			return nil, err
		}
		p, _, err := layout.Get[layout.Password](tx, layout.PasswordKey(who.Account))
		if err != nil {
			return nil, err
		}
		if err := dropPassword(tx, who.Account); err != nil {
			return nil, err
		}
		if err := stillOpens(tx, who.Account); err != nil {
			return nil, err
		}
		out, err = who.read(tx)
		return othersBy(who, factor(kindPassword, p.Name[:])), err
	})
	return out, err
}

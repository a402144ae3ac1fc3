package auth

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"time"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/underseal/underseal/keys/opaque"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/auth/limit"
	"github.com/underseal/underseal/server/auth/totp"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// named finds who signs in with a name. One that nobody has is an account that is nobody's, without a record: see nobodyOf.
func (a *Service) named(tx store.Tx, name wire.Hash) (account wire.ObjectID, record []byte, err error) {
	account = a.secrets.nobodyOf(name)
	b, err := tx.Get(layout.NameKey(name))
	switch {
	case err == nil && len(b) == len(account):
		account = wire.ObjectID(b)
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return account, nil, err
	}
	p, _, err := layout.Get[layout.Password](tx, layout.PasswordKey(account))
	return account, p.Record, err
}

// BeginPassword begins a sign-in with a password. It is counted first; then every name is answered alike.
func (a *Service) BeginPassword(ctx context.Context, now time.Time, from netip.Addr, req api.PasswordStart) (out api.PasswordStarted, err error) {
	if len(req.KE1) != opaque.KE1Size {
		return out, access.Deny(api.CodeBadRequest)
	}
	if out.SignIn, err = wire.NewObjectID(a.Random); err != nil {
		return out, err
	}
	s := layout.PasswordSignIn{Expires: now.Unix() + api.CeremonySeconds, Name: req.Name}
	if s.Device, err = a.triedOn(ctx, req); err != nil {
		return out, err
	}
	var record []byte
	err = a.count(ctx, now, ofName(s, from), func(tx store.Tx, begins bool) (err error) {
		if s.Account, record, err = a.named(tx, req.Name); err != nil {
			return err
		}
		return a.tried(tx, now, s.Account, kindPassword, begins)
	})
	if err != nil {
		return out, err
	}
	if out.KE2, s.State, err = a.secrets.opaque.LoginStart(req.Name.String(), record, req.KE1); err != nil {
		return out, access.Deny(api.CodeSignInFailed)
	}
	s.Record = layout.Hash(record)
	return out, a.update(ctx, now, func(tx store.Tx) error {
		return layout.PutEphemeral(tx, layout.PasswordSignInKey(out.SignIn), s, s.Expires)
	})
}

// ofName is an attempt at a password.
func ofName(s layout.PasswordSignIn, from netip.Addr) limit.Attempt {
	return limit.Attempt{Account: s.Name.String(), Address: from, Device: s.Device}
}

// triedOn is which device of whoever has a name tries it; empty where it is none. Whoever tries names all the time from elsewhere
// keeps nobody out there. A name that nobody has takes the same steps.
func (a *Service) triedOn(ctx context.Context, req api.PasswordStart) (device string, err error) {
	err = a.Store.View(ctx, layout.Accounts, func(tx store.Tx) error {
		account, _, err := a.named(tx, req.Name)
		if err != nil {
			return err
		}
		id, d, err := shownDevice(tx, account, req.Devices)
		if err == nil && !id.IsZero() && d.Revoked == 0 {
			device = id.String()
		}
		return err
	})
	return device, err
}

// FinishPassword takes what comes next: KE3, or after it a second factor, which signs in.
func (a *Service) FinishPassword(ctx context.Context, now time.Time, from netip.Addr, id wire.ObjectID, req api.PasswordFinish, in Browser) (out api.PasswordFinished, token Token, err error) {
	if token, err = a.random(tokenSize); err != nil {
		return out, nil, err
	}
	var account api.Account
	switch {
	case req.KE3 != nil && req.Code == "" && req.Credential == nil:
		out.Second, err = a.passwordShown(ctx, now, id, req.KE3)
		return out, nil, err
	case req.Code != "" && req.KE3 == nil && req.Credential == nil:
		account, err = a.passwordAndCode(ctx, now, from, id, req.Code, token, in)
	case req.Credential != nil && req.KE3 == nil && req.Code == "":
		account, err = a.passwordAndPasskey(ctx, now, from, id, req.Credential, token, in)
	default:
		err = access.Deny(api.CodeBadRequest)
	}
	out.Account = &account
	return out, token, err
}

// passwordSignIn reads one that goes on. A password that was set or removed since ends it.
func passwordSignIn(tx store.Tx, now time.Time, id wire.ObjectID) (s layout.PasswordSignIn, err error) {
	s, found, err := layout.Get[layout.PasswordSignIn](tx, layout.PasswordSignInKey(id))
	if err != nil {
		return s, err
	}
	p, _, err := layout.Get[layout.Password](tx, layout.PasswordKey(s.Account))
	if err != nil {
		return s, err
	}
	if !found || now.Unix() >= s.Expires || layout.Hash(p.Record) != s.Record {
		return s, access.Deny(api.CodeSignInFailed)
	}
	return s, nil
}

// shownPassword is a sign-in in which the password was shown.
func shownPassword(tx store.Tx, now time.Time, id wire.ObjectID) (layout.PasswordSignIn, error) {
	s, err := passwordSignIn(tx, now, id)
	if err == nil && s.State != nil {
		err = access.Deny(api.CodeSignInFailed)
	}
	return s, err
}

// passwordShown verifies KE3 and says which second factors there are: to nobody who does not know the password.
func (a *Service) passwordShown(ctx context.Context, now time.Time, id wire.ObjectID, ke3 []byte) (*api.SecondFactor, error) {
	challenge, err := a.random(challengeSize)
	if err != nil {
		return nil, err
	}
	var out *api.SecondFactor
	err = a.finish(ctx, now, layout.PasswordSignInKey(id), func(tx store.Tx) error {
		s, err := passwordSignIn(tx, now, id)
		if err != nil {
			return err
		}
		if _, err := opaque.LoginFinish(s.State, ke3); err != nil {
			return access.Deny(api.CodeSignInFailed)
		}
		// Once: the state is gone, and there is time to look for the second factor.
		s.State, s.Expires = nil, now.Unix()+api.CeremonySeconds
		if out, err = a.secondFactors(tx, &s, challenge); err != nil {
			return err
		}
		return layout.PutEphemeral(tx, layout.PasswordSignInKey(id), s, s.Expires)
	})
	return out, err
}

// secondFactors lists an account's second factors, and begins the one that needs a challenge.
func (a *Service) secondFactors(tx store.Tx, s *layout.PasswordSignIn, challenge []byte) (*api.SecondFactor, error) {
	out := &api.SecondFactor{Kinds: []string{}}
	app, err := layout.Has(tx, layout.AuthenticatorKey(s.Account))
	if err != nil {
		return nil, err
	}
	if app {
		out.Kinds = append(out.Kinds, api.SecondCode)
	}
	passkeys, err := readPasskeys(tx, s.Account)
	if err != nil || len(passkeys) == 0 {
		return out, err
	}
	out.Kinds = append(out.Kinds, api.SecondPasskey)
	request, session, err := a.rp.BeginLogin(user{s.Account, passkeys}, func(o *protocol.PublicKeyCredentialRequestOptions) error {
		o.Challenge, o.UserVerification = challenge, protocol.VerificationRequired
		askPRF(&o.Extensions)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.Session = *session
	out.Request, err = json.Marshal(request.Response)
	return out, err
}

// passwordAndCode signs in with a code of the account's app. A wrong one may be followed by another, after the wait that so
// many deserve; the account's auditors are told of it, for whoever gives a code knows the password.
func (a *Service) passwordAndCode(ctx context.Context, now time.Time, from netip.Addr, id wire.ObjectID, code string, token Token, in Browser) (out api.Account, err error) {
	var s layout.PasswordSignIn
	err = a.Store.View(ctx, layout.Accounts, func(tx store.Tx) error {
		s, err = shownPassword(tx, now, id)
		return err
	})
	if err != nil {
		return out, err
	}
	account := s.Account
	err = a.count(ctx, now, secondOf(account), func(tx store.Tx, begins bool) error {
		if s, err = shownPassword(tx, now, id); err != nil {
			return err
		}
		s.Codes++
		if err := layout.Put(tx, layout.PasswordSignInKey(id), s); err != nil {
			return err
		}
		return a.tried(tx, now, account, kindCode, begins)
	})
	if err != nil {
		return out, err
	}
	err = a.finish(ctx, now, layout.PasswordSignInKey(id), func(tx store.Tx) error {
		if s, err = shownPassword(tx, now, id); err != nil {
			return err
		}
		app, _, err := layout.Get[layout.Authenticator](tx, layout.AuthenticatorKey(account))
		if err != nil {
			return err
		}
		second, err := a.useCode(tx, now, account, app.Secret, code)
		if err != nil {
			return err
		}
		out, err = a.passwordDone(tx, now, from, id, s, second, token, in)
		return err
	})
	return out, a.signInFailed(ctx, now, account, kindCode, err)
}

// secondOf is an attempt at an account's second factor.
func secondOf(account wire.ObjectID) limit.Attempt {
	return limit.Attempt{Account: account.String(), Second: true}
}

// useCode accepts a code of an app, and is the factor.
func (a *Service) useCode(tx store.Tx, now time.Time, account wire.ObjectID, concealed layout.Masked, code string) (layout.Factor, error) {
	if concealed.IsZero() {
		return layout.Factor{}, access.Deny(api.CodeCodeFailed)
	}
	secret, err := a.reveal(account, concealed)
	if err != nil {
		return layout.Factor{}, err
	}
	err = totp.Use(tx, now, account, secret, code)
	if errors.Is(err, totp.ErrCode) {
		err = access.Deny(api.CodeCodeFailed)
	}
	return factor(kindCode, secret[:]), err
}

// passwordAndPasskey signs in with any passkey of the account, also one that cannot unlock.
func (a *Service) passwordAndPasskey(ctx context.Context, now time.Time, from netip.Addr, id wire.ObjectID, credential json.RawMessage, token Token, in Browser) (out api.Account, err error) {
	var account wire.ObjectID
	err = a.finish(ctx, now, layout.PasswordSignInKey(id), func(tx store.Tx) error {
		s, err := shownPassword(tx, now, id)
		if err != nil {
			return err
		}
		account = s.Account
		parsed, err := protocol.ParseCredentialRequestResponseBytes(credential)
		if err != nil {
			return access.Deny(api.CodeSignInFailed)
		}
		who := user{id: account}
		if who.passkeys, err = readPasskeys(tx, account); err != nil {
			return err
		}
		shown, err := a.rp.ValidateLogin(who, s.Session, parsed)
		if err != nil {
			return access.Deny(api.CodeSignInFailed)
		}
		if err := used(tx, now, who, shown); err != nil {
			return err
		}
		out, err = a.passwordDone(tx, now, from, id, s, factor(kindPasskey, shown.ID), token, in)
		return err
	})
	return out, a.signInFailed(ctx, now, account, kindPasskey, err)
}

// passwordDone opens the session of who showed a password and a second factor, and ends the sign-in.
func (a *Service) passwordDone(tx store.Tx, now time.Time, from netip.Addr, id wire.ObjectID, s layout.PasswordSignIn, second layout.Factor, token Token, in Browser) (out api.Account, err error) {
	if err := tx.Delete(layout.PasswordSignInKey(id)); err != nil {
		return out, err
	}
	session, err := a.openAccountSession(tx, now, s.Account, []layout.Factor{factor(kindPassword, s.Name[:]), second}, token, in)
	if err != nil {
		return out, err
	}
	if err := a.succeeded(tx, now, from, s); err != nil {
		return out, err
	}
	if out, err = readAccount(tx, s.Account, session); err != nil {
		return out, err
	}
	out.Failed, err = gotIn(tx, s.Account, 1, s.Codes)
	return out, err
}

// succeeded ends the waits that attempts of a name and of codes left.
func (a *Service) succeeded(tx store.Tx, now time.Time, from netip.Addr, s layout.PasswordSignIn) error {
	if err := a.secrets.limit.Succeeded(tx, now, ofName(s, from), 1); err != nil {
		return err
	}
	return a.secrets.limit.Succeeded(tx, now, secondOf(s.Account), s.Codes)
}

package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/underseal/underseal/keys/opaque"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/auth/totp"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// Who is a session of an account, as a request's cookie shows it. Every method that acts for an account takes one.
type Who struct {
	Account wire.ObjectID
	Session wire.ObjectID
	Token   Token
	Signed  RequestProof // of a request that changes factors
	proved  int64        // when a factor was shown last
	created int64
	seen    int64 // when a person used it last
	mfa     bool

	passwordSet int64
	sso         bool
	device      wire.ObjectID
}

// stands is whether the session goes on. The server itself, which runs no session, is not asked.
func (w Who) stands(tx store.Tx, now time.Time) error {
	if w.Token == nil {
		return nil
	}
	_, err := alive(tx, layout.SessionKey(w.Token), now)
	return err
}

// justProved is whether a factor was shown within the last minutes: a cookie alone changes none (SPEC S-SESSION-01).
func (w Who) justProved(now time.Time) error {
	if now.Unix() >= w.proved+api.ProofSeconds {
		return access.Deny(api.CodeProveAgain)
	}
	return nil
}

// Prove shows a factor of the very account that is signed in.
func (a *Service) Prove(ctx context.Context, now time.Time, who Who, from netip.Addr, req api.Prove) (api.Account, error) {
	switch {
	case !only(req.Credential != nil, req.Login != nil, req.KE3 != nil, req.Code != "") || (req.SignIn.IsZero() != (req.Code != "")):
		return api.Account{}, access.Deny(api.CodeBadRequest)
	case req.Code != "":
		return a.proveCode(ctx, now, who, req.Code)
	case req.KE3 != nil:
		return a.provePassword(ctx, now, who, from, req)
	}
	return a.proveSigned(ctx, now, who, req)
}

// proveSigned takes what answers a challenge.
func (a *Service) proveSigned(ctx context.Context, now time.Time, who Who, req api.Prove) (out api.Account, err error) {
	var owner wire.ObjectID
	var shown layout.Factor
	err = a.finish(ctx, now, layout.SignInKey(req.SignIn), func(tx store.Tx) error {
		s, err := takeSignIn(tx, now, req.SignIn)
		if err != nil {
			return err
		}
		owner, shown, err = a.whoSigned(tx, now, s, api.SignInFinish{Credential: req.Credential, Login: req.Login})
		if err != nil {
			return err
		}
		if owner != who.Account {
			return access.Deny(api.CodeForbidden) // a thief shows a passkey of his own
		}
		out, err = proved(tx, now, who, shown)
		return err
	})
	return out, a.signInFailed(ctx, now, owner, shown.Kind, err)
}

// provePassword takes the end of a sign-in with the password of this account: it proves, and opens no other session.
func (a *Service) provePassword(ctx context.Context, now time.Time, who Who, from netip.Addr, req api.Prove) (out api.Account, err error) {
	err = a.finish(ctx, now, layout.PasswordSignInKey(req.SignIn), func(tx store.Tx) error {
		s, err := passwordSignIn(tx, now, req.SignIn)
		if err != nil {
			return err
		}
		if _, err := opaque.LoginFinish(s.State, req.KE3); err != nil {
			return access.Deny(api.CodeSignInFailed)
		}
		if s.Account != who.Account {
			return access.Deny(api.CodeForbidden)
		}
		if err := tx.Delete(layout.PasswordSignInKey(req.SignIn)); err != nil {
			return err
		}
		if err := a.succeeded(tx, now, from, s); err != nil {
			return err
		}
		if out, err = proved(tx, now, who, factor(kindPassword, s.Name[:])); err != nil {
			return err
		}
		out.Failed, err = gotIn(tx, who.Account, 1, 0)
		return err
	})
	return out, err
}

// proveCode takes a code of this account's app. Whoever is signed in has shown a first factor.
func (a *Service) proveCode(ctx context.Context, now time.Time, who Who, code string) (out api.Account, err error) {
	err = a.count(ctx, now, secondOf(who.Account), func(tx store.Tx, begins bool) error {
		return a.tried(tx, now, who.Account, kindCode, begins)
	})
	if err != nil {
		return out, err
	}
	err = a.update(ctx, now, func(tx store.Tx) error {
		app, _, err := layout.Get[layout.Authenticator](tx, layout.AuthenticatorKey(who.Account))
		if err != nil {
			return err
		}
		shown, err := a.useCode(tx, now, who.Account, app.Secret, code)
		if err != nil {
			return err
		}
		if err := a.secrets.limit.Succeeded(tx, now, secondOf(who.Account), 1); err != nil {
			return err
		}
		if out, err = proved(tx, now, who, shown); err != nil {
			return err
		}
		out.Failed, err = gotIn(tx, who.Account, 0, 1)
		return err
	})
	return out, a.signInFailed(ctx, now, who.Account, kindCode, err)
}

// proved notes that a factor was shown. One that makes two of a session that had one is from then on among those it ends with. A
// password is never enough by itself: in a session that an identity provider opened it proves nothing before a second factor.
func proved(tx store.Tx, now time.Time, who Who, shown layout.Factor) (api.Account, error) {
	row, err := alive(tx, layout.SessionKey(who.Token), now)
	if err != nil {
		return api.Account{}, err
	}
	row.By = shown
	if !row.MFA && isMFA(shown) {
		row.MFA, row.Factors = true, append(row.Factors, shown)
	}
	if shown.Kind != kindPassword || row.MFA || !slices.ContainsFunc(row.Factors, isSSO) {
		row.Proved = now.Unix()
	}
	if err := layout.Put(tx, layout.SessionKey(who.Token), row); err != nil {
		return api.Account{}, err
	}
	return who.read(tx)
}

// BeginPasskey starts a further passkey. Those that the account has are named, so that no authenticator makes a second one.
func (a *Service) BeginPasskey(ctx context.Context, now time.Time, who Who) (out api.PasskeyReply, err error) {
	if err := who.justProved(now); err != nil {
		return out, err
	}
	if out.Enrolment, err = wire.NewObjectID(a.Random); err != nil {
		return out, err
	}
	challenge, err := a.random(challengeSize)
	if err != nil {
		return out, err
	}
	err = a.updateAs(ctx, now, who, func(tx store.Tx) error {
		passkeys, err := readPasskeys(tx, who.Account)
		if err != nil {
			return err
		}
		var exclude []protocol.CredentialDescriptor
		for _, p := range passkeys {
			exclude = append(exclude, p.Credential.Descriptor())
		}
		creation, session, err := a.rp.BeginRegistration(user{id: who.Account}, func(o *protocol.PublicKeyCredentialCreationOptions) error {
			o.Challenge, o.CredentialExcludeList = challenge, exclude
			askPRF(&o.Extensions)
			return nil
		})
		if err != nil {
			return err
		}
		if out.Creation, err = json.Marshal(creation.Response); err != nil {
			return err
		}
		n := layout.NewPasskey{Expires: now.Unix() + api.CeremonySeconds, Account: who.Account, AccountSession: who.Session, Session: *session}
		return layout.PutEphemeral(tx, layout.NewPasskeyKey(out.Enrolment), n, n.Expires)
	})
	return out, err
}

// FinishPasskey adds it. The proof was asked for when it was begun, by this very session.
func (a *Service) FinishPasskey(ctx context.Context, now time.Time, who Who, id wire.ObjectID, req api.PasskeyFinish) (out api.Account, err error) {
	err = a.finishAs(ctx, now, who, layout.NewPasskeyKey(id), func(tx store.Tx) error {
		if err := who.unlocked(tx); err != nil {
			return err
		}
		n, err := take[layout.NewPasskey](tx, layout.NewPasskeyKey(id))
		if err != nil {
			return err
		}
		if n.Account != who.Account || n.AccountSession != who.Session {
			return access.Deny(api.CodeForbidden)
		}
		if now.Unix() >= n.Expires {
			return access.Deny(api.CodeSignInFailed)
		}
		passkey, err := a.register(n.Account, n.Session, req.Credential)
		if err != nil {
			return err
		}
		if err := putPasskey(tx, now, n.Account, passkey); err != nil {
			return err
		}
		if v := req.Vault; v != nil {
			if vault.Method(v.Method) != vault.MethodPasskey || !bytes.Equal(v.ID, passkey.ID) {
				return access.Deny(api.CodeBadRequest)
			}
			if err := putVault(tx, n.Account, *v); err != nil {
				return err
			}
		}
		out, err = who.read(tx)
		return err
	})
	return out, err
}

// maxPasskeys bounds what one account makes the server keep.
const maxPasskeys = 16

// putPasskey keeps a credential, which belongs to one account for good.
func putPasskey(tx store.Tx, now time.Time, account wire.ObjectID, passkey *webauthn.Credential) error {
	taken, err := layout.Has(tx, layout.CredentialKey(passkey.ID))
	if err != nil {
		return err
	}
	if taken {
		return access.Deny(api.CodeSignInFailed)
	}
	had, err := readPasskeys(tx, account)
	if err != nil {
		return err
	}
	if len(had) >= maxPasskeys {
		return access.Deny(api.CodeTooLarge)
	}
	if err := tx.Put(layout.CredentialKey(passkey.ID), account[:]); err != nil {
		return err
	}
	return layout.Put(tx, layout.PasskeyKey(account, passkey.ID), layout.Passkey{Created: now.Unix(), LastUsed: now.Unix(), Credential: *passkey})
}

// RemovePasskey drops a credential, and what it unlocks, where another way in is left. The sessions that it opened elsewhere end.
func (a *Service) RemovePasskey(ctx context.Context, now time.Time, who Who, credential []byte) (out api.Account, err error) {
	if err := who.justProved(now); err != nil {
		return out, err
	}
	has := false
	err = a.endBy(ctx, now, who, endedByFactor, func(tx store.Tx) (func(layout.AccountSession) bool, error) {
		if err := who.unlocked(tx); err != nil {
			return nil, err
		}
		if has, err = layout.Has(tx, layout.PasskeyKey(who.Account, credential)); err != nil {
			return nil, err
		}
		if !has {
			return othersBy(who), nil
		}
		for _, k := range [][]byte{layout.PasskeyKey(who.Account, credential), layout.CredentialKey(credential),
			layout.VaultKey(who.Account, uint8(vault.MethodPasskey), credential)} {
			if err := tx.Delete(k); err != nil {
				return nil, err
			}
		}
		if err := stillOpens(tx, who.Account); err != nil {
			return nil, err
		}
		out, err = who.read(tx)
		return othersBy(who, factor(kindPasskey, credential)), err
	})
	if err == nil && !has {
		err = access.Deny(api.CodeNotFound)
	}
	return out, err
}

// Ways is how many ways to unlock an account has now.
func (a *Service) Ways(ctx context.Context, account wire.ObjectID) (n int, err error) {
	err = a.Store.View(ctx, layout.Accounts, func(tx store.Tx) (err error) {
		n, err = ways(tx, account)
		return err
	})
	return n, err
}

// ways is how many ways to unlock an account has. A passphrase may keep its wrapped root on the device. A password, which opens
// nothing on another device without the kit, is one where there is a kit, or nothing else.
func ways(tx store.Tx, account wire.ObjectID) (n int, err error) {
	kit, password := false, false
	err = tx.Scan(layout.VaultOf(account), nil, 0, func(_, v []byte) error {
		var e api.VaultEntry
		if err := json.Unmarshal(v, &e); err != nil {
			return err
		}
		switch method := vault.Method(e.Method); {
		case method == vault.MethodPassword:
			password = len(e.Wrapped) > 0
		case len(e.Wrapped) > 0 || method == vault.MethodPassphrase:
			n++
			kit = kit || method == vault.MethodKit
		}
		return nil
	})
	if password && (kit || n == 0) {
		n++
	}
	return n, err
}

// stillOpens is whether an account can be signed in to and unlocked, and its password, if it has one, has a second factor. A
// passphrase may keep its wrapped root on the device.
func stillOpens(tx store.Tx, account wire.ObjectID) error {
	passkeys, err := readPasskeys(tx, account)
	if err != nil {
		return err
	}
	signsIn, unlocks := len(passkeys) > 0, false
	err = tx.Scan(layout.VaultOf(account), nil, 0, func(_, v []byte) error {
		var e api.VaultEntry
		if err := json.Unmarshal(v, &e); err != nil {
			return err
		}
		method := vault.Method(e.Method)
		signsIn = signsIn || method != vault.MethodPasskey
		unlocks = unlocks || len(e.Wrapped) > 0 || method == vault.MethodPassphrase
		return nil
	})
	if err != nil {
		return err
	}
	password, err := layout.Has(tx, layout.PasswordKey(account))
	if err != nil {
		return err
	}
	second, err := hasSecond(tx, account)
	if err == nil && (!signsIn || !unlocks || (password && !second)) {
		err = access.Deny(api.CodeLastMethod)
	}
	return err
}

// BeginAuthenticator begins to set an authenticator app up.
func (a *Service) BeginAuthenticator(ctx context.Context, now time.Time, who Who) (out api.TOTPReply, err error) {
	if err := who.justProved(now); err != nil {
		return out, err
	}
	secret, err := totp.NewSecret(a.Random)
	if err != nil {
		return out, err
	}
	if out.Ceremony, err = wire.NewObjectID(a.Random); err != nil {
		return out, err
	}
	n := layout.NewAuthenticator{Expires: now.Unix() + api.SetUpSeconds, Account: who.Account, AccountSession: who.Session}
	if n.Secret, err = a.conceal(who.Account, secret); err != nil {
		return out, err
	}
	out.Secret = secret.Text()
	return out, a.updateAs(ctx, now, who, func(tx store.Tx) error {
		return layout.PutEphemeral(tx, layout.NewAuthenticatorKey(out.Ceremony), n, n.Expires)
	})
}

// PutAuthenticator completes it by a first code, in place of the app before, whose sessions elsewhere end. A wrong code may be
// followed by another: whoever began it was given the secret. The same request again is answered as it was.
func (a *Service) PutAuthenticator(ctx context.Context, now time.Time, who Who, req api.PutTOTP) (out api.Account, err error) {
	var e ended
	err = a.finishAs(ctx, now, who, layout.NewAuthenticatorKey(req.Ceremony), func(tx store.Tx) error {
		if err := who.unlocked(tx); err != nil {
			return err
		}
		n, found, err := layout.Get[layout.NewAuthenticator](tx, layout.NewAuthenticatorKey(req.Ceremony))
		if err != nil {
			return err
		}
		switch {
		case !found || now.Unix() >= n.Expires:
			return access.Deny(api.CodeSignInFailed)
		case n.Account != who.Account || n.AccountSession != who.Session:
			return access.Deny(api.CodeForbidden)
		}
		var gone []layout.Factor
		if !n.Done {
			if gone, err = a.replaceAuthenticator(tx, now, n, req.Code); err != nil {
				return err
			}
			n.Done = true
			if err := layout.Put(tx, layout.NewAuthenticatorKey(req.Ceremony), n); err != nil {
				return err
			}
		}
		if e, err = endRows(tx, now, who.Account, endedByFactor, othersBy(who, gone...)); err != nil {
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

// replaceAuthenticator is what it replaces.
func (a *Service) replaceAuthenticator(tx store.Tx, now time.Time, n layout.NewAuthenticator, code string) ([]layout.Factor, error) {
	if _, err := a.useCode(tx, now, n.Account, n.Secret, code); err != nil {
		return nil, err
	}
	gone, err := a.authenticator(tx, n.Account)
	if err != nil {
		return nil, err
	}
	if err := a.secrets.bind(tx); err != nil {
		return nil, err
	}
	return gone, layout.Put(tx, layout.AuthenticatorKey(n.Account), layout.Authenticator{Set: now.Unix(), Secret: n.Secret})
}

// authenticator is an account's app, if it has one, as a factor.
func (a *Service) authenticator(tx store.Tx, account wire.ObjectID) ([]layout.Factor, error) {
	app, found, err := layout.Get[layout.Authenticator](tx, layout.AuthenticatorKey(account))
	if err != nil || !found {
		return nil, err
	}
	secret, err := a.reveal(account, app.Secret)
	return []layout.Factor{factor(kindCode, secret[:])}, err
}

// RemoveAuthenticator drops an account's app, where no password needs it, and ends the sessions elsewhere that it was shown for.
func (a *Service) RemoveAuthenticator(ctx context.Context, now time.Time, who Who) (out api.Account, err error) {
	if err := who.justProved(now); err != nil {
		return out, err
	}
	err = a.endBy(ctx, now, who, endedByFactor, func(tx store.Tx) (func(layout.AccountSession) bool, error) {
		if err := who.unlocked(tx); err != nil {
			return nil, err
		}
		gone, err := a.authenticator(tx, who.Account)
		if err != nil {
			return nil, err
		}
		if err := tx.Delete(layout.AuthenticatorKey(who.Account)); err != nil {
			return nil, err
		}
		if err := stillOpens(tx, who.Account); err != nil {
			return nil, err
		}
		out, err = who.read(tx)
		return othersBy(who, gone...), err
	})
	return out, err
}

package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// Who is a session of an account, as a request's cookie shows it. Every method that acts for an account takes one.
type Who struct {
	Account wire.ObjectID
	Session wire.ObjectID
	Token   Token
	proved  int64 // when a factor was shown last
	created int64
	seen    int64 // when a person used it last
}

// justProved is whether a factor was shown within the last minutes: a cookie alone changes none (SPEC S-SESSION-01).
func (w Who) justProved(now time.Time) error {
	if now.Unix() >= w.proved+api.ProofSeconds {
		return access.Deny(api.CodeProveAgain)
	}
	return nil
}

// Prove shows a factor of the very account that is signed in.
func (a *Service) Prove(ctx context.Context, now time.Time, who Who, req api.Prove) (out api.Account, err error) {
	if (req.Credential == nil) == (req.Login == nil) {
		return out, access.Deny(api.CodeBadRequest)
	}
	var shown wire.ObjectID
	var method vault.Method
	err = a.finish(ctx, now, layout.SignInKey(req.SignIn), func(tx store.Tx) error {
		s, err := takeSignIn(tx, now, req.SignIn)
		if err != nil {
			return err
		}
		shown, method, err = a.whoSigned(tx, now, s, api.SignInFinish{Credential: req.Credential, Login: req.Login})
		if err != nil {
			return err
		}
		if shown != who.Account {
			return access.Deny(api.CodeForbidden) // a thief shows a passkey of his own
		}
		row, err := alive(tx, layout.SessionKey(who.Token), now)
		if err != nil {
			return err
		}
		row.Proved = now.Unix()
		if err := layout.Put(tx, layout.SessionKey(who.Token), row); err != nil {
			return err
		}
		out, err = readAccount(tx, who.Account)
		return err
	})
	return out, a.signInFailed(ctx, now, shown, method, err)
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
	err = a.update(ctx, now, func(tx store.Tx) error {
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
	err = a.finish(ctx, now, layout.NewPasskeyKey(id), func(tx store.Tx) error {
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
		out, err = readAccount(tx, n.Account)
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

// RemovePasskey drops a credential, and what it unlocks, where another way in is left.
func (a *Service) RemovePasskey(ctx context.Context, now time.Time, who Who, credential []byte) (out api.Account, err error) {
	if err := who.justProved(now); err != nil {
		return out, err
	}
	err = a.update(ctx, now, func(tx store.Tx) error {
		has, err := layout.Has(tx, layout.PasskeyKey(who.Account, credential))
		if err != nil {
			return err
		}
		if !has {
			return access.Deny(api.CodeNotFound)
		}
		for _, k := range [][]byte{layout.PasskeyKey(who.Account, credential), layout.CredentialKey(credential),
			layout.VaultKey(who.Account, uint8(vault.MethodPasskey), credential)} {
			if err := tx.Delete(k); err != nil {
				return err
			}
		}
		if err := stillOpens(tx, who.Account); err != nil {
			return err
		}
		out, err = readAccount(tx, who.Account)
		return err
	})
	return out, err
}

// ways is how many ways to unlock an account has. A passphrase may keep its wrapped root on the device.
func ways(tx store.Tx, account wire.ObjectID) (n int, err error) {
	err = tx.Scan(layout.VaultOf(account), nil, 0, func(_, v []byte) error {
		var e api.VaultEntry
		if err := json.Unmarshal(v, &e); err != nil {
			return err
		}
		if len(e.Wrapped) > 0 || vault.Method(e.Method) == vault.MethodPassphrase {
			n++
		}
		return nil
	})
	return n, err
}

// stillOpens is whether an account can be signed in to and unlocked. A passphrase may keep its wrapped root on the device.
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
	if err == nil && (!signsIn || !unlocks) {
		err = access.Deny(api.CodeLastMethod)
	}
	return err
}

package auth

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"time"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

func unmarshal(b []byte, into any) error { return json.Unmarshal(b, into) }

// Account is what an account may know of itself.
func (a *Service) Account(ctx context.Context, who Who) (out api.Account, err error) {
	err = a.Store.View(ctx, layout.Accounts, func(tx store.Tx) error {
		out, err = who.read(tx)
		return err
	})
	return out, err
}

// read is the account of who is signed in, as it is now.
func (w Who) read(tx store.Tx) (api.Account, error) { return readAccount(tx, w.Account, w.Session) }

func readAccount(tx store.Tx, id, session wire.ObjectID) (api.Account, error) {
	out := api.Account{Account: id, Session: session, Vault: []api.VaultEntry{}, Passkeys: []api.Passkey{}, Firms: []wire.ChainID{}}
	ring, _, err := layout.Get[layout.Keyring](tx, layout.KeyringKey(id))
	if err != nil {
		return out, err
	}
	out.Keyring, out.Revision = ring.Keyring, ring.Revision
	err = tx.Scan(layout.VaultOf(id), nil, 0, func(_, v []byte) error {
		var e api.VaultEntry
		if err := json.Unmarshal(v, &e); err != nil {
			return err
		}
		if len(e.Wrapped) > 0 {
			out.Vault = append(out.Vault, e)
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	passkeys, err := readPasskeys(tx, id)
	if err != nil {
		return out, err
	}
	for _, p := range passkeys {
		out.Passkeys = append(out.Passkeys, api.Passkey{ID: p.Credential.ID, Created: p.Created, LastUsed: p.LastUsed})
	}
	password, _, err := layout.Get[layout.Password](tx, layout.PasswordKey(id))
	if err != nil {
		return out, err
	}
	app, _, err := layout.Get[layout.Authenticator](tx, layout.AuthenticatorKey(id))
	if err != nil {
		return out, err
	}
	out.PasswordSet, out.TOTPSet = password.Set, app.Set
	firms, err := firmsOf(tx, id)
	out.Firms = append(out.Firms, firms...)
	return out, err
}

func readPasskeys(tx store.Tx, account wire.ObjectID) (out []layout.Passkey, err error) {
	err = tx.Scan(layout.PasskeysOf(account), nil, 0, func(_, v []byte) error {
		var p layout.Passkey
		if err := json.Unmarshal(v, &p); err != nil {
			return err
		}
		out = append(out, p)
		return nil
	})
	return out, err
}

// PutKeyring replaces the revision that the caller read, with a signature that takes the account's root. The same request
// again is answered as it was.
func (a *Service) PutKeyring(ctx context.Context, now time.Time, who Who, req api.PutKeyring) (api.Account, error) {
	account := who.Account
	if len(req.Keyring) > api.MaxKeyring {
		return api.Account{}, access.Deny(api.CodeTooLarge)
	}
	var out api.Account
	err := a.updateAs(ctx, now, who, func(tx store.Tx) error {
		old, _, err := layout.Get[layout.Keyring](tx, layout.KeyringKey(account))
		if err != nil {
			return err
		}
		if !signed(old, api.KeyringMessage(account, req.Revision+1, req.Keyring), req.Signature) {
			return access.Deny(api.CodeForbidden)
		}
		again := old.Revision == req.Revision+1 && bytes.Equal(old.Keyring, req.Keyring)
		if old.Revision != req.Revision && !again {
			return access.Deny(api.CodeMoved)
		}
		if !again {
			if err := layout.Put(tx, layout.KeyringKey(account), layout.Keyring{Revision: req.Revision + 1, Keyring: req.Keyring, Key: old.Key}); err != nil {
				return err
			}
		}
		out, err = who.read(tx)
		return err
	})
	return out, err
}

// signed is whether a signature is by an account's keyring key. Without such a key there is none.
func signed(ring layout.Keyring, message, signature []byte) bool {
	return len(ring.Key) == ed25519.PublicKeySize && ed25519.Verify(ring.Key, message, signature)
}

// unlocked is whether who changes factors or devices has unlocked the account: its keyring key signed this very request. Whoever signed in and
// has no key would else shut its owner out for good (SPEC S-FACTOR-01). Every account was made with such a key.
func (w Who) unlocked(tx store.Tx) error {
	ring, _, err := layout.Get[layout.Keyring](tx, layout.KeyringKey(w.Account))
	if err != nil {
		return err
	}
	p := w.Signed
	switch {
	case !signed(ring, api.ChangeMessage(w.Account, p.Session, p.Method, p.Target, p.Digest), p.Signature):
		return access.Deny(api.CodeUnlockFirst)
	case p.Session != w.Session:
		return access.Deny(api.CodeMoved) // another tab of the browser signed in since
	}
	return nil
}

// PutVault adds a kit, in place of the one before, whose sessions elsewhere end, or the passphrase of one more device. Its login key
// signs a fresh challenge.
func (a *Service) PutVault(ctx context.Context, now time.Time, who Who, req api.PutVault) (api.Account, error) {
	var out api.Account
	if err := who.justProved(now); err != nil {
		return out, err
	}
	if m := vault.Method(req.Entry.Method); m == vault.MethodPasskey || m == vault.MethodPassword {
		return a.putFactorVault(ctx, now, who, req)
	}
	account := who.Account
	if req.Login == nil || !bytes.Equal(req.Entry.ID, req.Login.PublicKey) || req.Entry.Method != req.Login.Method {
		return out, access.Deny(api.CodeBadRequest)
	}
	var e ended
	err := a.finishAs(ctx, now, who, layout.SignInKey(req.SignIn), func(tx store.Tx) error {
		if err := who.unlocked(tx); err != nil {
			return err
		}
		done, err := hasVault(tx, account, req.Entry)
		if err != nil {
			return err
		}
		var gone []layout.Factor
		if !done {
			if gone, err = a.replaceVault(tx, now, account, req); err != nil {
				return err
			}
		}
		if e, err = endRows(tx, now, account, endedByFactor, othersBy(who, gone...)); err != nil {
			return err
		}
		out, err = who.read(tx)
		return err
	})
	if err != nil {
		return out, err
	}
	return out, a.endFirms(ctx, now, account, endedByFactor, e)
}

// putFactorVault keeps a root that is wrapped to a passkey or the password of the account, in place of what was wrapped to it
// before.
func (a *Service) putFactorVault(ctx context.Context, now time.Time, who Who, req api.PutVault) (out api.Account, err error) {
	if req.Login != nil || len(req.Entry.ID) > maxVaultID || len(req.Entry.Wrapped) == 0 {
		return out, access.Deny(api.CodeBadRequest)
	}
	err = a.updateAs(ctx, now, who, func(tx store.Tx) error {
		if err := who.unlocked(tx); err != nil {
			return err
		}
		if err := tx.Delete(layout.VaultKey(who.Account, req.Entry.Method, req.Entry.ID)); err != nil {
			return err
		}
		if err := renewVault(tx, who.Account, req.Entry); err != nil {
			return err
		}
		out, err = who.read(tx)
		return err
	})
	return out, err
}

// hasVault reports whether this very method was put before: the same request, again, changes nothing.
func hasVault(tx store.Tx, account wire.ObjectID, e api.VaultEntry) (bool, error) {
	old, found, err := layout.Get[api.VaultEntry](tx, layout.VaultKey(account, e.Method, e.ID))
	return found && bytes.Equal(old.Wrapped, e.Wrapped), err
}

// replaceVault is what it replaces.
func (a *Service) replaceVault(tx store.Tx, now time.Time, account wire.ObjectID, req api.PutVault) ([]layout.Factor, error) {
	s, err := takeSignIn(tx, now, req.SignIn)
	if err != nil {
		return nil, err
	}
	if !a.loginVerifies(*req.Login, s.Challenge) {
		return nil, access.Deny(api.CodeSignInFailed)
	}
	var gone []layout.Factor
	if vault.Method(req.Entry.Method) == vault.MethodKit {
		if gone, err = dropVault(tx, account, req.Entry.Method); err != nil {
			return nil, err
		}
	}
	return gone, renewVault(tx, account, req.Entry)
}

// dropVault ends the unlock methods of one kind, and their login keys with them. What a password is kept under is a name that its
// owner's client made up: to look it up as a login key would end another's.
func dropVault(tx store.Tx, account wire.ObjectID, method uint8) (gone []layout.Factor, err error) {
	err = tx.Scan(layout.VaultMethod(account, method), nil, 0, func(k, v []byte) error {
		var e api.VaultEntry
		if err := json.Unmarshal(v, &e); err != nil {
			return err
		}
		gone = append(gone, factor(kindOf[vault.Method(method)], e.ID))
		if isLogin(method) {
			if err := tx.Delete(layout.LoginKey(e.ID)); err != nil {
				return err
			}
		}
		return tx.Delete(k)
	})
	return gone, err
}

// putVault keeps a wrapped root. What is in it, only its owner knows.
func putVault(tx store.Tx, account wire.ObjectID, e api.VaultEntry) error {
	login := isLogin(e.Method)
	switch {
	case kindOf[vault.Method(e.Method)] == "":
		return access.Deny(api.CodeBadRequest)
	case len(e.ID) == 0 || len(e.ID) > maxVaultID || len(e.Wrapped) == 0 || len(e.Wrapped) > maxWrapped:
		return access.Deny(api.CodeBadRequest)
	case login && len(e.LoginKey) != 0 && !bytes.Equal(e.LoginKey, e.ID), !login && len(e.LoginKey) != 0:
		return access.Deny(api.CodeBadRequest)
	}
	if login {
		e.LoginKey = e.ID
	}
	return keepVault(tx, account, e)
}

func keepVault(tx store.Tx, account wire.ObjectID, e api.VaultEntry) error {
	n := 0
	if err := tx.Scan(layout.VaultOf(account), nil, maxVault, func(_, _ []byte) error { n++; return nil }); err != nil {
		return err
	}
	if n >= maxVault {
		return access.Deny(api.CodeTooLarge)
	}
	return layout.Put(tx, layout.VaultKey(account, e.Method, e.ID), e)
}

// putLogin lets a login key in. One that is another account's is refused.
func putLogin(tx store.Tx, account wire.ObjectID, proof api.LoginProof) error {
	old, found, err := layout.Get[layout.Login](tx, layout.LoginKey(proof.PublicKey))
	if err != nil {
		return err
	}
	if found && old.Account != account {
		return access.Deny(api.CodeForbidden)
	}
	return layout.Put(tx, layout.LoginKey(proof.PublicKey), layout.Login{Account: account, Method: proof.Method})
}

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

// NewRoot takes another root for an account, with the word of whoever has the one before. All that the old one made ends: ways
// to unlock that are not named again, with their login keys, and every other session. The same request again is answered as
// it was.
func (a *Service) NewRoot(ctx context.Context, now time.Time, who Who, req api.NewRoot) (out api.Account, err error) {
	if err := who.justProved(now); err != nil {
		return out, err
	}
	if err := checkRoot(req); err != nil {
		return out, err
	}
	err = a.endBy(ctx, now, who, endedByRevoking, func(tx store.Tx) (func(layout.AccountSession) bool, error) {
		old, _, err := layout.Get[layout.Keyring](tx, layout.KeyringKey(who.Account))
		if err != nil {
			return nil, err
		}
		again := old.Revision == req.Revision+1 && bytes.Equal(old.Keyring, req.Keyring) && bytes.Equal(old.Key, req.KeyringKey)
		if !again {
			if err := a.replaceRoot(tx, now, who.Account, old, req); err != nil {
				return nil, err
			}
			if err := endDevices(tx, who); err != nil {
				return nil, err
			}
		}
		out, err = who.read(tx)
		return othersOf(who), err
	})
	return out, err
}

// checkRoot measures a request before anything is made of it.
func checkRoot(req api.NewRoot) error {
	if len(req.Keyring) > api.MaxKeyring || len(req.Vault) > maxVault || len(req.Logins) > maxVault {
		return access.Deny(api.CodeTooLarge)
	}
	if len(req.KeyringKey) != ed25519.PublicKeySize {
		return access.Deny(api.CodeBadRequest)
	}
	for _, e := range req.Vault {
		if len(e.ID) > maxVaultID || len(e.Wrapped) > maxWrapped {
			return access.Deny(api.CodeBadRequest)
		}
	}
	return nil
}

func (a *Service) replaceRoot(tx store.Tx, now time.Time, account wire.ObjectID, old layout.Keyring, req api.NewRoot) error {
	if !signed(old, api.RootMessage(account, req), req.Signature) {
		return access.Deny(api.CodeForbidden)
	}
	if old.Revision != req.Revision {
		return access.Deny(api.CodeMoved)
	}
	proved, err := a.provedLogins(tx, now, req)
	if err != nil {
		return err
	}
	if err := replaceVaults(tx, account, req.Vault, proved); err != nil {
		return err
	}
	row, _, err := layout.Get[layout.Account](tx, layout.AccountKey(account))
	if err != nil {
		return err
	}
	row.Renewals++
	if err := layout.Put(tx, layout.AccountKey(account), row); err != nil {
		return err
	}
	return layout.Put(tx, layout.KeyringKey(account), layout.Keyring{Revision: req.Revision + 1, Keyring: req.Keyring, Key: req.KeyringKey})
}

// provedLogins are the login keys that signed the challenge of a request.
func (a *Service) provedLogins(tx store.Tx, now time.Time, req api.NewRoot) (map[string]bool, error) {
	proved := map[string]bool{}
	if len(req.Logins) == 0 {
		return proved, nil
	}
	s, err := takeSignIn(tx, now, req.SignIn)
	if err != nil {
		return nil, err
	}
	for _, p := range req.Logins {
		if !a.loginVerifies(p, s.Challenge) {
			return nil, access.Deny(api.CodeSignInFailed)
		}
		proved[methodID(p.Method, p.PublicKey)] = true
	}
	return proved, nil
}

// replaceVaults leaves an account with these ways to unlock and no others, where it can still be got into.
func replaceVaults(tx store.Tx, account wire.ObjectID, entries []api.VaultEntry, proved map[string]bool) error {
	err := tx.Scan(layout.VaultOf(account), nil, 0, func(k, v []byte) error {
		var e api.VaultEntry
		if err := json.Unmarshal(v, &e); err != nil {
			return err
		}
		if isLogin(e.Method) {
			if err := tx.Delete(layout.LoginKey(e.ID)); err != nil {
				return err
			}
		}
		return tx.Delete(k)
	})
	if err != nil {
		return err
	}
	seen := map[uint8]bool{}
	for _, e := range entries {
		// Of passkeys there may be several.
		if vault.Method(e.Method) != vault.MethodPasskey && seen[e.Method] {
			return access.Deny(api.CodeBadRequest)
		}
		seen[e.Method] = true
		if isLogin(e.Method) && !proved[methodID(e.Method, e.ID)] {
			return access.Deny(api.CodeBadRequest)
		}
		if err := renewVault(tx, account, e); err != nil {
			return err
		}
	}
	return stillOpens(tx, account)
}

// renewVault keeps a way to unlock for a factor that the account has, or for a login key that was proved.
func renewVault(tx store.Tx, account wire.ObjectID, e api.VaultEntry) error {
	switch vault.Method(e.Method) {
	case vault.MethodPasskey:
		has, err := layout.Has(tx, layout.PasskeyKey(account, e.ID))
		if err != nil || !has {
			return deny(err, api.CodeBadRequest)
		}
	case vault.MethodPassword:
		p, found, err := layout.Get[layout.Password](tx, layout.PasswordKey(account))
		if err != nil || !found || !bytes.Equal(p.Name[:], e.ID) {
			return deny(err, api.CodeBadRequest)
		}
	case vault.MethodKit, vault.MethodPassphrase:
		if err := putLogin(tx, account, api.LoginProof{Method: e.Method, PublicKey: e.ID}); err != nil {
			return err
		}
		// A passphrase may keep its wrapped root on the device: then this notes the login key alone.
		if vault.Method(e.Method) == vault.MethodPassphrase && len(e.Wrapped) == 0 {
			return keepVault(tx, account, api.VaultEntry{Method: e.Method, ID: e.ID})
		}
	}
	return putVault(tx, account, e)
}

func isLogin(method uint8) bool {
	return vault.Method(method) == vault.MethodKit || vault.Method(method) == vault.MethodPassphrase
}

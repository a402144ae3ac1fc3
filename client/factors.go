package client

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"slices"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/document"
)

// took keeps what the server now has of an account's factors.
func (c *Client) took(a *account, reply api.Account) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a.session, a.passkeys, a.vault = reply.Session, reply.Passkeys, reply.Vault
	a.passwordSet, a.appSet = reply.PasswordSet, reply.TOTPSet
	if reply.Failed != nil {
		a.failed = *reply.Failed
	}
}

// changeFactors sends what changes factors or devices. The account's keyring key signs it: who signed in and cannot unlock shuts
// nobody out (SPEC S-FACTOR-01).
func (c *Client) changeFactors(ctx context.Context, a *account, method, path string, in, out any) error {
	r, err := requestOf(method, path, in)
	if err != nil {
		return err
	}
	err = c.answered(ctx, c.signChange(a, r), out)
	if !hasCode(err, api.CodeMoved) {
		return err
	}
	// Another tab of this browser signed in since, and its session is the one of both.
	var fresh api.Account
	if err := c.call(ctx, methodGet, api.RouteAccount, nil, &fresh); err != nil {
		return err
	}
	if fresh.Account != a.id {
		return fail(api.CodeNotSignedIn, "")
	}
	c.took(a, fresh)
	return c.answered(ctx, c.signChange(a, r), out)
}

func (c *Client) signChange(a *account, r Request) Request {
	digest := ""
	if len(r.Body) > 0 {
		digest = api.ContentDigest(sha256.Sum256(r.Body))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r.Header = api.SignChange(a.id, a.session, a.root.KeyringSigner(), r.Method, r.Path, digest)
	return r
}

// ProveOptions begins a proof that it is still the same person: what changes factors fails with CodeProveAgain without one.
func (c *Client) ProveOptions(ctx context.Context) (Options, error) { return c.SignInOptions(ctx) }

// ProvePasskey completes it. Its PRF output, where it has one, is what the root may be wrapped to anew while the proof lasts.
func (c *Client) ProvePasskey(ctx context.Context, credential json.RawMessage, prf []byte) error {
	shown, err := c.shownPasskey(credential, prf)
	if err != nil {
		return err
	}
	if err := c.prove(ctx, func(*api.SignInReply) api.Prove { return api.Prove{Credential: credential} }); err != nil {
		return err
	}
	c.wasShown(shown)
	return nil
}

// shownPasskey is a passkey that is shown now; nil where it cannot unlock.
func (c *Client) shownPasskey(credential json.RawMessage, prf []byte) (*shown, error) {
	id, err := credentialID(credential)
	if err != nil || prf == nil {
		return nil, err
	}
	c.secret("PRF output", prf)
	unlock, err := vault.PasskeyUnlockKey(prf)
	if err != nil {
		return nil, fail(api.CodeNoPRF, "")
	}
	c.secret("passkey unlock key", unlock[:])
	return &shown{method: vault.MethodPasskey, id: id, unlock: unlock, at: c.config.Now()}, nil
}

// ProveKit proves with a recovery kit, as it was printed.
func (c *Client) ProveKit(ctx context.Context, text string) error {
	kit, err := vault.ParseKit(text)
	if err != nil {
		return failureOf(err)
	}
	if _, err := c.beginSignIn(ctx); err != nil {
		return err
	}
	return c.prove(ctx, func(begun *api.SignInReply) api.Prove {
		return api.Prove{Login: c.loginProof(vault.MethodKit, kit.LoginKey(), begun.Challenge)}
	})
}

func (c *Client) prove(ctx context.Context, answer func(*api.SignInReply) api.Prove) error {
	c.mu.Lock()
	a, cer := c.account, c.ceremony
	c.ceremony = nil
	c.mu.Unlock()
	if a == nil {
		return fail(api.CodeNotSignedIn, "")
	}
	if cer == nil || cer.signIn == nil {
		return fail(api.CodeBadRequest, "")
	}
	proof := answer(cer.signIn)
	proof.SignIn = cer.signIn.SignIn
	return c.showProof(ctx, a, proof)
}

func (c *Client) showProof(ctx context.Context, a *account, proof api.Prove) error {
	var reply api.Account
	if err := c.call(ctx, methodPost, api.RouteProofs, proof, &reply); err != nil {
		return failureOf(err)
	}
	c.took(a, reply)
	return nil
}

// PasskeyAddOptions begins a further passkey.
func (c *Client) PasskeyAddOptions(ctx context.Context) (Options, error) {
	a, err := c.who()
	if err != nil {
		return Options{}, err
	}
	var reply api.PasskeyReply
	if err := c.call(ctx, methodPost, api.RoutePasskeys, struct{}{}, &reply); err != nil {
		return Options{}, failureOf(err)
	}
	c.mu.Lock()
	c.ceremony = &ceremony{newPasskey: &reply}
	person := a.ring.Name
	c.mu.Unlock()
	return creationOptions(reply.Creation, person)
}

// PasskeyAddFinish completes it. Without a PRF output it signs in and does not unlock.
func (c *Client) PasskeyAddFinish(ctx context.Context, u Unlocker, name string) error {
	if document.CheckTitle(name) != nil {
		return fail(api.CodeBadName, "")
	}
	c.mu.Lock()
	a, cer := c.account, c.ceremony
	c.mu.Unlock()
	if a == nil {
		return fail(api.CodeNotSignedIn, "")
	}
	if cer == nil || cer.newPasskey == nil {
		return fail(api.CodeBadRequest, "")
	}
	id, err := credentialID(u.Credential)
	if err != nil {
		return err
	}
	finish := api.PasskeyFinish{Credential: u.Credential}
	var passkey *shown
	if u.PRF != nil {
		s, entry, err := c.passkeyEntry(a, u)
		if err != nil {
			return err
		}
		passkey, finish.Vault = s, &entry
	}
	var reply api.Account
	if err := c.changeFactors(ctx, a, methodPost, api.RoutePasskeys+"/"+cer.newPasskey.Enrolment.String(), finish, &reply); err != nil {
		return failureOf(err)
	}
	c.took(a, reply)
	c.mu.Lock()
	c.ceremony = nil
	if passkey != nil {
		a.shown = passkey
	}
	c.mu.Unlock()
	made := c.config.Now().UnixMilli()
	return c.updateSelf(ctx, func(k *keyring) { k.Passkeys = append(k.Passkeys, passkeyName{ID: id, Name: name, MadeAt: made}) })
}

// RenamePasskey changes what its owner calls a passkey, by the id that Account shows.
func (c *Client) RenamePasskey(ctx context.Context, id, name string) error {
	if document.CheckTitle(name) != nil {
		return fail(api.CodeBadName, "")
	}
	credential, err := c.passkeyID(id)
	if err != nil {
		return err
	}
	return failureErr(c.updateKeyring(ctx, func(k *keyring) {
		if named := k.passkey(credential); named != nil {
			named.Name = name
			return
		}
		k.Passkeys = append(k.Passkeys, passkeyName{ID: credential, Name: name})
	}))
}

// RemovePasskey ends one. The last way in stays (CodeLastMethod).
func (c *Client) RemovePasskey(ctx context.Context, id string) error {
	credential, err := c.passkeyID(id)
	if err != nil {
		return err
	}
	a, err := c.who()
	if err != nil {
		return err
	}
	var reply api.Account
	if err := c.changeFactors(ctx, a, methodDelete, api.PasskeyPath(credential), nil, &reply); err != nil {
		return failureOf(err)
	}
	c.took(a, reply)
	return c.updateSelf(ctx, func(k *keyring) {
		k.Passkeys = slices.DeleteFunc(k.Passkeys, func(p passkeyName) bool { return string(p.ID) == string(credential) })
	})
}

// passkeyID is a credential of this account.
func (c *Client) passkeyID(text string) ([]byte, error) {
	a, err := c.who()
	if err != nil {
		return nil, err
	}
	id, err := decodeBase64URL(text)
	if err != nil {
		return nil, fail(api.CodeBadRequest, "")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.ContainsFunc(a.passkeys, func(p api.Passkey) bool { return string(p.ID) == string(id) }) {
		return nil, fail(api.CodeNotHere, "")
	}
	return id, nil
}

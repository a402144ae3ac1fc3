package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"slices"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// shown is the passkey or password that was shown last, with what it makes an unlock key of: while the proof lasts, a root can be
// wrapped to it without asking for it again.
type shown struct {
	method vault.Method
	id     []byte   // as a vault entry names it
	unlock [32]byte // of a passkey
	export []byte   // of a password: OPAQUE's
	at     time.Time
}

func (s *shown) fresh(now time.Time) bool {
	return s != nil && now.Sub(s.at) < api.ProofSeconds*time.Second && !now.Before(s.at)
}

// key is what unlocks a root. A password's depends on the root, too.
func (s *shown) key(root vault.Root) ([32]byte, error) {
	if s.method == vault.MethodPassword {
		return vault.PasswordUnlockKey(s.export, root.AccountSecret())
	}
	return s.unlock, nil
}

// wraps reports whether a root is wrapped to it.
func (s *shown) wraps(entries []api.VaultEntry) bool {
	return slices.ContainsFunc(entries, func(e api.VaultEntry) bool { return e.Method == uint8(s.method) && bytes.Equal(e.ID, s.id) })
}

// RootChange is what a next root is unlocked by, beside the kit that CreateKit made and TestKit tested, and what proved who this is.
type RootChange struct {
	Passphrase *vault.Passphrase
	// Keep, with a passphrase, stores the root before the server knows of it, beside the one there is: whether the server took
	// it shows when somebody signs in. Nobody else will have it.
	Keep func(root vault.Root) error
}

// RenewRoot replaces the root of the account, and with it every identity: nothing that the old ones opened is sealed to them any
// more. Every other session, device and way to unlock ends; the kit that TestKit tested is in force. It takes a fresh proof.
// ContinueRenewal then tells the firms.
func (c *Client) RenewRoot(ctx context.Context, change RootChange) error {
	root, err := vault.GenerateRoot(c.config.Random)
	if err != nil {
		return err
	}
	c.rootSecrets(root)
	if change.Keep != nil {
		if err := change.Keep(root); err != nil {
			return &Failure{Code: api.CodeNoRoom, cause: err}
		}
	}
	c.ringing.Lock()
	defer c.ringing.Unlock()
	for range 8 {
		c.mu.Lock()
		a := c.account
		c.mu.Unlock()
		if a == nil {
			return fail(api.CodeNotSignedIn, "")
		}
		here, _, err := c.device(ctx, a.id)
		if err != nil {
			return failureOf(err)
		}
		next, err := c.nextAccount(a, here.Device, root, change)
		if err != nil {
			return failureOf(err)
		}
		err = c.sendRoot(ctx, a, next, change)
		if err == nil {
			c.mu.Lock()
			c.account, c.sessions = next, map[wire.ChainID]*chain.Session{}
			c.mu.Unlock()
			if err := c.rememberRevision(ctx, next); err != nil {
				return err
			}
			return c.enrolDevice(ctx, next, "")
		}
		if !hasCode(err, api.CodeMoved) {
			return failureOf(err)
		}
		if err := c.freshKeyring(ctx, a); err != nil {
			return failureOf(err)
		}
	}
	return fail(api.CodeUnavailable, "")
}

// nextAccount is an account under another root: with new identities, and the ones before kept for what was wrapped to them.
func (c *Client) nextAccount(a *account, here wire.ObjectID, root vault.Root, change RootChange) (*account, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := a.testedKit(); err != nil {
		return nil, err // the kit that was printed opens nothing any more: there is another one first
	}
	ring := a.ring.clone()
	for _, claim := range ring.Claims {
		if claim.Next != nil {
			return nil, fail(api.CodeUnavailable, "") // what came back is entered first
		}
	}
	ring.Claims = nil // they were made with keys of this root: who still asks does so anew
	for i := range ring.Firms {
		seat := &ring.Firms[i]
		seed := root.IdentitySeed(seat.Salt)
		c.secret("identity seed", seed[:])
		identity, err := keys.NewIdentity(seed)
		if err != nil {
			return nil, err
		}
		before := formerIdentity{Seed: a.root.IdentitySeed(seat.Salt), Fingerprint: seat.Fingerprint}
		seat.Former = append([]formerIdentity{before}, seat.Former...)
		seat.Fingerprint, seat.identity = wire.Hash(identity.Public().Fingerprint()), identity
	}
	ring.KitSaved, ring.Passphrase = true, change.Passphrase != nil
	ring.Caches = append([][32]byte{a.root.CacheKey()}, ring.Caches...)
	ring.Renewing = ring.seats()
	ring.Devices = slices.DeleteFunc(ring.Devices, func(d namedDevice) bool { return d.ID != here })
	return &account{id: a.id, root: root, ring: ring, revision: a.revision + 1, pending: a.pending, shown: a.shown}, nil
}

// seats are the chains that this account may have a seat in, firms first: who may open matters is looked up there.
func (k *keyring) seats() (list []wire.ChainID) {
	for _, f := range k.Firms {
		if f.Staff {
			list = append(list, f.Firm)
		}
	}
	for _, m := range k.Matters {
		if !m.Removed && !slices.Contains(list, m.Chain) {
			list = append(list, m.Chain)
		}
	}
	return list
}

// sendRoot hands the server what it keeps of an account under its next root, signed by the one before.
func (c *Client) sendRoot(ctx context.Context, a, next *account, change RootChange) error {
	req := api.NewRoot{Revision: a.revision, KeyringKey: next.root.KeyringSigner().Public().(ed25519.PublicKey)}
	var err error
	if req.Keyring, err = c.sealKeyring(next, next.ring, next.revision); err != nil {
		return err
	}
	var begun api.SignInReply
	if err := c.call(ctx, methodPost, api.RouteSignIns, struct{}{}, &begun); err != nil {
		return err
	}
	req.SignIn = begun.SignIn
	kit := next.pending
	logins := []*api.LoginProof{c.loginProof(vault.MethodKit, kit.LoginKey(), begun.Challenge)}
	entry, err := c.vaultEntry(next, vault.MethodKit, logins[0].PublicKey, kit.UnlockKey())
	if err != nil {
		return err
	}
	req.Vault = append(req.Vault, entry)
	if p := change.Passphrase; p != nil {
		// Its wrap stays here: the server could guess at it.
		login := c.loginProof(vault.MethodPassphrase, p.LoginKey(), begun.Challenge)
		logins = append(logins, login)
		req.Vault = append(req.Vault, api.VaultEntry{Method: login.Method, ID: login.PublicKey})
	}
	if next.shown.fresh(c.config.Now()) {
		entry, err := c.shownEntry(next, next.shown)
		if err != nil {
			return err
		}
		req.Vault = append(req.Vault, entry)
	}
	for _, l := range logins {
		req.Logins = append(req.Logins, *l)
	}
	req.Signature = ed25519.Sign(a.root.KeyringSigner(), api.RootMessage(a.id, req))
	var reply api.Account
	if err := c.retry(ctx, func() error { return c.call(ctx, methodPost, api.RouteRoot, req, &reply) }); err != nil {
		return err
	}
	c.took(next, reply)
	next.pending = nil
	return nil
}

// shownEntry wraps an account's root for what was shown.
func (c *Client) shownEntry(a *account, s *shown) (api.VaultEntry, error) {
	unlock, err := s.key(a.root)
	if err != nil {
		return api.VaultEntry{}, failureOf(vault.ErrUnlock)
	}
	return c.vaultEntry(a, s.method, s.id, unlock)
}

// vaultEntry wraps an account's root for one way to unlock.
func (c *Client) vaultEntry(a *account, method vault.Method, id []byte, unlock [32]byte) (api.VaultEntry, error) {
	wrapped, err := vault.Wrap(c.config.Random, unlock, method, a.id, a.root)
	e := api.VaultEntry{Method: uint8(method), ID: id, Wrapped: wrapped}
	if method == vault.MethodKit {
		e.LoginKey = id
	}
	return e, err
}

// wrapAgain wraps the root to what somebody signed in with, whose wrap ended with a root before: the next time it unlocks by
// itself. Where that fails it is tried at the next sign-in.
func (c *Client) wrapAgain(ctx context.Context, s *shown) {
	a, err := c.who()
	if err != nil || s == nil || s.wraps(a.vault) {
		return
	}
	entry, err := c.shownEntry(a, s)
	if err != nil {
		return
	}
	var reply api.Account
	if c.changeFactors(ctx, a, methodPut, api.RouteVault, api.PutVault{Entry: entry}, &reply) == nil {
		c.took(a, reply)
		c.wasShown(s)
	}
}

// wasShown keeps what was shown for as long as the proof lasts.
func (c *Client) wasShown(s *shown) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account != nil {
		c.account.shown = s
	}
}

package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/subtle"
	"encoding/json"
	"slices"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/wire"
)

// ceremony is an enrolment or sign-in that waits for a gesture.
type ceremony struct {
	enrol  *api.EnrolReply
	signIn *api.SignInReply

	setup        string // of a founder
	person, firm string
	link         *chain.Link // of a guest
	pkg          chain.Package
	recovery     *openedLink // of who asks for his identity

	signedIn   *api.Account      // by what cannot unlock here: another method is to
	shown      *shown            // that, where it could unlock and may have nothing wrapped to it any more
	asks       *asking           // of another device
	newPasskey *api.PasskeyReply // a further one of who is signed in
	newApp     *api.TOTPReply    // an authenticator app of who is signed in

	password    *passwordStep     // was shown: a second factor is to come
	newPassword *enrolledPassword // of an enrolment
}

// Options are what the page hands to navigator.credentials.
type Options struct {
	PublicKey json.RawMessage
	PRFSalt   [32]byte
}

// Unlocker is how a new account will be unlocked: one of the fields is set.
type Unlocker struct {
	Credential json.RawMessage // of a passkey, without its PRF output
	PRF        []byte          // its PRF output; nil where it has none
	Code       string          // of the app that goes with the password that EnrolPassword set
	Passphrase *vault.Passphrase
	// Keep, with a passphrase, stores the root before the server knows the account: nobody else will have it. Where it fails
	// no account is made; where the program ends after it, the account may or may not exist.
	Keep func(account wire.ObjectID, root vault.Root) error
}

// OpenSetup is whether a setup link can still be used: secret is what stands after # in it. It begins a founding that nobody goes
// on with, which uses nothing up.
func (c *Client) OpenSetup(ctx context.Context, secret string) error {
	_, err := c.beginSetup(ctx, secret)
	return err
}

func (c *Client) beginSetup(ctx context.Context, secret string) (reply api.EnrolReply, err error) {
	if err := c.call(ctx, methodPost, api.RouteEnrolments, api.EnrolRequest{Setup: secret}, &reply); err != nil {
		return reply, failureOf(err)
	}
	if reply.Log == nil {
		return reply, c.refuse(ctx, "the keys of the firm's log", ErrUnknownReply)
	}
	return reply, nil
}

// SetupOptions begins the founding of a firm.
func (c *Client) SetupOptions(ctx context.Context, secret, person, firm string) (Options, error) {
	if document.CheckTitle(person) != nil || document.CheckTitle(firm) != nil {
		return Options{}, fail(api.CodeBadName, "")
	}
	reply, err := c.beginSetup(ctx, secret)
	if err != nil {
		return Options{}, err
	}
	c.mu.Lock()
	c.ceremony = &ceremony{enrol: &reply, setup: secret, person: person, firm: firm}
	c.mu.Unlock()
	return creationOptions(reply.Creation, person)
}

// creationOptions puts the person's name where only his own authenticator reads it.
func creationOptions(creation json.RawMessage, person string) (Options, error) {
	var o map[string]json.RawMessage
	var user map[string]any
	if json.Unmarshal(creation, &o) != nil || json.Unmarshal(o["user"], &user) != nil {
		return Options{}, &Failure{Code: api.CodeInternal, cause: ErrUnknownReply}
	}
	user["name"], user["displayName"] = person, person
	o["user"], _ = json.Marshal(user)
	public, err := json.Marshal(o)
	return Options{PublicKey: public, PRFSalt: vault.PasskeySalt()}, err
}

// SetupFinish makes account, identity and firm.
func (c *Client) SetupFinish(ctx context.Context, u Unlocker) error {
	c.mu.Lock()
	cer := c.ceremony
	c.mu.Unlock()
	if cer == nil || cer.enrol == nil || cer.setup == "" {
		return fail(api.CodeBadRequest, "")
	}
	a, err := c.newAccount(cer.enrol.Account, cer.person)
	if err != nil {
		return err
	}
	seat, author, err := c.newIdentity(a, wire.ChainID{}, cer.firm)
	if err != nil {
		return err
	}
	seat.Staff = true
	author.Ways, author.Read = 1, a.ring.Topics // it is made with one
	charter := chain.Charter{Kind: chain.KindFirm, LogOrigin: cer.enrol.Log.Origin, LogKeys: cer.enrol.Log.Keys, VRFKey: cer.enrol.Log.VRF, Policy: cer.enrol.Log.Policy}
	sub, id, epoch, err := chain.Found(author, charter, cer.firm, cer.person)
	if err != nil {
		return failureOf(err)
	}
	c.epochSecrets(epoch)
	seat.Firm = id
	a.ring.Firms = []firmSeat{*seat}
	bundle, err := chain.NewBundle(author.Member, author.Identity)
	if err != nil {
		return err
	}
	if err := c.enrol(ctx, cer, a, u); err != nil {
		return err
	}
	found := api.FoundRequest{Setup: cer.setup, Member: author.Member, Bundle: bundle.Bytes(), Submission: sub.Bytes()}
	if err := c.retry(ctx, func() error { return c.call(ctx, methodPost, api.RouteFirms, found, nil) }); err != nil {
		return failureOf(err)
	}
	_, err = c.matter(ctx, id)
	return err
}

// retry sends something idempotent again where no answer came.
func (c *Client) retry(ctx context.Context, send func() error) error {
	err := send()
	for i := range 3 {
		if !hasCode(err, api.CodeOffline) && !hasCode(err, api.CodeUnavailable) {
			break
		}
		if waitErr := c.wait(ctx, time.Duration(i+1)*500*time.Millisecond); waitErr != nil {
			return waitErr
		}
		err = send()
	}
	return err
}

func (c *Client) wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (c *Client) newAccount(id wire.ObjectID, person string) (*account, error) {
	root, err := vault.GenerateRoot(c.config.Random)
	if err != nil {
		return nil, err
	}
	c.rootSecrets(root)
	c.mu.Lock()
	defer c.mu.Unlock()
	return &account{id: id, root: root, ring: keyring{Name: person, Topics: c.read}}, nil
}

// rootSecrets tells the root and what follows from it.
func (c *Client) rootSecrets(root vault.Root) {
	ring, cache := root.KeyringKey(), root.CacheKey()
	c.secret("account root", root[:])
	c.secret("keyring key", ring[:])
	c.secret("device cache key", cache[:])
	c.secret("keyring signing key", root.KeyringSigner().Seed())
}

// newIdentity makes this account's one identity in a firm.
func (c *Client) newIdentity(a *account, firm wire.ChainID, name string) (*firmSeat, chain.Author, error) {
	member, err := wire.NewObjectID(c.config.Random)
	if err != nil {
		return nil, chain.Author{}, err
	}
	salt, err := wire.NewObjectID(c.config.Random)
	if err != nil {
		return nil, chain.Author{}, err
	}
	seed := a.root.IdentitySeed(salt)
	c.secret("identity seed", seed[:])
	identity, err := keys.NewIdentity(seed)
	if err != nil {
		return nil, chain.Author{}, err
	}
	seat := &firmSeat{Firm: firm, Name: name, Salt: salt, Member: member, Fingerprint: wire.Hash(identity.Public().Fingerprint()), identity: identity}
	return seat, chain.Author{Member: member, Identity: identity, Random: c.config.Random, Now: c.config.Now}, nil
}

// enrol hands the account's public side and its sealed vault to the server, and signs in.
func (c *Client) enrol(ctx context.Context, cer *ceremony, a *account, u Unlocker) error {
	finish := api.EnrolFinish{}
	var passkey *shown
	switch {
	case u.Passphrase != nil:
		// A passphrase unlocks on this device only: the server gets no wrap that could be guessed at.
		if u.Keep != nil {
			if err := u.Keep(a.id, a.root); err != nil {
				return &Failure{Code: api.CodeNoRoom, cause: err}
			}
		}
		a.ring.Passphrase = true
		finish.Login = c.loginProof(vault.MethodPassphrase, u.Passphrase.LoginKey(), cer.enrol.Challenge)
	case u.Code != "":
		if err := c.enrolPassword(a, cer.newPassword, u.Code, &finish); err != nil {
			return err
		}
	case u.PRF == nil:
		return fail(api.CodeNoPRF, "")
	default:
		s, entry, err := c.passkeyEntry(a, u)
		if err != nil {
			return err
		}
		passkey = s
		finish.Credential, finish.Vault = u.Credential, []api.VaultEntry{entry}
		a.ring.Passkeys = []passkeyName{{ID: entry.ID, MadeAt: c.config.Now().UnixMilli()}}
	}
	ring, err := c.sealKeyring(a, a.ring, 1)
	if err != nil {
		return err
	}
	finish.Keyring, finish.KeyringKey = ring, a.root.KeyringSigner().Public().(ed25519.PublicKey)
	var reply api.Account
	path := api.RouteEnrolments + "/" + cer.enrol.Enrolment.String()
	if err := c.call(ctx, methodPost, path, finish, &reply); err != nil {
		return failureOf(err)
	}
	a.revision = 1
	c.took(a, reply)
	if err := c.signedIn(ctx, a); err != nil {
		return err
	}
	c.wasShown(passkey)
	if p := cer.newPassword; u.Code != "" {
		return failureErr(c.enrolDevice(ctx, a, p.login))
	}
	return nil
}

// signedIn puts an opened account in place.
func (c *Client) signedIn(ctx context.Context, a *account) error {
	c.mu.Lock()
	c.account, c.ceremony, c.locked = a, nil, false
	read := c.read
	c.read = 0
	c.mu.Unlock()
	if err := c.loadRefusals(ctx, a); err != nil {
		return err
	}
	if err := c.rememberRevision(ctx, a); err != nil {
		return err
	}
	if err := c.enrolDevice(ctx, a, ""); err != nil {
		return err
	}
	if err := c.register(ctx, a); err != nil {
		return err
	}
	if read != 0 {
		_ = c.Acknowledge(ctx, read) // where it fails he is shown it once more
	}
	return c.loadTransfers(ctx, a)
}

func (c *Client) passkeyEntry(a *account, u Unlocker) (*shown, api.VaultEntry, error) {
	s, err := c.shownPasskey(u.Credential, u.PRF)
	if err != nil {
		return nil, api.VaultEntry{}, err
	}
	if s == nil {
		return nil, api.VaultEntry{}, fail(api.CodeNoPRF, "")
	}
	entry, err := c.shownEntry(a, s)
	return s, entry, err
}

func credentialID(credential json.RawMessage) ([]byte, error) {
	var v struct {
		RawID string `json:"rawId"`
	}
	if err := json.Unmarshal(credential, &v); err != nil {
		return nil, fail(api.CodeBadRequest, "")
	}
	return decodeBase64URL(v.RawID)
}

func (c *Client) loginProof(method vault.Method, key ed25519.PrivateKey, challenge []byte) *api.LoginProof {
	return &api.LoginProof{Method: uint8(method), PublicKey: key.Public().(ed25519.PublicKey), Signature: ed25519.Sign(key, api.LoginMessage(c.config.Origin, challenge))}
}

// SignInOptions begins a sign-in with whichever passkey the person picks.
func (c *Client) SignInOptions(ctx context.Context) (Options, error) {
	reply, err := c.beginSignIn(ctx)
	if err != nil {
		return Options{}, err
	}
	return Options{PublicKey: reply.Request, PRFSalt: vault.PasskeySalt()}, nil
}

func (c *Client) beginSignIn(ctx context.Context) (*api.SignInReply, error) {
	var reply api.SignInReply
	if err := c.call(ctx, methodPost, api.RouteSignIns, struct{}{}, &reply); err != nil {
		return nil, failureOf(err)
	}
	c.mu.Lock()
	c.ceremony = &ceremony{signIn: &reply}
	c.mu.Unlock()
	return &reply, nil
}

func (c *Client) finishSignIn(ctx context.Context, f api.SignInFinish) (api.Account, error) {
	c.mu.Lock()
	cer := c.ceremony
	c.mu.Unlock()
	var reply api.Account
	if cer == nil || cer.signIn == nil {
		return reply, fail(api.CodeBadRequest, "")
	}
	var err error
	if f.Devices, err = c.deviceProofs(ctx); err != nil {
		return reply, err
	}
	err = c.call(ctx, methodPost, api.RouteSignIns+"/"+cer.signIn.SignIn.String(), f, &reply)
	return reply, c.revokedHere(ctx, err)
}

// SignInPasskey completes it and unlocks. A passkey that cannot unlock signs in, and the failure says so: UnlockKit goes on.
func (c *Client) SignInPasskey(ctx context.Context, credential json.RawMessage, prf []byte) error {
	id, err := credentialID(credential)
	if err != nil {
		return err
	}
	shown, err := c.shownPasskey(credential, prf)
	if err != nil {
		return err
	}
	reply, err := c.finishSignIn(ctx, api.SignInFinish{Credential: credential})
	if err != nil {
		return failureOf(err)
	}
	if shown == nil || !unlocks(reply.Vault, id) {
		c.mu.Lock()
		c.ceremony = &ceremony{signedIn: &reply, shown: shown}
		c.mu.Unlock()
		return fail(api.CodeUnlockElsewhere, "")
	}
	if err := c.open(ctx, reply, vault.MethodPasskey, id, shown.unlock); err != nil {
		return err
	}
	c.wasShown(shown)
	return nil
}

// unlocks reports whether a passkey has the root wrapped to it.
func unlocks(entries []api.VaultEntry, credential []byte) bool {
	return slices.ContainsFunc(entries, func(e api.VaultEntry) bool {
		return e.Method == uint8(vault.MethodPasskey) && bytes.Equal(e.ID, credential)
	})
}

// UnlockKit unlocks with a recovery kit after a sign-in that could not.
func (c *Client) UnlockKit(ctx context.Context, text string) error {
	kit, err := vault.ParseKit(text)
	if err != nil {
		return failureOf(err)
	}
	c.mu.Lock()
	cer := c.ceremony
	c.mu.Unlock()
	if cer == nil || cer.signedIn == nil {
		return fail(api.CodeBadRequest, "")
	}
	if err := c.open(ctx, *cer.signedIn, vault.MethodKit, kit.LoginKey().Public().(ed25519.PublicKey), kit.UnlockKey()); err != nil {
		return err
	}
	c.wrapAgain(ctx, cer.shown)
	return nil
}

// SignInKit signs in and unlocks with a recovery kit, as it was printed.
func (c *Client) SignInKit(ctx context.Context, text string) error {
	kit, err := vault.ParseKit(text)
	if err != nil {
		return failureOf(err)
	}
	begun, err := c.beginSignIn(ctx)
	if err != nil {
		return err
	}
	login := c.loginProof(vault.MethodKit, kit.LoginKey(), begun.Challenge)
	reply, err := c.finishSignIn(ctx, api.SignInFinish{Login: login})
	if err != nil {
		return failureOf(err)
	}
	return c.open(ctx, reply, vault.MethodKit, login.PublicKey, kit.UnlockKey())
}

// SignInRoot signs in with a passphrase's login key and a root that this device keeps. Where the program ended while the root was
// replaced there are two: the one that opens the account's record is in force.
func (c *Client) SignInRoot(ctx context.Context, login ed25519.PrivateKey, id wire.ObjectID, roots ...vault.Root) error {
	begun, err := c.beginSignIn(ctx)
	if err != nil {
		return err
	}
	reply, err := c.finishSignIn(ctx, api.SignInFinish{Login: c.loginProof(vault.MethodPassphrase, login, begun.Challenge)})
	if err != nil {
		return failureOf(err)
	}
	a := &account{id: id}
	for _, a.root = range roots {
		if openKeyring(&account{id: id, root: a.root}, reply.Revision, reply.Keyring) == nil {
			break
		}
	}
	if reply.Account != id {
		return c.refuseFor(ctx, a, "the account that this device belongs to", ErrAccountKeys)
	}
	return c.openedBy(ctx, a, reply)
}

// open unwraps the root and takes the account into use. Every failure to unlock is the same one (attack 15).
func (c *Client) open(ctx context.Context, reply api.Account, method vault.Method, id []byte, unlock [32]byte) error {
	for _, e := range reply.Vault {
		if e.Method != uint8(method) || !bytes.Equal(e.ID, id) {
			continue
		}
		root, err := vault.Unwrap(unlock, method, reply.Account, e.Wrapped)
		if err != nil {
			return failureOf(vault.ErrUnlock)
		}
		return c.opened(ctx, reply, root)
	}
	return failureOf(vault.ErrUnlock)
}

func (c *Client) opened(ctx context.Context, reply api.Account, root vault.Root) error {
	return c.openedBy(ctx, &account{id: reply.Account, root: root}, reply)
}

func (c *Client) openedBy(ctx context.Context, a *account, reply api.Account) error {
	c.rootSecrets(a.root)
	c.took(a, reply)
	if err := c.takeKeyring(ctx, a, reply); err != nil {
		return c.refuseFor(ctx, a, "the account's own record", err)
	}
	return c.signedIn(ctx, a)
}

// SignOut forgets every key and ends the sessions. It always succeeds on this side.
func (c *Client) SignOut(ctx context.Context) {
	c.mu.Lock()
	var firms []wire.ChainID
	for firm := range c.sessions {
		firms = append(firms, firm)
	}
	signedIn := c.account != nil || c.locked || (c.ceremony != nil && c.ceremony.signedIn != nil)
	c.reset()
	c.mu.Unlock()
	if !signedIn {
		return
	}
	for _, firm := range firms {
		_, _ = c.send(ctx, Request{Method: methodDelete, Path: api.Firm(firm) + "/session"})
	}
	_, _ = c.send(ctx, Request{Method: methodDelete, Path: api.RouteAccountSession})
}

// SignedIn reports whether keys are here.
func (c *Client) SignedIn() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.account != nil
}

// Root hands the root of the account to the command line, which keeps it sealed under a passphrase.
func (c *Client) Root() (wire.ObjectID, vault.Root, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account == nil {
		return wire.ObjectID{}, vault.Root{}, false
	}
	return c.account.id, c.account.root, true
}

// Kit is a recovery kit to print. Ask says by which groups, from 1, a copy of it is tested.
type Kit struct {
	Kit    string   `json:"kit"`
	Ask    []int    `json:"ask"`
	Name   string   `json:"name"`
	Firms  []string `json:"firms"`
	MadeAt int64    `json:"madeAt"`
}

// madeKit is a kit that is not in force.
type madeKit struct {
	vault.Kit
	ask    []int
	tested bool // a copy of it was shown
}

// CreateKit makes a kit. It is not in force until its copy passed TestKit and ConfirmKit was called.
func (c *Client) CreateKit() (Kit, error) {
	kit, err := vault.GenerateKit(c.config.Random)
	if err != nil {
		return Kit{}, err
	}
	ask, err := vault.AskGroups(c.config.Random)
	if err != nil {
		return Kit{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account == nil {
		return Kit{}, fail(api.CodeNotSignedIn, "")
	}
	c.account.pending = &madeKit{Kit: kit, ask: ask}
	out := Kit{Kit: kit.String(), Ask: slices.Clone(ask), Name: c.account.ring.Name, MadeAt: c.config.Now().UnixMilli(), Firms: []string{}}
	for _, f := range c.account.ring.Firms {
		out.Firms = append(out.Firms, f.Name)
	}
	for _, s := range c.account.ring.Claims {
		if _, p, err := s.open(); err == nil {
			out.Firms = append(out.Firms, p.FirmName)
		}
	}
	c.secret("recovery kit", []byte(kit.String()))
	return out, nil
}

// TestKit takes what a person reads from his copy of the kit that CreateKit made: the groups that were asked for, in order, or all
// of it. Where it differs, CodeKitTypo names the group.
func (c *Client) TestKit(written string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account == nil || c.account.pending == nil {
		return fail(api.CodeBadRequest, "")
	}
	kit := c.account.pending
	if err := kit.Matches(written, kit.ask); err != nil {
		return failureOf(err)
	}
	kit.tested = true
	return nil
}

// testedKit is the kit that may come in force.
func (a *account) testedKit() (vault.Kit, error) {
	if a.pending == nil || !a.pending.tested {
		return vault.Kit{}, fail(api.CodeBadRequest, "")
	}
	return a.pending.Kit, nil
}

// ConfirmKit puts the kit that CreateKit made and TestKit tested in force, in place of the one before, and restores from it: what
// the server then keeps opens with it, or is refused.
func (c *Client) ConfirmKit(ctx context.Context) error {
	c.mu.Lock()
	a := c.account
	if a == nil {
		c.mu.Unlock()
		return fail(api.CodeNotSignedIn, "")
	}
	kit, err := a.testedKit()
	c.mu.Unlock()
	if err != nil {
		return err
	}
	unlock := kit.UnlockKey()
	c.secret("kit unlock key", unlock[:])
	wrapped, err := vault.Wrap(c.config.Random, unlock, vault.MethodKit, a.id, a.root)
	if err != nil {
		return err
	}
	put, reply, err := c.putLogin(ctx, a, vault.MethodKit, kit.LoginKey(), wrapped)
	if err != nil {
		return failureOf(err)
	}
	if reply.Account != a.id || !opens(reply.Vault, put, unlock, a) {
		return c.refuseFor(ctx, a, "the recovery kit, restored from", ErrAccountKeys)
	}
	c.took(a, reply)
	return c.updateSelf(ctx, func(k *keyring) { k.KitSaved = true })
}

// putLogin adds a way to unlock that has a login key, which signs a fresh challenge.
func (c *Client) putLogin(ctx context.Context, a *account, method vault.Method, key ed25519.PrivateKey, wrapped []byte) (put api.VaultEntry, reply api.Account, err error) {
	var begun api.SignInReply
	if err := c.call(ctx, methodPost, api.RouteSignIns, struct{}{}, &begun); err != nil {
		return put, reply, err
	}
	login := c.loginProof(method, key, begun.Challenge)
	put = api.VaultEntry{Method: login.Method, ID: login.PublicKey, Wrapped: wrapped, LoginKey: login.PublicKey}
	req := api.PutVault{Entry: put, SignIn: begun.SignIn, Login: login}
	err = c.retry(ctx, func() error { return c.changeFactors(ctx, a, methodPut, api.RouteVault, req, &reply) })
	return put, reply, err
}

// AddPassphrase lets a passphrase sign in on this device, which keeps the root under it: keep stores it before the server knows the
// login key. It takes a fresh proof.
func (c *Client) AddPassphrase(ctx context.Context, p vault.Passphrase, keep func(account wire.ObjectID, root vault.Root) error) error {
	a, err := c.who()
	if err != nil {
		return err
	}
	if err := keep(a.id, a.root); err != nil {
		return &Failure{Code: api.CodeNoRoom, cause: err}
	}
	_, reply, err := c.putLogin(ctx, a, vault.MethodPassphrase, p.LoginKey(), nil)
	if err != nil {
		return failureOf(err)
	}
	if reply.Account != a.id {
		return c.refuseFor(ctx, a, "the passphrase of this device", ErrAccountKeys)
	}
	c.took(a, reply)
	return c.updateSelf(ctx, func(k *keyring) { k.Passphrase = true })
}

// opens reports whether what the server keeps for one way to unlock opens to the root.
func opens(kept []api.VaultEntry, way api.VaultEntry, unlock [32]byte, a *account) bool {
	for _, e := range kept {
		if e.Method == way.Method && bytes.Equal(e.ID, way.ID) {
			root, err := vault.Unwrap(unlock, vault.Method(e.Method), a.id, e.Wrapped)
			return err == nil && subtle.ConstantTimeCompare(root[:], a.root[:]) == 1
		}
	}
	return false
}

// failureErr is failureOf as an error that is nil when there is none.
func failureErr(err error) error {
	if err == nil {
		return nil
	}
	return failureOf(err)
}

package client

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"unicode/utf8"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// What a new password must be, beside what a firm asks for.
const (
	goodScore   = 3    // of 4: more than 10^9 guesses
	maxPassword = 1024 // bytes: more is not stretched
)

// passwordStep is a sign-in whose password was shown, and which waits for its second factor.
type passwordStep struct {
	signIn    wire.ObjectID
	name      wire.Hash
	login     string
	exportKey []byte
}

// enrolledPassword is what a new account will sign in with.
type enrolledPassword struct {
	name      wire.Hash
	login     string
	record    []byte
	exportKey []byte
}

// SecondStep is what a sign-in with a password wants next. Options are for a passkey, where one will do.
type SecondStep struct {
	Code    bool
	Passkey *Options
}

// Authenticator is what an app is set up with: the secret as one types it, and the same for a camera.
type Authenticator struct {
	Secret string `json:"secret"`
	URL    string `json:"url"`
}

// issuer is what apps call the product.
const issuer = "Underseal"

// authenticator takes a secret from the server. What a camera is shown is made here: see api.AuthenticatorURL.
func (c *Client) authenticator(ctx context.Context, secret, login string) (Authenticator, error) {
	host := c.config.Origin
	if u, err := url.Parse(c.config.Origin); err == nil {
		host = u.Hostname()
	}
	label := host
	if login != "" {
		label = login + "@" + host
	}
	text, err := api.AuthenticatorURL(issuer, label, secret)
	if err != nil {
		return Authenticator{}, c.refuse(ctx, "the secret of an authenticator app", ErrUnknownReply)
	}
	return Authenticator{Secret: secret, URL: text}, nil
}

// passwordFailed is the one answer for a sign-in with a password that does not work, whoever found out.
func (c *Client) passwordFailed(ctx context.Context, err error) error {
	if hasCode(err, api.CodeSignInFailed) {
		return &Failure{Code: api.CodePasswordFailed, cause: err}
	}
	return c.refuse(ctx, "a sign-in with a password", err)
}

func (c *Client) passwords() (Passwords, error) {
	if c.config.Passwords == nil {
		return nil, fail(api.CodeUnsupported, "")
	}
	return c.config.Passwords, nil
}

// passwordLogin goes through OPAQUE as far as KE3, which nothing was done with yet.
func (c *Client) passwordLogin(ctx context.Context, name wire.Hash, password []byte) (signIn wire.ObjectID, ke3, exportKey []byte, err error) {
	c.secret("password", password)
	p, err := c.passwords()
	if err != nil {
		return signIn, nil, nil, err
	}
	begun, err := p.SignIn(ctx, name.String(), c.config.Origin, password)
	if err != nil {
		return signIn, nil, nil, c.moduleFailed(err)
	}
	start := api.PasswordStart{Name: name, KE1: begun.Message()}
	if start.Devices, err = c.deviceProofs(ctx); err != nil {
		return signIn, nil, nil, failureOf(err)
	}
	var started api.PasswordStarted
	if err := c.call(ctx, methodPost, api.RoutePasswordSignIns, start, &started); err != nil {
		return signIn, nil, nil, c.passwordFailed(ctx, err)
	}
	ke3, exportKey, err = begun.Finish(ctx, started.KE2)
	if err != nil {
		return signIn, nil, nil, c.moduleFailed(err)
	}
	c.secret("export key", exportKey)
	return started.SignIn, ke3, exportKey, nil
}

// moduleFailed is a failure of Passwords: that it could not be loaded is said, all else is the one answer.
func (c *Client) moduleFailed(err error) error {
	for _, code := range []api.Code{api.CodeOffline, api.CodeStaleBuild, api.CodeUnsupported, api.CodeCancelled} {
		if hasCode(err, code) {
			return failureOf(err)
		}
	}
	return &Failure{Code: api.CodePasswordFailed, cause: err}
}

// SignInPassword shows a password. Nobody is signed in by it: SignInCode or SignInSecond goes on.
func (c *Client) SignInPassword(ctx context.Context, login string, password []byte) (SecondStep, error) {
	login, err := api.ParseLoginName(login)
	if err != nil {
		return SecondStep{}, fail(api.CodePasswordFailed, "") // no account has that name
	}
	name, err := api.LoginName(c.config.Origin, login)
	if err != nil {
		return SecondStep{}, failureOf(err)
	}
	signIn, ke3, exportKey, err := c.passwordLogin(ctx, name, password)
	if err != nil {
		return SecondStep{}, err
	}
	var reply api.PasswordFinished
	if err := c.call(ctx, methodPost, signInPath(signIn), api.PasswordFinish{KE3: ke3}, &reply); err != nil {
		return SecondStep{}, c.passwordFailed(ctx, err)
	}
	if reply.Second == nil || reply.Account != nil {
		return SecondStep{}, c.refuse(ctx, "a second factor", ErrUnknownReply)
	}
	c.mu.Lock()
	c.ceremony = &ceremony{password: &passwordStep{signIn: signIn, name: name, login: login, exportKey: exportKey}}
	c.mu.Unlock()
	return secondStep(*reply.Second), nil
}

func signInPath(id wire.ObjectID) string { return api.RoutePasswordSignIns + "/" + id.String() }

func secondStep(s api.SecondFactor) (out SecondStep) {
	for _, kind := range s.Kinds {
		switch {
		case kind == api.SecondCode:
			out.Code = true
		case kind == api.SecondPasskey && len(s.Request) > 0:
			out.Passkey = &Options{PublicKey: s.Request, PRFSalt: vault.PasskeySalt()}
		}
	}
	return out
}

// SignInCode gives the code of an authenticator app. One that does not count may be followed by another.
func (c *Client) SignInCode(ctx context.Context, code string) error {
	return c.signInSecond(ctx, api.PasswordFinish{Code: code}, nil, nil)
}

// SignInSecond shows a passkey as the second factor. Where the password cannot unlock on this device, the passkey does, if it can.
func (c *Client) SignInSecond(ctx context.Context, credential json.RawMessage, prf []byte) error {
	id, err := credentialID(credential)
	if err != nil {
		return err
	}
	return c.signInSecond(ctx, api.PasswordFinish{Credential: credential}, id, prf)
}

func (c *Client) signInSecond(ctx context.Context, f api.PasswordFinish, credential, prf []byte) error {
	c.mu.Lock()
	cer := c.ceremony
	c.mu.Unlock()
	if cer == nil || cer.password == nil {
		return fail(api.CodeBadRequest, "")
	}
	step := cer.password
	var reply api.PasswordFinished
	var err error
	if f.Devices, err = c.deviceProofs(ctx); err != nil {
		return failureOf(err)
	}
	if err := c.call(ctx, methodPost, signInPath(step.signIn), f, &reply); err != nil {
		return c.refuse(ctx, "a second factor", c.revokedHere(ctx, err))
	}
	if reply.Account == nil || reply.Second != nil {
		return c.refuse(ctx, "a sign-in", ErrUnknownReply)
	}
	err = c.openPassword(ctx, *reply.Account, step.name, step.login, step.exportKey)
	if !hasCode(err, api.CodeUnlockElsewhere) || prf == nil || !unlocks(reply.Account.Vault, credential) {
		return err
	}
	c.secret("PRF output", prf)
	unlock, err := vault.PasskeyUnlockKey(prf)
	if err != nil {
		return fail(api.CodeUnlockElsewhere, "")
	}
	c.mu.Lock()
	var password *shown
	if c.ceremony != nil {
		password = c.ceremony.shown
	}
	c.mu.Unlock()
	if err := c.open(ctx, *reply.Account, vault.MethodPasskey, credential, unlock); err != nil {
		return err
	}
	c.wrapAgain(ctx, password)
	return nil
}

// openPassword unlocks with a password that signed in. Without the record of this device it cannot, which is no failure of
// anybody's: another method does, and after it this device has the record.
func (c *Client) openPassword(ctx context.Context, reply api.Account, name wire.Hash, login string, exportKey []byte) error {
	s := &shown{method: vault.MethodPassword, id: name[:], export: exportKey, at: c.config.Now()}
	c.mu.Lock()
	c.ceremony = &ceremony{signedIn: &reply, shown: s} // whatever becomes of the rest
	c.mu.Unlock()
	r, found, err := c.device(ctx, reply.Account)
	if err != nil {
		return failureOf(err)
	}
	if !found || !s.wraps(reply.Vault) {
		return fail(api.CodeUnlockElsewhere, "")
	}
	unlock, err := vault.PasswordUnlockKey(exportKey, vault.AccountSecret(r.Secret))
	if err != nil {
		return failureOf(vault.ErrUnlock)
	}
	c.secret("password unlock key", unlock[:])
	if err := c.open(ctx, reply, vault.MethodPassword, name[:], unlock); err != nil {
		return err
	}
	c.wasShown(s)
	a, err := c.who()
	if err != nil {
		return err
	}
	return c.enrolDevice(ctx, a, login)
}

// UnlockPassword unlocks with the password after a sign-in that could not, or after a lock. It proves who is here, and opens no
// other session. login is what was typed, or empty for the name of whoever is signed in; somebody else's is nobody's here
// (CodeNotHere), and may still sign in.
func (c *Client) UnlockPassword(ctx context.Context, login string, password []byte) error {
	reply, err := c.accountToUnlock(ctx)
	if err != nil {
		return err
	}
	name, has := passwordName(reply.Vault)
	if login != "" {
		if _, typed, err := c.newLogin(login); err != nil || !has || typed != name {
			return fail(api.CodeNotHere, "")
		}
	}
	if !has {
		return fail(api.CodePasswordFailed, "")
	}
	proof, exportKey, err := c.passwordProof(ctx, name, password)
	if err != nil {
		return err
	}
	var fresh api.Account
	if err := c.call(ctx, methodPost, api.RouteProofs, proof, &fresh); err != nil {
		return c.passwordFailed(ctx, err)
	}
	if fresh.Account != reply.Account {
		return c.refuse(ctx, "the account that is signed in", ErrUnknownReply)
	}
	return c.openPassword(ctx, fresh, name, "", exportKey)
}

// Ways are how an account that is signed in may be unlocked on this device.
type Ways struct {
	Passkey  bool `json:"passkey"`
	Password bool `json:"password"` // which this device can use: it has the account secret
	Kit      bool `json:"kit"`
}

// UnlockWays says them, after a sign-in that could not unlock, or after a lock.
func (c *Client) UnlockWays(ctx context.Context) (w Ways, err error) {
	reply, err := c.accountToUnlock(ctx)
	if err != nil {
		return w, err
	}
	_, here, err := c.device(ctx, reply.Account)
	for _, e := range reply.Vault {
		switch vault.Method(e.Method) {
		case vault.MethodPasskey:
			w.Passkey = true
		case vault.MethodPassword:
			w.Password = here
		case vault.MethodKit:
			w.Kit = true
		}
	}
	return w, failureErr(err)
}

// accountToUnlock is the account that is signed in and not unlocked.
func (c *Client) accountToUnlock(ctx context.Context) (api.Account, error) {
	c.mu.Lock()
	cer, locked := c.ceremony, c.locked
	c.mu.Unlock()
	if cer != nil && cer.signedIn != nil {
		return *cer.signedIn, nil
	}
	var reply api.Account
	if !locked {
		return reply, fail(api.CodeBadRequest, "")
	}
	return reply, failureErr(c.call(ctx, methodGet, api.RouteAccount, nil, &reply))
}

// passwordName is the name that an account's password goes with.
func passwordName(entries []api.VaultEntry) (name wire.Hash, has bool) {
	for _, e := range entries {
		if e.Method == uint8(vault.MethodPassword) && len(e.ID) == len(name) {
			return wire.Hash(e.ID), true
		}
	}
	return name, false
}

func (c *Client) passwordProof(ctx context.Context, name wire.Hash, password []byte) (api.Prove, []byte, error) {
	signIn, ke3, exportKey, err := c.passwordLogin(ctx, name, password)
	return api.Prove{SignIn: signIn, KE3: ke3}, exportKey, err
}

// ProvePassword proves with the account's password that it is still the same person.
func (c *Client) ProvePassword(ctx context.Context, password []byte) error {
	a, err := c.who()
	if err != nil {
		return err
	}
	c.mu.Lock()
	name, has := passwordName(a.vault)
	c.mu.Unlock()
	if !has {
		return fail(api.CodePasswordFailed, "")
	}
	proof, exportKey, err := c.passwordProof(ctx, name, password)
	if err != nil {
		return err
	}
	if err := c.showProof(ctx, a, proof); err != nil {
		return c.passwordFailed(ctx, err)
	}
	c.wasShown(&shown{method: vault.MethodPassword, id: name[:], export: exportKey, at: c.config.Now()})
	return nil
}

// ProveCode proves with a code of an authenticator app. A session that had one factor has two after it.
func (c *Client) ProveCode(ctx context.Context, code string) error {
	a, err := c.who()
	if err != nil {
		return err
	}
	return c.showProof(ctx, a, api.Prove{Code: code})
}

// Strength judges a password that somebody is about to set.
func (c *Client) Strength(ctx context.Context, login string, password []byte) (Strength, error) {
	p, err := c.passwords()
	if err != nil {
		return Strength{}, err
	}
	s, err := p.Strength(ctx, password, c.known(login))
	if err != nil {
		return Strength{}, c.moduleFailed(err)
	}
	return s, nil
}

// known is what a guesser knows of somebody.
func (c *Client) known(login string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	words := []string{issuer, login}
	if cer := c.ceremony; cer != nil {
		words = append(words, cer.person, cer.firm)
		if cer.link != nil {
			words = append(words, cer.pkg.Person, cer.pkg.FirmName, cer.pkg.ChainName)
		}
	}
	if a := c.account; a != nil {
		words = append(words, a.ring.Name)
		for _, f := range a.ring.Firms {
			words = append(words, f.Name)
		}
	}
	return words
}

// MinPassword is how many characters a new password needs: the most that one of the firms asks for whose rules this device
// knows.
func (c *Client) MinPassword() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := chain.MinPassword
	for _, p := range c.rules {
		n = max(n, int(p.PasswordLength))
	}
	return n
}

// checkPassword refuses a new password that is too short, or easy to guess.
func (c *Client) checkPassword(ctx context.Context, login string, password []byte) error {
	least := c.MinPassword()
	if utf8.RuneCount(password) < least || len(password) > maxPassword {
		return fail(api.CodePasswordShort, strconv.Itoa(least))
	}
	s, err := c.Strength(ctx, login, password)
	if err != nil {
		return err
	}
	if s.Score < goodScore {
		return fail(api.CodePasswordWeak, "")
	}
	return nil
}

// newLogin is a name to sign in with, as somebody chose it.
func (c *Client) newLogin(typed string) (login string, name wire.Hash, err error) {
	if login, err = api.ParseLoginName(typed); err == nil {
		name, err = api.LoginName(c.config.Origin, login)
	}
	if err != nil {
		return "", name, fail(api.CodeBadLoginName, "")
	}
	return login, name, nil
}

// registers goes through OPAQUE's registration: ask sends the request, and is the response.
func (c *Client) registers(ctx context.Context, login string, name wire.Hash, password []byte, ask func(request []byte) ([]byte, error)) (record, exportKey []byte, err error) {
	if err := c.checkPassword(ctx, login, password); err != nil {
		return nil, nil, err
	}
	c.secret("password", password)
	begun, err := c.config.Passwords.Register(ctx, name.String(), c.config.Origin, password)
	if err != nil {
		return nil, nil, c.moduleFailed(err)
	}
	response, err := ask(begun.Message())
	if err != nil {
		return nil, nil, c.refuse(ctx, "a password", err)
	}
	record, exportKey, err = begun.Finish(ctx, response)
	if err != nil {
		return nil, nil, c.moduleFailed(err)
	}
	c.secret("export key", exportKey)
	return record, exportKey, nil
}

// passwordEntry wraps the root for a password.
func (c *Client) passwordEntry(a *account, name wire.Hash, exportKey []byte) (api.VaultEntry, error) {
	unlock, err := vault.PasswordUnlockKey(exportKey, a.root.AccountSecret())
	if err != nil {
		return api.VaultEntry{}, err
	}
	c.secret("password unlock key", unlock[:])
	wrapped, err := vault.Wrap(c.config.Random, unlock, vault.MethodPassword, a.id, a.root)
	return api.VaultEntry{Method: uint8(vault.MethodPassword), ID: name[:], Wrapped: wrapped}, err
}

// SetPassword sets a password and the name that goes with it, in place of those before. Every other session of the account has
// ended when it returns. It needs a second factor to be there, and a fresh proof.
func (c *Client) SetPassword(ctx context.Context, typed string, password []byte) error {
	a, err := c.who()
	if err != nil {
		return err
	}
	login, name, err := c.newLogin(typed)
	if err != nil {
		return err
	}
	var begun api.PasswordReply
	record, exportKey, err := c.registers(ctx, login, name, password, func(request []byte) ([]byte, error) {
		err := c.call(ctx, methodPost, api.RoutePassword, api.PasswordRequest{Name: name, Request: request}, &begun)
		return begun.Response, err
	})
	if err != nil {
		return err
	}
	entry, err := c.passwordEntry(a, name, exportKey)
	if err != nil {
		return failureOf(err)
	}
	put := api.PutPassword{Ceremony: begun.Ceremony, Record: record, Vault: entry}
	var reply api.Account
	if err := c.retry(ctx, func() error { return c.changeFactors(ctx, a, methodPut, api.RoutePassword, put, &reply) }); err != nil {
		return c.refuse(ctx, "a password", err)
	}
	c.took(a, reply)
	c.reenter()
	set := c.config.Now().UnixMilli()
	if err := c.updateSelf(ctx, func(k *keyring) { k.Password = &passwordNote{SetAt: set} }); err != nil {
		return err
	}
	return failureErr(c.enrolDevice(ctx, a, login))
}

// RemovePassword ends it. The last way in stays (CodeLastMethod).
func (c *Client) RemovePassword(ctx context.Context) error {
	a, err := c.who()
	if err != nil {
		return err
	}
	var reply api.Account
	if err := c.changeFactors(ctx, a, methodDelete, api.RoutePassword, nil, &reply); err != nil {
		return c.refuse(ctx, "a password", err)
	}
	c.took(a, reply)
	return c.updateSelf(ctx, func(k *keyring) { k.Password = nil })
}

// reenter opens the sessions in firms anew, where they are needed next: what this account shows has changed.
func (c *Client) reenter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.sessions)
}

// AuthenticatorBegin begins to set an authenticator app up.
func (c *Client) AuthenticatorBegin(ctx context.Context) (Authenticator, error) {
	a, err := c.who()
	if err != nil {
		return Authenticator{}, err
	}
	var reply api.TOTPReply
	if err := c.call(ctx, methodPost, api.RouteTOTP, struct{}{}, &reply); err != nil {
		return Authenticator{}, c.refuse(ctx, "an authenticator app", err)
	}
	c.mu.Lock()
	c.ceremony = &ceremony{newApp: &reply}
	c.mu.Unlock()
	here, _, err := c.device(ctx, a.id)
	if err != nil {
		return Authenticator{}, failureOf(err)
	}
	return c.authenticator(ctx, reply.Secret, here.Login)
}

// AuthenticatorFinish completes it by a first code, in place of the app before. One that does not count may be followed by
// another.
func (c *Client) AuthenticatorFinish(ctx context.Context, code string) error {
	c.mu.Lock()
	a, cer := c.account, c.ceremony
	c.mu.Unlock()
	if a == nil {
		return fail(api.CodeNotSignedIn, "")
	}
	if cer == nil || cer.newApp == nil {
		return fail(api.CodeBadRequest, "")
	}
	put := api.PutTOTP{Ceremony: cer.newApp.Ceremony, Code: code}
	var reply api.Account
	if err := c.retry(ctx, func() error { return c.changeFactors(ctx, a, methodPut, api.RouteTOTP, put, &reply) }); err != nil {
		return c.refuse(ctx, "an authenticator app", err)
	}
	c.took(a, reply)
	c.mu.Lock()
	c.ceremony = nil
	c.mu.Unlock()
	return nil
}

// RemoveAuthenticator ends it, where no password needs it (CodeLastMethod).
func (c *Client) RemoveAuthenticator(ctx context.Context) error {
	a, err := c.who()
	if err != nil {
		return err
	}
	var reply api.Account
	if err := c.changeFactors(ctx, a, methodDelete, api.RouteTOTP, nil, &reply); err != nil {
		return c.refuse(ctx, "an authenticator app", err)
	}
	c.took(a, reply)
	return nil
}

// EnrolPassword gives an account that is being made, after SetupOptions or InviteOptions, a password in place of a passkey, and
// the app that goes with it. SetupFinish or InviteFinish completes it with a code (Unlocker.Code).
func (c *Client) EnrolPassword(ctx context.Context, typed string, password []byte) (Authenticator, error) {
	c.mu.Lock()
	cer := c.ceremony
	c.mu.Unlock()
	if cer == nil || cer.enrol == nil {
		return Authenticator{}, fail(api.CodeBadRequest, "")
	}
	login, name, err := c.newLogin(typed)
	if err != nil {
		return Authenticator{}, err
	}
	var reply api.EnrolPasswordReply
	record, exportKey, err := c.registers(ctx, login, name, password, func(request []byte) ([]byte, error) {
		path := api.RouteEnrolments + "/" + cer.enrol.Enrolment.String() + "/password"
		err := c.call(ctx, methodPost, path, api.PasswordRequest{Name: name, Request: request}, &reply)
		return reply.Response, err
	})
	if err != nil {
		return Authenticator{}, err
	}
	app, err := c.authenticator(ctx, reply.Secret, login)
	if err != nil {
		return Authenticator{}, err
	}
	c.mu.Lock()
	cer.newPassword = &enrolledPassword{name: name, login: login, record: record, exportKey: exportKey}
	c.mu.Unlock()
	return app, nil
}

// enrolPassword is an enrolment's side of a password.
func (c *Client) enrolPassword(a *account, p *enrolledPassword, code string, finish *api.EnrolFinish) error {
	if p == nil {
		return fail(api.CodeBadRequest, "")
	}
	entry, err := c.passwordEntry(a, p.name, p.exportKey)
	if err != nil {
		return err
	}
	finish.Password, finish.Vault = &api.EnrolPassword{Name: p.name, Record: p.record, Code: code}, []api.VaultEntry{entry}
	a.ring.Password = &passwordNote{SetAt: c.config.Now().UnixMilli()}
	return nil
}

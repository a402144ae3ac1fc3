package auth

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
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

// user is an account as the library sees it.
type user struct {
	id       wire.ObjectID
	passkeys []layout.Passkey
}

var _ webauthn.User = user{}

func (u user) WebAuthnID() []byte          { return u.id[:] }
func (u user) WebAuthnName() string        { return placeholder }
func (u user) WebAuthnDisplayName() string { return placeholder }
func (u user) WebAuthnCredentials() []webauthn.Credential {
	out := make([]webauthn.Credential, len(u.passkeys))
	for i, p := range u.passkeys {
		out[i] = p.Credential
	}
	return out
}

// askPRF says that a prf output is expected. The salt is the client's own, and the results stay with it.
func askPRF(e *protocol.AuthenticationExtensions) { e.PRF = &protocol.PRFInputs{} }

// BeginEnrolment starts an account for whoever holds a setup link, an invite, or the link of a recovery.
func (a *Service) BeginEnrolment(ctx context.Context, now time.Time, req api.EnrolRequest) (api.EnrolReply, error) {
	var out api.EnrolReply
	e := layout.Enrolment{Expires: now.Unix() + api.CeremonySeconds}
	switch {
	case req.Setup != "" && req.Invite == nil && req.Recovery == nil:
		keys, err := a.useSetup(ctx, now, req.Setup)
		if err != nil {
			return out, err
		}
		out.Log, e.Setup = &keys, layout.Hash([]byte(req.Setup))
	case req.Setup == "" && req.Invite != nil && req.Recovery == nil:
		if err := a.useInvite(ctx, now, *req.Invite); err != nil {
			return out, err
		}
	case req.Setup == "" && req.Invite == nil && req.Recovery != nil:
		if err := a.useRecovery(ctx, now, *req.Recovery); err != nil {
			return out, err
		}
	default:
		return out, access.Deny(api.CodeBadRequest)
	}
	return out, a.begin(ctx, now, e, &out)
}

func (a *Service) begin(ctx context.Context, now time.Time, e layout.Enrolment, out *api.EnrolReply) error {
	var err error
	if out.Enrolment, err = wire.NewObjectID(a.Random); err != nil {
		return err
	}
	if e.Account, err = wire.NewObjectID(a.Random); err != nil {
		return err
	}
	if e.Challenge, err = a.random(challengeSize); err != nil {
		return err
	}
	creation, session, err := a.rp.BeginRegistration(user{id: e.Account}, func(o *protocol.PublicKeyCredentialCreationOptions) error {
		o.Challenge = e.Challenge
		askPRF(&o.Extensions)
		return nil
	})
	if err != nil {
		return err
	}
	e.Session = *session
	out.Account, out.Challenge = e.Account, e.Challenge
	if out.Creation, err = json.Marshal(creation.Response); err != nil {
		return err
	}
	return a.update(ctx, now, func(tx store.Tx) error {
		return layout.PutEphemeral(tx, layout.EnrolmentKey(out.Enrolment), e, e.Expires)
	})
}

// EnrolPassword gives an account that is being made a name to sign in with, and the app that goes with its password.
func (a *Service) EnrolPassword(ctx context.Context, now time.Time, from netip.Addr, id wire.ObjectID, req api.PasswordRequest) (out api.EnrolPasswordReply, err error) {
	e, err := a.enrolment(ctx, now, id)
	if err != nil {
		return out, err
	}
	if out.Response, err = a.registers(ctx, now, from, e.Account, req); err != nil {
		return out, err
	}
	secret, err := totp.NewSecret(a.Random)
	if err != nil {
		return out, err
	}
	out.Secret = secret.Text()
	code, err := a.conceal(e.Account, secret)
	if err != nil {
		return out, err
	}
	return out, a.update(ctx, now, func(tx store.Tx) error {
		e, found, err := layout.Get[layout.Enrolment](tx, layout.EnrolmentKey(id))
		if err != nil {
			return err
		}
		if !found {
			return access.Deny(api.CodeSignInFailed)
		}
		// It takes a while to find an app and to look at it with a camera.
		e.Name, e.Code, e.Expires = req.Name, code, now.Unix()+api.SetUpSeconds
		return layout.PutEphemeral(tx, layout.EnrolmentKey(id), e, e.Expires)
	})
}

// enrolment is one that goes on.
func (a *Service) enrolment(ctx context.Context, now time.Time, id wire.ObjectID) (e layout.Enrolment, err error) {
	err = a.Store.View(ctx, layout.Accounts, func(tx store.Tx) error {
		found := false
		if e, found, err = layout.Get[layout.Enrolment](tx, layout.EnrolmentKey(id)); err != nil {
			return err
		}
		if !found || now.Unix() >= e.Expires {
			return access.Deny(api.CodeSignInFailed)
		}
		return nil
	})
	return e, err
}

// FinishEnrolment makes the account and signs it in.
func (a *Service) FinishEnrolment(ctx context.Context, now time.Time, id wire.ObjectID, req api.EnrolFinish) (api.Account, Token, error) {
	if len(req.Keyring) > api.MaxKeyring || len(req.Vault) > maxVault {
		return api.Account{}, nil, access.Deny(api.CodeTooLarge)
	}
	token, err := a.random(tokenSize)
	if err != nil {
		return api.Account{}, nil, err
	}
	var out api.Account
	err = a.finish(ctx, now, layout.EnrolmentKey(id), func(tx store.Tx) error {
		e, err := take[layout.Enrolment](tx, layout.EnrolmentKey(id))
		if err != nil {
			return err
		}
		passkey, shown, err := a.proved(tx, now, e, req)
		if err != nil {
			return err
		}
		if err := a.makeAccount(tx, now, e, req, passkey); err != nil {
			return err
		}
		session, err := a.openAccountSession(tx, now, e.Account, shown, token, Browser{})
		if err != nil {
			return err
		}
		out, err = readAccount(tx, e.Account, session)
		return err
	})
	return out, token, err
}

// proved verifies what an enrolment brings: every wrapped root is for a passkey, login key or password that was proved with
// it. shown is what it is signed in by.
func (a *Service) proved(tx store.Tx, now time.Time, e layout.Enrolment, req api.EnrolFinish) (passkey *webauthn.Credential, shown []layout.Factor, err error) {
	if now.Unix() >= e.Expires || (req.Login == nil && req.Credential == nil && req.Password == nil) {
		return nil, nil, access.Deny(api.CodeSignInFailed)
	}
	// Without it nothing could ever be put into the keyring again.
	if len(req.KeyringKey) != ed25519.PublicKeySize || (req.Password != nil && (req.Login != nil || req.Credential != nil)) {
		return nil, nil, access.Deny(api.CodeBadRequest)
	}
	proved := map[string]bool{}
	if p := req.Password; p != nil {
		if shown, err = a.provedPassword(tx, now, e, *p); err != nil {
			return nil, nil, err
		}
		proved[methodID(uint8(vault.MethodPassword), p.Name[:])] = true
	}
	if req.Credential != nil {
		if passkey, err = a.register(e.Account, e.Session, req.Credential); err != nil {
			return nil, nil, err
		}
		shown = append(shown, factor(kindPasskey, passkey.ID))
		proved[methodID(uint8(vault.MethodPasskey), passkey.ID)] = true
	}
	if req.Login != nil {
		if !a.loginVerifies(*req.Login, e.Challenge) {
			return nil, nil, access.Deny(api.CodeSignInFailed)
		}
		shown = append(shown, factor(kindOf[vault.Method(req.Login.Method)], req.Login.PublicKey))
		proved[methodID(req.Login.Method, req.Login.PublicKey)] = true
	}
	for _, v := range req.Vault {
		if !proved[methodID(v.Method, v.ID)] {
			return nil, nil, access.Deny(api.CodeBadRequest)
		}
	}
	return passkey, shown, nil
}

// provedPassword is whether the app that an enrolment's password needs was set up. What the password is, only its record says.
func (a *Service) provedPassword(tx store.Tx, now time.Time, e layout.Enrolment, p api.EnrolPassword) ([]layout.Factor, error) {
	if e.Name != p.Name || e.Code.IsZero() || opaque.CheckRecord(p.Record) != nil {
		return nil, access.Deny(api.CodeBadRequest)
	}
	code, err := a.useCode(tx, now, e.Account, e.Code, p.Code)
	return []layout.Factor{factor(kindPassword, p.Name[:]), code}, err
}

func methodID(method uint8, id []byte) string { return string(append([]byte{method}, id...)) }

func (a *Service) makeAccount(tx store.Tx, now time.Time, e layout.Enrolment, req api.EnrolFinish, passkey *webauthn.Credential) error {
	if e.Setup != "" {
		s, found, err := layout.Get[layout.Setup](tx, layout.SetupByHash(e.Setup))
		if err != nil {
			return err
		}
		if !found || !s.Account.IsZero() {
			return access.Deny(api.CodeSetupUsed)
		}
	}
	if err := layout.Put(tx, layout.AccountKey(e.Account), layout.Account{Created: now.Unix()}); err != nil {
		return err
	}
	if err := layout.Put(tx, layout.KeyringKey(e.Account), layout.Keyring{Revision: 1, Keyring: req.Keyring, Key: req.KeyringKey}); err != nil {
		return err
	}
	if passkey != nil {
		if err := putPasskey(tx, now, e.Account, passkey); err != nil {
			return err
		}
	}
	if req.Login != nil {
		if err := putLogin(tx, e.Account, *req.Login); err != nil {
			return err
		}
		// A passphrase may keep its wrapped root on the device: then this notes the login key alone.
		if err := layout.Put(tx, layout.VaultKey(e.Account, req.Login.Method, req.Login.PublicKey), api.VaultEntry{Method: req.Login.Method, ID: req.Login.PublicKey}); err != nil {
			return err
		}
	}
	if p := req.Password; p != nil {
		if err := layout.Put(tx, layout.AuthenticatorKey(e.Account), layout.Authenticator{Set: now.Unix(), Secret: e.Code}); err != nil {
			return err
		}
		if err := a.setPassword(tx, now, e.Account, p.Name, p.Record); err != nil {
			return err
		}
	}
	for _, v := range req.Vault {
		if err := putVault(tx, e.Account, v); err != nil {
			return err
		}
	}
	return nil
}

// register verifies a new passkey. What was attested of the device is not kept.
func (a *Service) register(account wire.ObjectID, session webauthn.SessionData, response json.RawMessage) (*webauthn.Credential, error) {
	parsed, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return nil, access.Deny(api.CodeSignInFailed)
	}
	credential, err := a.rp.CreateCredential(user{id: account}, session, parsed)
	if err != nil {
		return nil, access.Deny(api.CodeSignInFailed)
	}
	credential.Attestation = webauthn.CredentialAttestation{}
	return credential, nil
}

// take reads a ceremony and ends it.
func take[T any](tx store.Tx, key []byte) (v T, err error) {
	v, found, err := layout.Get[T](tx, key)
	if err != nil {
		return v, err
	}
	if !found {
		return v, access.Deny(api.CodeSignInFailed)
	}
	return v, tx.Delete(key)
}

// finish changes the accounts by a ceremony, whose challenge counts once: with what it proves, in one transaction, or,
// where it proves nothing, by itself. When the store fails the ceremony stays, and may be finished by the same request; when a
// code of an app does not count it stays as well, for the next one, and so it does when nobody signed who has unlocked the account.
func (a *Service) finish(ctx context.Context, now time.Time, key []byte, fn func(store.Tx) error) error {
	err := a.update(ctx, now, fn)
	var denied *api.Error
	if !errors.As(err, &denied) || slices.Contains([]api.Code{api.CodeCodeFailed, api.CodeUnlockFirst, api.CodeMoved}, denied.Code) {
		return err
	}
	if err := a.Store.Update(ctx, layout.Accounts, func(tx store.Tx) error { return tx.Delete(key) }); err != nil {
		return err
	}
	return denied
}

// finishAs is the same for who is signed in, as long as he is.
func (a *Service) finishAs(ctx context.Context, now time.Time, who Who, key []byte, fn func(store.Tx) error) error {
	return a.finish(ctx, now, key, func(tx store.Tx) error {
		if err := who.stands(tx, now); err != nil {
			return err
		}
		return fn(tx)
	})
}

func takeSignIn(tx store.Tx, now time.Time, id wire.ObjectID) (layout.SignIn, error) {
	s, err := take[layout.SignIn](tx, layout.SignInKey(id))
	if err == nil && now.Unix() >= s.Expires {
		err = access.Deny(api.CodeSignInFailed)
	}
	return s, err
}

// BeginSignIn hands out a challenge. It is the same for everybody: nobody says who he is.
func (a *Service) BeginSignIn(ctx context.Context, now time.Time) (api.SignInReply, error) {
	var out api.SignInReply
	challenge, err := a.random(challengeSize)
	if err != nil {
		return out, err
	}
	if out.SignIn, err = wire.NewObjectID(a.Random); err != nil {
		return out, err
	}
	request, session, err := a.rp.BeginDiscoverableLogin(func(o *protocol.PublicKeyCredentialRequestOptions) error {
		o.Challenge, o.UserVerification = challenge, protocol.VerificationRequired
		askPRF(&o.Extensions)
		return nil
	})
	if err != nil {
		return out, err
	}
	out.Challenge = challenge
	if out.Request, err = json.Marshal(request.Response); err != nil {
		return out, err
	}
	s := layout.SignIn{Expires: now.Unix() + api.CeremonySeconds, Challenge: challenge, Session: *session}
	return out, a.update(ctx, now, func(tx store.Tx) error { return layout.PutEphemeral(tx, layout.SignInKey(out.SignIn), s, s.Expires) })
}

// FinishSignIn opens the session of whoever answers the challenge. Every failure is one answer.
func (a *Service) FinishSignIn(ctx context.Context, now time.Time, id wire.ObjectID, req api.SignInFinish, from Browser) (api.Account, Token, error) {
	if !only(req.Credential != nil, req.Login != nil, req.Enrolled != nil) {
		return api.Account{}, nil, access.Deny(api.CodeSignInFailed)
	}
	token, err := a.random(tokenSize)
	if err != nil {
		return api.Account{}, nil, err
	}
	var out api.Account
	var account wire.ObjectID
	var shown layout.Factor
	err = a.finish(ctx, now, layout.SignInKey(id), func(tx store.Tx) error {
		s, err := takeSignIn(tx, now, id)
		if err != nil {
			return err
		}
		account, shown, err = a.whoSigned(tx, now, s, req)
		if err != nil {
			return err
		}
		session, err := a.openAccountSession(tx, now, account, []layout.Factor{shown}, token, from)
		if err != nil {
			return err
		}
		if out, err = readAccount(tx, account, session); err != nil {
			return err
		}
		out.Failed, err = gotIn(tx, account, 0, 0)
		return err
	})
	return out, token, a.signInFailed(ctx, now, account, shown.Kind, err)
}

// signInFailed tells the auditors of each firm of an account that somebody failed to sign in to it, and with what. The error
// stays what it was for who tried. A password is not among it: one that is wrong is never sent, and what is counted instead is
// told when waits begin.
func (a *Service) signInFailed(ctx context.Context, now time.Time, account wire.ObjectID, kind string, cause error) error {
	if account.IsZero() || !(access.Is(cause, api.CodeSignInFailed) || access.Is(cause, api.CodeCodeFailed)) {
		return cause
	}
	var firms []wire.ChainID
	err := a.Store.View(ctx, layout.Accounts, func(tx store.Tx) (err error) {
		firms, err = firmsOf(tx, account)
		return err
	})
	for _, firm := range firms {
		err = errors.Join(err, a.failedIn(ctx, now, firm, account, kind))
	}
	return errors.Join(cause, err)
}

// failedIn tells those of one firm, where there is one.
func (a *Service) failedIn(ctx context.Context, now time.Time, firm wire.ChainID, account wire.ObjectID, detail string) error {
	there := false
	err := a.Store.View(ctx, layout.FirmPartition(firm), func(tx store.Tx) (err error) {
		there, err = layout.Has(tx, layout.FirmKey())
		return err
	})
	if err != nil || !there {
		return err
	}
	return a.Store.Update(ctx, layout.FirmPartition(firm), func(tx store.Tx) error {
		return a.Log.SignInFailed(tx, a.Random, now, firm, account, detail)
	})
}

// whoSigned is whose factor answered the challenge, and which. Where the answer is wrong, it is whose it should have been, if
// that is known.
func (a *Service) whoSigned(tx store.Tx, now time.Time, s layout.SignIn, req api.SignInFinish) (wire.ObjectID, layout.Factor, error) {
	switch {
	case req.Credential != nil:
		return a.assertion(tx, now, s, req.Credential)
	case req.Enrolled != nil:
		return a.enrolled(tx, now, s, *req.Enrolled)
	}
	// The signature first, then whose key it is: an unknown key and a wrong signature cost and say the same.
	verifies := a.loginVerifies(*req.Login, s.Challenge)
	login, found, err := layout.Get[layout.Login](tx, layout.LoginKey(req.Login.PublicKey))
	if err != nil {
		return wire.ObjectID{}, layout.Factor{}, err
	}
	if !verifies || !found || login.Method != req.Login.Method {
		err = access.Deny(api.CodeSignInFailed)
	}
	return login.Account, factor(kindOf[vault.Method(login.Method)], req.Login.PublicKey), err
}

// only is whether one of them holds.
func only(each ...bool) bool {
	n := 0
	for _, x := range each {
		if x {
			n++
		}
	}
	return n == 1
}

func (a *Service) loginVerifies(p api.LoginProof, challenge []byte) bool {
	method := vault.Method(p.Method)
	if (method != vault.MethodKit && method != vault.MethodPassphrase) || len(p.PublicKey) != ed25519.PublicKeySize {
		return false
	}
	return ed25519.Verify(p.PublicKey, api.LoginMessage(a.Origin, challenge), p.Signature)
}

// assertion verifies a passkey, whose user handle is the account, and counts its use. The account that a wrong one names comes
// with the error.
func (a *Service) assertion(tx store.Tx, now time.Time, s layout.SignIn, response json.RawMessage) (wire.ObjectID, layout.Factor, error) {
	f := layout.Factor{Kind: kindPasskey}
	failed := access.Deny(api.CodeSignInFailed)
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return wire.ObjectID{}, f, failed
	}
	var who user
	var broken error
	credential, err := a.rp.ValidateDiscoverableLogin(func(_, handle []byte) (webauthn.User, error) {
		if len(handle) != len(who.id) {
			return nil, errors.New("auth: no such user")
		}
		who.id = wire.ObjectID(handle)
		if who.passkeys, broken = readPasskeys(tx, who.id); broken != nil {
			return nil, broken
		}
		return who, nil
	}, s.Session, parsed)
	if broken != nil {
		return wire.ObjectID{}, f, broken
	}
	if err != nil {
		return who.id, f, failed
	}
	return who.id, factor(kindPasskey, credential.ID), used(tx, now, who, credential)
}

// used counts the use of a passkey that verified.
func used(tx store.Tx, now time.Time, who user, credential *webauthn.Credential) error {
	// A counter that went back means that somebody copied the authenticator.
	if credential.Authenticator.CloneWarning {
		return access.Deny(api.CodeSignInFailed)
	}
	for _, p := range who.passkeys {
		if bytes.Equal(p.Credential.ID, credential.ID) {
			p.Credential, p.LastUsed = *credential, now.Unix()
			return layout.Put(tx, layout.PasskeyKey(who.id, credential.ID), p)
		}
	}
	return access.Deny(api.CodeSignInFailed)
}

// Package auth says who is calling. It keeps accounts, their passkeys, login keys, passwords and apps, the sealed vaults and
// keyrings that the server cannot open, and sessions: one of the account, and one of each firm, which a ticket leads to.
//
// No method takes a name, a password or a passphrase: the server is never told them, but a hash of the name that goes with a
// password. Tokens, tickets and setup secrets are stored as hashes. An address is hashed to count attempts, and forgotten.
package auth

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/auth/idp"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
)

// Limits.
const (
	maxWrapped    = 4 << 10
	maxVaultID    = 1023 // of a passkey: what WebAuthn allows
	maxVault      = 16   // unlock methods of an account
	maxEnrolments = 20   // accounts begun with one invite
	ticketSeconds = 60
	touchSeconds  = 60 // how rarely a session's last use is written, at most
	tokenSize     = 32
	challengeSize = 32
)

// placeholder stands where a name would: the client replaces it on the device.
const placeholder = "Underseal"

// Config is what a Service needs. All of it is required but Providers: nil, no firm has one.
type Config struct {
	Store    store.Store
	Origin   string // of the pages, as browsers spell it
	Random   io.Reader
	Log      *ledger.Log
	Keys     Keys
	Policy   string        // witness policy that new firms get
	Idle     time.Duration // of a session
	Absolute time.Duration

	Providers IdentityProviders
}

// Service keeps accounts and sessions. It holds no state of its own that may not be lost.
type Service struct {
	Config
	host    string
	rp      *webauthn.WebAuthn
	secrets *secrets
	party   *idp.Party
}

// New checks the configuration, and takes the key of passwords or makes the first one.
func New(ctx context.Context, c Config) (*Service, error) {
	u, err := url.Parse(c.Origin)
	if err != nil {
		return nil, fmt.Errorf("auth: origin: %w", err)
	}
	rp, err := webauthn.New(&webauthn.Config{
		RPID:          u.Hostname(),
		RPDisplayName: placeholder,
		RPOrigins:     []string{c.Origin},
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: protocol.ResidentKeyRequired(),
			ResidentKey:        protocol.ResidentKeyRequirementRequired,
			UserVerification:   protocol.VerificationRequired,
		},
		AttestationPreference: protocol.PreferNoAttestation,
		// We rely on no extension's output, so one that an authenticator adds is no reason to keep somebody out.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	secrets, err := loadSecrets(ctx, c.Store, c.Keys, c.Origin)
	if err != nil {
		return nil, err
	}
	return &Service{Config: c, host: u.Host, rp: rp, secrets: secrets, party: idp.New(nil)}, nil
}

func (a *Service) random(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(a.Random, b); err != nil {
		return nil, fmt.Errorf("auth: randomness: %w", err)
	}
	return b, nil
}

// Token is what a cookie holds.
type Token []byte

// String is the cookie's value.
func (t Token) String() string { return base64.RawURLEncoding.EncodeToString(t) }

// ParseToken is the inverse of String.
func ParseToken(s string) (Token, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != tokenSize {
		return nil, access.Deny(api.CodeNotSignedIn)
	}
	return b, nil
}

// updateAs is update for who is signed in, as long as he is: his session was looked at when the request came, and what has ended
// it since came first (SPEC S-SESSION-04).
func (a *Service) updateAs(ctx context.Context, now time.Time, who Who, fn func(store.Tx) error) error {
	return a.update(ctx, now, func(tx store.Tx) error {
		if err := who.stands(tx, now); err != nil {
			return err
		}
		return fn(tx)
	})
}

// update changes the accounts, and takes a little of what is past its time away.
func (a *Service) update(ctx context.Context, now time.Time, fn func(store.Tx) error) error {
	return a.Store.Update(ctx, layout.Accounts, func(tx store.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return layout.Sweep(tx, now.Unix(), func(row, value []byte) error { return sweep(tx, row, value) })
	})
}

// Package auth says who is calling. It keeps accounts, their passkeys and login keys, the sealed vaults and keyrings that
// the server cannot open, and sessions: one of the account, and one of each firm, which a ticket leads to.
//
// No method takes a name, an address or a passphrase: the server is never told them. Tokens, tickets and setup secrets
// are stored as hashes.
package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
)

// Limits.
const (
	maxWrapped    = 4 << 10
	maxVault      = 16 // unlock methods of an account
	maxEnrolments = 20 // accounts begun with one invite
	ticketSeconds = 60
	touchSeconds  = 60 // how rarely a session's last use is written
	tokenSize     = 32
	challengeSize = 32
)

// placeholder stands where a name would: the client replaces it on the device.
const placeholder = "Underseal"

// Config is what a Service needs. All of it is required.
type Config struct {
	Store    store.Store
	Origin   string // of the pages, as browsers spell it
	Random   io.Reader
	Log      *ledger.Log
	Policy   string        // witness policy that new firms get
	Idle     time.Duration // of a session
	Absolute time.Duration
}

// Service keeps accounts and sessions. It holds no state of its own.
type Service struct {
	Config
	host string
	rp   *webauthn.WebAuthn
}

// New checks the configuration.
func New(c Config) (*Service, error) {
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
	return &Service{Config: c, host: u.Host, rp: rp}, nil
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

// account opens a session of an account, in the transaction that found out whose it is.
func (a *Service) openAccountSession(tx store.Tx, now time.Time, account wire.ObjectID, method vault.Method, token Token) error {
	id, err := wire.NewObjectID(a.Random)
	if err != nil {
		return err
	}
	s := layout.AccountSession{Account: account, ID: id, Created: now.Unix(), Seen: now.Unix(), Proved: now.Unix(), Method: uint8(method), Expires: now.Add(a.Absolute).Unix()}
	return layout.PutEphemeral(tx, layout.SessionKey(token), s, s.Expires)
}

func (a *Service) fresh(expires, seen int64, now time.Time) bool {
	return now.Unix() < expires && now.Unix() < seen+int64(a.Idle/time.Second)
}

// AccountOf says whose session a token is of.
func (a *Service) AccountOf(ctx context.Context, now time.Time, token Token) (Who, error) {
	var s layout.AccountSession
	err := a.session(ctx, layout.Accounts, token, &s)
	if err != nil || !a.fresh(s.Expires, s.Seen, now) {
		return Who{}, orNotSignedIn(err)
	}
	who := Who{Account: s.Account, Session: s.ID, Token: token, proved: s.Proved}
	if now.Unix() < s.Seen+touchSeconds {
		return who, nil
	}
	s.Seen = now.Unix()
	return who, a.touch(ctx, layout.Accounts, token, s)
}

// Caller says whose session in a firm a token is of.
func (a *Service) Caller(ctx context.Context, now time.Time, firm wire.ChainID, token Token) (access.Caller, error) {
	var s layout.Session
	err := a.session(ctx, layout.FirmPartition(firm), token, &s)
	if err != nil || !a.fresh(s.Expires, s.Seen, now) {
		return access.Caller{}, orNotSignedIn(err)
	}
	c := access.Caller{Firm: firm, Account: s.Account, Member: s.Member, Session: s.Session}
	if now.Unix() < s.Seen+touchSeconds {
		return c, nil
	}
	s.Seen = now.Unix()
	return c, a.touch(ctx, layout.FirmPartition(firm), token, s)
}

func orNotSignedIn(err error) error {
	if err == nil || errors.Is(err, store.ErrNotFound) {
		return access.Deny(api.CodeNotSignedIn)
	}
	return err
}

func (a *Service) session(ctx context.Context, partition string, token Token, into any) error {
	return a.Store.View(ctx, partition, func(tx store.Tx) error {
		b, err := tx.Get(layout.SessionKey(token))
		if err != nil {
			return err
		}
		return unmarshal(b, into)
	})
}

// touch writes that a session was used. One that ended meanwhile stays ended.
func (a *Service) touch(ctx context.Context, partition string, token Token, s any) error {
	return a.Store.Update(ctx, partition, func(tx store.Tx) error {
		has, err := layout.Has(tx, layout.SessionKey(token))
		if err != nil {
			return err
		}
		if !has {
			return access.Deny(api.CodeNotSignedIn)
		}
		return layout.Put(tx, layout.SessionKey(token), s)
	})
}

// EndFirmSession signs out of a firm, and tells its auditors.
func (a *Service) EndFirmSession(ctx context.Context, now time.Time, c access.Caller, token Token) error {
	return a.Store.Update(ctx, layout.FirmPartition(c.Firm), func(tx store.Tx) error {
		if err := tx.Delete(layout.SessionKey(token)); err != nil {
			return err
		}
		return a.Log.Record(tx, a.Random, now, c.Firm, chain.Event{Kind: chain.EventSessionEnded, Member: c.Member, Session: c.Session})
	})
}

// EndSession signs out.
func (a *Service) EndSession(ctx context.Context, partition string, token Token) error {
	return a.Store.Update(ctx, partition, func(tx store.Tx) error { return tx.Delete(layout.SessionKey(token)) })
}

// Ticket leads a signed-in account into a firm, once, within a minute. Whether it has anything to do there, the firm says.
func (a *Service) Ticket(ctx context.Context, now time.Time, account wire.ObjectID, firm wire.ChainID) (api.Ticket, error) {
	ticket, err := a.random(tokenSize)
	if err != nil {
		return api.Ticket{}, err
	}
	err = a.Store.View(ctx, layout.FirmPartition(firm), func(tx store.Tx) error {
		_, found, err := layout.Get[layout.Firm](tx, layout.FirmKey())
		if err == nil && !found {
			return access.Deny(api.CodeNotFound)
		}
		return err
	})
	if err != nil {
		return api.Ticket{}, err
	}
	t := layout.Ticket{Account: account, Firm: firm, Expires: now.Unix() + ticketSeconds}
	err = a.update(ctx, now, func(tx store.Tx) error { return layout.PutEphemeral(tx, layout.TicketKey(ticket), t, t.Expires) })
	return api.Ticket{Ticket: ticket}, err
}

// update changes the accounts, and takes a little of what is past its time away.
func (a *Service) update(ctx context.Context, now time.Time, fn func(store.Tx) error) error {
	return a.Store.Update(ctx, layout.Accounts, func(tx store.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return layout.Sweep(tx, now.Unix(), nil)
	})
}

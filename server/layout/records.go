package layout

import (
	"encoding/binary"
	"encoding/json"
	"errors"

	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/store"
)

// Setup is a setup link.
type Setup struct {
	Expires int64         `json:"expires"`
	Log     string        `json:"log,omitempty"`    // name of the firm's log, decided when the link is first used
	Account wire.ObjectID `json:"account,omitzero"` // whose firm it made
	Firm    wire.ChainID  `json:"firm,omitzero"`    //
	Request wire.Hash     `json:"request,omitzero"` // SHA-256 of member, bundle and submission
}

// Enrolment is an account in the making.
type Enrolment struct {
	Expires   int64                `json:"expires"`
	Account   wire.ObjectID        `json:"account"`
	Challenge []byte               `json:"challenge"`
	Session   webauthn.SessionData `json:"session"`
	Setup     string               `json:"setup,omitempty"` // hash of the setup secret
	Name      wire.Hash            `json:"name,omitzero"`   // that it is to sign in with, where it will have a password
	Code      Masked               `json:"code,omitzero"`   // secret of the app that goes with it
}

// NewPasskey is a further passkey in the making. Who began it finishes it, in the same session.
type NewPasskey struct {
	Expires        int64                `json:"expires"`
	Account        wire.ObjectID        `json:"account"`
	AccountSession wire.ObjectID        `json:"accountSession"`
	Session        webauthn.SessionData `json:"session"`
}

// SignIn is a sign-in in the making.
type SignIn struct {
	Expires   int64                `json:"expires"`
	Challenge []byte               `json:"challenge"`
	Session   webauthn.SessionData `json:"session"`
}

// Password is what an account signs in with by its name. Which password it is, the server cannot see.
type Password struct {
	Name   wire.Hash `json:"name"`
	Set    int64     `json:"set"`
	Record []byte    `json:"record"` // OPAQUE's
}

// Masked is a secret that whoever has the store alone cannot read.
type Masked struct {
	Nonce []byte `json:"nonce"`
	Bytes []byte `json:"bytes"`
}

// IsZero reports whether there is none.
func (m Masked) IsZero() bool { return len(m.Bytes) == 0 }

// Authenticator is an app whose codes are a second factor.
type Authenticator struct {
	Set    int64  `json:"set"`
	Secret Masked `json:"secret"`
}

// PasswordSignIn is a sign-in with a password in the making: first the password, then a second factor.
type PasswordSignIn struct {
	Expires int64                `json:"expires"`
	Name    wire.Hash            `json:"name"`
	Account wire.ObjectID        `json:"account"`          // nobody's, where nobody has the name
	Record  string               `json:"record"`           // hash of the password: a newer one ends what was begun with it
	State   []byte               `json:"state,omitempty"`  // OPAQUE's, until the password was shown
	Codes   int                  `json:"codes,omitempty"`  // that were given
	Device  string               `json:"device,omitempty"` // of the account's, on which it was begun
	Session webauthn.SessionData `json:"session"`          // of a passkey as the second factor
}

// NewPassword is a password in the making. Who began it finishes it, in the same session.
type NewPassword struct {
	Expires        int64         `json:"expires"`
	Account        wire.ObjectID `json:"account"`
	AccountSession wire.ObjectID `json:"accountSession"`
	Name           wire.Hash     `json:"name"`
}

// NewAuthenticator is an app in the making.
type NewAuthenticator struct {
	Expires        int64         `json:"expires"`
	Account        wire.ObjectID `json:"account"`
	AccountSession wire.ObjectID `json:"accountSession"`
	Secret         Masked        `json:"secret"`
	Done           bool          `json:"done,omitempty"` // it is set up: the same again changes nothing
}

// Attempts are those that did not get in, since the owner of an account was told last.
type Attempts struct {
	Expires   int64 `json:"expires"` // 0 where there is an account
	Passwords int   `json:"passwords"`
	Codes     int   `json:"codes"`
}

// Notice is that an account began to be slowed down: when, in milliseconds, and by what.
type Notice struct {
	Expires int64         `json:"expires"`
	Account wire.ObjectID `json:"account"`
	At      int64         `json:"at"`
	Detail  string        `json:"detail"`
}

// Factor is something that somebody showed to get in.
type Factor struct {
	Kind string `json:"kind"` // passkey, kit, passphrase, password, totp or sso
	ID   string `json:"id"`   // hash of the credential's id, the login key, the name or the secret; of sso, the SSOSubject
}

// Account is somebody who signs in. What he is called is not known.
type Account struct {
	Created  int64 `json:"created"`
	Renewals int   `json:"renewals"` // how often its root was replaced
}

// Keyring is sealed; the server counts its revisions, and takes one only with a signature under Key.
type Keyring struct {
	Revision uint64 `json:"revision"`
	Keyring  []byte `json:"keyring"`
	Key      []byte `json:"key"` // Ed25519, fixed when the account was made
}

// Passkey is a credential.
type Passkey struct {
	Created    int64               `json:"created"`
	LastUsed   int64               `json:"lastUsed"`
	Credential webauthn.Credential `json:"credential"`
}

// Login says whose a login key is, and of which method.
type Login struct {
	Account wire.ObjectID `json:"account"`
	Method  uint8         `json:"method"`
}

// AccountSession is a browser that is signed in. Its ID is shown to its owner; nobody gets in by it.
type AccountSession struct {
	Expires int64         `json:"expires"`
	Seen    int64         `json:"seen"`
	Account wire.ObjectID `json:"account"`
	ID      wire.ObjectID `json:"id"`
	Created int64         `json:"created"`
	Factors []Factor      `json:"factors"`     // that opened it, the first one first; it ends with any of them
	MFA     bool          `json:"mfa"`         // two factors, or a passkey, which is two
	Proved  int64         `json:"proved"`      // when a factor was shown last
	By      Factor        `json:"by,omitzero"` // that was shown in it last, where it was not what opened it
	Idle    int64         `json:"idle"`        // seconds: the widest that a firm it entered allows
	Ended   bool          `json:"ended,omitempty"`

	PasswordSet int64         `json:"passwordSet,omitempty"` // when the password was set that opened it
	Device      wire.ObjectID `json:"device,omitzero"`       // that it is of, as far as it said
}

// Device is a browser, or a folder of the command line, that unlocked an account.
type Device struct {
	Created  int64     `json:"created"`
	LastUsed int64     `json:"lastUsed"`
	Hash     wire.Hash `json:"hash"`              // SHA-256 of its token
	Revoked  int64     `json:"revoked,omitempty"` // when it was; the row stays, so that it is told
	Renewed  bool      `json:"renewed,omitempty"` // and the root was replaced since
}

// DeviceRequest is a device that wants to be enrolled.
type DeviceRequest struct {
	Expires        int64         `json:"expires"`
	Request        []byte        `json:"request"`
	Account        wire.ObjectID `json:"account,omitzero"` // whose device answered, and in which session
	AccountSession wire.ObjectID `json:"accountSession,omitzero"`
	Answer         []byte        `json:"answer,omitempty"`
	Grant          []byte        `json:"grant,omitempty"`
	Refused        bool          `json:"refused,omitempty"`
	Renewals       int           `json:"renewals,omitempty"` // of the account's root when it was granted
	Done           bool          `json:"done,omitempty"`
	Over           bool          `json:"over,omitempty"` // the session that it opened has ended: it opens no other
}

// Ticket leads from an account's session to a firm.
type Ticket struct {
	Expires        int64         `json:"expires"`
	Account        wire.ObjectID `json:"account"`
	Firm           wire.ChainID  `json:"firm"`
	AccountSession wire.ObjectID `json:"accountSession"`
	Created        int64         `json:"created"` // of that session
	Seen           int64         `json:"seen"`    // when a person used it
	MFA            bool          `json:"mfa"`
	PasswordSet    int64         `json:"passwordSet,omitempty"`
	SSO            bool          `json:"sso,omitempty"` // an identity provider opened that session
	Renewals       int           `json:"renewals"`      // of the account's root
}

// Firm is a firm.
type Firm struct {
	Founded int64  `json:"founded"`
	Log     string `json:"log"`              // name of the log's keys
	Origin  string `json:"origin"`           // of the log, fixed for good
	Policy  string `json:"policy,omitempty"` // whose cosignatures its checkpoints need
}

// Sequence is where a sequence stands.
type Sequence struct {
	Position uint64    `json:"position"`
	Head     wire.Hash `json:"head"`
}

// Auditors is the X-Wing key of an epoch's auditors.
type Auditors struct {
	Epoch uint32 `json:"epoch"`
	Key   []byte `json:"key"`
}

// Denials counts, for a minute, what a session was refused, or another thing that is bounded.
type Denials struct {
	Expires int64 `json:"expires"`
	Count   int   `json:"count"`
}

// Member binds a member to an account and to keys.
type Member struct {
	Account     wire.ObjectID `json:"account"`
	Fingerprint wire.Hash     `json:"fingerprint"`
	Renewals    int           `json:"renewals"` // of the account's root, when these keys came
}

// Session is a device in a firm.
type Session struct {
	Expires   int64         `json:"expires"`
	Seen      int64         `json:"seen"`
	Account   wire.ObjectID `json:"account"`
	Member    wire.ObjectID `json:"member"`
	Session   wire.ObjectID `json:"session"`
	PublicKey []byte        `json:"publicKey"`

	AccountSession wire.ObjectID `json:"accountSession"` // that it was opened from, and ends with
	Created        int64         `json:"created"`        // of that one
	MFA            bool          `json:"mfa"`            // as that one was when this was opened
	PasswordSet    int64         `json:"passwordSet,omitempty"`
	SSO            bool          `json:"sso,omitempty"` // an identity provider opened that one: it goes on while that does
	Ended          bool          `json:"ended,omitempty"`
	Renewals       int           `json:"renewals"` // of the account's root when it was opened
}

// Entered is when a member opened a session in the firm last.
type Entered struct {
	At int64 `json:"at"`
}

// SignedOut is when an owner ended a member's sessions: no sign-in of then or before opens another.
type SignedOut struct {
	At int64 `json:"at"`
}

// Forgiving is whose failed sign-ins an entry says are to be forgotten.
type Forgiving struct {
	Member wire.ObjectID `json:"member"`
}

// SessionID says who made a session, and its newest token's hash.
type SessionID struct {
	Expires   int64         `json:"expires"`
	Member    wire.ObjectID `json:"member"`
	PublicKey []byte        `json:"publicKey"`
	Token     string        `json:"token"`
}

// Chain is a chain's head.
type Chain struct {
	Epoch         uint32    `json:"epoch"`
	Position      uint64    `json:"position"`
	Head          wire.Hash `json:"head"`
	TrailPosition uint64    `json:"trailPosition"`
	TrailHead     wire.Hash `json:"trailHead"`
	Stale         bool      `json:"stale,omitempty"` // somebody renewed his keys since the epoch was opened
}

// Policy is a firm's newest policy, and the position of the entry that signed it.
type Policy struct {
	chain.Policy
	Position uint64 `json:"position"`
}

// Escrow is what a member left with custodians. The sealed rows stand beside it.
type Escrow struct {
	Policy     uint64            `json:"policy"`
	K          uint8             `json:"k"`
	Hours      uint16            `json:"hours"`
	Custodians []chain.Custodian `json:"custodians"`
	Hashes     []wire.Hash       `json:"hashes"` // of its rows: the sealed identity, then the shares
}

// RecoveryState is where a recovery stands.
type RecoveryState string

// Recovery states.
const (
	RecoveryOpen   RecoveryState = "open"
	RecoveryDone   RecoveryState = "done"
	RecoveryVetoed RecoveryState = "vetoed"
	RecoveryEnded  RecoveryState = "ended" // the member renewed his keys himself, changed his escrow, or left
)

// Recovery is the handing back of a member's identity.
type Recovery struct {
	Member    wire.ObjectID   `json:"member"`
	PublicKey []byte          `json:"publicKey"` // of the link
	Begun     int64           `json:"begun"`     // seconds, by this server's clock
	Opens     int64           `json:"opens"`     // when custodians may agree at the earliest
	Until     int64           `json:"until"`
	State     RecoveryState   `json:"state"`
	Escrow    Escrow          `json:"escrow"`
	Account   wire.ObjectID   `json:"account,omitzero"` // whose claim it is
	Claim     []byte          `json:"claim,omitempty"`  // chain.Bundle
	Signature []byte          `json:"signature,omitempty"`
	Agreed    []wire.ObjectID `json:"agreed"` // custodians

	Enrolments int           `json:"enrolments,omitempty"` // accounts that were begun with it
	Before     wire.ObjectID `json:"before,omitzero"`      // whose the member was, once he is bound to Account
	Link       wire.Hash     `json:"link,omitzero"`        // commit of the key link that bound him
}

// Accepted is the answer that an entry got.
type Accepted struct {
	Submission wire.Hash     `json:"submission"` // SHA-256
	Actor      wire.ObjectID `json:"actor"`
	Chain      Chain         `json:"chain"`
	Index      uint64        `json:"index"` // of its leaf in the log
}

// Document is a document: all that the server knows is whether it was deleted.
type Document struct {
	Deleted bool `json:"deleted"`
}

// Version is where a version's bytes are.
type Version struct {
	Document wire.ObjectID `json:"document"`
	Upload   wire.ObjectID `json:"upload"`
	Padded   uint64        `json:"padded"`
}

// Upload is bytes on their way in, and a version's body afterwards.
type Upload struct {
	Expires   int64         `json:"expires"` // 0 once committed
	Chain     wire.ChainID  `json:"chain"`
	Member    wire.ObjectID `json:"member"`
	Padded    uint64        `json:"padded"`
	Chunks    int           `json:"chunks"` // that are there
	Committed bool          `json:"committed"`
}

// Release opens a version to a session.
type Release struct {
	Expires int64         `json:"expires"`
	Member  wire.ObjectID `json:"member"`
	Served  bool          `json:"served"` // and the auditors were told
}

// Get reads a record. found is false where there is none.
func Get[T any](tx store.Tx, k []byte) (v T, found bool, err error) {
	b, err := tx.Get(k)
	if errors.Is(err, store.ErrNotFound) {
		return v, false, nil
	}
	if err != nil {
		return v, false, err
	}
	return v, true, json.Unmarshal(b, &v)
}

// Put writes a record.
func Put(tx store.Tx, k []byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return tx.Put(k, b)
}

// Has reports whether a row is there.
func Has(tx store.Tx, k []byte) (bool, error) {
	_, err := tx.Get(k)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// PutEphemeral writes a record that has an end, and a note of when to look.
func PutEphemeral(tx store.Tx, k []byte, v any, expires int64) error {
	if err := tx.Put(DueKey(expires, k), nil); err != nil {
		return err
	}
	return Put(tx, k, v)
}

// sweepLimit is how many rows one request looks at for those who left.
const sweepLimit = 32

// Sweep removes what is past its time, a bounded number of rows at once. A record that lives longer by now is looked at
// again then. remove may do more than delete the row; nil deletes it.
func Sweep(tx store.Tx, now int64, remove func(row, value []byte) error) error {
	var due [][]byte
	err := tx.Scan(DuePrefix(), nil, sweepLimit, func(k, _ []byte) error {
		if at, _, ok := ParseDue(k); !ok || at <= now {
			due = append(due, append([]byte(nil), k...))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range due {
		if err := sweepOne(tx, k, now, remove); err != nil {
			return err
		}
	}
	return nil
}

func sweepOne(tx store.Tx, k []byte, now int64, remove func(row, value []byte) error) error {
	if err := tx.Delete(k); err != nil {
		return err
	}
	_, row, ok := ParseDue(k)
	if !ok {
		return nil
	}
	value, err := tx.Get(row)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var end struct {
		Expires int64 `json:"expires"`
	}
	if err := json.Unmarshal(value, &end); err != nil {
		return err
	}
	switch {
	case end.Expires == 0:
		return nil // it stays for good
	case end.Expires > now:
		return tx.Put(DueKey(end.Expires, row), nil)
	case remove != nil:
		return remove(row, value)
	}
	return tx.Delete(row)
}

// Uint64 encodes a number.
func Uint64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// ParseUint64 is the inverse of Uint64.
func ParseUint64(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

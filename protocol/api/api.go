// Package api is what crosses the wire between client and server: routes, requests, responses, codes.
//
// Bodies are JSON, but for chains: entries and submissions are the binary forms of protocol/chain. Byte strings in JSON
// are standard base64; identifiers are lower-case base32. Every request with a body says its Content-Type, and a
// server takes it only from its own origin.
package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/underseal/underseal/protocol/wire"
)

// Content types.
const (
	TypeJSON   = "application/json"
	TypeBinary = "application/octet-stream"
)

// Limits.
const (
	MaxJSON         = 256 << 10
	MaxEntriesReply = 4 << 20 // of one page of entries, unless one entry alone is larger
	MaxKeyring      = 512 << 10
	UploadLifetime  = 7 * 24 * 3600 // seconds an uncommitted upload is kept after its last chunk
	ReleaseLifetime = 3600          // seconds
	SetupLifetime   = 30 * 60       // seconds
	CeremonySeconds = 5 * 60        // an enrolment or sign-in that is not finished by then is gone
)

// Error is every answer that is not a success.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	// Chain is where the chain stands, with CodeMoved.
	Chain *ChainHead `json:"chain,omitempty"`
	// Device is the one that was revoked, with CodeDeviceRevoked.
	Device wire.ObjectID `json:"device,omitzero"`
	// Wait is after how many seconds to try again, with CodeTooMany.
	Wait int `json:"wait,omitempty"`
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// EnrolRequest begins an account: POST /v1/enrolments. Exactly one proof says why the server should keep one.
type EnrolRequest struct {
	Setup  string       `json:"setup,omitempty"` // what stands after # in the setup link
	Invite *InviteProof `json:"invite,omitempty"`
	// Recovery is of somebody who asks for his identity back.
	Recovery *RecoveryProof `json:"recovery,omitempty"`
}

// InviteProof shows that its sender holds an invite's link.
type InviteProof struct {
	Firm      wire.ChainID  `json:"firm"`
	Chain     wire.ChainID  `json:"chain"`
	Invite    wire.ObjectID `json:"invite"`
	Signature []byte        `json:"signature"` // by the invite key over InviteProofMessage
}

// InviteProofMessage is what the invite key signs: subject is the account, ticket or member that it vouches for.
func InviteProofMessage(purpose string, p InviteProof, subject []byte) []byte {
	w := wire.NewWriter()
	w.Text("underseal/v1/invite/proof/" + purpose)
	w.Fixed(p.Firm[:])
	w.Fixed(p.Chain[:])
	w.Fixed(p.Invite[:])
	w.Bytes16(subject)
	return w.Bytes()
}

// Purposes of an InviteProof.
const (
	ProofEnrol = "enrol" // over nothing: it begins the enrolment
	ProofGuest = "guest" // over the ticket ‖ the bundle's hash: it opens a guest's firm session
)

// EnrolReply carries the ceremony. Creation is PublicKeyCredentialCreationOptionsJSON; names in it are placeholders that
// the client replaces on the device, so that the server never has them.
type EnrolReply struct {
	Enrolment wire.ObjectID   `json:"enrolment"`
	Account   wire.ObjectID   `json:"account"`
	Challenge []byte          `json:"challenge"` // for a login key instead of a passkey
	Creation  json.RawMessage `json:"creation"`
	Log       *LogKeys        `json:"log,omitempty"` // with a setup: what the firm's first statement will name
}

// LogKeys are the public keys of the log a new firm gets.
type LogKeys struct {
	Origin string   `json:"origin"`
	Keys   []string `json:"keys"` // verifier keys, as signed notes spell them: Ed25519 and ML-DSA-44
	VRF    []byte   `json:"vrf"`
	Policy string   `json:"policy"` // witness policy (c2sp.org/tlog-policy); empty: no witnesses
}

// EnrolFinish completes an account: POST /v1/enrolments/{enrolment}. It has a Credential, a Login or a Password.
type EnrolFinish struct {
	Credential json.RawMessage `json:"credential,omitempty"` // RegistrationResponseJSON without prf results
	Login      *LoginProof     `json:"login,omitempty"`
	Password   *EnrolPassword  `json:"password,omitempty"`
	Vault      []VaultEntry    `json:"vault"`
	Keyring    []byte          `json:"keyring"`    // sealed; its revision becomes 1
	KeyringKey []byte          `json:"keyringKey"` // Ed25519: whose signature a later keyring needs
}

// LoginProof signs a challenge with a login key (kit or passphrase).
type LoginProof struct {
	Method    uint8  `json:"method"` // as keys/vault numbers them
	PublicKey []byte `json:"publicKey"`
	Signature []byte `json:"signature"` // Ed25519 over LoginMessage
}

// LoginMessage binds a login to this server and challenge.
func LoginMessage(origin string, challenge []byte) []byte {
	w := wire.NewWriter()
	w.Text("underseal/v1/login")
	w.Text(origin)
	w.Bytes16(challenge)
	return w.Bytes()
}

// VaultEntry is the account root wrapped for one unlock method.
type VaultEntry struct {
	Method   uint8  `json:"method"`
	ID       []byte `json:"id"`                 // credential id of a passkey; login public key of a kit or passphrase; LoginName of a password
	Wrapped  []byte `json:"wrapped"`            //
	LoginKey []byte `json:"loginKey,omitempty"` // of a kit or passphrase: the same as ID
}

// SignInReply begins a sign-in: POST /v1/sign-ins with an empty object.
type SignInReply struct {
	SignIn    wire.ObjectID   `json:"signIn"`
	Challenge []byte          `json:"challenge"`
	Request   json.RawMessage `json:"request"` // PublicKeyCredentialRequestOptionsJSON
}

// SignInFinish completes it: POST /v1/sign-ins/{signIn}. It sets the account's cookie and answers Account.
type SignInFinish struct {
	Credential json.RawMessage `json:"credential,omitempty"`
	Login      *LoginProof     `json:"login,omitempty"`
	Enrolled   *DeviceLogin    `json:"enrolled,omitempty"`
	Devices    []DeviceProof   `json:"devices,omitempty"`
}

// Account is what the server keeps for an account: GET /v1/account, and the answer to enrolment and sign-in.
type Account struct {
	Account  wire.ObjectID  `json:"account"`
	Session  wire.ObjectID  `json:"session"` // the caller's own: ChangeMessage names it
	Vault    []VaultEntry   `json:"vault"`
	Keyring  []byte         `json:"keyring"`
	Revision uint64         `json:"revision"` // of the keyring
	Passkeys []Passkey      `json:"passkeys"`
	Firms    []wire.ChainID `json:"firms"` // a hint: the keyring decides

	PasswordSet int64   `json:"passwordSet,omitempty"` // seconds since 1970, server time; 0: there is no password
	TOTPSet     int64   `json:"totpSet,omitempty"`     // the same of an authenticator app
	Failed      *Failed `json:"failed,omitempty"`      // with a sign-in, where there were some
}

// Passkey is a credential as its owner sees it.
type Passkey struct {
	ID       []byte `json:"id"`
	Created  int64  `json:"created"` // seconds since 1970, server time
	LastUsed int64  `json:"lastUsed"`
}

// PutKeyring replaces the keyring: PUT /v1/account/keyring. Revision is the one it replaces; another answers CodeMoved.
type PutKeyring struct {
	Revision  uint64 `json:"revision"`
	Keyring   []byte `json:"keyring"`
	Signature []byte `json:"signature"` // by the keyring key over KeyringMessage
}

// PutVault adds an unlock method: PUT /v1/account/vault. A kit replaces the one before; a passphrase is of one device, which keeps
// its wrap, and the others keep theirs. Login proves the new login key over a fresh challenge from POST
// /v1/sign-ins. A passkey or password that the account has, and that could not unlock, has none.
type PutVault struct {
	Entry  VaultEntry    `json:"entry"`
	SignIn wire.ObjectID `json:"signIn"`
	Login  *LoginProof   `json:"login,omitempty"`
}

// TicketRequest asks for a one-minute, single-use ticket into a firm: POST /v1/account/tickets.
type TicketRequest struct {
	Firm wire.ChainID `json:"firm"`
}

// Ticket becomes a firm's own session. Keys is the fingerprint of the newest keys that the firm's directory has for the
// account, which are to certify the session; zero where it is nobody there.
type Ticket struct {
	Ticket []byte    `json:"ticket"`
	Keys   wire.Hash `json:"keys,omitzero"`
}

// FoundRequest makes a firm: POST /v1/firms. The setup secret is used up by it.
type FoundRequest struct {
	Setup      string        `json:"setup"`
	Member     wire.ObjectID `json:"member"`
	Bundle     []byte        `json:"bundle"`     // chain.Bundle
	Submission []byte        `json:"submission"` // the firm's first statement
}

// OpenSession makes a firm's session from a ticket: POST /v1/firms/{firm}/sessions. It sets the firm's cookie and answers
// Opened.
type OpenSession struct {
	Ticket      []byte        `json:"ticket"`
	Member      wire.ObjectID `json:"member"`
	Session     wire.ObjectID `json:"session"`
	PublicKey   []byte        `json:"publicKey"` // the session device's Ed25519 key
	Expires     uint64        `json:"expires"`
	Certificate []byte        `json:"certificate"` // the identity's signature, chain.VerifySession
	Guest       *GuestProof   `json:"guest,omitempty"`
}

// GuestProof lets somebody who is no member yet in, to accept an invite.
type GuestProof struct {
	Invite InviteProof `json:"invite"`
	Bundle []byte      `json:"bundle"`
}

// GuestSubject is what a guest's proof is over.
func GuestSubject(ticket, bundle []byte) []byte {
	h := sha256.Sum256(bundle)
	return append(append([]byte(nil), ticket...), h[:]...)
}

// ChainHead is where a chain stands: GET /v1/firms/{firm}/chains/{chain}, and the answer to an accepted entry.
type ChainHead struct {
	Chain         wire.ChainID `json:"chain"`
	Epoch         uint32       `json:"epoch"`
	Position      uint64       `json:"position"`
	Head          wire.Hash    `json:"head"`
	TrailPosition uint64       `json:"trailPosition"`
	TrailHead     wire.Hash    `json:"trailHead"`
	Stale         bool         `json:"stale,omitempty"` // somebody has newer keys than the epoch: nothing is sealed until an owner opens the next
}

// ChainSeat is a chain that the caller has a seat in, as far as the server says: GET /v1/firms/{firm}/chains.
type ChainSeat struct {
	ChainHead
	Role    string    `json:"role"`
	Waiting bool      `json:"waiting"`
	Removed bool      `json:"removed"`
	Keys    wire.Hash `json:"keys"` // fingerprint that the seat has, or had
}

// Chains lists seats.
type Chains struct {
	Chains []ChainSeat `json:"chains"`
}

// InviteReply is what anybody who knows an invite's id may fetch: GET /v1/firms/{firm}/chains/{chain}/invites/{invite}.
type InviteReply struct {
	State   string    `json:"state"`   // open, used, expired, gone
	Package []byte    `json:"package"` // sealed under the secret; absent once used
	Chain   ChainHead `json:"chain"`
}

// WrapReply is the caller's own wrap of an epoch: GET …/chains/{chain}/wraps/{epoch}; epoch 0 is the newest.
type WrapReply struct {
	Row    []byte      `json:"row"`
	Hashes []wire.Hash `json:"hashes"` // of all rows of the epoch's statement, in order
}

// NewUpload begins an upload: POST …/chains/{chain}/uploads. Idempotent.
type NewUpload struct {
	Upload wire.ObjectID `json:"upload"`
	Padded uint64        `json:"padded"`
}

// Upload says which chunks are there: GET …/chains/{chain}/uploads/{upload}.
type Upload struct {
	Upload wire.ObjectID `json:"upload"`
	Padded uint64        `json:"padded"`
	Chunks []Chunk       `json:"chunks"` // in order of number
}

// Chunk is one chunk that is there.
type Chunk struct {
	Number uint32    `json:"number"`
	Digest wire.Hash `json:"digest"`
}

// ContentDigest spells a SHA-256 digest as RFC 9530 has it.
func ContentDigest(d [32]byte) string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(d[:]) + ":"
}

// ParseContentDigest is the inverse of ContentDigest.
func ParseContentDigest(s string) (d [32]byte, err error) {
	s, ok := strings.CutPrefix(s, "sha-256=:")
	if !ok {
		return d, wire.ErrMalformed
	}
	s, ok = strings.CutSuffix(s, ":")
	if !ok {
		return d, wire.ErrMalformed
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	// The decoder passes over line breaks: only one spelling is accepted.
	if err != nil || len(b) != len(d) || base64.StdEncoding.EncodeToString(b) != s {
		return d, wire.ErrMalformed
	}
	return [32]byte(b), nil
}

package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/wire"
)

// Routes of what an account may do with its own factors.
const (
	RouteProofs   = "/v1/account/proofs"            // POST Prove: Account
	RoutePasskeys = "/v1/account/passkeys"          // POST {}: PasskeyReply
	RoutePasskey  = "/v1/account/passkeys/:passkey" // POST PasskeyFinish, of an enrolment: Account · DELETE, of a credential (base64url): Account

	RouteRoot = "/v1/account/root" // POST NewRoot: Account

	RouteAccountSessions = "/v1/account/sessions"          // GET: AccountSessions · DELETE: ends all but this one
	RouteOneSession      = "/v1/account/sessions/:session" // DELETE: ends it
)

// HeaderIdle, with the value 1, goes with a request that no person caused, such as a poll. It keeps no session alive.
const HeaderIdle = "X-Underseal-Idle"

// EndedSeconds is how long a session that somebody else or a firm's policy ended answers CodeSessionEnded, and not that
// there is none.
const EndedSeconds = 3600

// AccountSession is one place where an account is signed in, as its owner sees it. Times are seconds.
type AccountSession struct {
	ID      wire.ObjectID `json:"id"`
	Created int64         `json:"created"`
	Seen    int64         `json:"seen"`
	Expires int64         `json:"expires"`
	Idle    int64         `json:"idle"`   // after which it ends, unused
	Method  string        `json:"method"` // passkey, kit, passphrase or password: what signed in
	MFA     bool          `json:"mfa"`    // two factors were shown, or a passkey, which is two
	Current bool          `json:"current"`
	Device  wire.ObjectID `json:"device,omitzero"` // that it is of, where it said so
}

// AccountSessions are those that did not end, oldest first.
type AccountSessions struct {
	Sessions []AccountSession `json:"sessions"`
}

// Opened is the answer to OpenSession: how long the firm lets the session last, in seconds.
type Opened struct {
	Idle     int64 `json:"idle"`
	Absolute int64 `json:"absolute"`
	Expires  int64 `json:"expires"`
}

// ProofSeconds is how long a proof with a factor lasts: what changes factors asks for one that is no older.
const ProofSeconds = 5 * 60

// Prove shows once more who is signed in: POST /v1/account/proofs. Credential or Login answers a challenge from POST
// /v1/sign-ins as SignInFinish does; KE3 finishes a sign-in from POST /v1/sign-ins/password; Code is an authenticator app's,
// and has no SignIn. A passkey or a code makes two factors of a session that had one.
type Prove struct {
	SignIn     wire.ObjectID   `json:"signIn,omitzero"`
	Credential json.RawMessage `json:"credential,omitempty"`
	Login      *LoginProof     `json:"login,omitempty"`
	KE3        []byte          `json:"ke3,omitempty"`
	Code       string          `json:"code,omitempty"`
}

// PasskeyReply begins a further passkey: POST /v1/account/passkeys with an empty object. Creation is as in EnrolReply.
type PasskeyReply struct {
	Enrolment wire.ObjectID   `json:"enrolment"`
	Creation  json.RawMessage `json:"creation"`
}

// PasskeyFinish completes it: POST /v1/account/passkeys/{enrolment}. A passkey that cannot unlock has no Vault: it signs in.
type PasskeyFinish struct {
	Credential json.RawMessage `json:"credential"`
	Vault      *VaultEntry     `json:"vault,omitempty"`
}

// PasskeyPath is one passkey, by its credential's id.
func PasskeyPath(credential []byte) string {
	return RoutePasskeys + "/" + base64.RawURLEncoding.EncodeToString(credential)
}

// KeyringMessage is what an account's keyring key signs: revision is the one that the keyring gets. A cookie alone, stolen,
// overwrites nothing (SPEC S-KEYRING-01).
func KeyringMessage(account wire.ObjectID, revision uint64, keyring []byte) []byte {
	h := sha256.Sum256(keyring)
	w := wire.NewWriter()
	w.Text(string(keys.LabelSignKeyring))
	w.Fixed(account[:])
	w.Uint64(revision)
	w.Fixed(h[:])
	return w.Bytes()
}

// NewRoot puts another root in the place of an account's: POST /v1/account/root. Everything that the root before made ends with
// it: what is not in Vault unlocks nothing any more, and every other session and device of the account ends before the answer.
// A passkey that is not in it stays, and signs in.
type NewRoot struct {
	Revision   uint64       `json:"revision"` // of the keyring that it replaces; another answers CodeMoved
	Keyring    []byte       `json:"keyring"`
	KeyringKey []byte       `json:"keyringKey"` // of the new root: whose signature a later keyring needs
	Vault      []VaultEntry `json:"vault"`      // all there are from now on
	Signature  []byte       `json:"signature"`  // by the keyring key of the root before, over RootMessage
	// Logins prove the login keys in Vault over the challenge of SignIn, from POST /v1/sign-ins.
	SignIn wire.ObjectID `json:"signIn"`
	Logins []LoginProof  `json:"logins"`
}

// RootMessage is what the keyring key of the root before signs. A stolen cookie replaces no root, nor does a factor that was
// shown without the root (SPEC S-ROOT-01).
func RootMessage(account wire.ObjectID, r NewRoot) []byte {
	ring := sha256.Sum256(r.Keyring)
	w := wire.NewWriter()
	w.Text(string(keys.LabelSignRoot))
	w.Fixed(account[:])
	w.Uint64(r.Revision + 1)
	w.Fixed(ring[:])
	w.Bytes16(r.KeyringKey)
	w.Count(len(r.Vault))
	for _, e := range r.Vault {
		w.Uint8(e.Method)
		w.Bytes16(e.ID)
		w.Bytes16(e.Wrapped)
	}
	return w.Bytes()
}

package api

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"github.com/underseal/underseal/protocol/wire"
)

// Routes of passwords and of the codes that go with them.
const (
	RoutePasswordSignIns   = "/v1/sign-ins/password"              // POST PasswordStart: PasswordStarted
	RoutePasswordSignIn    = "/v1/sign-ins/password/:signin"      // POST PasswordFinish: PasswordFinished, and the account's cookie
	RouteEnrolmentPassword = "/v1/enrolments/:enrolment/password" // POST PasswordRequest: EnrolPasswordReply
	RoutePassword          = "/v1/account/password"               // POST PasswordRequest: PasswordReply · PUT PutPassword: Account · DELETE: Account
	RouteTOTP              = "/v1/account/totp"                   // POST {}: TOTPReply · PUT PutTOTP: Account · DELETE: Account
)

// Kinds of second factors.
const (
	SecondCode    = "totp"
	SecondPasskey = "passkey"
)

// SetUpSeconds is how long setting up an authenticator app may take: some have to find one first.
const SetUpSeconds = 20 * 60

// Login names.
const (
	minLoginName = 3
	maxLoginName = 64
	// labelLoginName is the purpose of a login name's hash.
	labelLoginName = "underseal/v1/login-name"
)

// ErrLoginName refuses what is no login name.
var ErrLoginName = errors.New("api: not a login name")

// ParseLoginName is a login name in its one spelling. Its owner chose it: 3 to 64 letters without accents, digits, dots,
// dashes and underscores, in any case.
func ParseLoginName(typed string) (string, error) {
	name := strings.ToLower(strings.TrimSpace(typed))
	if len(name) < minLoginName || len(name) > maxLoginName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
		return "", ErrLoginName
	}
	return name, nil
}

// LoginName is what a server gets of a login name: it can try names, and is told none. It is also OPAQUE's credential
// identifier, in its text form.
func LoginName(origin, typed string) (wire.Hash, error) {
	name, err := ParseLoginName(typed)
	if err != nil {
		return wire.Hash{}, err
	}
	return sha256.Sum256([]byte(labelLoginName + "\x00" + origin + "\x00" + name)), nil
}

// PasswordStart begins a sign-in with a password: POST /v1/sign-ins/password. It is counted before anything else happens.
// A name without an account is answered like any other.
type PasswordStart struct {
	Name    wire.Hash     `json:"name"` // LoginName
	KE1     []byte        `json:"ke1"`
	Devices []DeviceProof `json:"devices,omitempty"` // that the browser is: on its owner's a name waits for nobody else
}

// PasswordStarted is the answer. It tells nothing about the password, nor whether there is such a name.
type PasswordStarted struct {
	SignIn wire.ObjectID `json:"signIn"`
	KE2    []byte        `json:"ke2"`
}

// PasswordFinish goes on with it: POST /v1/sign-ins/password/{signIn}, with one of its fields. KE3 shows that the password
// was the right one; Code or Credential, afterwards, is the second factor. A code that does not count may be followed by
// another one; anything else that is wrong ends the sign-in.
type PasswordFinish struct {
	KE3        []byte          `json:"ke3,omitempty"`
	Code       string          `json:"code,omitempty"`
	Credential json.RawMessage `json:"credential,omitempty"`
	Devices    []DeviceProof   `json:"devices,omitempty"` // with the second factor
}

// PasswordFinished asks for a second factor, or is the account that is signed in.
type PasswordFinished struct {
	Second  *SecondFactor `json:"second,omitempty"`
	Account *Account      `json:"account,omitempty"`
}

// SecondFactor says which second factors an account has.
type SecondFactor struct {
	Kinds   []string        `json:"kinds"`             // SecondCode, SecondPasskey
	Request json.RawMessage `json:"request,omitempty"` // PublicKeyCredentialRequestOptionsJSON, where there is a passkey
}

// PasswordRequest begins to set a password: POST /v1/account/password, and POST /v1/enrolments/{enrolment}/password for an
// account that is being made.
type PasswordRequest struct {
	Name    wire.Hash `json:"name"`
	Request []byte    `json:"request"` // of OPAQUE's registration
}

// PasswordReply is the answer of an account.
type PasswordReply struct {
	Ceremony wire.ObjectID `json:"ceremony"`
	Response []byte        `json:"response"`
}

// PutPassword sets it, in place of the one before: PUT /v1/account/password. Every other session of the account ends before
// the answer.
type PutPassword struct {
	Ceremony wire.ObjectID `json:"ceremony"`
	Record   []byte        `json:"record"`
	Vault    VaultEntry    `json:"vault"` // of the password; its id are the bytes of the name
}

// EnrolPasswordReply is the answer of an account that is being made. A password needs a second factor, so the secret of an
// authenticator app comes with it.
type EnrolPasswordReply struct {
	Response []byte `json:"response"`
	Secret   string `json:"secret"` // base32, as apps take it
}

// EnrolPassword is what a new account is made with in place of a passkey or login key.
type EnrolPassword struct {
	Name   wire.Hash `json:"name"`
	Record []byte    `json:"record"`
	Code   string    `json:"code"` // of the app, which therefore has the secret
}

// TOTPReply begins to set an authenticator app up: POST /v1/account/totp with an empty object.
type TOTPReply struct {
	Ceremony wire.ObjectID `json:"ceremony"`
	Secret   string        `json:"secret"`
}

// PutTOTP completes it, in place of the app before: PUT /v1/account/totp.
type PutTOTP struct {
	Ceremony wire.ObjectID `json:"ceremony"`
	Code     string        `json:"code"`
}

// Failed are attempts to sign in to an account that did not get in, since its owner was told last.
type Failed struct {
	Passwords int `json:"passwords"` // sign-ins that were begun with its name
	Codes     int `json:"codes"`     // codes that were given after the right password
}

// ErrAuthenticator refuses what no authenticator app could be set up with.
var ErrAuthenticator = errors.New("api: not for an authenticator app")

// AuthenticatorURL is what an authenticator app reads from a QR code: RFC 6238 with what every app does, whose code it is,
// and the secret, which comes from a server and must be one. Names are the client's: a server need not know them, and what it
// says could lead a camera anywhere.
func AuthenticatorURL(issuer, name, secret string) (string, error) {
	if len(secret) != 32 || strings.Trim(secret, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return "", ErrAuthenticator
	}
	for _, part := range []string{issuer, name} {
		// A colon would move the border between the two names.
		if part == "" || len(part) > 255 || strings.Contains(part, ":") {
			return "", ErrAuthenticator
		}
	}
	query := url.Values{"secret": {secret}, "issuer": {issuer}, "algorithm": {"SHA1"}, "digits": {"6"}, "period": {"30"}}
	// Apps read a plus as a plus.
	encoded := strings.ReplaceAll(query.Encode(), "+", "%20")
	return (&url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + issuer + ":" + name, RawQuery: encoded}).String(), nil
}

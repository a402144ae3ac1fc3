package layout

import (
	"strings"

	"github.com/underseal/underseal/protocol/wire"
)

// SSO says whose a subject of a firm's identity provider is.
type SSO struct {
	Account  wire.ObjectID `json:"account"`
	Created  int64         `json:"created"`
	LastUsed int64         `json:"lastUsed"`
}

// SSOSubject is somebody whom a firm's identity provider knows. Hash is of issuer and subject.
type SSOSubject struct {
	Firm wire.ChainID
	Hash string
}

// NewSSOSubject is a subject of an issuer. An issuer is a URL: it holds no zero byte.
func NewSSOSubject(firm wire.ChainID, issuer, subject string) SSOSubject {
	return SSOSubject{firm, Hash([]byte(issuer + "\x00" + subject))}
}

// ID is how it stands in keys and among the factors of a session.
func (s SSOSubject) ID() string { return s.Firm.String() + "/" + s.Hash }

// ParseSSOSubject is the inverse of ID.
func ParseSSOSubject(id string) (s SSOSubject, ok bool) {
	firm, hash, _ := strings.Cut(id, "/")
	chain, err := wire.ParseHash(firm)
	return SSOSubject{chain, hash}, err == nil && hash != ""
}

// SSOLeave is leave to link an account, for the session that showed a factor.
type SSOLeave struct {
	Expires        int64         `json:"expires"`
	Firm           wire.ChainID  `json:"firm"`
	Account        wire.ObjectID `json:"account"`
	AccountSession wire.ObjectID `json:"accountSession"`
}

// SSOBegun is a sign-in that is under way at an identity provider. Nothing in it completes one.
type SSOBegun struct {
	Expires int64        `json:"expires"`
	Firm    wire.ChainID `json:"firm"`
	Issuer  string       `json:"issuer"`
	Then    string       `json:"then"` // page to go to
	// Account and AccountSession are of the session that the browser had, if any: one that links, or else one that it leaves.
	Account        wire.ObjectID `json:"account,omitzero"`
	AccountSession wire.ObjectID `json:"accountSession,omitzero"`
	Link           bool          `json:"link,omitempty"`
}

// SSOKey says whose a subject is.
func SSOKey(s SSOSubject) []byte { return key("sso", s.ID()) }

// SSOIn is the prefix of those of a firm.
func SSOIn(firm wire.ChainID) []byte { return key("sso", firm.String(), "") }

// SSOOfKey leads from an account to its one subject in a firm.
func SSOOfKey(account wire.ObjectID, firm wire.ChainID) []byte {
	return key("sso-of", account.String(), firm.String())
}

// SSOLeaveKey is leave to link.
func SSOLeaveKey(id wire.ObjectID) []byte { return key("sso-leave", id.String()) }

// SSOBegunKey is a sign-in under way, by the browser's secret.
func SSOBegunKey(secret []byte) []byte { return key("sso-begun", Hash(secret)) }

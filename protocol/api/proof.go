package api

import (
	"crypto/ed25519"
	"encoding/base64"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/wire"
)

// Headers of every request in a firm, and of those that change an account's factors (ChangeMessage). A cookie alone, stolen, is
// nobody's session: the device's key, which the session was opened with, signs each request (SPEC S-REQUEST-01). The session's id
// says which of a browser's cookies counts, so that two of its tabs do not take each other's.
const (
	HeaderSession = "X-Underseal-Session" // the session's id
	HeaderProof   = "X-Underseal-Proof"   // base64url of the Ed25519 signature over RequestMessage, or ChangeMessage
)

// HeaderDigest goes with such a request that has a body (RFC 9530): the signature covers the body by it.
const HeaderDigest = "Content-Digest"

// RequestMessage is what a session's key signs of a request: where it goes, as it is sent, and the Content-Digest of its body, if
// it has one. There is no time in it, and no clock to be wrong: what changes anything has an id, and again is the same.
func RequestMessage(firm wire.ChainID, session wire.ObjectID, method, target, digest string) []byte {
	return requestMessage(keys.LabelSignRequest, firm[:], session, method, target, digest)
}

// SignRequest is the headers of a request, signed by the session's key.
func SignRequest(firm wire.ChainID, session wire.ObjectID, key ed25519.PrivateKey, method, target, digest string) map[string]string {
	return proofHeader(session, ed25519.Sign(key, RequestMessage(firm, session, method, target, digest)), digest)
}

// ChangeMessage is what an account's keyring key signs of a request that changes factors or devices: whoever signed in and
// cannot unlock takes no way to unlock from its owner (SPEC S-FACTOR-01). The session's id keeps a signature from another session,
// and method, target and digest from another change.
func ChangeMessage(account, session wire.ObjectID, method, target, digest string) []byte {
	return requestMessage(keys.LabelSignChange, account[:], session, method, target, digest)
}

func requestMessage(label keys.Label, of []byte, session wire.ObjectID, method, target, digest string) []byte {
	w := wire.NewWriter()
	w.Text(string(label))
	w.Fixed(of)
	w.Fixed(session[:])
	w.Text(method)
	w.Text(target)
	w.Text(digest)
	return w.Bytes()
}

// SignChange is the headers of a request that changes factors, signed by the keyring key.
func SignChange(account, session wire.ObjectID, key ed25519.PrivateKey, method, target, digest string) map[string]string {
	return proofHeader(session, ed25519.Sign(key, ChangeMessage(account, session, method, target, digest)), digest)
}

func proofHeader(session wire.ObjectID, signature []byte, digest string) map[string]string {
	header := map[string]string{HeaderSession: session.String(), HeaderProof: FormatProof(signature)}
	if digest != "" {
		header[HeaderDigest] = digest
	}
	return header
}

// FormatProof spells a signature, and ParseProof is its inverse: nil where the text is none.
func FormatProof(signature []byte) string { return base64.RawURLEncoding.EncodeToString(signature) }

// ParseProof reads a signature in its one spelling.
func ParseProof(text string) []byte {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || FormatProof(b) != text {
		return nil
	}
	return b
}

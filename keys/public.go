package keys

import (
	"crypto/sha256"
	"io"

	"github.com/cloudflare/circl/kem"
)

// PublicKeysSize is the length of encoded public keys: the X-Wing key, then
// the composite signature key.
const PublicKeysSize = WrapKeySize + signKeySize

// PublicKeys are the public half of an Identity. Who they belong to is not in
// them: that is what rosters say.
type PublicKeys struct {
	encoded []byte
	wrap    kem.PublicKey
	sign    verifyingKey
}

// ParsePublicKeys reads exactly PublicKeysSize bytes. It is the inverse of
// Bytes; the error is ErrMalformed.
func ParsePublicKeys(b []byte) (*PublicKeys, error) {
	if len(b) != PublicKeysSize {
		return nil, ErrMalformed
	}
	wrap, err := parseWrapKey(b[:WrapKeySize])
	if err != nil {
		return nil, err
	}
	sign, err := parseVerifyingKey(b[WrapKeySize:])
	if err != nil {
		return nil, err
	}
	return &PublicKeys{append([]byte(nil), b...), wrap, sign}, nil
}

// Bytes returns the encoding.
func (p *PublicKeys) Bytes() []byte { return append([]byte(nil), p.encoded...) }

// Verify checks a signature over message for one purpose. Both halves must
// verify; the error is ErrSignature.
func (p *PublicKeys) Verify(label Label, message, signature []byte) error {
	return p.sign.verify([]byte(label), message, signature)
}

// WrapKey wraps payload, usually a key, to the owner: len(payload) +
// WrapOverhead bytes. For info see WrapTo. rand may be nil for crypto/rand.
func (p *PublicKeys) WrapKey(rand io.Reader, info, payload []byte) ([]byte, error) {
	return wrapTo(rand, p.wrap, info, payload)
}

// Fingerprint names the keys: the SHA-256 of the label, a zero byte and the
// encoding.
func (p *PublicKeys) Fingerprint() Fingerprint {
	h := sha256.New()
	h.Write(append([]byte(LabelFingerprint), 0))
	h.Write(p.encoded)
	return Fingerprint(h.Sum(nil))
}

// Equal reports whether both are the same keys.
func (p *PublicKeys) Equal(other *PublicKeys) bool {
	return other != nil && string(p.encoded) == string(other.encoded)
}

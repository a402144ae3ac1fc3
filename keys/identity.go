package keys

import (
	cryptorand "crypto/rand"
	"fmt"
	"io"
)

// Identity is a person's keys in one firm: one half wraps, the other signs.
// Each private key comes from the seed by a label of its own.
type Identity struct {
	wrap   *WrapKeyPair
	sign   signingKey
	public *PublicKeys
}

// GenerateIdentitySeed draws a seed. rand may be nil for crypto/rand.
func GenerateIdentitySeed(rand io.Reader) ([KeySize]byte, error) {
	var seed [KeySize]byte
	if rand == nil {
		rand = cryptorand.Reader
	}
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return [KeySize]byte{}, fmt.Errorf("keys: randomness: %w", err)
	}
	return seed, nil
}

// NewIdentity computes the identity of a seed. A caller who has the public
// keys from elsewhere compares them with Public: keys that a server hands out
// count only if they come from the seed (attacks 14, 16, 17).
func NewIdentity(seed [KeySize]byte) (*Identity, error) {
	wrap, err := NewWrapKeyPair(Derive(seed[:], LabelIdentityWrap))
	if err != nil {
		return nil, err
	}
	sign := newSigningKey(Derive(seed[:], LabelIdentitySign), Derive(seed[:], LabelIdentitySignEd))
	public, err := ParsePublicKeys(append(wrap.Public(), sign.public().bytes()...))
	if err != nil {
		return nil, err
	}
	return &Identity{wrap, sign, public}, nil
}

// Public returns the public keys.
func (id *Identity) Public() *PublicKeys { return id.public }

// Sign signs message for one purpose. The result has SignatureSize bytes.
func (id *Identity) Sign(label Label, message []byte) ([]byte, error) {
	return id.sign.sign([]byte(label), message)
}

// Unwrap opens what was wrapped to this identity under this info. Every
// failure is ErrWrap.
func (id *Identity) Unwrap(info, wrap []byte) ([]byte, error) { return id.wrap.Unwrap(info, wrap) }

// Format hides the private keys from every verb of fmt.
func (id *Identity) Format(s fmt.State, _ rune) { io.WriteString(s, id.String()) }

// String hides the private keys.
func (id *Identity) String() string { return "keys.Identity(private)" }

// GoString hides the private keys.
func (id *Identity) GoString() string { return id.String() }

// MarshalJSON refuses.
func (id *Identity) MarshalJSON() ([]byte, error) { return nil, errPrivate }

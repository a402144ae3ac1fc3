package keys

import (
	"fmt"
	"io"

	"github.com/cloudflare/circl/hpke"
	"github.com/cloudflare/circl/kem"
)

// Sizes of wraps.
const (
	// WrapKeySize is the length of a public X-Wing key.
	WrapKeySize = 1216
	// WrapOverhead is what a wrap adds to its payload: the encapsulated key
	// and the tag.
	WrapOverhead = encapsulationSize + 16

	encapsulationSize = 1120
)

// wrapScheme is the KEM of suite 1, X-Wing (0x647a). Base mode only: X-Wing
// has no authenticated mode, so who wrapped is said by a signature around it.
func wrapScheme() kem.Scheme { return hpke.KEM_XWING.Scheme() }

func wrapSuite() hpke.Suite {
	return hpke.NewSuite(hpke.KEM_XWING, hpke.KDF_HKDF_SHA256, hpke.AEAD_ChaCha20Poly1305)
}

// WrapTo wraps payload to a bare public X-Wing key with HPKE (RFC 9180, base
// mode): encapsulated key, then ciphertext. info begins with a label and says
// chain, epoch, recipient and whatever else the wrap is for: it opens under no
// other (attack 33). rand may be nil for crypto/rand.
func WrapTo(rand io.Reader, publicKey, info, payload []byte) ([]byte, error) {
	public, err := parseWrapKey(publicKey)
	if err != nil {
		return nil, err
	}
	return wrapTo(rand, public, info, payload)
}

func wrapTo(rand io.Reader, public kem.PublicKey, info, payload []byte) ([]byte, error) {
	sender, err := wrapSuite().NewSender(public, info)
	if err != nil {
		return nil, fmt.Errorf("keys: wrapping: %w", err)
	}
	encapsulated, sealer, err := sender.Setup(rand)
	if err != nil {
		return nil, fmt.Errorf("keys: wrapping: %w", err)
	}
	ciphertext, err := sealer.Seal(payload, nil)
	if err != nil {
		return nil, fmt.Errorf("keys: wrapping: %w", err)
	}
	return append(encapsulated, ciphertext...), nil
}

func parseWrapKey(b []byte) (kem.PublicKey, error) {
	if len(b) != WrapKeySize {
		return nil, ErrMalformed
	}
	// This refuses ML-KEM coefficients that are not reduced (FIPS 203, section
	// 7.2): written in several ways, one key would have several fingerprints.
	public, err := wrapScheme().UnmarshalBinaryPublicKey(b)
	if err != nil {
		return nil, ErrMalformed
	}
	return public, nil
}

// WrapKeyPair is a bare X-Wing key, like the one that each epoch makes for its
// auditors.
type WrapKeyPair struct {
	private kem.PrivateKey
	public  []byte
}

// NewWrapKeyPair loads the key pair of a seed: X-Wing's private key is its
// 32-byte seed, and the public half is always recomputed from it.
func NewWrapKeyPair(seed [KeySize]byte) (*WrapKeyPair, error) {
	private, err := wrapScheme().UnmarshalBinaryPrivateKey(seed[:])
	if err != nil {
		return nil, fmt.Errorf("keys: loading a wrap key: %w", err)
	}
	public, err := private.Public().MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("keys: loading a wrap key: %w", err)
	}
	return &WrapKeyPair{private, public}, nil
}

// Public returns a copy of the public key, of WrapKeySize bytes.
func (k *WrapKeyPair) Public() []byte { return append([]byte(nil), k.public...) }

// Unwrap opens what WrapTo made for this key and this info. Every failure is
// ErrWrap.
func (k *WrapKeyPair) Unwrap(info, wrap []byte) ([]byte, error) {
	// Both parts must be whole before the KEM sees any of it.
	if len(wrap) < WrapOverhead {
		return nil, ErrWrap
	}
	receiver, err := wrapSuite().NewReceiver(k.private, info)
	if err != nil {
		return nil, ErrWrap
	}
	opener, err := receiver.Setup(wrap[:encapsulationSize])
	if err != nil {
		return nil, ErrWrap
	}
	payload, err := opener.Open(wrap[encapsulationSize:], nil)
	if err != nil {
		return nil, ErrWrap
	}
	return payload, nil
}

// Format hides the private key from every verb of fmt.
func (k *WrapKeyPair) Format(s fmt.State, _ rune) { io.WriteString(s, k.String()) }

// String hides the private key.
func (k *WrapKeyPair) String() string { return "keys.WrapKeyPair(private)" }

// GoString hides the private key.
func (k *WrapKeyPair) GoString() string { return k.String() }

// MarshalJSON refuses.
func (k *WrapKeyPair) MarshalJSON() ([]byte, error) { return nil, errPrivate }

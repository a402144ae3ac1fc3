// Package vrf is the verifiable random function ECVRF-EDWARDS25519-SHA512-TAI
// of RFC 9381 (suite 0x03). The owner of a key computes from every input one
// output that nobody else can guess, and a proof that it is the right one.
//
// A newcomer starts with [NewPrivateKey] and [PrivateKey.Prove] on the side
// that owns the key, and with [Verify] on every other. Whoever made the key,
// even to cheat, has one output for each input: that is why Verify refuses
// keys of low order (RFC 9381, section 5.4.5), and why the output is computed
// from the point times the cofactor. Another proof for the same output can
// exist, made by the key's owner, so nothing may be told apart by its proof.
//
// Points and scalars have one spelling. The package is deterministic, keeps no
// state and does no I/O, and its values are safe for concurrent use. Not
// handled: hashing to the curve by trial takes a time that depends on the
// input, so an input must not be secret from who measures it; and Go cannot
// promise to erase a key from memory.
package vrf

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"

	"filippo.io/edwards25519"
)

// Sizes in bytes.
const (
	SeedSize      = 32
	PublicKeySize = 32
	ProofSize     = pointSize + challengeSize + scalarSize
	OutputSize    = 64

	pointSize     = 32
	challengeSize = 16
	scalarSize    = 32
)

// The octets that open and close every hash (RFC 9381, sections 5.2, 5.4.1.1
// and 5.4.3).
const (
	suite          = 0x03
	frontCurve     = 0x01
	frontChallenge = 0x02
	frontOutput    = 0x03
	back           = 0x00
)

var (
	// ErrProof means that the output of an input is not proven: the key, the
	// input or the proof is another, or one of them is malformed.
	ErrProof = errors.New("vrf: proof does not verify")
	// ErrSeed means that a seed does not have SeedSize bytes.
	ErrSeed = errors.New("vrf: malformed seed")

	errNoPoint = errors.New("vrf: input has no point")
	errPrivate = errors.New("vrf: private keys are not serialised")
)

// PrivateKey computes outputs and proves them.
type PrivateKey struct {
	scalar *edwards25519.Scalar // x
	prefix [32]byte             // the secret half of each nonce
	public [PublicKeySize]byte
}

// NewPrivateKey loads the key of an Ed25519 seed, expanded as RFC 8032,
// section 5.1.5, does. The seed belongs to this purpose alone: a key that also
// signs would share its nonces' secret with another scheme.
func NewPrivateKey(seed []byte) (*PrivateKey, error) {
	if len(seed) != SeedSize {
		return nil, ErrSeed
	}
	expanded := sha512.Sum512(seed)
	scalar, err := new(edwards25519.Scalar).SetBytesWithClamping(expanded[:32])
	if err != nil {
		return nil, fmt.Errorf("vrf: expanding a seed: %w", err)
	}
	k := &PrivateKey{scalar: scalar, prefix: [32]byte(expanded[32:])}
	copy(k.public[:], new(edwards25519.Point).ScalarBaseMult(scalar).Bytes())
	return k, nil
}

// Public returns a copy of the public key, of PublicKeySize bytes.
func (k *PrivateKey) Public() []byte { return bytes.Clone(k.public[:]) }

// Prove computes the output of alpha, and the proof of it (RFC 9381, section
// 5.1). The public key in the challenge is the one computed from the seed and
// no argument: under two of them, two proofs would give away the key.
func (k *PrivateKey) Prove(alpha []byte) (beta [OutputSize]byte, proof [ProofSize]byte, err error) {
	h, err := encodeToCurve(k.public[:], alpha)
	if err != nil {
		return beta, proof, err
	}
	gamma := new(edwards25519.Point).ScalarMult(k.scalar, h)
	nonce := k.nonce(h)
	u := new(edwards25519.Point).ScalarBaseMult(nonce)
	v := new(edwards25519.Point).ScalarMult(nonce, h)
	c := challenge(k.public[:], h, gamma, u, v)
	s := new(edwards25519.Scalar).MultiplyAdd(challengeScalar(c), k.scalar, nonce)
	proof = appendProof(gamma, c, s)
	return output(gamma), proof, nil
}

// nonce is deterministic (section 5.4.2.2): no bad randomness can repeat one.
func (k *PrivateKey) nonce(h *edwards25519.Point) *edwards25519.Scalar {
	digest := sha512.Sum512(append(k.prefix[:], h.Bytes()...))
	return uniform(digest)
}

// Format hides the private key from every verb of fmt.
func (k *PrivateKey) Format(s fmt.State, _ rune) { io.WriteString(s, k.String()) }

// String hides the private key.
func (k *PrivateKey) String() string { return "vrf.PrivateKey(private)" }

// GoString hides the private key.
func (k *PrivateKey) GoString() string { return k.String() }

// MarshalJSON refuses.
func (k *PrivateKey) MarshalJSON() ([]byte, error) { return nil, errPrivate }

// Verify returns the output of alpha under a public key, if the proof proves
// it (RFC 9381, section 5.3, with validate_key). Every failure is ErrProof.
func Verify(public, alpha, proof []byte) (beta [OutputSize]byte, err error) {
	y, ok := parsePublicKey(public)
	if !ok {
		return beta, ErrProof
	}
	return verify(y, public, alpha, proof)
}

// verify trusts the key.
func verify(y *edwards25519.Point, public, alpha, proof []byte) (beta [OutputSize]byte, err error) {
	gamma, c, s, ok := parseProof(proof)
	if !ok {
		return beta, ErrProof
	}
	h, err := encodeToCurve(public, alpha)
	if err != nil {
		return beta, ErrProof
	}
	// The points are negated and not the challenge: it is negated modulo the
	// order of the base, which is another multiple of a point that has a part
	// of low order. All of it is public, so time may tell.
	scalar := challengeScalar(c)
	u := new(edwards25519.Point).VarTimeDoubleScalarBaseMult(scalar, new(edwards25519.Point).Negate(y), s)
	v := new(edwards25519.Point).VarTimeMultiScalarMult(
		[]*edwards25519.Scalar{s, scalar},
		[]*edwards25519.Point{h, new(edwards25519.Point).Negate(gamma)})
	if challenge(public, h, gamma, u, v) != c {
		return beta, ErrProof
	}
	return output(gamma), nil
}

// parsePublicKey is string_to_point with validate_key. Under a key of low
// order the output of every input is the same, and anybody can prove it.
func parsePublicKey(b []byte) (*edwards25519.Point, bool) {
	y, ok := parsePoint(b)
	if !ok || isIdentity(new(edwards25519.Point).MultByCofactor(y)) {
		return nil, false
	}
	return y, true
}

// parsePoint decodes as RFC 8032, section 5.1.3, does. The module accepts more:
// coordinates that are not reduced, and a sign for zero.
func parsePoint(b []byte) (*edwards25519.Point, bool) {
	p, err := new(edwards25519.Point).SetBytes(b)
	if err != nil || !bytes.Equal(p.Bytes(), b) {
		return nil, false
	}
	return p, true
}

func isIdentity(p *edwards25519.Point) bool { return p.Equal(edwards25519.NewIdentityPoint()) == 1 }

// parseProof is decode_proof (section 5.4.4). A response that is not reduced
// would be a second spelling of the same proof.
func parseProof(b []byte) (gamma *edwards25519.Point, c [challengeSize]byte, s *edwards25519.Scalar, ok bool) {
	if len(b) != ProofSize {
		return nil, c, nil, false
	}
	if gamma, ok = parsePoint(b[:pointSize]); !ok {
		return nil, c, nil, false
	}
	copy(c[:], b[pointSize:])
	s, err := new(edwards25519.Scalar).SetCanonicalBytes(b[pointSize+challengeSize:])
	if err != nil {
		return nil, c, nil, false
	}
	return gamma, c, s, true
}

func appendProof(gamma *edwards25519.Point, c [challengeSize]byte, s *edwards25519.Scalar) (proof [ProofSize]byte) {
	copy(proof[:], gamma.Bytes())
	copy(proof[pointSize:], c[:])
	copy(proof[pointSize+challengeSize:], s.Bytes())
	return proof
}

// encodeToCurve tries one hash after the other until it is a point (section
// 5.4.1.1); two are expected. None in 256 has a chance of 2^-256, for nobody
// can choose what a hash gives.
func encodeToCurve(public, alpha []byte) (*edwards25519.Point, error) {
	message := make([]byte, 0, 2+len(public)+len(alpha)+2)
	message = append(message, suite, frontCurve)
	message = append(message, public...)
	message = append(message, alpha...)
	message = append(message, 0, back)
	for counter := range 256 {
		message[len(message)-2] = byte(counter)
		digest := sha512.Sum512(message)
		h, ok := parsePoint(digest[:pointSize])
		if !ok {
			continue
		}
		if h.MultByCofactor(h); !isIdentity(h) {
			return h, nil
		}
	}
	return nil, errNoPoint
}

// challenge is section 5.4.3. It binds the public key too: who could choose the
// key after the challenge would prove outputs that are not that key's.
func challenge(public []byte, h, gamma, u, v *edwards25519.Point) [challengeSize]byte {
	message := append([]byte{suite, frontChallenge}, public...)
	for _, p := range []*edwards25519.Point{h, gamma, u, v} {
		message = append(message, p.Bytes()...)
	}
	digest := sha512.Sum512(append(message, back))
	return [challengeSize]byte(digest[:])
}

// output is proof_to_hash (section 5.2). Without the cofactor, the owner of a
// key would have as many outputs for an input as there are points of low order.
func output(gamma *edwards25519.Point) [OutputSize]byte {
	point := new(edwards25519.Point).MultByCofactor(gamma).Bytes()
	message := append([]byte{suite, frontOutput}, point...)
	return sha512.Sum512(append(message, back))
}

func challengeScalar(c [challengeSize]byte) *edwards25519.Scalar {
	var wide [64]byte
	copy(wide[:], c[:])
	return uniform(wide)
}

// uniform reduces 64 bytes, little-endian, modulo the order of the base.
func uniform(b [64]byte) *edwards25519.Scalar {
	s, err := new(edwards25519.Scalar).SetUniformBytes(b[:])
	if err != nil {
		// Only another length is refused.
		panic("vrf: " + err.Error())
	}
	return s
}

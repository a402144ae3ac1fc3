package keys

import (
	"crypto/ed25519"
	"crypto/sha512"

	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
)

// Sizes of the composite signature.
const (
	signKeySize = mldsa65.PublicKeySize + ed25519.PublicKeySize
	// SignatureSize is the length of every identity's signature.
	SignatureSize = mldsa65.SignatureSize + ed25519.SignatureSize
)

// Constants of id-MLDSA65-Ed25519-SHA512 in
// draft-ietf-lamps-pq-composite-sigs.
const (
	compositePrefix = "CompositeAlgorithmSignatures2025"
	compositeLabel  = "COMPSIG-MLDSA65-Ed25519-SHA512"
	maxContext      = 255
)

// signingKey is the private half of a composite key.
type signingKey struct {
	mldsa *mldsa65.PrivateKey
	ed    ed25519.PrivateKey
}

func newSigningKey(mldsaSeed, edSeed [KeySize]byte) signingKey {
	_, mldsa := mldsa65.NewKeyFromSeed(&mldsaSeed)
	return signingKey{mldsa, ed25519.NewKeyFromSeed(edSeed[:])}
}

func (k signingKey) public() verifyingKey {
	return verifyingKey{k.mldsa.Public().(*mldsa65.PublicKey), k.ed.Public().(ed25519.PublicKey)}
}

// sign signs with both halves. ML-DSA is hedged with fresh randomness.
func (k signingKey) sign(context, message []byte) ([]byte, error) {
	m, ok := compositeMessage(context, message)
	if !ok {
		return nil, ErrMalformed
	}
	signature := make([]byte, mldsa65.SignatureSize, SignatureSize)
	const hedged = true
	if err := mldsa65.SignTo(k.mldsa, m, []byte(compositeLabel), hedged, signature); err != nil {
		return nil, err
	}
	return append(signature, ed25519.Sign(k.ed, m)...), nil
}

// verifyingKey is the public half of a composite key.
type verifyingKey struct {
	mldsa *mldsa65.PublicKey
	ed    ed25519.PublicKey
}

func parseVerifyingKey(b []byte) (verifyingKey, error) {
	if len(b) != signKeySize {
		return verifyingKey{}, ErrMalformed
	}
	mldsa := new(mldsa65.PublicKey)
	if err := mldsa.UnmarshalBinary(b[:mldsa65.PublicKeySize]); err != nil {
		return verifyingKey{}, ErrMalformed
	}
	ed := append(ed25519.PublicKey(nil), b[mldsa65.PublicKeySize:]...)
	return verifyingKey{mldsa, ed}, nil
}

func (k verifyingKey) bytes() []byte { return append(k.mldsa.Bytes(), k.ed...) }

// verify accepts only when both halves do: one algorithm alone, taken from
// somewhere else, is worth nothing (attack 38).
func (k verifyingKey) verify(context, message, signature []byte) error {
	// Both halves have fixed sizes, so the split below has one reading.
	if len(signature) != SignatureSize {
		return ErrSignature
	}
	m, ok := compositeMessage(context, message)
	if !ok {
		return ErrSignature
	}
	mldsa := mldsa65.Verify(k.mldsa, m, []byte(compositeLabel), signature[:mldsa65.SignatureSize])
	ed := ed25519.Verify(k.ed, m, signature[mldsa65.SignatureSize:])
	if !mldsa || !ed {
		return ErrSignature
	}
	return nil
}

// compositeMessage is M' of the draft: prefix, label, context behind its
// length, and the hash of the message. Neither half ever signs anything else,
// so a half cannot be taken for a plain signature.
func compositeMessage(context, message []byte) ([]byte, bool) {
	if len(context) > maxContext {
		return nil, false
	}
	digest := sha512.Sum512(message)
	m := append([]byte(compositePrefix), compositeLabel...)
	m = append(m, byte(len(context)))
	m = append(m, context...)
	return append(m, digest[:]...), true
}

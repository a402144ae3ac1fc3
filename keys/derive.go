package keys

import (
	"crypto/hkdf"
	"crypto/sha512"
	"encoding/binary"
	"math"
)

// KeySize is the length of every symmetric key and seed here.
const KeySize = 32

// Derive makes the key for one purpose from a secret that is already uniformly
// random (a key, a seed, the output of a password hash). It is HKDF-Expand
// with SHA-384 (RFC 5869); info is the label, a zero byte, and each context
// behind its 16-bit length, so no two lists of contexts make the same info.
// Contexts are identifiers of fixed size: one above 65,535 bytes panics.
func Derive(secret []byte, label Label, context ...[]byte) [KeySize]byte {
	info := append([]byte(label), 0)
	for _, c := range context {
		if len(c) > math.MaxUint16 {
			panic("keys: derivation context too long")
		}
		info = binary.BigEndian.AppendUint16(info, uint16(len(c)))
		info = append(info, c...)
	}
	key, err := hkdf.Expand(sha512.New384, secret, string(info), KeySize)
	if err != nil {
		// HKDF refuses only output lengths that do not occur here.
		panic("keys: HKDF: " + err.Error())
	}
	return [KeySize]byte(key)
}

// Commit returns a commitment to a uniformly random key: it fixes the key for
// that label and context and tells nothing about it. Commitments have a label
// of their own, so one is never equal to a derived key.
func Commit(key []byte, label Label, context ...[]byte) [KeySize]byte {
	return Derive(key, LabelCommitment, append([][]byte{[]byte(label)}, context...)...)
}

package log

import (
	"crypto/sha256"

	"github.com/underseal/underseal/protocol/wire"
)

// LeafHash is RFC 6962's hash of one leaf's data.
func LeafHash(data []byte) wire.Hash {
	return sha256.Sum256(append([]byte{0}, data...))
}

// Root is RFC 6962's Merkle tree hash over leaf hashes. The root of none is SHA-256 of nothing.
func Root(leaves []wire.Hash) wire.Hash {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	}
	split := 1
	for split*2 < len(leaves) {
		split *= 2
	}
	left, right := Root(leaves[:split]), Root(leaves[split:])
	var b [65]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}

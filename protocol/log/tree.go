package log

import (
	"crypto/sha256"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/underseal/underseal/protocol/wire"
)

// LeafHash is RFC 6962's hash of one leaf's data.
func LeafHash(data []byte) wire.Hash {
	var b [1 + LeafSize]byte // on the stack: a verifier hashes every leaf there is
	return sha256.Sum256(append(b[:1], data...))
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
	return node(Root(leaves[:split]), Root(leaves[split:]))
}

func node(left, right wire.Hash) wire.Hash {
	return wire.Hash(tlog.NodeHash(tlog.Hash(left), tlog.Hash(right)))
}

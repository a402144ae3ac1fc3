// Package log holds the 98-byte leaf that commits to an entry, and RFC 6962 trees over leaves and digests.
package log

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"

	"github.com/underseal/underseal/protocol/wire"
)

// LeafSize is the size of every leaf.
const LeafSize = 98

// Leaf types.
const (
	TypeState uint16 = 1 // an entry of a chain's state sequence
	TypeTrail uint16 = 2 // an entry of its trail sequence
)

// ErrLink says that a leaf does not stand where it claims: its tag or link is not the one the link key gives.
var ErrLink = errors.New("leaf does not link to the one before it")

// Leaf is what the public sees of an entry: SPEC S-LOG-01.
type Leaf struct {
	Type   uint16
	Tag    wire.Hash // HMAC-SHA-256 under the link key over the position
	Link   wire.Hash // the same over position, previous leaf hash and commit
	Commit wire.Hash // SHA-256 over effect and envelope
}

// LinkKey is the reviewer's rung of one sequence in one epoch.
type LinkKey [32]byte

// Commit hashes an entry. The envelope enters as its hash, so that an erased one can still be counted.
func Commit(effect, envelope []byte) wire.Hash {
	inner := sha256.Sum256(envelope)
	w := wire.NewWriter()
	w.Fixed([]byte("underseal/v1/commit\x00"))
	w.Bytes32(effect)
	w.Fixed(inner[:])
	return sha256.Sum256(w.Bytes())
}

// NewLeaf commits to an entry at a position.
func NewLeaf(kind uint16, key LinkKey, seq uint64, previous, commit wire.Hash) Leaf {
	return Leaf{Type: kind, Tag: key.tag(kind, seq), Link: key.link(kind, seq, previous, commit), Commit: commit}
}

// Check verifies that l stands at seq after previous and commits to commit.
func (l Leaf) Check(kind uint16, key LinkKey, seq uint64, previous, commit wire.Hash) error {
	want := NewLeaf(kind, key, seq, previous, commit)
	if !hmac.Equal(l.Bytes(), want.Bytes()) {
		return ErrLink
	}
	return nil
}

func (k LinkKey) tag(kind uint16, seq uint64) wire.Hash {
	w := wire.NewWriter()
	w.Fixed([]byte("underseal/v1/tag\x00"))
	w.Uint16(kind)
	w.Uint64(seq)
	return k.mac(w.Bytes())
}

func (k LinkKey) link(kind uint16, seq uint64, previous, commit wire.Hash) wire.Hash {
	w := wire.NewWriter()
	w.Fixed([]byte("underseal/v1/link\x00"))
	w.Uint16(kind)
	w.Uint64(seq)
	w.Fixed(previous[:])
	w.Fixed(commit[:])
	return k.mac(w.Bytes())
}

// Opening ties the first position of an epoch to the last one of the epoch before, under the new link key.
func (k LinkKey) Opening(kind uint16, seq uint64, previous wire.Hash) wire.Hash {
	w := wire.NewWriter()
	w.Fixed([]byte("underseal/v1/opening\x00"))
	w.Uint16(kind)
	w.Uint64(seq)
	w.Fixed(previous[:])
	return k.mac(w.Bytes())
}

func (k LinkKey) mac(message []byte) (h wire.Hash) {
	m := hmac.New(sha256.New, k[:])
	m.Write(message)
	m.Sum(h[:0])
	return h
}

// Bytes is the 98-byte encoding.
func (l Leaf) Bytes() []byte {
	w := wire.NewWriter()
	w.Uint16(l.Type)
	w.Fixed(l.Tag[:])
	w.Fixed(l.Link[:])
	w.Fixed(l.Commit[:])
	return w.Bytes()
}

// ParseLeaf is the inverse of Bytes.
func ParseLeaf(b []byte) (Leaf, error) {
	r := wire.NewReader(b)
	l := Leaf{Type: r.Uint16(), Tag: r.Hash(), Link: r.Hash(), Commit: r.Hash()}
	if l.Type != TypeState && l.Type != TypeTrail {
		r.Refuse()
	}
	if err := r.Done(); err != nil {
		return Leaf{}, err
	}
	return l, nil
}

// Hash is the RFC 6962 leaf hash.
func (l Leaf) Hash() wire.Hash { return LeafHash(l.Bytes()) }

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
	TypeState   uint16 = 1 // an entry of a chain's state sequence
	TypeTrail   uint16 = 2 // an entry of its trail sequence
	TypeServer  uint16 = 3 // an entry of its server sequence: what only the server sees
	TypeKeys    uint16 = 4 // a person's public-key link
	TypeMapRoot uint16 = 5 // the root of the map of all leaves before it
)

// ErrLink says that a leaf does not stand where it claims: its tag or link is not the one the link key gives.
var ErrLink = errors.New("leaf does not link to the one before it")

// Leaf is what the public sees of an entry: SPEC S-LOG-01.
type Leaf struct {
	Type   uint16
	Tag    wire.Hash // SHA-256 over chain, position and mark
	Link   wire.Hash // HMAC-SHA-256 under the link key over position, previous leaf hash and commit
	Commit wire.Hash // SHA-256 over effect and envelope
}

// LinkKey is the reviewer's rung of one sequence in one epoch.
type LinkKey [32]byte

// Commit hashes an entry. The envelope enters as its hash, so that an erased one can still be counted.
func Commit(effect, envelope []byte) wire.Hash {
	return CommitErased(effect, sha256.Sum256(envelope))
}

// CommitErased is the same of an entry whose envelope is gone, from the hash that is left of it.
func CommitErased(effect []byte, inner wire.Hash) wire.Hash {
	w := wire.NewWriter()
	w.Fixed([]byte("underseal/v1/commit\x00"))
	w.Bytes32(effect)
	w.Fixed(inner[:])
	return sha256.Sum256(w.Bytes())
}

// NewLeaf commits to an entry at a position of a chain.
func NewLeaf(chain wire.ChainID, kind uint16, key LinkKey, seq uint64, previous, commit wire.Hash) Leaf {
	return Leaf{Type: kind, Tag: key.Tag(chain, kind, seq), Link: key.link(kind, seq, previous, commit), Commit: commit}
}

// Check verifies that l stands at seq of chain after previous and commits to commit.
func (l Leaf) Check(chain wire.ChainID, kind uint16, key LinkKey, seq uint64, previous, commit wire.Hash) error {
	want := NewLeaf(chain, kind, key, seq, previous, commit)
	if !hmac.Equal(l.Bytes(), want.Bytes()) {
		return ErrLink
	}
	return nil
}

// Mark is the MAC of a position: what an entry says in the clear so that a server, which has no link key, can make its tag.
func (k LinkKey) Mark(kind uint16, seq uint64) wire.Hash {
	w := wire.NewWriter()
	w.Fixed([]byte("underseal/v1/mark\x00"))
	w.Uint16(kind)
	w.Uint64(seq)
	return k.mac(w.Bytes())
}

// Tag is the tag of the entry that says mark at a position of a chain. Chain and position are in it, and the server compares
// them with the entry's own: whoever holds a link key cannot use up a tag of its chain from another one, nor a later one of
// its own, with a mark that he knows.
func Tag(chain wire.ChainID, kind uint16, seq uint64, mark wire.Hash) wire.Hash {
	w := wire.NewWriter()
	w.Fixed([]byte("underseal/v1/tag\x00"))
	w.Fixed(chain[:])
	w.Uint16(kind)
	w.Uint64(seq)
	w.Fixed(mark[:])
	return sha256.Sum256(w.Bytes())
}

// Tag is the tag of a position: what the map is asked whether a sequence goes on there.
func (k LinkKey) Tag(chain wire.ChainID, kind uint16, seq uint64) wire.Hash {
	return Tag(chain, kind, seq, k.Mark(kind, seq))
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
	if l.Type < TypeState || l.Type > TypeMapRoot || (l.Type == TypeMapRoot && !l.Tag.IsZero()) || (l.Type >= TypeKeys && !l.Link.IsZero()) {
		r.Refuse()
	}
	if err := r.Done(); err != nil {
		return Leaf{}, err
	}
	return l, nil
}

// MapRootLeaf puts the root of the map into the log. One is the last leaf under every signed checkpoint.
func MapRootLeaf(root wire.Hash) Leaf { return Leaf{Type: TypeMapRoot, Commit: root} }

// KeysLeaf puts a public-key link into the log, under its label in the directory.
func KeysLeaf(label, commit wire.Hash) Leaf { return Leaf{Type: TypeKeys, Tag: label, Commit: commit} }

// ServerLeaf puts an entry of the server sequence into the log. Both halves come from one VRF output: whoever is shown the
// proof can tell where the entry stands, and nobody else can tell that two of them are of one chain.
func ServerLeaf(output [64]byte, previous, commit wire.Hash) Leaf {
	w := wire.NewWriter()
	w.Fixed([]byte("underseal/v1/server-link\x00"))
	w.Fixed(previous[:])
	w.Fixed(commit[:])
	return Leaf{Type: TypeServer, Tag: wire.Hash(output[:32]), Link: LinkKey(output[32:]).mac(w.Bytes()), Commit: commit}
}

// Hash is the RFC 6962 leaf hash.
func (l Leaf) Hash() wire.Hash { return LeafHash(l.Bytes()) }

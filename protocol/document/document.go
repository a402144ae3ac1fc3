// Package document is one version of one document: header, manifest, body and the body's root.
//
// A version is made by New, which picks its identifiers and its key; the body is sealed with Version.BodyContext under
// that key by keys/seal, cut into chunks of ChunkSize, and rooted by BodyRoot over the chunks' SHA-256. The entry that
// adds the version signs header, FLOE header, manifest hash and body root together (SPEC S-DOC-01), so that name,
// place, content and author cannot be split.
package document

import (
	"crypto/sha256"
	"errors"
	"math"
	"math/bits"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

const (
	// ChunkSize is what is uploaded at once: sixteen segments. The last chunk may be shorter.
	ChunkSize = 16 * seal.BodySegment
	// MinBody is the shortest padded body.
	MinBody = 16 << 10
	// MaxBody is the longest body that is accepted, 1 TiB.
	MaxBody = 1 << 40
	// HeaderSize is the size of an encoded Header.
	HeaderSize = 1 + 32 + 16 + 16 + 32 + 8
	// maxManifest bounds a sealed manifest.
	maxManifest = 8 << 10
)

var (
	// ErrManifest says that a manifest does not open, or does not say what the entry says.
	ErrManifest = errors.New("manifest does not belong to this version")
	// ErrBodyRoot says that a list of digests is not the one that was signed.
	ErrBodyRoot = errors.New("chunk digests do not match the signed body root")
	// ErrLength says that a true length and a padded length do not belong together.
	ErrLength = errors.New("padded length is not the one of the true length")
)

// Header is fixed, clear and bound into everything a version is sealed with.
type Header struct {
	Compartment wire.ChainID
	Document    wire.ObjectID
	Version     wire.ObjectID
	Author      keys.Fingerprint
	Padded      uint64
}

// Bytes is the encoding, suite first.
func (h Header) Bytes() []byte {
	w := wire.NewWriter()
	w.Uint8(wire.Suite)
	w.Fixed(h.Compartment[:])
	w.Fixed(h.Document[:])
	w.Fixed(h.Version[:])
	w.Fixed(h.Author[:])
	w.Uint64(h.Padded)
	return w.Bytes()
}

// ParseHeader is the inverse of Bytes.
func ParseHeader(b []byte) (Header, error) {
	r := wire.NewReader(b)
	if err := r.Suite(); err != nil {
		return Header{}, err
	}
	h := Header{Compartment: r.Hash(), Document: r.ID(), Version: r.ID(), Author: keys.Fingerprint(r.Hash()), Padded: r.Uint64()}
	if h.Padded < MinBody || h.Padded > MaxBody || PaddedLength(h.Padded) != h.Padded {
		r.Refuse()
	}
	return h, r.Done()
}

// Context is the associated data of one purpose of this version: no other version or purpose opens it (attack 41).
func (h Header) Context(label keys.Label) []byte {
	return append(append([]byte(label), 0), h.Bytes()...)
}

// Sensitivity is the author's word for how a document is to be treated.
type Sensitivity uint8

// Sensitivities.
const (
	SensitivityNormal       Sensitivity = 0
	SensitivityConfidential Sensitivity = 1
)

// Manifest is what members and auditors may know of a version, and the server may not.
type Manifest struct {
	Name        string
	Folder      string
	MediaType   string
	Length      uint64        // of the content, without padding
	Previous    wire.ObjectID // the version this one replaces; zero for the first
	BodyRoot    wire.Hash
	Sensitivity Sensitivity
}

// Check refuses names that cannot be kept and a length that is not the header's.
func (m Manifest) Check(h Header) error {
	if err := CheckName(m.Name); err != nil {
		return err
	}
	if err := CheckFolder(m.Folder); err != nil {
		return err
	}
	if len(m.MediaType) > MaxName || m.Sensitivity > SensitivityConfidential {
		return ErrManifest
	}
	if m.Length > MaxBody || PaddedLength(m.Length) != h.Padded {
		return ErrLength
	}
	return nil
}

func (m Manifest) bytes() []byte {
	w := wire.NewWriter()
	w.Text(m.Name)
	w.Text(m.Folder)
	w.Text(m.MediaType)
	w.Uint64(m.Length)
	w.Fixed(m.Previous[:])
	w.Fixed(m.BodyRoot[:])
	w.Uint8(uint8(m.Sensitivity))
	return pad512(w.Bytes())
}

// pad512 prefixes a length and fills with zeros to 512 bytes, then Padmé.
func pad512(b []byte) []byte {
	n := len(b) + 4
	size := int(padme(uint64(max(n, 512))))
	w := wire.NewWriter()
	w.Bytes32(b)
	w.Fixed(make([]byte, size-n))
	return w.Bytes()
}

// parseManifest is the inverse of bytes.
func parseManifest(b []byte) (Manifest, error) {
	outer := wire.NewReader(b)
	inner := outer.Bytes32(maxManifest)
	for _, z := range outer.Rest() {
		if z != 0 {
			outer.Refuse()
		}
	}
	if outer.Failed() || len(pad512(inner)) != len(b) {
		return Manifest{}, wire.ErrMalformed
	}
	r := wire.NewReader(inner)
	m := Manifest{Name: r.Text(MaxName), Folder: r.Text(MaxFolder), MediaType: r.Text(MaxName), Length: r.Uint64(),
		Previous: r.ID(), BodyRoot: r.Hash(), Sensitivity: Sensitivity(r.Uint8())}
	if err := r.Done(); err != nil {
		return Manifest{}, err
	}
	return m, nil
}

// PaddedLength is the length of a body's plaintext: Padmé of at least MinBody (SPEC S-DOC-03).
func PaddedLength(length uint64) uint64 { return padme(max(length, MinBody)) }

// padme is Padmé of PURBs (PoPETs 2019): it hides all but O(log log n) bits of a length, for at most 12 percent.
func padme(n uint64) uint64 {
	if n < 2 {
		return n
	}
	e := bits.Len64(n) - 1
	s := bits.Len64(uint64(e))
	mask := uint64(1)<<(e-s) - 1
	return (n + mask) &^ mask
}

// SealedLength is the length of a sealed body of a padded length.
func SealedLength(padded uint64) uint64 {
	return uint64(seal.SealedSize(int64(padded), seal.BodySegment))
}

// Chunks is the number of chunks of a sealed body.
func Chunks(padded uint64) int {
	n := (SealedLength(padded) + ChunkSize - 1) / ChunkSize
	if n > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(n)
}

// ChunkLength is the length of chunk i of a sealed body.
func ChunkLength(padded uint64, i int) int64 {
	if i < 0 || i >= Chunks(padded) {
		return 0
	}
	return min(ChunkSize, int64(SealedLength(padded))-int64(i)*ChunkSize)
}

// BodyRoot is the RFC 6962 root over the chunks' digests.
func BodyRoot(digests []wire.Hash) wire.Hash {
	leaves := make([]wire.Hash, len(digests))
	for i, d := range digests {
		leaves[i] = log.LeafHash(d[:])
	}
	return log.Root(leaves)
}

// CheckDigests refuses a list that is not the signed one, before a chunk is opened (attacks 40, 49).
func CheckDigests(h Header, root wire.Hash, digests []wire.Hash) error {
	if len(digests) != Chunks(h.Padded) || BodyRoot(digests) != root {
		return ErrBodyRoot
	}
	return nil
}

// ManifestHash is what the entry signs of a sealed manifest.
func ManifestHash(sealed []byte) wire.Hash { return sha256.Sum256(sealed) }

package document

import (
	"io"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/wire"
)

// Key is the key of one version's body, random and never reused (attack 43).
type Key [32]byte

// NewKey reads a key from random.
func NewKey(random io.Reader) (Key, error) {
	var k Key
	_, err := io.ReadFull(random, k[:])
	return k, err
}

// Version is what the entry carries of a version, parsed but not yet verified by the chain.
type Version struct {
	Header     Header
	FLOEHeader []byte // the body's: the only commitment to its key, so it is signed here (attack 47)
	WrappedKey []byte // the body's key, sealed under the compartment's content key
	Manifest   []byte // sealed under the entry key
	BodyRoot   wire.Hash
}

// NewVersion seals key and manifest for a version whose body has been uploaded.
func NewVersion(random io.Reader, h Header, floeHeader []byte, key Key, m Manifest, contentKey, entryKey [32]byte) (Version, error) {
	if err := m.Check(h); err != nil {
		return Version{}, err
	}
	wrapped, err := seal.Seal(random, contentKey[:], h.Context(keys.LabelSealDEK), key[:])
	if err != nil {
		return Version{}, err
	}
	manifest, err := seal.Seal(random, entryKey[:], h.Context(keys.LabelSealManifest), m.bytes())
	if err != nil {
		return Version{}, err
	}
	return Version{Header: h, FLOEHeader: append([]byte(nil), floeHeader...), WrappedKey: wrapped, Manifest: manifest, BodyRoot: m.BodyRoot}, nil
}

// OpenManifest opens and checks the manifest: it must name the body root that the entry signs.
func (v Version) OpenManifest(entryKey [32]byte) (Manifest, error) {
	b, err := seal.Open(entryKey[:], v.Header.Context(keys.LabelSealManifest), v.Manifest)
	if err != nil {
		return Manifest{}, ErrManifest
	}
	m, err := parseManifest(b)
	if err != nil {
		return Manifest{}, ErrManifest
	}
	if m.BodyRoot != v.BodyRoot {
		return Manifest{}, ErrManifest
	}
	return m, nil
}

// OpenKey opens the body's key with the content key of the epoch the version was committed in.
func (v Version) OpenKey(contentKey [32]byte) (Key, error) {
	b, err := seal.Open(contentKey[:], v.Header.Context(keys.LabelSealDEK), v.WrappedKey)
	if err != nil {
		return Key{}, err
	}
	if len(b) != 32 {
		return Key{}, wire.ErrMalformed
	}
	return Key(b), nil
}

// BodyContext is the associated data of the body.
func (v Version) BodyContext() []byte { return v.Header.Context(keys.LabelSealBody) }

// Write adds the version to an entry's body.
func (v Version) Write(w *wire.Writer) {
	w.Fixed(v.Header.Bytes())
	w.Bytes16(v.FLOEHeader)
	w.Bytes16(v.WrappedKey)
	w.Bytes16(v.Manifest)
	w.Fixed(v.BodyRoot[:])
}

// ReadVersion is the inverse of Write.
func ReadVersion(r *wire.Reader) Version {
	h, err := ParseHeader(r.Fixed(HeaderSize))
	if err != nil {
		r.Refuse()
	}
	v := Version{Header: h, FLOEHeader: r.Bytes16(seal.HeaderSize), WrappedKey: r.Bytes16(512), Manifest: r.Bytes16(maxManifest), BodyRoot: r.Hash()}
	if len(v.FLOEHeader) != seal.HeaderSize {
		r.Refuse()
	}
	return v
}

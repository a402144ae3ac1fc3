package chain

import (
	"crypto/sha256"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/wire"
)

// MaxKeyLinks bounds a person's links in one firm.
const MaxKeyLinks = 1000

// KeyLink is one set of public keys of a person in a firm. Each but the first is signed by the keys of the one before, so
// that nobody's keys change but by his own word. The firm's directory keeps all of them; a chain takes the ones of its own
// members by a renew entry.
type KeyLink struct {
	Firm      wire.ChainID
	Member    wire.ObjectID
	Number    uint32    // from 0
	Previous  wire.Hash // Commit of the link before; zeros for the first
	Bundle    Bundle
	Signature []byte // by the keys before, over all above; empty for the first
}

// FirstKeyLink is a person's first link: the bundle signs itself.
func FirstKeyLink(firm wire.ChainID, bundle Bundle) KeyLink {
	return KeyLink{Firm: firm, Member: bundle.Member, Bundle: bundle}
}

// Next is the link to new keys, signed by the ones that l has.
func (l KeyLink) Next(bundle Bundle, old *keys.Identity) (KeyLink, error) {
	n := KeyLink{Firm: l.Firm, Member: l.Member, Number: l.Number + 1, Previous: l.Commit(), Bundle: bundle}
	signature, err := old.Sign(keys.LabelSignKeyLink, n.signed().Bytes())
	n.Signature = signature
	return n, err
}

func (l KeyLink) signed() *wire.Writer {
	w := wire.NewWriter()
	w.Uint8(wire.Suite)
	w.Fixed(l.Firm[:])
	w.Fixed(l.Member[:])
	w.Uint32(l.Number)
	w.Fixed(l.Previous[:])
	w.Fixed(l.Bundle.Bytes())
	return w
}

// Bytes is the encoding: SPEC S-DIR-01.
func (l KeyLink) Bytes() []byte {
	w := l.signed()
	w.Bytes16(l.Signature)
	return w.Bytes()
}

// MaxKeyLink bounds the encoding of a link.
const MaxKeyLink = 1 + 32 + 16 + 4 + 32 + BundleSize + 2 + signatureSize

// ParseKeyLink is the inverse of Bytes. It checks form, not truth.
func ParseKeyLink(b []byte) (KeyLink, error) {
	r := wire.NewReader(b)
	if err := r.Suite(); err != nil {
		return KeyLink{}, err
	}
	l := KeyLink{Firm: r.Hash(), Member: r.ID(), Number: r.Uint32(), Previous: r.Hash()}
	bundle, err := ParseBundle(r.Fixed(BundleSize))
	if err != nil {
		r.Refuse()
	}
	l.Bundle = bundle
	if l.Signature = r.Bytes16(signatureSize); (l.Number == 0) != (len(l.Signature) == 0) || (l.Number == 0) != l.Previous.IsZero() || l.Number >= MaxKeyLinks {
		r.Refuse()
	}
	return l, r.Done()
}

// Commit is what the link's leaf commits to.
func (l KeyLink) Commit() wire.Hash {
	w := wire.NewWriter()
	w.Fixed([]byte("underseal/v1/key-link\x00"))
	w.Fixed(l.Bytes())
	return sha256.Sum256(w.Bytes())
}

// Follows verifies l against the link before it; nil for the first. The error is ErrKeyLink.
func (l KeyLink) Follows(before *KeyLink) error {
	if before == nil {
		if l.Bundle.Member != l.Member || l.Bundle.Verify() != nil || l.Number != 0 || !l.Previous.IsZero() || len(l.Signature) != 0 {
			return ErrKeyLink
		}
		return nil
	}
	if l.Firm != before.Firm || l.Member != before.Member || l.Number != before.Number+1 || l.Previous != before.Commit() {
		return ErrKeyLink
	}
	return l.SignedBy(before.Bundle.Keys)
}

// SignedBy verifies that the holder of the keys before made the link, and that its bundle is its member's. Where the link
// stands in the order of all of a person's, the directory says.
func (l KeyLink) SignedBy(before *keys.PublicKeys) error {
	if l.Number == 0 || l.Bundle.Member != l.Member || l.Bundle.Keys.Equal(before) || l.Bundle.Verify() != nil {
		return ErrKeyLink
	}
	if before.Verify(keys.LabelSignKeyLink, l.signed().Bytes(), l.Signature) != nil {
		return ErrKeyLink
	}
	return nil
}

// Package directory is how a client learns a person's public keys in a firm, and how it checks that there are no newer ones.
//
// A person's keys are a sequence of links. Each stands in the firm's log under a label that only the log's VRF key can make,
// so that the public can neither find a person nor tell which links are of one; each but the first is signed by the keys of
// the one before. A lookup shows the newest link present in the map and the next one absent: SPEC section 6.3.
package directory

import (
	"crypto/sha256"
	"errors"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/vrf"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// Errors of a directory.
var (
	ErrLink    = errors.New("not a key link that the keys before it signed")
	ErrLookup  = errors.New("a lookup that its proofs do not show")
	ErrVanish  = errors.New("the directory shows fewer or other keys than it did")
	ErrNewKeys = errors.New("this person has newer keys than the roster")
)

// MaxLinks bounds a person's links in one firm.
const MaxLinks = 1000

// Link is one set of public keys of a person.
type Link struct {
	Firm      wire.ChainID
	Member    wire.ObjectID
	Number    uint32    // from 0
	Previous  wire.Hash // Commit of the link before; zeros for the first
	Bundle    chain.Bundle
	Signature []byte // by the keys before, over all above; empty for the first
}

func (l Link) signed() *wire.Writer {
	w := wire.NewWriter()
	w.Uint8(wire.Suite)
	w.Fixed(l.Firm[:])
	w.Fixed(l.Member[:])
	w.Uint32(l.Number)
	w.Fixed(l.Previous[:])
	w.Fixed(l.Bundle.Bytes())
	return w
}

// First is a person's first link: the bundle signs itself.
func First(firm wire.ChainID, bundle chain.Bundle) Link {
	return Link{Firm: firm, Member: bundle.Member, Bundle: bundle}
}

// Next is the link to new keys, signed by the ones that l has.
func (l Link) Next(bundle chain.Bundle, old *keys.Identity) (Link, error) {
	n := Link{Firm: l.Firm, Member: l.Member, Number: l.Number + 1, Previous: l.Commit(), Bundle: bundle}
	signature, err := old.Sign(keys.LabelSignKeyLink, n.signed().Bytes())
	n.Signature = signature
	return n, err
}

// Bytes is the encoding: SPEC S-DIR-01.
func (l Link) Bytes() []byte {
	w := l.signed()
	w.Bytes16(l.Signature)
	return w.Bytes()
}

const maxSignature = 3373

// ParseLink is the inverse of Bytes. It checks form, not truth.
func ParseLink(b []byte) (Link, error) {
	r := wire.NewReader(b)
	if err := r.Suite(); err != nil {
		return Link{}, err
	}
	l := Link{Firm: r.Hash(), Member: r.ID(), Number: r.Uint32(), Previous: r.Hash()}
	bundle, err := chain.ParseBundle(r.Fixed(chain.BundleSize))
	if err != nil {
		r.Refuse()
	}
	l.Bundle = bundle
	if l.Signature = r.Bytes16(maxSignature); (l.Number == 0) != (len(l.Signature) == 0) || (l.Number == 0) != l.Previous.IsZero() || l.Number >= MaxLinks {
		r.Refuse()
	}
	return l, r.Done()
}

// Commit is what the link's leaf commits to.
func (l Link) Commit() wire.Hash {
	w := wire.NewWriter()
	w.Fixed([]byte("underseal/v1/key-link\x00"))
	w.Fixed(l.Bytes())
	return sha256.Sum256(w.Bytes())
}

// Follows verifies l against the link before it; nil for the first.
func (l Link) Follows(before *Link) error {
	if l.Bundle.Member != l.Member || l.Bundle.Verify() != nil {
		return ErrLink
	}
	if before == nil {
		if l.Number != 0 || !l.Previous.IsZero() || len(l.Signature) != 0 {
			return ErrLink
		}
		return nil
	}
	if l.Firm != before.Firm || l.Member != before.Member || l.Number != before.Number+1 || l.Previous != before.Commit() {
		return ErrLink
	}
	if before.Bundle.Keys.Verify(keys.LabelSignKeyLink, l.signed().Bytes(), l.Signature) != nil {
		return ErrLink
	}
	return nil
}

// Label is what the log's VRF key is asked about a person's link: a person has one label space in a firm.
func Label(firm wire.ChainID, member wire.ObjectID, number uint32) []byte {
	w := wire.NewWriter()
	w.Fixed([]byte("underseal/v1/key-label\x00"))
	w.Fixed(firm[:])
	w.Fixed(member[:])
	w.Uint32(number)
	return w.Bytes()
}

// Leaf is the leaf of a link under its VRF output.
func (l Link) Leaf(output [vrf.OutputSize]byte) log.Leaf {
	return log.KeysLeaf(wire.Hash(output[:32]), l.Commit())
}

// Lookup is the answer to who somebody is: all his links, oldest first, with a VRF proof for each and one for the number
// after the last, the last one's proof of presence and the proof that none follows, under one root of the map.
type Lookup struct {
	Links   [][]byte `json:"links"`
	Proofs  [][]byte `json:"proofs"`  // one more than links
	Present [][]byte `json:"present"` // log.MapProof, one for each link
	Absent  []byte   `json:"absent"`
}

// Verify is the person's newest link, verified back to the first one and under the map's root.
func (l Lookup) Verify(vrfKey []byte, firm wire.ChainID, member wire.ObjectID, mapRoot wire.Hash) ([]Link, error) {
	n := len(l.Links)
	if n == 0 || n > MaxLinks || len(l.Proofs) != n+1 || len(l.Present) != n {
		return nil, ErrLookup
	}
	var links []Link
	var before *Link
	for i := range n {
		link, err := ParseLink(l.Links[i])
		if err != nil || link.Firm != firm || link.Member != member || link.Number != uint32(i) {
			return nil, ErrLookup
		}
		if err := link.Follows(before); err != nil {
			return nil, err
		}
		output, err := vrf.Verify(vrfKey, Label(firm, member, uint32(i)), l.Proofs[i])
		if err != nil {
			return nil, ErrLookup
		}
		leaf := link.Leaf(output)
		value, present, err := verifyProof(l.Present[i], mapRoot, leaf.Tag)
		if err != nil || !present || value != leaf.Hash() {
			return nil, ErrLookup
		}
		links = append(links, link)
		before = &links[i]
	}
	output, err := vrf.Verify(vrfKey, Label(firm, member, uint32(n)), l.Proofs[n])
	if err != nil {
		return nil, ErrLookup
	}
	if _, present, err := verifyProof(l.Absent, mapRoot, wire.Hash(output[:32])); err != nil || present {
		return nil, ErrLookup
	}
	return links, nil
}

func verifyProof(b []byte, root, label wire.Hash) (wire.Hash, bool, error) {
	p, err := log.ParseMapProof(b)
	if err != nil {
		return wire.Hash{}, false, err
	}
	return p.Verify(root, log.MapKey(log.TypeKeys, label))
}

// Seen is what a client remembers of a person: how many links, and the hash of the newest.
type Seen struct {
	Links  uint32
	Newest wire.Hash
}

// Extend compares a verified lookup with what was seen before (attacks 2, 3, 4): no link that was ever served may vanish or
// change.
func (s Seen) Extend(links []Link) (Seen, error) {
	if len(links) == 0 {
		return Seen{}, ErrVanish
	}
	if s.Links > 0 && (uint32(len(links)) < s.Links || links[s.Links-1].Commit() != s.Newest) {
		return Seen{}, ErrVanish
	}
	return Seen{Links: uint32(len(links)), Newest: links[len(links)-1].Commit()}, nil
}

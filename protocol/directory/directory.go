// Package directory is how a client learns a person's public keys in a firm, and how it checks that there are no newer ones.
//
// A person's keys are a sequence of links. Each stands in the firm's log under a label that only the log's VRF key can make,
// so that the public can neither find a person nor tell which links are of one; each but the first is signed by the keys of
// the one before. A lookup shows the newest link present in the map and the next one absent: SPEC section 6.3.
package directory

import (
	"errors"

	"github.com/underseal/underseal/keys/vrf"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// Errors of a directory.
var (
	ErrLookup  = errors.New("a lookup that its proofs do not show")
	ErrVanish  = errors.New("the directory shows fewer or other keys than it did")
	ErrNewKeys = errors.New("this person has newer keys than the roster")
)

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
func Leaf(l chain.KeyLink, output [vrf.OutputSize]byte) log.Leaf {
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
func (l Lookup) Verify(vrfKey []byte, firm wire.ChainID, member wire.ObjectID, mapRoot wire.Hash) ([]chain.KeyLink, error) {
	n := len(l.Links)
	if n == 0 || n > chain.MaxKeyLinks || len(l.Proofs) != n+1 || len(l.Present) != n {
		return nil, ErrLookup
	}
	var links []chain.KeyLink
	var before *chain.KeyLink
	for i := range n {
		link, err := chain.ParseKeyLink(l.Links[i])
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
		leaf := Leaf(link, output)
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
func (s Seen) Extend(links []chain.KeyLink) (Seen, error) {
	if len(links) == 0 {
		return Seen{}, ErrVanish
	}
	if s.Links > 0 && (uint32(len(links)) < s.Links || links[s.Links-1].Commit() != s.Newest) {
		return Seen{}, ErrVanish
	}
	return Seen{Links: uint32(len(links)), Newest: links[len(links)-1].Commit()}, nil
}

package directory

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"testing"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/vrf"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

type memoryPages map[string][]byte

func (m memoryPages) Page(path string) ([]byte, error)       { return m[path], nil }
func (m memoryPages) PutPage(path string, page []byte) error { m[path] = page; return nil }
func (m memoryPages) DeletePage(path string) error           { delete(m, path); return nil }

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func identity(t testing.TB) *keys.Identity {
	t.Helper()
	seed, err := keys.GenerateIdentitySeed(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return must[*keys.Identity](t)(keys.NewIdentity(seed))
}

func bundle(t testing.TB, member wire.ObjectID, i *keys.Identity) chain.Bundle {
	t.Helper()
	return must[chain.Bundle](t)(chain.NewBundle(member, i))
}

func vrfKey(t testing.TB, seed byte) *vrf.PrivateKey {
	t.Helper()
	return must[*vrf.PrivateKey](t)(vrf.NewPrivateKey(bytes.Repeat([]byte{seed}, vrf.SeedSize)))
}

var firm = wire.ChainID{1}

// person is somebody with as many sets of keys as he had so far.
type person struct {
	member     wire.ObjectID
	identities []*keys.Identity
	links      []chain.KeyLink
}

func newPerson(t testing.TB, member byte, n int) *person {
	t.Helper()
	p := &person{member: wire.ObjectID{member}}
	for i := range n {
		id := identity(t)
		if i == 0 {
			p.links = append(p.links, chain.FirstKeyLink(firm, bundle(t, p.member, id)))
		} else {
			p.links = append(p.links, must[chain.KeyLink](t)(p.links[i-1].Next(bundle(t, p.member, id), p.identities[i-1])))
		}
		p.identities = append(p.identities, id)
	}
	return p
}

// register is the server: a VRF key and a map.
type register struct {
	key   *vrf.PrivateKey
	pages memoryPages
	root  wire.Hash
}

func newRegister(t testing.TB, people ...*person) *register {
	t.Helper()
	r := &register{key: vrfKey(t, 1), pages: memoryPages{}}
	for n := range 40 { // tags of other leaves
		r.insert(t, log.Leaf{Type: log.TypeState, Tag: wire.Hash{byte(n), 9}, Commit: wire.Hash{byte(n)}})
	}
	for _, p := range people {
		for _, l := range p.links {
			r.add(t, l)
		}
	}
	return r
}

func (r *register) insert(t testing.TB, l log.Leaf) {
	t.Helper()
	item, _ := log.MapItemOf(l)
	r.root = must[wire.Hash](t)(log.MapInsert(r.pages, []log.MapItem{item}))
}

// signed is what a link's signature is over: all before it.
func signed(l chain.KeyLink) []byte {
	b := l.Bytes()
	return b[:len(b)-2-len(l.Signature)]
}

func (r *register) add(t testing.TB, l chain.KeyLink) {
	t.Helper()
	output, _ := r.prove(t, l.Member, l.Number)
	r.insert(t, Leaf(l, output))
}

func (r *register) prove(t testing.TB, member wire.ObjectID, number uint32) ([vrf.OutputSize]byte, []byte) {
	t.Helper()
	output, proof, err := r.key.Prove(Label(firm, member, number))
	if err != nil {
		t.Fatal(err)
	}
	return output, proof[:]
}

func (r *register) mapProof(t testing.TB, member wire.ObjectID, number uint32) []byte {
	t.Helper()
	output, _ := r.prove(t, member, number)
	return must[log.MapProof](t)(log.MapProve(r.pages, log.MapKey(log.TypeKeys, wire.Hash(output[:32])))).Bytes()
}

func (r *register) lookup(t testing.TB, p *person) Lookup {
	t.Helper()
	var l Lookup
	for i, link := range p.links {
		l.Links = append(l.Links, link.Bytes())
		l.Present = append(l.Present, r.mapProof(t, p.member, uint32(i)))
	}
	for i := range len(p.links) + 1 {
		_, proof := r.prove(t, p.member, uint32(i))
		l.Proofs = append(l.Proofs, proof)
	}
	l.Absent = r.mapProof(t, p.member, uint32(len(p.links)))
	return l
}

// TestFollows: a person's first keys sign themselves, later ones are signed by the ones before, in order. S-DIR-02
func TestFollows(t *testing.T) {
	p, other := newPerson(t, 1, 3), newPerson(t, 2, 2)
	for i := range p.links {
		var before *chain.KeyLink
		if i > 0 {
			before = &p.links[i-1]
		}
		if err := p.links[i].Follows(before); err != nil {
			t.Fatalf("link %d: %v", i, err)
		}
	}
	resign := func(l chain.KeyLink, by *keys.Identity, label keys.Label) chain.KeyLink {
		l.Signature = must[[]byte](t)(by.Sign(label, signed(l)))
		return l
	}
	second := p.links[1]
	for name, c := range map[string]struct {
		link   chain.KeyLink
		before *chain.KeyLink
	}{
		"a later link as the first": {second, nil},
		"a first link after one":    {p.links[0], &p.links[0]},
		"a link left out":           {p.links[2], &p.links[0]},
		"a link after itself":       {second, &second},
		"another person's before":   {second, &other.links[0]},
		"no signature":              {func() chain.KeyLink { l := second; l.Signature = nil; return l }(), &p.links[0]},
		"the new keys' signature":   {resign(second, p.identities[1], keys.LabelSignKeyLink), &p.links[0]},
		"another's signature":       {resign(second, other.identities[0], keys.LabelSignKeyLink), &p.links[0]},
		"a signature for another purpose": {
			resign(second, p.identities[0], keys.LabelSignKeys), &p.links[0]},
		"a signature's bit": {func() chain.KeyLink { l := second; l.Signature = flip(l.Signature, 7); return l }(), &p.links[0]},
		"keys exchanged":    {func() chain.KeyLink { l := second; l.Bundle = bundle(t, p.member, identity(t)); return l }(), &p.links[0]},
		"another's bundle, signed": {resign(func() chain.KeyLink { l := second; l.Bundle = other.links[0].Bundle; return l }(), p.identities[0], keys.LabelSignKeyLink),
			&p.links[0]},
		"another's keys, which he did not sign": {resign(func() chain.KeyLink { l := second; l.Bundle.Keys = other.links[0].Bundle.Keys; return l }(), p.identities[0], keys.LabelSignKeyLink),
			&p.links[0]},
		"another member, signed": {resign(func() chain.KeyLink { l := second; l.Member = other.member; l.Bundle = other.links[0].Bundle; return l }(), p.identities[0], keys.LabelSignKeyLink),
			&p.links[0]},
		"another firm, signed":      {resign(func() chain.KeyLink { l := second; l.Firm[0] ^= 2; return l }(), p.identities[0], keys.LabelSignKeyLink), &p.links[0]},
		"another number, signed":    {resign(func() chain.KeyLink { l := second; l.Number = 2; return l }(), p.identities[0], keys.LabelSignKeyLink), &p.links[0]},
		"another before, signed":    {resign(func() chain.KeyLink { l := second; l.Previous[0] ^= 1; return l }(), p.identities[0], keys.LabelSignKeyLink), &p.links[0]},
		"a first one with a before": {func() chain.KeyLink { l := p.links[0]; l.Previous[0] = 1; return l }(), nil},
		"a first one with a signature": {
			resign(p.links[0], p.identities[0], keys.LabelSignKeyLink), nil},
		"a first one that its keys did not sign": {func() chain.KeyLink { l := p.links[0]; l.Bundle.Keys = other.links[0].Bundle.Keys; return l }(), nil},
		"a first one of another member":          {func() chain.KeyLink { l := p.links[0]; l.Member = other.member; return l }(), nil},
	} {
		if err := c.link.Follows(c.before); !errors.Is(err, chain.ErrKeyLink) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The commit covers every byte, the signature too.
	b, commits := second.Bytes(), map[wire.Hash]bool{second.Commit(): true}
	for at := 1; at < len(b); at += 97 {
		if l, err := chain.ParseKeyLink(flip(b, at)); err == nil {
			commits[l.Commit()] = true
		} else {
			commits[wire.Hash{byte(at), byte(at >> 8)}] = true
		}
	}
	if len(commits) != 1+(len(b)-1+96)/97 {
		t.Error("two links have one commit")
	}
}

func flip(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 1
	return b
}

// TestLookup: the newest keys of a person are proved to be his and to have none after them, under one root of the map.
// S-DIR-03 S-DIR-04
func TestLookup(t *testing.T) {
	p, other := newPerson(t, 1, 3), newPerson(t, 2, 3)
	r := newRegister(t, p, other)
	old := r.root
	good := r.lookup(t, p)
	links, err := good.Verify(r.key.Public(), firm, p.member, r.root)
	if err != nil || len(links) != 3 || links[2].Commit() != p.links[2].Commit() || !links[2].Bundle.Keys.Equal(p.identities[2].Public()) {
		t.Fatalf("%d links: %v", len(links), err)
	}
	theirs := r.lookup(t, other)
	one := newPerson(t, 3, 1)
	short := newRegister(t, one).lookup(t, one) // a lookup under another root
	type attack struct {
		l      Lookup
		vrf    []byte
		firm   wire.ChainID
		member wire.ObjectID
		root   wire.Hash
	}
	// cut is the lookup of who claims that the person had only the first n links.
	cut := func(l Lookup, n int) Lookup {
		return Lookup{Links: l.Links[:n], Proofs: l.Proofs[:n+1], Present: l.Present[:n], Absent: l.Absent}
	}
	fork := must[chain.KeyLink](t)(p.links[1].Next(bundle(t, p.member, identity(t)), p.identities[1])) // signed, and never in the map
	for _, a := range []struct {
		name string
		want error
		lie  func(*attack)
	}{
		{"nothing", nil, func(*attack) {}},
		{"4 an old link as the newest, with the newest's absence", ErrLookup, func(a *attack) { a.l = cut(a.l, 2) }},
		{"4 an old link as the newest, with the next one's presence for an absence", ErrLookup, func(a *attack) { a.l = cut(a.l, 2); a.l.Absent = r.mapProof(t, p.member, 2) }},
		{"4 an old link as the newest, with another number's absence", ErrLookup, func(a *attack) {
			a.l = cut(a.l, 2)
			a.l.Proofs[2], a.l.Absent = good.Proofs[3], good.Absent
		}},
		{"4 an old link as the newest, with another person's absence", ErrLookup, func(a *attack) { a.l = cut(a.l, 2); a.l.Proofs[2], a.l.Absent = theirs.Proofs[3], theirs.Absent }},
		{"2 keys that never stood in the map", ErrLookup, func(a *attack) { a.l.Links[2] = fork.Bytes() }},
		{"2 somebody's own first link", ErrLookup, func(a *attack) { a.l.Links[0] = chain.FirstKeyLink(firm, bundle(t, p.member, identity(t))).Bytes() }},
		{"a link whose signature another made", chain.ErrKeyLink, func(a *attack) {
			l := p.links[2]
			l.Signature = must[[]byte](t)(other.identities[0].Sign(keys.LabelSignKeyLink, signed(l)))
			a.l.Links[2] = l.Bytes()
		}},
		{"1 another person's lookup", ErrLookup, func(a *attack) { a.l = theirs }},
		{"1 another person's label", ErrLookup, func(a *attack) { a.l.Proofs[2], a.l.Present[2] = theirs.Proofs[2], theirs.Present[2] }},
		{"another person's label for a proof alone", ErrLookup, func(a *attack) { a.l.Proofs[1] = theirs.Proofs[1] }},
		{"another person's presence", ErrLookup, func(a *attack) { a.l.Present[1] = theirs.Present[1] }},
		{"an absence for a presence", ErrLookup, func(a *attack) { a.l.Present[2] = a.l.Absent }},
		{"another member asked for", ErrLookup, func(a *attack) { a.member = other.member }},
		{"another firm asked for", ErrLookup, func(a *attack) { a.firm = wire.ChainID{2} }},
		{"another VRF key", ErrLookup, func(a *attack) { a.vrf = vrfKey(t, 2).Public() }},
		{"a VRF key of low order", ErrLookup, func(a *attack) { a.vrf = append([]byte{1}, make([]byte, 31)...) }},
		{"another root", ErrLookup, func(a *attack) { a.root[0] ^= 1 }},
		{"a root of nothing", ErrLookup, func(a *attack) { a.root = wire.Hash{} }},
		{"another map's proofs", ErrLookup, func(a *attack) { a.l.Absent = short.Absent }},
		{"no link", ErrLookup, func(a *attack) { a.l = cut(a.l, 0) }},
		{"nothing at all", ErrLookup, func(a *attack) { a.l = Lookup{} }},
		{"a proof missing", ErrLookup, func(a *attack) { a.l.Proofs = a.l.Proofs[:3] }},
		{"a proof more", ErrLookup, func(a *attack) { a.l.Proofs = append(a.l.Proofs, a.l.Proofs[0]) }},
		{"a presence missing", ErrLookup, func(a *attack) { a.l.Present = a.l.Present[:2] }},
		{"a presence more", ErrLookup, func(a *attack) { a.l.Present = append(a.l.Present, a.l.Present[0]) }},
		{"no absence", ErrLookup, func(a *attack) { a.l.Absent = nil }},
		{"links exchanged", ErrLookup, func(a *attack) { a.l.Links[1], a.l.Links[2] = a.l.Links[2], a.l.Links[1] }},
		{"a link twice", ErrLookup, func(a *attack) { a.l.Links[2] = a.l.Links[1] }},
		{"a link with a byte more", ErrLookup, func(a *attack) { a.l.Links[2] = append(a.l.Links[2], 0) }},
		{"a link of noise", ErrLookup, func(a *attack) { a.l.Links[0] = []byte{1} }},
		{"more links than there may be", ErrLookup, func(a *attack) {
			a.l.Links, a.l.Present, a.l.Proofs = make([][]byte, chain.MaxKeyLinks+1), make([][]byte, chain.MaxKeyLinks+1), make([][]byte, chain.MaxKeyLinks+2)
		}},
	} {
		t.Run(a.name, func(t *testing.T) {
			x := attack{clone(good), r.key.Public(), firm, p.member, r.root}
			a.lie(&x)
			links, err := x.l.Verify(x.vrf, x.firm, x.member, x.root)
			if !errors.Is(err, a.want) || (err != nil && links != nil) {
				t.Errorf("got %d links, %v, want %v", len(links), err, a.want)
			}
		})
	}
	// Every proof is looked at, in every byte.
	parts := func(l Lookup) [][]byte { return append(append(slices.Clone(l.Proofs), l.Present...), l.Absent) }
	for n := range parts(good) {
		for at := range parts(good)[n] {
			if at > 200 && at%7 != 0 {
				continue
			}
			x := clone(good)
			parts(x)[n][at] ^= 1
			if _, err := x.Verify(r.key.Public(), firm, p.member, r.root); err == nil {
				t.Fatalf("byte %d of part %d is not looked at", at, n)
			}
		}
	}
	for n := range good.Links {
		for at := 0; at < len(good.Links[n]); at += 173 {
			x := clone(good)
			x.Links[n][at] ^= 1
			if _, err := x.Verify(r.key.Public(), firm, p.member, r.root); err == nil {
				t.Fatalf("byte %d of link %d is not looked at", at, n)
			}
		}
	}
	// 1, 5: a server puts something else under his label, and proves it well.
	abroad := chain.FirstKeyLink(wire.ChainID{2}, bundle(t, p.member, p.identities[0]))
	for name, link := range map[string]chain.KeyLink{"another person's link": other.links[0], "his link in another firm": abroad, "a later link of his as the first": p.links[1]} {
		bad := newRegister(t)
		output, _ := bad.prove(t, p.member, 0)
		bad.insert(t, Leaf(link, output))
		l := bad.lookup(t, &person{member: p.member, links: []chain.KeyLink{link}})
		if _, err := l.Verify(bad.key.Public(), firm, p.member, bad.root); !errors.Is(err, ErrLookup) {
			t.Errorf("%s under his label: %v", name, err)
		}
	}
	// New keys: what was a good lookup is none under the new root, and still one under the root it was made for.
	id := identity(t)
	next := must[chain.KeyLink](t)(p.links[2].Next(bundle(t, p.member, id), p.identities[2]))
	r.add(t, next)
	if _, err := good.Verify(r.key.Public(), firm, p.member, r.root); !errors.Is(err, ErrLookup) {
		t.Errorf("an old lookup under the new root: %v", err)
	}
	stale := r.lookup(t, p) // the server leaves the newest out and has only its presence to show
	if _, err := stale.Verify(r.key.Public(), firm, p.member, r.root); !errors.Is(err, ErrLookup) {
		t.Errorf("4 an old link as the newest although the newer one is in the map: %v", err)
	}
	if _, err := good.Verify(r.key.Public(), firm, p.member, old); err != nil {
		t.Errorf("under its own root: %v", err)
	}
	p.links, p.identities = append(p.links, next), append(p.identities, id)
	if links, err := r.lookup(t, p).Verify(r.key.Public(), firm, p.member, r.root); err != nil || len(links) != 4 {
		t.Errorf("with the new keys: %v", err)
	}
	// A label stands once.
	output, _ := r.prove(t, p.member, 1)
	item, _ := log.MapItemOf(Leaf(fork, output))
	if _, err := log.MapInsert(r.pages, []log.MapItem{item}); !errors.Is(err, log.ErrMapTaken) {
		t.Errorf("2 other keys under a label: %v", err)
	}
}

func clone(l Lookup) Lookup {
	each := func(list [][]byte) [][]byte {
		out := make([][]byte, len(list))
		for i := range list {
			out[i] = bytes.Clone(list[i])
		}
		return out
	}
	return Lookup{each(l.Links), each(l.Proofs), each(l.Present), bytes.Clone(l.Absent)}
}

// TestLabels: a label is of one firm, person and number, and is no event's. S-DIR-03
func TestLabels(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range []wire.ChainID{{1}, {2}} {
		for _, m := range []wire.ObjectID{{1}, {2}} {
			for n := range uint32(3) {
				seen[string(Label(f, m, n))] = true
			}
		}
		seen[string(chain.EventLabel(f, 1))] = true
	}
	if len(seen) != 14 {
		t.Errorf("%d labels", len(seen))
	}
	l := newPerson(t, 1, 1).links[0]
	leaf := Leaf(l, [64]byte{5, 63: 1})
	if leaf != (log.Leaf{Type: log.TypeKeys, Tag: wire.Hash{5}, Commit: l.Commit()}) {
		t.Error("a leaf says more than label and commit")
	}
	if again, err := log.ParseLeaf(leaf.Bytes()); err != nil || again != leaf {
		t.Errorf("the leaf: %v", err)
	}
}

// TestSeen: what a client was shown of a person neither vanishes nor changes. S-DIR-05
func TestSeen(t *testing.T) {
	p, other := newPerson(t, 1, 3), newPerson(t, 1, 3)
	s := must[Seen](t)(Seen{}.Extend(p.links[:2]))
	if s != (Seen{2, p.links[1].Commit()}) {
		t.Fatalf("%+v", s)
	}
	if again := must[Seen](t)(s.Extend(p.links[:2])); again != s {
		t.Error("the same again is something else")
	}
	if next := must[Seen](t)(s.Extend(p.links)); next != (Seen{3, p.links[2].Commit()}) {
		t.Error("new keys")
	}
	for name, links := range map[string][]chain.KeyLink{"one vanished": p.links[:1], "all vanished": nil, "others": other.links, "others of the same number": other.links[:2],
		"another newest": {p.links[0], other.links[1]}} {
		if got, err := s.Extend(links); !errors.Is(err, ErrVanish) || got != (Seen{}) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (Seen{}).Extend(nil); !errors.Is(err, ErrVanish) {
		t.Errorf("nothing seen of nothing: %v", err)
	}
}

// TestLinkForm: one spelling, and a first link is one in every field. S-DIR-01 S-WIRE-03
func TestLinkForm(t *testing.T) {
	p := newPerson(t, 1, 2)
	for i, l := range p.links {
		b := l.Bytes()
		again, err := chain.ParseKeyLink(b)
		if err != nil || !bytes.Equal(again.Bytes(), b) || again.Commit() != l.Commit() {
			t.Fatalf("link %d: %v", i, err)
		}
		if want := 1 + 32 + 16 + 4 + 32 + chain.BundleSize + 2 + i*3373; len(b) != want {
			t.Errorf("link %d has %d bytes, want %d", i, len(b), want)
		}
		for _, n := range []int{0, 1, 84, 85, len(b) - 1} {
			if _, err := chain.ParseKeyLink(b[:n]); err == nil {
				t.Errorf("%d bytes parse", n)
			}
		}
		if _, err := chain.ParseKeyLink(append(bytes.Clone(b), 0)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("a byte more: %v", err)
		}
		if _, err := chain.ParseKeyLink(flip(b, 0)); !errors.Is(err, wire.ErrSuite) {
			t.Errorf("suite 0: %v", err)
		}
	}
	for name, change := range map[string]func(*chain.KeyLink){
		"a first link with a signature": func(l *chain.KeyLink) { l.Number, l.Previous = 0, wire.Hash{} }, "a first link with a before": func(l *chain.KeyLink) { l.Number, l.Signature = 0, nil },
		"a later link without a signature": func(l *chain.KeyLink) { l.Signature = nil }, "a later link without a before": func(l *chain.KeyLink) { l.Previous = wire.Hash{} },
		"number 1000": func(l *chain.KeyLink) { l.Number = chain.MaxKeyLinks }, "a signature too long": func(l *chain.KeyLink) { l.Signature = make([]byte, 3374) },
	} {
		l := p.links[1]
		change(&l)
		if _, err := chain.ParseKeyLink(l.Bytes()); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseKeyLink(f *testing.F) {
	p := newPerson(f, 1, 2)
	for _, l := range p.links {
		b := l.Bytes()
		f.Add(b)
		f.Add(b[:len(b)/2])
		f.Add(append(bytes.Clone(b), 0))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := chain.ParseKeyLink(b); err == nil && !bytes.Equal(l.Bytes(), b) {
			t.Fatal("re-encodes differently")
		}
	})
}

package log

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/underseal/underseal/protocol/wire"
)

type memoryPages map[string][]byte

func (m memoryPages) Page(path string) ([]byte, error) { return m[path], nil }
func (m memoryPages) PutPage(path string, b []byte) error {
	m[path] = bytes.Clone(b)
	return nil
}
func (m memoryPages) DeletePage(path string) error {
	delete(m, path)
	return nil
}

// reference is the map by its definition: the root of a set of keys from a depth on.
func reference(items map[wire.Hash]wire.Hash, depth int) wire.Hash {
	switch len(items) {
	case 0:
		return wire.Hash{}
	case 1:
		for k, v := range items {
			return leafNode(MapItem{k, v}).hash
		}
	}
	halves := [2]map[wire.Hash]wire.Hash{{}, {}}
	for k, v := range items {
		halves[bit(k, depth)][k] = v
	}
	return joinHash(reference(halves[0], depth+1), reference(halves[1], depth+1))
}

func number(n int) (h wire.Hash) {
	binary.BigEndian.PutUint64(h[24:], uint64(n))
	return MapKey(TypeState, h)
}

// near is a key that agrees with another in all but its last bits, so that ways get long.
func near(k wire.Hash, last byte) wire.Hash {
	k[31] = last
	return k
}

// TestMapRoot: pages, memory and definition agree, whatever the order and the size of batches. S-MAP-01
func TestMapRoot(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 40 {
		pages, tree, all := memoryPages{}, &MapTree{}, map[wire.Hash]wire.Hash{}
		for n := 0; n < 300; {
			var batch []MapItem
			for range 1 + random.IntN(60) {
				n++
				item := MapItem{number(n + 1000*round), number(-n)}
				if n%7 == 0 {
					item.Key = near(number(1000*round), byte(n))
				}
				batch = append(batch, item)
				all[item.Key] = item.Value
				if err := tree.Insert(item); err != nil {
					t.Fatal(err)
				}
			}
			random.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
			root, err := MapInsert(pages, batch)
			if err != nil {
				t.Fatal(err)
			}
			if want := reference(all, 0); root != want || tree.Root() != want {
				t.Fatalf("%d keys: roots differ", n)
			}
			if again, err := MapRoot(pages); err != nil || again != root {
				t.Fatal("the pages give another root", err)
			}
		}
		if tree.Len() != len(all) {
			t.Error("size")
		}
	}
}

// TestMapProofs: every key that is there is proved with its value, one that is not is proved absent, and no proof says
// anything of another key, value or root. S-MAP-02 S-MAP-03
func TestMapProofs(t *testing.T) {
	for _, size := range []int{0, 1, 2, 3, 17, 400} {
		pages := memoryPages{}
		var root wire.Hash
		for n := range size {
			var err error
			key := number(n)
			if n%5 == 4 {
				key = near(number(0), byte(n))
			}
			if root, err = MapInsert(pages, []MapItem{{key, number(-n)}}); err != nil {
				t.Fatal(err)
			}
		}
		for n := range size + 20 {
			key := number(n)
			if n%5 == 4 {
				key = near(number(0), byte(n))
			}
			proof, err := MapProve(pages, key)
			if err != nil {
				t.Fatal(err)
			}
			value, present, err := proof.Verify(root, key)
			if err != nil || present != (n < size) || (present && value != number(-n)) {
				t.Fatalf("%d of %d: %v %v", n, size, present, err)
			}
			if got, there, err := MapGet(pages, key); err != nil || there != present || got != value {
				t.Fatal("MapGet differs")
			}
			checkForgeries(t, proof, root, key, present)
		}
	}
}

func checkForgeries(t *testing.T, proof MapProof, root, key wire.Hash, present bool) {
	t.Helper()
	if parsed, err := ParseMapProof(proof.Bytes()); err != nil || !bytes.Equal(parsed.Bytes(), proof.Bytes()) {
		t.Fatal("re-encodes differently", err)
	}
	refused := func(name string, p MapProof, root, key wire.Hash) {
		t.Helper()
		if _, _, err := p.Verify(root, key); !errors.Is(err, ErrMap) {
			t.Fatalf("%s: %v", name, err)
		}
	}
	bad := root
	bad[0] ^= 1
	refused("another root", proof, bad, key)
	for i := range proof.Siblings {
		p := proof
		p.Siblings = append([]wire.Hash(nil), proof.Siblings...)
		p.Siblings[i][3] ^= 1
		refused("another sibling", p, root, key)
		p.Siblings = append(append([]wire.Hash(nil), proof.Siblings[:i]...), proof.Siblings[i+1:]...)
		refused("a sibling fewer", p, root, key)
	}
	p := proof
	p.Siblings = append(append([]wire.Hash(nil), proof.Siblings...), wire.Hash{})
	refused("an empty sibling at the end", p, root, key)
	if proof.Other == nil {
		return
	}
	hidden := proof
	hidden.Other = nil
	refused("a leaf left out", hidden, root, key) // what is there is called absent
	changed := proof
	changed.Other = &MapItem{proof.Other.Key, number(77)}
	refused("another value", changed, root, key)
	if present {
		changed.Other = &MapItem{near(proof.Other.Key, ^proof.Other.Key[31]), proof.Other.Value}
		refused("another leaf in its place", changed, root, key)
	}
}

// TestMapInsertOnly: a key is inserted once. S-MAP-05
func TestMapInsertOnly(t *testing.T) {
	pages, tree := memoryPages{}, &MapTree{}
	for n := range 50 {
		item := MapItem{number(n), number(-n)}
		if _, err := MapInsert(pages, []MapItem{item}); err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(item); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 50 {
		item := MapItem{number(n), number(n)}
		if _, err := MapInsert(maps.Clone(pages), []MapItem{item}); !errors.Is(err, ErrMapTaken) {
			t.Errorf("pages: %v", err)
		}
		if err := tree.Insert(item); !errors.Is(err, ErrMapTaken) {
			t.Errorf("memory: %v", err)
		}
	}
	if _, err := MapInsert(pages, []MapItem{{number(99), number(1)}, {number(99), number(2)}}); !errors.Is(err, ErrMapTaken) {
		t.Errorf("twice in one batch: %v", err)
	}
}

// TestMapRemove: taking the newest keys out leads back to every earlier map, page by page. S-MAP-06
func TestMapRemove(t *testing.T) {
	pages := memoryPages{}
	var roots []wire.Hash
	var states []memoryPages
	key := func(n int) wire.Hash {
		if n%3 == 0 {
			return near(number(0), byte(n))
		}
		return number(n)
	}
	for n := range 200 {
		root, err := MapInsert(pages, []MapItem{{key(n), number(-n)}})
		if err != nil {
			t.Fatal(err)
		}
		roots, states = append(roots, root), append(states, maps.Clone(pages))
	}
	for n := 199; n > 0; n -= 3 {
		from := maps.Clone(pages)
		var keys []wire.Hash
		for i := n; i < 200; i++ {
			keys = append(keys, key(i))
		}
		root, err := MapRemove(from, keys)
		if err != nil || root != roots[n-1] {
			t.Fatalf("back to %d keys: another root, %v", n, err)
		}
		if len(from) != len(states[n-1]) {
			t.Fatalf("back to %d keys: %d pages, not %d", n, len(from), len(states[n-1]))
		}
		for path, page := range states[n-1] {
			if !bytes.Equal(page, from[path]) {
				t.Fatalf("back to %d keys: page %q differs", n, path)
			}
		}
	}
	if _, err := MapRemove(maps.Clone(pages), []wire.Hash{number(5000)}); !errors.Is(err, ErrMap) {
		t.Errorf("a key that is not there: %v", err)
	}
}

// TestMapKey: a tag of one type stands where no other type's does. S-MAP-07
func TestMapKey(t *testing.T) {
	if MapKey(TypeState, wire.Hash{1}) == MapKey(TypeKeys, wire.Hash{1}) || MapKey(TypeState, wire.Hash{1}) == MapKey(TypeState, wire.Hash{2}) {
		t.Error("two leaves at one place")
	}
	if _, ok := MapItemOf(MapRootLeaf(wire.Hash{1})); ok {
		t.Error("a map root stands in the map")
	}
}

func FuzzParseMapProof(f *testing.F) {
	f.Add(MapProof{Siblings: []wire.Hash{{1}, {2}}, Other: &MapItem{}}.Bytes())
	f.Add(MapProof{}.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseMapProof(b)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Bytes(), b) {
			t.Fatal("re-encodes differently")
		}
		_, _, _ = p.Verify(wire.Hash{1}, wire.Hash{2})
	})
}

func FuzzParsePage(f *testing.F) {
	var p page
	p[3] = leafNode(MapItem{wire.Hash{1}, wire.Hash{2}})
	p[9] = mapNode{kind: nodeInner, hash: wire.Hash{3}}
	f.Add(p.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parsePage(b); err == nil && b != nil && !bytes.Equal(p.bytes(), b) {
			t.Fatal("re-encodes differently")
		}
	})
}

func BenchmarkMapInsert(b *testing.B) {
	pages := memoryPages{}
	var items []MapItem
	for n := range 100000 {
		items = append(items, MapItem{number(n), number(-n)})
	}
	if _, err := MapInsert(pages, items); err != nil {
		b.Fatal(err)
	}
	n := 200000
	for b.Loop() {
		items = items[:0]
		for range 512 {
			n++
			items = append(items, MapItem{number(n), number(-n)})
		}
		if _, err := MapInsert(pages, items); err != nil {
			b.Fatal(err)
		}
	}
}

package log

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/underseal/underseal/protocol/wire"
)

// TestLeaf: 98 bytes, a known type, and a check that covers every one of them. S-LOG-01 S-LOG-02
func TestLeaf(t *testing.T) {
	id, key, previous, commit := wire.ChainID{4}, LinkKey{1}, wire.Hash{2}, wire.Hash{3}
	l := NewLeaf(id, TypeState, key, 7, previous, commit)
	b := l.Bytes()
	if len(b) != LeafSize {
		t.Fatalf("%d bytes", len(b))
	}
	if got, err := ParseLeaf(b); err != nil || got != l {
		t.Fatal(err)
	}
	for n := range LeafSize {
		if _, err := ParseLeaf(b[:n]); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := ParseLeaf(append(bytes.Clone(b), 0)); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("99 bytes: %v", err)
	}
	for _, kind := range []byte{0, 4, 5, 6, 255} { // 4 and 5 have no link, 5 no tag
		x := bytes.Clone(b)
		x[1] = kind
		if _, err := ParseLeaf(x); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("type %d: %v", kind, err)
		}
	}
	if err := l.Check(id, TypeState, key, 7, previous, commit); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"chain": l.Check(wire.ChainID{5}, TypeState, key, 7, previous, commit), "type": l.Check(id, TypeTrail, key, 7, previous, commit), "key": l.Check(id, TypeState, LinkKey{}, 7, previous, commit), "position": l.Check(id, TypeState, key, 8, previous, commit),
		"previous": l.Check(id, TypeState, key, 7, wire.Hash{}, commit), "commit": l.Check(id, TypeState, key, 7, previous, wire.Hash{}),
	} {
		if !errors.Is(err, ErrLink) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	for i := range b {
		x := bytes.Clone(b)
		x[i] ^= 1
		if y, err := ParseLeaf(x); err == nil && y.Check(id, TypeState, key, 7, previous, commit) == nil {
			t.Errorf("byte %d is not covered", i)
		}
	}
	// Mark, tag, link and opening of the same position never meet.
	seen := map[wire.Hash]bool{key.Mark(TypeState, 7): true, l.Tag: true, l.Link: true, key.Opening(TypeState, 7, previous): true}
	if len(seen) != 4 {
		t.Error("two purposes give one value")
	}
}

// TestTag: a tag is of one chain, sequence, position and mark, and a mark of one key, sequence and position. S-LOG-18
func TestTag(t *testing.T) {
	id, key := wire.ChainID{1}, LinkKey{2}
	mark := key.Mark(TypeState, 7)
	if want := sha256.Sum256(slices.Concat([]byte("underseal/v1/tag\x00"), id[:], []byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 7}, mark[:])); Tag(id, TypeState, 7, mark) != want || key.Tag(id, TypeState, 7) != want {
		t.Error("a tag is not the hash over all that is clear of its place")
	}
	seen := map[wire.Hash]bool{Tag(id, TypeState, 7, mark): true, Tag(wire.ChainID{9}, TypeState, 7, mark): true, Tag(id, TypeTrail, 7, mark): true,
		Tag(id, TypeState, 8, mark): true, Tag(id, TypeState, 7, wire.Hash{9}): true, mark: true, key.Mark(TypeTrail, 7): true, key.Mark(TypeState, 8): true,
		LinkKey{9}.Mark(TypeState, 7): true}
	if len(seen) != 9 {
		t.Errorf("%d values, want 9", len(seen))
	}
}

// TestCommit: no byte goes from effect to envelope. S-LOG-03
func TestCommit(t *testing.T) {
	seen := map[wire.Hash]string{}
	whole := []byte("effect and envelope")
	for n := range whole {
		c := Commit(whole[:n], whole[n:])
		if seen[c] != "" {
			t.Errorf("split at %d commits as %s", n, seen[c])
		}
		seen[c] = string(whole[:n])
	}
	inner := sha256.Sum256([]byte("envelope"))
	b := append([]byte("underseal/v1/commit\x00\x00\x00\x00\x06effect"), inner[:]...)
	if got := Commit([]byte("effect"), []byte("envelope")); got != sha256.Sum256(b) {
		t.Error("an erased envelope's hash is not enough to count it")
	}
}

// TestRoot runs RFC 6962's tree over the inputs that implementations of it agree on. S-LOG-06
func TestRoot(t *testing.T) {
	inputs := []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	want := []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	var leaves []wire.Hash
	for n := 0; ; n++ {
		root := Root(leaves)
		if got := hex.EncodeToString(root[:]); got != want[n] {
			t.Errorf("%d leaves: %s, want %s", n, got, want[n])
		}
		if n == len(inputs) {
			break
		}
		data, err := hex.DecodeString(inputs[n])
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, LeafHash(data))
	}
	before := append([]wire.Hash(nil), leaves...)
	Root(leaves)
	for i := range leaves {
		if leaves[i] != before[i] {
			t.Fatal("Root writes to what it was given")
		}
	}
}

func FuzzParseLeaf(f *testing.F) {
	f.Add(NewLeaf(wire.ChainID{3}, TypeState, LinkKey{1}, 1, wire.Hash{1}, wire.Hash{2}).Bytes())
	f.Add(NewLeaf(wire.ChainID{3}, TypeTrail, LinkKey{1}, 0, wire.Hash{}, wire.Hash{2}).Bytes())
	f.Add(make([]byte, LeafSize))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := ParseLeaf(b); err == nil && !bytes.Equal(l.Bytes(), b) {
			t.Fatal("re-encodes differently")
		}
	})
}

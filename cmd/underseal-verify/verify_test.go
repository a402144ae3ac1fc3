package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

const origin = "log.example/log/firm"

func newSigner(t testing.TB, name string, seed byte) *log.Signer {
	t.Helper()
	s, err := log.NewSigner(name, [32]byte{seed}, [32]byte{seed, 1})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// matter makes the leaves of one matter: every third is of its trail.
type matter struct {
	links log.LinkKeys
	next  [3]uint64
	head  [3]wire.Hash
}

func newMatter(seed byte) *matter {
	return &matter{links: log.LinkKeys{Origin: origin, Chain: wire.Hash{seed}, Epochs: []log.EpochLinks{{Epoch: 1, State: log.LinkKey{seed}, Trail: log.LinkKey{seed, 1}}}}}
}

func (m *matter) leaf() log.Leaf {
	kind, key := log.TypeState, m.links.Epochs[0].State
	if (m.next[1]+m.next[2])%3 == 2 {
		kind, key = log.TypeTrail, m.links.Epochs[0].Trail
	}
	commit := sha256.Sum256(fmt.Append(nil, m.links.Chain, kind, m.next[kind]))
	l := log.NewLeaf(m.links.Chain, kind, key, m.next[kind], m.head[kind], commit)
	m.next[kind]++
	m.head[kind] = l.Hash()
	return l
}

// book collects leaves and closes commits with map roots.
type book struct {
	leaves []log.Leaf
	placed log.MapTree
}

func (b *book) add(l log.Leaf) {
	b.leaves = append(b.leaves, l)
	if item, ok := log.MapItemOf(l); ok {
		_ = b.placed.Insert(item) // some tests put a key there twice
	}
}

func (b *book) close() { b.leaves = append(b.leaves, log.MapRootLeaf(b.placed.Root())) }

// honest is a log of exactly size leaves with two matters in it, as the server makes it.
func honest(size int) ([]log.Leaf, *matter) {
	var b book
	m, other := newMatter(1), newMatter(2)
	for n := len(b.leaves); n < size; n = len(b.leaves) {
		switch {
		case n == size-1 || n%7 == 6:
			b.close()
		case n%5 == 3:
			b.add(log.KeysLeaf(sha256.Sum256(fmt.Append(nil, n)), wire.Hash{}))
		case n%2 == 0:
			b.add(m.leaf())
		default:
			b.add(other.leaf())
		}
	}
	return b.leaves, m
}

// rebooked puts map roots right after leaves were changed: what an operator who signs anything can do.
func rebooked(leaves []log.Leaf) []log.Leaf {
	var b book
	for _, l := range leaves {
		if l.Type == log.TypeMapRoot {
			b.close()
		} else {
			b.add(l)
		}
	}
	return b.leaves
}

type rows map[string][]byte

func (r rows) Row(level int, n uint64) ([]byte, error) { return r[fmt.Sprint(level, n)], nil }
func (r rows) PutRow(level int, n uint64, row []byte) error {
	r[fmt.Sprint(level, n)] = row
	return nil
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// tree is the rows and the checkpoint over leaves.
func tree(leaves []log.Leaf) (rows, log.Checkpoint) {
	r := rows{}
	var hashes []wire.Hash
	for _, l := range leaves {
		hashes = append(hashes, l.Hash())
	}
	return r, log.Checkpoint{Origin: origin, Size: uint64(len(leaves)), Root: must(log.Grow(r, 0, hashes))}
}

// publish writes a log into a folder as its server would show it.
func publish(t testing.TB, leaves []log.Leaf, s *log.Signer) string {
	t.Helper()
	dir := t.TempDir()
	rows, c := tree(leaves)
	put(t, dir, "checkpoint", must(s.Sign(c)))
	for level, width := 0, len(leaves); width > 0; level, width = level+1, width/256 {
		for n := 0; n*256 < width; n++ {
			w := min(256, width-n*256)
			put(t, dir, log.TilePath(level, uint64(n), w), must(log.TileOf(rows[fmt.Sprint(level, n)], w)))
			if level == 0 {
				var b [][]byte
				for _, l := range leaves[n*256:][:w] {
					b = append(b, l.Bytes())
				}
				put(t, dir, log.BundlePath(uint64(n), w), log.Bundle(b))
			}
		}
	}
	return dir
}

func put(t testing.TB, dir, name string, b []byte) string {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func file(t testing.TB, b []byte) string {
	t.Helper()
	return put(t, t.TempDir(), "file", b)
}

func policy(t testing.TB, s *log.Signer, more string) string {
	t.Helper()
	text := ""
	for _, k := range s.VerifierKeys() {
		text += "log " + k + "\n"
	}
	if more == "" {
		more = "quorum none\n"
	}
	return file(t, []byte(text+more))
}

// want runs the program and looks at its exit code and what it says.
func want(t testing.TB, code int, text string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	got := verify(t.Context(), args, &stdout, &stderr)
	if all := stdout.String() + stderr.String(); got != code || !strings.Contains(all, text) {
		t.Errorf("%q: exit %d, want %d and %q in:\n%s", args, got, code, text, all)
	}
	return stdout.String()
}

// last is what is said of a matter's trail.
func last(m *matter) string {
	if m.next[2] == 0 {
		return "trail has 0 entries; and"
	}
	return fmt.Sprintf("trail has %d entries, the last with hash %v", m.next[2], m.head[2])
}

// TestHonest: what an honest log shows is verified, whatever its size.
func TestHonest(t *testing.T) {
	s := newSigner(t, origin, 1)
	p := policy(t, s, "")
	sizes := []int{1, 2, 3, 255, 256, 257, 511, 512, 513, 65535, 65536, 65537}
	for _, size := range sizes {
		if size > 1000 && testing.Short() {
			continue
		}
		leaves, m := honest(size)
		dir := publish(t, leaves, s)
		want(t, exitVerified, fmt.Sprintf("All %d entries", size), "log", dir, "--policy", p)
		if size > 2 {
			k := file(t, m.links.Format())
			want(t, exitVerified, fmt.Sprintf("state has %d entries", m.next[1]), "matter", dir, "--policy", p, "--keys", k)
			want(t, exitVerified, last(m), "matter", dir, "--policy", p, "--keys", k)
		}
	}
	none := file(t, newMatter(9).links.Format())
	leaves, _ := honest(20)
	want(t, exitRefuted, "position 0 of its state", "matter", served(t, publish(t, leaves, s)), "--policy", p, "--keys", none)
	want(t, exitUndecided, "position 0 of the matter's state", "matter", publish(t, leaves, s), "--policy", p, "--keys", none)
	want(t, exitVerified, "All 0 entries", "log", publish(t, nil, s), "--policy", p)
}

// TestSignedLies: an operator who signs a log that breaks the rules. S-VERIFY-03
func TestSignedLies(t *testing.T) {
	s := newSigner(t, origin, 1)
	p := policy(t, s, "")
	at := func(leaves []log.Leaf, kind uint16, n int) int {
		m := newMatter(1)
		for {
			l := m.leaf()
			if i := slices.Index(leaves, l); l.Type == kind {
				if n--; n < 0 {
					return i
				}
			}
		}
	}
	for _, tt := range []struct {
		name    string
		command string
		lie     func(leaves []log.Leaf) []log.Leaf
		says    string
	}{
		{"a wrong map root", "log", func(l []log.Leaf) []log.Leaf { l[6].Commit[0] ^= 1; return l }, "register of its own entries is false at entry number 6"},
		{"a wrong map root at the end", "log", func(l []log.Leaf) []log.Leaf { l[len(l)-1].Commit[31] ^= 1; return l }, "register of its own entries is false"},
		{"an entry that its register has not", "log", func(l []log.Leaf) []log.Leaf { return slices.Insert(l, 6, newMatter(5).leaf()) }, "register of its own entries is false at entry number 7"},
		{"an entry that only its register has", "log", func(l []log.Leaf) []log.Leaf { return slices.Delete(l, 4, 5) }, "register of its own entries is false at entry number 5"},
		{"a key twice", "log", func(l []log.Leaf) []log.Leaf { return rebooked(slices.Insert(l, 10, l[2])) }, "two entries in one place"},
		{"a key twice with another entry", "log", func(l []log.Leaf) []log.Leaf {
			twice := l[2]
			twice.Commit[0] ^= 1
			return rebooked(slices.Insert(l, 300, twice))
		}, "It is entry number 300."},
		{"no map root at the end", "log", func(l []log.Leaf) []log.Leaf { return l[:len(l)-1] }, "does not end with the register"},
		{"a dropped state entry", "matter", func(l []log.Leaf) []log.Leaf {
			i := at(l, log.TypeState, 3)
			return rebooked(slices.Delete(l, i, i+1))
		}, "is missing from the log: the one at position 3 of its state"},
		{"a dropped trail entry", "matter", func(l []log.Leaf) []log.Leaf {
			i := at(l, log.TypeTrail, 2)
			return rebooked(slices.Delete(l, i, i+1))
		}, "is missing from the log: the one at position 2 of its trail"},
		{"a dropped state entry in a closed epoch", "epochs", func(l []log.Leaf) []log.Leaf {
			i := at(l, log.TypeState, 3)
			return rebooked(slices.Delete(l, i, i+1))
		}, "is missing from the log: the one at position 3 of its state"},
		{"a dropped trail entry in a closed epoch", "epochs", func(l []log.Leaf) []log.Leaf {
			i := at(l, log.TypeTrail, 2)
			return rebooked(slices.Delete(l, i, i+1))
		}, "is missing from the log: the one at position 2 of its trail"},
		{"a forged commit", "matter", func(l []log.Leaf) []log.Leaf { l[at(l, log.TypeState, 3)].Commit[0] ^= 1; return rebooked(l) }, "position 3 of its state does not follow"},
		{"a forged link", "matter", func(l []log.Leaf) []log.Leaf { l[at(l, log.TypeTrail, 1)].Link[0] ^= 1; return rebooked(l) }, "position 1 of its trail does not follow"},
		{"two swapped", "matter", func(l []log.Leaf) []log.Leaf {
			i, j := at(l, log.TypeState, 3), at(l, log.TypeState, 4)
			l[i].Tag, l[j].Tag = l[j].Tag, l[i].Tag
			return rebooked(l)
		}, "position 3 of its state does not follow"},
		{"a leaf of another matter", "matter", func(l []log.Leaf) []log.Leaf {
			i := at(l, log.TypeState, 3)
			tag := l[i].Tag
			l[i] = newMatter(7).leaf()
			l[i].Tag = tag
			return rebooked(l)
		}, "position 3 of its state does not follow"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leaves, m := honest(600)
			links := m.links
			if tt.command == "epochs" {
				links.Epochs = []log.EpochLinks{m.links.Epochs[0], {Epoch: 2, StateFrom: m.next[1], TrailFrom: m.next[2], StateHead: m.head[1], TrailHead: m.head[2]}}
			}
			args := []string{"log", publish(t, tt.lie(leaves), s), "--policy", p}
			if tt.command != "log" {
				args[0] = "matter"
				args = append(args, "--keys", file(t, links.Format()))
			}
			want(t, exitRefuted, tt.says, args...)
		})
	}
}

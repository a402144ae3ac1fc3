package log

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/underseal/underseal/protocol/wire"
)

// memorySource serves a tree, and counts what is asked for.
type memorySource struct {
	mu     sync.Mutex // guards asked
	files  map[string][]byte
	asked  map[string]int
	refuse error // for every path, where it is set
}

func (m *memorySource) Read(ctx context.Context, path string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked[path]++
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if m.refuse != nil {
		return nil, m.refuse
	}
	b, ok := m.files[path]
	if !ok {
		return nil, ErrNoTile
	}
	return b, nil
}

// with serves the same with one file changed; nil removes it.
func (m *memorySource) with(path string, b []byte) *memorySource {
	c := &memorySource{files: map[string][]byte{}, asked: map[string]int{}}
	for p, f := range m.files {
		c.files[p] = f
	}
	c.files[path] = b
	if b == nil {
		delete(c.files, path)
	}
	return c
}

// served is a tree of that size as a log serves it.
func served(t testing.TB, size int) (*memorySource, Checkpoint, []wire.Hash) {
	t.Helper()
	rows, hashes := grown(t, size)
	src := &memorySource{files: map[string][]byte{}, asked: map[string]int{}}
	for id, row := range rows.rows {
		width := tileAt(id.level, id.n, uint64(size)).Width
		tile, err := TileOf(row, width)
		if err != nil {
			t.Fatal(err)
		}
		src.files[TilePath(id.level, id.n, width)] = tile
	}
	for first := 0; first < size; first += TileWidth {
		var leaves [][]byte
		for i := first; i < min(size, first+TileWidth); i++ {
			leaves = append(leaves, testLeaf(i).Bytes())
		}
		src.files[BundlePath(uint64(first/TileWidth), len(leaves))] = Bundle(leaves)
	}
	return src, Checkpoint{testOrigin, uint64(size), Root(hashes)}, hashes
}

// extended is what a log still serves of a smaller tree once partial tiles are full: the full ones.
func extended(t testing.TB, size, later int) (*memorySource, Checkpoint) {
	src, _, _ := served(t, later)
	_, c, _ := served(t, size)
	return src, c
}

// TestReader: every leaf, bundle and earlier root of trees around the edges of tiles.
func TestReader(t *testing.T) {
	ctx := t.Context()
	for _, size := range []int{1, 2, 255, 256, 257, 512, 700} {
		src, c, hashes := served(t, size)
		r := NewReader(src, c)
		for i := range size {
			if h, err := r.LeafHash(ctx, uint64(i)); err != nil || h != hashes[i] {
				t.Fatalf("leaf %d of %d: %v", i, size, err)
			}
		}
		for n := range (size + TileWidth - 1) / TileWidth {
			for _, r := range []*Reader{r, NewReader(src, c)} {
				leaves, err := r.Leaves(ctx, uint64(n))
				if err != nil || len(leaves) != min(TileWidth, size-n*TileWidth) || leaves[0] != testLeaf(n*TileWidth) {
					t.Fatalf("bundle %d of %d: %v", n, size, err)
				}
			}
		}
		for at := 0; at <= size; at += 1 + at/40 {
			if root, err := NewReader(src, c).RootAt(ctx, uint64(at)); err != nil || root != Root(hashes[:at]) {
				t.Fatalf("root at %d of %d: %v", at, size, err)
			}
		}
		if root, err := r.RootAt(ctx, uint64(size)); err != nil || root != c.Root {
			t.Errorf("root of %d: %v", size, err)
		}
		if _, err := r.LeafHash(ctx, uint64(size)); !errors.Is(err, ErrTile) {
			t.Errorf("a leaf beyond %d: %v", size, err)
		}
		if _, err := r.Leaves(ctx, uint64(size/TileWidth+1)); !errors.Is(err, ErrTile) {
			t.Errorf("a bundle beyond %d: %v", size, err)
		}
		if _, err := r.RootAt(ctx, uint64(size+1)); !errors.Is(err, ErrTile) {
			t.Errorf("a root beyond %d: %v", size, err)
		}
		for path := range src.asked {
			if tile, err := ParseTilePath(path); err != nil || !tile.In(c.Size) {
				t.Errorf("%s was asked for", path)
			}
		}
	}
	empty := NewReader(&memorySource{asked: map[string]int{}}, Checkpoint{testOrigin, 0, Root(nil)})
	if root, err := empty.RootAt(ctx, 0); err != nil || root != Root(nil) {
		t.Error("the empty tree:", err)
	}
	if _, err := empty.LeafHash(ctx, 0); !errors.Is(err, ErrTile) {
		t.Error("a leaf of the empty tree:", err)
	}
}

// TestReaderAsksOnce: what was proved is not asked for again.
func TestReaderAsksOnce(t *testing.T) {
	src, c, _ := served(t, 700)
	r := NewReader(src, c)
	for range 3 {
		for _, i := range []uint64{0, 255, 300, 699} {
			if _, err := r.LeafHash(t.Context(), i); err != nil {
				t.Fatal(err)
			}
		}
	}
	for path, count := range src.asked {
		if count != 1 {
			t.Errorf("%s was asked for %d times", path, count)
		}
	}
	if len(src.asked) != 4 {
		t.Errorf("%d tiles were read", len(src.asked))
	}
	// A long reading does not keep all of it.
	src, c, _ = served(t, 256*(maxKeptRows+20)+3)
	r = NewReader(src, c)
	for i := uint64(0); i < c.Size; i += TileWidth {
		if _, err := r.LeafHash(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.lower) > maxKeptRows {
		t.Errorf("%d rows are kept", len(r.lower))
	}
}

// TestReaderFallsBack: a partial tile that is gone is the beginning of the full one, and of no other.
func TestReaderFallsBack(t *testing.T) {
	src, c := extended(t, 300, 600)
	if _, err := NewReader(src, c).Leaves(t.Context(), 1); !errors.Is(err, ErrNoTile) {
		t.Error("one hash of level 1 is gone, and there is no full tile in its place:", err)
	}
	src.files["tile/1/000.p/1"] = src.files["tile/1/000.p/2"][:32]
	r := NewReader(src, c)
	leaves, err := r.Leaves(t.Context(), 1)
	if err != nil || len(leaves) != 44 || leaves[43] != testLeaf(299) {
		t.Errorf("%d leaves: %v", len(leaves), err)
	}
	if root, err := r.RootAt(t.Context(), 299); err != nil || root != Root(testHashes(0, 299)) {
		t.Error("an earlier root:", err)
	}
	// A network that fails is not a tile that is gone.
	src.refuse = errBroken
	clear(src.asked)
	if _, err := NewReader(src, c).Leaves(t.Context(), 1); !errors.Is(err, errBroken) || len(src.asked) != 1 {
		t.Errorf("a broken source was asked for %d paths: %v", len(src.asked), err)
	}
}

// TestReaderRefuses: each file, changed in each of its hashes, cut, longer or another's. What it proved before stays right.
// S-LOG-14
func TestReaderRefuses(t *testing.T) {
	ctx := t.Context()
	for _, size := range []int{3, 256, 600} {
		src, c, hashes := served(t, size)
		all := func(src Source, c Checkpoint) error {
			r := NewReader(src, c)
			for n := range uint64(size+TileWidth-1) / TileWidth {
				leaves, err := r.Leaves(ctx, n)
				if err != nil {
					return err
				}
				for i, l := range leaves {
					if l.Hash() != hashes[n*TileWidth+uint64(i)] {
						t.Fatal("a leaf that is not the tree's")
					}
				}
				for i := n * TileWidth; i < min(c.Size, (n+1)*TileWidth); i += 97 {
					h, err := r.LeafHash(ctx, i)
					if err != nil {
						return err
					}
					if h != hashes[i] {
						t.Fatal("a hash that is not the tree's")
					}
				}
			}
			return nil
		}
		if err := all(src, c); err != nil {
			t.Fatal(err)
		}
		for path, b := range src.files {
			for i := 0; i < len(b); i += 31 {
				x := bytes.Clone(b)
				x[i] ^= 1
				if err := all(src.with(path, x), c); !errors.Is(err, ErrTile) {
					t.Fatalf("%d leaves, %s, byte %d: %v", size, path, i, err)
				}
			}
			for name, x := range map[string][]byte{
				"cut": b[:len(b)-1], "longer": append(bytes.Clone(b), 0), "a hash short": b[:len(b)-32], "a hash more": append(bytes.Clone(b), make([]byte, 32)...), "empty": {}, "long": make([]byte, 1<<20),
			} {
				if err := all(src.with(path, x), c); !errors.Is(err, ErrTile) {
					t.Errorf("%d leaves, %s, %s: %v", size, path, name, err)
				}
			}
			if err := all(src.with(path, nil), c); !errors.Is(err, ErrNoTile) {
				t.Errorf("%d leaves, without %s: %v", size, path, err)
			}
			src.refuse = errBroken
			if err := all(src, c); !errors.Is(err, errBroken) {
				t.Errorf("%d leaves, a broken source: %v", size, err)
			}
			src.refuse = nil
		}
		c.Root[0] ^= 1
		if err := all(src, c); !errors.Is(err, ErrTile) {
			t.Errorf("%d leaves, another root: %v", size, err)
		}
	}
}

// TestVerifyTree: every leaf in order, whatever comes first from the network; every file counts.
func TestVerifyTree(t *testing.T) {
	ctx := t.Context()
	for _, size := range []int{0, 1, 255, 256, 257, 512, 3000, 65536 + 300} {
		src, c := &memorySource{asked: map[string]int{}}, Checkpoint{testOrigin, 0, Root(nil)}
		if size > 0 {
			src, c, _ = served(t, size)
		}
		for _, fetchers := range []int{0, 1, 7} {
			next, last := uint64(0), uint64(0)
			opts := VerifyOptions{Fetchers: fetchers, Leaf: func(i uint64, l Leaf) error {
				if i != next || l != testLeaf(int(i)) {
					t.Fatalf("leaf %d where %d is due", i, next)
				}
				next++
				return nil
			}, Progress: func(done, total uint64) {
				if done <= last || total != c.Size {
					t.Errorf("progress from %d to %d of %d", last, done, total)
				}
				last = done
			}}
			clear(src.asked)
			if err := VerifyTree(ctx, src, c, opts); err != nil || next != c.Size || last != c.Size {
				t.Errorf("%d leaves, %d fetchers: %d, %d, %v", size, fetchers, next, last, err)
			}
			for path := range src.files {
				if src.asked[path] != 1 {
					t.Errorf("%d leaves: %s was read %d times", size, path, src.asked[path])
				}
			}
		}
	}
	// A log that grew since has full tiles in the place of partial ones.
	src, c := extended(t, 300, 600)
	src.files["tile/1/000.p/1"] = src.files["tile/1/000.p/2"][:32]
	if err := VerifyTree(ctx, src, c, VerifyOptions{}); err != nil {
		t.Error("a smaller tree of a log that grew:", err)
	}
}

// TestVerifyTreeRefuses: each file changed, missing or of another size, another root or size, and an end before the end.
func TestVerifyTreeRefuses(t *testing.T) {
	ctx := t.Context()
	for _, size := range []int{3, 256, 600} {
		src, c, hashes := served(t, size)
		for path, b := range src.files {
			tile, err := ParseTilePath(path)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(b); i += 31 {
				x := bytes.Clone(b)
				x[i] ^= 1
				if err := VerifyTree(ctx, src.with(path, x), c, VerifyOptions{}); !errors.Is(err, ErrTile) {
					t.Fatalf("%d leaves, %s, byte %d: %v", size, path, i, err)
				}
				if err := VerifyTree(ctx, src.with(path, x), c, VerifyOptions{BundlesOnly: true}); (err == nil) != (tile.Level >= 0) {
					t.Fatalf("%d leaves, %s, byte %d, without tiles: %v", size, path, i, err)
				}
			}
			for name, x := range map[string][]byte{"cut": b[:len(b)-1], "longer": append(bytes.Clone(b), 0), "empty": {}} {
				if err := VerifyTree(ctx, src.with(path, x), c, VerifyOptions{}); !errors.Is(err, ErrTile) {
					t.Errorf("%d leaves, %s, %s: %v", size, path, name, err)
				}
			}
			if err := VerifyTree(ctx, src.with(path, nil), c, VerifyOptions{}); !errors.Is(err, ErrNoTile) {
				t.Errorf("%d leaves, without %s: %v", size, path, err)
			}
		}
		for name, c := range map[string]Checkpoint{"another root": {c.Origin, c.Size, hashes[0]}, "one leaf fewer": {c.Origin, c.Size - 1, c.Root}, "one leaf more": {c.Origin, c.Size + 1, c.Root}, "too large": {c.Origin, maxSize + 1, c.Root}} {
			if size == 3 && name == "another root" {
				c.Root[0] ^= 1
			}
			if err := VerifyTree(ctx, src, c, VerifyOptions{}); !errors.Is(err, ErrTile) && !errors.Is(err, ErrNoTile) {
				t.Errorf("%d leaves, %s: %v", size, name, err)
			}
		}
		src.refuse = errBroken
		if err := VerifyTree(ctx, src, c, VerifyOptions{}); !errors.Is(err, errBroken) {
			t.Errorf("a broken source: %v", err)
		}
	}
	if err := VerifyTree(ctx, &memorySource{asked: map[string]int{}}, Checkpoint{testOrigin, 0, wire.Hash{1}}, VerifyOptions{}); !errors.Is(err, ErrTile) {
		t.Error("an empty tree of another root:", err)
	}
	src, c, _ := served(t, 3000)
	stop := errors.New("stop")
	if err := VerifyTree(ctx, src, c, VerifyOptions{Leaf: func(i uint64, _ Leaf) error {
		if i == 700 {
			return stop
		}
		return nil
	}}); !errors.Is(err, stop) {
		t.Error("stopped by a leaf:", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	if err := VerifyTree(cancelled, src, c, VerifyOptions{Progress: func(done, _ uint64) {
		if done > 1000 {
			cancel()
		}
	}}); !errors.Is(err, context.Canceled) {
		t.Error("cancelled:", err)
	}
}

// BenchmarkVerifyTree verifies a million leaves.
func BenchmarkVerifyTree(b *testing.B) {
	src, c, _ := served(b, 1_000_000)
	for b.Loop() {
		if err := VerifyTree(b.Context(), src, c, VerifyOptions{Leaf: func(uint64, Leaf) error { return nil }}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(c.Size)*float64(b.N)/b.Elapsed().Seconds(), "leaves/s")
}

// BenchmarkProveInclusion proves in a tree of a million leaves, and BenchmarkGrow appends one leaf to it.
func BenchmarkProveInclusion(b *testing.B) {
	rows, _ := grown(b, 1<<20)
	for i := uint64(0); b.Loop(); i += 7919 {
		if _, err := ProveInclusion(rows, i%(1<<20), 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGrow(b *testing.B) {
	rows, hashes := grown(b, 1<<20)
	for size := uint64(1 << 20); b.Loop(); size++ {
		if _, err := Grow(rows, size, hashes[:1]); err != nil {
			b.Fatal(err)
		}
	}
}

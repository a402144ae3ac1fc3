package log

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/underseal/underseal/protocol/wire"
)

// memoryRows is a tree's rows, which counts what is read and written.
type memoryRows struct {
	rows        map[rowID][]byte
	read, wrote map[rowID]int
}

func newMemoryRows() *memoryRows {
	return &memoryRows{rows: map[rowID][]byte{}, read: map[rowID]int{}, wrote: map[rowID]int{}}
}

func (m *memoryRows) Row(level int, n uint64) ([]byte, error) {
	m.read[rowID{level, n}]++
	return m.rows[rowID{level, n}], nil
}

func (m *memoryRows) PutRow(level int, n uint64, row []byte) error {
	m.wrote[rowID{level, n}]++
	m.rows[rowID{level, n}] = row
	return nil
}

func (m *memoryRows) forget() { clear(m.read); clear(m.wrote) }

var errBroken = errors.New("broken store")

// brokenRows fails at the call number left.
type brokenRows struct {
	*memoryRows
	left int
}

func (b *brokenRows) Row(level int, n uint64) ([]byte, error) {
	if b.left--; b.left < 0 {
		return nil, errBroken
	}
	return b.memoryRows.Row(level, n)
}

func (b *brokenRows) PutRow(level int, n uint64, row []byte) error {
	if b.left--; b.left < 0 {
		return errBroken
	}
	return b.memoryRows.PutRow(level, n, row)
}

func testLeaf(i int) Leaf {
	l := Leaf{Type: TypeState}
	binary.BigEndian.PutUint64(l.Tag[:], uint64(i))
	return l
}

func testHashes(from, to int) []wire.Hash {
	hashes := make([]wire.Hash, 0, to-from)
	for i := from; i < to; i++ {
		hashes = append(hashes, testLeaf(i).Hash())
	}
	return hashes
}

// grown is a tree of that size, and its leaf hashes.
func grown(t testing.TB, size int) (*memoryRows, []wire.Hash) {
	t.Helper()
	rows, hashes := newMemoryRows(), testHashes(0, size)
	root, err := Grow(rows, 0, hashes)
	if err != nil || root != Root(hashes) {
		t.Fatal("the tree does not grow to its root:", err)
	}
	return rows, hashes
}

// TestGrowOneByOne: after each leaf the root is RFC 6962's, and a row is a prefix of the one that it grows into.
func TestGrowOneByOne(t *testing.T) {
	rows, hashes := newMemoryRows(), testHashes(0, 600)
	for n, h := range hashes {
		before := bytes.Clone(rows.rows[rowID{0, uint64(n) / TileWidth}])
		root, err := Grow(rows, uint64(n), []wire.Hash{h})
		if err != nil || root != Root(hashes[:n+1]) {
			t.Fatalf("%d leaves: %v", n+1, err)
		}
		if !bytes.HasPrefix(rows.rows[rowID{0, uint64(n) / TileWidth}], before) {
			t.Fatalf("%d leaves: a row was rewritten", n+1)
		}
	}
	if row := rows.rows[rowID{0, 0}]; len(row) != 511*32 || wire.Hash(row[510*32:]) != Root(hashes[:256]) {
		t.Error("a full row does not end with its root")
	}
	for n := range 601 {
		if root, err := RootAt(rows, uint64(n)); err != nil || root != Root(hashes[:n]) {
			t.Errorf("root at %d: %v", n, err)
		}
	}
	if root, err := Grow(rows, 600, nil); err != nil || root != Root(hashes) {
		t.Error("growing by nothing:", err)
	}
	if root, err := Grow(newMemoryRows(), 0, nil); err != nil || root != Root(nil) {
		t.Error("the empty tree:", err)
	}
}

// TestGrowBatches: whatever comes at once, the root is the same, and no row is read or written twice.
func TestGrowBatches(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		rows := newMemoryRows()
		var hashes []wire.Hash
		for len(hashes) < 3000 {
			n := []int{0, 1, 2, 5, 255, 256, 257, 700}[random.IntN(8)]
			before := slices.Clone(hashes)
			batch := testHashes(len(hashes), len(hashes)+n)
			rows.forget()
			root, err := Grow(rows, uint64(len(hashes)), batch)
			hashes = append(hashes, batch...)
			if err != nil || root != Root(hashes) {
				t.Fatalf("%d and %d leaves: %v", len(before), n, err)
			}
			for id, count := range rows.read {
				if count > 1 {
					t.Fatalf("row %v was read %d times", id, count)
				}
			}
			for id, count := range rows.wrote {
				if count > 1 {
					t.Fatalf("row %v was written %d times", id, count)
				}
			}
		}
	}
}

// TestGrowAround65536: three levels of tiles, against x/mod's own storage of the same tree.
func TestGrowAround65536(t *testing.T) {
	rows, hashes := grown(t, 65530)
	for n := 65530; n < 65800; n++ {
		h := testLeaf(n).Hash()
		root, err := Grow(rows, uint64(n), []wire.Hash{h})
		hashes = append(hashes, h)
		if err != nil {
			t.Fatal(err)
		}
		// Root over all of them is slow: the leaves after the 65,536 are one subtree.
		want := root
		switch {
		case n+1 == 65536:
			want = Root(hashes)
		case n+1 > 65536:
			first, err := RootAt(rows, 65536)
			if err != nil {
				t.Fatal(err)
			}
			want = node(first, Root(hashes[65536:]))
		case n+1 == 65531:
			want = Root(hashes)
		}
		if root != want {
			t.Fatalf("%d leaves give another root", n+1)
		}
	}
	if len(rows.rows[rowID{1, 0}]) != 511*32 || len(rows.rows[rowID{2, 0}]) != 32 || len(rows.rows[rowID{1, 1}]) != 32 {
		t.Error("the levels are not filled")
	}
	for _, index := range []uint64{0, 255, 256, 65535, 65536, 65799} {
		rows.forget()
		proof, err := ProveInclusion(rows, index, 65800)
		root, _ := RootAt(rows, 65800)
		if err != nil || CheckInclusion(proof, index, 65800, root, hashes[index]) != nil {
			t.Errorf("inclusion of %d: %v", index, err)
		}
	}
	for _, from := range []uint64{1, 255, 256, 257, 65535, 65536, 65537, 65800} {
		proof, err := ProveConsistency(rows, from, 65800)
		fromRoot, _ := RootAt(rows, from)
		root, _ := RootAt(rows, 65800)
		if err != nil || CheckConsistency(proof, from, fromRoot, 65800, root) != nil {
			t.Errorf("consistency from %d: %v", from, err)
		}
	}
}

// TestProofsReadFewRows: a proof reads at most two rows a level, each once.
func TestProofsReadFewRows(t *testing.T) {
	rows, _ := grown(t, 70000)
	for _, index := range []uint64{0, 300, 65535, 65536, 69999} {
		rows.forget()
		if _, err := ProveInclusion(rows, index, 70000); err != nil {
			t.Fatal(err)
		}
		total := 0
		for id, count := range rows.read {
			total += count
			if count > 1 {
				t.Errorf("row %v was read %d times for %d", id, count, index)
			}
		}
		if total > 6 {
			t.Errorf("%d rows were read for %d", total, index)
		}
	}
}

// TestGrowRefuses: rows that are not the tree's, sizes that are not its size, and a store that fails.
func TestGrowRefuses(t *testing.T) {
	next := testHashes(0, 300)
	for _, size := range []int{1, 255, 256, 257, 600} {
		for _, stale := range []int{0, size - 1, size + 1, size + 256} {
			rows, _ := grown(t, size)
			if _, err := Grow(rows, uint64(stale), next); !errors.Is(err, ErrTile) {
				t.Errorf("appending at %d to %d leaves: %v", stale, size, err)
			}
		}
	}
	rows, _ := grown(t, 600)
	rows.rows[rowID{0, 2}] = rows.rows[rowID{0, 2}][:33]
	if _, err := Grow(rows, 600, next); !errors.Is(err, ErrTile) {
		t.Error("a torn row:", err)
	}
	if _, err := RootAt(rows, 600); !errors.Is(err, ErrTile) {
		t.Error("the root over a torn row:", err)
	}
	for _, size := range []uint64{maxSize + 1, 1 << 62, 1 << 63, ^uint64(0)} {
		if _, err := Grow(newMemoryRows(), size, next); !errors.Is(err, ErrTile) {
			t.Errorf("growing from %d: %v", size, err)
		}
		if _, err := RootAt(newMemoryRows(), size); !errors.Is(err, ErrTile) {
			t.Errorf("root at %d: %v", size, err)
		}
		if _, err := ProveInclusion(newMemoryRows(), 0, size); !errors.Is(err, ErrInclusion) {
			t.Errorf("inclusion in %d: %v", size, err)
		}
		if _, err := ProveConsistency(newMemoryRows(), 1, size); !errors.Is(err, ErrConsistency) {
			t.Errorf("consistency with %d: %v", size, err)
		}
		if err := CheckInclusion(nil, 0, size, wire.Hash{}, wire.Hash{}); !errors.Is(err, ErrInclusion) {
			t.Errorf("inclusion in %d: %v", size, err)
		}
		if err := CheckConsistency(nil, 1, wire.Hash{}, size, wire.Hash{}); !errors.Is(err, ErrConsistency) {
			t.Errorf("consistency with %d: %v", size, err)
		}
	}
	if _, err := Grow(newMemoryRows(), maxSize, next); !errors.Is(err, ErrTile) {
		t.Error("growing past the largest tree:", err)
	}
	for calls := 0; ; calls++ {
		rows, _ := grown(t, 200)
		_, err := Grow(&brokenRows{rows, calls}, 200, next)
		if err == nil {
			if calls < 5 {
				t.Error("a store that failed was not noticed")
			}
			break
		}
		if !errors.Is(err, errBroken) {
			t.Errorf("a store that fails after %d calls: %v", calls, err)
		}
	}
}

// flips calls f with every variation of a proof: each bit of a hash of it flipped in turn, one short, one long, two swapped.
func flips(proof []wire.Hash, f func(what string, proof []wire.Hash)) {
	for i := range proof {
		for b := range proof[i] {
			x := slices.Clone(proof)
			x[i][b] ^= 1 << (b % 8)
			f(fmt.Sprintf("byte %d of hash %d", b, i), x)
		}
		f("one left out", slices.Delete(slices.Clone(proof), i, i+1))
		if i > 0 {
			x := slices.Clone(proof)
			x[i], x[i-1] = x[i-1], x[i]
			f("two swapped", x)
		}
	}
	f("one more", append(slices.Clone(proof), wire.Hash{}))
	f("one before", append([]wire.Hash{{}}, proof...))
	if len(proof) > 0 {
		f("the last twice", append(slices.Clone(proof), proof[len(proof)-1]))
	}
}

// rfcPath is RFC 6962's PATH, written down a second time.
func rfcPath(m int, d []wire.Hash) []wire.Hash {
	if len(d) == 1 {
		return nil
	}
	k := 1
	for k*2 < len(d) {
		k *= 2
	}
	if m < k {
		return append(rfcPath(m, d[:k]), Root(d[k:]))
	}
	return append(rfcPath(m-k, d[k:]), Root(d[:k]))
}

// rfcSubproof is RFC 6962's SUBPROOF.
func rfcSubproof(m int, d []wire.Hash, whole bool) []wire.Hash {
	if m == len(d) {
		if whole {
			return nil
		}
		return []wire.Hash{Root(d)}
	}
	k := 1
	for k*2 < len(d) {
		k *= 2
	}
	if m <= k {
		return append(rfcSubproof(m, d[:k], whole), Root(d[k:]))
	}
	return append(rfcSubproof(m-k, d[k:], false), Root(d[:k]))
}

// TestInclusion: every proof of small trees is RFC 6962's and verifies; no other proof, index, size, root or leaf does.
func TestInclusion(t *testing.T) {
	rows, hashes := grown(t, 600)
	refused := func(what string, proof []wire.Hash, index, size uint64, root, leaf wire.Hash) {
		t.Helper()
		if err := CheckInclusion(proof, index, size, root, leaf); !errors.Is(err, ErrInclusion) {
			t.Errorf("%d of %d, %s: %v", index, size, what, err)
		}
	}
	for size := 1; size <= 70; size++ {
		root := Root(hashes[:size])
		for i := range size {
			index, size := uint64(i), uint64(size)
			proof, err := ProveInclusion(rows, index, size)
			if err != nil || !slices.Equal(proof, rfcPath(i, hashes[:size])) {
				t.Fatalf("%d of %d: %v", index, size, err)
			}
			if err := CheckInclusion(proof, index, size, root, hashes[i]); err != nil {
				t.Errorf("%d of %d: %v", index, size, err)
			}
			refused("another leaf", proof, index, size, root, hashes[i+1])
			refused("another root", proof, index, size, Root(hashes[:size+1]), hashes[i])
			if size > 1 {
				refused("another index", proof, (index+1)%size, size, root, hashes[i])
			}
			refused("beyond", proof, size, size, root, hashes[i])
			if size < 20 {
				flips(proof, func(what string, p []wire.Hash) { refused(what, p, index, size, root, hashes[i]) })
			}
		}
		if _, err := ProveInclusion(rows, uint64(size), uint64(size)); !errors.Is(err, ErrInclusion) {
			t.Errorf("a proof of what is not there: %v", err)
		}
	}
	for size := 71; size <= 600; size += 7 {
		for i := 0; i < size; i += 13 {
			proof, err := ProveInclusion(rows, uint64(i), uint64(size))
			if err != nil || !slices.Equal(proof, rfcPath(i, hashes[:size])) {
				t.Fatalf("%d of %d: %v", i, size, err)
			}
		}
	}
	if _, err := ProveInclusion(rows, 0, 601); !errors.Is(err, ErrTile) {
		t.Error("a proof in a tree that is not there:", err)
	}
	refused("a proof of a million hashes", make([]wire.Hash, 1<<20), 0, 2, hashes[0], hashes[1])
}

// TestConsistency: the same for consistency, from every size to every later one.
func TestConsistency(t *testing.T) {
	rows, hashes := grown(t, 600)
	roots := make([]wire.Hash, 601)
	for n := range roots {
		roots[n] = Root(hashes[:n])
	}
	refused := func(what string, proof []wire.Hash, from uint64, fromRoot wire.Hash, to uint64, toRoot wire.Hash) {
		t.Helper()
		if err := CheckConsistency(proof, from, fromRoot, to, toRoot); !errors.Is(err, ErrConsistency) {
			t.Errorf("%d to %d, %s: %v", from, to, what, err)
		}
	}
	for to := 1; to <= 70; to++ {
		for from := 1; from <= to; from++ {
			proof, err := ProveConsistency(rows, uint64(from), uint64(to))
			if err != nil || !slices.Equal(proof, rfcSubproof(from, hashes[:to], true)) {
				t.Fatalf("%d to %d: %v", from, to, err)
			}
			from, to := uint64(from), uint64(to)
			if err := CheckConsistency(proof, from, roots[from], to, roots[to]); err != nil {
				t.Errorf("%d to %d: %v", from, to, err)
			}
			refused("another old root", proof, from, roots[from-1], to, roots[to])
			refused("another new root", proof, from, roots[from], to, roots[to+1])
			refused("backwards", proof, to+1, roots[to], from, roots[from])
			if to < 20 {
				flips(proof, func(what string, p []wire.Hash) { refused(what, p, from, roots[from], to, roots[to]) })
			}
		}
	}
	for to := 71; to <= 600; to += 31 {
		for from := 1; from <= to; from += 17 {
			proof, err := ProveConsistency(rows, uint64(from), uint64(to))
			if err != nil || !slices.Equal(proof, rfcSubproof(from, hashes[:to], true)) {
				t.Fatalf("%d to %d: %v", from, to, err)
			}
		}
	}
	// Every tree begins with the empty one.
	for _, to := range []uint64{0, 1, 70} {
		proof, err := ProveConsistency(rows, 0, to)
		if err != nil || len(proof) != 0 || CheckConsistency(proof, 0, Root(nil), to, roots[to]) != nil {
			t.Errorf("0 to %d: %v", to, err)
		}
		refused("a root of the empty tree", nil, 0, roots[2], to, roots[to])
		refused("a proof where none is due", roots[:1], 0, Root(nil), to, roots[to])
	}
	refused("another empty tree", nil, 0, Root(nil), 0, roots[1])
	if _, err := ProveConsistency(rows, 2, 1); !errors.Is(err, ErrConsistency) {
		t.Error("a proof backwards:", err)
	}
	refused("a proof of a million hashes", make([]wire.Hash, 1<<20), 1, roots[1], 2, roots[2])
}

// TestTileOf: tiles are what x/mod reads from the same tree.
func TestTileOf(t *testing.T) {
	rows, hashes := grown(t, 600)
	storage := make([]tlog.Hash, 0, 2*len(hashes))
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range indexes {
			out = append(out, storage[i])
		}
		return out, nil
	})
	for i, h := range hashes {
		more, err := tlog.StoredHashesForRecordHash(int64(i), tlog.Hash(h), reader)
		if err != nil {
			t.Fatal(err)
		}
		storage = append(storage, more...)
	}
	for _, want := range tlog.NewTiles(TileHeight, 0, 600) {
		data, err := tlog.ReadTileData(want, reader)
		if err != nil {
			t.Fatal(err)
		}
		got, err := TileOf(rows.rows[rowID{want.L, uint64(want.N)}], want.W)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%v: %v", want, err)
		}
		for w := range want.W {
			if got, err := TileOf(rows.rows[rowID{want.L, uint64(want.N)}], w+1); err != nil || !bytes.Equal(got, data[:32*(w+1)]) {
				t.Errorf("%v at width %d: %v", want, w+1, err)
			}
		}
	}
	full, partial := rows.rows[rowID{0, 0}], rows.rows[rowID{0, 2}] // 256 and 88 hashes wide
	for name, err := range map[string]error{
		"0 wide":        second(TileOf(full, 0)),
		"-1 wide":       second(TileOf(full, -1)),
		"257 wide":      second(TileOf(full, 257)),
		"beyond":        second(TileOf(partial, 89)),
		"no row":        second(TileOf(nil, 1)),
		"a longer row":  second(TileOf(append(bytes.Clone(full), full...), 256)),
		"a torn row":    second(TileOf(partial[:len(partial)-1], 88)),
		"one hash more": second(TileOf(append(bytes.Clone(full), make([]byte, 32)...), 1)),
	} {
		if !errors.Is(err, ErrTile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestTilePath: c2sp.org/tlog-tiles' spelling, and no other. S-LOG-15
func TestTilePath(t *testing.T) {
	for want, tile := range map[string]Tile{
		"tile/0/000":                        {0, 0, 256},
		"tile/0/x001/x234/067":              {0, 1234067, 256},
		"tile/1/x001/234":                   {1, 1234, 256},
		"tile/0/999":                        {0, 999, 256},
		"tile/0/x001/000":                   {0, 1000, 256},
		"tile/63/005.p/1":                   {63, 5, 1},
		"tile/7/x010/x000/x000/001.p/255":   {7, 10000000001, 255},
		"tile/entries/000":                  {LevelEntries, 0, 256},
		"tile/entries/x001/x234/067.p/17":   {LevelEntries, 1234067, 17},
		"tile/0/x004/x503/x599/x627/370/00": {},
	} {
		got, err := ParseTilePath(want)
		if tile == (Tile{}) {
			if !errors.Is(err, ErrTile) {
				t.Errorf("%s: %v", want, err)
			}
			continue
		}
		if err != nil || got != tile || tile.Path() != want || TilePath(tile.Level, tile.N, tile.Width) != want {
			t.Errorf("%s: %+v, %v", want, got, err)
		}
	}
	if got := BundlePath(1, 2); got != "tile/entries/001.p/2" {
		t.Error(got)
	}
	for _, path := range []string{
		"", "tile", "tile/", "tile/0", "tile/0/", "tile//000", "/tile/0/000", "tile/0/000/", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/x000",
		"tile/0/x000/000", "tile/0/001/000", "tile/0/x001/x000", "tile/0/x1/000", "tile/0/x001000", "tile/0/1000", "tile/0/+01", "tile/0/-01", "tile/0/0x1",
		"tile/64/000", "tile/256/000", "tile/00/000", "tile/01/000", "tile/-1/000", "tile/+1/000", "tile/8/0/000", "tile/Entries/000", "tile/data/000",
		"tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/00", "tile/0/000.p/01", "tile/0/000.p/256", "tile/0/000.p/+1", "tile/0/000.p/1/",
		"tile/0/000.p/1.p/1", "tile/0/000.P/1", "tile/0/000.p1", "tile/0/ 00", "tile/0/000\n", "tile/0/000?", "tile/0/../000", "tile/0/x001/../000", "tile/0/xx01/000",
		"tile/0/x018/x446/x744/x073/x709/x551/615", "tile/0/x018/x446/x744/x073/x709/x551/616", "tile/0/x999/x999/x999/x999/x999/x999/999", "checkpoint",
		"tile/0/" + strings.Repeat("x000/", 1<<16) + "000", "tile/0/x\u0660\u0660\u0661/000",
	} {
		if tile, err := ParseTilePath(path); !errors.Is(err, ErrTile) {
			t.Errorf("%.60q: %+v, %v", path, tile, err)
		}
	}
}

// TestTileIn: c2sp.org/tlog-tiles' example of a tree of 70,000 leaves, and the smallest full tile.
func TestTileIn(t *testing.T) {
	for _, tt := range []struct {
		tile Tile
		size uint64
		in   bool
	}{
		{Tile{0, 272, 256}, 70000, true}, {Tile{0, 273, 112}, 70000, true}, {Tile{0, 273, 113}, 70000, false}, {Tile{0, 273, 1}, 70000, true}, {Tile{0, 274, 1}, 70000, false},
		{Tile{1, 0, 256}, 70000, true}, {Tile{1, 1, 17}, 70000, true}, {Tile{1, 1, 18}, 70000, false}, {Tile{2, 0, 1}, 70000, true}, {Tile{2, 0, 2}, 70000, false}, {Tile{3, 0, 1}, 70000, false},
		{Tile{LevelEntries, 273, 112}, 70000, true}, {Tile{LevelEntries, 273, 113}, 70000, false}, {Tile{0, 0, 1}, 0, false}, {Tile{0, 0, 256}, 256, true}, {Tile{1, 0, 1}, 256, true},
		{Tile{1, 0, 1}, 255, false}, {Tile{63, 0, 1}, ^uint64(0), false}, {Tile{0, 1 << 57, 1}, ^uint64(0), false}, {Tile{0, ^uint64(0), 256}, 10, false},
	} {
		if got := tt.tile.In(tt.size); got != tt.in {
			t.Errorf("%+v in %d: %v", tt.tile, tt.size, got)
		}
	}
	widths := map[Tile]uint64{{0, 273, 112}: 70000, {1, 1, 17}: 70000, {2, 0, 1}: 70000, {3, 0, 0}: 70000, {0, 3, 256}: 70000, {0, 274, 0}: 70000, {0, 0, 0}: 0, {1, 0, 1}: 256}
	for want, size := range widths {
		if got := tileAt(want.Level, want.N, size); got != want {
			t.Errorf("%+v in %d, want %+v", got, size, want)
		}
	}
}

// TestBundle: 1 to 256 leaves, each with its length. S-LOG-15
func TestBundle(t *testing.T) {
	var all [][]byte
	for i := range 256 {
		all = append(all, testLeaf(i).Bytes())
	}
	for _, n := range []int{1, 2, 255, 256} {
		b := Bundle(all[:n])
		leaves, err := ParseBundle(b)
		if err != nil || len(leaves) != n || leaves[n-1] != testLeaf(n-1) {
			t.Errorf("%d leaves: %v", n, err)
		}
	}
	good := Bundle(all[:2])
	if !bytes.HasPrefix(good, []byte{0, 98, 0, 1}) {
		t.Error("no length before the leaf")
	}
	long, short, unknown := bytes.Clone(good), bytes.Clone(good), bytes.Clone(good)
	long[1], short[101], unknown[102] = 99, 97, 0xff
	for name, b := range map[string][]byte{
		"none": nil, "257 leaves": Bundle(append(all[:256:256], all[0])), "torn": good[:199], "trailing": append(bytes.Clone(good), 0), "length 99": long,
		"length 97": short, "unknown type": unknown, "half": good[:150],
	} {
		if _, err := ParseBundle(b); !errors.Is(err, ErrTile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseTilePath(f *testing.F) {
	for _, s := range []string{"tile/0/000", "tile/0/x001/x234/067.p/17", "tile/entries/x001/000", "tile/63/999.p/255", "tile/x/000", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tile, err := ParseTilePath(s)
		if err == nil && tile.Path() != s {
			t.Fatal("re-encodes differently")
		}
		if err != nil && !errors.Is(err, ErrTile) {
			t.Fatal(err)
		}
	})
}

func FuzzParseBundle(f *testing.F) {
	f.Add(Bundle([][]byte{testLeaf(0).Bytes(), testLeaf(1).Bytes()}))
	f.Add(Bundle([][]byte{testLeaf(0).Bytes()}))
	f.Add(make([]byte, 100))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		leaves, err := ParseBundle(b)
		if err != nil {
			return
		}
		var raw [][]byte
		for _, l := range leaves {
			raw = append(raw, l.Bytes())
		}
		if !bytes.Equal(Bundle(raw), b) {
			t.Fatal("re-encodes differently")
		}
	})
}

// FuzzCheck: no proof whatever makes a leaf or an older tree of what is none, and none panics.
func FuzzCheck(f *testing.F) {
	rows, hashes := grown(f, 300)
	root := Root(hashes)
	for _, i := range []uint64{0, 3, 299} {
		proof, err := ProveInclusion(rows, i, 300)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(i, uint64(300), flat(proof))
		if proof, err = ProveConsistency(rows, i+1, 300); err != nil {
			f.Fatal(err)
		}
		f.Add(i+1, uint64(300), flat(proof))
	}
	f.Add(^uint64(0), ^uint64(0), []byte{1})
	f.Fuzz(func(t *testing.T, at, size uint64, b []byte) {
		proof := make([]wire.Hash, 0, len(b)/32)
		for ; len(b) >= 32; b = b[32:] {
			proof = append(proof, wire.Hash(b[:32]))
		}
		if CheckInclusion(proof, at, size, root, wire.Hash{1}) == nil {
			t.Fatal("a leaf that is not there was proved")
		}
		if at > 0 && CheckConsistency(proof, at, wire.Hash{1}, size, root) == nil {
			t.Fatal("a tree that never was was proved")
		}
	})
}

func flat(proof []wire.Hash) (b []byte) {
	for _, h := range proof {
		b = append(b, h[:]...)
	}
	return b
}

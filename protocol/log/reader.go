package log

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/underseal/underseal/protocol/wire"
)

// Source serves a log's resources by their paths: "checkpoint", "tile/0/x001/234", "tile/entries/000.p/7". What it returns
// need not be true: who reads verifies. It must be safe for concurrent use, and take no more than MaxTileSize,
// MaxBundleSize or MaxNoteSize bytes from whoever serves it. Where nothing is served under a path, its error is ErrNoTile.
type Source interface {
	Read(ctx context.Context, path string) ([]byte, error)
}

// readTile reads a tile or a bundle whose hashes or leaves have size bytes each. A partial one that is gone is the beginning
// of the full one.
func readTile(ctx context.Context, src Source, t Tile, size int) ([]byte, error) {
	width := t.Width
	b, err := src.Read(ctx, t.Path())
	if width < TileWidth && errors.Is(err, ErrNoTile) {
		t.Width = TileWidth
		b, err = src.Read(ctx, t.Path())
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", t.Path(), err)
	}
	if len(b) != t.Width*size {
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrTile, t.Path(), len(b))
	}
	return b[:width*size], nil
}

// maxKeptRows bounds what a Reader remembers of level 0. Each row has 16 KB; the levels above have 256 times fewer.
const maxKeptRows = 64

// Reader reads a log as of one checkpoint. What it returns is proved by that checkpoint; it is as true as the checkpoint.
// It is safe for concurrent use.
type Reader struct {
	src Source
	c   Checkpoint

	mu    sync.Mutex       // guards upper, lower
	upper map[rowID][]byte // rows above level 0, and the partial one of level 0
	lower map[rowID][]byte // full rows of level 0, a few
}

// NewReader reads src as of c, which Keys.Open returned.
func NewReader(src Source, c Checkpoint) *Reader {
	return &Reader{src: src, c: c, upper: map[rowID][]byte{}, lower: map[rowID][]byte{}}
}

// LeafHash returns the hash of the leaf at index.
func (r *Reader) LeafHash(ctx context.Context, index uint64) (wire.Hash, error) {
	if index >= r.c.Size {
		return wire.Hash{}, fmt.Errorf("%w: no index %d in %d leaves", ErrTile, index, r.c.Size)
	}
	row, err := r.row(ctx, 0, index/TileWidth)
	if err != nil {
		return wire.Hash{}, err
	}
	return leafOfRow(row, int(index%TileWidth))
}

// Leaves returns the leaves of bundle n: all 256 from index 256·n on, or as many as the tree has.
func (r *Reader) Leaves(ctx context.Context, n uint64) ([]Leaf, error) {
	t := tileAt(LevelEntries, n, r.c.Size)
	if t.Width == 0 {
		return nil, fmt.Errorf("%w: no bundle %d in %d leaves", ErrTile, n, r.c.Size)
	}
	leaves, tile, err := readBundle(ctx, r.src, t)
	if err != nil {
		return nil, err
	}
	if err := r.checkBundle(ctx, t, tile); err != nil {
		return nil, err
	}
	return leaves, nil
}

// RootAt returns the root that the tree had at an earlier size.
func (r *Reader) RootAt(ctx context.Context, size uint64) (wire.Hash, error) {
	if size > r.c.Size {
		return wire.Hash{}, fmt.Errorf("%w: no size %d in %d leaves", ErrTile, size, r.c.Size)
	}
	read := func(level int, n uint64) ([]byte, error) { return r.row(ctx, level, n) }
	return rootAt(&rowCache{read: read, kept: map[rowID][]byte{}}, size)
}

// readBundle reads the leaves of a bundle and hashes them into what the tile of level 0 must be.
func readBundle(ctx context.Context, src Source, t Tile) (leaves []Leaf, tile []byte, err error) {
	b, err := readTile(ctx, src, t, 2+LeafSize)
	if err != nil {
		return nil, nil, err
	}
	if leaves, err = ParseBundle(b); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", t.Path(), err)
	}
	tile = make([]byte, 0, t.Width*hashSize)
	for i := range leaves {
		h := LeafHash(b[i*(2+LeafSize)+2:][:LeafSize])
		tile = append(tile, h[:]...)
	}
	return leaves, tile, nil
}

// row returns a proved row.
func (r *Reader) row(ctx context.Context, level int, n uint64) ([]byte, error) {
	if row := r.known(rowID{level, n}); row != nil {
		return row, nil
	}
	t := tileAt(level, n, r.c.Size)
	switch t.Width {
	case 0:
		return nil, fmt.Errorf("%w: row %d of level %d is beyond the tree", ErrTile, n, level)
	case TileWidth:
		return r.readFull(ctx, t)
	}
	edge, err := readEdge(ctx, r.src, r.c)
	if err != nil {
		return nil, err
	}
	for id, row := range edge {
		r.keep(r.upper, id, row)
	}
	return edge[rowID{level, n}], nil
}

// readFull reads a full tile and proves it.
func (r *Reader) readFull(ctx context.Context, t Tile) ([]byte, error) {
	tile, err := readTile(ctx, r.src, t, hashSize)
	if err != nil {
		return nil, err
	}
	row := rowOf(tile)
	if err := r.checkFull(ctx, t, row); err != nil {
		return nil, err
	}
	kept := r.upper
	if t.Level == 0 {
		kept = r.lower
	}
	r.keep(kept, rowID{t.Level, t.N}, row)
	return row, nil
}

// checkFull proves a full row by the hash that it has one level up. There always is one: the highest level is never full.
func (r *Reader) checkFull(ctx context.Context, t Tile, row []byte) error {
	above, err := r.row(ctx, t.Level+1, t.N/TileWidth)
	if err != nil {
		return err
	}
	want, err := leafOfRow(above, int(t.N%TileWidth))
	if err != nil {
		return err
	}
	if lastHash(row) != want {
		return fmt.Errorf("%w: %s is another tree's", ErrTile, t.Path())
	}
	return nil
}

// checkBundle proves the hashes of a bundle's leaves. For a full one the tile itself is not needed.
func (r *Reader) checkBundle(ctx context.Context, t Tile, tile []byte) error {
	row := rowOf(tile)
	if t.Width == TileWidth {
		return r.checkFull(ctx, Tile{N: t.N, Width: t.Width}, row)
	}
	want, err := r.row(ctx, 0, t.N)
	if err != nil {
		return err
	}
	if !bytes.Equal(row, want) {
		return fmt.Errorf("%w: %s is another tree's", ErrTile, t.Path())
	}
	return nil
}

func readEdge(ctx context.Context, src Source, c Checkpoint) (map[rowID][]byte, error) {
	edge := map[rowID][]byte{}
	for level, size := 0, c.Size; size > 0; level, size = level+1, size/TileWidth {
		t := tileAt(level, size/TileWidth, c.Size)
		if t.Width == 0 {
			continue
		}
		tile, err := readTile(ctx, src, t, hashSize)
		if err != nil {
			return nil, err
		}
		edge[rowID{level, t.N}] = rowOf(tile)
	}
	return edge, checkEdge(edge, c)
}

// checkEdge compares the root that the partial rows give with the checkpoint's.
func checkEdge(edge map[rowID][]byte, c Checkpoint) error {
	none := func(int, uint64) ([]byte, error) { return nil, nil }
	root, err := rootAt(&rowCache{read: none, kept: edge}, c.Size)
	if err != nil {
		return err
	}
	if root != c.Root {
		return fmt.Errorf("%w: another root than the checkpoint's at %d leaves", ErrTile, c.Size)
	}
	return nil
}

func (r *Reader) known(id rowID) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if row := r.upper[id]; row != nil {
		return row
	}
	return r.lower[id]
}

func (r *Reader) keep(kept map[rowID][]byte, id rowID, row []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lower) >= maxKeptRows {
		clear(r.lower)
	}
	kept[id] = row
}

package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/underseal/underseal/protocol/wire"
)

const (
	// TileHeight is the height of every tile, in levels of the tree.
	TileHeight = 8
	// TileWidth is the number of hashes in a full tile, and of leaves in a full bundle.
	TileWidth = 1 << TileHeight
	// MaxTileSize and MaxBundleSize are the sizes of full ones: a Source needs to take no more from whoever serves it.
	MaxTileSize   = TileWidth * hashSize
	MaxBundleSize = TileWidth * (2 + LeafSize)

	hashSize = 32
	rowSize  = 2*TileWidth - 1 // hashes in a full row

	// maxSize bounds trees, far beyond what anybody can fill, so that positions in stored-hash order stay below 2^63.
	maxSize = 1 << 60
	// maxPath bounds inclusion and consistency proofs of such trees.
	maxPath = 64
)

var (
	// ErrTile says that a tile, a bundle, a row or its name is malformed or not the tree's.
	ErrTile = errors.New("not a tile of the tree")
	// ErrNoTile is what a Source answers for a path under which nothing is served.
	ErrNoTile = errors.New("no such tile")
	// ErrInclusion says that a proof does not put the leaf at its index in the tree.
	ErrInclusion = errors.New("leaf is not proved to be in the tree")
	// ErrConsistency says that a proof does not show one tree to begin with the other.
	ErrConsistency = errors.New("trees are not proved consistent")
)

// Rows keeps a tree's hashes. A row holds one tile with the nodes between its hashes, in stored-hash order: each node right
// after its right child, so that a row only ever grows at its end and nothing in it is hashed twice. A full row has 511
// hashes; the last is its root, which is also a leaf of a row one level up.
//
// Neither side may write to a row after handing it over.
type Rows interface {
	// Row returns the row, or nil where there is none.
	Row(level int, n uint64) ([]byte, error)
	PutRow(level int, n uint64, row []byte) error
}

// Grow appends leaf hashes to a tree of that size and returns the new root. It reads and writes each row at most once.
func Grow(rows Rows, size uint64, leafHashes []wire.Hash) (wire.Hash, error) {
	if size > maxSize || uint64(len(leafHashes)) > maxSize-size {
		return wire.Hash{}, fmt.Errorf("%w: too many leaves", ErrTile)
	}
	seen := rowCache{read: rows.Row, kept: map[rowID][]byte{}}
	for level, at, hashes := 0, size, leafHashes; len(hashes) > 0; level, at = level+1, at>>TileHeight {
		var err error
		if hashes, err = growLevel(rows, seen.kept, level, at, hashes); err != nil {
			return wire.Hash{}, err
		}
	}
	return rootAt(&seen, size+uint64(len(leafHashes)))
}

// growLevel appends hashes to one level that has at of them and returns the roots of the rows that became full.
func growLevel(rows Rows, kept map[rowID][]byte, level int, at uint64, hashes []wire.Hash) (up []wire.Hash, err error) {
	id, width := rowID{level, at >> TileHeight}, int(at%TileWidth)
	row, err := rows.Row(id.level, id.n)
	if err != nil {
		return nil, err
	}
	// A row that is longer belongs to a larger tree: appending at a stale size would overwrite what was signed.
	if len(row) != storedCount(width)*hashSize {
		return nil, fmt.Errorf("%w: row %d of level %d has %d bytes at width %d", ErrTile, id.n, id.level, len(row), width)
	}
	for len(hashes) > 0 {
		n := min(len(hashes), TileWidth-width)
		grown := make([]byte, len(row), storedCount(width+n)*hashSize)
		copy(grown, row)
		for _, h := range hashes[:n] {
			grown = appendToRow(grown, width, h)
			width++
		}
		if err := rows.PutRow(id.level, id.n, grown); err != nil {
			return nil, err
		}
		hashes, row = hashes[n:], nil
		if width < TileWidth {
			kept[id] = grown
			break
		}
		up = append(up, lastHash(grown))
		id.n, width = id.n+1, 0
	}
	return up, nil
}

// appendToRow appends a tile's hash number width and every node that it completes.
func appendToRow(row []byte, width int, h wire.Hash) []byte {
	row = append(row, h[:]...)
	// The hash completes one node for each trailing one of its number. The left child stands before the whole subtree of the
	// right one, which has 2^(k+1)-1 hashes.
	for k := 0; width>>k&1 == 1; k++ {
		right := len(row) - hashSize
		left := right - (2<<k-1)*hashSize
		h = node(wire.Hash(row[left:left+hashSize]), wire.Hash(row[right:]))
		row = append(row, h[:]...)
	}
	return row
}

// rowOf builds the row over a tile's hashes.
func rowOf(tile []byte) []byte {
	width := len(tile) / hashSize
	row := make([]byte, 0, storedCount(width)*hashSize)
	for i := range width {
		row = appendToRow(row, i, wire.Hash(tile[i*hashSize:]))
	}
	return row
}

func lastHash(row []byte) wire.Hash { return wire.Hash(row[len(row)-hashSize:]) }

// storedCount is the number of hashes in a row of that width.
func storedCount(width int) int { return int(tlog.StoredHashCount(int64(width))) }

// leafOfRow returns the hash number i of the row's tile.
func leafOfRow(row []byte, i int) (wire.Hash, error) { return nodeOfRow(row, 0, i) }

func nodeOfRow(row []byte, level, i int) (wire.Hash, error) {
	at := int(tlog.StoredHashIndex(level, int64(i))) * hashSize
	if len(row) < at+hashSize {
		return wire.Hash{}, fmt.Errorf("%w: a row is too short", ErrTile)
	}
	return wire.Hash(row[at:]), nil
}

// TileOf returns the tile of that width that begins the row's, as it is served.
func TileOf(row []byte, width int) ([]byte, error) {
	if width < 1 || width > TileWidth || len(row) < storedCount(width)*hashSize || len(row) > rowSize*hashSize {
		return nil, fmt.Errorf("%w: no width %d in a row of %d bytes", ErrTile, width, len(row))
	}
	tile := make([]byte, 0, width*hashSize)
	for i := range width {
		h, err := leafOfRow(row, i)
		if err != nil {
			return nil, err
		}
		tile = append(tile, h[:]...)
	}
	return tile, nil
}

type rowID struct {
	level int
	n     uint64
}

// rowCache reads nodes by their place in stored-hash order, as package tlog asks for them, and each row once.
type rowCache struct {
	read func(level int, n uint64) ([]byte, error)
	kept map[rowID][]byte
}

// ReadHashes implements tlog.HashReader.
func (c *rowCache) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		height, n := tlog.SplitStoredHashIndex(index)
		within := height % TileHeight
		inRow := TileHeight - within // a row has 2^inRow nodes of that height
		id := rowID{height / TileHeight, uint64(n) >> inRow}
		row, ok := c.kept[id]
		if !ok {
			var err error
			if row, err = c.read(id.level, id.n); err != nil {
				return nil, err
			}
			c.kept[id] = row
		}
		h, err := nodeOfRow(row, within, int(n&(1<<inRow-1)))
		if err != nil {
			return nil, err
		}
		hashes[i] = tlog.Hash(h)
	}
	return hashes, nil
}

// RootAt returns the root that the tree had at that size.
func RootAt(rows Rows, size uint64) (wire.Hash, error) {
	return rootAt(&rowCache{read: rows.Row, kept: map[rowID][]byte{}}, size)
}

func rootAt(c *rowCache, size uint64) (wire.Hash, error) {
	if size > maxSize {
		return wire.Hash{}, fmt.Errorf("%w: no size %d", ErrTile, size)
	}
	h, err := tlog.TreeHash(int64(size), c)
	return wire.Hash(h), err
}

// ProveInclusion proves that a leaf stands at index in the tree of that size: the siblings on its way to the root, lowest
// first (RFC 6962, 2.1.1).
func ProveInclusion(rows Rows, index, size uint64) ([]wire.Hash, error) {
	if size > maxSize || index >= size {
		return nil, fmt.Errorf("%w: no index %d in %d leaves", ErrInclusion, index, size)
	}
	p, err := tlog.ProveRecord(int64(size), int64(index), &rowCache{read: rows.Row, kept: map[rowID][]byte{}})
	return fromTlog(p), err
}

// ProveConsistency proves that the tree of size to begins with the tree of size from (RFC 6962, 2.1.2). Every tree begins
// with the empty one; that takes no proof.
func ProveConsistency(rows Rows, from, to uint64) ([]wire.Hash, error) {
	if to > maxSize || from > to {
		return nil, fmt.Errorf("%w: from %d to %d leaves", ErrConsistency, from, to)
	}
	if from == 0 {
		return nil, nil
	}
	p, err := tlog.ProveTree(int64(to), int64(from), &rowCache{read: rows.Row, kept: map[rowID][]byte{}})
	return fromTlog(p), err
}

// CheckInclusion verifies a proof of ProveInclusion.
func CheckInclusion(proof []wire.Hash, index, size uint64, root, leafHash wire.Hash) error {
	if size > maxSize || index >= size || len(proof) > maxPath {
		return ErrInclusion
	}
	if tlog.CheckRecord(toTlog(proof), int64(size), tlog.Hash(root), int64(index), tlog.Hash(leafHash)) != nil {
		return ErrInclusion
	}
	return nil
}

// CheckConsistency verifies a proof of ProveConsistency.
func CheckConsistency(proof []wire.Hash, from uint64, fromRoot wire.Hash, to uint64, toRoot wire.Hash) error {
	if to > maxSize || from > to || len(proof) > maxPath {
		return ErrConsistency
	}
	if from == 0 {
		// An empty tree has one root, and so has the later one if it is empty too.
		if len(proof) > 0 || fromRoot != Root(nil) || to == 0 && toRoot != fromRoot {
			return ErrConsistency
		}
		return nil
	}
	if tlog.CheckTree(toTlog(proof), int64(to), tlog.Hash(toRoot), int64(from), tlog.Hash(fromRoot)) != nil {
		return ErrConsistency
	}
	return nil
}

func toTlog(hashes []wire.Hash) []tlog.Hash {
	out := make([]tlog.Hash, len(hashes))
	for i, h := range hashes {
		out[i] = tlog.Hash(h)
	}
	return out
}

func fromTlog(hashes []tlog.Hash) []wire.Hash {
	out := make([]wire.Hash, len(hashes))
	for i, h := range hashes {
		out[i] = wire.Hash(h)
	}
	return out
}

// LevelEntries stands for the level of entry bundles.
const LevelEntries = -1

// Tile names a tile or a bundle.
type Tile struct {
	Level int    // 0 to 63, or LevelEntries
	N     uint64 // which one of the level
	Width int    // hashes or leaves in it: 1 to 256
}

// TilePath spells the path of a tile (c2sp.org/tlog-tiles). Only a width below 256 is spelled.
func TilePath(level int, n uint64, width int) string {
	return Tile{Level: level, N: n, Width: width}.Path()
}

// BundlePath spells the path of an entry bundle.
func BundlePath(n uint64, width int) string { return TilePath(LevelEntries, n, width) }

// Path is the inverse of ParseTilePath.
func (t Tile) Path() string {
	level := "entries"
	if t.Level != LevelEntries {
		level = strconv.Itoa(t.Level)
	}
	n := fmt.Sprintf("%03d", t.N%1000)
	for rest := t.N / 1000; rest > 0; rest /= 1000 {
		n = fmt.Sprintf("x%03d/%s", rest%1000, n)
	}
	partial := ""
	if t.Width != TileWidth {
		partial = ".p/" + strconv.Itoa(t.Width)
	}
	return "tile/" + level + "/" + n + partial
}

// ParseTilePath takes the one spelling of a path of a tile or a bundle.
func ParseTilePath(path string) (Tile, error) {
	refused := fmt.Errorf("%w: no such path", ErrTile)
	rest, ok := strings.CutPrefix(path, "tile/")
	level, rest, found := strings.Cut(rest, "/")
	if len(path) > 64 || !ok || !found {
		return Tile{}, refused
	}
	t := Tile{Level: LevelEntries, Width: TileWidth}
	if level != "entries" {
		v, err := strconv.ParseUint(level, 10, 8)
		if err != nil || v > 63 {
			return Tile{}, refused
		}
		t.Level = int(v)
	}
	rest, width, partial := strings.Cut(rest, ".p/")
	if partial {
		v, err := strconv.ParseUint(width, 10, 8)
		if err != nil || v == 0 {
			return Tile{}, refused
		}
		t.Width = int(v)
	}
	v, err := strconv.ParseUint(strings.NewReplacer("x", "", "/", "").Replace(rest), 10, 64)
	t.N = v
	// What was skipped or read leniently is held against the one spelling.
	if err != nil || v >= maxSize/TileWidth || t.Path() != path {
		return Tile{}, refused
	}
	return t, nil
}

// In reports whether the tile is part of the tree of that size.
func (t Tile) In(size uint64) bool {
	if t.N >= maxSize/TileWidth {
		return false
	}
	return t.N*TileWidth+uint64(t.Width) <= size>>(TileHeight*max(t.Level, 0))
}

// tileAt returns the tile number n of a level, as wide as it is in the tree of that size. Its width is 0 where it is empty.
func tileAt(level int, n, size uint64) Tile {
	hashes := size >> (TileHeight * max(level, 0))
	if n >= maxSize/TileWidth || n*TileWidth >= hashes {
		return Tile{Level: level, N: n}
	}
	return Tile{Level: level, N: n, Width: int(min(hashes-n*TileWidth, TileWidth))}
}

// Bundle encodes leaves as an entry bundle: each with a two-byte length.
func Bundle(leaves [][]byte) []byte {
	var b []byte
	for _, l := range leaves {
		b = binary.BigEndian.AppendUint16(b, uint16(len(l)))
		b = append(b, l...)
	}
	return b
}

// ParseBundle is the inverse of Bundle. A bundle has 1 to 256 leaves.
func ParseBundle(b []byte) ([]Leaf, error) {
	if len(b) == 0 || len(b) > MaxBundleSize || len(b)%(2+LeafSize) != 0 {
		return nil, fmt.Errorf("%w: a bundle of %d bytes", ErrTile, len(b))
	}
	leaves := make([]Leaf, len(b)/(2+LeafSize))
	for i := range leaves {
		entry := b[i*(2+LeafSize):][:2+LeafSize]
		var err error
		if leaves[i], err = ParseLeaf(entry[2:]); err != nil || binary.BigEndian.Uint16(entry) != LeafSize {
			return nil, fmt.Errorf("%w: entry %d of a bundle", ErrTile, i)
		}
	}
	return leaves, nil
}

package log

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/underseal/underseal/protocol/wire"
)

// VerifyOptions say how VerifyTree works and who hears of it.
type VerifyOptions struct {
	// Fetchers is the number of bundles that are read and hashed at a time; 0 means 16.
	Fetchers int
	// BundlesOnly leaves the tiles unread, for a copy that has none. The leaves are proved all the same.
	BundlesOnly bool
	// Leaf is called with every leaf in order. Nothing is proved before VerifyTree returns nil. Its error ends the verification.
	Leaf func(index uint64, leaf Leaf) error
	// Progress is called after each bundle with the leaves done so far.
	Progress func(done, total uint64)
}

// VerifyTree reads every leaf and every tile of the tree of c and proves that they give its root. It holds a few bundles at
// a time, whatever the size. c is what Keys.Open returned.
func VerifyTree(ctx context.Context, src Source, c Checkpoint, opts VerifyOptions) error {
	if c.Size > maxSize {
		return fmt.Errorf("%w: no size %d", ErrTile, c.Size)
	}
	if opts.Fetchers <= 0 {
		opts.Fetchers = 16
	}
	v := &treeVerifier{src: src, c: c, opts: opts, edge: map[rowID][]byte{}}
	ctx, cancel := context.WithCancel(ctx)
	queue := make(chan *bundleTask, 2*opts.Fetchers)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { v.fetchAll(ctx, queue) })
	for task := range queue {
		select {
		case <-task.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := v.take(ctx, task); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return v.finish(ctx)
}

// bundleTask is one bundle on its way. Once done is closed, the rest is there.
type bundleTask struct {
	tile   Tile
	done   chan struct{}
	leaves []Leaf
	row    []byte
	err    error
}

type treeVerifier struct {
	src  Source
	c    Checkpoint
	opts VerifyOptions

	edge map[rowID][]byte // the row of each level that is not full yet
}

// fetchAll queues every bundle in order and has a few read at a time.
func (v *treeVerifier) fetchAll(ctx context.Context, queue chan<- *bundleTask) {
	defer close(queue)
	work := make(chan *bundleTask)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(work)
	for range v.opts.Fetchers {
		wg.Go(func() {
			for task := range work {
				task.leaves, task.row, task.err = v.fetch(ctx, task.tile)
				close(task.done)
			}
		})
	}
	for n := uint64(0); n*TileWidth < v.c.Size; n++ {
		task := &bundleTask{tile: tileAt(LevelEntries, n, v.c.Size), done: make(chan struct{})}
		select {
		case queue <- task:
		case <-ctx.Done():
			return
		}
		select {
		case work <- task:
		case <-ctx.Done():
			return
		}
	}
}

// fetch reads one bundle and holds the tile of level 0 against it.
func (v *treeVerifier) fetch(ctx context.Context, t Tile) (leaves []Leaf, row []byte, err error) {
	leaves, tile, err := readBundle(ctx, v.src, t)
	if err != nil {
		return nil, nil, err
	}
	t.Level = 0
	if err := v.compare(ctx, t, tile); err != nil {
		return nil, nil, err
	}
	return leaves, rowOf(tile), nil
}

// compare holds a tile that is served against the one that the leaves give.
func (v *treeVerifier) compare(ctx context.Context, t Tile, want []byte) error {
	if v.opts.BundlesOnly {
		return nil
	}
	got, err := readTile(ctx, v.src, t, hashSize)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%w: %s is not what the leaves give", ErrTile, t.Path())
	}
	return nil
}

// take adds the next bundle to the tree.
func (v *treeVerifier) take(ctx context.Context, task *bundleTask) error {
	if task.err != nil {
		return task.err
	}
	first := task.tile.N * TileWidth
	if v.opts.Leaf != nil {
		for i, l := range task.leaves {
			if err := v.opts.Leaf(first+uint64(i), l); err != nil {
				return err
			}
		}
	}
	if v.opts.Progress != nil {
		v.opts.Progress(first+uint64(len(task.leaves)), v.c.Size)
	}
	if task.tile.Width < TileWidth {
		v.edge[rowID{0, task.tile.N}] = task.row
		return nil
	}
	return v.add(ctx, 1, task.tile.N, lastHash(task.row))
}

// add appends hash number n of a level above 0.
func (v *treeVerifier) add(ctx context.Context, level int, n uint64, h wire.Hash) error {
	id, width := rowID{level, n / TileWidth}, int(n%TileWidth)
	row := appendToRow(v.edge[id], width, h)
	if width+1 < TileWidth {
		v.edge[id] = row
		return nil
	}
	delete(v.edge, id)
	if err := v.compareRow(ctx, id, row, TileWidth); err != nil {
		return err
	}
	return v.add(ctx, level+1, id.n, lastHash(row))
}

func (v *treeVerifier) compareRow(ctx context.Context, id rowID, row []byte, width int) error {
	tile, err := TileOf(row, width)
	if err != nil {
		return err
	}
	return v.compare(ctx, Tile{Level: id.level, N: id.n, Width: width}, tile)
}

// finish compares the partial tiles above level 0 and the root.
func (v *treeVerifier) finish(ctx context.Context) error {
	for id, row := range v.edge {
		if id.level == 0 {
			continue // compared when it was read
		}
		if err := v.compareRow(ctx, id, row, tileAt(id.level, id.n, v.c.Size).Width); err != nil {
			return err
		}
	}
	return checkEdge(v.edge, v.c)
}

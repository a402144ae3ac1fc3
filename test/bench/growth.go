package main

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/test/program"
)

// growthWriters write at a time while the log grows, and as many leaves share a commit while it is filled.
const growthWriters = 512

// grown is what was measured at one size.
type grown struct {
	leaves uint64 // in the store

	appends        appended
	proof          float64 // microseconds for a receipt's proofs
	tree, whole    float64 // microseconds a leaf: verifying
	fsck           float64
	file           float64 // bytes a leaf: the partition's file
	leaf, row, mop float64 // bytes a leaf: keys and values of leaves, tiles, map
	batch, release float64 // bytes an entry: the partition's file, with everything an entry keeps; 0 where it was not measured
}

// growth measures how everything grows with the log, and plots it.
func growth(b *bench, s sizes) []table {
	tessera := buildPeer(b)
	f := newFullFirm(b, 1)
	batch, release := f.renames(1)[0][0], f.releases(1)[0][0]
	b.must(f.close())
	steps := []uint64{uint64(s.leaves) / 100, uint64(s.leaves) / 10, uint64(s.leaves)}
	all := make([]grown, len(steps))
	l := newFirmLog(b)
	for i, size := range steps {
		g := &all[i]
		b.progress("a store of %d leaves", size)
		l.fill(size, growthWriters, nil)
		g.leaves, g.file = l.size(), l.fileBytes()/float64(l.size())
		g.leaf, g.row, g.mop = l.rows("log/leaf/"), l.rows("log/tile/"), l.rows("map/")
		g.proof = l.proofTime()
		var err error
		g.appends, err = measure(growthWriters, s.seconds, l.append)
		b.must(err)
		l.check()
		b.progress("%d leaves: %v, a proof %.0f µs, %.0f bytes a leaf", g.leaves, g.appends, g.proof, g.file)
	}
	b.must(l.close())
	for i, size := range steps {
		g := &all[i]
		if i < len(steps)-1 {
			g.batch, g.release = storageOf(b, size, batch, layout.State), storageOf(b, size, release, layout.Trail)
		}
		folder := newLogFolder(b, size)
		perLeaf := 1e6 / float64(size)
		g.fsck, g.tree, g.whole = folder.fsck(b, tessera)*perLeaf, folder.verify(b, nil)*perLeaf, folder.withMap(b)*perLeaf
		b.progress("%d leaves: verified in %.2f µs a leaf, with the map %.2f, fsck %.2f", size, g.tree, g.whole, g.fsck)
		b.must(os.RemoveAll(folder.path))
	}
	t := growthTable(all)
	if s.leaves == fullLeaves {
		b.must(writeDocs(t, all))
	}
	return []table{t}
}

func growthTable(all []grown) table {
	t := table{title: "How the log grows", head: []string{"what"}}
	for _, g := range all {
		t.head = append(t.head, fmt.Sprintf("%d leaves", roundLeaves(g.leaves)))
	}
	row := func(what, format string, value func(grown) float64) {
		cells := []string{what}
		for _, g := range all {
			cell := ""
			if v := value(g); v > 0 {
				cell = fmt.Sprintf(format, v)
			}
			cells = append(cells, cell)
		}
		t.add(cells...)
	}
	row(fmt.Sprintf("durable appends a second, %d writers", growthWriters), "%.0f", func(g grown) float64 { return g.appends.PerSecond })
	row("their p50, ms", "%.1f", func(g grown) float64 { return g.appends.P50 })
	row("their p99, ms", "%.1f", func(g grown) float64 { return g.appends.P99 })
	row("a receipt made, with inclusion and consistency, µs, median", "%.0f", func(g grown) float64 { return g.proof })
	row("verifying the tree, µs a leaf", "%.2f", func(g grown) float64 { return g.tree })
	row("the same by Tessera's fsck, µs a leaf", "%.2f", func(g grown) float64 { return g.fsck })
	row("verifying tree and map, µs a leaf", "%.2f", func(g grown) float64 { return g.whole })
	row("the firm's file, bytes a leaf", "%.0f", func(g grown) float64 { return g.file })
	row("of these keys and values of leaves", "%.0f", func(g grown) float64 { return g.leaf })
	row("of these the tree", "%.0f", func(g grown) float64 { return g.row })
	row("of these the map", "%.0f", func(g grown) float64 { return g.mop })
	row("the firm's file, bytes an entry: renaming a document", "%.0f", func(g grown) float64 { return g.batch })
	row("the firm's file, bytes an entry: a release", "%.0f", func(g grown) float64 { return g.release })
	t.note("One log that grows by commits of %d leaves, as many writers make them; the root of the map, a leaf of its own in each commit, is counted in. The file is as the system sees it, with the pages that the store keeps free and the steps in which it grows.", growthWriters)
	t.note("Bytes an entry are with all that the server keeps of one: the entry, signed and sealed, its leaf, tree and map, and the answer that it repeats to who asks again. Entries are real ones, one of each kind, put at as many places.")
	return t
}

// roundLeaves leaves out what the last commit was beyond the size that was meant.
func roundLeaves(n uint64) uint64 {
	for unit := uint64(1_000_000); unit >= 10; unit /= 10 {
		if n >= unit {
			return n / unit * unit
		}
	}
	return n
}

// fileBytes is the size of the firm's partition.
func (l *firmLog) fileBytes() float64 {
	files, err := filepath.Glob(filepath.Join(l.folder, "store", benchFirm+".*"))
	l.b.must(err)
	if len(files) != 1 {
		l.b.Fatalf("which is the firm? %v", files)
	}
	info, err := os.Stat(files[0])
	l.b.must(err)
	return float64(info.Size())
}

// rows is how many bytes the keys and values under a prefix have, a leaf of the log.
func (l *firmLog) rows(prefix string) float64 {
	n := 0
	l.b.must(l.store.View(context.Background(), benchFirm, func(tx store.Tx) error {
		return tx.Scan([]byte(prefix), nil, 0, func(k, v []byte) error {
			n += len(k) + len(v)
			return nil
		})
	}))
	if n == 0 {
		l.b.Fatalf("there are no rows %q", prefix)
	}
	return float64(n) / float64(l.size())
}

// proofTime is the median of how many microseconds the proofs of a receipt take, each in a look at the store of its own.
func (l *firmLog) proofTime() float64 {
	const many = 1000
	size := l.size()
	random := mathrand.New(mathrand.NewPCG(1, 2)) // which leaves are proved is of no account
	times := make([]float64, 0, many)
	for range many {
		a := ledger.Appended{Index: random.Uint64N(size)}
		began := time.Now()
		l.b.must(l.store.View(context.Background(), benchFirm, func(tx store.Tx) error {
			_, _, err := ledger.Receipt(tx, a, 1+random.Uint64N(size-1))
			return err
		}))
		times = append(times, float64(time.Since(began).Nanoseconds())/1000)
	}
	return median(times)
}

// storageOf is how many bytes an entry takes in the firm's file among size of them, with everything that is kept of it.
func storageOf(b *bench, size uint64, submission []byte, sequence string) float64 {
	sub, err := chain.ParseSubmission(submission)
	b.must(err)
	entry := sub.Entry.Bytes()
	l := newFirmLog(b)
	defer func() { b.must(l.close()) }()
	matter := wire.ChainID{1}
	n := uint64(0)
	l.fill(size, growthWriters, func(tx store.Tx, _ log.Leaf, index uint64) error {
		id, err := wire.NewObjectID(rand.Reader)
		if err != nil {
			return err
		}
		n++
		head := layout.Chain{Epoch: 1, Position: n, Head: wire.Hash{1}, TrailPosition: n, TrailHead: wire.Hash{2}}
		if err := tx.Put(layout.EntryKey(sequence, matter, n), append(layout.Uint64(index), entry...)); err != nil {
			return err
		}
		return layout.Put(tx, layout.AcceptedKey(matter, id), layout.Accepted{Submission: wire.Hash{3}, Actor: id, Chain: head, Index: index})
	})
	return l.fileBytes() / float64(n)
}

// fullLeaves is the size that is plotted.
const fullLeaves = 1_000_000

// writeDocs leaves the plot and its table where people read them.
func writeDocs(t table, all []grown) error {
	folder := filepath.Join(program.Root(), "docs")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "bench-log.svg"), []byte(growthPlot(all)), 0o644); err != nil {
		return err
	}
	text := "# How the log grows\n\nWritten by `make bench` (part `growth`), on the machine it ran on. What counts are the slopes.\n\n" +
		"![appends a second, verification, proofs and storage by the number of leaves](bench-log.svg)\n\n" + strings.TrimPrefix(t.markdown(), "### How the log grows\n\n")
	return os.WriteFile(filepath.Join(folder, "bench-log.md"), []byte(text), 0o644)
}

func growthPlot(all []grown) string {
	line := func(name string, value func(grown) float64) series {
		s := series{name: name}
		for _, g := range all {
			if v := value(g); v > 0 {
				s.points = append(s.points, point{float64(roundLeaves(g.leaves)), v})
			}
		}
		return s
	}
	return plot("How the log grows", "leaves in the log", []panel{
		{"Durable appends with receipts", fmt.Sprintf("a second, %d writers", growthWriters), []series{line("ours", func(g grown) float64 { return g.appends.PerSecond })}},
		{"Verifying a whole log", "µs a leaf", []series{
			line("tree", func(g grown) float64 { return g.tree }),
			line("tree, by Tessera's fsck", func(g grown) float64 { return g.fsck }),
			line("tree and map", func(g grown) float64 { return g.whole })}},
		{"Making a receipt's proofs", "µs", []series{line("inclusion and consistency", func(g grown) float64 { return g.proof })}},
		{"Storage", "bytes an entry of the firm's file", []series{
			line("log alone", func(g grown) float64 { return g.file }),
			line("whole, a rename", func(g grown) float64 { return g.batch }),
			line("whole, a release", func(g grown) float64 { return g.release })}},
	})
}

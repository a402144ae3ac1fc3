//go:build !js

package ledger

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/boltstore"
)

// syncGuard writes through to a disk what it is told, as the program's own guard does: whoever waits shares the next write.
type syncGuard struct {
	MemoryGuard
	file *os.File

	mu      sync.Mutex // guards all below
	next    uint64
	written uint64
}

// Raise implements Guard.
func (g *syncGuard) Raise(_ context.Context, _ string, s Signed) error {
	for {
		g.mu.Lock()
		g.next = max(g.next, s.Size)
		if g.written >= s.Size {
			g.mu.Unlock()
			return nil
		}
		n := g.next
		_, err := g.file.WriteAt(layout.Uint64(n), 0)
		if err == nil {
			err = g.file.Sync()
		}
		g.written = n
		g.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

const benchFirm = "firm"

// benchLog is a firm's log on a real disk, without anything else of a firm.
func benchLog(b *testing.B) (*Log, store.Store) {
	b.Helper()
	folder := b.TempDir()
	file, err := os.Create(filepath.Join(folder, "guard"))
	if err != nil {
		b.Fatal(err)
	}
	l := NewLog(&MemoryKeys{Random: rand.Reader}, &syncGuard{file: file})
	s, err := boltstore.Open(boltstore.Config{Folder: filepath.Join(folder, "store"), Hook: l.Integrate})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		s.Close()
		file.Close()
	})
	if _, err := l.Keys.Make(context.Background(), "bench"); err != nil {
		b.Fatal(err)
	}
	err = s.Update(context.Background(), benchFirm, func(tx store.Tx) error {
		return layout.Put(tx, layout.FirmKey(), layout.Firm{Log: "bench", Origin: "files.example/log/bench"})
	})
	if err != nil {
		b.Fatal(err)
	}
	return l, s
}

// appendOne is one durable append: a leaf, its commit with others, its receipt, and the guard before it leaves.
func appendOne(l *Log, s store.Store, n uint64) error {
	ctx := context.Background()
	leaf := log.Leaf{Type: log.TypeState, Commit: wire.Hash{1}}
	binary.BigEndian.PutUint64(leaf.Tag[:], n)
	var a Appended
	err := s.Update(ctx, benchFirm, func(tx store.Tx) (err error) {
		a.Index, err = appendLeaf(tx, leaf)
		return err
	})
	if err != nil {
		return err
	}
	r, err := l.Receipt(ctx, s, benchFirm, a, a.Index)
	if err == nil && r.Receipt == "" {
		err = errLayout
	}
	return err
}

// commits is how many commits there were: each has one map root.
func commits(b *testing.B, s store.Store) (n int) {
	b.Helper()
	err := s.View(context.Background(), benchFirm, func(tx store.Tx) error {
		size, err := counter(tx, layout.LogSizeKey())
		n = int(size) - b.N
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// BenchmarkAppend measures durable appends with their receipts, by how many write at a time.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 64, 512, 4096} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			l, s := benchLog(b)
			var next atomic.Int64
			times := make([]time.Duration, b.N)
			var group sync.WaitGroup
			b.ResetTimer()
			for range writers {
				group.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						began := time.Now()
						if err := appendOne(l, s, uint64(n)); err != nil {
							b.Error(err)
							return
						}
						times[n-1] = time.Since(began)
					}
				})
			}
			group.Wait()
			b.StopTimer()
			slices.Sort(times)
			ms := func(p int) float64 { return float64(times[(len(times)-1)*p/100].Microseconds()) / 1000 }
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
			b.ReportMetric(float64(b.N)/float64(commits(b, s)), "appends/commit")
			b.ReportMetric(ms(50), "p50-ms")
			b.ReportMetric(ms(99), "p99-ms")
		})
	}
}

package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/boltstore"
	"github.com/underseal/underseal/test/program"
)

// appended is what a run of appends measured. Tessera's side prints the same.
type appended struct {
	Entries   int     `json:"entries"`
	PerSecond float64 `json:"perSecond"`
	P50       float64 `json:"p50ms"`
	P99       float64 `json:"p99ms"`
}

func (a appended) String() string {
	return fmt.Sprintf("%.0f/s, p50 %.1f ms, p99 %.1f ms", a.PerSecond, a.P50, a.P99)
}

// measure has writers work until the time is over, each with one append after the other. The first tenth is for everybody to
// get into step.
func measure(writers int, seconds float64, one func(writer, n int) error) (appended, error) {
	from := time.Now().Add(time.Duration(seconds / 10 * float64(time.Second)))
	until := from.Add(time.Duration(seconds * float64(time.Second)))
	times, errs := make([][]time.Duration, writers), make([]error, writers)
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for n := 0; time.Now().Before(until) && errs[w] == nil; n++ {
				start := time.Now()
				errs[w] = one(w, n)
				if end := time.Now(); !end.Before(from) && end.Before(until) {
					times[w] = append(times[w], end.Sub(start))
				}
			}
		})
	}
	group.Wait()
	return summary(slices.Concat(times...), seconds), errors.Join(errs...)
}

func summary(all []time.Duration, seconds float64) appended {
	if len(all) == 0 {
		return appended{}
	}
	slices.Sort(all)
	ms := func(p int) float64 { return float64(all[(len(all)-1)*p/100].Microseconds()) / 1000 }
	return appended{Entries: len(all), PerSecond: float64(len(all)) / seconds, P50: ms(50), P99: ms(99)}
}

// appends compares durable appends with their receipts to Tessera's.
func appends(b *bench, s sizes) []table {
	tessera := buildPeer(b)
	e := expectations(fmt.Sprintf("Durable appends of 98 bytes with their receipts, %.0f s each", s.seconds))
	for _, writers := range []int{1, 64, 512, 4096} {
		theirs := tesseraAppends(b, tessera, writers, s.seconds)
		l := newFirmLog(b)
		ours, err := measure(writers, s.seconds, l.append)
		b.must(err)
		l.check()
		b.must(l.close())
		b.progress("%d writers: %v; Tessera: %v", writers, ours, theirs)
		if writers == 512 {
			e.atLeast("writers: 512, throughput, of Tessera's", ours.PerSecond/theirs.PerSecond, 5)
		}
		if writers == 1 {
			e.atLeast("writers: 1, Tessera's p50, of ours", theirs.P50/ours.P50, 20)
		}
		e.told(fmt.Sprintf("writers: %d, ours", writers), ours.String())
		e.told(fmt.Sprintf("writers: %d, Tessera", writers), theirs.String())
	}
	f := newFullFirm(b, s.fullWriters)
	for _, kind := range []struct {
		name    string
		entries [][][]byte
		path    string
	}{{"a document renamed", f.renames(s.perWriter), "entries"}, {"a release", f.releases(s.perWriter), "trail"}} {
		got := f.submitAll(kind.path, kind.entries)
		e.told(fmt.Sprintf("writers: %d, whole entries through the server, %s", s.fullWriters, kind.name), got.String())
	}
	b.must(f.close())
	e.note("Ours: the leaf into the firm's log, the map and the tree, a checkpoint signed with Ed25519 and ML-DSA-44 a commit, fdatasync, the proof of the leaf and of consistency, and the file that remembers what was signed, synced, before the receipt leaves.")
	e.note("Tessera 1.0.4, POSIX driver on the same disk, no antispam, one Ed25519 signature, an entry awaited until a published checkpoint has it, its proof not made. Its best settings of those tried: batches as large as the writers are many, which wait 50 ms for more (1 ms with one writer), a checkpoint each 100 ms, which is the least it takes, and an awaiter that looks every 5 ms.")
	e.note("Whole entries: signed and sealed beforehand, %d from each writer in a matter of his own; parsed, admitted and kept by the server's handlers, in this process and without a socket.", s.perWriter)
	return []table{e}
}

// buildPeer builds Tessera's side. It is a module of its own.
func buildPeer(b *bench) string {
	out := filepath.Join(b.TempDir(), "tessera")
	build(b, filepath.Join(program.Root(), "test", "interop"), "./bench", out)
	return out
}

func build(b *bench, dir, pkg, out string) {
	cmd := exec.Command("go", "build", "-o", out, pkg)
	cmd.Dir = dir
	if said, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("building %s: %v\n%s", pkg, err, said)
	}
}

// peer runs Tessera's side and decodes what it prints.
func peer[T any](b *bench, args ...string) (out T) {
	cmd := exec.Command(args[0], args[1:]...)
	said, err := cmd.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			said = failed.Stderr
		}
		b.Fatalf("%s: %v\n%s", args[1], err, said)
	}
	b.must(json.Unmarshal(said, &out))
	return out
}

func tesseraAppends(b *bench, tessera string, writers int, seconds float64) appended {
	dir, err := os.MkdirTemp("", "underseal-bench-")
	b.must(err)
	defer os.RemoveAll(dir)
	age := "50ms"
	if writers == 1 {
		age = "1ms"
	}
	return peer[appended](b, tessera, "append", "-dir", dir, "-writers", strconv.Itoa(writers), "-seconds", fmt.Sprint(seconds), "-age", age)
}

const benchFirm = "firm"

// firmLog is a firm's log on a disk, without anything else of a firm.
type firmLog struct {
	b      *bench
	folder string
	store  *boltstore.Store
	log    *ledger.Log
	guard  *guard
	keys   *log.Keys

	mu   sync.Mutex // guards last
	last string     // a receipt
	made int        // leaves made by fill
}

func newFirmLog(b *bench) *firmLog {
	l := &firmLog{b: b, folder: b.TempDir()}
	seeds := &ledger.MemoryKeys{Random: rand.Reader}
	const name, origin = "bench", "files.example/log/bench"
	made, err := seeds.Make(context.Background(), name)
	b.must(err)
	l.keys, err = log.ParseKeys(origin, made.Public(origin).Keys)
	b.must(err)
	l.guard = newGuard(b, l.folder)
	l.log = ledger.NewLog(seeds, l.guard)
	l.store, err = boltstore.Open(boltstore.Config{Folder: filepath.Join(l.folder, "store"), Hook: l.log.Integrate})
	b.must(err)
	b.must(l.store.Update(context.Background(), benchFirm, func(tx store.Tx) error {
		return layout.Put(tx, layout.FirmKey(), layout.Firm{Log: name, Origin: origin})
	}))
	return l
}

func (l *firmLog) close() error {
	return errors.Join(l.store.Close(), l.guard.file.Close(), os.RemoveAll(l.folder))
}

// append is one durable append, with its receipt.
func (l *firmLog) append(writer, n int) error {
	leaf := log.Leaf{Type: log.TypeState, Commit: wire.Hash{1}}
	binary.BigEndian.PutUint64(leaf.Tag[:], uint64(writer))
	binary.BigEndian.PutUint64(leaf.Tag[8:], uint64(n))
	binary.BigEndian.PutUint64(leaf.Tag[16:], uint64(time.Now().UnixNano())) // a second run of the same writers is not refused
	ctx := context.Background()
	var a ledger.Appended
	err := l.store.Update(ctx, benchFirm, func(tx store.Tx) (err error) {
		a.Index, err = putLeaf(tx, leaf)
		return err
	})
	if err != nil {
		return err
	}
	r, err := l.log.Receipt(ctx, l.store, benchFirm, a, a.Index)
	if err != nil || writer > 0 {
		return err
	}
	l.mu.Lock()
	l.last = r.Receipt
	l.mu.Unlock()
	return nil
}

// check verifies the last receipt of the first writer: what was measured was the log at work.
func (l *firmLog) check() {
	r, err := log.ParseReceipt([]byte(l.last))
	l.b.must(err)
	leaf, err := log.ParseLeaf(r.Extra)
	l.b.must(err)
	_, err = r.Verify(l.keys, leaf.Hash())
	l.b.must(err)
}

// putLeaf is what the ledger does with the leaf of every entry, without the entry.
func putLeaf(tx store.Tx, leaf log.Leaf) (uint64, error) {
	item, _ := log.MapItemOf(leaf)
	pending := layout.PendingKey(item.Key)
	taken, err := layout.Has(tx, pending)
	if err == nil && !taken {
		_, taken, err = log.MapGet(mapPages{tx}, item.Key)
	}
	if err != nil || taken {
		return 0, errors.Join(err, fmt.Errorf("taken: %v", taken))
	}
	index, err := leavesIn(tx)
	if err != nil {
		return 0, err
	}
	if err := tx.Put(pending, item.Value[:]); err != nil {
		return 0, err
	}
	if err := tx.Put(layout.LeafKey(index), leaf.Bytes()); err != nil {
		return 0, err
	}
	return index, tx.Put(layout.LogSizeKey(), layout.Uint64(index+1))
}

func leavesIn(tx store.Tx) (uint64, error) {
	b, err := optional(tx.Get(layout.LogSizeKey()))
	return layout.ParseUint64(b), err
}

func optional(b []byte, err error) ([]byte, error) {
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return b, err
}

// mapPages is the map in a transaction, to look into.
type mapPages struct{ store.Tx }

var _ log.MapPages = mapPages{}

// Page implements log.MapPages.
func (p mapPages) Page(path string) ([]byte, error) { return optional(p.Get(layout.MapPageKey(path))) }

// PutPage implements log.MapPages.
func (p mapPages) PutPage(path string, page []byte) error {
	return p.Put(layout.MapPageKey(path), page)
}

// DeletePage implements log.MapPages.
func (p mapPages) DeletePage(path string) error { return p.Delete(layout.MapPageKey(path)) }

// size is how many leaves the log has.
func (l *firmLog) size() (n uint64) {
	l.b.must(l.store.View(context.Background(), benchFirm, func(tx store.Tx) (err error) {
		n, err = leavesIn(tx)
		return err
	}))
	return n
}

// fill appends leaves, so many a commit, until the log has at least size of them. Each of them may have rows of its own.
func (l *firmLog) fill(size uint64, commit int, rows func(tx store.Tx, leaf log.Leaf, index uint64) error) {
	for l.size() < size {
		l.b.must(l.store.Update(context.Background(), benchFirm, func(tx store.Tx) error {
			for range commit {
				l.made++
				leaf := log.Leaf{Type: log.TypeTrail, Commit: wire.Hash{2}}
				binary.BigEndian.PutUint64(leaf.Tag[:], uint64(l.made))
				index, err := putLeaf(tx, leaf)
				if err != nil {
					return err
				}
				if rows == nil {
					continue
				}
				if err := rows(tx, leaf, index); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

// guard writes through to the disk what it is told, as the program's own does: those that wait share the next write.
type guard struct {
	ledger.MemoryGuard
	file *os.File

	mu      sync.Mutex // guards all below, and is held while the disk works
	written uint64
	asked   struct {
		sync.Mutex
		ledger.Signed
	}
}

func newGuard(b *bench, folder string) *guard {
	file, err := os.Create(filepath.Join(folder, "last-signed"))
	b.must(err)
	return &guard{file: file}
}

// Raise implements ledger.Guard.
func (g *guard) Raise(_ context.Context, _ string, s ledger.Signed) error {
	g.asked.Lock()
	if s.Size > g.asked.Size {
		g.asked.Signed = s
	}
	g.asked.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.written >= s.Size {
		return nil
	}
	g.asked.Lock()
	next := g.asked.Signed
	g.asked.Unlock()
	if _, err := g.file.WriteAt(append(layout.Uint64(next.Size), next.Root[:]...), 0); err != nil {
		return err
	}
	if err := g.file.Sync(); err != nil {
		return err
	}
	g.written = next.Size
	return nil
}

// Command bench runs Tessera for the product's own bench (test/bench), which measures the same beside it in the same minutes.
// It prints one JSON object.
//
//	bench append -writers N -seconds S -dir D   the POSIX driver, each entry awaited until it is published
//	bench fsck -dir D -key VKEY                 package fsck over a folder of tiles
package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	f_note "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return errors.New("say what: append or fsck")
	}
	f := flag.NewFlagSet(args[0], flag.ContinueOnError)
	dir := f.String("dir", "", "folder of the log")
	var a appending
	f.IntVar(&a.writers, "writers", 1, "append: how many write at a time")
	f.Float64Var(&a.seconds, "seconds", 3, "append: how long")
	f.IntVar(&a.batch, "batch", 0, "append: entries in a batch at most; 0: as many as write")
	f.DurationVar(&a.age, "age", 5*time.Millisecond, "append: how long a batch waits for more")
	f.DurationVar(&a.interval, "interval", 100*time.Millisecond, "append: between checkpoints; the driver takes no less than 100ms")
	f.DurationVar(&a.poll, "poll", 5*time.Millisecond, "append: how often the awaiter looks for a checkpoint")
	key := f.String("key", "", "fsck: the log's verifier key")
	workers := f.Uint("workers", 16, "fsck: how many read at a time")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	var out any
	var err error
	switch args[0] {
	case "append":
		out, err = a.run(ctx, *dir)
	case "fsck":
		out, err = check(ctx, *dir, *key, *workers)
	default:
		err = fmt.Errorf("there is no %q", args[0])
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(out)
}

// appending is how Tessera is driven.
type appending struct {
	writers, batch      int
	seconds             float64
	age, interval, poll time.Duration
}

// appended is what was measured.
type appended struct {
	Entries   int     `json:"entries"`
	PerSecond float64 `json:"perSecond"`
	P50       float64 `json:"p50ms"`
	P99       float64 `json:"p99ms"`
}

// entrySize is that of our leaves.
const entrySize = 98

func (a appending) run(ctx context.Context, dir string) (appended, error) {
	if a.batch == 0 {
		a.batch = a.writers
	}
	signing, _, err := note.GenerateKey(rand.Reader, "localhost/bench")
	if err != nil {
		return appended{}, err
	}
	signer, err := note.NewSigner(signing)
	if err != nil {
		return appended{}, err
	}
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return appended{}, err
	}
	opts := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithBatching(uint(a.batch), a.age).WithCheckpointInterval(a.interval).
		WithPushback(uint(2 * a.writers))
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, opts)
	if err != nil {
		return appended{}, err
	}
	awaiter := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, a.poll)
	out, err := a.write(ctx, appender, awaiter)
	return out, errors.Join(err, shutdown(ctx))
}

// write has all writers append until the time is over. The first tenth is for everybody to get into step.
func (a appending) write(ctx context.Context, appender *tessera.Appender, awaiter *tessera.PublicationAwaiter) (appended, error) {
	began := time.Now()
	from := began.Add(time.Duration(a.seconds / 10 * float64(time.Second)))
	until := from.Add(time.Duration(a.seconds * float64(time.Second)))
	times, errs := make([][]time.Duration, a.writers), make([]error, a.writers)
	var group sync.WaitGroup
	for w := range a.writers {
		group.Go(func() {
			for n := uint64(0); time.Now().Before(until) && errs[w] == nil; n++ {
				entry := make([]byte, entrySize)
				binary.BigEndian.PutUint64(entry, uint64(w))
				binary.BigEndian.PutUint64(entry[8:], n)
				start := time.Now()
				_, _, errs[w] = awaiter.Await(ctx, appender.Add(ctx, tessera.NewEntry(entry)))
				if end := time.Now(); !end.Before(from) && end.Before(until) {
					times[w] = append(times[w], end.Sub(start))
				}
			}
		})
	}
	group.Wait()
	all := slices.Concat(times...)
	if err := errors.Join(errs...); err != nil || len(all) == 0 {
		return appended{}, errors.Join(err, fmt.Errorf("%d entries", len(all)))
	}
	slices.Sort(all)
	ms := func(p int) float64 { return float64(all[(len(all)-1)*p/100].Microseconds()) / 1000 }
	return appended{Entries: len(all), PerSecond: float64(len(all)) / a.seconds, P50: ms(50), P99: ms(99)}, nil
}

// checked is how long fsck took.
type checked struct {
	Seconds float64 `json:"seconds"`
}

func check(ctx context.Context, dir, key string, workers uint) (checked, error) {
	verifier, err := f_note.NewVerifier(key)
	if err != nil {
		return checked{}, err
	}
	began := time.Now()
	err = fsck.New(verifier.Name(), verifier, client.FileFetcher{Root: dir}, leafHashes, fsck.Opts{N: workers}).Check(ctx)
	return checked{time.Since(began).Seconds()}, err
}

// leafHashes hashes the entries of a bundle as RFC 6962 does.
func leafHashes(bundle []byte) ([][]byte, error) {
	var b api.EntryBundle
	if err := b.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	all := make([][]byte, 0, len(b.Entries))
	for _, e := range b.Entries {
		all = append(all, rfc6962.DefaultHasher.HashLeaf(e))
	}
	return all, nil
}

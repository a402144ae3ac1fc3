package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/test/program"
)

// treeRows keeps a tree in memory.
type treeRows map[[2]uint64][]byte

var _ log.Rows = treeRows{}

// Row implements log.Rows.
func (r treeRows) Row(level int, n uint64) ([]byte, error) {
	return r[[2]uint64{uint64(level), n}], nil
}

// PutRow implements log.Rows.
func (r treeRows) PutRow(level int, n uint64, row []byte) error {
	r[[2]uint64{uint64(level), n}] = row
	return nil
}

// logFolder is a log as files, as a copy of it is: c2sp.org/tlog-tiles and a signed checkpoint.
type logFolder struct {
	path string
	keys []string // the log's verifier keys
	size uint64
}

var _ log.Source = logFolder{}

// Read implements log.Source, as Tessera's fetcher reads files.
func (f logFolder) Read(_ context.Context, path string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(f.path, filepath.FromSlash(path)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, log.ErrNoTile
	}
	return b, err
}

const folderOrigin = "files.example/log/bench"

// newLogFolder writes a log of that many leaves. Every 256th is a map root, as if as many had been committed at a time.
func newLogFolder(b *bench, size uint64) logFolder {
	signer, err := log.NewSigner(folderOrigin, [32]byte{1}, [32]byte{2})
	b.must(err)
	f := logFolder{path: b.TempDir(), keys: signer.VerifierKeys(), size: size}
	rows, placed := treeRows{}, &log.MapTree{}
	var root wire.Hash
	var leaves [][]byte
	for from := uint64(0); from < size; from += uint64(len(leaves)) {
		leaves = leaves[:0]
		var hashes []wire.Hash
		for i := from; i < min(from+log.TileWidth, size); i++ {
			leaf := log.Leaf{Type: log.TypeState + uint16(i%2), Link: wire.Hash{3}, Commit: wire.Hash{byte(i)}}
			binary.BigEndian.PutUint64(leaf.Tag[:], i)
			if i == min(from+log.TileWidth, size)-1 {
				leaf = log.MapRootLeaf(placed.Root())
			} else {
				item, _ := log.MapItemOf(leaf)
				b.must(placed.Insert(item))
			}
			leaves, hashes = append(leaves, leaf.Bytes()), append(hashes, leaf.Hash())
		}
		root, err = log.Grow(rows, from, hashes)
		b.must(err)
		f.write(b, log.BundlePath(from/log.TileWidth, len(leaves)), log.Bundle(leaves))
	}
	for level, count := 0, size; count > 0; level, count = level+1, count/log.TileWidth {
		for n := uint64(0); n*log.TileWidth < count; n++ {
			width := int(min(log.TileWidth, count-n*log.TileWidth))
			tile, err := log.TileOf(rows[[2]uint64{uint64(level), n}], width)
			b.must(err)
			f.write(b, log.TilePath(level, n, width), tile)
		}
	}
	signed, err := signer.Sign(log.Checkpoint{Origin: folderOrigin, Size: size, Root: root})
	b.must(err)
	f.write(b, "checkpoint", signed)
	return f
}

func (f logFolder) write(b *bench, path string, content []byte) {
	path = filepath.Join(f.path, filepath.FromSlash(path))
	b.must(os.MkdirAll(filepath.Dir(path), 0o700))
	b.must(os.WriteFile(path, content, 0o600))
}

// verifyWorkers read at a time, on both sides: what log.VerifyTree takes where it is told nothing.
const verifyWorkers = 16

// verify proves every leaf and tile of the folder, and is how many seconds that took.
func (f logFolder) verify(b *bench, leaf func(uint64, log.Leaf) error) float64 {
	runtime.GC()
	began := time.Now()
	k, err := log.ParseKeys(folderOrigin, f.keys)
	b.must(err)
	signed, err := f.Read(context.Background(), "checkpoint")
	b.must(err)
	c, err := k.Open(signed)
	b.must(err)
	b.must(log.VerifyTree(context.Background(), f, c, log.VerifyOptions{Fetchers: verifyWorkers, Leaf: leaf}))
	if c.Size != f.size {
		b.Fatalf("verified %d leaves of %d", c.Size, f.size)
	}
	return time.Since(began).Seconds()
}

// withMap recomputes the map, too, and holds every root in the log to it: what underseal-verify does.
func (f logFolder) withMap(b *bench) float64 {
	placed, roots := &log.MapTree{}, 0
	seconds := f.verify(b, func(index uint64, l log.Leaf) error {
		if item, ok := log.MapItemOf(l); ok {
			return placed.Insert(item)
		}
		if placed.Root() != l.Commit {
			return fmt.Errorf("leaf %d has another root of the map", index)
		}
		roots++
		return nil
	})
	if want := int(f.size+log.TileWidth-1) / log.TileWidth; roots != want {
		b.Fatalf("%d map roots, not %d", roots, want)
	}
	return seconds
}

// fsck is how many seconds Tessera's checker took with the same files.
func (f logFolder) fsck(b *bench, tessera string) float64 {
	ed := f.keys[0] // package log spells Ed25519 first
	return peer[struct{ Seconds float64 }](b, tessera, "fsck", "-dir", f.path, "-key", ed, "-workers", strconv.Itoa(verifyWorkers)).Seconds
}

// byProgram is how many seconds underseal-verify takes for the folder, its start included.
func (f logFolder) byProgram(b *bench, verifier string) float64 {
	policy := filepath.Join(b.TempDir(), "policy")
	b.must(os.WriteFile(policy, []byte("log "+strings.Join(f.keys, "\nlog ")+"\nquorum none\n"), 0o600))
	began := time.Now()
	said, err := exec.Command(verifier, "log", f.path, "--policy", policy).CombinedOutput()
	if err != nil || !bytes.Contains(said, []byte("Verified")) {
		b.Fatalf("underseal-verify: %v\n%s", err, said)
	}
	return time.Since(began).Seconds()
}

// verifying compares the verification of a whole log to Tessera's.
func verifying(b *bench, s sizes) []table {
	tessera, verifier := buildPeer(b), filepath.Join(b.TempDir(), "underseal-verify")
	build(b, program.Root(), "./cmd/underseal-verify", verifier)
	b.progress("writing a log of %d leaves", s.leaves)
	f := newLogFolder(b, uint64(s.leaves))
	var tree, theirs, ratios []float64
	for range s.logRounds {
		t, o := f.fsck(b, tessera), f.verify(b, nil)
		b.progress("fsck %.2f s, ours %.2f s", t, o)
		theirs, tree, ratios = append(theirs, t), append(tree, o), append(ratios, o/t)
	}
	whole, program := f.withMap(b), f.byProgram(b, verifier)
	e := expectations(fmt.Sprintf("Verifying %d leaves in a folder, %d at a time, medians of %d", s.leaves, verifyWorkers, s.logRounds))
	e.atMost("the tree: time, of Tessera's fsck", median(ratios), 1)
	e.told("the tree: ours · fsck", fmt.Sprintf("%.2f · %.2f s", median(tree), median(theirs)))
	e.told("with the map recomputed · the program underseal-verify, once", fmt.Sprintf("%.2f · %.2f s", whole, program))
	e.note("The same files, read by both from the system's cache: bundles, tiles and the checkpoint. Both hash every leaf and compare every tile. fsck verifies the Ed25519 signature, ours this and the ML-DSA-44 one; that the map has each entry once, fsck does not look at.")
	return []table{e}
}

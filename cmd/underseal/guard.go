package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/underseal/underseal/server/ledger"
)

// guardFolder keeps what each log signed last in a file of its own, beside the store and not in it: whoever puts an older
// store back does not put this back with it.
//
// A file has two records that are written in turn, so that a crash spoils at most the one that is being written. Raises
// that wait for the disk share the next write, like commits do.
type guardFolder struct {
	path string

	mu    sync.Mutex // guards files
	files map[string]*guardFile
}

var _ ledger.Guard = (*guardFolder)(nil)

type guardFile struct {
	mu      sync.Mutex // guards all below
	file    *os.File
	last    ledger.Signed // in the file
	next    ledger.Signed // the greatest that was asked for
	slot    int64         // where the next record goes
	writing chan struct{} // closed when the write that runs has ended; nil while none does
	err     error         // of the last write
}

// A record is size u64 ‖ root 32 ‖ SHA-256 over both.
const (
	guardBody   = 8 + 32
	guardRecord = guardBody + sha256.Size
)

var errGuard = errors.New("the file that remembers what was signed last is damaged: look for a copy of the last-signed folder, and do not start without it")

func (g *guardFolder) open(name string) (*guardFile, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f := g.files[name]; f != nil {
		return f, nil
	}
	if err := os.MkdirAll(g.path, 0o700); err != nil {
		return nil, fmt.Errorf("last-signed: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(g.path, filepath.Base(name)), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("last-signed: %w", err)
	}
	f := &guardFile{file: file}
	if err := f.load(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if g.files == nil {
		g.files = map[string]*guardFile{}
	}
	g.files[name] = f
	return f, nil
}

// load takes the greater of the records that are whole. A file with bytes and no whole record is damage, not a beginning.
func (f *guardFile) load() error {
	b := make([]byte, 2*guardRecord)
	n, err := f.file.ReadAt(b, 0)
	if n == 0 {
		return nil
	}
	if err != nil && n != guardRecord && n != 2*guardRecord {
		return errGuard
	}
	found := false
	for i := 0; i+guardRecord <= n; i += guardRecord {
		r := b[i : i+guardRecord]
		if sum := sha256.Sum256(r[:guardBody]); !bytes.Equal(sum[:], r[guardBody:]) {
			continue
		}
		s := ledger.Signed{Size: binary.BigEndian.Uint64(r), Root: [32]byte(r[8:guardBody])}
		if !found || s.Size > f.last.Size {
			f.last, f.slot = s, int64(guardRecord-i)
		}
		found = true
	}
	if !found {
		return errGuard
	}
	f.next = f.last
	return nil
}

// Last implements ledger.Guard.
func (g *guardFolder) Last(_ context.Context, name string) (ledger.Signed, bool, error) {
	f, err := g.open(name)
	if err != nil {
		return ledger.Signed{}, false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last, f.last.Size > 0, nil
}

// Raise implements ledger.Guard.
func (g *guardFolder) Raise(_ context.Context, name string, s ledger.Signed) error {
	f, err := g.open(name)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.Size > f.next.Size {
		f.next = s
	}
	for f.last.Size < s.Size {
		if f.writing == nil {
			f.write()
			if f.err != nil {
				return f.err
			}
			continue
		}
		running := f.writing
		f.mu.Unlock()
		<-running
		f.mu.Lock()
	}
	return nil
}

// write puts the greatest record that was asked for on disk. The lock is held before and after, not while the disk works.
func (f *guardFile) write() {
	s, slot := f.next, f.slot
	f.writing = make(chan struct{})
	f.mu.Unlock()
	r := binary.BigEndian.AppendUint64(nil, s.Size)
	r = append(r, s.Root[:]...)
	sum := sha256.Sum256(r)
	_, err := f.file.WriteAt(append(r, sum[:]...), slot)
	if err == nil {
		err = f.file.Sync()
	}
	f.mu.Lock()
	if f.err = err; err != nil {
		f.err = fmt.Errorf("last-signed: %w", err)
	} else {
		f.last, f.slot = s, guardRecord-slot
	}
	close(f.writing)
	f.writing = nil
}

// Close closes the files.
func (g *guardFolder) Close() (err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, f := range g.files {
		err = errors.Join(err, f.file.Close())
		delete(g.files, name)
	}
	return err
}

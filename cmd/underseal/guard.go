package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/ledger"
)

// guardFolder keeps what each log signed last in a file of its own, beside the store and not in it: whoever puts an older
// store back does not put this back with it.
//
// A file has two records that are written in turn, so that a crash spoils at most the one that is being written. It comes
// into being whole: one that is empty, short or without a whole record is damage and never a beginning. Raises that wait for
// the disk share the next write, as commits do.
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

	newGuard = ".new" // a file that is being made
)

var errGuard = errors.New("the file that remembers what was signed last is damaged: look for a copy of the last-signed folder, and do not start without it")

func record(s ledger.Signed) []byte {
	b := binary.BigEndian.AppendUint64(nil, s.Size)
	b = append(b, s.Root[:]...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// open opens a log's file. first is what a file that is not there yet begins with; without one the answer is nil.
func (g *guardFolder) open(name string, first *ledger.Signed) (*guardFile, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f := g.files[name]; f != nil {
		return f, nil
	}
	path := filepath.Join(g.path, filepath.Base(name))
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		if first == nil {
			return nil, nil
		}
		if err := g.create(path, *first); err != nil {
			return nil, fmt.Errorf("last-signed: %w", err)
		}
		file, err = os.OpenFile(path, os.O_RDWR, 0)
	}
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

// create puts a file in place whole and durably, with its name: after a power cut it is there, or nothing was answered yet.
func (g *guardFolder) create(path string, s ledger.Signed) error {
	if err := os.MkdirAll(g.path, 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path+newGuard, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(record(s), record(s)...))
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+newGuard, path); err != nil {
		return err
	}
	return errors.Join(syncFolder(g.path), syncFolder(filepath.Dir(g.path)))
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// load takes the greater of the records that are whole.
func (f *guardFile) load() error {
	b := make([]byte, 2*guardRecord+1)
	n, err := f.file.ReadAt(b, 0)
	if n != 2*guardRecord {
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("last-signed: %w", err)
		}
		return errGuard
	}
	found := false
	for i := 0; i < n; i += guardRecord {
		s := ledger.Signed{Size: binary.BigEndian.Uint64(b[i:]), Root: [32]byte(b[i+8:])}
		if !bytes.Equal(b[i:i+guardRecord], record(s)) {
			continue
		}
		if found && s.Size == f.last.Size && s.Root != f.last.Root {
			return errGuard
		}
		if !found || s.Size > f.last.Size {
			f.last, f.slot = s, int64(guardRecord-i)
		}
		found = true
	}
	if !found || f.last.Size == 0 {
		return errGuard
	}
	f.next = f.last
	return nil
}

// Names implements ledger.Guard. What an editor or a backup left in the folder is no log.
func (g *guardFolder) Names(context.Context) (names []string, err error) {
	entries, err := os.ReadDir(g.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("last-signed: %w", err)
	}
	for _, e := range entries {
		if _, err := wire.ParseObjectID(e.Name()); err == nil {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Last implements ledger.Guard.
func (g *guardFolder) Last(_ context.Context, name string) (ledger.Signed, bool, error) {
	f, err := g.open(name, nil)
	if err != nil || f == nil {
		return ledger.Signed{}, false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last, true, nil
}

// Raise implements ledger.Guard.
func (g *guardFolder) Raise(_ context.Context, name string, s ledger.Signed) error {
	if s.Size == 0 {
		return nil
	}
	f, err := g.open(name, &s)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, known := range []ledger.Signed{f.last, f.next} {
		if s.Size == known.Size && s.Root != known.Root {
			return fmt.Errorf("last-signed: %w: two histories of one size", ledger.ErrBehind)
		}
	}
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
	_, err := f.file.WriteAt(record(s), slot)
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

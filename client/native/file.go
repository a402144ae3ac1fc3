//go:build !js

package native

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
)

// FileSource is a file to upload. It stays open, so that a file put in its place meanwhile is not mixed into it.
type FileSource struct {
	file *os.File
	size int64
	seen fs.FileInfo // when it was opened
}

var (
	_ client.Source = (*FileSource)(nil)
	_ pumpSource    = (*FileSource)(nil)
)

// OpenSource opens a regular file.
func OpenSource(path string) (*FileSource, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	seen, err := f.Stat()
	if err == nil && !seen.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("not a file")}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &FileSource{file: f, size: seen.Size(), seen: seen}, nil
}

// Close ends the use of the file.
func (s *FileSource) Close() error { return s.file.Close() }

// Size implements client.Source.
func (s *FileSource) Size() int64 { return s.size }

const identityEdge = 64 << 10

// Identity implements client.Source: size, time of change, and a hash of both ends. It is taken afresh each time, so that a
// change between a pause and what follows is seen; a file that cannot be read has the empty identity, which is
// nobody's.
func (s *FileSource) Identity() string {
	now, err := s.file.Stat()
	if err != nil {
		return ""
	}
	h := sha256.New()
	for _, from := range []int64{0, max(0, now.Size()-identityEdge)} {
		if _, err := io.Copy(h, io.NewSectionReader(s.file, from, identityEdge)); err != nil {
			return ""
		}
	}
	return fmt.Sprintf("%d-%d-%s", now.Size(), now.ModTime().UnixNano(), hex.EncodeToString(h.Sum(nil)))
}

// ReadAt implements io.ReaderAt.
func (s *FileSource) ReadAt(b []byte, at int64) (int, error) { return s.file.ReadAt(b, at) }

// Unchanged says whether the file is still as it was opened, as cheaply as it can be said.
func (s *FileSource) Unchanged() error {
	now, err := s.file.Stat()
	if err != nil {
		return &client.Failure{Code: api.CodeFileUnreadable}
	}
	if now.Size() != s.size || !now.ModTime().Equal(s.seen.ModTime()) {
		return &client.Failure{Code: api.CodeFileChanged}
	}
	return nil
}

// ErrExists says that there is a file already where a download was to go. It stays as it is.
var ErrExists error = &client.Failure{Code: api.CodeFileExists}

// FileSink writes beside its target and gives it its name at the end: nobody sees half a file.
type FileSink struct {
	target    string
	overwrite bool

	mu   sync.Mutex // guards file
	file *os.File   // nil before the first byte and after the last
}

var (
	_ client.Sink = (*FileSink)(nil)
	_ pumpSink    = (*FileSink)(nil)
)

// Overwrite says what Commit does to a file that has the target's name.
type Overwrite bool

// The two answers.
const (
	KeepExisting    Overwrite = false // ErrExists
	ReplaceExisting Overwrite = true
)

// NewSink writes to target, a path in a folder that exists.
func NewSink(target string, overwrite Overwrite) *FileSink {
	return &FileSink{target: target, overwrite: bool(overwrite)}
}

// begin makes the file beside the target, mode 0600. The caller holds mu.
func (s *FileSink) begin() error {
	if s.file != nil {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(s.target), ".underseal-*.part")
	if err != nil {
		return s.refused(err)
	}
	s.file = f
	return nil
}

func (s *FileSink) refused(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &client.Failure{Code: api.CodeNoRoom}
	}
	return &client.Failure{Code: api.CodeFileUnreadable}
}

// WriteAt implements io.WriterAt.
func (s *FileSink) WriteAt(b []byte, at int64) (int, error) {
	s.mu.Lock()
	if err := s.begin(); err != nil {
		s.mu.Unlock()
		return 0, err
	}
	f := s.file
	s.mu.Unlock()
	n, err := f.WriteAt(b, at)
	if err != nil {
		return n, s.refused(err)
	}
	return n, nil
}

// Commit implements client.Sink. Where it fails nothing is left behind.
func (s *FileSink) Commit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin(); err != nil { // an empty file
		return err
	}
	f := s.file
	s.file = nil
	err := errors.Join(f.Sync(), f.Close())
	if err == nil {
		err = s.place(f.Name())
	}
	if err != nil {
		return errors.Join(err, removeIfThere(f.Name()))
	}
	return syncFolder(filepath.Dir(s.target))
}

// place gives the written file its name. A link fails where the name is taken, whoever took it and however late; where a
// file system has no links, the name is taken first, by an empty file that the written one then replaces.
func (s *FileSink) place(written string) error {
	if s.overwrite {
		return os.Rename(written, s.target)
	}
	err := os.Link(written, s.target)
	switch {
	case err == nil:
		return os.Remove(written)
	case errors.Is(err, fs.ErrExist):
		return ErrExists
	}
	taken, err := os.OpenFile(s.target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return ErrExists
	}
	if err != nil {
		return err
	}
	if err := errors.Join(taken.Close(), os.Rename(written, s.target)); err != nil {
		return errors.Join(err, removeIfThere(s.target))
	}
	return nil
}

// Discard implements client.Sink. Writing may begin again afterwards.
func (s *FileSink) Discard() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return errors.Join(f.Close(), removeIfThere(f.Name()))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

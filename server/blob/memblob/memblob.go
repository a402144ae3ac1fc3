// Package memblob keeps ciphertext in memory, for tests.
package memblob

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/underseal/underseal/server/blob"
)

// Store implements blob.Store.
type Store struct {
	mu      sync.Mutex // guards objects, whose bytes are never changed
	objects map[blob.Key]object
}

type object struct {
	info  blob.Info
	bytes []byte
}

var _ blob.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store { return &Store{objects: map[blob.Key]object{}} }

func (s *Store) find(ctx context.Context, key blob.Key) (object, error) {
	if err := ctx.Err(); err != nil {
		return object{}, err
	}
	if err := key.Check(); err != nil {
		return object{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.objects[key]
	if !ok {
		return object{}, blob.ErrNotFound
	}
	return found, nil
}

// Put implements blob.Store.
func (s *Store) Put(ctx context.Context, key blob.Key, size int64, digest [32]byte, r io.Reader) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := key.Check(); err != nil {
		return err
	}
	if found, err := s.find(ctx, key); err == nil {
		return blob.Same(found.info, size, digest)
	}
	var buffer bytes.Buffer
	if err := blob.Copy(ctx, &buffer, r, size, digest); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if found, ok := s.objects[key]; ok {
		return blob.Same(found.info, size, digest)
	}
	s.objects[key] = object{blob.Info{Size: size, Digest: digest}, buffer.Bytes()}
	return nil
}

// Get implements blob.Store.
func (s *Store) Get(ctx context.Context, key blob.Key, offset, length int64) (io.ReadCloser, error) {
	found, err := s.find(ctx, key)
	if err != nil {
		return nil, err
	}
	length, err = blob.CheckRange(found.info.Size, offset, length)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(strings.NewReader(string(found.bytes[offset : offset+length]))), nil
}

// Stat implements blob.Store.
func (s *Store) Stat(ctx context.Context, key blob.Key) (blob.Info, error) {
	found, err := s.find(ctx, key)
	return found.info, err
}

// Delete implements blob.Store.
func (s *Store) Delete(ctx context.Context, key blob.Key) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := key.Check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, key)
	return nil
}

// List implements blob.Store.
func (s *Store) List(ctx context.Context, firm, upload string) ([]uint32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := (blob.Key{Firm: firm, Upload: upload}).Check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var numbers []uint32
	for key := range s.objects {
		if key.Firm == firm && key.Upload == upload {
			numbers = append(numbers, key.Number)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// Uploads implements blob.Store.
func (s *Store) Uploads(ctx context.Context, firm, after string, limit int) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := blob.CheckFirm(firm); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var uploads []string
	for key := range s.objects {
		if key.Firm == firm && key.Upload > after {
			uploads = append(uploads, key.Upload)
		}
	}
	slices.Sort(uploads)
	uploads = slices.Compact(uploads)
	if limit > 0 && len(uploads) > limit {
		uploads = uploads[:limit]
	}
	return uploads, nil
}

// DeleteUpload implements blob.Store.
func (s *Store) DeleteUpload(ctx context.Context, firm, upload string) error {
	numbers, err := s.List(ctx, firm, upload)
	if err != nil {
		return err
	}
	for _, number := range numbers {
		if err := s.Delete(ctx, blob.Key{Firm: firm, Upload: upload, Number: number}); err != nil {
			return err
		}
	}
	return nil
}

// Close implements blob.Store.
func (s *Store) Close() error { return nil }

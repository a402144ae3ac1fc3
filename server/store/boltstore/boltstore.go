//go:build !js

// Package boltstore is the store of a single machine: a folder with one bbolt
// file a partition. Open it once per folder; files are opened when first used
// and kept open.
//
// Updates that arrive while a commit is being written to disk share the next
// one, so that many writers pay for few syncs and a lone one waits for nobody.
package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/internal/overlay"
)

const (
	suffix    = ".db"
	newSuffix = ".new" // a partition before its first commit
	lockName  = "_lock"
)

// Config says how to open a store. Only Folder is required.
type Config struct {
	// Folder holds the files. It is made, mode 0700, if absent.
	Folder string
	// Hook runs once a commit. It may be nil.
	Hook store.Hook
	// LockTimeout is how long Open waits for another process to let go of
	// the folder before it returns store.ErrLocked. Zero is one second.
	LockTimeout time.Duration
	// MaxSize bounds the file of each partition, in bytes; an Update beyond
	// it fails with store.ErrNoSpace. Zero is no bound.
	MaxSize int
	// NoSync gives durability up for speed. For tests only.
	NoSync bool
}

// Store implements store.Store and store.Backuper.
type Store struct {
	config Config
	lock   *bolt.DB // bbolt's own file lock, so that it works on every platform

	mu         sync.Mutex // guards the two below
	closed     bool
	partitions map[string]*partition

	running sync.WaitGroup
}

var (
	_ store.Store    = (*Store)(nil)
	_ store.Backuper = (*Store)(nil)
)

// Open opens or makes the store in config.Folder. What a crash left is
// harmless: a commit is in a partition's file wholly or not at all.
func Open(config Config) (*Store, error) {
	if config.LockTimeout == 0 {
		config.LockTimeout = time.Second
	}
	if err := os.MkdirAll(config.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("boltstore: making the folder: %w", err)
	}
	if err := syncFolder(filepath.Dir(filepath.Clean(config.Folder))); err != nil {
		return nil, fmt.Errorf("boltstore: making the folder durable: %w", err)
	}
	lock, err := bolt.Open(filepath.Join(config.Folder, lockName), 0o600, &bolt.Options{Timeout: config.LockTimeout})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("boltstore: %w", store.ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("boltstore: locking the folder: %w", err)
	}
	s := &Store{config: config, lock: lock, partitions: map[string]*partition{}}
	if err := s.removeUnfinished(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

// removeUnfinished drops partitions whose first commit never finished.
func (s *Store) removeUnfinished() error {
	files, err := filepath.Glob(filepath.Join(globEscape(s.config.Folder), "*"+newSuffix))
	if err != nil {
		return fmt.Errorf("boltstore: listing the folder: %w", err)
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("boltstore: removing an unfinished partition: %w", err)
		}
	}
	return nil
}

// globEscape makes a folder's name match itself only.
func globEscape(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

// View implements store.Store.
func (s *Store) View(ctx context.Context, name string, fn func(store.Tx) error) error {
	p, err := s.enter(ctx, name)
	if err != nil {
		return err
	}
	defer s.running.Done()
	tx, err := p.read()
	if err != nil {
		return err
	}
	if tx != nil {
		defer tx.Rollback() //nolint:errcheck // nothing to undo
	}
	return overlay.NewReadOnly(baseOf(tx)).Run(fn)
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, name string, fn func(store.Tx) error) error {
	p, err := s.enter(ctx, name)
	if err != nil {
		return err
	}
	defer s.running.Done()
	return p.update(ctx, fn)
}

// Partitions implements store.Store.
func (s *Store) Partitions(ctx context.Context) ([]string, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.running.Done()
	entries, err := os.ReadDir(s.config.Folder)
	if err != nil {
		return nil, fmt.Errorf("boltstore: listing the folder: %w", err)
	}
	var names []string
	for _, entry := range entries {
		name, found := strings.CutSuffix(entry.Name(), suffix)
		if found && store.CheckPartition(name) == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Backup implements store.Backuper: what it writes is a bbolt file that, named
// like the partition, opens as a store. While it runs, the partition's file
// grows with every Update, so w should be quick.
func (s *Store) Backup(ctx context.Context, name string, w io.Writer) error {
	p, err := s.enter(ctx, name)
	if err != nil {
		return err
	}
	defer s.running.Done()
	tx, err := p.read()
	if err != nil {
		return err
	}
	if tx == nil {
		return store.ErrNotFound
	}
	defer tx.Rollback() //nolint:errcheck // nothing to undo
	if _, err := tx.WriteTo(w); err != nil {
		return fmt.Errorf("boltstore: copying a partition: %w", err)
	}
	return nil
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	s.running.Wait()
	var errs []error
	for _, p := range s.partitions {
		errs = append(errs, p.close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// begin refuses what must not start. After it returned nil, Close waits for
// running.Done.
func (s *Store) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	s.running.Add(1)
	return nil
}

// enter is begin for the partition of that name.
func (s *Store) enter(ctx context.Context, name string) (*partition, error) {
	if err := store.CheckPartition(name); err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.partitions[name]
	if p == nil {
		p = &partition{
			name:   name,
			path:   filepath.Join(s.config.Folder, name),
			config: s.config,
			commit: (*bolt.Tx).Commit,
		}
		s.partitions[name] = p
	}
	return p, nil
}

// commitError says what a failed commit means to the caller.
func commitError(err error) error {
	if isNoSpace(err) {
		return fmt.Errorf("%w: %w: %w", store.ErrCommit, store.ErrNoSpace, err)
	}
	return fmt.Errorf("%w: %w", store.ErrCommit, err)
}

func isNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		errors.Is(err, syscall.EFBIG) || errors.Is(err, berrors.ErrMaxSizeReached)
}

// Package memstore is a store in memory, for tests and for the browser's demo.
// It keeps every rule of the seam but durability: nothing survives Close.
package memstore

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"sync"

	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/internal/overlay"
)

// Store implements store.Store. A commit costs time linear in its partition:
// snapshots are whole sorted slices, so that readers never wait.
type Store struct {
	hook store.Hook

	mu         sync.Mutex // guards the two below
	closed     bool
	partitions map[string]*partition

	running sync.WaitGroup
}

type partition struct {
	writing sync.Mutex // held by the one writer

	mu   sync.Mutex // guards rows; the slice it names is never changed
	rows rows
}

var _ store.Store = (*Store)(nil)

// New returns an empty store. The hook may be nil.
func New(hook store.Hook) *Store {
	return &Store{hook: hook, partitions: map[string]*partition{}}
}

// enter refuses what must not start, and holds Close up until leave.
func (s *Store) enter(ctx context.Context, name string) (*partition, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := store.CheckPartition(name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	s.running.Add(1)
	p := s.partitions[name]
	if p == nil {
		p = &partition{}
		s.partitions[name] = p
	}
	return p, nil
}

// View implements store.Store.
func (s *Store) View(ctx context.Context, name string, fn func(store.Tx) error) error {
	p, err := s.enter(ctx, name)
	if err != nil {
		return err
	}
	defer s.running.Done()
	return overlay.NewReadOnly(p.snapshot()).Run(fn)
}

// Update implements store.Store. Every function is a commit of its own.
func (s *Store) Update(ctx context.Context, name string, fn func(store.Tx) error) error {
	p, err := s.enter(ctx, name)
	if err != nil {
		return err
	}
	defer s.running.Done()
	p.writing.Lock()
	defer p.writing.Unlock()
	if err := ctx.Err(); err != nil { // it may have ended in the queue
		return err
	}
	tx := overlay.New(p.snapshot())
	if err := tx.Run(fn); err != nil {
		return err
	}
	if len(tx.Changes()) == 0 {
		return nil
	}
	changed := p.snapshot().with(tx.Changes())
	if s.hook != nil {
		hookTx := overlay.New(changed)
		if err := hookTx.Run(func(tx store.Tx) error { return s.hook(name, tx) }); err != nil {
			return fmt.Errorf("store: hook: %w", err)
		}
		changed = changed.with(hookTx.Changes())
	}
	p.mu.Lock()
	p.rows = changed
	p.mu.Unlock()
	return nil
}

// Partitions implements store.Store.
func (s *Store) Partitions(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	names := slices.Sorted(maps.Keys(s.partitions))
	return slices.DeleteFunc(names, func(name string) bool { return s.partitions[name].snapshot() == nil }), nil
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.running.Wait()
	return nil
}

func (p *partition) snapshot() rows {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rows
}

type row struct{ key, value []byte }

// rows is one state of a partition, ascending by key, never changed. It is nil
// before the first commit, and only then.
type rows []row

var _ overlay.Base = rows(nil)

// with returns the state after changes.
func (r rows) with(changes []overlay.Change) rows {
	next := make(rows, 0, len(r)+len(changes))
	for _, change := range changes {
		i, found := r.find(change.Key)
		next = append(next, r[:i]...)
		if found {
			i++
		}
		r = r[i:]
		if !change.Deleted {
			next = append(next, row{change.Key, change.Value})
		}
	}
	return append(next, r...)
}

func (r rows) find(key []byte) (index int, found bool) {
	return sort.Find(len(r), func(i int) int { return bytes.Compare(key, r[i].key) })
}

// Get implements overlay.Base.
func (r rows) Get(key []byte) ([]byte, bool) {
	i, found := r.find(key)
	if !found {
		return nil, false
	}
	return r[i].value, true
}

// Cursor implements overlay.Base.
func (r rows) Cursor() overlay.Cursor { return &cursor{rows: r} }

type cursor struct {
	rows rows
	at   int
}

func (c *cursor) Seek(key []byte) (k, v []byte) {
	c.at, _ = c.rows.find(key)
	return c.current()
}

func (c *cursor) Next() (k, v []byte) {
	c.at++
	return c.current()
}

func (c *cursor) current() (k, v []byte) {
	if c.at >= len(c.rows) {
		return nil, nil
	}
	return c.rows[c.at].key, c.rows[c.at].value
}

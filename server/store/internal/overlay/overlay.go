// Package overlay is the transaction that backends hand to functions: reads go
// through to a base that nobody changes meanwhile, writes stay in memory until
// the backend applies Changes. A function that fails is undone by dropping
// its overlay, whatever else the backend has grouped with it.
package overlay

import (
	"bytes"
	"fmt"
	"runtime/debug"
	"sort"

	"github.com/underseal/underseal/server/store"
)

// Base is what lies under an overlay. It does not change while the overlay is
// in use. What it returns is only read, and copied before it is passed on.
type Base interface {
	// Get returns the value, or false.
	Get(key []byte) ([]byte, bool)
	// Cursor walks the keys in ascending order.
	Cursor() Cursor
}

// Cursor is a position in a Base. A nil key is the end.
type Cursor interface {
	// Seek moves to the first key that is not less than key.
	Seek(key []byte) (k, v []byte)
	// Next moves on by one key.
	Next() (k, v []byte)
}

// Change is what a function did to one key. Deleted changes have no value.
type Change struct {
	Key, Value []byte
	Deleted    bool
}

// Tx implements store.Tx.
type Tx struct {
	base     Base
	readOnly bool
	done     bool
	changes  []Change // ascending by key, one a key
}

var _ store.Tx = (*Tx)(nil)

// New returns a transaction over base.
func New(base Base) *Tx { return &Tx{base: base} }

// NewReadOnly returns a transaction over base that refuses writes.
func NewReadOnly(base Base) *Tx { return &Tx{base: base, readOnly: true} }

// Run calls fn with t and ends t. A panic becomes a *store.PanicError.
func (t *Tx) Run(fn func(store.Tx) error) (err error) {
	returned := false
	defer func() {
		t.done = true
		if returned {
			return
		}
		// Without a value this is runtime.Goexit, which no one can stop; the
		// error still tells a caller on another goroutine that fn failed.
		err = &store.PanicError{Value: recover(), Stack: debug.Stack()}
	}()
	err = fn(t)
	returned = true
	return err
}

// Changes returns what was written, ascending by key. The caller may keep it.
func (t *Tx) Changes() []Change { return t.changes }

// Get implements store.Tx.
func (t *Tx) Get(key []byte) ([]byte, error) {
	if t.done {
		return nil, store.ErrTxDone
	}
	if err := store.CheckKey(key); err != nil {
		return nil, err
	}
	if i, found := t.find(key); found {
		if t.changes[i].Deleted {
			return nil, store.ErrNotFound
		}
		return clone(t.changes[i].Value), nil
	}
	value, found := t.base.Get(key)
	if !found {
		return nil, store.ErrNotFound
	}
	return clone(value), nil
}

// Put implements store.Tx.
func (t *Tx) Put(key, value []byte) error {
	if len(value) > store.MaxValue {
		return fmt.Errorf("%w: %d bytes", store.ErrTooLarge, len(value))
	}
	return t.record(key, Change{Value: clone(value)})
}

// Delete implements store.Tx.
func (t *Tx) Delete(key []byte) error { return t.record(key, Change{Deleted: true}) }

func (t *Tx) record(key []byte, change Change) error {
	if t.done {
		return store.ErrTxDone
	}
	if t.readOnly {
		return store.ErrReadOnly
	}
	if err := store.CheckKey(key); err != nil {
		return err
	}
	change.Key = clone(key)
	i, found := t.find(key)
	if found {
		t.changes[i] = change
		return nil
	}
	t.changes = append(t.changes, Change{})
	copy(t.changes[i+1:], t.changes[i:])
	t.changes[i] = change
	return nil
}

// Scan implements store.Tx. It merges the base with the changes, looking the
// changes up anew at every step, because fn may add some.
func (t *Tx) Scan(prefix, after []byte, limit int, fn func(key, value []byte) error) error {
	if t.done {
		return store.ErrTxDone
	}
	prefix = clone(prefix)
	from := clone(prefix)
	if bytes.Compare(after, prefix) >= 0 && len(after) > 0 {
		from = successor(after)
	}
	cursor := t.base.Cursor()
	baseKey, baseValue := cursor.Seek(from)
	for n := 0; limit < 1 || n < limit; {
		for baseKey != nil && bytes.Compare(baseKey, from) < 0 {
			baseKey, baseValue = cursor.Next()
		}
		key, value, deleted := baseKey, baseValue, false
		i, _ := t.find(from)
		if i < len(t.changes) && (key == nil || bytes.Compare(t.changes[i].Key, key) <= 0) {
			key, value, deleted = t.changes[i].Key, t.changes[i].Value, t.changes[i].Deleted
		}
		if key == nil || !bytes.HasPrefix(key, prefix) {
			return nil
		}
		from = successor(key)
		if deleted {
			continue
		}
		n++
		if err := fn(clone(key), clone(value)); err != nil {
			return err
		}
		if t.done {
			return store.ErrTxDone
		}
	}
	return nil
}

// find returns where key is among the changes, or where it would be.
func (t *Tx) find(key []byte) (index int, found bool) {
	return sort.Find(len(t.changes), func(i int) int { return bytes.Compare(key, t.changes[i].Key) })
}

// successor returns the least key that is greater than key.
func successor(key []byte) []byte {
	next := make([]byte, len(key)+1)
	copy(next, key)
	return next
}

// clone copies b; the copy of an empty or nil slice is empty and not nil.
func clone(b []byte) []byte { return append([]byte{}, b...) }

// Empty is a Base without keys: a partition before its first commit.
type Empty struct{}

var _ Base = Empty{}

// Get implements Base.
func (Empty) Get([]byte) ([]byte, bool) { return nil, false }

// Cursor implements Base.
func (Empty) Cursor() Cursor { return emptyCursor{} }

type emptyCursor struct{}

func (emptyCursor) Seek([]byte) (k, v []byte) { return nil, nil }
func (emptyCursor) Next() (k, v []byte)       { return nil, nil }

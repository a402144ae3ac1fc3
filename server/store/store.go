// Package store is the seam between the server and whatever keeps its state:
// ordered keys and values in partitions, each with one serial writer.
//
// Open a backend (boltstore on a disk, memstore in memory), then call View to
// read and Update to change. A partition is a firm, or the one named
// "accounts". Every backend passes the suite in package storetest, so a caller
// that relies on nothing but the comments here runs on all of them.
package store

import (
	"context"
	"errors"
	"io"
)

// Bounds that every backend keeps, so that what one accepts the others do too.
const (
	// MaxKey is the length of the longest key, in bytes.
	MaxKey = 512
	// MaxValue is the length of the longest value, in bytes: 1 MiB.
	MaxValue = 1 << 20
	// MaxPartition is the length of the longest name of a partition.
	MaxPartition = 64
)

// The classes of error that a caller must tell apart. Errors are wrapped: use
// errors.Is. None carries a key or a value.
var (
	// ErrNotFound is what Get returns for an absent key.
	ErrNotFound = errors.New("store: not found")
	// ErrReadOnly is what Put and Delete return inside a View.
	ErrReadOnly = errors.New("store: read-only")
	// ErrKey refuses a key that is empty or longer than MaxKey.
	ErrKey = errors.New("store: key is empty or too long")
	// ErrTooLarge refuses a value longer than MaxValue.
	ErrTooLarge = errors.New("store: value is too large")
	// ErrPartition refuses a name that is not 1 to 64 of a-z, 0-9 and '-'.
	ErrPartition = errors.New("store: bad name of a partition")
	// ErrClosed refuses work on a store that was closed.
	ErrClosed = errors.New("store: closed")
	// ErrTxDone refuses a Tx that outlived its function.
	ErrTxDone = errors.New("store: the transaction is over")
	// ErrLocked says that another process, or another store of this one,
	// has the data open.
	ErrLocked = errors.New("store: in use by another server")
	// ErrCommit says that the functions succeeded and the commit did not.
	// What they wrote is then kept whole or not at all, and only a read
	// tells which: a caller retries under an idempotency key.
	ErrCommit = errors.New("store: commit failed")
	// ErrNoSpace comes with ErrCommit when the disk, the quota or the
	// configured size is used up. The store stays usable.
	ErrNoSpace = errors.New("store: no space left")
)

// PanicError is what View and Update return when the function, or the hook,
// panicked. Its message omits the value, which may hold a secret.
type PanicError struct {
	Value any
	Stack []byte
}

// Error implements error.
func (e *PanicError) Error() string { return "store: a function panicked" }

// Tx reads and writes one partition inside View or Update. It is synchronous,
// belongs to the goroutine its function was called on, and is over when that
// function returns. Nothing in the function may block, sleep or wait, nor call
// the store again: a backend may hold its only writer, or its only thread.
//
// Slices that a Tx hands out belong to the caller, and slices handed to it are
// copied: neither side can change the other's bytes afterwards. A Tx sees its
// own writes.
type Tx interface {
	// Get returns the value, or ErrNotFound. An empty value is not nil.
	Get(key []byte) ([]byte, error)
	// Put stores value, replacing any other. A nil value is an empty one.
	Put(key, value []byte) error
	// Delete removes key. An absent key is fine.
	Delete(key []byte) error
	// Scan calls fn for the keys that begin with prefix and are greater than
	// after, in ascending byte order, and stops after limit of them. An empty
	// prefix matches every key, an empty after starts at the first, and a
	// limit below 1 means no limit. An error of fn ends the scan and is
	// returned as it is. fn may Put and Delete: the scan sees what was done
	// to the keys it has not reached.
	Scan(prefix, after []byte, limit int, fn func(key, value []byte) error) error
}

// Store keeps partitions. It is safe for concurrent use.
//
// A partition comes into being with the first commit in it; before that it
// reads as empty.
type Store interface {
	// View calls fn with a consistent snapshot, which no Update changes. It
	// may run beside Updates and other Views.
	View(ctx context.Context, partition string, fn func(Tx) error) error

	// Update calls fn once, alone in its partition, and returns nil when all
	// that fn wrote is durable. When fn returns an error or panics, nothing of
	// it remains, and Update returns that error, or a *PanicError. A failed
	// hook or commit fails every function grouped into it, see ErrCommit.
	//
	// A ctx that is done before fn was started means that fn is not called;
	// afterwards ctx has no effect, so that the answer is always true.
	Update(ctx context.Context, partition string, fn func(Tx) error) error

	// Partitions names, in ascending order, the partitions that exist.
	Partitions(ctx context.Context) ([]string, error)

	// Close waits for what runs, then gives everything back. Later calls of
	// the other methods return ErrClosed; a second Close returns nil.
	Close() error
}

// Backuper is what a Store also implements if it can copy one partition out
// while it is in use.
type Backuper interface {
	// Backup writes a consistent copy of the partition to w, in the
	// backend's own format, or returns ErrNotFound if there is none.
	Backup(ctx context.Context, partition string, w io.Writer) error
}

// Hook is handed to a backend when a store is opened, and runs once a commit:
// after the functions grouped into it, seeing what those that succeeded wrote,
// and before any of it is durable. What it writes is part of the same commit. A
// commit without writes does not happen and runs no hook.
//
// An error, or a panic, undoes the commit and is returned, wrapped, to every
// function grouped into it; so a hook keeps nothing in memory that it
// could not drop. The rules of Tx hold. Hooks of one partition never overlap;
// those of two partitions may.
type Hook func(partition string, tx Tx) error

// CheckPartition returns ErrPartition unless name is 1 to 64 of a-z, 0-9 and
// '-'. Such a name is safe as a file's.
func CheckPartition(name string) error {
	if len(name) == 0 || len(name) > MaxPartition {
		return ErrPartition
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return ErrPartition
		}
	}
	return nil
}

// CheckKey returns ErrKey unless key has 1 to MaxKey bytes.
func CheckKey(key []byte) error {
	if len(key) == 0 || len(key) > MaxKey {
		return ErrKey
	}
	return nil
}

// Package blob is the seam between the server and whatever keeps ciphertext:
// immutable objects, written once under a key, read in ranges, deleted.
//
// Open a backend (dirblob on a disk, memblob in memory), then Put, Get and
// Delete. Bytes stream; no backend holds an object whole unless it is made of
// memory. Every backend passes the suite in package blobtest.
package blob

import (
	"context"
	"encoding/base32"
	"errors"
	"io"
)

// MaxSize is the size of the largest object, in bytes: 64 MiB. A chunk has 4.
const MaxSize = 64 << 20

// The classes of error that a caller must tell apart. Errors are wrapped: use
// errors.Is.
var (
	// ErrKey refuses a key that is not in its one form.
	ErrKey = errors.New("blob: bad key")
	// ErrSize says that there were fewer or more bytes than announced, or
	// that a size beyond MaxSize or below zero was.
	ErrSize = errors.New("blob: size does not match")
	// ErrDigest says that the bytes have another digest than announced.
	ErrDigest = errors.New("blob: digest does not match")
	// ErrExists says that the key holds other bytes, which stay.
	ErrExists = errors.New("blob: key holds other bytes")
	// ErrNotFound says that the key holds nothing.
	ErrNotFound = errors.New("blob: not found")
	// ErrRange says that a range is not within the object.
	ErrRange = errors.New("blob: range outside the object")
	// ErrNoSpace says that the disk or the quota is used up. Nothing of the
	// object remains.
	ErrNoSpace = errors.New("blob: no space left")
	// ErrLocked says that another process has the data open.
	ErrLocked = errors.New("blob: in use by another server")
	// ErrDamaged says that what is stored under the key is not whole.
	ErrDamaged = errors.New("blob: stored object is damaged")
)

// Key names one object: a chunk of an upload in a firm. The digest is no part
// of it, so that nobody reaches another's chunk by knowing its bytes.
type Key struct {
	Firm   string // a chain's id: 32 bytes in lower-case base32, 52 characters
	Upload string // an object's id: 16 bytes in lower-case base32, 26 characters
	Number uint32
}

// Check returns ErrKey unless both ids are in their one form, which is safe as
// a file's name.
func (k Key) Check() error { return errors.Join(CheckFirm(k.Firm), CheckUpload(k.Upload)) }

// CheckFirm returns ErrKey unless firm is 32 bytes in lower-case base32.
func CheckFirm(firm string) error { return checkID(firm, 32) }

// CheckUpload returns ErrKey unless upload is 16 bytes in lower-case base32.
func CheckUpload(upload string) error { return checkID(upload, 16) }

// checkID re-encodes, because the last character has bits that a decoder
// ignores.
func checkID(id string, size int) error {
	encoding := base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	if len(id) != encoding.EncodedLen(size) {
		return ErrKey
	}
	raw, err := encoding.DecodeString(id)
	if err != nil || encoding.EncodeToString(raw) != id {
		return ErrKey
	}
	return nil
}

// Info is what is known of a stored object.
type Info struct {
	Size   int64
	Digest [32]byte // SHA-256
}

// Store keeps objects. It is safe for concurrent use. A method whose ctx is
// done returns its error, and has then changed nothing that a caller can see.
type Store interface {
	// Put stores the size bytes of r, whose SHA-256 is digest, under an
	// absent key. They are durable when it returns nil, and no part of them
	// is ever visible when it does not. Of several at once, one wins.
	//
	// A key that holds the same digest is a success, one that holds another
	// is ErrExists; r may then be left unread. An error of r is returned,
	// wrapped. Put reads at most one byte more than size.
	Put(ctx context.Context, key Key, size int64, digest [32]byte, r io.Reader) error

	// Get returns length bytes from offset on, all of them if length is
	// below zero. An empty range at the end is within the object. The bytes are
	// as stored and are not hashed again: whoever opens them checks them. A
	// reader survives a Delete.
	Get(ctx context.Context, key Key, offset, length int64) (io.ReadCloser, error)

	// Stat tells the size and the digest, or returns ErrNotFound.
	Stat(ctx context.Context, key Key) (Info, error)

	// Delete removes the object. An absent one is fine.
	Delete(ctx context.Context, key Key) error

	// List returns the numbers present in an upload, in ascending order.
	List(ctx context.Context, firm, upload string) ([]uint32, error)

	// Uploads returns, in ascending order, up to limit uploads of a firm that
	// are greater than after, so that those without an owner can be found. One
	// that holds nothing may be among them. A limit below 1 means no limit.
	Uploads(ctx context.Context, firm, after string, limit int) ([]string, error)

	// DeleteUpload removes all of an upload. After an error some of it may
	// remain; do it again. An absent one is fine.
	DeleteUpload(ctx context.Context, firm, upload string) error

	// Close gives back what the store holds. Nothing may be called after it.
	Close() error
}

// CheckRange returns the length of the range, or ErrRange.
func CheckRange(size, offset, length int64) (int64, error) {
	if offset < 0 || offset > size || length > size-offset {
		return 0, ErrRange
	}
	if length < 0 {
		return size - offset, nil
	}
	return length, nil
}

// Same is what Put answers for a key that holds found.
func Same(found Info, size int64, digest [32]byte) error {
	if found.Digest != digest {
		return ErrExists
	}
	if found.Size != size {
		return ErrSize
	}
	return nil
}

// Package wire holds what every format shares: the suite, identifiers and their text form, and strict reading.
//
// Formats are built with cryptobyte. One encoding per value, no trailing bytes: what parses re-encodes identically.
package wire

import (
	"encoding/base32"
	"errors"
	"io"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
)

// Suite is the only suite there is. Another value is refused: there is no downgrade to fall back on.
const Suite uint8 = 1

var (
	// ErrMalformed says that bytes are not the one encoding of any value.
	ErrMalformed = errors.New("malformed encoding")
	// ErrSuite says that bytes name a suite other than Suite.
	ErrSuite = errors.New("unknown suite")
)

// ObjectID names a document, version, upload, member, account, invite or entry: 16 random bytes.
type ObjectID [16]byte

// Hash is a SHA-256 value.
type Hash [32]byte

// ChainID names a chain: the hash of its first statement.
type ChainID = Hash

var text = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewObjectID reads an identifier from random.
func NewObjectID(random io.Reader) (ObjectID, error) {
	var id ObjectID
	_, err := io.ReadFull(random, id[:])
	return id, err
}

// String is the 26 characters that ParseObjectID takes.
func (id ObjectID) String() string { return text.EncodeToString(id[:]) }

// IsZero reports whether id is the zero identifier, which names nothing.
func (id ObjectID) IsZero() bool { return id == ObjectID{} }

// String is the 52 characters that ParseHash takes.
func (h Hash) String() string { return text.EncodeToString(h[:]) }

// IsZero reports whether h is all zeros.
func (h Hash) IsZero() bool { return h == Hash{} }

// ParseObjectID is the inverse of ObjectID.String.
func ParseObjectID(s string) (ObjectID, error) {
	var id ObjectID
	return id, decodeText(id[:], s)
}

// ParseHash is the inverse of Hash.String.
func ParseHash(s string) (Hash, error) {
	var h Hash
	return h, decodeText(h[:], s)
}

func decodeText(dst []byte, s string) error {
	if len(s) != text.EncodedLen(len(dst)) {
		return ErrMalformed
	}
	b, err := text.DecodeString(s)
	// The last character has spare bits: only one spelling is accepted.
	if err != nil || len(b) != len(dst) || text.EncodeToString(b) != s {
		return ErrMalformed
	}
	copy(dst, b)
	return nil
}

// MarshalText makes identifiers usable in JSON.
func (id ObjectID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (id *ObjectID) UnmarshalText(b []byte) error {
	v, err := ParseObjectID(string(b))
	*id = v
	return err
}

// MarshalText makes hashes usable in JSON.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (h *Hash) UnmarshalText(b []byte) error {
	v, err := ParseHash(string(b))
	*h = v
	return err
}

// Reader reads one value from bytes and remembers the first failure, so that a parser reads as its format.
type Reader struct {
	s   cryptobyte.String
	bad bool
}

// NewReader reads b.
func NewReader(b []byte) *Reader { return &Reader{s: b} }

// Uint8 reads one byte.
func (r *Reader) Uint8() (v uint8) { r.check(r.s.ReadUint8(&v)); return v }

// Uint16 reads two bytes, big-endian, as all numbers are.
func (r *Reader) Uint16() (v uint16) { r.check(r.s.ReadUint16(&v)); return v }

// Uint32 reads four bytes.
func (r *Reader) Uint32() (v uint32) { r.check(r.s.ReadUint32(&v)); return v }

// Uint64 reads eight bytes.
func (r *Reader) Uint64() (v uint64) { r.check(r.s.ReadUint64(&v)); return v }

// Bool reads a byte that must be 0 or 1.
func (r *Reader) Bool() bool {
	v := r.Uint8()
	r.check(v <= 1)
	return v == 1
}

// ID reads an identifier.
func (r *Reader) ID() (id ObjectID) { r.check(r.s.CopyBytes(id[:])); return id }

// Hash reads 32 bytes.
func (r *Reader) Hash() (h Hash) { r.check(r.s.CopyBytes(h[:])); return h }

// Fixed reads n bytes into a copy.
func (r *Reader) Fixed(n int) []byte {
	b := make([]byte, n)
	r.check(r.s.CopyBytes(b))
	return b
}

// Bytes16 reads a vector of at most max bytes with a two-byte length.
func (r *Reader) Bytes16(max int) []byte {
	var v cryptobyte.String
	r.check(r.s.ReadUint16LengthPrefixed(&v) && len(v) <= max)
	return append([]byte(nil), v...)
}

// Bytes32 reads a vector of at most max bytes with a four-byte length.
func (r *Reader) Bytes32(max int) []byte {
	n := r.Uint32()
	// The length is compared before memory is asked for: a hostile length must not allocate.
	if r.bad || uint64(n) > uint64(max) || uint64(n) > uint64(len(r.s)) {
		r.bad = true
		return nil
	}
	return r.Fixed(int(n))
}

// Text reads a UTF-8 string of at most max bytes with a two-byte length.
func (r *Reader) Text(max int) string {
	b := r.Bytes16(max)
	r.check(utf8.Valid(b))
	return string(b)
}

// Count reads a two-byte number of items, of at least itemSize bytes each, at most max.
func (r *Reader) Count(max, itemSize int) int {
	n := int(r.Uint16())
	r.check(n <= max && n*itemSize <= len(r.s))
	if r.bad {
		return 0
	}
	return n
}

// Suite reads and checks the suite.
func (r *Reader) Suite() error {
	if v := r.Uint8(); r.bad {
		return ErrMalformed
	} else if v != Suite {
		return ErrSuite
	}
	return nil
}

// Refuse marks the value as malformed.
func (r *Reader) Refuse() { r.bad = true }

// Failed reports whether anything read so far was malformed.
func (r *Reader) Failed() bool { return r.bad }

// More reports whether well-formed input is left.
func (r *Reader) More() bool { return !r.bad && !r.s.Empty() }

// Rest returns what has not been read, as a copy.
func (r *Reader) Rest() []byte { b := append([]byte(nil), r.s...); r.s = nil; return b }

// Done is nil when everything was well-formed and nothing is left.
func (r *Reader) Done() error {
	if r.bad || !r.s.Empty() {
		return ErrMalformed
	}
	return nil
}

func (r *Reader) check(ok bool) {
	if !ok {
		r.bad = true
		r.s = nil
	}
}

// Writer builds one value. Its methods mirror Reader's.
type Writer struct{ b *cryptobyte.Builder }

// NewWriter starts an empty value.
func NewWriter() *Writer { return &Writer{cryptobyte.NewBuilder(nil)} }

// Uint8 adds one byte.
func (w *Writer) Uint8(v uint8) { w.b.AddUint8(v) }

// Uint16 adds two bytes.
func (w *Writer) Uint16(v uint16) { w.b.AddUint16(v) }

// Uint32 adds four bytes.
func (w *Writer) Uint32(v uint32) { w.b.AddUint32(v) }

// Uint64 adds eight bytes.
func (w *Writer) Uint64(v uint64) { w.b.AddUint64(v) }

// Bool adds 0 or 1.
func (w *Writer) Bool(v bool) {
	if v {
		w.b.AddUint8(1)
	} else {
		w.b.AddUint8(0)
	}
}

// Fixed adds bytes without a length.
func (w *Writer) Fixed(b []byte) { w.b.AddBytes(b) }

// Bytes16 adds a vector with a two-byte length.
func (w *Writer) Bytes16(b []byte) {
	w.b.AddUint16LengthPrefixed(func(c *cryptobyte.Builder) { c.AddBytes(b) })
}

// Bytes32 adds a vector with a four-byte length.
func (w *Writer) Bytes32(b []byte) {
	w.b.AddUint32(uint32(len(b)))
	w.b.AddBytes(b)
}

// Text adds a string with a two-byte length.
func (w *Writer) Text(s string) { w.Bytes16([]byte(s)) }

// Count adds a two-byte number of items.
func (w *Writer) Count(n int) { w.b.AddUint16(uint16(n)) }

// Bytes is the value. It panics on a length that does not fit its prefix, which callers check before.
func (w *Writer) Bytes() []byte { return w.b.BytesOrPanic() }

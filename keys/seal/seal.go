// Package seal encrypts one thing under one random key: FLOE
// (https://c2sp.org/FLOE) with AES-256-GCM and HKDF-Expand-SHA-384.
//
// For something that fits in memory call [Seal] and [Open]. For a body call
// [NewWriter], keep its Header apart from what it wrote, and read it back in
// order with [NewReader] or anywhere with [NewRangeReader]. A browser that
// lets JavaScript do the encryption asks [Keys] for the keys of the segments.
//
// What the package promises: a reader hands out only plaintext whose segment
// has verified, at the place it was written, under the key and the context
// (aad) it was written for; it ends with io.EOF only after the final segment
// verified, so a cut file is an error and not a short one. The header commits
// to key and context: nobody can make a ciphertext that opens under two keys.
// It does not hide the length, it does not compress, and it does not know
// whether a plaintext is the newest one.
//
// In a browser each call waits for WebCrypto, so it must run in a goroutine
// and never directly inside a callback of syscall/js, which would deadlock.
package seal

import (
	"bytes"
	"errors"
	"io"
)

// The two encrypted segment lengths of suite 1. No other is accepted, so
// nobody can choose parameters for us.
const (
	// BodySegment is the encrypted segment length of document bodies.
	BodySegment = 262144
	// SmallSegment is the encrypted segment length of everything else.
	SmallSegment = 4096
)

const (
	// KeySize is the length of a key.
	KeySize = 32
	// HeaderSize is the length of a header: parameters, IV, tag.
	HeaderSize = paramsSize + ivSize + tagSize
	// SegmentOverhead is what a segment adds to its plaintext: length word,
	// nonce and tag.
	SegmentOverhead = 4 + nonceSize + gcmTagSize
	// SegmentsPerKey is how many segments share one AES key.
	SegmentsPerKey = 1 << rotationBits
	// MaxSegments is the most segments a sealed thing may have.
	MaxSegments = 1 << 40
)

var (
	// ErrOpen is the one error for everything that does not open: wrong key,
	// wrong context, changed, cut, extended or reordered. Telling these apart
	// would tell them apart for an attacker too.
	ErrOpen = errors.New("seal: does not open")
	// ErrParameters means that the caller asked for a key length, a segment
	// length or a size that suite 1 does not have. It never depends on a
	// ciphertext.
	ErrParameters = errors.New("seal: not a parameter of suite 1")
	// ErrNoCipher means that this platform offers no constant-time AES: in a
	// browser, a page that is not a secure context.
	ErrNoCipher = errors.New("seal: no AES on this platform")
	// ErrClosed is returned by a Writer that was closed.
	ErrClosed = errors.New("seal: writer is closed")
	// ErrTooLong means that a writer got more than MaxSegments segments.
	ErrTooLong = errors.New("seal: more than the maximum of segments")
)

// Seal encrypts plaintext under key, bound to aad, in segments of
// SmallSegment: header, then segments. The result has
// HeaderSize + SealedSize(len(plaintext), SmallSegment) bytes.
func Seal(rand io.Reader, key, aad, plaintext []byte) ([]byte, error) {
	var sealed bytes.Buffer
	sealed.Grow(HeaderSize + int(SealedSize(int64(len(plaintext)), SmallSegment)))
	w, err := NewWriter(rand, &sealed, key, aad, SmallSegment)
	if err != nil {
		return nil, err
	}
	// The header goes first; the writer itself has written nothing yet.
	sealed.Write(w.Header())
	if _, err := w.Write(plaintext); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return sealed.Bytes(), nil
}

// Open is the inverse of Seal. Every failure is ErrOpen.
func Open(key, aad, sealed []byte) ([]byte, error) {
	return open(suiteParams(SmallSegment), key, aad, sealed)
}

func open(p params, key, aad, sealed []byte) ([]byte, error) {
	// A header must be whole before anything is derived from it.
	if len(sealed) < HeaderSize {
		return nil, ErrOpen
	}
	r, err := newReader(p, bytes.NewReader(sealed[HeaderSize:]), sealed[:HeaderSize], key, aad)
	if err != nil {
		return nil, err
	}
	// All or nothing: a prefix that verified is not handed out when a later
	// segment does not.
	plaintext, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return plaintext, nil
}

// SealedSize is the length of the segments (without header) that hold n bytes
// of plaintext. n must not be negative and segment must be one of suite 1.
func SealedSize(n int64, segment int) int64 {
	return n + segments(n, segment)*SegmentOverhead
}

// PlaintextSize is the inverse of SealedSize: how much plaintext is in so many
// bytes of segments. A length that no writer of this package makes is refused.
func PlaintextSize(sealed int64, segment int) (int64, error) {
	if !isSuiteSegment(segment) || sealed < SegmentOverhead {
		return 0, ErrParameters
	}
	count := (sealed + int64(segment) - 1) / int64(segment)
	n := sealed - count*SegmentOverhead
	// The last segment may be empty only when it is the only one.
	if count > MaxSegments || n < 0 || SealedSize(n, segment) != sealed {
		return 0, ErrParameters
	}
	return n, nil
}

// segments is how many segments a writer makes of n bytes: the final one is
// full when n is a multiple, and empty only when n is 0.
func segments(n int64, segment int) int64 {
	capacity := int64(segment - SegmentOverhead)
	return max(1, (n+capacity-1)/capacity)
}

func isSuiteSegment(segment int) bool {
	return segment == BodySegment || segment == SmallSegment
}

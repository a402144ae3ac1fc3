package seal

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Writer encrypts a stream in order. It is not safe for concurrent use.
type Writer struct {
	state    *state
	rand     io.Reader
	w        io.Writer
	header   []byte
	pending  []byte // plaintext not yet written: up to one full segment
	segment  []byte
	position uint64
	err      error // sticky
}

var _ io.WriteCloser = (*Writer)(nil)

// NewWriter starts to seal under a 32-byte key, bound to aad. Only segments go
// to w: the caller keeps Header where it is authenticated. rand may be nil for
// crypto/rand. Without Close the result does not open.
func NewWriter(rand io.Reader, w io.Writer, key, aad []byte, segment int) (*Writer, error) {
	if !isSuiteSegment(segment) {
		return nil, ErrParameters
	}
	return newWriter(suiteParams(segment), rand, w, key, aad)
}

func newWriter(p params, rand io.Reader, w io.Writer, key, aad []byte) (*Writer, error) {
	s, header, err := startEncryption(p, rand, key, aad)
	if err != nil {
		return nil, err
	}
	return &Writer{state: s, rand: rand, w: w, header: header,
		pending: make([]byte, 0, p.capacity()), segment: make([]byte, 0, p.segment)}, nil
}

// Header returns a copy of the header, of HeaderSize bytes.
func (w *Writer) Header() []byte { return append([]byte(nil), w.header...) }

// Write encrypts p. A full segment is held back until more follows, because
// the final one is marked as such.
func (w *Writer) Write(p []byte) (int, error) {
	written := 0
	for w.err == nil && len(p) > 0 {
		if len(w.pending) == cap(w.pending) {
			w.flush(false)
			continue
		}
		n := min(len(p), cap(w.pending)-len(w.pending))
		w.pending = append(w.pending, p[:n]...)
		p, written = p[n:], written+n
	}
	return written, w.err
}

// Close writes the final segment. It does not close the underlying writer. A
// second Close returns ErrClosed.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	w.flush(true)
	if w.err != nil {
		return w.err
	}
	w.err = ErrClosed
	return nil
}

func (w *Writer) flush(final bool) {
	segment, err := w.state.encryptSegment(w.rand, w.segment[:0], w.pending, w.position, final)
	if err == nil {
		_, err = w.w.Write(segment)
	}
	// After a failure the position is spent: it is never encrypted again.
	w.err = err
	w.position++
	clear(w.pending)
	w.pending = w.pending[:0]
}

// Reader decrypts a stream in order. It is not safe for concurrent use.
type Reader struct {
	state     *state
	r         io.Reader
	segment   []byte
	plaintext []byte // verified
	unread    []byte // what of plaintext was not handed out
	position  uint64
	err       error // sticky
}

var _ io.Reader = (*Reader)(nil)

// NewReader opens what a Writer sealed. It checks the header before it reads.
// Read hands out a segment only after it verified, and io.EOF only after the
// final one did and r ended there; anything else is ErrOpen or an error of r.
// A caller must not keep what it read when the last error is not io.EOF.
func NewReader(r io.Reader, header, key, aad []byte, segment int) (*Reader, error) {
	if !isSuiteSegment(segment) {
		return nil, ErrParameters
	}
	return newReader(suiteParams(segment), r, header, key, aad)
}

func newReader(p params, r io.Reader, header, key, aad []byte) (*Reader, error) {
	s, err := startDecryption(p, key, aad, header)
	if err != nil {
		return nil, err
	}
	return &Reader{state: s, r: r, segment: make([]byte, p.segment), plaintext: make([]byte, 0, p.capacity())}, nil
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.unread) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.next()
	}
	n := copy(p, r.unread)
	r.unread = r.unread[n:]
	return n, nil
}

// next verifies one segment and sets unread, err or both.
func (r *Reader) next() {
	n, err := readSegment(r.r, r.segment)
	if err != nil {
		r.err = err
		return
	}
	segment := r.segment[:n]
	// Ending before the final segment is truncation, also at a boundary
	// (attack 40).
	if n < SegmentOverhead {
		r.err = ErrOpen
		return
	}
	final := binary.BigEndian.Uint32(segment) != notFinal
	if final && n == len(r.segment) {
		// Bytes after the final segment are an extension; that is known before
		// its plaintext is handed out.
		if extra, err := readSegment(r.r, make([]byte, 1)); err != nil || extra != 0 {
			r.err = ErrOpen
			if err != nil {
				r.err = err
			}
			return
		}
	}
	plaintext, err := r.state.decryptSegment(r.plaintext[:0], segment, r.position, final)
	if err != nil {
		r.err = err
		return
	}
	r.unread = plaintext
	r.position++
	if final {
		r.err = io.EOF
	}
}

// readSegment fills b or stops at io.EOF, and returns how much it read. Unlike
// io.ReadFull it does not mistake a failing source for a short one.
func readSegment(r io.Reader, b []byte) (int, error) {
	n, empty := 0, 0
	for n < len(b) {
		m, err := r.Read(b[n:])
		n += m
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, fmt.Errorf("seal: reading: %w", err)
		}
		if empty++; m > 0 {
			empty = 0
		}
		if empty > 100 {
			return n, io.ErrNoProgress
		}
	}
	return n, nil
}

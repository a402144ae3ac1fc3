package seal

import (
	"errors"
	"fmt"
	"io"
)

// RangeReader reads sealed plaintext at any offset. It is safe for concurrent
// use when its source is. It decrypts each segment that a call touches, so
// read whole segments (BodySegment - SegmentOverhead bytes) or wrap it.
type RangeReader struct {
	state *state
	r     io.ReaderAt
	size  int64
}

var _ io.ReaderAt = (*RangeReader)(nil)

// NewRangeReader opens the segments in r, whose plaintext has plaintextSize
// bytes. That number must be authenticated, as by a signed header: it says
// which segment is the final one, so a source that was cut, extended or that
// ends somewhere else does not open there. Without it random access to FLOE
// would neither detect truncation nor commit.
func NewRangeReader(r io.ReaderAt, header, key, aad []byte, segment int, plaintextSize int64) (*RangeReader, error) {
	if !isSuiteSegment(segment) {
		return nil, ErrParameters
	}
	return newRangeReader(suiteParams(segment), r, header, key, aad, plaintextSize)
}

func newRangeReader(p params, r io.ReaderAt, header, key, aad []byte, size int64) (*RangeReader, error) {
	// MaxSegments segments stay far below the range of int64.
	if size < 0 || size > MaxSegments*int64(p.capacity()) {
		return nil, ErrParameters
	}
	s, err := startDecryption(p, key, aad, header)
	if err != nil {
		return nil, err
	}
	return &RangeReader{state: s, r: r, size: size}, nil
}

// Size is the length of the plaintext.
func (r *RangeReader) Size() int64 { return r.size }

// ReadAt implements io.ReaderAt. On ErrOpen the count says how much of p
// verified before.
func (r *RangeReader) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, ErrParameters
	}
	if offset >= r.size {
		if r.size == 0 {
			// The one empty segment still has to be there.
			if _, err := r.segment(0); err != nil {
				return 0, err
			}
		}
		return 0, io.EOF
	}
	capacity := int64(r.state.capacity())
	read := 0
	for read < len(p) && offset < r.size {
		plaintext, err := r.segment(offset / capacity)
		if err != nil {
			return read, err
		}
		n := copy(p[read:], plaintext[offset%capacity:])
		read, offset = read+n, offset+int64(n)
	}
	if read < len(p) {
		return read, io.EOF
	}
	return read, nil
}

// segment verifies one segment. Its length and finality come from size alone.
func (r *RangeReader) segment(index int64) ([]byte, error) {
	last := segments(r.size, r.state.segment) - 1
	length := r.state.segment
	if index == last {
		length = int(r.size-last*int64(r.state.capacity())) + SegmentOverhead
	}
	segment := make([]byte, length)
	n, err := r.r.ReadAt(segment, index*int64(r.state.segment))
	if n < length {
		if err == nil || errors.Is(err, io.EOF) {
			return nil, ErrOpen
		}
		return nil, fmt.Errorf("seal: reading: %w", err)
	}
	return r.state.decryptSegment(make([]byte, 0, length), segment, uint64(index), index == last)
}

package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// Copy moves exactly size bytes from r to w through a small buffer and checks
// their digest, for backends that do not have that done elsewhere. It returns
// ErrSize, ErrDigest, or the error of ctx, r or w, wrapped.
func Copy(ctx context.Context, w io.Writer, r io.Reader, size int64, digest [32]byte) error {
	if size < 0 || size > MaxSize {
		return ErrSize
	}
	hash := sha256.New()
	in := &contextReader{ctx: ctx, inner: r}
	buffer := make([]byte, 128<<10)
	// The reader is hidden behind a plain one, so that the bytes pass
	// through the buffer and the hash and nowhere else.
	n, err := io.CopyBuffer(io.MultiWriter(w, hash), io.LimitReader(in, size), buffer)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("blob: storing: %w", err)
	}
	if err != nil || n < size {
		return ErrSize
	}
	// A reader may answer (0, nil) now and then; ReadFull tries again.
	switch _, err := io.ReadFull(in, buffer[:1]); {
	case err == nil:
		return ErrSize
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("blob: reading past the end: %w", err)
	}
	if [32]byte(hash.Sum(nil)) != digest {
		return ErrDigest
	}
	return nil
}

// contextReader stops between two reads when ctx is done.
type contextReader struct {
	ctx   context.Context
	inner io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.inner.Read(p)
}

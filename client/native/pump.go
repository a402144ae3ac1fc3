//go:build !js

package native

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/wire"
)

const (
	inFlight     = 3 // chunks at once: one is sealed while one travels and one is stored
	capacity     = seal.BodySegment - seal.SegmentOverhead
	perChunk     = document.ChunkSize / seal.BodySegment // segments
	plainChunk   = perChunk * capacity
	chunkTimeout = 10 * time.Minute // for 4 MiB: slower than that is no connection
	maxError     = 64 << 10
)

// pumpSource is what a Pump reads: a client.Source at any place.
type pumpSource interface {
	client.Source
	io.ReaderAt
	// Unchanged is nil while the content is the one that Identity spoke of.
	Unchanged() error
}

// pumpSink is what it writes: a client.Sink at any place.
type pumpSink interface {
	client.Sink
	io.WriterAt
}

var errSeam = errors.New("a native pump takes sources and sinks of package native")

// Pump moves bodies over a Transport, three chunks at a time, and so holds about 30 MiB whatever the length. It is safe for
// concurrent use.
type Pump struct {
	transport *Transport
	random    io.Reader
}

var _ client.Pump = (*Pump)(nil)

// NewPump uses the transport's origin and cookies. random may be nil for crypto/rand, and must be safe for concurrent use.
func NewPump(t *Transport, random io.Reader) *Pump { return &Pump{transport: t, random: random} }

// chunkOf is where a chunk stands: its segments, the plaintext they hold and their sealed length.
type chunkOf struct {
	number       int
	start, plain int64 // of the padded plaintext
	offset, size int64 // of the sealed body
	first, last  uint64
}

func chunkAt(padded int64, number int) chunkOf {
	c := chunkOf{number: number, start: int64(number) * plainChunk, offset: int64(number) * document.ChunkSize, size: document.ChunkLength(uint64(padded), number)}
	c.plain = min(padded, c.start+plainChunk) - c.start
	c.first = uint64(number) * perChunk
	c.last = c.first + uint64((c.plain+capacity-1)/capacity) - 1
	return c
}

func finalSegment(padded int64) uint64 { return uint64((padded+capacity-1)/capacity) - 1 }

// content is how many bytes of the plaintext at start are no padding.
func content(length, start, plain int64) int64 { return max(0, min(length, start+plain)-start) }

// each calls do for the chunks 0 to n-1, some at a time, until one fails; the first failure is returned.
func each(ctx context.Context, n int, do func(ctx context.Context, chunk int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan int)
	var hands sync.WaitGroup
	for range min(inFlight, n) {
		hands.Go(func() {
			for chunk := range work {
				if err := do(ctx, chunk); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	for chunk := range n {
		select {
		case work <- chunk:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(work)
	hands.Wait()
	return context.Cause(ctx)
}

// Send implements client.Pump. Sealed and Stored are called one at a time.
func (p *Pump) Send(ctx context.Context, s client.Send) error {
	source, ok := s.Source.(pumpSource)
	if !ok {
		return errSeam
	}
	if s.Length < 0 || s.Padded < document.MinBody || s.Length > s.Padded {
		return document.ErrLength
	}
	if source.Size() != s.Length {
		return &client.Failure{Code: api.CodeFileChanged}
	}
	var told sync.Mutex // guards calls of Sealed and Stored
	err := each(ctx, document.Chunks(uint64(s.Padded)), func(ctx context.Context, number int) error {
		if _, there := s.Present[number]; there {
			return nil
		}
		c := chunkAt(s.Padded, number)
		body, err := p.sealChunk(source, s, c)
		if err != nil {
			return err
		}
		// Looked at before the chunk leaves: a file that is being written to is not sent half old and half new.
		if err := source.Unchanged(); err != nil {
			return err
		}
		digest := wire.Hash(sha256.Sum256(body))
		told.Lock()
		err = s.Sealed(number, digest)
		told.Unlock()
		if err != nil {
			return err
		}
		if err := p.put(ctx, s.Path(number), s.Header(number, digest), body); err != nil {
			return err
		}
		told.Lock()
		defer told.Unlock()
		s.Stored(number, digest, content(s.Length, c.start, c.plain))
		return nil
	})
	if err != nil {
		return err
	}
	return source.Unchanged()
}

// sealChunk reads, pads and seals one chunk.
func (p *Pump) sealChunk(source io.ReaderAt, s client.Send, c chunkOf) ([]byte, error) {
	final := finalSegment(s.Padded)
	body := make([]byte, 0, c.size)
	plain := make([]byte, capacity)
	for i := c.first; i <= c.last; i++ {
		start := int64(i) * capacity
		segment := plain[:min(capacity, s.Padded-start)]
		n := content(s.Length, start, int64(len(segment)))
		if err := readContent(source, segment[:n], start); err != nil {
			return nil, err
		}
		clear(segment[n:])
		var err error
		if body, err = s.Keys.SealSegment(p.random, body, segment, i, i == final); err != nil {
			return nil, err
		}
	}
	return body, nil
}

func readContent(source io.ReaderAt, b []byte, at int64) error {
	if len(b) == 0 {
		return nil
	}
	n, err := source.ReadAt(b, at)
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF):
		return &client.Failure{Code: api.CodeFileChanged} // it shrank
	}
	return &client.Failure{Code: api.CodeFileUnreadable}
}

func (p *Pump) put(ctx context.Context, path string, header map[string]string, body []byte) error {
	limited, cancel := context.WithTimeout(ctx, chunkTimeout)
	defer cancel()
	header["Content-Type"] = api.TypeBinary
	reply, err := p.transport.open(limited, http.MethodPut, path, header, body)
	if err != nil {
		return lost(ctx, err)
	}
	defer reply.Body.Close()
	answer, err := readAtMost(reply.Body, maxError)
	if err != nil {
		return lost(ctx, err)
	}
	if reply.StatusCode < 200 || reply.StatusCode > 299 {
		return client.ReplyError(answer)
	}
	return nil
}

// lost is an error of the connection: the person's own when he stopped, and otherwise one after which it is tried again.
func lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &offline{err}
}

// offline carries what broke, and is a client.Failure with CodeOffline to whoever asks.
type offline struct{ cause error }

func (o *offline) Error() string { return "the connection broke: " + o.cause.Error() }

func (o *offline) Unwrap() []error {
	return []error{&client.Failure{Code: api.CodeOffline}, o.cause}
}

// Fetch implements client.Pump.
func (p *Pump) Fetch(ctx context.Context, f client.Fetch) error {
	sink, ok := f.Sink.(pumpSink)
	if !ok {
		return errSeam
	}
	if f.Length < 0 || f.Padded < document.MinBody || f.Length > f.Padded {
		return document.ErrLength
	}
	if len(f.Digests) != document.Chunks(uint64(f.Padded)) {
		return document.ErrBodyRoot
	}
	lease := &lease{renew: f.Renew}
	var told sync.Mutex // guards calls of Progress
	return each(ctx, len(f.Digests), func(ctx context.Context, number int) error {
		c := chunkAt(f.Padded, number)
		body, err := p.get(ctx, f, c, lease)
		if err != nil {
			return err
		}
		if err := openChunk(f, sink, c, body); err != nil {
			return err
		}
		if f.Progress != nil {
			told.Lock()
			defer told.Unlock()
			f.Progress(content(f.Length, c.start, c.plain))
		}
		return nil
	})
}

// lease is the release a download runs under. Its holders may all find it ended at once; it is renewed once for all.
type lease struct {
	renew func(ctx context.Context) error

	mu    sync.Mutex // guards terms; held while renewing, so that the others wait for it
	terms int
}

func (l *lease) term() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.terms
}

func (l *lease) after(ctx context.Context, term int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.terms != term {
		return nil
	}
	if err := l.renew(ctx); err != nil {
		return err
	}
	l.terms++
	return nil
}

// get fetches a chunk, once more where the release or the session had run out.
func (p *Pump) get(ctx context.Context, f client.Fetch, c chunkOf, l *lease) ([]byte, error) {
	term := l.term()
	body, err := p.getOnce(ctx, f, c)
	var refused *api.Error
	if !errors.As(err, &refused) || f.Renew == nil || (refused.Code != api.CodeNotReleased && refused.Code != api.CodeNotSignedIn) {
		return body, err
	}
	if err := l.after(ctx, term); err != nil {
		return nil, err
	}
	return p.getOnce(ctx, f, c)
}

// getOnce is a chunk whose length and digest are the signed ones.
func (p *Pump) getOnce(ctx context.Context, f client.Fetch, c chunkOf) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, chunkTimeout)
	defer cancel()
	last := c.offset + c.size - 1
	header := f.Header()
	header["Range"] = fmt.Sprintf("bytes=%d-%d", c.offset, last)
	reply, err := p.transport.open(limited, http.MethodGet, f.Path, header, nil)
	if err != nil {
		return nil, lost(ctx, err)
	}
	defer reply.Body.Close()
	if reply.StatusCode < 200 || reply.StatusCode > 299 {
		answer, err := readAtMost(reply.Body, maxError)
		if err != nil && !errors.Is(err, errTooLong) {
			return nil, lost(ctx, err)
		}
		return nil, client.ReplyError(answer)
	}
	// Lengths first: neither memory nor a cipher is spent on an answer that cannot be the chunk (attack 40).
	if reply.ContentLength >= 0 && reply.ContentLength != c.size {
		return nil, client.ErrBodyDigest
	}
	body := make([]byte, 0, c.size+1)
	for len(body) <= int(c.size) {
		n, err := reply.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, lost(ctx, err)
		}
	}
	if int64(len(body)) != c.size || wire.Hash(sha256.Sum256(body)) != f.Digests[c.number] {
		return nil, client.ErrBodyDigest
	}
	return body, nil
}

// openChunk opens the segments of a chunk and writes the content in them. All of them are opened first: what does not
// verify leaves no trace in the sink.
func openChunk(f client.Fetch, sink io.WriterAt, c chunkOf, body []byte) error {
	final := finalSegment(f.Padded)
	plain := make([]byte, 0, c.plain)
	for i := c.first; i <= c.last; i++ {
		n := min(len(body), seal.BodySegment)
		var err error
		if plain, err = f.Keys.OpenSegment(plain, body[:n], i, i == final); err != nil {
			return client.ErrBodyOpen
		}
		body = body[n:]
	}
	if int64(len(plain)) != c.plain {
		return client.ErrBodyOpen
	}
	n := content(f.Length, c.start, c.plain)
	for _, b := range plain[n:] {
		if b != 0 {
			return client.ErrPadding
		}
	}
	if n == 0 {
		return nil
	}
	_, err := sink.WriteAt(plain[:n], c.start)
	return err
}

//go:build !js

package native

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/wire"
)

// shelf is a server that keeps the chunks of one upload, and lies where a test tells it to.
type shelf struct {
	mu       sync.Mutex
	chunks   map[int][]byte
	puts     int
	refuse   func(r *http.Request) api.Code // "": serve it
	mangle   func(number int, b []byte) []byte
	inFlight atomic.Int32
	most     atomic.Int32
}

func newShelf(t *testing.T) (*shelf, *Transport) {
	s := &shelf{chunks: map[int][]byte{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	transport, err := NewTransport(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.http.CloseIdleConnections)
	return s, transport
}

func (s *shelf) lie(mangle func(number int, b []byte) []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mangle = mangle
}

func answer(w http.ResponseWriter, status int, code api.Code) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(api.Error{Code: code})
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := s.inFlight.Add(1)
	defer s.inFlight.Add(-1)
	for m := s.most.Load(); n > m && !s.most.CompareAndSwap(m, n); m = s.most.Load() {
	}
	if s.refuse != nil {
		if code := s.refuse(r); code != "" {
			_, _ = io.Copy(io.Discard, r.Body)
			answer(w, http.StatusForbidden, code)
			return
		}
	}
	if r.Method == http.MethodPut {
		s.put(w, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var from, to int64
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); err != nil {
		answer(w, http.StatusRequestedRangeNotSatisfiable, api.CodeRange)
		return
	}
	number := int(from / document.ChunkSize)
	body := s.chunks[number]
	if s.mangle != nil {
		body = s.mangle(number, bytes.Clone(body))
	}
	w.WriteHeader(http.StatusPartialContent)
	_, _ = w.Write(body)
}

func (s *shelf) put(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	digest, digestErr := api.ParseContentDigest(r.Header.Get("Content-Digest"))
	if err != nil || digestErr != nil || sha256.Sum256(body) != digest || r.Header.Get("Content-Type") != api.TypeBinary {
		answer(w, http.StatusBadRequest, api.CodeDigest)
		return
	}
	number, err := strconv.Atoi(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
	if err != nil {
		answer(w, http.StatusBadRequest, api.CodeBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.puts++
	if old, there := s.chunks[number]; there && !bytes.Equal(old, body) {
		answer(w, http.StatusConflict, api.CodeChunkConflict)
		return
	}
	s.chunks[number] = body
}

// body is one document's content with everything a pump is told about it.
type body struct {
	content []byte
	path    string
	padded  int64
	keys    *seal.Keys
	digests map[int]wire.Hash
}

func newBody(t *testing.T, size int) *body {
	content := make([]byte, size)
	source := rand.NewChaCha8([32]byte{byte(size), byte(size >> 8), 7})
	_, _ = source.Read(content)
	b := &body{content: content, path: filepath.Join(t.TempDir(), "file"), padded: int64(document.PaddedLength(uint64(size))), digests: map[int]wire.Hash{}}
	if err := os.WriteFile(b.path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	key := sha256.Sum256(content)
	k, _, err := seal.NewKeys(nil, key[:], []byte("context"), seal.BodySegment)
	if err != nil {
		t.Fatal(err)
	}
	b.keys = k
	return b
}

func (b *body) send(t *testing.T, ctx context.Context, tr *Transport, change func(*client.Send)) error {
	t.Helper()
	source, err := OpenSource(b.path)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	stored := int64(0)
	s := client.Send{Source: source, Length: int64(len(b.content)), Padded: b.padded, Keys: b.keys, Path: func(n int) string { return "/chunks/" + strconv.Itoa(n) },
		Header: func(_ int, digest wire.Hash) map[string]string {
			return map[string]string{api.HeaderDigest: api.ContentDigest(digest)}
		},
		Sealed: func(n int, d wire.Hash) error { b.digests[n] = d; return nil },
		Stored: func(_ int, _ wire.Hash, bytes int64) { stored += bytes }}
	if change != nil {
		change(&s)
	}
	err = NewPump(tr, nil).Send(ctx, s)
	if err == nil && change == nil && stored != s.Length {
		t.Errorf("told of %d bytes, want %d", stored, s.Length)
	}
	return err
}

func (b *body) list() []wire.Hash {
	list := make([]wire.Hash, document.Chunks(uint64(b.padded)))
	for n, d := range b.digests {
		list[n] = d
	}
	return list
}

func (b *body) fetch(t *testing.T, ctx context.Context, tr *Transport, change func(*client.Fetch)) ([]byte, error) {
	t.Helper()
	target := filepath.Join(t.TempDir(), "out")
	sink := NewSink(target, KeepExisting)
	f := client.Fetch{Sink: sink, Path: "/body", Header: func() map[string]string { return map[string]string{} }, Length: int64(len(b.content)), Padded: b.padded, Keys: b.keys, Digests: b.list()}
	if change != nil {
		change(&f)
	}
	if err := NewPump(tr, nil).Fetch(ctx, f); err != nil {
		if err := sink.Discard(); err != nil {
			t.Fatal(err)
		}
		left, readErr := os.ReadDir(filepath.Dir(target))
		if readErr != nil || len(left) != 0 {
			t.Errorf("%d files left behind, %v", len(left), readErr)
		}
		return nil, err
	}
	if err := sink.Commit(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	return got, nil
}

// TestPumpSizes sends and fetches bodies at every edge there is.
func TestPumpSizes(t *testing.T) {
	for _, size := range []int{0, 1, document.MinBody - 1, document.MinBody, document.MinBody + 1, capacity - 1, capacity, capacity + 1, 2 * capacity,
		plainChunk - 1, plainChunk, plainChunk + 1, 2*plainChunk - 1, 2 * plainChunk, 2*plainChunk + 1, 5*plainChunk + 77} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			s, tr := newShelf(t)
			b := newBody(t, size)
			if err := b.send(t, t.Context(), tr, nil); err != nil {
				t.Fatal(err)
			}
			for n := range document.Chunks(uint64(b.padded)) {
				if int64(len(s.chunks[n])) != document.ChunkLength(uint64(b.padded), n) {
					t.Errorf("chunk %d has %d bytes", n, len(s.chunks[n]))
				}
			}
			got, err := b.fetch(t, t.Context(), tr, nil)
			if err != nil || !bytes.Equal(got, b.content) {
				t.Fatalf("%d bytes came back, %v", len(got), err)
			}
			if s.most.Load() > inFlight {
				t.Errorf("%d chunks at once", s.most.Load())
			}
		})
	}
}

// TestPumpFormat opens what the pump made with the sequential reader.
func TestPumpFormat(t *testing.T) {
	s, tr := newShelf(t)
	b := newBody(t, plainChunk+5)
	key := sha256.Sum256(b.content)
	k, header, err := seal.NewKeys(nil, key[:], []byte("context"), seal.BodySegment)
	if err != nil {
		t.Fatal(err)
	}
	b.keys = k
	if err := b.send(t, t.Context(), tr, nil); err != nil {
		t.Fatal(err)
	}
	r, err := seal.NewReader(io.MultiReader(bytes.NewReader(s.chunks[0]), bytes.NewReader(s.chunks[1])), header, key[:], []byte("context"), seal.BodySegment)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || int64(len(got)) != b.padded || !bytes.Equal(got[:len(b.content)], b.content) || !bytes.Equal(got[len(b.content):], make([]byte, len(got)-len(b.content))) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

// TestPumpLies: whatever the server does to a body is refused, and leaves nothing.
func TestPumpLies(t *testing.T) { // S-DOC-07
	s, tr := newShelf(t)
	b := newBody(t, 2*plainChunk+100)
	if err := b.send(t, t.Context(), tr, nil); err != nil {
		t.Fatal(err)
	}
	otherShelf, otherTransport := newShelf(t)
	other := newBody(t, 2*plainChunk+101)
	if err := other.send(t, t.Context(), otherTransport, nil); err != nil {
		t.Fatal(err)
	}
	chunks := s.chunks
	for name, mangle := range map[string]func(int, []byte) []byte{
		"a flipped bit":        func(n int, c []byte) []byte { c[len(c)/2] ^= byte(n & 1); return c },
		"swapped":              func(n int, _ []byte) []byte { return chunks[[]int{1, 0, 2}[n]] },
		"doubled":              func(n int, c []byte) []byte { return chunks[[]int{0, 0, 2}[n]] },
		"cut":                  func(n int, c []byte) []byte { return c[:len(c)-n] },
		"cut by a segment":     func(n int, c []byte) []byte { return c[:max(0, len(c)-min(n, 1)*seal.BodySegment)] },
		"extended":             func(n int, c []byte) []byte { return append(c, make([]byte, n)...) },
		"emptied":              func(n int, c []byte) []byte { return c[:len(c)*(1-n%2)] },
		"of another document":  func(n int, c []byte) []byte { return [][]byte{c, otherShelf.chunks[1], c}[n] },
		"the other's last one": func(n int, c []byte) []byte { return [][]byte{c, c, otherShelf.chunks[2]}[n] },
	} {
		t.Run(name, func(t *testing.T) {
			s.lie(mangle)
			_, err := b.fetch(t, t.Context(), tr, nil)
			if err == nil || client.FailureOf(err).Code != api.CodeServerLied {
				t.Fatalf("%v, want a lie", err)
			}
		})
	}
	// With a list of digests that belongs to the lie, the seal itself must refuse it.
	for name, mangle := range map[string]func(int, []byte) []byte{
		"swapped and listed":    func(n int, _ []byte) []byte { return chunks[[]int{1, 0, 2}[n]] },
		"of another and listed": func(n int, _ []byte) []byte { return otherShelf.chunks[n] },
		"flipped and listed":    func(n int, c []byte) []byte { c[7] ^= 1; return c },
		"one byte short":        func(n int, c []byte) []byte { return c[:len(c)-1] },
		"segments turned around": func(n int, c []byte) []byte {
			half := len(c) / seal.BodySegment / 2 * seal.BodySegment
			return append(bytes.Clone(c[half:]), c[:half]...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s.lie(mangle)
			_, err := b.fetch(t, t.Context(), tr, func(f *client.Fetch) {
				for n := range f.Digests {
					f.Digests[n] = sha256.Sum256(mangle(n, bytes.Clone(chunks[n])))
				}
			})
			if err == nil || client.FailureOf(err).Code != api.CodeServerLied {
				t.Fatalf("%v, want a lie", err)
			}
		})
	}
	s.lie(nil)
	t.Run("a length in the padding", func(t *testing.T) {
		if _, err := b.fetch(t, t.Context(), tr, func(f *client.Fetch) { f.Length -= 3 }); !errors.Is(err, client.ErrPadding) {
			t.Fatalf("%v, want ErrPadding", err)
		}
	})
	t.Run("too few digests", func(t *testing.T) {
		if _, err := b.fetch(t, t.Context(), tr, func(f *client.Fetch) { f.Digests = f.Digests[1:] }); !errors.Is(err, document.ErrBodyRoot) {
			t.Fatalf("%v, want ErrBodyRoot", err)
		}
	})
}

// TestPumpResume leaves out what is there, in both senses.
func TestPumpResume(t *testing.T) {
	s, tr := newShelf(t)
	b := newBody(t, 6*plainChunk)
	ctx, stop := context.WithCancel(t.Context())
	err := b.send(t, ctx, tr, func(s *client.Send) {
		s.Stored = func(int, wire.Hash, int64) { stop() }
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, want cancelled", err)
	}
	// What had left may still arrive and be stored: it has come to rest when nothing moved for half a second.
	for calm, puts := 0, 0; calm < 10; calm++ {
		time.Sleep(50 * time.Millisecond)
		s.mu.Lock()
		if s.inFlight.Load() > 0 || s.puts != puts {
			calm, puts = 0, s.puts
		}
		s.mu.Unlock()
	}
	s.mu.Lock()
	present, before := map[int]wire.Hash{}, s.puts
	for n, c := range s.chunks {
		present[n] = sha256.Sum256(c)
		b.digests[n] = present[n]
	}
	s.mu.Unlock()
	if len(present) == 0 {
		t.Fatal("nothing was stored")
	}
	if err := b.send(t, t.Context(), tr, func(s *client.Send) { s.Present = present }); err != nil {
		t.Fatal(err)
	}
	if got := s.puts - before; got != document.Chunks(uint64(b.padded))-len(present) {
		t.Errorf("%d chunks were sent, %d were there of %d", got, len(present), document.Chunks(uint64(b.padded)))
	}
	if got, err := b.fetch(t, t.Context(), tr, nil); err != nil || !bytes.Equal(got, b.content) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

// TestPumpFileChanges: what is sent is one state of the file, or an error.
func TestPumpFileChanges(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"shrinks": func(p string) error { return os.Truncate(p, plainChunk+9) },
		"grows":   func(p string) error { return os.Truncate(p, 4*plainChunk) },
		"is written to": func(p string) error {
			return os.Chtimes(p, time.Now(), time.Now().Add(time.Second))
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, tr := newShelf(t)
			b := newBody(t, 3*plainChunk)
			var once sync.Once
			err := b.send(t, t.Context(), tr, func(s *client.Send) {
				s.Stored = func(int, wire.Hash, int64) { once.Do(func() { check(t, change(b.path)) }) }
			})
			if err == nil || client.FailureOf(err).Code != api.CodeFileChanged {
				t.Fatalf("%v, want %s", err, api.CodeFileChanged)
			}
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// TestPumpSealedFirst: a chunk whose digest could not be written down is not sent.
func TestPumpSealedFirst(t *testing.T) {
	s, tr := newShelf(t)
	want := errors.New("no room")
	err := newBody(t, 10).send(t, t.Context(), tr, func(s *client.Send) { s.Sealed = func(int, wire.Hash) error { return want } })
	if !errors.Is(err, want) || s.puts != 0 {
		t.Fatalf("%v, %d chunks sent", err, s.puts)
	}
}

// TestPumpRenews: a release that ran out is renewed once for all chunks, and no more than once for each.
func TestPumpRenews(t *testing.T) {
	s, tr := newShelf(t)
	b := newBody(t, 3*plainChunk)
	check(t, b.send(t, t.Context(), tr, nil))
	var released atomic.Bool
	s.refuse = func(*http.Request) api.Code {
		if released.Load() {
			return ""
		}
		return api.CodeNotReleased
	}
	renewals := 0
	got, err := b.fetch(t, t.Context(), tr, func(f *client.Fetch) {
		f.Renew = func(context.Context) error { renewals++; released.Store(true); return nil }
	})
	if err != nil || !bytes.Equal(got, b.content) || renewals != 1 {
		t.Fatalf("%d bytes, %v, %d renewals", len(got), err, renewals)
	}
	released.Store(false)
	_, err = b.fetch(t, t.Context(), tr, func(f *client.Fetch) { f.Renew = func(context.Context) error { return nil } })
	if err == nil || client.FailureOf(err).Code != api.CodeNotReleased {
		t.Fatalf("%v, want %s", err, api.CodeNotReleased)
	}
}

// TestPumpErrors: codes arrive as codes, and a lost connection as one.
func TestPumpErrors(t *testing.T) {
	s, tr := newShelf(t)
	b := newBody(t, 10)
	for _, code := range []api.Code{api.CodeChunkConflict, api.CodeNoSpace, api.CodeUploadGone, api.CodeUnavailable} {
		s.refuse = func(*http.Request) api.Code { return code }
		if err := b.send(t, t.Context(), tr, nil); err == nil || client.FailureOf(err).Code != code {
			t.Errorf("%v, want %s", err, code)
		}
	}
	s.refuse = func(*http.Request) api.Code { return "made-up" }
	if err := b.send(t, t.Context(), tr, nil); err == nil || client.FailureOf(err).Code != api.CodeInternal {
		t.Errorf("%v, want %s", err, api.CodeInternal)
	}
	s.refuse = func(*http.Request) api.Code { panic(http.ErrAbortHandler) }
	if err := b.send(t, t.Context(), tr, nil); err == nil || client.FailureOf(err).Code != api.CodeOffline {
		t.Errorf("%v, want %s", err, api.CodeOffline)
	}
}

// Package blobtest is the suite that every backend of package blob passes.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/underseal/underseal/server/blob"
)

// Open returns an empty store and closes it when t ends.
type Open func(t *testing.T) blob.Store

// Firm and Upload are ids in their one form, for tests.
const (
	Firm   = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	Upload = "bbbbbbbbbbbbbbbbbbbbbbbbba"
)

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s blob.Store)
	}{
		{"put, stat, get", testPut},
		{"ranges", testRanges},
		{"put is once", testOnce},
		{"bad bodies leave nothing", testBadBodies},
		{"keys are checked", testKeys},
		{"of many one wins", testConcurrentPuts},
		{"delete", testDelete},
		{"uploads", testUploads},
		{"a reader survives a delete", testReaderSurvives},
		{"a done context does nothing", testContext},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func key(number uint32) blob.Key { return blob.Key{Firm: Firm, Upload: Upload, Number: number} }

func body(size int, fill byte) []byte { return bytes.Repeat([]byte{fill}, size) }

func put(s blob.Store, key blob.Key, content []byte) error {
	return s.Put(context.Background(), key, int64(len(content)), sha256.Sum256(content), bytes.NewReader(content))
}

func mustPut(t *testing.T, s blob.Store, key blob.Key, content []byte) {
	t.Helper()
	if err := put(s, key, content); err != nil {
		t.Fatalf("Put: %v", err)
	}
}

func get(s blob.Store, key blob.Key, offset, length int64) ([]byte, error) {
	r, err := s.Get(context.Background(), key, offset, length)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(r)
	return content, errors.Join(err, r.Close())
}

func wantError(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

func wantBody(t *testing.T, s blob.Store, key blob.Key, want []byte) {
	t.Helper()
	got, err := get(s, key, 0, -1)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("Get: %d bytes, %v; want other %d", len(got), err, len(want))
	}
}

func wantAbsent(t *testing.T, s blob.Store, key blob.Key) {
	t.Helper()
	_, err := s.Stat(context.Background(), key)
	wantError(t, "Stat", err, blob.ErrNotFound)
	_, err = get(s, key, 0, -1)
	wantError(t, "Get", err, blob.ErrNotFound)
	numbers, err := s.List(context.Background(), key.Firm, key.Upload)
	if err != nil || slices.Contains(numbers, key.Number) {
		t.Errorf("List: %v, %v; want no %d", numbers, err, key.Number)
	}
}

func testPut(t *testing.T, s blob.Store) {
	wantAbsent(t, s, key(0))
	for number, size := range []int{0, 1, 31, 32, 33, 128<<10 - 1, 128 << 10, 4 << 20} {
		content := body(size, byte(number))
		mustPut(t, s, key(uint32(number)), content)
		wantBody(t, s, key(uint32(number)), content)
		info, err := s.Stat(context.Background(), key(uint32(number)))
		if want := (blob.Info{Size: int64(size), Digest: sha256.Sum256(content)}); info != want || err != nil {
			t.Errorf("Stat: %v, %v; want %v", info, err, want)
		}
	}
	mustPut(t, s, key(1<<32-1), []byte("last"))
	numbers, err := s.List(context.Background(), Firm, Upload)
	if want := []uint32{0, 1, 2, 3, 4, 5, 6, 7, 1<<32 - 1}; !slices.Equal(numbers, want) || err != nil {
		t.Errorf("List: %v, %v; want %v", numbers, err, want)
	}
}

func testRanges(t *testing.T, s blob.Store) {
	mustPut(t, s, key(0), []byte("0123456789"))
	mustPut(t, s, key(1), nil)
	for _, c := range []struct {
		number         uint32
		offset, length int64
		want           string
		err            error
	}{
		{0, 0, 10, "0123456789", nil},
		{0, 0, -1, "0123456789", nil},
		{0, 0, 0, "", nil},
		{0, 3, 4, "3456", nil},
		{0, 9, 1, "9", nil},
		{0, 9, -1, "9", nil},
		{0, 10, 0, "", nil},
		{0, 10, -1, "", nil},
		{0, 10, 1, "", blob.ErrRange},
		{0, 0, 11, "", blob.ErrRange},
		{0, 11, 0, "", blob.ErrRange},
		{0, 11, -1, "", blob.ErrRange},
		{0, -1, 1, "", blob.ErrRange},
		{0, 1, 1<<63 - 1, "", blob.ErrRange},
		{0, 1<<63 - 1, 1, "", blob.ErrRange},
		{1, 0, 0, "", nil},
		{1, 0, -1, "", nil},
		{1, 0, 1, "", blob.ErrRange},
	} {
		got, err := get(s, key(c.number), c.offset, c.length)
		if string(got) != c.want || !errors.Is(err, c.err) {
			t.Errorf("Get(%d, %d, %d): %q, %v; want %q, %v", c.number, c.offset, c.length, got, err, c.want, c.err)
		}
	}
}

func testOnce(t *testing.T, s blob.Store) {
	mustPut(t, s, key(0), []byte("first"))
	mustPut(t, s, key(0), []byte("first"))
	wantError(t, "Put of other bytes", put(s, key(0), []byte("other")), blob.ErrExists)
	sum := sha256.Sum256([]byte("first"))
	err := s.Put(context.Background(), key(0), 4, sum, strings.NewReader("firs"))
	wantError(t, "Put of another size", err, blob.ErrSize)
	wantBody(t, s, key(0), []byte("first"))
}

var errReader = errors.New("blobtest: the reader's own error")

func testBadBodies(t *testing.T, s blob.Store) {
	content := body(200<<10, 'x')
	sum := sha256.Sum256(content)
	size := int64(len(content))
	whole := func() io.Reader { return bytes.NewReader(content) }
	cases := []struct {
		name string
		size int64
		sum  [32]byte
		r    io.Reader
		want error
	}{
		{"truncated", size, sum, bytes.NewReader(content[:size-1]), blob.ErrSize},
		{"empty", size, sum, strings.NewReader(""), blob.ErrSize},
		{"oversized", size, sum, io.MultiReader(whole(), strings.NewReader("y")), blob.ErrSize},
		{"endless", size, sum, endless{}, blob.ErrSize},
		{"other digest", size, sha256.Sum256(nil), whole(), blob.ErrDigest},
		{"negative size", -1, sum, whole(), blob.ErrSize},
		{"beyond the largest", blob.MaxSize + 1, sum, endless{}, blob.ErrSize},
		{"reader fails", size, sum, io.MultiReader(bytes.NewReader(content[:100<<10]), iotest.ErrReader(errReader)), errReader},
		{"reader fails at the end", size, sum, io.MultiReader(whole(), iotest.ErrReader(errReader)), errReader},
		{"client went away", size, sum, io.MultiReader(bytes.NewReader(content[:9]), iotest.ErrReader(io.ErrUnexpectedEOF)), blob.ErrSize},
	}
	for _, c := range cases {
		wantError(t, c.name, s.Put(context.Background(), key(0), c.size, c.sum, c.r), c.want)
		wantAbsent(t, s, key(0))
	}
	err := s.Put(context.Background(), key(0), size, sum, iotest.DataErrReader(iotest.HalfReader(whole())))
	wantError(t, "slow reader", err, nil)
	wantBody(t, s, key(0), content)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func testKeys(t *testing.T, s blob.Store) {
	ctx := context.Background()
	for _, bad := range []blob.Key{
		{},
		{Firm: Firm},
		{Upload: Upload},
		{Firm: strings.ToUpper(Firm), Upload: Upload},
		{Firm: Firm[1:], Upload: Upload},
		{Firm: Firm + "a", Upload: Upload},
		{Firm: Firm[1:] + "b", Upload: Upload}, // a bit that no byte holds
		{Firm: Firm, Upload: Upload[1:] + "b"},
		{Firm: Firm, Upload: Upload[1:] + "="},
		{Firm: Firm, Upload: "../" + Upload[3:]},
		{Firm: Firm, Upload: Upload[1:] + "\n"},
		{Firm: Firm, Upload: "1" + Upload[1:]},
		{Firm: Firm, Upload: "/" + Upload[1:]},
	} {
		_, errGet := s.Get(ctx, bad, 0, -1)
		_, errStat := s.Stat(ctx, bad)
		_, errList := s.List(ctx, bad.Firm, bad.Upload)
		for _, err := range []error{
			put(s, bad, []byte("x")), errGet, errStat, errList,
			s.Delete(ctx, bad), s.DeleteUpload(ctx, bad.Firm, bad.Upload),
		} {
			wantError(t, bad.Firm+"/"+bad.Upload, err, blob.ErrKey)
		}
	}
	_, err := s.Uploads(ctx, "..", "", 0)
	wantError(t, "Uploads", err, blob.ErrKey)
}

func testConcurrentPuts(t *testing.T, s blob.Store) {
	for number := range uint32(8) {
		var group sync.WaitGroup
		var winner atomic.Int32
		winner.Store(-1)
		for i := range 16 {
			group.Go(func() { // two of each content
				err := put(s, key(number), body(64<<10, byte(i/2)))
				if err == nil && !winner.CompareAndSwap(-1, int32(i/2)) && winner.Load() != int32(i/2) {
					t.Errorf("both %d and %d were stored", winner.Load(), i/2)
				}
				if err != nil && !errors.Is(err, blob.ErrExists) {
					t.Errorf("Put: %v", err)
				}
			})
		}
		group.Wait()
		wantBody(t, s, key(number), body(64<<10, byte(winner.Load())))
	}
}

func testDelete(t *testing.T, s blob.Store) {
	ctx := context.Background()
	wantError(t, "Delete of an absent object", s.Delete(ctx, key(0)), nil)
	mustPut(t, s, key(0), []byte("first"))
	mustPut(t, s, key(1), []byte("stays"))
	wantError(t, "Delete", s.Delete(ctx, key(0)), nil)
	wantAbsent(t, s, key(0))
	wantBody(t, s, key(1), []byte("stays"))
	mustPut(t, s, key(0), []byte("other"))
	wantBody(t, s, key(0), []byte("other"))
}

func testUploads(t *testing.T, s blob.Store) {
	ctx := context.Background()
	otherFirm := "b" + Firm[1:]
	uploads := []string{"a" + Upload[1:], Upload, "z" + Upload[1:]}
	for _, upload := range uploads {
		mustPut(t, s, blob.Key{Firm: Firm, Upload: upload}, []byte(upload))
		mustPut(t, s, blob.Key{Firm: Firm, Upload: upload, Number: 7}, []byte(upload))
	}
	mustPut(t, s, blob.Key{Firm: otherFirm, Upload: Upload}, []byte("other"))
	list := func(after string, limit int, want ...string) {
		t.Helper()
		got, err := s.Uploads(ctx, Firm, after, limit)
		if !slices.Equal(got, want) || err != nil {
			t.Errorf("Uploads(%q, %d): %v, %v; want %v", after, limit, got, err, want)
		}
	}
	list("", 0, uploads...)
	list("", 2, uploads[:2]...)
	list(uploads[0], 1, uploads[1])
	list(uploads[2], 0)
	wantError(t, "DeleteUpload", s.DeleteUpload(ctx, Firm, Upload), nil)
	wantError(t, "DeleteUpload again", s.DeleteUpload(ctx, Firm, Upload), nil)
	wantError(t, "DeleteUpload of an absent firm", s.DeleteUpload(ctx, "c"+Firm[1:], Upload), nil)
	list("", 0, uploads[0], uploads[2])
	wantAbsent(t, s, key(0))
	wantBody(t, s, blob.Key{Firm: otherFirm, Upload: Upload}, []byte("other"))
	mustPut(t, s, key(0), []byte("again"))
	wantBody(t, s, key(0), []byte("again"))
}

func testReaderSurvives(t *testing.T, s blob.Store) {
	content := body(1<<20, 'x')
	mustPut(t, s, key(0), content)
	r, err := s.Get(context.Background(), key(0), 0, -1)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	defer r.Close()
	wantError(t, "Delete", s.Delete(context.Background(), key(0)), nil)
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("read %d bytes, %v; want %d", len(got), err, len(content))
	}
}

func testContext(t *testing.T, s blob.Store) {
	mustPut(t, s, key(1), []byte("stays"))
	ctx, cancel := context.WithCancel(context.Background())
	content := body(1<<20, 'x')
	// Done in the middle of the body.
	r := io.MultiReader(bytes.NewReader(content[:300<<10]), readerFunc(func([]byte) (int, error) {
		cancel()
		return 0, nil
	}), bytes.NewReader(content[300<<10:]))
	wantError(t, "Put", s.Put(ctx, key(0), int64(len(content)), sha256.Sum256(content), r), context.Canceled)
	wantAbsent(t, s, key(0))
	_, errGet := s.Get(ctx, key(1), 0, -1)
	_, errStat := s.Stat(ctx, key(1))
	_, errList := s.List(ctx, Firm, Upload)
	_, errUploads := s.Uploads(ctx, Firm, "", 0)
	for _, err := range []error{errGet, errStat, errList, errUploads, s.Delete(ctx, key(1)), s.DeleteUpload(ctx, Firm, Upload)} {
		wantError(t, "done context", err, context.Canceled)
	}
	wantBody(t, s, key(1), []byte("stays"))
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

package server_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/server"
	"github.com/underseal/underseal/server/blob"
	"github.com/underseal/underseal/server/blob/memblob"
)

func TestUploadRefusesWhatItWasNotTold(t *testing.T) {
	m := newWorld(t).founder().matter()
	for _, padded := range []uint64{0, 1, document.MinBody - 1, document.MinBody + 1, 1<<40 + 1<<36, 1 << 63} {
		refused(t, m.json("POST", m.path()+"/uploads", api.NewUpload{Upload: newID(t), Padded: padded}), api.CodeBadRequest)
	}
	f := m.newFile(newID(t), 5<<20) // two chunks
	want[api.Upload](t, m.beginUpload(f))
	want[api.Upload](t, m.beginUpload(f)) // again
	refused(t, m.json("POST", m.path()+"/uploads", api.NewUpload{Upload: f.upload, Padded: document.MinBody}), api.CodeBadRequest)

	last := f.chunk(1)
	refused(t, m.putBytes(f, 1, last[:len(last)-1]), api.CodeBadRequest)
	refused(t, m.putBytes(f, 1, append(bytes.Clone(last), 0)), api.CodeBadRequest)
	refused(t, m.putBytes(f, 2, last), api.CodeBadRequest)
	refused(t, m.putBytes(f, 0, last), api.CodeBadRequest) // another's length
	path := api.ChunkPath(m.firm, m.id, f.upload, 1)
	for name, header := range map[string]map[string]string{
		"no digest":     {},
		"other digest":  {"Content-Digest": api.ContentDigest(sha256.Sum256([]byte("other")))},
		"two digests":   {"Content-Digest": api.ContentDigest(sha256.Sum256(last)) + ", " + api.ContentDigest(sha256.Sum256(last))},
		"another hash":  {"Content-Digest": "sha-512=:AAAA:"},
		"compressed":    {"Content-Digest": api.ContentDigest(sha256.Sum256(last)), "Content-Encoding": "gzip"},
		"as JSON":       {"Content-Digest": api.ContentDigest(sha256.Sum256(last)), "Content-Type": api.TypeJSON},
		"with charset":  {"Content-Digest": api.ContentDigest(sha256.Sum256(last)), "Content-Type": api.TypeBinary + "; charset=utf-8"},
		"another place": {"Content-Digest": api.ContentDigest(sha256.Sum256(f.chunk(0)))},
	} {
		got := m.do("PUT", path, api.TypeBinary, bytes.NewReader(last), header)
		if got.code() != api.CodeBadRequest && got.code() != api.CodeDigest {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	for _, n := range []string{"-1", "+1", "01", "1x", "4294967297", "0x1", "%31%20"} {
		got := m.do("PUT", api.UploadPath(m.firm, m.id, f.upload)+"/chunks/"+n, api.TypeBinary, bytes.NewReader(last), map[string]string{"Content-Digest": api.ContentDigest(sha256.Sum256(last))})
		refused(t, got, api.CodeBadRequest)
	}
	// A body without a length, as a stream has it.
	got := m.do("PUT", path, api.TypeBinary, io.MultiReader(bytes.NewReader(last)), map[string]string{"Content-Digest": api.ContentDigest(sha256.Sum256(last))})
	refused(t, got, api.CodeBadRequest)
	if u := want[api.Upload](t, m.get(api.UploadPath(m.firm, m.id, f.upload))); len(u.Chunks) != 0 {
		t.Fatalf("refused chunks are there: %v", u.Chunks)
	}
	refused(t, m.send(m.path()+"/entries", m.commit(f)), api.CodeUploadMissing)
	want[struct{}](t, m.putChunk(f, 1))
	refused(t, m.send(m.path()+"/entries", m.commit(f)), api.CodeUploadMissing)
}

func TestChunksAreImmutableAndIdempotent(t *testing.T) {
	m := newWorld(t).founder().matter()
	f := m.newFile(newID(t), 5<<20)
	want[api.Upload](t, m.beginUpload(f))
	other := make([]byte, len(f.chunk(0)))
	_, err := rand.Read(other)
	m.ok(err)
	want[struct{}](t, m.putChunk(f, 1)) // in any order
	want[struct{}](t, m.putChunk(f, 0))
	want[struct{}](t, m.putChunk(f, 0))
	refused(t, m.putBytes(f, 0, other), api.CodeChunkConflict)
	u := want[api.Upload](t, m.beginUpload(f))
	if len(u.Chunks) != 2 || u.Chunks[0] != (api.Chunk{Number: 0, Digest: sha256.Sum256(f.chunk(0))}) || u.Chunks[1].Digest != sha256.Sum256(f.chunk(1)) {
		t.Fatalf("%+v", u)
	}
	m.append(m.commit(f))
	for _, got := range []answer{m.putChunk(f, 0), m.beginUpload(f), m.get(api.UploadPath(m.firm, m.id, f.upload)),
		m.do("DELETE", api.UploadPath(m.firm, m.id, f.upload), "", nil, nil)} {
		refused(t, got, api.CodeUploadGone)
	}
	// One upload becomes one version.
	again := m.newFile(newID(t), 5<<20)
	again.change.Upload = f.upload
	refused(t, m.send(m.path()+"/entries", m.commit(again)), api.CodeUploadGone)
	twice := m.newFile(newID(t), 100)
	m.bring(twice)
	same := m.newFile(newID(t), 100)
	same.change.Upload = twice.upload
	refused(t, m.send(m.path()+"/entries", m.commit(twice, same)), api.CodeUploadGone)
	m.append(m.commit(twice)) // nothing of the refused entry remained
}

// TestConcurrentChunks sends every chunk several times at once, some with other bytes: one wins, and it is whole.
func TestConcurrentChunks(t *testing.T) {
	m := newWorld(t).founder().matter()
	f := m.newFile(newID(t), 5<<20)
	want[api.Upload](t, m.beginUpload(f))
	others := make([]byte, len(f.chunk(1)))
	var wg sync.WaitGroup
	answers := make([]answer, 16)
	for i := range answers {
		wg.Go(func() {
			b := f.chunk(1)
			if i%2 == 1 {
				b = others
			}
			header := map[string]string{"Content-Digest": api.ContentDigest(sha256.Sum256(b))}
			p := m.tab()
			answers[i], _ = p.try("PUT", api.ChunkPath(m.firm, m.id, f.upload, 1), api.TypeBinary, bytes.NewReader(b), header)
		})
	}
	wg.Wait()
	var done [2]int
	for i, a := range answers {
		switch {
		case a.status == 204:
			done[i%2]++
		case a.code() != api.CodeChunkConflict:
			t.Errorf("%d: %d %s", i, a.status, a.body)
		}
	}
	if (done[0] == 0) == (done[1] == 0) || done[0]+done[1] != 8 {
		t.Fatalf("%v: two chunks won, or none", done)
	}
	u := want[api.Upload](t, m.beginUpload(f))
	if len(u.Chunks) != 1 {
		t.Fatalf("%d chunks", len(u.Chunks))
	}
}

func TestUploadsExpireAndCancel(t *testing.T) {
	w := newWorldOn(t, memory, memblob.New(), func(c *server.Config) { c.Idle, c.Absolute = 60*24*time.Hour, 60*24*time.Hour })
	ada := w.founder()
	m := ada.matter()
	old, cancelled := m.newFile(newID(t), 100), m.newFile(newID(t), 100)
	m.bring(old)
	m.bring(cancelled)
	want[struct{}](t, m.do("DELETE", api.UploadPath(m.firm, m.id, cancelled.upload), "", nil, nil))
	refused(t, m.putChunk(cancelled, 0), api.CodeUploadGone)
	refused(t, m.do("DELETE", api.UploadPath(m.firm, m.id, cancelled.upload), "", nil, nil), api.CodeUploadGone)
	there := func(f file) int {
		n, err := w.blobs.List(t.Context(), m.firm.String(), f.upload.String())
		m.ok(err)
		return len(n)
	}
	if there(cancelled) != 0 || there(old) != 1 {
		t.Fatal("a cancelled upload stays, or another went")
	}
	w.clock.advance(api.UploadLifetime * time.Second / 2)
	want[struct{}](t, m.putChunk(old, 0)) // keeps it alive
	w.clock.advance(api.UploadLifetime*time.Second - time.Hour)
	want[api.Upload](t, m.get(api.UploadPath(m.firm, m.id, old.upload)))
	w.clock.advance(time.Hour)
	refused(t, m.get(api.UploadPath(m.firm, m.id, old.upload)), api.CodeUploadGone)
	refused(t, m.send(m.path()+"/entries", m.commit(old)), api.CodeUploadGone)
	for range 3 { // each takes a little of what is too old away
		want[api.Upload](t, m.beginUpload(m.newFile(newID(t), 100)))
	}
	if there(old) != 0 {
		t.Fatal("an expired upload's bytes stay")
	}
}

func TestTooManyUploads(t *testing.T) {
	m := newWorld(t).founder().matter()
	for i := range 1001 {
		got := m.json("POST", m.path()+"/uploads", api.NewUpload{Upload: newID(t), Padded: document.MinBody})
		if i < 1000 {
			want[api.Upload](t, got)
			continue
		}
		refused(t, got, api.CodeTooLarge)
	}
}

func TestRanges(t *testing.T) {
	m := newWorld(t).founder().matter()
	f := m.newFile(newID(t), 5<<20)
	m.put(f)
	m.release(f)
	total := len(f.body)
	for spec, want := range map[string][2]int{
		"bytes=0-0":                       {0, 1},
		"bytes=0-":                        {0, total},
		"bytes=0-999999999":               {0, total},
		"bytes=4194303-4194304":           {document.ChunkSize - 1, document.ChunkSize + 1}, // across a chunk's end
		"bytes=4194304-4194304":           {document.ChunkSize, document.ChunkSize + 1},
		"bytes=-1":                        {total - 1, total},
		"bytes=-999999999":                {0, total},
		fmt.Sprintf("bytes=%d-", total-1): {total - 1, total},
	} {
		got := m.body(f, spec)
		if got.status != 206 || !bytes.Equal(got.body, f.body[want[0]:want[1]]) || got.header.Get("Content-Range") != fmt.Sprintf("bytes %d-%d/%d", want[0], want[1]-1, total) ||
			got.header.Get("Content-Length") != fmt.Sprint(want[1]-want[0]) {
			t.Errorf("%s: %d, %d bytes, %s", spec, got.status, len(got.body), got.header.Get("Content-Range"))
		}
	}
	for _, spec := range []string{"bytes=", "bytes=-", "bytes=-0", "bytes=2-1", fmt.Sprintf("bytes=%d-", total), fmt.Sprintf("bytes=%d-%d", total, total+5), fmt.Sprintf("bytes=%d-%d", total+3, total+5), "bytes=0-1,2-3", "bytes=a-b", "bytes=+1-2", "bytes=1-2-3",
		"bytes=99999999999999999999-", "bytes= 0-1", "bytes=0-1 "} {
		got := m.body(f, spec)
		if spec == "bytes=0-1 " { // the client trims it
			continue
		}
		refused(t, got, api.CodeRange)
		if got.status != 416 || got.header.Get("Content-Range") != fmt.Sprintf("bytes */%d", total) {
			t.Errorf("%s: %d %s", spec, got.status, got.header.Get("Content-Range"))
		}
	}
	if got := m.body(f, "items=0-1"); got.status != 200 || len(got.body) != total || got.header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("another unit: %d", got.status)
	}
}

func TestReleaseIsForAnHourAndASession(t *testing.T) {
	w := newWorldOn(t, memory, memblob.New(), func(c *server.Config) { c.Idle = 2 * time.Hour })
	m := w.founder().matter()
	f, other := m.newFile(newID(t), 100), m.newFile(newID(t), 100)
	m.put(f)
	m.put(other)
	sub := m.releaseOf(f)
	first := want[api.ChainHead](t, m.send(m.path()+"/trail", sub))
	if again := want[api.ChainHead](t, m.send(m.path()+"/trail", sub)); again != first || first.TrailPosition != 1 {
		t.Fatalf("%+v then %+v", first, again)
	}
	refused(t, m.body(other, ""), api.CodeNotReleased)
	mixed := f
	mixed.change.Document = other.change.Document // one's version under another's name
	refused(t, m.body(mixed, ""), api.CodeNotFound)
	refused(t, m.get(m.digestsPath(mixed)), api.CodeNotFound)
	stale, err := m.state.Release(m.author, m.session, other.change.Document, other.change.Header.Version, 0, chain.Link{}.Head)
	m.ok(err)
	got := m.send(m.path()+"/trail", chain.Submission{Entry: stale})
	refused(t, got, api.CodeMoved)
	if !bytes.Contains(got.body, []byte(first.TrailHead.String())) {
		t.Errorf("moved without the head: %s", got.body)
	}
	refused(t, m.send(m.path()+"/entries", sub), api.CodeBadRequest) // the other sequence
	w.clock.advance(59 * time.Minute)
	if got := m.body(f, ""); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	w.clock.advance(2 * time.Minute)
	refused(t, m.body(f, ""), api.CodeNotReleased)
	m.release(f)
	if got := m.body(f, ""); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	// A release to a session that is not the caller's.
	session := m.session
	m.sessionRequest(nil)
	elsewhere := m.releaseOf(other)
	m.session = session
	refused(t, m.send(m.path()+"/trail", elsewhere), api.CodeForbidden)
}

// failing is a blob store that cannot delete, or has no room.
type failing struct {
	blob.Store
	deletes, puts error
}

func (f *failing) DeleteUpload(ctx context.Context, firm, upload string) error {
	if f.deletes != nil {
		return f.deletes
	}
	return f.Store.DeleteUpload(ctx, firm, upload)
}

func (f *failing) Put(ctx context.Context, key blob.Key, size int64, digest [32]byte, r io.Reader) error {
	if f.puts != nil {
		return f.puts
	}
	return f.Store.Put(ctx, key, size, digest, r)
}

func TestDeletedBytesGoLaterWhereTheyCannotGoNow(t *testing.T) {
	b := &failing{Store: memblob.New()}
	w := newWorldOn(t, memory, b, nil)
	m := w.founder().matter()
	f := m.newFile(newID(t), 100)
	m.put(f)
	m.release(f)
	b.deletes = errors.New("the disk is read-only")
	sub, err := m.state.Batch(m.author, []chain.Change{{Kind: chain.OpDelete, Document: f.change.Document}})
	m.ok(err)
	m.append(sub)
	refused(t, m.body(f, ""), api.CodeGone)
	// A tombstone is for good (attack 58).
	again := m.newFile(f.change.Document, 100)
	m.bring(again)
	forced := m.state.Clone()
	forced.Documents[f.change.Document].Deleted = false
	revived, err := forced.Batch(m.author, []chain.Change{again.change})
	m.ok(err)
	refused(t, m.send(m.path()+"/entries", revived), api.CodeGone)
	b.deletes = nil
	want[api.Upload](t, m.beginUpload(m.newFile(newID(t), 100)))
	if left, err := b.List(t.Context(), m.firm.String(), f.upload.String()); err != nil || len(left) != 0 {
		t.Fatalf("%v %v", left, err)
	}
}

func TestFullDisk(t *testing.T) {
	b := &failing{Store: memblob.New()}
	w := newWorldOn(t, memory, b, nil)
	m := w.founder().matter()
	f := m.newFile(newID(t), 100)
	want[api.Upload](t, m.beginUpload(f))
	b.puts = blob.ErrNoSpace
	refused(t, m.putChunk(f, 0), api.CodeNoSpace)
	b.puts = nil
	want[struct{}](t, m.putChunk(f, 0))
	m.append(m.commit(f))
}

// TestRemovedWhileReading: the bytes on their way stop being read from where they were deleted, and no half is passed
// off as whole.
func TestDeletedWhileReading(t *testing.T) {
	w := newWorldOn(t, memory, memblob.New(), func(*server.Config) {})
	m := w.founder().matter()
	f := m.newFile(newID(t), 5<<20)
	m.put(f)
	m.release(f)
	m.ok(w.blobs.Delete(t.Context(), blob.Key{Firm: m.firm.String(), Upload: f.upload.String(), Number: 1}))
	if _, err := m.try("GET", m.bodyPath(f), "", nil, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("a cut body: %v", err)
	}
	refused(t, m.body(f, "bytes=4194304-"), api.CodeGone)
}

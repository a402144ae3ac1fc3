package server_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/server"
	"github.com/underseal/underseal/server/blob"
	"github.com/underseal/underseal/server/blob/memblob"
)

// One test for each rule of SPEC.md's chapter on servers; the variants stand with the tests of their files.

func (m *matter) rename(f file, name string) chain.Submission {
	m.t.Helper()
	sub, err := m.state.Batch(m.author, []chain.Change{{Kind: chain.OpPlace, Document: f.change.Document, Name: name}})
	m.ok(err)
	return sub
}

// remade is a submission whose effect was changed, with the commit and tag that it then must have.
func (p *player) remade(sub chain.Submission, change func(*chain.Effect)) chain.Submission {
	p.t.Helper()
	e, err := chain.ParseEffect(sub.Entry.Effect)
	p.ok(err)
	change(e)
	sub.Entry.Effect = e.Bytes()
	sub.Entry.Leaf.Commit = log.Commit(sub.Entry.Effect, sub.Entry.Envelope)
	sub.Entry.Leaf.Tag = log.Tag(e.Chain, e.Sequence, e.Position, e.Mark)
	return sub
}

// TestSpecHead: S-SERVER-01. Of many entries for one place one is taken, and none for another place.
func TestSpecHead(t *testing.T) {
	m := newWorld(t).founder().matter()
	f := m.newFile(newID(t), 100)
	m.put(f)
	other := m.player.matter()
	for name, c := range map[string]struct {
		change func(*chain.Effect)
		code   api.Code
	}{
		"chain":     {func(e *chain.Effect) { e.Chain = other.id }, api.CodeBadRequest},
		"ahead":     {func(e *chain.Effect) { e.Position++ }, api.CodeMoved},
		"behind":    {func(e *chain.Effect) { e.Position-- }, api.CodeMoved},
		"previous":  {func(e *chain.Effect) { e.Previous[31]++ }, api.CodeMoved},
		"old epoch": {func(e *chain.Effect) { e.Epoch-- }, ""},
		"new epoch": {func(e *chain.Effect) { e.Epoch++ }, api.CodeMoved},
	} {
		if got := m.send(m.path()+"/entries", m.remade(m.rename(f, "x"), c.change)); got.status/100 == 2 || (c.code != "" && got.code() != c.code) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	subs := make([]chain.Submission, 12)
	for i := range subs {
		subs[i] = m.rename(f, string(rune('a'+i)))
	}
	answers := make([]answer, len(subs))
	var wg sync.WaitGroup
	for i, sub := range subs {
		wg.Go(func() {
			p := m.tab()
			answers[i], _ = p.try("POST", m.path()+"/entries", api.TypeBinary, bytes.NewReader(sub.Bytes()), nil)
		})
	}
	wg.Wait()
	taken := 0
	for i, a := range answers {
		if a.status == 200 {
			taken++
			m.ok(m.state.Apply(subs[i].Entry))
		} else if a.code() != api.CodeMoved {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if head := want[api.ChainHead](t, m.get(m.path())); taken != 1 || head.Position != m.state.Position || head.Head != m.state.Head {
		t.Errorf("%d were taken, head %+v", taken, head)
	}
}

// TestSpecActor: S-SERVER-02. Nobody sends for another, and nobody does what his role may not.
func TestSpecActor(t *testing.T) {
	m := newWorld(t).founder().matter()
	f := m.newFile(newID(t), 100)
	m.put(f)
	clara := m.join(chain.RoleClient)
	m.replayInto()
	paula := m.join(chain.RoleParalegal) // who may do it, in her own name
	m.replayInto()
	refused(t, paula.send(m.path()+"/entries", m.rename(f, "of another")), api.CodeForbidden)
	want[api.ChainHead](t, paula.send(m.path()+"/entries", paula.rename(f, "of her own")))
	m.replayInto()
	clara = clara.replay(m.id)
	forced := clara.state.Clone()
	as := *forced.Members[clara.author.Member]
	as.Role = chain.RoleOwner
	forced.Members[as.ID] = &as
	for name, change := range map[string]chain.Change{
		"place":   {Kind: chain.OpPlace, Document: f.change.Document, Name: "x"},
		"delete":  {Kind: chain.OpDelete, Document: f.change.Document},
		"profile": {Kind: chain.OpProfile, Name: "x"},
	} {
		sub, err := forced.Batch(clara.author, []chain.Change{change})
		m.ok(err)
		if got := clara.send(m.path()+"/entries", sub); got.code() != api.CodeForbidden {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	own := clara.newFile(newID(t), 100) // what her role may do
	clara.put(own)
	nobody := m.world.player()
	refused(t, nobody.send(m.path()+"/entries", m.rename(f, "x")), api.CodeNotSignedIn)
	_, err := m.try("DELETE", api.Firm(m.firm)+"/session", "", nil, nil)
	m.ok(err)
	refused(t, m.send(m.path()+"/entries", m.rename(f, "x")), api.CodeNotSignedIn)
}

// TestSpecRows: S-SERVER-03.
func TestSpecRows(t *testing.T) {
	m := newWorld(t).founder().matter()
	m.join(chain.RoleClient)
	m.replayInto()
	m.invite(chain.RoleClient, chain.ModeOpensAtOnce) // carried over: a package
	good, _ := m.rotation()
	if len(good.Rows) != 3 || good.Rows[2].Kind != chain.RowPackage {
		t.Fatalf("%d rows", len(good.Rows))
	}
	with := func(change func(rows []chain.Row) []chain.Row) chain.Submission {
		sub := good
		sub.Rows = change(append([]chain.Row(nil), good.Rows...))
		return sub
	}
	for name, sub := range map[string]chain.Submission{
		"none":              with(func([]chain.Row) []chain.Row { return nil }),
		"wrap missing":      with(func(r []chain.Row) []chain.Row { return r[1:] }),
		"package missing":   with(func(r []chain.Row) []chain.Row { return r[:2] }),
		"one more":          with(func(r []chain.Row) []chain.Row { return append(r, r[0]) }),
		"wraps swapped":     with(func(r []chain.Row) []chain.Row { r[0], r[1] = r[1], r[0]; return r }),
		"package first":     with(func(r []chain.Row) []chain.Row { r[0], r[2] = r[2], r[0]; return r }),
		"another recipient": with(func(r []chain.Row) []chain.Row { r[1].Recipient = newID(t); return r }),
		"another kind":      with(func(r []chain.Row) []chain.Row { r[1].Kind = chain.RowPackage; return r }),
	} {
		if got := m.send(m.path()+"/entries", sub); got.code() != api.CodeBadRequest {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	want[api.ChainHead](t, m.send(m.path()+"/entries", good))
}

// TestSpecExpiredInvite: S-SERVER-05, to the second.
func TestSpecExpiredInvite(t *testing.T) {
	w := newWorld(t)
	m := w.founder().matter()
	invite := func(lasts time.Duration) (*player, chain.Submission) {
		sub, l, err := m.state.Invite(m.author, "Clara", chain.RoleClient, chain.ModeOpensAtOnce, w.clock.now().Add(lasts), "Advocate LLP")
		m.ok(err)
		m.append(sub)
		g := w.guest(l)
		return g, g.acceptance(l)
	}
	late, tooLate := invite(time.Minute)
	w.clock.advance(time.Minute)
	refused(t, late.send(m.path()+"/entries", tooLate), api.CodeInviteExpired)
	early, inTime := invite(time.Minute)
	w.clock.advance(time.Minute - time.Second)
	want[api.ChainHead](t, early.send(m.path()+"/entries", inTime))
}

// TestSpecRelease: S-SERVER-06. That version, that session, that hour.
func TestSpecRelease(t *testing.T) {
	w := newWorldOn(t, memory, memblob.New(), func(c *server.Config) { c.Idle = 2 * time.Hour })
	m := w.founder().matter()
	doc := newID(t)
	first, second := m.newFile(doc, 100), m.newFile(doc, 100)
	m.put(first)
	m.put(second)
	clara := m.join(chain.RoleClient)
	refused(t, m.body(first, ""), api.CodeNotReleased)
	m.release(first)
	if got := m.body(first, ""); got.status != 200 || !bytes.Equal(got.body, first.body) {
		t.Fatalf("%d", got.status)
	}
	refused(t, m.body(second, ""), api.CodeNotReleased)
	refused(t, m.body(second, "bytes=0-0"), api.CodeNotReleased)
	refused(t, clara.body(first, ""), api.CodeNotReleased)
	w.clock.advance(time.Hour - time.Second)
	want[struct{}](t, answer{status: m.body(first, "bytes=0-0").status})
	w.clock.advance(2 * time.Second)
	refused(t, m.body(first, ""), api.CodeNotReleased)
	m.replayInto()
	m.release(first)
	want[api.Account](t, m.signIn())
	m.open() // another session of the same person
	refused(t, m.body(first, ""), api.CodeNotReleased)
}

// TestSpecChunk: S-SERVER-07.
func TestSpecChunk(t *testing.T) {
	m := newWorld(t).founder().matter()
	f := m.newFile(newID(t), 100)
	want[api.Upload](t, m.beginUpload(f))
	whole := f.chunk(0)
	other := bytes.Repeat([]byte{7}, len(whole))
	path := api.ChunkPath(m.firm, m.id, f.upload, 0)
	put := func(b, announced []byte) answer {
		return m.do("PUT", path, api.TypeBinary, bytes.NewReader(b), map[string]string{"Content-Digest": api.ContentDigest(sha256.Sum256(announced))})
	}
	refused(t, put(other, whole), api.CodeDigest)
	refused(t, put(whole[1:], whole[1:]), api.CodeBadRequest)
	refused(t, put(append(bytes.Clone(whole), 0), append(bytes.Clone(whole), 0)), api.CodeBadRequest)
	if u := want[api.Upload](t, m.get(api.UploadPath(m.firm, m.id, f.upload))); len(u.Chunks) != 0 {
		t.Fatalf("kept: %v", u.Chunks)
	}
	want[struct{}](t, put(whole, whole))
	want[struct{}](t, put(whole, whole))
	refused(t, put(other, other), api.CodeChunkConflict)
	if u := want[api.Upload](t, m.get(api.UploadPath(m.firm, m.id, f.upload))); len(u.Chunks) != 1 || u.Chunks[0].Digest != sha256.Sum256(whole) {
		t.Fatalf("kept: %v", u.Chunks)
	}
}

// TestSpecNoSeat: S-SERVER-08. What is there and what is not look the same to who has no seat.
func TestSpecNoSeat(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	m, hers := ada.matter(), ada.matter()
	f := m.newFile(newID(t), 100)
	m.put(f)
	clara := hers.join(chain.RoleClient) // in the firm, and not in the matter
	removed := m.join(chain.RoleClient)
	m.replayInto()
	m.remove(removed.author.Member)
	missing := m.id
	missing[5]++
	for _, who := range []*matter{clara, removed} {
		for _, suffix := range []string{"", "/entries?from=0", "/statements", "/wraps/0", "/trail", "/uploads/" + f.upload.String(),
			"/documents/" + f.change.Document.String() + "/" + f.change.Header.Version.String() + "/body",
			"/documents/" + f.change.Document.String() + "/" + f.change.Header.Version.String() + "/digests"} {
			there, absent := who.get(m.path()+suffix), who.get(api.Chain(m.firm, missing)+suffix)
			if there.code() != api.CodeNotFound || there.status != absent.status || !bytes.Equal(there.body, absent.body) {
				t.Errorf("GET %s: %d %s, and where nothing is %d %s", suffix, there.status, there.body, absent.status, absent.body)
			}
		}
		refused(t, who.send(m.path()+"/entries", m.rename(f, "x")), api.CodeNotFound)
		refused(t, who.json("POST", m.path()+"/uploads", api.NewUpload{Upload: newID(t), Padded: document.MinBody}), api.CodeNotFound)
	}
	stranger := w.player() // has no session in the firm
	if there, absent := stranger.get(m.path()), stranger.get(api.Chain(m.firm, missing)); there.code() != api.CodeNotSignedIn || !bytes.Equal(there.body, absent.body) {
		t.Errorf("%s and %s", there.body, absent.body)
	}
}

// TestSpecPRF: S-SERVER-09. The output of the authenticator's PRF stays in the browser; where it is sent it is not kept.
func TestSpecPRF(t *testing.T) {
	w := newWorld(t)
	p := w.player()
	reply := want[api.EnrolReply](t, p.json("POST", api.RouteEnrolments, api.EnrolRequest{Setup: w.setup()}))
	const secret = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I"
	credential := `{"id":"aWQ","rawId":"aWQ","type":"public-key","response":{},"clientExtensionResults":{"prf":{"enabled":true,"results":{"first":"` + secret + `"}}}}`
	body := `{"credential":` + credential + `,"keyring":"AAAA"}`
	refused(t, p.do("POST", "/v1/enrolments/"+reply.Enrolment.String(), api.TypeJSON, bytes.NewReader([]byte(body)), nil), api.CodeSecretReceived)
	begun := want[api.SignInReply](t, p.json("POST", api.RouteSignIns, struct{}{}))
	refused(t, p.do("POST", "/v1/sign-ins/"+begun.SignIn.String(), api.TypeJSON, bytes.NewReader([]byte(`{"credential":`+credential+`}`)), nil), api.CodeSecretReceived)
	if kept := rawDump(t, w); strings.Contains(kept, secret) || strings.Contains(kept, "secret secret") || !strings.Contains(kept, "enrol") {
		t.Error("the store holds it, or nothing at all")
	}
}

// TestSpecSentAgain: S-SERVER-10, also when the chain has moved on.
func TestSpecSentAgain(t *testing.T) {
	m := newWorld(t).founder().matter()
	f := m.newFile(newID(t), 100)
	m.bring(f)
	add := m.commit(f)
	first := m.append(add)
	if again := want[api.ChainHead](t, m.send(m.path()+"/entries", add)); again != first {
		t.Errorf("%+v, then %+v", first, again)
	}
	second := m.append(m.rename(f, "second.pdf"))
	if again := want[api.ChainHead](t, m.send(m.path()+"/entries", add)); again.Chain != first.Chain || again.Position < first.Position {
		t.Errorf("%+v, then %+v", first, again)
	}
	if head := want[api.ChainHead](t, m.get(m.path())); head != second {
		t.Errorf("it counted twice: %+v, want %+v", head, second)
	}
	release := m.releaseOf(f)
	trail := want[api.ChainHead](t, m.send(m.path()+"/trail", release))
	if again := want[api.ChainHead](t, m.send(m.path()+"/trail", release)); again != trail {
		t.Errorf("%+v, then %+v", trail, again)
	}
}

// tap is a blob store that tells when it was given the beginning of a body, and hands one out in two parts.
type tap struct {
	blob.Store
	begun chan struct{} // closed when the beginning of an upload is there
	more  chan struct{} // closed when the rest of a download may come
}

const beginning = 256 << 10

func (s *tap) Put(ctx context.Context, key blob.Key, size int64, digest [32]byte, r io.Reader) error {
	first := make([]byte, beginning)
	if _, err := io.ReadFull(r, first); err != nil {
		return err
	}
	close(s.begun)
	return s.Store.Put(ctx, key, size, digest, io.MultiReader(bytes.NewReader(first), r))
}

func (s *tap) Get(ctx context.Context, key blob.Key, offset, length int64) (io.ReadCloser, error) {
	r, err := s.Store.Get(ctx, key, offset, length)
	if err != nil {
		return nil, err
	}
	rest := readerFunc(func(b []byte) (int, error) { await(s.more); return r.Read(b) })
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(r, beginning), rest), r}, nil
}

type readerFunc func(b []byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// await reports whether it happened before a request that waits for it would be given up.
func await(c chan struct{}) bool {
	select {
	case <-c:
		return true
	case <-time.After(10 * time.Second):
		return false
	}
}

// TestSpecStreams: S-SERVER-11. The store has the beginning of a chunk before its end was sent, and the reader has the
// beginning of a body before the store gave its end.
func TestSpecStreams(t *testing.T) {
	b := &tap{Store: memblob.New(), begun: make(chan struct{}), more: make(chan struct{})}
	m := newWorldOn(t, memory, b, nil).founder().matter()
	f := m.newFile(newID(t), 3<<20)
	want[api.Upload](t, m.beginUpload(f))
	chunk := f.chunk(0)
	streamed := false
	end := readerFunc(func(p []byte) (int, error) { streamed = await(b.begun) || streamed; return 0, io.EOF })
	body := io.MultiReader(bytes.NewReader(chunk[:len(chunk)/2]), end, bytes.NewReader(chunk[len(chunk)/2:]))
	r, err := http.NewRequest("PUT", m.http.URL+api.ChunkPath(m.firm, m.id, f.upload, 0), body)
	m.ok(err)
	r.ContentLength = int64(len(chunk))
	r.Header.Set("Content-Type", api.TypeBinary)
	r.Header.Set("Content-Digest", api.ContentDigest(sha256.Sum256(chunk)))
	for name, value := range m.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	m.sign(r)
	reply, err := http.DefaultClient.Do(r)
	m.ok(err)
	reply.Body.Close()
	if reply.StatusCode/100 != 2 || !streamed {
		t.Fatalf("answer %d, and the store was given the beginning early: %v", reply.StatusCode, streamed)
	}
	m.append(m.commit(f))
	m.release(f)
	r, err = http.NewRequest("GET", m.http.URL+m.bodyPath(f), nil)
	m.ok(err)
	for name, value := range m.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	m.sign(r)
	late := time.AfterFunc(9*time.Second, func() { t.Error("the whole body was waited for"); close(b.more) })
	reply, err = http.DefaultClient.Do(r)
	m.ok(err)
	defer reply.Body.Close()
	got := make([]byte, 64<<10)
	_, err = io.ReadFull(reply.Body, got)
	m.ok(err)
	if !late.Stop() {
		t.FailNow()
	}
	close(b.more)
	rest, err := io.ReadAll(reply.Body)
	m.ok(err)
	if !bytes.Equal(append(got, rest...), f.body) {
		t.Error("other bytes")
	}
}

// TestAccountIsOneMember: one link and one account do not make rows without end.
func TestAccountIsOneMember(t *testing.T) {
	w := newWorld(t)
	m := w.founder().matter()
	l := m.invite(chain.RoleClient, chain.ModeOpensAtOnce)
	g := w.guest(l)
	g.author.Member = newID(t)
	refused(t, g.json(http.MethodPost, api.Firm(l.Firm)+"/sessions", g.guestRequest(l)), api.CodeForbidden)
}

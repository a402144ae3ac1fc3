package server_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/server/blob"
	"github.com/underseal/underseal/server/blob/memblob"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// has looks into the store, where no answer shows what stayed.
func (m *matter) has(key []byte) (found bool) {
	m.t.Helper()
	m.ok(m.store.View(context.Background(), layout.FirmPartition(m.firm), func(tx store.Tx) (err error) {
		found, err = layout.Has(tx, key)
		return err
	}))
	return found
}

// TestWhatOpensIsNotKept: a package goes when its invite is accepted, a wrap when its member is removed. They are what a
// thief of the store would need beside a stolen link or a stolen device.
func TestWhatOpensIsNotKept(t *testing.T) {
	w := newWorld(t)
	m := w.founder().matter()
	l := m.invite(chain.RoleClient, chain.ModeOpensAtOnce)
	if !m.has(layout.PackageKey(m.id, l.Invite)) {
		t.Fatal("no package")
	}
	guest := w.guest(l)
	sub := guest.acceptance(l)
	want[api.ChainHead](t, guest.send(m.path()+"/entries", sub))
	m.ok(m.state.Apply(sub.Entry))
	if m.has(layout.PackageKey(m.id, l.Invite)) {
		t.Error("the package of an accepted invite stays")
	}
	if !m.has(layout.WrapKey(m.id, guest.author.Member, 1)) {
		t.Fatal("no wrap")
	}
	m.remove(guest.author.Member)
	if m.has(layout.WrapKey(m.id, guest.author.Member, 1)) || m.has(layout.WrapKey(m.id, guest.author.Member, 2)) {
		t.Error("a removed member's wrap stays")
	}
	if !m.has(layout.WrapKey(m.id, m.author.Member, 2)) {
		t.Error("the owner's wrap went too")
	}
}

func TestIDsAreUsedOnce(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	m := ada.matter()
	clara := m.join(chain.RoleClient)
	// A session's id, by another member: what was released to the one would be open to the other.
	clara.session = ada.session
	req := clara.sessionRequest(clara.ticket())
	stolen := *clara.session
	stolen.ID = ada.session.ID
	req.Session = stolen.ID
	refused(t, clara.json("POST", api.Firm(m.firm)+"/sessions", req), api.CodeForbidden) // not certified
	again, err := chain.NewSession(chain.Author{Member: clara.author.Member, Identity: clara.author.Identity, Random: idReader{ada.session.ID[:], clara.author.Random}, Now: w.clock.now}, m.firm, 1e12)
	m.ok(err)
	if again.ID != ada.session.ID {
		t.Fatal("another id")
	}
	req = api.OpenSession{Ticket: clara.ticket(), Member: again.Member, Session: again.ID, PublicKey: again.Public(), Expires: again.Expires, Certificate: again.Certificate}
	refused(t, clara.json("POST", api.Firm(m.firm)+"/sessions", req), api.CodeForbidden)

	// A version's id: its bytes are not replaced.
	m.replayInto()
	f, other := m.newFile(newID(t), 100), m.newFile(newID(t), 100)
	m.put(f)
	m.bring(other)
	other.change.Header.Version = f.change.Header.Version
	refused(t, m.send(m.path()+"/entries", m.commit(other)), api.CodeBadRequest)
}

// idReader gives the first identifier that is asked for, and random bytes after it.
type idReader struct {
	id   []byte
	rest io.Reader
}

func (r idReader) Read(p []byte) (int, error) {
	if len(p) == len(r.id) {
		return copy(p, r.id), nil
	}
	return r.rest.Read(p)
}

func TestOneLinkMakesFewAccounts(t *testing.T) {
	w := newWorld(t)
	m := w.founder().matter()
	l := m.invite(chain.RoleClient, chain.ModeOpensAtOnce)
	p := w.player()
	proof := p.inviteProof(l, api.ProofEnrol, nil)
	for range 20 {
		want[api.EnrolReply](t, p.json("POST", api.RouteEnrolments, api.EnrolRequest{Invite: &proof}))
	}
	refused(t, p.json("POST", api.RouteEnrolments, api.EnrolRequest{Invite: &proof}), api.CodeInviteGone)
}

func TestEnrolmentAfterTheLinkWasUsed(t *testing.T) {
	w := newWorld(t)
	secret := w.setup()
	ada, eve := w.player(), w.player()
	late := want[api.EnrolReply](t, eve.json("POST", api.RouteEnrolments, api.EnrolRequest{Setup: secret}))
	r := want[api.EnrolReply](t, ada.json("POST", api.RouteEnrolments, api.EnrolRequest{Setup: secret}))
	want[api.Account](t, ada.finish(r))
	req, _ := ada.foundRequest(secret, *r.Log)
	want[api.ChainHead](t, ada.json("POST", api.RouteFirms, req))
	refused(t, eve.finish(late), api.CodeSetupUsed)
}

// TestUploadOnItsWayOut: an id whose bytes are not gone yet is not begun anew, or old bytes would be in the new upload.
func TestUploadOnItsWayOut(t *testing.T) {
	b := &failing{Store: memblob.New(), deletes: errors.New("busy")}
	m := newWorldOn(t, memory, b, nil).founder().matter()
	f := m.newFile(newID(t), 100)
	m.bring(f)
	want[struct{}](t, m.do("DELETE", api.UploadPath(m.firm, m.id, f.upload), "", nil, nil))
	refused(t, m.beginUpload(f), api.CodeUploadGone)
	b.deletes = nil
	want[api.Upload](t, m.beginUpload(m.newFile(newID(t), 100))) // sweeps
	if u := want[api.Upload](t, m.beginUpload(f)); len(u.Chunks) != 0 {
		t.Fatalf("%+v", u)
	}
}

// slow runs something after a chunk is stored and before it is noted.
type slow struct {
	blob.Store
	then func()
}

func (s *slow) Put(ctx context.Context, key blob.Key, size int64, digest [32]byte, r io.Reader) error {
	err := s.Store.Put(ctx, key, size, digest, r)
	if s.then != nil {
		s.then()
	}
	return err
}

func TestCancelledWhileAChunkComesIn(t *testing.T) {
	b := &slow{Store: memblob.New()}
	w := newWorldOn(t, memory, b, nil)
	m := w.founder().matter()
	f := m.newFile(newID(t), 100)
	want[api.Upload](t, m.beginUpload(f))
	other := m.tab()
	b.then = func() {
		// The purge of the cancelled upload finds the chunk, or the chunk finds that its upload is gone: here the latter.
		a, err := other.try("DELETE", api.UploadPath(m.firm, m.id, f.upload), "", nil, nil)
		if err != nil || a.status != 204 {
			t.Errorf("%d %s %v", a.status, a.body, err)
		}
		b.then = nil
		key := blob.Key{Firm: m.firm.String(), Upload: f.upload.String()}
		if err := b.Store.Put(context.Background(), key, int64(len(f.body)), sha256.Sum256(f.body), bytes.NewReader(f.body)); err != nil {
			t.Error(err)
		}
	}
	refused(t, m.putChunk(f, 0), api.CodeUploadGone)
	if left, err := b.List(t.Context(), m.firm.String(), f.upload.String()); err != nil || len(left) != 0 {
		t.Fatalf("an orphan stays: %v %v", left, err)
	}
}

// TestUsedAndExpired: a link that seated somebody begins no account once it is too old, though a second guest might.
func TestUsedAndExpired(t *testing.T) {
	w := newWorld(t)
	m := w.founder().matter()
	l := m.invite(chain.RoleClient, chain.ModeOpensAtOnce)
	guest := w.guest(l)
	want[api.ChainHead](t, guest.send(m.path()+"/entries", guest.acceptance(l)))
	second := w.player()
	proof := second.inviteProof(l, api.ProofEnrol, nil)
	want[api.EnrolReply](t, second.json("POST", api.RouteEnrolments, api.EnrolRequest{Invite: &proof}))
	w.clock.advance(24 * time.Hour)
	refused(t, second.json("POST", api.RouteEnrolments, api.EnrolRequest{Invite: &proof}), api.CodeInviteUsed)
}

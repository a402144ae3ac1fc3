package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server"
	"github.com/underseal/underseal/server/auth"
	"github.com/underseal/underseal/server/blob/memblob"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store/boltstore"
)

const fullOrigin = "http://localhost:8420"

// fullFirm is a server in this process, on a disk, with a firm and a matter with a document for each writer. Bytes of
// documents are in memory: they are no part of the log.
type fullFirm struct {
	b       *bench
	folder  string
	store   *boltstore.Store
	guard   *guard
	handler http.Handler
	cookies []*http.Cookie
	author  chain.Author
	session *chain.Session
	trust   api.LogKeys
	id      wire.ChainID
	matters []*fullMatter
}

// fullMatter is one writer's.
type fullMatter struct {
	id           wire.ChainID
	state        *chain.State
	doc, version wire.ObjectID
	trail        uint64
	trailHead    wire.Hash
}

func newFullFirm(b *bench, matters int) *fullFirm {
	f := &fullFirm{b: b, folder: b.TempDir()}
	f.guard = newGuard(b, f.folder)
	l := ledger.NewLog(&ledger.MemoryKeys{Random: rand.Reader}, f.guard)
	var err error
	f.store, err = boltstore.Open(boltstore.Config{Folder: filepath.Join(f.folder, "store"), Hook: l.Integrate})
	b.must(err)
	srv, err := server.New(server.Config{Store: f.store, Blobs: memblob.New(), Log: l, Keys: &auth.MemoryKeys{Random: rand.Reader}, Origin: fullOrigin})
	b.must(err)
	f.handler = srv.Handler()
	link, err := srv.SetupLink(context.Background())
	b.must(err)
	_, secret, _ := strings.Cut(link, "#")
	f.found(secret)
	f.matters = make([]*fullMatter, matters)
	inParallel(matters, func(i int) { f.matters[i] = f.open() })
	return f
}

// inParallel keeps as many busy as there are processors, or as share a commit.
func inParallel(n int, do func(i int)) {
	const width = 16
	next := make(chan int)
	var group sync.WaitGroup
	for range width {
		group.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	group.Wait()
}

func (f *fullFirm) close() error {
	return errors.Join(f.store.Close(), f.guard.file.Close(), os.RemoveAll(f.folder))
}

func (f *fullFirm) newID() wire.ObjectID {
	id, err := wire.NewObjectID(rand.Reader)
	f.b.must(err)
	return id
}

func (f *fullFirm) found(secret string) {
	seed, err := keys.GenerateIdentitySeed(rand.Reader)
	f.b.must(err)
	identity, err := keys.NewIdentity(seed)
	f.b.must(err)
	f.author = chain.Author{Member: f.newID(), Identity: identity, Random: rand.Reader, Now: time.Now, Ways: 1}
	reply := send[api.EnrolReply](f, api.RouteEnrolments, api.EnrolRequest{Setup: secret})
	f.trust = *reply.Log
	public, private, err := ed25519.GenerateKey(nil)
	f.b.must(err)
	login := &api.LoginProof{Method: uint8(vault.MethodPassphrase), PublicKey: public, Signature: ed25519.Sign(private, api.LoginMessage(fullOrigin, reply.Challenge))}
	entry := api.VaultEntry{Method: login.Method, ID: public, Wrapped: []byte("sealed")}
	send[api.Account](f, "/v1/enrolments/"+reply.Enrolment.String(), api.EnrolFinish{Login: login, Vault: []api.VaultEntry{entry}, Keyring: []byte("sealed ring"), KeyringKey: login.PublicKey})
	sub, id, _, err := chain.Found(f.author, f.charter(chain.KindFirm), "Advocate LLP", "Ada Advocate")
	f.b.must(err)
	f.id = id
	bundle, err := chain.NewBundle(f.author.Member, identity)
	f.b.must(err)
	send[api.Appended](f, api.RouteFirms, api.FoundRequest{Setup: secret, Member: f.author.Member, Bundle: bundle.Bytes(), Submission: sub.Bytes()})
	ticket := send[api.Ticket](f, api.RouteTickets, api.TicketRequest{Firm: id})
	f.session, err = chain.NewSession(f.author, id, 100*time.Hour)
	f.b.must(err)
	s := f.session
	send[struct{}](f, api.Firm(id)+"/sessions", api.OpenSession{Ticket: ticket.Ticket, Member: s.Member, Session: s.ID, PublicKey: s.Public(), Expires: s.Expires, Certificate: s.Certificate})
}

func (f *fullFirm) charter(kind chain.ChainKind) chain.Charter {
	return chain.Charter{Kind: kind, Firm: f.id, LogOrigin: f.trust.Origin, LogKeys: f.trust.Keys, VRFKey: f.trust.VRF, Policy: f.trust.Policy}
}

// call is a request through the server's handlers.
func (f *fullFirm) call(method, path, contentType string, body []byte, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, fullOrigin+path, bytes.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	for _, c := range f.cookies {
		r.AddCookie(c)
	}
	if f.session != nil && strings.HasPrefix(path, api.Firm(f.id)+"/") {
		digest := r.Header.Get(api.HeaderDigest)
		if digest == "" && len(body) > 0 {
			digest = api.ContentDigest(sha256.Sum256(body))
		}
		for name, value := range api.SignRequest(f.id, f.session.ID, f.session.Key, method, path, digest) {
			r.Header.Set(name, value)
		}
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

// do is call for what must succeed.
func (f *fullFirm) do(method, path, contentType string, body []byte, header ...string) []byte {
	w := f.call(method, path, contentType, body, header...)
	if w.Code/100 != 2 {
		panic(fmt.Sprintf("%s %s: %d %s", method, path, w.Code, w.Body)) // also on goroutines that are not the bench's
	}
	if f.matters == nil { // from then on many ask at a time
		f.cookies = append(f.cookies, w.Result().Cookies()...)
	}
	return w.Body.Bytes()
}

func send[T any](f *fullFirm, path string, v any) (out T) {
	body, err := json.Marshal(v)
	must(err)
	if answer := f.do(http.MethodPost, path, api.TypeJSON, body); len(answer) > 0 {
		must(json.Unmarshal(answer, &out))
	}
	return out
}

// must is for goroutines that are not the bench's: the bench's own end by themselves.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// open opens a matter and puts a document into it.
func (f *fullFirm) open() *fullMatter {
	sub, id, k, err := chain.Found(f.author, f.charter(chain.KindCompartment), "Doe v. Roe", "Ada Advocate")
	must(err)
	f.do(http.MethodPost, api.Firm(f.id)+"/chains", api.TypeBinary, sub.Bytes())
	m := &fullMatter{id: id, doc: f.newID(), version: f.newID()}
	m.state, err = chain.Start(id, sub.Entry, chain.KeySet{1: k})
	must(err)
	h := document.Header{Compartment: id, Document: m.doc, Version: m.version, Author: f.author.Identity.Public().Fingerprint(), Padded: document.PaddedLength(100)}
	key, err := document.NewKey(rand.Reader)
	must(err)
	_, floe, err := seal.NewKeys(rand.Reader, key[:], h.Context(keys.LabelSealBody), seal.BodySegment)
	must(err)
	body := make([]byte, document.SealedLength(h.Padded)) // what it holds is of no account here
	digest := sha256.Sum256(body)
	upload := f.newID()
	send[api.Upload](f, api.Chain(f.id, id)+"/uploads", api.NewUpload{Upload: upload, Padded: h.Padded})
	f.do(http.MethodPut, api.ChunkPath(f.id, id, upload, 0), api.TypeBinary, body, "Content-Digest", api.ContentDigest(digest))
	added := f.batch(m, chain.Change{Kind: chain.OpAdd, Document: m.doc, Upload: upload, Header: h, FLOEHeader: floe, Key: key,
		Manifest: document.Manifest{Name: "Complaint as filed.pdf", MediaType: "application/pdf", Length: 100, BodyRoot: document.BodyRoot([]wire.Hash{digest})}})
	f.do(http.MethodPost, api.Chain(f.id, id)+"/entries", api.TypeBinary, added)
	return m
}

func (f *fullFirm) batch(m *fullMatter, c chain.Change) []byte {
	sub, err := m.state.Batch(f.author, []chain.Change{c})
	must(err)
	must(m.state.Apply(sub.Entry))
	return sub.Bytes()
}

// renames are batches of one operation each, so many for every matter.
func (f *fullFirm) renames(each int) [][][]byte {
	return f.prepare(each, func(m *fullMatter, i int) []byte {
		return f.batch(m, chain.Change{Kind: chain.OpPlace, Document: m.doc, Name: fmt.Sprintf("Exhibit %03d as amended.pdf", i)})
	})
}

// releases are entries of the trail.
func (f *fullFirm) releases(each int) [][][]byte {
	return f.prepare(each, func(m *fullMatter, _ int) []byte {
		e, err := m.state.Release(f.author, f.session, m.doc, m.version, m.trail, m.trailHead)
		must(err)
		m.trail, m.trailHead = m.trail+1, e.Leaf.Hash()
		return chain.Submission{Entry: e}.Bytes()
	})
}

func (f *fullFirm) prepare(each int, one func(*fullMatter, int) []byte) [][][]byte {
	all := make([][][]byte, len(f.matters))
	inParallel(len(all), func(m int) {
		for i := range each {
			all[m] = append(all[m], one(f.matters[m], i))
		}
	})
	return all
}

// submitAll has a writer for each matter, each with one entry after the other.
func (f *fullFirm) submitAll(sequence string, entries [][][]byte) appended {
	times := make([]time.Duration, 0, len(entries)*len(entries[0]))
	var mu sync.Mutex // guards times
	var group sync.WaitGroup
	began := time.Now()
	for m, all := range entries {
		group.Go(func() {
			path := api.Chain(f.id, f.matters[m].id) + "/" + sequence
			for _, entry := range all {
				start := time.Now()
				answer := f.do(http.MethodPost, path, api.TypeBinary, entry)
				took := time.Since(start)
				if !bytes.Contains(answer, []byte("receipt")) {
					panic("an entry has no receipt")
				}
				mu.Lock()
				times = append(times, took)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return summary(times, time.Since(began).Seconds())
}

package interop

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
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
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/boltstore"
)

const origin = "http://localhost:8420"

// firm is a server on a disk, with one firm that its owner founded as the client does.
type firm struct {
	t      testing.TB
	store  store.Store
	keys   *ledger.MemoryKeys
	log    *ledger.Log
	http   *httptest.Server
	id     wire.ChainID
	trust  api.LogKeys
	author chain.Author

	cookies map[string]string
	session *chain.Session
	matter  *chain.State
	place   wire.ChainID  // the matter's id
	doc     wire.ObjectID // a document of the matter
	version wire.ObjectID
}

// plan is what differs between firms.
type plan struct {
	policy string
	token  string // of the public log
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newID(t testing.TB) wire.ObjectID { return must[wire.ObjectID](t)(wire.NewObjectID(rand.Reader)) }

func newIdentity(t testing.TB) *keys.Identity {
	t.Helper()
	seed, err := keys.GenerateIdentitySeed(rand.Reader)
	ok(t, err)
	return must[*keys.Identity](t)(keys.NewIdentity(seed))
}

// found starts a server and founds a firm over HTTP. The log has five leaves then: keys, statement, root of the map, what
// the server saw of the session, and the next root.
func found(t testing.TB, p plan) *firm {
	t.Helper()
	f := &firm{t: t, cookies: map[string]string{}, keys: &ledger.MemoryKeys{Random: rand.Reader}}
	f.log = ledger.NewLog(f.keys, &ledger.MemoryGuard{})
	f.store = must[*boltstore.Store](t)(boltstore.Open(boltstore.Config{Folder: t.TempDir(), Hook: f.log.Integrate}))
	blobs := memblob.New()
	srv, err := server.New(server.Config{Store: f.store, Blobs: blobs, Log: f.log, Keys: &auth.MemoryKeys{Random: rand.Reader}, Origin: origin, Policy: p.policy, LogToken: p.token})
	ok(t, err)
	f.http = httptest.NewServer(srv.Handler())
	t.Cleanup(func() { f.http.Close(); f.store.Close(); blobs.Close() })
	link, err := srv.SetupLink(t.Context())
	ok(t, err)
	_, secret, _ := strings.Cut(link, "#")
	f.author = chain.Author{Member: newID(t), Identity: newIdentity(t), Random: rand.Reader, Now: time.Now, Ways: 1}
	f.enrol(secret)
	charter := chain.Charter{Kind: chain.KindFirm, LogOrigin: f.trust.Origin, LogKeys: f.trust.Keys, VRFKey: f.trust.VRF, Policy: f.trust.Policy}
	sub, id, _, err := chain.Found(f.author, charter, "Advocate LLP", "Ada Advocate")
	ok(t, err)
	f.id = id
	bundle, err := chain.NewBundle(f.author.Member, f.author.Identity)
	ok(t, err)
	post[api.Appended](f, api.RouteFirms, api.FoundRequest{Setup: secret, Member: f.author.Member, Bundle: bundle.Bytes(), Submission: sub.Bytes()})
	ticket := post[api.Ticket](f, api.RouteTickets, api.TicketRequest{Firm: id})
	s, err := chain.NewSession(f.author, id, 100*time.Hour)
	ok(t, err)
	f.session = s
	post[struct{}](f, api.Firm(id)+"/sessions", api.OpenSession{Ticket: ticket.Ticket, Member: s.Member, Session: s.ID, PublicKey: s.Public(), Expires: s.Expires, Certificate: s.Certificate})
	return f
}

// enrol makes the owner's account, and learns the log's keys.
func (f *firm) enrol(secret string) {
	f.t.Helper()
	reply := post[api.EnrolReply](f, api.RouteEnrolments, api.EnrolRequest{Setup: secret})
	f.trust = *reply.Log
	public, private, err := ed25519.GenerateKey(nil)
	ok(f.t, err)
	login := &api.LoginProof{Method: uint8(vault.MethodPassphrase), PublicKey: public, Signature: ed25519.Sign(private, api.LoginMessage(origin, reply.Challenge))}
	entry := api.VaultEntry{Method: login.Method, ID: public, Wrapped: []byte("sealed")}
	post[api.Account](f, "/v1/enrolments/"+reply.Enrolment.String(), api.EnrolFinish{Login: login, Vault: []api.VaultEntry{entry}, Keyring: []byte("sealed ring"), KeyringKey: login.PublicKey})
}

// do sends a request with the owner's cookies and returns the body of a success.
func (f *firm) do(method, path, contentType string, body []byte, header ...string) []byte {
	f.t.Helper()
	r, err := http.NewRequest(method, f.http.URL+path, bytes.NewReader(body))
	ok(f.t, err)
	r.Header.Set("Content-Type", contentType)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	for name, value := range f.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
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
	reply, err := http.DefaultClient.Do(r)
	ok(f.t, err)
	defer reply.Body.Close()
	for _, c := range reply.Cookies() {
		f.cookies[c.Name] = c.Value
	}
	b, err := io.ReadAll(reply.Body)
	ok(f.t, err)
	if reply.StatusCode/100 != 2 {
		f.t.Fatalf("%s %s: %d %s", method, path, reply.StatusCode, b)
	}
	return b
}

func decode[T any](t testing.TB, b []byte) (v T) {
	t.Helper()
	if len(b) > 0 {
		ok(t, json.Unmarshal(b, &v))
	}
	return v
}

func post[T any](f *firm, path string, v any) T {
	f.t.Helper()
	return decode[T](f.t, f.do("POST", path, api.TypeJSON, must[[]byte](f.t)(json.Marshal(v))))
}

// submit appends an entry, whose sender has seen the log at a size.
func (f *firm) submit(path string, sub chain.Submission, seen uint64) api.Appended {
	f.t.Helper()
	return decode[api.Appended](f.t, f.do("POST", api.Seen(path, seen), api.TypeBinary, sub.Bytes()))
}

// open opens a matter with one document in it.
func (f *firm) open() {
	f.t.Helper()
	charter := chain.Charter{Kind: chain.KindCompartment, Firm: f.id, LogOrigin: f.trust.Origin, LogKeys: f.trust.Keys, VRFKey: f.trust.VRF, Policy: f.trust.Policy}
	sub, id, k, err := chain.Found(f.author, charter, "Doe v. Roe", "Ada Advocate")
	ok(f.t, err)
	f.submit(api.Firm(f.id)+"/chains", sub, 0)
	f.place = id
	f.matter, err = chain.Start(id, sub.Entry, chain.KeySet{1: k})
	ok(f.t, err)
	f.append(f.upload(), 0)
}

// upload brings a file and returns what adds it.
func (f *firm) upload() chain.Change {
	f.t.Helper()
	f.doc, f.version = newID(f.t), newID(f.t)
	h := document.Header{Compartment: f.place, Document: f.doc, Version: f.version, Author: f.author.Identity.Public().Fingerprint(), Padded: document.PaddedLength(100)}
	key, err := document.NewKey(rand.Reader)
	ok(f.t, err)
	_, floe, err := seal.NewKeys(rand.Reader, key[:], h.Context(keys.LabelSealBody), seal.BodySegment)
	ok(f.t, err)
	body := make([]byte, document.SealedLength(h.Padded)) // what it holds is of no account here
	digest := sha256.Sum256(body)
	up := newID(f.t)
	post[api.Upload](f, api.Chain(f.id, f.place)+"/uploads", api.NewUpload{Upload: up, Padded: h.Padded})
	f.do("PUT", api.ChunkPath(f.id, f.place, up, 0), api.TypeBinary, body, "Content-Digest", api.ContentDigest(digest))
	return chain.Change{Kind: chain.OpAdd, Document: f.doc, Upload: up, Header: h, FLOEHeader: floe, Key: key,
		Manifest: document.Manifest{Name: "complaint.pdf", MediaType: "application/pdf", Length: 100, BodyRoot: document.BodyRoot([]wire.Hash{digest})}}
}

// append appends a batch to the matter.
func (f *firm) append(c chain.Change, seen uint64) api.Appended {
	f.t.Helper()
	sub, err := f.matter.Batch(f.author, []chain.Change{c})
	ok(f.t, err)
	a := f.submit(api.Chain(f.id, f.place)+"/entries", sub, seen)
	ok(f.t, f.matter.Apply(sub.Entry))
	return a
}

// rename is the smallest batch.
func (f *firm) rename(name string, seen uint64) api.Appended {
	f.t.Helper()
	return f.append(chain.Change{Kind: chain.OpPlace, Document: f.doc, Name: name}, seen)
}

// release appends to the trail, and fetches the first bytes: what only the server sees is in the log, too, then.
func (f *firm) release(seen uint64) api.Appended {
	f.t.Helper()
	head := decode[api.ChainHead](f.t, f.do("GET", api.Chain(f.id, f.place), "", nil))
	e, err := f.matter.Release(f.author, f.session, f.doc, f.version, head.TrailPosition, head.TrailHead)
	ok(f.t, err)
	a := f.submit(api.Chain(f.id, f.place)+"/trail", chain.Submission{Entry: e}, seen)
	f.do("GET", api.VersionPath(f.id, f.place, f.doc, f.version)+"/body", "", nil)
	return a
}

// state is where the log stands, with the proof from a size.
func (f *firm) state(from uint64) api.LogState {
	f.t.Helper()
	return decode[api.LogState](f.t, f.do("GET", api.Log(f.id, from), "", nil))
}

// growTo enters people into the directory in one commit, until the log has exactly that many leaves. The last is the
// commit's own.
func (f *firm) growTo(size uint64) {
	f.t.Helper()
	now := f.size()
	if size == now {
		return
	}
	if size < now+2 {
		f.t.Fatalf("no commit leads from %d leaves to %d", now, size)
	}
	ok(f.t, f.store.Update(context.Background(), f.id.String(), func(tx store.Tx) error {
		for range size - now - 1 {
			bundle, err := chain.NewBundle(newID(f.t), newIdentity(f.t))
			if err != nil {
				return err
			}
			if err := auth.PutMember(tx, f.log, f.id, newID(f.t), 0, bundle); err != nil {
				return err
			}
		}
		return nil
	}))
	if got := f.size(); got != size {
		f.t.Fatalf("%d leaves, want %d", got, size)
	}
}

func (f *firm) size() (size uint64) {
	f.t.Helper()
	ok(f.t, f.store.View(context.Background(), f.id.String(), func(tx store.Tx) error {
		p, err := ledger.Newest(tx)
		size = p.Size
		return err
	}))
	return size
}

// url is where the log is served to anybody.
func (f *firm) url() *url.URL {
	return must[*url.URL](f.t)(url.Parse(f.http.URL + "/log/" + api.LogName(f.trust.Origin) + "/"))
}

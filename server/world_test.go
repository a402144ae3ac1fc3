package server_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server"
	"github.com/underseal/underseal/server/auth"
	"github.com/underseal/underseal/server/blob"
	"github.com/underseal/underseal/server/blob/memblob"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/memstore"
)

const testOrigin = "http://localhost:8420"

// clock is a test's time, which moves only when it is told to.
type clock struct {
	mu sync.Mutex // guards t
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// world is a server with its stores, and a clock.
type world struct {
	t      testing.TB
	store  store.Store
	blobs  blob.Store
	clock  *clock
	server *server.Server
	config server.Config
	log    *ledger.Log
	http   *httptest.Server
	logs   *logs
}

func newWorld(t testing.TB) *world { return newWorldOn(t, memory, memblob.New(), nil) }

// memory opens a store in memory.
func memory(hook store.Hook) store.Store { return memstore.New(hook) }

func newWorldOn(t testing.TB, open func(store.Hook) store.Store, b blob.Store, change func(*server.Config)) *world {
	t.Helper()
	l := ledger.NewLog(&ledger.MemoryKeys{Random: rand.Reader}, &ledger.MemoryGuard{})
	s := open(l.Integrate)
	w := &world{t: t, store: s, blobs: b, log: l, clock: &clock{t: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}, logs: &logs{of: map[wire.ChainID]*firmLog{}}}
	c := server.Config{Store: s, Blobs: b, Log: l, Keys: &auth.MemoryKeys{Random: rand.Reader}, Origin: testOrigin, Now: w.clock.now}
	if change != nil {
		change(&c)
	}
	w.config = c
	var err error
	if w.server, err = server.New(c); err != nil {
		t.Fatal(err)
	}
	w.http = httptest.NewServer(w.server.Handler())
	t.Cleanup(func() {
		w.http.Close()
		s.Close()
		b.Close()
	})
	return w
}

// setup is the secret of a fresh setup link.
func (w *world) setup() string {
	w.t.Helper()
	link, err := w.server.SetupLink(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	_, secret, _ := strings.Cut(link, "#")
	return secret
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) code() api.Code {
	var e api.Error
	if a.status < 400 || json.Unmarshal(a.body, &e) != nil {
		return ""
	}
	return e.Code
}

// player is a person with a browser: cookies, an account, keys, and what he derived.
type player struct {
	*world
	cookies map[string]string
	account wire.ObjectID
	login   ed25519.PrivateKey
	ring    ed25519.PrivateKey // signs the keyring, and what changes factors
	here    wire.ObjectID      // the account's session, as it was answered last
	always  map[string]string  // header of every request
	author  chain.Author
	seed    [32]byte                  // of the author's identity
	session *chain.Session            // the newest that was made
	opened  map[string]*chain.Session // those that were opened, by the path of their firm
	firm    wire.ChainID
}

func (w *world) player() *player {
	w.t.Helper()
	seed, err := keys.GenerateIdentitySeed(rand.Reader)
	w.ok(err)
	identity, err := keys.NewIdentity(seed)
	w.ok(err)
	_, login, err := ed25519.GenerateKey(rand.Reader)
	w.ok(err)
	_, ring, err := ed25519.GenerateKey(rand.Reader)
	w.ok(err)
	return &player{world: w, cookies: map[string]string{}, login: login, ring: ring, seed: seed, author: chain.Author{Member: newID(w.t), Identity: identity, Random: rand.Reader, Now: w.clock.now, Ways: 2}}
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func newID(t testing.TB) wire.ObjectID {
	t.Helper()
	id, err := wire.NewObjectID(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// try sends a request and takes whatever comes.
func (p *player) try(method, path, contentType string, body io.Reader, header map[string]string) (answer, error) {
	r, err := http.NewRequest(method, p.http.URL+path, body)
	if err != nil {
		return answer{}, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for name, value := range p.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for name, value := range p.always {
		r.Header.Set(name, value)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	p.sign(r)
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer reply.Body.Close()
	for _, c := range reply.Cookies() {
		p.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(p.cookies, c.Name)
		}
	}
	if _, prefix := p.inFirm(path); method == http.MethodPost && path == prefix+"/sessions" && reply.StatusCode == http.StatusOK {
		if p.opened == nil {
			p.opened = map[string]*chain.Session{}
		}
		p.opened[prefix] = p.session
	}
	b, err := io.ReadAll(reply.Body)
	p.noteSession(b)
	return answer{reply.StatusCode, reply.Header, b}, err
}

// noteSession keeps which session an account's answer says it is for.
func (p *player) noteSession(body []byte) {
	var finished api.PasswordFinished
	if json.Unmarshal(body, &finished) == nil && finished.Account != nil {
		p.here = finished.Account.Session
		return
	}
	var account api.Account
	if json.Unmarshal(body, &account) == nil && !account.Session.IsZero() {
		p.here = account.Session
	}
}

// noRedirect goes to an address as a browser does, and stays where that leads elsewhere.
func (p *player) noRedirect(path string, header map[string]string) (answer, error) {
	r, err := http.NewRequest("GET", p.http.URL+path, nil)
	if err != nil {
		return answer{}, err
	}
	for name, value := range p.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	reply, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return answer{}, err
	}
	defer reply.Body.Close()
	b, err := io.ReadAll(reply.Body)
	return answer{reply.StatusCode, reply.Header, b}, err
}

// inFirm is the firm that a path is in, and its prefix; empty where it is in none.
func (p *player) inFirm(path string) (firm wire.ChainID, prefix string) {
	parts := strings.Split(path, "/")
	if len(parts) < 4 || parts[2] != "firms" {
		return firm, ""
	}
	firm, err := wire.ParseHash(parts[3])
	if err != nil {
		return firm, ""
	}
	return firm, api.Firm(firm)
}

// tab is the same person in the same browser, for requests at the same time.
func (p *player) tab() *player {
	return &player{world: p.world, cookies: maps.Clone(p.cookies), firm: p.firm, account: p.account, ring: p.ring, here: p.here, author: p.author, session: p.session, opened: maps.Clone(p.opened), always: p.always}
}

// sign signs a request in a firm with the session's key, where the player has a session there, and one that changes the account with
// the keyring key, unless the test did so itself.
func (p *player) sign(r *http.Request) {
	firm, path := p.inFirm(r.URL.Path)
	session := p.opened[path]
	changes := strings.HasPrefix(r.URL.Path, api.RouteAccount+"/") && r.Method != http.MethodGet && p.ring != nil
	if (session == nil && !changes) || r.Header.Get(api.HeaderProof) != "" {
		return
	}
	if r.GetBody != nil && r.ContentLength > 0 && !strings.Contains(r.URL.Path, "/chunks/") && r.Header.Get(api.HeaderDigest) == "" {
		body, err := r.GetBody()
		p.ok(err)
		b, err := io.ReadAll(body)
		p.ok(err)
		r.Header.Set(api.HeaderDigest, api.ContentDigest(sha256.Sum256(b)))
	}
	digest := r.Header.Get(api.HeaderDigest)
	var signed map[string]string
	if session != nil {
		signed = api.SignRequest(firm, session.ID, session.Key, r.Method, r.URL.RequestURI(), digest)
	} else {
		signed = api.SignChange(p.account, p.here, p.ring, r.Method, r.URL.RequestURI(), digest)
	}
	for name, value := range signed {
		r.Header.Set(name, value)
	}
}

func (p *player) do(method, path, contentType string, body io.Reader, header map[string]string) answer {
	p.t.Helper()
	a, err := p.try(method, path, contentType, body, header)
	p.ok(err)
	return a
}

func (p *player) get(path string) answer {
	p.t.Helper()
	return p.do("GET", path, "", nil, nil)
}

func (p *player) json(method, path string, v any) answer {
	p.t.Helper()
	b, err := json.Marshal(v)
	p.ok(err)
	return p.do(method, path, api.TypeJSON, bytes.NewReader(b), nil)
}

// send sends an entry, and verifies the receipt of one that is taken.
func (p *player) send(path string, s chain.Submission) answer {
	p.t.Helper()
	seen := p.logs.seen(p.firm)
	a := p.do("POST", api.Seen(path, seen.Size), api.TypeBinary, bytes.NewReader(s.Bytes()), nil)
	if a.status/100 == 2 {
		p.receipt(a, s.Entry.Leaf, seen)
	}
	return a
}

// want is the answer where it is a success, decoded.
func want[T any](t testing.TB, a answer) (v T) {
	t.Helper()
	if a.status/100 != 2 {
		t.Fatalf("answer %d %s", a.status, a.body)
	}
	if len(a.body) > 0 {
		if err := json.Unmarshal(a.body, &v); err != nil {
			t.Fatalf("answer %s: %v", a.body, err)
		}
	}
	return v
}

func refused(t testing.TB, a answer, code api.Code) {
	t.Helper()
	if a.code() != code {
		t.Fatalf("answer %d %s, want %s", a.status, a.body, code)
	}
}

func (p *player) proof(challenge []byte) *api.LoginProof {
	return &api.LoginProof{Method: uint8(vault.MethodPassphrase), PublicKey: p.login.Public().(ed25519.PublicKey), Signature: ed25519.Sign(p.login, api.LoginMessage(testOrigin, challenge))}
}

func (p *player) finish(reply api.EnrolReply) answer {
	p.t.Helper()
	p.account = reply.Account
	login := p.proof(reply.Challenge)
	entry := api.VaultEntry{Method: login.Method, ID: login.PublicKey, Wrapped: []byte("sealed")}
	return p.json("POST", "/v1/enrolments/"+reply.Enrolment.String(), api.EnrolFinish{Login: login, Vault: []api.VaultEntry{entry}, Keyring: []byte("sealed ring"), KeyringKey: p.ringKey()})
}

// secondWay has the account have another way to unlock: who works in a firm needs two.
func (p *player) secondWay() {
	p.t.Helper()
	kit := api.VaultEntry{Method: uint8(vault.MethodKit), ID: p.account[:], Wrapped: []byte("sealed")}
	p.ok(p.store.Update(context.Background(), layout.Accounts, func(tx store.Tx) error {
		return layout.Put(tx, layout.VaultKey(p.account, kit.Method, kit.ID), kit)
	}))
}

func (p *player) ringKey() []byte { return p.ring.Public().(ed25519.PublicKey) }

func (p *player) signIn() answer {
	p.t.Helper()
	begun := want[api.SignInReply](p.t, p.json("POST", api.RouteSignIns, struct{}{}))
	return p.json("POST", "/v1/sign-ins/"+begun.SignIn.String(), api.SignInFinish{Login: p.proof(begun.Challenge)})
}

func (p *player) bundle() []byte {
	p.t.Helper()
	b, err := chain.NewBundle(p.author.Member, p.author.Identity)
	p.ok(err)
	return b.Bytes()
}

// foundRequest is the firm's first statement. It sets the player's firm.
func (p *player) foundRequest(secret string, log api.LogKeys) (api.FoundRequest, *chain.State) {
	p.t.Helper()
	charter := chain.Charter{Kind: chain.KindFirm, LogOrigin: log.Origin, LogKeys: log.Keys, VRFKey: log.VRF}
	sub, id, k, err := chain.Found(p.author, charter, "Advocate LLP", "Ada Advocate")
	p.ok(err)
	p.firm = id
	p.logs.add(p.t, id, log)
	state, err := chain.Start(id, sub.Entry, chain.KeySet{1: k})
	p.ok(err)
	return api.FoundRequest{Setup: secret, Member: p.author.Member, Bundle: p.bundle(), Submission: sub.Bytes()}, state
}

// founder enrols, founds a firm and opens its session.
func (w *world) founder() *player {
	w.t.Helper()
	p, secret := w.player(), w.setup()
	reply := want[api.EnrolReply](w.t, p.json("POST", api.RouteEnrolments, api.EnrolRequest{Setup: secret}))
	want[api.Account](w.t, p.finish(reply))
	req, state := p.foundRequest(secret, *reply.Log)
	a := p.json("POST", api.RouteFirms, req)
	p.receipt(a, log.Leaf{}, log.Checkpoint{})
	if head := want[api.ChainHead](w.t, a); head.Head != state.Head {
		w.t.Fatalf("head %+v", head)
	}
	p.open()
	return p
}

func (p *player) ticket() []byte {
	p.t.Helper()
	return want[api.Ticket](p.t, p.json("POST", api.RouteTickets, api.TicketRequest{Firm: p.firm})).Ticket
}

// sessionRequest makes a session's request under a ticket.
func (p *player) sessionRequest(ticket []byte) api.OpenSession {
	p.t.Helper()
	s, err := chain.NewSession(p.author, p.firm, 2000*time.Hour)
	p.ok(err)
	p.session = s
	return api.OpenSession{Ticket: ticket, Member: s.Member, Session: s.ID, PublicKey: s.Public(), Expires: s.Expires, Certificate: s.Certificate}
}

func (p *player) open() {
	p.t.Helper()
	want[struct{}](p.t, p.json("POST", api.Firm(p.firm)+"/sessions", p.sessionRequest(p.ticket())))
}

// matter opens a compartment and derives its state.
func (p *player) matter() *matter {
	p.t.Helper()
	sub, id, k, err := chain.Found(p.author, chain.Charter{Kind: chain.KindCompartment, Firm: p.firm}, "Doe v. Roe", "Ada Advocate")
	p.ok(err)
	head := want[api.ChainHead](p.t, p.send(api.Firm(p.firm)+"/chains", sub))
	state, err := chain.Start(id, sub.Entry, chain.KeySet{1: k})
	p.ok(err)
	if head.Chain != id || head.Position != 1 || head.Head != state.Head {
		p.t.Fatalf("head %+v", head)
	}
	return &matter{player: p, id: id, state: state}
}

// matter is a chain as one player sees it.
type matter struct {
	*player
	id    wire.ChainID
	state *chain.State
}

func (m *matter) path() string { return api.Chain(m.firm, m.id) }

// replay reads the whole chain from the server and derives its state.
func (p *player) replay(id wire.ChainID) *matter {
	p.t.Helper()
	path := api.Chain(p.firm, id)
	wrap := want[api.WrapReply](p.t, p.get(path+"/wraps/0"))
	newest, err := chain.Unwrap(id, p.author, wrap.Row)
	p.ok(err)
	statements, err := chain.ParseEntries(p.get(path + "/statements").body)
	p.ok(err)
	held, err := chain.OpenHistory(id, newest, statements)
	p.ok(err)
	entries, err := chain.ParseEntries(p.get(path + "/entries?from=0").body)
	p.ok(err)
	state, err := chain.Start(id, entries[0], held)
	p.ok(err)
	for _, e := range entries[1:] {
		p.ok(state.Apply(e))
	}
	return &matter{player: p, id: id, state: state}
}

// append sends an entry and applies it.
func (m *matter) append(sub chain.Submission) api.ChainHead {
	m.t.Helper()
	head := want[api.ChainHead](m.t, m.send(m.path()+"/entries", sub))
	m.ok(m.state.Apply(sub.Entry))
	if head.Head != m.state.Head || head.Position != m.state.Position || head.Epoch != m.state.Epoch {
		m.t.Fatalf("head %+v", head)
	}
	return head
}

// invite makes a link.
func (m *matter) invite(role chain.Role, mode chain.InviteMode) chain.Link {
	m.t.Helper()
	sub, link, err := m.state.Invite(m.author, "Clara Client", role, mode, m.clock.now().Add(24*time.Hour), "Advocate LLP")
	m.ok(err)
	m.append(sub)
	return link
}

func (p *player) inviteProof(l chain.Link, purpose string, subject []byte) api.InviteProof {
	proof := api.InviteProof{Firm: l.Firm, Chain: l.Chain, Invite: l.Invite}
	proof.Signature = ed25519.Sign(l.Key(), api.InviteProofMessage(purpose, proof, subject))
	return proof
}

func (p *player) invitePath(l chain.Link) string {
	return api.Chain(l.Firm, l.Chain) + "/invites/" + l.Invite.String()
}

// guest enrols with a link and opens a session, but does not accept yet.
func (w *world) guest(l chain.Link) *player {
	w.t.Helper()
	p := w.player()
	p.firm = l.Firm
	proof := p.inviteProof(l, api.ProofEnrol, nil)
	want[api.Account](w.t, p.finish(want[api.EnrolReply](w.t, p.json("POST", api.RouteEnrolments, api.EnrolRequest{Invite: &proof}))))
	p.secondWay()
	p.openAsGuest(l)
	return p
}

func (p *player) openAsGuest(l chain.Link) {
	p.t.Helper()
	want[struct{}](p.t, p.json("POST", api.Firm(p.firm)+"/sessions", p.guestRequest(l)))
}

func (p *player) guestRequest(l chain.Link) api.OpenSession {
	p.t.Helper()
	req := p.sessionRequest(p.ticket())
	bundle := p.bundle()
	req.Guest = &api.GuestProof{Invite: p.inviteProof(l, api.ProofGuest, api.GuestSubject(req.Ticket, bundle)), Bundle: bundle}
	return req
}

// acceptance is a guest's entry, made on what the server says of the invite.
func (p *player) acceptance(l chain.Link) chain.Submission {
	p.t.Helper()
	reply := want[api.InviteReply](p.t, p.get(p.invitePath(l)))
	if reply.State != "open" {
		p.t.Fatalf("invite is %s", reply.State)
	}
	pkg, err := l.OpenPackage(reply.Package)
	p.ok(err)
	sub, err := l.Accept(p.author, pkg, reply.Chain.Position, reply.Chain.Head)
	p.ok(err)
	return sub
}

// join is the whole of it: a new person in the matter.
func (m *matter) join(role chain.Role) *matter {
	m.t.Helper()
	l := m.invite(role, chain.ModeOpensAtOnce)
	g := m.guest(l)
	sub := g.acceptance(l)
	want[api.ChainHead](m.t, g.send(m.path()+"/entries", sub))
	m.ok(m.state.Apply(sub.Entry))
	return g.replay(m.id)
}

// file is a sealed body and what adds it.
type file struct {
	upload wire.ObjectID
	change chain.Change
	body   []byte
}

func (f file) padded() uint64 { return f.change.Header.Padded }

func (f file) chunk(n int) []byte {
	from := n * document.ChunkSize
	return f.body[from : from+int(document.ChunkLength(f.padded(), n))]
}

// newFile seals content of a length for a document of the matter.
func (m *matter) newFile(doc wire.ObjectID, length int) file {
	m.t.Helper()
	f := file{upload: newID(m.t)}
	h := document.Header{Compartment: m.id, Document: doc, Version: newID(m.t), Author: m.author.Identity.Public().Fingerprint(), Padded: document.PaddedLength(uint64(length))}
	key, err := document.NewKey(rand.Reader)
	m.ok(err)
	_, floe, err := seal.NewKeys(rand.Reader, key[:], h.Context(keys.LabelSealBody), seal.BodySegment)
	m.ok(err)
	// What the server stores need not open here: only its length and digests matter to it.
	f.body = make([]byte, document.SealedLength(h.Padded))
	_, err = rand.Read(f.body)
	m.ok(err)
	var digests []wire.Hash
	for n := range document.Chunks(h.Padded) {
		from := n * document.ChunkSize
		digests = append(digests, sha256.Sum256(f.body[from:from+int(document.ChunkLength(h.Padded, n))]))
	}
	f.change = chain.Change{Kind: chain.OpAdd, Document: doc, Upload: f.upload, Header: h, FLOEHeader: floe, Key: key,
		Manifest: document.Manifest{Name: "complaint.pdf", MediaType: "application/pdf", Length: uint64(length), BodyRoot: document.BodyRoot(digests)}}
	return f
}

func (m *matter) beginUpload(f file) answer {
	m.t.Helper()
	return m.json("POST", m.path()+"/uploads", api.NewUpload{Upload: f.upload, Padded: f.padded()})
}

func (m *matter) putChunk(f file, n int) answer {
	m.t.Helper()
	return m.putBytes(f, n, f.chunk(n))
}

func (m *matter) putBytes(f file, n int, b []byte) answer {
	m.t.Helper()
	digest := api.ContentDigest(sha256.Sum256(b))
	return m.do("PUT", api.ChunkPath(m.firm, m.id, f.upload, n), api.TypeBinary, bytes.NewReader(b), map[string]string{"Content-Digest": digest})
}

// put uploads a file and commits it.
func (m *matter) put(f file) {
	m.t.Helper()
	m.bring(f)
	m.append(m.commit(f))
}

func (m *matter) bring(f file) {
	m.t.Helper()
	want[api.Upload](m.t, m.beginUpload(f))
	for n := range document.Chunks(f.padded()) {
		want[struct{}](m.t, m.putChunk(f, n))
	}
}

func (m *matter) commit(changes ...file) chain.Submission {
	m.t.Helper()
	var list []chain.Change
	for _, f := range changes {
		list = append(list, f.change)
	}
	sub, err := m.state.Batch(m.author, list)
	m.ok(err)
	return sub
}

// releaseOf makes the trail entry for a file, at the head the server says.
func (m *matter) releaseOf(f file) chain.Submission {
	m.t.Helper()
	head := want[api.ChainHead](m.t, m.get(m.path()))
	e, err := m.state.Release(m.author, m.session, f.change.Document, f.change.Header.Version, head.TrailPosition, head.TrailHead)
	m.ok(err)
	return chain.Submission{Entry: e}
}

func (m *matter) release(f file) {
	m.t.Helper()
	want[api.ChainHead](m.t, m.send(m.path()+"/trail", m.releaseOf(f)))
}

func (m *matter) bodyPath(f file) string {
	return api.VersionPath(m.firm, m.id, f.change.Document, f.change.Header.Version) + "/body"
}

func (m *matter) digestsPath(f file) string {
	return api.VersionPath(m.firm, m.id, f.change.Document, f.change.Header.Version) + "/digests"
}

func (m *matter) body(f file, spec string) answer {
	m.t.Helper()
	if spec == "" {
		return m.get(m.bodyPath(f))
	}
	return m.do("GET", m.bodyPath(f), "", nil, map[string]string{"Range": spec})
}

// rotation removes members by opening the next epoch.
func (m *matter) rotation(gone ...wire.ObjectID) (chain.Submission, *chain.EpochKeys) {
	m.t.Helper()
	head := want[api.ChainHead](m.t, m.get(m.path()))
	sub, k, err := m.state.Rotate(m.author, chain.Rotation{Reason: chain.ReasonMemberRemoved, Remove: gone, TrailPosition: head.TrailPosition, TrailHead: head.TrailHead, FirmName: "Advocate LLP"})
	m.ok(err)
	return sub, k
}

func (m *matter) remove(gone ...wire.ObjectID) {
	m.t.Helper()
	sub, k := m.rotation(gone...)
	m.state.AddKeys(k)
	m.append(sub)
}

// body is a request's body.
func body(t testing.TB, v any) io.Reader {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b)
}

// Package evilserver is the real server with a liar in front of it, and with hands in its store: the attacker of the
// catalogue. World is the server, Person somebody honest with the real client, Insider a member who helps the server.
//
// A test tells a story with honest people, lets the server lie (Lie, Edit, Plant), and asks the victim's client for
// something. Person.Refused then asserts the four things every refusal is: a typed error, nothing released, nothing sent
// to anybody afterwards, and a line in the sealed journal that is still there after the next sign-in.
package evilserver

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
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

// Reply is an answer of the server.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// Request is a request on its way to the real server. A lie may change Body and Path before it calls Real, or not call it.
type Request struct {
	Method, Path, Query string
	Header              http.Header
	Body                []byte

	http *http.Request
	w    *World
	sent string // what the sender's session signed of it
}

// target is where a request goes, as its sender's session signs it.
func (r *Request) target() string {
	if r.Query == "" {
		return r.Path
	}
	return r.Path + "?" + r.Query
}

// signed is what a session signs of a request.
func (r *Request) signed() string {
	digest := ""
	if len(r.Body) > 0 {
		digest = api.ContentDigest(sha256.Sum256(r.Body))
	}
	return r.Method + " " + r.target() + " " + digest
}

// Real is what the honest server answers. Whoever runs the server asks it what he likes, in anybody's name: a request that was
// changed on its way is signed again with the session's own key, which the World was told.
func (r *Request) Real() *Reply {
	if r.signed() != r.sent {
		r.signAgain()
	}
	h := r.http.Clone(r.http.Context())
	h.Body, h.ContentLength, h.Header = io.NopCloser(bytes.NewReader(r.Body)), int64(len(r.Body)), r.Header
	h.URL.Path, h.URL.RawQuery, h.RequestURI = r.Path, r.Query, r.target()
	recorder := httptest.NewRecorder()
	r.w.handler.ServeHTTP(recorder, h)
	return &Reply{recorder.Code, recorder.Header(), recorder.Body.Bytes()}
}

func (r *Request) signAgain() {
	session, err := wire.ParseObjectID(r.Header.Get(api.HeaderSession))
	parts := strings.Split(r.Path, "/")
	if err != nil || len(parts) < 4 {
		return
	}
	firm, err := wire.ParseHash(parts[3])
	r.w.ok(err)
	key := r.w.sessions.of(session)
	if key == nil {
		return
	}
	r.Header = r.Header.Clone()
	digest := r.Header.Get(api.HeaderDigest)
	if len(r.Body) > 0 {
		digest = api.ContentDigest(sha256.Sum256(r.Body))
	}
	for name, value := range api.SignRequest(firm, session, key, r.Method, r.target(), digest) {
		r.Header.Set(name, value)
	}
}

// Exchange is what passed, as the client saw it.
type Exchange struct {
	Request
	Reply
}

type lie struct {
	method, route string
	tell          func(r *Request) *Reply
}

// World is one server, with its stores open to the attacker.
type World struct {
	testing.TB
	Origin string
	Store  store.Store
	Blobs  blob.Store
	Server *server.Server
	Ledger *ledger.Log // with its private keys: they are the attacker's
	Key    *auth.MemoryKeys
	Clock  Clock

	sessions *sessionKeys
	config   server.Config
	handler  http.Handler
	mu       sync.Mutex // guards all below
	lies     []lie
	told     int // exchanges before the first lie that was told; -1: none was
	seen     []*Exchange
}

// NewWorld starts a server. change may be nil.
func NewWorld(t testing.TB, change func(*server.Config)) *World {
	t.Helper()
	l := ledger.NewLog(&ledger.MemoryKeys{Random: rand.Reader}, nil)
	w := &World{TB: t, Store: memstore.New(l.Integrate), Blobs: memblob.New(), Ledger: l, Key: &auth.MemoryKeys{Random: rand.Reader}, told: -1,
		sessions: &sessionKeys{byPublic: map[string]ed25519.PrivateKey{}, byID: map[wire.ObjectID]ed25519.PrivateKey{}}}
	front := httptest.NewUnstartedServer(http.HandlerFunc(w.serve))
	_, port, _ := strings.Cut(front.Listener.Addr().String(), ":")
	w.Origin = "http://localhost:" + port
	c := server.Config{Store: w.Store, Blobs: w.Blobs, Log: l, Keys: w.Key, Origin: w.Origin, Now: w.Clock.Now}
	if change != nil {
		change(&c)
	}
	s, err := server.New(c)
	w.ok(err)
	w.config, w.Server, w.handler = c, s, s.Handler()
	front.Start()
	t.Cleanup(func() { front.Close(); _ = w.Store.Close(); _ = w.Blobs.Close() })
	return w
}

// Restart starts the server anew, on what it stored.
func (w *World) Restart() {
	w.Helper()
	s, err := server.New(w.config)
	w.ok(err)
	w.Server, w.handler = s, s.Handler()
}

func (w *World) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *World) serve(out http.ResponseWriter, in *http.Request) {
	body, err := io.ReadAll(in.Body)
	if err != nil {
		http.Error(out, "cut", http.StatusBadRequest)
		return
	}
	r := &Request{Method: in.Method, Path: in.URL.Path, Query: in.URL.RawQuery, Header: in.Header, Body: body, http: in, w: w}
	r.sent = r.signed()
	w.sessions.opens(r)
	x := &Exchange{Request: *r}
	reply := w.answer(r)
	x.Reply = *reply
	w.mu.Lock()
	w.seen = append(w.seen, x)
	w.mu.Unlock()
	for name, values := range reply.Header {
		if name != "Content-Length" {
			out.Header()[name] = values
		}
	}
	out.WriteHeader(reply.Status)
	_, _ = out.Write(reply.Body) // a client that hung up is no fault of the test
}

// sessionKeys are the keys of people's sessions: whoever runs the server needs none of them to skip his own check.
type sessionKeys struct {
	mu       sync.Mutex // guards both
	byPublic map[string]ed25519.PrivateKey
	byID     map[wire.ObjectID]ed25519.PrivateKey
}

// learn is told a key.
func (k *sessionKeys) learn(seed []byte) {
	key := ed25519.NewKeyFromSeed(seed)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.byPublic[string(key.Public().(ed25519.PublicKey))] = key
}

// opens notes whose key a request opens a session with.
func (k *sessionKeys) opens(r *Request) {
	var open api.OpenSession
	if r.Method != http.MethodPost || !Matches(api.RouteSessions, r.Path) || json.Unmarshal(r.Body, &open) != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if key := k.byPublic[string(open.PublicKey)]; key != nil {
		k.byID[open.Session] = key
	}
}

// of is the key of a session; nil where it is not known.
func (k *sessionKeys) of(session wire.ObjectID) ed25519.PrivateKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.byID[session]
}

func (w *World) answer(r *Request) *Reply {
	w.mu.Lock()
	lies := append([]lie(nil), w.lies...)
	w.mu.Unlock()
	for _, l := range lies {
		if l.method == r.Method && Matches(l.route, r.Path) {
			if reply := l.tell(r); reply != nil {
				w.mu.Lock()
				if w.told < 0 {
					w.told = len(w.seen)
				}
				w.mu.Unlock()
				return reply
			}
		}
	}
	return r.Real()
}

// Matches reports whether a path is one of a route, as protocol/api spells routes. The empty route is every one.
func Matches(route, path string) bool {
	if route == "" {
		return true
	}
	a, b := strings.Split(route, "/"), strings.Split(path, "/")
	if n := len(a); a[n-1] == "*" && len(b) >= n {
		a, b = a[:n-1], b[:n-1]
	}
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !strings.HasPrefix(a[i], ":") && a[i] != b[i] {
			return false
		}
	}
	return true
}

// Lie has tell answer the requests of a route. A nil reply leaves the request to the lies after it, and to the truth.
func (w *World) Lie(method, route string, tell func(r *Request) *Reply) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lies = append(w.lies, lie{method, route, tell})
}

// Twist answers the truth with its body changed, where the truth is a success.
func (w *World) Twist(method, route string, twist func(body []byte) []byte) {
	w.Lie(method, route, func(r *Request) *Reply {
		reply := r.Real()
		if reply.Status < 300 {
			reply.Body = twist(append([]byte(nil), reply.Body...))
		}
		return reply
	})
}

// TwistJSON does it to an answer that is JSON.
func TwistJSON[T any](w *World, method, route string, twist func(v *T)) {
	w.Twist(method, route, func(body []byte) []byte {
		var v T
		if err := json.Unmarshal(body, &v); err != nil {
			w.Errorf("an answer to twist: %v", err)
			return body
		}
		twist(&v)
		b, _ := json.Marshal(v)
		return b
	})
}

// Honest ends every lie. What was done to the store stays done.
func (w *World) Honest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lies = nil
}

// Mark is a moment; Since lists what passed after it.
func (w *World) Mark() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.seen)
}

// Since lists what passed after a moment.
func (w *World) Since(mark int) []*Exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*Exchange(nil), w.seen[mark:]...)
}

// Last is the newest exchange of a route.
func (w *World) Last(method, route string) *Exchange {
	w.Helper()
	all := w.Since(0)
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Method == method && Matches(route, all[i].Path) && all[i].Status < 300 {
			return all[i]
		}
	}
	w.Fatalf("nobody asked %s %s", method, route)
	return nil
}

// Edit reaches into the store, past every rule of the server.
func (w *World) Edit(partition string, edit func(tx store.Tx) error) {
	w.Helper()
	w.ok(w.Store.Update(context.Background(), partition, edit))
}

// anotherMinute forgets how many sessions were opened this minute: a story tells days in seconds.
func (w *World) anotherMinute(firm wire.ChainID) {
	w.Helper()
	if firm.IsZero() {
		return
	}
	w.Edit(layout.FirmPartition(firm), func(tx store.Tx) error {
		return tx.Scan([]byte("openings/"), nil, 0, func(k, _ []byte) error { return tx.Delete(k) })
	})
}

// Head is where a chain stands.
func (w *World) Head(firm, id wire.ChainID) (head layout.Chain) {
	w.Helper()
	w.Edit(layout.FirmPartition(firm), func(tx store.Tx) (err error) {
		head, _, err = layout.Get[layout.Chain](tx, layout.ChainKey(id))
		return err
	})
	return head
}

// Entries are a chain's entries, as the store has them.
func (w *World) Entries(sequence string, firm, id wire.ChainID) (all []chain.Entry) {
	w.Helper()
	w.Edit(layout.FirmPartition(firm), func(tx store.Tx) error {
		return tx.Scan(layout.EntriesOf(sequence, id), nil, 0, func(_, value []byte) error {
			if len(value) < 8 {
				return wire.ErrMalformed
			}
			e, err := chain.ParseEntry(value[8:]) // after the index of its leaf
			all = append(all, e)
			return err
		})
	})
	return all
}

// Plant puts a submission at the head of a chain and into the log, as the server would if it asked nothing.
func (w *World) Plant(firm, id wire.ChainID, sub chain.Submission) {
	w.Helper()
	head := w.Head(firm, id)
	w.Edit(layout.FirmPartition(firm), func(tx store.Tx) error {
		position := head.Position
		head.Position, head.Head = position+1, sub.Entry.Leaf.Hash()
		index, err := AppendLeaf(tx, sub.Entry.Leaf)
		if err != nil {
			return err
		}
		if err := tx.Put(layout.EntryKey(layout.State, id, position), append(layout.Uint64(index), sub.Entry.Bytes()...)); err != nil {
			return err
		}
		effect, err := chain.ParseEffect(sub.Entry.Effect)
		if err == nil && effect.Kind == chain.KindStatement {
			head.Epoch = effect.Epoch
			if err := tx.Put(layout.StatementKey(id, effect.Epoch), layout.Uint64(position)); err != nil {
				return err
			}
			var hashes []byte
			for _, row := range sub.Rows {
				h := row.Hash()
				hashes = append(hashes, h[:]...)
			}
			if err := tx.Put(layout.RowsKey(id, effect.Epoch), hashes); err != nil {
				return err
			}
		}
		for _, row := range sub.Rows {
			if row.Kind != chain.RowWrap {
				continue
			}
			if err := tx.Put(layout.WrapKey(id, row.Recipient, head.Epoch), row.Bytes); err != nil {
				return err
			}
		}
		return layout.Put(tx, layout.ChainKey(id), head)
	})
}

// mapPages is the map of a log, as the store has it.
type mapPages struct{ store.Tx }

// Page implements log.MapPages.
func (m mapPages) Page(path string) ([]byte, error) {
	b, err := m.Get(layout.MapPageKey(path))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return b, err
}

// PutPage implements log.MapPages.
func (m mapPages) PutPage(path string, page []byte) error {
	return m.Put(layout.MapPageKey(path), page)
}

// DeletePage implements log.MapPages.
func (m mapPages) DeletePage(path string) error { return m.Delete(layout.MapPageKey(path)) }

// AppendLeaf puts a leaf into the log that is signed at the end of the transaction, and is its index. Where its tag stands in
// the map already, the map stays as it is: not even the attacker can put two values at one key.
func AppendLeaf(tx store.Tx, leaf log.Leaf) (uint64, error) {
	size, err := tx.Get(layout.LogSizeKey())
	if err != nil {
		return 0, err
	}
	index := layout.ParseUint64(size)
	item, _ := log.MapItemOf(leaf)
	_, taken, err := log.MapGet(mapPages{tx}, item.Key)
	if err != nil {
		return 0, err
	}
	if !taken {
		if err := tx.Put(layout.PendingKey(item.Key), item.Value[:]); err != nil {
			return 0, err
		}
	}
	if err := tx.Put(layout.LeafKey(index), leaf.Bytes()); err != nil {
		return 0, err
	}
	return index, tx.Put(layout.LogSizeKey(), layout.Uint64(index+1))
}

// Replay answers every question that was asked in xs as it was answered then.
func (w *World) Replay(xs []*Exchange) {
	kept := map[string]Reply{}
	for _, x := range xs {
		if x.Method == "GET" {
			kept[x.Path+"?"+x.Query] = x.Reply
		}
	}
	w.Lie("GET", "", func(r *Request) *Reply {
		if reply, ok := kept[r.Path+"?"+r.Query]; ok {
			return &reply
		}
		return nil
	})
}

// sends are the requests that carry content, or keys to anybody.
func sends(x *Exchange) bool {
	switch {
	case x.Method == "POST" && (Matches(api.RouteEntries, x.Path) || Matches(api.RouteChains, x.Path)):
		return true
	case x.Method == "PUT" && Matches(api.RouteChunk, x.Path):
		return true
	}
	return false
}

// Soon is a bound on everything that a test waits for.
func Soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Second)
	t.Cleanup(cancel)
	return ctx
}

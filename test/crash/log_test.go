package crash

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/boltstore"
	"github.com/underseal/underseal/test/program"
)

// author is somebody with a firm's session, who writes entries without a client in between.
type author struct {
	t       *testing.T
	server  *program.Server
	http    *http.Client
	cookies []*http.Cookie
	chain.Author
	firm    wire.ChainID
	session *chain.Session
	name    string // of the log
	keys    *log.Keys
}

func (a *author) ok(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

var errAway = errors.New("the server is away")

// post sends a request once. errAway means that it may be sent again.
func (a *author) post(path, contentType string, body []byte, into any) ([]*http.Cookie, error) {
	r, err := http.NewRequest("POST", "http://"+a.server.Address+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", contentType)
	for _, c := range a.cookies {
		r.AddCookie(c)
	}
	if a.session != nil {
		for name, value := range api.SignRequest(a.firm, a.session.ID, a.session.Key, r.Method, path, api.ContentDigest(sha256.Sum256(body))) {
			r.Header.Set(name, value)
		}
	}
	reply, err := a.http.Do(r)
	if err != nil {
		return nil, errAway
	}
	defer reply.Body.Close()
	b, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode == http.StatusServiceUnavailable {
		return nil, errAway
	}
	if reply.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s: %d %s", path, reply.StatusCode, b)
	}
	if len(b) == 0 {
		return reply.Cookies(), nil
	}
	return reply.Cookies(), json.Unmarshal(b, into)
}

func (a *author) json(path string, v, into any) {
	a.t.Helper()
	b, err := json.Marshal(v)
	a.ok(err)
	cookies, err := a.post(path, api.TypeJSON, b, into)
	a.ok(err)
	a.cookies = append(a.cookies, cookies...)
}

// newAuthor founds a firm through the API and opens its session.
func newAuthor(t *testing.T, server *program.Server) *author {
	t.Helper()
	a := &author{t: t, server: server, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: logWriters}, Timeout: 20 * time.Second}}
	seed, err := keys.GenerateIdentitySeed(rand.Reader)
	a.ok(err)
	identity, err := keys.NewIdentity(seed)
	a.ok(err)
	member, err := wire.NewObjectID(rand.Reader)
	a.ok(err)
	a.Author = chain.Author{Member: member, Identity: identity, Random: rand.Reader, Now: time.Now, Ways: 1}
	public, login, err := ed25519.GenerateKey(rand.Reader)
	a.ok(err)

	_, secret, _ := strings.Cut(server.SetupLink(), "#")
	var begun api.EnrolReply
	a.json(api.RouteEnrolments, api.EnrolRequest{Setup: secret}, &begun)
	proof := &api.LoginProof{Method: uint8(vault.MethodPassphrase), PublicKey: public, Signature: ed25519.Sign(login, api.LoginMessage(server.Origin, begun.Challenge))}
	a.json(api.RouteEnrolments+"/"+begun.Enrolment.String(), api.EnrolFinish{Login: proof, Keyring: []byte("sealed"), KeyringKey: public,
		Vault: []api.VaultEntry{{Method: proof.Method, ID: public, Wrapped: []byte("sealed")}}}, &api.Account{})

	charter := chain.Charter{Kind: chain.KindFirm, LogOrigin: begun.Log.Origin, LogKeys: begun.Log.Keys, VRFKey: begun.Log.VRF}
	sub, firm, _, err := chain.Found(a.Author, charter, "Ada LLP", "Ada")
	a.ok(err)
	a.firm, a.name = firm, api.LogName(begun.Log.Origin)
	a.keys, err = log.ParseKeys(begun.Log.Origin, begun.Log.Keys)
	a.ok(err)
	bundle, err := chain.NewBundle(member, identity)
	a.ok(err)
	a.json(api.RouteFirms, api.FoundRequest{Setup: secret, Member: member, Bundle: bundle.Bytes(), Submission: sub.Bytes()}, &api.Appended{})
	var ticket api.Ticket
	a.json(api.RouteTickets, api.TicketRequest{Firm: firm}, &ticket)
	s, err := chain.NewSession(a.Author, firm, time.Hour)
	a.ok(err)
	a.json(api.Firm(firm)+"/sessions", api.OpenSession{Ticket: ticket.Ticket, Member: s.Member, Session: s.ID, PublicKey: s.Public(), Expires: s.Expires, Certificate: s.Certificate}, &struct{}{})
	a.session = s
	return a
}

// entry is one that the server acknowledged.
type entry struct {
	chain    wire.ChainID
	position uint64
	index    uint64
	leaf     log.Leaf
}

// writer fills a matter of its own.
type writer struct {
	*author
	state *chain.State
	seen  log.Checkpoint
	done  []entry
}

// send sends an entry for as long as the server is away, and verifies its receipt. It is false when stop is closed.
func (w *writer) send(path string, s chain.Submission, stop <-chan struct{}) (bool, error) {
	for body := s.Bytes(); ; {
		var got api.Appended
		_, err := w.post(api.Seen(path, w.seen.Size), api.TypeBinary, body, &got)
		if err == nil {
			return true, w.acknowledge(got, s.Entry.Leaf)
		}
		if !errors.Is(err, errAway) {
			return false, err
		}
		select {
		case <-stop:
			return false, nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (w *writer) acknowledge(got api.Appended, leaf log.Leaf) error {
	r, err := log.ParseReceipt([]byte(got.Receipt))
	if err != nil {
		return err
	}
	c, err := r.Verify(w.keys, leaf.Hash())
	if err != nil || !bytes.Equal(r.Extra, leaf.Bytes()) {
		return fmt.Errorf("a receipt of another entry: %w", err)
	}
	if w.seen.Size > 0 {
		if err := log.CheckConsistency(got.Consistency, w.seen.Size, w.seen.Root, c.Size, c.Root); err != nil {
			return fmt.Errorf("from %d to %d leaves: %w", w.seen.Size, c.Size, err)
		}
	}
	w.seen = c
	w.done = append(w.done, entry{got.Chain, got.Position - 1, r.Index, leaf})
	return nil
}

func (w *writer) run(stop <-chan struct{}) error {
	sub, id, k, err := chain.Found(w.Author, chain.Charter{Kind: chain.KindCompartment, Firm: w.firm}, "Kill nine", "Ada")
	if err != nil {
		return err
	}
	if sent, err := w.send(api.Firm(w.firm)+"/chains", sub, stop); err != nil || !sent {
		return err
	}
	if w.state, err = chain.Start(id, sub.Entry, chain.KeySet{1: k}); err != nil {
		return err
	}
	for i := 0; ; i++ {
		select {
		case <-stop:
			return nil
		default:
		}
		sub, err := w.state.Batch(w.Author, []chain.Change{{Kind: chain.OpProfile, Name: fmt.Sprint("name ", i)}})
		if err != nil {
			return err
		}
		if sent, err := w.send(api.Chain(w.firm, id)+"/entries", sub, stop); err != nil || !sent {
			return err
		}
		if err := w.state.Apply(sub.Entry); err != nil {
			return err
		}
	}
}

const logWriters = 256

// TestKillNineLog kills the server while 256 writers append, each to a chain of its own. After every kill the store is read
// as the next process finds it: each acknowledged entry is there at its receipt's index, sequences have neither gap nor
// double, the leaves give the root that is signed, and what was remembered outside the store is not ahead of it.
func TestKillNineLog(t *testing.T) {
	const kills = 5
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	server := program.Start(t, program.Binary(t), "")
	ada := newAuthor(t, server)
	stop := make(chan struct{})
	writers := make([]*writer, logWriters)
	var running sync.WaitGroup
	for i := range writers {
		w := &writer{author: ada}
		writers[i] = w
		running.Go(func() {
			if err := w.run(stop); err != nil {
				t.Error(err)
			}
		})
	}
	r := mathrand.New(mathrand.NewPCG(seed, 7))
	size := uint64(0)
	for range kills {
		time.Sleep(time.Duration(300+r.IntN(1200)) * time.Millisecond)
		server.Kill()
		size = ada.check(size, nil)
		server.Run()
	}
	time.Sleep(500 * time.Millisecond)
	close(stop)
	running.Wait()
	server.Kill()
	var done []entry
	for _, w := range writers {
		done = append(done, w.done...)
	}
	size = ada.check(size, done)
	t.Logf("%d kills, %d acknowledged, %d leaves", kills, len(done), size)
	if len(done) < 2*logWriters {
		t.Errorf("only %d entries were acknowledged", len(done))
	}
	server.Run() // and it starts
}

// check reads the store of a server that does not run, and is the log's size, which is at least what it was.
func (a *author) check(before uint64, done []entry) uint64 {
	a.t.Helper()
	s, err := boltstore.Open(boltstore.Config{Folder: filepath.Join(a.server.Data, "store")})
	a.ok(err)
	defer s.Close()
	var size uint64
	a.ok(s.View(context.Background(), layout.FirmPartition(a.firm), func(tx store.Tx) error {
		leaves, err := a.checkLog(tx)
		if err != nil {
			return err
		}
		size = uint64(len(leaves))
		placed, err := a.checkSequences(tx, leaves)
		if err != nil {
			return err
		}
		for _, e := range done {
			if placed[e.index] != (place{e.chain, e.position}) || leaves[e.index] != e.leaf {
				a.t.Errorf("the entry %d of %s was acknowledged at %d and is not there", e.position, e.chain, e.index)
			}
		}
		return nil
	}))
	if size < before {
		a.t.Errorf("%d leaves, and there were %d", size, before)
	}
	return size
}

// checkLog recomputes the tree and the map from the leaves, and holds what is signed and what is remembered against them.
func (a *author) checkLog(tx store.Tx) ([]log.Leaf, error) {
	note, err := tx.Get(layout.CheckpointKey())
	if err != nil {
		return nil, err
	}
	c, err := a.keys.Open(note)
	if err != nil {
		return nil, err
	}
	remembered, root := a.remembered()
	if remembered > c.Size {
		a.t.Errorf("%d leaves were remembered, and the store has %d", remembered, c.Size)
	}
	var leaves []log.Leaf
	var hashes []wire.Hash
	var tree log.MapTree
	err = tx.Scan([]byte("log/leaf/"), nil, 0, func(k, v []byte) error {
		leaf, err := log.ParseLeaf(v)
		if err != nil {
			return err
		}
		if n, ok := layout.ParseNumber(layout.Last(k)); !ok || n != uint64(len(leaves)) {
			return fmt.Errorf("leaf %d where %d is next", n, len(leaves))
		}
		leaves, hashes = append(leaves, leaf), append(hashes, leaf.Hash())
		if item, ok := log.MapItemOf(leaf); ok {
			return tree.Insert(item)
		}
		if leaf != log.MapRootLeaf(tree.Root()) {
			return fmt.Errorf("leaf %d is another map root", len(leaves)-1)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if uint64(len(leaves)) != c.Size || log.Root(hashes) != c.Root {
		a.t.Errorf("%d leaves do not give what is signed at %d", len(leaves), c.Size)
	}
	if remembered > 0 && log.Root(hashes[:remembered]) != root {
		a.t.Errorf("another history was remembered at %d leaves", remembered)
	}
	return leaves, nil
}

// remembered is the newest whole record of the file beside the store: size ‖ root ‖ SHA-256.
func (a *author) remembered() (size uint64, root wire.Hash) {
	a.t.Helper()
	b, err := os.ReadFile(filepath.Join(a.server.Data, "last-signed", a.name))
	a.ok(err)
	for ; len(b) >= 72; b = b[72:] {
		sum := sha256.Sum256(b[:40])
		if n := binary.BigEndian.Uint64(b); bytes.Equal(sum[:], b[40:72]) && n > size {
			size, root = n, wire.Hash(b[8:40])
		}
	}
	if size == 0 {
		a.t.Error("nothing is remembered")
	}
	return size, root
}

type place struct {
	chain    wire.ChainID
	position uint64
}

// checkSequences walks every chain's entries, and is where each leaf of a state sequence stands.
func (a *author) checkSequences(tx store.Tx, leaves []log.Leaf) (map[uint64]place, error) {
	placed := map[uint64]place{}
	next := map[wire.ChainID]uint64{}
	err := tx.Scan([]byte(layout.State+"/"), nil, 0, func(k, v []byte) error {
		parts := strings.Split(string(k), "/")
		id, err := wire.ParseHash(parts[1])
		if err != nil {
			return err
		}
		position, ok := layout.ParseNumber(parts[2])
		if !ok || position != next[id] {
			return fmt.Errorf("position %d where %d is next", position, next[id])
		}
		next[id]++
		e, err := chain.ParseEntry(v[8:])
		if err != nil {
			return err
		}
		index := binary.BigEndian.Uint64(v)
		if _, twice := placed[index]; twice || index >= uint64(len(leaves)) || leaves[index] != e.Leaf {
			return fmt.Errorf("the leaf %d is not this entry's alone", index)
		}
		placed[index] = place{id, position}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, l := range leaves {
		if _, ok := placed[uint64(i)]; (l.Type == log.TypeState) != ok {
			return nil, fmt.Errorf("leaf %d has no entry", i)
		}
	}
	for id, n := range next {
		head, found, err := layout.Get[layout.Chain](tx, layout.ChainKey(id))
		if err != nil || !found || head.Position != n {
			return nil, fmt.Errorf("%d entries, and the head is at %d: %w", n, head.Position, err)
		}
	}
	return placed, nil
}

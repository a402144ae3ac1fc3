package server_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/blob/memblob"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/memstore"
)

// renamed is an entry that a matter takes at any time.
func (m *matter) renamed(name string) chain.Submission {
	m.t.Helper()
	sub, err := m.state.Batch(m.author, []chain.Change{{Kind: chain.OpProfile, Name: name}})
	m.ok(err)
	return sub
}

// update changes the firm's rows as the server does.
func (p *player) update(fn func(store.Tx) error) error {
	return p.store.Update(context.Background(), layout.FirmPartition(p.firm), fn)
}

// TestReceipts: every accepted entry is answered with its receipt, under the newest checkpoint. S-LOG-11
func TestReceipts(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	m := ada.matter()
	sub := m.renamed("Doe v. Roe and others")
	path := m.path() + "/entries"
	post := func(path string) answer {
		return ada.do("POST", path, api.TypeBinary, bytes.NewReader(sub.Bytes()), nil)
	}

	// A size that is none is refused before the entry is taken.
	before := dump(t, w)
	for _, seen := range []string{"01", "-1", "x", "18446744073709551616"} {
		refused(t, post(path+"?seen="+seen), api.CodeBadRequest)
	}
	if dump(t, w) != before {
		t.Fatal("a refused entry is there")
	}
	seen := w.logs.seen(ada.firm)
	first, _ := ada.receipt(m.send(path, sub), sub.Entry.Leaf, seen)
	m.ok(m.state.Apply(sub.Entry))
	next := m.renamed("Doe v. Roe")
	m.append(next)
	// The same entry sent again has the same index, under the newest checkpoint.
	again, c := ada.receipt(m.send(path, sub), sub.Entry.Leaf, w.logs.seen(ada.firm))
	if again.Index != first.Index || c.Size <= first.Index+2 {
		t.Fatalf("index %d, then %d under %d leaves", first.Index, again.Index, c.Size)
	}
	// From what the log has not reached, and from nothing, there is no proof.
	for _, seen := range []uint64{0, c.Size + 1, 1 << 63} {
		if got := want[api.Appended](t, post(api.Seen(path, seen))); got.Consistency == nil || len(got.Consistency) != 0 {
			t.Errorf("from %d: %v", seen, got.Consistency)
		}
	}
	// A receipt stands for its leaf alone.
	if _, err := again.Verify(w.logs.firm(ada.firm).keys, next.Entry.Leaf.Hash()); err == nil {
		t.Error("it proves another leaf")
	}
}

// TestReceiptsWaitForTheGuard: nothing that a checkpoint signs leaves before the checkpoint is remembered. S-LOG-12
func TestReceiptsWaitForTheGuard(t *testing.T) {
	g := &stubbornGuard{}
	w := newWorldOn(t, memory, memblob.New(), func(c *server.Config) { c.Log.Guard = g })
	ada := w.founder()
	m := ada.matter()
	sub := m.renamed("Doe")
	g.refuse.Store(true)
	for _, a := range []answer{m.send(m.path()+"/entries", sub), ada.get(api.Log(ada.firm, 0)), publicLog{p: ada}.get("checkpoint"),
		ada.json("POST", api.Firm(ada.firm)+"/log/map", api.MapRequest{}), ada.askKeys(0, ada.author.Member)} {
		if a.status < 500 || bytes.Contains(a.body, []byte("/log/")) {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	g.refuse.Store(false)
	m.append(sub)
	if s, _, err := g.Last(t.Context(), api.LogName(w.logs.firm(ada.firm).Origin)); err != nil || s.Size != w.logs.seen(ada.firm).Size {
		t.Fatalf("%+v %v", s, err)
	}
}

type stubbornGuard struct {
	ledger.MemoryGuard
	refuse atomic.Bool
}

func (g *stubbornGuard) Raise(ctx context.Context, name string, s ledger.Signed) error {
	if g.refuse.Load() {
		return fmt.Errorf("%w: disk", store.ErrCommit)
	}
	return g.MemoryGuard.Raise(ctx, name, s)
}

// grow appends leaves to the firm's log as a commit does, until it has at least that many.
func (m *matter) grow(size uint64) log.Checkpoint {
	m.t.Helper()
	for w := m.logs.seen(m.firm); w.Size < size; w = m.logs.seen(m.firm) {
		for range (size - w.Size + 1) / 2 {
			event := chain.Event{Kind: chain.EventSessionOpened, Member: m.author.Member}
			m.ok(m.update(func(tx store.Tx) error { return m.log.Record(tx, rand.Reader, m.clock.now(), m.firm, event) }))
		}
		m.append(m.renamed(fmt.Sprint(w.Size)))
	}
	return m.logs.seen(m.firm)
}

// TestPublicLog: tiles and bundles as c2sp.org/tlog-tiles has them, and a map root at every end. S-LOG-08 S-LOG-13 S-LOG-15
func TestPublicLog(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	m := ada.matter()
	c := m.grow(300)
	l := publicLog{p: ada}
	leaves := ada.whole("")

	note := l.get("checkpoint")
	if note.status != 200 || note.header.Get("Content-Type") != "text/plain; charset=utf-8" || note.header.Get("Cache-Control") != "no-cache" {
		t.Errorf("checkpoint: %d %v", note.status, note.header)
	}
	if got, err := w.logs.firm(ada.firm).keys.Open(note.body); err != nil || got != c {
		t.Errorf("%v %v", got, err)
	}
	rest := int(c.Size - 256)
	for path, size := range map[string]int{
		"tile/entries/000": 256 * 100, "tile/entries/000.p/1": 100, "tile/entries/000.p/255": 255 * 100,
		log.BundlePath(1, rest): rest * 100, "tile/0/000": 256 * 32, "tile/0/000.p/9": 9 * 32, log.TilePath(0, 1, rest): rest * 32, "tile/1/000.p/1": 32,
	} {
		a := l.get(path)
		if a.status != 200 || len(a.body) != size || a.header.Get("Content-Type") != "application/octet-stream" ||
			a.header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %d, %d bytes, %v", path, a.status, len(a.body), a.header)
		}
		// Members read the same without a token; what was sent by their cookie stays theirs.
		mine := ada.get(api.Firm(ada.firm) + "/log/tiles/" + path)
		if mine.status != 200 || !bytes.Equal(mine.body, a.body) || mine.header.Get("Cache-Control") != "private, max-age=31536000, immutable" {
			t.Errorf("%s: %d, %d bytes, %v", path, mine.status, len(mine.body), mine.header)
		}
	}
	if !bytes.Equal(l.get("tile/entries/000.p/2").body[102:], leaves[1].Bytes()) {
		t.Error("another leaf")
	}
	for _, path := range []string{
		log.BundlePath(1, rest+1), log.TilePath(0, 1, rest+1), "tile/entries/001", "tile/0/001", "tile/1/000", "tile/1/000.p/2", "tile/2/000.p/1", "tile/0/002.p/1", // not signed yet
		"tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/0", "tile/0/x000/000", "tile/00/000", "tile/64/000", "tile/-1/000", "tile/entries/000.p/1/",
		"tile/0/000/", "/tile/0/000", "tile//0/000", "tile/8/000", "tile/data/000", "checkpoint/", "Checkpoint", "", "tile", "tile/entries/000%2ep/1x", "../" + api.LogName(c.Origin) + "/tile",
	} {
		for who, a := range map[string]answer{"public": l.get(path), "member": ada.get(api.Firm(ada.firm) + "/log/tiles/" + path)} {
			if a.status != 404 || strings.Contains(a.header.Get("Cache-Control"), "max-age") {
				t.Errorf("%s: %q: %d %q", who, path, a.status, a.header.Get("Cache-Control"))
			}
		}
	}
	for _, name := range []string{"x", strings.Repeat("a", 600), strings.ToUpper(api.LogName(c.Origin)), api.LogName(c.Origin)[1:], "%2e%2e", "%00"} {
		a := w.player().get("/log/" + name + "/checkpoint")
		if a.status != 404 || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("log %q: %d %v", name, a.status, a.header)
		}
	}
}

// TestSignedAlone: leaves that a commit has not signed are not there. There are none between two commits; a row by hand
// stands for one. S-LOG-10
func TestSignedAlone(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	size := w.logs.seen(ada.firm).Size
	ada.open()
	c := ada.matter().logs.seen(ada.firm)
	if c.Size <= size {
		t.Fatal("nothing was added")
	}
	ada.ok(ada.update(func(tx store.Tx) error { return tx.Put(layout.LeafKey(c.Size), make([]byte, log.LeafSize)) }))
	l := publicLog{p: ada}
	if a := l.get(log.BundlePath(0, int(c.Size)+1)); a.status != 404 {
		t.Errorf("%d %x", a.status, a.body)
	}
	if a := l.get(log.BundlePath(0, int(c.Size))); a.status != 200 {
		t.Errorf("%d", a.status)
	}
}

// TestLogToken: who does not show the token learns nothing. S-LOG-16
func TestLogToken(t *testing.T) {
	w := newWorldOn(t, memory, memblob.New(), func(c *server.Config) { c.LogToken = "correct horse" })
	ada := w.founder()
	ada.matter()
	for _, token := range []string{"", "Bearer", "Bearer ", "Bearer correct hors", "Bearer correct horses", "Bearer  correct horse", "correct horse", "bearer correct horse", "Basic correct horse"} {
		for _, path := range []string{"checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1", "nothing"} {
			a := publicLog{ada, token}.get(path)
			if a.code() != api.CodeNotSignedIn || a.header.Get("WWW-Authenticate") != "Bearer" || a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%q: %s: %d %v", token, path, a.status, a.header)
			}
		}
	}
	// Without the token nobody learns which logs there are.
	if a := w.player().get("/log/nothing/checkpoint"); a.code() != api.CodeNotSignedIn {
		t.Errorf("%d", a.status)
	}
	ada.whole("Bearer correct horse")
	a := publicLog{ada, "Bearer correct horse"}.get("tile/0/000.p/1")
	if a.header.Get("Cache-Control") != "private, max-age=31536000, immutable" { // or a cache hands it to who has no token
		t.Errorf("%v", a.header)
	}
	if a := ada.get(api.Firm(ada.firm) + "/log/tiles/tile/0/000.p/1"); a.status != 200 {
		t.Errorf("a member: %d", a.status)
	}
}

// TestMapAndWitnessed asks the map under the newest checkpoint and under an older one that witnesses cosigned.
func TestMapAndWitnessed(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	m := ada.matter()
	m.grow(20)
	older := publicLog{p: ada}.get("checkpoint").body
	before := ada.whole("")
	m.grow(60)
	after := ada.whole("")
	keysOf := func(leaves []log.Leaf) (keys []wire.Hash, values []wire.Hash) {
		for _, l := range leaves {
			if item, ok := log.MapItemOf(l); ok {
				keys, values = append(keys, item.Key), append(values, item.Value)
			}
		}
		return keys, values
	}
	check := func(witnessed bool, present, absent []log.Leaf) log.Checkpoint {
		t.Helper()
		keys, values := keysOf(present)
		gone, _ := keysOf(absent)
		gone = append(gone, wire.Hash{1}, log.MapKey(log.TypeState, wire.Hash{2}))
		got, c := ada.prove(witnessed, append(slices.Clone(keys), gone...)...)
		for i, v := range got {
			if i < len(keys) && (v == nil || *v != values[i]) || i >= len(keys) && v != nil {
				t.Errorf("key %d of %d: %v", i, len(keys), v)
			}
		}
		return c
	}
	if c := check(false, after, nil); c.Size != uint64(len(after)) {
		t.Errorf("under %d leaves", c.Size)
	}
	// Where no checkpoint was cosigned yet, the newest is the answer.
	if c := check(true, after, nil); c.Size != uint64(len(after)) {
		t.Errorf("under %d leaves", c.Size)
	}
	ada.ok(ada.update(func(tx store.Tx) error { return tx.Put(layout.WitnessedKey(), older) }))
	stored := dump(t, w)
	if c := check(true, before, after[len(before):]); c.Size != uint64(len(before)) {
		t.Errorf("under %d leaves", c.Size)
	}
	check(false, after, nil)
	if dump(t, w) != stored {
		t.Error("asking changed something")
	}
	// Who came after it has no keys under it yet.
	clara := m.join(chain.RoleClient)
	reply := want[api.KeysReply](t, ada.json("POST", api.Firm(ada.firm)+"/keys", api.KeysRequest{Members: []wire.ObjectID{clara.author.Member, ada.author.Member}, Witnessed: true}))
	ada.underMap(reply.MapRoot, log.Checkpoint{})
	if _, err := reply.Lookups[0].Verify(w.logs.firm(ada.firm).VRF, ada.firm, clara.author.Member, reply.Root); err == nil || len(reply.Lookups[0].Links) != 0 {
		t.Errorf("keys from after the checkpoint: %v", err)
	}
	if links, err := reply.Lookups[1].Verify(w.logs.firm(ada.firm).VRF, ada.firm, ada.author.Member, reply.Root); err != nil || len(links) != 1 {
		t.Errorf("%v %v", links, err)
	}
	// Where the log stands, with both checkpoints and what leads from one to the other.
	seen := w.logs.seen(ada.firm)
	s := want[api.LogState](t, ada.get(api.Log(ada.firm, 7)))
	newest, err := w.logs.firm(ada.firm).keys.Open([]byte(s.Checkpoint))
	w.ok(err)
	old, err := w.logs.firm(ada.firm).keys.Open([]byte(s.Witnessed))
	w.ok(err)
	if newest != seen || old.Size != uint64(len(before)) {
		t.Errorf("newest %d, witnessed %d", newest.Size, old.Size)
	}
	w.ok(log.CheckConsistency(s.Extends, old.Size, old.Root, newest.Size, newest.Root))
	var hashes []wire.Hash
	for _, l := range after[:7] {
		hashes = append(hashes, l.Hash())
	}
	w.ok(log.CheckConsistency(s.Consistency, 7, log.Root(hashes), newest.Size, newest.Root))
	refused(t, ada.get(api.Firm(ada.firm)+"/log?from=07"), api.CodeBadRequest)
	// Limits.
	refused(t, ada.json("POST", api.Firm(ada.firm)+"/log/map", api.MapRequest{Keys: make([]wire.Hash, api.MaxMapKeys+1)}), api.CodeTooLarge)
	refused(t, ada.askKeys(0, make([]wire.ObjectID, api.MaxKeyMembers+1)...), api.CodeTooLarge)
	// A map that is not what the log says proves nothing: not even to who does not look.
	ada.ok(ada.update(func(tx store.Tx) error {
		return tx.Put(layout.LeafKey(uint64(len(before))-1), log.MapRootLeaf(wire.Hash{9}).Bytes())
	}))
	refused(t, ada.json("POST", api.Firm(ada.firm)+"/log/map", api.MapRequest{Witnessed: true}), api.CodeInternal)
}

// TestPublicCheckpointIsWitnessed: a firm with a policy shows the public only what its witnesses have seen. S-WIT-03
func TestPublicCheckpointIsWitnessed(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	m := ada.matter()
	older := publicLog{p: ada}.get("checkpoint").body
	m.grow(30)
	policy := func(tx store.Tx) error {
		f, _, err := layout.Get[layout.Firm](tx, layout.FirmKey())
		if err != nil {
			return err
		}
		f.Policy = "quorum none\n"
		return layout.Put(tx, layout.FirmKey(), f)
	}
	ada.ok(ada.update(policy))
	if a := (publicLog{p: ada}).get("checkpoint"); a.code() != api.CodeNotFound {
		t.Errorf("nothing was cosigned: %d", a.status)
	}
	ada.ok(ada.update(func(tx store.Tx) error { return tx.Put(layout.WitnessedKey(), older) }))
	if a := (publicLog{p: ada}).get("checkpoint"); !bytes.Equal(a.body, older) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestDuplicateTag: a tag stands once. Where a matter's place came again, because its rows were put back and the log's were not, the
// entry is refused, nothing of it is kept, and what is to be committed beside it is not refused. S-LOG-09
func TestDuplicateTag(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	var matters []*matter
	var subs []chain.Submission
	for i := range 6 {
		m := ada.matter()
		matters, subs = append(matters, m), append(subs, m.renamed("after"))
		if i%2 == 0 {
			back := m.kept(layout.ChainKey(m.id))
			want[api.Appended](t, m.send(m.path()+"/entries", m.renamed("before")))
			back()
		}
	}
	answers := make([]answer, len(subs))
	var wg sync.WaitGroup
	for i, m := range matters {
		wg.Go(func() {
			p := ada.tab()
			answers[i], _ = p.try("POST", m.path()+"/entries", api.TypeBinary, bytes.NewReader(subs[i].Bytes()), nil)
		})
	}
	wg.Wait()
	for i, a := range answers {
		if i%2 == 0 {
			refused(t, a, api.CodeBadRequest)
			continue
		}
		ada.receipt(a, subs[i].Entry.Leaf, log.Checkpoint{})
	}
	ada.whole("")

	// Also within one commit, where the map does not have the first one yet.
	m := ada.matter()
	before := dump(t, w)
	err := ada.update(func(tx store.Tx) error {
		head, _, err := layout.Get[layout.Chain](tx, layout.ChainKey(m.id))
		m.ok(err)
		for _, name := range []string{"before", "after"} {
			s, err := ledger.Parse(m.renamed(name).Bytes())
			m.ok(err)
			if _, err := ledger.Append(tx, w.clock.now(), access.Caller{Firm: ada.firm, Member: ada.author.Member}, m.id, s, false); err != nil || name == "after" {
				return err
			}
			m.ok(layout.Put(tx, layout.ChainKey(m.id), head))
		}
		return nil
	})
	if !access.Is(err, api.CodeBadRequest) || dump(t, w) != before {
		t.Errorf("a tag twice in one commit: %v", err)
	}
}

// kept is a row as it is; the result puts it back.
func (p *player) kept(key []byte) (back func()) {
	p.t.Helper()
	var row []byte
	p.ok(p.update(func(tx store.Tx) (err error) { row, err = tx.Get(key); row = bytes.Clone(row); return err }))
	return func() { p.ok(p.update(func(tx store.Tx) error { return tx.Put(key, row) })) }
}

// TestTakenTag: whoever has the link keys of a matter, and a seat in another of the same log, takes no tag of the first with an
// entry of the other, nor of a matter with its first statement. S-LOG-18
func TestTakenTag(t *testing.T) {
	ada := newWorld(t).founder()
	m, other := ada.matter(), ada.matter()
	f := other.newFile(newID(t), 100)
	other.put(f)
	k, err := m.state.Keys()
	m.ok(err)
	state, trail := log.LinkKey(k.StateLink), log.LinkKey(k.TrailLink)
	// With the mark, too, that goes with the tag: the server cannot tell whose it is.
	take := func(sub chain.Submission, mark, tag wire.Hash) chain.Submission {
		sub = ada.remade(sub, func(e *chain.Effect) { e.Mark = mark })
		sub.Entry.Leaf.Tag = tag
		return sub
	}
	position := m.state.Position
	opening, err := other.state.Release(other.author, other.session, f.change.Document, f.change.Header.Version, 0, wire.Hash{})
	m.ok(err)
	found, _, _, err := chain.Found(ada.author, chain.Charter{Kind: chain.KindCompartment, Firm: ada.firm}, "Mallory's", "Mallory")
	m.ok(err)
	for name, x := range map[string]struct {
		path string
		sub  chain.Submission
	}{
		"entry":                     {other.path() + "/entries", take(other.renamed("x"), state.Mark(log.TypeState, position), state.Tag(m.id, log.TypeState, position))},
		"opening":                   {other.path() + "/trail", take(chain.Submission{Entry: opening}, trail.Mark(log.TypeTrail, 0), trail.Tag(m.id, log.TypeTrail, 0))},
		"first statement":           {api.Firm(ada.firm) + "/chains", take(found, state.Mark(log.TypeState, position), state.Tag(m.id, log.TypeState, position))},
		"first statement's nothing": {api.Firm(ada.firm) + "/chains", take(found, wire.Hash{1}, log.Tag(wire.ChainID{}, log.TypeState, 0, wire.Hash{1}))},
		"a later place of its own":  {other.path() + "/trail", take(chain.Submission{Entry: opening}, wire.Hash{1}, log.Tag(other.id, log.TypeTrail, 7, wire.Hash{1}))},
	} {
		t.Run(name, func(t *testing.T) { refused(t, ada.send(x.path, x.sub), api.CodeBadRequest) })
	}
	m.append(m.renamed("goes on"))
	other.append(other.renamed("goes on"))
	want[api.Appended](t, ada.send(other.path()+"/trail", chain.Submission{Entry: opening}))
}

func TestKeyLinks(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	first := ada.lookup(ada.author.Member)[0][0]
	identity := func() *keys.Identity {
		t.Helper()
		seed, err := keys.GenerateIdentitySeed(rand.Reader)
		w.ok(err)
		id, err := keys.NewIdentity(seed)
		w.ok(err)
		return id
	}
	bundle := func(id *keys.Identity) chain.Bundle {
		t.Helper()
		b, err := chain.NewBundle(ada.author.Member, id)
		w.ok(err)
		return b
	}
	second, third := identity(), identity()
	link, err := first.Next(bundle(second), ada.author.Identity)
	w.ok(err)
	after, err := link.Next(bundle(third), second)
	w.ok(err)
	stolen, err := first.Next(bundle(third), third)
	w.ok(err)
	put := func(l chain.KeyLink) error {
		return ada.update(func(tx store.Tx) error { return w.log.PutLink(tx, l) })
	}
	skipping := after
	skipping.Number = 3
	other := link
	other.Firm = wire.ChainID{1}
	for what, c := range map[string]struct {
		link chain.KeyLink
		code api.Code
	}{
		"signed by nobody before": {stolen, api.CodeForbidden},
		"of another firm":         {other, api.CodeForbidden},
		"the one after":           {after, api.CodeNotFound},
		"two after":               {skipping, api.CodeNotFound},
		"the first, again":        {first, api.CodeBadRequest},
		"another first":           {chain.FirstKeyLink(ada.firm, bundle(third)), api.CodeBadRequest},
	} {
		before := dump(t, w)
		if err := put(c.link); !access.Is(err, c.code) {
			t.Errorf("%s: %v", what, err)
		}
		if dump(t, w) != before {
			t.Errorf("%s changed something", what)
		}
	}
	w.ok(put(link))
	if err := put(link); !access.Is(err, api.CodeBadRequest) {
		t.Errorf("again: %v", err)
	}
	if links := ada.lookup(ada.author.Member)[0]; len(links) != 2 || !links[1].Bundle.Keys.Equal(second.Public()) {
		t.Errorf("%d links", len(links))
	}
	w.ok(put(after))
	if links := ada.lookup(ada.author.Member)[0]; len(links) != 3 {
		t.Errorf("%d links", len(links))
	}
	ada.whole("")
}

// TestWhoSeesWhat: of the log everybody in the firm sees hashes; leaves are a chain's members', events its auditors', and
// keys belong to who shares, or shared, a chain. S-LOG-17
func TestWhoSeesWhat(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	m := ada.matter()
	clara, dan := m.join(chain.RoleClient), m.join(chain.RoleClient)
	m = ada.replay(m.id)
	paul := ada.matter().join(chain.RoleParalegal)
	waiting := w.guest(m.invite(chain.RoleClient, chain.ModeOpensAtOnce)) // who did not accept yet
	m.remove(dan.author.Member)

	for who, c := range map[string]struct {
		*player
		leaves, events, clara, dan, paul api.Code
	}{
		"owner":            {ada, "", "", "", "", ""},
		"member":           {clara.player, "", api.CodeForbidden, "", "", api.CodeNotFound},
		"removed":          {dan.player, api.CodeNotFound, api.CodeNotFound, api.CodeNotFound, "", api.CodeNotFound},
		"another matter's": {paul.player, api.CodeNotFound, api.CodeNotFound, api.CodeNotFound, api.CodeNotFound, ""},
		"not seated yet":   {waiting, api.CodeNotFound, api.CodeNotFound, api.CodeNotFound, api.CodeNotFound, api.CodeNotFound},
	} {
		for _, sequence := range []string{api.SequenceState, api.SequenceTrail, api.SequenceServer} {
			if got := c.get(api.Leaves(ada.firm, m.id, sequence, 0)); got.code() != c.leaves {
				t.Errorf("%s: %s leaves: %d %s", who, sequence, got.status, got.body)
			}
		}
		if got := c.get(api.Events(ada.firm, m.id, 0)); got.code() != c.events {
			t.Errorf("%s: events: %d %s", who, got.status, got.body)
		}
		for name, of := range map[*player]api.Code{clara.player: c.clara, dan.player: c.dan, paul.player: c.paul} {
			if got := c.askKeys(0, name.author.Member); got.code() != of {
				t.Errorf("%s: keys: %d %s", who, got.status, got.body)
			}
		}
		refused(t, c.askKeys(0, newID(t)), api.CodeNotFound)
		// One stranger among them, and there is no answer.
		if c.paul != "" {
			refused(t, c.askKeys(0, c.author.Member, paul.author.Member), api.CodeNotFound)
		}
		if links := c.lookup(c.author.Member)[0]; len(links) != 1 {
			t.Errorf("%s: his own keys: %d", who, len(links))
		}
		c.prove(false, wire.Hash{1})
		if got := c.get(api.Log(ada.firm, 0)); got.status != 200 {
			t.Errorf("%s: log: %d", who, got.status)
		}
	}
	refused(t, ada.get(api.Leaves(ada.firm, m.id, "other", 0)), api.CodeBadRequest)
	refused(t, ada.get(api.Leaves(ada.firm, m.id, "", 0)), api.CodeBadRequest)

	// The leaves are the log's own, at the index that is said.
	all := ada.whole("")
	page := ada.get(api.Leaves(ada.firm, m.id, api.SequenceState, 1)).body
	if len(page) != int(m.state.Position-1)*(8+log.LeafSize) {
		t.Fatalf("%d bytes for %d entries", len(page), m.state.Position)
	}
	for ; len(page) > 0; page = page[8+log.LeafSize:] {
		i := layout.ParseUint64(page[:8])
		if i >= uint64(len(all)) || !bytes.Equal(all[i].Bytes(), page[8:8+log.LeafSize]) {
			t.Fatalf("leaf %d is another", i)
		}
	}
	if got := ada.get(api.Leaves(ada.firm, m.id, api.SequenceState, 1<<63)); got.status != 200 || len(got.body) != 0 {
		t.Errorf("beyond the end: %d %d", got.status, len(got.body))
	}
}

// events are a chain's events, verified and opened as its auditor does.
func (p *player) events(id wire.ChainID) []chain.Event {
	p.t.Helper()
	m := p.replay(id)
	proofs, entries, err := chain.ParseEvents(p.get(api.Events(p.firm, id, 0)).body)
	p.ok(err)
	var out []chain.Event
	var previous wire.Hash
	for i, e := range entries {
		event, err := m.state.OpenEvent(p.logs.firm(p.firm).VRF, e, proofs[i], uint64(i), previous)
		p.ok(err)
		out, previous = append(out, event), e.Leaf.Hash()
	}
	return out
}

func kinds(events []chain.Event, kind chain.EventKind, member wire.ObjectID) (out []chain.Event) {
	for _, e := range events {
		if e.Kind == kind && e.Member == member {
			out = append(out, e)
		}
	}
	return out
}

// TestEvents: what the server saw is told once, sealed, and bounded. S-EVENT-07
func TestEvents(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	m := ada.matter()
	f := m.newFile(newID(t), 100)
	m.put(f)
	clara := m.join(chain.RoleClient)
	session := clara.session.ID

	// Sessions, to the firm's auditors.
	opened := kinds(ada.events(ada.firm), chain.EventSessionOpened, clara.author.Member)
	if len(opened) != 1 || opened[0].Session != session || opened[0].Time != uint64(w.clock.now().UnixMilli()) {
		t.Fatalf("%+v", opened)
	}

	// A refusal, to the auditors of the chain that was asked for. What is not found is none.
	refused(t, clara.get(m.path()+"/trail"), api.CodeForbidden)
	refused(t, clara.body(f, ""), api.CodeNotReleased)
	refused(t, clara.get(api.Chain(clara.firm, ada.firm)+"/trail"), api.CodeNotFound)
	denied := kinds(ada.events(m.id), chain.EventDenied, clara.author.Member)
	if len(denied) != 2 || denied[0].Detail != "forbidden GET "+api.RouteTrail || denied[1].Detail != "not-released GET "+api.RouteBody || denied[0].Session != session {
		t.Fatalf("%+v", denied)
	}
	// Up to ten a minute; the tenth says that there may be more.
	for range 30 {
		refused(t, clara.get(m.path()+"/trail"), api.CodeForbidden)
	}
	size := len(ada.whole(""))
	refused(t, clara.get(m.path()+"/trail"), api.CodeForbidden)
	if n := len(ada.whole("")); n != size {
		t.Errorf("a refusal beyond the bound adds %d leaves", n-size)
	}
	denied = kinds(ada.events(m.id), chain.EventDenied, clara.author.Member)
	if len(denied) != 10 || !strings.HasSuffix(denied[9].Detail, "no more are recorded for a minute") || strings.Contains(denied[8].Detail, "no more") {
		t.Fatalf("%d, the last %+v", len(denied), denied[len(denied)-1])
	}
	w.clock.advance(time.Minute)
	refused(t, clara.get(m.path()+"/trail"), api.CodeForbidden)
	if denied = kinds(ada.events(m.id), chain.EventDenied, clara.author.Member); len(denied) != 11 {
		t.Fatalf("%d after a minute", len(denied))
	}

	// Ciphertext served, once for each release.
	served := func() int {
		t.Helper()
		all := kinds(ada.events(m.id), chain.EventServed, clara.author.Member)
		for _, e := range all {
			if e.Document != f.change.Document || e.Version != f.change.Header.Version || e.Session != session {
				t.Errorf("%+v", e)
			}
		}
		return len(all)
	}
	clara.release(f)
	if n := served(); n != 0 {
		t.Errorf("released, and %d are served", n)
	}
	// Two requests that come at once both find that nobody was told yet.
	caller := access.Caller{Firm: clara.firm, Account: clara.account, Member: clara.author.Member, Session: session}
	for range 2 {
		w.ok(clara.update(func(tx store.Tx) error {
			_, err := w.log.Serve(tx, rand.Reader, w.clock.now(), caller, m.id, f.change.Document, f.change.Header.Version)
			return err
		}))
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			p := clara.tab()
			if a, err := p.try("GET", clara.bodyPath(f), "", nil, map[string]string{"Range": "bytes=0-9"}); err != nil || a.status != 206 {
				t.Errorf("%d %v", a.status, err)
			}
		})
	}
	wg.Wait()
	if n := served(); n != 1 {
		t.Errorf("%d are served", n)
	}
	clara.release(f) // renewed
	clara.body(f, "")
	clara.body(f, "")
	if n := served(); n != 2 {
		t.Errorf("%d are served", n)
	}

	want[struct{}](t, clara.do("DELETE", api.Firm(ada.firm)+"/session", "", nil, nil))
	if ended := kinds(ada.events(ada.firm), chain.EventSessionEnded, clara.author.Member); len(ended) != 1 || ended[0].Session != session {
		t.Errorf("%+v", ended)
	}
	// Nothing of it is in the clear.
	if strings.Contains(rawDump(t, w), "no more are recorded") {
		t.Error("the server keeps what it sealed")
	}
	ada.whole("")
}

// TestToldBeforeServed: where the auditors cannot be told, no byte leaves. S-EVENT-06
func TestToldBeforeServed(t *testing.T) {
	var refuse atomic.Bool
	open := func(hook store.Hook) store.Store {
		return memstore.New(func(partition string, tx store.Tx) error {
			if refuse.Load() {
				return store.ErrCommit
			}
			return hook(partition, tx)
		})
	}
	w := newWorldOn(t, open, memblob.New(), nil)
	m := w.founder().matter()
	f := m.newFile(newID(t), 100)
	m.put(f)
	m.release(f)
	refuse.Store(true)
	for _, spec := range []string{"", "bytes=0-0"} {
		a := m.body(f, spec)
		refused(t, a, api.CodeUnavailable)
		if a.status == http.StatusOK || bytes.Contains(a.body, f.body[:16]) {
			t.Error("bytes left")
		}
	}
	refuse.Store(false)
	if a := m.body(f, ""); !bytes.Equal(a.body, f.body) {
		t.Fatalf("%d", a.status)
	}
	refuse.Store(true) // once they were told, serving writes nothing
	if a := m.body(f, ""); !bytes.Equal(a.body, f.body) {
		t.Fatalf("%d", a.status)
	}
}

func TestErase(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	m := ada.matter()
	f := m.newFile(newID(t), 100)
	m.put(f)
	clara := m.join(chain.RoleClient)
	m = ada.replay(m.id)
	var released []chain.Submission
	for range 4 {
		r := m.releaseOf(f)
		want[api.ChainHead](t, m.send(m.path()+"/trail", r))
		released = append(released, r)
	}
	before := ada.whole("")
	erase := func(from, to uint64) answer {
		t.Helper()
		sub, err := m.state.Erase(m.author, from, to, chain.EraseRetention)
		m.ok(err)
		a := m.send(m.path()+"/entries", sub)
		if a.status == 200 {
			m.ok(m.state.Apply(sub.Entry))
		}
		return a
	}
	stored := dump(t, w)
	for _, r := range [][2]uint64{{0, 5}, {3, 5}, {4, 5}, {0, 1 << 40}} {
		refused(t, erase(r[0], r[1]), api.CodeBadRequest)
	}
	if dump(t, w) != stored {
		t.Fatal("a refused one erased something")
	}
	want[api.ChainHead](t, erase(1, 3))
	trail, err := chain.ParseEntries(m.get(m.path() + "/trail?from=0").body)
	m.ok(err)
	for i, e := range trail {
		erased := i == 1 || i == 2
		if (e.Erased != nil) != erased || (len(e.Envelope) == 0) != erased || e.Leaf != released[i].Entry.Leaf || e.Commit() != e.Leaf.Commit || !bytes.Equal(e.Effect, released[i].Entry.Effect) {
			t.Errorf("entry %d: erased %t", i, e.Erased != nil)
		}
	}
	if raw := rawDump(t, w); strings.Contains(raw, string(released[1].Entry.Envelope)) || !strings.Contains(raw, string(released[0].Entry.Envelope)) {
		t.Error("the envelope stays")
	}
	after := ada.whole("") // the whole log still gives the root that is signed
	if !slices.Equal(before, after[:len(before)]) {
		t.Error("leaves changed")
	}
	want[api.ChainHead](t, erase(0, 4)) // also what is erased already
	// Its answer stays what it was, for who sends a release again.
	want[api.ChainHead](t, m.send(m.path()+"/trail", released[1]))

	ghost := *m
	ghost.player = clara.player
	ghost.state = m.state.Clone()
	as := *ghost.state.Members[m.author.Member]
	as.ID, as.Keys = clara.author.Member, clara.author.Identity.Public()
	ghost.state.Members[clara.author.Member] = &as
	sub, err := ghost.state.Erase(clara.author, 0, 1, chain.EraseRequest)
	w.ok(err)
	refused(t, clara.send(m.path()+"/entries", sub), api.CodeForbidden)
}

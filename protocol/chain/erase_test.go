package chain

import (
	"bytes"
	"errors"
	"testing"

	"github.com/underseal/underseal/protocol/wire"
)

// TestErase: an owner says which part of the trail lost its envelopes. Tombstones count there and nowhere else, the leaves
// stay what they were, and the erasure is part of the state that statements sign. S-ERASE-01 S-ERASE-02 S-ERASE-04 S-STATE-01
func TestErase(t *testing.T) {
	w := newTrail(t)
	s, root := w.ada.state, w.ada.state.Root()
	if s.ErasureOf(1) != nil {
		t.Fatal("an erasure that nobody made")
	}
	apply(t, w.l, w.ada, must[Submission](t)(s.Erase(w.ada.Author, 1, 3, EraseRetention)))
	apply(t, w.l, w.ada, must[Submission](t)(s.Erase(w.ada.Author, 4, 5, EraseRequest)))
	if s.Root() == root {
		t.Error("an erasure is not in the state's root")
	}
	for position, rule := range []EraseRule{0, EraseRetention, EraseRetention, 0, EraseRequest, 0} {
		x := s.ErasureOf(uint64(position))
		if (x != nil) != (rule != 0) || (x != nil && (x.Rule != rule || x.By != w.ada.Member || x.At != w.ada.head().Time)) {
			t.Errorf("position %d: %+v", position, x)
		}
	}
	var previous wire.Hash
	for i, e := range w.releases {
		gone := e.Erase()
		if gone.Commit() != e.Commit() || gone.Leaf != e.Leaf || gone.Envelope != nil || !bytes.Equal(gone.Erase().Bytes(), gone.Bytes()) {
			t.Errorf("release %d: an erasure changes its commit", i)
		}
		gone = must[Entry](t)(ParseEntry(gone.Bytes()))
		r, err := s.OpenRelease(gone, uint64(i), previous)
		if s.ErasureOf(uint64(i)) == nil {
			if !errors.Is(err, ErrErased) {
				t.Errorf("release %d: an omission is taken for an erasure: %v", i, err)
			}
		} else if err != nil || !r.Erased || r.Effect.Actor != w.clara.Member || r.Time != 0 || r.Checkpoint != nil {
			t.Errorf("release %d: %+v, %v", i, r, err)
		}
		// What an owner said is gone may still be there.
		if r, err := s.OpenRelease(e, uint64(i), previous); err != nil || r.Erased {
			t.Errorf("release %d: %v", i, err)
		}
		previous = e.Leaf.Hash()
	}
	at1 := w.releases[0].Leaf.Hash()
	other := w.releases[2].Erase()
	mixed := w.releases[1].Erase()
	mixed.Erased = other.Erased
	for name, c := range map[string]struct {
		e    Entry
		want error
	}{"another place's tombstone": {other, ErrOrder}, "another envelope's hash": {mixed, ErrLeaf}, "a hash of nothing": {Entry{w.releases[1].Leaf, w.releases[1].Effect, nil, &wire.Hash{}}, ErrLeaf}} {
		if _, err := s.OpenRelease(c.e, 1, at1); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if _, err := must[*State](t)(w.l.open(t, w.clara)).OpenRelease(w.releases[1].Erase(), 1, at1); !errors.Is(err, ErrRights) {
		t.Error("a client reads the trail")
	}
	// The next statement signs it, everybody derives it, and the device's cache has it.
	w.rotate(t)
	for name, p := range map[string]*person{"auditor": w.aude, "client": w.clara} {
		again := must[*State](t)(w.l.open(t, p))
		if len(again.Erasures) != 2 || again.Root() != s.Root() {
			t.Errorf("%s derives %d erasures", name, len(again.Erasures))
		}
		warm := must[*State](t)(Unmarshal(again.Marshal()))
		if warm.Root() != s.Root() || len(warm.Erasures) != 2 || warm.Erasures[0] != s.Erasures[0] || warm.ErasureOf(2) == nil || warm.ErasureOf(3) != nil {
			t.Errorf("%s: a cache loses an erasure", name)
		}
	}
	forgot := s.Clone()
	forgot.Erasures = forgot.Erasures[1:]
	if forgot.Root() == s.Root() || len(s.Erasures) != 2 {
		t.Error("a state without the erasure has the same root")
	}
}

// TestEraseAuthors: only an owner erases, and only what there is. Who may apply one stands in TestRoleAttacks. S-ERASE-01
func TestEraseAuthors(t *testing.T) {
	w := newWorld(t)
	for name, p := range map[string]*person{"paralegal": w.petra, "client": w.clara, "expert": w.xaver, "auditor": w.aude, "reviewer": w.rita, "removed": w.rex, "waiting": w.wanda, "stranger": w.mal} {
		if _, err := w.ada.state.Erase(p.Author, 0, 1, EraseRequest); !errors.Is(err, ErrRights) {
			t.Errorf("%s erases: %v", name, err)
		}
	}
	if _, err := w.ada.state.Erase(w.olga.Author, 0, 1, EraseRequest); err != nil {
		t.Errorf("another owner: %v", err)
	}
	for name, x := range map[string]EraseEffect{"nothing": {3, 3, EraseRequest}, "backwards": {3, 2, EraseRequest}, "rule 0": {0, 1, 0}, "rule 3": {0, 1, 3}} {
		if _, err := w.ada.state.Erase(w.ada.Author, x.From, x.To, x.Rule); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	names := map[string]bool{EraseRetention.String(): true, EraseRequest.String(): true, EraseRule(0).String(): true, EraseRule(3).String(): true}
	if len(names) != 3 || !names["unknown"] {
		t.Errorf("names of rules: %v", names)
	}
	body := append(func() []byte { h := wire.NewWriter(); w.ada.head().write(h); return h.Bytes() }(), 0)
	refused(t, w.ada.state.Clone(), w.forge(t, w.ada, KindErase, body, func(e *Effect) { e.Erase = &EraseEffect{0, 1, EraseRequest} }), ErrMismatch)
}

// TestTombstones: no statement, invite or erasure is ever a tombstone, and nobody adds what is gone. S-ERASE-03 S-WIRE-01
func TestTombstones(t *testing.T) {
	w := newWorld(t)
	apply(t, w.l, w.ada, must[Submission](t)(w.ada.state.Erase(w.ada.Author, 0, 1000, EraseRequest)))
	s := w.ada.state
	rotation, k, err := s.Rotate(w.ada.Author, Rotation{Reason: ReasonScheduled})
	if err != nil {
		t.Fatal(err)
	}
	renamed := must[Submission](t)(s.Batch(w.ada.Author, []Change{{Kind: OpProfile, Name: "Another name"}}))
	for name, sub := range map[string]Submission{"new name": renamed, "statement": rotation, "erasure": must[Submission](t)(s.Erase(w.ada.Author, 0, 1, EraseRequest))} {
		x := s.Clone()
		x.AddKeys(k)
		refused(t, x, sub.Entry.Erase(), ErrErased)
		sub.Entry = sub.Entry.Erase()
		if _, err := ParseSubmission(sub.Bytes()); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("a %s that is gone is added: %v", name, err)
		}
	}
	held := KeySet{1: s.keys[1]}
	if _, err := Start(w.l.id, w.l.entries[0].Erase(), held); !errors.Is(err, ErrFirst) {
		t.Errorf("a first statement that is gone: %v", err)
	}
	gone := w.l.entries[3].Erase().Bytes()
	form := len(gone) - 33
	for name, b := range map[string][]byte{"another form": func() []byte { b := bytes.Clone(gone); b[form] = 2; return b }(), "another form and nothing after it": append(bytes.Clone(gone[:form]), 2), "cut": gone[:len(gone)-1], "a byte more": append(bytes.Clone(gone), 0), "form alone": gone[:form+1]} {
		if _, err := ParseEntry(b); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("an entry with %s: %v", name, err)
		}
	}
	both := append(bytes.Clone(gone), w.l.entries[3].Bytes()...)
	if list, err := ParseEntries(both); err != nil || len(list) != 2 || list[0].Erased == nil || list[1].Erased != nil || list[0].Commit() != list[1].Commit() {
		t.Errorf("entries with a tombstone: %v", err)
	}
}

// TestCarried: the checkpoints that entries carry come out once, in order, with who carried them; a refused entry carries
// nothing, and one that is too long is not made. S-CARRY-01
func TestCarried(t *testing.T) {
	w := newTrail(t)
	s := w.ada.state
	if c := s.TakeCarried(); len(c) != 0 {
		t.Fatalf("%d checkpoints that nobody carried", len(c))
	}
	at := func(text string) { w.ada.Checkpoint = []byte(text) }
	from := s.Position
	at("one")
	w.add(t, newID(t))
	at("")
	w.add(t, newID(t))
	at("two")
	sub := must[Submission](t)(s.Erase(w.ada.Author, 0, 1, EraseRequest))
	apply(t, w.l, w.ada, sub)
	at("three")
	w.rotate(t)
	w.clara.Checkpoint = []byte("four")
	clara := w.as(w.clara)
	clara.Checkpoint = w.clara.Checkpoint
	apply(t, w.l, w.ada, addDocument(t, clara, newID(t), "c.pdf"))
	refused(t, s, sub.Entry, ErrOrder)
	want := []Carried{{from, w.ada.Member, []byte("one")}, {from + 2, w.ada.Member, []byte("two")}, {from + 3, w.ada.Member, []byte("three")}, {from + 4, w.clara.Member, []byte("four")}}
	clone := s.Clone()
	for name, x := range map[string]*State{"state": s, "clone": clone} {
		got := x.TakeCarried()
		if len(got) != len(want) {
			t.Fatalf("%s: %d checkpoints, want %d", name, len(got), len(want))
		}
		for i, c := range got {
			if c.Position != want[i].Position || c.Author != want[i].Author || !bytes.Equal(c.Checkpoint, want[i].Checkpoint) {
				t.Errorf("%s: %d is %+v", name, i, c)
			}
		}
		if again := x.TakeCarried(); len(again) != 0 {
			t.Errorf("%s: checkpoints come out twice", name)
		}
	}
	// A replay finds the same, and what a founder and a guest carried too.
	if all := must[*State](t)(w.l.open(t, w.petra)).TakeCarried(); len(all) != len(want) {
		t.Errorf("a replay finds %d", len(all))
	}
	founder := newPerson(t)
	founder.Checkpoint = []byte("founder's")
	first, id, k, err := Found(founder.Author, Charter{Kind: KindFirm}, "Firm", "Ada")
	if err != nil {
		t.Fatal(err)
	}
	begun := must[*State](t)(Start(id, first.Entry, KeySet{1: k}))
	if c := begun.TakeCarried(); len(c) != 1 || c[0].Position != 0 || c[0].Author != founder.Member || string(c[0].Checkpoint) != "founder's" {
		t.Errorf("a founder's: %+v", c)
	}
	guest := newPerson(t)
	guest.Checkpoint = []byte("guest's")
	l := w.invite(t, "Gast", RoleClient, ModeOpensAtOnce)
	s.TakeCarried()
	position, head := w.l.head()
	apply(t, w.l, w.ada, must[Submission](t)(l.Accept(guest.Author, must[Package](t)(l.OpenPackage(w.l.rows[l.Invite])), position, head)))
	if c := s.TakeCarried(); len(c) != 1 || c[0].Author != guest.Member || string(c[0].Checkpoint) != "guest's" {
		t.Errorf("a guest's: %+v", c)
	}
	// A release carries one to the auditors.
	n := len(w.releases)
	w.release(t, 1)
	r, err := s.OpenRelease(w.releases[n], uint64(n), w.releases[n-1].Leaf.Hash())
	if err != nil || string(r.Checkpoint) != "four" {
		t.Errorf("a release's: %q %v", r.Checkpoint, err)
	}
	long := bytes.Repeat([]byte{1}, maxCheckpoint+1)
	w.ada.Checkpoint, w.clara.Checkpoint = long, long
	if _, err := s.Erase(w.ada.Author, 0, 1, EraseRequest); !errors.Is(err, ErrInput) {
		t.Errorf("an entry that nobody would accept: %v", err)
	}
	if _, err := w.releaseOf(t); !errors.Is(err, ErrInput) {
		t.Errorf("a release that nobody would accept: %v", err)
	}
	w.ada.Checkpoint = long[1:]
	apply(t, w.l, w.ada, must[Submission](t)(s.Erase(w.ada.Author, 0, 1, EraseRequest)))
}

// TestCloneKeepsApart: what is applied to a copy is not in the original, nor the other way round: rotations are tried on copies.
// S-CHAIN-02 S-CARRY-01
func TestCloneKeepsApart(t *testing.T) {
	w := newWorld(t)
	erase := func(s *State, to uint64) {
		t.Helper()
		a := w.ada.Author
		a.Checkpoint = []byte{byte(to)}
		if err := s.Apply(must[Submission](t)(s.Erase(a, 0, to, EraseRequest)).Entry); err != nil {
			t.Fatal(err)
		}
	}
	for n := range uint64(9) {
		one := w.ada.state.Clone()
		for i := range n {
			erase(one, 1+i)
		}
		two := one.Clone()
		erase(one, 100)
		erase(two, 200)
		if a, b := one.Erasures[n].To, two.Erasures[n].To; a != 100 || b != 200 {
			t.Errorf("%d erasures: %d and %d", n, a, b)
		}
		if a, b := one.TakeCarried()[n].Checkpoint[0], two.TakeCarried()[n].Checkpoint[0]; a != 100 || b != 200 {
			t.Errorf("%d checkpoints: %d and %d", n, a, b)
		}
	}
}

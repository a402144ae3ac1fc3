package chain

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// trail is a world whose trail has six releases, in three epochs, and the leaves of both sequences as the log shows them.
type trail struct {
	*world
	releases []Entry
	leaves   map[wire.Hash]log.Leaf // by tag
}

const testOrigin = "underseal.example/log/x"

func newTrail(t testing.TB) *trail {
	t.Helper()
	w := &trail{world: newWorld(t), leaves: map[wire.Hash]log.Leaf{}}
	w.release(t, 3)
	w.rotate(t)
	w.add(t, newID(t))
	w.release(t, 2)
	w.rotate(t)
	w.rotate(t) // an epoch without a release, and without an entry of its own but the statement that ends it
	w.add(t, newID(t))
	w.release(t, 1)
	for _, e := range append(slices.Clone(w.l.entries), w.releases...) {
		w.leaves[e.Leaf.Tag] = e.Leaf
	}
	return w
}

func (w *trail) end() (uint64, wire.Hash) {
	if n := len(w.releases); n > 0 {
		return uint64(n), w.releases[n-1].Leaf.Hash()
	}
	return 0, wire.Hash{}
}

func (w *trail) release(t testing.TB, n int) {
	t.Helper()
	session := must[*Session](t)(NewSession(w.clara.Author, w.ada.state.FirmOf(), time.Hour))
	for range n {
		position, previous := w.end()
		e := must[Entry](t)(w.ada.state.Release(w.clara.Author, session, w.doc, w.ada.state.Documents[w.doc].Current().Header.Version, position, previous))
		w.releases = append(w.releases, e)
	}
}

func (w *trail) add(t testing.TB, doc wire.ObjectID) {
	t.Helper()
	apply(t, w.l, w.ada, addDocument(t, w.ada, doc, "b.pdf"))
}

func (w *trail) rotate(t testing.TB, remove ...wire.ObjectID) Submission {
	t.Helper()
	position, head := w.end()
	r := Rotation{Reason: ReasonScheduled, TrailPosition: position, TrailHead: head, FirmName: "f"}
	if len(remove) > 0 {
		r.Reason, r.Remove = ReasonMemberRemoved, remove
	}
	sub, k, err := w.ada.state.Rotate(w.ada.Author, r)
	if err != nil {
		t.Fatal(err)
	}
	w.ada.state.AddKeys(k)
	apply(t, w.l, w.ada, sub)
	return sub
}

func (w *trail) statements(t testing.TB) (list []Entry) {
	t.Helper()
	for _, e := range w.l.entries {
		if must[*Effect](t)(ParseEffect(e.Effect)).Kind == KindStatement {
			list = append(list, e)
		}
	}
	return list
}

// held is every key that a person reaches from the newest row that was wrapped to him.
func (w *trail) held(t testing.TB, p *person) KeySet {
	t.Helper()
	newest := must[*EpochKeys](t)(Unwrap(w.l.id, p.Author, w.l.rows[p.Member]))
	return must[KeySet](t)(OpenHistory(w.l.id, newest, w.statements(t)))
}

func (w *trail) find(tag wire.Hash) (log.Leaf, bool) {
	l, ok := w.leaves[tag]
	return l, ok
}

// TestAuditor: who comes by an auditor's invite opens every entry and the whole trail, and no document's key; he adds
// nothing. S-SEQ-05 S-TRAIL-04 S-EPOCH-02
func TestAuditor(t *testing.T) {
	w := newTrail(t)
	s := must[*State](t)(w.l.open(t, w.aude))
	if s.Root() != w.ada.state.Root() || s.Members[w.aude.Member].Role != RoleAuditor {
		t.Fatal("an auditor derives another state")
	}
	var previous wire.Hash
	for i, e := range w.releases {
		r, err := s.OpenRelease(e, uint64(i), previous)
		if err != nil || r.Effect.Actor != w.clara.Member || r.Effect.Release.Document != w.doc || r.StateHead.IsZero() {
			t.Fatalf("release %d: %v", i, err)
		}
		previous = e.Leaf.Hash()
	}
	for epoch, k := range s.keys {
		if k.Content != (Secret{}) || k.HistoryContent != (Secret{}) {
			t.Errorf("epoch %d: an auditor holds a content key", epoch)
		}
		for _, secret := range k.rungs() {
			for _, d := range s.Documents {
				for _, v := range d.Versions {
					if _, err := v.OpenKey(secret); err == nil {
						t.Fatal("an auditor opens a document's key")
					}
				}
			}
		}
	}
	session := must[*Session](t)(NewSession(w.aude.Author, s.FirmOf(), time.Hour))
	if _, err := s.Release(w.aude.Author, session, w.doc, s.Documents[w.doc].Current().Header.Version, 0, wire.Hash{}); !errors.Is(err, ErrRights) {
		t.Errorf("an auditor is released a document: %v", err)
	}
	if _, err := s.Batch(w.aude.Author, []Change{{Kind: OpDelete, Document: w.doc}}); !errors.Is(err, ErrRights) {
		t.Errorf("an auditor deletes: %v", err)
	}
	if _, err := Links(testOrigin, s.ID, s.keys, w.statements(t)); err != nil {
		t.Errorf("an auditor has no link keys: %v", err)
	}
}

// TestReviewer: who comes by a reviewer's invite holds the link keys of every epoch and nothing else: he opens no entry and
// no release, and so follows no chain. S-SEQ-05 S-EPOCH-02
func TestReviewer(t *testing.T) {
	w := newTrail(t)
	confirmed := w.invite(t, "Rolf Reviewer", RoleReviewer, ModeAfterIConfirm)
	rolf := w.l.join(t, confirmed, ModeAfterIConfirm)
	w.catchUp(t)
	apply(t, w.l, w.ada, must[Submission](t)(w.ada.state.Admit(w.ada.Author, confirmed.Invite)))
	for name, p := range map[string]*person{"at once": w.rita, "confirmed": rolf} {
		t.Run(name, func(t *testing.T) {
			held := w.held(t, p)
			if len(held) != int(w.ada.state.Epoch) {
				t.Fatalf("%d epochs, want %d", len(held), w.ada.state.Epoch)
			}
			for epoch, k := range held {
				full := w.ada.state.keys[epoch]
				want := EpochKeys{Epoch: epoch, Rung: RungLink, History: true, StateLink: full.StateLink, TrailLink: full.TrailLink, HistoryLink: full.HistoryLink}
				if *k != want {
					t.Errorf("epoch %d: a reviewer holds other keys than the link keys", epoch)
				}
				for _, secret := range k.rungs() {
					for _, e := range w.l.entries {
						if _, _, err := openEnvelope(secret, e.Effect, e.Envelope); err == nil {
							t.Fatal("a reviewer opens an entry")
						}
					}
					for _, e := range w.releases {
						if _, _, err := openTrail(&EpochKeys{Trail: secret}, e); err == nil {
							t.Fatal("a reviewer opens a release")
						}
					}
				}
			}
			if _, err := Start(w.l.id, w.l.entries[0], held); !errors.Is(err, ErrEnvelope) {
				t.Errorf("a reviewer follows the chain: %v", err)
			}
			ours, err := Links(testOrigin, w.l.id, held, w.statements(t))
			if err != nil {
				t.Fatal(err)
			}
			owners := must[log.LinkKeys](t)(Links(testOrigin, w.l.id, w.ada.state.keys, w.statements(t)))
			if !bytes.Equal(ours.Format(), owners.Format()) {
				t.Error("a reviewer's link keys are not the owner's")
			}
		})
	}
}

// TestWalk: with the link keys alone, a reviewer finds every entry of both sequences in the log, in order, and stops at each
// lie. S-SEQ-01 S-SEQ-02
func TestWalk(t *testing.T) {
	w := newTrail(t)
	other := newTrail(t)
	real := must[log.LinkKeys](t)(Links(testOrigin, w.l.id, w.held(t, w.rita), w.statements(t)))
	sequences := map[uint16][]Entry{log.TypeState: w.l.entries, log.TypeTrail: w.releases}
	for kind, entries := range sequences {
		var seen []log.Leaf
		n, head, err := real.Walk(kind, w.find, func(position uint64, l log.Leaf) {
			if position != uint64(len(seen)) {
				t.Errorf("position %d after %d leaves", position, len(seen))
			}
			seen = append(seen, l)
		})
		if err != nil || n != uint64(len(entries)) || head != entries[n-1].Leaf.Hash() {
			t.Fatalf("type %d: %d entries, want %d: %v", kind, n, len(entries), err)
		}
		for i, e := range entries {
			if seen[i] != e.Leaf {
				t.Errorf("type %d: leaf %d is another", kind, i)
			}
		}
		if again, _, err := real.Walk(kind, w.find, nil); err != nil || again != n {
			t.Errorf("without a listener: %d, %v", again, err)
		}
	}
	// The ends of closed epochs: the statement of the next, and the last release that it closes.
	stateEnd, trailEnd := real.Epochs[2].StateFrom-1, real.Epochs[2].TrailFrom-1
	for _, a := range []struct {
		name string
		kind uint16
		want error
		lie  func(leaves map[wire.Hash]log.Leaf, k *log.LinkKeys)
	}{
		{"nothing", log.TypeState, nil, func(map[wire.Hash]log.Leaf, *log.LinkKeys) {}},
		{"a forged commit", log.TypeState, log.ErrLink, func(m map[wire.Hash]log.Leaf, _ *log.LinkKeys) {
			change(m, w.l.entries[5].Leaf.Tag, func(l *log.Leaf) { l.Commit[0] ^= 1 })
		}},
		{"a forged link", log.TypeTrail, log.ErrLink, func(m map[wire.Hash]log.Leaf, _ *log.LinkKeys) {
			change(m, w.releases[1].Leaf.Tag, func(l *log.Leaf) { l.Link[0] ^= 1 })
		}},
		{"a forged type", log.TypeState, log.ErrLink, func(m map[wire.Hash]log.Leaf, _ *log.LinkKeys) {
			change(m, w.l.entries[5].Leaf.Tag, func(l *log.Leaf) { l.Type = log.TypeTrail })
		}},
		{"a forged newest leaf", log.TypeTrail, log.ErrLink, func(m map[wire.Hash]log.Leaf, _ *log.LinkKeys) {
			change(m, w.releases[5].Leaf.Tag, func(l *log.Leaf) { l.Commit[0] ^= 1 })
		}},
		{"the first leaf dropped", log.TypeState, log.ErrIncomplete, func(m map[wire.Hash]log.Leaf, _ *log.LinkKeys) { delete(m, w.l.entries[0].Leaf.Tag) }},
		{"a leaf dropped in the middle of the state", log.TypeState, log.ErrIncomplete, func(m map[wire.Hash]log.Leaf, _ *log.LinkKeys) { delete(m, w.l.entries[5].Leaf.Tag) }},
		{"a leaf dropped in the middle of the trail", log.TypeTrail, log.ErrIncomplete, func(m map[wire.Hash]log.Leaf, _ *log.LinkKeys) { delete(m, w.releases[1].Leaf.Tag) }},
		{"the statement dropped that ends an epoch", log.TypeState, log.ErrIncomplete, func(m map[wire.Hash]log.Leaf, _ *log.LinkKeys) { delete(m, w.l.entries[stateEnd].Leaf.Tag) }},
		{"the last release dropped that an epoch has", log.TypeTrail, log.ErrIncomplete, func(m map[wire.Hash]log.Leaf, _ *log.LinkKeys) { delete(m, w.releases[trailEnd].Leaf.Tag) }},
		{"a statement without entries before it dropped", log.TypeState, log.ErrIncomplete, func(m map[wire.Hash]log.Leaf, _ *log.LinkKeys) {
			delete(m, w.l.entries[real.Epochs[4].StateFrom-1].Leaf.Tag)
		}},
		{"two leaves swapped", log.TypeState, log.ErrLink, func(m map[wire.Hash]log.Leaf, _ *log.LinkKeys) {
			a, b := w.l.entries[5].Leaf, w.l.entries[6].Leaf
			m[a.Tag], m[b.Tag] = b, a
		}},
		{"two leaves swapped with each other's tag", log.TypeState, log.ErrLink, func(m map[wire.Hash]log.Leaf, _ *log.LinkKeys) {
			a, b := w.l.entries[5].Leaf, w.l.entries[6].Leaf
			a.Tag, b.Tag = b.Tag, a.Tag
			m[a.Tag], m[b.Tag] = a, b
		}},
		{"a leaf of another matter", log.TypeState, log.ErrLink, func(m map[wire.Hash]log.Leaf, _ *log.LinkKeys) { m[w.l.entries[5].Leaf.Tag] = other.l.entries[5].Leaf }},
		{"a leaf of another matter under our tag", log.TypeTrail, log.ErrLink, func(m map[wire.Hash]log.Leaf, _ *log.LinkKeys) {
			l := other.releases[1].Leaf
			l.Tag = w.releases[1].Leaf.Tag
			m[l.Tag] = l
		}},
		{"a leaf of the other sequence", log.TypeTrail, log.ErrLink, func(m map[wire.Hash]log.Leaf, _ *log.LinkKeys) { m[w.releases[1].Leaf.Tag] = w.l.entries[1].Leaf }},
		{"another log of the same length", log.TypeState, log.ErrIncomplete, func(m map[wire.Hash]log.Leaf, _ *log.LinkKeys) {
			clear(m)
			for _, e := range other.l.entries {
				m[e.Leaf.Tag] = e.Leaf
			}
		}},
		{"a history that was written again after the epoch closed", log.TypeTrail, log.ErrLink, func(m map[wire.Hash]log.Leaf, k *log.LinkKeys) {
			var head wire.Hash // by somebody who has the link key: what the owner signed was another
			for n := range uint64(3) {
				l := log.NewLeaf(k.Chain, log.TypeTrail, k.Epochs[1].Trail, n, head, wire.Hash{9})
				m[l.Tag], head = l, l.Hash()
			}
		}},
		{"keys that begin elsewhere", log.TypeState, log.ErrLink, func(_ map[wire.Hash]log.Leaf, k *log.LinkKeys) { k.Epochs[0].StateFrom = 1 }},
		{"keys whose newest epoch begins before", log.TypeState, log.ErrLink, func(_ map[wire.Hash]log.Leaf, k *log.LinkKeys) { k.Epochs[4].StateFrom-- }},
		{"keys whose newest epoch begins after", log.TypeState, log.ErrIncomplete, func(_ map[wire.Hash]log.Leaf, k *log.LinkKeys) { k.Epochs[4].StateFrom++ }},
		{"keys whose trail begins before", log.TypeTrail, log.ErrLink, func(_ map[wire.Hash]log.Leaf, k *log.LinkKeys) { k.Epochs[4].TrailFrom-- }},
		{"keys whose trail begins after", log.TypeTrail, log.ErrIncomplete, func(_ map[wire.Hash]log.Leaf, k *log.LinkKeys) { k.Epochs[4].TrailFrom++ }},
		{"keys that close a sequence elsewhere", log.TypeState, log.ErrLink, func(_ map[wire.Hash]log.Leaf, k *log.LinkKeys) { k.Epochs[3].StateHead[0] ^= 1 }},
		{"keys that close a trail elsewhere", log.TypeTrail, log.ErrLink, func(_ map[wire.Hash]log.Leaf, k *log.LinkKeys) { k.Epochs[3].TrailHead[0] ^= 1 }},
		{"another key", log.TypeState, log.ErrIncomplete, func(_ map[wire.Hash]log.Leaf, k *log.LinkKeys) { k.Epochs[1].State[0] ^= 1 }},
		{"keys without an epoch", log.TypeState, log.ErrIncomplete, func(_ map[wire.Hash]log.Leaf, k *log.LinkKeys) { k.Epochs = slices.Delete(k.Epochs, 1, 2) }},
	} {
		t.Run(a.name, func(t *testing.T) {
			leaves, k := map[wire.Hash]log.Leaf{}, real
			for tag, l := range w.leaves {
				leaves[tag] = l
			}
			k.Epochs = slices.Clone(real.Epochs)
			a.lie(leaves, &k)
			_, _, err := k.Walk(a.kind, func(tag wire.Hash) (log.Leaf, bool) { l, ok := leaves[tag]; return l, ok }, nil)
			if !errors.Is(err, a.want) {
				t.Errorf("got %v, want %v", err, a.want)
			}
		})
	}
}

func change(m map[wire.Hash]log.Leaf, tag wire.Hash, f func(*log.Leaf)) {
	l := m[tag]
	f(&l)
	m[tag] = l
}

// TestLinksAttacks: link keys come from the chain's own statements, all of them, each in its place. S-SEQ-03
func TestLinksAttacks(t *testing.T) {
	w := newTrail(t)
	other := newTrail(t)
	held := w.held(t, w.rita)
	l2 := must[*Effect](t)(ParseEffect(w.statements(t)[1].Effect)).Position + 1 // of the same epoch
	edit := func(e Entry, f func(*Effect)) Entry {
		effect := must[*Effect](t)(ParseEffect(e.Effect))
		f(effect)
		e.Effect = effect.Bytes()
		return e
	}
	for _, a := range []struct {
		name string
		want error
		lie  func(list []Entry, held KeySet) []Entry
	}{
		{"nothing", nil, func(l []Entry, _ KeySet) []Entry { return l }},
		{"no statement", ErrEpoch, func([]Entry, KeySet) []Entry { return nil }},
		{"a statement left out", ErrEpoch, func(l []Entry, _ KeySet) []Entry { return slices.Delete(l, 1, 2) }},
		{"the newest left out", ErrEpoch, func(l []Entry, _ KeySet) []Entry { return l[:len(l)-1] }},
		{"a statement twice", ErrEpoch, func(l []Entry, _ KeySet) []Entry { return slices.Insert(l, 1, l[0]) }},
		{"two exchanged", ErrEpoch, func(l []Entry, _ KeySet) []Entry { l[1], l[2] = l[2], l[1]; return l }},
		{"an entry that is no statement", ErrEpoch, func(l []Entry, _ KeySet) []Entry { l[1] = w.l.entries[l2]; return l }},
		{"another matter's first", ErrLeaf, func(l []Entry, _ KeySet) []Entry { l[0] = other.l.entries[0]; return l }},
		{"another matter's second", ErrLeaf, func(l []Entry, _ KeySet) []Entry { l[1] = other.statements(t)[1]; return l }},
		{"another first with our openings", ErrFirst, func(l []Entry, _ KeySet) []Entry {
			l[0] = edit(l[0], func(e *Effect) { e.Entry[0] ^= 1 })
			return l
		}},
		{"another position", ErrLeaf, func(l []Entry, _ KeySet) []Entry { l[2] = edit(l[2], func(e *Effect) { e.Position++ }); return l }},
		{"another entry before", ErrLeaf, func(l []Entry, _ KeySet) []Entry { l[2] = edit(l[2], func(e *Effect) { e.Previous[0] ^= 1 }); return l }},
		{"another trail position", ErrLeaf, func(l []Entry, _ KeySet) []Entry {
			l[2] = edit(l[2], func(e *Effect) { e.Statement.TrailPosition-- })
			return l
		}},
		{"another trail head", ErrLeaf, func(l []Entry, _ KeySet) []Entry {
			l[2] = edit(l[2], func(e *Effect) { e.Statement.TrailHead[0] ^= 1 })
			return l
		}},
		{"anything else of a statement", ErrLeaf, func(l []Entry, _ KeySet) []Entry {
			l[2] = edit(l[2], func(e *Effect) { e.Actor[0] ^= 1 })
			return l
		}},
		{"another envelope", ErrLeaf, func(l []Entry, _ KeySet) []Entry {
			l[2].Envelope = append(slices.Clone(l[2].Envelope), 0)
			return l
		}},
		{"another leaf", ErrLeaf, func(l []Entry, _ KeySet) []Entry { l[2].Leaf.Link[0] ^= 1; return l }},
		{"no key for an epoch", ErrNoKey, func(l []Entry, held KeySet) []Entry { delete(held, 3); return l }},
		{"another epoch's key", ErrLeaf, func(l []Entry, held KeySet) []Entry { held[3] = held[2]; return l }},
		{"another link key of the newest epoch's state", ErrLeaf, func(l []Entry, held KeySet) []Entry {
			k := *held[5]
			k.StateLink[0] ^= 1
			held[5] = &k
			return l
		}},
		{"another link key of the newest epoch's trail", ErrLeaf, func(l []Entry, held KeySet) []Entry {
			k := *held[5]
			k.TrailLink[0] ^= 1
			held[5] = &k
			return l
		}},
		{"noise", wire.ErrMalformed, func(l []Entry, _ KeySet) []Entry { l[1].Effect = l[1].Effect[:50]; return l }},
	} {
		t.Run(a.name, func(t *testing.T) {
			keys := KeySet{}
			for epoch, k := range held {
				keys[epoch] = k
			}
			list := a.lie(w.statements(t), keys)
			if _, err := Links(testOrigin, w.l.id, keys, list); !errors.Is(err, a.want) {
				t.Errorf("got %v, want %v", err, a.want)
			}
		})
	}
	if _, err := Links(testOrigin, other.l.id, held, w.statements(t)); !errors.Is(err, ErrFirst) {
		t.Errorf("another matter's id: %v", err)
	}
}

// TestRemovedAuditors: an auditor and a reviewer end like any member: of the next epoch they open, place and walk nothing, and
// nothing is wrapped to them. S-SEQ-05 S-EPOCH-16 S-EPOCH-17
func TestRemovedAuditors(t *testing.T) {
	w := newTrail(t)
	auditor := must[*State](t)(w.l.open(t, w.aude))
	had := w.held(t, w.rita)
	before := must[log.LinkKeys](t)(Links(testOrigin, w.l.id, had, w.statements(t)))
	sub := w.rotate(t, w.aude.Member, w.rita.Member)
	closed := uint64(len(w.l.entries))
	w.add(t, newID(t))
	w.release(t, 2)
	for _, e := range append(slices.Clone(w.l.entries), w.releases...) {
		w.leaves[e.Leaf.Tag] = e.Leaf
	}
	for _, r := range sub.Rows {
		if r.Recipient == w.aude.Member || r.Recipient == w.rita.Member {
			t.Error("a removed member is wrapped to")
		}
	}
	refused(t, auditor, sub.Entry, ErrNoKey)
	if !auditor.Ended(sub.Entry, w.aude.Member) {
		t.Error("his removal is not told from a lie")
	}
	last := w.releases[len(w.releases)-1]
	if _, err := auditor.OpenRelease(last, uint64(len(w.releases)-1), w.releases[len(w.releases)-2].Leaf.Hash()); !errors.Is(err, ErrEpoch) {
		t.Errorf("a removed auditor reads the trail: %v", err)
	}
	for name, held := range map[string]KeySet{"auditor": auditor.keys, "reviewer": had} {
		for _, k := range held {
			for _, secret := range k.rungs() {
				for _, e := range w.l.entries[closed:] {
					if _, _, err := openEnvelope(secret, e.Effect, e.Envelope); err == nil {
						t.Errorf("%s: a later entry opens", name)
					}
				}
				if _, _, err := openTrail(&EpochKeys{Trail: secret}, last); err == nil {
					t.Errorf("%s: a later release opens", name)
				}
				for kind, entries := range map[uint16][]Entry{log.TypeState: w.l.entries[closed:], log.TypeTrail: w.releases[6:]} {
					for _, e := range entries {
						effect := must[*Effect](t)(ParseEffect(e.Effect))
						if log.LinkKey(secret).Tag(w.l.id, kind, effect.Position) == e.Leaf.Tag {
							t.Errorf("%s: a later leaf is found", name)
						}
					}
				}
			}
		}
		if _, err := Links(testOrigin, w.l.id, held, w.statements(t)); !errors.Is(err, ErrNoKey) {
			t.Errorf("%s: link keys of the next epoch: %v", name, err)
		}
	}
	// What he has leads as far as the statement that ended his seat.
	for kind, want := range map[uint16]uint64{log.TypeState: closed, log.TypeTrail: 6} {
		if n, _, err := before.Walk(kind, w.find, nil); err != nil || n != want {
			t.Errorf("type %d: he walks to %d, want %d: %v", kind, n, want, err)
		}
	}
}

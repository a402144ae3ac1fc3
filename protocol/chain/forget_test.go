package chain

import (
	"bytes"
	"errors"
	"testing"

	"github.com/underseal/underseal/protocol/wire"
)

// forgotten is a matter in which two documents were added, moved and rotated over, and one of them deleted.
type forgotten struct {
	l         *ledger
	ada       *person
	gone, doc wire.ObjectID
	positions []uint64 // of what may be forgotten
}

func newForgotten(t *testing.T) *forgotten {
	t.Helper()
	f := &forgotten{gone: newID(t), doc: newID(t)}
	f.l, f.ada = newMatter(t)
	may := func(sub Submission) {
		f.positions = append(f.positions, f.ada.state.Position)
		apply(t, f.l, f.ada, sub)
	}
	may(addDocument(t, f.ada, f.gone, "secret-name.pdf"))
	apply(t, f.l, f.ada, addDocument(t, f.ada, f.doc, "kept.pdf"))
	may(must[Submission](t)(f.ada.state.Batch(f.ada.Author, []Change{{Kind: OpPlace, Document: f.gone, Name: "other-secret.pdf", Folder: "Folder"}})))
	// A statement between: its root is over names that will be gone.
	sub, k, err := f.ada.state.Rotate(f.ada.Author, Rotation{Reason: ReasonScheduled})
	if err != nil {
		t.Fatal(err)
	}
	f.ada.state.AddKeys(k)
	apply(t, f.l, f.ada, sub)
	may(addDocument(t, f.ada, f.gone, "secret-name.pdf"))
	apply(t, f.l, f.ada, must[Submission](t)(f.ada.state.Batch(f.ada.Author, []Change{{Kind: OpDelete, Document: f.gone}})))
	return f
}

// erase is what an honest server does once the owner's word is there.
func (f *forgotten) erase() {
	for _, p := range f.positions {
		f.l.entries[p] = f.l.entries[p].Erase()
	}
}

// TestForget: names and keys of a deleted document go, and who comes later derives the same state without them. S-ERASE-05
func TestForget(t *testing.T) {
	f := newForgotten(t)
	before := f.ada.state.Clone()
	apply(t, f.l, f.ada, must[Submission](t)(f.ada.state.Forget(f.ada.Author, f.positions, EraseRequest)))
	f.erase()
	apply(t, f.l, f.ada, addDocument(t, f.ada, f.doc, "kept.pdf"))
	sub, k, err := f.ada.state.Rotate(f.ada.Author, Rotation{Reason: ReasonScheduled})
	if err != nil {
		t.Fatal(err)
	}
	f.ada.state.AddKeys(k)
	apply(t, f.l, f.ada, sub)
	fresh := must[*State](t)(f.l.open(t, f.ada))
	if fresh.Unmet() || fresh.Unproved() || fresh.Root() != f.ada.state.Root() {
		t.Fatal("a newcomer derives another state")
	}
	for name, s := range map[string]*State{"who was there": f.ada.state, "who comes later": fresh, "a cache": must[*State](t)(Unmarshal(fresh.Marshal()))} {
		if bytes.Contains(s.Marshal(), []byte("secret")) {
			t.Errorf("%s still knows the name", name)
		}
		d := s.Documents[f.gone]
		if d == nil || !d.Deleted || len(d.Versions) != 2 || d.Name != "" || s.Documents[f.doc].Name != "kept.pdf" || len(s.Documents[f.doc].Versions) != 2 {
			t.Errorf("%s: %+v", name, d)
		}
		for _, p := range f.positions {
			if x := s.Forgotten(p); x == nil || x.Rule != EraseRequest || x.By != f.ada.Member || s.ErasureOf(p) != nil {
				t.Errorf("%s: position %d: %+v", name, p, x)
			}
		}
		// Its versions' ids are used up for good.
		if !s.versions[before.Documents[f.gone].Versions[0].Header.Version] {
			t.Errorf("%s forgets that a version was", name)
		}
	}
	for i := 1; i < len(f.l.entries); i++ {
		if _, err := fresh.Describe(f.l.entries[i], uint64(i), f.l.entries[i-1].Leaf.Hash()); err != nil {
			t.Errorf("entry %d: %v", i, err)
		}
	}
	a, err := fresh.Describe(f.l.entries[f.positions[0]], f.positions[0], f.l.entries[f.positions[0]-1].Leaf.Hash())
	if err != nil || !a.Erased || len(a.Names) != 1 || a.Names[0].Name != "" {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestForgetAttacks: a tombstone counts where an owner signed for it, and for nothing that is still there. S-ERASE-05 S-ERASE-06
func TestForgetAttacks(t *testing.T) {
	f := newForgotten(t)
	// A server that erases without anybody's word: the chain cannot be finished.
	f.erase()
	s, err := f.l.open(t, f.ada)
	if err != nil || !s.Unproved() || !s.Unmet() {
		t.Errorf("tombstones without an owner's word: %v", err)
	}
	whole := newForgotten(t)
	apply(t, whole.l, whole.ada, must[Submission](t)(whole.ada.state.Forget(whole.ada.Author, whole.positions[:2], EraseRequest)))
	whole.erase()
	if s, err := whole.l.open(t, whole.ada); err != nil || !s.Unproved() {
		t.Errorf("one tombstone more than the owner's word covers: %v", err)
	}
	// A document that is not deleted: what the owner signs is not what is left.
	alive := newForgotten(t)
	at := alive.ada.state.Documents[alive.doc].Versions[0].Position
	apply(t, alive.l, alive.ada, must[Submission](t)(alive.ada.state.Forget(alive.ada.Author, []uint64{at}, EraseRequest)))
	if alive.ada.state.Documents[alive.doc].Name != "kept.pdf" {
		t.Error("a living document is forgotten")
	}
	alive.l.entries[at] = alive.l.entries[at].Erase()
	if _, err := alive.l.open(t, alive.ada); !errors.Is(err, ErrStateRoot) {
		t.Errorf("a living document's tombstone: %v", err)
	}
	// The owner's word over another root.
	other := newForgotten(t)
	sub := must[Submission](t)(other.ada.state.Forget(other.ada.Author, other.positions, EraseRequest))
	w := wire.NewWriter()
	other.ada.head().write(w)
	w.Fixed(make([]byte, 32))
	effect := must[*Effect](t)(ParseEffect(sub.Entry.Effect))
	k := must[*EpochKeys](t)(other.ada.state.Keys())
	forged := must[Entry](t)(other.ada.Author.finish(effect, w.Bytes(), k.Entry, k.stateLink()))
	refused(t, other.ada.state.Clone(), forged, ErrStateRoot)
	// Entries that do anything else are never tombstones: who deletes stays on record.
	deletion := other.l.entries[len(other.l.entries)-1]
	short := must[*State](t)((&ledger{id: other.l.id, entries: other.l.entries[:len(other.l.entries)-1], rows: other.l.rows}).open(t, other.ada))
	refused(t, short, deletion.Erase(), ErrErased)
}

// TestForgetAuthors: an owner, of entries before, none of which was void. S-ERASE-05
func TestForgetAuthors(t *testing.T) {
	w := newWorld(t)
	for name, p := range map[string]*person{"paralegal": w.petra, "client": w.clara, "auditor": w.aude, "removed": w.rex} {
		if _, err := w.ada.state.Forget(p.Author, []uint64{1}, EraseRequest); !errors.Is(err, ErrRights) {
			t.Errorf("%s forgets: %v", name, err)
		}
	}
	s := w.ada.state.Clone()
	s.Voids = append(s.Voids, Void{Position: 3})
	for name, positions := range map[string][]uint64{"nothing": nil, "unsorted": {4, 2}, "what was void": {2, 3}, "too much": make([]uint64, MaxForget+1)} {
		if _, err := s.Forget(w.ada.Author, positions, EraseRequest); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package chain

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// TestDescribe: what an entry did is told from the entry itself, at its place in the chain, to who opens entries. S-CHAIN-04
// S-CHAIN-06 S-ERASE-03
func TestDescribe(t *testing.T) {
	w := newTrail(t)
	apply(t, w.l, w.ada, must[Submission](t)(w.ada.state.Batch(w.ada.Author, []Change{{Kind: OpPlace, Document: w.other, Name: "moved.pdf", Folder: "f"}, {Kind: OpProfile, Name: "New name"}})))
	apply(t, w.l, w.ada, must[Submission](t)(w.ada.state.Erase(w.ada.Author, 0, 1, EraseRequest)))
	apply(t, w.l, w.ada, must[Submission](t)(w.ada.state.Admit(w.ada.Author, w.waits.Invite)))
	moved := len(w.l.entries) - 3
	ops := []OpEffect{{Kind: OpPlace, Document: w.other}, {Kind: OpDelete, Document: w.buried}, {Kind: OpDelete, Document: w.buried}}
	apply(t, w.l, w.ada, Submission{Entry: w.forge(t, w.ada, KindBatch, (&batchBody{head: w.ada.head(), Ops: []Op{{Name: "ok.pdf"}, {}, {}}}).bytes(ops), func(e *Effect) { e.Batch = &BatchEffect{ops} })})
	kinds, people := map[Kind]int{}, map[string]bool{}
	for name, s := range map[string]*State{"owner": w.ada.state, "auditor": must[*State](t)(w.l.open(t, w.aude)), "client": must[*State](t)(w.l.open(t, w.clara))} {
		var previous wire.Hash
		for i, e := range w.l.entries {
			a, err := s.Describe(e, uint64(i), previous)
			if err != nil {
				t.Fatalf("%s, entry %d: %v", name, i, err)
			}
			if a.Time != uint64(testTime.UnixMilli()) || a.Effect.Position != uint64(i) {
				t.Errorf("entry %d: %+v", i, a)
			}
			kinds[a.Effect.Kind]++
			people[a.Person] = true
			if want := map[bool]int{true: 2}[i == len(w.l.entries)-1]; a.Voids != want {
				t.Errorf("entry %d: %d voids, want %d", i, a.Voids, want)
			}
			switch {
			case a.Effect.Kind == KindBatch && len(a.Names) != len(a.Effect.Batch.Ops):
				t.Errorf("entry %d: %d names", i, len(a.Names))
			case a.Effect.Kind == KindStatement && (a.Reason == ReasonMemberRemoved) != (a.Subject == w.rex.Member):
				t.Errorf("entry %d: %v about %v", i, a.Reason, a.Subject)
			}
			previous = e.Leaf.Hash()
		}
		n := uint64(moved)
		a := must[Activity](t)(s.Describe(w.l.entries[n], n, w.l.entries[n-1].Leaf.Hash()))
		if want := []ActivityName{{Name: "moved.pdf", Folder: "f"}, {Name: "New name"}}; !slices.Equal(a.Names, want) {
			t.Errorf("%s: %v", name, a.Names)
		}
	}
	if len(kinds) != 7 || !people["Wanda Waiting"] || !people["Aude Auditor"] {
		t.Errorf("kinds %v, people %v", kinds, people)
	}
	s, good, previous := w.ada.state, w.l.entries[5], w.l.entries[4].Leaf.Hash()
	other := newTrail(t)
	edited := func(f func(*Entry)) Entry { e := good; f(&e); return e }
	for name, c := range map[string]struct {
		e        Entry
		position uint64
		previous wire.Hash
		want     error
	}{
		"another position": {good, 6, previous, ErrOrder}, "another before": {good, 5, wire.Hash{}, ErrOrder}, "another matter's": {other.l.entries[5], 5, other.l.entries[4].Leaf.Hash(), ErrOrder},
		"another matter's first": {other.l.entries[0], 0, wire.Hash{}, ErrOrder}, "a release": {w.releases[0], 0, wire.Hash{}, ErrOrder},
		"one that is gone": {good.Erase(), 5, previous, ErrErased}, "an envelope's bit": {edited(func(e *Entry) { e.Envelope = flip(e.Envelope, 100) }), 5, previous, ErrLeaf},
		"another leaf":                    {edited(func(e *Entry) { e.Leaf = w.l.entries[6].Leaf }), 5, previous, ErrLeaf},
		"an envelope's bit, committed to": {edited(func(e *Entry) { e.Envelope = flip(e.Envelope, 100); e.Leaf.Commit = e.Commit() }), 5, previous, ErrEnvelope},
	} {
		if _, err := s.Describe(c.e, c.position, c.previous); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	none := s.Clone()
	none.keys = KeySet{}
	if _, err := none.Describe(good, 5, previous); !errors.Is(err, ErrNoKey) {
		t.Errorf("without keys: %v", err)
	}
}

// TestHeadKeys: the keys of the map that a client asks whether it was shown the newest state: its head's leaf is there, and the
// next one's key is where the next entry comes, also where a statement stands between. S-SEQ-02 S-MAP-07
func TestHeadKeys(t *testing.T) {
	w := newTrail(t)
	held := must[*State](t)(w.l.open(t, w.petra)).keys
	s := must[*State](t)(Start(w.l.id, w.l.entries[0], held))
	for i, e := range w.l.entries {
		if i > 0 {
			if err := s.Apply(e); err != nil {
				t.Fatal(err)
			}
		}
		for name, x := range map[string]*State{"state": s, "cache": must[*State](t)(Unmarshal(s.Marshal()))} {
			head, next, err := x.HeadKeys()
			if err != nil || head != log.MapKey(log.TypeState, e.Leaf.Tag) {
				t.Errorf("%s at %d: %v", name, i, err)
			}
			if i+1 < len(w.l.entries) && next != log.MapKey(log.TypeState, w.l.entries[i+1].Leaf.Tag) {
				t.Errorf("%s at %d: the next one would stand elsewhere", name, i)
			}
		}
	}
}

// TestReviewersLog: a reviewer, who cannot open the charter, has from his invite what it says of the log, and nobody else has it
// there; the largest charter goes into an invite. S-INV-13 S-SEQ-05
func TestReviewersLog(t *testing.T) {
	owner := newPerson(t)
	charter := Charter{Kind: KindCompartment, Firm: wire.Hash{1}, LogOrigin: "underseal.example/log/x", VRFKey: bytes.Repeat([]byte{7}, 32), Policy: strings.Repeat("p", maxPolicy)}
	for range maxLogKeys {
		charter.LogKeys = append(charter.LogKeys, strings.Repeat("k", maxLogKey))
	}
	first, id, _, err := Found(owner.Author, charter, "Doe v. Roe", "Ada")
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{id: id, rows: map[wire.ObjectID][]byte{}}
	l.add(first)
	owner.state = must[*State](t)(l.open(t, owner))
	if !owner.state.Charter.Log().Equal(charter.Log()) {
		t.Error("a charter's log does not survive")
	}
	for role := RoleOwner; role <= RoleReviewer; role++ {
		for _, mode := range []InviteMode{ModeOpensAtOnce, ModeAfterIConfirm} {
			sub, link, err := owner.state.Invite(owner.Author, "Rita", role, mode, testTime.Add(time.Hour), "f")
			if err != nil {
				t.Fatal(err)
			}
			again, err := ParseSubmission(sub.Bytes())
			if err != nil {
				t.Fatalf("%v: no server takes it: %v", role, err)
			}
			p, err := link.OpenPackage(again.Rows[0].Bytes)
			if err != nil || (p.Log != nil) != (role == RoleReviewer) || (p.Log != nil && !p.Log.Equal(charter.Log())) {
				t.Errorf("%v: %v", role, err)
			}
			if p.Log == nil {
				p.Log = &LogTrust{}
			} else {
				p.Log = nil
			}
			if _, err := parsePackage(p.bytes(), 1); !errors.Is(err, ErrInvite) {
				t.Errorf("%v with the log of another role: %v", role, err)
			}
		}
	}
	full := charter.Log()
	for name, change := range map[string]func(*LogTrust){"origin": func(t *LogTrust) { t.Origin += "x" }, "keys": func(t *LogTrust) { t.Keys = t.Keys[1:] }, "VRF key": func(t *LogTrust) { t.VRFKey = nil },
		"policy": func(t *LogTrust) { t.Policy = "" }} {
		x := full
		change(&x)
		if x.Equal(full) {
			t.Errorf("another %s is equal", name)
		}
	}
}

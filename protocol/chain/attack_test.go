package chain

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// attack is one entry that a hostile server, or a hostile member with it, puts before an honest client.
type attack struct {
	name  string
	want  error
	entry func(t *testing.T, w *world) Entry
}

func runAttacks(t *testing.T, attacks []attack) {
	w := newWorld(t)
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) { refused(t, w.ada.state.Clone(), a.entry(t, w), a.want) })
	}
}

func emptyBatch(w *world, p *person) []byte {
	return (&batchBody{head: p.head()}).bytes(nil)
}

// tombstone is the smallest entry there is: any writer may make it.
func tombstone(w *world) func(*Effect) {
	return func(e *Effect) { e.Batch = &BatchEffect{Ops: []OpEffect{{Kind: OpDelete, Document: w.doc}}} }
}

// TestEntryAttacks: place, leaf, key and signature of an entry. S-CHAIN-02 S-CHAIN-04 S-CHAIN-05 S-CHAIN-06 S-CHAIN-07
// S-CHAIN-08 S-CHAIN-09 S-CHAIN-10 S-LOG-04 S-WIRE-03
func TestEntryAttacks(t *testing.T) {
	second := newWorld(t)
	plain := func(t *testing.T, w *world) Entry {
		return w.forge(t, w.ada, KindBatch, emptyBatch(w, w.ada), tombstone(w))
	}
	attacks := []attack{
		{"75 an entry of another matter", ErrWrongChain, func(t *testing.T, _ *world) Entry { return plain(t, second) }},
		{"75 an entry of another matter with our chain written into it", ErrLeaf, func(t *testing.T, w *world) Entry {
			e := plain(t, second)
			effect := must[*Effect](t)(ParseEffect(e.Effect))
			effect.Chain, effect.Position, effect.Previous, effect.Epoch = w.ada.state.ID, w.ada.state.Position, w.ada.state.Head, w.ada.state.Epoch
			e.Effect = effect.Bytes()
			return e
		}},
		{"75 the same, by somebody with our link key", ErrEnvelope, func(t *testing.T, w *world) Entry {
			e := plain(t, second)
			effect := must[*Effect](t)(ParseEffect(e.Effect))
			effect.Chain, effect.Position, effect.Previous, effect.Epoch = w.ada.state.ID, w.ada.state.Position, w.ada.state.Head, w.ada.state.Epoch
			effect.Actor = w.ada.Member
			w.mark(t, effect)
			e.Effect = effect.Bytes()
			return w.relink(t, e)
		}},
		{"75 a mark that is not of its place, by a server that takes it", ErrLeaf, func(t *testing.T, w *world) Entry {
			effect := must[*Effect](t)(w.ada.state.effect(w.ada.Author, KindBatch))
			tombstone(w)(effect)
			effect.Mark = wire.Hash{1}
			return w.sealed(t, w.ada, effect, emptyBatch(w, w.ada))
		}},
		{"75 the tag of the same place in another matter", ErrLeaf, func(t *testing.T, w *world) Entry {
			e := plain(t, w)
			k := must[*EpochKeys](t)(w.ada.state.Keys())
			e.Leaf.Tag = k.stateLink().Tag(second.l.id, log.TypeState, w.ada.state.Position)
			return e
		}},
		{"30 an entry twice", ErrOrder, func(t *testing.T, w *world) Entry { return w.l.entries[len(w.l.entries)-1] }},
		{"30 an older entry again", ErrOrder, func(t *testing.T, w *world) Entry { return w.l.entries[3] }},
		{"30 an entry that leaves one out", ErrOrder, func(t *testing.T, w *world) Entry {
			return w.forge(t, w.ada, KindBatch, emptyBatch(w, w.ada), func(e *Effect) { tombstone(w)(e); e.Position++ })
		}},
		{"30 an entry on another branch", ErrOrder, func(t *testing.T, w *world) Entry {
			return w.forge(t, w.ada, KindBatch, emptyBatch(w, w.ada), func(e *Effect) { tombstone(w)(e); e.Previous[0] ^= 1 })
		}},
		{"a trail entry in the state", ErrOrder, func(t *testing.T, w *world) Entry {
			return w.forge(t, w.ada, KindRelease, nil, func(e *Effect) { e.Sequence, e.Release = log.TypeTrail, &ReleaseEffect{} })
		}},
		{"31 the epoch before", ErrEpoch, func(t *testing.T, w *world) Entry {
			return w.forge(t, w.ada, KindBatch, emptyBatch(w, w.ada), func(e *Effect) { tombstone(w)(e); e.Epoch-- })
		}},
		{"31 the epoch after", ErrEpoch, func(t *testing.T, w *world) Entry {
			return w.forge(t, w.ada, KindBatch, emptyBatch(w, w.ada), func(e *Effect) { tombstone(w)(e); e.Epoch++ })
		}},
		{"31 sealed under the keys of the epoch before", ErrEnvelope, func(t *testing.T, w *world) Entry {
			e := must[*Effect](t)(w.ada.state.effect(w.ada.Author, KindBatch))
			tombstone(w)(e)
			now, old := must[*EpochKeys](t)(w.ada.state.Keys()), must[*EpochKeys](t)(w.ada.state.KeysOf(1))
			return must[Entry](t)(w.ada.finish(e, emptyBatch(w, w.ada), old.Entry, now.stateLink()))
		}},
		{"28 linked under the keys of the epoch before", ErrLeaf, func(t *testing.T, w *world) Entry {
			e := must[*Effect](t)(w.ada.state.effect(w.ada.Author, KindBatch))
			tombstone(w)(e)
			now, old := must[*EpochKeys](t)(w.ada.state.Keys()), must[*EpochKeys](t)(w.ada.state.KeysOf(1))
			return must[Entry](t)(w.ada.finish(e, emptyBatch(w, w.ada), now.Entry, old.stateLink()))
		}},
		{"38 suite 0", wire.ErrSuite, func(t *testing.T, w *world) Entry { e := plain(t, w); e.Effect[0] = 0; return w.relink(t, e) }},
		{"38 suite 2", wire.ErrSuite, func(t *testing.T, w *world) Entry { e := plain(t, w); e.Effect[0] = 2; return w.relink(t, e) }},
		{"38 another cipher in the envelope's header", ErrEnvelope, func(t *testing.T, w *world) Entry {
			e := plain(t, w)
			e.Envelope[0] ^= 1
			return w.relink(t, e)
		}},
		{"39 a bit of the envelope", ErrEnvelope, func(t *testing.T, w *world) Entry {
			e := plain(t, w)
			e.Envelope[len(e.Envelope)/2] ^= 1
			return w.relink(t, e)
		}},
		{"40 an envelope cut", ErrEnvelope, func(t *testing.T, w *world) Entry {
			e := plain(t, w)
			e.Envelope = e.Envelope[:len(e.Envelope)-1]
			return w.relink(t, e)
		}},
		{"48 an effect changed, which the signature covers", ErrEnvelope, func(t *testing.T, w *world) Entry {
			e := plain(t, w)
			effect := must[*Effect](t)(ParseEffect(e.Effect))
			effect.Batch.Ops[0].Document = w.other
			e.Effect = effect.Bytes()
			return w.relink(t, e)
		}},
		{"74 an effect changed by a member who can seal", ErrEntrySig, func(t *testing.T, w *world) Entry {
			k := must[*EpochKeys](t)(w.ada.state.Keys())
			e := plain(t, w)
			body, sig, err := openEnvelope(k.Entry, e.Effect, e.Envelope)
			if err != nil {
				t.Fatal(err)
			}
			effect := must[*Effect](t)(ParseEffect(e.Effect))
			effect.Batch.Ops[0].Document = w.other
			e.Effect = effect.Bytes()
			e.Envelope = must[[]byte](t)(sealEnvelope(rand.Reader, k.Entry, e.Effect, body, sig))
			return w.relink(t, e)
		}},
		{"53 another author than the signer", ErrEntrySig, func(t *testing.T, w *world) Entry {
			return w.forge(t, w.petra, KindBatch, emptyBatch(w, w.petra), func(e *Effect) { tombstone(w)(e); e.Actor = w.ada.Member })
		}},
		{"54 an author who is nobody", ErrRights, func(t *testing.T, w *world) Entry {
			return w.forge(t, w.mal, KindBatch, emptyBatch(w, w.mal), tombstone(w))
		}},
		{"28 an author who was removed, with the new keys leaked to him", ErrRights, func(t *testing.T, w *world) Entry {
			return w.forge(t, w.rex, KindBatch, emptyBatch(w, w.rex), tombstone(w))
		}},
		{"26 an author who waits", ErrRights, func(t *testing.T, w *world) Entry {
			return w.forge(t, w.wanda, KindBatch, emptyBatch(w, w.wanda), tombstone(w))
		}},
		{"a body with something after it", ErrMismatch, func(t *testing.T, w *world) Entry {
			return w.forge(t, w.ada, KindBatch, append(emptyBatch(w, w.ada), 0), tombstone(w))
		}},
		{"a body with less than its effect", ErrMismatch, func(t *testing.T, w *world) Entry {
			return w.forge(t, w.ada, KindBatch, emptyBatch(w, w.ada), func(e *Effect) {
				e.Batch = &BatchEffect{Ops: []OpEffect{{Kind: OpPlace, Document: w.doc}}}
			})
		}},
	}
	for name, at := range map[string]int{"type": 1, "tag": 2, "link": 34, "commit": 66} {
		attacks = append(attacks, attack{"75 a leaf with another " + name, ErrLeaf, func(t *testing.T, w *world) Entry {
			e := plain(t, w)
			b := e.Leaf.Bytes()
			if name == "type" {
				b[at] = byte(log.TypeTrail)
			} else {
				b[at] ^= 1
			}
			e.Leaf = must[log.Leaf](t)(log.ParseLeaf(b))
			return e
		}})
	}
	runAttacks(t, attacks)
}

// TestPlaces: an entry of either sequence stands in one chain, under one key, with the mark of its place in the effect and the tag
// that follows from both; a first statement, too, whose chain is named by its own hash. S-LOG-02 S-LOG-18
func TestPlaces(t *testing.T) {
	w := newWorld(t)
	now, first := must[*EpochKeys](t)(w.ada.state.Keys()), must[*EpochKeys](t)(w.ada.state.KeysOf(1))
	for name, x := range map[string]struct {
		e   Entry
		key log.LinkKey
	}{
		"first statement": {w.l.entries[0], first.stateLink()}, "statement": {w.l.entries[w.rexOld.Position], first.stateLink()},
		"batch": {w.forge(t, w.ada, KindBatch, emptyBatch(w, w.ada), tombstone(w)), now.stateLink()}, "release": {must[Entry](t)(w.releaseOf(t)), now.trailLink()},
	} {
		effect := must[*Effect](t)(ParseEffect(x.e.Effect))
		if err := x.e.stands(effect, w.l.id, x.key); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if want := log.Tag(w.l.id, effect.Sequence, effect.Position, effect.Mark); x.e.Leaf.Tag != want {
			t.Errorf("%s: the server makes another tag", name)
		}
		strange := *effect
		strange.Mark[0] ^= 1
		leaf := log.NewLeaf(w.l.id, effect.Sequence, x.key, effect.Position, effect.Previous, log.Commit(strange.Bytes(), x.e.Envelope))
		for what, err := range map[string]error{"another chain": x.e.stands(effect, wire.ChainID{9}, x.key), "another key": x.e.stands(effect, w.l.id, log.LinkKey{9}),
			"another mark": (Entry{Leaf: leaf, Effect: strange.Bytes(), Envelope: x.e.Envelope}).stands(&strange, w.l.id, x.key)} {
			if !errors.Is(err, ErrLeaf) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
	}
}

// TestSignatureAttacks: nothing but the author's own signature, for this purpose, will do (attacks 7, 37). S-CHAIN-07 S-KEYS-05
func TestSignatureAttacks(t *testing.T) {
	w := newWorld(t)
	effect := must[*Effect](t)(w.ada.state.effect(w.ada.Author, KindBatch))
	tombstone(w)(effect)
	w.mark(t, effect)
	body, clear := emptyBatch(w, w.ada), effect.Bytes()
	k := must[*EpochKeys](t)(w.ada.state.Keys())
	with := func(signature []byte) Entry {
		e := Entry{Effect: clear, Envelope: must[[]byte](t)(sealEnvelope(rand.Reader, k.Entry, clear, body, signature))}
		return w.relink(t, e)
	}
	for _, label := range keys.Labels() {
		if label == keys.LabelSignEntry {
			continue
		}
		refused(t, w.ada.state.Clone(), with(must[[]byte](t)(w.ada.Identity.Sign(label, signedMessage(clear, body)))), ErrEntrySig)
	}
	good := must[[]byte](t)(w.ada.Identity.Sign(keys.LabelSignEntry, signedMessage(clear, body)))
	theirs := must[[]byte](t)(w.petra.Identity.Sign(keys.LabelSignEntry, signedMessage(clear, body)))
	half := append(slices.Clone(good[:len(good)-64]), theirs[len(theirs)-64:]...)
	for name, signature := range map[string][]byte{"none": nil, "zeros": make([]byte, len(good)), "short": good[1:], "long": append(slices.Clone(good), 0), "another's": theirs, "one half": half} {
		t.Run(name, func(t *testing.T) { refused(t, w.ada.state.Clone(), with(signature), ErrEntrySig) })
	}
	if err := w.ada.state.Clone().Apply(with(good)); err != nil {
		t.Fatalf("the honest one: %v", err)
	}
}

// TestRoleAttacks: every kind of entry by every role that may not make it (attacks 28, 29, 54). S-CHAIN-11 S-EPOCH-08 S-INV-01
// S-ERASE-01
func TestRoleAttacks(t *testing.T) {
	w := newWorld(t)
	rotate := func(t *testing.T, p *person) Entry {
		e, k := w.statement(t, p, func(*rotation) {})
		w.ada.state.AddKeys(k)
		return e
	}
	op := func(kind OpKind) func(t *testing.T, p *person) Entry {
		return func(t *testing.T, p *person) Entry {
			effects := []OpEffect{{Kind: kind}}
			if kind != OpProfile {
				effects[0].Document = w.doc
			}
			body := &batchBody{head: p.head(), Ops: []Op{{Name: "x", Folder: "y"}}}
			if kind == OpAdd {
				c := newChange(t, &person{Author: p.Author, state: w.ada.state}, newID(t), "x")
				k := must[*EpochKeys](t)(w.ada.state.Keys())
				v := must[document.Version](t)(document.NewVersion(rand.Reader, c.Header, c.FLOEHeader, c.Key, c.Manifest, k.Content, k.Entry))
				effects[0] = OpEffect{Kind: OpAdd, Document: c.Document, Version: c.Header.Version, Upload: c.Upload, Padded: c.Header.Padded}
				body.Ops = []Op{{Version: &v}}
			}
			return w.forge(t, p, KindBatch, body.bytes(effects), func(e *Effect) { e.Batch = &BatchEffect{effects} })
		}
	}
	acts := map[string]func(t *testing.T, p *person) Entry{
		"statement": rotate, "add": op(OpAdd), "place": op(OpPlace), "delete": op(OpDelete), "profile": op(OpProfile),
		"invite": func(t *testing.T, p *person) Entry {
			body := &inviteBody{head: p.head(), Person: "Friend"}
			return w.forge(t, p, KindInvite, body.bytes(), func(e *Effect) {
				e.Invite = &InviteEffect{Invite: newID(t), Role: RoleClient, Mode: ModeOpensAtOnce}
			})
		},
		"cancel": func(t *testing.T, p *person) Entry {
			h := wire.NewWriter()
			p.head().write(h)
			return w.forge(t, p, KindCancel, h.Bytes(), func(e *Effect) { e.Cancel = &CancelEffect{w.link.Invite} })
		},
		"admit": func(t *testing.T, p *person) Entry {
			body := &seatBody{head: p.head(), Person: "Wanda Waiting"}
			m := w.ada.state.Members[w.wanda.Member]
			return w.forge(t, p, KindAdmit, body.bytes(), func(e *Effect) {
				e.Admit = &AdmitEffect{w.waits.Invite, Seat{m.ID, wire.Hash(m.Keys.Fingerprint()), RoleClient, 1}}
			})
		},
		"erase": func(t *testing.T, p *person) Entry {
			h := wire.NewWriter()
			p.head().write(h)
			return w.forge(t, p, KindErase, h.Bytes(), func(e *Effect) { e.Erase = &EraseEffect{From: 1, To: 3, Rule: EraseRetention} })
		},
	}
	may := map[string][]string{
		"owner": {"statement", "add", "place", "delete", "profile", "invite", "cancel", "admit", "erase"}, "paralegal": {"add", "place", "delete"}, "client": {"add"},
		"expert": nil, "auditor": nil, "reviewer": nil, "removed": nil, "waiting": nil, "stranger": nil,
	}
	for name, p := range map[string]*person{"owner": w.olga, "paralegal": w.petra, "client": w.clara, "expert": w.xaver, "auditor": w.aude, "reviewer": w.rita, "removed": w.rex, "waiting": w.wanda, "stranger": w.mal} {
		for act, make := range acts {
			t.Run(name+" "+act, func(t *testing.T) {
				e := make(t, p)
				if slices.Contains(may[name], act) {
					if err := w.ada.state.Clone().Apply(e); err != nil {
						t.Errorf("may and cannot: %v", err)
					}
					return
				}
				refused(t, w.ada.state.Clone(), e, ErrRights)
			})
		}
	}
}

// TestUploadDoesNotRename: who may not rename a document does not do so by a new version of it. S-DOC-10
func TestUploadDoesNotRename(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		p    *person
		want string
	}{{w.clara, "a.pdf"}, {w.petra, "settled.pdf"}} {
		s := w.ada.state.Clone()
		sub := addDocument(t, w.as(c.p), w.doc, "settled.pdf")
		if err := s.Apply(sub.Entry); err != nil {
			t.Fatal(err)
		}
		if d := s.Documents[w.doc]; d.Name != c.want || len(d.Versions) != 2 {
			t.Errorf("%q with %d versions, want %q", d.Name, len(d.Versions), c.want)
		}
	}
}

// TestStatementAttacks: what an owner, or who stole an owner's client, may put into a statement, and what a server may
// exchange around it. S-EPOCH-01 S-EPOCH-03 S-EPOCH-04 S-EPOCH-05 S-EPOCH-07 S-EPOCH-09 S-EPOCH-11 S-STATE-02 S-LOG-05
func TestStatementAttacks(t *testing.T) {
	w := newWorld(t)
	seatOf := func(m *Member) Seat { return Seat{m.ID, wire.Hash(m.Keys.Fingerprint()), m.Role, m.From} }
	add := func(r *rotation, s Seat) {
		r.effect.Statement.Seats = append(r.effect.Statement.Seats, s)
		slices.SortFunc(r.effect.Statement.Seats, func(a, b Seat) int { return bytes.Compare(a.Member[:], b.Member[:]) })
	}
	at := func(r *rotation, p *person) *Seat {
		i := slices.IndexFunc(r.effect.Statement.Seats, func(s Seat) bool { return s.Member == p.Member })
		return &r.effect.Statement.Seats[i]
	}
	for _, a := range []struct {
		name   string
		want   error
		change func(*rotation)
	}{
		{"nothing", nil, func(*rotation) {}},
		{"26 a ghost", ErrRoster, func(r *rotation) {
			add(r, Seat{w.mal.Member, wire.Hash(w.mal.Identity.Public().Fingerprint()), RoleClient, 1})
		}},
		{"26 one who waits and was not admitted", ErrRoster, func(r *rotation) { add(r, seatOf(w.ada.state.Members[w.wanda.Member])) }},
		{"28 one who was removed", ErrRoster, func(r *rotation) { add(r, seatOf(w.ada.state.Members[w.rex.Member])) }},
		{"1 other keys for a member", ErrRoster, func(r *rotation) { at(r, w.clara).Fingerprint[0] ^= 1 }},
		{"2 other keys for the author", ErrRoster, func(r *rotation) { at(r, w.ada).Fingerprint = wire.Hash(w.mal.Identity.Public().Fingerprint()) }},
		{"29 another role", ErrRoster, func(r *rotation) { at(r, w.clara).Role = RoleOwner }},
		{"32 more history", ErrRoster, func(r *rotation) { at(r, w.clara).From = 2 }},
		{"the author himself missing", ErrRoster, func(r *rotation) {
			r.effect.Statement.Seats = slices.DeleteFunc(r.effect.Statement.Seats, func(s Seat) bool { return s.Member == w.ada.Member })
		}},
		{"27 a removal that the signed state does not know", ErrStateRoot, func(r *rotation) {
			r.effect.Statement.Seats = slices.DeleteFunc(r.effect.Statement.Seats, func(s Seat) bool { return s.Member == w.clara.Member })
		}},
		{"56 another state", ErrStateRoot, func(r *rotation) { r.body.StateRoot[0] ^= 1 }},
		{"57 the state without a document", ErrStateRoot, func(r *rotation) {
			delete(r.next.Documents, w.doc)
			r.body.StateRoot = r.next.Root()
		}},
		{"31 no new epoch", ErrEpoch, func(r *rotation) { r.effect.Epoch-- }},
		{"31 an epoch left out", ErrEpoch, func(r *rotation) { r.effect.Epoch++ }},
		{"an invite nobody made", ErrInvite, func(r *rotation) { r.effect.Statement.Invites = []wire.ObjectID{{1}} }},
		{"a cancelled invite carried over", ErrInvite, func(r *rotation) { r.effect.Statement.Invites = []wire.ObjectID{w.gone.Invite} }},
		{"a used invite carried over", ErrInvite, func(r *rotation) { r.effect.Statement.Invites = []wire.ObjectID{w.used.Invite} }},
		{"the state sequence opened elsewhere", ErrLeaf, func(r *rotation) { r.effect.Statement.OpensState[0] ^= 1 }},
		{"the trail opened elsewhere", ErrLeaf, func(r *rotation) { r.effect.Statement.OpensTrail[0] ^= 1 }},
		{"the trail cut", ErrLeaf, func(r *rotation) { r.effect.Statement.TrailPosition++ }},
		{"a founding", ErrMismatch, func(r *rotation) {
			r.body.Founding = &founding{Charter: Charter{Kind: KindFirm}, Name: "x", Person: "x", Bundle: must[Bundle](t)(NewBundle(w.ada.Member, w.ada.Identity))}
		}},
		{"founded again", ErrMismatch, func(r *rotation) { r.body.Reason = ReasonFounded }},
		{"a key for the trail that no auditor has", ErrCommitment, func(r *rotation) {
			pair, _ := keys.NewWrapKeyPair([32]byte{1})
			r.effect.Statement.TrailKey = pair.Public()
		}},
	} {
		t.Run(a.name, func(t *testing.T) {
			e, k := w.statement(t, w.ada, a.change)
			s := w.ada.state.Clone()
			s.AddKeys(k)
			if a.want == nil {
				if err := s.Apply(e); err != nil {
					t.Fatal(err)
				}
				return
			}
			refused(t, s, e, a.want)
		})
	}
	for i, name := range rungNames {
		t.Run("35 another commitment to "+name, func(t *testing.T) {
			e, k := w.statement(t, w.ada, func(r *rotation) { r.body.Commitments[i][0] ^= 1 })
			s := w.ada.state.Clone()
			s.AddKeys(k)
			refused(t, s, e, ErrCommitment)
		})
	}
	t.Run("35 two commitments exchanged", func(t *testing.T) {
		e, k := w.statement(t, w.ada, func(r *rotation) {
			r.body.Commitments[0], r.body.Commitments[4] = r.body.Commitments[4], r.body.Commitments[0]
		})
		s := w.ada.state.Clone()
		s.AddKeys(k)
		refused(t, s, e, ErrCommitment)
	})
	t.Run("a statement without its keys", func(t *testing.T) {
		e, _ := w.statement(t, w.ada, func(*rotation) {})
		refused(t, w.ada.state.Clone(), e, ErrNoKey)
	})
}

// TestInjectedKeys: keys other than those that were committed to, one at a time, at every rung, zeros among them (attacks
// 25, 35). S-EPOCH-04 S-EPOCH-06
func TestInjectedKeys(t *testing.T) {
	w := newWorld(t)
	e, k := w.statement(t, w.ada, func(*rotation) {})
	honest := w.ada.state.Clone()
	honest.AddKeys(k)
	if err := honest.Apply(e); err != nil {
		t.Fatal(err)
	}
	for _, role := range []Role{RoleOwner, RoleClient, RoleAuditor, RoleReviewer} {
		for _, history := range []bool{true, false} {
			grant := k.grant(role, history)
			for at := 0; at < len(grant); at += 32 {
				for name, bad := range map[string][32]byte{"random": {7}, "zeros": {}} {
					t.Run(fmt.Sprintf("25 %s %v key %d %s", role, history, at/32, name), func(t *testing.T) {
						g := slices.Clone(grant)
						copy(g[at:], bad[:])
						got := must[*EpochKeys](t)(parseGrant(g, k.Epoch, role, history))
						var body *statementBody
						if raw, _, err := openEnvelope(k.Entry, e.Effect, e.Envelope); err != nil {
							t.Fatal(err)
						} else {
							body = must[*statementBody](t)(parseStatementBody(raw))
						}
						if err := got.check(body.Commitments); !errors.Is(err, ErrCommitment) {
							t.Errorf("got %v, want %v", err, ErrCommitment)
						}
						if role == RoleOwner {
							s := w.ada.state.Clone()
							s.AddKeys(got)
							before := s.Marshal()
							if err := s.Apply(e); err == nil || !bytes.Equal(before, s.Marshal()) {
								t.Errorf("applied with other keys: %v", err)
							}
						}
					})
				}
			}
			good := must[*EpochKeys](t)(parseGrant(grant, k.Epoch, role, history))
			if again := good.grant(role, history); !bytes.Equal(again, grant) {
				t.Errorf("%s: a grant does not re-encode", role)
			}
			for _, n := range []int{0, len(grant) - 1, len(grant) + 1} {
				if _, err := parseGrant(append(slices.Clone(grant), 0)[:n], k.Epoch, role, history); !errors.Is(err, ErrWrap) {
					t.Errorf("%s: a grant of %d bytes: %v", role, n, err)
				}
			}
		}
	}
	// Keys of an epoch that was verified are not replaced, nor are those of epochs to come taken.
	s := honest.Clone()
	for _, epoch := range []uint32{1, 2, 3, 5, 1 << 31} {
		s.AddKeys(&EpochKeys{Epoch: epoch, Rung: RungContent})
	}
	if !bytes.Equal(s.Marshal(), honest.Marshal()) || s.Unmet() {
		t.Error("AddKeys replaced keys that were verified")
	}
}

// TestCutChain: who holds the wrap of an epoch knows that there is a statement for it (attack 31). S-EPOCH-10
func TestCutChain(t *testing.T) {
	w := newWorld(t)
	e, k := w.statement(t, w.ada, func(*rotation) {})
	s := w.ada.state.Clone()
	s.AddKeys(k)
	if !s.Unmet() {
		t.Error("a chain that ends before its newest keys is not noticed")
	}
	if err := s.Apply(e); err != nil || s.Unmet() {
		t.Errorf("%v, or still unmet", err)
	}
	if again := must[*State](t)(Unmarshal(s.Marshal())); again.Unmet() {
		t.Error("a cache has unverified keys")
	}
	pinned := w.ada.state.Clone()
	pinned.Expect(pinned.Position, wire.Hash{1})
	refused(t, pinned, w.forge(t, w.ada, KindBatch, emptyBatch(w, w.ada), tombstone(w)), ErrAnchor)
	if !pinned.Unmet() {
		t.Error("a pin went away")
	}
}

// TestWraps: a wrap opens for one chain, epoch, entry, recipient and sender, and it stands among the rows that the statement
// signs (attacks 33, 34, 35). S-EPOCH-05 S-EPOCH-12 S-EPOCH-13 S-STATE-06
func TestWraps(t *testing.T) {
	w := newWorld(t)
	sub, k, err := w.ada.state.Rotate(w.ada.Author, Rotation{Reason: ReasonScheduled, FirmName: "f"})
	if err != nil {
		t.Fatal(err)
	}
	s := w.ada.state.Clone()
	s.AddKeys(k)
	if err := s.Apply(sub.Entry); err != nil {
		t.Fatal(err)
	}
	hashes := make([]wire.Hash, len(sub.Rows))
	for i, r := range sub.Rows {
		hashes[i] = r.Hash()
	}
	// Exactly the seated have a wrap, in order, and exactly the open invites a package.
	seated := s.Seated()
	for i, m := range seated {
		if r := sub.Rows[i]; r.Kind != RowWrap || r.Recipient != m.ID {
			t.Errorf("row %d is not the wrap of the member in its place", i)
		}
	}
	if n := len(sub.Rows) - len(seated); n != 2 {
		t.Errorf("%d packages, want 2", n)
	}
	row := func(p *person) []byte {
		i := slices.IndexFunc(sub.Rows, func(r Row) bool { return r.Recipient == p.Member })
		return sub.Rows[i].Bytes
	}
	clara := row(w.clara)
	got, err := Unwrap(s.ID, w.clara.Author, clara)
	if err != nil || got.Content != k.Content || got.Audit || got.Trail != (Secret{}) {
		t.Fatalf("a client's wrap: %v", err)
	}
	if err := s.CheckRow(w.clara.Member, clara, hashes); err != nil {
		t.Errorf("CheckRow: %v", err)
	}
	refuse := func(name string, id wire.ChainID, p *person, b []byte) {
		t.Helper()
		if k, err := Unwrap(id, p.Author, b); !errors.Is(err, ErrWrap) || k != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	refuse("33 another chain", wire.ChainID{1}, w.clara, clara)
	refuse("33 another recipient", s.ID, w.petra, clara)
	refuse("33 another's identity", s.ID, &person{Author: Author{Member: w.clara.Member, Identity: w.petra.Identity}}, clara)
	change := func(name string, f func(*Wrap)) {
		t.Helper()
		x := must[Wrap](t)(ParseWrap(clara))
		f(&x)
		b := x.row().Bytes
		refuse("33 "+name, x.Chain, &person{Author: Author{Member: x.Recipient, Identity: w.clara.Identity}}, b)
		if err := s.CheckRow(w.clara.Member, b, hashes); !errors.Is(err, ErrWrap) {
			t.Errorf("CheckRow of %s: %v", name, err)
		}
	}
	change("chain", func(x *Wrap) { x.Chain[0] ^= 1 })
	change("entry", func(x *Wrap) { x.Entry[0] ^= 1 })
	change("epoch", func(x *Wrap) { x.Epoch++ })
	change("recipient", func(x *Wrap) { x.Recipient[0] ^= 1 })
	change("role", func(x *Wrap) { x.Role = RoleOwner })
	change("history", func(x *Wrap) { x.History = false })
	change("sender", func(x *Wrap) { x.Sender[0] ^= 1 })
	change("sender's key", func(x *Wrap) { x.SenderKey[0] ^= 1 })
	change("ciphertext", func(x *Wrap) { x.Sealed[len(x.Sealed)-1] ^= 1 })
	for n := range clara {
		refuse("cut", s.ID, w.clara, clara[:n])
	}
	// CheckRow wants the whole list, in order, with ours in our place.
	for name, list := range map[string][]wire.Hash{"none": nil, "one less": hashes[1:], "twice": append(slices.Clone(hashes), hashes[0]),
		"exchanged": append([]wire.Hash{hashes[1], hashes[0]}, hashes[2:]...)} {
		if err := s.CheckRow(w.clara.Member, clara, list); !errors.Is(err, ErrWrap) {
			t.Errorf("35 rows %s: %v", name, err)
		}
	}
	if err := s.CheckRow(w.petra.Member, clara, hashes); !errors.Is(err, ErrWrap) {
		t.Errorf("another's row in our place: %v", err)
	}
	if err := s.CheckRow(w.rex.Member, clara, hashes); !errors.Is(err, ErrWrap) {
		t.Errorf("a row for who has no seat: %v", err)
	}
	// The wrap of another matter's first statement names no chain; the leaf of ours gives it away.
	other := newWorld(t)
	founder := &person{Author: Author{Member: other.ada.Member, Identity: other.ada.Identity}}
	first := must[*EpochKeys](t)(Unwrap(w.l.id, founder.Author, firstRow(t, other)))
	if _, err := Start(w.l.id, w.l.entries[0], KeySet{1: first}); !errors.Is(err, ErrLeaf) {
		t.Errorf("33 another matter's first wrap: %v", err)
	}
	// A row outside entries changes nothing that is derived: rows are not in the state's root.
	if root := s.Root(); root != must[*State](t)(Unmarshal(s.Marshal())).Root() {
		t.Error("root")
	}
}

func firstRow(t *testing.T, w *world) []byte {
	t.Helper()
	k := must[*EpochKeys](t)(w.ada.state.KeysOf(1))
	effect := must[*Effect](t)(ParseEffect(w.l.entries[0].Effect))
	m := w.ada.state.Members[w.ada.Member]
	row := must[Row](t)(newWrap(rand.Reader, effect, k, Seat{m.ID, wire.Hash(m.Keys.Fingerprint()), RoleOwner, 1}, m.Keys, m.Keys.Fingerprint()))
	return row.Bytes
}

// TestBoxes: a box opens the epoch before, of its own rung, and nothing else. S-EPOCH-14
func TestBoxes(t *testing.T) {
	chain, before, k := wire.ChainID{1}, must[*EpochKeys](t)(newEpochKeys(rand.Reader, 1)), must[*EpochKeys](t)(newEpochKeys(rand.Reader, 2))
	b := must[Boxes](t)(k.sealBoxes(rand.Reader, chain, before))
	got := must[*EpochKeys](t)(k.openBefore(chain, b))
	if got.commitments() != before.commitments() {
		t.Fatal("boxes open to something else")
	}
	for name, x := range map[string]Boxes{
		"content and entry exchanged": {b.Entry, b.Content, b.Link, b.Trail}, "none": {}, "content and trail exchanged": {b.Trail, b.Entry, b.Link, b.Content},
		"trail missing": {b.Content, b.Entry, b.Link, nil},
	} {
		if _, err := k.openBefore(chain, x); !errors.Is(err, ErrCommitment) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := k.openBefore(wire.ChainID{2}, b); !errors.Is(err, ErrCommitment) {
		t.Errorf("another chain: %v", err)
	}
	later := *k
	later.Epoch = 3
	if _, err := later.openBefore(chain, b); !errors.Is(err, ErrCommitment) {
		t.Errorf("another epoch: %v", err)
	}
	if _, err := before.openBefore(chain, b); !errors.Is(err, ErrNoKey) {
		t.Errorf("before the first epoch: %v", err)
	}
	// A key wrong at one epoch is found when its statement is applied, however it came.
	w := newWorld(t)
	held := KeySet{}
	for _, e := range []uint32{1, 2} {
		held[e] = must[*EpochKeys](t)(w.ada.state.KeysOf(e))
	}
	odd := *held[2]
	odd.HistoryContent[0] ^= 1
	odd.derive()
	held[2] = &odd
	if _, err := OpenHistory(w.l.id, &odd, w.l.entries); !errors.Is(err, ErrCommitment) {
		t.Errorf("history with another key: %v", err)
	}
	s := must[*State](t)(Start(w.l.id, w.l.entries[0], held))
	for _, e := range w.l.entries[1:] {
		if err := s.Apply(e); err != nil {
			if !errors.Is(err, ErrCommitment) {
				t.Errorf("replay with another key: %v", err)
			}
			return
		}
	}
	t.Error("a wrong history key was not noticed")
}

// TestLateSeat: the wrap of a seat that began after the first epoch holds no history key (attack 32). S-EPOCH-15
func TestLateSeat(t *testing.T) {
	p, k := newPerson(t), must[*EpochKeys](t)(newEpochKeys(rand.Reader, 3))
	public := p.Identity.Public()
	maker := &Effect{Chain: wire.ChainID{1}, Entry: wire.ObjectID{2}, Actor: wire.ObjectID{3}}
	for _, from := range []uint32{1, 2, 3} {
		row := must[Row](t)(newWrap(rand.Reader, maker, k, Seat{p.Member, wire.Hash(public.Fingerprint()), RoleOwner, from}, public, public.Fingerprint()))
		got := must[*EpochKeys](t)(Unwrap(maker.Chain, p.Author, row.Bytes))
		if got.Content != k.Content || got.History != (from == 1) || (got.HistoryContent == k.HistoryContent) != (from == 1) || (got.TrailHistory == k.TrailHistory) != (from == 1) {
			t.Errorf("a seat from epoch %d has history: %v", from, got.History)
		}
	}
}

// TestIntervals: over all epochs i and j, a member from i to j opens the epochs between them and no other, at his rung and
// not above (attack 32). S-EPOCH-02 S-EPOCH-15
func TestIntervals(t *testing.T) {
	const epochs = 4
	chain := wire.ChainID{1}
	all := make([]*EpochKeys, epochs+1)
	boxes := make([]Boxes, epochs+1)
	for e := 1; e <= epochs; e++ {
		all[e] = must[*EpochKeys](t)(newEpochKeys(rand.Reader, uint32(e)))
		if e > 1 {
			boxes[e] = must[Boxes](t)(all[e].sealBoxes(rand.Reader, chain, all[e-1]))
		}
	}
	for _, role := range []Role{RoleOwner, RoleClient, RoleExpert, RoleAuditor, RoleReviewer} {
		for from := 1; from <= epochs; from++ {
			for to := from; to <= epochs; to++ {
				reached := map[uint32]*EpochKeys{}
				for e := from; e <= to; e++ {
					// A seat that began later than the first epoch gets no history key, in no epoch: it would open all before.
					k := must[*EpochKeys](t)(parseGrant(all[e].grant(role, from == 1), uint32(e), role, from == 1))
					for k != nil {
						reached[k.Epoch] = k
						before, err := k.openBefore(chain, boxes[k.Epoch])
						if err != nil && !errors.Is(err, ErrNoKey) {
							t.Fatal(err)
						}
						k = before
					}
				}
				for e := 1; e <= epochs; e++ {
					k := reached[uint32(e)]
					if want := e >= from && e <= to; (k != nil) != want {
						t.Fatalf("%s from %d to %d: epoch %d opened: %v", role, from, to, e, k != nil)
					}
					if k == nil {
						continue
					}
					if content := k.Content == all[e].Content; content != (role.Rung() == RungContent) {
						t.Errorf("%s: content key: %v", role, content)
					}
					if entry := k.Entry == all[e].Entry; entry != (role.Rung() >= RungEntry) {
						t.Errorf("%s: entry key: %v", role, entry)
					}
					if k.StateLink != all[e].StateLink || k.TrailLink != all[e].TrailLink {
						t.Errorf("%s: no link key", role)
					}
					if audit := k.Trail == all[e].Trail; audit != role.May(RightAudit) {
						t.Errorf("%s: trail key: %v", role, audit)
					}
				}
			}
		}
	}
}

// TestVersionAttacks: name, place, length, author and content of a version cannot be split (attacks 41, 42, 48, 51, 52, 53).
// S-DOC-01 S-DOC-05 S-CHAIN-10
func TestVersionAttacks(t *testing.T) {
	w := newWorld(t)
	k := must[*EpochKeys](t)(w.ada.state.Keys())
	type parts struct {
		effect OpEffect
		v      document.Version
	}
	make := func(t *testing.T) (parts, Change) {
		c := newChange(t, w.ada, newID(t), "brief.pdf")
		v := must[document.Version](t)(document.NewVersion(rand.Reader, c.Header, c.FLOEHeader, c.Key, c.Manifest, k.Content, k.Entry))
		return parts{OpEffect{OpAdd, c.Document, c.Header.Version, c.Upload, c.Header.Padded}, v}, c
	}
	entry := func(t *testing.T, p parts) Entry {
		body := &batchBody{head: w.ada.head(), Ops: []Op{{Version: &p.v}}}
		return w.forge(t, w.ada, KindBatch, body.bytes([]OpEffect{p.effect}), func(e *Effect) { e.Batch = &BatchEffect{[]OpEffect{p.effect}} })
	}
	other, _ := make(t)
	for _, a := range []struct {
		name   string
		want   error
		change func(*parts)
	}{
		{"42 another document in the effect", ErrMismatch, func(p *parts) { p.effect.Document = w.doc }},
		{"41 another version in the effect", ErrMismatch, func(p *parts) { p.effect.Version = wire.ObjectID{9} }},
		{"48 another length in the effect", ErrMismatch, func(p *parts) { p.effect.Padded = document.PaddedLength(1 << 20) }},
		{"52 another compartment", ErrMismatch, func(p *parts) { p.v.Header.Compartment = wire.ChainID{9} }},
		{"53 another author", ErrMismatch, func(p *parts) { p.v.Header.Author = w.petra.Identity.Public().Fingerprint() }},
		{"51 another version's manifest", document.ErrManifest, func(p *parts) { p.v.Manifest = other.v.Manifest }},
		{"47 another body root than the manifest's", document.ErrManifest, func(p *parts) { p.v.BodyRoot[0] ^= 1 }},
		{"39 a manifest with a flipped bit", document.ErrManifest, func(p *parts) { p.v.Manifest[100] ^= 1 }},
	} {
		t.Run(a.name, func(t *testing.T) {
			p, _ := make(t)
			a.change(&p)
			refused(t, w.ada.state.Clone(), entry(t, p), a.want)
		})
	}
	// Keys exchanged between two versions do not open, though both are under the same content key.
	p, c := make(t)
	if got, err := p.v.OpenKey(k.Content); err != nil || got != c.Key {
		t.Fatal(err)
	}
	p.v.WrappedKey = other.v.WrappedKey
	if _, err := p.v.OpenKey(k.Content); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("42 another version's key: %v", err)
	}
	old := must[*EpochKeys](t)(w.ada.state.KeysOf(1))
	if _, err := other.v.OpenKey(old.Content); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("31 another epoch's content key: %v", err)
	}
}

// TestVoids: what a server cannot see changes nothing, is kept as void, and does not stop the chain. S-CHAIN-03 S-STATE-03
// S-STATE-04 S-DOC-08
func TestVoids(t *testing.T) {
	w := newWorld(t)
	k := must[*EpochKeys](t)(w.ada.state.Keys())
	place := func(doc wire.ObjectID, name, folder string) func(*testing.T) Entry {
		return func(t *testing.T) Entry {
			ops := []OpEffect{{Kind: OpPlace, Document: doc}}
			return w.forge(t, w.petra, KindBatch, (&batchBody{head: w.petra.head(), Ops: []Op{{Name: name, Folder: folder}}}).bytes(ops), func(e *Effect) { e.Batch = &BatchEffect{ops} })
		}
	}
	add := func(doc wire.ObjectID, change func(*Change)) func(*testing.T) Entry {
		return func(t *testing.T) Entry {
			c := newChange(t, w.ada, doc, "x.pdf")
			change(&c)
			v, err := document.NewVersion(rand.Reader, c.Header, c.FLOEHeader, c.Key, c.Manifest, k.Content, k.Entry)
			if err != nil {
				t.Fatal(err)
			}
			ops := []OpEffect{{OpAdd, c.Document, c.Header.Version, c.Upload, c.Header.Padded}}
			return w.forge(t, w.ada, KindBatch, (&batchBody{head: w.ada.head(), Ops: []Op{{Version: &v}}}).bytes(ops), func(e *Effect) { e.Batch = &BatchEffect{ops} })
		}
	}
	profile := func(t *testing.T) Entry {
		ops := []OpEffect{{Kind: OpProfile}}
		return w.forge(t, w.ada, KindBatch, (&batchBody{head: w.ada.head(), Ops: []Op{{Name: "two\nlines"}}}).bytes(ops), func(e *Effect) { e.Batch = &BatchEffect{ops} })
	}
	current := w.ada.state.Documents[w.doc].Current().Header.Version
	for name, make := range map[string]func(*testing.T) Entry{
		"58 a version of a deleted document":            add(w.buried, func(c *Change) {}),
		"55 a version on another than the newest":       add(w.doc, func(c *Change) { c.Manifest.Previous = wire.ObjectID{9} }),
		"55 a version that forgets the one before":      add(w.doc, func(c *Change) {}),
		"a first version that has one before":           add(newID(t), func(c *Change) { c.Manifest.Previous = current }),
		"58 a version id used before":                   add(newID(t), func(c *Change) { c.Header.Version = current }),
		"58 a deleted document renamed":                 place(w.buried, "x", ""),
		"a document renamed that is none":               place(newID(t), "x", ""),
		"60 a name that leaves its folder":              place(w.doc, "..", ""),
		"60 a folder that leaves the matter":            place(w.doc, "x", "../y"),
		"60 a name with a slash":                        place(w.doc, "a/b", ""),
		"60 a name that reads backwards":                place(w.doc, "a\u202efdp.exe", ""),
		"60 a name with a line break":                   place(w.doc, "a\nb", ""),
		"a name of nothing":                             place(w.doc, "", ""),
		"a matter's name with a line break":             profile,
		"60 a name of a version that leaves its folder": nil,
		"48 a true length that is not the padded one's": nil,
	} {
		t.Run(name, func(t *testing.T) {
			if make == nil {
				make = w.badManifest(name[:2] == "60")
			}
			s := w.ada.state.Clone()
			root := s.Root()
			if err := s.Apply(make(t)); err != nil {
				t.Fatalf("stopped the chain: %v", err)
			}
			if len(s.Voids) != len(w.ada.state.Voids)+1 || s.Root() != root || s.Position != w.ada.state.Position+1 {
				t.Errorf("%d voids, state changed: %v", len(s.Voids), s.Root() != root)
			}
		})
	}
	for name, c := range map[string]Change{"deleted": {Kind: OpDelete, Document: w.buried}, "none": {Kind: OpPlace, Document: newID(t), Name: "x"}, "unknown": {Kind: 9, Document: w.doc}} {
		if _, err := w.ada.state.Batch(w.ada.Author, []Change{c}); !errors.Is(err, ErrInput) {
			t.Errorf("authoring %s: %v", name, err)
		}
	}
}

// badManifest is an entry whose manifest NewVersion would not make.
func (w *world) badManifest(name bool) func(t *testing.T) Entry {
	return func(t *testing.T) Entry {
		k := must[*EpochKeys](t)(w.ada.state.Keys())
		c := newChange(t, w.ada, newID(t), "x.pdf")
		v := must[document.Version](t)(document.NewVersion(rand.Reader, c.Header, c.FLOEHeader, c.Key, c.Manifest, k.Content, k.Entry))
		c.Manifest.Length = 1 << 20
		if name {
			c.Manifest.Length, c.Manifest.Name = 100, "../x"
		}
		v.Manifest = must[[]byte](t)(seal.Seal(rand.Reader, k.Entry[:], v.Header.Context(keys.LabelSealManifest), manifestBytes(c.Manifest)))
		ops := []OpEffect{{OpAdd, c.Document, c.Header.Version, c.Upload, c.Header.Padded}}
		return w.forge(t, w.ada, KindBatch, (&batchBody{head: w.ada.head(), Ops: []Op{{Version: &v}}}).bytes(ops), func(e *Effect) { e.Batch = &BatchEffect{ops} })
	}
}

// manifestBytes writes a manifest as SPEC S-DOC-05 has it, without the checks.
func manifestBytes(m document.Manifest) []byte {
	w := wire.NewWriter()
	w.Text(m.Name)
	w.Text(m.Folder)
	w.Text(m.MediaType)
	w.Uint64(m.Length)
	w.Fixed(m.Previous[:])
	w.Fixed(m.BodyRoot[:])
	w.Uint8(uint8(m.Sensitivity))
	outer := wire.NewWriter()
	outer.Bytes32(w.Bytes())
	outer.Fixed(make([]byte, 512-len(outer.Bytes())))
	return outer.Bytes()
}

// TestInviteAttacks: only the holder of an open invite's link, with keys of his own, is let in. S-INV-02 S-INV-03 S-INV-04
// S-INV-05 S-INV-08 S-INV-09 S-KEYS-07
func TestInviteAttacks(t *testing.T) {
	w := newWorld(t)
	s := w.ada.state
	k := must[*EpochKeys](t)(s.Keys())
	make := func(t *testing.T, change func(*accept)) Entry {
		a := &accept{link: w.link, by: newPerson(t), body: &acceptBody{seatBody: seatBody{Person: "Nina Next", RowHash: wire.Hash{1}}}}
		a.body.head = a.by.head()
		bundle := must[Bundle](t)(NewBundle(a.by.Member, a.by.Identity))
		a.effect = must[*Effect](t)(s.effect(a.by.Author, KindAccept))
		a.effect.Accept = &AcceptEffect{Invite: a.link.Invite, Ways: 2, Bundle: bundle}
		a.key = a.link.Secret.acceptKey(a.link.Invite)
		sign(a.effect, a.link)
		change(a)
		return must[Entry](t)(a.by.finish(a.effect, a.body.bytes(), a.key, k.stateLink()))
	}
	for _, a := range []struct {
		name   string
		want   error
		change func(*accept)
	}{
		{"nothing", nil, func(*accept) {}},
		{"8 without the link", ErrInvite, func(a *accept) { a.link.Secret[0] ^= 1; sign(a.effect, a.link) }},
		{"8 for another firm", ErrInvite, func(a *accept) { a.link.Firm[0] ^= 1; sign(a.effect, a.link) }},
		{"8 for another chain", ErrInvite, func(a *accept) { a.link.Chain[0] ^= 1; sign(a.effect, a.link) }},
		{"8 with another inviter", ErrInvite, func(a *accept) { a.link.Inviter[0] ^= 1; sign(a.effect, a.link) }},
		{"8 an invite nobody made", ErrInvite, func(a *accept) { a.effect.Accept.Invite = wire.ObjectID{1} }},
		{"8 another invite's signature", ErrInvite, func(a *accept) { a.effect.Accept.Invite = w.waits.Invite }},
		{"a cancelled invite", ErrInvite, func(a *accept) {
			a.link = w.gone
			a.effect.Accept.Invite = w.gone.Invite
			sign(a.effect, a.link)
			a.key = a.link.Secret.acceptKey(a.link.Invite)
		}},
		{"1 other keys than the link's holder signed", ErrInvite, func(a *accept) {
			bundle := must[Bundle](t)(NewBundle(a.by.Member, w.mal.Identity))
			a.effect.Accept.Bundle, a.by = bundle, &person{Author: Author{Member: a.by.Member, Identity: w.mal.Identity, Random: rand.Reader, Now: a.by.Now}}
		}},
		{"1 another's keys, which he did not sign", ErrKeyBundle, func(a *accept) {
			a.effect.Accept.Bundle.Keys = w.petra.Identity.Public()
			sign(a.effect, a.link)
		}},
		{"1 another's bundle whole", ErrMismatch, func(a *accept) {
			a.effect.Accept.Bundle = must[Bundle](t)(NewBundle(w.petra.Member, w.petra.Identity))
			sign(a.effect, a.link)
		}},
		{"37 another's bundle and name, without his signature", ErrEntrySig, func(a *accept) {
			p := newPerson(t)
			a.effect.Accept.Bundle, a.effect.Actor = must[Bundle](t)(NewBundle(p.Member, p.Identity)), p.Member
			sign(a.effect, a.link)
		}},
		{"5 a member's id", ErrRoster, func(a *accept) { a.take(t, w.petra.Member, a.by.Identity) }},
		{"5 a member's id and keys", ErrRoster, func(a *accept) { a.take(t, w.petra.Member, w.petra.Identity) }},
		{"2 a removed member's id with other keys", ErrRoster, func(a *accept) { a.take(t, w.rex.Member, a.by.Identity) }},
		{"5 the id of one who waits", ErrRoster, func(a *accept) { a.take(t, w.wanda.Member, w.wanda.Identity) }},
		{"sealed under another key", ErrEnvelope, func(a *accept) { a.key[0] ^= 1 }},
	} {
		t.Run(a.name, func(t *testing.T) {
			e := make(t, func(x *accept) { a.change(x) })
			if a.want != nil {
				refused(t, s.Clone(), e, a.want)
				return
			}
			c := s.Clone()
			if err := c.Apply(e); err != nil {
				t.Fatal(err)
			}
		})
	}
	// Who was removed comes back with the keys he had; a guest is called what the owner called him (attack 5).
	back := s.Clone()
	if err := back.Apply(make(t, func(a *accept) { a.take(t, w.rex.Member, w.rex.Identity); a.body.Person = "Ada Advocate" })); err != nil {
		t.Fatal(err)
	}
	if m := back.Members[w.rex.Member]; m.State != MemberSeated || m.Name != "Nina Next" || m.Role != RoleClient {
		t.Errorf("%q is %v", m.Name, m.State)
	}
	admit := func(invite wire.ObjectID, seat Seat) Entry {
		return w.forge(t, w.ada, KindAdmit, (&seatBody{head: w.ada.head(), Person: "x"}).bytes(), func(e *Effect) { e.Admit = &AdmitEffect{invite, seat} })
	}
	m := s.Members[w.wanda.Member]
	good := Seat{m.ID, wire.Hash(m.Keys.Fingerprint()), RoleClient, 1}
	for name, c := range map[string]struct {
		want   error
		invite wire.ObjectID
		change func(*Seat)
	}{
		"admit of somebody else":     {ErrRoster, w.waits.Invite, func(x *Seat) { x.Member = w.rex.Member }},
		"1 admit of other keys":      {ErrRoster, w.waits.Invite, func(x *Seat) { x.Fingerprint[0] ^= 1 }},
		"29 admit as owner":          {ErrRoster, w.waits.Invite, func(x *Seat) { x.Role = RoleOwner }},
		"32 admit from another":      {ErrRoster, w.waits.Invite, func(x *Seat) { x.From = 2 }},
		"admit of an open invite":    {ErrInvite, w.link.Invite, func(*Seat) {}},
		"admit of a used invite":     {ErrInvite, w.used.Invite, func(*Seat) {}},
		"admit of a cancelled one":   {ErrInvite, w.gone.Invite, func(*Seat) {}},
		"admit of no invite":         {ErrInvite, wire.ObjectID{9}, func(*Seat) {}},
		"the guest who waits, twice": {nil, w.waits.Invite, func(*Seat) {}},
	} {
		t.Run(name, func(t *testing.T) {
			seat := good
			c.change(&seat)
			if c.want != nil {
				refused(t, s.Clone(), admit(c.invite, seat), c.want)
				return
			}
			x := s.Clone()
			if err := x.Apply(admit(c.invite, seat)); err != nil {
				t.Fatal(err)
			}
			y := &world{ada: &person{Author: w.ada.Author, state: x}}
			refused(t, x, y.forge(t, w.ada, KindAdmit, (&seatBody{head: w.ada.head(), Person: "x"}).bytes(), func(e *Effect) { e.Admit = &AdmitEffect{c.invite, seat} }), ErrInvite)
		})
	}
	cancel := func(id wire.ObjectID) Entry {
		h := wire.NewWriter()
		w.ada.head().write(h)
		return w.forge(t, w.ada, KindCancel, h.Bytes(), func(e *Effect) { e.Cancel = &CancelEffect{id} })
	}
	for _, id := range []wire.ObjectID{w.gone.Invite, w.used.Invite, {7}} {
		refused(t, s.Clone(), cancel(id), ErrInvite)
	}
	invite := func(effect *InviteEffect, body *inviteBody) Entry {
		body.head = w.ada.head()
		return w.forge(t, w.ada, KindInvite, body.bytes(), func(e *Effect) { e.Invite = effect })
	}
	refused(t, s.Clone(), invite(&InviteEffect{Invite: w.link.Invite, Role: RoleClient, Mode: 1}, &inviteBody{Person: "Twice"}), ErrMismatch)
	refused(t, s.Clone(), invite(&InviteEffect{Invite: newID(t), Role: RoleClient, Mode: 1}, &inviteBody{Person: "Two\nlines"}), ErrMismatch)
	for name, try := range map[string]func() error{
		"expired": func() error {
			_, _, err := s.Invite(w.ada.Author, "x", RoleClient, ModeOpensAtOnce, testTime, "f")
			return err
		},
		"a role that there is not": func() error {
			_, _, err := s.Invite(w.ada.Author, "x", RoleReviewer+1, ModeOpensAtOnce, testTime.Add(time.Hour), "f")
			return err
		},
		"more than a statement can seat": func() error {
			full := s.Clone()
			for len(full.Members) < MaxSeats {
				id := newID(t)
				full.Members[id] = &Member{ID: id, State: MemberSeated}
			}
			_, _, err := full.Invite(w.ada.Author, "x", RoleClient, ModeOpensAtOnce, testTime.Add(time.Hour), "f")
			return err
		},
	} {
		if err := try(); !errors.Is(err, ErrInput) {
			t.Errorf("inviting %s: %v", name, err)
		}
	}
}

// accept is an accept entry in the making.
type accept struct {
	link   Link
	effect *Effect
	body   *acceptBody
	by     *person
	key    Secret
}

// take makes it the answer of somebody with that id and those keys.
func (a *accept) take(t *testing.T, id wire.ObjectID, identity *keys.Identity) {
	t.Helper()
	a.by = &person{Author: Author{Member: id, Identity: identity, Random: rand.Reader, Now: a.by.Now}}
	a.effect.Actor, a.effect.Accept.Bundle = id, must[Bundle](t)(NewBundle(id, identity))
	sign(a.effect, a.link)
}

func sign(e *Effect, l Link) {
	copy(e.Accept.Signature[:], ed25519.Sign(l.Key(), AcceptMessage(l.Firm, l.Chain, l.Invite, l.Inviter, e.Accept.Bundle)))
}

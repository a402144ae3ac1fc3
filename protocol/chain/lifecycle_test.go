package chain

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// second makes a second guest answer an invite that was answered before.
func (w *world) second(t *testing.T, l Link, p Package) (*person, Entry) {
	t.Helper()
	guest := newPerson(t)
	sub, err := l.Accept(guest.Author, p, w.ada.state.Position, w.ada.state.Head)
	if err != nil {
		t.Fatal(err)
	}
	return guest, sub.Entry
}

func (w *world) packageOf(t *testing.T, l Link) Package {
	t.Helper()
	i := w.ada.state.Invites[l.Invite]
	return w.ada.state.newPackage(i, "f", must[*EpochKeys](t)(w.ada.state.Keys()))
}

// TestSecondGuestFreezes: two answers to one link seat one person, and then nobody, until an owner decides. S-INV-06 S-INV-07
func TestSecondGuestFreezes(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		link  Link
		first *person
	}{"seated": {w.used, w.clara}, "waiting": {w.waits, w.wanda}} {
		t.Run(name, func(t *testing.T) {
			s := w.ada.state.Clone()
			guest, e := w.second(t, c.link, w.packageOf(t, c.link))
			if err := s.Apply(e); err != nil {
				t.Fatal(err)
			}
			if m := s.Members[c.first.Member]; m.State != MemberFrozen || s.Invites[c.link.Invite].State != InviteFrozen || s.Members[guest.Member] != nil {
				t.Fatalf("first is %v, invite is %v", m.State, s.Invites[c.link.Invite].State)
			}
			f := &world{l: w.l, ada: &person{Author: w.ada.Author, state: s}, doc: w.doc}
			// He does nothing, is confirmed by nobody, and a third guest is not let in.
			refused(t, s, f.forge(t, c.first, KindBatch, emptyBatch(f, c.first), tombstone(f)), ErrRights)
			m := s.Members[c.first.Member]
			refused(t, s, f.forge(t, w.ada, KindAdmit, (&seatBody{head: w.ada.head(), Person: "x"}).bytes(), func(e *Effect) {
				e.Admit = &AdmitEffect{c.link.Invite, Seat{m.ID, wire.Hash(m.Keys.Fingerprint()), RoleClient, 1}}
			}), ErrInvite)
			_, third := f.second(t, c.link, w.packageOf(t, c.link))
			refused(t, s, third, ErrInvite)
			for _, author := range []func() error{
				func() error {
					_, err := s.Batch(c.first.Author, []Change{{Kind: OpDelete, Document: w.doc}})
					return err
				},
				func() error { _, err := s.Admit(w.ada.Author, c.link.Invite); return err },
				func() error { _, err := s.Cancel(w.ada.Author, c.link.Invite); return err },
			} {
				if err := author(); !errors.Is(err, ErrRights) && !errors.Is(err, ErrInvite) {
					t.Errorf("authoring: %v", err)
				}
			}
			rotate := func(r Rotation) (Submission, *State) {
				t.Helper()
				sub, k, err := s.Rotate(w.ada.Author, r)
				if err != nil {
					t.Fatal(err)
				}
				next := s.Clone()
				next.AddKeys(k)
				if err := next.Apply(sub.Entry); err != nil {
					t.Fatal(err)
				}
				return sub, next
			}
			// A rotation for another reason wraps nothing to him.
			sub, next := rotate(Rotation{Reason: ReasonMemberRemoved, Remove: []wire.ObjectID{w.xaver.Member}})
			if next.Members[c.first.Member].State != MemberRemoved || slices.ContainsFunc(sub.Rows, func(r Row) bool { return r.Recipient == c.first.Member }) {
				t.Error("a frozen member rode along in the removal of somebody else")
			}
			sub, next = rotate(Rotation{Reason: ReasonScheduled, Keep: []wire.ObjectID{c.first.Member}})
			if next.Members[c.first.Member].State != MemberSeated || !slices.ContainsFunc(sub.Rows, func(r Row) bool { return r.Recipient == c.first.Member }) {
				t.Error("an owner's decision does not seat him again")
			}
			_, next = rotate(Rotation{Reason: ReasonMemberRemoved, Remove: []wire.ObjectID{c.first.Member}})
			if next.Members[c.first.Member].State != MemberRemoved {
				t.Error("an owner's decision does not remove him")
			}
		})
	}
}

// TestRotationCarriesInvites: open invites go on in a new epoch with new packages, others end, and so does the seat of who
// waits and is removed. S-INV-10 S-INV-11 S-EPOCH-08
func TestRotationCarriesInvites(t *testing.T) {
	w := newWorld(t)
	rotate := func(p *person, remove ...wire.ObjectID) (*State, Submission) {
		t.Helper()
		s := w.ada.state.Clone()
		sub, k, err := s.Rotate(p.Author, Rotation{Reason: ReasonMemberRemoved, Remove: remove, FirmName: "Advocate LLP"})
		if err != nil {
			t.Fatal(err)
		}
		s.AddKeys(k)
		if err := s.Apply(sub.Entry); err != nil {
			t.Fatal(err)
		}
		return s, sub
	}
	s, sub := rotate(w.ada, w.clara.Member)
	if s.Invites[w.link.Invite].State != InviteOpen || s.Invites[w.waits.Invite].State != InviteWaiting || s.Members[w.wanda.Member].State != MemberWaiting {
		t.Error("an invite was not carried over")
	}
	i := slices.IndexFunc(sub.Rows, func(r Row) bool { return r.Recipient == w.link.Invite })
	p, err := w.link.OpenPackage(sub.Rows[i].Bytes)
	if err != nil || p.Epoch != s.Epoch {
		t.Fatalf("the new package: %v", err)
	}
	guest := newPerson(t)
	answer := must[Submission](t)(w.link.Accept(guest.Author, p, s.Position, s.Head))
	if err := s.Apply(answer.Entry); err != nil || s.Members[guest.Member].State != MemberSeated {
		t.Errorf("an old link does not work after a rotation: %v", err)
	}
	old := must[Submission](t)(w.link.Accept(newPerson(t).Author, w.packageOf(t, w.link), s.Position, s.Head))
	refused(t, s, old.Entry, ErrLeaf) // the package of the epoch before places nothing in this one
	if s, _ := rotate(w.ada, w.wanda.Member); s.Members[w.wanda.Member].State != MemberRemoved || s.Invites[w.waits.Invite].State != InviteCancelled {
		t.Error("a guest who waits was removed and still waits")
	}
	// Another owner has the secrets that were sealed to her: all invites after she came. When the inviter goes, his invites end.
	if s, _ := rotate(w.olga, w.ada.Member); s.Invites[w.link.Invite].State != InviteCancelled || s.Members[w.wanda.Member].State != MemberRemoved {
		t.Error("an invite outlives its inviter")
	}
	if s, _ := rotate(w.olga); s.Invites[w.link.Invite].State != InviteOpen {
		t.Error("another owner cannot carry an invite over")
	}
	for name, remove := range map[string][]wire.ObjectID{"oneself": {w.ada.Member}, "nobody": {w.mal.Member}, "the removed": {w.rex.Member}} {
		if _, _, err := w.ada.state.Rotate(w.ada.Author, Rotation{Reason: ReasonMemberRemoved, Remove: remove}); !errors.Is(err, ErrInput) {
			t.Errorf("removing %s: %v", name, err)
		}
	}
}

// TestRaces: two writers made an entry on the same head. The server takes one; the other is refused by everybody and is made
// again, or cannot be. Both orders give what was decided, and a removal always holds (attack 30). S-CHAIN-12
func TestRaces(t *testing.T) {
	w := newWorld(t)
	remove := func(s *State) (Entry, *EpochKeys, error) {
		sub, k, err := s.Rotate(w.ada.Author, Rotation{Reason: ReasonMemberRemoved, Remove: []wire.ObjectID{w.petra.Member}})
		return sub.Entry, k, err
	}
	doc := newID(t)
	add := func(s *State) (Entry, error) {
		c := newChange(t, &person{Author: w.petra.Author, state: s}, doc, "late.pdf")
		sub, err := s.Batch(w.petra.Author, []Change{c})
		return sub.Entry, err
	}
	removal, k, err := remove(w.ada.state)
	if err != nil {
		t.Fatal(err)
	}
	upload := must[Entry](t)(add(w.ada.state))

	first := w.ada.state.Clone()
	first.AddKeys(k)
	if err := first.Apply(removal); err != nil {
		t.Fatal(err)
	}
	refused(t, first, upload, ErrOrder)
	if _, err := add(first); !errors.Is(err, ErrRights) {
		t.Errorf("removed, and authors: %v", err)
	}

	second := w.ada.state.Clone()
	if err := second.Apply(upload); err != nil {
		t.Fatal(err)
	}
	again := second.Clone()
	again.AddKeys(k)
	refused(t, again, removal, ErrOrder)
	removal, k, err = remove(second)
	if err != nil {
		t.Fatal(err)
	}
	second.AddKeys(k)
	if err := second.Apply(removal); err != nil {
		t.Fatal(err)
	}
	if second.Members[w.petra.Member].State != MemberRemoved || first.Members[w.petra.Member].State != MemberRemoved {
		t.Error("a removal was lost in a race")
	}
	if second.Documents[doc] == nil || first.Documents[doc] != nil {
		t.Error("an upload stands where it did not, or the other way round")
	}
	// Two removals of each other: whoever is first stays.
	mutual := func(p, q *person, s *State) (Entry, *EpochKeys, error) {
		sub, k, err := s.Rotate(p.Author, Rotation{Reason: ReasonMemberRemoved, Remove: []wire.ObjectID{q.Member}})
		return sub.Entry, k, err
	}
	for _, pair := range [][2]*person{{w.ada, w.olga}, {w.olga, w.ada}} {
		s := w.ada.state.Clone()
		one, k, err := mutual(pair[0], pair[1], s)
		if err != nil {
			t.Fatal(err)
		}
		two, _, err := mutual(pair[1], pair[0], s)
		if err != nil {
			t.Fatal(err)
		}
		s.AddKeys(k)
		if err := s.Apply(one); err != nil {
			t.Fatal(err)
		}
		refused(t, s, two, ErrOrder)
		if _, _, err := mutual(pair[1], pair[0], s); !errors.Is(err, ErrRights) {
			t.Errorf("the removed owner rotates: %v", err)
		}
	}
}

// TestRemovedMember: with everything he had, who was removed opens no later entry, wrap or version, and can place nothing
// (attacks 27, 28). S-EPOCH-16
func TestRemovedMember(t *testing.T) {
	w := newWorld(t)
	now := must[*EpochKeys](t)(w.ada.state.Keys())
	for _, k := range w.rexOld.keys {
		for _, s := range k.rungs() {
			for _, e := range w.l.entries[w.rexOld.Position+1:] {
				effect := must[*Effect](t)(ParseEffect(e.Effect))
				if effect.Kind == KindAccept {
					continue // under the invite's key
				}
				if _, _, err := openEnvelope(s, e.Effect, e.Envelope); err == nil {
					t.Fatal("a later entry opens")
				}
				if e.Leaf.Check(w.l.id, log.TypeState, log.LinkKey(s), effect.Position, effect.Previous, log.Commit(e.Effect, e.Envelope)) == nil {
					t.Fatal("a later leaf checks")
				}
			}
			for _, secret := range now.rungs() {
				if s == secret {
					t.Fatal("a key went over into the next epoch")
				}
			}
		}
	}
	for id, row := range w.l.rows {
		if _, err := Unwrap(w.l.id, w.rex.Author, row); err == nil && id != w.rex.Member {
			t.Error("another's wrap opens")
		}
	}
	removal := w.l.entries[w.rexOld.Position]
	refused(t, w.rexOld.Clone(), removal, ErrNoKey)
	if !w.rexOld.Ended(removal, w.rex.Member) {
		t.Error("his removal is not told from a lie")
	}
	for name, e := range map[string]Entry{
		"no statement": w.l.entries[w.rexOld.Position-1], "another's": newWorld(t).l.entries[0], "a leaf nobody linked": {Leaf: log.Leaf{Type: log.TypeState}, Effect: removal.Effect, Envelope: removal.Envelope},
	} {
		if w.rexOld.Ended(e, w.rex.Member) {
			t.Errorf("%s ends a seat", name)
		}
	}
	if w.rexOld.Ended(removal, w.ada.Member) {
		t.Error("it ends the seat of who stays")
	}
}

// TestStartAttacks: a first statement is what its id names and nothing else. S-CHAIN-01 S-CHAIN-13 S-CHAIN-14 S-STATE-01
func TestStartAttacks(t *testing.T) {
	p := newPerson(t)
	make := func(change func(*rotation)) (Entry, *EpochKeys) {
		k := must[*EpochKeys](t)(newEpochKeys(rand.Reader, 1))
		bundle := must[Bundle](t)(NewBundle(p.Member, p.Identity))
		body := &statementBody{head: p.head(), Reason: ReasonFounded, Subject: p.Member,
			Founding: &founding{Charter: Charter{Kind: KindCompartment, Firm: wire.Hash{1}}, Name: "Doe v. Roe", Person: "Ada Advocate", Ways: 2, Read: TopicKit, Bundle: bundle}}
		s := &State{Charter: body.Founding.Charter, Name: "Doe v. Roe", Epoch: 1, Members: map[wire.ObjectID]*Member{p.Member: body.Founding.founder(body.Time)}}
		effect := must[*Effect](t)(s.effect(p.Author, KindStatement))
		effect.Statement = &StatementEffect{}
		if _, err := s.seal(p.Author, effect, body, k, nil); err != nil {
			t.Fatal(err)
		}
		change(&rotation{s, effect, body, k})
		return must[Entry](t)(p.finish(effect, body.bytes(), k.Entry, k.stateLink())), k
	}
	for _, a := range []struct {
		name   string
		want   error
		change func(*rotation)
	}{
		{"nothing", nil, func(*rotation) {}},
		{"a chain id", ErrFirst, func(r *rotation) { r.effect.Chain = wire.ChainID{1} }},
		{"a position", ErrFirst, func(r *rotation) { r.effect.Position = 1 }},
		{"something before", ErrFirst, func(r *rotation) { r.effect.Previous[0] = 1 }},
		{"epoch 2", ErrFirst, func(r *rotation) { r.effect.Epoch = 2 }},
		{"no founding", ErrFirst, func(r *rotation) { r.body.Founding = nil }},
		{"another reason", ErrFirst, func(r *rotation) { r.body.Reason = ReasonScheduled }},
		{"an invite", ErrFirst, func(r *rotation) { r.effect.Statement.Invites = []wire.ObjectID{{1}} }},
		{"a trail", ErrFirst, func(r *rotation) { r.effect.Statement.TrailPosition = 1 }},
		{"a box", ErrFirst, func(r *rotation) { r.effect.Statement.Boxes.Link = []byte{1} }},
		{"a name that hides", ErrFirst, func(r *rotation) { r.body.Founding.Name = "\u202ex" }},
		{"a founder without a name", ErrFirst, func(r *rotation) { r.body.Founding.Person = "" }},
		{"a founder without a way to unlock", ErrFirst, func(r *rotation) { r.body.Founding.Ways = 0 }},
		{"a topic that nobody wrote", ErrFirst, func(r *rotation) { r.body.Founding.Read = topicsEnd }},
		{"other ways than are in the state", ErrStateRoot, func(r *rotation) { r.body.Founding.Ways = 3 }},
		{"26 a second seat", ErrRoster, func(r *rotation) {
			r.effect.Statement.Seats = append(r.effect.Statement.Seats, Seat{wire.ObjectID{0xff, 0xff, 0xff}, wire.Hash{1}, RoleOwner, 1})
		}},
		{"1 other keys in the seat", ErrRoster, func(r *rotation) { r.effect.Statement.Seats[0].Fingerprint[0] ^= 1 }},
		{"29 a founder who is no owner", ErrRoster, func(r *rotation) { r.effect.Statement.Seats[0].Role = RoleClient }},
		{"37 a bundle nobody signed", ErrKeyBundle, func(r *rotation) { r.body.Founding.Bundle.Signature[0] ^= 1 }},
		{"53 another actor", ErrMismatch, func(r *rotation) { r.effect.Actor = wire.ObjectID{9} }},
		{"56 another state", ErrStateRoot, func(r *rotation) { r.body.StateRoot[0] ^= 1 }},
		{"25 another commitment", ErrCommitment, func(r *rotation) { r.body.Commitments[1][0] ^= 1 }},
		{"opened elsewhere", ErrLeaf, func(r *rotation) { r.effect.Statement.OpensTrail[0] ^= 1 }},
	} {
		t.Run(a.name, func(t *testing.T) {
			e, k := make(a.change)
			s, err := Start(e.ID(), e, KeySet{1: k})
			if !errors.Is(err, a.want) || (err != nil) != (s == nil) {
				t.Fatalf("got %v, want %v", err, a.want)
			}
		})
	}
	e, k := make(func(*rotation) {})
	if _, err := Start(wire.ChainID{1}, e, KeySet{1: k}); !errors.Is(err, ErrFirst) {
		t.Errorf("another id: %v", err)
	}
	if _, err := Start(e.ID(), e, KeySet{}); !errors.Is(err, ErrNoKey) {
		t.Errorf("no key: %v", err)
	}
	mal := newPerson(t)
	effect := must[*Effect](t)(ParseEffect(e.Effect))
	body, _, err := openEnvelope(k.Entry, e.Effect, e.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	forged := must[Entry](t)(mal.finish(effect, body, k.Entry, k.stateLink()))
	if _, err := Start(forged.ID(), forged, KeySet{1: k}); !errors.Is(err, ErrEntrySig) {
		t.Errorf("signed by somebody else: %v", err)
	}
	// Of one state there is one encoding: copies, caches and another replay have the same root.
	w := newWorld(t)
	s := w.ada.state
	if again := must[*State](t)(w.l.open(t, w.ada)); again.Root() != s.Root() || s.Clone().Root() != s.Root() {
		t.Error("two roots of one state")
	}
	for name, change := range map[string]func(*State){
		"name": func(s *State) { s.Name = "x" }, "epoch": func(s *State) { s.Epoch++ }, "charter": func(s *State) { s.Charter.Succession++ },
		"member": func(s *State) { s.Members[w.clara.Member].Role = RoleOwner }, "invite": func(s *State) { s.Invites[w.link.Invite].State = InviteSeated },
		"document": func(s *State) { s.Documents[w.doc].Name = "x" }, "tombstone": func(s *State) { s.Documents[w.buried].Deleted = false },
		"version": func(s *State) { s.Documents[w.doc].Versions = s.Documents[w.doc].Versions[:0] },
		"hidden":  func(s *State) { delete(s.Documents, w.doc) },
	} {
		c := s.Clone()
		change(c)
		if c.Root() == s.Root() {
			t.Errorf("the root does not cover the %s", name)
		}
	}
}

// TestLinkPins: a guest holds the server to what his link says (attacks 1, 8). S-INV-12 S-INV-13 S-INV-14
func TestLinkPins(t *testing.T) {
	w := newWorld(t)
	row := w.l.rows[w.link.Invite]
	if _, err := w.link.OpenPackage(row); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Link){
		"secret": func(l *Link) { l.Secret[0] ^= 1 }, "firm": func(l *Link) { l.Firm[0] ^= 1 }, "chain": func(l *Link) { l.Chain[0] ^= 1 },
		"invite": func(l *Link) { l.Invite[0] ^= 1 }, "inviter": func(l *Link) { l.Inviter[0] ^= 1 },
	} {
		l := w.link
		change(&l)
		if p, err := l.OpenPackage(row); !errors.Is(err, ErrInvite) || p.Grant != nil {
			t.Errorf("another %s: %v", name, err)
		}
	}
	for at := range row {
		b := slices.Clone(row)
		b[at] ^= 1
		if _, err := w.link.OpenPackage(b); !errors.Is(err, ErrInvite) {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
	if _, err := w.link.OpenPackage(w.l.rows[w.waits.Invite]); !errors.Is(err, ErrInvite) {
		t.Errorf("another invite's package: %v", err)
	}
	// Who must be confirmed gets no key before; a package says exactly one of the two.
	p := w.packageOf(t, w.waits)
	if p.Grant != nil {
		t.Error("an unconfirmed guest has keys")
	}
	good := w.packageOf(t, w.link)
	for name, change := range map[string]func(*Package){
		"opens at once without keys": func(p *Package) { p.Grant = nil }, "waits with keys": func(p *Package) { p.Mode = ModeAfterIConfirm },
		"mode 0": func(p *Package) { p.Mode, p.Grant = 0, nil }, "mode 3": func(p *Package) { p.Mode, p.Grant = 3, nil }, "no role": func(p *Package) { p.Role = 0 },
	} {
		x := good
		change(&x)
		if _, err := parsePackage(x.bytes(), 1); !errors.Is(err, ErrInvite) {
			t.Errorf("%s: %v", name, err)
		}
	}
	padded := good.bytes()
	padded[len(padded)-1] = 1
	if _, err := parsePackage(padded, 1); !errors.Is(err, ErrInvite) {
		t.Errorf("padding: %v", err)
	}
	if _, err := parsePackage(append(good.bytes(), make([]byte, 512)...), 1); !errors.Is(err, ErrInvite) {
		t.Errorf("more padding: %v", err)
	}
	// One spelling of a link.
	text := w.link.String()
	for name, s := range map[string]string{"line break": text[:9] + "\n" + text[9:], "padding": text + "=", "cut": text[1:], "long": text + "AAAA", "huge": strings.Repeat("A", 1<<20), "none": "",
		"suite": "Ag" + text[2:]} {
		if _, err := ParseLink(s); !errors.Is(err, wire.ErrMalformed) && !errors.Is(err, wire.ErrSuite) {
			t.Errorf("a link with %s: %v", name, err)
		}
	}
	if l, err := ParseLink(text); err != nil || l != w.link {
		t.Errorf("the link itself: %v", err)
	}
}

// TestReleaseAttacks: a trail entry stands in its place, was sealed to the auditors and signed by a session that a member
// certified (attacks 53, 74). S-TRAIL-01 S-TRAIL-02 S-TRAIL-03 S-TRAIL-04 S-TRAIL-05 S-TRAIL-06 S-LOG-02
func TestReleaseAttacks(t *testing.T) {
	w := newWorld(t)
	version := w.ada.state.Documents[w.doc].Current().Header.Version
	s := w.ada.state
	session := must[*Session](t)(NewSession(w.clara.Author, s.FirmOf(), time.Hour))
	make := func(by *person, session *Session) Entry {
		t.Helper()
		return must[Entry](t)(s.Release(by.Author, session, w.doc, version, 4, wire.Hash{4}))
	}
	good := make(w.clara, session)
	got, err := s.OpenRelease(good, 4, wire.Hash{4})
	if err != nil || got.Effect.Actor != w.clara.Member || got.StateHead != s.Head || got.StatePosition != s.Position {
		t.Fatalf("%v", err)
	}
	refuse := func(name string, e Entry, position uint64, previous wire.Hash, want error) {
		t.Helper()
		if _, err := s.OpenRelease(e, position, previous); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
	// What its actor did not sign stands in the trail as that, and says nothing in his name.
	unsigned := func(name string, e Entry) {
		t.Helper()
		if r, err := s.OpenRelease(e, 4, wire.Hash{4}); err != nil || !r.Unsigned || r.Time != 0 || r.Checkpoint != nil || r.Effect == nil {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	refuse("another position", good, 5, wire.Hash{4}, ErrOrder)
	refuse("another branch", good, 4, wire.Hash{5}, ErrOrder)
	refuse("75 another matter", must[Entry](t)(newWorld(t).releaseOf(t)), 0, wire.Hash{}, ErrOrder)
	flipped := good
	flipped.Envelope = slices.Clone(good.Envelope)
	flipped.Envelope[1500] ^= 1
	refuse("39 a flipped bit", flipped, 4, wire.Hash{4}, ErrLeaf)
	k := must[*EpochKeys](t)(s.Keys())
	flipped.Leaf = log.NewLeaf(s.ID, log.TypeTrail, k.trailLink(), 4, wire.Hash{4}, log.Commit(flipped.Effect, flipped.Envelope))
	unsigned("39 the same, linked", flipped)
	unsigned("74 clara's session in another's name", make(w.petra, session))
	stolen := *session
	_, stolen.Key, _ = ed25519.GenerateKey(rand.Reader)
	unsigned("74 a key that the member did not certify", make(w.clara, &stolen))
	body, _, err := openTrail(k, good)
	if err != nil {
		t.Fatal(err)
	}
	resigned := good
	resigned.Envelope = must[[]byte](t)(sealTrail(rand.Reader, s.TrailKey, good.Effect,
		packEnvelope(body, ed25519.Sign(stolen.Key, append([]byte(keys.LabelSignRelease), signedMessage(good.Effect, body)...)))))
	resigned.Leaf = log.NewLeaf(s.ID, log.TypeTrail, k.trailLink(), 4, wire.Hash{4}, log.Commit(resigned.Effect, resigned.Envelope))
	unsigned("74 clara's certified session, another's signature", resigned)
	otherFirm := must[*Session](t)(NewSession(w.clara.Author, wire.Hash{9}, time.Hour))
	unsigned("33 a session of another firm", make(w.clara, otherFirm))
	late := w.clara.Author
	late.Now = func() time.Time { return testTime.Add(2 * time.Hour) }
	if _, err := s.Release(late, session, w.doc, version, 4, wire.Hash{4}); !errors.Is(err, ErrSession) {
		t.Errorf("a session that ended: %v", err)
	}
	// A clock that was put back in between makes nobody a liar: times are their authors' (limitation 5).
	longer := *session
	longer.Expires += 7200
	if r, err := s.OpenRelease(must[Entry](t)(s.Release(late, &longer, w.doc, version, 4, wire.Hash{4})), 4, wire.Hash{4}); err != nil || !r.Unsigned {
		t.Errorf("another end than was certified: %v", err)
	}
	// Who has no seat makes none: with the state before his removal, his release is of an epoch that was closed.
	rex := must[*Session](t)(NewSession(w.rex.Author, s.FirmOf(), time.Hour))
	old := must[Entry](t)(w.rexOld.Release(w.rex.Author, rex, w.doc, version, 4, wire.Hash{4}))
	refuse("28 a closed epoch", old, 4, wire.Hash{4}, ErrEpoch)
	if _, err := s.Release(w.rex.Author, rex, w.doc, version, 0, wire.Hash{}); !errors.Is(err, ErrRights) {
		t.Errorf("a release by who was removed: %v", err)
	}
	// A writer has no key for it.
	client := s.Clone()
	theirs := *k
	theirs.Audit, theirs.Trail, theirs.TrailHistory = false, Secret{}, Secret{}
	client.keys[client.Epoch] = &theirs
	if _, err := client.OpenRelease(good, 4, wire.Hash{4}); !errors.Is(err, ErrRights) {
		t.Errorf("a client reads the trail: %v", err)
	}
	for _, secret := range append(k.rungs()[:7], Secret{}) {
		if _, err := seal.Open(secret[:], trailContext(good.Effect), good.Envelope[1170:]); err == nil {
			t.Error("a key of the state sequence opens the trail")
		}
	}
	// Certificates are for one session, member, firm, key and time.
	public := w.clara.Identity.Public()
	if err := VerifySession(public, s.FirmOf(), session.ID, w.clara.Member, session.Public(), session.Expires, session.Certificate); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"firm":    VerifySession(public, wire.Hash{9}, session.ID, w.clara.Member, session.Public(), session.Expires, session.Certificate),
		"id":      VerifySession(public, s.FirmOf(), wire.ObjectID{1}, w.clara.Member, session.Public(), session.Expires, session.Certificate),
		"member":  VerifySession(public, s.FirmOf(), session.ID, w.petra.Member, session.Public(), session.Expires, session.Certificate),
		"key":     VerifySession(public, s.FirmOf(), session.ID, w.clara.Member, stolen.Public(), session.Expires, session.Certificate),
		"size":    VerifySession(public, s.FirmOf(), session.ID, w.clara.Member, session.Public()[1:], session.Expires, session.Certificate),
		"expires": VerifySession(public, s.FirmOf(), session.ID, w.clara.Member, session.Public(), session.Expires+1, session.Certificate),
		"signer":  VerifySession(w.petra.Identity.Public(), s.FirmOf(), session.ID, w.clara.Member, session.Public(), session.Expires, session.Certificate),
	} {
		if !errors.Is(err, ErrEntrySig) {
			t.Errorf("a certificate with another %s: %v", name, err)
		}
	}
}

func (w *world) releaseOf(t *testing.T) (Entry, error) {
	session := must[*Session](t)(NewSession(w.clara.Author, w.ada.state.FirmOf(), time.Hour))
	return w.ada.state.Release(w.clara.Author, session, w.doc, w.ada.state.Documents[w.doc].Current().Header.Version, 0, wire.Hash{})
}

// TestSizes: what is sealed shows a size in steps, not what is in it (attack 79). S-CHAIN-15 S-DOC-03 S-DOC-05
func TestSizes(t *testing.T) {
	w := newWorld(t)
	sizes := map[int]bool{}
	for n := 1; n <= 200; n += 7 {
		sub := must[Submission](t)(w.ada.state.Batch(w.ada.Author, []Change{{Kind: OpPlace, Document: w.doc, Name: strings.Repeat("n", n)}}))
		sizes[len(sub.Entry.Envelope)] = true
	}
	if len(sizes) > 2 {
		t.Errorf("names of 1 to 200 bytes give %d sizes of envelope", len(sizes))
	}
	for _, e := range w.l.entries {
		plain := len(e.Envelope) - seal.HeaderSize
		n, err := seal.PlaintextSize(int64(plain), seal.SmallSegment)
		if err != nil || n%512 != 0 {
			t.Errorf("an envelope of %d bytes: %v", n, err)
		}
	}
	manifests := map[int]bool{}
	packages := map[int]bool{}
	for n := 1; n <= 255; n += 11 {
		c := newChange(t, w.ada, newID(t), strings.Repeat("n", n))
		v := must[document.Version](t)(document.NewVersion(rand.Reader, c.Header, c.FLOEHeader, c.Key, c.Manifest, Secret{1}, Secret{2}))
		manifests[len(v.Manifest)] = true
		p := w.packageOf(t, w.link)
		p.ChainName = strings.Repeat("n", n)
		packages[len(p.bytes())] = true
	}
	if len(manifests) != 1 || len(packages) > 2 {
		t.Errorf("%d sizes of manifest, %d of package", len(manifests), len(packages))
	}
	body := w.ada.head()
	x := wire.NewWriter()
	body.write(x)
	good := packEnvelope(x.Bytes(), []byte{1})
	for name, b := range map[string][]byte{"a step more": append(slices.Clone(good), make([]byte, 512)...), "not whole": good[:len(good)-1], "not zero": append(slices.Clone(good[:len(good)-1]), 1), "none": nil} {
		if _, _, err := unpackEnvelope(b); !errors.Is(err, ErrEnvelope) {
			t.Errorf("an envelope padded with %s: %v", name, err)
		}
	}
}

// TestHostileCaches: counts without bytes behind them end at once, and a cache is of one order. S-STATE-05
func TestHostileCaches(t *testing.T) {
	w := newWorld(t)
	good := w.ada.state.Marshal()
	again, err := Unmarshal(good)
	if err != nil || string(again.Marshal()) != string(good) {
		t.Fatalf("a cache does not survive: %v", err)
	}
	done := time.AfterFunc(30*time.Second, func() { panic("a cut cache does not end") })
	defer done.Stop()
	for n := 0; n < len(good); n += 1 + n/50 {
		if s, err := Unmarshal(good[:n]); err == nil && n < len(good) && string(s.Marshal()) != string(good[:n]) {
			t.Fatalf("cut at %d: parses to something else", n)
		}
	}
	for name, item := range map[string][]byte{"a document twice": w.ada.state.Documents[w.doc].item(), "a member after documents": w.ada.state.Members[w.ada.Member].item()} {
		more := wire.NewWriter()
		more.Fixed(good)
		more.Bytes32(item)
		if _, err := Unmarshal(more.Bytes()); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := &State{Charter: Charter{Kind: KindFirm}}
	head := s.Marshal()
	for at := range 8 { // the counts of keys and voids, which stand last
		b := slices.Clone(head)
		b[len(b)-1-at] = 0xff
		if _, err := Unmarshal(b); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("a count without bytes: %v", err)
		}
	}
}

package chain

import (
	"errors"
	"math/bits"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/wire"
)

// TestDeclare: what people say of themselves stands on the roster, with what they read. S-DECLARE-01
func TestDeclare(t *testing.T) {
	w := newWorld(t)
	s := w.ada.state
	root := s.Root()
	clara := *w.clara
	clara.Ways, clara.Read = 3, TopicKit
	first := s.Position
	sub := must[Submission](t)(s.Declare(clara.Author))
	head := s.Head
	apply(t, w.l, w.ada, sub)
	if m := s.Members[clara.Member]; m.Ways != 3 || m.Read != TopicKit || s.Root() == root {
		t.Fatalf("%+v", m)
	}
	if a, err := s.Describe(sub.Entry, s.Position-1, head); err != nil || a.Read != TopicKit || a.Effect.Declare.Ways != 3 || a.Time == 0 {
		t.Errorf("%+v %v", a, err)
	}
	clara.Ways, clara.Read = 1, TopicPasskey|TopicKit|TopicWhoSeesWhat
	clara.Author = clara.later(time.Hour)
	second := s.Position
	apply(t, w.l, w.ada, must[Submission](t)(s.Declare(clara.Author)))
	m := s.Members[clara.Member]
	if m.Ways != 1 || m.Read != TopicKit|TopicPasskey|TopicWhoSeesWhat {
		t.Errorf("%+v", m)
	}
	// What was read is dated by who read it, and the first time counts.
	at := uint64(testTime.UnixMilli())
	for topic, want := range map[Topics]Reading{TopicKit: {at, first}, TopicPasskey: {at + 3_600_000, second}, TopicWhoSeesWhat: {at + 3_600_000, second}} {
		if r, read := m.ReadAt(topic); !read || r != want {
			t.Errorf("topic %d: %+v %v, want %+v", topic, r, read, want)
		}
	}
	if r, read := m.ReadAt(TopicInvitations); read {
		t.Errorf("what nobody read: %+v", r)
	}
	if warm := must[*State](t)(Unmarshal(s.Marshal())); warm.Root() != s.Root() {
		t.Error("a cache loses it")
	}
	clara.Ways = 0
	if _, err := s.Declare(clara.Author); !errors.Is(err, ErrInput) {
		t.Errorf("no way: %v", err)
	}
	clara.Ways, clara.Read = 1, topicsEnd
	if _, err := s.Declare(clara.Author); !errors.Is(err, ErrInput) {
		t.Errorf("a topic that nobody wrote: %v", err)
	}
	for name, who := range map[string]*person{"who waits": w.wanda, "who was removed": w.rex, "a stranger": w.mal} {
		if _, err := s.Declare(who.Author); !errors.Is(err, ErrRights) {
			t.Errorf("%s: %v", name, err)
		}
		refused(t, s.Clone(), w.forge(t, who, KindDeclare, append(who.headBody(), 0, 1), func(e *Effect) { e.Declare = &DeclareEffect{Ways: 2} }), ErrRights)
	}
	refused(t, s.Clone(), w.forge(t, w.clara, KindDeclare, append(w.clara.headBody(), 0x80, 1), func(e *Effect) { e.Declare = &DeclareEffect{Ways: 2} }), ErrMismatch)
	refused(t, s.Clone(), w.forge(t, w.clara, KindDeclare, w.clara.headBody(), func(e *Effect) { e.Declare = &DeclareEffect{Ways: 2} }), ErrMismatch)
	forged := w.forge(t, &person{Author: Author{Member: w.petra.Member, Identity: w.clara.Identity, Random: w.clara.Random, Now: w.clara.Now}}, KindDeclare,
		append(w.clara.headBody(), 0, 1), func(e *Effect) { e.Declare = &DeclareEffect{Ways: 2} })
	refused(t, s.Clone(), forged, ErrEntrySig) // nobody declares for another
}

// TestSaidOnTheWayIn: who founds a chain or accepts an invite says both with that very entry, without one more. S-DECLARE-01
func TestSaidOnTheWayIn(t *testing.T) {
	owner := newPerson(t)
	owner.Ways, owner.Read = 1, TopicPasskey
	sub, id, k, err := Found(owner.Author, Charter{Kind: KindFirm}, "Advocate LLP", "Ada Advocate")
	if err != nil {
		t.Fatal(err)
	}
	s := must[*State](t)(Start(id, sub.Entry, KeySet{1: k}))
	if m := s.Members[owner.Member]; m.Ways != 1 || m.Read != TopicPasskey || m.Readings[0].At != uint64(testTime.UnixMilli()) {
		t.Errorf("%+v", m)
	}
	if a, err := s.Describe(sub.Entry, 0, wire.Hash{}); err != nil || a.Read != TopicPasskey {
		t.Errorf("%+v %v", a, err)
	}
	if warm := must[*State](t)(Unmarshal(s.Marshal())); warm.Root() != s.Root() || warm.Members[owner.Member].Readings != s.Members[owner.Member].Readings {
		t.Error("a cache loses it")
	}
	for _, bad := range []Author{{Ways: 0}, {Ways: MaxWays + 1}, {Ways: 1, Read: topicsEnd}} {
		a := owner.Author
		a.Ways, a.Read = bad.Ways, bad.Read
		if _, _, _, err := Found(a, Charter{Kind: KindFirm}, "Advocate LLP", "Ada Advocate"); !errors.Is(err, ErrInput) {
			t.Errorf("%d ways, %b read: %v", bad.Ways, bad.Read, err)
		}
	}

	w := newWorld(t)
	for _, mode := range []InviteMode{ModeOpensAtOnce, ModeAfterIConfirm} {
		link := w.invite(t, "N", RoleClient, mode)
		guest := newPerson(t)
		guest.Ways, guest.Read = 1, TopicInvitations
		position := w.ada.state.Position
		sub := must[Submission](t)(link.Accept(guest.Author, w.packageOf(t, link), position, w.ada.state.Head))
		apply(t, w.l, w.ada, sub)
		if mode == ModeAfterIConfirm {
			apply(t, w.l, w.ada, must[Submission](t)(w.ada.state.Admit(w.ada.Author, link.Invite)))
		}
		m := w.ada.state.Members[guest.Member]
		if r, read := m.ReadAt(TopicInvitations); m.Ways != 1 || !read || r.Position != position || m.Read != TopicInvitations {
			t.Errorf("%v: %+v", mode, m)
		}
		if a, err := w.ada.state.Describe(sub.Entry, position, must[*Effect](t)(ParseEffect(sub.Entry.Effect)).Previous); err != nil || a.Read != TopicInvitations {
			t.Errorf("%v: %+v %v", mode, a, err)
		}
	}
	if bits.OnesCount16(uint16(AllTopics)) != topicCount || len(AllTopics.Each()) != topicCount || len(AllTopics.Names()) != topicCount {
		t.Error("topics are miscounted")
	}
	for _, one := range AllTopics.Each() {
		if got, ok := ParseTopic(one.Names()[0]); !ok || got != one {
			t.Errorf("%b is read as %b", one, got)
		}
	}
	if _, ok := ParseTopic(""); ok {
		t.Error("nothing is a topic")
	}
}

// TestTwoWays: who works in a firm has two ways to unlock before anything is wrapped to him. S-DECLARE-02
func TestTwoWays(t *testing.T) {
	for role, needs := range map[Role]bool{RoleOwner: true, RoleParalegal: true, RoleClient: false, RoleExpert: false, RoleAuditor: false, RoleReviewer: false} {
		if KindCompartment.NeedsTwoWays(role) != needs || !KindFirm.NeedsTwoWays(role) {
			t.Error(role)
		}
	}
	for _, mode := range []InviteMode{ModeOpensAtOnce, ModeAfterIConfirm} {
		w := newWorld(t)
		for _, role := range []Role{RoleOwner, RoleParalegal, RoleClient} {
			link := w.invite(t, "N", role, mode)
			for ways, want := range map[uint8]error{1: ErrInvite, 2: nil} {
				guest := newPerson(t)
				guest.Ways = ways
				e := must[Submission](t)(link.Accept(guest.Author, w.packageOf(t, link), w.ada.state.Position, w.ada.state.Head)).Entry
				if role == RoleClient || want == nil {
					if err := w.ada.state.Clone().Apply(e); err != nil {
						t.Errorf("%v with %d: %v", role, ways, err)
					}
					continue
				}
				refused(t, w.ada.state.Clone(), e, want)
			}
		}
		guest := newPerson(t)
		for _, ways := range []uint8{0, MaxWays + 1} {
			guest.Ways = ways
			sub := must[Submission](t)(w.link.Accept(guest.Author, w.packageOf(t, w.link), w.ada.state.Position, w.ada.state.Head))
			if _, err := ParseEffect(sub.Entry.Effect); !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("%d ways: %v", ways, err)
			}
		}
	}
}

// TestOffice: an owner of a firm lets somebody try again, or ends his sessions, for a reason that stands in the record. S-UNLOCK-01
// S-UNLOCK-02
func TestOffice(t *testing.T) {
	for _, act := range []struct {
		name   string
		kind   Kind
		author func(*State, Author, wire.ObjectID, string) (Submission, error)
		set    func(*Effect, wire.ObjectID)
		member func(*Effect) wire.ObjectID
	}{
		{"unlock", KindUnlock, (*State).Unlock, func(e *Effect, m wire.ObjectID) { e.Unlock = &UnlockEffect{Member: m} }, func(e *Effect) wire.ObjectID { return e.Unlock.Member }},
		{"sign out", KindSignOut, (*State).SignOut, func(e *Effect, m wire.ObjectID) { e.SignOut = &SignOutEffect{Member: m} }, func(e *Effect) wire.ObjectID { return e.SignOut.Member }},
	} {
		t.Run(act.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.ada.state
			of := func(e *Effect) { act.set(e, w.clara.Member) }
			if _, err := act.author(s, w.ada.Author, w.clara.Member, "r"); !errors.Is(err, ErrInput) {
				t.Errorf("in a matter: %v", err)
			}
			refused(t, s.Clone(), w.forge(t, w.ada, act.kind, reasonBody(w.ada.Author, "r"), of), ErrRights)
			w.asFirm()
			sub := must[Submission](t)(act.author(s, w.olga.Author, w.clara.Member, "She called, and we compared words."))
			head, root := s.Head, s.Root()
			apply(t, w.l, w.ada, sub)
			if s.Root() != root {
				t.Error("the state changed")
			}
			if a, err := s.Describe(sub.Entry, s.Position-1, head); err != nil || act.member(a.Effect) != w.clara.Member || !strings.HasPrefix(a.Why, "She called") {
				t.Errorf("%+v %v", a, err)
			}
			for _, reason := range []string{"", strings.Repeat("r", MaxReason+1)} {
				if _, err := act.author(s, w.ada.Author, w.clara.Member, reason); !errors.Is(err, ErrInput) {
					t.Errorf("a reason of %d: %v", len(reason), err)
				}
			}
			refused(t, s.Clone(), w.forge(t, w.ada, act.kind, w.ada.headBody(), of), ErrMismatch)
			for name, who := range map[string]*person{"paralegal": w.petra, "client": w.clara, "auditor": w.aude, "removed": w.rex, "waiting": w.wanda, "stranger": w.mal} {
				if _, err := act.author(s, who.Author, w.clara.Member, "r"); !errors.Is(err, ErrRights) {
					t.Errorf("%s: %v", name, err)
				}
				refused(t, s.Clone(), w.forge(t, who, act.kind, reasonBody(who.Author, "r"), of), ErrRights)
			}
		})
	}
}

// asFirm makes the world's chain a firm's own.
func (w *world) asFirm() {
	w.ada.state.Charter.Kind, w.ada.state.Charter.Firm = KindFirm, wire.ChainID{}
}

// later is somebody at another time.
func (p *person) later(d time.Duration) Author {
	a := p.Author
	now := a.Now().Add(d)
	a.Now = func() time.Time { return now }
	return a
}

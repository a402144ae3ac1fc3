package chain

import (
	"errors"
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
	clara.Ways = 3
	sub := must[Submission](t)(s.Declare(clara.Author, TopicKit))
	head := s.Head
	apply(t, w.l, w.ada, sub)
	if m := s.Members[clara.Member]; m.Ways != 3 || m.Read != TopicKit || s.Root() == root {
		t.Fatalf("%+v", m)
	}
	if a, err := s.Describe(sub.Entry, s.Position-1, head); err != nil || a.Read != TopicKit || a.Effect.Declare.Ways != 3 || a.Time == 0 {
		t.Errorf("%+v %v", a, err)
	}
	clara.Ways = 1
	apply(t, w.l, w.ada, must[Submission](t)(s.Declare(clara.Author, TopicPasskey|TopicWhoSeesWhat)))
	if m := s.Members[clara.Member]; m.Ways != 1 || m.Read != TopicKit|TopicPasskey|TopicWhoSeesWhat {
		t.Errorf("%+v", m)
	}
	if warm := must[*State](t)(Unmarshal(s.Marshal())); warm.Root() != s.Root() {
		t.Error("a cache loses it")
	}
	clara.Ways = 0
	if _, err := s.Declare(clara.Author, 0); !errors.Is(err, ErrInput) {
		t.Errorf("no way: %v", err)
	}
	clara.Ways = 1
	if _, err := s.Declare(clara.Author, topicsEnd); !errors.Is(err, ErrInput) {
		t.Errorf("a topic that nobody wrote: %v", err)
	}
	for name, who := range map[string]*person{"who waits": w.wanda, "who was removed": w.rex, "a stranger": w.mal} {
		if _, err := s.Declare(who.Author, 0); !errors.Is(err, ErrRights) {
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

// TestUnlock: an owner of a firm lets somebody try again, for a reason that stands in the record. S-UNLOCK-01
func TestUnlock(t *testing.T) {
	w := newWorld(t)
	s := w.ada.state
	if _, err := s.Unlock(w.ada.Author, w.clara.Member, "r"); !errors.Is(err, ErrInput) {
		t.Errorf("in a matter: %v", err)
	}
	refused(t, s.Clone(), w.forge(t, w.ada, KindUnlock, reasonBody(w.ada.Author, "r"), func(e *Effect) { e.Unlock = &UnlockEffect{Member: w.clara.Member} }), ErrRights)
	w.asFirm()
	sub := must[Submission](t)(s.Unlock(w.olga.Author, w.clara.Member, "She called, and we compared words."))
	head, root := s.Head, s.Root()
	apply(t, w.l, w.ada, sub)
	if s.Root() != root {
		t.Error("the state changed")
	}
	if a, err := s.Describe(sub.Entry, s.Position-1, head); err != nil || a.Effect.Unlock.Member != w.clara.Member || !strings.HasPrefix(a.Why, "She called") {
		t.Errorf("%+v %v", a, err)
	}
	for _, reason := range []string{"", strings.Repeat("r", MaxReason+1)} {
		if _, err := s.Unlock(w.ada.Author, w.clara.Member, reason); !errors.Is(err, ErrInput) {
			t.Errorf("a reason of %d: %v", len(reason), err)
		}
	}
	for name, who := range map[string]*person{"paralegal": w.petra, "client": w.clara, "auditor": w.aude, "removed": w.rex, "waiting": w.wanda, "stranger": w.mal} {
		if _, err := s.Unlock(who.Author, w.clara.Member, "r"); !errors.Is(err, ErrRights) {
			t.Errorf("%s: %v", name, err)
		}
		refused(t, s.Clone(), w.forge(t, who, KindUnlock, reasonBody(who.Author, "r"), func(e *Effect) { e.Unlock = &UnlockEffect{Member: w.clara.Member} }), ErrRights)
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

package chain

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// world is a matter with everybody in it that an attack needs. Its honest view is ada's: she holds every rung, so a
// refusal in her place is not for want of a key.
type world struct {
	l      *ledger
	ada    *person // founder
	olga   *person // a second owner
	petra  *person // paralegal
	clara  *person // client
	xaver  *person // expert
	aude   *person // auditor
	rita   *person // reviewer
	rex    *person // was a client until epoch 2
	wanda  *person // accepted an invite and waits
	mal    *person // nobody
	link   Link    // an open invite
	waits  Link    // wanda's
	gone   Link    // a cancelled one
	used   Link    // clara's
	doc    wire.ObjectID
	other  wire.ObjectID // a second document
	buried wire.ObjectID // a deleted one
	rexOld *State        // what rex knew when he was removed
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{mal: newPerson(t)}
	w.l, w.ada = newMatter(t)
	w.rex, _ = w.seat(t, "Rex Former", RoleClient)
	w.rexOld = w.ada.state.Clone()
	sub, k, err := w.ada.state.Rotate(w.ada.Author, Rotation{Reason: ReasonMemberRemoved, Remove: []wire.ObjectID{w.rex.Member}})
	if err != nil {
		t.Fatal(err)
	}
	w.ada.state.AddKeys(k)
	apply(t, w.l, w.ada, sub)
	w.olga, _ = w.seat(t, "Olga Owner", RoleOwner)
	w.petra, _ = w.seat(t, "Petra Paralegal", RoleParalegal)
	w.clara, w.used = w.seat(t, "Clara Client", RoleClient)
	w.xaver, _ = w.seat(t, "Xaver Expert", RoleExpert)
	w.aude, _ = w.seat(t, "Aude Auditor", RoleAuditor)
	w.rita, _ = w.seat(t, "Rita Reviewer", RoleReviewer)
	for _, id := range []*wire.ObjectID{&w.doc, &w.other, &w.buried} {
		*id = newID(t)
		apply(t, w.l, w.ada, addDocument(t, w.ada, *id, "a.pdf"))
	}
	apply(t, w.l, w.ada, must[Submission](t)(w.ada.state.Batch(w.ada.Author, []Change{{Kind: OpDelete, Document: w.buried}})))
	w.waits = w.invite(t, "Wanda Waiting", RoleClient, ModeAfterIConfirm)
	w.wanda = w.l.join(t, w.waits, ModeAfterIConfirm)
	w.catchUp(t)
	w.link = w.invite(t, "Nina Next", RoleClient, ModeOpensAtOnce)
	w.gone = w.invite(t, "Gone", RoleClient, ModeOpensAtOnce)
	apply(t, w.l, w.ada, must[Submission](t)(w.ada.state.Cancel(w.ada.Author, w.gone.Invite)))
	return w
}

func newID(t testing.TB) wire.ObjectID {
	t.Helper()
	return must[wire.ObjectID](t)(wire.NewObjectID(rand.Reader))
}

func (w *world) catchUp(t testing.TB) {
	t.Helper()
	for _, e := range w.l.entries[w.ada.state.Position:] {
		if err := w.ada.state.Apply(e); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) invite(t testing.TB, person string, role Role, mode InviteMode) Link {
	t.Helper()
	sub, link, err := w.ada.state.Invite(w.ada.Author, person, role, mode, testTime.Add(time.Hour), "Advocate LLP")
	if err != nil {
		t.Fatal(err)
	}
	apply(t, w.l, w.ada, sub)
	return link
}

func (w *world) seat(t testing.TB, name string, role Role) (*person, Link) {
	t.Helper()
	link := w.invite(t, name, role, ModeOpensAtOnce)
	p := w.l.join(t, link, ModeOpensAtOnce)
	w.catchUp(t)
	return p, link
}

// as is the honest state in the hands of another author: he may author whatever the state allows him.
func (w *world) as(p *person) *person { return &person{Author: p.Author, state: w.ada.state.Clone()} }

// forge signs and seals any entry at the head as p, with all the keys of the epoch: what a member could do whose client
// holds itself to nothing.
func (w *world) forge(t testing.TB, p *person, kind Kind, body []byte, set func(*Effect)) Entry {
	t.Helper()
	return forgeOn(t, w.ada.state, p, kind, body, set)
}

func forgeOn(t testing.TB, s *State, p *person, kind Kind, body []byte, set func(*Effect)) Entry {
	t.Helper()
	e := must[*Effect](t)(s.effect(p.Author, kind))
	set(e)
	k := must[*EpochKeys](t)(s.Keys())
	return must[Entry](t)(p.finish(e, body, k.Entry, k.stateLink()))
}

// mark gives an effect the mark of the head, as somebody with the link key would.
func (w *world) mark(t testing.TB, e *Effect) {
	t.Helper()
	e.Mark = must[*EpochKeys](t)(w.ada.state.Keys()).stateLink().Mark(log.TypeState, w.ada.state.Position)
}

// sealed signs, seals and links an effect as it is.
func (w *world) sealed(t testing.TB, p *person, effect *Effect, body []byte) Entry {
	t.Helper()
	k, clear := must[*EpochKeys](t)(w.ada.state.Keys()), effect.Bytes()
	signature := must[[]byte](t)(p.Identity.Sign(keys.LabelSignEntry, signedMessage(clear, body)))
	return w.relink(t, Entry{Effect: clear, Envelope: must[[]byte](t)(sealEnvelope(rand.Reader, k.Entry, clear, body, signature))})
}

// relink makes a new leaf for an entry whose parts were changed, as somebody with the link key would.
func (w *world) relink(t testing.TB, e Entry) Entry {
	t.Helper()
	s := w.ada.state
	k := must[*EpochKeys](t)(s.Keys())
	e.Leaf = log.NewLeaf(s.ID, log.TypeState, k.stateLink(), s.Position, s.Head, log.Commit(e.Effect, e.Envelope))
	return e
}

// rotation is a statement in the making, with everything a forger can change before it is signed.
type rotation struct {
	next   *State
	effect *Effect
	body   *statementBody
	keys   *EpochKeys
}

// statement makes a statement as Rotate does and lets change at it before it is signed.
func (w *world) statement(t testing.TB, p *person, change func(*rotation)) (Entry, *EpochKeys) {
	t.Helper()
	s := w.ada.state
	old := must[*EpochKeys](t)(s.Keys())
	effect := must[*Effect](t)(s.effect(p.Author, KindStatement))
	effect.Epoch++
	effect.Statement = &StatementEffect{}
	k := must[*EpochKeys](t)(newEpochKeys(rand.Reader, effect.Epoch))
	effect.Statement.Boxes = must[Boxes](t)(k.sealBoxes(rand.Reader, s.ID, old))
	next := s.Clone()
	next.Epoch = effect.Epoch
	for _, i := range next.Invites {
		if i.State == InviteOpen || i.State == InviteWaiting {
			i.State = InviteCancelled
			if g := next.Members[i.Guest]; g != nil && g.State == MemberWaiting {
				g.State, g.RemovedBy, g.RemovedAt = MemberRemoved, p.Member, p.head().Time
			}
		}
	}
	body := &statementBody{head: p.head(), Reason: ReasonScheduled}
	if _, err := next.seal(p.Author, effect, body, k, nil); err != nil {
		t.Fatal(err)
	}
	change(&rotation{next, effect, body, k})
	return must[Entry](t)(p.finish(effect, body.bytes(), k.Entry, old.stateLink())), k
}

// refused asserts the three things every refusal has: the class, an unchanged state, and an unchanged head.
func refused(t *testing.T, s *State, e Entry, want error) {
	t.Helper()
	before, root, head, position := s.Marshal(), s.Root(), s.Head, s.Position
	err := s.Apply(e)
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
	if s.Root() != root || s.Head != head || s.Position != position {
		t.Error("a refused entry changed the state")
	}
	if !bytes.Equal(s.Marshal(), before) {
		t.Error("a refused entry left a trace in the state")
	}
}

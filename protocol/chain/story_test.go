package chain

import (
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

var testTime = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// person is a test's member: an identity and what he derived.
type person struct {
	Author
	state *State
}

func newPerson(t testing.TB) *person {
	t.Helper()
	seed, err := keys.GenerateIdentitySeed(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := keys.NewIdentity(seed)
	if err != nil {
		t.Fatal(err)
	}
	id, err := wire.NewObjectID(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &person{Author: Author{Member: id, Identity: identity, Random: rand.Reader, Now: func() time.Time { return testTime }, Ways: 2}}
}

// ledger is a test's honest server: it keeps what it is given.
type ledger struct {
	id      wire.ChainID
	entries []Entry
	rows    map[wire.ObjectID][]byte // newest row by recipient
}

func (l *ledger) add(sub Submission) {
	l.entries = append(l.entries, sub.Entry)
	for _, r := range sub.Rows {
		l.rows[r.Recipient] = r.Bytes
	}
}

func (l *ledger) head() (uint64, wire.Hash) {
	return uint64(len(l.entries)), l.entries[len(l.entries)-1].Leaf.Hash()
}

// open replays the whole chain for p.
func (l *ledger) open(t testing.TB, p *person, pins ...Link) (*State, error) {
	t.Helper()
	newest, err := Unwrap(l.id, p.Author, l.rows[p.Member])
	if err != nil {
		return nil, err
	}
	held, err := OpenHistory(l.id, newest, l.entries)
	if err != nil {
		return nil, err
	}
	s, err := Start(l.id, l.entries[0], held)
	if err != nil {
		return nil, err
	}
	for _, link := range pins {
		link.Pin(s)
	}
	for _, e := range l.entries[1:] {
		if err := s.Apply(e); err != nil {
			return nil, err
		}
	}
	for _, link := range pins {
		if err := link.CheckPin(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newMatter(t testing.TB) (*ledger, *person) {
	t.Helper()
	owner := newPerson(t)
	var firm wire.ChainID
	firm[0] = 1
	sub, id, _, err := Found(owner.Author, Charter{Kind: KindCompartment, Firm: firm}, "Doe v. Roe", "Ada Advocate")
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{id: id, rows: map[wire.ObjectID][]byte{}}
	l.add(sub)
	owner.state = must[*State](t)(l.open(t, owner))
	return l, owner
}

func (l *ledger) join(t testing.TB, link Link, mode InviteMode) *person {
	t.Helper()
	guest := newPerson(t)
	p, err := link.OpenPackage(l.rows[link.Invite])
	if err != nil {
		t.Fatal(err)
	}
	if p.Mode != mode {
		t.Fatalf("mode %v, want %v", p.Mode, mode)
	}
	position, head := l.head()
	l.add(must[Submission](t)(link.Accept(guest.Author, p, position, head)))
	return guest
}

func addDocument(t testing.TB, p *person, doc wire.ObjectID, name string) Submission {
	t.Helper()
	return must[Submission](t)(p.state.Batch(p.Author, []Change{newChange(t, p, doc, name)}))
}

func newChange(t testing.TB, p *person, doc wire.ObjectID, name string) Change {
	t.Helper()
	id := must[wire.ObjectID](t)(wire.NewObjectID(rand.Reader))
	upload := must[wire.ObjectID](t)(wire.NewObjectID(rand.Reader))
	h := document.Header{Compartment: p.state.ID, Document: doc, Version: id, Author: p.Identity.Public().Fingerprint(), Padded: document.PaddedLength(100)}
	key := must[document.Key](t)(document.NewKey(rand.Reader))
	_, floe, err := seal.NewKeys(rand.Reader, key[:], h.Context(keys.LabelSealBody), seal.BodySegment)
	if err != nil {
		t.Fatal(err)
	}
	return Change{Kind: OpAdd, Document: doc, Upload: upload, Header: h, FLOEHeader: floe, Key: key,
		Manifest: document.Manifest{Name: name, MediaType: "application/pdf", Length: 100, BodyRoot: document.BodyRoot([]wire.Hash{{1}})}}
}

func apply(t testing.TB, l *ledger, p *person, sub Submission) {
	t.Helper()
	l.add(sub)
	if err := p.state.Apply(sub.Entry); err != nil {
		t.Fatal(err)
	}
}

func TestStory(t *testing.T) {
	l, ada := newMatter(t)
	doc := must[wire.ObjectID](t)(wire.NewObjectID(rand.Reader))
	apply(t, l, ada, addDocument(t, ada, doc, "complaint.pdf"))

	sub, link, err := ada.state.Invite(ada.Author, "Clara Client", RoleClient, ModeOpensAtOnce, testTime.Add(time.Hour), "Advocate LLP")
	if err != nil {
		t.Fatal(err)
	}
	apply(t, l, ada, sub)
	again, err := ParseLink(link.String())
	if err != nil || again != link {
		t.Fatalf("link does not survive its text form: %v", err)
	}
	clara := l.join(t, link, ModeOpensAtOnce)
	clara.state = must[*State](t)(l.open(t, clara, link))
	for name, broken := range map[string]Link{
		"head":    {Firm: link.Firm, Chain: link.Chain, Invite: link.Invite, Inviter: link.Inviter, Position: link.Position, Head: wire.Hash{9}},
		"future":  {Firm: link.Firm, Chain: link.Chain, Invite: link.Invite, Inviter: link.Inviter, Position: link.Position + 9, Head: link.Head},
		"firm":    {Firm: wire.Hash{9}, Chain: link.Chain, Invite: link.Invite, Inviter: link.Inviter, Position: link.Position, Head: link.Head},
		"inviter": {Firm: link.Firm, Chain: link.Chain, Invite: link.Invite, Inviter: wire.Hash{9}, Position: link.Position, Head: link.Head},
		"invite":  {Firm: link.Firm, Chain: link.Chain, Invite: wire.ObjectID{9}, Inviter: link.Inviter, Position: link.Position, Head: link.Head},
	} {
		if _, err := l.open(t, clara, broken); !errors.Is(err, ErrAnchor) {
			t.Errorf("link with another %s: %v", name, err)
		}
	}
	if got := clara.state.Documents[doc].Name; got != "complaint.pdf" {
		t.Fatalf("guest sees %q", got)
	}
	if err := ada.state.Apply(l.entries[len(l.entries)-1]); err != nil {
		t.Fatal(err)
	}
	apply(t, l, clara, addDocument(t, clara, doc, "complaint (signed).pdf"))
	if err := ada.state.Apply(l.entries[len(l.entries)-1]); err != nil {
		t.Fatal(err)
	}
	if n := len(ada.state.Documents[doc].Versions); n != 2 {
		t.Fatalf("%d versions", n)
	}

	// A second guest, confirmed first.
	sub, link2, err := ada.state.Invite(ada.Author, "Petra Paralegal", RoleParalegal, ModeAfterIConfirm, testTime.Add(time.Hour), "Advocate LLP")
	if err != nil {
		t.Fatal(err)
	}
	apply(t, l, ada, sub)
	petra := l.join(t, link2, ModeAfterIConfirm)
	if err := ada.state.Apply(l.entries[len(l.entries)-1]); err != nil {
		t.Fatal(err)
	}
	if _, err := l.open(t, petra); !errors.Is(err, ErrWrap) {
		t.Fatalf("an unconfirmed guest got in: %v", err)
	}
	apply(t, l, ada, must[Submission](t)(ada.state.Admit(ada.Author, link2.Invite)))
	petra.state = must[*State](t)(l.open(t, petra))

	// An open invite survives the removal of the client.
	sub, link3, err := ada.state.Invite(ada.Author, "Ivan Insurer", RoleClient, ModeOpensAtOnce, testTime.Add(time.Hour), "Advocate LLP")
	if err != nil {
		t.Fatal(err)
	}
	apply(t, l, ada, sub)
	sub, k, err := ada.state.Rotate(ada.Author, Rotation{Reason: ReasonMemberRemoved, Remove: []wire.ObjectID{clara.Member}, FirmName: "Advocate LLP"})
	if err != nil {
		t.Fatal(err)
	}
	ada.state.AddKeys(k)
	statement := sub.Entry
	apply(t, l, ada, sub)
	for _, e := range l.entries[clara.state.Position : len(l.entries)-1] {
		if err := clara.state.Apply(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := clara.state.Apply(statement); !errors.Is(err, ErrNoKey) {
		t.Fatalf("removed member: %v", err)
	}
	if !clara.state.Ended(statement, clara.Member) {
		t.Fatal("removal is not recognised")
	}
	if _, err := Unwrap(l.id, clara.Author, l.rows[petra.Member]); !errors.Is(err, ErrWrap) {
		t.Fatalf("removed member opens another's wrap: %v", err)
	}
	ivan := l.join(t, link3, ModeOpensAtOnce)
	ivan.state = must[*State](t)(l.open(t, ivan))
	petra.state = must[*State](t)(l.open(t, petra))
	if petra.state.Root() != ivan.state.Root() {
		t.Fatal("two members derive different states")
	}
	if m := ivan.state.Members[clara.Member]; m.State != MemberRemoved {
		t.Fatalf("client is %v", m.State)
	}

	// The device's cache gives the same state.
	warm, err := Unmarshal(ivan.state.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	if warm.Root() != ivan.state.Root() || warm.Head != ivan.state.Head || len(warm.keys) != 2 {
		t.Fatal("cache changes the state")
	}

	// A release is read by an auditor, here the owner.
	session := must[*Session](t)(NewSession(ivan.Author, ivan.state.FirmOf(), time.Hour))
	e := must[Entry](t)(ivan.state.Release(ivan.Author, session, doc, ivan.state.Documents[doc].Current().Header.Version, 0, wire.Hash{}))
	ada.state = must[*State](t)(l.open(t, ada))
	if _, err := ada.state.OpenRelease(e, 0, wire.Hash{}); err != nil {
		t.Fatal(err)
	}
	if _, err := petra.state.OpenRelease(e, 0, wire.Hash{}); !errors.Is(err, ErrRights) {
		t.Fatalf("a writer reads the trail: %v", err)
	}
	if e.Leaf.Type != log.TypeTrail {
		t.Fatal("release is not of the trail")
	}
}

package chain

import (
	"errors"
	"testing"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/wire"
)

// renewed is p with new keys, and the link to them.
func (w *world) renewed(t testing.TB, p *person) (*person, KeyLink) {
	t.Helper()
	first := FirstKeyLink(w.ada.state.FirmOf(), must[Bundle](t)(NewBundle(p.Member, p.Identity)))
	n := newPerson(t)
	n.Member, n.Former, n.state = p.Member, []*keys.Identity{p.Identity}, p.state
	link := must[KeyLink](t)(first.Next(must[Bundle](t)(NewBundle(n.Member, n.Identity)), p.Identity))
	return n, link
}

// TestRenew: a member puts new keys into his seat; nothing is sealed until an owner opens the next epoch, and then it is sealed
// to the new keys. What he signed before stays signed.
// S-RENEW-01 S-RENEW-03 S-RENEW-04 S-STATE-01
func TestRenew(t *testing.T) {
	w := newWorld(t)
	s := w.ada.state
	session := must[*Session](t)(NewSession(w.clara.Author, s.FirmOf(), time.Hour))
	version := s.Documents[w.doc].Current().Header.Version
	before := must[Entry](t)(s.Release(w.clara.Author, session, w.doc, version, s.TrailPosition, s.TrailHead))

	clara, link := w.renewed(t, w.clara)
	sub := must[Submission](t)(s.Renew(clara.Author, link))
	root := s.Root()
	apply(t, w.l, w.ada, sub)
	if m := s.Members[clara.Member]; !m.Keys.Equal(clara.Identity.Public()) || len(m.Former) != 1 || !m.Had(wire.Hash(w.clara.Identity.Public().Fingerprint())) || m.Renewed != s.Position-1 {
		t.Fatalf("%+v", m)
	}
	if s.Root() == root || len(s.Stale()) != 1 || s.Stale()[0].ID != clara.Member {
		t.Fatal("nobody sees that her keys changed")
	}
	// Nothing more is sealed under keys that the old device has: nobody's client makes it, nobody takes it.
	if _, err := s.Batch(w.petra.Author, []Change{{Kind: OpDelete, Document: w.other}}); !errors.Is(err, ErrStale) {
		t.Errorf("a batch is made: %v", err)
	}
	if _, _, err := s.Invite(w.ada.Author, "New", RoleClient, ModeOpensAtOnce, testTime.Add(time.Hour), "f"); !errors.Is(err, ErrStale) {
		t.Errorf("an invite is made: %v", err)
	}
	if _, err := s.Admit(w.ada.Author, w.waits.Invite); !errors.Is(err, ErrStale) {
		t.Errorf("a guest is admitted: %v", err)
	}
	head := func(p *person) []byte { return p.headBody() }
	refused(t, s, w.forge(t, w.petra, KindBatch, head(w.petra), func(e *Effect) {
		e.Batch = &BatchEffect{Ops: []OpEffect{{Kind: OpDelete, Document: w.other}}}
	}), ErrStale)
	// The old keys sign nothing any more, the new ones do.
	refused(t, s.Clone(), w.forge(t, w.clara, KindDeclare, append(head(w.clara), 0, 1), func(e *Effect) { e.Declare = &DeclareEffect{Ways: 2} }), ErrEntrySig)
	if err := s.Clone().Apply(w.forge(t, clara, KindDeclare, append(head(clara), 0, 1), func(e *Effect) { e.Declare = &DeclareEffect{Ways: 2} })); err != nil {
		t.Error(err)
	}
	// An opening from before is still hers, one by the old keys after is nobody's.
	if r, err := s.OpenRelease(before, s.TrailPosition, s.TrailHead); err != nil || r.Unsigned {
		t.Errorf("an earlier opening: %+v %v", r, err)
	}
	after := must[Entry](t)(s.Release(w.clara.Author, session, w.doc, version, s.TrailPosition, s.TrailHead))
	if r, err := s.OpenRelease(after, s.TrailPosition, s.TrailHead); err != nil || !r.Unsigned {
		t.Errorf("an opening by revoked keys: %+v %v", r, err)
	}

	sub, k, err := s.Rotate(w.ada.Author, Rotation{Reason: ReasonKeysChanged, FirmName: "f", TrailPosition: s.TrailPosition, TrailHead: s.TrailHead})
	if err != nil {
		t.Fatal(err)
	}
	s.AddKeys(k)
	apply(t, w.l, w.ada, sub)
	if len(s.Stale()) != 0 {
		t.Error("still stale")
	}
	row := w.l.rows[clara.Member]
	if _, err := Unwrap(s.ID, w.clara.Author, row); !errors.Is(err, ErrWrap) {
		t.Errorf("the revoked keys open the next epoch: %v", err)
	}
	if got, err := Unwrap(s.ID, clara.Author, row); err != nil || got.Content != k.Content {
		t.Errorf("the new keys do not: %v", err)
	}
	apply(t, w.l, w.ada, must[Submission](t)(s.Batch(w.petra.Author, []Change{{Kind: OpDelete, Document: w.other}})))
	warm := must[*State](t)(Unmarshal(s.Marshal()))
	if warm.Root() != s.Root() || !warm.Members[clara.Member].KeysAt(0).Equal(w.clara.Identity.Public()) {
		t.Error("a cache loses it")
	}
	// Whoever opens the chain for the first time derives the same; an owner's invite outlives his own renewal.
	ada, link := w.renewed(t, w.ada)
	ada.state = s
	apply(t, w.l, w.ada, must[Submission](t)(s.Renew(ada.Author, link)))
	sub, k, err = s.Rotate(ada.Author, Rotation{Reason: ReasonKeysChanged, FirmName: "f", TrailPosition: s.TrailPosition, TrailHead: s.TrailHead})
	if err != nil {
		t.Fatal(err)
	}
	s.AddKeys(k)
	apply(t, w.l, w.ada, sub)
	if s.Invites[w.link.Invite].State != InviteOpen {
		t.Error("an open invite ended with its inviter's keys")
	}
	guest := w.l.join(t, w.link, ModeOpensAtOnce)
	guest.state = must[*State](t)(w.l.open(t, guest))
	if err := w.link.CheckPin(guest.state); err != nil {
		t.Errorf("a guest does not find who invited him: %v", err)
	}
	w.catchUp(t)
	if guest.state.Root() != s.Root() {
		t.Error("a newcomer derives another state")
	}
}

// TestRenewAttacks: whose keys nobody can change. S-RENEW-01 S-RENEW-02
func TestRenewAttacks(t *testing.T) {
	w := newWorld(t)
	s := w.ada.state
	clara, link := w.renewed(t, w.clara)
	mal, _ := w.renewed(t, w.mal)
	rex, gone := w.renewed(t, w.rex)
	sign := func(l KeyLink, by *person) KeyLink {
		l.Signature = must[[]byte](t)(by.Identity.Sign(keys.LabelSignKeyLink, l.signed().Bytes()))
		return l
	}
	with := func(l KeyLink, b Bundle) KeyLink { l.Bundle = b; return l }
	bundle := func(member wire.ObjectID, p *person) Bundle { return must[Bundle](t)(NewBundle(member, p.Identity)) }
	put := func(by *person, l KeyLink) Entry {
		return w.forge(t, by, KindRenew, by.headBody(), func(e *Effect) { e.Renew = &RenewEffect{Link: l} })
	}
	as := func(member wire.ObjectID, p *person) *person {
		x := *p
		x.Member = member
		return &x
	}
	for name, c := range map[string]struct {
		entry Entry
		want  error
	}{
		"by another member's signature":       {put(as(clara.Member, mal), sign(with(link, bundle(clara.Member, mal)), w.petra)), ErrKeyLink},
		"by an owner's signature":             {put(as(clara.Member, mal), sign(with(link, bundle(clara.Member, mal)), w.ada)), ErrKeyLink},
		"by the new keys' own":                {put(as(clara.Member, mal), sign(with(link, bundle(clara.Member, mal)), mal)), ErrKeyLink},
		"for another member":                  {put(as(w.petra.Member, clara), link), ErrKeyLink},
		"of another firm":                     {put(clara, sign(func() KeyLink { l := link; l.Firm[0] ^= 1; return l }(), w.clara)), ErrKeyLink},
		"to keys that did not sign the entry": {put(as(clara.Member, mal), link), ErrEntrySig},
		"by the old keys":                     {put(w.clara, link), ErrEntrySig},
		"to the same keys":                    {put(w.clara, sign(with(link, bundle(clara.Member, w.clara)), w.clara)), ErrKeyLink},
		"to another member's keys":            {put(as(clara.Member, w.petra), sign(with(link, bundle(clara.Member, w.petra)), w.clara)), ErrRoster},
		"of who was removed":                  {put(rex, gone), ErrRights},
		"of who waits":                        {put(as(w.wanda.Member, mal), link), ErrRights},
		"of a stranger":                       {put(mal, link), ErrRights},
	} {
		t.Run(name, func(t *testing.T) { refused(t, s.Clone(), c.entry, c.want) })
	}
	t.Run("a tombstone", func(t *testing.T) { refused(t, s.Clone(), put(clara, link).Erase(), ErrErased) })
	if _, err := s.Renew(w.wanda.Author, link); !errors.Is(err, ErrRights) {
		t.Errorf("who waits may author: %v", err)
	}
	// A revoked key does not come back (attack 4).
	apply(t, w.l, w.ada, must[Submission](t)(s.Renew(clara.Author, link)))
	back := must[KeyLink](t)(link.Next(bundle(clara.Member, w.clara), clara.Identity))
	refused(t, s.Clone(), put(w.clara, back), ErrKeyLink)
	// Nor is the link taken twice.
	refused(t, s.Clone(), put(clara, link), ErrKeyLink)
}

// TestRenewedComesBack: who was removed, and renewed his keys while away, comes back by the links that lead to them, and by no
// others. S-INV-05
func TestRenewedComesBack(t *testing.T) {
	w := newWorld(t)
	rex, link := w.renewed(t, w.rex)
	third, second := rex, link
	third, second = func() (*person, KeyLink) {
		n := newPerson(t)
		n.Member = rex.Member
		return n, must[KeyLink](t)(link.Next(must[Bundle](t)(NewBundle(n.Member, n.Identity)), rex.Identity))
	}()
	accept := func(p *person, links ...KeyLink) Entry {
		p.Links = links
		return must[Submission](t)(w.link.Accept(p.Author, w.packageOf(t, w.link), w.ada.state.Position, w.ada.state.Head)).Entry
	}
	many := make([]KeyLink, maxAcceptLinks+1)
	for i := range many {
		many[i] = link
	}
	for name, e := range map[string]Entry{"without a link": accept(rex), "with a link left out": accept(third, second), "in another order": accept(third, second, link), "with one too many": accept(rex, link, second)} {
		t.Run(name, func(t *testing.T) { refused(t, w.ada.state.Clone(), e, ErrRoster) })
	}
	t.Run("a newcomer with a link", func(t *testing.T) {
		mal, other := w.renewed(t, w.mal)
		refused(t, w.ada.state.Clone(), accept(mal, other), ErrRoster)
	})
	third.Links = many
	sub := must[Submission](t)(w.link.Accept(third.Author, w.packageOf(t, w.link), w.ada.state.Position, w.ada.state.Head))
	if _, err := ParseEffect(sub.Entry.Effect); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("nine links: %v", err)
	}
	if err := w.ada.state.Apply(accept(third, link, second)); err != nil {
		t.Fatal(err)
	}
	if m := w.ada.state.Members[rex.Member]; m.State != MemberSeated || !m.Keys.Equal(third.Identity.Public()) || len(m.Former) != 2 || len(w.ada.state.Stale()) != 0 {
		t.Errorf("%+v", m)
	}
}

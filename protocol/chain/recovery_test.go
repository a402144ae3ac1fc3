package chain

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/recovery"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// office is a firm's own chain: the world's people, of whom ada, olga and petra are custodians, two of whom are enough.
type office struct {
	*world
	policy Policy
	seed   [32]byte // of clara's identity: clara is staff here
	escrow Submission
	link   RecoveryLink
	pkg    RecoveryPackage
	news   *person // who claims to be clara, on a new device
	claim  Claim
}

const week = 7 * 24 * time.Hour

func split(k, n int) ([32]byte, [][]byte, error) { return recovery.Split(nil, k, n) }

func newOffice(t testing.TB) *office {
	t.Helper()
	o := &office{world: newWorld(t), policy: DefaultPolicy()}
	o.asFirm()
	o.seed = must[[32]byte](t)(keys.GenerateIdentitySeed(rand.Reader))
	// clara gets keys whose seed is known here.
	clara, _ := o.renewed(t, o.clara)
	clara.Identity = must[*keys.Identity](t)(keys.NewIdentity(o.seed))
	link := must[KeyLink](t)(FirstKeyLink(o.ada.state.FirmOf(), must[Bundle](t)(NewBundle(clara.Member, o.clara.Identity))).Next(must[Bundle](t)(NewBundle(clara.Member, clara.Identity)), o.clara.Identity))
	o.put(t, must[Submission](t)(o.ada.state.Renew(clara.Author, link)))
	o.clara = clara
	o.rotate(t, Rotation{Reason: ReasonKeysChanged, FirmName: "f"})
	o.policy.RecoveryK, o.policy.RecoveryHours = 2, 48
	for _, p := range []*person{o.ada, o.olga, o.petra} {
		o.policy.Custodians = append(o.policy.Custodians, Custodian{p.Member, wire.Hash(o.ada.state.Members[p.Member].Keys.Fingerprint())})
	}
	o.policy = o.policy.Normal()
	o.put(t, must[Submission](t)(o.ada.state.SetPolicy(o.ada.Author, o.policy)))
	return o
}

func (o *office) put(t testing.TB, sub Submission) { t.Helper(); apply(t, o.l, o.ada, sub) }

func (o *office) rotate(t testing.TB, r Rotation) {
	t.Helper()
	s := o.ada.state
	r.TrailPosition, r.TrailHead = s.TrailPosition, s.TrailHead
	sub, k, err := s.Rotate(o.ada.Author, r)
	if err != nil {
		t.Fatal(err)
	}
	s.AddKeys(k)
	o.put(t, sub)
}

func hashesOf(rows []Row) (list []wire.Hash) {
	for _, r := range rows {
		list = append(list, r.Hash())
	}
	return list
}

func (o *office) row(kind RowKind, recipient wire.ObjectID) []byte {
	for _, r := range o.escrow.Rows {
		if r.Kind == kind && r.Recipient == recipient {
			return r.Bytes
		}
	}
	return nil
}

// enrol has clara leave her identity with the custodians.
func (o *office) enrol(t testing.TB) {
	t.Helper()
	o.escrow = must[Submission](t)(o.ada.state.Escrow(o.clara.Author, o.seed, split))
	o.put(t, o.escrow)
}

// begin has ada begin a recovery, and somebody answer it with the link.
func (o *office) begin(t testing.TB) {
	t.Helper()
	sub, link, err := o.ada.state.Recover(o.ada.Author, o.clara.Member, "She lost her laptop.", testTime.Add(week))
	if err != nil {
		t.Fatal(err)
	}
	o.put(t, sub)
	o.link, o.pkg = link, must[RecoveryPackage](t)(link.Open(sub.Rows[0].Bytes))
	o.news = newPerson(t)
	o.news.Member = o.clara.Member
	o.claim = must[Claim](t)(link.Claim(o.news.Identity))
}

// approve is a custodian's word, after a time.
func (o *office) approve(p *person, after time.Duration) (Submission, error) {
	return o.ada.state.Approve(p.later(after), o.link.Recovery, o.claim, o.row(RowShare, p.Member), hashesOf(o.escrow.Rows))
}

// whole tells the story to its end, and is the seed that came back.
func (o *office) whole(t testing.TB) [32]byte {
	t.Helper()
	o.enrol(t)
	o.begin(t)
	shares := map[wire.ObjectID][]byte{}
	for _, p := range []*person{o.petra, o.olga} {
		sub := must[Submission](t)(o.approve(p, 49*time.Hour))
		o.put(t, sub)
		shares[p.Member] = sub.Rows[0].Bytes
	}
	seed := must[[32]byte](t)(o.link.Handed(o.pkg, o.news.Identity, o.row(RowEscrow, o.clara.Member), shares, recovery.Combine))
	back := must[*keys.Identity](t)(keys.NewIdentity(seed))
	first := FirstKeyLink(o.ada.state.FirmOf(), must[Bundle](t)(NewBundle(o.clara.Member, back)))
	o.news.Former = []*keys.Identity{back}
	o.put(t, must[Submission](t)(o.ada.state.Renew(o.news.Author, must[KeyLink](t)(first.Next(o.claim.Bundle, back)))))
	return seed
}

// TestRecovery: a member leaves her identity with three custodians; somebody begins, the time to say no passes, two agree, and
// she has it back, and renews it. S-RECOVERY-01 S-RECOVERY-03 S-RECOVERY-06 S-STATE-01
func TestRecovery(t *testing.T) {
	o := newOffice(t)
	s := o.ada.state
	root := s.Root()
	seed := o.whole(t)
	if seed != o.seed {
		t.Fatal("another identity came back")
	}
	r := s.Recoveries[o.link.Recovery]
	if r.State != RecoveryDone || len(r.Approvals) != 2 || r.Reason != "She lost her laptop." || s.Root() == root {
		t.Errorf("%+v", r)
	}
	m := s.Members[o.clara.Member]
	if m.Escrow != nil || !m.Keys.Equal(o.news.Identity.Public()) || len(s.Stale()) != 1 {
		t.Error("what was used stays in use")
	}
	if o.pkg.Person != "Clara Client" || o.pkg.K != 2 || len(o.pkg.Names) != 3 || o.pkg.Hours != 48 {
		t.Errorf("%+v", o.pkg)
	}
	if warm := must[*State](t)(Unmarshal(s.Marshal())); warm.Root() != s.Root() || warm.Recoveries[r.ID].State != RecoveryDone {
		t.Error("a cache loses it")
	}
	again := must[RecoveryLink](t)(ParseRecoveryLink(o.link.String()))
	if again != o.link {
		t.Error("the link is written otherwise")
	}
	// Every entry of it can be read by everybody in the firm's chain.
	previous := wire.Hash{}
	for i, e := range o.l.entries {
		if a, err := s.Describe(e, uint64(i), previous); err != nil || a.Time == 0 {
			t.Errorf("entry %d: %v", i, err)
		}
		previous = e.Leaf.Hash()
	}
}

// TestEscrowAttacks: with whom nobody leaves an identity. S-RECOVERY-01 (attacks 18, 19)
func TestEscrowAttacks(t *testing.T) {
	o := newOffice(t)
	s := o.ada.state
	newest := s.Policy.Position
	body := func(p *person) []byte { return hashBody(p.head(), wire.Hash{}) }
	put := func(p *person, policy uint64) Entry {
		return o.forge(t, p, KindEscrow, body(p), func(e *Effect) { e.Escrow = &EscrowEffect{Policy: policy} })
	}
	refused(t, s.Clone(), put(o.clara, newest+1), ErrRecovery)
	refused(t, s.Clone(), put(o.clara, newest-1), ErrRecovery)
	refused(t, s.Clone(), put(o.clara, 0), ErrRecovery) // nothing to take back
	for name, p := range map[string]*person{"removed": o.rex, "waiting": o.wanda, "stranger": o.mal} {
		t.Run(name, func(t *testing.T) { refused(t, s.Clone(), put(p, newest), ErrRights) })
	}
	forged := o.forge(t, &person{Author: Author{Member: o.clara.Member, Identity: o.petra.Identity, Random: rand.Reader, Now: o.petra.Now}}, KindEscrow, body(o.petra),
		func(e *Effect) { e.Escrow = &EscrowEffect{Policy: newest} })
	refused(t, s.Clone(), forged, ErrEntrySig) // nobody enrols another
	// Other custodians are another policy: what was agreed to before is not agreed to now, and nothing moves by itself.
	o.enrol(t)
	old := *s.Members[o.clara.Member].Escrow
	p := o.policy
	p.Custodians = slices.DeleteFunc(slices.Clone(p.Custodians), func(c Custodian) bool { return c.Member == o.petra.Member })
	o.put(t, must[Submission](t)(s.SetPolicy(o.ada.Author, p)))
	if e := s.Members[o.clara.Member].Escrow; e.Policy != old.Policy || !slices.Equal(e.Custodians, old.Custodians) {
		t.Error("an owner moved a member's escrow")
	}
	refused(t, s.Clone(), put(o.clara, newest), ErrRecovery)
	// A custodian cannot be his own, and two of two without himself are one too few.
	if _, err := s.Escrow(o.olga.Author, o.seed, split); !errors.Is(err, ErrRecovery) {
		t.Errorf("one of two: %v", err)
	}
	// Nobody who has no seat here, other keys, or no key to read what he agrees to, becomes a custodian.
	for name, c := range map[string]Custodian{"a stranger": {o.mal.Member, wire.Hash(o.mal.Identity.Public().Fingerprint())}, "other keys": {o.petra.Member, wire.Hash(o.mal.Identity.Public().Fingerprint())},
		"who was removed": {o.rex.Member, wire.Hash(o.rex.Identity.Public().Fingerprint())}, "an auditor": {o.aude.Member, wire.Hash(o.aude.Identity.Public().Fingerprint())},
		"who waits": {o.wanda.Member, wire.Hash(o.wanda.Identity.Public().Fingerprint())}} {
		p := p
		p.Custodians = append(slices.Clone(p.Custodians), c)
		p = p.Normal()
		if _, err := s.SetPolicy(o.ada.Author, p); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
		refused(t, s.Clone(), o.forge(t, o.olga, KindPolicy, o.olga.headBody(), func(e *Effect) { e.Policy = &p }), ErrRecovery)
	}
	// With recovery off there is nothing to agree to.
	o.put(t, must[Submission](t)(s.SetPolicy(o.ada.Author, DefaultPolicy())))
	refused(t, s.Clone(), put(o.petra, s.Policy.Position), ErrRecovery)
	o.put(t, must[Submission](t)(s.WithdrawEscrow(o.clara.Author)))
	if s.Members[o.clara.Member].Escrow != nil {
		t.Error("it stays")
	}
	if _, err := s.WithdrawEscrow(o.clara.Author); !errors.Is(err, ErrRecovery) {
		t.Errorf("twice: %v", err)
	}
	matter := newWorld(t)
	refused(t, matter.ada.state.Clone(), matter.forge(t, matter.clara, KindEscrow, body(matter.clara), func(e *Effect) { e.Escrow = &EscrowEffect{Policy: 1} }), ErrRights)
}

// TestRecoveryAttacks: who begins, agrees and stops, when, and for whose keys. S-RECOVERY-04 S-RECOVERY-05
func TestRecoveryAttacks(t *testing.T) {
	o := newOffice(t)
	s := o.ada.state
	begin := func(p *person, member wire.ObjectID) Entry {
		body := wire.NewWriter()
		p.head().write(body)
		body.Text("r")
		body.Fixed(make([]byte, 32))
		return o.forge(t, p, KindRecover, body.Bytes(), func(e *Effect) {
			e.Recover = &RecoverEffect{Recovery: newID(t), Member: member, PublicKey: [32]byte{1}, Expires: 9}
		})
	}
	if _, _, err := s.Recover(o.ada.Author, o.clara.Member, "r", testTime.Add(week)); !errors.Is(err, ErrRecovery) {
		t.Errorf("of who left nothing: %v", err)
	}
	refused(t, s.Clone(), begin(o.ada, o.clara.Member), ErrRecovery)
	o.enrol(t)
	for name, p := range map[string]*person{"herself": o.clara, "an expert": o.xaver, "an auditor": o.aude, "removed": o.rex, "waiting": o.wanda, "a stranger": o.mal} {
		t.Run("begun by "+name, func(t *testing.T) { refused(t, s.Clone(), begin(p, o.clara.Member), ErrRights) })
	}
	for _, member := range []wire.ObjectID{o.rex.Member, o.wanda.Member, o.mal.Member, o.xaver.Member} {
		refused(t, s.Clone(), begin(o.ada, member), ErrRecovery)
	}
	if err := s.Clone().Apply(begin(o.petra, o.clara.Member)); err != nil {
		t.Errorf("a custodian may not begin: %v", err)
	}
	o.begin(t)
	refused(t, s.Clone(), begin(o.olga, o.clara.Member), ErrRecovery) // one at a time

	approveOn := func(s *State, p *person, after time.Duration, recovery wire.ObjectID, to wire.Hash) Entry {
		a := p.later(after)
		return forgeOn(t, s, &person{Author: a}, KindApprove, hashBody(a.head(), wire.Hash{}), func(e *Effect) {
			e.Approve = &ApproveEffect{Recovery: recovery, Fingerprint: to}
		})
	}
	approve := func(p *person, after time.Duration, recovery wire.ObjectID, to wire.Hash) Entry {
		return approveOn(s, p, after, recovery, to)
	}
	claimed := wire.Hash(o.news.Identity.Public().Fingerprint())
	// Before the time that everybody has to say no, nothing is handed over, and a word counts for nothing.
	if _, err := o.approve(o.petra, 47*time.Hour); !errors.Is(err, ErrRecovery) {
		t.Errorf("too early: %v", err)
	}
	early := s.Clone()
	if err := early.Apply(approve(o.petra, 47*time.Hour, o.link.Recovery, claimed)); err != nil || len(early.Voids) != len(s.Voids)+1 || len(early.Recoveries[o.link.Recovery].Approvals) != 0 {
		t.Errorf("an early word counts: %v", err)
	}
	for name, p := range map[string]*person{"herself": o.clara, "an expert": o.xaver, "an auditor": o.aude, "removed": o.rex, "a stranger": o.mal} {
		t.Run("agreed to by "+name, func(t *testing.T) {
			refused(t, s.Clone(), approve(p, 49*time.Hour, o.link.Recovery, claimed), ErrRights)
		})
	}
	refused(t, s.Clone(), approve(o.petra, 49*time.Hour, newID(t), claimed), ErrRecovery)
	// A claim that the link did not sign, or for another, is nothing to hand over for: whoever runs the server has no link.
	thief := newPerson(t)
	thief.Member = o.clara.Member
	good := o.claim
	for name, claim := range map[string]Claim{
		"signed by nobody":       {must[Bundle](t)(NewBundle(o.clara.Member, thief.Identity)), make([]byte, 64)},
		"with the link's answer": {must[Bundle](t)(NewBundle(o.clara.Member, thief.Identity)), good.Signature},
		"for another member":     {must[Bundle](t)(NewBundle(o.petra.Member, o.news.Identity)), good.Signature},
		"no signature":           {good.Bundle, nil},
		"another's keys":         {Bundle{o.clara.Member, thief.Identity.Public(), good.Bundle.Signature}, good.Signature},
	} {
		o.claim = claim
		if _, err := o.approve(o.petra, 49*time.Hour); !errors.Is(err, ErrRecovery) {
			t.Errorf("%s: %v", name, err)
		}
	}
	o.claim = good
	// A share that is not the one the escrow's entry made is not opened.
	hashes := hashesOf(o.escrow.Rows)
	for name, c := range map[string]struct {
		row    []byte
		hashes []wire.Hash
	}{"another custodian's": {o.row(RowShare, o.olga.Member), hashes}, "cut": {o.row(RowShare, o.petra.Member)[1:], hashes}, "other hashes": {o.row(RowShare, o.petra.Member), hashes[:3]},
		"swapped hashes": {o.row(RowShare, o.petra.Member), []wire.Hash{hashes[0], hashes[2], hashes[1], hashes[3]}}, "none": {nil, nil}} {
		if _, err := s.Approve(o.petra.later(49*time.Hour), o.link.Recovery, o.claim, c.row, c.hashes); !errors.Is(err, ErrRecovery) {
			t.Errorf("%s: %v", name, err)
		}
	}
	first := must[Submission](t)(o.approve(o.petra, 49*time.Hour))
	o.put(t, first)
	refused(t, s.Clone(), approve(o.petra, 50*time.Hour, o.link.Recovery, claimed), ErrRecovery)                                         // twice
	refused(t, s.Clone(), approve(o.olga, 50*time.Hour, o.link.Recovery, wire.Hash(thief.Identity.Public().Fingerprint())), ErrRecovery) // other keys
	if _, err := o.approve(o.petra, 50*time.Hour); !errors.Is(err, ErrRecovery) {
		t.Errorf("twice: %v", err)
	}

	veto := func(s *State, p *person) Entry {
		return forgeOn(t, s, p, KindVeto, reasonBody(p.Author, "It was not me."), func(e *Effect) { e.Veto = &VetoEffect{o.link.Recovery} })
	}
	for name, p := range map[string]*person{"an expert": o.xaver, "an auditor": o.aude, "removed": o.rex, "a stranger": o.mal} {
		t.Run("stopped by "+name, func(t *testing.T) { refused(t, s.Clone(), veto(s, p), ErrRights) })
	}
	for name, p := range map[string]*person{"herself": o.clara, "an owner": o.olga, "a custodian": o.petra} {
		stopped := s.Clone()
		if err := stopped.Apply(veto(s, p)); err != nil || stopped.Recoveries[o.link.Recovery].State != RecoveryVetoed {
			t.Errorf("%s cannot stop it: %v", name, err)
		}
		refused(t, stopped, approveOn(stopped, o.olga, 50*time.Hour, o.link.Recovery, claimed), ErrRecovery)
		refused(t, stopped, veto(stopped, o.ada), ErrRecovery)
	}
	// Whoever freezes her seat, with the link that she came by, keeps nobody from stopping it; nothing is agreed to meanwhile.
	frozen := s.Clone()
	frozen.Members[o.clara.Member].State = MemberFrozen
	refused(t, frozen.Clone(), approveOn(frozen, o.olga, 50*time.Hour, o.link.Recovery, claimed), ErrRecovery)
	if sub, err := frozen.Veto(o.ada.Author, o.link.Recovery, "r"); err != nil {
		t.Errorf("of a frozen member: %v", err)
	} else if err := frozen.Apply(sub.Entry); err != nil || frozen.Recoveries[o.link.Recovery].State != RecoveryVetoed {
		t.Errorf("of a frozen member: %v", err)
	}
	// Who still has her keys and renews them, leaves, or takes the escrow back, ends it.
	renewed, link := o.renewed(t, o.clara)
	for name, e := range map[string]Entry{"renewed": must[Submission](t)(s.Renew(renewed.Author, link)).Entry, "withdrew": must[Submission](t)(s.WithdrawEscrow(o.clara.Author)).Entry} {
		x := s.Clone()
		if err := x.Apply(e); err != nil || x.Recoveries[o.link.Recovery].State != RecoveryEnded {
			t.Errorf("%s: %v", name, err)
		}
		refused(t, x, approveOn(x, o.olga, 50*time.Hour, o.link.Recovery, claimed), ErrRecovery)
	}
	o.rotate(t, Rotation{Reason: ReasonMemberRemoved, Remove: []wire.ObjectID{o.clara.Member}})
	if s.Recoveries[o.link.Recovery].State != RecoveryEnded {
		t.Error("removing her did not end it")
	}
}

// TestApprovalEnds: what a custodian agreed to counts as long as his seat: not once he was removed or frozen, be he back, and not
// for who comes back with the keys that too few agree to. S-RECOVERY-06 S-RECOVERY-18
func TestApprovalEnds(t *testing.T) {
	o := newOffice(t)
	s := o.ada.state
	o.enrol(t)
	o.begin(t)
	for _, p := range []*person{o.petra, o.olga} {
		o.put(t, must[Submission](t)(o.approve(p, 49*time.Hour)))
	}
	r := func(s *State) *Recovery { return s.Recoveries[o.link.Recovery] }
	frozen := s.Clone()
	frozen.freeze(frozen.Invites[frozen.Members[o.petra.Member].Invite])
	if got := r(frozen); got.Agreed() || len(got.Approvals) != 1 || got.approvedBy(o.petra.Member) || !r(s).Agreed() {
		t.Errorf("who is frozen agrees: %+v", got)
	}
	o.rotate(t, Rotation{Reason: ReasonMemberRemoved, Remove: []wire.ObjectID{o.petra.Member}})
	if got := r(s); got.Agreed() || len(got.Approvals) != 1 || got.approvedBy(o.petra.Member) || got.Fingerprint.IsZero() {
		t.Errorf("who was removed agrees: %+v", got)
	}
	// She renews to the claimed keys, as whoever put them together before would: it is not what k custodians agreed to.
	first := must[KeyLink](t)(FirstKeyLink(s.FirmOf(), must[Bundle](t)(NewBundle(o.clara.Member, o.clara.Identity))).Next(o.claim.Bundle, o.clara.Identity))
	early := s.Clone()
	if err := early.Apply(must[Submission](t)(s.Renew(o.news.Author, first)).Entry); err != nil || r(early).State != RecoveryEnded {
		t.Errorf("done, with one of two: %v", err)
	}
	// Back under a seat that an owner gave her, she agreed to nothing; and says it anew.
	back := o.invite(t, "Petra Paralegal", RoleParalegal, ModeOpensAtOnce)
	o.put(t, must[Submission](t)(back.Accept(o.petra.Author, o.packageOf(t, back), s.Position, s.Head)))
	if got := r(s); s.Members[o.petra.Member].State != MemberSeated || got.Agreed() || got.approvedBy(o.petra.Member) {
		t.Errorf("it counts again: %+v", got)
	}
	again := s.Clone()
	if err := again.Apply(must[Submission](t)(o.approve(o.petra, 50*time.Hour)).Entry); err != nil || !r(again).Agreed() {
		t.Errorf("she cannot say it anew: %v", err)
	}
	// Where nobody agrees any more, it may be to another claim by the same link.
	o.rotate(t, Rotation{Reason: ReasonMemberRemoved, Remove: []wire.ObjectID{o.olga.Member}})
	o.news = newPerson(t)
	o.news.Member = o.clara.Member
	o.claim = must[Claim](t)(o.link.Claim(o.news.Identity))
	if got := r(s); len(got.Approvals) != 0 || !got.Fingerprint.IsZero() {
		t.Errorf("%+v", got)
	}
	for _, p := range []*person{o.petra, o.ada} {
		o.put(t, must[Submission](t)(o.approve(p, 51*time.Hour)))
	}
	next := must[KeyLink](t)(FirstKeyLink(s.FirmOf(), must[Bundle](t)(NewBundle(o.clara.Member, o.clara.Identity))).Next(o.claim.Bundle, o.clara.Identity))
	o.put(t, must[Submission](t)(s.Renew(o.news.Author, next)))
	if r(s).State != RecoveryDone {
		t.Errorf("%+v", r(s))
	}
}

// TestRemovedIsNotHandedBack: a recovery of who was removed ends, be it to the very keys that she had. S-RECOVERY-06
func TestRemovedIsNotHandedBack(t *testing.T) {
	o := newOffice(t)
	o.enrol(t)
	o.begin(t)
	o.claim = must[Claim](t)(o.link.Claim(o.clara.Identity))
	for _, p := range []*person{o.petra, o.olga} {
		o.put(t, must[Submission](t)(o.approve(p, 49*time.Hour)))
	}
	o.rotate(t, Rotation{Reason: ReasonMemberRemoved, Remove: []wire.ObjectID{o.clara.Member}})
	if r := o.ada.state.Recoveries[o.link.Recovery]; r.State != RecoveryEnded {
		t.Errorf("%+v", r)
	}
}

// TestHanded: what does not come together to the pinned identity is nothing; one false custodian stops nobody. S-RECOVERY-03
func TestHanded(t *testing.T) {
	o := newOffice(t)
	o.enrol(t)
	o.begin(t)
	shares := map[wire.ObjectID][]byte{}
	for _, p := range []*person{o.petra, o.olga, o.ada} {
		sub := must[Submission](t)(o.approve(p, 49*time.Hour))
		shares[p.Member] = sub.Rows[0].Bytes
	}
	escrow := o.row(RowEscrow, o.clara.Member)
	handed := func(l RecoveryLink, p RecoveryPackage, by *keys.Identity, escrow []byte, shares map[wire.ObjectID][]byte) error {
		seed, err := l.Handed(p, by, escrow, shares, recovery.Combine)
		if err != nil && seed != [32]byte{} {
			t.Error("something is handed out with an error")
		}
		return err
	}
	some := func(n int) map[wire.ObjectID][]byte {
		out := map[wire.ObjectID][]byte{}
		for _, c := range o.pkg.Custodians[:n] {
			out[c.Member] = shares[c.Member]
		}
		return out
	}
	noise := some(3)
	noise[o.olga.Member] = slices.Clone(shares[o.olga.Member])
	noise[o.olga.Member][1199] ^= 1
	if err := handed(o.link, o.pkg, o.news.Identity, escrow, noise); err != nil {
		t.Errorf("one false custodian stops two: %v", err)
	}
	swapped := map[wire.ObjectID][]byte{o.olga.Member: shares[o.petra.Member], o.petra.Member: shares[o.olga.Member]}
	other := o.link
	other.Fingerprint[0] ^= 1
	second := o.link
	second.Recovery[0] ^= 1
	lower, policy, reordered := o.pkg, o.pkg, o.pkg
	lower.K, policy.Policy = 3, policy.Policy+1
	reordered.Custodians = slices.Clone(o.pkg.Custodians)
	slices.Reverse(reordered.Custodians)
	cut := slices.Clone(escrow)
	cut[len(cut)-1] ^= 1
	for name, err := range map[string]error{
		"one share":            handed(o.link, o.pkg, o.news.Identity, escrow, some(1)),
		"none":                 handed(o.link, o.pkg, o.news.Identity, escrow, nil),
		"swapped":              handed(o.link, o.pkg, o.news.Identity, escrow, swapped),
		"another fingerprint":  handed(other, o.pkg, o.news.Identity, escrow, shares),
		"another recovery":     handed(second, o.pkg, o.news.Identity, escrow, shares),
		"another threshold":    handed(o.link, lower, o.news.Identity, escrow, shares),
		"another policy":       handed(o.link, policy, o.news.Identity, escrow, shares),
		"another order":        handed(o.link, reordered, o.news.Identity, escrow, shares),
		"somebody else's keys": handed(o.link, o.pkg, o.mal.Identity, escrow, shares),
		"a changed escrow":     handed(o.link, o.pkg, o.news.Identity, cut, shares),
	} {
		if !errors.Is(err, ErrRecovery) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Shares of an older escrow fit no newer one (attack 19).
	before := o.escrow
	o.put(t, must[Submission](t)(o.ada.state.Veto(o.ada.Author, o.link.Recovery, "")))
	o.enrol(t)
	o.begin(t)
	if _, err := o.ada.state.Approve(o.petra.later(49*time.Hour), o.link.Recovery, o.claim, rowOf(before, o.petra.Member), hashesOf(before.Rows)); !errors.Is(err, ErrRecovery) {
		t.Errorf("an older share is handed over: %v", err)
	}
	if err := handed(o.link, o.pkg, o.news.Identity, o.row(RowEscrow, o.clara.Member), shares); !errors.Is(err, ErrRecovery) {
		t.Errorf("older shares open a newer escrow: %v", err)
	}
	if log.Root(hashesOf(before.Rows)) == o.ada.state.Members[o.clara.Member].Escrow.RowsRoot {
		t.Error("two escrows are one")
	}
}

func rowOf(sub Submission, recipient wire.ObjectID) []byte {
	for _, r := range sub.Rows {
		if r.Kind == RowShare && r.Recipient == recipient {
			return r.Bytes
		}
	}
	return nil
}

// TestRecoveryPackage: what a link opens, and what it does not. S-RECOVERY-07
func TestRecoveryPackage(t *testing.T) {
	o := newOffice(t)
	o.enrol(t)
	sub, link, err := o.ada.state.Recover(o.ada.Author, o.clara.Member, "r", testTime.Add(week))
	if err != nil {
		t.Fatal(err)
	}
	sealed := sub.Rows[0].Bytes
	for name, change := range map[string]func(*RecoveryLink){"another secret": func(l *RecoveryLink) { l.Secret[0] ^= 1 }, "another firm": func(l *RecoveryLink) { l.Firm[0] ^= 1 },
		"another recovery": func(l *RecoveryLink) { l.Recovery[0] ^= 1 }, "another member": func(l *RecoveryLink) { l.Member[0] ^= 1 }, "another fingerprint": func(l *RecoveryLink) { l.Fingerprint[0] ^= 1 }} {
		l := link
		change(&l)
		if _, err := l.Open(sealed); !errors.Is(err, ErrRecovery) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := must[RecoveryPackage](t)(link.Open(sealed))
	for name, change := range map[string]func(*RecoveryPackage){"one of three": func(p *RecoveryPackage) { p.K = 1 }, "four of three": func(p *RecoveryPackage) { p.K = 4 }, "no policy": func(p *RecoveryPackage) { p.Policy = 0 }} {
		q := p
		change(&q)
		if _, err := parseRecoveryPackage(q.bytes()); !errors.Is(err, ErrRecovery) {
			t.Errorf("%s: %v", name, err)
		}
	}
	text := link.String()
	for _, bad := range []string{"", text[:len(text)-1], text + "A", text[:20] + "\n" + text[20:], "A" + text} {
		if _, err := ParseRecoveryLink(bad); err == nil {
			t.Errorf("%q parses", bad)
		}
	}
	for _, reason := range []string{"", strings.Repeat("r", MaxReason+1)} {
		if _, _, err := o.ada.state.Recover(o.ada.Author, o.clara.Member, reason, testTime.Add(week)); !errors.Is(err, ErrInput) {
			t.Errorf("a reason of %d: %v", len(reason), err)
		}
	}
}

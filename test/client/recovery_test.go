package client

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/test/evilserver"
)

const (
	hours = 48
	wait  = hours * time.Hour
)

// custody is a firm in which Ada, Bob and Cora are custodians, two of whom are enough. Dora and Paul work in it.
type custody struct {
	*stage
	bob, cora, dora, paul *evilserver.Person
	firm                  wire.ChainID
}

func newCustody(t *testing.T) *custody {
	t.Helper()
	o := &custody{stage: newStage(t)}
	o.firm = o.ada.Firm
	for _, x := range []struct {
		p    **evilserver.Person
		name string
	}{{&o.bob, "Bob"}, {&o.cora, "Cora"}, {&o.dora, "Dora"}, {&o.paul, "Paul"}} {
		*x.p = o.ada.Guest(o.firm, x.name, chain.RoleParalegal)
	}
	o.rule("Ada", "Bob", "Cora")
	return o
}

// rule has Ada sign that so many custodians bring somebody back, two of them; none: recovery is off.
func (o *custody) rule(names ...string) {
	o.Helper()
	o.ada.HandBack(2, hours, names...)
}

func (o *custody) custodyOf(p *evilserver.Person) client.CustodyView {
	o.Helper()
	v, err := p.Custody(evilserver.Soon(o), o.firm)
	o.ok(err)
	return v
}

func (o *custody) recoveries(p *evilserver.Person) client.RecoveriesView {
	o.Helper()
	v, err := p.Recoveries(evilserver.Soon(o), o.firm)
	o.ok(err)
	return v
}

// in is somebody on the device he has, signed in again after hours.
func (o *custody) in(p *evilserver.Person) *evilserver.Person {
	o.Helper()
	q := p.Again().In()
	o.ok(q.Look(o.firm))
	return q
}

func (o *custody) later(d time.Duration) {
	o.Helper()
	o.Clock.Advance(d)
	for _, p := range []**evilserver.Person{&o.ada, &o.bob, &o.cora, &o.dora, &o.paul} {
		*p = o.in(*p)
	}
}

func codeOf(err error) api.Code {
	if f := client.FailureOf(err); f != nil {
		return f.Code
	}
	return ""
}

func names(list []client.HolderView) (out []string) {
	for _, h := range list {
		out = append(out, h.Name)
	}
	slices.Sort(out)
	return out
}

// TestLeavingAnIdentity: who wants it leaves his identity with exactly those whom he was shown, is asked again where they
// change, and takes it back. S-RECOVERY-01 S-RECOVERY-12
func TestLeavingAnIdentity(t *testing.T) {
	o := newCustody(t)
	v := o.custodyOf(o.dora)
	if !v.Offered || v.Left != nil || v.Again || v.K != 2 || v.Hours != hours || !slices.Equal(names(v.Holders), []string{"Ada", "Bob", "Cora"}) || len(v.Holders[0].Words) == 0 {
		t.Fatalf("%+v", v)
	}
	// Who is a custodian himself is not his own: two of the other two.
	if v := o.custodyOf(o.bob); !v.Offered || !slices.Equal(names(v.Holders), []string{"Ada", "Cora"}) {
		t.Errorf("%+v", v)
	}
	// What is agreed to is what was shown: others meanwhile are others.
	o.rule("Ada", "Bob", "Paul")
	if _, err := o.dora.Escrow(evilserver.Soon(t), o.firm, v.Policy); codeOf(err) != api.CodeMoved {
		t.Errorf("other custodians than were shown: %v", err)
	}
	if v = o.custodyOf(o.dora); v.Left != nil {
		t.Fatal("something was left")
	}
	o.dora.Leave()
	if v = o.custodyOf(o.dora); v.Left == nil || v.Again || !v.Left.Reaches || !slices.Equal(names(v.Left.Holders), []string{"Ada", "Bob", "Paul"}) {
		t.Fatalf("%+v", v)
	}
	// Everybody in the firm knows with whom; a matter's roster says nothing of it.
	on := func(p *evilserver.Person, id wire.ChainID) (all []string) {
		for _, x := range p.View(id).People {
			if x.Left != nil {
				all = append(all, append([]string{x.Name}, names(x.Left.Holders)...)...)
			}
		}
		return all
	}
	want := []string{"Dora", "Ada", "Bob", "Paul"}
	if got := on(o.cora, o.firm); !slices.Equal(got, want) || on(o.ada, o.matter) != nil {
		t.Errorf("%q", got)
	}
	office, err := o.ada.Office(evilserver.Soon(t), o.firm)
	o.ok(err)
	for _, x := range office.People {
		if (x.Name == "Dora") != (x.Left != nil && x.Left.K == 2 && slices.Equal(names(x.Left.Holders), want[1:])) {
			t.Errorf("%+v", x)
		}
	}
	// Nothing moves by itself, and he is asked.
	o.rule("Ada", "Bob", "Cora")
	alerts := func(p *evilserver.Person) client.Alerts {
		a, err := p.Alerts(evilserver.Soon(t))
		o.ok(err)
		return a
	}
	if v = o.custodyOf(o.dora); !v.Again || !slices.Equal(names(v.Left.Holders), []string{"Ada", "Bob", "Paul"}) || !slices.Equal(names(v.Holders), []string{"Ada", "Bob", "Cora"}) {
		t.Fatalf("%+v", v)
	}
	if a := alerts(o.dora); len(a.Custodies) != 1 || a.Custodies[0].Firm != o.firm.String() || len(a.Recoveries) != 0 {
		t.Errorf("%+v", a)
	}
	if a := alerts(o.paul); len(a.Custodies) != 0 {
		t.Errorf("%+v", a)
	}
	// Of three two are enough; when two of them left, they are not.
	for i, p := range []*evilserver.Person{o.bob, o.paul} {
		_, err := o.ada.RemoveMember(evilserver.Soon(t), o.firm, o.member(o.ada, o.firm, p.Called))
		o.ok(err)
		if v = o.custodyOf(o.dora); v.Left.Reaches != (i == 0) {
			t.Errorf("%d left: %+v", i+1, v.Left)
		}
	}
	if v.Offered || v.Again {
		t.Error("a custodian who left is offered")
	}
	if _, err := o.dora.Escrow(evilserver.Soon(t), o.firm, v.Policy); codeOf(err) != api.CodeNotAllowed {
		t.Errorf("with one who left: %v", err)
	}
	back, err := o.dora.WithdrawEscrow(evilserver.Soon(t), o.firm)
	o.ok(err)
	if back.Left != nil {
		t.Errorf("%+v", back)
	}
	if _, err := o.dora.WithdrawEscrow(evilserver.Soon(t), o.firm); codeOf(err) != api.CodeNotAllowed {
		t.Errorf("twice: %v", err)
	}
	// Guests of a matter have nothing to leave here.
	gina := o.ada.Guest(o.matter, "Gina", chain.RoleClient)
	if _, err := gina.Custody(evilserver.Soon(t), o.firm); codeOf(err) != api.CodeNotAllowed {
		t.Errorf("a guest: %v", err)
	}
	if a := alerts(gina); len(a.Custodies)+len(a.Recoveries) != 0 {
		t.Errorf("%+v", a)
	}
	o.rule()
	if v = o.custodyOf(o.dora); v.Offered || v.K != 0 {
		t.Errorf("%+v", v)
	}
}

// TestNewKeysTakeBack: who replaces his keys, as after a lost device, has nothing left with custodians, and is told so on every
// device until he left it again or said that he will not. Who had left nothing is told nothing.
func TestNewKeysTakeBack(t *testing.T) {
	o := newCustody(t)
	o.dora.Leave()
	told := func(p *evilserver.Person) int {
		a, err := p.Alerts(evilserver.Soon(t))
		o.ok(err)
		return len(a.Custodies)
	}
	for _, p := range []*evilserver.Person{o.dora, o.paul} {
		if v := o.renewed(p); len(v.Left) != 0 {
			t.Fatalf("%+v", v)
		}
	}
	for name, p := range map[string]*evilserver.Person{"here": o.dora, "elsewhere": o.dora.Elsewhere().In()} {
		if v := o.custodyOf(p); v.Left != nil || !v.Again || v.Ended != client.EndedRenewed || told(p) != 1 {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if v := o.custodyOf(o.paul); v.Again || v.Ended != client.EndedNot || told(o.paul) != 0 {
		t.Errorf("who had left nothing: %+v", v)
	}
	o.dora.Leave()
	if v := o.custodyOf(o.dora); v.Left == nil || v.Again || v.Ended != client.EndedNot || told(o.dora) != 0 {
		t.Errorf("left again: %+v", v)
	}
	o.renewed(o.dora)
	o.rule() // where nobody is named there is nothing to do, and it is known all the same
	if v := o.custodyOf(o.dora); v.Again || v.Ended != client.EndedRenewed || told(o.dora) != 0 {
		t.Errorf("nobody is named: %+v", v)
	}
	o.rule("Ada", "Bob", "Cora")
	if told(o.dora) != 1 {
		t.Error("named again")
	}
	o.ok(o.dora.KeepNothing(evilserver.Soon(t), o.firm))
	if v := o.custodyOf(o.dora); v.Again || v.Ended != client.EndedNot || told(o.dora) != 0 {
		t.Errorf("nothing again: %+v", v)
	}
}

// TestEverybodyIsTold: who began, why, and until when everybody can say no. The member himself, owners and custodians are told,
// and each of them stops it. S-RECOVERY-04 S-RECOVERY-05
func TestEverybodyIsTold(t *testing.T) {
	o := newCustody(t)
	if v := o.recoveries(o.ada); len(v.MayBegin) != 0 {
		t.Errorf("%+v", v)
	}
	o.dora.Leave()
	for p, n := range map[*evilserver.Person]int{o.ada: 1, o.bob: 1, o.dora: 0, o.paul: 0} {
		if v := o.recoveries(p); len(v.MayBegin) != n {
			t.Errorf("%s: %+v", p.Called, v.MayBegin)
		}
	}
	dora := o.member(o.ada, o.firm, "Dora")
	for _, p := range []*evilserver.Person{o.dora, o.paul} {
		if _, err := p.BeginRecovery(evilserver.Soon(t), o.firm, dora, "I say so."); codeOf(err) != api.CodeNotAllowed {
			t.Errorf("%s: %v", p.Called, err)
		}
	}
	for _, reason := range []string{"", "  ", strings.Repeat("r", 1001)} {
		if _, err := o.ada.BeginRecovery(evilserver.Soon(t), o.firm, dora, reason); codeOf(err) != api.CodeBadRequest {
			t.Errorf("a reason of %d: %v", len(reason), err)
		}
	}
	link, id := o.bob.BeginFor("Dora")
	if !strings.HasPrefix(link, o.Origin+"/recover#") {
		t.Error(link)
	}
	told := func(p *evilserver.Person) *client.RecoveryView {
		a, err := p.Alerts(evilserver.Soon(t))
		o.ok(err)
		if len(a.Recoveries) == 0 {
			return nil
		}
		return &a.Recoveries[0]
	}
	for p, is := range map[*evilserver.Person]bool{o.ada: true, o.bob: true, o.cora: true, o.dora: true, o.paul: false} {
		v := told(p)
		if (v != nil) != is {
			t.Errorf("%s: %+v", p.Called, v)
			continue
		}
		if v == nil {
			continue
		}
		if v.Person != "Dora" || v.By != "Bob" || v.Reason != "She lost her laptop." || v.State != "open" || v.K != 2 || v.Agreed != 0 || len(v.Holders) != 3 || !v.MayStop ||
			v.IsMine != (p == o.dora) || v.MayAgree != (p != o.dora) || v.OpensAt-v.At != uint64(wait.Milliseconds()) || v.Until <= v.OpensAt {
			t.Errorf("%s: %+v", p.Called, v)
		}
	}
	if _, err := o.ada.BeginRecovery(evilserver.Soon(t), o.firm, dora, "Once more."); codeOf(err) != api.CodeNotAllowed {
		t.Errorf("a second one: %v", err)
	}
	if _, err := o.paul.Veto(evilserver.Soon(t), o.firm, id, "no"); codeOf(err) != api.CodeNotAllowed {
		t.Errorf("stopped by who has no say: %v", err)
	}
	page, err := o.paul.Activity(evilserver.Soon(t), o.firm, nil, 50)
	o.ok(err)
	if a := page.Items[0]; a.Kind != "recovery-begun" || a.Subject != "Dora" || a.Why != "She lost her laptop." {
		t.Errorf("%+v", a) // who has no say reads of it
	}
	for n, p := range []*evilserver.Person{o.dora, o.ada, o.cora} {
		if n > 0 {
			_, id = o.bob.BeginFor("Dora")
		}
		v, err := p.Veto(evilserver.Soon(t), o.firm, id, " It was not me. ")
		o.ok(err)
		if v.State != "stopped" || v.EndedBy != p.Called || v.EndReason != "It was not me." || v.MayStop || v.MayAgree {
			t.Errorf("%+v", v)
		}
		if told(o.dora) != nil || told(o.cora) != nil {
			t.Error("what is over is told on")
		}
		if _, err := o.bob.Veto(evilserver.Soon(t), o.firm, id, ""); codeOf(err) != api.CodeRecoveryGone {
			t.Errorf("twice: %v", err)
		}
	}
	// One whose time is over is taken off by whoever begins the next.
	o.ada.BeginFor("Dora")
	o.later(wait + 15*24*time.Hour)
	if v := o.recoveries(o.ada).Recoveries[0]; v.State != "expired" || v.MayAgree || !v.MayStop {
		t.Errorf("%+v", v)
	}
	o.ada.BeginFor("Dora")
	if all := o.recoveries(o.ada).Recoveries; all[0].State != "open" || all[1].State != "stopped" {
		t.Errorf("%+v", all)
	}
}

// TestAClockAhead: whoever began it has a clock that is fast: nobody agrees before it says so, either. S-RECOVERY-13
func TestAClockAhead(t *testing.T) {
	o := newCustody(t)
	o.dora.Leave()
	fast := o.ada.Again()
	fast.Now = func() time.Time { return o.Clock.Now().Add(time.Hour) }
	fast = fast.Again().In()
	link, id := fast.BeginFor("Dora")
	o.ok(o.bob.Look(o.firm))
	a := o.asker(link)
	o.asks(a)
	o.later(wait + 30*time.Minute)
	if _, err := o.bob.Approve(evilserver.Soon(t), o.firm, id, a.fingerprint()); codeOf(err) != api.CodeTooEarly {
		t.Errorf("half an hour early: %v", err)
	}
	o.later(time.Hour)
	_, err := o.bob.Approve(evilserver.Soon(t), o.firm, id, a.fingerprint())
	o.ok(err)
}

// asker is somebody with a link, or without one, who asks for an identity.
type asker struct {
	link     chain.RecoveryLink
	identity *keys.Identity
	claim    chain.Claim
}

func (o *custody) asker(link string) *asker {
	o.Helper()
	_, text, _ := strings.Cut(link, "#")
	l, err := chain.ParseRecoveryLink(text)
	o.ok(err)
	return o.askerWith(l)
}

func (o *custody) askerWith(l chain.RecoveryLink) *asker {
	o.Helper()
	a := &asker{link: l, identity: o.Stranger().Identity}
	var err error
	a.claim, err = l.Claim(a.identity)
	o.ok(err)
	return a
}

func (a *asker) fingerprint() string { return a.identity.Public().Fingerprint().String() }

// asks has the server hold a claim, as if it had been sent.
func (o *custody) asks(a *asker) {
	o.Helper()
	o.Edit(layout.FirmPartition(o.firm), func(tx store.Tx) error {
		r, _, err := layout.Get[layout.Recovery](tx, layout.RecoveryKey(a.link.Recovery))
		if err != nil {
			return err
		}
		r.Account, r.Claim, r.Signature = o.ID(), a.claim.Bundle.Bytes(), a.claim.Signature
		return layout.Put(tx, layout.RecoveryKey(a.link.Recovery), r)
	})
}

// TestAgreeing: a custodian compares words with the person and hands his share over to those keys, once, after the hours, by the
// clock of who began it and by his own. S-RECOVERY-05 S-RECOVERY-13 S-RECOVERY-14
func TestAgreeing(t *testing.T) {
	o := newCustody(t)
	o.dora.Leave()
	link, id := o.ada.BeginFor("Dora")
	a := o.asker(link)
	ceremony := func(p *evilserver.Person) client.CeremonyView {
		t.Helper()
		v, err := p.Ceremony(evilserver.Soon(t), o.firm, id)
		o.ok(err)
		return v
	}
	agree := func(p *evilserver.Person, fingerprint string) error {
		_, err := p.Approve(evilserver.Soon(t), o.firm, id, fingerprint)
		return err
	}
	if v := ceremony(o.bob); v.Claim != nil || !v.MayAgree {
		t.Errorf("%+v", v)
	}
	mark := o.Mark()
	ceremony(o.bob)
	if n := o.count(mark, "PUT", api.RouteKeyring); n != 0 {
		t.Errorf("what was noted is noted again: %d", n)
	}
	o.asks(a)
	for p, sees := range map[*evilserver.Person]bool{o.ada: true, o.bob: true, o.dora: true, o.paul: false} {
		v := ceremony(p)
		if (v.Claim != nil) != sees || (sees && (!slices.Equal(v.Claim.Words, a.identity.Public().Fingerprint().Words()) || v.Claim.Fingerprint != a.fingerprint())) {
			t.Errorf("%s: %+v", p.Called, v.Claim)
		}
	}
	if err := agree(o.bob, a.fingerprint()); codeOf(err) != api.CodeTooEarly {
		t.Errorf("at once: %v", err)
	}
	// Bob saw it at once. Cora looks for the first time a day later: her hours run from then on.
	o.Clock.Advance(24 * time.Hour)
	o.cora = o.in(o.cora)
	o.later(24*time.Hour - time.Minute)
	if err := agree(o.bob, a.fingerprint()); codeOf(err) != api.CodeTooEarly {
		t.Errorf("a minute early: %v", err)
	}
	o.Clock.Advance(2 * time.Minute)
	if err := agree(o.cora, a.fingerprint()); codeOf(err) != api.CodeTooEarly {
		t.Errorf("by a clock that is not hers: %v", err)
	}
	if v := ceremony(o.cora); v.AgreesAt < v.OpensAt+uint64((23*time.Hour).Milliseconds()) {
		t.Errorf("%+v", v)
	}
	other := o.asker(link)
	if err := agree(o.bob, other.fingerprint()); codeOf(err) != api.CodeMoved {
		t.Errorf("to keys that nobody showed him: %v", err)
	}
	for _, p := range []*evilserver.Person{o.dora, o.paul} {
		if err := agree(p, a.fingerprint()); codeOf(err) != api.CodeNotAllowed {
			t.Errorf("%s: %v", p.Called, err)
		}
	}
	o.ok(agree(o.bob, a.fingerprint()))
	if err := agree(o.bob, a.fingerprint()); codeOf(err) != api.CodeNotAllowed {
		t.Errorf("twice: %v", err)
	}
	if v := ceremony(o.ada); v.Agreed != 1 || v.Holders[slices.IndexFunc(v.Holders, func(h client.AgreeingView) bool { return h.Name == "Bob" })].AgreedAt == nil {
		t.Errorf("%+v", v)
	}
	// Another device of Cora's knows when she saw it first.
	o.later(24 * time.Hour)
	cora := o.cora.Elsewhere().In()
	o.ok(agree(cora, a.fingerprint()))
	v := ceremony(o.bob)
	if v.Agreed != 2 || v.State != "open" {
		t.Errorf("%+v", v)
	}
	_, err := o.dora.Veto(evilserver.Soon(t), o.firm, id, "I am here.")
	o.ok(err)
	if err := agree(o.ada, a.fingerprint()); codeOf(err) != api.CodeRecoveryGone {
		t.Errorf("after it was stopped: %v", err)
	}
	if v := ceremony(o.ada); v.Claim != nil || v.State != "stopped" {
		t.Errorf("%+v", v)
	}
}

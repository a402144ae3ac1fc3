package client

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/test/evilserver"
)

// loss is a custody in which Dora, who owns a matter beside Ada, left her identity and lost all she had.
type loss struct {
	*custody
	doc  wire.ObjectID
	link string
	id   wire.ObjectID
}

func newLoss(t *testing.T) *loss {
	t.Helper()
	o := &loss{custody: newCustody(t)}
	_, err := o.dora.Accept(o.ada.InviteTo(o.matter, "Dora", chain.RoleOwner, chain.ModeOpensAtOnce))
	o.ok(err)
	o.doc = o.ada.MustPut(o.matter, "Before.txt", []byte("before"))
	o.dora.Leave()
	o.link, o.id = o.ada.BeginFor("Dora")
	o.ok(o.bob.Look(o.firm))
	o.ok(o.cora.Look(o.firm))
	return o
}

// agree has the hours pass, and custodians agree to whoever asks by then.
func (o *loss) agree(list ...**evilserver.Person) {
	o.Helper()
	for _, p := range list {
		*p = o.in(*p)
		o.ok((*p).Agree(o.id))
	}
}

// asking is the one identity that somebody asks for.
func (o *custody) asking(p *evilserver.Person) client.AskingView {
	o.Helper()
	list, err := p.Asking(evilserver.Soon(o))
	o.ok(err)
	if len(list) != 1 {
		o.Fatalf("%+v", list)
	}
	return list[0]
}

// reads has somebody read what was there before.
func (o *loss) reads(p *evilserver.Person) {
	o.Helper()
	if got, err := p.Get(o.matter, o.doc); err != nil || string(got) != "before" {
		o.Fatalf("%s: %q %v", p.Called, got, err)
	}
}

// TestTakingBack: who lost everything opens the link, asks with new keys, and is who she was once custodians agreed: she reads
// what was there and writes on, and the account she had is nobody in the firm. S-RECOVERY-16 S-RECOVERY-17
func TestTakingBack(t *testing.T) {
	o := newLoss(t)
	before := o.Head(o.firm, o.matter)
	again := o.Person("Dora, anew")
	v, err := again.OpenRecovery(evilserver.Soon(t), o.link)
	o.ok(err)
	if v.FirmName != "Ada LLP" || v.Person != "Dora" || v.By != "Ada" || v.K != 2 || v.Hours != hours || !slices.Equal(sorted(v.Custodians), []string{"Ada", "Bob", "Cora"}) || v.Asked || v.Here ||
		v.OpensAt > o.Clock.Now().Add(wait).UnixMilli() || v.OpensAt < o.Clock.Now().Add(wait-time.Minute).UnixMilli() || v.Until <= v.OpensAt {
		t.Errorf("%+v", v)
	}
	asked, err := again.Asks(evilserver.Soon(t), o.link)
	o.ok(err)
	if asked.State != "waiting" || asked.Agreed != 0 || len(asked.Words) != 12 || !asked.SecondWay || !asked.Asked {
		t.Errorf("%+v", asked)
	}
	if v, err := o.ada.Ceremony(evilserver.Soon(t), o.firm, o.id); err != nil || v.Claim == nil || !slices.Equal(v.Claim.Words, asked.Words) {
		t.Errorf("%+v %v", v.Claim, err)
	}
	if a, err := again.Alerts(evilserver.Soon(t)); err != nil || len(a.Asking) != 1 || a.Asking[0].Recovery != o.id.String() {
		t.Errorf("%+v %v", a, err)
	}
	if overview, err := again.Overview(evilserver.Soon(t)); err != nil || len(overview.Firms)+len(overview.Matters) != 0 {
		t.Errorf("%+v %v", overview, err)
	}
	if _, err := again.TakeBack(evilserver.Soon(t), o.id); codeOf(err) != api.CodeWaiting {
		t.Errorf("before anybody agreed: %v", err)
	}
	// Days later, on a device that has seen nothing.
	o.later(wait + time.Minute)
	o.agree(&o.bob)
	again = again.Elsewhere().In()
	if v := o.asking(again); v.State != "waiting" || v.Agreed != 1 || !slices.Equal(v.Words, asked.Words) {
		t.Errorf("%+v", v)
	}
	if _, err := again.TakeBack(evilserver.Soon(t), o.id); codeOf(err) != api.CodeWaiting {
		t.Errorf("after one: %v", err)
	}
	o.agree(&o.cora)
	if v := o.asking(again); v.State != "agreed" || v.Agreed != 2 || !v.SecondWay {
		t.Errorf("%+v", v)
	}
	if _, err := again.TakeBack(evilserver.Soon(t), o.id); codeOf(err) != api.CodeSecondWay {
		t.Errorf("with one way to unlock: %v", err)
	}
	again.SecondWay()
	back, err := again.TakeBack(evilserver.Soon(t), o.id)
	o.ok(err)
	if back.State != "back" || back.Lost != 0 || back.Renewal.Done != 2 || len(back.Renewal.Left) != 0 || back.SecondWay {
		t.Errorf("%+v", back)
	}
	if list, err := again.Asking(evilserver.Soon(t)); err != nil || len(list) != 0 {
		t.Errorf("%+v %v", list, err)
	}
	o.reads(again)
	after := again.MustPut(o.matter, "After.txt", []byte("after"))
	if got, err := o.ada.Get(o.matter, after); err != nil || string(got) != "after" {
		t.Errorf("%q %v", got, err)
	}
	for _, id := range []wire.ChainID{o.firm, o.matter} {
		for _, p := range o.ada.View(id).People {
			if p.Name == "Dora" && !slices.Equal(p.Words, asked.Words) {
				t.Error("her seat has other keys")
			}
		}
	}
	if head := o.Head(o.firm, o.matter); head.Epoch != before.Epoch+1 || head.Stale {
		t.Errorf("%+v", head) // she owns the matter, and closed it to the keys she had
	}
	if v := o.recoveries(o.ada).Recoveries[0]; v.State != "done" || v.EndedBy != "Dora" {
		t.Errorf("%+v", v)
	}
	if overview, err := again.Overview(evilserver.Soon(t)); err != nil || len(overview.Firms) != 1 || len(overview.Matters) != 1 || overview.Matters[0].Name != "Doe v. Roe" ||
		overview.Matters[0].State != "open" || overview.Matters[0].MyRole != "owner" {
		t.Errorf("%+v %v", overview, err)
	}
	// She is asked to leave her identity again, and asked no more once she did.
	if a, err := again.Alerts(evilserver.Soon(t)); err != nil || len(a.Custodies) != 1 || len(a.Asking) != 0 {
		t.Errorf("%+v %v", a, err)
	}
	again.Leave()
	if a, err := again.Alerts(evilserver.Soon(t)); err != nil || len(a.Custodies) != 0 {
		t.Errorf("%+v %v", a, err)
	}
	// The account she had finds nothing, and is told why; a device of it with keys, too.
	old := o.dora.Again().In()
	if err := old.Look(o.matter); codeOf(err) != api.CodeRecovered {
		t.Errorf("the old account: %v", err)
	}
	if overview, err := old.Overview(evilserver.Soon(t)); err != nil || overview.Matters[0].State != "recovered" {
		t.Errorf("%+v %v", overview, err)
	}
	// Another device of the new one.
	elsewhere := again.Elsewhere().In()
	o.reads(elsewhere)
	if report, err := elsewhere.VerifyMatter(evilserver.Soon(t), o.matter); err != nil || len(report.Unpaired) != 0 {
		t.Errorf("%+v %v", report.Unpaired, err)
	}
	for _, p := range []*evilserver.Person{o.ada, o.bob, o.cora, again, elsewhere} {
		if list := p.Refusals(); len(list) != 0 {
			t.Errorf("%s: %+v", p.Called, list)
		}
	}
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// TestTakingBackGoesOn: the program ends at every request that changes something, once with the request carried out and its
// answer lost and once without, and goes on, on this device or on one that has seen nothing: each time it comes to the same end.
// S-RECOVERY-15
func TestTakingBackGoesOn(t *testing.T) {
	n := 1
	for ; endedTakingBack(t, n, true) && endedTakingBack(t, n, false); n++ {
		if n > 60 {
			t.Fatal("it does not end")
		}
	}
	t.Logf("%d requests", n-1)
	if n < 8 {
		t.Error("those are too few")
	}
}

// endedTakingBack reports whether there were as many such requests.
func endedTakingBack(t *testing.T, n int, carriedOut bool) bool {
	t.Helper()
	o := newLoss(t)
	cut := newCut(t, n, carriedOut)
	ends := func() {
		for _, x := range [][2]string{{"POST", api.RouteRecoveryClaim}, {"POST", api.RouteRecoveryFinish}, {"PUT", api.RouteKeyring}, {"POST", api.RouteEntries}} {
			o.Lie(x[0], x[1], cut.tell)
		}
	}
	// as is somebody after the program ended, if it did.
	as := func(p *evilserver.Person, err error) *evilserver.Person {
		o.Honest()
		if (err == nil) == cut.met() {
			t.Fatalf("request %d: %v", n, err)
		}
		if !cut.met() {
			return p
		}
		if n%2 == 0 {
			return p.Elsewhere().In()
		}
		return p.Again().In()
	}
	ends()
	again := o.Person("Dora, anew")
	_, err := again.Asks(cut, o.link)
	again = as(again, err)
	if v := o.asking(again); v.State != "waiting" {
		t.Fatalf("request %d: %+v", n, v)
	}
	again.SecondWay()
	o.later(wait + time.Minute)
	o.agree(&o.bob, &o.cora)
	again = again.Again().In()
	if !cut.met() {
		ends()
		_, err := again.TakeBack(cut, o.id)
		again = as(again, err)
	}
	if list, err := again.Asking(evilserver.Soon(t)); err != nil || len(list) > 1 {
		t.Fatalf("request %d: %+v %v", n, list, err)
	} else if len(list) == 1 {
		v, err := again.TakeBack(evilserver.Soon(t), o.id)
		if err != nil || v.State != "back" {
			t.Fatalf("request %d: %+v %v", n, v, err)
		}
	}
	o.reads(again)
	if head := o.Head(o.firm, o.matter); head.Stale || head.Epoch != 2 {
		t.Fatalf("request %d: %+v", n, head)
	}
	if v, err := again.Renewal(); err != nil || v.Total != 0 {
		t.Fatalf("request %d: %+v %v", n, v, err)
	}
	for _, p := range []*evilserver.Person{o.ada, o.bob, again} {
		if list := p.Refusals(); len(list) != 0 {
			t.Fatalf("request %d: %+v", n, list)
		}
	}
	return cut.met()
}

// TestAnswerAfterItsTime: the answer that she is the member again is lost, and the time of the recovery is over before she is back.
// S-RECOVERY-15
func TestAnswerAfterItsTime(t *testing.T) {
	for _, carriedOut := range []bool{true, false} {
		o := newLoss(t)
		again := o.Person("Dora, anew")
		_, err := again.Asks(evilserver.Soon(t), o.link)
		o.ok(err)
		again.SecondWay()
		o.later(wait + time.Minute)
		o.agree(&o.bob, &o.cora)
		again = again.Again().In()
		o.Lie("POST", api.RouteRecoveryFinish, func(r *evilserver.Request) *evilserver.Reply {
			if carriedOut {
				r.Real()
			}
			panic(http.ErrAbortHandler)
		})
		if _, err := again.TakeBack(evilserver.Soon(t), o.id); codeOf(err) != api.CodeOffline {
			t.Fatal(err)
		}
		if v := o.asking(again); v.State != "returning" {
			t.Errorf("%+v", v)
		}
		if err := again.ForgetClaim(evilserver.Soon(t), o.id); codeOf(err) != api.CodeNotAllowed {
			t.Errorf("forgotten half-way: %v", err)
		}
		o.Honest()
		o.Clock.Advance(20 * 24 * time.Hour)
		again = again.Again().In()
		v, err := again.TakeBack(evilserver.Soon(t), o.id)
		if carriedOut {
			if err != nil || v.State != "back" {
				t.Fatalf("%+v %v", v, err)
			}
			o.reads(again)
			continue
		}
		if codeOf(err) != api.CodeRecoveryGone {
			t.Fatal(err)
		}
		if v := o.asking(again); v.State != "expired" {
			t.Errorf("%+v", v)
		}
		o.ok(again.ForgetClaim(evilserver.Soon(t), o.id))
		if list, err := again.Asking(evilserver.Soon(t)); err != nil || len(list) != 0 {
			t.Errorf("%+v %v", list, err)
		}
	}
}

// TestAskingEnds: what becomes of somebody who asks and is not handed back.
func TestAskingEnds(t *testing.T) {
	o := newLoss(t)
	state := func(p *evilserver.Person, want string) {
		t.Helper()
		if v := o.asking(p); v.State != want {
			t.Errorf("%+v, want %s", v, want)
		}
	}
	refused := func(p *evilserver.Person, link string, want api.Code) {
		t.Helper()
		if _, err := p.Asks(evilserver.Soon(t), link); codeOf(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	first, second := o.Person("Dora, anew"), o.Person("Dora, once more")
	_, err := first.Asks(evilserver.Soon(t), o.link)
	o.ok(err)
	// Asked again it is the same claim; who asks later by the same link takes its place.
	v, err := first.Asks(evilserver.Soon(t), o.link)
	o.ok(err)
	if w := o.asking(first); !slices.Equal(v.Words, w.Words) {
		t.Error("new keys for the same asker")
	}
	_, err = second.Asks(evilserver.Soon(t), o.link)
	o.ok(err)
	state(first, "taken")
	state(second, "waiting")
	// Who is somebody in the firm already cannot be another one there.
	if v, err := o.paul.OpenRecovery(evilserver.Soon(t), o.link); err != nil || !v.Here {
		t.Errorf("%+v %v", v, err)
	}
	refused(o.paul, o.link, api.CodeNotAllowed)
	// A guest of another firm asks with the account he has.
	eve := o.Founder("Eve")
	_, err = eve.Asks(evilserver.Soon(t), o.link)
	o.ok(err)
	state(eve, "waiting")
	state(second, "taken")
	// A root that is replaced takes the keys with it that were asked with.
	o.ok(eve.NewRoot(evilserver.Soon(t)))
	if list, err := eve.Asking(evilserver.Soon(t)); err != nil || len(list) != 0 {
		t.Errorf("%+v %v", list, err)
	}
	_, err = second.Asks(evilserver.Soon(t), o.link)
	o.ok(err)
	state(second, "taken") // hers stands, and nobody asks twice by himself
	o.ok(second.ForgetClaim(evilserver.Soon(t), o.id))
	_, err = second.Asks(evilserver.Soon(t), o.link)
	o.ok(err)
	state(second, "waiting")

	_, err = o.dora.Veto(evilserver.Soon(t), o.firm, o.id, "I am here.")
	o.ok(err)
	state(second, "stopped")
	refused(o.Person("Dora, anew"), o.link, api.CodeRecoveryGone)
	refused(o.Person("Dora, anew"), o.link[:len(o.link)-1], api.CodeBadLink)
	if _, err := second.TakeBack(evilserver.Soon(t), o.id); codeOf(err) != api.CodeRecoveryGone {
		t.Errorf("%v", err)
	}
	o.ok(second.ForgetClaim(evilserver.Soon(t), o.id))
	if err := second.ForgetClaim(evilserver.Soon(t), o.id); codeOf(err) != api.CodeRecoveryGone {
		t.Errorf("%v", err)
	}
	link, _ := o.bob.BeginFor("Dora")
	_, err = second.Asks(evilserver.Soon(t), link)
	o.ok(err)
	o.Clock.Advance(30 * 24 * time.Hour)
	second = second.Again().In()
	state(second, "expired")
	refused(o.Person("Dora, anew"), link, api.CodeRecoveryGone)
	for _, p := range []*evilserver.Person{first, second, eve, o.dora} {
		if list := p.Refusals(); len(list) != 0 {
			t.Errorf("%s: %+v", p.Called, list)
		}
	}
}

// TestStoppedAtTheEnd: a veto comes between the last custodian's word and hers. What was handed over is forgotten.
func TestStoppedAtTheEnd(t *testing.T) {
	o := newLoss(t)
	again := o.Person("Dora, anew")
	_, err := again.Asks(evilserver.Soon(t), o.link)
	o.ok(err)
	again.SecondWay()
	o.later(wait + time.Minute)
	o.agree(&o.bob, &o.cora)
	again = again.Again().In()
	o.Lie("POST", api.RouteRecoveryFinish, func(*evilserver.Request) *evilserver.Reply {
		_, err := o.dora.Veto(evilserver.Soon(t), o.firm, o.id, "I am here.")
		o.ok(err)
		return nil
	})
	if _, err := again.TakeBack(evilserver.Soon(t), o.id); codeOf(err) != api.CodeRecoveryGone {
		t.Fatal(err)
	}
	if v := o.asking(again); v.State != "stopped" {
		t.Errorf("%+v", v)
	}
	o.ok(o.dora.Look(o.firm))
	o.reads(o.dora)
}

// TestWhatIsLost: what stood under keys of before those that were left, what nobody confirmed yet, and a reviewer's seat do not
// come back. They are counted, and hold up nothing. S-RECOVERY-17
func TestWhatIsLost(t *testing.T) {
	o := &loss{custody: newCustody(t)}
	others := map[string]wire.ChainID{}
	for _, name := range []string{"Old keys", "Waiting", "Reviewed", "Left"} {
		others[name] = o.ada.NewMatter(name)
	}
	_, err := o.dora.Accept(o.ada.InviteTo(others["Left"], "Dora", chain.RoleClient, chain.ModeOpensAtOnce))
	o.ok(err)
	_, err = o.ada.RemoveMember(evilserver.Soon(t), others["Left"], o.member(o.ada, others["Left"], "Dora"))
	o.ok(err)
	for _, id := range []wire.ChainID{o.matter, others["Old keys"]} {
		_, err := o.dora.Accept(o.ada.InviteTo(id, "Dora", chain.RoleClient, chain.ModeOpensAtOnce))
		o.ok(err)
	}
	o.doc = o.ada.MustPut(o.matter, "Before.txt", []byte("before"))
	o.Lie("POST", api.RouteEntries, func(r *evilserver.Request) *evilserver.Reply {
		if strings.Contains(r.Path, others["Old keys"].String()) {
			return refusal(403, api.CodeForbidden)
		}
		return nil
	})
	o.renewed(o.dora)
	o.Honest()
	for _, id := range []wire.ChainID{o.firm, o.matter} {
		_, err = o.ada.RenewKeys(evilserver.Soon(t), id, []wire.ObjectID{o.member(o.ada, id, "Dora")})
		o.ok(err)
	}
	_, err = o.dora.Accept(o.ada.InviteTo(others["Reviewed"], "Dora", chain.RoleReviewer, chain.ModeOpensAtOnce))
	o.ok(err)
	if _, err := o.dora.Accept(o.ada.InviteTo(others["Waiting"], "Dora", chain.RoleClient, chain.ModeAfterIConfirm)); codeOf(err) != api.CodeWaiting {
		t.Fatal(err)
	}
	o.dora.Leave()
	o.link, o.id = o.ada.BeginFor("Dora")
	o.ok(o.bob.Look(o.firm))
	o.ok(o.cora.Look(o.firm))
	again := o.Person("Dora, anew")
	_, err = again.Asks(evilserver.Soon(t), o.link)
	o.ok(err)
	again.SecondWay()
	o.later(wait + time.Minute)
	o.agree(&o.bob, &o.cora)
	again = again.Again().In()
	v, err := again.TakeBack(evilserver.Soon(t), o.id)
	o.ok(err)
	if v.State != "back" || v.Lost != 3 || v.Renewal.Done != 2 || len(v.Renewal.Left) != 0 {
		t.Errorf("%+v", v)
	}
	o.reads(again)
	overview, err := again.Overview(evilserver.Soon(t))
	o.ok(err)
	if len(overview.Matters) != 1 || overview.Matters[0].State != "open" {
		t.Errorf("%+v", overview.Matters)
	}
	if list := again.Refusals(); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	// An owner ends the seat that does not open, and invites her again.
	for _, name := range []string{"Reviewed", "Old keys"} {
		link := o.ada.InviteTo(others[name], "Dora", chain.RoleClient, chain.ModeOpensAtOnce)
		if _, err := again.Accept(link); codeOf(err) != api.CodeInviteUsed {
			t.Errorf("%s, beside the seat she has: %v", name, err)
		}
		_, err := o.ada.RemoveMember(evilserver.Soon(t), others[name], o.member(o.ada, others[name], "Dora"))
		o.ok(err)
		_, err = again.Accept(o.ada.InviteTo(others[name], "Dora", chain.RoleClient, chain.ModeOpensAtOnce))
		o.ok(err)
		o.ok(again.Look(others[name]))
	}
	if list := again.Refusals(); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

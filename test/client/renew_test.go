package client

import (
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/test/evilserver"
)

// renewed replaces somebody's root and tells the firms.
func (s *stage) renewed(p *evilserver.Person) client.RenewalView {
	s.Helper()
	s.ok(p.NewRoot(evilserver.Soon(s)))
	v, err := p.ContinueRenewal(evilserver.Soon(s))
	s.ok(err)
	return v
}

// TestRenewal: S-RENEW-05 S-ROOT-06. An owner replaces her root. Her new keys stand in every matter, the next epoch is opened with them, she reads what
// was there and writes on; what her old root opens is nothing any more.
func TestRenewal(t *testing.T) {
	s := newStage(t)
	other := s.ada.NewMatter("In re Poe")
	clara := s.ada.Guest(s.matter, "Clara", chain.RoleClient)
	doc := s.ada.MustPut(s.matter, "Before.txt", []byte("before"))
	s.ok(clara.Look(s.matter))
	stolen := s.ada.Again().In() // on the device that is revoked
	before := s.Head(s.ada.Firm, s.matter)

	v := s.renewed(s.ada)
	if v.Done != 3 || v.Total != 3 || len(v.Left) != 0 {
		t.Fatalf("%+v", v)
	}
	for _, id := range []struct{ chain, want uint64 }{{uint64(s.Head(s.ada.Firm, s.matter).Epoch), uint64(before.Epoch) + 1}, {uint64(s.Head(s.ada.Firm, other).Epoch), 2}, {uint64(s.Head(s.ada.Firm, s.ada.Firm).Epoch), 2}} {
		if id.chain != id.want {
			t.Errorf("epoch %d, want %d", id.chain, id.want)
		}
	}
	if got, err := s.ada.Get(s.matter, doc); err != nil || string(got) != "before" {
		t.Errorf("%q %v", got, err)
	}
	after := s.ada.MustPut(s.matter, "After.txt", []byte("after"))
	if got, err := clara.Get(s.matter, after); err != nil || string(got) != "after" {
		t.Errorf("Clara: %q %v", got, err)
	}
	s.ok(s.ada.Look(other))
	// A device that has seen nothing opens all of it, and so does this one, started again: what it saw of the log it sees still.
	for name, p := range map[string]*evilserver.Person{"elsewhere": s.ada.Elsewhere(), "again": s.ada.Again()} {
		s.ok(p.SignIn())
		for _, d := range []struct {
			name string
			want string
		}{{"Before.txt", "before"}, {"After.txt", "after"}} {
			if got, err := p.Get(s.matter, s.document(s.named(p, d.name)[0].Document)); err != nil || string(got) != d.want {
				t.Errorf("%s: %s: %q %v", name, d.name, got, err)
			}
		}
		if left, err := p.Renewal(); err != nil || left.Total != 0 {
			t.Errorf("%s: %+v %v", name, left, err)
		}
	}
	// The revoked device was signed out, and learns so.
	if err := stolen.Look(s.matter); !code(err, api.CodeSessionEnded) {
		t.Errorf("the revoked device: %v", err)
	}
	if report, err := s.ada.VerifyMatter(evilserver.Soon(t), s.matter); err != nil || len(report.Unpaired) != 0 {
		t.Errorf("%+v %v", report.Unpaired, err)
	}
}

func code(err error, want api.Code) bool {
	f := client.FailureOf(err)
	return f != nil && f.Code == want
}

// TestRenewalOfAClient: S-RENEW-06. Whoever is no owner enters his keys and waits; an owner is shown whose keys are new, and seals to nobody
// before he says so. An upload that met the wait goes on by itself.
func TestRenewalOfAClient(t *testing.T) {
	s := newStage(t)
	clara := s.ada.Guest(s.matter, "Clara", chain.RoleClient)
	dan := s.ada.Guest(s.matter, "Dan", chain.RoleParalegal)
	s.ok(dan.Look(s.matter))
	if v := s.renewed(clara); v.Done != 1 || len(v.Left) != 0 {
		t.Fatalf("%+v", v)
	}
	waiting := s.begin(dan, file("Dan.txt", "by Dan"))[0]
	s.ends(dan, client.PhaseWaiting, waiting)
	epoch := s.Head(s.ada.Firm, s.matter).Epoch
	// What cannot be sealed meanwhile says whom it waits for.
	_, _, err := s.ada.Invite(evilserver.Soon(s), s.matter, "Eve", chain.RoleClient, chain.ModeOpensAtOnce, s.Clock.Now().Add(time.Hour))
	if f := client.FailureOf(err); f == nil || f.Code != api.CodeNewKeys || f.Detail != "Clara" {
		t.Errorf("an invite: %v", err)
	}
	view := s.ada.View(s.matter)
	if len(view.NewKeys) != 1 || view.NewKeys[0].Name != "Clara" || len(view.NewKeys[0].Words) != 12 || view.NewKeys[0].IsMe {
		t.Fatalf("%+v", view.NewKeys)
	}
	member := s.document(view.NewKeys[0].Member)
	_, err = dan.RenewKeys(evilserver.Soon(t), s.matter, nil)
	if !code(err, api.CodeNewKeys) && !code(err, api.CodeNotAllowed) {
		t.Errorf("a paralegal renews a matter's keys: %v", err)
	}
	// Whom the owner was not shown nothing is sealed to.
	if _, err := s.ada.RenewKeys(evilserver.Soon(t), s.matter, nil); !code(err, api.CodeNewKeys) {
		t.Errorf("got %v", err)
	}
	if now := s.Head(s.ada.Firm, s.matter).Epoch; now != epoch {
		t.Fatalf("epoch %d", now)
	}
	state, err := s.ada.RenewKeys(evilserver.Soon(t), s.matter, []wire.ObjectID{member})
	s.ok(err)
	if len(state.Stale()) != 0 || s.Head(s.ada.Firm, s.matter).Epoch != epoch+1 {
		t.Error("nothing was renewed")
	}
	s.sent(dan, waiting)
	got, err := clara.Get(s.matter, s.document(s.named(s.ada, "Dan.txt")[0].Document))
	if err != nil || string(got) != "by Dan" {
		t.Errorf("%q %v", got, err)
	}
}

// sent waits until an upload that waited for others is done.
func (s *stage) sent(p *evilserver.Person, id wire.ObjectID) {
	s.Helper()
	ctx := evilserver.Soon(s)
	for ctx.Err() == nil {
		v, err := p.WaitTransfer(ctx, id)
		s.ok(err)
		if v.Phase == client.PhaseDone {
			return
		}
		if v.Phase != client.PhaseWaiting {
			s.Fatalf("%s is %s (%v)", v.Name, v.Phase, v.Failure)
		}
	}
	s.Fatal("it does not go on")
}

// TestRenewalGoesOn: S-RENEW-07. It ends the program after every one of the requests of a renewal, once with the request carried out and its answer
// lost and once without, and carries on, on this device or on one that has seen nothing: each time it comes to the same end.
func TestRenewalGoesOn(t *testing.T) {
	n := 1
	for ; endedRenewal(t, n, true) && endedRenewal(t, n, false); n++ {
		if n > 100 {
			t.Fatal("it does not end")
		}
	}
	t.Logf("%d requests", n-1)
}

// endedRenewal reports whether the renewal had as many requests.
func endedRenewal(t *testing.T, n int, carriedOut bool) bool {
	t.Helper()
	s := newStage(t)
	clara := s.ada.Guest(s.matter, "Clara", chain.RoleClient)
	doc := s.ada.MustPut(s.matter, "Before.txt", []byte("before"))
	cut := newCut(t, n, carriedOut)
	for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
		s.Lie(method, "", cut.tell)
	}
	err := s.ada.NewRoot(cut)
	if err == nil {
		_, err = s.ada.ContinueRenewal(cut)
	}
	if (err == nil) == cut.met() {
		t.Fatalf("request %d: %v", n, err)
	}
	s.Honest()
	ada := s.ada.Again()
	if n%2 == 0 {
		ada = s.ada.Elsewhere()
	}
	s.ok(ada.SignIn())
	if s.renewals(ada) == 0 {
		s.ok(ada.NewRoot(evilserver.Soon(t)))
	}
	if v, err := ada.ContinueRenewal(evilserver.Soon(t)); err != nil || len(v.Left) != 0 {
		t.Fatalf("request %d: %+v %v", n, v, err)
	}
	if v, err := ada.Renewal(); err != nil || v.Total != 0 {
		t.Fatalf("request %d: %+v %v", n, v, err)
	}
	for _, id := range []wire.ChainID{s.matter, s.ada.Firm} {
		if head := s.Head(s.ada.Firm, id); head.Stale || head.Epoch < 2 {
			t.Fatalf("request %d: %+v", n, head)
		}
	}
	after := ada.MustPut(s.matter, "After.txt", []byte("after"))
	for _, p := range []*evilserver.Person{ada, clara} {
		for d, want := range map[wire.ObjectID]string{doc: "before", after: "after"} {
			if got, err := p.Get(s.matter, d); err != nil || string(got) != want {
				t.Fatalf("request %d: %s: %q %v", n, p.Called, got, err)
			}
		}
		if list := p.Refusals(); len(list) != 0 {
			t.Fatalf("request %d: %+v", n, list)
		}
	}
	return cut.met()
}

// renewals is how often the root of somebody's account was replaced.
func (s *stage) renewals(p *evilserver.Person) (n int) {
	s.Helper()
	v, err := p.Account()
	s.ok(err)
	s.Edit(layout.Accounts, func(tx store.Tx) error {
		a, _, err := layout.Get[layout.Account](tx, layout.AccountKey(s.document(v.Account)))
		n = a.Renewals
		return err
	})
	return n
}

// TestRenewalIsLeft: S-RENEW-05 S-RENEW-07. What a server refuses is left, and told, and holds nothing else up. After a second renewal the seat that
// missed the first goes to the newest keys at once.
func TestRenewalIsLeft(t *testing.T) {
	s := newStage(t)
	other := s.ada.NewMatter("In re Poe")
	doc := s.ada.MustPut(other, "Before.txt", []byte("before"))
	s.Lie("POST", api.RouteEntries, func(r *evilserver.Request) *evilserver.Reply {
		if strings.Contains(r.Path, other.String()) {
			return refusal(403, api.CodeForbidden)
		}
		return nil
	})
	v := s.renewed(s.ada)
	if v.Done != 2 || v.Total != 3 || len(v.Left) != 1 || v.Left[0].Name != "In re Poe" || v.Left[0].Failure == nil || v.Left[0].Failure.Code != api.CodeForbidden {
		t.Fatalf("%+v", v)
	}
	if account, err := s.ada.Account(); err != nil || len(account.Renewal.Left) != 1 || account.Renewal.Left[0].Failure.Code != api.CodeForbidden {
		t.Errorf("%+v %v", account.Renewal, err)
	}
	s.ada.MustPut(s.matter, "Elsewhere.txt", []byte("x"))
	s.ok(s.ada.Look(other)) // her own seat under former keys is no lie
	if _, err := s.ada.Get(other, doc); !code(err, api.CodeForbidden) {
		t.Errorf("an opening that nobody would take for hers: %v", err)
	}
	s.Honest()
	s.renewed(s.ada)
	if got, err := s.ada.Get(other, doc); err != nil || string(got) != "before" {
		t.Errorf("%q %v", got, err)
	}
	if head := s.Head(s.ada.Firm, other); head.Epoch != 2 || head.Stale {
		t.Errorf("%+v", head)
	}
	if fresh := s.ada.Elsewhere().In(); fresh.Look(other) != nil || len(fresh.Refusals()) != 0 {
		t.Errorf("%+v", fresh.Refusals())
	}
}

// TestRenewalOfTwo: S-RENEW-06. An owner whose keys are new does not seal, unasked, to somebody else's new keys.
func TestRenewalOfTwo(t *testing.T) {
	s := newStage(t)
	clara := s.ada.Guest(s.matter, "Clara", chain.RoleClient)
	s.renewed(clara)
	s.renewed(s.ada)
	head := s.Head(s.ada.Firm, s.matter)
	if head.Epoch != 1 || !head.Stale {
		t.Fatalf("%+v", head)
	}
	view := s.ada.View(s.matter)
	if len(view.NewKeys) != 2 {
		t.Fatalf("%+v", view.NewKeys)
	}
	var shown []wire.ObjectID
	for _, x := range view.NewKeys {
		shown = append(shown, s.document(x.Member))
	}
	_, err := s.ada.RenewKeys(evilserver.Soon(t), s.matter, shown)
	s.ok(err)
	doc := s.ada.MustPut(s.matter, "After.txt", []byte("after"))
	if got, err := clara.Get(s.matter, doc); err != nil || string(got) != "after" {
		t.Errorf("%q %v", got, err)
	}
}

// TestRenewalDuringUpload: S-RENEW-08. An upload that was sealed as the work of keys that its author has no longer starts over.
func TestRenewalDuringUpload(t *testing.T) {
	s := newStage(t)
	reached, release := s.holds("PUT", api.RouteChunk)
	id := s.begin(s.ada, file("Long.bin", large(2)))[0]
	s.await(reached)
	s.ok(s.ada.NewRoot(evilserver.Soon(t)))
	release()
	s.ends(s.ada, client.PhaseDone, id)
	got, err := s.ada.Get(s.matter, s.document(s.named(s.ada, "Long.bin")[0].Document))
	if err != nil || string(got) != large(2) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if n := s.journals(s.ada); n != 0 {
		t.Errorf("%d journals stay", n)
	}
	// And one that the program ended in, which the person picks the file of again.
	s.Honest()
	reached, release = s.holds("PUT", api.RouteChunk)
	id = s.begin(s.ada, file("Again.bin", large(2)))[0]
	s.await(reached)
	s.ok(s.ada.PauseTransfer(id))
	release()
	s.Honest()
	s.renewed(s.ada)
	ada := s.ada.Again().In()
	list := ada.Transfers()
	if len(list) != 1 || list[0].Phase != client.PhaseNeedsFile {
		t.Fatalf("%+v", list)
	}
	s.ok(ada.ProvideFile(evilserver.Soon(t), s.document(list[0].ID), evilserver.NewSource([]byte(large(2)))))
	s.ends(ada, client.PhaseDone, s.document(list[0].ID))
	if got, err := ada.Get(s.matter, s.document(s.named(ada, "Again.bin")[0].Document)); err != nil || string(got) != large(2) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestRenewedComesBack: who was removed and replaced his root while away comes back by an invite, with the links to his new keys.
func TestRenewedComesBack(t *testing.T) {
	s := newStage(t)
	clara := s.ada.Guest(s.matter, "Clara", chain.RoleClient)
	doc := s.ada.MustPut(s.matter, "Before.txt", []byte("before"))
	s.ok(clara.Look(s.matter))
	for _, p := range s.ada.View(s.matter).People {
		if p.Name == "Clara" {
			_, err := s.ada.RemoveMember(evilserver.Soon(t), s.matter, s.document(p.Member))
			s.ok(err)
		}
	}
	for range 2 {
		s.renewed(clara)
	}
	clara = clara.Elsewhere().In()
	_, err := clara.Accept(s.ada.InviteTo(s.matter, "Clara", chain.RoleClient, chain.ModeOpensAtOnce))
	s.ok(err)
	if got, err := clara.Get(s.matter, doc); err != nil || string(got) != "before" {
		t.Errorf("%q %v", got, err)
	}
	if report, err := s.ada.VerifyMatter(evilserver.Soon(t), s.matter); err != nil || len(report.Unpaired) != 0 {
		t.Errorf("%+v %v", report.Unpaired, err)
	}
	if len(clara.Refusals())+len(s.ada.Refusals()) != 0 {
		t.Errorf("%+v %+v", clara.Refusals(), s.ada.Refusals())
	}
}

// TestRenewalOfWhoWaits: a guest whom nobody confirmed yet, and a reviewer, cannot enter keys: it is left, and told.
func TestRenewalOfWhoWaits(t *testing.T) {
	s := newStage(t)
	waits := s.Person("Wanda")
	_, err := waits.Accept(s.ada.InviteTo(s.matter, "Wanda", chain.RoleClient, chain.ModeAfterIConfirm))
	if !code(err, api.CodeWaiting) {
		t.Fatal(err)
	}
	rita := s.ada.Guest(s.matter, "Rita", chain.RoleReviewer)
	for p, want := range map[*evilserver.Person]api.Code{waits: api.CodeWaiting, rita: api.CodeReviewOnly} {
		if v := s.renewed(p); len(v.Left) != 1 || v.Left[0].Failure.Code != want {
			t.Errorf("%s: %+v", p.Called, v)
		}
	}
}

// TestRenewalWithPassword: S-ROOT-02. A password that proved is wrapped to by the next root at once; one that did not signs in, and
// unlocks again once its owner used it and unlocked with the kit. The kit from before is refused.
func TestRenewalWithPassword(t *testing.T) {
	s := newStage(t)
	const login, password = "ada.advocate", "four geese over the old harbour"
	s.ada.UsePassword(login, password)
	s.ok(s.ada.ProvePassword(evilserver.Soon(t), []byte(password)))
	s.renewed(s.ada)
	again := s.ada.Again()
	s.ok(again.ByPassword(login, password))
	s.ok(again.Look(s.matter))

	s.Clock.Advance(10 * time.Minute)
	s.ok(again.ProveKit(evilserver.Soon(t), s.ada.Kit())) // no password is at hand now
	old := s.ada.Kit()
	s.renewed(again)
	last := again.Again()
	if err := last.ByPassword(login, password); !code(err, api.CodeUnlockElsewhere) {
		t.Fatalf("got %v", err)
	}
	if err := last.UnlockKit(evilserver.Soon(t), old); !code(err, api.CodeUnlockFailed) {
		t.Fatalf("the kit from before: %v", err)
	}
	s.ok(last.UnlockWithKit())
	if err := s.Person("Thief").SignInKit(evilserver.Soon(t), old); !code(err, api.CodeSignInFailed) {
		t.Fatalf("the kit from before: %v", err)
	}
	s.ok(last.Again().ByPassword(login, password))
}

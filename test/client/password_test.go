package client

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/test/evilserver"
)

const horses = "correct horse battery staple"

func (s *stage) code(err error, want api.Code) {
	s.Helper()
	if f := client.FailureOf(err); f == nil || f.Code != want {
		s.Fatalf("%v, want %s", err, want)
	}
}

// TestPasswordStory: S-PASSWORD-08. A guest joins with a password and an app, signs out and in again; on another device the password
// signs in and the kit unlocks, and from then on the password does it there, too.
func TestPasswordStory(t *testing.T) {
	s := newStage(t)
	clara := s.Person("Clara")
	id, err := clara.AcceptByPassword(s.ada.InviteTo(s.matter, "Clara", chain.RoleClient, chain.ModeOpensAtOnce), "Clara.Client", horses)
	s.ok(err)
	if id != s.matter {
		t.Fatal("another matter")
	}
	doc := s.ada.MustPut(s.matter, "Complaint.txt", []byte("privileged"))
	if content, err := clara.Get(s.matter, doc); err != nil || string(content) != "privileged" {
		t.Fatalf("%q, %v", content, err)
	}
	sessions, err := clara.Sessions(evilserver.Soon(t))
	s.ok(err)
	if len(sessions) != 1 || sessions[0].Method != "password" {
		t.Fatalf("%+v", sessions)
	}
	clara.SecondWay()
	clara.SignOut(evilserver.Soon(t))
	for what, c := range map[string][2]string{"another password": {"clara.client", "correct horse battery stable"}, "another name": {"clara", horses}, "no name": {"", horses}} {
		if _, err := clara.SignInPassword(evilserver.Soon(t), c[0], []byte(c[1])); client.FailureOf(err) == nil || client.FailureOf(err).Code != api.CodePasswordFailed || clara.SignedIn() {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.ok(clara.ByPassword("CLARA.client ", horses))
	s.ok(clara.Look(s.matter))
	view, err := clara.Overview(evilserver.Soon(t))
	s.ok(err)
	if view.Failed == nil || view.Failed.Passwords != 1 {
		t.Errorf("she is told %+v", view.Failed)
	}

	tablet := clara.Elsewhere()
	s.code(tablet.ByPassword("clara.client", horses), api.CodeUnlockElsewhere)
	if tablet.SignedIn() {
		t.Fatal("unlocked")
	}
	if ways, err := tablet.UnlockWays(evilserver.Soon(t)); err != nil || ways != (client.Ways{Passkey: ways.Passkey, Kit: true}) {
		t.Errorf("%+v %v", ways, err)
	}
	s.ok(tablet.UnlockWithKit())
	s.ok(tablet.Look(s.matter))
	tablet.SignOut(evilserver.Soon(t))
	s.ok(tablet.ByPassword("clara.client", horses))
	s.ok(tablet.Look(s.matter))
	// Locked, the password alone unlocks.
	tablet.Lock(client.LockAsked)
	s.code(tablet.UnlockPassword(evilserver.Soon(t), "", []byte("correct horse battery stable")), api.CodePasswordFailed)
	s.ok(tablet.UnlockPassword(evilserver.Soon(t), "", []byte(horses)))
	s.ok(tablet.Look(s.matter))
	if n, err := tablet.Sessions(evilserver.Soon(t)); err != nil || len(n) != 2 {
		t.Errorf("%d sessions, %v", len(n), err)
	}
}

// TestPasswordChange: S-PASSWORD-05. The others are signed out when it is changed, and say why; the old one is worth nothing.
func TestPasswordChange(t *testing.T) {
	s := newStage(t)
	s.ada.UsePassword("ada", horses)
	other := s.ada.Elsewhere()
	s.code(other.ByPassword("ada", horses), api.CodeUnlockElsewhere)
	s.ok(other.UnlockWithKit())
	s.ok(other.Look(s.matter))
	s.ok(s.ada.SetPassword(evilserver.Soon(t), "ada", []byte("another horse battery staple")))
	s.code(other.Look(s.matter), api.CodeSessionEnded)
	if other.SignedIn() {
		t.Error("keys stay where the session ended")
	}
	s.ok(s.ada.Look(s.matter))
	s.code(other.ByPassword("ada", horses), api.CodePasswordFailed)
	s.ok(other.ByPassword("ada", "another horse battery staple"))
	s.ok(other.Look(s.matter))
	// Somebody else cannot have the name; who has no second factor gets none.
	bob := s.ada.Guest(s.matter, "Bob", chain.RoleClient)
	s.code(bob.SetPassword(evilserver.Soon(t), "bob", []byte(horses)), api.CodeNoSecond)
	begun, err := bob.AuthenticatorBegin(evilserver.Soon(t))
	s.ok(err)
	bob.App = s.App(begun.Secret)
	s.code(bob.AuthenticatorFinish(evilserver.Soon(t), "000000"), api.CodeCodeFailed)
	s.ok(bob.AuthenticatorFinish(evilserver.Soon(t), bob.App.Code()))
	s.code(bob.SetPassword(evilserver.Soon(t), "ADA", []byte(horses)), api.CodeNameTaken)
	s.code(bob.SetPassword(evilserver.Soon(t), "bob", []byte("short")), api.CodePasswordShort)
	s.code(bob.SetPassword(evilserver.Soon(t), "bob", []byte("Bob2024Bob2024")), api.CodePasswordWeak)
	s.ok(bob.SetPassword(evilserver.Soon(t), "bob", []byte(horses))) // the same as Ada's once was
	s.code(bob.RemoveAuthenticator(evilserver.Soon(t)), api.CodeLastMethod)
	s.ok(bob.RemovePassword(evilserver.Soon(t)))
	s.ok(bob.RemoveAuthenticator(evilserver.Soon(t)))
	s.code(bob.ByPassword("bob", horses), api.CodePasswordFailed)
}

// TestAtTheDoor: S-SESSION-08. A firm that asks for two factors, or for a newer password, says so; what is shown then opens it, and
// nothing is signed in again.
func TestAtTheDoor(t *testing.T) {
	s := newStage(t)
	s.ada.UsePassword("ada", horses)
	s.code(s.ada.ProvePassword(evilserver.Soon(t), []byte("correct horse battery stable")), api.CodePasswordFailed)
	s.ok(s.ada.ProvePassword(evilserver.Soon(t), []byte(horses)))
	rules := func(change func(p *chain.Policy)) error {
		p := chain.DefaultPolicy()
		p.Idle, p.Absolute = chain.MaxIdle, chain.MaxAbsolute
		change(&p)
		_, err := s.ada.SetPolicy(evilserver.Soon(t), s.ada.Firm, p)
		return err
	}
	two := func(p *chain.Policy) { p.StaffMFA, p.ClientMFA = true, true }
	s.code(rules(two), api.CodeSecondFactor) // she came with a passphrase
	s.ok(s.ada.ProveCode(evilserver.Soon(t), s.ada.App.Code()))
	s.ok(rules(two))
	s.ok(s.ada.Look(s.matter))

	bob := s.Person("Bob")
	_, err := bob.Accept(s.ada.InviteTo(s.matter, "Bob", chain.RoleClient, chain.ModeOpensAtOnce))
	s.code(err, api.CodeSecondFactor)
	view, err := bob.Overview(evilserver.Soon(t))
	s.ok(err)
	if len(view.Matters) != 1 || view.Matters[0].State != "second-factor" {
		t.Fatalf("%+v", view.Matters)
	}
	begun, err := bob.AuthenticatorBegin(evilserver.Soon(t))
	s.ok(err)
	bob.App = s.App(begun.Secret)
	s.ok(bob.AuthenticatorFinish(evilserver.Soon(t), bob.App.Code()))
	s.ok(bob.ProveCode(evilserver.Soon(t), bob.App.Code()))
	s.ok(bob.FinishJoin(evilserver.Soon(t), s.matter))
	s.ok(bob.Look(s.matter))
	view, err = bob.Overview(evilserver.Soon(t))
	s.ok(err)
	if view.Matters[0].State != "open" {
		t.Fatalf("%+v", view.Matters)
	}

	s.ok(rules(func(p *chain.Policy) { p.PasswordDays, p.PasswordLength = 30, 20 }))
	s.Clock.Advance(31 * 24 * time.Hour)
	s.ok(s.ada.ByPassword("ada", horses))
	s.code(s.ada.Look(s.matter), api.CodePasswordOld)
	s.code(s.ada.SetPassword(evilserver.Soon(t), "ada", []byte("nineteen characters")), api.CodePasswordShort)
	s.ok(s.ada.SetPassword(evilserver.Soon(t), "ada", []byte("another horse battery staple")))
	s.ok(s.ada.Look(s.matter))
}

// TestManyWrongPasswords: the one who waits is told how long, and the others do not wait.
func TestManyWrongPasswords(t *testing.T) {
	s := newStage(t)
	s.ada.UsePassword("ada", horses)
	thief := s.Person("Thief")
	var last error
	for range 6 {
		_, last = thief.SignInPassword(evilserver.Soon(t), "ada", []byte("guess after guess after guess"))
	}
	if f := client.FailureOf(last); f == nil || f.Code != api.CodeTooMany || f.Wait < 1 || f.Wait > 2 {
		t.Fatalf("%+v", f)
	}
	s.code(s.ada.Elsewhere().ByPassword("ada", horses), api.CodeTooMany)
	s.ok(s.ada.SignIn())
	view, err := s.ada.Overview(evilserver.Soon(t))
	s.ok(err)
	if view.Failed == nil || view.Failed.Passwords != 5 {
		t.Errorf("she is told %+v", view.Failed)
	}
	trail, err := s.ada.Trail(evilserver.Soon(t), s.ada.Firm, 50)
	s.ok(err)
	locked := 0
	for _, item := range trail.Items {
		if item.Kind == "locked" && item.Person == "Ada" && item.Detail == "password" {
			locked++
		}
	}
	if locked != 1 {
		t.Errorf("auditors see %d locks: %+v", locked, trail.Items)
	}
}

// TestTwoTabsRace: two tabs of one device that sign in at the same moment are both in.
func TestTwoTabsRace(t *testing.T) {
	s := newStage(t)
	s.ada.UsePassword("ada", horses)
	one, two := s.ada.Again(), s.ada.Again()
	for _, tab := range []*evilserver.Person{one, two} {
		_, err := tab.SignInPassword(evilserver.Soon(t), "ada", []byte(horses))
		s.ok(err)
	}
	code := s.ada.App.Code()
	errs := make([]error, 2)
	var wait sync.WaitGroup
	for i, tab := range []*evilserver.Person{one, two} {
		wait.Go(func() { errs[i] = tab.SignInCode(evilserver.Soon(t), code) })
	}
	wait.Wait()
	late := one
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("%v, %v", errs[0], errs[1])
	}
	if errs[1] != nil {
		late = two
	}
	s.ok(late.SignInCode(evilserver.Soon(t), s.ada.App.Code()))
	s.ok(one.Look(s.matter))
	s.ok(two.Look(s.matter))
}

// TestLoginNameStaysHere: what somebody is called when he signs in is in no request and in nothing that the server keeps.
func TestLoginNameStaysHere(t *testing.T) {
	s := newStage(t)
	s.ada.UsePassword("ada.of.avalon", horses)
	s.ok(s.ada.ByPassword("ada.of.avalon", horses))
	for _, x := range s.Since(0) {
		if all := strings.ToLower(x.Path + x.Query + string(x.Request.Body) + string(x.Reply.Body)); strings.Contains(all, "avalon") || strings.Contains(all, "battery") {
			t.Errorf("%s %s tells it", x.Method, x.Path)
		}
	}
}

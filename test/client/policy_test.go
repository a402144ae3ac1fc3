package client

import (
	"encoding/json"
	"testing"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/test/evilserver"
)

// TestPolicyOfAFirm: an owner signs, every member of the firm's chain derives the same, guests of a matter do not read it and
// are held to it (S-POLICY-01, S-SESSION-05).
func TestPolicyOfAFirm(t *testing.T) {
	s := newStage(t)
	bob := s.ada.Guest(s.matter, "Bob", chain.RoleClient)
	paul := s.ada.Guest(s.ada.Firm, "Paul", chain.RoleParalegal)
	v, err := s.ada.Policy(evilserver.Soon(t), s.ada.Firm)
	s.ok(err)
	if v.At != nil || v.By != "" || v.Idle != 15 || v.Absolute != 720 || v.Networks == nil {
		t.Fatalf("%+v", v)
	}
	rules := v.Policy
	rules.Idle, rules.OneSession, rules.Networks = 5, true, []string{"127.0.0.1", "::1/128", "127.0.0.0/8"}
	v, err = s.ada.SetPolicy(evilserver.Soon(t), s.ada.Firm, rules)
	s.ok(err)
	if v.At == nil || v.By != "Ada" || v.Idle != 5 || len(v.Networks) != 3 {
		t.Fatalf("%+v", v)
	}
	// engine.ts has these names.
	b, err := json.Marshal(v)
	s.ok(err)
	var fields map[string]json.RawMessage
	s.ok(json.Unmarshal(b, &fields))
	for _, name := range []string{"staffMFA", "clientMFA", "passwordLength", "passwordDays", "idle", "absolute", "oneSession", "networks", "recoveryK", "recoveryHours", "custodians", "by", "at", "mayBeCustodians"} {
		if fields[name] == nil {
			t.Errorf("%s is missing in %s", name, b)
		}
	}
	got, err := paul.Policy(evilserver.Soon(t), s.ada.Firm)
	s.ok(err)
	if got.By != "Ada" || got.Idle != 5 || !got.OneSession {
		t.Fatalf("%+v", got)
	}
	for name, c := range map[string]struct {
		p    *evilserver.Person
		set  bool
		code api.Code
	}{"a paralegal sets": {paul, true, api.CodeNotAllowed}, "a client sets": {bob, true, api.CodeNotAllowed}, "a client reads": {bob, false, api.CodeNotAllowed}} {
		_, err := c.p.Policy(evilserver.Soon(t), s.ada.Firm)
		if c.set {
			_, err = c.p.SetPolicy(evilserver.Soon(t), s.ada.Firm, rules)
		}
		if f := client.FailureOf(err); f == nil || f.Code != c.code {
			t.Errorf("%s: %v", name, f)
		}
	}
	if _, err := s.ada.SetPolicy(evilserver.Soon(t), s.matter, rules); client.FailureOf(err) == nil || client.FailureOf(err).Code != api.CodeNotHere {
		t.Errorf("a matter gets a policy: %v", err)
	}
	bad := rules
	bad.Idle = 0
	if _, err := s.ada.SetPolicy(evilserver.Soon(t), s.ada.Firm, bad); client.FailureOf(err) == nil || client.FailureOf(err).Code != api.CodeBadRequest {
		t.Errorf("%v", err)
	}
	shut := rules
	shut.Networks = []string{"198.51.100.0/24"}
	if _, err := s.ada.SetPolicy(evilserver.Soon(t), s.ada.Firm, shut); client.FailureOf(err) == nil || client.FailureOf(err).Code != api.CodeNotFromHere {
		t.Errorf("she shuts herself out: %v", err)
	}
	limits, err := s.ada.Timeouts(evilserver.Soon(t))
	s.ok(err)
	if limits.Idle != 5*60_000 || limits.Absolute != 12*3600_000 {
		t.Errorf("%+v", limits)
	}
	// One session: the second sign-in ends the first, which says so and stays out until he signs in himself.
	again := bob.Elsewhere().In()
	s.ok(again.Look(s.matter))
	mark := s.Mark()
	if f := client.FailureOf(bob.Look(s.matter)); f == nil || f.Code != api.CodeSessionEnded || bob.SignedIn() {
		t.Fatalf("%v", f)
	}
	if n := s.count(mark, "POST", api.RouteTickets); n != 0 {
		t.Errorf("%d tickets", n)
	}
	s.ok(again.Look(s.matter))
	page, err := s.ada.Activity(evilserver.Soon(t), s.ada.Firm, nil, 20)
	s.ok(err)
	found := false
	for _, a := range page.Items {
		found = found || (a.Kind == "policy" && a.Person == "Ada")
	}
	if !found {
		t.Errorf("%+v", page.Items)
	}
}

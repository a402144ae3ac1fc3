package client

import (
	"encoding/csv"
	"encoding/json"
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

// in finds somebody by the name that an owner gave him; the empty name is whoever is in no matter of hers.
func in(t *testing.T, v client.OfficeView, name string) client.OfficePerson {
	t.Helper()
	i := slices.IndexFunc(v.People, func(p client.OfficePerson) bool { return p.Name == name })
	if i < 0 {
		t.Fatalf("%q is not among %+v", name, v.People)
	}
	return v.People[i]
}

// TestOffice: S-PEOPLE-02. An owner of the firm sees everybody in it, by name where a chain of hers has one, with what entries say
// beside what the server says. Nobody else does.
func TestOffice(t *testing.T) {
	s := newStage(t)
	olga := s.ada.Guest(s.ada.Firm, "Olga", chain.RoleOwner)
	paul := s.ada.Guest(s.ada.Firm, "Paul", chain.RoleParalegal)
	clara := s.ada.Guest(s.matter, "=Clara", chain.RoleClient)
	hers := olga.NewMatter("Olga's own")
	dan := olga.Guest(hers, "Dan", chain.RoleClient)
	s.ok(clara.Acknowledge(evilserver.Soon(t), chain.TopicInvitations))
	clara.Settle(evilserver.Soon(t))
	s.ok(paul.Acknowledge(evilserver.Soon(t), chain.AllTopics))
	paul.Settle(evilserver.Soon(t))

	v, err := s.ada.Office(evilserver.Soon(t), s.ada.Firm)
	s.ok(err)
	if len(v.People) != 5 || v.Name != "Ada LLP" || v.People[4].Name != "" {
		t.Fatalf("%+v", v)
	}
	c := in(t, v, "=Clara")
	if len(c.Seats) != 1 || c.Seats[0] != (client.OfficeSeat{Matter: s.matter.String(), Name: "Doe v. Roe", Role: "client", State: "seated"}) || c.Ways != 1 || len(c.Read) != 1 || c.Read[0].Topic != "invitations" || len(c.Words) == 0 {
		t.Errorf("%+v", c)
	}
	if c.Server == nil || c.Server.Factors != (api.Factors{Passphrase: true}) || c.Server.Sessions != 1 || c.Server.EnteredAt == nil || c.Server.LockedUntil != nil {
		t.Errorf("%+v", c.Server)
	}
	if p := in(t, v, "Paul"); p.Ways != 2 || len(p.Read) != 4 || !p.Server.Kit || p.IsMe || p.Seats[0].Matter != s.ada.Firm.String() {
		t.Errorf("%+v", p)
	}
	if a := in(t, v, "Ada"); !a.IsMe || len(a.Seats) != 2 {
		t.Errorf("%+v", a)
	}
	if d := in(t, v, ""); d.Server == nil || len(d.Seats) != 0 || d.Ways != 0 || len(d.Words) != 0 {
		t.Errorf("%+v", d)
	}
	if v, err := olga.Office(evilserver.Soon(t), s.ada.Firm); err != nil || in(t, v, "Dan").Seats[0].Name != "Olga's own" || in(t, v, "").Name != "" {
		t.Errorf("%+v %v", v, err)
	}
	for name, p := range map[string]*evilserver.Person{"a paralegal": paul, "a client": clara, "a client of another matter": dan} {
		if _, err := p.Office(evilserver.Soon(t), s.ada.Firm); err == nil || client.FailureOf(err).Code != api.CodeNotAllowed {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := p.TrainingRecord(evilserver.Soon(t), s.ada.Firm); err == nil || client.FailureOf(err).Code != api.CodeNotAllowed {
			t.Errorf("%s: %v", name, err)
		}
		if err := p.Unlock(evilserver.Soon(t), s.ada.Firm, wire.ObjectID{1}, "r"); err == nil || client.FailureOf(err).Code != api.CodeNotAllowed {
			t.Errorf("%s: %v", name, err)
		}
	}

	// The record of who was taught what names its entries, and no cell of it is a formula.
	text, err := s.ada.TrainingRecord(evilserver.Soon(t), s.ada.Firm)
	s.ok(err)
	lines, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	s.ok(err)
	if len(lines) != 1+4*4 { // the heading, and four people in chains of hers
		t.Fatalf("%d lines:\n%s", len(lines), text)
	}
	read := map[string]int{}
	for _, line := range lines[1:] {
		if line[4] == "" {
			continue
		}
		read[line[0]]++
		if at, err := time.Parse(time.RFC3339, line[4]); err != nil || time.Since(at) > time.Hour || line[5] == "" || line[6] == "" || line[7] == "" {
			t.Errorf("%q %v", line, err)
		}
	}
	if len(read) != 2 || read["'=Clara"] != 1 || read["Paul"] != 4 {
		t.Errorf("%v", read)
	}
}

// TestOfficeServersWord: what the server says of people changes nothing of what entries say, and cannot be anything.
func TestOfficeServersWord(t *testing.T) {
	s := newStage(t)
	clara := s.ada.Guest(s.matter, "Clara", chain.RoleClient)
	twist := func(change func(*api.People)) {
		s.Honest()
		s.Twist("GET", api.RoutePeople, func(body []byte) []byte {
			var v api.People
			s.ok(json.Unmarshal(body, &v))
			change(&v)
			b, err := json.Marshal(v)
			s.ok(err)
			return b
		})
	}
	twist(func(v *api.People) { v.People = nil })
	v, err := s.ada.Office(evilserver.Soon(t), s.ada.Firm)
	s.ok(err)
	if len(v.People) != 2 || in(t, v, "Clara").Server != nil || in(t, v, "Clara").Ways != 1 {
		t.Errorf("%+v", v)
	}
	twist(func(v *api.People) {
		v.People = append(v.People, api.FirmPerson{Member: s.ID(), Entered: -1, Locked: 1 << 62})
	})
	v, err = s.ada.Office(evilserver.Soon(t), s.ada.Firm)
	s.ok(err)
	if p := in(t, v, ""); p.Server.EnteredAt != nil || len(p.Seats) != 0 {
		t.Errorf("%+v", p)
	}
	s.Honest()
	s.Twist("GET", api.RoutePeople, func([]byte) []byte { return []byte(`{"people":[{"name":"Mallory"}]}`) })
	if _, err := s.ada.Office(evilserver.Soon(t), s.ada.Firm); client.FailureOf(err).Code != api.CodeServerLied {
		t.Errorf("an answer that is none: %v", err)
	}
	s.Honest()
	_ = clara
}

// TestOfficeEntries: S-UNLOCK-01, S-UNLOCK-02. What an owner does about somebody stands in the firm's record with its reason, and
// whoever is signed out is told so and wipes his keys.
func TestOfficeEntries(t *testing.T) {
	s := newStage(t)
	clara := s.ada.Guest(s.matter, "Clara", chain.RoleClient)
	paul := s.ada.Guest(s.ada.Firm, "Paul", chain.RoleParalegal)
	member := func(p *evilserver.Person, name string) wire.ObjectID {
		v, err := s.ada.Office(evilserver.Soon(t), s.ada.Firm)
		s.ok(err)
		id, err := wire.ParseObjectID(in(t, v, name).Member)
		s.ok(err)
		return id
	}
	s.ok(s.ada.Unlock(evilserver.Soon(t), s.ada.Firm, member(clara, "Clara"), " She called. "))
	s.ok(s.ada.SignOutMember(evilserver.Soon(t), s.ada.Firm, member(paul, "Paul"), "His laptop was stolen."))
	if err := s.ada.Unlock(evilserver.Soon(t), s.ada.Firm, member(paul, "Paul"), "  "); client.FailureOf(err).Code != api.CodeNotAllowed {
		t.Errorf("without a reason: %v", err)
	}
	if f := client.FailureOf(paul.Look(s.ada.Firm)); f == nil || f.Code != api.CodeSessionEnded || paul.SignedIn() {
		t.Errorf("%v", f)
	}
	time.Sleep(1100 * time.Millisecond) // a sign-in of the same second is one of then
	s.ok(paul.SignIn())
	s.ok(paul.Look(s.ada.Firm))
	page, err := paul.Activity(evilserver.Soon(t), s.ada.Firm, nil, 10)
	s.ok(err)
	got := map[string]string{}
	for _, a := range page.Items {
		got[a.Kind] = a.Person + ", " + a.Subject + ", " + a.Why
	}
	// Clara has no seat in the firm's own chain, so it has no name for her. Who is in a matter with her has one, and for all others
	// there is her id.
	if got["unlocked"] != "Ada, , She called." || got["signed-out"] != "Ada, Paul, His laptop was stolen." {
		t.Errorf("%+v", got)
	}
	for _, a := range page.Items {
		if id := member(clara, "Clara").String(); a.Kind == "unlocked" && a.Member != id {
			t.Errorf("%q, and she is %s", a.Member, id)
		}
	}
	page, err = s.ada.Activity(evilserver.Soon(t), s.ada.Firm, nil, 10)
	s.ok(err)
	if !slices.ContainsFunc(page.Items, func(a client.ActivityView) bool { return a.Kind == "unlocked" && a.Subject == "Clara" }) {
		t.Errorf("%+v", page.Items)
	}
}

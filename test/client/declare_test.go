package client

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/test/evilserver"
)

// said is how many ways a chain's roster has of somebody, what he read there, and at which position the chain is.
func (s *stage) said(by *evilserver.Person, id wire.ChainID, name string) (ways uint8, read []string, position uint64) {
	s.Helper()
	for _, p := range by.View(id).People {
		if p.Name == name {
			for _, r := range p.Read {
				read = append(read, r.Topic)
			}
			return p.Ways, read, s.Head(s.ada.Firm, id).Position
		}
	}
	s.Fatalf("%s is not on the roster", name)
	return 0, nil, 0
}

func (s *stage) saying(by *evilserver.Person, id wire.ChainID, name string, ways uint8, read ...string) uint64 {
	s.Helper()
	w, r, position := s.said(by, id, name)
	if w != ways || !slices.Equal(r, read) {
		s.Errorf("%s has %d ways and read %q, want %d and %q", name, w, r, ways, read)
	}
	return position
}

// TestSaidOnce: S-CLIENT-20. What is new of a person is one entry in every chain that he has a seat in, and no more.
func TestSaidOnce(t *testing.T) {
	s := newStage(t)
	second := s.ada.NewMatter("Roe v. Wade")
	clara := s.ada.Guest(s.matter, "Clara", chain.RoleClient)
	_, err := clara.Accept(s.ada.InviteTo(second, "Clara", chain.RoleClient, chain.ModeOpensAtOnce))
	s.ok(err)
	first := s.saying(s.ada, s.matter, "Clara", 1)
	other := s.saying(s.ada, second, "Clara", 1)
	s.ok(clara.Acknowledge(evilserver.Soon(t), chain.TopicPasskey))
	s.ok(clara.Acknowledge(evilserver.Soon(t), chain.TopicKit))
	clara.SecondWay() // which settles
	if n := s.saying(s.ada, s.matter, "Clara", 2, "passkey", "kit"); n != first+1 {
		t.Errorf("%d entries", n-first)
	}
	if n := s.saying(s.ada, second, "Clara", 2, "passkey", "kit"); n != other+1 {
		t.Errorf("%d entries", n-other)
	}
	for range 2 {
		s.ok(clara.Acknowledge(evilserver.Soon(t), chain.TopicKit))
		s.ok(clara.Look(s.matter))
		clara.Settle(evilserver.Soon(t))
	}
	if n := s.saying(s.ada, s.matter, "Clara", 2, "passkey", "kit"); n != first+1 {
		t.Errorf("%d entries after nothing was new", n-first)
	}
	page, err := s.ada.Activity(evilserver.Soon(t), s.matter, nil, 10)
	s.ok(err)
	if a := page.Items[0]; a.Kind != "declared" || a.Person != "Clara" || a.Ways != 2 || !slices.Equal(a.Read, []string{"passkey", "kit"}) {
		t.Errorf("%+v", a)
	}
	// A third matter hears of it with her accept.
	third := s.ada.NewMatter("In re Doe")
	_, err = clara.Accept(s.ada.InviteTo(third, "Clara", chain.RoleClient, chain.ModeOpensAtOnce))
	s.ok(err)
	clara.Settle(evilserver.Soon(t))
	if n := s.saying(s.ada, third, "Clara", 2, "passkey", "kit"); n != 3 { // founded, invited, accepted
		t.Errorf("%d entries", n)
	}
	if err := clara.Acknowledge(evilserver.Soon(t), chain.AllTopics+1); client.FailureOf(err).Code != api.CodeBadRequest {
		t.Error(err)
	}
	// An auditor says it, too; who opens no entries is not asked to.
	for _, role := range []chain.Role{chain.RoleAuditor, chain.RoleReviewer} {
		p := s.ada.Guest(s.matter, "A "+role.String(), role)
		mark := s.Mark()
		p.SecondWay()
		if n := s.count(mark, "POST", api.RouteEntries); (n == 1) != (role == chain.RoleAuditor) {
			t.Errorf("%v: %d entries", role, n)
		}
	}
}

// TestStaffSaysInTheFirm: who works in the firm says there alone what he has read, and in every matter how many ways he has.
func TestStaffSaysInTheFirm(t *testing.T) {
	s := newStage(t)
	before := s.saying(s.ada, s.matter, "Ada", 2)
	firm := s.saying(s.ada, s.ada.Firm, "Ada", 2)
	s.ok(s.ada.Acknowledge(evilserver.Soon(t), chain.AllTopics))
	s.ada.Settle(evilserver.Soon(t))
	if n := s.saying(s.ada, s.matter, "Ada", 2); n != before {
		t.Errorf("%d entries in the matter", n-before)
	}
	if n := s.saying(s.ada, s.ada.Firm, "Ada", 2, "passkey", "kit", "invitations", "who-sees-what"); n != firm+1 {
		t.Errorf("%d entries in the firm", n-firm)
	}
	// A matter that she opens now knows from its first statement.
	s.saying(s.ada, s.ada.NewMatter("Roe v. Wade"), "Ada", 2, "passkey", "kit", "invitations", "who-sees-what")
}

// TestSaidLater: a program that ended, a server that was away or that refuses hold up nothing, and what they left undone is done
// the next time.
func TestSaidLater(t *testing.T) {
	s := newStage(t)
	clara := s.ada.Guest(s.matter, "Clara", chain.RoleClient)
	s.Lie("POST", api.RouteEntries, func(*evilserver.Request) *evilserver.Reply { return refusal(503, api.CodeUnavailable) })
	clara.SecondWay()
	s.ok(clara.Look(s.matter))
	s.Honest()
	s.saying(s.ada, s.matter, "Clara", 1)
	clara = clara.Again().In() // killed; its keyring knows of the kit
	s.ok(clara.Look(s.matter))
	clara.Settle(evilserver.Soon(t))
	s.saying(s.ada, s.matter, "Clara", 2)

	// Who is refused does not ask again at every look, but when something is new.
	s.ok(clara.Acknowledge(evilserver.Soon(t), chain.TopicKit))
	asked := 0
	s.Lie("POST", api.RouteEntries, func(*evilserver.Request) *evilserver.Reply { asked++; return refusal(403, api.CodeForbidden) })
	for range 3 {
		clara.Settle(evilserver.Soon(t))
		s.ok(clara.Look(s.matter))
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	s.Honest()
	s.ok(clara.Acknowledge(evilserver.Soon(t), chain.TopicPasskey))
	clara.Settle(evilserver.Soon(t))
	s.saying(s.ada, s.matter, "Clara", 2, "passkey", "kit")
}

// TestSaidByItself: nobody has to ask for it.
func TestSaidByItself(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	clara := s.ada.Guest(s.matter, "Clara", chain.RoleClient)
	mark := s.Mark()
	s.ok(clara.Acknowledge(evilserver.Soon(t), chain.TopicKit))
	s.ok(clara.Acknowledge(evilserver.Soon(t), chain.TopicWhoSeesWhat))
	for range 60 {
		if ways, read, _ := s.said(s.ada, s.matter, "Clara"); ways == 1 && len(read) == 2 {
			if n := s.count(mark, "POST", api.RouteEntries); n != 1 {
				t.Errorf("%d entries", n)
			}
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Error("it was not said")
}

// TestTwoDevicesDoNotTakeTurns: S-CLIENT-20. A device that signed in before the other changed something asks first.
func TestTwoDevicesDoNotTakeTurns(t *testing.T) {
	s := newStage(t)
	clara := s.ada.Guest(s.matter, "Clara", chain.RoleClient)
	old := clara.Elsewhere().In()
	s.ok(old.Look(s.matter))
	clara.SecondWay()
	n := s.saying(s.ada, s.matter, "Clara", 2)
	s.ok(old.Look(s.matter))
	old.Settle(evilserver.Soon(t))
	s.ok(clara.Look(s.matter))
	clara.Settle(evilserver.Soon(t))
	if now := s.saying(s.ada, s.matter, "Clara", 2); now != n {
		t.Errorf("%d entries", now-n)
	}
}

// TestWaysAreTheAccountsOwn: S-CLIENT-20. A server that lists unlock methods nobody made lets nobody work with one.
func TestWaysAreTheAccountsOwn(t *testing.T) {
	s := newStage(t)
	clara := s.ada.Guest(s.matter, "Clara", chain.RoleClient)
	s.Lie("GET", api.RouteAccount, func(r *evilserver.Request) *evilserver.Reply {
		reply := r.Real()
		var v api.Account
		s.ok(json.Unmarshal(reply.Body, &v))
		v.Vault = append(v.Vault, api.VaultEntry{Method: uint8(vault.MethodKit), ID: []byte("kit"), Wrapped: []byte("x")}, api.VaultEntry{Method: uint8(vault.MethodPasskey), ID: []byte("key"), Wrapped: []byte("x")})
		b, err := json.Marshal(v)
		s.ok(err)
		reply.Body = b
		return reply
	})
	s.ok(clara.Acknowledge(evilserver.Soon(t), chain.TopicKit))
	clara.Settle(evilserver.Soon(t))
	s.saying(s.ada, s.matter, "Clara", 1, "kit")
	if v, err := clara.Overview(evilserver.Soon(t)); err != nil || v.Ways != 1 || !slices.Equal(v.Read, []string{"kit"}) {
		t.Errorf("%+v %v", v, err)
	}
}

package client

import (
	"testing"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/test/evilserver"
)

// TestEndedOnAnotherDevice: S-SESSION-04. A person ends what a lost device has open; that device wipes its keys at its next
// request, and asks for no other session by itself.
func TestEndedOnAnotherDevice(t *testing.T) {
	s := newStage(t)
	lost := s.ada.Elsewhere().In()
	s.ok(lost.Look(s.matter))
	list, err := s.ada.Sessions(evilserver.Soon(t))
	s.ok(err)
	if len(list) != 2 {
		t.Fatalf("%+v", list)
	}
	for _, v := range list {
		if !v.Current {
			id, err := wire.ParseObjectID(v.ID)
			s.ok(err)
			s.ok(s.ada.EndSession(evilserver.Soon(t), id))
		}
	}
	mark := s.Mark()
	if f := client.FailureOf(lost.Look(s.matter)); f == nil || f.Code != api.CodeSessionEnded || lost.SignedIn() {
		t.Fatalf("%v", f)
	}
	if n := s.count(mark, "POST", api.RouteTickets) + s.count(mark, "POST", api.RouteSessions); n != 0 {
		t.Errorf("it opened %d by itself", n)
	}
	s.ok(s.ada.Look(s.matter))
	s.ok(lost.SignIn())
	s.ok(lost.Look(s.matter))
}

// TestLockAndUnlock: after a lock nothing is there, and a sign-in goes on where it was, in the same session.
func TestLockAndUnlock(t *testing.T) {
	s := newStage(t)
	bob := s.ada.Guest(s.matter, "Bob", chain.RoleClient)
	before, err := bob.Sessions(evilserver.Soon(t))
	s.ok(err)
	bob.Lock(client.LockAsked)
	if bob.SignedIn() || client.FailureOf(bob.Look(s.matter)) == nil {
		t.Fatal("something is left after a lock")
	}
	s.ok(bob.SignIn())
	s.ok(bob.Look(s.matter))
	after, err := bob.Sessions(evilserver.Soon(t))
	s.ok(err)
	if len(after) != 1 || after[0].ID != before[0].ID {
		t.Fatalf("%+v, then %+v", before, after)
	}
}

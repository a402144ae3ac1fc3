package client

import (
	"testing"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/test/evilserver"
)

// newKit makes a kit, tests it and puts it in force.
func newKit(t *testing.T, c *client.Client) (string, error) {
	kit, err := c.CreateKit()
	if err != nil {
		return "", err
	}
	if err := c.TestKit(kit.Kit); err != nil {
		return "", err
	}
	return kit.Kit, c.ConfirmKit(evilserver.Soon(t))
}

// TestFactorsFromTwoTabs: S-FACTOR-03. Two tabs of a browser have one session. Where one of them signed in anew, the other learns which
// it is now, and its change is made; where somebody else did, nothing of the first one's comes into the account of the second.
func TestFactorsFromTwoTabs(t *testing.T) {
	s := newStage(t)
	b := s.Tab()
	s.ok(b.SignInKit(evilserver.Soon(t), s.ada.Kit()))
	first := b.Client
	b.Reload()
	s.ok(b.SignInKit(evilserver.Soon(t), s.ada.Kit()))
	b.SignOut(evilserver.Soon(t))
	s.ok(b.SignInKit(evilserver.Soon(t), s.ada.Kit()))
	mark := s.Mark()
	kit, err := newKit(t, first)
	s.ok(err)
	if n := s.count(mark, "GET", api.RouteAccount); n != 1 {
		t.Errorf("it looked %d times which session it has", n)
	}
	s.ok(b.SignInKit(evilserver.Soon(t), kit))

	bob := s.Founder("Bob")
	b.SignOut(evilserver.Soon(t))
	s.ok(b.SignInKit(evilserver.Soon(t), bob.Kit()))
	_, err = newKit(t, first)
	s.code(err, api.CodeUnlockFirst)
	s.ok(b.SignInKit(evilserver.Soon(t), bob.Kit()))
	// Locked, it has nothing to sign with, and asks for nothing.
	b.Lock(client.LockAsked)
	mark = s.Mark()
	_, err = newKit(t, b.Client)
	s.code(err, api.CodeNotSignedIn)
	s.code(b.RemovePassword(evilserver.Soon(t)), api.CodeNotSignedIn)
	s.code(b.RemoveAuthenticator(evilserver.Soon(t)), api.CodeNotSignedIn)
	if n := len(s.Since(mark)); n != 0 {
		t.Errorf("%d requests of a locked client", n)
	}
}

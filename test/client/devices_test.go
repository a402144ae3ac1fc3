package client

import (
	"bytes"
	"testing"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/test/evilserver"
)

// devices of somebody, by name.
func (s *stage) devices(p *evilserver.Person) map[string]client.DeviceView {
	s.Helper()
	v, err := p.Devices(evilserver.Soon(s))
	s.ok(err)
	out := map[string]client.DeviceView{}
	for _, d := range v.Devices {
		out[d.Name] = d
	}
	return out
}

// TestDevices: whoever unlocks is a device of the account, by a name that no server is told; one that is revoked is out at once, and
// with the next root for good. S-DEVICE-01 S-DEVICE-04
func TestDevices(t *testing.T) {
	s := newStage(t)
	clara := s.ada.Guest(s.matter, "Clara", chain.RoleClient)
	doc := s.ada.MustPut(s.matter, "Before.txt", []byte("before"))
	s.ada.Called = "Phone"
	phone := s.ada.Elsewhere().In()
	s.ok(phone.Look(s.matter))
	all := s.devices(s.ada)
	if len(all) != 2 || !all["Ada"].Current || all["Phone"].Current || all["Phone"].CreatedAt == 0 {
		t.Fatalf("%+v", all)
	}
	id := s.document(all["Phone"].ID)
	s.ok(s.ada.RenameDevice(evilserver.Soon(t), id, "Lost telephone"))
	if err := s.ada.RenameDevice(evilserver.Soon(t), s.ID(), "Nobody's"); !code(err, api.CodeNotHere) {
		t.Errorf("got %v", err)
	}
	sessions, err := s.ada.Sessions(evilserver.Soon(t))
	s.ok(err)
	named := map[string]bool{}
	for _, x := range sessions {
		named[x.Device] = true
	}
	if !named["Ada"] || !named["Lost telephone"] {
		t.Errorf("%+v", sessions)
	}
	for _, x := range s.Since(0) {
		if bytes.Contains(x.Request.Body, []byte("Lost telephone")) {
			t.Errorf("%s %s tells a name", x.Method, x.Path)
		}
	}
	// The program again on one device is that device.
	again := s.ada.Again().In()
	if got := s.devices(again); len(got) != 2 || !got["Ada"].Current {
		t.Fatalf("%+v", got)
	}

	v, err := again.RevokeDevice(evilserver.Soon(t), id)
	s.ok(err)
	if !v.RootDue {
		t.Error("nobody remembers that the root is to be replaced")
	}
	if err := phone.Look(s.matter); !code(err, api.CodeSessionEnded) {
		t.Errorf("a revoked device reads: %v", err)
	}
	if err := phone.SignIn(); !code(err, api.CodeDeviceRevoked) {
		t.Errorf("a revoked device signs in: %v", err)
	}
	// Also where the program ended here: another device sees what is still to be done, and does it.
	last := again.Again().In()
	if a, err := last.Account(); err != nil || !a.RootDue {
		t.Fatalf("%+v %v", a, err)
	}
	s.renewed(last)
	if a, err := last.Account(); err != nil || a.RootDue {
		t.Fatalf("%+v %v", a, err)
	}
	if got := s.devices(last); len(got) != 1 || !got["Ada"].Current {
		t.Fatalf("%+v", got)
	}
	// The record of the revoked device is gone, so it is not recognised: it has a root that opens nothing.
	phone.Beware()
	if err := phone.SignIn(); err == nil {
		t.Fatal("the revoked device unlocked")
	}
	after := last.MustPut(s.matter, "After.txt", []byte("after"))
	for d, want := range map[wire.ObjectID]string{doc: "before", after: "after"} {
		for _, p := range []*evilserver.Person{clara, last} {
			if got, err := p.Get(s.matter, d); err != nil || string(got) != want {
				t.Errorf("%s: %q %v", p.Called, got, err)
			}
		}
	}
}

// TestDeviceRevokedMeanwhile: a server's word that this device was revoked takes the record of it, and nothing of what was seen.
func TestDeviceRevokedMeanwhile(t *testing.T) {
	s := newStage(t)
	before := s.kept(s.ada)
	s.Lie("POST", api.RouteSignIn, func(*evilserver.Request) *evilserver.Reply {
		r := refusal(403, api.CodeDeviceRevoked)
		r.Body = []byte(`{"code":"device-revoked","message":"","device":"` + s.devices(s.ada)["Ada"].ID + `"}`)
		return r
	})
	again := s.ada.Again()
	if err := again.SignIn(); !code(err, api.CodeDeviceRevoked) {
		t.Fatalf("got %v", err)
	}
	if after := s.kept(again); after != before-1 {
		t.Errorf("%d records, there were %d", after, before)
	}
	s.Honest()
	s.ok(again.SignIn())
	if got := s.devices(again); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

// kept is how many records a device has.
func (s *stage) kept(p *evilserver.Person) int {
	s.Helper()
	names, err := p.Device.List(s.Context(), "")
	s.ok(err)
	return len(names)
}

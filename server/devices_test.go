package server_test

import (
	"crypto/sha256"
	"encoding/json"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
)

// device is what a browser keeps of itself.
func newDevice(t testing.TB) api.DeviceProof {
	return api.DeviceProof{Device: newID(t), Token: []byte("token of " + newID(t).String())}
}

func (p *player) register(d api.DeviceProof) answer {
	p.t.Helper()
	return p.json("POST", api.RouteDevices, api.NewDevice{Device: d.Device, Hash: sha256.Sum256(d.Token)})
}

// signInFrom signs in as a browser that says which devices it is.
func (p *player) signInFrom(devices ...api.DeviceProof) answer {
	p.t.Helper()
	begun := want[api.SignInReply](p.t, p.json("POST", api.RouteSignIns, struct{}{}))
	return p.json("POST", "/v1/sign-ins/"+begun.SignIn.String(), api.SignInFinish{Login: p.proof(begun.Challenge), Devices: devices})
}

func (p *player) devices() []api.Device {
	p.t.Helper()
	return want[api.Devices](p.t, p.get(api.RouteDevices)).Devices
}

func (p *player) revoke(device wire.ObjectID) answer {
	p.t.Helper()
	return p.do("DELETE", api.RouteDevices+"/"+device.String(), "", nil, nil)
}

// TestDevices: sessions note their device; one that is revoked ends with all its sessions, in every firm, before the answer, and its
// token signs nobody in. S-DEVICE-01 S-DEVICE-02 S-DEVICE-03
func TestDevices(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	m := ada.matter()
	laptop, phone := newDevice(t), newDevice(t)
	want[api.Devices](t, ada.register(laptop))
	other := &player{world: w, cookies: map[string]string{}, login: ada.login, author: ada.author, firm: ada.firm, account: ada.account, ring: ada.ring}
	want[api.Account](t, other.signIn())
	want[api.Devices](t, other.register(phone))
	want[api.Devices](t, other.register(phone)) // the same again
	other.open()
	want[api.ChainHead](t, other.get(m.path()))

	list := ada.devices()
	if len(list) != 2 || !list[0].Current && !list[1].Current || list[0].Revoked || list[1].Revoked {
		t.Fatalf("%+v", list)
	}
	for _, s := range want[api.AccountSessions](t, ada.get(api.RouteAccountSessions)).Sessions {
		if s.Device != map[bool]wire.ObjectID{true: laptop.Device, false: phone.Device}[s.Current] {
			t.Errorf("%+v", s)
		}
	}
	// Another hash under the id, another account's device, and a session that showed no factor lately.
	forged := phone
	forged.Token = []byte("another")
	refused(t, ada.register(forged), api.CodeForbidden)
	mallory := w.founder()
	refused(t, mallory.revoke(phone.Device), api.CodeNotFound)
	refused(t, ada.revoke(newID(t)), api.CodeNotFound)
	refused(t, ada.revoke(laptop.Device), api.CodeForbidden)
	w.clock.advance(api.ProofSeconds * time.Second)
	refused(t, ada.revoke(phone.Device), api.CodeProveAgain)
	refused(t, ada.register(newDevice(t)), api.CodeProveAgain)
	want[api.ChainHead](t, other.get(m.path()))

	want[api.Account](t, ada.showFactor(ada))
	list = want[api.Devices](t, ada.revoke(phone.Device)).Devices
	if len(list) != 2 || list[0].Revoked == list[1].Revoked {
		t.Fatalf("%+v", list)
	}
	want[api.Devices](t, ada.revoke(phone.Device)) // the same again
	refused(t, other.get(api.RouteAccount), api.CodeSessionEnded)
	refused(t, other.get(m.path()), api.CodeSessionEnded)
	want[api.ChainHead](t, ada.get(m.path()))

	// Its token signs nobody in, beside another account's as well, and it is not registered again; a token that is wrong is none.
	back := &player{world: w, cookies: map[string]string{}, login: ada.login, account: ada.account, ring: ada.ring}
	a := back.signInFrom(newDevice(t), phone)
	refused(t, a, api.CodeDeviceRevoked)
	var told api.Error
	w.ok(json.Unmarshal(a.body, &told))
	if told.Device != phone.Device {
		t.Errorf("%+v", told)
	}
	refused(t, back.get(api.RouteAccount), api.CodeNotSignedIn)
	want[api.Account](t, back.signInFrom(forged))
	refused(t, back.register(phone), api.CodeDeviceRevoked)
	refused(t, back.signInFrom(make([]api.DeviceProof, api.MaxDevices+1)...), api.CodeTooLarge)

	// A sign-in from a device is noted as its use.
	w.clock.advance(time.Minute)
	in := &player{world: w, cookies: map[string]string{}, login: ada.login}
	want[api.Account](t, in.signInFrom(laptop))
	for _, d := range in.devices() {
		if d.Device == laptop.Device && (!d.Current || d.LastUsed != w.clock.now().Unix() || d.LastUsed == d.Created) {
			t.Errorf("%+v", d)
		}
	}
	// With another root, other devices are none any more; the one that was revoked is told so still.
	want[api.Devices](t, back.register(newDevice(t)))
	ada.renewRoot()
	if list := ada.devices(); len(list) != 1 || list[0].Device != laptop.Device {
		t.Fatalf("%+v", list)
	}
	refused(t, in.signInFrom(phone), api.CodeDeviceRevoked)
}

// TestManyDevices: what an account makes the server keep is bounded.
func TestManyDevices(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	own, gone := newDevice(t), newDevice(t)
	want[api.Devices](t, ada.register(own))
	want[api.Devices](t, ada.register(gone))
	want[api.Devices](t, ada.register(own))
	want[api.Devices](t, ada.revoke(gone.Device))
	for range api.MaxDevices - 2 {
		want[api.Devices](t, ada.register(newDevice(t)))
	}
	refused(t, ada.register(newDevice(t)), api.CodeTooLarge)
	want[api.Devices](t, ada.register(own))
	ada.renewRoot()
	for range api.MaxDevices - 1 {
		want[api.Devices](t, ada.register(newDevice(t)))
	}
	refused(t, ada.register(newDevice(t)), api.CodeTooLarge)
}

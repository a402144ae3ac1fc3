package server_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/device"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// newcomer is a device that wants to be enrolled.
type newcomer struct {
	*player
	keys *device.Keys
	code string
}

func (w *world) newcomer() *newcomer {
	w.t.Helper()
	k, err := device.NewKeys(rand.Reader)
	w.ok(err)
	return &newcomer{player: w.player(), keys: k, code: k.Request().Code(testOrigin).String()}
}

func (n *newcomer) ask() answer {
	n.t.Helper()
	return n.json("POST", api.RouteDeviceRequests, api.NewDeviceRequest{Request: n.keys.Request().Bytes()})
}

func (n *newcomer) state() api.DeviceRequest {
	n.t.Helper()
	return want[api.DeviceRequest](n.t, n.get(api.DeviceRequestPath(n.code)))
}

// in signs in with the key of the request.
func (n *newcomer) in(code string, key ed25519.PrivateKey) answer {
	n.t.Helper()
	s := want[api.SignInReply](n.t, n.json("POST", api.RouteSignIns, struct{}{}))
	return n.json("POST", "/v1/sign-ins/"+s.SignIn.String(), api.SignInFinish{Enrolled: &api.DeviceLogin{Code: code, Signature: ed25519.Sign(key, api.LoginMessage(testOrigin, s.Challenge))}})
}

func (p *player) answers(r device.Request) *device.Answering {
	p.t.Helper()
	a, err := device.NewAnswer(rand.Reader, testOrigin, r, p.account, "Ada")
	p.ok(err)
	return a
}

func (p *player) putAnswer(code string, b []byte) answer {
	p.t.Helper()
	return p.json("PUT", api.DeviceAnswerPath(code), api.DeviceAnswer{Answer: b})
}

func (p *player) putGrant(code string, b []byte) answer {
	p.t.Helper()
	return p.json("PUT", api.DeviceAnswerPath(code), api.DeviceAnswer{Grant: b})
}

// TestEnrolDevice: a request is answered once, by an account for itself, within a proof, and its key signs in when it was granted.
// S-ENROL-06 S-ENROL-07
func TestEnrolDevice(t *testing.T) {
	w := newWorld(t)
	ada, mallory := w.founder(), w.founder()
	n := w.newcomer()
	if got := want[api.DeviceRequest](t, n.ask()); !bytes.Equal(got.Request, n.keys.Request().Bytes()) || got.Expires != w.clock.now().Unix()+api.DeviceRequestSeconds {
		t.Fatalf("%+v", got)
	}
	want[api.DeviceRequest](t, n.ask()) // the same again
	refused(t, n.in(n.code, n.keys.DeviceKey()), api.CodeSignInFailed)

	r := n.keys.Request()
	mine := ada.answers(r)
	root, err := vault.GenerateRoot(rand.Reader)
	w.ok(err)
	grant, err := mine.Grant(rand.Reader, root)
	w.ok(err)
	asMallory := mallory.answers(r)
	refused(t, w.player().putAnswer(n.code, mine.Bytes()), api.CodeNotSignedIn)
	refused(t, mallory.putAnswer(n.code, mine.Bytes()), api.CodeForbidden) // in Ada's name
	refused(t, ada.putGrant(n.code, grant.Bytes()), api.CodeBadRequest)    // nobody compared anything
	refused(t, ada.putAnswer(n.code, mine.Bytes()[1:]), api.CodeBadRequest)
	refused(t, ada.putAnswer(w.newcomer().code, mine.Bytes()), api.CodeRequestGone)
	refused(t, ada.putAnswer(n.code+"x", mine.Bytes()), api.CodeRequestGone)
	refused(t, ada.json("PUT", api.DeviceAnswerPath(n.code), api.DeviceAnswer{Answer: mine.Bytes(), Grant: grant.Bytes()}), api.CodeBadRequest)
	w.clock.advance(api.ProofSeconds*time.Second - time.Second)
	late := w.newcomer()
	want[api.DeviceRequest](t, late.ask())
	w.clock.advance(time.Second)
	refused(t, ada.putAnswer(late.code, ada.answers(late.keys.Request()).Bytes()), api.CodeProveAgain) // a stolen cookie enrols nobody
	want[api.Account](t, ada.showFactor(ada))
	refused(t, ada.putAnswer(n.code, mine.Bytes()), api.CodeRequestGone) // five minutes
	if a := n.get(api.DeviceRequestPath(n.code)); a.code() != api.CodeRequestGone {
		t.Errorf("%d %s", a.status, a.body)
	}

	want[api.DeviceRequest](t, n.ask())
	want[api.DeviceRequest](t, ada.putAnswer(n.code, mine.Bytes()))
	want[api.DeviceRequest](t, ada.putAnswer(n.code, mine.Bytes())) // the same again
	refused(t, ada.putAnswer(n.code, ada.answers(r).Bytes()), api.CodeRequestTaken)
	want[api.Account](t, mallory.showFactor(mallory))
	refused(t, mallory.putAnswer(n.code, asMallory.Bytes()), api.CodeRequestTaken)
	other := ada.twin()
	refused(t, other.putGrant(n.code, grant.Bytes()), api.CodeRequestTaken) // another session of hers did not compare
	refused(t, other.do("DELETE", api.DeviceAnswerPath(n.code), "", nil, nil), api.CodeRequestGone)
	if s := n.state(); !bytes.Equal(s.Answer, mine.Bytes()) || s.Grant != nil || s.Refused || s.Done {
		t.Fatalf("%+v", s)
	}
	refused(t, n.in(n.code, n.keys.DeviceKey()), api.CodeSignInFailed) // not granted yet
	refused(t, ada.putGrant(n.code, grant.Bytes()[1:]), api.CodeBadRequest)
	want[api.DeviceRequest](t, ada.putGrant(n.code, grant.Bytes()))
	want[api.DeviceRequest](t, ada.putGrant(n.code, grant.Bytes())) // the same again
	second, err := mine.Grant(rand.Reader, root)
	w.ok(err)
	refused(t, ada.putGrant(n.code, second.Bytes()), api.CodeRequestTaken)

	refused(t, n.in(n.code, newKey(t)), api.CodeSignInFailed)
	refused(t, n.in(late.code, n.keys.DeviceKey()), api.CodeSignInFailed)
	got := want[api.Account](t, n.in(n.code, n.keys.DeviceKey()))
	if got.Account != ada.account {
		t.Fatal("another account")
	}
	if !n.state().Done {
		t.Error("the old device is not told")
	}
	for _, s := range want[api.AccountSessions](t, n.get(api.RouteAccountSessions)).Sessions {
		if s.Current && (s.Method != "device" || s.MFA) {
			t.Errorf("%+v", s)
		}
	}
	w.clock.advance(api.DeviceRequestSeconds * time.Second)
	refused(t, n.in(n.code, n.keys.DeviceKey()), api.CodeSignInFailed)
}

// TestRefusedDevice: whoever sees other words says so, and nothing more is granted.
func TestRefusedDevice(t *testing.T) {
	w := newWorld(t)
	ada, n := w.founder(), w.newcomer()
	want[api.DeviceRequest](t, n.ask())
	mine := ada.answers(n.keys.Request())
	grant, err := mine.Grant(rand.Reader, vault.Root{1})
	w.ok(err)
	want[api.DeviceRequest](t, ada.putAnswer(n.code, mine.Bytes()))
	want[api.DeviceRequest](t, ada.putGrant(n.code, grant.Bytes()))
	want[struct{}](t, ada.do("DELETE", api.DeviceAnswerPath(n.code), "", nil, nil))
	if s := n.state(); !s.Refused || s.Grant != nil {
		t.Fatalf("%+v", s)
	}
	refused(t, ada.putGrant(n.code, grant.Bytes()), api.CodeRequestGone)
	refused(t, n.in(n.code, n.keys.DeviceKey()), api.CodeSignInFailed)
}

// lets has a player let a newcomer in: with the session that he has, and the root.
func (p *player) lets(n *newcomer) {
	p.t.Helper()
	want[api.DeviceRequest](p.t, n.ask())
	mine := p.answers(n.keys.Request())
	grant, err := mine.Grant(rand.Reader, vault.Root{1})
	p.ok(err)
	want[api.DeviceRequest](p.t, p.putAnswer(n.code, mine.Bytes()))
	want[api.DeviceRequest](p.t, p.putGrant(n.code, grant.Bytes()))
}

// TestNobodyIsLetInAfter: what a session granted lets nobody in once it was ended, nor once there is another root; and a device
// that was put out does not come in again by the same request. S-ENROL-07
func TestNobodyIsLetInAfter(t *testing.T) {
	for name, end := range map[string]func(ada, thief *player){
		"its end":                        func(ada, thief *player) { want[struct{}](t, ada.endSession(thief.current().ID)) },
		"its sign-out":                   func(_, thief *player) { want[struct{}](t, thief.do("DELETE", api.RouteAccountSession, "", nil, nil)) },
		"another root":                   func(ada, _ *player) { ada.renewRoot() },
		"another root, by who let it in": func(_, thief *player) { thief.renewRoot() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ada := w.founder()
			thief, n := ada.elsewhere(), w.newcomer()
			thief.lets(n)
			end(ada, thief)
			refused(t, n.in(n.code, n.keys.DeviceKey()), api.CodeSignInFailed)
		})
	}
	w := newWorld(t)
	ada, n := w.founder(), w.newcomer()
	ada.lets(n)
	want[api.Account](t, n.in(n.code, n.keys.DeviceKey()))
	want[api.Account](t, n.in(n.code, n.keys.DeviceKey())) // an answer was lost
	for _, s := range ada.sessions() {
		if !s.Current {
			want[struct{}](t, ada.endSession(s.ID))
		}
	}
	refused(t, n.get(api.RouteAccount), api.CodeSessionEnded)
	refused(t, n.in(n.code, n.keys.DeviceKey()), api.CodeSignInFailed)
	if !n.state().Done {
		t.Error("the old device is not told that it was done")
	}
}

// TestManyDeviceRequests: who has no account is counted by where he comes from. S-ENROL-06
func TestManyDeviceRequests(t *testing.T) {
	w := newWorld(t)
	for range 20 {
		want[api.DeviceRequest](t, w.newcomer().ask())
	}
	a := w.newcomer().ask()
	refused(t, a, api.CodeTooMany)
	w.clock.advance(api.DeviceRequestSeconds * time.Second)
	want[api.DeviceRequest](t, w.newcomer().ask())
	for name, b := range map[string][]byte{"nothing": nil, "noise": []byte("noise"), "cut": w.newcomer().keys.Request().Bytes()[1:]} {
		if a := w.player().json("POST", api.RouteDeviceRequests, api.NewDeviceRequest{Request: b}); a.code() != api.CodeBadRequest {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// TestRequestsFromManyNetworks: who has many addresses takes some of the room for new devices, and leaves the rest to others.
// S-ENROL-06
func TestRequestsFromManyNetworks(t *testing.T) {
	w := newProxiedWorld(t)
	ask := func(address string) answer {
		t.Helper()
		n := w.newcomer()
		return n.do("POST", api.RouteDeviceRequests, api.TypeJSON, body(t, api.NewDeviceRequest{Request: n.keys.Request().Bytes()}), from(address))
	}
	for i := range 100 {
		want[api.DeviceRequest](t, ask(fmt.Sprintf("2001:db8:0:%x::%x", i/20, i)))
	}
	refused(t, ask("2001:db8:0:ff::"), api.CodeTooMany)
	want[api.DeviceRequest](t, ask("2001:db8:1::"))
	for _, c := range []struct {
		network, in, out string
		most             int
	}{
		{"3fff::/64", "3fff::1", "3fff:0:0:1::1", 20}, {"3fff:1::/48", "3fff:1:0:1::1", "3fff:1:1::1", 100}, {"3ffe::/32", "3ffe:0:2::1", "3ffd::1", 400}, {"::/0", "2a00::1", "192.0.2.1", 2000},
		{"192.0.2.3/32", "192.0.2.3", "192.0.2.4", 20}, {"192.0.3.0/24", "192.0.3.5", "192.0.4.5", 100}, {"192.1.0.0/16", "192.1.7.7", "192.2.7.7", 400}, {"0.0.0.0/0", "198.51.100.1", "", 2000},
	} {
		w.ok(w.store.Update(context.Background(), layout.Accounts, func(tx store.Tx) error {
			return layout.Put(tx, layout.DeviceRequestsKey(c.network), layout.Denials{Expires: w.clock.now().Unix() + api.DeviceRequestSeconds, Count: c.most - 1})
		}))
		want[api.DeviceRequest](t, ask(c.in))
		if got := ask(c.in); got.code() != api.CodeTooMany {
			t.Errorf("%s: %d and one more: %d", c.network, c.most, got.status)
		}
		if c.out != "" {
			want[api.DeviceRequest](t, ask(c.out))
		}
	}
	// Who comes from nowhere is one network.
	w.clock.advance(api.DeviceRequestSeconds * time.Second)
	for range 20 {
		want[api.DeviceRequest](t, ask("nowhere"))
	}
	refused(t, ask("nowhere else"), api.CodeTooMany)
}

// TestTwoAnswerAtOnce: of two devices that read one code, one answers.
func TestTwoAnswerAtOnce(t *testing.T) {
	w := newWorld(t)
	ada, mallory, n := w.founder(), w.founder(), w.newcomer()
	want[api.DeviceRequest](t, n.ask())
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[api.Code]int{}
	for _, p := range []*player{ada, mallory} {
		b := p.answers(n.keys.Request()).Bytes()
		wg.Go(func() {
			a, err := p.try("PUT", api.DeviceAnswerPath(n.code), api.TypeJSON, body(t, api.DeviceAnswer{Answer: b}), nil)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			codes[a.code()]++
		})
	}
	wg.Wait()
	if codes[""] != 1 || codes[api.CodeRequestTaken] != 1 {
		t.Fatalf("%v", codes)
	}
	answer, err := device.ParseAnswer(n.state().Answer)
	w.ok(err)
	if answer.Account != ada.account && answer.Account != mallory.account {
		t.Error(wire.ObjectID(answer.Account))
	}
}

package client

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/test/evilserver"
)

// TestEnrolDevice: a device that knows nothing shows a code, the old one reads it, both show the same words, and after two times yes
// the new one has the account. S-ENROL-04
func TestEnrolDevice(t *testing.T) {
	s := newStage(t)
	doc := s.ada.MustPut(s.matter, "Before.txt", []byte("before"))
	fresh := s.Person("Tablet")
	ctx := evilserver.Soon(t)
	shown, err := fresh.AskDevice(ctx)
	s.ok(err)
	if shown.URL != s.Origin+"/device#"+shown.Code || len(shown.Code) != 29 {
		t.Fatalf("%+v", shown)
	}
	if v, err := fresh.DeviceAsked(ctx); err != nil || v.State != client.DeviceWaiting || len(v.Words) != 0 {
		t.Fatalf("%+v %v", v, err)
	}
	if err := fresh.TakeDevice(ctx); !code(err, api.CodeWaiting) {
		t.Fatalf("got %v", err)
	}
	typed := strings.ToLower(strings.ReplaceAll(shown.Code, "-", " "))
	mistyped := "2" + typed[1:]
	if mistyped == typed {
		mistyped = "3" + typed[1:]
	}
	if _, err := s.ada.OpenDeviceCode(ctx, mistyped); !code(err, api.CodeCodeTypo) || client.FailureOf(err).Detail != "Group 1" {
		t.Fatalf("a typing error: %v", err)
	}
	if err := s.ada.GrantDevice(ctx); !code(err, api.CodeBadRequest) {
		t.Fatalf("granted what nobody compared: %v", err)
	}
	old, err := s.ada.OpenDeviceCode(ctx, typed)
	s.ok(err)
	again, err := s.ada.OpenDeviceCode(ctx, typed) // once more, as after a proof
	s.ok(err)
	asked, err := fresh.DeviceAsked(ctx)
	s.ok(err)
	if !slices.Equal(asked.Words, old.Words) || !slices.Equal(again.Words, old.Words) || asked.Name != "Ada" || asked.State != client.DeviceAnswered {
		t.Fatalf("%+v, and %+v", asked, old)
	}
	if err := fresh.TakeDevice(ctx); !code(err, api.CodeWaiting) {
		t.Fatalf("got %v", err)
	}
	if done, err := s.ada.DeviceDone(ctx); err == nil || done {
		t.Fatalf("%v %v", done, err)
	}
	s.ok(s.ada.GrantDevice(ctx))
	s.ok(s.ada.GrantDevice(ctx))
	s.ok(fresh.TakeDevice(ctx))
	if done, err := s.ada.DeviceDone(ctx); err != nil || !done {
		t.Fatalf("%v %v", done, err)
	}
	if got, err := fresh.Get(s.matter, doc); err != nil || string(got) != "before" {
		t.Errorf("%q %v", got, err)
	}
	if all := s.devices(s.ada); len(all) != 2 || all["Tablet"].Current || !all["Ada"].Current {
		t.Errorf("%+v", all)
	}
	if a, err := fresh.Account(); err != nil || a.Name != "Ada" {
		t.Errorf("%+v %v", a, err)
	}
	// No name went to the server, and the code no further than it must.
	for _, x := range s.Since(0) {
		if strings.Contains(string(x.Request.Body), `"Ada"`) {
			t.Errorf("%s %s tells a name", x.Method, x.Path)
		}
	}
}

// TestEnrolDeviceEnds: it is refused, expires, or is lost on the way, and nothing is left.
func TestEnrolDeviceEnds(t *testing.T) {
	s := newStage(t)
	ctx := evilserver.Soon(t)
	ask := func() (*evilserver.Person, client.DeviceCodeView) {
		fresh := s.Person("Tablet")
		v, err := fresh.AskDevice(ctx)
		s.ok(err)
		return fresh, v
	}
	fresh, v := ask()
	_, err := s.ada.OpenDeviceCode(ctx, v.Code)
	s.ok(err)
	s.ok(s.ada.RefuseDevice(ctx))
	s.ok(s.ada.RefuseDevice(ctx))
	if asked, err := fresh.DeviceAsked(ctx); err != nil || asked.State != client.DeviceRefused {
		t.Fatalf("%+v %v", asked, err)
	}
	if err := fresh.TakeDevice(ctx); !code(err, api.CodeRequestGone) || fresh.SignedIn() {
		t.Fatalf("got %v", err)
	}

	fresh, v = ask()
	s.Clock.Advance(api.DeviceRequestSeconds * time.Second)
	if _, err := fresh.DeviceAsked(ctx); !code(err, api.CodeRequestGone) {
		t.Fatalf("got %v", err)
	}
	if _, err := s.ada.OpenDeviceCode(ctx, v.Code); !code(err, api.CodeRequestGone) {
		t.Fatalf("got %v", err)
	}
	// The proof is old by now: a code alone grants nothing.
	fresh, v = ask()
	if _, err := s.ada.OpenDeviceCode(ctx, v.Code); !code(err, api.CodeProveAgain) {
		t.Fatalf("got %v", err)
	}
	s.ok(s.ada.ProveKit(ctx, s.ada.Kit()))
	_, err = s.ada.OpenDeviceCode(ctx, v.Code)
	s.ok(err)
	_, err = fresh.DeviceAsked(ctx)
	s.ok(err)
	// Answers that are lost change nothing.
	s.breaks(1, "PUT", api.RouteDeviceAnswer)
	s.ok(s.ada.GrantDevice(ctx))
	s.breaks(1, "POST", api.RouteSignIn)
	if err := fresh.TakeDevice(ctx); !code(err, api.CodeOffline) {
		t.Fatalf("got %v", err)
	}
	s.ok(fresh.TakeDevice(ctx))
	if err := fresh.Look(s.matter); err != nil {
		t.Error(err)
	}
	if _, err := fresh.AskDevice(ctx); !code(err, api.CodeNotAllowed) {
		t.Errorf("got %v", err)
	}
}

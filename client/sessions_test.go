package client

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
)

// TestLockWipesKeys: nothing that opens is left in the client, and the session stays on the server.
func TestLockWipesKeys(t *testing.T) {
	var events []Event
	var sent []string
	c := New(Config{Origin: "http://localhost", Device: newShelf(), Random: rand.Reader, Now: time.Now, Events: func(e Event) { events = append(events, e) },
		Transport: answerer(func(r Request) (Response, error) {
			sent = append(sent, r.Method+" "+r.Path)
			return refusal(api.CodeNotFound)
		})})
	c.Lock(LockAsked) // nobody is here
	if c.Locked() || len(events) != 0 {
		t.Fatal("locked without keys")
	}
	c.account = &account{id: wire.ObjectID{1}, root: testRoot(t), ring: keyring{Name: "Ada"}}
	c.matters[wire.ChainID{1}] = &matter{}
	during := c.ctx
	c.Lock(LockIdle)
	if c.account != nil || len(c.matters)+len(c.sessions)+len(c.transfers)+len(c.logs) != 0 || c.SignedIn() || !c.Locked() || during.Err() == nil {
		t.Fatal("something is left")
	}
	if _, ok := func() (wire.ObjectID, bool) { id, _, ok := c.Root(); return id, ok }(); ok {
		t.Error("the root is left")
	}
	if len(events) != 1 || events[0].Event != "locked" || events[0].Reason != LockIdle || len(sent) != 0 {
		t.Fatalf("%+v %v", events, sent)
	}
	if _, err := c.Sessions(context.Background()); !hasCode(err, api.CodeNotSignedIn) {
		t.Errorf("%v", err)
	}
	c.SignOut(context.Background()) // who is locked out may still sign out
	if len(sent) != 1 || sent[0] != "DELETE "+api.RouteAccountSession || c.Locked() {
		t.Errorf("%v", sent)
	}
	for _, r := range []LockReason{"", "x"} {
		if r.Valid() {
			t.Errorf("%q is a reason", r)
		}
	}
}

// TestEndedElsewhere: whose session was ended is signed out with the reason, and nothing is opened again by itself: two
// devices of one person would throw each other out for ever.
func TestEndedElsewhere(t *testing.T) {
	var events []Event
	tickets := 0
	c := New(Config{Origin: "http://localhost", Device: newShelf(), Random: rand.Reader, Now: time.Now, Events: func(e Event) { events = append(events, e) },
		Transport: answerer(func(r Request) (Response, error) {
			if r.Path == api.RouteTickets {
				tickets++
			}
			return refusal(api.CodeSessionEnded)
		})})
	c.account = &account{id: wire.ObjectID{1}, root: testRoot(t)}
	_, err := c.Sessions(context.Background())
	if !hasCode(err, api.CodeSessionEnded) || c.SignedIn() {
		t.Fatalf("%v", err)
	}
	if len(events) != 1 || events[0].Event != "signed-out" || events[0].Failure == nil || events[0].Failure.Code != api.CodeSessionEnded || tickets != 0 {
		t.Fatalf("%+v, %d tickets", events, tickets)
	}
}

// TestUnattended: what nobody caused says so, and what somebody did does not (S-SESSION-03).
func TestUnattended(t *testing.T) {
	var headers []string
	c := signedIn(t, answerer(func(r Request) (Response, error) {
		headers = append(headers, r.Header[api.HeaderIdle])
		now := time.Now().Unix()
		return answer(200, api.AccountSessions{Sessions: []api.AccountSession{{ID: wire.ObjectID{1}, Created: now, Expires: now + 100, Idle: 60, Method: "kit", Current: true}}})
	}), newShelf(), wire.ObjectID{1}, testRoot(t))
	ctx := context.Background()
	_, err := c.Sessions(ctx)
	must(t, err)
	_, err = c.Sessions(Unattended(ctx))
	must(t, err)
	v, err := c.Timeouts(ctx) // it counts, and is no use
	must(t, err)
	if strings.Join(headers, ",") != ",1,1" {
		t.Errorf("%q", headers)
	}
	if v.Idle != 60_000 || v.Absolute != 100_000 {
		t.Errorf("%+v", v)
	}
	// The strictest firm counts.
	c.lasts[wire.ChainID{1}] = api.Opened{Idle: 30, Absolute: 50, Expires: time.Now().Unix() + 10}
	if v, err = c.Timeouts(ctx); err != nil || v.Idle != 30_000 || v.Absolute != 50_000 || v.EndsAt > time.Now().UnixMilli()+10_000 {
		t.Errorf("%+v %v", v, err)
	}
	r := mark(Unattended(ctx), Request{Header: map[string]string{"A": "b"}})
	if r.Header["A"] != "b" || r.Header[api.HeaderIdle] != "1" {
		t.Errorf("%v", r.Header)
	}
}

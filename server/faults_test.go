package server_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/server/blob/memblob"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/faultstore"
	"github.com/underseal/underseal/server/store/memstore"
)

// TestFaults makes every single write of the story fail, in each of the three ways a write fails, and sends the same
// request again, as a client does that got no answer. The second answer is the one that the first would have been, and
// the store ends as it would have. S-LOG-10
func TestFaults(t *testing.T) {
	for _, fault := range []faultstore.Fault{faultstore.Refuse, faultstore.Discard, faultstore.Lose} {
		t.Run(fmt.Sprint(fault), func(t *testing.T) {
			// Without a fault the loop has run past the last write.
			for n := int64(1); faultedStory(t, n, fault); n++ {
				if n > 200 {
					t.Fatal("the story does not end")
				}
			}
		})
	}
}

// faultedStory reports whether the fault was met.
func faultedStory(t *testing.T, n int64, fault faultstore.Fault) bool {
	t.Helper()
	armed := false
	var faults *faultstore.Store
	plan := func(i int64, _ string) faultstore.Fault {
		if armed && i == n {
			return fault
		}
		return faultstore.None
	}
	w := newWorldOn(t, func(hook store.Hook) store.Store {
		faults = faultstore.New(memstore.New(hook), plan)
		return faults
	}, memblob.New(), nil)
	met := false
	// send does a request again for as long as the server says that it may be.
	send := func(do func() answer) answer {
		t.Helper()
		a := do()
		for range 3 {
			if a.code() != api.CodeUnavailable {
				return a
			}
			met = true
			a = do()
		}
		return a
	}
	ada, secret := w.player(), w.setup()
	armed = true
	reply := want[api.EnrolReply](t, send(func() answer { return ada.json("POST", api.RouteEnrolments, api.EnrolRequest{Setup: secret}) }))
	finished := send(func() answer { return ada.finish(reply) })
	if finished.code() == api.CodeSignInFailed && fault == faultstore.Lose && met {
		// The account is made, and its enrolment over: signing in is what is left to do.
		finished = send(ada.signIn)
	}
	if ring := want[api.Account](t, finished); ring.Revision != 1 {
		t.Fatalf("write %d: %+v", n, ring)
	}
	ring := want[api.Account](t, send(func() answer {
		return ada.json("PUT", api.RouteKeyring, api.PutKeyring{Revision: 1, Keyring: []byte("second"), Signature: ed25519.Sign(ada.ring, api.KeyringMessage(ada.account, 2, []byte("second")))})
	}))
	if ring.Revision != 2 || string(ring.Keyring) != "second" {
		t.Fatalf("write %d: keyring %+v", n, ring)
	}
	found, _ := ada.foundRequest(secret, *reply.Log)
	want[api.ChainHead](t, send(func() answer { return ada.json("POST", api.RouteFirms, found) }))
	send(func() answer { // a ticket is one try's
		ticket := send(func() answer { return ada.json("POST", api.RouteTickets, api.TicketRequest{Firm: ada.firm}) })
		return ada.json("POST", api.Firm(ada.firm)+"/sessions", ada.sessionRequest(want[api.Ticket](t, ticket).Ticket))
	})

	sub, id, k, err := chain.Found(ada.author, chain.Charter{Kind: chain.KindCompartment, Firm: ada.firm}, "Doe v. Roe", "Ada")
	w.ok(err)
	want[api.ChainHead](t, send(func() answer { return ada.send(api.Firm(ada.firm)+"/chains", sub) }))
	state, err := chain.Start(id, sub.Entry, chain.KeySet{1: k})
	w.ok(err)
	m := &matter{player: ada, id: id, state: state}
	add := func(sub chain.Submission) {
		t.Helper()
		head := want[api.ChainHead](t, send(func() answer { return m.send(m.path()+"/entries", sub) }))
		w.ok(m.state.Apply(sub.Entry))
		if head.Position != m.state.Position || head.Head != m.state.Head {
			t.Fatalf("write %d: head %+v", n, head)
		}
	}
	f := m.newFile(newID(t), 100)
	want[api.Upload](t, send(func() answer { return m.beginUpload(f) }))
	want[struct{}](t, send(func() answer { return m.putChunk(f, 0) }))
	add(m.commit(f))
	release := m.releaseOf(f)
	want[api.ChainHead](t, send(func() answer { return m.send(m.path()+"/trail", release) }))
	// The first time, the auditors are told before a byte leaves: that is a write.
	if got := send(func() answer { return m.body(f, "") }); len(got.body) != len(f.body) {
		t.Fatalf("write %d: body %d", n, got.status)
	}
	rotate, next := m.rotation()
	m.state.AddKeys(next)
	add(rotate)
	// Another root, and new keys for the seats.
	begun := want[api.SignInReply](t, send(func() answer { return ada.json("POST", api.RouteSignIns, struct{}{}) }))
	root := ada.newRootOver(begun, 2, newKey(t), newKey(t))
	if got := want[api.Account](t, send(func() answer { return ada.json("POST", api.RouteRoot, root) })); got.Revision != 3 || len(got.Vault) != 1 {
		t.Fatalf("write %d: %+v", n, got)
	}
	reopen := func() {
		t.Helper()
		want[struct{}](t, send(func() answer { // a ticket is one try's
			ticket := send(func() answer { return ada.json("POST", api.RouteTickets, api.TicketRequest{Firm: ada.firm}) })
			return ada.json("POST", api.Firm(ada.firm)+"/sessions", ada.sessionRequest(want[api.Ticket](t, ticket).Ticket))
		}))
	}
	reopen()
	identity, link := ada.nextKeys(ada.directoryLinks()...)
	ada.linked(send(func() answer { return ada.putKeys(link) }), link)
	ada.author.Former, ada.author.Identity = []*keys.Identity{ada.author.Identity}, identity
	m.author = ada.author
	reopen()
	renewal, err := m.state.Renew(m.author, link)
	w.ok(err)
	add(renewal)
	rotate, next = m.rotation()
	m.state.AddKeys(next)
	add(rotate)
	gone, err := m.state.Batch(m.author, []chain.Change{{Kind: chain.OpDelete, Document: f.change.Document}})
	w.ok(err)
	add(gone)
	armed = false
	fresh := ada.replay(id)
	if fresh.state.Root() != m.state.Root() || fresh.state.Position != m.state.Position {
		t.Fatalf("write %d: another state", n)
	}
	trail, err := chain.ParseEntries(m.get(m.path() + "/trail?from=0").body)
	if err != nil || len(trail) != 1 {
		t.Fatalf("write %d: %d releases", n, len(trail))
	}
	return met || n < faults.Updates()
}

// TestAnErrorSaysNothingElse: what fails below is told as a code and a sentence.
func TestAnErrorSaysNothingElse(t *testing.T) {
	broken := errors.New("SECRET " + "detail of a disk")
	w := newWorldOn(t, memory, &failing{Store: memblob.New(), puts: broken}, nil)
	m := w.founder().matter()
	f := m.newFile(newID(t), 100)
	want[api.Upload](t, m.beginUpload(f))
	got := m.putChunk(f, 0)
	refused(t, got, api.CodeInternal)
	var e map[string]any
	w.ok(json.Unmarshal(got.body, &e))
	if len(e) != 2 || e["message"] != "Something is wrong with the server." {
		t.Fatalf("%s", got.body)
	}
}

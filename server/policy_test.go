package server_test

import (
	"bytes"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server"
	"github.com/underseal/underseal/server/blob/memblob"
)

// rule signs the firm's policy, which is changed from the defaults.
func (p *player) rule(change func(*chain.Policy)) {
	p.t.Helper()
	f := p.replay(p.firm)
	rules := chain.DefaultPolicy()
	change(&rules)
	sub, err := f.state.SetPolicy(p.author, rules)
	p.ok(err)
	f.append(sub)
}

// from is the header of a request that the proxy says came from an address.
func from(address string) map[string]string { return map[string]string{proxied: address} }

const proxied = "X-Forwarded-For"

func newProxiedWorld(t *testing.T) *world {
	return newWorldOn(t, memory, memblob.New(), func(c *server.Config) { c.AddressHeader = proxied })
}

// TestPolicyTimes: S-SESSION-05. The firm's times hold from the next request on, for whoever is in already, and no ticket of
// a session that the firm would have ended leads back in.
func TestPolicyTimes(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	clara := ada.matter().join(chain.RoleClient).player
	w.clock.advance(6 * time.Minute)
	ada.rule(func(p *chain.Policy) { p.Idle, p.Absolute = 5, 30 })
	refused(t, clara.look(ada.firm), api.CodeNotSignedIn) // six minutes unused
	// Her account is signed in, by the server's own times; only what a person does opens the firm.
	ticket := want[api.Ticket](t, clara.do("POST", api.RouteTickets, api.TypeJSON, body(t, api.TicketRequest{Firm: ada.firm}), map[string]string{api.HeaderIdle: "1"})).Ticket
	refused(t, clara.json("POST", api.Firm(ada.firm)+"/sessions", clara.sessionRequest(ticket)), api.CodeNotSignedIn)
	opened := want[api.Opened](t, clara.json("POST", api.Firm(ada.firm)+"/sessions", clara.sessionRequest(clara.ticket())))
	if opened.Idle != 300 || opened.Absolute != 1800 || opened.Expires > w.clock.now().Unix()+24*60 {
		t.Errorf("%+v", opened)
	}
	for range 5 {
		w.clock.advance(4*time.Minute + 30*time.Second)
		want[api.Chains](t, clara.look(ada.firm))
	}
	w.clock.advance(2 * time.Minute) // half an hour since she signed in
	refused(t, clara.look(ada.firm), api.CodeNotSignedIn)
	refused(t, clara.json("POST", api.Firm(ada.firm)+"/sessions", clara.sessionRequest(clara.ticket())), api.CodeNotSignedIn)
	want[api.Account](t, clara.signIn())
	clara.open()
	// A firm may also allow more than the server does by itself.
	want[api.Account](t, ada.signIn())
	ada.open()
	ada.rule(func(p *chain.Policy) { p.Idle, p.Absolute = 480, 1440 })
	clara.open()
	w.clock.advance(7 * time.Hour)
	want[api.Chains](t, clara.look(ada.firm))
	want[api.Account](t, clara.get(api.RouteAccount))
	w.clock.advance(7 * time.Hour)
	want[api.Chains](t, clara.look(ada.firm))
	want[api.Account](t, clara.get(api.RouteAccount))
}

// TestOneSession: S-SESSION-05. Of a member's sign-ins the newest stays in the firm. The older one is told why, and so are
// the auditors; other firms and the same browser are left alone.
func TestOneSession(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	second := ada.secondFirm()
	ada.rule(func(p *chain.Policy) { p.OneSession = true })
	other := ada.elsewhere()
	other.open()
	refused(t, ada.look(ada.firm), api.CodeSessionEnded)
	want[api.Chains](t, ada.look(second))
	want[api.Chains](t, other.look(ada.firm))
	other.open() // a second tab
	want[api.Chains](t, other.look(ada.firm))
	ended := kinds(other.events(ada.firm), chain.EventSessionEnded, ada.author.Member)
	if len(ended) != 1 || ended[0].Detail != "one-session" {
		t.Errorf("auditors are told %+v", ended)
	}
	// Two that race: one of them stays.
	for range 20 {
		w.clock.advance(5 * time.Second) // so many sessions a minute are let in
		players := []*player{ada.elsewhere(), ada.elsewhere()}
		requests := []api.OpenSession{players[0].sessionRequest(players[0].ticket()), players[1].sessionRequest(players[1].ticket())}
		var wait sync.WaitGroup
		for i, p := range players {
			b := body(t, requests[i])
			wait.Add(1)
			go func() {
				defer wait.Done()
				if a, err := p.try("POST", api.Firm(p.firm)+"/sessions", api.TypeJSON, b, nil); err != nil || a.status != 200 {
					t.Errorf("%v %d %s", err, a.status, a.body)
				}
			}()
		}
		wait.Wait()
		answers := []api.Code{players[0].look(ada.firm).code(), players[1].look(ada.firm).code()}
		slices.Sort(answers)
		if !slices.Equal(answers, []api.Code{"", api.CodeSessionEnded}) {
			t.Fatalf("%q", answers)
		}
	}
}

// TestNetworks: S-SESSION-05 S-SESSION-06. A cookie that is used from elsewhere is refused, and the firm's auditors are told.
func TestNetworks(t *testing.T) {
	w := newProxiedWorld(t)
	ada := w.founder()
	f := ada.replay(ada.firm)
	rules := chain.DefaultPolicy()
	rules.Networks = []string{"192.0.2.0/24", "2001:db8::/32"}
	sub, err := f.state.SetPolicy(ada.author, rules)
	w.ok(err)
	send := func(address string) answer {
		return ada.do("POST", api.Seen(f.path()+"/entries", ada.logs.seen(ada.firm).Size), api.TypeBinary, bytes.NewReader(sub.Bytes()), from(address))
	}
	// Nobody shuts himself out.
	refused(t, send("198.51.100.7"), api.CodeNotFromHere)
	refused(t, send("unknown"), api.CodeNotFromHere)
	want[api.ChainHead](t, send("192.0.2.9"))

	chains := api.Firm(ada.firm) + "/chains"
	for address, in := range map[string]bool{"192.0.2.9": true, "203.0.113.1, 192.0.2.9": true, "2001:db8::5": true, "::ffff:192.0.2.9": true,
		"198.51.100.7": false, "192.0.2.9, 198.51.100.7": false, "": false, "192.0.2.9:80": false, "192.0.2.9,": false} {
		a := ada.do("GET", chains, "", nil, from(address))
		if in != (a.status == 200) || (!in && (a.code() != api.CodeNotFromHere || a.status != 403)) {
			t.Errorf("from %q: %d %s", address, a.status, a.body)
		}
	}
	refused(t, ada.get(chains), api.CodeNotFromHere) // no header at all
	ticket := ada.ticket()
	req := ada.sessionRequest(ticket)
	refused(t, ada.do("POST", api.Firm(ada.firm)+"/sessions", api.TypeJSON, body(t, req), from("198.51.100.7")), api.CodeNotFromHere)
	req = ada.sessionRequest(ada.ticket())
	want[api.Opened](t, ada.do("POST", api.Firm(ada.firm)+"/sessions", api.TypeJSON, body(t, req), from("192.0.2.9")))
	// Who has no session learns nothing of where from.
	refused(t, w.player().do("GET", chains, "", nil, from("198.51.100.7")), api.CodeNotSignedIn)

	ada.always = from("192.0.2.9")
	if denied := kinds(ada.events(ada.firm), chain.EventDenied, ada.author.Member); len(denied) < 3 || denied[2].Detail != "not-from-here GET "+api.RouteChains {
		t.Errorf("auditors are told %+v", denied)
	}
}

// TestAddressWithoutProxy: where no proxy is named, nobody says by a header where he is.
func TestAddressWithoutProxy(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	ada.rule(func(p *chain.Policy) { p.Networks = []string{"127.0.0.0/8", "::1/128"} })
	want[api.Chains](t, ada.look(ada.firm))
	want[api.Chains](t, ada.do("GET", api.Firm(ada.firm)+"/chains", "", nil, from("198.51.100.7")))
	f := ada.replay(ada.firm)
	rules := chain.DefaultPolicy()
	rules.Networks = []string{"198.51.100.0/24"}
	sub, err := f.state.SetPolicy(ada.author, rules)
	w.ok(err)
	a := ada.do("POST", api.Seen(f.path()+"/entries", 0), api.TypeBinary, bytes.NewReader(sub.Bytes()), from("198.51.100.7"))
	refused(t, a, api.CodeNotFromHere)
}

// TestPoliciesTheServerRefuses: S-POLICY-01. By who owns no seat that may, or in a matter, nothing changes.
func TestPoliciesTheServerRefuses(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	f, m := ada.replay(ada.firm), ada.matter()
	paul := f.join(chain.RoleParalegal)
	clara := m.join(chain.RoleClient)
	rules := chain.DefaultPolicy()
	rules.Idle = 480
	// Each lies to himself about who he is, or where.
	forged := func(m *matter, as wire.ObjectID) chain.Submission {
		state := m.state.Clone()
		state.Charter.Kind = chain.KindFirm
		me := *state.Members[as]
		me.Role = chain.RoleOwner
		state.Members[as] = &me
		sub, err := state.SetPolicy(m.author, rules)
		w.ok(err)
		return sub
	}
	refused(t, paul.send(f.path()+"/entries", forged(paul, paul.author.Member)), api.CodeForbidden)
	refused(t, clara.send(m.path()+"/entries", forged(clara, clara.author.Member)), api.CodeForbidden)
	m = m.player.replay(m.id)
	refused(t, m.send(m.path()+"/entries", forged(m, ada.author.Member)), api.CodeBadRequest) // her own matter is not the firm
	refused(t, clara.send(f.path()+"/entries", forged(clara, clara.author.Member)), api.CodeNotFound)
	w.clock.advance(14 * time.Minute)
	want[api.Chains](t, clara.look(ada.firm))
	w.clock.advance(15 * time.Minute)
	refused(t, clara.look(ada.firm), api.CodeNotSignedIn)
}

package server_test

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// elsewhere is the same person, signed in with another browser.
func (p *player) elsewhere() *player {
	p.t.Helper()
	q := &player{world: p.world, cookies: map[string]string{}, account: p.account, login: p.login, ring: p.ring, author: p.author, seed: p.seed, firm: p.firm}
	want[api.Account](p.t, q.signIn())
	return q
}

// secondFirm founds one more firm with the same account, and opens a session in it.
func (p *player) secondFirm() wire.ChainID {
	p.t.Helper()
	secret, first := p.setup(), p.firm
	reply := want[api.EnrolReply](p.t, p.json("POST", api.RouteEnrolments, api.EnrolRequest{Setup: secret}))
	req, _ := p.foundRequest(secret, *reply.Log)
	want[api.ChainHead](p.t, p.json("POST", api.RouteFirms, req))
	p.open()
	second := p.firm
	p.firm = first
	return second
}

func (p *player) sessions() []api.AccountSession {
	p.t.Helper()
	return want[api.AccountSessions](p.t, p.get(api.RouteAccountSessions)).Sessions
}

func (p *player) current() api.AccountSession {
	p.t.Helper()
	list := p.sessions()
	return list[slices.IndexFunc(list, func(s api.AccountSession) bool { return s.Current })]
}

func (p *player) endSession(id wire.ObjectID) answer {
	p.t.Helper()
	return p.do("DELETE", api.RouteAccountSessions+"/"+id.String(), "", nil, nil)
}

// look is a request in a firm.
func (p *player) look(firm wire.ChainID) answer {
	p.t.Helper()
	return p.get(api.Firm(firm) + "/chains")
}

// poll is the same, that nobody caused.
func (p *player) poll(path string) answer {
	p.t.Helper()
	return p.do("GET", path, "", nil, map[string]string{api.HeaderIdle: "1"})
}

// TestEndedSessions: S-SESSION-04. A session that its owner ends is at an end at once, in every firm; who holds it is told
// that it was ended, for an hour, and the auditors are told who.
func TestEndedSessions(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	second := ada.secondFirm()
	lost := ada.elsewhere()
	for _, firm := range []wire.ChainID{ada.firm, second} {
		lost.firm = firm
		lost.open()
		want[api.Chains](t, lost.look(firm))
	}
	lost.firm = ada.firm
	id := lost.current().ID
	if list := ada.sessions(); len(list) != 2 || list[0].Method != "passphrase" || list[0].ID == list[1].ID || list[0].Current == list[1].Current {
		t.Fatalf("%+v", list)
	}
	w.clock.advance(api.ProofSeconds * time.Second)
	eve := ada.thief() // a cookie alone ends nobody's sessions but the one it is
	refused(t, eve.endSession(id), api.CodeProveAgain)
	refused(t, eve.do("DELETE", api.RouteAccountSessions, "", nil, nil), api.CodeProveAgain)
	stranger := w.founder()
	refused(t, stranger.endSession(id), api.CodeNotFound)
	refused(t, stranger.endSession(newID(t)), api.CodeNotFound)
	want[api.Chains](t, lost.look(ada.firm))

	want[api.Account](t, ada.showFactor(ada))
	ticket := lost.ticket()
	want[struct{}](t, ada.endSession(id))
	want[struct{}](t, ada.endSession(id)) // again
	for range 2 {
		for path, a := range map[string]answer{"account": lost.get(api.RouteAccount), "first": lost.look(ada.firm), "second": lost.look(second)} {
			if a.code() != api.CodeSessionEnded || a.status != 401 {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
		}
	}
	refused(t, lost.json("POST", api.Firm(lost.firm)+"/sessions", lost.sessionRequest(ticket)), api.CodeSessionEnded)
	refused(t, lost.json("POST", api.RouteTickets, api.TicketRequest{Firm: ada.firm}), api.CodeSessionEnded)
	for _, firm := range []wire.ChainID{ada.firm, second} {
		want[api.Chains](t, ada.look(firm))
		from := *ada
		from.firm = firm
		if ended := kinds(from.events(firm), chain.EventSessionEnded, ada.author.Member); len(ended) != 1 || ended[0].Detail != "revoked" {
			t.Fatalf("auditors are told %+v", ended)
		}
	}
	if list := ada.sessions(); len(list) != 1 || !list[0].Current {
		t.Fatalf("%+v", list)
	}
	w.clock.advance(14 * time.Minute)
	want[api.Account](t, ada.get(api.RouteAccount))
	w.clock.advance(46 * time.Minute)
	refused(t, lost.get(api.RouteAccount), api.CodeNotSignedIn)
	refused(t, lost.look(ada.firm), api.CodeNotSignedIn)
}

// TestEndOthers: all but this one.
func TestEndOthers(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	a, b := ada.elsewhere(), ada.elsewhere()
	a.open()
	b.open()
	want[struct{}](t, b.do("DELETE", api.RouteAccountSessions, "", nil, nil))
	refused(t, a.look(ada.firm), api.CodeSessionEnded)
	refused(t, ada.look(ada.firm), api.CodeSessionEnded)
	want[api.Chains](t, b.look(ada.firm))
	if list := b.sessions(); len(list) != 1 {
		t.Fatalf("%+v", list)
	}
}

// TestSignOutEndsTheFirms: who signs out is signed out everywhere that he went from there.
func TestSignOutEndsTheFirms(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	other := ada.elsewhere()
	other.open()
	left := ada.thief()
	want[struct{}](t, ada.endSession(ada.current().ID))
	if len(ada.cookies) != 1 {
		t.Errorf("cookies stay: %v", slices.Collect(maps.Keys(ada.cookies)))
	}
	refused(t, left.get(api.RouteAccount), api.CodeNotSignedIn)
	refused(t, left.look(ada.firm), api.CodeNotSignedIn)
	want[api.Chains](t, other.look(ada.firm))
}

// TestPollsKeepNothingAlive: S-SESSION-03. A page that nobody looks at asks on, and its session ends all the same, in the
// firm as well; nor does it come back by a ticket that a poll asked for.
func TestPollsKeepNothingAlive(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	firm := api.Firm(ada.firm) + "/chains"
	for range 14 {
		w.clock.advance(time.Minute)
		want[api.Chains](t, ada.poll(firm))
		want[api.Account](t, ada.poll(api.RouteAccount))
	}
	ticket := want[api.Ticket](t, ada.do("POST", api.RouteTickets, api.TypeJSON, body(t, api.TicketRequest{Firm: ada.firm}), map[string]string{api.HeaderIdle: "1"})).Ticket
	want[api.Opened](t, ada.json("POST", api.Firm(ada.firm)+"/sessions", ada.sessionRequest(ticket))) // it is the old time that counts in it
	want[api.Chains](t, ada.poll(firm))
	late := want[api.Ticket](t, ada.do("POST", api.RouteTickets, api.TypeJSON, body(t, api.TicketRequest{Firm: ada.firm}), map[string]string{api.HeaderIdle: "1"})).Ticket
	w.clock.advance(59 * time.Second)
	want[api.Chains](t, ada.poll(firm))
	w.clock.advance(time.Second)
	refused(t, ada.poll(firm), api.CodeNotSignedIn)
	refused(t, ada.look(ada.firm), api.CodeNotSignedIn)
	refused(t, ada.get(api.RouteAccount), api.CodeNotSignedIn)
	refused(t, ada.json("POST", api.Firm(ada.firm)+"/sessions", ada.sessionRequest(late)), api.CodeNotSignedIn)

	// What a person does in a firm keeps the account's session alive, and the other way round it does not.
	bea := w.founder()
	for range 8 {
		w.clock.advance(10 * time.Minute)
		want[api.Chains](t, bea.look(bea.firm))
	}
	want[api.Account](t, bea.get(api.RouteAccount))
	for range 2 {
		w.clock.advance(10 * time.Minute)
		want[api.Account](t, bea.get(api.RouteAccount))
	}
	refused(t, bea.look(bea.firm), api.CodeNotSignedIn)
	bea.open()
	// And at its absolute end nothing helps.
	for range 61 {
		w.clock.advance(10 * time.Minute)
		want[api.Chains](t, bea.look(bea.firm))
	}
	refused(t, func() answer { w.clock.advance(10 * time.Minute); return bea.look(bea.firm) }(), api.CodeNotSignedIn)
	refused(t, bea.get(api.RouteAccount), api.CodeNotSignedIn)
}

// TestSignInAgain: a browser that signs in again, as after a lock, has one session and not two; its old token is none.
func TestSignInAgain(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	before, id := ada.thief(), ada.current().ID
	want[api.Account](t, ada.signIn())
	if list := ada.sessions(); len(list) != 1 || list[0].ID != id {
		t.Fatalf("%+v", list)
	}
	refused(t, before.get(api.RouteAccount), api.CodeNotSignedIn)
	want[api.Chains](t, ada.look(ada.firm))
	// Another person in the same browser takes nothing over.
	eve := w.founder()
	eve.cookies["__Host-underseal-account"] = ada.cookies["__Host-underseal-account"]
	want[api.Account](t, eve.signIn())
	if list := ada.sessions(); len(list) != 1 || list[0].ID != id || eve.current().ID == id {
		t.Fatalf("%+v", list)
	}
	// A session that was ended is not gone on with.
	lost := ada.elsewhere()
	ended := lost.current().ID
	want[struct{}](t, ada.endSession(ended))
	want[api.Account](t, lost.signIn())
	if lost.current().ID == ended {
		t.Error("an ended session came back")
	}
}

// TestEndedWhileItEnters: whatever comes first, a session that is being ended leaves none in a firm.
func TestEndedWhileItEnters(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	for range 40 {
		w.clock.advance(3 * time.Second) // a member opens so many a minute, and no more
		lost := ada.elsewhere()
		id, ticket := lost.current().ID, lost.ticket()
		req := lost.sessionRequest(ticket)
		var wait sync.WaitGroup
		wait.Add(2)
		go func() {
			defer wait.Done()
			b := body(t, req)
			a, err := lost.try("POST", api.Firm(lost.firm)+"/sessions", api.TypeJSON, b, nil)
			if err != nil || (a.status != 200 && a.code() != api.CodeSessionEnded) {
				t.Errorf("%v %d %s", err, a.status, a.body)
			}
		}()
		go func() {
			defer wait.Done()
			if a, err := ada.try("DELETE", api.RouteAccountSessions+"/"+id.String(), "", nil, nil); err != nil || a.status != 204 {
				t.Errorf("%v %d %s", err, a.status, a.body)
			}
		}()
		wait.Wait()
		if a := lost.look(ada.firm); a.status != 401 {
			t.Fatalf("an ended session reads on: %d", a.status)
		}
	}
}

// TestSessionsAreSweptAway: what ended leaves no row.
func TestSessionsAreSweptAway(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	for range 3 {
		lost := ada.elsewhere()
		lost.open()
	}
	want[struct{}](t, ada.do("DELETE", api.RouteAccountSessions, "", nil, nil))
	w.clock.advance(13 * time.Hour)
	want[api.Account](t, ada.signIn())
	for range 3 {
		ada.open()
	}
	rows := countRows(t, w, "session/", "sessions-of/", "session-of/")
	if rows["session/"] > 4 || rows["sessions-of/"] != 1 || rows["session-of/"] > 3 {
		t.Fatalf("%v", rows)
	}
}

// TestFailedSignIns: S-EVENT-07. The auditors of each of an account's firms are told that somebody failed to sign in to it, or
// to enter the firm with it: up to a bound, and nothing of who is not known.
func TestFailedSignIns(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	second := ada.secondFirm()
	key := newAuthenticator(t)
	begun, _ := ada.beginPasskey()
	want[api.Account](t, ada.finishPasskey(key, begun, true))
	key.user = ada.account[:]
	in := func(firm wire.ChainID) *player {
		q := *ada
		q.firm = firm
		return &q
	}
	told := func(details ...string) {
		t.Helper()
		for _, firm := range []wire.ChainID{ada.firm, second} {
			var got []string
			for _, e := range kinds(in(firm).events(firm), chain.EventSignInFailed, ada.author.Member) {
				got = append(got, e.Detail)
			}
			if !slices.Equal(got, details) {
				t.Errorf("auditors are told %q", got)
			}
		}
	}
	fails := func(answer func(challenge []byte) api.SignInFinish) {
		t.Helper()
		s := want[api.SignInReply](t, w.player().json("POST", api.RouteSignIns, struct{}{}))
		req := answer(s.Challenge)
		for range 2 { // a challenge counts once
			refused(t, w.player().json("POST", "/v1/sign-ins/"+s.SignIn.String(), req), api.CodeSignInFailed)
		}
	}
	wrongLogin := func(challenge []byte) api.SignInFinish {
		p := ada.proof(challenge)
		p.Signature[3] ^= 1
		return api.SignInFinish{Login: p}
	}
	passkey := func(change func(*authenticator)) func([]byte) api.SignInFinish {
		return func(challenge []byte) api.SignInFinish {
			b := *key
			b.count += 100
			change(&b)
			return api.SignInFinish{Credential: b.get(t, challenge)}
		}
	}
	fails(func(challenge []byte) api.SignInFinish { return api.SignInFinish{Login: w.player().proof(challenge)} }) // nobody's
	fails(passkey(func(a *authenticator) { id := newID(t); a.user = id[:] }))
	fails(passkey(func(a *authenticator) { a.user = nil }))
	told()
	fails(wrongLogin)
	fails(passkey(func(a *authenticator) { a.key = newAuthenticator(t).key }))
	fails(passkey(func(a *authenticator) { a.flags = 0x01 }))
	told("passphrase", "passkey", "passkey")
	// A thief of the cookie who tries to show a factor.
	s := want[api.SignInReply](t, ada.json("POST", api.RouteSignIns, struct{}{}))
	refused(t, ada.json("POST", api.RouteProofs, api.Prove{SignIn: s.SignIn, Login: wrongLogin(s.Challenge).Login}), api.CodeSignInFailed)
	told("passphrase", "passkey", "passkey", "passphrase")
	for range 9 {
		fails(wrongLogin)
	}
	more := []string{"passphrase", "passkey", "passkey", "passphrase", "passphrase", "passphrase", "passphrase", "passphrase", "passphrase", "passphrase, and no more are recorded for a minute"}
	told(more...)
	w.clock.advance(time.Minute)
	fails(wrongLogin)
	told(append(more, "passphrase")...)
	want[api.Account](t, ada.signIn())
}

// TestFailedEntries: who comes into a firm with a wrong certificate, or as somebody else, is told of as well, in that firm.
func TestFailedEntries(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	ada.secondFirm()
	clara := ada.matter().join(chain.RoleClient).player
	sessions := api.Firm(ada.firm) + "/sessions"
	told := func(member wire.ObjectID, n int) {
		t.Helper()
		got := kinds(ada.events(ada.firm), chain.EventSignInFailed, member)
		if len(got) != n || n > 0 && got[0].Detail != "session" {
			t.Errorf("auditors are told %+v", got)
		}
	}
	bad := clara.sessionRequest(clara.ticket())
	bad.Certificate[9] ^= 1
	refused(t, clara.json("POST", sessions, bad), api.CodeForbidden)
	told(clara.author.Member, 1)
	as := clara.sessionRequest(clara.ticket())
	as.Member = ada.author.Member
	refused(t, clara.json("POST", sessions, as), api.CodeForbidden)
	told(clara.author.Member, 2)
	told(ada.author.Member, 0)
	refused(t, clara.json("POST", sessions, as), api.CodeNotSignedIn) // its ticket was used up
	told(clara.author.Member, 2)
	stranger := w.founder()
	stranger.firm = ada.firm
	refused(t, stranger.json("POST", sessions, stranger.sessionRequest(stranger.ticket())), api.CodeForbidden)
	told(wire.ObjectID{}, 1)
	for range 12 {
		refused(t, stranger.json("POST", sessions, stranger.sessionRequest(stranger.ticket())), api.CodeForbidden)
	}
	told(wire.ObjectID{}, 10)
	clara.open()
}

// TestManySessions: S-SESSION-10. A member opens so many sessions a minute and no more: each is told to the auditors, and fills the log.
func TestManySessions(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	clara := ada.matter().join(chain.RoleClient).player
	sessions := api.Firm(ada.firm) + "/sessions"
	for range 59 { // she opened one
		clara.open()
	}
	before := len(ada.events(ada.firm))
	a := clara.json("POST", sessions, clara.sessionRequest(clara.ticket()))
	refused(t, a, api.CodeUnavailable)
	if n := len(ada.events(ada.firm)); n != before {
		t.Errorf("%d events of a session that was not opened", n-before)
	}
	want[api.Chains](t, clara.look(ada.firm)) // the last goes on
	ada.open()
	w.clock.advance(time.Minute)
	clara.open()
}

// TestManySignIns: S-SESSION-10. What shows one factor signs in so often a minute and no more. Who shows another does, and every
// session goes on.
func TestManySignIns(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	key := newAuthenticator(t)
	begun, _ := ada.beginPasskey()
	want[api.Account](t, ada.finishPasskey(key, begun, true))
	key.user = ada.account[:]
	w.clock.advance(time.Minute)
	for range 60 {
		ada.elsewhere()
	}
	q := &player{world: w, cookies: map[string]string{}, account: ada.account, login: ada.login, ring: ada.ring}
	refused(t, q.signIn(), api.CodeUnavailable)
	if n := len(ada.sessions()); n != 61 {
		t.Errorf("%d sessions", n)
	}
	q.signInPasskey(key)
	w.clock.advance(time.Minute)
	ada.elsewhere()
	want[api.Chains](t, ada.look(ada.firm))
}

// TestClockIsBehind: whose device signs sessions that are over already is told to look at its clock, and not that his program is
// of another version.
func TestClockIsBehind(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	behind := ada.sessionRequest(ada.ticket())
	behind.Expires = uint64(w.clock.now().Unix())
	refused(t, ada.json("POST", api.Firm(ada.firm)+"/sessions", behind), api.CodeClock)
	ada.open()
}

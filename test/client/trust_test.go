package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/test/evilserver"
)

// TestALieClosesTheMatter: S-CLIENT-02. It is no fault of the network, it is kept, and honest answers open nothing again.
func TestALieClosesTheMatter(t *testing.T) {
	s := newStage(t)
	doc := s.ada.MustPut(s.matter, "a.txt", []byte("a"))
	other := s.ada.NewMatter("In re Poe")
	s.ada.Beware()
	evilserver.TwistJSON(s.World, "GET", api.RouteChain, func(h *api.ChainHead) {
		if h.Chain == s.matter {
			h.Head[0]++
		}
	})
	_, err := s.ada.Get(s.matter, doc)
	s.ada.Refused(err, chain.ErrOrder) // ends the lies
	s.ada.Closed(s.matter)
	if err := s.ada.Look(s.matter); client.FailureOf(err).Code != api.CodeServerLied {
		t.Errorf("it opened again: %v", err)
	}
	s.ok(s.ada.Look(other))
	view, err := s.ada.Overview(evilserver.Soon(t))
	s.ok(err)
	for _, m := range view.Matters {
		if want := map[bool]string{true: "refused", false: "open"}[m.Matter == s.matter.String()]; m.State != want {
			t.Errorf("%s is %s, want %s", m.Name, m.State, want)
		}
	}
	names, err := s.ada.Device.List(t.Context(), "")
	s.ok(err)
	sealed := 0
	for _, name := range names {
		if strings.HasSuffix(name, "/refusals") {
			record, err := s.ada.Device.Get(t.Context(), name)
			s.ok(err)
			sealed++
			if bytes.Contains(record, []byte("history")) || bytes.Contains(record, []byte("server-lied")) {
				t.Error("the journal is not sealed")
			}
		}
	}
	if sealed != 1 {
		t.Errorf("%d journals", sealed)
	}
}

// TestShorterAndDifferentChains: S-CLIENT-03, against what this device saw and against what another one of the account did.
func TestShorterAndDifferentChains(t *testing.T) {
	s := newStage(t)
	s.ada.Guest(s.matter, "Clara", chain.RoleClient)
	s.ada.MustPut(s.matter, "a.txt", []byte("a"))
	tablet := s.ada.Elsewhere().In()
	mark := s.Mark()
	s.ok(tablet.Look(s.matter)) // cold
	s.ok(tablet.Look(s.matter)) // warm
	before := s.Since(mark)

	// Another device removes Clara, which the account remembers.
	member := s.document(func() string {
		for _, p := range s.ada.View(s.matter).People {
			if p.Name == "Clara" {
				return p.Member
			}
		}
		return ""
	}())
	_, err := s.ada.RemoveMember(evilserver.Soon(t), s.matter, member)
	s.ok(err)
	phone := s.ada.Elsewhere().In()
	phone.Beware()
	s.Replay(before)
	phone.Refused(phone.Look(s.matter), chain.ErrAnchor)

	s.ada.Beware()
	s.Replay(before)
	s.ada.Refused(s.ada.Look(s.matter), client.ErrRolledBack)

	again := s.ada.Again().In()
	again.Beware()
	evilserver.TwistJSON(s.World, "GET", api.RouteChain, func(h *api.ChainHead) { h.Head[3]++ })
	again.Refused(again.Look(s.matter), chain.ErrOrder)

	fine := s.ada.Again().In()
	s.ok(fine.Look(s.matter))
}

// TestWarmOpenVerifiesWhatIsNew counts what a matter that was opened before costs.
func TestWarmOpenVerifiesWhatIsNew(t *testing.T) {
	s := newStage(t)
	for i := range 5 {
		s.ada.MustPut(s.matter, fmt.Sprintf("%d.txt", i), []byte("x"))
	}
	warm := s.ada.Again().In()
	mark := s.Mark()
	s.ok(warm.Look(s.matter))
	for _, route := range []string{api.RouteEntries, api.RouteStatements, api.RouteWrap} {
		if n := s.count(mark, "GET", route); n != 0 {
			t.Errorf("%d requests of %s for nothing new", n, route)
		}
	}
	if n := s.count(mark, "GET", api.RouteChain); n != 1 {
		t.Errorf("%d times asked where it stands", n)
	}
	from := s.position()
	s.ada.MustPut(s.matter, "new.txt", []byte("new"))
	mark = s.Mark()
	s.ok(warm.Look(s.matter))
	entries := 0
	for _, x := range s.Since(mark) {
		if evilserver.Matches(api.RouteEntries, x.Path) {
			list, err := chain.ParseEntries(x.Reply.Body)
			s.ok(err)
			entries += len(list)
			if !strings.HasPrefix(x.Query, fmt.Sprintf("from=%d", from)) && len(list) > 0 {
				t.Errorf("asked for %s, new is from %d", x.Query, from)
			}
		}
	}
	if entries != 1 || s.count(mark, "GET", api.RouteWrap) != 0 || len(s.named(warm, "new.txt")) != 1 {
		t.Errorf("%d entries were read for one", entries)
	}
}

// TestServersWordsAreNotShown: S-CLIENT-07, through a whole client.
func TestServersWordsAreNotShown(t *testing.T) {
	s := newStage(t)
	for said, want := range map[api.Code]api.Code{api.CodeForbidden: api.CodeRemoved, "removed": api.CodeInternal, "server-lied": api.CodeInternal, "": api.CodeInternal, api.CodeUnavailable: api.CodeUnavailable} {
		p := s.ada.Again().In()
		s.Lie("GET", api.RouteChain, func(*evilserver.Request) *evilserver.Reply { return refusal(403, said) })
		err := p.Look(s.matter)
		f := client.FailureOf(err)
		if f == nil || f.Code != want || strings.Contains(fmt.Sprintf("%v %s %v", f, f.Detail, f.Unwrap()), "from the server") {
			t.Errorf("%q: %v, want %s", said, f, want)
		}
		s.Honest()
	}
}

// wraps are the recipients of what was sealed in entries since a moment.
func (s *stage) wraps(mark int) (to []wire.ObjectID) {
	s.Helper()
	for _, x := range s.Since(mark) {
		if x.Method != "POST" || !evilserver.Matches(api.RouteEntries, x.Path) {
			continue
		}
		sub, err := chain.ParseSubmission(x.Request.Body)
		s.ok(err)
		for _, row := range sub.Rows {
			if row.Kind == chain.RowWrap {
				to = append(to, row.Recipient)
			}
		}
	}
	return to
}

// TestKeysAreSealedToTheRosterByGestures: S-CLIENT-08.
func TestKeysAreSealedToTheRosterByGestures(t *testing.T) {
	s := newStage(t)
	ctx := evilserver.Soon(t)
	gone := s.ada.Guest(s.matter, "Gone", chain.RoleClient)
	clara := s.ada.Person("Clara")
	link := s.ada.InviteTo(s.matter, "Clara", chain.RoleClient, chain.ModeAfterIConfirm)
	if _, err := clara.Accept(link); client.FailureOf(err) == nil || client.FailureOf(err).Code != api.CodeWaiting {
		t.Fatalf("she does not wait: %v", err)
	}
	ids := map[string]wire.ObjectID{}
	for _, p := range s.ada.View(s.matter).People {
		ids[p.Name] = s.document(p.Member)
	}
	// Everything that is no gesture towards a person seals to nobody, with a guest who waits.
	mark := s.Mark()
	doc := s.ada.MustPut(s.matter, "a.txt", []byte("a"))
	_, err := s.ada.Place(ctx, s.matter, []wire.ObjectID{doc}, rename("b.txt"))
	s.ok(err)
	_, err = s.ada.RenameMatter(ctx, s.matter, "Roe v. Doe")
	s.ok(err)
	s.ada.InviteTo(s.matter, "Another", chain.RoleClient, chain.ModeOpensAtOnce)
	_, err = s.ada.Get(s.matter, doc)
	s.ok(err)
	_, err = s.ada.Overview(ctx)
	s.ok(err)
	if to := s.wraps(mark); len(to) != 0 {
		t.Errorf("sealed to %v unasked", to)
	}
	// A removal seals to who stays: not to the removed, and not to who waits.
	mark = s.Mark()
	_, err = s.ada.RemoveMember(ctx, s.matter, ids["Gone"])
	s.ok(err)
	if to := s.wraps(mark); len(to) != 1 || to[0] != ids["Ada"] {
		t.Errorf("sealed to %v, Ada is %v", to, ids["Ada"])
	}
	// The gesture that names her seals to her alone.
	var invite wire.ObjectID
	for _, i := range s.ada.View(s.matter).Invites {
		if i.Person == "Clara" && i.State == "waiting" {
			invite = s.document(i.ID)
		}
	}
	mark = s.Mark()
	_, err = s.ada.ConfirmInvite(ctx, s.matter, invite)
	s.ok(err)
	to := s.wraps(mark)
	s.ok(clara.Look(s.matter))
	for _, p := range s.ada.View(s.matter).People {
		if p.Name == "Clara" && (len(to) != 1 || to[0] != s.document(p.Member)) {
			t.Errorf("sealed to %v, Clara is %s", to, p.Member)
		}
	}
	if err := gone.Look(s.matter); client.FailureOf(err) == nil {
		t.Error("who was removed reads on")
	}
}

// TestStaffCheckWhoFoundedAMatter: S-CLIENT-09. A client's matter under the firm's name is none of the firm's.
func TestStaffCheckWhoFoundedAMatter(t *testing.T) {
	s := newStage(t)
	clara := s.ada.Guest(s.matter, "Clara", chain.RoleClient)
	adas, hers := s.ada.Insider(s.matter).Author.Member, clara.Insider(s.matter).Author.Member
	// The server pretends that she has Ada's seat in the firm, where only staff reads.
	s.Edit(layout.FirmPartition(s.ada.Firm), func(tx store.Tx) error {
		seat, _, err := layout.Get[access.Seat](tx, layout.SeatKey(s.ada.Firm, adas))
		if err != nil {
			return err
		}
		return layout.Put(tx, layout.SeatKey(s.ada.Firm, hers), seat)
	})
	// Her own client would first look into the firm's chain, which she has no keys of: she founds it by hand.
	insider := clara.Insider(s.matter)
	charter := insider.State.Charter
	charter.Nonce = wire.Hash{}
	sub, id, k, err := chain.Found(insider.Author, charter, "A matter of the firm", "Clara")
	s.ok(err)
	if r := clara.Do("POST", api.Firm(s.ada.Firm)+"/chains", api.TypeBinary, sub.Bytes(), nil); r.Status > 299 {
		t.Fatalf("founding: %d %s", r.Status, r.Body)
	}
	state, err := chain.Start(id, sub.Entry, chain.KeySet{1: k})
	s.ok(err)
	invite, l, err := state.Invite(insider.Author, "Ada", chain.RoleOwner, chain.ModeOpensAtOnce, time.Now().Add(time.Hour), "Ada LLP")
	s.ok(err)
	if r := clara.Do("POST", api.Chain(s.ada.Firm, id)+"/entries", api.TypeBinary, invite.Bytes(), nil); r.Status > 299 {
		t.Fatalf("an invite: %d %s", r.Status, r.Body)
	}
	s.ada.Beware()
	_, err = s.ada.Accept(s.Origin + "/join#" + l.String())
	if f := client.FailureOf(err); f == nil || f.Code != api.CodeServerLied || !errors.Is(err, chain.ErrRights) {
		t.Fatalf("got %v", err)
	}
	s.ada.Recorded(chain.ErrRights)
}

// TestOlderKeyringAtSignIn: S-CLIENT-10, through a whole client.
func TestOlderKeyringAtSignIn(t *testing.T) {
	s := newStage(t)
	read := func() (kept layout.Keyring) {
		s.Edit(layout.Accounts, func(tx store.Tx) (err error) {
			account, _, _ := s.ada.Root()
			kept, _, err = layout.Get[layout.Keyring](tx, layout.KeyringKey(account))
			return err
		})
		return kept
	}
	write := func(k layout.Keyring) {
		s.Edit(layout.Accounts, func(tx store.Tx) error {
			account, _, _ := s.ada.Root()
			return layout.Put(tx, layout.KeyringKey(account), k)
		})
	}
	old := read()
	s.ada.NewMatter("In re Poe")
	fresh := read()
	write(old)
	again := s.ada.Again()
	if err := again.SignIn(); client.FailureOf(err) == nil || !errors.Is(err, client.ErrRolledBack) || again.SignedIn() {
		t.Fatalf("signed in with an old keyring: %v", err)
	}
	// While signed in: the update that finds it is refused, and the old one is not taken over.
	_, err := s.ada.CreateMatter(evilserver.Soon(t), s.ada.Firm, "Third")
	if client.FailureOf(err) == nil || client.FailureOf(err).Code != api.CodeServerLied {
		t.Errorf("an old keyring was built upon: %v", err)
	}
	write(fresh)
	view, err := s.ada.Again().In().Overview(evilserver.Soon(t))
	s.ok(err)
	if len(view.Matters) != 2 {
		t.Errorf("%d matters", len(view.Matters))
	}
}

// TestTwoDevicesOpenMatters: each device's change of the keyring stands, whoever was faster.
func TestTwoDevicesOpenMatters(t *testing.T) {
	s := newStage(t)
	devices := []*evilserver.Person{s.ada, s.ada.Elsewhere().In()}
	var wg sync.WaitGroup
	for i, p := range devices {
		wg.Go(func() {
			for n := range 3 {
				if _, err := p.CreateMatter(evilserver.Soon(t), p.Firm, fmt.Sprintf("%d of %d", n, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	view, err := s.ada.Elsewhere().In().Overview(evilserver.Soon(t))
	s.ok(err)
	if len(view.Matters) != 7 {
		t.Errorf("%d matters, want 7", len(view.Matters))
	}
	for _, m := range view.Matters {
		if m.State != "open" {
			t.Errorf("%s is %s", m.Name, m.State)
		}
	}
}

// TestMatterThatTheServerDidNotTake: a keyring that was not written names nothing here either.
func TestMatterThatTheServerDidNotTake(t *testing.T) {
	s := newStage(t)
	s.Lie("PUT", api.RouteKeyring, func(*evilserver.Request) *evilserver.Reply { return refusal(503, api.CodeUnavailable) })
	_, err := s.ada.CreateMatter(evilserver.Soon(t), s.ada.Firm, "Never")
	if f := client.FailureOf(err); f == nil || f.Code != api.CodeUnavailable {
		t.Fatal(err)
	}
	view, err := s.ada.Overview(evilserver.Soon(t))
	s.ok(err)
	if len(view.Matters) != 1 {
		t.Errorf("%+v", view.Matters)
	}
}

// TestSessionIsRenewed: a session of the firm that ended is opened again, once, and nobody notices.
func TestSessionIsRenewed(t *testing.T) {
	s := newStage(t)
	s.ada.Do("DELETE", api.Firm(s.ada.Firm)+"/session", "", nil, nil)
	mark := s.Mark()
	s.ok(s.ada.Look(s.matter))
	if n := s.count(mark, "POST", api.RouteSessions); n != 1 {
		t.Errorf("%d sessions were opened", n)
	}
	// One that the server never honours is given up.
	s.Lie("GET", api.RouteChain, func(*evilserver.Request) *evilserver.Reply { return refusal(401, api.CodeNotSignedIn) })
	mark = s.Mark()
	if f := client.FailureOf(s.ada.Look(s.matter)); f == nil || f.Code != api.CodeNotSignedIn {
		t.Errorf("%v", f)
	}
	if n := s.count(mark, "POST", api.RouteSessions); n != 1 {
		t.Errorf("%d sessions were opened", n)
	}
	s.Honest()
	// Where the account's session ended as well, it is signed out.
	_, err := s.ada.Transport.Do(context.Background(), client.Request{Method: "DELETE", Path: api.RouteAccountSession})
	s.ok(err)
	s.ada.Do("DELETE", api.Firm(s.ada.Firm)+"/session", "", nil, nil)
	if f := client.FailureOf(s.ada.Look(s.matter)); f == nil || f.Code != api.CodeNotSignedIn || s.ada.SignedIn() {
		t.Errorf("%v, and signed in: %v", f, s.ada.SignedIn())
	}
}

package server_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/auth/limit"
	"github.com/underseal/underseal/server/blob/memblob"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/faultstore"
	"github.com/underseal/underseal/server/store/memstore"
)

// pretend is the state of a client that lies to itself: its author has an owner's seat there. He has the keys of the epoch.
func (m *matter) pretend(by *player) *chain.State {
	state := m.state.Clone()
	state.Members[by.author.Member] = &chain.Member{ID: by.author.Member, Keys: by.author.Identity.Public(), Name: "Me", Role: chain.RoleOwner, State: chain.MemberSeated, From: 1, Ways: 2}
	return state
}

// household is a chain with everybody in it, by what they are.
func (m *matter) household() map[string]*player {
	m.t.Helper()
	all := map[string]*player{"owner": m.player}
	for _, role := range []chain.Role{chain.RoleParalegal, chain.RoleClient, chain.RoleExpert, chain.RoleAuditor, chain.RoleReviewer} {
		l := m.invite(role, chain.ModeOpensAtOnce)
		g := m.guest(l)
		sub := g.acceptance(l)
		want[api.ChainHead](m.t, g.send(m.path()+"/entries", sub))
		m.ok(m.state.Apply(sub.Entry))
		all[role.String()] = g
	}
	removed := m.join(chain.RoleClient).player
	m.remove(removed.author.Member)
	all["removed"] = removed
	l := m.invite(chain.RoleClient, chain.ModeAfterIConfirm)
	waiting := m.guest(l)
	sub := waiting.acceptance(l)
	want[api.ChainHead](m.t, waiting.send(m.path()+"/entries", sub))
	m.ok(m.state.Apply(sub.Entry))
	all["waiting"] = waiting
	return all
}

func (p *player) appendTo(m *matter, sub chain.Submission) answer {
	p.t.Helper()
	return p.do("POST", m.path()+"/entries", api.TypeBinary, bytes.NewReader(sub.Bytes()), nil)
}

// loses takes every way to unlock but the first from an account.
func (p *player) loses() {
	p.t.Helper()
	p.ok(p.store.Update(context.Background(), layout.Accounts, func(tx store.Tx) error {
		return tx.Delete(layout.VaultKey(p.account, 2, p.account[:]))
	}))
}

// TestWhoDeclares: S-DECLARE-01, S-DECLARE-02. Whoever has a seat says how many ways to unlock he has, of himself alone, and no
// more than the server knows of: as it is now, whenever his session was opened.
func TestWhoDeclares(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	for name, m := range map[string]*matter{"a matter": ada.matter(), "a firm": ada.replay(ada.firm)} {
		for who, p := range m.household() {
			declare := func(ways uint8) chain.Submission {
				a := p.author
				a.Ways, a.Read = ways, chain.TopicKit
				sub, err := m.pretend(p).Declare(a)
				w.ok(err)
				return sub
			}
			switch who {
			case "removed":
				refused(t, p.appendTo(m, declare(1)), api.CodeNotFound)
				continue
			case "waiting":
				refused(t, p.appendTo(m, declare(1)), api.CodeForbidden)
				continue
			}
			if who == "owner" {
				p.secondWay()
			}
			t.Log(name, who)
			refused(t, p.appendTo(m, declare(3)), api.CodeForbidden)
			sub := declare(2)
			withRow := chain.Submission{Entry: sub.Entry, Rows: []chain.Row{{Kind: chain.RowWrap, Recipient: p.author.Member, Bytes: []byte("x")}}}
			refused(t, p.appendTo(m, withRow), api.CodeBadRequest)
			for other, q := range map[string]*player{"owner": ada, "a stranger": w.founder()} {
				if q != p && other == "owner" {
					refused(t, q.appendTo(m, sub), api.CodeForbidden) // nobody says it for him
				}
			}
			p.loses()
			refused(t, p.appendTo(m, sub), api.CodeForbidden) // he has one by now
			p.secondWay()
			head := want[api.ChainHead](t, p.appendTo(m, sub))
			if again := want[api.ChainHead](t, p.appendTo(m, sub)); again != head {
				t.Errorf("again: %+v, first %+v", again, head)
			}
			if who != "reviewer" { // whose entry no client makes: he seals nothing
				w.ok(m.state.Apply(sub.Entry))
				p.loses()
				one := declare(1)
				m.append2(p, one) // that one is left is said, too
			} else {
				m.state.Position, m.state.Head = head.Position, head.Head
			}
		}
	}
}

// TestWaysWithAPassword: a password opens nothing on another device without the kit. It is a way to unlock beside one, or where there is
// nothing else. S-DECLARE-02
func TestWaysWithAPassword(t *testing.T) {
	w := newWorld(t)
	m := w.founder().matter()
	sealed := func(method vault.Method) api.VaultEntry {
		return api.VaultEntry{Method: uint8(method), ID: []byte{uint8(method)}, Wrapped: []byte("sealed")}
	}
	passkey, passphrase, kit, password := sealed(vault.MethodPasskey), sealed(vault.MethodPassphrase), sealed(vault.MethodKit), sealed(vault.MethodPassword)
	signsIn := password
	signsIn.Wrapped = nil
	for name, c := range map[string]struct {
		has  []api.VaultEntry
		ways uint8
	}{
		"a password alone":                        {[]api.VaultEntry{password}, 1},
		"and a passphrase":                        {[]api.VaultEntry{password, passphrase}, 1},
		"and a passkey":                           {[]api.VaultEntry{password, passkey}, 1},
		"and a passkey and a passphrase":          {[]api.VaultEntry{password, passkey, passphrase}, 2},
		"and a kit":                               {[]api.VaultEntry{password, kit}, 2},
		"and a kit and a passphrase":              {[]api.VaultEntry{password, kit, passphrase}, 3},
		"a kit and a password that opens nothing": {[]api.VaultEntry{signsIn, kit}, 1},
	} {
		w.ok(w.store.Update(context.Background(), layout.Accounts, func(tx store.Tx) error {
			err := tx.Scan(layout.VaultOf(m.account), nil, 0, func(k, _ []byte) error { return tx.Delete(k) })
			for _, e := range c.has {
				err = errors.Join(err, layout.Put(tx, layout.VaultKey(m.account, e.Method, e.ID), e))
			}
			return err
		}))
		declare := func(ways uint8) chain.Submission {
			a := m.author
			a.Ways, a.Read = ways, chain.TopicKit
			sub, err := m.state.Declare(a)
			w.ok(err)
			return sub
		}
		if got := m.appendTo(m, declare(c.ways+1)); got.code() != api.CodeForbidden {
			t.Errorf("%s: more than %d: %d %s", name, c.ways, got.status, got.body)
			continue
		}
		if got := m.appendTo(m, declare(c.ways)); got.status != 200 {
			t.Errorf("%s: %d: %d %s", name, c.ways, got.status, got.body)
		}
		m = m.replay(m.id)
	}
}

// append2 is append by somebody else.
func (m *matter) append2(p *player, sub chain.Submission) {
	m.t.Helper()
	want[api.ChainHead](m.t, p.appendTo(m, sub))
	m.ok(m.state.Apply(sub.Entry))
}

// offices are what an owner of a firm has its server do about somebody.
var offices = map[string]func(*chain.State, chain.Author, wire.ObjectID, string) (chain.Submission, error){"unlock": (*chain.State).Unlock, "sign out": (*chain.State).SignOut}

// TestWhoActsForTheOffice: S-UNLOCK-01, S-UNLOCK-02. An owner of the firm alone, in the firm's own chain, about somebody whom the
// firm knows.
func TestWhoActsForTheOffice(t *testing.T) {
	for name, office := range offices {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ada := w.founder()
			m, f := ada.matter(), ada.replay(ada.firm)
			clara := m.join(chain.RoleClient).player
			entry := func(at *matter, by *player, member wire.ObjectID) chain.Submission {
				s := at.pretend(by)
				s.Charter.Kind = chain.KindFirm // as who lies to himself takes it
				sub, err := office(s, by.author, member, "She called.")
				w.ok(err)
				return sub
			}
			for who, p := range f.household() {
				if who == "owner" {
					continue
				}
				code := api.CodeForbidden
				if who == "removed" {
					code = api.CodeNotFound
				}
				refused(t, p.appendTo(f, entry(f, p, clara.author.Member)), code)
			}
			eve := w.founder()
			refused(t, clara.appendTo(f, entry(f, clara, clara.author.Member)), api.CodeNotFound) // she is in a matter alone
			refused(t, eve.appendTo(f, entry(f, eve, clara.author.Member)), api.CodeNotSignedIn)
			refused(t, ada.appendTo(m, entry(m, ada, clara.author.Member)), api.CodeBadRequest) // in a matter
			refused(t, ada.appendTo(f, entry(f, ada, eve.author.Member)), api.CodeNotFound)     // somebody of another firm
			sub := entry(f, ada, clara.author.Member)
			refused(t, ada.appendTo(f, chain.Submission{Entry: sub.Entry, Rows: []chain.Row{{Kind: chain.RowWrap, Recipient: newID(t), Bytes: []byte("x")}}}), api.CodeBadRequest)
			refused(t, eve.appendTo(f, sub), api.CodeNotSignedIn)
			want[api.Chains](t, clara.look(ada.firm)) // nothing of that did anything
			head := want[api.ChainHead](t, ada.appendTo(f, sub))
			if again := want[api.ChainHead](t, ada.appendTo(f, sub)); again != head {
				t.Errorf("again: %+v, first %+v", again, head)
			}
		})
	}
}

// TestForgivenOnce: S-UNLOCK-01. What was cut off between the entry and the accounts is done by the same entry, sent again; what
// was done is not done once more by it, and one member is forgiven three times a day.
func TestForgivenOnce(t *testing.T) {
	fault := false
	w := newWorldOn(t, func(hook store.Hook) store.Store {
		return faultstore.New(memstore.New(hook), func(_ int64, partition string) faultstore.Fault {
			if fault && partition == layout.Accounts {
				return faultstore.Refuse
			}
			return faultstore.None
		})
	}, memblob.New(), nil)
	ada := w.founder()
	clara := ada.matter().join(chain.RoleClient).player
	clara.setApp()
	clara.setPassword("clara", horses)
	locks := func() {
		t.Helper()
		for range 2 * limit.FreeOfAccount {
			w.guess("clara")
		}
		refused(t, w.guess("clara"), api.CodeTooMany)
	}
	f := ada.replay(ada.firm)
	unlock := func() chain.Submission {
		t.Helper()
		sub, err := f.state.Unlock(ada.author, clara.author.Member, "She called.")
		w.ok(err)
		return sub
	}
	locks()
	sub := unlock()
	fault = true
	refused(t, ada.appendTo(f, sub), api.CodeUnavailable)
	fault = false
	w.ok(f.state.Apply(sub.Entry)) // the entry stands
	refused(t, w.guess("clara"), api.CodeTooMany)
	want[api.ChainHead](t, ada.appendTo(f, sub))
	want[api.PasswordStarted](t, w.guess("clara"))
	locks()
	want[api.ChainHead](t, ada.appendTo(f, sub)) // an old entry lets nobody guess on
	refused(t, w.guess("clara"), api.CodeTooMany)
	for range 2 {
		sub := unlock()
		f.append(sub)
		want[api.PasswordStarted](t, w.guess("clara"))
		locks()
	}
	got := ada.appendTo(f, unlock())
	refused(t, got, api.CodeTooMany)
	var e api.Error
	w.ok(json.Unmarshal(got.body, &e))
	if e.Wait < 23*3600 || e.Wait > 24*3600 {
		t.Errorf("wait %d seconds", e.Wait)
	}
	refused(t, w.guess("clara"), api.CodeTooMany)
	w.clock.advance(24 * time.Hour)
	want[api.Account](t, ada.signIn())
	ada.open()
	f.append(unlock())
}

// TestSignedOutByAnOwner: S-UNLOCK-02. All that a member has open in the firm ends with the entry, and the sign-ins of then open
// nothing there any more; other firms, and whoever signs in anew, are left alone.
func TestSignedOutByAnOwner(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	m := ada.matter()
	clara := m.join(chain.RoleClient).player
	second := clara.browser()
	want[api.Account](t, second.signIn())
	second.open()
	other := w.founder()
	dan := other.matter().join(chain.RoleClient).player
	w.clock.advance(time.Minute)
	f := ada.replay(ada.firm)
	sub, err := f.state.SignOut(ada.author, clara.author.Member, "Her laptop was stolen.")
	w.ok(err)
	ticket := clara.ticket()
	f.append(sub)
	for _, p := range []*player{clara, second} {
		refused(t, p.look(ada.firm), api.CodeSessionEnded)
		refused(t, p.json("POST", api.Firm(p.firm)+"/sessions", p.sessionRequest(p.ticket())), api.CodeSessionEnded)
		want[api.Account](t, p.get(api.RouteAccount)) // the account is not the firm's to end
	}
	refused(t, clara.json("POST", api.Firm(clara.firm)+"/sessions", clara.sessionRequest(ticket)), api.CodeSessionEnded)
	want[api.Chains](t, dan.look(other.firm))
	want[api.Chains](t, ada.look(ada.firm))
	ended := kinds(ada.events(ada.firm), chain.EventSessionEnded, clara.author.Member)
	if len(ended) != 2 || ended[0].Detail != "by-owner" {
		t.Fatalf("%+v", ended)
	}
	w.clock.advance(time.Second)
	want[api.Account](t, clara.signIn())
	clara.open()
	want[api.Chains](t, clara.look(ada.firm))
	want[api.ChainHead](t, ada.appendTo(f, sub)) // the same entry, sent again, ends nothing
	want[api.Chains](t, clara.look(ada.firm))
}

// TestForgivenOnHerDevice: S-UNLOCK-01, S-PEOPLE-01. Who failed too often on a device of her own is shown as made to wait, and forgiven
// there, too.
func TestForgivenOnHerDevice(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	clara := ada.matter().join(chain.RoleClient).player
	clara.setApp()
	clara.setPassword("clara", horses)
	own := newDevice(t)
	want[api.Devices](t, clara.register(own))
	f := ada.replay(ada.firm)
	person := func() api.FirmPerson {
		t.Helper()
		list := want[api.People](t, ada.get(api.Firm(ada.firm)+"/people")).People
		return list[slices.IndexFunc(list, func(p api.FirmPerson) bool { return p.Member == clara.author.Member })]
	}
	if p := person(); p.Locked != 0 {
		t.Fatalf("she does not wait, and is shown as %+v", p)
	}
	for range limit.FreeOfAccount {
		want[api.PasswordStarted](t, w.startFrom("clara", own))
	}
	refused(t, w.startFrom("clara", own), api.CodeTooMany)
	if person().Locked <= w.clock.now().Unix() {
		t.Errorf("she waits, and is shown as %+v", person())
	}
	sub, err := f.state.Unlock(ada.author, clara.author.Member, "She called.")
	w.ok(err)
	f.append(sub)
	if p := person(); p.Locked != 0 {
		t.Errorf("she is forgiven, and shown as %+v", p)
	}
	want[api.PasswordStarted](t, w.startFrom("clara", own))
}

// TestPeople: S-PEOPLE-01, S-PEOPLE-02. Owners of a firm see how everybody in it signs in, kinds and no secret; nobody else does,
// and nobody sees another firm's.
func TestPeople(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	second := ada.secondFirm()
	m, f := ada.matter(), ada.replay(ada.firm)
	staff := f.household()
	m.state = ada.replay(m.id).state
	clara := m.join(chain.RoleClient).player
	clara.setApp()
	clara.setPassword("clara", horses)
	gone := m.join(chain.RoleClient).player
	m.remove(gone.author.Member)
	eve := w.founder()
	path := func(firm wire.ChainID) string { return api.Firm(firm) + "/people" }

	for who, p := range staff {
		switch who {
		case "owner":
		case "removed":
			refused(t, p.get(path(ada.firm)), api.CodeNotFound)
		default:
			refused(t, p.get(path(ada.firm)), api.CodeForbidden)
		}
	}
	for _, p := range []*player{clara, gone} {
		refused(t, p.get(path(ada.firm)), api.CodeNotFound)
	}
	refused(t, eve.get(path(ada.firm)), api.CodeNotSignedIn)

	w.clock.advance(5 * time.Second)
	want[api.Account](t, clara.signIn())
	clara.open()
	at := w.clock.now().Unix()
	w.clock.advance(5 * time.Second)
	for range 2 * limit.FreeOfAccount {
		w.guess("clara")
	}
	got := ada.get(path(ada.firm))
	people := map[wire.ObjectID]api.FirmPerson{}
	for _, p := range want[api.People](t, got).People {
		people[p.Member] = p
	}
	if len(people) != 1+6+1 || people[gone.author.Member].Member == gone.author.Member || people[staff["waiting"].author.Member].Member.IsZero() {
		t.Fatalf("%d people: %+v", len(people), people)
	}
	c := people[clara.author.Member]
	if c.Factors != (api.Factors{Kit: true, Passphrase: true, Password: true, App: true}) || c.Entered != at || c.Sessions < 1 || c.Failed < limit.FreeOfAccount || c.Locked <= w.clock.now().Unix() {
		t.Errorf("%+v", c)
	}
	if a := people[ada.author.Member]; a.Locked != 0 || a.Failed != 0 || a.Sessions != 1 || a.Factors != (api.Factors{Passphrase: true}) {
		t.Errorf("%+v", a)
	}
	for what, secret := range map[string]string{"account": clara.account.String(), "name": loginName(t, "clara").String(), "login key": base64.StdEncoding.EncodeToString(clara.login.Public().(ed25519.PublicKey))} {
		if bytes.Contains(got.body, []byte(secret)) {
			t.Errorf("it tells %s", what)
		}
	}
	key := newAuthenticator(t)
	begun, _ := ada.beginPasskey()
	want[api.Account](t, ada.finishPasskey(key, begun, true))
	bare := newAuthenticator(t)
	begun, _ = ada.beginPasskey()
	want[api.Account](t, ada.finishPasskey(bare, begun, false))
	for _, p := range want[api.People](t, ada.get(path(ada.firm))).People {
		if p.Member == ada.author.Member && p.Factors != (api.Factors{Passphrase: true, Passkeys: 2, Unlocking: 1}) {
			t.Errorf("%+v", p)
		}
	}
	// The second firm of the same account: nothing of what is in the first.
	first := ada.firm
	ada.firm = second
	list := want[api.People](t, ada.get(path(second))).People
	if len(list) != 1 || list[0].Sessions != 1 || list[0].Entered != w.clock.now().Unix()-10 {
		t.Errorf("%+v", list)
	}
	ada.firm = first
}

// TestSignInsAreCountedOnce: a page that is opened anew opens another session of the same sign-in, and is nobody else's. S-PEOPLE-01
func TestSignInsAreCountedOnce(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	counted := func(signIns int) {
		t.Helper()
		list := want[api.People](t, ada.get(api.Firm(ada.firm)+"/people")).People
		if len(list) != 1 || list[0].Sessions != signIns {
			t.Errorf("%+v, want %d", list, signIns)
		}
	}
	ada.open()
	ada.open()
	counted(1)
	lost := ada.elsewhere()
	lost.open()
	lost.open()
	counted(2)
	want[struct{}](t, ada.endSession(lost.current().ID))
	counted(1)
}

package server_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
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

// append2 is append by somebody else.
func (m *matter) append2(p *player, sub chain.Submission) {
	m.t.Helper()
	want[api.ChainHead](m.t, p.appendTo(m, sub))
	m.ok(m.state.Apply(sub.Entry))
}

// TestWhoUnlocks: S-UNLOCK-01. An owner of the firm alone, in the firm's own chain, somebody whom the firm knows.
func TestWhoUnlocks(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	m, f := ada.matter(), ada.replay(ada.firm)
	clara := m.join(chain.RoleClient).player
	unlock := func(at *matter, by *player, member wire.ObjectID) chain.Submission {
		s := at.pretend(by)
		s.Charter.Kind = chain.KindFirm // as who lies to himself takes it
		sub, err := s.Unlock(by.author, member, "She called.")
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
		refused(t, p.appendTo(f, unlock(f, p, clara.author.Member)), code)
	}
	eve := w.founder()
	for who, p := range map[string]*player{"of a matter alone": clara, "of another firm": eve} {
		t.Log(who)
		want := api.CodeNotFound
		if p == eve {
			want = api.CodeNotSignedIn
		}
		refused(t, p.appendTo(f, unlock(f, p, clara.author.Member)), want)
	}
	refused(t, ada.appendTo(m, unlock(m, ada, clara.author.Member)), api.CodeBadRequest) // in a matter
	refused(t, ada.appendTo(f, unlock(f, ada, eve.author.Member)), api.CodeNotFound)     // somebody of another firm
	sub := unlock(f, ada, clara.author.Member)
	refused(t, ada.appendTo(f, chain.Submission{Entry: sub.Entry, Rows: []chain.Row{{Kind: chain.RowWrap, Recipient: newID(t), Bytes: []byte("x")}}}), api.CodeBadRequest)
	refused(t, eve.appendTo(f, sub), api.CodeNotSignedIn)
	head := want[api.ChainHead](t, ada.appendTo(f, sub))
	if again := want[api.ChainHead](t, ada.appendTo(f, sub)); again != head {
		t.Errorf("again: %+v, first %+v", again, head)
	}
}

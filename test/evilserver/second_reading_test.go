package evilserver

import (
	"fmt"
	"testing"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// TestSecondReading are attacks that are on no list: they were found against this client.
func TestSecondReading(t *testing.T) {
	t.Run("forged-removal-by-a-link", forgedRemoval)
	t.Run("firm-rolled-back", firmRolledBack)
	t.Run("founder-without-a-seat", founderWithoutSeat)
	t.Run("names-in-a-package", namesInPackage)
	t.Run("trail-erased", trailErased)
	t.Run("second-invite-to-an-open-matter", secondInvite)
	t.Run("tag-taken-in-another-matter", tagTaken)
}

// Whoever holds an unanswered link has the link key. He and the server cannot evict the owner.
func forgedRemoval(t *testing.T) {
	o := newOffice(t)
	invitation, err := o.Person("Guest").OpenInvite(Soon(t), o.ada.InviteTo(o.matter, "Guest", chain.RoleClient, chain.ModeAfterIConfirm))
	o.ok(err)
	o.ok(o.ada.Look(o.matter))
	h := o.Head(o.ada.Firm, o.matter)
	e := &chain.Effect{Kind: chain.KindStatement, Chain: o.matter, Entry: o.ID(), Sequence: 1, Position: h.Position, Previous: h.Head, Epoch: h.Epoch + 1, Actor: o.ID()}
	e.Statement = &chain.StatementEffect{Seats: []chain.Seat{{Member: o.ID(), Role: chain.RoleClient, From: 1}}}
	entry := (&Craft{Effect: e, Body: []byte("noise"), Signature: []byte("none"), Link: invitation.StateLink}).Entry(o.World)
	TwistJSON(o.World, "GET", api.RouteChain, func(v *api.ChainHead) { v.Position++; v.Epoch++; v.Head = entry.Leaf.Hash() })
	o.Lie("GET", api.RouteEntries, func(r *Request) *Reply {
		rep := r.Real()
		if len(rep.Body) == 0 && rep.Status == 200 && r.Query == fmt.Sprintf("from=%d", h.Position) {
			return &Reply{Status: 200, Header: rep.Header, Body: entry.Bytes()}
		}
		return rep
	})
	if f := client.FailureOf(o.ada.Look(o.matter)); f == nil || f.Code == api.CodeRemoved {
		t.Errorf("a forged removal: %v", f)
	}
	o.Honest()
	o.ok(o.ada.Elsewhere().In().Look(o.matter))
}

// snapshot is a firm's partition as it stands; the result puts it back.
func (o *office) snapshot(firm wire.ChainID) (restore func()) {
	old := o.dump()[layout.FirmPartition(firm)]
	return func() {
		o.Edit(layout.FirmPartition(firm), func(tx store.Tx) error {
			var now [][]byte
			if err := tx.Scan(nil, nil, 0, func(k, _ []byte) error { now = append(now, append([]byte(nil), k...)); return nil }); err != nil {
				return err
			}
			for _, k := range now {
				if err := tx.Delete(k); err != nil {
					return err
				}
			}
			for k, v := range old {
				if err := tx.Put([]byte(k), v); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// The firm's own chain is pinned like a matter's: a device that never saw it does not take a removal back.
func firmRolledBack(t *testing.T) {
	o := newOffice(t)
	firm := o.ada.Firm
	bob := o.ada.Guest(firm, "Bob", chain.RoleOwner)
	restore := o.snapshot(firm)
	_, err := o.ada.RemoveMember(Soon(t), firm, bob.author().Member)
	o.ok(err)
	restore()
	fresh := o.ada.Elsewhere().In()
	if f := client.FailureOf(fresh.Look(firm)); f == nil || f.Code != api.CodeServerLied {
		t.Errorf("a firm rolled back: %v", f)
	}
	if _, err := fresh.Put(firm, "policy.txt", []byte("secret policy")); err == nil {
		t.Error("a document was sealed to somebody removed")
	}
}

// Who was removed from the firm, or never confirmed in it, founds no matter that staff joins.
func founderWithoutSeat(t *testing.T) {
	for _, mode := range []chain.InviteMode{chain.ModeOpensAtOnce, chain.ModeAfterIConfirm} {
		o := newOffice(t)
		firm := o.ada.Firm
		bob := o.Person("Bob")
		_, err := bob.Accept(o.ada.InviteTo(firm, "Bob", chain.RoleOwner, mode))
		if mode == chain.ModeOpensAtOnce {
			o.ok(err)
		}
		member := bob.author().Member
		if mode == chain.ModeOpensAtOnce {
			_, err = o.ada.RemoveMember(Soon(t), firm, member)
			o.ok(err)
		}
		o.Edit(layout.FirmPartition(firm), func(tx store.Tx) error {
			s, _, err := layout.Get[access.Seat](tx, layout.SeatKey(firm, member))
			if err != nil {
				return err
			}
			s.State = access.Seated
			return layout.Put(tx, layout.SeatKey(firm, member), &s)
		})
		id, err := bob.CreateMatter(Soon(t), firm, "A matter of the firm")
		if err != nil {
			continue // his own client refuses first
		}
		_, err = o.ada.Accept(bob.InviteTo(id, "Ada", chain.RoleClient, chain.ModeOpensAtOnce))
		if f := client.FailureOf(err); f == nil || f.Code != api.CodeServerLied {
			t.Errorf("mode %d: staff in a matter of somebody without a seat: %v", mode, f)
		}
		if _, err := o.ada.Put(id, "memo.txt", []byte("privileged")); err == nil {
			t.Errorf("mode %d: and something was sealed to him", mode)
		}
	}
}

// Names in a package hide nothing, whoever seals it.
func namesInPackage(t *testing.T) {
	o := newOffice(t)
	i := o.ada.Again().In().Insider(o.matter)
	_, _, err := i.State.Invite(i.Author, "Petra", chain.RoleClient, chain.ModeOpensAtOnce, i.Author.Now().Add(3600e9), "Sullivan \u202e\x1b]0;x\x07 LLP")
	if err == nil {
		t.Error("a firm's name that reorders what is shown is sealed")
	}
}

// An owner does not sign a trail that is shorter than the one signed before.
func trailErased(t *testing.T) {
	o := newOffice(t)
	first, second := o.ada.Guest(o.matter, "M1", chain.RoleClient), o.ada.Guest(o.matter, "M2", chain.RoleClient)
	doc := o.ada.MustPut(o.matter, "a.txt", []byte("a"))
	_, err := first.Get(o.matter, doc)
	o.ok(err)
	_, err = o.ada.RemoveMember(Soon(t), o.matter, first.author().Member)
	o.ok(err)
	o.Edit(layout.FirmPartition(o.ada.Firm), func(tx store.Tx) error {
		h, _, err := layout.Get[layout.Chain](tx, layout.ChainKey(o.matter))
		if err != nil {
			return err
		}
		h.TrailPosition, h.TrailHead = 0, wire.Hash{}
		return layout.Put(tx, layout.ChainKey(o.matter), h)
	})
	_, err = o.ada.RemoveMember(Soon(t), o.matter, second.author().Member)
	if f := client.FailureOf(err); f == nil || f.Code != api.CodeServerLied {
		t.Errorf("an owner signs a trail cut short: %v", f)
	}
}

// A further invite to a matter that is open changes nothing in it, whatever becomes of the invite.
func secondInvite(t *testing.T) {
	o := newOffice(t)
	link := o.ada.InviteTo(o.matter, "Other", chain.RoleClient, chain.ModeOpensAtOnce)
	l, err := client.ParseLink(link)
	o.ok(err)
	_, err = o.clara.OpenInvite(Soon(t), link)
	o.ok(err)
	_, err = o.ada.CancelInvite(Soon(t), o.matter, l.Invite)
	o.ok(err)
	_, err = o.clara.AcceptInvite(Soon(t))
	o.ok(err)
	for name, p := range map[string]*Person{"here": o.clara, "after a restart": o.clara.Again().In(), "elsewhere": o.clara.Elsewhere().In()} {
		if err := p.Look(o.matter); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Mallory has the link keys of a matter and a seat in another one of the same log. With an entry in the other he wants the next tag
// of the first, in either sequence: its members would be told that the server keeps an entry back, or be refused an opening.
func tagTaken(t *testing.T) {
	o := newOffice(t)
	mallory := o.with(chain.RoleClient)
	k, err := mallory.State.Keys()
	o.ok(err)
	other := o.ada.NewMatter("His own")
	_, err = mallory.Person.Accept(o.ada.InviteTo(other, "Mallory", chain.RoleOwner, chain.ModeOpensAtOnce))
	o.ok(err)
	mine := mallory.MustPut(other, "Mine.txt", text(100))
	rename := func(p *Person) error { _, err := p.RenameMatter(Soon(t), other, "Jams"); return err }
	open := func(p *Person) error { _, err := p.Get(other, mine); return err }
	goesOn := func() {
		t.Helper()
		for _, p := range []*Person{o.clara, o.clara.Elsewhere().In()} {
			if _, err := p.Get(o.matter, o.doc); err != nil {
				t.Errorf("Clara opens a document: %v", err)
			}
		}
		o.ada.MustPut(o.matter, "After.txt", text(100))
		o.ok(o.ada.Elsewhere().In().Look(o.matter))
	}
	for _, x := range []struct {
		route string
		kind  uint16
		key   chain.Secret
		act   func(p *Person) error
	}{{api.RouteTrail, log.TypeTrail, k.TrailLink, open}, {api.RouteEntries, log.TypeState, k.StateLink, rename}} {
		key := log.LinkKey(x.key)
		next := func() uint64 {
			if h := o.Head(o.ada.Firm, o.matter); x.kind == log.TypeState {
				return h.Position
			} else {
				return h.TrailPosition
			}
		}
		for name, change := range map[string]func(*chain.Submission){
			"its tag": func(s *chain.Submission) { s.Entry.Leaf.Tag = key.Tag(o.matter, x.kind, next()) },
			"its tag and mark": func(s *chain.Submission) {
				o.remark(s, key.Mark(x.kind, next()))
				s.Entry.Leaf.Tag = key.Tag(o.matter, x.kind, next())
			},
		} {
			t.Log(x.route, name)
			if r := o.bend(mallory.Elsewhere().In(), other, x.route, x.act, change); r.Status != 400 {
				t.Errorf("the server takes an entry with another's tag: %d", r.Status)
			}
			goesOn()
		}
		// With the mark alone he has an entry in his own matter that nobody there reads, and nothing in the first.
		t.Log(x.route, "its mark")
		if r := o.bend(mallory.Elsewhere().In(), other, x.route, x.act, func(s *chain.Submission) { o.remark(s, key.Mark(x.kind, next())) }); r.Status > 299 {
			t.Errorf("the server tells whose a mark is: %d %s", r.Status, r.Body)
		}
		goesOn()
	}
	// Nor do marks of later places of the first matter take these: who may open there ends the trail, and no opening.
	at := o.Head(o.ada.Firm, o.matter).TrailPosition
	r := o.bend(mallory.Elsewhere().In(), o.matter, api.RouteTrail, func(p *Person) error { _, err := p.Get(o.matter, o.doc); return err },
		func(s *chain.Submission) { o.remark(s, log.LinkKey(k.TrailLink).Mark(log.TypeTrail, at+1)) })
	if r.Status > 299 {
		t.Errorf("the server tells whose a mark is: %d %s", r.Status, r.Body)
	}
	goesOn()
	if _, err := o.ada.Elsewhere().In().Trail(Soon(t), o.matter, 0); client.FailureOf(err) == nil || client.FailureOf(err).Code != api.CodeServerLied {
		t.Errorf("a trail with an entry that is not in its place: %v", err)
	}
}

// bend has a person's own client, which looked at a matter, send something else than it made, and is what the server says to it.
func (o *office) bend(p *Person, matter wire.ChainID, route string, act func(p *Person) error, change func(*chain.Submission)) (answer *Reply) {
	o.Helper()
	o.ok(p.Look(matter))
	o.Lie("POST", route, func(r *Request) *Reply {
		sub, err := chain.ParseSubmission(r.Body)
		o.ok(err)
		change(&sub)
		r.Body = sub.Bytes()
		answer = r.Real()
		return answer
	})
	_ = act(p) // what his client makes of the answer is his affair
	o.Honest()
	return answer
}

// remark gives an entry another mark, and the commit and tag that go with it.
func (o *office) remark(s *chain.Submission, mark wire.Hash) {
	o.Helper()
	e, err := chain.ParseEffect(s.Entry.Effect)
	o.ok(err)
	e.Mark = mark
	s.Entry.Effect = e.Bytes()
	s.Entry.Leaf.Commit, s.Entry.Leaf.Tag = s.Entry.Commit(), log.Tag(e.Chain, e.Sequence, e.Position, mark)
}

package evilserver

import (
	"fmt"
	"testing"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
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

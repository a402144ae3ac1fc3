package server_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// TestTwoWriters lets many clients append at the same head: one wins a position, the others read on and try again, and
// nothing is lost or doubled.
func TestTwoWriters(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	m := ada.matter()
	f := m.newFile(newID(t), 100)
	m.put(f)
	clara := m.join(chain.RoleParalegal)
	m.replayInto()
	const each = 8
	var wg sync.WaitGroup
	var moved [2]int
	for i, who := range []*matter{m, clara} {
		wg.Go(func() {
			for n := 0; n < each; {
				sub, err := who.state.Batch(who.author, []chain.Change{{Kind: chain.OpPlace, Document: f.change.Document, Name: fmt.Sprintf("%d-%d.pdf", i, n)}})
				if err != nil {
					t.Error(err)
					return
				}
				a, err := who.try("POST", who.path()+"/entries", api.TypeBinary, bytes.NewReader(sub.Bytes()), nil)
				switch {
				case err == nil && a.status == 200:
					n++
				case err == nil && a.code() == api.CodeMoved:
					moved[i]++
				default:
					t.Errorf("%d %s %v", a.status, a.body, err)
					return
				}
				a, err = who.try("GET", fmt.Sprintf("%s/entries?from=%d", who.path(), who.state.Position), "", nil, nil)
				entries, parseErr := chain.ParseEntries(a.body)
				if err != nil || parseErr != nil {
					t.Error(err, parseErr)
					return
				}
				for _, e := range entries {
					if err := who.state.Apply(e); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	end := ada.replay(m.id)
	if end.state.Position != 4+2*each {
		t.Fatalf("position %d", end.state.Position)
	}
	t.Logf("moved: %v", moved)
}

// TestEntriesTheServerRefuses: everything that can be seen from an effect to break the chain for its members.
func TestEntriesTheServerRefuses(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	m := ada.matter()
	f := m.newFile(newID(t), 100)
	m.put(f)
	clara := m.join(chain.RoleClient)
	other := ada.matter()

	good := func() chain.Submission {
		sub, err := m.state.Batch(m.author, []chain.Change{{Kind: chain.OpPlace, Document: f.change.Document, Name: "renamed.pdf"}})
		m.ok(err)
		return sub
	}
	for name, c := range map[string]struct {
		sub  chain.Submission
		code api.Code
	}{
		"position":  {m.remade(good(), func(e *chain.Effect) { e.Position++ }), api.CodeMoved},
		"previous":  {m.remade(good(), func(e *chain.Effect) { e.Previous[0]++ }), api.CodeMoved},
		"epoch":     {m.remade(good(), func(e *chain.Effect) { e.Epoch++ }), api.CodeMoved},
		"actor":     {m.remade(good(), func(e *chain.Effect) { e.Actor = clara.author.Member }), api.CodeForbidden},
		"chain":     {m.remade(good(), func(e *chain.Effect) { e.Chain = other.id }), api.CodeBadRequest},
		"document":  {m.remade(good(), func(e *chain.Effect) { e.Batch.Ops[0].Document = newID(t) }), api.CodeNotFound},
		"commit":    {func() chain.Submission { s := good(); s.Entry.Leaf.Commit[0]++; return s }(), api.CodeBadRequest},
		"tag":       {func() chain.Submission { s := good(); s.Entry.Leaf.Tag[0]++; return s }(), api.CodeBadRequest},
		"leaf type": {func() chain.Submission { s := good(); s.Entry.Leaf.Type = log.TypeTrail; return s }(), api.CodeBadRequest},
		"rows": {func() chain.Submission {
			s := good()
			s.Rows = []chain.Row{{Kind: chain.RowWrap, Bytes: []byte{1}}}
			return s
		}(), api.CodeBadRequest},
		"as a release": {m.remade(good(), func(e *chain.Effect) {
			e.Kind, e.Sequence, e.Batch, e.Release = chain.KindRelease, log.TypeTrail, nil, &chain.ReleaseEffect{}
		}), api.CodeBadRequest},
	} {
		t.Run(name, func(t *testing.T) { refused(t, m.send(m.path()+"/entries", c.sub), c.code) })
	}
	for name, raw := range map[string][]byte{"empty": nil, "cut": good().Bytes()[:50], "longer": append(good().Bytes(), 0), "zeros": make([]byte, 300)} {
		got := m.do("POST", m.path()+"/entries", api.TypeBinary, bytes.NewReader(raw), nil)
		if got.code() != api.CodeBadRequest {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	huge := m.do("POST", m.path()+"/entries", api.TypeBinary, bytes.NewReader(make([]byte, chain.MaxSubmission+1)), nil)
	refused(t, huge, api.CodeTooLarge)
	head := want[api.ChainHead](t, m.get(m.path()))
	if head.Position != m.state.Position+1 { // clara's accept, which m has applied
		m.replayInto()
	}
	m.append(good())
}

// TestRosterEntriesTheServerRefuses: who is on the roster changes by the rules, or not at all (attacks 26, 28, 29, 34).
func TestRosterEntriesTheServerRefuses(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	m := ada.matter()
	clara := m.join(chain.RoleClient)
	m.replayInto()

	// A client's own rotation, invite and cancel, made by a program that ignores its role.
	forced := clara.state.Clone()
	c := *forced.Members[clara.author.Member]
	c.Role = chain.RoleOwner
	forced.Members[c.ID] = &c
	rotate, _, err := forced.Rotate(clara.author, chain.Rotation{Reason: chain.ReasonKeysChanged})
	m.ok(err)
	invite, _, err := forced.Invite(clara.author, "Mallory", chain.RoleOwner, chain.ModeOpensAtOnce, w.clock.now().Add(time.Hour), "x")
	m.ok(err)
	refused(t, clara.send(m.path()+"/entries", rotate), api.CodeForbidden)
	refused(t, clara.send(m.path()+"/entries", invite), api.CodeForbidden)

	remake := func(change func(*chain.Effect, *chain.Submission)) chain.Submission {
		sub, _ := m.rotation()
		sub.Entry = m.remade(sub, func(e *chain.Effect) { change(e, &sub) }).Entry
		return sub
	}
	seat := func(e *chain.Effect, who wire.ObjectID) *chain.Seat {
		for i := range e.Statement.Seats {
			if e.Statement.Seats[i].Member == who {
				return &e.Statement.Seats[i]
			}
		}
		t.Fatal("no seat")
		return nil
	}
	for name, c := range map[string]struct {
		sub  chain.Submission
		code api.Code
	}{
		"promoted":   {remake(func(e *chain.Effect, _ *chain.Submission) { seat(e, clara.author.Member).Role = chain.RoleOwner }), api.CodeForbidden},
		"other keys": {remake(func(e *chain.Effect, _ *chain.Submission) { seat(e, clara.author.Member).Fingerprint[0]++ }), api.CodeForbidden},
		"later span": {remake(func(e *chain.Effect, _ *chain.Submission) { seat(e, clara.author.Member).From = 2 }), api.CodeForbidden},
		"ghost": {remake(func(e *chain.Effect, _ *chain.Submission) {
			ghost := *seat(e, clara.author.Member)
			ghost.Member = wire.ObjectID(bytes.Repeat([]byte{0xff}, 16))
			e.Statement.Seats = append(e.Statement.Seats, ghost)
		}), api.CodeForbidden},
		"without oneself": {remake(func(e *chain.Effect, _ *chain.Submission) {
			e.Statement.Seats = []chain.Seat{*seat(e, clara.author.Member)}
		}), api.CodeBadRequest},
		"row missing":  {remake(func(_ *chain.Effect, s *chain.Submission) { s.Rows = s.Rows[1:] }), api.CodeBadRequest},
		"row added":    {remake(func(_ *chain.Effect, s *chain.Submission) { s.Rows = append(s.Rows, s.Rows[0]) }), api.CodeBadRequest},
		"rows swapped": {remake(func(_ *chain.Effect, s *chain.Submission) { s.Rows[0], s.Rows[1] = s.Rows[1], s.Rows[0] }), api.CodeBadRequest},
		"row doubled":  {remake(func(_ *chain.Effect, s *chain.Submission) { s.Rows[1] = s.Rows[0] }), api.CodeBadRequest},
		"trail":        {remake(func(e *chain.Effect, _ *chain.Submission) { e.Statement.TrailPosition++ }), api.CodeMoved},
		"invite": {remake(func(e *chain.Effect, s *chain.Submission) {
			e.Statement.Invites = []wire.ObjectID{newID(t)}
			s.Rows = append(s.Rows, chain.Row{Kind: chain.RowPackage, Recipient: e.Statement.Invites[0], Bytes: []byte{1}})
		}), api.CodeInviteGone},
	} {
		t.Run(name, func(t *testing.T) { refused(t, m.send(m.path()+"/entries", c.sub), c.code) })
	}
	refused(t, clara.get(m.path()+"/trail"), api.CodeForbidden)

	// A matter is opened by whoever owns the firm, for himself.
	mine, _, _, err := chain.Found(clara.author, chain.Charter{Kind: chain.KindCompartment, Firm: clara.firm}, "Mine", "Clara")
	m.ok(err)
	refused(t, clara.send(api.Firm(clara.firm)+"/chains", mine), api.CodeNotFound)
	refused(t, ada.send(api.Firm(ada.firm)+"/chains", mine), api.CodeForbidden)
	// The removed member comes back by a new invite only, and then he is in.
	m.remove(clara.author.Member)
	refused(t, clara.send(m.path()+"/entries", rotate), api.CodeNotFound)
	if l := m.invite(chain.RoleExpert, chain.ModeOpensAtOnce); true {
		sub := clara.acceptance(l)
		want[api.ChainHead](t, clara.send(m.path()+"/entries", sub))
		m.ok(m.state.Apply(sub.Entry))
		back := clara.replay(m.id)
		refused(t, back.beginUpload(back.newFile(newID(t), 1)), api.CodeForbidden) // an expert reads
	}
}

func TestInvites(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	m := ada.matter()

	t.Run("used, then insisted on", func(t *testing.T) {
		l := m.invite(chain.RoleClient, chain.ModeOpensAtOnce)
		first, second := w.guest(l), w.guest(l)
		one, two := first.acceptance(l), second.acceptance(l)
		want[api.ChainHead](t, first.send(m.path()+"/entries", one))
		want[api.ChainHead](t, first.send(m.path()+"/entries", one)) // the same again
		m.ok(m.state.Apply(one.Entry))
		if got := want[api.InviteReply](t, second.get(second.invitePath(l))); got.State != "used" || got.Package != nil || got.Chain != (api.ChainHead{}) {
			t.Fatalf("%+v", got)
		}
		refused(t, second.send(m.path()+"/entries", two), api.CodeInviteUsed)
		insist := map[string]string{api.HeaderSecondGuest: "1"}
		moved := second.do("POST", m.path()+"/entries", api.TypeBinary, bytes.NewReader(two.Bytes()), insist)
		refused(t, moved, api.CodeMoved)
		// He made it on the head before; the package he read still places it.
		head := want[api.ChainHead](t, m.get(m.path()))
		two = second.acceptanceAt(l, m, head)
		want[api.ChainHead](t, second.do("POST", m.path()+"/entries", api.TypeBinary, bytes.NewReader(two.Bytes()), insist))
		m.ok(m.state.Apply(two.Entry))
		if s := m.state.Members[first.author.Member].State; s != chain.MemberFrozen {
			t.Fatalf("first guest is %v", s)
		}
		frozen := first.replay(m.id) // reads that he is frozen
		refused(t, frozen.beginUpload(frozen.newFile(newID(t), 1)), api.CodeForbidden)
		refused(t, second.get(m.path()), api.CodeNotFound)
		third := w.player()
		proof := third.inviteProof(l, api.ProofEnrol, nil)
		refused(t, third.json("POST", api.RouteEnrolments, api.EnrolRequest{Invite: &proof}), api.CodeInviteGone)
		// The owner decides: without him.
		m.remove(first.author.Member)
		refused(t, first.get(m.path()), api.CodeNotFound)
	})
	t.Run("expired", func(t *testing.T) {
		l := m.invite(chain.RoleClient, chain.ModeOpensAtOnce)
		guest := w.guest(l)
		sub := guest.acceptance(l)
		w.clock.advance(24 * time.Hour)
		want[api.Account](t, ada.signIn())
		ada.open()
		want[api.Account](t, guest.signIn())
		refused(t, guest.json("POST", api.Firm(guest.firm)+"/sessions", func() api.OpenSession { // known by now: no proof needed
			req := guest.sessionRequest(guest.ticket())
			req.Member = newID(t)
			return req
		}()), api.CodeForbidden)
		guest.open()
		refused(t, guest.send(m.path()+"/entries", sub), api.CodeInviteExpired)
		if got := want[api.InviteReply](t, guest.get(guest.invitePath(l))); got.State != "expired" || got.Package != nil {
			t.Fatalf("%+v", got)
		}
		late := w.player()
		proof := late.inviteProof(l, api.ProofEnrol, nil)
		refused(t, late.json("POST", api.RouteEnrolments, api.EnrolRequest{Invite: &proof}), api.CodeInviteExpired)
		past, _, err := m.state.Invite(m.author, "Late", chain.RoleClient, chain.ModeOpensAtOnce, w.clock.now().Add(time.Second), "x")
		m.ok(err)
		w.clock.advance(time.Minute)
		refused(t, m.send(m.path()+"/entries", past), api.CodeInviteExpired)
	})
	t.Run("cancelled", func(t *testing.T) {
		l := m.invite(chain.RoleClient, chain.ModeOpensAtOnce)
		guest := w.guest(l)
		sub := guest.acceptance(l)
		cancel, err := m.state.Cancel(m.author, l.Invite)
		m.ok(err)
		m.append(cancel)
		refused(t, guest.send(m.path()+"/entries", sub), api.CodeInviteGone)
		if got := want[api.InviteReply](t, guest.get(guest.invitePath(l))); got.State != "gone" || got.Package != nil {
			t.Fatalf("%+v", got)
		}
	})
	t.Run("waiting, then cancelled", func(t *testing.T) {
		l := m.invite(chain.RoleClient, chain.ModeAfterIConfirm)
		guest := w.guest(l)
		sub := guest.acceptance(l)
		want[api.ChainHead](t, guest.send(m.path()+"/entries", sub))
		m.ok(m.state.Apply(sub.Entry))
		m.remove() // a rotation keeps him waiting
		if !want[api.Chains](t, guest.get(api.Firm(m.firm)+"/chains")).Chains[0].Waiting {
			t.Fatal("he does not wait any more")
		}
		cancel, err := m.state.Cancel(m.author, l.Invite)
		m.ok(err)
		m.append(cancel)
		refused(t, guest.get(m.path()), api.CodeNotFound)
	})
	t.Run("without the link", func(t *testing.T) {
		l := m.invite(chain.RoleClient, chain.ModeOpensAtOnce)
		forged := l
		_, err := rand.Read(forged.Secret[:])
		m.ok(err)
		p := w.player()
		proof := p.inviteProof(forged, api.ProofEnrol, nil)
		refused(t, p.json("POST", api.RouteEnrolments, api.EnrolRequest{Invite: &proof}), api.CodeForbidden)
		proof = p.inviteProof(l, api.ProofGuest, nil) // for another purpose
		refused(t, p.json("POST", api.RouteEnrolments, api.EnrolRequest{Invite: &proof}), api.CodeForbidden)
		unknown := l
		unknown.Firm[0]++
		proof = p.inviteProof(unknown, api.ProofEnrol, nil)
		refused(t, p.json("POST", api.RouteEnrolments, api.EnrolRequest{Invite: &proof}), api.CodeInviteGone)

		// A guest whose proof is over another's keys, another ticket, or who takes somebody's place.
		guest := w.guest(l)
		eve := w.player()
		eve.firm = l.Firm
		eveProof := eve.inviteProof(l, api.ProofEnrol, nil)
		want[api.Account](t, eve.finish(want[api.EnrolReply](t, eve.json("POST", api.RouteEnrolments, api.EnrolRequest{Invite: &eveProof}))))
		for name, change := range map[string]func(*api.OpenSession){
			"another bundle": func(r *api.OpenSession) { r.Guest.Bundle = guest.bundle() },
			"another ticket": func(r *api.OpenSession) { r.Ticket = eve.ticket() },
			"taken member": func(r *api.OpenSession) {
				r.Member, r.Guest.Bundle = guest.author.Member, guest.bundle()
				r.Guest.Invite = eve.inviteProof(l, api.ProofGuest, api.GuestSubject(r.Ticket, r.Guest.Bundle))
			},
			"certificate": func(r *api.OpenSession) { r.Certificate[0]++ },
			"session key": func(r *api.OpenSession) { r.PublicKey = bytes.Repeat([]byte{7}, 32) },
		} {
			req := eve.guestRequest(l)
			change(&req)
			if got := eve.json("POST", api.Firm(l.Firm)+"/sessions", req); got.code() != api.CodeForbidden {
				t.Errorf("%s: %d %s", name, got.status, got.body)
			}
		}
		want[struct{}](t, eve.json("POST", api.Firm(l.Firm)+"/sessions", eve.guestRequest(l)))
		// With the member she has, and other keys than the ones she came with.
		twin := w.player()
		twin.author.Member = eve.author.Member
		twin.firm = eve.firm
		refused(t, eve.send(m.path()+"/entries", twin.acceptance(l)), api.CodeForbidden)
		// With the link's place, and not its secret.
		stolen := l
		_, err = rand.Read(stolen.Secret[:])
		m.ok(err)
		sub := m.remade(eve.acceptance(l), func(e *chain.Effect) {
			copy(e.Accept.Signature[:], ed25519.Sign(stolen.Key(), chain.AcceptMessage(l.Firm, l.Chain, l.Invite, l.Inviter, e.Accept.Bundle)))
		})
		refused(t, eve.send(m.path()+"/entries", sub), api.CodeForbidden)
		// In the firm by an invite, and in no matter: an entry for another guest's keys is not hers to send.
		refused(t, eve.send(m.path()+"/entries", guest.acceptance(l)), api.CodeForbidden)
	})
}

// acceptanceAt is a guest's entry made with a link whose package the server no longer hands out: the state link is the
// epoch's, which the owner's state has.
func (p *player) acceptanceAt(l chain.Link, m *matter, head api.ChainHead) chain.Submission {
	p.t.Helper()
	k, err := m.state.Keys()
	p.ok(err)
	pkg := chain.Package{Epoch: head.Epoch, Person: "Second", Role: chain.RoleClient, Mode: chain.ModeOpensAtOnce, StateLink: k.StateLink,
		Grant: append(append([]byte(nil), k.Content[:]...), k.HistoryContent[:]...)}
	sub, err := l.Accept(p.author, pkg, head.Position, head.Head)
	p.ok(err)
	return sub
}

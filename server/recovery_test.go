package server_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/recovery"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/blob/memblob"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/faultstore"
	"github.com/underseal/underseal/server/store/memstore"
)

const (
	recoveryHours = 48
	recoveryWait  = recoveryHours * time.Hour
)

// custody is a firm in which Bob, Cora and Ada are custodians, two of whom are enough. Dora left her identity with them, Olga
// owns the firm as well, Paul works in it, Gina is a guest of a matter alone.
type custody struct {
	*world
	ada, olga, bob, cora, dora, paul, gina *player
	firm                                   wire.ChainID
	policy                                 chain.Policy
	escrow                                 chain.Submission
	link                                   chain.RecoveryLink
	claimant                               *player
	claim                                  chain.Claim
}

func newCustody(w *world) *custody {
	w.t.Helper()
	o := &custody{world: w, ada: w.founder()}
	o.firm = o.ada.firm
	f := o.ada.replay(o.firm)
	for _, x := range []struct {
		p    **player
		role chain.Role
	}{{&o.olga, chain.RoleOwner}, {&o.bob, chain.RoleParalegal}, {&o.cora, chain.RoleParalegal}, {&o.dora, chain.RoleParalegal}, {&o.paul, chain.RoleParalegal}} {
		*x.p = f.join(x.role).player
	}
	o.gina = o.ada.matter().join(chain.RoleClient).player
	o.policy = chain.DefaultPolicy()
	o.policy.Idle, o.policy.Absolute = 480, 1440
	o.policy.RecoveryK, o.policy.RecoveryHours = 2, recoveryHours
	for _, p := range []*player{o.ada, o.bob, o.cora} {
		o.policy.Custodians = append(o.policy.Custodians, chain.Custodian{Member: p.author.Member, Fingerprint: wire.Hash(p.author.Identity.Public().Fingerprint())})
	}
	o.policy = o.policy.Normal()
	o.sets(o.policy)
	return o
}

func (o *custody) path() string { return api.Chain(o.firm, o.firm) + "/entries" }

func (o *custody) state() *chain.State { return o.ada.replay(o.firm).state }

func (o *custody) sets(p chain.Policy) {
	o.t.Helper()
	sub, err := o.state().SetPolicy(o.ada.author, p)
	o.ok(err)
	want[api.ChainHead](o.t, o.ada.send(o.path(), sub))
}

func split(k, n int) ([32]byte, [][]byte, error) { return recovery.Split(nil, k, n) }

// leaves has somebody leave his identity.
func (o *custody) leaves(p *player) chain.Submission {
	o.t.Helper()
	sub, err := o.state().Escrow(p.author, p.seed, split)
	o.ok(err)
	want[api.ChainHead](o.t, p.send(o.path(), sub))
	return sub
}

// begin has Dora leave her identity, and Ada begin to hand it back.
func (o *custody) begin() {
	o.t.Helper()
	o.escrow = o.leaves(o.dora)
	o.begins(o.ada)
}

func (o *custody) begins(by *player) chain.Submission {
	o.t.Helper()
	sub, link, err := o.state().Recover(by.author, o.dora.author.Member, "She lost her laptop.", o.clock.now().Add(10*24*time.Hour))
	o.ok(err)
	want[api.ChainHead](o.t, by.send(o.path(), sub))
	o.link = link
	return sub
}

func (o *custody) vetoes(p *player) chain.Submission {
	o.t.Helper()
	sub, err := o.state().Veto(p.author, o.link.Recovery, "It was not she.")
	o.ok(err)
	want[api.ChainHead](o.t, p.send(o.path(), sub))
	return sub
}

// seatOf has somebody's seat in the firm's own chain stand otherwise.
func (o *custody) seatOf(p *player, state access.SeatState) {
	o.t.Helper()
	o.ok(o.store.Update(context.Background(), layout.FirmPartition(o.firm), func(tx store.Tx) error {
		seat, _, err := layout.Get[access.Seat](tx, layout.SeatKey(o.firm, p.author.Member))
		seat.State = state
		return errors.Join(err, layout.Put(tx, layout.SeatKey(o.firm, p.author.Member), seat))
	}))
}

func (o *custody) at(what string) string {
	return api.RecoveryPath(o.firm, o.link.Recovery) + what
}

// enrolled makes an account with the link.
func (o *custody) enrolled() *player {
	o.t.Helper()
	p := o.player()
	p.firm = o.firm
	want[api.Account](o.t, p.finish(want[api.EnrolReply](o.t, p.json("POST", api.RouteEnrolments, api.EnrolRequest{Recovery: o.proof(api.ProofRecoveryEnrol, nil)}))))
	p.secondWay()
	return p
}

func (o *custody) proof(purpose string, subject []byte) *api.RecoveryProof {
	p := api.RecoveryProof{Firm: o.firm, Recovery: o.link.Recovery}
	p.Signature = ed25519.Sign(o.link.Key(), api.RecoveryProofMessage(purpose, p, subject))
	return &p
}

// claimOf is a claim of an account's, to keys of his own as the link's member.
func (o *custody) claimOf(p *player) api.RecoveryClaim {
	o.t.Helper()
	c, err := o.link.Claim(p.author.Identity)
	o.ok(err)
	b := c.Bundle.Bytes()
	return api.RecoveryClaim{Bundle: b, Signature: c.Signature, Proof: o.proof(api.ProofRecoveryClaim, api.ClaimSubject(p.account, b)).Signature}
}

// claims has somebody with the link make an account and ask.
func (o *custody) claims() {
	o.t.Helper()
	o.claimant = o.enrolled()
	standing := want[api.RecoveryStanding](o.t, o.claimant.json("POST", o.at("/claim"), o.claimOf(o.claimant)))
	if standing.K != 2 || standing.Agreed != 0 || standing.Escrow != nil || standing.Shares != nil || standing.Link != nil {
		o.t.Fatalf("%+v", standing)
	}
	var err error
	o.claim, err = o.link.Claim(o.claimant.author.Identity)
	o.ok(err)
}

// in signs everybody in again, after hours.
func (o *custody) in(people ...*player) {
	o.t.Helper()
	for _, p := range people {
		want[api.Account](o.t, p.signIn())
		p.open()
	}
}

// later is when the hours have passed, and all who are needed are signed in.
func (o *custody) later() {
	o.t.Helper()
	o.clock.advance(recoveryWait + time.Minute)
	o.in(o.ada, o.olga, o.bob, o.cora, o.dora, o.paul, o.gina)
	if o.claimant != nil {
		want[api.Account](o.t, o.claimant.signIn())
	}
}

// approval is a custodian's word.
func (o *custody) approval(p *player) chain.Submission {
	o.t.Helper()
	share := want[api.ShareReply](o.t, p.get(o.at("/share")))
	sub, err := o.state().Approve(p.author, o.link.Recovery, o.claim, share.Row, share.Hashes)
	o.ok(err)
	return sub
}

func (o *custody) agrees(p *player) {
	o.t.Helper()
	want[api.ChainHead](o.t, p.send(o.path(), o.approval(p)))
}

// handed puts the identity together.
func (o *custody) handed(s api.RecoveryStanding) ([32]byte, error) {
	o.t.Helper()
	reply := want[api.RecoveryReply](o.t, o.claimant.get(o.at("")))
	pkg, err := o.link.Open(reply.Package)
	o.ok(err)
	shares := map[wire.ObjectID][]byte{}
	for _, h := range s.Shares {
		shares[h.Custodian] = h.Row
	}
	return o.link.Handed(pkg, o.claimant.author.Identity, s.Escrow, shares, recovery.Combine)
}

// finishing is the request that binds, by the link that the identity which came back signed.
func (o *custody) finishing() (api.RecoveryFinish, *keys.Identity, chain.KeyLink) {
	o.t.Helper()
	standing := want[api.RecoveryStanding](o.t, o.claimant.get(o.at("/standing")))
	seed, err := o.handed(standing)
	o.ok(err)
	back, err := keys.NewIdentity(seed)
	o.ok(err)
	newest, err := chain.ParseKeyLink(standing.Link)
	o.ok(err)
	link, err := newest.Next(o.claim.Bundle, back)
	o.ok(err)
	return api.RecoveryFinish{Link: link.Bytes()}, back, link
}

// forged is an entry of the firm's chain that says anything, by somebody who may have no seat there. A server opens no envelope.
func (o *custody) forged(p *player, change func(*chain.Effect), rows ...chain.Row) chain.Submission {
	o.t.Helper()
	return o.forgedIn(o.state(), p, change, rows...)
}

func (o *custody) forgedIn(s *chain.State, p *player, change func(*chain.Effect), rows ...chain.Row) chain.Submission {
	o.t.Helper()
	ghost := *s.Members[o.ada.author.Member]
	ghost.ID, ghost.State = p.author.Member, chain.MemberSeated
	s.Members[p.author.Member] = &ghost
	sub, err := s.Declare(p.author)
	o.ok(err)
	sub = p.remade(sub, change)
	sub.Rows = rows
	return sub
}

func escrowing(policy uint64) func(*chain.Effect) {
	return func(e *chain.Effect) { e.Kind, e.Escrow = chain.KindEscrow, &chain.EscrowEffect{Policy: policy} }
}

func (o *custody) recovering(id, member wire.ObjectID, in time.Duration) func(*chain.Effect) {
	return func(e *chain.Effect) {
		e.Kind, e.Recover = chain.KindRecover, &chain.RecoverEffect{Recovery: id, Member: member, PublicKey: [32]byte{1}, Expires: uint64(o.clock.now().Add(in).Unix())}
	}
}

func approving(id wire.ObjectID, to wire.Hash) func(*chain.Effect) {
	return func(e *chain.Effect) {
		e.Kind, e.Approve = chain.KindApprove, &chain.ApproveEffect{Recovery: id, Fingerprint: to}
	}
}

func vetoing(id wire.ObjectID) func(*chain.Effect) {
	return func(e *chain.Effect) { e.Kind, e.Veto = chain.KindVeto, &chain.VetoEffect{Recovery: id} }
}

func row(kind chain.RowKind, to wire.ObjectID) chain.Row {
	return chain.Row{Kind: kind, Recipient: to, Bytes: []byte("sealed")}
}

// TestRecovery: Dora lost everything. She gets who she was back in a new account, everything of the old one in this firm has
// ended before she is told, and afterwards there is nothing to be had. S-RECOVERY-06 S-RECOVERY-08 S-RECOVERY-10 S-RECOVERY-11
func TestRecovery(t *testing.T) {
	o := newCustody(newWorld(t))
	second := o.dora.secondFirm()
	o.begin()
	reply := want[api.RecoveryReply](t, o.player().get(o.at("")))
	if reply.State != api.RecoveryOpen || reply.Opens != o.clock.now().Add(recoveryWait).Unix() || reply.Until != o.clock.now().Add(240*time.Hour).Unix() {
		t.Errorf("%+v", reply)
	}
	o.claims()
	o.later()
	if got := want[api.RecoveryStanding](t, o.claimant.get(o.at("/standing"))); got.Agreed != 0 || got.Escrow != nil {
		t.Errorf("%+v", got)
	}
	o.agrees(o.bob)
	// One of two is none.
	if got := want[api.RecoveryStanding](t, o.claimant.get(o.at("/standing"))); got.Agreed != 1 || got.Escrow != nil || got.Shares != nil || got.Link != nil {
		t.Errorf("%+v", got)
	}
	o.agrees(o.cora)
	req, back, link := o.finishing()
	if !back.Public().Equal(o.dora.author.Identity.Public()) {
		t.Fatal("another identity came back")
	}
	o.dora.firm = second
	o.dora.open()
	o.dora.firm = o.firm
	want[struct{}](t, o.claimant.json("POST", o.at("/finish"), req))
	refused(t, o.dora.look(o.firm), api.CodeSessionEnded)
	want[api.Chains](t, o.dora.look(second)) // another firm is none of this one's business
	want[struct{}](t, o.claimant.json("POST", o.at("/finish"), req))
	refused(t, o.dora.json("POST", api.Firm(o.firm)+"/sessions", o.dora.sessionRequest(o.dora.ticket())), api.CodeRecovered)
	for p, in := range map[*player]bool{o.dora: false, o.claimant: true} {
		if firms := want[api.Account](t, p.get(api.RouteAccount)).Firms; slices.Contains(firms, o.firm) != in {
			t.Errorf("%v: %v", in, firms)
		}
	}
	// She is herself again, with new keys, and puts them into her seat.
	o.claimant.author.Member, o.claimant.author.Former = o.dora.author.Member, []*keys.Identity{back}
	o.claimant.open()
	f := o.claimant.replay(o.firm)
	sub, err := f.state.Renew(o.claimant.author, link)
	o.ok(err)
	f.append(sub)
	if r := f.state.Recoveries[o.link.Recovery]; r.State != chain.RecoveryDone || len(r.Approvals) != 2 {
		t.Errorf("%+v", r)
	}
	for _, p := range []*player{o.claimant, o.bob} {
		for _, what := range []string{"/standing", "/share", "/claim"} {
			if a := p.get(o.at(what)); a.status < 400 {
				t.Errorf("%s: %s", what, a.body)
			}
		}
	}
	refused(t, o.claimant.json("POST", o.at("/finish"), req), api.CodeRecoveryGone)
	if got := want[api.RecoveryReply](t, o.player().get(o.at(""))); got.State != api.RecoveryDone || got.Package != nil || got.Until != 0 {
		t.Errorf("%+v", got)
	}
	for _, prefix := range []string{"escrow-row/", "share/", "handed/", "recovery-package/", "recovery-of/", "escrow/"} {
		if n := countRows(t, o.world, prefix)[prefix]; n != 0 {
			t.Errorf("%d rows are left of %s", n, prefix)
		}
	}
	ended := kinds(o.ada.events(o.firm), chain.EventSessionEnded, o.dora.author.Member)
	if !slices.ContainsFunc(ended, func(e chain.Event) bool { return e.Detail == "recovered" }) {
		t.Errorf("auditors are told %+v", ended)
	}
	links := o.ada.lookup(o.dora.author.Member)[0]
	if len(links) != 2 || !bytes.Equal(links[1].Bytes(), req.Link) {
		t.Errorf("%d links in the directory", len(links))
	}
}

// TestEscrowsTheServerRefuses: whose identity nobody leaves, with whom, and in what order. S-RECOVERY-01 (attacks 18, 19)
func TestEscrowsTheServerRefuses(t *testing.T) {
	o := newCustody(newWorld(t))
	newest := o.state().Policy.Position
	ids := []wire.ObjectID{o.policy.Custodians[0].Member, o.policy.Custodians[1].Member, o.policy.Custodians[2].Member}
	good := func(p *player) []chain.Row {
		return []chain.Row{row(chain.RowEscrow, p.author.Member), row(chain.RowShare, ids[0]), row(chain.RowShare, ids[1]), row(chain.RowShare, ids[2])}
	}
	changed := func(change func([]chain.Row)) []chain.Row {
		rows := good(o.dora)
		change(rows)
		return rows
	}
	for name, c := range map[string]struct {
		p      *player
		policy uint64
		rows   []chain.Row
		code   api.Code
	}{
		"a guest of a matter":       {o.gina, newest, good(o.gina), api.CodeNotFound},
		"a stranger":                {o.player(), newest, good(o.dora), api.CodeNotSignedIn},
		"another's":                 {o.paul, newest, good(o.dora), api.CodeBadRequest},
		"an older policy":           {o.dora, newest - 1, good(o.dora), api.CodeMoved},
		"a policy to come":          {o.dora, newest + 1, good(o.dora), api.CodeMoved},
		"no rows":                   {o.dora, newest, nil, api.CodeBadRequest},
		"a share too few":           {o.dora, newest, good(o.dora)[:3], api.CodeBadRequest},
		"a share too many":          {o.dora, newest, append(good(o.dora), row(chain.RowShare, o.paul.author.Member)), api.CodeBadRequest},
		"a share for somebody else": {o.dora, newest, changed(func(r []chain.Row) { r[2].Recipient = o.paul.author.Member }), api.CodeBadRequest},
		"another order":             {o.dora, newest, changed(func(r []chain.Row) { r[1], r[2] = r[2], r[1] }), api.CodeBadRequest},
		"no identity":               {o.dora, newest, changed(func(r []chain.Row) { r[0].Kind = chain.RowShare }), api.CodeBadRequest},
		"an empty share":            {o.dora, newest, changed(func(r []chain.Row) { r[3].Bytes = nil }), api.CodeBadRequest},
		"a custodian's own share":   {o.bob, newest, good(o.bob), api.CodeBadRequest},
		"nothing to take back":      {o.dora, 0, nil, api.CodeBadRequest},
	} {
		if c.p.firm.IsZero() {
			c.p.firm = o.firm
		}
		if got := c.p.send(o.path(), o.forged(c.p, escrowing(c.policy), c.rows...)); got.code() != c.code {
			t.Errorf("%s: %d %s, want %s", name, got.status, got.body, c.code)
		}
	}
	if n := countRows(t, o.world, "escrow", "share/"); n["escrow"]+n["share/"] != 0 {
		t.Fatalf("something was left: %v", n)
	}
	m := o.ada.matter()
	refused(t, o.ada.send(m.path()+"/entries", o.forgedIn(m.state, o.ada, escrowing(newest), good(o.ada)...)), api.CodeBadRequest)
	// A policy that names somebody who cannot hold a share is none.
	bad := o.policy
	bad.Custodians = append(slices.Clone(bad.Custodians), chain.Custodian{Member: o.gina.author.Member, Fingerprint: wire.Hash(o.gina.author.Identity.Public().Fingerprint())})
	bad = bad.Normal()
	setting := func(p chain.Policy) func(*chain.Effect) {
		return func(e *chain.Effect) { e.Kind, e.Policy = chain.KindPolicy, &p }
	}
	refused(t, o.ada.send(o.path(), o.forged(o.ada, setting(bad))), api.CodeBadRequest)
	bad = o.policy
	bad.Custodians = slices.Clone(bad.Custodians)
	bad.Custodians[1].Fingerprint[0] ^= 1
	refused(t, o.ada.send(o.path(), o.forged(o.ada, setting(bad))), api.CodeBadRequest)

	// The same again is answered as before; what came before it goes; what is taken back is gone.
	first := o.leaves(o.dora)
	want[api.ChainHead](t, o.dora.send(o.path(), first))
	o.leaves(o.dora)
	if n := countRows(t, o.world, "escrow-row/", "share/"); n["escrow-row/"] != 1 || n["share/"] != 3 {
		t.Errorf("%v", n)
	}
	refused(t, o.dora.send(o.path(), o.forged(o.dora, escrowing(0), good(o.dora)...)), api.CodeBadRequest)
	back, err := o.state().WithdrawEscrow(o.dora.author)
	o.ok(err)
	want[api.ChainHead](t, o.dora.send(o.path(), back))
	want[api.ChainHead](t, o.dora.send(o.path(), back))
	refused(t, o.dora.send(o.path(), o.forged(o.dora, escrowing(0))), api.CodeBadRequest)
	if n := countRows(t, o.world, "escrow-row/", "share/", "escrow/"); n["escrow-row/"]+n["share/"]+n["escrow/"] != 0 {
		t.Errorf("%v", n)
	}
	// A custodian who left holds nothing that anybody can leave with him; nor is there anything to agree to with recovery off.
	f := o.ada.replay(o.firm)
	f.remove(o.cora.author.Member)
	refused(t, o.dora.send(o.path(), o.forged(o.dora, escrowing(newest), good(o.dora)...)), api.CodeBadRequest)
	o.sets(chain.DefaultPolicy())
	refused(t, o.dora.send(o.path(), o.forged(o.dora, escrowing(o.state().Policy.Position), row(chain.RowEscrow, o.dora.author.Member))), api.CodeBadRequest)
}

// TestRecoveriesTheServerRefuses: who begins, of whom, until when. S-RECOVERY-04
func TestRecoveriesTheServerRefuses(t *testing.T) {
	o := newCustody(newWorld(t))
	id, dora := newID(t), o.dora.author.Member
	good := row(chain.RowPackage, id)
	begin := func(p *player, member wire.ObjectID, in time.Duration, rows ...chain.Row) answer {
		t.Helper()
		return p.send(o.path(), o.forged(p, o.recovering(id, member, in), rows...))
	}
	refused(t, begin(o.ada, dora, time.Hour, good), api.CodeRecoveryGone) // she left nothing
	o.leaves(o.dora)
	for name, c := range map[string]struct {
		p      *player
		member wire.ObjectID
		in     time.Duration
		rows   []chain.Row
		code   api.Code
	}{
		"herself":             {o.dora, dora, time.Hour, []chain.Row{good}, api.CodeForbidden},
		"who holds no share":  {o.paul, dora, time.Hour, []chain.Row{good}, api.CodeForbidden},
		"a guest of a matter": {o.gina, dora, time.Hour, []chain.Row{good}, api.CodeNotFound},
		"of who left nothing": {o.ada, o.paul.author.Member, time.Hour, []chain.Row{good}, api.CodeRecoveryGone},
		"of nobody":           {o.ada, newID(t), time.Hour, []chain.Row{good}, api.CodeRecoveryGone},
		"expired":             {o.ada, dora, 0, []chain.Row{good}, api.CodeBadRequest},
		"for a year":          {o.ada, dora, 365 * 24 * time.Hour, []chain.Row{good}, api.CodeBadRequest},
		"without a package":   {o.ada, dora, time.Hour, nil, api.CodeBadRequest},
		"another's package":   {o.ada, dora, time.Hour, []chain.Row{row(chain.RowPackage, newID(t))}, api.CodeBadRequest},
		"a share for one":     {o.ada, dora, time.Hour, []chain.Row{row(chain.RowShare, id)}, api.CodeBadRequest},
		"two packages":        {o.ada, dora, time.Hour, []chain.Row{good, good}, api.CodeBadRequest},
	} {
		if got := begin(c.p, c.member, c.in, c.rows...); got.code() != c.code {
			t.Errorf("%s: %d %s, want %s", name, got.status, got.body, c.code)
		}
	}
	m := o.ada.matter()
	refused(t, o.ada.send(m.path()+"/entries", o.forgedIn(m.state, o.ada, o.recovering(id, dora, time.Hour), good)), api.CodeBadRequest)
	if n := countRows(t, o.world, "recovery"); n["recovery"] != 0 {
		t.Fatalf("%v", n)
	}
	want[api.ChainHead](t, o.bob.send(o.path(), o.begins(o.bob)))        // a custodian, and the same again
	refused(t, begin(o.olga, dora, time.Hour, good), api.CodeBadRequest) // one at a time
	o.vetoes(o.olga)
	id, good = o.link.Recovery, row(chain.RowPackage, o.link.Recovery)
	refused(t, begin(o.ada, dora, time.Hour, good), api.CodeBadRequest) // an id is one recovery's for good
	o.begins(o.olga)
	// Who is removed is nobody to be handed back, and nothing of him is left.
	o.ada.replay(o.firm).remove(dora)
	if n := countRows(t, o.world, "recovery-of/", "recovery-package/", "share/"); n["recovery-of/"]+n["recovery-package/"]+n["share/"] != 0 {
		t.Errorf("%v", n)
	}
	refused(t, o.ada.send(o.path(), o.forged(o.ada, o.recovering(newID(t), dora, time.Hour), good)), api.CodeRecoveryGone)
}

// TestApprovalsTheServerRefuses: whose word is none, when, and for which keys. S-RECOVERY-05 S-RECOVERY-10
func TestApprovalsTheServerRefuses(t *testing.T) {
	o := newCustody(newWorld(t))
	o.begin()
	id := o.link.Recovery
	approve := func(p *player, to wire.Hash, rows ...chain.Row) answer {
		t.Helper()
		return p.send(o.path(), o.forged(p, approving(id, to), rows...))
	}
	own := func(p *player) chain.Row { return row(chain.RowShare, p.author.Member) }
	o.clock.advance(recoveryWait + time.Minute)
	o.in(o.bob, o.ada)
	refused(t, approve(o.bob, wire.Hash{}, own(o.bob)), api.CodeBadRequest)
	refused(t, approve(o.bob, wire.Hash{1}, own(o.bob)), api.CodeForbidden) // nobody claimed

	o = newCustody(newWorld(t))
	o.begin()
	o.claims()
	id = o.link.Recovery
	to := wire.Hash(o.claim.Bundle.Keys.Fingerprint())
	o.clock.advance(recoveryWait - time.Second)
	o.in(o.ada, o.olga, o.bob, o.cora, o.dora, o.paul, o.gina)
	refused(t, approve(o.bob, to, own(o.bob)), api.CodeTooEarly)
	refused(t, o.bob.get(o.at("/share")), api.CodeTooEarly)
	o.clock.advance(time.Second)
	for name, c := range map[string]struct {
		p    *player
		to   wire.Hash
		rows []chain.Row
		code api.Code
	}{
		"herself":             {o.dora, to, []chain.Row{own(o.dora)}, api.CodeForbidden},
		"an owner, no holder": {o.olga, to, []chain.Row{own(o.olga)}, api.CodeForbidden},
		"who holds no share":  {o.paul, to, []chain.Row{own(o.paul)}, api.CodeForbidden},
		"a guest of a matter": {o.gina, to, []chain.Row{own(o.gina)}, api.CodeNotFound},
		"other keys":          {o.bob, wire.Hash{9}, []chain.Row{own(o.bob)}, api.CodeForbidden},
		"no share":            {o.bob, to, nil, api.CodeBadRequest},
		"another's share":     {o.bob, to, []chain.Row{own(o.cora)}, api.CodeBadRequest},
		"two shares":          {o.bob, to, []chain.Row{own(o.bob), own(o.cora)}, api.CodeBadRequest},
		"another kind of row": {o.bob, to, []chain.Row{row(chain.RowEscrow, o.bob.author.Member)}, api.CodeBadRequest},
	} {
		if got := approve(c.p, c.to, c.rows...); got.code() != c.code {
			t.Errorf("%s: %d %s, want %s", name, got.status, got.body, c.code)
		}
	}
	refused(t, o.bob.send(o.path(), o.forged(o.bob, approving(newID(t), to), own(o.bob))), api.CodeRecoveryGone)
	if n := countRows(t, o.world, "handed/")["handed/"]; n != 0 {
		t.Fatalf("%d shares were handed over", n)
	}
	first := o.approval(o.bob)
	want[api.ChainHead](t, o.bob.send(o.path(), first))
	want[api.ChainHead](t, o.bob.send(o.path(), first))                       // the same again
	refused(t, approve(o.bob, to, own(o.bob)), api.CodeForbidden)             // twice
	refused(t, approve(o.cora, wire.Hash{9}, own(o.cora)), api.CodeForbidden) // other keys than Bob
	// A custodian who has no seat any more has no share any more.
	o.ada.replay(o.firm).remove(o.cora.author.Member)
	refused(t, approve(o.cora, to, own(o.cora)), api.CodeNotFound)
	refused(t, o.cora.get(o.at("/share")), api.CodeNotFound)
	// Readers take no word for the identity of somebody whose seat is frozen: a server that did would be called a liar.
	o.seatOf(o.dora, access.Frozen)
	refused(t, approve(o.ada, to, own(o.ada)), api.CodeRecoveryGone)
	o.seatOf(o.dora, access.Seated)
	// Stopped is stopped, whatever came before.
	o.vetoes(o.olga)
	refused(t, approve(o.ada, to, own(o.ada)), api.CodeRecoveryGone)
	refused(t, o.ada.get(o.at("/share")), api.CodeRecoveryGone)

	o = newCustody(newWorld(t))
	o.begin()
	o.claims()
	id = o.link.Recovery
	o.clock.advance(10 * 24 * time.Hour) // its time is over
	o.in(o.bob, o.ada)
	refused(t, approve(o.bob, wire.Hash(o.claim.Bundle.Keys.Fingerprint()), own(o.bob)), api.CodeRecoveryGone)
	refused(t, o.bob.get(o.at("/share")), api.CodeRecoveryGone)
	if got := want[api.RecoveryReply](t, o.player().get(o.at(""))); got.State != api.RecoveryExpired || got.Package != nil {
		t.Errorf("%+v", got)
	}
}

// TestVetoes: who stops a recovery, who does not, and that nothing is left to be had. S-RECOVERY-05 S-RECOVERY-10
func TestVetoes(t *testing.T) {
	stops := map[string]struct {
		who  func(*custody) *player
		code api.Code
	}{
		"herself":             {func(o *custody) *player { return o.dora }, ""},
		"an owner":            {func(o *custody) *player { return o.olga }, ""},
		"a custodian":         {func(o *custody) *player { return o.cora }, ""},
		"who holds no share":  {func(o *custody) *player { return o.paul }, api.CodeForbidden},
		"a guest of a matter": {func(o *custody) *player { return o.gina }, api.CodeNotFound},
	}
	for name, c := range stops {
		t.Run(name, func(t *testing.T) {
			o := newCustody(newWorld(t))
			o.begin()
			o.claims()
			o.later()
			o.agrees(o.bob)
			o.agrees(o.cora)
			p := c.who(o)
			refused(t, p.send(o.path(), o.forged(p, vetoing(o.link.Recovery), row(chain.RowShare, p.author.Member))), map[bool]api.Code{true: api.CodeBadRequest, false: c.code}[c.code == ""])
			if c.code != "" {
				refused(t, p.send(o.path(), o.forged(p, vetoing(o.link.Recovery))), c.code)
				want[api.RecoveryStanding](t, o.claimant.get(o.at("/standing")))
				return
			}
			want[api.ChainHead](t, p.send(o.path(), o.vetoes(p))) // the same again
			refused(t, p.send(o.path(), o.forged(p, vetoing(o.link.Recovery))), api.CodeRecoveryGone)
			refused(t, o.claimant.get(o.at("/standing")), api.CodeRecoveryGone)
			refused(t, o.claimant.json("POST", o.at("/claim"), o.claimOf(o.claimant)), api.CodeRecoveryGone)
			refused(t, o.bob.get(o.at("/claim")), api.CodeRecoveryGone)
			refused(t, o.player().json("POST", api.RouteEnrolments, api.EnrolRequest{Recovery: o.proof(api.ProofRecoveryEnrol, nil)}), api.CodeRecoveryGone)
			if got := want[api.RecoveryReply](t, o.player().get(o.at(""))); got.State != api.RecoveryStopped || got.Package != nil {
				t.Errorf("%+v", got)
			}
			if n := countRows(t, o.world, "handed/", "recovery-package/", "recovery-of/", "share/"); n["handed/"]+n["recovery-package/"]+n["recovery-of/"] != 0 || n["share/"] != 3 {
				t.Errorf("%v", n) // what she left stays with them: it was no fault of hers
			}
		})
	}
	t.Run("what is over", func(t *testing.T) {
		o := newCustody(newWorld(t))
		o.begin()
		o.clock.advance(30 * 24 * time.Hour)
		o.in(o.olga, o.ada)
		refused(t, o.olga.send(o.path(), o.forged(o.olga, vetoing(newID(t)))), api.CodeRecoveryGone)
		// One whose time is over is taken off by whoever begins the next.
		o.vetoes(o.olga)
		o.begins(o.olga)
	})
}

// TestClaims: who has the link asks, for keys that it signed, for an account that is nobody in the firm; until a custodian agreed
// another one may take its place, by the same link. S-RECOVERY-08 S-RECOVERY-09 (attack 18)
func TestClaims(t *testing.T) {
	o := newCustody(newWorld(t))
	o.begin()
	good := o.link
	claim := func(p *player, c api.RecoveryClaim) answer { return p.json("POST", o.at("/claim"), c) }

	// Without the link nobody makes an account, nor a claim.
	wrong := good
	wrong.Secret[0] ^= 1
	o.link = wrong
	stranger := o.player()
	stranger.firm = o.firm
	refused(t, stranger.json("POST", api.RouteEnrolments, api.EnrolRequest{Recovery: o.proof(api.ProofRecoveryEnrol, nil)}), api.CodeForbidden)
	o.link = good
	refused(t, stranger.json("POST", api.RouteEnrolments, api.EnrolRequest{Recovery: o.proof(api.ProofRecoveryClaim, nil)}), api.CodeForbidden)
	elsewhere := *o.proof(api.ProofRecoveryEnrol, nil)
	elsewhere.Firm[0] ^= 1
	refused(t, stranger.json("POST", api.RouteEnrolments, api.EnrolRequest{Recovery: &elsewhere}), api.CodeRecoveryGone)
	refused(t, stranger.json("POST", api.RouteEnrolments, api.EnrolRequest{Recovery: o.proof(api.ProofRecoveryEnrol, nil), Setup: o.setup()}), api.CodeBadRequest)
	refused(t, stranger.json("POST", o.at("/claim"), api.RecoveryClaim{}), api.CodeNotSignedIn)
	for _, p := range []struct{ firm, id string }{{o.firm.String(), newID(t).String()}, {newHash(t).String(), o.link.Recovery.String()}} {
		if got := want[api.RecoveryReply](t, o.player().get("/v1/firms/"+p.firm+"/recoveries/"+p.id)); got.State != api.RecoveryGone {
			t.Errorf("%+v", got)
		}
	}

	o.claimant = o.enrolled()
	c := o.claimOf(o.claimant)
	other := o.enrolled()
	o.link = wrong
	thief := o.claimOf(o.claimant)
	o.link = good
	bent := func(change func(*api.RecoveryClaim)) api.RecoveryClaim {
		x := api.RecoveryClaim{Bundle: bytes.Clone(c.Bundle), Signature: bytes.Clone(c.Signature), Proof: bytes.Clone(c.Proof)}
		change(&x)
		return x
	}
	o.link.Member = o.paul.author.Member
	another := o.claimOf(o.claimant)
	o.link = good
	for name, x := range map[string]struct {
		p    *player
		c    api.RecoveryClaim
		code api.Code
	}{
		"another link's":       {o.claimant, thief, api.CodeForbidden},
		"another member":       {o.claimant, another, api.CodeForbidden},
		"another account's":    {other, c, api.CodeForbidden}, // a custodian sees bundle and signature
		"no bundle":            {o.claimant, bent(func(x *api.RecoveryClaim) { x.Bundle = nil }), api.CodeBadRequest},
		"a bent signature":     {o.claimant, bent(func(x *api.RecoveryClaim) { x.Signature[3] ^= 1 }), api.CodeForbidden},
		"a short signature":    {o.claimant, bent(func(x *api.RecoveryClaim) { x.Signature = x.Signature[1:] }), api.CodeForbidden},
		"a bent proof":         {o.claimant, bent(func(x *api.RecoveryClaim) { x.Proof[3] ^= 1 }), api.CodeForbidden},
		"no proof":             {o.claimant, bent(func(x *api.RecoveryClaim) { x.Proof = nil }), api.CodeForbidden},
		"somebody in the firm": {o.paul, o.claimOf(o.paul), api.CodeForbidden},
	} {
		if got := claim(x.p, x.c); got.code() != x.code {
			t.Errorf("%s: %d %s, want %s", name, got.status, got.body, x.code)
		}
	}
	refused(t, o.bob.get(o.at("/claim")), api.CodeNotFound) // there is none yet
	want[api.RecoveryStanding](t, claim(o.claimant, c))
	want[api.RecoveryStanding](t, claim(o.claimant, c)) // the same again
	refused(t, other.get(o.at("/standing")), api.CodeRecoveryGone)
	refused(t, o.ada.get(o.at("/standing")), api.CodeRecoveryGone)
	// Those whom it concerns see it, and no others.
	for p, code := range map[*player]api.Code{o.dora: "", o.olga: "", o.bob: "", o.paul: api.CodeNotFound, o.gina: api.CodeNotFound} {
		a := p.get(o.at("/claim"))
		if a.code() != code {
			t.Errorf("%d %s, want %q", a.status, a.body, code)
		}
		if code == "" {
			if got := want[api.ClaimReply](t, a); !bytes.Equal(got.Bundle, c.Bundle) || !bytes.Equal(got.Signature, c.Signature) {
				t.Error("another claim is shown")
			}
		}
	}
	// Somebody else with the link, or the same person on a better device, takes its place; the first learns nothing more.
	want[api.RecoveryStanding](t, claim(other, o.claimOf(other)))
	refused(t, o.claimant.get(o.at("/standing")), api.CodeRecoveryGone)
	want[api.RecoveryStanding](t, claim(o.claimant, c))
	var err error
	o.claim, err = o.link.Claim(o.claimant.author.Identity)
	o.ok(err)
	o.later()
	want[api.Account](t, other.signIn())
	o.agrees(o.bob)
	refused(t, claim(other, o.claimOf(other)), api.CodeForbidden)
	o.link.Member = o.dora.author.Member
	changedKeys := o.player()
	changedKeys.account = o.claimant.account
	refused(t, claim(o.claimant, o.claimOf(changedKeys)), api.CodeForbidden) // not even the same account, to other keys
	want[api.RecoveryStanding](t, claim(o.claimant, c))

	// So many accounts are begun with a link, and no more.
	for range 30 {
		if a := o.player().json("POST", api.RouteEnrolments, api.EnrolRequest{Recovery: o.proof(api.ProofRecoveryEnrol, nil)}); a.status != 200 {
			refused(t, a, api.CodeRecoveryGone)
			return
		}
	}
	t.Error("a link makes as many accounts as its holder likes")
}

func newHash(t testing.TB) wire.Hash {
	t.Helper()
	a, b := newID(t), newID(t)
	return wire.Hash(append(a[:], b[:]...))
}

// TestFinishes: a member is bound to the account whose claim k custodians agreed to, by the link that his newest keys signed to
// exactly the claimed ones, once. S-RECOVERY-11
func TestFinishes(t *testing.T) {
	o := newCustody(newWorld(t))
	o.begin()
	o.claims()
	o.later()
	o.agrees(o.bob)
	finish := func(p *player, l chain.KeyLink) answer {
		return p.json("POST", o.at("/finish"), api.RecoveryFinish{Link: l.Bytes()})
	}
	// Who still has the old keys cannot bind them before enough agreed.
	first := o.ada.lookup(o.dora.author.Member)[0][0]
	real, err := first.Next(o.claim.Bundle, o.dora.author.Identity)
	o.ok(err)
	refused(t, finish(o.claimant, real), api.CodeForbidden)
	o.agrees(o.cora)
	req, back, link := o.finishing()
	thief := o.player()
	thief.author.Member = o.dora.author.Member
	toThief, err := chain.NewBundle(o.dora.author.Member, thief.author.Identity)
	o.ok(err)
	elsewhere, err := first.Next(toThief, back)
	o.ok(err)
	unsigned, err := first.Next(o.claim.Bundle, thief.author.Identity)
	o.ok(err)
	skipped := first
	skipped.Number++
	later, err := skipped.Next(o.claim.Bundle, back)
	o.ok(err)
	strange := link
	strange.Firm[0] ^= 1
	for name, l := range map[string]chain.KeyLink{"to other keys": elsewhere, "not signed by hers": unsigned, "out of order": later, "of another firm": strange} {
		if got := finish(o.claimant, l); got.status < 400 || got.code() == api.CodeInternal {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	refused(t, o.claimant.json("POST", o.at("/finish"), api.RecoveryFinish{Link: req.Link[1:]}), api.CodeBadRequest)
	for name, p := range map[string]*player{"an owner": o.ada, "a custodian": o.bob, "herself": o.dora, "somebody with the link": o.enrolled()} {
		if got := finish(p, link); got.code() != api.CodeRecoveryGone {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	refused(t, finish(o.player(), link), api.CodeNotSignedIn)
	// Nobody who works here has one way to unlock only. S-DECLARE-02
	kit := layout.VaultMethod(o.claimant.account, 2)
	o.ok(o.store.Update(context.Background(), layout.Accounts, func(tx store.Tx) error {
		return tx.Scan(kit, nil, 0, func(k, _ []byte) error { return tx.Delete(k) })
	}))
	refused(t, finish(o.claimant, link), api.CodeSecondWay)
	o.claimant.secondWay()
	want[api.Chains](t, o.dora.look(o.firm)) // nothing of all that ended her sessions
	if links := o.ada.lookup(o.dora.author.Member)[0]; len(links) != 1 {
		t.Fatalf("%d links", len(links))
	}
	// Of many at once one is done, and all are answered.
	answers := make([]answer, 8)
	var wg sync.WaitGroup
	for i := range answers {
		b := body(t, req)
		wg.Go(func() { answers[i], _ = o.claimant.try("POST", o.at("/finish"), api.TypeJSON, b, nil) })
	}
	wg.Wait()
	for _, a := range answers {
		want[struct{}](t, a)
	}
	if links := o.ada.lookup(o.dora.author.Member)[0]; len(links) != 2 {
		t.Errorf("%d links", len(links))
	}
	// She is handed back: it is too late to stop it, or to hand her to anybody else.
	refused(t, o.olga.send(o.path(), o.forged(o.olga, vetoing(o.link.Recovery))), api.CodeRecoveryGone)
	refused(t, finish(o.claimant, elsewhere), api.CodeForbidden)
	// A session of the old account that was being opened meanwhile leads nowhere, and one that is open is at its end.
	refused(t, o.dora.get(api.Firm(o.firm)+"/chains"), api.CodeSessionEnded)

	// Who renewed her keys by herself meanwhile is not handed to anybody by the keys she had.
	o = newCustody(newWorld(t))
	o.begin()
	o.claims()
	o.later()
	o.agrees(o.bob)
	o.agrees(o.cora)
	_, _, link = o.finishing()
	first = o.ada.lookup(o.dora.author.Member)[0][0]
	own := o.player()
	b, err := chain.NewBundle(o.dora.author.Member, own.author.Identity)
	o.ok(err)
	renewed, err := first.Next(b, o.dora.author.Identity)
	o.ok(err)
	o.ok(o.store.Update(context.Background(), layout.FirmPartition(o.firm), func(tx store.Tx) error { return o.log.PutLink(tx, renewed) }))
	refused(t, finish(o.claimant, link), api.CodeBadRequest)
}

// TestApprovalEnds: what a custodian agreed to counts as long as his seat: once he is removed or frozen nothing is handed over that
// he handed over, nor is anybody bound by it. S-RECOVERY-18
func TestApprovalEnds(t *testing.T) {
	standing := func(o *custody, agreed int) {
		t.Helper()
		got := want[api.RecoveryStanding](t, o.claimant.get(o.at("/standing")))
		if enough := agreed >= 2; got.Agreed != agreed || (got.Escrow != nil) != enough || (len(got.Shares) == agreed) != enough {
			t.Errorf("%d of 2 agreed, and %d shares are handed over; want %d", got.Agreed, len(got.Shares), agreed)
		}
		if n := countRows(t, o.world, "handed/")["handed/"]; n != agreed {
			t.Errorf("%d shares are kept of %d", n, agreed)
		}
	}
	// claimed is where custodians may agree, and somebody else who has the link.
	claimed := func(t *testing.T) (o *custody, other *player) {
		o = newCustody(newWorld(t))
		o.begin()
		o.claims()
		other = o.enrolled()
		o.later()
		want[api.Account](t, other.signIn())
		return o, other
	}
	t.Run("removed", func(t *testing.T) {
		o, _ := claimed(t)
		o.agrees(o.bob)
		o.agrees(o.cora)
		req, _, _ := o.finishing()
		o.ada.replay(o.firm).remove(o.bob.author.Member)
		standing(o, 1)
		refused(t, o.claimant.json("POST", o.at("/finish"), req), api.CodeForbidden)
		o.agrees(o.ada)
		standing(o, 2)
		req, _, _ = o.finishing()
		want[struct{}](t, o.claimant.json("POST", o.at("/finish"), req))
	})
	t.Run("after she was bound", func(t *testing.T) {
		o, other := claimed(t)
		o.agrees(o.bob)
		o.agrees(o.cora)
		req, _, _ := o.finishing()
		want[struct{}](t, o.claimant.json("POST", o.at("/finish"), req))
		o.ada.replay(o.firm).remove(o.bob.author.Member, o.cora.author.Member)
		refused(t, other.json("POST", o.at("/claim"), o.claimOf(other)), api.CodeForbidden) // nobody takes her place
		want[struct{}](t, o.claimant.json("POST", o.at("/finish"), req))                    // cut off, it goes on
	})
	t.Run("nobody is left", func(t *testing.T) {
		o, other := claimed(t)
		o.agrees(o.bob)
		refused(t, other.json("POST", o.at("/claim"), o.claimOf(other)), api.CodeForbidden)
		o.ada.replay(o.firm).remove(o.bob.author.Member)
		want[api.RecoveryStanding](t, other.json("POST", o.at("/claim"), o.claimOf(other)))
		o.claimant = other
		var err error
		o.claim, err = o.link.Claim(other.author.Identity)
		o.ok(err)
		o.agrees(o.cora)
		o.agrees(o.ada)
		standing(o, 2)
	})
	t.Run("frozen", func(t *testing.T) {
		o := newCustody(newWorld(t))
		f := o.ada.replay(o.firm)
		sub, l, err := f.state.Invite(f.author, "Vera Custodian", chain.RoleParalegal, chain.ModeOpensAtOnce, o.clock.now().Add(10*24*time.Hour), "Advocate LLP")
		o.ok(err)
		f.append(sub)
		vera, second := o.guest(l), o.guest(l)
		pkg, err := l.OpenPackage(want[api.InviteReply](t, second.get(second.invitePath(l))).Package)
		o.ok(err)
		accepted := vera.acceptance(l)
		want[api.ChainHead](t, vera.send(o.path(), accepted))
		o.ok(f.state.Apply(accepted.Entry))
		o.policy.Custodians = append(o.policy.Custodians, chain.Custodian{Member: vera.author.Member, Fingerprint: wire.Hash(vera.author.Identity.Public().Fingerprint())})
		o.policy = o.policy.Normal()
		o.sets(o.policy)
		o.begin()
		o.claims()
		o.later()
		o.in(vera)
		o.agrees(vera)
		o.agrees(o.bob)
		standing(o, 2)
		want[api.Account](t, second.signIn())
		second.openAsGuest(l)
		head := want[api.ChainHead](t, f.get(f.path()))
		two, err := l.Accept(second.author, pkg, head.Position, head.Head)
		o.ok(err)
		want[api.ChainHead](t, second.do("POST", o.path(), api.TypeBinary, bytes.NewReader(two.Bytes()), map[string]string{api.HeaderSecondGuest: "1"}))
		if s := o.state().Members[vera.author.Member].State; s != chain.MemberFrozen {
			t.Fatalf("she is %v", s)
		}
		standing(o, 1)
	})
}

// TestFinishFaults makes every write of the last step fail, in each of the ways a write fails. The same request again ends what it
// began. S-RECOVERY-11
func TestFinishFaults(t *testing.T) {
	for _, fault := range []faultstore.Fault{faultstore.Refuse, faultstore.Discard, faultstore.Lose} {
		for n := int64(1); ; n++ {
			if n > 20 {
				t.Fatal("the step does not end")
			}
			var faults *faultstore.Store
			armed, begun := false, int64(0)
			plan := func(i int64, _ string) faultstore.Fault {
				if armed && i == begun+n {
					return fault
				}
				return faultstore.None
			}
			o := newCustody(newWorldOn(t, func(hook store.Hook) store.Store {
				faults = faultstore.New(memstore.New(hook), plan)
				return faults
			}, memblob.New(), nil))
			o.begin()
			o.claims()
			o.later()
			o.agrees(o.bob)
			o.agrees(o.cora)
			req, back, link := o.finishing()
			armed, begun = true, faults.Updates()
			var met bool
			a := o.claimant.json("POST", o.at("/finish"), req)
			for range 3 {
				if a.code() != api.CodeUnavailable {
					break
				}
				met = true
				a = o.claimant.json("POST", o.at("/finish"), req)
			}
			want[struct{}](t, a)
			armed = false
			what := fmt.Sprint(fault, " ", n)
			if firms := want[api.Account](t, o.claimant.get(api.RouteAccount)).Firms; !slices.Contains(firms, o.firm) {
				t.Errorf("%s: the account is not in the firm", what)
			}
			if firms := want[api.Account](t, o.dora.get(api.RouteAccount)).Firms; slices.Contains(firms, o.firm) {
				t.Errorf("%s: the old account is", what)
			}
			refused(t, o.dora.look(o.firm), api.CodeSessionEnded)
			o.claimant.author.Member, o.claimant.author.Former = o.dora.author.Member, []*keys.Identity{back}
			o.claimant.open()
			f := o.claimant.replay(o.firm)
			sub, err := f.state.Renew(o.claimant.author, link)
			o.ok(err)
			f.append(sub)
			if !met && n >= faults.Updates()-begun {
				break
			}
		}
	}
}

// TestRecoverySecrets: nothing of a link, nor of what it leads to, stands in the store. S-RECOVERY-03
func TestRecoverySecrets(t *testing.T) {
	o := newCustody(newWorld(t))
	o.begin()
	o.claims()
	o.later()
	o.agrees(o.bob)
	o.agrees(o.cora)
	o.finishing()
	raw := rawDump(t, o.world)
	for name, secret := range map[string][]byte{"the link's secret": o.link.Secret[:], "its key": o.link.Key().Seed(), "the identity": o.dora.seed[:], "the reason": []byte("She lost her laptop."), "a name": []byte("Clara Client")} {
		if strings.Contains(raw, string(secret)) {
			t.Errorf("the store holds %s", name)
		}
	}
}

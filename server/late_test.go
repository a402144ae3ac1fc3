package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"sync"
	"testing"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/server/blob/memblob"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// late is a body that is held back until the server asks for it, and what happens meanwhile.
type late struct {
	io.Reader
	once      sync.Once
	meanwhile func()
}

func (l *late) Read(b []byte) (int, error) {
	l.once.Do(l.meanwhile)
	return l.Reader.Read(b)
}

// jsonLate is a request of which the server has the first lines before something happens, and the body after it.
func (p *player) jsonLate(method, path string, v any, meanwhile func()) answer {
	p.t.Helper()
	b, err := json.Marshal(v)
	p.ok(err)
	return p.do(method, path, api.TypeJSON, &late{Reader: bytes.NewReader(b), meanwhile: meanwhile}, map[string]string{"Expect": "100-continue"})
}

// newPassphrase is a request that lets one more login key in: a thief's.
func (p *player) newPassphrase() api.PutVault {
	p.t.Helper()
	thief := p.player()
	begun := want[api.SignInReply](p.t, p.json("POST", api.RouteSignIns, struct{}{}))
	login := thief.proof(begun.Challenge)
	return api.PutVault{SignIn: begun.SignIn, Login: login, Entry: api.VaultEntry{Method: login.Method, ID: login.PublicKey, Wrapped: []byte("sealed")}}
}

// TestHeldBack: a session that was ended while its request waited for a body does nothing with it. S-SESSION-04
func TestHeldBack(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	lost := ada.elsewhere()
	put, id := lost.newPassphrase(), lost.current().ID
	refused(t, lost.jsonLate("PUT", api.RouteVault, put, func() { want[struct{}](t, ada.endSession(id)) }), api.CodeSessionEnded)
	if n := len(want[api.Account](t, ada.get(api.RouteAccount)).Vault); n != 1 {
		t.Errorf("%d ways to unlock", n)
	}
}

// between is a store in which something happens between a look and the write that follows it.
type between struct {
	store.Store
	mu        sync.Mutex // guards what follows
	looks     string     // the partition before whose next look it happens; none: before the next write
	meanwhile func()
}

func (b *between) Update(ctx context.Context, partition string, fn func(store.Tx) error) error {
	b.happen("")
	return b.Store.Update(ctx, partition, fn)
}

func (b *between) View(ctx context.Context, partition string, fn func(store.Tx) error) error {
	b.happen(partition)
	return b.Store.View(ctx, partition, fn)
}

func (b *between) happen(looks string) {
	b.mu.Lock()
	meanwhile := b.meanwhile
	if b.looks != looks {
		meanwhile = nil
	}
	if meanwhile != nil {
		b.meanwhile = nil
	}
	b.mu.Unlock()
	if meanwhile != nil {
		meanwhile()
	}
}

// next has something happen before the next write.
func (b *between) next(meanwhile func()) { b.nextLook("", meanwhile) }

// nextLook has it happen before the next look at a partition.
func (b *between) nextLook(partition string, meanwhile func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.looks, b.meanwhile = partition, meanwhile
}

// TestEndedMeanwhile: nor does one that was ended after it was looked at and before anything was written, in its account or in a
// firm. S-SESSION-04
func TestEndedMeanwhile(t *testing.T) {
	b := new(between)
	w := newWorldOn(t, func(h store.Hook) store.Store { b.Store = memory(h); return b }, memblob.New(), nil)
	ada := w.founder()
	m := ada.matter()
	for name, act := range map[string]func(lost *player, now func()) answer{
		"a way to unlock": func(lost *player, now func()) answer {
			put := lost.newPassphrase()
			now()
			return lost.json("PUT", api.RouteVault, put)
		},
		"a passkey": func(lost *player, now func()) answer {
			now()
			return lost.json("POST", api.RoutePasskeys, struct{}{})
		},
		"an app": func(lost *player, now func()) answer {
			now()
			return lost.json("POST", api.RouteTOTP, struct{}{})
		},
		"no password": func(lost *player, now func()) answer {
			now()
			return lost.do("DELETE", api.RoutePassword, "", nil, nil)
		},
		"other sessions": func(lost *player, now func()) answer {
			now()
			return lost.do("DELETE", api.RouteAccountSessions, "", nil, nil)
		},
		"a device": func(lost *player, now func()) answer {
			n := lost.newcomer()
			want[api.DeviceRequest](t, n.ask())
			answer := lost.answers(n.keys.Request()).Bytes()
			now()
			return lost.putAnswer(n.code, answer)
		},
		"a matter": func(lost *player, now func()) answer {
			sub, _, _, err := chain.Found(lost.author, chain.Charter{Kind: chain.KindCompartment, Firm: lost.firm}, "Doe v. Roe", "Ada Advocate")
			w.ok(err)
			now()
			return lost.do("POST", api.Firm(lost.firm)+"/chains", api.TypeBinary, bytes.NewReader(sub.Bytes()), nil)
		},
		"a firm": func(lost *player, now func()) answer {
			secret, first := w.setup(), lost.firm
			defer func() { lost.firm = first }()
			reply := want[api.EnrolReply](t, lost.json("POST", api.RouteEnrolments, api.EnrolRequest{Setup: secret}))
			req, _ := lost.foundRequest(secret, *reply.Log)
			now()
			return lost.json("POST", api.RouteFirms, req)
		},
		"an entry": func(lost *player, now func()) answer {
			sub, _, err := m.state.Invite(lost.author, "Clara Client", chain.RoleClient, chain.ModeOpensAtOnce, w.clock.now().AddDate(0, 0, 1), "Advocate LLP")
			w.ok(err)
			now()
			return lost.do("POST", m.path()+"/entries", api.TypeBinary, bytes.NewReader(sub.Bytes()), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			lost := ada.elsewhere()
			lost.open()
			id := lost.current().ID
			a := act(lost, func() { b.next(func() { want[struct{}](t, ada.endSession(id)) }) })
			refused(t, a, api.CodeSessionEnded)
		})
	}
}

// TestEndedBeforeRecovery: nor does one take an identity that custodians hand back, be it ended while the firm was looked at: a
// claim and a binding are the firm's, and the session is looked at last before them. S-SESSION-04
func TestEndedBeforeRecovery(t *testing.T) {
	b := new(between)
	o := newCustody(newWorldOn(t, func(h store.Hook) store.Store { b.Store = memory(h); return b }, memblob.New(), nil))
	o.begin()
	o.claims()
	ends := func(lost *player, act func() answer) {
		t.Helper()
		id := lost.current().ID
		b.nextLook(layout.FirmPartition(o.firm), func() { want[struct{}](t, o.claimant.endSession(id)) })
		refused(t, act(), api.CodeSessionEnded)
	}
	before := want[api.ClaimReply](t, o.bob.get(o.at("/claim")))
	lost := o.claimant.elsewhere()
	lost.author.Identity = o.player().author.Identity // other keys, for the same account
	ends(lost, func() answer { return lost.json("POST", o.at("/claim"), o.claimOf(lost)) })
	if got := want[api.ClaimReply](t, o.bob.get(o.at("/claim"))); !bytes.Equal(got.Bundle, before.Bundle) {
		t.Error("the claim is another one's")
	}
	o.later()
	o.agrees(o.bob)
	o.agrees(o.cora)
	req, _, _ := o.finishing()
	lost = o.claimant.elsewhere()
	ends(lost, func() answer { return lost.json("POST", o.at("/finish"), req) })
	want[api.Chains](t, o.dora.look(o.firm)) // nobody is bound
	want[struct{}](t, o.claimant.json("POST", o.at("/finish"), req))
}

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
	mu        sync.Mutex // guards meanwhile
	meanwhile func()
}

func (b *between) Update(ctx context.Context, partition string, fn func(store.Tx) error) error {
	b.mu.Lock()
	meanwhile := b.meanwhile
	b.meanwhile = nil
	b.mu.Unlock()
	if meanwhile != nil {
		meanwhile()
	}
	return b.Store.Update(ctx, partition, fn)
}

func (b *between) next(meanwhile func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.meanwhile = meanwhile
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

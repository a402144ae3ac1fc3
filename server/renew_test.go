package server_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/keys/vrf"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/directory"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// directoryLinks are the links that the directory has of a player; the first one, where it has none yet.
func (p *player) directoryLinks() (links []chain.KeyLink) {
	p.t.Helper()
	p.ok(p.store.View(context.Background(), layout.FirmPartition(p.firm), func(tx store.Tx) error {
		return tx.Scan(layout.KeyLinksOf(p.author.Member), nil, 0, func(_, v []byte) error {
			link, err := chain.ParseKeyLink(bytes.Clone(v))
			links = append(links, link)
			return err
		})
	}))
	if links == nil {
		bundle, err := chain.ParseBundle(p.bundle())
		p.ok(err)
		links = append(links, chain.FirstKeyLink(p.firm, bundle))
	}
	return links
}

// nextKeys are new keys of a player, and the link to them from the last of links.
func (p *player) nextKeys(links ...chain.KeyLink) (*keys.Identity, chain.KeyLink) {
	p.t.Helper()
	seed, err := keys.GenerateIdentitySeed(rand.Reader)
	p.ok(err)
	identity, err := keys.NewIdentity(seed)
	p.ok(err)
	bundle, err := chain.NewBundle(p.author.Member, identity)
	p.ok(err)
	link, err := links[len(links)-1].Next(bundle, p.author.Identity)
	p.ok(err)
	return identity, link
}

func (p *player) putKeys(link chain.KeyLink) answer {
	p.t.Helper()
	return p.do("PUT", api.Seen(api.Firm(p.firm)+"/keys", p.logs.seen(p.firm).Size), api.TypeBinary, bytes.NewReader(link.Bytes()), nil)
}

// linked verifies the receipt for a link.
func (p *player) linked(a answer, link chain.KeyLink) {
	p.t.Helper()
	reply := want[api.Linked](p.t, a)
	l := p.logs.of[p.firm]
	output, err := vrf.Verify(l.VRF, directory.Label(p.firm, link.Member, link.Number), reply.Proof)
	p.ok(err)
	r, err := log.ParseReceipt([]byte(reply.Receipt))
	p.ok(err)
	if _, err := r.Verify(l.keys, directory.Leaf(link, output).Hash()); err != nil {
		p.t.Fatal(err)
	}
}

// newRoot is a request that replaces the root of a player: by his keyring key, with the kit and the login key that he has.
func (p *player) newRoot(revision uint64, ring ed25519.PrivateKey, kit ed25519.PrivateKey) api.NewRoot {
	p.t.Helper()
	return p.newRootOver(want[api.SignInReply](p.t, p.json("POST", api.RouteSignIns, struct{}{})), revision, ring, kit)
}

func (p *player) newRootOver(s api.SignInReply, revision uint64, ring, kit ed25519.PrivateKey) api.NewRoot {
	p.t.Helper()
	login := (&player{world: p.world, login: kit}).proof(s.Challenge)
	login.Method = uint8(vault.MethodKit)
	pass := p.proof(s.Challenge)
	req := api.NewRoot{Revision: revision, Keyring: []byte("ring under the next root"), KeyringKey: ring.Public().(ed25519.PublicKey), SignIn: s.SignIn,
		Vault: []api.VaultEntry{{Method: login.Method, ID: login.PublicKey, Wrapped: []byte("w"), LoginKey: login.PublicKey}, {Method: pass.Method, ID: pass.PublicKey}}, Logins: []api.LoginProof{*login, *pass}}
	req.Signature = ed25519.Sign(p.ring, api.RootMessage(p.account, req))
	return req
}

// renewRoot replaces the root of a player, whose next session may bring new keys.
func (p *player) renewRoot() {
	p.t.Helper()
	next := newKey(p.t)
	revision := want[api.Account](p.t, p.get(api.RouteAccount)).Revision
	want[api.Account](p.t, p.json("POST", api.RouteRoot, p.newRoot(revision, next, newKey(p.t))))
	p.ring = next
}

// TestNextKeys: a member's next keys are taken with a receipt, once for each root, and end his other sessions in the firm.
// S-ROOT-04 S-ROOT-05
func TestNextKeys(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	m := ada.matter()
	clara := m.join(chain.RoleClient)
	_, link := clara.nextKeys(clara.directoryLinks()...)
	// A session of somebody who shows no factor brings no keys: he could never be got rid of again.
	refused(t, clara.putKeys(link), api.CodeForbidden)
	clara.renewRoot()
	refused(t, clara.putKeys(link), api.CodeForbidden) // by a session from before
	elsewhere := clara.twin()
	elsewhere.open()
	clara.open()
	if keys := want[api.Ticket](t, clara.json("POST", api.RouteTickets, api.TicketRequest{Firm: clara.firm})).Keys; keys != wire.Hash(clara.author.Identity.Public().Fingerprint()) {
		t.Errorf("a ticket names other keys: %s", keys)
	}
	before := dump(t, w, seenByServer...)
	_, hers := ada.nextKeys(ada.directoryLinks()...)
	_, far := clara.nextKeys(clara.directoryLinks()[0], link)
	forged := link
	forged.Signature = bytes.Clone(link.Signature)
	forged.Signature[0] ^= 1
	other := link
	other.Firm[0] ^= 1
	for name, l := range map[string]chain.KeyLink{"another's": hers, "one too far": far, "a forged one": forged, "another firm's": other} {
		if a := clara.putKeys(l); a.code() != api.CodeForbidden && a.code() != api.CodeNotFound {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	refused(t, ada.putKeys(link), api.CodeForbidden) // Clara's, by another member
	refused(t, clara.do("PUT", api.Firm(clara.firm)+"/keys", api.TypeBinary, bytes.NewReader(link.Bytes()[1:]), nil), api.CodeBadRequest)
	if dump(t, w, seenByServer...) != before {
		t.Fatal("a refused link changed something")
	}

	clara.linked(clara.putKeys(link), link)
	clara.linked(clara.putKeys(link), link) // the same again
	refused(t, elsewhere.get(clara.path()), api.CodeSessionEnded)
	want[api.ChainHead](t, clara.get(clara.path())) // her own goes on
	_, second := clara.nextKeys(clara.directoryLinks()...)
	refused(t, clara.putKeys(second), api.CodeForbidden) // once for each root

	// The next session is certified by the new keys alone.
	refused(t, clara.json("POST", api.Firm(clara.firm)+"/sessions", clara.sessionRequest(clara.ticket())), api.CodeForbidden)
}

// TestKeysThatWere: keys that a member had, or that another one has, are no next ones: readers would call the server a liar that
// takes them, and stop. S-RENEW-02
func TestKeysThatWere(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	clara := ada.matter().join(chain.RoleClient).player
	first := clara.author.Identity
	leads := func(to *keys.Identity) chain.KeyLink {
		t.Helper()
		bundle, err := chain.NewBundle(clara.author.Member, to)
		w.ok(err)
		links := clara.directoryLinks()
		link, err := links[len(links)-1].Next(bundle, clara.author.Identity)
		w.ok(err)
		return link
	}
	clara.renewRoot()
	clara.open()
	refused(t, clara.putKeys(leads(ada.author.Identity)), api.CodeForbidden)
	next, link := clara.nextKeys(clara.directoryLinks()...)
	clara.linked(clara.putKeys(link), link)
	clara.author.Identity = next
	clara.renewRoot()
	clara.open()
	refused(t, clara.putKeys(leads(first)), api.CodeForbidden)
	_, link = clara.nextKeys(clara.directoryLinks()...)
	clara.linked(clara.putKeys(link), link)
}

// TestNextKeysAtOnce: of two links that race one is taken, and the other one's sender is told.
func TestNextKeysAtOnce(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	ada.renewRoot()
	ada.open()
	_, one := ada.nextKeys(ada.directoryLinks()...)
	_, two := ada.nextKeys(ada.directoryLinks()...)
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[api.Code]int{}
	for _, link := range []chain.KeyLink{one, two, one, two} {
		wg.Go(func() {
			a, err := ada.try("PUT", api.Firm(ada.firm)+"/keys", api.TypeBinary, bytes.NewReader(link.Bytes()), nil)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			codes[a.code()]++
		})
	}
	wg.Wait()
	if codes[""] != 2 || codes[api.CodeForbidden] != 2 || len(ada.directoryLinks()) != 2 {
		t.Fatalf("%v, %d links", codes, len(ada.directoryLinks()))
	}
}

// twin is the same person in another browser.
func (p *player) twin() *player {
	p.t.Helper()
	q := *p
	q.cookies, q.opened = map[string]string{}, nil
	want[api.Account](p.t, q.signIn())
	return &q
}

// TestNewRoot: with the word of the root before, and a factor, an account gets another one; what the old one made ends.
// S-ROOT-01 S-ROOT-02 S-ROOT-03
func TestNewRoot(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	m := ada.matter()
	passkey := newAuthenticator(t)
	begun, _ := ada.beginPasskey()
	want[api.Account](t, ada.finishPasskey(passkey, begun, true))
	oldKit, oldRing := newKey(t), ada.ring
	want[api.Account](t, ada.putKit(oldKit))
	twin := ada.twin()
	twin.open()
	next, kit := newKey(t), newKey(t)

	// A stolen cookie with a proof, and without the root; and the root without a proof.
	eve := ada.thief()
	eve.ring, eve.login = newKey(t), ada.login
	refused(t, eve.json("POST", api.RouteRoot, eve.newRoot(1, next, kit)), api.CodeForbidden)
	w.clock.advance(api.ProofSeconds * time.Second)
	refused(t, ada.json("POST", api.RouteRoot, ada.newRoot(1, next, kit)), api.CodeProveAgain)
	want[api.Account](t, ada.showFactor(ada))
	mallory := w.founder()
	unchanged := want[api.Account](t, ada.get(api.RouteAccount))
	signed := func(change func(*api.NewRoot), by ed25519.PrivateKey) api.NewRoot {
		req := ada.newRoot(1, next, kit)
		change(&req)
		req.Signature = ed25519.Sign(by, api.RootMessage(ada.account, req))
		return req
	}
	after := func(change func(*api.NewRoot)) api.NewRoot {
		req := ada.newRoot(1, next, kit)
		change(&req)
		return req
	}
	for name, c := range map[string]struct {
		req  api.NewRoot
		want api.Code
	}{
		"another account's signature": {signed(func(*api.NewRoot) {}, mallory.ring), api.CodeForbidden},
		"another keyring":             {after(func(r *api.NewRoot) { r.Keyring = []byte("x") }), api.CodeForbidden},
		"another keyring key":         {after(func(r *api.NewRoot) { r.KeyringKey = newKey(t).Public().(ed25519.PublicKey) }), api.CodeForbidden},
		"a wrap more": {after(func(r *api.NewRoot) {
			r.Vault = append(r.Vault, api.VaultEntry{Method: 1, ID: passkey.id, Wrapped: []byte("w")})
		}), api.CodeForbidden},
		"another wrap":     {after(func(r *api.NewRoot) { r.Vault[0].Wrapped = []byte("x") }), api.CodeForbidden},
		"another revision": {signed(func(r *api.NewRoot) { r.Revision = 2 }, ada.ring), api.CodeMoved},
		"no keyring key":   {signed(func(r *api.NewRoot) { r.KeyringKey = nil }, ada.ring), api.CodeBadRequest},
		"a passkey that is not hers": {signed(func(r *api.NewRoot) {
			r.Vault = append(r.Vault, api.VaultEntry{Method: 1, ID: []byte("x"), Wrapped: []byte("w")})
		}, ada.ring), api.CodeBadRequest},
		"a kit that nobody proved": {signed(func(r *api.NewRoot) { r.Logins = r.Logins[1:] }, ada.ring), api.CodeBadRequest},
		"two kits":                 {signed(func(r *api.NewRoot) { r.Vault = append(r.Vault, r.Vault[0]) }, ada.ring), api.CodeBadRequest},
		"a password that she has not": {signed(func(r *api.NewRoot) {
			r.Vault = append(r.Vault, api.VaultEntry{Method: 4, ID: make([]byte, 32), Wrapped: []byte("w")})
		}, ada.ring), api.CodeBadRequest},
		"a method that is none": {signed(func(r *api.NewRoot) {
			r.Vault = append(r.Vault, api.VaultEntry{Method: 9, ID: []byte("x"), Wrapped: []byte("w")})
		}, ada.ring), api.CodeBadRequest},
		"nothing that unlocks": {signed(func(r *api.NewRoot) { r.Vault = nil }, ada.ring), api.CodeLastMethod},
		"an old challenge":     {signed(func(r *api.NewRoot) { r.SignIn = newID(t) }, ada.ring), api.CodeSignInFailed},
	} {
		if a := ada.json("POST", api.RouteRoot, c.req); a.code() != c.want {
			t.Errorf("%s: %d %s, want %s", name, a.status, a.body, c.want)
		}
	}
	if got := want[api.Account](t, ada.get(api.RouteAccount)); !reflect.DeepEqual(got, unchanged) {
		t.Fatalf("%+v, was %+v", got, unchanged)
	}

	req := ada.newRoot(1, next, kit)
	got := want[api.Account](t, ada.json("POST", api.RouteRoot, req))
	if got.Revision != 2 || string(got.Keyring) != string(req.Keyring) || len(got.Vault) != 1 || len(got.Passkeys) != 1 {
		t.Fatalf("%+v", got)
	}
	if again := want[api.Account](t, ada.json("POST", api.RouteRoot, req)); again.Revision != 2 {
		t.Fatalf("%+v", again)
	}
	refused(t, twin.get(api.RouteAccount), api.CodeSessionEnded)
	refused(t, twin.get(m.path()), api.CodeSessionEnded)
	want[api.ChainHead](t, ada.get(m.path()))
	// The old kit signs nobody in, the new one does; the passkey still does, and unlocks nothing; the old root signs no keyring.
	signIn := func(key ed25519.PrivateKey) answer {
		q := w.player()
		s := want[api.SignInReply](t, q.json("POST", api.RouteSignIns, struct{}{}))
		p := (&player{world: w, login: key}).proof(s.Challenge)
		p.Method = uint8(vault.MethodKit)
		return q.json("POST", "/v1/sign-ins/"+s.SignIn.String(), api.SignInFinish{Login: p})
	}
	refused(t, signIn(oldKit), api.CodeSignInFailed)
	want[api.Account](t, signIn(kit))
	q := w.player()
	q.account, q.ring = ada.account, next
	s := want[api.SignInReply](t, q.json("POST", api.RouteSignIns, struct{}{}))
	in := want[api.Account](t, q.json("POST", "/v1/sign-ins/"+s.SignIn.String(), api.SignInFinish{Credential: passkey.get(t, s.Challenge)}))
	if len(in.Vault) != 1 || in.Vault[0].Method != uint8(vault.MethodKit) {
		t.Fatalf("%+v", in.Vault)
	}
	put := func(key ed25519.PrivateKey) answer {
		return ada.json("PUT", api.RouteKeyring, api.PutKeyring{Revision: 2, Keyring: []byte("r"), Signature: ed25519.Sign(key, api.KeyringMessage(ada.account, 3, []byte("r")))})
	}
	refused(t, put(oldRing), api.CodeForbidden)
	refused(t, q.json("PUT", api.RouteVault, api.PutVault{Entry: api.VaultEntry{Method: 1, ID: []byte("another"), Wrapped: []byte("w")}}), api.CodeBadRequest)
	if got := want[api.Account](t, q.json("PUT", api.RouteVault, api.PutVault{Entry: api.VaultEntry{Method: 1, ID: passkey.id, Wrapped: []byte("w2")}})); len(got.Vault) != 2 {
		t.Fatalf("%+v", got.Vault)
	}
	w.clock.advance(api.ProofSeconds * time.Second)
	refused(t, q.json("PUT", api.RouteVault, api.PutVault{Entry: api.VaultEntry{Method: 1, ID: passkey.id, Wrapped: []byte("w3")}}), api.CodeProveAgain)
	want[api.Account](t, put(next))
}

// renewed is what it takes until a player's new keys are in the directory, and his session by them.
func (p *player) renewed() chain.KeyLink {
	p.t.Helper()
	p.renewRoot()
	p.open()
	identity, link := p.nextKeys(p.directoryLinks()...)
	p.linked(p.putKeys(link), link)
	p.author.Former = append([]*keys.Identity{p.author.Identity}, p.author.Former...)
	p.author.Identity = identity
	p.open()
	return link
}

// TestRenewEntry: a seat takes the keys that the directory has for its member, by his own entry; until the next statement
// nothing is sealed. S-RENEW-01 S-RENEW-03 S-SERVER-02
func TestRenewEntry(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	m := ada.matter()
	clara, dan := m.join(chain.RoleClient), m.join(chain.RoleParalegal)
	link := m.invite(chain.RoleClient, chain.ModeAfterIConfirm)
	waits := w.guest(link)
	accepted := waits.acceptance(link)
	want[api.ChainHead](t, waits.send(m.path()+"/entries", accepted))
	m.ok(m.state.Apply(accepted.Entry))
	*clara.state, *dan.state = *m.state.Clone(), *m.state.Clone()

	old := *clara.player
	oldLinks := clara.directoryLinks()
	identity, early := clara.nextKeys(oldLinks...)
	renew := func(by *matter, as *keys.Identity, l chain.KeyLink) chain.Submission {
		a := by.author
		a.Identity = as
		sub, err := by.state.Renew(a, l)
		w.ok(err)
		return sub
	}
	refused(t, clara.send(clara.path()+"/entries", renew(clara, identity, early)), api.CodeForbidden) // not in the directory yet
	l := clara.renewed()
	good := renew(clara, clara.author.Identity, l)
	rows := good
	rows.Rows = []chain.Row{{Kind: chain.RowWrap, Recipient: clara.author.Member, Bytes: []byte("x")}}
	before := dump(t, w, seenByServer...)
	for name, c := range map[string]struct {
		by  *player
		sub chain.Submission
	}{
		"another member, hers":  {dan.player, good},
		"an owner, hers":        {ada, good},
		"another link of hers":  {clara.player, renew(clara, clara.author.Identity, early)},
		"with rows":             {clara.player, rows},
		"who waits, his own":    {waits, renew(&matter{player: waits, id: m.id, state: seated(m.state, waits)}, waits.author.Identity, l)},
		"another member's link": {dan.player, renew(dan, dan.author.Identity, l)},
	} {
		if a := c.by.send(m.path()+"/entries", c.sub); a.code() != api.CodeForbidden && a.code() != api.CodeBadRequest && a.code() != api.CodeNotFound {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if dump(t, w, seenByServer...) != before {
		t.Fatal("a refused entry changed something")
	}
	first := want[api.ChainHead](t, clara.send(m.path()+"/entries", good))
	if again := want[api.ChainHead](t, clara.send(m.path()+"/entries", good)); again != first || !again.Stale {
		t.Fatalf("%+v, then %+v", first, again)
	}
	for _, s := range []*chain.State{m.state, dan.state, clara.state} {
		w.ok(s.Apply(good.Entry))
	}
	twice, err := clara.state.Clone().Renew(clara.author, l)
	w.ok(err)
	refused(t, clara.send(m.path()+"/entries", twice), api.CodeForbidden)

	// Nothing is sealed by whomever, until an owner has opened the next epoch for exactly these keys.
	f := dan.newFile(newID(t), 100)
	dan.bring(f)
	stale := m.state.Clone()
	for _, x := range stale.Members {
		x.Renewed = 0 // a client that does not look
	}
	batch, err := (&matter{player: dan.player, id: m.id, state: stale}).state.Batch(dan.author, []chain.Change{f.change})
	w.ok(err)
	invite, _, err := stale.Invite(ada.author, "New", chain.RoleClient, chain.ModeOpensAtOnce, w.clock.now().Add(time.Hour), "f")
	w.ok(err)
	admit, err := stale.Admit(ada.author, link.Invite)
	w.ok(err)
	refused(t, dan.send(m.path()+"/entries", batch), api.CodeNewKeys)
	refused(t, ada.send(m.path()+"/entries", invite), api.CodeNewKeys)
	refused(t, ada.send(m.path()+"/entries", admit), api.CodeNewKeys)
	byOld := m.state.Clone()
	byOld.Members[clara.author.Member].Keys = old.author.Identity.Public()
	m.state, byOld = byOld, m.state
	wrong, _ := m.rotation()
	m.state = byOld
	refused(t, ada.send(m.path()+"/entries", wrong), api.CodeForbidden) // to the old keys
	m.remove()
	if head := want[api.ChainHead](t, ada.get(m.path())); head.Stale || head.Epoch != 2 {
		t.Fatalf("%+v", head)
	}
	fresh := clara.replay(m.id)
	if _, err := chain.Unwrap(m.id, old.author, want[api.WrapReply](t, clara.get(m.path()+"/wraps/0")).Row); err == nil {
		t.Error("the old keys open the next epoch")
	}
	g := fresh.newFile(newID(t), 100)
	fresh.put(g)
}

// seated is a state in which somebody who is not seated takes himself for seated.
func seated(s *chain.State, p *player) *chain.State {
	s = s.Clone()
	x := *s.Members[p.author.Member]
	x.State = chain.MemberSeated
	s.Members[x.ID] = &x
	return s
}

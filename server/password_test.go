package server_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/keys/opaque"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server"
	"github.com/underseal/underseal/server/auth"
	"github.com/underseal/underseal/server/auth/limit"
	"github.com/underseal/underseal/server/auth/totp"
	"github.com/underseal/underseal/server/blob/memblob"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

const horses = "correct horse battery staple"

// app is an authenticator app with a clock of its own.
type app struct {
	secret totp.Secret
	ahead  time.Duration
}

func newApp(t testing.TB, text string) *app {
	t.Helper()
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	if err != nil || len(b) != totp.SecretSize {
		t.Fatalf("secret %q: %v", text, err)
	}
	return &app{secret: totp.Secret(b)}
}

// code is what it shows.
func (w *world) code(a *app) string { return a.secret.Code(w.clock.now().Add(a.ahead)) }

// fresh is one that was not used: the next one.
func (w *world) fresh(a *app) string {
	w.clock.advance(30 * time.Second)
	return w.code(a)
}

func loginName(t testing.TB, typed string) wire.Hash {
	t.Helper()
	name, err := api.LoginName(testOrigin, typed)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// setApp sets an authenticator app up.
func (p *player) setApp() *app {
	p.t.Helper()
	r := want[api.TOTPReply](p.t, p.json("POST", api.RouteTOTP, struct{}{}))
	a := newApp(p.t, r.Secret)
	if got := want[api.Account](p.t, p.json("PUT", api.RouteTOTP, api.PutTOTP{Ceremony: r.Ceremony, Code: p.code(a)})); got.TOTPSet != p.clock.now().Unix() {
		p.t.Fatalf("%+v", got)
	}
	return a
}

// register does the client's side of setting a password.
func register(t testing.TB, name wire.Hash, password string, ask func(request []byte) []byte) (record []byte) {
	t.Helper()
	r, request, err := opaque.RegisterStart(name.String(), testOrigin, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	record, _, err = r.Finish(ask(request))
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// newPassword begins to set a password, and is the request that sets it.
func (p *player) newPassword(typed, password string) api.PutPassword {
	p.t.Helper()
	name := loginName(p.t, typed)
	put := api.PutPassword{Vault: api.VaultEntry{Method: uint8(vault.MethodPassword), ID: name[:], Wrapped: []byte("sealed")}}
	put.Record = register(p.t, name, password, func(request []byte) []byte {
		r := want[api.PasswordReply](p.t, p.json("POST", api.RoutePassword, api.PasswordRequest{Name: name, Request: request}))
		put.Ceremony = r.Ceremony
		return r.Response
	})
	return put
}

func (p *player) putPassword(put api.PutPassword) answer {
	p.t.Helper()
	return p.json("PUT", api.RoutePassword, put)
}

func (p *player) setPassword(typed, password string) {
	p.t.Helper()
	if got := want[api.Account](p.t, p.putPassword(p.newPassword(typed, password))); got.PasswordSet != p.clock.now().Unix() {
		p.t.Fatalf("%+v", got)
	}
}

// guess begins a sign-in as somebody who knows nothing: no password is stretched for it.
func (w *world) guess(typed string) answer {
	w.t.Helper()
	_, ke1, err := opaque.LoginStart(loginName(w.t, typed).String(), testOrigin, []byte("guess"))
	w.ok(err)
	return w.player().json("POST", api.RoutePasswordSignIns, api.PasswordStart{Name: loginName(w.t, typed), KE1: ke1})
}

// begun is a sign-in whose password is the right one, or is not.
type begun struct {
	api.PasswordStarted
	ke3 []byte
	err error
}

func (p *player) beginPassword(typed, password string) begun {
	p.t.Helper()
	name := loginName(p.t, typed)
	l, ke1, err := opaque.LoginStart(name.String(), testOrigin, []byte(password))
	p.ok(err)
	b := begun{PasswordStarted: want[api.PasswordStarted](p.t, p.json("POST", api.RoutePasswordSignIns, api.PasswordStart{Name: name, KE1: ke1}))}
	b.ke3, _, _, b.err = l.Finish(b.KE2)
	return b
}

func (p *player) finishPassword(id wire.ObjectID, f api.PasswordFinish) answer {
	p.t.Helper()
	return p.json("POST", api.RoutePasswordSignIns+"/"+id.String(), f)
}

// showPassword gets as far as the second factor.
func (p *player) showPassword(typed, password string) (wire.ObjectID, api.SecondFactor) {
	p.t.Helper()
	b := p.beginPassword(typed, password)
	p.ok(b.err)
	f := want[api.PasswordFinished](p.t, p.finishPassword(b.SignIn, api.PasswordFinish{KE3: b.ke3}))
	if f.Second == nil || f.Account != nil {
		p.t.Fatalf("%+v", f)
	}
	return b.SignIn, *f.Second
}

// signInPassword gets all the way in, with a code.
func (p *player) signInPassword(typed, password string, a *app) api.Account {
	p.t.Helper()
	id, _ := p.showPassword(typed, password)
	f := want[api.PasswordFinished](p.t, p.finishPassword(id, api.PasswordFinish{Code: p.fresh(a)}))
	if f.Account == nil || f.Second != nil {
		p.t.Fatalf("%+v", f)
	}
	return *f.Account
}

// browser is the same person with another browser, who is not signed in there.
func (p *player) browser() *player {
	return &player{world: p.world, cookies: map[string]string{}, account: p.account, login: p.login, ring: p.ring, author: p.author, firm: p.firm}
}

// answerPasskey answers a request for the second factor.
func (p *player) answerPasskey(a *authenticator, s api.SecondFactor) json.RawMessage {
	p.t.Helper()
	var o struct {
		Challenge        string
		AllowCredentials []struct{ ID string }
		Extensions       struct{ PRF json.RawMessage }
	}
	p.ok(json.Unmarshal(s.Request, &o))
	if len(o.AllowCredentials) == 0 || o.Extensions.PRF == nil {
		p.t.Fatalf("%s", s.Request)
	}
	challenge, err := b64.DecodeString(o.Challenge)
	p.ok(err)
	a.count++
	return a.get(p.t, challenge)
}

// withPassword is a founder who also has an app and a password.
func (w *world) withPassword(typed string) (*player, *app) {
	w.t.Helper()
	p := w.founder()
	a := p.setApp()
	p.setPassword(typed, horses)
	return p, a
}

// TestPassword: S-PASSWORD-01, S-PASSWORD-02. It signs in with a second factor alone: a code, or a passkey that may unlock nothing.
// Whoever does not know it is told nothing, and whoever does what second factors there are.
func TestPassword(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	key := newAuthenticator(t)
	if a := ada.json("POST", api.RoutePassword, api.PasswordRequest{Name: loginName(t, "ada"), Request: make([]byte, 32)}); a.code() != api.CodeNoSecond || a.status != 409 {
		t.Errorf("a password without a second factor: %d %s", a.status, a.body)
	}
	passkey, _ := ada.beginPasskey()
	want[api.Account](t, ada.finishPasskey(key, passkey, false))
	ada.setPassword("ada", horses)

	// A passkey without a wrapped root is a second factor.
	q := ada.browser()
	id, second := q.showPassword("Ada", horses)
	if !slices.Equal(second.Kinds, []string{api.SecondPasskey}) {
		t.Fatalf("%+v", second)
	}
	got := want[api.PasswordFinished](t, q.finishPassword(id, api.PasswordFinish{Credential: q.answerPasskey(key, second)}))
	if got.Account == nil || got.Account.Account != ada.account || got.Account.Failed != nil {
		t.Fatalf("%+v", got)
	}
	if s := q.current(); s.Method != "password" || !s.MFA {
		t.Errorf("%+v", s)
	}
	q.open()
	a := ada.setApp()
	q = ada.browser()
	id, second = q.showPassword("ada", horses)
	if !slices.Equal(second.Kinds, []string{api.SecondCode, api.SecondPasskey}) {
		t.Fatalf("%+v", second)
	}
	// Nobody is in before the second factor.
	refused(t, q.get(api.RouteAccount), api.CodeNotSignedIn)
	want[api.PasswordFinished](t, q.finishPassword(id, api.PasswordFinish{Code: w.fresh(a)}))
	want[api.Account](t, q.get(api.RouteAccount))

	// The record of another password answers nobody: the client finds out, and the server counts the start.
	if b := ada.browser().beginPassword("ada", "correct horse battery stable"); b.err == nil {
		t.Fatal("another password signs in")
	}
	for name, f := range map[string]func(q *player, b begun) answer{
		"noise for KE3": func(q *player, b begun) answer {
			return q.finishPassword(b.SignIn, api.PasswordFinish{KE3: make([]byte, 64)})
		},
		"KE3 twice": func(q *player, b begun) answer {
			want[api.PasswordFinished](t, q.finishPassword(b.SignIn, api.PasswordFinish{KE3: b.ke3}))
			return q.finishPassword(b.SignIn, api.PasswordFinish{KE3: b.ke3})
		},
		"a code without the password": func(q *player, b begun) answer {
			return q.finishPassword(b.SignIn, api.PasswordFinish{Code: w.fresh(a)})
		},
		"a passkey without the password": func(q *player, b begun) answer {
			return q.finishPassword(b.SignIn, api.PasswordFinish{Credential: q.answerPasskey(key, second)})
		},
		"another sign-in's passkey": func(q *player, b begun) answer {
			want[api.PasswordFinished](t, q.finishPassword(b.SignIn, api.PasswordFinish{KE3: b.ke3}))
			return q.finishPassword(b.SignIn, api.PasswordFinish{Credential: q.answerPasskey(key, second)})
		},
		"too late": func(q *player, b begun) answer {
			w.clock.advance(api.CeremonySeconds * time.Second)
			return q.finishPassword(b.SignIn, api.PasswordFinish{KE3: b.ke3})
		},
		"no such sign-in": func(q *player, b begun) answer { return q.finishPassword(newID(t), api.PasswordFinish{KE3: b.ke3}) },
	} {
		w.clock.advance(limit.Forgotten)
		q := ada.browser()
		b := q.beginPassword("ada", horses)
		w.ok(b.err)
		if got := f(q, b); got.code() != api.CodeSignInFailed || got.status != 401 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		if name != "no such sign-in" && name != "a code without the password" && name != "a passkey without the password" {
			refused(t, q.finishPassword(b.SignIn, api.PasswordFinish{KE3: b.ke3}), api.CodeSignInFailed) // it is at an end
		}
		refused(t, q.get(api.RouteAccount), api.CodeNotSignedIn)
	}
	w.clock.advance(limit.Forgotten)
	b := ada.browser().beginPassword("ada", horses)
	for _, f := range []api.PasswordFinish{{}, {KE3: b.ke3, Code: "123456"}, {Code: "123456", Credential: json.RawMessage(`{}`)}} {
		refused(t, w.player().finishPassword(b.SignIn, f), api.CodeBadRequest)
	}
	for _, ke1 := range [][]byte{nil, make([]byte, 95), make([]byte, 97)} {
		refused(t, w.player().json("POST", api.RoutePasswordSignIns, api.PasswordStart{Name: loginName(t, "ada"), KE1: ke1}), api.CodeBadRequest)
	}
	refused(t, w.player().json("POST", api.RoutePasswordSignIns, api.PasswordStart{Name: loginName(t, "ada"), KE1: make([]byte, 96)}), api.CodeSignInFailed)
}

// TestEnrolByPassword: S-PASSWORD-03. An account is made with a password in place of a passkey, and with an app that was shown to
// be set up. A code that was mistyped costs nothing.
func TestEnrolByPassword(t *testing.T) {
	w := newWorld(t)
	p := w.player()
	r := want[api.EnrolReply](t, p.json("POST", api.RouteEnrolments, api.EnrolRequest{Setup: w.setup()}))
	p.account = r.Account
	name := loginName(t, "ada.lovelace")
	path := "/v1/enrolments/" + r.Enrolment.String()
	var secret string
	record := register(t, name, horses, func(request []byte) []byte {
		w.clock.advance(4 * time.Minute)
		got := want[api.EnrolPasswordReply](t, p.json("POST", path+"/password", api.PasswordRequest{Name: name, Request: request}))
		secret = got.Secret
		return got.Response
	})
	a := newApp(t, secret)
	finish := api.EnrolFinish{Password: &api.EnrolPassword{Name: name, Record: record}, Vault: []api.VaultEntry{{Method: uint8(vault.MethodPassword), ID: name[:], Wrapped: []byte("sealed")}},
		Keyring: []byte("ring"), KeyringKey: p.ringKey()}
	with := func(change func(*api.EnrolFinish)) answer {
		t.Helper()
		f, password := finish, *finish.Password
		password.Code = w.code(a)
		f.Password, f.Vault = &password, slices.Clone(f.Vault)
		if change != nil {
			change(&f)
		}
		return p.json("POST", path, f)
	}
	w.clock.advance(15 * time.Minute) // somebody looks for an app
	refused(t, with(func(f *api.EnrolFinish) { f.Password.Code = "000000" }), api.CodeCodeFailed)
	refused(t, with(func(f *api.EnrolFinish) { f.Password.Code = "" }), api.CodeCodeFailed)
	got := want[api.Account](t, with(nil))
	if got.Account != p.account || got.PasswordSet == 0 || got.TOTPSet == 0 || len(got.Vault) != 1 || len(got.Passkeys) != 0 {
		t.Fatalf("%+v", got)
	}
	if s := p.current(); s.Method != "password" || !s.MFA {
		t.Errorf("%+v", s)
	}
	refused(t, with(nil), api.CodeSignInFailed) // once
	p.browser().signInPassword("ada.lovelace", horses, a)

	// What would make another account than was proved.
	for what, c := range map[string]struct {
		change func(*api.EnrolFinish)
		code   api.Code
	}{
		"another name":     {func(f *api.EnrolFinish) { f.Password.Name[3]++ }, api.CodeBadRequest},
		"no record":        {func(f *api.EnrolFinish) { f.Password.Record = nil }, api.CodeBadRequest},
		"noise":            {func(f *api.EnrolFinish) { f.Password.Record = make([]byte, opaque.RecordSize) }, api.CodeBadRequest},
		"another's wrap":   {func(f *api.EnrolFinish) { f.Vault[0].ID = []byte("x") }, api.CodeBadRequest},
		"a kit's wrap":     {func(f *api.EnrolFinish) { f.Vault[0].Method = uint8(vault.MethodKit) }, api.CodeBadRequest},
		"a passkey beside": {func(f *api.EnrolFinish) { f.Credential = json.RawMessage(`{}`) }, api.CodeBadRequest},
		"no keyring key":   {func(f *api.EnrolFinish) { f.KeyringKey = nil }, api.CodeBadRequest},
		"a taken name":     {nil, api.CodeNameTaken},
	} {
		q := w.player()
		r := want[api.EnrolReply](t, q.json("POST", api.RouteEnrolments, api.EnrolRequest{Setup: w.setup()}))
		typed := "grace"
		if what == "a taken name" {
			typed = "taken-meanwhile"
		}
		name, request := loginName(t, typed), mustRequest(t, typed)
		e := want[api.EnrolPasswordReply](t, q.json("POST", "/v1/enrolments/"+r.Enrolment.String()+"/password", api.PasswordRequest{Name: name, Request: request}))
		if what == "a taken name" {
			p.setPassword("taken-meanwhile", "another horse battery staple")
		}
		f := api.EnrolFinish{Password: &api.EnrolPassword{Name: name, Record: record, Code: w.code(newApp(t, e.Secret))}, Keyring: []byte("ring"), KeyringKey: q.ringKey(),
			Vault: []api.VaultEntry{{Method: uint8(vault.MethodPassword), ID: bytes.Clone(name[:]), Wrapped: []byte("sealed")}}}
		if c.change != nil {
			c.change(&f)
		}
		if a := q.json("POST", "/v1/enrolments/"+r.Enrolment.String(), f); a.code() != c.code {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	q := w.player()
	refused(t, q.json("POST", "/v1/enrolments/"+newID(t).String()+"/password", api.PasswordRequest{Name: name, Request: mustRequest(t, "x.y")}), api.CodeSignInFailed)
}

func mustRequest(t testing.TB, typed string) []byte {
	t.Helper()
	_, request, err := opaque.RegisterStart(typed, testOrigin, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// TestNames: S-PASSWORD-04. A name is one account's. Whoever may ask whether it is taken may ask a few times.
func TestNames(t *testing.T) {
	w := newWorld(t)
	ada, _ := w.withPassword("ada")
	eve := w.founder()
	eve.setApp()
	ask := func(typed string) answer {
		return eve.json("POST", api.RoutePassword, api.PasswordRequest{Name: loginName(t, typed), Request: mustRequest(t, typed)})
	}
	for range limit.FreeOfAccount {
		refused(t, ask("ada"), api.CodeNameTaken)
	}
	if a := ask("ada"); a.code() != api.CodeTooMany || a.status != 429 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	refused(t, ask("free"), api.CodeTooMany) // or it would be an answer as well
	w.clock.advance(limit.MaxWait)
	want[api.Account](t, eve.signIn())
	refused(t, ask("ada"), api.CodeNameTaken)
	w.clock.advance(2 * time.Second)
	late := eve.newPassword("next", horses)
	// Ada changes her name; hers is free, and the one she took is not.
	ada.signIn()
	ada.setPassword("next", horses)
	refused(t, eve.putPassword(late), api.CodeNameTaken)
	w.clock.advance(limit.Forgotten)
	want[api.Account](t, eve.signIn())
	eve.setPassword("ada", horses)
	if b := eve.browser().beginPassword("next", horses); b.err != nil {
		t.Error("another password than Ada's")
	}
}

// TestSettingAPassword: S-PASSWORD-05, S-SESSION-01. A cookie sets none; another session does not finish what one began; it ends
// all others, in every firm, before the answer, and what was begun with the old one.
func TestSettingAPassword(t *testing.T) {
	w := newWorld(t)
	ada, a := w.withPassword("ada")
	second := ada.secondFirm()
	other := ada.browser()
	other.signInPassword("ada", horses, a)
	put := ada.newPassword("ada", "another horse battery staple")
	refused(t, other.putPassword(put), api.CodeForbidden)
	refused(t, ada.putPassword(put), api.CodeSignInFailed) // it is used up
	put = ada.newPassword("ada", "another horse battery staple")
	for what, change := range map[string]func(*api.PutPassword){
		"no record":        func(p *api.PutPassword) { p.Record = nil },
		"noise":            func(p *api.PutPassword) { p.Record = make([]byte, opaque.RecordSize) },
		"a kit's wrap":     func(p *api.PutPassword) { p.Vault.Method = uint8(vault.MethodKit) },
		"no wrap":          func(p *api.PutPassword) { p.Vault.Wrapped = nil },
		"another's wrap":   func(p *api.PutPassword) { p.Vault.ID = []byte("x") },
		"a login key":      func(p *api.PutPassword) { p.Vault.LoginKey = p.Vault.ID },
		"another ceremony": func(p *api.PutPassword) { p.Ceremony = newID(t) },
	} {
		q := put
		q.Ceremony = want[api.PasswordReply](t, ada.json("POST", api.RoutePassword, api.PasswordRequest{Name: loginName(t, "ada"), Request: mustRequest(t, "x")})).Ceremony
		change(&q)
		if got := ada.putPassword(q); got.status/100 == 2 {
			t.Errorf("%s: %d", what, got.status)
		}
	}
	for _, firm := range []wire.ChainID{ada.firm, second} {
		other.firm = firm
		other.open()
	}
	other.firm = ada.firm
	id, _ := ada.browser().showPassword("ada", horses) // the old one
	early := ada.browser().beginPassword("ada", horses)
	before := ada.thief()
	for range 2 { // again is answered as it was
		want[api.Account](t, ada.putPassword(put))
		for what, got := range map[string]answer{"account": other.get(api.RouteAccount), "first": other.look(ada.firm), "second": other.look(second)} {
			if got.code() != api.CodeSessionEnded {
				t.Errorf("%s: %d %s", what, got.status, got.body)
			}
		}
	}
	want[api.Chains](t, ada.look(ada.firm))
	want[api.Account](t, before.get(api.RouteAccount))
	refused(t, ada.browser().finishPassword(id, api.PasswordFinish{Code: w.fresh(a)}), api.CodeSignInFailed)
	refused(t, ada.browser().finishPassword(early.SignIn, api.PasswordFinish{KE3: early.ke3}), api.CodeSignInFailed)
	if b := ada.browser().beginPassword("ada", horses); b.err == nil {
		t.Error("the old password signs in")
	}
	ada.browser().signInPassword("ada", "another horse battery staple", a)
	if ended := kinds(ada.events(ada.firm), chain.EventSessionEnded, ada.author.Member); len(ended) != 1 || ended[0].Detail != "factor" {
		t.Errorf("auditors are told %+v", ended)
	}
	w.clock.advance(api.ProofSeconds * time.Second)
	eve := ada.thief()
	refused(t, eve.json("POST", api.RoutePassword, api.PasswordRequest{Name: loginName(t, "eve"), Request: mustRequest(t, "eve")}), api.CodeProveAgain)
	refused(t, eve.json("POST", api.RouteTOTP, struct{}{}), api.CodeProveAgain)
	refused(t, eve.do("DELETE", api.RoutePassword, "", nil, nil), api.CodeProveAgain)
	refused(t, eve.do("DELETE", api.RouteTOTP, "", nil, nil), api.CodeProveAgain)
}

// TestLastSecondFactor: S-PASSWORD-02, S-SESSION-02. While there is a password the last second factor stays, and so does the last
// way in.
func TestLastSecondFactor(t *testing.T) {
	w := newWorld(t)
	ada, a := w.withPassword("ada")
	refused(t, ada.do("DELETE", api.RouteTOTP, "", nil, nil), api.CodeLastMethod)
	key := newAuthenticator(t)
	begun, _ := ada.beginPasskey()
	want[api.Account](t, ada.finishPasskey(key, begun, false))
	want[api.Account](t, ada.do("DELETE", api.RouteTOTP, "", nil, nil))
	refused(t, ada.removePasskey(key.id), api.CodeLastMethod)
	id, second := ada.browser().showPassword("ada", horses)
	if !slices.Equal(second.Kinds, []string{api.SecondPasskey}) {
		t.Errorf("%+v", second)
	}
	refused(t, ada.browser().finishPassword(id, api.PasswordFinish{Code: w.fresh(a)}), api.CodeCodeFailed) // of an app that is gone
	// What is gone when a password is to be set is no second factor.
	bob := w.founder()
	other := newAuthenticator(t)
	begun, _ = bob.beginPasskey()
	want[api.Account](t, bob.finishPasskey(other, begun, false))
	put := bob.newPassword("bob", horses)
	want[api.Account](t, bob.removePasskey(other.id))
	refused(t, bob.putPassword(put), api.CodeNoSecond)
	for range 2 {
		if got := want[api.Account](t, ada.do("DELETE", api.RoutePassword, "", nil, nil)); got.PasswordSet != 0 || len(got.Vault) != 1 {
			t.Fatalf("%+v", got)
		}
	}
	if b := ada.browser().beginPassword("ada", horses); b.err == nil {
		t.Error("a removed password signs in")
	}
	want[api.Account](t, ada.removePasskey(key.id))

	// An account of nothing but a password keeps it.
	p := w.player()
	r := want[api.EnrolReply](t, p.json("POST", api.RouteEnrolments, api.EnrolRequest{Setup: w.setup()}))
	p.account = r.Account
	name := loginName(t, "only")
	var secret string
	record := register(t, name, horses, func(request []byte) []byte {
		got := want[api.EnrolPasswordReply](t, p.json("POST", "/v1/enrolments/"+r.Enrolment.String()+"/password", api.PasswordRequest{Name: name, Request: request}))
		secret = got.Secret
		return got.Response
	})
	want[api.Account](t, p.json("POST", "/v1/enrolments/"+r.Enrolment.String(), api.EnrolFinish{Password: &api.EnrolPassword{Name: name, Record: record, Code: w.code(newApp(t, secret))},
		Vault: []api.VaultEntry{{Method: uint8(vault.MethodPassword), ID: name[:], Wrapped: []byte("sealed")}}, Keyring: []byte("ring"), KeyringKey: p.ringKey()}))
	refused(t, p.do("DELETE", api.RoutePassword, "", nil, nil), api.CodeLastMethod)
}

// TestCodes: S-TOTP-01, S-TOTP-02. A code counts once, also where two give it at the same moment, and one of a clock that is five
// minutes off does not: one answer for all, after which another may follow.
func TestCodes(t *testing.T) {
	w := newWorld(t)
	ada, a := w.withPassword("ada")
	q := ada.browser()
	id, _ := q.showPassword("ada", horses)
	for what, code := range map[string]string{"letters": "abcdef", "short": "12345", "long": "1234567", "used when it was set up": w.code(a)} {
		if got := q.finishPassword(id, api.PasswordFinish{Code: code}); got.code() != api.CodeCodeFailed || got.status != 401 {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
	w.clock.advance(limit.MaxWait)
	refused(t, q.finishPassword(id, api.PasswordFinish{Code: w.code(a)}), api.CodeSignInFailed) // the sign-in is too old by now
	for _, off := range []time.Duration{-5 * time.Minute, 5 * time.Minute} {
		w.clock.advance(limit.Forgotten)
		q := ada.browser()
		id, _ := q.showPassword("ada", horses)
		a.ahead = off
		refused(t, q.finishPassword(id, api.PasswordFinish{Code: w.code(a)}), api.CodeCodeFailed)
		a.ahead = off / 10 // the next after it was set right
		want[api.PasswordFinished](t, q.finishPassword(id, api.PasswordFinish{Code: w.code(a)}))
		a.ahead = 0
	}
	// Two tabs, one code, one moment: one is in.
	for range 5 {
		w.clock.advance(limit.Forgotten)
		tabs := []*player{ada.browser(), ada.browser()}
		var ids []wire.ObjectID
		for _, tab := range tabs {
			id, _ := tab.showPassword("ada", horses)
			ids = append(ids, id)
		}
		code := w.fresh(a)
		answers := make([]answer, 2)
		var wait sync.WaitGroup
		for i, tab := range tabs {
			b := body(t, api.PasswordFinish{Code: code})
			wait.Go(func() {
				answers[i], _ = tab.try("POST", api.RoutePasswordSignIns+"/"+ids[i].String(), api.TypeJSON, b, nil)
			})
		}
		wait.Wait()
		got := []api.Code{answers[0].code(), answers[1].code()}
		slices.Sort(got)
		if !slices.Equal(got, []api.Code{"", api.CodeCodeFailed}) {
			t.Fatalf("%q", got)
		}
		// The other waits for the next code, and is in as well.
		for i, tab := range tabs {
			if answers[i].status != 200 {
				want[api.PasswordFinished](t, tab.finishPassword(ids[i], api.PasswordFinish{Code: w.fresh(a)}))
			}
			want[api.Account](t, tab.get(api.RouteAccount))
		}
	}
}

// rfc6238 draws the secret of RFC 6238, appendix B, wherever one of an app is drawn.
type rfc6238 struct{}

func (rfc6238) Read(b []byte) (int, error) {
	if len(b) == totp.SecretSize {
		return copy(b, "12345678901234567890"), nil
	}
	return rand.Read(b)
}

// TestRFC6238: the examples of RFC 6238, appendix B, as they come over HTTP: six of their eight digits. The one of 1970 is left
// out, when no clock was set.
func TestRFC6238(t *testing.T) {
	for at, code := range map[int64]string{1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		w := newWorldOn(t, memory, memblob.New(), func(c *server.Config) { c.Random = rfc6238{} })
		w.clock.t = time.Unix(at, 0)
		ada := w.founder()
		r := want[api.TOTPReply](t, ada.json("POST", api.RouteTOTP, struct{}{}))
		if r.Secret != "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" {
			t.Fatalf("an app is given %q", r.Secret)
		}
		refused(t, ada.json("PUT", api.RouteTOTP, api.PutTOTP{Ceremony: r.Ceremony, Code: "000000"}), api.CodeCodeFailed)
		want[api.Account](t, ada.json("PUT", api.RouteTOTP, api.PutTOTP{Ceremony: r.Ceremony, Code: code}))
	}
}

// startFrom begins a sign-in as a browser that says which devices it is.
func (w *world) startFrom(typed string, devices ...api.DeviceProof) answer {
	w.t.Helper()
	_, ke1, err := opaque.LoginStart(loginName(w.t, typed).String(), testOrigin, []byte("guess"))
	w.ok(err)
	return w.player().json("POST", api.RoutePasswordSignIns, api.PasswordStart{Name: loginName(w.t, typed), KE1: ke1, Devices: devices})
}

// TestOwnDeviceWaitsForNobody: S-LIMIT-04. Somebody who tries a name all the time, the moment that it waits no longer, keeps its owner
// out where he never was; on a device of his own he waits for his own attempts alone. S-LIMIT-02
func TestOwnDeviceWaitsForNobody(t *testing.T) {
	w := newWorld(t)
	ada, a := w.withPassword("ada")
	bob, _ := w.withPassword("bob")
	own, gone, bobs := newDevice(t), newDevice(t), newDevice(t)
	want[api.Devices](t, ada.register(gone))
	want[api.Devices](t, ada.register(own))
	want[api.Devices](t, ada.revoke(gone.Device))
	want[api.Devices](t, bob.register(bobs))
	for range 3 * limit.FreeOfAccount {
		w.clock.advance(limit.MaxWait)
		w.guess("ada")
	}
	forged := own
	forged.Token = []byte("another")
	for name, devices := range map[string][]api.DeviceProof{"none": nil, "another's": {bobs}, "a forged one": {forged}, "one that was revoked": {gone}} {
		if got := w.startFrom("ada", devices...); got.code() != api.CodeTooMany {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	refused(t, w.startFrom("ada", make([]api.DeviceProof, api.MaxDevices+1)...), api.CodeTooLarge)
	refused(t, w.startFrom("nobody", make([]api.DeviceProof, api.MaxDevices+1)...), api.CodeTooLarge)
	// She gets in, and whoever guesses gets nothing for it.
	home := ada.browser()
	name := loginName(t, "ada")
	l, ke1, err := opaque.LoginStart(name.String(), testOrigin, []byte(horses))
	w.ok(err)
	begun := want[api.PasswordStarted](t, home.json("POST", api.RoutePasswordSignIns, api.PasswordStart{Name: name, KE1: ke1, Devices: []api.DeviceProof{bobs, own}}))
	ke3, _, _, err := l.Finish(begun.KE2)
	w.ok(err)
	want[api.PasswordFinished](t, home.finishPassword(begun.SignIn, api.PasswordFinish{KE3: ke3}))
	want[api.PasswordFinished](t, home.finishPassword(begun.SignIn, api.PasswordFinish{Code: w.fresh(a)}))
	refused(t, w.startFrom("ada"), api.CodeTooMany)
	// A thief of the device guesses no faster than anybody.
	for range limit.FreeOfAccount {
		want[api.PasswordStarted](t, w.startFrom("ada", own))
	}
	refused(t, w.startFrom("ada", own), api.CodeTooMany)
}

// TestCodesWait: S-LIMIT-03. Codes are few: whoever knows a password and guesses on waits, by his own account and nobody else's,
// and the owner's auditors are told at once.
func TestCodesWait(t *testing.T) {
	w := newWorld(t)
	ada, a := w.withPassword("ada")
	thief := w.player()
	id, _ := thief.showPassword("ada", horses)
	for range limit.FreeOfAccount {
		refused(t, thief.finishPassword(id, api.PasswordFinish{Code: "000000"}), api.CodeCodeFailed)
	}
	got := thief.finishPassword(id, api.PasswordFinish{Code: w.fresh(a)})
	want[api.PasswordFinished](t, got) // half a minute later: the wait was a second
	thief = w.player()
	id, _ = thief.showPassword("ada", horses)
	for range limit.FreeOfAccount {
		refused(t, thief.finishPassword(id, api.PasswordFinish{Code: "000000"}), api.CodeCodeFailed)
	}
	got = thief.finishPassword(id, api.PasswordFinish{Code: w.code(a)})
	refused(t, got, api.CodeTooMany)
	again, _ := w.player().showPassword("ada", horses) // begun anew it is the same account's
	refused(t, thief.finishPassword(again, api.PasswordFinish{Code: w.code(a)}), api.CodeTooMany)
	if e := decodeError(t, got); e.Wait != 1 || got.header.Get("Retry-After") != "1" {
		t.Errorf("%+v, %q", e, got.header.Get("Retry-After"))
	}
	told := kinds(ada.events(ada.firm), chain.EventSignInFailed, ada.author.Member)
	if len(told) != 2*limit.FreeOfAccount || told[0].Detail != "totp" {
		t.Errorf("auditors are told %+v", told)
	}
	if locked := kinds(ada.events(ada.firm), chain.EventLocked, ada.author.Member); len(locked) != 2 || locked[0].Detail != "totp" {
		t.Errorf("auditors are told %+v", locked)
	}
	// Another's codes wait for nothing, from the same address.
	bob, b := w.withPassword("bob")
	bob.browser().signInPassword("bob", horses, b)
	// The owner is told what was tried with her own password.
	w.clock.advance(limit.MaxWait)
	if f := ada.browser().signInPassword("ada", horses, a).Failed; f == nil || f.Codes != limit.FreeOfAccount || f.Passwords != 2 {
		t.Errorf("she is told %+v", f)
	}
	if f := ada.browser().signInPassword("ada", horses, a).Failed; f != nil {
		t.Errorf("she is told again: %+v", f)
	}
}

func decodeError(t testing.TB, a answer) (e api.Error) {
	t.Helper()
	if err := json.Unmarshal(a.body, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestTooMany: S-LIMIT-01, S-LIMIT-02, S-EVENT-08. Every start counts; then waits grow, for names that exist and names that do not. The
// owner gets in with a passkey meanwhile, is told how many tried, and her firms' auditors are told once a lock.
func TestTooMany(t *testing.T) {
	w := newProxiedWorld(t)
	ada, a := w.withPassword("ada")
	second := ada.secondFirm()
	key := newAuthenticator(t)
	begun, _ := ada.beginPasskey()
	want[api.Account](t, ada.finishPasskey(key, begun, true))
	guess := func(typed string, n int) answer {
		_, ke1, err := opaque.LoginStart(loginName(t, typed).String(), testOrigin, []byte("guess"))
		w.ok(err)
		header := map[string]string{proxied: "198.51.100." + string(rune('0'+n%10))}
		return w.player().do("POST", api.RoutePasswordSignIns, api.TypeJSON, body(t, api.PasswordStart{Name: loginName(t, typed), KE1: ke1}), header)
	}
	for n := range 9 {
		known, unknown := guess("ada", n), guess("nobody", n)
		if known.status != unknown.status || len(known.body) != len(unknown.body) {
			t.Errorf("attempt %d is told apart: %s %s", n, known.body, unknown.body)
		}
		if n < limit.FreeOfAccount {
			want[api.PasswordStarted](t, known)
			continue
		}
		if !bytes.Equal(known.body, unknown.body) || known.code() != api.CodeTooMany {
			t.Errorf("attempt %d: %s %s", n, known.body, unknown.body)
		}
	}
	var waits []int
	for n := range 4 {
		e := decodeError(t, guess("ada", n))
		waits = append(waits, e.Wait)
		w.clock.advance(time.Duration(e.Wait) * time.Second)
		want[api.PasswordStarted](t, guess("ada", n))
	}
	if !slices.Equal(waits, []int{1, 2, 4, 8}) {
		t.Errorf("waits of %v seconds", waits)
	}
	for _, firm := range []wire.ChainID{ada.firm, second} {
		in := *ada
		in.firm = firm
		for range 2 {
			if locked := kinds(in.events(firm), chain.EventLocked, ada.author.Member); len(locked) != 1 || locked[0].Detail != "password" {
				t.Errorf("auditors are told %+v", locked)
			}
		}
	}
	// Her passkey waits for nothing, and she is told.
	q := ada.browser()
	s := want[api.SignInReply](t, q.json("POST", api.RouteSignIns, struct{}{}))
	if got := want[api.Account](t, q.json("POST", "/v1/sign-ins/"+s.SignIn.String(), api.SignInFinish{Credential: key.get(t, s.Challenge)})); got.Failed == nil || got.Failed.Passwords != 9 || got.Failed.Codes != 0 {
		t.Errorf("she is told %+v", got.Failed)
	}
	refused(t, guess("ada", 1), api.CodeTooMany) // that she came with a passkey opens nothing to others
	w.clock.advance(limit.MaxWait)
	if f := q.signInPassword("ada", horses, a).Failed; f != nil {
		t.Errorf("she is told again: %+v", f)
	}
	want[api.PasswordStarted](t, guess("ada", 1)) // and with her password all is forgotten
	// A new lock is a new event.
	want[api.Account](t, ada.signIn())
	ada.open()
	for n := range limit.FreeOfAccount {
		guess("ada", n)
	}
	if locked := kinds(ada.events(ada.firm), chain.EventLocked, ada.author.Member); len(locked) != 2 {
		t.Errorf("auditors are told %+v", locked)
	}
	// One address, many names.
	refusedOf := 0
	for n := range limit.FreeOfAddress + 5 {
		_, ke1, err := opaque.LoginStart("x", testOrigin, []byte("guess"))
		w.ok(err)
		r := w.player().do("POST", api.RoutePasswordSignIns, api.TypeJSON, body(t, api.PasswordStart{Name: wire.Hash{byte(n)}, KE1: ke1}), from("203.0.113.5"))
		if r.code() == api.CodeTooMany {
			refusedOf++
		}
	}
	if refusedOf != 5 {
		t.Errorf("%d of %d names are refused", refusedOf, limit.FreeOfAddress+5)
	}
}

// TestUnknownNames: S-PASSWORD-06, attack 87. A name that nobody has is answered like any other: status, length, the same again for
// the same question, also after the server was started again.
func TestUnknownNames(t *testing.T) {
	key := &auth.MemoryKeys{Random: rand.Reader}
	w := newWorldOn(t, memory, memblob.New(), func(c *server.Config) { c.Keys = key })
	ada, a := w.withPassword("ada")
	ask := func(typed string, ke1 []byte) (answer, api.PasswordStarted) {
		t.Helper()
		w.clock.advance(limit.Forgotten)
		got := w.player().json("POST", api.RoutePasswordSignIns, api.PasswordStart{Name: loginName(t, typed), KE1: ke1})
		return got, want[api.PasswordStarted](t, got)
	}
	_, ke1, err := opaque.LoginStart("x", testOrigin, []byte("guess"))
	w.ok(err)
	before := map[string][]byte{}
	for round := range 2 {
		for _, typed := range []string{"ada", "nobody"} {
			got, started := ask(typed, ke1)
			if got.status != 200 || len(started.KE2) != opaque.KE2Size {
				t.Fatalf("%d, %d bytes", got.status, len(started.KE2))
			}
			// What the server evaluates for a name is the same each time; all else is fresh by rule.
			evaluated := started.KE2[:32]
			if round == 0 {
				before[typed] = evaluated
			} else if !bytes.Equal(before[typed], evaluated) {
				t.Errorf("%s is answered differently after a restart", typed)
			}
			_, again := ask(typed, ke1)
			if !bytes.Equal(again.KE2[:32], evaluated) || bytes.Equal(again.KE2[32:], started.KE2[32:]) {
				t.Errorf("%s: asked again, another answer", typed)
			}
			for _, f := range []api.PasswordFinish{{KE3: make([]byte, 64)}, {KE3: []byte{1}}, {Code: "123456"}} {
				_, started := ask(typed, ke1)
				got := w.player().finishPassword(started.SignIn, f)
				refused(t, got, api.CodeSignInFailed)
				if string(got.body) != `{"code":"sign-in-failed","message":"Signing in did not work."}`+"\n" {
					t.Errorf("%s: %q", typed, got.body)
				}
			}
		}
		w.restart()
	}
	w.clock.advance(limit.Forgotten)
	want[api.Account](t, ada.signIn())
	ada.browser().signInPassword("ada", horses, a)
}

// restart is another server on the same stores.
func (w *world) restart() {
	w.t.Helper()
	c := w.config
	var err error
	w.server, err = server.New(c)
	w.ok(err)
	w.http.Config.Handler = w.server.Handler()
}

// TestOtherKey: S-PASSWORD-07. With another key than passwords were set with, or none, a server does not start; as long as there is
// no password any will do.
func TestOtherKey(t *testing.T) {
	key := &auth.MemoryKeys{Random: rand.Reader}
	w := newWorldOn(t, memory, memblob.New(), func(c *server.Config) { c.Keys = key })
	start := func(k auth.Keys) error {
		c := w.config
		c.Keys = k
		_, err := server.New(c)
		return err
	}
	other := &auth.MemoryKeys{Random: rand.Reader}
	w.ok(start(other))
	ada := w.founder()
	ada.setApp()
	for what, k := range map[string]auth.Keys{"another": other, "none": &auth.MemoryKeys{Random: rand.Reader}} {
		if err := start(k); err == nil || !strings.Contains(err.Error(), "sign-in.key") || !strings.Contains(err.Error(), "Nothing was started") {
			t.Errorf("with %s: %v", what, err)
		}
	}
	w.ok(start(key))
}

// TestTheStoreAlone: S-TOTP-03. Whoever has the store and not the key has no secret of an app, nor a name.
func TestTheStoreAlone(t *testing.T) {
	w := newWorld(t)
	ada, a := w.withPassword("ada.lovelace")
	r := want[api.TOTPReply](t, ada.json("POST", api.RouteTOTP, struct{}{}))
	all := rawDump(t, w)
	secret := newApp(t, r.Secret).secret
	for what, s := range map[string]string{"a secret": string(a.secret[:]), "its text": a.secret.Text(), "a secret that is being set up": string(secret[:]), "its JSON": base64.StdEncoding.EncodeToString(a.secret[:]),
		"the name": "lovelace", "the address": "127.0.0.1"} {
		if strings.Contains(all, s) {
			t.Errorf("the store holds %s", what)
		}
	}
	if !strings.Contains(all, loginName(t, "ada.lovelace").String()) {
		t.Error("the name's hash is not there: this test would pass whatever is stored")
	}
}

// TestRemovedFactors: S-SESSION-07, attack 24. Removing or replacing a factor ends the sessions that it opened, in every firm,
// before the answer; the one that does it and those of other factors go on.
func TestRemovedFactors(t *testing.T) {
	type person struct {
		*player
		app      *app
		passkey  *authenticator
		kit      *player // signs in with it
		unlocker *authenticator
	}
	for what, c := range map[string]struct {
		signIn func(p person, q *player)
		remove func(p person) answer
		other  func(p person, q *player) // goes on
	}{
		"a passkey": {
			func(p person, q *player) { q.signInPasskey(p.passkey) },
			func(p person) answer { return p.removePasskey(p.passkey.id) },
			func(p person, q *player) { q.signInPasskey(p.unlocker) },
		},
		"a kit": {
			func(p person, q *player) { q.signInKit(p.kit) },
			func(p person) answer { return p.putKit(newKey(t)) },
			func(p person, q *player) { q.signInPasskey(p.passkey) },
		},
		"a password": {
			func(p person, q *player) { q.signInPassword("ada", horses, p.app) },
			func(p person) answer { return p.do("DELETE", api.RoutePassword, "", nil, nil) },
			func(p person, q *player) { q.signInKit(p.kit) },
		},
		"an app, removed": {
			func(p person, q *player) { q.signInPassword("ada", horses, p.app) },
			func(p person) answer { return p.do("DELETE", api.RouteTOTP, "", nil, nil) },
			func(p person, q *player) {
				id, second := q.showPassword("ada", horses)
				want[api.PasswordFinished](t, q.finishPassword(id, api.PasswordFinish{Credential: q.answerPasskey(p.passkey, second)}))
			},
		},
		"an app, replaced": {
			func(p person, q *player) { q.signInPassword("ada", horses, p.app) },
			func(p person) answer {
				r := want[api.TOTPReply](t, p.json("POST", api.RouteTOTP, struct{}{}))
				return p.json("PUT", api.RouteTOTP, api.PutTOTP{Ceremony: r.Ceremony, Code: p.code(newApp(t, r.Secret))})
			},
			func(p person, q *player) { q.signInPasskey(p.passkey) },
		},
		"a passkey as a second factor": {
			func(p person, q *player) {
				id, second := q.showPassword("ada", horses)
				want[api.PasswordFinished](t, q.finishPassword(id, api.PasswordFinish{Credential: q.answerPasskey(p.passkey, second)}))
			},
			func(p person) answer { return p.removePasskey(p.passkey.id) },
			func(p person, q *player) { q.signInPassword("ada", horses, p.app) },
		},
		"what lifted it": {
			func(p person, q *player) {
				q.signInKit(p.kit)
				want[api.Account](t, q.json("POST", api.RouteProofs, api.Prove{Code: p.fresh(p.app)}))
			},
			func(p person) answer { return p.do("DELETE", api.RouteTOTP, "", nil, nil) },
			func(p person, q *player) { q.signInKit(p.kit) },
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			ada, a := w.withPassword("ada")
			second := ada.secondFirm()
			p := person{player: ada, app: a, passkey: newAuthenticator(t), unlocker: newAuthenticator(t), kit: &player{world: w, login: newKey(t)}}
			for _, key := range []*authenticator{p.passkey, p.unlocker} {
				begun, _ := ada.beginPasskey()
				want[api.Account](t, ada.finishPasskey(key, begun, true))
			}
			want[api.Account](t, ada.putKit(p.kit.login))
			lost, kept := ada.browser(), ada.browser()
			c.signIn(p, lost)
			c.other(p, kept)
			for _, q := range []*player{lost, kept} {
				for _, firm := range []wire.ChainID{ada.firm, second} {
					q.firm = firm
					q.open()
				}
			}
			want[api.Account](t, ada.showFactor(ada))
			want[api.Account](t, c.remove(p))
			for where, got := range map[string]answer{"account": lost.get(api.RouteAccount), "first": lost.look(ada.firm), "second": lost.look(second)} {
				if got.code() != api.CodeSessionEnded {
					t.Errorf("%s: %d %s", where, got.status, got.body)
				}
			}
			for _, q := range []*player{ada, kept} {
				want[api.Account](t, q.get(api.RouteAccount))
				want[api.Chains](t, q.look(ada.firm))
				want[api.Chains](t, q.look(second))
			}
		})
	}
}

func (p *player) signInPasskey(a *authenticator) {
	p.t.Helper()
	s := want[api.SignInReply](p.t, p.json("POST", api.RouteSignIns, struct{}{}))
	a.count++
	want[api.Account](p.t, p.json("POST", "/v1/sign-ins/"+s.SignIn.String(), api.SignInFinish{Credential: a.get(p.t, s.Challenge)}))
}

func (p *player) signInKit(kit *player) {
	p.t.Helper()
	s := want[api.SignInReply](p.t, p.json("POST", api.RouteSignIns, struct{}{}))
	proof := kit.proof(s.Challenge)
	proof.Method = uint8(vault.MethodKit)
	want[api.Account](p.t, p.json("POST", "/v1/sign-ins/"+s.SignIn.String(), api.SignInFinish{Login: proof}))
}

// TestOwnFactorRemoved: whoever removes the passkey he signed in with stays signed in where he is: he has just shown it.
func TestOwnFactorRemoved(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	key := newAuthenticator(t)
	begun, _ := ada.beginPasskey()
	want[api.Account](t, ada.finishPasskey(key, begun, true))
	here, there := ada.browser(), ada.browser()
	here.signInPasskey(key)
	there.signInPasskey(key)
	want[api.Account](t, here.removePasskey(key.id))
	want[api.Account](t, here.get(api.RouteAccount))
	refused(t, there.get(api.RouteAccount), api.CodeSessionEnded)
}

// TestTwoFactors: S-SESSION-08. A firm that asks for two factors lets nobody in with one: its staff by the one rule, all others by
// the other, from the next request on. A code or a passkey makes two of a session; a kit does not.
func TestTwoFactors(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	paula := ada.replay(ada.firm).join(chain.RoleParalegal).player // staff
	clara := ada.matter().join(chain.RoleClient).player
	a := ada.setApp()
	apps := map[*player]*app{ada: a, paula: paula.setApp(), clara: clara.setApp()}
	enter := func(p *player) answer {
		return p.json("POST", api.Firm(ada.firm)+"/sessions", p.sessionRequest(p.ticket()))
	}
	lift := func(p *player) answer {
		return p.json("POST", api.RouteProofs, api.Prove{Code: w.fresh(apps[p])})
	}
	// An owner who has shown one factor does not shut herself out: she shows another first.
	f := ada.replay(ada.firm)
	rules := chain.DefaultPolicy()
	rules.StaffMFA = true
	sub, err := f.state.SetPolicy(ada.author, rules)
	w.ok(err)
	refused(t, f.send(f.path()+"/entries", sub), api.CodeSecondFactor)
	want[api.Account](t, lift(ada))
	ada.open()
	ada.rule(func(p *chain.Policy) { p.StaffMFA = true })
	refused(t, paula.look(ada.firm), api.CodeSecondFactor) // at once
	refused(t, enter(paula), api.CodeSecondFactor)
	want[api.Chains](t, clara.look(ada.firm))
	want[api.Opened](t, enter(clara))
	want[api.Account](t, paula.showFactor(paula)) // the same factor once more
	refused(t, enter(paula), api.CodeSecondFactor)
	if s := paula.current(); s.MFA {
		t.Errorf("%+v", s)
	}
	want[api.Account](t, lift(paula))
	refused(t, paula.look(ada.firm), api.CodeSecondFactor) // what was opened with one stays one
	want[api.Opened](t, enter(paula))
	want[api.Chains](t, paula.look(ada.firm))

	ada.rule(func(p *chain.Policy) { p.StaffMFA, p.ClientMFA = true, true })
	refused(t, clara.look(ada.firm), api.CodeSecondFactor)
	refused(t, enter(clara), api.CodeSecondFactor)
	// A guest who is no member yet is no staff.
	dan := ada.matter()
	l := dan.invite(chain.RoleClient, chain.ModeOpensAtOnce)
	g := w.player()
	g.firm = ada.firm
	proof := g.inviteProof(l, api.ProofEnrol, nil)
	want[api.Account](t, g.finish(want[api.EnrolReply](t, g.json("POST", api.RouteEnrolments, api.EnrolRequest{Invite: &proof}))))
	refused(t, g.json("POST", api.Firm(ada.firm)+"/sessions", g.guestRequest(l)), api.CodeSecondFactor)
	// Clara lifts hers with a passkey.
	key := newAuthenticator(t)
	begun, _ := clara.beginPasskey()
	want[api.Account](t, clara.finishPasskey(key, begun, false))
	s := want[api.SignInReply](t, clara.json("POST", api.RouteSignIns, struct{}{}))
	want[api.Account](t, clara.json("POST", api.RouteProofs, api.Prove{SignIn: s.SignIn, Credential: key.get(t, s.Challenge)}))
	want[api.Opened](t, enter(clara))
	// A passkey alone is two, and a password with its second factor.
	in := clara.browser()
	in.signInPasskey(key)
	want[api.Opened](t, enter(in))
	want[api.Account](t, ada.signIn())
	refused(t, enter(ada), api.CodeSecondFactor) // a passphrase is one again
	ada.setPassword("ada", horses)
	in = ada.browser()
	in.signInPassword("ada", horses, a)
	want[api.Opened](t, enter(in))
	want[api.Chains](t, in.look(ada.firm))
}

// TestOldPasswords: S-SESSION-08. A firm whose passwords last so many days lets nobody in with an older one; a new one does, and
// so does another factor.
func TestOldPasswords(t *testing.T) {
	w := newWorld(t)
	ada, a := w.withPassword("ada")
	key := newAuthenticator(t)
	begun, _ := ada.beginPasskey()
	want[api.Account](t, ada.finishPasskey(key, begun, true))
	ada.rule(func(p *chain.Policy) { p.PasswordDays, p.Idle, p.Absolute = 30, 480, 1440 })
	w.clock.advance(30*24*time.Hour - time.Hour)
	q := ada.browser()
	q.signInPassword("ada", horses, a)
	q.open()
	w.clock.advance(59 * time.Minute)
	want[api.Chains](t, q.look(ada.firm))
	w.clock.advance(time.Minute)
	refused(t, q.look(ada.firm), api.CodePasswordOld)
	refused(t, q.json("POST", api.Firm(ada.firm)+"/sessions", q.sessionRequest(q.ticket())), api.CodePasswordOld)
	by := ada.browser()
	by.signInPasskey(key)
	by.open()
	want[api.Chains](t, by.look(ada.firm))
	// She sets a new one there and then.
	refused(t, q.json("POST", api.RoutePassword, api.PasswordRequest{Name: loginName(t, "ada"), Request: mustRequest(t, "ada")}), api.CodeProveAgain)
	want[api.Account](t, q.json("POST", api.RouteProofs, api.Prove{Code: w.fresh(a)}))
	q.setPassword("ada", "another horse battery staple")
	q.open()
	want[api.Chains](t, q.look(ada.firm))
}

// TestProofs: S-SESSION-09. A code or the password of this very account proves once more who it is, and opens no other session.
func TestProofs(t *testing.T) {
	w := newWorld(t)
	ada, a := w.withPassword("ada")
	bob, b := w.withPassword("bob")
	w.clock.advance(api.ProofSeconds * time.Second)
	refused(t, ada.putKit(newKey(t)), api.CodeProveAgain)
	show := func(p *player, typed, password string) answer {
		l := p.beginPassword(typed, password)
		w.ok(l.err)
		return p.json("POST", api.RouteProofs, api.Prove{SignIn: l.SignIn, KE3: l.ke3})
	}
	refused(t, show(ada, "bob", horses), api.CodeForbidden)
	refused(t, ada.json("POST", api.RouteProofs, api.Prove{Code: w.fresh(b)}), api.CodeCodeFailed)
	refused(t, ada.putKit(newKey(t)), api.CodeProveAgain)
	l := ada.beginPassword("ada", horses)
	refused(t, ada.json("POST", api.RouteProofs, api.Prove{SignIn: l.SignIn, KE3: make([]byte, 64)}), api.CodeSignInFailed)
	refused(t, ada.json("POST", api.RouteProofs, api.Prove{SignIn: l.SignIn, KE3: l.ke3}), api.CodeSignInFailed)
	for _, p := range []api.Prove{{}, {Code: "123456", SignIn: newID(t)}, {KE3: l.ke3}, {SignIn: newID(t)}, {SignIn: newID(t), KE3: l.ke3, Login: ada.proof([]byte("x"))}} {
		refused(t, ada.json("POST", api.RouteProofs, p), api.CodeBadRequest)
	}
	sessions := len(ada.sessions())
	cookie := maps.Clone(ada.cookies)
	got := want[api.Account](t, show(ada, "ada", horses))
	if got.Failed == nil || got.Failed.Passwords != 1 || !maps.Equal(cookie, ada.cookies) || len(ada.sessions()) != sessions {
		t.Errorf("%+v, %d sessions", got.Failed, len(ada.sessions()))
	}
	want[api.Account](t, ada.putKit(newKey(t)))
	w.clock.advance(api.ProofSeconds * time.Second)
	want[api.Account](t, ada.json("POST", api.RouteProofs, api.Prove{Code: w.fresh(a)}))
	want[api.Account](t, ada.putKit(newKey(t)))
	// A password that is not finished elsewhere is not finished here twice.
	l = bob.beginPassword("bob", horses)
	want[api.Account](t, bob.json("POST", api.RouteProofs, api.Prove{SignIn: l.SignIn, KE3: l.ke3}))
	refused(t, bob.finishPassword(l.SignIn, api.PasswordFinish{KE3: l.ke3}), api.CodeSignInFailed)
	// Codes of a thief of the cookie are counted, too.
	eve := bob.thief()
	for range limit.FreeOfAccount {
		refused(t, eve.json("POST", api.RouteProofs, api.Prove{Code: "000000"}), api.CodeCodeFailed)
	}
	refused(t, eve.json("POST", api.RouteProofs, api.Prove{Code: "000000"}), api.CodeTooMany)
}

// TestTwoTabsSignIn: two tabs of one browser that sign in at the same time are both in, with sessions of their own or one, and no
// row is lost.
func TestTwoTabsSignIn(t *testing.T) {
	w := newWorld(t)
	ada, a := w.withPassword("ada")
	key := newAuthenticator(t)
	begun, _ := ada.beginPasskey()
	want[api.Account](t, ada.finishPasskey(key, begun, true))
	for range 4 {
		w.clock.advance(limit.Forgotten)
		// The browser has a cookie already, which both send.
		tab := ada.browser()
		tab.signInPasskey(key)
		tabs := []*player{tab, tab.thief()}
		id, _ := tabs[0].showPassword("ada", horses)
		s := want[api.SignInReply](t, tabs[1].json("POST", api.RouteSignIns, struct{}{}))
		key.count++
		requests := []func() (answer, error){
			func() (answer, error) {
				return tabs[0].try("POST", api.RoutePasswordSignIns+"/"+id.String(), api.TypeJSON, body(t, api.PasswordFinish{Code: w.fresh(a)}), nil)
			},
			func() (answer, error) {
				return tabs[1].try("POST", "/v1/sign-ins/"+s.SignIn.String(), api.TypeJSON, body(t, api.SignInFinish{Credential: key.get(t, s.Challenge)}), nil)
			},
		}
		var wait sync.WaitGroup
		for _, send := range requests {
			wait.Go(func() {
				if got, err := send(); err != nil || got.status != 200 {
					t.Errorf("%v %d %s", err, got.status, got.body)
				}
			})
		}
		wait.Wait()
		for i, tab := range tabs {
			if got := tab.get(api.RouteAccount); got.status != 200 {
				t.Errorf("tab %d: %d %s", i, got.status, got.body)
			}
		}
	}
}

// TestNoticesReachAuditors: what is put down is told once, also where telling fails half way.
func TestNoticesReachAuditors(t *testing.T) {
	w := newWorld(t)
	ada, _ := w.withPassword("ada")
	for range limit.FreeOfAccount {
		want[api.PasswordStarted](t, w.guess("ada"))
		want[api.PasswordStarted](t, w.guess("nobody"))
	}
	if n := countRows(t, w, "notice/")["notice/"]; n != 2 {
		t.Fatalf("%d notices", n)
	}
	clara := ada.matter().join(chain.RoleClient).player
	if n := countRows(t, w, "notice/")["notice/"]; n != 1 { // whoever enters the firm takes them along
		t.Fatalf("%d notices", n)
	}
	clara.open()
	for range 2 {
		locked := kinds(ada.events(ada.firm), chain.EventLocked, ada.author.Member)
		if len(locked) != 1 || locked[0].Time == 0 {
			t.Fatalf("%+v", locked)
		}
	}
	// A server that stopped between telling and forgetting tells nothing twice.
	lost := map[string][]byte{}
	w.clock.advance(limit.Forgotten)
	want[api.Account](t, ada.signIn())
	ada.open()
	for range limit.FreeOfAccount {
		want[api.PasswordStarted](t, w.guess("ada"))
	}
	notices := func(fn func(tx store.Tx) error) { w.ok(w.store.Update(t.Context(), layout.Accounts, fn)) }
	notices(func(tx store.Tx) error {
		return tx.Scan([]byte("notice/"+ada.firm.String()), nil, 0, func(k, v []byte) error { lost[string(k)] = v; return nil })
	})
	if len(lost) != 1 {
		t.Fatalf("%d notices", len(lost))
	}
	for range 2 {
		if n := len(kinds(ada.events(ada.firm), chain.EventLocked, ada.author.Member)); n != 2 {
			t.Fatalf("%d events", n)
		}
		notices(func(tx store.Tx) error {
			for k, v := range lost {
				if err := tx.Put([]byte(k), v); err != nil {
					return err
				}
			}
			return nil
		})
	}
	// What nobody's name left ends by itself.
	w.clock.advance(91 * 24 * time.Hour)
	want[api.Account](t, ada.signIn())
	for range 3 {
		ada.json("POST", api.RouteSignIns, struct{}{})
	}
	if n := countRows(t, w, "notice/")["notice/"]; n != 0 {
		t.Fatalf("%d notices stay", n)
	}
}

// TestForgiven: S-UNLOCK-01. An owner's entry ends the waits of a member, of passwords and of codes, and nobody else's.
func TestForgiven(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	clara := ada.matter().join(chain.RoleClient).player
	a := clara.setApp()
	clara.setPassword("clara", horses)
	other := w.founder()
	other.setApp()
	other.setPassword("other", horses)
	waits := func(typed string) bool {
		t.Helper()
		for range limit.FreeOfAccount {
			if got := w.guess(typed); got.status != 200 && got.code() != api.CodeTooMany {
				t.Fatalf("%d %s", got.status, got.body)
			}
		}
		return w.guess(typed).code() == api.CodeTooMany
	}
	id, _ := clara.browser().showPassword("clara", horses)
	for range limit.FreeOfAccount {
		refused(t, clara.browser().finishPassword(id, api.PasswordFinish{Code: "000000"}), api.CodeCodeFailed)
	}
	if !waits("clara") || !waits("other") {
		t.Fatal("nobody waits")
	}
	f := ada.replay(ada.firm)
	sub, err := f.state.Unlock(ada.author, clara.author.Member, "She called from her own telephone.")
	w.ok(err)
	send := func() { want[api.ChainHead](t, f.send(f.path()+"/entries", sub)) }
	send()
	want[api.PasswordFinished](t, clara.browser().finishPassword(id, api.PasswordFinish{Code: w.code(&app{secret: a.secret, ahead: 30 * time.Second})}))
	if got := w.guess("clara"); got.status != 200 {
		t.Errorf("she waits: %s", got.body)
	}
	if w.guess("other").code() != api.CodeTooMany {
		t.Error("somebody else was forgiven as well")
	}
	send() // again is answered as it was
}

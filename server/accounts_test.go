package server_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/circl/sign/mldsa/mldsa44"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/server"
)

func TestSetupWorksOnce(t *testing.T) {
	w := newWorld(t)
	secret := w.setup()
	ada, eve := w.player(), w.player()
	begin := func(p *player) api.EnrolReply {
		t.Helper()
		r := want[api.EnrolReply](t, p.json("POST", api.RouteEnrolments, api.EnrolRequest{Setup: secret}))
		want[api.Account](t, p.finish(r))
		return r
	}
	one, two := begin(ada), begin(eve) // both hold the link
	if one.Log.Origin != two.Log.Origin || one.Log.Keys[0] != two.Log.Keys[0] {
		t.Fatal("one link has two logs")
	}
	checkLogKeys(t, *one.Log)
	adas, _ := ada.foundRequest(secret, *one.Log)
	eves, _ := eve.foundRequest(secret, *two.Log)
	refused(t, w.player().json("POST", api.RouteFirms, adas), api.CodeNotSignedIn)
	wrong := adas
	wrong.Setup = "AAAA"
	refused(t, ada.json("POST", api.RouteFirms, wrong), api.CodeSetupUsed)
	wrong = adas
	wrong.Bundle = eves.Bundle
	refused(t, ada.json("POST", api.RouteFirms, wrong), api.CodeBadRequest)
	wrong = adas
	wrong.Submission = eves.Submission // she seats herself, and nobody another
	refused(t, ada.json("POST", api.RouteFirms, wrong), api.CodeForbidden)

	first := want[api.ChainHead](t, ada.json("POST", api.RouteFirms, adas))
	again := want[api.ChainHead](t, ada.json("POST", api.RouteFirms, adas))
	if first != again {
		t.Fatal("the same request has two answers")
	}
	refused(t, eve.json("POST", api.RouteFirms, eves), api.CodeSetupUsed)
	second, _ := ada.foundRequest(secret, *one.Log)
	refused(t, ada.json("POST", api.RouteFirms, second), api.CodeSetupUsed)
	refused(t, w.player().json("POST", api.RouteEnrolments, api.EnrolRequest{Setup: secret}), api.CodeSetupUsed)
	for _, r := range []api.EnrolRequest{{}, {Setup: secret, Invite: &api.InviteProof{}}} {
		refused(t, w.player().json("POST", api.RouteEnrolments, r), api.CodeBadRequest)
	}
	late := w.setup()
	w.clock.advance(30 * time.Minute)
	refused(t, w.player().json("POST", api.RouteEnrolments, api.EnrolRequest{Setup: late}), api.CodeSetupUsed)
}

// checkLogKeys reads the verifier keys as c2sp.org/signed-note has them.
func checkLogKeys(t *testing.T, k api.LogKeys) {
	t.Helper()
	if !strings.HasPrefix(k.Origin, "localhost:8420/log/") || len(k.Keys) != 2 || len(k.VRF) != 32 {
		t.Fatalf("%+v", k)
	}
	for i, size := range []int{1 + ed25519.PublicKeySize, 1 + mldsa44.PublicKeySize} {
		parts := strings.SplitN(k.Keys[i], "+", 3)
		id, err1 := hex.DecodeString(parts[1])
		key, err2 := base64.StdEncoding.DecodeString(parts[2])
		if parts[0] != k.Origin || err1 != nil || len(id) != 4 || err2 != nil || len(key) != size || key[0] != []byte{1, 6}[i] {
			t.Errorf("verifier key %q", k.Keys[i])
		}
	}
}

func TestSignIn(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	begin := func() api.SignInReply {
		return want[api.SignInReply](t, ada.json("POST", api.RouteSignIns, struct{}{}))
	}
	finish := func(s api.SignInReply, p *api.LoginProof) answer {
		return w.player().json("POST", "/v1/sign-ins/"+s.SignIn.String(), api.SignInFinish{Login: p})
	}
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	w.ok(err)
	// An unknown key, a wrong signature, another method and a challenge that was used: one answer, to the byte.
	s := begin()
	unknown := finish(s, (&player{world: w, login: stranger}).proof(s.Challenge))
	used := finish(s, ada.proof(s.Challenge))
	s = begin()
	bad := ada.proof(s.Challenge)
	bad.Signature[0]++
	wrong := finish(s, bad)
	after := finish(s, ada.proof(s.Challenge)) // a failed try uses the challenge up as well
	s = begin()
	kit := ada.proof(s.Challenge)
	kit.Method = uint8(vault.MethodKit)
	method := finish(s, kit)
	s = begin()
	other := ada.proof(begin().Challenge)
	another := finish(s, other)
	s = begin()
	w.clock.advance(api.CeremonySeconds * time.Second)
	expired := finish(s, ada.proof(s.Challenge))
	for name, a := range map[string]answer{"unknown": unknown, "used": used, "wrong": wrong, "after": after, "method": method, "another": another, "expired": expired} {
		refused(t, a, api.CodeSignInFailed)
		if a.status != unknown.status || !bytes.Equal(a.body, unknown.body) {
			t.Errorf("%s is told apart: %s", name, a.body)
		}
	}
	s = begin()
	want[api.Account](t, finish(s, ada.proof(s.Challenge)))
	// Another origin's proof is none here.
	s = begin()
	phished := ada.proof(s.Challenge)
	phished.Signature = ed25519.Sign(ada.login, api.LoginMessage("https://evil.example", s.Challenge))
	refused(t, finish(s, phished), api.CodeSignInFailed)
}

func TestKeyringIsSwappedAndNotOverwritten(t *testing.T) {
	ada := newWorld(t).founder()
	put := func(revision uint64, ring string) answer {
		signature := ed25519.Sign(ada.ring, api.KeyringMessage(ada.account, revision+1, []byte(ring)))
		return ada.json("PUT", api.RouteKeyring, api.PutKeyring{Revision: revision, Keyring: []byte(ring), Signature: signature})
	}
	if got := want[api.Account](t, put(1, "two")); got.Revision != 2 {
		t.Fatalf("%+v", got)
	}
	want[api.Account](t, put(1, "two")) // again
	refused(t, put(1, "other"), api.CodeMoved)
	refused(t, put(3, "later"), api.CodeMoved)
	refused(t, put(2, strings.Repeat("x", api.MaxKeyring+1)), api.CodeTooLarge)
	want[api.Account](t, put(2, strings.Repeat("x", api.MaxKeyring)))
}

func TestKit(t *testing.T) {
	w := newWorld(t)
	ada, eve := w.founder(), w.founder()
	kits := map[int]ed25519.PrivateKey{}
	put := func(p *player, key ed25519.PrivateKey) answer {
		t.Helper()
		s := want[api.SignInReply](t, p.json("POST", api.RouteSignIns, struct{}{}))
		proof := (&player{world: w, login: key}).proof(s.Challenge)
		proof.Method = uint8(vault.MethodKit)
		return p.json("PUT", api.RouteVault, api.PutVault{Entry: api.VaultEntry{Method: proof.Method, ID: proof.PublicKey, Wrapped: []byte("w"), LoginKey: proof.PublicKey}, SignIn: s.SignIn, Login: proof})
	}
	signIn := func(key ed25519.PrivateKey) answer {
		t.Helper()
		s := want[api.SignInReply](t, ada.json("POST", api.RouteSignIns, struct{}{}))
		proof := (&player{world: w, login: key}).proof(s.Challenge)
		proof.Method = uint8(vault.MethodKit)
		return w.player().json("POST", "/v1/sign-ins/"+s.SignIn.String(), api.SignInFinish{Login: proof})
	}
	for i := range 2 {
		_, kits[i], _ = ed25519.GenerateKey(rand.Reader)
		if got := want[api.Account](t, put(ada, kits[i])); len(got.Vault) != 2 {
			t.Fatalf("%d unlock methods", len(got.Vault))
		}
	}
	if got := want[api.Account](t, signIn(kits[1])); got.Account != ada.account {
		t.Fatal("another account")
	}
	refused(t, signIn(kits[0]), api.CodeSignInFailed) // replaced
	refused(t, put(eve, kits[1]), api.CodeForbidden)  // hers
	// A key that did not sign is not let in.
	s := want[api.SignInReply](t, ada.json("POST", api.RouteSignIns, struct{}{}))
	proof := (&player{world: w, login: kits[0]}).proof([]byte("another challenge"))
	proof.Method = uint8(vault.MethodKit)
	entry := api.VaultEntry{Method: proof.Method, ID: proof.PublicKey, Wrapped: []byte("w")}
	refused(t, ada.json("PUT", api.RouteVault, api.PutVault{Entry: entry, SignIn: s.SignIn, Login: proof}), api.CodeSignInFailed)
}

// TestTickets: a minute, once, one firm.
func TestTickets(t *testing.T) {
	w := newWorld(t)
	ada, eve := w.founder(), w.founder()
	open := func(p *player, ticket []byte) answer {
		return p.json("POST", api.Firm(p.firm)+"/sessions", p.sessionRequest(ticket))
	}
	ticket := ada.ticket()
	want[struct{}](t, open(ada, ticket))
	refused(t, open(ada, ticket), api.CodeNotSignedIn)
	refused(t, open(ada, eve.ticket()), api.CodeNotSignedIn)
	ticket = ada.ticket()
	w.clock.advance(time.Minute)
	refused(t, open(ada, ticket), api.CodeNotSignedIn)
	// Another account's ticket opens no session for her member, with a certificate or without.
	thief := &player{world: w, cookies: eve.cookies, author: ada.author, firm: ada.firm}
	refused(t, open(thief, thief.ticket()), api.CodeForbidden)
	refused(t, ada.json("POST", api.RouteTickets, api.TicketRequest{Firm: [32]byte{1}}), api.CodeNotFound)
	// A session's id is one key's; the newer cookie ends the older one.
	req := ada.sessionRequest(ada.ticket())
	want[struct{}](t, ada.json("POST", api.Firm(ada.firm)+"/sessions", req))
	old := map[string]string{}
	for k, v := range ada.cookies {
		old[k] = v
	}
	req.Ticket = ada.ticket()
	want[struct{}](t, ada.json("POST", api.Firm(ada.firm)+"/sessions", req))
	refused(t, (&player{world: w, cookies: old, opened: ada.opened}).get(api.Firm(ada.firm)+"/chains"), api.CodeNotSignedIn)
	want[api.Chains](t, ada.get(api.Firm(ada.firm)+"/chains"))
}

func TestPRFOutputIsRefused(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	bodies := []string{
		`{"credential":{"id":"x","clientExtensionResults":{"prf":{"enabled":true,"results":{"first":"SECRETSECRET"}}}}}`,
		`{"credential":{"clientExtensionResults":{"prf":{"results":null}}}}`,
		`{"credential":{"prf":{"enabled":true},"prf":{"x":1,"results":{}}}}`,
		`{"credential":{"PRF":{"Results":{}}}}`,
		`{"credential":{"clientExtensionResults":{"prf":[{"a":1}]}},"prf":{"results":1}}`,
	}
	before := dump(t, w)
	for _, b := range bodies {
		for method, path := range map[string]string{"POST": "/v1/enrolments/" + newID(t).String(), "PUT": api.RouteVault} {
			got := ada.do(method, path, api.TypeJSON, strings.NewReader(b), nil)
			refused(t, got, api.CodeSecretReceived)
			if got.status != 422 {
				t.Errorf("status %d", got.status)
			}
		}
	}
	if dump(t, w) != before {
		t.Error("something was kept")
	}
	for _, b := range []string{`{"prf":{"enabled":true}}`, `{"results":{"prf":1}}`, `{"prf":"results"}`, `[["prf","results"]]`, ``, `{`, `{"prf":{`, strings.Repeat("[", 10000)} {
		if server.HoldsPRF([]byte(b)) {
			t.Errorf("%.40s is no PRF output", b)
		}
	}
}

func TestEnrolmentProvesItsUnlockMethods(t *testing.T) {
	w := newWorld(t)
	secret := w.setup()
	try := func(change func(*api.EnrolFinish, api.EnrolReply)) answer {
		p := w.player()
		r := want[api.EnrolReply](t, p.json("POST", api.RouteEnrolments, api.EnrolRequest{Setup: secret}))
		login := p.proof(r.Challenge)
		req := api.EnrolFinish{Login: login, Vault: []api.VaultEntry{{Method: login.Method, ID: login.PublicKey, Wrapped: []byte("w")}}, Keyring: []byte("k"), KeyringKey: p.ringKey()}
		change(&req, r)
		a := p.json("POST", "/v1/enrolments/"+r.Enrolment.String(), req)
		if a.status != 200 {
			refused(t, p.finish(r), api.CodeSignInFailed) // once
		}
		return a
	}
	want[api.Account](t, try(func(*api.EnrolFinish, api.EnrolReply) {}))
	// A passphrase may keep its root on the device.
	if got := want[api.Account](t, try(func(r *api.EnrolFinish, _ api.EnrolReply) { r.Vault = nil })); len(got.Vault) != 0 {
		t.Fatalf("%+v", got.Vault)
	}
	for name, c := range map[string]struct {
		change func(*api.EnrolFinish, api.EnrolReply)
		code   api.Code
	}{
		"no proof":        {func(r *api.EnrolFinish, _ api.EnrolReply) { r.Login = nil }, api.CodeSignInFailed},
		"wrong signature": {func(r *api.EnrolFinish, _ api.EnrolReply) { r.Login.Signature[5]++ }, api.CodeSignInFailed},
		"another id":      {func(r *api.EnrolFinish, _ api.EnrolReply) { r.Vault[0].ID = []byte("x") }, api.CodeBadRequest},
		"another method":  {func(r *api.EnrolFinish, _ api.EnrolReply) { r.Vault[0].Method = 1 }, api.CodeBadRequest},
		"huge wrap":       {func(r *api.EnrolFinish, _ api.EnrolReply) { r.Vault[0].Wrapped = make([]byte, 5000) }, api.CodeBadRequest},
		"no keyring key":  {func(r *api.EnrolFinish, _ api.EnrolReply) { r.KeyringKey = nil }, api.CodeBadRequest},
		"no credential": {func(r *api.EnrolFinish, _ api.EnrolReply) {
			r.Credential = json.RawMessage(`{"id":"AA","type":"public-key"}`)
		}, api.CodeSignInFailed},
	} {
		t.Run(name, func(t *testing.T) { refused(t, try(c.change), c.code) })
	}
	r := want[api.EnrolReply](t, w.player().json("POST", api.RouteEnrolments, api.EnrolRequest{Setup: secret}))
	w.clock.advance(api.CeremonySeconds * time.Second)
	refused(t, w.player().finish(r), api.CodeSignInFailed)
	checkCreation(t, r)
}

// checkCreation: what browsers are asked for, and what the server cannot know.
func checkCreation(t *testing.T, r api.EnrolReply) {
	t.Helper()
	var o struct {
		RP                     struct{ ID, Name string }
		User                   struct{ ID, Name, DisplayName string }
		Challenge              string
		AuthenticatorSelection struct{ ResidentKey, UserVerification string }
		Extensions             struct{ PRF json.RawMessage }
	}
	if err := json.Unmarshal(r.Creation, &o); err != nil {
		t.Fatal(err)
	}
	if o.RP.ID != "localhost" || o.RP.Name != "Underseal" || o.User.Name != "Underseal" || o.User.DisplayName != "Underseal" ||
		o.User.ID != base64.RawURLEncoding.EncodeToString(r.Account[:]) || o.Challenge != base64.RawURLEncoding.EncodeToString(r.Challenge) ||
		o.AuthenticatorSelection.ResidentKey != "required" || o.AuthenticatorSelection.UserVerification != "required" || o.Extensions.PRF == nil {
		t.Errorf("%s", r.Creation)
	}
}

func TestTheStoreHoldsNoToken(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	ticket := ada.ticket()
	secret := w.setup()
	all := rawDump(t, w)
	for name, value := range ada.cookies {
		raw, err := base64.RawURLEncoding.DecodeString(value)
		w.ok(err)
		if strings.Contains(all, value) || strings.Contains(all, string(raw)) {
			t.Errorf("the token of %s is stored", name)
		}
	}
	for _, s := range []string{string(ticket), secret, base64.StdEncoding.EncodeToString(ticket), "Ada", "Doe v. Roe", "Advocate"} {
		if strings.Contains(all, s) {
			t.Error("a secret or a name is stored")
		}
	}
	if _, err := w.server.SetupLink(context.Background()); err != nil {
		t.Fatal(err)
	}
}

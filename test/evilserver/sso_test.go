package evilserver

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server"
	"github.com/underseal/underseal/server/auth/idp"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
	testidp "github.com/underseal/underseal/test/idp"
)

var ssoCases = []attack{
	{"20-no-connector", noConnector},
}

// ways are how accounts are unlocked and signed in to, as the store has it.
func (w *World) ways() map[string]string {
	w.Helper()
	all := map[string]string{}
	w.Edit(layout.Accounts, func(tx store.Tx) error {
		for _, prefix := range []string{"vault/", "login/", "credential/"} {
			if err := tx.Scan([]byte(prefix), nil, 0, func(k, v []byte) error { all[string(k)] = string(v); return nil }); err != nil {
				return err
			}
		}
		return nil
	})
	return all
}

// post asks the server with the browser's cookies, past the client, and is its refusal.
func (b *Tab) post(method, path string, v any) api.Code {
	b.Helper()
	body, err := json.Marshal(v)
	b.ok(err)
	reply, err := b.Do(Soon(b), client.Request{Method: method, Path: path, Body: body, ContentType: api.TypeJSON})
	b.ok(err)
	var e api.Error
	if reply.Status < 400 || json.Unmarshal(reply.Body, &e) != nil {
		return ""
	}
	return e.Code
}

// gaveUp names what a client sent that changes or hands over a way to unlock.
func (w *World) gaveUp(mark int, secrets []Secret) (found []string) {
	for _, x := range w.Since(mark) {
		changes := x.Method != "GET" && (Matches(api.RouteVault, x.Path) || Matches(api.RoutePasskeys, x.Path) || Matches(api.RoutePasskey, x.Path) || Matches(api.RouteKeyring, x.Path) || Matches(api.RouteEnrolments, x.Path))
		if changes {
			found = append(found, x.Method+" "+x.Path)
		}
	}
	return append(found, w.sentOf(mark, secrets)...)
}

// sentOf names the secrets that stand in what was sent.
func (w *World) sentOf(mark int, secrets []Secret) (found []string) {
	for _, x := range w.Since(mark) {
		for _, s := range secrets {
			spelled := []byte(base64.StdEncoding.EncodeToString(s.Value))
			if len(s.Value) > 0 && (bytes.Contains(x.Request.Body, s.Value) || bytes.Contains(x.Request.Body, spelled) || strings.Contains(x.Path, string(s.Value))) {
				found = append(found, s.Name+" in "+x.Method+" "+x.Path)
			}
		}
	}
	return found
}

// S-SSO-09. A firm's sign-in opens a session, and that is all it is good for: whoever holds the provider changes no way to
// unlock, and no answer of the server's, whatever it says the firm keeps now, makes a client give one up, make another or hand
// anything over.
func noConnector(t *testing.T) {
	providers := &Providers{}
	w := NewWorld(t, func(c *server.Config) { c.Providers = providers })
	ada := w.Founder("Ada")
	kit, err := ada.CreateKit()
	w.ok(err)
	w.ok(ada.TestKit(kit.Kit))
	w.ok(ada.ConfirmKit(Soon(t)))
	user := testidp.User{Subject: "248289761001", Name: "ada", Password: "a"}
	provider := testidp.Start(t, []testidp.User{user}, testidp.Client{ID: "underseal", Secret: "of the firm", Redirect: w.Server.SSOAddress(ada.Firm)})
	providers.Set(ada.Firm, idp.Settings{Issuer: provider.Issuer, ClientID: "underseal", ClientSecret: "of the firm"})
	b := w.Tab()
	w.ok(b.SignInKit(Soon(t), kit.Kit))
	path, err := b.LinkSSO(Soon(t), ada.Firm)
	w.ok(err)
	if page := b.Through(provider, path, user); page != "/account?sso=linked" {
		t.Fatal(page)
	}
	before := w.ways()

	// The provider signs in as Ada wherever it likes.
	thief := w.Tab()
	thief.Through(provider, SSOPath(ada.Firm), user)
	_, his, err := ed25519.GenerateKey(rand.Reader)
	w.ok(err)
	_, err = thief.SignInOptions(Soon(t))
	w.ok(err)
	var signIn api.SignInReply
	w.ok(json.Unmarshal(w.Last("POST", api.RouteSignIns).Reply.Body, &signIn))
	login := &api.LoginProof{Method: uint8(vault.MethodKit), PublicKey: his.Public().(ed25519.PublicKey), Signature: ed25519.Sign(his, api.LoginMessage(w.Origin, signIn.Challenge))}
	entry := api.VaultEntry{Method: login.Method, ID: login.PublicKey, LoginKey: login.PublicKey, Wrapped: []byte("kept by the firm")}
	for what, code := range map[string]api.Code{
		"a kit of his":       thief.post("PUT", api.RouteVault, api.PutVault{Entry: entry, SignIn: signIn.SignIn, Login: login}),
		"a passkey of his":   thief.post("POST", api.RoutePasskeys, struct{}{}),
		"another link":       thief.post("POST", api.RouteSSO, api.SSORequest{Firm: ada.Firm}),
		"the end of others":  thief.post("DELETE", api.RouteAccountSessions, nil),
		"the end of a link":  thief.post("DELETE", api.SSOLinkPath(ada.Firm), nil),
		"a passkey's end":    thief.post("DELETE", api.PasskeyPath([]byte("any")), nil),
		"a keyring of his":   thief.post("PUT", api.RouteKeyring, api.PutKeyring{Revision: 2, Keyring: []byte("his"), Signature: ed25519.Sign(his, []byte("his"))}),
		"a proof of his own": thief.post("POST", api.RouteProofs, api.Prove{SignIn: signIn.SignIn, Login: login}),
	} {
		if code != api.CodeProveAgain && code != api.CodeForbidden && code != api.CodeSignInFailed {
			t.Errorf("%s: %q", what, code)
		}
	}
	if !maps.Equal(w.ways(), before) {
		t.Fatal("the provider changed how the account is unlocked")
	}

	// The server helps it: it says in words that no client knows where the key is now.
	mark := w.Mark()
	b = w.Tab()
	b.Through(provider, SSOPath(ada.Firm), user)
	connector := func(body []byte) []byte {
		return append(bytes.TrimRight(body, "}\n"), `,"keyConnectorUrl":"`+provider.Issuer+`","useKeyConnector":true}`...)
	}
	for _, route := range []string{api.RouteAccount, api.RouteSSO} {
		w.Twist("GET", route, connector)
		if err := b.TakeUp(Soon(t)); client.FailureOf(err) == nil || client.FailureOf(err).Code != api.CodeServerLied {
			t.Errorf("%s: %v", route, err)
		}
		w.Honest()
	}
	// It takes Ada's ways away, or puts one of its own among them.
	foreign, err := vault.GenerateRoot(rand.Reader)
	w.ok(err)
	parsed, err := vault.ParseKit(kit.Kit)
	w.ok(err)
	id := parsed.LoginKey().Public().(ed25519.PublicKey)
	for name, bend := range map[string]func(v *api.Account){
		"none":             func(v *api.Account) { v.Vault, v.Passkeys = []api.VaultEntry{}, []api.Passkey{} },
		"kept by the firm": func(v *api.Account) { v.Vault = []api.VaultEntry{{Method: 255, ID: id, Wrapped: v.Vault[0].Wrapped}} },
		"in the clear": func(v *api.Account) {
			v.Vault = []api.VaultEntry{{Method: uint8(vault.MethodKit), ID: id, Wrapped: foreign[:]}}
		},
		"another account": func(v *api.Account) { v.Account = wire.ObjectID{9} },
	} {
		TwistJSON(w, "GET", api.RouteAccount, bend)
		w.ok(b.TakeUp(Soon(t)))
		err := b.UnlockKit(Soon(t), kit.Kit)
		if f := client.FailureOf(err); f == nil || f.Code != api.CodeUnlockFailed || b.SignedIn() {
			t.Errorf("%s: %v", name, err)
		}
		w.Honest()
	}
	if found := w.gaveUp(mark, b.Secrets()); len(found) != 0 {
		t.Errorf("the client gave up: %v", found)
	}
	if !maps.Equal(w.ways(), before) {
		t.Error("the ways to unlock changed")
	}
	// Ada unlocks as ever, by her own hand; what was refused is in her journal, and nothing was changed by that either.
	w.ok(b.TakeUp(Soon(t)))
	w.ok(b.UnlockKit(Soon(t), kit.Kit))
	_, err = b.Overview(Soon(t))
	w.ok(err)
	if list := b.Refusals(); len(list) != 2 || list[0].Found != client.ErrUnknownReply.Error() {
		t.Errorf("the journal: %+v", list)
	}
	if found := w.gaveUp(mark, b.Secrets()); len(found) != 0 {
		t.Errorf("the client gave up: %v", found)
	}
}

package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

const (
	typedLogin    = "Ada.Lovelace"
	typedPassword = "correct horse battery staple"
	appSecret     = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
)

// fakePasswords knows one password, and is OPAQUE to whoever looks at its messages.
type fakePasswords struct {
	known string
	score int
	words []string
}

var errFake = errors.New("the module says no")

func exportOf(password []byte) []byte { return bytes.Repeat([]byte{byte(len(password)) + 7}, 64) }

func (f *fakePasswords) Register(_ context.Context, name, origin string, password []byte) (PasswordRegistration, error) {
	return &fakeExchange{f, password, "request"}, nil
}

func (f *fakePasswords) SignIn(_ context.Context, name, origin string, password []byte) (PasswordSignIn, error) {
	return &fakeExchange{f, password, "ke1"}, nil
}

func (f *fakePasswords) Strength(_ context.Context, _ []byte, words []string) (Strength, error) {
	f.words = words
	return Strength{Score: f.score}, nil
}

type fakeExchange struct {
	of       *fakePasswords
	password []byte
	message  string
}

func (e *fakeExchange) Message() []byte { return []byte(e.message) }

func (e *fakeExchange) Finish(_ context.Context, answer []byte) (message, exportKey []byte, err error) {
	if string(e.password) != e.of.known || string(answer) != "answer to "+e.message {
		return nil, nil, errFake
	}
	return []byte("after " + e.message), exportOf(e.password), nil
}

// passwordServer answers for one account with a password and an app.
type passwordServer struct {
	t      *testing.T
	at     api.Account
	second any // what KE3 is answered; nil is the truth
	secret string
	sent   []string
	proofs []api.Prove
	code   string // that counts
}

func (s *passwordServer) Do(_ context.Context, r Request) (Response, error) {
	s.sent = append(s.sent, r.Method+" "+r.Path)
	for what, secret := range map[string]string{"the name": "lovelace", "the password": typedPassword, "the password in base64": base64.StdEncoding.EncodeToString([]byte(typedPassword)),
		"the export key": base64.StdEncoding.EncodeToString(exportOf([]byte(typedPassword)))} {
		if bytes.Contains(bytes.ToLower(r.Body), []byte(strings.ToLower(secret))) || strings.Contains(r.Path, secret) {
			s.t.Errorf("%s %s tells %s", r.Method, r.Path, what)
		}
	}
	switch {
	case r.Path == api.RoutePasswordSignIns:
		return answer(200, api.PasswordStarted{SignIn: wire.ObjectID{1}, KE2: []byte("answer to ke1")})
	case strings.HasPrefix(r.Path, api.RoutePasswordSignIns+"/"):
		var f api.PasswordFinish
		must(s.t, json.Unmarshal(r.Body, &f))
		if f.KE3 != nil {
			if s.second != nil {
				return answer(200, s.second)
			}
			return answer(200, api.PasswordFinished{Second: &api.SecondFactor{Kinds: []string{api.SecondCode, "later", api.SecondPasskey}, Request: json.RawMessage(`{"challenge":"x"}`)}})
		}
		if f.Code != s.code && f.Credential == nil {
			return refusal(api.CodeCodeFailed)
		}
		return answer(200, api.PasswordFinished{Account: &s.at})
	case r.Path == api.RouteProofs:
		var p api.Prove
		must(s.t, json.Unmarshal(r.Body, &p))
		s.proofs = append(s.proofs, p)
		return answer(200, s.at)
	case r.Method == methodPost && r.Path == api.RoutePassword:
		return answer(200, api.PasswordReply{Ceremony: wire.ObjectID{2}, Response: []byte("answer to request")})
	case r.Method == methodPut && r.Path == api.RoutePassword:
		var p api.PutPassword
		must(s.t, json.Unmarshal(r.Body, &p))
		s.at.Vault, s.at.PasswordSet = []api.VaultEntry{p.Vault}, 99
		return answer(200, s.at)
	case r.Method == methodDelete && r.Path == api.RoutePassword:
		s.at.Vault, s.at.PasswordSet = []api.VaultEntry{}, 0
		return answer(200, s.at)
	case r.Method == methodPost && r.Path == api.RouteTOTP:
		return answer(200, api.TOTPReply{Ceremony: wire.ObjectID{3}, Secret: s.secret})
	case r.Path == api.RouteKeyring:
		var p api.PutKeyring
		must(s.t, json.Unmarshal(r.Body, &p))
		s.at.Keyring, s.at.Revision = p.Keyring, p.Revision+1
		return answer(200, s.at)
	case r.Path == api.RouteAccount:
		return answer(200, s.at)
	}
	return refusal(api.CodeNotFound)
}

// newPasswordServer has an account of that root whose password is set.
func newPasswordServer(t *testing.T, id wire.ObjectID, root vault.Root) *passwordServer {
	t.Helper()
	name, err := api.LoginName("http://localhost", typedLogin)
	must(t, err)
	entry, err := New(Config{Random: rand.Reader}).passwordEntry(&account{id: id, root: root}, name, exportOf([]byte(typedPassword)))
	must(t, err)
	return &passwordServer{t: t, secret: appSecret, code: "123456",
		at: api.Account{Account: id, Revision: 1, Keyring: sealedRing(t, id, root, keyring{Name: "Ada"}), Vault: []api.VaultEntry{entry}, PasswordSet: 5, TOTPSet: 6}}
}

func (s *passwordServer) client(d Device) (*Client, *fakePasswords) {
	f := &fakePasswords{known: typedPassword, score: 4}
	return New(Config{Origin: "http://localhost", Transport: s, Device: d, Passwords: f, Random: rand.Reader, Now: time.Now}), f
}

// TestPasswordAndDevice: S-PASSWORD-08. A password signs in anywhere, and unlocks where the account was unlocked before. Elsewhere
// another way does, and after it this device is one of the account's.
func TestPasswordAndDevice(t *testing.T) {
	ctx, id, root := context.Background(), wire.ObjectID{7}, testRoot(t)
	s, shelf := newPasswordServer(t, id, root), newShelf()
	c, _ := s.client(shelf)
	if err := c.SignInCode(ctx, "123456"); !hasCode(err, api.CodeBadRequest) {
		t.Fatalf("a code without a password: %v", err)
	}
	step, err := c.SignInPassword(ctx, typedLogin, []byte(typedPassword))
	must(t, err)
	if !step.Code || step.Passkey == nil || step.Passkey.PRFSalt != vault.PasskeySalt() || c.SignedIn() {
		t.Fatalf("%+v", step)
	}
	if err := c.SignInCode(ctx, "000000"); !hasCode(err, api.CodeCodeFailed) {
		t.Fatalf("%v", err)
	}
	if err := c.SignInCode(ctx, "123456"); !hasCode(err, api.CodeUnlockElsewhere) || c.SignedIn() {
		t.Fatalf("unlocked on a device that never was the account's: %v", err)
	}
	if err := c.UnlockPassword(ctx, "", []byte(typedPassword)); !hasCode(err, api.CodeUnlockElsewhere) {
		t.Fatalf("%v", err)
	}
	if ways, err := c.UnlockWays(ctx); err != nil || ways.Password {
		t.Fatalf("%+v %v", ways, err)
	}
	// Something else unlocks, once.
	must(t, c.opened(ctx, s.at, root))
	c.SignOut(ctx)
	if logins, err := c.Logins(ctx); err != nil || len(logins) != 0 {
		t.Fatalf("%q %v", logins, err)
	}
	_, err = c.SignInPassword(ctx, typedLogin, []byte(typedPassword))
	must(t, err)
	must(t, c.SignInCode(ctx, "123456"))
	if logins, err := c.Logins(ctx); err != nil || len(logins) != 1 || logins[0] != "ada.lovelace" {
		t.Fatalf("%q %v", logins, err)
	}
	if _, got, _ := c.Root(); got != root {
		t.Fatal("another root")
	}
	// What lies here opens nothing by itself, and holds neither password nor root.
	record := shelf.records[deviceName(id)]
	for what, secret := range map[string][]byte{"the root": root[:], "the password": []byte(typedPassword), "the export key": exportOf([]byte(typedPassword))} {
		if bytes.Contains(record, secret) || bytes.Contains(record, []byte(base64.StdEncoding.EncodeToString(secret))) {
			t.Errorf("the device keeps %s", what)
		}
	}
	// After a lock the password alone unlocks, in the same session.
	c.Lock(LockAsked)
	if err := c.UnlockPassword(ctx, "", []byte("correct horse battery stable")); !hasCode(err, api.CodePasswordFailed) || !c.Locked() {
		t.Fatalf("%v", err)
	}
	if err := c.UnlockPassword(ctx, "bob", []byte(typedPassword)); !hasCode(err, api.CodeNotHere) || !c.Locked() {
		t.Fatalf("another name: %v", err)
	}
	must(t, c.UnlockPassword(ctx, typedLogin, []byte(typedPassword)))
	if !c.SignedIn() || len(s.proofs) == 0 || s.proofs[len(s.proofs)-1].KE3 == nil {
		t.Fatalf("%+v", s.proofs)
	}
	if n := strings.Count(strings.Join(s.sent, "\n"), "POST "+api.RoutePasswordSignIns+"/"); n != 5 {
		t.Errorf("%d requests that open a session: unlocking opens none", n)
	}
	must(t, c.ProvePassword(ctx, []byte(typedPassword)))
	must(t, c.ProveCode(ctx, "123456"))
}

// TestUnlockFailures: one error for whatever is wrong, and the sign-in is not lost by it. Where nothing is wrapped to the password,
// as after another root, something else is to unlock.
func TestUnlockFailures(t *testing.T) {
	ctx, id, root := context.Background(), wire.ObjectID{7}, testRoot(t)
	other := testRoot(t)
	otherSecret := other.AccountSecret()
	for what, c := range map[string]struct {
		device func(r *deviceRecord)
		server func(a *api.Account)
		code   api.Code
	}{
		"another secret":     {func(r *deviceRecord) { r.Secret = otherSecret[:] }, nil, api.CodeUnlockFailed},
		"another wrap":       {nil, func(a *api.Account) { a.Vault[0].Wrapped[90]++ }, api.CodeUnlockFailed},
		"a cut wrap":         {nil, func(a *api.Account) { a.Vault[0].Wrapped = a.Vault[0].Wrapped[:9] }, api.CodeUnlockFailed},
		"another method's":   {nil, func(a *api.Account) { a.Vault[0].Method = 2 }, api.CodeUnlockElsewhere},
		"another name's":     {nil, func(a *api.Account) { a.Vault[0].ID[0]++ }, api.CodeUnlockElsewhere},
		"no wrap":            {nil, func(a *api.Account) { a.Vault = nil }, api.CodeUnlockElsewhere},
		"another account":    {func(r *deviceRecord) { r.Account[0]++ }, nil, api.CodeUnlockElsewhere},
		"a damaged record":   {func(r *deviceRecord) { r.Secret = []byte{1} }, nil, api.CodeUnlockElsewhere},
		"no record":          {func(r *deviceRecord) { r.Secret = nil }, nil, api.CodeUnlockElsewhere},
		"what it always was": {nil, nil, ""},
	} {
		t.Run(what, func(t *testing.T) {
			s, shelf := newPasswordServer(t, id, root), newShelf()
			s.at.Vault[0].ID, s.at.Vault[0].Wrapped = bytes.Clone(s.at.Vault[0].ID), bytes.Clone(s.at.Vault[0].Wrapped)
			secret := root.AccountSecret()
			r := deviceRecord{Account: id, Secret: secret[:]}
			if c.device != nil {
				c.device(&r)
			}
			b, err := json.Marshal(r)
			must(t, err)
			shelf.records[deviceName(id)] = b
			if c.server != nil {
				c.server(&s.at)
			}
			client, _ := s.client(shelf)
			_, err = client.SignInPassword(ctx, typedLogin, []byte(typedPassword))
			must(t, err)
			err = client.SignInCode(ctx, "123456")
			if (c.code == "" && err != nil) || (c.code != "" && !hasCode(err, c.code)) {
				t.Fatalf("%v, want %s", err, c.code)
			}
			if c.code != "" && (client.SignedIn() || client.ceremony.signedIn == nil) {
				t.Error("nothing can unlock after it")
			}
		})
	}
}

// TestHostilePasswordServer: what a server answers in place of the truth is refused.
func TestHostilePasswordServer(t *testing.T) {
	ctx, id, root := context.Background(), wire.ObjectID{7}, testRoot(t)
	s := newPasswordServer(t, id, root)
	for what, second := range map[string]any{
		"no second factor asked":   api.PasswordFinished{Account: &s.at},
		"both":                     api.PasswordFinished{Account: &s.at, Second: &api.SecondFactor{Kinds: []string{api.SecondCode}}},
		"neither":                  api.PasswordFinished{},
		"a stretch of its own":     map[string]any{"second": map[string]any{"kinds": []string{"totp"}, "stretch": 1}},
		"a list where one belongs": map[string]any{"second": []int{1}},
	} {
		s.second = second
		c, _ := s.client(newShelf())
		if _, err := c.SignInPassword(ctx, typedLogin, []byte(typedPassword)); !hasCode(err, api.CodeServerLied) {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.second = nil
	c, _ := s.client(newShelf())
	must(t, c.opened(ctx, s.at, root))
	for _, secret := range []string{"", "https://evil.example", appSecret + "&x=1", strings.ToLower(appSecret)} {
		s.secret = secret
		if _, err := c.AuthenticatorBegin(ctx); !hasCode(err, api.CodeServerLied) {
			t.Errorf("an app is given %q: %v", secret, err)
		}
	}
	s.secret = appSecret
	app, err := c.AuthenticatorBegin(ctx)
	must(t, err)
	if app.Secret != appSecret || !strings.HasPrefix(app.URL, "otpauth://totp/Underseal:localhost?") || !strings.Contains(app.URL, "secret="+appSecret) {
		t.Errorf("%+v", app)
	}
	for typed, code := range map[string]api.Code{"": api.CodePasswordFailed, "x": api.CodePasswordFailed, "ada lovelace": api.CodePasswordFailed} {
		before := len(s.sent)
		if _, err := c.SignInPassword(ctx, typed, []byte(typedPassword)); !hasCode(err, code) || len(s.sent) != before {
			t.Errorf("%q: %v", typed, err)
		}
	}
	if f := failureOf(ReplyError([]byte(`{"code":"too-many","message":"x","wait":100000000}`))); f.Wait != maxWait {
		t.Errorf("a server makes somebody wait %d seconds", f.Wait)
	}
	if f := failureOf(ReplyError([]byte(`{"code":"too-many","message":"x","wait":-5}`))); f.Wait != 0 {
		t.Errorf("a server makes somebody wait %d seconds", f.Wait)
	}
	without := New(Config{Origin: "http://localhost", Transport: s, Device: newShelf(), Random: rand.Reader, Now: time.Now})
	if _, err := without.SignInPassword(ctx, typedLogin, []byte("x")); !hasCode(err, api.CodeUnsupported) {
		t.Errorf("without a module: %v", err)
	}
}

// TestNewPasswords: S-PASSWORD-09. What is short or easy to guess is refused before anything is sent; the keyring remembers that there
// is a password and when it was set.
func TestNewPasswords(t *testing.T) {
	ctx, id, root := context.Background(), wire.ObjectID{7}, testRoot(t)
	s := newPasswordServer(t, id, root)
	c, f := s.client(newShelf())
	must(t, c.opened(ctx, s.at, root))
	c.account.ring.Firms = []firmSeat{{Firm: wire.ChainID{1}, Name: "Advocate LLP"}}
	before := len(s.sent)
	for what, x := range map[string]struct {
		typed, password string
		score           int
		code            api.Code
		detail          string
	}{
		"short":           {"ada", "elevenchars", 4, api.CodePasswordShort, "12"},
		"short in runes":  {"ada", strings.Repeat("\u00e9", 11), 4, api.CodePasswordShort, "12"},
		"endless":         {"ada", strings.Repeat("x", 1025), 4, api.CodePasswordShort, "12"},
		"weak":            {"ada", typedPassword, 2, api.CodePasswordWeak, ""},
		"no name":         {"", typedPassword, 4, api.CodeBadLoginName, ""},
		"not a name":      {"ada lovelace", typedPassword, 4, api.CodeBadLoginName, ""},
		"an address":      {"ada@firm.example", typedPassword, 4, api.CodeBadLoginName, ""},
		"another's spell": {"\u0430da", typedPassword, 4, api.CodeBadLoginName, ""},
	} {
		f.score = x.score
		err := c.SetPassword(ctx, x.typed, []byte(x.password))
		if fail := failureOf(err); fail == nil || fail.Code != x.code || fail.Detail != x.detail {
			t.Errorf("%s: %v", what, err)
		}
	}
	if len(s.sent) != before {
		t.Errorf("%q were sent", s.sent[before:])
	}
	if all := strings.Join(f.words, "|"); !strings.Contains(all, "Ada") || !strings.Contains(all, "Advocate LLP") || !strings.Contains(all, "ada") || !strings.Contains(all, "Underseal") {
		t.Errorf("a guesser knows more than %q", all)
	}
	// The strictest firm counts.
	c.rules[wire.ChainID{1}] = chain.Policy{PasswordLength: 30}
	c.rules[wire.ChainID{2}] = chain.Policy{PasswordLength: 14}
	f.score = 4
	if err := c.SetPassword(ctx, "ada", []byte(typedPassword)); !hasCode(err, api.CodePasswordShort) || c.MinPassword() != 30 {
		t.Errorf("%v, %d", err, c.MinPassword())
	}
	delete(c.rules, wire.ChainID{1})
	must(t, c.SetPassword(ctx, typedLogin, []byte(typedPassword)))
	ring, err := json.Marshal(c.account.ring)
	must(t, err)
	var fields map[string]json.RawMessage
	must(t, json.Unmarshal(ring, &fields))
	if !strings.HasPrefix(string(fields["password"]), `{"setAt":`) || strings.Contains(string(fields["password"]), ",") || bytes.Contains(bytes.ToLower(ring), []byte("lovelace")) {
		t.Errorf("the keyring holds %s", ring)
	}
	v, err := c.Account()
	must(t, err)
	if v.Password == nil || time.Since(time.UnixMilli(v.Password.SetAt)) > time.Minute || v.App == nil || v.App.SetAt != 6000 {
		t.Errorf("%+v %+v", v.Password, v.App)
	}
	must(t, c.RemovePassword(ctx))
	if v, _ := c.Account(); v.Password != nil || c.account.ring.Password != nil {
		t.Errorf("%+v", v)
	}
}

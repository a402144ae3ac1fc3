package sso

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/server/auth/idp"
	"github.com/underseal/underseal/test/evilserver"
	testidp "github.com/underseal/underseal/test/idp"
)

// told counts the failed sign-ins through the provider that the firm's auditors are told of, and the name that they are told.
func (o *office) told() (n int, person string) {
	o.Helper()
	view, err := o.ada.Trail(evilserver.Soon(o), o.firm, 0)
	o.ok(err)
	for _, item := range view.Items {
		if item.Kind == "sign-in-failed" && strings.HasPrefix(item.Detail, "sso") {
			n, person = n+1, item.Person
		}
	}
	return n, person
}

// toldOne says that they were told of one more, of Ada's.
func (o *office) toldOne(before int) {
	o.Helper()
	if n, person := o.told(); n != before+1 || person != "Ada" {
		o.Errorf("the auditors are told of %d failures more, by %q", n-before, person)
	}
}

// TestTokens: S-SSO-03. An ID token that is not for this sign-in, of this provider, for this client and of this time signs nobody
// in, though the provider's own key signed it. The auditors are told whose it was.
func TestTokens(t *testing.T) {
	o := newOffice(t)
	o.linked()
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	o.ok(err)
	hour := func(n int) json.Number { return json.Number(fmt.Sprint(time.Now().Unix() + int64(n)*3600)) }
	for name, bend := range map[string]func(){
		"another nonce": func() { o.provider.Claims(func(c map[string]any) { c["nonce"] = "n-0S6_WzA2Mj" }) },
		"no nonce":      func() { o.provider.Claims(func(c map[string]any) { delete(c, "nonce") }) },
		"expired": func() {
			o.provider.Claims(func(c map[string]any) { c["exp"], c["iat"] = hour(-1), hour(-2) })
		},
		"no end":          func() { o.provider.Claims(func(c map[string]any) { delete(c, "exp") }) },
		"of tomorrow":     func() { o.provider.Claims(func(c map[string]any) { c["nbf"] = hour(24) }) },
		"another client":  func() { o.provider.Claims(func(c map[string]any) { c["aud"] = []string{"another"} }) },
		"no client":       func() { o.provider.Claims(func(c map[string]any) { delete(c, "aud") }) },
		"made for others": func() { o.provider.Claims(func(c map[string]any) { c["azp"] = "another" }) },
		"for several": func() {
			o.provider.Claims(func(c map[string]any) { c["aud"] = []string{clientID, "another"}; delete(c, "azp") })
		},
		"another issuer": func() { o.provider.Claims(func(c map[string]any) { c["iss"] = "https://login.example" }) },
		"no issuer":      func() { o.provider.Claims(func(c map[string]any) { delete(c, "iss") }) },
		"alg none": func() {
			o.provider.Sign(func(payload []byte) string {
				return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload) + "."
			})
		},
		"signed with the client's secret": func() {
			o.provider.Sign(func(payload []byte) string {
				return o.provider.SignedBy(jose.HS256, []byte("a secret of the firm, and 32 bytes"), payload)
			})
		},
		"another key": func() {
			o.provider.Sign(func(payload []byte) string { return o.provider.SignedBy(jose.RS256, foreign, payload) })
		},
		"a changed subject": func() {
			o.provider.Sign(func(payload []byte) string {
				parts := strings.Split(o.provider.Signed([]byte(strings.Replace(string(payload), userAda.Subject, userBertha.Subject, 1))), ".")
				return parts[0] + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + parts[2]
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, _ := o.told()
			bend()
			b := o.Tab()
			o.out(b, b.Through(o.provider, evilserver.SSOPath(o.firm), userAda))
			o.provider.Honest()
			o.toldOne(before)
			if err := b.TakeUp(evilserver.Soon(t)); code(err) != api.CodeNotSignedIn {
				t.Errorf("there is a session: %v", err)
			}
			o.anotherMinute()
		})
	}
	for name, bend := range map[string]func(c map[string]any){
		"nobody":  func(c map[string]any) { delete(c, "sub") },
		"endless": func(c map[string]any) { c["sub"] = strings.Repeat("a", 256) },
		"no text": func(c map[string]any) { c["sub"] = 7 },
	} {
		o.provider.Claims(bend)
		b := o.Tab()
		o.out(b, b.Through(o.provider, evilserver.SSOPath(o.firm), userAda))
		o.provider.Honest()
		_ = name
	}
	b := o.Tab()
	o.in(b, b.Through(o.provider, evilserver.SSOPath(o.firm), userAda), "/")
	// Nobody links what is no subject, either.
	o = newOffice(t)
	o.provider.Claims(func(c map[string]any) { c["sub"] = strings.Repeat("a", 256) })
	if page := o.link(o.tab(o.kit), userAda); page != "/account?sso=sign-in-failed" {
		t.Errorf("a subject without end: %s", page)
	}
}

// TestSubjectAlone: S-SSO-01. A provider that says somebody has Ada's address and name, or her subject at another issuer, lets
// nobody in; nor does one whom it knows and nobody linked.
func TestSubjectAlone(t *testing.T) {
	o := newOffice(t)
	o.linked()
	o.provider.Claims(func(c map[string]any) {
		c["email"], c["email_verified"], c["name"], c["preferred_username"] = userAda.Email, true, "Ada", "ada"
	})
	for _, u := range []testidp.User{userMallory, userBertha} {
		b := o.Tab()
		o.out(b, b.Through(o.provider, evilserver.SSOPath(o.firm), u))
	}
	// Ada is signed in whatever it says of her.
	o.provider.Claims(func(c map[string]any) { c["email"], c["name"] = userMallory.Email, "Mallory" })
	b := o.Tab()
	o.in(b, b.Through(o.provider, evilserver.SSOPath(o.firm), userAda), "/")
	o.provider.Honest()
	// Nor is anything but a subject asked for.
	asked, err := url.Parse(o.Tab().ToProvider(evilserver.SSOPath(o.firm)))
	o.ok(err)
	if got := asked.Query().Get("scope"); got != "openid" {
		t.Errorf("asked for %q", got)
	}
	// The firm goes to another provider, which calls somebody by the same subject.
	o.provider = o.register(o.firm)
	b = o.Tab()
	o.out(b, b.Through(o.provider, evilserver.SSOPath(o.firm), userAda))
}

// TestOneBrowserOnce: S-SSO-02. What one browser began no other ends, and nobody ends it twice.
func TestOneBrowserOnce(t *testing.T) {
	o := newOffice(t)
	o.linked()
	start := evilserver.SSOPath(o.firm)

	// Mallory signs in at the provider and has Ada's browser go where it sent her own: Ada would work in Mallory's account.
	his, hers := o.Tab(), o.Tab()
	back := o.provider.Visit(t, his.ToProvider(start), userAda)
	o.out(hers, hers.Go(back, evilserver.Elsewhere)) // no sign-in is under way there
	hers.ToProvider(start)
	o.out(hers, hers.Go(back, evilserver.Elsewhere)) // another one is
	// That used nothing up, in either.
	o.in(his, his.Go(back, evilserver.Elsewhere), "/")

	// The same again.
	fresh := o.Tab()
	address := fresh.ToProvider(start)
	secret := fresh.Cookie("-sso")
	back = o.provider.Visit(t, address, userAda)
	o.in(fresh, fresh.Go(back, evilserver.Elsewhere), "/")
	thief := o.Tab() // who has all of it, late
	thief.SetCookie("__Host-underseal-sso", secret)
	o.out(thief, thief.Go(back, evilserver.Elsewhere))
	again := o.Tab()
	again.SetCookie("__Host-underseal-sso", secret)
	o.out(again, again.Go(o.provider.Visit(t, address, userAda), evilserver.Elsewhere)) // with a new code

	// Ada's code, which somebody saw on its way, put into a sign-in of his own (RFC 9700, 4.5): PKCE and nonce are of another.
	stolen, err := url.Parse(o.provider.Visit(t, o.Tab().ToProvider(start), userAda))
	o.ok(err)
	his = o.Tab()
	mine, err := url.Parse(o.provider.Visit(t, his.ToProvider(start), userMallory))
	o.ok(err)
	q := mine.Query()
	q.Set("code", stolen.Query().Get("code"))
	mine.RawQuery = q.Encode()
	o.out(his, his.Go(mine.String(), evilserver.Elsewhere))

	// What the provider is asked holds none of it.
	b := o.Tab()
	u, err := url.Parse(b.ToProvider(start))
	o.ok(err)
	asked := u.Query()
	if asked.Get("code_challenge_method") != "S256" || asked.Get("response_type") != "code" || asked.Get("redirect_uri") != o.Server.SSOAddress(o.firm) || len(asked.Get("code_challenge")) != 43 || len(asked.Get("nonce")) != 43 || len(asked.Get("state")) != 43 {
		t.Errorf("asked with %v", asked)
	}
	if strings.Contains(u.String(), b.Cookie("-sso")) {
		t.Error("the browser's secret is in the address")
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if o.inStore(asked.Get(name)) {
			t.Errorf("%s is in the store", name)
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(b.Cookie("-sso"))
	o.ok(err)
	for _, secret := range []string{b.Cookie("-sso"), string(raw), base64.StdEncoding.EncodeToString(raw), "a secret of the firm"} {
		if o.inStore(secret) {
			t.Error("a secret is in the store")
		}
	}
}

// TestAnswers: what the provider, or somebody in its place, sends back.
func TestAnswers(t *testing.T) {
	o := newOffice(t)
	o.linked()
	for name, bend := range map[string]func(q url.Values){
		"no":             func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") },
		"no, and a code": func(q url.Values) { q.Set("error", "access_denied") },
		"no code":        func(q url.Values) { q.Del("code") },
		"another code":   func(q url.Values) { q.Set("code", "guessed") },
		"another issuer": func(q url.Values) { q.Set("iss", "https://login.example") },
		"no state":       func(q url.Values) { q.Del("state") },
		"another state":  func(q url.Values) { q.Set("state", strings.Repeat("a", 43)) },
	} {
		b := o.Tab()
		u, err := url.Parse(o.provider.Visit(t, b.ToProvider(evilserver.SSOPath(o.firm)), userAda))
		o.ok(err)
		q := u.Query()
		bend(q)
		u.RawQuery = q.Encode()
		t.Log(name)
		o.out(b, b.Go(u.String(), evilserver.Elsewhere))
	}
	for _, secret := range []string{"", "short", strings.Repeat("A", 42) + "B", strings.Repeat("A", 43) + "=", strings.Repeat("A", 4000)} {
		b := o.Tab()
		back := o.provider.Visit(t, b.ToProvider(evilserver.SSOPath(o.firm)), userAda)
		b.SetCookie("__Host-underseal-sso", secret)
		o.out(b, b.Go(back, evilserver.Elsewhere))
	}
	// Its own issuer is the right one, and a provider that says it always names itself is taken at its word (RFC 9207).
	named := func(b *evilserver.Tab) string {
		u, err := url.Parse(o.provider.Visit(t, b.ToProvider(evilserver.SSOPath(o.firm)), userAda))
		o.ok(err)
		return u.String() + "&iss=" + url.QueryEscape(o.provider.Issuer)
	}
	b := o.Tab()
	o.in(b, b.Go(named(b), evilserver.Elsewhere), "/")
	strict := newOffice(t)
	strict.provider.Lie(testidp.Discovery, discovery(strict.provider, func(d map[string]any) { d["authorization_response_iss_parameter_supported"] = true }))
	strict.linkedWith("&iss=" + url.QueryEscape(strict.provider.Issuer))
	b = strict.Tab()
	strict.out(b, b.Through(strict.provider, evilserver.SSOPath(strict.firm), userAda))
}

// TestMixUp: S-SSO-03. What one firm's provider sends back to its own address is never taken to another firm's, which would
// get Ada's code.
func TestMixUp(t *testing.T) {
	o := newOffice(t)
	o.linked()
	eve, _ := o.founder("Eve")
	hers := o.register(eve.Firm)
	// Ada begins at Eve's firm, whose provider sends her on to Ada's own with what it was given.
	b := o.Tab()
	u, err := url.Parse(b.ToProvider(evilserver.SSOPath(eve.Firm)))
	o.ok(err)
	q := u.Query()
	q.Set("redirect_uri", o.Server.SSOAddress(o.firm)) // the one that Ada's provider takes
	asked := hers.Asked(testidp.Token)
	o.out(b, b.Go(o.provider.Visit(t, o.provider.Issuer+testidp.Authorize+"?"+q.Encode(), userAda), evilserver.Elsewhere))
	if hers.Asked(testidp.Token) != asked {
		t.Error("Eve's provider was given a code of Ada's")
	}
	// Two firms of one provider, whose answers are all of one issuer: an address is a firm's all the same.
	hers = o.provider
	o.providers.Set(eve.Firm, idp.Settings{Issuer: hers.Issuer, ClientID: "another", ClientSecret: "another"})
	b = o.Tab()
	u, err = url.Parse(b.ToProvider(evilserver.SSOPath(eve.Firm)))
	o.ok(err)
	q = u.Query()
	q.Set("redirect_uri", o.Server.SSOAddress(o.firm))
	q.Set("client_id", clientID)
	asked = hers.Asked(testidp.Token)
	o.out(b, b.Go(hers.Visit(t, hers.Issuer+testidp.Authorize+"?"+q.Encode(), userAda), evilserver.Elsewhere))
	if hers.Asked(testidp.Token) != asked {
		t.Error("a code was used in a sign-in to another firm")
	}
	hers = o.register(eve.Firm)
	// Nor does Eve's provider name Ada by her subject.
	b = o.Tab()
	o.out(b, b.Through(hers, evilserver.SSOPath(eve.Firm), userAda))
}

// discovery is what a provider says of itself, changed.
func discovery(p *testidp.Provider, change func(d map[string]any)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		d := map[string]any{"issuer": p.Issuer, "authorization_endpoint": p.Issuer + testidp.Authorize, "token_endpoint": p.Issuer + testidp.Token, "jwks_uri": p.Issuer + testidp.Keys,
			"id_token_signing_alg_values_supported": []string{"RS256"}, "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}}
		change(d)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(d)
	}
}

func (o *office) linkedWith(suffix string) {
	o.Helper()
	b := o.tab(o.kit)
	path, err := b.LinkSSO(evilserver.Soon(o), o.firm)
	o.ok(err)
	if page := b.Go(o.provider.Visit(o, b.ToProvider(path), userAda)+suffix, evilserver.Elsewhere); page != "/account?sso=linked" {
		o.Fatal(page)
	}
}

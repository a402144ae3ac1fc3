package server_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/auth"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// The whole of it, with a real identity provider, is in test/sso.

// linkedBy puts a link into the store, as if an identity provider had been asked.
func (p *player) linkedBy(subject string) {
	p.t.Helper()
	f := layout.NewSSOSubject(p.firm, "https://login.example", subject)
	p.ok(p.store.Update(context.Background(), layout.Accounts, func(tx store.Tx) error {
		if err := tx.Put(layout.SSOOfKey(p.account, p.firm), []byte(f.Hash)); err != nil {
			return err
		}
		return layout.Put(tx, layout.SSOKey(f), layout.SSO{Account: p.account, Created: 1})
	}))
}

// TestSSOIsNoWayIn: S-SSO-05, S-SESSION-02. A link with an identity provider does not count where the last way in is asked for.
func TestSSOIsNoWayIn(t *testing.T) {
	w := newWorld(t)
	p := w.player()
	secret := w.setup()
	r := want[api.EnrolReply](t, p.json("POST", api.RouteEnrolments, api.EnrolRequest{Setup: secret}))
	p.account = r.Account
	passkey, bare := newAuthenticator(t), newAuthenticator(t)
	entry := api.VaultEntry{Method: uint8(vault.MethodPasskey), ID: passkey.id, Wrapped: []byte("sealed")}
	want[api.Account](t, p.json("POST", "/v1/enrolments/"+r.Enrolment.String(), api.EnrolFinish{Credential: passkey.create(t, r), Vault: []api.VaultEntry{entry}, Keyring: []byte("ring"), KeyringKey: p.ringKey()}))
	req, _ := p.foundRequest(secret, *r.Log)
	want[api.ChainHead](t, p.json("POST", api.RouteFirms, req))
	p.linkedBy("248289761001")
	refused(t, p.removePasskey(passkey.id), api.CodeLastMethod)
	begun, _ := p.beginPasskey()
	want[api.Account](t, p.finishPasskey(bare, begun, false))
	refused(t, p.removePasskey(passkey.id), api.CodeLastMethod) // it signs in as the link does, and nothing would unlock
	// The link itself goes, whatever is left.
	want[struct{}](t, p.do("DELETE", api.SSOLinkPath(p.firm), "", nil, nil))
	refused(t, p.do("DELETE", api.SSOLinkPath(p.firm), "", nil, nil), api.CodeNotFound)
}

// TestSSOOfAccount: nobody lists, allows or ends a link of an account but its own session, just proved.
func TestSSOOfAccount(t *testing.T) {
	w := newWorld(t)
	ada, eve := w.founder(), w.founder()
	ada.linkedBy("248289761001")
	for _, p := range []*player{w.player(), eve} {
		code := api.CodeNotFound
		if p != eve {
			code = api.CodeNotSignedIn
		}
		refused(t, p.do("DELETE", api.SSOLinkPath(ada.firm), "", nil, nil), code)
		refused(t, p.json("POST", api.RouteSSO, api.SSORequest{Firm: ada.firm}), code)
	}
	if list := want[api.SSOList](t, eve.get(api.RouteSSO)); len(list.Firms) != 0 {
		t.Errorf("%+v", list)
	}
	refused(t, ada.json("POST", api.RouteSSO, api.SSORequest{Firm: ada.firm}), api.CodeNotFound) // no firm has a provider here
	for _, path := range []string{api.RouteSSO + "/x", api.RouteSSO + "/" + strings.ToUpper(ada.firm.String())} {
		refused(t, ada.do("DELETE", path, "", nil, nil), api.CodeNotFound)
	}
	refused(t, ada.json("POST", api.RouteSSO, map[string]any{"firm": ada.firm, "issuer": "https://login.example"}), api.CodeBadRequest)
	w.clock.advance(api.ProofSeconds * 1e9)
	refused(t, ada.do("DELETE", api.SSOLinkPath(ada.firm), "", nil, nil), api.CodeProveAgain)
	refused(t, ada.json("POST", api.RouteSSO, api.SSORequest{Firm: ada.firm}), api.CodeProveAgain)
	want[api.Account](t, ada.showFactor(ada))
	want[struct{}](t, ada.do("DELETE", api.SSOLinkPath(ada.firm), "", nil, nil))
}

// TestSSOAnswersPeople: what a browser goes to answers with an address of ours, and changes nothing, whoever comes from
// wherever with whatever.
func TestSSOAnswersPeople(t *testing.T) {
	w := newPagesWorld(t, testOrigin)
	ada := w.founder()
	ada.linkedBy("248289761001")
	before := dump(t, w)
	firm := api.Firm(ada.firm)
	for _, path := range []string{
		firm + "/oidc/start", firm + "/oidc/start?then=//evil.example", firm + "/oidc/start?link=" + wire.ObjectID{1}.String(), firm + "/oidc/callback", firm + "/oidc/callback?code=x&state=y",
		firm + "/oidc/callback?error=access_denied&error_description=" + strings.Repeat("a", 4000), "/v1/firms/x/oidc/start", "/v1/firms/x/oidc/callback",
	} {
		a, err := ada.noRedirect(path, map[string]string{"Sec-Fetch-Site": "same-origin"})
		w.ok(err)
		if a.status != 303 || a.header.Get("Location") != "/?sso=sign-in-failed" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
	}
	// Other sites begin nothing. Only the way back is theirs, and only by going there.
	cross := map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://login.example"}
	refused(t, ada.do("GET", firm+"/oidc/start", "", nil, cross), api.CodeForbidden)
	refused(t, ada.do("GET", api.RouteSSO, "", nil, cross), api.CodeForbidden)
	refused(t, ada.do("POST", firm+"/oidc/callback", "application/x-www-form-urlencoded", strings.NewReader("code=x"), cross), api.CodeForbidden)
	if a, err := ada.noRedirect(firm+"/oidc/callback", cross); err != nil || a.status != 303 {
		t.Errorf("back from elsewhere: %d, %v", a.status, err)
	}
	if dump(t, w) != before {
		t.Error("something was changed")
	}
}

// TestLeavingPage: one page alone may lead off this origin, and it is no other one in any other way.
func TestLeavingPage(t *testing.T) {
	w := newPagesWorld(t, testOrigin)
	p := w.player()
	get := func(path string) answer {
		return p.do("GET", path, "", nil, map[string]string{"Accept-Encoding": "identity"})
	}
	page, leaving := get("/"), get("/sso/"+strings.Repeat("a", 52))
	if leaving.status != 200 || string(leaving.body) != string(page.body) {
		t.Fatalf("%d %q", leaving.status, leaving.body)
	}
	for name := range page.header {
		if got := leaving.header.Get(name); name != "Connection-Allowlist" && name != "Date" && got != page.header.Get(name) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if page.header.Get("Connection-Allowlist") == "" || leaving.header.Get("Connection-Allowlist") != "" {
		t.Errorf("%q, %q", page.header.Get("Connection-Allowlist"), leaving.header.Get("Connection-Allowlist"))
	}
}

// bySSO is the same person in a session that the firm's identity provider opened.
func (p *player) bySSO() *player {
	p.t.Helper()
	q := p.browser()
	token := bytes.Repeat([]byte{7}, 32)
	p.ok(p.store.Update(context.Background(), layout.Accounts, func(tx store.Tx) error {
		now := p.clock.now().Unix()
		subject := layout.NewSSOSubject(p.firm, "https://login.example", "248289761001")
		s := layout.AccountSession{Account: p.account, ID: newID(p.t), Created: now, Seen: now, Expires: now + 3600, Idle: 3600, Factors: []layout.Factor{{Kind: "sso", ID: subject.ID()}}}
		return errors.Join(tx.Put(layout.AccountSessionKey(s.Account, s.ID), layout.SessionKey(token)), layout.Put(tx, layout.SessionKey(token), s))
	}))
	q.cookies["__Host-underseal-account"] = auth.Token(token).String()
	return q
}

// TestSSOAndPassword: S-SSO-04, S-PASSWORD-01. Who runs the firm's identity provider, and knows the password, has shown no second
// factor: he changes none.
func TestSSOAndPassword(t *testing.T) {
	w := newWorld(t)
	ada, a := w.withPassword("ada")
	ada.linkedBy("248289761001")
	sso := ada.bySSO()
	prove := func() {
		t.Helper()
		l := sso.beginPassword("ada", horses)
		w.ok(l.err)
		want[api.Account](t, sso.json("POST", api.RouteProofs, api.Prove{SignIn: l.SignIn, KE3: l.ke3}))
	}
	refused(t, sso.json("POST", api.RouteTOTP, struct{}{}), api.CodeProveAgain)
	prove()
	refused(t, sso.json("POST", api.RouteTOTP, struct{}{}), api.CodeProveAgain)
	// A device that is hers already is noted all the same, so that it can be revoked.
	d := newDevice(t)
	refused(t, sso.register(d), api.CodeProveAgain)
	want[api.Devices](t, ada.register(d))
	forged := d
	forged.Token = []byte("another")
	refused(t, sso.register(forged), api.CodeForbidden)
	want[api.Devices](t, sso.register(d))
	if s := sso.current(); s.Device != d.Device || s.MFA {
		t.Errorf("%+v", s)
	}
	want[api.Account](t, sso.json("POST", api.RouteProofs, api.Prove{Code: w.fresh(a)}))
	want[api.TOTPReply](t, sso.json("POST", api.RouteTOTP, struct{}{}))
	w.clock.advance(api.ProofSeconds * time.Second)
	prove() // again, of who has shown both
	want[api.TOTPReply](t, sso.json("POST", api.RouteTOTP, struct{}{}))
}

// TestSSOEndsInFirms: S-SSO-06. What a firm's identity provider opened is over everywhere with the seat in that firm: also in firms
// that were entered from it.
func TestSSOEndsInFirms(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	second := ada.secondFirm()
	ada.linkedBy("248289761001")
	sso := ada.elsewhere()
	subject := layout.NewSSOSubject(ada.firm, "https://login.example", "248289761001")
	token, err := auth.ParseToken(sso.cookies["__Host-underseal-account"])
	w.ok(err)
	w.ok(w.store.Update(context.Background(), layout.Accounts, func(tx store.Tx) error {
		s, _, err := layout.Get[layout.AccountSession](tx, layout.SessionKey(token))
		s.Factors = []layout.Factor{{Kind: "sso", ID: subject.ID()}}
		return errors.Join(err, layout.Put(tx, layout.SessionKey(token), s))
	}))
	for _, firm := range []wire.ChainID{ada.firm, second} {
		sso.firm = firm
		sso.open()
		want[api.Chains](t, sso.look(firm))
		want[api.Chains](t, ada.look(firm))
	}
	w.ok(w.store.Update(context.Background(), layout.FirmPartition(ada.firm), func(tx store.Tx) error {
		seat, _, err := layout.Get[access.Seat](tx, layout.SeatKey(ada.firm, ada.author.Member))
		seat.State = access.Removed
		return errors.Join(err, layout.Put(tx, layout.SeatKey(ada.firm, ada.author.Member), seat))
	}))
	for _, firm := range []wire.ChainID{ada.firm, second} {
		refused(t, sso.look(firm), api.CodeSessionEnded)
		want[api.Chains](t, ada.look(firm))
	}
}

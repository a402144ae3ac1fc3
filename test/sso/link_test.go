package sso

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/test/evilserver"
)

// colleague is somebody who comes to work in the firm: a seat in its own chain, and a kit.
func (o *office) colleague(name string) (*evilserver.Person, string) {
	o.Helper()
	p := o.ada.Guest(o.firm, name, chain.RoleParalegal)
	p.Firm = o.firm
	kit, err := p.CreateKit()
	o.ok(err)
	o.ok(p.TestKit(kit.Kit))
	o.ok(p.ConfirmKit(evilserver.Soon(o)))
	return p, kit.Kit
}

// ask asks the server as the page does, past the client.
func (o *office) ask(b *evilserver.Tab, method, path string, v any) api.Code {
	o.Helper()
	body, err := json.Marshal(v)
	o.ok(err)
	r := client.Request{Method: method, Path: path}
	if v != nil {
		r.Body, r.ContentType = body, api.TypeJSON
	}
	reply, err := b.Do(evilserver.Soon(o), b.SignRequest(o.firm, r))
	o.ok(err)
	var e api.Error
	if reply.Status < 400 || json.Unmarshal(reply.Body, &e) != nil {
		return ""
	}
	return e.Code
}

// tooOld makes the last proof of every session too old.
func (o *office) tooOld() {
	o.Helper()
	o.Edit(layout.Accounts, func(tx store.Tx) error {
		return tx.Scan([]byte("session/"), nil, 0, func(k, _ []byte) error {
			s, _, err := layout.Get[layout.AccountSession](tx, k)
			if err != nil {
				return err
			}
			s.Proved = 0
			return layout.Put(tx, k, s)
		})
	})
}

// TestWhoMayLink: S-SSO-01, S-FACTOR-01. Who just showed a factor, has unlocked the account, has a seat in the firm's own chain, and is still there when the browser
// comes back. A subject is one account's.
func TestWhoMayLink(t *testing.T) {
	o := newOffice(t)
	ctx := evilserver.Soon(t)
	b := o.tab(o.kit)
	o.tooOld()
	_, err := b.LinkSSO(ctx, o.firm)
	o.refused(err, api.CodeProveAgain)
	o.ok(b.ProveKit(ctx, o.kit))
	if got := o.ask(b, "POST", api.RouteSSO, api.SSORequest{Firm: o.firm}); got != api.CodeUnlockFirst {
		t.Errorf("without the account's keys: %q", got)
	}

	// A client of a matter, a firm without a provider, a firm that she is not in.
	matter := o.ada.NewMatter("Doe v. Roe")
	clara := o.ada.Guest(matter, "Clara", chain.RoleClient)
	claraKit, err := clara.CreateKit()
	o.ok(err)
	o.ok(clara.TestKit(claraKit.Kit))
	o.ok(clara.ConfirmKit(ctx))
	guest := o.tab(claraKit.Kit)
	_, err = guest.LinkSSO(ctx, o.firm)
	o.refused(err, api.CodeNotFound)
	if list, err := guest.SSO(ctx); err != nil || len(list) != 0 {
		t.Errorf("a client sees %+v, %v", list, err)
	}
	eve, eveKit := o.founder("Eve")
	hers := o.tab(eveKit)
	_, err = hers.LinkSSO(ctx, eve.Firm)
	o.refused(err, api.CodeNotFound)
	_, err = hers.LinkSSO(ctx, o.firm)
	o.refused(err, api.CodeNotHere)
	if got := o.ask(hers, "POST", api.RouteSSO, api.SSORequest{Firm: o.firm}); got != api.CodeNotFound {
		t.Errorf("another firm's: %q", got)
	}

	// Leave is for the session that asked for it, and is used once.
	path, err := b.LinkSSO(ctx, o.firm)
	o.ok(err)
	for who, other := range map[string]*evilserver.Tab{"nobody": o.Tab(), "somebody else": hers, "she herself elsewhere": o.tab(o.kit)} {
		if page := other.ToProvider(path); page != "/account?sso=sign-in-failed" {
			t.Errorf("%s: %s", who, page)
		}
	}
	if page := b.Through(o.provider, path, userAda); page != "/account?sso=linked" {
		t.Fatal(page)
	}
	if page := b.ToProvider(path); page != "/account?sso=sign-in-failed" {
		t.Errorf("again: %s", page)
	}
	for _, bad := range []string{"x", strings.Repeat("a", 26), strings.Repeat("A", 26)} {
		if page := b.ToProvider(evilserver.SSOPath(o.firm) + "?link=" + bad); page != "/?sso=sign-in-failed" {
			t.Errorf("%s: %s", bad, page)
		}
	}

	// The subject is Ada's now. The auditors are told that somebody else tried to have it.
	o.anotherMinute()
	bertha, berthaKit := o.colleague("Bertha")
	hers = o.tab(berthaKit)
	before, _ := o.told()
	path, err = hers.LinkSSO(ctx, o.firm)
	o.ok(err)
	asked, err := url.Parse(hers.ToProvider(path))
	o.ok(err)
	// Who links signs in there anew: else whoever used the browser last would be linked.
	if asked.Query().Get("prompt") != "login" {
		t.Errorf("asked with %v", asked.Query())
	}
	if page := hers.Go(o.provider.Visit(t, asked.String(), userAda), evilserver.Elsewhere); page != "/account?sso=sign-in-failed" {
		t.Errorf("Ada's subject, for Bertha: %s", page)
	}
	o.toldOne(before)
	o.ok(hers.SignInKit(ctx, berthaKit))
	if list, err := hers.SSO(ctx); err != nil || len(list) != 1 || list[0].Linked {
		t.Errorf("%+v, %v", list, err)
	}
	// One subject of the firm's is enough for one account.
	o.ok(b.SignInKit(ctx, o.kit))
	if page := o.link(b, userMallory); page != "/account?sso=sign-in-failed" {
		t.Errorf("a second subject: %s", page)
	}
	o.ok(b.SignInKit(ctx, o.kit))
	if page := o.link(b, userAda); page != "/account?sso=linked" { // the same again
		t.Errorf("again: %s", page)
	}
	// Whose session ended while he was at the provider links nothing.
	o.ok(hers.SignInKit(ctx, berthaKit))
	path, err = hers.LinkSSO(ctx, o.firm)
	o.ok(err)
	back := o.provider.Visit(t, hers.ToProvider(path), userBertha)
	o.anotherMinute()
	bertha = bertha.Again().In()
	o.ok(bertha.ProveKit(ctx, berthaKit))
	o.ok(bertha.EndOtherSessions(ctx))
	if page := hers.Go(back, evilserver.Elsewhere); page != "/account?sso=sign-in-failed" {
		t.Errorf("from a session that ended: %s", page)
	}
	if list, err := bertha.SSO(ctx); err != nil || list[0].Linked {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestUnlink: S-SSO-05. It needs a proof, ends every session that the provider opened, in every firm, and leaves the one that
// asks.
func TestUnlink(t *testing.T) {
	o := newOffice(t)
	ctx := evilserver.Soon(t)
	first := o.linked()
	o.ok(first.TakeUp(ctx))
	o.ok(first.UnlockKit(ctx, o.kit))

	elsewhere := o.Tab()
	o.in(elsewhere, elsewhere.Through(o.provider, evilserver.SSOPath(o.firm), userAda), "/")
	o.ok(elsewhere.UnlockKit(ctx, o.kit))
	look := func(b *evilserver.Tab) error {
		_, err := b.Policy(ctx, o.firm)
		return err
	}
	o.ok(look(elsewhere))
	keys := o.Tab() // without keys
	o.in(keys, keys.Through(o.provider, evilserver.SSOPath(o.firm), userAda), "/")

	o.tooOld()
	o.refused(first.UnlinkSSO(ctx, o.firm), api.CodeProveAgain)
	o.ok(first.ProveKit(ctx, o.kit))
	o.ok(first.UnlinkSSO(ctx, o.firm))
	if firms := first.SSOFirms(ctx); len(firms) != 0 {
		t.Errorf("the device remembers %v", firms)
	}
	o.refused(first.UnlinkSSO(ctx, o.firm), api.CodeNotFound)
	// In the firm, where a cookie of its own was, and outside.
	if got := o.ask(elsewhere, "GET", api.Firm(o.firm)+"/chains", nil); got != api.CodeSessionEnded {
		t.Errorf("in the firm: %q", got)
	}
	o.refused(look(elsewhere), api.CodeSessionEnded)
	// Opened by what its sign-in brought; the first request ends it, its own in the background or this one.
	o.ok(keys.UnlockKit(ctx, o.kit))
	_, err := keys.Sessions(ctx)
	if f := code(err); f != api.CodeSessionEnded && f != api.CodeNotSignedIn {
		t.Errorf("from a session that ended: %v", err)
	}
	if keys.SignedIn() {
		t.Error("keys stay where the session ended")
	}
	o.ok(look(first))
	b := o.Tab()
	o.out(b, b.Through(o.provider, evilserver.SSOPath(o.firm), userAda))

	// Who unlinks in a session that the provider opened showed another factor in it: it goes on.
	o.ok(o.ada.SignIn())
	first = o.linked()
	b = o.Tab()
	o.in(b, b.Through(o.provider, evilserver.SSOPath(o.firm), userAda), "/")
	o.ok(b.UnlockKit(ctx, o.kit))
	o.ok(b.ProveKit(ctx, o.kit))
	o.ok(b.UnlinkSSO(ctx, o.firm))
	o.ok(look(b))
	if sessions, err := b.Sessions(ctx); err != nil || len(sessions) < 2 {
		t.Errorf("%+v, %v", sessions, err)
	}
}

// TestNoLongerStaff: S-SSO-06. A firm's provider speaks for those who work there: whose seat ended it signs in nowhere, and what
// it opened is over.
func TestNoLongerStaff(t *testing.T) {
	o := newOffice(t)
	ctx := evilserver.Soon(t)
	bertha, kit := o.colleague("Bertha")
	b := o.tab(kit)
	if page := o.link(b, userBertha); page != "/account?sso=linked" {
		t.Fatal(page)
	}
	open := o.Tab()
	o.in(open, open.Through(o.provider, evilserver.SSOPath(o.firm), userBertha), "/")
	before, _ := o.told()
	view := o.ada.View(o.firm)
	for _, p := range view.People {
		if p.Name == "Bertha" {
			member, err := wire.ParseObjectID(p.Member)
			o.ok(err)
			_, err = o.ada.RemoveMember(ctx, o.firm, member)
			o.ok(err)
		}
	}
	if got := o.ask(open, "GET", api.RouteAccount, nil); got != api.CodeSessionEnded {
		t.Errorf("a session that the firm's provider opened: %q", got)
	}
	again := o.Tab()
	o.out(again, again.Through(o.provider, evilserver.SSOPath(o.firm), userBertha))
	if n, person := o.told(); n != before+1 || person != "Bertha" {
		t.Errorf("told of %d, %q", n-before, person)
	}
	// Her own ways are hers, and so is the end of the link.
	o.ok(bertha.SignIn())
	list, err := bertha.SSO(ctx)
	o.ok(err)
	if len(list) != 1 || !list[0].Linked {
		t.Errorf("%+v", list)
	}
	_, err = bertha.LinkSSO(ctx, o.firm)
	o.refused(err, api.CodeNotFound)
	o.ok(bertha.UnlinkSSO(ctx, o.firm))
	if list, err := bertha.SSO(ctx); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestSameBrowser: who signs in through the firm where she was signed in already leaves no second session behind.
func TestSameBrowser(t *testing.T) {
	o := newOffice(t)
	ctx := evilserver.Soon(t)
	b := o.linked()
	o.in(b, b.Through(o.provider, evilserver.SSOPath(o.firm), userAda), "/")
	o.ok(b.UnlockKit(ctx, o.kit))
	sessions, err := b.Sessions(ctx)
	o.ok(err)
	if len(sessions) != 2 { // and the one that founded the firm
		t.Errorf("%+v", sessions)
	}
	// Somebody else's in this browser stays as it is: it is not hers to end.
	o.anotherMinute()
	_, kit := o.colleague("Bertha")
	b = o.tab(kit)
	o.in(b, b.Through(o.provider, evilserver.SSOPath(o.firm), userAda), "/")
	hers := o.tab(kit)
	if sessions, err := hers.Sessions(ctx); err != nil || len(sessions) != 3 {
		t.Errorf("%+v, %v", sessions, err)
	}
	// It is Ada's session now, and Bertha's kit opens nothing in it.
	o.refused(b.UnlockKit(ctx, kit), api.CodeUnlockFailed)
	o.ok(b.UnlockKit(ctx, o.kit))
}

// TestPagesOfOurs: S-SSO-07. A browser is sent to a page of ours, wherever somebody wanted it to go.
func TestPagesOfOurs(t *testing.T) {
	o := newOffice(t)
	o.linked()
	id := strings.Repeat("a", 52)
	for then, want := range map[string]string{
		"": "/", "/": "/", "/account": "/account", "/m/" + id: "/m/" + id, "/m/" + id + "/trail": "/m/" + id + "/trail",
		"//evil.example": "/", "https://evil.example": "/", "/\\evil.example": "/", "/m/../../evil": "/", "/m/" + id + "/../x": "/", "/m/short": "/", "/join": "/", "/setup": "/", "/account?x": "/",
		"/account#x": "/", "account": "/", "/account\r\nX: y": "/", "/%2fevil.example": "/", "/v1/account": "/", "javascript:alert(1)": "/", "/sso/" + id: "/",
	} {
		b := o.Tab()
		if page := b.Through(o.provider, evilserver.SSOPath(o.firm)+"?then="+url.QueryEscape(then), userAda); page != want+"?sso=in" {
			t.Errorf("%q leads to %q", then, page)
		}
	}
	b := o.Tab()
	if page := b.ToProvider("/v1/firms/" + id + "/oidc/start?then=/account"); page != "/account?sso=sign-in-failed" {
		t.Errorf("a firm that there is none of: %s", page)
	}
	for _, path := range []string{"/v1/firms/x/oidc/start", "/v1/firms/x/oidc/callback", "/v1/firms/" + id + "/oidc/callback?state=x&code=y"} {
		if page := b.ToProvider(path); page != "/?sso=sign-in-failed" {
			t.Errorf("%s leads to %s", path, page)
		}
	}
	// Only the way back is open to other sites.
	if page := b.Go(o.Origin+evilserver.SSOPath(o.firm), evilserver.Elsewhere); page != "" {
		t.Errorf("another site begins a sign-in: %s", page)
	}
}

// TestForgetProvider: a firm that has another provider, or none, has no links and no sessions left of it.
func TestForgetProvider(t *testing.T) {
	o := newOffice(t)
	ctx := evilserver.Soon(t)
	o.linked()
	open := o.Tab()
	o.in(open, open.Through(o.provider, evilserver.SSOPath(o.firm), userAda), "/")
	n, err := o.Server.ForgetProvider(ctx, o.firm)
	o.ok(err)
	if n != 1 {
		t.Errorf("%d links", n)
	}
	if got := o.ask(open, "GET", api.RouteAccount, nil); got != api.CodeSessionEnded {
		t.Errorf("a session that it opened: %q", got)
	}
	b := o.Tab()
	o.out(b, b.Through(o.provider, evilserver.SSOPath(o.firm), userAda))
	if n, err := o.Server.ForgetProvider(ctx, o.firm); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
}

// TestTimes: a sign-in is over ten minutes after it began, and a session that a provider opened ends like any other.
func TestTimes(t *testing.T) {
	o := newOffice(t)
	o.provider.Claims(func(c map[string]any) { c["exp"] = o.Clock.Now().Unix() + 60 })
	o.linked()

	b := o.Tab()
	back := o.provider.Visit(t, b.ToProvider(evilserver.SSOPath(o.firm)), userAda)
	o.Clock.Advance(601 * time.Second)
	o.out(b, b.Go(back, evilserver.Elsewhere))
	back = o.provider.Visit(t, b.ToProvider(evilserver.SSOPath(o.firm)), userAda)
	o.Clock.Advance(590 * time.Second)
	o.in(b, b.Go(back, evilserver.Elsewhere), "/")
	o.Clock.Advance(899 * time.Second)
	if got := o.ask(b, "GET", api.RouteAccount, nil); got != "" {
		t.Errorf("within the idle time: %q", got)
	}
	o.Clock.Advance(901 * time.Second)
	if got := o.ask(b, "GET", api.RouteAccount, nil); got != api.CodeNotSignedIn {
		t.Errorf("after it: %q", got)
	}
	// Leave to link is as short as a ceremony.
	o.ok(b.SignInKit(evilserver.Soon(t), o.kit))
	path, err := b.LinkSSO(evilserver.Soon(t), o.firm)
	o.ok(err)
	o.Clock.Advance(api.CeremonySeconds * time.Second)
	if page := b.ToProvider(path); page != "/account?sso=sign-in-failed" {
		t.Errorf("with old leave: %s", page)
	}
}

// TestOneFactor: S-SSO-04. Where the firm asks its staff for two factors, its own sign-in is not enough at its door.
func TestOneFactor(t *testing.T) {
	o := newOffice(t)
	ctx := evilserver.Soon(t)
	o.linked()
	b := o.Tab()
	o.in(b, b.Through(o.provider, evilserver.SSOPath(o.firm), userAda), "/")
	o.ok(b.UnlockKit(ctx, o.kit))
	o.Edit(layout.FirmPartition(o.firm), func(tx store.Tx) error {
		p := chain.DefaultPolicy()
		p.StaffMFA = true
		return layout.Put(tx, layout.PolicyKey(), p)
	})
	_, err := b.Policy(ctx, o.firm)
	o.refused(err, api.CodeSecondFactor)
}

// TestUnlockByPassword: where this device knows the account, the password unlocks after the firm's sign-in; elsewhere the kit does.
// A password beside it is no second factor.
func TestUnlockByPassword(t *testing.T) {
	o := newOffice(t)
	ctx := evilserver.Soon(t)
	const password = "a long password of Ada's own"
	first := o.linked()
	o.ok(first.TakeUp(ctx))
	o.ok(first.UnlockKit(ctx, o.kit))
	o.ok(first.ProveKit(ctx, o.kit))
	begun, err := first.AuthenticatorBegin(ctx)
	o.ok(err)
	app := o.App(begun.Secret)
	o.ok(first.AuthenticatorFinish(ctx, app.Code()))
	o.ok(first.SetPassword(ctx, "ada", []byte(password)))

	o.in(first, first.Through(o.provider, evilserver.SSOPath(o.firm), userAda), "/")
	o.refused(first.UnlockPassword(ctx, "", []byte("another password than hers")), api.CodePasswordFailed)
	o.ok(first.UnlockPassword(ctx, "", []byte(password)))
	_, err = first.Overview(ctx)
	o.ok(err)
	fresh := o.Tab()
	o.in(fresh, fresh.Through(o.provider, evilserver.SSOPath(o.firm), userAda), "/")
	o.refused(fresh.UnlockPassword(ctx, "", []byte(password)), api.CodeUnlockElsewhere)
	o.ok(fresh.UnlockKit(ctx, o.kit))

	o.Edit(layout.FirmPartition(o.firm), func(tx store.Tx) error {
		p := chain.DefaultPolicy()
		p.StaffMFA = true
		return layout.Put(tx, layout.PolicyKey(), p)
	})
	_, err = fresh.Policy(ctx, o.firm)
	o.refused(err, api.CodeSecondFactor)
	o.ok(fresh.ProveCode(ctx, app.Code()))
	_, err = fresh.Policy(ctx, o.firm)
	o.ok(err)
}

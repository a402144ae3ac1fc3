package e2e

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/underseal/underseal/test/browser"
	"github.com/underseal/underseal/test/program"
)

// doubter is a proxy in front of a server. Once it is told to, it answers the next change of factors as a server does for
// which the last proof is too old.
type doubter struct {
	Origin  string
	address string
	doubts  atomic.Bool
}

func newDoubter(t testing.TB) *doubter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &doubter{Origin: "http://localhost:" + strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: d.address})
		r.Out.Host = r.In.Host
	}}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		factor := strings.HasPrefix(r.URL.Path, "/v1/account/passkeys") && r.Method != http.MethodGet
		if !factor || !d.doubts.CompareAndSwap(true, false) {
			proxy.ServeHTTP(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.Copy(w, bytes.NewReader([]byte(`{"code":"prove-again","message":"Please show once more that it is you."}`)))
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return d
}

// withKit signs in with a kit.
func withKit(b *browser.Browser, origin, kit string) {
	b.Open(origin + "/")
	b.Click("#signin-with-kit summary")
	b.Fill("#signin-kit-text", kit)
	b.Click("#signin-kit")
	b.See("#sign-out")
}

func openAccount(b *browser.Browser) {
	b.Click("#nav-account")
	b.See("#passkeys [data-passkey]")
}

func signOut(b *browser.Browser) {
	b.Click("#sign-out")
	b.See("#signin-passkey")
}

// namePasskey answers the dialog that asks for the name of a new passkey.
func namePasskey(b *browser.Browser, name string) {
	b.See("#passkey-name-dialog")
	b.Type("#passkey-name", name)
	b.Click("#passkey-name-save")
	b.Until("it is called "+name, browser.Patience, `!document.querySelector("#passkey-name-dialog") && document.querySelector("#passkeys").innerText.includes(`+strconv.Quote(name)+`)`)
}

// passkeyWhere is the selector of the passkey whose row says, or does not say, a text.
func passkeyWhere(b *browser.Browser, text string, says bool) string {
	id := b.String(`[...document.querySelectorAll("#passkeys [data-passkey]")].find(p => p.innerText.includes(` + strconv.Quote(text) + `) === ` + strconv.FormatBool(says) + `).dataset.passkey`)
	return `#passkeys [data-passkey="` + id + `"]`
}

func passkeys(b *browser.Browser, n int) {
	b.Until(strconv.Itoa(n)+" passkeys are listed", browser.Patience, `document.querySelectorAll("#passkeys [data-passkey]").length === `+strconv.Itoa(n))
}

// toSee scrolls something into the middle, to look at it.
func toSee(b *browser.Browser, css string) {
	b.Eval(`document.querySelector(` + strconv.Quote(css) + `).scrollIntoView({block: "center"})`)
}

// TestPasskeys: a second device gets a passkey of its own, is signed in with it, and then the first one is removed.
func TestPasskeys(t *testing.T) {
	proxy := newDoubter(t)
	server := program.Start(t, program.Binary(t), proxy.Origin)
	proxy.address = server.Address
	first := browser.Start(t, browser.Options{Authenticator: true})
	kit := setUp(t, first, server.SetupLink(), false)
	first.See("#matter-new")

	second := browser.Start(t, browser.Options{Authenticator: true})
	withKit(second, server.Origin, kit)
	openAccount(second)
	passkeys(second, 1)
	// The proof is too old: a gesture is asked for, and the passkey is added after it without asking again.
	proxy.doubts.Store(true)
	second.Click("#passkey-add")
	second.See("#prove-dialog")
	second.Screen("40-prove")
	second.Click("#prove-with-kit summary")
	second.Fill("#prove-kit-text", swapTwo(kit))
	second.Click("#prove-kit")
	second.See(`#prove-dialog .problem[data-code="kit-typo"]`)
	second.Screen("40-prove-typo")
	second.Fill("#prove-kit-text", kit)
	second.Click("#prove-kit")
	second.See("#passkey-name-dialog")
	second.Screen("41-passkey-name")
	namePasskey(second, "Office laptop")
	passkeys(second, 2)
	if n := count(second, `#passkeys [data-unlocks="true"]`); n != 2 {
		t.Errorf("got %d passkeys that unlock, want 2", n)
	}
	says(t, second, passkeyWhere(second, "Office laptop", true), "Signs in and unlocks")
	toSee(second, "#passkeys")
	second.Screen("42-passkeys")
	// The name comes from the sealed keyring, so it is there on the other device as well.
	first.Reload()
	signIn(first)
	openAccount(first)
	says(t, first, "#passkeys", "Office laptop")

	// It signs in and unlocks by itself.
	signOut(second)
	signIn(second)
	openAccount(second)
	second.Click(passkeyWhere(second, "Office laptop", true) + ` [data-action="passkey-rename"]`)
	namePasskey(second, "Laptop at the office")

	// Cancelling the proof removes nothing.
	remove := passkeyWhere(second, "Laptop at the office", false) + ` [data-action="passkey-remove"]`
	proxy.doubts.Store(true)
	second.Click(remove)
	says(t, second, "#what-is-left", "1 passkey that signs in and unlocks", "recovery kit")
	second.Screen("43-passkey-remove")
	second.Click("#confirm-yes")
	second.Click(`#prove-dialog [data-action="close"]`)
	second.See(`#confirm-dialog .problem[data-code="prove-again"]`)
	second.Screen("43-prove-cancelled")
	closeDialogs(second)
	passkeys(second, 2)
	// A gesture with the passkey proves as well.
	proxy.doubts.Store(true)
	second.Click(remove)
	second.Click("#confirm-yes")
	second.Click("#prove-passkey")
	passkeys(second, 1)
	says(t, second, "#passkeys", "Laptop at the office")

	// What was removed no longer signs in.
	first.Reload()
	first.Click("#signin-passkey")
	first.See(`.problem[data-code="sign-in-failed"]`)

	// A guest who has nothing but one passkey keeps it.
	second.Click("#nav-matters")
	newMatter(second, "Doe v. Roe")
	clara := browser.Start(t, browser.Options{Authenticator: true})
	clara.Open(invite(second, "Clara Client", "client", "opens-at-once", false))
	clara.Click("#join-passkey")
	clara.See("#add-files")
	openAccount(clara)
	clara.Click(`#passkeys [data-action="passkey-remove"]`)
	says(t, clara, "#what-is-left", "Nothing would be left")
	clara.Click("#confirm-yes")
	clara.See(`#confirm-dialog .problem[data-code="last-method"]`)
	clara.Screen("44-last-passkey")
	closeDialogs(clara)
	passkeys(clara, 1)
}

// TestPasskeyWithoutPRF: it signs in, the kit unlocks, and a passkey that can do both is suggested.
func TestPasskeyWithoutPRF(t *testing.T) {
	server := program.Start(t, program.Binary(t), "")
	ada := browser.Start(t, browser.Options{Authenticator: true})
	kit := setUp(t, ada, server.SetupLink(), false)
	ada.See("#matter-new")
	newMatter(ada, "Doe v. Roe")

	old := browser.Start(t, browser.Options{Authenticator: true, NoPRF: true})
	withKit(old, server.Origin, kit)
	openAccount(old)
	old.Click("#passkey-add")
	old.See("#passkey-name-dialog")
	says(t, old, "#passkey-name-dialog", "cannot unlock")
	namePasskey(old, "Old security key")
	says(t, old, passkeyWhere(old, "Old security key", true), "Only signs in", "your kit unlocks")
	toSee(old, "#passkeys")
	old.Screen("45-passkey-without-prf")
	signOut(old)

	old.Click("#signin-passkey")
	old.See("#unlock")
	old.Screen("46-unlock")
	old.Fill("#unlock-kit-text", swapTwo(kit))
	old.Click("#unlock-kit")
	old.See(`.problem[data-code="kit-typo"]`)
	old.Fill("#unlock-kit-text", kit)
	old.Click("#unlock-kit")
	old.See("#unlock-notice")
	old.See("#matters [data-matter]")
	old.Screen("47-unlocked")
	old.Click("#unlock-notice a")
	old.See("#passkey-add")

	// It is worth less than it looks when the other one goes: the page says so.
	old.Click(passkeyWhere(old, "Old security key", false) + ` [data-action="passkey-remove"]`)
	says(t, old, "#what-is-left", "1 passkey that only signs in", "recovery kit", "one way only")
	closeDialogs(old)
}

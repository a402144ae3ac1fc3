package e2e

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/underseal/underseal/test/browser"
	"github.com/underseal/underseal/test/program"
)

// between is a proxy in front of a server. meddle answers a request in its place, or says false.
type between struct {
	Origin  string
	address string
}

func newBetween(t testing.TB, meddle func(http.ResponseWriter, *http.Request) bool) *between {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &between{Origin: "http://localhost:" + strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)}
	proxy := &httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0), // browsers that close are no news
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: b.address})
			r.Out.Host = r.In.Host
		},
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !meddle(w, r) {
			proxy.ServeHTTP(w, r)
		}
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return b
}

// doubt answers the next change of what opens an account, once it is told to, as a server does for which the last proof is too
// old.
func doubt(doubts *atomic.Bool) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !changes.MatchString(r.URL.Path) || r.Method == http.MethodGet || !doubts.CompareAndSwap(true, false) {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"code":"prove-again","message":"Please show once more that it is you."}`)
		return true
	}
}

var changes = regexp.MustCompile(`^/v1/account/(passkeys|password|totp)`)

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
	t.Parallel()
	var doubts atomic.Bool
	proxy := newBetween(t, doubt(&doubts))
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
	doubts.Store(true)
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
	doubts.Store(true)
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
	doubts.Store(true)
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

// TestKitIsTested: a kit is in force once its copy was tested, with the code off the screen, and then the one before is not.
func TestKitIsTested(t *testing.T) {
	t.Parallel()
	server := program.Start(t, program.Binary(t), "")
	ada := browser.Start(t, browser.Options{Authenticator: true})
	before := setUp(t, ada, server.SetupLink(), false)
	openAccount(ada)
	ada.Click("#kit-make")
	ada.See("#kit-text")
	kit := strings.Join(strings.Fields(ada.String(`document.querySelector("#kit-text").innerText`)), "")
	ada.Click("#kit-download")
	file := ada.WaitDownload("underseal-recovery-kit.txt", browser.Patience)
	ada.Click("#kit-saved")
	ada.Click("#kit-confirm")
	ada.See("#kit-test")
	if strings.Contains(ada.String("document.body.innerText"), kit[:5]) {
		t.Error("the code is still on screen")
	}
	ada.Eval(`document.querySelectorAll(".kit-group").forEach((i) => i.value = "` + before[:5] + `")`)
	ada.Click("#kit-test")
	ada.See(`.problem[data-code="kit-typo"]`)
	ada.Screen("02-kit-test")
	ada.Axe("kit-test")
	ada.Click("#kit-back")
	ada.See("#kit-text")
	ada.Click("#kit-saved")
	ada.Click("#kit-confirm")
	ada.See("#kit-test-file")
	ada.SetFiles("#kit-test-file", file)
	ada.See("#kit-make")
	ada.Close()

	fresh := browser.Start(t, browser.Options{Authenticator: true})
	fresh.Open(server.Origin + "/")
	fresh.Click("#signin-with-kit summary")
	fresh.Fill("#signin-kit-text", before)
	fresh.Click("#signin-kit")
	fresh.See(`.problem[data-code="sign-in-failed"]`)
	fresh.Fill("#signin-kit-text", kit)
	fresh.Click("#signin-kit")
	fresh.See("#matter-new")
}

// TestNothingSaidStays: what was said last, which may name a document, is gone from the page of who locked or signed out.
func TestNothingSaidStays(t *testing.T) {
	t.Parallel()
	server := program.Start(t, program.Binary(t), "")
	ada := browser.Start(t, browser.Options{Authenticator: true})
	setUp(t, ada, server.SetupLink(), false)
	newMatter(ada, "Doe v. Roe")
	for _, leave := range []string{"#lock", "#sign-out"} {
		name := strings.TrimPrefix(leave, "#") + ".txt"
		put(t, ada, name)
		ada.Until("its name was said", browser.Patience, `document.querySelector("#announce").textContent.includes(`+strconv.Quote(name)+`)`)
		ada.Click(leave)
		ada.See("#signin-passkey")
		if said := ada.String(`document.querySelector("#announce").textContent`); said != "" {
			t.Errorf("after %s the page still holds %q", leave, said)
		}
		ada.Click("#signin-passkey")
		openMatter(ada)
	}
}

// TestPasskeyWithoutPRF: it signs in, the kit unlocks, and a passkey that can do both is suggested.
func TestPasskeyWithoutPRF(t *testing.T) {
	t.Parallel()
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

// secondTab opens the same site in another tab of the same profile and signs in there with the kit. The first page keeps
// it as window.other.
func secondTab(b *browser.Browser, kit string) {
	b.Eval(`(() => { const open = document.createElement("button"); open.id = "open-other"; open.textContent = "other"; open.onclick = () => { window.other = window.open("/"); }; document.querySelector("main").append(open); return 0; })()`)
	b.Click("#open-other")
	inOther(b, "the other tab is there", `document.querySelector("#signin-with-kit") !== null`)
	b.Eval(`(() => { const d = window.other.document; d.querySelector("#signin-kit-text").value = ` + strconv.Quote(kit) + `; d.querySelector("#signin-kit").click(); return 0; })()`)
	inOther(b, "the other tab is signed in", `document.querySelector("#sign-out") !== null`)
}

func inOther(b *browser.Browser, what, expression string) {
	b.Until(what, browser.Patience, `(() => { const document = window.other?.document; return !!document && (`+expression+`); })()`)
}

// TestTwoTabs: two tabs do not take each other's session, and who signs out or locks in one does it in all.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	server := program.Start(t, program.Binary(t), "")
	ada := browser.Start(t, browser.Options{Authenticator: true})
	link := server.SetupLink()
	kit := setUp(t, ada, link, false)
	ada.See("#matter-new")
	newMatter(ada, "Doe v. Roe")
	letter := makePDF(t, filepath.Join(t.TempDir(), "Letter.pdf"), "Dear Mrs. Roe")
	ada.SetFiles("#file-input", letter)
	waitTransfers(ada, browser.Patience)
	ada.Until("the tray folds when all is done", browser.Patience, `!document.querySelector("#transfers details").open`)
	ada.Screen("106-tray-folded")
	clearTransfers(ada)
	dialogsBegin(ada)
	ada.Reload()
	ada.See("#reloaded")
	says(t, ada, "#reloaded", "this tab\u2019s memory only", "unlock once more")
	ada.Screen("107-reloaded")
	signIn(ada)
	ada.See("#add-files")
	secondTab(ada, kit)
	// Each has a session of its own: what the other one opened is not taken for this one's.
	sameFile(t, download(ada, "Letter.pdf", browser.Patience), letter)

	ada.Click("#lock")
	ada.See(`#locked[data-reason="asked"]`)
	inOther(ada, "the other tab is locked", `document.querySelector('#locked[data-reason="asked"]') !== null && !document.body.innerText.includes("Doe v. Roe")`)
	signIn(ada)
	ada.Until("what was open is back", browser.Patience, `!!document.querySelector("#add-files")`)

	ada.Eval(`(() => { window.other.close(); window.other = undefined; return 0; })()`)
	secondTab(ada, kit)
	// This time the other tab signs out, and this one follows.
	ada.Eval(`(() => { window.other.document.querySelector("#sign-out").click(); return 0; })()`)
	ada.See("#signed-out-elsewhere")
	if strings.Contains(ada.Text(), "Doe v. Roe") {
		t.Error("the name of a matter stays on the page after signing out in another tab")
	}
	ada.Eval(`(() => { window.other.close(); return 0; })()`) // what lies behind a window is not painted
	ada.Screen("48-signed-out-elsewhere")
	ada.Reload()
	ada.See("#signin-passkey")
	if ada.Eval(`!!document.querySelector("#reloaded")`) == "true" {
		t.Error("a page without keys says that it lost them")
	}

	// The link that founded the firm says so before anybody fills anything in.
	ada.Open(link)
	ada.See(`.problem[data-code="setup-used"]`)
	if ada.Eval(`!!document.querySelector("#setup-name")`) == "true" {
		t.Error("a used link asks for a name")
	}
	ada.Screen("108-setup-used")
}

// begins waits until a dialog has the focus there.
func begins(b *browser.Browser, what, id string) {
	b.Until(what+" begins at #"+id, browser.Patience, `document.activeElement?.id === "`+id+`"`)
}

// dialogsBegin opens dialogs from an open matter with a document: each has the focus where one types, or on what changes nothing.
func dialogsBegin(b *browser.Browser) {
	b.Click("#matter-rename")
	begins(b, "a form", "matter-new-name")
	closeDialogs(b)
	b.Click("#invite-open")
	begins(b, "an invite", "invite-person")
	closeDialogs(b)
	b.Click(`#documents [data-document] [data-action="details"]`)
	begins(b, "one document", "document-dialog-title")
	b.Screen("109-document-focus")
	b.Click(`[data-action="delete"]`)
	begins(b, "what destroys", "confirm-no")
	closeDialogs(b)
}

// TestSessions: one sees where one is signed in and ends it there; who was there is told why.
func TestSessions(t *testing.T) {
	server := program.Start(t, program.Binary(t), "")
	ada := browser.Start(t, browser.Options{Authenticator: true})
	kit := setUp(t, ada, server.SetupLink(), false)
	ada.See("#matter-new")
	lost := browser.Start(t, browser.Options{})
	withKit(lost, server.Origin, kit)

	listed := func(n int) {
		t.Helper()
		ada.Until(strconv.Itoa(n)+" sessions are listed", browser.Patience, `document.querySelectorAll("#sessions [data-session]").length === `+strconv.Itoa(n))
	}
	openAccount(ada)
	listed(2)
	says(t, ada, `#sessions [data-current="true"]`, "With a passkey", "this one")
	says(t, ada, `#sessions [data-current="false"]`, "With the recovery kit")
	if n := count(ada, `#sessions [data-current="true"] [data-action="session-end"]`); n != 0 {
		t.Error("this session is offered to be ended in the list: that is what signing out is for")
	}
	toSee(ada, "#sessions")
	ada.Screen("49-sessions")
	ada.Click(`#sessions [data-current="false"] [data-action="session-end"]`)
	listed(1)
	lost.Click("#nav-account") // the next request
	lost.See(`.problem[data-code="session-ended"]`)
	lost.Screen("50-session-ended")

	withKit(lost, server.Origin, kit)
	ada.Click("#nav-matters")
	openAccount(ada)
	listed(2)
	ada.Click("#sessions-end-others")
	ada.Screen("51-end-others")
	ada.Click("#confirm-yes")
	listed(1)
	lost.Click("#nav-account")
	lost.See(`.problem[data-code="session-ended"]`)
}

// bendClock makes the page believe that so many seconds more have passed. Worker and server keep their clocks.
func bendClock(b *browser.Browser, seconds int) {
	b.Eval(`(() => { window.bent = (window.bent ?? 0) + ` + strconv.Itoa(seconds*1000) + `; if (!window.trueNow) { window.trueNow = Date.now; Date.now = () => window.trueNow.call(Date) + window.bent; } return 0; })()`)
}

func openRules(b *browser.Browser) {
	openAccount(b)
	b.Click(`[data-action="rules"]`)
	b.See("#rules")
}

func setRule(b *browser.Browser, rule, value string) { b.Fill("#rule-"+rule, value) }

func saveRules(b *browser.Browser) {
	b.Click("#rules-save")
	b.Until("the rules are saved", browser.Patience, `!!document.querySelector("#rules-saved")?.textContent`)
}

// TestIdleLock: the page counts down, stays for use, and wipes.
func TestIdleLock(t *testing.T) {
	server := program.Start(t, program.Binary(t), "")
	ada := browser.Start(t, browser.Options{Authenticator: true})
	setUp(t, ada, server.SetupLink(), false)
	ada.See("#matter-new")
	newMatter(ada, "Doe v. Roe")
	ada.Press("x")
	bendClock(ada, 12*60)
	notCounted(ada, "12 of 15 minutes are not counted down")

	bendClock(ada, 2*60)
	ada.See("#countdown-stay")
	ada.Screen("52-countdown")
	ada.Click("#countdown-stay")
	notCounted(ada, "staying ends the countdown")
	bendClock(ada, 14*60)
	ada.See("#countdown-stay")
	ada.Press("x") // any real input is use
	notCounted(ada, "a key ends the countdown")
	// What a script in the page does is not.
	bendClock(ada, 14*60)
	ada.See("#countdown-stay")
	ada.Eval(`(() => { document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "x", bubbles: true})); return 0; })()`)
	ada.See("#countdown-stay")

	bendClock(ada, 2*60)
	ada.Press("x") // too late: coming back is not having been here
	ada.See(`#locked[data-reason="idle"]`)
	if strings.Contains(ada.Text(), "Doe v. Roe") {
		t.Error("the name of a matter stays on a locked page")
	}
	ada.Screen("53-locked")
	signIn(ada)
	ada.Until("what was open is back", browser.Patience, `document.querySelector("h1")?.innerText === "Doe v. Roe"`)

	// The end of the session itself: use does not move it.
	for range 55 {
		bendClock(ada, 13*60)
		ada.Press("x")
	}
	bendClock(ada, 4*60)
	ada.See(`#countdown[data-cause="absolute"] #countdown-again`)
	ada.Press("x")
	ada.Screen("53-countdown-absolute")
	ada.Click("#countdown-again")
	ada.See(`#locked[data-reason="absolute"]`)
}

// TestTransferIsUse: nobody is locked out of an upload that is under way, but a lid that was closed on it locks.
func TestTransferIsUse(t *testing.T) {
	release := make(chan struct{})
	var held atomic.Int32
	proxy := newBetween(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/uploads/") {
			held.Add(1)
			<-release
		}
		return false
	})
	server := program.Start(t, program.Binary(t), proxy.Origin)
	proxy.address = server.Address
	ada := browser.Start(t, browser.Options{Authenticator: true})
	setUp(t, ada, server.SetupLink(), false)
	ada.See("#matter-new")
	newMatter(ada, "Doe v. Roe")
	ada.SetFiles("#file-input", makePDF(t, filepath.Join(t.TempDir(), "Complaint.pdf"), canary))
	ada.See(`#transfers [data-phase="sealing"]`)
	for range 16 {
		bendClock(ada, 60)
		ada.Until("the page looked at its clock", browser.Patience, `new Promise(done => setTimeout(() => done(true), 600))`)
	}
	if held.Load() == 0 {
		t.Fatal("no upload was held up: this test would pass whatever the page does")
	}
	notCounted(ada, "a running upload counts nobody out")
	ada.See(`#transfers [data-phase="sealing"]`)
	bendClock(ada, 16*60)
	ada.See(`#locked[data-reason="idle"]`)
	close(release)
}

// TestPollsAreMarked: what the page asks while nobody does anything says so, and keeps no session alive.
func TestPollsAreMarked(t *testing.T) {
	var marked, unmarked atomic.Int32
	proxy := newBetween(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			if r.Header.Get("X-Underseal-Idle") == "1" {
				marked.Add(1)
			} else {
				unmarked.Add(1)
			}
		}
		return false
	})
	server := program.Start(t, program.Binary(t), proxy.Origin)
	proxy.address = server.Address
	ada := browser.Start(t, browser.Options{Authenticator: true})
	setUp(t, ada, server.SetupLink(), false)
	ada.See("#matter-new")
	newMatter(ada, "Doe v. Roe")
	if unmarked.Load() == 0 {
		t.Error("what a person did is marked as if nobody had")
	}
	time.Sleep(2 * time.Second) // for what follows the click
	marked.Store(0)
	unmarked.Store(0)
	for wait := 0; marked.Load() == 0; wait++ {
		if wait > 600 {
			t.Fatal("the page never looked for what is new")
		}
		time.Sleep(100 * time.Millisecond)
	}
	if n := unmarked.Load(); n != 0 {
		t.Errorf("%d requests that nobody caused would keep a session alive", n)
	}
}

func notCounted(b *browser.Browser, what string) {
	b.Until(what, browser.Patience, `!document.querySelector("#countdown:popover-open")`)
}

// TestRules: an owner sets the rules of the firm, and its record says so.
func TestRules(t *testing.T) {
	t.Parallel()
	server := program.Start(t, program.Binary(t), "")
	ada := browser.Start(t, browser.Options{Authenticator: true})
	kit := setUp(t, ada, server.SetupLink(), false)
	ada.See("#matter-new")
	newMatter(ada, "Doe v. Roe")
	openRules(ada)
	says(t, ada, "#rules-origin", "Nobody has set any rules yet")
	ada.Screen("54-rules")
	valid := func() string {
		return ada.String(`[...document.querySelectorAll("#rules :invalid")].filter(e => e.id).map(e => e.id).join(" ")`)
	}
	for _, wrong := range []struct{ rule, value, right string }{
		{"idle", "0", "30"}, {"idle", "481", "30"}, {"idle", "1.5", "30"}, {"absolute", "20", "600"}, {"absolute", "1441", "600"},
		{"passwordLength", "11", "16"}, {"networks", "office", "127.0.0.0/8\n::1/128"}, {"networks", "1.2.3.400/8", "127.0.0.0/8\n::1/128"},
	} {
		if wrong.rule == "absolute" {
			setRule(ada, "idle", "30")
		}
		setRule(ada, wrong.rule, wrong.value)
		if got := valid(); got != "rule-"+wrong.rule {
			t.Errorf("%s %q: got %q refused, want that field", wrong.rule, wrong.value, got)
		}
		setRule(ada, wrong.rule, wrong.right)
		if got := valid(); got != "" {
			t.Errorf("%s %q: got %q refused, want none", wrong.rule, wrong.right, got)
		}
	}
	ada.Click("#rule-oneSession")
	ada.Click("#rule-recovery")
	if got := valid(); got != "rule-recovery-k" { // two must agree, and there is nobody but her
		t.Errorf("2 of no custodians: got %q refused", got)
	}
	ada.Click("#rule-recovery")
	toSee(ada, "#rules-save")
	ada.Screen("55-rules-filled")
	ada.Click("#rules-save")
	ada.Screen("55-rules-networks") // who shuts others out is asked first
	ada.Click("#confirm-yes")
	ada.Until("the rules are saved", browser.Patience, `!!document.querySelector("#rules-saved")?.textContent`)
	says(t, ada, "#rules-origin", "Set by Ada Advocate")
	ada.Until("the record says so", browser.Patience, `!!document.querySelector('#activity [data-kind="policy"]')`)
	says(t, ada, "#activity", "Ada Advocate set the rules of the firm", "Ada Advocate founded this firm")
	toSee(ada, "#activity")
	ada.Screen("56-rules-activity")

	// A minute is the least, and holds from now on.
	notCounted(ada, "nothing is counted down")
	setRule(ada, "idle", "1")
	saveRules(ada)
	ada.Press("x")
	bendClock(ada, 40)
	ada.See("#countdown-stay")
	ada.Click("#countdown-stay")
	setRule(ada, "idle", "30")
	saveRules(ada)

	// They are read from the record again.
	ada.Reload()
	signIn(ada)
	ada.See("#rules")
	got := ada.String(`["idle", "absolute", "passwordLength", "networks"].map(r => document.querySelector("#rule-" + r).value).join(" ") + " " + document.querySelector("#rule-oneSession").checked + " " + document.querySelector("#rule-recovery").checked`)
	if want := "30 600 16 127.0.0.0/8\n::1/128 true false"; got != want {
		t.Errorf("got rules %q, want %q", got, want)
	}

	// One session a person: who signs in elsewhere is told here why it ended.
	other := browser.Start(t, browser.Options{})
	withKit(other, server.Origin, kit)
	other.Click("#matters a[data-matter]")
	other.See("#invite-open")
	ada.Click("#nav-matters")
	ada.See(`.problem[data-code="session-ended"]`)

	// A guest is held to them, and does not see them.
	clara := browser.Start(t, browser.Options{Authenticator: true})
	clara.Open(invite(other, "Clara Client", "client", "opens-at-once", false))
	clara.Click("#join-passkey")
	clara.See("#add-files")
	openAccount(clara)
	clara.See("[data-firm-log]")
	if n := count(clara, `[data-action="rules"]`); n != 0 {
		t.Error("a guest is offered the rules of the firm")
	}
}

// TestNotFromHere: nobody shuts himself out by a rule of networks, and he is told what it is.
func TestNotFromHere(t *testing.T) {
	t.Parallel()
	server := program.Start(t, program.Binary(t), "")
	ada := browser.Start(t, browser.Options{Authenticator: true})
	setUp(t, ada, server.SetupLink(), false)
	for look, other := range map[int]string{0: "Dark", 1: "Light"} { // the button says what it does when the system changes, too
		ada.Show(browser.Looks[look])
		ada.Until("the button offers the other colours", browser.Patience, `document.querySelector("#theme").innerText === "`+other+` colours"`)
	}
	ada.Show(browser.Looks[0])
	ada.See("#matter-new")
	newMatter(ada, "Doe v. Roe")
	openRules(ada)
	setRule(ada, "networks", "203.0.113.0/24")
	ada.Click("#rules-save")
	ada.Click("#confirm-yes")
	ada.See(`.problem[data-code="not-from-here"]`)
	ada.Screen("57-not-from-here")
	closeDialogs(ada)
	ada.Click("#nav-account")
	openRules(ada)
	says(t, ada, "#rules-origin", "Nobody has set any rules yet")
}

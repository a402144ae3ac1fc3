package e2e

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/test/browser"
	"github.com/underseal/underseal/test/evilserver"
	"github.com/underseal/underseal/test/program"
)

// openSummary opens the details of somebody on the roster, and is his row's selector.
func openSummary(b *browser.Browser, person string) string {
	find := `[...document.querySelectorAll("#members [data-member]")].find(m => m.innerText.includes(` + strconv.Quote(person) + `))`
	b.Until(person+" is on the roster", browser.Patience, `!!`+find)
	row := `#members [data-member="` + b.String(find+`.dataset.member`) + `"]`
	if b.Eval(`document.querySelector(`+strconv.Quote(row+" details")+`).open`) != "true" {
		b.Click(row + " summary")
	}
	return row
}

// TestSecondWay: what needs two ways to unlock leads to the second one and back to what was asked, with a kit and with a
// passkey; a client with one is reminded, and everybody sees it on the roster.
func TestSecondWay(t *testing.T) {
	t.Parallel()
	server := program.Start(t, program.Binary(t), "")
	ada := browser.Start(t, browser.Options{Authenticator: true})
	ada.Open(server.SetupLink())
	ada.Type("#setup-name", "Ada Advocate")
	ada.Type("#setup-firm", "Advocate & Partners LLP")
	ada.Click("#setup-passkey")
	ada.See("#kit-text")
	ada.Open(server.Origin + "/") // she closed the page before she saved her kit
	signIn(ada)
	ada.Click("#matter-new")
	ada.Type("#matter-name", "Doe v. Roe")
	ada.Click("#matter-create")
	ada.See("#second-way")
	says(t, ada, "#second-way", "two ways to unlock")
	ada.See("#kit-text")
	ada.Screen("70-second-way-kit")
	ada.SaveKit()
	ada.See("#matter-dialog")
	if name := ada.String(`document.querySelector("#matter-name").value`); name != "Doe v. Roe" {
		t.Errorf("the name that was typed is gone: %q", name)
	}
	ada.Click("#matter-create")
	ada.See("#add-files")

	// With a kit and no passkey, the second way is a passkey.
	openAccount(ada)
	ada.Click(`#passkeys [data-action="passkey-remove"]`)
	ada.Click("#confirm-yes")
	passkeys(ada, 0)
	ada.Click("#nav-matters")
	ada.See("#way-banner")
	ada.Screen("71-way-banner")
	ada.Click("#matters [data-matter]")
	ada.Click("#invite-open")
	ada.Type("#invite-person", "Clara Client")
	ada.Click(`#invite-mode [value="after-i-confirm"]`)
	ada.Click("#invite-create")
	ada.See("#second-way")
	ada.See("#second-way-passkey")
	ada.Screen("72-second-way-passkey")
	ada.Click("#second-way-passkey")
	ada.See("#invite-dialog")
	if asked := ada.String(`document.querySelector("#invite-person").value + " " + document.querySelector("#invite-mode :checked").value`); asked != "Clara Client after-i-confirm" {
		t.Errorf("what was asked is gone: %q", asked)
	}
	ada.Click("#invite-create")
	ada.See("#invite-link")
	link := ada.String(`document.querySelector("#invite-link").value`)
	ada.Click("#invite-done")
	row := openSummary(ada, "Ada Advocate")
	says(t, ada, row, "2 ways to unlock")

	// A guest who waits is told so, also when she comes back.
	clara := browser.Start(t, browser.Options{Authenticator: true})
	clara.Open(link)
	clara.Click("#join-passkey")
	clara.See("#waiting .words")
	clara.Reload()
	signIn(clara)
	clara.Click("#matters [data-matter]")
	clara.See("#waiting .words")
	if text := clara.Text(); strings.Contains(text, "did not open") || !strings.Contains(text, "confirm") {
		t.Errorf("who waits is told: %s", text)
	}
	clara.Screen("73-waiting")
	ada.Click(`#invites [data-state="waiting"] [data-action="invite-confirm"]`)
	ada.Click("#confirm-yes")
	clara.See("#add-files")
	says(t, ada, "#members", "One way to unlock: reminded until there are two")
	ada.Screen("74-roster-one-way")

	// She is reminded, makes a kit, and the roster hears of it by itself.
	clara.Click("#nav-matters")
	clara.See("#way-banner")
	clara.Click("#way-make")
	clara.SaveKit()
	clara.Until("nobody reminds her", browser.Patience, `!document.querySelector("#way-banner") && !!document.querySelector("#matters")`)
	ada.Until("the roster knows", 2*browser.Patience, `!document.querySelector("#members").innerText.includes("One way to unlock")`)
	says(t, ada, openSummary(ada, "Clara Client"), "2 ways to unlock")
	visit(ada, "activity")
	ada.See("#activity [data-position]")
	says(t, ada, "#activity", "Clara Client has 2 ways to unlock")
}

// countsClicks counts what a person clicks, in every page; how the page itself saves a file is none.
const countsClicks = `window.clicks = []; addEventListener("click", (e) => e.target.hasAttribute?.("download") || window.clicks.push(e.target.closest("button, a, summary, input")?.id || e.target.tagName), true);`

// TestFirstReading: a client's first reading takes three interactions with a passkey, whatever there is to learn beside it: to
// open the link, to make the passkey, to open the document.
func TestFirstReading(t *testing.T) {
	t.Parallel()
	server := program.Start(t, program.Binary(t), "")
	ada := browser.Start(t, browser.Options{Authenticator: true})
	ada.Open(server.SetupLink())
	ada.See("#teach-passkey")
	ada.Screen("75-setup-teach")
	ada.Type("#setup-name", "Ada Advocate")
	ada.Type("#setup-firm", "Advocate & Partners LLP")
	ada.Click("#teach-passkey")
	ada.Click("#setup-passkey")
	ada.See("#kit-text")
	ada.See("#teach-kit")
	ada.Screen("76-kit-teach")
	ada.Click("#teach-kit")
	ada.SaveKit()
	newMatter(ada, "Doe v. Roe")
	ada.See("#teach-who-sees-what")
	pdf := makePDF(t, t.TempDir()+"/Complaint.pdf", canary)
	ada.SetFiles("#file-input", pdf)
	waitTransfers(ada, browser.Patience)
	clearTransfers(ada)
	ada.Screen("77-matter-teach")
	ada.Show(browser.Looks[2])
	ada.Click("#tab-activity")
	ada.Click("#tab-documents")
	ada.Until("on a telephone it takes one line", browser.Patience, `document.querySelector("[data-topic] details")?.open === false`)
	ada.Screen("77-matter-teach-folded")
	ada.Click(".teach summary")
	ada.Click("#teach-who-sees-what")
	ada.Until("it is put away", browser.Patience, `!document.querySelector("#teach-who-sees-what").checkVisibility()`)
	ada.Click("#invite-open")
	ada.Type("#invite-person", "Clara Client")
	ada.Click("#invite-create")
	ada.See("#teach-invitations")
	ada.Screen("78-invite-teach")
	link := ada.String(`document.querySelector("#invite-link").value`)
	ada.Click("#teach-invitations")
	ada.Click("#invite-done")

	clara := browser.Start(t, browser.Options{Authenticator: true, Script: countsClicks})
	clara.Open(link) // one
	clara.See("#join-passkey")
	clara.See("#teach-invitations")
	clara.Screen("79-join-teach")
	clara.Click("#join-passkey") // two
	sameFile(t, download(clara, "Complaint.pdf", browser.Patience), pdf)
	if clicks := clara.Eval(`window.clicks.length`); clicks != "2" {
		t.Errorf("a first reading took %s clicks after the link was opened, want 2: %s", clicks, clara.Eval(`window.clicks`))
	}
	clara.See("#kit-due")
	clara.Click("#kit-later")

	// What she reads she acknowledges when she likes, one click each, and the owner sees it, with what she said of herself.
	clara.See("#teach-who-sees-what")
	clara.Click("#teach-who-sees-what")
	openAccount(clara)
	toSee(clara, "#lessons")
	clara.Screen("80-lessons")
	clara.Click("#teach-invitations")
	clara.Click("#teach-passkey")
	row := openSummary(ada, "Clara Client")
	ada.Until("the roster knows what she read", 2*browser.Patience, `document.querySelectorAll('`+row+` [data-topic]').length === 3`)
	says(t, ada, row, "what a passkey is", "how a false invitation is told", "who sees what")
	ada.Screen("81-roster-read")
	if n := ada.Eval(`document.querySelectorAll('` + openSummary(ada, "Ada Advocate") + ` [data-topic]').length`); n != "2" {
		t.Errorf("the founder's own reading before she opened the matter is %s topics, want 2", n)
	}
	// A new page of hers shows none of it again.
	clara.Reload()
	signIn(clara)
	clara.See("#lessons details")
	if n := count(clara, ".teach"); n != 1 {
		t.Errorf("%d cards are left, want the kit's", n)
	}
	visit(ada, "activity")
	ada.See("#activity [data-position]")
	says(t, ada, "#activity", "Has read:")
}

// personRow is the selector of somebody's row among the people of a firm.
func personRow(b *browser.Browser, person string) string {
	find := `[...document.querySelectorAll("#office [data-person]")].find(p => p.innerText.includes(` + strconv.Quote(person) + `))`
	b.Until(person+" is listed", browser.Patience, `!!`+find)
	return `#office [data-person="` + b.String(find+`.dataset.person`) + `"]`
}

// TestOffice: an owner sees who is in her firm and how they sign in, lets somebody sign in again who is made to wait, ends his
// sessions, and saves who read what.
func TestOffice(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	link, err := h.Server.SetupLink(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ada := browser.Start(t, browser.Options{Authenticator: true})
	setUp(t, ada, link, false)
	ada.See("#matter-new")
	newMatter(ada, "Doe v. Roe")
	clara := h.Person("Clara")
	if _, err := clara.AcceptByPassword(invite(ada, "Clara Client", "client", "opens-at-once", false), "clara.client", horses); err != nil {
		t.Fatal(err)
	}
	if err := clara.Acknowledge(evilserver.Soon(t), chain.TopicPasskey|chain.TopicWhoSeesWhat); err != nil {
		t.Fatal(err)
	}
	clara.Settle(evilserver.Soon(t))
	clara.SignOut(evilserver.Soon(t))
	for range 13 { // each further one waits twice as long
		thief := h.Person("Thief")
		if _, err := thief.SignInPassword(evilserver.Soon(t), "clara.client", []byte("correct horse battery stable")); client.FailureOf(err).Code != api.CodePasswordFailed {
			t.Fatal(err)
		}
		h.Clock.Advance(10 * time.Minute)
	}
	_, _ = h.Person("Thief").SignInPassword(evilserver.Soon(t), "clara.client", []byte("correct horse battery stable")) // from now on
	if _, err := clara.Elsewhere().SignInPassword(evilserver.Soon(t), "clara.client", []byte(horses)); client.FailureOf(err).Code != api.CodeTooMany {
		t.Fatal(err)
	}

	ada.Open(h.Origin + "/account") // hours later
	signIn(ada)
	ada.Click(`[data-firm-log] [data-action="people"]`)
	ada.See("#office")
	row := personRow(ada, "Clara Client")
	says(t, ada, row, "Client, Doe v. Roe", "password", "authenticator app", "14 failed sign-ins", "Waits until", "One way to unlock")
	says(t, ada, personRow(ada, "Ada Advocate"), "Owner, the firm itself", "1 passkey", "recovery kit", "1 session open")
	if got := ada.String(`document.querySelector('` + row + `').dataset.locked`); got != "true" {
		t.Errorf("locked is %s", got)
	}
	ada.Screen("82-office")
	// A colleague gets a seat in the firm itself here, and nowhere else that is linked to.
	ada.Click("#office-invite")
	ada.Type("#invite-person", "Bob Barrister")
	ada.Click("#invite-create")
	ada.See("#invite-link")
	if link := ada.String(`document.querySelector("#invite-link").value`); !strings.Contains(link, "/join#") {
		t.Errorf("the link is %q", link)
	}
	ada.Click("#invite-done")
	ada.Eval(`(() => { const s = document.querySelector("#office-which"); s.value = "locked"; s.dispatchEvent(new Event("change", {bubbles: true})); })()`)
	ada.Until("one is made to wait", browser.Patience, `document.querySelectorAll("#office [data-person]").length === 1`)
	ada.Fill("#office-filter", "nobody")
	ada.Until("nobody matches", browser.Patience, `document.querySelectorAll("#office [data-person]").length === 0`)
	ada.Fill("#office-filter", "clara")
	ada.Click(row + " summary")
	says(t, ada, row, "what a passkey is", "of Doe v. Roe", "Safety words")
	ada.Click(row + ` [data-action="office-unlock"]`)
	ada.Type("#office-reason", "She called, and we compared words.")
	ada.Screen("83-office-unlock")
	ada.Click("#office-yes")
	ada.Until("nobody is made to wait", browser.Patience, `!document.querySelector("dialog") && document.querySelectorAll("#office [data-person]").length === 0`)
	if err := clara.ByPassword("clara.client", horses); err != nil {
		t.Fatal(err)
	}
	if v, err := clara.Overview(evilserver.Soon(t)); err != nil || v.Failed == nil || v.Failed.Passwords != 14 {
		t.Errorf("she is told %+v, %v", v.Failed, err)
	}

	ada.Eval(`(() => { const s = document.querySelector("#office-which"); s.value = ""; s.dispatchEvent(new Event("change", {bubbles: true})); })()`)
	ada.Click("#office-again")
	ada.Until("her session is listed", browser.Patience, `document.querySelector('`+row+`').innerText.includes("open") && !document.querySelector('`+row+`').innerText.includes("failed")`)
	h.Clock.Advance(2 * time.Second)
	ada.Click(row + ` [data-action="office-signout"]`)
	ada.Type("#office-reason", "Her telephone was stolen.")
	ada.Screen("84-office-sign-out")
	ada.Click("#office-yes")
	ada.Until("nothing is open", browser.Patience, `!document.querySelector("dialog") && document.querySelector('`+row+`').innerText.includes("nothing open")`)
	if _, err := clara.Overview(evilserver.Soon(t)); clara.SignedIn() {
		t.Errorf("she is still in: %v", err)
	}
	ada.Fill("#office-filter", "")
	ada.Click("#office-training")
	table := string(saved(t, ada, "underseal-training.csv"))
	for _, want := range []string{"person,member,role,topic,read at,matter,matter id,entry", "Clara Client,", ",client,passkey,2", ",client,kit,,,,"} {
		if !strings.Contains(table, want) {
			t.Errorf("the training record lacks %q:\n%s", want, table)
		}
	}
	// All of it stands in the record of the firm, and in the trail what the server did.
	ada.Click(".crumb a")
	ada.See("#activity [data-kind=unlocked]")
	says(t, ada, "#activity", "Ada Advocate let Clara Client (", ") try to sign in again", "She called, and we compared words.", "Ada Advocate ended the sessions of Clara Client (", "Her telephone was stolen.")
	ada.Screen("85-office-activity")
	firm := ada.String(`location.pathname.split("/")[2]`)
	ada.Eval(`(() => { history.pushState(null, "", "/m/` + firm + `/trail"); dispatchEvent(new PopStateEvent("popstate")); return 0; })()`)
	ada.See("#trail [data-kind=locked]")
	says(t, ada, "#trail", "Locked out")
}

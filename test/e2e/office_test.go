package e2e

import (
	"strconv"
	"strings"
	"testing"

	"github.com/underseal/underseal/test/browser"
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
	saveKit(ada)
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
	saveKit(clara)
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
	saveKit(ada)
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

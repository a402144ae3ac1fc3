package e2e

import (
	"testing"

	"github.com/underseal/underseal/test/browser"
	"github.com/underseal/underseal/test/program"
)

// TestAlike: attack 5 as people see it. A name that reads as another's is pointed out while it is typed, in the list of invites, on
// the roster beside both, and where somebody is let in or removed, each time with the words that tell them apart.
func TestAlike(t *testing.T) {
	t.Parallel()
	const hers, read = "Clara Client", "Cl\u0430ra Client" // a Cyrillic a
	server := program.Start(t, program.Binary(t), "")
	ada := browser.Start(t, browser.Options{Authenticator: true})
	setUp(t, ada, server.SetupLink(), false)
	newMatter(ada, "Doe v. Roe")
	join := func(link string) *browser.Browser {
		b := browser.Start(t, browser.Options{Authenticator: true})
		b.Open(link)
		b.Click("#join-passkey")
		return b
	}
	join(invite(ada, hers, "client", "opens-at-once", false)).See("#add-files")
	ada.Until("she is in", browser.Patience, `document.querySelectorAll("#members [data-member]").length === 2`)
	if count(ada, "[data-alike]") != 0 {
		t.Error("somebody is like somebody")
	}
	words := ada.String(`document.querySelector("#members [data-member]:last-child .words").textContent`)

	ada.Click("#invite-open")
	ada.Type("#invite-person", "Carla Client")
	ada.Type("#invite-person", read)
	ada.See("#invite-alike [data-alike]")
	says(t, ada, "#invite-alike", "Looks like Clara Client (Client)", "Compare the words")
	if got := ada.String(`document.querySelector("#invite-alike .words").textContent`); got != words {
		t.Errorf("the words of another: %s, want %s", got, words)
	}
	ada.Screen("95-invite-alike")
	ada.Type("#invite-person", "Ada Advocate")
	ada.Until("her own name", browser.Patience, `document.querySelector("#invite-alike").innerText.includes("you")`)
	ada.Type("#invite-person", "Carla Client")
	ada.Until("nobody's", browser.Patience, `document.querySelector("#invite-alike").innerText === ""`)
	closeDialogs(ada)

	link := invite(ada, read, "client", "after-i-confirm", false)
	says(t, ada, "#invites", "Looks like Clara Client (Client)")
	join(link)
	ada.See(`#invites [data-state="waiting"] [data-action="invite-confirm"]`)
	ada.Screen("96-people-alike")
	ada.Click(`#invites [data-action="invite-confirm"]`)
	says(t, ada, "#confirm-dialog", "Looks like Clara Client (Client)")
	ada.Screen("97-confirm-alike")
	ada.Click("#confirm-yes")
	ada.Until("he is in, and both are marked", browser.Patience, `document.querySelectorAll("#members [data-member] [data-alike]").length === 2`)
	ada.Click(`#members [data-member]:last-child summary`)
	ada.Click(`#members [data-member]:last-child [data-action="member-remove"]`)
	says(t, ada, "#confirm-dialog", "Looks like Clara Client (Client)", "Words of this one")
	ada.Screen("98-remove-alike")
	ada.Click("#confirm-yes")
	ada.Until("she alone is left, beside one who was removed", browser.Patience, `document.querySelectorAll("#members [data-member]").length === 2`)
	says(t, ada, "#members", "(Client, was removed)")
}

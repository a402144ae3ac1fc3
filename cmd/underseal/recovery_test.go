package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// beginFor has the founder begin to bring somebody back who left his identity with custodians.
func (w *world) beginFor(name string) (link string) {
	w.t.Helper()
	overview, err := w.founder.Overview(w.t.Context())
	w.must(err)
	firm, err := wire.ParseHash(overview.Firms[0].Firm)
	w.must(err)
	v, err := w.founder.Recoveries(w.t.Context(), firm)
	w.must(err)
	for _, m := range v.MayBegin {
		if m.Name != name {
			continue
		}
		member, err := wire.ParseObjectID(m.Member)
		w.must(err)
		link, err = w.founder.BeginRecovery(w.t.Context(), firm, member, "He lost his laptop.")
		w.must(err)
		return link
	}
	w.t.Fatalf("%s left nothing", name)
	return ""
}

// TestMemberRecovery: somebody leaves an identity with custodians, takes it back and leaves it again; it is asked for by a link,
// by nobody before the hours are over and not for other words; and who it belongs to stops it. Coming back takes the hours:
// test/e2e does it under another clock.
func TestMemberRecovery(t *testing.T) {
	const firm = "Firm & Partners"
	w := newWorld(t)
	owner, bob, dora, again := w.person(), w.person(), w.person(), w.person()
	owner.want(exitFine, "join", w.firmLinkFor("Olga Owner", chain.RoleOwner))
	bob.want(exitFine, "join", w.firmLinkFor("Bob Barrister", chain.RoleParalegal))
	dora.want(exitFine, "join", w.firmLinkFor("Dora Deputy", chain.RoleParalegal))

	dora.has(dora.want(exitFine, "custody", firm), "You left nothing", "names no custodians")
	dora.want(exitError, "custody", firm, "--leave", "--yes")
	owner.has(owner.want(exitFine, "policy", firm, "--set", "recovery=2 of Olga Owner, Bob Barrister after 24 hours"), "2 of Bob Barrister, Olga Owner after 24 hours")
	dora.has(dora.want(exitFine, "custody", firm), "any 2 of them could hand your identity back", "Bob Barrister, Olga Owner")
	owner.has(owner.want(exitError, "recover", firm, "--begin", "Dora Deputy", "--reason", "r"), "Nobody called “Dora Deputy” left an identity")
	left := dora.want(exitFine, "custody", firm, "--leave", "--yes")
	if !strings.Contains(left.stderr, "You are about to leave your identity in “Firm & Partners” with Bob Barrister, Olga Owner. Any 2 of them together could become you in this firm") || !strings.Contains(left.stdout, "You left your identity with Bob Barrister, Olga Owner") {
		t.Errorf("%q %q", left.stderr, left.stdout)
	}
	dora.want(exitUsage, "custody", firm, "--withdraw") // nobody is there to be asked
	dora.has(dora.typed(exitError, []string{"n"}, "custody", firm, "--withdraw"), "Nothing was done")
	dora.has(dora.want(exitFine, "custody", firm), "You left your identity with")
	back := dora.want(exitFine, "custody", firm, "--withdraw", "--yes")
	if !strings.Contains(back.stderr, "You are about to take back what you left with Bob Barrister, Olga Owner. If you then lose every device") || !strings.Contains(back.stdout, "You left nothing") {
		t.Errorf("%q %q", back.stderr, back.stdout)
	}
	dora.want(exitFine, "custody", firm, "--leave", "--yes")
	owner.has(owner.want(exitFine, "people", firm), "left with custodians: Bob Barrister, Olga Owner, any 2 of whom can bring him back")
	owner.has(owner.want(exitFine, "recover", firm), "Nobody has ever been brought back.")
	dora.want(exitUsage, "custody", firm, "--leave", "--withdraw")
	owner.has(owner.want(exitUsage, "recover", firm, "--begin", "Dora Deputy"), "say why")
	owner.has(owner.want(exitUsage, "recover", "--stop", "abc"), "recover lacks FIRM")

	link := parsed[map[string]string](owner, owner.want(exitFine, "recover", firm, "--begin", "Dora Deputy", "--reason", "She lost her laptop.", "--json").stdout)["link"]
	again.has(again.want(exitError, "recover", link[:len(link)-1]), "or not a whole one")
	again.has(again.want(exitError, "recover", strings.Replace(link, "/recover#", "/elsewhere/recover#", 1)), "or not a whole one")
	r := again.want(exitFine, "recover", link)
	again.has(r, "Your recovery kit", "0 of 2 agreed so far: any of Bob Barrister, Olga Owner can", "Your words, which custodians ask you for")
	if !strings.Contains(r.stderr, "Olga Owner began to bring Dora Deputy back into “Firm & Partners”") {
		t.Errorf("%q", r.stderr)
	}
	var asking struct {
		Asking []client.AskingView `json:"asking"`
	}
	w.must(json.Unmarshal([]byte(again.want(exitFine, "recover", "--json").stdout), &asking))
	if len(asking.Asking) != 1 || asking.Asking[0].State != "waiting" || asking.Asking[0].SecondWay || len(asking.Asking[0].Words) != 12 {
		t.Fatalf("%+v", asking)
	}
	said, id := strings.Join(asking.Asking[0].Words, " "), asking.Asking[0].Recovery
	again.has(again.want(exitFine, "recover", link), said) // once more is the same
	again.passphrase = link + "\n" + passphrase
	again.has(again.want(exitFine, "recover", "-"), said)
	again.passphrase = "no link\n" + passphrase
	again.has(again.want(exitError, "recover", "-"), "or not a whole one")
	again.passphrase = passphrase
	bob.has(bob.want(exitError, "recover", link), "somebody in “Firm & Partners” already")

	bob.has(bob.want(exitFine, "recover", firm), "Dora Deputy", "She lost her laptop.", "0 of 2 agreed", "You can agree from")
	bob.has(bob.want(exitUsage, "recover", firm, "--agree", id[:6]), "have the words read to you")
	bob.has(bob.want(exitError, "recover", firm, "--agree", id[:6], "--words", strings.Replace(said, asking.Asking[0].Words[3], "walrus", 1)), "Nothing was handed over")
	bob.has(bob.want(exitError, "recover", firm, "--agree", id[:6], "--words", said), "It is too early")
	dora.has(dora.want(exitFine, "recover", firm), "It is you whom somebody asks for", "--stop "+id)
	dora.has(dora.want(exitFine, "recover", firm, "--stop", id[:6], "--reason", "I have my laptop."), "stopped")
	bob.has(bob.want(exitError, "recover", firm, "--agree", id[:6], "--words", said), "This recovery is over")
	again.has(again.want(exitFine, "recover"), "The recovery of Dora Deputy in “Firm & Partners” was stopped")
	again.has(again.want(exitFine, "recover"), "You ask for nothing.")
	again.has(again.want(exitError, "recover", link), "This recovery is over")
	dora.want(exitFine, "custody", firm)
}

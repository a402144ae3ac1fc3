package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/server"
	"github.com/underseal/underseal/test/browser"
	"github.com/underseal/underseal/test/evilserver"
	"github.com/underseal/underseal/test/program"
	"github.com/underseal/underseal/webapp"
)

// hall is a server in this process, whose clock a test moves ahead for all at once: the server, people without a browser, and
// pages and workers of browsers. Nothing of it is in the product: the worker gets the clock before its first line on the way.
type hall struct {
	*evilserver.World
	ahead time.Duration
}

func newHall(t *testing.T) *hall {
	t.Helper()
	files, err := webapp.Files()
	if err != nil {
		t.Fatal(err)
	}
	h := &hall{World: evilserver.NewWorld(t, func(c *server.Config) { c.Assets = files })}
	h.Lie("GET", "/a/:name", func(r *evilserver.Request) *evilserver.Reply {
		if !strings.HasSuffix(r.Path, "-worker.js") {
			return nil
		}
		r.Header.Del("Accept-Encoding")
		reply := r.Real()
		if reply.Status == http.StatusOK {
			reply.Header.Set("Cache-Control", "no-store")
			reply.Body = append([]byte(bentDate(strconv.FormatInt(h.ahead.Milliseconds(), 10))), reply.Body...)
		}
		return reply
	})
	return h
}

// bentDate puts clocks so many milliseconds ahead.
func bentDate(ahead string) string {
	return `{ const real = Date, ahead = ` + ahead + `; globalThis.Date = class extends real { constructor(...at) { if (at.length) super(...at); else super(real.now() + ahead); } static now() { return real.now() + ahead; } }; }`
}

// start is a browser whose pages have the hall's time.
func (h *hall) start(t *testing.T) *browser.Browser {
	t.Helper()
	return browser.Start(t, browser.Options{Authenticator: true, Script: bentDate(`Number(localStorage.getItem("ahead") ?? 0)`)})
}

// later lets time pass, and signs the person of a browser in again.
func (h *hall) pass(d time.Duration) {
	h.ahead += d
	h.Clock.Advance(d)
}

// back is somebody who comes to his browser after hours.
func (h *hall) back(b *browser.Browser, path string) {
	b.Eval(fmt.Sprintf(`(() => { localStorage.setItem("ahead", "%d"); return 0; })()`, h.ahead.Milliseconds()))
	b.Open(h.Origin + path)
	signIn(b)
	b.See("#sign-out")
}

// staff makes somebody one of the firm, in a browser of his own. It is his kit, too.
func (h *hall) staff(t *testing.T, ada *evilserver.Person, name string) (*browser.Browser, string) {
	t.Helper()
	b := h.start(t)
	b.Open(ada.InviteTo(ada.Firm, name, chain.RoleParalegal, chain.ModeOpensAtOnce))
	b.Click("#join-passkey")
	kit := b.SaveKit()
	b.See("#sign-out")
	return b, kit
}

const recoveryHours = 48

// custodians has Ada sign that two of these bring somebody back.
func (h *hall) custodians(ada *evilserver.Person, names ...string) {
	h.Helper()
	v, err := ada.Policy(evilserver.Soon(h), ada.Firm)
	if err != nil {
		h.Fatal(err)
	}
	p := v.Policy
	p.RecoveryK, p.RecoveryHours, p.Custodians = 2, recoveryHours, nil
	for _, c := range v.MayBeCustodians {
		if slices.Contains(names, c.Name) && !c.Gone {
			p.Custodians = append(p.Custodians, c.Custodian)
		}
	}
	if _, err := ada.SetPolicy(evilserver.Soon(h), ada.Firm, p); err != nil {
		h.Fatal(err)
	}
}

// TestRecoveryIsStopped: Dora leaves her identity with those whom she is shown, is asked again when they change, and stops
// what somebody begins while she is there.
func TestRecoveryIsStopped(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	ada := h.Founder("Ada Advocate")
	for _, name := range []string{"Cora Clerk", "Paul Paralegal"} {
		ada.Guest(ada.Firm, name, chain.RoleParalegal)
	}
	bob, _ := h.staff(t, ada, "Bob Barrister")
	dora, kit := h.staff(t, ada, "Dora Deputy")

	openAccount(dora)
	dora.See("[data-custody]")
	says(t, dora, "#custody", "named no custodians")
	h.custodians(ada, "Ada Advocate", "Bob Barrister", "Cora Clerk")
	dora.Click("#nav-matters")
	openAccount(dora)
	dora.See(`[data-action="custody-leave"]`)
	toSee(dora, "#custody")
	dora.Screen("60-custody-offered")
	dora.Click(`[data-action="custody-leave"]`)
	says(t, dora, "#consent-dialog", "Ada Advocate", "Bob Barrister", "Cora Clerk", "Any 2 of them", "could become you", "48 hours")
	dora.Screen("61-custody-consent")
	dora.Click("#consent-yes")
	dora.See(`[data-action="custody-withdraw"]`)
	toSee(dora, "#custody")
	dora.Screen("62-custody-left")

	// Other custodians are another question.
	h.custodians(ada, "Ada Advocate", "Bob Barrister", "Paul Paralegal")
	dora.Click("#nav-matters")
	openAccount(dora)
	dora.See(`[data-alert="custody"]`)
	dora.See(`[data-changed] .holders`)
	toSee(dora, "#custody")
	dora.Screen("63-custody-changed")
	dora.Click(`[data-action="custody-leave"]`)
	says(t, dora, "#consent-holders", "Paul Paralegal")
	closeDialogs(dora)
	h.custodians(ada, "Ada Advocate", "Bob Barrister", "Cora Clerk")
	dora.Click("#nav-matters")
	openAccount(dora)
	dora.Click(`[data-action="custody-leave"]`)
	dora.Click("#consent-yes")
	dora.Until("what she agreed to is what holds", browser.Patience, `document.querySelector('[data-custody] [data-state="left"]') !== null`)

	// Bob begins.
	bob.Click("#nav-matters")
	bob.See("#matter-new")
	openRules(bob)
	bob.Click("#rules-recoveries")
	bob.See("#recovery-begin")
	bob.Screen("64-recoveries-none")
	bob.Click("#recovery-begin")
	bob.Fill("#recovery-reason", "Laptop and telephone stolen on Monday. I spoke to her in person.")
	bob.Screen("65-recovery-begin")
	bob.Click("#recovery-make")
	bob.See("#recovery-link")
	link := bob.String(`document.querySelector("#recovery-link").value`)
	bob.Screen("66-recovery-link")
	bob.Click("#recovery-link-done")
	bob.See("#recoveries [data-recovery]")
	bob.See(`[data-alert="recovery"]`)
	bob.Screen("67-recoveries")

	// Who is in the firm already cannot be somebody else there, too.
	bob.Open(link)
	bob.Click("#claim-signin")
	signIn(bob)
	bob.See("#claim-here")
	bob.Screen("67-claim-here")
	bob.Click("#nav-matters")
	bob.See(`[data-alert="recovery"]`)
	bob.Click(`[data-alert="recovery"] [data-action="alert-look"]`)
	bob.Click(`.crumb a`)
	bob.See("#recoveries")

	// Somebody asks, with a password and an app.
	thief := h.start(t)
	thief.Open(link)
	thief.Click("#claim-with-password")
	thief.Type("#password-login", "thief")
	thief.Type("#password-new", horses)
	thief.Click("#password-continue")
	thief.Type("#app-code", setUpApp(t, thief).code())
	thief.Click("#app-save")
	thief.See(`[data-claim][data-state="waiting"]`)

	// A device of hers that lives is told before anything else.
	dora.Reload()
	signIn(dora)
	dora.See(`[data-alert="mine"]`)
	dora.Screen("68-alert-mine")
	dora.Click(`[data-alert="mine"] [data-action="alert-look"]`)
	dora.See("#recovery-stop")
	dora.Screen("69-ceremony-mine")
	dora.Click("#recovery-stop")
	begins(dora, "a reason", "stop-reason")
	dora.Fill("#stop-reason", "I have my laptop in my hands.")
	dora.Screen("70-recovery-stop")
	dora.Click("#stop-yes")
	dora.See(`#ceremony[data-state="stopped"]`)
	says(t, dora, "#ceremony", "Stopped", "I have my laptop in my hands.")
	dora.Until("nothing is told any more", browser.Patience, `document.querySelector("#alerts").hidden`)
	dora.Screen("71-recovery-stopped")
	bob.Reload()
	signIn(bob)
	bob.See(`#recoveries [data-state="stopped"]`)
	bob.See("#recovery-begin")

	// Who asked is told, and puts it away.
	thief.SeeWithin(`[data-claim][data-state="stopped"]`, 40*time.Second)
	thief.Screen("72-claim-stopped")
	thief.Click("#claim-forget")
	thief.Until("it is put away", browser.Patience, `!document.querySelector("[data-claim]") && document.querySelector("#claim").innerText.includes("You ask for nothing")`)

	// A device of hers is put out: what she had left is taken back with her old keys. She is told, and leaves it again from there.
	signOut(thief)
	withKit(thief, h.Origin, kit)
	openAccount(dora)
	other := `#devices [data-current="false"]`
	dora.Click(other + ` [data-action="device-revoke"]`)
	says(t, dora, "#confirm-dialog", "custodians", "is taken back")
	dora.Click("#confirm-yes")
	dora.SaveKit()
	dora.See("#renewal-done")
	told := `[data-alert="custody"][data-ended="renewed"]`
	dora.See(told)
	dora.Screen("104-custody-ended-alert")
	dora.Click("#renewal-leave")
	dora.See(`[data-custody] [data-state="none"]`)
	says(t, dora, "#custody", "taken back together with your old keys")
	toSee(dora, "#custody")
	dora.Screen("105-custody-ended")
	dora.Click(told + ` [data-action="alert-leave"]`)
	says(t, dora, "#consent-holders", "Ada Advocate", "Bob Barrister", "Cora Clerk")
	dora.Click("#consent-yes")
	dora.See(`[data-custody] [data-state="left"]`)
	dora.Until("nothing is told any more", browser.Patience, `document.querySelector("#alerts").hidden`)
}

// wordsOf are the safety words that a page shows.
func wordsOf(b *browser.Browser, css string) string {
	b.See(css + " li")
	return b.String(`[...document.querySelectorAll("` + css + ` li")].map((li) => li.textContent).join(" ")`)
}

// TestRecoveryBringsBack: Dora lost everything. She opens the link in a new browser, reads her words to two custodians who agree
// once the hours are over, comes back with new keys, reads what she could read, and leaves her new identity again. What was begun
// is told wherever it concerns somebody.
func TestRecoveryBringsBack(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	ada := h.Founder("Ada Advocate")
	cora := ada.Guest(ada.Firm, "Cora Clerk", chain.RoleParalegal)
	bob, _ := h.staff(t, ada, "Bob Barrister")
	dora, _ := h.staff(t, ada, "Dora Deputy")
	matter := ada.NewMatter("Doe v. Roe")
	dora.Open(ada.InviteTo(matter, "Dora Deputy", chain.RoleOwner, chain.ModeOpensAtOnce))
	dora.Click("#join-signin")
	signIn(dora)
	dora.Click("#join-accept")
	dora.See("#add-files")
	ada.MustPut(matter, "Before.txt", []byte("before"))
	h.custodians(ada, "Ada Advocate", "Bob Barrister", "Cora Clerk")
	openAccount(dora)
	dora.Click(`[data-action="custody-leave"]`)
	dora.Click("#consent-yes")
	dora.See(`[data-action="custody-withdraw"]`)
	link, id := ada.BeginFor("Dora Deputy")
	if err := cora.Look(ada.Firm); err != nil {
		t.Fatal(err)
	}
	bob.Reload()
	signIn(bob)
	bob.Click(`[data-alert="recovery"] [data-action="alert-look"]`)
	bob.See("#recovery-nobody-yet")

	// The firm's roster says with whom she left what they are asked for.
	bob.Open(h.Origin + "/m/" + ada.Firm.String())
	signIn(bob)
	says(t, bob, openSummary(bob, "Dora Deputy"), "Left with custodians", "Ada Advocate", "Bob Barrister", "Cora Clerk", "Any 2 of them")
	bob.Screen("72-roster-left")
	bob.Click(`[data-alert="recovery"] [data-action="alert-look"]`)

	// Somebody whose link is cut off is told so; she is shown what she asks for before she asks.
	again := h.start(t)
	again.Open(h.Origin + "/recover")
	again.See("#signin-passkey")
	says(t, again, "#main", "open the link again")
	again.Open(h.Origin + "/recover#nonsense")
	again.See(`.problem[data-code="bad-link"]`)
	again.Open(link)
	again.See("#claim-passkey")
	if at := again.String(`location.href`); at != h.Origin+"/recover" {
		t.Errorf("the link stays in the address: %s", at)
	}
	says(t, again, "#claim", "Ada Advocate began to bring Dora Deputy back", "Ada Advocate LLP", "Bob Barrister", "Cora Clerk", "Any 2 of them")
	again.Screen("73-claim-offer")
	again.Click("#claim-passkey")
	again.See(`[data-claim][data-state="waiting"]`)
	read := wordsOf(again, "#claim-words")
	says(t, again, "#claim", "0 of 2 agreed")
	again.Screen("74-claim-waiting")
	again.Click("#claim-second-way")
	again.SaveKit()
	again.See(`[data-claim][data-state="waiting"]`)
	if again.Eval(`!!document.querySelector("#claim-second-way")`) == "true" {
		t.Error("a second way is asked for that is there")
	}
	again.Click("#nav-matters")
	again.See(`[data-alert="asking"]`)
	again.Screen("75-alert-asking")

	// It is too early for anybody to agree.
	bob.Reload()
	signIn(bob)
	if shown := wordsOf(bob, "#recovery-words"); shown != read {
		t.Errorf("Bob sees %q, she reads %q", shown, read)
	}
	bob.See("#recovery-early")
	if bob.Eval(`document.querySelector("#recovery-agree").disabled`) != "true" {
		t.Error("Bob can agree at once")
	}
	bob.Screen("76-ceremony-early")

	h.pass(recoveryHours*time.Hour + time.Minute)
	if cora = cora.Again().In(); cora.Agree(id) != nil {
		t.Fatal("Cora cannot agree")
	}
	h.back(again, "/")
	again.Click(`[data-alert="asking"] [data-action="alert-look"]`)
	again.See(`[data-claim][data-state="waiting"]`)
	says(t, again, "#claim-agreed", "1 of 2 agreed")
	h.back(bob, "/m/"+ada.Firm.String()+"/recovery/"+id.String())
	if shown := wordsOf(bob, "#recovery-words"); shown != read {
		t.Errorf("Bob sees %q, she reads %q", shown, read)
	}
	bob.Screen("77-ceremony-words")
	bob.Click("#recovery-agree") // the browser wants the box first
	if bob.Eval(`!!document.querySelector("#recovery-agreed")`) == "true" {
		t.Error("Bob agreed without a word that he compared anything")
	}
	bob.Click("#recovery-spoke")
	bob.Click("#recovery-agree")
	bob.See("#recovery-agreed")
	bob.Screen("78-ceremony-agreed")

	again.Reload()
	signIn(again)
	again.See(`[data-claim][data-state="agreed"]`)
	again.Screen("79-claim-agreed")
	again.Click("#claim-back")
	again.See(`[data-claim][data-state="back"]`)
	says(t, again, "#claim", "You are back in Ada Advocate LLP")
	again.Screen("80-claim-back")
	again.Click("#claim-matters")
	again.See(`[data-alert="custody"]`)
	openFirstMatter(again)
	if again.Click(row(again, "Before.txt") + ` [data-action="download"]`); string(saved(t, again, "Before.txt")) != "before" {
		t.Error("she reads something else")
	}
	openAccount(again)
	again.See(`[data-action="custody-nothing"]`)
	toSee(again, "#custody")
	again.Screen("81-custody-again")
	again.Click(`[data-action="custody-leave"]`)
	again.Click("#consent-yes")
	again.See(`[data-action="custody-withdraw"]`)
	again.Until("nothing is told any more", browser.Patience, `document.querySelector("#alerts").hidden`)

	// The account that she had is nobody in the firm, and says why.
	h.back(dora, "/")
	dora.See(`#matters [data-state="recovered"]`)
	dora.Screen("82-recovered-elsewhere")
	bob.Reload()
	signIn(bob)
	bob.See(`#ceremony[data-state="done"]`)
	bob.Screen("83-ceremony-done")
}

// TestRecoveryOnTheCommandLine: who lost everything comes back without a browser. The program has no clock but the true one: it was
// begun in the past.
func TestRecoveryOnTheCommandLine(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	ago := recoveryHours*time.Hour + time.Minute
	h.Clock.Advance(-ago)
	ada := h.Founder("Ada Advocate")
	bob, cora, dora := ada.Guest(ada.Firm, "Bob Barrister", chain.RoleParalegal), ada.Guest(ada.Firm, "Cora Clerk", chain.RoleParalegal), ada.Guest(ada.Firm, "Dora Deputy", chain.RoleParalegal)
	matter := ada.NewMatter("Doe v. Roe")
	if _, err := dora.Accept(ada.InviteTo(matter, "Dora Deputy", chain.RoleClient, chain.ModeOpensAtOnce)); err != nil {
		t.Fatal(err)
	}
	ada.MustPut(matter, "Before.txt", []byte("before"))
	h.custodians(ada, "Bob Barrister", "Cora Clerk")
	dora.Leave()
	link, id := ada.BeginFor("Dora Deputy")
	for _, p := range []*evilserver.Person{bob, cora} {
		if err := p.Look(ada.Firm); err != nil {
			t.Fatal(err)
		}
	}
	folder := t.TempDir()
	says := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(program.Binary(t), append([]string{"--home", filepath.Join(folder, "home"), "--passphrase-fd", "0"}, args...)...)
		cmd.Dir, cmd.Stdin = folder, strings.NewReader("correct horse battery staple\n")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	has := func(got, want string) {
		t.Helper()
		if !strings.Contains(got, want) {
			t.Errorf("got %q, want %q in it", got, want)
		}
	}
	h.Clock.Advance(ago)
	has(says("recover", link), "0 of 2 agreed")
	for _, p := range []*evilserver.Person{bob, cora} {
		has(says("recover"), "You ask to be brought back")
		if err := p.Again().In().Agree(id); err != nil {
			t.Fatal(err)
		}
	}
	has(says("recover"), "You are back in “Ada Advocate LLP”.")
	has(says("recover"), "You ask for nothing.")
	has(says("ls"), "Doe v. Roe")
	says("get", "Doe v. Roe:/Before.txt")
	if got, err := os.ReadFile(filepath.Join(folder, "Before.txt")); err != nil || string(got) != "before" {
		t.Errorf("%q %v", got, err)
	}
	has(says("custody", "Ada Advocate LLP", "--leave", "--yes"), "You left your identity with Bob Barrister, Cora Clerk")
}

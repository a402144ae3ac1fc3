package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/server"
	"github.com/underseal/underseal/test/browser"
	"github.com/underseal/underseal/test/evilserver"
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
	h := newHall(t)
	ada := h.Founder("Ada Advocate")
	for _, name := range []string{"Cora Clerk", "Paul Paralegal"} {
		ada.Guest(ada.Firm, name, chain.RoleParalegal)
	}
	bob, _ := h.staff(t, ada, "Bob Barrister")
	dora, _ := h.staff(t, ada, "Dora Deputy")

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
	bob.Screen("66-recovery-link")
	bob.Click("#recovery-link-done")
	bob.See("#recoveries [data-recovery]")
	bob.See(`[data-alert="recovery"]`)
	bob.Screen("67-recoveries")

	// A device of hers that lives is told before anything else.
	dora.Reload()
	signIn(dora)
	dora.See(`[data-alert="mine"]`)
	dora.Screen("68-alert-mine")
	dora.Click(`[data-alert="mine"] [data-action="alert-look"]`)
	dora.See("#recovery-stop")
	dora.Screen("69-ceremony-mine")
	dora.Click("#recovery-stop")
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
}

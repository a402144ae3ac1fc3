package e2e

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/test/browser"
	"github.com/underseal/underseal/test/evilserver"
	"github.com/underseal/underseal/test/program"
)

// typo exchanges two different letters that stand side by side in the second group of a code; where all are one, another stands first.
func typo(code string) string {
	groups := strings.Split(code, "-")
	for i := range 4 {
		g := []byte(groups[1])
		if g[i] != g[i+1] {
			g[i], g[i+1] = g[i+1], g[i]
			groups[1] = string(g)
			return strings.Join(groups, "-")
		}
	}
	other := "2"
	if groups[1][0] == '2' {
		other = "3"
	}
	groups[1] = other + groups[1][1:]
	return strings.Join(groups, "-")
}

// letIn lets a new browser in by a code that is typed on a page that is open there.
func letIn(t testing.TB, old, fresh *browser.Browser, code string) {
	t.Helper()
	old.Fill("#device-code-text", code)
	old.Click("#device-open")
	here, there := wordsOf(old, "#device-words"), wordsOf(fresh, "#device-words")
	if here != there || len(strings.Fields(here)) != 12 {
		t.Errorf("the words are %q here, and %q there", here, there)
	}
	old.Click("#device-grant")
	fresh.Click("#device-same")
	fresh.See("#device-taken")
	old.See("#device-done")
}

func codeOn(b *browser.Browser) string {
	b.See("#device-qr")
	return b.String(`document.querySelector("#device-code").innerText`)
}

// put adds a document that is nowhere else.
func put(t testing.TB, b *browser.Browser, name string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	text := []byte("what stands in " + name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	b.SetFiles("#file-input", path)
	waitTransfers(b, time.Minute)
	clearTransfers(b)
	return text
}

func reads(t testing.TB, b *browser.Browser, name string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(download(b, name, time.Minute))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %q %v", name, got, err)
	}
	clearTransfers(b)
}

// TestDevices: a browser without anything is let in by a camera, put out again, and reads nothing new; the kit from before opens
// nothing.
func TestDevices(t *testing.T) {
	t.Parallel()
	server := program.Start(t, program.Binary(t), "")
	ada := browser.Start(t, browser.Options{Authenticator: true})
	oldKit := setUp(t, ada, server.SetupLink(), false)
	newMatter(ada, "Doe v. Roe")
	brief := put(t, ada, "Brief.txt")

	tablet := browser.Start(t, browser.Options{Authenticator: true})
	tablet.Open(server.Origin)
	tablet.See("#signin-device")
	tablet.Screen("80-signin-device")
	tablet.Click("#signin-device")
	code := codeOn(tablet)
	link := readQR(t, tablet, "#device-qr")
	if link != server.Origin+"/device#"+code || !regexp.MustCompile(`^([0-9A-Z]{5}-){4}[0-9A-Z]{5}$`).MatchString(code) {
		t.Fatalf("the picture says %q, the text beside it %q", link, code)
	}
	tablet.Screen("81-new-device-code")

	// The camera's link opens a page without keys: she signs in, and only then, and only when she says so, it is answered (S-ENROL-08).
	ada.Open(link)
	ada.See("#signin-passkey")
	if at := ada.String("location.href"); strings.Contains(at, "#") {
		t.Errorf("the code stays in the address: %s", at)
	}
	ada.Screen("82-device-signin")
	signIn(ada)
	ada.See("#device-open")
	if typed := ada.String(`document.querySelector("#device-code-text").value`); typed != code {
		t.Errorf("the field has %q", typed)
	}
	ada.Screen("83-device-open")
	ada.Fill("#device-code-text", typo(code))
	ada.Click("#device-open")
	ada.See(`[data-code="code-typo"]`)
	says(t, ada, `[data-code="code-typo"]`, "Group 2")
	ada.Screen("84-device-typo")
	if state := tablet.String(`document.querySelector("#new-device").dataset.state`); state != "waiting" {
		t.Errorf("answered before anybody said so: %s", state)
	}
	ada.Fill("#device-code-text", code)
	ada.Click("#device-open")
	here, there := wordsOf(ada, "#device-words"), wordsOf(tablet, "#device-words")
	if here != there || len(strings.Fields(here)) != 12 {
		t.Errorf("the words are %q here, and %q there", here, there)
	}
	says(t, tablet, "#device-whose", "Ada Advocate")
	ada.Screen("85-device-words")
	tablet.Screen("86-new-device-words")
	ada.Click("#device-grant")
	ada.Screen("87-device-granted")
	tablet.Click("#device-same")
	tablet.See("#device-taken")
	tablet.Screen("88-new-device-in")
	ada.See("#device-done")
	ada.Screen("89-device-done")
	tablet.Click("#device-later")
	openFirstMatter(tablet)
	reads(t, tablet, "Brief.txt", brief)

	// One that shows a code which somebody refuses is not let in.
	thief := browser.Start(t, browser.Options{})
	thief.Open(server.Origin)
	thief.Click("#signin-device")
	code = codeOn(thief)
	ada.Click("#nav-account")
	ada.Click("#device-add")
	ada.Fill("#device-code-text", strings.ToLower(strings.ReplaceAll(code, "-", " ")))
	ada.Click("#device-open")
	wordsOf(ada, "#device-words")
	wordsOf(thief, "#device-words")
	ada.Click("#device-refuse")
	ada.See(`#device[data-state="refused"]`)
	thief.Click("#device-same")
	thief.See("#new-device-again")
	thief.Screen("90-new-device-refused")

	// Named, and put out.
	ada.Click("#nav-account")
	other := `#devices [data-current="false"]`
	ada.See(other)
	ada.Click(other + ` [data-action="device-rename"]`)
	ada.Type("#device-name", "Tablet of the kitchen")
	ada.Click("#device-name-save")
	ada.Until("it has its name", browser.Patience, `document.querySelector('`+other+`')?.innerText.includes("Tablet of the kitchen")`)
	toSee(ada, "#devices")
	ada.Screen("91-devices")
	ada.Click(other + ` [data-action="device-revoke"]`)
	says(t, ada, "#confirm-dialog", "Tablet of the kitchen", "recovery kit ends", "other devices are to be let in again")
	ada.Screen("92-revoke")
	ada.Click("#confirm-yes")
	ada.See("#renews")
	ada.Screen("93-renewal-kit")

	// Cut off there, it is out and the account remembers what is due.
	tablet.See("#signin-passkey") // by itself, as soon as it asks for anything
	tablet.Screen("94-revoked")
	ada.Click("#nav-account")
	ada.See("#root-renew")
	toSee(ada, "#devices")
	ada.Screen("95-root-due")
	ada.Click("#root-renew")
	kit := ada.SaveKit()
	ada.See("#renewal-done")
	ada.Screen("96-renewal-done")
	ada.Click("#renewal-leave")
	ada.See("#devices [data-device]")
	if n := ada.Eval(`document.querySelectorAll("#devices [data-device]").length`); n != "1" {
		t.Errorf("%s devices are left", n)
	}
	ada.Click("#nav-matters")
	openFirstMatter(ada)
	reads(t, ada, "Brief.txt", brief)
	reply := put(t, ada, "Reply.txt")

	// What the tablet had opens nothing: its session is over, it has no passkey, and the kit from before is refused.
	tablet.Open(server.Origin)
	tablet.See("#signin-passkey")
	byKit := func(b *browser.Browser, kit string) {
		b.Eval(`document.querySelector("#signin-with-kit").open = true`)
		b.Fill("#signin-kit-text", kit)
		b.Click("#signin-kit")
	}
	byKit(tablet, oldKit)
	tablet.Until("the kit is refused", browser.Patience, `!!document.querySelector("#signin-with-kit .problem")`)
	if tablet.Eval(`document.body.innerText.includes("Doe v. Roe")`) == "true" {
		t.Error("it shows something")
	}
	fresh := browser.Start(t, browser.Options{})
	fresh.Open(server.Origin)
	fresh.See("#signin-passkey")
	byKit(fresh, kit)
	fresh.See("#sign-out")
	openFirstMatter(fresh)
	reads(t, fresh, "Reply.txt", reply)

	// Ada's own passkey unlocks as before, and she lets the tablet in again.
	signOut(ada)
	signIn(ada)
	tablet.Open(server.Origin)
	tablet.Click("#signin-device")
	code = codeOn(tablet)
	ada.Click("#nav-account")
	ada.Click("#device-add")
	letIn(t, ada, tablet, code)
	tablet.Click("#device-passkey")
	tablet.Click("#second-way-passkey")
	tablet.See("#matters")
	openFirstMatter(tablet)
	reads(t, tablet, "Reply.txt", reply)
	signOut(tablet)
	signIn(tablet)

	// Another one is put out: the tablet's passkey signs in, is let in once more, and unlocks by itself from then on.
	ada.Click(`#device[data-state="done"] a`)
	ada.Until("all three are there", browser.Patience, `document.querySelectorAll("#devices [data-device]").length === 3`)
	id := ada.String(`[...document.querySelectorAll('#devices [data-current="false"]')].at(-1).dataset.device`)
	ada.Click(`[data-device="` + id + `"] [data-action="device-revoke"]`)
	ada.Click("#confirm-yes")
	ada.SaveKit()
	ada.See("#renewal-done")
	tablet.Open(server.Origin)
	tablet.Click("#signin-passkey")
	tablet.See(`#unlock[data-by="renewed"]`)
	tablet.Screen("103-unlock-renewed")
	tablet.Click("#unlock-device")
	ada.Click("#nav-account")
	ada.Click("#device-add")
	ada.See("#device-code-text")
	letIn(t, ada, tablet, codeOn(tablet))
	tablet.Click("#device-later")
	openFirstMatter(tablet)
	signOut(tablet)
	signIn(tablet)
}

// TestNewKeys: a matter in which somebody has new keys takes nothing until an owner who was shown them renews it.
func TestNewKeys(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	ada := h.Founder("Ada Advocate")
	matter := ada.NewMatter("Doe v. Roe")
	clara := ada.Guest(matter, "Clara Client", chain.RoleClient)
	owner, client := h.start(t), h.start(t)
	owner.Open(ada.InviteTo(matter, "Olga Owner", chain.RoleOwner, chain.ModeOpensAtOnce))
	owner.Click("#join-passkey")
	owner.SaveKit()
	owner.See("#add-files")
	client.Open(ada.InviteTo(matter, "Dan Client", chain.RoleClient, chain.ModeOpensAtOnce))
	client.Click("#join-passkey")
	client.See("#add-files")

	clara.SecondWay()
	if err := clara.NewRoot(evilserver.Soon(t)); err != nil {
		t.Fatal(err)
	}
	if v, err := clara.ContinueRenewal(evilserver.Soon(t)); err != nil || len(v.Left) > 0 {
		t.Fatalf("%+v %v", v, err)
	}
	hers, err := clara.Account()
	if err != nil {
		t.Fatal(err)
	}
	owner.SeeWithin("#new-keys-renew", 2*browser.Patience)
	says(t, owner, "#new-keys", "Clara Client has new keys")
	owner.Screen("97-new-keys-owner")
	client.SeeWithin("#new-keys", 2*browser.Patience)
	says(t, client, "#new-keys", "Clara Client has new keys", "an owner renews")
	if client.Eval(`!!document.querySelector("#new-keys-renew")`) == "true" {
		t.Error("a client is offered to renew them")
	}
	letter := filepath.Join(t.TempDir(), "Letter.txt")
	if err := os.WriteFile(letter, []byte("Dear Olga"), 0o600); err != nil {
		t.Fatal(err)
	}
	client.SetFiles("#file-input", letter)
	client.See(`#transfers [data-phase="waiting"]`)
	says(t, client, "#transfers", "Waits for an owner")
	client.Screen("98-new-keys-client")
	owner.Click("#new-keys-renew")
	says(t, owner, "#confirm-dialog", "Clara Client", hers.Identities[0].Words[0], hers.Identities[0].Words[11])
	owner.Screen("99-new-keys-renew")
	owner.Click("#confirm-yes")
	owner.Until("it is renewed", browser.Patience, `document.querySelector("#new-keys").hidden`)
	client.Until("he sees it", 2*browser.Patience, `document.querySelector("#new-keys").hidden`)
	waitTransfers(client, time.Minute)
	row(client, "Letter.txt")
}

// TestRenewalIsCutOff: what a server does not take of somebody's new keys is shown, with why, and goes on later.
func TestRenewalIsCutOff(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	ada := h.Founder("Ada Advocate")
	matter := ada.NewMatter("Doe v. Roe")
	olga := h.start(t)
	olga.Open(ada.InviteTo(matter, "Olga Owner", chain.RoleOwner, chain.ModeOpensAtOnce))
	olga.Click("#join-passkey")
	olga.SaveKit()
	olga.See("#add-files")
	tablet := h.Person("Tablet")
	ctx := evilserver.Soon(t)
	v, err := tablet.AskDevice(ctx)
	if err != nil {
		t.Fatal(err)
	}
	olga.Click("#nav-account")
	olga.Click("#device-add")
	olga.Fill("#device-code-text", v.Code)
	olga.Click("#device-open")
	here := wordsOf(olga, "#device-words")
	asked, err := tablet.DeviceAsked(ctx)
	if err != nil || strings.Join(asked.Words, " ") != here {
		t.Fatalf("%+v %v, want %s", asked, err, here)
	}
	olga.Click("#device-grant")
	olga.See(`#device[data-state="granted"]`)
	if err := tablet.TakeDevice(ctx); err != nil {
		t.Fatal(err)
	}
	olga.See("#device-done")
	olga.Click(`#device[data-state="done"] a`)
	olga.Click(`#devices [data-current="false"] [data-action="device-revoke"]`)
	olga.Click("#confirm-yes")
	away := []byte(`{"code":"forbidden","message":"no"}`)
	h.Lie("PUT", api.RouteLookup, func(*evilserver.Request) *evilserver.Reply {
		return &evilserver.Reply{Status: http.StatusForbidden, Header: http.Header{"Content-Type": {api.TypeJSON}}, Body: away}
	})
	olga.SaveKit()
	olga.See("#renewal-left")
	says(t, olga, "#renewal-left", "Doe v. Roe")
	olga.Screen("100-renewal-left")
	olga.Click("#renewal-leave")
	olga.See("#renewal-left")
	olga.Screen("101-renewal-on-account")
	h.Honest()
	olga.Click("#renewal-again")
	olga.See("#renewal-done")
	olga.Click("#nav-matters")
	openMatter(olga)
	put(t, olga, "Letter.txt")
	// The passkey that she joined with unlocks: it was shown when the account was made.
	signOut(olga)
	signIn(olga)
	if err := tablet.Look(matter); err == nil {
		t.Error("the tablet looks on")
	}
}

// TestDeviceWithoutPRF: a passkey that cannot unlock is followed by a device that can.
func TestDeviceWithoutPRF(t *testing.T) {
	t.Parallel()
	server := program.Start(t, program.Binary(t), "")
	ada := browser.Start(t, browser.Options{Authenticator: true})
	setUp(t, ada, server.SetupLink(), false)
	newMatter(ada, "Doe v. Roe")
	add := func() {
		ada.Click("#nav-account")
		ada.Click("#device-add")
		ada.See("#device-code-text")
	}
	old := browser.Start(t, browser.Options{Authenticator: true, NoPRF: true})
	old.Open(server.Origin)
	old.Click("#signin-device")
	add()
	letIn(t, ada, old, codeOn(old))
	old.Click("#device-later")
	old.Click("#nav-account")
	old.Click("#passkey-add")
	old.Click("#prove-passkey, #passkey-name-save")
	old.See(`#passkeys [data-unlocks="false"]`)
	closeDialogs(old)
	signOut(old)
	old.Click("#signin-passkey")
	old.See("#unlock-device")
	old.Screen("102-unlock-device")
	old.Click("#unlock-device")
	add()
	letIn(t, ada, old, codeOn(old))
	old.Click("#device-later")
	openMatter(old)
}

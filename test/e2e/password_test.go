package e2e

import (
	"bytes"
	"encoding/base32"
	"image"
	"image/draw"
	_ "image/png"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/auth/totp"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/boltstore"
	"github.com/underseal/underseal/test/browser"
	"github.com/underseal/underseal/test/program"
)

const horses = "correct horse battery staple"

// app is an authenticator app with a right clock. A code counts once, so it shows each to a test once.
type app struct {
	t      testing.TB
	secret totp.Secret
	last   int64
}

func newApp(t testing.TB, secret string) *app {
	t.Helper()
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(secret, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return &app{t: t, secret: totp.Secret(b)}
}

// code is one that was not used yet: of the half minute before if that is early enough, else of this one, and where that was
// used, of the next, for which clocks that differ leave room.
func (a *app) code() string {
	const step = 30
	next := max(a.last+1, time.Now().Unix()/step-1)
	for next > time.Now().Unix()/step+1 {
		time.Sleep(time.Second)
	}
	// One that is about to be too old would be it on a slow machine.
	if now := time.Now().Unix(); next < now/step && now%step > step/2 {
		next++
	}
	a.last = next
	return a.secret.Code(time.Unix(next*step, 0))
}

// readQR is what stands in the picture on the page, module by module: of clean pictures, the library that reads them mistakes a part
// for a corner now and then, which no camera's does.
func readQR(t testing.TB, b *browser.Browser, css string) string {
	t.Helper()
	picture, _, err := image.Decode(bytes.NewReader(b.Picture(css+" path", 2)))
	if err != nil {
		t.Fatal(err)
	}
	const light = 32 // px around it
	at := image.Rectangle{Max: picture.Bounds().Size()}.Add(image.Pt(light, light))
	sheet := image.NewGray(image.Rectangle{Max: at.Max.Add(image.Pt(light, light))})
	draw.Draw(sheet, sheet.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(sheet, at, picture, picture.Bounds().Min, draw.Src)
	bitmap, err := gozxing.NewBinaryBitmapFromImage(sheet)
	if err != nil {
		t.Fatal(err)
	}
	text, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true})
	if err != nil {
		t.Fatal("nobody can read the picture: ", err)
	}
	return text.GetText()
}

// setUpApp reads what an app is set up with, by camera and by eye.
func setUpApp(t testing.TB, b *browser.Browser) *app {
	t.Helper()
	b.See("#app-qr")
	typed := strings.ReplaceAll(b.String(`document.querySelector("#app-secret").innerText`), " ", "")
	u, err := url.Parse(readQR(t, b, "#app-qr"))
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Query().Get("secret") != typed || u.Query().Get("issuer") != "Underseal" {
		t.Fatalf("the picture says %v, the text beside it %q", u, typed)
	}
	return newApp(t, typed)
}

// byPassword types a name and a password where one signs in.
func byPassword(b *browser.Browser, login, password string) {
	b.See("#signin-passkey")
	b.Eval(`document.querySelector("#signin-with-password").open = true`)
	b.Type("#signin-login", login)
	b.Type("#signin-password-text", password)
	b.Click("#signin-password")
}

func openMatter(b *browser.Browser) {
	b.Until("the page is there", browser.Patience, `!!document.querySelector("#add-files") || !!document.querySelector("a[data-matter]")`)
	if b.Eval(`!!document.querySelector("#add-files")`) != "true" {
		b.Click("a[data-matter]")
	}
	b.See("#add-files")
}

func giveCode(b *browser.Browser, code string) {
	b.Type("#second-code", code)
	b.Click("#second-go")
}

// TestPassword: where browsers have no passkeys, a firm is founded and a guest joins with a password and an app, and comes back
// with them.
func TestPassword(t *testing.T) {
	t.Parallel()
	server := program.Start(t, program.Binary(t), "")
	ada := browser.Start(t, browser.Options{})
	ada.Open(server.SetupLink())
	ada.Type("#setup-name", "Ada Advocate")
	ada.Type("#setup-firm", "Advocate & Partners LLP")
	ada.Click("#setup-with-password")
	ada.Type("#password-login", "ada")
	ada.Type("#password-new", "Advocate and Partners")
	ada.Until("what everybody knows is no password", browser.Patience, `document.querySelector("#password-meter").innerText.includes("knows you")`)
	ada.Type("#password-new", horses)
	ada.Click("#password-continue")
	ada.Type("#app-code", setUpApp(t, ada).code())
	ada.Click("#app-save")
	ada.SaveKit()
	newMatter(ada, "Doe v. Roe")
	link := invite(ada, "Clara Client", "client", "opens-at-once", false)

	clara := browser.Start(t, browser.Options{})
	clara.Open(link)
	clara.Click("#join-with-password")
	clara.See("#enrol")
	clara.Screen("70-join-password")
	clara.Type("#password-login", "Clara.Client")
	for typed, score := range map[string]string{"short": "0", "clara client 2024": "1", "aaaaaaaaaaaaaaaa": "0", horses: "4"} {
		clara.Type("#password-new", typed)
		clara.Until(typed+" is judged", browser.Patience, `document.querySelector("#password-meter").dataset.score === "`+score+`"`)
	}
	clara.Type("#password-new", "password password")
	clara.Until("it is judged", browser.Patience, `document.querySelector("#password-meter").innerText.includes("easy to guess")`)
	clara.Screen("71-password-weak")
	clara.Click("#password-continue")
	clara.See(`.problem[data-code="password-weak"]`)
	clara.Type("#password-new", horses)
	clara.Click("#password-continue")
	codes := setUpApp(t, clara)
	clara.Screen("72-join-app")
	clara.Type("#app-code", "123456")
	clara.Click("#app-save")
	clara.See(`.problem[data-code="code-failed"]`)
	clara.Screen("73-code-failed")
	clara.Type("#app-code", codes.code())
	clara.Click("#app-save")
	kit := clara.SaveKit()
	clara.See("#add-files")
	clara.Click("#nav-account")
	clara.See("#password-set")
	toSee(clara, "#password-set")
	clara.Screen("74-account-password")
	signOut(clara)

	// This device remembers the name. A wrong password is told from nothing else.
	clara.Until("her name is there", browser.Patience, `document.querySelector("#signin-with-password").open && document.querySelector("#signin-login").value === "clara.client"`)
	clara.Screen("75-signin-password")
	byPassword(clara, "clara.client", "correct horse battery stable")
	clara.See(`.problem[data-code="password-failed"]`)
	clara.Screen("76-password-failed")
	byPassword(clara, "nobody.at.all", horses)
	clara.See(`.problem[data-code="password-failed"]`)
	byPassword(clara, "clara.client", horses)
	clara.See("#second-code")
	clara.Screen("77-second")
	giveCode(clara, "000000")
	clara.See(`.problem[data-code="code-failed"]`)
	giveCode(clara, codes.code())
	clara.See("#failed-notice")
	says(t, clara, "#failed-notice", "1 attempt with your name")
	clara.Screen("78-failed-notice")
	clara.Click("#failed-close")
	openMatter(clara)

	// Locked, the password alone unlocks.
	clara.Click("#lock")
	clara.See("#locked")
	clara.Screen("79-locked-password")
	byPassword(clara, "clara.client", horses)
	clara.See("#sign-out")
	openMatter(clara)
	signOut(clara)

	// Whoever guesses waits, and is told how long.
	for range 15 {
		byPassword(clara, "clara.client", "correct horse battery stable")
		clara.Until("it is answered", browser.Patience, `!document.querySelector("#signin-password").hasAttribute("aria-busy") && !!document.querySelector(".problem")`)
		if clara.Eval(`!!document.querySelector('.problem[data-code="too-many"]')`) == "true" {
			break
		}
	}
	clara.See(`.problem[data-code="too-many"]`)
	if clara.Eval(`document.querySelector("#signin-password").disabled`) != "true" {
		t.Error("there is nothing to wait for")
	}
	clara.Until("it says how long", browser.Patience, `/again (in \d+:\d\d|now\.)/.test(document.querySelector(".problem-wait").innerText)`)
	clara.Screen("90-too-many")
	clara.Until("the wait is over", browser.Patience, `!document.querySelector("#signin-password").disabled`)
	says(t, clara, ".problem-wait", "It can be tried again now.")
	byPassword(clara, "clara.client", horses)
	giveCode(clara, codes.code())
	clara.See("#sign-out")

	elsewhere(t, server, kit, codes)
}

// elsewhere is a device that never was hers: her password signs in and does not unlock, until the kit did once.
func elsewhere(t *testing.T, server *program.Server, kit string, codes *app) {
	tablet := browser.Start(t, browser.Options{})
	tablet.Open(server.Origin + "/")
	byPassword(tablet, "clara.client", horses)
	giveCode(tablet, codes.code())
	tablet.See(`#unlock[data-by="password"]`)
	tablet.Screen("80-unlock-password")
	tablet.Fill("#unlock-kit-text", kit)
	tablet.Click("#unlock-kit")
	tablet.See("#unlock-notice")
	openMatter(tablet)
	signOut(tablet)
	byPassword(tablet, "clara.client", horses)
	giveCode(tablet, codes.code())
	openMatter(tablet)
}

// changePassword sets a password in the dialog that is open.
func changePassword(b *browser.Browser, login, password string) {
	b.See("#password-dialog")
	b.Type("#password-login", login)
	b.Type("#password-new", password)
	b.Click("#password-save")
}

// TestSecondFactors: a passkey without PRF beside a password, an app beside both, and a firm that asks for two factors.
func TestSecondFactors(t *testing.T) {
	t.Parallel()
	var doubts, forge atomic.Bool
	var loads atomic.Int64
	disbelieve := doubt(&doubts)
	proxy := newBetween(t, func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "-password.wasm") {
			return disbelieve(w, r)
		}
		loads.Add(1)
		if forge.Load() {
			_, _ = w.Write([]byte("another module"))
		}
		return forge.Load()
	})
	server := program.Start(t, program.Binary(t), proxy.Origin)
	proxy.address = server.Address
	ada := browser.Start(t, browser.Options{Authenticator: true})
	kit := setUp(t, ada, server.SetupLink(), false)
	newMatter(ada, "Doe v. Roe")

	// A device whose passkey only signs in: with it and a password she comes in.
	office := browser.Start(t, browser.Options{Authenticator: true, NoPRF: true})
	withKit(office, server.Origin, kit)
	openAccount(office)
	office.Click("#passkey-add")
	namePasskey(office, "Office computer")
	if loads.Load() != 0 {
		t.Error("the module for passwords is loaded, and nobody used one")
	}
	office.Click("#password-set")
	office.See("#password-dialog")
	office.Screen("81-password-set")
	changePassword(office, "ada", horses)
	hasPassword(office)
	signOut(office)
	byPassword(office, "ada", horses)
	office.See("#second-passkey")
	if count(office, "#second-code") != 0 {
		t.Error("a code is asked for, and there is no app")
	}
	office.Screen("82-second-passkey")
	office.Click("#second-passkey")
	openMatter(office)

	// The firm asks its staff for two factors: whoever came in with the kit shows another one, and goes on.
	openAccount(office)
	office.Click("#app-set")
	codes := setUpApp(t, office)
	office.Screen("83-app-dialog")
	office.Type("#app-code", codes.code())
	office.Click("#app-save")
	office.Until("it is set up", browser.Patience, `!document.querySelector("#app-dialog") && document.querySelector("#app-set").innerText.includes("anew")`)
	toSee(office, "#app-set")
	office.Screen("84-account-app")
	office.Click(`[data-firm-log] [data-action="rules"]`)
	office.See("#rule-staffMFA")
	office.Click("#rule-staffMFA")
	office.Click("#rules-save")
	office.See("#rules-saved")

	printed := browser.Start(t, browser.Options{})
	withKit(printed, server.Origin, kit)
	printed.See(`[data-matter][data-state="second-factor"]`)
	printed.Screen("85-matters-second-factor")
	printed.Click(`a[data-matter]`)
	printed.See("#door-dialog")
	printed.Screen("86-door")
	closeDialogs(printed)
	printed.See(`.problem[data-code="second-factor"]`)
	printed.Click("#nav-matters")
	printed.Click(`a[data-matter]`)
	printed.Type("#door-code", "000000")
	printed.Click("#door-go")
	printed.See(`#door-dialog .problem[data-code="code-failed"]`)
	printed.Type("#door-code", codes.code())
	printed.Click("#door-go")
	printed.See("#add-files")
	printed.Click("#nav-matters")
	printed.See(`[data-matter][data-state="open"]`)

	proofs(t, office, &doubts, codes)

	// A module of another build is not run.
	forge.Store(true)
	signOut(printed)
	byPassword(printed, "ada", horses)
	printed.See(`.problem[data-code="stale-build"]`)
	forge.Store(false)
	byPassword(printed, "ada", horses)
	printed.See(`.problem[data-code="password-failed"]`) // she has removed it
}

// proofs shows once more who is there, with a code and with the password, and removes both.
func proofs(t *testing.T, office *browser.Browser, doubts *atomic.Bool, codes *app) {
	openAccount(office)
	doubts.Store(true)
	office.Click("#app-set")
	office.See("#prove-dialog")
	office.Screen("88-prove-ways")
	office.Click("#prove-with-code summary")
	office.Type("#prove-code-text", codes.code())
	office.Click("#prove-code")
	office.See("#app-dialog")
	closeDialogs(office)

	// With the passkey beside it, the password does not need the app.
	doubts.Store(true)
	office.Click("#password-remove")
	says(t, office, "#what-is-left", "1 passkey that signs in and unlocks", "recovery kit")
	office.Screen("89-password-remove")
	office.Click("#confirm-yes")
	office.Click("#prove-with-password summary")
	office.Type("#prove-password-text", "correct horse battery stable")
	office.Click("#prove-password")
	office.See(`#prove-dialog .problem[data-code="password-failed"]`)
	office.Type("#prove-password-text", horses)
	office.Click("#prove-password")
	office.Until("it is gone", browser.Patience, `!document.querySelector("dialog") && document.querySelector("#password-set").innerText.includes("Set")`)
	office.Click("#app-remove")
	office.Click("#confirm-yes")
	office.Until("it is gone as well", browser.Patience, `!document.querySelector("dialog") && !document.querySelector("#app-remove")`)
}

func hasPassword(b *browser.Browser) {
	b.Until("the password is set", browser.Patience, `!document.querySelector("#password-dialog") && document.querySelector("#password-set").innerText.includes("Change")`)
}

// holdLogins keeps back which names this device remembers until letGo is called, as a slow machine would.
const holdLogins = `
const logins = new Set(), held = [];
let holding = true;
window.Worker = class extends Worker {
	#handler = null;
	constructor(...args) {
		super(...args);
		super.onmessage = (m) => holding && logins.has(m.data?.id) ? held.push(() => this.#handler(m)) : this.#handler(m);
	}
	set onmessage(handler) { this.#handler = handler; }
	postMessage(m, ...rest) {
		if (m?.method === "logins") logins.add(m.id);
		super.postMessage(m, ...rest);
	}
};
window.letGo = () => { holding = false; held.forEach((deliver) => deliver()); };`

// TestPasswordTooOld: a firm whose passwords last ninety days asks for a new one, and lets her go on. The name her browser
// remembers comes while she is in its field already, and what she types takes its place.
func TestPasswordTooOld(t *testing.T) {
	t.Parallel()
	server := program.Start(t, program.Binary(t), "")
	ada := browser.Start(t, browser.Options{Authenticator: true, Script: holdLogins})
	setUp(t, ada, server.SetupLink(), false)
	newMatter(ada, "Doe v. Roe")
	openAccount(ada)
	account := ada.String(`document.querySelector(".id code").innerText`)
	ada.Click("#password-set")
	changePassword(ada, "ada", horses)
	hasPassword(ada)
	ada.Click(`[data-firm-log] [data-action="rules"]`)
	ada.See("#rule-passwordDays")
	ada.Type("#rule-passwordDays", "90")
	ada.Click("#rules-save")
	ada.See("#rules-saved")

	age(t, server, account, 91*24*time.Hour)
	ada.Open(server.Origin + "/")
	ada.See("#signin-passkey")
	ada.Eval(`document.querySelector("#signin-with-password").open = true`)
	ada.Eval(`document.querySelector("#signin-login").focus()`)
	ada.Eval(`letGo()`)
	ada.Until("her name is there", browser.Patience, `document.querySelector("#signin-login").value === "ada"`)
	ada.Eval(`document.execCommand("insertText", false, "a")`)
	if typed := ada.String(`document.querySelector("#signin-login").value`); typed != "a" {
		t.Errorf("she typed a where her name was put in, and there is %q", typed)
	}
	byPassword(ada, "ada", horses)
	ada.Click("#second-passkey")
	ada.See(`[data-matter][data-state="password-old"]`)
	ada.Click(`a[data-matter]`)
	ada.See("#password-dialog")
	ada.Screen("87-password-old")
	changePassword(ada, "ada", "another horse battery staple")
	ada.See("#add-files")
	ada.Click("#nav-matters")
	ada.See(`[data-matter][data-state="open"]`)
}

// age stops the server, makes somebody's password older than it is, and starts it again.
func age(t testing.TB, server *program.Server, account string, by time.Duration) {
	t.Helper()
	id, err := wire.ParseObjectID(account)
	if err != nil {
		t.Fatal(err)
	}
	server.Kill()
	s, err := boltstore.Open(boltstore.Config{Folder: filepath.Join(server.Data, "store")})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(t.Context(), layout.Accounts, func(tx store.Tx) error {
		p, _, err := layout.Get[layout.Password](tx, layout.PasswordKey(id))
		if err != nil {
			return err
		}
		p.Set -= int64(by / time.Second)
		return layout.Put(tx, layout.PasswordKey(id), p)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	server.Run()
}

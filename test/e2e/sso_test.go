package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/underseal/underseal/test/browser"
	"github.com/underseal/underseal/test/idp"
	"github.com/underseal/underseal/test/program"
)

var (
	adaAtWork     = idp.User{Subject: "248289761001", Name: "ada", Password: "a", Email: "ada@firm.example"}
	malloryAtWork = idp.User{Subject: "mallory", Name: "mallory", Password: "m", Email: "ada@firm.example"} // so the provider says
)

// setProvider stops the server, has a firm's identity provider registered by the command for it, and starts it again.
func setProvider(t testing.TB, server *program.Server, firm string) *idp.Provider {
	t.Helper()
	const client, secret = "underseal", "a secret of the firm"
	p := idp.Start(t, []idp.User{adaAtWork, malloryAtWork}, idp.Client{ID: client, Secret: secret, Redirect: server.Origin + "/v1/firms/" + firm + "/oidc/callback"})
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	out, err := exec.Command(program.Binary(t), "admin", "oidc", "set", "--firm", firm, "--issuer", p.Issuer, "--client-id", client, "--client-secret-file", file,
		"--data", server.Data, "--origin", server.Origin).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	server.Run()
	return p
}

// atWork signs in at the identity provider, whose page is there.
func atWork(b *browser.Browser, u idp.User) {
	b.See("#name")
	b.Type("#name", u.Name)
	b.Type("#password", u.Password)
	b.Click("#go")
}

// noLeftovers says that nothing of a sign-in stays in the address.
func noLeftovers(t testing.TB, b *browser.Browser, origin, path string) {
	t.Helper()
	if got := b.String("location.href"); got != origin+path {
		t.Errorf("the address is %s", got)
	}
}

// TestSignInThroughTheFirm: linked once, the firm's own sign-in lets Ada in, and only what she has unlocks.
func TestSignInThroughTheFirm(t *testing.T) {
	t.Parallel()
	server := program.Start(t, program.Binary(t), "")
	ada := browser.Start(t, browser.Options{Authenticator: true})
	kit := setUp(t, ada, server.SetupLink(), false)
	ada.See("#matter-new")
	newMatter(ada, "Doe v. Roe")
	openAccount(ada)
	if count(ada, `#sso [data-sso]`) != 0 || ada.Eval(`document.querySelector("#sso").checkVisibility()`) == "true" {
		t.Error("a sign-in of the firm is shown, and there is none")
	}
	firm := ada.String(`document.querySelector("#main [data-firm]").dataset.firm`)
	provider := setProvider(t, server, firm)

	// She links it, and comes back to where she was.
	ada.Reload()
	if count(ada, "#signin-sso") != 0 {
		t.Error("a device that knows of no firm's sign-in offers one")
	}
	signIn(ada)
	openAccount(ada)
	ada.See(`#sso [data-sso][data-linked="false"]`)
	toSee(ada, "#sso")
	ada.Screen("60-sso")
	ada.Click(`#sso [data-action="sso-link"]`)
	atWork(ada, adaAtWork)
	ada.See(`#unlock[data-by="linked"]`)
	noLeftovers(t, ada, server.Origin, "/account")
	ada.Screen("61-sso-linked")
	ada.Click("#unlock-passkey")
	ada.See(`#sso [data-sso][data-linked="true"]`)
	toSee(ada, "#sso")
	ada.Screen("62-sso-linked")
	signOut(ada)

	// She signs in with it: the kit unlocks, or the passkey.
	ada.See("#signin-sso")
	ada.Screen("63-signin-sso")
	ada.Click("#signin-sso")
	atWork(ada, adaAtWork)
	ada.See(`#unlock[data-by="in"]`)
	noLeftovers(t, ada, server.Origin, "/")
	ada.Screen("64-sso-unlock")
	if strings.Contains(ada.Text(), "Doe v. Roe") {
		t.Error("a matter is shown before anything was unlocked")
	}
	ada.Click("#unlock-with-kit summary")
	ada.Fill("#unlock-kit-text", swapTwo(kit))
	ada.Click("#unlock-kit")
	ada.See(`.problem[data-code="kit-typo"]`)
	ada.Screen("64-sso-unlock-typo")
	ada.Fill("#unlock-kit-text", kit)
	ada.Click("#unlock-kit")
	ada.See("#unlock-notice")
	openAccount(ada)
	ada.See(`#sessions [data-current="true"]`)
	says(t, ada, `#sessions [data-current="true"]`, "Through your firm")
	toSee(ada, "#sessions")
	ada.Screen("65-sso-session")
	// Back to where she was when it locked.
	ada.Click("#nav-matters")
	ada.Click("#matters [data-matter]")
	ada.See("#add-files")
	ada.Click("#lock")
	ada.Click("#signin-sso")
	atWork(ada, adaAtWork)
	ada.Click("#unlock-passkey")
	ada.Until("what was open is back", browser.Patience, `document.querySelector("h1")?.innerText === "Doe v. Roe"`)
	// What the passkey showed is the fresh proof that a change asks for.
	openAccount(ada)
	ada.Click("#passkey-add")
	ada.See(`.problem[data-code="passkey-exists"]`)

	// A device that was never here: by the address that the firm hands out. Who wants another way is signed out.
	second := browser.Start(t, browser.Options{Authenticator: true})
	second.Open(server.Origin + "/sso/" + firm)
	atWork(second, adaAtWork)
	second.See(`#unlock[data-by="in"]`)
	second.Click("#unlock-other")
	second.See("#signin-sso")
	second.Click("#signin-sso")
	atWork(second, adaAtWork)
	second.Click("#unlock-with-kit summary")
	second.Fill("#unlock-kit-text", kit)
	second.Click("#unlock-kit")
	second.See("#matters [data-matter]")

	// Somebody else there, whatever the provider says he is called, gets in nowhere.
	stranger := browser.Start(t, browser.Options{Authenticator: true})
	stranger.Open(server.Origin + "/sso/" + firm)
	atWork(stranger, malloryAtWork)
	stranger.See(`.problem[data-code="sign-in-failed"]`)
	noLeftovers(t, stranger, server.Origin, "/")
	stranger.Screen("66-sso-refused")
	stranger.Open(server.Origin + "/?sso=in") // as anybody can write
	stranger.See(`.problem[data-code="not-signed-in"]`)

	// What it opened ends with the link, at once.
	toSee(ada, "#sso")
	ada.Click(`#sso [data-action="sso-unlink"]`)
	ada.See("#confirm-dialog")
	ada.Screen("67-sso-unlink")
	ada.Click("#confirm-yes")
	ada.See(`#sso [data-sso][data-linked="false"]`)
	second.Eval(`document.querySelector("#nav-account")?.click()`) // a poll may have been told before
	second.See(`.problem[data-code="session-ended"]`)
	second.Click("#signin-sso")
	atWork(second, adaAtWork)
	second.See(`.problem[data-code="sign-in-failed"]`)

	// It is away: a sentence, and the other ways work.
	provider.Stop()
	server.Kill() // it would know the provider for a while
	server.Run()
	second.Click("#signin-sso")
	second.See(`.problem[data-code="unavailable"]`)
	second.Screen("68-sso-away")
	second.Click("#signin-with-kit summary")
	second.Fill("#signin-kit-text", kit)
	second.Click("#signin-kit")
	second.See("#sign-out")
}

// TestWayToTheFirm: the page that goes there is seen while the provider is slow. It has no worker, which has keys.
func TestWayToTheFirm(t *testing.T) {
	t.Parallel()
	proxy := newBetween(t, func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/oidc/start") {
			return false
		}
		w.WriteHeader(http.StatusNoContent) // a browser stays where it is
		return true
	})
	server := program.Start(t, program.Binary(t), proxy.Origin)
	proxy.address = server.Address
	b := browser.Start(t, browser.Options{})
	b.Open(server.Origin + "/sso/" + strings.Repeat("a", 52))
	b.See("#sso-leaving")
	b.Screen("69-sso-leaving")
	if n := b.Eval(`performance.getEntriesByType("resource").filter(r => /worker|wasm/.test(r.name)).length`); n != "0" {
		t.Errorf("%s parts of the worker were loaded", n)
	}
	// What is no firm is no way.
	b.Open(server.Origin + "/sso/x")
	b.Until("it says so", browser.Patience, `document.querySelector("h1")?.innerText === "There is nothing here"`)
}

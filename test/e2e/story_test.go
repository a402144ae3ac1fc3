// Package e2e tells the main job's story in real Chromium against the real binary: two people, two profiles, real files.
package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/test/browser"
	"github.com/underseal/underseal/test/program"
)

// largeSize is the size of the largest file of the story. UNDERSEAL_LARGE, in MiB, changes it.
func largeSize(t testing.TB) int64 {
	t.Helper()
	if s := os.Getenv("UNDERSEAL_LARGE"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n << 20
	}
	return 1 << 30
}

const slow = 10 * time.Minute // a gigabyte through Chromium on a busy machine

// setUp founds a firm and saves its kit.
func setUp(t testing.TB, b *browser.Browser, link string, look bool) string {
	t.Helper()
	b.Open(link)
	b.See("#setup-name")
	if strings.Contains(b.String("location.href"), "#") {
		t.Error("the setup secret stays in the address")
	}
	if look {
		b.Screen("01-setup")
	}
	b.Type("#setup-name", "Ada Advocate")
	b.Type("#setup-firm", "Advocate & Partners LLP")
	b.Click("#setup-passkey")
	b.See("#kit-text")
	if look {
		b.Screen("02-kit")
	}
	return b.SaveKit()
}

// newMatter makes a matter and opens it.
func newMatter(b *browser.Browser, name string) {
	b.Click("#matter-new")
	b.Type("#matter-name", name)
	b.Click("#matter-create")
	b.See("#add-files")
}

// row is the selector of a document by its name; names of the story hide nothing.
func row(b *browser.Browser, name string) string {
	b.Until(name+" is listed", browser.Patience, `[...document.querySelectorAll("#documents [data-document]")].some(r => r.innerText.includes(`+strconv.Quote(name)+`))`)
	id := b.String(`[...document.querySelectorAll("#documents [data-document]")].find(r => r.innerText.includes(` + strconv.Quote(name) + `)).dataset.document`)
	return `#documents [data-document="` + id + `"]`
}

func waitTransfers(b *browser.Browser, patience time.Duration) {
	b.Until("every transfer is done", patience, `document.querySelectorAll("#transfers [data-transfer]").length > 0 && [...document.querySelectorAll("#transfers [data-transfer]")].every(t => t.dataset.phase === "done")`)
}

// download saves a document and is its path.
func download(b *browser.Browser, name string, patience time.Duration) string {
	b.Click(row(b, name) + ` [data-action="download"]`)
	return b.WaitDownload(name, patience)
}

// clearTransfers empties the tray, which folds by itself.
func clearTransfers(b *browser.Browser) {
	b.Eval(`document.querySelector("#transfers details").open = true`)
	b.Click("#transfers-clear")
	b.Until("the tray is empty", browser.Patience, `document.querySelectorAll("#transfers [data-transfer]").length === 0`)
}

// invite makes an invite and is its link.
func invite(b *browser.Browser, person, role, mode string, look bool) string {
	b.Click("#invite-open")
	b.Type("#invite-person", person)
	b.Eval(`(() => { const s = document.querySelector("#invite-role"); s.value = "` + role + `"; s.dispatchEvent(new Event("change", {bubbles: true})); })()`)
	b.Click(`#invite-mode [value="` + mode + `"]`)
	if look {
		b.Screen("05-invite")
	}
	b.Click("#invite-create")
	b.See("#invite-link")
	link := b.String(`document.querySelector("#invite-link").value ?? document.querySelector("#invite-link").innerText`)
	if look {
		b.Screen("06-invite-link")
	}
	b.Click("#invite-done")
	return link
}

func TestStory(t *testing.T) {
	t.Parallel()
	server := program.Start(t, program.Binary(t), "")
	files := t.TempDir()
	pdf := makePDF(t, filepath.Join(files, "Complaint.pdf"), canary)
	docx := makeDOCX(t, filepath.Join(files, "Engagement letter.docx"), canary)
	photo := makePhotograph(t, filepath.Join(files, "Site photograph.jpg"))
	large := makeLarge(t, filepath.Join(files, "Deposition video.bin"), largeSize(t))

	ada := browser.Start(t, browser.Options{Authenticator: true})
	kit := setUp(t, ada, server.SetupLink(), true)
	ada.See("#matter-new")
	ada.Screen("03-matters-empty")
	newMatter(ada, "Doe v. Roe")
	ada.Screen("04-matter-empty")

	ada.SetFiles("#file-input", pdf, docx, photo)
	waitTransfers(ada, browser.Patience)
	clearTransfers(ada)
	sameFile(t, download(ada, "Complaint.pdf", browser.Patience), pdf)
	clearTransfers(ada)

	link := invite(ada, "Clara Client", "client", "opens-at-once", true)
	ada.Screen("07-matter-with-documents")

	clara := browser.Start(t, browser.Options{Authenticator: true})
	clara.Open(link) // the first interaction
	clara.See("#join-passkey")
	if strings.Contains(clara.String("location.href"), "#") {
		t.Error("the invite secret stays in the address")
	}
	clara.Screen("08-join")
	clara.Click("#join-passkey") // the second
	clara.See("#add-files")
	// The third: the verified file is on her disk.
	sameFile(t, download(clara, "Engagement letter.docx", browser.Patience), docx)
	clara.See("#kit-due")
	clara.Screen("09-kit-due")
	clara.Click("#kit-now")
	clara.SaveKit()
	clara.Screen("10-client-matter")

	// He uploads back: a new version of the letter, and a file of at least a gigabyte.
	signed := makeDOCX(t, filepath.Join(t.TempDir(), "Engagement letter.docx"), canary+" signed")
	clearTransfers(clara)
	clara.SetFiles("#file-input", signed)
	clara.Click("#clash-version")
	waitTransfers(clara, browser.Patience)
	clearTransfers(clara)
	clara.SetFiles("#file-input", large)
	clara.See(`#transfers [data-phase="sealing"]`)
	clara.Screen("11-uploading")
	waitTransfers(clara, slow)
	clearTransfers(clara)

	// She reads them; the old version stays reachable, and says who made it.
	ada.Reload()
	signIn(ada)
	openFirstMatter(ada)
	sameFile(t, download(ada, "Engagement letter.docx", browser.Patience), signed)
	clearTransfers(ada)
	sameFile(t, download(ada, "Deposition video.bin", slow), large)
	clearTransfers(ada)
	ada.Click(row(ada, "Engagement letter.docx") + ` [data-action="details"]`)
	ada.See("#document-dialog #versions")
	ada.Screen("12-versions")
	if text := ada.String(`document.querySelector("#document-dialog").innerText`); !strings.Contains(text, "Clara Client") || !strings.Contains(text, "Ada Advocate") {
		t.Errorf("versions do not say who made them: %s", text)
	}
	if err := os.Remove(filepath.Join(ada.Downloads, "Engagement letter.docx")); err != nil {
		t.Fatal(err)
	}
	ada.Click(`#versions [data-version]:last-child [data-action="download-version"]`)
	sameFile(t, ada.WaitDownload("Engagement letter.docx", browser.Patience), docx)

	// Rename, move, delete.
	ada.Click(`#document-dialog [data-action="rename"]`)
	ada.Type("#document-name", "Engagement letter (signed).docx")
	ada.Click("#document-rename")
	row(ada, "Engagement letter (signed).docx")
	closeDialogs(ada)
	ada.Click(row(ada, "Site photograph.jpg") + ` [data-action="details"]`)
	ada.Click(`#document-dialog [data-action="move"]`)
	ada.Fill("#move-folder", "Evidence/Photographs")
	ada.Click("#document-move")
	ada.See(`[data-folder="Evidence"]`)
	closeDialogs(ada)
	ada.Click(row(ada, "Complaint.pdf") + ` [data-action="details"]`)
	ada.Click(`#document-dialog [data-action="delete"]`)
	ada.Screen("13-delete")
	ada.Click("#confirm-yes")
	ada.Until("the complaint is gone", browser.Patience, `![...document.querySelectorAll("#documents [data-document]")].some(r => r.innerText.includes("Complaint.pdf"))`)
	closeDialogs(ada)
	ada.Click("#show-deleted")
	row(ada, "Complaint.pdf")
	ada.Screen("14-deleted")

	// A guest whom she confirms first.
	second := invite(ada, "Petra Paralegal", "paralegal", "after-i-confirm", false)
	petra := browser.Start(t, browser.Options{Authenticator: true})
	petra.Open(second)
	petra.Click("#join-passkey")
	petra.SaveKit() // who works in a firm has two ways to unlock before anything is sealed to her
	petra.See("#waiting")
	petra.Screen("15-waiting")
	// Nobody reloads: what others did comes by itself.
	ada.See(`#invites [data-state="waiting"]`)
	ada.Screen("16-confirm")
	ada.Click(`#invites [data-state="waiting"] [data-action="invite-confirm"]`)
	confirmIfAsked(ada)
	ada.Until("Petra has a seat", browser.Patience, `document.querySelector("#members").innerText.includes("Petra Paralegal")`)
	row(petra, "Engagement letter (signed).docx")

	// She removes the client: one button.
	member := ada.String(`[...document.querySelectorAll("#members [data-member]")].find(m => m.innerText.includes("Clara Client")).dataset.member`)
	ada.Click(`#members [data-member="` + member + `"] summary`)
	ada.Click(`#members [data-member="` + member + `"] [data-action="member-remove"]`)
	ada.Screen("17-remove")
	ada.Click("#confirm-yes")
	ada.Until("Clara's seat ended", browser.Patience, `!document.querySelector("#members").innerText.includes("Clara Client")`)
	clara.Reload()
	signIn(clara)
	clara.Until("Clara is told", browser.Patience, `document.body.innerText.toLowerCase().includes("removed") || document.body.innerText.toLowerCase().includes("ended")`)
	clara.Screen("18-removed")

	// In an empty profile: with a passkey that was synced there, and with the kit.
	ada.Open("about:blank")
	ada.Empty(server.Origin)
	ada.Open(server.Origin + "/")
	ada.See("#signin-passkey")
	ada.Screen("19-signin")
	ada.Click("#signin-passkey")
	openFirstMatter(ada)
	row(ada, "Engagement letter (signed).docx")
	ada.Click("#nav-account")
	ada.See("#passkeys")
	ada.Screen("20-account")

	printed := browser.Start(t, browser.Options{})
	printed.Open(server.Origin + "/")
	printed.Click("#signin-with-kit summary")
	printed.Fill("#signin-kit-text", swapTwo(kit))
	printed.Click("#signin-kit")
	printed.See(".problem")
	printed.Screen("21-kit-typo")
	printed.Fill("#signin-kit-text", kit)
	printed.Click("#signin-kit")
	openFirstMatter(printed)
	sameFile(t, download(printed, "Engagement letter (signed).docx", browser.Patience), signed)
	printed.Click("#sign-out")
	printed.See("#signin-passkey")

	verifyInBrowser(t, ada)
	verifyOffline(t, server)
}

// verifyInBrowser ends the story: the whole record of what was done above is checked, and the files for checking it
// elsewhere are in the downloads.
func verifyInBrowser(t *testing.T, ada *browser.Browser) {
	ada.Click("#nav-matters")
	openFirstMatter(ada)
	visit(ada, "activity")
	ada.See("#activity [data-position]")
	says(t, ada, "#activity", "Ada Advocate removed Clara Client and changed the keys", "Petra Paralegal", "Ada Advocate deleted 1 document", "Complaint.pdf")
	ada.Screen("29-story-activity")
	visit(ada, "verify")
	verified(ada)
	says(t, ada, "#verify-result", "Nothing is missing and nothing was changed.")
	says(t, ada, "#verify-checks", "No entry is missing or changed", "What you see is what was signed", "worked out again")
	ada.Screen("29-story-verify")
	ada.Click("#verify-policy")
	keep(t, "policy.txt", saved(t, ada, "underseal-log-policy.txt"))
	ada.Click("#verify-keys")
	ada.Click("#confirm-yes")
	keep(t, "link-keys.txt", saved(t, ada, "underseal-link-keys.txt"))
}

// kept is where what she saved lies for the reviewer.
func kept(t testing.TB, name string) string {
	return filepath.Join(program.Root(), "test", "out", "reviewer", t.Name(), name)
}

func keep(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(kept(t, name)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept(t, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// verifyOffline is the reviewer: he copies the public log, and checks it and the matter with what she saved. The server is
// stopped, and where the system lets us, the program has no network at all.
func verifyOffline(t *testing.T, server *program.Server) {
	t.Helper()
	verify := filepath.Join(program.Root(), "bin", "underseal-verify")
	policy, keys, folder := kept(t, "policy.txt"), kept(t, "link-keys.txt"), filepath.Join(t.TempDir(), "log")
	text, err := os.ReadFile(policy)
	if err != nil {
		t.Fatal(err)
	}
	url := regexp.MustCompile(`http://localhost:\d+/log/[a-z2-7]+`).FindString(string(text))
	if out, err := exec.Command(verify, "copy", url, folder, "--policy", policy).CombinedOutput(); err != nil {
		t.Fatalf("copy: %v\n%s", err, out)
	}
	server.Kill()
	offline := func(want int, arguments ...string) string {
		t.Helper()
		cmd := exec.Command(verify, arguments...)
		if exec.Command("unshare", "-rn", "true").Run() == nil {
			cmd = exec.Command("unshare", append([]string{"-rn", verify}, arguments...)...)
		}
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != want {
			t.Fatalf("%s: exit %d, want %d\n%s", arguments[0], cmd.ProcessState.ExitCode(), want, out)
		}
		return string(out)
	}
	offline(0, "log", folder, "--policy", policy)
	offline(0, "matter", folder, "--policy", policy, "--keys", keys)
	offline(3, "log", url, "--policy", policy) // there is no server to ask
	// A single bit of a single entry.
	bundles, err := filepath.Glob(filepath.Join(folder, "tile", "entries", "000.p", "*"))
	if err != nil || len(bundles) == 0 {
		t.Fatal("no bundle was copied", err)
	}
	b, err := os.ReadFile(bundles[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(bundles[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	offline(1, "log", folder, "--policy", policy)
	offline(1, "matter", folder, "--policy", policy, "--keys", keys)
}

// swapTwo swaps the first two letters of a group that differ.
func swapTwo(kit string) string {
	b := []byte(kit)
	for i := 0; ; i++ {
		if b[i] != b[i+1] && b[i] != '-' && b[i+1] != '-' {
			b[i], b[i+1] = b[i+1], b[i]
			return string(b)
		}
	}
}

func signIn(b *browser.Browser) { b.Click("#signin-passkey"); b.See("#sign-out") }

func openFirstMatter(b *browser.Browser) {
	b.Until("the page is there", browser.Patience, `!!document.querySelector("#add-files") || !!document.querySelector("#matters [data-matter]")`)
	if b.Eval(`!!document.querySelector("#add-files")`) != "true" {
		b.Click("#matters [data-matter] a, #matters a[data-matter]")
	}
	b.See("#documents")
}

func closeDialogs(b *browser.Browser) {
	b.Eval(`document.querySelectorAll("dialog[open]").forEach(d => d.close())`)
}

func confirmIfAsked(b *browser.Browser) {
	if b.Eval(`!!document.querySelector("#confirm-yes")?.checkVisibility()`) == "true" {
		b.Click("#confirm-yes")
	}
}

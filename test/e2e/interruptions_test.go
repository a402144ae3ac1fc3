package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/underseal/underseal/test/browser"
	"github.com/underseal/underseal/test/program"
)

// TestInterruptions pauses, kills the server, reloads the page and changes a file in the middle of uploads: nothing that
// was acknowledged is lost, nothing half-written is seen, and a changed file is not taken for the one that was paused.
func TestInterruptions(t *testing.T) {
	t.Parallel()
	server := program.Start(t, program.Binary(t), "")
	dir := t.TempDir()
	large := makeLarge(t, filepath.Join(dir, "large.bin"), 96<<20)
	other := makeLarge(t, filepath.Join(dir, "other.bin"), 96<<20)

	ada := browser.Start(t, browser.Options{Authenticator: true})
	setUp(t, ada, server.SetupLink(), false)
	newMatter(ada, "Interrupted")

	begin := func(file string) {
		t.Helper()
		ada.SetFiles("#file-input", file)
		ada.Until("some bytes are sent", browser.Patience, `(document.querySelector("#transfers [data-phase=sealing] progress")?.value ?? 0) > 0`)
	}

	begin(large)
	ada.Click(`#transfers [data-phase="sealing"] [data-action="pause"]`)
	ada.See(`#transfers [data-phase="paused"]`)
	ada.Screen("22-paused")
	ada.Click(`#transfers [data-phase="paused"] [data-action="resume"]`)
	ada.See(`#transfers [data-phase="sealing"]`)

	// The server dies like a power cut, and comes back.
	server.Kill()
	ada.See(`#transfers [data-phase="waiting"]`)
	ada.Screen("23-connection-lost")
	server.Run()
	waitTransfers(ada, slow)
	clearTransfers(ada)
	sameFile(t, download(ada, "large.bin", slow), large)
	clearTransfers(ada)

	// A reload: the journal remembers, the person picks the file again.
	begin(other)
	ada.Reload()
	signIn(ada)
	ada.See(`#transfers [data-phase="needs-file"]`)
	ada.Screen("24-needs-file")
	openFirstMatter(ada)
	if strings.Contains(ada.String(`document.querySelector("#documents").innerText`), "other.bin") {
		t.Error("a half-written document is listed")
	}
	changed := filepath.Join(t.TempDir(), "other.bin")
	content, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	content[0] ^= 1
	if err := os.WriteFile(changed, content, 0o600); err != nil {
		t.Fatal(err)
	}
	ada.SetFiles(`#transfers [data-phase="needs-file"] input[type=file]`, changed)
	ada.See(`#transfers .problem[data-code="file-changed"]`)
	ada.Until("what needs somebody stays in sight", browser.Patience, `new Promise(done => setTimeout(() => done(document.querySelector("#transfers details").open), 5000))`)
	ada.Screen("25-file-changed")
	ada.SetFiles(`#transfers [data-phase="needs-file"] input[type=file]`, other)
	waitTransfers(ada, slow)
	sameFile(t, download(ada, "other.bin", slow), other)
	clearTransfers(ada)

	// Cancelled is gone.
	begin(makeLarge(t, filepath.Join(dir, "cancelled.bin"), 96<<20))
	ada.Click(`#transfers [data-phase="sealing"] [data-action="cancel"]`)
	confirmIfAsked(ada)
	ada.Until("the upload is gone", browser.Patience, `!document.querySelector('#transfers [data-transfer]')?.checkVisibility()`)
	ada.Reload()
	signIn(ada)
	openFirstMatter(ada)
	if strings.Contains(ada.Text(), "cancelled.bin") {
		t.Error("a cancelled upload is still there")
	}
}

// TestSmallFiles uploads what lengths go wrong at, and names that must not be kept: each refused with a sentence, and the
// others unharmed.
func TestSmallFiles(t *testing.T) {
	t.Parallel()
	server := program.Start(t, program.Binary(t), "")
	dir := t.TempDir()
	const segment, chunk = 262_144 - 32, 16 * (262_144 - 32)
	ada := browser.Start(t, browser.Options{Authenticator: true})
	setUp(t, ada, server.SetupLink(), false)
	newMatter(ada, "Edges")
	sizes := map[string]int64{"empty.bin": 0, "one.bin": 1, "segment.bin": segment, "segment-less.bin": segment - 1, "segment-more.bin": segment + 1, "chunk.bin": chunk, "chunk-more.bin": chunk + 1}
	var files []string
	for name, size := range sizes {
		path := filepath.Join(dir, name)
		if size > 64 {
			makeLarge(t, path, size)
		} else {
			writeFile(t, path, make([]byte, size))
		}
		files = append(files, path)
	}
	ada.SetFiles("#file-input", files...)
	waitTransfers(ada, browser.Patience)
	clearTransfers(ada)
	for _, path := range files {
		sameFile(t, download(ada, filepath.Base(path), browser.Patience), path)
	}
	clearTransfers(ada)
	for _, name := range []string{"rtl\u202egpj.exe", "line\nbreak.txt"} {
		ada.SetFiles("#file-input", writeFile(t, filepath.Join(dir, name), []byte("x")))
		ada.See(`.problem[data-code="bad-name"]`)
		ada.Reload()
		signIn(ada)
		openFirstMatter(ada)
	}
	for name := range sizes {
		row(ada, name)
	}
}

// TestKindRefusals shows the sentences for links, browsers and devices that cannot.
func TestKindRefusals(t *testing.T) {
	t.Parallel()
	server := program.Start(t, program.Binary(t), "")
	setup := server.SetupLink()

	noPRF := browser.Start(t, browser.Options{Authenticator: true, NoPRF: true})
	noPRF.Open(setup)
	noPRF.Type("#setup-name", "Nora Noprf")
	noPRF.Type("#setup-firm", "Advocate LLP")
	noPRF.Click("#setup-passkey")
	noPRF.See(`.problem[data-code="no-prf"]`)
	noPRF.Screen("26-no-prf")

	old := browser.Start(t, browser.Options{Script: `delete globalThis.WebAssembly;`})
	old.Open(server.Origin + "/")
	old.See("#unsupported")
	old.Screen("27-no-webassembly")

	// The setup link was not used up by a browser that could not.
	ada := browser.Start(t, browser.Options{Authenticator: true})
	again := browser.Start(t, browser.Options{Authenticator: true})
	again.Open(setup)
	again.Type("#setup-name", "Mallory")
	again.Type("#setup-firm", "Mallory LLP")
	setUp(t, ada, setup, false)
	again.Click("#setup-passkey")
	again.See(`.problem[data-code="setup-used"]`)
	again.Open("about:blank")
	again.Open(setup) // and now before anything is filled in
	again.See(`.problem[data-code="setup-used"]`)

	newMatter(ada, "Links")
	used := invite(ada, "Clara Client", "client", "opens-at-once", false)
	clara := browser.Start(t, browser.Options{Authenticator: true})
	clara.Open(used)
	clara.Click("#join-passkey")
	clara.See("#add-files")
	again.Open("about:blank")
	again.Open(used)
	again.See(`.problem[data-code="invite-used"]`)
	again.Screen("28-invite-used")
	again.Click("#join-signin")
	again.See("#signin-passkey")

	cancelled := invite(ada, "Carl Cancelled", "client", "opens-at-once", false)
	ada.Click(`#invites [data-state="open"] [data-action="invite-cancel"]`)
	confirmIfAsked(ada)
	ada.Until("the invite ended", browser.Patience, `!document.querySelector('#invites [data-state="open"]')`)
	again.Open("about:blank")
	again.Open(cancelled)
	again.See(`.problem[data-code="invite-gone"]`)

	again.Open("about:blank")
	again.Open(used[:len(used)-4])
	again.See(`.problem[data-code="bad-link"]`)
}

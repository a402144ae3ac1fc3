package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/underseal/underseal/test/browser"
	"github.com/underseal/underseal/test/program"
)

// slow is how long a gigabyte may take on a busy machine.
const slow = 20 * time.Minute

// office is a fresh server and an attorney who is signed in to it, in a matter of her own.
type office struct {
	b       *bench
	server  *program.Server
	page    *browser.Browser
	profile string
	firm    string
	matter  string
}

func found(b *bench) *office {
	profile := b.TempDir()
	openPort(b)
	o := &office{b: b, server: program.Start(b, program.Binary(b), ""), page: browser.Start(b, browser.Options{Authenticator: true, Profile: profile}), profile: profile}
	p := o.page
	p.Open(o.server.SetupLink())
	p.Type("#setup-name", "Ada Advocate")
	p.Type("#setup-firm", "Advocate & Partners LLP")
	p.Click("#setup-passkey")
	p.SaveKit()
	p.Click("#matter-new")
	p.Type("#matter-name", "Doe v. Roe")
	p.Click("#matter-create")
	p.See("#add-files")
	o.matter = strings.TrimPrefix(p.String("location.pathname"), "/m/")
	// A partition of the store is a firm: its file has the firm's name.
	files, err := filepath.Glob(filepath.Join(o.server.Data, "store", strings.Repeat("?", len(o.matter))+".*"))
	b.must(err)
	if len(files) != 1 {
		b.Fatalf("which is the firm? %v", files)
	}
	o.firm = strings.TrimSuffix(filepath.Base(files[0]), filepath.Ext(files[0]))
	return o
}

func (o *office) chain() string { return "/v1/firms/" + o.firm + "/chains/" + o.matter }

// upload puts a file into the matter as she would, and is the time until it is committed.
func (o *office) upload(file string) time.Duration {
	start := time.Now()
	o.page.SetFiles("#file-input", file)
	o.transferred()
	return time.Since(start)
}

// transferred waits for every transfer that is shown.
func (o *office) transferred() {
	o.page.Until("every transfer is done", slow, `(() => {
		const all = [...document.querySelectorAll("#transfers [data-transfer]")];
		if (all.some(t => t.dataset.phase === "failed")) throw new Error("a transfer failed");
		return all.length > 0 && all.every(t => t.dataset.phase === "done");
	})()`)
}

func (o *office) clearTransfers() {
	o.page.Click("#transfers-clear")
	o.page.Until("the tray is empty", browser.Patience, `document.querySelectorAll("#transfers [data-transfer]").length === 0`)
}

// download fetches a document as she would: the times until every byte is verified, and until it is saved.
func (o *office) download(document, name string) (verified, saved time.Duration) {
	start := time.Now()
	o.page.Click(fmt.Sprintf(`#documents [data-document=%q] [data-action="download"]`, document))
	o.transferred()
	verified = time.Since(start)
	o.page.WaitDownload(name, slow)
	return verified, time.Since(start)
}

// document is the id of the document with a name.
func (o *office) document(name string) string {
	find := fmt.Sprintf(`[...document.querySelectorAll("#documents [data-document]")].find(r => r.innerText.includes(%q))`, name)
	o.page.Until(name+" is listed", browser.Patience, "!!"+find)
	return o.page.String(find + ".dataset.document")
}

// version is the id of a document's only version.
func (o *office) version(document string) string {
	o.page.Click(fmt.Sprintf(`#documents [data-document=%q] [data-action="details"]`, document))
	o.page.See("#document-dialog #versions [data-version]")
	id := o.page.String(`document.querySelector("#versions [data-version]").dataset.version`)
	o.page.Eval(`document.querySelectorAll("dialog[open]").forEach(d => d.close())`)
	return id
}

// signIn signs in on the page that is open.
func (o *office) signIn() { o.page.Click("#signin-passkey"); o.page.See("#sign-out") }

// makeFile makes a file of random bytes.
func makeFile(b *bench, name string, mib int) string {
	path := filepath.Join(b.TempDir(), name)
	f, err := os.Create(path)
	b.must(err)
	_, err = io.CopyN(f, rand.Reader, int64(mib)<<20)
	b.must(err)
	b.must(f.Close())
	return path
}

// sameFile compares two files whole.
func sameFile(b *bench, got, want string) {
	x, err := os.Open(got)
	b.must(err)
	defer x.Close()
	y, err := os.Open(want)
	b.must(err)
	defer y.Close()
	p, q := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		n, errX := io.ReadFull(x, p)
		m, errY := io.ReadFull(y, q)
		if n != m || string(p[:n]) != string(q[:m]) {
			b.Fatalf("%s is not what was uploaded", filepath.Base(got))
		}
		if errX != nil || errY != nil {
			return
		}
	}
}

package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/underseal/underseal/test/browser"
	"github.com/underseal/underseal/test/program"
)

// later is a proxy in front of a server. While it is on, workers that are loaded live forty days from now.
type later struct {
	Origin  string
	address string
	on      atomic.Bool
}

const forty = `{ const Now = Date; globalThis.Date = class extends Now { constructor(...a) { if (a.length) super(...a); else super(Now.now() + 40 * 864e5); } static now() { return Now.now() + 40 * 864e5; } }; }` + "\n"

func newLater(t testing.TB) *later {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &later{Origin: "http://localhost:" + strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)}
	proxy := &httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0), // browsers that close are no news
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: l.address})
			r.Out.Host = r.In.Host
			if strings.HasSuffix(r.In.URL.Path, "-worker.js") {
				r.Out.Header.Del("Accept-Encoding")
			}
		},
		ModifyResponse: func(r *http.Response) error {
			if !l.on.Load() || !strings.HasSuffix(r.Request.URL.Path, "-worker.js") {
				return nil
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			body = append([]byte(forty), body...)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
			r.Header.Set("Cache-Control", "no-store")
			return nil
		},
	}
	server := &http.Server{Handler: proxy}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return l
}

// visit opens a page of the matter by its tab.
func visit(b *browser.Browser, part string) {
	b.Click("#tab-" + part)
	b.See(`#tab-` + part + `[aria-current="page"]`)
}

func verified(b *browser.Browser) {
	b.See("#verify-result")
	b.Until("the check is over", browser.Patience, `!document.querySelector("#verify-again").hidden`)
}

func saved(t testing.TB, b *browser.Browser, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(b.WaitDownload(name, browser.Patience))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func choose(b *browser.Browser, css, value string) {
	b.Eval(`(() => { const s = document.querySelector(` + strconv.Quote(css) + `); s.value = ` + strconv.Quote(value) + `; s.dispatchEvent(new Event("change", {bubbles: true})); })()`)
}

// optionOf is the value that a select has for a label.
func optionOf(b *browser.Browser, css, label string) string {
	return b.String(`[...document.querySelector(` + strconv.Quote(css) + `).options].find(o => o.textContent === ` + strconv.Quote(label) + `)?.value ?? "none"`)
}

func count(b *browser.Browser, css string) int {
	n, _ := strconv.Atoi(b.Eval(`document.querySelectorAll(` + strconv.Quote(css) + `).length`))
	return n
}

// says waits until an element has each of the texts.
func says(t testing.TB, b *browser.Browser, css string, wants ...string) {
	t.Helper()
	text := ""
	missing := func(want string) bool { return !strings.Contains(text, want) }
	for deadline := time.Now().Add(browser.Patience); ; time.Sleep(50 * time.Millisecond) {
		text = b.String(`document.querySelector(` + strconv.Quote(css) + `)?.innerText ?? "nothing there"`)
		if !slices.ContainsFunc(wants, missing) {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s: got %q, want each of %q in it", css, text, wants)
			return
		}
	}
}

// above hides what stands above a list, to look at what is below the fold, or shows it again.
func above(b *browser.Browser, hide bool) {
	b.Eval(`document.querySelectorAll("#head, .crumb, .matter-line, .chart, .filters").forEach(e => e.hidden = ` + strconv.FormatBool(hide) + `)`)
}

// TestRecord shows the record to everybody whom it is for: an owner, a client, an auditor and a reviewer.
func TestRecord(t *testing.T) {
	t.Parallel()
	proxy := newLater(t)
	server := program.Start(t, program.Binary(t), proxy.Origin)
	proxy.address = server.Address
	files := t.TempDir()
	pdf := makePDF(t, filepath.Join(files, "Complaint.pdf"), canary)
	docx := makeDOCX(t, filepath.Join(files, "Engagement letter.docx"), canary)
	photo := makePhotograph(t, filepath.Join(files, "Site photograph.jpg"))

	ada := browser.Start(t, browser.Options{Authenticator: true})
	kit := setUp(t, ada, server.SetupLink(), false)
	newMatter(ada, "Doe v. Roe")
	visit(ada, "trail")
	ada.See("#trail-title")
	ada.Until("an empty trail says so", browser.Patience, `!!document.querySelector(".part .empty h3")?.checkVisibility() || !!document.querySelector("#trail tbody tr")`)
	ada.Screen("30-trail-new")
	visit(ada, "documents")
	ada.SetFiles("#file-input", pdf, docx, photo)
	waitTransfers(ada, browser.Patience)
	clearTransfers(ada)

	clara := browser.Start(t, browser.Options{Authenticator: true})
	clara.Open(invite(ada, "Clara Client", "client", "opens-at-once", false))
	clara.Click("#join-passkey")
	clara.See("#add-files")
	sameFile(t, download(clara, "Complaint.pdf", browser.Patience), pdf)
	clara.Click("#kit-later")
	clearTransfers(clara)
	clara.SetFiles("#file-input", makeDOCX(t, filepath.Join(t.TempDir(), "Engagement letter.docx"), canary+" signed"))
	clara.Click("#clash-version")
	waitTransfers(clara, browser.Patience)
	clearTransfers(clara)

	// An auditor sees that there are documents, and is offered nothing to do with them.
	audrey := browser.Start(t, browser.Options{Authenticator: true})
	audrey.Open(invite(ada, "Audrey Auditor", "auditor", "opens-at-once", false))
	audrey.See("#join-passkey")
	audrey.Screen("31-join-auditor")
	audrey.Click("#join-passkey")
	row(audrey, "Complaint.pdf")
	for _, control := range []string{"#add-files", "#add-folder", "#invite-open", "#matter-rename", `[data-action="download"]`} {
		if audrey.Eval(`!!document.querySelector(`+strconv.Quote(control)+`)?.checkVisibility()`) == "true" {
			t.Errorf("an auditor is offered %s", control)
		}
	}
	audrey.Screen("32-auditor-matter")

	// A reviewer sees the verification, wherever in the matter the way leads.
	ray := browser.Start(t, browser.Options{Authenticator: true})
	ray.Open(invite(ada, "Ray Reviewer", "reviewer", "opens-at-once", false))
	ray.Click("#join-passkey")
	verified(ray)
	says(t, ray, "#verify-result", "Nothing is missing and nothing was changed.", "no witnesses", "not claimed")
	ray.Screen("33-reviewer-verify")
	if text := ray.Text(); strings.Contains(text, "Complaint") || strings.Contains(text, "Clara") {
		t.Errorf("a reviewer reads of what is inside: %s", text)
	}
	ray.Click("#nav-matters")
	ray.See(`#matters [data-state="review"]`)
	ray.Screen("34-reviewer-matters")
	ray.Click(`#matters a[data-state="review"]`)
	verified(ray)

	download(ada, "Engagement letter.docx", browser.Patience)

	clearTransfers(ada)
	ownerSees(t, ada)
	clientSees(t, clara)
	auditorSees(t, audrey)
	ownerErases(t, proxy, kit)

	// Erased is not missing.
	audrey.Reload()
	signIn(audrey)
	audrey.See(`#trail [data-kind="erased"]`)
	says(t, audrey, `#trail [data-kind="erased"]`, "erased under the rule of retention", "Clara Client")
	above(audrey, true)
	audrey.Screen("47-trail-erased")
	above(audrey, false)
	visit(audrey, "verify")
	verified(audrey)
	says(t, audrey, "#verify-erasures", "Details of 2 views were erased under the rule of retention by Ada Advocate", "this is not a gap")
	says(t, audrey, "#verify-result", "Nothing is missing and nothing was changed.")
	audrey.Screen("48-verify-erased")
}

func ownerSees(t *testing.T, ada *browser.Browser) {
	visit(ada, "activity")
	ada.See(`#activity [data-kind="versioned"]`)
	says(t, ada, "#activity", "Ada Advocate founded this matter", "Ada Advocate added 3 documents", "Complaint.pdf", "Clara Client added a new version", "Ada Advocate invited Ray Reviewer as a reviewer", "Today")
	ada.Screen("35-activity")
	above(ada, true)
	ada.Screen("35-activity-list")
	above(ada, false)
	all := count(ada, "#activity [data-position]")
	choose(ada, "#activity-person", "Clara Client")
	if n := count(ada, "#activity [data-position]"); n == 0 || n >= all {
		t.Errorf("the filter by person shows %d of %d entries", n, all)
	}
	choose(ada, "#activity-kind", "versioned")
	if n := count(ada, "#activity [data-position]"); n != 1 {
		t.Errorf("both filters show %d entries, want the one new version", n)
	}
	ada.Screen("36-activity-filtered")
	ada.Click(`#activity [data-kind="versioned"] [data-action="save-receipt"]`)
	if receipt := saved(t, ada, "underseal-receipt.tlog-proof"); !bytes.HasPrefix(receipt, []byte("c2sp.org/tlog-proof@v1\n")) {
		t.Errorf("the receipt begins with %.40q", receipt)
	}

	visit(ada, "verify")
	verified(ada)
	says(t, ada, "#verify-checks", "worked out again", "Every delivery has its view", "No witnesses", "2 views, 2 deliveries")
	ada.Screen("37-verify")
	ada.Click("#verify-whole summary")
	ada.Click("#verify-offline summary")
	ada.Screen("38-verify-details")
	if root, short := ada.String(`document.querySelector("#verify-root").textContent`), ada.String(`document.querySelector("#verify-root-short").textContent`); !strings.HasPrefix(root, short[:8]) || len(root) < 40 {
		t.Errorf("the root is %q, and %q for short", root, short)
	}
	ada.Click("#verify-policy")
	if policy := string(saved(t, ada, "underseal-log-policy.txt")); !strings.Contains(policy, "\nlog ") || !strings.Contains(policy, "quorum none") {
		t.Errorf("the policy file says %q", policy)
	}
	ada.Click("#verify-keys")
	ada.See("#confirm-yes")
	ada.Screen("39-link-keys")
	ada.Click("#confirm-yes")
	saved(t, ada, "underseal-link-keys.txt")
	ada.Click("#verify-proof")
	ada.See("#confirm-yes")
	ada.Screen("40-proof")
	ada.Click("#confirm-yes")
	bundle := saved(t, ada, "underseal-proof.zip")
	z, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
	}
	for _, want := range []string{"policy.txt", "link-keys.txt", "checkpoint.txt", "report.json", "trail.csv"} {
		if !slices.Contains(names, want) {
			t.Errorf("the proof bundle holds %v, want %s", names, want)
		}
	}

	ada.Click("#nav-account")
	ada.Click(`[data-action="log-status"]`)
	ada.See(".log-status [data-policy]")
	says(t, ada, ".log-status", "No witnesses: freshness is not claimed.", "/log/")
	ada.Eval(`document.querySelector(".log-status").scrollIntoView({block: "center"})`)
	ada.Screen("41-account-log")
	ada.Click("#nav-matters")
	ada.Click("#matters a[data-matter]")
	ada.See("#add-files")
}

func clientSees(t *testing.T, clara *browser.Browser) {
	visit(clara, "verify")
	verified(clara)
	if count(clara, "#tab-trail") != 0 {
		t.Error("a client is shown the way to the trail")
	}
	if text := clara.Text(); strings.Contains(text, "deliveries") {
		t.Error("a client is told of deliveries")
	}
	clara.Screen("42-verify-client")
	visit(clara, "activity")
	clara.See("#activity [data-position]")
}

func auditorSees(t *testing.T, audrey *browser.Browser) {
	visit(audrey, "trail")
	audrey.See(`#trail [data-kind="opened"]`)
	says(t, audrey, "#trail", "Clara Client", "Ada Advocate", "Complaint.pdf", "delivered")
	audrey.Screen("43-trail")
	above(audrey, true)
	audrey.Screen("43-trail-list")
	above(audrey, false)
	choose(audrey, "#trail-who", optionOf(audrey, "#trail-who", "Clara Client"))
	choose(audrey, "#trail-what", "opened")
	if n := count(audrey, "#trail tbody tr"); n != 1 {
		t.Errorf("Clara opened %d documents, want 1", n)
	}
	audrey.Screen("44-trail-filtered")
	choose(audrey, "#trail-from", "2999-01-01")
	if n := count(audrey, "#trail tbody tr"); n != 0 {
		t.Errorf("%d entries come from the future", n)
	}
	audrey.Click("#trail-clear")
	choose(audrey, "#trail-document", optionOf(audrey, "#trail-document", "Engagement letter.docx"))
	if n := count(audrey, "#trail tbody tr"); n != 2 {
		t.Errorf("the letter is in %d entries, want one view and one delivery", n)
	}
	if audrey.Eval(`!!document.querySelector("#trail-erase")`) == "true" {
		t.Error("an auditor is offered to erase")
	}
	audrey.Click("#trail-csv")
	rows, err := csv.NewReader(bytes.NewReader(saved(t, audrey, "underseal-trail.csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	opened := 0
	for _, row := range rows {
		if slices.Contains(row, "opened") && slices.Contains(row, "Clara Client") && slices.Contains(row, "Complaint.pdf") {
			opened++
		}
	}
	if opened != 1 || !slices.Contains(rows[0], "who") {
		t.Errorf("the table says %q, want one view by Clara", rows)
	}
	audrey.Click("#trail-proof")
	audrey.Click("#confirm-yes")
	saved(t, audrey, "underseal-proof.zip")
}

// ownerErases signs in elsewhere, forty days from now.
func ownerErases(t *testing.T, proxy *later, kit string) {
	ada := browser.Start(t, browser.Options{})
	proxy.on.Store(true)
	ada.Open(proxy.Origin + "/")
	ada.Click("#signin-with-kit summary")
	ada.Fill("#signin-kit-text", kit)
	ada.Click("#signin-kit")
	openFirstMatter(ada)
	proxy.on.Store(false)
	visit(ada, "trail")
	ada.See(`#trail [data-kind="opened"]`)
	ada.Click("#trail-erase")
	ada.See("#erase-days")
	choose(ada, "#erase-days", "30")
	says(t, ada, "#confirm-dialog", "older than 30 days", "What stays", "not when", "rule of retention")
	ada.Screen("45-erase")
	ada.Click("#confirm-yes")
	ada.Until("it is erased", browser.Patience, `document.querySelectorAll('#trail [data-kind="erased"]').length === 2`)
	says(t, ada, "#trail-told", "Details of 2 views were erased.")
	ada.Screen("46-trail-after-erasing")
	visit(ada, "activity")
	ada.See(`#activity [data-kind="erased"]`)
	ada.Screen("46-activity-erased")
}

// bend lets a test change what the worker tells the page: window.bend gets each message, and answers the one to go by.
const bend = `
window.Worker = class extends Worker {
	set onmessage(listener) { super.onmessage = (m) => { const data = window.bend ? window.bend(m.data) : m.data; if (data) listener({ data }); }; window.tell = (data) => listener({ data }); }
	get onmessage() { return super.onmessage; }
};`

// TestVerifyLooks shows what takes a firm with witnesses, a long record or a delivery that nobody asked for. What the
// worker found is bent on its way to the page; what it is bent to is what the worker says in those cases.
func TestVerifyLooks(t *testing.T) {
	t.Parallel()
	server := program.Start(t, program.Binary(t), "")
	ada := browser.Start(t, browser.Options{Authenticator: true, Script: bend})
	setUp(t, ada, server.SetupLink(), false)
	newMatter(ada, "Doe v. Roe")
	ada.SetFiles("#file-input", makePDF(t, filepath.Join(t.TempDir(), "Complaint.pdf"), canary))
	waitTransfers(ada, browser.Patience)
	clearTransfers(ada)

	// The report waits until the progress was looked at.
	ada.Eval(`window.bend = (m) => { if (m.result?.sequences) { window.held = m; return null; } return m; }`)
	visit(ada, "verify")
	ada.See("#verify-progress")
	ada.Until("the report is there", browser.Patience, `!!window.held`)
	ada.Eval(`window.tell({event: "verify", matter: window.held.result.matter, step: "trail", done: 5120, total: 12480})`)
	says(t, ada, "#verify-progress", "Finding every view in the log", "5,120 of 12,480")
	ada.Screen("51-verifying")
	ada.Eval(`(() => {
		const at = Date.now(), r = window.held.result;
		Object.assign(r, {policy: "met", views: 3, size: 1204311, released: 12480, served: 12481, took: 61000,
			witnesses: [{name: "witness.example.org/alpha", at: at - 40e3}, {name: "witness.bar-association.example/log", at: at - 95e3}, {name: "idle.example.net/w", at: null}],
			unpaired: [{kind: "served", at: at - 864e5, person: "Clara Client", document: "Engagement letter.docx", version: ""}],
			erasures: [{from: 0, to: 12, rule: "retention", by: "Ada Advocate", at: at - 30 * 864e5}]});
		r.sequences = [{...r.sequences[0], entries: 10000}, {...r.sequences[1], entries: 12480, erased: 12, head: r.root}, {sequence: "server", entries: 13007, head: r.root, erased: 0, complete: true}];
		window.bend = null;
		window.tell(window.held);
	})()`)
	verified(ada)
	says(t, ada, "#verify-result", "vouched for by witness.example.org/alpha and witness.bar-association.example/log")
	says(t, ada, "#verify-checks", "1 view or delivery stands alone", "delivered, and nobody had opened it", "has not vouched yet", "12 of them with details erased")
	says(t, ada, "#verify-erasures", "Details of 12 views were erased under the rule of retention by Ada Advocate")
	ada.Screen("52-verify-witnessed")
	ada.Eval(`document.querySelector("#verify-unpaired").scrollIntoView({block: "center"})`)
	ada.Screen("53-verify-unpaired")

	// Stopped is not failed.
	ada.Eval(`window.bend = (m) => m.result?.sequences ? {id: m.id, failure: {code: "cancelled", detail: ""}} : m`)
	ada.Click("#verify-again")
	ada.See("#verify-stopped")
	ada.Screen("54-verify-stopped")
}

// TestRestored gives a server an older copy of everything it has. It goes on as if nothing had happened, and whoever saw
// more is shown what was promised, what is shown now, and a file that proves it to others.
func TestRestored(t *testing.T) {
	t.Parallel()
	server := program.Start(t, program.Binary(t), "")
	files := t.TempDir()
	ada := browser.Start(t, browser.Options{Authenticator: true, Script: bend})
	setUp(t, ada, server.SetupLink(), false)
	newMatter(ada, "Doe v. Roe")
	clara := browser.Start(t, browser.Options{Authenticator: true})
	clara.Open(invite(ada, "Clara Client", "client", "opens-at-once", false))
	clara.Click("#join-passkey")
	clara.See("#add-files")
	clara.Click("#nav-matters") // and looks away
	clara.See("#matters [data-matter]")

	server.Kill()
	older := t.TempDir()
	if err := os.CopyFS(older, os.DirFS(server.Data)); err != nil {
		t.Fatal(err)
	}
	server.Run()
	ada.SetFiles("#file-input", makePDF(t, filepath.Join(files, "Complaint.pdf"), canary))
	waitTransfers(ada, browser.Patience)
	clearTransfers(ada)
	visit(ada, "verify")
	verified(ada)
	ada.Click("#verify-policy")
	saved(t, ada, "underseal-log-policy.txt")
	root := ada.String(`document.querySelector("#verify-root-short").textContent`)
	ada.Click("#nav-account")
	ada.See(`[data-action="log-status"]`)

	server.Kill()
	server.Data = older
	server.Run()
	// Clara never saw the document: for her nothing is wrong, and the log grows another way.
	clara.Click("#matters a[data-matter]")
	clara.See("#add-files")
	for _, name := range []string{"One.pdf", "Two.pdf", "Three.pdf", "Four.pdf"} {
		clara.SetFiles("#file-input", makePDF(t, filepath.Join(files, name), canary))
		waitTransfers(clara, browser.Patience)
		clearTransfers(clara)
	}
	ada.Click("#nav-account") // a poll may have found the server out already, without a proof for others
	ada.Click(`[data-action="log-status"]`)
	ada.See("#lied-evidence")
	says(t, ada, "#lied", "contradicted", "Signed by the log", "root "+root, "What was promised", "What was shown", "underseal-verify evidence")
	ada.Screen("49-lied")
	// Soon it is caught at something that nobody else can judge: the proof stays.
	ada.Eval(`window.tell({event: "lied", failure: {code: "server-lied", detail: ""}, promised: "an entry", shown: "none"})`)
	if ada.Eval(`!!document.querySelector("#lied-evidence")`) != "true" {
		t.Fatal("what proves it left the page")
	}
	ada.Click("#lied-evidence")
	evidence := saved(t, ada, "underseal-evidence.json")
	if !json.Valid(evidence) {
		t.Errorf("the evidence is %.80q", evidence)
	}
	// The commands that the page shows are the ones that work, in the folder with what was saved.
	verifier := filepath.Join(t.TempDir(), "underseal-verify")
	build := exec.Command("go", "build", "-o", verifier, "./cmd/underseal-verify")
	build.Dir = program.Root()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, id := range []string{"#lied-keep", "#lied-judge"} {
		words := strings.Fields(ada.String(`document.querySelector("` + id + `").textContent`))
		judge := exec.Command(verifier, words[1:]...)
		judge.Dir = ada.Downloads
		said, err := judge.CombinedOutput()
		t.Logf("%v: %s%v", words, said, err)
		if err != nil {
			t.Errorf("%v: %v", words, err)
		}
	}
	ada.Click("#nav-account")
	ada.See(`#refusals [data-action="save-evidence"]`)
	ada.Eval(`document.querySelector("#refusals").scrollIntoView({block: "center"})`)
	ada.Screen("50-account-evidence")
}

// Package browser drives a real Chromium as a person would: profiles of their own, a virtual passkey authenticator,
// clicks by stable id, downloads to disk, screenshots and axe.
package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// Patience is how long something a person waits for may take on a busy machine before a test gives up.
const Patience = 60 * time.Second

// Options of a browser.
type Options struct {
	Profile       string // folder; empty: a fresh one
	NoPRF         bool   // the authenticator has no PRF
	Authenticator bool   // add a virtual authenticator
	Leaks         bool   // keep what the leak build tells, in window.leaks
	Script        string // run in every page before its own
}

// Browser is one Chromium with one page.
type Browser struct {
	t         testing.TB
	ctx       context.Context
	close     func()
	Downloads string
	auth      webauthn.AuthenticatorID
	PID       int
}

// Start starts Chromium. It is stopped when the test ends.
func Start(t testing.TB, o Options) *Browser {
	t.Helper()
	if o.Profile == "" {
		o.Profile = t.TempDir()
	}
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(executable()), chromedp.UserDataDir(o.Profile), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.WindowSize(1280, 900), chromedp.WSURLReadTimeout(Patience),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true))
	ctx, cancel := chromedp.NewContext(alloc)
	b := &Browser{t: t, ctx: ctx, Downloads: t.TempDir()}
	b.close = func() { cancel(); cancelAlloc() }
	t.Cleanup(b.Close)
	b.must(chromedp.Do(ctx))
	if p := chromedp.FromContext(ctx).Browser.Process(); p != nil {
		b.PID = p.Pid
	}
	_, err := chromedp.CallBrowser(ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: b.Downloads})
	b.must(err)
	if o.Authenticator {
		b.AddAuthenticator(!o.NoPRF)
	}
	if o.Leaks {
		o.Script += keepLeaks
	}
	if o.Script != "" {
		_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: o.Script})
		b.must(err)
	}
	return b
}

// keepLeaks listens beside the page to what the worker says.
const keepLeaks = `
window.leaks = [];
window.Worker = class extends Worker {
	constructor(...args) {
		super(...args);
		this.addEventListener("message", (m) => { if (m.data?.event === "leaktest") window.leaks.push(m.data); });
	}
};`

func executable() string {
	if path := os.Getenv("UNDERSEAL_CHROMIUM"); path != "" {
		return path
	}
	return "chromium"
}

// Close stops Chromium.
func (b *Browser) Close() { b.close() }

// AddAuthenticator adds an internal authenticator that verifies its user at once.
func (b *Browser) AddAuthenticator(prf bool) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, webauthn.Enable, webauthn.EnableParams{})
	b.must(err)
	r, err := chromedp.Call(b.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: "ctap2", Ctap2version: "ctap2_1", Transport: "internal", HasResidentKey: true, HasUserVerification: true, HasPrf: prf,
		AutomaticPresenceSimulation: true, IsUserVerified: true}})
	b.must(err)
	b.auth = r.AuthenticatorID
}

// Empty removes everything the profile keeps of an origin: cookies, records, files. The authenticator stays: it is what a
// synced passkey is in a profile that never saw the site.
func (b *Browser) Empty(origin string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, storage.ClearDataForOrigin, storage.ClearDataForOriginParams{Origin: origin, StorageTypes: "all"})
	b.must(err)
}

// What failed stands last, after the page: the end of a long log is what is read first.
func (b *Browser) must(err error) {
	b.t.Helper()
	if err != nil {
		b.shoot("failure")
		b.t.Fatalf("the page says:\n%s\n%v", b.Text(), err)
	}
}

func (b *Browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, Patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.shoot("failure")
		b.t.Fatalf("the page says:\n%s\n%v", b.Text(), err)
	}
}

// Open goes to an address.
func (b *Browser) Open(url string) { b.t.Helper(); b.do(chromedp.Navigate(url)) }

// Reload reloads the page, and says yes where it asks whether one really wants to leave.
func (b *Browser) Reload() {
	b.t.Helper()
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(200 * time.Millisecond):
				// Fails when there is no dialog, which is the usual case.
				_, _ = chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
			}
		}
	}()
	b.do(chromedp.Reload())
}

// Click clicks what a selector finds, once it is visible, enabled and not covered by something else where a mouse would
// hit it.
func (b *Browser) Click(css string) {
	b.t.Helper()
	b.See(css)
	b.Until(css+" can be clicked", Patience, fmt.Sprintf(`(() => {
		const e = document.querySelector(%s);
		if (!e || e.disabled) return false;
		e.scrollIntoView({block: "nearest", behavior: "instant"});
		const r = e.getClientRects()[0];
		if (!r) return false;
		const hit = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
		return !!hit && (e.contains(hit) || hit.contains(e));
	})()`, quote(css)))
	// Input events sent through the debugger hang now and then on a busy machine; the element's own click does not.
	yes := true
	ctx, cancel := context.WithTimeout(b.ctx, Patience)
	defer cancel()
	r, err := chromedp.Call(ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: fmt.Sprintf("document.querySelector(%s).click()", quote(css)), UserGesture: &yes})
	b.must(err)
	if r.ExceptionDetails != nil {
		b.t.Fatalf("the page says:\n%s\n%s was gone when it was clicked", b.Text(), css)
	}
}

// Type replaces a field's text as an input method would.
func (b *Browser) Type(css, text string) {
	b.t.Helper()
	b.See(css)
	b.Eval(fmt.Sprintf(`(() => { const e = document.querySelector(%s); e.focus(); e.select(); })()`, quote(css)))
	ctx, cancel := context.WithTimeout(b.ctx, Patience)
	defer cancel()
	_, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: text})
	b.must(err)
	b.Until(css+" holds what was typed", Patience, fmt.Sprintf("document.querySelector(%s).value === %s", quote(css), quote(text)))
}

// Press sends keys to whatever has the focus.
func (b *Browser) Press(keys string) { b.t.Helper(); b.do(chromedp.KeyEvent(keys)) }

// Fill sets a field of more text than a person would type.
func (b *Browser) Fill(css, text string) {
	b.t.Helper()
	b.See(css)
	b.Eval(fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.value = %s; e.dispatchEvent(new Event("input", {bubbles: true})); e.dispatchEvent(new Event("change", {bubbles: true})); })()`, css, quote(text)))
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// See waits until a selector finds something visible.
func (b *Browser) See(css string) { b.t.Helper(); b.SeeWithin(css, Patience) }

// SeeWithin is See with another patience.
func (b *Browser) SeeWithin(css string, patience time.Duration) {
	b.t.Helper()
	b.Until(fmt.Sprintf("%s is visible", css), patience, fmt.Sprintf(`(() => { const e = document.querySelector(%s); return !!e && e.checkVisibility() })()`, quote(css)))
}

// Until waits until a JavaScript expression is true.
func (b *Browser) Until(what string, patience time.Duration, expression string) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		v, err := b.try(expression)
		if err == nil && v == "true" {
			return
		}
		if time.Now().After(deadline) {
			b.shoot("failure")
			b.t.Fatalf("the page says:\n%s\nnever came: %s (last: %s %v)", b.Text(), what, v, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (b *Browser) try(expression string) (string, error) {
	ctx, cancel := context.WithTimeout(b.ctx, Patience)
	defer cancel()
	yes := true
	r, err := chromedp.Call(ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: expression, AwaitPromise: &yes, ReturnByValue: &yes})
	if err != nil {
		return "", err
	}
	if r.ExceptionDetails != nil {
		return "", fmt.Errorf("javascript: %s", r.ExceptionDetails.Text)
	}
	return string(r.Result.Value), nil
}

// Eval runs JavaScript and answers its JSON.
func (b *Browser) Eval(expression string) string {
	b.t.Helper()
	v, err := b.try(expression)
	b.must(err)
	return v
}

// String runs JavaScript that answers a string.
func (b *Browser) String(expression string) string {
	b.t.Helper()
	var s string
	b.must(json.Unmarshal([]byte(b.Eval(expression)), &s))
	return s
}

// Text is what the page says.
func (b *Browser) Text() string {
	v, err := b.try("document.body.innerText")
	if err != nil {
		return err.Error()
	}
	var s string
	_ = json.Unmarshal([]byte(v), &s)
	return s
}

// SetFiles gives files to a file input.
func (b *Browser) SetFiles(css string, files ...string) {
	b.t.Helper()
	b.do(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		root, err := cdp.Call(ctx, t, dom.GetDocument, dom.GetDocumentParams{})
		if err != nil {
			return chromedp.Void{}, err
		}
		node, err := cdp.Call(ctx, t, dom.QuerySelector, dom.QuerySelectorParams{NodeID: root.Root.NodeID, Selector: css})
		if err != nil {
			return chromedp.Void{}, err
		}
		_, err = cdp.Call(ctx, t, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: files, NodeID: node.NodeID})
		return chromedp.Void{}, err
	})
}

// Look is how a page is looked at.
type Look struct {
	Name   string
	Dark   bool
	Narrow bool
}

// Looks are the three ways every screen is looked at.
var Looks = []Look{{Name: "light"}, {Name: "dark", Dark: true}, {Name: "phone", Narrow: true}}

// Show switches the look.
func (b *Browser) Show(l Look) {
	b.t.Helper()
	scheme := "light"
	if l.Dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	b.must(err)
	width, height := int64(1280), int64(900)
	if l.Narrow {
		width, height = 375, 812
	}
	_, err = chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: false})
	b.must(err)
}

// Out is the ignored folder for what tests leave to be looked at.
func Out(t testing.TB) string {
	dir, err := filepath.Abs(filepath.Join(root(), "test", "out", "screens"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// root is the checkout: the folder above that has go.mod of the product.
func root() string {
	dir, _ := os.Getwd()
	for range 8 {
		if b, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && strings.HasPrefix(string(b), "module github.com/underseal/underseal\n") {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return "."
}

func (b *Browser) shoot(name string) {
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	r, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	if err == nil {
		_ = os.WriteFile(filepath.Join(Out(b.t), name+".png"), r.Data, 0o644)
	}
}

// Picture is a screenshot of what a selector finds, so many times as large, as PNG.
func (b *Browser) Picture(css string, zoom float64) []byte {
	b.t.Helper()
	b.See(css)
	var r struct{ X, Y, Width, Height float64 }
	b.must(json.Unmarshal([]byte(b.Eval(fmt.Sprintf(`(() => { const e = document.querySelector(%s); e.scrollIntoView({block: "center", behavior: "instant"}); const r = e.getBoundingClientRect(), x = Math.floor(r.x), y = Math.floor(r.y); return {x: x + scrollX, y: y + scrollY, width: Math.ceil(r.right) - x, height: Math.ceil(r.bottom) - y}; })()`, quote(css)))), &r))
	ctx, cancel := context.WithTimeout(b.ctx, Patience)
	defer cancel()
	shot, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{Clip: &page.Viewport{X: r.X, Y: r.Y, Width: r.Width, Height: r.Height, Scale: zoom}})
	b.must(err)
	return shot.Data
}

// Screen keeps a screenshot in every look, and holds each to axe and to the width of a phone.
func (b *Browser) Screen(name string) {
	b.t.Helper()
	for _, l := range Looks {
		b.Show(l)
		time.Sleep(150 * time.Millisecond) // transitions
		b.shoot(name + "-" + l.Name)
		b.Axe(name + ", " + l.Name)
		if l.Narrow && b.Eval("document.documentElement.scrollWidth > innerWidth") == "true" {
			b.t.Errorf("%s: wider than a phone", name)
		}
	}
	b.Show(Looks[0])
}

// Axe runs axe-core on the page as it stands: any violation fails the test.
func (b *Browser) Axe(name string) {
	b.t.Helper()
	if b.Eval("typeof axe") != `"object"` {
		source, err := os.ReadFile(filepath.Join(root(), "test", "node_modules", "axe-core", "axe.min.js"))
		if err != nil {
			b.t.Fatal("axe-core is not installed: run `make test`, or `npm ci` in test/: ", err)
		}
		// Evaluated through the debugger, so the page's own policy stays as it is.
		b.Eval(string(source) + ";0")
	}
	found := b.Eval(`axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.map(v => v.id + ": " + v.nodes.map(n => n.target.join(" ")).join(", ")))`)
	if found != "[]" {
		b.t.Errorf("%s: axe found %s", name, found)
	}
}

// WaitDownload waits until a file of that name is whole on disk, and is its path.
func (b *Browser) WaitDownload(name string, patience time.Duration) string {
	b.t.Helper()
	path := filepath.Join(b.Downloads, name)
	deadline := time.Now().Add(patience)
	for {
		partial, _ := filepath.Glob(filepath.Join(b.Downloads, "*.crdownload"))
		if _, err := os.Stat(path); err == nil && len(partial) == 0 {
			return path
		}
		if time.Now().After(deadline) {
			list, _ := os.ReadDir(b.Downloads)
			b.shoot("failure")
			b.t.Fatalf("the page says:\n%s\n%q was never saved; there is %v", b.Text(), name, list)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

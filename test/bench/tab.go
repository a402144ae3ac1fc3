package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/remote"
)

// tab is a page of ours beside the app's, in the same browser and with the same cookies. The app's policy does not hold in
// it: our own workers run there, as the app's does, where the debugger does not look into every request.
type tab struct {
	b   *bench
	ctx context.Context
}

// openPort makes the browsers that the tests' driver starts take a second debugger, through a port: the driver's own pipe is
// not shared, and a bench needs no door into the driver.
func openPort(b *bench) {
	path := os.Getenv("UNDERSEAL_CHROMIUM")
	if path == "" {
		path = "chromium"
	}
	script := filepath.Join(b.TempDir(), "chromium")
	b.must(os.WriteFile(script, []byte("#!/bin/sh\nexec '"+path+"' --remote-debugging-port=0 \"$@\"\n"), 0o755))
	b.must(os.Setenv("UNDERSEAL_CHROMIUM", script))
	b.Cleanup(func() { b.must(os.Setenv("UNDERSEAL_CHROMIUM", path)) })
}

// newTab opens a tab in the browser that runs on a profile.
func newTab(b *bench, profile string) *tab {
	raw, err := os.ReadFile(filepath.Join(profile, "DevToolsActivePort"))
	b.must(err)
	port, path, _ := strings.Cut(strings.TrimSpace(string(raw)), "\n")
	alloc, stop := remote.NewAllocator(context.Background(), "ws://127.0.0.1:"+port+path)
	b.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(alloc)
	b.Cleanup(closeTab)
	b.must(chromedp.Do(ctx))
	_, err = chromedp.Call(ctx, page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true})
	b.must(err)
	return &tab{b, ctx}
}

// before runs a script before any of every page that is opened from now on.
func (t *tab) before(script string) {
	_, err := chromedp.Call(t.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
	t.b.must(err)
}

func (t *tab) open(url string) { t.b.must(chromedp.Do(t.ctx, chromedp.Navigate(url))) }

// eval runs JavaScript and decodes what it answers.
func (t *tab) eval(expression string, out any) {
	yes := true
	r, err := chromedp.Call(t.ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: expression, ReturnByValue: &yes, AwaitPromise: &yes})
	t.b.must(err)
	if r.ExceptionDetails != nil {
		t.b.Fatalf("javascript: %s %s", r.ExceptionDetails.Text, r.Result.Description)
	}
	if out != nil {
		t.b.must(json.Unmarshal(r.Result.Value, out))
	}
}

// setFile gives a file to an input.
func (t *tab) setFile(selector, file string) {
	t.b.must(chromedp.Do(t.ctx, func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		root, err := cdp.Call(ctx, target, dom.GetDocument, dom.GetDocumentParams{})
		if err != nil {
			return chromedp.Void{}, err
		}
		node, err := cdp.Call(ctx, target, dom.QuerySelector, dom.QuerySelectorParams{NodeID: root.Root.NodeID, Selector: selector})
		if err != nil {
			return chromedp.Void{}, err
		}
		_, err = cdp.Call(ctx, target, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: []string{file}, NodeID: node.NodeID})
		return chromedp.Void{}, err
	}))
}

// worker runs the body of an async function in a dedicated worker, where file is what an input holds and the arguments
// are an array, and decodes what it answers.
func (t *tab) worker(body string, arguments string, out any) {
	source, err := json.Marshal(`onmessage = async ({data: [file, args]}) => {
		try { postMessage({result: await (async () => {` + body + `})()}); } catch (thrown) { postMessage({failure: String(thrown)}); }
	}`)
	t.b.must(err)
	t.eval(fmt.Sprintf(`(() => {
		window.benchAnswer = null;
		const worker = new Worker(URL.createObjectURL(new Blob([%s], {type: "text/javascript"})));
		worker.onerror = (event) => { window.benchAnswer = {failure: event.message}; };
		worker.onmessage = ({data}) => { window.benchAnswer = data; worker.terminate(); };
		worker.postMessage([document.querySelector("input")?.files[0] ?? null, %s]);
	})()`, source, arguments), nil)
	var answer struct {
		Result  json.RawMessage
		Failure string
	}
	for deadline := time.Now().Add(slow); answer.Result == nil && answer.Failure == ""; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.b.Fatal("a worker never answered")
		}
		t.eval("window.benchAnswer", &answer)
	}
	if answer.Failure != "" {
		t.b.Fatal("in a worker: ", answer.Failure)
	}
	t.b.must(json.Unmarshal(answer.Result, out))
}

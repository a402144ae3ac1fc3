package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"

	"github.com/underseal/underseal/test/browser"
	"github.com/underseal/underseal/test/program"
)

// module measures what a first visit costs: the size of what is loaded, and the time until the keys' worker answers.
func module(b *bench, s sizes) []table {
	server := program.Start(b, program.Binary(b), "")
	e := expectations("The module: what is loaded, and when it is ready")
	files, err := filepath.Glob(filepath.Join(program.Root(), "webapp", "dist", "a", "*"))
	b.must(err)
	size := map[string]float64{}
	for _, file := range files {
		info, err := os.Stat(file)
		b.must(err)
		_, name, _ := strings.Cut(filepath.Base(file), "-")
		size[name] = float64(info.Size()) / 1e6
	}
	for _, name := range []string{"underseal.wasm", "worker.js", "main.js"} {
		e.told(name+": raw · gzip · brotli", fmt.Sprintf("%.3f · %.3f · %.3f MB", size[name], size[name+".gz"], size[name+".br"]))
	}
	for _, file := range files {
		if name := filepath.Base(file); !strings.HasSuffix(name, ".gz") && !strings.HasSuffix(name, ".br") {
			e.served(b, server.Origin, name)
		}
	}
	first, cached := readyTimes(b, server.Origin, s.rounds)
	e.told(fmt.Sprintf("ready, first load · cached, medians of %d", s.rounds), fmt.Sprintf("%.0f · %.0f ms", median(first), median(cached)))
	return []table{e}
}

// served checks how an asset is delivered.
func (t *table) served(b *bench, origin, name string) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, origin+"/a/"+name, nil)
	b.must(err)
	r.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
	reply, err := http.DefaultClient.Do(r)
	b.must(err)
	reply.Body.Close()
	encoding, cache := reply.Header.Get("Content-Encoding"), reply.Header.Get("Cache-Control")
	_, short, _ := strings.Cut(name, "-")
	t.add(short+" is served", "br, immutable", encoding+", "+cache, verdict(encoding == "br" && strings.Contains(cache, "immutable")))
}

// firstAnswer notes when the worker first answered a call, from the start of the navigation.
const firstAnswer = `(() => {
	const post = Worker.prototype.postMessage, seen = new WeakSet();
	Worker.prototype.postMessage = function (message, ...rest) {
		if (!seen.has(this)) {
			seen.add(this);
			this.addEventListener("message", ({data}) => { if ("result" in data) window.benchReady ??= performance.now(); });
		}
		return post.call(this, message, ...rest);
	};
})()`

// readyTimes loads the page with nothing cached and then once more.
func readyTimes(b *bench, origin string, rounds int) (first, cached []float64) {
	profile := b.TempDir()
	openPort(b)
	browser.Start(b, browser.Options{Profile: profile})
	t := newTab(b, profile)
	t.before(firstAnswer)
	for range rounds {
		_, err := chromedp.Call(t.ctx, network.ClearBrowserCache, cdp.Empty{})
		b.must(err)
		_, err = chromedp.Call(t.ctx, storage.ClearDataForOrigin, storage.ClearDataForOriginParams{Origin: origin, StorageTypes: "all"})
		b.must(err)
		first = append(first, t.ready(origin))
		cached = append(cached, t.ready(origin))
	}
	return first, cached
}

// ready opens the page and is when its worker first answered, in milliseconds.
func (t *tab) ready(origin string) float64 {
	t.open("about:blank")
	t.open(origin + "/")
	for deadline := time.Now().Add(browser.Patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var at float64
		if t.eval("window.benchReady ?? 0", &at); at > 0 {
			return at
		}
	}
	t.b.Fatal("the worker never answered")
	return 0
}

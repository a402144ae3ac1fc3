package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
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
	var manifest struct{ Files map[string]string }
	b.must(json.Unmarshal(get(b, server.Origin+"/manifest.json", "").body, &manifest))
	for _, path := range slices.Sorted(maps.Keys(manifest.Files)) {
		if strings.HasPrefix(path, "/a/") {
			e.asset(b, server.Origin, path)
		}
	}
	first, cached := readyTimes(b, server.Origin, s.rounds)
	e.told(fmt.Sprintf("ready, first load · cached, medians of %d", s.rounds), fmt.Sprintf("%.0f · %.0f ms", median(first), median(cached)))
	return []table{e}
}

// asset measures a file as it is served to who takes no compression, gzip, or brotli, and checks how a browser gets it.
func (t *table) asset(b *bench, origin, path string) {
	raw, gzip, best := get(b, origin+path, ""), get(b, origin+path, "gzip"), get(b, origin+path, "gzip, deflate, br, zstd")
	_, name, _ := strings.Cut(path, "-")
	t.told(name+": raw · gzip · brotli", fmt.Sprintf("%.3f · %.3f · %.3f MB", raw.megabytes(), gzip.megabytes(), best.megabytes()))
	encoding, cache := best.header.Get("Content-Encoding"), best.header.Get("Cache-Control")
	t.add(name+" is served", "br, immutable", encoding+", "+cache, verdict(encoding == "br" && strings.Contains(cache, "immutable")))
}

// served is an answer as it came over the wire.
type served struct {
	header http.Header
	body   []byte
}

func (s served) megabytes() float64 { return float64(len(s.body)) / 1e6 }

func get(b *bench, url, encodings string) served {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	b.must(err)
	r.Header.Set("Accept-Encoding", encodings) // also when empty: otherwise net/http unpacks by itself
	reply, err := http.DefaultClient.Do(r)
	b.must(err)
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	b.must(err)
	if reply.StatusCode != http.StatusOK {
		b.Fatalf("%s: %s", url, reply.Status)
	}
	return served{reply.Header, body}
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

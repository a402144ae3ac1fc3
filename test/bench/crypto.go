package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/underseal/underseal/test/browser"
	"github.com/underseal/underseal/test/program"
)

//go:embed index.html
var indexHTML []byte

// contenders as contenders.ts names them, with what their rows say.
var contenders = []struct{ id, name string }{
	{"raw", "crypto.subtle AES-256-GCM"},
	{"ours", "our pump, without digests"},
	{"raw-digest", "crypto.subtle AES-256-GCM and SHA-256, each piece"},
	{"raw-digest-4M", "crypto.subtle AES-256-GCM, and SHA-256 of 4 MiB"},
	{"ours-digest", "our pump, with digests"},
	{"ours-blob", "our pump, with digests, read from a Blob"},
	{"libsodium", "libsodium.js secretstream"},
	{"age", "age-encryption"},
	{"openpgp-v6", "OpenPGP.js, version 6 GCM"},
	{"openpgp", "OpenPGP.js, default"},
}

// timing is what page.ts answers, in seconds.
type timing struct {
	Seal, Open float64
	Failure    string
}

// runs are the rounds of one contender.
type runs struct{ seal, open []float64 }

// cryptography measures sealing and opening, all in one Chromium process. Contenders take turns within a round, and each
// ratio is taken within its round: what else the machine does then falls on both.
func cryptography(b *bench, s sizes) []table {
	page := browser.Start(b, browser.Options{})
	page.Open(serveBench(b))
	page.Until("the bench is there", browser.Patience, `typeof measure === "function"`)
	measured := map[string]*runs{}
	measure := func(id string, workers int) {
		key := fmt.Sprint(id, workers)
		if measured[key] == nil {
			measured[key] = &runs{}
		}
		t := measureOnce(b, page, id, s.mib<<20, workers)
		b.progress("%-14s × %d: %5.0f %5.0f MB/s", id, workers, float64(s.mib<<20)/t.Seal/1e6, float64(s.mib<<20)/t.Open/1e6)
		measured[key].seal, measured[key].open = append(measured[key].seal, t.Seal), append(measured[key].open, t.Open)
	}
	for range s.rounds {
		for _, c := range contenders {
			measure(c.id, 1)
		}
		for _, id := range []string{"raw", "ours", "ours-digest"} {
			measure(id, 2)
		}
	}
	return cryptoTables(s, measured)
}

func measureOnce(b *bench, page *browser.Browser, id string, bytes, workers int) timing {
	page.Eval(fmt.Sprintf("measure(%q, %d, %d)", id, bytes, workers))
	page.Until(id+" is measured", 10*time.Minute, "result !== null")
	var t timing
	b.must(json.Unmarshal([]byte(page.Eval("result")), &t))
	if t.Failure != "" {
		b.Fatalf("%s: %s", id, t.Failure)
	}
	return t
}

func cryptoTables(s sizes, measured map[string]*runs) []table {
	of := func(key string) *runs { return measured[key] }
	// times is how many times as fast a contender is as another one, within each round.
	times := func(a, b string) (seal, open float64) {
		return median(ratios(of(b).seal, of(a).seal)), median(ratios(of(b).open, of(a).open))
	}
	speeds := table{title: fmt.Sprintf("Seal and open, %d MiB in one worker, medians of %d", s.mib, s.rounds), head: []string{"what", "seal, MB/s", "open, MB/s", "seal, of raw", "open, of raw"}}
	speed := func(seconds []float64) string { return fmt.Sprintf("%.0f", float64(s.mib<<20)/median(seconds)/1e6) }
	for _, c := range contenders {
		seal, open := times(c.id+"1", "raw1")
		speeds.add(c.name, speed(of(c.id+"1").seal), speed(of(c.id+"1").open), fmt.Sprintf("%.2f", seal), fmt.Sprintf("%.2f", open))
	}
	e := expectations("Seal and open: what was expected")
	both := func(what, a, b string, want float64) {
		seal, open := times(a, b)
		e.atLeast("seal: "+what, seal, want)
		e.atLeast("open: "+what, open, want)
	}
	both("ours without digests, of raw", "ours1", "raw1", 0.85)
	both("ours without digests, of libsodium.js", "ours1", "libsodium1", 3)
	both("ours with digests, of raw with digests", "ours-digest1", "raw-digest1", 0.85)
	both("ours with digests, of raw with digests of 4 MiB, as ours are", "ours-digest1", "raw-digest-4M1", 0.85)
	for _, id := range []string{"raw", "ours", "ours-digest"} {
		seal, open := times(id+"2", id+"1")
		e.told("a second worker, "+id+": seal · open", fmt.Sprintf("%.2f · %.2f times", seal, open))
	}
	return []table{speeds, e}
}

func ratios(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] / b[i]
	}
	return out
}

// serveBench bundles the bench's page and worker, serves them on loopback, which is a secure context, and is their address.
func serveBench(b *bench) string {
	scratch := b.TempDir()
	for _, name := range []string{"page", "worker"} {
		cmd := exec.Command("go", "tool", "-modfile=test/tools.mod", "esbuild", "test/bench/"+name+".ts", "--bundle", "--format=esm", "--log-level=warning",
			"--outfile="+filepath.Join(scratch, name+".js"))
		cmd.Dir, cmd.Stderr = program.Root(), os.Stderr
		if err := cmd.Run(); err != nil {
			b.Fatal("bundling (are the peers there? `npm ci` in test/): ", err)
		}
	}
	b.must(os.WriteFile(filepath.Join(scratch, "index.html"), indexHTML, 0o644))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	b.must(err)
	server := &http.Server{Handler: http.FileServer(http.Dir(scratch)), ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(listener)
	b.Cleanup(func() { server.Close() })
	return "http://" + listener.Addr().String() + "/"
}

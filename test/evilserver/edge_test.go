package evilserver

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf16"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/server"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/test/browser"
	"github.com/underseal/underseal/test/program"
	"github.com/underseal/underseal/webapp"
)

var edgeCases = []attack{
	{"61-link-keeps-its-key", linkSecret},
	{"77-nothing-is-compressed", noCompression},
	{"78-equal-files-unequal-ciphertexts", noConvergence},
	{"79-sizes-in-classes", paddedSizes},
	{"81-nothing-leaves-the-page", nothingLeaves},
	{"83-module-of-another-build", staleModule},
	{"85-every-route-asks-who-calls", everyRoute},
	{"88-bent-answers", bentAnswers},
}

// spellings of a secret that a search must know.
func spellings(secret []byte) map[string][]byte {
	wide := make([]byte, 0, 2*len(secret))
	for _, u := range utf16.Encode([]rune(string(secret))) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	return map[string][]byte{"raw": secret, "hex": []byte(hex.EncodeToString(secret)), "base64": []byte(base64.RawStdEncoding.EncodeToString(secret)),
		"base64url": []byte(base64.RawURLEncoding.EncodeToString(secret)), "UTF-16": wide}
}

// everything is all that the server received, and all that it keeps.
func (w *World) everything() (all [][]byte) {
	w.Helper()
	for _, x := range w.Since(0) {
		all = append(all, []byte(x.Path+"?"+x.Query))
		all = append(all, decodings(x.Request.Body)...)
		for name, values := range x.Request.Header {
			all = append(all, []byte(name+": "+strings.Join(values, ",")))
		}
	}
	for _, rows := range w.dump() {
		for k, v := range rows {
			all = append(append(all, []byte(k)), decodings(v)...)
		}
	}
	return all
}

// Not a lie of a server: through making, opening, using and carrying over a link, its secret is in no byte that the server
// gets or keeps. What a browser's address bar does stands in test/e2e.
func linkSecret(t *testing.T) {
	o := newOffice(t)
	link := o.ada.InviteTo(o.matter, "Petra", chain.RoleParalegal, chain.ModeOpensAtOnce)
	open := o.ada.InviteTo(o.matter, "Quentin", chain.RoleParalegal, chain.ModeOpensAtOnce)
	_, err := o.Person("Petra").Accept(link)
	o.ok(err)
	_, err = o.ada.RemoveMember(Soon(t), o.matter, o.clara.author().Member)
	o.ok(err)
	_, err = o.Person("Quentin").Accept(open)
	o.ok(err)
	all := o.everything()
	for _, text := range []string{link, open} {
		l, err := client.ParseLink(text)
		o.ok(err)
		for name, needle := range map[string][]byte{"secret": l.Secret[:], "fragment": []byte(l.String())} {
			for spelling, s := range spellings(needle) {
				for _, b := range all {
					if bytes.Contains(b, s) {
						t.Errorf("the server has a link's %s, in %s", name, spelling)
					}
				}
			}
		}
		// The search finds what is there.
		found := false
		for _, b := range all {
			found = found || bytes.Contains(b, []byte(l.Invite.String()))
		}
		if !found {
			t.Error("the search does not even find an invite's id")
		}
	}
}

// Not a lie of a server: contents of one length make ciphertexts of one length, whatever is in them, and neither side asks
// for or makes compressed answers.
func noCompression(t *testing.T) {
	o := newOffice(t)
	lengths := map[int]bool{}
	entries := map[int]bool{}
	for n, content := range [][]byte{make([]byte, 40_000), random(t, 40_000), bytes.Repeat([]byte("na"), 20_000)} {
		mark := o.Mark()
		o.ada.MustPut(o.matter, string(rune('a'+n))+".bin", content)
		for _, x := range o.Since(mark) {
			if Matches(api.RouteChunk, x.Path) {
				lengths[len(x.Request.Body)] = true
			}
			if x.Method == "POST" && Matches(api.RouteEntries, x.Path) {
				entries[len(x.Request.Body)] = true
			}
		}
	}
	if len(lengths) != 1 || len(entries) != 1 {
		t.Errorf("ciphertexts have lengths %v, entries %v: want one each", lengths, entries)
	}
	for _, x := range o.Since(0) {
		if coding := x.Request.Header.Get("Accept-Encoding"); strings.Contains(coding, "gzip") {
			t.Errorf("%s %s asks for %s", x.Method, x.Path, coding)
		}
	}
	asked := o.ada.Do("GET", api.Entries(o.ada.Firm, o.matter, 0), "", nil, map[string]string{"Accept-Encoding": "gzip, br"})
	if _, err := chain.ParseEntries(asked.Body); err != nil || o.Last("GET", api.RouteEntries).Reply.Header.Get("Content-Encoding") != "" {
		t.Errorf("an answer was compressed: %v", err)
	}
}

// Not a lie of a server: two people's equal files share no key, digest or block, and both are sent: a server cannot tell
// that somebody has what it has.
func noConvergence(t *testing.T) {
	o := newOffice(t)
	mark := o.Mark()
	for _, p := range []*Person{o.ada, o.clara} {
		p.MustPut(o.matter, p.Called+".txt", o.content)
	}
	keys, digests, chunks := map[string]bool{}, map[string]bool{}, 0
	for _, p := range []*Person{o.ada, o.clara} {
		deks := p.secretsNamed("document key")
		keys[string(deks[len(deks)-1])] = true
	}
	for _, x := range o.Since(mark) {
		if Matches(api.RouteChunk, x.Path) {
			chunks++
			digests[x.Request.Header.Get("Content-Digest")] = true
		}
	}
	if len(keys) != 2 || len(digests) != 2 || chunks != 2 {
		t.Errorf("%d keys, %d digests and %d chunks for two equal files, want 2 each", len(keys), len(digests), chunks)
	}
}

// Not a lie of a server: it sees Padmé classes of bodies and steps of entries. 421 classes up to 64 MiB; at most 12 percent
// more than there is.
func paddedSizes(t *testing.T) {
	classes := map[uint64]bool{}
	for n := uint64(document.MinBody); n <= 64<<20; {
		padded := document.PaddedLength(n)
		classes[padded] = true
		if padded < n || float64(padded) > 1.12*float64(n) || document.PaddedLength(padded) != padded {
			t.Fatalf("%d bytes are padded to %d", n, padded)
		}
		n = padded + 1
	}
	if len(classes) > 421 {
		t.Errorf("%d sizes up to 64 MiB, want at most the 421 of Padmé", len(classes))
	}
	o := newOffice(t)
	seen := map[int]bool{}
	for n, size := range []int{0, 1, 5000, document.MinBody} {
		mark := o.Mark()
		o.ada.MustPut(o.matter, strings.Repeat("n", 1+40*n), text(size)[:size])
		total := 0
		for _, x := range o.Since(mark) {
			if sends(x) {
				total += len(x.Request.Body)
			}
		}
		seen[total] = true
	}
	if len(seen) != 1 {
		t.Errorf("small files with names of any length show as %v bytes, want one number", seen)
	}
}

// withPages is a world that serves the built pages.
func withPages(t *testing.T) *World {
	t.Helper()
	files, err := webapp.Files()
	if err != nil {
		t.Fatal(err)
	}
	return NewWorld(t, func(c *server.Config) { c.Assets = files })
}

var elsewhere = regexp.MustCompile(`(?i)(https?:)?//[a-z0-9.-]+\.[a-z]{2,}`)

// Not a lie of a server: every answer forbids the page to talk to anybody else, Chromium holds it to that, and the page
// names nobody else.
func nothingLeaves(t *testing.T) {
	o := newOffice(t)
	for _, x := range o.Since(0) {
		h := x.Reply.Header
		csp := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "connect-src 'self'", "frame-src 'none'", "form-action 'none'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(csp, want) {
				t.Fatalf("%s: the policy lacks %s", x.Path, want)
			}
		}
		if h.Get("Referrer-Policy") != "no-referrer" || h.Get("X-Content-Type-Options") != "nosniff" || (h.Get("Cache-Control") != "no-store" && !Matches(api.RouteTiles, x.Path)) { // a tile is public and never changes
			t.Fatalf("%s: headers %v", x.Path, h)
		}
	}
	for _, pattern := range []string{"*.html", "*.css", "src/*.ts", "src/screens/*.ts"} {
		paths, err := filepath.Glob(filepath.Join(program.Root(), "webapp", pattern))
		o.ok(err)
		for _, path := range paths {
			b, err := os.ReadFile(path)
			o.ok(err)
			for _, found := range elsewhere.FindAllString(string(b), -1) {
				if !strings.Contains(found, "www.w3.org") && !strings.HasSuffix(path, ".test.ts") && strings.Contains(found, "http") { // a namespace is no address
					t.Errorf("%s names %s", filepath.Base(path), found)
				}
			}
		}
	}

	var reached atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer other.Close()
	w := withPages(t)
	b := browser.Start(t, browser.Options{})
	b.Open(w.Origin + "/")
	b.See("#signin-passkey")
	b.Eval(`(() => { window.stopped = 0; document.addEventListener("securitypolicyviolation", () => window.stopped++);
		const to = "` + other.URL + `/";
		fetch(to + "fetch").catch(() => 0);
		navigator.sendBeacon(to + "beacon", "x");
		new Image().src = to + "picture.png";
		const l = document.createElement("link"); l.rel = "stylesheet"; l.href = to + "style.css"; document.head.append(l); })()`)
	b.Until("four ways out are closed", browser.Patience, "window.stopped >= 4")
	if n := reached.Load(); n != 0 {
		t.Errorf("another server was reached %d times", n)
	}
}

// A page gets a module of another build: it runs nothing of it and says so.
func staleModule(t *testing.T) {
	w := withPages(t)
	link, err := w.Server.SetupLink(context.Background())
	w.ok(err)
	w.Lie("GET", "/a/:name", func(r *Request) *Reply {
		if !strings.HasSuffix(r.Path, ".wasm") {
			return nil
		}
		r.Header.Del("Accept-Encoding")
		reply := r.Real()
		// A section that engines pass over: the module would run as well as the one it was.
		reply.Body = append(reply.Body, 0, 5, 4, 'e', 'v', 'i', 'l')
		return reply
	})
	b := browser.Start(t, browser.Options{Authenticator: true})
	b.Open(link)
	b.Until("the page says that the builds differ, or goes on", browser.Patience,
		`document.body.innerText.includes("two different versions") || !!document.querySelector("#setup-name")`)
	if !strings.Contains(b.Text(), "two different versions") {
		t.Error("a module of another build was run")
	}
	for _, x := range w.Since(0) {
		if strings.HasPrefix(x.Path, "/v1/") {
			t.Errorf("the page went on to %s %s", x.Method, x.Path)
		}
	}
}

var registered = regexp.MustCompile(`e\.(GET|POST|PUT|DELETE)\(api\.(Route\w+), s\.as(\w+)\(`)
var routeValue = regexp.MustCompile(`(?m)^\t(Route\w+)\s+= "([^"]+)"`)

// Not a lie of a server: every request of the story is made again by everybody who may not make it: nobody, the founder of
// another firm, a member of the firm who is not in the matter, and a member who was removed. All are refused, nothing
// changes, and no route is left out.
func everyRoute(t *testing.T) {
	o := newOffice(t)
	mallory := o.ada.Guest(o.ada.NewMatter("Her own matter"), "Mallory", chain.RoleOwner)
	eve := o.Founder("Eve")
	ada := o.ada
	_, err := o.clara.Get(o.matter, o.doc)
	o.ok(err)
	chainPath := api.Chain(ada.Firm, o.matter)
	_, err = ada.VerifyMatter(Soon(t), o.matter)
	o.ok(err)
	for _, path := range []string{api.ReceiptPath(ada.Firm, o.matter, api.SequenceState, 0), api.Firm(ada.Firm) + "/chains", chainPath + "/trail?from=0", chainPath + "/wraps/1"} {
		if r := ada.Do("GET", path, "", nil, nil); r.Status > 299 {
			t.Fatalf("GET %s by who may: %d", path, r.Status)
		}
	}
	waiting := o.ID()
	begin := []byte(`{"upload":"` + waiting.String() + `","padded":16384}`)
	ada.Do("POST", chainPath+"/uploads", api.TypeJSON, begin, nil)
	ada.Do("GET", chainPath+"/uploads/"+waiting.String(), "", nil, nil)
	o.ok(o.ada.Elsewhere().In().Look(o.matter))
	o.ok(ada.NewRoot(Soon(t)))
	_, err = ada.ContinueRenewal(Soon(t))
	o.ok(err)

	story := map[string]*Exchange{}
	for _, x := range o.Since(0) {
		if strings.HasPrefix(x.Path, chainPath) || x.Path == api.Firm(ada.Firm)+"/chains" || strings.HasPrefix(x.Path, api.Firm(ada.Firm)+"/log") || x.Path == api.Firm(ada.Firm)+"/keys" {
			if x.Status < 300 {
				// What an author has seen of the log makes no other request of his.
				query, _, _ := strings.Cut(x.Query, api.QuerySeen)
				story[x.Method+" "+x.Path+"?"+query] = x
			}
		}
	}
	for _, method := range []string{"DELETE " + chainPath + "/uploads/" + waiting.String()} {
		m, path, _ := strings.Cut(method, " ")
		story[method] = &Exchange{Request: Request{Method: m, Path: path, Header: http.Header{}}}
	}
	o.covers(story)

	_, err = ada.RemoveMember(Soon(t), o.matter, o.clara.author().Member)
	o.ok(err)
	nobody := o.Person("Nobody")
	before := o.changed()
	for _, intruder := range []*Person{nobody, eve, mallory, o.clara} {
		for name, x := range story {
			inMatter := strings.HasPrefix(x.Path, chainPath)
			if !inMatter && (intruder == mallory || intruder == o.clara) {
				continue // a firm's own routes, for a member of the firm
			}
			if Matches(api.RouteInvite, x.Path) {
				continue // for whoever knows the invite's id
			}
			header := map[string]string{}
			for _, h := range []string{"Content-Digest", "Range"} {
				if v := x.Request.Header.Get(h); v != "" {
					header[h] = v
				}
			}
			path := x.Path
			if x.Query != "" {
				path += "?" + x.Query
			}
			r := intruder.Do(x.Method, path, x.Request.Header.Get("Content-Type"), x.Request.Body, header)
			if r.Status < 400 || len(r.Body) > 200 || bytes.Contains(r.Body, []byte(o.matter.String())) {
				t.Errorf("%s may %s: %d, %d bytes", intruder.Called, name, r.Status, len(r.Body))
			}
		}
	}
	if after := o.changed(); after != before {
		t.Error("the store changed")
	}
}

// covers asserts that a story asks every route that the server registers for members.
func (o *office) covers(story map[string]*Exchange) {
	o.Helper()
	source, err := os.ReadFile(filepath.Join(program.Root(), "server", "routes.go"))
	o.ok(err)
	values := map[string]string{}
	for _, name := range []string{"routes.go", "log.go"} {
		spelled, err := os.ReadFile(filepath.Join(program.Root(), "protocol", "api", name))
		o.ok(err)
		for _, m := range routeValue.FindAllSubmatch(spelled, -1) {
			values[string(m[1])] = string(m[2])
		}
	}
	n := 0
	for _, m := range registered.FindAllSubmatch(source, -1) {
		method, name, guard := string(m[1]), string(m[2]), string(m[3])
		if guard != "Member" || name == "RouteSession" { // ending one's own session is everybody's
			continue
		}
		n++
		asked := false
		for _, x := range story {
			asked = asked || x.Method == method && Matches(values[name], x.Path)
		}
		if !asked {
			o.Errorf("the story does not ask %s %s", method, values[name])
		}
	}
	if n < 15 {
		o.Errorf("%d routes of members were found, want all", n)
	}
}

// changed is the firm's partition as text, without what a look at a session changes, and without the record that somebody
// was refused.
func (o *office) changed() string {
	var lines []string
	for k, v := range o.dump()[layout.FirmPartition(o.ada.Firm)] {
		prefix, _, _ := strings.Cut(k, "/")
		if !slices.Contains([]string{"session", "due", "log", "map", "event", "events", "denials", "failures", "openings"}, prefix) {
			lines = append(lines, k+"="+string(v))
		}
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

package server_test

import (
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/server"
	"github.com/underseal/underseal/server/auth"
	"github.com/underseal/underseal/server/blob/memblob"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store/memstore"
)

func pages() fstest.MapFS {
	return fstest.MapFS{
		"index.html": {Data: []byte("<!doctype html>")}, "index.html.br": {Data: []byte("BR")}, "index.html.gz": {Data: []byte("GZ")},
		"manifest.json": {Data: []byte("{}")}, "a/0123-main.js": {Data: []byte("js")}, "a/0123-main.js.br": {Data: []byte("jsBR")},
		"a/4567-underseal.wasm": {Data: []byte("wasm")}, "a/notes.txt": {Data: []byte("no")}, "secret.js": {Data: []byte("no")},
	}
}

func newPagesWorld(t *testing.T, origin string) *world {
	return newWorldOn(t, memory, memblob.New(), func(c *server.Config) { c.Assets, c.Origin = pages(), origin })
}

func TestHeadersOnEveryAnswer(t *testing.T) {
	for origin, hsts := range map[string]bool{testOrigin: false, "https://files.example": true} {
		w := newPagesWorld(t, origin)
		p := w.player()
		for _, path := range []string{"/", "/setup", "/a/0123-main.js", "/nothing", "/v1/health", "/v1/account", "/v1/nothing", "/m/x"} {
			h := p.do("GET", path, "", nil, map[string]string{"Accept-Encoding": "identity"}).header
			for name, value := range map[string]string{
				"Content-Security-Policy":      "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; connect-src 'self'; worker-src 'self'; frame-src 'none'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types underseal",
				"Integrity-Policy":             "blocked-destinations=(script)",
				"Connection-Allowlist":         "(response-origin)",
				"Cross-Origin-Opener-Policy":   "same-origin",
				"Cross-Origin-Embedder-Policy": "require-corp",
				"Cross-Origin-Resource-Policy": "same-origin",
				"Origin-Agent-Cluster":         "?1",
				"Referrer-Policy":              "no-referrer",
				"X-Content-Type-Options":       "nosniff",
			} {
				if got := h.Get(name); got != value {
					t.Errorf("%s: %s: %q", path, name, got)
				}
			}
			if (h.Get("Strict-Transport-Security") != "") != hsts {
				t.Errorf("%s: %s: HSTS %q", origin, path, h.Get("Strict-Transport-Security"))
			}
			if !strings.Contains(h.Get("Permissions-Policy"), "publickey-credentials-get=(self)") {
				t.Errorf("%s: %q", path, h.Get("Permissions-Policy"))
			}
			if strings.HasPrefix(path, "/v1/") && h.Get("Cache-Control") != "no-store" {
				t.Errorf("%s is cached: %q", path, h.Get("Cache-Control"))
			}
		}
	}
}

func TestPagesAndAssets(t *testing.T) {
	p := newPagesWorld(t, testOrigin).player()
	get := func(path, encoding string) answer {
		return p.do("GET", path, "", nil, map[string]string{"Accept-Encoding": encoding})
	}
	for _, path := range []string{"/", "/setup", "/join", "/m/abc", "/account"} {
		for encoding, body := range map[string]string{"identity": "<!doctype html>", "gzip": "GZ", "gzip, br": "BR", "br;q=0, gzip;q=0.5": "GZ", "br;q=0.0": "<!doctype html>"} {
			got := get(path, encoding)
			if got.status != 200 || string(got.body) != body || got.header.Get("Content-Type") != "text/html; charset=utf-8" || got.header.Get("Cache-Control") != "no-cache" || got.header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s %s: %d %q %v", path, encoding, got.status, got.body, got.header)
			}
		}
	}
	asset := get("/a/0123-main.js", "br")
	if string(asset.body) != "jsBR" || asset.header.Get("Content-Encoding") != "br" || !strings.Contains(asset.header.Get("Cache-Control"), "immutable") {
		t.Errorf("%q %v", asset.body, asset.header)
	}
	if got := get("/a/4567-underseal.wasm", "br"); string(got.body) != "wasm" || got.header.Get("Content-Type") != "application/wasm" || got.header.Get("Content-Encoding") != "" {
		t.Errorf("%q %v", got.body, got.header)
	}
	for _, path := range []string{"/nothing", "/a/", "/a/none.js", "/a/notes.txt", "/secret.js", "/a/..%2fsecret.js", "/a/../secret.js", "/a/%2e%2e/index.html", "/a/0123-main.js.br", "/index.html", "/setup/x", "/v1", "/v1/", "/m"} {
		if got := get(path, "identity"); got.status != 404 || got.code() != api.CodeNotFound {
			t.Errorf("%s: %d %q", path, got.status, got.body)
		}
	}
	reading := map[string]string{"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Encoding": "gzip"}
	for _, path := range []string{"/nothing", "/setup/x", "/m", "/v2/x"} {
		if got := p.do("GET", path, "", nil, reading); got.status != 404 || string(got.body) != "GZ" || got.header.Get("Content-Type") != "text/html; charset=utf-8" || got.header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s for a person: %d %q %v", path, got.status, got.body, got.header)
		}
	}
	for _, path := range []string{"/v1", "/v1/", "/v1/nothing", "/a/", "/a/none.js", "/a/x/y", "/secret.js", "/index.html"} {
		if got := p.do("GET", path, "", nil, reading); got.status != 404 || got.code() != api.CodeNotFound {
			t.Errorf("%s for a program: %d %q", path, got.status, got.body)
		}
	}
	if got := p.do("POST", "/nothing", api.TypeJSON, strings.NewReader("{}"), reading); strings.Contains(string(got.body), "GZ") || got.status < 400 {
		t.Errorf("POST: %d %q", got.status, got.body)
	}
	if got := p.do("HEAD", "/", "", nil, map[string]string{"Accept-Encoding": "identity"}); got.status != 200 || len(got.body) != 0 || got.header.Get("Content-Length") != "15" {
		t.Errorf("HEAD: %d %v", got.status, got.header)
	}
	if got := newWorld(t).player().get("/"); got.status != 503 || !strings.Contains(string(got.body), "run make") {
		t.Errorf("without pages: %d %q", got.status, got.body)
	}
}

func TestOtherSitesAreRefused(t *testing.T) {
	w := newWorld(t)
	p := w.founder()
	for name, c := range map[string]struct {
		header map[string]string
		ok     bool
	}{
		"a program":      {nil, true},
		"own page":       {map[string]string{"Origin": testOrigin, "Sec-Fetch-Site": "same-origin"}, true},
		"typed":          {map[string]string{"Sec-Fetch-Site": "none"}, true},
		"another site":   {map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, false},
		"subdomain":      {map[string]string{"Sec-Fetch-Site": "same-site"}, false},
		"another port":   {map[string]string{"Origin": "http://localhost:9999", "Sec-Fetch-Site": "same-site"}, false},
		"opaque":         {map[string]string{"Origin": "null"}, false},
		"only the site":  {map[string]string{"Sec-Fetch-Site": "cross-site"}, false},
		"spelled wrong":  {map[string]string{"Origin": "HTTP://LOCALHOST:8420"}, false},
		"as a form does": {map[string]string{"Content-Type": "text/plain"}, false},
		"form":           {map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, false},
		"no type":        {map[string]string{"Content-Type": ""}, false},
		"two types":      {map[string]string{"Content-Type": "application/json; charset=utf-8"}, false},
	} {
		got := p.do("POST", api.RouteTickets, api.TypeJSON, strings.NewReader(`{"firm":"`+p.firm.String()+`"}`), c.header)
		if (got.status == 200) != c.ok {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

func TestRequestsAreStrict(t *testing.T) {
	w := newWorld(t)
	p := w.founder()
	for name, body := range map[string]string{
		"empty": "", "no JSON": "firm", "unknown field": `{"firm":"` + p.firm.String() + `","admin":true}`, "two values": `{"firm":"` + p.firm.String() + `"}{}`,
		"trailing": `{"firm":"` + p.firm.String() + `"} x`, "upper case": `{"firm":"` + strings.ToUpper(p.firm.String()) + `"}`, "short": `{"firm":"aa"}`, "null": `null x`, "list": `[]`,
	} {
		if got := p.do("POST", api.RouteTickets, api.TypeJSON, strings.NewReader(body), nil); got.code() != api.CodeBadRequest {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	big := `{"firm":"` + strings.Repeat("a", api.MaxJSON) + `"}`
	refused(t, p.do("POST", api.RouteTickets, api.TypeJSON, strings.NewReader(big), nil), api.CodeTooLarge)
	refused(t, p.do("POST", api.RouteTickets, api.TypeJSON, io.MultiReader(strings.NewReader(big)), nil), api.CodeTooLarge) // without a length
	m := p.matter()
	for _, path := range []string{m.path() + "/entries?from=-1", m.path() + "/entries?from=01", m.path() + "/entries?from=1x", m.path() + "/wraps/-1", m.path() + "/wraps/4294967296"} {
		refused(t, p.get(path), api.CodeBadRequest)
	}
	if got := p.get(m.path() + "/entries?from=18446744073709551615"); got.status != 200 || len(got.body) != 0 {
		t.Errorf("past the end: %d %d bytes", got.status, len(got.body))
	}
	refused(t, p.get(m.path()+"/wraps/2"), api.CodeNotFound)
	refused(t, p.get(strings.ToUpper(m.path()[len(api.Firm(p.firm)):])), api.CodeNotFound)
	if got := p.do("PATCH", m.path(), "", nil, nil); got.status != 400 {
		t.Errorf("method: %d %s", got.status, got.body)
	}
}

func TestCookies(t *testing.T) {
	w := newWorld(t)
	p := w.founder()
	check := func(name string, header http.Header) {
		t.Helper()
		for _, c := range (&http.Response{Header: header}).Cookies() {
			if c.Name == name && c.Secure && c.HttpOnly && c.SameSite == http.SameSiteStrictMode && c.Path == "/" && c.Domain == "" && len(c.Value) == 43 {
				return
			}
		}
		t.Errorf("%s: %v", name, header["Set-Cookie"])
	}
	check("__Host-underseal-account", p.signIn().header)
	req := p.sessionRequest(p.ticket())
	check("__Host-underseal-"+p.firm.String()[:12]+"-"+req.Session.String()[:12], p.json("POST", api.Firm(p.firm)+"/sessions", req).header)
	for _, value := range []string{"", "x", strings.Repeat("A", 43), strings.Repeat("A", 44)} {
		p.cookies["__Host-underseal-account"] = value
		refused(t, p.get(api.RouteAccount), api.CodeNotSignedIn)
	}
}

func TestOrigins(t *testing.T) {
	for origin, ok := range map[string]bool{
		"http://localhost:8420": true, "http://localhost": true, "https://files.example": true, "https://files.example:8443": true,
		"http://files.example": false, "https://files.example/": false, "files.example": false, "": false, "https://": false, "http://127.0.0.1:8420": false,
		"https://10.0.0.1": false, "ftp://files.example": false, "https://user@files.example": false, "https://files.example?x": false,
	} {
		_, err := server.New(server.Config{Store: memstore.New(nil), Blobs: memblob.New(), Log: ledger.NewLog(&ledger.MemoryKeys{}, nil), Keys: &auth.MemoryKeys{Random: rand.Reader}, Origin: origin})
		if (err == nil) != ok {
			t.Errorf("%q: %v", origin, err)
		}
	}
}

// TestRawRequests sends what a client library would not.
func TestRawRequests(t *testing.T) {
	w := newWorld(t)
	address := strings.TrimPrefix(w.http.URL, "http://")
	for name, raw := range map[string]string{
		"two lengths":      "POST /v1/sign-ins HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
		"length and chunk": "POST /v1/sign-ins HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
		"cut body":         "POST /v1/sign-ins HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{}",
	} {
		c, err := net.Dial("tcp", address)
		w.ok(err)
		_, err = io.WriteString(c, raw)
		w.ok(err)
		w.ok(c.(*net.TCPConn).CloseWrite())
		b, _ := io.ReadAll(c)
		c.Close()
		if !strings.HasPrefix(string(b), "HTTP/1.1 4") && !strings.HasPrefix(string(b), "HTTP/1.1 5") {
			t.Errorf("%s: %.60q", name, b)
		}
	}
}

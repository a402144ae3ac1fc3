package sso

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/underseal/underseal/server/auth/idp"
	"github.com/underseal/underseal/test/evilserver"
	testidp "github.com/underseal/underseal/test/idp"
)

// away says that the person is told that the firm's sign-in cannot be reached, and that the other ways are as they were.
func (o *office) away(b *evilserver.Tab, page string) {
	o.Helper()
	if page != "/?sso=unavailable" {
		o.Errorf("sent to %q", page)
	}
	if b.Cookie("-account") != "" {
		o.Error("there is a session")
	}
	o.ok(b.SignInKit(evilserver.Soon(o), o.kit))
}

// again forgets what the server knows of the provider: a new one, at another address, in the same firm.
func (o *office) again() *testidp.Provider {
	o.Helper()
	o.provider = o.register(o.firm)
	return o.provider
}

// TestProviderDown: S-SSO-08. A provider that does not answer, or not as one, is a sentence. Nothing waits for long, and the
// other ways in work.
func TestProviderDown(t *testing.T) {
	o := newOffice(t)
	start := evilserver.SSOPath(o.firm)

	o.provider.Stop()
	b := o.Tab()
	o.away(b, b.ToProvider(start))

	// In the middle of it.
	p := o.again()
	b = o.Tab()
	back := p.Visit(t, b.ToProvider(start), userAda)
	p.Stop()
	o.away(b, b.Go(back, evilserver.Elsewhere))

	for name, answer := range map[string]http.HandlerFunc{
		"a fault":        func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) },
		"another format": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<!doctype html>") },
		"nothing":        func(http.ResponseWriter, *http.Request) {},
		"cut":            func(w http.ResponseWriter, _ *http.Request) { cut(w) },
		"megabytes":      func(w http.ResponseWriter, _ *http.Request) { endless(w, `{"issuer":"`) },
		"long headers": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("a", 1<<20))
		},
	} {
		for _, path := range []string{testidp.Discovery, testidp.Token} {
			t.Log(name, path)
			p, b := o.again(), o.Tab()
			if path == testidp.Discovery {
				p.Lie(path, answer)
				o.away(b, b.ToProvider(start))
				continue
			}
			back := p.Visit(t, b.ToProvider(start), userAda)
			p.Lie(path, answer)
			o.away(b, b.Go(back, evilserver.Elsewhere))
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"a fault":   func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) },
		"cut":       func(w http.ResponseWriter, _ *http.Request) { cut(w) },
		"megabytes": func(w http.ResponseWriter, _ *http.Request) { endless(w, `{"keys":[`) },
	} {
		t.Log(name, testidp.Keys)
		p, b := o.again(), o.Tab()
		back := p.Visit(t, b.ToProvider(start), userAda)
		p.Lie(testidp.Keys, answer)
		o.away(b, b.Go(back, evilserver.Elsewhere))
	}
	// Three were begun; what lies in buffers between the two is not read.
	if n := poured.Load(); n == 0 || n > 24<<20 {
		t.Errorf("%d bytes were poured out", n)
	}
}

func cut(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"issuer":`)
}

// poured is how much was written of answers without an end.
var poured atomic.Int64

// endless writes more than anybody should read.
func endless(w http.ResponseWriter, begin string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, begin)
	part := strings.Repeat("a", 64<<10)
	for range 512 { // 32 MiB
		n, err := io.WriteString(w, part)
		poured.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// TestProviderSlow: nobody waits for a provider for longer than he would.
func TestProviderSlow(t *testing.T) {
	o := newOffice(t)
	stop := make(chan struct{})
	defer close(stop)
	wait := func(http.ResponseWriter, *http.Request) {
		select {
		case <-stop:
		case <-time.After(time.Minute):
		}
	}
	drip := func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := io.WriteString(w, " "); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			select {
			case <-stop:
				return
			case <-time.After(time.Second):
			}
		}
	}
	took := func(name string, do func()) {
		t.Helper()
		began := time.Now()
		do()
		t.Logf("%s: %v", name, time.Since(began))
		if time.Since(began) > 12*time.Second {
			t.Errorf("%s: somebody waited for %v", name, time.Since(began))
		}
	}
	o.provider.Lie(testidp.Discovery, wait)
	b := o.Tab()
	took("no answer", func() { o.away(b, b.ToProvider(evilserver.SSOPath(o.firm))) })
	p, b := o.again(), o.Tab()
	back := p.Visit(t, b.ToProvider(evilserver.SSOPath(o.firm)), userAda)
	p.Lie(testidp.Keys, drip)
	took("byte by byte", func() { o.away(b, b.Go(back, evilserver.Elsewhere)) })
}

// TestProviderLeadsElsewhere: nothing is asked where a provider on this machine has no business, no redirect is followed, and
// no browser is sent to what is no address.
func TestProviderLeadsElsewhere(t *testing.T) {
	o := newOffice(t)
	o.linked()
	start := evilserver.SSOPath(o.firm)
	asked := make(chan string, 10)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Method + " " + r.URL.Path }))
	t.Cleanup(other.Close)
	nobodyAsked := func(name string) {
		t.Helper()
		select {
		case what := <-asked:
			t.Errorf("%s: %s was asked for", name, what)
		default:
		}
	}

	for _, path := range []string{testidp.Discovery, testidp.Token, testidp.Keys} {
		p, b := o.again(), o.Tab()
		lie := func() {
			p.Lie(path, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, other.URL+path, http.StatusTemporaryRedirect)
			})
		}
		if path == testidp.Discovery {
			lie()
			o.away(b, b.ToProvider(start))
		} else {
			back := p.Visit(t, b.ToProvider(start), userAda)
			lie()
			o.away(b, b.Go(back, evilserver.Elsewhere))
		}
		nobodyAsked("redirected from " + path)
	}
	// A document that is another provider's.
	p := o.again()
	p.Lie(testidp.Discovery, discovery(p, func(d map[string]any) { d["issuer"] = "https://login.example" }))
	b := o.Tab()
	o.away(b, b.ToProvider(start))
	for _, address := range []string{"javascript:alert(1)", "//files.example/x", "", "http://files.example/x", "https://", "file:///etc/passwd", "https://ada:secret@login.example/"} {
		p, b := o.again(), o.Tab()
		p.Lie(testidp.Discovery, discovery(p, func(d map[string]any) { d["authorization_endpoint"] = address }))
		o.away(b, b.ToProvider(start))
	}
	for _, endpoint := range []string{"token_endpoint", "jwks_uri"} {
		for _, address := range []string{"http://169.254.169.254/latest/meta-data", "file:///etc/passwd", ""} {
			p, b := o.again(), o.Tab()
			p.Lie(testidp.Discovery, discovery(p, func(d map[string]any) { d[endpoint] = address }))
			back := p.Visit(t, b.ToProvider(start), userAda)
			o.away(b, b.Go(back, evilserver.Elsewhere))
		}
	}
}

// TestKnownForAWhile: whoever asks for sign-ins all day makes the server ask the provider no more than now and then. Keys are
// asked for anew: one that the provider took back verifies nothing.
func TestKnownForAWhile(t *testing.T) {
	o := newOffice(t)
	o.linked()
	discovered, keys := o.provider.Asked(testidp.Discovery), o.provider.Asked(testidp.Keys)
	for range 5 {
		o.Tab().ToProvider(evilserver.SSOPath(o.firm))
	}
	if n := o.provider.Asked(testidp.Discovery); n != discovered || n != 1 {
		t.Errorf("asked %d times for what it says of itself", n)
	}
	b := o.Tab()
	o.in(b, b.Through(o.provider, evilserver.SSOPath(o.firm), userAda), "/")
	if n := o.provider.Asked(testidp.Keys); n != keys+1 {
		t.Errorf("asked %d times more for keys", n-keys)
	}
	o.provider.Lie(testidp.Keys, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"keys":[]}`) })
	b = o.Tab()
	o.out(b, b.Through(o.provider, evilserver.SSOPath(o.firm), userAda))
}

// TestSettings: what cannot be registered.
func TestSettings(t *testing.T) {
	good := idp.Settings{Issuer: "https://login.example/tenant/v2.0", ClientID: "id", ClientSecret: "secret"}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for _, issuer := range []string{"http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000"} {
		s := good
		if s.Issuer = issuer; s.Check() != nil {
			t.Errorf("%s: refused", issuer)
		}
	}
	for _, bend := range []func(s *idp.Settings){
		func(s *idp.Settings) { s.Issuer = "http://login.example" },
		func(s *idp.Settings) { s.Issuer = "http://10.0.0.1" },
		func(s *idp.Settings) { s.Issuer = "http://localhost.example" },
		func(s *idp.Settings) { s.Issuer = "login.example" },
		func(s *idp.Settings) { s.Issuer = "https://" },
		func(s *idp.Settings) { s.Issuer = "https://:443" },
		func(s *idp.Settings) { s.Issuer = "" },
		func(s *idp.Settings) { s.Issuer = "https://login.example?tenant=1" },
		func(s *idp.Settings) { s.Issuer = "https://login.example?" },
		func(s *idp.Settings) { s.Issuer = "https://login.example#x" },
		func(s *idp.Settings) { s.Issuer = "https://login.example#" },
		func(s *idp.Settings) { s.Issuer = "https://ada:secret@login.example" },
		func(s *idp.Settings) { s.Issuer = "javascript:alert(1)" },
		func(s *idp.Settings) { s.ClientID = "" },
		func(s *idp.Settings) { s.ClientSecret = "" },
		func(s *idp.Settings) { s.ClientSecret = "two\nlines" },
		func(s *idp.Settings) { s.ClientSecret = strings.Repeat("a", 5000) },
	} {
		s := good
		bend(&s)
		if s.Check() == nil {
			t.Errorf("%s: taken", s.Issuer)
		}
	}
	if text := good.String() + " " + good.GoString(); strings.Contains(text, "secret") {
		t.Errorf("printed: %s", text)
	}
}

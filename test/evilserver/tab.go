package evilserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/client/native"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/auth"
	"github.com/underseal/underseal/server/auth/idp"
	testidp "github.com/underseal/underseal/test/idp"
)

// Site is where a browser was when it went to an address, as Sec-Fetch-Site spells it.
type Site string

// Sites.
const (
	Here      Site = "same-origin"
	Elsewhere Site = "cross-site"
)

// Tab is a browser with one page of the server's in it: it keeps cookies, and sends them as a browser does, and its page has a
// client, which may have no keys.
type Tab struct {
	*client.Client
	*World
	Device client.Device

	mu      sync.Mutex // guards cookies
	cookies map[string]*http.Cookie
	secrets *secrets
}

var _ client.Transport = (*Tab)(nil)

// Tab opens one with an empty profile.
func (w *World) Tab() *Tab {
	b := &Tab{World: w, Device: NewMemory(), cookies: map[string]*http.Cookie{}, secrets: &secrets{}}
	b.Reload()
	return b
}

// Reload loads the page again: the keys are gone.
func (b *Tab) Reload() {
	b.Client = client.New(client.Config{Origin: b.Origin, Transport: b, Device: b.Device, Passwords: native.Passwords{}, Random: rand.Reader, Now: b.Clock.Now,
		Secret: func(name string, value []byte) {
			b.secrets.mu.Lock()
			defer b.secrets.mu.Unlock()
			b.secrets.list = append(b.secrets.list, Secret{name, bytes.Clone(value)})
		}})
}

// Secrets lists what the page's clients told.
func (b *Tab) Secrets() []Secret {
	b.secrets.mu.Lock()
	defer b.secrets.mu.Unlock()
	return append([]Secret(nil), b.secrets.list...)
}

// send sends a request with the cookies that go along from a site, and keeps those that come back.
func (b *Tab) send(r *http.Request, from Site) (*http.Response, []byte, error) {
	r.Header.Set("Sec-Fetch-Site", string(from))
	b.mu.Lock()
	for _, c := range b.cookies {
		if from == Here || (c.SameSite == http.SameSiteLaxMode && r.Method == http.MethodGet) {
			r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
	b.mu.Unlock()
	reply, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, nil, err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range reply.Cookies() {
		delete(b.cookies, c.Name)
		if c.MaxAge >= 0 {
			b.cookies[c.Name] = c
		}
	}
	return reply, body, err
}

// Do implements client.Transport.
func (b *Tab) Do(ctx context.Context, r client.Request) (client.Response, error) {
	h, err := http.NewRequestWithContext(ctx, r.Method, b.Origin+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return client.Response{}, err
	}
	for name, value := range r.Header {
		h.Header.Set(name, value)
	}
	if r.ContentType != "" {
		h.Header.Set("Content-Type", r.ContentType)
	}
	if r.Method != http.MethodGet {
		h.Header.Set("Origin", b.Origin)
	}
	reply, body, err := b.send(h, Here)
	if err != nil {
		return client.Response{}, err
	}
	return client.Response{Status: reply.StatusCode, Body: body}, nil
}

// Go goes to an address of the server, and is where that leads; empty where it leads nowhere.
func (b *Tab) Go(address string, from Site) string {
	b.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	b.ok(err)
	reply, _, err := b.send(r, from)
	b.ok(err)
	b.Reload()
	return reply.Header.Get("Location")
}

// Cookie is what a cookie holds whose name ends so, or empty.
func (b *Tab) Cookie(suffix string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, c := range b.cookies {
		if strings.HasSuffix(name, suffix) {
			return c.Value
		}
	}
	return ""
}

// SetCookie puts one in.
func (b *Tab) SetCookie(name, value string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cookies[name] = &http.Cookie{Name: name, Value: value, SameSite: http.SameSiteLaxMode}
}

// ToProvider goes where a path of the server's leads: to an identity provider. A page that only goes on to there is passed over.
func (b *Tab) ToProvider(path string) string {
	b.Helper()
	if rest, isPage := strings.CutPrefix(path, "/sso/"); isPage {
		firm, query, _ := strings.Cut(rest, "?")
		path = "/v1/firms/" + firm + "/oidc/start?" + query
	}
	return b.Go(b.Origin+path, Here)
}

// Through goes there, signs in at the provider, and comes back: it is the page that the server then sends the browser to.
func (b *Tab) Through(p *testidp.Provider, path string, u testidp.User) string {
	b.Helper()
	return b.Go(p.Visit(b, b.ToProvider(path), u), Elsewhere)
}

// SSOPath is where a browser begins to sign in through a firm.
func SSOPath(firm wire.ChainID) string { return api.Firm(firm) + "/oidc/start" }

// Providers are what firms registered.
type Providers struct {
	mu sync.Mutex // guards of
	of map[wire.ChainID]idp.Settings
}

var _ auth.IdentityProviders = (*Providers)(nil)

// Set registers a provider for a firm.
func (p *Providers) Set(firm wire.ChainID, s idp.Settings) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil {
		p.of = map[wire.ChainID]idp.Settings{}
	}
	p.of[firm] = s
}

// Settings implements auth.IdentityProviders.
func (p *Providers) Settings(_ context.Context, firm wire.ChainID) (idp.Settings, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, found := p.of[firm]
	return s, found, nil
}

// Package idp is an identity provider for tests: the OpenID provider of zitadel/oidc with its own example storage, on
// loopback. Start runs one. What it answers can be bent afterwards, under its own keys: nobody lies better than a provider.
package idp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
	"golang.org/x/text/language"
)

// Paths of what the provider answers.
const (
	Discovery = "/.well-known/openid-configuration"
	Authorize = "/authorize"
	Token     = "/oauth/token"
	Keys      = "/keys"
)

// Client is what somebody registered.
type Client struct{ ID, Secret, Redirect string }

// User is somebody whom the provider knows. Subject is what it says of him in an ID token.
type User struct{ Subject, Name, Password, Email string }

// Provider is a running provider.
type Provider struct {
	Issuer string

	t       testing.TB
	op      op.OpenIDProvider
	storage *storage.Storage

	mu     sync.Mutex // guards all below
	claims func(map[string]any)
	sign   func(payload []byte) string
	lies   map[string]http.HandlerFunc
	asked  map[string]int
	server *http.Server
}

type users []User

func (u users) ExampleClientID() string { return "" }

func (u users) find(is func(User) bool) *storage.User {
	for _, one := range u {
		if is(one) {
			return &storage.User{ID: one.Subject, Username: one.Name, Password: one.Password, FirstName: one.Name, Email: one.Email, EmailVerified: true, PreferredLanguage: language.English}
		}
	}
	return nil
}

// GetUserByID implements storage.UserStore.
func (u users) GetUserByID(id string) *storage.User {
	return u.find(func(one User) bool { return one.Subject == id })
}

// GetUserByUsername implements storage.UserStore.
func (u users) GetUserByUsername(name string) *storage.User {
	return u.find(func(one User) bool { return one.Name == name })
}

// Start runs a provider until the test ends.
func Start(t testing.TB, known []User, clients ...Client) *Provider {
	t.Helper()
	registered := map[string]*storage.Client{}
	for _, c := range clients {
		registered[c.ID] = storage.WebClient(c.ID, c.Secret, c.Redirect)
	}
	p := &Provider{t: t, storage: storage.NewStorageWithClients(users(known), registered), lies: map[string]http.HandlerFunc{}, asked: map[string]int{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.Issuer = "http://127.0.0.1:" + strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	config := &op.Config{CryptoKey: sha256.Sum256([]byte(p.Issuer)), CodeMethodS256: true, AuthMethodPost: true, SupportedUILocales: []language.Tag{language.English}}
	p.op, err = op.NewProvider(config, p.storage, op.StaticIssuer(p.Issuer), op.WithAllowInsecure(), op.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	p.server = &http.Server{Handler: p}
	go func() { _ = p.server.Serve(listener) }()
	t.Cleanup(p.Stop)
	return p
}

// Stop ends it: nobody answers at its address any more.
func (p *Provider) Stop() { _ = p.server.Close() }

// Claims has change look at every ID token before it is signed. nil: nobody does.
func (p *Provider) Claims(change func(claims map[string]any)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.claims = change
}

// Sign signs ID tokens in the provider's place. nil: the provider does.
func (p *Provider) Sign(sign func(payload []byte) string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sign = sign
}

// Lie answers in the provider's place. nil: the provider does.
func (p *Provider) Lie(path string, h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lies[path] = h
}

// Honest ends all of that.
func (p *Provider) Honest() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.claims, p.sign, p.lies = nil, nil, map[string]http.HandlerFunc{}
}

// Asked is how often somebody asked for a path.
func (p *Provider) Asked(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

// ServeHTTP implements http.Handler.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked[r.URL.Path]++
	lie, bent := p.lies[r.URL.Path], p.claims != nil || p.sign != nil
	p.mu.Unlock()
	switch {
	case lie != nil:
		lie(w, r)
	case r.URL.Path == "/login/username":
		p.login(w, r)
	case r.URL.Path == Token && bent:
		p.token(w, r)
	default:
		p.op.ServeHTTP(w, r)
	}
}

var loginPage = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><title>Sign in at work</title><h1>Sign in at work</h1>
<form method="post"><input type="hidden" name="id" value="{{.}}"><label>Name <input id="name" name="name"></label> <label>Password <input id="password" name="password" type="password"></label> <button id="go">Sign in</button></form></html>`))

func (p *Provider) login(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = loginPage.Execute(w, r.FormValue("authRequestID"))
		return
	}
	id := r.FormValue("id")
	if p.storage.CheckUsernamePassword(r.FormValue("name"), r.FormValue("password"), id) != nil {
		http.Error(w, "no", http.StatusForbidden)
		return
	}
	ctx := op.ContextWithIssuer(r.Context(), p.Issuer)
	http.Redirect(w, r, op.AuthCallbackURL(p.op)(ctx, id), http.StatusFound)
}

// token answers as the provider does, with another ID token.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	real := httptest.NewRecorder()
	p.op.ServeHTTP(real, r)
	var reply map[string]any
	if real.Code != http.StatusOK || json.Unmarshal(real.Body.Bytes(), &reply) != nil {
		w.WriteHeader(real.Code)
		_, _ = w.Write(real.Body.Bytes())
		return
	}
	p.mu.Lock()
	change, sign := p.claims, p.sign
	p.mu.Unlock()
	raw, _ := reply["id_token"].(string)
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	p.ok(err)
	claims := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	p.ok(d.Decode(&claims))
	if change != nil {
		change(claims)
	}
	if payload, err = json.Marshal(claims); err != nil {
		p.ok(err)
	}
	if sign == nil {
		sign = p.Signed
	}
	reply["id_token"] = sign(payload)
	w.Header().Set("Content-Type", "application/json")
	p.ok(json.NewEncoder(w).Encode(reply))
}

// Signed is a payload under the provider's own key.
func (p *Provider) Signed(payload []byte) string {
	key, err := p.storage.SigningKey(context.Background())
	p.ok(err)
	return p.signedBy(key.SignatureAlgorithm(), jose.JSONWebKey{Key: key.Key(), KeyID: key.ID()}, payload)
}

// SignedBy is a payload under another key, which says that it is the provider's.
func (p *Provider) SignedBy(alg jose.SignatureAlgorithm, key any, payload []byte) string {
	ours, err := p.storage.SigningKey(context.Background())
	p.ok(err)
	return p.signedBy(alg, jose.JSONWebKey{Key: key, KeyID: ours.ID()}, payload)
}

func (p *Provider) signedBy(alg jose.SignatureAlgorithm, key any, payload []byte) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
	p.ok(err)
	signed, err := signer.Sign(payload)
	p.ok(err)
	compact, err := signed.CompactSerialize()
	p.ok(err)
	return compact
}

func (p *Provider) ok(err error) {
	if err != nil {
		p.t.Error(err) // on the server's goroutine
	}
}

// Visit is a browser that goes to an address of the provider and signs in there: it is where the provider sends it.
func (p *Provider) Visit(t testing.TB, address string, u User) string {
	t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	follow := func(r *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		next, err := r.Location()
		if err != nil {
			t.Fatalf("%s answers %d and leads nowhere: %v", r.Request.URL.Path, r.StatusCode, err)
		}
		return next.String()
	}
	login := follow(c.Get(address))
	at, err := url.Parse(login)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"id": {at.Query().Get("authRequestID")}, "name": {u.Name}, "password": {u.Password}}
	return follow(c.Get(follow(c.PostForm(login, form))))
}

// Package idp asks a firm's identity provider (OpenID Connect Core 1.0) who is at a browser. Address is where the browser
// is to go, Subject is what comes of its return: an opaque name by which the provider knows the person. Nothing else is
// asked for, and nothing else that a provider says is looked at: an address or a name that it asserts means nothing here.
//
// The flow is the authorization code's, with PKCE (RFC 7636), state and nonce. All three follow, one way, from a Secret
// that the browser alone keeps: a sign-in ends where it began, and what the server keeps of it completes none.
package idp

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/underseal/underseal/keys"
)

// Settings are what a firm registered with its identity provider. Nothing prints the client's secret.
type Settings struct {
	Issuer       string
	ClientID     string
	ClientSecret string
}

// String hides the secret.
func (s Settings) String() string { return "idp.Settings(" + s.Issuer + ")" }

// GoString hides the secret.
func (s Settings) GoString() string { return s.String() }

// Limits of what settings may hold, and of a subject (Core 1.0, section 2).
const (
	maxText    = 4 << 10
	maxSubject = 255
)

// ErrSettings says that settings cannot be.
var ErrSettings = errors.New("an identity provider needs an issuer, which is an https address (http is for this machine alone), a client id and a client secret")

// Check refuses settings that could not work, or would send secrets in the clear.
func (s Settings) Check() error {
	u, err := url.Parse(s.Issuer)
	if err != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s.Issuer, "#") || !s.mayAsk(u) {
		return ErrSettings
	}
	for _, text := range []string{s.Issuer, s.ClientID, s.ClientSecret} {
		if text == "" || len(text) > maxText || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return ErrSettings
		}
	}
	return nil
}

// mayAsk is whether an address may be asked, or a browser be sent there. A provider on this machine may name others on it;
// any other names https alone, so that it leads nobody to what answers on this machine or in a cloud's own network.
func (s Settings) mayAsk(u *url.URL) bool {
	if u.Host == "" || u.Hostname() == "" || u.User != nil {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	issuer, err := url.Parse(s.Issuer)
	return err == nil && u.Scheme == "http" && issuer.Scheme == "http" && loopback(issuer.Hostname()) && loopback(u.Hostname())
}

// Secret binds one sign-in to the browser that began it.
type Secret [32]byte

// ParseSecret reads what a cookie holds.
func ParseSecret(s string) (Secret, bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(Secret{}) {
		return Secret{}, false
	}
	return Secret(b), true
}

// String is the cookie's value.
func (s Secret) String() string { return base64.RawURLEncoding.EncodeToString(s[:]) }

func (s Secret) derive(label keys.Label) string {
	k := keys.Derive(s[:], label)
	return base64.RawURLEncoding.EncodeToString(k[:])
}

// Began reports whether the browser that holds the secret began what a provider sent it back with.
func (s Secret) Began(state string) bool {
	return subtle.ConstantTimeCompare([]byte(state), []byte(s.state())) == 1
}

func (s Secret) state() string    { return s.derive(keys.LabelSSOState) }
func (s Secret) nonce() string    { return s.derive(keys.LabelSSONonce) }
func (s Secret) verifier() string { return s.derive(keys.LabelSSOVerifier) } // 43 characters, the fewest that RFC 7636 takes

// ErrAway says that the provider cannot be asked now, or answers what no provider answers: nothing was decided.
var ErrAway = errors.New("idp: the identity provider cannot be asked")

// Step is where a sign-in was refused, for whoever sets the provider up.
type Step string

// Steps.
const (
	StepAnswer  Step = "answer"  // the provider, or somebody in its place, sent the browser back with a refusal
	StepIssuer  Step = "issuer"  // the answer is another provider's (RFC 9207)
	StepCode    Step = "code"    // the provider does not take the code, or not from this client
	StepToken   Step = "token"   // signature, issuer, audience or time of the ID token
	StepNonce   Step = "nonce"   // the ID token of another sign-in
	StepSubject Step = "subject" // it names nobody
)

// Refused is a sign-in that came to nothing.
type Refused struct {
	Step Step
	// Subject is whom the provider's answer was about, where it came that far. It is not verified: it says whom to warn, and
	// lets nobody in.
	Subject string
}

func (r *Refused) Error() string { return "idp: refused: " + string(r.Step) }

// Party is the relying party of every firm. It is safe for concurrent use. What it knows of providers it may forget at any
// time.
type Party struct {
	transport http.RoundTripper

	mu    sync.Mutex          // guards known
	known map[string]provider // by issuer
}

// knownSeconds is how long what a provider says of itself is believed. Whoever asks for sign-ins all day makes us ask the
// provider no more often than that.
const knownSeconds = 5 * 60

// provider is what a provider said of itself.
type provider struct {
	*oidc.Provider
	at int64 // when
	// namesItself: it says in every answer who it is, so that an answer without is none of its (RFC 9207).
	namesItself bool
	style       oauth2.AuthStyle
}

// New makes a Party. Requests go through transport; nil is one of its own.
func New(transport http.RoundTripper) *Party {
	if transport == nil {
		transport = newTransport()
	}
	return &Party{transport: transport, known: map[string]provider{}}
}

// discover is what a provider says of itself (Discovery 1.0).
func (p *Party) discover(ctx context.Context, now time.Time, s Settings) (provider, error) {
	p.mu.Lock()
	known, found := p.known[s.Issuer]
	p.mu.Unlock()
	if found && now.Unix() >= known.at && now.Unix() < known.at+knownSeconds {
		return known, nil
	}
	fresh := provider{at: now.Unix(), style: oauth2.AuthStyleInHeader}
	var err error
	if fresh.Provider, err = oidc.NewProvider(p.ask(s).within(ctx), s.Issuer); err != nil {
		return provider{}, ErrAway
	}
	var said struct {
		Names bool     `json:"authorization_response_iss_parameter_supported"`
		Auth  []string `json:"token_endpoint_auth_methods_supported"`
	}
	if fresh.Claims(&said) != nil {
		return provider{}, ErrAway
	}
	fresh.namesItself = said.Names
	// Read and not tried out: to try would send a code twice. Basic is what a provider takes that says nothing.
	if len(said.Auth) > 0 && !slices.Contains(said.Auth, "client_secret_basic") && slices.Contains(said.Auth, "client_secret_post") {
		fresh.style = oauth2.AuthStyleInParams
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known[s.Issuer] = fresh
	return fresh, nil
}

// oauth is the client as the code flow knows it. Only "openid" is asked for: no name and no address is wanted.
func (p provider) oauth(s Settings, redirect string) oauth2.Config {
	endpoint := p.Endpoint()
	endpoint.AuthStyle = p.style
	return oauth2.Config{ClientID: s.ClientID, ClientSecret: s.ClientSecret, Endpoint: endpoint, RedirectURL: redirect, Scopes: []string{oidc.ScopeOpenID}}
}

// Ask asks a provider what it is, and no more: ErrAway where it does not answer as the issuer of these settings.
func (p *Party) Ask(ctx context.Context, now time.Time, s Settings) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := p.discover(ctx, now, s)
	return err
}

// Anew asks the provider to have the person sign in there again, whoever was before.
type Anew bool

// Address is where the browser that holds secret is to go. It comes back to redirect.
func (p *Party) Address(ctx context.Context, now time.Time, s Settings, redirect string, secret Secret, anew Anew) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	at, err := p.discover(ctx, now, s)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(secret.nonce()), oauth2.S256ChallengeOption(secret.verifier())}
	if anew {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"))
	}
	client := at.oauth(s, redirect)
	u, err := url.Parse(client.AuthCodeURL(secret.state(), options...))
	if err != nil || !s.mayAsk(u) {
		return "", ErrAway
	}
	return u.String(), nil
}

// Reply is what the browser brought back, beside the state.
type Reply struct {
	Code   string
	Issuer string // "iss" of RFC 9207; empty where it was not there
	Error  string // not empty: the provider says no
}

// Subject is who the provider says is at the browser that holds secret, which began it. Every failure is ErrAway or a
// *Refused; none holds a word of the provider's.
func (p *Party) Subject(ctx context.Context, now time.Time, s Settings, redirect string, secret Secret, reply Reply) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	at, err := p.discover(ctx, now, s)
	if err != nil {
		return "", err
	}
	switch {
	case reply.Issuer != "" && reply.Issuer != s.Issuer, reply.Issuer == "" && at.namesItself:
		return "", &Refused{Step: StepIssuer}
	case reply.Error != "" || reply.Code == "":
		return "", &Refused{Step: StepAnswer}
	}
	raw, err := p.redeem(ctx, at.oauth(s, redirect), s, secret, reply.Code)
	if err != nil {
		return "", err
	}
	return p.verify(ctx, now, at, s, secret, raw)
}

// redeem changes the code for an ID token.
func (p *Party) redeem(ctx context.Context, client oauth2.Config, s Settings, secret Secret, code string) (string, error) {
	token, err := client.Exchange(p.ask(s).within(ctx), code, oauth2.VerifierOption(secret.verifier()))
	var said *oauth2.RetrieveError
	switch {
	case errors.As(err, &said) && said.Response != nil && said.Response.StatusCode >= 400 && said.Response.StatusCode < 500:
		return "", &Refused{Step: StepCode}
	case err != nil:
		return "", ErrAway
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return "", &Refused{Step: StepToken}
	}
	return raw, nil
}

// verify is the ID token's subject, where the token is for this sign-in (Core 1.0, section 3.1.3.7). The library refuses what
// no key of the issuer signed with an algorithm of two keys, and what is not the issuer's, not for this client, or not of
// this time. Keys are asked for each time: one that the provider has withdrawn verifies nothing.
func (p *Party) verify(ctx context.Context, now time.Time, at provider, s Settings, secret Secret, raw string) (string, error) {
	asking := p.ask(s)
	verifier := at.VerifierContext(asking.within(ctx), &oidc.Config{ClientID: s.ClientID, Now: func() time.Time { return now }})
	token, err := verifier.Verify(ctx, raw)
	switch {
	case err != nil && (asking.failed.Load() || ctx.Err() != nil):
		return "", ErrAway
	case err != nil:
		return "", &Refused{StepToken, named(raw)}
	}
	var more struct {
		Authorized string `json:"azp"`
	}
	// A token for several is for the one that it was made for.
	if token.Claims(&more) != nil || (more.Authorized != "" && more.Authorized != s.ClientID) || (more.Authorized == "" && len(token.Audience) > 1) {
		return "", &Refused{StepToken, token.Subject}
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(secret.nonce())) != 1 {
		return "", &Refused{StepNonce, token.Subject}
	}
	if token.Subject == "" || len(token.Subject) > maxSubject {
		return "", &Refused{Step: StepSubject}
	}
	return token.Subject, nil
}

// named is whom an ID token is about that did not verify. It came from the provider itself, or from who can answer in its
// place.
func named(raw string) string {
	_, rest, _ := strings.Cut(raw, ".")
	payload, _, _ := strings.Cut(rest, ".")
	b, err := base64.RawURLEncoding.DecodeString(payload)
	var claims struct {
		Subject string `json:"sub"`
	}
	if err != nil || json.Unmarshal(b, &claims) != nil || len(claims.Subject) > maxSubject {
		return ""
	}
	return claims.Subject
}

//go:build !js

package native

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/underseal/underseal/client"
)

// ErrOrigin says that an address is none that secrets may be entrusted to.
var ErrOrigin = errors.New("not an https address (http is for this machine alone)")

var (
	errTooLong = errors.New("the answer is longer than any answer may be")
	errPath    = errors.New("a path must begin with one slash")
)

// Bounds on what a server can make this program hold.
const (
	maxReply      = 32 << 20
	maxCookies    = 64
	maxCookie     = 4 << 10
	maxHeader     = 64 << 10
	callTimeout   = 2 * time.Minute
	headerTimeout = time.Minute
)

// Transport is net/http with one origin. It is safe for concurrent use.
type Transport struct {
	origin string
	http   *http.Client

	mu      sync.Mutex // guards cookies
	cookies map[string]string
}

var _ client.Transport = (*Transport)(nil)

// NewTransport talks to the server at origin, which ParseOrigin must accept.
func NewTransport(origin string) (*Transport, error) {
	origin, err := ParseOrigin(origin)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: 20 * time.Second, KeepAlive: 30 * time.Second}
	round := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 20 * time.Second,
		ResponseHeaderTimeout: headerTimeout, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 8, MaxResponseHeaderBytes: maxHeader,
		// Ranges and lengths are of the bytes as they are, and nothing unpacks to more than was sent.
		DisableCompression: true,
	}
	// A redirect would take secrets and bodies to another place than the one the person named.
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Transport{origin: origin, http: &http.Client{Transport: round, CheckRedirect: refuse}, cookies: map[string]string{}}, nil
}

// ParseOrigin is the one spelling of a server's address: scheme, host and port, and nothing else. Plain http is taken for
// this machine alone.
func ParseOrigin(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Path != "" && u.Path != "/") {
		return "", ErrOrigin
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if scheme != "https" && (scheme != "http" || !loopback(strings.ToLower(u.Hostname()))) {
		return "", ErrOrigin
	}
	if port := map[string]string{"https": ":443", "http": ":80"}[scheme]; strings.HasSuffix(host, port) {
		host = strings.TrimSuffix(host, port)
	}
	return scheme + "://" + host, nil
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// Origin is the server's address as ParseOrigin spells it.
func (t *Transport) Origin() string { return t.origin }

// Do implements client.Transport.
func (t *Transport) Do(ctx context.Context, r client.Request) (client.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	header := map[string]string{}
	for name, value := range r.Header {
		header[name] = value
	}
	if r.ContentType != "" {
		header["Content-Type"] = r.ContentType
	}
	reply, err := t.open(ctx, r.Method, r.Path, header, r.Body)
	if err != nil {
		return client.Response{}, err
	}
	defer reply.Body.Close()
	body, err := readAtMost(reply.Body, maxReply)
	if err != nil {
		return client.Response{}, err
	}
	return client.Response{Status: reply.StatusCode, Body: body}, nil
}

// open sends a request and leaves the answer's body to be read.
func (t *Transport) open(ctx context.Context, method, path string, header map[string]string, body []byte) (*http.Response, error) {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return nil, errPath
	}
	r, err := http.NewRequestWithContext(ctx, method, t.origin+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	// The server takes a change only from its own pages; a program says what a page's browser would.
	r.Header.Set("Origin", t.origin)
	r.Header.Set("User-Agent", "underseal")
	if cookies := t.cookieHeader(); cookies != "" {
		r.Header.Set("Cookie", cookies)
	}
	reply, err := t.http.Do(r)
	if err != nil {
		return nil, err
	}
	t.keepCookies(reply.Cookies())
	return reply, nil
}

// Cookies are kept by name: there is one origin, and every cookie of the server is for all of it. The standard jar would
// hold back Secure ones from http://localhost, where browsers send them.

func (t *Transport) cookieHeader() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	pairs := make([]string, 0, len(t.cookies))
	for name, value := range t.cookies {
		pairs = append(pairs, name+"="+value)
	}
	sort.Strings(pairs)
	return strings.Join(pairs, "; ")
}

func (t *Transport) keepCookies(cookies []*http.Cookie) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range cookies {
		ended := c.MaxAge < 0 || c.Value == "" || !c.Expires.IsZero() && c.Expires.Unix() <= 0
		if ended {
			delete(t.cookies, c.Name)
			continue
		}
		if _, known := t.cookies[c.Name]; (known || len(t.cookies) < maxCookies) && len(c.Name)+len(c.Value) <= maxCookie {
			t.cookies[c.Name] = c.Value
		}
	}
}

func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > limit {
		return nil, errTooLong
	}
	return body, nil
}

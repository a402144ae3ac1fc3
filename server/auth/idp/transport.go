package idp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// Bounds on what a provider can make this server wait for and hold. What it says of itself, its keys and a token are a few
// kilobytes each.
const (
	patience  = 15 * time.Second // with all that one step of a sign-in asks
	oneAnswer = 8 * time.Second
	maxAnswer = 256 << 10
	maxHeader = 32 << 10
)

var errAddress = errors.New("idp: an address that is not asked")

func newTransport() http.RoundTripper {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: oneAnswer, ResponseHeaderTimeout: oneAnswer,
		IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 2, MaxResponseHeaderBytes: maxHeader,
		DisableCompression: true, // nothing unpacks to more than was sent
	}
}

// asking is one errand at a provider.
type asking struct {
	base     http.RoundTripper
	settings Settings
	failed   atomic.Bool // an answer did not come, or not whole: the libraries tell that of keys in words alone
}

var _ http.RoundTripper = (*asking)(nil)

func (p *Party) ask(s Settings) *asking { return &asking{base: p.transport, settings: s} }

// within is a context under which the libraries ask. A redirect is followed nowhere: it would take code and secret to another
// place than the one that the provider named of itself.
func (a *asking) within(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, &http.Client{
		Transport:     a,
		Timeout:       oneAnswer,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
}

// RoundTrip implements http.RoundTripper: it asks only where a provider may be asked, and reads no more than an answer's length.
func (a *asking) RoundTrip(r *http.Request) (*http.Response, error) {
	if !a.settings.mayAsk(r.URL) {
		if r.Body != nil {
			_ = r.Body.Close() // nobody reads it
		}
		a.failed.Store(true)
		return nil, errAddress
	}
	reply, err := a.base.RoundTrip(r)
	if err != nil {
		a.failed.Store(true)
		return nil, err
	}
	if reply.StatusCode != http.StatusOK {
		a.failed.Store(true)
	}
	reply.Body = answer{http.MaxBytesReader(nil, reply.Body, maxAnswer), a}
	return reply, nil
}

// answer notes that it was not read to its end.
type answer struct {
	io.ReadCloser
	of *asking
}

func (a answer) Read(b []byte) (int, error) {
	n, err := a.ReadCloser.Read(b)
	if err != nil && err != io.EOF {
		a.of.failed.Store(true)
	}
	return n, err
}

func loopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

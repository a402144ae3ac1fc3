// Package server is the HTTP side of Underseal: it stores, delivers, refuses, counts and times, and can read nothing.
//
// New takes the store, the blobs and the clock; Handler serves. A handler decodes, calls one method and encodes; who is
// calling is an argument that the router hands in (see routes.go), and what he may do is decided in package access.
// Nothing outlives a request: no goroutine, no ticker, no cache. So the same handlers run in a process and in an object
// that sleeps between two requests.
//
// Where everything is kept stands in package layout.
package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/auth"
	"github.com/underseal/underseal/server/blob"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
)

// Config is what a server is made of. Store, Blobs, Origin, Log and Keys are required.
type Config struct {
	Store store.Store // opened with Log.Integrate as its hook
	Blobs blob.Store
	Log   *ledger.Log
	Keys  auth.Keys

	// Origin is where browsers find the server, such as https://files.example or http://localhost:8420. Plain http is
	// for localhost alone: passkeys, cookies and this product do not work without a secure origin.
	Origin string

	Assets fs.FS            // the built pages; nil serves a note that they are missing
	Now    func() time.Time // nil is time.Now
	Random io.Reader        // nil is crypto/rand
	Logger *slog.Logger     // nil discards. It is handed no name, body, token or address

	// AddressHeader names the header by which the one proxy in front says where a request comes from, such as
	// X-Forwarded-For. Empty: there is no proxy, and it is the connection's other end. A firm's policy may ask.
	AddressHeader string

	Providers auth.IdentityProviders // of firms whose staff may sign in through one; nil: none has one

	Policy   string // witness policy (c2sp.org/tlog-policy) that new firms get; empty: no witnesses
	LogToken string // who reads a public log must show it; empty: anybody may

	Idle     time.Duration // after which an unused session ends; 0 is 15 minutes. A firm's policy goes before both
	Absolute time.Duration // after which any session ends; 0 is twelve hours
}

// Server serves one deployment. It is safe for concurrent use.
type Server struct {
	config Config
	auth   *auth.Service
	secure bool // the origin is https
	static *assets
}

// New checks the configuration.
func New(c Config) (*Server, error) {
	if c.Store == nil || c.Blobs == nil || c.Log == nil || c.Keys == nil {
		return nil, errors.New("server: a store, a blob store, a log and a key are needed")
	}
	if err := CheckOrigin(c.Origin); err != nil {
		return nil, err
	}
	if _, err := log.ParsePolicy(c.Policy); c.Policy != "" && err != nil {
		return nil, fmt.Errorf("server: the witness policy: %w", err)
	}
	if err := c.Log.Check(context.Background(), c.Store); err != nil {
		return nil, err
	}
	c.fill()
	a, err := auth.New(context.Background(), auth.Config{Store: c.Store, Origin: c.Origin, Random: c.Random, Log: c.Log, Keys: c.Keys, Policy: c.Policy, Idle: c.Idle, Absolute: c.Absolute, Providers: c.Providers})
	if err != nil {
		return nil, err
	}
	static, err := newAssets(c.Assets)
	if err != nil {
		return nil, err
	}
	return &Server{config: c, auth: a, secure: c.Origin[:8] == "https://", static: static}, nil
}

func (c *Config) fill() {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Idle == 0 {
		c.Idle = 15 * time.Minute
	}
	if c.Absolute == 0 {
		c.Absolute = 12 * time.Hour
	}
}

// CheckOrigin refuses an origin that is not spelled as browsers spell it, or that a browser would not call secure.
func CheckOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin {
		return fmt.Errorf("server: an origin is a scheme, a host and perhaps a port, such as https://files.example: not %q", origin)
	}
	switch {
	case net.ParseIP(u.Hostname()) != nil:
		return errors.New("server: an origin needs a name: passkeys do not work on an address")
	case u.Scheme == "https", u.Scheme == "http" && u.Hostname() == "localhost":
		return nil
	}
	return errors.New("server: an origin is https, or http on localhost")
}

// SetupLink makes a link that founds one firm, within half an hour.
func (s *Server) SetupLink(ctx context.Context) (string, error) {
	secret, err := s.auth.NewSetup(ctx, s.config.Now())
	if err != nil {
		return "", err
	}
	return s.config.Origin + "/setup#" + secret, nil
}

// HasFirm reports whether a firm was founded.
func (s *Server) HasFirm(ctx context.Context) (bool, error) {
	firms, err := s.Firms(ctx)
	return len(firms) > 0, err
}

// Firms are the ids of those that were founded.
func (s *Server) Firms(ctx context.Context) (firms []wire.ChainID, err error) {
	partitions, err := s.config.Store.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range partitions {
		if p == layout.Accounts {
			continue
		}
		err := s.config.Store.View(ctx, p, func(tx store.Tx) error {
			founded, err := layout.Has(tx, layout.FirmKey())
			if err != nil || !founded {
				return err
			}
			firm, err := wire.ParseHash(p)
			firms = append(firms, firm)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return firms, nil
}

package evilserver

import (
	"encoding/base32"
	"sync"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/auth/totp"
)

// Clock is a world's time: it goes as time does, and can be set on.
type Clock struct {
	mu    sync.Mutex // guards ahead
	ahead time.Duration
}

// Now is what it shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

// Advance sets it on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// App is somebody's authenticator app.
type App struct {
	w      *World
	secret totp.Secret
}

// App is one that was set up with a secret, as it was shown.
func (w *World) App(secret string) *App {
	w.Helper()
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	w.ok(err)
	return &App{w, totp.Secret(b)}
}

// Code is one that was not used: half a minute passes for it.
func (a *App) Code() string {
	a.w.Clock.Advance(30 * time.Second)
	return a.Shown()
}

// Shown is what it shows now.
func (a *App) Shown() string { return a.secret.Code(a.w.Clock.Now()) }

// UsePassword gives somebody who is signed in an app and a password.
func (p *Person) UsePassword(login, password string) {
	p.Helper()
	begun, err := p.AuthenticatorBegin(Soon(p))
	p.ok(err)
	app := p.World.App(begun.Secret)
	p.ok(p.AuthenticatorFinish(Soon(p), app.Code()))
	p.ok(p.SetPassword(Soon(p), login, []byte(password)))
	p.App = app
}

// AcceptByPassword makes an account with a link, and a password in place of a passkey.
func (p *Person) AcceptByPassword(link, login, password string) (wire.ChainID, error) {
	ctx := Soon(p)
	i, err := p.OpenInvite(ctx, link)
	if err != nil {
		return wire.ChainID{}, err
	}
	p.Firm = i.Link.Firm
	if _, err := p.InviteOptions(ctx); err != nil {
		return wire.ChainID{}, err
	}
	begun, err := p.EnrolPassword(ctx, login, []byte(password))
	if err != nil {
		return wire.ChainID{}, err
	}
	p.App = p.World.App(begun.Secret)
	id, err := p.InviteFinish(ctx, client.Unlocker{Code: p.App.Shown()})
	if p.SignedIn() {
		id, root, _ := p.Root()
		p.account, p.roots = id, []vault.Root{root}
	}
	return id, err
}

// ByPassword signs in with a password and a code.
func (p *Person) ByPassword(login, password string) error {
	p.World.anotherMinute(p.Firm)
	if _, err := p.SignInPassword(Soon(p), login, []byte(password)); err != nil {
		return err
	}
	return p.SignInCode(Soon(p), p.App.Code())
}

// UnlockWithKit goes on with a sign-in that could not unlock here.
func (p *Person) UnlockWithKit() error { return p.UnlockKit(Soon(p), p.kit) }

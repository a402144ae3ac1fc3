package client

import (
	"context"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
)

type unattended struct{}

// Unattended marks what is asked under a context as caused by no person, such as a poll: the server lets it keep no session
// alive.
func Unattended(ctx context.Context) context.Context {
	return context.WithValue(ctx, unattended{}, true)
}

// mark puts the mark on a request.
func mark(ctx context.Context, r Request) Request {
	if ctx.Value(unattended{}) == nil {
		return r
	}
	header := map[string]string{api.HeaderIdle: "1"}
	for name, value := range r.Header {
		header[name] = value
	}
	r.Header = header
	return r
}

// SessionView is one place where this account is signed in. Times are milliseconds.
type SessionView struct {
	ID        string `json:"id"`
	CreatedAt int64  `json:"createdAt"`
	SeenAt    int64  `json:"seenAt"`
	Method    string `json:"method"` // passkey, kit, passphrase, password, sso
	MFA       bool   `json:"mfa"`    // two factors were shown
	Current   bool   `json:"current"`
	Device    string `json:"device"` // what its owner calls it; empty where that is not known
}

// Sessions lists where this account is signed in, as the server says, oldest first.
func (c *Client) Sessions(ctx context.Context) ([]SessionView, error) {
	reply, err := c.accountSessions(ctx)
	if err != nil {
		return nil, err
	}
	list := []SessionView{}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range reply {
		v := SessionView{ID: s.ID.String(), CreatedAt: s.Created * 1000, SeenAt: s.Seen * 1000, Method: s.Method, MFA: s.MFA, Current: s.Current}
		if c.account != nil {
			if named := c.account.ring.device(s.Device); named != nil {
				v.Device = named.Name
			}
		}
		list = append(list, v)
	}
	return list, nil
}

func (c *Client) accountSessions(ctx context.Context) ([]api.AccountSession, error) {
	if _, err := c.who(); err != nil {
		return nil, err
	}
	var reply api.AccountSessions
	if err := c.call(ctx, methodGet, api.RouteAccountSessions, nil, &reply); err != nil {
		return nil, failureOf(err)
	}
	return reply.Sessions, nil
}

// EndSession ends one. When it returns, every firm's session that was opened from it has ended, too. Ending this very one is
// SignOut.
func (c *Client) EndSession(ctx context.Context, id wire.ObjectID) error {
	list, err := c.accountSessions(ctx)
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.ID == id && s.Current {
			c.SignOut(ctx)
			return nil
		}
	}
	return failureErr(c.call(ctx, methodDelete, api.RouteAccountSessions+"/"+id.String(), nil, nil))
}

// EndOtherSessions ends all but this one.
func (c *Client) EndOtherSessions(ctx context.Context) error {
	if _, err := c.who(); err != nil {
		return err
	}
	return failureErr(c.call(ctx, methodDelete, api.RouteAccountSessions, nil, nil))
}

// Timeouts are how long this session lasts, the strictest of the firms that it is in. All are milliseconds.
type Timeouts struct {
	Idle     int64 `json:"idle"`
	Absolute int64 `json:"absolute"`
	EndsAt   int64 `json:"endsAt"` // since 1970
}

// Timeouts asks the server; to ask keeps nothing alive.
func (c *Client) Timeouts(ctx context.Context) (Timeouts, error) {
	list, err := c.accountSessions(Unattended(ctx))
	if err != nil {
		return Timeouts{}, err
	}
	for _, s := range list {
		if !s.Current {
			continue
		}
		t := Timeouts{Idle: s.Idle * 1000, Absolute: (s.Expires - s.Created) * 1000, EndsAt: s.Expires * 1000}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, firm := range c.lasts {
			t.Idle, t.Absolute, t.EndsAt = min(t.Idle, firm.Idle*1000), min(t.Absolute, firm.Absolute*1000), min(t.EndsAt, firm.Expires*1000)
		}
		// What an owner signed holds here whatever the server says.
		for _, p := range c.rules {
			absolute := int64(p.Absolute) * 60_000
			t.Idle, t.Absolute, t.EndsAt = min(t.Idle, int64(p.Idle)*60_000), min(t.Absolute, absolute), min(t.EndsAt, s.Created*1000+absolute)
		}
		return t, nil
	}
	return Timeouts{}, failureOf(ErrUnknownReply)
}

// LockReason says why keys were wiped.
type LockReason string

// Reasons.
const (
	LockIdle     LockReason = "idle"     // nobody was here for long enough
	LockAbsolute LockReason = "absolute" // the session reached its end
	LockAsked    LockReason = "asked"
)

// Valid reports whether it is one.
func (r LockReason) Valid() bool { return r == LockIdle || r == LockAbsolute || r == LockAsked }

// Lock wipes every key from memory and keeps the account's session. Signing in unlocks.
func (c *Client) Lock(reason LockReason) {
	c.mu.Lock()
	signedIn := c.account != nil
	if signedIn {
		c.reset()
		c.locked = true
	}
	c.mu.Unlock()
	if signedIn {
		c.event(Event{Event: "locked", Reason: reason})
	}
}

// Locked reports whether keys were wiped and a session was kept.
func (c *Client) Locked() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.locked
}

// endedElsewhere wipes the keys of somebody whose session was ended elsewhere: nothing is signed in again without him.
func (c *Client) endedElsewhere(ctx context.Context, f *Failure) {
	if c.SignedIn() || c.Locked() {
		c.SignOut(ctx)
		c.event(Event{Event: "signed-out", Failure: f})
	}
}

package client

import (
	"context"
	"slices"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// What a person says of himself (SPEC 8.2) gets into every chain that he has a seat in behind his back: nothing that he does
// waits for it. What did not get there, because the program ended or the server was away, is made up for when the chain is
// opened the next time.

// quiet is how long nothing new must have come up before it is said: what belongs together is one entry.
const quiet = 15 * time.Second

// telling is what is still to be said, and where.
type telling struct {
	due     map[wire.ChainID]bool
	tried   map[wire.ChainID]bool // and refused: not again before something is new
	news    int                   // counts what came up
	running bool
}

func newTelling() telling {
	return telling{due: map[wire.ChainID]bool{}, tried: map[wire.ChainID]bool{}}
}

// Acknowledge keeps that this person has read something, and has it said where he has a seat. Before there is an account it is
// kept for the one that is made, or signed in to.
func (c *Client) Acknowledge(ctx context.Context, read chain.Topics) error {
	if read == 0 || read&^chain.AllTopics != 0 {
		return fail(api.CodeBadRequest, "")
	}
	c.mu.Lock()
	if c.account == nil {
		c.read |= read
		c.mu.Unlock()
		return nil
	}
	known := c.account.ring.Topics&read == read
	c.mu.Unlock()
	if known {
		return nil
	}
	return c.updateSelf(ctx, func(k *keyring) { k.Topics |= read })
}

// updateSelf puts something that is new of this person into the keyring, and has it said where he has a seat.
func (c *Client) updateSelf(ctx context.Context, change func(*keyring)) error {
	if err := c.updateKeyring(ctx, change); err != nil {
		return failureOf(err)
	}
	c.news()
	return nil
}

// news has every chain of the account looked at: something is new of this person.
func (c *Client) news() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account == nil {
		return
	}
	c.telling.news++
	clear(c.telling.tried)
	for _, seat := range c.account.ring.Matters {
		if !seat.Removed && seat.Link == "" {
			c.telling.due[seat.Chain] = true
		}
	}
	for _, seat := range c.account.ring.Firms {
		if seat.Staff {
			c.telling.due[seat.Firm] = true
		}
	}
	c.startTelling()
}

// noteSelf looks whether a chain that was just brought up to date knows of its member what he has to say. m.mu is held.
func (c *Client) noteSelf(m *matter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account == nil || c.telling.due[m.id] || c.telling.tried[m.id] || !c.untold(m) {
		return
	}
	c.telling.due[m.id] = true
	c.startTelling()
}

// untold is whether a chain knows less than there is to say. c.mu and m.mu are held.
func (c *Client) untold(m *matter) bool {
	seat := c.account.ring.firm(m.firm)
	if seat == nil || m.state == nil {
		return false
	}
	me := m.state.Members[seat.Member]
	if me == nil || me.State != chain.MemberSeated || !me.Role.MayDeclare() || wire.Hash(me.Keys.Fingerprint()) != seat.Fingerprint {
		return false // or his newest keys are not there yet
	}
	if me.Ways != c.account.ways() {
		return c.account.ways() > 0
	}
	// Who works in the firm tells it there what he has read, and nobody else.
	return (m.id == m.firm || !seat.Staff) && c.account.ring.Topics&^me.Read != 0
}

// startTelling starts the one goroutine that tells. c.mu is held.
func (c *Client) startTelling() {
	if !c.telling.running {
		c.telling.running = true
		go c.tell(Unattended(c.ctx))
	}
}

// tell waits until nothing new comes up, and says what is due.
func (c *Client) tell(ctx context.Context) {
	for c.untilQuiet(ctx) {
		c.mu.Lock()
		if ctx.Err() != nil { // signed out: all of it was forgotten with the keys
			c.mu.Unlock()
			return
		}
		due := c.takeDue()
		c.telling.running = len(due) > 0
		c.mu.Unlock()
		if len(due) == 0 {
			return
		}
		c.tellAll(ctx, due)
	}
}

// untilQuiet reports false where there is nobody any more to speak for.
func (c *Client) untilQuiet(ctx context.Context) bool {
	const steps = 5
	seen := -1
	for still := 0; still <= steps; still++ {
		c.mu.Lock()
		if c.telling.news != seen {
			seen, still = c.telling.news, 0
		}
		c.mu.Unlock()
		if still < steps && c.wait(ctx, quiet/steps) != nil {
			return false
		}
	}
	return ctx.Err() == nil
}

func (c *Client) tellAll(ctx context.Context, due []wire.ChainID) {
	if len(due) == 0 {
		return
	}
	// What another device changed since this one signed in is asked for first: two of them would take turns otherwise.
	if c.refreshAccount(ctx) != nil {
		return
	}
	for _, id := range due {
		c.tellChain(ctx, id)
	}
}

// refreshAccount takes what the server has of the account by now.
func (c *Client) refreshAccount(ctx context.Context) error {
	c.ringing.Lock()
	defer c.ringing.Unlock()
	a, err := c.who()
	if err != nil {
		return err
	}
	if err := c.freshKeyring(ctx, a); err != nil {
		return c.refuse(ctx, "the account's own record", err)
	}
	return c.rememberRevision(ctx, a)
}

// takeDue is what is due, in one order. c.mu is held.
func (c *Client) takeDue() (due []wire.ChainID) {
	for id := range c.telling.due {
		due = append(due, id)
	}
	clear(c.telling.due)
	slices.SortFunc(due, func(a, b wire.ChainID) int { return slices.Compare(a[:], b[:]) })
	return due
}

// tellChain says in one chain what it does not know. Where it cannot, it is tried again when the chain is opened the next time;
// where it may not, not before something is new.
func (c *Client) tellChain(ctx context.Context, id wire.ChainID) {
	c.mu.Lock()
	c.telling.tried[id] = true
	c.mu.Unlock()
	s, err := c.matter(ctx, id)
	if err == nil {
		err = c.declare(ctx, s.ID)
	}
	if f := failureOf(err); f == nil || f.Code == api.CodeOffline || f.Code == api.CodeUnavailable || f.Code == api.CodeCancelled {
		c.mu.Lock()
		delete(c.telling.tried, id)
		c.mu.Unlock()
	}
}

func (c *Client) declare(ctx context.Context, id wire.ChainID) error {
	m, err := c.matterOf(id)
	if err != nil {
		return err
	}
	if known := func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.account == nil || !c.untold(m)
	}(); known {
		return nil
	}
	_, err = c.change(ctx, id, func(s *chain.State, a chain.Author) (chain.Submission, error) { return s.Declare(a) })
	return err
}

// Settle says at once what is due: for a program that is about to end. What it does not get done is due the next time.
func (c *Client) Settle(ctx context.Context) {
	c.mu.Lock()
	due := c.takeDue()
	c.mu.Unlock()
	c.tellAll(Unattended(ctx), due)
}

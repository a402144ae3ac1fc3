package client

import (
	"context"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// PolicyView is a firm's rules and who signed them.
type PolicyView struct {
	chain.Policy
	By string `json:"by"`
	At *int64 `json:"at"` // milliseconds; nil where nobody signed any: these are the defaults
}

// Policy is what a firm's chain says, for who has a seat in it.
func (c *Client) Policy(ctx context.Context, firm wire.ChainID) (PolicyView, error) {
	if err := c.isFirm(firm); err != nil {
		return PolicyView{}, err
	}
	s, err := c.matter(ctx, firm)
	if err != nil {
		return PolicyView{}, err
	}
	return policyView(s), nil
}

// isFirm is whether a chain is a firm's own, where this account has a seat: a matter has no rules.
func (c *Client) isFirm(firm wire.ChainID) error {
	a, err := c.who()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	seat := a.ring.firm(firm)
	switch {
	case seat == nil:
		return fail(api.CodeNotHere, "")
	case !seat.Staff:
		return fail(api.CodeNotAllowed, "")
	}
	return nil
}

func policyView(s *chain.State) PolicyView {
	v := PolicyView{Policy: s.Rules()}
	if p := s.Policy; p != nil {
		at := int64(p.At)
		v.By, v.At = nameOf(s, p.By), &at
	}
	return v
}

// SetPolicy signs a firm's rules, as its owner. Networks come in any spelling.
func (c *Client) SetPolicy(ctx context.Context, firm wire.ChainID, p chain.Policy) (PolicyView, error) {
	if err := c.isFirm(firm); err != nil {
		return PolicyView{}, err
	}
	p = p.Normal()
	if p.Check() != nil {
		return PolicyView{}, fail(api.CodeBadRequest, "")
	}
	s, err := c.change(ctx, firm, func(s *chain.State, a chain.Author) (chain.Submission, error) { return s.SetPolicy(a, p) })
	if err != nil {
		return PolicyView{}, err
	}
	c.mu.Lock()
	c.rules[firm] = s.Rules()
	c.mu.Unlock()
	return policyView(s), nil
}

// keepRules notes what a firm's chain says, for this device to hold itself to.
func (c *Client) keepRules(m *matter) {
	if m.id != m.firm || m.state == nil || m.state.Policy == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rules[m.firm] = m.state.Rules()
}

package client

import (
	"context"
	"slices"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// PolicyView is a firm's rules and who signed them.
type PolicyView struct {
	chain.Policy
	By string `json:"by"`
	At *int64 `json:"at"` // milliseconds; nil where nobody signed any: these are the defaults
	// MayBeCustodians are who can be one now, and who is one and cannot any more, by name.
	MayBeCustodians []CustodianView `json:"mayBeCustodians"`
}

// CustodianView is somebody who holds shares of others' identities, or may.
type CustodianView struct {
	chain.Custodian
	Name string `json:"name"`
	// Gone: he left, or has other keys than the policy names. An owner signs the policy again.
	Gone  bool        `json:"gone"`
	Words []string    `json:"words"`
	Alike []AlikeView `json:"alike"` // whom his name could be read as
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
	return c.policyView(s)
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

func (c *Client) policyView(s *chain.State) (PolicyView, error) {
	author, err := c.author(s.FirmOf())
	if err != nil {
		return PolicyView{}, err
	}
	v := PolicyView{Policy: s.Rules(), MayBeCustodians: []CustodianView{}}
	for _, m := range s.Seated() {
		if m.Role.MayHoldShares() {
			v.MayBeCustodians = append(v.MayBeCustodians, CustodianView{Custodian: chain.Custodian{Member: m.ID, Fingerprint: wire.Hash(m.Keys.Fingerprint())}, Name: m.Name})
		}
	}
	for _, x := range v.Custodians {
		if !slices.ContainsFunc(v.MayBeCustodians, func(y CustodianView) bool { return y.Custodian == x }) {
			v.MayBeCustodians = append(v.MayBeCustodians, CustodianView{Custodian: x, Name: nameOf(s, x.Member), Gone: true})
		}
	}
	all := c.crowdOf(s, author.Member)
	for i := range v.MayBeCustodians {
		x := &v.MayBeCustodians[i]
		x.Words, x.Alike = words(x.Fingerprint), all.like(x.Name, x.Member.String())
	}
	if p := s.Policy; p != nil {
		at := int64(p.At)
		v.By, v.At = nameOf(s, p.By), &at
	}
	return v, nil
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
	return c.policyView(s)
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

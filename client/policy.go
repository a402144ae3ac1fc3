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
	Gone bool `json:"gone"`
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
	v := PolicyView{Policy: s.Rules(), MayBeCustodians: []CustodianView{}}
	for _, m := range s.Seated() {
		if m.Role.MayHoldShares() {
			v.MayBeCustodians = append(v.MayBeCustodians, CustodianView{Custodian: chain.Custodian{Member: m.ID, Fingerprint: wire.Hash(m.Keys.Fingerprint())}, Name: m.Name})
		}
	}
	for _, c := range v.Custodians {
		if !slices.ContainsFunc(v.MayBeCustodians, func(x CustodianView) bool { return x.Custodian == c }) {
			v.MayBeCustodians = append(v.MayBeCustodians, CustodianView{Custodian: c, Name: nameOf(s, c.Member), Gone: true})
		}
	}
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

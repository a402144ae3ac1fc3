package client

import (
	"context"
	"slices"

	"github.com/underseal/underseal/keys/recovery"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// HolderView is a custodian of somebody's identity.
type HolderView struct {
	Member string      `json:"member"`
	Name   string      `json:"name"`
	Words  []string    `json:"words"` // of the keys that his share is sealed to
	Gone   bool        `json:"gone"`  // he has no seat any more, and agrees to nothing
	Alike  []AlikeView `json:"alike"` // whom his name could be read as
}

// CustodyView is what somebody left with the custodians of a firm, and what its rules offer.
type CustodyView struct {
	Firm     string       `json:"firm"`
	FirmName string       `json:"firmName"`
	Offered  bool         `json:"offered"` // the rules name enough custodians but oneself
	Policy   uint64       `json:"policy"`  // position of the rules: what is agreed to
	K        int          `json:"k"`
	Hours    int          `json:"hours"`
	Holders  []HolderView `json:"holders"` // who would hold it
	Left     *LeftView    `json:"left"`    // nil: nothing
	// Again: it was left and the rules have changed since, or nothing is left any more, as Ended says.
	Again bool  `json:"again"`
	Ended Ended `json:"ended"`
}

// Ended is why nothing is left with custodians of what was, where the person himself did not take it back.
type Ended string

const (
	EndedNot       Ended = ""
	EndedRecovered Ended = "recovered" // a recovery used it up
	EndedRenewed   Ended = "renewed"   // other keys took the place of those that were left, as after a device was revoked
)

// LeftView is what was left with whom.
type LeftView struct {
	K       int          `json:"k"`
	Hours   int          `json:"hours"`
	Holders []HolderView `json:"holders"`
	Reaches bool         `json:"reaches"` // enough of them are still there
}

// Custody is for who has a seat in the firm's own chain.
func (c *Client) Custody(ctx context.Context, firm wire.ChainID) (CustodyView, error) {
	s, author, err := c.staff(ctx, firm)
	if err != nil {
		return CustodyView{}, err
	}
	return c.custodyView(s, author.Member)
}

// staff is a firm's own chain, and who this person is in it.
func (c *Client) staff(ctx context.Context, firm wire.ChainID) (*chain.State, chain.Author, error) {
	if err := c.isFirm(firm); err != nil {
		return nil, chain.Author{}, err
	}
	s, err := c.matter(ctx, firm)
	if err != nil {
		return nil, chain.Author{}, err
	}
	author, err := c.author(firm)
	return s, author, err
}

func (c *Client) custodyView(s *chain.State, self wire.ObjectID) (CustodyView, error) {
	me := s.Members[self]
	if me == nil {
		return CustodyView{}, fail(api.CodeRemoved, "")
	}
	rules := s.Rules()
	all := c.crowdOf(s, self)
	v := CustodyView{Firm: s.ID.String(), FirmName: s.Name, K: int(rules.RecoveryK), Hours: int(rules.RecoveryHours), Holders: all.mark(holders(s, rules.CustodiansFor(self)))}
	if s.Policy != nil {
		v.Policy = s.Policy.Position
	}
	v.Offered = v.K > 0 && len(v.Holders) >= v.K && !slices.ContainsFunc(v.Holders, func(h HolderView) bool { return h.Gone })
	if v.Left = leftView(s, me); v.Left != nil {
		all.mark(v.Left.Holders)
		v.Again = v.Offered && me.Escrow.Policy != v.Policy
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account == nil {
		return CustodyView{}, fail(api.CodeNotSignedIn, "")
	}
	if seat := c.account.ring.firm(s.ID); seat != nil && v.Left == nil {
		v.Ended = seat.ended()
		v.Again = v.Again || v.Ended != EndedNot && v.Offered
	}
	return v, nil
}

func (s *firmSeat) ended() Ended {
	switch {
	case s.Recovered:
		return EndedRecovered
	case s.TakenBack:
		return EndedRenewed
	}
	return EndedNot
}

// leftView is what a member left in a firm's own chain, which everybody there may know; nil is nothing.
func leftView(s *chain.State, m *chain.Member) *LeftView {
	e := m.Escrow
	if e == nil {
		return nil
	}
	return &LeftView{K: int(e.K), Hours: int(e.Hours), Holders: holders(s, e.Custodians), Reaches: reaches(s, e)}
}

// holders are custodians as the chain knows them. One whose seat has other keys than a share was sealed to opens it by those
// he had.
func holders(s *chain.State, list []chain.Custodian) []HolderView {
	out := []HolderView{}
	for _, x := range list {
		h := HolderView{Member: x.Member.String(), Words: words(x.Fingerprint), Gone: true, Alike: []AlikeView{}}
		if m := s.Members[x.Member]; m != nil {
			h.Name, h.Gone = m.Name, m.State != chain.MemberSeated
		}
		out = append(out, h)
	}
	return out
}

// reaches is whether enough custodians of an escrow have a seat.
func reaches(s *chain.State, e *chain.Escrow) bool {
	n := 0
	for _, h := range holders(s, e.Custodians) {
		if !h.Gone {
			n++
		}
	}
	return n >= int(e.K)
}

// Escrow leaves this person's identity in a firm with the custodians whom he was shown: policy is what they stood in. Where an
// owner signed another one meanwhile he is asked again.
func (c *Client) Escrow(ctx context.Context, firm wire.ChainID, policy uint64) (CustodyView, error) {
	if err := c.isFirm(firm); err != nil {
		return CustodyView{}, err
	}
	seed, err := c.identitySeed(firm)
	if err != nil {
		return CustodyView{}, err
	}
	split := func(k, n int) ([32]byte, [][]byte, error) {
		key, shares, err := recovery.Split(c.config.Random, k, n)
		c.secret("escrow key", key[:])
		for _, share := range shares {
			c.secret("share", share)
		}
		return key, shares, err
	}
	self, err := c.author(firm)
	if err != nil {
		return CustodyView{}, failureOf(err)
	}
	custodians := func(s *chain.State) (list []*chain.Member) {
		for _, x := range s.Rules().CustodiansFor(self.Member) {
			if m := s.Members[x.Member]; m != nil {
				list = append(list, m)
			}
		}
		return list
	}
	s, err := c.changeTo(ctx, firm, custodians, func(s *chain.State, a chain.Author) (chain.Submission, error) {
		if s.Policy == nil || s.Policy.Position != policy {
			return chain.Submission{}, fail(api.CodeMoved, "")
		}
		return s.Escrow(a, seed, split)
	})
	if err != nil {
		return CustodyView{}, err
	}
	if err := c.leftAgain(ctx, firm); err != nil {
		return CustodyView{}, err
	}
	return c.custodyView(s, self.Member)
}

// identitySeed is what this person's identity in a firm is made from.
func (c *Client) identitySeed(firm wire.ChainID) (seed [32]byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account == nil {
		return seed, fail(api.CodeNotSignedIn, "")
	}
	seat := c.account.ring.firm(firm)
	if seat == nil {
		return seed, fail(api.CodeNotHere, "")
	}
	return c.account.root.IdentitySeed(seat.Salt), nil
}

// takenBack notes that what this person left in a firm is about to end with the keys that he had there. It is noted before: what
// ends unnoticed is what he counts on.
func (c *Client) takenBack(ctx context.Context, s *chain.State, me *chain.Member) error {
	if s.ID != s.FirmOf() || me.Escrow == nil {
		return nil
	}
	a, err := c.who()
	if err != nil {
		return err
	}
	c.mu.Lock()
	seat := a.ring.firm(s.ID)
	known := seat == nil || seat.ended() != EndedNot
	c.mu.Unlock()
	if known {
		return nil
	}
	return failureErr(c.updateKeyring(ctx, func(k *keyring) {
		if seat := k.firm(s.ID); seat != nil {
			seat.TakenBack = true
		}
	}))
}

// leftAgain notes that who was asked to leave his identity again did or would not.
func (c *Client) leftAgain(ctx context.Context, firm wire.ChainID) error {
	a, err := c.who()
	if err != nil {
		return err
	}
	c.mu.Lock()
	seat := a.ring.firm(firm)
	due := seat != nil && seat.ended() != EndedNot
	c.mu.Unlock()
	if !due {
		return nil
	}
	return failureErr(c.updateKeyring(ctx, func(k *keyring) {
		if seat := k.firm(firm); seat != nil {
			seat.Recovered, seat.TakenBack = false, false
		}
	}))
}

// WithdrawEscrow takes back what was left: no custodian can hand it over any more.
func (c *Client) WithdrawEscrow(ctx context.Context, firm wire.ChainID) (CustodyView, error) {
	if err := c.isFirm(firm); err != nil {
		return CustodyView{}, err
	}
	s, err := c.change(ctx, firm, func(s *chain.State, a chain.Author) (chain.Submission, error) { return s.WithdrawEscrow(a) })
	if err != nil {
		return CustodyView{}, err
	}
	author, err := c.author(firm)
	if err != nil {
		return CustodyView{}, failureOf(err)
	}
	return c.custodyView(s, author.Member)
}

// KeepNothing is the answer of who leaves nothing with custodians again.
func (c *Client) KeepNothing(ctx context.Context, firm wire.ChainID) error {
	if err := c.isFirm(firm); err != nil {
		return err
	}
	return c.leftAgain(ctx, firm)
}

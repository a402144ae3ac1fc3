package client

import (
	"context"
	"slices"

	"github.com/underseal/underseal/keys/vrf"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/directory"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// After the root of an account was replaced, its new keys go into the directory of each firm (a link that the old ones sign),
// then into each seat (a renew entry), and where the person is an owner, the next epoch is opened with them. Each step is seen
// from what verified entries say, so that a renewal that was cut off goes on from where it stands, on any device.

// RenewalView is how far a renewal is: of how many matters how many are done, and which are left.
type RenewalView struct {
	Done  int              `json:"done"`
	Total int              `json:"total"`
	Left  []RenewalPending `json:"left"`
}

// RenewalPending is a matter, or a firm, that new keys are still to be entered into, and what was in the way last, if it was
// tried since the program began.
type RenewalPending struct {
	Matter  string   `json:"matter"`
	Name    string   `json:"name"`
	Failure *Failure `json:"failure"`
}

// Renewal is what is left of a renewal; Total is 0 where nothing is.
func (c *Client) Renewal() (RenewalView, error) {
	a, err := c.who()
	if err != nil {
		return RenewalView{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.renewalView(a, a.ring.Renewing, 0), nil
}

// renewalView shows what is left. c.mu is held.
func (c *Client) renewalView(a *account, left []wire.ChainID, done int) RenewalView {
	v := RenewalView{Done: done, Total: done + len(left), Left: []RenewalPending{}}
	for _, id := range left {
		p := RenewalPending{Matter: id.String(), Failure: c.renewing[id]}
		if seat := a.ring.matter(id); seat != nil {
			p.Name = seat.Name
		} else if firm := a.ring.firm(id); firm != nil {
			p.Name = firm.Name
		}
		v.Left = append(v.Left, p)
	}
	return v
}

// ContinueRenewal enters this account's newest keys wherever former ones still stand. What cannot be done now is left for the
// next time, and does not hold the rest up.
func (c *Client) ContinueRenewal(ctx context.Context) (RenewalView, error) {
	c.renewal.Lock()
	defer c.renewal.Unlock()
	a, err := c.who()
	if err != nil {
		return RenewalView{}, err
	}
	c.mu.Lock()
	all := slices.Clone(a.ring.Renewing)
	c.mu.Unlock()
	var done []wire.ChainID
	for i, id := range all {
		c.event(Event{Event: "renewal", Done: int64(i), Total: int64(len(all))})
		err := c.renewOne(ctx, id)
		if ctx.Err() != nil {
			break
		}
		if err == nil {
			done = append(done, id)
		}
		c.mu.Lock()
		c.renewing[id] = failureOf(err)
		c.mu.Unlock()
	}
	if len(done) > 0 {
		err = c.updateKeyring(ctx, func(k *keyring) {
			k.Renewing = slices.DeleteFunc(k.Renewing, func(id wire.ChainID) bool { return slices.Contains(done, id) })
		})
		if err != nil {
			return RenewalView{}, failureOf(err)
		}
	}
	if err := ctx.Err(); err != nil {
		return RenewalView{}, failureOf(err)
	}
	if len(all) > 0 {
		c.event(Event{Event: "renewal", Done: int64(len(all)), Total: int64(len(all))})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account == nil {
		return RenewalView{}, fail(api.CodeNotSignedIn, "")
	}
	return c.renewalView(c.account, c.account.ring.Renewing, len(done)), nil
}

// renewOne does it in one chain. Where this person has no seat any more, nothing is left to do.
func (c *Client) renewOne(ctx context.Context, id wire.ChainID) error {
	m, err := c.matterOf(id)
	if hasCode(err, api.CodeNotHere) {
		return nil
	}
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	err = c.sync(ctx, m)
	if err == nil {
		err = c.renew(ctx, m)
	}
	switch me := c.ownSeat(m); {
	case hasCode(err, api.CodeRemoved):
		return nil
	case err == nil && me != nil && (me.State == chain.MemberWaiting || me.State == chain.MemberFrozen):
		return fail(api.CodeWaiting, "") // an owner decides first
	}
	return err
}

// ownSeat is this person's place in an open chain; nil where he has none. m.mu is held.
func (c *Client) ownSeat(m *matter) *chain.Member {
	author, err := c.author(m.firm)
	if err != nil || m.state == nil {
		return nil
	}
	return m.state.Members[author.Member]
}

// renew enters this person's newest keys into his seat, where it has former ones, and opens the next epoch with them where he
// may and nobody else's are waiting: whose keys are new, an owner is shown before he seals to them. m.mu is held, and m is up
// to date.
func (c *Client) renew(ctx context.Context, m *matter) error {
	if err := c.renewSeat(ctx, m); err != nil {
		return err
	}
	me, stale := c.ownSeat(m), m.state.Stale()
	if me == nil || len(stale) != 1 || stale[0].ID != me.ID || !me.Role.May(chain.RightManage) {
		return nil
	}
	rotate, err := c.rotation(ctx, m, chain.ReasonKeysChanged)
	if err != nil {
		return err
	}
	_, err = c.changeHeld(ctx, m, (*chain.State).Seated, rotate)
	return err
}

// renewSeat is its first half. m.mu is held, and m is up to date.
func (c *Client) renewSeat(ctx context.Context, m *matter) error {
	author, err := c.author(m.firm)
	if err != nil {
		return err
	}
	me := m.state.Members[author.Member]
	if me == nil || me.State != chain.MemberSeated || me.Keys.Equal(author.Identity.Public()) {
		return nil
	}
	if err := c.takenBack(ctx, m.state, me); err != nil {
		return err
	}
	return c.enterKeys(ctx, m)
}

// enterKeys makes the renew entries of this person's seat: one for each link that leads from its keys to his newest. m.mu is
// held.
func (c *Client) enterKeys(ctx context.Context, m *matter) error {
	links, err := c.putKeys(ctx, m)
	if err != nil {
		return err
	}
	newest := links[len(links)-1].Bundle.Keys
	for range links {
		if me := c.ownSeat(m); me == nil || me.Keys.Equal(newest) {
			return nil
		}
		if _, err := c.changeHeld(ctx, m, nil, func(s *chain.State, a chain.Author) (chain.Submission, error) { return enter(s, a, links) }); err != nil {
			return err
		}
	}
	return nil
}

// enter is the renew entry that follows the keys of the author's seat. The keys that it names sign it.
func enter(s *chain.State, a chain.Author, links []chain.KeyLink) (chain.Submission, error) {
	me := s.Members[a.Member]
	if me == nil {
		return chain.Submission{}, chain.ErrRights
	}
	i := slices.IndexFunc(links, func(l chain.KeyLink) bool { return l.Bundle.Keys.Equal(me.Keys) })
	if i < 0 || i+1 == len(links) {
		return chain.Submission{}, chain.ErrKeyLink
	}
	a, err := certifying(a, wire.Hash(links[i+1].Bundle.Keys.Fingerprint()))
	if err != nil {
		return chain.Submission{}, err
	}
	return s.Renew(a, links[i+1])
}

// putKeys has the firm's directory know this person's newest keys, and is all his links. m.mu is held, and m is up to date:
// its charter says what the log is held to.
func (c *Client) putKeys(ctx context.Context, m *matter) ([]chain.KeyLink, error) {
	l, err := c.logOf(ctx, m.firm, m.state.Charter.Log())
	if err != nil {
		return nil, err
	}
	author, err := c.author(m.firm)
	if err != nil {
		return nil, err
	}
	links, err := c.ownLinks(ctx, m.firm, l, author)
	if err != nil {
		return nil, c.refuse(ctx, "your own keys in a firm", err)
	}
	if last := links[len(links)-1]; !last.Bundle.Keys.Equal(author.Identity.Public()) {
		next, err := nextLink(last, author)
		if err != nil {
			return nil, err
		}
		if err := c.putLink(ctx, m.firm, l, next); err != nil {
			return nil, err
		}
		links = append(links, next)
	}
	return links, c.certifyAnew(ctx, m.firm)
}

// nextLink is the link from keys that this person had to his newest, which they sign.
func nextLink(last chain.KeyLink, author chain.Author) (chain.KeyLink, error) {
	old, err := certifying(author, wire.Hash(last.Bundle.Keys.Fingerprint()))
	if err != nil {
		return chain.KeyLink{}, err
	}
	bundle, err := chain.NewBundle(author.Member, author.Identity)
	if err != nil {
		return chain.KeyLink{}, err
	}
	return last.Next(bundle, old.Identity)
}

// putLink sends a link, and verifies its receipt.
func (c *Client) putLink(ctx context.Context, firm wire.ChainID, l *firmLog, link chain.KeyLink) error {
	since := l.seen()
	r := Request{Method: methodPut, Path: api.Seen(api.Firm(firm)+"/keys", since.Size), ContentType: api.TypeBinary, Body: link.Bytes()}
	var body []byte
	err := c.retry(ctx, func() (err error) {
		body, err = c.inFirm(ctx, firm, r)
		return err
	})
	if err != nil {
		return err
	}
	var reply api.Linked
	if err := decode(body, &reply); err != nil {
		return err
	}
	if err := c.linked(ctx, firm, l, link, reply, since); err != nil {
		return c.refuse(ctx, "the receipt for new keys", err)
	}
	return nil
}

// linked verifies the answer to a link: its leaf stands under its own label, in the log that was seen.
func (c *Client) linked(ctx context.Context, firm wire.ChainID, l *firmLog, link chain.KeyLink, reply api.Linked, since seenLog) error {
	output, err := vrf.Verify(l.trust.VRFKey, directory.Label(firm, link.Member, link.Number), reply.Proof)
	if err != nil {
		return directory.ErrLookup
	}
	r, err := log.ParseReceipt([]byte(reply.Receipt))
	if err != nil {
		return err
	}
	if _, err := r.Verify(l.keys, directory.Leaf(link, output).Hash()); err != nil {
		return err
	}
	_, err = c.take(ctx, firm, l, r.Checkpoint, reply.Consistency, since, false)
	return err
}

// certifyAnew opens the session in a firm again where former keys certified it: what they vouch for counts no longer.
func (c *Client) certifyAnew(ctx context.Context, firm wire.ChainID) error {
	c.mu.Lock()
	behind := c.behind[firm]
	if behind {
		delete(c.sessions, firm)
	}
	c.mu.Unlock()
	if !behind {
		return nil
	}
	return c.ensureSession(ctx, firm)
}

// RenewKeys opens the next epoch of a chain where members have new keys, as its owner: the gesture that seals to them. Members
// are those whom the person was shown; where others have new keys by now he is asked again.
func (c *Client) RenewKeys(ctx context.Context, id wire.ChainID, members []wire.ObjectID) (*chain.State, error) {
	m, err := c.matterOf(id)
	if err != nil {
		return nil, err
	}
	rotate, err := c.rotation(ctx, m, chain.ReasonKeysChanged)
	if err != nil {
		return nil, err
	}
	return c.changeTo(ctx, id, (*chain.State).Seated, func(s *chain.State, a chain.Author) (chain.Submission, error) {
		for _, member := range s.Stale() {
			if member.ID != a.Member && !slices.Contains(members, member.ID) {
				return chain.Submission{}, fail(api.CodeNewKeys, member.Name)
			}
		}
		return rotate(s, a)
	})
}

// linksBack are the links that somebody comes back with who was in a chain before: from the keys that his seat had there to his
// newest, which the directory is to know. The log that he holds them to is the chain's, which he cannot read yet: he looks
// himself up once he is in (SPEC S-CLIENT-16). Until then it is seen only that each link was signed by keys of his.
func (c *Client) linksBack(ctx context.Context, l chain.Link, author chain.Author) ([]chain.KeyLink, error) {
	if len(author.Former) == 0 {
		return nil, nil
	}
	var reply api.KeysReply
	if err := c.ask(ctx, l.Firm, "/keys", api.KeysRequest{Members: []wire.ObjectID{author.Member}}, &reply); err != nil {
		return nil, err
	}
	links, err := ownChain(reply, author)
	if err != nil {
		return nil, err
	}
	if last := links[len(links)-1]; !last.Bundle.Keys.Equal(author.Identity.Public()) {
		next, err := nextLink(last, author)
		if err != nil {
			return nil, err
		}
		r := Request{Method: methodPut, Path: api.Firm(l.Firm) + "/keys", ContentType: api.TypeBinary, Body: next.Bytes()}
		if err := c.retry(ctx, func() error { _, err := c.inFirm(ctx, l.Firm, r); return err }); err != nil {
			return nil, err
		}
		links = append(links, next)
	}
	if err := c.certifyAnew(ctx, l.Firm); err != nil {
		return nil, err
	}
	var seats api.Chains
	if err := c.getFirm(ctx, l.Firm, api.Firm(l.Firm)+"/chains", &seats); err != nil {
		return nil, err
	}
	for _, seat := range seats.Chains {
		if seat.Chain != l.Chain {
			continue
		}
		i := slices.IndexFunc(links, func(x chain.KeyLink) bool { return wire.Hash(x.Bundle.Keys.Fingerprint()) == seat.Keys })
		if i < 0 {
			return nil, ErrAccountKeys
		}
		return links[i+1:], nil
	}
	return nil, nil
}

// ownChain reads the author's links, each signed by the keys before, down to keys that are his.
func ownChain(reply api.KeysReply, author chain.Author) ([]chain.KeyLink, error) {
	if len(reply.Lookups) != 1 || len(reply.Lookups[0].Links) == 0 || len(reply.Lookups[0].Links) > chain.MaxKeyLinks {
		return nil, ErrUnknownReply
	}
	var links []chain.KeyLink
	var before *chain.KeyLink
	for _, raw := range reply.Lookups[0].Links {
		link, err := chain.ParseKeyLink(raw)
		if err != nil {
			return nil, err
		}
		if err := link.Follows(before); err != nil {
			return nil, err
		}
		links = append(links, link)
		before = &links[len(links)-1]
	}
	_, err := certifying(author, wire.Hash(before.Bundle.Keys.Fingerprint()))
	return links, err
}

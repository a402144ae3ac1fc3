package client

import (
	"context"
	"crypto/ed25519"
	"slices"
	"strings"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/recovery"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// Whoever holds a recovery's link makes an account, asks with new keys, waits until custodians agreed, and takes his identity
// back. All that it needs stands in the new account's keyring: it goes on after any interruption, days later, on any device.

// claimSeat is an identity that this account asks for.
type claimSeat struct {
	Link        string    `json:"link"`    // secret and all
	Package     []byte    `json:"package"` // as it was opened when it was asked for
	Salt        [16]byte  `json:"salt"`    // of the new identity
	Fingerprint wire.Hash `json:"fingerprint"`
	Sent        bool      `json:"sent"` // the server took the claim
	// Back is what was handed back, and Next the link from it to the new identity: once they are here nobody else is needed.
	Back *formerIdentity `json:"back,omitempty"`
	Next []byte          `json:"next,omitempty"`
}

func (k *keyring) claim(id wire.ObjectID) *claimSeat {
	for i := range k.Claims {
		if l, err := chain.ParseRecoveryLink(k.Claims[i].Link); err == nil && l.Recovery == id {
			return &k.Claims[i]
		}
	}
	return nil
}

func (k *keyring) dropClaim(id wire.ObjectID) {
	k.Claims = slices.DeleteFunc(k.Claims, func(x claimSeat) bool {
		l, err := chain.ParseRecoveryLink(x.Link)
		return err == nil && l.Recovery == id
	})
}

// open is a claim's link and what it opened.
func (s claimSeat) open() (l chain.RecoveryLink, p chain.RecoveryPackage, err error) {
	if l, err = chain.ParseRecoveryLink(s.Link); err == nil {
		p, err = l.Open(s.Package)
	}
	return l, p, err
}

// OfferView is what a recovery's link opens to. Names are the word of who began it; times are milliseconds, by the server's clock.
type OfferView struct {
	Firm       string   `json:"firm"`
	FirmName   string   `json:"firmName"`
	Recovery   string   `json:"recovery"`
	Person     string   `json:"person"`
	By         string   `json:"by"`
	K          int      `json:"k"`
	Hours      int      `json:"hours"`
	Custodians []string `json:"custodians"`
	OpensAt    int64    `json:"opensAt"`
	Until      int64    `json:"until"`
	Asked      bool     `json:"asked"` // this account asked already
	Here       bool     `json:"here"`  // this account is somebody in the firm, and cannot be another one there
}

// AskingView is an identity that this account asks for.
type AskingView struct {
	OfferView
	Words []string `json:"words"` // of the new keys, which custodians compare with the person
	// State: waiting; agreed, by enough; returning, where it was cut off; back; or over: stopped, expired, done, gone, and taken
	// where somebody else asked by the same link.
	State  string `json:"state"`
	Agreed int    `json:"agreed"`
	// SecondWay is missing: nothing is handed back to an account that has one way to unlock.
	SecondWay bool `json:"secondWay"`
	// Lost is how many chains are not open to what came back, in which a seat had keys of before.
	Lost    int         `json:"lost"`
	Renewal RenewalView `json:"renewal"`
}

// openedLink is a recovery's link that was opened.
type openedLink struct {
	link   chain.RecoveryLink
	pkg    chain.RecoveryPackage
	sealed []byte
}

// ParseRecoveryLink reads a recovery's link, whole or only what stands after #.
func ParseRecoveryLink(text string) (chain.RecoveryLink, error) {
	if i := strings.IndexByte(text, '#'); i >= 0 {
		text = text[i+1:]
	}
	l, err := chain.ParseRecoveryLink(strings.TrimSpace(text))
	if err != nil {
		return chain.RecoveryLink{}, fail(api.CodeBadLink, "")
	}
	return l, nil
}

// OpenRecovery fetches a recovery and opens it with its link.
func (c *Client) OpenRecovery(ctx context.Context, link string) (OfferView, error) {
	l, err := ParseRecoveryLink(link)
	if err != nil {
		return OfferView{}, err
	}
	var reply api.RecoveryReply
	if err := c.call(ctx, methodGet, api.RecoveryPath(l.Firm, l.Recovery), nil, &reply); err != nil {
		return OfferView{}, failureOf(err)
	}
	if reply.State != api.RecoveryOpen {
		return OfferView{}, fail(api.CodeRecoveryGone, "")
	}
	p, err := l.Open(reply.Package)
	if err != nil {
		return OfferView{}, c.refuse(ctx, "whose identity is handed back", err)
	}
	v := offerView(l, p, reply.Opens, reply.Until)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account != nil {
		v.Asked, v.Here = c.account.ring.claim(l.Recovery) != nil, c.account.ring.firm(l.Firm) != nil
	}
	c.ceremony = &ceremony{recovery: &openedLink{l, p, reply.Package}}
	return v, nil
}

func offerView(l chain.RecoveryLink, p chain.RecoveryPackage, opens, until int64) OfferView {
	return OfferView{Firm: l.Firm.String(), FirmName: p.FirmName, Recovery: l.Recovery.String(), Person: p.Person, By: p.By, K: int(p.K), Hours: int(p.Hours),
		Custodians: p.Names, OpensAt: opens * 1000, Until: until * 1000}
}

// RecoveryOptions begins the enrolment of who opened a link.
func (c *Client) RecoveryOptions(ctx context.Context) (Options, error) {
	c.mu.Lock()
	cer := c.ceremony
	c.mu.Unlock()
	if cer == nil || cer.recovery == nil {
		return Options{}, fail(api.CodeBadRequest, "")
	}
	l := cer.recovery.link
	proof := recoveryProof(l, api.ProofRecoveryEnrol, nil)
	var reply api.EnrolReply
	if err := c.call(ctx, methodPost, api.RouteEnrolments, api.EnrolRequest{Recovery: &proof}, &reply); err != nil {
		return Options{}, failureOf(err)
	}
	c.mu.Lock()
	cer.enrol = &reply
	c.mu.Unlock()
	return creationOptions(reply.Creation, cer.recovery.pkg.Person)
}

func recoveryProof(l chain.RecoveryLink, purpose string, subject []byte) api.RecoveryProof {
	p := api.RecoveryProof{Firm: l.Firm, Recovery: l.Recovery}
	p.Signature = ed25519.Sign(l.Key(), api.RecoveryProofMessage(purpose, p, subject))
	return p
}

// RecoveryFinish makes the new account, and asks.
func (c *Client) RecoveryFinish(ctx context.Context, u Unlocker) (AskingView, error) {
	c.mu.Lock()
	cer := c.ceremony
	c.mu.Unlock()
	if cer == nil || cer.recovery == nil || cer.enrol == nil {
		return AskingView{}, fail(api.CodeBadRequest, "")
	}
	a, err := c.newAccount(cer.enrol.Account, cer.recovery.pkg.Person)
	if err != nil {
		return AskingView{}, err
	}
	claim, err := c.newClaim(a, *cer.recovery)
	if err != nil {
		return AskingView{}, err
	}
	a.ring.Claims = []claimSeat{claim}
	if err := c.enrol(ctx, cer, a, u); err != nil {
		return AskingView{}, err
	}
	return c.claimed(ctx, cer.recovery.link.Recovery)
}

// ClaimRecovery asks for somebody who is signed in, and is nobody in that firm.
func (c *Client) ClaimRecovery(ctx context.Context) (AskingView, error) {
	a, err := c.who()
	if err != nil {
		return AskingView{}, err
	}
	c.mu.Lock()
	cer := c.ceremony
	c.mu.Unlock()
	if cer == nil || cer.recovery == nil {
		return AskingView{}, fail(api.CodeBadRequest, "")
	}
	claim, err := c.newClaim(a, *cer.recovery)
	if err != nil {
		return AskingView{}, err
	}
	l := cer.recovery.link
	c.mu.Lock()
	here, asked := a.ring.firm(l.Firm) != nil, a.ring.claim(l.Recovery) != nil
	c.mu.Unlock()
	switch {
	case here:
		return AskingView{}, fail(api.CodeNotAllowed, "") // an account is one member in a firm
	case !asked:
		err := c.updateKeyring(ctx, func(k *keyring) {
			if k.claim(l.Recovery) == nil {
				k.Claims = append(k.Claims, claim)
			}
		})
		if err != nil {
			return AskingView{}, failureOf(err)
		}
	}
	return c.claimed(ctx, l.Recovery)
}

// newClaim is a claim with a new identity.
func (c *Client) newClaim(a *account, o openedLink) (claimSeat, error) {
	c.secret("recovery secret", o.link.Secret[:])
	c.secret("recovery link", []byte(o.link.String()))
	seat, _, err := c.newIdentity(a, o.link.Firm, o.pkg.FirmName)
	if err != nil {
		return claimSeat{}, err
	}
	return claimSeat{Link: o.link.String(), Package: o.sealed, Salt: seat.Salt, Fingerprint: seat.Fingerprint}, nil
}

// Asking are the identities that this account asks for, as far as they are.
func (c *Client) Asking(ctx context.Context) ([]AskingView, error) {
	a, err := c.who()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	claims := slices.Clone(a.ring.Claims)
	c.mu.Unlock()
	views := []AskingView{}
	for _, s := range claims {
		l, err := chain.ParseRecoveryLink(s.Link)
		if err != nil {
			return nil, failureOf(err)
		}
		v, err := c.claimed(ctx, l.Recovery)
		if err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	return views, nil
}

// claimed is how far one is. A claim that the server did not take yet is sent.
func (c *Client) claimed(ctx context.Context, id wire.ObjectID) (AskingView, error) {
	v, _, err := c.standing(ctx, id)
	return v, failureErr(err)
}

// claimOf is a claim of this account's, and the new identity.
func (c *Client) claimOf(id wire.ObjectID) (claimSeat, *keys.Identity, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account == nil {
		return claimSeat{}, nil, fail(api.CodeNotSignedIn, "")
	}
	s := c.account.ring.claim(id)
	if s == nil {
		return claimSeat{}, nil, fail(api.CodeRecoveryGone, "")
	}
	var identity *keys.Identity
	if err := identify(&identity, c.account.root.IdentitySeed(s.Salt), s.Fingerprint); err != nil {
		return claimSeat{}, nil, err
	}
	return *s, identity, nil
}

func (c *Client) standing(ctx context.Context, id wire.ObjectID) (AskingView, api.RecoveryStanding, error) {
	var reply api.RecoveryStanding
	s, identity, err := c.claimOf(id)
	if err != nil {
		return AskingView{}, reply, err
	}
	l, p, err := s.open()
	if err != nil {
		return AskingView{}, reply, err
	}
	v := AskingView{OfferView: offerView(l, p, 0, 0), Words: identity.Public().Fingerprint().Words(), SecondWay: c.twoWays() != nil, Renewal: RenewalView{Left: []RenewalPending{}}}
	v.Asked = true
	if s.Next != nil {
		v.State, v.Agreed = "returning", v.K // the server is not asked any more
		return v, reply, nil
	}
	if reply, err = c.sendClaim(ctx, s, l, identity); hasCode(err, api.CodeRecoveryGone) {
		v.State, err = c.howEnded(ctx, l)
		return v, reply, err
	}
	if err != nil {
		return AskingView{}, reply, err
	}
	v.OpensAt, v.Until, v.Agreed, v.State = reply.Opens*1000, reply.Until*1000, reply.Agreed, "waiting"
	if len(reply.Escrow) > 0 {
		v.State = "agreed"
	}
	return v, reply, nil
}

// sendClaim sends a claim that was not sent yet, or asks how far it is.
func (c *Client) sendClaim(ctx context.Context, s claimSeat, l chain.RecoveryLink, identity *keys.Identity) (reply api.RecoveryStanding, err error) {
	path := api.RecoveryPath(l.Firm, l.Recovery)
	if s.Sent {
		err := c.call(ctx, methodGet, path+"/standing", nil, &reply)
		return reply, err
	}
	a, err := c.who()
	if err != nil {
		return reply, err
	}
	claim, err := l.Claim(identity)
	if err != nil {
		return reply, err
	}
	bundle := claim.Bundle.Bytes()
	proof := recoveryProof(l, api.ProofRecoveryClaim, api.ClaimSubject(a.id, bundle))
	req := api.RecoveryClaim{Bundle: bundle, Signature: claim.Signature, Proof: proof.Signature}
	if err := c.retry(ctx, func() error { return c.call(ctx, methodPost, path+"/claim", req, &reply) }); err != nil {
		return reply, err
	}
	return reply, c.updateKeyring(ctx, func(k *keyring) {
		if s := k.claim(l.Recovery); s != nil {
			s.Sent = true
		}
	})
}

// howEnded is why an account asks for nothing any more, as the server says.
func (c *Client) howEnded(ctx context.Context, l chain.RecoveryLink) (string, error) {
	var reply api.RecoveryReply
	if err := c.call(ctx, methodGet, api.RecoveryPath(l.Firm, l.Recovery), nil, &reply); err != nil {
		return "", err
	}
	switch reply.State {
	case api.RecoveryOpen:
		return "taken", nil
	case api.RecoveryDone, api.RecoveryStopped, api.RecoveryExpired:
		return reply.State, nil
	}
	return "gone", nil
}

// ForgetClaim asks no more.
func (c *Client) ForgetClaim(ctx context.Context, id wire.ObjectID) error {
	s, _, err := c.claimOf(id)
	if err != nil {
		return failureOf(err)
	}
	if s.Next != nil {
		return fail(api.CodeNotAllowed, "") // it is his again
	}
	return failureErr(c.updateKeyring(ctx, func(k *keyring) { k.dropClaim(id) }))
}

// TakeBack goes on once enough custodians agreed: it puts the identity together, has the new one follow it, and enters that
// wherever this person has a seat. Cut off, it goes on from where it stands.
func (c *Client) TakeBack(ctx context.Context, id wire.ObjectID) (AskingView, error) {
	v, reply, err := c.standing(ctx, id)
	if err != nil {
		return v, failureOf(err)
	}
	switch {
	case v.State == "waiting":
		return v, fail(api.CodeWaiting, "")
	case v.State != "agreed" && v.State != "returning":
		return v, fail(api.CodeRecoveryGone, "")
	}
	if err := c.twoWays(); err != nil {
		return v, err
	}
	if v.State == "agreed" {
		if err := c.putTogether(ctx, id, reply); err != nil {
			return v, err
		}
	}
	firm, err := c.bind(ctx, id)
	if err != nil {
		return v, err
	}
	if v.Lost, err = c.findMatters(ctx, firm); err != nil {
		return v, err
	}
	if v.Renewal, err = c.ContinueRenewal(ctx); err != nil {
		return v, err
	}
	v.State = "back"
	return v, failureErr(c.updateKeyring(ctx, func(k *keyring) { k.dropClaim(id) }))
}

// putTogether makes the identity of what custodians handed over, and the link from it to the new one. Neither leaves this
// account before the next step: what came back is held to the fingerprint in the recovery's link (attack 18).
func (c *Client) putTogether(ctx context.Context, id wire.ObjectID, reply api.RecoveryStanding) error {
	s, identity, err := c.claimOf(id)
	if err != nil {
		return failureOf(err)
	}
	l, p, err := s.open()
	if err != nil {
		return failureOf(err)
	}
	shares := map[wire.ObjectID][]byte{}
	for _, x := range reply.Shares {
		shares[x.Custodian] = x.Row
	}
	seed, err := l.Handed(p, identity, reply.Escrow, shares, func(k int, shares [][]byte) ([32]byte, error) {
		for _, share := range shares {
			c.secret("share", share)
		}
		key, err := recovery.Combine(k, shares)
		c.secret("escrow key", key[:])
		return key, err
	})
	if err != nil {
		return c.refuse(ctx, "what custodians handed over", err)
	}
	c.secret("identity seed", seed[:])
	back, err := keys.NewIdentity(seed)
	if err != nil {
		return failureOf(err)
	}
	newest, err := chain.ParseKeyLink(reply.Link)
	if err == nil && (newest.Firm != l.Firm || newest.Member != l.Member) {
		err = chain.ErrKeyLink
	}
	if err != nil {
		return c.refuse(ctx, "your keys in a firm", err)
	}
	if !newest.Bundle.Keys.Equal(back.Public()) {
		return fail(api.CodeRecoveryGone, "") // this person has other keys by now, which nobody left with custodians
	}
	bundle, err := chain.NewBundle(l.Member, identity)
	if err != nil {
		return failureOf(err)
	}
	next, err := newest.Next(bundle, back)
	if err != nil {
		return c.refuse(ctx, "your keys in a firm", err)
	}
	return failureErr(c.updateKeyring(ctx, func(k *keyring) {
		if s := k.claim(id); s != nil && s.Next == nil {
			s.Back, s.Next = &formerIdentity{Seed: seed, Fingerprint: l.Fingerprint}, next.Bytes()
		}
	}))
}

// bind makes this account the member, and is the firm.
func (c *Client) bind(ctx context.Context, id wire.ObjectID) (wire.ChainID, error) {
	s, identity, err := c.claimOf(id)
	if err != nil {
		return wire.ChainID{}, failureOf(err)
	}
	l, p, err := s.open()
	if err != nil {
		return wire.ChainID{}, failureOf(err)
	}
	if c.isMember(l) {
		return l.Firm, nil
	}
	finish := api.RecoveryFinish{Link: s.Next}
	err = c.retry(ctx, func() error {
		return c.call(ctx, methodPost, api.RecoveryPath(l.Firm, l.Recovery)+"/finish", finish, nil)
	})
	if hasCode(err, api.CodeRecoveryGone) {
		err = c.wasBound(ctx, l, identity)
	}
	if err != nil {
		return wire.ChainID{}, failureOf(err)
	}
	seat := firmSeat{Firm: l.Firm, Name: p.FirmName, Salt: s.Salt, Member: l.Member, Fingerprint: s.Fingerprint, Staff: true, Recovered: true, Former: []formerIdentity{*s.Back}}
	return l.Firm, failureErr(c.updateKeyring(ctx, func(k *keyring) {
		if k.firm(l.Firm) == nil {
			k.Firms = append(k.Firms, seat)
		}
	}))
}

// wasBound is nil where an answer that never came was a yes: after the recovery's time, what the server has of this account in
// the firm is all that says so. Where it was none, what was handed over is of no use, and is forgotten.
func (c *Client) wasBound(ctx context.Context, l chain.RecoveryLink, identity *keys.Identity) error {
	var ticket api.Ticket
	if err := c.call(ctx, methodPost, api.RouteTickets, api.TicketRequest{Firm: l.Firm}, &ticket); err != nil {
		return err
	}
	if ticket.Keys == wire.Hash(identity.Public().Fingerprint()) {
		return nil
	}
	if err := c.updateKeyring(ctx, func(k *keyring) {
		if s := k.claim(l.Recovery); s != nil {
			s.Back, s.Next = nil, nil
		}
	}); err != nil {
		return err
	}
	return fail(api.CodeRecoveryGone, "")
}

// isMember is whether this account is who a link is about.
func (c *Client) isMember(l chain.RecoveryLink) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account == nil {
		return false
	}
	seat := c.account.ring.firm(l.Firm)
	return seat != nil && seat.Member == l.Member
}

// findMatters has the account know every matter that this person has a seat in, as the server says, and is how many are lost.
// The firm's own chain is opened by the id that the link pins, and each matter like a newcomer's who is staff: somebody of the
// firm founded it who may (SPEC S-CLIENT-09). A reviewer opens nothing that would show it, and is invited again.
func (c *Client) findMatters(ctx context.Context, firm wire.ChainID) (lost int, err error) {
	own, err := c.matter(ctx, firm)
	if err != nil {
		return 0, err
	}
	author, err := c.author(firm)
	if err != nil {
		return 0, failureOf(err)
	}
	var list api.Chains
	if err := c.getFirm(ctx, firm, api.Firm(firm)+"/chains", &list); err != nil {
		return 0, failureOf(err)
	}
	due := []wire.ChainID{firm}
	for _, x := range list.Chains {
		if x.Chain == firm || x.Removed {
			continue
		}
		if _, err := certifying(author, x.Keys); err != nil || x.Waiting || x.Role == chain.RoleReviewer.String() {
			lost++
			continue
		}
		due = append(due, x.Chain)
	}
	if err := c.updateKeyring(ctx, func(k *keyring) {
		for _, id := range due[1:] {
			if k.matter(id) == nil {
				k.Matters = append(k.Matters, matterSeat{Chain: id, Firm: firm, Accepted: true})
			}
		}
	}); err != nil {
		return 0, failureOf(err)
	}
	names := map[wire.ChainID]string{}
	for _, id := range due[1:] {
		s, err := c.matter(ctx, id)
		switch {
		case err == nil:
			names[id] = s.Name
		case hasCode(err, api.CodeServerLied), hasCode(err, api.CodeReviewOnly), hasCode(err, api.CodeRemoved): // it stays in the list as such
		default:
			return 0, err
		}
	}
	return lost, failureErr(c.updateKeyring(ctx, func(k *keyring) {
		if seat := k.firm(firm); seat != nil {
			seat.Name = own.Name
		}
		for _, id := range due {
			if seat := k.matter(id); seat != nil && names[id] != "" {
				seat.Name = names[id]
			}
			if !slices.Contains(k.Renewing, id) {
				k.Renewing = append(k.Renewing, id)
			}
		}
	}))
}

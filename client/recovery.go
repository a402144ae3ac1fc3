package client

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// AgreeingView is a custodian in a recovery.
type AgreeingView struct {
	HolderView
	IsMe     bool    `json:"isMe"`
	AgreedAt *uint64 `json:"agreedAt"`
}

// RecoveryView is the handing back of somebody's identity. Times are milliseconds, by their authors' clocks.
type RecoveryView struct {
	Firm     string         `json:"firm"`
	FirmName string         `json:"firmName"`
	Recovery string         `json:"recovery"`
	Member   string         `json:"member"`
	Person   string         `json:"person"`
	Alike    []AlikeView    `json:"alike"`  // whom the person's name could be read as
	IsMine   bool           `json:"isMine"` // it is this person whom somebody asks for
	By       string         `json:"by"`
	Reason   string         `json:"reason"`
	At       uint64         `json:"at"`
	OpensAt  uint64         `json:"opensAt"` // by the clock of who began it
	Until    uint64         `json:"until"`
	State    string         `json:"state"` // open, expired, done, stopped, ended
	K        int            `json:"k"`
	Hours    int            `json:"hours"`
	Agreed   int            `json:"agreed"`
	Holders  []AgreeingView `json:"holders"`
	MayStop  bool           `json:"mayStop"`
	MayAgree bool           `json:"mayAgree"` // a custodian who did not yet, be it time or not
	// AgreesAt is when this account may agree at the earliest: the hours have passed since it was begun, and since this account
	// first saw it.
	AgreesAt  uint64  `json:"agreesAt"`
	EndedBy   string  `json:"endedBy"`
	EndedAt   *uint64 `json:"endedAt"`
	EndReason string  `json:"endReason"`
}

// RecoveriesView are the recoveries of a firm, newest first, and who can be handed back.
type RecoveriesView struct {
	Firm       string         `json:"firm"`
	FirmName   string         `json:"firmName"`
	Recoveries []RecoveryView `json:"recoveries"`
	MayBegin   []HolderView   `json:"mayBegin"` // of whom this person may begin one
}

// ClaimView is who asks to be handed an identity: the words of the new keys, which a custodian compares with the person.
type ClaimView struct {
	Fingerprint string   `json:"fingerprint"`
	Words       []string `json:"words"`
}

// CeremonyView is a recovery with the claim on it; nil where nobody opened the link yet.
type CeremonyView struct {
	RecoveryView
	Claim *ClaimView `json:"claim"`
}

// Alerts are what somebody is to be told at once: recoveries that concern him, identities that he is asked to leave anew, and
// those that he asks for himself.
type Alerts struct {
	Asking     []AskingView   `json:"asking"`
	Recoveries []RecoveryView `json:"recoveries"`
	Custodies  []CustodyView  `json:"custodies"`
}

var recoveryStates = map[chain.RecoveryState]string{chain.RecoveryOpen: "open", chain.RecoveryDone: "done", chain.RecoveryVetoed: "stopped", chain.RecoveryEnded: "ended"}

func words(fingerprint wire.Hash) []string { return keys.Fingerprint(fingerprint).Words() }

// Recoveries are for who has a seat in the firm's own chain.
func (c *Client) Recoveries(ctx context.Context, firm wire.ChainID) (RecoveriesView, error) {
	s, author, err := c.staff(ctx, firm)
	if err != nil {
		return RecoveriesView{}, err
	}
	v := RecoveriesView{Firm: firm.String(), FirmName: s.Name, Recoveries: []RecoveryView{}, MayBegin: []HolderView{}}
	for _, r := range s.Recoveries {
		v.Recoveries = append(v.Recoveries, c.recoveryView(s, author.Member, r))
	}
	slices.SortFunc(v.Recoveries, func(a, b RecoveryView) int {
		if a.At != b.At {
			return int(min(1, max(-1, int64(b.At)-int64(a.At))))
		}
		return strings.Compare(a.Recovery, b.Recovery)
	})
	for _, m := range s.Seated() {
		if m.Escrow == nil || !concerns(s, author.Member, m, m.Escrow) || m.ID == author.Member {
			continue
		}
		if open := s.RecoveryOf(m.ID); open == nil || c.expired(open) {
			v.MayBegin = append(v.MayBegin, HolderView{Member: m.ID.String(), Name: m.Name, Words: m.Keys.Fingerprint().Words(), Gone: !reaches(s, m.Escrow)})
		}
	}
	c.crowdOf(s, author.Member).mark(v.MayBegin)
	return v, nil
}

// concerns is whether somebody has a say in the recovery of a member: himself, an owner, a custodian.
func concerns(s *chain.State, self wire.ObjectID, subject *chain.Member, e *chain.Escrow) bool {
	me := s.Members[self]
	return me != nil && me.State == chain.MemberSeated && (me.ID == subject.ID || me.Role.May(chain.RightManage) || e.Holds(self))
}

func (c *Client) expired(r *chain.Recovery) bool { return r.Expires <= uint64(c.config.Now().Unix()) }

func (c *Client) recoveryView(s *chain.State, self wire.ObjectID, r *chain.Recovery) RecoveryView {
	v := RecoveryView{Firm: s.ID.String(), FirmName: s.Name, Recovery: r.ID.String(), Member: r.Member.String(), Person: nameOf(s, r.Member), IsMine: r.Member == self,
		By: nameOf(s, r.By), Reason: r.Reason, At: r.At, OpensAt: r.OpensAt(), Until: r.Expires * 1000, State: recoveryStates[r.State], K: int(r.Escrow.K),
		Hours: int(r.Escrow.Hours), Agreed: len(r.Approvals), Holders: []AgreeingView{}, AgreesAt: c.agreesAt(r), EndReason: r.EndReason}
	all := c.crowdOf(s, self)
	v.Alike = all.like(v.Person, v.Member)
	open := r.State == chain.RecoveryOpen
	if open && c.expired(r) {
		v.State = "expired"
	}
	if !open {
		v.EndedBy, v.EndedAt = nameOf(s, r.EndedBy), &r.EndedAt
	}
	subject := s.Members[r.Member]
	v.MayStop = open && subject != nil && concerns(s, self, subject, &r.Escrow)
	me := s.Members[self]
	v.MayAgree = v.State == "open" && subject != nil && subject.State == chain.MemberSeated && me != nil && me.State == chain.MemberSeated && r.Escrow.Holds(self)
	for _, h := range all.mark(holders(s, r.Escrow.Custodians)) {
		x := AgreeingView{HolderView: h, IsMe: h.Member == self.String()}
		for _, a := range r.Approvals {
			if a.Custodian.String() == h.Member {
				at := a.At
				x.AgreedAt = &at
			}
		}
		v.MayAgree = v.MayAgree && (!x.IsMe || x.AgreedAt == nil)
		v.Holders = append(v.Holders, x)
	}
	return v
}

// seenRecovery is when this account first saw that somebody is to be handed back. A custodian waits from then on, too: whoever
// began it may have set his clock back, and the server may have kept it to itself until the hours were over.
type seenRecovery struct {
	Firm     wire.ChainID  `json:"firm"`
	Recovery wire.ObjectID `json:"recovery"`
	At       uint64        `json:"at"` // milliseconds
}

func (k *keyring) sawRecovery(id wire.ObjectID) *seenRecovery {
	i := slices.IndexFunc(k.Recoveries, func(x seenRecovery) bool { return x.Recovery == id })
	if i < 0 {
		return nil
	}
	return &k.Recoveries[i]
}

// noteRecoveries remembers when this account first saw a recovery in which it holds a share, and forgets those that are over.
// Where the keyring cannot be written it is tried again the next time: the time runs from then on.
func (c *Client) noteRecoveries(ctx context.Context, m *matter) {
	author, err := c.author(m.firm)
	if m.id != m.firm || m.state == nil || err != nil {
		return
	}
	var fresh []seenRecovery
	over := func(x seenRecovery) bool {
		r := m.state.Recoveries[x.Recovery]
		return x.Firm == m.firm && (r == nil || r.State != chain.RecoveryOpen)
	}
	c.mu.Lock()
	if c.account == nil {
		c.mu.Unlock()
		return
	}
	now := uint64(c.config.Now().UnixMilli())
	for id, r := range m.state.Recoveries {
		if r.State == chain.RecoveryOpen && r.Escrow.Holds(author.Member) && c.account.ring.sawRecovery(id) == nil {
			fresh = append(fresh, seenRecovery{m.firm, id, now})
		}
	}
	due := len(fresh) > 0 || slices.ContainsFunc(c.account.ring.Recoveries, over)
	c.mu.Unlock()
	if !due {
		return
	}
	_ = c.updateKeyring(ctx, func(k *keyring) {
		k.Recoveries = slices.DeleteFunc(k.Recoveries, over)
		for _, x := range fresh {
			if k.sawRecovery(x.Recovery) == nil {
				k.Recoveries = append(k.Recoveries, x)
			}
		}
	})
}

// agreesAt is when this account agrees to a recovery at the earliest.
func (c *Client) agreesAt(r *chain.Recovery) uint64 {
	wait := uint64(time.Duration(r.Escrow.Hours) * time.Hour / time.Millisecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	first := uint64(c.config.Now().UnixMilli())
	if c.account != nil {
		if seen := c.account.ring.sawRecovery(r.ID); seen != nil {
			first = seen.At
		}
	}
	return max(r.OpensAt(), first+wait)
}

// Alerts looks through the firms that this person works in. One that cannot be reached holds the others up for nothing: it is
// looked at the next time.
func (c *Client) Alerts(ctx context.Context) (Alerts, error) {
	a, err := c.who()
	if err != nil {
		return Alerts{}, err
	}
	c.mu.Lock()
	var firms []wire.ChainID
	for _, f := range a.ring.Firms {
		if f.Staff {
			firms = append(firms, f.Firm)
		}
	}
	c.mu.Unlock()
	out := Alerts{Asking: []AskingView{}, Recoveries: []RecoveryView{}, Custodies: []CustodyView{}}
	if asking, err := c.Asking(ctx); err == nil {
		out.Asking = asking
	}
	for _, firm := range firms {
		s, author, err := c.staff(ctx, firm)
		if err != nil {
			continue // the screen that shows the firm says why
		}
		for _, r := range s.Recoveries {
			if subject := s.Members[r.Member]; r.State == chain.RecoveryOpen && subject != nil && concerns(s, author.Member, subject, &r.Escrow) {
				out.Recoveries = append(out.Recoveries, c.recoveryView(s, author.Member, r))
			}
		}
		if v, err := c.custodyView(s, author.Member); err == nil && v.Again {
			out.Custodies = append(out.Custodies, v)
		}
	}
	slices.SortFunc(out.Recoveries, func(a, b RecoveryView) int { return strings.Compare(a.Recovery, b.Recovery) })
	return out, nil
}

// expiredReason is what stands in the record where somebody begins anew because nobody came in time.
const expiredReason = "Its time was over."

// recoveryDays is how long custodians have after the hours in which everybody can say no.
const recoveryDays = 14

// BeginRecovery begins to hand a member's identity back, and is the link for him. It is shown once, and reaches him by another
// way than this service.
func (c *Client) BeginRecovery(ctx context.Context, firm wire.ChainID, member wire.ObjectID, reason string) (string, error) {
	if err := c.isFirm(firm); err != nil {
		return "", err
	}
	reason = strings.TrimSpace(reason)
	if reason == "" || len(reason) > chain.MaxReason {
		return "", fail(api.CodeBadRequest, "")
	}
	s, err := c.matter(ctx, firm)
	if err != nil {
		return "", err
	}
	if open := s.RecoveryOf(member); open != nil && c.expired(open) {
		if _, err := c.veto(ctx, firm, open.ID, expiredReason); err != nil {
			return "", err
		}
	}
	var link chain.RecoveryLink
	_, err = c.change(ctx, firm, func(s *chain.State, a chain.Author) (sub chain.Submission, err error) {
		subject := s.Members[member]
		if subject == nil || subject.Escrow == nil {
			return sub, chain.ErrRecovery
		}
		wait := time.Duration(subject.Escrow.Hours)*time.Hour + recoveryDays*24*time.Hour
		sub, link, err = s.Recover(a, member, reason, c.config.Now().Add(wait))
		return sub, err
	})
	if err != nil {
		return "", err
	}
	c.secret("recovery secret", link.Secret[:])
	c.secret("recovery link", []byte(link.String()))
	return c.config.Origin + "/recover#" + link.String(), nil
}

// Veto stops a recovery, as the member himself, an owner or a custodian.
func (c *Client) Veto(ctx context.Context, firm wire.ChainID, id wire.ObjectID, reason string) (RecoveryView, error) {
	if err := c.isFirm(firm); err != nil {
		return RecoveryView{}, err
	}
	s, err := c.veto(ctx, firm, id, strings.TrimSpace(reason))
	if err != nil {
		return RecoveryView{}, err
	}
	return c.shownRecovery(s, firm, id)
}

func (c *Client) veto(ctx context.Context, firm wire.ChainID, id wire.ObjectID, reason string) (*chain.State, error) {
	return c.change(ctx, firm, func(s *chain.State, a chain.Author) (chain.Submission, error) {
		if r := s.Recoveries[id]; r == nil || r.State != chain.RecoveryOpen {
			return chain.Submission{}, fail(api.CodeRecoveryGone, "")
		}
		return s.Veto(a, id, reason)
	})
}

func (c *Client) shownRecovery(s *chain.State, firm wire.ChainID, id wire.ObjectID) (RecoveryView, error) {
	author, err := c.author(firm)
	if err != nil {
		return RecoveryView{}, failureOf(err)
	}
	return c.recoveryView(s, author.Member, s.Recoveries[id]), nil
}

// Ceremony is a recovery with who asks.
func (c *Client) Ceremony(ctx context.Context, firm wire.ChainID, id wire.ObjectID) (CeremonyView, error) {
	s, author, err := c.staff(ctx, firm)
	if err != nil {
		return CeremonyView{}, err
	}
	r := s.Recoveries[id]
	if r == nil {
		return CeremonyView{}, fail(api.CodeRecoveryGone, "")
	}
	v := CeremonyView{RecoveryView: c.recoveryView(s, author.Member, r)}
	if !v.MayStop {
		return v, nil // it is over, or none of this person's business: nobody is shown who asks
	}
	claim, err := c.claim(ctx, s, r)
	if hasCode(err, api.CodeNotFound) || hasCode(err, api.CodeRecoveryGone) {
		return v, nil
	}
	if err != nil {
		return CeremonyView{}, err
	}
	v.Claim = &ClaimView{Fingerprint: claim.Bundle.Keys.Fingerprint().String(), Words: claim.Bundle.Keys.Fingerprint().Words()}
	return v, nil
}

// claim is who asks, held to the link that was made when the recovery was begun: whoever runs the server has no link, and
// shows nobody keys of his own (attack 18).
func (c *Client) claim(ctx context.Context, s *chain.State, r *chain.Recovery) (chain.Claim, error) {
	var reply api.ClaimReply
	if err := c.getFirm(ctx, s.ID, api.RecoveryPath(s.ID, r.ID)+"/claim", &reply); err != nil {
		return chain.Claim{}, failureOf(err)
	}
	bundle, err := chain.ParseBundle(reply.Bundle)
	claim := chain.Claim{Bundle: bundle, Signature: reply.Signature}
	if err == nil {
		err = claim.Verify(s.ID, r.ID, r.Member, r.PublicKey)
	}
	if err != nil {
		return chain.Claim{}, c.refuse(ctx, "who asks to be handed an identity", chain.ErrRecovery)
	}
	return claim, nil
}

// Approve hands this custodian's share over to the keys whose words he compared with the person: fingerprint is what he was
// shown. It is refused before the hours have passed by the clock of who began it and by this account's own.
func (c *Client) Approve(ctx context.Context, firm wire.ChainID, id wire.ObjectID, fingerprint string) (RecoveryView, error) {
	s, author, err := c.staff(ctx, firm)
	if err != nil {
		return RecoveryView{}, err
	}
	claim, share, err := c.toHandOver(ctx, s, author.Member, id, fingerprint)
	if err != nil {
		return RecoveryView{}, err
	}
	s, err = c.change(ctx, firm, func(s *chain.State, a chain.Author) (chain.Submission, error) {
		if err := c.mayAgree(s, a.Member, s.Recoveries[id]); err != nil {
			return chain.Submission{}, err
		}
		sub, err := s.Approve(a, id, claim, share.Row, share.Hashes)
		if errors.Is(err, chain.ErrRecovery) {
			// What he may was looked at: it is the share that is not the one he was given (attack 19).
			return sub, c.refuse(ctx, "this custodian's share", err)
		}
		return sub, err
	})
	if err != nil {
		return RecoveryView{}, err
	}
	return c.shownRecovery(s, firm, id)
}

// toHandOver gathers what an approval is made of.
func (c *Client) toHandOver(ctx context.Context, s *chain.State, self, id wire.ObjectID, fingerprint string) (claim chain.Claim, share api.ShareReply, err error) {
	r := s.Recoveries[id]
	if err := c.mayAgree(s, self, r); err != nil {
		return claim, share, err
	}
	if claim, err = c.claim(ctx, s, r); err != nil {
		return claim, share, err
	}
	if claim.Bundle.Keys.Fingerprint().String() != fingerprint {
		return claim, share, fail(api.CodeMoved, "") // somebody else asks by now: he compares again
	}
	err = c.getFirm(ctx, s.ID, api.RecoveryPath(s.ID, id)+"/share", &share)
	return claim, share, failureErr(err)
}

// mayAgree is whether a custodian may agree now, as a failure that says why not.
func (c *Client) mayAgree(s *chain.State, self wire.ObjectID, r *chain.Recovery) error {
	if r == nil {
		return fail(api.CodeRecoveryGone, "")
	}
	v := c.recoveryView(s, self, r)
	switch {
	case v.State != "open":
		return fail(api.CodeRecoveryGone, "")
	case !v.MayAgree:
		return fail(api.CodeNotAllowed, "")
	case uint64(c.config.Now().UnixMilli()) < v.AgreesAt:
		return fail(api.CodeTooEarly, "")
	}
	return nil
}

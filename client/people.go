package client

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

func decodeBase64URL(s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil {
		return nil, fail(api.CodeBadRequest, "")
	}
	return b, nil
}

// Invite makes an invite and is the whole link: the secret stands after #, and is shown once.
func (c *Client) Invite(ctx context.Context, id wire.ChainID, person string, role chain.Role, mode chain.InviteMode, expires time.Time) (string, wire.ObjectID, error) {
	firmName, err := c.firmName(ctx, id)
	if err != nil {
		return "", wire.ObjectID{}, err
	}
	var link chain.Link
	_, err = c.changeTo(ctx, id, owners, func(s *chain.State, a chain.Author) (sub chain.Submission, err error) {
		if m := s.Members[a.Member]; m != nil && m.Role.May(chain.RightManage) && a.Ways < 2 {
			return sub, fail(api.CodeSecondWay, "") // who invites others has two ways himself
		}
		sub, link, err = s.Invite(a, strings.TrimSpace(person), role, mode, expires, firmName)
		return sub, err
	})
	if err != nil {
		return "", wire.ObjectID{}, err
	}
	c.secret("invite secret", link.Secret[:])
	c.secret("invite link", []byte(link.String()))
	return c.config.Origin + "/join#" + link.String(), link.Invite, nil
}

// owners are whom an invite's secret is sealed to.
func owners(s *chain.State) []*chain.Member {
	return slices.DeleteFunc(s.Seated(), func(m *chain.Member) bool { return !m.Role.May(chain.RightManage) })
}

func (c *Client) firmName(_ context.Context, id wire.ChainID) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account == nil {
		return "", fail(api.CodeNotSignedIn, "")
	}
	firm := id
	if seat := c.account.ring.matter(id); seat != nil {
		firm = seat.Firm
	}
	if f := c.account.ring.firm(firm); f != nil {
		return f.Name, nil
	}
	return "", fail(api.CodeNotHere, "")
}

// CancelInvite ends an invite.
func (c *Client) CancelInvite(ctx context.Context, id wire.ChainID, invite wire.ObjectID) (*chain.State, error) {
	return c.change(ctx, id, func(s *chain.State, a chain.Author) (chain.Submission, error) { return s.Cancel(a, invite) })
}

// ConfirmInvite seats the guest who waits on an invite: the gesture that hands over keys, to the keys that were shown.
func (c *Client) ConfirmInvite(ctx context.Context, id wire.ChainID, invite wire.ObjectID) (*chain.State, error) {
	guest := func(s *chain.State) []*chain.Member {
		if i := s.Invites[invite]; i != nil && s.Members[i.Guest] != nil {
			return []*chain.Member{s.Members[i.Guest]}
		}
		return nil
	}
	return c.changeTo(ctx, id, guest, func(s *chain.State, a chain.Author) (chain.Submission, error) { return s.Admit(a, invite) })
}

// RemoveMember ends a seat: one entry that opens a new epoch for exactly the others.
func (c *Client) RemoveMember(ctx context.Context, id wire.ChainID, member wire.ObjectID) (*chain.State, error) {
	m, err := c.matterOf(id)
	if err != nil {
		return nil, err
	}
	rotate, err := c.rotation(ctx, m, chain.ReasonMemberRemoved, member)
	if err != nil {
		return nil, err
	}
	others := func(s *chain.State) []*chain.Member {
		return slices.DeleteFunc(s.Seated(), func(m *chain.Member) bool { return m.ID == member })
	}
	return c.changeTo(ctx, id, others, rotate)
}

// rotation makes the statement that opens the next epoch, without those who are removed.
func (c *Client) rotation(ctx context.Context, m *matter, reason chain.Reason, remove ...wire.ObjectID) (func(*chain.State, chain.Author) (chain.Submission, error), error) {
	firmName, err := c.firmName(ctx, m.id)
	if err != nil {
		return nil, err
	}
	return func(s *chain.State, a chain.Author) (chain.Submission, error) {
		var head api.ChainHead
		if err := c.getFirm(ctx, m.firm, api.Chain(m.firm, m.id), &head); err != nil {
			return chain.Submission{}, err
		}
		// What the statement signs of the trail is the server's word, but never less than what was signed before.
		if head.TrailPosition < s.TrailPosition || (head.TrailPosition == s.TrailPosition && head.TrailHead != s.TrailHead) {
			return chain.Submission{}, c.refuse(ctx, "the trail of a matter", ErrRolledBack)
		}
		sub, k, err := s.Rotate(a, chain.Rotation{Reason: reason, Remove: remove, TrailPosition: head.TrailPosition, TrailHead: head.TrailHead, FirmName: firmName})
		if err != nil {
			return sub, err
		}
		c.epochSecrets(k)
		s.AddKeys(k)
		return sub, nil
	}, nil
}

// Invitation is what a link opens to, before anything is agreed to.
type Invitation struct {
	chain.Package
	Link chain.Link
}

// ParseLink reads an invite link, whole or only what stands after #.
func ParseLink(link string) (chain.Link, error) {
	if i := strings.IndexByte(link, '#'); i >= 0 {
		link = link[i+1:]
	}
	l, err := chain.ParseLink(strings.TrimSpace(link))
	if err != nil {
		return chain.Link{}, fail(api.CodeBadLink, "")
	}
	return l, nil
}

// OpenInvite fetches an invite and opens it with its link.
func (c *Client) OpenInvite(ctx context.Context, link string) (Invitation, error) {
	l, err := ParseLink(link)
	if err != nil {
		return Invitation{}, err
	}
	p, _, err := c.fetchInvite(ctx, l)
	if err != nil {
		return Invitation{}, c.refuse(ctx, "who invites you to what", err)
	}
	c.mu.Lock()
	c.ceremony = &ceremony{link: &l, pkg: p}
	c.mu.Unlock()
	return Invitation{Package: p, Link: l}, nil
}

func (c *Client) fetchInvite(ctx context.Context, l chain.Link) (chain.Package, api.ChainHead, error) {
	var reply api.InviteReply
	if err := c.call(ctx, methodGet, api.Chain(l.Firm, l.Chain)+"/invites/"+l.Invite.String(), nil, &reply); err != nil {
		if hasCode(err, api.CodeNotFound) {
			err = fail(api.CodeInviteGone, "")
		}
		return chain.Package{}, api.ChainHead{}, err
	}
	switch reply.State {
	case "open":
	case "used":
		return chain.Package{}, api.ChainHead{}, fail(api.CodeInviteUsed, "")
	case "expired":
		return chain.Package{}, api.ChainHead{}, fail(api.CodeInviteExpired, "")
	default:
		return chain.Package{}, api.ChainHead{}, fail(api.CodeInviteGone, "")
	}
	p, err := l.OpenPackage(reply.Package)
	if err != nil {
		return chain.Package{}, api.ChainHead{}, err
	}
	if p.Expires <= uint64(c.config.Now().Unix()) {
		return chain.Package{}, api.ChainHead{}, fail(api.CodeInviteExpired, "")
	}
	if reply.Chain.Chain != l.Chain || reply.Chain.Position <= l.Position {
		return chain.Package{}, api.ChainHead{}, ErrRolledBack
	}
	return p, reply.Chain, nil
}

func inviteProof(l chain.Link, purpose string, subject []byte) api.InviteProof {
	p := api.InviteProof{Firm: l.Firm, Chain: l.Chain, Invite: l.Invite}
	p.Signature = ed25519.Sign(l.Key(), api.InviteProofMessage(purpose, p, subject))
	return p
}

func guestProof(a chain.Author, l chain.Link, ticket []byte) (*api.GuestProof, error) {
	bundle, err := chain.NewBundle(a.Member, a.Identity)
	if err != nil {
		return nil, err
	}
	return &api.GuestProof{Invite: inviteProof(l, api.ProofGuest, api.GuestSubject(ticket, bundle.Bytes())), Bundle: bundle.Bytes()}, nil
}

// InviteOptions begins a guest's enrolment.
func (c *Client) InviteOptions(ctx context.Context) (Options, error) {
	c.mu.Lock()
	cer := c.ceremony
	c.mu.Unlock()
	if cer == nil || cer.link == nil {
		return Options{}, fail(api.CodeBadRequest, "")
	}
	proof := inviteProof(*cer.link, api.ProofEnrol, nil)
	var reply api.EnrolReply
	if err := c.call(ctx, methodPost, api.RouteEnrolments, api.EnrolRequest{Invite: &proof}, &reply); err != nil {
		return Options{}, failureOf(err)
	}
	c.mu.Lock()
	cer.enrol = &reply
	c.mu.Unlock()
	return creationOptions(reply.Creation, cer.pkg.Person)
}

// InviteFinish makes the guest's account and identity and accepts.
func (c *Client) InviteFinish(ctx context.Context, u Unlocker) (wire.ChainID, error) {
	c.mu.Lock()
	cer := c.ceremony
	c.mu.Unlock()
	if cer == nil || cer.link == nil || cer.enrol == nil {
		return wire.ChainID{}, fail(api.CodeBadRequest, "")
	}
	a, err := c.newAccount(cer.enrol.Account, cer.pkg.Person)
	if err != nil {
		return wire.ChainID{}, err
	}
	seat, _, err := c.newIdentity(a, cer.link.Firm, cer.pkg.FirmName)
	if err != nil {
		return wire.ChainID{}, err
	}
	a.ring.Firms = []firmSeat{*seat}
	a.ring.Matters = []matterSeat{newSeat(*cer.link, cer.pkg)}
	if err := c.enrol(ctx, cer, a, u); err != nil {
		return wire.ChainID{}, err
	}
	return cer.link.Chain, c.finishJoin(ctx, cer.link.Chain)
}

func newSeat(l chain.Link, p chain.Package) matterSeat {
	// The link, secret and all, is kept sealed until the seat is verified: an interrupted join carries on after sign-in.
	seat := matterSeat{Chain: l.Chain, Firm: l.Firm, Name: p.ChainName, Link: l.String(), Log: p.Log}
	if p.Log != nil {
		seat.Role = p.Role.String()
	}
	return seat
}

// AcceptInvite accepts the opened invite for somebody who is signed in.
func (c *Client) AcceptInvite(ctx context.Context) (wire.ChainID, error) {
	c.mu.Lock()
	cer, a := c.ceremony, c.account
	c.mu.Unlock()
	if a == nil {
		return wire.ChainID{}, fail(api.CodeNotSignedIn, "")
	}
	if cer == nil || cer.link == nil {
		return wire.ChainID{}, fail(api.CodeBadRequest, "")
	}
	l := *cer.link
	c.mu.Lock()
	known := a.ring.matter(l.Chain)
	seated := known != nil && known.Link == "" && !known.Removed
	elsewhere := known != nil && known.Firm != l.Firm
	c.mu.Unlock()
	if elsewhere {
		return wire.ChainID{}, c.refuse(ctx, "the firm that a matter belongs to", chain.ErrAnchor)
	}
	if seated {
		// A second invite to where one is already changes nothing; what is remembered is touched only when the seat is gone.
		if _, err := c.matter(ctx, l.Chain); !hasCode(err, api.CodeRemoved) {
			return l.Chain, failureErr(err)
		}
		c.reopen(l.Chain)
	}
	seat, _, err := c.newIdentity(a, l.Firm, cer.pkg.FirmName)
	if err != nil {
		return wire.ChainID{}, err
	}
	if err := c.updateKeyring(ctx, func(k *keyring) {
		if k.firm(l.Firm) == nil {
			k.Firms = append(k.Firms, *seat)
		}
		if old := k.matter(l.Chain); old == nil {
			k.Matters = append(k.Matters, newSeat(l, cer.pkg))
		} else {
			// Back by a new invite, perhaps before this device learned that the seat had ended. What was verified before
			// stays pinned: it is the same chain.
			fresh := newSeat(l, cer.pkg)
			old.Link, old.Accepted, old.Removed, old.Log, old.Role = fresh.Link, false, false, fresh.Log, fresh.Role
		}
	}); err != nil {
		return wire.ChainID{}, failureOf(err)
	}
	return l.Chain, c.finishJoin(ctx, l.Chain)
}

// finishJoin sends the accept entry where it has not been sent, and opens the matter. CodeWaiting says that an owner
// must confirm first.
func (c *Client) finishJoin(ctx context.Context, id wire.ChainID) error {
	c.mu.Lock()
	seat := c.account.ring.matter(id)
	if seat == nil || seat.Link == "" {
		c.mu.Unlock()
		return fail(api.CodeNotHere, "")
	}
	text, accepted, reviews := seat.Link, seat.Accepted, seat.Log != nil
	c.mu.Unlock()
	l, err := chain.ParseLink(text)
	if err != nil {
		return failureOf(err)
	}
	if !accepted {
		err := c.accept(ctx, l)
		if hasCode(err, api.CodeInviteUsed) && c.acceptLanded(ctx, l, reviews) {
			err = nil
		}
		if err != nil {
			c.dropLink(ctx, id, err)
			return c.refuse(ctx, "the invite that was accepted", err)
		}
		if err := c.updateKeyring(ctx, func(k *keyring) {
			if s := k.matter(id); s != nil {
				s.Accepted = true
			}
		}); err != nil {
			return failureOf(err)
		}
	}
	s, err := c.matter(ctx, id)
	if hasCode(err, api.CodeReviewOnly) {
		return c.finishReview(ctx, l)
	}
	if err != nil {
		return failureOf(err)
	}
	// Also where the chain was open before: what the link promised is compared with what was verified (S-INV-14).
	if err := l.CheckPin(s); err != nil {
		return c.refuse(ctx, "who invites you to what", err)
	}
	// Verified against everything the link pinned: its secret is no longer needed.
	return failureErr(c.updateKeyring(ctx, func(k *keyring) {
		if seat := k.matter(id); seat != nil {
			seat.Link, seat.Name, seat.Position, seat.Head = "", s.Name, s.Position-1, s.Head
		}
		if firm := k.firm(id); firm != nil {
			firm.Staff = true // the firm's own chain: a seat there is what staff is
		}
	}))
}

// finishReview is finishJoin for a reviewer: the entry that his link pins must stand where it says, in a sequence that is
// whole.
func (c *Client) finishReview(ctx context.Context, l chain.Link) error {
	m, err := c.matterOf(l.Chain)
	if err != nil {
		return err
	}
	if _, _, err := c.verifySteady(ctx, m, &l); err != nil {
		return c.refuse(ctx, "who invites you to what", err)
	}
	return failureErr(c.updateKeyring(ctx, func(k *keyring) {
		if seat := k.matter(l.Chain); seat != nil {
			seat.Link = ""
		}
	}))
}

// dropLink forgets a link that cannot be accepted any more: kept, it would be tried before the matter at every visit.
func (c *Client) dropLink(ctx context.Context, id wire.ChainID, why error) {
	if !hasCode(why, api.CodeInviteGone) && !hasCode(why, api.CodeInviteExpired) && !hasCode(why, api.CodeInviteUsed) {
		return
	}
	_ = c.updateKeyring(ctx, func(k *keyring) { // where it fails, the next visit tries again
		if seat := k.matter(id); seat != nil && seat.Position > 0 {
			seat.Link = ""
		} else {
			k.dropMatter(id)
		}
	})
}

// reopen forgets that a matter was closed to us: a new invite may open it again.
func (c *Client) reopen(id wire.ChainID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.matters, id)
}

// acceptLanded reports whether it was this very person who used the invite: the accept entry arrived and its answer did
// not. A seat of another kind, or under other keys than his, he had before. It is the server's word, which decides nothing: a
// seat counts once the chain is verified against the link's pins.
func (c *Client) acceptLanded(ctx context.Context, l chain.Link, reviews bool) bool {
	author, err := c.author(l.Firm)
	if err != nil {
		return false
	}
	var list api.Chains
	if c.getFirm(ctx, l.Firm, api.Firm(l.Firm)+"/chains", &list) != nil {
		return false
	}
	return slices.ContainsFunc(list.Chains, func(s api.ChainSeat) bool {
		_, err := certifying(author, s.Keys)
		return s.Chain == l.Chain && !s.Removed && err == nil && reviews == (s.Role == chain.RoleReviewer.String())
	})
}

// kindOf is what a link invites to.
func kindOf(l chain.Link) chain.ChainKind {
	if l.Chain == l.Firm {
		return chain.KindFirm
	}
	return chain.KindCompartment
}

// accept opens a guest's session and appends the accept entry at the newest head.
func (c *Client) accept(ctx context.Context, l chain.Link) error {
	if err := c.openSession(ctx, l.Firm, &l); err != nil {
		return err
	}
	author, err := c.author(l.Firm)
	if err != nil {
		return err
	}
	if author.Links, err = c.linksBack(ctx, l, author); err != nil {
		return err
	}
	for range 16 {
		p, head, err := c.fetchInvite(ctx, l)
		if err != nil {
			return err
		}
		if kindOf(l).NeedsTwoWays(p.Role) && author.Ways < 2 {
			return fail(api.CodeSecondWay, "") // the link is kept: the join goes on once there is a second one
		}
		sub, err := l.Accept(author, p, head.Position, head.Head)
		if err != nil {
			return err
		}
		r := Request{Method: methodPost, Path: api.Chain(l.Firm, l.Chain) + "/entries", ContentType: api.TypeBinary, Body: sub.Bytes()}
		err = c.retry(ctx, func() error { _, err := c.inFirm(ctx, l.Firm, r); return err })
		if !hasCode(err, api.CodeMoved) {
			return err
		}
	}
	return fail(api.CodeUnavailable, "")
}

package auth

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"net/netip"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
)

// FirmToken is a firm's session, with its end.
type FirmToken struct {
	Token   Token
	Expires time.Time
	Opened  api.Opened
}

// OpenSession makes a firm's session from a ticket. The device's key is certified by the member's identity; somebody who
// is no member yet shows that he holds an invite, and binds his keys to his account by it.
//
// The ticket is used up first: when the answer is that the store failed, a new ticket is needed.
func (a *Service) OpenSession(ctx context.Context, now time.Time, firm wire.ChainID, from netip.Addr, req api.OpenSession) (FirmToken, error) {
	t, err := a.takeTicket(ctx, now, req.Ticket)
	if err != nil {
		return FirmToken{}, err
	}
	switch {
	case t.Firm != firm:
		return FirmToken{}, access.Deny(api.CodeNotSignedIn)
	case len(req.PublicKey) != ed25519.PublicKeySize || req.Session.IsZero() || req.Member.IsZero():
		return FirmToken{}, access.Deny(api.CodeBadRequest)
	case req.Expires <= uint64(now.Unix()):
		return FirmToken{}, access.Deny(api.CodeClock)
	case req.Expires > 1<<62:
		return FirmToken{}, access.Deny(api.CodeBadRequest)
	}
	token, err := a.random(tokenSize)
	if err != nil {
		return FirmToken{}, err
	}
	s := layout.Session{Seen: t.Seen, Account: t.Account, Member: req.Member, Session: req.Session, PublicKey: req.PublicKey, AccountSession: t.AccountSession, Created: t.Created, MFA: t.MFA, PasswordSet: t.PasswordSet, SSO: t.SSO, Renewals: t.Renewals}
	if err := a.Tell(ctx, now, firm); err != nil {
		return FirmToken{}, err
	}
	var l limits
	err = a.Store.Update(ctx, layout.FirmPartition(firm), func(tx store.Tx) error {
		var err error
		if l, err = a.firmLimits(tx); err != nil {
			return err
		}
		// By the firm's own times: a session that another firm would let go on does not come back in here by itself.
		if !l.fresh(t.Created, t.Seen, now) {
			return access.Deny(api.CodeNotSignedIn)
		}
		s.Expires = min(int64(req.Expires), t.Created+l.absolute)
		policy, _, err := ledger.Policy(tx)
		if err != nil {
			return err
		}
		if err := access.From(policy, from); err != nil {
			return err
		}
		if err := enough(tx, now, firm, s); err != nil {
			return err
		}
		bundle, err := a.bundleOf(tx, now, firm, t, req)
		if err != nil {
			return err
		}
		if chain.VerifySession(bundle.Keys, firm, req.Session, req.Member, req.PublicKey, req.Expires, req.Certificate) != nil {
			return access.Deny(api.CodeForbidden)
		}
		if err := outSince(tx, s.Member, t.Created); err != nil {
			return err
		}
		if err := ledger.Opens(tx, now, s.Member); err != nil {
			return err
		}
		if err := putSession(tx, s, token); err != nil {
			return err
		}
		if policy.OneSession {
			if err := a.endOlder(tx, now, firm, s); err != nil {
				return err
			}
		}
		if err := a.enters(tx, now, firm, s); err != nil {
			return err
		}
		return ledger.Sweep(tx, now.Unix())
	})
	if access.Is(err, api.CodeForbidden) {
		err = errors.Join(err, a.failedIn(ctx, now, firm, t.Account, "session"))
	}
	if err != nil {
		return FirmToken{}, err
	}
	if err := a.entered(ctx, now, firm, t, l); err != nil {
		undo := a.Store.Update(ctx, layout.FirmPartition(firm), func(tx store.Tx) error {
			return a.endSession(tx, now, firm, layout.SessionKey(token), endedByRevoking)
		})
		return FirmToken{}, errors.Join(err, undo)
	}
	return FirmToken{Token: token, Expires: time.Unix(s.Expires, 0), Opened: api.Opened{Idle: l.idle, Absolute: l.absolute, Expires: s.Expires}}, nil
}

// endOlder ends a member's sessions of other sign-ins. Of two that race, the one that comes last stays.
func (a *Service) endOlder(tx store.Tx, now time.Time, firm wire.ChainID, s layout.Session) error {
	rows, err := sessionsOf(tx, s.Member, func(as wire.ObjectID) bool { return as != s.AccountSession })
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := a.endSession(tx, now, firm, row, endedByOneSession); err != nil {
			return err
		}
	}
	return nil
}

// entered notes that an account is in a firm. It is the last word on a session that was ended while it entered: whoever
// ends it after this finds the firm noted, and its session there.
func (a *Service) entered(ctx context.Context, now time.Time, firm wire.ChainID, t layout.Ticket, l limits) error {
	return a.Store.Update(ctx, layout.Accounts, func(tx store.Tx) error {
		row, s, err := aliveByID(tx, t.Account, t.AccountSession, now)
		if err != nil {
			return err
		}
		if expires := s.Created + l.absolute; l.idle > s.Idle || expires > s.Expires {
			s.Idle, s.Expires = max(s.Idle, l.idle), max(s.Expires, expires)
			if err := layout.PutEphemeral(tx, row, s, s.Expires); err != nil {
				return err
			}
		}
		return tx.Put(layout.MembershipKey(t.Account, firm), nil)
	})
}

func (a *Service) takeTicket(ctx context.Context, now time.Time, ticket []byte) (layout.Ticket, error) {
	var t layout.Ticket
	err := a.Store.Update(ctx, layout.Accounts, func(tx store.Tx) (err error) {
		if t, err = take[layout.Ticket](tx, layout.TicketKey(ticket)); err != nil {
			return err
		}
		_, _, err = aliveByID(tx, t.Account, t.AccountSession, now)
		return err
	})
	if access.Is(err, api.CodeSignInFailed) || (err == nil && now.Unix() >= t.Expires) {
		err = access.Deny(api.CodeNotSignedIn)
	}
	return t, err
}

// putSession keeps a session under its token. An id is one member's with one key; a newer token ends the older one.
func putSession(tx store.Tx, s layout.Session, token Token) error {
	id, found, err := layout.Get[layout.SessionID](tx, layout.SessionIDKey(s.Session))
	if err != nil {
		return err
	}
	if found {
		if id.Member != s.Member || string(id.PublicKey) != string(s.PublicKey) {
			return access.Deny(api.CodeForbidden)
		}
		if err := tx.Delete([]byte(id.Token)); err != nil {
			return err
		}
		if err := tx.Delete(layout.FirmSessionKey(s.Member, []byte(id.Token))); err != nil {
			return err
		}
	}
	row := layout.SessionKey(token)
	id = layout.SessionID{Expires: s.Expires, Member: s.Member, PublicKey: s.PublicKey, Token: string(row)}
	if err := layout.PutEphemeral(tx, layout.SessionIDKey(s.Session), id, id.Expires); err != nil {
		return err
	}
	if err := tx.Put(layout.FirmSessionKey(s.Member, row), s.AccountSession[:]); err != nil {
		return err
	}
	return layout.PutEphemeral(tx, row, s, s.Expires)
}

// bundleOf is the public keys that a session must be certified by.
func (a *Service) bundleOf(tx store.Tx, now time.Time, firm wire.ChainID, t layout.Ticket, req api.OpenSession) (chain.Bundle, error) {
	m, found, err := layout.Get[layout.Member](tx, layout.MemberKey(req.Member))
	if err != nil {
		return chain.Bundle{}, err
	}
	if found {
		if m.Account != t.Account {
			return chain.Bundle{}, notHis(tx, t.Account, req.Member)
		}
		b, err := tx.Get(layout.KeysKey(req.Member))
		if err != nil {
			return chain.Bundle{}, err
		}
		return chain.ParseBundle(b)
	}
	if req.Guest == nil {
		return chain.Bundle{}, access.Deny(api.CodeForbidden)
	}
	return a.bindGuest(tx, now, firm, t, req)
}

// notHis is the answer to an account for whom a member is somebody else. Whose he was is told what happened.
func notHis(tx store.Tx, account, member wire.ObjectID) error {
	was, err := tx.Get(layout.MemberWasKey(account))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return access.Deny(api.CodeForbidden)
	case err == nil && bytes.Equal(was, member[:]):
		return access.Deny(api.CodeRecovered)
	}
	return deny(err, api.CodeForbidden)
}

func (a *Service) bindGuest(tx store.Tx, now time.Time, firm wire.ChainID, t layout.Ticket, req api.OpenSession) (chain.Bundle, error) {
	p := req.Guest.Invite
	bundle, err := chain.ParseBundle(req.Guest.Bundle)
	if err != nil || p.Firm != firm {
		return chain.Bundle{}, access.Deny(api.CodeBadRequest)
	}
	if _, err := checkInvite(tx, now, api.ProofGuest, p, api.GuestSubject(req.Ticket, req.Guest.Bundle)); err != nil {
		return chain.Bundle{}, err
	}
	if bundle.Member != req.Member || bundle.Verify() != nil {
		return chain.Bundle{}, access.Deny(api.CodeForbidden)
	}
	return bundle, PutMember(tx, a.Log, firm, t.Account, t.Renewals, bundle)
}

// PutMember binds a member to an account and enters its keys into the directory. A member that is another account's, or
// has other keys, is refused: nobody's keys change but by an entry (attack 2).
func PutMember(tx store.Tx, l *ledger.Log, firm wire.ChainID, account wire.ObjectID, renewals int, b chain.Bundle) error {
	want := layout.Member{Account: account, Fingerprint: wire.Hash(b.Keys.Fingerprint()), Renewals: renewals}
	old, found, err := layout.Get[layout.Member](tx, layout.MemberKey(b.Member))
	if err != nil {
		return err
	}
	if found {
		if old.Account != want.Account || old.Fingerprint != want.Fingerprint {
			return access.Deny(api.CodeForbidden)
		}
		return nil
	}
	// An account is one member in a firm: a link does not make as many as its holder likes.
	switch _, err := tx.Get(layout.MemberOfKey(account)); {
	case err == nil:
		return access.Deny(api.CodeForbidden)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	if err := tx.Put(layout.MemberOfKey(account), b.Member[:]); err != nil {
		return err
	}
	if err := layout.Put(tx, layout.MemberKey(b.Member), want); err != nil {
		return err
	}
	return l.PutLink(tx, chain.FirstKeyLink(firm, b))
}

// PutKeys enters a member's next keys, which his old ones signed. His other sessions in the firm end: the old keys vouch for
// them. The same request again is answered as it was, with the proof of the link's label.
func (a *Service) PutKeys(ctx context.Context, now time.Time, c access.Caller, link chain.KeyLink) (out ledger.Appended, proof []byte, err error) {
	err = a.Store.Update(ctx, layout.FirmPartition(c.Firm), func(tx store.Tx) error {
		if err := a.Stands(tx, now, c); err != nil {
			return err
		}
		m, found, err := layout.Get[layout.Member](tx, layout.MemberKey(c.Member))
		if err != nil {
			return err
		}
		if !found {
			return access.Deny(api.CodeForbidden)
		}
		fingerprint := wire.Hash(link.Bundle.Keys.Fingerprint())
		if link.Member != c.Member || m.Fingerprint != fingerprint {
			if err := a.nextKeys(tx, c, link, m); err != nil {
				return err
			}
			if err := a.endOthersOf(tx, now, c); err != nil {
				return err
			}
		}
		out.Index, proof, found, err = a.Log.Linked(tx, link)
		if err == nil && !found {
			err = access.Deny(api.CodeForbidden)
		}
		return err
	})
	return out, proof, err
}

func (a *Service) nextKeys(tx store.Tx, c access.Caller, link chain.KeyLink, m layout.Member) error {
	if err := access.Link(c, link, m.Renewals); err != nil {
		return err
	}
	if err := a.Log.PutLink(tx, link); err != nil {
		return err
	}
	m.Fingerprint, m.Renewals = wire.Hash(link.Bundle.Keys.Fingerprint()), c.Renewals
	return layout.Put(tx, layout.MemberKey(c.Member), m)
}

// endOthersOf ends every session of a member in a firm but the caller's own.
func (a *Service) endOthersOf(tx store.Tx, now time.Time, c access.Caller) error {
	rows, err := sessionsOf(tx, c.Member, func(wire.ObjectID) bool { return true })
	if err != nil {
		return err
	}
	for _, row := range rows {
		s, found, err := layout.Get[layout.Session](tx, row)
		if err != nil {
			return err
		}
		if found && s.Session == c.Session {
			continue
		}
		if err := a.endSession(tx, now, c.Firm, row, endedByRevoking); err != nil {
			return err
		}
	}
	return nil
}

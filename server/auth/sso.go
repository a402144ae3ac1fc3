package auth

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/auth/idp"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
)

// IdentityProviders keeps what firms registered with their identity providers. It is no part of the store: whoever copies
// that gets no client's secret, which may open more at the provider than a sign-in here.
type IdentityProviders interface {
	// Settings of a firm; found is false where it has no provider.
	Settings(ctx context.Context, firm wire.ChainID) (s idp.Settings, found bool, err error)
}

// SSOSeconds is how long somebody may take at his identity provider.
const SSOSeconds = 10 * 60

// SSOAddress is where a firm's identity provider sends browsers back to. Each firm has one of its own, so that what one
// provider answers is never taken to another (RFC 9700, 4.4).
func (a *Service) SSOAddress(firm wire.ChainID) string {
	return a.Origin + strings.Replace(api.RouteSSOFinish, ":firm", firm.String(), 1)
}

func (a *Service) settings(ctx context.Context, firm wire.ChainID) (s idp.Settings, found bool, err error) {
	if a.Providers == nil {
		return s, false, nil
	}
	if s, found, err = a.Providers.Settings(ctx, firm); err == nil && found {
		err = s.Check()
	}
	return s, found, err
}

// provider is a firm's. That it has none is a sign-in that failed.
func (a *Service) provider(ctx context.Context, firm wire.ChainID) (idp.Settings, error) {
	s, found, err := a.settings(ctx, firm)
	if err == nil && !found {
		err = access.Deny(api.CodeSignInFailed)
	}
	return s, err
}

// worksIn is whether an account has a seat in a firm's own chain.
func (a *Service) worksIn(ctx context.Context, firm wire.ChainID, account wire.ObjectID) error {
	return a.Store.View(ctx, layout.FirmPartition(firm), func(tx store.Tx) error {
		member, err := tx.Get(layout.MemberOfKey(account))
		if errors.Is(err, store.ErrNotFound) || (err == nil && len(member) != len(wire.ObjectID{})) {
			return access.Deny(api.CodeNotFound)
		}
		if err != nil {
			return err
		}
		seat, err := ledger.Seat(tx, firm, wire.ObjectID(member))
		if err != nil {
			return err
		}
		return access.Staff(seat)
	})
}

// SSO lists the identity providers of the firms that an account works in, and which it is linked with.
func (a *Service) SSO(ctx context.Context, who Who) (api.SSOList, error) {
	out := api.SSOList{Firms: []api.SSO{}}
	var all []api.SSO
	err := a.Store.View(ctx, layout.Accounts, func(tx store.Tx) error {
		all = nil
		return tx.Scan(layout.MembershipsOf(who.Account), nil, 0, func(k, _ []byte) error {
			firm, err := wire.ParseHash(layout.Last(k))
			if err != nil {
				return err
			}
			_, link, found, err := subjectOf(tx, who.Account, firm)
			all = append(all, api.SSO{Firm: firm, Linked: found, Created: link.Created, LastUsed: link.LastUsed})
			return err
		})
	})
	if err != nil {
		return out, err
	}
	for _, one := range all {
		s, found, err := a.settings(ctx, one.Firm)
		if err != nil {
			return out, err
		}
		if !found {
			continue
		}
		var denied *api.Error
		if err := a.worksIn(ctx, one.Firm, who.Account); err != nil && !errors.As(err, &denied) {
			return out, err
		}
		if denied == nil || one.Linked {
			one.Issuer = s.Issuer
			out.Firms = append(out.Firms, one)
		}
	}
	return out, nil
}

// subjectOf is an account's subject at a firm's identity provider, and its link.
func subjectOf(tx store.Tx, account wire.ObjectID, firm wire.ChainID) (subject layout.SSOSubject, link layout.SSO, found bool, err error) {
	hash, err := tx.Get(layout.SSOOfKey(account, firm))
	if errors.Is(err, store.ErrNotFound) {
		return subject, link, false, nil
	}
	if err != nil {
		return subject, link, false, err
	}
	subject = layout.SSOSubject{Firm: firm, Hash: string(hash)}
	link, found, err = layout.Get[layout.SSO](tx, layout.SSOKey(subject))
	return subject, link, found, err
}

// AllowSSO gives a session that just showed a factor, and has unlocked the account, leave to link its account with a firm's
// identity provider. Only who has a seat in the firm's own chain gets it: what a firm's provider says is its word about its own
// staff.
func (a *Service) AllowSSO(ctx context.Context, now time.Time, who Who, req api.SSORequest) (out api.SSOReply, err error) {
	if err := who.justProved(now); err != nil {
		return out, err
	}
	if _, found, err := a.settings(ctx, req.Firm); err != nil || !found {
		return out, errors.Join(err, access.Deny(api.CodeNotFound))
	}
	if err := a.worksIn(ctx, req.Firm, who.Account); err != nil {
		return out, err
	}
	if out.Link, err = wire.NewObjectID(a.Random); err != nil {
		return out, err
	}
	l := layout.SSOLeave{Expires: now.Unix() + api.CeremonySeconds, Firm: req.Firm, Account: who.Account, AccountSession: who.Session}
	return out, a.updateAs(ctx, now, who, func(tx store.Tx) error {
		if err := who.unlocked(tx); err != nil {
			return err
		}
		return layout.PutEphemeral(tx, layout.SSOLeaveKey(out.Link), l, l.Expires)
	})
}

// SSOBegin is a sign-in to begin.
type SSOBegin struct {
	Firm    wire.ChainID
	Then    string        // page of ours to go to
	Leave   wire.ObjectID // to link the account of Browser's session; zero: nothing is linked
	Browser Token         // of the session that the browser has; nil: none
}

// BeginSSO is the address at the identity provider, and the secret that the browser is to come back with.
func (a *Service) BeginSSO(ctx context.Context, now time.Time, b SSOBegin) (address string, secret idp.Secret, err error) {
	s, err := a.provider(ctx, b.Firm)
	if err != nil {
		return "", secret, err
	}
	if _, err := io.ReadFull(a.Random, secret[:]); err != nil {
		return "", secret, err
	}
	link := !b.Leave.IsZero()
	// Who links signs in there anew: another's session at the provider, in a browser that two people use, would be linked else.
	if address, err = a.party.Address(ctx, now, s, a.SSOAddress(b.Firm), secret, idp.Anew(link)); err != nil {
		return "", secret, ssoError(err)
	}
	begun := layout.SSOBegun{Expires: now.Unix() + SSOSeconds, Firm: b.Firm, Issuer: s.Issuer, Then: b.Then, Link: link}
	return address, secret, a.update(ctx, now, func(tx store.Tx) error {
		begun := begun
		if b.Browser != nil {
			had, err := alive(tx, layout.SessionKey(b.Browser), now)
			if isDenied(err) {
				had, err = layout.AccountSession{}, nil
			}
			if err != nil {
				return err
			}
			begun.Account, begun.AccountSession = had.Account, had.ID
		}
		if link {
			if err := takeLeave(tx, now, b, begun); err != nil {
				return err
			}
		}
		return layout.PutEphemeral(tx, layout.SSOBegunKey(secret[:]), begun, begun.Expires)
	})
}

// takeLeave uses leave to link, which is for one session.
func takeLeave(tx store.Tx, now time.Time, b SSOBegin, begun layout.SSOBegun) error {
	l, err := take[layout.SSOLeave](tx, layout.SSOLeaveKey(b.Leave))
	if err != nil {
		return err
	}
	if now.Unix() >= l.Expires || l.Firm != b.Firm || l.Account != begun.Account || l.AccountSession != begun.AccountSession {
		return access.Deny(api.CodeSignInFailed)
	}
	return nil
}

func isDenied(err error) bool {
	var denied *api.Error
	return errors.As(err, &denied)
}

// ssoError gives what went wrong at a provider its code. What it was stays with it, for whoever runs the server.
func ssoError(err error) error {
	var refused *idp.Refused
	switch {
	case errors.As(err, &refused):
		return errors.Join(access.Deny(api.CodeSignInFailed), err)
	case errors.Is(err, idp.ErrAway):
		return errors.Join(access.Deny(api.CodeUnavailable), err)
	}
	return err
}

// SSOFinish is a browser that came back from an identity provider.
type SSOFinish struct {
	Firm   wire.ChainID // whose address it came to
	Secret idp.Secret
	State  string
	Reply  idp.Reply
}

// SSOEnd is what came of it.
type SSOEnd struct {
	Then  string // page to go to, also where it failed; empty where it is not known
	Token Token  // of the session that was opened; nil where an account was linked
}

// FinishSSO opens the session of whoever the identity provider says is at the browser, or links the account of the session
// that asked for it. Every failure is one answer, but that the provider is away. Where it is known whom it was about, the
// firm's auditors are told.
func (a *Service) FinishSSO(ctx context.Context, now time.Time, f SSOFinish) (end SSOEnd, err error) {
	failed := access.Deny(api.CodeSignInFailed)
	if !f.Secret.Began(f.State) {
		return end, failed // nothing is used up: another page made the browser come here
	}
	var begun layout.SSOBegun
	err = a.Store.Update(ctx, layout.Accounts, func(tx store.Tx) (err error) {
		begun, err = take[layout.SSOBegun](tx, layout.SSOBegunKey(f.Secret[:]))
		return err
	})
	if err != nil {
		return end, err
	}
	end.Then = begun.Then
	s, err := a.provider(ctx, f.Firm)
	if err != nil {
		return end, err
	}
	if now.Unix() >= begun.Expires || begun.Firm != f.Firm || begun.Issuer != s.Issuer {
		return end, failed
	}
	said, err := a.party.Subject(ctx, now, s, a.SSOAddress(f.Firm), f.Secret, f.Reply)
	var refused *idp.Refused
	if errors.As(err, &refused) {
		said = refused.Subject
	}
	subject := layout.NewSSOSubject(f.Firm, s.Issuer, said)
	switch {
	case err != nil:
		err = ssoError(err)
	case begun.Link:
		err = a.linkSSO(ctx, now, begun, subject)
	default:
		end.Token, err = a.signInSSO(ctx, now, begun, subject)
	}
	return end, a.ssoFailed(ctx, now, subject, err)
}

// ssoFailed tells the auditors of a firm that a sign-in failed for somebody whom its identity provider named, where he is
// linked. The error stays what it was.
func (a *Service) ssoFailed(ctx context.Context, now time.Time, s layout.SSOSubject, cause error) error {
	if !access.Is(cause, api.CodeSignInFailed) {
		return cause
	}
	account, err := a.accountOf(ctx, s)
	if isDenied(err) {
		return cause
	}
	if err == nil {
		err = a.failedIn(ctx, now, s.Firm, account, kindSSO)
	}
	return errors.Join(cause, err)
}

// accountOf is whose a subject is.
func (a *Service) accountOf(ctx context.Context, s layout.SSOSubject) (account wire.ObjectID, err error) {
	err = a.Store.View(ctx, layout.Accounts, func(tx store.Tx) error {
		link, found, err := layout.Get[layout.SSO](tx, layout.SSOKey(s))
		if err == nil && !found {
			err = access.Deny(api.CodeSignInFailed)
		}
		account = link.Account
		return err
	})
	return account, err
}

// signInSSO opens a session. It takes the place of the one that the browser had, where that was the same person's.
func (a *Service) signInSSO(ctx context.Context, now time.Time, begun layout.SSOBegun, s layout.SSOSubject) (Token, error) {
	account, err := a.accountOf(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := a.worksIn(ctx, s.Firm, account); err != nil {
		return nil, oneAnswer(err)
	}
	token, err := a.random(tokenSize)
	if err != nil {
		return nil, err
	}
	err = a.update(ctx, now, func(tx store.Tx) error {
		link, found, err := layout.Get[layout.SSO](tx, layout.SSOKey(s))
		if err != nil {
			return err
		}
		if !found || link.Account != account {
			return access.Deny(api.CodeSignInFailed)
		}
		link.LastUsed = now.Unix()
		if err := layout.Put(tx, layout.SSOKey(s), link); err != nil {
			return err
		}
		_, err = a.openAccountSession(tx, now, account, []layout.Factor{ssoFactor(s)}, token, Browser{})
		return err
	})
	if err == nil && begun.Account == account {
		err = a.end(ctx, now, Who{Account: account}, endedBySignOut, func(had layout.AccountSession) bool { return had.ID == begun.AccountSession })
	}
	return token, err
}

// ssoFactor is what a session is noted with that a firm's identity provider opened.
func ssoFactor(s layout.SSOSubject) layout.Factor { return layout.Factor{Kind: kindSSO, ID: s.ID()} }

func isSSO(f layout.Factor) bool { return f.Kind == kindSSO }

// oneAnswer is for who may not, at a sign-in: he learns no reason.
func oneAnswer(err error) error {
	if isDenied(err) {
		return access.Deny(api.CodeSignInFailed)
	}
	return err
}

// linkSSO makes a subject an account's: one that is nobody else's, for an account that has no other in the firm.
func (a *Service) linkSSO(ctx context.Context, now time.Time, begun layout.SSOBegun, s layout.SSOSubject) error {
	if err := a.worksIn(ctx, s.Firm, begun.Account); err != nil {
		return oneAnswer(err)
	}
	return a.update(ctx, now, func(tx store.Tx) error {
		if _, _, err := aliveByID(tx, begun.Account, begun.AccountSession, now); err != nil {
			return oneAnswer(err)
		}
		theirs, taken, err := layout.Get[layout.SSO](tx, layout.SSOKey(s))
		if err != nil {
			return err
		}
		_, _, has, err := subjectOf(tx, begun.Account, s.Firm)
		if err != nil {
			return err
		}
		if taken && theirs.Account == begun.Account {
			return nil
		}
		if taken || has {
			return access.Deny(api.CodeSignInFailed)
		}
		if err := tx.Put(layout.SSOOfKey(begun.Account, s.Firm), []byte(s.Hash)); err != nil {
			return err
		}
		return layout.Put(tx, layout.SSOKey(s), layout.SSO{Account: begun.Account, Created: now.Unix()})
	})
}

// linkHolds is whether a session may go on: one that an identity provider opened only as long as the account is linked, and has
// a seat in the firm's own chain.
func (a *Service) linkHolds(ctx context.Context, s layout.AccountSession) error {
	i := slices.IndexFunc(s.Factors, isSSO)
	if i < 0 || s.Factors[i].ID == "" { // see withoutSSO
		return nil
	}
	ended := access.Deny(api.CodeSessionEnded)
	subject, ok := layout.ParseSSOSubject(s.Factors[i].ID)
	if !ok {
		return ended
	}
	account, err := a.accountOf(ctx, subject)
	if err == nil && account == s.Account {
		err = a.worksIn(ctx, subject.Firm, account)
	}
	if isDenied(err) || (err == nil && account != s.Account) {
		return ended
	}
	return err
}

// UnlinkSSO ends an account's link with a firm's identity provider, and every session that it opened, in every firm, before it
// returns. The session that asks goes on: it showed another factor. No way to unlock goes, and no way in that counts as one
// (SPEC S-SESSION-02).
func (a *Service) UnlinkSSO(ctx context.Context, now time.Time, who Who, firm wire.ChainID) error {
	if err := who.justProved(now); err != nil {
		return err
	}
	return a.unlink(ctx, now, who, firm, who.unlocked)
}

// unlink is that, where may, asked in the write, lets it be.
func (a *Service) unlink(ctx context.Context, now time.Time, who Who, firm wire.ChainID, may func(store.Tx) error) error {
	had := false
	err := a.endBy(ctx, now, who, endedByFactor, func(tx store.Tx) (func(layout.AccountSession) bool, error) {
		if err := may(tx); err != nil {
			return nil, err
		}
		s, _, found, err := subjectOf(tx, who.Account, firm)
		if had = found; err != nil || !found {
			return othersBy(who), err
		}
		for _, k := range [][]byte{layout.SSOKey(s), layout.SSOOfKey(who.Account, firm)} {
			if err := tx.Delete(k); err != nil {
				return nil, err
			}
		}
		return othersBy(who, ssoFactor(s)), withoutSSO(tx, who, s)
	})
	if err == nil && !had {
		err = access.Deny(api.CodeNotFound)
	}
	return err
}

// withoutSSO has the caller's own session go on by what was shown in it since, if the subject opened it.
func withoutSSO(tx store.Tx, who Who, s layout.SSOSubject) error {
	row, found, err := layout.Get[layout.AccountSession](tx, layout.SessionKey(who.Token))
	i := slices.Index(row.Factors, ssoFactor(s))
	if err != nil || !found || i < 0 {
		return err
	}
	row.Factors[i].ID = ""
	return layout.Put(tx, layout.SessionKey(who.Token), row)
}

// ForgetProvider ends every link with a firm's identity provider, and every session that it opened: the firm has another
// one, or none.
func (a *Service) ForgetProvider(ctx context.Context, now time.Time, firm wire.ChainID) (links int, err error) {
	var accounts []wire.ObjectID
	err = a.Store.View(ctx, layout.Accounts, func(tx store.Tx) error {
		accounts = nil
		return tx.Scan(layout.SSOIn(firm), nil, 0, func(k, _ []byte) error {
			link, found, err := layout.Get[layout.SSO](tx, k)
			if found {
				accounts = append(accounts, link.Account)
			}
			return err
		})
	})
	for _, account := range accounts {
		if err == nil {
			// As its owner would, from no session: whoever runs the server is not asked.
			err = a.unlink(ctx, now, Who{Account: account}, firm, func(store.Tx) error { return nil })
		}
	}
	return len(accounts), err
}

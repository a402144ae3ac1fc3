package auth

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
)

// Use says whether a person caused a request. Only that keeps a session alive (SPEC S-SESSION-03).
type Use bool

// Uses.
const (
	Attended   Use = true
	Unattended Use = false
)

// limits are how long sessions last, in seconds.
type limits struct{ idle, absolute int64 }

func (a *Service) defaults() limits {
	return limits{int64(a.Idle / time.Second), int64(a.Absolute / time.Second)}
}

// fresh is whether a session of these times goes on.
func (l limits) fresh(created, seen int64, now time.Time) bool {
	return now.Unix() < seen+l.idle && now.Unix() < created+l.absolute
}

// touches is whether a use is written down: rarely, but often enough for a short idle time.
func (l limits) touches(seen int64, use Use, now time.Time) bool {
	return use == Attended && now.Unix() >= seen+min(touchSeconds, l.idle/4)
}

// Kinds of factors, as sessions are listed and auditors are told.
const (
	kindPasskey    = "passkey"
	kindKit        = "kit"
	kindPassphrase = "passphrase"
	kindPassword   = "password"
	kindCode       = "totp"
	kindDevice     = "device" // another one, which enrolled this one
	kindSSO        = "sso"    // no factor of the person's: a firm's identity provider says who he is
)

var kindOf = map[vault.Method]string{vault.MethodPasskey: kindPasskey, vault.MethodKit: kindKit, vault.MethodPassphrase: kindPassphrase, vault.MethodPassword: kindPassword}

// factor is something that was shown, by what tells it from others of its kind.
func factor(kind string, id []byte) layout.Factor {
	return layout.Factor{Kind: kind, ID: layout.Hash(id)}
}

// isMFA is whether it is two factors by itself: a passkey is held, and its user was verified. A code is never shown alone.
func isMFA(f layout.Factor) bool { return f.Kind == kindPasskey || f.Kind == kindCode }

// Browser is where a sign-in comes from: the token of the session that it had, if any, and the devices that it says it is.
type Browser struct {
	Had     Token
	Devices []api.DeviceProof
}

// openAccountSession opens a session of an account, in the transaction that found out whose it is, by the factors that were
// shown, and is its id. A browser that signs in again goes on with that of its session, under a new token.
func (a *Service) openAccountSession(tx store.Tx, now time.Time, account wire.ObjectID, shown []layout.Factor, token Token, from Browser) (wire.ObjectID, error) {
	if err := ledger.SignsIn(tx, now, account, shown[0]); err != nil {
		return wire.ObjectID{}, err
	}
	l := a.defaults()
	s := layout.AccountSession{Account: account, Created: now.Unix(), Seen: now.Unix(), Proved: now.Unix(), Factors: shown, MFA: slices.ContainsFunc(shown, isMFA), Expires: now.Unix() + l.absolute, Idle: l.idle}
	var err error
	if s.ID, err = wire.NewObjectID(a.Random); err != nil {
		return wire.ObjectID{}, err
	}
	if slices.ContainsFunc(shown, isSSO) {
		s.Proved = 0 // the person has shown nothing here
	}
	if slices.ContainsFunc(shown, func(f layout.Factor) bool { return f.Kind == kindPassword }) {
		p, _, err := layout.Get[layout.Password](tx, layout.PasswordKey(account))
		if err != nil {
			return wire.ObjectID{}, err
		}
		s.PasswordSet = p.Set
	}
	if s.Device, err = deviceOf(tx, now, account, from.Devices); err != nil {
		return wire.ObjectID{}, err
	}
	if from.Had != nil {
		old, found, err := layout.Get[layout.AccountSession](tx, layout.SessionKey(from.Had))
		if err != nil {
			return wire.ObjectID{}, err
		}
		if found && !old.Ended && old.Account == account {
			s.ID, s.Idle = old.ID, max(s.Idle, old.Idle)
			if err := tx.Delete(layout.SessionKey(from.Had)); err != nil {
				return wire.ObjectID{}, err
			}
		}
	}
	if err := tx.Put(layout.AccountSessionKey(account, s.ID), layout.SessionKey(token)); err != nil {
		return wire.ObjectID{}, err
	}
	return s.ID, layout.PutEphemeral(tx, layout.SessionKey(token), s, s.Expires)
}

// sweep ends a row of the accounts that is past its time.
func sweep(tx store.Tx, row, value []byte) error {
	if bytes.HasPrefix(row, []byte("session/")) {
		var s layout.AccountSession
		if err := json.Unmarshal(value, &s); err != nil {
			return err
		}
		at, err := tx.Get(layout.AccountSessionKey(s.Account, s.ID))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if bytes.Equal(at, row) { // else its browser has a newer token
			if err := tx.Delete(layout.AccountSessionKey(s.Account, s.ID)); err != nil {
				return err
			}
		}
	}
	return tx.Delete(row)
}

// alive is an account's session by its row, where it goes on.
func alive(tx store.Tx, row []byte, now time.Time) (s layout.AccountSession, err error) {
	s, found, err := layout.Get[layout.AccountSession](tx, row)
	switch {
	case err != nil:
		return s, err
	case !found || now.Unix() >= s.Expires:
		return s, access.Deny(api.CodeNotSignedIn)
	case s.Ended:
		return s, access.Deny(api.CodeSessionEnded)
	case now.Unix() >= s.Seen+s.Idle:
		return s, access.Deny(api.CodeNotSignedIn)
	}
	return s, nil
}

// aliveByID is the same, by the session's id.
func aliveByID(tx store.Tx, account, session wire.ObjectID, now time.Time) (row []byte, s layout.AccountSession, err error) {
	row, err = tx.Get(layout.AccountSessionKey(account, session))
	if errors.Is(err, store.ErrNotFound) {
		return nil, s, access.Deny(api.CodeNotSignedIn)
	}
	if err != nil {
		return nil, s, err
	}
	s, err = alive(tx, row, now)
	return row, s, err
}

// AccountOf says whose session a token is of.
func (a *Service) AccountOf(ctx context.Context, now time.Time, token Token, use Use) (Who, error) {
	var s layout.AccountSession
	err := a.Store.View(ctx, layout.Accounts, func(tx store.Tx) (err error) {
		s, err = alive(tx, layout.SessionKey(token), now)
		return err
	})
	if err == nil {
		err = a.linkHolds(ctx, s)
	}
	if err != nil {
		return Who{}, err
	}
	who := Who{Account: s.Account, Session: s.ID, Token: token, proved: s.Proved, created: s.Created, seen: s.Seen, mfa: s.MFA, passwordSet: s.PasswordSet, sso: slices.ContainsFunc(s.Factors, isSSO), device: s.Device}
	if use == Attended {
		who.seen = now.Unix()
	}
	if (limits{idle: s.Idle}).touches(s.Seen, use, now) {
		err = a.Store.Update(ctx, layout.Accounts, func(tx store.Tx) error { return touch(tx, layout.SessionKey(token), now) })
	}
	return who, err
}

// touch writes that a person used an account's session. One that ended meanwhile stays ended.
func touch(tx store.Tx, row []byte, now time.Time) error {
	s, err := alive(tx, row, now)
	if err != nil {
		return err
	}
	s.Seen = max(s.Seen, now.Unix())
	return layout.Put(tx, row, s)
}

// RequestProof is what a request in a firm shows beside its token: which session it is of, and that the session's key signed it. One
// that changes factors shows the same of the account's session, signed by the keyring key.
type RequestProof struct {
	Session   wire.ObjectID
	Method    string
	Target    string // as it was sent
	Digest    string // Content-Digest of the body; empty where there is none
	Signature []byte
}

// by verifies a proof: who has a cookie and not the device's key has no session (SPEC S-REQUEST-01).
func (p RequestProof) by(firm wire.ChainID, s layout.Session) error {
	message := api.RequestMessage(firm, p.Session, p.Method, p.Target, p.Digest)
	if p.Session != s.Session || len(s.PublicKey) != ed25519.PublicKeySize || !ed25519.Verify(s.PublicKey, message, p.Signature) {
		return access.Deny(api.CodeNotSignedIn)
	}
	return nil
}

// Lives reports whether a token leads to a session in a firm that goes on.
func (a *Service) Lives(ctx context.Context, now time.Time, firm wire.ChainID, token Token) bool {
	return a.Store.View(ctx, layout.FirmPartition(firm), func(tx store.Tx) error {
		_, _, err := a.firmSession(tx, firm, layout.SessionKey(token), now)
		return err
	}) == nil
}

// Stands is whether a caller's session goes on, in the write that does what he asks for: it was looked at when the request came.
func (a *Service) Stands(tx store.Tx, now time.Time, c access.Caller) error {
	id, found, err := layout.Get[layout.SessionID](tx, layout.SessionIDKey(c.Session))
	if err != nil || !found {
		return deny(err, api.CodeNotSignedIn)
	}
	_, _, err = a.firmSession(tx, c.Firm, []byte(id.Token), now)
	return err
}

// Caller says whose session in a firm a token is of.
//
// Where it comes from an address that the firm does not admit, the caller is answered with the refusal: it is to be recorded.
func (a *Service) Caller(ctx context.Context, now time.Time, firm wire.ChainID, token Token, proof RequestProof, from netip.Addr, use Use) (access.Caller, error) {
	row := layout.SessionKey(token)
	var s layout.Session
	var l limits
	var p chain.Policy
	err := a.Store.View(ctx, layout.FirmPartition(firm), func(tx store.Tx) (err error) {
		if s, l, err = a.firmSession(tx, firm, row, now); err != nil {
			return err
		}
		if err := proof.by(firm, s); err != nil {
			return err
		}
		p, _, err = ledger.Policy(tx)
		return err
	})
	if err != nil {
		return access.Caller{}, err
	}
	if s.SSO {
		if err := a.stillLinked(ctx, now, s); err != nil {
			return access.Caller{}, err
		}
	}
	c := access.Caller{Firm: firm, Account: s.Account, Member: s.Member, Session: s.Session, Address: from, SignedIn: signedIn(s), Renewals: s.Renewals}
	if err := access.From(p, from); err != nil {
		return c, err
	}
	if !l.touches(s.Seen, use, now) {
		return c, nil
	}
	// Who is at work in a firm is at work: the account's session, by which the next firm is entered, goes on as well. Where
	// that one ended, so does this.
	err = a.Store.Update(ctx, layout.Accounts, func(tx store.Tx) error {
		at, _, err := aliveByID(tx, s.Account, s.AccountSession, now)
		if err != nil {
			return err
		}
		return touch(tx, at, now)
	})
	if err != nil {
		return access.Caller{}, err
	}
	return c, a.Store.Update(ctx, layout.FirmPartition(firm), func(tx store.Tx) error {
		s, _, err := a.firmSession(tx, firm, row, now)
		if err != nil {
			return err
		}
		s.Seen = max(s.Seen, now.Unix())
		return layout.Put(tx, row, s)
	})
}

// stillLinked is whether the account's session goes on that a firm's was opened from, where an identity provider opened that one.
func (a *Service) stillLinked(ctx context.Context, now time.Time, s layout.Session) error {
	var of layout.AccountSession
	err := a.Store.View(ctx, layout.Accounts, func(tx store.Tx) (err error) {
		_, of, err = aliveByID(tx, s.Account, s.AccountSession, now)
		return err
	})
	if err != nil {
		return err
	}
	return a.linkHolds(ctx, of)
}

// firmSession is a firm's session that goes on, and how long the firm lets it. One that was signed in with less than the
// firm asks for by now does not.
func (a *Service) firmSession(tx store.Tx, firm wire.ChainID, row []byte, now time.Time) (layout.Session, limits, error) {
	s, found, err := layout.Get[layout.Session](tx, row)
	if err != nil {
		return s, limits{}, err
	}
	l, err := a.firmLimits(tx)
	switch {
	case err != nil:
		return s, l, err
	case !found || now.Unix() >= s.Expires:
		return s, l, access.Deny(api.CodeNotSignedIn)
	case s.Ended:
		return s, l, access.Deny(api.CodeSessionEnded)
	case !l.fresh(s.Created, s.Seen, now):
		return s, l, access.Deny(api.CodeNotSignedIn)
	}
	return s, l, enough(tx, now, firm, s)
}

// enough is whether a session in a firm was signed in with what the firm asks for.
func enough(tx store.Tx, now time.Time, firm wire.ChainID, s layout.Session) error {
	p, found, err := ledger.Policy(tx)
	if err != nil || !found {
		return err
	}
	seat, found, err := layout.Get[access.Seat](tx, layout.SeatKey(firm, s.Member))
	if err != nil {
		return err
	}
	staff := &seat
	if !found {
		staff = nil
	}
	return access.Enough(p, staff, signedIn(s), now.Unix())
}

func signedIn(s layout.Session) access.SignedIn {
	return access.SignedIn{MFA: s.MFA, PasswordSet: s.PasswordSet}
}

// firmLimits are how long a firm lets sessions last.
func (a *Service) firmLimits(tx store.Tx) (limits, error) {
	p, found, err := ledger.Policy(tx)
	if err != nil || !found {
		return a.defaults(), err
	}
	return limits{idle: int64(p.Idle) * 60, absolute: int64(p.Absolute) * 60}, nil
}

// EndFirmSession signs out of a firm, and tells its auditors.
func (a *Service) EndFirmSession(ctx context.Context, now time.Time, c access.Caller, token Token) error {
	return a.Store.Update(ctx, layout.FirmPartition(c.Firm), func(tx store.Tx) error {
		row := layout.SessionKey(token)
		if err := tx.Delete(layout.FirmSessionKey(c.Member, row)); err != nil {
			return err
		}
		if err := tx.Delete(row); err != nil {
			return err
		}
		return a.Log.Record(tx, a.Random, now, c.Firm, chain.Event{Kind: chain.EventSessionEnded, Member: c.Member, Session: c.Session})
	})
}

// Why a session ended, as auditors are told. Who signed out himself is told with nothing.
const (
	endedBySignOut    = ""
	endedByRevoking   = "revoked"     // by its owner, from another session
	endedByOneSession = "one-session" // by the firm's policy: there is a newer one
	endedByFactor     = "factor"      // what it was opened with was removed or replaced
	endedByRecovery   = "recovered"   // its member was handed to another account
	endedByOwner      = "by-owner"    // of the firm: his entry says why
)

// endSession ends one session of a firm. Whoever did not end it himself is told so for an hour.
func (a *Service) endSession(tx store.Tx, now time.Time, firm wire.ChainID, row []byte, why string) error {
	s, found, err := layout.Get[layout.Session](tx, row)
	if err != nil {
		return err
	}
	if found {
		if err := tx.Delete(layout.FirmSessionKey(s.Member, row)); err != nil {
			return err
		}
	}
	if !found || s.Ended {
		return nil
	}
	if why == endedBySignOut {
		err = tx.Delete(row)
	} else {
		s.Ended, s.Expires = true, now.Unix()+api.EndedSeconds
		err = layout.PutEphemeral(tx, row, s, s.Expires)
	}
	if err != nil {
		return err
	}
	return a.Log.Record(tx, a.Random, now, firm, chain.Event{Kind: chain.EventSessionEnded, Member: s.Member, Session: s.Session, Detail: why})
}

// sessionsOf lists the rows of a member's sessions in a firm whose account's session is one that is asked for.
func sessionsOf(tx store.Tx, member wire.ObjectID, asked func(accountSession wire.ObjectID) bool) (rows [][]byte, err error) {
	err = tx.Scan(layout.FirmSessionsOf(member), nil, 0, func(k, v []byte) error {
		if len(v) == len(wire.ObjectID{}) && asked(wire.ObjectID(v)) {
			rows = append(rows, layout.SessionByHash(layout.Last(k)))
		}
		return nil
	})
	return rows, err
}

// Sessions are where an account is signed in.
func (a *Service) Sessions(ctx context.Context, now time.Time, who Who) (api.AccountSessions, error) {
	out := api.AccountSessions{Sessions: []api.AccountSession{}}
	err := a.Store.View(ctx, layout.Accounts, func(tx store.Tx) error {
		return tx.Scan(layout.AccountSessionsOf(who.Account), nil, 0, func(_, row []byte) error {
			s, err := alive(tx, row, now)
			var denied *api.Error
			if errors.As(err, &denied) {
				return nil
			}
			if err != nil {
				return err
			}
			out.Sessions = append(out.Sessions, api.AccountSession{ID: s.ID, Created: s.Created, Seen: s.Seen, Expires: s.Expires, Idle: s.Idle,
				Method: openedBy(s), MFA: s.MFA, Current: s.ID == who.Session, Device: s.Device})
			return nil
		})
	})
	slices.SortFunc(out.Sessions, func(x, y api.AccountSession) int {
		if x.Created != y.Created {
			return int(x.Created - y.Created)
		}
		return bytes.Compare(x.ID[:], y.ID[:])
	})
	return out, err
}

func openedBy(s layout.AccountSession) string {
	if len(s.Factors) == 0 {
		return ""
	}
	return s.Factors[0].Kind
}

// SignOut ends the caller's own session, and every firm's session that was opened from it.
func (a *Service) SignOut(ctx context.Context, now time.Time, who Who) error {
	return a.end(ctx, now, who, endedBySignOut, func(s layout.AccountSession) bool { return s.ID == who.Session })
}

// EndOther ends another session of the account. The same request again is answered as it was.
func (a *Service) EndOther(ctx context.Context, now time.Time, who Who, id wire.ObjectID) error {
	if err := who.justProved(now); err != nil {
		return err
	}
	err := a.Store.View(ctx, layout.Accounts, func(tx store.Tx) error {
		has, err := layout.Has(tx, layout.AccountSessionKey(who.Account, id))
		if err == nil && !has {
			err = access.Deny(api.CodeNotFound)
		}
		return err
	})
	if err != nil {
		return err
	}
	return a.end(ctx, now, who, endedByRevoking, func(s layout.AccountSession) bool { return s.ID == id })
}

// EndOthers ends every session of the account but the caller's.
func (a *Service) EndOthers(ctx context.Context, now time.Time, who Who) error {
	if err := who.justProved(now); err != nil {
		return err
	}
	return a.end(ctx, now, who, endedByRevoking, othersOf(who))
}

// othersOf are all sessions but the caller's own.
func othersOf(who Who) func(layout.AccountSession) bool {
	return func(s layout.AccountSession) bool { return s.ID != who.Session }
}

// othersBy are those of them that were opened with a factor, or in which it was shown last: what it proves holds for minutes.
func othersBy(who Who, gone ...layout.Factor) func(layout.AccountSession) bool {
	return func(s layout.AccountSession) bool {
		return s.ID != who.Session && slices.ContainsFunc(gone, func(f layout.Factor) bool { return f == s.By || slices.Contains(s.Factors, f) })
	}
}

// end ends sessions of an account: first there, so that no ticket of them leads anywhere any more, then in every firm. It
// returns when all of them did (SPEC S-SESSION-04).
func (a *Service) end(ctx context.Context, now time.Time, who Who, why string, which func(layout.AccountSession) bool) error {
	return a.endBy(ctx, now, who, why, func(store.Tx) (func(layout.AccountSession) bool, error) { return which, nil })
}

// endBy is the same after a change, in its transaction, which says which are to end.
func (a *Service) endBy(ctx context.Context, now time.Time, who Who, why string, change func(store.Tx) (func(layout.AccountSession) bool, error)) error {
	var e ended
	err := a.updateAs(ctx, now, who, func(tx store.Tx) error {
		which, err := change(tx)
		if err != nil {
			return err
		}
		e, err = endRows(tx, now, who.Account, why, which)
		return err
	})
	if err != nil {
		return err
	}
	return a.endFirms(ctx, now, who.Account, why, e)
}

// ended are the sessions of an account that came to an end, and where others were opened from them. Those that ended in the
// last hour are among them: what did not reach a firm then does so when the same is asked again.
type ended struct {
	sessions map[wire.ObjectID]bool
	firms    []wire.ChainID
}

// endRows ends sessions of an account in its own rows.
func endRows(tx store.Tx, now time.Time, account wire.ObjectID, why string, which func(layout.AccountSession) bool) (ended, error) {
	e := ended{sessions: map[wire.ObjectID]bool{}}
	err := tx.Scan(layout.AccountSessionsOf(account), nil, 0, func(k, row []byte) error {
		id, err := wire.ParseObjectID(layout.Last(k))
		if err != nil {
			return err
		}
		s, found, err := layout.Get[layout.AccountSession](tx, row)
		if err != nil || !found {
			return errors.Join(err, tx.Delete(layout.AccountSessionKey(account, id)))
		}
		if !s.Ended && !which(s) {
			return nil
		}
		e.sessions[id] = true
		return endRow(tx, now, s, row, why)
	})
	if err == nil {
		e.firms, err = firmsOf(tx, account)
	}
	return e, err
}

// endFirms ends what was opened from them.
func (a *Service) endFirms(ctx context.Context, now time.Time, account wire.ObjectID, why string, e ended) (err error) {
	if len(e.sessions) == 0 {
		return nil
	}
	for _, firm := range e.firms {
		err = errors.Join(err, a.endIn(ctx, now, firm, account, why, func(id wire.ObjectID) bool { return e.sessions[id] }))
	}
	return err
}

// firmsOf are the firms that an account has been in.
func firmsOf(tx store.Tx, account wire.ObjectID) (firms []wire.ChainID, err error) {
	err = tx.Scan(layout.MembershipsOf(account), nil, 0, func(k, _ []byte) error {
		firm, err := wire.ParseHash(layout.Last(k))
		firms = append(firms, firm)
		return err
	})
	return firms, err
}

func endRow(tx store.Tx, now time.Time, s layout.AccountSession, row []byte, why string) error {
	if s.Ended {
		return nil
	}
	if err := endEnrolment(tx, s); err != nil {
		return err
	}
	if why == endedBySignOut {
		return errors.Join(tx.Delete(layout.AccountSessionKey(s.Account, s.ID)), tx.Delete(row))
	}
	s.Ended, s.Expires = true, now.Unix()+api.EndedSeconds
	return layout.PutEphemeral(tx, row, s, s.Expires)
}

// endIn ends what was opened from them in one firm.
func (a *Service) endIn(ctx context.Context, now time.Time, firm wire.ChainID, account wire.ObjectID, why string, which func(wire.ObjectID) bool) error {
	find := func(tx store.Tx) ([][]byte, error) {
		member, err := memberOf(tx, account)
		if err != nil || member.IsZero() {
			return nil, err
		}
		return sessionsOf(tx, member, which)
	}
	var rows [][]byte
	err := a.Store.View(ctx, layout.FirmPartition(firm), func(tx store.Tx) (err error) {
		rows, err = find(tx)
		return err
	})
	if err != nil || len(rows) == 0 {
		return err
	}
	return a.Store.Update(ctx, layout.FirmPartition(firm), func(tx store.Tx) error {
		rows, err := find(tx)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := a.endSession(tx, now, firm, row, why); err != nil {
				return err
			}
		}
		return nil
	})
}

// Ticket leads a signed-in account into a firm, once, within a minute. Whether it has anything to do there, the firm says.
func (a *Service) Ticket(ctx context.Context, now time.Time, who Who, firm wire.ChainID) (api.Ticket, error) {
	ticket, err := a.random(tokenSize)
	if err != nil {
		return api.Ticket{}, err
	}
	var keys wire.Hash
	err = a.Store.View(ctx, layout.FirmPartition(firm), func(tx store.Tx) error {
		_, found, err := layout.Get[layout.Firm](tx, layout.FirmKey())
		if err != nil {
			return err
		}
		if !found {
			return access.Deny(api.CodeNotFound)
		}
		keys, err = keysOf(tx, who.Account)
		return err
	})
	if err != nil {
		return api.Ticket{}, err
	}
	t := layout.Ticket{Account: who.Account, Firm: firm, Expires: now.Unix() + ticketSeconds, AccountSession: who.Session, Created: who.created, Seen: who.seen, MFA: who.mfa, PasswordSet: who.passwordSet, SSO: who.sso}
	err = a.updateAs(ctx, now, who, func(tx store.Tx) (err error) {
		account, _, err := layout.Get[layout.Account](tx, layout.AccountKey(who.Account))
		if err != nil {
			return err
		}
		t.Renewals = account.Renewals
		return layout.PutEphemeral(tx, layout.TicketKey(ticket), t, t.Expires)
	})
	return api.Ticket{Ticket: ticket, Keys: keys}, err
}

// keysOf is the fingerprint of the keys that an account has in a firm; zero where it is nobody there.
func keysOf(tx store.Tx, account wire.ObjectID) (wire.Hash, error) {
	member, err := memberOf(tx, account)
	if err != nil || member.IsZero() {
		return wire.Hash{}, err
	}
	m, _, err := layout.Get[layout.Member](tx, layout.MemberKey(member))
	return m.Fingerprint, err
}

// memberOf is who an account is in a firm; zero where it is nobody.
func memberOf(tx store.Tx, account wire.ObjectID) (wire.ObjectID, error) {
	b, err := tx.Get(layout.MemberOfKey(account))
	if errors.Is(err, store.ErrNotFound) || (err == nil && len(b) != len(wire.ObjectID{})) {
		return wire.ObjectID{}, nil
	}
	if err != nil {
		return wire.ObjectID{}, err
	}
	return wire.ObjectID(b), nil
}

package ledger

import (
	"io"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// Record seals what only the server saw to a chain's auditors, puts it into the log and forgets it.
func (l *Log) Record(tx store.Tx, random io.Reader, now time.Time, id wire.ChainID, e chain.Event) error {
	auditors, found, err := layout.Get[layout.Auditors](tx, layout.AuditorsKey(id))
	if err != nil || !found {
		return err // before there is a chain there is nobody to tell
	}
	f, err := firmOf(tx)
	if err != nil {
		return err
	}
	s, err := l.signer(f)
	if err != nil {
		return err
	}
	at, _, err := layout.Get[layout.Sequence](tx, layout.EventsKey(id))
	if err != nil {
		return err
	}
	e.Time = uint64(now.UnixMilli())
	place := chain.EventPlace{Chain: id, Position: at.Position, Previous: at.Head, Epoch: auditors.Epoch}
	entry, proof, err := chain.NewEvent(random, s.vrf, auditors.Key, place, e)
	if err != nil {
		return err
	}
	index, err := appendLeaf(tx, entry.Leaf)
	if err != nil {
		return err
	}
	row := append(append(layout.Uint64(index), proof...), entry.Bytes()...)
	if err := tx.Put(layout.EventKey(id, at.Position), row); err != nil {
		return err
	}
	return layout.Put(tx, layout.EventsKey(id), layout.Sequence{Position: at.Position + 1, Head: entry.Leaf.Hash()})
}

// What somebody can cause at will is recorded up to a bound a minute: who is refused cannot fill the log.
const (
	maxDenials  = 10 // refusals of a session, failed sign-ins of an account
	maxOpenings = 60 // sessions of a member, or by a factor: every command of the command line opens one
)

// countedFor counts one more of something in its time. within is false beyond the bound, and nothing was written then.
func countedFor(tx store.Tx, key []byte, now time.Time, bound int, span time.Duration) (d layout.Denials, within bool, err error) {
	if d, _, err = layout.Get[layout.Denials](tx, key); err != nil {
		return d, false, err
	}
	if now.Unix() >= d.Expires {
		d = layout.Denials{Expires: now.Add(span).Unix()}
	}
	if d.Count++; d.Count > bound {
		return d, false, nil
	}
	return d, true, layout.PutEphemeral(tx, key, d, d.Expires)
}

// counted is the same for a minute.
func counted(tx store.Tx, key []byte, now time.Time, bound int) (n int, within bool, err error) {
	d, within, err := countedFor(tx, key, now, bound, time.Minute)
	return d.Count, within, err
}

// bounded is the same with what is said of it: that it stops counting for the minute is said once.
func bounded(tx store.Tx, key []byte, now time.Time, detail string) (string, bool, error) {
	n, within, err := counted(tx, key, now, maxDenials)
	if n == maxDenials {
		detail += ", and no more are recorded for a minute"
	}
	return detail, within, err
}

// Opens counts a session that a member opens in a firm, and refuses it beyond the bound: each is an event.
func Opens(tx store.Tx, now time.Time, member wire.ObjectID) error {
	return opens(tx, layout.OpeningsKey(member), now)
}

// SignsIn counts a session of an account that a factor opens, and refuses it beyond the bound.
func SignsIn(tx store.Tx, now time.Time, account wire.ObjectID, f layout.Factor) error {
	return opens(tx, layout.SignedInKey(account, f), now)
}

func opens(tx store.Tx, key []byte, now time.Time) error {
	_, within, err := counted(tx, key, now, maxOpenings)
	if err == nil && !within {
		err = access.Deny(api.CodeUnavailable)
	}
	return err
}

// SignInFailed records that somebody failed to sign in to an account, or to enter the firm with it. detail says with what.
func (l *Log) SignInFailed(tx store.Tx, random io.Reader, now time.Time, firm wire.ChainID, account wire.ObjectID, detail string) error {
	detail, within, err := bounded(tx, layout.FailuresKey(account), now, detail)
	if err != nil || !within {
		return err
	}
	return l.recordOf(tx, random, now, firm, account, chain.Event{Kind: chain.EventSignInFailed, Detail: detail})
}

// Locked records that an account was slowed down, because of too many attempts of a kind. Told twice, oldest first, it is recorded
// once.
func (l *Log) Locked(tx store.Tx, random io.Reader, firm wire.ChainID, n layout.Notice) error {
	told, _, err := layout.Get[layout.Notice](tx, layout.NoticedKey(n.Account))
	if err != nil || told.At >= n.At {
		return err
	}
	if err := layout.Put(tx, layout.NoticedKey(n.Account), layout.Notice{Account: n.Account, At: n.At, Detail: n.Detail}); err != nil {
		return err
	}
	return l.recordOf(tx, random, time.UnixMilli(n.At), firm, n.Account, chain.Event{Kind: chain.EventLocked, Detail: n.Detail})
}

// recordOf records something of an account's member, if it is one by now.
func (l *Log) recordOf(tx store.Tx, random io.Reader, at time.Time, firm wire.ChainID, account wire.ObjectID, e chain.Event) error {
	member, err := optional(tx.Get(layout.MemberOfKey(account)))
	if err != nil {
		return err
	}
	if len(member) == len(e.Member) {
		e.Member = wire.ObjectID(member)
	}
	return l.Record(tx, random, at, firm, e)
}

// Denied records that a member was refused.
func (l *Log) Denied(tx store.Tx, random io.Reader, now time.Time, c access.Caller, id wire.ChainID, code api.Code, route string) error {
	detail, within, err := bounded(tx, layout.DenialsKey(c.Session), now, string(code)+" "+route)
	if err != nil || !within {
		return err
	}
	return l.Record(tx, random, now, id, chain.Event{Kind: chain.EventDenied, Member: c.Member, Session: c.Session, Detail: detail})
}

// Serve is Body, and records the first time that ciphertext leaves under a release.
func (l *Log) Serve(tx store.Tx, random io.Reader, now time.Time, c access.Caller, id wire.ChainID, doc, version wire.ObjectID) (layout.Version, error) {
	v, r, err := released(tx, now, c, id, doc, version)
	if err != nil || r.Served {
		return v, err
	}
	r.Served = true
	if err := layout.Put(tx, layout.ReleaseKey(id, version, c.Session), r); err != nil {
		return v, err
	}
	return v, l.Record(tx, random, now, id, chain.Event{Kind: chain.EventServed, Member: c.Member, Session: c.Session, Document: doc, Version: version})
}

// Body is where a version's bytes are, for a session that it was released to. told is false as long as the auditors do not
// know: Serve tells them.
func Body(tx store.Tx, now time.Time, c access.Caller, id wire.ChainID, doc, version wire.ObjectID) (v layout.Version, told bool, err error) {
	v, r, err := released(tx, now, c, id, doc, version)
	return v, r.Served, err
}

func released(tx store.Tx, now time.Time, c access.Caller, id wire.ChainID, doc, version wire.ObjectID) (v layout.Version, r layout.Release, err error) {
	if _, err := seen(tx, c, id, access.Body); err != nil {
		return v, r, err
	}
	if v, err = livingVersion(tx, id, doc, version); err != nil {
		return v, r, err
	}
	r, found, err := layout.Get[layout.Release](tx, layout.ReleaseKey(id, version, c.Session))
	if err != nil {
		return v, r, err
	}
	if !found || r.Member != c.Member || now.Unix() >= r.Expires {
		return v, r, access.Deny(api.CodeNotReleased)
	}
	return v, r, nil
}

// NextEvent proves which tag the next entry of a chain's server sequence would have.
func (l *Log) NextEvent(tx store.Tx, c access.Caller, id wire.ChainID) (api.NextEvent, error) {
	if _, err := seen(tx, c, id, access.Trail); err != nil {
		return api.NextEvent{}, err
	}
	f, err := firmOf(tx)
	if err != nil {
		return api.NextEvent{}, err
	}
	s, err := l.signer(f)
	if err != nil {
		return api.NextEvent{}, err
	}
	at, _, err := layout.Get[layout.Sequence](tx, layout.EventsKey(id))
	if err != nil {
		return api.NextEvent{}, err
	}
	_, proof, err := s.vrf.Prove(chain.EventLabel(id, at.Position))
	return api.NextEvent{Position: at.Position, Proof: proof[:]}, err
}

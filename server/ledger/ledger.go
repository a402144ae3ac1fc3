// Package ledger appends entries. An entry, its leaf, its rows and what its effect changes are one transaction: after a
// crash either all of it is there or nothing.
//
// Every function here works on a transaction of the firm's partition that its caller opened, and asks package access
// before it changes or tells anything. The server acts on effects: envelopes it can neither open nor judge.
package ledger

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// Submitted is a submission of the one form, with its effect. Its hash tells whether the same comes again.
type Submitted struct {
	chain.Submission
	Effect *chain.Effect
	Hash   wire.Hash
}

// Parse reads a submission.
func Parse(raw []byte) (Submitted, error) {
	if len(raw) > chain.MaxSubmission {
		return Submitted{}, access.Deny(api.CodeTooLarge)
	}
	sub, err := chain.ParseSubmission(raw)
	if err != nil {
		return Submitted{}, access.Deny(api.CodeBadRequest)
	}
	effect, err := chain.ParseEffect(sub.Entry.Effect)
	if err != nil {
		return Submitted{}, access.Deny(api.CodeBadRequest)
	}
	return Submitted{Submission: sub, Effect: effect, Hash: sha256.Sum256(raw)}, nil
}

// Head is a chain's head as the wire spells it.
func Head(id wire.ChainID, c layout.Chain) api.ChainHead {
	return api.ChainHead{Chain: id, Epoch: c.Epoch, Position: c.Position, Head: c.Head, TrailPosition: c.TrailPosition, TrailHead: c.TrailHead, Stale: c.Stale}
}

func record(h api.ChainHead) layout.Chain {
	return layout.Chain{Epoch: h.Epoch, Position: h.Position, Head: h.Head, TrailPosition: h.TrailPosition, TrailHead: h.TrailHead, Stale: h.Stale}
}

// pointer reads a record; nil where there is none.
func pointer[T any](tx store.Tx, key []byte) (*T, error) {
	v, found, err := layout.Get[T](tx, key)
	if err != nil || !found {
		return nil, err
	}
	return &v, nil
}

// Seat is a member's seat in a chain; nil where he never had one.
func Seat(tx store.Tx, id wire.ChainID, member wire.ObjectID) (*access.Seat, error) {
	return pointer[access.Seat](tx, layout.SeatKey(id, member))
}

func putSeat(tx store.Tx, id wire.ChainID, s *access.Seat) error {
	if err := tx.Put(layout.SeatOfKey(s.Member, id), nil); err != nil {
		return err
	}
	return layout.Put(tx, layout.SeatKey(id, s.Member), s)
}

// Appended is an entry that was taken: where its chain stands, and the index of its leaf in the log.
type Appended struct {
	api.ChainHead
	Index uint64
	Again bool // it was taken before
}

// again is the answer that an entry got before, or nil. Another entry under its id is refused.
func again(tx store.Tx, c access.Caller, id wire.ChainID, s Submitted) (*Appended, error) {
	a, err := pointer[layout.Accepted](tx, layout.AcceptedKey(id, s.Effect.Entry))
	if err != nil || a == nil {
		return nil, err
	}
	if a.Submission != s.Hash || a.Actor != c.Member {
		return nil, access.Deny(api.CodeBadRequest)
	}
	return &Appended{Head(id, a.Chain), a.Index, true}, nil
}

// Found begins a chain with its first statement. Where the chain is a firm's own, its caller has claimed a setup link;
// else the caller owns the firm.
func Found(tx store.Tx, c access.Caller, s Submitted) (Appended, error) {
	id := s.Entry.ID()
	if id != c.Firm {
		owner, err := Seat(tx, c.Firm, c.Member)
		if err != nil {
			return Appended{}, err
		}
		if err := access.OpenChain(owner); err != nil {
			return Appended{}, err
		}
	}
	if h, err := again(tx, c, id, s); err != nil || h != nil {
		return deref(h), err
	}
	m, err := pointer[layout.Member](tx, layout.MemberKey(c.Member))
	if err != nil {
		return Appended{}, err
	}
	if m == nil {
		return Appended{}, access.Deny(api.CodeForbidden)
	}
	if err := access.First(c, m.Fingerprint, s.Submission, s.Effect); err != nil {
		return Appended{}, err
	}
	if taken, err := layout.Has(tx, layout.ChainKey(id)); err != nil || taken {
		return Appended{}, errors.Join(err, access.Deny(api.CodeBadRequest))
	}
	if err := putSeat(tx, id, &access.Seat{Seat: s.Effect.Statement.Seats[0], State: access.Seated}); err != nil {
		return Appended{}, err
	}
	if err := statementRows(tx, id, s); err != nil {
		return Appended{}, err
	}
	return commit(tx, api.ChainHead{Chain: id}, s)
}

func deref[T any](v *T) (out T) {
	if v != nil {
		out = *v
	}
	return out
}

// Append adds an entry to the state sequence. insists is the caller's word that a second guest may take an invite that
// somebody used.
func Append(tx store.Tx, now time.Time, c access.Caller, id wire.ChainID, s Submitted, insists bool) (Appended, error) {
	head, seat, err := place(tx, c, id)
	if err != nil {
		return Appended{}, err
	}
	if head == nil || s.Effect.Kind == chain.KindRelease {
		return Appended{}, access.Deny(notHere(head))
	}
	// An accept comes from somebody who has no seat; nobody else learns more than that the chain is not found.
	joining := s.Effect.Kind == chain.KindAccept && access.Joins(seat)
	if !joining {
		if err := access.Head(seat); err != nil {
			return Appended{}, err
		}
	}
	if h, err := again(tx, c, id, s); err != nil || h != nil {
		return deref(h), err
	}
	a := &appending{tx: tx, now: now.Unix(), caller: c, seat: seat, head: *head, Submitted: s}
	if s.Effect.Kind == chain.KindAccept {
		// Who may join is decided before he is told where the chain stands.
		err = a.accept(insists)
	} else if err = access.Append(c, *head, s.Entry, s.Effect); err == nil {
		err = a.apply()
	}
	if err != nil {
		return Appended{}, err
	}
	return commit(tx, *head, s)
}

func notHere(head *api.ChainHead) api.Code {
	if head == nil {
		return api.CodeNotFound
	}
	return api.CodeBadRequest
}

// place is where a chain and the caller's seat in it stand; nil for what is not there.
func place(tx store.Tx, c access.Caller, id wire.ChainID) (*api.ChainHead, *access.Seat, error) {
	head, err := pointer[layout.Chain](tx, layout.ChainKey(id))
	if err != nil || head == nil {
		return nil, nil, err
	}
	seat, err := Seat(tx, id, c.Member)
	h := Head(id, *head)
	return &h, seat, err
}

// Release adds an entry to the trail, and opens the version to the caller's session.
func Release(tx store.Tx, now time.Time, c access.Caller, id wire.ChainID, s Submitted) (Appended, error) {
	head, seat, err := place(tx, c, id)
	if err != nil {
		return Appended{}, err
	}
	if err := access.Head(seat); err != nil {
		return Appended{}, err
	}
	if s.Effect.Kind != chain.KindRelease {
		return Appended{}, access.Deny(api.CodeBadRequest)
	}
	if h, err := again(tx, c, id, s); err != nil || h != nil {
		return deref(h), err
	}
	if err := access.Append(c, *head, s.Entry, s.Effect); err != nil {
		return Appended{}, err
	}
	if err := access.Release(c, seat, s.Submission, s.Effect); err != nil {
		return Appended{}, err
	}
	r := s.Effect.Release
	if _, err := livingVersion(tx, id, r.Document, r.Version); err != nil {
		return Appended{}, err
	}
	open := layout.Release{Expires: now.Unix() + api.ReleaseLifetime, Member: c.Member}
	if err := layout.PutEphemeral(tx, layout.ReleaseKey(id, r.Version, c.Session), open, open.Expires); err != nil {
		return Appended{}, err
	}
	return commit(tx, *head, s)
}

// commit stores the entry, its leaf and the answer, and moves the head past it.
func commit(tx store.Tx, head api.ChainHead, s Submitted) (Appended, error) {
	sequence, position := layout.State, head.Position
	if s.Effect.Kind == chain.KindRelease {
		sequence, position = layout.Trail, head.TrailPosition
		head.TrailPosition, head.TrailHead = position+1, s.Entry.Leaf.Hash()
	} else {
		head.Position, head.Head, head.Epoch = position+1, s.Entry.Leaf.Hash(), s.Effect.Epoch
		head.Stale = (head.Stale || s.Effect.Kind == chain.KindRenew) && s.Effect.Kind != chain.KindStatement
	}
	index, err := appendLeaf(tx, s.Entry.Leaf)
	if err != nil {
		return Appended{}, err
	}
	for _, put := range []func() error{
		func() error {
			return tx.Put(layout.EntryKey(sequence, head.Chain, position), append(layout.Uint64(index), s.Entry.Bytes()...))
		},
		func() error { return layout.Put(tx, layout.ChainKey(head.Chain), record(head)) },
		func() error {
			return layout.Put(tx, layout.AcceptedKey(head.Chain, s.Effect.Entry), layout.Accepted{Submission: s.Hash, Actor: s.Effect.Actor, Chain: record(head), Index: index})
		},
		func() error {
			if s.Effect.Kind != chain.KindStatement {
				return nil
			}
			if err := layout.Put(tx, layout.AuditorsKey(head.Chain), layout.Auditors{Epoch: s.Effect.Epoch, Key: s.Effect.Statement.TrailKey}); err != nil {
				return err
			}
			return tx.Put(layout.StatementKey(head.Chain, s.Effect.Epoch), layout.Uint64(position))
		},
	} {
		if err := put(); err != nil {
			return Appended{}, err
		}
	}
	return Appended{ChainHead: head, Index: index}, nil
}

// statementRows keeps a statement's rows: wraps by member, packages by invite, and the hashes of all.
func statementRows(tx store.Tx, id wire.ChainID, s Submitted) error {
	var hashes []byte
	for _, row := range s.Rows {
		h := row.Hash()
		hashes = append(hashes, h[:]...)
	}
	if err := tx.Put(layout.RowsKey(id, s.Effect.Epoch), hashes); err != nil {
		return err
	}
	return keepRows(tx, id, s)
}

func keepRows(tx store.Tx, id wire.ChainID, s Submitted) error {
	for _, row := range s.Rows {
		key := layout.PackageKey(id, row.Recipient)
		if row.Kind == chain.RowWrap {
			key = layout.WrapKey(id, row.Recipient, s.Effect.Epoch)
		}
		if err := tx.Put(key, row.Bytes); err != nil {
			return err
		}
	}
	return nil
}

// each reads all records under a prefix, by the identifier at the end of their keys.
func each[T any](tx store.Tx, prefix []byte) (map[wire.ObjectID]*T, error) {
	out := map[wire.ObjectID]*T{}
	err := tx.Scan(prefix, nil, 0, func(k, v []byte) error {
		id, err := wire.ParseObjectID(layout.Last(k))
		if err != nil {
			return err
		}
		t := new(T)
		out[id] = t
		return json.Unmarshal(v, t)
	})
	return out, err
}

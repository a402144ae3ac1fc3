package ledger

import (
	"errors"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// seen reads a chain's head and the caller's seat, and asks whether he may.
func seen(tx store.Tx, c access.Caller, id wire.ChainID, may func(*access.Seat) error) (api.ChainHead, error) {
	head, seat, err := place(tx, c, id)
	if err != nil {
		return api.ChainHead{}, err
	}
	if err := may(seat); err != nil {
		return api.ChainHead{}, err
	}
	return deref(head), nil
}

// ChainHead is where a chain stands.
func ChainHead(tx store.Tx, c access.Caller, id wire.ChainID) (api.ChainHead, error) {
	return seen(tx, c, id, access.Head)
}

// Chains are the caller's seats. Of a chain that he was removed from he learns that, and not where it stands.
func Chains(tx store.Tx, c access.Caller) (api.Chains, error) {
	out := api.Chains{Chains: []api.ChainSeat{}}
	err := tx.Scan(layout.SeatsOf(c.Member), nil, 0, func(k, _ []byte) error {
		id, err := wire.ParseHash(layout.Last(k))
		if err != nil {
			return err
		}
		head, seat, err := place(tx, c, id)
		if err != nil || head == nil || seat == nil {
			return errors.Join(err, errLayout)
		}
		s := api.ChainSeat{ChainHead: *head, Role: seat.Role.String(), Waiting: seat.State == access.Waiting, Removed: seat.State == access.Removed, Keys: seat.Fingerprint}
		if s.Removed {
			s.ChainHead = api.ChainHead{Chain: id}
		}
		out.Chains = append(out.Chains, s)
		return nil
	})
	return out, err
}

// Entries is a page of a sequence from a position on: encoded entries, one after the other, and how many.
func Entries(tx store.Tx, c access.Caller, id wire.ChainID, sequence string, from uint64) ([]byte, error) {
	may := access.Entries
	if sequence == layout.Trail {
		may = access.Trail
	}
	head, err := seen(tx, c, id, may)
	if err != nil {
		return nil, err
	}
	end := head.Position
	if sequence == layout.Trail {
		end = head.TrailPosition
	}
	var page []byte
	for p := from; p < end; p++ {
		e, err := storedEntry(tx, sequence, id, p)
		if err != nil {
			return nil, err
		}
		if len(page) > 0 && len(page)+len(e) > api.MaxEntriesReply {
			break
		}
		page = append(page, e...)
	}
	return page, nil
}

// storedEntry is an entry's bytes, without the index of its leaf.
func storedEntry(tx store.Tx, sequence string, id wire.ChainID, position uint64) ([]byte, error) {
	b, err := tx.Get(layout.EntryKey(sequence, id, position))
	if err != nil {
		return nil, err
	}
	if len(b) < 8 {
		return nil, errLayout
	}
	return b[8:], nil
}

// Statements is a page of statements from an epoch on, and the epoch that comes after it: 0 at the end.
func Statements(tx store.Tx, c access.Caller, id wire.ChainID, from uint32) (page []byte, next uint32, err error) {
	head, err := seen(tx, c, id, access.Entries)
	if err != nil {
		return nil, 0, err
	}
	for epoch := from; epoch <= head.Epoch; epoch++ {
		position, err := tx.Get(layout.StatementKey(id, epoch))
		if err != nil {
			return nil, 0, err
		}
		e, err := storedEntry(tx, layout.State, id, layout.ParseUint64(position))
		if err != nil {
			return nil, 0, err
		}
		if len(page) > 0 && len(page)+len(e) > api.MaxEntriesReply {
			return page, epoch, nil
		}
		page = append(page, e...)
	}
	return page, 0, nil
}

// Wrap is the caller's own wrap of an epoch, 0 being the newest, and the hashes of all rows of the epoch's statement.
func Wrap(tx store.Tx, c access.Caller, id wire.ChainID, epoch uint32) (api.WrapReply, error) {
	head, err := seen(tx, c, id, access.Entries)
	if err != nil {
		return api.WrapReply{}, err
	}
	if epoch == 0 {
		epoch = head.Epoch
	}
	row, err := tx.Get(layout.WrapKey(id, c.Member, epoch))
	if err != nil {
		return api.WrapReply{}, orNotFound(err)
	}
	hashes, err := tx.Get(layout.RowsKey(id, epoch))
	if err != nil {
		return api.WrapReply{}, orNotFound(err)
	}
	out := api.WrapReply{Row: row, Hashes: []wire.Hash{}}
	for ; len(hashes) >= len(wire.Hash{}); hashes = hashes[len(wire.Hash{}):] {
		out.Hashes = append(out.Hashes, wire.Hash(hashes[:len(wire.Hash{})]))
	}
	return out, nil
}

func orNotFound(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return access.Deny(api.CodeNotFound)
	}
	return err
}

// Invite is what anybody may know who knows an invite's id. Only of one that may be used is there more than its state.
func Invite(tx store.Tx, now time.Time, id wire.ChainID, invite wire.ObjectID) (api.InviteReply, error) {
	out := api.InviteReply{State: "gone"}
	i, err := pointer[access.Invite](tx, layout.InviteKey(id, invite))
	if err != nil || i == nil {
		return out, err
	}
	inviter, err := Seat(tx, id, i.Inviter)
	if err != nil {
		return out, err
	}
	switch err := access.UsableInvite(i, inviter, now.Unix()); {
	case access.Is(err, api.CodeInviteUsed):
		out.State = "used"
		return out, nil
	case access.Is(err, api.CodeInviteExpired):
		out.State = "expired"
		return out, nil
	case err != nil:
		return out, nil
	}
	head, err := pointer[layout.Chain](tx, layout.ChainKey(id))
	if err != nil || head == nil {
		return out, errors.Join(err, errLayout)
	}
	out.State, out.Chain = "open", Head(id, *head)
	out.Package, err = tx.Get(layout.PackageKey(id, invite))
	return out, err
}

// Keys are the public keys of somebody who shares, or shared, a chain with the caller.
func Keys(tx store.Tx, c access.Caller, member wire.ObjectID) ([]byte, error) {
	shared := errors.New("found")
	err := tx.Scan(layout.SeatsOf(c.Member), nil, 0, func(k, _ []byte) error {
		id, err := wire.ParseHash(layout.Last(k))
		if err != nil {
			return err
		}
		ours, err := Seat(tx, id, c.Member)
		if err != nil {
			return err
		}
		theirs, err := Seat(tx, id, member)
		if err != nil {
			return err
		}
		if access.Keys(ours, theirs) != nil {
			return nil
		}
		return shared
	})
	switch {
	case err == nil:
		return nil, access.Deny(api.CodeNotFound)
	case !errors.Is(err, shared):
		return nil, err
	}
	b, err := tx.Get(layout.KeysKey(member))
	return b, orNotFound(err)
}

// livingVersion is a version of a document that was not deleted.
func livingVersion(tx store.Tx, id wire.ChainID, doc, version wire.ObjectID) (layout.Version, error) {
	d, found, err := layout.Get[layout.Document](tx, layout.DocumentKey(id, doc))
	if err != nil {
		return layout.Version{}, err
	}
	if !found {
		return layout.Version{}, access.Deny(api.CodeNotFound)
	}
	v, found, err := layout.Get[layout.Version](tx, layout.VersionKey(id, version))
	switch {
	case err != nil:
		return v, err
	case !found || v.Document != doc:
		return v, access.Deny(api.CodeNotFound)
	case d.Deleted:
		return v, access.Deny(api.CodeGone)
	}
	return v, nil
}

// Digests are the digests of a version's chunks, in order, 32 bytes each.
func Digests(tx store.Tx, c access.Caller, id wire.ChainID, doc, version wire.ObjectID) ([]byte, error) {
	if _, err := seen(tx, c, id, access.Digests); err != nil {
		return nil, err
	}
	v, err := livingVersion(tx, id, doc, version)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, 32*document.Chunks(v.Padded))
	err = eachChunk(tx, v.Upload, func(_ uint32, digest wire.Hash) error {
		out = append(out, digest[:]...)
		return nil
	})
	return out, err
}

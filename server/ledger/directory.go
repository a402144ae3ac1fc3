package ledger

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"slices"

	"github.com/underseal/underseal/keys/vrf"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/directory"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// PutLink enters a person's next public keys into the directory and the log. Links only follow: one that does not, or that
// the keys before did not sign, is refused.
func (l *Log) PutLink(tx store.Tx, link chain.KeyLink) error {
	var before *chain.KeyLink
	if link.Number > 0 {
		b, err := tx.Get(layout.KeyLinkKey(link.Member, link.Number-1))
		if err != nil {
			return orNotFound(err)
		}
		old, err := chain.ParseKeyLink(b)
		if err != nil {
			return err
		}
		before = &old
	}
	if taken, err := layout.Has(tx, layout.KeyLinkKey(link.Member, link.Number)); err != nil || taken {
		return deny(err, api.CodeBadRequest)
	}
	if link.Follows(before) != nil {
		return access.Deny(api.CodeForbidden)
	}
	if before != nil {
		if err := unused(tx, link); err != nil {
			return err
		}
	}
	output, _, err := l.proveLabel(tx, link)
	if err != nil {
		return err
	}
	index, err := appendLeaf(tx, directory.Leaf(link, output))
	if err != nil {
		return err
	}
	if err := tx.Put(layout.KeysKey(link.Member), link.Bundle.Bytes()); err != nil {
		return err
	}
	if err := tx.Put(layout.KeyLeafKey(link.Member, link.Number), layout.Uint64(index)); err != nil {
		return err
	}
	return tx.Put(layout.KeyLinkKey(link.Member, link.Number), link.Bytes())
}

// unused: next keys are none that the member had, nor another one's (SPEC S-RENEW-02). Each is signed by its holder, who may be
// somebody with two accounts.
func unused(tx store.Tx, link chain.KeyLink) error {
	used := false
	err := tx.Scan(layout.KeyLinksOf(link.Member), nil, 0, func(_, b []byte) error {
		was, err := chain.ParseKeyLink(b)
		used = used || (err == nil && was.Bundle.Keys.Equal(link.Bundle.Keys))
		return err
	})
	if err != nil {
		return err
	}
	fingerprint := wire.Hash(link.Bundle.Keys.Fingerprint())
	err = tx.Scan(layout.Members(), nil, 0, func(_, v []byte) error {
		var m layout.Member
		err := json.Unmarshal(v, &m)
		used = used || m.Fingerprint == fingerprint
		return err
	})
	if err == nil && used {
		err = access.Deny(api.CodeForbidden)
	}
	return err
}

func (l *Log) proveLabel(tx store.Tx, link chain.KeyLink) (output [vrf.OutputSize]byte, proof [vrf.ProofSize]byte, err error) {
	f, err := firmOf(tx)
	if err != nil {
		return output, proof, err
	}
	s, err := l.signer(f)
	if err != nil {
		return output, proof, err
	}
	return s.vrf.Prove(directory.Label(link.Firm, link.Member, link.Number))
}

// Linked is where a link that the directory has stands in the log, and the proof of its label; found is false where it has
// another one or none.
func (l *Log) Linked(tx store.Tx, link chain.KeyLink) (index uint64, proof []byte, found bool, err error) {
	stored, err := optional(tx.Get(layout.KeyLinkKey(link.Member, link.Number)))
	if err != nil || !bytes.Equal(stored, link.Bytes()) {
		return 0, nil, false, err
	}
	at, err := tx.Get(layout.KeyLeafKey(link.Member, link.Number))
	if err != nil {
		return 0, nil, false, err
	}
	_, p, err := l.proveLabel(tx, link)
	return layout.ParseUint64(at), p[:], true, err
}

func deny(err error, code api.Code) error {
	if err != nil {
		return err
	}
	return access.Deny(code)
}

// State is where the log stands, with the proof that it extends what the caller saw.
func State(tx store.Tx, from uint64) (api.LogState, Published, error) {
	p, err := Newest(tx)
	if err != nil {
		return api.LogState{}, p, err
	}
	out := api.LogState{Checkpoint: string(p.Checkpoint)}
	if out.Consistency, err = between(tx, from, p.Size); err != nil {
		return out, p, err
	}
	witnessed, size, err := witnessedOf(tx)
	if err != nil || witnessed == nil {
		return out, p, err
	}
	out.Witnessed = string(witnessed)
	out.Extends, err = between(tx, size, p.Size)
	return out, p, err
}

// between proves two sizes of the log consistent, whichever is smaller. Of a size that the log has not reached, and of
// nothing, there is no proof.
func between(tx store.Tx, a, b uint64) ([]wire.Hash, error) {
	signed, err := integrated(tx)
	if err != nil || min(a, b) == 0 || max(a, b) > signed.Size {
		return []wire.Hash{}, err
	}
	proof, err := log.ProveConsistency(tree{tx}, min(a, b), max(a, b))
	if proof == nil {
		proof = []wire.Hash{}
	}
	return proof, err
}

// maxLag is how many leaves the map is taken back to what witnesses saw. Each costs some reads, of every request: where they
// lag by more the answer is under the newest checkpoint, and its reader finds that nobody witnessed it.
const maxLag = 4096

// witnessedOf is the newest checkpoint that satisfies the policy, and its size; nil where there is none.
func witnessedOf(tx store.Tx) ([]byte, uint64, error) {
	note, err := optional(tx.Get(layout.WitnessedKey()))
	if err != nil || note == nil {
		return nil, 0, err
	}
	size, err := sizeOf(note)
	return note, size, err
}

// mapAt is the map under a checkpoint: the newest, or the newest that satisfies the policy. Of an older one it is what is
// left without the keys that came after.
func mapAt(tx store.Tx, seen uint64, witnessed bool) (log.MapPages, api.MapRoot, Published, error) {
	p, err := Newest(tx)
	if err != nil {
		return nil, api.MapRoot{}, p, err
	}
	note, size := p.Checkpoint, p.Size
	if witnessed {
		w, at, err := witnessedOf(tx)
		if err != nil {
			return nil, api.MapRoot{}, p, err
		}
		if w != nil && p.Size-min(at, p.Size) <= maxLag {
			note, size = w, at
		}
	}
	over := &overlay{tx: tx, changed: map[string][]byte{}}
	root, err := without(tx, over, size, p.Size)
	if err != nil {
		return nil, api.MapRoot{}, p, err
	}
	inclusion, err := log.ProveInclusion(tree{tx}, size-1, size)
	if err != nil {
		return nil, api.MapRoot{}, p, err
	}
	consistency, err := between(tx, seen, size)
	return over, api.MapRoot{Checkpoint: string(note), Consistency: consistency, Root: root, Inclusion: inclusion}, p, err
}

// without takes the keys of leaves from a size up to another out of the map.
func without(tx store.Tx, over *overlay, from, to uint64) (wire.Hash, error) {
	var keys []wire.Hash
	for i := from; i < to; i++ {
		b, err := tx.Get(layout.LeafKey(i))
		if err != nil {
			return wire.Hash{}, err
		}
		leaf, err := log.ParseLeaf(b)
		if err != nil {
			return wire.Hash{}, err
		}
		if item, ok := log.MapItemOf(leaf); ok {
			keys = append(keys, item.Key)
		}
	}
	root, err := log.MapRemove(over, keys)
	if err != nil {
		return root, err
	}
	// What is shown is what the log says: a store that was changed by hand proves nothing.
	b, err := tx.Get(layout.LeafKey(from - 1))
	if err != nil {
		return root, err
	}
	if leaf, err := log.ParseLeaf(b); err != nil || leaf != log.MapRootLeaf(root) {
		return root, errLayout
	}
	return root, nil
}

// overlay is the map with changes that are not kept.
type overlay struct {
	tx      store.Tx
	changed map[string][]byte // nil: deleted
}

var _ log.MapPages = (*overlay)(nil)

// Page implements log.MapPages.
func (o *overlay) Page(path string) ([]byte, error) {
	if page, ok := o.changed[path]; ok {
		return page, nil
	}
	return pages{o.tx}.Page(path)
}

// PutPage implements log.MapPages.
func (o *overlay) PutPage(path string, page []byte) error {
	o.changed[path] = slices.Clone(page)
	return nil
}

// DeletePage implements log.MapPages.
func (o *overlay) DeletePage(path string) error {
	o.changed[path] = nil
	return nil
}

func sizeOf(note []byte) (uint64, error) {
	c, err := log.Unverified(note)
	return c.Size, err
}

// Map proves keys present or absent.
func Map(tx store.Tx, req api.MapRequest) (api.MapReply, Published, error) {
	if len(req.Keys) > api.MaxMapKeys {
		return api.MapReply{}, Published{}, access.Deny(api.CodeTooLarge)
	}
	m, root, p, err := mapAt(tx, req.Seen, req.Witnessed)
	if err != nil {
		return api.MapReply{}, p, err
	}
	out := api.MapReply{MapRoot: root, Proofs: [][]byte{}}
	for _, k := range req.Keys {
		proof, err := log.MapProve(m, k)
		if err != nil {
			return out, p, err
		}
		out.Proofs = append(out.Proofs, proof.Bytes())
	}
	return out, p, nil
}

// Lookup is the public keys of people who share, or shared, a chain with the caller.
func (l *Log) Lookup(tx store.Tx, c access.Caller, req api.KeysRequest) (api.KeysReply, Published, error) {
	if len(req.Members) > api.MaxKeyMembers {
		return api.KeysReply{}, Published{}, access.Deny(api.CodeTooLarge)
	}
	m, root, p, err := mapAt(tx, req.Seen, req.Witnessed)
	if err != nil {
		return api.KeysReply{}, p, err
	}
	f, err := firmOf(tx)
	if err != nil {
		return api.KeysReply{}, p, err
	}
	s, err := l.signer(f)
	if err != nil {
		return api.KeysReply{}, p, err
	}
	out := api.KeysReply{MapRoot: root, Lookups: []directory.Lookup{}}
	for _, member := range req.Members {
		if member != c.Member {
			if _, err := Keys(tx, c, member); err != nil {
				return out, p, err
			}
		}
		lookup, err := lookup(tx, m, s, c.Firm, member)
		if err != nil {
			return out, p, err
		}
		out.Lookups = append(out.Lookups, lookup)
	}
	return out, p, nil
}

func lookup(tx store.Tx, m log.MapPages, s *signer, firm wire.ChainID, member wire.ObjectID) (directory.Lookup, error) {
	var out directory.Lookup
	err := tx.Scan(layout.KeyLinksOf(member), nil, 0, func(_, link []byte) error {
		out.Links = append(out.Links, link)
		return nil
	})
	if err != nil {
		return out, err
	}
	for n := 0; ; n++ {
		output, proof, err := s.vrf.Prove(directory.Label(firm, member, uint32(n)))
		if err != nil {
			return out, err
		}
		at, err := log.MapProve(m, log.MapKey(log.TypeKeys, wire.Hash(output[:32])))
		if err != nil {
			return out, err
		}
		out.Proofs = append(out.Proofs, proof[:])
		if n == len(out.Links) || at.Other == nil || at.Other.Key != log.MapKey(log.TypeKeys, wire.Hash(output[:32])) {
			out.Links, out.Absent = out.Links[:n], at.Bytes() // a link that came after the checkpoint is not in it
			return out, nil
		}
		out.Present = append(out.Present, at.Bytes())
	}
}

// sequenceAt is where a sequence's entries are kept, and how many there are.
func sequenceAt(tx store.Tx, head api.ChainHead, sequence string) (at func(uint64) []byte, end uint64, err error) {
	id := head.Chain
	switch sequence {
	case api.SequenceState:
		return func(p uint64) []byte { return layout.EntryKey(layout.State, id, p) }, head.Position, nil
	case api.SequenceTrail:
		return func(p uint64) []byte { return layout.EntryKey(layout.Trail, id, p) }, head.TrailPosition, nil
	case api.SequenceServer:
		s, _, err := layout.Get[layout.Sequence](tx, layout.EventsKey(id))
		return func(p uint64) []byte { return layout.EventKey(id, p) }, s.Position, err
	}
	return nil, 0, access.Deny(api.CodeBadRequest)
}

// indexAt is the index in the log of an entry's leaf, from the row that the entry is kept in.
func indexAt(tx store.Tx, key []byte) (uint64, error) {
	row, err := tx.Get(key)
	if err != nil {
		return 0, err
	}
	if len(row) < 8 {
		return 0, errLayout
	}
	return binary.BigEndian.Uint64(row), nil
}

// Leaves is a page of a sequence's leaves with their indices in the log.
func Leaves(tx store.Tx, c access.Caller, id wire.ChainID, sequence string, from uint64) ([]byte, error) {
	head, err := seen(tx, c, id, access.Entries)
	if err != nil {
		return nil, err
	}
	at, end, err := sequenceAt(tx, head, sequence)
	if err != nil {
		return nil, err
	}
	var page []byte
	for p := from; p < end && p-from < api.MaxLeaves; p++ {
		index, err := indexAt(tx, at(p))
		if err != nil {
			return nil, err
		}
		leaf, err := tx.Get(layout.LeafKey(index))
		if err != nil {
			return nil, err
		}
		page = append(append(page, layout.Uint64(index)...), leaf...)
	}
	return page, nil
}

// ReceiptOf is a receipt for an entry of a sequence, under the newest checkpoint.
func ReceiptOf(tx store.Tx, c access.Caller, id wire.ChainID, sequence string, position uint64) (string, Published, error) {
	head, err := seen(tx, c, id, access.Entries)
	if err != nil {
		return "", Published{}, err
	}
	at, end, err := sequenceAt(tx, head, sequence)
	if err != nil {
		return "", Published{}, err
	}
	if position >= end {
		return "", Published{}, access.Deny(api.CodeNotFound)
	}
	index, err := indexAt(tx, at(position))
	if err != nil {
		return "", Published{}, err
	}
	a, p, err := Receipt(tx, Appended{Index: index}, 0)
	return a.Receipt, p, err
}

// Events is a page of a chain's server sequence from a position on; or of its last entries, where last is not 0.
func Events(tx store.Tx, c access.Caller, id wire.ChainID, from, last uint64) ([]byte, error) {
	if _, err := seen(tx, c, id, access.Trail); err != nil {
		return nil, err
	}
	s, _, err := layout.Get[layout.Sequence](tx, layout.EventsKey(id))
	if err != nil {
		return nil, err
	}
	if last > 0 {
		from = s.Position - min(last, s.Position)
	}
	var page []byte
	for p := from; p < s.Position; p++ {
		row, err := tx.Get(layout.EventKey(id, p))
		if err != nil {
			return nil, err
		}
		if len(row) < 8 {
			return nil, errLayout
		}
		if len(page) > 0 && len(page)+len(row) > api.MaxEntriesReply {
			break
		}
		page = append(page, row[8:]...)
	}
	return page, nil
}

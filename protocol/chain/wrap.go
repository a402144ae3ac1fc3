package chain

import (
	"io"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// Wrap is a grant of an epoch's keys, wrapped to one member. All but the ciphertext is clear and bound into it
// (attack 33): it opens for no other chain, epoch, entry, recipient or sender.
type Wrap struct {
	Chain     wire.ChainID // as in the effect of the entry that made it: zero for a first statement
	Entry     wire.ObjectID
	Epoch     uint32
	Recipient wire.ObjectID
	Role      Role
	History   bool
	Sender    wire.ObjectID
	SenderKey wire.Hash // the sender's fingerprint
	Sealed    []byte
}

func (w Wrap) clear() *wire.Writer {
	b := wire.NewWriter()
	b.Uint8(wire.Suite)
	b.Fixed(w.Chain[:])
	b.Fixed(w.Entry[:])
	b.Uint32(w.Epoch)
	b.Fixed(w.Recipient[:])
	b.Uint8(uint8(w.Role))
	b.Bool(w.History)
	b.Fixed(w.Sender[:])
	b.Fixed(w.SenderKey[:])
	return b
}

func (w Wrap) info(recipientKey keys.Fingerprint) []byte {
	b := wire.NewWriter()
	b.Text(string(keys.LabelWrapEpoch))
	b.Fixed(recipientKey[:])
	b.Fixed(w.clear().Bytes())
	return b.Bytes()
}

func (w Wrap) row() Row {
	b := w.clear()
	b.Bytes16(w.Sealed)
	return Row{Kind: RowWrap, Recipient: w.Recipient, Bytes: b.Bytes()}
}

// ParseWrap reads a wrap's row. It does not verify.
func ParseWrap(b []byte) (Wrap, error) {
	r := wire.NewReader(b)
	if err := r.Suite(); err != nil {
		return Wrap{}, err
	}
	w := Wrap{Chain: r.Hash(), Entry: r.ID(), Epoch: r.Uint32(), Recipient: r.ID(), Role: Role(r.Uint8()), History: r.Bool(),
		Sender: r.ID(), SenderKey: r.Hash(), Sealed: r.Bytes16(4096)}
	if !w.Role.Valid() || w.Epoch == 0 {
		r.Refuse()
	}
	return w, r.Done()
}

// newWrap grants k to one member; maker is the effect of the entry that will commit to the row.
func newWrap(random io.Reader, maker *Effect, k *EpochKeys, to Seat, public *keys.PublicKeys, sender keys.Fingerprint) (Row, error) {
	w := Wrap{Chain: maker.Chain, Entry: maker.Entry, Epoch: k.Epoch, Recipient: to.Member, Role: to.Role, History: to.From == 1,
		Sender: maker.Actor, SenderKey: wire.Hash(sender)}
	sealed, err := public.WrapKey(random, w.info(public.Fingerprint()), k.grant(to.Role, w.History))
	if err != nil {
		return Row{}, err
	}
	w.Sealed = sealed
	return w.row(), nil
}

// Unwrap opens a row that was made for us in the chain id, by the keys that we have or those that we had. The keys are not to be used before the entries that commit to
// them have been applied: Start and Apply compare.
func Unwrap(id wire.ChainID, a Author, row []byte) (*EpochKeys, error) {
	w, err := ParseWrap(row)
	if err != nil {
		return nil, ErrWrap
	}
	first := w.Chain.IsZero() && w.Epoch == 1
	if w.Recipient != a.Member || (w.Chain != id && !first) {
		return nil, ErrWrap
	}
	for _, identity := range a.identities() {
		if plain, err := identity.Unwrap(w.info(identity.Public().Fingerprint()), w.Sealed); err == nil {
			return parseGrant(plain, w.Epoch, w.Role, w.History)
		}
	}
	return nil, ErrWrap
}

// OpenHistory opens every earlier epoch that newest reaches, with the statements as the server lists them, oldest first.
// Nothing here is verified yet: Start and Apply compare each key with what its statement commits to.
func OpenHistory(id wire.ChainID, newest *EpochKeys, statements []Entry) (KeySet, error) {
	held := KeySet{newest.Epoch: newest}
	boxes := map[uint32]Boxes{}
	for _, e := range statements {
		effect, err := ParseEffect(e.Effect)
		if err != nil {
			return nil, err
		}
		if effect.Kind == KindStatement {
			boxes[effect.Epoch] = effect.Statement.Boxes
		}
	}
	for k := newest; k.History && k.Epoch > 1; {
		b, ok := boxes[k.Epoch]
		if !ok {
			return nil, ErrNoKey
		}
		before, err := k.openBefore(id, b)
		if err != nil {
			return nil, err
		}
		held[before.Epoch] = before
		k = before
	}
	return held, nil
}

// CheckRow verifies that the row we unwrapped is one of those that the epoch's statement made, at our place: hashes are
// of all its rows, members in order of their ids first (attacks 25, 35). A row that an accept or admit made is bound by
// the commitments alone.
func (s *State) CheckRow(self wire.ObjectID, row []byte, hashes []wire.Hash) error {
	if log.Root(hashes) != s.RowsRoot {
		return ErrWrap
	}
	for i, m := range s.Seated() {
		if m.ID != self {
			continue
		}
		if i >= len(hashes) || hashes[i] != (Row{Kind: RowWrap, Recipient: self, Bytes: row}).Hash() {
			return ErrWrap
		}
		return nil
	}
	return ErrWrap
}

// Links are the reviewer's keys of every epoch that held has, with the place where each epoch's sequences begin. Statements
// are as the server lists them, from the first: one that the link key before it did not place, or whose opening the epoch's
// own did not make, is refused.
func Links(origin string, id wire.ChainID, held KeySet, statements []Entry) (log.LinkKeys, error) {
	out := log.LinkKeys{Origin: origin, Chain: id}
	for i, e := range statements {
		effect, err := ParseEffect(e.Effect)
		if err != nil {
			return log.LinkKeys{}, err
		}
		if effect.Kind != KindStatement || effect.Epoch != uint32(i+1) {
			return log.LinkKeys{}, ErrEpoch
		}
		k := held[effect.Epoch]
		if k == nil {
			return log.LinkKeys{}, ErrNoKey
		}
		st := effect.Statement
		if k.stateLink().Opening(log.TypeState, effect.Position, effect.Previous) != st.OpensState ||
			k.trailLink().Opening(log.TypeTrail, st.TrailPosition, st.TrailHead) != st.OpensTrail {
			return log.LinkKeys{}, ErrLeaf
		}
		links := log.EpochLinks{Epoch: effect.Epoch, StateFrom: effect.Position + 1, TrailFrom: st.TrailPosition, State: k.stateLink(), Trail: k.trailLink(),
			StateHead: e.Leaf.Hash(), TrailHead: st.TrailHead}
		placed := links.State
		if i == 0 {
			if e.ID() != id || effect.Position != 0 || st.TrailPosition != 0 {
				return log.LinkKeys{}, ErrFirst
			}
			links.StateFrom, links.StateHead, links.TrailHead = 0, wire.Hash{}, wire.Hash{}
		} else {
			placed = out.Epochs[i-1].State
		}
		if err := e.stands(effect, id, placed); err != nil {
			return log.LinkKeys{}, err
		}
		out.Epochs = append(out.Epochs, links)
	}
	if len(out.Epochs) != len(held) {
		return log.LinkKeys{}, ErrEpoch
	}
	return out, nil
}

package chain

import (
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/wire"
)

// cacheVersion is of the device's own format: a cache of another is thrown away and the chain replayed.
const cacheVersion uint16 = 1

// Marshal encodes a verified state with its keys, for the device to seal and keep: a warm open then verifies only what is
// new. It is secret.
func (s *State) Marshal() []byte {
	w := wire.NewWriter()
	w.Uint16(cacheVersion)
	w.Fixed(s.ID[:])
	s.Charter.write(w)
	w.Text(s.Name)
	w.Uint32(s.Epoch)
	w.Uint64(s.Position)
	w.Fixed(s.Head[:])
	w.Uint64(s.ChangedAt)
	w.Fixed(s.RowsRoot[:])
	w.Bytes16(s.TrailKey)
	w.Uint64(s.TrailPosition)
	w.Fixed(s.TrailHead[:])
	w.Uint32(uint32(len(s.keys)))
	for e := uint32(1); e <= s.Epoch; e++ {
		if k := s.keys[e]; k != nil {
			k.write(w)
		}
	}
	w.Uint32(uint32(len(s.Voids)))
	for _, v := range s.Voids {
		w.Uint64(v.Position)
		w.Fixed(v.Actor[:])
		w.Fixed(v.Document[:])
	}
	for _, m := range sortedByID(s.Members) {
		w.Bytes32(m.item())
	}
	for _, i := range sortedByID(s.Invites) {
		w.Bytes32(i.item())
	}
	for _, d := range sortedByID(s.Documents) {
		w.Bytes32(d.item())
	}
	return w.Bytes()
}

const maxItem = 64 << 20

// Unmarshal is the inverse of Marshal.
func Unmarshal(b []byte) (*State, error) {
	r := wire.NewReader(b)
	if r.Uint16() != cacheVersion {
		return nil, wire.ErrMalformed
	}
	s := &State{ID: r.Hash(), Charter: readCharter(r), Name: r.Text(document.MaxName), Epoch: r.Uint32(), Position: r.Uint64(), Head: r.Hash(), ChangedAt: r.Uint64(),
		RowsRoot: r.Hash(), TrailKey: r.Bytes16(4096), TrailPosition: r.Uint64(), TrailHead: r.Hash(),
		Members: map[wire.ObjectID]*Member{}, Invites: map[wire.ObjectID]*Invite{}, Documents: map[wire.ObjectID]*Document{},
		keys: KeySet{}, versions: map[wire.ObjectID]bool{}, expected: map[uint64]wire.Hash{}}
	for range r.Uint32() {
		if k := readEpochKeys(r); !r.Failed() {
			s.keys[k.Epoch] = k
		}
	}
	for range r.Uint32() {
		if r.Failed() {
			break
		}
		s.Voids = append(s.Voids, Void{Position: r.Uint64(), Actor: r.ID(), Document: r.ID()})
	}
	for r.More() {
		s.readItem(wire.NewReader(r.Bytes32(maxItem)), r)
	}
	return s, r.Done()
}

func (s *State) readItem(item, outer *wire.Reader) {
	switch item.Uint8() {
	case itemMember:
		m := parseMember(item)
		s.Members[m.ID] = m
	case itemInvite:
		i := parseInvite(item)
		s.Invites[i.ID] = i
	case itemDocument:
		d := parseDocument(item)
		s.Documents[d.ID] = d
		for _, v := range d.Versions {
			s.versions[v.Header.Version] = true
		}
	default:
		item.Refuse()
	}
	if item.Done() != nil {
		outer.Refuse()
	}
}

func (k *EpochKeys) write(w *wire.Writer) {
	w.Uint32(k.Epoch)
	w.Uint8(uint8(k.Rung))
	w.Bool(k.History)
	w.Bool(k.Audit)
	for _, s := range k.rungs() {
		w.Fixed(s[:])
	}
}

func readEpochKeys(r *wire.Reader) *EpochKeys {
	k := &EpochKeys{Epoch: r.Uint32(), Rung: Rung(r.Uint8()), History: r.Bool(), Audit: r.Bool()}
	for _, s := range []*Secret{&k.Content, &k.Entry, &k.StateLink, &k.TrailLink, &k.HistoryContent, &k.HistoryEntry, &k.HistoryLink, &k.Trail, &k.TrailHistory} {
		*s = Secret(r.Hash())
	}
	return k
}

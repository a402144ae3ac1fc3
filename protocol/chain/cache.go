package chain

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/wire"
)

// cacheVersion is of the device's own format: a cache of another is thrown away and the chain replayed.
const cacheVersion uint16 = 5

// Marshal encodes a verified state with its keys, for the device to seal and keep: a warm open then verifies only what is
// new. It is secret.
func (s *State) Marshal() []byte {
	w := wire.NewWriter()
	w.Uint16(cacheVersion)
	w.Fixed(s.ID[:])
	s.Charter.write(w)
	w.Text(s.Name)
	w.Uint32(s.Epoch)
	w.Uint64(s.OpenedAt)
	w.Uint64(s.Position)
	w.Fixed(s.Head[:])
	w.Uint64(s.ChangedAt)
	w.Fixed(s.RowsRoot[:])
	w.Bytes16(s.TrailKey)
	w.Uint64(s.TrailPosition)
	w.Fixed(s.TrailHead[:])
	epochs := s.verifiedEpochs()
	w.Uint32(uint32(len(epochs)))
	for _, e := range epochs {
		s.keys[e].write(w)
	}
	w.Uint32(uint32(len(s.Voids)))
	for _, v := range s.Voids {
		w.Uint64(v.Position)
		w.Fixed(v.Actor[:])
		w.Fixed(v.Document[:])
	}
	w.Uint32(uint32(len(s.Erasures)))
	for _, e := range s.Erasures {
		w.Fixed(e.item())
	}
	w.Bool(s.Policy != nil)
	if s.Policy != nil {
		w.Bytes32(s.Policy.item())
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
	for _, r := range sortedByID(s.Recoveries) {
		w.Bytes32(r.item())
	}
	return w.Bytes()
}

const (
	maxItem       = 64 << 20
	maxPolicyItem = 4096
)

// verifiedEpochs are those whose keys were compared with their statements, oldest first.
func (s *State) verifiedEpochs() []uint32 {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.keys)), func(e uint32) bool { return e > s.Epoch })
}

// Unmarshal is the inverse of Marshal. Counts are believed only as far as there are bytes for them: SPEC S-STATE-05.
func Unmarshal(b []byte) (*State, error) {
	r := wire.NewReader(b)
	if r.Uint16() != cacheVersion {
		return nil, wire.ErrMalformed
	}
	s := &State{ID: r.Hash(), Charter: readCharter(r), Name: r.Text(document.MaxName), Epoch: r.Uint32(), OpenedAt: r.Uint64(), Position: r.Uint64(), Head: r.Hash(), ChangedAt: r.Uint64(),
		RowsRoot: r.Hash(), TrailKey: r.Bytes16(4096), TrailPosition: r.Uint64(), TrailHead: r.Hash(),
		Members: map[wire.ObjectID]*Member{}, Invites: map[wire.ObjectID]*Invite{}, Documents: map[wire.ObjectID]*Document{}, Recoveries: map[wire.ObjectID]*Recovery{},
		keys: KeySet{}, versions: map[wire.ObjectID]bool{}, expected: map[uint64]wire.Hash{}}
	last := uint32(0)
	for range r.Uint32() {
		k := readEpochKeys(r)
		if k.Epoch <= last || k.Epoch > s.Epoch || k.Rung < RungLink || k.Rung > RungContent {
			r.Refuse()
		}
		if r.Failed() {
			break
		}
		last, s.keys[k.Epoch] = k.Epoch, k
	}
	for range r.Uint32() {
		if r.Failed() {
			break
		}
		s.Voids = append(s.Voids, Void{Position: r.Uint64(), Actor: r.ID(), Document: r.ID()})
	}
	for range r.Uint32() {
		if r.Uint8() != itemErasure || r.Failed() {
			r.Refuse()
			break
		}
		s.Erasures = append(s.Erasures, parseErasure(r))
	}
	if r.Bool() {
		item := wire.NewReader(r.Bytes32(maxPolicyItem))
		if item.Uint8() != itemPolicy {
			r.Refuse()
		}
		s.Policy = parseSignedPolicy(item)
		if item.Done() != nil {
			r.Refuse()
		}
	}
	var before []byte
	for r.More() {
		item := r.Bytes32(maxItem)
		if len(item) < 17 || !itemFollows(before, item) {
			r.Refuse()
			break
		}
		s.readItem(wire.NewReader(item), r)
		before = item[:17]
	}
	if err := r.Done(); err != nil {
		return nil, err
	}
	return s, nil
}

// itemFollows keeps the one order that Marshal writes: members, invites, documents, recoveries, each by id, none twice.
func itemFollows(before, item []byte) bool {
	if before == nil {
		return true
	}
	const order = string(rune(itemMember)) + string(rune(itemInvite)) + string(rune(itemDocument)) + string(rune(itemRecovery))
	a, b := strings.IndexByte(order, before[0]), strings.IndexByte(order, item[0])
	return a < b || (a == b && bytes.Compare(before[1:], item[1:17]) < 0)
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
	case itemRecovery:
		x := parseRecovery(item)
		s.Recoveries[x.ID] = x
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

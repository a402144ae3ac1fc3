package chain

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// MemberState is where a member stands.
type MemberState uint8

// Member states.
const (
	MemberWaiting MemberState = iota + 1 // accepted an invite that an owner must confirm; holds no key
	MemberSeated
	MemberFrozen  // a second guest used the same invite: nothing is sealed to either until an owner decides
	MemberRemoved // stays listed, as the author of what he wrote
)

// Member is a person of this chain, present or past.
type Member struct {
	ID        wire.ObjectID
	Keys      *keys.PublicKeys
	Name      string
	Role      Role
	State     MemberState
	From      uint32
	Former    []FormerKeys // oldest first
	Renewed   uint64       // position of his newest renewal; 0: none
	Ways      uint8        // to unlock, as he says; 0: he did not say
	Read      Topics       // as he says
	Readings  [topicCount]Reading
	Escrow    *Escrow       // what he left with custodians; nil: nothing
	Invite    wire.ObjectID // the invite he came by; zero for the founder
	AddedBy   wire.ObjectID
	AddedAt   uint64
	RemovedBy wire.ObjectID
	RemovedAt uint64
}

// InviteState is where an invite stands. Expiry is the server's to enforce.
type InviteState uint8

// Invite states.
const (
	InviteOpen InviteState = iota + 1
	InviteWaiting
	InviteSeated
	InviteCancelled
	InviteFrozen
)

// Invite is an invite of this chain.
type Invite struct {
	ID          wire.ObjectID
	PublicKey   [32]byte
	Inviter     wire.ObjectID
	InviterKeys wire.Hash // the inviter's fingerprint when it was made
	Person      string
	Role        Role
	Mode        InviteMode
	Expires     uint64
	AcceptKey   Secret
	Secrets     []sealedSecret
	PackageHash wire.Hash
	State       InviteState
	Guest       wire.ObjectID
	At          uint64
}

// Version is one verified version of a document.
type Version struct {
	document.Version // its sealed manifest is dropped once verified; ManifestHash stays
	ManifestHash     wire.Hash
	Manifest         document.Manifest
	Author           wire.ObjectID
	At               uint64
	Epoch            uint32
	Position         uint64
}

// Document is a document and all its versions, oldest first.
type Document struct {
	ID        wire.ObjectID
	Name      string
	Folder    string
	Versions  []*Version
	ChangedBy wire.ObjectID
	ChangedAt uint64
	Deleted   bool // a tombstone: the id is never used again
}

// Current is the newest version.
func (d *Document) Current() *Version { return d.Versions[len(d.Versions)-1] }

// Void is an operation that changed nothing, because it lost a race or was not well-formed where only members can see.
type Void struct {
	Position uint64
	Actor    wire.ObjectID
	Document wire.ObjectID
}

// Erasure is an owner's word that the envelopes of a part of a sequence are gone.
type Erasure struct {
	Sequence uint16 // log.TypeTrail, or log.TypeState for what was forgotten
	From, To uint64 // positions of it
	Rule     EraseRule
	Position uint64 // of the entry that says so
	By       wire.ObjectID
	At       uint64
}

// KeySet are the keys a client holds of a chain, by epoch.
type KeySet map[uint32]*EpochKeys

// State is what a chain says, derived from verified entries alone. It is not safe for concurrent use.
type State struct {
	ID      wire.ChainID
	Charter Charter
	Name    string

	Epoch    uint32
	OpenedAt uint64    // position of the statement that opened it
	Position uint64    // of the next entry
	Head     wire.Hash // leaf hash of the newest entry

	Members    map[wire.ObjectID]*Member
	Invites    map[wire.ObjectID]*Invite
	Documents  map[wire.ObjectID]*Document
	Recoveries map[wire.ObjectID]*Recovery // of a firm
	Voids      []Void
	Erasures   []Erasure     // oldest first
	Policy     *SignedPolicy // of a firm: the newest; nil where no owner signed one
	ChangedAt  uint64

	RowsRoot wire.Hash // of the statement that opened the epoch
	TrailKey []byte
	// Trail is where the trail sequence stood when the epoch opened.
	TrailPosition uint64
	TrailHead     wire.Hash

	keys     KeySet
	versions map[wire.ObjectID]bool // every version id ever used
	expected map[uint64]wire.Hash   // leaf hashes that links or earlier visits pinned
	carried  []Carried              // since TakeCarried
	unproved map[uint64]bool        // tombstones of the state sequence that no owner's word covers yet
}

// Keys are the keys of the current epoch.
func (s *State) Keys() (*EpochKeys, error) {
	k := s.keys[s.Epoch]
	if k == nil {
		return nil, ErrNoKey
	}
	return k, nil
}

// KeysOf are the keys of an epoch.
func (s *State) KeysOf(epoch uint32) (*EpochKeys, error) {
	k := s.keys[epoch]
	if k == nil {
		return nil, ErrNoKey
	}
	return k, nil
}

// AddKeys hands over the keys of the epoch whose statement is about to be applied, which checks them. Keys of any other
// epoch are not taken: what was verified is never replaced by what was not (SPEC S-EPOCH-06).
func (s *State) AddKeys(k *EpochKeys) {
	if k.Epoch == s.Epoch+1 {
		s.keys[k.Epoch] = k
	}
}

// Expect pins the leaf hash of a position: Apply stops with ErrAnchor when another entry stands there.
func (s *State) Expect(position uint64, leaf wire.Hash) { s.expected[position] = leaf }

// Unmet reports whether something that must stand in the chain has not been seen yet: what was pinned, or the statement of
// an epoch whose keys we were given. Who wrapped those had opened it: a chain that ends before was cut (attack 31).
// So is a tombstone that no owner's word covers.
func (s *State) Unmet() bool {
	return len(s.expected) > 0 || len(s.verifiedEpochs()) < len(s.keys) || len(s.unproved) > 0
}

// Unproved reports whether there are tombstones that no owner's word covers.
func (s *State) Unproved() bool { return len(s.unproved) > 0 }

// Seated is the members who hold keys now, sorted.
func (s *State) Seated() []*Member {
	var m []*Member
	for _, x := range sortedByID(s.Members) {
		if x.State == MemberSeated {
			m = append(m, x)
		}
	}
	return m
}

func sortedByID[T any](m map[wire.ObjectID]T) []T {
	ids := slices.SortedFunc(maps.Keys(m), func(a, b wire.ObjectID) int { return bytes.Compare(a[:], b[:]) })
	out := make([]T, len(ids))
	for i, id := range ids {
		out[i] = m[id]
	}
	return out
}

// Member kinds of items in the state's tree.
const (
	itemCharter  = 'c'
	itemMember   = 'm'
	itemInvite   = 'i'
	itemDocument = 'd'
	itemErasure  = 'e'
	itemDeleted  = 'x'
	itemPolicy   = 'p'
	itemRecovery = 'r'
)

// items is the canonical encoding of the derived state: SPEC S-STATE-01.
func (s *State) items() [][]byte {
	items := [][]byte{s.charterItem()}
	for _, m := range sortedByID(s.Members) {
		items = append(items, m.item())
	}
	for _, i := range sortedByID(s.Invites) {
		items = append(items, i.item())
	}
	for _, d := range sortedByID(s.Documents) {
		if d.Deleted {
			items = append(items, d.tombstone())
		} else {
			items = append(items, d.item())
		}
	}
	for _, e := range s.Erasures {
		items = append(items, e.item())
	}
	if s.Policy != nil {
		items = append(items, s.Policy.item())
	}
	for _, r := range sortedByID(s.Recoveries) {
		items = append(items, r.item())
	}
	return items
}

// Root is the Merkle root over the derived state: what statements sign and whoever replays compares.
func (s *State) Root() wire.Hash {
	items := s.items()
	hashes := make([]wire.Hash, len(items))
	for i, item := range items {
		hashes[i] = log.LeafHash(item)
	}
	return log.Root(hashes)
}

func (s *State) charterItem() []byte {
	w := wire.NewWriter()
	w.Uint8(itemCharter)
	s.Charter.write(w)
	w.Text(s.Name)
	w.Uint32(s.Epoch)
	return w.Bytes()
}

func (e Erasure) item() []byte {
	w := wire.NewWriter()
	w.Uint8(itemErasure)
	w.Uint16(e.Sequence)
	w.Uint64(e.From)
	w.Uint64(e.To)
	w.Uint8(uint8(e.Rule))
	w.Uint64(e.Position)
	w.Fixed(e.By[:])
	w.Uint64(e.At)
	return w.Bytes()
}

func parseErasure(r *wire.Reader) Erasure {
	return Erasure{Sequence: r.Uint16(), From: r.Uint64(), To: r.Uint64(), Rule: EraseRule(r.Uint8()), Position: r.Uint64(), By: r.ID(), At: r.Uint64()}
}

func (m *Member) item() []byte {
	w := wire.NewWriter()
	w.Uint8(itemMember)
	w.Fixed(m.ID[:])
	w.Fixed(m.Keys.Bytes())
	w.Text(m.Name)
	w.Uint8(uint8(m.Role))
	w.Uint8(uint8(m.State))
	w.Uint32(m.From)
	w.Count(len(m.Former))
	for _, f := range m.Former {
		w.Fixed(f.Keys.Bytes())
		w.Uint64(f.Until)
	}
	w.Uint64(m.Renewed)
	w.Uint8(m.Ways)
	m.writeReadings(w)
	w.Bool(m.Escrow != nil)
	if m.Escrow != nil {
		m.Escrow.write(w)
	}
	w.Fixed(m.Invite[:])
	w.Fixed(m.AddedBy[:])
	w.Uint64(m.AddedAt)
	w.Fixed(m.RemovedBy[:])
	w.Uint64(m.RemovedAt)
	return w.Bytes()
}

func parsePublicKeys(r *wire.Reader) *keys.PublicKeys {
	public, err := keys.ParsePublicKeys(r.Fixed(3200))
	if err != nil {
		r.Refuse()
	}
	return public
}

func parseMember(r *wire.Reader) *Member {
	m := &Member{ID: r.ID(), Keys: parsePublicKeys(r), Name: r.Text(document.MaxName), Role: Role(r.Uint8()), State: MemberState(r.Uint8()), From: r.Uint32()}
	for range r.Count(MaxKeyLinks, 3200+8) {
		m.Former = append(m.Former, FormerKeys{Keys: parsePublicKeys(r), Until: r.Uint64()})
	}
	m.Renewed, m.Ways = r.Uint64(), r.Uint8()
	m.readReadings(r)
	if r.Bool() {
		e := readEscrow(r)
		m.Escrow = &e
	}
	m.Invite, m.AddedBy, m.AddedAt, m.RemovedBy, m.RemovedAt = r.ID(), r.ID(), r.Uint64(), r.ID(), r.Uint64()
	return m
}

func (i *Invite) item() []byte {
	w := wire.NewWriter()
	w.Uint8(itemInvite)
	w.Fixed(i.ID[:])
	w.Fixed(i.PublicKey[:])
	w.Fixed(i.Inviter[:])
	w.Fixed(i.InviterKeys[:])
	w.Text(i.Person)
	w.Uint8(uint8(i.Role))
	w.Uint8(uint8(i.Mode))
	w.Uint64(i.Expires)
	w.Fixed(i.AcceptKey[:])
	w.Count(len(i.Secrets))
	for _, s := range i.Secrets {
		w.Fixed(s.Owner[:])
		w.Bytes16(s.Wrap)
	}
	w.Fixed(i.PackageHash[:])
	w.Uint8(uint8(i.State))
	w.Fixed(i.Guest[:])
	w.Uint64(i.At)
	return w.Bytes()
}

func parseInvite(r *wire.Reader) *Invite {
	i := &Invite{ID: r.ID(), PublicKey: r.Hash(), Inviter: r.ID(), InviterKeys: r.Hash(), Person: r.Text(document.MaxName),
		Role: Role(r.Uint8()), Mode: InviteMode(r.Uint8()), Expires: r.Uint64(), AcceptKey: Secret(r.Hash())}
	for range r.Count(MaxSeats, 18) {
		i.Secrets = append(i.Secrets, sealedSecret{Owner: r.ID(), Wrap: r.Bytes16(4096)})
	}
	i.PackageHash, i.State, i.Guest, i.At = r.Hash(), InviteState(r.Uint8()), r.ID(), r.Uint64()
	return i
}

func (d *Document) item() []byte {
	w := wire.NewWriter()
	w.Uint8(itemDocument)
	w.Fixed(d.ID[:])
	w.Text(d.Name)
	w.Text(d.Folder)
	w.Fixed(d.ChangedBy[:])
	w.Uint64(d.ChangedAt)
	w.Bool(d.Deleted)
	w.Uint32(uint32(len(d.Versions)))
	for _, v := range d.Versions {
		w.Fixed(v.Header.Bytes())
		w.Bytes16(v.FLOEHeader)
		w.Bytes16(v.WrappedKey)
		w.Fixed(v.BodyRoot[:])
		w.Fixed(v.ManifestHash[:])
		w.Text(v.Manifest.Name)
		w.Text(v.Manifest.Folder)
		w.Text(v.Manifest.MediaType)
		w.Uint64(v.Manifest.Length)
		w.Fixed(v.Manifest.Previous[:])
		w.Uint8(uint8(v.Manifest.Sensitivity))
		w.Fixed(v.Author[:])
		w.Uint64(v.At)
		w.Uint32(v.Epoch)
		w.Uint64(v.Position)
	}
	return w.Bytes()
}

// tombstone is what a deleted document is in the state's tree: nothing of what it was called or held.
func (d *Document) tombstone() []byte {
	w := wire.NewWriter()
	w.Uint8(itemDeleted)
	w.Fixed(d.ID[:])
	w.Fixed(d.ChangedBy[:])
	w.Uint64(d.ChangedAt)
	w.Uint32(uint32(len(d.Versions)))
	for _, v := range d.Versions {
		w.Fixed(v.Header.Version[:])
	}
	return w.Bytes()
}

func parseDocument(r *wire.Reader) *Document {
	d := &Document{ID: r.ID(), Name: r.Text(document.MaxName), Folder: r.Text(document.MaxFolder),
		ChangedBy: r.ID(), ChangedAt: r.Uint64(), Deleted: r.Bool()}
	for range r.Uint32() {
		h, err := document.ParseHeader(r.Fixed(document.HeaderSize))
		if err != nil || r.Failed() {
			r.Refuse()
			return d
		}
		v := &Version{Version: document.Version{Header: h, FLOEHeader: r.Bytes16(128), WrappedKey: r.Bytes16(512), BodyRoot: r.Hash()}, ManifestHash: r.Hash()}
		v.Manifest = document.Manifest{Name: r.Text(document.MaxName), Folder: r.Text(document.MaxFolder), MediaType: r.Text(document.MaxName),
			Length: r.Uint64(), Previous: r.ID(), BodyRoot: v.BodyRoot, Sensitivity: document.Sensitivity(r.Uint8())}
		v.Author, v.At, v.Epoch, v.Position = r.ID(), r.Uint64(), r.Uint32(), r.Uint64()
		d.Versions = append(d.Versions, v)
	}
	if len(d.Versions) == 0 {
		r.Refuse()
	}
	return d
}

// SortDocuments orders documents as people expect: folder, name, then id.
func SortDocuments(docs []*Document) {
	slices.SortFunc(docs, func(a, b *Document) int {
		return cmp.Or(cmp.Compare(a.Folder, b.Folder), cmp.Compare(a.Name, b.Name), bytes.Compare(a.ID[:], b.ID[:]))
	})
}

// HeadKeys are where the map shows whether the state is the newest one: head is where its newest entry stands, with Head as
// its value, and next where a further one would.
func (s *State) HeadKeys() (head, next wire.Hash, err error) {
	current, err := s.Keys()
	if err != nil {
		return head, next, err
	}
	linked := current
	if s.Epoch > 1 && s.Position-1 == s.OpenedAt {
		// The newest entry is the statement that opened the epoch: it stands under the link key of the one before.
		if linked, err = s.KeysOf(s.Epoch - 1); err != nil {
			return head, next, err
		}
	}
	at := func(k *EpochKeys, position uint64) wire.Hash {
		return log.MapKey(log.TypeState, k.stateLink().Tag(s.ID, log.TypeState, position))
	}
	return at(linked, s.Position-1), at(current, s.Position), nil
}

package chain

import (
	"crypto/ed25519"
	"maps"
	"slices"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// Start verifies a first statement against the id that names it, and is the state it founds.
func Start(id wire.ChainID, first Entry, held KeySet) (*State, error) {
	if first.Erased != nil || first.ID() != id {
		return nil, ErrFirst
	}
	effect, err := ParseEffect(first.Effect)
	if err != nil {
		return nil, ErrFirst
	}
	if effect.Kind != KindStatement || effect.Epoch != 1 || !effect.Chain.IsZero() || effect.Position != 0 || !effect.Previous.IsZero() {
		return nil, ErrFirst
	}
	// There is nothing before a first statement to carry over, close or open.
	if st := effect.Statement; len(st.Invites) != 0 || st.TrailPosition != 0 || !st.TrailHead.IsZero() || !st.Boxes.empty() {
		return nil, ErrFirst
	}
	k := held[1]
	if k == nil {
		return nil, ErrNoKey
	}
	if err := first.stands(effect, id, k.stateLink()); err != nil {
		return nil, err
	}
	raw, signature, err := openEnvelope(k.Entry, first.Effect, first.Envelope)
	if err != nil {
		return nil, err
	}
	body, err := parseStatementBody(raw)
	if err != nil || body.Founding == nil {
		return nil, ErrFirst
	}
	f := body.Founding
	if err := f.Bundle.Verify(); err != nil {
		return nil, err
	}
	if f.Bundle.Member != effect.Actor {
		return nil, ErrMismatch
	}
	if err := f.Bundle.Keys.Verify(keys.LabelSignEntry, signedMessage(first.Effect, raw), signature); err != nil {
		return nil, ErrEntrySig
	}
	if err := checkClear(effect, f.Bundle.Keys); err != nil {
		return nil, err
	}
	s := &State{ID: id, Charter: f.Charter, Name: f.Name, Epoch: 1, Members: map[wire.ObjectID]*Member{}, Invites: map[wire.ObjectID]*Invite{},
		Documents: map[wire.ObjectID]*Document{}, Recoveries: map[wire.ObjectID]*Recovery{}, keys: held, versions: map[wire.ObjectID]bool{}, expected: map[uint64]wire.Hash{}}
	s.Members[effect.Actor] = f.founder(body.Time)
	if document.CheckTitle(f.Name) != nil || document.CheckTitle(f.Person) != nil || body.Reason != ReasonFounded {
		return nil, ErrFirst
	}
	if err := s.checkStatement(effect, body, k); err != nil {
		return nil, err
	}
	s.commit(first, effect.Actor, body.head)
	return s, nil
}

// Apply verifies the next entry of the state sequence and changes the state by it. On any error the state is unchanged
// and the chain must not be used further (SPEC S-CHAIN-02): there is no way to go on without the entry.
func (s *State) Apply(e Entry) error {
	effect, err := ParseEffect(e.Effect)
	if err != nil {
		return err
	}
	switch {
	case effect.Chain != s.ID:
		return ErrWrongChain
	case effect.Sequence != log.TypeState || effect.Position != s.Position || effect.Previous != s.Head:
		return ErrOrder
	}
	if want, pinned := s.expected[s.Position]; pinned && want != e.Leaf.Hash() {
		return ErrAnchor
	}
	current, err := s.Keys()
	if err != nil {
		return err
	}
	// The leaf is under the link key of the epoch that was open: a statement closes that epoch.
	if err := e.stands(effect, s.ID, current.stateLink()); err != nil {
		return err
	}
	if e.Erased != nil {
		return s.applyTombstone(effect, e)
	}
	if effect.Kind == KindStatement {
		return s.applyStatement(effect, e)
	}
	if effect.Epoch != s.Epoch {
		return ErrEpoch
	}
	switch {
	case effect.Kind == KindAccept:
		return s.applyAccept(effect, e)
	case effect.Kind == KindRenew:
		return s.applyRenew(effect, e, current)
	case effect.Kind.Seals() && len(s.Stale()) > 0:
		return ErrStale
	}
	raw, author, err := s.openSigned(effect, e, current.Entry)
	if err != nil {
		return err
	}
	switch effect.Kind {
	case KindBatch:
		return s.applyBatch(effect, e, raw, author, current)
	case KindInvite:
		return s.applyInvite(effect, e, raw, author)
	case KindCancel:
		return s.applyCancel(effect, e, raw, author)
	case KindAdmit:
		return s.applyAdmit(effect, e, raw, author)
	case KindErase:
		return s.applyErase(effect, e, raw, author)
	case KindForget:
		return s.applyForget(effect, e, raw, author)
	case KindPolicy:
		return s.applyPolicy(effect, e, raw, author)
	case KindDeclare:
		return s.applyDeclare(effect, e, raw, author)
	case KindUnlock, KindSignOut:
		return s.applyOffice(effect, e, raw, author)
	case KindEscrow:
		return s.applyEscrow(effect, e, raw, author)
	case KindRecover:
		return s.applyRecover(effect, e, raw, author)
	case KindApprove:
		return s.applyApprove(effect, e, raw, author)
	case KindVeto:
		return s.applyVeto(effect, e, raw, author)
	}
	return ErrMismatch
}

// Ended reports whether a statement that this client has no key for is one by which an owner ended our seat: it stands where
// it claims, an owner of the state we verified signed its clear part, and its roster is one that state allows. Who only
// holds a link key, like any member or guest, cannot make one (SPEC S-EPOCH-17).
func (s *State) Ended(e Entry, self wire.ObjectID) bool {
	effect, err := ParseEffect(e.Effect)
	if err != nil || e.Erased != nil || effect.Kind != KindStatement || effect.Position != s.Position || effect.Previous != s.Head || effect.Chain != s.ID || effect.Epoch != s.Epoch+1 {
		return false
	}
	current, err := s.Keys()
	if err != nil || e.stands(effect, s.ID, current.stateLink()) != nil {
		return false
	}
	if !s.seatedOwner(effect.Actor) || checkClear(effect, s.Members[effect.Actor].Keys) != nil {
		return false
	}
	for _, seat := range effect.Statement.Seats {
		if seat.Member == self {
			return false
		}
	}
	return s.Clone().reseat(effect, &statementBody{}) == nil
}

// checkClear verifies the signature over a statement's clear part.
func checkClear(effect *Effect, author *keys.PublicKeys) error {
	if err := author.Verify(keys.LabelSignStatement, effect.signedStatement(), effect.Statement.Signature); err != nil {
		return ErrEntrySig
	}
	return nil
}

// openSigned opens an entry and checks that a seated member signed it.
func (s *State) openSigned(effect *Effect, e Entry, key Secret) ([]byte, *Member, error) {
	author := s.Members[effect.Actor]
	if author == nil || author.State != MemberSeated {
		return nil, nil, ErrRights
	}
	raw, signature, err := openEnvelope(key, e.Effect, e.Envelope)
	if err != nil {
		return nil, nil, err
	}
	if err := author.Keys.Verify(keys.LabelSignEntry, signedMessage(e.Effect, raw), signature); err != nil {
		return nil, nil, ErrEntrySig
	}
	return raw, author, nil
}

// commit moves the head past a verified entry.
func (s *State) commit(e Entry, author wire.ObjectID, h head) {
	delete(s.expected, s.Position)
	if len(h.Checkpoint) > 0 {
		s.carried = append(s.carried, Carried{Position: s.Position, Author: author, Checkpoint: h.Checkpoint})
	}
	s.Head = e.Leaf.Hash()
	s.Position++
	s.ChangedAt = max(s.ChangedAt, h.Time)
}

// Carried is the checkpoint that the author of an entry had verified.
type Carried struct {
	Position   uint64
	Author     wire.ObjectID
	Checkpoint []byte
}

// TakeCarried hands over the checkpoints of the entries applied since it was last called, for the client to compare with
// its own: this is where members' views of the log meet (attacks 3, 71).
func (s *State) TakeCarried() []Carried {
	c := s.carried
	s.carried = nil
	return c
}

func (s *State) applyStatement(effect *Effect, e Entry) error {
	if effect.Epoch != s.Epoch+1 {
		return ErrEpoch
	}
	k := s.keys[effect.Epoch]
	if k == nil {
		return ErrNoKey
	}
	raw, author, err := s.openSigned(effect, e, k.Entry)
	if err != nil {
		return err
	}
	if !author.Role.May(RightManage) {
		return ErrRights
	}
	if err := checkClear(effect, author.Keys); err != nil {
		return err
	}
	// The trail never goes back: an owner who was shown a shorter one would sign away what was released (S-EPOCH-18).
	st := effect.Statement
	if st.TrailPosition < s.TrailPosition || (st.TrailPosition == s.TrailPosition && st.TrailHead != s.TrailHead) {
		return ErrOrder
	}
	body, err := parseStatementBody(raw)
	if err != nil || body.Founding != nil || body.Reason == ReasonFounded {
		return ErrMismatch
	}
	next := s.Clone()
	next.Epoch = effect.Epoch
	if err := next.reseat(effect, body); err != nil {
		return err
	}
	if err := next.checkStatement(effect, body, k); err != nil {
		return err
	}
	next.commit(e, effect.Actor, body.head)
	*s = *next
	return nil
}

// reseat ends the seats that a statement leaves out, and the invites it does not carry over.
func (s *State) reseat(effect *Effect, body *statementBody) error {
	seats := map[wire.ObjectID]Seat{}
	for _, seat := range effect.Statement.Seats {
		m := s.Members[seat.Member]
		// A statement may end seats; it never makes one. Who is new comes by accept or admit (attacks 26, 28, 34).
		if m == nil || m.State == MemberRemoved || m.State == MemberWaiting || wire.Hash(m.Keys.Fingerprint()) != seat.Fingerprint ||
			m.Role != seat.Role || m.From != seat.From {
			return ErrRoster
		}
		seats[seat.Member] = seat
	}
	if _, ok := seats[effect.Actor]; !ok {
		return ErrRoster
	}
	for _, m := range s.Members {
		_, keeps := seats[m.ID]
		switch {
		case keeps && m.State == MemberFrozen:
			m.State = MemberSeated // an owner decided for him
		case !keeps && (m.State == MemberSeated || m.State == MemberFrozen):
			m.State, m.RemovedBy, m.RemovedAt = MemberRemoved, effect.Actor, body.Time
			m.Escrow = nil
			s.endRecovery(m, body.Time)
			s.takeBackApprovals(m.ID)
		}
	}
	kept := map[wire.ObjectID]bool{}
	for _, id := range effect.Statement.Invites {
		i := s.Invites[id]
		if i == nil || (i.State != InviteOpen && i.State != InviteWaiting) || !s.seatedOwner(i.Inviter) {
			return ErrInvite
		}
		kept[id] = true
	}
	for _, i := range s.Invites {
		if (i.State == InviteOpen || i.State == InviteWaiting) && !kept[i.ID] {
			i.State = InviteCancelled
			if g := s.Members[i.Guest]; g != nil && g.State == MemberWaiting {
				g.State, g.RemovedBy, g.RemovedAt = MemberRemoved, effect.Actor, body.Time
			}
		}
	}
	return nil
}

func (s *State) seatedOwner(id wire.ObjectID) bool {
	m := s.Members[id]
	return m != nil && m.State == MemberSeated && m.Role.May(RightManage)
}

// checkStatement compares what a statement says with the state it opens and the keys we hold (attacks 25, 35).
func (s *State) checkStatement(effect *Effect, body *statementBody, k *EpochKeys) error {
	st := effect.Statement
	seated := s.Seated()
	if len(st.Seats) != len(seated) {
		return ErrRoster
	}
	for i, m := range seated {
		want := Seat{Member: m.ID, Fingerprint: wire.Hash(m.Keys.Fingerprint()), Role: m.Role, From: m.From}
		if st.Seats[i] != want {
			return ErrRoster
		}
	}
	if err := k.check(body.Commitments); err != nil {
		return err
	}
	if k.Audit {
		pair, err := keys.NewWrapKeyPair(k.Trail)
		if err != nil || string(pair.Public()) != string(st.TrailKey) {
			return ErrCommitment
		}
	}
	state := k.stateLink().Opening(log.TypeState, effect.Position, effect.Previous)
	trail := k.trailLink().Opening(log.TypeTrail, st.TrailPosition, st.TrailHead)
	if state != st.OpensState || trail != st.OpensTrail {
		return ErrLeaf
	}
	// Where entries before are tombstones, this root was over what they said: the owner's word that covers them signs a root
	// of what is left, and there is no way to end without it.
	if len(s.unproved) == 0 && s.Root() != body.StateRoot {
		return ErrStateRoot
	}
	s.OpenedAt = effect.Position
	s.RowsRoot, s.TrailKey, s.TrailPosition, s.TrailHead = body.RowsRoot, st.TrailKey, st.TrailPosition, st.TrailHead
	return nil
}

func (s *State) applyBatch(effect *Effect, e Entry, raw []byte, author *Member, k *EpochKeys) error {
	body, err := parseBatchBody(raw, effect.Batch.Ops)
	if err != nil {
		return ErrMismatch
	}
	// First everything that would be a lie is looked for; only then does anything change.
	manifests := make([]document.Manifest, len(body.Ops))
	for i, op := range effect.Batch.Ops {
		if !author.Role.May(op.Kind.right()) {
			return ErrRights
		}
		if op.Kind == OpAdd {
			m, err := s.checkVersion(op, body.Ops[i].Version, author, k)
			if err != nil {
				return err
			}
			manifests[i] = m
		}
	}
	for i, op := range effect.Batch.Ops {
		if !s.operate(op, body.Ops[i], manifests[i], effect, body.Time) {
			s.Voids = append(s.Voids, Void{Position: effect.Position, Actor: effect.Actor, Document: op.Document})
		}
	}
	s.commit(e, effect.Actor, body.head)
	return nil
}

// checkVersion binds a version to its entry: place, author and length (attacks 41, 42, 48, 51, 52, 53).
func (s *State) checkVersion(op OpEffect, v *document.Version, author *Member, k *EpochKeys) (document.Manifest, error) {
	want := document.Header{Compartment: s.ID, Document: op.Document, Version: op.Version, Author: author.Keys.Fingerprint(), Padded: op.Padded}
	if v.Header != want {
		return document.Manifest{}, ErrMismatch
	}
	m, err := v.OpenManifest(k.Entry)
	if err != nil {
		return document.Manifest{}, err
	}
	return m, nil
}

// operate changes the state by one operation; false means that it is void.
func (s *State) operate(op OpEffect, sealed Op, m document.Manifest, effect *Effect, at uint64) bool {
	d := s.Documents[op.Document]
	if d != nil && d.Deleted {
		return false // a tombstone is for good (attack 58)
	}
	switch op.Kind {
	case OpProfile:
		if document.CheckTitle(sealed.Name) != nil {
			return false
		}
		s.Name = sealed.Name
		return true
	case OpAdd:
		return s.addVersion(d, op, sealed.Version, m, effect, at)
	case OpPlace:
		if d == nil || document.CheckName(sealed.Name) != nil || document.CheckFolder(sealed.Folder) != nil {
			return false
		}
		d.Name, d.Folder = sealed.Name, sealed.Folder
	case OpDelete:
		if d == nil {
			return false
		}
		d.Deleted = true
	}
	d.ChangedBy, d.ChangedAt = effect.Actor, at
	return true
}

func (s *State) addVersion(d *Document, op OpEffect, v *document.Version, m document.Manifest, effect *Effect, at uint64) bool {
	if s.versions[op.Version] || m.Check(v.Header) != nil {
		return false
	}
	var previous wire.ObjectID
	if d != nil {
		previous = d.Current().Header.Version
	}
	if m.Previous != previous {
		return false // made on another version than the newest: a lost race, or a roll-back
	}
	added := &Version{Version: *v, ManifestHash: document.ManifestHash(v.Manifest), Manifest: m, Author: effect.Actor, At: at, Epoch: s.Epoch, Position: effect.Position}
	added.Version.Manifest = nil
	if d == nil {
		d = &Document{ID: op.Document}
		s.Documents[op.Document] = d
	}
	// Who may upload and not write adds to a document and does not rename or move it: its name and place stay.
	if len(d.Versions) == 0 || s.Members[effect.Actor].Role.May(RightWrite) {
		d.Name, d.Folder = m.Name, m.Folder
	}
	d.Versions = append(d.Versions, added)
	d.ChangedBy, d.ChangedAt = effect.Actor, at
	s.versions[op.Version] = true
	return true
}

func (s *State) applyInvite(effect *Effect, e Entry, raw []byte, author *Member) error {
	if !author.Role.May(RightManage) {
		return ErrRights
	}
	body, err := parseInviteBody(raw)
	i := effect.Invite
	if err != nil || s.Invites[i.Invite] != nil || document.CheckTitle(body.Person) != nil {
		return ErrMismatch
	}
	s.Invites[i.Invite] = &Invite{ID: i.Invite, PublicKey: i.PublicKey, Inviter: author.ID, InviterKeys: wire.Hash(author.Keys.Fingerprint()), Person: body.Person,
		Role: i.Role, Mode: i.Mode, Expires: i.Expires, AcceptKey: body.AcceptKey, Secrets: body.Secrets, PackageHash: body.PackageHash, State: InviteOpen, At: body.Time}
	s.commit(e, effect.Actor, body.head)
	return nil
}

func (s *State) applyCancel(effect *Effect, e Entry, raw []byte, author *Member) error {
	h, err := parseHeadBody(raw)
	if err != nil {
		return ErrMismatch
	}
	i := s.Invites[effect.Cancel.Invite]
	switch {
	case !author.Role.May(RightManage):
		return ErrRights
	case i == nil || (i.State != InviteOpen && i.State != InviteWaiting):
		return ErrInvite
	}
	if g := s.Members[i.Guest]; g != nil && g.State == MemberWaiting {
		g.State, g.RemovedBy, g.RemovedAt = MemberRemoved, author.ID, h.Time
	}
	i.State = InviteCancelled
	s.commit(e, effect.Actor, h)
	return nil
}

// AcceptMessage is what the invite key signs: it binds the guest's keys to this invite, firm, compartment and inviter.
func AcceptMessage(firm, chain wire.ChainID, invite wire.ObjectID, inviter wire.Hash, b Bundle) []byte {
	fingerprint := b.Keys.Fingerprint()
	w := wire.NewWriter()
	w.Text(string(keys.LabelInviteAccept))
	w.Uint8(wire.Suite)
	w.Fixed(firm[:])
	w.Fixed(chain[:])
	w.Fixed(invite[:])
	w.Fixed(inviter[:])
	w.Fixed(b.Member[:])
	w.Fixed(fingerprint[:])
	return w.Bytes()
}

// FirmOf is the firm a chain belongs to: itself where it is one.
func (s *State) FirmOf() wire.ChainID {
	if s.Charter.Kind == KindFirm {
		return s.ID
	}
	return s.Charter.Firm
}

func (s *State) applyAccept(effect *Effect, e Entry) error {
	a := effect.Accept
	i := s.Invites[a.Invite]
	if i == nil || i.State == InviteCancelled || i.State == InviteFrozen || !s.seatedOwner(i.Inviter) {
		return ErrInvite
	}
	if a.Bundle.Member != effect.Actor {
		return ErrMismatch
	}
	if err := a.Bundle.Verify(); err != nil {
		return err
	}
	if !ed25519.Verify(i.PublicKey[:], AcceptMessage(s.FirmOf(), s.ID, i.ID, i.InviterKeys, a.Bundle), a.Signature[:]) {
		return ErrInvite
	}
	raw, signature, err := openEnvelope(i.AcceptKey, e.Effect, e.Envelope)
	if err != nil {
		return err
	}
	if err := a.Bundle.Keys.Verify(keys.LabelSignEntry, signedMessage(e.Effect, raw), signature); err != nil {
		return ErrEntrySig
	}
	body, err := parseAcceptBody(raw)
	if err != nil {
		return ErrMismatch
	}
	if s.Charter.Kind.NeedsTwoWays(i.Role) && a.Ways < 2 {
		return ErrInvite
	}
	m, err := s.comesAs(effect, i)
	if err != nil {
		return err
	}
	if i.State != InviteOpen {
		s.freeze(i) // a second guest with the same link: neither is sealed to until an owner decides (SPEC S-INV-06)
	} else {
		// The name is the one the owner gave: a guest who named himself could be somebody else on the screen (attack 5).
		m.AddedAt = body.Time
		m.reads(body.Read, body.Time, effect.Position)
		i.State, i.Guest = InviteWaiting, m.ID
		if i.Mode == ModeOpensAtOnce {
			i.State, m.State = InviteSeated, MemberSeated
		}
		s.Members[m.ID] = m
	}
	s.commit(e, effect.Actor, body.head)
	return nil
}

// comesAs is the seat of a guest. Who was removed may come back by a new invite, with the keys he had, or with those that they
// lead to.
func (s *State) comesAs(effect *Effect, i *Invite) (*Member, error) {
	a := effect.Accept
	m := &Member{ID: effect.Actor, Keys: a.Bundle.Keys, Name: i.Person, Role: i.Role, State: MemberWaiting, From: 1, Ways: a.Ways, Invite: i.ID, AddedBy: i.Inviter}
	old := s.Members[effect.Actor]
	if old == nil {
		if len(a.Links) > 0 {
			return nil, ErrRoster
		}
		return m, nil
	}
	back := *old
	if old.State != MemberRemoved || back.follow(a.Links, s.FirmOf(), effect.Position) != nil || !back.Keys.Equal(a.Bundle.Keys) {
		return nil, ErrRoster
	}
	m.Former, m.Read, m.Readings = back.Former, back.Read, back.Readings
	return m, nil
}

func (s *State) freeze(i *Invite) {
	i.State = InviteFrozen
	if g := s.Members[i.Guest]; g != nil && (g.State == MemberSeated || g.State == MemberWaiting) {
		g.State = MemberFrozen
		s.takeBackApprovals(g.ID)
	}
}

func (s *State) applyAdmit(effect *Effect, e Entry, raw []byte, author *Member) error {
	if !author.Role.May(RightManage) {
		return ErrRights
	}
	body, err := parseSeatBody(raw)
	if err != nil {
		return ErrMismatch
	}
	i := s.Invites[effect.Admit.Invite]
	if i == nil || i.State != InviteWaiting {
		return ErrInvite
	}
	m := s.Members[i.Guest]
	if m == nil || m.State != MemberWaiting || effect.Admit.Seat != (Seat{Member: m.ID, Fingerprint: wire.Hash(m.Keys.Fingerprint()), Role: i.Role, From: m.From}) {
		return ErrRoster
	}
	i.State, m.State, m.AddedBy, m.AddedAt = InviteSeated, MemberSeated, author.ID, body.Time
	s.commit(e, effect.Actor, body.head)
	return nil
}

func (s *State) applyErase(effect *Effect, e Entry, raw []byte, author *Member) error {
	if !author.Role.May(RightManage) {
		return ErrRights
	}
	h, err := parseHeadBody(raw)
	if err != nil {
		return ErrMismatch
	}
	x := effect.Erase
	s.Erasures = append(s.Erasures, Erasure{Sequence: log.TypeTrail, From: x.From, To: x.To, Rule: x.Rule, Position: effect.Position, By: effect.Actor, At: h.Time})
	s.commit(e, effect.Actor, h)
	return nil
}

// applyTombstone takes an entry's clear part for what it did: documents came, whose names are gone. Nothing but that is
// believed of it, and not before an owner's word covers it (SPEC S-ERASE-05).
func (s *State) applyTombstone(effect *Effect, e Entry) error {
	author := s.Members[effect.Actor]
	if !effect.Forgettable(func(wire.ObjectID) bool { return true }) {
		return ErrErased
	}
	if effect.Epoch != s.Epoch {
		return ErrEpoch
	}
	if author == nil || author.State != MemberSeated || !author.Role.May(effect.Batch.Right()) {
		return ErrRights
	}
	for _, op := range effect.Batch.Ops {
		d := s.Documents[op.Document]
		if op.Kind != OpAdd {
			continue
		}
		if s.versions[op.Version] || (d != nil && d.Deleted) {
			return ErrErased
		}
		if d == nil {
			d = &Document{ID: op.Document}
			s.Documents[op.Document] = d
		}
		v := &Version{Author: effect.Actor, Epoch: s.Epoch, Position: effect.Position}
		v.Header = document.Header{Compartment: s.ID, Document: op.Document, Version: op.Version, Padded: op.Padded}
		d.Versions = append(d.Versions, v)
		d.ChangedBy = effect.Actor
		s.versions[op.Version] = true
	}
	if s.unproved == nil {
		s.unproved = map[uint64]bool{}
	}
	s.unproved[effect.Position] = true
	s.commit(e, effect.Actor, head{})
	return nil
}

func (s *State) applyForget(effect *Effect, e Entry, raw []byte, author *Member) error {
	if !author.Role.May(RightManage) {
		return ErrRights
	}
	h, root, err := parseHashBody(raw)
	if err != nil {
		return ErrMismatch
	}
	next := s.Clone()
	next.forget(effect, h.Time)
	// A further entry may cover what is left: each forgets a bounded number.
	if len(next.unproved) == 0 && next.Root() != root {
		return ErrStateRoot
	}
	next.commit(e, effect.Actor, h)
	*s = *next
	return nil
}

// forget drops what the entries said: names, places and keys of documents that are deleted.
func (s *State) forget(effect *Effect, at uint64) {
	gone := map[uint64]bool{}
	for _, p := range effect.Forget.Positions {
		gone[p] = true
		delete(s.unproved, p)
		if n := len(s.Erasures); n > 0 && s.Erasures[n-1].Position == effect.Position && s.Erasures[n-1].To == p {
			s.Erasures[n-1].To++
			continue
		}
		s.Erasures = append(s.Erasures, Erasure{Sequence: log.TypeState, From: p, To: p + 1, Rule: effect.Forget.Rule, Position: effect.Position, By: effect.Actor, At: at})
	}
	for _, d := range s.Documents {
		if !d.Deleted {
			continue
		}
		for i, v := range d.Versions {
			if gone[v.Position] {
				d.Name, d.Folder = "", ""
				bare := &Version{Author: v.Author, Epoch: v.Epoch, Position: v.Position}
				bare.Header = document.Header{Compartment: s.ID, Document: d.ID, Version: v.Header.Version, Padded: v.Header.Padded}
				d.Versions[i] = bare
			}
		}
	}
}

// ErasureOf is the erasure that covers a position of the trail, nil where none does.
func (s *State) ErasureOf(position uint64) *Erasure { return s.erasure(log.TypeTrail, position) }

// Forgotten is the same of the state sequence.
func (s *State) Forgotten(position uint64) *Erasure { return s.erasure(log.TypeState, position) }

func (s *State) erasure(sequence uint16, position uint64) *Erasure {
	for i := range s.Erasures {
		if x := &s.Erasures[i]; x.Sequence == sequence && x.From <= position && position < x.To {
			return x
		}
	}
	return nil
}

// Clone is a deep copy of what Apply changes, so that a change can be tried.
func (s *State) Clone() *State {
	c := *s
	c.Members, c.Invites, c.Documents, c.Recoveries = copyEach(s.Members), copyEach(s.Invites), copyEach(s.Documents), copyEach(s.Recoveries)
	for _, r := range c.Recoveries {
		r.Approvals = slices.Clip(r.Approvals) // what follows is appended to a copy
	}
	for _, d := range c.Documents {
		d.Versions = append([]*Version(nil), d.Versions...) // versions never change
	}
	c.Voids, c.Erasures, c.carried = append([]Void(nil), s.Voids...), append([]Erasure(nil), s.Erasures...), append([]Carried(nil), s.carried...)
	c.versions, c.expected, c.keys, c.unproved = maps.Clone(s.versions), maps.Clone(s.expected), maps.Clone(s.keys), maps.Clone(s.unproved)
	return &c
}

func copyEach[T any](m map[wire.ObjectID]*T) map[wire.ObjectID]*T {
	out := make(map[wire.ObjectID]*T, len(m))
	for id, v := range m {
		x := *v
		out[id] = &x
	}
	return out
}

package chain

import (
	"io"
	"slices"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// Author is who makes entries, and with what.
type Author struct {
	Member     wire.ObjectID
	Identity   *keys.Identity
	Former     []*keys.Identity // his earlier ones, which open what was wrapped to them
	Links      []KeyLink        // from keys that a chain knew him by to these, oldest first; for who comes back
	Ways       uint8            // to unlock that his account has
	Read       Topics           // by now
	Random     io.Reader
	Now        func() time.Time
	Checkpoint []byte // the newest checkpoint of the log that this client verified, as log.Carried has it
}

func (a Author) head() head {
	return head{Time: uint64(a.Now().UnixMilli()), Checkpoint: a.Checkpoint}
}

// headBody is the body of an entry that says nothing more.
func (a Author) headBody() []byte {
	w := wire.NewWriter()
	a.head().write(w)
	return w.Bytes()
}

// identities are all that open what was wrapped to the author, the newest first.
func (a Author) identities() []*keys.Identity {
	return append([]*keys.Identity{a.Identity}, a.Former...)
}

// with is the identity of a fingerprint, now or earlier; nil where it is not the author's.
func (a Author) with(fingerprint wire.Hash) *keys.Identity {
	for _, i := range a.identities() {
		if wire.Hash(i.Public().Fingerprint()) == fingerprint {
			return i
		}
	}
	return nil
}

// checkSelf is whether what the author says of himself can be said.
func (a Author) checkSelf() error {
	if a.Ways == 0 || a.Ways > MaxWays || a.Read&^AllTopics != 0 {
		return ErrInput
	}
	return nil
}

func (a Author) newID() (wire.ObjectID, error) { return wire.NewObjectID(a.Random) }

// finish marks, signs, seals and commits to an entry.
func (a Author) finish(effect *Effect, body []byte, envelopeKey Secret, link log.LinkKey) (Entry, error) {
	if len(a.Checkpoint) > maxCheckpoint {
		return Entry{}, ErrInput
	}
	effect.Mark = link.Mark(effect.Sequence, effect.Position)
	if effect.Statement != nil {
		signature, err := a.Identity.Sign(keys.LabelSignStatement, effect.signedStatement())
		if err != nil {
			return Entry{}, err
		}
		effect.Statement.Signature = signature
	}
	clear := effect.Bytes()
	signature, err := a.Identity.Sign(keys.LabelSignEntry, signedMessage(clear, body))
	if err != nil {
		return Entry{}, err
	}
	envelope, err := sealEnvelope(a.Random, envelopeKey, clear, body, signature)
	if err != nil {
		return Entry{}, err
	}
	if len(clear) > MaxEffect || len(envelope) > MaxEnvelope {
		return Entry{}, ErrInput
	}
	return newEntry(effect, clear, envelope, link), nil
}

// effect starts an entry at the head of the state sequence.
func (s *State) effect(a Author, kind Kind) (*Effect, error) {
	id, err := a.newID()
	if err != nil {
		return nil, err
	}
	return &Effect{Kind: kind, Chain: s.ID, Entry: id, Sequence: log.TypeState, Position: s.Position, Previous: s.Head, Epoch: s.Epoch, Actor: a.Member}, nil
}

func (s *State) may(a Author, right Rights) error {
	m := s.Members[a.Member]
	if m == nil || m.State != MemberSeated || !m.Role.May(right) {
		return ErrRights
	}
	return nil
}

// submit finishes an entry under the keys of the current epoch.
func (s *State) submit(a Author, effect *Effect, body []byte, rows ...Row) (Submission, error) {
	if effect.Kind.Seals() && len(s.Stale()) > 0 {
		return Submission{}, ErrStale
	}
	k, err := s.Keys()
	if err != nil {
		return Submission{}, err
	}
	e, err := a.finish(effect, body, k.Entry, k.stateLink())
	return Submission{Entry: e, Rows: rows}, err
}

// Found makes a chain of one member: its submission, its id and the keys of its first epoch.
func Found(a Author, charter Charter, name, person string) (Submission, wire.ChainID, *EpochKeys, error) {
	fail := func(err error) (Submission, wire.ChainID, *EpochKeys, error) {
		return Submission{}, wire.ChainID{}, nil, err
	}
	if document.CheckTitle(name) != nil || document.CheckTitle(person) != nil {
		return fail(document.ErrName)
	}
	if err := a.checkSelf(); err != nil {
		return fail(err)
	}
	k, err := newEpochKeys(a.Random, 1)
	if err != nil {
		return fail(err)
	}
	bundle, err := NewBundle(a.Member, a.Identity)
	if err != nil {
		return fail(err)
	}
	if _, err := io.ReadFull(a.Random, charter.Nonce[:]); err != nil {
		return fail(err)
	}
	body := &statementBody{head: a.head(), Reason: ReasonFounded, Subject: a.Member, Founding: &founding{Charter: charter, Name: name, Person: person, Ways: a.Ways, Read: a.Read, Bundle: bundle}}
	s := &State{Charter: charter, Name: name, Epoch: 1, Members: map[wire.ObjectID]*Member{a.Member: body.Founding.founder(body.Time)}}
	effect, err := s.effect(a, KindStatement)
	if err != nil {
		return fail(err)
	}
	effect.Statement = &StatementEffect{}
	rows, err := s.seal(a, effect, body, k, nil)
	if err != nil {
		return fail(err)
	}
	e, err := a.finish(effect, body.bytes(), k.Entry, k.stateLink())
	if err != nil {
		return fail(err)
	}
	return Submission{Entry: e, Rows: rows}, e.ID(), k, nil
}

// seal fills in what a statement says of the state s that it opens under k, and wraps k to exactly that roster
// (attack 34): the list of recipients is the derived one, never one that was handed in.
func (s *State) seal(a Author, effect *Effect, body *statementBody, k *EpochKeys, packages []Row) ([]Row, error) {
	var rows []Row
	for _, m := range s.Seated() {
		seat := Seat{Member: m.ID, Fingerprint: wire.Hash(m.Keys.Fingerprint()), Role: m.Role, From: m.From}
		effect.Statement.Seats = append(effect.Statement.Seats, seat)
		row, err := newWrap(a.Random, effect, k, seat, m.Keys, a.Identity.Public().Fingerprint())
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	rows = append(rows, packages...)
	pair, err := keys.NewWrapKeyPair(k.Trail)
	if err != nil {
		return nil, err
	}
	st := effect.Statement
	st.OpensState = k.stateLink().Opening(log.TypeState, effect.Position, effect.Previous)
	st.OpensTrail = k.trailLink().Opening(log.TypeTrail, st.TrailPosition, st.TrailHead)
	st.TrailKey = pair.Public()
	body.Commitments, body.RowsRoot, body.StateRoot = k.commitments(), rowsRoot(rows), s.Root()
	return rows, nil
}

// Rotation is what a rotation does and needs to know.
type Rotation struct {
	Reason        Reason
	Remove        []wire.ObjectID
	Keep          []wire.ObjectID // frozen members whom the owner decided to seat again: no other frozen seat goes on
	TrailPosition uint64          // of the next trail entry, as the server says: it compares
	TrailHead     wire.Hash
	FirmName      string // shown to the guests of open invites
}

// Rotate opens the next epoch for exactly the members that stay. Removing a member is this one entry. Open invites whose
// secret was sealed to the author are carried over; the others end.
func (s *State) Rotate(a Author, r Rotation) (Submission, *EpochKeys, error) {
	if err := s.may(a, RightManage); err != nil {
		return Submission{}, nil, err
	}
	old, err := s.Keys()
	if err != nil {
		return Submission{}, nil, err
	}
	effect, err := s.effect(a, KindStatement)
	if err != nil {
		return Submission{}, nil, err
	}
	effect.Epoch++
	k, err := newEpochKeys(a.Random, effect.Epoch)
	if err != nil {
		return Submission{}, nil, err
	}
	body := &statementBody{head: a.head(), Reason: r.Reason}
	st := &StatementEffect{TrailPosition: r.TrailPosition, TrailHead: r.TrailHead}
	effect.Statement = st
	if st.Boxes, err = k.sealBoxes(a.Random, s.ID, old); err != nil {
		return Submission{}, nil, err
	}
	next := s.Clone()
	next.Epoch = effect.Epoch
	var seats []Seat
	for _, m := range sortedByID(next.Members) {
		// Nothing is sealed to a frozen member whom nobody decided for, whatever the rotation is about (SPEC S-INV-07).
		kept := m.State == MemberSeated || (m.State == MemberFrozen && slices.Contains(r.Keep, m.ID))
		if !kept || slices.Contains(r.Remove, m.ID) {
			continue
		}
		seats = append(seats, Seat{Member: m.ID, Fingerprint: wire.Hash(m.Keys.Fingerprint()), Role: m.Role, From: m.From})
	}
	for _, id := range r.Remove {
		if m := s.Members[id]; m == nil || m.State == MemberRemoved || id == a.Member {
			return Submission{}, nil, ErrInput
		}
		body.Subject = id
	}
	var packages []Row
	for _, i := range sortedByID(next.Invites) {
		if (i.State != InviteOpen && i.State != InviteWaiting) || slices.Contains(r.Remove, i.Inviter) || slices.Contains(r.Remove, i.Guest) {
			continue
		}
		secret, err := i.openSecret(s.ID, a)
		if err != nil {
			continue // sealed to other owners only: reseat cancels it
		}
		p := s.newPackage(i, r.FirmName, k)
		row, err := p.seal(a.Random, secret, s.FirmOf(), s.ID, i.ID, i.InviterKeys)
		if err != nil {
			return Submission{}, nil, err
		}
		st.Invites = append(st.Invites, i.ID)
		packages = append(packages, row)
	}
	st.Seats = seats
	if err := next.reseat(effect, body); err != nil {
		return Submission{}, nil, err
	}
	st.Seats = nil
	rows, err := next.seal(a, effect, body, k, packages)
	if err != nil {
		return Submission{}, nil, err
	}
	e, err := a.finish(effect, body.bytes(), k.Entry, old.stateLink())
	return Submission{Entry: e, Rows: rows}, k, err
}

// Change is one operation to author.
type Change struct {
	Kind     OpKind
	Document wire.ObjectID
	Name     string // of OpPlace, OpProfile
	Folder   string // of OpPlace

	Upload     wire.ObjectID // of OpAdd, with all below
	Header     document.Header
	FLOEHeader []byte
	Key        document.Key
	Manifest   document.Manifest
}

// Batch signs up to MaxOps operations as one entry.
func (s *State) Batch(a Author, changes []Change) (Submission, error) {
	if len(changes) == 0 || len(changes) > MaxOps {
		return Submission{}, ErrInput
	}
	k, err := s.Keys()
	if err != nil {
		return Submission{}, err
	}
	effect, err := s.effect(a, KindBatch)
	if err != nil {
		return Submission{}, err
	}
	effect.Batch = &BatchEffect{}
	body := &batchBody{head: a.head()}
	for _, c := range changes {
		oe, op, err := s.change(a, c, k)
		if err != nil {
			return Submission{}, err
		}
		effect.Batch.Ops = append(effect.Batch.Ops, oe)
		body.Ops = append(body.Ops, op)
	}
	return s.submit(a, effect, body.bytes(effect.Batch.Ops))
}

func (s *State) change(a Author, c Change, k *EpochKeys) (OpEffect, Op, error) {
	oe := OpEffect{Kind: c.Kind, Document: c.Document}
	if err := s.may(a, c.Kind.right()); err != nil {
		return oe, Op{}, err
	}
	d := s.Documents[c.Document]
	if c.Kind != OpProfile && c.Kind != OpAdd && (d == nil || d.Deleted) {
		return oe, Op{}, ErrInput
	}
	switch c.Kind {
	case OpAdd:
		if d != nil && d.Deleted {
			return oe, Op{}, ErrInput
		}
		c.Manifest.Previous = wire.ObjectID{}
		if d != nil {
			c.Manifest.Previous = d.Current().Header.Version
		}
		v, err := document.NewVersion(a.Random, c.Header, c.FLOEHeader, c.Key, c.Manifest, k.Content, k.Entry)
		oe.Version, oe.Upload, oe.Padded = c.Header.Version, c.Upload, c.Header.Padded
		return oe, Op{Version: &v}, err
	case OpPlace:
		if err := document.CheckName(c.Name); err != nil {
			return oe, Op{}, err
		}
		return oe, Op{Name: c.Name, Folder: c.Folder}, document.CheckFolder(c.Folder)
	case OpProfile:
		return oe, Op{Name: c.Name}, document.CheckTitle(c.Name)
	case OpDelete:
		return oe, Op{}, nil
	}
	return oe, Op{}, ErrInput
}

// Erase takes the envelopes of the trail's entries away, from a position up to another that the trail has reached.
func (s *State) Erase(a Author, from, to uint64, rule EraseRule) (Submission, error) {
	if err := s.may(a, RightManage); err != nil {
		return Submission{}, err
	}
	if from >= to || rule < EraseRetention || rule > EraseRequest {
		return Submission{}, ErrInput
	}
	effect, err := s.effect(a, KindErase)
	if err != nil {
		return Submission{}, err
	}
	effect.Erase = &EraseEffect{From: from, To: to, Rule: rule}
	return s.submit(a, effect, a.headBody())
}

// Forget takes the envelopes of state entries away whose documents are all deleted, and signs the state as it is without
// them. An entry of which something was void is kept: nobody could derive that later.
func (s *State) Forget(a Author, positions []uint64, rule EraseRule) (Submission, error) {
	if err := s.may(a, RightManage); err != nil {
		return Submission{}, err
	}
	if len(positions) == 0 || len(positions) > MaxForget || !slices.IsSorted(positions) || rule < EraseRetention || rule > EraseRequest {
		return Submission{}, ErrInput
	}
	for _, v := range s.Voids {
		if slices.Contains(positions, v.Position) {
			return Submission{}, ErrInput
		}
	}
	effect, err := s.effect(a, KindForget)
	if err != nil {
		return Submission{}, err
	}
	effect.Forget = &ForgetEffect{Positions: positions, Rule: rule}
	h := a.head()
	next := s.Clone()
	next.forget(effect, h.Time)
	return s.submit(a, effect, hashBody(h, next.Root()))
}

// Cancel ends an invite that has not been confirmed.
func (s *State) Cancel(a Author, invite wire.ObjectID) (Submission, error) {
	if err := s.may(a, RightManage); err != nil {
		return Submission{}, err
	}
	if i := s.Invites[invite]; i == nil || (i.State != InviteOpen && i.State != InviteWaiting) {
		return Submission{}, ErrInvite
	}
	effect, err := s.effect(a, KindCancel)
	if err != nil {
		return Submission{}, err
	}
	effect.Cancel = &CancelEffect{Invite: invite}
	return s.submit(a, effect, a.headBody())
}

// Admit confirms the guest who waits on an invite, and wraps the epoch's keys to the very keys that accepted.
func (s *State) Admit(a Author, invite wire.ObjectID) (Submission, error) {
	if err := s.may(a, RightManage); err != nil {
		return Submission{}, err
	}
	i := s.Invites[invite]
	if i == nil || i.State != InviteWaiting {
		return Submission{}, ErrInvite
	}
	k, err := s.Keys()
	if err != nil {
		return Submission{}, err
	}
	m := s.Members[i.Guest]
	effect, err := s.effect(a, KindAdmit)
	if err != nil {
		return Submission{}, err
	}
	effect.Admit = &AdmitEffect{Invite: invite, Seat: Seat{Member: m.ID, Fingerprint: wire.Hash(m.Keys.Fingerprint()), Role: i.Role, From: m.From}}
	row, err := newWrap(a.Random, effect, k, effect.Admit.Seat, m.Keys, a.Identity.Public().Fingerprint())
	if err != nil {
		return Submission{}, err
	}
	body := &seatBody{head: a.head(), Person: m.Name, RowHash: row.Hash()}
	return s.submit(a, effect, body.bytes(), row)
}

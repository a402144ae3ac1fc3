package chain

import (
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// Kind is what an entry does.
type Kind uint8

// Kinds. Release is of the trail sequence, the others of the state sequence. What the server adds is no Effect: see Event.
const (
	KindStatement Kind = iota + 1
	KindBatch
	KindInvite
	KindCancel
	KindAccept
	KindAdmit
	KindRelease
	KindErase
	KindForget
	KindPolicy
	KindRenew
	KindDeclare
	KindUnlock
	KindEscrow
	KindRecover
	KindApprove
	KindVeto
	KindSignOut
)

// Limits of one entry. No stored value passes 1 MiB.
const (
	MaxOps      = 200
	MaxSeats    = 1000
	MaxEffect   = 96 << 10
	MaxEnvelope = 900 << 10
	MaxEntry    = MaxEffect + MaxEnvelope + 1024
)

// Effect is the clear part of an entry: what the server must know to act. One of the pointers is set, by Kind.
type Effect struct {
	Kind     Kind
	Chain    wire.ChainID // zero in a first statement, whose hash the id is
	Entry    wire.ObjectID
	Sequence uint16 // log.TypeState or log.TypeTrail
	Position uint64
	Previous wire.Hash // leaf hash of the entry before; zero for the first
	Epoch    uint32
	Actor    wire.ObjectID
	Mark     wire.Hash // log.LinkKey.Mark of sequence and position: the server makes the tag of it, readers compare it

	Statement *StatementEffect
	Batch     *BatchEffect
	Invite    *InviteEffect
	Cancel    *CancelEffect
	Accept    *AcceptEffect
	Admit     *AdmitEffect
	Release   *ReleaseEffect
	Erase     *EraseEffect
	Forget    *ForgetEffect
	Policy    *Policy
	Renew     *RenewEffect
	Declare   *DeclareEffect
	Unlock    *UnlockEffect
	Escrow    *EscrowEffect
	Recover   *RecoverEffect
	Approve   *ApproveEffect
	Veto      *VetoEffect
	SignOut   *SignOutEffect
}

// Seat is one member of a roster.
type Seat struct {
	Member      wire.ObjectID
	Fingerprint wire.Hash
	Role        Role
	From        uint32 // the first epoch whose keys the seat may hold
}

// StatementEffect opens an epoch with exactly these seats, and ends every other one.
type StatementEffect struct {
	Seats         []Seat
	Invites       []wire.ObjectID // still open, each with a new package
	TrailPosition uint64          // where the trail stands when the epoch opens
	TrailHead     wire.Hash
	OpensState    wire.Hash // MACs under the new link keys over where each sequence continues
	OpensTrail    wire.Hash
	TrailKey      []byte // X-Wing public key of the epoch's auditors: releases and what the server sees are sealed to it
	Boxes         Boxes
	// Signature is the author's over the whole effect but itself. The envelope is sealed under the new epoch's key, which
	// who is removed has not: he verifies this one, and so knows that an owner ended his seat and not a holder of a link key.
	Signature []byte
}

const signatureSize = 3373

// signedStatement is what a statement's clear signature is over.
func (e *Effect) signedStatement() []byte {
	bare, st := *e, *e.Statement
	st.Signature = nil
	bare.Statement = &st
	return bare.Bytes()
}

// OpKind is what one operation of a batch does.
type OpKind uint8

// Operations.
const (
	OpAdd     OpKind = iota + 1 // adds a version, and with it perhaps a document
	OpPlace                     // renames or moves a document
	OpDelete                    // deletes a document: a tombstone stays
	OpProfile                   // renames the matter or firm
)

// right is what an operation takes.
func (k OpKind) right() Rights {
	switch k {
	case OpAdd:
		return RightUpload
	case OpProfile:
		return RightManage
	}
	return RightWrite
}

// Right is what a batch takes of its author.
func (b *BatchEffect) Right() (all Rights) {
	for _, op := range b.Ops {
		all |= op.Kind.right()
	}
	return all
}

// OpEffect is the clear part of an operation. Version, Upload and Padded are those of OpAdd.
type OpEffect struct {
	Kind     OpKind
	Document wire.ObjectID
	Version  wire.ObjectID
	Upload   wire.ObjectID
	Padded   uint64
}

// BatchEffect lists operations under one signature.
type BatchEffect struct{ Ops []OpEffect }

// InviteMode is how a guest gets in.
type InviteMode uint8

// Modes.
const (
	ModeOpensAtOnce InviteMode = iota + 1
	ModeAfterIConfirm
)

// InviteEffect announces an invite.
type InviteEffect struct {
	Invite    wire.ObjectID
	PublicKey [32]byte // Ed25519, from the secret in the link
	Role      Role
	Mode      InviteMode
	Expires   uint64 // seconds since 1970; the server enforces it
}

// CancelEffect ends an invite that nobody accepted.
type CancelEffect struct{ Invite wire.ObjectID }

// AcceptEffect is a guest's answer to an invite.
type AcceptEffect struct {
	Invite    wire.ObjectID
	Ways      uint8     // how many ways to unlock his account has
	Links     []KeyLink // of somebody who was here before: from the keys that his seat had to those of the bundle
	Bundle    Bundle
	Signature [64]byte // by the invite key over AcceptMessage
}

// AdmitEffect seats a guest whom an owner confirmed.
type AdmitEffect struct {
	Invite wire.ObjectID
	Seat   Seat
}

// ReleaseEffect opens one version to one session for an hour.
type ReleaseEffect struct {
	Document wire.ObjectID
	Version  wire.ObjectID
	Session  wire.ObjectID
}

// EraseRule says why envelopes were erased.
type EraseRule uint8

// Rules of erasure.
const (
	EraseRetention EraseRule = iota + 1 // older than the firm keeps
	EraseRequest                        // somebody asked, and had the right to
)

func (r EraseRule) String() string {
	switch r {
	case EraseRetention:
		return "retention"
	case EraseRequest:
		return "request"
	}
	return "unknown"
}

// EraseEffect takes the envelopes of trail entries away, from a position up to another. Effects and leaves stay: the log's
// root does not change, and a gap cannot be taken for an omission.
type EraseEffect struct {
	From, To uint64
	Rule     EraseRule
}

// ForgetEffect takes the envelopes of state entries away that did nothing but add, rename or move documents which are deleted.
// Its body signs the root of the state, so that who comes later can do without them.
type ForgetEffect struct {
	Positions []uint64 // of entries before this one, ascending
	Rule      EraseRule
}

// MaxForget bounds the entries that one entry forgets.
const MaxForget = 1000

// Bytes is the encoding: SPEC S-CHAIN-01.
func (e *Effect) Bytes() []byte {
	w := wire.NewWriter()
	w.Uint8(wire.Suite)
	w.Uint8(uint8(e.Kind))
	w.Fixed(e.Chain[:])
	w.Fixed(e.Entry[:])
	w.Uint16(e.Sequence)
	w.Uint64(e.Position)
	w.Fixed(e.Previous[:])
	w.Uint32(e.Epoch)
	w.Fixed(e.Actor[:])
	w.Fixed(e.Mark[:])
	switch e.Kind {
	case KindStatement:
		e.Statement.write(w)
	case KindBatch:
		w.Count(len(e.Batch.Ops))
		for _, op := range e.Batch.Ops {
			op.write(w)
		}
	case KindInvite:
		i := e.Invite
		w.Fixed(i.Invite[:])
		w.Fixed(i.PublicKey[:])
		w.Uint8(uint8(i.Role))
		w.Uint8(uint8(i.Mode))
		w.Uint64(i.Expires)
	case KindCancel:
		w.Fixed(e.Cancel.Invite[:])
	case KindAccept:
		w.Fixed(e.Accept.Invite[:])
		w.Uint8(e.Accept.Ways)
		w.Count(len(e.Accept.Links))
		for _, l := range e.Accept.Links {
			w.Bytes16(l.Bytes())
		}
		w.Fixed(e.Accept.Bundle.Bytes())
		w.Fixed(e.Accept.Signature[:])
	case KindAdmit:
		w.Fixed(e.Admit.Invite[:])
		e.Admit.Seat.write(w)
	case KindRelease:
		w.Fixed(e.Release.Document[:])
		w.Fixed(e.Release.Version[:])
		w.Fixed(e.Release.Session[:])
	case KindErase:
		w.Uint64(e.Erase.From)
		w.Uint64(e.Erase.To)
		w.Uint8(uint8(e.Erase.Rule))
	case KindForget:
		w.Count(len(e.Forget.Positions))
		for _, p := range e.Forget.Positions {
			w.Uint64(p)
		}
		w.Uint8(uint8(e.Forget.Rule))
	case KindPolicy:
		e.Policy.write(w)
	case KindRenew:
		w.Bytes16(e.Renew.Link.Bytes())
	case KindDeclare:
		w.Uint8(e.Declare.Ways)
	case KindUnlock:
		w.Fixed(e.Unlock.Member[:])
	case KindEscrow:
		w.Uint64(e.Escrow.Policy)
	case KindRecover:
		e.Recover.write(w)
	case KindApprove:
		w.Fixed(e.Approve.Recovery[:])
		w.Fixed(e.Approve.Fingerprint[:])
	case KindVeto:
		w.Fixed(e.Veto.Recovery[:])
	case KindSignOut:
		w.Fixed(e.SignOut.Member[:])
	}
	return w.Bytes()
}

// ParseEffect is the inverse of Bytes. It checks form, not truth.
func ParseEffect(b []byte) (*Effect, error) {
	if len(b) > MaxEffect {
		return nil, wire.ErrMalformed
	}
	r := wire.NewReader(b)
	if err := r.Suite(); err != nil {
		return nil, err
	}
	e := &Effect{Kind: Kind(r.Uint8()), Chain: r.Hash(), Entry: r.ID(), Sequence: r.Uint16(), Position: r.Uint64(),
		Previous: r.Hash(), Epoch: r.Uint32(), Actor: r.ID(), Mark: r.Hash()}
	want := log.TypeState
	switch e.Kind {
	case KindStatement:
		e.Statement = readStatementEffect(r)
	case KindBatch:
		e.Batch = readBatchEffect(r)
	case KindInvite:
		i := &InviteEffect{Invite: r.ID(), PublicKey: r.Hash(), Role: Role(r.Uint8()), Mode: InviteMode(r.Uint8()), Expires: r.Uint64()}
		if !i.Role.Valid() || i.Mode < ModeOpensAtOnce || i.Mode > ModeAfterIConfirm || i.Invite.IsZero() {
			r.Refuse()
		}
		e.Invite = i
	case KindCancel:
		e.Cancel = &CancelEffect{Invite: r.ID()}
	case KindAccept:
		a := &AcceptEffect{Invite: r.ID(), Ways: readWays(r)}
		for range r.Count(maxAcceptLinks, 2) {
			a.Links = append(a.Links, readKeyLink(r))
		}
		bundle, err := ParseBundle(r.Fixed(BundleSize))
		if err != nil {
			r.Refuse()
		}
		a.Bundle = bundle
		copy(a.Signature[:], r.Fixed(64))
		e.Accept = a
	case KindAdmit:
		e.Admit = &AdmitEffect{Invite: r.ID(), Seat: readSeat(r)}
	case KindRelease:
		want = log.TypeTrail
		e.Release = &ReleaseEffect{Document: r.ID(), Version: r.ID(), Session: r.ID()}
	case KindErase:
		x := &EraseEffect{From: r.Uint64(), To: r.Uint64(), Rule: EraseRule(r.Uint8())}
		if x.From >= x.To || x.Rule < EraseRetention || x.Rule > EraseRequest {
			r.Refuse()
		}
		e.Erase = x
	case KindForget:
		e.Forget = readForget(r, e.Position)
	case KindPolicy:
		p := readPolicy(r)
		e.Policy = &p
	case KindRenew:
		e.Renew = &RenewEffect{Link: readKeyLink(r)}
	case KindDeclare:
		e.Declare = &DeclareEffect{Ways: readWays(r)}
	case KindUnlock:
		e.Unlock = &UnlockEffect{Member: readObject(r)}
	case KindEscrow:
		e.Escrow = &EscrowEffect{Policy: r.Uint64()}
	case KindRecover:
		e.Recover = readRecover(r)
	case KindApprove:
		e.Approve = &ApproveEffect{Recovery: readObject(r), Fingerprint: r.Hash()}
		if e.Approve.Fingerprint.IsZero() {
			r.Refuse() // nobody agrees to no keys
		}
	case KindVeto:
		e.Veto = &VetoEffect{Recovery: readObject(r)}
	case KindSignOut:
		e.SignOut = &SignOutEffect{Member: readObject(r)}
	default:
		r.Refuse()
	}
	if e.Sequence != want || e.Entry.IsZero() || e.Actor.IsZero() || e.Epoch == 0 {
		r.Refuse()
	}
	if err := r.Done(); err != nil {
		return nil, err
	}
	return e, nil
}

// readObject reads the id of something that there must be.
func readObject(r *wire.Reader) wire.ObjectID {
	id := r.ID()
	if id.IsZero() {
		r.Refuse()
	}
	return id
}

func readForget(r *wire.Reader, position uint64) *ForgetEffect {
	f := &ForgetEffect{}
	for range r.Count(MaxForget, 8) {
		p := r.Uint64()
		if n := len(f.Positions); p >= position || (n > 0 && p <= f.Positions[n-1]) {
			r.Refuse()
		}
		f.Positions = append(f.Positions, p)
	}
	f.Rule = EraseRule(r.Uint8())
	if len(f.Positions) == 0 || f.Rule < EraseRetention || f.Rule > EraseRequest {
		r.Refuse()
	}
	return f
}

// Forgettable reports whether an entry may be forgotten once every document that it names is deleted.
func (e *Effect) Forgettable(deleted func(document wire.ObjectID) bool) bool {
	if e.Kind != KindBatch {
		return false
	}
	for _, op := range e.Batch.Ops {
		if (op.Kind != OpAdd && op.Kind != OpPlace) || !deleted(op.Document) {
			return false
		}
	}
	return true
}

func (s *StatementEffect) write(w *wire.Writer) {
	w.Count(len(s.Seats))
	for _, seat := range s.Seats {
		seat.write(w)
	}
	w.Count(len(s.Invites))
	for _, id := range s.Invites {
		w.Fixed(id[:])
	}
	w.Uint64(s.TrailPosition)
	w.Fixed(s.TrailHead[:])
	w.Fixed(s.OpensState[:])
	w.Fixed(s.OpensTrail[:])
	w.Fixed(s.TrailKey)
	for _, box := range [][]byte{s.Boxes.Content, s.Boxes.Entry, s.Boxes.Link, s.Boxes.Trail} {
		w.Bytes16(box)
	}
	w.Bytes16(s.Signature)
}

func readStatementEffect(r *wire.Reader) *StatementEffect {
	s := &StatementEffect{}
	for range r.Count(MaxSeats, seatSize) {
		seat := readSeat(r)
		if n := len(s.Seats); n > 0 && string(s.Seats[n-1].Member[:]) >= string(seat.Member[:]) {
			r.Refuse() // sorted, without doubles
		}
		s.Seats = append(s.Seats, seat)
	}
	for range r.Count(MaxSeats, 16) {
		id := r.ID()
		if n := len(s.Invites); n > 0 && string(s.Invites[n-1][:]) >= string(id[:]) {
			r.Refuse()
		}
		s.Invites = append(s.Invites, id)
	}
	s.TrailPosition, s.TrailHead, s.OpensState, s.OpensTrail = r.Uint64(), r.Hash(), r.Hash(), r.Hash()
	s.TrailKey = r.Fixed(trailKeySize)
	s.Boxes = Boxes{Content: r.Bytes16(maxBox), Entry: r.Bytes16(maxBox), Link: r.Bytes16(maxBox), Trail: r.Bytes16(maxBox)}
	if s.Signature = r.Bytes16(signatureSize); len(s.Signature) != 0 && len(s.Signature) != signatureSize {
		r.Refuse()
	}
	return s
}

const seatSize = 16 + 32 + 1 + 4

func (s Seat) write(w *wire.Writer) {
	w.Fixed(s.Member[:])
	w.Fixed(s.Fingerprint[:])
	w.Uint8(uint8(s.Role))
	w.Uint32(s.From)
}

func readSeat(r *wire.Reader) Seat {
	s := Seat{Member: r.ID(), Fingerprint: r.Hash(), Role: Role(r.Uint8()), From: r.Uint32()}
	if !s.Role.Valid() || s.Member.IsZero() || s.From == 0 {
		r.Refuse()
	}
	return s
}

const opSize = 1 + 16

func (o OpEffect) write(w *wire.Writer) {
	w.Uint8(uint8(o.Kind))
	w.Fixed(o.Document[:])
	if o.Kind == OpAdd {
		w.Fixed(o.Version[:])
		w.Fixed(o.Upload[:])
		w.Uint64(o.Padded)
	}
}

func readBatchEffect(r *wire.Reader) *BatchEffect {
	b := &BatchEffect{}
	n := r.Count(MaxOps, opSize)
	if n == 0 {
		r.Refuse()
	}
	for range n {
		o := OpEffect{Kind: OpKind(r.Uint8()), Document: r.ID()}
		switch o.Kind {
		case OpAdd:
			o.Version, o.Upload, o.Padded = r.ID(), r.ID(), r.Uint64()
			if o.Version.IsZero() || o.Upload.IsZero() || o.Padded < document.MinBody || document.PaddedLength(o.Padded) != o.Padded || o.Padded > document.MaxBody {
				r.Refuse()
			}
		case OpPlace, OpDelete:
		case OpProfile:
			if !o.Document.IsZero() {
				r.Refuse()
			}
		default:
			r.Refuse()
		}
		if o.Kind != OpProfile && o.Document.IsZero() {
			r.Refuse()
		}
		b.Ops = append(b.Ops, o)
	}
	return b
}

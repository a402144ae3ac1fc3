package chain

import (
	"slices"

	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/wire"
)

// ChainKind says what a chain is of.
type ChainKind uint8

// Chain kinds.
const (
	KindFirm ChainKind = iota + 1
	KindCompartment
)

// Charter is what a first statement fixes for good. A compartment's repeats what the firm's says of the log: its guests never
// see the firm's own chain.
type Charter struct {
	Kind       ChainKind
	Firm       wire.ChainID // of a compartment: the firm it belongs to. Zero for a firm.
	Nonce      wire.Hash
	LogOrigin  string   // of the firm's log
	LogKeys    []string // verifier keys of the log, as signed notes name them
	VRFKey     []byte
	Policy     string // witness policy (c2sp.org/tlog-policy); empty: none
	Succession uint8  // firm seats that may together appoint an owner; 0: none may
}

// LogTrust is what a chain's members hold its firm's log to.
type LogTrust struct {
	Origin string
	Keys   []string
	VRFKey []byte
	Policy string
}

// Log is what the charter says of the firm's log.
func (c Charter) Log() LogTrust {
	return LogTrust{Origin: c.LogOrigin, Keys: c.LogKeys, VRFKey: c.VRFKey, Policy: c.Policy}
}

// Equal reports whether two say the same.
func (t LogTrust) Equal(o LogTrust) bool {
	return t.Origin == o.Origin && slices.Equal(t.Keys, o.Keys) && string(t.VRFKey) == string(o.VRFKey) && t.Policy == o.Policy
}

func (t LogTrust) write(w *wire.Writer) {
	w.Text(t.Origin)
	w.Count(len(t.Keys))
	for _, k := range t.Keys {
		w.Text(k)
	}
	w.Bytes16(t.VRFKey)
	w.Text(t.Policy)
}

func readLogTrust(r *wire.Reader) LogTrust {
	t := LogTrust{Origin: r.Text(document.MaxName)}
	for range r.Count(maxLogKeys, 2) {
		t.Keys = append(t.Keys, r.Text(maxLogKey))
	}
	t.VRFKey, t.Policy = r.Bytes16(64), r.Text(maxPolicy)
	return t
}

// Reason says why an epoch was opened.
type Reason uint8

// Reasons.
const (
	ReasonFounded Reason = iota + 1
	ReasonMemberRemoved
	ReasonKeysChanged
	ReasonScheduled
)

const (
	maxCheckpoint = 4096
	maxLogKeys    = 8
	maxLogKey     = 4096
	maxPolicy     = 16 << 10
	trailKeySize  = 1216 // of an X-Wing public key
)

// head starts every body.
type head struct {
	Time       uint64 // the author's clock, milliseconds since 1970
	Checkpoint []byte // the author's newest verified checkpoint of the log, as log.Carried has it; empty before the first
}

func (h head) write(w *wire.Writer) {
	w.Uint64(h.Time)
	w.Bytes16(h.Checkpoint)
}

func readHead(r *wire.Reader) head {
	return head{Time: r.Uint64(), Checkpoint: r.Bytes16(maxCheckpoint)}
}

type founding struct {
	Charter Charter
	Name    string // of the chain
	Person  string // of its founder
	Ways    uint8  // to unlock, as he says
	Read    Topics // as he says
	Bundle  Bundle
}

// founder is the seat that a first statement makes.
func (f *founding) founder(at uint64) *Member {
	id := f.Bundle.Member
	m := &Member{ID: id, Keys: f.Bundle.Keys, Name: f.Person, Role: RoleOwner, State: MemberSeated, From: 1, Ways: f.Ways, AddedBy: id, AddedAt: at}
	m.reads(f.Read, at, 0)
	return m
}

type statementBody struct {
	head
	Reason      Reason
	Subject     wire.ObjectID // whom the reason is about
	Commitments [commitmentCount]wire.Hash
	RowsRoot    wire.Hash
	StateRoot   wire.Hash
	Founding    *founding // of a first statement
}

func (s *statementBody) bytes() []byte {
	w := wire.NewWriter()
	s.head.write(w)
	w.Uint8(uint8(s.Reason))
	w.Fixed(s.Subject[:])
	for _, c := range s.Commitments {
		w.Fixed(c[:])
	}
	w.Fixed(s.RowsRoot[:])
	w.Fixed(s.StateRoot[:])
	w.Bool(s.Founding != nil)
	if f := s.Founding; f != nil {
		f.Charter.write(w)
		w.Text(f.Name)
		w.Text(f.Person)
		w.Uint8(f.Ways)
		w.Uint16(uint16(f.Read))
		w.Fixed(f.Bundle.Bytes())
	}
	return w.Bytes()
}

func parseStatementBody(b []byte) (*statementBody, error) {
	r := wire.NewReader(b)
	s := &statementBody{head: readHead(r), Reason: Reason(r.Uint8()), Subject: r.ID()}
	if s.Reason < ReasonFounded || s.Reason > ReasonScheduled {
		r.Refuse()
	}
	for i := range s.Commitments {
		s.Commitments[i] = r.Hash()
	}
	s.RowsRoot, s.StateRoot = r.Hash(), r.Hash()
	if r.Bool() {
		f := &founding{Charter: readCharter(r), Name: r.Text(document.MaxName), Person: r.Text(document.MaxName), Ways: readWays(r), Read: readTopics(r)}
		bundle, err := ParseBundle(r.Fixed(BundleSize))
		if err != nil {
			r.Refuse()
		}
		f.Bundle = bundle
		s.Founding = f
	}
	return s, r.Done()
}

func (c Charter) write(w *wire.Writer) {
	w.Uint8(uint8(c.Kind))
	w.Fixed(c.Firm[:])
	w.Fixed(c.Nonce[:])
	c.Log().write(w)
	w.Uint8(c.Succession)
}

func readCharter(r *wire.Reader) Charter {
	c := Charter{Kind: ChainKind(r.Uint8()), Firm: r.Hash(), Nonce: r.Hash()}
	t := readLogTrust(r)
	c.LogOrigin, c.LogKeys, c.VRFKey, c.Policy, c.Succession = t.Origin, t.Keys, t.VRFKey, t.Policy, r.Uint8()
	if (c.Kind != KindFirm && c.Kind != KindCompartment) || (c.Kind == KindFirm) != c.Firm.IsZero() {
		r.Refuse()
	}
	return c
}

type batchBody struct {
	head
	Ops []Op
}

// Op is the sealed part of an operation, beside its OpEffect.
type Op struct {
	Version *document.Version // of OpAdd
	Name    string            // of OpPlace, OpProfile
	Folder  string            // of OpPlace
}

func (b *batchBody) bytes(effects []OpEffect) []byte {
	w := wire.NewWriter()
	b.head.write(w)
	for i, e := range effects {
		switch e.Kind {
		case OpAdd:
			b.Ops[i].Version.Write(w)
		case OpPlace:
			w.Text(b.Ops[i].Name)
			w.Text(b.Ops[i].Folder)
		case OpProfile:
			w.Text(b.Ops[i].Name)
		}
	}
	return w.Bytes()
}

func parseBatchBody(b []byte, effects []OpEffect) (*batchBody, error) {
	r := wire.NewReader(b)
	body := &batchBody{head: readHead(r)}
	for _, e := range effects {
		var op Op
		switch e.Kind {
		case OpAdd:
			v := document.ReadVersion(r)
			op.Version = &v
		case OpPlace:
			op.Name, op.Folder = r.Text(1<<12), r.Text(1<<12)
		case OpProfile:
			op.Name = r.Text(1 << 12)
		}
		body.Ops = append(body.Ops, op)
	}
	return body, r.Done()
}

type inviteBody struct {
	head
	Person      string
	AcceptKey   Secret // opens the guest's accept entry, for all who read this one
	Secrets     []sealedSecret
	PackageHash wire.Hash
}

// sealedSecret is an invite's secret, wrapped to one owner, so that a rotation can carry the invite over.
type sealedSecret struct {
	Owner wire.ObjectID
	Wrap  []byte
}

func (b *inviteBody) bytes() []byte {
	w := wire.NewWriter()
	b.head.write(w)
	w.Text(b.Person)
	w.Fixed(b.AcceptKey[:])
	w.Count(len(b.Secrets))
	for _, s := range b.Secrets {
		w.Fixed(s.Owner[:])
		w.Bytes16(s.Wrap)
	}
	w.Fixed(b.PackageHash[:])
	return w.Bytes()
}

func parseInviteBody(b []byte) (*inviteBody, error) {
	r := wire.NewReader(b)
	body := &inviteBody{head: readHead(r), Person: r.Text(document.MaxName), AcceptKey: Secret(r.Hash())}
	for range r.Count(MaxSeats, 18) {
		body.Secrets = append(body.Secrets, sealedSecret{Owner: r.ID(), Wrap: r.Bytes16(4096)})
	}
	body.PackageHash = r.Hash()
	return body, r.Done()
}

// seatBody is the body of an admit, and the first part of an accept's: the name, and the row that holds the seat's wrap.
type seatBody struct {
	head
	Person  string
	RowHash wire.Hash // zero where a guest waits to be confirmed
}

func (b *seatBody) bytes() []byte {
	w := wire.NewWriter()
	b.head.write(w)
	w.Text(b.Person)
	w.Fixed(b.RowHash[:])
	return w.Bytes()
}

func readSeatBody(r *wire.Reader) seatBody {
	return seatBody{head: readHead(r), Person: r.Text(document.MaxName), RowHash: r.Hash()}
}

func parseSeatBody(b []byte) (*seatBody, error) {
	r := wire.NewReader(b)
	body := readSeatBody(r)
	return &body, r.Done()
}

// acceptBody is the body of an accept: beside the seat, what the guest has read by now.
type acceptBody struct {
	seatBody
	Read Topics
}

func (b *acceptBody) bytes() []byte {
	w := wire.NewWriter()
	w.Fixed(b.seatBody.bytes())
	w.Uint16(uint16(b.Read))
	return w.Bytes()
}

func parseAcceptBody(b []byte) (*acceptBody, error) {
	r := wire.NewReader(b)
	body := &acceptBody{readSeatBody(r), readTopics(r)}
	return body, r.Done()
}

func parseHeadBody(b []byte) (head, error) {
	r := wire.NewReader(b)
	h := readHead(r)
	return h, r.Done()
}

package chain

import (
	"io"

	"github.com/underseal/underseal/keys/vrf"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// EventKind is what the server saw.
type EventKind uint8

// Event kinds.
const (
	EventSessionOpened EventKind = iota + 1
	EventSessionEnded
	EventSignInFailed
	EventDenied // a request of a member's that his seat does not allow
	EventServed // ciphertext of a version, for the first time under a release
	EventLocked
)

var eventNames = map[EventKind]string{EventSessionOpened: "session-opened", EventSessionEnded: "session-ended", EventSignInFailed: "sign-in-failed",
	EventDenied: "denied", EventServed: "served", EventLocked: "locked"}

func (k EventKind) String() string { return eventNames[k] }

// Event is one thing that only the server sees. It seals it to the chain's auditors at once and keeps nothing else of it.
// What it does not put here nobody can miss: SPEC S-EVENT-05.
type Event struct {
	Kind     EventKind
	Time     uint64 // the server's clock, milliseconds since 1970
	Member   wire.ObjectID
	Session  wire.ObjectID
	Document wire.ObjectID // of EventServed, with Version
	Version  wire.ObjectID
	Detail   string // a code or a route, never a name
}

const (
	kindEvent      = 100
	maxEventDetail = 200
)

// EventPlace is the clear part of an entry of the server sequence.
type EventPlace struct {
	Chain    wire.ChainID
	Position uint64
	Previous wire.Hash // leaf hash of the entry before; zeros for the first
	Epoch    uint32    // whose auditors it is sealed to
}

func (p EventPlace) bytes() []byte {
	w := wire.NewWriter()
	w.Uint8(wire.Suite)
	w.Uint8(kindEvent)
	w.Fixed(p.Chain[:])
	w.Uint16(log.TypeServer)
	w.Uint64(p.Position)
	w.Fixed(p.Previous[:])
	w.Uint32(p.Epoch)
	return w.Bytes()
}

// ParseEventPlace reads the clear part.
func ParseEventPlace(b []byte) (EventPlace, error) {
	r := wire.NewReader(b)
	if err := r.Suite(); err != nil {
		return EventPlace{}, err
	}
	if r.Uint8() != kindEvent {
		r.Refuse()
	}
	p := EventPlace{Chain: r.Hash()}
	if r.Uint16() != log.TypeServer {
		r.Refuse()
	}
	p.Position, p.Previous, p.Epoch = r.Uint64(), r.Hash(), r.Uint32()
	if p.Epoch == 0 || (p.Position == 0) != p.Previous.IsZero() {
		r.Refuse()
	}
	return p, r.Done()
}

// EventLabel is what the log's VRF key is asked about a position of a chain's server sequence.
func EventLabel(chain wire.ChainID, position uint64) []byte {
	w := wire.NewWriter()
	w.Fixed([]byte("underseal/v1/event\x00"))
	w.Fixed(chain[:])
	w.Uint64(position)
	return w.Bytes()
}

// NewEvent seals an event to the auditors of an epoch and places it.
func NewEvent(random io.Reader, key *vrf.PrivateKey, trailKey []byte, p EventPlace, e Event) (entry Entry, proof []byte, err error) {
	clear, plain := p.bytes(), e.bytes()
	if _, err := ParseEventPlace(clear); err != nil {
		return Entry{}, nil, ErrInput
	}
	if _, err := parseEvent(plain); err != nil {
		return Entry{}, nil, ErrInput // an auditor would refuse it
	}
	output, pi, err := key.Prove(EventLabel(p.Chain, p.Position))
	if err != nil {
		return Entry{}, nil, err
	}
	envelope, err := sealTrail(random, trailKey, clear, packEnvelope(plain, nil))
	if err != nil {
		return Entry{}, nil, err
	}
	return Entry{Leaf: log.ServerLeaf(output, p.Previous, log.Commit(clear, envelope)), Effect: clear, Envelope: envelope}, pi[:], nil
}

func (e Event) bytes() []byte {
	w := wire.NewWriter()
	w.Uint8(uint8(e.Kind))
	w.Uint64(e.Time)
	w.Fixed(e.Member[:])
	w.Fixed(e.Session[:])
	w.Fixed(e.Document[:])
	w.Fixed(e.Version[:])
	w.Text(e.Detail)
	return w.Bytes()
}

func parseEvent(b []byte) (Event, error) {
	r := wire.NewReader(b)
	e := Event{Kind: EventKind(r.Uint8()), Time: r.Uint64(), Member: r.ID(), Session: r.ID(), Document: r.ID(), Version: r.ID(), Detail: r.Text(maxEventDetail)}
	if eventNames[e.Kind] == "" {
		r.Refuse()
	}
	return e, r.Done()
}

// PlaceEvent verifies that an entry stands at a position of a chain's server sequence, by the VRF key that the firm's first
// statement names. It opens nothing.
func PlaceEvent(vrfKey []byte, e Entry, proof []byte, chain wire.ChainID, position uint64, previous wire.Hash) (EventPlace, error) {
	p, err := ParseEventPlace(e.Effect)
	if err != nil {
		return EventPlace{}, err
	}
	if p.Chain != chain || p.Position != position || p.Previous != previous {
		return EventPlace{}, ErrOrder
	}
	output, err := vrf.Verify(vrfKey, EventLabel(chain, position), proof)
	if err != nil || e.Leaf != log.ServerLeaf(output, previous, e.Commit()) {
		return EventPlace{}, ErrEvent
	}
	return p, nil
}

// OpenEvent verifies and opens an event for an auditor. The server's own word is all there is to it: no member signed it.
func (s *State) OpenEvent(vrfKey []byte, e Entry, proof []byte, position uint64, previous wire.Hash) (Event, error) {
	p, err := PlaceEvent(vrfKey, e, proof, s.ID, position, previous)
	if err != nil {
		return Event{}, err
	}
	if e.Erased != nil {
		return Event{}, ErrErased
	}
	if p.Epoch > s.Epoch {
		return Event{}, ErrEpoch // keys of an epoch whose statement was not applied are not used
	}
	k, err := s.KeysOf(p.Epoch)
	if err != nil {
		return Event{}, err
	}
	if !k.Audit {
		return Event{}, ErrRights
	}
	body, signature, err := openTrail(k, e)
	if err != nil {
		return Event{}, err
	}
	if len(signature) != 0 {
		return Event{}, ErrEnvelope // one spelling: nobody signs an event
	}
	return parseEvent(body)
}

// ParseEvents reads entries of the server sequence, each after its VRF proof, as the server serves them.
func ParseEvents(b []byte) (proofs [][]byte, entries []Entry, err error) {
	r := wire.NewReader(b)
	for r.More() {
		proofs, entries = append(proofs, r.Fixed(vrf.ProofSize)), append(entries, readEntry(r))
	}
	if err := r.Done(); err != nil {
		return nil, nil, err
	}
	return proofs, entries, nil
}

package chain

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/underseal/underseal/keys/vrf"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

func vrfKey(t testing.TB, seed byte) *vrf.PrivateKey {
	t.Helper()
	return must[*vrf.PrivateKey](t)(vrf.NewPrivateKey(bytes.Repeat([]byte{seed}, vrf.SeedSize)))
}

type placed struct {
	Entry
	proof []byte
}

// see is what an honest server does with an event: it seals it to the auditors of the open epoch and places it.
func (w *world) see(t testing.TB, key *vrf.PrivateKey, sequence []placed, e Event) []placed {
	t.Helper()
	place := EventPlace{Chain: w.ada.state.ID, Position: uint64(len(sequence)), Epoch: w.ada.state.Epoch}
	if n := len(sequence); n > 0 {
		place.Previous = sequence[n-1].Leaf.Hash()
	}
	entry, proof, err := NewEvent(rand.Reader, key, w.ada.state.TrailKey, place, e)
	if err != nil {
		t.Fatal(err)
	}
	return append(sequence, placed{entry, proof})
}

// TestEvents: what the server saw is opened by auditors of the epoch it is sealed to and by nobody else. No member signed any of
// these, nor did what they tell: the server's word is all there is. S-EVENT-03 S-EVENT-05
func TestEvents(t *testing.T) {
	w := newTrail(t)
	key := vrfKey(t, 1)
	events := []Event{
		{Kind: EventSessionOpened, Time: 1, Member: w.clara.Member, Session: wire.ObjectID{1}},
		{Kind: EventServed, Time: 2, Member: w.clara.Member, Session: wire.ObjectID{1}, Document: w.doc, Version: wire.ObjectID{2}},
		{Kind: EventDenied, Time: 3, Member: w.petra.Member, Session: wire.ObjectID{3}, Detail: "not-allowed"},
		{Kind: EventSignInFailed, Time: 4}, {Kind: EventLocked, Time: 5}, {Kind: EventSessionEnded, Time: 6, Session: wire.ObjectID{1}},
	}
	var sequence []placed
	for i, e := range events {
		if i == 3 {
			w.rotate(t)
		}
		sequence = w.see(t, key, sequence, e)
	}
	clara := must[*State](t)(w.l.open(t, w.clara))
	for name, s := range map[string]*State{"owner": w.ada.state, "auditor": must[*State](t)(w.l.open(t, w.aude))} {
		var previous wire.Hash
		for i, e := range sequence {
			got, err := s.OpenEvent(key.Public(), e.Entry, e.proof, uint64(i), previous)
			if err != nil || got != events[i] {
				t.Errorf("%s, event %d: %v %v", name, i, got, err)
			}
			// A member who may not read it, and whoever has the VRF key alone, still see that nothing was left out.
			if p, err := PlaceEvent(key.Public(), e.Entry, e.proof, s.ID, uint64(i), previous); err != nil || p.Epoch > s.Epoch {
				t.Errorf("event %d: %v", i, err)
			}
			if _, err := clara.OpenEvent(key.Public(), e.Entry, e.proof, uint64(i), previous); !errors.Is(err, ErrRights) {
				t.Errorf("a client opens event %d: %v", i, err)
			}
			previous = e.Leaf.Hash()
		}
	}
	full := must[*EpochKeys](t)(w.ada.state.Keys())
	for _, secret := range full.rungs()[:7] {
		if _, _, err := openTrail(&EpochKeys{Trail: secret}, sequence[5].Entry); err == nil {
			t.Error("a key of the state sequence opens an event")
		}
	}
	// Who is removed opens nothing of the next epoch; keys of an epoch that was not opened yet are not used.
	auditor := must[*State](t)(w.l.open(t, w.aude))
	early := w.ada.state.Clone()
	w.rotate(t, w.aude.Member)
	sequence = w.see(t, key, sequence, events[0])
	n, previous := uint64(len(sequence)-1), sequence[len(sequence)-2].Leaf.Hash()
	if _, err := w.ada.state.OpenEvent(key.Public(), sequence[n].Entry, sequence[n].proof, n, previous); err != nil {
		t.Error(err)
	}
	if _, err := auditor.OpenEvent(key.Public(), sequence[n].Entry, sequence[n].proof, n, previous); !errors.Is(err, ErrEpoch) {
		t.Errorf("a removed auditor opens an event: %v", err)
	}
	early.AddKeys(must[*EpochKeys](t)(w.ada.state.Keys()))
	if _, err := early.OpenEvent(key.Public(), sequence[n].Entry, sequence[n].proof, n, previous); !errors.Is(err, ErrEpoch) {
		t.Errorf("keys that no statement committed to are used: %v", err)
	}
	// Nobody knows which leaves of the log are of one chain: without a proof, no tag or link is what a link key gives.
	for _, e := range sequence {
		for _, secret := range full.rungs() {
			if log.LinkKey(secret).Tag(w.l.id, log.TypeServer, 0) == e.Leaf.Tag {
				t.Error("a member finds an event without its proof")
			}
		}
	}
}

// TestEventAttacks: an event stands where the VRF key says, in this chain, after the one before, with this envelope; anything
// else is refused. S-EVENT-01 S-EVENT-02
func TestEventAttacks(t *testing.T) {
	w := newWorld(t)
	key, s := vrfKey(t, 1), w.ada.state
	served := Event{Kind: EventServed, Time: 2, Member: w.clara.Member, Session: wire.ObjectID{1}, Document: w.doc, Version: wire.ObjectID{2}}
	sequence := w.see(t, key, nil, Event{Kind: EventSessionOpened, Time: 1})
	sequence = w.see(t, key, sequence, served)
	sequence = w.see(t, key, sequence, served)
	first, good := sequence[0], sequence[1]
	previous := first.Leaf.Hash()
	output, _, err := key.Prove(EventLabel(s.ID, 1))
	if err != nil {
		t.Fatal(err)
	}
	relinked := func(clear, envelope []byte) Entry { // by the server, which has the VRF key
		return Entry{Leaf: log.ServerLeaf(output, previous, log.Commit(clear, envelope)), Effect: clear, Envelope: envelope}
	}
	place := must[EventPlace](t)(ParseEventPlace(good.Effect))
	of := func(p EventPlace) []byte { return p.bytes() }
	type attack struct {
		entry    Entry
		vrf      []byte
		proof    []byte
		position uint64
		previous wire.Hash
	}
	for _, a := range []struct {
		name string
		want error
		lie  func(*attack)
	}{
		{"nothing", nil, func(*attack) {}},
		{"another position", ErrOrder, func(a *attack) { a.position = 2 }},
		{"another before it", ErrOrder, func(a *attack) { a.previous = wire.Hash{1} }},
		{"an event twice", ErrOrder, func(a *attack) { a.position, a.previous = 2, good.Leaf.Hash() }},
		{"an event left out", ErrOrder, func(a *attack) { a.entry, a.proof = sequence[2].Entry, sequence[2].proof }},
		{"the first in its place", ErrOrder, func(a *attack) { a.entry, a.proof = first.Entry, first.proof }},
		{"another matter's", ErrOrder, func(a *attack) {
			p := place
			p.Chain[0] ^= 1
			a.entry.Effect = of(p)
		}},
		{"another matter's, placed by its own proof", ErrOrder, func(a *attack) {
			p := place
			p.Chain[0] ^= 1
			e, proof, err := NewEvent(rand.Reader, key, s.TrailKey, p, served)
			if err != nil {
				t.Fatal(err)
			}
			a.entry, a.proof = e, proof
		}},
		{"another VRF key", ErrEvent, func(a *attack) { a.vrf = vrfKey(t, 2).Public() }},
		{"another server's", ErrEvent, func(a *attack) {
			e, proof, err := NewEvent(rand.Reader, vrfKey(t, 2), s.TrailKey, place, served)
			if err != nil {
				t.Fatal(err)
			}
			a.entry, a.proof = e, proof
		}},
		{"a VRF key that is none", ErrEvent, func(a *attack) { a.vrf = make([]byte, 32) }},
		{"no VRF key", ErrEvent, func(a *attack) { a.vrf = nil }},
		{"another proof", ErrEvent, func(a *attack) { a.proof = sequence[2].proof }},
		{"no proof", ErrEvent, func(a *attack) { a.proof = nil }},
		{"a proof with a byte more", ErrEvent, func(a *attack) { a.proof = append(slices.Clone(a.proof), 0) }},
		{"no proof, and the leaf that an output of zeros would give", ErrEvent, func(a *attack) {
			a.proof = nil
			a.entry.Leaf = log.ServerLeaf([64]byte{}, previous, a.entry.Commit())
		}},
		{"another envelope", ErrEvent, func(a *attack) { a.entry.Envelope = first.Envelope }},
		{"an envelope's bit", ErrEvent, func(a *attack) { a.entry.Envelope = flip(a.entry.Envelope, 1500) }},
		{"another epoch", ErrEvent, func(a *attack) { p := place; p.Epoch--; a.entry.Effect = of(p) }},
		{"another epoch, placed by the server", ErrEnvelope, func(a *attack) {
			p := place
			p.Epoch--
			a.entry = relinked(of(p), a.entry.Envelope)
		}},
		{"an epoch there is not yet, placed by the server", ErrEpoch, func(a *attack) {
			p := place
			p.Epoch++
			a.entry = relinked(of(p), a.entry.Envelope)
		}},
		{"another envelope, placed by the server", ErrEnvelope, func(a *attack) { a.entry = relinked(a.entry.Effect, first.Envelope) }},
		{"an envelope's bit, placed by the server", ErrEnvelope, func(a *attack) { a.entry = relinked(a.entry.Effect, flip(a.entry.Envelope, 1500)) }},
		{"a signature that nobody asks for", ErrEnvelope, func(a *attack) {
			a.entry = relinked(a.entry.Effect, must[[]byte](t)(sealTrail(rand.Reader, s.TrailKey, a.entry.Effect, packEnvelope(served.bytes(), []byte{1}))))
		}},
		{"an event of a kind that is not", wire.ErrMalformed, func(a *attack) {
			x := served
			x.Kind = 99
			a.entry = relinked(a.entry.Effect, must[[]byte](t)(sealTrail(rand.Reader, s.TrailKey, a.entry.Effect, packEnvelope(x.bytes(), nil))))
		}},
		{"an envelope that was erased", ErrErased, func(a *attack) { a.entry = a.entry.Erase() }},
		{"an envelope that was erased, of another entry", ErrEvent, func(a *attack) { a.entry = first.Erase(); a.entry.Effect, a.entry.Leaf = good.Effect, good.Leaf }},
		{"a release", wire.ErrMalformed, func(a *attack) { a.entry = must[Entry](t)(w.releaseOf(t)) }},
		{"an entry of the state", wire.ErrMalformed, func(a *attack) { a.entry = w.l.entries[2] }},
	} {
		t.Run(a.name, func(t *testing.T) {
			x := attack{good.Entry, key.Public(), good.proof, 1, previous}
			a.lie(&x)
			if _, err := s.OpenEvent(x.vrf, x.entry, x.proof, x.position, x.previous); !errors.Is(err, a.want) {
				t.Errorf("got %v, want %v", err, a.want)
			}
		})
	}
	b := good.Leaf.Bytes()
	for at := range b {
		leaf, err := log.ParseLeaf(flip(b, at))
		if err != nil {
			continue
		}
		e := good.Entry
		e.Leaf = leaf
		if _, err := s.OpenEvent(key.Public(), e, good.proof, 1, previous); !errors.Is(err, ErrEvent) {
			t.Fatalf("byte %d of the leaf: %v", at, err)
		}
	}
	for at := range good.proof {
		if _, err := s.OpenEvent(key.Public(), good.Entry, flip(good.proof, at), 1, previous); !errors.Is(err, ErrEvent) {
			t.Fatalf("byte %d of the proof: %v", at, err)
		}
	}
	// An entry of the server sequence stands in no other.
	refused(t, s.Clone(), good.Entry, wire.ErrMalformed)
	if _, err := s.OpenRelease(good.Entry, 1, previous); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("an event in the trail: %v", err)
	}
}

func flip(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 1
	return b
}

// TestEventForm: what the clear part and the event may not say; a server makes none that an auditor would refuse. S-EVENT-04
func TestEventForm(t *testing.T) {
	place := EventPlace{Chain: wire.ChainID{1}, Position: 1, Previous: wire.Hash{2}, Epoch: 3}
	clear := place.bytes()
	if got, err := ParseEventPlace(clear); err != nil || got != place || len(clear) != 80 {
		t.Fatalf("%d bytes: %v", len(clear), err)
	}
	for name, b := range map[string][]byte{
		"suite 0": flip(clear, 0), "another kind": flip(clear, 1), "the state": append(append(slices.Clone(clear[:34]), 0, 1), clear[36:]...),
		"cut": clear[:79], "a byte more": append(slices.Clone(clear), 0), "nothing": nil,
		"epoch 0":                EventPlace{Chain: place.Chain, Position: 1, Previous: wire.Hash{2}}.bytes(),
		"a first with a before":  EventPlace{Chain: place.Chain, Previous: wire.Hash{2}, Epoch: 3}.bytes(),
		"a later without before": EventPlace{Chain: place.Chain, Position: 1, Epoch: 3}.bytes(),
	} {
		if _, err := ParseEventPlace(b); !errors.Is(err, wire.ErrMalformed) && !errors.Is(err, wire.ErrSuite) {
			t.Errorf("%s: %v", name, err)
		}
	}
	key, trail := vrfKey(t, 1), newWorld(t).ada.state.TrailKey
	good := Event{Kind: EventDenied, Detail: strings.Repeat("d", maxEventDetail)}
	if _, _, err := NewEvent(rand.Reader, key, trail, place, good); err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]Event{"kind 0": {}, "kind 7": {Kind: 7}, "a long detail": {Kind: EventDenied, Detail: good.Detail + "d"}, "detail that is no text": {Kind: EventDenied, Detail: "\xff"}} {
		if _, err := parseEvent(e.bytes()); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := NewEvent(rand.Reader, key, trail, place, e); !errors.Is(err, ErrInput) {
			t.Errorf("a server makes an event with %s: %v", name, err)
		}
	}
	if _, _, err := NewEvent(rand.Reader, key, trail, EventPlace{Position: 1}, good); !errors.Is(err, ErrInput) {
		t.Errorf("a server makes an event that stands nowhere: %v", err)
	}
	if _, _, err := NewEvent(bytes.NewReader(nil), key, trail, place, good); !errors.Is(err, io.EOF) {
		t.Errorf("without randomness: %v", err)
	}
	kinds := map[string]bool{}
	for k := EventSessionOpened; k <= EventLocked; k++ {
		kinds[k.String()] = true
	}
	if len(kinds) != 6 || kinds[""] || EventKind(7).String() != "" {
		t.Errorf("%d names of kinds", len(kinds))
	}
}

package chain

import (
	"bytes"
	"crypto/rand"
	"math"
	"os"
	"regexp"
	"runtime"
	"testing"
	"time"

	"github.com/underseal/underseal/keys/vrf"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// seeds are what each fuzz test begins with: real objects of every kind, then small damage to the first of them. They are
// made anew in each run, because signatures and wraps are random; what a run finds is kept in testdata/fuzz.
func seeds(t testing.TB) map[string][][]byte {
	t.Helper()
	w := newWorld(t)
	s := w.ada.state
	sub, k, err := s.Rotate(w.ada.Author, Rotation{Reason: ReasonScheduled, FirmName: "f"})
	if err != nil {
		t.Fatal(err)
	}
	release := must[Entry](t)(w.releaseOf2(t))
	erase := must[Submission](t)(s.Erase(w.ada.Author, 0, 9, EraseRequest))
	firm, rules := newFirm(t)
	rules.Networks = []string{"10.0.0.0/8", "2001:db8::/32"}
	policy := must[Submission](t)(firm.state.SetPolicy(firm.Author, rules))
	entries := append(append([]Entry(nil), w.l.entries...), sub.Entry, release, erase.Entry)
	r := newOffice(t)
	r.whole(t)
	_, link := r.renewed(t, r.clara)
	renewal := *must[*Effect](t)(s.effect(w.ada.Author, KindRenew))
	renewal.Renew = &RenewEffect{Link: link}
	out := map[string][][]byte{}
	ruled := firm.state.Clone()
	if err := ruled.Apply(policy.Entry); err != nil {
		t.Fatal(err)
	}
	add := func(target string, b ...[]byte) { out[target] = append(out[target], b...) }
	add("FuzzParseEffect", policy.Entry.Effect, renewal.Bytes())
	add("FuzzParseKeyLink", link.Bytes())
	add("FuzzParseRecoveryLink", []byte(r.link.String()))
	add("FuzzRecoveryPackage", r.pkg.bytes())
	add("FuzzUnmarshal", r.ada.state.Marshal())
	for _, e := range r.l.entries[1:] {
		add("FuzzParseEffect", e.Effect)
	}
	add("FuzzParseEntry", policy.Entry.Bytes())
	add("FuzzUnmarshal", ruled.Marshal())
	var stream []byte
	for _, e := range entries {
		add("FuzzParseEffect", e.Effect)
		add("FuzzParseEntry", e.Bytes(), e.Erase().Bytes())
		stream = append(stream, e.Bytes()...)
		effect := must[*Effect](t)(ParseEffect(e.Effect))
		var key Secret
		switch effect.Kind {
		case KindAccept:
			key = s.Invites[effect.Accept.Invite].AcceptKey
			add("FuzzParseBundle", effect.Accept.Bundle.Bytes())
		case KindRelease:
			continue
		case KindStatement:
			if effect.Epoch == k.Epoch {
				key = k.Entry
				break
			}
			fallthrough
		default:
			key = must[*EpochKeys](t)(s.KeysOf(effect.Epoch)).Entry
		}
		body, sig, err := openEnvelope(key, e.Effect, e.Envelope)
		if err != nil {
			t.Fatal(err)
		}
		add("FuzzEnvelope", packEnvelope(body, sig))
		switch effect.Kind {
		case KindErase:
			continue
		case KindStatement:
			add("FuzzStatementBody", body)
		case KindBatch:
			add("FuzzBatchBody", append([]byte{byte(effect.Batch.Ops[0].Kind)}, body...))
		case KindInvite:
			add("FuzzInviteBody", body)
		case KindAccept:
			add("FuzzAcceptBody", body)
			add("FuzzSeatBody", body[:len(body)-2])
		case KindAdmit:
			add("FuzzSeatBody", body)
		}
	}
	add("FuzzParseEntries", stream, append(release.Erase().Bytes(), entries[1].Bytes()...), stream[:len(entries[0].Bytes())*2], nil)
	add("FuzzParseSubmission", sub.Bytes(), Submission{Entry: release}.Bytes(), Submission{Entry: release.Erase()}.Bytes())
	key := must[*vrf.PrivateKey](t)(vrf.NewPrivateKey(bytes.Repeat([]byte{7}, vrf.SeedSize)))
	place := EventPlace{Chain: s.ID, Position: 3, Previous: wire.Hash{1}, Epoch: 2}
	event := Event{Kind: EventServed, Time: 1, Member: w.clara.Member, Session: wire.ObjectID{1}, Document: w.doc, Version: wire.ObjectID{2}, Detail: "chunk"}
	seen, _, err := NewEvent(rand.Reader, key, s.TrailKey, place, event)
	if err != nil {
		t.Fatal(err)
	}
	add("FuzzParseEntry", seen.Bytes(), seen.Erase().Bytes())
	add("FuzzParseEventPlace", place.bytes(), EventPlace{Chain: s.ID, Epoch: 1}.bytes())
	add("FuzzParseEvent", event.bytes(), Event{Kind: EventLocked}.bytes())
	for _, r := range sub.Rows {
		if r.Kind == RowWrap {
			add("FuzzParseWrap", r.Bytes)
		}
	}
	add("FuzzParseLink", []byte(w.link.String()), []byte(w.link.String()[:40]+"\n"+w.link.String()[40:]))
	add("FuzzPackage", w.packageOf2(t, w.link).bytes(), w.packageOf2(t, w.waits).bytes())
	erased := s.Clone()
	if err := erased.Apply(erase.Entry); err != nil {
		t.Fatal(err)
	}
	add("FuzzUnmarshal", s.Marshal(), erased.Marshal(), (&State{Charter: Charter{Kind: KindFirm}}).Marshal())
	for target := range out {
		first := out[target][0]
		add(target, first[:len(first)/2], append(bytes.Clone(first), 0), []byte{})
	}
	return out
}

func (w *world) packageOf2(t testing.TB, l Link) Package {
	t.Helper()
	return w.ada.state.newPackage(w.ada.state.Invites[l.Invite], "f", must[*EpochKeys](t)(w.ada.state.Keys()))
}

func (w *world) releaseOf2(t testing.TB) (Entry, error) {
	t.Helper()
	session := must[*Session](t)(NewSession(w.clara.Author, w.ada.state.FirmOf(), time.Hour))
	return w.ada.state.Release(w.clara.Author, session, w.doc, w.ada.state.Documents[w.doc].Current().Header.Version, 0, wire.Hash{})
}

// again is what every parser promises: bytes it took, written once more; nil where it refused. S-WIRE-01
var again = map[string]func(b []byte) []byte{
	"FuzzParseEffect": func(b []byte) []byte {
		e, err := ParseEffect(b)
		if err != nil {
			return nil
		}
		return e.Bytes()
	},
	"FuzzParseEntry": func(b []byte) []byte {
		e, err := ParseEntry(b)
		if err != nil {
			return nil
		}
		return e.Bytes()
	},
	"FuzzParseEntries": func(b []byte) []byte {
		list, err := ParseEntries(b)
		if err != nil || len(list) == 0 {
			return nil
		}
		var out []byte
		for _, e := range list {
			out = append(out, e.Bytes()...)
		}
		return out
	},
	"FuzzParseSubmission": func(b []byte) []byte {
		s, err := ParseSubmission(b)
		if err != nil {
			return nil
		}
		return s.Bytes()
	},
	"FuzzParseWrap": func(b []byte) []byte {
		w, err := ParseWrap(b)
		if err != nil {
			return nil
		}
		return w.row().Bytes
	},
	"FuzzParseKeyLink": func(b []byte) []byte {
		l, err := ParseKeyLink(b)
		if err != nil {
			return nil
		}
		return l.Bytes()
	},
	"FuzzParseRecoveryLink": func(b []byte) []byte {
		l, err := ParseRecoveryLink(string(b))
		if err != nil {
			return nil
		}
		return []byte(l.String())
	},
	"FuzzRecoveryPackage": func(b []byte) []byte {
		p, err := parseRecoveryPackage(b)
		if err != nil {
			return nil
		}
		return p.bytes()
	},
	"FuzzParseLink": func(b []byte) []byte {
		l, err := ParseLink(string(b))
		if err != nil {
			return nil
		}
		return []byte(l.String())
	},
	"FuzzParseBundle": func(b []byte) []byte {
		x, err := ParseBundle(b)
		if err != nil {
			return nil
		}
		return x.Bytes()
	},
	"FuzzEnvelope": func(b []byte) []byte {
		body, sig, err := unpackEnvelope(b)
		if err != nil {
			return nil
		}
		return packEnvelope(body, sig)
	},
	"FuzzPackage": func(b []byte) []byte {
		p, err := parsePackage(b, 1)
		if err != nil {
			return nil
		}
		return p.bytes()
	},
	"FuzzStatementBody": func(b []byte) []byte {
		s, err := parseStatementBody(b)
		if err != nil {
			return nil
		}
		return s.bytes()
	},
	// The first byte is the kind of the one operation that the effect would name.
	"FuzzBatchBody": func(b []byte) []byte {
		if len(b) == 0 {
			return nil
		}
		effects := []OpEffect{{Kind: OpKind(b[0])}}
		body, err := parseBatchBody(b[1:], effects)
		if err != nil {
			return nil
		}
		return append([]byte{b[0]}, body.bytes(effects)...)
	},
	"FuzzInviteBody": func(b []byte) []byte {
		x, err := parseInviteBody(b)
		if err != nil {
			return nil
		}
		return x.bytes()
	},
	"FuzzSeatBody": func(b []byte) []byte {
		x, err := parseSeatBody(b)
		if err != nil {
			return nil
		}
		return x.bytes()
	},
	"FuzzAcceptBody": func(b []byte) []byte {
		x, err := parseAcceptBody(b)
		if err != nil {
			return nil
		}
		return x.bytes()
	},
	"FuzzParseEventPlace": func(b []byte) []byte {
		p, err := ParseEventPlace(b)
		if err != nil {
			return nil
		}
		return p.bytes()
	},
	"FuzzParseEvent": func(b []byte) []byte {
		e, err := parseEvent(b)
		if err != nil {
			return nil
		}
		return e.bytes()
	},
	"FuzzUnmarshal": func(b []byte) []byte {
		s, err := Unmarshal(b)
		if err != nil {
			return nil
		}
		s.Root()
		return s.Marshal()
	},
}

func fuzz(f *testing.F, target string) {
	for _, b := range seeds(f)[target] {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if out := again[target](b); out != nil && !bytes.Equal(out, b) {
			t.Fatalf("%d bytes re-encode to %d others", len(b), len(out))
		}
	})
}

func FuzzParseEffect(f *testing.F)       { fuzz(f, "FuzzParseEffect") }
func FuzzParseEntry(f *testing.F)        { fuzz(f, "FuzzParseEntry") }
func FuzzParseEntries(f *testing.F)      { fuzz(f, "FuzzParseEntries") }
func FuzzParseSubmission(f *testing.F)   { fuzz(f, "FuzzParseSubmission") }
func FuzzParseWrap(f *testing.F)         { fuzz(f, "FuzzParseWrap") }
func FuzzParseLink(f *testing.F)         { fuzz(f, "FuzzParseLink") }
func FuzzParseKeyLink(f *testing.F)      { fuzz(f, "FuzzParseKeyLink") }
func FuzzParseRecoveryLink(f *testing.F) { fuzz(f, "FuzzParseRecoveryLink") }
func FuzzRecoveryPackage(f *testing.F)   { fuzz(f, "FuzzRecoveryPackage") }
func FuzzParseBundle(f *testing.F)       { fuzz(f, "FuzzParseBundle") }
func FuzzEnvelope(f *testing.F)          { fuzz(f, "FuzzEnvelope") }
func FuzzPackage(f *testing.F)           { fuzz(f, "FuzzPackage") }
func FuzzStatementBody(f *testing.F)     { fuzz(f, "FuzzStatementBody") }
func FuzzBatchBody(f *testing.F)         { fuzz(f, "FuzzBatchBody") }
func FuzzInviteBody(f *testing.F)        { fuzz(f, "FuzzInviteBody") }
func FuzzSeatBody(f *testing.F)          { fuzz(f, "FuzzSeatBody") }
func FuzzAcceptBody(f *testing.F)        { fuzz(f, "FuzzAcceptBody") }
func FuzzParseEventPlace(f *testing.F)   { fuzz(f, "FuzzParseEventPlace") }
func FuzzParseEvent(f *testing.F)        { fuzz(f, "FuzzParseEvent") }
func FuzzUnmarshal(f *testing.F)         { fuzz(f, "FuzzUnmarshal") }

// TestCorpus fails when a fuzz test would run on nothing, or on nothing that parses. S-CHAIN-09
func TestCorpus(t *testing.T) {
	source, err := os.ReadFile("fuzz_test.go")
	if err != nil {
		t.Fatal(err)
	}
	corpus := seeds(t)
	targets := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`).FindAllSubmatch(source, -1)
	if len(targets) != len(again) || len(corpus) != len(again) {
		t.Errorf("%d targets, %d corpora, %d parsers", len(targets), len(corpus), len(again))
	}
	for _, m := range targets {
		parsed, refused := 0, 0
		for _, b := range corpus[string(m[1])] {
			if out := again[string(m[1])](b); out == nil {
				refused++
			} else if parsed++; !bytes.Equal(out, b) {
				t.Errorf("%s: a seed re-encodes differently", m[1])
			}
		}
		if parsed == 0 || refused == 0 {
			t.Errorf("%s: %d seeds parse and %d do not, want some of both", m[1], parsed, refused)
		}
	}
}

// TestHostileCounts: what a parser takes of memory is in proportion to what it was given. S-WIRE-04
func TestHostileCounts(t *testing.T) {
	for target, parse := range again {
		for _, size := range []int{64, 1 << 10, 64 << 10} {
			b := bytes.Repeat([]byte{0xff}, size)
			b[0], b[1] = wire.Suite, byte(KindStatement)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			parse(b)
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > uint64(16*size+64<<10) {
				t.Errorf("%s: %d bytes of input take %d", target, size, took)
			}
		}
	}
}

// TestEffectForm: what an effect may not say, whatever it is about. S-CHAIN-09
func TestEffectForm(t *testing.T) {
	good := func() *Effect {
		return &Effect{Kind: KindStatement, Chain: wire.ChainID{1}, Entry: wire.ObjectID{2}, Sequence: log.TypeState, Position: 3, Epoch: 4, Actor: wire.ObjectID{5},
			Statement: &StatementEffect{Seats: []Seat{{wire.ObjectID{1}, wire.Hash{1}, RoleOwner, 1}, {wire.ObjectID{2}, wire.Hash{1}, RoleClient, 1}}, Invites: []wire.ObjectID{{1}, {2}},
				TrailKey: make([]byte, trailKeySize)}}
	}
	if _, err := ParseEffect(good().Bytes()); err != nil {
		t.Fatal(err)
	}
	batch := func(ops ...OpEffect) func(*Effect) {
		return func(e *Effect) { e.Kind, e.Statement, e.Batch = KindBatch, nil, &BatchEffect{ops} }
	}
	erase := func(from, to uint64, rule EraseRule) func(*Effect) {
		return func(e *Effect) { e.Kind, e.Statement, e.Erase = KindErase, nil, &EraseEffect{from, to, rule} }
	}
	forget := func(rule EraseRule, positions ...uint64) func(*Effect) {
		return func(e *Effect) {
			e.Kind, e.Statement, e.Position, e.Forget = KindForget, nil, 9, &ForgetEffect{positions, rule}
		}
	}
	allowed := good()
	forget(EraseRequest, 1, 2, 8)(allowed)
	if _, err := ParseEffect(allowed.Bytes()); err != nil {
		t.Fatal(err)
	}
	allowed = good()
	erase(0, math.MaxUint64, EraseRequest)(allowed)
	if _, err := ParseEffect(allowed.Bytes()); err != nil {
		t.Fatal(err)
	}
	of := func(kind Kind, set func(*Effect)) func(*Effect) {
		return func(e *Effect) { e.Kind, e.Statement = kind, nil; set(e) }
	}
	for name, change := range map[string]func(*Effect){
		"no way to unlock": of(KindDeclare, func(e *Effect) { e.Declare = &DeclareEffect{} }), "too many ways": of(KindDeclare, func(e *Effect) { e.Declare = &DeclareEffect{Ways: 65} }),
		"an unlock of nobody": of(KindUnlock, func(e *Effect) { e.Unlock = &UnlockEffect{} }), "a sign-out of nobody": of(KindSignOut, func(e *Effect) { e.SignOut = &SignOutEffect{} }),
		"a recovery without id":  of(KindRecover, func(e *Effect) { e.Recover = &RecoverEffect{Member: wire.ObjectID{1}} }),
		"a recovery of nobody":   of(KindRecover, func(e *Effect) { e.Recover = &RecoverEffect{Recovery: wire.ObjectID{1}} }),
		"an approval of nothing": of(KindApprove, func(e *Effect) { e.Approve = &ApproveEffect{} }), "a veto of nothing": of(KindVeto, func(e *Effect) { e.Veto = &VetoEffect{} }),
		"a renewal in the trail": of(KindUnlock, func(e *Effect) { e.Unlock, e.Sequence = &UnlockEffect{Member: wire.ObjectID{1}}, log.TypeTrail }),
		"kind 0":                 func(e *Effect) { e.Kind = 0 }, "kind 19": func(e *Effect) { e.Kind = 19 }, "trail": func(e *Effect) { e.Sequence = log.TypeTrail }, "sequence 0": func(e *Effect) { e.Sequence = 0 },
		"no entry": func(e *Effect) { e.Entry = wire.ObjectID{} }, "no actor": func(e *Effect) { e.Actor = wire.ObjectID{} }, "epoch 0": func(e *Effect) { e.Epoch = 0 },
		"seats unsorted": func(e *Effect) { s := e.Statement.Seats; s[0], s[1] = s[1], s[0] }, "a seat twice": func(e *Effect) { e.Statement.Seats[1] = e.Statement.Seats[0] },
		"an invite twice": func(e *Effect) { e.Statement.Invites[1] = e.Statement.Invites[0] }, "a role there is not": func(e *Effect) { e.Statement.Seats[0].Role = 7 },
		"a seat from epoch 0": func(e *Effect) { e.Statement.Seats[0].From = 0 }, "a seat of nobody": func(e *Effect) { e.Statement.Seats[0].Member = wire.ObjectID{} },
		"a box too long":        func(e *Effect) { e.Statement.Boxes.Link = make([]byte, 257) },
		"a trail key too short": func(e *Effect) { e.Statement.TrailKey = make([]byte, trailKeySize-1) },
		"an erasure of nothing": erase(3, 3, EraseRequest), "an erasure backwards": erase(3, 2, EraseRequest), "an erasure by rule 0": erase(1, 2, 0),
		"an erasure by rule 3": erase(1, 2, 3), "an erasure in the trail": func(e *Effect) { erase(1, 2, EraseRequest)(e); e.Sequence = log.TypeTrail },
		"forgetting nothing": forget(EraseRequest), "forgetting twice": forget(EraseRequest, 3, 3), "forgetting backwards": forget(EraseRequest, 3, 2),
		"forgetting what comes later": forget(EraseRequest, 3, 9), "forgetting by rule 0": forget(0, 3), "forgetting by rule 3": forget(3, 3),
		"forgetting too much": forget(EraseRequest, make([]uint64, MaxForget+1)...),
		"no operation":        batch(), "an operation there is not": batch(OpEffect{Kind: 5, Document: wire.ObjectID{1}}), "a document that is none": batch(OpEffect{Kind: OpDelete}),
		"a profile of a document": batch(OpEffect{Kind: OpProfile, Document: wire.ObjectID{1}}),
		"an odd length":           batch(OpEffect{OpAdd, wire.ObjectID{1}, wire.ObjectID{1}, wire.ObjectID{1}, 100_000}),
		"too long":                batch(OpEffect{OpAdd, wire.ObjectID{1}, wire.ObjectID{1}, wire.ObjectID{1}, 1 << 41}),
		"no version":              batch(OpEffect{OpAdd, wire.ObjectID{1}, wire.ObjectID{}, wire.ObjectID{1}, 16384}),
		"too many":                batch(make([]OpEffect, 201)...),
	} {
		e := good()
		change(e)
		if _, err := ParseEffect(e.Bytes()); err == nil {
			t.Errorf("%s parses", name)
		}
	}
	if _, err := ParseEffect(append(good().Bytes(), 0)); err == nil {
		t.Error("a byte more parses")
	}
}

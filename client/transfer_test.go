package client

import (
	"slices"
	"testing"
	"time"

	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/wire"
)

func TestMeter(t *testing.T) {
	start := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	var m meter
	if m.speed() != 0 {
		t.Error("speed of nothing")
	}
	m.add(start, 100)
	m.add(start, 100)
	if m.done != 200 || m.speed() != 0 {
		t.Errorf("%d bytes at %f in no time", m.done, m.speed())
	}
	m.add(start.Add(2*time.Second), 200)
	if m.speed() != 150 {
		t.Errorf("speed %f", m.speed())
	}
	for i := range 20 { // slow from here on: what was long ago counts no more
		m.add(start.Add(time.Duration(i+20)*time.Second), 10)
	}
	if m.speed() != 10 || len(m.samples) > 10 {
		t.Errorf("speed %f of %d samples", m.speed(), len(m.samples))
	}
	m.restart(70)
	if m.done != 70 || m.speed() != 0 {
		t.Errorf("%+v", m)
	}
}

func TestTransferView(t *testing.T) {
	now := time.Now()
	tr := &transfer{total: 100, phase: PhaseSealing}
	tr.meter.add(now, 0)
	tr.meter.add(now.Add(time.Second), 20)
	v := tr.view()
	if v.Document != nil || v.Done != 20 || v.SecondsLeft == nil || *v.SecondsLeft != 4 {
		t.Errorf("%+v", v)
	}
	tr.meter.add(now.Add(2*time.Second), 1000)
	if v := tr.view(); v.Done != 100 || v.SecondsLeft != nil {
		t.Errorf("%+v", v)
	}
}

// TestNumbersSortAsNames: a journal is read back in the order of its names.
func TestNumbersSortAsNames(t *testing.T) {
	numbers := []int{0, 1, 9, 10, 99, 100, 262_143, 1_000_000_000}
	var names []string
	for _, n := range numbers {
		names = append(names, padNumber(n))
		if got := parseNumber(padNumber(n)); got != n || len(padNumber(n)) != 10 {
			t.Errorf("%d is %d", n, got)
		}
	}
	if !slices.IsSorted(names) {
		t.Error(names)
	}
}

func TestContentOfChunks(t *testing.T) {
	const perChunk = 16 * (seal.BodySegment - seal.SegmentOverhead)
	for _, length := range []int64{0, 1, perChunk - 1, perChunk, perChunk + 1, 3*perChunk + 5} {
		padded := document.PaddedLength(uint64(length))
		var sum int64
		for n := range document.Chunks(padded) {
			sum += contentOf(length, int64(padded), n)
		}
		if sum != length {
			t.Errorf("%d bytes of content are %d", length, sum)
		}
	}
}

// TestChunksTheServerClaims: S-CLIENT-05.
func TestChunksTheServerClaims(t *testing.T) {
	h := document.Header{Padded: document.PaddedLength(5 << 20)}
	ours, earlier := wire.Hash{1}, wire.Hash{2}
	tr := &transfer{id: wire.ObjectID{7}, journal: &journal{Upload: wire.ObjectID{7}, Digests: map[int][]wire.Hash{0: {earlier, ours}}}}
	reply := func(change func(*api.Upload)) api.Upload {
		u := api.Upload{Upload: tr.id, Padded: h.Padded, Chunks: []api.Chunk{{Number: 0, Digest: ours}}}
		change(&u)
		return u
	}
	for name, u := range map[string]api.Upload{
		"as it is":       reply(func(*api.Upload) {}),
		"sealed earlier": reply(func(u *api.Upload) { u.Chunks[0].Digest = earlier }),
	} {
		if got, err := tr.checkChunks(u, h); err != nil || got[0] != u.Chunks[0].Digest {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	for name, u := range map[string]api.Upload{
		"other bytes":    reply(func(u *api.Upload) { u.Chunks[0].Digest = wire.Hash{3} }),
		"never sealed":   reply(func(u *api.Upload) { u.Chunks[0].Number = 1 }),
		"past the end":   reply(func(u *api.Upload) { u.Chunks[0].Number = uint32(document.Chunks(h.Padded)) }),
		"another upload": reply(func(u *api.Upload) { u.Upload = wire.ObjectID{8} }),
		"another length": reply(func(u *api.Upload) { u.Padded++ }),
	} {
		if got, err := tr.checkChunks(u, h); err != ErrUploadRoot {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
}

func TestOneEntryHoldsOneVersionOfADocument(t *testing.T) {
	of := func(ids ...byte) (list []*transfer) {
		for _, id := range ids {
			list = append(list, &transfer{document: wire.ObjectID{id}})
		}
		return list
	}
	for want, list := range map[int][]*transfer{3: of(1, 2, 3), 2: of(1, 2, 1, 3), 1: of(1, 1, 1)} {
		if got := oneEntry(list); len(got) != want {
			t.Errorf("%d, want %d", len(got), want)
		}
	}
	var many []*transfer
	for i := range chain.MaxOps + 1 {
		many = append(many, &transfer{document: wire.ObjectID{byte(i), byte(i >> 8)}})
	}
	if got := oneEntry(many); len(got) != chain.MaxOps {
		t.Errorf("%d operations", len(got))
	}
	a, b := wire.ObjectID{1}, wire.ObjectID{2}
	if got := distinct([]wire.ObjectID{a, b, a}); !slices.Equal(got, []wire.ObjectID{a, b}) {
		t.Error(got)
	}
}

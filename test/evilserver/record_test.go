package evilserver

import (
	"bytes"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
)

// TestRecord are lies about a record that are on no list, and what is no lie.
func TestRecord(t *testing.T) {
	for _, c := range []attack{
		{"leaves-that-are-wrong", wrongLeaves},
		{"leaves-of-the-trail-that-are-wrong", wrongTrail},
		{"absence-and-presence-forged", forgedMap},
		{"comparison-that-got-no-answer", unansweredComparison},
		{"answers-that-overlap", overlappingAnswers},
		{"reviewer-and-auditor", reviewers},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

const rowSize = 8 + log.LeafSize

// wrongLists bends what the server lists of a sequence's leaves.
var wrongLists = map[string]func(rows [][]byte) [][]byte{
	"a forged leaf":  func(r [][]byte) [][]byte { r[1][8+70] ^= 1; return r },
	"a dropped leaf": func(r [][]byte) [][]byte { return slices.Delete(r, 1, 2) },
	"the last one":   func(r [][]byte) [][]byte { return r[:len(r)-1] },
	"two leaves swapped": func(r [][]byte) [][]byte {
		a := bytes.Clone(r[0][8:])
		copy(r[0][8:], r[1][8:])
		copy(r[1][8:], a)
		return r
	},
	"two indices swapped": func(r [][]byte) [][]byte {
		a := bytes.Clone(r[0][:8])
		copy(r[0][:8], r[1][:8])
		copy(r[1][:8], a)
		return r
	},
	"one twice":           func(r [][]byte) [][]byte { return append(r, r[1]) },
	"one of another kind": func(r [][]byte) [][]byte { r[1][9] ^= 3; return r },
	"an index beyond":     func(r [][]byte) [][]byte { r[1][0] = 1; return r },
}

func (o *office) bendLeaves(sequence string, bend func([][]byte) [][]byte) {
	o.Lie("GET", api.RouteLeaves, func(r *Request) *Reply {
		reply := r.Real()
		if !strings.Contains(r.Query, "sequence="+sequence) {
			return reply
		}
		if !strings.HasSuffix(r.Query, "from=0") {
			reply.Body = nil
			return reply
		}
		reply.Body = slices.Concat(bend(slices.Collect(slices.Chunk(reply.Body, rowSize)))...)
		return reply
	})
}

// verifies asserts that a verification ends with a lie, and that one without it does not.
func (o *office) verifies(p *Person, name string) {
	o.Helper()
	p = p.Again().In()
	_, err := p.VerifyMatter(Soon(o.World), o.matter)
	f := client.FailureOf(err)
	if f == nil || f.Code != api.CodeServerLied {
		o.Errorf("%s: %v", name, err)
	}
	o.Honest()
	if list := p.Again().In().Refusals(); len(list) == 0 || list[len(list)-1].Found != f.Detail {
		o.Errorf("%s: the journal: %+v", name, list)
	}
	_, err = p.Again().In().VerifyMatter(Soon(o.World), o.matter)
	o.ok(err)
}

func wrongLeaves(t *testing.T) {
	o := newOffice(t)
	for name, bend := range wrongLists {
		for _, p := range []*Person{o.ada, o.clara} {
			o.bendLeaves(api.SequenceState, bend)
			o.verifies(p, p.Called+", "+name)
		}
	}
}

func wrongTrail(t *testing.T) {
	o := newOffice(t)
	for range 3 {
		_, err := o.clara.Again().In().Get(o.matter, o.doc)
		o.ok(err)
	}
	for _, sequence := range []string{api.SequenceTrail, api.SequenceServer} {
		for name, bend := range wrongLists {
			o.bendLeaves(sequence, bend)
			o.verifies(o.ada, sequence+", "+name)
		}
	}
	// Who may not read the trail still counts it.
	for _, name := range []string{"a forged leaf", "a dropped leaf", "the last one", "two leaves swapped"} {
		o.bendLeaves(api.SequenceTrail, wrongLists[name])
		o.verifies(o.clara, "Clara, "+name)
	}
}

// What the map says is proved: no bit of a proof may change, and neither may its root or the place of that root's leaf.
func forgedMap(t *testing.T) {
	for name, twist := range map[string]func(m *api.MapReply){
		"presence taken for absence":  func(m *api.MapReply) { swapProofs(m); m.Proofs[1] = m.Proofs[0] },
		"absence taken for presence":  func(m *api.MapReply) { slices.Reverse(m.Proofs); swapProofs(m); m.Proofs[1] = m.Proofs[0] },
		"another value":               func(m *api.MapReply) { m.Proofs[0][len(m.Proofs[0])-1] ^= 1 },
		"another root":                func(m *api.MapReply) { m.Root[0] ^= 1 },
		"another place of the root":   func(m *api.MapReply) { m.Inclusion = append(m.Inclusion, m.Root) },
		"a proof too few":             func(m *api.MapReply) { m.Proofs = m.Proofs[:1] },
		"a checkpoint without a name": func(m *api.MapReply) { m.Checkpoint = "x" + m.Checkpoint },
	} {
		o := newOffice(t)
		ada := o.ada.Beware()
		TwistJSON(o.World, "POST", api.RouteMap, twist)
		_, err := ada.Put(o.matter, "Advice.txt", text(100))
		f := client.FailureOf(err)
		if f == nil || f.Code != api.CodeServerLied {
			t.Errorf("%s: %v", name, err)
			continue
		}
		ada.Stopped(err, api.CodeServerLied, nil)
		ada.Recorded(errorOf(err))
		ada.Closed(o.matter)
	}
}

// A server that does not answer when views are compared is asked again, also after the program was started anew: nobody is
// taken for compared whose view never was.
func unansweredComparison(t *testing.T) {
	for _, restart := range []bool{false, true} {
		o := newOffice(t)
		fork := o.Fork()
		for range 6 { // so that the faces' logs are never of one size: then nothing need be asked
			o.ada.NewMatter("Known to one face")
		}
		clara := o.clara.At(fork).In()
		clara.MustPut(o.matter, "Hers.txt", text(100))
		o.replant(fork, o.World)
		for _, route := range []string{api.RouteLog, api.RouteTiles} {
			o.Lie("GET", route, func(*Request) *Reply { return &Reply{Status: 503, Body: []byte(`{"code":"unavailable","message":""}`)} })
		}
		if f := client.FailureOf(o.ada.Look(o.matter)); f == nil || f.Code == api.CodeServerLied {
			t.Errorf("no answer: %v", f)
		}
		o.Honest()
		ada := o.ada
		if restart {
			ada = ada.Again().In()
		}
		ada.Beware()
		ada.Refused(ada.Look(o.matter), client.ErrFork)
		ada.Proves("", o.World)
	}
}

// Not a lie: two answers are on their way, and the older one comes last.
func overlappingAnswers(t *testing.T) {
	o := newOffice(t)
	second := o.ada.NewMatter("Another matter")
	ada := o.ada.Again().In()
	o.ok(ada.Look(second))
	ready, gate := make(chan struct{}), make(chan struct{})
	var asked atomic.Bool
	o.Lie("POST", api.RouteMap, func(r *Request) *Reply {
		if asked.Swap(true) {
			return nil
		}
		reply := r.Real()
		close(ready)
		<-gate
		return reply
	})
	done := make(chan error)
	go func() { done <- ada.Look(o.matter) }()
	<-ready
	_, err := ada.RenameMatter(Soon(t), second, "Meanwhile")
	o.ok(err)
	close(gate)
	if err := <-done; err != nil {
		t.Errorf("an honest server is accused: %v", err)
	}
	if list := ada.Refusals(); len(list) != 0 {
		t.Errorf("the journal: %+v", list)
	}
}

// A reviewer verifies and opens nothing; an auditor verifies, reads the trail and no document. Who was removed learns
// nothing new.
func reviewers(t *testing.T) {
	o := newOffice(t)
	reviewer, err := o.ada.tryGuest(o.matter, "Rita", chain.RoleReviewer)
	o.ok(err)
	auditor := o.ada.Guest(o.matter, "Aude", chain.RoleAuditor)
	_, err = o.clara.Get(o.matter, o.doc)
	o.ok(err)
	v, err := reviewer.VerifyMatter(Soon(t), o.matter)
	if err != nil || v.Released != nil || v.Sequences[0].Entries == 0 {
		t.Errorf("a reviewer: %+v, %v", v, err)
	}
	v, err = auditor.VerifyMatter(Soon(t), o.matter)
	if err != nil || v.Released == nil || *v.Released != 1 || *v.Served != 1 || len(v.Unpaired) != 0 {
		t.Errorf("an auditor: %+v, %v", v, err)
	}
	for _, p := range []*Person{reviewer, auditor} {
		if content, err := p.Get(o.matter, o.doc); err == nil || content != nil {
			t.Errorf("%s reads a document", p.Called)
		}
	}
	if err := reviewer.Look(o.matter); client.FailureOf(err) == nil || client.FailureOf(err).Code != api.CodeReviewOnly {
		t.Errorf("a reviewer opens a matter: %v", err)
	}
	for name, bend := range wrongLists {
		o.bendLeaves(api.SequenceState, bend)
		o.verifies(reviewer, "a reviewer, "+name)
	}
	for _, x := range o.ada.View(o.matter).People {
		if x.Name == "Rita" {
			_, err := o.ada.RemoveMember(Soon(t), o.matter, memberOf(o, x.Member))
			o.ok(err)
		}
	}
	o.ada.MustPut(o.matter, "Later.txt", text(10))
	if v, err := reviewer.Again().In().VerifyMatter(Soon(t), o.matter); err == nil {
		t.Errorf("a reviewer who was removed: %+v", v)
	}
}

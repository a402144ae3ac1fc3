package chain

import (
	"testing"

	"github.com/underseal/underseal/protocol/wire"
)

// TestEndedTakesAnOwner: S-EPOCH-17. A statement that we cannot open ends our seat only where an owner of the state we
// verified signed its clear part: who has no more than link keys cannot evict anybody.
func TestEndedTakesAnOwner(t *testing.T) {
	w := newWorld(t)
	clara, _ := w.seat(t, "Clara", RoleClient)
	mallory, _ := w.seat(t, "Mallory", RoleParalegal)
	victim := w.ada.state.Clone()

	honest, _, err := w.ada.state.Rotate(w.ada.Author, Rotation{Reason: ReasonMemberRemoved, Remove: []wire.ObjectID{clara.Member}})
	if err != nil {
		t.Fatal(err)
	}
	if !victim.Ended(honest.Entry, clara.Member) {
		t.Error("an owner's removal is not recognised")
	}
	if victim.Ended(honest.Entry, mallory.Member) {
		t.Error("who stays is told that he was removed")
	}
	without := func(gone wire.ObjectID) func(*rotation) {
		return func(r *rotation) {
			seats := r.effect.Statement.Seats[:0]
			for _, s := range r.effect.Statement.Seats {
				if s.Member != gone {
					seats = append(seats, s)
				}
			}
			r.effect.Statement.Seats = seats
		}
	}
	byMember, _ := w.statement(t, mallory, without(w.ada.Member))
	if victim.Ended(byMember, w.ada.Member) {
		t.Error("a member without the right evicts an owner")
	}
	inHerName, _ := w.statement(t, &person{Author: Author{Member: w.ada.Member, Identity: mallory.Identity, Random: mallory.Random, Now: mallory.Now}}, without(clara.Member))
	if victim.Ended(inHerName, clara.Member) {
		t.Error("a statement in an owner's name is taken for hers")
	}
	noise := honest.Entry
	noise.Effect = append([]byte(nil), noise.Effect...)
	noise.Effect[len(noise.Effect)-1] ^= 1
	if victim.Ended(w.relink(t, noise), clara.Member) {
		t.Error("a statement without a signature evicts")
	}
}

// TestTrailNeverGoesBack: S-EPOCH-18. What an owner was shown of the trail cannot be shorter than what was signed before.
func TestTrailNeverGoesBack(t *testing.T) {
	w := newWorld(t)
	sub, k, err := w.ada.state.Rotate(w.ada.Author, Rotation{Reason: ReasonScheduled, TrailPosition: 3, TrailHead: wire.Hash{3}})
	if err != nil {
		t.Fatal(err)
	}
	w.ada.state.AddKeys(k)
	apply(t, w.l, w.ada, sub)
	for name, r := range map[string]Rotation{
		"shorter":    {Reason: ReasonScheduled, TrailPosition: 2, TrailHead: wire.Hash{2}},
		"gone":       {Reason: ReasonScheduled},
		"other head": {Reason: ReasonScheduled, TrailPosition: 3, TrailHead: wire.Hash{4}},
	} {
		sub, k, err := w.ada.state.Rotate(w.ada.Author, r)
		if err != nil {
			t.Fatal(err)
		}
		s := w.ada.state.Clone()
		s.AddKeys(k)
		t.Run(name, func(t *testing.T) { refused(t, s, sub.Entry, ErrOrder) })
	}
}

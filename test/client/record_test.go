package client

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/test/evilserver"
)

// member is somebody's id in the matter, as a person sees it.
func (s *stage) member(p *evilserver.Person, matter wire.ChainID, name string) wire.ObjectID {
	s.Helper()
	for _, m := range p.View(matter).People {
		if m.Name == name {
			return s.document(m.Member)
		}
	}
	s.Fatal("no", name)
	return wire.ObjectID{}
}

// meanwhile carries something out just before the first answer of a route whose query has a text.
func (s *stage) meanwhile(route, query string, do func()) {
	var done atomic.Bool
	s.Lie("GET", route, func(r *evilserver.Request) *evilserver.Reply {
		if strings.Contains(r.Query, query) && !done.Swap(true) {
			do()
		}
		return nil
	})
	s.Cleanup(func() {
		if !done.Load() {
			s.Errorf("it did not come to %s?%s", route, query)
		}
	})
}

// TestTwoProgramsOfADevice: two tabs share what the device remembers. Neither forgets what the other saw, and a server that
// shows them two histories is found out by the one that writes later.
func TestTwoProgramsOfADevice(t *testing.T) {
	rename := func(s *stage, p *evilserver.Person, name string) error {
		_, err := p.RenameMatter(evilserver.Soon(t), s.matter, name)
		return err
	}
	t.Run("one log", func(t *testing.T) {
		s := newStage(t)
		one, two := s.ada.Again().In(), s.ada.Again().In()
		s.ok(one.Look(s.matter))
		s.ok(two.Look(s.matter))
		for _, name := range []string{"a", "b", "c"} {
			s.ok(rename(s, one, name))
			s.ok(rename(s, two, name+"'"))
			s.ok(two.Look(s.matter))
		}
		s.ok(s.ada.Again().In().Look(s.matter))
	})
	t.Run("a fork", func(t *testing.T) {
		s := newStage(t)
		s.ok(s.ada.Look(s.matter))
		fork := s.Fork()
		other := s.ada.Again().At(fork).In()
		s.ok(other.Look(s.matter))
		s.lied(s.ada, rename(s, s.ada, "on the other side"), client.ErrFork)
	})
}

// TestOvertakenLookup: an answer of the directory that comes after a newer one hides nothing. Nothing is sealed on it either.
func TestOvertakenLookup(t *testing.T) {
	s := newStage(t)
	clara := s.ada.Guest(s.matter, "Clara", chain.RoleClient)
	s.ada.Guest(s.matter, "Dan", chain.RoleClient)
	second := s.ada.NewMatter("Another")
	_, err := clara.Accept(s.ada.InviteTo(second, "Clara", chain.RoleClient, chain.ModeOpensAtOnce))
	s.ok(err)
	s.ada.Guest(second, "Eve", chain.RoleClient)
	s.ok(s.ada.Look(s.matter))
	s.ok(s.ada.Look(second))
	dan, eve := s.member(s.ada, s.matter, "Dan"), s.member(s.ada, second, "Eve")
	insider := clara.Insider(s.matter)

	reached, gate := make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	s.Lie("POST", api.RouteLookup, func(r *evilserver.Request) *evilserver.Reply {
		reply := r.Real()
		if !held.Swap(true) {
			close(reached)
			<-gate
		}
		return reply
	})
	done := make(chan error, 1)
	go func() {
		_, err := s.ada.RemoveMember(evilserver.Soon(t), s.matter, dan)
		done <- err
	}()
	s.await(reached)
	s.renewKeys(insider)
	if _, err = s.ada.RemoveMember(evilserver.Soon(t), second, eve); client.FailureOf(err) == nil || client.FailureOf(err).Code != api.CodeNewKeys {
		t.Errorf("Clara's new keys: %v", err)
	}
	close(gate)
	if err = <-done; client.FailureOf(err) == nil || client.FailureOf(err).Code != api.CodeNewKeys {
		t.Errorf("an answer that was overtaken: %v", err)
	}
}

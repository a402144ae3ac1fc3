package client

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
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

// TestAnotherOwnerMeanwhile: what another owner does while a matter is read is his right. It accuses nobody and closes nothing.
func TestAnotherOwnerMeanwhile(t *testing.T) {
	reads := map[string]func(s *stage, p *evilserver.Person) error{
		"verify": func(s *stage, p *evilserver.Person) error {
			_, err := p.VerifyMatter(evilserver.Soon(s), s.matter)
			return err
		},
		"trail": func(s *stage, p *evilserver.Person) error {
			_, err := p.Trail(evilserver.Soon(s), s.matter, 0)
			return err
		},
		"link keys": func(s *stage, p *evilserver.Person) error {
			_, err := p.LinkKeysFile(evilserver.Soon(s), s.matter)
			return err
		},
		"proof": func(s *stage, p *evilserver.Person) error {
			_, err := p.ProofFile(evilserver.Soon(s), s.matter)
			return err
		},
		"erase": func(s *stage, p *evilserver.Person) error {
			_, err := p.EraseTrail(evilserver.Soon(s), s.matter, time.Now().Add(time.Hour))
			return err
		},
		"receipt": func(s *stage, p *evilserver.Person) error {
			_, err := p.ReceiptFile(evilserver.Soon(s), s.matter, api.SequenceState, 0)
			return err
		},
		"activity": func(s *stage, p *evilserver.Person) error {
			page, err := p.Activity(evilserver.Soon(s), s.matter, nil, 1)
			if err == nil {
				_, err = p.Activity(evilserver.Soon(s), s.matter, page.Next, 100)
			}
			return err
		},
		"forget": func(s *stage, p *evilserver.Person) error {
			_, err := p.ForgetDeleted(evilserver.Soon(s), s.matter)
			return err
		},
	}
	for _, c := range []struct{ read, act, route, query string }{
		{"verify", "remove", api.RouteStatements, ""},
		{"verify", "remove", api.RouteLeaves, "sequence=state"},
		{"verify", "remove", api.RouteLeaves, "sequence=trail"},
		{"verify", "remove", api.RouteTrail, ""},
		{"verify", "remove", api.RouteEvents, ""},
		{"verify", "erase", api.RouteTrail, ""},
		{"trail", "remove", api.RouteTrail, ""},
		{"trail", "erase", api.RouteTrail, ""},
		{"erase", "erase", api.RouteTrail, ""},
		{"erase", "erase", api.RouteEvents, ""},
		{"erase", "remove", api.RouteTrail, ""},
		{"link keys", "remove", api.RouteStatements, ""},
		{"proof", "remove", api.RouteTrail, ""},
		{"receipt", "remove", api.RouteStatements, ""},
		{"activity", "forget", api.RouteEntries, "from=0"},
		{"forget", "forget", api.RouteEntries, "from=0"},
	} {
		t.Run(c.read+", "+c.act+" at "+c.route+c.query, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			doc := s.ada.MustPut(s.matter, "a.txt", []byte("a"))
			_, err := s.ada.Get(s.matter, doc)
			s.ok(err)
			clara := s.ada.Guest(s.matter, "Clara", chain.RoleClient)
			s.ok(clara.Look(s.matter))
			gone := s.ada.MustPut(s.matter, "b.txt", []byte("b"))
			_, err = s.ada.DeleteDocuments(evilserver.Soon(t), s.matter, []wire.ObjectID{gone})
			s.ok(err)
			id := s.member(s.ada, s.matter, "Clara")
			other, p := s.ada.Elsewhere().In(), s.ada.Again().In()
			s.ok(other.Look(s.matter))
			s.ok(p.Look(s.matter))
			s.meanwhile(c.route, c.query, func() {
				var err error
				switch c.act {
				case "remove":
					if _, err = other.RemoveMember(evilserver.Soon(t), s.matter, id); err == nil {
						_, err = other.Get(s.matter, doc)
					}
				case "erase":
					_, err = other.EraseTrail(evilserver.Soon(t), s.matter, time.Now().Add(time.Hour))
				case "forget":
					_, err = other.ForgetDeleted(evilserver.Soon(t), s.matter)
				}
				if err != nil {
					t.Errorf("what the other does: %v", err)
				}
			})
			if err := reads[c.read](s, p); err != nil {
				t.Errorf("%v: %v", err, errors.Unwrap(err))
			}
			if err := p.Look(s.matter); err != nil {
				t.Errorf("the matter was closed: %v", err)
			}
		})
	}
}

// TestReviewerIsShownAnEnd: the server shows a reviewer a matter as it was when an epoch was closed. Under the keys of that epoch
// nothing comes after, and the newest keys are the server's word.
func TestReviewerIsShownAnEnd(t *testing.T) {
	for _, first := range []bool{true, false} {
		t.Run(map[bool]string{true: "at once", false: "after more"}[first], func(t *testing.T) {
			s := newStage(t)
			s.ada.MustPut(s.matter, "a.txt", []byte("a"))
			s.ada.Guest(s.matter, "Clara", chain.RoleClient)
			rita := s.ada.Guest(s.matter, "Rita", chain.RoleReviewer)
			s.ok(s.ada.Look(s.matter))
			end := s.position()
			_, err := s.ada.RemoveMember(evilserver.Soon(t), s.matter, s.member(s.ada, s.matter, "Clara"))
			s.ok(err)
			s.ada.MustPut(s.matter, "hidden.txt", []byte("b"))
			closing := end + 1 // with the statement that closed the epoch
			if !first {
				_, err = rita.VerifyMatter(evilserver.Soon(t), s.matter)
				s.ok(err)
			}
			s.cutAt(closing)
			rita.Beware()
			v, err := rita.VerifyMatter(evilserver.Soon(t), s.matter)
			if err == nil {
				t.Fatalf("a cut record is called complete: %+v", v.Sequences)
			}
			s.lied(rita, err, log.ErrIncomplete)
			for name, export := range map[string]func() ([]byte, error){
				"link keys": func() ([]byte, error) { return rita.Again().In().LinkKeysFile(evilserver.Soon(t), s.matter) },
				"proof":     func() ([]byte, error) { return rita.Again().In().ProofFile(evilserver.Soon(t), s.matter) },
			} {
				s.cutAt(closing)
				if _, err := export(); client.FailureOf(err) == nil || client.FailureOf(err).Code != api.CodeServerLied {
					t.Errorf("%s of a cut record: %v", name, err)
				}
			}
		})
	}
}

// cutAt shows the matter with its first epoch alone, and so many entries.
func (s *stage) cutAt(entries uint64) {
	s.Lie("GET", api.RouteWrap, func(r *evilserver.Request) *evilserver.Reply {
		r.Path = strings.TrimSuffix(r.Path, "0") + "1"
		return r.Real()
	})
	s.Twist("GET", api.RouteStatements, func(b []byte) []byte {
		all, err := chain.ParseEntries(b)
		if err != nil {
			s.Error(err)
			return nil
		}
		return all[0].Bytes()
	})
	s.Lie("GET", api.RouteLeaves, func(r *evilserver.Request) *evilserver.Reply {
		reply := r.Real()
		if !strings.Contains(r.Query, "sequence=state") {
			return reply
		}
		if !strings.Contains(r.Query, "from=0") {
			reply.Body = nil
		}
		reply.Body = reply.Body[:min(len(reply.Body), int(entries)*(8+log.LeafSize))]
		return reply
	})
}

// TestBundleIsWhatWasVerified: the table of openings in a proof is of the very entries that were held to the log.
func TestBundleIsWhatWasVerified(t *testing.T) {
	for _, table := range []bool{false, true} {
		s := newStage(t)
		doc := s.ada.MustPut(s.matter, "a.txt", []byte("a"))
		_, err := s.ada.Get(s.matter, doc)
		s.ok(err)
		var verified atomic.Bool
		if table {
			verified.Store(true) // the table alone, of a trail that the server cuts
		}
		s.Lie("GET", api.RouteNextEvent, func(*evilserver.Request) *evilserver.Reply { verified.Store(true); return nil })
		s.Lie("GET", api.RouteEvents, func(r *evilserver.Request) *evilserver.Reply {
			reply := r.Real()
			if verified.Load() {
				reply.Body = nil
			}
			return reply
		})
		evilserver.TwistJSON(s.World, "GET", api.RouteChain, func(h *api.ChainHead) {
			if verified.Load() {
				h.TrailPosition = 0
			}
		})
		if table {
			_, err = s.ada.TrailCSV(evilserver.Soon(t), s.matter)
			if f := client.FailureOf(err); f == nil || f.Code != api.CodeServerLied {
				t.Errorf("a table without openings that the log has: %v", err)
			}
			continue
		}
		b, err := s.ada.ProofFile(evilserver.Soon(t), s.matter)
		s.ok(err)
		if !strings.Contains(string(b), ",opened,") {
			t.Error("the bundle lacks openings that were verified")
		}
	}
}

// TestReceiptOfTheServersSequence: whose place such a leaf is nobody can tell. To ask for one accuses nobody.
func TestReceiptOfTheServersSequence(t *testing.T) {
	s := newStage(t)
	for _, sequence := range []string{api.SequenceServer, "another"} {
		_, err := s.ada.ReceiptFile(evilserver.Soon(t), s.matter, sequence, 0)
		if f := client.FailureOf(err); f == nil || f.Code != api.CodeBadRequest {
			t.Errorf("%s: %v", sequence, err)
		}
	}
	if n := len(s.ada.Refusals()); n != 0 {
		t.Errorf("%d refusals", n)
	}
}

// TestSignOutWhileVerifying: a verification that outlives its account ends with an error.
func TestSignOutWhileVerifying(t *testing.T) {
	for _, c := range []struct {
		route    string
		reviewer bool
	}{{api.RouteNextEvent, false}, {api.RouteChain, true}, {api.RouteLeaves, true}} {
		s := newStage(t)
		p := s.ada
		if c.reviewer {
			p = s.ada.Guest(s.matter, "Rita", chain.RoleReviewer).Again().In()
		} else {
			s.ok(p.Look(s.matter))
		}
		var out atomic.Bool
		s.Lie("GET", c.route, func(r *evilserver.Request) *evilserver.Reply {
			reply := r.Real()
			if !out.Swap(true) {
				p.SignOut(evilserver.Soon(s))
			}
			return reply
		})
		if _, err := p.VerifyMatter(evilserver.Soon(t), s.matter); err == nil {
			t.Errorf("%s: no error", c.route)
		}
	}
}

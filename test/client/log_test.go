package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/directory"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/test/evilserver"
)

// lied asserts that a change ended with a lie of one cause, which is in the journal.
func (s *stage) lied(p *evilserver.Person, err, cause error) {
	s.Helper()
	if f := client.FailureOf(err); f == nil || f.Code != api.CodeServerLied || !errors.Is(err, cause) {
		s.Fatalf("got %v, want a lie of %v", err, cause)
	}
	p.Recorded(cause)
}

// TestReceiptOfAChange: S-CLIENT-18. A change is done when the log has it, and not before.
func TestReceiptOfAChange(t *testing.T) {
	for _, c := range []struct {
		name  string
		twist func(a *api.Appended, before string)
		cause error
	}{
		{"none", func(a *api.Appended, _ string) { a.Receipt = "" }, log.ErrReceipt},
		{"another entry's", func(a *api.Appended, before string) { a.Receipt = before }, log.ErrInclusion},
		{"another index", func(a *api.Appended, _ string) { a.Receipt = strings.Replace(a.Receipt, "\nindex ", "\nindex 1", 1) }, nil},
		{"without its second signature", func(a *api.Appended, _ string) {
			a.Receipt = a.Receipt[:strings.LastIndex(strings.TrimSuffix(a.Receipt, "\n"), "\n")+1]
		}, log.ErrCheckpoint},
		{"that does not lead on", func(a *api.Appended, _ string) { a.Consistency = nil }, client.ErrFork},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			_, err := s.ada.RenameMatter(evilserver.Soon(t), s.matter, "before")
			s.ok(err)
			var before api.Appended
			s.ok(jsonOf(s.Last("POST", api.RouteEntries).Reply.Body, &before))
			s.ada.Beware()
			evilserver.TwistJSON(s.World, "POST", api.RouteEntries, func(a *api.Appended) { c.twist(a, before.Receipt) })
			_, err = s.ada.RenameMatter(evilserver.Soon(t), s.matter, "after")
			if c.cause == nil {
				if f := client.FailureOf(err); f == nil || f.Code != api.CodeServerLied {
					t.Fatalf("got %v", err)
				}
				return
			}
			s.lied(s.ada, err, c.cause)
		})
	}
}

// TestHeadIsCurrent: S-CLIENT-13. What the log has and the server does not hand out is missed, and nothing is made on it.
func TestHeadIsCurrent(t *testing.T) {
	s := newStage(t)
	clara := s.ada.Guest(s.matter, "Clara", chain.RoleOwner)
	s.ok(clara.Look(s.matter))
	mark := s.Mark()
	s.ok(clara.Look(s.matter))
	before := s.Since(mark)
	_, err := s.ada.RenameMatter(evilserver.Soon(t), s.matter, "unseen")
	s.ok(err)
	again := clara.Again().In()
	again.Beware()
	s.Replay(before) // the chain as it was; the log answers the truth
	again.Refused(again.Look(s.matter), client.ErrPlace)

	// At the moment of a change, too, by who looked just now.
	s.ok(s.ada.Look(s.matter))
	mark = s.Mark()
	s.ok(s.ada.Look(s.matter))
	before = s.Since(mark)
	other := clara.Again().In()
	_, err = other.RenameMatter(evilserver.Soon(t), s.matter, "unseen again")
	s.ok(err)
	s.ada.Beware()
	s.Replay(before)
	_, err = s.ada.RenameMatter(evilserver.Soon(t), s.matter, "on an old head")
	s.ada.Refused(err, client.ErrPlace)
}

// TestNewestKeysOfAPerson: S-CLIENT-15. Nothing is sealed to keys that were replaced, and another's keys are a lie.
func TestNewestKeysOfAPerson(t *testing.T) {
	s := newStage(t)
	clara := s.ada.Guest(s.matter, "Clara", chain.RoleClient)
	dan := s.ada.Guest(s.matter, "Dan", chain.RoleClient)
	s.ok(s.ada.Look(s.matter))
	member := func(name string) wire.ObjectID {
		for _, p := range s.ada.View(s.matter).People {
			if p.Name == name {
				return s.document(p.Member)
			}
		}
		return wire.ObjectID{}
	}
	id := member("Dan")

	evil := s.ada.Again().In()
	s.ok(evil.Look(s.matter))
	evil.Beware()
	evilserver.TwistJSON(s.World, "POST", api.RouteLookup, func(r *api.KeysReply) {
		if n := len(r.Lookups); n > 1 {
			r.Lookups[0], r.Lookups[n-1] = r.Lookups[n-1], r.Lookups[0]
		}
	})
	_, err := evil.RemoveMember(evilserver.Soon(t), s.matter, id)
	if f := client.FailureOf(err); f == nil || f.Code != api.CodeServerLied {
		t.Fatalf("got %v", err)
	}
	s.Honest()

	// Clara's keys were replaced, by herself: no lie, and no wrap to the old ones.
	s.renewKeys(clara.Insider(s.matter))
	fresh := s.ada.Again().In()
	s.ok(fresh.Look(s.matter))
	fresh.Beware()
	_, err = fresh.RemoveMember(evilserver.Soon(t), s.matter, id)
	fresh.Stopped(err, api.CodeNewKeys, nil)

	// S-CLIENT-16. To Clara, who did not do it, it is one: others are shown keys that are not hers.
	s.ok(dan.Again().In().Look(s.matter))
	mine := clara.Again().In()
	mine.Beware()
	mine.Refused(mine.Look(s.matter), directory.ErrLookup)
}

// renewKeys puts a next link of somebody's into the directory, signed by the keys he has. He signs in with these as before.
func (s *stage) renewKeys(i *evilserver.Insider) {
	s.Helper()
	stranger := s.Stranger()
	bundle, err := chain.NewBundle(i.Author.Member, stranger.Identity)
	s.ok(err)
	s.Edit(layout.FirmPartition(s.ada.Firm), func(tx store.Tx) error {
		b, err := tx.Get(layout.KeyLinkKey(i.Author.Member, 0))
		if err != nil {
			return err
		}
		first, err := chain.ParseKeyLink(b)
		if err != nil {
			return err
		}
		next, err := first.Next(bundle, i.Author.Identity)
		if err != nil {
			return err
		}
		signsInWith, err := tx.Get(layout.KeysKey(i.Author.Member))
		if err != nil {
			return err
		}
		signsInWith = bytes.Clone(signsInWith)
		if err := s.Ledger.PutLink(tx, next); err != nil {
			return err
		}
		return tx.Put(layout.KeysKey(i.Author.Member), signsInWith)
	})
}

// TestViewsAreCompared: S-CLIENT-17. A member was shown another log, and his entry says so. What is not the log's accuses nobody.
func TestViewsAreCompared(t *testing.T) {
	s := newStage(t)
	mallory := s.ada.Guest(s.matter, "Mallory", chain.RoleOwner).Insider(s.matter)
	s.ok(s.ada.Look(s.matter))
	plant := func(checkpoint []byte) {
		mallory.Author.Checkpoint = checkpoint
		sub, err := mallory.State.Batch(mallory.Author, []chain.Change{{Kind: chain.OpProfile, Name: fmt.Sprint("by Mallory ", len(checkpoint))}})
		s.ok(err)
		s.Plant(s.ada.Firm, s.matter, sub)
		s.ok(mallory.State.Apply(sub.Entry))
	}
	charter := mallory.State.Charter
	var f layout.Firm
	s.Edit(layout.FirmPartition(s.ada.Firm), func(tx store.Tx) (err error) {
		f, _, err = layout.Get[layout.Firm](tx, layout.FirmKey())
		return err
	})
	sign := func(seeds func(name string) (ed, ml [32]byte), size uint64) []byte {
		ed, ml := seeds(f.Log)
		signer, err := log.NewSigner(charter.LogOrigin, ed, ml)
		s.ok(err)
		note, err := signer.Sign(log.Checkpoint{Origin: charter.LogOrigin, Size: size, Root: wire.Hash{1}})
		s.ok(err)
		carried, err := log.Carried(note)
		s.ok(err)
		return carried
	}
	plant(sign(func(string) (ed, ml [32]byte) { return [32]byte{1}, [32]byte{2} }, 3)) // anybody's signature
	plant([]byte("what is no checkpoint"))
	s.ok(s.ada.Look(s.matter))

	plant(sign(func(name string) (ed, ml [32]byte) {
		seeds, err := s.Ledger.Keys.Seeds(evilserver.Soon(t), name)
		s.ok(err)
		return seeds.Ed25519, seeds.MLDSA44
	}, 3))
	s.ada.Beware()
	s.ada.Refused(s.ada.Look(s.matter), client.ErrFork)
	// S-CLIENT-19. The journal has the file that shows it to others.
	refusals := s.ada.Again().In().Refusals()
	e, err := log.ParseEvidence([]byte(refusals[len(refusals)-1].Evidence))
	s.ok(err)
	trusted, err := log.ParseKeys(charter.LogOrigin, charter.LogKeys)
	s.ok(err)
	if verdict, err := e.Judge(evilserver.Soon(t), trusted, s.publicLog(charter.LogOrigin)); err != nil || verdict != log.VerdictProved {
		t.Errorf("%v, %v: %s", verdict, err, e.Kind)
	}
}

type publicLog struct {
	s    *stage
	name string
}

func (s *stage) publicLog(origin string) log.Source { return publicLog{s, api.LogName(origin)} }

// TestFreshness: S-CLIENT-14. Where a firm has witnesses, nothing is sealed on what they did not see lately; reading goes on.
func TestFreshness(t *testing.T) {
	s, cosign := newWitnessed(t)
	try := func() error {
		_, err := s.ada.CreateMatter(evilserver.Soon(t), s.ada.Firm, "Doe v. Roe")
		return err
	}
	s.ada.Beware()
	s.ada.Stopped(try(), api.CodeNotWitnessed, nil)
	for _, at := range []time.Duration{-client.Freshness - time.Minute, 10 * time.Minute} {
		cosign(time.Now().Add(at))
		s.ada.Beware()
		s.ada.Stopped(try(), api.CodeNotWitnessed, nil)
	}
	cosign(time.Now())
	s.ok(try())
	// A witness's line that is bent is no witness's.
	s.Edit(layout.FirmPartition(s.ada.Firm), func(tx store.Tx) error {
		note, err := tx.Get(layout.WitnessedKey())
		if err != nil {
			return err
		}
		note = bytes.Clone(note)
		note[len(note)-20] ^= 1
		return tx.Put(layout.WitnessedKey(), note)
	})
	if f := client.FailureOf(try()); f == nil || f.Code == api.CodeOffline {
		t.Errorf("a bent cosignature: %v", f)
	}
}

// TestRecordIsWhole: S-VERIFY-01 S-VERIFY-02. A record is whole, or it is said what is not.
func TestRecordIsWhole(t *testing.T) {
	s := newStage(t)
	s.ada.MustPut(s.matter, "a.txt", []byte("a"))
	reviewer := s.ada.Guest(s.matter, "Rita", chain.RoleReviewer)
	s.ok(s.ada.Look(s.matter))
	verify := func(p *evilserver.Person) error {
		_, err := p.VerifyMatter(evilserver.Soon(t), s.matter)
		return err
	}
	for p, reads := range map[*evilserver.Person]bool{s.ada: true, reviewer: false} {
		v, err := p.VerifyMatter(evilserver.Soon(t), s.matter)
		s.ok(err)
		if v.Replayed != reads || len(v.Sequences) < 2 || v.Sequences[0].Entries != s.Head(s.ada.Firm, s.matter).Position {
			t.Errorf("%+v", v)
		}
	}
	const leaf = 8 + log.LeafSize
	for name, c := range map[string]struct {
		route string
		twist func(b []byte) []byte
		cause error
	}{
		"the newest left out": {api.RouteLeaves, func(b []byte) []byte { return b[:max(0, len(b)-leaf)] }, log.ErrIncomplete},
		"one left out": {api.RouteLeaves, func(b []byte) []byte {
			if len(b) < 3*leaf {
				return b
			}
			return append(b[:leaf:leaf], b[2*leaf:]...)
		}, log.ErrIncomplete},
		"one changed": {api.RouteLeaves, func(b []byte) []byte {
			if len(b) > 0 {
				b[len(b)-1] ^= 1
			}
			return b
		}, log.ErrLink},
		"another index": {api.RouteLeaves, func(b []byte) []byte {
			if len(b) > 0 {
				b[7] ^= 1
			}
			return b
		}, log.ErrInclusion},
		"a bent tile": {api.RouteTiles, func(b []byte) []byte { b[3] ^= 1; return b }, log.ErrTile},
	} {
		for who, p := range map[string]*evilserver.Person{"owner": s.ada, "reviewer": reviewer} {
			q := p.Again().In()
			s.ok(verify(q))
			q.Beware()
			s.Twist("GET", c.route, c.twist)
			err := verify(q)
			if f := client.FailureOf(err); f == nil || f.Code != api.CodeServerLied || !errors.Is(err, c.cause) {
				t.Errorf("%s, %s: got %v, want %v", name, who, err, c.cause)
			}
			s.Honest()
		}
	}
}

// TestServersNotesAreWhole: S-VERIFY-09. What the server noted is not left out of its sequence, either.
func TestServersNotesAreWhole(t *testing.T) {
	s := newStage(t)
	doc := s.ada.MustPut(s.matter, "a.txt", []byte("a"))
	_, err := s.ada.Get(s.matter, doc)
	s.ok(err)
	_, err = s.ada.VerifyMatter(evilserver.Soon(t), s.matter)
	s.ok(err)
	none := func(r *evilserver.Request) *evilserver.Reply {
		if strings.Contains(r.Query, "sequence="+api.SequenceServer) {
			reply := r.Real()
			reply.Body = nil
			return reply
		}
		return nil
	}
	for name, c := range map[string]struct {
		twist func(n *api.NextEvent)
		cause error
	}{
		"an honest next place":  {func(*api.NextEvent) {}, chain.ErrEvent},
		"another position":      {func(n *api.NextEvent) { n.Position = 0 }, chain.ErrEvent},
		"another place's proof": {func(n *api.NextEvent) { n.Position, n.Proof = 0, bytes.Repeat([]byte{1}, len(n.Proof)) }, chain.ErrEvent},
	} {
		s.Lie("GET", api.RouteLeaves, none)
		evilserver.TwistJSON(s.World, "GET", api.RouteNextEvent, c.twist)
		p := s.ada.Again().In()
		_, err := p.VerifyMatter(evilserver.Soon(t), s.matter)
		if f := client.FailureOf(err); f == nil || f.Code != api.CodeServerLied || !errors.Is(err, c.cause) {
			t.Errorf("%s: got %v, want %v", name, err, c.cause)
		}
		s.Honest()
	}
}

// TestReceiptOfAnotherPlace: S-VERIFY-10. A receipt that is exported is for the entry that was asked for.
func TestReceiptOfAnotherPlace(t *testing.T) {
	s := newStage(t)
	_, err := s.ada.RenameMatter(evilserver.Soon(t), s.matter, "renamed")
	s.ok(err)
	_, err = s.ada.ReceiptFile(evilserver.Soon(t), s.matter, api.SequenceState, 1)
	s.ok(err)
	s.Lie("GET", api.RouteReceipt, func(r *evilserver.Request) *evilserver.Reply {
		r.Path = strings.TrimSuffix(r.Path, "1") + "0"
		return r.Real()
	})
	s.ada.Beware()
	_, err = s.ada.ReceiptFile(evilserver.Soon(t), s.matter, api.SequenceState, 1)
	s.ada.Refused(err, log.ErrReceipt)
}

// TestRecordUnderAnOldMap: S-VERIFY-01. The next tag was absent once: that says nothing of the checkpoint that is shown now.
func TestRecordUnderAnOldMap(t *testing.T) {
	s := newStage(t)
	reviewer := s.ada.Guest(s.matter, "Rita", chain.RoleReviewer)
	_, err := reviewer.VerifyMatter(evilserver.Soon(t), s.matter)
	s.ok(err)
	s.Edit(layout.FirmPartition(s.ada.Firm), func(tx store.Tx) error {
		note, err := tx.Get(layout.CheckpointKey())
		if err != nil {
			return err
		}
		return tx.Put(layout.WitnessedKey(), bytes.Clone(note))
	})
	_, err = s.ada.RenameMatter(evilserver.Soon(t), s.matter, "hidden")
	s.ok(err)
	s.Twist("GET", api.RouteLeaves, func(b []byte) []byte {
		if one := 8 + log.LeafSize; len(b) > 2*one {
			return b[:len(b)-one]
		}
		return b
	})
	s.Lie("POST", api.RouteMap, func(r *evilserver.Request) *evilserver.Reply {
		var ask api.MapRequest
		s.ok(json.Unmarshal(r.Body, &ask))
		ask.Witnessed = true // the server's own way to prove under an older checkpoint
		b, err := json.Marshal(ask)
		s.ok(err)
		r.Body = b
		return r.Real()
	})
	_, err = reviewer.VerifyMatter(evilserver.Soon(t), s.matter)
	s.lied(reviewer, err, client.ErrRolledBack)
}

// TestOpenedAndServed: S-VERIFY-08. What was opened is laid beside what was served, and what stands alone is named.
func TestOpenedAndServed(t *testing.T) {
	s := newStage(t)
	clara := s.ada.Guest(s.matter, "Clara", chain.RoleClient)
	doc := s.ada.MustPut(s.matter, "a.txt", []byte("a"))
	_, err := clara.Get(s.matter, doc)
	s.ok(err)
	alone := func(want ...string) {
		t.Helper()
		v, err := s.ada.VerifyMatter(evilserver.Soon(t), s.matter)
		s.ok(err)
		var got []string
		for _, u := range v.Unpaired {
			got = append(got, u.Kind+" "+u.Person+" "+u.Document)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	alone()
	again := clara.Again().In()
	s.Lie("GET", api.RouteBody, func(*evilserver.Request) *evilserver.Reply { return refusal(http.StatusConflict, api.CodeGone) })
	if _, err := again.Get(s.matter, doc); err == nil {
		t.Fatal("it was served")
	}
	s.Honest()
	alone("released Clara a.txt")
	v, member := s.document(s.ada.View(s.matter).Documents[0].Version), clara.Insider(s.matter).Author.Member
	s.Edit(layout.FirmPartition(s.ada.Firm), func(tx store.Tx) error {
		return s.Ledger.Record(tx, rand.Reader, time.Now(), s.matter, chain.Event{Kind: chain.EventServed, Member: member, Session: s.ID(), Document: doc, Version: v})
	})
	alone("released Clara a.txt", "served Clara a.txt")
}

var _ log.Source = publicLog{}

// Read implements log.Source.
func (l publicLog) Read(ctx context.Context, path string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", l.s.Origin+"/log/"+l.name+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return nil, log.ErrNoTile
	}
	return io.ReadAll(reply.Body)
}

func jsonOf(b []byte, v any) error { return json.Unmarshal(b, v) }

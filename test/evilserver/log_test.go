package evilserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/directory"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
)

var logCases = []attack{
	{"03-keys-that-one-person-is-shown", splitDirectory},
	{"06-link-of-another-authority", otherAuthority},
	{"27-hidden-removal", hiddenRemoval},
	{"30-concurrent-owners", concurrentOwners},
	{"55-older-version-of-a-file", olderFile},
	{"56-older-matter", olderMatter},
	{"57-file-left-out", fileLeftOut},
	{"71-two-views-of-the-log", splitView},
	{"72-log-cut-and-reordered", logCut},
	{"73-event-left-out", eventLeftOut},
	{"74-event-forged", eventForged},
	{"75-event-of-another-matter", eventOfAnother},
	{"76-served-without-a-line", servedUnlogged},
}

// replant copies the entries that one face of the server has, and another lacks, to the other.
func (o *office) replant(from, to *World) {
	o.Helper()
	firm := o.ada.Firm
	head := to.Head(firm, o.matter)
	for _, e := range from.Entries(layout.State, firm, o.matter)[head.Position:] {
		to.Plant(firm, o.matter, chain.Submission{Entry: e})
	}
}

// Clara is shown a face of the server on which Petra, a newcomer, has keys of the server's. Ada and Petra see the true one:
// their entries say which log they saw.
func splitDirectory(t *testing.T) {
	o := newOffice(t)
	fork := o.Fork()
	o.ada.NewMatter("Known to one face")
	petra := o.ada.Guest(o.matter, "Petra", chain.RoleParalegal)
	petra.MustPut(o.matter, "Hers.txt", text(100))
	as := o.Stranger()
	bundle, err := chain.NewBundle(petra.author().Member, as.Identity)
	o.ok(err)
	fork.Edit(layout.FirmPartition(o.ada.Firm), func(tx store.Tx) error {
		return fork.Ledger.PutLink(tx, chain.FirstKeyLink(o.ada.Firm, bundle))
	})
	o.replant(o.World, fork)
	fork.outgrow(o.ada.Firm) // whichever entry is compared first, it is this log that decides
	clara := o.clara.At(fork).In().Beware()
	clara.Refused(clara.Look(o.matter), client.ErrFork)
	clara.Proves(log.EvidenceFork, fork)
	clara.Closed(o.matter)
}

// outgrow makes a face's log longer than what anybody saw of another's.
func (w *World) outgrow(firm wire.ChainID) {
	w.Helper()
	for range 16 {
		as := w.Stranger()
		bundle, err := chain.NewBundle(as.Member, as.Identity)
		w.ok(err)
		w.Edit(layout.FirmPartition(firm), func(tx store.Tx) error { return w.Ledger.PutLink(tx, chain.FirstKeyLink(firm, bundle)) })
	}
}

// putLink writes a key link into the store and the log, past every rule.
func (w *World) putLink(firm wire.ChainID, link chain.KeyLink) {
	w.Helper()
	f, _ := w.LogOf(firm)
	w.Edit(layout.FirmPartition(firm), func(tx store.Tx) error {
		seeds, err := w.Ledger.Keys.Seeds(context.Background(), f.Log)
		if err != nil {
			return err
		}
		output, err := vrfOutput(seeds, directory.Label(firm, link.Member, link.Number))
		if err != nil {
			return err
		}
		if _, err := AppendLeaf(tx, directory.Leaf(link, output)); err != nil {
			return err
		}
		return tx.Put(layout.KeyLinkKey(link.Member, link.Number), link.Bytes())
	})
}

// firstLink is what the directory has of somebody.
func (w *World) firstLink(firm wire.ChainID, member wire.ObjectID) (link chain.KeyLink) {
	w.Helper()
	w.Edit(layout.FirmPartition(firm), func(tx store.Tx) error {
		b, err := tx.Get(layout.KeyLinkKey(member, 0))
		if err != nil {
			return err
		}
		link, err = chain.ParseKeyLink(b)
		return err
	})
	return link
}

// The provider certifies keys of its own for Clara: a second link that it signs, and another first one. Nobody seals to
// them, and Clara's own client sees them.
func otherAuthority(t *testing.T) {
	for name, c := range map[string]struct {
		link  func(o *office, first chain.KeyLink, own chain.Author) chain.KeyLink
		cause error
	}{
		"a second link": {func(o *office, first chain.KeyLink, own chain.Author) chain.KeyLink {
			bundle, err := chain.NewBundle(first.Member, own.Identity)
			o.ok(err)
			link, err := first.Next(bundle, own.Identity)
			o.ok(err)
			return link
		}, chain.ErrKeyLink},
		"another first link": {func(o *office, first chain.KeyLink, own chain.Author) chain.KeyLink {
			bundle, err := chain.NewBundle(first.Member, own.Identity)
			o.ok(err)
			return chain.FirstKeyLink(o.ada.Firm, bundle)
		}, directory.ErrLookup},
	} {
		o := newOffice(t)
		mallory := o.ada.Guest(o.matter, "Mallory", chain.RoleClient)
		member := o.clara.author().Member
		o.putLink(o.ada.Firm, c.link(o, o.firstLink(o.ada.Firm, member), o.Stranger()))
		t.Log(name)
		ada := o.ada.Beware()
		_, err := ada.RemoveMember(Soon(t), o.matter, mallory.author().Member) // seals to Clara
		ada.Refused(err, c.cause)
		ada.Closed(o.matter)
		clara := o.clara.Again().In().Beware()
		clara.Refused(clara.Look(o.matter), c.cause)
		clara.Closed(o.matter)
	}
}

// look is what a device asks to see a matter, and what it is answered now.
func (o *office) look(p *Person) []*Exchange {
	o.Helper()
	mark := o.Mark()
	o.ok(p.Elsewhere().In().Look(o.matter))
	o.ok(p.Again().In().Look(o.matter))
	return o.Since(mark)
}

// Ada removes Mallory. Clara is shown the matter as it was: with the log as it is; with what the log said before; and on a
// device that knows nothing.
func hiddenRemoval(t *testing.T) {
	o := newOffice(t)
	mallory := o.ada.Guest(o.matter, "Mallory", chain.RoleClient)
	before := o.look(o.clara)
	second := o.ada.NewMatter("Another matter")
	_, err := o.clara.Accept(o.ada.InviteTo(second, "Clara", chain.RoleClient, chain.ModeOpensAtOnce))
	o.ok(err)
	_, err = o.ada.RemoveMember(Soon(t), o.matter, mallory.author().Member)
	o.ok(err)

	fresh := o.clara.Elsewhere().In().Beware()
	o.Replay(before)
	_, err = fresh.Put(o.matter, "For all but Mallory.txt", text(100))
	fresh.Refused(err, client.ErrPlace)
	fresh.Closed(o.matter)

	// Her device has seen the log as it is, by way of the other matter. No older map tells it that nothing comes after.
	clara := o.clara.Again().In()
	o.ok(clara.Look(second))
	clara.Beware()
	var old Reply
	for _, x := range before {
		if Matches(api.RouteMap, x.Path) {
			old = x.Reply
		}
	}
	o.Replay(before)
	o.Lie("POST", api.RouteMap, func(*Request) *Reply { return &old })
	_, err = clara.Put(o.matter, "For all but Mallory.txt", text(100))
	if f := client.FailureOf(err); f == nil || f.Code != api.CodeServerLied {
		t.Fatalf("an older map: %v", err)
	}
	clara.Recorded(errorOf(err))
	clara.Closed(o.matter)

	// The same with a proof that the older log is the beginning of the one that was seen: it is, and it hides the rest.
	clara = o.clara.Again().In()
	o.ok(clara.Look(second))
	clara.Beware()
	o.Replay(before)
	o.oldMap(old)
	_, err = clara.Put(o.matter, "For all but Mallory.txt", text(100))
	clara.Refused(err, client.ErrRolledBack)
	clara.Closed(o.matter)
}

// Two owners change a matter at the same moment: one removes the other, who invites. In both orders all end with one
// history, without him and without his invite. And where the server takes both, the one whose entry the map lacks has proof.
func concurrentOwners(t *testing.T) {
	for _, first := range []string{"removal", "invite"} {
		o := newOffice(t)
		bea := o.ada.Guest(o.matter, "Bea", chain.RoleOwner)
		o.ok(o.ada.Look(o.matter))
		member := bea.author().Member
		remove := func() error { _, err := o.ada.RemoveMember(Soon(t), o.matter, member); return err }
		invite := func() error {
			_, _, err := bea.Invite(Soon(t), o.matter, "A friend", chain.RoleOwner, chain.ModeOpensAtOnce, time.Now().Add(time.Hour))
			return err
		}
		slow, fast := invite, remove
		if first == "invite" {
			slow, fast = remove, invite
		}
		// The slow one has made its entry when the fast one's comes in between.
		held := false
		o.Lie("POST", api.RouteEntries, func(*Request) *Reply {
			if held {
				return nil
			}
			held = true
			o.ok(fast())
			return nil
		})
		err := slow()
		o.Honest()
		if f := client.FailureOf(err); first == "removal" && (f == nil || (f.Code != api.CodeRemoved && f.Code != api.CodeNotFound)) {
			t.Errorf("who was removed meanwhile: %v", err)
		} else if first == "invite" {
			o.ok(err)
		}
		for _, p := range []*Person{o.ada, o.clara, o.ada.Elsewhere().In()} {
			v := p.View(o.matter)
			for _, x := range v.People {
				if x.Name == "Bea" && x.RemovedAt == nil {
					t.Errorf("%s first: Bea is still there", first)
				}
			}
			for _, x := range v.Invites {
				if x.Person == "A friend" && x.State == "open" {
					t.Errorf("%s first: the invite of somebody removed is open", first)
				}
			}
		}
		if a, b := o.ada.Insider(o.matter).State, o.clara.Insider(o.matter).State; a.Head != b.Head {
			t.Errorf("%s first: two histories", first)
		}
	}

	o := newOffice(t)
	bea := o.ada.Guest(o.matter, "Bea", chain.RoleOwner)
	o.ok(o.ada.Look(o.matter))
	var theirs chain.Submission
	held := false
	o.Lie("POST", api.RouteEntries, func(r *Request) *Reply {
		if held {
			return nil
		}
		held = true
		_, err := o.ada.RenameMatter(Soon(t), o.matter, "For Ada")
		o.ok(err)
		theirs, err = chain.ParseSubmission(r.Body)
		o.ok(err)
		return o.take(o.ada.Firm, o.matter, theirs, seenOf(r))
	})
	_, err := bea.RenameMatter(Soon(t), o.matter, "For Bea")
	o.ok(err) // the log has her entry: so far this is no lie
	TwistJSON(o.World, "GET", api.RouteChain, func(h *api.ChainHead) { h.Head = theirs.Entry.Leaf.Hash() })
	again := bea.Again().In().Beware()
	again.Refused(again.Look(o.matter), client.ErrFork)
	again.Proves(log.EvidenceHiddenLeaf, o.World)
	again.Closed(o.matter)
}

// take gives an entry a leaf and a receipt, and no place in its chain.
func (w *World) take(firm, id wire.ChainID, sub chain.Submission, seen uint64) *Reply {
	w.Helper()
	var index uint64
	w.Edit(layout.FirmPartition(firm), func(tx store.Tx) (err error) {
		index, err = AppendLeaf(tx, sub.Entry.Leaf)
		return err
	})
	return w.receipt(firm, id, index, seen)
}

func (w *World) receipt(firm, id wire.ChainID, index, seen uint64) *Reply {
	w.Helper()
	head := w.Head(firm, id)
	a, err := w.Ledger.Receipt(context.Background(), w.Store, layout.FirmPartition(firm), ledger.Appended{ChainHead: ledger.Head(id, head), Index: index}, seen)
	w.ok(err)
	return jsonReply(w, a)
}

// One file goes back to the version before: on the device that saw the newer one, on a new one, and at another member's.
func olderFile(t *testing.T) {
	o := newOffice(t)
	other := o.ada.Guest(o.matter, "Dan", chain.RoleParalegal)
	restore := o.snapshot(o.ada.Firm)
	o.ada.MustPut(o.matter, "Complaint.txt", text(200))
	o.ok(o.clara.Look(o.matter))
	restore()
	// Something else comes in its place: nothing is shorter than it was.
	other = other.Elsewhere().In()
	for range 4 {
		other.MustPut(o.matter, "Other.txt", text(50))
	}
	for _, p := range []*Person{o.ada, o.clara} {
		p := p.Again().In().Beware()
		p.sees(o.matter, o.doc)
		p.Proves(log.EvidenceFork, o.World)
		p.Closed(o.matter)
	}

	// Only its entry is kept back: even a device that never saw it asks the log.
	o = newOffice(t)
	before := o.look(o.clara)
	o.ada.MustPut(o.matter, "Complaint.txt", text(200))
	for _, p := range []*Person{o.clara.Elsewhere(), o.clara.Again()} {
		p = p.In().Beware()
		o.Replay(before)
		_, err := p.Get(o.matter, o.doc)
		p.Refused(err, client.ErrPlace)
		p.Closed(o.matter)
	}
}

// sees asserts that a device finds out: the download is a lie, and is in the journal.
func (p *Person) sees(matter wire.ChainID, doc wire.ObjectID) {
	p.Helper()
	_, err := p.Get(matter, doc)
	f := client.FailureOf(err)
	if f == nil || f.Code != api.CodeServerLied {
		p.Fatalf("an older state was accepted: %v", err)
	}
	for _, s := range p.sinks[p.marks.sink:] {
		if content, committed := s.Released(); committed || len(content) > 0 {
			p.Errorf("%d bytes were released", len(content))
		}
	}
	if list := p.Again().In().Refusals(); len(list) == 0 || list[len(list)-1].Found != f.Detail {
		p.Errorf("the journal: %+v", list)
	}
}

// The whole database is put back. Who saw what came after finds out by his own checkpoint; where only the matter's rows are
// put back, and the log is as it was, a new device finds out, too.
func olderMatter(t *testing.T) {
	o := newOffice(t)
	restore := o.snapshot(o.ada.Firm)
	o.ada.MustPut(o.matter, "After.txt", text(100))
	o.ok(o.clara.Look(o.matter))
	restore()
	for _, p := range []*Person{o.ada, o.clara} {
		p = p.Again().In().Beware()
		p.sees(o.matter, o.doc)
		p.Closed(o.matter)
	}

	// A device that never saw the matter takes the older one for the newest: nothing that it has says otherwise. What it adds
	// is its undoing: whoever saw the newer one sees two histories.
	fresh := o.ada.Elsewhere().In()
	fresh.MustPut(o.matter, "On an older state.txt", text(100))
	clara := o.clara.Again().In().Beware()
	clara.sees(o.matter, o.doc)
	clara.Proves(log.EvidenceFork, o.World)

	o = newOffice(t)
	rows := o.rowsOf(o.matter)
	o.ada.MustPut(o.matter, "After.txt", text(100))
	o.putRows(o.matter, rows)
	for _, p := range []*Person{o.clara.Elsewhere(), o.clara.Again()} {
		p = p.In().Beware()
		p.Refused(p.Look(o.matter), client.ErrPlace)
		p.Closed(o.matter)
	}
	ada := o.ada.Again().In().Beware()
	ada.Refused(ada.Look(o.matter), client.ErrRolledBack)
}

// An entry with a file is left out, from the middle and at the end; and the file's bytes, which leaves a gap to see.
func fileLeftOut(t *testing.T) {
	o := newOffice(t)
	o.ada.MustPut(o.matter, "Second.txt", text(100))
	o.ada.MustPut(o.matter, "Third.txt", text(100))
	all := o.Entries(layout.State, o.ada.Firm, o.matter)
	for name, c := range map[string]struct {
		shown []chain.Entry
		cause error
	}{
		"in the middle": {slices.Delete(slices.Clone(all), len(all)-2, len(all)-1), chain.ErrOrder},
		"at the end":    {all[:len(all)-1], client.ErrWithheld},
	} {
		t.Log(name)
		fresh := o.clara.Elsewhere().In().Beware()
		o.Lie("GET", api.RouteEntries, func(r *Request) *Reply {
			reply := r.Real()
			if r.Query == "from=0" {
				reply.Body = nil
				for _, e := range c.shown {
					reply.Body = append(reply.Body, e.Bytes()...)
				}
			} else {
				reply.Body = nil
			}
			return reply
		})
		fresh.Refused(fresh.Look(o.matter), c.cause)
		fresh.Closed(o.matter)
	}

	o.Lie("GET", api.RouteBody, func(*Request) *Reply { return &Reply{Status: 404, Body: []byte(`{"code":"not-found","message":""}`)} })
	content, err := o.clara.Get(o.matter, o.doc)
	if err == nil || content != nil {
		t.Errorf("a file that the server lost: %v", err)
	}
	if v := o.clara.View(o.matter); len(v.Documents) != 3 {
		t.Errorf("%d documents are shown, want all 3", len(v.Documents))
	}
}

// Clara is shown another log than Ada. They find out from an entry of hers; from her own device when it is shown Ada's; and
// also where the server answers the question about Clara's view with Clara's log.
func splitView(t *testing.T) {
	for _, twoFaced := range []bool{false, true} {
		o := newOffice(t)
		fork := o.Fork()
		o.ada.NewMatter("Known to one face")
		clara := o.clara.At(fork).In()
		clara.MustPut(o.matter, "Hers.txt", text(100))
		o.replant(fork, o.World)
		if twoFaced {
			seen := fork.size(o.ada.Firm)
			o.Lie("GET", api.RouteLog, func(r *Request) *Reply {
				var size uint64
				if _, err := sscan(r.Query, &size); err == nil && size <= seen && size < o.size(o.ada.Firm)-2 {
					state, err := fork.logState(o.ada.Firm, size)
					o.ok(err)
					return jsonReply(o.World, state)
				}
				return nil
			})
		}
		ada := o.ada.Beware()
		ada.Refused(ada.Look(o.matter), client.ErrFork)
		ada.Proves("", o.World)
		ada.Closed(o.matter)

		fork.shareAccounts(o.World)
		back := o.clara.Again().In().Beware()
		back.sees(o.matter, o.doc)
		back.Proves("", o.World)
		back.Closed(o.matter)
	}

	// Two roots for one size: nobody needs the log to see that.
	o := newOffice(t)
	f, _ := o.LogOf(o.ada.Firm)
	note, err := o.Signer(o.ada.Firm).Sign(log.Checkpoint{Origin: f.Origin, Size: o.size(o.ada.Firm), Root: wire.Hash{1}})
	o.ok(err)
	o.ok(lookLog(o.ada))
	TwistJSON(o.World, "GET", api.RouteLog, func(s *api.LogState) { s.Checkpoint = string(note) })
	ada := o.ada.Beware()
	ada.Refused(lookLog(ada), client.ErrFork)
	ada.Proves(log.EvidenceTwoRoots, o.World)
}

func lookLog(p *Person) error {
	_, err := p.LogStatus(Soon(p), p.Firm)
	return err
}

// The log loses its end; goes back and on in another way; and has two leaves in another order.
func logCut(t *testing.T) {
	o := newOffice(t)
	o.ok(lookLog(o.ada))
	before := o.Last("GET", api.RouteLog).Reply
	o.ada.MustPut(o.matter, "After.txt", text(100))
	o.ok(lookLog(o.ada))
	ada := o.ada.Again().In().Beware()
	o.Lie("GET", api.RouteLog, func(*Request) *Reply { return &before })
	ada.Refused(lookLog(ada), client.ErrFork) // and no proof that it is the same log

	ada = o.ada.Again().In()
	o.ok(lookLog(ada))
	seen := o.size(o.ada.Firm)
	ada.Beware()
	TwistJSON(o.World, "GET", api.RouteLog, func(s *api.LogState) {
		old, err := log.Unverified(decodeState(o, before).note())
		o.ok(err)
		s.Checkpoint, s.Consistency = string(decodeState(o, before).note()), o.consistency(o.ada.Firm, old.Size, seen)
	})
	ada.Refused(lookLog(ada), client.ErrRolledBack)

	restore := o.snapshot(o.ada.Firm)
	o.ada.NewMatter("First")
	o.ok(lookLog(o.ada))
	restore()
	for range 12 {
		o.ok(o.clara.Again().In().Look(o.matter)) // a session is a leaf
	}
	ada = o.ada.Again().In().Beware()
	ada.Refused(lookLog(ada), client.ErrFork)
	ada.Proves(log.EvidenceFork, o.World)

	o = newOffice(t)
	a, b := leafOf(1), leafOf(2)
	fork := o.Fork()
	for _, x := range []struct {
		w      *World
		leaves []log.Leaf
	}{{o.World, []log.Leaf{a, b}}, {fork, []log.Leaf{b, a}}} {
		x.w.Edit(layout.FirmPartition(o.ada.Firm), func(tx store.Tx) error {
			for _, leaf := range x.leaves {
				if _, err := AppendLeaf(tx, leaf); err != nil {
					return err
				}
			}
			return nil
		})
	}
	o.ok(lookLog(o.ada))
	o.shareAccounts(fork) // what her account remembers is not what is lied about
	ada = o.ada.At(fork).In().Beware()
	ada.Refused(lookLog(ada), client.ErrFork)
	ada.Proves(log.EvidenceFork, fork)
}

func leafOf(n byte) log.Leaf {
	return log.Leaf{Type: log.TypeServer, Tag: wire.Hash{0xff, n}, Link: wire.Hash{n}, Commit: wire.Hash{n}}
}

// What a client sends is done when the log has it: a change, an opening and a new matter.
func eventLeftOut(t *testing.T) {
	for _, c := range []struct {
		name  string
		bend  func(o *office, a *api.Appended, seen uint64)
		cause error
	}{
		{"no receipt", func(_ *office, a *api.Appended, _ uint64) { a.Receipt = "" }, log.ErrReceipt},
		{"the receipt of another entry", func(o *office, a *api.Appended, seen uint64) {
			a.Receipt = decodeAppended(o, o.receipt(o.ada.Firm, o.matter, 0, seen)).Receipt
		}, log.ErrInclusion},
		{"not at that index", func(o *office, a *api.Appended, _ uint64) {
			r, err := log.ParseReceipt([]byte(a.Receipt))
			o.ok(err)
			r.Index--
			a.Receipt = string(r.Format())
		}, log.ErrInclusion},
		{"of another history", func(o *office, a *api.Appended, seen uint64) {
			r, err := log.ParseReceipt([]byte(a.Receipt))
			o.ok(err)
			leaf, err := log.ParseLeaf(r.Extra)
			o.ok(err)
			// The log as it was, with other leaves after it, and longer: truly signed.
			var index uint64
			o.before.Edit(layout.FirmPartition(o.ada.Firm), func(tx store.Tx) error {
				for n := range byte(20) {
					if _, err := AppendLeaf(tx, leafOf(n)); err != nil {
						return err
					}
				}
				index, err = AppendLeaf(tx, leaf)
				return err
			})
			b := decodeAppended(o, o.before.receipt(o.ada.Firm, o.matter, index, seen))
			a.Receipt, a.Consistency = b.Receipt, b.Consistency
		}, client.ErrFork},
		{"of another leaf in its name", func(o *office, a *api.Appended, _ uint64) {
			r, err := log.ParseReceipt([]byte(a.Receipt))
			o.ok(err)
			r.Extra = leafOf(3).Bytes()
			a.Receipt = string(r.Format())
		}, log.ErrReceipt},
	} {
		t.Log(c.name)
		for what, act := range map[string]struct {
			route string
			do    func(o *office) error
		}{
			"a change": {api.RouteEntries, func(o *office) error { _, err := o.ada.RenameMatter(Soon(t), o.matter, "Lost"); return err }},
			"an opening": {api.RouteTrail, func(o *office) error {
				content, err := o.ada.Get(o.matter, o.doc)
				if content != nil {
					t.Errorf("%s: content was released", c.name)
				}
				return err
			}},
			"a new matter": {api.RouteChains, func(o *office) error { _, err := o.ada.CreateMatter(Soon(t), o.ada.Firm, "Lost"); return err }},
		} {
			o := newOffice(t)
			o.before = o.Fork()
			o.ok(o.clara.Again().In().Look(o.matter)) // a session is a leaf
			o.ok(lookLog(o.ada))
			o.Lie("POST", act.route, func(r *Request) *Reply {
				reply := r.Real()
				if reply.Status < 300 {
					a := decodeAppended(o, reply)
					c.bend(o, &a, seenOf(r))
					reply.Body = jsonReply(o.World, a).Body
				}
				return reply
			})
			mark := len(o.ada.Refusals())
			err := act.do(o)
			t.Log(what)
			o.ada.Lied(err, c.cause)
			o.Honest()
			if list := o.ada.Again().In().Refusals(); len(list) <= mark || list[len(list)-1].Code != api.CodeServerLied {
				t.Errorf("%s, %s: the journal: %+v", what, c.name, list)
			}
		}
	}
}

// The server blames Clara: with an entry in her name, with a changed and a repeated line of the trail, and with an event of
// its own that the log does not have. What it did put into the log is shown as its word, beside hers.
func eventForged(t *testing.T) {
	o := newOffice(t)
	mallory := o.with(chain.RoleClient)
	clara := o.clara.author().Member
	effect, body := mallory.Effect(chain.KindBatch), Head()
	effect.Actor = clara
	effect.Batch = &chain.BatchEffect{Ops: []chain.OpEffect{{Kind: chain.OpDelete, Document: o.doc}}}
	mallory.Plant(mallory.Craft(effect, body.Bytes()))
	ada := o.ada.Beware()
	ada.Refused(ada.Look(o.matter), chain.ErrEntrySig)
	ada.Closed(o.matter)

	for name, forge := range map[string]func(o *office, i *Insider, e chain.Entry) (chain.Entry, error){
		"repeated": func(_ *office, _ *Insider, e chain.Entry) (chain.Entry, error) { return e, chain.ErrOrder },
		"of another document": func(o *office, i *Insider, e chain.Entry) (chain.Entry, error) {
			k, err := i.State.Keys()
			o.ok(err)
			effect, err := chain.ParseEffect(e.Effect)
			o.ok(err)
			h := o.Head(o.ada.Firm, o.matter)
			effect.Position, effect.Previous, effect.Release.Document = h.TrailPosition, h.TrailHead, o.ID()
			effect.Mark = log.LinkKey(k.TrailLink).Mark(log.TypeTrail, effect.Position)
			clear := effect.Bytes()
			leaf := log.NewLeaf(o.matter, log.TypeTrail, log.LinkKey(k.TrailLink), effect.Position, effect.Previous, log.Commit(clear, e.Envelope))
			return chain.Entry{Leaf: leaf, Effect: clear, Envelope: e.Envelope}, chain.ErrEnvelope
		},
	} {
		o := newOffice(t)
		i := o.with(chain.RoleClient)
		_, err := o.clara.Get(o.matter, o.doc)
		o.ok(err)
		t.Log(name)
		e, cause := forge(o, i, o.Entries(layout.Trail, o.ada.Firm, o.matter)[0])
		o.plantTrail(e)
		if cause == chain.ErrEnvelope {
			// It stands there, unsigned: nothing is taken for hers, and one line of noise ends no trail.
			view, err := o.ada.Again().In().Trail(Soon(t), o.matter, 0)
			o.ok(err)
			kinds := map[string]int{}
			for _, x := range view.Items {
				kinds[x.Kind]++
			}
			if kinds["unsigned"] != 1 || kinds["opened"] != 1 {
				t.Errorf("%s: %v", name, kinds)
			}
			continue
		}
		for _, act := range []func(p *Person) error{
			func(p *Person) error { _, err := p.Trail(Soon(t), o.matter, 0); return err },
			func(p *Person) error { _, err := p.VerifyMatter(Soon(t), o.matter); return err },
		} {
			ada := o.ada.Again().In().Beware()
			err := act(ada)
			if f := client.FailureOf(err); f == nil || f.Code != api.CodeServerLied {
				t.Fatalf("%s: %v, want %v", name, err, cause)
			}
			ada.Recorded(errorOf(err))
		}
	}

	// An event that is in no log: the server could deny tomorrow that it said so.
	o = newOffice(t)
	event := chain.Event{Kind: chain.EventServed, Member: o.clara.author().Member, Session: o.ID(), Document: o.doc, Version: o.ID()}
	fork := o.Fork()
	fork.record(o.ada.Firm, o.matter, event)
	extra := fork.events(o.ada.Firm, o.matter)
	o.Lie("GET", api.RouteEvents, func(r *Request) *Reply {
		reply := r.Real()
		if r.Query == "from=0" {
			reply.Body = extra
		} else {
			reply.Body = nil
		}
		return reply
	})
	ada = o.ada.Beware()
	_, err := ada.VerifyMatter(Soon(t), o.matter)
	ada.Refused(err, chain.ErrEvent)

	// One that is in it is the server's word, of a kind that no member can be the author of.
	o = newOffice(t)
	o.record(o.ada.Firm, o.matter, event)
	trail, err := o.ada.Trail(Soon(t), o.matter, 0)
	o.ok(err)
	for _, x := range trail.Items {
		if x.Kind == "served" && (x.Sequence != "server" || x.Paired == nil || *x.Paired) {
			t.Errorf("the server's word passes for a member's: %+v", x)
		}
	}
}

// What belongs to another matter, entry, person or key proves nothing here.
func eventOfAnother(t *testing.T) {
	o := newOffice(t)
	clara := o.clara.author().Member
	second := o.ada.NewMatter("Another matter")
	for range 3 {
		o.ada.MustPut(second, "There.txt", text(100))
	}
	_, err := o.ada.Get(second, o.ada.MustPut(second, "Read.txt", text(10)))
	o.ok(err)
	_, err = o.clara.Get(o.matter, o.doc)
	o.ok(err)
	// elsewhere answers what is asked of one matter with what another has.
	elsewhere := func(method, route string) {
		o.Lie(method, route, func(r *Request) *Reply {
			r.Path = string(bytes.ReplaceAll([]byte(r.Path), []byte(o.matter.String()), []byte(second.String())))
			return r.Real()
		})
	}
	p := o.ada
	lies := func(name string, act func(p *Person) error) {
		t.Helper()
		t.Log(name)
		err := act(p.Beware())
		if f := client.FailureOf(err); f == nil || f.Code != api.CodeServerLied {
			t.Fatalf("%s: %v", name, err)
		}
		p.Recorded(errorOf(err))
		p = o.ada.Again().In()
		o.ok(p.Look(o.matter))
	}
	verify := func(p *Person) error { _, err := p.VerifyMatter(Soon(t), o.matter); return err }

	p = o.ada.Elsewhere().In()
	elsewhere("GET", api.RouteEntries)
	lies("entries", func(p *Person) error { return p.Look(o.matter) })
	elsewhere("GET", api.RouteLeaves)
	lies("leaves", verify)
	elsewhere("GET", api.RouteTrail)
	lies("trail", verify)
	elsewhere("GET", api.RouteEvents)
	lies("events and their VRF proofs", verify)
	elsewhere("GET", api.RouteReceipt)
	lies("a receipt", func(p *Person) error { _, err := p.ReceiptFile(Soon(t), o.matter, api.SequenceState, 1); return err })
	o.Lie("GET", api.RouteReceipt, func(r *Request) *Reply {
		r.Path = api.Chain(o.ada.Firm, o.matter) + "/receipts/2"
		return r.Real()
	})
	lies("a receipt of another place", func(p *Person) error { _, err := p.ReceiptFile(Soon(t), o.matter, api.SequenceState, 1); return err })
	TwistJSON(o.World, "POST", api.RouteMap, swapProofs)
	lies("the map's proof for another key", func(p *Person) error { _, err := p.RenameMatter(Soon(t), o.matter, "New"); return err })
	o.Lie("POST", api.RouteLookup, func(r *Request) *Reply {
		var asked api.KeysRequest
		o.ok(json.Unmarshal(r.Body, &asked))
		asked.Members = []wire.ObjectID{clara}
		r.Body = jsonReply(o.World, asked).Body
		return r.Real()
	})
	lies("the keys of somebody else", func(p *Person) error {
		_, _, err := p.Invite(Soon(t), o.matter, "X", chain.RoleClient, chain.ModeOpensAtOnce, time.Now().Add(time.Hour))
		return err
	})
	TwistJSON(o.World, "POST", api.RouteLookup, func(k *api.KeysReply) {
		for n := range k.Lookups {
			slices.Reverse(k.Lookups[n].Proofs)
		}
	})
	lies("a VRF proof for another number", func(p *Person) error {
		_, _, err := p.Invite(Soon(t), o.matter, "X", chain.RoleClient, chain.ModeOpensAtOnce, time.Now().Add(time.Hour))
		return err
	})
}

// Ciphertext leaves and the server says nothing; and the server says that it left where nobody had opened it. Neither can be
// prevented. Both are seen.
func servedUnlogged(t *testing.T) {
	o := newOffice(t)
	o.Lie("GET", api.RouteDigests, func(*Request) *Reply {
		o.Edit(layout.FirmPartition(o.ada.Firm), func(tx store.Tx) error {
			return tx.Scan([]byte("release/"), nil, 0, func(k, _ []byte) error {
				r, _, err := layout.Get[layout.Release](tx, k)
				if err != nil {
					return err
				}
				r.Served = true
				return layout.Put(tx, bytes.Clone(k), r)
			})
		})
		return nil
	})
	content, err := o.clara.Get(o.matter, o.doc)
	o.ok(err)
	if !bytes.Equal(content, o.content) {
		t.Fatal("nothing was served")
	}
	o.Honest()
	unpaired := func(kind string) {
		t.Helper()
		v, err := o.ada.VerifyMatter(Soon(t), o.matter)
		o.ok(err)
		if len(v.Unpaired) != 1 || v.Unpaired[0].Kind != kind || v.Unpaired[0].Person != "Clara" || v.Unpaired[0].Document != "Complaint.txt" {
			t.Errorf("%+v, want one %s of Clara's", v.Unpaired, kind)
		}
	}
	unpaired("released")

	o = newOffice(t)
	i := o.clara.Insider(o.matter)
	o.record(o.ada.Firm, o.matter, chain.Event{Kind: chain.EventServed, Member: i.Author.Member, Session: o.ID(), Document: o.doc, Version: i.State.Documents[o.doc].Current().Header.Version})
	unpaired("served")
}

// record puts an event of the server's own into a chain's server sequence and the log.
func (w *World) record(firm, id wire.ChainID, e chain.Event) {
	w.Helper()
	w.Edit(layout.FirmPartition(firm), func(tx store.Tx) error {
		return w.Ledger.Record(tx, rand.Reader, time.Now(), id, e)
	})
}

package evilserver

import (
	"bytes"
	"slices"
	"testing"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

var nameCases = []attack{
	{"05-names-that-look-the-same", sameLook},
	{"51-names-swapped", swappedNames},
	{"52-moved-to-another-matter", movedFiles},
	{"53-another-author", otherAuthor},
	{"54-files-put-in", injectedFiles},
	{"58-deleted-file-comes-back", resurrection},
	{"60-hostile-names", hostileNames},
}

// S-CLIENT-21. Mallory, who owns the matter as well, lets accomplices in under Clara's name, as it is read. Ada is told of every one, of the link
// and of who came with it, with the words that tell them apart; and nothing is said of anybody else.
func sameLook(t *testing.T) {
	o := newOffice(t)
	mallory := o.ada.Guest(o.matter, "Mallory", chain.RoleOwner)
	clara := o.clara.author().Member.String()
	person := func(id string) client.PersonView {
		t.Helper()
		for _, p := range o.ada.View(o.matter).People {
			if p.Member == id {
				return p
			}
		}
		t.Fatalf("%s is not on the roster", id)
		return client.PersonView{}
	}
	is := func(list []client.AlikeView, id string) bool {
		return slices.ContainsFunc(list, func(a client.AlikeView) bool { return a.Member == id && a.State == "here" && len(a.Words) > 0 })
	}
	for what, name := range map[string]string{
		"a Cyrillic letter": "Cl\u0430ra", "Cherokee": "\u13dflara", "a capital": "CIara", "a digit": "C1ara", "nothing to see": "Cla\u200bra", "a dot below": "Clar\u1ea1", "the same name": "Clara",
	} {
		if list, err := o.ada.NamesLike(Soon(t), o.matter, name); err != nil || !is(list, clara) {
			t.Errorf("%s, asked before: %+v, %v", what, list, err)
		}
		link := mallory.InviteTo(o.matter, name, chain.RoleClient, chain.ModeOpensAtOnce)
		invites := o.ada.View(o.matter).Invites
		open := slices.IndexFunc(invites, func(i client.InviteView) bool { return i.State == "open" })
		if open < 0 || !is(invites[open].Alike, clara) {
			t.Errorf("%s, by the link: %+v", what, invites)
		}
		guest := o.Person(what)
		_, err := guest.Accept(link)
		o.ok(err)
		id := guest.author().Member.String()
		if p := person(id); !is(p.Alike, clara) || slices.Equal(p.Words, person(clara).Words) {
			t.Errorf("%s, on the roster: %+v", what, p)
		}
		if p := person(clara); !is(p.Alike, id) {
			t.Errorf("%s, beside Clara: %+v", what, p)
		}
	}
	o.ada.Guest(o.matter, "Carla", chain.RoleClient)
	for _, p := range o.ada.View(o.matter).People {
		if apart := p.Name == "Ada" || p.Name == "Mallory" || p.Name == "Carla"; apart && len(p.Alike) > 0 {
			t.Errorf("%s is taken for %+v", p.Name, p.Alike)
		}
	}
}

// rework takes the newest entry, which somebody else signed, and with a member's keys seals and links it again after
// change: all but the signature is then right.
func (i *Insider) rework(keys *chain.State, change func(effect *chain.Effect, body []byte) []byte) {
	i.Helper()
	k, err := keys.Keys()
	i.ok(err)
	all := i.World.Entries(layout.State, i.Firm, i.matter)
	newest := all[len(all)-1]
	effect, err := chain.ParseEffect(newest.Effect)
	i.ok(err)
	body, signature := i.Open(k.Entry, newest)
	body = change(effect, body)
	c := &Craft{Effect: effect, Body: body, Signature: signature, Sealed: k.Entry, Link: k.StateLink}
	e := c.Entry(i.World)
	head := i.World.Head(i.Firm, i.matter)
	head.Head = e.Leaf.Hash()
	i.Edit(layout.FirmPartition(i.Firm), func(tx store.Tx) error {
		key := layout.EntryKey(layout.State, i.matter, effect.Position)
		row, err := tx.Get(key)
		if err != nil {
			return err
		}
		// It stands where the log has the other one.
		if err := tx.Put(key, append(row[:8:8], e.Bytes()...)); err != nil {
			return err
		}
		return layout.Put(tx, layout.ChainKey(i.matter), head)
	})
}

// Ada renames and moves a document. The server, with a member's help, has it apply to another one, or say another name.
func swappedNames(t *testing.T) {
	for name, change := range map[string]func(o *office, other wire.ObjectID) func(*chain.Effect, []byte) []byte{
		"another document": func(o *office, other wire.ObjectID) func(*chain.Effect, []byte) []byte {
			return func(e *chain.Effect, body []byte) []byte { e.Batch.Ops[0].Document = other; return body }
		},
		"another name": func(*office, wire.ObjectID) func(*chain.Effect, []byte) []byte {
			return func(_ *chain.Effect, body []byte) []byte {
				return bytes.Replace(body, []byte("Settled.txt"), []byte("Refused.txt"), 1)
			}
		},
		"another folder": func(*office, wire.ObjectID) func(*chain.Effect, []byte) []byte {
			return func(_ *chain.Effect, body []byte) []byte {
				return bytes.Replace(body, []byte("Court"), []byte("Draft"), 1)
			}
		},
	} {
		o := newOffice(t)
		other := o.ada.MustPut(o.matter, "Offer.txt", text(100))
		mallory := o.with(chain.RoleClient)
		o.ok(o.clara.Look(o.matter))
		_, err := o.ada.Place(Soon(t), o.matter, []wire.ObjectID{o.doc}, func(*chain.Document) (string, string) { return "Settled.txt", "Court" })
		o.ok(err)
		mallory.rework(mallory.State, change(o, other))
		t.Log(name)
		clara := o.clara.Beware()
		clara.Refused(clara.Look(o.matter), chain.ErrEntrySig)
		clara.Closed(o.matter)
	}
}

// An entry of one matter in another, as it is; and by a member of both, who signs for the second what was sealed for the
// first.
func movedFiles(t *testing.T) {
	o := newOffice(t)
	second := o.ada.NewMatter("Another matter")
	all := o.World.Entries(layout.State, o.ada.Firm, o.matter)
	o.Plant(o.ada.Firm, second, chain.Submission{Entry: all[len(all)-1]})
	ada := o.ada.Beware()
	ada.Refused(ada.Look(second), chain.ErrWrongChain)
	ada.Closed(second)

	o = newOffice(t)
	mallory := o.with(chain.RoleParalegal)
	second = o.ada.NewMatter("Another matter")
	_, err := mallory.Accept(o.ada.InviteTo(second, "Mallory", chain.RoleParalegal, chain.ModeOpensAtOnce))
	o.ok(err)
	f := mallory.File(o.ID(), "Moved.txt", o.content) // its header says the first matter
	there := mallory.Insider(second)
	there.Bring(f)
	there.MustSend(there.Add(nil, f))
	ada = o.ada.Beware()
	ada.Refused(ada.Look(second), chain.ErrMismatch)
	ada.Closed(second)
}

// Mallory uploads what is to pass for Ada's: in the version's header, and in the entry. The time that is shown is the
// author's, not the server's.
func otherAuthor(t *testing.T) {
	o := newOffice(t)
	mallory := o.with(chain.RoleParalegal)
	f := mallory.File(o.ID(), "From Ada.txt", o.content)
	f.Header.Author = o.ada.author().Identity.Public().Fingerprint()
	mallory.Bring(f)
	mallory.MustSend(mallory.Add(nil, f))
	clara := o.clara.Beware()
	clara.Refused(clara.Look(o.matter), chain.ErrMismatch)
	clara.Closed(o.matter)

	o = newOffice(t)
	mallory = o.with(chain.RoleParalegal)
	f = mallory.File(o.ID(), "From Ada.txt", o.content)
	f.Header.Author = o.ada.author().Identity.Public().Fingerprint()
	c := mallory.Add(nil, f)
	c.Effect.Actor = o.ada.author().Member
	mallory.Plant(c)
	clara = o.clara.Beware()
	clara.Refused(clara.Look(o.matter), chain.ErrEntrySig)
	clara.Closed(o.matter)

	// The time of another's entry is changed: it is in what he signed.
	o = newOffice(t)
	mallory = o.with(chain.RoleParalegal)
	o.ok(o.clara.Look(o.matter))
	o.ada.MustPut(o.matter, "Dated.txt", text(100))
	mallory.rework(mallory.State, func(_ *chain.Effect, body []byte) []byte { body[5] ^= 1; return body })
	clara = o.clara.Beware()
	clara.Refused(clara.Look(o.matter), chain.ErrEntrySig)
}

// Who may not add documents adds one: an expert who may only read, and somebody who has no seat, each with the server.
func injectedFiles(t *testing.T) {
	o := newOffice(t)
	mallory := o.with(chain.RoleExpert)
	c := mallory.Add(nil, mallory.File(o.ID(), "Planted.txt", o.content))
	if r := mallory.Send(c); r.Status < 300 {
		t.Error("the honest server took an expert's document")
	}
	mallory.Plant(c)
	ada := o.ada.Beware()
	ada.Refused(ada.Look(o.matter), chain.ErrRights)
	ada.Closed(o.matter)

	o = newOffice(t)
	mallory = o.with(chain.RoleClient)
	stranger := o.Stranger()
	f := mallory.File(o.ID(), "Planted.txt", o.content)
	f.Header.Author = stranger.Identity.Public().Fingerprint()
	c = mallory.Add(nil, f)
	c.Effect.Actor, c.Signer = stranger.Member, stranger.Identity
	mallory.Plant(c)
	ada = o.ada.Beware()
	ada.Refused(ada.Look(o.matter), chain.ErrRights)
	ada.Closed(o.matter)
}

// A tombstone is for good: a member's new version and new name of a deleted document change nothing, and the entry that
// once added it does not count again.
func resurrection(t *testing.T) {
	o := newOffice(t)
	all := o.World.Entries(layout.State, o.ada.Firm, o.matter)
	added := all[len(all)-1]
	_, err := o.ada.DeleteDocuments(Soon(t), o.matter, []wire.ObjectID{o.doc})
	o.ok(err)
	mallory := o.with(chain.RoleParalegal)
	f := mallory.File(o.doc, "Complaint.txt", o.content)
	mallory.Plant(mallory.Add(nil, f))
	mallory = mallory.Again().In().Insider(o.matter)
	effect, body := mallory.Effect(chain.KindBatch), Head()
	effect.Batch = &chain.BatchEffect{Ops: []chain.OpEffect{{Kind: chain.OpPlace, Document: o.doc}}}
	body.Text("Back again.txt")
	body.Text("")
	mallory.Plant(mallory.Craft(effect, body.Bytes()))

	for _, d := range o.clara.View(o.matter).Documents {
		if d.Document == o.doc.String() && (d.Deleted == nil || len(d.Versions) != 1 || d.Name != "Complaint.txt") {
			t.Errorf("a deleted document changed: %+v", d)
		}
	}
	clara := o.clara.Beware()
	_, err = clara.Get(o.matter, o.doc)
	clara.Stopped(err, api.CodeGone, nil)

	o.Plant(o.ada.Firm, o.matter, chain.Submission{Entry: added})
	clara.Beware()
	clara.Refused(clara.Look(o.matter), chain.ErrOrder)
	clara.Closed(o.matter)
}

var badNames = []string{"../../etc/passwd", "..", ".", "a/b.txt", `a\b.txt`, "line\nbreak.txt", "null\x00.txt", "\u202Efdp.exe", "left\u2066to\u2069right.txt",
	"\ufeffbom.txt", " space.txt", "space.txt ", "", "\u2028.txt", string([]byte{0xff, 'a'})}

// Not a lie of a server: names that climb, hide or break lines are in no list, whoever signed them, and none is sent. What
// looks like markup is a name like any other, which screens show as text.
func hostileNames(t *testing.T) {
	o := newOffice(t)
	mallory := o.with(chain.RoleParalegal)
	markup := `<img src=x onerror="alert(1)">.txt`
	bad := append([]string{markup}, badNames[:len(badNames)-1]...) // the last is no text, and no entry at all
	var files []*File
	for _, name := range bad {
		f := mallory.File(o.ID(), name, text(10))
		mallory.Bring(f)
		files = append(files, f)
	}
	inFolder := mallory.File(o.ID(), "fine.txt", text(10))
	inFolder.Manifest.Folder = "../.."
	mallory.Bring(inFolder)
	mallory.MustSend(mallory.Add(nil, append(files, inFolder)...))
	mallory = mallory.Again().In().Insider(o.matter)
	effect, body := mallory.Effect(chain.KindBatch), Head()
	effect.Batch = &chain.BatchEffect{}
	for _, name := range bad[1:] {
		effect.Batch.Ops = append(effect.Batch.Ops, chain.OpEffect{Kind: chain.OpPlace, Document: o.doc})
		body.Text(name)
		body.Text("")
	}
	mallory.MustSend(mallory.Craft(effect, body.Bytes()))

	for _, d := range o.clara.View(o.matter).Documents {
		if document.CheckName(d.Name) != nil || document.CheckFolder(d.Folder) != nil || (d.Name != markup && d.Name != "Complaint.txt") {
			t.Errorf("a document is listed as %q in %q", d.Name, d.Folder)
		}
	}
	state := o.clara.Insider(o.matter).State
	if got, want := len(state.Voids), 2*len(bad)-1; got != want {
		t.Errorf("%d operations are void, want %d", got, want)
	}
	for _, name := range badNames {
		if name == "a/b.txt" {
			continue // a folder that was dropped
		}
		ada := o.ada.Beware()
		_, err := ada.Upload(Soon(t), o.matter, "", []client.File{{Path: name, Source: NewSource(text(10))}})
		if err == nil {
			t.Errorf("%q was taken", name)
			continue
		}
		ada.Stopped(err, api.CodeBadName, nil)
	}
}

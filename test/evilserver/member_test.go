package evilserver

import (
	"bytes"
	"crypto/rand"
	"slices"
	"sort"
	"testing"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

var memberCases = []attack{
	{"25-matter-key-of-the-attacker", attackersKey},
	{"26-ghost-on-the-roster", ghost},
	{"28-removed-owner-invites-himself", selfReadmission},
	{"29-client-renames-and-deletes", escalation},
	{"31-old-epoch-as-the-newest", oldEpoch},
	{"33-wrap-of-another-place", wrapReplay},
	{"34-wraps-for-a-list-of-the-servers", serversList},
	{"35-other-keys-for-one-member", equivocation},
	{"37-unsigned-as-a-colleagues", unsigned},
	{"38-another-suite", downgrade},
}

// A client of the matter, with the server, opens an epoch whose keys both know. And the server alone hands out a wrap of
// keys that it made.
func attackersKey(t *testing.T) {
	o := newOffice(t)
	mallory := o.with(chain.RoleClient)
	o.Plant(o.ada.Firm, o.matter, mallory.Rotate(mallory.Author, func(*chain.Effect, *Statement, *chain.EpochKeys, *[]chain.Row) {}))
	for _, p := range []*Person{o.ada, o.clara} {
		p.Beware()
		p.Refused(p.Look(o.matter), chain.ErrRights)
		p.Closed(o.matter)
	}

	o = newOffice(t)
	known := &chain.EpochKeys{Epoch: 1, Content: chain.Secret{1}, HistoryContent: chain.Secret{2}, Trail: chain.Secret{3}, TrailHistory: chain.Secret{4}}
	ada := o.ada.author()
	row := o.Wrap(&chain.Effect{Chain: o.matter, Entry: o.ID(), Epoch: 1, Actor: ada.Member}, ada.Member, ada.Identity.Public(), chain.RoleOwner, o.Stranger(), Grant(chain.RoleOwner, known))
	TwistJSON(o.World, "GET", api.RouteWrap, func(v *api.WrapReply) { v.Row = row.Bytes })
	fresh := o.ada.Elsewhere().In().Beware()
	fresh.Refused(fresh.Look(o.matter), chain.ErrLeaf)
	fresh.Closed(o.matter)
}

// Even an owner cannot seat somebody who never came by an invite that all can see.
func ghost(t *testing.T) {
	o := newOffice(t)
	mallory := o.with(chain.RoleOwner)
	stranger := o.Stranger()
	o.Plant(o.ada.Firm, o.matter, mallory.Rotate(mallory.Author, func(e *chain.Effect, s *Statement, k *chain.EpochKeys, rows *[]chain.Row) {
		seat := chain.Seat{Member: stranger.Member, Fingerprint: wire.Hash(stranger.Identity.Public().Fingerprint()), Role: chain.RoleClient, From: 1}
		e.Statement.Seats = append(e.Statement.Seats, seat)
		sort.Slice(e.Statement.Seats, func(a, b int) bool {
			return bytes.Compare(e.Statement.Seats[a].Member[:], e.Statement.Seats[b].Member[:]) < 0
		})
		*rows = append(*rows, o.Wrap(e, stranger.Member, stranger.Identity.Public(), chain.RoleClient, mallory.Author, Grant(chain.RoleClient, k)))
		sort.SliceStable(*rows, func(a, b int) bool { return bytes.Compare((*rows)[a].Recipient[:], (*rows)[b].Recipient[:]) < 0 })
		s.RowsRoot = RowsRoot(*rows)
	}))
	for _, p := range []*Person{o.ada, o.clara} {
		p.Beware()
		p.Refused(p.Look(o.matter), chain.ErrRoster)
		p.Closed(o.matter)
	}
}

// invite crafts an invite entry of anybody's.
func invite(i *Insider, as chain.Author) *Craft {
	effect := i.Effect(chain.KindInvite)
	effect.Actor = as.Member
	effect.Invite = &chain.InviteEffect{Invite: i.ID(), PublicKey: [32]byte{1}, Role: chain.RoleOwner, Mode: chain.ModeOpensAtOnce, Expires: 1 << 40}
	body := Head()
	body.Text("Mallory")
	body.Fixed(make([]byte, 32))
	body.Count(0)
	body.Fixed(make([]byte, 32))
	c := i.Craft(effect, body.Bytes())
	c.Signer = as.Identity
	return c
}

// Mallory was an owner and was removed. With the server, and a member who tells her the keys of the day, she invites herself.
func selfReadmission(t *testing.T) {
	o := newOffice(t)
	mallory := o.with(chain.RoleOwner)
	_, err := o.ada.RemoveMember(Soon(t), o.matter, mallory.Author.Member)
	o.ok(err)
	o.ok(o.clara.Look(o.matter))
	helper := o.clara.Again().In().Insider(o.matter)
	helper.Plant(invite(helper, mallory.Author))
	ada := o.ada.Beware()
	ada.Refused(ada.Look(o.matter), chain.ErrRights)
	ada.Closed(o.matter)
}

// A client may add documents and nothing else; a server that stores his renaming does not make it one.
func escalation(t *testing.T) {
	for _, kind := range []chain.OpKind{chain.OpPlace, chain.OpDelete, chain.OpProfile} {
		o := newOffice(t)
		mallory := o.with(chain.RoleClient)
		effect, body := mallory.Effect(chain.KindBatch), Head()
		effect.Batch = &chain.BatchEffect{Ops: []chain.OpEffect{{Kind: kind, Document: o.doc}}}
		switch kind {
		case chain.OpPlace:
			body.Text("Harmless.txt")
			body.Text("")
		case chain.OpProfile:
			effect.Batch.Ops[0].Document = wire.ObjectID{}
			body.Text("Another matter")
		}
		c := mallory.Craft(effect, body.Bytes())
		if r := mallory.Send(c); r.Status < 300 {
			t.Errorf("the honest server took operation %d of a client", kind)
		}
		mallory.Plant(c)
		ada := o.ada.Beware()
		ada.Refused(ada.Look(o.matter), chain.ErrRights)
		ada.Closed(o.matter)
	}
}

// After a removal the server offers the epoch before, for which the removed member has the keys: to a device that knows
// better, and to one that knows only what the account remembers.
func oldEpoch(t *testing.T) {
	o := newOffice(t)
	mark := o.Mark()
	o.ok(o.ada.Elsewhere().In().Look(o.matter))
	o.ok(o.ada.Look(o.matter))
	before := o.Since(mark)
	_, err := o.ada.RemoveMember(Soon(t), o.matter, o.clara.author().Member)
	o.ok(err)

	o.Replay(before)
	ada := o.ada.Beware()
	_, err = ada.Put(o.matter, "For the rest.txt", text(100))
	ada.Refused(err, client.ErrRolledBack)
	ada.Closed(o.matter)

	o.Replay(before)
	fresh := o.ada.Elsewhere().In().Beware()
	_, err = fresh.Put(o.matter, "For the rest.txt", text(100))
	fresh.Refused(err, chain.ErrAnchor)
	fresh.Closed(o.matter)
}

// wraps are the rows that the store holds for a member.
func (o *office) wrap(matter wire.ChainID, member wire.ObjectID, epoch uint32) (row []byte) {
	o.Helper()
	o.Edit(layout.FirmPartition(o.ada.Firm), func(tx store.Tx) (err error) {
		row, err = tx.Get(layout.WrapKey(matter, member, epoch))
		return err
	})
	return row
}

func wrapReplay(t *testing.T) {
	o := newOffice(t)
	clara := o.clara.author().Member
	second := o.ada.NewMatter("Another matter")
	_, err := o.clara.Accept(o.ada.InviteTo(second, "Clara", chain.RoleClient, chain.ModeOpensAtOnce))
	o.ok(err)
	mallory := o.with(chain.RoleClient)
	first := o.wrap(o.matter, clara, 1)
	_, err = o.ada.RemoveMember(Soon(t), o.matter, mallory.Author.Member)
	o.ok(err)

	epoch := bytes.Clone(first)
	epoch[1+32+16+3] = 2 // says that it is of the newest epoch
	for _, c := range []struct {
		name string
		row  []byte
		want error
	}{
		{"of another matter", o.wrap(second, clara, 1), chain.ErrWrap},
		{"of another person", o.wrap(o.matter, o.ada.author().Member, 2), chain.ErrWrap},
		{"of an older epoch", first, chain.ErrEpoch},
		{"of an older epoch, made to say otherwise", epoch, chain.ErrWrap},
	} {
		TwistJSON(o.World, "GET", api.RouteWrap, func(v *api.WrapReply) { v.Row = c.row })
		fresh := o.clara.Elsewhere().In().Beware()
		t.Log(c.name)
		fresh.Refused(fresh.Look(o.matter), c.want)
		fresh.Closed(o.matter)
	}
}

// Not a lie that a client could find: whatever lists of people the server serves, wraps go to exactly the roster
// that was derived, because no list is asked for.
func serversList(t *testing.T) {
	o := newOffice(t)
	petra := o.ada.Guest(o.matter, "Petra", chain.RoleParalegal)
	stranger := o.Stranger()
	TwistJSON(o.World, "GET", api.RouteChains, func(v *api.Chains) {
		v.Chains = append(v.Chains, api.ChainSeat{ChainHead: api.ChainHead{Chain: o.matter}, Role: "owner"})
	})
	_, err := o.ada.RemoveMember(Soon(t), o.matter, o.clara.author().Member)
	o.ok(err)
	sub, err := chain.ParseSubmission(o.Last("POST", api.RouteEntries).Request.Body)
	o.ok(err)
	var got, want []string
	for _, row := range sub.Rows {
		wrap, err := chain.ParseWrap(row.Bytes)
		o.ok(err)
		got = append(got, wrap.Recipient.String())
		if _, err := chain.Unwrap(o.matter, chain.Author{Member: wrap.Recipient, Identity: stranger.Identity}, row.Bytes); err == nil {
			t.Error("a wrap opens with the server's key")
		}
	}
	for _, p := range []*Person{o.ada, petra} {
		want = append(want, p.author().Member.String())
	}
	sort.Strings(got)
	sort.Strings(want)
	if !slices.Equal(got, want) {
		t.Errorf("wrapped to %d, want to exactly the %d that stay", len(got), len(want))
	}
	o.Honest()
	if content, err := petra.Get(o.matter, o.doc); err != nil || !bytes.Equal(content, o.content) {
		t.Errorf("who stays reads on: %v", err)
	}
}

// An owner gives one member another history key than the rest, so that they would come to read different pasts.
func equivocation(t *testing.T) {
	o := newOffice(t)
	mallory := o.with(chain.RoleOwner)
	victim := o.clara.author()
	o.Plant(o.ada.Firm, o.matter, mallory.Rotate(mallory.Author, func(e *chain.Effect, s *Statement, k *chain.EpochKeys, rows *[]chain.Row) {
		other := *k
		_, err := rand.Read(other.HistoryContent[:])
		o.ok(err)
		for n, row := range *rows {
			if row.Recipient == victim.Member {
				(*rows)[n] = o.Wrap(e, victim.Member, victim.Identity.Public(), chain.RoleClient, mallory.Author, Grant(chain.RoleClient, &other))
			}
		}
		s.RowsRoot = RowsRoot(*rows)
	}))
	clara := o.clara.Beware()
	clara.Refused(clara.Look(o.matter), chain.ErrCommitment)
	clara.Closed(o.matter)
	o.ok(o.ada.Look(o.matter)) // she was given what was committed to
}

// An entry in Ada's name, with everything right but her signature.
func unsigned(t *testing.T) {
	for _, signature := range [][]byte{nil, {}, make([]byte, 3373)} {
		o := newOffice(t)
		mallory := o.with(chain.RoleClient)
		effect, body := mallory.Effect(chain.KindBatch), Head()
		effect.Actor = o.ada.author().Member
		effect.Batch = &chain.BatchEffect{Ops: []chain.OpEffect{{Kind: chain.OpDelete, Document: o.doc}}}
		c := mallory.Craft(effect, body.Bytes())
		c.Signature = signature // nil: Mallory's own
		mallory.Plant(c)
		clara := o.clara.Beware()
		clara.Refused(clara.Look(o.matter), chain.ErrEntrySig)
		clara.Closed(o.matter)
	}
}

// One suite: an entry, a wrap, a body or a link that names another is no entry, wrap, body or link.
func downgrade(t *testing.T) {
	for _, suite := range []uint8{2, 255} {
		o := newOffice(t)
		mallory := o.with(chain.RoleParalegal)
		effect, body := mallory.Effect(chain.KindBatch), Head()
		effect.Batch = &chain.BatchEffect{Ops: []chain.OpEffect{{Kind: chain.OpDelete, Document: o.doc}}}
		c := mallory.Craft(effect, body.Bytes())
		c.Suite = suite
		mallory.Plant(c)
		ada := o.ada.Beware()
		ada.Refused(ada.Look(o.matter), wire.ErrSuite)
		ada.Closed(o.matter)
	}

	o := newOffice(t)
	link := o.ada.InviteTo(o.matter, "Petra", chain.RoleClient, chain.ModeOpensAtOnce)
	at := bytes.IndexByte([]byte(link), '#') + 1
	old := []byte(link)
	old[at] = 'C' // suite 9
	petra := o.Person("Petra").Beware()
	_, err := petra.OpenInvite(Soon(t), string(old))
	petra.Stopped(err, api.CodeBadLink, nil)

	TwistJSON(o.World, "GET", api.RouteWrap, func(v *api.WrapReply) { v.Row[0] = 0 })
	fresh := o.clara.Elsewhere().In().Beware()
	fresh.Refused(fresh.Look(o.matter), chain.ErrWrap)

	// A body that asks for another cipher or segment length, by a member who uploaded it so.
	mallory := o.with(chain.RoleClient)
	f := mallory.File(o.ID(), "Old.txt", text(100))
	f.FLOE[0] ^= 1
	mallory.Bring(f)
	mallory.MustSend(mallory.Add(nil, f))
	clara := o.clara.Beware()
	_, err = clara.Get(o.matter, f.Header.Document)
	clara.Refused(err, seal.ErrOpen)

	// Both halves of a signature count.
	id := o.Stranger().Identity
	signature, err := id.Sign(keys.LabelSignEntry, nil)
	o.ok(err)
	for _, n := range []int{0, len(signature) - 1} {
		half := bytes.Clone(signature)
		half[n] ^= 1
		if id.Public().Verify(keys.LabelSignEntry, nil, half) == nil {
			t.Error("one half of a signature is enough")
		}
	}
}

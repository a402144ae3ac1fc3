package evilserver

import (
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/recovery"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

var recoveryCases = []attack{
	{"18-left-in-anothers-name", leftByAnother},
	{"18-begun-by-who-may-not", begunByWhoMayNot},
	{"18-asked-for-by-the-server", askedByServer},
	{"18-asked-for-by-somebody-else-meanwhile", askedByAnother},
	{"18-begun-by-a-thief", begunByThief},
	{"18-a-veto-that-is-hidden", hiddenVeto},
	{"18-handed-back-somebody-else", handedAnother},
	{"18-keys-of-another", keysOfAnother},
	{"18-what-is-sent-all-the-way", sentAllTheWay},
	{"19-other-custodians-and-a-lower-threshold", lowerThreshold},
	{"19-an-older-share", olderShare},
	{"19-what-was-handed-over-once", handedOverOnce},
	{"19-rows-before-their-time", rowsEarly},
}

// custody is an office with custodians: two of Ada, Bob and Cora hand Dora back after 48 hours.
type custody struct {
	*office
	bob, cora, dora *Person
	firm            wire.ChainID
	link            string
	id              wire.ObjectID
}

const delay = 48 * time.Hour

func newCustody(t *testing.T) *custody {
	t.Helper()
	o := &custody{office: newOffice(t)}
	o.firm = o.ada.Firm
	for _, x := range []struct {
		p    **Person
		name string
	}{{&o.bob, "Bob"}, {&o.cora, "Cora"}, {&o.dora, "Dora"}} {
		*x.p = o.ada.Guest(o.firm, x.name, chain.RoleParalegal)
	}
	o.ada.HandBack(2, 48, "Ada", "Bob", "Cora")
	o.dora.Leave()
	return o
}

// lost has Ada begin to hand Dora back, and everybody see it.
func (o *custody) lost() {
	o.Helper()
	o.link, o.id = o.ada.BeginFor("Dora")
	for _, p := range []*Person{o.bob, o.cora} {
		o.ok(p.Look(o.firm))
	}
}

func (o *custody) later(d time.Duration) {
	o.Helper()
	o.Clock.Advance(d)
	for _, p := range []**Person{&o.ada, &o.bob, &o.cora, &o.dora} {
		*p = (*p).Again().In()
	}
}

// asks is somebody new who asks with the link, with two ways to unlock.
func (o *custody) asks(name string) *Person {
	o.Helper()
	p := o.Person(name)
	_, err := p.Asks(Soon(o), o.link)
	o.ok(err)
	p.SecondWay()
	return p
}

// opened is what the link opens.
func (o *custody) opened() (l chain.RecoveryLink, p chain.RecoveryPackage) {
	o.Helper()
	l, err := client.ParseRecoveryLink(o.link)
	o.ok(err)
	o.Edit(layout.FirmPartition(o.firm), func(tx store.Tx) error {
		sealed, err := tx.Get(layout.RecoveryPackageKey(o.id))
		if err == nil {
			p, err = l.Open(sealed)
		}
		return err
	})
	return l, p
}

// An insider leaves Dora's identity, or what he says is hers, with the firm's custodians, in her name. Nobody takes it for hers.
func leftByAnother(t *testing.T) {
	o := newCustody(t)
	paul := o.ada.Guest(o.firm, "Paul", chain.RoleParalegal)
	i := paul.Insider(o.firm)
	rows := []chain.Row{{Kind: chain.RowEscrow, Recipient: o.dora.author().Member, Bytes: text(72)}}
	for _, c := range i.State.Policy.CustodiansFor(o.dora.author().Member) {
		rows = append(rows, chain.Row{Kind: chain.RowShare, Recipient: c.Member, Bytes: text(1200)})
	}
	effect := i.Effect(chain.KindEscrow)
	effect.Actor, effect.Escrow = o.dora.author().Member, &chain.EscrowEffect{Policy: i.State.Policy.Position}
	body := Head()
	root := RowsRoot(rows)
	body.Fixed(root[:])
	i.Plant(i.Craft(effect, body.Bytes()), rows...)
	for _, p := range []*Person{o.dora, o.bob} {
		p := p.Again().In().Beware()
		p.Refused(p.Look(o.firm), chain.ErrEntrySig)
		p.Closed(o.firm)
	}
}

// recover crafts the entry that begins to hand somebody back.
func (i *Insider) recover(member wire.ObjectID, key ed25519.PublicKey) *Craft {
	effect := i.Effect(chain.KindRecover)
	effect.Recover = &chain.RecoverEffect{Recovery: i.ID(), Member: member, PublicKey: [32]byte(key), Expires: uint64(i.Clock.Now().Add(delay).Unix())}
	body := Head()
	body.Text("I say so.")
	body.Fixed(make([]byte, 32))
	return i.Craft(effect, body.Bytes())
}

// Somebody who is neither an owner nor a custodian begins to hand Dora back to himself; a custodian does it to somebody who left
// nothing, and for himself.
func begunByWhoMayNot(t *testing.T) {
	key, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		who   func(o *custody, paul *Person) (by, of *Person)
		cause error
	}{
		"no custodian":     {func(o *custody, paul *Person) (by, of *Person) { return paul, o.dora }, chain.ErrRights},
		"who left nothing": {func(o *custody, paul *Person) (by, of *Person) { return o.bob, paul }, chain.ErrRecovery},
		"himself":          {func(o *custody, paul *Person) (by, of *Person) { return o.dora, o.dora }, chain.ErrRights},
	} {
		t.Log(name)
		o := newCustody(t)
		by, of := x.who(o, o.ada.Guest(o.firm, "Paul", chain.RoleParalegal))
		i := by.Insider(o.firm)
		i.Plant(i.recover(of.author().Member, key))
		p := o.ada.Again().In().Beware()
		p.Refused(p.Look(o.firm), x.cause)
		p.Closed(o.firm)
	}
}

// shows has the server show custodians a claim of its own.
func (o *custody) shows(claim chain.Claim) {
	o.Lie("GET", api.RouteRecoveryClaim, func(*Request) *Reply {
		return jsonReply(o.World, api.ClaimReply{Bundle: claim.Bundle.Bytes(), Signature: claim.Signature})
	})
}

// The server shows a custodian keys of its own, while he waits to be telephoned by Dora.
func askedByServer(t *testing.T) {
	o := newCustody(t)
	o.lost()
	o.asks("Dora, anew")
	o.later(delay + time.Minute)
	l, _ := o.opened()
	mine, err := l.Claim(o.Stranger().Identity)
	o.ok(err)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	o.ok(err)
	elsewhere := l
	elsewhere.Recovery = o.ID()
	ofAnother, err := elsewhere.Claim(o.Stranger().Identity)
	o.ok(err)
	anybody := l
	anybody.Member = o.bob.author().Member
	ofBob, err := anybody.Claim(o.Stranger().Identity)
	o.ok(err)
	other := chain.Claim{Bundle: mine.Bundle, Signature: ed25519.Sign(key, chain.ClaimMessage(o.firm, o.id, l.Member, mine.Bundle))}
	reused := chain.Claim{Bundle: mine.Bundle, Signature: ofAnother.Signature}
	for name, claim := range map[string]chain.Claim{"signed by itself": other, "a signature over other keys": reused, "of another recovery": ofAnother, "of another member": ofBob} {
		t.Log(name)
		o.shows(claim)
		bob := o.bob.Again().In().Beware()
		_, err := bob.Ceremony(Soon(t), o.firm, o.id)
		bob.Refused(err, chain.ErrRecovery)
		o.shows(claim)
		bob = o.bob.Again().In().Beware()
		_, err = bob.Approve(Soon(t), o.firm, o.id, claim.Bundle.Keys.Fingerprint().String())
		bob.Refused(err, chain.ErrRecovery)
	}
}

// Somebody else had the link, too, and asks between the words that Bob compared and his word: nothing is handed over.
func askedByAnother(t *testing.T) {
	o := newCustody(t)
	o.lost()
	o.asks("Dora, anew")
	o.later(delay + time.Minute)
	shown, err := o.bob.Ceremony(Soon(t), o.firm, o.id)
	o.ok(err)
	o.asks("Mallory")
	bob := o.bob.Beware()
	_, err = bob.Approve(Soon(t), o.firm, o.id, shown.Claim.Fingerprint)
	bob.Stopped(err, api.CodeMoved, nil)
}

// A thief at Bob's laptop begins it while Dora is away. Everybody is told, nobody agrees for two days, the one custodian that he
// has is not enough, and Cora, who telephones, stops it.
func begunByThief(t *testing.T) {
	o := newCustody(t)
	o.link, o.id = o.bob.BeginFor("Dora")
	for _, p := range []*Person{o.ada, o.cora, o.dora} {
		a, err := p.Alerts(Soon(t))
		o.ok(err)
		if len(a.Recoveries) != 1 || a.Recoveries[0].By != "Bob" || !a.Recoveries[0].MayStop {
			t.Errorf("%s is not told: %+v", p.Called, a)
		}
	}
	thief := o.asks("Mallory")
	bob := o.bob.Beware()
	bob.Stopped(bob.Agree(o.id), api.CodeTooEarly, nil)
	o.later(delay + time.Minute)
	o.ok(o.bob.Agree(o.id))
	thief = thief.Again().In()
	if _, err := thief.TakeBack(Soon(t), o.id); client.FailureOf(err) == nil || client.FailureOf(err).Code != api.CodeWaiting {
		t.Errorf("with one of two: %v", err)
	}
	_, err := o.cora.Veto(Soon(t), o.firm, o.id, "Dora is on leave.")
	o.ok(err)
	if _, err := thief.TakeBack(Soon(t), o.id); client.FailureOf(err) == nil || client.FailureOf(err).Code != api.CodeRecoveryGone {
		t.Errorf("after it was stopped: %v", err)
	}
	for _, x := range o.Since(0) {
		if Matches(api.RouteRecoveryStanding, x.Path) && (x.Status < 300) && len(x.Reply.Body) > 200 {
			t.Error("something was handed over")
		}
	}
	o.ok(o.dora.Look(o.firm))
}

// The server keeps Dora's veto from a custodian.
func hiddenVeto(t *testing.T) {
	o := newCustody(t)
	o.lost()
	o.asks("Dora, anew")
	o.later(delay + time.Minute)
	head, row := o.Head(o.firm, o.firm), layout.RecoveryKey(o.id)
	var kept []byte
	o.Edit(layout.FirmPartition(o.firm), func(tx store.Tx) (err error) {
		kept, err = tx.Get(row)
		return err
	})
	_, err := o.dora.Veto(Soon(t), o.firm, o.id, "It was not me.")
	o.ok(err)
	o.Edit(layout.FirmPartition(o.firm), func(tx store.Tx) error {
		for _, err := range []error{tx.Put(row, kept), layout.Put(tx, layout.ChainKey(o.firm), head), tx.Delete(layout.EntryKey(layout.State, o.firm, head.Position))} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	for _, p := range []*Person{o.bob.Again(), o.cora.Elsewhere()} {
		p := p.In().Beware()
		p.Refused(p.Agree(o.id), client.ErrPlace)
	}
}

// handsOver has the server hand over an identity of its choice in place of Dora's, sealed, split and wrapped as custodians do:
// somebody who knows the terms is all it needs for that.
func (o *custody) handsOver(to *keys.PublicKeys, seed [32]byte) (standing api.RecoveryStanding) {
	o.Helper()
	l, p := o.opened()
	terms := wire.NewWriter()
	terms.Uint8(wire.Suite)
	terms.Fixed(l.Firm[:])
	terms.Fixed(l.Member[:])
	terms.Fixed(l.Fingerprint[:])
	terms.Uint64(p.Policy)
	terms.Uint8(p.K)
	terms.Count(len(p.Custodians))
	for _, c := range p.Custodians {
		terms.Fixed(c.Member[:])
		terms.Fixed(c.Fingerprint[:])
	}
	label := func(l keys.Label) *wire.Writer {
		w := wire.NewWriter()
		w.Text(string(l))
		w.Fixed(terms.Bytes())
		return w
	}
	key, shares, err := recovery.Split(rand.Reader, int(p.K), len(p.Custodians))
	o.ok(err)
	standing.Escrow, err = seal.Seal(rand.Reader, key[:], label(keys.LabelSealEscrow).Bytes(), seed[:])
	o.ok(err)
	fingerprint := to.Fingerprint()
	for i, c := range p.Custodians {
		info := label(keys.LabelWrapRecovery)
		info.Uint8(uint8(i))
		info.Fixed(fingerprint[:])
		info.Fixed(l.Recovery[:])
		row, err := to.WrapKey(rand.Reader, info.Bytes(), shares[i])
		o.ok(err)
		standing.Shares = append(standing.Shares, api.HandedShare{Custodian: c.Member, Row: row})
	}
	standing.K, standing.Agreed = int(p.K), len(p.Custodians)
	return standing
}

// claimed are the keys that somebody asks with, as the server has them.
func (o *custody) claimed() *keys.PublicKeys {
	o.Helper()
	var b chain.Bundle
	o.Edit(layout.FirmPartition(o.firm), func(tx store.Tx) error {
		r, _, err := layout.Get[layout.Recovery](tx, layout.RecoveryKey(o.id))
		if err == nil {
			b, err = chain.ParseBundle(r.Claim)
		}
		return err
	})
	return b.Keys
}

// The server hands Dora an identity of its own in place of hers, and would have her sign her new keys as its successor's. S-RECOVERY-16
func handedAnother(t *testing.T) {
	o := newCustody(t)
	o.lost()
	again := o.asks("Dora, anew")
	seed, err := keys.GenerateIdentitySeed(rand.Reader)
	o.ok(err)
	theirs, err := keys.NewIdentity(seed)
	o.ok(err)
	l, _ := o.opened()
	bundle, err := chain.NewBundle(l.Member, theirs)
	o.ok(err)
	standing := o.handsOver(o.claimed(), seed)
	standing.Link = chain.FirstKeyLink(o.firm, bundle).Bytes()
	o.hands(standing)
	again.Beware()
	_, err = again.TakeBack(Soon(t), o.id)
	again.Refused(err, chain.ErrRecovery)
	o.finishes(0)
}

// hands has the server answer who asks with rows of its choice.
func (o *custody) hands(standing api.RecoveryStanding) {
	o.Lie("GET", api.RouteRecoveryStanding, func(*Request) *Reply { return jsonReply(o.World, standing) })
}

// finishes asserts how many links were sent.
func (o *custody) finishes(want int) {
	o.Helper()
	n := 0
	for _, x := range o.Since(0) {
		if Matches(api.RouteRecoveryFinish, x.Path) {
			n++
		}
	}
	if n != want {
		o.Errorf("%d links were sent, want %d", n, want)
	}
}

// agreed has the hours pass and two agree.
func (o *custody) agreed() {
	o.Helper()
	o.later(delay + time.Minute)
	o.ok(o.bob.Agree(o.id))
	o.ok(o.cora.Agree(o.id))
}

// What comes back is Dora's, and the server says of the directory that she has other keys, or shows somebody else's, or none. S-RECOVERY-16
func keysOfAnother(t *testing.T) {
	o := newCustody(t)
	o.lost()
	again := o.asks("Dora, anew")
	o.agreed()
	var bobs []byte
	l, _ := o.opened()
	bob := o.bob.author().Member
	o.Edit(layout.FirmPartition(o.firm), func(tx store.Tx) error {
		return tx.Scan(layout.KeyLinksOf(bob), nil, 0, func(_, b []byte) error {
			bobs = append([]byte(nil), b...)
			return nil
		})
	})
	bundle, err := chain.NewBundle(l.Member, o.Stranger().Identity)
	o.ok(err)
	for name, x := range map[string]struct {
		link  []byte
		code  api.Code
		cause error
	}{"Bob's": {bobs, api.CodeServerLied, chain.ErrKeyLink}, "none": {nil, api.CodeServerLied, wire.ErrMalformed},
		"of another firm": {chain.FirstKeyLink(o.matter, must(chain.NewBundle(l.Member, o.Stranger().Identity))).Bytes(), api.CodeServerLied, chain.ErrKeyLink},
		"others of hers":  {chain.FirstKeyLink(o.firm, bundle).Bytes(), api.CodeRecoveryGone, nil}} {
		t.Log(name)
		TwistJSON(o.World, "GET", api.RouteRecoveryStanding, func(s *api.RecoveryStanding) { s.Link = x.link })
		p := again.Again().In().Beware()
		_, err := p.TakeBack(Soon(t), o.id)
		if x.code == api.CodeServerLied {
			p.Refused(err, x.cause)
		} else {
			p.Stopped(err, x.code, nil)
		}
		o.Honest()
	}
	o.finishes(0)
	_, err = again.Again().In().TakeBack(Soon(t), o.id)
	o.ok(err)
	o.finishes(1)
}

// From leaving to coming back, nothing that opens anything is in what anybody sends: not the link, what was left, its key or a share.
func sentAllTheWay(t *testing.T) {
	o := newCustody(t)
	o.lost()
	again := o.asks("Dora, anew")
	o.agreed()
	again = again.Again().In()
	_, err := again.TakeBack(Soon(t), o.id)
	o.ok(err)
	seen := map[string]bool{}
	var secrets []Secret
	for _, p := range []*Person{o.ada, o.bob, o.cora, o.dora, again} {
		for _, s := range p.Secrets() {
			seen[s.Name] = true
			if s.Name != "device token" { // which is for the server, and opens nothing
				secrets = append(secrets, s)
			}
		}
	}
	for _, name := range []string{"recovery link", "recovery secret", "share", "escrow key", "identity seed"} {
		if !seen[name] {
			t.Errorf("no client told of the %s", name)
		}
	}
	if found := o.sentOf(0, secrets); len(found) != 0 {
		t.Errorf("%q", found)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// An insider signs rules with other custodians, or a lower threshold; and the server tells who asks that one is enough.
func lowerThreshold(t *testing.T) {
	o := newCustody(t)
	o.lost()
	again := o.asks("Dora, anew")
	o.later(delay + time.Minute)
	o.ok(o.bob.Agree(o.id))
	l, _ := o.opened()
	bob := o.bob.author().Member
	standing := api.RecoveryStanding{K: 1, Agreed: 1, Shares: []api.HandedShare{{Custodian: bob}}}
	o.Edit(layout.FirmPartition(o.firm), func(tx store.Tx) (err error) {
		if standing.Escrow, err = tx.Get(layout.EscrowRowKey(l.Member)); err == nil {
			standing.Shares[0].Row, err = tx.Get(layout.HandedKey(o.id, bob))
		}
		return err
	})
	o.hands(standing)
	p := again.Again().In().Beware()
	_, err := p.TakeBack(Soon(t), o.id)
	p.Refused(err, chain.ErrRecovery)
	o.finishes(0)

	for name, change := range map[string]func(p *chain.Policy){
		"another custodian": func(p *chain.Policy) { p.Custodians = p.Custodians[:2] },
		"an hour less":      func(p *chain.Policy) { p.RecoveryHours-- },
		"recovery off":      func(p *chain.Policy) { p.RecoveryK, p.RecoveryHours, p.Custodians = 0, 0, nil },
	} {
		t.Log(name)
		o := newCustody(t)
		i := o.bob.Insider(o.firm)
		rules := i.State.Policy.Policy
		change(&rules)
		effect := i.Effect(chain.KindPolicy)
		effect.Policy = &rules
		i.Plant(i.Craft(effect, Head().Bytes()))
		p := o.dora.Again().In().Beware()
		_, err := p.Custody(Soon(t), o.firm)
		p.Refused(err, chain.ErrRights)
		p.Closed(o.firm)
	}
}

// A custodian is shown an older share than he was given, another's, or the hashes of older rows.
func olderShare(t *testing.T) {
	o := newCustody(t)
	share := func(p *Person) (r api.ShareReply) {
		of, by := o.dora.author().Member, p.author().Member
		o.Edit(layout.FirmPartition(o.firm), func(tx store.Tx) (err error) {
			x, _, err := layout.Get[layout.Escrow](tx, layout.EscrowKey(of))
			if err != nil {
				return err
			}
			r.Hashes = x.Hashes
			r.Row, err = tx.Get(layout.ShareKey(of, by))
			return err
		})
		return r
	}
	old := share(o.bob)
	_, err := o.dora.WithdrawEscrow(Soon(t), o.firm)
	o.ok(err)
	o.dora.Leave() // under the same rules: but for the entry that signs it, a share of the older one fits
	newer, coras := share(o.bob), share(o.cora)
	o.lost()
	o.asks("Dora, anew")
	o.later(delay + time.Minute)
	for name, reply := range map[string]api.ShareReply{"older": old, "older, under newer hashes": {Row: old.Row, Hashes: newer.Hashes}, "newer, under older hashes": {Row: newer.Row, Hashes: old.Hashes},
		"another's": coras, "nothing": {}} {
		t.Log(name)
		o.Lie("GET", api.RouteRecoveryShare, func(*Request) *Reply { return jsonReply(o.World, reply) })
		bob := o.bob.Again().In().Beware()
		bob.Refused(bob.Agree(o.id), chain.ErrRecovery)
		o.Honest()
	}
	o.ok(o.bob.Again().In().Agree(o.id))
}

// What custodians handed over in a recovery that was stopped is handed over again, in the next one, before anybody agreed.
func handedOverOnce(t *testing.T) {
	o := newCustody(t)
	o.lost()
	first := o.asks("Dora, anew")
	o.agreed()
	var kept []byte
	o.Lie("GET", api.RouteRecoveryStanding, func(r *Request) *Reply {
		reply := r.Real()
		kept = reply.Body
		return reply
	})
	if v, err := first.Again().In().Asking(Soon(t)); err != nil || v[0].State != "agreed" {
		t.Fatal(v, err)
	}
	o.Honest()
	_, err := o.dora.Veto(Soon(t), o.firm, o.id, "I am here.")
	o.ok(err)
	o.ok(o.ada.Look(o.firm))
	o.lost()
	second := o.asks("Dora, once more")
	o.Lie("GET", api.RouteRecoveryStanding, func(*Request) *Reply {
		return &Reply{Status: 200, Header: http.Header{"Content-Type": {api.TypeJSON}}, Body: kept}
	})
	second.Beware()
	_, err = second.TakeBack(Soon(t), o.id)
	second.Refused(err, chain.ErrRecovery)
	o.finishes(0)
}

// The server serves what it has before anybody agreed: the sealed identity, and shares as they are, wrapped to custodians.
func rowsEarly(t *testing.T) {
	o := newCustody(t)
	o.lost()
	again := o.asks("Dora, anew")
	l, p := o.opened()
	standing := api.RecoveryStanding{K: 2, Agreed: 2}
	o.Edit(layout.FirmPartition(o.firm), func(tx store.Tx) (err error) {
		if standing.Escrow, err = tx.Get(layout.EscrowRowKey(l.Member)); err != nil {
			return err
		}
		for _, c := range p.Custodians {
			row, err := tx.Get(layout.ShareKey(l.Member, c.Member))
			if err != nil {
				return err
			}
			standing.Shares = append(standing.Shares, api.HandedShare{Custodian: c.Member, Row: row})
		}
		return nil
	})
	o.hands(standing)
	again.Beware()
	_, err := again.TakeBack(Soon(t), o.id)
	again.Refused(err, chain.ErrRecovery)
	o.finishes(0)
	// And a custodian's client is not hurried by it: it waits by its own clock.
	o.Lie("GET", api.RouteRecoveryShare, func(*Request) *Reply { return jsonReply(o.World, api.ShareReply{}) })
	bob := o.bob.Beware()
	bob.Stopped(bob.Agree(o.id), api.CodeTooEarly, nil)
}

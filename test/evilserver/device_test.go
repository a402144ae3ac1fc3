package evilserver

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"slices"
	"testing"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/device"
	"github.com/underseal/underseal/protocol/directory"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

var deviceCases = []attack{
	{"04-revoked-key-comes-back", revokedKey},
	{"09-device-enrolled-for-somebody-else", enrolledForAnother},
	{"17-whole-vault-in-place-of-another", wholeVault},
}

// catchUp applies what was entered since, as somebody can who has the epoch's keys.
func (i *Insider) catchUp() {
	i.Helper()
	for _, e := range i.World.Entries("state", i.Firm, i.matter)[i.State.Position:] {
		i.ok(i.State.Apply(e))
	}
}

// renewed replaces somebody's root and tells the firms.
func (p *Person) renewed() {
	p.Helper()
	p.ok(p.NewRoot(Soon(p)))
	v, err := p.ContinueRenewal(Soon(p))
	p.ok(err)
	if len(v.Left) > 0 {
		p.Fatalf("%+v", v)
	}
}

// Clara's lost device, with her old keys and the epoch's, goes on in her name after she has new ones: what it signs is nobody's, and
// nothing is sealed where it reads.
func revokedKey(t *testing.T) {
	forge := func(o *office, thief *Insider, effect *chain.Effect, body *wire.Writer) error {
		thief.Plant(thief.Craft(effect, body.Bytes()))
		ada := o.ada.Again().In().Beware()
		o.ada = ada
		return ada.Look(o.matter)
	}
	lost := func() (*office, *Insider) {
		o := newOffice(t)
		thief := o.clara.Again().In().Insider(o.matter)
		o.clara.renewed()
		thief.catchUp()
		return o, thief
	}
	o, thief := lost()
	effect := thief.Effect(chain.KindDeclare)
	effect.Declare = &chain.DeclareEffect{Ways: 9}
	body := Head()
	body.Uint16(1)
	err := forge(o, thief, effect, body)
	o.ada.Refused(err, chain.ErrEntrySig)
	o.ada.Closed(o.matter)

	// Nor does the old key follow the new one by its own word.
	o, thief = lost()
	links := o.links(o.ada.Firm, thief.Author.Member)
	bundle, err := chain.NewBundle(thief.Author.Member, thief.Author.Identity)
	o.ok(err)
	back, err := links[1].Next(bundle, thief.Author.Identity)
	o.ok(err)
	o.putLink(o.ada.Firm, back)
	clara := o.clara.Again().In().Beware()
	clara.Refused(clara.Look(o.matter), chain.ErrKeyLink)
	clara.Closed(o.matter)

	// And a server that shows the directory as it was, with her old key the newest, to who has not seen more.
	o = newOffice(t)
	dan := o.ada.Guest(o.matter, "Dan", chain.RoleOwner)
	o.clara.renewed()
	TwistJSON(o.World, "POST", api.RouteLookup, func(r *api.KeysReply) {
		for i := range r.Lookups {
			if n := len(r.Lookups[i].Links); n > 1 {
				r.Lookups[i].Links, r.Lookups[i].Proofs, r.Lookups[i].Present = r.Lookups[i].Links[:n-1], r.Lookups[i].Proofs[:n], r.Lookups[i].Present[:n-1]
			}
		}
	})
	dan.Beware()
	_, err = dan.RemoveMember(Soon(t), o.matter, o.ada.author().Member)
	dan.Refused(err, directory.ErrLookup)
}

// links are what the directory has of somebody.
func (w *World) links(firm wire.ChainID, member wire.ObjectID) (links []chain.KeyLink) {
	w.Helper()
	w.Edit(layout.FirmPartition(firm), func(tx store.Tx) error {
		return tx.Scan(layout.KeyLinksOf(member), nil, 0, func(_, b []byte) error {
			link, err := chain.ParseKeyLink(b)
			links = append(links, link)
			return err
		})
	})
	return links
}

// accountNow is what the server says of somebody's account.
func (p *Person) accountNow() (a api.Account) {
	p.Helper()
	p.ok(json.Unmarshal(p.Do("GET", api.RouteAccount, "", nil, nil).Body, &a))
	return a
}

// The server stands between a new device and Ada's, and a third device scans the code first.
func enrolledForAnother(t *testing.T) {
	w := NewWorld(t, nil)
	ada := w.Founder("Ada")
	mallory := w.Founder("Mallory")
	ask := func() (*Person, client.DeviceCodeView) {
		fresh := w.Person("Tablet").Beware()
		v, err := fresh.AskDevice(Soon(t))
		w.ok(err)
		return fresh, v
	}
	answered := func(fresh *Person) client.DeviceAskView {
		v, err := fresh.DeviceAsked(Soon(t))
		w.ok(err)
		return v
	}
	evil, err := device.NewKeys(rand.Reader)
	w.ok(err)

	// Another request under the code: Ada's root would go to the server. Nothing goes.
	_, v := ask()
	TwistJSON(w, "GET", api.RouteDeviceRequest, func(r *api.DeviceRequest) { r.Request = evil.Request().Bytes() })
	ada.Beware()
	_, err = ada.OpenDeviceCode(Soon(t), v.Code)
	ada.Refused(err, device.ErrRequest)
	for _, x := range w.Since(ada.marks.exchange) {
		if x.Method == "PUT" && Matches(api.RouteDeviceAnswer, x.Path) {
			t.Error("an answer was sent to the server's own request")
		}
	}

	// A third device reads the code from the screen, before Ada's: it is told that it was answered, and the new one shows whose
	// account it would be, with words that no screen of Ada's has.
	fresh, v := ask()
	theirs, err := mallory.OpenDeviceCode(Soon(t), v.Code)
	w.ok(err)
	w.ok(mallory.GrantDevice(Soon(t)))
	_, err = ada.OpenDeviceCode(Soon(t), v.Code)
	ada.Stopped(err, api.CodeRequestTaken, nil)
	if seen := answered(fresh); seen.Name != "Mallory" || !slices.Equal(seen.Words, theirs.Words) {
		t.Errorf("%+v", seen)
	}

	// The server answers in Ada's place, under her name and for her account, and Ada's own device too: the words differ.
	fresh, v = ask()
	real, err := ada.OpenDeviceCode(Soon(t), v.Code)
	w.ok(err)
	var standing api.DeviceRequest
	w.ok(json.Unmarshal(ada.Do("GET", api.DeviceRequestPath(v.Code), "", nil, nil).Body, &standing))
	request, err := device.ParseRequest(standing.Request)
	w.ok(err)
	forged, err := device.NewAnswer(rand.Reader, w.Origin, request, ada.account, "Ada")
	w.ok(err)
	evilRoot, err := vault.GenerateRoot(rand.Reader)
	w.ok(err)
	grant, err := forged.Grant(rand.Reader, evilRoot)
	w.ok(err)
	// For the very words of an answer, which the server sees, and signed by nobody: it wraps what it likes.
	wrapped := func(words keys.Fingerprint) device.Grant {
		info := wire.NewWriter()
		info.Text(string(keys.LabelWrapDevice))
		info.Fixed(words[:])
		b, err := keys.WrapTo(rand.Reader, request.WrapKey, info.Bytes(), evilRoot[:])
		w.ok(err)
		return device.Grant{Root: b, Signature: make([]byte, ed25519.SignatureSize)}
	}
	TwistJSON(w, "GET", api.RouteDeviceRequest, func(r *api.DeviceRequest) { r.Answer, r.Grant = forged.Bytes(), grant.Bytes() })
	if seen := answered(fresh); seen.Name != "Ada" || slices.Equal(seen.Words, real.Words) {
		t.Errorf("another answer has the same words: %+v", seen)
	}
	// It cannot change its mind once words are shown.
	w.Honest()
	_, err = fresh.DeviceAsked(Soon(t))
	fresh.Stopped(err, api.CodeServerLied, device.ErrAnswer)

	// The right answer, and a root of the server's in place of Ada's.
	fresh, v = ask()
	real, err = ada.OpenDeviceCode(Soon(t), v.Code)
	w.ok(err)
	if seen := answered(fresh); !slices.Equal(seen.Words, real.Words) {
		t.Errorf("%v, and %v", seen.Words, real.Words)
	}
	w.ok(ada.GrantDevice(Soon(t)))
	TwistJSON(w, "GET", api.RouteDeviceRequest, func(r *api.DeviceRequest) { r.Grant = grant.Bytes() })
	err = fresh.TakeDevice(Soon(t))
	fresh.Stopped(err, api.CodeServerLied, device.ErrGrant)
	w.Honest()
	TwistJSON(w, "GET", api.RouteDeviceRequest, func(r *api.DeviceRequest) {
		request, err = device.ParseRequest(r.Request)
		w.ok(err)
		answer, err := device.ParseAnswer(r.Answer)
		w.ok(err)
		r.Grant = wrapped(device.Transcript(w.Origin, request, answer)).Bytes()
	})
	err = fresh.TakeDevice(Soon(t))
	fresh.Stopped(err, api.CodeServerLied, device.ErrGrant)
	w.Honest()
	if fresh.SignedIn() {
		t.Fatal("it took the server's root")
	}
	// Signed in to another account than the one that was compared. What was refused before there was an account is in the
	// journal once there is one.
	w.Honest()
	other := mallory.accountNow()
	TwistJSON(w, "POST", api.RouteSignIn, func(v *api.Account) { *v = other })
	err = fresh.TakeDevice(Soon(t))
	fresh.Stopped(err, api.CodeServerLied, client.ErrAccountKeys)
	w.Honest()
	v, err = fresh.AskDevice(Soon(t))
	w.ok(err)
	_, err = ada.OpenDeviceCode(Soon(t), v.Code)
	w.ok(err)
	answered(fresh)
	w.ok(ada.GrantDevice(Soon(t)))
	w.ok(fresh.TakeDevice(Soon(t)))
	found := map[string]bool{}
	for _, r := range fresh.Refusals() {
		found[r.Found] = true
	}
	if !found[device.ErrGrant.Error()] || !found[client.ErrAccountKeys.Error()] {
		t.Errorf("the journal: %v", found)
	}
}

// A server that kept the account as it was before a device was revoked, or has another one, hands it out whole.
func wholeVault(t *testing.T) {
	o := newOffice(t)
	mallory := o.Founder("Mallory")
	old, foreign, former := o.clara.accountNow(), mallory.accountNow(), o.clara.author()
	o.clara.renewed()
	o.ok(o.clara.Look(o.matter))

	TwistJSON(o.World, "POST", api.RouteSignIn, func(v *api.Account) { v.Keyring, v.Revision, v.Vault = old.Keyring, old.Revision, old.Vault })
	// A device that saw more.
	again := o.clara.Again().Beware()
	err := again.SignIn()
	if again.SignedIn() {
		t.Fatal("it went back to the root that was replaced")
	}
	again.Refused(err, client.ErrRolledBack)
	// One that has seen nothing, and still opens what was wrapped then. It is let in by the keys of then, and its seat has others,
	// which it never had.
	o.Edit(layout.FirmPartition(o.ada.Firm), func(tx store.Tx) error {
		bundle, err := chain.NewBundle(former.Member, former.Identity)
		if err != nil {
			return err
		}
		m, _, err := layout.Get[layout.Member](tx, layout.MemberKey(former.Member))
		if err != nil {
			return err
		}
		m.Fingerprint = wire.Hash(bundle.Keys.Fingerprint())
		if err := tx.Put(layout.KeysKey(former.Member), bundle.Bytes()); err != nil {
			return err
		}
		return layout.Put(tx, layout.MemberKey(former.Member), m)
	})
	TwistJSON(o.World, "POST", api.RouteSignIn, func(v *api.Account) { v.Keyring, v.Revision, v.Vault = old.Keyring, old.Revision, old.Vault })
	fresh := o.clara.Elsewhere()
	o.ok(fresh.SignIn())
	fresh.Beware()
	fresh.Stopped(fresh.Look(o.matter), api.CodeServerLied, chain.ErrRoster)
	fresh.Closed(o.matter)

	for name, twist := range map[string]func(v *api.Account){
		"another's, whole": func(v *api.Account) {
			v.Keyring, v.Revision, v.Vault = foreign.Keyring, foreign.Revision+9, foreign.Vault
		},
		"the whole of another": func(v *api.Account) { *v = foreign },
	} {
		t.Log(name)
		o.Honest()
		TwistJSON(o.World, "POST", api.RouteSignIn, twist)
		again := o.clara.Again().Beware()
		err := again.SignIn()
		if again.SignedIn() {
			t.Fatal("it opened another's vault")
		}
		again.Refused(err, client.ErrAccountKeys)
	}
}

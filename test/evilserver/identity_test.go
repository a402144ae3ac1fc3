package evilserver

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/test/program"
)

var identityCases = []attack{
	{"01-other-key-for-a-newcomer", otherKeyForANewcomer},
	{"02-other-key-for-a-member", otherKeyForAMember},
	{"07-key-and-signature-confusion", confusion},
	{"08-invite-answered-by-the-server", inviteHijack},
	{"10-no-key-so-in-clear", noKey},
	{"14-sealed-key-overwritten", sealedKeyOverwritten},
	{"15-unlock-oracle", unlockOracle},
	{"16-other-keys-for-a-new-device", otherKeysForADevice},
	{"21-labels-are-unique", labels},
	{"22-login-does-not-unlock", loginDoesNotUnlock},
}

// accept forges a guest's answer with a stranger's keys. insider gives what members know of the invite.
func forgeAccept(i *Insider, invite *chain.Invite, as chain.Author, key ed25519.PrivateKey, rows ...chain.Row) *Craft {
	bundle, err := chain.NewBundle(as.Member, as.Identity)
	i.ok(err)
	effect := i.Effect(chain.KindAccept)
	effect.Actor = as.Member
	effect.Accept = &chain.AcceptEffect{Invite: invite.ID, Ways: 2, Bundle: bundle}
	copy(effect.Accept.Signature[:], ed25519.Sign(key, chain.AcceptMessage(i.State.FirmOf(), i.State.ID, invite.ID, invite.InviterKeys, bundle)))
	body := Head()
	body.Text(invite.Person)
	var hash wire.Hash
	if len(rows) > 0 {
		hash = rows[0].Hash()
	}
	body.Fixed(hash[:])
	body.Uint16(0) // what he has read
	c := i.Craft(effect, body.Bytes())
	c.Signer, c.Sealed = as.Identity, invite.AcceptKey
	return c
}

// The server answers an invite in the guest's name, with a member's help who knows all but the link's secret.
func otherKeyForANewcomer(t *testing.T) {
	o := newOffice(t)
	mallory := o.with(chain.RoleClient)
	link := o.ada.InviteTo(o.matter, "Petra", chain.RoleParalegal, chain.ModeAfterIConfirm)
	l, err := client.ParseLink(link)
	o.ok(err)
	mallory = mallory.Again().In().Insider(o.matter)
	_, wrong, err := ed25519.GenerateKey(rand.Reader)
	o.ok(err)
	mallory.Plant(forgeAccept(mallory, mallory.State.Invites[l.Invite], o.Stranger(), wrong))

	ada := o.ada.Beware()
	_, err = ada.ConfirmInvite(Soon(t), o.matter, l.Invite)
	ada.Refused(err, chain.ErrInvite)
	ada.Closed(o.matter)
}

// A member's own id comes with other keys: an invite that Mallory holds is answered as Clara "with a new telephone".
func otherKeyForAMember(t *testing.T) {
	o := newOffice(t)
	mallory := o.with(chain.RoleClient)
	link := o.ada.InviteTo(o.matter, "Clara", chain.RoleClient, chain.ModeAfterIConfirm)
	l, err := client.ParseLink(link)
	o.ok(err)
	mallory = mallory.Again().In().Insider(o.matter)
	as := o.Stranger()
	as.Member = o.clara.author().Member
	mallory.Plant(forgeAccept(mallory, mallory.State.Invites[l.Invite], as, l.Key()))

	ada := o.ada.Beware()
	ada.Refused(ada.Look(o.matter), chain.ErrRoster)
	ada.Closed(o.matter)
}

// Every signature means one thing: verified under any other label it fails, and so does a wrap. A line of the trail is no
// entry of the state.
func confusion(t *testing.T) {
	w := NewWorld(t, nil)
	id := w.Stranger().Identity
	message := []byte("one message")
	signing := []keys.Label{keys.LabelSignEntry, keys.LabelSignKeys, keys.LabelSignSession, keys.LabelSignRelease}
	for _, a := range signing {
		signature, err := id.Sign(a, message)
		w.ok(err)
		for _, b := range keys.Labels() {
			if got := id.Public().Verify(b, message, signature) == nil; got != (a == b) {
				t.Errorf("a signature of %s verifies as %s: %v", a, b, got)
			}
		}
	}
	wrap, err := id.Public().WrapKey(rand.Reader, []byte(keys.LabelWrapEpoch), message)
	w.ok(err)
	for _, b := range []keys.Label{keys.LabelWrapTrail, keys.LabelWrapInvite} {
		if _, err := id.Unwrap([]byte(b), wrap); err == nil {
			t.Errorf("a wrap of an epoch opens as %s", b)
		}
	}

	o := newOffice(t)
	_, err = o.clara.Get(o.matter, o.doc)
	o.ok(err)
	trail := o.World.Entries("trail", o.ada.Firm, o.matter)
	o.Plant(o.ada.Firm, o.matter, chain.Submission{Entry: trail[0]})
	ada := o.ada.Beware()
	ada.Refused(ada.Look(o.matter), chain.ErrOrder)
}

// The package behind a link is the server's to keep and not to write. And nobody is let in by opening a matter, uploading
// to it or rotating it: only by the gesture that names him.
func inviteHijack(t *testing.T) {
	o := newOffice(t)
	link := o.ada.InviteTo(o.matter, "Petra", chain.RoleParalegal, chain.ModeAfterIConfirm)
	other := o.ada.InviteTo(o.matter, "Quentin", chain.RoleOwner, chain.ModeOpensAtOnce)
	q, err := client.ParseLink(other)
	o.ok(err)
	quentin := o.Person("Quentin")
	_, err = quentin.OpenInvite(Soon(t), other)
	o.ok(err)
	var theirs api.InviteReply
	o.ok(json.Unmarshal(o.Last("GET", api.RouteInvite).Reply.Body, &theirs))

	TwistJSON(o.World, "GET", api.RouteInvite, func(v *api.InviteReply) { v.Package = theirs.Package })
	petra := o.Person("Petra").Beware()
	_, err = petra.Accept(link)
	petra.Stopped(err, api.CodeServerLied, chain.ErrInvite)
	o.Honest()

	_, err = petra.Accept(link)
	if f := client.FailureOf(err); f == nil || f.Code != api.CodeWaiting {
		t.Fatalf("who accepted, and waits: %v", err)
	}
	// What was refused before there was an account is in the journal once there is one.
	if list := petra.Again().In().Refusals(); len(list) != 1 || list[0].Found != chain.ErrInvite.Error() {
		t.Errorf("the journal: %+v", list)
	}

	member := petra.author().Member
	mark := o.Mark()
	o.ok(o.ada.Look(o.matter))
	o.ada.MustPut(o.matter, "Background.txt", text(100))
	_, err = o.ada.CancelInvite(Soon(t), o.matter, q.Invite)
	o.ok(err)
	_, err = o.ada.RemoveMember(Soon(t), o.matter, o.clara.author().Member)
	o.ok(err)
	for _, x := range o.Since(mark) {
		sub, err := chain.ParseSubmission(x.Request.Body)
		if err != nil || x.Method != "POST" {
			continue
		}
		for _, row := range sub.Rows {
			if row.Recipient == member {
				t.Error("keys were wrapped to somebody whom nobody confirmed")
			}
		}
	}
	for _, p := range o.ada.View(o.matter).People {
		if p.Name == "Petra" {
			t.Error("somebody whom nobody confirmed is shown as a member")
		}
	}
	petra = petra.Again().In()
	if err := petra.Look(o.matter); client.FailureOf(err) == nil || client.FailureOf(err).Code != api.CodeWaiting {
		t.Errorf("who waits: %v", err)
	}
}

// No answer makes a client send in clear: an unknown word in one is a lie, and "no such key" is an end.
func noKey(t *testing.T) {
	o := newOffice(t)
	o.Twist("GET", api.RouteChain, func(b []byte) []byte { return append(bytes.TrimRight(b, "}\n"), `,"encrypted":false}`...) })
	ada := o.ada.Beware()
	secret := []byte("advice that only Clara may read")
	_, err := ada.Put(o.matter, "Advice.txt", secret)
	ada.Refused(err, client.ErrUnknownReply)
	ada.Closed(o.matter)

	for _, route := range []string{api.RouteWrap} {
		o.Lie("GET", route, func(*Request) *Reply { return &Reply{Status: 404, Body: []byte(`{"code":"not-found","message":""}`)} })
	}
	fresh := o.ada.Elsewhere().In().Beware()
	_, err = fresh.Put(o.matter, "Advice.txt", secret)
	fresh.Stopped(err, api.CodeRemoved, nil)
	for _, x := range o.Since(0) {
		if bytes.Contains(x.Request.Body, secret) {
			t.Errorf("the content stands in %s %s", x.Method, x.Path)
		}
	}
}

// withKit is Clara with a recovery kit, which signs in where nothing is known of her.
func withKit(o *office) string {
	o.Helper()
	kit, err := o.clara.CreateKit()
	o.ok(err)
	o.ok(o.clara.TestKit(kit.Kit))
	o.ok(o.clara.ConfirmKit(Soon(o.World)))
	return kit.Kit
}

// The account's root is bound to account and method, and the keyring to account and revision.
func sealedKeyOverwritten(t *testing.T) {
	o := newOffice(t)
	kit := withKit(o)
	parsed, err := vault.ParseKit(kit)
	o.ok(err)
	root, err := vault.GenerateRoot(rand.Reader)
	o.ok(err)
	// Even whoever knew the unlock key could not move a root from another account here.
	foreign, err := vault.Wrap(rand.Reader, parsed.UnlockKey(), vault.MethodKit, o.ID(), root)
	o.ok(err)
	TwistJSON(o.World, "POST", api.RouteSignIn, func(v *api.Account) {
		for n := range v.Vault {
			v.Vault[n].Wrapped = foreign
		}
	})
	fresh := o.clara.Elsewhere().Beware()
	// A wrong kit looks the same, by design (15), and no key is there to seal a journal with: this one is not recorded.
	fresh.Stopped(fresh.SignInKit(Soon(t), kit), api.CodeUnlockFailed, vault.ErrUnlock)
	if fresh.SignedIn() {
		t.Error("signed in with another's root")
	}
	o.Honest()

	var old api.Account
	o.ok(json.Unmarshal(o.Last("POST", api.RouteEnrolment).Reply.Body, &old))
	ring := o.Last("PUT", api.RouteKeyring)
	var put api.PutKeyring
	o.ok(json.Unmarshal(ring.Request.Body, &put))
	for name, twist := range map[string]func(v *api.Account){
		"an attacker's keyring":        func(v *api.Account) { v.Keyring = foreign },
		"a keyring of another account": func(v *api.Account) { v.Keyring = old.Keyring },
		"a keyring of another moment":  func(v *api.Account) { v.Revision++ },
	} {
		TwistJSON(o.World, "POST", api.RouteSignIn, twist)
		again := o.clara.Again().Beware()
		err := again.SignIn()
		if again.SignedIn() {
			t.Errorf("%s: signed in", name)
		}
		again.Refused(err, client.ErrAccountKeys)
	}
}

// Whatever is wrong with what unlocks, the answer is one and the server hears nothing of it.
func unlockOracle(t *testing.T) {
	o := newOffice(t)
	kit := withKit(o)
	for name, bend := range map[string]func(w []byte) []byte{
		"empty":         func([]byte) []byte { return nil },
		"cut":           func(w []byte) []byte { return w[:len(w)-1] },
		"long":          func(w []byte) []byte { return append(w, 0) },
		"huge":          func([]byte) []byte { return make([]byte, 1<<20) },
		"another suite": func(w []byte) []byte { w[0] ^= 1; return w },
		"another IV":    func(w []byte) []byte { w[20] ^= 1; return w },
		"another tag":   func(w []byte) []byte { w[len(w)-1] ^= 1; return w },
		"another key":   func(w []byte) []byte { w[len(w)-40] ^= 1; return w },
	} {
		TwistJSON(o.World, "POST", api.RouteSignIn, func(v *api.Account) {
			for n := range v.Vault {
				v.Vault[n].Wrapped = bend(v.Vault[n].Wrapped)
			}
		})
		fresh := o.clara.Elsewhere().Beware()
		err := fresh.SignInKit(Soon(t), kit)
		fresh.Stopped(err, api.CodeUnlockFailed, vault.ErrUnlock)
		if f := client.FailureOf(err); f.Detail != "" || f.Error() != string(api.CodeUnlockFailed) || !errors.Is(err, vault.ErrUnlock) || errors.Unwrap(err) != vault.ErrUnlock {
			t.Errorf("%s: told apart: %q, %v", name, f.Error(), errors.Unwrap(err))
		}
		if n := len(o.Since(fresh.marks.exchange)); n != 2 {
			t.Errorf("%s: %d requests, want the two of every sign-in", name, n)
		}
		o.Honest()
	}
}

// A device that knows its account takes no other one's id, and keys that are derived are compared with those enrolled.
func otherKeysForADevice(t *testing.T) {
	o := newOffice(t)
	TwistJSON(o.World, "POST", api.RouteSignIn, func(v *api.Account) { v.Account = o.ada.account })
	fresh := o.clara.Elsewhere().Beware()
	err := fresh.SignIn()
	fresh.Stopped(err, api.CodeServerLied, client.ErrAccountKeys)
	if fresh.SignedIn() {
		t.Error("signed in to another account")
	}
	fresh.Recorded(client.ErrAccountKeys)
}

var labelText = regexp.MustCompile(`^underseal/v1/[a-z0-9/-]+`)

// Not a lie of a server: every purpose has a label of its own, they stand in one place, and no two make the same key.
func labels(t *testing.T) {
	seen, keysSeen := map[string]bool{}, map[[32]byte]keys.Label{}
	secret := bytes.Repeat([]byte{7}, 32)
	for _, l := range keys.Labels() {
		if seen[string(l)] || !labelText.MatchString(string(l)) {
			t.Errorf("label %q is not one purpose's", l)
		}
		seen[string(l)] = true
		k := keys.Derive(secret, l)
		if other, ok := keysSeen[k]; ok {
			t.Errorf("%s and %s make one key", l, other)
		}
		keysSeen[k] = l
	}
	// The source spells no label twice, in any package.
	spelled := map[string]string{}
	root := program.Root()
	for _, dir := range []string{"keys", "protocol", "client", "server", "wasm"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				lit, ok := n.(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					return true
				}
				s, err := strconv.Unquote(lit.Value)
				if label := labelText.FindString(s); err == nil && label != "" {
					if where, twice := spelled[label]; twice {
						t.Errorf("%q is spelled in %s and in %s", label, where, path)
					}
					spelled[label] = path
				}
				return true
			})
			return nil
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	for l := range seen {
		if spelled[l] == "" {
			t.Errorf("%s is not found in the source", l)
		}
	}
}

// windows calls f with every run of 32 bytes in b, and in what b holds in base64 or hex.
func windows(b []byte, f func(run []byte)) {
	for i := 0; i+32 <= len(b); i++ {
		f(b[i : i+32])
	}
}

var encoded = regexp.MustCompile(`[A-Za-z0-9+/_=-]{40,}`)

func decodings(b []byte) [][]byte {
	out := [][]byte{b}
	for _, s := range encoded.FindAllString(string(b), -1) {
		trimmed := strings.TrimRight(s, "=")
		for _, decode := range []func(string) ([]byte, error){base64.RawStdEncoding.DecodeString, base64.RawURLEncoding.DecodeString, hex.DecodeString} {
			if d, err := decode(trimmed); err == nil {
				out = append(out, d)
			}
		}
	}
	return out
}

// Not a lie of a server: all that it ever saw of sign-ins, and even the login keys themselves, unlock nothing.
func loginDoesNotUnlock(t *testing.T) {
	o := newOffice(t)
	kit, err := vault.ParseKit(withKit(o))
	o.ok(err)
	o.ok(o.clara.Elsewhere().SignInKit(Soon(t), kit.String()))
	var reply api.Account
	o.ok(json.Unmarshal(o.Last("POST", api.RouteSignIn).Reply.Body, &reply))
	var wrapped []byte
	for _, e := range reply.Vault {
		if e.Method == uint8(vault.MethodKit) {
			wrapped = e.Wrapped
		}
	}
	unlock, root := kit.UnlockKey(), o.clara.NewestRoot()
	if got, err := vault.Unwrap(unlock, vault.MethodKit, reply.Account, wrapped); err != nil || got != root {
		t.Fatal("the kit's unlock key does not unlock: the test proves nothing")
	}
	passUnlock := o.clara.pass.UnlockKey()
	for _, x := range o.Since(0) {
		for _, b := range decodings(x.Request.Body) {
			windows(b, func(run []byte) {
				if bytes.Equal(run, unlock[:]) || bytes.Equal(run, root[:]) || bytes.Equal(run, passUnlock[:]) {
					t.Errorf("%s %s holds what unlocks", x.Method, x.Path)
				}
			})
		}
	}
	login := kit.LoginKey()
	for name, stolen := range map[string][]byte{"seed": login.Seed(), "public key": login.Public().(ed25519.PublicKey), "second half": login[32:]} {
		if _, err := vault.Unwrap([32]byte(stolen), vault.MethodKit, reply.Account, wrapped); err == nil {
			t.Errorf("the login key's %s unlocks", name)
		}
	}
}

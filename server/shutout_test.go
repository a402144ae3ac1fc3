package server_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
)

// owned is somebody with every kind of factor, a firm that signs him in, and a device beside the one that he is at.
type owned struct {
	*player
	app      *app
	unlocker *authenticator // a passkey that unlocks
	keyOnly  *authenticator // one that signs in, and could be stolen
	device   wire.ObjectID
}

func (w *world) owned() *owned {
	w.t.Helper()
	ada, a := w.withPassword("ada")
	o := &owned{player: ada, app: a, unlocker: newAuthenticator(w.t), keyOnly: newAuthenticator(w.t)}
	for key, unlocks := range map[*authenticator]bool{o.unlocker: true, o.keyOnly: false} {
		begun, _ := ada.beginPasskey()
		want[api.Account](w.t, ada.finishPasskey(key, begun, unlocks))
	}
	want[api.Account](w.t, ada.putKit(newKey(w.t)))
	d := newDevice(w.t)
	o.device = d.Device
	want[api.Devices](w.t, ada.elsewhere().register(d))
	ada.linkedBy("248289761001")
	return o
}

// thiefOfKey has the passkey that signs in and unlocks nothing: his session is fresh, and he can show the factor again.
func (o *owned) thiefOfKey() *player {
	thief := o.world.player()
	thief.signInPasskey(o.keyOnly)
	thief.account = o.account
	return thief
}

// rewrap is a request that puts something else where a root is wrapped to a factor that the account has.
func rewrap(method vault.Method, id []byte) api.PutVault {
	return api.PutVault{Entry: api.VaultEntry{Method: uint8(method), ID: id, Wrapped: []byte("nothing that opens")}}
}

// shutOut are all changes by which an owner would be shut out, or another way in be made. In this order the owner may make them all.
func (o *owned) shutOut() []struct {
	what string
	by   func(p *player) answer
} {
	name := loginName(o.t, "ada")
	return []struct {
		what string
		by   func(p *player) answer
	}{
		{"another kit", func(p *player) answer { return p.putKit(newKey(o.t)) }},
		{"a passphrase", func(p *player) answer { return p.json("PUT", api.RouteVault, p.newPassphrase()) }},
		{"another wrap for a passkey", func(p *player) answer {
			return p.json("PUT", api.RouteVault, rewrap(vault.MethodPasskey, o.unlocker.id))
		}},
		{"another wrap for the password", func(p *player) answer { return p.json("PUT", api.RouteVault, rewrap(vault.MethodPassword, name[:])) }},
		{"a passkey", func(p *player) answer {
			begun, _ := p.beginPasskey()
			return p.finishPasskey(newAuthenticator(o.t), begun, false)
		}},
		{"a passkey that unlocks", func(p *player) answer {
			begun, _ := p.beginPasskey()
			return p.finishPasskey(newAuthenticator(o.t), begun, true)
		}},
		{"another app", func(p *player) answer {
			r := want[api.TOTPReply](o.t, p.json("POST", api.RouteTOTP, struct{}{}))
			return p.json("PUT", api.RouteTOTP, api.PutTOTP{Ceremony: r.Ceremony, Code: p.code(newApp(o.t, r.Secret))})
		}},
		{"another password", func(p *player) answer { return p.putPassword(p.newPassword("eve", horses)) }},
		{"no password", func(p *player) answer { return p.do("DELETE", api.RoutePassword, "", nil, nil) }},
		{"no app", func(p *player) answer { return p.do("DELETE", api.RouteTOTP, "", nil, nil) }},
		{"no sign-in of a firm's", func(p *player) answer { return p.do("DELETE", api.SSOLinkPath(o.firm), "", nil, nil) }},
		{"no device", func(p *player) answer { return p.revoke(o.device) }},
		{"no passkey", func(p *player) answer { return p.removePasskey(o.unlocker.id) }},
	}
}

// kept is all that the store holds but what was begun.
func (o *owned) kept() string {
	o.t.Helper()
	return dump(o.t, o.world, append([]string{"signin/", "new-passkey/", "new-authenticator/", "new-password/"}, seenByServer...)...)
}

// TestWhoCannotUnlockShutsNobodyOut: S-FACTOR-01, attack 24. Whoever has a session and shows a factor, and has none of the account's
// keys, changes nothing that opens it: neither without a signature, nor with one of his own, nor with one of another account.
func TestWhoCannotUnlockShutsNobodyOut(t *testing.T) {
	w := newWorld(t)
	ada, mallory := w.owned(), w.founder()
	unsigned, own, others := ada.thiefOfKey(), ada.thiefOfKey(), ada.thiefOfKey()
	unsigned.ring, others.ring = nil, mallory.ring
	before := ada.kept()
	for _, c := range ada.shutOut() {
		for who, thief := range map[string]*player{"unsigned": unsigned, "by a key of his own": own, "by another account's": others} {
			a := c.by(thief)
			if a.code() != api.CodeUnlockFirst || a.status != 403 {
				t.Errorf("%s, %s: %d %s", c.what, who, a.status, a.body)
			}
		}
	}
	if ada.kept() != before {
		t.Error("something was changed")
	}
	// The owner, who can, makes every one of them.
	for _, c := range ada.shutOut() {
		if a := c.by(ada.player); a.status/100 != 2 {
			t.Errorf("%s: %d %s", c.what, a.status, a.body)
		}
	}
}

func jsonOf(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signedChange is the headers of a change by a keyring key, in a session.
func signedChange(p *player, session wire.ObjectID, ring ed25519.PrivateKey, method, target string, body []byte) map[string]string {
	digest := ""
	if body != nil {
		digest = api.ContentDigest(sha256.Sum256(body))
	}
	return api.SignChange(p.account, session, ring, method, target, digest)
}

// TestSignatureOfAnotherChange: S-FACTOR-02. What an owner signed is good for that very request, in that very session.
func TestSignatureOfAnotherChange(t *testing.T) {
	w := newWorld(t)
	ada := w.owned()
	thief := ada.thiefOfKey()
	before := ada.kept()
	good, other := jsonOf(t, rewrap(vault.MethodPasskey, ada.unlocker.id)), jsonOf(t, rewrap(vault.MethodPasskey, ada.keyOnly.id))
	put := func(p *player, b []byte, header map[string]string) answer {
		t.Helper()
		return p.do("PUT", api.RouteVault, api.TypeJSON, bytes.NewReader(b), header)
	}
	signed := signedChange(ada.player, ada.here, ada.ring, "PUT", api.RouteVault, good)
	changed := func(name, value string) map[string]string {
		h := maps.Clone(signed)
		h[name] = value
		return h
	}
	removal := signedChange(ada.player, ada.here, ada.ring, "DELETE", api.RoutePassword, nil)
	for what, c := range map[string]struct {
		got  answer
		code api.Code
	}{
		"in another session":                 {put(thief, good, signed), api.CodeMoved},
		"in another session, which it names": {put(thief, good, changed(api.HeaderSession, thief.here.String())), api.CodeUnlockFirst},
		"over other bytes":                   {put(ada.player, other, signed), api.CodeDigest},
		"over other bytes, which it names":   {put(ada.player, other, changed(api.HeaderDigest, api.ContentDigest(sha256.Sum256(other)))), api.CodeUnlockFirst},
		"over no bytes":                      {put(ada.player, good, signedChange(ada.player, ada.here, ada.ring, "PUT", api.RouteVault, nil)), api.CodeUnlockFirst},
		"of a cut signature":                 {put(ada.player, good, changed(api.HeaderProof, signed[api.HeaderProof][:40])), api.CodeUnlockFirst},
		"of no session":                      {put(ada.player, good, changed(api.HeaderSession, "")), api.CodeUnlockFirst},
		"of the password, for the app":       {ada.do("DELETE", api.RouteTOTP, "", nil, removal), api.CodeUnlockFirst},
		"of the password, for a passkey":     {ada.do("DELETE", api.PasskeyPath(ada.unlocker.id), "", nil, removal), api.CodeUnlockFirst},
		"of setting it, for its removal":     {ada.do("DELETE", api.RoutePassword, "", nil, signedChange(ada.player, ada.here, ada.ring, "PUT", api.RoutePassword, nil)), api.CodeUnlockFirst},
		"with a query beside it":             {ada.do("DELETE", api.RoutePassword+"?x", "", nil, removal), api.CodeUnlockFirst},
	} {
		if c.got.code() != c.code {
			t.Errorf("%s: %d %s", what, c.got.status, c.got.body)
		}
	}
	if ada.kept() != before {
		t.Error("something was changed")
	}
	want[api.Account](t, put(ada.player, good, signed))
	want[api.Account](t, put(ada.player, good, signed)) // the same again is the same

	// A ceremony of the owner's stays, whoever tries to finish it without his keys.
	begun, _ := ada.beginPasskey()
	key := newAuthenticator(t)
	eve := ada.thief()
	eve.here = ada.here
	refused(t, eve.finishPasskey(key, begun, true), api.CodeUnlockFirst)
	want[api.Account](t, ada.finishPasskey(key, begun, true))

	// With another root the key before signs no change.
	old := ada.ring
	ada.renewRoot()
	late := jsonOf(t, rewrap(vault.MethodPasskey, ada.unlocker.id))
	refused(t, put(ada.player, late, signedChange(ada.player, ada.here, old, "PUT", api.RouteVault, late)), api.CodeUnlockFirst)
	want[api.Account](t, put(ada.player, late, signedChange(ada.player, ada.here, ada.ring, "PUT", api.RouteVault, late)))
}

// TestAccountSaysItsSession: whatever answers an account says the session that it is answered in, also after a sign-in anew, by which a
// browser's session goes on.
func TestAccountSaysItsSession(t *testing.T) {
	w := newWorld(t)
	ada := w.owned()
	check := func(p *player, answered api.Account) {
		t.Helper()
		if answered.Session.IsZero() || answered.Session != p.current().ID {
			t.Errorf("%s, and the session is %s", answered.Session, p.current().ID)
		}
	}
	check(ada.player, want[api.Account](t, ada.get(api.RouteAccount)))
	check(ada.player, want[api.Account](t, ada.showFactor(ada.player)))
	check(ada.player, want[api.Account](t, ada.putKit(newKey(t))))
	other := ada.elsewhere()
	check(other, want[api.Account](t, other.signIn()))
	p := ada.browser()
	id, _ := p.showPassword("ada", horses)
	finished := want[api.PasswordFinished](t, p.finishPassword(id, api.PasswordFinish{Code: w.fresh(ada.app)}))
	check(p, *finished.Account)
}

// TestWhoCannotUnlockLetsNoDeviceIn: S-FACTOR-01, S-ENROL-06, S-DEVICE-01. A device that is let in has a session of its own, with a fresh
// proof: who has a stolen factor would let one in by it, that the next, and so go on when the factor is removed. Nor does he fill the room
// for his owner's devices.
func TestWhoCannotUnlockLetsNoDeviceIn(t *testing.T) {
	w := newWorld(t)
	ada, mallory, n := w.owned(), w.founder(), w.newcomer()
	unsigned, own, others := ada.thiefOfKey(), ada.thiefOfKey(), ada.thiefOfKey()
	unsigned.ring, others.ring = nil, mallory.ring
	want[api.DeviceRequest](t, n.ask())
	before := ada.kept()
	for who, thief := range map[string]*player{"unsigned": unsigned, "by a key of his own": own, "by another account's": others} {
		for what, a := range map[string]answer{
			"an answer": thief.putAnswer(n.code, thief.answers(n.keys.Request()).Bytes()),
			"a device":  thief.register(newDevice(t)),
		} {
			if a.code() != api.CodeUnlockFirst || a.status != 403 {
				t.Errorf("%s, %s: %d %s", what, who, a.status, a.body)
			}
		}
	}
	// What the owner answered, the thief does not grant either, in her session's cookies.
	mine := ada.answers(n.keys.Request())
	grant, err := mine.Grant(rand.Reader, vault.Root{1})
	w.ok(err)
	if ada.kept() != before {
		t.Error("something was changed")
	}
	want[api.DeviceRequest](t, ada.putAnswer(n.code, mine.Bytes()))
	cookies := ada.thief()
	cookies.here = ada.here
	refused(t, cookies.putGrant(n.code, grant.Bytes()), api.CodeUnlockFirst)
	refused(t, n.in(n.code, n.keys.DeviceKey()), api.CodeSignInFailed)

	want[api.DeviceRequest](t, ada.putGrant(n.code, grant.Bytes()))
	want[api.Account](t, n.in(n.code, n.keys.DeviceKey()))
	want[api.Devices](t, ada.register(newDevice(t)))
}

// TestNameThatIsAnothersKit: S-FACTOR-01, S-PASSWORD-04. What stands for a name is any 32 bytes to the server, such as a kit's login key,
// which whoever has its owner's cookie reads. A password under it, in another account, takes nothing of the kit's away when it goes.
func TestNameThatIsAnothersKit(t *testing.T) {
	w := newWorld(t)
	ada, mallory := w.founder(), w.founder()
	kit := newKey(t)
	want[api.Account](t, ada.putKit(kit))
	seen := want[api.Account](t, ada.thief().get(api.RouteAccount))
	i := slices.IndexFunc(seen.Vault, func(e api.VaultEntry) bool { return e.Method == uint8(vault.MethodKit) })
	name := wire.Hash(seen.Vault[i].ID)

	mallory.setApp()
	put := api.PutPassword{Vault: api.VaultEntry{Method: uint8(vault.MethodPassword), ID: name[:], Wrapped: []byte("sealed")}}
	put.Record = register(t, name, horses, func(request []byte) []byte {
		r := want[api.PasswordReply](t, mallory.json("POST", api.RoutePassword, api.PasswordRequest{Name: name, Request: request}))
		put.Ceremony = r.Ceremony
		return r.Response
	})
	want[api.Account](t, mallory.putPassword(put))
	want[api.Account](t, mallory.do("DELETE", api.RoutePassword, "", nil, nil))

	back := w.player()
	back.login = kit
	begun := want[api.SignInReply](t, back.json("POST", api.RouteSignIns, struct{}{}))
	proof := back.proof(begun.Challenge)
	proof.Method = uint8(vault.MethodKit)
	want[api.Account](t, back.json("POST", "/v1/sign-ins/"+begun.SignIn.String(), api.SignInFinish{Login: proof}))
}

package server_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
)

// thief has the cookies of somebody, and nothing else of his.
func (p *player) thief() *player {
	q := p.world.player()
	q.account, q.firm = p.account, p.firm
	for name, value := range p.cookies {
		q.cookies[name] = value
	}
	return q
}

// prove shows the login key of a player for the session whose cookie is sent.
func (p *player) showFactor(by *player) answer {
	p.t.Helper()
	s := want[api.SignInReply](p.t, p.json("POST", api.RouteSignIns, struct{}{}))
	return p.json("POST", api.RouteProofs, api.Prove{SignIn: s.SignIn, Login: by.proof(s.Challenge)})
}

// putKit brings a kit of which the player has the login key.
func (p *player) putKit(key ed25519.PrivateKey) answer {
	p.t.Helper()
	s := want[api.SignInReply](p.t, p.json("POST", api.RouteSignIns, struct{}{}))
	proof := (&player{world: p.world, login: key}).proof(s.Challenge)
	proof.Method = uint8(vault.MethodKit)
	return p.json("PUT", api.RouteVault, api.PutVault{Entry: api.VaultEntry{Method: proof.Method, ID: proof.PublicKey, Wrapped: []byte("w"), LoginKey: proof.PublicKey}, SignIn: s.SignIn, Login: proof})
}

func newKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// beginPasskey begins a further passkey: what an authenticator is asked for.
func (p *player) beginPasskey() (api.PasskeyReply, answer) {
	p.t.Helper()
	a := p.json("POST", api.RoutePasskeys, struct{}{})
	if a.status != 200 {
		return api.PasskeyReply{}, a
	}
	return want[api.PasskeyReply](p.t, a), a
}

// made is the authenticator's answer.
func (p *player) made(a *authenticator, r api.PasskeyReply) json.RawMessage {
	p.t.Helper()
	var o struct {
		Challenge string
		User      struct{ ID string }
	}
	p.ok(json.Unmarshal(r.Creation, &o))
	challenge, err := b64.DecodeString(o.Challenge)
	p.ok(err)
	user, err := b64.DecodeString(o.User.ID)
	p.ok(err)
	return a.create(p.t, api.EnrolReply{Account: wire.ObjectID(user), Challenge: challenge})
}

func (p *player) finishPasskey(a *authenticator, r api.PasskeyReply, unlocks bool) answer {
	p.t.Helper()
	req := api.PasskeyFinish{Credential: p.made(a, r)}
	if unlocks {
		req.Vault = &api.VaultEntry{Method: uint8(vault.MethodPasskey), ID: a.id, Wrapped: []byte("sealed")}
	}
	return p.json("POST", api.RoutePasskeys+"/"+r.Enrolment.String(), req)
}

func (p *player) removePasskey(id []byte) answer {
	p.t.Helper()
	return p.do("DELETE", api.PasskeyPath(id), "", nil, nil)
}

// TestStolenCookieChangesNoFactor: S-SESSION-01. Whoever has the cookie and no factor cannot make himself a way in, nor take
// the owner's away.
func TestStolenCookieChangesNoFactor(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	first := newAuthenticator(t)
	begun, _ := ada.beginPasskey()
	want[api.Account](t, ada.finishPasskey(first, begun, true))
	w.clock.advance(api.ProofSeconds*time.Second - time.Second)
	waiting, _ := ada.beginPasskey() // a second before the proof is too old
	w.clock.advance(time.Second)
	eve := ada.thief()
	refused(t, eve.putKit(newKey(t)), api.CodeProveAgain)
	_, a := eve.beginPasskey()
	refused(t, a, api.CodeProveAgain)
	if a.status != 403 {
		t.Errorf("status %d", a.status)
	}
	refused(t, eve.removePasskey(first.id), api.CodeProveAgain)
	// A factor of her own proves who she is, and she is somebody else.
	mallory := w.founder()
	refused(t, eve.showFactor(mallory), api.CodeForbidden)
	refused(t, eve.showFactor(eve), api.CodeSignInFailed)
	refused(t, eve.putKit(newKey(t)), api.CodeProveAgain)
	// A proof is for the session that it was made in: the owner's, elsewhere, does not open this one.
	elsewhere := &player{world: w, cookies: map[string]string{}, login: ada.login}
	want[api.Account](t, elsewhere.signIn())
	refused(t, eve.putKit(newKey(t)), api.CodeProveAgain)
	// A challenge counts once.
	s := want[api.SignInReply](t, ada.json("POST", api.RouteSignIns, struct{}{}))
	proof := api.Prove{SignIn: s.SignIn, Login: ada.proof(s.Challenge)}
	stranger := w.founder()
	refused(t, stranger.json("POST", api.RouteProofs, proof), api.CodeForbidden) // she cannot use his up for herself
	refused(t, ada.json("POST", api.RouteProofs, proof), api.CodeSignInFailed)
	refused(t, ada.json("POST", api.RouteProofs, api.Prove{SignIn: s.SignIn}), api.CodeBadRequest)
	if ring := want[api.Account](t, ada.get(api.RouteAccount)); len(ring.Passkeys) != 1 || len(ring.Vault) != 2 {
		t.Fatalf("%+v", ring)
	}

	// The passkey that was begun in time is finished, by the session that began it.
	refused(t, mallory.finishPasskey(newAuthenticator(t), waiting, true), api.CodeForbidden)
	want[api.Account](t, ada.showFactor(ada))
	want[api.Account](t, ada.putKit(newKey(t)))
	want[api.Account](t, ada.removePasskey(first.id))
}

// TestPasskeyOfAnotherSession: a passkey that one session began is not finished by another of the same account.
func TestPasskeyOfAnotherSession(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	begun, _ := ada.beginPasskey()
	other := ada.elsewhere()
	refused(t, other.finishPasskey(newAuthenticator(t), begun, true), api.CodeForbidden)
	begun, _ = ada.beginPasskey()
	w.clock.advance(api.CeremonySeconds * time.Second)
	refused(t, ada.finishPasskey(newAuthenticator(t), begun, true), api.CodeSignInFailed)
	// It is no enrolment, by which an account would be made over.
	refused(t, ada.json("POST", "/v1/enrolments/"+begun.Enrolment.String(), api.EnrolFinish{Credential: json.RawMessage(`{}`), KeyringKey: ada.ringKey()}), api.CodeSignInFailed)
}

// TestStolenCookieOverwritesNoKeyring: S-KEYRING-01.
func TestStolenCookieOverwritesNoKeyring(t *testing.T) {
	w := newWorld(t)
	ada, mallory := w.founder(), w.founder()
	ring := []byte("two")
	put := func(p *player, account wire.ObjectID, revision uint64, over []byte, key ed25519.PrivateKey) answer {
		return p.json("PUT", api.RouteKeyring, api.PutKeyring{Revision: 1, Keyring: ring, Signature: ed25519.Sign(key, api.KeyringMessage(account, revision, over))})
	}
	eve := ada.thief()
	refused(t, eve.json("PUT", api.RouteKeyring, api.PutKeyring{Revision: 1, Keyring: ring}), api.CodeForbidden)
	for name, a := range map[string]answer{
		"her own key":         put(eve, ada.account, 2, ring, newKey(t)),
		"the login key":       put(eve, ada.account, 2, ring, ada.login),
		"another account":     put(eve, mallory.account, 2, ring, ada.ring),
		"another revision":    put(eve, ada.account, 3, ring, ada.ring),
		"another keyring":     put(eve, ada.account, 2, []byte("x"), ada.ring),
		"into another's":      put(mallory, ada.account, 2, ring, ada.ring),
		"another's signature": put(ada, ada.account, 2, ring, mallory.ring),
	} {
		if a.code() != api.CodeForbidden {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if got := want[api.Account](t, ada.get(api.RouteAccount)); got.Revision != 1 || !bytes.Equal(got.Keyring, []byte("sealed ring")) {
		t.Fatalf("%+v", got)
	}
	want[api.Account](t, put(ada, ada.account, 2, ring, ada.ring))
}

// TestSeveralPasskeys: each signs in, one without a wrapped root as well, and the last way in stays (S-SESSION-02).
func TestSeveralPasskeys(t *testing.T) {
	w := newWorld(t)
	p := w.player()
	r := want[api.EnrolReply](t, p.json("POST", api.RouteEnrolments, api.EnrolRequest{Setup: w.setup()}))
	p.account = r.Account
	one, two, bare := newAuthenticator(t), newAuthenticator(t), newAuthenticator(t)
	entry := api.VaultEntry{Method: uint8(vault.MethodPasskey), ID: one.id, Wrapped: []byte("sealed")}
	want[api.Account](t, p.json("POST", "/v1/enrolments/"+r.Enrolment.String(), api.EnrolFinish{Credential: one.create(t, r), Vault: []api.VaultEntry{entry}, Keyring: []byte("ring"), KeyringKey: p.ringKey()}))
	refused(t, p.removePasskey(one.id), api.CodeLastMethod)

	begun, _ := p.beginPasskey()
	var o struct{ ExcludeCredentials []struct{ ID string } }
	w.ok(json.Unmarshal(begun.Creation, &o))
	if len(o.ExcludeCredentials) != 1 || o.ExcludeCredentials[0].ID != b64.EncodeToString(one.id) {
		t.Errorf("excluded: %+v", o)
	}
	if got := want[api.Account](t, p.finishPasskey(bare, begun, false)); len(got.Passkeys) != 2 || len(got.Vault) != 1 {
		t.Fatalf("%+v", got)
	}
	refused(t, p.finishPasskey(bare, begun, false), api.CodeSignInFailed) // once
	refused(t, p.removePasskey(one.id), api.CodeLastMethod)               // the other one signs in, and nothing would unlock
	refused(t, p.removePasskey([]byte("unknown")), api.CodeNotFound)      //
	refused(t, w.founder().removePasskey(bare.id), api.CodeNotFound)      // not hers
	for _, path := range []string{"/v1/account/passkeys/%%", "/v1/account/passkeys/=", "/v1/account/passkeys/a b"} {
		if a, err := p.try("DELETE", path, "", nil, nil); err == nil && a.status/100 == 2 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	// A wrap for another credential, or another method, is refused; so is a credential that is somebody's.
	for name, change := range map[string]func(*api.PasskeyFinish){
		"another id":     func(f *api.PasskeyFinish) { f.Vault.ID = one.id },
		"another method": func(f *api.PasskeyFinish) { f.Vault.Method = uint8(vault.MethodKit) },
		"no wrap":        func(f *api.PasskeyFinish) { f.Vault.Wrapped = nil },
	} {
		begun, _ := p.beginPasskey()
		f := api.PasskeyFinish{Credential: p.made(two, begun), Vault: &api.VaultEntry{Method: uint8(vault.MethodPasskey), ID: two.id, Wrapped: []byte("sealed")}}
		change(&f)
		if a := p.json("POST", api.RoutePasskeys+"/"+begun.Enrolment.String(), f); a.code() != api.CodeBadRequest {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	stranger := w.founder()
	begun, _ = stranger.beginPasskey()
	refused(t, stranger.finishPasskey(one, begun, true), api.CodeSignInFailed)

	one.user = p.account[:]
	begun, _ = p.beginPasskey()
	want[api.Account](t, p.finishPasskey(two, begun, true))
	for _, a := range []*authenticator{one, two, bare} {
		q := w.player()
		s := want[api.SignInReply](t, q.json("POST", api.RouteSignIns, struct{}{}))
		if got := want[api.Account](t, q.json("POST", "/v1/sign-ins/"+s.SignIn.String(), api.SignInFinish{Credential: a.get(t, s.Challenge)})); got.Account != p.account {
			t.Fatal("another account")
		}
	}
	if got := want[api.Account](t, p.removePasskey(one.id)); len(got.Passkeys) != 2 || len(got.Vault) != 1 {
		t.Fatalf("%+v", got)
	}
	q := w.player()
	s := want[api.SignInReply](t, q.json("POST", api.RouteSignIns, struct{}{}))
	refused(t, q.json("POST", "/v1/sign-ins/"+s.SignIn.String(), api.SignInFinish{Credential: one.get(t, s.Challenge)}), api.CodeSignInFailed)
	// With a kit, no passkey is the last way.
	want[api.Account](t, p.putKit(newKey(t)))
	want[api.Account](t, p.removePasskey(two.id))
	want[api.Account](t, p.removePasskey(bare.id))
}

// TestProvedByWhatIsGone: S-SESSION-07. Whoever has an open session and a kit that was found has shown the kit in it: with the kit goes
// what it proved.
func TestProvedByWhatIsGone(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	found := newKey(t)
	want[api.Account](t, ada.putKit(found))
	thief, other := ada.elsewhere(), ada.elsewhere()
	w.clock.advance(api.ProofSeconds * time.Second)
	refused(t, thief.json("POST", api.RouteTOTP, struct{}{}), api.CodeProveAgain)
	s := want[api.SignInReply](t, thief.json("POST", api.RouteSignIns, struct{}{}))
	proof := (&player{world: w, login: found}).proof(s.Challenge)
	proof.Method = uint8(vault.MethodKit)
	want[api.Account](t, thief.json("POST", api.RouteProofs, api.Prove{SignIn: s.SignIn, Login: proof}))
	want[api.Account](t, ada.showFactor(ada))
	want[api.Account](t, ada.putKit(newKey(t)))
	refused(t, thief.json("POST", api.RouteTOTP, struct{}{}), api.CodeSessionEnded)
	want[api.Account](t, other.get(api.RouteAccount))
}

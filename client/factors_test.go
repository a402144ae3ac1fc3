package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
)

func credentialOf(id []byte) json.RawMessage {
	text := base64.RawURLEncoding.EncodeToString(id)
	return json.RawMessage(`{"id":"` + text + `","rawId":"` + text + `"}`)
}

// sealedRing is a keyring as a server keeps it.
func sealedRing(t *testing.T, id wire.ObjectID, root vault.Root, ring keyring) []byte {
	t.Helper()
	c := New(Config{Random: rand.Reader})
	b, err := c.sealKeyring(&account{id: id, root: root}, ring, 1)
	must(t, err)
	return b
}

// TestPasskeyThatCannotUnlock: it signs in, once, and the kit unlocks without a second sign-in. A wrong kit opens nothing.
func TestPasskeyThatCannotUnlock(t *testing.T) {
	root, id, credential := testRoot(t), wire.ObjectID{7}, []byte("a passkey")
	kit, err := vault.GenerateKit(rand.Reader)
	must(t, err)
	other, err := vault.GenerateKit(rand.Reader)
	must(t, err)
	kitEntry, err := vault.Wrap(rand.Reader, kit.UnlockKey(), vault.MethodKit, id, root)
	must(t, err)
	prf := bytes.Repeat([]byte{3}, 32)
	unlock, err := vault.PasskeyUnlockKey(prf)
	must(t, err)
	passkeyEntry, err := vault.Wrap(rand.Reader, unlock, vault.MethodPasskey, id, root)
	must(t, err)
	reply := api.Account{Account: id, Revision: 1, Keyring: sealedRing(t, id, root, keyring{Name: "Ada"}), Passkeys: []api.Passkey{{ID: credential}},
		Vault: []api.VaultEntry{{Method: uint8(vault.MethodKit), ID: kit.LoginKey().Public().(ed25519.PublicKey), Wrapped: kitEntry}}}
	withPRF := reply
	withPRF.Vault = append(withPRF.Vault, api.VaultEntry{Method: uint8(vault.MethodPasskey), ID: credential, Wrapped: passkeyEntry})

	for name, c := range map[string]struct {
		reply api.Account
		prf   []byte
	}{"no PRF and no wrap": {reply, nil}, "no PRF here": {withPRF, nil}, "no wrap": {reply, prf}} {
		t.Run(name, func(t *testing.T) {
			signIns, ended := 0, false
			var wrapped api.PutVault
			c2 := New(Config{Origin: "http://localhost", Device: newShelf(), Random: rand.Reader, Now: time.Now, Transport: answerer(func(r Request) (Response, error) {
				if bytes.Contains(r.Body, []byte(base64.StdEncoding.EncodeToString(prf))) {
					t.Error("a PRF output was sent")
				}
				switch {
				case r.Path == api.RouteSignIns:
					return answer(200, api.SignInReply{SignIn: wire.ObjectID{1}, Challenge: []byte("c"), Request: json.RawMessage(`{}`)})
				case r.Path == api.RouteAccountSession:
					ended = true
				case strings.HasPrefix(r.Path, api.RouteSignIns+"/"):
					signIns++
					return answer(200, c.reply)
				case r.Method == methodPut && r.Path == api.RouteVault:
					must(t, json.Unmarshal(r.Body, &wrapped))
					return answer(200, withPRF)
				}
				return refusal(api.CodeNotFound)
			})})
			ctx := context.Background()
			if err := c2.UnlockKit(ctx, kit.String()); !hasCode(err, api.CodeBadRequest) {
				t.Fatalf("unlocked before a sign-in: %v", err)
			}
			_, err := c2.SignInOptions(ctx)
			must(t, err)
			if err := c2.SignInPasskey(ctx, credentialOf(credential), c.prf); !hasCode(err, api.CodeUnlockElsewhere) || c2.SignedIn() {
				t.Fatalf("%v", err)
			}
			if err := c2.UnlockKit(ctx, other.String()); !hasCode(err, api.CodeUnlockFailed) || c2.SignedIn() {
				t.Fatalf("another kit: %v", err)
			}
			// Who gives up leaves no session behind.
			c2.SignOut(ctx)
			if !ended || !hasCode(c2.UnlockKit(ctx, kit.String()), api.CodeBadRequest) {
				t.Fatal("a session stays")
			}
			_, err = c2.SignInOptions(ctx)
			must(t, err)
			if err := c2.SignInPasskey(ctx, credentialOf(credential), c.prf); !hasCode(err, api.CodeUnlockElsewhere) {
				t.Fatal(err)
			}
			must(t, c2.UnlockKit(ctx, kit.String()))
			if !c2.SignedIn() || signIns != 2 {
				t.Fatalf("signed in %v, by %d sign-ins", c2.SignedIn(), signIns)
			}
			// S-ROOT-02. One that could have unlocked, and had nothing wrapped to it, will the next time.
			switch got, err := vault.Unwrap(unlock, vault.MethodPasskey, id, wrapped.Entry.Wrapped); {
			case name == "no wrap" && (err != nil || got != root || !bytes.Equal(wrapped.Entry.ID, credential)):
				t.Errorf("nothing was wrapped to it: %v", err)
			case name != "no wrap" && err == nil:
				t.Error("something was wrapped to it")
			}
		})
	}
}

// TestPasskeyNamesStayHere: what its owner calls a passkey is in the keyring, sealed, and in no request. Each keyring that
// is put carries the signature that the server asks for (S-KEYRING-01).
func TestPasskeyNamesStayHere(t *testing.T) {
	const secretName = "my blue key from Bern"
	root, id, credential := testRoot(t), wire.ObjectID{7}, []byte("a second one")
	at := api.Account{Account: id, Revision: 1}
	proved := false
	var c *Client
	transport := answerer(func(r Request) (Response, error) {
		if bytes.Contains(r.Body, []byte("blue key")) || strings.Contains(r.Path, "blue") {
			t.Errorf("%s %s tells the name", r.Method, r.Path)
		}
		switch {
		case r.Path == api.RouteSignIns:
			return answer(200, api.SignInReply{SignIn: wire.ObjectID{1}, Challenge: []byte("c"), Request: json.RawMessage(`{}`)})
		case r.Path == api.RouteProofs:
			proved = true
			return answer(200, at)
		case r.Method == methodPost && r.Path == api.RoutePasskeys:
			if !proved {
				return refusal(api.CodeProveAgain)
			}
			return answer(200, api.PasskeyReply{Enrolment: wire.ObjectID{2}, Creation: json.RawMessage(`{"user":{"id":"x","name":"Underseal"}}`)})
		case r.Method == methodPost:
			var f api.PasskeyFinish
			must(t, json.Unmarshal(r.Body, &f))
			at.Passkeys = []api.Passkey{{ID: credential, Created: 5}}
			if f.Vault != nil {
				at.Vault = []api.VaultEntry{*f.Vault}
			}
			return answer(200, at)
		case r.Path == api.RouteKeyring:
			var p api.PutKeyring
			must(t, json.Unmarshal(r.Body, &p))
			if !ed25519.Verify(root.KeyringSigner().Public().(ed25519.PublicKey), api.KeyringMessage(id, p.Revision+1, p.Keyring), p.Signature) {
				t.Error("a keyring without its signature")
			}
			at.Keyring, at.Revision = p.Keyring, p.Revision+1
			return answer(200, at)
		case r.Method == methodDelete && r.Path == api.PasskeyPath(credential):
			at.Passkeys, at.Vault = []api.Passkey{}, []api.VaultEntry{}
			return answer(200, at)
		}
		return refusal(api.CodeNotFound)
	})
	c = signedIn(t, transport, newShelf(), id, root)
	ctx := context.Background()
	if _, err := c.PasskeyAddOptions(ctx); !hasCode(err, api.CodeProveAgain) {
		t.Fatalf("%v", err)
	}
	if err := c.ProvePasskey(ctx, credentialOf(credential), nil); !hasCode(err, api.CodeBadRequest) {
		t.Fatalf("a proof without a challenge: %v", err)
	}
	_, err := c.ProveOptions(ctx)
	must(t, err)
	must(t, c.ProvePasskey(ctx, credentialOf(credential), nil))
	_, err = c.PasskeyAddOptions(ctx)
	must(t, err)
	if err := c.PasskeyAddFinish(ctx, Unlocker{Credential: credentialOf(credential)}, "a/b\x00"); !hasCode(err, api.CodeBadName) {
		t.Fatalf("%v", err)
	}
	must(t, c.PasskeyAddFinish(ctx, Unlocker{Credential: credentialOf(credential), PRF: bytes.Repeat([]byte{4}, 32)}, secretName))
	v, err := c.Account()
	must(t, err)
	if len(v.Passkeys) != 1 || v.Passkeys[0].Name != secretName || !v.Passkeys[0].Unlocks || v.Passkeys[0].CreatedAt != 5000 {
		t.Fatalf("%+v", v.Passkeys)
	}
	if err := c.RenamePasskey(ctx, "AAAA", "x"); !hasCode(err, api.CodeNotHere) {
		t.Fatalf("%v", err)
	}
	must(t, c.RenamePasskey(ctx, v.Passkeys[0].ID, secretName+" 2"))
	must(t, c.RemovePasskey(ctx, v.Passkeys[0].ID))
	if v, _ := c.Account(); len(v.Passkeys) != 0 || c.account.ring.Passkeys != nil && len(c.account.ring.Passkeys) != 0 {
		t.Fatalf("%+v", v)
	}
}

// TestKitIsTested: a kit comes in force once its copy was shown to be right, and only if what the server keeps opens with it.
func TestKitIsTested(t *testing.T) { // S-VAULT-07
	root, id := testRoot(t), wire.ObjectID{7}
	var stored []api.PutVault
	spoil := false
	c := New(Config{Origin: "http://localhost", Device: newShelf(), Random: rand.Reader, Now: time.Now, Transport: answerer(func(r Request) (Response, error) {
		switch {
		case r.Path == api.RouteSignIns:
			return answer(200, api.SignInReply{SignIn: wire.ObjectID{1}, Challenge: []byte("c"), Request: json.RawMessage(`{}`)})
		case r.Method == methodPut && r.Path == api.RouteVault:
			var put api.PutVault
			must(t, json.Unmarshal(r.Body, &put))
			stored = append(stored, put)
			kept := put.Entry
			if spoil {
				kept.Wrapped = bytes.Clone(kept.Wrapped)
				kept.Wrapped[len(kept.Wrapped)-1] ^= 1
			}
			return answer(200, api.Account{Account: id, Revision: 1, Vault: []api.VaultEntry{kept}})
		case r.Method == methodPut:
			return answer(200, struct{}{})
		}
		return refusal(api.CodeNotFound)
	})})
	ctx := context.Background()
	c.account = &account{id: id, root: root, ring: keyring{Name: "Ada"}, revision: 1}
	if err := c.TestKit("AAAAA"); !hasCode(err, api.CodeBadRequest) {
		t.Fatalf("there is no kit: %v", err)
	}
	kit, err := c.CreateKit()
	must(t, err)
	groups := strings.Split(kit.Kit, "-")
	asked := []string{groups[kit.Ask[0]-1], groups[kit.Ask[1]-1]}
	if err := c.TestKit(asked[1] + " " + asked[0]); !hasCode(err, api.CodeKitTypo) || FailureOf(err).Detail != "Group "+strconv.Itoa(kit.Ask[0]) {
		t.Fatalf("the groups the other way round: %v", err)
	}
	if err := c.ConfirmKit(ctx); !hasCode(err, api.CodeBadRequest) || len(stored) != 0 || c.account.ring.KitSaved {
		t.Fatalf("not tested, and: %v", err)
	}
	must(t, c.TestKit(strings.ToLower(asked[0]+" "+asked[1])))
	must(t, c.ConfirmKit(ctx))
	if !c.account.ring.KitSaved || len(stored) != 1 {
		t.Fatal("the kit is not in force")
	}
	// Another one was not tested by the one before, and a server that keeps something else is refused.
	second, err := c.CreateKit()
	must(t, err)
	if err := c.ConfirmKit(ctx); !hasCode(err, api.CodeBadRequest) || len(stored) != 1 {
		t.Fatalf("another kit: %v", err)
	}
	must(t, c.TestKit(second.Kit))
	spoil = true
	if err := c.ConfirmKit(ctx); !hasCode(err, api.CodeServerLied) {
		t.Fatalf("what is kept does not open: %v", err)
	}
}

// TestWays: S-DECLARE-02. A password, which opens nothing on another device without the kit, is a second way beside a kit and not
// beside a passkey.
func TestWays(t *testing.T) {
	credential := []byte("a passkey")
	passkey := api.VaultEntry{Method: uint8(vault.MethodPasskey), ID: credential}
	kit, password := api.VaultEntry{Method: uint8(vault.MethodKit)}, api.VaultEntry{Method: uint8(vault.MethodPassword)}
	ring := keyring{KitSaved: true, Password: &passwordNote{}, Passkeys: []passkeyName{{ID: credential}}}
	for name, c := range map[string]struct {
		entries []api.VaultEntry
		want    uint8
	}{
		"a passkey":                      {[]api.VaultEntry{passkey}, 1},
		"a password":                     {[]api.VaultEntry{password}, 1},
		"a passkey and a password":       {[]api.VaultEntry{passkey, password}, 1},
		"a password and a passkey":       {[]api.VaultEntry{password, passkey}, 1},
		"a kit and a password":           {[]api.VaultEntry{kit, password}, 2},
		"a passkey and a kit":            {[]api.VaultEntry{passkey, kit}, 2},
		"a passkey, a password, and kit": {[]api.VaultEntry{passkey, password, kit}, 3},
	} {
		if got := (&account{ring: ring, vault: c.entries}).ways(); got != c.want {
			t.Errorf("%s: %d ways, want %d", name, got, c.want)
		}
	}
}

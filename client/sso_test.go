package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
)

// TestUnlockAfterTheFirm: S-SSO-04. After a firm's sign-in a passkey unlocks by its PRF output, which is not sent, and shows the
// server whose session it is; what cannot unlock leaves it to the kit, and another account's opens nothing.
func TestUnlockAfterTheFirm(t *testing.T) {
	ctx := context.Background()
	root, id, credential := testRoot(t), wire.ObjectID{7}, []byte("a passkey")
	kit, err := vault.GenerateKit(rand.Reader)
	must(t, err)
	kitEntry, err := vault.Wrap(rand.Reader, kit.UnlockKey(), vault.MethodKit, id, root)
	must(t, err)
	prf := bytes.Repeat([]byte{3}, 32)
	unlock, err := vault.PasskeyUnlockKey(prf)
	must(t, err)
	wrapped, err := vault.Wrap(rand.Reader, unlock, vault.MethodPasskey, id, root)
	must(t, err)
	account := api.Account{Account: id, Revision: 1, Keyring: sealedRing(t, id, root, keyring{Name: "Ada"}), Passkeys: []api.Passkey{{ID: credential}}, Vault: []api.VaultEntry{
		{Method: uint8(vault.MethodKit), ID: kit.LoginKey().Public().(ed25519.PublicKey), Wrapped: kitEntry}, {Method: uint8(vault.MethodPasskey), ID: credential, Wrapped: wrapped}}}
	other := account
	other.Account = wire.ObjectID{8}
	firm := wire.ChainID{1}

	for name, c := range map[string]struct {
		proof func() (Response, error)
		id    []byte
		prf   []byte
		want  api.Code // empty: it unlocks
	}{
		"it unlocks":         {func() (Response, error) { return answer(200, account) }, credential, prf, ""},
		"no PRF":             {func() (Response, error) { return answer(200, account) }, credential, nil, api.CodeUnlockElsewhere},
		"no wrap":            {func() (Response, error) { return answer(200, account) }, []byte("another"), prf, api.CodeUnlockElsewhere},
		"another PRF":        {func() (Response, error) { return answer(200, account) }, credential, bytes.Repeat([]byte{4}, 32), api.CodeUnlockFailed},
		"another's passkey":  {func() (Response, error) { return refusal(api.CodeForbidden) }, credential, prf, api.CodeUnlockFailed},
		"another account":    {func() (Response, error) { return answer(200, other) }, credential, prf, api.CodeUnlockFailed},
		"none of anybody's":  {func() (Response, error) { return refusal(api.CodeSignInFailed) }, credential, prf, api.CodeSignInFailed},
		"an unknown answer":  {func() (Response, error) { return answer(200, map[string]any{"connector": "x"}) }, credential, prf, api.CodeServerLied},
		"a session that was": {func() (Response, error) { return refusal(api.CodeSessionEnded) }, credential, prf, api.CodeSessionEnded},
	} {
		t.Run(name, func(t *testing.T) {
			shelf := newShelf()
			client := New(Config{Origin: "http://localhost", Device: shelf, Random: rand.Reader, Now: time.Now, Transport: answerer(func(r Request) (Response, error) {
				if len(c.prf) > 0 && (bytes.Contains(r.Body, c.prf) || bytes.Contains(r.Body, []byte(base64.StdEncoding.EncodeToString(c.prf)))) {
					t.Error("a PRF output was sent")
				}
				switch r.Path {
				case api.RouteAccount:
					return answer(200, account)
				case api.RouteSSO:
					return answer(200, api.SSOList{Firms: []api.SSO{{Firm: firm, Issuer: "https://login.example", Linked: true}, {Firm: wire.ChainID{2}}}})
				case api.RouteSignIns:
					return answer(200, api.SignInReply{SignIn: wire.ObjectID{1}, Challenge: []byte("c"), Request: json.RawMessage(`{}`)})
				case api.RouteProofs:
					return c.proof()
				}
				return refusal(api.CodeNotFound)
			})})
			if _, err := client.UnlockOptions(ctx); !hasCode(err, api.CodeBadRequest) {
				t.Fatalf("before anything: %v", err)
			}
			must(t, client.TakeUp(ctx))
			if known := client.SSOFirms(ctx); len(known) != 1 || known[0] != firm {
				t.Errorf("the device remembers %v", known)
			}
			if err := client.UnlockPasskey(ctx, credentialOf(c.id), c.prf); !hasCode(err, api.CodeBadRequest) {
				t.Fatalf("without a challenge: %v", err)
			}
			_, err := client.UnlockOptions(ctx)
			must(t, err)
			err = client.UnlockPasskey(ctx, credentialOf(c.id), c.prf)
			if c.want == "" {
				must(t, err)
				if !client.SignedIn() || !hasCode(client.TakeUp(ctx), api.CodeBadRequest) {
					t.Fatal("keys are not here, or a session is taken up beside them")
				}
				return
			}
			if !hasCode(err, c.want) || client.SignedIn() {
				t.Fatalf("got %v", err)
			}
			if c.want == api.CodeSessionEnded {
				return
			}
			must(t, client.UnlockKit(ctx, kit.String()))
		})
	}
}

// TestRememberedFirms: what a device keeps of firms is ids alone, a few, and anything else counts as none.
func TestRememberedFirms(t *testing.T) {
	ctx := context.Background()
	shelf := newShelf()
	c := New(Config{Device: shelf})
	var firms []wire.ChainID
	for n := range maxSSOFirms + 2 {
		firms = append(firms, wire.ChainID{byte(n + 1)})
	}
	must(t, c.rememberSSO(ctx, firms))
	if got := c.SSOFirms(ctx); len(got) != maxSSOFirms || got[maxSSOFirms-1] != firms[maxSSOFirms+1] {
		t.Errorf("%v", got)
	}
	for _, record := range []string{"", "{}", `["x"]`, `["` + wire.ChainID{1}.String() + `"`, `[1]`} {
		must(t, shelf.Put(ctx, ssoRecord, []byte(record)))
		if got := c.SSOFirms(ctx); got == nil || len(got) != 0 {
			t.Errorf("%q: %v", record, got)
		}
	}
}

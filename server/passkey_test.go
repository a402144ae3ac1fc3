package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
)

// authenticator is a passkey in software: ES256, no attestation (WebAuthn, 6.1, 6.5.1, 8.7). It shares no code with the
// server's library.
type authenticator struct {
	key    *ecdsa.PrivateKey
	id     []byte
	user   []byte
	count  uint32
	flags  byte // user present 0x01, user verified 0x04
	origin string
	rp     string
}

func newAuthenticator(t testing.TB) *authenticator {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 20)
	if _, err := rand.Read(id); err != nil {
		t.Fatal(err)
	}
	return &authenticator{key: key, id: id, flags: 0x05, origin: testOrigin, rp: "localhost"}
}

var b64 = base64.RawURLEncoding

func (a *authenticator) clientData(kind string, challenge []byte) []byte {
	b, _ := json.Marshal(map[string]any{"type": kind, "challenge": b64.EncodeToString(challenge), "origin": a.origin, "crossOrigin": false})
	return b
}

func (a *authenticator) data(flags byte, more []byte) []byte {
	rp := sha256.Sum256([]byte(a.rp))
	return append(binary.BigEndian.AppendUint32(append(rp[:], a.flags|flags), a.count), more...)
}

// cose is the public key as a CBOR map: kty EC2, alg ES256, crv P-256, x, y.
func (a *authenticator) cose(t testing.TB) []byte {
	t.Helper()
	point, err := a.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b := append([]byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20}, point[1:33]...)
	return append(append(b, 0x22, 0x58, 0x20), point[33:]...)
}

func (a *authenticator) create(t testing.TB, r api.EnrolReply) json.RawMessage {
	t.Helper()
	a.user = r.Account[:]
	more := append(make([]byte, 16), 0, byte(len(a.id)))
	data := a.data(0x40, append(append(more, a.id...), a.cose(t)...))
	object := append([]byte{0xa3, 0x63}, "fmt"...)
	object = append(append(object, 0x64), "none"...)
	object = append(append(object, 0x67), "attStmt"...)
	object = append(append(object, 0xa0, 0x68), "authData"...)
	object = append(append(object, 0x58, byte(len(data))), data...)
	return a.credential(map[string]any{"clientDataJSON": b64.EncodeToString(a.clientData("webauthn.create", r.Challenge)), "attestationObject": b64.EncodeToString(object), "transports": []string{"internal"}})
}

func (a *authenticator) credential(response map[string]any) json.RawMessage {
	b, _ := json.Marshal(map[string]any{"id": b64.EncodeToString(a.id), "rawId": b64.EncodeToString(a.id), "type": "public-key", "response": response,
		"authenticatorAttachment": "platform", "clientExtensionResults": map[string]any{"prf": map[string]any{"enabled": true}}})
	return b
}

func (a *authenticator) get(t testing.TB, challenge []byte) json.RawMessage {
	t.Helper()
	data, client := a.data(0, nil), a.clientData("webauthn.get", challenge)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte(nil), data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return a.credential(map[string]any{"clientDataJSON": b64.EncodeToString(client), "authenticatorData": b64.EncodeToString(data),
		"signature": b64.EncodeToString(signature), "userHandle": b64.EncodeToString(a.user)})
}

func TestPasskeys(t *testing.T) {
	w := newWorld(t)
	secret := w.setup()
	enrol := func(a *authenticator) (api.EnrolReply, answer) {
		t.Helper()
		p := w.player()
		r := want[api.EnrolReply](t, p.json("POST", api.RouteEnrolments, api.EnrolRequest{Setup: secret}))
		entry := api.VaultEntry{Method: uint8(vault.MethodPasskey), ID: a.id, Wrapped: []byte("sealed")}
		return r, p.json("POST", "/v1/enrolments/"+r.Enrolment.String(), api.EnrolFinish{Credential: a.create(t, r), Vault: []api.VaultEntry{entry}, Keyring: []byte("ring"), KeyringKey: p.ringKey()})
	}
	signIn := func(a *authenticator) answer {
		t.Helper()
		p := w.player()
		s := want[api.SignInReply](t, p.json("POST", api.RouteSignIns, struct{}{}))
		return p.json("POST", "/v1/sign-ins/"+s.SignIn.String(), api.SignInFinish{Credential: a.get(t, s.Challenge)})
	}
	a := newAuthenticator(t)
	r, finished := enrol(a)
	account := want[api.Account](t, finished)
	if account.Account != r.Account || len(account.Passkeys) != 1 || string(account.Passkeys[0].ID) != string(a.id) {
		t.Fatalf("%+v", account)
	}
	a.count = 7
	w.clock.advance(1e9)
	if got := want[api.Account](t, signIn(a)); got.Account != r.Account || got.Passkeys[0].LastUsed <= got.Passkeys[0].Created {
		t.Fatalf("%+v", got)
	}
	refused(t, signIn(a), api.CodeSignInFailed) // the counter stands still: a copy
	a.count = 8
	want[api.Account](t, signIn(a))

	for name, change := range map[string]func(*authenticator){
		"another origin":  func(a *authenticator) { a.origin = "https://evil.example" },
		"another site":    func(a *authenticator) { a.rp = "evil.example" },
		"nobody verified": func(a *authenticator) { a.flags = 0x01 },
		"nobody there":    func(a *authenticator) { a.flags = 0x04 },
		"another key":     func(a *authenticator) { a.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
		"another account": func(a *authenticator) { id := newID(t); a.user = id[:] },
		"short user":      func(a *authenticator) { a.user = []byte{1} },
		"no user":         func(a *authenticator) { a.user = nil },
		"another id":      func(a *authenticator) { a.id = []byte("unknown-credential-0") },
	} {
		t.Run(name, func(t *testing.T) {
			b := *a
			b.count += 100
			change(&b)
			refused(t, signIn(&b), api.CodeSignInFailed)
		})
	}
	for name, change := range map[string]func(*authenticator){
		"another origin":  func(a *authenticator) { a.origin = "http://localhost:8421" },
		"another site":    func(a *authenticator) { a.rp = "evil.example" },
		"nobody verified": func(a *authenticator) { a.flags = 0x01 },
	} {
		t.Run("enrol, "+name, func(t *testing.T) {
			b := newAuthenticator(t)
			change(b)
			_, got := enrol(b)
			refused(t, got, api.CodeSignInFailed)
		})
	}
	// A credential is one account's.
	_, got := enrol(a)
	refused(t, got, api.CodeSignInFailed)
	// Another account's handle with a passkey of one's own leads to neither.
	eve := newAuthenticator(t)
	_, finished = enrol(eve)
	eves := want[api.Account](t, finished)
	eve.user = account.Account[:]
	eve.count = 1
	refused(t, signIn(eve), api.CodeSignInFailed)
	eve.user = eves.Account[:]
	if got := want[api.Account](t, signIn(eve)); got.Account != eves.Account || got.Account == (wire.ObjectID{}) {
		t.Fatalf("%+v", got)
	}
}

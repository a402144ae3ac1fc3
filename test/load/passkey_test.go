package load

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/underseal/underseal/client"
)

// passkey is one in software: ES256, no attestation, no counter (WebAuthn, 6.1, 6.5.1, 8.7).
type passkey struct {
	t      testing.TB
	origin string
	key    *ecdsa.PrivateKey
	id     []byte
	prf    []byte
	user   []byte
}

var b64 = base64.RawURLEncoding

func newPasskey(t testing.TB, origin string) *passkey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &passkey{t: t, origin: origin, key: key, id: make([]byte, 20), prf: make([]byte, 32)}
	_, _ = rand.Read(p.id)  // never fails
	_, _ = rand.Read(p.prf) // never fails
	return p
}

// asked is what of options matters here.
type asked struct {
	Challenge string
	User      struct{ ID string }
}

func (p *passkey) asked(o client.Options) (a asked) {
	p.t.Helper()
	if err := json.Unmarshal(o.PublicKey, &a); err != nil || a.Challenge == "" {
		p.t.Fatalf("options without a challenge: %v", err)
	}
	return a
}

func (p *passkey) clientData(kind, challenge string) []byte {
	b, _ := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": p.origin, "crossOrigin": false})
	return b
}

// data says that somebody was there and verified.
func (p *passkey) data(flags byte, more []byte) []byte {
	rp := sha256.Sum256([]byte("localhost"))
	return append(binary.BigEndian.AppendUint32(append(rp[:], 0x05|flags), 0), more...)
}

func (p *passkey) credential(response map[string]any) json.RawMessage {
	b, _ := json.Marshal(map[string]any{"id": b64.EncodeToString(p.id), "rawId": b64.EncodeToString(p.id), "type": "public-key", "response": response,
		"authenticatorAttachment": "platform", "clientExtensionResults": map[string]any{"prf": map[string]any{"enabled": true}}})
	return b
}

// create makes it for an account.
func (p *passkey) create(o client.Options) client.Unlocker {
	p.t.Helper()
	a := p.asked(o)
	user, err := b64.DecodeString(a.User.ID)
	if err != nil {
		p.t.Fatal(err)
	}
	p.user = user
	point, err := p.key.PublicKey.Bytes()
	if err != nil {
		p.t.Fatal(err)
	}
	// The public key as a CBOR map: kty EC2, alg ES256, crv P-256, x, y.
	cose := append([]byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20}, point[1:33]...)
	cose = append(append(cose, 0x22, 0x58, 0x20), point[33:]...)
	made := append(append(make([]byte, 16), 0, byte(len(p.id))), p.id...)
	data := p.data(0x40, append(made, cose...))
	object := append([]byte{0xa3, 0x63}, "fmt\x64none\x67attStmt\xa0\x68authData\x58"...)
	object = append(append(object, byte(len(data))), data...)
	return client.Unlocker{PRF: p.prf, Credential: p.credential(map[string]any{
		"clientDataJSON": b64.EncodeToString(p.clientData("webauthn.create", a.Challenge)), "attestationObject": b64.EncodeToString(object), "transports": []string{"internal"}})}
}

// get signs in.
func (p *passkey) get(o client.Options) json.RawMessage {
	p.t.Helper()
	data, said := p.data(0, nil), p.clientData("webauthn.get", p.asked(o).Challenge)
	hash := sha256.Sum256(said)
	digest := sha256.Sum256(append(append([]byte(nil), data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, p.key, digest[:])
	if err != nil {
		p.t.Fatal(err)
	}
	return p.credential(map[string]any{"clientDataJSON": b64.EncodeToString(said), "authenticatorData": b64.EncodeToString(data),
		"signature": b64.EncodeToString(signature), "userHandle": b64.EncodeToString(p.user)})
}

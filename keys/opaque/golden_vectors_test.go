//go:build vectors

package opaque

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"testing"

	"github.com/bytemare/opaque"
)

var update = flag.Bool("update", false, "make testdata/ours.json again")

// TestVectors runs the files natively, with -tags vectors; test/vectors runs
// them on every platform.
func TestVectors(t *testing.T) {
	if *update {
		writeOurs(t)
	}
	for _, file := range []string{"testdata/rfc9807.json", "testdata/ours.json"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var vectors struct{ Vectors []Vector }
		if err := json.Unmarshal(data, &vectors); err != nil {
			t.Fatal(err)
		}
		for _, v := range vectors.Vectors {
			steps, ok, err := VectorRun(v)
			t.Logf("%s, %s: %d steps, %v, %v", v.Name, v.Group, len(steps), ok, err)
			if err != nil || ok != (v.Group != "curve25519") {
				t.Errorf("%s does not run: %v", v.Name, err)
			}
			for _, step := range steps {
				if step.Why != "" {
					t.Errorf("%s: %s: %s", v.Name, step.Name, step.Why)
				}
			}
		}
	}
}

// writeOurs makes one run of the suite that ships from fixed randomness.
func writeOurs(t *testing.T) {
	count := func(from, n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(from + i)
		}
		return b
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	name, origin, password := "ada", "https://firm.example", []byte("correct horse battery staple")
	s := ourSuite()
	in := map[string][]byte{
		"seed": count(0, 32), "client_identity": []byte(name), "server_identity": []byte(origin), "credential_identifier": []byte(name), "password": password,
		"blind_registration": s.scalar(count(10, 32), "blind").Encode(), "blind_login": s.scalar(count(20, 32), "blind").Encode(),
		"client_keyshare_seed": count(30, 32), "client_nonce": count(40, 32), "envelope_nonce": count(50, 32), "masking_nonce": count(60, 32),
		"server_keyshare_seed": count(70, 32), "server_nonce": count(80, 32),
	}
	server, err := NewServer([32]byte(in["seed"]), origin)
	check(err)
	r := &vectorRun{suite: s}
	who := parties{[]byte(name), []byte(origin)}
	registration, request, err := s.registerStart(who, password, opaque.ClientOptions{OPRFBlind: r.scalar(in["blind_registration"])})
	check(err)
	response, err := server.RegisterResponse(name, request)
	check(err)
	record, exportKey, err := registration.finish(response, opaque.ClientOptions{RegistrationEnvelopeNonce: in["envelope_nonce"]})
	check(err)
	login, ke1, err := s.loginStart(who, password, opaque.ClientOptions{OPRFBlind: r.scalar(in["blind_login"]),
		AKE: &opaque.AKEOptions{SecretKeyShareSeed: in["client_keyshare_seed"], Nonce: in["client_nonce"]}})
	check(err)
	ke2, mac, key, err := server.loginStart(who, []byte(name), record, ke1, &opaque.ServerOptions{
		AKE: &opaque.AKEOptions{SecretKeyShareSeed: in["server_keyshare_seed"], Nonce: in["server_nonce"]}, MaskingNonce: in["masking_nonce"]})
	check(err)
	ke3, sessionKey, again, err := login.Finish(ke2)
	check(err)
	if !bytes.Equal(again, exportKey) || !bytes.Equal(key, sessionKey) || !bytes.Equal(mac, ke3) {
		t.Fatal("client and server differ")
	}
	maps.Copy(in, map[string][]byte{
		"server_public_key": server.keys.PublicKeyBytes, "fake_record": server.fakeRecord(name),
		"registration_request": request, "registration_response": response, "registration_upload": record, "export_key": exportKey,
		"KE1": ke1, "KE2": ke2, "KE3": ke3, "session_key": sessionKey,
	})
	vector := map[string]any{"name": "ours", "group": "ours"}
	for name, b := range in {
		vector[name] = hex.EncodeToString(b)
	}
	data, err := json.MarshalIndent(map[string]any{"vectors": []any{vector}}, "", " ")
	check(err)
	check(os.WriteFile("testdata/ours.json", append(data, '\n'), 0o644))
}

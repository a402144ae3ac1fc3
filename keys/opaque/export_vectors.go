//go:build vectors

package opaque

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/bytemare/ecc"
	"github.com/bytemare/opaque"
)

// This is for test/vectors, which runs the examples of RFC 9807 through the
// very code that ships: they have no stretch, another context and, some,
// another group. The tag "vectors" is set nowhere else, so no program has it.

// Vector is an example of RFC 9807, appendix C, or one of ours.
type Vector struct {
	Name    string
	Group   string
	Context vectorBytes
	Fake    bool
	// Seed is that of a server of ours: then the suite is the one that ships,
	// and the server's keys and its fake record follow from it.
	Seed       vectorBytes
	FakeRecord vectorBytes `json:"fake_record"`

	ClientIdentity       vectorBytes `json:"client_identity"`
	ServerIdentity       vectorBytes `json:"server_identity"`
	CredentialIdentifier vectorBytes `json:"credential_identifier"`
	Password             vectorBytes `json:"password"`
	BlindRegistration    vectorBytes `json:"blind_registration"`
	BlindLogin           vectorBytes `json:"blind_login"`
	ClientKeyshareSeed   vectorBytes `json:"client_keyshare_seed"`
	ClientNonce          vectorBytes `json:"client_nonce"`
	EnvelopeNonce        vectorBytes `json:"envelope_nonce"`
	MaskingNonce         vectorBytes `json:"masking_nonce"`
	OPRFSeed             vectorBytes `json:"oprf_seed"`
	ServerKeyshareSeed   vectorBytes `json:"server_keyshare_seed"`
	ServerNonce          vectorBytes `json:"server_nonce"`
	ServerPrivateKey     vectorBytes `json:"server_private_key"`
	ServerPublicKey      vectorBytes `json:"server_public_key"`
	ClientPublicKey      vectorBytes `json:"client_public_key"`  // of a fake one
	ClientPrivateKey     vectorBytes `json:"client_private_key"` // not used
	MaskingKey           vectorBytes `json:"masking_key"`        // of a fake one

	RegistrationRequest  vectorBytes `json:"registration_request"`
	RegistrationResponse vectorBytes `json:"registration_response"`
	RegistrationUpload   vectorBytes `json:"registration_upload"`
	KE1                  vectorBytes
	KE2                  vectorBytes
	KE3                  vectorBytes
	ExportKey            vectorBytes `json:"export_key"`
	SessionKey           vectorBytes `json:"session_key"`
}

type vectorBytes []byte

func (v *vectorBytes) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	var err error
	*v, err = hex.DecodeString(text)
	return err
}

// VectorStep is one thing that a vector says; Why is empty where it holds.
type VectorStep struct{ Name, Why string }

// VectorRun runs an example. ok is false for a group that the library lacks.
func VectorRun(v Vector) (steps []VectorStep, ok bool, err error) {
	s := suite{conf: opaque.Configuration{
		OPRF: opaque.RistrettoSha512, AKE: opaque.RistrettoSha512,
		KDF: crypto.SHA512, MAC: crypto.SHA512, Hash: crypto.SHA512, Context: v.Context,
	}, group: ecc.Ristretto255Sha512, element: 32, hash: 64}
	switch {
	case v.Group == "ours":
		s = ourSuite()
	case v.Group == "ristretto255":
	case v.Group == "P256":
		s.conf.OPRF, s.conf.AKE = opaque.P256Sha256, opaque.P256Sha256
		s.conf.KDF, s.conf.MAC, s.conf.Hash = crypto.SHA256, crypto.SHA256, crypto.SHA256
		s.group, s.element, s.hash = ecc.P256Sha256, 33, 32
	case v.Group == "curve25519":
		return nil, false, nil
	default:
		return nil, false, fmt.Errorf("unknown group %q", v.Group)
	}
	r := &vectorRun{v: v, suite: s, who: parties{v.ClientIdentity, v.ServerIdentity}}
	if err := r.run(); err != nil {
		return nil, false, err
	}
	return r.steps, true, nil
}

type vectorRun struct {
	v     Vector
	suite suite
	who   parties
	serve *Server
	steps []VectorStep
}

func (r *vectorRun) is(name string, got []byte, want vectorBytes, err error) {
	why := ""
	if err != nil || len(want) == 0 || !bytes.Equal(got, want) {
		why = fmt.Sprintf("%x, %v, want %x", got, err, []byte(want))
	}
	r.steps = append(r.steps, VectorStep{name, why})
}

func (r *vectorRun) refused(name string, err error) {
	why := ""
	if err != ErrRefused {
		why = fmt.Sprintf("%v, want %v", err, ErrRefused)
	}
	r.steps = append(r.steps, VectorStep{name, why})
}

func (r *vectorRun) scalar(b []byte) *ecc.Scalar {
	s := r.suite.group.NewScalar()
	if err := s.Decode(b); err != nil {
		panic("opaque: scalar of a vector: " + err.Error())
	}
	return s
}

func (r *vectorRun) run() error {
	if r.v.Group == "ours" {
		return r.ours()
	}
	private := r.scalar(r.v.ServerPrivateKey)
	r.serve = &Server{suite: r.suite, keys: opaque.ServerKeyMaterial{
		PrivateKey: private, PublicKeyBytes: r.suite.group.Base().Multiply(private).Encode(),
		OPRFGlobalSeed: r.v.OPRFSeed, Identity: r.v.ServerIdentity,
	}}
	r.is("server public key", r.serve.keys.PublicKeyBytes, r.v.ServerPublicKey, nil)
	record := join(r.v.ClientPublicKey, r.v.MaskingKey, make([]byte, r.suite.envelope()))
	if !r.v.Fake {
		r.registration()
		record = r.v.RegistrationUpload
	}
	r.server(record)
	if !r.v.Fake {
		r.login()
	}
	return nil
}

func (r *vectorRun) ours() (err error) {
	if r.serve, err = NewServer([SeedSize]byte(r.v.Seed), string(r.v.ServerIdentity)); err != nil {
		return err
	}
	r.is("server public key", r.serve.keys.PublicKeyBytes, r.v.ServerPublicKey, nil)
	r.is("fake record", r.serve.fakeRecord(string(r.v.CredentialIdentifier)), r.v.FakeRecord, nil)
	r.registration()
	r.server(r.v.RegistrationUpload)
	r.login()
	return nil
}

func (r *vectorRun) registration() {
	start := func() *Registration {
		client, request, err := r.suite.registerStart(r.who, r.v.Password, opaque.ClientOptions{OPRFBlind: r.scalar(r.v.BlindRegistration)})
		r.is("registration request", request, r.v.RegistrationRequest, err)
		return client
	}
	client := start()
	response, err := r.serve.registerResponse(r.v.CredentialIdentifier, r.v.RegistrationRequest)
	r.is("registration response", response, r.v.RegistrationResponse, err)
	record, exportKey, err := client.finish(r.v.RegistrationResponse, opaque.ClientOptions{RegistrationEnvelopeNonce: r.v.EnvelopeNonce})
	r.is("record", record, r.v.RegistrationUpload, err)
	r.is("export key", exportKey, r.v.ExportKey, err)
	wrongSizes(r.v.RegistrationRequest, func(name string, b []byte) {
		_, err := r.serve.registerResponse(r.v.CredentialIdentifier, b)
		r.refused("registration request "+name, err)
	})
	wrongSizes(r.v.RegistrationResponse, func(name string, b []byte) {
		_, _, err := start().Finish(b)
		r.refused("registration response "+name, err)
	})
}

// server answers KE1, which for a fake record nobody made here.
func (r *vectorRun) server(record []byte) {
	start := func(record, ke1 []byte) (ke2, mac, key []byte, err error) {
		return r.serve.loginStart(r.who, r.v.CredentialIdentifier, record, ke1, &opaque.ServerOptions{
			AKE:          &opaque.AKEOptions{SecretKeyShareSeed: r.v.ServerKeyshareSeed, Nonce: r.v.ServerNonce},
			MaskingNonce: r.v.MaskingNonce,
		})
	}
	ke2, mac, key, err := start(record, r.v.KE1)
	r.is("KE2", ke2, r.v.KE2, err)
	for _, m := range []struct {
		name  string
		bytes []byte
		parse func([]byte) ([]byte, bool)
	}{
		{"KE1", r.v.KE1, func(b []byte) ([]byte, bool) {
			m, ok := r.suite.parseKE1(b)
			if !ok {
				return nil, false
			}
			return encodeKE1(m), true
		}},
		{"KE2", r.v.KE2, func(b []byte) ([]byte, bool) {
			m, ok := r.suite.parseKE2(b)
			if !ok {
				return nil, false
			}
			return encodeKE2(m), true
		}},
		{"record", record, func(b []byte) ([]byte, bool) {
			m, ok := r.suite.parseRecord(b)
			if !ok {
				return nil, false
			}
			return encodeRecord(m), true
		}},
	} {
		again, _ := m.parse(m.bytes)
		r.is(m.name+" encodes again", again, m.bytes, nil)
	}
	wrongSizes(r.v.KE1, func(name string, b []byte) {
		_, _, _, err := start(record, b)
		r.refused("KE1 "+name, err)
	})
	wrongSizes(record, func(name string, b []byte) {
		_, _, _, err := start(b, r.v.KE1)
		r.refused("record "+name, err)
	})
	if r.v.Fake {
		return
	}
	r.is("MAC of KE3", mac, r.v.KE3, nil)
	r.is("session key of the server", key, r.v.SessionKey, nil)
	if r.suite.hash != SessionKeySize {
		return // what stands in a row has the lengths of the suite that ships
	}
	state := newState(mac, key, 1)
	key, err = LoginFinish(state, r.v.KE3)
	r.is("session key of the state", key, r.v.SessionKey, err)
	_, err = LoginFinish(newState(mac, key, 0), r.v.KE3)
	r.refused("state of no account", err)
	wrongSizes(r.v.KE3, func(name string, b []byte) {
		_, err := LoginFinish(state, b)
		r.refused("KE3 "+name, err)
	})
	changed := bytes.Clone(r.v.KE3)
	changed[0] ^= 1
	_, err = LoginFinish(state, changed)
	r.refused("KE3 changed", err)
}

func (r *vectorRun) login() {
	start := func() *Login {
		client, ke1, err := r.suite.loginStart(r.who, r.v.Password, opaque.ClientOptions{
			OPRFBlind: r.scalar(r.v.BlindLogin),
			AKE:       &opaque.AKEOptions{SecretKeyShareSeed: r.v.ClientKeyshareSeed, Nonce: r.v.ClientNonce},
		})
		r.is("KE1", ke1, r.v.KE1, err)
		return client
	}
	ke3, sessionKey, exportKey, err := start().Finish(r.v.KE2)
	r.is("KE3", ke3, r.v.KE3, err)
	r.is("session key", sessionKey, r.v.SessionKey, err)
	r.is("export key of a sign-in", exportKey, r.v.ExportKey, err)
	wrongSizes(r.v.KE2, func(name string, b []byte) {
		_, _, _, err := start().Finish(b)
		r.refused("KE2 "+name, err)
	})
	at := 0
	if r.v.Group == "ours" {
		return // each would take the time of the stretch, and the others show it
	}
	for _, size := range []int{r.suite.element, nonceSize, r.suite.element, r.suite.envelope(), nonceSize, r.suite.element, r.suite.hash} {
		changed := bytes.Clone(r.v.KE2)
		changed[at+size/2] ^= 1
		_, _, _, err := start().Finish(changed)
		r.refused(fmt.Sprintf("KE2 changed at %d", at+size/2), err)
		at += size
	}
}

func wrongSizes(b []byte, visit func(name string, b []byte)) {
	visit("cut", b[:len(b)-1])
	visit("extended", append(bytes.Clone(b), 0))
	visit("empty", nil)
}

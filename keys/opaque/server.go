package opaque

import (
	"crypto/hkdf"
	cryptorand "crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	"io"

	"github.com/bytemare/ecc"
	"github.com/bytemare/opaque"
)

// Server answers clients. All that it has follows from a seed.
type Server struct {
	suite  suite
	keys   opaque.ServerKeyMaterial
	origin []byte
	fakes  []byte // secret of the records of names without an account
}

// NewServer loads the server of a seed, which was drawn once and is stored for
// good: with another one, or at another origin, no record signs anybody in.
// The error is ErrRefused for an origin that is empty or too long.
func NewServer(seed [SeedSize]byte, origin string) (*Server, error) {
	if len(origin) == 0 || len(origin) > MaxName {
		return nil, ErrRefused
	}
	s := ourSuite()
	private := s.scalar(seed[:], labelServerKey)
	return &Server{
		suite: s,
		keys: opaque.ServerKeyMaterial{
			PrivateKey:     private,
			PublicKeyBytes: s.group.Base().Multiply(private).Encode(),
			OPRFGlobalSeed: expand(seed[:], labelOPRFSeed, s.hash),
			Identity:       []byte(origin),
		},
		origin: []byte(origin),
		fakes:  expand(seed[:], labelFakeSeed, s.hash),
	}, nil
}

// expand is HKDF-Expand with SHA-512 over what is uniformly random already.
func expand(secret []byte, label string, size int) []byte {
	out, err := hkdf.Expand(sha512.New, secret, label, size)
	if err != nil {
		// HKDF refuses only output lengths that do not occur here.
		panic("opaque: HKDF: " + err.Error())
	}
	return out
}

// scalar is uniform: twice the bytes that a scalar has, reduced.
func (s suite) scalar(secret []byte, label string) *ecc.Scalar {
	return s.group.HashToScalar(expand(secret, label, 64), []byte(label))
}

// RegisterResponse answers the request of somebody who may set the password of
// the account of that name.
func (s *Server) RegisterResponse(name string, request []byte) (response []byte, err error) {
	if len(name) == 0 || len(name) > MaxName {
		return nil, ErrRefused
	}
	return s.registerResponse([]byte(name), request)
}

func (s *Server) registerResponse(credential, request []byte) ([]byte, error) {
	message, ok := s.suite.parseRegistrationRequest(request)
	if !ok {
		return nil, ErrRefused
	}
	server, err := s.library()
	if err != nil {
		return nil, ErrRefused
	}
	response, err := server.RegistrationResponse(message, credential, nil)
	if err != nil {
		return nil, ErrRefused
	}
	return encodeRegistrationResponse(response), nil
}

// CheckRecord is asked before a record is stored. It says only that there is
// some password; whose and which, the server cannot see.
func CheckRecord(record []byte) error {
	if _, ok := ourSuite().parseRecord(record); !ok {
		return ErrRefused
	}
	return nil
}

// LoginStart answers KE1. The record is the one that was stored for the account
// of that name, or nil where there is no such account. The state is for
// LoginFinish, and tells who reads it neither the session key nor what would
// finish the sign-in. Attempts are counted before this is called.
func (s *Server) LoginStart(name string, record, ke1 []byte) (ke2, state []byte, err error) {
	if len(name) == 0 || len(name) > MaxName || (record != nil && len(record) != RecordSize) {
		return nil, nil, ErrRefused
	}
	picked, known := s.pick(name, record)
	ke2, clientMAC, sessionKey, err := s.loginStart(parties{[]byte(name), s.origin}, []byte(name), picked, ke1, nil)
	if err != nil {
		return nil, nil, ErrRefused
	}
	return ke2, newState(clientMAC, sessionKey, known), nil
}

// pick takes the same steps for both kinds of name: the fake record is made,
// and one of the two is copied. known is 1 or 0.
func (s *Server) pick(name string, record []byte) (picked []byte, known int) {
	picked = s.fakeRecord(name)
	if record != nil {
		known = 1
	} else {
		record = picked
	}
	subtle.ConstantTimeCopy(known, picked, record)
	return picked, known
}

func (s *Server) loginStart(who parties, credential, record, ke1 []byte, o *opaque.ServerOptions) (ke2, clientMAC, sessionKey []byte, err error) {
	message, ok := s.suite.parseKE1(ke1)
	stored, ok2 := s.suite.parseRecord(record)
	if !ok || !ok2 {
		return nil, nil, nil, ErrRefused
	}
	server, err := s.library()
	if err != nil {
		return nil, nil, nil, ErrRefused
	}
	answer, out, err := server.GenerateKE2(message, &opaque.ClientRecord{RegistrationRecord: stored, CredentialIdentifier: credential, ClientIdentity: who.client}, o)
	if err != nil {
		return nil, nil, nil, ErrRefused
	}
	return encodeKE2(answer), out.ClientMAC, out.SessionSecret, nil
}

// library is one call's server: the library keeps a hash in it, so none is
// shared.
func (s *Server) library() (*opaque.Server, error) {
	server, err := s.suite.conf.Server()
	if err != nil {
		return nil, err
	}
	keys := s.keys
	server.ServerKeyMaterial = &keys
	return server, nil
}

// fakeRecord is RFC 9807, section 6.3.2.2: a public key whose private one
// nobody has, a masking key, and an envelope of zeros. It follows from the
// stored seed, so an answer to a name does not change when a server restarts.
func (s *Server) fakeRecord(name string) []byte {
	secret := expand(s.fakes, labelFakeRecord+"\x00"+name, s.suite.hash)
	public := s.suite.group.Base().Multiply(s.suite.scalar(secret, labelFakeKey))
	return join(public.Encode(), expand(secret, labelFakeRecord, s.suite.hash), make([]byte, s.suite.envelope()))
}

// Format hides the keys from every verb of fmt.
func (s *Server) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// String hides the keys.
func (s *Server) String() string { return "opaque.Server(private)" }

// GoString hides the keys.
func (s *Server) GoString() string { return s.String() }

// MarshalJSON refuses.
func (s *Server) MarshalJSON() ([]byte, error) { return nil, errPrivate }

const verifierSize = 32

// newState keeps of a sign-in what its finish needs: a hash of the MAC that
// KE3 must be, and the session key under a key that only this MAC makes. Who
// reads the row can neither finish the sign-in nor read the session. For a name
// without an account the hash is random and nothing finishes.
func newState(clientMAC, sessionKey []byte, known int) []byte {
	verifier := make([]byte, verifierSize)
	cryptorand.Read(verifier)
	subtle.ConstantTimeCopy(known, verifier, expand(clientMAC, labelVerifier, verifierSize))
	masked := expand(clientMAC, labelStateKey, SessionKeySize)
	subtle.XORBytes(masked, masked, sessionKey)
	return append(verifier, masked...)
}

// LoginFinish verifies KE3 against the state of its LoginStart. A state counts
// once, for a short while, for the account it was made for: its row sees to
// that.
func LoginFinish(state, ke3 []byte) (sessionKey []byte, err error) {
	if len(state) != StateSize || len(ke3) != KE3Size {
		return nil, ErrRefused
	}
	if subtle.ConstantTimeCompare(expand(ke3, labelVerifier, verifierSize), state[:verifierSize]) != 1 {
		return nil, ErrRefused
	}
	sessionKey = expand(ke3, labelStateKey, SessionKeySize)
	subtle.XORBytes(sessionKey, sessionKey, state[verifierSize:])
	return sessionKey, nil
}

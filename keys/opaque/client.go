package opaque

import (
	"fmt"
	"io"

	"github.com/bytemare/opaque"
)

// parties are who a registration or a sign-in is between. Nil stands for a
// public key (RFC 9807, section 5.2.1), which only test vectors have.
type parties struct{ client, server []byte }

// newParties checks what was typed and what the client knows of its server.
func newParties(name, origin string, password []byte) (parties, bool) {
	ok := len(name) > 0 && len(name) <= MaxName && len(origin) > 0 && len(origin) <= MaxName
	return parties{[]byte(name), []byte(origin)}, ok && len(password) > 0 && len(password) <= MaxPassword
}

// Registration is a client between the two messages of a registration.
type Registration struct {
	suite  suite
	who    parties
	client *opaque.Client // nil once it is finished
}

// RegisterStart begins to set a password, for the account of that name at the
// server of that origin. The request tells nothing about the password.
func RegisterStart(name, origin string, password []byte) (*Registration, []byte, error) {
	who, ok := newParties(name, origin, password)
	if !ok {
		return nil, nil, ErrRefused
	}
	return ourSuite().registerStart(who, password, opaque.ClientOptions{})
}

func (s suite) registerStart(who parties, password []byte, o opaque.ClientOptions) (*Registration, []byte, error) {
	client, err := s.conf.Client()
	if err != nil {
		return nil, nil, ErrRefused
	}
	request, err := client.RegistrationInit(password, &o)
	if err != nil {
		return nil, nil, ErrRefused
	}
	return &Registration{s, who, client}, encodeRegistrationRequest(request), nil
}

// Finish makes the record that the server stores and the export key that it
// must never see. It takes the time of Argon2id, and counts once: after it, or
// after a response that it refused, a new registration starts.
func (r *Registration) Finish(response []byte) (record, exportKey []byte, err error) {
	return r.finish(response, opaque.ClientOptions{})
}

func (r *Registration) finish(response []byte, o opaque.ClientOptions) (record, exportKey []byte, err error) {
	client := r.client
	if client == nil {
		return nil, nil, ErrRefused
	}
	r.client = nil
	defer client.ClearState()
	message, ok := r.suite.parseRegistrationResponse(response)
	if !ok {
		return nil, nil, ErrRefused
	}
	made, exportKey, err := client.RegistrationFinalize(message, r.who.client, r.who.server, r.suite.withStretch(o))
	if err != nil {
		return nil, nil, ErrRefused
	}
	return encodeRecord(made), exportKey, nil
}

// Login is a client between the two messages of a sign-in.
type Login struct {
	suite  suite
	who    parties
	client *opaque.Client // nil once it is finished
}

// LoginStart begins a sign-in. KE1 tells nothing about the password, nor
// whether it is the right one.
func LoginStart(name, origin string, password []byte) (*Login, []byte, error) {
	who, ok := newParties(name, origin, password)
	if !ok {
		return nil, nil, ErrRefused
	}
	return ourSuite().loginStart(who, password, opaque.ClientOptions{})
}

func (s suite) loginStart(who parties, password []byte, o opaque.ClientOptions) (*Login, []byte, error) {
	client, err := s.conf.Client()
	if err != nil {
		return nil, nil, ErrRefused
	}
	ke1, err := client.GenerateKE1(password, &o)
	if err != nil {
		return nil, nil, ErrRefused
	}
	return &Login{s, who, client}, encodeKE1(ke1), nil
}

// Finish verifies that the server has the record of this password, and makes
// KE3, which shows the server that the password was the right one, the session
// key that both then share, and the export key of the registration. It takes
// the time of Argon2id, and counts once.
func (l *Login) Finish(ke2 []byte) (ke3, sessionKey, exportKey []byte, err error) {
	client := l.client
	if client == nil {
		return nil, nil, nil, ErrRefused
	}
	l.client = nil
	defer client.ClearState()
	message, ok := l.suite.parseKE2(ke2)
	if !ok {
		return nil, nil, nil, ErrRefused
	}
	made, sessionKey, exportKey, err := client.GenerateKE3(message, l.who.client, l.who.server, l.suite.withStretch(opaque.ClientOptions{}))
	if err != nil {
		return nil, nil, nil, ErrRefused
	}
	return made.ClientMac, sessionKey, exportKey, nil
}

// Format hides the password from every verb of fmt.
func (r *Registration) Format(s fmt.State, _ rune) { io.WriteString(s, r.String()) }

// String hides the password.
func (r *Registration) String() string { return "opaque.Registration(private)" }

// GoString hides the password.
func (r *Registration) GoString() string { return r.String() }

// MarshalJSON refuses.
func (r *Registration) MarshalJSON() ([]byte, error) { return nil, errPrivate }

// Format hides the password from every verb of fmt.
func (l *Login) Format(s fmt.State, _ rune) { io.WriteString(s, l.String()) }

// String hides the password.
func (l *Login) String() string { return "opaque.Login(private)" }

// GoString hides the password.
func (l *Login) GoString() string { return l.String() }

// MarshalJSON refuses.
func (l *Login) MarshalJSON() ([]byte, error) { return nil, errPrivate }

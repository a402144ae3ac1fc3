//go:build !js

package native

import (
	"context"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/keys/opaque"
	"github.com/underseal/underseal/keys/strength"
)

// Passwords links what a browser loads as a module of its own.
type Passwords struct{}

var _ client.Passwords = Passwords{}

// Register implements client.Passwords.
func (Passwords) Register(_ context.Context, name, origin string, password []byte) (client.PasswordRegistration, error) {
	r, request, err := opaque.RegisterStart(name, origin, password)
	if err != nil {
		return nil, err
	}
	return &registration{r, request}, nil
}

// SignIn implements client.Passwords.
func (Passwords) SignIn(_ context.Context, name, origin string, password []byte) (client.PasswordSignIn, error) {
	l, ke1, err := opaque.LoginStart(name, origin, password)
	if err != nil {
		return nil, err
	}
	return &passwordSignIn{l, ke1}, nil
}

// Strength implements client.Passwords.
func (Passwords) Strength(_ context.Context, password []byte, words []string) (client.Strength, error) {
	return client.Strength(strength.Of(string(password), words)), nil
}

type registration struct {
	registration *opaque.Registration
	request      []byte
}

func (r *registration) Message() []byte { return r.request }

func (r *registration) Finish(_ context.Context, response []byte) (record, exportKey []byte, err error) {
	return r.registration.Finish(response)
}

type passwordSignIn struct {
	login *opaque.Login
	ke1   []byte
}

func (s *passwordSignIn) Message() []byte { return s.ke1 }

func (s *passwordSignIn) Finish(_ context.Context, ke2 []byte) (ke3, exportKey []byte, err error) {
	ke3, _, exportKey, err = s.login.Finish(ke2)
	return ke3, exportKey, err
}

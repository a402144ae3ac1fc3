//go:build js && wasm

package main

import (
	"context"
	"syscall/js"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/wasm/qr"
)

var _ client.Passwords = host{}

// begun is a registration or a sign-in that the module for passwords began.
type begun struct {
	value   js.Value
	message []byte
}

func (b begun) Message() []byte { return b.message }

// finish hands the module the server's answer.
func (b begun) finish(answer []byte, names ...string) ([][]byte, error) {
	v, err := await(b.value.Call("finish", uint8Array(answer)))
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(names))
	for i, name := range names {
		out[i] = bytesOf(v.Get(name))
	}
	return out, nil
}

func (h host) begin(step, name, origin string, password []byte) (begun, error) {
	secret := uint8Array(password)
	defer secret.Call("fill", 0)
	v, err := await(h.Call("passwordBegin", step, name, origin, secret))
	if err != nil {
		return begun{}, err
	}
	return begun{v, bytesOf(v.Get("message"))}, nil
}

type registration struct{ begun }

func (h host) Register(_ context.Context, name, origin string, password []byte) (client.PasswordRegistration, error) {
	b, err := h.begin("register", name, origin, password)
	return registration{b}, err
}

func (r registration) Finish(_ context.Context, response []byte) (record, exportKey []byte, err error) {
	out, err := r.finish(response, "record", "exportKey")
	if err != nil {
		return nil, nil, err
	}
	return out[0], out[1], nil
}

type passwordSignIn struct{ begun }

func (h host) SignIn(_ context.Context, name, origin string, password []byte) (client.PasswordSignIn, error) {
	b, err := h.begin("signIn", name, origin, password)
	return passwordSignIn{b}, err
}

func (s passwordSignIn) Finish(_ context.Context, ke2 []byte) (ke3, exportKey []byte, err error) {
	out, err := s.finish(ke2, "ke3", "exportKey")
	if err != nil {
		return nil, nil, err
	}
	return out[0], out[1], nil
}

func (h host) Strength(_ context.Context, password []byte, words []string) (client.Strength, error) {
	secret := uint8Array(password)
	defer secret.Call("fill", 0)
	list := js.Global().Get("Array").New()
	for _, word := range words {
		list.Call("push", word)
	}
	v, err := await(h.Call("passwordStrength", secret, list))
	if err != nil {
		return client.Strength{}, err
	}
	s := client.Strength{Score: v.Get("score").Int(), Guesses: v.Get("guesses").Float(), Warning: v.Get("warning").String(), Suggestions: []string{}}
	for i := range v.Get("suggestions").Length() {
		s.Suggestions = append(s.Suggestions, v.Get("suggestions").Index(i).String())
	}
	return s, nil
}

// login is what somebody typed beside a password, which comes as the secret.
type login struct {
	Login string `json:"login"`
}

// code is one of an authenticator app.
type code struct {
	Code string `json:"code"`
}

// taking decodes the parameters of a method.
func taking[P any](method func(context.Context, input, P) (any, error)) func(context.Context, input) (any, error) {
	return func(ctx context.Context, in input) (any, error) {
		var p P
		if err := in.decode(&p); err != nil {
			return nil, err
		}
		return method(ctx, in, p)
	}
}

// passwords are the methods about passwords and authenticator apps.
func (b *binding) passwords() map[string]func(context.Context, input) (any, error) {
	c := b.client
	in := func(ctx context.Context, err error) (any, error) {
		if err != nil {
			return nil, err
		}
		return c.Overview(ctx)
	}
	return map[string]func(context.Context, input) (any, error){
		"logins": func(ctx context.Context, _ input) (any, error) {
			list, err := c.Logins(ctx)
			return map[string]any{"logins": list}, err
		},
		"signinPassword": taking(func(ctx context.Context, in input, p login) (any, error) {
			return second(c.SignInPassword(ctx, p.Login, in.secret))
		}),
		"signinCode": taking(func(ctx context.Context, _ input, p code) (any, error) { return in(ctx, c.SignInCode(ctx, p.Code)) }),
		"signinSecond": func(ctx context.Context, i input) (any, error) {
			u, err := i.unlocker()
			if err != nil {
				return nil, err
			}
			return in(ctx, c.SignInSecond(ctx, u.Credential, u.PRF))
		},
		"unlockWays": func(ctx context.Context, _ input) (any, error) { return c.UnlockWays(ctx) },
		"unlockPassword": taking(func(ctx context.Context, i input, p login) (any, error) {
			return in(ctx, c.UnlockPassword(ctx, p.Login, i.secret))
		}),
		"provePassword": func(ctx context.Context, in input) (any, error) { return nil, c.ProvePassword(ctx, in.secret) },
		"proveCode":     taking(func(ctx context.Context, _ input, p code) (any, error) { return nil, c.ProveCode(ctx, p.Code) }),
		"passwordStrength": taking(func(ctx context.Context, in input, p struct {
			About string `json:"about"`
		}) (any, error) {
			s, err := c.Strength(ctx, p.About, in.secret)
			return struct {
				client.Strength
				Least int `json:"least"`
			}{s, c.MinPassword()}, err
		}),
		"passwordSet": taking(func(ctx context.Context, in input, p login) (any, error) {
			return nil, c.SetPassword(ctx, p.Login, in.secret)
		}),
		"passwordRemove": func(ctx context.Context, _ input) (any, error) { return nil, c.RemovePassword(ctx) },
		"appBegin":       func(ctx context.Context, _ input) (any, error) { return shown(c.AuthenticatorBegin(ctx)) },
		"appFinish": taking(func(ctx context.Context, _ input, p code) (any, error) {
			return nil, c.AuthenticatorFinish(ctx, p.Code)
		}),
		"appRemove": func(ctx context.Context, _ input) (any, error) { return nil, c.RemoveAuthenticator(ctx) },
		"enrolPassword": taking(func(ctx context.Context, in input, p login) (any, error) {
			return shown(c.EnrolPassword(ctx, p.Login, in.secret))
		}),
	}
}

// second is what comes after a password.
func second(s client.SecondStep, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	out := struct {
		Code    bool `json:"code"`
		Passkey any  `json:"passkey"`
	}{Code: s.Code}
	if s.Passkey != nil {
		out.Passkey, err = options(*s.Passkey, nil)
	}
	return out, err
}

// shown is what an app is set up with, and the picture of it.
func shown(a client.Authenticator, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	picture, err := qr.Of(a.URL)
	if err != nil {
		return nil, &client.Failure{Code: api.CodeInternal}
	}
	return struct {
		client.Authenticator
		QR qr.Code `json:"qr"`
	}{a, picture}, nil
}

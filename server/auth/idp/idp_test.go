package idp

import (
	"encoding/base64"
	"strings"
	"testing"
)

// What a provider answers, and what it must not get away with, is tested with a real one in test/sso.

// FuzzParseSecret: what parses is spelled in one way.
func FuzzParseSecret(f *testing.F) {
	for _, seed := range []string{"", Secret{}.String(), Secret{31: 1}.String(), Secret{1}.String() + "=", strings.Repeat("A", 42) + "B", strings.Repeat("\n", 43)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if s, whole := ParseSecret(text); whole && s.String() != text {
			t.Errorf("%q is %q", text, s.String())
		}
	})
}

// FuzzNamed: whom a token is about that did not verify is a text of bounded length, or nobody.
func FuzzNamed(f *testing.F) {
	payload := base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"248289761001"}`))
	for _, seed := range []string{"", ".", "..", "a." + payload + ".c", "a." + payload, payload, "a.e30.c", "a.bnVsbA.c", "a." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":7}`)) + ".c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if got := named(raw); len(got) > maxSubject {
			t.Errorf("%d bytes", len(got))
		}
	})
	if got := named("a." + payload + ".c"); got != "248289761001" {
		f.Errorf("got %q", got)
	}
}

// TestSecretsAreApart: S-SSO-02. State, nonce and verifier of one secret are three, and those of another are others.
func TestSecretsAreApart(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range []Secret{{}, {1}} {
		for _, text := range []string{s.String(), s.state(), s.nonce(), s.verifier()} {
			if seen[text] || len(text) != 43 {
				t.Errorf("%q", text)
			}
			seen[text] = true
		}
		if !s.Began(s.state()) || s.Began(s.nonce()) || s.Began("") || s.Began(Secret{2}.state()) {
			t.Errorf("%v began another's", s)
		}
	}
}

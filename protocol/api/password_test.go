package api_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/underseal/underseal/protocol/api"
)

func TestLoginNames(t *testing.T) {
	const origin = "https://files.example"
	for typed, want := range map[string]string{"ada": "ada", " Ada.Lovelace ": "ada.lovelace", "a-b_c.9": "a-b_c.9", strings.Repeat("x", 64): strings.Repeat("x", 64),
		"": "", "ab": "", strings.Repeat("x", 65): "", "ada lovelace": "", "zo\u00eb": "", "ada@firm": "", "ada/1": "", "ada\n": "ada", "a\x00b": "", "\u0430da": ""} {
		got, err := api.ParseLoginName(typed)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
		if _, err := api.LoginName(origin, typed); (err == nil) != (want != "") {
			t.Errorf("%q: %v", typed, err)
		}
	}
	one, err := api.LoginName(origin, "Ada")
	if err != nil {
		t.Fatal(err)
	}
	// The format: what it hashes, written down.
	if got := one.String(); got != "cnjg5h6capbyjv3ml4zz54cpats3nnvno5vbu6p5uuvknunuu43q" {
		t.Errorf("login name %s", got)
	}
	for _, other := range [][2]string{{"https://files.example:8443", "ada"}, {origin, "adb"}, {"https://files.exampl", "e\x00ada"}} {
		if got, err := api.LoginName(other[0], other[1]); err == nil && got == one {
			t.Errorf("%q is the same", other)
		}
	}
	if same, err := api.LoginName(origin, "ada"); err != nil || same != one {
		t.Error("one name has two hashes")
	}
}

const secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

// TestAuthenticatorURL: S-PASSWORD-10. What a camera reads is the secret that was asked for, for an app, whatever a server says.
func TestAuthenticatorURL(t *testing.T) {
	text, err := api.AuthenticatorURL("Rieger & S\u00f6hne", "ada lovelace/1?#", secret)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"secret": {secret}, "issuer": {"Rieger & S\u00f6hne"}, "period": {"30"}, "digits": {"6"}, "algorithm": {"SHA1"}}
	if u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Rieger & S\u00f6hne:ada lovelace/1?#" || u.Query().Encode() != want.Encode() || strings.Contains(text, "+") {
		t.Error("the URL does not say what an app reads")
	}
	// A name that would bring another secret.
	if text, err = api.AuthenticatorURL("firm&secret=AAAA", "a+b&secret=BBBB", secret); err != nil {
		t.Fatal(err)
	}
	if u, err = url.Parse(text); err != nil || len(u.Query()["secret"]) != 1 || u.Query().Get("secret") != secret {
		t.Errorf("a name brings a secret: %v", err)
	}
	for _, names := range [][2]string{{"", "ada"}, {"firm", ""}, {"fi:rm", "ada"}, {"firm", "a:da"}, {strings.Repeat("a", 256), "ada"}} {
		if _, err := api.AuthenticatorURL(names[0], names[1], secret); err != api.ErrAuthenticator {
			t.Errorf("names of %d and %d bytes: %v", len(names[0]), len(names[1]), err)
		}
	}
	for _, bad := range []string{"", "https://evil.example/", secret[:31], secret + "A", strings.ToLower(secret), secret[:31] + "1", secret[:31] + "=", secret[:28] + "&x=y"} {
		if _, err := api.AuthenticatorURL("firm", "ada", bad); err != api.ErrAuthenticator {
			t.Errorf("%q is taken for a secret: %v", bad, err)
		}
	}
}

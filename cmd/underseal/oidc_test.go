package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// saysItIs is a provider that says of itself what it is, and no more.
func saysItIs(t *testing.T) *httptest.Server {
	t.Helper()
	var issuer string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":%q,"token_endpoint":%q,"jwks_uri":%q}`, issuer, issuer+"/authorize", issuer+"/token", issuer+"/keys")
	}))
	issuer = s.URL
	t.Cleanup(s.Close)
	return s
}

// TestOIDC: S-SSO-10. What a firm registered stands in a file that only its owner reads, and nothing prints the secret.
func TestOIDC(t *testing.T) {
	w := newWorld(t)
	overview, err := w.founder.Overview(t.Context())
	w.must(err)
	firm, err := wire.ParseHash(overview.Firms[0].Firm)
	w.must(err)
	provider := saysItIs(t)
	secretFile := filepath.Join(t.TempDir(), "secret")
	w.must(os.WriteFile(secretFile, []byte("the client's secret\r\n"), 0o600))
	admin := func(want int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), append([]string{"admin", "oidc"}, append(args, "--data", w.data, "--origin", w.origin)...), nil, &out, &errs); code != want {
			t.Fatalf("%v: %d %s %s", args, code, out.String(), errs.String())
		}
		said := out.String() + errs.String()
		if strings.Contains(said, "the client's secret") {
			t.Errorf("%v prints the secret: %s", args, said)
		}
		return said
	}
	set := func(want int, issuer string) string {
		t.Helper()
		return admin(want, "set", "--firm", firm.String(), "--issuer", issuer, "--client-id", "underseal", "--client-secret-file", secretFile)
	}
	if said := set(exitError, provider.URL); !strings.Contains(said, "stop it first") {
		t.Errorf("beside a server: %s", said)
	}
	w.stop()
	if said := admin(exitFine, "show"); !strings.Contains(said, "has no identity provider") {
		t.Errorf("%s", said)
	}
	said := set(exitFine, provider.URL)
	for _, part := range []string{w.origin + "/v1/firms/" + firm.String() + "/oidc/callback\n", w.origin + "/sso/" + firm.String() + "\n"} {
		if !strings.Contains(said, part) {
			t.Errorf("%s: %s", part, said)
		}
	}
	if strings.Contains(said, "Careful") {
		t.Errorf("%s", said)
	}
	file := filepath.Join(w.data, "oidc.key")
	info, err := os.Stat(file)
	w.must(err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("oidc.key: %v", info.Mode())
	}
	kept, err := os.ReadFile(file)
	w.must(err)
	if !bytes.Contains(kept, []byte(`"the client's secret"`)) {
		t.Errorf("%s", kept)
	}
	said = admin(exitFine, "show", "--firm", firm.String())
	for _, part := range []string{provider.URL, "underseal", "not shown"} {
		if !strings.Contains(said, part) {
			t.Errorf("%s: %s", part, said)
		}
	}
	// Nowhere else.
	w.must(filepath.Walk(filepath.Join(w.data, "store"), func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte("the client's secret")) {
			t.Errorf("the secret is in %s", path)
		}
		return err
	}))

	w.serve()
	if to := w.startsAt(firm); !strings.HasPrefix(to, provider.URL+"/authorize?") {
		t.Errorf("sent to %q", to)
	}
	w.stop()

	// A new secret ends no link; another provider, and another client of one, do.
	w.plantLink(firm, provider.URL)
	if said := set(exitFine, provider.URL); strings.Contains(said, "ended") {
		t.Errorf("the same provider: %s", said)
	}
	other := saysItIs(t)
	if said := set(exitFine, other.URL); !strings.Contains(said, "had opened: 1\n") {
		t.Errorf("another provider: %s", said)
	}
	w.plantLink(firm, other.URL)
	if said := admin(exitFine, "set", "--issuer", other.URL, "--client-id", "another", "--client-secret-file", secretFile); !strings.Contains(said, "had opened: 1\n") {
		t.Errorf("another client: %s", said)
	}
	w.plantLink(firm, other.URL)
	if said := admin(exitFine, "remove"); !strings.Contains(said, "had opened: 1\n") {
		t.Errorf("no provider: %s", said)
	}

	// One that does not answer is set all the same, and said to be spelled otherwise perhaps.
	for _, issuer := range []string{provider.URL + "/", "http://127.0.0.1:1"} {
		if said := set(exitFine, issuer); !strings.Contains(said, "Careful") {
			t.Errorf("%s: %s", issuer, said)
		}
	}
	admin(exitFine, "remove")
	admin(exitFine, "remove")
	w.serve()
	if to := w.startsAt(firm); to != "/?sso=sign-in-failed" {
		t.Errorf("sent to %q", to)
	}
	w.stop()

	for said, args := range map[string][]string{
		"--firm is the id":          {"show", "--firm", wire.ChainID{1}.String()},
		firm.String():               {"show", "--firm", "x"}, // the ids that there are
		"https":                     {"set", "--issuer", "http://login.example", "--client-id", "underseal", "--client-secret-file", secretFile},
		"reading the client secret": {"set", "--issuer", provider.URL, "--client-id", "underseal", "--client-secret-file", secretFile + "x"},
		"an issuer, which":          {"set", "--issuer", provider.URL, "--client-id", "underseal", "--client-secret-file", os.DevNull},
	} {
		if got := admin(exitError, args...); !strings.Contains(got, said) {
			t.Errorf("%v: %s", args, got)
		}
	}
	for _, args := range [][]string{{"set"}, {"set", "--issuer", provider.URL}, {"old"}, {"show", "--issuer", "x"}, {"show", "more"}} {
		admin(exitUsage, args...)
	}
	w.must(os.WriteFile(file, []byte("{"), 0o600))
	if said := admin(exitError, "show"); !strings.Contains(said, "damaged") {
		t.Errorf("%s", said)
	}
	w.must(os.Remove(file))
}

// plantLink links an account, as if the provider had been asked.
func (w *world) plantLink(firm wire.ChainID, issuer string) {
	w.t.Helper()
	d, err := openData(w.data, "")
	w.must(err)
	account := wire.ObjectID{1}
	f := layout.NewSSOSubject(firm, issuer, "ada")
	w.must(d.store.Update(w.t.Context(), layout.Accounts, func(tx store.Tx) error {
		return errors.Join(tx.Put(layout.SSOOfKey(account, firm), []byte(f.Hash)), layout.Put(tx, layout.SSOKey(f), layout.SSO{Account: account}))
	}))
	w.must(d.Close())
}

// startsAt is where the server sends a browser that begins to sign in through a firm.
func (w *world) startsAt(firm wire.ChainID) string {
	w.t.Helper()
	r, err := http.NewRequest(http.MethodGet, w.origin+strings.Replace(api.RouteSSOStart, ":firm", firm.String(), 1), nil)
	w.must(err)
	reply, err := http.DefaultTransport.RoundTrip(r)
	w.must(err)
	defer reply.Body.Close()
	return reply.Header.Get("Location")
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/server/auth"
)

// output is what a program prints while it runs.
type output struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

var link = regexp.MustCompile(`(http://localhost:\d+)/setup#([A-Za-z0-9_-]{43})\n`)

// start runs a server on a free port until stop is called, which returns its exit code.
func start(t *testing.T, data string) (origin, secret string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var out, errs output
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"serve", "--listen", "127.0.0.1:0", "--data", data}, strings.NewReader(""), &out, &errs)
	}()
	stop = func() int { cancel(); return <-code }
	t.Cleanup(cancel)
	for range 500 {
		if m := link.FindStringSubmatch(out.String()); m != nil {
			return m[1], m[2], stop
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no setup link: %s %s", out.String(), errs.String())
	return "", "", nil
}

func enrol(t *testing.T, origin, secret string) (int, string) {
	t.Helper()
	reply, err := http.Post(origin+api.RouteEnrolments, api.TypeJSON, strings.NewReader(`{"setup":"`+secret+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	b, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(b)
}

func TestServe(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	origin, secret, stop := start(t, data)
	status, first := enrol(t, origin, secret)
	if status != 200 {
		t.Fatalf("%d %s", status, first)
	}
	if status, _ := enrol(t, origin, "A"+secret[1:]); secret[0] != 'A' && status != 410 {
		t.Fatalf("another secret: %d", status)
	}
	for _, name := range []string{"log.key", "sign-in.key"} {
		if info, err := os.Stat(filepath.Join(data, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%s: %v %v", name, info, err)
		}
	}

	// While it runs, the data is its own.
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"admin", "firm", "new", "--data", data}, nil, &out, &errs); code != exitError || !strings.Contains(errs.String(), "stop it first") {
		t.Fatalf("admin beside a server: %d %s", code, errs.String())
	}
	if code := stop(); code != exitFine {
		t.Fatalf("stopped with %d", code)
	}
	errs.Reset()
	if code := run(t.Context(), []string{"admin", "firm", "new", "--data", data}, nil, &out, &errs); code != exitFine || !link.MatchString(out.String()) {
		t.Fatalf("admin: %d %s %s", code, out.String(), errs.String())
	}
	again := link.FindStringSubmatch(out.String())[2]

	// Links and keys outlive the process.
	origin, _, stop = start(t, data)
	if status, body := enrol(t, origin, again); status != 200 {
		t.Fatalf("the admin's link: %d %s", status, body)
	}
	status, second := enrol(t, origin, secret)
	key := regexp.MustCompile(`[0-9a-f]{8}\+[A-Za-z0-9+/=]{44}"`) // the Ed25519 verifier key, whose name has the port
	if status != 200 || !key.MatchString(first) || key.FindString(first)[9:] != key.FindString(second)[9:] {
		t.Fatalf("the log has other keys after a restart: %d", status)
	}
	stop()
}

func TestUsage(t *testing.T) {
	t.Setenv("UNDERSEAL_LISTEN", "")
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"", exitUsage, "Server:"},
		{"help", exitFine, "underseal serve"},
		{"help get", exitFine, "usage: underseal [--home FOLDER] [--passphrase-fd N] [--json] get "},
		{"help serve", exitFine, "Usage of serve"},
		{"help nothing", exitUsage, "there is no command"},
		{"help help", exitFine, "underseal serve"},
		{"--help --help", exitFine, "underseal serve"},
		{"serve --nothing", exitUsage, "nothing"},
		{"serve more", exitUsage, `takes no "more"`},
		{"serve --listen 0.0.0.0:8420", exitUsage, "TLS"},
		{"serve --listen 127.0.0.1:84200", exitUsage, "an address and a port"},
		{"serve --listen :8420", exitUsage, "TLS"},
		{"serve --listen [::]:8420 --origin http://localhost:8420", exitUsage, "TLS"},
		{"serve --listen nowhere", exitUsage, "--listen"},
		{"serve --origin http://files.example", exitUsage, "https"},
		{"serve --origin https://files.example/", exitUsage, "origin"},
		{"serve --listen 127.0.0.1:0 --data /dev/null/x", exitError, "data folder"},
		{"admin", exitUsage, "firm new"},
		{"admin firm old", exitUsage, "firm new"},
		{"admin firm new more", exitUsage, "more"},
		{"admin firm new --origin x", exitUsage, "origin"},
		{"admin oidc", exitUsage, "oidc set"},
		{"admin oidc show --origin x", exitUsage, "origin"},
	} {
		var out, errs bytes.Buffer
		code := run(t.Context(), strings.Fields(c.args), strings.NewReader(""), &out, &errs)
		if code != c.code || !strings.Contains(out.String()+errs.String(), c.says) {
			t.Errorf("%q: %d %s%s", c.args, code, out.String(), errs.String())
		}
	}
}

// An address that is taken is told with the way out.
func TestAddressTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"serve", "--listen", taken.Addr().String(), "--data", t.TempDir()}, nil, &out, &errs)
	if code != exitError || !strings.Contains(errs.String(), "another address with --listen") {
		t.Errorf("%d %s%s", code, out.String(), errs.String())
	}
}

func TestDamagedKeyFile(t *testing.T) {
	k := &keyFile{path: filepath.Join(t.TempDir(), "log.key")}
	if err := os.WriteFile(k.path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Make(t.Context(), "x"); err == nil {
		t.Fatal("a damaged file is overwritten")
	}
	if _, err := k.Seeds(t.Context(), "x"); err == nil {
		t.Fatal("a damaged file is read")
	}
	if b, err := os.ReadFile(k.path); err != nil || string(b) != "{" {
		t.Fatal("it is not as it was")
	}
}

// TestSignInKey: S-PASSWORD-07. It is drawn once, survives, and a damaged one is neither read nor overwritten.
func TestSignInKey(t *testing.T) {
	k := &signInKey{path: filepath.Join(t.TempDir(), "sign-in.key")}
	if _, err := k.Key(t.Context()); !errors.Is(err, auth.ErrNoKey) {
		t.Fatalf("%v", err)
	}
	first, err := k.Make(t.Context())
	if err != nil || first == (auth.Key{}) {
		t.Fatal(err)
	}
	again := &signInKey{path: k.path}
	for _, get := range []func(context.Context) (auth.Key, error){again.Key, again.Make, k.Make} {
		if key, err := get(t.Context()); err != nil || key != first {
			t.Fatalf("another key: %v", err)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v %s %x %d", first, first, first, first, first, first); strings.Count(text, "private") != 6 {
		t.Error("it is printed")
	}
	for _, damaged := range []string{"", "AAAA", "!", strings.Repeat("A", 43), strings.Repeat("A", 88)} {
		if err := os.WriteFile(k.path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, get := range []func(context.Context) (auth.Key, error){k.Key, k.Make} {
			if _, err := get(t.Context()); err == nil || errors.Is(err, auth.ErrNoKey) {
				t.Errorf("%q is taken: %v", damaged, err)
			}
		}
		if b, err := os.ReadFile(k.path); err != nil || string(b) != damaged {
			t.Error("it is not as it was")
		}
	}
}

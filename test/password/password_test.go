// Package password runs the module for passwords as a browser gets it, against the server's side of package opaque.
package password

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/keys/opaque"
	"github.com/underseal/underseal/keys/strength"
	"github.com/underseal/underseal/test/program"
)

const origin = "https://firm.example"

// module is the running program.
type module struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

func start(t *testing.T) *module {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password.wasm")
	build := exec.Command("go", "build", "-o", file, "./wasm/password")
	build.Dir = program.Root()
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	loader := filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js")
	command := exec.CommandContext(t.Context(), "node", "drive.js", loader, file)
	command.Env = []string{"PATH=" + os.Getenv("PATH")}
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); command.Wait() })
	return &module{t, in, bufio.NewScanner(out)}
}

func (m *module) send(v any) {
	m.t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		m.t.Fatal(err)
	}
	if _, err := m.in.Write(append(b, '\n')); err != nil {
		m.t.Fatal(err)
	}
}

func (m *module) receive() map[string]string {
	m.t.Helper()
	if !m.out.Scan() {
		m.t.Fatalf("the module said nothing: %v", m.out.Err())
	}
	var v map[string]string
	if err := json.Unmarshal(m.out.Bytes(), &v); err != nil {
		m.t.Fatalf("%v: %s", err, m.out.Text())
	}
	return v
}

// run calls a method, hands its message to answer, and returns how it finished, in hex.
func (m *module) run(method, name string, password []byte, answer func(message []byte) []byte) map[string]string {
	m.t.Helper()
	m.send(map[string]string{"method": method, "name": name, "origin": origin, "password": hex.EncodeToString(password)})
	first := m.receive()
	if first["code"] != "" {
		return first
	}
	m.send(map[string]string{"answer": hex.EncodeToString(answer(bytesOf(m.t, first["message"])))})
	outcome := m.receive()
	if outcome["again"] != "sign-in-failed" {
		m.t.Errorf("%s finishes twice: %q", method, outcome["again"])
	}
	return outcome
}

func bytesOf(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestModule(t *testing.T) {
	m := start(t)
	server, err := opaque.NewServer([opaque.SeedSize]byte{1}, origin)
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte("correct horse battery staple")
	register := func(message []byte) []byte {
		response, err := server.RegisterResponse("ada", message)
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	began := time.Now()
	made := m.run("register", "ada", secret, register)
	record := bytesOf(t, made["record"])
	if opaque.CheckRecord(record) != nil || len(bytesOf(t, made["exportKey"])) != opaque.ExportKeySize {
		t.Fatalf("no record: %q", made["code"])
	}
	t.Logf("a registration takes %v in the module under Node", time.Since(began).Round(time.Millisecond))

	signIn := func(name string, record, password []byte) (outcome map[string]string, state []byte) {
		outcome = m.run("signIn", name, password, func(message []byte) (ke2 []byte) {
			if ke2, state, err = server.LoginStart("ada", record, message); err != nil {
				t.Fatal(err)
			}
			return ke2
		})
		return outcome, state
	}
	began = time.Now()
	in, state := signIn("ada", record, secret)
	t.Logf("a sign-in takes %v", time.Since(began).Round(time.Millisecond))
	key, err := opaque.LoginFinish(state, bytesOf(t, in["ke3"]))
	if err != nil || hex.EncodeToString(key) != in["sessionKey"] || in["exportKey"] != made["exportKey"] {
		t.Errorf("does not sign in: %v", err)
	}
	for what, c := range map[string]struct {
		name             string
		record, password []byte
	}{
		"another password": {"ada", record, []byte("correct horse battery stable")},
		"another name":     {"bob", record, secret},
		"no account":       {"ada", nil, secret},
	} {
		if out, _ := signIn(c.name, c.record, c.password); out["code"] != "sign-in-failed" || out["ke3"]+out["exportKey"]+out["sessionKey"] != "" {
			t.Errorf("%s: %q", what, out["code"])
		}
	}
	for what, b := range map[string][]byte{"nothing": nil, "a cut answer": make([]byte, opaque.KE2Size-1), "a flood": make([]byte, 1<<20)} {
		if out := m.run("signIn", "ada", secret, func([]byte) []byte { return b }); out["code"] != "sign-in-failed" {
			t.Errorf("%s: %q", what, out["code"])
		}
	}
	for what, raw := range map[string][]any{"no arguments": {}, "numbers": {1, 2, 3}, "a string for bytes": {"ada", origin, "password"}, "an object for bytes": {"ada", origin, map[string]int{"byteLength": 4}}} {
		for _, method := range []string{"register", "signIn"} {
			m.send(map[string]any{"method": method, "raw": raw})
			if out := m.receive(); out["code"] != "sign-in-failed" {
				t.Errorf("%s to %s: %q", what, method, out["code"])
			}
		}
	}
	if out := m.run("signIn", "", secret, nil); out["code"] != "sign-in-failed" {
		t.Errorf("no name: %q", out["code"])
	}
}

func TestStrengthInTheModule(t *testing.T) {
	m := start(t)
	judge := func(call map[string]any) (out struct {
		Score       int
		Guesses     float64
		Warning     string
		Suggestions []string
		Code        string
	}) {
		t.Helper()
		call["method"] = "strength"
		m.send(call)
		if !m.out.Scan() {
			t.Fatalf("the module said nothing: %v", m.out.Err())
		}
		if err := json.Unmarshal(m.out.Bytes(), &out); err != nil {
			t.Fatalf("%v: %s", err, m.out.Text())
		}
		return out
	}
	for password, words := range map[string][]string{"correct horse battery staple": {"Ada"}, "password1": {}, "lovelace1815": {"Ada Lovelace"}} {
		want := strength.Of(password, words)
		got := judge(map[string]any{"password": hex.EncodeToString([]byte(password)), "words": words})
		if got.Score != want.Score || got.Guesses != want.Guesses || got.Warning != want.Warning || !slices.Equal(got.Suggestions, want.Suggestions) {
			t.Errorf("%s: %+v, want %+v", password, got, want)
		}
	}
	for what, raw := range map[string][]any{"no arguments": {}, "a string for bytes": {"ada", []string{}}, "a string for words": {1, "words"}, "too many words": {1, make([]string, 1001)}} {
		if out := judge(map[string]any{"raw": raw}); out.Code != "sign-in-failed" {
			t.Errorf("%s: %q", what, out.Code)
		}
	}
	m.send(map[string]string{"method": "end"})
	if out := m.receive(); out["end"] != "over" {
		t.Errorf("it does not end: %v", out)
	}
}

package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/client/native"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// TestMain lets the test binary be the program, so that tests start it as people do.
func TestMain(m *testing.M) {
	if os.Getenv("UNDERSEAL_TEST_PROGRAM") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const passphrase = "correct horse battery staple"

// world is a server behind a proxy that may lie or hold things up, a founder, and a matter.
type world struct {
	t       *testing.T
	origin  string
	mangle  atomic.Pointer[func(*http.Response) error]
	before  atomic.Pointer[func(*http.Request)]
	founder *client.Client
	matter  wire.ChainID
	data    string    // the server's folder
	address string    // where it listens
	server  *exec.Cmd // while it runs
}

var setupPattern = regexp.MustCompile(`/setup#(\S+)`)

func newWorld(t *testing.T) *world {
	w := &world{t: t, data: t.TempDir()}
	var address *url.URL
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(address); r.Out.Host = r.In.Host },
		ModifyResponse: func(r *http.Response) error {
			if f := w.mangle.Load(); f != nil {
				return (*f)(r)
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if f := w.before.Load(); f != nil {
			(*f)(r)
		}
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(front.Close)
	w.origin = strings.Replace(front.URL, "127.0.0.1", "localhost", 1)
	secret := w.serve()
	address = &url.URL{Scheme: "http", Host: w.address}
	w.found(secret)
	return w
}

// serve starts the server, on the address it had before, and returns its setup secret if there is no firm yet.
func (w *world) serve() (secret string) {
	w.t.Helper()
	if w.address == "" {
		probe := httptest.NewServer(nil)
		w.address = probe.Listener.Addr().String()
		probe.Close()
	}
	cmd := exec.Command(os.Args[0], "serve", "--listen", w.address, "--origin", w.origin, "--data", w.data)
	cmd.Env = append(os.Environ(), "UNDERSEAL_TEST_PROGRAM=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	if w.server == nil {
		w.t.Cleanup(w.stop)
	}
	w.server = cmd
	lines := bufio.NewScanner(out)
	for again := w.founder != nil; !again && lines.Scan(); {
		if m := setupPattern.FindStringSubmatch(lines.Text()); m != nil {
			secret = m[1]
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	for range 200 {
		if reply, err := http.Get("http://" + w.address + api.RouteHealth); err == nil {
			reply.Body.Close()
			return secret
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.t.Fatal("the server did not start")
	return ""
}

// stop kills the server.
func (w *world) stop() {
	_ = w.server.Process.Kill() // it may have ended
	_ = w.server.Wait()         // killed is what it was meant to be
}

func (w *world) found(secret string) {
	w.t.Helper()
	transport, err := native.NewTransport(w.origin)
	w.must(err)
	device, err := native.OpenDevice(w.t.TempDir())
	w.must(err)
	w.founder = client.New(client.Config{Origin: w.origin, Transport: transport, Device: device, Pump: native.NewPump(transport, nil), Passwords: native.Passwords{}, Random: rand.Reader, Now: time.Now})
	ctx := w.t.Context()
	_, err = w.founder.SetupOptions(ctx, secret, "Ada Attorney", "Firm & Partners")
	w.must(err)
	stretch, err := vault.DefaultStretch(nil)
	w.must(err)
	p, err := vault.StretchPassphrase([]byte(passphrase), stretch)
	w.must(err)
	w.must(w.founder.SetupFinish(ctx, client.Unlocker{Passphrase: &p}))
	kit, err := w.founder.CreateKit()
	w.must(err)
	w.must(w.founder.TestKit(kit.Kit))
	w.must(w.founder.ConfirmKit(ctx))
	overview, err := w.founder.Overview(ctx)
	w.must(err)
	firm, err := wire.ParseHash(overview.Firms[0].Firm)
	w.must(err)
	w.matter, err = w.founder.CreateMatter(ctx, firm, "Roe v. Wade")
	w.must(err)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) link(role chain.Role, mode chain.InviteMode) string {
	w.t.Helper()
	link, _, err := w.founder.Invite(w.t.Context(), w.matter, "Carl Client", role, mode, time.Now().Add(time.Hour))
	w.must(err)
	return link
}

// firmLink invites into the firm's own chain.
func (w *world) firmLink(role chain.Role) string {
	w.t.Helper()
	return w.firmLinkFor("Carl Client", role)
}

func (w *world) firmLinkFor(name string, role chain.Role) string {
	w.t.Helper()
	overview, err := w.founder.Overview(w.t.Context())
	w.must(err)
	firm, err := wire.ParseHash(overview.Firms[0].Firm)
	w.must(err)
	link, _, err := w.founder.Invite(w.t.Context(), firm, name, role, chain.ModeOpensAtOnce, time.Now().Add(time.Hour))
	w.must(err)
	return link
}

// person is a home and a passphrase.
type person struct {
	w          *world
	home       string
	passphrase string
}

func (w *world) person() *person {
	return &person{w: w, home: filepath.Join(w.t.TempDir(), "home"), passphrase: passphrase}
}

type result struct {
	code           int
	stdout, stderr string
}

func (p *person) command(args ...string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	cmd := exec.Command(os.Args[0], append([]string{"--home", p.home, "--passphrase-fd", "0"}, args...)...)
	cmd.Env = append(os.Environ(), "UNDERSEAL_TEST_PROGRAM=1")
	cmd.Dir = p.w.t.TempDir()
	cmd.Stdin = strings.NewReader(p.passphrase + "\n")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	return cmd, &stdout, &stderr
}

func (p *person) run(args ...string) result {
	p.w.t.Helper()
	cmd, stdout, stderr := p.command(args...)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.w.t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func (p *person) want(code int, args ...string) result {
	p.w.t.Helper()
	r := p.run(args...)
	if r.code != code {
		p.w.t.Fatalf("%q: exit %d, want %d\n%s%s", args, r.code, code, r.stdout, r.stderr)
	}
	return r
}

func (p *person) has(r result, texts ...string) {
	p.w.t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.stdout+r.stderr, text) {
			p.w.t.Errorf("no %q in:\n%s%s", text, r.stdout, r.stderr)
		}
	}
}

func (w *world) file(name string, content []byte) string {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), name)
	w.must(os.WriteFile(path, content, 0o600))
	return path
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// TestMember is the story: join, ls, put, get, rm, invite, whoami.
func TestMember(t *testing.T) {
	w := newWorld(t)
	p := w.person()
	link := w.link(chain.RoleClient, chain.ModeOpensAtOnce)

	p.has(p.want(exitError, "ls"), "no identity")
	p.passphrase = "short"
	p.has(p.want(exitError, "join", link), "too short")
	p.passphrase = passphrase
	p.has(p.want(exitFine, "join", link), "Ada Attorney", "Firm & Partners", "You are in “Roe v. Wade”")
	if info, err := os.Stat(filepath.Join(p.home, identityName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("identity: %v, %v", info, err)
	}
	p.passphrase = link + "\n" + passphrase
	p.has(p.want(exitFine, "join", "-"), "You are in") // once more is no harm to whoever it was for
	p.passphrase = "no link\n" + passphrase
	p.has(p.want(exitError, "join", "-"), "not a whole one")
	p.passphrase = passphrase
	p.has(w.person().want(exitError, "join", link), "used already")

	p.has(p.want(exitFine, "ls"), "Roe v. Wade", "client", "open")
	p.has(p.want(exitFine, "whoami"), "Carl Client", w.origin, "Firm & Partners")
	p.has(p.want(exitFine, "sessions"), "by passphrase  (this one)")
	p.has(p.want(exitError, "sessions", "--end", "aaaaaaaa"), "You have no session “aaaaaaaa”: underseal sessions lists them.")
	p.has(p.want(exitError, "policy", "Firm & Partners"), "Your role does not allow that. To read it takes a seat in the firm itself; to sign, that of an owner.")

	content := noise(9<<20 + 17)
	file := w.file("brief.pdf", content)
	p.has(p.want(exitFine, "put", file, "Roe v. Wade:/motions/"), "/motions/brief.pdf")
	p.has(p.want(exitFine, "put", w.file("empty", nil), "Roe v. Wade:/nothing.txt"), "/nothing.txt")
	p.has(p.want(exitFine, "ls", "Roe v. Wade:/motions"), "9437201", "/motions/brief.pdf", "Carl Client", time.Now().Format("  2006-"))
	p.has(p.want(exitFine, "ls", w.matter.String()[:8]), "brief.pdf", "nothing.txt")

	out := filepath.Join(t.TempDir(), "out.pdf")
	p.want(exitFine, "get", "Roe v. Wade:/motions/brief.pdf", "-o", out)
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	p.has(p.want(exitError, "get", "Roe v. Wade:/motions/brief.pdf", "-o", out), "There is a file")
	p.want(exitFine, "get", "--force", "Roe v. Wade:/motions/brief.pdf", "-o", out)
	p.has(p.want(exitError, "get", "Roe v. Wade:/motions", "-o", out), "is a folder")
	p.has(p.want(exitError, "get", "Roe v. Wade:/none"), "no document")
	p.has(p.want(exitError, "get", "Nobody v. None:/x"), "no matter")

	second := w.file("brief.pdf", []byte("second version"))
	p.has(p.want(exitFine, "put", second, "Roe v. Wade:/motions/brief.pdf"), "Version 2 of “/motions/brief.pdf”")
	p.has(p.want(exitUsage, "put", second, "Roe v. Wade:/Pleadings"), "end it with a slash for a folder, or name the document with its ending")
	p.has(p.want(exitError, "get", "Roe v. Wade:/motions/brief.pdf", "-o", "/nonexistent/x"), "“/nonexistent/x”", "no folder “/nonexistent”")
	for want, args := range map[string][]string{"not-here": {"get", "Roe v. Wade:/none", "--json"}, "usage": {"put", second, "Roe v. Wade:/Pleadings", "--json"}, "file-exists": {"get", "Roe v. Wade:/motions/brief.pdf", "-o", out, "--json"}} {
		var failed struct{ Error struct{ Code string } }
		if r := p.run(args...); json.Unmarshal([]byte(r.stderr), &failed) != nil || failed.Error.Code != want {
			t.Errorf("%q, want %s", r.stderr, want)
		}
	}
	view, err := w.founder.Matter(t.Context(), w.matter)
	w.must(err)
	for _, d := range view.Documents {
		if d.Name == "brief.pdf" && (len(d.Versions) != 2 || d.Author != "Carl Client") {
			t.Errorf("%d versions by %s", len(d.Versions), d.Author)
		}
	}

	r := p.want(exitFine, "--json", "ls", "Roe v. Wade")
	var listed client.MatterView
	if err := json.Unmarshal([]byte(r.stdout), &listed); err != nil || len(listed.Documents) != 2 {
		t.Errorf("%d documents, %v", len(listed.Documents), err)
	}
	p.has(p.want(exitError, "rm", "Roe v. Wade:/motions/brief.pdf"), "role does not allow")
	p.has(p.want(exitError, "invite", "Roe v. Wade", "--name", "Eve"), "role does not allow that. It takes an owner")

	owner := w.person()
	owner.want(exitFine, "join", w.link(chain.RoleOwner, chain.ModeOpensAtOnce))
	owner.has(owner.want(exitFine, "rm", "Roe v. Wade:/motions/brief.pdf"), "was deleted")
	p.has(p.want(exitError, "get", "Roe v. Wade:/motions/brief.pdf"), "no document")
	r = owner.want(exitFine, "invite", "Roe v. Wade", "--name", "Pat", "--role", "paralegal", "--mode", "after-i-confirm", "--days", "2")
	waiting := w.person()
	waiting.has(waiting.want(exitFine, "join", strings.TrimSpace(r.stdout)), "once Carl Client has confirmed")
	waiting.has(waiting.want(exitFine, "ls"), "waiting")
	view, err = w.founder.Matter(t.Context(), w.matter)
	w.must(err)
	for _, i := range view.Invites {
		if i.State == "waiting" {
			id, err := wire.ParseObjectID(i.ID)
			w.must(err)
			_, err = w.founder.ConfirmInvite(t.Context(), w.matter, id)
			w.must(err)
		}
	}
	waiting.has(waiting.want(exitFine, "ls"), "open", "paralegal")
}

// TestMemberPassphrase: a wrong one opens nothing, and it is taken from a descriptor alone.
func TestMemberPassphrase(t *testing.T) {
	w := newWorld(t)
	p := w.person()
	p.want(exitFine, "join", w.link(chain.RoleClient, chain.ModeOpensAtOnce))
	p.passphrase = passphrase + "!"
	p.has(p.want(exitError, "ls"), "does not unlock")
	p.passphrase = ""
	p.has(p.want(exitError, "ls"), "No passphrase")
	r := p.want(exitError, "--json", "ls")
	var failed struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(r.stderr), &failed); err != nil || failed.Error.Message == "" || r.stdout != "" {
		t.Errorf("%q, %v", r.stderr, err)
	}
}

// TestMemberReadme runs the README's examples in their order, on a fresh matter and in one folder: a member's, then those of
// whoever checks. Evidence there is none.
func TestMemberReadme(t *testing.T) {
	w := newWorld(t)
	p := w.person()
	folder := t.TempDir()
	w.must(os.WriteFile(filepath.Join(folder, "brief.pdf"), []byte("brief"), 0o600))
	readme, err := os.ReadFile("../../README.md")
	w.must(err)
	example := regexp.MustCompile(`(?m)^    underseal(-verify)? ([a-z-]+)(.*)$`).FindAllStringSubmatch(string(readme), -1)
	link, verifier, url, done := w.link(chain.RoleOwner, chain.ModeOpensAtOnce), w.verifier(), "", map[string]bool{}
	// An owner of the firm, too: its rules are shown.
	p.want(exitFine, "join", w.firmLink(chain.RoleOwner))
	w.person().want(exitFine, "join", w.firmLinkFor("Bob Barrister", chain.RoleParalegal))
	second := &newMachine{person: w.person(), first: p}
	for _, line := range example {
		args, who := []string{line[2]}, p
		for _, word := range regexp.MustCompile(`'([^']*)'|\S+`).FindAllStringSubmatch(line[3], -1) {
			text := or(word[1], word[0])
			switch {
			case strings.HasPrefix(text, "https://files.example/join#"):
				text = link
			case strings.HasPrefix(text, "https://files.example/recover#"):
				text, who = w.beginFor("Carl Client"), w.person() // who left his identity the line before
			case strings.HasPrefix(text, "https://files.example/log/"):
				text = url
			case text == "ID":
				text = p.other().ID
			}
			args = append(args, strings.NewReplacer("Doe v. Roe", "Roe v. Wade", "Advocate LLP", "Firm & Partners", "Ada Advocate", "Ada Attorney").Replace(text))
		}
		done[line[1]+" "+line[2]] = true
		var cmd *exec.Cmd
		switch {
		case args[0] == "serve" || args[0] == "admin" || args[0] == "evidence":
			continue
		case second.does(args):
			continue
		case line[1] == "":
			cmd, _, _ = who.command(args...)
			cmd.Stdout, cmd.Stderr = nil, nil
		default:
			url = or(url, parsed[client.VerifyView](p, p.want(exitFine, "verify", "Roe v. Wade", "--json").stdout).URL)
			for i, arg := range args {
				if arg == "" {
					args[i] = url
				}
			}
			cmd = exec.Command(verifier.program, args...)
		}
		cmd.Dir = folder
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}
	for _, c := range memberCommands() {
		if !done[" "+c.name] {
			t.Errorf("no example of %s", c.name)
		}
	}
	for _, name := range []string{"copy", "log", "matter", "receipt", "evidence"} {
		if !done["-verify "+name] {
			t.Errorf("no example of underseal-verify %s", name)
		}
	}
}

func TestMemberUsage(t *testing.T) {
	w := &world{t: t}
	p := w.person()
	for _, args := range [][]string{{}, {"fly"}, {"join"}, {"ls", "a", "b"}, {"put", "x"}, {"get"}, {"rm"}, {"invite"}, {"whoami", "x"}, {"sessions", "x"}, {"policy"}, {"policy", "x", "--set", "idle=x"}, {"sessions", "--end", "x"}, {"get", "--loud", "x"},
		{"invite", "x", "--role", "king"}, {"invite", "x", "--mode", "sometime"}, {"invite", "x", "--days", "0"}, {"rm", "m:/a/../b"}, {"join", "http://files.example.com/join#abc"},
		{"verify"}, {"verify", "x", "y"}, {"activity", "x", "--limit", "0"}, {"activity", "x", "--limit", "100001"}, {"trail"}, {"trail", "x", "--limit", "-1"}, {"export", "x"},
		{"people"}, {"unlock", "x", "y"}, {"unlock", "x", "--reason", "r"}, {"sign-out", "x", "y", "--reason", " "}, {"read", "x"},
		{"export", "x", "everything"}, {"export", "x", "receipt"}, {"export", "x", "receipt", "--position", "0", "--sequence", "server"}} {
		if r := p.run(args...); r.code != exitUsage {
			t.Errorf("%q: exit %d\n%s", args, r.code, r.stderr)
		}
	}
	p.has(p.want(exitUsage, "put", "x"), "put lacks MATTER:/path")
	p.has(p.want(exitUsage, "put"), "put lacks FILE and MATTER:/path")
	for _, c := range memberCommands() {
		if r := p.want(exitFine, c.name, "--help"); !strings.HasPrefix(r.stdout, "usage: underseal ") || r.stderr != "" {
			t.Errorf("%s --help: %q, %q", c.name, r.stdout, r.stderr)
		}
	}
	for _, args := range [][]string{{"-h"}, {"admin", "--help"}, {"admin", "firm", "-h"}, {"--version"}} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), args, nil, &stdout, &stderr); code != exitFine || !strings.HasPrefix(stdout.String(), "underseal") || stderr.Len() != 0 {
			t.Errorf("%q: exit %d, %q, %q", args, code, stdout.String(), stderr.String())
		}
	}
	for _, args := range [][]string{{"join", "https://example.com/elsewhere#x"}, {"join", "http://localhost:1/join#not-a-link"}, {"ls"}, {"put", "/no/such/file", "m:/x"}} {
		if r := p.run(args...); r.code != exitError {
			t.Errorf("%q: exit %d\n%s", args, r.code, r.stderr)
		}
	}
}

// TestMemberResume kills and interrupts an upload, and carries it on.
func TestMemberResume(t *testing.T) {
	w := newWorld(t)
	p := w.person()
	p.want(exitFine, "join", w.link(chain.RoleClient, chain.ModeOpensAtOnce))
	content := noise(30 << 20)
	file := w.file("exhibit.mov", content)
	for _, end := range []os.Signal{os.Kill, os.Interrupt} {
		var puts atomic.Int32
		some := make(chan struct{})
		stop := make(chan struct{})
		hold := func(r *http.Request) {
			if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/chunks/") {
				return
			}
			switch n := puts.Add(1); {
			case n == 4:
				close(some)
				fallthrough
			case n > 4:
				select {
				case <-stop:
				case <-r.Context().Done():
				}
			}
		}
		w.before.Store(&hold)
		cmd, _, stderr := p.command("put", file, "Roe v. Wade:/")
		w.must(cmd.Start())
		select {
		case <-some:
		case <-time.After(30 * time.Second):
			t.Fatal("no chunk was sent")
		}
		w.must(cmd.Process.Signal(end))
		err := cmd.Wait()
		w.before.Store(nil)
		close(stop)
		if end == os.Interrupt && (cmd.ProcessState.ExitCode() != exitError || !strings.Contains(stderr.String(), "Paused")) {
			t.Errorf("interrupted: %v\n%s", err, stderr)
		}
		time.Sleep(300 * time.Millisecond) // what was under way ends
		view, err := w.founder.Matter(t.Context(), w.matter)
		w.must(err)
		if end == os.Kill && len(view.Documents) != 0 {
			t.Error("half an upload is visible")
		}
		puts.Store(0)
		count := func(r *http.Request) {
			if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/chunks/") {
				puts.Add(1)
			}
		}
		w.before.Store(&count)
		r := p.want(exitFine, "put", file, "Roe v. Wade:/")
		p.has(r, "Carrying on")
		w.before.Store(nil)
		// A chunk that the server stored and did not note makes it start over; then all are sent.
		if n := puts.Load(); n > 7 && !strings.Contains(r.stderr, "starting over") {
			t.Errorf("%d chunks were sent again", n)
		}
		out := filepath.Join(t.TempDir(), "out")
		p.want(exitFine, "get", "Roe v. Wade:/exhibit.mov", "-o", out)
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes came back, %v", len(got), err)
		}
	}
}

// TestMemberLies: a server that shows other bytes ends the program with 3 and leaves no file.
func TestMemberLies(t *testing.T) {
	w := newWorld(t)
	p := w.person()
	p.want(exitFine, "join", w.link(chain.RoleClient, chain.ModeOpensAtOnce))
	p.want(exitFine, "put", w.file("a.txt", []byte("content")), "Roe v. Wade:/a.txt")
	flip := func(part string) *func(*http.Response) error {
		f := func(r *http.Response) error {
			if r.Request.Method != http.MethodGet || !strings.HasSuffix(r.Request.URL.Path, part) {
				return nil
			}
			b, err := io.ReadAll(r.Body)
			if len(b) > 0 {
				b[len(b)/2] ^= 1
			}
			r.Body = io.NopCloser(bytes.NewReader(b))
			return err
		}
		return &f
	}
	for _, part := range []string{"/body", "/digests"} {
		w.mangle.Store(flip(part))
		out := filepath.Join(t.TempDir(), "out")
		p.has(p.want(exitLied, "get", "Roe v. Wade:/a.txt", "-o", out), "THE SERVER LIED", "asked for", "shown")
		if left, err := os.ReadDir(filepath.Dir(out)); err != nil || len(left) != 0 {
			t.Errorf("%s: %d files left, %v", part, len(left), err)
		}
	}
	w.mangle.Store(nil)
	p.has(p.want(exitFine, "whoami"), "refused what the server showed 2 times")
	fresh := w.person()
	link := w.link(chain.RoleClient, chain.ModeOpensAtOnce)
	w.mangle.Store(flip("/entries"))
	fresh.want(exitLied, "join", link)
}

// TestMemberFileChanged: an interrupted upload of a file that changed since starts over.
func TestMemberFileChanged(t *testing.T) {
	w := newWorld(t)
	p := w.person()
	p.want(exitFine, "join", w.link(chain.RoleClient, chain.ModeOpensAtOnce))
	file := w.file("notes", noise(20<<20))
	some, release := make(chan struct{}), make(chan struct{})
	var once atomic.Bool
	hold := func(r *http.Request) {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/chunks/") {
			if once.CompareAndSwap(false, true) {
				close(some)
			}
			<-release
		}
	}
	w.before.Store(&hold)
	cmd, _, _ := p.command("put", file, "Roe v. Wade:/")
	w.must(cmd.Start())
	<-some
	w.must(cmd.Process.Kill())
	_ = cmd.Wait() // killed
	w.before.Store(nil)
	close(release)
	changed := noise(21 << 20)
	w.must(os.WriteFile(file, changed, 0o600))
	p.has(p.want(exitFine, "put", file, "Roe v. Wade:/"), "starting over")
	out := filepath.Join(t.TempDir(), "out")
	p.want(exitFine, "get", "Roe v. Wade:/notes", "-o", out)
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, changed) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
}

// TestMemberJoinInterrupted: a join that ended before the server answered can be made again, whether or not the server
// made the account.
func TestMemberJoinInterrupted(t *testing.T) {
	for _, after := range []string{"/v1/enrolments/", "/entries"} {
		t.Run(strings.Trim(after, "/"), func(t *testing.T) {
			w := newWorld(t)
			p := w.person()
			link := w.link(chain.RoleClient, chain.ModeOpensAtOnce)
			reached, release := make(chan struct{}), make(chan struct{})
			var once atomic.Bool
			hold := func(r *http.Response) error {
				if r.Request.Method == http.MethodPost && strings.Contains(r.Request.URL.Path, after) && once.CompareAndSwap(false, true) {
					close(reached)
					<-release
				}
				return nil
			}
			w.mangle.Store(&hold)
			cmd, _, _ := p.command("join", link)
			w.must(cmd.Start())
			<-reached
			w.must(cmd.Process.Kill())
			_ = cmd.Wait() // killed
			w.mangle.Store(nil)
			close(release)
			p.want(exitFine, "join", link)
			p.has(p.want(exitFine, "ls"), "open", "Roe v. Wade")
		})
	}
}

func TestSafe(t *testing.T) {
	for in, want := range map[string]string{
		"Müller & Söhne ❤":  "Müller & Söhne ❤",
		"a\x1b[2Jb":         `a\u{1b}[2Jb`,
		"invoice\u202efdp.": `invoice\u{202e}fdp.`,
		"a\nb\u2028c":       `a\u{a}b\u{2028}c`,
		"\xff\\":            `\xff\\`,
	} {
		if got := safe(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	var b bytes.Buffer
	name := "x\u202ey\u200bz\U000e0001\u0000"
	printJSON(&b, map[string]string{"name": name})
	var back map[string]string
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || back["name"] != name || strings.ContainsAny(b.String(), "\u202e\u200b\U000e0001") {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestOutputFile(t *testing.T) {
	for _, name := range []string{"../x", "/etc/passwd", ".bashrc", "-rf", `a\b`, "a/b", ""} {
		if got, err := outputFile("", name); err == nil {
			t.Errorf("%q is saved as %q", name, got)
		}
	}
	if got, err := outputFile("", "brief.pdf"); err != nil || got != "brief.pdf" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestSentences: every code there is has one.
func TestSentences(t *testing.T) {
	for _, code := range append(api.ServerCodes(), api.CodeOffline, api.CodeServerLied, api.CodeUnlockFailed, api.CodeBadLink, api.CodeBadName, api.CodeFileChanged,
		api.CodeFileUnreadable, api.CodeFileExists, api.CodeNoRoom, api.CodeRemoved, api.CodeWaiting, api.CodeNotAllowed, api.CodeNotHere, api.CodeCancelled,
		api.CodeNotWitnessed, api.CodeNewKeys, api.CodeReviewOnly, api.CodePasswordFailed, api.CodePasswordShort, api.CodePasswordWeak, api.CodeBadLoginName) {
		if _, ok := sentences()[code]; !ok {
			t.Errorf("no sentence for %s", code)
		}
	}
}

package main

import (
	"bufio"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/server/auth/totp"
)

var (
	codeShown  = regexp.MustCompile(`^    ((?:[0-9A-Z]{5}-){4}[0-9A-Z]{5})$`)
	wordsShown = regexp.MustCompile(`^    ((?:[a-z]+ ){11}[a-z]+)$`)
	kitShown   = regexp.MustCompile(`(?m)^    ((?:[A-Z0-9]{5}-){7}[A-Z0-9]{5})$`)
)

// talk is a command that is answered while it runs. What it says on standard error is read line by line.
type talk struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
	out   strings.Builder
	said  strings.Builder
}

func (p *person) talk(args ...string) *talk {
	p.w.t.Helper()
	cmd, _, _ := p.command(args...)
	k := &talk{t: p.w.t, cmd: cmd}
	cmd.Stdin, cmd.Stderr, cmd.Stdout = nil, nil, &k.out
	in, err := cmd.StdinPipe()
	p.w.must(err)
	errs, err := cmd.StderrPipe()
	p.w.must(err)
	k.in, k.lines = in, bufio.NewScanner(errs)
	p.w.must(cmd.Start())
	kill := func() { _ = cmd.Process.Kill() } // it may have ended
	time.AfterFunc(40*time.Second, kill)
	p.w.t.Cleanup(kill)
	k.say(p.passphrase)
	return k
}

func (k *talk) say(text string) {
	k.t.Helper()
	if _, err := fmt.Fprintln(k.in, text); err != nil {
		k.t.Fatal(err)
	}
}

// until reads as far as a line that fits.
func (k *talk) until(pattern *regexp.Regexp) string {
	k.t.Helper()
	for k.lines.Scan() {
		fmt.Fprintln(&k.said, k.lines.Text())
		if m := pattern.FindStringSubmatch(k.lines.Text()); m != nil {
			return m[1]
		}
	}
	k.t.Fatalf("it never said %v:\n%s", pattern, k.said.String())
	return ""
}

// ends waits for the end.
func (k *talk) ends(code int) result {
	k.t.Helper()
	k.in.Close()
	for k.lines.Scan() {
		fmt.Fprintln(&k.said, k.lines.Text())
	}
	_ = k.cmd.Wait() // the exit code says it
	r := result{k.cmd.ProcessState.ExitCode(), k.out.String(), k.said.String()}
	if r.code != code {
		k.t.Fatalf("exit %d, want %d\n%s%s", r.code, code, r.stdout, r.stderr)
	}
	return r
}

// newMachine is what the README does on two of them.
type newMachine struct {
	*person
	first *person
	login *talk
}

// does reports whether a command was one of the two, and has run it.
func (m *newMachine) does(args []string) bool {
	m.w.t.Helper()
	switch {
	case args[0] == "login":
		m.login = m.talk("login", m.w.origin)
	case args[0] == "devices" && slices.Contains(args, "--approve"):
		m.first.compares(m.login)
	default:
		return false
	}
	return true
}

// admit lets a new machine in.
func (p *person) admit(fresh *person, args ...string) result {
	p.w.t.Helper()
	return p.compares(fresh.talk(append([]string{"login", p.w.origin}, args...)...))
}

// compares is what whoever has the account does about a machine that shows a code: he sees both.
func (p *person) compares(login *talk) result {
	p.w.t.Helper()
	approval := p.talk("devices", "--approve", login.until(codeShown))
	here, there := approval.until(wordsShown), login.until(wordsShown)
	if here != there {
		p.w.t.Errorf("the words are %q here, and %q there", here, there)
	}
	login.say("yes")
	approval.say("yes")
	r := login.ends(exitFine)
	p.has(approval.ends(exitFine), "The new device has your account")
	return r
}

func (p *person) deviceList() []client.DeviceView {
	p.w.t.Helper()
	var v client.DevicesView
	if err := json.Unmarshal([]byte(p.want(exitFine, "devices", "--json").stdout), &v); err != nil {
		p.w.t.Fatal(err)
	}
	return v.Devices
}

// other is the device that it is not.
func (p *person) other() client.DeviceView {
	p.w.t.Helper()
	list := p.deviceList()
	i := slices.IndexFunc(list, func(d client.DeviceView) bool { return !d.Current })
	if i < 0 {
		p.w.t.Fatalf("no other device: %v", list)
	}
	return list[i]
}

// TestMemberDevices: a second machine is let in, named, and put out; and what it had opens nothing any more.
func TestMemberDevices(t *testing.T) {
	w := newWorld(t)
	p := w.person()
	old := kitShown.FindStringSubmatch(p.want(exitFine, "join", w.link(chain.RoleOwner, chain.ModeOpensAtOnce)).stdout)[1]
	p.want(exitFine, "put", w.file("brief.pdf", []byte("brief")), "Roe v. Wade:/")
	if list := p.deviceList(); len(list) != 1 || !list[0].Current || !strings.HasPrefix(list[0].Name, "underseal") {
		t.Fatalf("devices: %v", list)
	}
	fresh := w.person()
	fresh.passphrase = "another passphrase, of this machine"
	fresh.has(p.admit(fresh), "You are Carl Client on this machine, too")
	fresh.has(fresh.want(exitFine, "ls", "Roe v. Wade"), "brief.pdf")
	fresh.has(fresh.want(exitError, "login", w.origin), "There is an identity in")
	p.want(exitFine, "ls") // its own passphrase is in force as before (S-VAULT-08)

	lost := p.other()
	p.has(p.want(exitFine, "devices", "--rename", lost.ID[:8], "Laptop, blue"), "“Laptop, blue”", "(this one)")
	fresh.has(fresh.want(exitFine, "devices"), "“Laptop, blue”", "(this one)")

	// It says what will happen and asks; where nobody can be asked it wants his answer beforehand.
	p.has(p.want(exitUsage, "devices", "--revoke", lost.ID), "no terminal to ask on", "--yes")
	for _, no := range []string{"n", "", "perhaps"} {
		p.has(p.typed(exitError, []string{no}, "devices", "--revoke", lost.ID[:8]), "You are about to put out “Laptop, blue”", "recovery kit ends", "Go on? [y/N]", "Nothing was done")
	}
	fresh.want(exitFine, "ls", "Roe v. Wade")
	p.has(p.want(exitError, "devices", "--revoke", "0nobody", "--yes"), "You have no device “0nobody”")
	r := p.typed(exitFine, []string{"y"}, "devices", "--revoke", lost.ID[:8], "--json")
	kit := parsed[revoked](p, r.stdout).Kit
	if v := parsed[revoked](p, r.stdout); v.Renewal.Done != 1 || v.Renewal.Total != 1 || len(v.Custodies) != 0 {
		t.Errorf("%+v", v)
	}
	fresh.has(fresh.want(exitError, "ls"), "does not know this identity", "login "+w.origin+" --again")
	p.want(exitFine, "put", w.file("reply.pdf", []byte("reply")), "Roe v. Wade:/")
	p.has(p.want(exitFine, "ls", "Roe v. Wade"), "brief.pdf", "reply.pdf")
	p.want(exitFine, "get", "Roe v. Wade:/brief.pdf", "-o", filepath.Join(t.TempDir(), "out"))

	third := w.person()
	p.has(third.answers(exitError, []string{old}, "login", w.origin, "--kit"), "No account on this server has that recovery kit")
	p.has(third.answers(exitError, []string{kit[:len(kit)-1] + flipped(kit)}, "login", w.origin, "--kit"), "not typed as it was printed")
	third.has(third.answers(exitFine, []string{kit}, "login", w.origin, "--kit"), "You are Carl Client on this machine")
	third.has(third.want(exitFine, "ls", "Roe v. Wade"), "reply.pdf")
	p.want(exitFine, "ls")

	// The one that was put out, by a gesture at one that was not.
	p.has(p.admit(fresh, "--again"), "The identity that was here is", "on this machine, too")
	fresh.has(fresh.want(exitFine, "ls", "Roe v. Wade"), "reply.pdf")
	if kept, err := filepath.Glob(filepath.Join(fresh.home, "identity-before-*.json")); err != nil || len(kept) != 1 {
		t.Errorf("kept: %v, %v", kept, err)
	}
}

func flipped(kit string) string {
	if strings.HasSuffix(kit, "A") {
		return "B"
	}
	return "A"
}

// answers runs a command that asks, beside the passphrase.
func (p *person) answers(code int, lines []string, args ...string) result {
	p.w.t.Helper()
	k := p.talk(args...)
	for _, line := range lines {
		k.say(line)
	}
	return k.ends(code)
}

// TestMemberDeviceRefused: words that differ, a code that is none, and no answer hand nothing over.
func TestMemberDeviceRefused(t *testing.T) {
	w := newWorld(t)
	p := w.person()
	p.want(exitFine, "join", w.link(chain.RoleClient, chain.ModeOpensAtOnce))
	p.has(p.want(exitError, "devices", "--approve", "AAAAA-AAAAA-AAAAA-AAAAA-AAAAB"), "not typed as it is shown")

	fresh := w.person()
	login := fresh.talk("login", w.origin)
	approval := p.talk("devices", "--approve", login.until(codeShown))
	approval.until(wordsShown)
	login.until(wordsShown)
	approval.say("no")
	p.has(approval.ends(exitError), "Nothing was handed over")
	login.say("yes")
	fresh.has(login.ends(exitError), "That code is over")
	fresh.has(fresh.want(exitError, "ls"), "There is no identity")

	login = fresh.talk("login", w.origin)
	approval = p.talk("devices", "--approve", login.until(codeShown))
	login.until(wordsShown)
	login.say("no")
	fresh.has(login.ends(exitError), "Nothing was handed over")
	approval.say("no")
	approval.ends(exitError)
	if list := p.deviceList(); len(list) != 1 {
		t.Errorf("devices: %v", list)
	}
	for _, args := range [][]string{{"--revoke", "x"}, {"--rename", p.deviceList()[0].ID}, {"--revoke", p.deviceList()[0].ID, "--approve", "x", "--yes"}, {"a name"}} {
		p.want(exitUsage, append([]string{"devices"}, args...)...)
	}
	p.has(p.want(exitError, "devices", "--revoke", p.deviceList()[0].ID, "--yes"), "This is the device that you are on")
}

// TestOneDevice: the beginning of an id names a device only where it is no other's.
func TestOneDevice(t *testing.T) {
	list := []client.DeviceView{{ID: "abcdefg"}, {ID: "abcxyz2"}}
	for text, want := range map[string]string{"abcd": "abcdefg", "abcxyz2": "abcxyz2", "abc": string(codeAmbiguous), "abcdefgh": string(api.CodeNotHere)} {
		d, err := oneDevice(list, text)
		got := d.ID
		var own *plainError
		if errors.As(err, &own) {
			got = string(own.code)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestMemberSessionEnds: the beginning of its id ends a session, here that of a command which waits for an answer.
func TestMemberSessionEnds(t *testing.T) {
	w := newWorld(t)
	p := w.person()
	p.want(exitFine, "join", w.link(chain.RoleClient, chain.ModeOpensAtOnce))
	p.talk("devices", "--approve", w.person().talk("login", w.origin).until(codeShown)).until(wordsShown)
	others := func() (ids []string) {
		list := parsed[map[string][]client.SessionView](p, p.want(exitFine, "sessions", "--json").stdout)["sessions"]
		for _, v := range list {
			if !v.Current {
				ids = append(ids, v.ID)
			}
		}
		return ids
	}
	ids := others()
	if len(ids) != 1 {
		t.Fatalf("other sessions: %v", ids)
	}
	p.want(exitFine, "sessions", "--end", ids[0][:8])
	if ids := others(); len(ids) != 0 {
		t.Errorf("other sessions are left: %v", ids)
	}
	p.has(p.want(exitError, "sessions", "--end", ids[0][:8]), "You have no session")
}

// TestMemberRootInterrupted: a next root whose answer never came is in force, or it is not, and the identity of this home follows
// (SPEC S-ROOT-06).
func TestMemberRootInterrupted(t *testing.T) {
	for _, taken := range []bool{true, false} {
		t.Run(fmt.Sprint(taken), func(t *testing.T) {
			w := newWorld(t)
			p, fresh := w.person(), w.person()
			p.want(exitFine, "join", w.link(chain.RoleOwner, chain.ModeOpensAtOnce))
			p.admit(fresh)
			lost := p.other()
			isRoot := func(r *http.Request) bool { return r.URL.Path == api.RouteRoot }
			drop := func(r *http.Response) error {
				if isRoot(r.Request) {
					return io.ErrUnexpectedEOF
				}
				return nil
			}
			hold := func(r *http.Request) {
				if isRoot(r) {
					panic(http.ErrAbortHandler)
				}
			}
			if taken {
				w.mangle.Store(&drop)
			} else {
				w.before.Store(&hold)
			}
			p.want(exitError, "devices", "--revoke", lost.ID, "--yes")
			w.mangle.Store(nil)
			w.before.Store(nil)
			before := w.read(p, identityName)
			r := p.want(exitFine, "ls", "Roe v. Wade")
			if _, err := os.Stat(filepath.Join(p.home, nextName)); err == nil {
				t.Error("a next identity is left")
			}
			if after := w.read(p, identityName); (after == before) == taken {
				t.Error("the identity is not the one in force")
			}
			if !taken {
				p.has(r, "Run: underseal devices")
				p.has(p.want(exitFine, "devices"), "--revoke it once more")
				p.want(exitFine, "devices", "--revoke", lost.ID, "--yes")
			} else {
				p.has(r, "Your new keys are in 1 of 1")
			}
			p.want(exitFine, "put", w.file("reply.pdf", []byte("reply")), "Roe v. Wade:/")
			fresh.want(exitError, "ls")
		})
	}
}

func (w *world) read(p *person, name string) string {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(p.home, name))
	w.must(err)
	return string(b)
}

// TestMemberLoginPassword: a password and a code sign in on a new machine, and the kit unlocks.
func TestMemberLoginPassword(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	app, err := w.founder.AuthenticatorBegin(ctx)
	w.must(err)
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(app.Secret)
	w.must(err)
	secret := totp.Secret(b)
	w.must(w.founder.AuthenticatorFinish(ctx, secret.Code(time.Now())))
	w.must(w.founder.SetPassword(ctx, "ada", []byte("seldom a heron walks backwards")))
	kit, err := w.founder.CreateKit()
	w.must(err)
	w.must(w.founder.TestKit(kit.Kit))
	w.must(w.founder.ConfirmKit(ctx))

	p := w.person()
	next := secret.Code(time.Now().Add(30 * time.Second)) // a code counts once
	p.has(p.answers(exitError, []string{"seldom a heron walks forwards"}, "login", w.origin, "--name", "ada"), "The name or the password is not right")
	p.has(p.answers(exitFine, []string{"seldom a heron walks backwards", next, kit.Kit}, "login", w.origin, "--name", "ada"), "unlocks nothing on a machine that is new", "You are Ada Attorney")
	p.has(p.want(exitFine, "ls"), "Roe v. Wade")
}

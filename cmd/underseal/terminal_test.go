//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/chain"
)

// terminal is a pair of which the program gets the inner end, and a person types at the outer one.
func terminal(t *testing.T) (outer, inner *os.File) {
	t.Helper()
	outer, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var locked, number int32
	for request, p := range map[uintptr]*int32{syscall.TIOCSPTLCK: &locked, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, outer.Fd(), request, uintptr(unsafe.Pointer(p))); errno != 0 {
			t.Fatal(errno)
		}
	}
	inner, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { outer.Close(); inner.Close() })
	return outer, inner
}

// typed runs a command at a terminal, where the passphrase and then lines are typed.
func (p *person) typed(code int, lines []string, args ...string) result {
	p.w.t.Helper()
	cmd, stdout, stderr := p.command(args...)
	outer, inner := terminal(p.w.t)
	cmd.Stdin = inner
	_, err := io.WriteString(outer, strings.Join(append([]string{p.passphrase}, lines...), "\n")+"\n")
	p.w.must(err)
	p.w.must(cmd.Start())
	defer time.AfterFunc(40*time.Second, func() { _ = cmd.Process.Kill() }).Stop() // it asks for more than was typed
	_ = cmd.Wait()                                                                 // the exit code says it
	r := result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	if r.code != code {
		p.w.t.Fatalf("%q: exit %d, want %d\n%s%s", args, r.code, code, r.stdout, r.stderr)
	}
	return r
}

// TestMemberCustodyEnds: leaving an identity is asked about. Whoever puts a device out is told that what he had left is taken back,
// and how to leave it again, until he did.
func TestMemberCustodyEnds(t *testing.T) {
	const firm = "Firm & Partners"
	w := newWorld(t)
	owner, dora, fresh := w.person(), w.person(), w.person()
	owner.want(exitFine, "join", w.firmLinkFor("Olga Owner", chain.RoleOwner))
	w.person().want(exitFine, "join", w.firmLinkFor("Bob Barrister", chain.RoleParalegal))
	dora.want(exitFine, "join", w.firmLinkFor("Dora Deputy", chain.RoleParalegal))
	owner.want(exitFine, "policy", firm, "--set", "recovery=2 of Olga Owner, Bob Barrister after 24 hours")

	dora.has(dora.want(exitUsage, "custody", firm, "--leave"), "no terminal to ask on", "--yes")
	dora.has(dora.typed(exitError, []string{"n"}, "custody", firm, "--leave"), "You are about to leave your identity", "could become you", "Go on? [y/N]", "Nothing was done")
	dora.has(dora.want(exitFine, "custody", firm), "You left nothing")
	dora.has(dora.typed(exitFine, []string{"y"}, "custody", firm, "--leave"), "You left your identity with Bob Barrister, Olga Owner")

	dora.admit(fresh)
	const ends, again = "What you had left with the custodians of “Firm & Partners” is taken back", "underseal custody 'Firm & Partners' --leave"
	dora.has(dora.want(exitFine, "devices", "--revoke", dora.other().ID, "--yes"), "It is put out", "what you left with custodians is taken back", ends, again)
	dora.has(dora.want(exitFine, "custody", firm), ends, again)
	if v := parsed[client.CustodyView](dora, dora.want(exitFine, "custody", firm, "--json").stdout); v.Ended != client.EndedRenewed || !v.Again {
		t.Errorf("%+v", v)
	}
	dora.want(exitFine, "custody", firm, "--leave", "--yes")
	if r := dora.want(exitFine, "custody", firm); strings.Contains(r.stdout, "taken back") {
		t.Errorf("%s", r.stdout)
	}
}

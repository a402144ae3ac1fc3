package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
	"golang.org/x/text/unicode/norm"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/client/native"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
)

const (
	identityFormat = "underseal identity 1"
	identityName   = "identity.json"
	// attemptName is an identity whose account the server may or may not know: the program ended while it was made.
	attemptName = "identity-attempt.json"
	// nextName is an identity under the next root, which the server may or may not have taken.
	nextName      = "identity-next.json"
	recordsFolder = "records"
	minPassphrase = 12
	maxPassphrase = 1024
)

// identityFile is an account at rest: its root under the passphrase's unlock key (Argon2id, keys/vault). Only Wrapped is
// secret, and it is sealed to method and account; a changed Stretch or Account opens nothing.
type identityFile struct {
	Format  string        `json:"format"`
	Origin  string        `json:"origin"`
	Account wire.ObjectID `json:"account"`
	Stretch []byte        `json:"stretch"`
	Wrapped []byte        `json:"wrapped"`
}

func (s *session) readIdentity(name string) (*identityFile, error) {
	b, err := os.ReadFile(filepath.Join(s.home, name))
	if err != nil {
		return nil, err
	}
	var f identityFile
	if json.Unmarshal(b, &f) != nil || f.Format != identityFormat {
		return nil, plain(codeBadIdentity, "%s is not an identity of this program.", safe(filepath.Join(s.home, name)))
	}
	if f.Origin, err = native.ParseOrigin(f.Origin); err != nil {
		return nil, plain(codeBadIdentity, "%s names a server that cannot be one.", safe(filepath.Join(s.home, name)))
	}
	return &f, nil
}

func (s *session) writeIdentity(name string, f *identityFile) error {
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return native.WriteFile(filepath.Join(s.home, name), append(b, '\n'))
}

// settle makes an attempt, or a next one, the identity.
func (s *session) settle(name string) error {
	return os.Rename(filepath.Join(s.home, name), filepath.Join(s.home, identityName))
}

// newClient is signed out.
func (s *session) newClient(origin string) error {
	transport, err := native.NewTransport(origin)
	if err != nil {
		return misused("%s is %v", quote(origin), err)
	}
	device, err := native.OpenDevice(filepath.Join(s.home, recordsFolder))
	if err != nil {
		return plain(codeBadIdentity, "The folder %s cannot be used.", quote(s.home))
	}
	s.origin = transport.Origin()
	s.client = client.New(client.Config{Origin: transport.Origin(), Transport: transport, Device: device, Pump: native.NewPump(transport, rand.Reader),
		Passwords: native.Passwords{}, Random: rand.Reader, Now: time.Now, Events: s.show.event, DeviceName: deviceName()})
	return nil
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// deviceName is what this machine is called in the list of devices, until its owner calls it something else.
func deviceName() string {
	host, err := os.Hostname()
	if err != nil || !hostName.MatchString(host) {
		return "underseal"
	}
	return "underseal on " + host
}

// signIn takes the identity of this home into use, and carries on what was cut off.
func (s *session) signIn(ctx context.Context) error {
	name := identityName
	f, err := s.readIdentity(name)
	if errors.Is(err, fs.ErrNotExist) {
		name = attemptName
		f, err = s.readIdentity(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return plain(codeNoIdentity, "There is no identity in %s yet. Accept an invite first: underseal join LINK. If you have an account on another device: underseal login ADDRESS", quote(s.home))
	}
	if err != nil {
		return err
	}
	passphrase, err := s.passphrase(ctx, askOnce)
	if err != nil {
		return err
	}
	if err := s.newClient(f.Origin); err != nil {
		return err
	}
	if err := s.unlock(ctx, f, passphrase); err != nil {
		if name == identityName && client.FailureOf(err).Code == api.CodeSignInFailed {
			return plain(api.CodeSignInFailed, "The server does not know this identity. If you renewed your keys on another device since, bring your account here again: underseal login %s --again", f.Origin)
		}
		return err
	}
	if name == attemptName {
		if err := s.settle(name); err != nil {
			return err
		}
	}
	s.carryOn(ctx)
	return nil
}

// unlock signs in with an identity, or with the one that was to follow it, if the server took that.
func (s *session) unlock(ctx context.Context, f *identityFile, passphrase []byte) error {
	p, root, err := f.open(passphrase)
	if err != nil {
		return err
	}
	s.identity, s.phrase = f, p
	next, err := s.readIdentity(nextName)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && next.Account != f.Account) {
		return s.client.SignInRoot(ctx, p.LoginKey(), f.Account, root)
	}
	if err != nil {
		return err
	}
	_, nextRoot, err := next.open(passphrase)
	if err != nil {
		return err
	}
	if err := s.client.SignInRoot(ctx, p.LoginKey(), f.Account, root, nextRoot); err != nil {
		return err
	}
	if _, now, _ := s.client.Root(); now != nextRoot {
		return os.Remove(filepath.Join(s.home, nextName))
	}
	s.identity = next
	return s.settle(nextName)
}

// open is the passphrase and the root of an identity at rest.
func (f *identityFile) open(passphrase []byte) (p vault.Passphrase, root vault.Root, err error) {
	stretch, err := vault.ParseStretch(f.Stretch)
	if err != nil {
		return p, root, vault.ErrUnlock
	}
	if p, err = vault.StretchPassphrase(passphrase, stretch); err != nil {
		return p, root, err
	}
	root, err = vault.Unwrap(p.UnlockKey(), vault.MethodPassphrase, f.Account, f.Wrapped)
	return p, root, err
}

// keep writes an identity under a passphrase that was stretched so.
func (s *session) keep(name string, p vault.Passphrase, stretch []byte, account wire.ObjectID, root vault.Root) error {
	wrapped, err := vault.Wrap(rand.Reader, p.UnlockKey(), vault.MethodPassphrase, account, root)
	if err != nil {
		return err
	}
	return s.writeIdentity(name, &identityFile{Format: identityFormat, Origin: s.origin, Account: account, Stretch: stretch, Wrapped: wrapped})
}

// ask says how a passphrase is asked for.
type ask bool

const (
	askOnce  ask = false // it exists
	askTwice ask = true  // it is new: a typing error would lock its owner out
)

// passphrase reads the passphrase from a descriptor or a terminal, and from nowhere else: arguments and environments are
// read by others.
func (s *session) passphrase(ctx context.Context, how ask) ([]byte, error) {
	var raw []byte
	var err error
	if s.passphraseFD >= 0 {
		raw, err = s.passphraseLine()
	} else {
		raw, err = s.prompted(ctx, how)
	}
	if err != nil {
		return nil, err
	}
	// One spelling of the same letters, whatever keyboard they came from (RFC 8265 asks for the same).
	p := norm.NFC.Bytes(raw)
	switch {
	case !utf8.Valid(raw) || len(raw) > maxPassphrase:
		return nil, plain(codeBadPassphrase, "That passphrase cannot be one: it has more than %d bytes, or is not text.", maxPassphrase)
	case how == askTwice && utf8.RuneCount(p) < minPassphrase:
		return nil, plain(codeBadPassphrase, "That passphrase is too short: it protects the keys, so take at least %d characters, better five random words.", minPassphrase)
	case len(p) == 0:
		return nil, plain(codeBadPassphrase, "No passphrase was given.")
	}
	return p, nil
}

// passphraseLine is the first line of the descriptor.
func (s *session) passphraseLine() ([]byte, error) {
	in := s.lines
	if s.passphraseFD != 0 {
		f := os.NewFile(uintptr(s.passphraseFD), "passphrase")
		if f == nil {
			return nil, misused("--passphrase-fd %d is not open", s.passphraseFD)
		}
		defer f.Close()
		in = bufio.NewReader(f)
	}
	line, err := readLine(in)
	if err != nil {
		return nil, misused("--passphrase-fd %d cannot be read", s.passphraseFD)
	}
	return line, nil
}

// readLine is a line, as far as it is no longer than anything that is asked for. An end is the end of a line.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for len(line) <= maxPassphrase {
		b, err := r.ReadByte()
		if errors.Is(err, io.EOF) || b == '\n' {
			break
		}
		if err != nil {
			return nil, err
		}
		line = append(line, b)
	}
	return bytes.TrimRight(line, "\r"), nil
}

func (s *session) prompted(ctx context.Context, how ask) ([]byte, error) {
	if !isTerminal(s.stdin) {
		return nil, misused("there is no terminal to ask for the passphrase: give --passphrase-fd N")
	}
	if how == askOnce {
		return s.hidden(ctx, "Passphrase: ")
	}
	first, err := s.hidden(ctx, "A new passphrase, which unlocks on this device from now on: ")
	if err != nil {
		return nil, err
	}
	second, err := s.hidden(ctx, "Once more: ")
	if err == nil && string(first) != string(second) {
		return nil, plain(codeBadPassphrase, "The two passphrases differ. Nothing was done.")
	}
	return first, err
}

// hidden reads a line without showing it. An interrupt puts the terminal back as it was.
func (s *session) hidden(ctx context.Context, text string) ([]byte, error) {
	if !isTerminal(s.stdin) {
		return s.answer(ctx, text)
	}
	fd := int(s.stdin.(*os.File).Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	fmt.Fprint(s.show.out, text)
	defer fmt.Fprintln(s.show.out)
	line, err := wait(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
	if ctx.Err() != nil {
		_ = term.Restore(fd, before) // the program ends; there is nobody to tell
	} else if err != nil {
		err = plain(api.CodeCancelled, "Nothing was typed.")
	}
	return line, err
}

// answer reads a line that may be seen.
func (s *session) answer(ctx context.Context, text string) ([]byte, error) {
	fmt.Fprint(s.show.out, text)
	if !isTerminal(s.stdin) {
		fmt.Fprintln(s.show.out)
	}
	return wait(ctx, func() ([]byte, error) { return readLine(s.lines) })
}

// mayAsk is whether a command that asks before it acts has anybody to ask; yes is his answer beforehand.
func (s *session) mayAsk(yes bool) error {
	if yes || isTerminal(s.stdin) {
		return nil
	}
	return misused("there is no terminal to ask on whether it shall be done: give --yes if it shall")
}

// confirmed says what is about to happen, and asks.
func (s *session) confirmed(ctx context.Context, yes bool, what string) error {
	s.show.note("%s", what)
	if yes {
		return nil
	}
	said, err := s.answer(ctx, "Go on? [y/N] ")
	if err != nil {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(string(said))) {
	case "y", "yes":
		return nil
	}
	return plain(api.CodeCancelled, "Nothing was done.")
}

// wait gives up reading when the program is to end.
func wait(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type line struct {
		text []byte
		err  error
	}
	done := make(chan line, 1)
	go func() {
		b, err := read()
		done <- line{b, err}
	}()
	select {
	case l := <-done:
		return l.text, l.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// link is the server and the secret part of a link; - asks for it, as whoever lists the machine's programs sees their arguments.
func (s *session) link(ctx context.Context, text, path string) (origin, fragment string, err error) {
	if text == "-" {
		line, err := s.hidden(ctx, "Link: ")
		if err != nil {
			return "", "", err
		}
		text = string(line)
	}
	return splitLink(text, path)
}

// splitLink is the same of a text.
func splitLink(link, path string) (origin, fragment string, err error) {
	address, fragment, ok := strings.Cut(strings.TrimSpace(link), "#")
	u, parseErr := url.Parse(address)
	if !ok || fragment == "" || parseErr != nil || u.Path != path {
		return "", "", &client.Failure{Code: api.CodeBadLink}
	}
	u.Path = ""
	origin, err = native.ParseOrigin(u.String())
	if err != nil {
		return "", "", misused("the link's address is %v", err)
	}
	return origin, fragment, nil
}

// entrance is what a link opens: an invite, or a recovery.
type entrance interface {
	open(ctx context.Context) error                     // says what it is
	here(ctx context.Context) error                     // goes in as whoever is signed in
	enrol(ctx context.Context, u client.Unlocker) error // makes an account, and goes in
	report(ctx context.Context, entered error) error    // says how it went, as what enrol answered
}

// enter goes through an entrance with the identity of this home, or makes one.
func (s *session) enter(ctx context.Context, origin string, e entrance) error {
	if err := os.MkdirAll(s.home, 0o700); err != nil {
		return plain(codeBadIdentity, "The folder %s cannot be made.", quote(s.home))
	}
	known, err := s.readIdentity(identityName)
	if err == nil {
		return s.enterKnown(ctx, known, origin, e)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.enterNew(ctx, origin, e)
}

func (s *session) enterKnown(ctx context.Context, known *identityFile, origin string, e entrance) error {
	if known.Origin != origin {
		return plain(codeBadIdentity, "The identity in %s belongs to %s, and this link is on %s. Give another folder with --home.", quote(s.home), known.Origin, origin)
	}
	if err := s.signIn(ctx); err != nil {
		return err
	}
	return e.here(ctx)
}

// enterNew makes an account.
func (s *session) enterNew(ctx context.Context, origin string, e entrance) error {
	if err := s.newClient(origin); err != nil {
		return err
	}
	attempt, err := s.readIdentity(attemptName)
	if err == nil && attempt.Origin == origin {
		passphrase, err := s.passphrase(ctx, askOnce)
		if err != nil {
			return err
		}
		return s.enterAgain(ctx, attempt, passphrase, e)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := e.open(ctx); err != nil {
		return err
	}
	passphrase, err := s.passphrase(ctx, askTwice)
	if err != nil {
		return err
	}
	return s.enrol(ctx, e, passphrase)
}

// enterAgain carries on what was interrupted: the server knows the account, or it never heard of it.
func (s *session) enterAgain(ctx context.Context, attempt *identityFile, passphrase []byte, e entrance) error {
	err := s.unlock(ctx, attempt, passphrase)
	if err == nil {
		if err := s.settle(attemptName); err != nil {
			return err
		}
		return e.here(ctx)
	}
	if f := client.FailureOf(err); f.Code != api.CodeSignInFailed {
		return f
	}
	if err := e.open(ctx); err != nil {
		return err
	}
	return s.enrol(ctx, e, passphrase)
}

func (s *session) enrol(ctx context.Context, e entrance, passphrase []byte) error {
	stretch, err := vault.DefaultStretch(rand.Reader)
	if err != nil {
		return err
	}
	p, err := vault.StretchPassphrase(passphrase, stretch)
	if err != nil {
		return err
	}
	keep := func(account wire.ObjectID, root vault.Root) error {
		return s.keep(attemptName, p, stretch.Bytes(), account, root)
	}
	err = e.enrol(ctx, client.Unlocker{Passphrase: &p, Keep: keep})
	if s.client.SignedIn() { // the account exists, whatever came after
		if settleErr := s.settle(attemptName); settleErr != nil {
			return settleErr
		}
	}
	return e.report(ctx, err)
}

type joined struct {
	Matter     string                `json:"matter"`
	State      string                `json:"state"` // open, waiting
	Invitation client.InvitationView `json:"invitation"`
	Kit        string                `json:"kit,omitempty"` // a recovery kit that was made for it
}

// invited is the entrance of an invite.
type invited struct {
	*session
	fragment string
	matter   wire.ChainID
	joined   joined
}

func (s *session) join(ctx context.Context, args []string) error {
	rest, err := s.arguments(flag.NewFlagSet("join", flag.ContinueOnError), args, 1, "LINK")
	if err != nil {
		return err
	}
	origin, fragment, err := s.link(ctx, rest[0], "/join")
	if err != nil {
		return err
	}
	return s.enter(ctx, origin, &invited{session: s, fragment: fragment})
}

func (i *invited) open(ctx context.Context) error {
	invitation, err := i.client.OpenInvite(ctx, i.fragment)
	if err != nil {
		return err
	}
	i.matter = invitation.Link.Chain
	i.joined = joined{Matter: i.matter.String(), State: "open", Invitation: invitation.View()}
	v := i.joined.Invitation
	i.show.note("%s of %s invites %s to %s as %s.", safe(v.Inviter), safe(v.FirmName), safe(v.Person), quote(v.MatterName), v.Role)
	i.show.note("Words of %s, to compare by telephone if you like: %s", safe(v.Inviter), strings.Join(v.InviterWords, " "))
	return nil
}

// here carries on with an invite that this identity itself has used already.
func (i *invited) here(ctx context.Context) error {
	link, err := client.ParseLink(i.fragment)
	if err != nil {
		return err
	}
	if f := client.FailureOf(i.open(ctx)); f != nil {
		if f.Code == api.CodeInviteUsed {
			if m, err := i.client.Matter(ctx, link.Chain); err == nil {
				i.joined = joined{Matter: m.Matter, State: "open", Invitation: client.InvitationView{MatterName: m.Name, FirmName: m.FirmName, Role: m.MyRole}}
				return i.report(ctx, nil)
			}
		}
		return f
	}
	_, err = i.client.AcceptInvite(ctx)
	return i.report(ctx, err)
}

func (i *invited) enrol(ctx context.Context, u client.Unlocker) error {
	if _, err := i.client.InviteOptions(ctx); err != nil {
		return err
	}
	_, err := i.client.InviteFinish(ctx, u)
	return err
}

func (i *invited) report(ctx context.Context, err error) error {
	if f := client.FailureOf(err); f != nil && f.Code == api.CodeSecondWay {
		if i.joined.Kit, err = i.secondWay(ctx); err == nil {
			err = i.client.FinishJoin(ctx, i.matter)
		}
	}
	if f := client.FailureOf(err); f != nil {
		if f.Code != api.CodeWaiting {
			return f
		}
		i.joined.State = "waiting"
	}
	v := i.joined.Invitation
	switch {
	case i.asJSON:
		printJSON(i.stdout, i.joined)
	case i.joined.State == "waiting":
		fmt.Fprintf(i.stdout, "You asked to join %s. It opens once %s has confirmed that it is you.\n", quote(v.MatterName), safe(v.Inviter))
	default:
		fmt.Fprintf(i.stdout, "You are in %s.\n", quote(v.MatterName))
	}
	return nil
}

// secondWay makes the kit that whoever works in a firm needs beside his passphrase. It is shown, and at a terminal two of its
// groups are asked from what was written down, before it is in force.
func (s *session) secondWay(ctx context.Context) (string, error) {
	kit, err := s.client.CreateKit()
	if err != nil {
		return "", err
	}
	if !s.asJSON {
		fmt.Fprintf(s.stdout, "Your recovery kit, which opens what your passphrase opens, on any device. Write it down and keep it as you keep a passport:\n\n    %s\n\n", kit.Kit)
	}
	if err := s.testKit(ctx, kit); err != nil {
		return "", err
	}
	return kit.Kit, s.client.ConfirmKit(ctx)
}

// testKit asks for what was written down, until it is right. A program that reads the kit keeps it as it was printed.
func (s *session) testKit(ctx context.Context, kit client.Kit) error {
	if s.asJSON || !isTerminal(s.stdin) {
		return s.client.TestKit(kit.Kit)
	}
	for {
		groups, err := s.hidden(ctx, fmt.Sprintf("To test what you wrote down, type its groups %d and %d: ", kit.Ask[0], kit.Ask[1]))
		if err != nil {
			return err
		}
		err = s.client.TestKit(string(groups))
		if f := client.FailureOf(err); f == nil || f.Code != api.CodeKitTypo {
			return err
		}
		s.show.note("%s of what you typed is not that of the kit above. Compare what you wrote down with it.", client.FailureOf(err).Detail)
	}
}

func (s *session) whoami(ctx context.Context, args []string) error {
	if _, err := s.arguments(flag.NewFlagSet("whoami", flag.ContinueOnError), args, 0); err != nil {
		return err
	}
	if err := s.signIn(ctx); err != nil {
		return err
	}
	v, err := s.client.Account()
	if err != nil {
		return err
	}
	if s.asJSON {
		printJSON(s.stdout, struct {
			client.AccountView
			Server string `json:"server"`
		}{v, s.identity.Origin})
		return nil
	}
	fmt.Fprintf(s.stdout, "%s, account %s on %s\n", safe(v.Name), v.Account, s.identity.Origin)
	for _, i := range v.Identities {
		fmt.Fprintf(s.stdout, "In %s, your words are: %s\n", safe(i.FirmName), strings.Join(i.Words, " "))
	}
	if len(v.Refusals) > 0 {
		fmt.Fprintf(s.stdout, "This device refused what the server showed %d times.\n", len(v.Refusals))
	}
	return nil
}

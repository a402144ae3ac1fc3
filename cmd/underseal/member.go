package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
)

// exitLied is the exit code for a server that showed what contradicts what was signed.
const exitLied = 3

const memberUsage = `  underseal [--home FOLDER] [--passphrase-fd N] [--json] COMMAND
    join LINK                          accept an invite, and make an identity on this machine
    login ADDRESS [--kit] [--name NAME] [--again]
                                       bring your account to this machine: by a device that has it, your recovery kit, or
                                       your password and the kit
    ls [MATTER[:/path]]                list matters, or what is in one
    put FILE MATTER:/path              upload; a path that ends in a slash is a folder, and the file keeps its name
    get MATTER:/path [-o FILE]         download; --force replaces a file that is there
    rm MATTER:/path                    delete a document
    invite MATTER [--name NAME] [--role ROLE] [--mode MODE] [--days 7]
                                       make a link; ROLE is client (unless given), paralegal, expert, owner, auditor
                                       or reviewer; MODE is opens-at-once (unless given) or after-i-confirm
    verify MATTER                      prove that nothing is missing from a matter and nothing in it was changed
    activity MATTER [--limit 20]       what happened in a matter, newest first
    trail MATTER [--limit 20] [--csv FILE]
                                       who opened what, and what the server saw (owners and auditors)
    export MATTER WHAT [-o FILE]       a file for others to check with; WHAT is proof, link-keys, policy or receipt
    whoami                             who this is, and the words that others compare
    policy FIRM [--set KEY=VALUE]...   a firm's rules for signing in, and signing other ones (owners); policy --help lists them
    sessions [--end ID] [--end-others] where this account is signed in, and ending it there
    devices [--approve CODE] [--rename ID NAME] [--revoke ID [--yes]]
                                       what your account is open on; letting a new device in, and putting one out, which
                                       asks first: --yes is the answer
    custody FIRM [--leave [--yes]] [--withdraw [--yes]]
                                       what you left with a firm's custodians, who together bring you back if you lose everything
    recover FIRM [--begin NAME --reason TEXT] [--agree ID --words WORDS] [--stop ID]
                                       bringing somebody back (owners and custodians), and stopping it
    recover [LINK]                     asking to be brought back yourself, and coming back once custodians agreed
    people FIRM [--csv FILE]           everybody in a firm: ways to sign in, sessions, who read what (owners)
    unlock FIRM NAME --reason TEXT     forgive somebody's failed sign-ins (owners)
    sign-out FIRM NAME --reason TEXT   end somebody's sessions in a firm (owners)
    read [--acknowledge]               four short things that everybody should know, and saying that you read them

A matter is its name or the beginning of its id, a device or a session the beginning of its id. The identity lies in --home, else in
$XDG_CONFIG_HOME/underseal or ~/.config/underseal. The passphrase is asked for, or read from a file descriptor. --json prints one
object, errors too.
Exit codes: 0 fine, 1 error, 2 usage, 3 the server lied.
`

// session is one run of a member's command.
type session struct {
	home         string
	passphraseFD int
	asJSON       bool
	command      string // its name
	stdin        io.Reader
	lines        *bufio.Reader // of stdin
	stdout       io.Writer
	show         *display

	origin   string // of the server the client talks to
	client   *client.Client
	identity *identityFile
	phrase   vault.Passphrase // that opened it
}

type command struct {
	name      string
	arguments string
	run       func(s *session, ctx context.Context, args []string) error
}

// takesRole says what a command asks of whom, for those whose role does not allow it.
var takesRole = map[string]string{
	"rm":       "It takes an owner or a paralegal of the matter.",
	"invite":   "It takes an owner: of the matter, or of the firm for a seat in the firm.",
	"trail":    "It takes an owner or an auditor of the matter.",
	"policy":   "To read it takes a seat in the firm itself; to sign, that of an owner.",
	"custody":  "It takes a seat in the firm itself.",
	"recover":  "It takes an owner of the firm, or a custodian of the person; and nobody does it for himself.",
	"people":   "It takes an owner of the firm: a seat in the firm itself with the role owner.",
	"unlock":   "It takes an owner of the firm: a seat in the firm itself with the role owner.",
	"sign-out": "It takes an owner of the firm: a seat in the firm itself with the role owner.",
}

func memberCommands() []command {
	return []command{
		{"join", "LINK", (*session).join},
		{"login", "ADDRESS [--kit] [--name NAME] [--again]", (*session).login},
		{"ls", "[MATTER[:/path]]", (*session).list},
		{"put", "FILE MATTER:/path", (*session).put},
		{"get", "MATTER:/path [-o FILE] [--force]", (*session).get},
		{"rm", "MATTER:/path", (*session).remove},
		{"invite", "MATTER [--name NAME] [--role ROLE] [--mode MODE] [--days N]\n  ROLE is client, paralegal, expert, owner, auditor or reviewer; MODE is opens-at-once or after-i-confirm", (*session).invite},
		{"verify", "MATTER", (*session).verify},
		{"activity", "MATTER [--limit N]", (*session).activity},
		{"trail", "MATTER [--limit N] [--csv FILE] [--force]", (*session).trail},
		{"export", "MATTER WHAT [-o FILE] [--force] [--sequence state|trail] [--position N]\n  WHAT is proof, link-keys, policy or receipt; a receipt is of one entry: --position", (*session).export},
		{"whoami", "", (*session).whoami},
		{"policy", "FIRM [--set KEY=VALUE]...\n  KEY is one of these, VALUE as it says:" + policyHelp(), (*session).policy},
		{"sessions", "[--end ID] [--end-others]", (*session).sessions},
		{"devices", "[--approve CODE] [--rename ID NAME] [--revoke ID [--yes]]\n  ID may be the beginning of one", (*session).devices},
		{"custody", "FIRM [--leave [--yes]] [--withdraw [--yes]]", (*session).custody},
		{"recover", "FIRM [--begin NAME --reason TEXT] [--agree ID --words WORDS] [--stop ID --reason TEXT]\n  or recover LINK to ask to be brought back yourself, then recover to go on", (*session).recover},
		{"people", "FIRM [--csv FILE] [--force]", (*session).people},
		{"unlock", "FIRM NAME --reason TEXT", (*session).unlockMember},
		{"sign-out", "FIRM NAME --reason TEXT", (*session).signOutMember},
		{"read", "[--acknowledge]", (*session).lessons},
	}
}

// usageError is a command that cannot be.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func misused(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// plainError is an error of the command line's own, already a sentence.
type plainError struct {
	code api.Code
	text string
}

func (e *plainError) Error() string { return e.text }

func plain(code api.Code, format string, args ...any) error {
	return &plainError{code, fmt.Sprintf(format, args...)}
}

// Codes of the command line's own, beside those of package api.
const (
	codeNoIdentity    api.Code = "no-identity"    // nobody has joined in this home
	codeBadIdentity   api.Code = "bad-identity"   // the identity's file or folder is not one, or not this server's
	codeBadPassphrase api.Code = "bad-passphrase" // none was given, or none that can be one
	codeAmbiguous     api.Code = "ambiguous"      // a name that several have
	codeOtherWords    api.Code = "other-words"    // the words that were read are not those of who asks
)

// member runs a member's command: args are all arguments of the program.
func member(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := &session{stdin: stdin, lines: bufio.NewReader(stdin), stdout: stdout, show: newDisplay(stderr)}
	err := s.dispatch(ctx, args)
	s.signOut()
	return s.end(err)
}

func (s *session) dispatch(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("underseal", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&s.home, "home", "", "folder of the identity")
	f.IntVar(&s.passphraseFD, "passphrase-fd", -1, "file descriptor to read the passphrase from")
	f.BoolVar(&s.asJSON, "json", false, "print JSON")
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(s.stdout, usage)
		return nil
	}
	if err != nil {
		return misused("%v", err)
	}
	if f.NArg() == 0 {
		return misused("say what to do: join, login, ls, put, get, rm, invite, verify, activity, trail, export, whoami, policy, sessions, devices, custody, recover, people, unlock, sign-out or read")
	}
	for _, c := range memberCommands() {
		if c.name != f.Arg(0) {
			continue
		}
		s.command = c.name
		err := c.run(s, ctx, f.Args()[1:])
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(s.stdout, "usage: underseal [--home FOLDER] [--passphrase-fd N] [--json] %s %s\n", c.name, c.arguments)
			return nil
		}
		var misuse *usageError
		if errors.As(err, &misuse) {
			return misused("%s\nusage: underseal %s %s", misuse.text, c.name, c.arguments)
		}
		return err
	}
	return misused("there is no command %s", quote(f.Arg(0)))
}

func (s *session) defaultHome() error {
	if s.home != "" {
		return nil
	}
	base := os.Getenv("XDG_CONFIG_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return misused("no home folder is known: give --home")
		}
		base = filepath.Join(home, ".config")
	}
	s.home = filepath.Join(base, "underseal")
	return nil
}

// arguments reads a command's flags wherever they stand, those that every command has among them, and returns the others.
// The first of wanted must be there, as many as least; flag.ErrHelp is a person who asks what they are.
func (s *session) arguments(f *flag.FlagSet, args []string, least int, wanted ...string) ([]string, error) {
	f.SetOutput(io.Discard)
	f.StringVar(&s.home, "home", s.home, "folder of the identity")
	f.IntVar(&s.passphraseFD, "passphrase-fd", s.passphraseFD, "file descriptor to read the passphrase from")
	f.BoolVar(&s.asJSON, "json", s.asJSON, "print JSON")
	var rest []string
	for {
		err := f.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		if err != nil {
			return nil, misused("%v", err)
		}
		if f.NArg() == 0 {
			break
		}
		// What follows "--" is no flag.
		if n := len(args) - f.NArg(); n > 0 && args[n-1] == "--" {
			rest = append(rest, f.Args()...)
			break
		}
		rest, args = append(rest, f.Arg(0)), f.Args()[1:]
	}
	if len(rest) < least {
		return nil, misused("%s lacks %s", f.Name(), strings.Join(wanted[len(rest):least], " and "))
	}
	if len(rest) > len(wanted) {
		return nil, misused("%s takes no %s: a name with spaces in it stands in quotes", f.Name(), quote(rest[len(wanted)]))
	}
	return rest, s.defaultHome()
}

// end prints the error, if any, and is the exit code.
func (s *session) end(err error) int {
	s.show.finish()
	if err == nil {
		return exitFine
	}
	code, text, exit := s.explain(err)
	if s.asJSON {
		printJSON(s.show.out, map[string]any{"error": map[string]any{"code": code, "message": text}})
	} else {
		fmt.Fprintf(s.show.out, "underseal: %s\n", text)
	}
	return exit
}

func (s *session) explain(err error) (code api.Code, text string, exit int) {
	var misuse *usageError
	var own *plainError
	switch {
	case errors.As(err, &misuse):
		return api.CodeUsage, misuse.text, exitUsage
	case errors.As(err, &own):
		return own.code, own.text, exitError
	}
	f := client.FailureOf(err)
	if f.Code == api.CodeServerLied {
		return f.Code, s.lied(f), exitLied
	}
	text = sentence(f.Code)
	if role := takesRole[s.command]; f.Code == api.CodeNotAllowed && role != "" {
		text += " " + role
	}
	if f.Detail != "" {
		text += " (" + safe(f.Detail) + ")"
	}
	return f.Code, text, exitError
}

// lied says what was shown, and where the file is that shows it to others, if there is one.
func (s *session) lied(f *client.Failure) string {
	text, evidence := s.show.lie(f)
	file, err := s.keepEvidence(evidence)
	switch {
	case err != nil:
		text += "\nThe file that shows others what the server did could not be written: " + safe(err.Error())
	case file != "":
		text += "\nWhoever has the policy file can judge it: underseal-verify evidence " + safe(file) + " --policy FILE"
	}
	return text
}

// signOut ends the server's sessions, which would otherwise outlive the program; without a connection they time out.
func (s *session) signOut() {
	if s.client == nil || !s.client.SignedIn() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s.client.Settle(ctx)
	s.client.SignOut(ctx)
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Command underseal-verify checks the log of a firm on a server of Underseal, with the log's public keys and without
// trusting the server, the client, or whoever made this copy of the log. It never learns what an entry says.
//
//	main.go    arguments, what is printed, exit codes
//	source.go  where a log is read from: a URL or a folder
//	check.go   log and matter: everything that a log promises
//	copy.go    copy: a log in a folder
//	files.go   receipt and evidence: files that speak of a log
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/underseal/underseal/protocol/log"
)

// Exit codes.
const (
	exitVerified  = 0
	exitRefuted   = 1 // something is false
	exitUsage     = 2
	exitUndecided = 3 // nobody can tell from here
)

const usage = `underseal-verify: is a firm's log what its server says it is?

  underseal-verify log URL-OR-FOLDER --policy FILE
      every entry and signature, and that the log keeps its own rules
  underseal-verify copy URL FOLDER [--policy FILE]
      copies a log, so that everything here works without its server; carries on where it was interrupted
  underseal-verify matter URL-OR-FOLDER --policy FILE --keys LINK-KEYS-FILE
      the same as log, and that no entry of one matter is missing as far as the keys reach; of the newest entries, only --from, --save,
      receipts and the people in the matter tell whether there were more
  underseal-verify receipt FILE --policy FILE [--log URL-OR-FOLDER]
      that the log promised to hold an entry, and with --log that it does
  underseal-verify evidence FILE --policy FILE [--log URL-OR-FOLDER]
      whether a file proves that the log lied

  --policy FILE    the log's two keys, and witnesses (c2sp.org/tlog-policy)
  --origin NAME    which log of the policy, where it names several
  --token TOKEN    what the log's server asks for, if it asks; UNDERSEAL_LOG_TOKEN in the environment does as well
  --from FILE      log, matter: a checkpoint of earlier, which the log must extend
  --save FILE      log, matter: keep the checkpoint for next time; the log must extend what is kept there already
  --evidence FILE  log, matter: where to write the proof of a lie, if --from or --save shows one
  --json           print one JSON object
Exit codes: 0 verified, 1 refuted, 2 wrong usage, 3 cannot be decided.
`

// outcome ends a command: what it found.
type outcome struct {
	exit   int
	plain  string // for people who do not program
	detail string // for those who do; may be empty
}

// Error implements error.
func (o *outcome) Error() string { return strings.TrimSpace(o.plain + " " + o.detail) }

func refuted(detail, plain string, args ...any) error {
	return &outcome{exitRefuted, fmt.Sprintf(plain, args...), detail}
}

func undecided(detail, plain string, args ...any) error {
	return &outcome{exitUndecided, fmt.Sprintf(plain, args...), detail}
}

func misused(format string, args ...any) error {
	return &outcome{exitUsage, fmt.Sprintf(format, args...), "underseal-verify --help says how it is used."}
}

// run is one run of the program.
type run struct {
	stdout, stderr io.Writer

	policyFile, origin, token, from, save, evidenceFile, keysFile, log string
	asJSON                                                             bool

	policy *log.Policy
	keys   *log.Keys
	remote bool           // the log is read from its server, not from a copy
	facts  map[string]any // what was found, for --json
}

type command struct {
	name      string
	arguments []string
	flags     []string // beside those that all have
	run       func(*run, context.Context, []string) (string, error)
}

func commands() []command {
	return []command{
		{"log", []string{"URL-OR-FOLDER"}, []string{"policy", "from", "save", "evidence"}, (*run).checkLog},
		{"copy", []string{"URL", "FOLDER"}, []string{"policy"}, (*run).copyLog},
		{"matter", []string{"URL-OR-FOLDER"}, []string{"policy", "keys", "from", "save", "evidence"}, (*run).checkMatter},
		{"receipt", []string{"FILE"}, []string{"policy", "log"}, (*run).checkReceipt},
		{"evidence", []string{"FILE"}, []string{"policy", "log"}, (*run).checkEvidence},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := verify(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// verify is the whole program.
func verify(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	r := &run{stdout: stdout, stderr: stderr, facts: map[string]any{}}
	sentence, err := r.dispatch(ctx, args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		return exitVerified
	}
	end := &outcome{exitVerified, sentence, ""}
	if err != nil && !errors.As(err, &end) {
		end = &outcome{exitUndecided, "This cannot be decided.", err.Error()}
	}
	r.print(end)
	return end.exit
}

func (r *run) dispatch(ctx context.Context, args []string) (string, error) {
	r.asJSON = slices.Contains(args, "--json") || slices.Contains(args, "-json")
	if len(args) == 0 {
		return "", misused("Say what to check: log, copy, matter, receipt or evidence.")
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		rest, err := r.parse(c, args[1:])
		if err != nil {
			return "", err
		}
		return c.run(r, ctx, rest)
	}
	if slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		return "", flag.ErrHelp
	}
	return "", misused("There is no command %q.", args[0])
}

// parse reads flags wherever they stand, then the policy.
func (r *run) parse(c command, args []string) (rest []string, err error) {
	f := flag.NewFlagSet(c.name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	f.BoolVar(&r.asJSON, "json", false, "")
	f.StringVar(&r.token, "token", os.Getenv("UNDERSEAL_LOG_TOKEN"), "")
	f.StringVar(&r.origin, "origin", "", "")
	all := map[string]*string{"policy": &r.policyFile, "from": &r.from, "save": &r.save, "evidence": &r.evidenceFile, "keys": &r.keysFile, "log": &r.log}
	for _, name := range c.flags {
		f.StringVar(all[name], name, "", "")
	}
	for {
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, err
		} else if err != nil {
			return nil, misused("%v.", err)
		}
		if f.NArg() == 0 {
			break
		}
		rest, args = append(rest, f.Arg(0)), f.Args()[1:]
	}
	if len(rest) != len(c.arguments) {
		return nil, misused("%s takes %s.", c.name, strings.Join(c.arguments, " and "))
	}
	if r.policyFile == "" && c.name == "copy" {
		return rest, nil
	}
	return rest, r.readPolicy()
}

// readPolicy takes the keys that everything is checked under.
func (r *run) readPolicy() error {
	if r.policyFile == "" {
		return misused("Give --policy with the file of the log's keys: without them nobody can tell whose log this is.")
	}
	text, err := readFile(r.policyFile, 1<<20)
	if err != nil {
		return err
	}
	named := r.origin != ""
	if r.policy, err = log.ParsePolicy(string(text)); err != nil {
		return misused("%s is no policy: %v.", r.policyFile, err)
	}
	for _, l := range r.policy.Logs {
		if r.origin == "" {
			r.origin = l.Origin
		} else if !named && l.Origin != r.origin {
			return misused("%s names several logs: say with --origin which.", r.policyFile)
		}
	}
	if r.keys, err = r.policy.Keys(r.origin); err != nil {
		return misused("%s has not both keys of the log %q: %v.", r.policyFile, r.origin, err)
	}
	r.facts["origin"] = r.origin
	return nil
}

// readFile reads a file that somebody named.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, misused("%v.", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil || int64(len(b)) > limit {
		return nil, misused("%s cannot be read, or is too long (%v).", path, err)
	}
	return b, nil
}

func (r *run) print(o *outcome) {
	word := map[int]string{exitVerified: "verified", exitRefuted: "refuted", exitUsage: "usage", exitUndecided: "undecided"}[o.exit]
	if r.asJSON {
		r.facts["verdict"], r.facts["sentence"] = word, o.plain
		if o.detail != "" {
			r.facts["detail"] = o.detail
		}
		b, err := json.MarshalIndent(r.facts, "", "  ")
		if err != nil {
			panic(err) // strings and numbers always encode
		}
		fmt.Fprintf(r.stdout, "%s\n", b)
		return
	}
	out, label := r.stdout, map[int]string{exitVerified: "Verified. ", exitRefuted: "REFUTED. ", exitUsage: "", exitUndecided: "Not decided. "}[o.exit]
	if o.exit == exitUsage {
		out = r.stderr
	}
	fmt.Fprintln(out, label+o.plain)
	if o.detail != "" {
		fmt.Fprintln(out, "  "+o.detail)
	}
}

// progress draws a bar on a terminal, for work that takes long.
func (r *run) progress() func(done, total uint64) {
	f, ok := r.stderr.(*os.File)
	if !ok {
		return nil
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	const width = 40
	var last time.Time
	return func(done, total uint64) {
		if done == total {
			fmt.Fprint(f, "\r\x1b[K")
		} else if time.Since(last) > 100*time.Millisecond {
			last = time.Now()
			n := int(done * width / total)
			fmt.Fprintf(f, "\r[%s%s] %d of %d entries", strings.Repeat("#", n), strings.Repeat("-", width-n), done, total)
		}
	}
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/client/native"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
)

// stateReview is the state of a matter in which this person checks and opens nothing.
const stateReview = "review"

// record signs in and finds the matter whose record is asked for. It need not be one that this person may read.
func (s *session) record(ctx context.Context, name string) (client.MatterSummary, wire.ChainID, error) {
	if err := s.signIn(ctx); err != nil {
		return client.MatterSummary{}, wire.ChainID{}, err
	}
	m, err := s.find(ctx, name)
	if err != nil {
		return m, wire.ChainID{}, err
	}
	id, err := wire.ParseHash(m.Matter)
	return m, id, err
}

func (s *session) verify(ctx context.Context, args []string) error {
	rest, err := s.arguments(flag.NewFlagSet("verify", flag.ContinueOnError), args, 1, "MATTER")
	if err != nil {
		return err
	}
	m, id, err := s.record(ctx, rest[0])
	if err != nil {
		return err
	}
	v, err := s.client.VerifyMatter(ctx, id)
	if err != nil {
		return err
	}
	if s.asJSON {
		printJSON(s.stdout, v)
		return nil
	}
	for _, line := range verifyText(v, m.State != stateReview) {
		fmt.Fprintln(s.stdout, line)
	}
	return nil
}

// verifyText says in words what was found, then in figures. reads: by a seat that opens entries.
func verifyText(v client.VerifyView, reads bool) []string {
	name := "this matter"
	if v.Name != "" {
		name = quote(v.Name)
	}
	lines := []string{"Nothing is missing from " + name + ", and nothing in it was changed."}
	switch {
	case v.Replayed:
		lines = append(lines, "Its documents and people were worked out again from exactly these entries.")
	case !reads:
		lines = append(lines, "Its contents were not opened: this checks order and completeness, and reads nothing.")
	default:
		lines = append(lines, "Somebody added an entry meanwhile: what is shown may lack it. Run the command again.")
	}
	lines = append(lines, freshText(v.LogView))
	if len(v.Unpaired) > 0 {
		lines = append(lines, fmt.Sprintf("%d openings or deliveries stand alone. Somebody who stopped before the first byte is the usual reason.", len(v.Unpaired)))
	}
	for _, q := range v.Sequences {
		text := fmt.Sprintf("  %-20s %d", sequenceName(q.Sequence), q.Entries)
		if q.Erased > 0 {
			text += fmt.Sprintf(", details of %d erased", q.Erased)
		}
		if q.Head != "" {
			text += ", the last " + q.Head
		}
		lines = append(lines, text)
	}
	if v.Released != nil && v.Served != nil {
		lines = append(lines, fmt.Sprintf("  %-20s %d opened, %d delivered", "documents", *v.Released, *v.Served))
	}
	for _, u := range v.Unpaired {
		lines = append(lines, fmt.Sprintf("    %-8s  %s  %s  %s", u.Kind, when(u.At), safe(u.Person), quote(u.Document)))
	}
	for _, e := range v.Erasures {
		lines = append(lines, fmt.Sprintf("  %-20s details of %s %d to %d, by %s, %s (%s)", "erased", sequenceName(e.Sequence), e.From, e.To-1, safe(e.By), when(e.At), safe(e.Rule)))
	}
	if v.Views > 0 {
		lines = append(lines, fmt.Sprintf("  %-20s with what %d of its members saw of the log", "compared", v.Views))
	}
	return append(lines, logText(v.LogView)...)
}

func sequenceName(sequence string) string {
	return map[string]string{"state": "entries", "trail": "openings", "server": "notes of the server"}[sequence]
}

// freshText says who vouches for it that this is the newest state of the log.
func freshText(l client.LogView) string {
	switch l.Policy {
	case "met":
		return "Enough of the firm's witnesses have vouched for the log within the hour."
	case "stale":
		return "The firm's witnesses have not vouched for the log lately: that this is its newest state is only the server's word."
	}
	return "The firm has no witnesses: that this is the newest state of its log is only the server's word."
}

func logText(l client.LogView) []string {
	lines := []string{fmt.Sprintf("  %-20s %d leaves, root %s", "log", l.Size, l.Root), fmt.Sprintf("  %-20s %s", "", safe(l.URL))}
	for _, w := range l.Witnesses {
		at := "has not vouched yet"
		if w.At != nil {
			at = "vouched " + when(uint64(*w.At))
		}
		lines = append(lines, fmt.Sprintf("  %-20s %s %s", "witness", safe(w.Name), at))
	}
	return lines
}

// Limits of how much of a record is shown at once.
const (
	maxShown     = 100_000
	pageActivity = 500 // what the client takes
)

func shownFlag(f *flag.FlagSet) *int { return f.Int("limit", 20, "how many of the newest") }

func checkShown(limit int) error {
	if limit < 1 || limit > maxShown {
		return misused("--limit is 1 to %d", maxShown)
	}
	return nil
}

func (s *session) activity(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("activity", flag.ContinueOnError)
	limit := shownFlag(f)
	rest, err := s.arguments(f, args, 1, "MATTER")
	if err != nil {
		return err
	}
	if err := checkShown(*limit); err != nil {
		return err
	}
	_, id, err := s.record(ctx, rest[0])
	if err != nil {
		return err
	}
	all := client.ActivityPage{Items: []client.ActivityView{}}
	for len(all.Items) == 0 || all.Next != nil && len(all.Items) < *limit {
		page, err := s.client.Activity(ctx, id, all.Next, min(*limit-len(all.Items), pageActivity))
		if err != nil {
			return err
		}
		all.Items, all.Next = append(all.Items, page.Items...), page.Next
	}
	if s.asJSON {
		printJSON(s.stdout, all)
		return nil
	}
	for _, a := range all.Items {
		fmt.Fprintf(s.stdout, "%6d  %s  %s\n", a.Position, when(a.At), activityText(a))
	}
	if all.Next != nil {
		s.show.note("There are %d older entries: --limit shows more.", *all.Next)
	}
	return nil
}

// activityText is a sentence. Everything in it but its verbs is somebody's choice.
func activityText(a client.ActivityView) string {
	var what string
	switch a.Kind {
	case "founded":
		what = "founded the matter"
	case "renewed":
		what = "renewed the matter's keys"
	case "removed":
		what = "removed " + quote(a.Subject) + " and changed the keys"
	case "added", "versioned", "placed", "deleted":
		what = map[string]string{"added": "added ", "versioned": "added a new version of ", "placed": "renamed or moved ", "deleted": "deleted "}[a.Kind] + documentsText(a.Documents)
	case "renamed":
		what = "renamed the matter to " + quote(a.Subject)
	case "invited":
		what = "invited " + quote(a.Subject) + " as " + safe(a.Role)
	case "cancelled":
		what = "cancelled the invite for " + quote(a.Subject)
	case "accepted":
		what = "accepted the invite as " + safe(a.Role)
	case "admitted":
		what = "let in " + quote(a.Subject)
	case "policy":
		what = "set the firm's rules for signing in"
	case "new-keys":
		what = "has new keys: an owner renews the matter's"
	case "declared":
		what = fmt.Sprintf("has %d ways to unlock", a.Ways)
	case "unlocked":
		what = "let " + whom(a) + " try to sign in again: " + quote(a.Why)
	case "signed-out":
		what = "ended the sessions of " + whom(a) + ": " + quote(a.Why)
	case "escrowed":
		what = "left an identity with the custodians"
	case "escrow-ended":
		what = "took back what was left with the custodians"
	case "recovery-begun":
		what = "began the recovery of " + quote(a.Subject) + ": " + quote(a.Why)
	case "recovery-agreed":
		what = "agreed to the recovery of " + quote(a.Subject)
	case "recovery-stopped":
		what = "stopped the recovery of " + quote(a.Subject) + ": " + quote(a.Why)
	case "erased":
		what = "erased old details (" + safe(a.Rule) + ")"
	default:
		what = safe(a.Kind)
	}
	if a.Void > 0 {
		what += fmt.Sprintf(" (%d without effect)", a.Void)
	}
	return safe(a.Person) + " " + what
}

// whom is the name of whom an owner did something about. A guest goes with his id, and has no name in a matter that this person is
// not in.
func whom(a client.ActivityView) string {
	switch {
	case a.Member == "":
		return quote(a.Subject)
	case a.Subject == "":
		return "a guest (" + safe(a.Member) + ")"
	}
	return quote(a.Subject) + " (" + safe(a.Member) + ")"
}

func documentsText(all []client.ActivityDocument) string {
	if len(all) == 0 {
		return "nothing"
	}
	text := quote("/" + path.Join(all[0].Folder, all[0].Name))
	if n := len(all) - 1; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// trailReport is what trail prints: the newest, or where the whole table went.
type trailReport struct {
	client.TrailView
	File string `json:"file,omitempty"`
}

func (s *session) trail(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("trail", flag.ContinueOnError)
	limit := shownFlag(f)
	table := f.String("csv", "", "file to write the whole trail to")
	force := f.Bool("force", false, "replace a file that is there")
	rest, err := s.arguments(f, args, 1, "MATTER")
	if err != nil {
		return err
	}
	if err := checkShown(*limit); err != nil {
		return err
	}
	if err := writable(*table, *force); err != nil {
		return err
	}
	_, id, err := s.record(ctx, rest[0])
	if err != nil {
		return err
	}
	v, err := s.client.Trail(ctx, id, *limit)
	if err != nil {
		return err
	}
	if *table != "" {
		b, err := s.client.TrailCSV(ctx, id)
		if err != nil {
			return err
		}
		if err := save(*table, b); err != nil {
			return err
		}
		s.show.note("The whole trail is in %s.", quote(*table))
	}
	s.showTrail(trailReport{v, *table}, *limit)
	return nil
}

func (s *session) showTrail(r trailReport, limit int) {
	r.More = r.More || len(r.Items) > limit
	r.Items = r.Items[:min(len(r.Items), limit)] // the newest of each sequence: the newest of both are among them
	if s.asJSON {
		printJSON(s.stdout, r)
		return
	}
	for _, x := range r.Items {
		fmt.Fprintln(s.stdout, trailText(x))
	}
	if r.More {
		s.show.note("There is more: --limit shows it, --csv FILE writes all of it.")
	}
}

func trailText(x client.TrailItem) string {
	words := map[string]string{"opened": "opened", "served": "was sent", "session-opened": "began a session", "session-ended": "ended a session",
		"sign-in-failed": "failed to sign in", "denied": "was refused", "locked": "was locked out"}
	what := or(words[x.Kind], safe(x.Kind))
	if x.DocumentID != "" && x.Document != "" {
		what += " " + quote(x.Document)
	} else if x.Version != "" {
		what += " version " + x.Version
	}
	if x.Detail != "" {
		what += " (" + safe(x.Detail) + ")"
	}
	if x.Paired != nil && !*x.Paired {
		what += map[string]string{"opened": ", and nothing was delivered", "served": ", and nobody had opened it"}[x.Kind]
	}
	source := map[string]string{"trail": "signed", "server": "server"}[x.Sequence]
	at := when(x.At)
	if x.Erased != "" {
		// The time went with the details: what stands there is the place in the trail.
		at, what = strings.Repeat("-", len(at)), what+"; details erased ("+safe(x.Erased)+")"
	}
	return fmt.Sprintf("%s  %-6s  %s %s", at, source, safe(or(x.Person, "somebody")), what)
}

// exports are the files that export makes: what each is called where nobody names it.
var exports = map[string]string{
	"proof": "underseal-proof.zip", "link-keys": "underseal-link-keys.txt", "policy": "underseal-log-policy.txt", "receipt": "underseal-receipt.tlog-proof",
}

// exported is what export says.
type exported struct {
	Matter string `json:"matter"`
	What   string `json:"what"`
	File   string `json:"file"`
	Bytes  int    `json:"bytes"`
}

func (s *session) export(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("export", flag.ContinueOnError)
	out := f.String("o", "", "file to write")
	force := f.Bool("force", false, "replace a file that is there")
	sequence := f.String("sequence", api.SequenceState, "of a receipt: state or trail")
	position := f.Int64("position", -1, "of a receipt: which entry, as activity numbers them")
	rest, err := s.arguments(f, args, 2, "MATTER", "WHAT")
	if err != nil {
		return err
	}
	what, file := rest[1], or(*out, exports[rest[1]])
	switch {
	case exports[what] == "":
		return misused("export writes proof, link-keys, policy or receipt, and not %s", quote(what))
	case what == "receipt" && *position < 0:
		return misused("say of which entry: --position N, as underseal activity numbers them")
	case *sequence != api.SequenceState && *sequence != api.SequenceTrail:
		return misused("--sequence is state or trail")
	}
	if err := writable(file, *force); err != nil {
		return err
	}
	m, id, err := s.record(ctx, rest[0])
	if err != nil {
		return err
	}
	b, err := s.exported(ctx, m, id, what, *sequence, uint64(*position))
	if err != nil {
		return err
	}
	if err := save(file, b); err != nil {
		return err
	}
	if s.asJSON {
		printJSON(s.stdout, exported{m.Matter, what, file, len(b)})
		return nil
	}
	fmt.Fprintf(s.stdout, "%s is in %s.\n", map[string]string{"proof": "What proves the record", "link-keys": "What a reviewer needs", "policy": "What the log is held to", "receipt": "The log's receipt for the entry"}[what], quote(file))
	switch what {
	case "link-keys":
		s.show.note("It opens no document and no name. It does show which entries of the log are this matter's: give it to reviewers alone.")
	case "proof":
		s.show.note("It opens no document. It names the matter, and shows which entries of the log are its own: give it to reviewers alone. From the seat of an owner or auditor it also holds trail.csv: who opened which document, and when, by name. Take that out before you hand it to somebody who should not read it.")
	}
	return nil
}

func (s *session) exported(ctx context.Context, m client.MatterSummary, id wire.ChainID, what, sequence string, position uint64) ([]byte, error) {
	if what == "proof" {
		return s.client.ProofFile(ctx, id)
	}
	if what == "link-keys" || m.State == stateReview {
		// A reviewer opens no chain that names the log: his own package does, and this reads it.
		keys, err := s.client.LinkKeysFile(ctx, id)
		if err != nil || what == "link-keys" {
			return keys, err
		}
	}
	if what == "receipt" {
		return s.client.ReceiptFile(ctx, id, sequence, position)
	}
	firm, err := wire.ParseHash(m.Firm)
	if err != nil {
		return nil, err
	}
	return s.client.PolicyFile(ctx, firm)
}

// writable refuses a file before anything is asked of the server.
func writable(file string, force bool) error {
	if file == "" {
		return nil
	}
	if _, err := os.Lstat(file); err == nil && !force {
		return native.ErrExists
	}
	info, err := os.Stat(filepath.Dir(file))
	if err == nil && !info.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return unwritable(file, err)
	}
	return nil
}

// save writes a file that its owner alone may read: it says things about a matter.
func save(file string, b []byte) error {
	if err := native.WriteFile(file, b); err != nil {
		return unwritable(file, err)
	}
	return nil
}

// keepEvidence puts what shows others that the server lied beside the identity. It is in the sealed journal as well.
func (s *session) keepEvidence(evidence string) (file string, err error) {
	if evidence == "" {
		return "", nil
	}
	file = filepath.Join(s.home, "evidence-"+time.Now().UTC().Format("20060102T150405Z")+".json")
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return file, err // of the same second: the same lie, told twice
	}
	return file, native.WriteFile(file, []byte(evidence))
}

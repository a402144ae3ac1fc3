package main

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/chain"
)

// verifier is underseal-verify, which judges what is exported.
type verifier struct {
	t       *testing.T
	program string
}

func (w *world) verifier() verifier {
	w.t.Helper()
	v := verifier{w.t, filepath.Join(w.t.TempDir(), "underseal-verify")}
	if out, err := exec.Command("go", "build", "-o", v.program, "../underseal-verify").CombinedOutput(); err != nil {
		w.t.Fatalf("%v\n%s", err, out)
	}
	return v
}

func (v verifier) want(code int, args ...string) {
	v.t.Helper()
	cmd := exec.Command(v.program, args...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		v.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		v.t.Errorf("underseal-verify %q: exit %d, want %d\n%s", args, got, code, out)
	}
}

// joined is a person in the matter.
func (w *world) joined(role chain.Role) *person {
	w.t.Helper()
	p := w.person()
	p.has(p.want(exitFine, "join", w.link(role, chain.ModeOpensAtOnce)), "You are in “Roe v. Wade”")
	return p
}

func parsed[V any](p *person, text string) V {
	p.w.t.Helper()
	var v V
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		p.w.t.Fatalf("%v in %q", err, text)
	}
	return v
}

// TestMemberRecord is the record of a matter as its owner, an auditor, a reviewer and a client see it. S-VERIFY-01
func TestMemberRecord(t *testing.T) {
	w := newWorld(t)
	owner := w.joined(chain.RoleOwner)
	link := strings.TrimSpace(owner.want(exitFine, "invite", "Roe v. Wade", "--name", "Rita Reviewer", "--role", "reviewer").stdout)
	reviewer := w.person()
	reviewer.has(reviewer.want(exitFine, "join", link), "as reviewer", "You are in “Roe v. Wade”")
	link = strings.TrimSpace(owner.want(exitFine, "invite", "Roe v. Wade", "--name", "Alma\u200b Auditor", "--role", "auditor").stdout)
	auditor := w.person()
	auditor.has(auditor.want(exitFine, "join", link), "as auditor", "You are in “Roe v. Wade”")
	guest := w.joined(chain.RoleClient)
	guest.want(exitFine, "put", w.file("brief.pdf", []byte("brief")), "Roe v. Wade:/motions/")
	guest.want(exitFine, "get", "Roe v. Wade:/motions/brief.pdf", "-o", filepath.Join(t.TempDir(), "out"))

	r := guest.want(exitFine, "verify", "Roe v. Wade")
	first, _, _ := strings.Cut(r.stdout, "\n")
	if first != "Nothing is missing from “Roe v. Wade”, and nothing in it was changed." {
		t.Errorf("%q comes first", first)
	}
	guest.has(r, "worked out again from exactly these entries", "has no witnesses", "only the server's word", "  entries ", "  openings             1, the last ", "/log/")
	v := parsed[client.VerifyView](guest, guest.want(exitFine, "verify", w.matter.String()[:8], "--json").stdout)
	if !v.Replayed || len(v.Sequences) != 2 || v.Policy != "none" || v.Size == 0 || v.Matter != w.matter.String() || v.Released != nil {
		t.Errorf("%+v", v)
	}

	reviewer.has(reviewer.want(exitFine, "ls"), "review", "reviewer", "check only")
	r = reviewer.want(exitFine, "verify", "Roe v. Wade")
	reviewer.has(r, "Nothing is missing from “Roe v. Wade”", "reads nothing", "  openings             1, the last ")
	if strings.Contains(r.stdout, "brief") || strings.Contains(r.stdout, "worked out again") {
		t.Errorf("a reviewer reads %s", r.stdout)
	}
	for _, args := range [][]string{{"ls", "Roe v. Wade"}, {"activity", "Roe v. Wade"}, {"trail", "Roe v. Wade"}, {"get", "Roe v. Wade:/motions/brief.pdf"}} {
		reviewer.has(reviewer.want(exitError, args...), "checks this matter and opens nothing")
	}

	r = auditor.want(exitFine, "verify", "Roe v. Wade")
	auditor.has(r, "  notes of the server  ", "1 opened, 1 delivered")
	r = auditor.want(exitFine, "trail", "Roe v. Wade")
	auditor.has(r, "signed  Carl Client opened “brief.pdf”", "server  Carl Client was sent “brief.pdf”")
	auditor.has(auditor.want(exitError, "get", "Roe v. Wade:/motions/brief.pdf"), "role does not allow")
	for _, args := range [][]string{{"trail", "Roe v. Wade"}, {"trail", "Roe v. Wade", "--csv", filepath.Join(t.TempDir(), "t.csv")}} {
		guest.has(guest.want(exitError, args...), "You may not do that")
	}
	r = auditor.want(exitFine, "activity", "Roe v. Wade", "--limit", "100")
	auditor.has(r, "Ada Attorney founded the matter", "Carl Client added “/motions/brief.pdf”", "Carl Client invited “Rita Reviewer” as reviewer", `invited “Alma\u{200b} Auditor” as auditor`)
	if lines := strings.Split(strings.TrimSpace(r.stdout), "\n"); !strings.Contains(lines[0], "added") || !strings.HasPrefix(lines[len(lines)-1], "     0  ") {
		t.Errorf("newest first is not what this is:\n%s", r.stdout)
	}
	r = auditor.want(exitFine, "activity", "Roe v. Wade", "--limit", "2")
	if strings.Count(r.stdout, "\n") != 2 {
		t.Errorf("two are %q", r.stdout)
	}
	auditor.has(r, "older entries")
	page := parsed[client.ActivityPage](auditor, auditor.want(exitFine, "activity", "Roe v. Wade", "--limit", "2", "--json").stdout)
	if len(page.Items) != 2 || page.Next == nil {
		t.Errorf("%+v", page)
	}

	table := filepath.Join(t.TempDir(), "trail.csv")
	shown := parsed[trailReport](auditor, auditor.want(exitFine, "trail", "Roe v. Wade", "--limit", "1", "--csv", table, "--json").stdout)
	if len(shown.Items) != 1 || !shown.More || shown.File != table {
		t.Errorf("%+v", shown)
	}
	auditor.has(auditor.want(exitError, "trail", "Roe v. Wade", "--csv", table), "There is a file")
	b, err := os.ReadFile(table)
	w.must(err)
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil || len(rows) < 3 || len(rows[0]) != 12 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	t.Run("export", func(t *testing.T) { w.exports(t, auditor, reviewer, guest, page.Items[0].Position) })
}

// exports: each file is one that underseal-verify takes, and says nothing else.
func (w *world) exports(t *testing.T, auditor, reviewer, guest *person, position uint64) {
	check := w.verifier()
	view := parsed[client.VerifyView](guest, guest.want(exitFine, "verify", "Roe v. Wade", "--json").stdout)
	for _, p := range []*person{auditor, reviewer, guest} {
		folder := t.TempDir()
		in := func(name string) string { return filepath.Join(folder, name) }
		p.has(p.want(exitFine, "export", "Roe v. Wade", "policy", "-o", in("policy.txt")), "held to")
		p.has(p.want(exitFine, "export", "Roe v. Wade", "link-keys", "-o", in("keys.txt")), "give it to reviewers alone")
		p.want(exitFine, "export", "Roe v. Wade", "receipt", "--position", strconv.FormatUint(position, 10), "-o", in("receipt.txt"))
		p.want(exitFine, "export", "Roe v. Wade", "receipt", "--sequence", "trail", "--position", "0", "-o", in("opened.txt"))
		check.want(0, "log", view.URL, "--policy", in("policy.txt"))
		check.want(0, "matter", view.URL, "--policy", in("policy.txt"), "--keys", in("keys.txt"))
		check.want(0, "receipt", in("receipt.txt"), "--policy", in("policy.txt"), "--log", view.URL)
		check.want(0, "receipt", in("opened.txt"), "--policy", in("policy.txt"))

		report := parsed[exported](p, p.want(exitFine, "export", "Roe v. Wade", "proof", "-o", in("proof.zip"), "--json").stdout)
		z, err := zip.OpenReader(in("proof.zip"))
		w.must(err)
		names := ""
		for _, f := range z.File {
			names += " " + f.Name
			r, err := f.Open()
			w.must(err)
			b, err := io.ReadAll(r)
			w.must(err)
			if bytes.Contains(b, []byte("brief")) != (f.Name == "trail.csv") {
				t.Errorf("%s names the document, or the trail does not", f.Name)
			}
			w.must(os.WriteFile(in(f.Name), b, 0o600))
		}
		w.must(z.Close())
		if want := map[bool]string{true: " trail.csv"}[p == auditor]; names != " README.txt policy.txt link-keys.txt checkpoint.txt report.json"+want {
			t.Errorf("the proof has%s", names)
		}
		if info, err := os.Stat(in("proof.zip")); err != nil || info.Mode().Perm() != 0o600 || info.Size() != int64(report.Bytes) {
			t.Errorf("%v, %v", info, err)
		}
		check.want(0, "log", view.URL, "--policy", in("policy.txt"), "--from", in("checkpoint.txt"))
		check.want(0, "matter", view.URL, "--policy", in("policy.txt"), "--keys", in("link-keys.txt"))
		p.has(p.want(exitError, "export", "Roe v. Wade", "proof", "-o", in("proof.zip")), "There is a file")
		p.want(exitFine, "export", "Roe v. Wade", "policy", "-o", in("policy.txt"), "--force")
		p.has(p.want(exitError, "export", "Roe v. Wade", "policy", "-o", in("none/policy.txt")), "no folder")
	}
}

// TestMemberRolledBack: a server that was put back to an earlier state is caught, and the file that shows it convinces others.
// S-CLIENT-11 S-CLIENT-19
func TestMemberRolledBack(t *testing.T) {
	w := newWorld(t)
	p := w.joined(chain.RoleClient)
	policy := filepath.Join(t.TempDir(), "policy.txt")
	p.want(exitFine, "export", "Roe v. Wade", "policy", "-o", policy)
	view := parsed[client.VerifyView](p, p.want(exitFine, "verify", "Roe v. Wade", "--json").stdout)
	w.stop()
	before := filepath.Join(t.TempDir(), "before")
	w.must(os.CopyFS(before, os.DirFS(w.data)))
	w.serve()
	for range 4 { // each is more in the log: a session began
		p.want(exitFine, "ls")
	}
	check, copied := w.verifier(), filepath.Join(t.TempDir(), "copy")
	check.want(0, "copy", view.URL, copied, "--policy", policy)
	w.stop()
	w.must(os.RemoveAll(w.data))
	w.must(os.CopyFS(w.data, os.DirFS(before)))
	w.serve()
	r := p.want(exitLied, "verify", "Roe v. Wade")
	p.has(r, "THE SERVER LIED", "another history", "underseal-verify evidence")
	file := regexp.MustCompile(`underseal-verify evidence (\S+) --policy`).FindStringSubmatch(r.stderr)
	if file == nil {
		t.Fatal("no evidence")
	}
	check.want(0, "evidence", file[1], "--policy", policy, "--log", copied)
	check.want(1, "evidence", policy, "--policy", policy)
}

// TestRecordText: what others chose is shown as what it is, and what is wrong is said.
func TestRecordText(t *testing.T) {
	bad := "a\x1b[2J\u202e"
	is, at := false, int64(1)
	released := 1
	for _, text := range []string{
		activityText(client.ActivityView{Person: bad, Kind: "invited", Subject: bad, Role: bad}),
		activityText(client.ActivityView{Person: bad, Kind: "added", Documents: []client.ActivityDocument{{Name: bad, Folder: bad}, {}}}),
		activityText(client.ActivityView{Person: bad, Kind: bad}), activityText(client.ActivityView{Kind: "erased", Rule: bad}), activityText(client.ActivityView{Kind: "accepted", Role: bad}),
		trailText(client.TrailItem{Person: bad, Kind: bad, Document: bad, DocumentID: "x", Detail: bad, Erased: bad}),
		strings.Join(verifyText(client.VerifyView{Name: bad, LogView: client.LogView{URL: bad, Witnesses: []client.WitnessView{{Name: bad, At: &at}}},
			Unpaired: []client.UnpairedView{{Kind: "served", Person: bad, Document: bad}}, Erasures: []client.ErasureView{{From: 1, To: 3, By: bad, Rule: bad}}, Released: &released, Served: &released, Views: 2}, true), " "),
	} {
		if strings.ContainsAny(text, "\x1b\u202e") {
			t.Errorf("%q", text)
		}
	}
	for want, v := range map[string]client.ActivityView{
		"A ended the sessions of “B”: “Stolen.”":                {Person: "A", Kind: "signed-out", Subject: "B", Why: "Stolen."},
		"A ended the sessions of “B” (m): “Stolen.”":            {Person: "A", Kind: "signed-out", Subject: "B", Member: "m", Why: "Stolen."},
		"A let a guest (m) try to sign in again: “She called.”": {Person: "A", Kind: "unlocked", Member: "m", Why: "She called."},
		"A stopped the recovery of “B”: “It was not me.”":       {Person: "A", Kind: "recovery-stopped", Subject: "B", Why: "It was not me."},
	} {
		if got := activityText(v); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := activityText(client.ActivityView{Person: "A", Kind: "added", Documents: []client.ActivityDocument{{Name: "x", Folder: "f"}, {}, {}}, Void: 2}); got != "A added “/f/x” and 2 more (2 without effect)" {
		t.Error(got)
	}
	if got := trailText(client.TrailItem{Sequence: "server", Kind: "served", Person: "A", Document: "x", DocumentID: "1", Paired: &is}); !strings.HasSuffix(got, "server  A was sent “x”, and nobody had opened it") {
		t.Error(got)
	}
	if got := trailText(client.TrailItem{Sequence: "trail", Kind: "opened", Erased: "retention"}); !strings.HasPrefix(got, "----") || !strings.Contains(got, "details erased (retention)") {
		t.Error(got)
	}
	if got := strings.Join(verifyText(client.VerifyView{Sequences: make([]client.SequenceView, 3), LogView: client.LogView{Policy: "stale"}}, true), "\n"); !strings.Contains(got, "Run the command again") || !strings.Contains(got, "not vouched for the log lately") {
		t.Error(got)
	}
	if got := freshText(client.LogView{Policy: "met"}); !strings.Contains(got, "have vouched") {
		t.Error(got)
	}
}

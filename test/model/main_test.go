package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/underseal/underseal/test/program"
)

// TestExpected: what is expected is whole: every file, every switch, nothing undecided. It needs no ProVerif.
func TestExpected(t *testing.T) {
	m, err := load(filepath.Join(program.Root(), "protocol", "model"))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.files) < 10 || len(m.sound) < 20 {
		t.Errorf("%d files and %d switches: the model is not all there", len(m.files), len(m.sound))
	}
	if err := m.check(); err != nil {
		t.Error(err)
	}
}

const (
	switches = "letfun first = true. (* S-1 *)\nletfun second = false.\n"
	secret   = "RESULT not attacker(x[]) is true.\n"
	leaked   = "RESULT not attacker(x[]) is false.\n"
	whole    = "# words\n== a.pv\n" + secret + "\n== a.pv first=false\n" + leaked + "== a.pv second=true\n" + leaked
)

func small(t *testing.T, expected string) *model {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"a.pv": "", switchesFile: switches, expectedFile: expected} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestCheck: each way in which expectations could say less than they seem to is refused.
func TestCheck(t *testing.T) {
	if err := small(t, whole).check(); err != nil {
		t.Fatal(err)
	}
	for name, expected := range map[string]string{
		"a switch without effect":  strings.Replace(whole, "first=false\n"+leaked, "first=false\n"+secret, 1),
		"a switch without a run":   strings.Replace(whole, "== a.pv second=true\n"+leaked, "", 1),
		"no sound run":             strings.Replace(whole, "== a.pv\n"+secret, "", 1),
		"an unknown switch":        whole + "== a.pv third=true\n" + leaked,
		"a switch that turns not":  whole + "== a.pv first=true\n" + leaked,
		"a switch turned twice":    whole + "== a.pv first=false first=false\n" + leaked,
		"another file":             whole + "== b.pv\n" + secret,
		"the same run twice":       whole + "== a.pv\n" + secret,
		"a run without results":    whole + "== a.pv first=false second=true\n",
		"an undecided result":      whole + "== a.pv first=false second=true\nRESULT not attacker(x[]) cannot be proved.\n",
		"nothing expected at all":  "",
		"only switches, no result": "== a.pv\n",
	} {
		if small(t, expected).check() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	m := small(t, whole)
	m.files = append(m.files, "b.pv")
	if m.check() == nil {
		t.Error("a file of which nothing is expected is accepted")
	}
}

func TestParseExpected(t *testing.T) {
	for _, text := range []string{secret, "== \n", "== a.pv\nsomething\n"} {
		if _, err := parseExpected(text); err == nil {
			t.Errorf("%q parses", text)
		}
	}
}

// prover is a program in ProVerif's place.
func prover(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "proverif")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestVerify: a result that differs fails, and so do one that is missing and a prover that breaks.
func TestVerify(t *testing.T) {
	right := `if grep -q 'first = true' "$2" && grep -q 'second = false' "$2"; then printf '` + secret + `'; else printf '` + leaked + `'; fi`
	for script, good := range map[string]bool{
		right:                                    true,
		"printf '" + secret + "'":                false,
		"true":                                   false,
		right + "; exit 2":                       false,
		right + "\nprintf " + "'" + secret + "'": false,
	} {
		var out bytes.Buffer
		err := small(t, whole).verify(context.Background(), prover(t, script), nil, &out)
		if (err == nil) != good {
			t.Errorf("%s: %v", script, err)
		}
		if good && !strings.Contains(out.String(), "3 runs, all as expected") {
			t.Errorf("got %q", out.String())
		}
	}
	if small(t, whole).verify(context.Background(), prover(t, right), []string{"b.pv"}, &bytes.Buffer{}) == nil {
		t.Error("a file of which nothing is expected passes")
	}
}

// TestSkip: without ProVerif it says that nothing was verified.
func TestSkip(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	var out bytes.Buffer
	if err := run(context.Background(), nil, &out); err != nil || !strings.HasPrefix(out.String(), "SKIP: ") {
		t.Errorf("%v, %q", err, out.String())
	}
}

package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/test/vectors/pack"
)

// skipSets is the one place where vectors are skipped: "go test" runs where
// the specifications' folder is absent, "go run ./vectors" fails there.
func skipSets(t *testing.T, n int, folder string) {
	t.Helper()
	t.Skipf("SKIPPED %d sets of vectors: no folder %s", n, folder)
}

func testHarness(t *testing.T) *harness {
	t.Helper()
	h, err := newHarness(t.Context(), "chromium", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	// Not the folder of a run of the program at the same time.
	h.out = t.TempDir()
	return h
}

// TestVectors runs on this platform whatever is there.
func TestVectors(t *testing.T) {
	h := testHarness(t)
	p, err := h.collect()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.write(p); err != nil {
		t.Fatal(err)
	}
	report, err := h.runOn(t.Context(), "native")
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range report.Sets {
		if set.Cases == 0 || set.Passed != set.Cases {
			t.Errorf("%s: %d of %d passed: %s", set.Name, set.Passed, set.Cases, strings.Join(set.Failures, "; "))
		}
	}
	if len(p.Floe) == 0 {
		t.Run("specifications", func(t *testing.T) { skipSets(t, 2, h.vectors) })
	}
}

func TestAbsentFolderFails(t *testing.T) {
	t.Setenv("UNDERSEAL_VECTORS", filepath.Join(t.TempDir(), "absent"))
	if err := run(t.Context(), []string{"-on", "native"}, io.Discard); err == nil || !strings.Contains(err.Error(), "UNDERSEAL_VECTORS") {
		t.Errorf("got %v, want the folder's absence", err)
	}
	t.Setenv("UNDERSEAL_VECTORS", t.TempDir())
	if err := run(t.Context(), []string{"-on", "native"}, io.Discard); err == nil {
		t.Error("an empty folder runs")
	}
}

// TestWrongVectorsFail changes one digit of what must come out.
func TestWrongVectorsFail(t *testing.T) {
	h := testHarness(t)
	p, err := h.collect()
	if err != nil {
		t.Fatal(err)
	}
	own := string(p.Own["derive"])
	at := strings.Index(own, `"out": "`) + len(`"out": "`)
	digit := "0"
	if own[at] == '0' {
		digit = "1"
	}
	p.Own["derive"] = []byte(own[:at] + digit + own[at+1:])
	if err := h.write(p); err != nil {
		t.Fatal(err)
	}
	report, err := h.runOn(t.Context(), "native")
	if err != nil {
		t.Fatal(err)
	}
	if err := summarise(io.Discard, []string{"native"}, []pack.Report{report}); err == nil || !strings.Contains(err.Error(), "derive") {
		t.Errorf("got %v, want a failure in derive", err)
	}
}

func TestSummariseWantsTheSameEverywhere(t *testing.T) {
	full := pack.Report{Sets: []pack.Set{{Name: "a", Cases: 2, Passed: 2}}}
	for name, other := range map[string]pack.Report{
		"fewer sets":  {},
		"fewer cases": {Sets: []pack.Set{{Name: "a", Cases: 1, Passed: 1}}},
		"another set": {Sets: []pack.Set{{Name: "b", Cases: 2, Passed: 2}}},
		"a failure":   {Sets: []pack.Set{{Name: "a", Cases: 2, Passed: 1, Failures: []string{"x"}}}},
	} {
		if err := summarise(io.Discard, []string{"one", "other"}, []pack.Report{full, other}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := summarise(io.Discard, []string{"one", "other"}, []pack.Report{full, full}); err != nil {
		t.Error(err)
	}
	nothing := pack.Report{Sets: []pack.Set{{Name: "a"}}}
	if err := summarise(io.Discard, []string{"one"}, []pack.Report{nothing}); err == nil {
		t.Error("a set without cases passes")
	}
}

func TestResultOfTheBrowser(t *testing.T) {
	for _, r := range []result{{1, []string{"{}"}}, {0, nil}, {0, []string{"panic: x"}}, {0, []string{"{}", "{}"}}} {
		if _, err := parseResult(r); err == nil {
			t.Errorf("%+v is a report", r)
		}
	}
}

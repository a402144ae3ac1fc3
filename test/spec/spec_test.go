// Package spec ties protocol/SPEC.md to the tests: every numbered MUST is named by a test, and every id that is named exists.
package spec

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/underseal/underseal/keys"
)

const (
	root  = "../.."
	rules = root + "/protocol/SPEC.md"
)

var (
	anID    = regexp.MustCompile(`\bS-[A-Z]+-[0-9]{2}\b`)
	aRule   = regexp.MustCompile(`(?m)^- \*\*(S-[A-Z]+-[0-9]{2})\*\* `)
	aLabel  = regexp.MustCompile(`"underseal/v1/([a-z0-9/-]+)`)
	skipped = map[string]bool{".git": true, "node_modules": true, "dist": true, "data": true, "out": true}
)

// places are where ids are named: by id, the files.
type places map[string][]string

func (p places) add(text, file string) {
	for _, id := range anID.FindAllString(text, -1) {
		if !slices.Contains(p[id], file) {
			p[id] = append(p[id], file)
		}
	}
}

// walk reads every source, and says which of them are tests.
func walk(t *testing.T, visit func(file, text string, isTest bool)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skipped[d.Name()] && path != root {
				return filepath.SkipDir
			}
			return nil
		}
		file, err := filepath.Rel(root, path)
		if err != nil || strings.HasPrefix(file, filepath.Join("test", "spec")) {
			return err
		}
		ext := filepath.Ext(file)
		if ext != ".go" && ext != ".ts" && ext != ".js" && ext != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		visit(file, string(text), strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, ".test.ts"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// check is what is wrong between the rules, the tests that name them, and all files that do.
func check(spec string, tests, anywhere places) (problems []string) {
	known := map[string]int{}
	for _, m := range aRule.FindAllStringSubmatch(spec, -1) {
		known[m[1]]++
	}
	for _, id := range slices.Sorted(maps.Keys(known)) {
		switch {
		case known[id] > 1:
			problems = append(problems, id+" is defined more than once")
		case len(tests[id]) == 0:
			problems = append(problems, id+" has no test that names it")
		}
	}
	for _, id := range slices.Sorted(maps.Keys(anywhere)) {
		if known[id] == 0 {
			problems = append(problems, id+" does not exist, and is named in "+strings.Join(anywhere[id], ", "))
		}
	}
	return problems
}

// TestEveryRuleHasATest is the reason for this package.
func TestEveryRuleHasATest(t *testing.T) {
	spec := read(t, rules)
	tests, anywhere := places{}, places{}
	walk(t, func(file, text string, isTest bool) {
		anywhere.add(text, file)
		if isTest {
			tests.add(text, file)
		}
	})
	for _, problem := range check(spec, tests, anywhere) {
		t.Error(problem)
	}
	groups := map[string]int{}
	total := len(aRule.FindAllString(spec, -1))
	if total == 0 {
		t.Fatal("no rules")
	}
	for _, m := range aRule.FindAllStringSubmatch(spec, -1) {
		groups[strings.Split(m[1], "-")[1]]++
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		t.Logf("%-7s %d", name, groups[name])
	}
	t.Logf("%d rules, %d named by tests", total, len(tests))
}

// TestTheCheckNotices feeds the check what must fail.
func TestTheCheckNotices(t *testing.T) {
	rule := "- **S-WIRE-01** x\n"
	named := places{"S-WIRE-01": {"a_test.go"}}
	for name, c := range map[string]struct {
		spec            string
		tests, anywhere places
		problems        int
	}{
		"nothing":                {rule, named, named, 0},
		"no test":                {rule, places{}, places{}, 1},
		"twice":                  {rule + rule, named, named, 1},
		"named and not there":    {rule, named, places{"S-WIRE-01": {"x"}, "S-WIRE-99": {"x"}}, 1},
		"only a source names it": {rule, places{}, named, 1},
	} {
		if got := check(c.spec, c.tests, c.anywhere); len(got) != c.problems {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestEveryLabelIsInTheTable: the key table has every label of the code, once, and no other.
func TestEveryLabelIsInTheTable(t *testing.T) {
	inCode := map[string]bool{}
	for _, l := range keys.Labels() {
		inCode[strings.TrimPrefix(string(l), "underseal/v1/")] = true
	}
	walk(t, func(file, text string, isTest bool) {
		if isTest || filepath.Ext(file) != ".go" || strings.Contains(file, "test") {
			return
		}
		for _, m := range aLabel.FindAllStringSubmatch(text, -1) {
			inCode[m[1]] = true
		}
	})
	_, table, found := strings.Cut(read(t, rules), "\n## 15. ")
	table, _, found2 := strings.Cut(table, "\n## 16. ")
	if !found || !found2 {
		t.Fatal("no key table")
	}
	inTable := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9/-]+)` \\|").FindAllStringSubmatch(table, -1) {
		if inTable[m[1]] {
			t.Errorf("%s stands twice in the table", m[1])
		}
		inTable[m[1]] = true
		if !inCode[m[1]] {
			t.Errorf("%s is in the table and not in the code", m[1])
		}
	}
	for l := range inCode {
		if !inTable[l] {
			t.Errorf("%s is in the code and not in the table", l)
		}
	}
	t.Logf("%d labels", len(inTable))
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	switchesFile = "protections.pvl"
	expectedFile = "expected"
)

// model is the folder protocol/model.
type model struct {
	dir      string
	files    []string        // *.pv
	switches string          // the text of protections.pvl
	sound    map[string]bool // each switch, as the sound models have it
	cases    []expectation
}

// expectation is one run: a file, the switches that are turned from what protections.pvl says, and every RESULT line.
type expectation struct {
	file    string
	turned  []string // "name=false", sorted
	results []string
}

func (e expectation) title() string {
	return strings.Join(append([]string{"==", e.file}, e.turned...), " ")
}

func load(dir string) (*model, error) {
	m := &model{dir: dir}
	paths, err := filepath.Glob(filepath.Join(dir, "*.pv"))
	if err != nil {
		return nil, err
	}
	for _, p := range paths {
		m.files = append(m.files, filepath.Base(p))
	}
	switches, err := os.ReadFile(filepath.Join(dir, switchesFile))
	if err != nil {
		return nil, err
	}
	m.switches, m.sound = string(switches), parseSwitches(string(switches))
	expected, err := os.ReadFile(filepath.Join(dir, expectedFile))
	if err != nil {
		return nil, err
	}
	m.cases, err = parseExpected(string(expected))
	return m, err
}

var aSwitch = regexp.MustCompile(`(?m)^letfun ([a-z_]+) = (true|false)\.`)

func parseSwitches(text string) map[string]bool {
	found := map[string]bool{}
	for _, s := range aSwitch.FindAllStringSubmatch(text, -1) {
		found[s[1]] = s[2] == "true"
	}
	return found
}

// parseExpected reads sections: a title "== file.pv name=value ..." and RESULT lines. Empty lines and those that begin with # are
// for readers.
func parseExpected(text string) ([]expectation, error) {
	var all []expectation
	for n, line := range strings.Split(text, "\n") {
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "== "):
			words := strings.Fields(line)[1:]
			if len(words) == 0 {
				return nil, fmt.Errorf("%s:%d: no file", expectedFile, n+1)
			}
			slices.Sort(words[1:])
			all = append(all, expectation{file: words[0], turned: words[1:]})
		case strings.HasPrefix(line, "RESULT ") && len(all) > 0:
			last := &all[len(all)-1]
			last.results = append(last.results, line)
		default:
			return nil, fmt.Errorf("%s:%d: neither a title nor a result: %q", expectedFile, n+1, line)
		}
	}
	return all, nil
}

// turn is protections.pvl with switches turned.
func (m *model) turn(turned []string) (string, error) {
	text := m.switches
	for _, t := range turned {
		name, value, _ := strings.Cut(t, "=")
		was, known := m.sound[name]
		next := strings.Replace(text, fmt.Sprintf("letfun %s = %t.", name, was), fmt.Sprintf("letfun %s = %t.", name, !was), 1)
		if !known || value != fmt.Sprint(!was) || next == text {
			return "", fmt.Errorf("%s turns nothing in %s", t, switchesFile)
		}
		text = next
	}
	return text, nil
}

// check holds the expectations to what they are for: every file has its sound run, every run has results, no run has one that
// is undecided, and every switch makes a difference somewhere.
func (m *model) check() error {
	runs := map[string]expectation{}
	for _, c := range m.cases {
		if !slices.Contains(m.files, c.file) {
			return fmt.Errorf("%s: no such file", c.title())
		}
		if _, twice := runs[c.title()]; twice || len(c.results) == 0 {
			return fmt.Errorf("%s: twice, or without results", c.title())
		}
		for _, r := range c.results {
			if !strings.HasSuffix(r, " is true.") && !strings.HasSuffix(r, " is false.") && !strings.HasSuffix(r, " is false.)") {
				return fmt.Errorf("%s: undecided: %s", c.title(), r)
			}
		}
		if _, err := m.turn(c.turned); err != nil {
			return fmt.Errorf("%s: %w", c.title(), err)
		}
		runs[c.title()] = c
	}
	for _, file := range m.files {
		if _, ok := runs[expectation{file: file}.title()]; !ok {
			return fmt.Errorf("nothing is expected of %s", file)
		}
	}
	for name, sound := range m.sound {
		if !m.matters(runs, fmt.Sprintf("%s=%t", name, !sound)) {
			return fmt.Errorf("no run shows what %s is for: turning it changes no result", name)
		}
	}
	return nil
}

// matters reports whether some run differs from the one that has all else alike and this switch not turned.
func (m *model) matters(runs map[string]expectation, turn string) bool {
	for _, c := range m.cases {
		i := slices.Index(c.turned, turn)
		if i < 0 {
			continue
		}
		without, ok := runs[expectation{file: c.file, turned: slices.Delete(slices.Clone(c.turned), i, i+1)}.title()]
		if ok && !slices.Equal(without.results, c.results) {
			return true
		}
	}
	return false
}

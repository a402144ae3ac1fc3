// Mutate shows that each case of TestAttack can fail: it takes one defence out of a copy of the source, runs the case, and
// expects it to fail. Run it in the test module: go run ./evilserver/mutate [NN...]. It takes minutes and touches nothing
// but a temporary folder.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/underseal/underseal/test/evilserver"
	"github.com/underseal/underseal/test/program"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	root := program.Root()
	copied, err := os.MkdirTemp("", "underseal-mutate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(copied)
	if err := copyTree(root, copied); err != nil {
		return err
	}
	survived := 0
	covered := map[string]bool{}
	for _, m := range mutations {
		covered[m.number] = true
		if len(args) > 0 && !slices.Contains(args, m.number) {
			continue
		}
		start := time.Now()
		said, err := try(copied, m)
		if err != nil {
			survived++
			fmt.Fprintf(stdout, "%s  SURVIVED  %s: %v\n", m.number, m.without, err)
			continue
		}
		fmt.Fprintf(stdout, "%s  fails     %s (%.0f s): %s\n", m.number, m.without, time.Since(start).Seconds(), said)
	}
	for _, a := range evilserver.Attacks {
		if a.Due && !covered[fmt.Sprintf("%02d", a.Number)] {
			survived++
			fmt.Fprintf(stdout, "%02d  no defence of it is taken out\n", a.Number)
		}
	}
	if survived > 0 {
		return fmt.Errorf("%d cases were not seen to fail", survived)
	}
	return nil
}

// copyTree copies what git knows, as it stands in the work tree, and the built pages.
func copyTree(from, to string) error {
	list := exec.Command("git", "ls-files", "-z")
	list.Dir = from
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("listing the source: %w", err)
	}
	files := strings.Split(strings.TrimRight(string(out), "\x00"), "\x00")
	built, err := filepath.Glob(filepath.Join(from, "webapp", "dist", "*"))
	if err != nil {
		return err
	}
	assets, err := filepath.Glob(filepath.Join(from, "webapp", "dist", "a", "*"))
	if err != nil {
		return err
	}
	for _, path := range append(built, assets...) {
		if rel, err := filepath.Rel(from, path); err == nil {
			files = append(files, rel)
		}
	}
	for _, name := range files {
		info, err := os.Stat(filepath.Join(from, name))
		if errors.Is(err, os.ErrNotExist) || err == nil && info.IsDir() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// try takes the defence out, runs the case, and puts it back. It is what the case said when it failed.
func try(root string, m mutation) (said string, err error) {
	before := map[string][]byte{}
	defer func() {
		for path, b := range before {
			err = errors.Join(err, os.WriteFile(path, b, 0o644))
		}
	}()
	for _, e := range m.edits {
		path := filepath.Join(root, e.file)
		b, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if before[path] == nil {
			before[path] = b
		}
		if n := bytes.Count(b, []byte(e.old)); n != 1 {
			return "", fmt.Errorf("%s holds %q %d times, not once", e.file, e.old, n)
		}
		if err := os.WriteFile(path, bytes.Replace(b, []byte(e.old), []byte(e.new), 1), 0o644); err != nil {
			return "", err
		}
	}
	if m.pages {
		build := exec.Command("go", "run", "./webapp/build")
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("building the pages: %w\n%s", err, out)
		}
	}
	test := exec.Command("go", "test", "-count=1", "-timeout=3m", "-run", "^TestAttack$/^"+m.number+"-", "./evilserver")
	test.Dir = filepath.Join(root, "test")
	out, err := test.CombinedOutput()
	if err == nil {
		return "", errors.New("the case still passes")
	}
	lines := strings.Split(string(out), "\n")
	for n, line := range lines {
		if strings.Contains(line, "--- FAIL: TestAttack/"+m.number+"-") {
			said := "failed"
			for _, next := range lines[n+1:] {
				if strings.HasPrefix(next, "FAIL") || strings.Contains(next, "--- ") {
					break
				}
				if text := strings.TrimSpace(next); text != "" {
					said = text // the last line is the failure; those before may be what was being tried
				}
			}
			return said, nil
		}
	}
	return "", fmt.Errorf("it did not get as far as the case:\n%s", out)
}

// Command model runs ProVerif over the protocol's model and compares each query's result with the expected one. Every run but
// the first of a file turns protections off, to show that a query notices.
//
//	cd test && go run ./model [file.pv ...]
//
// It needs ProVerif 2.05 (https://proverif.inria.fr) in PATH; without it nothing is verified, and it says so.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/underseal/underseal/test/program"
)

// limit is for one run: the slowest takes two minutes on one core.
const limit = 10 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "model:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only []string, stdout io.Writer) error {
	m, err := load(filepath.Join(program.Root(), "protocol", "model"))
	if err != nil {
		return err
	}
	if err := m.check(); err != nil {
		return err
	}
	prover, err := exec.LookPath("proverif")
	if err != nil {
		fmt.Fprintln(stdout, "SKIP: no proverif in PATH, nothing was verified")
		return nil
	}
	return m.verify(ctx, prover, only, stdout)
}

// verify runs what is expected of the named files, or of all, and fails where a result differs.
func (m *model) verify(ctx context.Context, prover string, only []string, stdout io.Writer) error {
	for _, name := range only {
		if !slices.ContainsFunc(m.cases, func(c expectation) bool { return c.file == name }) {
			return fmt.Errorf("nothing is expected of %s", name)
		}
	}
	var problems []error
	ran := 0
	for _, c := range m.cases {
		if len(only) > 0 && !slices.Contains(only, c.file) {
			continue
		}
		ran++
		fmt.Fprintln(stdout, c.title())
		start := time.Now()
		got, err := m.prove(ctx, prover, c)
		for _, line := range got {
			fmt.Fprintln(stdout, line)
		}
		if err == nil && !slices.Equal(got, c.results) {
			err = fmt.Errorf("want\n%s", strings.Join(c.results, "\n"))
		}
		verdict := "as expected"
		if err != nil {
			verdict = "DIFFERENT: " + err.Error()
			problems = append(problems, errors.New(c.title()))
		}
		fmt.Fprintf(stdout, "%s, %.1f s\n\n", verdict, time.Since(start).Seconds())
	}
	if len(problems) > 0 {
		return fmt.Errorf("%d of %d runs differ from what is expected:\n%w", len(problems), ran, errors.Join(problems...))
	}
	fmt.Fprintf(stdout, "%d runs, all as expected\n", ran)
	return nil
}

// prove is what ProVerif says of one file with some switches turned.
func (m *model) prove(ctx context.Context, prover string, c expectation) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	switches, err := m.turn(c.turned)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "model")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	turned := filepath.Join(dir, switchesFile)
	if err := os.WriteFile(turned, []byte(switches), 0o600); err != nil {
		return nil, err
	}
	args := []string{"-lib", turned, "-lib", "underseal.pvl"}
	if strings.HasPrefix(c.file, "invite_") {
		args = append(args, "-lib", "invite.pvl")
	}
	cmd := exec.CommandContext(ctx, prover, append(args, c.file)...)
	cmd.Dir = m.dir
	out, runErr := cmd.CombinedOutput()
	var results []string
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "RESULT ") {
			results = append(results, strings.TrimSpace(line))
		}
	}
	if ctx.Err() != nil {
		return results, ctx.Err()
	}
	if runErr != nil {
		return results, fmt.Errorf("proverif: %w: %s", runErr, first(string(out), 400))
	}
	return results, nil
}

func first(s string, n int) string { return s[:min(len(s), n)] }

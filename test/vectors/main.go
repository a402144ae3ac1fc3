// Command vectors runs every test vector natively, on js/wasm under Node and
// in Chromium, through the code that ships, and prints what ran where.
//
//	cd test && go run ./vectors
//
// It takes vectors that nobody here wrote (the FLOE specification and the LAMPS
// draft from a folder beside the project, Wycheproof from its module, HPKE from
// the Go tree, ECVRF from RFC 9381, OPAQUE from RFC 9807 and TOTP from RFC 6238 as typed into the testdata of their
// packages) and our own of keys/testdata, keys/opaque/testdata and protocol/testdata. Without that folder it fails: it is $UNDERSEAL_VECTORS, or ../shared/vectors beside the checkout.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/underseal/underseal/test/vectors/pack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "vectors:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("vectors", flag.ContinueOnError)
	where := flags.String("on", "native,node,chromium", "platforms to run on")
	chromium := flags.String("chromium", "chromium", "the browser's program")
	timeout := flags.Duration("timeout", 5*time.Minute, "for each platform")
	if err := flags.Parse(args); err != nil {
		return err
	}
	h, err := newHarness(ctx, *chromium, *timeout)
	if err != nil {
		return err
	}
	p, err := h.collect()
	if err != nil {
		return err
	}
	if len(p.Floe) == 0 {
		return fmt.Errorf("no vectors of the specifications in %s: set UNDERSEAL_VECTORS", h.vectors)
	}
	if err := h.write(p); err != nil {
		return err
	}
	var names []string
	var reports []pack.Report
	for name := range strings.SplitSeq(*where, ",") {
		report, err := h.runOn(ctx, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		names, reports = append(names, name), append(reports, report)
	}
	return summarise(stdout, names, reports)
}

// summarise prints the table. It fails when a case did, or when one platform
// ran less than another.
func summarise(stdout io.Writer, names []string, reports []pack.Report) error {
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "set\tcases\texcluded\t%s\n", strings.Join(names, "\t"))
	var problems []error
	cases, excluded, passed := 0, 0, make([]int, len(reports))
	for i, set := range reports[0].Sets {
		fmt.Fprintf(table, "%s\t%d\t%d", set.Name, set.Cases, set.Excluded)
		for j, report := range reports {
			if len(report.Sets) != len(reports[0].Sets) || report.Sets[i].Name != set.Name || report.Sets[i].Cases != set.Cases || set.Cases == 0 {
				return fmt.Errorf("%s ran other cases of %q than %s", names[j], set.Name, names[0])
			}
			fmt.Fprintf(table, "\t%d", report.Sets[i].Passed)
			passed[j] += report.Sets[i].Passed
			if report.Sets[i].Passed != set.Cases {
				problems = append(problems, fmt.Errorf("%s, %s: %s", names[j], set.Name, strings.Join(report.Sets[i].Failures, "; ")))
			}
		}
		fmt.Fprintln(table)
		cases, excluded = cases+set.Cases, excluded+set.Excluded
	}
	fmt.Fprintf(table, "all\t%d\t%d", cases, excluded)
	for _, n := range passed {
		fmt.Fprintf(table, "\t%d", n)
	}
	fmt.Fprintln(table)
	if err := table.Flush(); err != nil {
		return err
	}
	for i, report := range reports {
		scope := ""
		if report.Scope != "" {
			scope = " in " + report.Scope
		}
		fmt.Fprintf(stdout, "%s is %s%s\n", names[i], report.Platform, scope)
	}
	fmt.Fprintln(stdout, "excluded: parameters that suite 1 does not have")
	return errors.Join(problems...)
}

// harness knows the places and builds.
type harness struct {
	goroot   string
	root     string // the checkout
	vectors  string // the folder beside it
	out      string // test/out/vectors, which git ignores
	chromium string
	timeout  time.Duration
}

func newHarness(ctx context.Context, chromium string, timeout time.Duration) (*harness, error) {
	goroot, err := output(ctx, "", "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	root, err := moduleFolder(ctx, "github.com/underseal/underseal")
	if err != nil {
		return nil, err
	}
	vectors := os.Getenv("UNDERSEAL_VECTORS")
	switch {
	case vectors == "":
		vectors = filepath.Join(root, "..", "shared", "vectors")
	case !filepath.IsAbs(vectors):
		// make is called in the checkout, this program in test/.
		vectors = filepath.Join(root, vectors)
	}
	out := filepath.Join(root, "test", "out", "vectors")
	return &harness{goroot, root, vectors, out, chromium, timeout}, os.MkdirAll(out, 0o755)
}

// runOn runs the cases on one platform and checks that it was that one.
func (h *harness) runOn(ctx context.Context, name string) (pack.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	platforms := map[string]struct {
		run      func(context.Context) (pack.Report, error)
		platform string // prefix
		scopes   []string
	}{
		"native":   {h.native, "", []string{""}},
		"node":     {h.node, "js/wasm", []string{"Object"}},
		"chromium": {h.browser, "js/wasm", []string{"DedicatedWorkerGlobalScope"}},
	}
	platform, ok := platforms[name]
	if !ok {
		return pack.Report{}, errors.New("no such platform")
	}
	report, err := platform.run(ctx)
	if err != nil {
		return pack.Report{}, err
	}
	if !strings.HasPrefix(report.Platform, platform.platform) || !slices.Contains(platform.scopes, report.Scope) || len(report.Sets) == 0 {
		return pack.Report{}, fmt.Errorf("ran on %s in %q", report.Platform, report.Scope)
	}
	return report, nil
}

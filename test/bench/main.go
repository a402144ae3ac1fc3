// Command bench measures how fast and how big the product is, and prints it as ratios to peers that ran in the same
// minutes on the same machine: absolute numbers say more about the machine.
//
//	make build && cd test && go run ./bench
//
// -only runs some parts: crypto, transfer, memory, open, module, append, verify, matter, growth; log is the last four. -mib
// and -rounds shrink the first, -large, -huge, -documents and -operations the next, -seconds, -leaves and -entries the log's. A missed expectation is reported and fails nothing; an output that is wrong,
// or a part that cannot run, does.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/underseal/underseal/test/program"
)

func main() {
	debug.SetGCPercent(400) // as the server does: its log runs in this process
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// sizes are what the flags set.
type sizes struct {
	mib, rounds           int // of sealing and opening
	large, huge           int // MiB of the transferred file and of the one that memory is watched with
	documents, operations int
	perEntry              int

	seconds                float64 // of appends, for each number of writers
	fullWriters, perWriter int     // of whole entries
	leaves, logRounds      int
	entries                int // of the matter that is verified
}

func run(args []string, stdout io.Writer) error {
	var s sizes
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("only", "crypto,transfer,memory,open,module,log", "parts to run")
	flags.IntVar(&s.mib, "mib", 256, "crypto: MiB to seal and open")
	flags.IntVar(&s.rounds, "rounds", 5, "crypto, open, module: rounds that the median is of")
	flags.IntVar(&s.large, "large", 1024, "transfer: MiB of the file")
	flags.IntVar(&s.huge, "huge", 2048, "memory: MiB of the file")
	flags.IntVar(&s.documents, "documents", 1000, "open: documents in the matter")
	flags.IntVar(&s.operations, "operations", 5000, "open: operations in the matter, the documents among them")
	flags.IntVar(&s.perEntry, "per-entry", 10, "open: operations in one entry, after the documents")
	flags.Float64Var(&s.seconds, "seconds", 3, "append, growth: seconds of appends, for each number of writers")
	flags.IntVar(&s.fullWriters, "full-writers", 512, "append: writers of whole entries")
	flags.IntVar(&s.perWriter, "per-writer", 20, "append: whole entries of each writer")
	flags.IntVar(&s.leaves, "leaves", fullLeaves, "verify, growth: leaves in the log; another number than a million plots nothing")
	flags.IntVar(&s.logRounds, "log-rounds", 5, "verify: rounds that the median is of")
	flags.IntVar(&s.entries, "entries", 10000, "matter: entries in the matter")
	if err := flags.Parse(args); err != nil {
		return err
	}
	parts := []struct {
		name string
		run  func(*bench, sizes) []table
	}{{"crypto", cryptography}, {"transfer", transfers}, {"memory", memory}, {"open", opening}, {"module", module},
		{"append", appends}, {"verify", verifying}, {"matter", matterVerified}, {"growth", growth}}
	wanted := strings.Split(strings.ReplaceAll(*only, "log", "append,verify,matter,growth"), ",")
	var report strings.Builder
	var problems []error
	for _, part := range parts {
		if !slices.Contains(wanted, part.name) {
			continue
		}
		tables, err := alone(part.name, func(b *bench) []table { return part.run(b, s) })
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", part.name, err))
		}
		for _, t := range tables {
			fmt.Fprintln(stdout, t.markdown())
			report.WriteString(t.markdown() + "\n")
		}
	}
	out := filepath.Join(program.Root(), "test", "out")
	problems = append(problems, os.MkdirAll(out, 0o755), os.WriteFile(filepath.Join(out, "bench.md"), []byte(report.String()), 0o644))
	return errors.Join(problems...)
}

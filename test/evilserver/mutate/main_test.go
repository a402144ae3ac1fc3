package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/underseal/underseal/test/program"
)

// TestMutationsApply: what is to be taken out is still there, once.
func TestMutationsApply(t *testing.T) {
	for _, m := range mutations {
		for _, e := range m.edits {
			b, err := os.ReadFile(filepath.Join(program.Root(), e.file))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(b), e.old); n != 1 {
				t.Errorf("%s, %s: %s holds %q %d times, not once", m.number, m.without, e.file, e.old, n)
			}
		}
	}
}

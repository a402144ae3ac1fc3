package main

import (
	"context"
	"fmt"
	"io"
)

const memberUsage = `  (not in this build)
`

// member runs a member's command: args are all arguments of the program.
func member(_ context.Context, args []string, _ io.Reader, _, stderr io.Writer) int {
	fmt.Fprintf(stderr, "underseal: there is no command %q\n", args[0])
	return exitUsage
}

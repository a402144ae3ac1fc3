// Command underseal is the server, its administration, and a member's own command line, in one binary.
//
//	underseal serve              run the server
//	underseal admin firm new     print a setup link for one more firm
//	underseal admin oidc set     let a firm's staff sign in through its identity provider
//	underseal ls, put, get, …    what a member does: see member.go
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
)

// Exit codes. A member's commands have one more, for a server that lied.
const (
	exitFine  = 0
	exitError = 1
	exitUsage = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program. serve and admin are the server's; everything else, flags before the command included, is a
// member's.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	switch args[0] {
	case "serve":
		return serve(ctx, args[1:], stdout, stderr)
	case "admin":
		return admin(ctx, args[1:], stdout, stderr)
	case "help", "-h", "-help", "--help":
		if len(args) > 1 && args[1] != "help" && !strings.HasPrefix(args[1], "-") {
			return run(ctx, []string{args[1], "--help"}, stdin, stdout, stderr)
		}
		fmt.Fprint(stdout, usage)
		return exitFine
	case "version", "-version", "--version":
		fmt.Fprintln(stdout, "underseal", version())
		return exitFine
	}
	return member(ctx, args, stdin, stdout, stderr)
}

// version is what the build knows of itself.
func version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "(devel)"
}

const usage = `underseal: files under seal, through a server that cannot read them

Server:
  underseal serve [--listen ADDRESS] [--origin URL] [--data FOLDER] [--last-signed FOLDER] [--witness-policy FILE] [--log-token TOKEN] [--address-header NAME]
  underseal admin firm new [--origin URL] [--data FOLDER] [--last-signed FOLDER]     (the server stopped, and with the origin it has)
  underseal admin oidc set --issuer URL --client-id ID --client-secret-file FILE [--firm ID] [--origin URL] [--data FOLDER]     (the same)
  underseal admin oidc show|remove [--firm ID] [--origin URL] [--data FOLDER]     (the same)
  underseal --version

Member:
` + memberUsage

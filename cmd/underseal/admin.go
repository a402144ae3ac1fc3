package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/underseal/underseal/server"
)

// admin does what needs the data folder to itself.
func admin(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && slices.Contains([]string{"-h", "-help", "--help"}, args[min(len(args), 2)-1]) {
		fmt.Fprint(stdout, usage)
		return exitFine
	}
	if len(args) > 1 && args[0] == "oidc" {
		return adminOIDC(ctx, args[1:], stdout, stderr)
	}
	if len(args) < 2 || args[0] != "firm" || args[1] != "new" {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	var s settings
	f := s.flags("admin firm new", stderr)
	if code, stop := parse(f, args[2:], stderr); stop {
		return code
	}
	if s.origin == "" {
		s.origin = localOrigin()
	}
	if err := server.CheckOrigin(s.origin); err != nil {
		fmt.Fprintln(stderr, "underseal:", err)
		return exitUsage
	}
	if err := s.newFirm(ctx, stdout); err != nil {
		fmt.Fprintln(stderr, "underseal:", err)
		return exitError
	}
	return exitFine
}

// localOrigin is where a server is that was told nothing.
func localOrigin() string {
	return "http://localhost:" + defaultListen[strings.LastIndexByte(defaultListen, ':')+1:]
}

func (s *settings) newFirm(ctx context.Context, stdout io.Writer) (err error) {
	d, err := openData(s.data, s.lastSigned)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	srv, err := newServer(s, d, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	link, err := srv.SetupLink(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "Open this link within 30 minutes to make a firm; it works once:\n\n  %s\n\n", link)
	return err
}

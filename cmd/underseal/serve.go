package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/underseal/underseal/server"
	"github.com/underseal/underseal/webapp"
)

const (
	defaultListen = "127.0.0.1:8420"
	defaultData   = "./data"
)

// settings are what serve and admin are told, by flag or else by environment.
type settings struct {
	listen, origin, data, lastSigned, policyFile, policy, logToken, addressHeader string
}

func (s *settings) flags(name string, stderr io.Writer) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&s.origin, "origin", os.Getenv("UNDERSEAL_ORIGIN"), "where browsers find the server; http://localhost with the port if empty (UNDERSEAL_ORIGIN)")
	f.StringVar(&s.data, "data", or(os.Getenv("UNDERSEAL_DATA"), defaultData), "folder of what the server keeps (UNDERSEAL_DATA)")
	f.StringVar(&s.lastSigned, "last-signed", os.Getenv("UNDERSEAL_LAST_SIGNED"), "folder of what each log signed last, better on another disk; last-signed in the data folder if empty (UNDERSEAL_LAST_SIGNED)")
	return f
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// parse reads flags and refuses what is left over. The code is only of meaning where it is not exitFine or stop is set.
func parse(f *flag.FlagSet, args []string, stderr io.Writer) (code int, stop bool) {
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitFine, true
	case err != nil:
		return exitUsage, true
	case f.NArg() > 0:
		fmt.Fprintf(stderr, "underseal: %s takes no %q\n", f.Name(), f.Arg(0))
		return exitUsage, true
	}
	return exitFine, false
}

func serve(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var s settings
	f := s.flags("serve", stderr)
	f.StringVar(&s.listen, "listen", or(os.Getenv("UNDERSEAL_LISTEN"), defaultListen), "address to listen on (UNDERSEAL_LISTEN)")
	f.StringVar(&s.policyFile, "witness-policy", os.Getenv("UNDERSEAL_WITNESS_POLICY"), "file with the witness policy (c2sp.org/tlog-policy) that new firms get; none if empty (UNDERSEAL_WITNESS_POLICY)")
	f.StringVar(&s.addressHeader, "address-header", os.Getenv("UNDERSEAL_ADDRESS_HEADER"), "header by which the one proxy in front says where a request comes from, such as X-Forwarded-For; only where nobody reaches the server but through it (UNDERSEAL_ADDRESS_HEADER)")
	f.StringVar(&s.logToken, "log-token", "", "bearer token that who reads a public log must show; anybody may read if empty (UNDERSEAL_LOG_TOKEN, which no list of processes shows)")
	if code, stop := parse(f, args, stderr); stop {
		return code
	}
	s.logToken = or(s.logToken, os.Getenv("UNDERSEAL_LOG_TOKEN")) // as a default, help would print it
	if err := s.check(); err != nil {
		fmt.Fprintln(stderr, "underseal:", err)
		return exitUsage
	}
	if err := s.serve(ctx, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "underseal:", err)
		return exitError
	}
	return exitFine
}

// check refuses what could not work: plain http reaches no further than this machine.
func (s *settings) check() error {
	host, port, err := net.SplitHostPort(s.listen)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("--listen is an address and a port, such as %s", defaultListen)
	}
	if s.policy, err = witnessPolicy(s.policyFile); err != nil {
		return err
	}
	if s.origin != "" {
		if err := server.CheckOrigin(s.origin); err != nil {
			return err
		}
	}
	if strings.HasPrefix(s.origin, "https://") || loopback(host) {
		return nil
	}
	return errors.New("other machines can reach this address: give --origin https://… and put a TLS proxy in front")
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func (s *settings) serve(ctx context.Context, stdout, stderr io.Writer) (err error) {
	if os.Getenv("GOGC") == "" {
		// The heap is small and requests are many: collected as often as usual, a third of the work would be collecting.
		debug.SetGCPercent(400)
	}
	d, err := openData(s.data, s.lastSigned)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	listener, err := net.Listen("tcp", s.listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("another program listens on %s: stop it, or give another address with --listen", s.listen)
	}
	if err != nil {
		return err
	}
	defer listener.Close()
	if s.origin == "" {
		s.origin = "http://localhost:" + fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
	}
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	srv, err := newServer(s, d, logger)
	if err != nil {
		return err
	}
	stopWitnessing := startWitnessing(ctx, d, logger)
	defer stopWitnessing()
	if err := greet(ctx, srv, s.origin, stdout); err != nil {
		return err
	}
	return listen(ctx, listener, srv.Handler(), logger)
}

func newServer(s *settings, d *data, logger *slog.Logger) (*server.Server, error) {
	c := server.Config{Store: d.store, Blobs: d.blobs, Log: d.log, Keys: d.key, Origin: s.origin, Logger: logger, Policy: s.policy, LogToken: s.logToken, AddressHeader: s.addressHeader, Providers: d.providers}
	files, err := webapp.Files()
	if err != nil {
		logger.Warn(err.Error())
	} else {
		c.Assets = files
	}
	return server.New(c)
}

// greet says where the server is and, before there is a firm, how to make one.
func greet(ctx context.Context, srv *server.Server, origin string, stdout io.Writer) error {
	has, err := srv.HasFirm(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "Underseal is ready at %s\n", origin)
	if has {
		return nil
	}
	link, err := srv.SetupLink(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "\nThere is no firm yet. Open this link within 30 minutes to make one; it works once:\n\n  %s\n\n", link)
	return err
}

// listen serves until ctx is done, then lets what runs finish. A body may take as long as it moves; a request without a
// body may not.
func listen(ctx context.Context, listener net.Listener, h http.Handler, logger *slog.Logger) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       10 * time.Minute, // a chunk has at most 4 MiB
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // it names addresses
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		logger.Info("stopping")
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err := srv.Shutdown(grace)
		if errors.Is(err, context.DeadlineExceeded) {
			err = srv.Close() // what is still running is cut: clients resume
		}
		stopped <- err
	}()
	if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

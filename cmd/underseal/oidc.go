package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server"
	"github.com/underseal/underseal/server/auth"
	"github.com/underseal/underseal/server/auth/idp"
)

// providerFile keeps what firms registered with their identity providers in one file that only its owner reads. It stands
// beside the store and not in it: whoever copies the store gets no client's secret, which may be good for more at the
// provider than a sign-in here.
type providerFile struct {
	path string
	mu   sync.Mutex // guards the file
}

var _ auth.IdentityProviders = (*providerFile)(nil)

// registered is one firm's, as it stands in the file.
type registered struct {
	Issuer       string `json:"issuer"`
	ClientID     string `json:"clientID"`
	ClientSecret string `json:"clientSecret"`
}

// read reads the file. p.mu is held.
func (p *providerFile) read() (map[string]registered, error) {
	all := map[string]registered{}
	b, err := os.ReadFile(p.path)
	if errors.Is(err, os.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading oidc.key: %w", err)
	}
	if json.Unmarshal(b, &all) != nil || all == nil {
		return nil, errors.New("oidc.key is damaged: put back the one that belongs to this data folder, or remove it and set the identity providers anew")
	}
	return all, nil
}

// Settings implements auth.IdentityProviders.
func (p *providerFile) Settings(_ context.Context, firm wire.ChainID) (idp.Settings, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all, err := p.read()
	if err != nil {
		return idp.Settings{}, false, err
	}
	r, found := all[firm.String()]
	return idp.Settings(r), found, nil
}

// put keeps a firm's; nil removes it.
func (p *providerFile) put(firm wire.ChainID, s *idp.Settings) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	all, err := p.read()
	if err != nil {
		return err
	}
	if delete(all, firm.String()); s != nil {
		all[firm.String()] = registered(*s)
	}
	b, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return replaceFile(p.path, b)
}

// registration is what admin oidc is told.
type registration struct {
	settings
	firm, issuer, clientID, secretFile string
}

// act is what one of its commands does to a firm's provider.
type act func(r *registration, ctx context.Context, srv *server.Server, file *providerFile, firm wire.ChainID, stdout io.Writer) error

var acts = map[string]act{"set": (*registration).set, "show": (*registration).show, "remove": (*registration).remove}

// errFirm says that a firm must be named.
var errFirm = errors.New("--firm is the id of a firm")

// adminOIDC sets, shows or removes the identity provider of a firm.
func adminOIDC(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	what, found := acts[args[0]]
	if !found {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	var r registration
	if code, stop := parse(r.flags(args[0], stderr), args[1:], stderr); stop {
		return code
	}
	if r.origin == "" {
		r.origin = localOrigin()
	}
	err := server.CheckOrigin(r.origin)
	if err == nil && args[0] == "set" && (r.issuer == "" || r.clientID == "" || r.secretFile == "") {
		err = errors.New("admin oidc set needs --issuer, --client-id and --client-secret-file")
	}
	if err != nil {
		fmt.Fprintln(stderr, "underseal:", err)
		return exitUsage
	}
	if err := r.with(ctx, stdout, what); err != nil {
		fmt.Fprintln(stderr, "underseal:", err)
		return exitError
	}
	return exitFine
}

func (r *registration) flags(command string, stderr io.Writer) *flag.FlagSet {
	f := r.settings.flags("admin oidc "+command, stderr)
	f.StringVar(&r.firm, "firm", "", "id of the firm; the only one if empty")
	if command == "set" {
		f.StringVar(&r.issuer, "issuer", "", "the identity provider's address, spelled as it spells itself")
		f.StringVar(&r.clientID, "client-id", "", "what the provider calls this server")
		f.StringVar(&r.secretFile, "client-secret-file", "", "file with the client secret that the provider gave out")
	}
	return f
}

// with opens the data folder, which must not be in use, and the firm.
func (r *registration) with(ctx context.Context, stdout io.Writer, do act) (err error) {
	d, err := openData(r.data, r.lastSigned)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	srv, err := newServer(&r.settings, d, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	firm, err := r.theFirm(ctx, srv)
	if err != nil {
		return err
	}
	return do(r, ctx, srv, d.providers, firm, stdout)
}

// theFirm is the one that --firm names, or else the only one.
func (r *registration) theFirm(ctx context.Context, srv *server.Server) (wire.ChainID, error) {
	firms, err := srv.Firms(ctx)
	if err != nil {
		return wire.ChainID{}, err
	}
	var names []string
	for _, firm := range firms {
		if firm.String() == r.firm || (r.firm == "" && len(firms) == 1) {
			return firm, nil
		}
		names = append(names, "\n  "+firm.String())
	}
	if len(firms) == 0 {
		return wire.ChainID{}, errors.New("there is no firm yet")
	}
	return wire.ChainID{}, fmt.Errorf("%w; there are%s", errFirm, strings.Join(names, ""))
}

const maxSecretFile = 64 << 10

func (r *registration) set(ctx context.Context, srv *server.Server, file *providerFile, firm wire.ChainID, stdout io.Writer) error {
	secret, err := readSecret(r.secretFile)
	if err != nil {
		return err
	}
	s := idp.Settings{Issuer: r.issuer, ClientID: r.clientID, ClientSecret: secret}
	if err := s.Check(); err != nil {
		return err
	}
	before, found, err := file.Settings(ctx, firm)
	if err != nil {
		return err
	}
	// A provider's subjects are its own, and of many a provider also the client's.
	if found && (before.Issuer != s.Issuer || before.ClientID != s.ClientID) {
		if err := forgetProvider(ctx, srv, firm, stdout); err != nil {
			return err
		}
	}
	if err := file.put(firm, &s); err != nil {
		return err
	}
	if err := idp.New(nil).Ask(ctx, time.Now(), s); err != nil {
		fmt.Fprintln(stdout, "Careful: the provider cannot be asked from here now, or calls itself otherwise. Look at the spelling of the issuer.")
	}
	_, err = fmt.Fprintf(stdout, "Set. At the provider, register this address to send people back to, and no other:\n\n  %s\n\n"+
		"Then start the server. Staff link their accounts under Account; once they have, they can also sign in at:\n\n  %s\n\n", srv.SSOAddress(firm), srv.SSOPage(firm))
	return err
}

// readSecret reads a secret that a file holds alone, perhaps with a line's end.
func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading the client secret: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecretFile))
	if err != nil {
		return "", fmt.Errorf("reading the client secret: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

func (r *registration) show(ctx context.Context, srv *server.Server, file *providerFile, firm wire.ChainID, stdout io.Writer) error {
	s, found, err := file.Settings(ctx, firm)
	if err != nil {
		return err
	}
	if !found {
		_, err = fmt.Fprintf(stdout, "firm %s has no identity provider\n", firm)
		return err
	}
	_, err = fmt.Fprintf(stdout, "firm           %s\nissuer         %s\nclient id      %s\nclient secret  in oidc.key, and not shown\nsent back to   %s\nsign-in page   %s\n", firm, s.Issuer, s.ClientID, srv.SSOAddress(firm), srv.SSOPage(firm))
	return err
}

// remove ends the links first: while they are being ended, none is made.
func (r *registration) remove(ctx context.Context, srv *server.Server, file *providerFile, firm wire.ChainID, stdout io.Writer) error {
	_, found, err := file.Settings(ctx, firm)
	if err != nil {
		return err
	}
	if err := forgetProvider(ctx, srv, firm, stdout); err != nil {
		return err
	}
	if !found {
		_, err = fmt.Fprintf(stdout, "firm %s has no identity provider\n", firm)
		return err
	}
	if err := file.put(firm, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, "Removed.")
	return err
}

func forgetProvider(ctx context.Context, srv *server.Server, firm wire.ChainID, stdout io.Writer) error {
	n, err := srv.ForgetProvider(ctx, firm)
	if err == nil && n > 0 {
		_, err = fmt.Fprintf(stdout, "Links that were ended, with the sessions they had opened: %d\n", n)
	}
	return err
}

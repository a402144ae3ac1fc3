package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/client/native"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/test/program"
)

// failure ends the demonstration: something did not work that has nothing to do with tampering.
type failure struct{ err error }

// stage is the firm, its server, and what people keep of it.
type stage struct {
	testing.TB // for what starts the server; its other methods nobody calls

	cleanups []func()
	folder   string // everything but the server's data
	server   *program.Server

	account wire.ObjectID
	root    vault.Root
	pass    *vault.Passphrase
	firm    wire.ChainID
	matter  wire.ChainID
	url     string // of the log
	origin  string
}

// Helper implements testing.TB.
func (s *stage) Helper() {}

// Cleanup implements testing.TB.
func (s *stage) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

// TempDir implements testing.TB.
func (s *stage) TempDir() string {
	dir, err := os.MkdirTemp("", "underseal-demo-")
	s.must(err)
	s.Cleanup(func() { _ = os.RemoveAll(dir) }) // a temporary folder
	return dir
}

// Fatal implements testing.TB.
func (s *stage) Fatal(args ...any) { panic(failure{errors.New(fmt.Sprint(args...))}) }

// Fatalf implements testing.TB.
func (s *stage) Fatalf(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

func (s *stage) must(err error) {
	if err != nil {
		s.Fatal(err)
	}
}

func (s *stage) cleanUp() {
	for _, f := range slices.Backward(s.cleanups) {
		f()
	}
}

func (s *stage) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Minute)
}

// device is Ada's client with what a folder remembers.
func (s *stage) device(folder string) *client.Client {
	transport, err := native.NewTransport(s.server.Origin)
	s.must(err)
	device, err := native.OpenDevice(folder)
	s.must(err)
	return client.New(client.Config{Origin: s.server.Origin, Transport: transport, Device: device, Pump: native.NewPump(transport, rand.Reader), Random: rand.Reader, Now: time.Now})
}

func (s *stage) signIn(folder string) *client.Client {
	c := s.device(folder)
	ctx, cancel := s.context()
	defer cancel()
	s.must(c.SignInRoot(ctx, s.pass.LoginKey(), s.account, s.root))
	return c
}

// prepare is the honest story: a firm, a matter, two days of work, and what people keep.
func (s *stage) prepare() {
	s.folder = s.TempDir()
	s.server = program.Start(s, program.Binary(s), "")
	ctx, cancel := s.context()
	defer cancel()

	stretch, err := vault.DefaultStretch(rand.Reader)
	s.must(err)
	pass, err := vault.StretchPassphrase([]byte("correct horse battery staple"), stretch)
	s.must(err)
	s.pass = &pass
	ada := s.device(s.path("device"))
	_, secret, _ := strings.Cut(s.server.SetupLink(), "#")
	_, err = ada.SetupOptions(ctx, secret, "Ada Attorney", "Attorney & Partners")
	s.must(err)
	s.must(ada.SetupFinish(ctx, client.Unlocker{Passphrase: s.pass, Keep: func(id wire.ObjectID, r vault.Root) error { s.account, s.root = id, r; return nil }}))
	kit, err := ada.CreateKit()
	s.must(err)
	s.must(ada.TestKit(kit.Kit))
	s.must(ada.ConfirmKit(ctx))
	view, err := ada.Overview(ctx)
	s.must(err)
	s.firm, err = wire.ParseHash(view.Firms[0].Firm)
	s.must(err)
	s.matter, err = ada.CreateMatter(ctx, s.firm, "Doe v. Roe")
	s.must(err)
	s.upload(ctx, ada, "complaint.pdf")
	s.upload(ctx, ada, "exhibit-a.pdf")
	ada.SignOut(ctx)
	s.server.Kill()
	s.copyTree(filepath.Join(s.server.Data, "store"), s.path("yesterday"))
	s.server.Run()

	ada = s.signIn(s.path("device"))
	s.upload(ctx, ada, "settlement.pdf")
	_, err = ada.VerifyMatter(ctx, s.matter)
	s.must(err)
	policy, err := ada.PolicyFile(ctx, s.firm)
	s.must(err)
	s.keep("policy.txt", policy)
	links, err := ada.LinkKeysFile(ctx, s.matter)
	s.must(err)
	s.keep("link-keys.txt", links)
	keys, err := log.ParseLinkKeys(links)
	s.must(err)
	s.origin = keys.Origin
	s.url = s.server.Origin + "/log/" + api.LogName(s.origin)
	s.keep("receipt.txt", s.newestReceipt(ctx, ada))
	ada.SignOut(ctx)
	if code, said := s.run("underseal-verify", "log", s.url, "--policy", s.path("policy.txt"), "--save", s.path("checkpoint")); code != 0 {
		s.Fatal("the honest log is not verified: ", said)
	}
	fmt.Printf("   Ada Attorney has put three files into a matter, the last of them today. An auditor keeps 4 files of a few KB:\n   the log's keys, a signed checkpoint, a receipt for the newest entry, and link keys, which open nothing.\n\n")
	s.server.Kill()
	s.copyTree(s.server.Data, s.path("data"))
	s.copyTree(s.path("device"), s.path("device-today"))
	s.server.Run()
}

func (s *stage) newestReceipt(ctx context.Context, ada *client.Client) (newest []byte) {
	for p := uint64(0); ; p++ {
		receipt, err := ada.ReceiptFile(ctx, s.matter, api.SequenceState, p)
		if err != nil && newest != nil {
			return newest
		}
		s.must(err)
		newest = receipt
	}
}

func (s *stage) keep(name string, b []byte) { s.must(os.WriteFile(s.path(name), b, 0o600)) }

func (s *stage) upload(ctx context.Context, ada *client.Client, name string) {
	s.keep(name, []byte("privileged: "+name))
	source, err := native.OpenSource(s.path(name))
	s.must(err)
	defer source.Close()
	ids, err := ada.Upload(ctx, s.matter, "", []client.File{{Path: name, Type: "application/pdf", Source: source}})
	s.must(err)
	v, err := ada.WaitTransfer(ctx, ids[0])
	s.must(err)
	if v.Phase != client.PhaseDone {
		s.Fatalf("%s was not uploaded: %v", name, v.Failure)
	}
}

func (s *stage) copyTree(from, to string) {
	s.must(os.RemoveAll(to))
	s.must(os.CopyFS(to, os.DirFS(from)))
}

// restore stops the server and makes everything as it was before anybody tampered.
func (s *stage) restore() {
	s.server.Kill()
	s.copyTree(s.path("data"), s.server.Data)
	s.copyTree(s.path("device-today"), s.path("device"))
}

// putBack replaces the database by yesterday's.
func (s *stage) putBack() { s.copyTree(s.path("yesterday"), filepath.Join(s.server.Data, "store")) }

// run runs one of the programs that `make build` made.
func (s *stage) run(name string, args ...string) (code int, said string) {
	ctx, cancel := s.context()
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(program.Binary(s)), name), args...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(bytes.TrimSpace(out))
}

// verify runs underseal-verify, and is its sentence. Only a refutation is noticing: not being able to tell is not.
func (s *stage) verify(args ...string) (says string, noticed bool) {
	code, said := s.run("underseal-verify", append(args, "--policy", s.path("policy.txt"), "--json")...)
	var found struct{ Sentence string }
	if err := json.Unmarshal([]byte(said), &found); err != nil || code > 1 {
		return "(exit code " + fmt.Sprint(code) + ") " + said, false
	}
	return found.Sentence, code == 1
}

func (s *stage) auditLog() (string, bool) { return s.verify("log", s.url) }

func (s *stage) auditSince() (string, bool) {
	return s.verify("log", s.url, "--from", s.path("checkpoint"), "--evidence", s.path("evidence"))
}

func (s *stage) review() (string, bool) {
	return s.verify("matter", s.url, "--keys", s.path("link-keys.txt"))
}

func (s *stage) receipt() (string, bool) {
	return s.verify("receipt", s.path("receipt.txt"), "--log", s.url)
}

// court judges the evidence: here it is the proof that is verified.
func (s *stage) court() (string, bool) {
	code, said := s.run("underseal-verify", "evidence", s.path("evidence"), "--policy", s.path("policy.txt"), "--log", s.url)
	return strings.ReplaceAll(said, "Verified. ", ""), code == 0
}

// lied is what a client says of a server.
func (s *stage) lied(err error, fine string) (string, bool) {
	if err == nil {
		return fine, false
	}
	f := client.FailureOf(err)
	return fmt.Sprintf("“The server lied”: %s", f.Detail), f.Code == api.CodeServerLied
}

func (s *stage) newDevice() (string, bool) {
	ctx, cancel := s.context()
	defer cancel()
	c := s.signIn(s.TempDir())
	view, err := c.Matter(ctx, s.matter)
	return s.lied(err, fmt.Sprintf("“%s” has %d documents.", view.Name, len(view.Documents)))
}

func (s *stage) verifyMatter() (string, bool) {
	ctx, cancel := s.context()
	defer cancel()
	view, err := s.signIn(s.path("device")).VerifyMatter(ctx, s.matter)
	return s.lied(err, fmt.Sprintf("Nothing is missing from “%s”.", view.Name))
}

func (s *stage) refusesToStart() (string, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program.Binary(s), "serve", "--listen", s.server.Address, "--origin", s.server.Origin, "--data", s.server.Data)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err != nil && ctx.Err() == nil
}

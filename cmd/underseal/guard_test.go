package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
)

func signedAt(size uint64) ledger.Signed {
	return ledger.Signed{Size: size, Root: wire.Hash{byte(size), byte(size >> 8), 7}}
}

// last reads what a folder remembers, as a process that starts does.
func last(t *testing.T, folder string) (ledger.Signed, error) {
	t.Helper()
	g := &guardFolder{path: folder}
	defer g.Close()
	s, found, err := g.Last(t.Context(), "name")
	if found != (err == nil && s.Size > 0) {
		t.Fatalf("found %t: %v %v", found, s, err)
	}
	return s, err
}

func raise(t *testing.T, g *guardFolder, sizes ...uint64) {
	t.Helper()
	for _, n := range sizes {
		if err := g.Raise(t.Context(), "name", signedAt(n)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamagedGuard: one whole record is enough, the newer one if there are two. Less than that is damage, and is not taken
// for a beginning.
func TestDamagedGuard(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data", "last-signed")
	if err := os.Mkdir(filepath.Dir(folder), 0o700); err != nil {
		t.Fatal(err)
	}
	if s, err := last(t, folder); err != nil || s.Size != 0 {
		t.Fatalf("%v %v", s, err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("looking makes a folder")
	}
	g := &guardFolder{path: folder}
	raise(t, g, 10, 20, 30) // slots: 10 10, 20 10, 20 30 or the other way round
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "name")
	whole, err := os.ReadFile(path)
	if err != nil || len(whole) != 2*guardRecord {
		t.Fatalf("%d bytes, %v", len(whole), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info.Mode(), err)
	}
	put := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	newer := 0
	if !bytes.Equal(whole[:guardRecord], record(signedAt(30))) {
		newer = guardRecord
	}
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 1
		put(b)
		want := signedAt(30)
		if i >= newer && i < newer+guardRecord {
			want = signedAt(20)
		}
		if s, err := last(t, folder); err != nil || s != want {
			t.Fatalf("byte %d: %v %v", i, s, err)
		}
	}
	refuses := func(what string, b []byte) {
		t.Helper()
		put(b)
		if s, err := last(t, folder); !errors.Is(err, errGuard) {
			t.Errorf("%s: %v %v", what, s, err)
		}
		if err := (&guardFolder{path: folder}).Raise(t.Context(), "name", signedAt(99)); !errors.Is(err, errGuard) {
			t.Errorf("%s: written over: %v", what, err)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, b) {
			t.Errorf("%s: the file is not as it was", what)
		}
	}
	for n := range whole {
		refuses("cut off", whole[:n])
	}
	refuses("longer", append(bytes.Clone(whole), 0))
	both := bytes.Clone(whole)
	both[3] ^= 1
	both[guardRecord+3] ^= 1
	refuses("both records", both)
	other := signedAt(30)
	other.Root[9] = 1
	refuses("two histories", append(record(signedAt(30)), record(other)...))
	refuses("nothing signed", append(record(ledger.Signed{}), record(ledger.Signed{})...))

	// After a crash the record that is whole stays, and the other is written.
	torn := bytes.Clone(whole)
	torn[newer+5] ^= 1
	put(torn)
	g = &guardFolder{path: folder}
	raise(t, g, 31)
	g.Close()
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b[newer:newer+guardRecord], record(signedAt(31))) || !bytes.Equal(b[guardRecord-newer:][:guardRecord], whole[guardRecord-newer:][:guardRecord]) {
		t.Fatal("the whole record was written over")
	}
	// What was left of one that was being made is nothing.
	// Nor is what somebody left there.
	for _, stray := range []string{signingLog + newGuard, signingLog + "~", ".DS_Store", "lost+found", "README.txt"} {
		if err := os.WriteFile(filepath.Join(folder, stray), whole[:9], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(path, filepath.Join(folder, signingLog)); err != nil {
		t.Fatal(err)
	}
	if names, err := g.Names(t.Context()); err != nil || len(names) != 1 || names[0] != signingLog {
		t.Fatalf("%v %v", names, err)
	}
}

// TestRaise: whoever was answered finds at least his own on disk; nothing goes down; another history is refused. S-LOG-12
func TestRaise(t *testing.T) {
	folder := t.TempDir()
	g := &guardFolder{path: folder}
	defer g.Close()
	var wg sync.WaitGroup
	for w := range uint64(32) {
		wg.Go(func() {
			for i := range uint64(20) {
				n := 1 + (i*37+w*13)%640
				if err := g.Raise(t.Context(), "name", signedAt(n)); err != nil {
					t.Error(err)
					return
				}
				if s, err := last(t, folder); err != nil || s.Size < n || s != signedAt(s.Size) {
					t.Errorf("%d was raised, and %v is remembered: %v", n, s, err)
				}
			}
		})
	}
	wg.Wait()
	raise(t, g, 700, 3, 0, 700)
	if s, err := last(t, folder); err != nil || s != signedAt(700) {
		t.Fatalf("%v %v", s, err)
	}
	if s, found, err := g.Last(t.Context(), "name"); err != nil || !found || s != signedAt(700) {
		t.Fatalf("%v %v", s, err)
	}
	other := ledger.Signed{Size: 700, Root: wire.Hash{1}}
	if err := g.Raise(t.Context(), "name", other); !errors.Is(err, ledger.ErrBehind) {
		t.Fatalf("another history: %v", err)
	}
}

// signing is a data folder with a firm, whose log grows by a person's keys at a time.
type signing struct {
	t          *testing.T
	folder     string
	lastSigned string // where it is, if not there
	firm       wire.ChainID
}

var signingLog = wire.ObjectID{7}.String()

func newSigning(t *testing.T) *signing {
	s := &signing{t: t, folder: filepath.Join(t.TempDir(), "data"), firm: wire.ChainID{1}}
	d := s.open()
	defer d.Close()
	_, err := d.log.Keys.Make(t.Context(), signingLog)
	s.ok(err)
	s.ok(d.store.Update(t.Context(), layout.FirmPartition(s.firm), func(tx store.Tx) error {
		return layout.Put(tx, layout.FirmKey(), layout.Firm{Log: signingLog, Origin: "localhost:1/log/" + signingLog})
	}))
	return s
}

func (s *signing) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *signing) open() *data {
	s.t.Helper()
	d, err := openData(s.folder, s.lastSigned)
	s.ok(err)
	return d
}

// sign commits leaves and, where they are published, remembers them.
func (s *signing) sign(n int, publish bool) {
	s.t.Helper()
	d := s.open()
	defer d.Close()
	ctx := s.t.Context()
	for range n {
		seed, err := keys.GenerateIdentitySeed(rand.Reader)
		s.ok(err)
		identity, err := keys.NewIdentity(seed)
		s.ok(err)
		member, err := wire.NewObjectID(rand.Reader)
		s.ok(err)
		bundle, err := chain.NewBundle(member, identity)
		s.ok(err)
		s.ok(d.store.Update(ctx, layout.FirmPartition(s.firm), func(tx store.Tx) error { return d.log.PutLink(tx, chain.FirstKeyLink(s.firm, bundle)) }))
	}
	if !publish {
		return
	}
	var p ledger.Published
	s.ok(d.store.View(ctx, layout.FirmPartition(s.firm), func(tx store.Tx) (err error) {
		p, err = ledger.Newest(tx)
		return err
	}))
	s.ok(d.log.Publish(ctx, p))
}

// starts reports what serve says when it does not start.
func (s *signing) starts() string {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	var out, errs output
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"serve", "--listen", "127.0.0.1:0", "--data", s.folder}, strings.NewReader(""), &out, &errs)
	}()
	for {
		select {
		case c := <-code:
			if c != exitError || strings.Contains(out.String(), "ready") {
				s.t.Fatalf("ended with %d: %s", c, out.String())
			}
			return errs.String()
		default:
			if strings.Contains(out.String(), "ready") {
				cancel()
				if c := <-code; c != exitFine {
					s.t.Fatalf("ended with %d: %s", c, errs.String())
				}
				return ""
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// put makes a part of the data folder what another folder holds; it is a copy.
func (s *signing) put(part, from string) {
	s.t.Helper()
	s.ok(os.RemoveAll(filepath.Join(s.folder, part)))
	s.ok(os.CopyFS(filepath.Join(s.folder, part), os.DirFS(from)))
}

func (s *signing) keep(part string) string {
	s.t.Helper()
	to := s.t.TempDir()
	s.ok(os.CopyFS(to, os.DirFS(filepath.Join(s.folder, part))))
	return to
}

// TestAttack56RestoredStore: a store that is older than what was signed from it, or tells another history, is not served.
// S-LOG-12
func TestAttack56RestoredStore(t *testing.T) {
	s := newSigning(t)
	before := s.keep("store")
	s.sign(3, true)
	old, oldGuard := s.keep("store"), s.keep("last-signed")
	s.sign(2, true)
	newest, guard := s.keep("store"), s.keep("last-signed")

	refuses := func(what, says string) {
		t.Helper()
		if got := s.starts(); !strings.Contains(got, says) || !strings.Contains(got, "Nothing was started") {
			t.Errorf("%s: %q", what, got)
		}
		// admin does not go on from it, either.
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{"admin", "firm", "new", "--data", s.folder}, nil, &out, &errs); code != exitError {
			t.Errorf("%s: admin ended with %d: %s", what, code, out.String())
		}
	}
	s.put("store", old)
	refuses("an older copy", "Put back the newest copy of the data folder")
	s.put("store", before)
	refuses("a copy from before anything was signed", "the store has none of them")
	s.ok(os.RemoveAll(filepath.Join(s.folder, "store")))
	refuses("no store", "a firm is missing")

	// Another history of the same length, and a longer one, made without what was remembered.
	s.put("store", old)
	s.put("last-signed", oldGuard)
	s.sign(2, true)
	s.put("last-signed", guard)
	refuses("another history of the same size", "another history")
	s.put("last-signed", oldGuard)
	s.sign(1, true)
	s.put("last-signed", guard)
	refuses("a longer history", "another history")

	s.put("store", newest)
	if got := s.starts(); got != "" {
		t.Errorf("the newest store: %s", got)
	}
	// A crash after the commit and before it is remembered leaves the store ahead, which nobody outside has seen.
	s.sign(1, false)
	if got := s.starts(); got != "" {
		t.Errorf("a store that is ahead: %s", got)
	}
	s.sign(1, true)
	path := filepath.Join(s.folder, "last-signed", signingLog)
	s.ok(os.Truncate(path, 9))
	if got := s.starts(); !strings.Contains(got, "damaged") {
		t.Errorf("a damaged file: %q", got)
	}
}

// TestOtherLogKeys: a server that lost log.key, or has another, does not start and makes no new keys for a log that began.
func TestOtherLogKeys(t *testing.T) {
	s := newSigning(t)
	s.sign(2, true)
	path := filepath.Join(s.folder, "log.key")
	own, err := os.ReadFile(path)
	s.ok(err)
	refuses := func(what string) {
		t.Helper()
		was, _ := os.ReadFile(path)
		if got := s.starts(); !strings.Contains(got, "Put back the log.key") || !strings.Contains(got, "Nothing was started") {
			t.Errorf("%s: %q", what, got)
		}
		if now, _ := os.ReadFile(path); !bytes.Equal(now, was) {
			t.Errorf("%s: log.key was written", what)
		}
	}
	s.ok(os.Remove(path))
	refuses("no log.key")
	k := &keyFile{path: path}
	_, err = k.Make(t.Context(), wire.ObjectID{8}.String())
	s.ok(err)
	refuses("a log.key of other logs")
	_, err = k.Make(t.Context(), signingLog)
	s.ok(err)
	refuses("a log.key with other keys")
	s.ok(os.RemoveAll(filepath.Join(s.folder, "last-signed")))
	refuses("other keys, and nothing is remembered")
	s.ok(os.WriteFile(path, own, 0o600))
	if got := s.starts(); got != "" {
		t.Errorf("its own keys: %s", got)
	}
}

// TestLastSignedElsewhere: what was signed last may lie where whoever puts an older data folder back does not reach.
func TestLastSignedElsewhere(t *testing.T) {
	s := newSigning(t)
	s.sign(2, true)
	old := filepath.Join(t.TempDir(), "old")
	s.ok(os.CopyFS(old, os.DirFS(s.folder)))
	elsewhere := filepath.Join(t.TempDir(), "disk", "last-signed")
	s.ok(os.MkdirAll(filepath.Dir(elsewhere), 0o700))
	s.ok(os.Rename(filepath.Join(s.folder, "last-signed"), elsewhere))
	t.Setenv("UNDERSEAL_LAST_SIGNED", elsewhere)
	if got := s.starts(); got != "" {
		t.Fatal(got)
	}
	s.lastSigned = elsewhere
	s.sign(2, true)
	if _, err := os.Stat(filepath.Join(s.folder, "last-signed")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the data folder has one as well")
	}
	s.folder = old
	if got := s.starts(); !strings.Contains(got, "Put back the newest copy") {
		t.Errorf("an older data folder: %q", got)
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"admin", "firm", "new", "--data", s.folder, "--last-signed", elsewhere}, nil, &out, &errs); code != exitError {
		t.Errorf("admin: %d %s", code, out.String())
	}
}

// TestRaiseWhileWriting: who asks for less while another waits for the disk does not take his place.
func TestRaiseWhileWriting(t *testing.T) {
	folder := t.TempDir()
	g := &guardFolder{path: folder}
	defer g.Close()
	raise(t, g, 90)
	f, err := g.open("name", nil)
	if err != nil {
		t.Fatal(err)
	}
	running := make(chan struct{})
	f.mu.Lock()
	f.writing = running
	f.mu.Unlock()
	done := make(chan error, 1)
	go func() { done <- g.Raise(context.Background(), "name", signedAt(200)) }()
	for waits := false; !waits; time.Sleep(time.Millisecond) {
		f.mu.Lock()
		waits = f.next == signedAt(200)
		f.mu.Unlock()
	}
	raise(t, g, 50)
	f.mu.Lock()
	f.writing = nil
	close(running)
	f.mu.Unlock()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it never gets there")
	}
	if s, err := last(t, folder); err != nil || s != signedAt(200) {
		t.Fatalf("%v %v", s, err)
	}
}

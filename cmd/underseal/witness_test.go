package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/auth"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestWitnessPolicy: a policy that could not be followed is refused before anything starts. S-WIT-01
func TestWitnessPolicy(t *testing.T) {
	key := log.VerifierKey("w", log.AlgCosigned, make([]byte, 32))
	for name, c := range map[string]struct{ text, says string }{
		"empty":        {"", "empty"},
		"malformed":    {"quorum\n", "malformed policy"},
		"in the clear": {"witness w " + key + " http://w.example\nquorum w\n", "https"},
		"too long":     {strings.Repeat("# \n", maxPolicy) + "quorum none\n", "longer"},
	} {
		file := filepath.Join(t.TempDir(), "policy")
		must(t, os.WriteFile(file, []byte(c.text), 0o600))
		for _, args := range [][]string{{"--witness-policy", file}, nil} {
			if args == nil {
				t.Setenv("UNDERSEAL_WITNESS_POLICY", file)
			}
			var out, errs bytes.Buffer
			args = append([]string{"serve", "--listen", "127.0.0.1:0", "--data", t.TempDir()}, args...)
			if code := run(t.Context(), args, nil, &out, &errs); code != exitUsage || !strings.Contains(errs.String(), c.says) || !strings.Contains(errs.String(), "--witness-policy") {
				t.Errorf("%s: %d %s", name, code, errs.String())
			}
		}
		t.Setenv("UNDERSEAL_WITNESS_POLICY", "")
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"serve", "--witness-policy", filepath.Join(t.TempDir(), "none")}, nil, &out, &errs); code != exitUsage {
		t.Errorf("a file that is not there: %d", code)
	}
	t.Setenv("UNDERSEAL_LOG_TOKEN", "a-secret-token")
	if run(t.Context(), []string{"serve", "--help"}, nil, &out, &errs); strings.Contains(out.String()+errs.String(), "a-secret-token") {
		t.Error("help prints the token")
	}
}

// steps counts passes. It is a log that grows when it is told to.
type steps struct {
	mu      sync.Mutex // guards all below
	changed bool
	err     error
	at      []time.Duration
	start   time.Time
}

// Changed implements follower.
func (s *steps) Changed(context.Context) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed, nil
}

// Step implements follower.
func (s *steps) Step(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at, s.changed = append(s.at, time.Since(s.start)), false
	return s.err
}

func (s *steps) set(changed bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed, s.err = changed, err
}

// TestFollow: when passes are made, on a clock that is not there.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &steps{start: time.Now()}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			follow(ctx, s, settle, refresh, slog.New(slog.DiscardHandler))
		}()
		pass := func(d time.Duration) {
			time.Sleep(d - time.Since(s.start))
			synctest.Wait()
		}
		want := func(at ...time.Duration) {
			t.Helper()
			s.mu.Lock()
			defer s.mu.Unlock()
			if fmt.Sprint(s.at) != fmt.Sprint(at) {
				t.Fatalf("passes at %v, want %v", s.at, at)
			}
			s.at = nil
		}
		pass(61 * time.Second)
		want(2 * time.Second)
		pass(63 * time.Second) // nothing grew: what is there is kept fresh
		want(62 * time.Second)
		pass(71 * time.Second)
		s.set(true, nil)
		pass(73 * time.Second)
		want(72 * time.Second)
		s.set(true, errors.New("away")) // sooner at first, then less and less so
		pass(200 * time.Second)
		want(74*time.Second, 78*time.Second, 86*time.Second, 102*time.Second, 134*time.Second, 194*time.Second)
		cancel()
		<-done
	})
}

// witnessServer is a witness that signs whatever it is asked to.
func witnessServer(t *testing.T) (vkey, url string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	must(t, err)
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, signed, _ := strings.Cut(string(b), "\n\n")
		text, _, _ := strings.Cut(signed, "\n\n")
		now := uint64(time.Now().Unix())
		id := sha256.Sum256([]byte("w\n\x04" + string(public)))
		blob := binary.BigEndian.AppendUint64(id[:4:4], now)
		blob = append(blob, ed25519.Sign(private, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s\n", now, text))...)
		fmt.Fprintf(w, "— w %s\n", base64.StdEncoding.EncodeToString(blob))
	}))
	t.Cleanup(served.Close)
	return log.VerifierKey("w", log.AlgCosigned, public), served.URL
}

// TestWitnessing: a server that runs has its checkpoints witnessed, serves them to who shows the token, and stops in order.
func TestWitnessing(t *testing.T) {
	vkey, url := witnessServer(t)
	policy := "witness w " + vkey + " " + url + "\nquorum w\n"
	folder, firm := t.TempDir(), wire.ChainID{1}
	d, err := openData(folder, "")
	must(t, err)
	_, err = d.log.Keys.Make(t.Context(), "name")
	must(t, err)
	seed, err := keys.GenerateIdentitySeed(rand.Reader)
	must(t, err)
	identity, err := keys.NewIdentity(seed)
	must(t, err)
	bundle, err := chain.NewBundle(wire.ObjectID{1}, identity)
	must(t, err)
	must(t, d.store.Update(t.Context(), firm.String(), func(tx store.Tx) error {
		if err := layout.Put(tx, layout.FirmKey(), layout.Firm{Log: "name", Origin: "localhost/log/name", Policy: policy}); err != nil {
			return err
		}
		return auth.PutMember(tx, d.log, firm, wire.ObjectID{2}, 0, bundle)
	}))
	must(t, d.store.Update(t.Context(), layout.Accounts, func(tx store.Tx) error { return tx.Put(layout.LogNameKey("name"), firm[:]) }))
	must(t, d.Close())

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errs output
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"serve", "--listen", "127.0.0.1:0", "--data", folder, "--log-token", "secret"}, nil, &out, &errs)
	}()
	origin := regexp.MustCompile(`http://localhost:\d+`)
	get := func(token string) (int, string) {
		r, err := http.NewRequest("GET", origin.FindString(out.String())+"/log/name/checkpoint", nil)
		must(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		reply, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, ""
		}
		defer reply.Body.Close()
		b, err := io.ReadAll(reply.Body)
		must(t, err)
		return reply.StatusCode, string(b)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		status, note := get("secret")
		if status == 200 && strings.Contains(note, "\n— w ") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not witnessed: %d %s %s", status, note, errs.String())
		}
		time.Sleep(50 * time.Millisecond)
	}
	if status, _ := get("other"); status != 401 {
		t.Errorf("another token: %d", status)
	}
	cancel()
	if c := <-code; c != exitFine || strings.Contains(errs.String(), "witnessing") {
		t.Errorf("stopped with %d: %s", c, errs.String())
	}
}

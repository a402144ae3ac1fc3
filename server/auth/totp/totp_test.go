package totp_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/auth/totp"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/memstore"
)

var (
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ada  = wire.ObjectID{1}
	bob  = wire.ObjectID{2}
)

func memory(t testing.TB) store.Store {
	t.Helper()
	s := memstore.New(nil)
	t.Cleanup(func() { s.Close() })
	return s
}

func newSecret(t testing.TB) totp.Secret {
	t.Helper()
	s, err := totp.NewSecret(rand.Reader)
	if err != nil || s == (totp.Secret{}) {
		t.Fatal(err)
	}
	return s
}

func use(s store.Store, now time.Time, account wire.ObjectID, secret totp.Secret, code string) error {
	return s.Update(context.Background(), layout.Accounts, func(tx store.Tx) error { return totp.Use(tx, now, account, secret, code) })
}

func TestRFC6238(t *testing.T) {
	data, err := os.ReadFile("testdata/rfc6238.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Secret  string
		Vectors []struct {
			Time int64
			SHA1 string
		}
	}
	if err := json.Unmarshal(data, &file); err != nil || len(file.Vectors) != 6 {
		t.Fatalf("%d vectors, %v", len(file.Vectors), err)
	}
	key, err := hex.DecodeString(file.Secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range file.Vectors {
		if got := totp.Secret(key).Code(time.Unix(v.Time, 0)); got != v.SHA1[2:] {
			t.Errorf("at %d: %s, want %s", v.Time, got, v.SHA1[2:])
		}
		at := time.Unix(v.Time, 0)
		if err := use(memory(t), at, ada, totp.Secret(key), v.SHA1[2:]); (err == nil) != (v.Time >= 60) { // before, there was no clock
			t.Errorf("at %d %s does not count: %v", v.Time, v.SHA1[2:], err)
		}
	}
}

// TestClock: an app may be one step behind or ahead, and no more.
func TestClock(t *testing.T) {
	secret := newSecret(t)
	for _, c := range []struct {
		off   time.Duration
		works bool
	}{
		{0, true}, {29 * time.Second, true}, {30 * time.Second, true}, {59 * time.Second, true}, {-1 * time.Second, true}, {-30 * time.Second, true},
		{60 * time.Second, false}, {-31 * time.Second, false}, {5 * time.Minute, false}, {-5 * time.Minute, false}, {24 * time.Hour, false}, {-24 * time.Hour, false},
	} {
		if err := use(memory(t), noon, ada, secret, secret.Code(noon.Add(c.off))); (err == nil) != c.works || (err != nil && err != totp.ErrCode) {
			t.Errorf("a clock %v off: %v, want it to work: %v", c.off, err, c.works)
		}
	}
	if err := use(memory(t), time.Unix(10, 0), ada, secret, secret.Code(time.Unix(10, 0))); err != totp.ErrCode {
		t.Errorf("a server without a clock: %v", err)
	}
}

// TestUsedTwice plays somebody who looks over a shoulder.
func TestUsedTwice(t *testing.T) {
	s, secret := memory(t), newSecret(t)
	code := secret.Code(noon)
	if err := use(s, noon, ada, secret, code); err != nil {
		t.Fatal(err)
	}
	for _, after := range []time.Duration{0, time.Second, 30 * time.Second, 59 * time.Second} {
		if err := use(s, noon.Add(after), ada, secret, code); err != totp.ErrCode {
			t.Errorf("the same code after %v: %v, want exactly ErrCode", after, err)
		}
	}
	if err := use(s, noon, ada, secret, secret.Code(noon.Add(-30*time.Second))); err != totp.ErrCode {
		t.Errorf("the code before one that was used: %v", err)
	}
	if err := use(s, noon.Add(10*time.Second), ada, secret, secret.Code(noon.Add(30*time.Second))); err != nil {
		t.Errorf("the next code: %v", err)
	}
	// Neither another person's use nor an old secret's says anything about hers.
	if err := use(s, noon, bob, secret, code); err != nil {
		t.Errorf("another account: %v", err)
	}
	fresh := newSecret(t)
	if err := use(s, noon, ada, fresh, fresh.Code(noon)); err != nil {
		t.Errorf("a new secret: %v", err)
	}
}

// TestUsedTwiceAtOnce: of many with one code at the same time one wins.
func TestUsedTwiceAtOnce(t *testing.T) {
	s, secret := memory(t), newSecret(t)
	code := secret.Code(noon)
	var won atomic.Int32
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() {
			switch err := use(s, noon, ada, secret, code); {
			case err == nil:
				won.Add(1)
			case err != totp.ErrCode:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if won.Load() != 1 {
		t.Errorf("%d used one code, want 1", won.Load())
	}
}

// TestFailedTransaction: where what the code was for did not happen, the code was not used.
func TestFailedTransaction(t *testing.T) {
	s, secret, broken := memory(t), newSecret(t), errors.New("broken")
	err := s.Update(t.Context(), layout.Accounts, func(tx store.Tx) error {
		if err := totp.Use(tx, noon, ada, secret, secret.Code(noon)); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if err := use(s, noon, ada, secret, secret.Code(noon)); err != nil {
		t.Error(err)
	}
}

func TestWrongCodes(t *testing.T) {
	s, secret := memory(t), newSecret(t)
	code := secret.Code(noon)
	wrong := []byte(code)
	wrong[5] = '0' + (wrong[5]-'0'+1)%10
	for _, c := range []string{string(wrong), "", code[:5], code + "0", " " + code, code + " ", code[:3] + " " + code[3:], "+" + code[1:], "-" + code[1:], "abcdef",
		strings.Repeat("\u0660", 3), strings.Repeat("0", 1<<20)} {
		if err := use(s, noon, ada, secret, c); err != totp.ErrCode {
			t.Errorf("%d bytes: %v, want exactly ErrCode", len(c), err)
		}
	}
	if err := use(s, noon, ada, newSecret(t), code); err != totp.ErrCode {
		t.Errorf("a code of another secret: %v", err)
	}
	if err := use(s, noon, ada, secret, code); err != nil {
		t.Errorf("the right code after wrong ones: %v", err)
	}
}

// TestRowsEnd: one row for a secret, however often it is used, and none when it no longer says anything.
func TestRowsEnd(t *testing.T) {
	s, secret := memory(t), newSecret(t)
	now := noon
	for range 40 {
		if err := use(s, now, ada, secret, secret.Code(now)); err != nil {
			t.Fatal(err)
		}
		now = now.Add(30 * time.Second)
	}
	rows := func() (n int) {
		if err := s.View(t.Context(), layout.Accounts, func(tx store.Tx) error {
			return tx.Scan(nil, nil, 0, func(_, _ []byte) error { n++; return nil })
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := rows(); n != 2 {
		t.Errorf("%d rows, want the step and when to look at it", n)
	}
	for range 3 { // the first look finds that it lives longer by now
		now = now.Add(2 * time.Minute)
		if err := s.Update(t.Context(), layout.Accounts, func(tx store.Tx) error { return layout.Sweep(tx, now.Unix(), nil) }); err != nil {
			t.Fatal(err)
		}
	}
	if n := rows(); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

// TestUsedAndSwept: a step is remembered for as long as its code is valid, also one of a clock that is ahead.
func TestUsedAndSwept(t *testing.T) {
	s, secret := memory(t), newSecret(t)
	ahead := secret.Code(noon.Add(30 * time.Second))
	if err := use(s, noon, ada, secret, ahead); err != nil {
		t.Fatal(err)
	}
	for after := time.Duration(0); after < 2*time.Minute; after += time.Second {
		now := noon.Add(after)
		if err := s.Update(t.Context(), layout.Accounts, func(tx store.Tx) error { return layout.Sweep(tx, now.Unix(), nil) }); err != nil {
			t.Fatal(err)
		}
		if err := use(s, now, ada, secret, ahead); err != totp.ErrCode {
			t.Fatalf("%v later: %v", after, err)
		}
	}
}

func TestSecret(t *testing.T) {
	if len(newSecret(t).Text()) != 32 {
		t.Error("apps are given another length than clients take")
	}
	if _, err := totp.NewSecret(bytes.NewReader(make([]byte, totp.SecretSize-1))); err == nil {
		t.Error("a secret of too little randomness")
	}
}

func TestSecretIsNotPrinted(t *testing.T) {
	secret := newSecret(t)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if text := fmt.Sprintf(verb, secret); !strings.Contains(text, "private") || len(text) > 60 {
			t.Errorf("%s prints %d characters", verb, len(text))
		}
	}
	if _, err := json.Marshal(secret); err == nil {
		t.Error("marshals")
	}
}

// FuzzUse: the one code counts, in its one spelling, and nothing else.
func FuzzUse(f *testing.F) {
	key, err := hex.DecodeString("3132333435363738393031323334353637383930")
	if err != nil {
		f.Fatal(err)
	}
	secret, now := totp.Secret(key), time.Unix(1111111109, 0)
	valid := map[string]bool{secret.Code(now): true, secret.Code(now.Add(-30 * time.Second)): true, secret.Code(now.Add(30 * time.Second)): true}
	f.Fuzz(func(t *testing.T, code string) {
		switch err := use(memory(t), now, ada, secret, code); {
		case err == nil && !valid[code]:
			t.Fatal("accepted")
		case err != nil && (valid[code] || err != totp.ErrCode):
			t.Fatal(err)
		}
	})
}

// TestCorpus fails when the fuzz test would run on nothing.
func TestCorpus(t *testing.T) {
	if files, err := filepath.Glob("testdata/fuzz/FuzzUse/*"); err != nil || len(files) == 0 {
		t.Errorf("no corpus: %v", err)
	}
}

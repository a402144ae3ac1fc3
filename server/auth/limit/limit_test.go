package limit_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/server/auth/limit"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/memstore"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a server with a clock that tests set.
type world struct {
	t     testing.TB
	store store.Store
	limit *limit.Limiter
	now   time.Time
}

func newWorld(t testing.TB) *world {
	t.Helper()
	s := memstore.New(nil)
	t.Cleanup(func() { s.Close() })
	return &world{t, s, limit.New([32]byte{1}), noon}
}

func (w *world) update(fn func(store.Tx) error) error {
	return w.store.Update(context.Background(), layout.Accounts, fn)
}

// try is an attempt as the server makes one. It returns how long to wait, and 0 where it was started.
func (w *world) try(a limit.Attempt) time.Duration {
	w.t.Helper()
	err := w.store.View(context.Background(), layout.Accounts, func(tx store.Tx) error { return w.limit.Check(tx, w.now, a) })
	if err == nil {
		err = w.update(func(tx store.Tx) error { _, err := w.limit.Count(tx, w.now, a); return err })
	}
	var denied *limit.Denied
	switch {
	case err == nil:
		return 0
	case errors.As(err, &denied) && denied.Wait > 0:
		return denied.Wait
	}
	w.t.Error(err)
	return 0
}

func (w *world) succeeded(a limit.Attempt, own int) {
	w.t.Helper()
	if err := w.update(func(tx store.Tx) error { return w.limit.Succeeded(tx, w.now, a, own) }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) rows() (n int) {
	w.t.Helper()
	if err := w.store.View(context.Background(), layout.Accounts, func(tx store.Tx) error {
		return tx.Scan(nil, nil, 0, func(_, _ []byte) error { n++; return nil })
	}); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// from is an attempt from the n-th address of a large network.
func from(name string, n int) limit.Attempt {
	return limit.Attempt{Account: name, Address: netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})}
}

// TestGuessesWait plays a thief of many addresses at one account: five guesses, then one after 1, 2, 4 … seconds.
func TestGuessesWait(t *testing.T) { // attack 9
	w := newWorld(t)
	var waits []string
	guesses := 0
	for end := w.now.Add(2 * time.Hour); w.now.Before(end); guesses++ {
		wait := w.try(from("ada", guesses))
		if wait > 0 {
			// Trying before it is time is refused, and makes it no later.
			for range 10 {
				if again := w.try(from("ada", guesses+1000)); again != wait {
					t.Fatalf("asked again the wait is %v, want %v", again, wait)
				}
			}
			waits = append(waits, wait.String())
			w.now = w.now.Add(wait - time.Millisecond)
			if w.try(from("ada", guesses)) == 0 {
				t.Fatalf("a guess a millisecond early")
			}
			w.now = w.now.Add(time.Millisecond)
			if w.try(from("ada", guesses)) != 0 {
				t.Fatal("a guess in time is refused")
			}
		}
	}
	if got := strings.Join(waits[:12], " "); got != "1s 2s 4s 8s 16s 32s 1m4s 2m8s 4m16s 8m32s 15m0s 15m0s" {
		t.Errorf("waits of %s", got)
	}
	if guesses > 30 {
		t.Errorf("%d guesses in two hours", guesses)
	}
	t.Logf("%d guesses in two hours", guesses)
	// The others never notice.
	if wait := w.try(from("bob", 9999)); wait != 0 {
		t.Errorf("another account waits %v", wait)
	}
}

// TestOneAddressManyAccounts plays somebody who tries one password at every name.
func TestOneAddressManyAccounts(t *testing.T) {
	w := newWorld(t)
	started := 0
	for n := range 1000 {
		if w.try(from(fmt.Sprint("person-", n), 1)) == 0 {
			started++
		}
	}
	if started != limit.FreeOfAddress {
		t.Errorf("%d started, want %d", started, limit.FreeOfAddress)
	}
	if wait := w.try(from("ada", 2)); wait != 0 {
		t.Errorf("another address waits %v", wait)
	}
}

// TestAddresses: one network of IPv6 is one, and one address has one spelling.
func TestAddresses(t *testing.T) {
	for name, c := range map[string]struct {
		of   func(n int) netip.Addr
		same bool
	}{
		"a network of IPv6": {func(n int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("2001:db8:1:2:%x::%x", n, n)) }, true},
		"networks of IPv6":  {func(n int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("2001:db8:1:%x::1", n)) }, false},
		"addresses of IPv4": {func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 1, byte(n)}) }, false},
		"no address":        {func(int) netip.Addr { return netip.Addr{} }, true},
		"spellings of one":  {func(n int) netip.Addr { return netip.MustParseAddr([]string{"10.0.0.1", "::ffff:10.0.0.1"}[n%2]) }, true},
		"zones of one":      {func(n int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("fe80::1%%eth%d", n)) }, true},
	} {
		w := newWorld(t)
		denied := false
		for n := range limit.FreeOfAddress + 10 {
			denied = w.try(limit.Attempt{Account: fmt.Sprint(n), Address: c.of(n)}) > 0 || denied
		}
		if denied != c.same {
			t.Errorf("%s: counted as one: %v, want %v", name, denied, c.same)
		}
	}
}

// TestSucceeded: who gets in starts anew; a thief cannot clear an address with an account of his own.
func TestSucceeded(t *testing.T) {
	w := newWorld(t)
	for n := range 3 {
		w.try(from("ada", 100+n))
	}
	w.try(from("ada", 1)) // hers
	w.succeeded(from("ada", 1), 1)
	for n := range limit.FreeOfAccount {
		if wait := w.try(from("ada", 200+n)); wait != 0 {
			t.Fatalf("attempt %d after a success waits %v", n, wait)
		}
	}
	if w.try(from("ada", 300)) == 0 {
		t.Error("a success is remembered for ever")
	}

	guesses := 0
	for n := range 1000 {
		if w.try(from(fmt.Sprint("victim-", n), 7)) == 0 {
			guesses++
		}
		if w.try(from("thief", 7)) == 0 {
			w.succeeded(from("thief", 7), 1)
		}
	}
	if guesses > limit.FreeOfAddress {
		t.Errorf("%d guesses from an address that signs in to its own account between them", guesses)
	}
}

// TestOwnSuccessOpensNothing plays a thief who begins a sign-in to an account of his own, guesses at others' until he must
// wait, and then finishes his own.
func TestOwnSuccessOpensNothing(t *testing.T) {
	w := newWorld(t)
	w.try(from("thief", 7))
	for n := range limit.FreeOfAddress + 6 {
		w.now = w.now.Add(w.try(from(fmt.Sprint("victim-", n), 7)))
	}
	for w.try(from("victim", 7)) == 0 {
	}
	before := w.try(from("victim", 7))
	w.succeeded(from("thief", 7), 1)
	if after := w.try(from("victim", 7)); after != before {
		t.Errorf("the wait was %v, and is %v after a sign-in of his own", before, after)
	}
	// But where all who came at once get in, nobody waits for them.
	for n := range limit.FreeOfAddress {
		w.try(from(fmt.Sprint(n), 8))
	}
	if w.try(from("late", 8)) == 0 {
		t.Error("an address without an end")
	}
	w.succeeded(from("0", 8), 1)
	if wait := w.try(from("late", 8)); wait != 0 {
		t.Errorf("waits %v for somebody who got in", wait)
	}
}

// TestForEver: the longest wait stays the longest, however often.
func TestForEver(t *testing.T) {
	w := newWorld(t)
	for n := range 200 {
		if wait := w.try(from("ada", n)); wait > 0 {
			w.now = w.now.Add(wait)
			w.try(from("ada", n))
		}
		if n > 30 && w.try(from("ada", n)) != limit.MaxWait {
			t.Fatalf("attempt %d leaves no wait", n)
		}
	}
}

// TestCountRefuses: who passed Check at the same time as others does not pass Count with them.
func TestCountRefuses(t *testing.T) {
	w := newWorld(t)
	counted := 0
	for n := range 20 {
		var denied *limit.Denied
		var begins bool
		err := w.update(func(tx store.Tx) (err error) { begins, err = w.limit.Count(tx, w.now, from("ada", n)); return err })
		if begins != (n == limit.FreeOfAccount-1) {
			t.Errorf("attempt %d: waits begin: %v", n, begins)
		}
		switch {
		case err == nil:
			counted++
		case !errors.As(err, &denied) || denied.Wait != time.Second:
			t.Errorf("%v, want a second to wait", err)
		}
	}
	if counted != limit.FreeOfAccount {
		t.Errorf("%d counted, want %d", counted, limit.FreeOfAccount)
	}
}

// TestMorning: a firm behind one address signs in at once.
func TestMorning(t *testing.T) {
	w := newWorld(t)
	for round := range 20 {
		for n := range 40 {
			if wait := w.try(from(fmt.Sprint(n), 1)); wait != 0 {
				t.Fatalf("round %d: person %d waits %v", round, n, wait)
			}
		}
		for n := range 40 {
			w.succeeded(from(fmt.Sprint(n), 1), 1)
		}
		w.now = w.now.Add(time.Minute)
	}
}

// TestSecondFactor: codes are counted apart from passwords, wherever they come from: neither makes the other wait.
func TestSecondFactor(t *testing.T) {
	w := newWorld(t)
	code := func(name string, n int) limit.Attempt {
		a := from(name, n)
		a.Second = true
		return a
	}
	for n := range 20 {
		w.try(from("ada", n))
	}
	for n := range limit.FreeOfAccount {
		if wait := w.try(code("ada", n)); wait != 0 {
			t.Fatalf("code %d waits %v because somebody tries passwords", n, wait)
		}
	}
	if w.try(code("ada", 99)) != time.Second || w.try(code("bob", 99)) != 0 {
		t.Error("codes are not counted for their account")
	}
	for n := range limit.FreeOfAddress + 10 { // many people's codes come from one address
		if wait := w.try(code(fmt.Sprint(n), 1)); wait != 0 {
			t.Fatalf("the code of person %d waits %v", n, wait)
		}
	}
	for range 20 {
		w.try(code("carl", 1))
	}
	if wait := w.try(from("carl", 1)); wait != 0 {
		t.Errorf("a password waits %v for codes", wait)
	}
	w.succeeded(code("ada", 5), 3)
	if w.try(code("ada", 5)) != 0 || w.try(from("ada", 50)) == 0 {
		t.Error("a code that counts forgets the wrong ones")
	}
}

func TestUnlock(t *testing.T) {
	w := newWorld(t)
	for n := range 20 {
		w.try(from("ada", n))
	}
	status := func() (count int, wait time.Duration) {
		if err := w.store.View(t.Context(), layout.Accounts, func(tx store.Tx) (err error) {
			count, wait, err = w.limit.Status(tx, w.now, limit.Attempt{Account: "ada"})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return count, wait
	}
	if count, wait := status(); count != limit.FreeOfAccount || wait != time.Second {
		t.Errorf("%d attempts, %v to wait", count, wait)
	}
	before := w.rows()
	if err := w.update(func(tx store.Tx) error { return w.limit.Unlock(tx, limit.Attempt{Account: "ada"}) }); err != nil {
		t.Fatal(err)
	}
	if count, wait := status(); count != 0 || wait != 0 || w.try(from("ada", 50)) != 0 {
		t.Errorf("%d attempts, %v to wait after an unlock", count, wait)
	}
	if err := w.update(func(tx store.Tx) error { return w.limit.Unlock(tx, limit.Attempt{Account: "nobody"}) }); err != nil {
		t.Error(err)
	}
	if after := w.rows(); after != before+2 { // the new address
		t.Errorf("%d rows, then %d", before, after)
	}
}

// TestForgotten: after a day nothing is known, swept or not.
func TestForgotten(t *testing.T) {
	w := newWorld(t)
	for n := range 10 {
		w.try(from("ada", n))
	}
	w.now = w.now.Add(limit.Forgotten)
	for n := range limit.FreeOfAccount {
		if wait := w.try(from("ada", n)); wait != 0 {
			t.Errorf("attempt %d on the next day waits %v", n, wait)
		}
	}
}

// TestClockSetBack: a server whose clock was ahead locks nobody out for the time it was.
func TestClockSetBack(t *testing.T) {
	w := newWorld(t)
	w.now = noon.AddDate(1, 0, 0)
	for n := range 10 {
		w.try(from("ada", n))
	}
	w.now = noon
	if wait := w.try(from("ada", 1)); wait != 0 {
		t.Errorf("waits %v", wait)
	}
}

// TestHeldBack plays somebody who begins many requests, has each wait with its body, and lets them go, the last one first, when
// the wait is the longest: by the clock of the first lines of each, it ends further away than any wait is.
func TestHeldBack(t *testing.T) {
	w := newWorld(t)
	n := 0
	for ; n < 40 && w.try(from("ada", n)) != limit.MaxWait; n++ {
		w.now = w.now.Add(limit.MaxWait)
	}
	began := w.now
	w.now = began.Add(10 * time.Minute)
	for w.try(from("ada", n)) > 0 {
		w.now = w.now.Add(time.Minute)
	}
	through := 0
	for held := range 100 {
		w.now = began.Add(-time.Duration(held) * time.Second)
		switch wait := w.try(from("ada", 100+held)); {
		case wait == 0:
			through++
		case wait > limit.MaxWait:
			t.Errorf("is to wait %v", wait)
		}
	}
	if through > 0 {
		t.Errorf("%d guesses went through", through)
	}
}

// TestUnknownName plays somebody who wants to learn which names exist: nothing here asks, so what an account would change
// is only its own rows.
func TestUnknownName(t *testing.T) { // attack 87
	known, unknown := newWorld(t), newWorld(t)
	if err := known.update(func(tx store.Tx) error { return tx.Put([]byte("account/ada"), []byte("{}")) }); err != nil {
		t.Fatal(err)
	}
	for n := range 12 {
		if a, b := known.try(from("ada", n)), unknown.try(from("ada", n)); a != b {
			t.Errorf("attempt %d waits %v for a name that exists, %v for another", n, a, b)
		}
	}
	if known.rows() != unknown.rows()+1 {
		t.Error("an account makes other rows than none")
	}
}

// TestRowsTellNothing: a thief of the rows learns neither who was tried nor from where, though there are few addresses to
// try hashes of.
func TestRowsTellNothing(t *testing.T) {
	w := newWorld(t)
	a := limit.Attempt{Account: "ada lovelace", Address: netip.MustParseAddr("192.0.2.77")}
	w.try(a)
	keys := func(s store.Store) (all string) {
		if err := s.View(t.Context(), layout.Accounts, func(tx store.Tx) error {
			return tx.Scan(nil, nil, 0, func(k, v []byte) error { all += string(k) + string(v) + "\n"; return nil })
		}); err != nil {
			t.Fatal(err)
		}
		return all
	}
	mine := keys(w.store)
	for _, s := range []string{"ada", "lovelace", "192.0.2", layout.Hash([]byte(a.Account)), layout.Hash([]byte("192.0.2.77")), layout.Hash([]byte("192.0.2.77/32"))} {
		if strings.Contains(mine, s) {
			t.Errorf("a row names %s", s)
		}
	}
	other := newWorld(t)
	other.limit = limit.New([32]byte{2})
	other.try(a)
	for _, line := range strings.Split(keys(other.store), "\n") {
		if key, _, _ := strings.Cut(line, "{"); key != "" && strings.Contains(mine, key) {
			t.Error("the hash has no key")
		}
	}
}

// TestRowsAreBounded plays a flood of names from many addresses, and of attempts at one: each name and address is two
// rows, and after a day the requests of anybody take them away.
func TestRowsAreBounded(t *testing.T) {
	w := newWorld(t)
	for n := range 500 {
		w.try(from(fmt.Sprint("nobody-", n), n))
	}
	if n := w.rows(); n != 500*2*2 {
		t.Errorf("%d rows for 500 names and addresses", n)
	}
	one := newWorld(t)
	for range 2000 {
		one.now = one.now.Add(time.Second)
		one.try(from("ada", 1))
	}
	if n := one.rows(); n != 4 {
		t.Errorf("%d rows for one name and one address", n)
	}
	for _, w := range []*world{w, one} {
		w.now = w.now.Add(limit.Forgotten + time.Hour)
		for range 100 {
			if err := w.update(func(tx store.Tx) error { return layout.Sweep(tx, w.now.Unix(), nil) }); err != nil {
				t.Fatal(err)
			}
			w.now = w.now.Add(time.Hour)
		}
		if n := w.rows(); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	}
}

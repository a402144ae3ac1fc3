//go:build !js

package limit_test

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/underseal/underseal/server/auth/limit"
	"github.com/underseal/underseal/server/store/boltstore"
)

// TestRestart: what was counted is counted after a restart.
func TestRestart(t *testing.T) {
	folder := t.TempDir()
	w := &world{t: t, limit: limit.New([32]byte{1}), now: noon}
	for n := range limit.FreeOfAccount + 2 {
		s, err := boltstore.Open(boltstore.Config{Folder: folder})
		if err != nil {
			t.Fatal(err)
		}
		w.store, w.limit = s, limit.New([32]byte{1})
		if wait := w.try(from("ada", n)); (wait > 0) != (n >= limit.FreeOfAccount) {
			t.Errorf("attempt %d after %d restarts waits %v", n, n, wait)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTenThousandAtOnce makes ten thousand wrong attempts in parallel on a disk, and prints how long a good one takes
// meanwhile. How long it may take is not asserted: that is the machine's.
func TestTenThousandAtOnce(t *testing.T) {
	for _, c := range []struct {
		name    string
		attempt func(n int) limit.Attempt
		started int32
	}{
		{"one account, one address", func(int) limit.Attempt { return from("ada", 1) }, limit.FreeOfAccount},
		{"one account, many addresses", func(n int) limit.Attempt { return from("ada", n) }, limit.FreeOfAccount},
		{"many accounts, one address", func(n int) limit.Attempt { return from(fmt.Sprint(n), 1) }, limit.FreeOfAddress},
		{"many accounts, many addresses", func(n int) limit.Attempt { return from(fmt.Sprint(n), n) }, 10000},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := boltstore.Open(boltstore.Config{Folder: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			w := &world{t, s, limit.New([32]byte{1}), noon}
			good := limit.Attempt{Account: "grace", Address: netip.MustParseAddr("192.0.2.1")}
			check := func() time.Duration {
				began := time.Now()
				if wait := w.try(good); wait != 0 {
					t.Errorf("a good attempt waits %v", wait)
				}
				w.succeeded(good, 1)
				return time.Since(began)
			}
			alone := check()
			var started atomic.Int32
			var group sync.WaitGroup
			gate := make(chan struct{})
			for n := range 10000 {
				group.Go(func() {
					<-gate
					if w.try(c.attempt(n)) == 0 {
						started.Add(1)
					}
				})
			}
			began, done := time.Now(), make(chan struct{})
			close(gate)
			go func() { group.Wait(); close(done) }()
			var meanwhile []time.Duration
			for over := false; !over; {
				meanwhile = append(meanwhile, check())
				select {
				case <-done:
					over = true
				default:
				}
			}
			all := time.Since(began)
			slices.Sort(meanwhile)
			if got := started.Load(); got != c.started {
				t.Errorf("%d attempts started, want %d", got, c.started)
			}
			ms := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
			t.Logf("10,000 wrong ones took %v, %d started; a good one took %v alone, meanwhile a median of %v and at most %v (%d of them)",
				ms(all), started.Load(), ms(alone), ms(meanwhile[len(meanwhile)/2]), ms(meanwhile[len(meanwhile)-1]), len(meanwhile))
		})
	}
}

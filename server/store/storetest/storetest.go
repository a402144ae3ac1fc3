// Package storetest is the suite that every backend of package store passes.
// A backend's tests call Run, and Model with whatever it has for a restart.
package storetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/underseal/underseal/server/store"
)

// Open returns an empty store and closes it when t ends.
type Open func(t *testing.T, hook store.Hook) store.Store

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, open Open)
	}{
		{"reads what was written", testReadWrite},
		{"a transaction sees its own writes", testOwnWrites},
		{"keys and values have bounds", testBounds},
		{"a view refuses writes", testReadOnly},
		{"scan", testScan},
		{"scan while writing", testScanWhileWriting},
		{"scan returns the error of its function", testScanError},
		{"a failed function leaves nothing", testFailedFunction},
		{"a panic is an error of its own caller", testPanic},
		{"a transaction ends with its function", testTxDone},
		{"nothing is aliased", testAliasing},
		{"a view is a snapshot", testSnapshot},
		{"partitions are apart", testPartitions},
		{"names of partitions are checked", testPartitionNames},
		{"writers are serial", testConcurrency},
		{"failing writers harm nobody", testConcurrentFailures},
		{"readers see whole commits", testReadersSeeWholeCommits},
		{"a done context starts nothing", testContext},
		{"the hook is part of the commit", testHook},
		{"a failing hook undoes the commit", testHookFails},
		{"the hook runs once a commit", testHookOnce},
		{"close", testClose},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open) })
	}
}

const firm = "firm-1"

var errOurs = errors.New("storetest: a function's own error")

func update(t *testing.T, s store.Store, fn func(store.Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), firm, fn); err != nil {
		t.Fatalf("Update: %v", err)
	}
}

func put(t *testing.T, s store.Store, pairs ...string) {
	t.Helper()
	update(t, s, func(tx store.Tx) error {
		for i := 0; i < len(pairs); i += 2 {
			if err := tx.Put([]byte(pairs[i]), []byte(pairs[i+1])); err != nil {
				return err
			}
		}
		return nil
	})
}

// dump returns a partition as "key=value" words.
func dump(t *testing.T, s store.Store, partition string) string {
	t.Helper()
	var got string
	err := s.View(context.Background(), partition, func(tx store.Tx) (err error) {
		got, err = scan(tx, "", "", 0)
		return err
	})
	if err != nil {
		t.Fatalf("View: %v", err)
	}
	return got
}

func scan(tx store.Tx, prefix, after string, limit int) (string, error) {
	var words []string
	err := tx.Scan([]byte(prefix), []byte(after), limit, func(key, value []byte) error {
		words = append(words, string(key)+"="+string(value))
		return nil
	})
	return strings.Join(words, " "), err
}

func wantDump(t *testing.T, s store.Store, partition, want string) {
	t.Helper()
	if got := dump(t, s, partition); got != want {
		t.Errorf("partition %s holds %q, want %q", partition, got, want)
	}
}

func wantError(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

func testReadWrite(t *testing.T, open Open) {
	s := open(t, nil)
	wantDump(t, s, firm, "")
	put(t, s, "b", "2", "a", "1", "empty", "")
	wantDump(t, s, firm, "a=1 b=2 empty=")
	put(t, s, "a", "9")
	update(t, s, func(tx store.Tx) error {
		wantError(t, "Delete of an absent key", tx.Delete([]byte("none")), nil)
		return tx.Delete([]byte("b"))
	})
	wantDump(t, s, firm, "a=9 empty=")
	err := s.View(context.Background(), firm, func(tx store.Tx) error {
		_, err := tx.Get([]byte("b"))
		wantError(t, "Get of a deleted key", err, store.ErrNotFound)
		value, err := tx.Get([]byte("empty"))
		if err != nil || value == nil || len(value) != 0 {
			t.Errorf("Get of an empty value: %v, %v; want an empty slice that is not nil", value, err)
		}
		return errOurs
	})
	wantError(t, "View", err, errOurs)
	update(t, s, func(tx store.Tx) error { return tx.Put([]byte("nil"), nil) })
	wantDump(t, s, firm, "a=9 empty= nil=")
}

func testOwnWrites(t *testing.T, open Open) {
	s := open(t, nil)
	put(t, s, "a", "1", "b", "2", "c", "3")
	update(t, s, func(tx store.Tx) error {
		steps := []error{
			tx.Put([]byte("b"), []byte("x")),
			tx.Put([]byte("b"), []byte("y")),
			tx.Delete([]byte("a")),
			tx.Put([]byte("bb"), []byte("z")),
			tx.Delete([]byte("c")),
			tx.Put([]byte("c"), []byte("again")),
			tx.Put([]byte("d"), []byte("short-lived")),
			tx.Delete([]byte("d")),
		}
		if err := errors.Join(steps...); err != nil {
			return err
		}
		value, err := tx.Get([]byte("b"))
		if err != nil || string(value) != "y" {
			t.Errorf("Get: %q, %v; want y", value, err)
		}
		_, err = tx.Get([]byte("a"))
		wantError(t, "Get of a key it deleted", err, store.ErrNotFound)
		got, err := scan(tx, "", "", 0)
		if want := "b=y bb=z c=again"; got != want || err != nil {
			t.Errorf("Scan: %q, %v; want %q", got, err, want)
		}
		return nil
	})
	wantDump(t, s, firm, "b=y bb=z c=again")
}

func testBounds(t *testing.T, open Open) {
	s := open(t, nil)
	longest := bytes.Repeat([]byte("k"), store.MaxKey)
	biggest := bytes.Repeat([]byte("v"), store.MaxValue)
	update(t, s, func(tx store.Tx) error {
		wantError(t, "Put of an empty key", tx.Put(nil, nil), store.ErrKey)
		wantError(t, "Delete of an empty key", tx.Delete(nil), store.ErrKey)
		wantError(t, "Put of a long key", tx.Put(append(longest, 'k'), nil), store.ErrKey)
		wantError(t, "Delete of a long key", tx.Delete(append(longest, 'k')), store.ErrKey)
		_, err := tx.Get(nil)
		wantError(t, "Get of an empty key", err, store.ErrKey)
		_, err = tx.Get(append(longest, 'k'))
		wantError(t, "Get of a long key", err, store.ErrKey)
		wantError(t, "Put of a big value", tx.Put([]byte("a"), append(biggest, 'v')), store.ErrTooLarge)
		_, err = tx.Get([]byte("a"))
		wantError(t, "Get after a refused Put", err, store.ErrNotFound)
		return tx.Put(longest, biggest)
	})
	err := s.View(context.Background(), firm, func(tx store.Tx) error {
		value, err := tx.Get(longest)
		if !bytes.Equal(value, biggest) {
			t.Errorf("the biggest value came back with %d bytes", len(value))
		}
		return err
	})
	wantError(t, "View", err, nil)
}

func testReadOnly(t *testing.T, open Open) {
	s := open(t, nil)
	put(t, s, "a", "1")
	for _, partition := range []string{firm, "absent"} {
		err := s.View(context.Background(), partition, func(tx store.Tx) error {
			wantError(t, "Put", tx.Put([]byte("a"), []byte("2")), store.ErrReadOnly)
			wantError(t, "Delete", tx.Delete([]byte("a")), store.ErrReadOnly)
			return nil
		})
		wantError(t, "View", err, nil)
	}
	wantDump(t, s, firm, "a=1")
}

func testScan(t *testing.T, open Open) {
	s := open(t, nil)
	put(t, s, "a", "0", "b", "1", "b\x00", "2", "ba", "3", "b\xff", "4", "b\xff\xff", "5", "c", "6", "\xff", "7", "\xff\xff", "8")
	cases := []struct {
		prefix, after string
		limit         int
		want          string
	}{
		{"", "", 0, "a=0 b=1 b\x00=2 ba=3 b\xff=4 b\xff\xff=5 c=6 \xff=7 \xff\xff=8"},
		{"", "", -1, "a=0 b=1 b\x00=2 ba=3 b\xff=4 b\xff\xff=5 c=6 \xff=7 \xff\xff=8"},
		{"b", "", 0, "b=1 b\x00=2 ba=3 b\xff=4 b\xff\xff=5"},
		{"b", "", 2, "b=1 b\x00=2"},
		{"b", "b", 0, "b\x00=2 ba=3 b\xff=4 b\xff\xff=5"},
		{"b", "b\x00", 1, "ba=3"},
		{"b", "bZ", 1, "ba=3"},
		{"b", "a", 1, "b=1"},
		{"b", "b\xff\xff", 0, ""},
		{"b", "c", 0, ""},
		{"b\xff", "", 0, "b\xff=4 b\xff\xff=5"},
		{"\xff", "", 0, "\xff=7 \xff\xff=8"},
		{"", "c", 0, "\xff=7 \xff\xff=8"},
		{"", "\xff\xff", 0, ""},
		{"d", "", 0, ""},
	}
	check := func(tx store.Tx) error {
		for _, c := range cases {
			got, err := scan(tx, c.prefix, c.after, c.limit)
			if got != c.want || err != nil {
				t.Errorf("Scan(%q, %q, %d): %q, %v; want %q", c.prefix, c.after, c.limit, got, err, c.want)
			}
		}
		return nil
	}
	wantError(t, "View", s.View(context.Background(), firm, check), nil)
	update(t, s, check)
	update(t, s, func(tx store.Tx) error { // the same keys, written in this transaction
		for _, key := range []string{"b\xff", "a", "\xff", "ba"} {
			value, err := tx.Get([]byte(key))
			if err != nil {
				return err
			}
			if err := errors.Join(tx.Delete([]byte(key)), tx.Put([]byte(key), value)); err != nil {
				return err
			}
		}
		return check(tx)
	})
}

func testScanWhileWriting(t *testing.T, open Open) {
	s := open(t, nil)
	put(t, s, "a", "1", "c", "3", "e", "5", "g", "7")
	update(t, s, func(tx store.Tx) error {
		var seen string
		err := tx.Scan(nil, nil, 0, func(key, _ []byte) error {
			seen += string(key)
			switch string(key) {
			case "c": // behind, itself, ahead
				return errors.Join(tx.Put([]byte("b"), nil), tx.Delete(key), tx.Put([]byte("d"), nil), tx.Delete([]byte("e")))
			case "g":
				return tx.Put([]byte("h"), nil)
			}
			return nil
		})
		if want := "acdgh"; seen != want {
			t.Errorf("scan saw %q, want %q", seen, want)
		}
		return err
	})
	wantDump(t, s, firm, "a=1 b= d= g=7 h=")
}

func testScanError(t *testing.T, open Open) {
	s := open(t, nil)
	put(t, s, "a", "1", "b", "2")
	calls := 0
	err := s.View(context.Background(), firm, func(tx store.Tx) error {
		return tx.Scan(nil, nil, 0, func(_, _ []byte) error { calls++; return errOurs })
	})
	wantError(t, "Scan", err, errOurs)
	if calls != 1 {
		t.Errorf("scan went on %d times after an error", calls-1)
	}
}

func testFailedFunction(t *testing.T, open Open) {
	s := open(t, nil)
	fail := func(tx store.Tx) error {
		return errors.Join(tx.Put([]byte("a"), []byte("x")), tx.Put([]byte("z"), []byte("x")), tx.Delete([]byte("b")), errOurs)
	}
	wantError(t, "Update", s.Update(context.Background(), firm, fail), errOurs)
	wantDump(t, s, firm, "")
	put(t, s, "a", "1", "b", "2")
	wantError(t, "Update", s.Update(context.Background(), firm, fail), errOurs)
	wantDump(t, s, firm, "a=1 b=2")
}

func testPanic(t *testing.T, open Open) {
	s := open(t, nil)
	put(t, s, "a", "1")
	explode := func(tx store.Tx) error {
		_ = tx.Put([]byte("a"), []byte("x"))
		panic("a secret")
	}
	for what, err := range map[string]error{
		"Update": s.Update(context.Background(), firm, explode),
		"View":   s.View(context.Background(), firm, explode),
	} {
		var panicked *store.PanicError
		if !errors.As(err, &panicked) || panicked.Value != "a secret" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got error %v, want a PanicError that keeps its value to itself", what, err)
		}
	}
	gone := make(chan struct{})
	go func() { // as t.FailNow does
		defer close(gone)
		_ = s.Update(context.Background(), firm, func(tx store.Tx) error {
			_ = tx.Put([]byte("a"), []byte("x"))
			goexit()
			return nil
		})
	}()
	<-gone
	put(t, s, "b", "2")
	wantDump(t, s, firm, "a=1 b=2")
}

func testTxDone(t *testing.T, open Open) {
	s := open(t, nil)
	var kept []store.Tx
	keep := func(tx store.Tx) error { kept = append(kept, tx); return nil }
	put(t, s, "a", "1")
	update(t, s, keep)
	wantError(t, "View", s.View(context.Background(), firm, keep), nil)
	for _, tx := range kept {
		_, err := tx.Get([]byte("a"))
		wantError(t, "Get", err, store.ErrTxDone)
		_, err = scan(tx, "", "", 0)
		wantError(t, "Scan", err, store.ErrTxDone)
		wantError(t, "Put", tx.Put([]byte("a"), nil), store.ErrTxDone)
		wantError(t, "Delete", tx.Delete([]byte("a")), store.ErrTxDone)
	}
}

func testAliasing(t *testing.T, open Open) {
	s := open(t, nil)
	spoil := func(slices ...[]byte) {
		for _, b := range slices {
			for i := range b {
				b[i] = '!'
			}
		}
	}
	update(t, s, func(tx store.Tx) error {
		key, value := []byte("key"), []byte("value")
		err := tx.Put(key, value)
		spoil(key, value)
		doomed := []byte("doomed")
		err = errors.Join(err, tx.Delete(doomed))
		spoil(doomed)
		return err
	})
	read := func(tx store.Tx) error {
		value, err := tx.Get([]byte("key"))
		spoil(value)
		prefix := []byte("k")
		return errors.Join(err, tx.Scan(prefix, nil, 0, func(key, value []byte) error {
			spoil(key, value, prefix)
			return nil
		}))
	}
	update(t, s, read)
	wantError(t, "View", s.View(context.Background(), firm, read), nil)
	update(t, s, func(tx store.Tx) error { // and before the commit
		return errors.Join(tx.Put([]byte("key2"), []byte("value2")), read(tx))
	})
	wantDump(t, s, firm, "key=value key2=value2")
}

func testSnapshot(t *testing.T, open Open) {
	s := open(t, nil)
	put(t, s, "a", "1")
	began, wrote := make(chan struct{}), make(chan error)
	go func() {
		<-began
		wrote <- s.Update(context.Background(), firm, func(tx store.Tx) error { return tx.Put([]byte("a"), []byte("2")) })
	}()
	// A test may wait inside a view, on a backend with threads, to prove that
	// the snapshot holds. The update is small, so that no backend needs the
	// view to end first.
	err := s.View(context.Background(), firm, func(tx store.Tx) error {
		close(began)
		wantError(t, "Update", <-wrote, nil)
		value, err := tx.Get([]byte("a"))
		if string(value) != "1" {
			t.Errorf("a view changed: got %q, want 1", value)
		}
		return err
	})
	wantError(t, "View", err, nil)
	wantDump(t, s, firm, "a=2")
}

func testPartitions(t *testing.T, open Open) {
	s := open(t, nil)
	ctx := context.Background()
	list := func(want string) {
		t.Helper()
		names, err := s.Partitions(ctx)
		if got := strings.Join(names, " "); got != want || err != nil {
			t.Errorf("Partitions: %q, %v; want %q", got, err, want)
		}
	}
	list("")
	_ = s.Update(ctx, "failed", func(tx store.Tx) error { return errors.Join(tx.Put([]byte("a"), nil), errOurs) })
	_ = s.Update(ctx, "idle", func(store.Tx) error { return nil })
	_ = s.View(ctx, "viewed", func(store.Tx) error { return nil })
	list("")
	for _, name := range []string{"b", "a", "0-9"} {
		err := s.Update(ctx, name, func(tx store.Tx) error { return tx.Put([]byte("name"), []byte(name)) })
		wantError(t, "Update", err, nil)
	}
	list("0-9 a b")
	wantDump(t, s, "a", "name=a")
	wantDump(t, s, "b", "name=b")
	wantDump(t, s, "c", "")
	inA := s.Update(ctx, "a", func(tx store.Tx) error { return tx.Delete([]byte("name")) })
	wantError(t, "Update", inA, nil)
	wantDump(t, s, "a", "")
	wantDump(t, s, "b", "name=b")
	list("0-9 a b")
}

func testPartitionNames(t *testing.T, open Open) {
	s := open(t, nil)
	called := func(store.Tx) error { t.Error("called in a partition with a bad name"); return nil }
	long := strings.Repeat("a", store.MaxPartition)
	for _, name := range []string{"", "A", "a.b", "../a", "a/b", `a\b`, "a b", "a\x00", "_lock", "é", long + "a"} {
		wantError(t, "Update of "+name, s.Update(context.Background(), name, called), store.ErrPartition)
		wantError(t, "View of "+name, s.View(context.Background(), name, called), store.ErrPartition)
	}
	for _, name := range []string{"a", "-", "7", long} {
		err := s.Update(context.Background(), name, func(tx store.Tx) error { return tx.Put([]byte("a"), nil) })
		wantError(t, "Update of "+name, err, nil)
	}
}

// add adds n to a counter and returns what it is then.
func add(tx store.Tx, key string, n uint64) (uint64, error) {
	value, err := tx.Get([]byte(key))
	switch {
	case err == nil:
		n += binary.BigEndian.Uint64(value)
	case !errors.Is(err, store.ErrNotFound):
		return 0, err
	}
	return n, tx.Put([]byte(key), binary.BigEndian.AppendUint64(nil, n))
}

func counter(t *testing.T, s store.Store, key string) (n uint64) {
	t.Helper()
	err := s.View(context.Background(), firm, func(tx store.Tx) error {
		value, err := tx.Get([]byte(key))
		if err == nil {
			n = binary.BigEndian.Uint64(value)
		}
		return err
	})
	if err != nil {
		t.Fatalf("View: %v", err)
	}
	return n
}

// crowd runs fn in 64 goroutines, 20 times each.
func crowd(fn func(writer, round int)) {
	var group sync.WaitGroup
	for writer := range 64 {
		group.Go(func() {
			for round := range 20 {
				fn(writer, round)
			}
		})
	}
	group.Wait()
}

func testConcurrency(t *testing.T, open Open) {
	s := open(t, nil)
	var inside atomic.Int32
	crowd(func(writer, round int) {
		err := s.Update(context.Background(), firm, func(tx store.Tx) error {
			if inside.Add(1) != 1 {
				t.Error("two functions at once in one partition")
			}
			defer inside.Add(-1)
			n, err := add(tx, "count", 1)
			return errors.Join(err, tx.Put(fmt.Appendf(nil, "row/%08d", n), fmt.Appendf(nil, "%d.%d", writer, round)))
		})
		if err != nil {
			t.Errorf("Update: %v", err)
		}
	})
	if got := counter(t, s, "count"); got != 64*20 {
		t.Errorf("counted to %d, want %d", got, 64*20)
	}
	rows := strings.Count(dump(t, s, firm), "row/")
	if rows != 64*20 {
		t.Errorf("got %d rows, want %d", rows, 64*20)
	}
}

func testConcurrentFailures(t *testing.T, open Open) {
	s := open(t, nil)
	crowd(func(writer, round int) {
		err := s.Update(context.Background(), firm, func(tx store.Tx) error {
			_, err := add(tx, "count", 1)
			switch (writer + round) % 4 {
			case 0:
				return errors.Join(err, tx.Put([]byte("debris"), nil), errOurs)
			case 1:
				_ = tx.Put([]byte("debris"), nil)
				panic("boom")
			}
			return err
		})
		switch (writer + round) % 4 {
		case 0:
			wantError(t, "failing Update", err, errOurs)
		case 1:
			if !errors.As(err, new(*store.PanicError)) {
				t.Errorf("panicking Update: got error %v", err)
			}
		default:
			wantError(t, "Update among failing ones", err, nil)
		}
	})
	if got := counter(t, s, "count"); got != 64*20/2 {
		t.Errorf("counted to %d, want %d", got, 64*20/2)
	}
	if strings.Contains(dump(t, s, firm), "debris") {
		t.Error("a failed function left something behind")
	}
}

func testReadersSeeWholeCommits(t *testing.T, open Open) {
	s := open(t, nil)
	put(t, s, "started", "")
	crowd(func(writer, _ int) {
		var err error
		if writer%4 != 0 {
			err = s.View(context.Background(), firm, func(tx store.Tx) error {
				left, errLeft := tx.Get([]byte("left"))
				right, errRight := tx.Get([]byte("right"))
				if !bytes.Equal(left, right) || (errLeft == nil) != (errRight == nil) {
					t.Errorf("half a commit: left %x, right %x", left, right)
				}
				return nil
			})
		} else {
			err = s.Update(context.Background(), firm, func(tx store.Tx) error {
				_, errLeft := add(tx, "left", 1)
				_, errRight := add(tx, "right", 1)
				return errors.Join(errLeft, errRight)
			})
		}
		wantError(t, "reading beside writing", err, nil)
	})
}

func testContext(t *testing.T, open Open) {
	s := open(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	called := func(store.Tx) error { t.Error("called under a done context"); return nil }
	wantError(t, "Update", s.Update(ctx, firm, called), context.Canceled)
	wantError(t, "View", s.View(ctx, firm, called), context.Canceled)
	_, err := s.Partitions(ctx)
	wantError(t, "Partitions", err, context.Canceled)

	// Done while it waits for its turn: not called, and out of nobody's way.
	queued, cancelQueued := context.WithCancel(context.Background())
	result := make(chan error, 1)
	update(t, s, func(tx store.Tx) error {
		started := make(chan struct{})
		go func() {
			close(started)
			result <- s.Update(queued, firm, called)
		}()
		<-started
		cancelQueued()
		return tx.Put([]byte("a"), []byte("1"))
	})
	wantError(t, "queued Update", <-result, context.Canceled)

	// Done while its function runs: too late, the answer is the truth.
	late, cancelLate := context.WithCancel(context.Background())
	err = s.Update(late, firm, func(tx store.Tx) error {
		cancelLate()
		return tx.Put([]byte("b"), []byte("2"))
	})
	wantError(t, "Update cancelled by its function", err, nil)
	wantDump(t, s, firm, "a=1 b=2")
}

func testHook(t *testing.T, open Open) {
	s := open(t, func(partition string, tx store.Tx) error {
		got, err := scan(tx, "in/", "", 0)
		return errors.Join(err, tx.Put([]byte("out/"+partition), []byte(got)))
	})
	put(t, s, "in/a", "1")
	wantDump(t, s, firm, "in/a=1 out/firm-1=in/a=1")
	update(t, s, func(tx store.Tx) error {
		return errors.Join(tx.Delete([]byte("in/a")), tx.Put([]byte("in/b"), []byte("2")))
	})
	wantDump(t, s, firm, "in/b=2 out/firm-1=in/b=2")
	_ = s.Update(context.Background(), firm, func(tx store.Tx) error { return errors.Join(tx.Put([]byte("in/c"), nil), errOurs) })
	wantDump(t, s, firm, "in/b=2 out/firm-1=in/b=2")
}

func testHookFails(t *testing.T, open Open) {
	var fails atomic.Int32 // 1 to return an error, 2 to panic
	s := open(t, func(_ string, tx store.Tx) error {
		err := tx.Put([]byte("hook"), []byte("x"))
		switch fails.Load() {
		case 1:
			return errors.Join(err, errOurs)
		case 2:
			panic("boom")
		}
		return err
	})
	write := func() error {
		return s.Update(context.Background(), firm, func(tx store.Tx) error { return tx.Put([]byte("a"), []byte("1")) })
	}
	var panicked *store.PanicError
	for range 2 { // before the partition exists, and when it does
		before := dump(t, s, firm)
		fails.Store(1)
		wantError(t, "Update with a failing hook", write(), errOurs)
		fails.Store(2)
		if err := write(); !errors.As(err, &panicked) {
			t.Errorf("Update with a panicking hook: got error %v", err)
		}
		wantDump(t, s, firm, before)
		if names, err := s.Partitions(context.Background()); err != nil || len(names) != min(len(before), 1) {
			t.Errorf("Partitions: %v, %v, while holding %q", names, err, before)
		}
		fails.Store(0)
		put(t, s, "b", "2")
		wantDump(t, s, firm, "b=2 hook=x")
	}
}

func testHookOnce(t *testing.T, open Open) {
	var hooks, inside, written atomic.Int64
	s := open(t, func(_ string, tx store.Tx) error {
		if inside.Add(1) != 1 {
			t.Error("two hooks at once in one partition")
		}
		defer inside.Add(-1)
		hooks.Add(1)
		var batch int64
		err := tx.Scan([]byte("new/"), nil, 0, func(key, _ []byte) error {
			batch++
			return tx.Delete(key)
		})
		if batch == 0 {
			t.Error("the hook ran without a write")
		}
		written.Add(batch)
		return err
	})
	crowd(func(writer, round int) {
		err := s.Update(context.Background(), firm, func(tx store.Tx) error {
			return tx.Put(fmt.Appendf(nil, "new/%d/%d", writer, round), nil)
		})
		wantError(t, "Update", err, nil)
	})
	if got := written.Load(); got != 64*20 {
		t.Errorf("the hooks saw %d writes, want %d", got, 64*20)
	}
	if got := hooks.Load(); got < 1 || got > 64*20 {
		t.Errorf("%d hooks for %d updates", got, 64*20)
	}
	before := hooks.Load()
	update(t, s, func(tx store.Tx) error { _, err := scan(tx, "", "", 0); return err })
	if got := hooks.Load() - before; got != 0 {
		t.Errorf("%d hooks for a commit without writes", got)
	}
	wantDump(t, s, firm, "")
}

func testClose(t *testing.T, open Open) {
	s := open(t, nil)
	put(t, s, "a", "1")
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			err := s.Update(context.Background(), firm, func(tx store.Tx) error { return tx.Put([]byte("b"), nil) })
			if err != nil && !errors.Is(err, store.ErrClosed) {
				t.Errorf("Update while closing: %v", err)
			}
		})
	}
	wantError(t, "Close", s.Close(), nil)
	group.Wait()
	called := func(store.Tx) error { t.Error("called on a closed store"); return nil }
	wantError(t, "Update", s.Update(context.Background(), firm, called), store.ErrClosed)
	wantError(t, "View", s.View(context.Background(), firm, called), store.ErrClosed)
	_, err := s.Partitions(context.Background())
	wantError(t, "Partitions", err, store.ErrClosed)
	wantError(t, "second Close", s.Close(), nil)
}

// sortedKeys is used by the model.
func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

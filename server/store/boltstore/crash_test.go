//go:build unix

package boltstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/underseal/underseal/server/store"
)

const crashFolder = "UNDERSEAL_TEST_CRASH_FOLDER"

// TestMain lets the test binary be the server that gets killed.
func TestMain(m *testing.M) {
	if folder := os.Getenv(crashFolder); folder != "" {
		fmt.Fprintln(os.Stderr, writeForever(folder))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeForever prints a number for every Update that was acknowledged, and
// only then.
func writeForever(folder string) error {
	s, err := Open(Config{Folder: folder, LockTimeout: 5 * time.Second})
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	var printing sync.Mutex
	for writer := range 8 {
		group.Go(func() {
			for {
				n, err := writeRow(s, writer)
				if err != nil {
					return
				}
				printing.Lock()
				fmt.Println(n)
				printing.Unlock()
			}
		})
	}
	group.Wait()
	return errors.New("a writer stopped")
}

// writeRow adds a row in two halves and a count of them.
func writeRow(s store.Store, writer int) (n int, err error) {
	err = s.Update(context.Background(), "firm", func(tx store.Tx) error {
		value, err := tx.Get([]byte("count"))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		n, _ = strconv.Atoi(string(value))
		n++
		text := []byte(strings.Repeat(strconv.Itoa(writer), n%5000))
		return errors.Join(
			tx.Put([]byte("count"), []byte(strconv.Itoa(n))),
			tx.Put(fmt.Appendf(nil, "left/%08d", n), text),
			tx.Put(fmt.Appendf(nil, "right/%08d", n), text))
	})
	return n, err
}

// TestKilledServerKeepsWhatItAcknowledged kills a writing process at random
// moments, over and over, and checks each time what is left.
func TestKilledServerKeepsWhatItAcknowledged(t *testing.T) {
	folder := t.TempDir()
	acknowledged := 0
	for round := range 8 {
		last := killAfter(t, folder, time.Duration(5+round*23)*time.Millisecond)
		acknowledged = max(acknowledged, last)
		checkRows(t, folder, acknowledged)
	}
	if acknowledged < 20 {
		t.Errorf("only %d Updates were acknowledged in all", acknowledged)
	}
}

// killAfter starts the writer, kills it that long after its first Update, and
// returns the highest number it acknowledged.
func killAfter(t *testing.T, folder string, delay time.Duration) (highest int) {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), crashFolder+"="+folder)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var timer *time.Timer
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if timer == nil {
			timer = time.AfterFunc(delay, func() { command.Process.Kill() })
			defer timer.Stop()
		}
		n, err := strconv.Atoi(lines.Text())
		if err != nil { // the line that the kill cut short
			break
		}
		highest = max(highest, n)
	}
	if err := command.Wait(); err == nil || timer == nil {
		t.Fatalf("the writer ended by itself: %v", err)
	}
	return highest
}

func checkRows(t *testing.T, folder string, acknowledged int) {
	t.Helper()
	s, err := Open(Config{Folder: folder})
	if err != nil {
		t.Fatalf("Open after a crash: %v", err)
	}
	defer s.Close()
	err = s.View(context.Background(), "firm", func(tx store.Tx) error {
		value, err := tx.Get([]byte("count"))
		count, _ := strconv.Atoi(string(value))
		if count < acknowledged {
			t.Errorf("%d rows after a crash, %d were acknowledged", count, acknowledged)
		}
		rows := 0
		err = errors.Join(err, tx.Scan([]byte("left/"), nil, 0, func(key, left []byte) error {
			rows++
			right, err := tx.Get([]byte("right/" + strings.TrimPrefix(string(key), "left/")))
			if string(left) != string(right) || len(left) != rows%5000 {
				t.Errorf("row %d is half there", rows)
			}
			if want := fmt.Sprintf("left/%08d", rows); string(key) != want {
				t.Fatalf("got row %s, want %s", key, want)
			}
			return err
		}))
		if rows != count {
			t.Errorf("%d rows after a crash, counted %d", rows, count)
		}
		return err
	})
	if err != nil {
		t.Fatalf("View after a crash: %v", err)
	}
	checkFile(t, s)
}

// checkFile has bbolt look for damage.
func checkFile(t *testing.T, s *Store) {
	t.Helper()
	err := s.partitions["firm"].db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("damage after a crash: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

//go:build unix

package dirblob

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/underseal/underseal/server/blob"
	"github.com/underseal/underseal/server/blob/blobtest"
)

const crashFolder = "UNDERSEAL_TEST_CRASH_FOLDER"

// TestMain lets the test binary be the server that gets killed.
func TestMain(m *testing.M) {
	if folder := os.Getenv(crashFolder); folder != "" {
		fmt.Fprintln(os.Stderr, putForever(folder))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func openAt(t *testing.T, root string) *Store {
	t.Helper()
	s, err := Open(root)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) { // S-SERVER-07
	blobtest.Run(t, func(t *testing.T) blob.Store {
		root := t.TempDir()
		t.Cleanup(func() { wantNoLeftovers(t, root) })
		return openAt(t, root)
	})
}

func wantNoLeftovers(t *testing.T, root string) {
	t.Helper()
	leftovers, err := os.ReadDir(filepath.Join(root, temporary))
	if err != nil || len(leftovers) != 0 {
		t.Errorf("%d temporary files, %v; want none", len(leftovers), err)
	}
}

func TestSecondServerIsRefused(t *testing.T) {
	root := t.TempDir()
	s := openAt(t, root)
	if _, err := Open(root); !errors.Is(err, blob.ErrLocked) {
		t.Errorf("second Open: got error %v, want ErrLocked", err)
	}
	s.Close()
	openAt(t, root)
}

func TestDamagedFile(t *testing.T) {
	s := openAt(t, t.TempDir())
	if err := putNumber(s, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(s.path(key(0)), 31); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Stat(context.Background(), key(0)); !errors.Is(err, blob.ErrDamaged) {
		t.Errorf("Stat: got error %v, want ErrDamaged", err)
	}
}

func key(number uint32) blob.Key {
	return blob.Key{Firm: blobtest.Firm, Upload: blobtest.Upload, Number: number}
}

func content(number uint32) []byte { return bytes.Repeat([]byte{byte(number)}, 300<<10) }

func putNumber(s blob.Store, number uint32) error {
	body := content(number)
	return s.Put(context.Background(), key(number), int64(len(body)), sha256.Sum256(body), bytes.NewReader(body))
}

// putForever prints the number of every object that was acknowledged.
func putForever(folder string) error {
	s, err := Open(folder)
	if err != nil {
		return err
	}
	for number := uint32(0); ; number++ {
		if err := putNumber(s, number); err != nil {
			return err
		}
		fmt.Println(number)
	}
}

func TestKilledServerKeepsWhatItAcknowledged(t *testing.T) {
	root := t.TempDir()
	for round := range 6 {
		acknowledged := killAfter(t, root, time.Duration(3+round*17)*time.Millisecond)
		s := openAt(t, root)
		wantNoLeftovers(t, root)
		numbers, err := s.List(context.Background(), blobtest.Firm, blobtest.Upload)
		if err != nil || len(numbers) <= acknowledged {
			t.Errorf("%d objects, %v; %d was acknowledged", len(numbers), err, acknowledged)
		}
		for _, number := range numbers {
			wantNumber(t, s, number)
		}
		s.Close()
	}
}

func wantNumber(t *testing.T, s blob.Store, number uint32) {
	t.Helper()
	r, err := s.Get(context.Background(), key(number), 0, -1)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, content(number)) {
		t.Errorf("object %d is half there: %d bytes, %v", number, len(got), err)
	}
}

// killAfter starts a process that puts, kills it that long after its first
// Put, and returns the last number it acknowledged.
func killAfter(t *testing.T, root string, delay time.Duration) (last int) {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), crashFolder+"="+root)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	var timer *time.Timer
	for {
		line, err := lines.ReadString('\n')
		if err != nil { // the line that the kill cut short
			break
		}
		if timer == nil {
			timer = time.AfterFunc(delay, func() { command.Process.Kill() })
			defer timer.Stop()
		}
		fmt.Sscan(line, &last)
	}
	if err := command.Wait(); err == nil || timer == nil {
		t.Fatalf("the process ended by itself: %v", err)
	}
	return last
}

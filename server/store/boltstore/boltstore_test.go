//go:build !js

package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/storetest"
)

func openAt(t *testing.T, config Config) *Store {
	t.Helper()
	s, err := Open(config)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, hook store.Hook) store.Store {
		return openAt(t, Config{Folder: t.TempDir(), Hook: hook})
	})
}

func TestModel(t *testing.T) {
	folder := t.TempDir()
	open := func(t *testing.T, hook store.Hook) store.Store {
		return openAt(t, Config{Folder: folder, Hook: hook, NoSync: true})
	}
	storetest.Model(t, open, open, 2000)
}

func put(s store.Store, key string, value []byte) error {
	return s.Update(context.Background(), "firm", func(tx store.Tx) error { return tx.Put([]byte(key), value) })
}

func get(t *testing.T, s store.Store, key string) string {
	t.Helper()
	var got []byte
	err := s.View(context.Background(), "firm", func(tx store.Tx) (err error) {
		got, err = tx.Get([]byte(key))
		return err
	})
	if err != nil {
		return err.Error()
	}
	return string(got)
}

func mustPut(t *testing.T, s store.Store, key, value string) {
	t.Helper()
	if err := put(s, key, []byte(value)); err != nil {
		t.Fatalf("Update: %v", err)
	}
}

func TestReopenKeepsEverything(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "store")
	s := openAt(t, Config{Folder: folder})
	mustPut(t, s, "a", "1")
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	s = openAt(t, Config{Folder: folder})
	if got := get(t, s, "a"); got != "1" {
		t.Errorf("got %q after a restart, want 1", got)
	}
}

func TestOnlyTheOwnerMayReadTheFiles(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "store")
	s := openAt(t, Config{Folder: folder})
	mustPut(t, s, "a", "1")
	err := filepath.Walk(folder, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", filepath.Base(path), info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSecondServerIsRefused(t *testing.T) {
	folder := t.TempDir()
	s := openAt(t, Config{Folder: folder})
	if _, err := Open(Config{Folder: folder, LockTimeout: 50 * time.Millisecond}); !errors.Is(err, store.ErrLocked) {
		t.Errorf("second Open: got error %v, want ErrLocked", err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	openAt(t, Config{Folder: folder})
}

func TestUnfinishedPartitionIsDropped(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "odd [name]*")
	s := openAt(t, Config{Folder: folder})
	mustPut(t, s, "a", "1")
	s.Close()
	unfinished := filepath.Join(folder, "other"+newSuffix)
	if err := os.WriteFile(unfinished, []byte("half a database"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, Config{Folder: folder})
	if _, err := os.Stat(unfinished); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the unfinished partition is still there: %v", err)
	}
	if got := get(t, s, "a"); got != "1" {
		t.Errorf("got %q, want 1", got)
	}
}

// TestGroupCommit holds the writer up inside the hook, queues many Updates,
// and expects them in far fewer commits.
func TestGroupCommit(t *testing.T) {
	var hooks atomic.Int64
	enough := make(chan struct{})
	s := openAt(t, Config{Folder: t.TempDir(), Hook: func(string, store.Tx) error {
		if hooks.Add(1) == 1 {
			<-enough
		}
		return nil
	}})
	var group sync.WaitGroup
	write := func(key int) {
		group.Go(func() {
			if err := put(s, fmt.Sprint(key), nil); err != nil {
				t.Errorf("Update: %v", err)
			}
		})
	}
	write(0)
	wait(t, func() bool { return hooks.Load() == 1 })
	for i := range 200 {
		write(i + 1)
	}
	p := s.partitions["firm"]
	wait(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.queue) == 200
	})
	close(enough)
	group.Wait()
	if got := hooks.Load(); got != 2 {
		t.Errorf("%d commits, want 2: one for the first Update, one for the 200 behind it", got)
	}
}

func wait(t *testing.T, until func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !until(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited too long")
		}
	}
}

func TestFailedCommit(t *testing.T) { // S-SERVER-04
	folder := t.TempDir()
	s := openAt(t, Config{Folder: folder})
	mustPut(t, s, "a", "1")
	p := s.partitions["firm"]
	fail := func(err error) func(*bolt.Tx) error { return func(*bolt.Tx) error { return err } }

	p.commit = fail(syscall.ENOSPC)
	err := put(s, "a", []byte("2"))
	if !errors.Is(err, store.ErrCommit) || !errors.Is(err, store.ErrNoSpace) {
		t.Errorf("Update on a full disk: got error %v, want ErrCommit and ErrNoSpace", err)
	}
	p.commit = (*bolt.Tx).Commit
	if got := get(t, s, "a"); got != "1" {
		t.Errorf("got %q after a failed commit, want 1", got)
	}
	mustPut(t, s, "a", "3")

	p.commit = fail(syscall.EIO)
	err = put(s, "a", []byte("4"))
	if !errors.Is(err, store.ErrCommit) || errors.Is(err, store.ErrNoSpace) {
		t.Errorf("Update on a broken disk: got error %v, want ErrCommit alone", err)
	}
	p.commit = (*bolt.Tx).Commit
	if err := put(s, "a", []byte("5")); !errors.Is(err, store.ErrCommit) {
		t.Errorf("Update after the disk broke: got error %v, want ErrCommit", err)
	}
	if got := get(t, s, "a"); got != "3" {
		t.Errorf("got %q, want 3: reading stays possible", got)
	}
	s.Close()
	s = openAt(t, Config{Folder: folder})
	mustPut(t, s, "a", "6")
}

// fill writes until there is no room, then shows that the store goes on.
func fill(t *testing.T, s *Store) {
	t.Helper()
	value := bytes.Repeat([]byte("v"), 100<<10)
	mustPut(t, s, "small", "1")
	full := -1
	for i := range 1000 {
		err := put(s, fmt.Sprintf("fill/%04d", i), value)
		if err == nil {
			continue
		}
		if !errors.Is(err, store.ErrCommit) || !errors.Is(err, store.ErrNoSpace) {
			t.Fatalf("Update on a full disk: got error %v, want ErrCommit and ErrNoSpace", err)
		}
		full = i
		break
	}
	if full < 1 {
		t.Fatalf("full at Update %d", full)
	}
	if got := get(t, s, fmt.Sprintf("fill/%04d", full)); got != store.ErrNotFound.Error() {
		t.Errorf("the refused value: %.40q, want none", got)
	}
	if got := get(t, s, "small"); got != "1" {
		t.Errorf("got %q, want 1", got)
	}
	if err := put(s, fmt.Sprintf("fill/%04d", full-1), nil); err != nil {
		t.Fatalf("making room: %v", err)
	}
	mustPut(t, s, "small", "2")
	if got := get(t, s, "small"); got != "2" {
		t.Errorf("got %q after making room, want 2", got)
	}
}

func TestMaxSize(t *testing.T) {
	folder := t.TempDir()
	s := openAt(t, Config{Folder: folder, MaxSize: 4 << 20})
	fill(t, s)
	s.Close()
	s = openAt(t, Config{Folder: folder, MaxSize: 4 << 20})
	if got := get(t, s, "small"); got != "2" {
		t.Errorf("got %q after a restart, want 2", got)
	}
}

func TestBackupOpensAsAStore(t *testing.T) {
	s := openAt(t, Config{Folder: t.TempDir()})
	mustPut(t, s, "a", "1")
	var copied bytes.Buffer
	if err := s.Backup(context.Background(), "firm", &copied); err != nil {
		t.Fatalf("Backup: %v", err)
	}
	if err := s.Backup(context.Background(), "other", &copied); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Backup of an absent partition: got error %v, want ErrNotFound", err)
	}
	mustPut(t, s, "a", "2")
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "firm"+suffix), copied.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	restored := openAt(t, Config{Folder: folder})
	if got := get(t, restored, "a"); got != "1" {
		t.Errorf("the copy holds %q, want 1", got)
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, writers := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s, err := Open(Config{Folder: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			var next atomic.Int64
			var group sync.WaitGroup
			b.ResetTimer()
			for range writers {
				group.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						if err := put(s, fmt.Sprintf("%08d", n), make([]byte, 200)); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
		})
	}
}

// TestSyncsUnlessToldOtherwise stands in for pulling the plug: a killed
// process alone does not show a missing sync.
func TestSyncsUnlessToldOtherwise(t *testing.T) {
	s := openAt(t, Config{Folder: t.TempDir()})
	mustPut(t, s, "a", "1")
	if db := s.partitions["firm"].db; db.NoSync || db.NoGrowSync {
		t.Errorf("NoSync %t, NoGrowSync %t; want neither", db.NoSync, db.NoGrowSync)
	}
}

package dirblob

import (
	"errors"
	"syscall"
	"testing"

	"github.com/underseal/underseal/server/blob"
)

// TestFullDisk uses a small disk of its own where the system lets it mount one.
func TestFullDisk(t *testing.T) {
	root := t.TempDir()
	if err := syscall.Mount("tmpfs", root, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("may not mount a small disk: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(root, syscall.MNT_DETACH) })
	s := openAt(t, root)
	var err error
	number := uint32(0)
	for ; number < 10 && err == nil; number++ {
		err = putNumber(s, number)
	}
	full := number - 1
	if !errors.Is(err, blob.ErrNoSpace) {
		t.Fatalf("Put on a full disk: got error %v, want ErrNoSpace", err)
	}
	wantNoLeftovers(t, root)
	if _, err := s.Stat(t.Context(), key(full)); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("Stat of the refused object: got error %v, want ErrNotFound", err)
	}
	if err := s.Delete(t.Context(), key(0)); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	if err := putNumber(s, full); err != nil {
		t.Fatalf("Put after making room: %v", err)
	}
	wantNumber(t, s, full)
}

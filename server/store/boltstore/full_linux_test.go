package boltstore

import (
	"syscall"
	"testing"
)

// TestFullDisk uses a small disk of its own where the system lets it mount one.
func TestFullDisk(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("may not mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, 0); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	fill(t, openAt(t, Config{Folder: folder}))
}

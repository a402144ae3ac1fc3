//go:build unix && !solaris && !aix

package dirblob

import (
	"errors"
	"os"
	"syscall"

	"github.com/underseal/underseal/server/blob"
)

// lockFile refuses a file that another open store has locked. The system lets
// go of the lock when the process ends, however it ends.
func lockFile(file *os.File) error {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return blob.ErrLocked
	}
	return err
}

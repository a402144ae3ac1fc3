//go:build !js

package totp_test

import (
	"errors"
	"testing"

	"github.com/underseal/underseal/server/auth/totp"
	"github.com/underseal/underseal/server/store/boltstore"
)

// TestUsedBeforeARestart: what was used stays used.
func TestUsedBeforeARestart(t *testing.T) {
	folder, secret := t.TempDir(), newSecret(t)
	for n, want := range []error{nil, totp.ErrCode, totp.ErrCode} {
		s, err := boltstore.Open(boltstore.Config{Folder: folder})
		if err != nil {
			t.Fatal(err)
		}
		if err := use(s, noon, ada, secret, secret.Code(noon)); !errors.Is(err, want) {
			t.Errorf("start %d: %v, want %v", n, err, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

package vault

import (
	"errors"
	"fmt"
	"io"

	"github.com/underseal/underseal/keys"
)

const (
	accountSecretSize = 20 // 160 bits
	exportKeySize     = 64 // of OPAQUE with SHA-512
)

// ErrExportKey means that a sign-in gave no export key of the right length.
var ErrExportKey = errors.New("vault: export key has the wrong length")

// AccountSecret are 160 bits that follow from the root and that only enrolled
// devices and the printed kit hold.
type AccountSecret [accountSecretSize]byte

// PasswordUnlockKey makes the unlock key from the export key of an OPAQUE
// registration or sign-in, which has exactly 64 bytes, and the account secret.
// Whoever has the server's rows and its seed can test passwords against them,
// but has no secret, and so no guess that opens a vault; whoever has a device
// has the secret and no password. Both together are the key of the derivation,
// each of one length, so that neither is a mere label of the other. The error
// is ErrExportKey.
func PasswordUnlockKey(exportKey []byte, secret AccountSecret) ([keys.KeySize]byte, error) {
	if len(exportKey) != exportKeySize {
		return [keys.KeySize]byte{}, ErrExportKey
	}
	both := append(append(make([]byte, 0, exportKeySize+accountSecretSize), exportKey...), secret[:]...)
	return keys.Derive(both, keys.LabelUnlockPassword), nil
}

// Format hides the secret from every verb of fmt.
func (s AccountSecret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// String hides the secret.
func (s AccountSecret) String() string { return "vault.AccountSecret(private)" }

// GoString hides the secret.
func (s AccountSecret) GoString() string { return s.String() }

// MarshalJSON refuses.
func (s AccountSecret) MarshalJSON() ([]byte, error) { return nil, errPrivate }

// Package vault holds an account's root at rest. From the root follow an
// account's identities, one per firm, and the keys of what its devices store.
//
// Each unlock method (passkey, printed kit, passphrase, password) yields a 32-byte
// unlock key, and Wrap seals the root under each one independently. A device
// gets the wrapped root from the server, which is hostile: Unwrap says only
// ErrUnlock, whatever was wrong, and the caller then compares the public keys
// of the identity with the ones everybody else sees.
//
// What logs in never unlocks: a kit and a passphrase make a login key and an
// unlock key under different labels, and neither leads to the other. A password
// signs in with OPAQUE (package opaque), and unlocks only where the account
// secret is too.
package vault

import (
	"crypto/ed25519"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
)

// suite is the only suite id there is.
const suite = 1

// WrappedSize is the length of a wrapped root.
const WrappedSize = seal.HeaderSize + keys.KeySize + seal.SegmentOverhead

var (
	// ErrUnlock is the one error for a vault that does not open: another key,
	// method or account, changed or cut (attack 15).
	ErrUnlock = errors.New("vault: does not unlock")
	// ErrMethod means that a root was to be wrapped for an unknown method.
	ErrMethod = errors.New("vault: unknown unlock method")
	// ErrPRF means that a passkey gave no output of the right length.
	ErrPRF = errors.New("vault: passkey output has the wrong length")

	errPrivate = errors.New("vault: secrets are not serialised")
)

// Root is an account's root secret. It is never shown and never sent.
type Root [keys.KeySize]byte

// GenerateRoot draws a root. rand may be nil for crypto/rand.
func GenerateRoot(rand io.Reader) (Root, error) {
	var root Root
	if err := read(rand, root[:]); err != nil {
		return Root{}, err
	}
	return root, nil
}

// IdentitySeed is the seed of the account's identity in the firm with that
// salt. Seeds of two firms have nothing in common that anyone can see.
func (r Root) IdentitySeed(salt [16]byte) [keys.KeySize]byte {
	return keys.Derive(r[:], keys.LabelIdentitySeed, salt[:])
}

// KeyringKey seals the account's own list of firms and matters.
func (r Root) KeyringKey() [keys.KeySize]byte { return keys.Derive(r[:], keys.LabelKeyring) }

// KeyringSigner signs each revision of that list: a server takes no other, so
// that who only stole a cookie cannot overwrite it.
func (r Root) KeyringSigner() ed25519.PrivateKey {
	seed := keys.Derive(r[:], keys.LabelKeyringSign)
	return ed25519.NewKeyFromSeed(seed[:])
}

// CacheKey seals what a device keeps of what it verified.
func (r Root) CacheKey() [keys.KeySize]byte { return keys.Derive(r[:], keys.LabelDeviceCache) }

// AccountSecret is what a password is mixed with. A device that was enrolled
// keeps it, and who has the kit can make it; the server never sees it.
func (r Root) AccountSecret() AccountSecret {
	secret := keys.Derive(r[:], keys.LabelAccountSecret)
	return AccountSecret(secret[:accountSecretSize])
}

// Format hides the root from every verb of fmt.
func (r Root) Format(s fmt.State, _ rune) { io.WriteString(s, r.String()) }

// String hides the root.
func (r Root) String() string { return "vault.Root(private)" }

// GoString hides the root.
func (r Root) GoString() string { return r.String() }

// MarshalJSON refuses.
func (r Root) MarshalJSON() ([]byte, error) { return nil, errPrivate }

// Method is a way to unlock. The number is stored and never reused; those not
// listed are reserved.
type Method uint8

// The unlock methods.
const (
	MethodPasskey    Method = 1
	MethodKit        Method = 2
	MethodPassphrase Method = 3
	MethodPassword   Method = 4
)

func (m Method) known() bool { return m >= MethodPasskey && m <= MethodPassword }

// Wrap seals root under an unlock key: WrappedSize bytes, bound to suite,
// method and account, so that the server can neither move one to another place
// nor replace it by one that was made for something else (attacks 14, 17). The
// seal commits to its key, so a wrapped root opens under one unlock key only
// and cannot be used to test many guesses at once (attack 23).
func Wrap(rand io.Reader, unlock [keys.KeySize]byte, method Method, account [16]byte, root Root) ([]byte, error) {
	if !method.known() {
		return nil, ErrMethod
	}
	wrapped, err := seal.Seal(rand, unlock[:], wrapContext(method, account), root[:])
	if err != nil {
		return nil, fmt.Errorf("vault: wrapping: %w", err)
	}
	return wrapped, nil
}

// Unwrap is the inverse of Wrap. Every failure is ErrUnlock.
func Unwrap(unlock [keys.KeySize]byte, method Method, account [16]byte, wrapped []byte) (Root, error) {
	// One length exists; another one is not decrypted at all.
	if !method.known() || len(wrapped) != WrappedSize {
		return Root{}, ErrUnlock
	}
	root, err := seal.Open(unlock[:], wrapContext(method, account), wrapped)
	if err != nil || len(root) != len(Root{}) {
		return Root{}, ErrUnlock
	}
	return Root(root), nil
}

func wrapContext(method Method, account [16]byte) []byte {
	context := append([]byte(keys.LabelSealVault), 0, suite, byte(method))
	return append(context, account[:]...)
}

func read(rand io.Reader, b []byte) error {
	if rand == nil {
		rand = cryptorand.Reader
	}
	if _, err := io.ReadFull(rand, b); err != nil {
		return fmt.Errorf("vault: randomness: %w", err)
	}
	return nil
}

package vault

import (
	"crypto/ed25519"
	"fmt"
	"io"

	"github.com/underseal/underseal/keys"
)

// The printed form of a kit.
const (
	kitSize   = 20 // 160 bits
	kitGroups = 8
)

// Kit is the secret of a printed recovery kit: 160 random bits, so there is
// nothing to stretch.
type Kit struct{ secret [kitSize]byte }

// KitError says which group of a typed kit is wrong. It holds nothing of what
// was typed.
type KitError struct {
	Group int // from 1
}

func (e *KitError) Error() string { return fmt.Sprintf("vault: group %d of the kit is wrong", e.Group) }

// GenerateKit draws a kit. rand may be nil for crypto/rand.
func GenerateKit(rand io.Reader) (Kit, error) {
	var kit Kit
	if err := read(rand, kit.secret[:]); err != nil {
		return Kit{}, err
	}
	return kit, nil
}

// String returns the kit as it is printed: eight groups of five characters
// with dashes. It is the secret itself: print it, never log it.
func (k Kit) String() string {
	return formatGroups(k.secret[:], kitGroups)
}

// Format prints String for %s and hides the kit from every other verb.
func (k Kit) Format(s fmt.State, verb rune) {
	if verb == 's' {
		io.WriteString(s, k.String())
		return
	}
	io.WriteString(s, k.GoString())
}

// GoString hides the kit.
func (k Kit) GoString() string { return "vault.Kit(private)" }

// MarshalJSON refuses.
func (k Kit) MarshalJSON() ([]byte, error) { return nil, errPrivate }

// ParseKit reads what a person typed from paper: in any case, with or without
// spaces and dashes, and with I, L and O for the digits they look like. The
// error is a *KitError that names the first wrong group. Any one wrong
// character, and any two swapped ones in a group, are caught; two swapped
// groups as well.
func ParseKit(text string) (Kit, error) {
	var kit Kit
	if group := parseGroups(kit.secret[:], kitGroups, text); group > 0 {
		return Kit{}, &KitError{group}
	}
	return kit, nil
}

// LoginKey is the key that proves to the server whose kit this is.
func (k Kit) LoginKey() ed25519.PrivateKey {
	seed := keys.Derive(k.secret[:], keys.LabelLoginKit)
	return ed25519.NewKeyFromSeed(seed[:])
}

// UnlockKey opens the vault. Nothing that the server sees leads to it.
func (k Kit) UnlockKey() [keys.KeySize]byte { return keys.Derive(k.secret[:], keys.LabelUnlockKit) }

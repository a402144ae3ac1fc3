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

// Matches compares a copy with the kit it was made of: all of it, or the groups
// that were asked for, from 1 and in their order. The error is a *KitError that
// names the first group that differs.
func (k Kit) Matches(written string, asked []int) error {
	own := splitGroups(k.String(), kitGroups)
	typed := splitGroups(written, len(asked))
	if len(typed) > len(asked) {
		asked, typed = allGroups(), splitGroups(written, kitGroups)
	}
	for i, number := range asked {
		if i >= len(typed) {
			return &KitError{number}
		}
		want, _ := parseGroup(number-1, own[number-1])
		if value, ok := parseGroup(number-1, typed[i]); !ok || value != want {
			return &KitError{number}
		}
	}
	if len(typed) > len(asked) {
		return &KitError{kitGroups}
	}
	return nil
}

func allGroups() []int {
	numbers := make([]int, kitGroups)
	for i := range numbers {
		numbers[i] = i + 1
	}
	return numbers
}

// AskGroups draws two different groups of a kit, from 1, by which a copy of it
// is tested. rand may be nil for crypto/rand.
func AskGroups(rand io.Reader) ([]int, error) {
	var b [2]byte
	if err := read(rand, b[:]); err != nil {
		return nil, err
	}
	first, second := int(b[0])%kitGroups, int(b[1])%(kitGroups-1)
	if second >= first {
		second++
	}
	return []int{min(first, second) + 1, max(first, second) + 1}, nil
}

// LoginKey is the key that proves to the server whose kit this is.
func (k Kit) LoginKey() ed25519.PrivateKey {
	seed := keys.Derive(k.secret[:], keys.LabelLoginKit)
	return ed25519.NewKeyFromSeed(seed[:])
}

// UnlockKey opens the vault. Nothing that the server sees leads to it.
func (k Kit) UnlockKey() [keys.KeySize]byte { return keys.Derive(k.secret[:], keys.LabelUnlockKit) }

package vault

import (
	"crypto/ed25519"
	"fmt"
	"io"
	"strings"

	"github.com/underseal/underseal/keys"
)

// The printed form of a kit.
const (
	kitSize     = 20 // 160 bits
	kitGroups   = 8
	groupBits   = 20
	groupData   = 4 // characters of five bits
	groupLength = groupData + 1
	// No I, L, O or U: they are misread, and the last makes words.
	kitAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
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
	groups := make([]string, kitGroups)
	for i := range groups {
		v := k.group(i)
		text := make([]byte, groupLength)
		for j := range text {
			text[j] = kitAlphabet[v[j]]
		}
		groups[i] = string(text)
	}
	return strings.Join(groups, "-")
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
	groups := splitKit(text)
	for i := range kitGroups {
		if i >= len(groups) {
			return Kit{}, &KitError{i + 1}
		}
		value, ok := parseGroup(i, groups[i])
		if !ok {
			return Kit{}, &KitError{i + 1}
		}
		kit.setGroup(i, value)
	}
	if len(groups) > kitGroups {
		return Kit{}, &KitError{kitGroups}
	}
	return kit, nil
}

// splitKit trusts the writer's separators when they make eight groups, so that
// a missing character is found where it is missing.
func splitKit(text string) []string {
	groups := strings.FieldsFunc(text, func(r rune) bool {
		return strings.ContainsRune(" \t\r\n-_\u00a0\u2010\u2011\u2012\u2013\u2014", r)
	})
	if len(groups) == kitGroups {
		return groups
	}
	joined := strings.Join(groups, "")
	groups = nil
	for len(joined) > groupLength {
		groups = append(groups, joined[:groupLength])
		joined = joined[groupLength:]
	}
	return append(groups, joined)
}

func parseGroup(index int, text string) (uint32, bool) {
	if len(text) != groupLength {
		return 0, false
	}
	text = strings.NewReplacer("I", "1", "L", "1", "O", "0").Replace(strings.ToUpper(text))
	if len(text) != groupLength { // some runes change length with case
		return 0, false
	}
	var digits [groupLength]byte
	value := uint32(0)
	for j := range digits {
		digit := strings.IndexByte(kitAlphabet, text[j])
		if digit < 0 {
			return 0, false
		}
		digits[j] = byte(digit)
		if j < groupData {
			value = value<<5 | uint32(digit)
		}
	}
	return value, checkDigit(index, digits[:groupData]) == digits[groupData]
}

// group returns the five digits of a group.
func (k Kit) group(index int) [groupLength]byte {
	value := uint32(0)
	for bit := index * groupBits; bit < (index+1)*groupBits; bit += 4 {
		value = value<<4 | uint32(k.secret[bit/8]>>(4-bit%8)&0xF)
	}
	var digits [groupLength]byte
	for j := groupData - 1; j >= 0; j-- {
		digits[j] = byte(value & 31)
		value >>= 5
	}
	digits[groupData] = checkDigit(index, digits[:groupData])
	return digits
}

func (k *Kit) setGroup(index int, value uint32) {
	shift := groupBits
	for bit := index * groupBits; bit < (index+1)*groupBits; bit += 4 {
		shift -= 4
		k.secret[bit/8] |= byte(value>>shift&0xF) << (4 - bit%8)
	}
}

// checkDigit weighs the digits of a group by different powers of a generator
// of GF(32), and adds the place of the group. In a field no nonzero error in
// one digit and no swap of two different ones gives the same sum, which sums
// modulo 32 cannot do.
func checkDigit(index int, digits []byte) byte {
	sum := byte(0)
	for _, digit := range digits {
		sum = double(sum ^ digit)
	}
	return sum ^ byte(index+1)
}

// double multiplies by the generator x of GF(32) = GF(2)[x]/(x^5+x^2+1),
// without a branch on the secret.
func double(v byte) byte { return v<<1&31 ^ v>>4*5 }

// LoginKey is the key that proves to the server whose kit this is.
func (k Kit) LoginKey() ed25519.PrivateKey {
	seed := keys.Derive(k.secret[:], keys.LabelLoginKit)
	return ed25519.NewKeyFromSeed(seed[:])
}

// UnlockKey opens the vault. Nothing that the server sees leads to it.
func (k Kit) UnlockKey() [keys.KeySize]byte { return keys.Derive(k.secret[:], keys.LabelUnlockKit) }

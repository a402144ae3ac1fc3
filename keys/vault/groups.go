package vault

import "strings"

// How bits are written for people to type: in groups of four characters and a
// check character.
const (
	groupBits   = 20
	groupData   = 4 // characters of five bits
	groupLength = groupData + 1
	// No I, L, O or U: they are misread, and the last makes words.
	groupAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)

// formatGroups writes the leading bits, groupBits a group, with dashes.
func formatGroups(bits []byte, n int) string {
	groups := make([]string, n)
	for i := range groups {
		v := group(bits, i)
		text := make([]byte, groupLength)
		for j := range text {
			text[j] = groupAlphabet[v[j]]
		}
		groups[i] = string(text)
	}
	return strings.Join(groups, "-")
}

// parseGroups reads what formatGroups wrote, as people type it, into bits that
// are zero. It is the first wrong group, from 1; 0 where all are right.
func parseGroups(bits []byte, n int, text string) int {
	groups := splitGroups(text, n)
	for i := range n {
		if i >= len(groups) {
			return i + 1
		}
		value, ok := parseGroup(i, groups[i])
		if !ok {
			return i + 1
		}
		setGroup(bits, i, value)
	}
	if len(groups) > n {
		return n
	}
	return 0
}

// splitGroups trusts the writer's separators when they make as many groups as
// there are, so that a missing character is found where it is missing.
func splitGroups(text string, n int) []string {
	groups := strings.FieldsFunc(text, func(r rune) bool {
		return strings.ContainsRune(" \t\r\n-_\u00a0\u2010\u2011\u2012\u2013\u2014", r)
	})
	if len(groups) == n {
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
		digit := strings.IndexByte(groupAlphabet, text[j])
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
func group(bits []byte, index int) [groupLength]byte {
	value := uint32(0)
	for bit := index * groupBits; bit < (index+1)*groupBits; bit += 4 {
		value = value<<4 | uint32(bits[bit/8]>>(4-bit%8)&0xF)
	}
	var digits [groupLength]byte
	for j := groupData - 1; j >= 0; j-- {
		digits[j] = byte(value & 31)
		value >>= 5
	}
	digits[groupData] = checkDigit(index, digits[:groupData])
	return digits
}

func setGroup(bits []byte, index int, value uint32) {
	shift := groupBits
	for bit := index * groupBits; bit < (index+1)*groupBits; bit += 4 {
		shift -= 4
		bits[bit/8] |= byte(value>>shift&0xF) << (4 - bit%8)
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

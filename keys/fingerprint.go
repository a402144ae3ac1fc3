package keys

import (
	"encoding/base32"
	"strings"
)

// Fingerprint names public keys. It is not secret.
type Fingerprint [32]byte

// Shapes of the two ways to read a fingerprint.
const (
	safetyWords     = 12
	fingerprintText = 52 // base32 of 32 bytes
	fingerprintStep = 4
)

func fingerprintEncoding() *base32.Encoding {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
}

// Words returns twelve safety words for two people to compare aloud. They
// cover the first 96 bits: to match somebody's words takes 2^96 key pairs.
func (f Fingerprint) Words() []string {
	list := wordList()
	words := make([]string, safetyWords)
	for i := range words {
		words[i] = list[f[i]]
	}
	return words
}

// String returns all 256 bits in lower-case base32 (RFC 4648), thirteen groups
// of four behind each other with dashes.
func (f Fingerprint) String() string {
	text := fingerprintEncoding().EncodeToString(f[:])
	var groups []string
	for ; text != ""; text = text[fingerprintStep:] {
		groups = append(groups, text[:fingerprintStep])
	}
	return strings.Join(groups, "-")
}

// ParseFingerprint is the inverse of String and takes nothing else. The error
// is ErrMalformed.
func ParseFingerprint(s string) (Fingerprint, error) {
	text := strings.ReplaceAll(s, "-", "")
	if len(text) != fingerprintText {
		return Fingerprint{}, ErrMalformed
	}
	b, err := fingerprintEncoding().DecodeString(text)
	if err != nil || len(b) != len(Fingerprint{}) {
		return Fingerprint{}, ErrMalformed
	}
	f := Fingerprint(b)
	// Dashes elsewhere, or unused bits that are set, would be a second
	// spelling of the same value.
	if f.String() != s {
		return Fingerprint{}, ErrMalformed
	}
	return f, nil
}

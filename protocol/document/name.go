package document

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the longest name of a document or folder part, in bytes; MaxFolder the longest folder.
const (
	MaxName   = 255
	MaxFolder = 1024
)

// ErrName says that a name or folder cannot be kept: empty, too long, or with characters that hide what it is.
var ErrName = errors.New("name cannot be used")

// CheckName refuses names that would leave a folder or look like another name: SPEC S-DOC-08.
func CheckName(name string) error {
	if name == "" || len(name) > MaxName || !utf8.ValidString(name) || name == "." || name == ".." {
		return ErrName
	}
	if strings.TrimSpace(name) != name {
		return ErrName
	}
	for _, r := range name {
		if r == '/' || r == '\\' || hidden(r) {
			return ErrName
		}
	}
	return nil
}

// CheckFolder refuses folders whose parts are no names. The top is "".
func CheckFolder(folder string) error {
	if folder == "" {
		return nil
	}
	if len(folder) > MaxFolder {
		return ErrName
	}
	for part := range strings.SplitSeq(folder, "/") {
		if err := CheckName(part); err != nil {
			return err
		}
	}
	return nil
}

// CheckTitle refuses names of people, matters and firms that hide characters or break lines.
func CheckTitle(title string) error {
	if title == "" || len(title) > MaxName || !utf8.ValidString(title) || strings.TrimSpace(title) != title {
		return ErrName
	}
	for _, r := range title {
		if hidden(r) {
			return ErrName
		}
	}
	return nil
}

// hidden reports control characters, line separators, and the marks that reorder what is shown (attack 60).
func hidden(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufeff' ||
		unicode.Is(unicode.Bidi_Control, r)
}

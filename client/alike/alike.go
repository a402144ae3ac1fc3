// Package alike finds names that look the same to a reader (attack 5): in other letters, as Cyrillic ones that are drawn like
// Latin ones, with marks that one overlooks, with characters that cannot be seen, or letter for letter.
//
// LookOf is what a name looks like; two names are alike where their looks are. Nothing is refused for it: people do have the same
// name. It is said, and then safety words tell them apart.
package alike

import (
	"strings"
	"unicode"

	"github.com/mtibben/confusables"
	"golang.org/x/text/unicode/norm"
)

// Look is what a name looks like: as it is written, and as it would be in small letters, since only one of I and i is
// drawn like l.
type Look struct{ written, small string }

// LookOf is the look of a name: Unicode's skeleton of it (UTS 39, section 4), without case, and without marks, which it keeps.
func LookOf(name string) Look {
	seen := shown(name)
	return Look{written: skeleton(strings.ToLower(skeleton(seen))), small: skeleton(strings.ToLower(seen))}
}

// Like is whether a reader may take one for the other. A name of which nothing is seen is like none.
func (l Look) Like(other Look) bool {
	if l.small == "" || other.small == "" {
		return false
	}
	return l.small == other.small || l.written == other.written || l.small == other.written || l.written == other.small
}

// shown is what of a name is seen: without characters that take no room, and with one space between words.
func shown(name string) string {
	visible := strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf, unicode.Cc, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			return -1
		}
		return r
	}, norm.NFKC.String(name))
	return strings.Join(strings.Fields(visible), " ")
}

func skeleton(text string) string {
	unmarked := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, confusables.Skeleton(text))
	return unmarked
}

// Package strength judges how easily a password is guessed: Dropbox's zxcvbn, which tries what crackers try (the commonest
// passwords, names, words, keyboards, dates, repetitions, in the spellings that people believe nobody thinks of) and counts how
// many guesses it takes.
//
// Of is all there is. What it answers is codes: screens have the sentences. It judges the first Length characters: more takes
// time that grows faster than the password, and says nothing new. The package links large lists, so that it is linked in the
// module for passwords and in the command line, and nowhere else.
package strength

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/trustelem/zxcvbn"
	"github.com/trustelem/zxcvbn/match"
)

// Length is how many characters are judged.
const Length = 72

// Warnings: what makes a password easy to guess.
const (
	WarnCommon   = "common"   // one of those that are tried first
	WarnWord     = "word"     // a word, or nearly
	WarnName     = "name"     // a name
	WarnPersonal = "personal" // what whoever knows the person tries first
	WarnKeyboard = "keyboard" // neighbours on a keyboard
	WarnRepeat   = "repeat"   // the same again and again
	WarnSequence = "sequence" // abc, 6543
	WarnDate     = "date"     // a year or a date
)

// Suggestions: what would help.
const (
	SuggestMoreWords  = "more-words"  // a few that do not go together
	SuggestSpelling   = "spelling"    // capitals, digits for letters and writing backwards do not help much
	SuggestNothingOwn = "nothing-own" // neither names nor dates of one's own
)

// Strength is what comes of it.
type Strength struct {
	Score       int     // 0 to 4: fewer than 10^3, 10^6, 10^9, 10^11 guesses, or more
	Guesses     float64 // decimal logarithm
	Warning     string  // empty where there is none
	Suggestions []string
}

// Of judges a password. words are what a guesser knows of its owner, whole or in parts.
func Of(password string, words []string) Strength {
	if r := []rune(password); len(r) > Length && utf8.ValidString(password) {
		password = string(r[:Length])
	}
	known := parts(words)
	r := zxcvbn.PasswordStrength(password, known)
	// What stands between words is counted as a piece of its own, and each piece counts for much, however easy it is. Guessers
	// try every such mark: the words are judged without it as well.
	if joined, several := join(password); several {
		if alone := zxcvbn.PasswordStrength(joined, known); alone.Guesses < r.Guesses {
			r = alone
		}
	}
	s := Strength{Guesses: math.Log10(max(1, r.Guesses)), Suggestions: []string{}}
	s.Score = score(s.Guesses)
	if s.Score > 2 {
		return s
	}
	s.Suggestions = append(s.Suggestions, SuggestMoreWords)
	if m := longest(r.Sequence); m != nil {
		s.Warning = warning(m)
		if m.Pattern == "dictionary" && (m.L33t || m.Reversed || m.UppercaseVariations > 1) {
			s.Suggestions = append(s.Suggestions, SuggestSpelling)
		}
	}
	if s.Warning == WarnPersonal || s.Warning == WarnDate || s.Warning == WarnName {
		s.Suggestions = append(s.Suggestions, SuggestNothingOwn)
	}
	return s
}

// score asks for more than zxcvbn does: there, three pieces are good whatever they are.
func score(guesses float64) int {
	for n, least := range []float64{3, 6, 9, 11} {
		if guesses < least {
			return n
		}
	}
	return 4
}

// join is a password without what separates its words, if it has several and nothing else: parts of two letters and less are
// the work of chance, or of somebody who knows why.
func join(password string) (joined string, several bool) {
	fields := strings.FieldsFunc(password, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for _, word := range fields {
		if utf8.RuneCountInString(word) < 3 {
			return "", false
		}
	}
	return strings.Join(fields, ""), len(fields) > 1
}

// parts are the words in what a guesser knows, and each as a whole.
func parts(words []string) (all []string) {
	for _, text := range words {
		text = strings.ToLower(strings.TrimSpace(text))
		fields := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		for _, part := range append(fields, text, strings.Join(fields, "")) {
			if len(part) > 2 {
				all = append(all, part)
			}
		}
	}
	return all
}

// longest is the part of a password that says most about it.
func longest(sequence []*match.Match) (found *match.Match) {
	for _, m := range sequence {
		if m.Pattern != "bruteforce" && (found == nil || len(m.Token) > len(found.Token)) {
			found = m
		}
	}
	return found
}

func warning(m *match.Match) string {
	switch m.Pattern {
	case "dictionary":
		switch m.DictionaryName {
		case "user_inputs":
			return WarnPersonal
		case "passwords":
			return WarnCommon
		case "surnames", "male_names", "female_names":
			return WarnName
		}
		return WarnWord
	case "spatial":
		return WarnKeyboard
	case "repeat":
		return WarnRepeat
	case "sequence":
		return WarnSequence
	case "regex", "date":
		return WarnDate
	}
	return ""
}

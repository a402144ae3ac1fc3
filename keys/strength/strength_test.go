package strength_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/underseal/underseal/keys/strength"
)

func TestOf(t *testing.T) {
	known := []string{"Ada Lovelace", "Advocate & Partners LLP", "ada.lovelace"}
	for password, c := range map[string]struct {
		least, most int // score
		warning     string
		suggests    string
	}{
		"":                              {0, 0, "", strength.SuggestMoreWords},
		"password":                      {0, 0, strength.WarnCommon, strength.SuggestMoreWords},
		"P4ssw0rd1234":                  {0, 2, strength.WarnCommon, strength.SuggestSpelling},
		"qwertyuiop[]":                  {0, 2, strength.WarnKeyboard, ""},
		"zxcvfr456yhn":                  {0, 2, strength.WarnKeyboard, ""},
		"aaaaaaaaaaaaaaaa":              {0, 0, strength.WarnRepeat, ""},
		"abcdefghijklmnop":              {0, 1, strength.WarnSequence, ""},
		"lovelace2024":                  {0, 2, strength.WarnPersonal, strength.SuggestNothingOwn},
		"AdvocatePartnersLLP":           {0, 2, strength.WarnPersonal, strength.SuggestNothingOwn},
		"adalovelace1":                  {0, 1, strength.WarnPersonal, strength.SuggestNothingOwn},
		"27.08.1956":                    {0, 1, strength.WarnDate, strength.SuggestNothingOwn},
		"abogadissimo":                  {1, 4, "", ""},
		"correct horse battery staple":  {4, 4, "", ""},
		"xkT9#mQ2vLp7":                  {4, 4, "", ""},
		"password password":             {0, 1, strength.WarnRepeat, ""},
		"letmein-letmein-letmein":       {0, 1, strength.WarnRepeat, ""},
		"monday tuesday":                {0, 2, "", strength.SuggestMoreWords},
		"lovelace 1815":                 {0, 2, strength.WarnPersonal, strength.SuggestNothingOwn},
		"passwordxpassword":             {0, 2, strength.WarnCommon, strength.SuggestMoreWords},
		"hidden copper tablet":          {3, 4, "", ""},
		"Tr0ub4dour&3":                  {1, 2, strength.WarnWord, strength.SuggestSpelling},
		"vier grüne Möbel am Fluß":      {4, 4, "", ""},
		strings.Repeat("p4$$w0rd", 900): {0, 1, strength.WarnRepeat, ""},
	} {
		s := strength.Of(password, known)
		if s.Score < c.least || s.Score > c.most {
			t.Errorf("%.30q scores %d (%.1f), want %d to %d", password, s.Score, s.Guesses, c.least, c.most)
		}
		if c.warning != "" && s.Warning != c.warning {
			t.Errorf("%.30q warns of %q, want %q", password, s.Warning, c.warning)
		}
		if c.suggests != "" && !slices.Contains(s.Suggestions, c.suggests) {
			t.Errorf("%.30q suggests %q, want %q", password, s.Suggestions, c.suggests)
		}
		if s.Score > 2 && (s.Warning != "" || len(s.Suggestions) > 0) {
			t.Errorf("%.30q is good, and something is said of it: %+v", password, s)
		}
	}
	if with, without := strength.Of("lovelace2024", known), strength.Of("lovelace2024", nil); with.Guesses >= without.Guesses {
		t.Error("what is known of a person makes nothing easier to guess")
	}
}

// TestTime: whatever somebody types, it is judged while he types. Half a second is ten times what the worst takes.
func TestTime(t *testing.T) {
	for _, password := range []string{strings.Repeat("a", 1<<20), strings.Repeat("4@({[<3691!|7$5+2%0", 1000), strings.Repeat("ab", 1<<19), strings.Repeat("\u0301", 5000)} {
		began := time.Now()
		strength.Of(password, []string{strings.Repeat("x ", 100)})
		t.Logf("%.10q: %v", password, time.Since(began).Round(time.Millisecond))
	}
}

// FuzzOf: nothing that somebody types makes it stop.
func FuzzOf(f *testing.F) {
	f.Fuzz(func(t *testing.T, password, word string) {
		s := strength.Of(password, []string{word})
		if s.Score < 0 || s.Score > 4 || s.Guesses < 0 || s.Suggestions == nil {
			t.Fatalf("%+v", s)
		}
		if !utf8.ValidString(password) && s.Score != 0 {
			t.Fatalf("what is no text scores %d", s.Score)
		}
	})
}

// TestCorpus fails when the fuzz test would run on nothing.
func TestCorpus(t *testing.T) {
	if files, err := filepath.Glob("testdata/fuzz/FuzzOf/*"); err != nil || len(files) == 0 {
		t.Errorf("no corpus: %v", err)
	}
}

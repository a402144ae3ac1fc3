package alike

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAlike(t *testing.T) {
	for _, c := range [][2]string{
		{"Clara Client", "Clara Client"},
		{"Clara Client", "Cl\u0430ra Client"},               // a Cyrillic a
		{"Clara Client", "\u0421l\u0430r\u0430 Client"},     // and C
		{"Clara Client", "clara CLIENT"},                    // case
		{"Clara Client", "Clara  Client"},                   // two spaces
		{"Clara Client", "Clara\u00a0Client"},               // one that does not break
		{"Clara Client", "Cla\u200bra Client"},              // no width
		{"Clara Client", "Cla\u200dra Client"},              // joined
		{"Clara Client", "Clara\ufe0f Client"},              // a variation
		{"Clara Client", "Clara\u3164 Client"},              // a filler
		{"Clara Client", "Cl\u1ea1ra Client"},               // a dot below
		{"Clara Client", "Cla\u0323ra Client"},              // and as a mark of its own
		{"Clara Client", "\uff23lara Client"},               // full width
		{"Clara Client", "\U0001d402lara Client"},           // a mathematician's C
		{"Clara Client", "\u13dflara Client"},               // Cherokee
		{"Clara Client", "C1ara Client"},                    // a digit
		{"Clara Client", "CIara Client"},                    // a capital I
		{"BOB", "\u0412\u041e\u0412"},                       // Cyrillic capitals
		{"Bob", "\u0412\u043eb"},                            // and with small letters
		{"Ian Fleming", "lan Fleming"},                      // a small l
		{"IAN FLEMING", "ian fleming"},                      // case alone
		{"Mia Burns", "Mia Bums"},                           // rn
		{"\u0391\u03b4\u03b1", "A\u03b4\u03b1"},             // a Greek capital
		{"Jos\u00e9 Fuentes", "Jose\u0301 Fuentes"},         // composed
		{"Jos\u00e9 Fuentes", "Jose Fuentes"},               // and without
		{"\u0141ukasz", "Lukasz"},                           // a stroke
		{"\ufb01nn", "finn"},                                // a ligature
		{"O\u2019Brien", "O'Brien"},                         // an apostrophe
		{"Anne\u2010Marie", "Anne-Marie"},                   // a hyphen
		{"\u0418\u0432\u0430\u043d", "\u0418\u0432a\u043d"}, // the other way
	} {
		a, b := LookOf(c[0]), LookOf(c[1])
		if !a.Like(b) || !b.Like(a) {
			t.Errorf("%q and %q are told apart: %q, %q", c[0], c[1], a, b)
		}
	}
	for _, c := range [][2]string{
		{"Clara Client", "Clara Clint"}, {"Ada", "Adam"}, {"Ann", "Anna"}, {"Clara Client", "Client Clara"}, {"Bob Barrister", "Rob Barrister"},
		{"\u738b\u4f1f", "\u738b\u82b3"}, {"\u0418\u0432\u0430\u043d", "Ivan"}, {"Smith", "Schmidt"}, {"", ""}, {"\u200b", "\u200b"}, {"\u200b", "Ada"},
	} {
		if LookOf(c[0]).Like(LookOf(c[1])) {
			t.Errorf("%q and %q are one", c[0], c[1])
		}
	}
}

func FuzzLookOf(f *testing.F) {
	for _, name := range []string{"Clara Client", "\u0421lara", "\u200b", "\xff", "a\u0323\u0301", "\u202eevil", "\ufb01", strings.Repeat("\u0301", 60)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		l := LookOf(name)
		if l != LookOf(name) {
			t.Error("asked again, another look")
		}
		if utf8.ValidString(name) && (!utf8.ValidString(l.small) || !utf8.ValidString(l.written)) {
			t.Errorf("%q looks like no text", name)
		}
		if l.small != "" && !l.Like(l) {
			t.Errorf("%q is not like itself", name)
		}
	})
}

package log

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"golang.org/x/mod/sumdb/note"

	"github.com/underseal/underseal/protocol/wire"
)

const testOrigin = "log.example/log/firm"

func testSigner(t testing.TB, origin string, seed byte) (*Signer, *Keys) {
	t.Helper()
	s, err := NewSigner(origin, [32]byte{seed}, [32]byte{seed, 1})
	if err != nil {
		t.Fatal(err)
	}
	k, err := ParseKeys(origin, s.VerifierKeys())
	if err != nil {
		t.Fatal(err)
	}
	return s, k
}

func signed(t testing.TB, s *Signer, c Checkpoint) []byte {
	t.Helper()
	b, err := s.Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// noteLines are the text of a note with its empty line, and the signature lines.
func noteLines(b []byte) (text string, lines []string) {
	text, rest, _ := strings.Cut(string(b), "\n\n")
	return text + "\n\n", slices.Collect(strings.Lines(rest))
}

// signText signs any text as the log would, were it to sign that.
func signText(s *Signer, text string, claimed Checkpoint, time uint64) []byte {
	ml := make([]byte, 8+mldsa44.SignatureSize)
	binary.BigEndian.PutUint64(ml, time)
	if err := mldsa44.SignTo(s.mldsa, cosignedMessage(s.origin, time, claimed), nil, false, ml[8:]); err != nil {
		panic(err)
	}
	return []byte(text + "\n" + signatureLine(&s.public[0], ed25519.Sign(s.ed, []byte(text))) + signatureLine(&s.public[1], ml))
}

// TestCheckpoint: what is signed opens, in both forms, and x/mod reads the same note.
func TestCheckpoint(t *testing.T) {
	s, k := testSigner(t, testOrigin, 1)
	for _, c := range []Checkpoint{{testOrigin, 0, Root(nil)}, {testOrigin, 1, wire.Hash{1}}, {testOrigin, 20852163, wire.Hash{2}}, {testOrigin, maxSize, wire.Hash{3}}} {
		b := signed(t, s, c)
		if got, err := k.Open(b); err != nil || got != c {
			t.Errorf("%d leaves: %v, %v", c.Size, got, err)
		}
		if !bytes.Equal(b, signed(t, s, c)) {
			t.Error("the same checkpoint gives other bytes")
		}
		v, err := note.NewVerifier(s.VerifierKeys()[0])
		if err != nil {
			t.Fatal(err)
		}
		if n, err := note.Open(b, note.VerifierList(v)); err != nil || n.Text != c.text() || len(n.UnverifiedSigs) != 1 {
			t.Errorf("another reader of notes: %v", err)
		}
		carried, err := Carried(b)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.OpenCarried(carried); err != nil || got != c {
			t.Errorf("%d leaves, carried: %v, %v", c.Size, got, err)
		}
		if again, err := Carried(carried); err != nil || !bytes.Equal(again, carried) {
			t.Error("carried twice:", err)
		}
		if len(carried) > 400 {
			t.Errorf("%d bytes are carried", len(carried))
		}
	}
	if k.Origin() != testOrigin {
		t.Error(k.Origin())
	}
	for _, printed := range []string{fmt.Sprint(s), fmt.Sprintf("%#v", s), fmt.Sprintf("%+v", s)} {
		if printed != "log.Signer(private)" {
			t.Error("a signer prints its keys")
		}
	}
}

// TestCosignedMessage: the structure of c2sp.org/tlog-cosignature, byte by byte.
func TestCosignedMessage(t *testing.T) {
	want := "subtree/v1\n\x00" + "\x02w1" + "\x00\x00\x00\x00\x64\x18\x50\xcb" + "\x03log" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x01\x3e\x2e\xc3" + strings.Repeat("\x07", 32)
	root := wire.Hash(bytes.Repeat([]byte{7}, 32))
	if got := cosignedMessage("w1", 0x641850cb, Checkpoint{"log", 20852419, root}); string(got) != want {
		t.Errorf("%q", got)
	}
	want = "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
	if got := cosignedText(1679315147, []byte(want[strings.Index(want, "example"):])); string(got) != want {
		t.Errorf("%q", got)
	}
}

// TestVerifierKey: spelled as x/mod spells it, and one key has another id for another purpose.
func TestVerifierKey(t *testing.T) {
	public := bytes.Repeat([]byte{9}, 32)
	got := VerifierKey(testOrigin, AlgEd25519, public)
	want, err := note.NewEd25519VerifierKey(testOrigin, public)
	if err != nil || got != want {
		t.Errorf("%s, want %s", got, want)
	}
	ids := map[string]bool{}
	for _, algorithm := range []byte{AlgEd25519, AlgCosigned} {
		v, err := parseVerifier(VerifierKey("w", algorithm, public))
		if err != nil {
			t.Fatal(err)
		}
		ids[v.id()] = true
	}
	if len(ids) != 2 {
		t.Error("one key id for two purposes")
	}
}

// TestCheckpointRefuses: every note that is not the log's, or not in its one form. S-LOG-07
func TestCheckpointRefuses(t *testing.T) {
	s, k := testSigner(t, testOrigin, 1)
	other, _ := testSigner(t, testOrigin, 2)
	c := Checkpoint{testOrigin, 1234, wire.Hash{7}}
	good := signed(t, s, c)
	text, lines := noteLines(good)
	_, foreign := noteLines(signed(t, other, c))
	_, later := noteLines(signed(t, s, Checkpoint{testOrigin, 1235, wire.Hash{7}}))
	root := base64.StdEncoding.EncodeToString(c.Root[:])
	body := func(origin, size, root, more string) []byte {
		text := origin + "\n" + size + "\n" + root + "\n" + more
		return signText(s, text, c, 0)
	}
	empty := Root(nil)
	spare := strings.TrimSuffix(root, "A=") + "B=" // the same bytes in another spelling
	for name, b := range map[string][]byte{
		"Ed25519 alone":           []byte(text + lines[0]),
		"ML-DSA-44 alone":         []byte(text + lines[1]),
		"Ed25519 swapped":         []byte(text + later[0] + lines[1]),
		"ML-DSA-44 swapped":       []byte(text + lines[0] + later[1]),
		"both swapped":            []byte(text + later[0] + later[1]),
		"another log of the name": []byte(text + foreign[0] + foreign[1]),
		"one of another log":      []byte(text + lines[0] + foreign[1]),
		"Ed25519 twice":           []byte(text + lines[0] + lines[0] + lines[1]),
		"ML-DSA-44 twice":         []byte(text + lines[0] + lines[1] + lines[1]),
		"a second that is bad":    []byte(text + lines[0] + lines[1] + later[0]),
		"a first that is bad":     []byte(text + later[0] + lines[0] + lines[1]),
		"signed with a time":      signText(s, c.text(), c, 1),
		"time beyond 2^63":        signText(s, c.text(), c, 1<<63),
		"extension line":          body(testOrigin, "1234", root, "more\n"),
		"empty extension line":    body(testOrigin, "1234", root, "\n"),
		"two lines":               signText(s, testOrigin+"\n1234\n", c, 0),
		"another origin":          signText(s, "log.example/log/other\n1234\n"+root+"\n", Checkpoint{"log.example/log/other", 1234, c.Root}, 0),
		"no origin":               body("", "1234", root, ""),
		"space in the origin":     body(testOrigin+" ", "1234", root, ""),
		"size with zeros":         body(testOrigin, "01234", root, ""),
		"size with a sign":        body(testOrigin, "+1234", root, ""),
		"size with a space":       body(testOrigin, " 1234", root, ""),
		"size in hex":             body(testOrigin, "0x4d2", root, ""),
		"size with a point":       body(testOrigin, "1234.0", root, ""),
		"no size":                 body(testOrigin, "", root, ""),
		"negative size":           body(testOrigin, "-1", root, ""),
		"size beyond all":         signText(s, testOrigin+"\n1152921504606846977\n"+root+"\n", Checkpoint{testOrigin, maxSize + 1, c.Root}, 0),
		"size beyond 64 bits":     body(testOrigin, "18446744073709551617", root, ""),
		"empty with another root": signText(s, testOrigin+"\n0\n"+root+"\n", Checkpoint{testOrigin, 0, c.Root}, 0),
		"root without padding":    body(testOrigin, "1234", strings.TrimSuffix(root, "="), ""),
		"root in another way":     body(testOrigin, "1234", spare, ""),
		"root for URLs":           body(testOrigin, "1234", base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{255}, 32)), ""),
		"root of 31 bytes":        body(testOrigin, "1234", base64.StdEncoding.EncodeToString(empty[:31]), ""),
		"root of 33 bytes":        body(testOrigin, "1234", base64.StdEncoding.EncodeToString(append(empty[:], 0)), ""),
		"carriage returns":        []byte(strings.ReplaceAll(string(good), "\n", "\r\n")),
		"nothing":                 nil,
		"no signature":            []byte(text),
		"text alone":              []byte(c.text()),
		"no newline at the end":   bytes.TrimSuffix(good, []byte("\n")),
		"a newline more":          append(bytes.Clone(good), '\n'),
		"something after":         append(bytes.Clone(good), "x\n"...),
		"a newline before":        append([]byte("\n"), good...),
		"hyphen for a dash":       []byte(strings.Replace(string(good), "—", "-", 1)),
		"two spaces":              []byte(strings.Replace(string(good), "— ", "—  ", 1)),
		"a space at a line's end": []byte(text + strings.TrimSuffix(lines[0], "\n") + " \n" + lines[1]),
		"a short signature line":  []byte(text + lines[0] + lines[1] + "— w AAAAAA==\n"),
		"a line without a name":   []byte(text + lines[0] + lines[1] + "—  AAAAAAAAAAA=\n"),
		"a line without a blob":   []byte(text + lines[0] + lines[1] + "— w\n"),
		"a blob in another way":   []byte(text + lines[0] + lines[1] + "— w AAAAAAAAAAB=\n"),
		"101 signatures":          []byte(text + lines[0] + lines[1] + strings.Repeat("— w AAAAAAAAAAA=\n", 99)),
		"half a megabyte":         []byte(text + lines[0] + lines[1] + "— w " + strings.Repeat("AAAA", MaxNoteSize/4) + "\n"),
	} {
		if got, err := k.Open(b); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for i := range good {
		x := bytes.Clone(good)
		x[i] ^= 1
		if _, err := k.Open(x); !errors.Is(err, ErrCheckpoint) {
			t.Fatalf("byte %d is not covered: %v", i, err)
		}
	}
	for _, cut := range []int{len(lines[1]) / 2, len(lines[1]) - 3, len(lines[0])} {
		if _, err := k.Open(good[:len(good)-cut]); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("cut by %d: %v", cut, err)
		}
	}
	// Lengths of a signature that are not an algorithm's.
	for _, blob := range [][]byte{{1}, make([]byte, 7), make([]byte, 8), make([]byte, 8+2419), make([]byte, 8+2421)} {
		if _, err := k.Open([]byte(text + lines[0] + signatureLine(&s.public[1], blob))); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("a signature of %d bytes: %v", len(blob), err)
		}
	}
	for _, b := range []string{text + lines[1] + lines[0], text + "— w AAAAAAAAAAA=\n" + lines[0] + foreign[0] + lines[1] + "— " + testOrigin + " AAAAAAAAAAA=\n"} {
		if got, err := k.Open([]byte(b)); err != nil || got != c {
			t.Errorf("unknown signatures, or another order: %v", err)
		}
	}
}

// TestCarriedRefuses: one Ed25519 line of the log and nothing else. S-CARRY-02
func TestCarriedRefuses(t *testing.T) {
	s, k := testSigner(t, testOrigin, 1)
	other, _ := testSigner(t, testOrigin, 2)
	c := Checkpoint{testOrigin, 1234, wire.Hash{7}}
	good := signed(t, s, c)
	text, lines := noteLines(good)
	_, foreign := noteLines(signed(t, other, c))
	_, later := noteLines(signed(t, s, Checkpoint{testOrigin, 1235, wire.Hash{7}}))
	for name, b := range map[string][]byte{
		"both": good, "ML-DSA-44": []byte(text + lines[1]), "of another log": []byte(text + foreign[0]), "swapped": []byte(text + later[0]), "twice": []byte(text + lines[0] + lines[0]),
		"an unknown one too": []byte(text + lines[0] + "— w AAAAAAAAAAA=\n"), "none": []byte(text), "nothing": nil,
	} {
		if _, err := k.OpenCarried(b); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%s: %v", name, err)
		}
	}
	foreignText := "log.example/log/other\n1\n" + strings.Split(text, "\n")[2] + "\n"
	_, signatures := noteLines(signText(s, foreignText, Checkpoint{}, 0))
	if _, err := k.OpenCarried([]byte(foreignText + "\n" + signatures[0])); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("signed under another origin: %v", err)
	}
	for name, b := range map[string][]byte{
		"ML-DSA-44": []byte(text + lines[1]), "two": []byte(text + lines[0] + foreign[0]), "another name": []byte(text + strings.Replace(lines[0], "— log", "— gol", 1)),
		"none": []byte(text), "nothing": nil, "a torn line": []byte(text + lines[0][:20]),
		"a line without its newline": []byte(text + strings.TrimSuffix(lines[0], "\n")),
	} {
		if _, err := Carried(b); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("carrying %s: %v", name, err)
		}
	}
}

// TestParseKeysRefuses: one key of each algorithm, both of the log. S-LOG-07
func TestParseKeysRefuses(t *testing.T) {
	s, _ := testSigner(t, testOrigin, 1)
	other, _ := testSigner(t, testOrigin, 2)
	named, _ := testSigner(t, "log.example/log/other", 1)
	keys, others, foreign := s.VerifierKeys(), other.VerifierKeys(), named.VerifierKeys()
	if _, err := ParseKeys(testOrigin, []string{keys[1], keys[0]}); err != nil {
		t.Error("the other order:", err)
	}
	public := s.public[0].public
	spaced := "log example"
	for name, vkeys := range map[string][]string{
		"none": nil, "Ed25519 alone": keys[:1], "ML-DSA-44 alone": keys[1:], "Ed25519 twice": {keys[0], keys[0]}, "two of Ed25519": {keys[0], others[0], keys[1]},
		"two of ML-DSA-44": {keys[0], keys[1], others[1]}, "another log's": foreign, "one of another log": {keys[0], foreign[1]},
		"a witness's": {VerifierKey(testOrigin, AlgCosigned, public), keys[1]}, "unknown algorithm": {keys[0], keys[1], VerifierKey(testOrigin, 7, public)},
		"short Ed25519": {VerifierKey(testOrigin, AlgEd25519, public[:31]), keys[1]}, "long Ed25519": {VerifierKey(testOrigin, AlgEd25519, append(bytes.Clone(public), 0)), keys[1]},
		"short ML-DSA-44": {keys[0], VerifierKey(testOrigin, AlgMLDSA44, s.public[1].public[1:])}, "empty": {"", keys[0], keys[1]}, "no key": {testOrigin + "+00000000+", keys[1]},
		"another key id": {strings.Replace(keys[0], keys[0][len(testOrigin)+1:len(testOrigin)+9], "00000000", 1), keys[1]}, "upper case": {strings.ToUpper(keys[0][:len(testOrigin)+9]) + keys[0][len(testOrigin)+9:], keys[1]},
		"without padding": {keys[0], strings.TrimSuffix(keys[1], "=")}, "a space": {keys[0] + " ", keys[1]}, "a newline": {keys[0][:60] + "\n" + keys[0][60:], keys[1]},
		"megabytes": {keys[0] + strings.Repeat("A", 1<<20), keys[1]},
	} {
		if _, err := ParseKeys(testOrigin, vkeys); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseKeys(spaced, []string{VerifierKey(spaced, AlgEd25519, public), VerifierKey(spaced, AlgMLDSA44, s.public[1].public)}); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("a name with a space: %v", err)
	}
	for _, origin := range []string{"", "a b", "a+b", "a\nb", "a\x00b", "a\u00a0b", "a\xff", strings.Repeat("a", 256)} {
		if _, err := NewSigner(origin, [32]byte{}, [32]byte{}); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("a log named %q: %v", origin, err)
		}
	}
	if _, err := NewSigner(strings.Repeat("a", 255), [32]byte{}, [32]byte{}); err != nil {
		t.Error("a name of 255 bytes:", err)
	}
	for name, c := range map[string]Checkpoint{"another origin": {"log.example/log/other", 1, wire.Hash{}}, "too large": {testOrigin, maxSize + 1, wire.Hash{}}, "an empty tree's root": {testOrigin, 0, wire.Hash{}}} {
		if _, err := s.Sign(c); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("signing %s: %v", name, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	s, k := testSigner(f, testOrigin, 1)
	good := signed(f, s, Checkpoint{testOrigin, 5, wire.Hash{1}})
	carried, err := Carried(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(carried)
	f.Add([]byte("a\n1\nb\n\n— a AAAA\n"))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, lines, err := splitNote(b)
		if err == nil {
			whole := c.text() + "\n"
			for _, l := range lines {
				whole += l.line
			}
			if whole != string(b) {
				t.Fatal("re-encodes differently")
			}
		} else if !errors.Is(err, ErrCheckpoint) {
			t.Fatal(err)
		}
		if _, err := k.Open(b); err == nil {
			if text, _ := noteLines(b); !strings.HasPrefix(string(good), text) {
				t.Fatal("opens what was never signed")
			}
		}
		if c, err := Carried(b); err == nil {
			if again, err := Carried(c); err != nil || !bytes.Equal(again, c) {
				t.Fatal("what is carried is not carried on")
			}
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	s, _ := testSigner(f, testOrigin, 1)
	for _, v := range s.VerifierKeys() {
		f.Add(v)
	}
	f.Add("a+00000000+AQ==")
	f.Fuzz(func(t *testing.T, vkey string) {
		if v, err := parseVerifier(vkey); err == nil && VerifierKey(v.name, v.algorithm, v.public) != vkey {
			t.Fatal("re-encodes differently")
		}
	})
}

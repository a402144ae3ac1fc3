package log

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cloudflare/circl/sign/mldsa/mldsa44"

	"github.com/underseal/underseal/protocol/wire"
)

// testWitness cosigns.
type testWitness struct {
	verifier
	ed    ed25519.PrivateKey
	mldsa *mldsa44.PrivateKey
}

func newWitness(name string, algorithm byte, seed byte) *testWitness {
	w := &testWitness{ed: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))}
	w.verifier = verifier{name: name, algorithm: algorithm, public: w.ed.Public().(ed25519.PublicKey)}
	if algorithm == AlgMLDSA44 {
		w.verifier.mldsa, w.mldsa = mldsa44.NewKeyFromSeed(&[32]byte{seed})
		w.public = w.verifier.mldsa.Bytes()
	}
	return w
}

func (w *testWitness) key() string { return VerifierKey(w.name, w.algorithm, w.public) }

func (w *testWitness) cosign(c Checkpoint, time uint64) string {
	blob := binary.BigEndian.AppendUint64(nil, time)
	if w.algorithm == AlgCosigned {
		blob = append(blob, ed25519.Sign(w.ed, cosignedText(time, []byte(c.text())))...)
	} else {
		sig := make([]byte, mldsa44.SignatureSize)
		if err := mldsa44.SignTo(w.mldsa, cosignedMessage(w.name, time, c), nil, false, sig); err != nil {
			panic(err)
		}
		blob = append(blob, sig...)
	}
	return signatureLine(&w.verifier, blob)
}

// edWitness is a witness line with a key of its own.
func edWitness(name string, seed byte) string {
	return "witness " + name + " " + newWitness(fmt.Sprintf("w%d.example", seed), AlgCosigned, seed).key() + "\n"
}

// TestPolicy: the example of c2sp.org/tlog-policy, with what the format allows around it. S-WIT-08
func TestPolicy(t *testing.T) {
	s, _ := testSigner(t, testOrigin, 1)
	keys := s.VerifierKeys()
	text := "# who is trusted\n\n \t\nlog " + keys[0] + " https://log.example/log/firm\n\t log  " + keys[1] + "\t\n" +
		edWitness("X1", 1) + edWitness("X2", 2) + "witness X3 " + newWitness("x3.example", AlgMLDSA44, 3).key() + " https://x3.example/\n" +
		"group X-witnesses 2 X1 X2 X3\n  # the others\n" + edWitness("Y1", 4) + edWitness("Y2", 5) + edWitness("\xff\xc2\xa0", 6) +
		"group Y-witnesses any Y1 Y2 \xff\xc2\xa0\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n" + edWitness("late", 7)
	p, err := ParsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Logs) != 2 || p.Logs[0] != (PolicyLog{testOrigin, keys[0], "https://log.example/log/firm"}) || p.Logs[1].URL != "" || len(p.Witnesses) != 7 ||
		p.Witnesses[2].URL != "https://x3.example/" || p.Witnesses[5].Name != "\xff\xc2\xa0" || p.QuorumNone() {
		t.Errorf("%+v", p)
	}
	if k, err := p.Keys(testOrigin); err != nil || k.Origin() != testOrigin {
		t.Error("the keys of its log:", err)
	}
	if _, err := p.Keys("log.example/log/other"); !errors.Is(err, ErrCheckpoint) {
		t.Error("the keys of a log that it does not name:", err)
	}
	for names, want := range map[string]bool{
		"": false, "X1 X2": false, "X1 X2 Y1": true, "X1 X3 Y2": true, "X1 Y1 Y2": false, "X1 X2 X3 \xff\xc2\xa0": true, "X1 X1 Y1": false, "Y1 Y2": false,
		"X-and-Y": false, "X-witnesses Y-witnesses": false, "late X1 Y1": false, "none": false, "X1 X2 Z": false,
	} {
		if got := p.Satisfied(strings.Split(names, " ")); got != want {
			t.Errorf("%s: %v", names, got)
		}
	}
	for _, tt := range []struct {
		cs   []Cosignature
		time uint64
		ok   bool
	}{
		{nil, 0, false},
		{[]Cosignature{{"X1", 30}, {"X2", 10}, {"Y1", 20}}, 10, true},
		{[]Cosignature{{"X1", 30}, {"X2", 10}, {"X3", 25}, {"Y1", 20}}, 20, true},
		{[]Cosignature{{"Y1", 5}, {"Y2", 40}, {"X1", 30}, {"X2", 10}, {"X3", 25}}, 25, true},
		{[]Cosignature{{"X1", 30}, {"X1", 31}, {"Y1", 32}}, 0, false},
		{[]Cosignature{{"X1", 0}, {"X2", 0}, {"Y1", 0}}, 0, true},
		{[]Cosignature{{"X1", 7}, {"X2", 7}, {"stranger", 9}}, 0, false},
	} {
		before := slices.Clone(tt.cs)
		if time, ok := p.WitnessedAt(tt.cs); time != tt.time || ok != tt.ok {
			t.Errorf("%v: %d, %v", tt.cs, time, ok)
		}
		if !slices.Equal(before, tt.cs) {
			t.Error("WitnessedAt writes to what it was given")
		}
	}
}

// TestPolicySmall: a quorum that is a witness, and one that is none.
func TestPolicySmall(t *testing.T) {
	one, err := ParsePolicy(edWitness("w", 1) + "quorum w\n")
	if err != nil || one.Satisfied(nil) || !one.Satisfied([]string{"w"}) || one.QuorumNone() {
		t.Error("one witness:", err)
	}
	for _, text := range []string{"quorum none\n", edWitness("w", 1) + "group g any w\nquorum none\n"} {
		none, err := ParsePolicy(text)
		if err != nil || !none.Satisfied(nil) || !none.QuorumNone() {
			t.Error("no quorum:", err)
			continue
		}
		// A policy without witnesses never makes a checkpoint fresh, whoever cosigned it.
		if time, ok := none.WitnessedAt([]Cosignature{{"w", 1 << 40}}); time != 0 || !ok {
			t.Errorf("without witnesses: %d, %v", time, ok)
		}
	}
	// 32 of each is what an implementation should take.
	var b strings.Builder
	for i := range 32 {
		name := fmt.Sprintf("log.example/%d", i)
		fmt.Fprintf(&b, "log %s\n%sgroup g%d all w%d\n", VerifierKey(name, AlgEd25519, newWitness(name, AlgEd25519, byte(100+i)).public), edWitness(fmt.Sprintf("w%d", i), byte(i)), i, i)
	}
	if _, err := ParsePolicy(b.String() + "quorum g31\n"); err != nil {
		t.Error("32 logs, witnesses and groups:", err)
	}
}

// TestPolicyRefuses: each rule of c2sp.org/tlog-policy. S-WIT-01
func TestPolicyRefuses(t *testing.T) {
	a, b, c := edWitness("a", 1), edWitness("b", 2), edWitness("c", 3)
	s, _ := testSigner(t, testOrigin, 1)
	other, _ := NewSigner("log.example/log/other", [32]byte{1}, [32]byte{1, 1})
	logKey := s.VerifierKeys()[0]
	key := func(name string, algorithm byte, seed byte) string { return newWitness(name, algorithm, seed).key() }
	many := func(line func(i int) string) string {
		var b strings.Builder
		for i := range maxPolicyLines + 1 {
			b.WriteString(line(i))
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"nothing":                           "",
		"no quorum":                         a,
		"two quorums":                       "quorum none\nquorum none\n",
		"a quorum of two":                   a + b + "quorum a b\n",
		"a quorum of nothing":               "quorum\n",
		"a quorum that is not defined":      "quorum a\n",
		"a quorum defined after it":         "quorum a\n" + a,
		"no newline at the end":             "quorum none",
		"carriage returns":                  "quorum none\r\n",
		"a form feed":                       "quorum\fnone\n",
		"a NUL":                             "quorum none\n#\x00\n",
		"a DEL":                             "quorum none\n#\x7f\n",
		"another keyword":                   "witnesses a\nquorum none\n",
		"upper case":                        "QUORUM none\n",
		"a comment behind":                  "quorum none # trusted\n",
		"a space of Unicode":                "quorum\u00a0none\n",
		"a byte order mark":                 "\ufeffquorum none\n",
		"a log without a key":               "log\nquorum none\n",
		"a log with two URLs":               "log " + logKey + " u v\nquorum none\n",
		"a malformed key":                   "log " + logKey[1:] + "\nquorum none\n",
		"a witness's key for a log":         "log " + key("l", AlgCosigned, 1) + "\nquorum none\n",
		"a log twice":                       "log " + logKey + "\nlog " + logKey + "\nquorum none\n",
		"a log twice, under another name":   "log " + logKey + "\nlog " + other.VerifierKeys()[0] + "\nquorum none\n",
		"a witness without a key":           "witness a\nquorum none\n",
		"a witness without a name":          "witness " + key("w", AlgCosigned, 1) + "\nquorum none\n",
		"a witness with two URLs":           strings.TrimSuffix(a, "\n") + " u v\nquorum none\n",
		"a log's key for a witness":         "witness a " + key("w", AlgEd25519, 1) + "\nquorum none\n",
		"a witness twice":                   a + a + "quorum none\n",
		"a witness's name twice":            a + "witness a " + key("w", AlgCosigned, 9) + "\nquorum none\n",
		"a witness's key twice":             a + "witness b " + key("w1.example", AlgCosigned, 1) + "\nquorum none\n",
		"a witness's key, another key name": a + "witness b " + key("b.example", AlgCosigned, 1) + "\nquorum none\n",
		"a witness called none":             "witness none " + key("w", AlgCosigned, 1) + "\nquorum none\n",
		"a group called none":               a + "group none any a\nquorum none\n",
		"a group called as a witness":       a + b + "group a any b\nquorum none\n",
		"a witness called as a group":       a + "group b any a\n" + b + "quorum none\n",
		"two groups of a name":              a + b + "group g any a\ngroup g any b\nquorum none\n",
		"a group without members":           a + "group g any\nquorum none\n",
		"a group of itself":                 "group g any g\nquorum none\n",
		"a group of none":                   "group g any none\nquorum none\n",
		"a member that is not defined":      a + "group g any a b\nquorum none\n",
		"a member defined after it":         "group g any a\n" + a + "quorum none\n",
		"a member twice in a group":         a + "group g 2 a a\nquorum none\n",
		"a member of two groups":            a + b + c + "group g any a b\ngroup h any c a\nquorum none\n",
		"a group in two groups":             a + b + c + "group g any a\ngroup h any g b\ngroup i any g c\nquorum none\n",
		"threshold 0":                       a + "group g 0 a\nquorum none\n",
		"threshold above":                   a + b + "group g 3 a b\nquorum none\n",
		"a negative threshold":              a + "group g -1 a\nquorum none\n",
		"a threshold with zeros":            a + "group g 01 a\nquorum none\n",
		"a threshold with a sign":           a + "group g +1 a\nquorum none\n",
		"a threshold in hex":                a + "group g 0x1 a\nquorum none\n",
		"a threshold beyond 64 bits":        a + "group g 18446744073709551617 a\nquorum none\n",
		"another word for a threshold":      a + "group g most a\nquorum none\n",
		"a megabyte":                        strings.Repeat("\n", maxPolicy) + "quorum none\n",
		"logs without end":                  many(func(i int) string { return "log " + key("l", AlgEd25519, byte(i)) + "\n" }) + "quorum none\n",
		"witnesses without end":             many(func(i int) string { return edWitness(fmt.Sprint("w", i), byte(i)) }) + "quorum none\n",
		"groups without end":                a + "group g0 any a\n" + many(func(i int) string { return fmt.Sprintf("group g%d any g%d\n", i+1, i) }) + "quorum none\n",
	} {
		if _, err := ParsePolicy(text); !errors.Is(err, ErrPolicy) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCosignatures: of known witnesses, both kinds; a bad one is an error, an unknown one is not. S-WIT-02
func TestCosignatures(t *testing.T) {
	s, k := testSigner(t, testOrigin, 1)
	c := Checkpoint{testOrigin, 77, wire.Hash{7}}
	w1, w2, stranger := newWitness("w1.example", AlgCosigned, 1), newWitness("w2.example", AlgMLDSA44, 2), newWitness("w3.example", AlgCosigned, 3)
	p, err := ParsePolicy("witness one " + w1.key() + "\nwitness two " + w2.key() + "\ngroup both all one two\nquorum both\n")
	if err != nil {
		t.Fatal(err)
	}
	good := string(signed(t, s, c))
	both := []byte(good + w2.cosign(c, 1000) + stranger.cosign(c, 5) + w1.cosign(c, 1<<63-1))
	cs, err := p.Cosignatures(both)
	if err != nil || !slices.Equal(cs, []Cosignature{{"one", 1<<63 - 1}, {"two", 1000}}) {
		t.Errorf("%v, %v", cs, err)
	}
	if time, ok := p.WitnessedAt(cs); time != 1000 || !ok {
		t.Errorf("witnessed at %d: %v", time, ok)
	}
	if got, err := k.Open(both); err != nil || got != c {
		t.Error("the log's own signatures beside them:", err)
	}
	for name, note := range map[string]string{"none": good, "a stranger's": good + stranger.cosign(c, 5), "one of another key id": good + strings.Replace(stranger.cosign(c, 5), "w3", "w1", 1)} {
		if cs, err := p.Cosignatures([]byte(note)); err != nil || len(cs) != 0 {
			t.Errorf("%s: %v, %v", name, cs, err)
		}
	}
	later := Checkpoint{testOrigin, 78, wire.Hash{7}}
	elsewhere := Checkpoint{"log.example/log/other", 77, wire.Hash{7}}
	for name, line := range map[string]string{
		"Ed25519 of another checkpoint": w1.cosign(later, 5), "ML-DSA-44 of another checkpoint": w2.cosign(later, 5), "Ed25519 of another log": w1.cosign(elsewhere, 5),
		"ML-DSA-44 of another log": w2.cosign(elsewhere, 5), "Ed25519 at another time": retimed(w1, c), "ML-DSA-44 at another time": retimed(w2, c),
		"Ed25519 beyond 2^63": w1.cosign(c, 1<<63), "ML-DSA-44 beyond 2^63": w2.cosign(c, 1<<63), "Ed25519 twice": w1.cosign(c, 5) + w1.cosign(c, 6), "ML-DSA-44 twice": w2.cosign(c, 5) + w2.cosign(c, 5),
		"Ed25519 over the plain text": signatureLine(&w1.verifier, append(make([]byte, 8), ed25519.Sign(w1.ed, []byte(c.text()))...)),
		"Ed25519 without its time":    signatureLine(&w1.verifier, ed25519.Sign(w1.ed, cosignedText(0, []byte(c.text())))), "a byte": signatureLine(&w1.verifier, []byte{1}),
		"ML-DSA-44 in another name": renamed(w2, c), "one bad, one good": w1.cosign(c, 5) + w2.cosign(later, 5), "no note": "x\n",
	} {
		if cs, err := p.Cosignatures([]byte(good + line)); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%s: %v, %v", name, cs, err)
		}
	}
}

// retimed is a cosignature whose time was changed after it was signed.
func retimed(w *testWitness, c Checkpoint) string {
	s, _ := parseSignature(w.cosign(c, 5))
	s.blob[7] = 6
	return signatureLine(&w.verifier, s.blob)
}

// renamed is w's signature over another witness's name, under w's.
func renamed(w *testWitness, c Checkpoint) string {
	x := *w
	x.name = "w9.example"
	s, _ := parseSignature(x.cosign(c, 5))
	return signatureLine(&w.verifier, s.blob)
}

func FuzzParsePolicy(f *testing.F) {
	f.Add(edWitness("a", 1) + edWitness("b", 2) + "group g 1 a b\nquorum g\n")
	f.Add("quorum none\n")
	f.Add("# x\n\n\tquorum \t none \n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePolicy(text)
		if err != nil {
			if !errors.Is(err, ErrPolicy) {
				t.Fatal(err)
			}
			return
		}
		var all []string
		for _, w := range p.Witnesses {
			all = append(all, w.Name)
		}
		// What every witness cosigned is enough, and what none did is not.
		if !p.Satisfied(all) || p.Satisfied(nil) != p.QuorumNone() {
			t.Fatal("a quorum that cannot be met, or is met by nobody")
		}
	})
}

package keys

import (
	"bytes"
	stdhpke "crypto/hpke"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
)

func testSeed(n byte) (seed [KeySize]byte) {
	for i := range seed {
		seed[i] = n
	}
	return seed
}

func testIdentity(t testing.TB, n byte) *Identity {
	t.Helper()
	id, err := NewIdentity(testSeed(n))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestLabels(t *testing.T) { // attack 21, S-KEYS-01
	file, err := parser.ParseFile(token.NewFileSet(), "labels.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]string{}
	for _, declaration := range file.Decls {
		constants, ok := declaration.(*ast.GenDecl)
		if !ok || constants.Tok != token.CONST {
			continue
		}
		for _, spec := range constants.Specs {
			value := spec.(*ast.ValueSpec)
			label, err := strconv.Unquote(value.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			if other, ok := declared[label]; ok {
				t.Errorf("%s and %s are both %q", value.Names[0], other, label)
			}
			declared[label] = value.Names[0].Name
		}
	}
	listed := map[string]bool{}
	for _, label := range Labels() {
		if listed[string(label)] {
			t.Errorf("%q is listed twice", label)
		}
		listed[string(label)] = true
		if declared[string(label)] == "" {
			t.Errorf("%q is listed and not declared", label)
		}
		purpose, ok := strings.CutPrefix(string(label), "underseal/v1/")
		if !ok || purpose == "" || len(label) > maxContext || strings.Trim(purpose, "abcdefghijklmnopqrstuvwxyz0123456789-/") != "" {
			t.Errorf("%q is not underseal/v1/<purpose>", label)
		}
	}
	for label, name := range declared {
		if !listed[label] {
			t.Errorf("%s is declared and not in Labels", name)
		}
	}
	if len(declared) < 30 {
		t.Errorf("%d labels found, want them all", len(declared))
	}
}

func TestDeriveSeparates(t *testing.T) { // attack 21
	secret := testSeed(1)
	seen := map[[KeySize]byte]string{}
	add := func(what string, key [KeySize]byte) {
		t.Helper()
		if other, ok := seen[key]; ok {
			t.Errorf("%s equals %s", what, other)
		}
		seen[key] = what
	}
	for _, label := range Labels() {
		add(string(label), Derive(secret[:], label))
		add(string(label)+" committed", Commit(secret[:], label))
	}
	const label = LabelKeyring
	add("context ab", Derive(secret[:], label, []byte("ab")))
	add("context a b", Derive(secret[:], label, []byte("a"), []byte("b")))
	add("context ab and nothing", Derive(secret[:], label, []byte("ab"), nil))
	add("nothing", Derive(secret[:], label, nil))
	add("context in the label", Derive(secret[:], label+"ab"))
	// A context cannot pretend to be two by holding a length itself.
	add("context with a length in it", Derive(secret[:], label, []byte("a\x00\x01b")))
	other := testSeed(2)
	add("another secret", Derive(other[:], label))
	if Derive(secret[:], label, []byte("a")) != Derive(secret[:], label, []byte("a")) {
		t.Error("Derive is not a function")
	}
	if Commit(secret[:], label) == Derive(secret[:], label, []byte(label)) || Commit(secret[:], LabelCommitment) == Derive(secret[:], LabelCommitment) {
		t.Error("a commitment is a derived key")
	}
}

// TestSignatureContexts signs for every purpose and verifies for every other.
func TestSignatureContexts(t *testing.T) { // attack 7, S-KEYS-05
	id, message := testIdentity(t, 1), []byte("message")
	for _, label := range Labels() {
		signature, err := id.Sign(label, message)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range Labels() {
			err := id.Public().Verify(other, message, signature)
			if other == label && err != nil {
				t.Errorf("%s: %v", label, err)
			}
			if other != label && !errors.Is(err, ErrSignature) {
				t.Errorf("%s verifies as %s: %v", label, other, err)
			}
		}
	}
}

func TestSignatureNeedsBothHalves(t *testing.T) { // attack 38, S-KEYS-04
	id, stranger, message := testIdentity(t, 1), testIdentity(t, 2), []byte("message")
	signature, err := id.Sign(LabelSignEntry, message)
	if err != nil {
		t.Fatal(err)
	}
	if len(signature) != SignatureSize || SignatureSize != 3373 || signKeySize != 1984 {
		t.Fatalf("signature of %d bytes, key of %d", len(signature), signKeySize)
	}
	theirs, err := stranger.Sign(LabelSignEntry, message)
	if err != nil {
		t.Fatal(err)
	}
	mldsaSize := SignatureSize - 64
	refuse := func(what string, signature []byte) {
		t.Helper()
		if err := id.Public().Verify(LabelSignEntry, message, signature); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v, want ErrSignature", what, err)
		}
	}
	refuse("another's", theirs)
	refuse("only ML-DSA ours", append(append([]byte(nil), signature[:mldsaSize]...), theirs[mldsaSize:]...))
	refuse("only Ed25519 ours", append(append([]byte(nil), theirs[:mldsaSize]...), signature[mldsaSize:]...))
	refuse("empty", nil)
	refuse("only ML-DSA", signature[:mldsaSize])
	refuse("only Ed25519", signature[mldsaSize:])
	refuse("short", signature[:SignatureSize-1])
	refuse("long", append(append([]byte(nil), signature...), 0))
	for i := range signature {
		changed := append([]byte(nil), signature...)
		changed[i] ^= 1 << (i % 8)
		refuse(fmt.Sprintf("byte %d", i), changed)
	}
	for _, other := range []string{"", "messagf", "message "} {
		if err := id.Public().Verify(LabelSignEntry, []byte(other), signature); !errors.Is(err, ErrSignature) {
			t.Errorf("another message: %v, want ErrSignature", err)
		}
	}
	long := Label(strings.Repeat("x", maxContext+1))
	if _, err := id.Sign(long, message); !errors.Is(err, ErrMalformed) {
		t.Errorf("context too long: %v, want ErrMalformed", err)
	}
	if err := id.Public().Verify(long, message, signature); !errors.Is(err, ErrSignature) {
		t.Errorf("context too long: %v, want ErrSignature", err)
	}
}

func TestIdentityComesFromSeed(t *testing.T) { // attacks 14, 16, 17, S-KEYS-02
	a, again, b := testIdentity(t, 1), testIdentity(t, 1), testIdentity(t, 2)
	if !a.Public().Equal(again.Public()) || a.Public().Equal(b.Public()) || a.Public().Equal(nil) {
		t.Error("public keys are not a function of the seed")
	}
	if a.Public().Fingerprint() == b.Public().Fingerprint() {
		t.Error("two identities have one fingerprint")
	}
	// Each key has a seed of its own.
	seed := testSeed(1)
	seen := map[[KeySize]byte]bool{seed: true}
	for _, label := range []Label{LabelIdentityWrap, LabelIdentitySign, LabelIdentitySignEd} {
		derived := Derive(seed[:], label)
		if seen[derived] {
			t.Errorf("%s is not separate", label)
		}
		seen[derived] = true
	}
	drawn, err := GenerateIdentitySeed(bytes.NewReader(seed[:]))
	if err != nil || drawn != seed {
		t.Errorf("GenerateIdentitySeed = %x, %v", drawn, err)
	}
	if drawn, err := GenerateIdentitySeed(bytes.NewReader(seed[:31])); err == nil || drawn != [KeySize]byte{} {
		t.Errorf("GenerateIdentitySeed of too little randomness: %v", err)
	}
	x, err := GenerateIdentitySeed(nil)
	y, err2 := GenerateIdentitySeed(nil)
	if err != nil || err2 != nil || x == y {
		t.Error("GenerateIdentitySeed draws nothing")
	}
}

func TestParsePublicKeys(t *testing.T) { // S-KEYS-03
	encoded := testIdentity(t, 1).Public().Bytes()
	if len(encoded) != PublicKeysSize || PublicKeysSize != 3200 {
		t.Fatalf("%d bytes, want 3200", len(encoded))
	}
	parsed, err := ParsePublicKeys(encoded)
	if err != nil || !bytes.Equal(parsed.Bytes(), encoded) {
		t.Fatalf("does not read its own encoding: %v", err)
	}
	unreduced := append([]byte(nil), encoded...)
	unreduced[0], unreduced[1] = 0xff, unreduced[1]|0x0f // a coefficient of 4095
	for name, b := range map[string][]byte{
		"empty": nil, "short": encoded[:PublicKeysSize-1], "long": append(encoded[:PublicKeysSize:PublicKeysSize], 0),
		"only the wrap key": encoded[:WrapKeySize], "unreduced": unreduced,
	} {
		if _, err := ParsePublicKeys(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
	// What was parsed does not change with the caller's slice.
	fingerprint := parsed.Fingerprint()
	clear(encoded)
	clear(parsed.Bytes())
	if parsed.Fingerprint() != fingerprint {
		t.Error("public keys share memory with the caller")
	}
}

func TestWrap(t *testing.T) { // attack 33, S-KEYS-06
	id, stranger := testIdentity(t, 1), testIdentity(t, 2)
	payload, info := testSeed(7), []byte("underseal/v1/wrap/epoch, matter, epoch 3, recipient")
	wrap, err := id.Public().WrapKey(nil, info, payload[:])
	if err != nil {
		t.Fatal(err)
	}
	if len(wrap) != 1168 || WrapOverhead != 1168-len(payload) {
		t.Errorf("wrap of %d bytes, want 1168", len(wrap))
	}
	if got, err := id.Unwrap(info, wrap); err != nil || !bytes.Equal(got, payload[:]) {
		t.Errorf("Unwrap: %v", err)
	}
	refuse := func(what string, id *Identity, info, wrap []byte) {
		t.Helper()
		if got, err := id.Unwrap(info, wrap); !errors.Is(err, ErrWrap) || got != nil || err.Error() != ErrWrap.Error() {
			t.Errorf("%s: %v, want exactly ErrWrap", what, err)
		}
	}
	refuse("another recipient", stranger, info, wrap)
	refuse("another epoch", id, []byte("underseal/v1/wrap/epoch, matter, epoch 4, recipient"), wrap)
	refuse("no context", id, nil, wrap)
	for _, n := range []int{0, 1, encapsulationSize, WrapOverhead - 1, len(wrap) - 1} {
		refuse("cut", id, info, wrap[:n])
	}
	refuse("extended", id, info, append(wrap[:len(wrap):len(wrap)], 0))
	for i := range wrap {
		changed := append([]byte(nil), wrap...)
		changed[i] ^= 1 << (i % 8)
		refuse(fmt.Sprintf("byte %d", i), id, info, changed)
	}
	again, err := id.Public().WrapKey(nil, info, payload[:])
	if err != nil || bytes.Equal(again, wrap) {
		t.Error("two wraps are the same")
	}
	if _, err := WrapTo(nil, make([]byte, WrapKeySize-1), info, payload[:]); !errors.Is(err, ErrMalformed) {
		t.Errorf("short key: %v, want ErrMalformed", err)
	}
	if _, err := id.Public().WrapKey(bytes.NewReader(nil), info, payload[:]); err == nil {
		t.Error("wrapped without randomness")
	}
}

// TestWrapAgainstStandardLibrary wraps with either of two implementations and
// unwraps with the other.
func TestWrapAgainstStandardLibrary(t *testing.T) {
	kdf, aead := stdhpke.HKDFSHA256(), stdhpke.ChaCha20Poly1305()
	for n := range byte(8) {
		seed := testSeed(n)
		ours, err := NewWrapKeyPair(seed)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := stdhpke.MLKEM768X25519().NewPrivateKey(seed[:])
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(ours.Public(), theirs.PublicKey().Bytes()) || len(ours.Public()) != WrapKeySize {
			t.Fatal("public keys differ")
		}
		info, payload := bytes.Repeat([]byte{n}, int(n)), bytes.Repeat([]byte{n}, int(n)*9)
		wrap, err := WrapTo(nil, ours.Public(), info, payload)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := stdhpke.Open(theirs, kdf, aead, info, wrap); err != nil || !bytes.Equal(got, payload) {
			t.Errorf("theirs of ours: %v", err)
		}
		wrap, err = stdhpke.Seal(theirs.PublicKey(), kdf, aead, info, payload)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ours.Unwrap(info, wrap); err != nil || !bytes.Equal(got, payload) {
			t.Errorf("ours of theirs: %v", err)
		}
	}
}

func TestFingerprint(t *testing.T) { // S-KEYS-09
	list := wordList()
	seen, starts := map[string]bool{}, map[string]bool{}
	for _, word := range list {
		if seen[word] || starts[word[:4]] || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz") != "" || len(word) < 4 || len(word) > 8 {
			t.Errorf("%q is a bad safety word", word)
		}
		seen[word], starts[word[:4]] = true, true
	}
	f := testIdentity(t, 1).Public().Fingerprint()
	words := f.Words()
	if len(words) != 12 || words[0] != list[f[0]] || words[11] != list[f[11]] {
		t.Errorf("words %v", words)
	}
	for i := range 12 {
		other := f
		other[i] ^= 1
		if strings.Join(other.Words(), " ") == strings.Join(words, " ") {
			t.Errorf("words do not cover byte %d", i)
		}
	}
	text := f.String()
	if got, err := ParseFingerprint(text); err != nil || got != f || len(text) != 52+12 {
		t.Errorf("ParseFingerprint(%q) = %v", text, err)
	}
	last := text[:len(text)-1] + string(text[len(text)-1]+1) // sets an unused bit
	for _, bad := range []string{"", text + "a", text[1:], strings.ToUpper(text), strings.ReplaceAll(text, "-", ""), "-" + text[:4] + text[5:], text[:len(text)-1] + "1", last, text + "\n"} {
		if _, err := ParseFingerprint(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("ParseFingerprint(%q): %v, want ErrMalformed", bad, err)
		}
	}
}

func TestPrivateKeysAreNotPrinted(t *testing.T) { // S-KEYS-08
	id := testIdentity(t, 1)
	pair, err := NewWrapKeyPair(testSeed(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []any{id, pair, struct{ Key *Identity }{id}, []*WrapKeyPair{pair}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			if text := fmt.Sprintf(verb, secret); len(text) > 120 {
				t.Errorf("%s of %T prints %d characters", verb, secret, len(text))
			}
		}
		if text, err := json.Marshal(secret); err == nil {
			t.Errorf("%T marshals to %s", secret, text)
		}
	}
	if s := id.String() + id.GoString() + pair.String() + pair.GoString(); strings.Contains(s, "010101") || len(s) > 200 {
		t.Errorf("printed %q", s)
	}
}

package vault

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
)

func fill[T ~[16]byte | ~[20]byte | ~[32]byte](n byte) (v T) {
	for i := range len(v) {
		setByte(&v, i, n+byte(i))
	}
	return v
}

func setByte[T ~[16]byte | ~[20]byte | ~[32]byte](v *T, i int, b byte) {
	switch v := any(v).(type) {
	case *[16]byte:
		v[i] = b
	case *[20]byte:
		v[i] = b
	case *[32]byte:
		v[i] = b
	}
}

func testKit(n byte) Kit { return Kit{fill[[kitSize]byte](n)} }

func TestWrapRoot(t *testing.T) { // attacks 14, 15, 17, 23, S-VAULT-01
	unlock, account, root := fill[[32]byte](1), fill[[16]byte](2), Root(fill[[32]byte](3))
	wrapped, err := Wrap(nil, unlock, MethodKit, account, root)
	if err != nil || len(wrapped) != WrappedSize {
		t.Fatalf("Wrap: %d bytes, %v", len(wrapped), err)
	}
	if got, err := Unwrap(unlock, MethodKit, account, wrapped); err != nil || got != root {
		t.Errorf("Unwrap: %v", err)
	}
	refuse := func(what string, unlock [32]byte, method Method, account [16]byte, wrapped []byte) {
		t.Helper()
		got, err := Unwrap(unlock, method, account, wrapped)
		if err != ErrUnlock || got != (Root{}) {
			t.Errorf("%s: %v, want exactly ErrUnlock and nothing", what, err)
		}
	}
	for _, method := range []Method{0, MethodPasskey, MethodPassphrase, MethodPassword, 5, 255} {
		refuse("another method", unlock, method, account, wrapped)
	}
	refuse("another account", unlock, MethodKit, fill[[16]byte](3), wrapped)
	for bit := range 256 {
		other := unlock
		other[bit/8] ^= 1 << (bit % 8)
		refuse("another key", other, MethodKit, account, wrapped)
	}
	for bit := range len(wrapped) * 8 {
		changed := append([]byte(nil), wrapped...)
		changed[bit/8] ^= 1 << (bit % 8)
		refuse("bit flip", unlock, MethodKit, account, changed)
	}
	for n := range len(wrapped) {
		refuse("cut", unlock, MethodKit, account, wrapped[:n])
	}
	refuse("extended", unlock, MethodKit, account, append(wrapped[:len(wrapped):len(wrapped)], 0))
	for _, method := range []Method{0, 5, 255} {
		if _, err := Wrap(nil, unlock, method, account, root); !errors.Is(err, ErrMethod) {
			t.Errorf("method %d: %v, want ErrMethod", method, err)
		}
	}
	// Authentic seals that Wrap would never make.
	for _, c := range []struct {
		name   string
		method Method
		root   []byte
	}{{"unknown method", 5, root[:]}, {"short root", MethodKit, root[:31]}, {"long root", MethodKit, append(root[:], 0)}, {"empty root", MethodKit, nil}} {
		odd, err := seal.Seal(nil, unlock[:], wrapContext(c.method, account), c.root)
		if err != nil {
			t.Fatal(err)
		}
		refuse(c.name, unlock, c.method, account, odd)
	}
	again, err := Wrap(nil, unlock, MethodKit, account, root)
	if err != nil || bytes.Equal(again, wrapped) {
		t.Error("two wraps are the same")
	}
	if _, err := Wrap(bytes.NewReader(nil), unlock, MethodKit, account, root); err == nil {
		t.Error("wrapped without randomness")
	}
}

func TestRootDerivesSeparately(t *testing.T) { // S-VAULT-06
	root := Root(fill[[32]byte](1))
	seen := map[[32]byte]bool{root: true}
	for _, key := range [][32]byte{root.IdentitySeed(fill[[16]byte](1)), root.IdentitySeed(fill[[16]byte](2)), root.KeyringKey(), root.CacheKey(), padded(root.AccountSecret())} {
		if seen[key] {
			t.Error("two keys of a root are the same")
		}
		seen[key] = true
	}
	a, err := GenerateRoot(nil)
	b, err2 := GenerateRoot(nil)
	if err != nil || err2 != nil || a == b || a == (Root{}) {
		t.Error("GenerateRoot draws nothing")
	}
	if root, err := GenerateRoot(bytes.NewReader(make([]byte, 31))); err == nil || root != (Root{}) {
		t.Error("GenerateRoot of too little randomness")
	}
}

// TestLoginTellsNothing plays the server: it has everything a login shows it,
// and tries all that it can derive from it as an unlock key.
func TestLoginTellsNothing(t *testing.T) { // attack 22, S-VAULT-02
	stretch := Stretch{Salt: fill[[16]byte](9), MemoryKiB: minMemoryKiB, Time: minTime, Threads: minThreads}
	passphrase, err := StretchPassphrase([]byte("correct horse"), stretch)
	if err != nil {
		t.Fatal(err)
	}
	account, root := fill[[16]byte](2), Root(fill[[32]byte](3))
	for _, c := range []struct {
		name   string
		method Method
		login  ed25519.PrivateKey
		unlock [32]byte
	}{
		{"kit", MethodKit, testKit(1).LoginKey(), testKit(1).UnlockKey()},
		{"passphrase", MethodPassphrase, passphrase.LoginKey(), passphrase.UnlockKey()},
	} {
		wrapped, err := Wrap(nil, c.unlock, c.method, account, root)
		if err != nil {
			t.Fatal(err)
		}
		signature := ed25519.Sign(c.login, []byte("challenge"))
		// Even the private login key, which the server never sees.
		known := [][]byte{c.login.Public().(ed25519.PublicKey), signature, signature[:32], signature[32:], c.login.Seed(), stretch.Bytes(), wrapped}
		for _, secret := range known {
			guesses := [][32]byte{}
			if len(secret) == 32 {
				guesses = append(guesses, [32]byte(secret))
			}
			for _, label := range keys.Labels() {
				guesses = append(guesses, keys.Derive(secret, label))
			}
			for _, guess := range guesses {
				if _, err := Unwrap(guess, c.method, account, wrapped); !errors.Is(err, ErrUnlock) {
					t.Errorf("%s: what the server sees unlocks", c.name)
				}
			}
		}
		if _, err := Unwrap(c.unlock, c.method, account, wrapped); err != nil {
			t.Errorf("%s: does not unlock: %v", c.name, err)
		}
	}
}

func TestPasskey(t *testing.T) { // S-VAULT-04
	if PasskeySalt() == [32]byte{} || PasskeySalt() != PasskeySalt() {
		t.Error("the salt is not a constant")
	}
	for _, n := range []int{0, 16, 31, 33, 64} {
		if _, err := PasskeyUnlockKey(make([]byte, n)); !errors.Is(err, ErrPRF) {
			t.Errorf("%d bytes: %v, want ErrPRF", n, err)
		}
	}
	output := fill[[32]byte](1)
	a, err := PasskeyUnlockKey(output[:])
	if err != nil || a == output {
		t.Errorf("PasskeyUnlockKey: %v", err)
	}
}

func padded(s AccountSecret) (key [32]byte) {
	copy(key[:], s[:])
	return key
}

// TestPassword plays a thief of each half: of the server, who guesses the
// password and has the export key, and of a device, who has the account secret.
func TestPassword(t *testing.T) { // attacks 22, 23, S-VAULT-02
	export := append(bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)...)
	account, root := fill[[16]byte](2), Root(fill[[32]byte](3))
	secret := root.AccountSecret()
	unlock, err := PasswordUnlockKey(export, secret)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := Wrap(nil, unlock, MethodPassword, account, root)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Unwrap(unlock, MethodPassword, account, wrapped); err != nil || got != root {
		t.Errorf("does not unlock: %v", err)
	}
	for bit := range len(export) * 8 {
		other := bytes.Clone(export)
		other[bit/8] ^= 1 << (bit % 8)
		guess, err := PasswordUnlockKey(other, secret)
		if err != nil || guess == unlock {
			t.Errorf("bit %d of the export key does nothing: %v", bit, err)
		}
	}
	for bit := range len(secret) * 8 {
		other := secret
		other[bit/8] ^= 1 << (bit % 8)
		guess, err := PasswordUnlockKey(export, other)
		if err != nil || guess == unlock {
			t.Errorf("bit %d of the account secret does nothing: %v", bit, err)
		}
	}
	for name, half := range map[string][]byte{"the export key": export, "the account secret": secret[:], "a half of it": export[:32]} {
		for _, label := range keys.Labels() {
			if _, err := Unwrap(keys.Derive(half, label), MethodPassword, account, wrapped); err != ErrUnlock {
				t.Errorf("%s alone unlocks under %s: %v", name, label, err)
			}
		}
	}
	if _, err := Unwrap(unlock, MethodPassphrase, account, wrapped); err != ErrUnlock {
		t.Errorf("a password's vault opens as a passphrase's: %v", err)
	}
	for _, n := range []int{0, 32, 63, 65, 84} {
		if key, err := PasswordUnlockKey(make([]byte, n), secret); !errors.Is(err, ErrExportKey) || key != [32]byte{} {
			t.Errorf("%d bytes: %v, want ErrExportKey", n, err)
		}
	}
}

func TestKit(t *testing.T) {
	for range 200 {
		kit, err := GenerateKit(nil)
		if err != nil {
			t.Fatal(err)
		}
		text := kit.String()
		if len(text) != 47 || strings.Count(text, "-") != 7 || strings.Trim(text, groupAlphabet+"-") != "" {
			t.Fatalf("printed form has %d characters", len(text))
		}
		spaced := strings.ReplaceAll(text, "-", " ")
		lookalike := strings.NewReplacer("0", "o", "1", "l").Replace(text)
		for _, typed := range []string{text, strings.ToLower(text), spaced, strings.ReplaceAll(text, "-", ""), " " + spaced + "\n", lookalike,
			strings.ReplaceAll(text, "-", " - "), strings.ReplaceAll(text, "-", "\u2013"), strings.Join(strings.Split(text, ""), " ")} {
			if got, err := ParseKit(typed); err != nil || got != kit {
				t.Errorf("a typed form does not parse: %v", err)
			}
		}
	}
	if kit, err := GenerateKit(bytes.NewReader(make([]byte, 19))); err == nil || kit != (Kit{}) {
		t.Error("GenerateKit of too little randomness")
	}
	if testKit(1).LoginKey().Equal(testKit(2).LoginKey()) || testKit(1).UnlockKey() == testKit(2).UnlockKey() {
		t.Error("two kits make the same keys")
	}
}

// TestKitTypos makes every mistake of its kinds and wants its group named.
func TestKitTypos(t *testing.T) { // S-VAULT-05
	wrong := func(what, typed string, group int) {
		t.Helper()
		kit, err := ParseKit(typed)
		var kitError *KitError
		if !errors.As(err, &kitError) || kitError.Group != group || kit != (Kit{}) {
			t.Errorf("%s: %v, want group %d", what, err, group)
		}
	}
	for n := range byte(20) {
		text := testKit(n * 11).String()
		for i := range text {
			if text[i] == '-' {
				continue
			}
			group := i/6 + 1
			for _, c := range groupAlphabet {
				if byte(c) != text[i] {
					wrong("typo", text[:i]+string(c)+text[i+1:], group)
					wrong("typo without dashes", strings.ReplaceAll(text[:i]+string(c)+text[i+1:], "-", ""), group)
				}
			}
			wrong("impossible letter", text[:i]+"U"+text[i+1:], group)
			wrong("character missing", text[:i]+text[i+1:], group)
			wrong("character doubled", text[:i]+text[i:i+1]+text[i:], group)
			for j := i + 1; j < group*6-1; j++ { // any two in the group
				if text[i] != text[j] {
					wrong("swap", text[:i]+text[j:j+1]+text[i+1:j]+text[i:i+1]+text[j+1:], group)
				}
			}
		}
		groups := strings.Split(text, "-")
		for i := range groups {
			for j := i + 1; j < len(groups); j++ {
				swapped := append([]string(nil), groups...)
				swapped[i], swapped[j] = swapped[j], swapped[i]
				wrong("groups swapped", strings.Join(swapped, "-"), i+1)
			}
		}
		wrong("last group missing", strings.Join(groups[:7], "-"), 8)
		wrong("a group too many", text+"-"+groups[7], 8)
	}
	wrong("nothing", "", 1)
	wrong("not ASCII", "\u0131\u017f\u212a\u0131\u0131-"+testKit(1).String()[6:], 1)
}

// TestDeviceCode: the code of a hash is its leading 100 bits, typed as a kit is, and a typing error has its group named. S-ENROL-03
func TestDeviceCode(t *testing.T) {
	for n := range byte(20) {
		hash := fill[[32]byte](n * 13)
		code := NewDeviceCode(hash)
		hash[12] ^= 0x0F
		hash[13]++
		if NewDeviceCode(hash) != code {
			t.Error("more than 100 bits")
		}
		hash[12] ^= 0x10
		if NewDeviceCode(hash) == code {
			t.Error("less than 100 bits")
		}
		text := code.String()
		if len(text) != 29 || strings.Count(text, "-") != 4 {
			t.Fatalf("%s", text)
		}
		for _, typed := range []string{text, strings.ToLower(text), strings.ReplaceAll(text, "-", ""), " " + strings.ReplaceAll(text, "-", " ") + "\n"} {
			if got, err := ParseDeviceCode(typed); err != nil || got != code {
				t.Errorf("a typed form does not parse: %v", err)
			}
		}
		wrong := func(typed string, group int) {
			t.Helper()
			got, err := ParseDeviceCode(typed)
			var codeError *CodeError
			if !errors.As(err, &codeError) || codeError.Group != group || got != (DeviceCode{}) {
				t.Errorf("%q: %v, want group %d", typed, err, group)
			}
		}
		for i := range text {
			if text[i] == '-' {
				continue
			}
			wrong(text[:i]+"U"+text[i+1:], i/6+1)
			if i%6 < 4 && text[i] != text[i+1] {
				wrong(text[:i]+text[i+1:i+2]+text[i:i+1]+text[i+2:], i/6+1)
			}
		}
		wrong(text[:23], 5)
		wrong(text+"-"+text[:5], 5)
		wrong("", 1)
	}
}

func TestStretchBounds(t *testing.T) { // S-VAULT-03
	s, err := DefaultStretch(nil)
	if err != nil || s.MemoryKiB != 65536 || s.Time != 3 || s.Threads != 1 || s.Salt == [16]byte{} {
		t.Fatalf("default: %+v, %v", s, err)
	}
	if got, err := ParseStretch(s.Bytes()); err != nil || got != s {
		t.Errorf("ParseStretch: %v", err)
	}
	for _, n := range []int{0, StretchSize - 1, StretchSize + 1} {
		if _, err := ParseStretch(make([]byte, n)); !errors.Is(err, ErrStretchMalformed) {
			t.Errorf("%d bytes: %v, want ErrStretchMalformed", n, err)
		}
	}
	for _, c := range []struct {
		memory, time uint32
		threads      uint8
		want         error
	}{
		{65535, 3, 1, ErrStretchWeak}, {0, 3, 1, ErrStretchWeak}, {65536, 2, 1, ErrStretchWeak}, {65536, 0, 1, ErrStretchWeak}, {65536, 3, 0, ErrStretchWeak},
		{1 << 19, 2, 1, ErrStretchWeak},
		{1<<19 + 1, 3, 1, ErrStretchHeavy}, {1<<32 - 1, 3, 1, ErrStretchHeavy}, {65536, 11, 1, ErrStretchHeavy}, {65536, 1<<32 - 1, 1, ErrStretchHeavy}, {65536, 3, 5, ErrStretchHeavy},
	} {
		s := Stretch{s.Salt, c.memory, c.time, c.threads}
		// Work done before the refusal would show: argon2 panics on zeros, and
		// the largest of these are terabytes and years.
		if p, err := StretchPassphrase([]byte("x"), s); !errors.Is(err, c.want) || p != (Passphrase{}) {
			t.Errorf("%d KiB, %d, %d: %v, want %v", c.memory, c.time, c.threads, err, c.want)
		}
		if _, err := ParseStretch(s.Bytes()); !errors.Is(err, c.want) {
			t.Errorf("parsing %d KiB, %d, %d: %v, want %v", c.memory, c.time, c.threads, err, c.want)
		}
	}
	if _, err := StretchPassphrase(nil, s); !errors.Is(err, ErrPassphraseEmpty) {
		t.Errorf("empty: %v, want ErrPassphraseEmpty", err)
	}
	a, _ := StretchPassphrase([]byte("x"), s)
	s.Salt[0] ^= 1
	b, _ := StretchPassphrase([]byte("x"), s)
	if a.UnlockKey() == b.UnlockKey() {
		t.Error("the salt does nothing")
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	kit := testKit(1)
	for _, secret := range []any{Root(fill[[32]byte](1)), Root(fill[[32]byte](1)).AccountSecret(), kit, Passphrase{fill[[32]byte](1)}, struct{ Root Root }{}, []Kit{kit}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%q", "%x", "%X", "%d"} {
			if text := fmt.Sprintf(verb, secret); !strings.Contains(text, "private") || len(text) > 60 {
				t.Errorf("%s of %T prints %d characters", verb, secret, len(text))
			}
		}
		if _, err := json.Marshal(secret); err == nil {
			t.Errorf("%T marshals", secret)
		}
	}
	if text := fmt.Sprintf("%s", kit); text != kit.String() {
		t.Error("the string verb of a kit is not its printed form")
	}
	_, err := ParseKit("SECRE-TTEXT")
	if err == nil || strings.Contains(err.Error(), "SECRE") {
		t.Errorf("the error repeats what was typed: %v", err)
	}
}

// TestKitCopy: a copy is tested by all of its groups or by those that were asked for, and the first that differs is named.
func TestKitCopy(t *testing.T) { // S-VAULT-05, S-VAULT-07
	kit, other := testKit(7), testKit(8)
	groups, wrong := strings.Split(kit.String(), "-"), strings.Split(other.String(), "-")
	for _, asked := range [][]int{{1, 8}, {3, 4}, {2, 7}} {
		a, b := groups[asked[0]-1], groups[asked[1]-1]
		for _, written := range []string{a + " " + b, strings.ToLower(a) + "-" + b, a + b, kit.String(), " " + strings.ReplaceAll(kit.String(), "-", " ")} {
			if err := kit.Matches(written, asked); err != nil {
				t.Errorf("%v: %v", asked, err)
			}
		}
		for written, group := range map[string]int{
			wrong[asked[0]-1] + " " + b: asked[0], a + " " + wrong[asked[1]-1]: asked[1], b + " " + a: asked[0], a + " " + a: asked[1],
			other.String(): 1, a: asked[1], "": asked[0], a + " " + b[:4]: asked[1], strings.Join(append(groups[:8:8], a), " "): 8, strings.Join(append(groups[:7:7], wrong[7]), "-"): 8,
		} {
			var kitError *KitError
			if err := kit.Matches(written, asked); !errors.As(err, &kitError) || kitError.Group != group {
				t.Errorf("%v: %v, want group %d", asked, err, group)
			}
		}
	}
	seen := map[[2]int]bool{}
	for range 4000 {
		asked, err := AskGroups(nil)
		if err != nil || len(asked) != 2 || asked[0] < 1 || asked[0] >= asked[1] || asked[1] > kitGroups {
			t.Fatalf("asked for %v: %v", asked, err)
		}
		seen[[2]int(asked)] = true
	}
	if len(seen) != kitGroups*(kitGroups-1)/2 {
		t.Errorf("%d pairs of groups were asked for", len(seen))
	}
}

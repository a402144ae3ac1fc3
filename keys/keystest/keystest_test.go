package keystest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/keys/vault"
)

var update = flag.Bool("update", false, "make keys/testdata/*.json again")

// TestVectors runs the committed vectors. With -update it makes them again:
// what a vector is for is said in its name and its class here, and a class
// that the code does not give is an error then, not a new vector.
func TestVectors(t *testing.T) {
	if *update {
		write(t)
	}
	files, err := filepath.Glob("../testdata/*.json")
	if err != nil || len(files) != 5 {
		t.Fatalf("%d files of vectors, want 5: %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cases, failures, err := Run(data)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, failure := range failures {
			t.Errorf("%s: %s", filepath.Base(file), failure)
		}
		t.Logf("%s: %d cases", filepath.Base(file), cases)
	}
}

// TestRunnerNotices feeds the runner vectors that must fail.
func TestRunnerNotices(t *testing.T) {
	good := Vector{Name: "x", Op: "parse-fingerprint", In: map[string]string{"text": "x"}, Error: "malformed"}
	for name, change := range map[string]func(*Vector){
		"":                   func(*Vector) {},
		"wrong class":        func(v *Vector) { v.Error = "open" },
		"should have worked": func(v *Vector) { v.Error = "" },
		"unknown op":         func(v *Vector) { v.Op = "guess" },
		"missing input":      func(v *Vector) { v.In = nil },
		"unused input":       func(v *Vector) { v.In = map[string]string{"text": "x", "more": "y"} },
	} {
		v := good
		change(&v)
		data, err := json.Marshal(File{[]Vector{v}})
		if err != nil {
			t.Fatal(err)
		}
		if cases, failures, err := Run(data); err != nil || cases != 1 || (len(failures) == 1) != (name != "") {
			t.Errorf("%q: %d cases, %v, %v", name, cases, failures, err)
		}
	}
	for _, data := range []string{"", "{}", `{"vectors":[],"more":1}`} {
		if _, _, err := Run([]byte(data)); err == nil {
			t.Errorf("%q runs", data)
		}
	}
}

// maker collects vectors and computes their outputs.
type maker struct {
	t    *testing.T
	file File
}

// add adds a vector; fields are name, value, name, value. Class "" is for one
// that works.
func (m *maker) add(name, op, class string, fields ...any) {
	m.t.Helper()
	v := Vector{Name: name, Op: op, In: map[string]string{}}
	for i := 0; i < len(fields); i += 2 {
		value := ""
		switch field := fields[i+1].(type) {
		case []byte:
			value = hex.EncodeToString(field)
		default:
			value = fmt.Sprint(field)
		}
		v.In[fields[i].(string)] = value
	}
	out, got, err := Evaluate(v)
	if err != nil || got != class {
		m.t.Fatalf("%s: class %q, %v, want %q", name, got, err, class)
	}
	v.Out, v.Error = out, got
	m.file.Vectors = append(m.file.Vectors, v)
}

func (m *maker) write(name string) {
	m.t.Helper()
	data, err := json.MarshalIndent(m.file, "", " ")
	if err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("..", "testdata", name), append(data, '\n'), 0o644); err != nil {
		m.t.Fatal(err)
	}
	m.file = File{}
}

func count(from, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(from + i)
	}
	return b
}

func changed(b []byte, at int) []byte {
	b = append([]byte(nil), b...)
	b[at] ^= 1
	return b
}

func joined(b ...[]byte) []byte { return bytes.Join(b, nil) }

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func write(t *testing.T) {
	m := &maker{t: t}
	writeDerive(m)
	writeIdentity(m)
	writeWrap(m)
	writeSeal(m)
	writeVault(m)
}

func writeDerive(m *maker) {
	secret := count(0, 32)
	for _, label := range keys.Labels() {
		m.add("derive "+string(label), "derive", "", "secret", secret, "label", label, "context", "")
	}
	label := keys.LabelKeyring
	for _, context := range []string{"6162", "61,62", "61,", ",61", "00", ","} {
		m.add("derive with context "+context, "derive", "", "secret", secret, "label", label, "context", context)
		m.add("commit with context "+context, "commit", "", "secret", secret, "label", label, "context", context)
	}
	m.add("commit without context", "commit", "", "secret", secret, "label", label, "context", "")
	m.write("derive.json")
}

func writeIdentity(m *maker) {
	t, bytesOf := m.t, must[[]byte](m.t)
	seed, label, message := count(0, 32), keys.LabelSignEntry, []byte("message")
	id := must[*keys.Identity](t)(keys.NewIdentity([32]byte(seed)))
	other := must[*keys.Identity](t)(keys.NewIdentity([32]byte(count(1, 32))))
	public := id.Public().Bytes()
	for _, seed := range [][]byte{seed, count(1, 32), make([]byte, 32), bytes.Repeat([]byte{255}, 32)} {
		m.add("identity of a seed", "identity", "", "seed", seed)
	}
	m.add("public keys", "parse-public-keys", "", "public", public)
	m.add("public keys cut", "parse-public-keys", "malformed", "public", public[:len(public)-1])
	m.add("public keys extended", "parse-public-keys", "malformed", "public", joined(public, []byte{0}))
	m.add("ML-KEM coefficient not reduced", "parse-public-keys", "malformed", "public", joined([]byte{0xff, public[1] | 0x0f}, public[2:]))
	text := id.Public().Fingerprint().String()
	m.add("fingerprint", "parse-fingerprint", "", "text", text)
	m.add("fingerprint without dashes", "parse-fingerprint", "malformed", "text", strings.ReplaceAll(text, "-", ""))
	m.add("fingerprint in upper case", "parse-fingerprint", "malformed", "text", strings.ToUpper(text))
	m.add("fingerprint cut", "parse-fingerprint", "malformed", "text", text[:len(text)-1])
	m.add("fingerprint with an unused bit", "parse-fingerprint", "malformed", "text", text[:len(text)-1]+string(text[len(text)-1]+1))

	signature := bytesOf(id.Sign(label, message))
	theirs := bytesOf(other.Sign(label, message))
	const half = keys.SignatureSize - 64
	sign := func(name, class string, label keys.Label, message, signature []byte) {
		m.add(name, "verify", class, "seed", seed, "label", label, "message", message, "signature", signature)
	}
	sign("signature", "", label, message, signature)
	sign("signature of nothing", "", label, nil, bytesOf(id.Sign(label, nil)))
	sign("another label", "signature", keys.LabelSignKeys, message, signature)
	sign("another message", "signature", label, []byte("massage"), signature)
	sign("another signer", "signature", label, message, theirs)
	sign("ML-DSA half changed", "signature", label, message, changed(signature, 100))
	sign("Ed25519 half changed", "signature", label, message, changed(signature, half+40))
	sign("ML-DSA half of another signer", "signature", label, message, joined(theirs[:half], signature[half:]))
	sign("Ed25519 half of another signer", "signature", label, message, joined(signature[:half], theirs[half:]))
	sign("ML-DSA half alone", "signature", label, message, signature[:half])
	sign("Ed25519 half alone", "signature", label, message, signature[half:])
	sign("signature extended", "signature", label, message, joined(signature, []byte{0}))
	m.write("identity.json")
}

func writeWrap(m *maker) {
	bytesOf := must[[]byte](m.t)
	seed, info, payload := count(0, 32), []byte("underseal/v1/wrap/epoch of a test"), count(100, 32)
	pair := must[*keys.WrapKeyPair](m.t)(keys.NewWrapKeyPair([32]byte(seed)))
	wrap := bytesOf(keys.WrapTo(nil, pair.Public(), info, payload))
	add := func(name, class string, seed, info, wrap []byte) {
		m.add(name, "unwrap", class, "seed", seed, "info", info, "wrap", wrap)
	}
	add("wrap", "", seed, info, wrap)
	add("wrap of nothing", "", seed, info, bytesOf(keys.WrapTo(nil, pair.Public(), info, nil)))
	add("wrap without info", "", seed, nil, bytesOf(keys.WrapTo(nil, pair.Public(), nil, payload)))
	add("another recipient", "wrap", count(1, 32), info, wrap)
	add("another info", "wrap", seed, changed(info, 30), wrap)
	add("info missing", "wrap", seed, nil, wrap)
	add("ML-KEM ciphertext changed", "wrap", seed, info, changed(wrap, 0))
	add("X25519 share changed", "wrap", seed, info, changed(wrap, 1088))
	add("ciphertext changed", "wrap", seed, info, changed(wrap, 1120))
	add("tag changed", "wrap", seed, info, changed(wrap, len(wrap)-1))
	add("cut", "wrap", seed, info, wrap[:len(wrap)-1])
	add("encapsulation alone", "wrap", seed, info, wrap[:1120])
	add("extended", "wrap", seed, info, joined(wrap, []byte{0}))
	add("empty", "wrap", seed, info, nil)
	m.write("wrap.json")
}

func writeSeal(m *maker) {
	t, bytesOf := m.t, must[[]byte](m.t)
	key, aad := count(0, 32), []byte("context of a test")
	const segment, capacity = seal.SmallSegment, seal.SmallSegment - seal.SegmentOverhead
	for _, n := range []int{0, 1, capacity, capacity + 1} {
		m.add(fmt.Sprintf("%d bytes", n), "open", "", "key", key, "aad", aad, "sealed", bytesOf(seal.Seal(nil, key, aad, count(0, n))))
	}
	small := bytesOf(seal.Seal(nil, key, aad, []byte("content")))
	add := func(name string, key, aad, sealed []byte) {
		m.add(name, "open", "open", "key", key, "aad", aad, "sealed", sealed)
	}
	add("another key", changed(key, 0), aad, small)
	add("another context", key, changed(aad, 0), small)
	add("no context", key, nil, small)
	add("cipher changed", key, aad, changed(small, 0))
	add("KDF changed", key, aad, changed(small, 1))
	add("segment length changed", key, aad, changed(small, 4))
	add("IV length changed", key, aad, changed(small, 9))
	add("IV changed", key, aad, changed(small, 10))
	add("header tag changed", key, aad, changed(small, 73))
	add("length word changed", key, aad, changed(small, 77))
	add("nonce changed", key, aad, changed(small, 78))
	add("ciphertext changed", key, aad, changed(small, 90))
	add("tag changed", key, aad, changed(small, len(small)-1))
	add("header alone", key, aad, small[:seal.HeaderSize])
	add("header cut", key, aad, small[:seal.HeaderSize-1])
	add("empty", key, aad, nil)
	add("cut", key, aad, small[:len(small)-1])
	add("extended", key, aad, joined(small, []byte{0}))

	var body bytes.Buffer
	w := must[*seal.Writer](t)(seal.NewWriter(nil, &body, key, aad, segment))
	if _, err := w.Write(count(7, 2*capacity+5)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	a, b, c := body.Bytes()[:segment], body.Bytes()[segment:2*segment], body.Bytes()[2*segment:]
	relabelled := joined([]byte{0, 0, segment >> 8, 0}, b[4:])
	for _, v := range []struct {
		name, class string
		segments    []byte
	}{
		{"three segments", "", joined(a, b, c)},
		{"reordered", "open", joined(b, a, c)},
		{"dropped", "open", joined(a, c)},
		{"doubled", "open", joined(a, a, b, c)},
		{"final one missing", "open", joined(a, b)},
		{"final one missing, length word rewritten", "open", joined(a, relabelled)},
		{"final one doubled", "open", joined(a, b, c, c)},
		{"nothing", "open", nil},
	} {
		m.add(v.name, "read", v.class, "key", key, "aad", aad, "header", w.Header(), "segments", v.segments, "segment", segment)
	}
	whole := joined(a, b, c)
	for _, v := range []struct {
		name, class          string
		size, offset, length int
	}{
		{"range across segments", "", 2*capacity + 5, capacity - 3, 6},
		{"range to the end", "", 2*capacity + 5, 2*capacity + 1, 100},
		{"range behind the end", "", 2*capacity + 5, 2*capacity + 5, 1},
		{"size one less", "open", 2*capacity + 4, 2 * capacity, 1},
		{"size one more", "open", 2*capacity + 6, 2 * capacity, 1},
		{"size of two segments", "open", 2 * capacity, capacity, 1},
		{"size of four segments", "open", 3*capacity + 5, 2 * capacity, 1},
		{"negative size", "parameters", -1, 0, 1},
	} {
		m.add(v.name, "read-range", v.class, "key", key, "aad", aad, "header", w.Header(), "segments", whole, "segment", segment,
			"size", v.size, "offset", v.offset, "length", v.length)
	}
	for _, index := range []int{0, 1, seal.SegmentsPerKey - 1, seal.SegmentsPerKey} {
		m.add(fmt.Sprintf("key of segment %d", index), "segment-key", "", "key", key, "aad", aad, "header", w.Header(), "segment", segment, "index", index)
	}
	m.add("another segment length", "segment-key", "open", "key", key, "aad", aad, "header", w.Header(), "segment", seal.BodySegment, "index", 0)
	m.add("no segment length of ours", "segment-key", "parameters", "key", key, "aad", aad, "header", w.Header(), "segment", 65536, "index", 0)
	m.write("seal.json")
}

func writeVault(m *maker) {
	t := m.t
	unlock, account, root := count(0, 32), count(50, 16), count(100, 32)
	wrapped := must[[]byte](t)(vault.Wrap(nil, [32]byte(unlock), vault.MethodKit, [16]byte(account), vault.Root(root)))
	add := func(name, class string, unlock []byte, method int, account, wrapped []byte) {
		m.add(name, "vault-unwrap", class, "unlock", unlock, "method", method, "account", account, "wrapped", wrapped)
	}
	add("vault", "", unlock, 2, account, wrapped)
	add("another unlock key", "unlock", changed(unlock, 0), 2, account, wrapped)
	add("another method", "unlock", unlock, 1, account, wrapped)
	add("method of a password", "unlock", unlock, 4, account, wrapped)
	add("reserved method", "unlock", unlock, 5, account, wrapped)
	password := must[[]byte](t)(vault.Wrap(nil, [32]byte(unlock), vault.MethodPassword, [16]byte(account), vault.Root(root)))
	add("vault of a password", "", unlock, 4, account, password)
	add("vault of a password as a passphrase's", "unlock", unlock, 3, account, password)
	add("another account", "unlock", unlock, 2, changed(account, 0), wrapped)
	add("vault changed", "unlock", unlock, 2, account, changed(wrapped, 100))
	add("vault cut", "unlock", unlock, 2, account, wrapped[:len(wrapped)-1])
	add("vault extended", "unlock", unlock, 2, account, joined(wrapped, []byte{0}))
	m.add("keys of a root", "vault-root", "", "root", root, "salt", account)
	m.add("keys of a root in another firm", "vault-root", "", "root", root, "salt", changed(account, 0))

	text := must[vault.Kit](t)(vault.GenerateKit(bytes.NewReader(count(1, 20)))).String()
	m.add("kit", "kit", "", "text", text)
	m.add("kit typed in lower case with spaces", "kit", "", "text", strings.ToLower(strings.ReplaceAll(text, "-", " ")))
	m.add("kit typed without groups", "kit", "", "text", strings.ReplaceAll(text, "-", ""))
	m.add("kit of zeros", "kit", "", "text", must[vault.Kit](t)(vault.GenerateKit(bytes.NewReader(make([]byte, 20)))).String())
	groups := strings.Split(text, "-")
	for i, group := range groups {
		typo := append([]string(nil), groups...)
		typo[i] = group[:2] + string("23"[group[2]&1]) + group[3:]
		if typo[i] == group {
			typo[i] = group[:2] + "9" + group[3:]
		}
		m.add(fmt.Sprintf("typo in group %d", i+1), "kit", fmt.Sprintf("kit-group-%d", i+1), "text", strings.Join(typo, "-"))
	}
	swap := groups[0][1:2] + groups[0][:1] + groups[0][2:]
	m.add("two letters swapped", "kit", "kit-group-1", "text", strings.Join(append([]string{swap}, groups[1:]...), "-"))
	m.add("two groups swapped", "kit", "kit-group-1", "text", strings.Join(append([]string{groups[1], groups[0]}, groups[2:]...), "-"))
	m.add("letter that does not exist", "kit", "kit-group-1", "text", "U"+text[1:])
	m.add("last group missing", "kit", "kit-group-8", "text", strings.Join(groups[:7], "-"))
	m.add("no kit", "kit", "kit-group-1", "text", "")

	salt := count(200, 16)
	stretch := func(memory uint32, time uint32, threads uint8) []byte {
		return vault.Stretch{Salt: [16]byte(salt), MemoryKiB: memory, Time: time, Threads: threads}.Bytes()
	}
	m.add("default stretch", "stretch-default", "", "salt", salt)
	pass := func(name, class, passphrase string, stretch []byte) {
		m.add(name, "passphrase", class, "passphrase", passphrase, "stretch", stretch)
	}
	pass("passphrase", "", "correct horse", stretch(65536, 3, 1))
	pass("empty passphrase", "passphrase-empty", "", stretch(65536, 3, 1))
	pass("memory below the floor", "stretch-weak", "x", stretch(65535, 3, 1))
	pass("memory above the ceiling", "stretch-heavy", "x", stretch(1<<19+1, 3, 1))
	pass("time below the floor", "stretch-weak", "x", stretch(65536, 2, 1))
	pass("time above the ceiling", "stretch-heavy", "x", stretch(65536, 11, 1))
	pass("no threads", "stretch-weak", "x", stretch(65536, 3, 0))
	pass("threads above the ceiling", "stretch-heavy", "x", stretch(65536, 3, 5))
	pass("stretch cut", "stretch-size", "x", stretch(65536, 3, 1)[:24])
	pass("stretch extended", "stretch-size", "x", joined(stretch(65536, 3, 1), []byte{0}))

	m.add("passkey salt", "passkey-salt", "")
	m.add("passkey", "passkey", "", "prf", count(0, 32))
	m.add("PRF output cut", "passkey", "prf", "prf", count(0, 31))
	m.add("PRF output extended", "passkey", "prf", "prf", count(0, 33))
	m.add("no PRF output", "passkey", "prf", "prf", []byte(nil))
	m.add("password", "password", "", "export", count(0, 64), "root", root)
	m.add("password of another root", "password", "", "export", count(0, 64), "root", changed(root, 0))
	m.add("another password", "password", "", "export", changed(count(0, 64), 63), "root", root)
	m.add("export key cut", "password", "export-key", "export", count(0, 63), "root", root)
	m.add("export key extended", "password", "export-key", "export", count(0, 65), "root", root)
	m.write("vault.json")
}

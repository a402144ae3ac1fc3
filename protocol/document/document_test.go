package document

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/wire"
)

func testHeader(length uint64) Header {
	return Header{Compartment: wire.Hash{1}, Document: wire.ObjectID{2}, Version: wire.ObjectID{3}, Author: keys.Fingerprint{4}, Padded: PaddedLength(length)}
}

func testManifest(length uint64) Manifest {
	return Manifest{Name: "brief.pdf", Folder: "a/b", MediaType: "application/pdf", Length: length, BodyRoot: wire.Hash{5}}
}

func testVersion(t testing.TB) (Version, Key) {
	t.Helper()
	key, err := NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVersion(rand.Reader, testHeader(100), make([]byte, seal.HeaderSize), key, testManifest(100), [32]byte{6}, [32]byte{7})
	if err != nil {
		t.Fatal(err)
	}
	return v, key
}

// TestHeader: 105 bytes, suite 1, a padded length that there is. S-DOC-02
func TestHeader(t *testing.T) {
	b := testHeader(100_000).Bytes()
	if len(b) != HeaderSize || HeaderSize != 105 {
		t.Fatalf("%d bytes", len(b))
	}
	if h, err := ParseHeader(b); err != nil || h != testHeader(100_000) {
		t.Fatal(err)
	}
	for n := range b {
		if _, err := ParseHeader(b[:n]); err == nil {
			t.Errorf("%d bytes parse", n)
		}
	}
	for _, padded := range []uint64{0, 1, MinBody - 1, MinBody + 1, MaxBody + 1, 1 << 41, 1<<64 - 1, 100_000} {
		h := testHeader(100)
		h.Padded = padded
		if _, err := ParseHeader(h.Bytes()); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("padded length %d: %v", padded, err)
		}
	}
	b[0] = 2
	if _, err := ParseHeader(b); !errors.Is(err, wire.ErrSuite) {
		t.Errorf("suite 2: %v", err)
	}
}

// TestPadding: few lengths, each at least the content's, none more than 12 percent above it, and each its own (attacks 44, 79). S-DOC-03
func TestPadding(t *testing.T) {
	for length, want := range map[uint64]uint64{0: 16384, 1: 16384, 16384: 16384, 16385: 17408, 100_000: 100_352, 1 << 20: 1 << 20, 1<<20 + 1: 1<<20 + 1<<15, MaxBody - 1: MaxBody, MaxBody: MaxBody} {
		if got := PaddedLength(length); got != want {
			t.Errorf("%d: %d, want %d", length, got, want)
		}
	}
	sizes := map[uint64]bool{}
	for n := uint64(0); n <= 64<<20; n += 509 {
		p := PaddedLength(n)
		if p < n || (n >= MinBody && p > n+n*12/100) || PaddedLength(p) != p {
			t.Fatalf("%d is padded to %d", n, p)
		}
		sizes[p] = true
	}
	if len(sizes) > 421 {
		t.Errorf("%d sizes up to 64 MiB", len(sizes))
	}
	// Lengths of a sealed body and of its chunks belong together, at every edge.
	for _, n := range []uint64{0, 1, 262_112, 262_113, 4_193_792, 4_193_793, 4 << 20, 5 << 20, 1 << 30} {
		p, sum := PaddedLength(n), int64(0)
		for i := range Chunks(p) {
			l := ChunkLength(p, i)
			if l <= 0 || l > ChunkSize || (i < Chunks(p)-1 && l != ChunkSize) {
				t.Errorf("%d: chunk %d has %d bytes", n, i, l)
			}
			sum += l
		}
		if uint64(sum) != SealedLength(p) || ChunkLength(p, Chunks(p)) != 0 || ChunkLength(p, -1) != 0 {
			t.Errorf("%d: chunks of %d bytes for %d", n, sum, SealedLength(p))
		}
	}
}

// TestDigests: a list that is not the signed one is refused whole (attacks 40, 49). S-DOC-06
func TestDigests(t *testing.T) {
	h := testHeader(9 << 20)
	list := make([]wire.Hash, Chunks(h.Padded))
	for i := range list {
		list[i] = wire.Hash{byte(i)}
	}
	root := BodyRoot(list)
	if err := CheckDigests(h, root, list); err != nil || len(list) != 3 {
		t.Fatal(err)
	}
	for name, bad := range map[string][]wire.Hash{"none": nil, "cut": list[:2], "extended": append(append([]wire.Hash(nil), list...), wire.Hash{}), "exchanged": {list[1], list[0], list[2]},
		"doubled": {list[0], list[0], list[2]}, "changed": {list[0], list[1], {9}}} {
		if err := CheckDigests(h, root, bad); !errors.Is(err, ErrBodyRoot) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A root over fewer leaves does not stand for more: nodes and leaves are told apart.
	two := BodyRoot(list[:2])
	if err := CheckDigests(testHeader(100), two, []wire.Hash{two}); !errors.Is(err, ErrBodyRoot) {
		t.Errorf("a node for a leaf: %v", err)
	}
}

// TestVersion: key, manifest and body each open for this version and this purpose alone (attacks 41, 42, 43). S-DOC-04 S-DOC-09
func TestVersion(t *testing.T) {
	v, key := testVersion(t)
	if m, err := v.OpenManifest([32]byte{7}); err != nil || m != testManifest(100) {
		t.Fatal(err)
	}
	if k, err := v.OpenKey([32]byte{6}); err != nil || k != key {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Header){
		"compartment": func(h *Header) { h.Compartment[0] ^= 1 }, "document": func(h *Header) { h.Document[0] ^= 1 }, "version": func(h *Header) { h.Version[0] ^= 1 },
		"author": func(h *Header) { h.Author[0] ^= 1 }, "length": func(h *Header) { h.Padded = PaddedLength(1 << 20) },
	} {
		x := v
		change(&x.Header)
		if _, err := x.OpenManifest([32]byte{7}); !errors.Is(err, ErrManifest) {
			t.Errorf("the manifest with another %s: %v", name, err)
		}
		if _, err := x.OpenKey([32]byte{6}); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("the key with another %s: %v", name, err)
		}
		if bytes.Equal(x.BodyContext(), v.BodyContext()) {
			t.Errorf("the body's context does not say the %s", name)
		}
	}
	x := v
	x.Manifest, x.WrappedKey = v.WrappedKey, v.Manifest
	if _, err := x.OpenManifest([32]byte{6}); !errors.Is(err, ErrManifest) {
		t.Errorf("a key as a manifest: %v", err)
	}
	if _, err := x.OpenKey([32]byte{7}); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("a manifest as a key: %v", err)
	}
	x = v
	x.BodyRoot[0] ^= 1
	if _, err := x.OpenManifest([32]byte{7}); !errors.Is(err, ErrManifest) {
		t.Errorf("another body root: %v", err)
	}
	again, other := testVersion(t)
	if other == key || bytes.Equal(again.WrappedKey, v.WrappedKey) || bytes.Equal(again.Manifest, v.Manifest) {
		t.Error("two versions share something")
	}
	if _, err := NewKey(bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("a key of too little randomness")
	}
	for name, change := range map[string]func(*Manifest){
		"name": func(m *Manifest) { m.Name = "../x" }, "folder": func(m *Manifest) { m.Folder = "/" }, "length": func(m *Manifest) { m.Length = 1 << 20 },
		"huge length": func(m *Manifest) { m.Length = 1<<64 - 1 }, "sensitivity": func(m *Manifest) { m.Sensitivity = 2 }, "type": func(m *Manifest) { m.MediaType = strings.Repeat("x", 256) },
	} {
		m := testManifest(100)
		change(&m)
		if _, err := NewVersion(rand.Reader, testHeader(100), nil, key, m, [32]byte{6}, [32]byte{7}); err == nil {
			t.Errorf("made with a bad %s", name)
		}
	}
}

// TestManifestPadding: zeros, exactly as many as the rule says. S-DOC-05
func TestManifestPadding(t *testing.T) {
	b := testManifest(100).bytes()
	if len(b) != 512 {
		t.Fatalf("%d bytes", len(b))
	}
	if m, err := parseManifest(b); err != nil || m != testManifest(100) {
		t.Fatal(err)
	}
	long := testManifest(100)
	long.Name, long.Folder, long.MediaType = strings.Repeat("n", 255), strings.Repeat("f", 1024), strings.Repeat("t", 255)
	if m, err := parseManifest(long.bytes()); err != nil || m != long || len(long.bytes()) != 1664 {
		t.Errorf("the longest: %d bytes, %v", len(long.bytes()), err)
	}
	one := bytes.Clone(b)
	one[511] = 1
	for name, x := range map[string][]byte{"not zero": one, "more": append(bytes.Clone(b), make([]byte, 512)...), "one more": append(bytes.Clone(b), 0), "less": b[:511], "none": nil, "all zeros": make([]byte, 512)} {
		if _, err := parseManifest(x); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("padding %s: %v", name, err)
		}
	}
}

// TestNames: what may be called what (attack 60). S-DOC-08
func TestNames(t *testing.T) {
	for _, name := range []string{"a", "brief.pdf", "...", ".env", "a b", "\u00c4rger.docx", "\u5951\u7d04\u66f8.pdf", "\u05d7\u05d5\u05d6\u05d4.pdf", strings.Repeat("n", 255)} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", "a/b", "a\\b", " a", "a ", "a\n", "a\x00b", "a\x7f", "\u202ea", "a\u200fb", "\ufeffa", "a\u2028b", "a\u2066b", "\xff", strings.Repeat("n", 256)} {
		if err := CheckName(name); !errors.Is(err, ErrName) {
			t.Errorf("name %q: %v", name, err)
		}
		if err := CheckFolder("x/" + name); !errors.Is(err, ErrName) && !strings.Contains(name, "/") {
			t.Errorf("folder %q: %v", name, err)
		}
	}
	for _, folder := range []string{"/", "a/", "/a", "a//b", "a/../b", "..", strings.Repeat("n/", 512) + "n"} {
		if err := CheckFolder(folder); !errors.Is(err, ErrName) {
			t.Errorf("folder %q: %v", folder, err)
		}
	}
	if CheckFolder("") != nil || CheckFolder("a/b/c") != nil || CheckTitle("Doe v. Roe / II") != nil {
		t.Error("a good folder or title is refused")
	}
	for _, title := range []string{"", " ", "a\nb", "\u202ea", strings.Repeat("n", 256), "\xff"} {
		if err := CheckTitle(title); !errors.Is(err, ErrName) {
			t.Errorf("title %q: %v", title, err)
		}
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add(testHeader(0).Bytes())
	f.Add(testHeader(1 << 33).Bytes())
	f.Add(make([]byte, HeaderSize))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHeader(b)
		if err != nil {
			return
		}
		if !bytes.Equal(h.Bytes(), b) {
			t.Fatal("re-encodes differently")
		}
		if n := Chunks(h.Padded); n < 1 || n > 1<<18+64 {
			t.Fatalf("%d chunks", n)
		}
	})
}

func FuzzManifest(f *testing.F) {
	f.Add(testManifest(0).bytes())
	f.Add(testManifest(1 << 40).bytes())
	f.Add(make([]byte, 512))
	f.Add([]byte{0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseManifest(b)
		if err == nil && !bytes.Equal(m.bytes(), b) {
			t.Fatal("re-encodes differently")
		}
	})
}

func FuzzReadVersion(f *testing.F) {
	v, _ := testVersion(f)
	w := wire.NewWriter()
	v.Write(w)
	f.Add(w.Bytes())
	f.Add(w.Bytes()[:HeaderSize])
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := wire.NewReader(b)
		v := ReadVersion(r)
		if r.Done() != nil {
			return
		}
		w := wire.NewWriter()
		v.Write(w)
		if !bytes.Equal(w.Bytes(), b) {
			t.Fatal("re-encodes differently")
		}
	})
}

func FuzzNames(f *testing.F) {
	f.Add("a/b")
	f.Add("..")
	f.Add("\u202ex")
	f.Fuzz(func(t *testing.T, s string) {
		if CheckName(s) == nil && (strings.ContainsAny(s, "/\\\n\r\x00") || s == ".." || len(s) > MaxName) {
			t.Fatalf("%q is a name", s)
		}
		if CheckFolder(s) == nil && (strings.Contains("/"+s+"/", "/../") || strings.HasPrefix(s, "/")) {
			t.Fatalf("%q is a folder", s)
		}
	})
}

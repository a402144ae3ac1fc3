package keys

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func FuzzParsePublicKeys(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		public, err := ParsePublicKeys(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) || public != nil {
				t.Fatalf("%v, want ErrMalformed", err)
			}
			return
		}
		if !bytes.Equal(public.Bytes(), b) {
			t.Fatal("does not re-encode to what was parsed")
		}
		if err := public.Verify(LabelSignEntry, nil, make([]byte, SignatureSize)); !errors.Is(err, ErrSignature) {
			t.Fatalf("a signature of zeros: %v", err)
		}
		if _, err := public.WrapKey(nil, nil, nil); err != nil {
			t.Fatalf("wrapping to keys that parse: %v", err)
		}
	})
}

func FuzzParseFingerprint(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		fingerprint, err := ParseFingerprint(text)
		if err == nil && fingerprint.String() != text {
			t.Fatalf("%q re-encodes to %q", text, fingerprint)
		}
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatalf("%v, want ErrMalformed", err)
		}
	})
}

func FuzzUnwrap(f *testing.F) {
	id := testIdentity(f, 1)
	f.Fuzz(func(t *testing.T, wrap []byte) {
		payload, err := id.Unwrap([]byte("fuzz"), wrap)
		// Anybody can wrap to a public key, so opening is no forgery.
		if err == nil && len(payload) != len(wrap)-WrapOverhead {
			t.Fatalf("payload of %d bytes from %d", len(payload), len(wrap))
		}
		if err != nil && !errors.Is(err, ErrWrap) {
			t.Fatalf("%v, want ErrWrap", err)
		}
	})
}

// TestCorpus fails when a fuzz test would run on nothing.
func TestCorpus(t *testing.T) {
	for _, target := range []string{"FuzzParsePublicKeys", "FuzzParseFingerprint", "FuzzUnwrap"} {
		files, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
		if err != nil || len(files) == 0 {
			t.Errorf("%s has no corpus: %v", target, err)
		}
	}
}

// TestWriteCorpus makes the corpus again when UPDATE_CORPUS is set.
func TestWriteCorpus(t *testing.T) {
	if os.Getenv("UPDATE_CORPUS") == "" {
		return
	}
	id := testIdentity(t, 1)
	public := id.Public().Bytes()
	unreduced := append([]byte{0xff, 0xff}, public[2:]...)
	wrap, err := id.Public().WrapKey(nil, []byte("fuzz"), make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	empty, err := id.Public().WrapKey(nil, []byte("fuzz"), nil)
	if err != nil {
		t.Fatal(err)
	}
	text := id.Public().Fingerprint().String()
	writeCorpus(t, "FuzzParsePublicKeys", "[]byte(%q)", string(public), string(public[:len(public)-1]), string(unreduced), "")
	writeCorpus(t, "FuzzParseFingerprint", "string(%q)", text, text[1:], "-"+text, "")
	writeCorpus(t, "FuzzUnwrap", "[]byte(%q)", string(wrap), string(empty), string(empty[:len(empty)-1]), "")
}

func writeCorpus(t *testing.T, target, format string, seeds ...string) {
	t.Helper()
	folder := filepath.Join("testdata", "fuzz", target)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, seed := range seeds {
		text := "go test fuzz v1\n" + fmt.Sprintf(format, seed) + "\n"
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("seed-%02d", i)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

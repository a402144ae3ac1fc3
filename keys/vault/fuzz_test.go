package vault

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"
)

func FuzzParseKit(f *testing.F) {
	f.Fuzz(func(t *testing.T, typed string) {
		kit, err := ParseKit(typed)
		if err != nil {
			var kitError *KitError
			if !errors.As(err, &kitError) || kitError.Group < 1 || kitError.Group > kitGroups {
				t.Fatalf("%v, want a KitError of group 1 to 8", err)
			}
			return
		}
		if again, err := ParseKit(kit.String()); err != nil || again != kit {
			t.Fatalf("the printed form does not parse: %v", err)
		}
	})
}

func FuzzParseDeviceCode(f *testing.F) {
	f.Fuzz(func(t *testing.T, typed string) {
		code, err := ParseDeviceCode(typed)
		if err != nil {
			var codeError *CodeError
			if !errors.As(err, &codeError) || codeError.Group < 1 || codeError.Group > deviceCodeGroups {
				t.Fatalf("%v, want a CodeError of group 1 to 5", err)
			}
			return
		}
		if again, err := ParseDeviceCode(code.String()); err != nil || again != code {
			t.Fatalf("the shown form does not parse: %v", err)
		}
	})
}

func FuzzParseStretch(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseStretch(b)
		if err == nil && !bytes.Equal(s.Bytes(), b) {
			t.Fatal("does not re-encode to what was parsed")
		}
	})
}

func FuzzUnwrap(f *testing.F) {
	f.Fuzz(func(t *testing.T, wrapped []byte) {
		root, err := Unwrap(fill[[32]byte](1), MethodKit, fill[[16]byte](2), wrapped)
		if err != nil && (err != ErrUnlock || root != (Root{})) {
			t.Fatalf("%v, want exactly ErrUnlock", err)
		}
		if err == nil && root != Root(fill[[32]byte](3)) {
			t.Fatal("unlocked a root that was never wrapped")
		}
	})
}

// TestCorpus fails when a fuzz test would run on nothing.
func TestCorpus(t *testing.T) {
	for _, target := range []string{"FuzzParseKit", "FuzzParseDeviceCode", "FuzzParseStretch", "FuzzUnwrap"} {
		files, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
		if err != nil || len(files) == 0 {
			t.Errorf("%s has no corpus: %v", target, err)
		}
	}
}

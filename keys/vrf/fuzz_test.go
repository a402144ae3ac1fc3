package vrf

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// FuzzVerify: what verifies is spelled in the one way, and nothing else gives
// an output.
func FuzzVerify(f *testing.F) {
	f.Fuzz(func(t *testing.T, public, alpha, proof []byte) {
		beta, err := Verify(public, alpha, proof)
		if err != nil {
			if !errors.Is(err, ErrProof) || beta != [OutputSize]byte{} {
				t.Fatalf("%x, %v, want ErrProof", beta, err)
			}
			return
		}
		gamma, c, s, _ := parseProof(proof)
		if again := appendProof(gamma, c, s); !bytes.Equal(again[:], proof) {
			t.Fatal("does not re-encode to what was verified")
		}
		if beta != output(gamma) {
			t.Fatal("another output than gamma's")
		}
		for i := range proof {
			changed := slices.Clone(proof)
			changed[i] ^= 0x10
			if _, err := Verify(public, alpha, changed); !errors.Is(err, ErrProof) {
				t.Fatalf("byte %d changed: %v, want ErrProof", i, err)
			}
		}
	})
}

// FuzzProve: whatever the input, its proof verifies to its output.
func FuzzProve(f *testing.F) {
	f.Fuzz(func(t *testing.T, seed, alpha []byte) {
		k, err := NewPrivateKey(seed)
		if err != nil {
			if !errors.Is(err, ErrSeed) || len(seed) == SeedSize {
				t.Fatalf("seed of %d bytes: %v", len(seed), err)
			}
			return
		}
		beta, proof, err := k.Prove(alpha)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Verify(k.Public(), alpha, proof[:]); err != nil || got != beta {
			t.Fatalf("%x, %v, want %x", got, err, beta)
		}
	})
}

// TestCorpus fails when a fuzz test would run on nothing.
func TestCorpus(t *testing.T) {
	for _, target := range []string{"FuzzVerify", "FuzzProve"} {
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
	e := examples(t)[2]
	low := lowOrder(t)[1].Bytes()
	writeCorpus(t, "FuzzVerify",
		[][]byte{e.PK, e.Alpha, e.Pi},
		[][]byte{e.PK, e.Alpha, e.Pi[:ProofSize-1]},
		[][]byte{low, e.Alpha, e.Pi},
		[][]byte{e.PK, e.Alpha, append(slices.Clone(low), e.Pi[pointSize:]...)},
		[][]byte{nil, nil, nil})
	writeCorpus(t, "FuzzProve", [][]byte{e.SK, e.Alpha}, [][]byte{e.SK, nil}, [][]byte{nil, nil})
}

func writeCorpus(t *testing.T, target string, seeds ...[][]byte) {
	t.Helper()
	folder := filepath.Join("testdata", "fuzz", target)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, seed := range seeds {
		text := "go test fuzz v1\n"
		for _, part := range seed {
			text += fmt.Sprintf("[]byte(%q)\n", part)
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("seed-%02d", i)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

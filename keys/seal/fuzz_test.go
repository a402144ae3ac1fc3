package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
)

// The fuzz targets run on a committed corpus of things that were sealed under
// testKey(1) and "fuzz", and of broken ones. Nothing else may open: that would
// be a forgery.

// corpus returns the plaintexts that the committed corpus holds.
func corpus() [][]byte {
	return [][]byte{{}, []byte("a"), pattern(SmallSegment - SegmentOverhead), pattern(SmallSegment)}
}

func FuzzOpen(f *testing.F) {
	f.Fuzz(func(t *testing.T, sealed []byte) {
		plaintext, err := Open(testKey(1), []byte("fuzz"), sealed)
		if err != nil {
			if !errors.Is(err, ErrOpen) || plaintext != nil {
				t.Fatalf("%d bytes, %v, want nothing and ErrOpen", len(plaintext), err)
			}
			return
		}
		if n, err := PlaintextSize(int64(len(sealed)-HeaderSize), SmallSegment); err != nil || n != int64(len(plaintext)) {
			t.Fatalf("opened %d bytes where the length says %d, %v", len(plaintext), n, err)
		}
		for _, known := range corpus() {
			if bytes.Equal(plaintext, known) {
				return
			}
		}
		t.Fatal("opened something that was never sealed")
	})
}

func FuzzReader(f *testing.F) {
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if len(sealed) < HeaderSize {
			return
		}
		header, body := sealed[:HeaderSize], sealed[HeaderSize:]
		want, wantErr := Open(testKey(1), []byte("fuzz"), sealed)
		r, err := NewReader(iotest.DataErrReader(iotest.HalfReader(bytes.NewReader(body))), header, testKey(1), []byte("fuzz"), SmallSegment)
		if err != nil {
			if wantErr == nil {
				t.Fatalf("reader refuses what Open opens: %v", err)
			}
			return
		}
		got, err := io.ReadAll(iotest.HalfReader(r))
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Fatalf("reader: %d bytes, %v; Open: %d bytes, %v", len(got), err, len(want), wantErr)
		}
	})
}

// TestCorpus fails when a fuzz test would run on nothing.
func TestCorpus(t *testing.T) {
	for _, target := range []string{"FuzzOpen", "FuzzReader"} {
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
	var seeds [][]byte
	for _, plaintext := range corpus() {
		sealed, err := Seal(nil, testKey(1), []byte("fuzz"), plaintext)
		if err != nil {
			t.Fatal(err)
		}
		changed := append([]byte(nil), sealed...)
		changed[len(changed)-1] ^= 1
		seeds = append(seeds, sealed, changed, sealed[:len(sealed)-1])
	}
	seeds = append(seeds, nil, seeds[0][:HeaderSize], append(seeds[0][:len(seeds[0]):len(seeds[0])], seeds[0]...))
	for _, target := range []string{"FuzzOpen", "FuzzReader"} {
		writeCorpus(t, target, seeds)
	}
}

func writeCorpus(t *testing.T, target string, seeds [][]byte) {
	t.Helper()
	folder := filepath.Join("testdata", "fuzz", target)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, seed := range seeds {
		text := fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n", seed)
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("seed-%02d", i)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

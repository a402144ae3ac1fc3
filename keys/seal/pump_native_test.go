//go:build !js

package seal

import (
	"bytes"
	"errors"
	"testing"
)

// TestSegments seals segments out of order and reads them with the sequential
// reader: the pump and the writer make one format.
func TestSegments(t *testing.T) {
	key, aad := testKey(7), []byte("context")
	k, header, err := NewKeys(nil, key, aad, SmallSegment)
	if err != nil {
		t.Fatal(err)
	}
	const capacity = SmallSegment - SegmentOverhead
	plaintext := bytes.Repeat([]byte{1, 2, 3, 4, 5}, capacity/2)
	parts := [][]byte{plaintext[:capacity], plaintext[capacity : 2*capacity], plaintext[2*capacity:]}
	sealed := make([][]byte, len(parts))
	for _, i := range []int{2, 0, 1} {
		if sealed[i], err = k.SealSegment(nil, nil, parts[i], uint64(i), i == len(parts)-1); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Open(key, aad, append(header, bytes.Join(sealed, nil)...))
	if err != nil || !bytes.Equal(got, plaintext) {
		t.Fatalf("reader: %d bytes, %v", len(got), err)
	}
	opened, err := OpenKeys(key, aad, header[:HeaderSize], SmallSegment)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		got, err := opened.OpenSegment(nil, sealed[i], uint64(i), i == len(sealed)-1)
		if err != nil || !bytes.Equal(got, parts[i]) {
			t.Errorf("segment %d: %d bytes, %v", i, len(got), err)
		}
	}
}

// TestSegmentsRefuse opens segments elsewhere, or as what they are not.
func TestSegmentsRefuse(t *testing.T) {
	k, _, err := NewKeys(nil, testKey(7), nil, SmallSegment)
	if err != nil {
		t.Fatal(err)
	}
	full := make([]byte, SmallSegment-SegmentOverhead)
	first, err := k.SealSegment(nil, nil, full, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := NewKeys(nil, testKey(7), nil, SmallSegment)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(first)
	flipped[100] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another place":  func() ([]byte, error) { return k.OpenSegment(nil, first, 1, false) },
		"as the last":    func() ([]byte, error) { return k.OpenSegment(nil, first, 0, true) },
		"another header": func() ([]byte, error) { return other.OpenSegment(nil, first, 0, false) },
		"a changed bit":  func() ([]byte, error) { return k.OpenSegment(nil, flipped, 0, false) },
		"cut":            func() ([]byte, error) { return k.OpenSegment(nil, first[:len(first)-1], 0, false) },
		"nothing":        func() ([]byte, error) { return k.OpenSegment(nil, nil, 0, false) },
	} {
		if got, err := open(); !errors.Is(err, ErrOpen) || len(got) != 0 {
			t.Errorf("%s: %d bytes, %v, want ErrOpen", name, len(got), err)
		}
	}
	if _, err := k.SealSegment(nil, nil, full[1:], 0, false); !errors.Is(err, ErrParameters) {
		t.Errorf("short segment that is not the last: %v, want ErrParameters", err)
	}
}

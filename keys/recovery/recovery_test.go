package recovery

import (
	"bytes"
	"errors"
	"testing"
)

// TestSplit: every set of k shares gives the key, and none of fewer.
// S-RECOVERY-02
func TestSplit(t *testing.T) {
	for _, c := range []struct{ k, n int }{{2, 2}, {2, 3}, {3, 5}, {9, 9}} {
		key, shares, err := Split(nil, c.k, c.n)
		if err != nil || len(shares) != c.n || key == [32]byte{} {
			t.Fatal(c, err)
		}
		sets := 0
		for mask := range 1 << c.n {
			var set [][]byte
			for i, s := range shares {
				if mask>>i&1 == 1 {
					set = append(set, s)
				}
			}
			got, err := Combine(c.k, set)
			if len(set) != c.k {
				if !errors.Is(err, ErrShares) {
					t.Errorf("%v: %d shares: %v", c, len(set), err)
				}
				continue
			}
			sets++
			if err != nil || got != key {
				t.Errorf("%v: set %b: %v", c, mask, err)
			}
		}
		if sets == 0 {
			t.Error("no set was tried")
		}
	}
	one, _, _ := Split(nil, 2, 3)
	if two, _, _ := Split(nil, 2, 3); one == two {
		t.Error("two keys are one")
	}
}

// TestShares: thresholds that cannot be, and shares that are not. S-RECOVERY-02
func TestShares(t *testing.T) {
	for _, c := range []struct{ k, n int }{{0, 3}, {1, 3}, {4, 3}, {2, 10}, {-1, 2}} {
		if _, _, err := Split(nil, c.k, c.n); !errors.Is(err, ErrShares) {
			t.Errorf("%v: %v", c, err)
		}
	}
	key, shares, err := Split(nil, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	_, other, _ := Split(nil, 2, 3)
	change := func(at int, to byte) []byte {
		b := bytes.Clone(shares[0])
		b[at] = to
		return b
	}
	order := bytes.Repeat([]byte{0xff}, ShareSize) // no scalar is that large
	for name, set := range map[string][][]byte{
		"none": nil, "one": shares[:1], "one twice": {shares[0], shares[0]}, "three of two": shares, "cut": {shares[0][:63], shares[1]},
		"longer": {append(bytes.Clone(shares[0]), 0), shares[1]}, "empty": {{}, shares[1]}, "number zero": {append(make([]byte, 32), shares[0][32:]...), shares[1]},
		"not reduced": {order, shares[1]},
	} {
		if got, err := Combine(2, set); !errors.Is(err, ErrShares) || got != [32]byte{} {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, set := range map[string][][]byte{"another split's": {shares[0], other[1]}, "another number": {change(0, 9), shares[1]}, "a changed value": {change(40, shares[0][40]^1), shares[1]}} {
		if got, err := Combine(2, set); err == nil && got == key {
			t.Errorf("%s gives the key", name)
		}
	}
}

func FuzzCombine(f *testing.F) {
	_, shares, err := Split(nil, 2, 2)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(shares[0], shares[1])
	f.Add(shares[0], shares[0])
	f.Add([]byte{}, shares[1])
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if s, ok := decode(a); ok {
			if again, err := encode(s); err != nil || !bytes.Equal(again, a) {
				t.Fatal("two spellings")
			}
		}
		if key, err := Combine(2, [][]byte{a, b}); err != nil && key != [32]byte{} {
			t.Fatal("a key with an error")
		}
	})
}

package log

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/underseal/underseal/protocol/wire"
)

func testReceipt(t testing.TB, index uint64, size int) (Receipt, *Keys) {
	t.Helper()
	rows, hashes := grown(t, size)
	s, k := testSigner(t, testOrigin, 1)
	path, err := ProveInclusion(rows, index, uint64(size))
	if err != nil {
		t.Fatal(err)
	}
	return Receipt{Extra: testLeaf(int(index)).Bytes(), Index: index, Path: path, Checkpoint: signed(t, s, Checkpoint{testOrigin, uint64(size), Root(hashes)})}, k
}

func sameReceipt(a, b Receipt) bool {
	return bytes.Equal(a.Extra, b.Extra) && a.Index == b.Index && slices.Equal(a.Path, b.Path) && bytes.Equal(a.Checkpoint, b.Checkpoint)
}

// TestReceipt: the file stands alone, with and without a path or extra data.
func TestReceipt(t *testing.T) {
	for _, size := range []int{1, 2, 5, 300} {
		for _, index := range []int{0, size / 2, size - 1} {
			r, k := testReceipt(t, uint64(index), size)
			for _, extra := range [][]byte{r.Extra, nil} {
				r.Extra = extra
				got, err := ParseReceipt(r.Format())
				if err != nil || !sameReceipt(got, r) {
					t.Fatalf("%d of %d: %v", index, size, err)
				}
				if c, err := got.Verify(k, testLeaf(index).Hash()); err != nil || c.Size != uint64(size) {
					t.Errorf("%d of %d: %v", index, size, err)
				}
			}
		}
	}
	r, k := testReceipt(t, 2, 5)
	text := string(r.Format())
	if !strings.HasPrefix(text, "c2sp.org/tlog-proof@v1\nextra "+base64.StdEncoding.EncodeToString(r.Extra)+"\nindex 2\n") {
		t.Error(text)
	}
	_, other := testSigner(t, testOrigin, 2)
	moved, short, carried := r, r, r
	moved.Index = 3
	short.Path = r.Path[1:]
	carried.Checkpoint, _ = Carried(r.Checkpoint)
	for name, tt := range map[string]struct {
		err  error
		want error
	}{
		"another leaf":            {second(r.Verify(k, testLeaf(3).Hash())), ErrInclusion},
		"another index":           {second(moved.Verify(k, testLeaf(2).Hash())), ErrInclusion},
		"a shorter path":          {second(short.Verify(k, testLeaf(2).Hash())), ErrInclusion},
		"another log's keys":      {second(r.Verify(other, testLeaf(2).Hash())), ErrCheckpoint},
		"one of the signatures":   {second(carried.Verify(k, testLeaf(2).Hash())), ErrCheckpoint},
		"nothing":                 {second(Receipt{}.Verify(k, testLeaf(2).Hash())), ErrCheckpoint},
		"the extra data as proof": {second(Receipt{Extra: r.Extra, Index: 2, Checkpoint: r.Checkpoint}.Verify(k, testLeaf(2).Hash())), ErrInclusion},
	} {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v", name, tt.err)
		}
	}
}

// TestReceiptRefuses: another spelling of the same receipt is none. S-LOG-15
func TestReceiptRefuses(t *testing.T) {
	r, k := testReceipt(t, 2, 5)
	good := string(r.Format())
	extra := base64.StdEncoding.EncodeToString(r.Extra)
	hash := base64.StdEncoding.EncodeToString(r.Path[0][:])
	with := func(old, new string) []byte {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not there", old)
		}
		return []byte(strings.Replace(good, old, new, 1))
	}
	long := r
	long.Path = slices.Repeat([]wire.Hash{{1}}, maxPath+1)
	fat := r
	fat.Extra = make([]byte, MaxExtraSize+1)
	for name, b := range map[string][]byte{
		"nothing":                   nil,
		"another version":           with("@v1", "@v2"),
		"a newline before":          []byte("\n" + good),
		"carriage returns":          []byte(strings.ReplaceAll(good, "\n", "\r\n")),
		"no header":                 with(receiptHeader, ""),
		"header alone":              []byte(receiptHeader),
		"header and checkpoint":     append([]byte(receiptHeader+"\n"), r.Checkpoint...),
		"empty extra":               with("extra "+extra+"\n", "extra \n"),
		"extra without its space":   with("extra ", "extra"),
		"extra with two spaces":     with("extra ", "extra  "),
		"extra twice":               with("index", "extra "+extra+"\nindex"),
		"extra after the index":     with("extra "+extra+"\nindex 2\n", "index 2\nextra "+extra+"\n"),
		"extra without padding":     with(extra, strings.TrimRight(extra, "=")),
		"extra that is not base64":  with(extra, "*"),
		"extra too long":            fat.Format(),
		"no index":                  with("index 2\n", ""),
		"index twice":               with("index 2\n", "index 2\nindex 2\n"),
		"index with zeros":          with("index 2", "index 02"),
		"index with a sign":         with("index 2", "index +2"),
		"negative index":            with("index 2", "index -2"),
		"index with two spaces":     with("index 2", "index  2"),
		"index and a space":         with("index 2", "index 2 "),
		"index beyond the tree":     with("index 2", "index 5"),
		"index beyond 64 bits":      with("index 2", "index 18446744073709551618"),
		"a hash of 31 bytes":        with(hash, base64.StdEncoding.EncodeToString(r.Path[0][:31])),
		"a hash of 33 bytes":        with(hash, base64.StdEncoding.EncodeToString(append(r.Path[0][:], 0))),
		"a hash without padding":    with(hash, strings.TrimRight(hash, "=")),
		"a space before a hash":     with(hash, " "+hash),
		"65 hashes":                 long.Format(),
		"no empty line":             with("\n\n", "\n"),
		"two empty lines":           with("\n\n", "\n\n\n"),
		"no checkpoint":             []byte(good[:strings.Index(good, "\n\n")+2]),
		"no newline at the end":     []byte(strings.TrimSuffix(good, "\n")),
		"something after":           []byte(good + "x"),
		"a newline more":            []byte(good + "\n"),
		"a checkpoint's other size": with("\n5\n", "\n05\n"),
		"an extension line":         with("\n\n— ", "\nmore\n\n— "),
		"megabytes":                 append([]byte(good), make([]byte, MaxReceiptSize)...),
	} {
		if _, err := ParseReceipt(b); !errors.Is(err, ErrReceipt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range good {
		x := []byte(good)
		x[i] ^= 1
		got, err := ParseReceipt(x)
		if err != nil {
			if !errors.Is(err, ErrReceipt) {
				t.Fatalf("byte %d: %v", i, err)
			}
			continue
		}
		// The extra data proves nothing: it is hashed by who has it.
		if _, err := got.Verify(k, LeafHash(got.Extra)); err == nil {
			t.Fatalf("byte %d is not covered", i)
		}
	}
}

func FuzzParseReceipt(f *testing.F) {
	r, _ := testReceipt(f, 2, 5)
	f.Add(r.Format())
	r.Extra, r.Path = nil, nil
	f.Add(r.Format())
	f.Add([]byte(receiptHeader + "index 0\n\na\n1\n"))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseReceipt(b)
		if err != nil {
			if !errors.Is(err, ErrReceipt) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(r.Format(), b) {
			t.Fatal("re-encodes differently")
		}
	})
}

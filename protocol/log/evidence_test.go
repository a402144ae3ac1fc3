package log

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/wire"
)

// history is a log of test leaves with a map root as its last leaf, and everything a server would show of it.
type history struct {
	src    *memorySource
	c      Checkpoint
	signed []byte
	rows   *memoryRows
	leaves []Leaf
	pages  memoryPages
}

// newHistory makes leaves from to (exclusive) the log's, skipping one; then comes the map's root.
func newHistory(t testing.TB, s *Signer, n, skip int) history {
	t.Helper()
	h := history{rows: newMemoryRows(), pages: memoryPages{}, src: &memorySource{files: map[string][]byte{}, asked: map[string]int{}}}
	var items []MapItem
	for i := range n {
		if i != skip {
			h.leaves = append(h.leaves, testLeaf(i))
			item, _ := MapItemOf(testLeaf(i))
			items = append(items, item)
		}
	}
	mapRoot, err := MapInsert(h.pages, items)
	if err != nil {
		t.Fatal(err)
	}
	h.leaves = append(h.leaves, MapRootLeaf(mapRoot))
	var hashes []wire.Hash
	for _, l := range h.leaves {
		hashes = append(hashes, l.Hash())
	}
	root, err := Grow(h.rows, 0, hashes)
	if err != nil {
		t.Fatal(err)
	}
	h.c = Checkpoint{testOrigin, uint64(len(h.leaves)), root}
	h.signed = signed(t, s, h.c)
	for id, row := range h.rows.rows {
		width := tileAt(id.level, id.n, h.c.Size).Width
		tile, err := TileOf(row, width)
		if err != nil {
			t.Fatal(err)
		}
		h.src.files[TilePath(id.level, id.n, width)] = tile
	}
	h.src.files["checkpoint"] = h.signed
	return h
}

// at is what the log signed at an earlier size.
func (h history) at(t testing.TB, s *Signer, size uint64) []byte {
	t.Helper()
	root, err := RootAt(h.rows, size)
	if err != nil {
		t.Fatal(err)
	}
	return signed(t, s, Checkpoint{testOrigin, size, root})
}

func (h history) receipt(t testing.TB, index uint64) string {
	t.Helper()
	path, err := ProveInclusion(h.rows, index, h.c.Size)
	if err != nil {
		t.Fatal(err)
	}
	return string(Receipt{Extra: h.leaves[index].Bytes(), Index: index, Path: path, Checkpoint: h.signed}.Format())
}

func (h history) mapOf(t testing.TB, leaf Leaf) *EvidenceMap {
	t.Helper()
	item, _ := MapItemOf(leaf)
	proof, err := MapProve(h.pages, item.Key)
	if err != nil {
		t.Fatal(err)
	}
	inclusion, err := ProveInclusion(h.rows, h.c.Size-1, h.c.Size)
	if err != nil {
		t.Fatal(err)
	}
	return &EvidenceMap{Root: h.leaves[len(h.leaves)-1].Commit, Inclusion: inclusion, Proof: proof.Bytes()}
}

var noticed = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func accuse(s *Signer, kind string, promised, shown []byte) Evidence {
	return Evidence{Kind: kind, Origin: testOrigin, Keys: s.VerifierKeys(), At: noticed, What: "The server showed two histories.", Promised: string(promised), Shown: string(shown)}
}

// none is no log at hand.
var none *memorySource

func judge(t testing.TB, e Evidence, k *Keys, src *memorySource) (Verdict, error) {
	t.Helper()
	var s Source
	if src != none {
		s = src
	}
	v, err := e.Judge(t.Context(), k, s)
	parsed, errParse := ParseEvidence(e.Format())
	if errParse != nil {
		if err == nil {
			t.Errorf("what was judged does not parse: %v", errParse)
		}
		return v, err
	}
	if again, errAgain := parsed.Judge(t.Context(), k, s); again != v || (err == nil) != (errAgain == nil) {
		t.Errorf("the file is judged as %v, %v, and what it was made of as %v, %v", again, errAgain, v, err)
	}
	return v, err
}

// TestEvidence: each kind is proved where the log lied, and refuted where it did not. S-VERIFY-06
func TestEvidence(t *testing.T) {
	s, k := testSigner(t, testOrigin, 1)
	real, other := newHistory(t, s, 600, -1), newHistory(t, s, 600, 3)   // the other has dropped leaf 3
	longer, aside := newHistory(t, s, 700, 3), newHistory(t, s, 699, -1) // of one size
	carried := must2(t)(Carried(other.signed))
	early := must2(t)(Carried(real.at(t, s, 300)))
	hidden := func(of, under history, index uint64) Evidence {
		e := accuse(s, EvidenceHiddenLeaf, []byte(of.receipt(t, index)), under.signed)
		e.Map = under.mapOf(t, of.leaves[index])
		return e
	}
	offered := accuse(s, EvidenceFork, real.at(t, s, 300), real.signed)
	offered.Consistency, _ = ProveConsistency(real.rows, 300, real.c.Size)
	offeredWrong := accuse(s, EvidenceFork, real.at(t, s, 300), longer.signed)
	offeredWrong.Consistency, _ = ProveConsistency(longer.rows, 300, longer.c.Size)
	for name, tt := range map[string]struct {
		e    Evidence
		src  *memorySource
		want Verdict
	}{
		"two roots":                          {accuse(s, EvidenceTwoRoots, real.at(t, s, 300), other.at(t, s, 300)), none, VerdictProved},
		"two roots, one of them carried":     {accuse(s, EvidenceTwoRoots, real.at(t, s, other.c.Size), carried), none, VerdictProved},
		"two roots, one in a receipt":        {accuse(s, EvidenceTwoRoots, []byte(other.receipt(t, 5)), real.at(t, s, other.c.Size)), none, VerdictProved},
		"one root twice":                     {accuse(s, EvidenceTwoRoots, real.at(t, s, 300), early), none, VerdictRefuted},
		"a fork":                             {accuse(s, EvidenceFork, real.at(t, s, 300), longer.signed), longer.src, VerdictProved},
		"a fork, the larger one promised":    {accuse(s, EvidenceFork, longer.signed, early), longer.src, VerdictProved},
		"a fork, without the log":            {accuse(s, EvidenceFork, real.at(t, s, 300), longer.signed), none, VerdictNeedsLog},
		"a fork, with a proof that is none":  {offeredWrong, none, VerdictNeedsLog},
		"one history":                        {accuse(s, EvidenceFork, real.at(t, s, 300), real.signed), real.src, VerdictRefuted},
		"one history, which was proved":      {offered, none, VerdictRefuted},
		"a history from nothing":             {accuse(s, EvidenceFork, signed(t, s, Checkpoint{testOrigin, 0, Root(nil)}), real.signed), none, VerdictRefuted},
		"the larger was shown once":          {accuse(s, EvidenceFork, longer.at(t, s, 300), real.at(t, s, 500)), longer.src, VerdictProved},
		"both as the log has them":           {accuse(s, EvidenceFork, longer.at(t, s, 300), longer.at(t, s, 500)), longer.src, VerdictRefuted},
		"the log is back at its old history": {accuse(s, EvidenceFork, real.at(t, s, 300), longer.at(t, s, 400)), real.src, VerdictProved},
		"the log shows the other one":        {accuse(s, EvidenceFork, real.at(t, s, 300), longer.signed), aside.src, VerdictProved},
		"the log is not so long any more":    {accuse(s, EvidenceFork, real.at(t, s, 300), longer.signed), real.src, VerdictNeedsLog},
		"the log shows no tiles":             {accuse(s, EvidenceFork, real.at(t, s, 300), longer.signed), &memorySource{files: map[string][]byte{"checkpoint": real.signed}, asked: map[string]int{}}, VerdictNeedsLog},
		"the log shows nothing":              {accuse(s, EvidenceFork, real.at(t, s, 300), longer.signed), &memorySource{asked: map[string]int{}}, VerdictNeedsLog},
		"the log signs no checkpoint":        {accuse(s, EvidenceFork, real.at(t, s, 300), longer.signed), real.src.with("checkpoint", carried), VerdictNeedsLog},
		"a hidden leaf":                      {hidden(real, longer, 3), none, VerdictProved},
		"a leaf that is there":               {hidden(other, longer, 3), none, VerdictRefuted},
		"a leaf that is there still":         {hidden(real, real, 3), none, VerdictRefuted},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := judge(t, tt.e, k, tt.src); got != tt.want || err != nil {
				t.Errorf("%v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

// TestEvidenceReplacedLeaf: another leaf at the promised one's key is as bad as none.
func TestEvidenceReplacedLeaf(t *testing.T) {
	s, k := testSigner(t, testOrigin, 1)
	real, forged := newHistory(t, s, 20, -1), newHistory(t, s, 20, 3)
	leaf := testLeaf(3)
	leaf.Commit = wire.Hash{1}
	item, _ := MapItemOf(leaf)
	root, err := MapInsert(forged.pages, []MapItem{item})
	if err != nil {
		t.Fatal(err)
	}
	forged.leaves = append(forged.leaves, leaf, MapRootLeaf(root))
	if forged.c.Root, err = Grow(forged.rows, forged.c.Size, []wire.Hash{leaf.Hash(), MapRootLeaf(root).Hash()}); err != nil {
		t.Fatal(err)
	}
	forged.c.Size += 2
	e := accuse(s, EvidenceHiddenLeaf, []byte(real.receipt(t, 3)), signed(t, s, forged.c))
	e.Map = forged.mapOf(t, real.leaves[3])
	if got, err := judge(t, e, k, none); got != VerdictProved || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

// TestEvidenceSlander: what the log did not sign says nothing about it. S-VERIFY-06
func TestEvidenceSlander(t *testing.T) {
	s, k := testSigner(t, testOrigin, 1)
	stranger, strangerKeys := testSigner(t, testOrigin, 2)
	elsewhere, _ := testSigner(t, "other.example/log", 1)
	real, other := newHistory(t, s, 600, -1), newHistory(t, s, 700, 3)
	forged, small := newHistory(t, stranger, 700, 3), newHistory(t, s, 3, 1)
	a, b := real.at(t, s, 300), other.at(t, s, 300)
	hidden := func(f func(e *Evidence)) Evidence {
		e := accuse(s, EvidenceHiddenLeaf, []byte(real.receipt(t, 3)), other.signed)
		e.Map = other.mapOf(t, real.leaves[3])
		f(&e)
		return e
	}
	with := func(e Evidence, f func(e *Evidence)) Evidence { f(&e); return e }
	two := accuse(s, EvidenceTwoRoots, a, b)
	fork := accuse(s, EvidenceFork, a, other.signed)
	for name, e := range map[string]Evidence{
		"shown is not signed":                   accuse(s, EvidenceTwoRoots, a, bytes.Replace(b, []byte("\n300\n"), []byte("\n301\n"), 1)),
		"promised is not signed":                accuse(s, EvidenceTwoRoots, bytes.Replace(a, []byte("\n300\n"), []byte("\n301\n"), 1), b),
		"shown is signed by others":             accuse(s, EvidenceTwoRoots, a, forged.at(t, stranger, 300)),
		"promised is signed by others":          accuse(s, EvidenceTwoRoots, forged.at(t, stranger, 300), b),
		"all by others, and their keys":         accuse(stranger, EvidenceTwoRoots, a, forged.at(t, stranger, 300)),
		"another log":                           with(two, func(e *Evidence) { e.Origin, e.Keys = elsewhere.origin, elsewhere.VerifierKeys() }),
		"another first key":                     with(two, func(e *Evidence) { e.Keys = []string{stranger.VerifierKeys()[0], e.Keys[1]} }),
		"another second key":                    with(two, func(e *Evidence) { e.Keys = []string{e.Keys[0], stranger.VerifierKeys()[1]} }),
		"no keys":                               with(two, func(e *Evidence) { e.Keys = nil }),
		"a fork signed by others":               accuse(s, EvidenceFork, a, forged.signed),
		"two roots of two sizes":                accuse(s, EvidenceTwoRoots, a, other.signed),
		"two roots of two sizes, swapped":       accuse(s, EvidenceTwoRoots, other.signed, a),
		"a fork of one size":                    accuse(s, EvidenceFork, a, b),
		"an unknown kind":                       with(two, func(e *Evidence) { e.Kind = "rumour" }),
		"nothing shown":                         with(two, func(e *Evidence) { e.Shown = "" }),
		"nothing promised":                      with(two, func(e *Evidence) { e.Promised = "" }),
		"half a receipt":                        with(two, func(e *Evidence) { e.Promised = receiptHeader }),
		"hidden: a checkpoint is no receipt":    hidden(func(e *Evidence) { e.Promised = string(real.signed) }),
		"hidden: a receipt signed by others":    hidden(func(e *Evidence) { e.Promised = forged.receipt(t, 3) }),
		"hidden: shown is signed by others":     hidden(func(e *Evidence) { e.Shown = string(forged.signed) }),
		"hidden: shown is too early":            hidden(func(e *Evidence) { e.Shown, e.Map = string(small.signed), small.mapOf(t, real.leaves[3]) }),
		"hidden: no map":                        hidden(func(e *Evidence) { e.Map = nil }),
		"hidden: the map root is not the last":  hidden(func(e *Evidence) { e.Shown = string(other.at(t, s, 650)) }),
		"hidden: another map's root":            hidden(func(e *Evidence) { e.Map.Root[0] ^= 1 }),
		"hidden: an inclusion of another leaf":  hidden(func(e *Evidence) { e.Map.Inclusion, _ = ProveInclusion(other.rows, 5, other.c.Size) }),
		"hidden: the absence of another leaf":   hidden(func(e *Evidence) { e.Map = other.mapOf(t, testLeaf(5000)) }),
		"hidden: a proof that is none":          hidden(func(e *Evidence) { e.Map.Proof = e.Map.Proof[1:] }),
		"hidden: a proof with something behind": hidden(func(e *Evidence) { e.Map.Proof = append(e.Map.Proof, 0) }),
		"hidden: the map root itself": hidden(func(e *Evidence) {
			e.Promised, e.Map = real.receipt(t, real.c.Size-1), other.mapOf(t, MapRootLeaf(wire.Hash{}))
		}),
		"hidden: a receipt without the leaf": hidden(func(e *Evidence) {
			r, _ := ParseReceipt([]byte(e.Promised))
			r.Extra = nil
			e.Promised = string(r.Format())
		}),
		"hidden: a receipt of another leaf": hidden(func(e *Evidence) {
			r, _ := ParseReceipt([]byte(e.Promised))
			r.Extra = testLeaf(5000).Bytes()
			e.Promised = string(r.Format())
		}),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := judge(t, e, k, other.src); got != 0 || !errors.Is(err, ErrEvidence) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	if got, err := judge(t, two, strangerKeys, none); got != 0 || !errors.Is(err, ErrEvidence) {
		t.Errorf("under keys that nobody named: %v, %v", got, err)
	}
	// A log that cannot be reached settles nothing either way.
	away := &memorySource{asked: map[string]int{}, refuse: errBroken}
	if got, err := judge(t, fork, k, away); got != 0 || !errors.Is(err, errBroken) {
		t.Errorf("unreachable: %v, %v", got, err)
	}
}

// TestEvidenceFile: one spelling, and what a file says of itself is bounded and printable.
func TestEvidenceFile(t *testing.T) {
	s, _ := testSigner(t, testOrigin, 1)
	real, other := newHistory(t, s, 20, -1), newHistory(t, s, 30, 3)
	e := accuse(s, EvidenceHiddenLeaf, []byte(real.receipt(t, 3)), other.signed)
	e.Map, e.Consistency = other.mapOf(t, real.leaves[3]), []wire.Hash{{1}, {2}}
	good := e.Format()
	got, err := ParseEvidence(good)
	if err != nil || !reflect.DeepEqual(got, e) {
		t.Fatalf("%v\n%s", err, good)
	}
	var fields map[string]any
	if json.Unmarshal(good, &fields) != nil || fields["format"] != "underseal/v1/evidence" || fields["at"] != "2026-11-22T10:00:00Z" || fields["kind"] != "hidden-leaf" ||
		fields["consistency"].([]any)[0] != (wire.Hash{1}).String() || fields["map"].(map[string]any)["root"] != e.Map.Root.String() {
		t.Errorf("%s", good)
	}
	e.What = "“Müller” <b> & a\x1b[2J\u202eb\n\xff"
	if got, err := ParseEvidence(e.Format()); err != nil || got.What != "“Müller” <b> & a?[2J?b??" || !bytes.Contains(e.Format(), []byte("<b> &")) {
		t.Errorf("%q, %v", got.What, err)
	}
	e.At = time.Date(2026, 11, 22, 12, 0, 0, 5, time.FixedZone("", 7200))
	if got, err := ParseEvidence(e.Format()); err != nil || !got.At.Equal(noticed) {
		t.Errorf("%v, %v", got.At, err)
	}
	long := e
	long.Shown = strings.Repeat("x", MaxEvidenceSize)
	replace := func(old, new string) []byte {
		if !strings.Contains(string(good), old) {
			t.Fatalf("no %q", old)
		}
		return []byte(strings.Replace(string(good), old, new, 1))
	}
	for name, b := range map[string][]byte{
		"nothing":              nil,
		"trailing bytes":       append(bytes.Clone(good), '\n'),
		"no newline":           good[:len(good)-1],
		"a second object":      append(bytes.Clone(good), good...),
		"an unknown field":     replace(`"kind":`, `"note": "", "kind":`),
		"an unknown map field": replace(`"root":`, `"note": "", "root":`),
		"a field twice":        replace(`"kind":`, `"kind": "fork", "kind":`),
		"a field in capitals":  replace(`"kind":`, `"Kind":`),
		"other spaces":         replace(`"kind": `, `"kind":`),
		"another format":       replace("v1/evidence", "v2/evidence"),
		"another kind":         replace("hidden-leaf", "hidden"),
		"a map where none is":  replace("hidden-leaf", "two-roots"),
		"another time":         replace("2026-11-22T10:00:00Z", "2026-11-22T10:00:00+00:00"),
		"no time":              replace("2026-11-22T10:00:00Z", "yesterday"),
		"a control character":  replace("two histories", `two \u001bhistories`),
		"a turned sentence":    replace("two histories", "two \u202ehistories"),
		"a long sentence":      replace("two histories", strings.Repeat("x", maxWhat)),
		"a long file":          replace("two histories", strings.Repeat("x", MaxEvidenceSize)),
		"long notes":           long.Format(),
		"other keys' name":     replace(`"origin": "log.example`, `"origin": "lag.example`),
		"one key":              replace(`"`+s.VerifierKeys()[0]+"\",\n    ", ""),
		"no hash":              replace((wire.Hash{1}).String(), "aaaa"),
	} {
		if _, err := ParseEvidence(b); !errors.Is(err, ErrEvidence) {
			t.Errorf("%s: %v", name, err)
		}
	}
	long = e
	long.Consistency = make([]wire.Hash, maxPath+1)
	if _, err := ParseEvidence(long.Format()); !errors.Is(err, ErrEvidence) {
		t.Error("a long proof:", err)
	}
	long = e
	long.Map = &EvidenceMap{Inclusion: make([]wire.Hash, maxPath+1)}
	if _, err := ParseEvidence(long.Format()); !errors.Is(err, ErrEvidence) {
		t.Error("a long inclusion:", err)
	}
	for v, want := range map[Verdict]string{VerdictProved: "proved", VerdictRefuted: "refuted", VerdictNeedsLog: "needs-log", 0: ""} {
		if v.String() != want {
			t.Errorf("%q", v.String())
		}
	}
}

func must2(t testing.TB) func([]byte, error) []byte {
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func FuzzParseEvidence(f *testing.F) {
	s, k := testSigner(f, testOrigin, 1)
	real, other := newHistory(f, s, 5, -1), newHistory(f, s, 6, 3)
	e := accuse(s, EvidenceHiddenLeaf, []byte(real.receipt(f, 3)), other.signed)
	e.Map = other.mapOf(f, real.leaves[3])
	f.Add(e.Format())
	f.Add(accuse(s, EvidenceTwoRoots, real.at(f, s, 5), other.at(f, s, 5)).Format())
	f.Add(accuse(s, EvidenceFork, real.at(f, s, 4), other.signed).Format())
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEvidence(b)
		if err != nil {
			return
		}
		if !bytes.Equal(e.Format(), b) {
			t.Error("another spelling was taken")
		}
		if v, err := e.Judge(t.Context(), k, nil); (err == nil) == (v == 0) {
			t.Errorf("%v, %v", v, err)
		}
	})
}

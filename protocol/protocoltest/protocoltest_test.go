package protocoltest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	dev "github.com/underseal/underseal/protocol/device"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

var update = flag.Bool("update", false, "make protocol/testdata/*.json again")

const folder = "../testdata"

// TestVectors runs the committed vectors, and makes sure that they are the ones that the generator makes: it draws no
// randomness. S-WIRE-01 S-LOG-01 S-LOG-03 S-DOC-02 S-DOC-03 S-DOC-06 S-CHAIN-09
// S-MAP-04 S-SEQ-04 S-DIR-01 S-ERASE-04 S-EVENT-04
func TestVectors(t *testing.T) {
	for name, vectors := range all(t) {
		file := filepath.Join(folder, name+".json")
		want, err := json.MarshalIndent(File{fill(t, vectors)}, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, '\n')
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(data) != string(want) {
			t.Errorf("%s is not what the generator makes", name)
		}
		cases, failures, err := Run(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, failure := range failures {
			t.Errorf("%s: %s", name, failure)
		}
		t.Logf("%s: %d cases", name, cases)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(files) != len(all(t)) {
		t.Errorf("%d files, want %d", len(files), len(all(t)))
	}
}

// fill computes the outputs. A class that the code does not give is an error, not a new vector.
func fill(t *testing.T, vectors []Vector) []Vector {
	t.Helper()
	names := map[string]bool{}
	for i, v := range vectors {
		out, class, err := Evaluate(v)
		if err != nil || class != v.Error {
			t.Fatalf("%s: class %q, want %q: %v", v.Name, class, v.Error, err)
		}
		if names[v.Name] {
			t.Fatalf("two vectors are called %s", v.Name)
		}
		names[v.Name], vectors[i].Out = true, out
	}
	return vectors
}

// TestRunnerNotices feeds the runner vectors that must fail.
func TestRunnerNotices(t *testing.T) {
	good := Vector{Name: "x", Op: "id", In: map[string]string{"text": "x"}, Error: "malformed"}
	for name, change := range map[string]func(*Vector){
		"": func(*Vector) {}, "wrong class": func(v *Vector) { v.Error = "suite" }, "should have worked": func(v *Vector) { v.Error = "" }, "unknown op": func(v *Vector) { v.Op = "guess" },
		"missing input": func(v *Vector) { v.In = nil }, "unused input": func(v *Vector) { v.In = map[string]string{"text": "x", "more": "y"} },
	} {
		v := good
		change(&v)
		data, err := json.Marshal(File{[]Vector{v}})
		if err != nil {
			t.Fatal(err)
		}
		if _, failures, err := Run(data); err != nil || (len(failures) == 0) != (name == "") {
			t.Errorf("%q: %v %v", name, failures, err)
		}
	}
	if _, _, err := Run([]byte(`{"vectors":[]}`)); err == nil {
		t.Error("no vectors pass")
	}
}

func all(t *testing.T) map[string][]Vector {
	return map[string][]Vector{"log": logVectors(), "map": mapVectors(), "document": documentVectors(), "effect": effectVectors(t), "entry": entryVectors(),
		"directory": directoryVectors(t), "text": textVectors(), "device": deviceVectors(t)}
}

func fixed(name string) wire.Hash { return sha256.Sum256([]byte("underseal vector " + name)) }

func id(name string) wire.ObjectID { h := fixed(name); return wire.ObjectID(h[:16]) }

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func hexHash(h wire.Hash) string { return hexOf(h[:]) }

func logVectors() (v []Vector) {
	for i, c := range [][2]string{{"", ""}, {"00", ""}, {"", "00"}, {"0102", "03"}, {"01", "0203"}} {
		v = append(v, Vector{Name: fmt.Sprintf("commit %d", i), Op: "commit", In: map[string]string{"effect": c[0], "envelope": c[1]}})
	}
	in := func(change map[string]string) map[string]string {
		m := map[string]string{"chain": hexHash(fixed("chain")), "type": "1", "key": hexHash(fixed("key")), "seq": "7", "previous": hexHash(fixed("previous")), "commit": hexHash(fixed("commit"))}
		for k, x := range change {
			m[k] = x
		}
		return m
	}
	v = append(v, Vector{Name: "leaf of the state", Op: "leaf", In: in(nil)}, Vector{Name: "leaf of the trail", Op: "leaf", In: in(map[string]string{"type": "2"})},
		Vector{Name: "first leaf", Op: "leaf", In: in(map[string]string{"seq": "0", "previous": strings.Repeat("00", 32)})})
	for _, kind := range []string{"1", "2"} {
		m := in(map[string]string{"type": kind})
		delete(m, "chain")
		delete(m, "commit")
		v = append(v, Vector{Name: "opening of " + kind, Op: "opening", In: m},
			Vector{Name: "mark of " + kind, Op: "mark", In: map[string]string{"type": kind, "key": m["key"], "seq": "7"}},
			Vector{Name: "tag of " + kind, Op: "tag", In: map[string]string{"chain": hexHash(fixed("chain")), "type": kind, "seq": "7", "mark": hexHash(log.LinkKey(fixed("key")).Mark(uint16(kind[0]-'0'), 7))}})
	}
	leaf := log.NewLeaf(fixed("chain"), log.TypeState, log.LinkKey(fixed("key")), 7, fixed("previous"), fixed("commit")).Bytes()
	check := func(name, class string, change map[string]string, edit func([]byte) []byte) {
		m := in(change)
		m["leaf"] = hexOf(edit(slices.Clone(leaf)))
		v = append(v, Vector{Name: name, Op: "check-leaf", In: m, Error: class})
	}
	same := func(b []byte) []byte { return b }
	check("leaf checks", "", nil, same)
	check("leaf of another chain", "link", map[string]string{"chain": hexHash(fixed("x"))}, same)
	check("leaf under another key", "link", map[string]string{"key": hexHash(fixed("x"))}, same)
	check("leaf at another position", "link", map[string]string{"seq": "8"}, same)
	check("leaf after another", "link", map[string]string{"previous": hexHash(fixed("x"))}, same)
	check("leaf of another entry", "link", map[string]string{"commit": hexHash(fixed("x"))}, same)
	check("leaf of the other sequence", "link", map[string]string{"type": "2"}, same)
	check("leaf with another tag", "link", nil, func(b []byte) []byte { b[2] ^= 1; return b })
	check("leaf with another link", "link", nil, func(b []byte) []byte { b[34] ^= 1; return b })
	check("leaf with another commit", "link", nil, func(b []byte) []byte { b[66] ^= 1; return b })
	check("leaf of type 0", "malformed", nil, func(b []byte) []byte { b[1] = 0; return b })
	check("leaf of type 3", "link", nil, func(b []byte) []byte { b[1] = 3; return b })
	check("leaf of type 4 with a link", "malformed", nil, func(b []byte) []byte { b[1] = 4; return b })
	check("leaf of type 6", "malformed", nil, func(b []byte) []byte { b[1] = 6; return b })
	check("leaf cut", "malformed", nil, func(b []byte) []byte { return b[:97] })
	check("leaf with a byte more", "malformed", nil, func(b []byte) []byte { return append(b, 0) })
	v = append(v, Vector{Name: "commit of an erased envelope", Op: "commit-erased", In: map[string]string{"effect": "0102", "inner": hexHash(sha256.Sum256([]byte{3}))}})
	output := fixed("output")
	v = append(v, Vector{Name: "leaf of the server", Op: "server-leaf", In: map[string]string{"output": hexOf(output[:]) + hexHash(fixed("output's other half")), "previous": hexHash(fixed("previous")), "commit": hexHash(fixed("commit"))}})
	for _, c := range []struct {
		name, class string
		leaf        log.Leaf
	}{
		{"leaf of a key link", "", log.KeysLeaf(fixed("label"), fixed("commit"))}, {"leaf of a map root", "", log.MapRootLeaf(fixed("root"))},
		{"leaf of a key link with a link", "malformed", log.Leaf{Type: log.TypeKeys, Tag: fixed("label"), Link: fixed("link")}},
		{"leaf of a map root with a tag", "malformed", log.Leaf{Type: log.TypeMapRoot, Tag: fixed("label")}},
		{"leaf of a map root with a link", "malformed", log.Leaf{Type: log.TypeMapRoot, Link: fixed("link")}},
	} {
		v = append(v, Vector{Name: c.name, Op: "parse-leaf", In: map[string]string{"leaf": hexOf(c.leaf.Bytes())}, Error: c.class})
	}
	return append(v, sequenceVectors()...)
}

// sequenceVectors are a reviewer's file and what he walks with it: two epochs, the second from position 2 of the state and 1 of
// the trail.
func sequenceVectors() (v []Vector) {
	l := log.LinkKeys{Origin: "underseal.example/log/x", Chain: fixed("chain"), Epochs: []log.EpochLinks{
		{Epoch: 1, State: log.LinkKey(fixed("state 1")), Trail: log.LinkKey(fixed("trail 1"))}, {Epoch: 2, StateFrom: 2, TrailFrom: 1, State: log.LinkKey(fixed("state 2")), Trail: log.LinkKey(fixed("trail 2"))}}}
	sequence := func(kind uint16, keys ...wire.Hash) (leaves []log.Leaf) {
		var head wire.Hash
		for n, key := range keys {
			leaves = append(leaves, log.NewLeaf(l.Chain, kind, log.LinkKey(key), uint64(n), head, fixed(fmt.Sprint("commit ", kind, n))))
			head = leaves[n].Hash()
		}
		return leaves
	}
	state := sequence(log.TypeState, fixed("state 1"), fixed("state 1"), fixed("state 2"), fixed("state 2"))
	trail := sequence(log.TypeTrail, fixed("trail 1"), fixed("trail 2"))
	l.Epochs[1].StateHead, l.Epochs[1].TrailHead = state[1].Hash(), trail[0].Hash()
	file := string(l.Format())
	add := func(op, name, class string, in map[string]string) {
		v = append(v, Vector{Name: name, Op: op, In: in, Error: class})
	}
	parse := func(name, class, file string) { add("link-keys", name, class, map[string]string{"file": file}) }
	parse("link keys", "", file)
	parse("link keys cut", "link-keys", file[:len(file)-1])
	parse("link keys with a line more", "link-keys", file+"\n")
	parse("link keys of another header", "link-keys", strings.Replace(file, "v1", "v2", 1))
	parse("link keys with returns", "link-keys", strings.ReplaceAll(file, "\n", "\r\n"))
	parse("link keys without an origin", "link-keys", strings.Replace(file, l.Origin, "", 1))
	parse("link keys that begin at epoch 2", "link-keys", strings.Replace(file, "epoch 1", "epoch 2", 1))
	parse("link keys with a number of two spellings", "link-keys", strings.Replace(file, "epoch 2 2", "epoch 2 02", 1))
	parse("link keys whose first epoch begins later", "link-keys", strings.Replace(file, "epoch 1 0", "epoch 1 1", 1))
	parse("link keys whose state does not go on", "link-keys", strings.Replace(file, "epoch 2 2", "epoch 2 0", 1))
	walk := func(name, class, kind, file string, leaves ...log.Leaf) {
		parts := make([]string, len(leaves))
		for i, leaf := range leaves {
			parts[i] = hexOf(leaf.Bytes())
		}
		add("walk", name, class, map[string]string{"file": file, "type": kind, "leaves": strings.Join(parts, ",")})
	}
	forged := state[3]
	forged.Commit[0] ^= 1
	walk("walk of the state", "", "1", file, state...)
	walk("walk of the trail", "", "2", file, trail...)
	walk("walk to the end of an epoch", "", "1", file, state[:2]...)
	walk("walk without the last leaf of an epoch", "incomplete", "1", file, state[0], state[2], state[3])
	walk("walk without the first leaf", "incomplete", "2", file, trail[1])
	walk("walk over a forged leaf", "link", "1", file, state[0], state[1], state[2], forged)
	walk("walk of another chain", "incomplete", "1", strings.Replace(file, l.Chain.String(), wire.Hash(fixed("another chain")).String(), 1), state...)
	walk("walk of keys that begin before", "link", "1", strings.Replace(file, "epoch 2 2", "epoch 2 1", 1), state...)
	walk("walk of keys that begin after", "incomplete", "1", strings.Replace(file, "epoch 2 2", "epoch 2 3", 1), state...)
	return v
}

func mapVectors() (v []Vector) {
	add := func(op, name, class string, in map[string]string) {
		v = append(v, Vector{Name: name, Op: op, In: in, Error: class})
	}
	for _, kind := range []string{"1", "4"} {
		add("map-key", "map key of type "+kind, "", map[string]string{"type": kind, "tag": hexHash(fixed("tag"))})
	}
	near := fixed("key 0")
	near[31] ^= 1 // the same way but for the last bit
	keys := []wire.Hash{fixed("key 0"), fixed("key 1"), fixed("key 2"), near}
	values := []wire.Hash{fixed("value 0"), fixed("value 1"), fixed("value 2"), fixed("value 3")}
	join := func(hashes []wire.Hash) string {
		parts := make([]string, len(hashes))
		for i, x := range hashes {
			parts[i] = hexHash(x)
		}
		return strings.Join(parts, ",")
	}
	for n := range len(keys) + 1 {
		add("map-root", fmt.Sprintf("map of %d", n), "", map[string]string{"keys": join(keys[:n]), "values": join(values[:n])})
	}
	back := func(h []wire.Hash) []wire.Hash { h = slices.Clone(h); slices.Reverse(h); return h }
	add("map-root", "map of 4 in another order", "", map[string]string{"keys": join(back(keys)), "values": join(back(values))})
	add("map-root", "map with a key twice", "map-taken", map[string]string{"keys": join(append(slices.Clone(keys), keys[1])), "values": join(append(slices.Clone(values), fixed("x")))})
	pages := pages{}
	var items []log.MapItem
	for i := range 3 {
		items = append(items, log.MapItem{Key: keys[i], Value: values[i]})
	}
	root, err := log.MapInsert(pages, items)
	if err != nil {
		panic(err)
	}
	prove := func(key wire.Hash) log.MapProof {
		p, err := log.MapProve(pages, key)
		if err != nil {
			panic(err)
		}
		return p
	}
	proof := func(name, class string, root, key wire.Hash, p []byte) {
		add("map-proof", name, class, map[string]string{"root": hexHash(root), "key": hexHash(key), "proof": hexOf(p)})
	}
	there, other := prove(keys[1]), prove(near)
	proof("presence", "", root, keys[1], there.Bytes())
	proof("absence beside another key", "", root, near, other.Bytes())
	proof("absence in a map of none", "", wire.Hash{}, near, log.MapProof{}.Bytes())
	proof("presence under another root", "map", fixed("x"), keys[1], there.Bytes())
	proof("presence of another key", "map", root, keys[2], there.Bytes())
	cut := log.MapProof{Siblings: there.Siblings[:len(there.Siblings)-1], Other: there.Other}
	proof("presence with a hash less", "map", root, keys[1], cut.Bytes())
	proof("absence of a key that is there", "map", root, keys[1], log.MapProof{Siblings: there.Siblings}.Bytes())
	changed := *there.Other
	changed.Value[0] ^= 1
	proof("presence of another value", "map", root, keys[1], log.MapProof{Siblings: there.Siblings, Other: &changed}.Bytes())
	proof("proof with a byte more", "malformed", root, keys[1], append(there.Bytes(), 0))
	proof("proof cut", "malformed", root, keys[1], there.Bytes()[:40])
	proof("proof of 257 hashes", "malformed", root, keys[1], []byte{1, 1})
	return v
}

type pages map[string][]byte

func (m pages) Page(path string) ([]byte, error)    { return m[path], nil }
func (m pages) PutPage(path string, b []byte) error { m[path] = b; return nil }
func (m pages) DeletePage(path string) error        { delete(m, path); return nil }

// noisyBundle has keys that are, and a signature that is none.
func noisyBundle(t *testing.T) chain.Bundle {
	t.Helper()
	identity, err := keys.NewIdentity(fixed("identity"))
	if err != nil {
		t.Fatal(err)
	}
	return chain.Bundle{Member: id("member"), Keys: identity.Public(), Signature: bytes.Repeat([]byte{7}, 3373)}
}

// directoryVectors are key links. Their signatures are noise: what is signed cannot be made again, and form is all they show.
func directoryVectors(t *testing.T) (v []Vector) {
	t.Helper()
	first := chain.FirstKeyLink(fixed("firm"), noisyBundle(t))
	second := first
	second.Number, second.Previous, second.Signature = 1, first.Commit(), bytes.Repeat([]byte{8}, 3373)
	add := func(name, class string, b []byte) {
		v = append(v, Vector{Name: name, Op: "key-link", In: map[string]string{"link": hexOf(b)}, Error: class})
	}
	add("first link", "", first.Bytes())
	add("second link", "", second.Bytes())
	second.Signature = nil
	add("second link without a signature", "malformed", second.Bytes())
	first.Previous[0] = 1
	add("first link after another", "malformed", first.Bytes())
	add("link of suite 2", "suite", []byte{2})
	add("link cut", "malformed", first.Bytes()[:85])
	add("no link", "malformed", nil)
	return v
}

// entryVectors are entries and places of the server sequence, as far as their form goes.
func entryVectors() (v []Vector) {
	place := wire.NewWriter()
	place.Uint8(1)
	place.Uint8(100)
	chainID, previous := fixed("chain"), fixed("previous")
	place.Fixed(chainID[:])
	place.Uint16(log.TypeServer)
	place.Uint64(7)
	place.Fixed(previous[:])
	place.Uint32(2)
	clear := place.Bytes()
	add := func(op, field, name, class string, b []byte) {
		v = append(v, Vector{Name: name, Op: op, In: map[string]string{field: hexOf(b)}, Error: class})
	}
	edit := func(at int, b ...byte) []byte { x := slices.Clone(clear); copy(x[at:], b); return x }
	add("event-place", "effect", "place of an event", "", clear)
	add("event-place", "effect", "place of suite 2", "suite", edit(0, 2))
	add("event-place", "effect", "place of kind 8", "malformed", edit(1, 8))
	add("event-place", "effect", "place in the trail", "malformed", edit(34, 0, 2))
	add("event-place", "effect", "place of epoch 0", "malformed", edit(76, 0, 0, 0, 0))
	add("event-place", "effect", "place of a first with one before", "malformed", edit(36, make([]byte, 8)...))
	add("event-place", "effect", "place cut", "malformed", clear[:79])
	add("event-place", "effect", "place with a byte more", "malformed", append(slices.Clone(clear), 0))
	e := chain.Entry{Leaf: log.NewLeaf(fixed("chain"), log.TypeTrail, log.LinkKey(fixed("key")), 0, wire.Hash{}, log.Commit([]byte("effect"), []byte("envelope"))), Effect: []byte("effect"), Envelope: []byte("envelope")}
	add("entry", "entry", "entry", "", e.Bytes())
	gone := e.Erase().Bytes()
	add("entry", "entry", "tombstone", "", gone)
	other := slices.Clone(gone)
	other[len(other)-33] = 2
	add("entry", "entry", "entry of form 2", "malformed", other)
	add("entry", "entry", "tombstone cut", "malformed", gone[:len(gone)-1])
	add("entry", "entry", "tombstone with a byte more", "malformed", append(slices.Clone(gone), 0))
	return v
}

func documentVectors() (v []Vector) {
	for _, n := range []uint64{0, 1, 16383, 16384, 16385, 100_000, 262_112, 262_113, 1 << 20, 1<<20 + 1, 4_193_792, 4_193_793, 4 << 20, 1 << 30, 1<<40 - 1, 1 << 40} {
		v = append(v, Vector{Name: fmt.Sprintf("padding of %d", n), Op: "padding", In: map[string]string{"length": fmt.Sprint(n)}})
	}
	h := document.Header{Compartment: fixed("compartment"), Document: id("document"), Version: id("version"), Author: keys.Fingerprint(fixed("author")), Padded: 100_352}
	header := func(name, class string, edit func([]byte) []byte) {
		v = append(v, Vector{Name: name, Op: "header", In: map[string]string{"header": hexOf(edit(h.Bytes()))}, Error: class})
	}
	header("header", "", func(b []byte) []byte { return b })
	header("header of suite 0", "suite", func(b []byte) []byte { b[0] = 0; return b })
	header("header of suite 2", "suite", func(b []byte) []byte { b[0] = 2; return b })
	header("header with a length that Padmé does not give", "malformed", func(b []byte) []byte { b[104]++; return b })
	header("header below 16 KiB", "malformed", func(b []byte) []byte { copy(b[97:], make([]byte, 8)); return b })
	header("header above 1 TiB", "malformed", func(b []byte) []byte { b[97] = 1; return b })
	header("header cut", "malformed", func(b []byte) []byte { return b[:104] })
	header("header with a byte more", "malformed", func(b []byte) []byte { return append(b, 0) })
	list := []wire.Hash{fixed("chunk 0"), fixed("chunk 1"), fixed("chunk 2")}
	join := func(hashes ...wire.Hash) string {
		parts := make([]string, len(hashes))
		for i, x := range hashes {
			parts[i] = hexHash(x)
		}
		return strings.Join(parts, ",")
	}
	for n := range len(list) + 1 {
		v = append(v, Vector{Name: fmt.Sprintf("body root of %d chunks", n), Op: "body-root", In: map[string]string{"digests": join(list[:n]...)}})
	}
	root := hexHash(document.BodyRoot(list))
	check := func(name, class, padded string, hashes ...wire.Hash) {
		v = append(v, Vector{Name: name, Op: "check-digests", In: map[string]string{"padded": padded, "root": root, "digests": join(hashes...)}, Error: class})
	}
	check("digests", "", "9437184", list...)
	check("digests cut", "body-root", "9437184", list[:2]...)
	check("digests exchanged", "body-root", "9437184", list[1], list[0], list[2])
	check("digests doubled", "body-root", "9437184", list[0], list[0], list[2])
	check("digests of another length", "body-root", "1048576", list...)
	for i, name := range []string{"brief.pdf", "..", "a/b", "a\\b", " a", "a\n", "\u202ea", "\ufeffa", "", strings.Repeat("n", 255), strings.Repeat("n", 256), "\xff"} {
		class := "name"
		if i == 0 || len(name) == 255 {
			class = ""
		}
		v = append(v, Vector{Name: fmt.Sprintf("name %d", i), Op: "name", In: map[string]string{"name": hexOf([]byte(name))}, Error: class})
	}
	return v
}

func effectVectors(t *testing.T) (v []Vector) {
	t.Helper()
	base := func(kind chain.Kind) *chain.Effect {
		return &chain.Effect{Kind: kind, Chain: fixed("chain"), Entry: id("entry"), Sequence: log.TypeState, Position: 7, Previous: fixed("previous"), Epoch: 2, Actor: id("actor"), Mark: fixed("mark")}
	}
	add := func(name, class string, b []byte) {
		v = append(v, Vector{Name: name, Op: "effect", In: map[string]string{"effect": hexOf(b)}, Error: class})
	}
	low, high := wire.ObjectID{1}, wire.ObjectID{2}
	seat := chain.Seat{Member: low, Fingerprint: fixed("keys"), Role: chain.RoleOwner, From: 1}
	other := chain.Seat{Member: high, Fingerprint: fixed("other keys"), Role: chain.RoleClient, From: 1}
	statement := base(chain.KindStatement)
	statement.Statement = &chain.StatementEffect{Seats: []chain.Seat{seat, other}, Invites: []wire.ObjectID{low, high}, TrailPosition: 3, TrailHead: fixed("trail"),
		OpensState: fixed("opens state"), OpensTrail: fixed("opens trail"), TrailKey: bytes.Repeat([]byte{5}, 1216), Boxes: chain.Boxes{Content: []byte{1}, Entry: []byte{2}, Link: []byte{3}, Trail: []byte{4}}}
	add("statement", "", statement.Bytes())
	st := *statement.Statement
	for name, change := range map[int]struct {
		name   string
		change func(*chain.StatementEffect)
	}{
		0: {"statement with unsorted seats", func(s *chain.StatementEffect) { s.Seats = []chain.Seat{other, seat} }},
		1: {"statement with a seat twice", func(s *chain.StatementEffect) { s.Seats = []chain.Seat{seat, seat} }},
		2: {"statement with an invite twice", func(s *chain.StatementEffect) { s.Invites = []wire.ObjectID{low, low} }},
		3: {"statement with a box too long", func(s *chain.StatementEffect) { s.Boxes.Link = make([]byte, 257) }},
		4: {"statement with role 0", func(s *chain.StatementEffect) { x := seat; x.Role = 0; s.Seats = []chain.Seat{x} }},
		5: {"statement with a seat from epoch 0", func(s *chain.StatementEffect) { x := seat; x.From = 0; s.Seats = []chain.Seat{x} }},
	} {
		_ = name
		x, e := st, *statement
		change.change(&x)
		e.Statement = &x
		add(change.name, "malformed", e.Bytes())
	}
	batch := base(chain.KindBatch)
	op := chain.OpEffect{Kind: chain.OpAdd, Document: id("document"), Version: id("version"), Upload: id("upload"), Padded: 16384}
	batch.Batch = &chain.BatchEffect{Ops: []chain.OpEffect{op, {Kind: chain.OpPlace, Document: id("document")}, {Kind: chain.OpDelete, Document: id("document")}, {Kind: chain.OpProfile}}}
	add("batch", "", batch.Bytes())
	for _, c := range []struct {
		name string
		ops  []chain.OpEffect
	}{
		{"batch of nothing", nil}, {"batch of an unknown operation", []chain.OpEffect{{Kind: 5, Document: low}}}, {"batch of a document that is zero", []chain.OpEffect{{Kind: chain.OpDelete}}},
		{"batch of a profile with a document", []chain.OpEffect{{Kind: chain.OpProfile, Document: low}}}, {"batch of a length that Padmé does not give", []chain.OpEffect{{Kind: chain.OpAdd, Document: low, Version: low, Upload: low, Padded: 100_000}}},
	} {
		batch.Batch = &chain.BatchEffect{Ops: c.ops}
		add(c.name, "malformed", batch.Bytes())
	}
	invite := base(chain.KindInvite)
	invite.Invite = &chain.InviteEffect{Invite: id("invite"), PublicKey: fixed("invite key"), Role: chain.RoleClient, Mode: chain.ModeAfterIConfirm, Expires: 1_800_000_000}
	add("invite", "", invite.Bytes())
	invite.Invite.Mode = 3
	add("invite of mode 3", "malformed", invite.Bytes())
	cancel := base(chain.KindCancel)
	cancel.Cancel = &chain.CancelEffect{Invite: id("invite")}
	good := cancel.Bytes()
	add("cancel", "", good)
	admit := base(chain.KindAdmit)
	admit.Admit = &chain.AdmitEffect{Invite: id("invite"), Seat: seat}
	add("admit", "", admit.Bytes())
	release := base(chain.KindRelease)
	release.Sequence, release.Release = log.TypeTrail, &chain.ReleaseEffect{Document: id("document"), Version: id("version"), Session: id("session")}
	add("release", "", release.Bytes())
	erase := base(chain.KindErase)
	erase.Erase = &chain.EraseEffect{From: 3, To: 9, Rule: chain.EraseRequest}
	add("erase", "", erase.Bytes())
	for name, x := range map[string]chain.EraseEffect{"erase of nothing": {From: 3, To: 3, Rule: 1}, "erase backwards": {From: 3, To: 2, Rule: 1}, "erase by rule 0": {From: 3, To: 9}, "erase by rule 3": {From: 3, To: 9, Rule: 3}} {
		erase.Erase = &x
		add(name, "malformed", erase.Bytes())
	}
	policy := base(chain.KindPolicy)
	rules := chain.Policy{StaffMFA: true, ClientMFA: true, PasswordLength: 14, PasswordDays: 365, Idle: 10, Absolute: 480, OneSession: true, Networks: []string{"192.0.2.0/24", "2001:db8::/32"}, RecoveryK: 2, RecoveryHours: 72,
		Custodians: []chain.Custodian{{Member: id("custodian-a"), Fingerprint: fixed("a")}, {Member: id("custodian-b"), Fingerprint: fixed("b")}, {Member: id("custodian-c"), Fingerprint: fixed("c")}}}
	rules = rules.Normal()
	policy.Policy = &rules
	add("policy", "", policy.Bytes())
	least := chain.DefaultPolicy()
	policy.Policy = &least
	add("policy of the defaults", "", policy.Bytes())
	for _, c := range []struct {
		name   string
		change func(*chain.Policy)
	}{
		{"policy of a short password", func(p *chain.Policy) { p.PasswordLength = 11 }}, {"policy without an idle time", func(p *chain.Policy) { p.Idle = 0 }},
		{"policy of a day and a minute", func(p *chain.Policy) { p.Absolute = 1441 }}, {"policy whose end comes before idle", func(p *chain.Policy) { p.Idle, p.Absolute = 60, 59 }},
		{"policy of unsorted networks", func(p *chain.Policy) { p.Networks = []string{"2001:db8::/32", "192.0.2.0/24"} }}, {"policy of a network twice", func(p *chain.Policy) { p.Networks = []string{"192.0.2.0/24", "192.0.2.0/24"} }},
		{"policy of an address", func(p *chain.Policy) { p.Networks = []string{"192.0.2.1"} }}, {"policy of a network beside its mask", func(p *chain.Policy) { p.Networks = []string{"192.0.2.1/24"} }},
		{"policy of an IPv4 network as IPv6", func(p *chain.Policy) { p.Networks = []string{"::ffff:192.0.2.0/120"} }}, {"policy of one of three", func(p *chain.Policy) { p.RecoveryK = 1 }},
		{"policy of four of three", func(p *chain.Policy) { p.RecoveryK = 4 }}, {"policy of two of nobody", func(p *chain.Policy) { p.Custodians = nil }},
		{"policy without time to say no", func(p *chain.Policy) { p.RecoveryHours = 23 }}, {"policy of unsorted custodians", func(p *chain.Policy) {
			p.Custodians = []chain.Custodian{p.Custodians[1], p.Custodians[0], p.Custodians[2]}
		}},
	} {
		p := rules
		c.change(&p)
		policy.Policy = &p
		add(c.name, "malformed", policy.Bytes())
	}
	link := chain.KeyLink{Firm: fixed("firm"), Member: id("member"), Number: 1, Previous: fixed("previous"), Bundle: noisyBundle(t), Signature: bytes.Repeat([]byte{9}, 3373)}
	for _, c := range []struct {
		name   string
		kind   chain.Kind
		change func(*chain.Effect)
	}{
		{"renew", chain.KindRenew, func(e *chain.Effect) { e.Renew = &chain.RenewEffect{Link: link} }},
		{"accept", chain.KindAccept, func(e *chain.Effect) {
			e.Accept = &chain.AcceptEffect{Invite: id("invite"), Ways: 2, Links: []chain.KeyLink{link}, Bundle: link.Bundle}
		}},
		{"declare", chain.KindDeclare, func(e *chain.Effect) { e.Declare = &chain.DeclareEffect{Ways: 2} }},
		{"unlock", chain.KindUnlock, func(e *chain.Effect) { e.Unlock = &chain.UnlockEffect{Member: id("member")} }},
		{"escrow", chain.KindEscrow, func(e *chain.Effect) { e.Escrow = &chain.EscrowEffect{Policy: 7} }},
		{"recover", chain.KindRecover, func(e *chain.Effect) {
			e.Recover = &chain.RecoverEffect{Recovery: id("recovery"), Member: id("member"), PublicKey: [32]byte(fixed("key")), Expires: 9}
		}},
		{"approve", chain.KindApprove, func(e *chain.Effect) {
			e.Approve = &chain.ApproveEffect{Recovery: id("recovery"), Fingerprint: fixed("claimed")}
		}},
		{"veto", chain.KindVeto, func(e *chain.Effect) { e.Veto = &chain.VetoEffect{Recovery: id("recovery")} }},
		{"sign out", chain.KindSignOut, func(e *chain.Effect) { e.SignOut = &chain.SignOutEffect{Member: id("member")} }},
	} {
		e := base(c.kind)
		c.change(e)
		add(c.name, "", e.Bytes())
	}
	first := link
	first.Number, first.Previous, first.Signature = 0, wire.Hash{}, nil
	for _, c := range []struct {
		name   string
		kind   chain.Kind
		change func(*chain.Effect)
	}{
		{"renew by a first link", chain.KindRenew, func(e *chain.Effect) { e.Renew = &chain.RenewEffect{Link: first} }},
		{"accept without a way", chain.KindAccept, func(e *chain.Effect) { e.Accept = &chain.AcceptEffect{Invite: id("invite"), Bundle: link.Bundle} }},
		{"accept by a first link", chain.KindAccept, func(e *chain.Effect) {
			e.Accept = &chain.AcceptEffect{Invite: id("invite"), Ways: 1, Links: []chain.KeyLink{first}, Bundle: link.Bundle}
		}},
		{"declare no way", chain.KindDeclare, func(e *chain.Effect) { e.Declare = &chain.DeclareEffect{} }},
		{"declare 65 ways", chain.KindDeclare, func(e *chain.Effect) { e.Declare = &chain.DeclareEffect{Ways: 65} }},
		{"unlock nobody", chain.KindUnlock, func(e *chain.Effect) { e.Unlock = &chain.UnlockEffect{} }},
		{"recover nobody", chain.KindRecover, func(e *chain.Effect) { e.Recover = &chain.RecoverEffect{Recovery: id("recovery")} }},
		{"approve nothing", chain.KindApprove, func(e *chain.Effect) { e.Approve = &chain.ApproveEffect{} }},
		{"approve no keys", chain.KindApprove, func(e *chain.Effect) { e.Approve = &chain.ApproveEffect{Recovery: id("recovery")} }},
		{"sign nobody out", chain.KindSignOut, func(e *chain.Effect) { e.SignOut = &chain.SignOutEffect{} }},
		{"veto nothing", chain.KindVeto, func(e *chain.Effect) { e.Veto = &chain.VetoEffect{} }},
	} {
		e := base(c.kind)
		c.change(e)
		add(c.name, "malformed", e.Bytes())
	}
	edit := func(name, class string, at int, b ...byte) {
		x := slices.Clone(good)
		copy(x[at:], b)
		add(name, class, x)
	}
	edit("suite 0", "suite", 0, 0)
	edit("suite 2", "suite", 0, 2)
	edit("kind 0", "malformed", 1, 0)
	edit("kind 8 without its body", "malformed", 1, 8)
	edit("kind 9", "malformed", 1, 9)
	edit("kind 11", "malformed", 1, 11)
	edit("entry zero", "malformed", 34, make([]byte, 16)...)
	edit("in the trail", "malformed", 50, 0, 2)
	edit("epoch 0", "malformed", 92, 0, 0, 0, 0)
	edit("actor zero", "malformed", 96, make([]byte, 16)...)
	add("cut", "malformed", good[:len(good)-1])
	add("a byte more", "malformed", append(slices.Clone(good), 0))
	slices.SortStableFunc(v, func(a, b Vector) int { return strings.Compare(a.Name, b.Name) })
	return v
}

func textVectors() (v []Vector) {
	add := func(op, field, name, text, class string) {
		v = append(v, Vector{Name: op + " " + name, Op: op, In: map[string]string{field: text}, Error: class})
	}
	var count wire.ObjectID
	for i := range count {
		count[i] = byte(i)
	}
	text := count.String()
	add("id", "text", "good", text, "")
	add("id", "text", "in upper case", strings.ToUpper(text), "malformed")
	add("id", "text", "short", text[1:], "malformed")
	add("id", "text", "with unused bits", text[:25]+"5", "malformed")
	add("id", "text", "with a line break", text[:10]+"\n"+text[11:], "malformed")
	digest := api.ContentDigest(fixed("digest"))
	add("content-digest", "text", "good", digest, "")
	add("content-digest", "text", "with a line break", digest[:20]+"\n"+digest[20:], "malformed")
	add("content-digest", "text", "of another hash", strings.Replace(digest, "256", "512", 1), "malformed")
	add("content-digest", "text", "without its end", digest[:len(digest)-1], "malformed")
	l := chain.Link{Firm: fixed("firm"), Chain: fixed("chain"), Invite: id("invite"), Inviter: fixed("inviter"), Position: 9, Head: fixed("head"), Secret: chain.InviteSecret(id("secret"))}
	link := l.String()
	add("link", "link", "good", link, "")
	add("link", "link", "with a line break", link[:40]+"\n"+link[40:], "malformed")
	add("link", "link", "with padding", link+"==", "malformed")
	add("link", "link", "cut", link[:len(link)-4], "malformed")
	add("link", "link", "with more", link[:len(link)-2]+"AAAAAA", "malformed")
	add("link", "link", "of suite 2", "Ag"+link[2:], "suite")
	add("link", "link", "empty", "", "malformed")
	return v
}

// deviceVectors are of a new device whose seeds are the two hashes that stand here.
func deviceVectors(t *testing.T) (v []Vector) {
	wrap, device := fixed("wrap seed"), fixed("device seed")
	k, err := dev.NewKeys(bytes.NewReader(append(wrap[:], device[:]...)))
	if err != nil {
		t.Fatal(err)
	}
	const origin = "https://files.example"
	request := k.Request().Bytes()
	account := id("account")
	answer := slices.Concat([]byte{1}, account[:], bytes.Repeat([]byte{7}, 32), bytes.Repeat([]byte{8}, dev.AnswerSize-49))
	grant := append([]byte{1}, bytes.Repeat([]byte{9}, dev.GrantSize-1)...)
	add := func(name, op, class string, in map[string]string) {
		v = append(v, Vector{Name: name, Op: op, In: in, Error: class})
	}
	code := func(name, class, origin string, request []byte) {
		add(name, "device-code", class, map[string]string{"origin": origin, "request": hexOf(request)})
	}
	code("code", "", origin, request)
	code("code of another server", "", "https://other.example", request)
	code("code of a request cut", "malformed", origin, request[:len(request)-1])
	code("code of a request with a byte more", "malformed", origin, append(bytes.Clone(request), 0))
	code("code of suite 2", "suite", origin, append([]byte{2}, request[1:]...))
	words := func(name, class string, request, answer []byte) {
		add(name, "device-words", class, map[string]string{"origin": origin, "request": hexOf(request), "answer": hexOf(answer)})
	}
	changed := func(b []byte, at int) []byte { b = bytes.Clone(b); b[at] ^= 1; return b }
	words("words", "", request, answer)
	words("words of another account", "", request, changed(answer, 1))
	words("words of another key", "", request, changed(answer, 17))
	words("words of another name", "", request, changed(answer, 49))
	words("words of another device key", "", changed(request, len(request)-1), answer)
	words("words of an answer cut", "malformed", request, answer[:len(answer)-1])
	words("words of an answer with a byte more", "malformed", request, append(bytes.Clone(answer), 0))
	words("words of an answer of no account", "malformed", request, slices.Concat(answer[:1], make([]byte, 16), answer[17:]))
	words("words of an answer of suite 2", "suite", request, append([]byte{2}, answer[1:]...))
	parse := func(name, class string, grant []byte) {
		add(name, "device-grant", class, map[string]string{"grant": hexOf(grant)})
	}
	parse("grant", "", grant)
	parse("grant cut", "malformed", grant[:len(grant)-1])
	parse("grant with a byte more", "malformed", append(bytes.Clone(grant), 0))
	parse("grant of suite 2", "suite", append([]byte{2}, grant[1:]...))
	text := k.Request().Code(origin).String()
	typed := func(name, class, text string) { add(name, "device-code-text", class, map[string]string{"text": text}) }
	typed("typed code", "", text)
	typed("typed code in lower case with spaces", "", strings.ToLower(strings.ReplaceAll(text, "-", " ")))
	typed("typed code with two letters exchanged", "code-group-2", text[:6]+text[7:8]+text[6:7]+text[8:])
	typed("typed code with a group missing", "code-group-5", text[:23])
	typed("typed code with a group more", "code-group-5", text+"-"+text[:5])
	return v
}

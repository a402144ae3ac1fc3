package protocoltest

import (
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
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

var update = flag.Bool("update", false, "make protocol/testdata/*.json again")

const folder = "../testdata"

// TestVectors runs the committed vectors, and makes sure that they are the ones that the generator makes: it draws no
// randomness. S-WIRE-01 S-LOG-01 S-LOG-03 S-DOC-02 S-DOC-03 S-DOC-06 S-CHAIN-09
func TestVectors(t *testing.T) {
	for name, vectors := range all() {
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
	if err != nil || len(files) != len(all()) {
		t.Errorf("%d files, want %d", len(files), len(all()))
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

func all() map[string][]Vector {
	return map[string][]Vector{"log": logVectors(), "document": documentVectors(), "effect": effectVectors(), "text": textVectors()}
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
		m := map[string]string{"type": "1", "key": hexHash(fixed("key")), "seq": "7", "previous": hexHash(fixed("previous")), "commit": hexHash(fixed("commit"))}
		for k, x := range change {
			m[k] = x
		}
		return m
	}
	v = append(v, Vector{Name: "leaf of the state", Op: "leaf", In: in(nil)}, Vector{Name: "leaf of the trail", Op: "leaf", In: in(map[string]string{"type": "2"})},
		Vector{Name: "first leaf", Op: "leaf", In: in(map[string]string{"seq": "0", "previous": strings.Repeat("00", 32)})})
	for _, kind := range []string{"1", "2"} {
		m := in(map[string]string{"type": kind})
		delete(m, "commit")
		v = append(v, Vector{Name: "opening of " + kind, Op: "opening", In: m})
	}
	leaf := log.NewLeaf(log.TypeState, log.LinkKey(fixed("key")), 7, fixed("previous"), fixed("commit")).Bytes()
	check := func(name, class string, change map[string]string, edit func([]byte) []byte) {
		m := in(change)
		m["leaf"] = hexOf(edit(slices.Clone(leaf)))
		v = append(v, Vector{Name: name, Op: "check-leaf", In: m, Error: class})
	}
	same := func(b []byte) []byte { return b }
	check("leaf checks", "", nil, same)
	check("leaf under another key", "link", map[string]string{"key": hexHash(fixed("x"))}, same)
	check("leaf at another position", "link", map[string]string{"seq": "8"}, same)
	check("leaf after another", "link", map[string]string{"previous": hexHash(fixed("x"))}, same)
	check("leaf of another entry", "link", map[string]string{"commit": hexHash(fixed("x"))}, same)
	check("leaf of the other sequence", "link", map[string]string{"type": "2"}, same)
	check("leaf with another tag", "link", nil, func(b []byte) []byte { b[2] ^= 1; return b })
	check("leaf with another link", "link", nil, func(b []byte) []byte { b[34] ^= 1; return b })
	check("leaf with another commit", "link", nil, func(b []byte) []byte { b[66] ^= 1; return b })
	check("leaf of type 0", "malformed", nil, func(b []byte) []byte { b[1] = 0; return b })
	check("leaf of type 3", "malformed", nil, func(b []byte) []byte { b[1] = 3; return b })
	check("leaf cut", "malformed", nil, func(b []byte) []byte { return b[:97] })
	check("leaf with a byte more", "malformed", nil, func(b []byte) []byte { return append(b, 0) })
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

func effectVectors() (v []Vector) {
	base := func(kind chain.Kind) *chain.Effect {
		return &chain.Effect{Kind: kind, Chain: fixed("chain"), Entry: id("entry"), Sequence: log.TypeState, Position: 7, Previous: fixed("previous"), Epoch: 2, Actor: id("actor")}
	}
	add := func(name, class string, b []byte) {
		v = append(v, Vector{Name: name, Op: "effect", In: map[string]string{"effect": hexOf(b)}, Error: class})
	}
	low, high := wire.ObjectID{1}, wire.ObjectID{2}
	seat := chain.Seat{Member: low, Fingerprint: fixed("keys"), Role: chain.RoleOwner, From: 1}
	other := chain.Seat{Member: high, Fingerprint: fixed("other keys"), Role: chain.RoleClient, From: 1}
	statement := base(chain.KindStatement)
	statement.Statement = &chain.StatementEffect{Seats: []chain.Seat{seat, other}, Invites: []wire.ObjectID{low, high}, TrailPosition: 3, TrailHead: fixed("trail"),
		OpensState: fixed("opens state"), OpensTrail: fixed("opens trail"), Boxes: chain.Boxes{Content: []byte{1}, Entry: []byte{2}, Link: []byte{3}, Trail: []byte{4}}}
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
	edit := func(name, class string, at int, b ...byte) {
		x := slices.Clone(good)
		copy(x[at:], b)
		add(name, class, x)
	}
	edit("suite 0", "suite", 0, 0)
	edit("suite 2", "suite", 0, 2)
	edit("kind 0", "malformed", 1, 0)
	edit("kind 8", "malformed", 1, 8)
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

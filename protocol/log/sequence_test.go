package log

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/underseal/underseal/protocol/wire"
)

func twoEpochs() LinkKeys {
	return LinkKeys{Origin: "underseal.example/log/x", Chain: wire.ChainID{1}, Epochs: []EpochLinks{
		{Epoch: 1, State: LinkKey{2}, Trail: LinkKey{3}},
		{Epoch: 2, StateFrom: 4, TrailFrom: 0, State: LinkKey{5}, Trail: LinkKey{6}, StateHead: wire.Hash{7}},
		{Epoch: 3, StateFrom: 5, TrailFrom: 9, State: LinkKey{5}, Trail: LinkKey{6}, StateHead: wire.Hash{7}, TrailHead: wire.Hash{8}},
	}}
}

// TestLinkKeys: the reviewer's file has one spelling, and epochs that rise from the first. S-SEQ-04 S-WIRE-02
func TestLinkKeys(t *testing.T) {
	good := string(twoEpochs().Format())
	again, err := ParseLinkKeys([]byte(good))
	if err != nil || string(again.Format()) != good || len(again.Epochs) != 3 || again.Epochs[2] != twoEpochs().Epochs[2] || again.Origin != twoEpochs().Origin || again.Chain != twoEpochs().Chain {
		t.Fatalf("%v: %+v", err, again)
	}
	lines := strings.SplitAfter(good, "\n")
	for name, text := range map[string]string{
		"nothing": "", "a header alone": lines[0], "no epoch": strings.Join(lines[:3], ""), "another header": strings.Replace(good, "v1", "v2", 1),
		"no origin": strings.Replace(good, "underseal.example/log/x", "", 1), "an origin that is no text": strings.Replace(good, "example", "\xff", 1),
		"no word for the origin": strings.Replace(good, "origin ", "", 1), "no word for the chain": strings.Replace(good, "chain ", "", 1),
		"a chain in upper case": strings.Replace(good, lines[2], "chain "+strings.ToUpper(lines[2][6:]), 1), "a short chain": strings.Replace(good, lines[2], lines[2][:20]+"\n", 1),
		"no last line break": good[:len(good)-1], "a line more": good + "\n", "text after it": good + "x", "returns": strings.ReplaceAll(good, "\n", "\r\n"),
		"two spaces": strings.Replace(good, "epoch 2 ", "epoch 2  ", 1), "a leading zero": strings.Replace(good, "epoch 2", "epoch 02", 1), "a plus": strings.Replace(good, "epoch 2 4", "epoch 2 +4", 1),
		"an epoch left out": lines[0] + lines[1] + lines[2] + lines[3] + lines[5], "an epoch twice": good + lines[5], "epochs exchanged": lines[0] + lines[1] + lines[2] + lines[3] + lines[5] + lines[4],
		"a first epoch that is not the first": lines[0] + lines[1] + lines[2] + lines[4], "an epoch too large": strings.Replace(good, "epoch 3", "epoch 4294967297", 1),
		"a state that does not go on": strings.Replace(good, "epoch 3 5", "epoch 3 4", 1), "a trail that goes back": strings.Replace(good, "epoch 2 4 0", "epoch 2 4 10", 1),
		"a first state that begins later": strings.Replace(good, "epoch 1 0", "epoch 1 1", 1), "a first trail that begins later": strings.Replace(good, "epoch 1 0 0", "epoch 1 0 1", 1),
		"a key without padding": strings.Replace(good, "=", "", 1), "a key with unused bits": strings.Replace(good, "AAA=", "AAB=", 1), "a number more": strings.Replace(good, lines[4], lines[4][:len(lines[4])-1]+" 1\n", 1),
		"a column less": strings.Replace(good, " "+strings.Split(lines[4], " ")[7], "\n", 1), "a number that is none": strings.Replace(good, "epoch 2 4", "epoch 2 x", 1),
	} {
		if text == good {
			t.Fatalf("%s changes nothing", name)
		}
		if l, err := ParseLinkKeys([]byte(text)); !errors.Is(err, ErrLinkKeys) || l.Epochs != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*EpochLinks){"state": func(e *EpochLinks) { e.StateHead[0] = 1 }, "trail": func(e *EpochLinks) { e.TrailHead[0] = 1 }} {
		l := twoEpochs()
		change(&l.Epochs[0])
		if _, err := ParseLinkKeys(l.Format()); !errors.Is(err, ErrLinkKeys) {
			t.Errorf("a %s that something stands before: %v", name, err)
		}
	}
	large := twoEpochs()
	for n := uint32(4); n < 100_000; n++ {
		large.Epochs = append(large.Epochs, EpochLinks{Epoch: n, StateFrom: uint64(n) + 2, TrailFrom: 9})
	}
	if _, err := ParseLinkKeys(large.Format()); !errors.Is(err, ErrLinkKeys) {
		t.Errorf("a file too large: %v", err)
	}
}

// TestServerLeaf: both halves of a VRF output are used, and neither chain nor position shows. S-EVENT-02 S-LOG-01
func TestServerLeaf(t *testing.T) {
	output := [64]byte{1, 32: 2}
	l := ServerLeaf(output, wire.Hash{3}, wire.Hash{4})
	if l.Type != TypeServer || l.Tag != (wire.Hash{1}) || l.Commit != (wire.Hash{4}) || l.Link.IsZero() {
		t.Errorf("%+v", l)
	}
	seen := map[Leaf]bool{l: true}
	for _, x := range []Leaf{ServerLeaf([64]byte{9, 32: 2}, wire.Hash{3}, wire.Hash{4}), ServerLeaf([64]byte{1, 32: 9}, wire.Hash{3}, wire.Hash{4}),
		ServerLeaf(output, wire.Hash{9}, wire.Hash{4}), ServerLeaf(output, wire.Hash{3}, wire.Hash{9})} {
		seen[x] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d leaves, want 5", len(seen))
	}
	for _, x := range []Leaf{l, KeysLeaf(wire.Hash{1}, wire.Hash{2}), MapRootLeaf(wire.Hash{5})} {
		if again, err := ParseLeaf(x.Bytes()); err != nil || again != x {
			t.Errorf("type %d: %v", x.Type, err)
		}
		if _, ok := MapItemOf(x); ok != (x.Type != TypeMapRoot) {
			t.Errorf("type %d in the map: %v", x.Type, ok)
		}
	}
	for name, x := range map[string]Leaf{"a key link with a link": {Type: TypeKeys, Link: wire.Hash{1}}, "a map root with a link": {Type: TypeMapRoot, Link: wire.Hash{1}},
		"a map root with a tag": {Type: TypeMapRoot, Tag: wire.Hash{1}}, "type 6": {Type: 6}, "type 0": {}} {
		if _, err := ParseLeaf(x.Bytes()); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMapProofForm: a proof has one spelling and at most 256 hashes. S-MAP-04
func TestMapProofForm(t *testing.T) {
	p := MapProof{Siblings: []wire.Hash{{1}, {2}}, Other: &MapItem{wire.Hash{3}, wire.Hash{4}}}
	b := p.Bytes()
	if again, err := ParseMapProof(b); err != nil || !bytes.Equal(again.Bytes(), b) || len(b) != 2+64+1+64 {
		t.Fatalf("%d bytes: %v", len(b), err)
	}
	long := MapProof{Siblings: make([]wire.Hash, 257)}.Bytes()
	for name, x := range map[string][]byte{"nothing": nil, "cut": b[:len(b)-1], "a byte more": append(bytes.Clone(b), 0), "a bool of 2": append(bytes.Clone(b[:66]), append([]byte{2}, b[67:]...)...),
		"257 hashes": long, "a count without hashes": {1, 0, 0}} {
		if _, err := ParseMapProof(x); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseLinkKeys(f *testing.F) {
	good := twoEpochs().Format()
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(append(bytes.Clone(good), '\n'))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := ParseLinkKeys(b); err == nil && !bytes.Equal(l.Format(), b) {
			t.Fatal("re-encodes differently")
		}
	})
}

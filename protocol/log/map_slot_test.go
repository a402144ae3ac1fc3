package log

import (
	"bytes"
	"testing"

	"github.com/underseal/underseal/protocol/wire"
)

// TestSlotOf: a slot that is read alone is what the whole page says, and a page that is cut off or has an unknown kind is
// refused before anything of it is read.
func TestSlotOf(t *testing.T) {
	var p page
	p[3] = leafNode(MapItem{wire.Hash{1}, wire.Hash{2}})
	p[9] = mapNode{kind: nodeInner, hash: wire.Hash{3}}
	p[15] = leafNode(MapItem{wire.Hash{4}, wire.Hash{5}})
	b := p.bytes()
	whole, err := parsePage(b)
	if err != nil {
		t.Fatal(err)
	}
	for s := range slots {
		got, err := slotOf(b, s)
		if err != nil || got != whole[s] {
			t.Errorf("slot %d: %v %v", s, got, err)
		}
		if none, err := slotOf(nil, s); err != nil || none != (mapNode{}) {
			t.Errorf("slot %d of no page: %v %v", s, none, err)
		}
	}
	for n := range b {
		if _, err := slotOf(b[:n], 15); err == nil {
			t.Errorf("the last slot of %d bytes", n)
		}
	}
	unknown := bytes.Clone(b)
	unknown[5] = 3
	for s := 5; s < slots; s++ {
		if _, err := slotOf(unknown, s); err == nil {
			t.Errorf("slot %d behind an unknown kind", s)
		}
	}
}

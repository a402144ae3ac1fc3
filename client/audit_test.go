package client

import (
	"errors"
	"testing"

	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
)

// TestFoundWholeBefore: a matter that was found whole does not get shorter, other or older.
func TestFoundWholeBefore(t *testing.T) {
	leaf := func(n byte) placed { return placed{uint64(n), log.Leaf{Type: log.TypeState, Commit: [32]byte{n}}} }
	since := seenMatter{Entries: 2, Head: leaf(2).leaf.Hash(), Epoch: 2}
	for name, c := range map[string]struct {
		state []placed
		epoch uint32
	}{
		"shorter": {[]placed{leaf(1)}, 2},
		"other":   {[]placed{leaf(1), leaf(3), leaf(4)}, 2},
		"older":   {[]placed{leaf(1), leaf(2), leaf(3)}, 1},
	} {
		v := &verification{m: &matter{}, since: since, log: &firmLog{kept: newLogRecord(chain.LogTrust{})}}
		v.links.Epochs = []log.EpochLinks{{Epoch: c.epoch}}
		if err := v.remember(t.Context(), c.state); !errors.Is(err, ErrRolledBack) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

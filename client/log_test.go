package client

import (
	"testing"

	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// TestLogOfAFirm: S-CLIENT-12. A firm has one log. Another of its chains does not bring another, nor does the next visit.
func TestLogOfAFirm(t *testing.T) {
	device, id, root := newShelf(), wire.ObjectID{1}, testRoot(t)
	firm := wire.ChainID{2}
	trust := func(ed byte, policy string) chain.LogTrust {
		s, err := log.NewSigner("localhost/log/x", [32]byte{ed}, [32]byte{9})
		must(t, err)
		return chain.LogTrust{Origin: "localhost/log/x", Keys: s.VerifierKeys(), VRFKey: []byte{1}, Policy: policy}
	}
	other := trust(1, "")
	other.VRFKey = []byte{2}
	c := signedIn(t, nil, device, id, root)
	l, err := c.logOf(t.Context(), firm, trust(1, ""))
	must(t, err)
	l.kept.Size = 3
	must(t, c.keepLog(t.Context(), firm, l))
	for what, bad := range map[string]chain.LogTrust{"keys": trust(2, ""), "policy": trust(1, "quorum none\n"), "VRF key": other, "no keys": {Origin: "localhost/log/x"}} {
		if _, err := c.logOf(t.Context(), firm, bad); err != ErrLogKeys {
			t.Errorf("another chain's %s: %v", what, err)
		}
	}
	next := signedIn(t, nil, device, id, root)
	if _, err := next.logOf(t.Context(), firm, trust(2, "")); err != ErrLogKeys {
		t.Errorf("the next visit: %v", err)
	}
	// S-CLIENT-11: what was verified is there again.
	again := signedIn(t, nil, device, id, root)
	if l, err := again.logOf(t.Context(), firm, trust(1, "")); err != nil || l.seen().Size != 3 {
		t.Errorf("%v, %v", l, err)
	}
}

package server_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// leaves puts leaves of nobody's into the log, in one commit, which adds one more.
func (p *player) leaves(n int) {
	p.t.Helper()
	p.ok(p.update(func(tx store.Tx) error {
		b, err := tx.Get(layout.LogSizeKey())
		if err != nil {
			return err
		}
		size := layout.ParseUint64(b)
		for i := range uint64(n) {
			leaf := log.KeysLeaf(sha256.Sum256(fmt.Append(nil, size+i)), wire.Hash{1})
			item, _ := log.MapItemOf(leaf)
			if err := tx.Put(layout.PendingKey(item.Key), item.Value[:]); err != nil {
				return err
			}
			if err := tx.Put(layout.LeafKey(size+i), leaf.Bytes()); err != nil {
				return err
			}
		}
		return tx.Put(layout.LogSizeKey(), layout.Uint64(size+uint64(n)))
	}))
}

// TestWitnessesFarBehind: what witnesses lag is not what a request costs. Beyond a bound the answer is under the newest
// checkpoint, which nobody witnessed.
func TestWitnessesFarBehind(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	witnessed := publicLog{p: ada}.get("checkpoint").body
	ada.ok(ada.update(func(tx store.Tx) error { return tx.Put(layout.WitnessedKey(), witnessed) }))
	old, err := w.logs.firm(ada.firm).keys.Open(witnessed)
	w.ok(err)
	ada.leaves(4095)
	if _, c := ada.prove(true, wire.Hash{1}); c.Size != old.Size {
		t.Errorf("at the bound: under %d leaves of %d", c.Size, old.Size+4096)
	}
	ada.leaves(1)
	_, newest := ada.prove(false, wire.Hash{1})
	if newest.Size != old.Size+4098 {
		t.Fatalf("%d leaves", newest.Size)
	}
	if _, c := ada.prove(true, wire.Hash{1}); c != newest {
		t.Errorf("beyond the bound: under %d leaves of %d", c.Size, newest.Size)
	}
}

// TestPublicTilesAreWitnessed: what is behind the public checkpoint is not shown beside it. Members see all of it.
func TestPublicTilesAreWitnessed(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	public := publicLog{p: ada}
	older := public.get("checkpoint").body
	old, err := w.logs.firm(ada.firm).keys.Open(older)
	w.ok(err)
	ada.leaves(300)
	policy := func(policy string, witnessed []byte) {
		t.Helper()
		ada.ok(ada.update(func(tx store.Tx) error {
			f, _, err := layout.Get[layout.Firm](tx, layout.FirmKey())
			if err != nil {
				return err
			}
			f.Policy = policy
			if witnessed != nil {
				err = tx.Put(layout.WitnessedKey(), witnessed)
			}
			if err != nil {
				return err
			}
			return layout.Put(tx, layout.FirmKey(), f)
		}))
	}
	within := []string{log.TilePath(0, 0, int(old.Size)), log.BundlePath(0, int(old.Size))}
	beyond := []string{log.TilePath(0, 0, int(old.Size)+1), log.BundlePath(0, int(old.Size)+1), log.TilePath(0, 0, 256), log.BundlePath(0, 256), log.TilePath(0, 1, 3), log.TilePath(1, 0, 1)}
	expect := func(what string, status int, paths []string) {
		t.Helper()
		for _, path := range paths {
			if a := public.get(path); a.status != status {
				t.Errorf("%s: %s: %d", what, path, a.status)
			}
			if a := ada.get(api.Firm(ada.firm) + "/log/tiles/" + path); a.status != 200 {
				t.Errorf("%s: %s: a member: %d", what, path, a.status)
			}
		}
	}
	expect("no policy", 200, append(within, beyond...))
	policy("quorum none\n", nil)
	expect("nothing witnessed", 404, append(within, beyond...))
	policy("quorum none\n", older)
	expect("witnessed", 200, within)
	expect("not witnessed", 404, beyond)
}

// TestStatementsThatBreakOff: pages stream without a length, so an answer that cannot go on is no whole one.
func TestStatementsThatBreakOff(t *testing.T) {
	w := newWorld(t)
	m := w.founder().matter()
	m.ok(m.update(func(tx store.Tx) error {
		head, _, err := layout.Get[layout.Chain](tx, layout.ChainKey(m.id))
		if err != nil {
			return err
		}
		for head.Epoch < 6 { // more than a page
			head.Epoch++
			at := 100 + uint64(head.Epoch)
			if err := tx.Put(layout.StatementKey(m.id, head.Epoch), layout.Uint64(at)); err != nil {
				return err
			}
			if err := tx.Put(layout.EntryKey(layout.State, m.id, at), make([]byte, store.MaxValue)); err != nil {
				return err
			}
		}
		head.Epoch++ // which is damaged
		return layout.Put(tx, layout.ChainKey(m.id), head)
	}))
	a, err := m.try("GET", m.path()+"/statements", "", nil, nil)
	if err == nil {
		t.Errorf("%d with %d bytes, in order", a.status, len(a.body))
	}
}

package evilserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/keys/vrf"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
)

func vrfOutput(seeds ledger.LogSeeds, alpha []byte) ([vrf.OutputSize]byte, error) {
	key, err := vrf.NewPrivateKey(seeds.VRF[:])
	if err != nil {
		return [vrf.OutputSize]byte{}, err
	}
	output, _, err := key.Prove(alpha)
	return output, err
}

func jsonReply(w *World, v any) *Reply {
	w.Helper()
	b, err := json.Marshal(v)
	w.ok(err)
	return &Reply{Status: 200, Header: http.Header{"Content-Type": {api.TypeJSON}}, Body: b}
}

func decodeAppended(o *office, r *Reply) (a api.Appended) {
	o.Helper()
	o.ok(json.Unmarshal(r.Body, &a))
	return a
}

type stateOf struct{ api.LogState }

func (s stateOf) note() []byte { return []byte(s.Checkpoint) }

func decodeState(o *office, r Reply) (s stateOf) {
	o.Helper()
	o.ok(json.Unmarshal(r.Body, &s.LogState))
	return s
}

func sscan(query string, size *uint64) (int, error) { return fmt.Sscanf(query, "from=%d", size) }

// size of a firm's log, as it is signed.
func (w *World) size(firm wire.ChainID) (n uint64) {
	w.Helper()
	w.ok(w.Store.View(context.Background(), layout.FirmPartition(firm), func(tx store.Tx) error {
		p, err := ledger.Newest(tx)
		n = p.Size
		return err
	}))
	return n
}

func (w *World) logState(firm wire.ChainID, from uint64) (s api.LogState, err error) {
	err = w.Store.View(context.Background(), layout.FirmPartition(firm), func(tx store.Tx) (err error) {
		s, _, err = ledger.State(tx, from)
		return err
	})
	return s, err
}

func (w *World) consistency(firm wire.ChainID, from, to uint64) (proof []wire.Hash) {
	w.Helper()
	w.ok(w.Store.View(context.Background(), layout.FirmPartition(firm), func(tx store.Tx) (err error) {
		proof, err = ledger.Consistency(tx, from, to)
		return err
	}))
	return proof
}

// oldMap answers questions about the map with an old answer, and a proof that the old log is the beginning of what was seen.
func (o *office) oldMap(old Reply) {
	o.Helper()
	var kept api.MapReply
	o.ok(json.Unmarshal(old.Body, &kept))
	o.Lie("POST", api.RouteMap, func(r *Request) *Reply {
		var asked api.MapRequest
		o.ok(json.Unmarshal(r.Body, &asked))
		size := checkpointSize(o.World, kept.Checkpoint)
		m := kept
		m.Consistency = o.consistency(o.ada.Firm, min(size, asked.Seen), max(size, asked.Seen))
		return jsonReply(o.World, m)
	})
}

func checkpointSize(w *World, note string) (n uint64) {
	w.Helper()
	_, err := fmt.Sscan(strings.Split(note, "\n")[1], &n)
	w.ok(err)
	return n
}

// rowsOf is all that the store has of a chain, but for its leaves.
func (w *World) rowsOf(id wire.ChainID) map[string][]byte {
	w.Helper()
	out := map[string][]byte{}
	for _, rows := range w.dump() {
		for k, v := range rows {
			if strings.Contains(k, id.String()) {
				out[k] = v
			}
		}
	}
	return out
}

// putRows puts a chain back to what it was, and leaves the log as it is.
func (o *office) putRows(id wire.ChainID, rows map[string][]byte) {
	o.Helper()
	now := o.rowsOf(id)
	o.Edit(layout.FirmPartition(o.ada.Firm), func(tx store.Tx) error {
		for k := range now {
			if rows[k] == nil {
				if err := tx.Delete([]byte(k)); err != nil {
					return err
				}
			}
		}
		for k, v := range rows {
			if err := tx.Put([]byte(k), v); err != nil {
				return err
			}
		}
		return nil
	})
}

// plantTrail puts a line at the end of the matter's trail and into the log.
func (o *office) plantTrail(e chain.Entry) {
	o.Helper()
	head := o.Head(o.ada.Firm, o.matter)
	o.Edit(layout.FirmPartition(o.ada.Firm), func(tx store.Tx) error {
		index, err := AppendLeaf(tx, e.Leaf)
		if err != nil {
			return err
		}
		if err := tx.Put(layout.EntryKey(layout.Trail, o.matter, head.TrailPosition), append(layout.Uint64(index), e.Bytes()...)); err != nil {
			return err
		}
		head.TrailPosition, head.TrailHead = head.TrailPosition+1, e.Leaf.Hash()
		return layout.Put(tx, layout.ChainKey(o.matter), head)
	})
}

// events are a chain's server sequence as auditors are served it.
func (w *World) events(firm, id wire.ChainID) (page []byte) {
	w.Helper()
	w.Edit(layout.FirmPartition(firm), func(tx store.Tx) error {
		s, _, err := layout.Get[layout.Sequence](tx, layout.EventsKey(id))
		for p := uint64(0); err == nil && p < s.Position; p++ {
			var row []byte
			row, err = tx.Get(layout.EventKey(id, p))
			if err == nil {
				page = append(page, row[8:]...)
			}
		}
		return err
	})
	return page
}

// seenOf is what a request says that its sender saw of the log.
func seenOf(r *Request) (n uint64) {
	_, _ = fmt.Sscanf(r.Query, "seen=%d", &n) // none: nothing
	return n
}

// errorOf is a lie as journals name it.
func errorOf(err error) error { return errors.New(client.FailureOf(err).Detail) }

// shareAccounts puts what this face knows of accounts, which are not what it lies about, into another.
func (w *World) shareAccounts(to *World) {
	w.Helper()
	to.Edit(layout.Accounts, func(tx store.Tx) error {
		for k, v := range w.dump()[layout.Accounts] {
			if err := tx.Put([]byte(k), v); err != nil {
				return err
			}
		}
		return nil
	})
}

func memberOf(o *office, text string) wire.ObjectID {
	o.Helper()
	id, err := wire.ParseObjectID(text)
	o.ok(err)
	return id
}

// tryGuest is Guest where it may fail.
func (p *Person) tryGuest(matter wire.ChainID, name string, role chain.Role) (*Person, error) {
	p.Helper()
	q := p.Person(name)
	_, err := q.Accept(p.InviteTo(matter, name, role, chain.ModeOpensAtOnce))
	return q, err
}

// swapProofs answers each of two keys with the other's proof. Where the first key's leaf is what shows the second one absent
// both proofs are the same bytes, and to swap them is no lie: then one is bent.
func swapProofs(m *api.MapReply) {
	if bytes.Equal(m.Proofs[0], m.Proofs[1]) {
		m.Proofs[0] = bytes.Clone(m.Proofs[0])
		m.Proofs[0][len(m.Proofs[0])-1] ^= 1
		return
	}
	slices.Reverse(m.Proofs)
}

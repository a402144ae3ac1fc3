package ledger

import (
	"context"
	"fmt"
	"sync"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// Receipt is the answer to an accepted entry: the proof that its leaf is in the log, under the newest checkpoint, and that
// this one extends what the caller has seen. The checkpoint is remembered outside the store first.
//
// Entries that were committed together come for their receipts together. Those that wait share the next look at the store
// and what it reads of the tree, as they shared a commit.
func (l *Log) Receipt(ctx context.Context, s store.Store, partition string, a Appended, seen uint64) (api.Appended, error) {
	r := &receiptRequest{index: a.Index, seen: seen}
	err := l.counterOf(partition).serve(r, func(all []*receiptRequest) (Published, error) {
		var p Published
		// Others wait for this look: that the one who takes it gives up does not end theirs.
		err := s.View(context.WithoutCancel(ctx), partition, func(tx store.Tx) (err error) {
			p, err = prove(tx, all)
			return err
		})
		return p, err
	}, func(p Published) error { return l.Publish(context.WithoutCancel(ctx), p) })
	if err != nil {
		return api.Appended{}, err
	}
	return r.answer(a), nil
}

// Receipt is the same within a transaction. Its checkpoint is still to be published.
func Receipt(tx store.Tx, a Appended, seen uint64) (api.Appended, Published, error) {
	r := &receiptRequest{index: a.Index, seen: seen}
	p, err := prove(tx, []*receiptRequest{r})
	if err != nil {
		return api.Appended{}, p, err
	}
	return r.answer(a), p, nil
}

func (l *Log) counterOf(partition string) *receiptCounter {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counters[partition]
	if c == nil {
		if l.counters == nil {
			l.counters = map[string]*receiptCounter{}
		}
		c = &receiptCounter{}
		l.counters[partition] = c
	}
	return c
}

// receiptRequest is one entry's way to its receipt.
type receiptRequest struct {
	index, seen uint64

	receipt     log.Receipt
	consistency []wire.Hash
}

func (r *receiptRequest) answer(a Appended) api.Appended {
	return api.Appended{ChainHead: a.ChainHead, Receipt: r.receipt.String(), Consistency: r.consistency}
}

// receiptCounter is where those who wait for receipts stand. Nothing stays there when the last has his.
type receiptCounter struct {
	looking sync.Mutex // held by the one who looks at the store

	mu   sync.Mutex // guards next
	next *receiptGroup
}

// receiptGroup are requests that share one look.
type receiptGroup struct {
	requests []*receiptRequest
	done     chan struct{} // closed when the rest is there
	err      error
}

// serve adds a request to the group that looks next. Who began the group looks for all of it.
func (c *receiptCounter) serve(r *receiptRequest, look func([]*receiptRequest) (Published, error), publish func(Published) error) error {
	c.mu.Lock()
	g, first := c.next, c.next == nil
	if first {
		g = &receiptGroup{done: make(chan struct{}), err: errLook}
		c.next = g
	}
	g.requests = append(g.requests, r)
	c.mu.Unlock()
	if !first {
		<-g.done
		return g.err
	}
	defer close(g.done)
	p, err := c.look(g, look)
	if err == nil {
		err = publish(p)
	}
	g.err = err
	return err
}

// errLook is what a group learns whose first one ended in a panic: it may ask again.
var errLook = fmt.Errorf("%w: looking for receipts", store.ErrCommit)

func (c *receiptCounter) look(g *receiptGroup, look func([]*receiptRequest) (Published, error)) (Published, error) {
	c.looking.Lock()
	defer c.looking.Unlock()
	c.mu.Lock()
	c.next = nil // who comes now may have been committed after what is looked at
	c.mu.Unlock()
	return look(g.requests)
}

// prove fills in receipts under the newest checkpoint.
func prove(tx store.Tx, all []*receiptRequest) (Published, error) {
	p, err := Newest(tx)
	if err != nil {
		return p, err
	}
	rows := keptRows{tree: tree{tx}, kept: map[rowID][]byte{}}
	for _, r := range all {
		leaf, err := tx.Get(layout.LeafKey(r.index))
		if err != nil {
			return p, err
		}
		path, err := log.ProveInclusion(rows, r.index, p.Size)
		if err != nil {
			return p, err
		}
		r.receipt = log.Receipt{Extra: leaf, Index: r.index, Path: path, Checkpoint: p.Checkpoint}
		// Of a size that the log has not reached there is no proof.
		r.consistency = []wire.Hash{}
		if r.seen == 0 || r.seen >= p.Size {
			continue
		}
		if r.consistency, err = log.ProveConsistency(rows, r.seen, p.Size); err != nil {
			return p, err
		}
	}
	return p, nil
}

// keptRows reads each row of a tree once.
type keptRows struct {
	tree
	kept map[rowID][]byte
}

type rowID struct {
	level int
	n     uint64
}

// Row implements log.Rows.
func (k keptRows) Row(level int, n uint64) ([]byte, error) {
	id := rowID{level, n}
	if row, ok := k.kept[id]; ok {
		return row, nil
	}
	row, err := k.tree.Row(level, n)
	if err == nil {
		k.kept[id] = row
	}
	return row, err
}

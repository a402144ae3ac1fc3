//go:build !js

package boltstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/internal/overlay"
)

// A group ends at these bounds, so that neither the wait of its first function
// nor the pages it holds in memory grow without end.
const (
	maxGroup      = 4096
	maxGroupBytes = 32 << 20
)

// partition is one file and its queue of writers.
type partition struct {
	name   string
	path   string // without suffix
	config Config
	commit func(*bolt.Tx) error // replaced by tests that make it fail

	file sync.RWMutex // guards the two below; a reader holds it while it begins
	db   *bolt.DB     // nil until opened
	lost error        // why the disk is not trusted any more

	mu      sync.Mutex // guards the three below
	queue   []*request
	writing bool // a goroutine is draining the queue
}

// request is one Update on its way through the queue.
type request struct {
	fn    func(store.Tx) error
	taken bool             // no longer in the queue; guarded by partition.mu
	turn  chan *overlay.Tx // the writer lends its transaction...
	ran   chan error       // ...until fn has returned
	done  chan error       // the result of the commit
}

// read begins a read transaction, nil if the partition does not exist.
func (p *partition) read() (*bolt.Tx, error) {
	p.file.RLock()
	if p.db != nil {
		defer p.file.RUnlock()
		return beginOn(p.db, false)
	}
	p.file.RUnlock()
	p.file.Lock()
	defer p.file.Unlock()
	if err := p.open(); err != nil || p.db == nil {
		return nil, err
	}
	return beginOn(p.db, false)
}

func beginOn(db *bolt.DB, writable bool) (*bolt.Tx, error) {
	tx, err := db.Begin(writable)
	if err != nil {
		return nil, fmt.Errorf("boltstore: beginning a transaction: %w", err)
	}
	return tx, nil
}

// open opens the file if there is one. The caller holds p.file.
func (p *partition) open() error {
	if p.db != nil {
		return nil
	}
	if _, err := os.Stat(p.path + suffix); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	db, err := p.openFile(p.path + suffix)
	if err != nil {
		return err
	}
	p.db = db
	return nil
}

func (p *partition) openFile(path string) (*bolt.DB, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout:      p.config.LockTimeout,
		FreelistType: bolt.FreelistMapType,
		MaxSize:      p.config.MaxSize,
		NoSync:       p.config.NoSync,
	})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("boltstore: %w", store.ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("boltstore: opening a partition: %w", err)
	}
	return db, nil
}

func (p *partition) close() error {
	p.file.Lock()
	defer p.file.Unlock()
	return p.closeFile()
}

func (p *partition) closeFile() error {
	if p.db == nil {
		return nil
	}
	err := p.db.Close()
	p.db = nil
	return err
}

// update queues fn, runs it here, on the caller's goroutine, when the writer
// says so, and waits for the commit. So whatever fn does to its goroutine, a
// panic or runtime.Goexit, cannot take the writer with it.
func (p *partition) update(ctx context.Context, fn func(store.Tx) error) error {
	r := &request{fn: fn, turn: make(chan *overlay.Tx, 1), ran: make(chan error, 1), done: make(chan error, 1)}
	p.mu.Lock()
	p.queue = append(p.queue, r)
	if !p.writing {
		p.writing = true
		go p.drain()
	}
	p.mu.Unlock()

	var tx *overlay.Tx
	select {
	case tx = <-r.turn:
	case <-ctx.Done():
		if p.withdraw(r) {
			return ctx.Err()
		}
		tx = <-r.turn
	}
	if tx != nil {
		if err := r.run(ctx, tx); err != nil {
			return err
		}
	}
	return <-r.done
}

// run calls the function and gives the transaction back, come what may.
func (r *request) run(ctx context.Context, tx *overlay.Tx) error {
	err := error(&store.PanicError{}) // what the writer learns of a Goexit
	defer func() { r.ran <- err }()
	if done := ctx.Err(); done != nil {
		err = done
		return err
	}
	err = tx.Run(r.fn)
	return err
}

// withdraw takes r out of the queue, unless its turn has come.
func (p *partition) withdraw(r *request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.taken {
		return false
	}
	for i, queued := range p.queue {
		if queued == r {
			p.queue = append(p.queue[:i:i], p.queue[i+1:]...)
			return true
		}
	}
	return false
}

// next takes the first request, nil if there is none.
func (p *partition) next() *request {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return nil
	}
	r := p.queue[0]
	p.queue[0] = nil
	p.queue = p.queue[1:]
	r.taken = true
	return r
}

// drain is the writer: it runs while there are requests, and only one at a
// time.
func (p *partition) drain() {
	for {
		p.group()
		p.mu.Lock()
		if len(p.queue) == 0 {
			p.queue = nil
			p.writing = false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
	}
}

// group runs what is queued, and what is queued meanwhile, in one transaction
// and commits it.
func (p *partition) group() {
	g, err := p.beginGroup()
	if err != nil {
		for r := p.next(); r != nil; r = p.next() {
			r.done <- err
			r.turn <- nil
		}
		return
	}
	var waiting []*request
	for n := 0; n < maxGroup && g.layer.Bytes() < maxGroupBytes; n++ {
		r := p.next()
		if r == nil {
			break
		}
		tx := overlay.New(g.layer)
		r.turn <- tx
		if <-r.ran == nil {
			waiting = append(waiting, r)
			g.layer.Apply(tx.Changes())
		}
	}
	err = g.finish()
	for _, r := range waiting {
		r.done <- err
	}
}

// group is one commit in the making.
type group struct {
	p     *partition
	fresh *bolt.DB       // the file of a partition that does not exist yet
	tx    *bolt.Tx       // nil while the partition does not exist
	layer *overlay.Layer // what its functions wrote
}

func (p *partition) beginGroup() (*group, error) {
	p.file.Lock()
	defer p.file.Unlock()
	if p.lost != nil {
		return nil, commitError(fmt.Errorf("boltstore: an earlier write failed: %w", p.lost))
	}
	if err := p.open(); err != nil {
		return nil, err
	}
	g := &group{p: p}
	if p.db != nil {
		tx, err := beginOn(p.db, true)
		if err != nil {
			return nil, err
		}
		g.tx = tx
	}
	g.layer = overlay.NewLayer(baseOf(g.tx))
	return g, nil
}

// apply writes the changes, in the order of their keys.
func (g *group) apply(changes []overlay.Change) error {
	if g.tx == nil {
		if err := g.create(); err != nil {
			return commitError(err)
		}
	}
	bucket, err := g.tx.CreateBucketIfNotExists(bucketName())
	if err != nil {
		return commitError(err)
	}
	for _, change := range changes {
		if change.Deleted {
			err = bucket.Delete(change.Key)
		} else {
			err = bucket.Put(change.Key, change.Value)
		}
		if err != nil {
			return commitError(err)
		}
	}
	return nil
}

// create makes the file under a name that is not a partition's yet.
func (g *group) create() (err error) {
	if g.fresh, err = g.p.openFile(g.p.path + newSuffix); err != nil {
		os.Remove(g.p.path + newSuffix) // half made when the disk is full; Open removes it too
		return err
	}
	g.tx, err = beginOn(g.fresh, true)
	return err
}

// finish runs the hook, writes what the group and the hook did, and commits; after an error nothing is left of it.
func (g *group) finish() error {
	wrote := g.layer.Bytes() > 0
	var err error
	if wrote {
		err = g.runHook()
	}
	if err == nil && wrote {
		err = g.apply(g.layer.Changes())
	}
	if err != nil || !wrote {
		return errors.Join(err, g.undo())
	}
	if err := g.p.commit(g.tx); err != nil {
		return errors.Join(commitError(err), g.undo(), g.p.reopen(err))
	}
	if g.fresh != nil {
		return g.publish()
	}
	return nil
}

func (g *group) runHook() error {
	if g.p.config.Hook == nil {
		return nil
	}
	tx := overlay.New(g.layer)
	if err := tx.Run(func(tx store.Tx) error { return g.p.config.Hook(g.p.name, tx) }); err != nil {
		return fmt.Errorf("store: hook: %w", err)
	}
	g.layer.Apply(tx.Changes())
	return nil
}

// undo drops the transaction, and the file if it is new.
func (g *group) undo() error {
	if g.tx != nil {
		if err := g.tx.Rollback(); err != nil && !errors.Is(err, berrors.ErrTxClosed) {
			return err
		}
	}
	if g.fresh == nil {
		return nil
	}
	return errors.Join(g.fresh.Close(), os.Remove(g.p.path+newSuffix))
}

// publish gives a new partition, whose first commit is on disk, its name.
func (g *group) publish() error {
	g.p.file.Lock()
	defer g.p.file.Unlock()
	if err := g.fresh.Close(); err != nil {
		return commitError(err)
	}
	if err := os.Rename(g.p.path+newSuffix, g.p.path+suffix); err != nil {
		return commitError(err)
	}
	if err := syncFolder(filepath.Dir(g.p.path)); err != nil {
		return commitError(err)
	}
	if err := g.p.open(); err != nil {
		return commitError(err)
	}
	return nil
}

// reopen opens the file anew after a failed commit, so that what is in memory
// is what is on disk. If it failed for another reason than space, what the
// system's cache shows may not be on the disk: then the partition refuses to
// write until someone has looked and started the server again.
func (p *partition) reopen(cause error) error {
	p.file.Lock()
	defer p.file.Unlock()
	if !isNoSpace(cause) {
		p.lost = cause
		return nil
	}
	return errors.Join(p.closeFile(), p.open())
}

// syncFolder makes names in a folder durable.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func bucketName() []byte { return []byte("rows") }

// baseOf is what functions see of tx, which may be nil.
func baseOf(tx *bolt.Tx) overlay.Base {
	if tx == nil {
		return overlay.Empty{}
	}
	bucket := tx.Bucket(bucketName())
	if bucket == nil {
		return overlay.Empty{}
	}
	return base{bucket}
}

type base struct{ bucket *bolt.Bucket }

var _ overlay.Base = base{}

// Get implements overlay.Base.
func (b base) Get(key []byte) ([]byte, bool) {
	value := b.bucket.Get(key)
	return value, value != nil
}

// Cursor implements overlay.Base.
func (b base) Cursor() overlay.Cursor { return cursor{b.bucket.Cursor()} }

type cursor struct{ inner *bolt.Cursor }

func (c cursor) Seek(key []byte) (k, v []byte) { return c.inner.Seek(key) }
func (c cursor) Next() (k, v []byte)           { return c.inner.Next() }

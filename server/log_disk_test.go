//go:build !js

package server_test

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/server/blob/memblob"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/boltstore"
)

// TestGroupCommitSignsOnce: writers that wait while a commit is on its way to the disk share the next one, with one map root
// and one signature.
func TestGroupCommitSignsOnce(t *testing.T) {
	var commits atomic.Int64
	var hold atomic.Bool
	held, enough := make(chan struct{}), make(chan struct{})
	disk := func(hook store.Hook) store.Store {
		s, err := boltstore.Open(boltstore.Config{Folder: t.TempDir(), Hook: func(partition string, tx store.Tx) error {
			commits.Add(1)
			if hold.CompareAndSwap(true, false) {
				close(held)
				<-enough
			}
			return hook(partition, tx)
		}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	w := newWorldOn(t, disk, memblob.New(), nil)
	ada := w.founder()
	const writers = 24
	var matters []*matter
	for range writers + 1 {
		matters = append(matters, ada.matter())
	}
	before := ada.whole("")
	seen := w.logs.seen(ada.firm)
	commits.Store(0)
	hold.Store(true)
	var wg sync.WaitGroup
	write := func(i int) {
		sub := matters[i].renamed(fmt.Sprint("matter ", i))
		wg.Go(func() {
			p := ada.tab()
			a, err := p.try("POST", api.Seen(matters[i].path()+"/entries", seen.Size), api.TypeBinary, bytes.NewReader(sub.Bytes()), nil)
			if err != nil || a.status != 200 {
				t.Errorf("%d %v", a.status, err)
				return
			}
			p.receipt(a, sub.Entry.Leaf, seen)
		})
	}
	write(writers)
	<-held
	for i := range writers {
		write(i)
	}
	time.Sleep(300 * time.Millisecond) // they are in the queue
	close(enough)
	wg.Wait()
	added := ada.whole("")[len(before):]
	if n := ofType(added, log.TypeState); n != writers+1 {
		t.Errorf("%d entries", n)
	}
	if roots, n := ofType(added, log.TypeMapRoot), commits.Load(); int64(roots) != n || n > 4 {
		t.Errorf("%d map roots in %d commits", roots, n)
	}
}

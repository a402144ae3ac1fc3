package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
)

// operator has the server's disk: the database of a firm, open while the server is stopped, and the log's private keys.
type operator struct {
	s    *stage
	db   *bolt.DB
	rows *bolt.Bucket
	tx   *bolt.Tx
}

func (s *stage) openStore() *operator {
	o := &operator{s: s}
	var err error
	o.db, err = bolt.Open(filepath.Join(s.server.Data, "store", layout.FirmPartition(s.firm)+".db"), 0o600, nil)
	s.must(err)
	o.tx, err = o.db.Begin(true)
	s.must(err)
	o.rows = o.tx.Bucket([]byte("rows"))
	return o
}

// close writes what was changed.
func (o *operator) close() {
	if o.db == nil {
		return
	}
	o.s.must(o.tx.Commit())
	o.s.must(o.db.Close())
	o.db = nil
}

// forget deletes what the server keeps beside the database to remember what it signed.
func (o *operator) forget() { o.s.must(os.RemoveAll(filepath.Join(o.s.server.Data, "last-signed"))) }

func (o *operator) get(key []byte) []byte {
	b := bytes.Clone(o.rows.Get(key))
	if b == nil {
		o.s.Fatalf("the database has no %s", key)
	}
	return b
}

func (o *operator) put(key, value []byte) { o.s.must(o.rows.Put(key, value)) }

// Row implements log.Rows.
func (o *operator) Row(level int, n uint64) ([]byte, error) {
	return bytes.Clone(o.rows.Get(layout.TileKey(level, n))), nil
}

// PutRow implements log.Rows.
func (o *operator) PutRow(level int, n uint64, row []byte) error {
	return o.rows.Put(layout.TileKey(level, n), row)
}

// Page implements log.MapPages.
func (o *operator) Page(path string) ([]byte, error) {
	return bytes.Clone(o.rows.Get(layout.MapPageKey(path))), nil
}

// PutPage implements log.MapPages.
func (o *operator) PutPage(path string, page []byte) error {
	return o.rows.Put(layout.MapPageKey(path), page)
}

// DeletePage implements log.MapPages.
func (o *operator) DeletePage(path string) error { return o.rows.Delete(layout.MapPageKey(path)) }

func (o *operator) clear(prefix []byte) {
	var keys [][]byte
	c := o.rows.Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	for _, k := range keys {
		o.s.must(o.rows.Delete(k))
	}
}

func (o *operator) rewriteEntry(chain wire.ChainID, position uint64) {
	key := layout.EntryKey(layout.State, chain, position)
	b := o.get(key)
	b[len(b)*3/4] ^= 1
	o.put(key, b)
}

// entryIndex is where a state entry of a chain stands in the log.
func (o *operator) entryIndex(chain wire.ChainID, position uint64) uint64 {
	return layout.ParseUint64(o.get(layout.EntryKey(layout.State, chain, position))[:8])
}

// newestIndex is where the newest one stands.
func (o *operator) newestIndex(chain wire.ChainID) uint64 {
	var newest []byte
	prefix := layout.EntriesOf(layout.State, chain)
	c := o.rows.Cursor()
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
		newest = v
	}
	if len(newest) < 8 {
		o.s.Fatal("the matter has no entry")
	}
	return layout.ParseUint64(newest[:8])
}

func (o *operator) leaf(index uint64) log.Leaf {
	l, err := log.ParseLeaf(o.get(layout.LeafKey(index)))
	o.s.must(err)
	return l
}

func (o *operator) size() uint64 { return layout.ParseUint64(o.get(layout.LogSizeKey())) }

func (o *operator) changeLeaf(index uint64) {
	l := o.leaf(index)
	l.Commit[0] ^= 1
	o.put(layout.LeafKey(index), l.Bytes())
}

// replaceLeaf puts a leaf that says nothing in the place of another, and makes everything that follows from it anew.
func (o *operator) replaceLeaf(index uint64) {
	nothing := log.Leaf{Type: log.TypeServer}
	for _, b := range [][]byte{nothing.Tag[:], nothing.Link[:], nothing.Commit[:]} {
		_, err := rand.Read(b)
		o.s.must(err)
	}
	o.put(layout.LeafKey(index), nothing.Bytes())
	o.clear([]byte("map/"))
	o.clear([]byte("log/tile/"))
	var hashes []wire.Hash
	var items []log.MapItem
	var root wire.Hash
	for i := range o.size() {
		l := o.leaf(i)
		if item, ok := log.MapItemOf(l); ok {
			items = append(items, item)
		} else {
			var err error
			root, err = log.MapInsert(o, items)
			o.s.must(err)
			items = nil
			l = log.MapRootLeaf(root)
			o.put(layout.LeafKey(i), l.Bytes())
		}
		hashes = append(hashes, l.Hash())
	}
	o.sign(0, hashes)
}

// deny takes a leaf's key out of the map and signs a map root without it.
func (o *operator) deny(index uint64) {
	item, _ := log.MapItemOf(o.leaf(index))
	root, err := log.MapRemove(o, []wire.Hash{item.Key})
	o.s.must(err)
	size := o.size()
	l := log.MapRootLeaf(root)
	o.put(layout.LeafKey(size), l.Bytes())
	o.sign(size, []wire.Hash{l.Hash()})
}

// sign grows the tree and signs it with the log's own keys, as the server does.
func (o *operator) sign(size uint64, hashes []wire.Hash) {
	root, err := log.Grow(o, size, hashes)
	o.s.must(err)
	size += uint64(len(hashes))
	note, err := o.signer().Sign(log.Checkpoint{Origin: o.s.origin, Size: size, Root: root})
	o.s.must(err)
	o.put(layout.LogSizeKey(), layout.Uint64(size))
	o.put(layout.IntegratedKey(), append(layout.Uint64(size), root[:]...))
	o.put(layout.CheckpointKey(), note)
}

func (o *operator) signer() *log.Signer {
	b, err := os.ReadFile(filepath.Join(o.s.server.Data, "log.key"))
	o.s.must(err)
	var seeds map[string]ledger.LogSeeds
	o.s.must(json.Unmarshal(b, &seeds))
	var f layout.Firm
	o.s.must(json.Unmarshal(o.get(layout.FirmKey()), &f))
	own := seeds[f.Log]
	signer, err := log.NewSigner(f.Origin, own.Ed25519, own.MLDSA44)
	o.s.must(err)
	return signer
}

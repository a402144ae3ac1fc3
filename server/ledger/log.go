package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/underseal/underseal/keys/vrf"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// Log signs the logs of firms. Its Integrate is the hook that the store must be opened with: once a commit, it takes the
// leaves that the grouped functions appended into the map and the tree, and signs. What it keeps in memory are keys, which
// never change, and who waits for a receipt.
type Log struct {
	Keys  LogKeys
	Guard Guard

	mu       sync.Mutex // guards all below
	signers  map[string]*signer
	counters map[string]*receiptCounter // by partition
}

type signer struct {
	*log.Signer
	vrf *vrf.PrivateKey
}

// NewLog is a Log. A nil guard remembers nothing outside the store: for tests alone.
func NewLog(keys LogKeys, guard Guard) *Log { return &Log{Keys: keys, Guard: guard} }

func (l *Log) signer(f layout.Firm) (*signer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.signers[f.Log]; s != nil {
		return s, nil
	}
	seeds, err := l.Keys.Seeds(context.Background(), f.Log)
	if err != nil {
		return nil, err
	}
	s := &signer{}
	if s.Signer, err = log.NewSigner(f.Origin, seeds.Ed25519, seeds.MLDSA44); err != nil {
		return nil, err
	}
	if s.vrf, err = vrf.NewPrivateKey(seeds.VRF[:]); err != nil {
		return nil, err
	}
	if l.signers == nil {
		l.signers = map[string]*signer{}
	}
	l.signers[f.Log] = s
	return s, nil
}

// firmOf reads the firm of a transaction's partition.
func firmOf(tx store.Tx) (layout.Firm, error) {
	f, found, err := layout.Get[layout.Firm](tx, layout.FirmKey())
	if err == nil && !found {
		err = errLayout
	}
	return f, err
}

// tree is the log's tree in a transaction.
type tree struct{ store.Tx }

var _ log.Rows = tree{}

// Row implements log.Rows.
func (t tree) Row(level int, n uint64) ([]byte, error) {
	return optional(t.Get(layout.TileKey(level, n)))
}

// PutRow implements log.Rows.
func (t tree) PutRow(level int, n uint64, row []byte) error {
	return t.Put(layout.TileKey(level, n), row)
}

// pages is the map in a transaction.
type pages struct{ store.Tx }

var _ log.MapPages = pages{}

// Page implements log.MapPages.
func (p pages) Page(path string) ([]byte, error) { return optional(p.Get(layout.MapPageKey(path))) }

// PutPage implements log.MapPages.
func (p pages) PutPage(path string, page []byte) error { return p.Put(layout.MapPageKey(path), page) }

// DeletePage implements log.MapPages.
func (p pages) DeletePage(path string) error { return p.Delete(layout.MapPageKey(path)) }

func optional(b []byte, err error) ([]byte, error) {
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return b, err
}

func counter(tx store.Tx, key []byte) (uint64, error) {
	b, err := optional(tx.Get(key))
	return layout.ParseUint64(b), err
}

// appendLeaf adds a leaf to the firm's log, and is its index. A tag that stands in the map already is refused: the map is
// insert-only, and two entries at one place would be a fork.
func appendLeaf(tx store.Tx, leaf log.Leaf) (uint64, error) {
	item, _ := log.MapItemOf(leaf)
	pending := layout.PendingKey(item.Key)
	taken, err := layout.Has(tx, pending)
	if err == nil && !taken {
		_, taken, err = log.MapGet(pages{tx}, item.Key)
	}
	if err != nil {
		return 0, err
	}
	if taken {
		return 0, access.Deny(api.CodeBadRequest)
	}
	index, err := counter(tx, layout.LogSizeKey())
	if err != nil {
		return 0, err
	}
	if err := tx.Put(pending, item.Value[:]); err != nil {
		return 0, err
	}
	if err := tx.Put(layout.LeafKey(index), leaf.Bytes()); err != nil {
		return 0, err
	}
	return index, tx.Put(layout.LogSizeKey(), layout.Uint64(index+1))
}

// integrated is the newest checkpoint without its signatures.
func integrated(tx store.Tx) (s Signed, err error) {
	b, err := optional(tx.Get(layout.IntegratedKey()))
	if err != nil || b == nil {
		return s, err
	}
	if len(b) != 8+len(s.Root) {
		return s, errLayout
	}
	return Signed{Size: layout.ParseUint64(b[:8]), Root: wire.Hash(b[8:])}, nil
}

// Integrate is a store.Hook. Where a commit appended nothing to a log there is no new checkpoint.
func (l *Log) Integrate(partition string, tx store.Tx) error {
	if partition == layout.Accounts {
		return nil
	}
	size, err := counter(tx, layout.LogSizeKey())
	if err != nil {
		return err
	}
	last, err := integrated(tx)
	if err != nil || size == last.Size {
		return err
	}
	done := last.Size
	f, err := firmOf(tx)
	if err != nil {
		return err
	}
	s, err := l.signer(f)
	if err != nil {
		return err
	}
	mapRoot, err := growMap(tx)
	if err != nil {
		return err
	}
	if err := tx.Put(layout.LeafKey(size), log.MapRootLeaf(mapRoot).Bytes()); err != nil {
		return err
	}
	size++
	hashes := make([]wire.Hash, 0, size-done)
	for i := done; i < size; i++ {
		leaf, err := tx.Get(layout.LeafKey(i))
		if err != nil {
			return err
		}
		hashes = append(hashes, log.LeafHash(leaf))
	}
	root, err := log.Grow(tree{tx}, done, hashes)
	if err != nil {
		return err
	}
	note, err := s.Sign(log.Checkpoint{Origin: f.Origin, Size: size, Root: root})
	if err != nil {
		return err
	}
	for _, put := range []func() error{
		func() error { return tx.Put(layout.LogSizeKey(), layout.Uint64(size)) },
		func() error { return tx.Put(layout.IntegratedKey(), append(layout.Uint64(size), root[:]...)) },
		func() error { return tx.Put(layout.CheckpointKey(), note) },
	} {
		if err := put(); err != nil {
			return err
		}
	}
	return nil
}

// growMap takes what the commit adds into the map.
func growMap(tx store.Tx) (wire.Hash, error) {
	var items []log.MapItem
	err := tx.Scan(layout.Pendings(), nil, 0, func(k, v []byte) error {
		key, ok := layout.ParsePending(k)
		if !ok || len(v) != len(wire.Hash{}) {
			return errLayout
		}
		items = append(items, log.MapItem{Key: key, Value: wire.Hash(v)})
		return tx.Delete(k)
	})
	if err != nil {
		return wire.Hash{}, err
	}
	return log.MapInsert(pages{tx}, items)
}

// Signed is what a log signed last.
type Signed struct {
	Size uint64    `json:"size"`
	Root wire.Hash `json:"root"`
}

// Guard remembers, outside the store, what each log signed last. So a store that was restored from an older copy is noticed
// before it signs another history (attacks 56, 72).
type Guard interface {
	// Last is what was raised last; false where nothing was.
	Last(ctx context.Context, name string) (Signed, bool, error)
	// Raise remembers s, durably, unless something newer is remembered already. Another root at the size that is
	// remembered is ErrBehind: somebody signed two histories.
	Raise(ctx context.Context, name string, s Signed) error
	// Names are the logs that something is remembered of.
	Names(ctx context.Context) ([]string, error)
}

// ErrBehind says that a store is older than what its log has signed.
var ErrBehind = errors.New("the store is older than what was signed from it")

// Behind is ErrBehind with what a person needs to know.
type Behind struct {
	Origin        string
	Stored, Known uint64 // sizes of the log
}

// Error implements error.
func (b *Behind) Error() string {
	if b.Stored == 0 {
		return fmt.Sprintf("the log %s was signed up to %d leaves, and the store has none of them: it is a copy from before, or a firm is missing. "+
			"Put back the newest copy of the data folder. Nothing was started", b.Origin, b.Known)
	}
	if b.Stored == b.Known {
		return fmt.Sprintf("the log %s was signed at %d leaves with another history than the one in the store. "+
			"The store was changed or mixed up by hand. Put the store back that was in use with this last-signed file. Nothing was started", b.Origin, b.Known)
	}
	return fmt.Sprintf("the log %s was signed up to %d leaves, and the store has %d: it is an older copy. "+
		"To go on from it would show people another history than they have seen, and their devices would refuse it. "+
		"Put back the newest copy of the data folder. Nothing was started", b.Origin, b.Known, b.Stored)
}

// Unwrap makes it ErrBehind.
func (b *Behind) Unwrap() error { return ErrBehind }

// ErrOtherKeys says that a log was signed with keys that are not there.
var ErrOtherKeys = errors.New("log.key is not the one of this store")

// OtherKeys is ErrOtherKeys with what a person needs to know.
type OtherKeys struct{ Origin string }

// Error implements error.
func (o *OtherKeys) Error() string {
	return fmt.Sprintf("log.key does not have the keys that the log %s was signed with. With others people's devices would refuse all that it signs. "+
		"Put back the log.key that belongs to this data folder. Nothing was started", o.Origin)
}

// Unwrap makes it ErrOtherKeys.
func (o *OtherKeys) Unwrap() error { return ErrOtherKeys }

// Check compares every log in a store with what the guard remembers, and with the keys that are there. A server does not
// start on an error.
func (l *Log) Check(ctx context.Context, s store.Store) error {
	partitions, err := s.Partitions(ctx)
	if err != nil {
		return err
	}
	stored := map[string]bool{}
	for _, p := range partitions {
		if p == layout.Accounts {
			continue
		}
		err := s.View(ctx, p, func(tx store.Tx) error {
			name, err := l.check(ctx, tx)
			stored[name] = true
			return err
		})
		if err != nil {
			return err
		}
	}
	if l.Guard == nil {
		return nil
	}
	return l.checkMissing(ctx, stored)
}

// check compares one log and is its name.
func (l *Log) check(ctx context.Context, tx store.Tx) (name string, err error) {
	f, found, err := layout.Get[layout.Firm](tx, layout.FirmKey())
	if err != nil || !found {
		return "", err
	}
	if err := l.checkKeys(ctx, tx, f); err != nil || l.Guard == nil {
		return f.Log, err
	}
	known, found, err := l.Guard.Last(ctx, f.Log)
	if err != nil || !found {
		return f.Log, err
	}
	stored, err := integrated(tx)
	if err != nil {
		return f.Log, err
	}
	if stored.Size < known.Size {
		return f.Log, &Behind{Origin: f.Origin, Stored: stored.Size, Known: known.Size}
	}
	root, err := log.RootAt(tree{tx}, known.Size)
	if err == nil && root != known.Root {
		err = &Behind{Origin: f.Origin, Stored: known.Size, Known: known.Size}
	}
	return f.Log, err
}

// checkKeys looks whether a log was signed with the keys that are there.
func (l *Log) checkKeys(ctx context.Context, tx store.Tx, f layout.Firm) error {
	note, err := optional(tx.Get(layout.CheckpointKey()))
	if err != nil || note == nil {
		return err
	}
	seeds, err := l.Keys.Seeds(ctx, f.Log)
	if errors.Is(err, ErrNoSeeds) {
		return &OtherKeys{f.Origin}
	}
	if err != nil {
		return err
	}
	keys, err := log.ParseKeys(f.Origin, seeds.Public(f.Origin).Keys)
	if err != nil {
		return err
	}
	if _, err := keys.Open(note); err != nil {
		return &OtherKeys{f.Origin}
	}
	return nil
}

// checkMissing looks for logs that were signed and that the store does not have: it is a copy from before they began.
func (l *Log) checkMissing(ctx context.Context, stored map[string]bool) error {
	names, err := l.Guard.Names(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if stored[name] {
			continue
		}
		known, found, err := l.Guard.Last(ctx, name)
		if err != nil {
			return err
		}
		if found {
			return &Behind{Origin: name, Known: known.Size}
		}
	}
	return nil
}

// Publish remembers a log's newest checkpoint with the guard. It is called before anything that the checkpoint signs leaves
// the server.
func (l *Log) Publish(ctx context.Context, p Published) error {
	if l.Guard == nil {
		return nil
	}
	return l.Guard.Raise(ctx, p.name, p.Signed)
}

// Published is a checkpoint on its way out.
type Published struct {
	Signed
	Checkpoint []byte
	name       string
}

// Newest is the newest checkpoint.
func Newest(tx store.Tx) (Published, error) {
	f, err := firmOf(tx)
	if err != nil {
		return Published{}, orNotFound(err)
	}
	signed, err := integrated(tx)
	if err != nil {
		return Published{}, err
	}
	note, err := tx.Get(layout.CheckpointKey())
	return Published{Signed: signed, Checkpoint: note, name: f.Log}, orNotFound(err)
}

// MemoryGuard remembers in memory, for tests.
type MemoryGuard struct {
	mu   sync.Mutex // guards last
	last map[string]Signed
}

var _ Guard = (*MemoryGuard)(nil)

// Last implements Guard.
func (g *MemoryGuard) Last(_ context.Context, name string) (Signed, bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, ok := g.last[name]
	return s, ok, nil
}

// Raise implements Guard.
func (g *MemoryGuard) Raise(_ context.Context, name string, s Signed) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.last == nil {
		g.last = map[string]Signed{}
	}
	known := g.last[name]
	switch {
	case s.Size > known.Size:
		g.last[name] = s
	case s.Size == known.Size && s != known:
		return ErrBehind
	}
	return nil
}

// Names implements Guard.
func (g *MemoryGuard) Names(context.Context) ([]string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(maps.Keys(g.last)), nil
}

// PublicCheckpoint is what the public log serves: the newest checkpoint that satisfies the firm's witness policy, or the
// newest where the firm has none.
func PublicCheckpoint(tx store.Tx) ([]byte, Published, error) {
	p, err := Newest(tx)
	if err != nil {
		return nil, p, err
	}
	f, err := firmOf(tx)
	if err != nil || f.Policy == "" {
		return p.Checkpoint, p, err
	}
	b, err := tx.Get(layout.WitnessedKey())
	return b, p, orNotFound(err)
}

// Tile is one tile, or one bundle of leaves, of the tree as far as it is signed.
func Tile(tx store.Tx, t log.Tile) ([]byte, error) {
	signed, err := integrated(tx)
	if err != nil {
		return nil, err
	}
	return tileIn(tx, t, signed.Size)
}

// PublicTile is the same, of the tree as far as the public checkpoint goes: what witnesses have not seen is not shown.
func PublicTile(tx store.Tx, t log.Tile) ([]byte, error) {
	note, _, err := PublicCheckpoint(tx)
	if err != nil {
		return nil, err
	}
	size, err := sizeOf(note)
	if err != nil {
		return nil, err
	}
	return tileIn(tx, t, size)
}

func tileIn(tx store.Tx, t log.Tile, size uint64) ([]byte, error) {
	if !t.In(size) {
		return nil, access.Deny(api.CodeNotFound)
	}
	if t.Level != log.LevelEntries {
		row, err := tree{tx}.Row(t.Level, t.N)
		if err != nil {
			return nil, err
		}
		return log.TileOf(row, t.Width)
	}
	leaves := make([][]byte, 0, t.Width)
	for i := range uint64(t.Width) {
		leaf, err := tx.Get(layout.LeafKey(t.N*log.TileWidth + i))
		if err != nil {
			return nil, err
		}
		leaves = append(leaves, leaf)
	}
	return log.Bundle(leaves), nil
}

package log

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/underseal/underseal/protocol/wire"
)

// The map holds the tag of every entry and the label of every key link, and is insert-only: SPEC S-MAP-01. It is a binary
// Merkle tree over 256-bit keys in which a subtree of one key is that key's leaf, so that a proof has about as many hashes
// as the logarithm of the number of keys. Its shape, and so its root, follows from the set of keys alone.

// Errors of the map.
var (
	ErrMap      = errors.New("a proof of the map does not lead to its root")
	ErrMapTaken = errors.New("a tag or label stands in the map twice")
)

// MapKey is where a leaf stands in the map. Hashed, because who makes an entry chooses its mark: he cannot choose a place that
// makes other people's proofs long. The type keeps an entry's tag from standing where a key link's label is looked for.
func MapKey(kind uint16, tag wire.Hash) wire.Hash {
	w := wire.NewWriter()
	w.Fixed([]byte("underseal/v1/map\x00"))
	w.Uint16(kind)
	w.Fixed(tag[:])
	return sha256.Sum256(w.Bytes())
}

// MapItem is a key and what stands at it: the hash of a leaf of the log.
type MapItem struct{ Key, Value wire.Hash }

// MapItemOf is the item of a leaf; ok is false for a map root, which stands in no map.
func MapItemOf(l Leaf) (item MapItem, ok bool) {
	return MapItem{Key: MapKey(l.Type, l.Tag), Value: l.Hash()}, l.Type != TypeMapRoot
}

// Kinds of nodes. The first byte of what is hashed tells them apart, from each other and from the log's own.
const (
	nodeEmpty = iota
	nodeLeaf
	nodeInner
)

type mapNode struct {
	kind byte
	hash wire.Hash // zeros for an empty one
	item MapItem   // of a leaf
}

func leafNode(i MapItem) mapNode { return mapNode{kind: nodeLeaf, hash: leafHash(i), item: i} }

func leafHash(i MapItem) wire.Hash {
	var b [65]byte
	b[0] = 2
	copy(b[1:], i.Key[:])
	copy(b[33:], i.Value[:])
	return sha256.Sum256(b[:])
}

// join makes one node of two halves. A leaf alone stands for its whole subtree.
func join(left, right *heapNode) heapNode {
	switch {
	case left.kind == nodeEmpty && right.kind != nodeInner:
		return *right
	case right.kind == nodeEmpty && left.kind != nodeInner:
		return *left
	}
	return heapNode{kind: nodeInner, hash: joinHash(left.hash, right.hash)}
}

func joinHash(left, right wire.Hash) wire.Hash {
	var b [65]byte
	b[0] = 3
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}

func bit(key wire.Hash, depth int) byte { return key[depth/8] >> (7 - depth%8) & 1 }

// MapPages is where a map is kept: pages of sixteen slots, four levels of the tree, by the hexadecimal path that leads to
// them. Page returns nil for a page that is not there.
type MapPages interface {
	Page(path string) ([]byte, error)
	PutPage(path string, page []byte) error
	DeletePage(path string) error
}

const slots = 16

type page [slots]mapNode

// slotSizes is what a slot of each kind takes in a page's bytes: nothing, a leaf's key and value, or the hash of the page
// below.
var slotSizes = [...]int{nodeEmpty: 0, nodeLeaf: 64, nodeInner: 32}

// bytes is a kind for each slot, then what each slot holds.
func (p *page) bytes() []byte {
	size := slots
	for i := range p {
		size += slotSizes[p[i].kind]
	}
	b := make([]byte, slots, size)
	for i := range p {
		b[i] = p[i].kind
		switch p[i].kind {
		case nodeLeaf:
			b = append(append(b, p[i].item.Key[:]...), p[i].item.Value[:]...)
		case nodeInner:
			b = append(b, p[i].hash[:]...)
		}
	}
	return b
}

func parsePage(b []byte) (*page, error) {
	p := new(page)
	if b == nil {
		return p, nil
	}
	r := wire.NewReader(b)
	kinds := r.Fixed(slots)
	for i := range kinds {
		switch kinds[i] {
		case nodeEmpty:
		case nodeLeaf:
			p[i].kind, p[i].item.Key, p[i].item.Value = nodeLeaf, r.Hash(), r.Hash()
		case nodeInner:
			p[i].kind, p[i].hash = nodeInner, r.Hash()
		default:
			r.Refuse()
		}
	}
	return p, r.Done()
}

// slotOf reads one slot of a page's bytes and leaves the others alone: most looks into a map need no more.
func slotOf(b []byte, s int) (n mapNode, err error) {
	if b == nil {
		return n, nil
	}
	if len(b) < slots {
		return n, wire.ErrMalformed
	}
	at := slots
	for _, kind := range b[:s] {
		if int(kind) >= len(slotSizes) {
			return n, wire.ErrMalformed
		}
		at += slotSizes[kind]
	}
	if n.kind = b[s]; int(n.kind) >= len(slotSizes) || len(b) < at+slotSizes[n.kind] {
		return n, wire.ErrMalformed
	}
	switch n.kind {
	case nodeLeaf:
		n.item = MapItem{Key: wire.Hash(b[at:]), Value: wire.Hash(b[at+32:])}
	case nodeInner:
		n.hash = wire.Hash(b[at:])
	}
	return n, nil
}

func loadPage(pages MapPages, path string) (*page, error) {
	b, err := pages.Page(path)
	if err != nil {
		return nil, err
	}
	return parsePage(b)
}

// heap is the four levels of a page: 1 root, then 2, 4, 8 and the 16 slots, as a heap from index 1.
type heap [2 * slots]heapNode

// heapNode is a node without its item: slot says where that is.
type heapNode struct {
	kind, slot byte
	hash       wire.Hash
}

func (p *page) heap() (h heap) {
	for i := range p {
		n := &h[slots+i]
		n.kind, n.slot, n.hash = p[i].kind, byte(i), p[i].hash
		if n.kind == nodeLeaf {
			n.hash = leafHash(p[i].item)
		}
	}
	for i := slots - 1; i > 0; i-- {
		h[i] = join(&h[2*i], &h[2*i+1])
	}
	return h
}

func (p *page) root() mapNode {
	h := p.heap()
	n := mapNode{kind: h[1].kind, hash: h[1].hash}
	if n.kind == nodeLeaf {
		n.item = p[h[1].slot].item
	}
	return n
}

func nibble(key wire.Hash, depth int) int { return int(key[depth/2]>>(4*(1-depth%2))) & 15 }

const hexDigits = "0123456789abcdef"

// MapInsert adds items and is the new root. One that is there already is refused, and then the pages are not to be used.
func MapInsert(pages MapPages, items []MapItem) (wire.Hash, error) {
	items = slices.Clone(items)
	slices.SortFunc(items, func(a, b MapItem) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	n, err := insert(pages, "", items)
	return n.hash, err
}

func insert(pages MapPages, path string, items []MapItem) (mapNode, error) {
	p, err := loadPage(pages, path)
	if err != nil {
		return mapNode{}, err
	}
	depth := len(path)
	for len(items) > 0 {
		s := nibble(items[0].Key, depth)
		n := 1
		for n < len(items) && nibble(items[n].Key, depth) == s {
			n++
		}
		if p[s], err = insertSlot(pages, path+hexDigits[s:s+1], p[s], items[:n]); err != nil {
			return mapNode{}, err
		}
		items = items[n:]
	}
	return p.root(), pages.PutPage(path, p.bytes())
}

// insertSlot puts items into one slot of a page: a single one stays there, more go into a page of their own.
func insertSlot(pages MapPages, path string, was mapNode, items []MapItem) (mapNode, error) {
	if was.kind == nodeLeaf {
		at, found := slices.BinarySearchFunc(items, was.item, func(a, b MapItem) int { return bytes.Compare(a.Key[:], b.Key[:]) })
		if found {
			return was, ErrMapTaken
		}
		items = slices.Insert(slices.Clone(items), at, was.item)
	}
	if was.kind != nodeInner && len(items) == 1 {
		return leafNode(items[0]), nil
	}
	for i := 1; i < len(items); i++ {
		if items[i].Key == items[i-1].Key {
			return was, ErrMapTaken
		}
	}
	return insert(pages, path, items)
}

// MapRemove takes keys out again: it leads from a map to an earlier one, whose root stands in the log. A key that is not
// there is an error.
func MapRemove(pages MapPages, keys []wire.Hash) (wire.Hash, error) {
	var n mapNode
	for _, k := range keys {
		var err error
		if n, err = remove(pages, "", k); err != nil {
			return wire.Hash{}, err
		}
	}
	if len(keys) == 0 {
		return MapRoot(pages)
	}
	return n.hash, nil
}

func remove(pages MapPages, path string, key wire.Hash) (mapNode, error) {
	p, err := loadPage(pages, path)
	if err != nil {
		return mapNode{}, err
	}
	s := nibble(key, len(path))
	switch p[s].kind {
	case nodeLeaf:
		if p[s].item.Key != key {
			return mapNode{}, ErrMap
		}
		p[s] = mapNode{}
	case nodeInner:
		if p[s], err = remove(pages, path+hexDigits[s:s+1], key); err != nil {
			return mapNode{}, err
		}
	default:
		return mapNode{}, ErrMap
	}
	root := p.root()
	if root.kind != nodeInner && path != "" {
		return root, pages.DeletePage(path) // what is left moves up into the slot
	}
	return root, pages.PutPage(path, p.bytes())
}

// MapRoot is the root of the map as it is. That of none is zeros.
func MapRoot(pages MapPages) (wire.Hash, error) {
	p, err := loadPage(pages, "")
	if err != nil {
		return wire.Hash{}, err
	}
	return p.root().hash, nil
}

// MapGet is what stands at a key.
func MapGet(pages MapPages, key wire.Hash) (value wire.Hash, present bool, err error) {
	for path := ""; ; {
		b, err := pages.Page(path)
		if err != nil {
			return wire.Hash{}, false, err
		}
		s := nibble(key, len(path))
		n, err := slotOf(b, s)
		if err != nil {
			return wire.Hash{}, false, err
		}
		switch {
		case n.kind == nodeInner:
			path += hexDigits[s : s+1]
		case n.kind == nodeLeaf && n.item.Key == key:
			return n.item.Value, true, nil
		default:
			return wire.Hash{}, false, nil
		}
	}
}

// MapProof shows that a key is in the map, and with which value, or that it is not. Siblings go from the root down; Other is
// the leaf that ends the way, of the key itself or of another one, and nil where the way ends in nothing.
type MapProof struct {
	Siblings []wire.Hash
	Other    *MapItem
}

// MapProve proves a key present or absent.
func MapProve(pages MapPages, key wire.Hash) (MapProof, error) {
	var proof MapProof
	for path := ""; ; {
		p, err := loadPage(pages, path)
		if err != nil {
			return MapProof{}, err
		}
		h := p.heap()
		i, depth := 1, 4*len(path)
		for i < slots && h[i].kind == nodeInner {
			b := int(bit(key, depth))
			proof.Siblings = append(proof.Siblings, h[2*i+1-b].hash)
			i, depth = 2*i+b, depth+1
		}
		switch h[i].kind {
		case nodeInner:
			s := nibble(key, len(path))
			path += hexDigits[s : s+1]
			continue
		case nodeLeaf:
			item := p[h[i].slot].item
			proof.Other = &item
		}
		return proof, nil
	}
}

// Verify is what a proof says of a key under a root: its value, or that it is absent.
func (p MapProof) Verify(root, key wire.Hash) (value wire.Hash, present bool, err error) {
	depth := len(p.Siblings)
	if depth > 256 {
		return wire.Hash{}, false, ErrMap
	}
	node := mapNode{}
	if p.Other != nil {
		for d := range depth {
			if bit(p.Other.Key, d) != bit(key, d) {
				return wire.Hash{}, false, ErrMap // a leaf that stands elsewhere
			}
		}
		node = leafNode(*p.Other)
	}
	hash := node.hash
	for d := depth - 1; d >= 0; d-- {
		sibling := p.Siblings[d]
		if d == depth-1 && sibling.IsZero() {
			return wire.Hash{}, false, ErrMap // nobody divides a subtree of one key or none
		}
		if bit(key, d) == 1 {
			hash = joinHash(sibling, hash)
		} else {
			hash = joinHash(hash, sibling)
		}
	}
	if hash != root {
		return wire.Hash{}, false, ErrMap
	}
	if p.Other != nil && p.Other.Key == key {
		return p.Other.Value, true, nil
	}
	return wire.Hash{}, false, nil
}

// Bytes is the encoding: SPEC S-MAP-04.
func (p MapProof) Bytes() []byte {
	w := wire.NewWriter()
	w.Count(len(p.Siblings))
	for _, s := range p.Siblings {
		w.Fixed(s[:])
	}
	w.Bool(p.Other != nil)
	if p.Other != nil {
		w.Fixed(p.Other.Key[:])
		w.Fixed(p.Other.Value[:])
	}
	return w.Bytes()
}

// ParseMapProof is the inverse of Bytes.
func ParseMapProof(b []byte) (MapProof, error) {
	r := wire.NewReader(b)
	var p MapProof
	for range r.Count(256, 32) {
		p.Siblings = append(p.Siblings, r.Hash())
	}
	if r.Bool() {
		p.Other = &MapItem{Key: r.Hash(), Value: r.Hash()}
	}
	return p, r.Done()
}

// MapTree is a map in memory, for who recomputes it from the log. The zero MapTree is empty.
type MapTree struct {
	root *treeNode
	size int
}

type treeNode struct {
	mapNode
	half  [2]*treeNode // of an inner node
	dirty bool         // its hash is to be made again
}

// Len is how many keys there are.
func (t *MapTree) Len() int { return t.size }

// Insert adds an item. One whose key is there already is refused.
func (t *MapTree) Insert(i MapItem) error {
	at, depth := &t.root, 0
	for ; *at != nil && (*at).kind == nodeInner; depth++ {
		(*at).dirty = true
		at = &(*at).half[bit(i.Key, depth)]
	}
	added := &treeNode{mapNode: mapNode{kind: nodeLeaf, item: i}, dirty: true}
	other := *at
	if other == nil {
		*at = added
		t.size++
		return nil
	}
	if other.item.Key == i.Key {
		return ErrMapTaken
	}
	for ; ; depth++ {
		inner := &treeNode{mapNode: mapNode{kind: nodeInner}, dirty: true}
		*at = inner
		if b := bit(i.Key, depth); b != bit(other.item.Key, depth) {
			inner.half[b], inner.half[1-b] = added, other
			t.size++
			return nil
		}
		at = &inner.half[bit(i.Key, depth)]
	}
}

// Root is the root over what was inserted. It costs what changed since the last one.
func (t *MapTree) Root() wire.Hash {
	if t.root == nil {
		return wire.Hash{}
	}
	return t.root.sum()
}

func (n *treeNode) sum() wire.Hash {
	if !n.dirty {
		return n.hash
	}
	n.dirty = false
	if n.kind == nodeLeaf {
		n.hash = leafNode(n.item).hash
		return n.hash
	}
	var halves [2]wire.Hash
	for i, h := range n.half {
		if h != nil {
			halves[i] = h.sum()
		}
	}
	n.hash = joinHash(halves[0], halves[1])
	return n.hash
}

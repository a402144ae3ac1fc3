package overlay

import (
	"cmp"
	"slices"
)

// Layer is a Base with changes on top of another one: what the functions of a group did so far. A key that was written and
// deleted again within the group never reaches what lies below.
type Layer struct {
	base    Base
	changes map[string]Change
	sorted  []string // keys of changes, ascending, but for fresh ones
	fresh   []string // keys that came since a Cursor was last asked for
	bytes   int
}

var _ Base = (*Layer)(nil)

// NewLayer returns a layer without changes.
func NewLayer(base Base) *Layer { return &Layer{base: base, changes: map[string]Change{}} }

// Apply takes changes in. The layer keeps their slices, which nobody writes to afterwards.
func (l *Layer) Apply(changes []Change) {
	for _, c := range changes {
		l.bytes += len(c.Key) + len(c.Value)
		key := string(c.Key)
		if _, known := l.changes[key]; !known {
			l.fresh = append(l.fresh, key)
		}
		l.changes[key] = c
	}
}

// Bytes is how much was taken in, keys and values.
func (l *Layer) Bytes() int { return l.bytes }

// Changes are all changes, ascending by key, one a key.
func (l *Layer) Changes() []Change {
	l.sort()
	out := make([]Change, len(l.sorted))
	for i, key := range l.sorted {
		out[i] = l.changes[key]
	}
	return out
}

// sort merges the fresh keys into the sorted ones.
func (l *Layer) sort() {
	if len(l.fresh) == 0 {
		return
	}
	slices.Sort(l.fresh)
	merged := make([]string, 0, len(l.sorted)+len(l.fresh))
	a, b := l.sorted, l.fresh
	for len(a) > 0 && len(b) > 0 {
		if a[0] < b[0] {
			merged, a = append(merged, a[0]), a[1:]
		} else {
			merged, b = append(merged, b[0]), b[1:]
		}
	}
	l.sorted, l.fresh = append(append(merged, a...), b...), nil
}

// Get implements Base.
func (l *Layer) Get(key []byte) ([]byte, bool) {
	if c, ok := l.changes[string(key)]; ok {
		return c.Value, !c.Deleted
	}
	return l.base.Get(key)
}

// Cursor implements Base.
func (l *Layer) Cursor() Cursor {
	l.sort()
	return &layerCursor{layer: l, keys: l.sorted, below: l.base.Cursor()}
}

// layerCursor merges the keys below with those of the layer, which are as they were when it was made: what is under an
// overlay does not change while the overlay is in use.
type layerCursor struct {
	layer *Layer
	keys  []string
	at    int
	below Cursor

	key, value []byte // where below stands
}

// Seek implements Cursor.
func (c *layerCursor) Seek(key []byte) (k, v []byte) {
	c.at, _ = slices.BinarySearchFunc(c.keys, key, func(s string, key []byte) int { return cmp.Compare(s, string(key)) })
	c.key, c.value = c.below.Seek(key)
	return c.current()
}

// Next implements Cursor.
func (c *layerCursor) Next() (k, v []byte) {
	if c.at < len(c.keys) && (c.key == nil || c.keys[c.at] <= string(c.key)) {
		c.skip()
	} else if c.key != nil {
		c.key, c.value = c.below.Next()
	}
	return c.current()
}

// skip leaves the layer's key, and the same key below.
func (c *layerCursor) skip() {
	if c.key != nil && c.keys[c.at] == string(c.key) {
		c.key, c.value = c.below.Next()
	}
	c.at++
}

// current is the least key that is there.
func (c *layerCursor) current() (k, v []byte) {
	for c.at < len(c.keys) && (c.key == nil || c.keys[c.at] <= string(c.key)) {
		if change := c.layer.changes[c.keys[c.at]]; !change.Deleted {
			return change.Key, change.Value
		}
		c.skip()
	}
	return c.key, c.value
}

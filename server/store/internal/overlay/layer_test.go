package overlay

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
)

// list is a Base of sorted rows.
type list []Change

func (l list) find(key []byte) int {
	return sort.Search(len(l), func(i int) bool { return bytes.Compare(l[i].Key, key) >= 0 })
}

func (l list) Get(key []byte) ([]byte, bool) {
	if i := l.find(key); i < len(l) && bytes.Equal(l[i].Key, key) {
		return l[i].Value, true
	}
	return nil, false
}

func (l list) Cursor() Cursor { return &listCursor{l, 0} }

type listCursor struct {
	list list
	at   int
}

func (c *listCursor) Seek(key []byte) (k, v []byte) { c.at = c.list.find(key); return c.current() }
func (c *listCursor) Next() (k, v []byte)           { c.at++; return c.current() }
func (c *listCursor) current() (k, v []byte) {
	if c.at >= len(c.list) {
		return nil, nil
	}
	return c.list[c.at].Key, c.list[c.at].Value
}

// TestLayer: a layer reads like what lies below with the changes applied, whatever they are and however they come.
func TestLayer(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	key := func() string { return fmt.Sprintf("%02d", random.IntN(40)) }
	for round := range 300 {
		want := map[string]string{}
		for range random.IntN(20) {
			want[key()] = "below"
		}
		var base list
		for _, k := range slices.Sorted(maps.Keys(want)) {
			base = append(base, Change{Key: []byte(k), Value: []byte(want[k])})
		}
		layer := NewLayer(base)
		for step := range 30 {
			k, v := key(), fmt.Sprint(step)
			if random.IntN(3) == 0 {
				delete(want, k)
				layer.Apply([]Change{{Key: []byte(k), Deleted: true}})
			} else {
				want[k] = v
				layer.Apply([]Change{{Key: []byte(k), Value: []byte(v)}})
			}
			checkLayer(t, layer, want, key())
			if t.Failed() {
				t.Fatalf("round %d, step %d", round, step)
			}
		}
		changes := layer.Changes()
		if !slices.IsSortedFunc(changes, func(a, b Change) int { return bytes.Compare(a.Key, b.Key) }) {
			t.Fatal("changes are not in order")
		}
	}
}

func checkLayer(t *testing.T, layer *Layer, want map[string]string, from string) {
	t.Helper()
	for n := range 40 {
		k := fmt.Sprintf("%02d", n)
		v, found := layer.Get([]byte(k))
		if _, there := want[k]; found != there || (found && string(v) != want[k]) {
			t.Errorf("get %s: %q %v", k, v, found)
		}
	}
	var got, all []string
	c := layer.Cursor()
	for k, v := c.Seek([]byte(from)); k != nil; k, v = c.Next() {
		got = append(got, string(k)+"="+string(v))
	}
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if k >= from {
			all = append(all, k+"="+want[k])
		}
	}
	if !slices.Equal(got, all) {
		t.Errorf("from %s: %v, want %v", from, got, all)
	}
}

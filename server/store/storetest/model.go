package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/faultstore"
)

func goexit() { runtime.Goexit() }

// Model compares a store with a map, over random transactions of which many
// fail, before or after they were applied, and over restarts. The hook it
// hands to open fails too.
//
// Restart returns a store over what s, now closed, left behind; it is nil for
// a backend that keeps nothing.
func Model(t *testing.T, open Open, restart func(t *testing.T, hook store.Hook) store.Store, steps int) {
	m := &model{
		t:      t,
		random: rand.New(rand.NewPCG(7, 11)),
		state:  map[string]map[string]string{},
	}
	inner := open(t, m.hook)
	for step := range steps {
		m.step = step
		switch {
		case restart != nil && m.random.IntN(40) == 0:
			wantError(t, "Close", inner.Close(), nil)
			inner = restart(t, m.hook)
		case m.random.IntN(3) == 0:
			m.view(inner)
		default:
			m.update(inner)
		}
		if t.Failed() {
			t.Fatalf("stopped after step %d", step)
		}
	}
	if m.faults < steps/20 || m.commits < steps/10 {
		t.Errorf("%d faults and %d commits in %d steps: the model tests too little", m.faults, m.commits, steps)
	}
}

type model struct {
	t       *testing.T
	random  *rand.Rand
	state   map[string]map[string]string
	step    int
	faults  int
	commits int

	hookFails bool
}

// hook counts the commits of a partition inside it.
func (m *model) hook(_ string, tx store.Tx) error {
	_, err := add(tx, "hooks", 1)
	if m.hookFails {
		return errors.Join(err, errOurs)
	}
	return err
}

func (m *model) partition() string { return fmt.Sprintf("p%d", m.random.IntN(3)) }

func (m *model) view(s store.Store) {
	partition := m.partition()
	err := s.View(context.Background(), partition, func(tx store.Tx) error {
		m.compare(tx, m.state[partition])
		return nil
	})
	wantError(m.t, "View", err, nil)
}

func (m *model) update(s store.Store) {
	partition := m.partition()
	fault := faultstore.Fault(max(0, m.random.IntN(12)-8)) // None in three of four
	fails := m.random.IntN(6) == 0
	m.hookFails = m.random.IntN(8) == 0
	next := maps.Clone(m.state[partition])
	if next == nil {
		next = map[string]string{}
	}
	called, wrote := false, false
	err := faultstore.New(s, faultstore.Only(1, fault)).Update(context.Background(), partition, func(tx store.Tx) error {
		called = true
		for range m.random.IntN(12) {
			wrote = m.operate(tx, next) || wrote
		}
		m.compare(tx, next)
		if fails {
			return errOurs
		}
		return nil
	})
	if called == (fault == faultstore.Refuse) {
		m.t.Errorf("called %t under fault %d", called, fault)
	}
	applied := called && !fails && fault != faultstore.Discard && !(wrote && m.hookFails)
	switch {
	case fault == faultstore.Refuse, fault == faultstore.Discard && !fails, fault == faultstore.Lose && applied:
		m.faults++
		wantError(m.t, "faulty Update", err, faultstore.ErrInjected)
		wantError(m.t, "faulty Update", err, store.ErrCommit)
	case !applied:
		wantError(m.t, "failing Update", err, errOurs)
	default:
		wantError(m.t, "Update", err, nil)
	}
	if applied && wrote {
		m.commits++
		addTo(next)
		m.state[partition] = next
	}
}

// addTo does to the map what the hook does to the store.
func addTo(state map[string]string) {
	count := []byte(state["hooks"])
	if len(count) == 0 {
		count = make([]byte, 8)
	}
	for i := 7; i >= 0; i-- {
		count[i]++
		if count[i] != 0 {
			break
		}
	}
	state["hooks"] = string(count)
}

// operate does one thing to both, and reports whether it was a write.
func (m *model) operate(tx store.Tx, state map[string]string) bool {
	key := m.key()
	switch m.random.IntN(4) {
	case 0:
		m.compare(tx, state)
		return false
	case 1:
		wantError(m.t, "Delete", tx.Delete([]byte(key)), nil)
		delete(state, key)
	default:
		value := fmt.Sprintf("%d/%s", m.step, strings.Repeat("v", m.random.IntN(200)*m.random.IntN(50)))
		wantError(m.t, "Put", tx.Put([]byte(key), []byte(value)), nil)
		state[key] = value
	}
	return true
}

// key is one of few, so that they meet.
func (m *model) key() string {
	return "k" + strings.Repeat("\x00", m.random.IntN(2)) + string(rune('a'+m.random.IntN(8))) + strings.Repeat("\xff", m.random.IntN(3))
}

// compare reads one key and one random range from both.
func (m *model) compare(tx store.Tx, state map[string]string) {
	m.t.Helper()
	key := m.key()
	got, err := tx.Get([]byte(key))
	want, found := state[key]
	if string(got) != want || (err == nil) != found || (!found && !errors.Is(err, store.ErrNotFound)) {
		m.t.Errorf("step %d: Get(%q): %d bytes, %v; want %d bytes, %t", m.step, key, len(got), err, len(want), found)
	}
	prefix, after, limit := "", "", m.random.IntN(6)
	if m.random.IntN(2) == 0 {
		prefix = m.key()[:1+m.random.IntN(2)]
	}
	if m.random.IntN(2) == 0 {
		after = m.key()
	}
	var words []string
	for _, key := range sortedKeys(state) {
		if strings.HasPrefix(key, prefix) && key > after && (limit == 0 || len(words) < limit) {
			words = append(words, key+"="+state[key])
		}
	}
	gotScan, err := scan(tx, prefix, after, limit)
	if wantScan := strings.Join(words, " "); gotScan != wantScan || err != nil {
		m.t.Errorf("step %d: Scan(%q, %q, %d): %.200q, %v; want %.200q", m.step, prefix, after, limit, gotScan, err, wantScan)
	}
}

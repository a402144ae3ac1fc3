package server_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// logs are what clients of each firm know of its log: the keys that the charter names, and the newest checkpoint.
type logs struct {
	mu sync.Mutex // guards of, and what it leads to
	of map[wire.ChainID]*firmLog
}

type firmLog struct {
	api.LogKeys
	keys *log.Keys
	seen log.Checkpoint
}

func (l *logs) add(t testing.TB, firm wire.ChainID, named api.LogKeys) {
	t.Helper()
	keys, err := log.ParseKeys(named.Origin, named.Keys)
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of[firm] = &firmLog{LogKeys: named, keys: keys}
}

func (l *logs) firm(id wire.ChainID) *firmLog {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of[id]
}

func (l *logs) seen(id wire.ChainID) log.Checkpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.of[id]; f != nil {
		return f.seen
	}
	return log.Checkpoint{}
}

func (l *logs) saw(id wire.ChainID, c log.Checkpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.of[id]; c.Size > f.seen.Size {
		f.seen = c
	}
}

// receipt verifies the answer to an accepted entry as a client does: both signatures, the leaf's place, and that the
// checkpoint extends what was seen before. A zero leaf is not compared.
func (p *player) receipt(a answer, leaf log.Leaf, seen log.Checkpoint) (log.Receipt, log.Checkpoint) {
	p.t.Helper()
	got := want[api.Appended](p.t, a)
	r, err := log.ParseReceipt([]byte(got.Receipt))
	p.ok(err)
	in, err := log.ParseLeaf(r.Extra)
	p.ok(err)
	if leaf != (log.Leaf{}) && in != leaf {
		p.t.Fatal("a receipt of another leaf")
	}
	c, err := r.Verify(p.logs.firm(p.firm).keys, in.Hash())
	p.ok(err)
	if seen.Size > 0 {
		p.ok(log.CheckConsistency(got.Consistency, seen.Size, seen.Root, c.Size, c.Root))
	}
	p.logs.saw(p.firm, c)
	return r, c
}

// underMap verifies the root of a map under its checkpoint, and that the checkpoint is consistent with what was seen.
func (p *player) underMap(m api.MapRoot, seen log.Checkpoint) log.Checkpoint {
	p.t.Helper()
	c, err := p.logs.firm(p.firm).keys.Open([]byte(m.Checkpoint))
	p.ok(err)
	p.ok(log.CheckInclusion(m.Inclusion, c.Size-1, c.Size, c.Root, log.MapRootLeaf(m.Root).Hash()))
	if seen.Size > c.Size {
		p.ok(log.CheckConsistency(m.Consistency, c.Size, c.Root, seen.Size, seen.Root))
	} else if seen.Size > 0 {
		p.ok(log.CheckConsistency(m.Consistency, seen.Size, seen.Root, c.Size, c.Root))
	}
	p.logs.saw(p.firm, c)
	return c
}

// lookup is the verified links of members, in the order asked.
func (p *player) lookup(members ...wire.ObjectID) [][]chain.KeyLink {
	p.t.Helper()
	seen := p.logs.seen(p.firm)
	reply := want[api.KeysReply](p.t, p.askKeys(seen.Size, members...))
	p.underMap(reply.MapRoot, seen)
	if len(reply.Lookups) != len(members) {
		p.t.Fatalf("%d lookups", len(reply.Lookups))
	}
	var out [][]chain.KeyLink
	for i, l := range reply.Lookups {
		links, err := l.Verify(p.logs.firm(p.firm).VRF, p.firm, members[i], reply.Root)
		p.ok(err)
		out = append(out, links)
	}
	return out
}

func (p *player) askKeys(seen uint64, members ...wire.ObjectID) answer {
	p.t.Helper()
	return p.json("POST", api.Firm(p.firm)+"/keys", api.KeysRequest{Members: members, Seen: seen})
}

// prove asks the map about keys and verifies every answer; nil is absent.
func (p *player) prove(witnessed bool, keys ...wire.Hash) ([]*wire.Hash, log.Checkpoint) {
	p.t.Helper()
	seen := p.logs.seen(p.firm)
	reply := want[api.MapReply](p.t, p.json("POST", api.Firm(p.firm)+"/log/map", api.MapRequest{Keys: keys, Seen: seen.Size, Witnessed: witnessed}))
	c := p.underMap(reply.MapRoot, seen)
	if len(reply.Proofs) != len(keys) {
		p.t.Fatalf("%d proofs", len(reply.Proofs))
	}
	var out []*wire.Hash
	for i, b := range reply.Proofs {
		proof, err := log.ParseMapProof(b)
		p.ok(err)
		value, present, err := proof.Verify(reply.Root, keys[i])
		p.ok(err)
		if !present {
			out = append(out, nil)
			continue
		}
		out = append(out, &value)
	}
	return out, c
}

// publicLog reads a firm's public log as anybody does.
type publicLog struct {
	p     *player
	token string
}

var _ log.Source = publicLog{}

func (l publicLog) path(rest string) string {
	return "/log/" + api.LogName(l.p.logs.firm(l.p.firm).Origin) + "/" + rest
}

func (l publicLog) get(rest string) answer {
	l.p.t.Helper()
	r, err := http.NewRequest("GET", l.p.http.URL+l.path(rest), nil)
	l.p.ok(err)
	if l.token != "" {
		r.Header.Set("Authorization", l.token)
	}
	reply, err := http.DefaultClient.Do(r)
	l.p.ok(err)
	defer reply.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(reply.Body)
	l.p.ok(err)
	return answer{reply.StatusCode, reply.Header, b.Bytes()}
}

// Read implements log.Source.
func (l publicLog) Read(_ context.Context, path string) ([]byte, error) {
	a := l.get(path)
	switch a.status {
	case 200:
		return a.body, nil
	case 404:
		return nil, log.ErrNoTile
	}
	return nil, fmt.Errorf("answer %d", a.status)
}

// whole reads a firm's whole public log and recomputes everything: the tree's root, every map root on the way, and the
// tiles. It returns the leaves.
func (p *player) whole(token string) []log.Leaf {
	p.t.Helper()
	src := publicLog{p, token}
	c, err := p.logs.firm(p.firm).keys.Open(src.get("checkpoint").body)
	p.ok(err)
	var tree log.MapTree
	var leaves []log.Leaf
	p.ok(log.VerifyTree(p.t.Context(), src, c, log.VerifyOptions{Leaf: func(i uint64, l log.Leaf) error {
		leaves = append(leaves, l)
		if item, ok := log.MapItemOf(l); ok {
			return tree.Insert(item)
		}
		if l != log.MapRootLeaf(tree.Root()) {
			return fmt.Errorf("leaf %d is another map root", i)
		}
		return nil
	}}))
	if last := leaves[len(leaves)-1]; uint64(len(leaves)) != c.Size || last.Type != log.TypeMapRoot {
		p.t.Fatalf("%d leaves, the last is %d", len(leaves), last.Type)
	}
	return leaves
}

func ofType(leaves []log.Leaf, kind uint16) (n int) {
	for _, l := range leaves {
		if l.Type == kind {
			n++
		}
	}
	return n
}

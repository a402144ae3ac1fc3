package evilserver

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
)

// bender bends answers as their format has it. Its choices follow from a seed.
type bender struct {
	mu   *sync.Mutex // guards all below; one for all benders, who share what was kept
	rand *rand.Rand
	kept map[string][][]byte // answers by route, of any moment
	left int                 // answers still to bend
	from int                 // answers to leave alone before
	log  []string
}

func (b *bender) pick(n int) int { return b.rand.IntN(max(1, n)) }

// tell bends some answers of a request's route.
func (b *bender) tell(r *Request) *Reply {
	reply := r.Real()
	b.mu.Lock()
	defer b.mu.Unlock()
	route := shape(r.Path)
	if reply.Status < 300 && len(b.kept[route]) < 20 {
		b.kept[route] = append(b.kept[route], bytes.Clone(reply.Body))
	}
	if b.from > 0 || b.left == 0 {
		b.from--
		return reply
	}
	b.left--
	b.log = append(b.log, r.Method+" "+route)
	return b.bend(route, reply)
}

// shape is a path without its identifiers.
func shape(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if len(p) > 20 {
			parts[i] = ":"
		}
	}
	return strings.Join(parts, "/")
}

func (b *bender) bend(route string, reply *Reply) *Reply {
	body := bytes.Clone(reply.Body)
	switch b.pick(12) {
	case 0: // an answer of another moment, or of another question
		routes := make([]string, 0, len(b.kept))
		for r := range b.kept {
			routes = append(routes, r)
		}
		sort.Strings(routes)
		if b.pick(2) == 0 || len(b.kept[route]) == 0 {
			route = routes[b.pick(len(routes))]
		}
		list := b.kept[route]
		body = bytes.Clone(list[b.pick(len(list))])
	case 1: // another status
		reply.Status = []int{204, 302, 400, 404, 409, 418, 500}[b.pick(7)]
	case 2: // an error of the closed set, or of none
		codes := slices.DeleteFunc(api.ServerCodes(), func(c api.Code) bool { return c == api.CodeUnavailable }) // that one is waited for
		e := api.Error{Code: append(codes, "no-such-code", "offline", "server-lied")[b.pick(len(codes)+3)], Message: strings.Repeat("<b>", b.pick(1000))}
		body, _ = json.Marshal(e)
		reply.Status = 400 + b.pick(120)
	case 3: // long
		body = append(body, bytes.Repeat([]byte("[{"), 1<<b.pick(20))...)
	default:
		if json.Valid(body) && len(body) > 0 {
			body = b.bendJSON(body)
		} else {
			body = b.bendBytes(body)
		}
	}
	reply.Body = body
	return reply
}

func (b *bender) bendBytes(body []byte) []byte {
	if entries, err := chain.ParseEntries(body); err == nil && len(entries) > 0 && b.pick(2) == 0 {
		return b.bendEntries(entries)
	}
	if len(body) == 0 {
		return []byte{0}
	}
	at := b.pick(len(body))
	switch b.pick(6) {
	case 0:
		body[at] ^= 1 << b.pick(8)
	case 1:
		return body[:at]
	case 2:
		return append(body, body[at:]...)
	case 3:
		for i := at; i < min(len(body), at+4); i++ {
			body[i] = 0xff // a length, perhaps
		}
	case 4:
		return append(bytes.Clone(body[at:]), body[:at]...)
	case 5:
		return nil
	}
	return body
}

func (b *bender) bendEntries(entries []chain.Entry) []byte {
	at := b.pick(len(entries))
	switch b.pick(6) {
	case 0:
		entries = slices.Delete(entries, at, at+1)
	case 1:
		entries = slices.Insert(entries, at, entries[at])
	case 2:
		slices.Reverse(entries)
	case 3:
		entries[at].Effect = b.bendBytes(entries[at].Effect)
	case 4:
		entries[at].Envelope = b.bendBytes(entries[at].Envelope)
	case 5:
		entries[at].Leaf.Link[b.pick(32)] ^= 1
	}
	var out []byte
	for _, e := range entries {
		out = append(out, e.Bytes()...)
	}
	return out
}

// bendJSON changes one value somewhere in the tree.
func (b *bender) bendJSON(body []byte) []byte {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return body
	}
	out, err := json.Marshal(b.bendValue(v))
	if err != nil {
		return body
	}
	return out
}

func (b *bender) bendValue(v any) any {
	switch x := v.(type) {
	case map[string]any:
		names := make([]string, 0, len(x))
		for name := range x {
			names = append(names, name)
		}
		sort.Strings(names)
		if len(names) == 0 || b.pick(8) == 0 {
			x["surprise"] = "x"
			return x
		}
		name := names[b.pick(len(names))]
		if b.pick(6) == 0 {
			delete(x, name)
		} else {
			x[name] = b.bendValue(x[name])
		}
		return x
	case []any:
		if len(x) == 0 {
			return []any{nil, map[string]any{}}
		}
		at := b.pick(len(x))
		switch b.pick(4) {
		case 0:
			return append(x, x...)
		case 1:
			return x[:at]
		}
		x[at] = b.bendValue(x[at])
		return x
	case string:
		if raw, err := base64.StdEncoding.DecodeString(x); err == nil && len(raw) > 8 && b.pick(2) == 0 {
			return base64.StdEncoding.EncodeToString(b.bendBytes(raw))
		}
		return []any{"", nil, strings.Repeat("a", 1<<16), 7.0, "a" + x, strings.ToUpper(x)}[b.pick(6)]
	case float64:
		return []any{0.0, -1.0, x + 1, 1e300, 4294967296.0, 1.5, "1", nil}[b.pick(8)]
	}
	return []any{nil, true, 1.0, "x", []any{}, map[string]any{}}[b.pick(6)]
}

// bentAnswers tells the story of a member, and of a guest, with answers bent in any way: nothing panics, every error is
// one of the closed set, what is released is what was sealed, and memory stays in bounds.
func bentAnswers(t *testing.T) {
	o := newOffice(t)
	known := map[api.Code]bool{api.CodeOffline: true, api.CodeServerLied: true, api.CodeUnlockFailed: true, api.CodeBadName: true, api.CodeFileChanged: true, api.CodeRemoved: true,
		api.CodeWaiting: true, api.CodeNotAllowed: true, api.CodeNotHere: true, api.CodeCancelled: true, api.CodeBadLink: true, api.CodeNoPRF: true}
	for _, c := range api.ServerCodes() {
		known[c] = true
	}
	typed := func(seed uint64, step string, err error, b *bender) {
		if err == nil {
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		f := client.FailureOf(err)
		if !known[f.Code] {
			t.Errorf("seed %d, %s: code %q (%v) after %v", seed, step, f.Code, f.Unwrap(), b.log)
		}
		// An answer of no success may be a fault of the server's; one that pretends to be one is a lie.
		if f.Code == api.CodeInternal && f.Unwrap() != nil && !isAPI(f.Unwrap()) {
			t.Errorf("seed %d, %s: %v after %v", seed, step, f.Unwrap(), b.log)
		}
	}
	const leastRounds = 20 // also on a busy machine
	deadline := time.Now().Add(8 * time.Second)
	var mu sync.Mutex
	kept := map[string][][]byte{}
	rounds, refusals := 0, 0
	for seed := uint64(1); seed <= 400 && (seed <= leastRounds || time.Now().Before(deadline)); seed++ {
		rounds++
		o.Clock.Advance(2 * time.Second) // she signs in no more than sixty times a minute
		source := rand.New(rand.NewPCG(seed, 88))
		b := &bender{mu: &mu, rand: source, kept: kept, left: 1 + source.IntN(3), from: source.IntN(24)}
		link := ""
		if seed%8 == 0 {
			link = o.ada.InviteTo(o.matter, "Guest", chain.RoleClient, chain.ModeOpensAtOnce)
		}
		for _, method := range []string{"GET", "POST", "PUT"} {
			o.Lie(method, "", b.tell)
		}
		p := o.clara.Elsewhere()
		if link != "" {
			p = o.Person("Guest " + string(rune('a'+seed%3)))
			_, err := p.Accept(link)
			typed(seed, "join", err, b)
		} else {
			typed(seed, "sign-in", p.SignIn(), b)
		}
		if p.SignedIn() {
			_, err := p.Overview(Soon(t))
			typed(seed, "overview", err, b)
			typed(seed, "look", p.Look(o.matter), b)
			content, err := p.Get(o.matter, o.doc)
			typed(seed, "get", err, b)
			if err == nil && !bytes.Equal(content, o.content) {
				t.Errorf("seed %d: other content was released after %v", seed, b.log)
			}
			for _, s := range p.sinks {
				if got, committed := s.Released(); committed && !bytes.Equal(got, o.content) || !committed && len(got) > 0 {
					t.Errorf("seed %d: %d bytes were left after %v", seed, len(got), b.log)
				}
			}
			_, err = p.Put(o.matter, "Bent.txt", text(10))
			typed(seed, "put", err, b)
			refusals += len(p.Refusals())
		}
		o.Honest()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapSys > 2<<30 {
		t.Errorf("the heap grew to %d MiB", m.HeapSys>>20)
	}
	if refusals == 0 {
		t.Errorf("%d rounds with %d refusals prove little", rounds, refusals)
	}
	t.Logf("%d rounds, %d refusals", rounds, refusals)
	// Whoever was lied to comes back to an honest server and finds all as it was.
	back := o.clara.Elsewhere().In()
	if content, err := back.Get(o.matter, o.doc); err != nil || !bytes.Equal(content, o.content) {
		t.Errorf("after all of it: %v", err)
	}
}

func isAPI(err error) bool {
	_, ok := err.(*api.Error)
	return ok
}

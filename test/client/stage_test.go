// Package client tests the client against the real server: what only shows when both are there. The server's lies are those
// of package evilserver, which brings the people, too.
package client

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/test/evilserver"
)

// stage is Ada with a firm and a matter.
type stage struct {
	*evilserver.World
	ada    *evilserver.Person
	matter wire.ChainID
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{World: evilserver.NewWorld(t, nil)}
	s.ada = s.Founder("Ada")
	s.matter = s.ada.NewMatter("Doe v. Roe")
	return s
}

func (s *stage) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// count is how many requests of a route were answered since a moment; with only successes, or all.
func (s *stage) count(mark int, method, route string) (n int) {
	for _, x := range s.Since(mark) {
		if x.Method == method && evilserver.Matches(route, x.Path) && x.Status < 300 {
			n++
		}
	}
	return n
}

// breaks has the next n requests of a route carried out, and their answers lost.
func (s *stage) breaks(n int, method, route string) {
	var mu sync.Mutex
	s.Lie(method, route, func(r *evilserver.Request) *evilserver.Reply {
		mu.Lock()
		n--
		lost := n >= 0
		mu.Unlock()
		if !lost {
			return nil
		}
		r.Real()
		panic(http.ErrAbortHandler)
	})
}

// cut ends a program at the nth of the requests that it is told of, once that was carried out or without: from then on none of them is
// answered.
type cut struct {
	context.Context // of the program
	end             context.CancelFunc
	n               int
	carriedOut      bool
	mu              sync.Mutex // guards count
	count           int
}

func newCut(t *testing.T, n int, carriedOut bool) *cut {
	t.Helper()
	c := &cut{n: n, carriedOut: carriedOut}
	c.Context, c.end = context.WithCancel(evilserver.Soon(t))
	t.Cleanup(c.end)
	return c
}

// tell is a lie.
func (c *cut) tell(r *evilserver.Request) *evilserver.Reply {
	c.mu.Lock()
	c.count++
	at := c.count
	c.mu.Unlock()
	if at < c.n {
		return nil
	}
	if at == c.n && c.carriedOut {
		r.Real()
	}
	c.end()
	panic(http.ErrAbortHandler)
}

// met reports whether there were as many requests.
func (c *cut) met() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count >= c.n
}

// holds stops the requests of a route until release is called; reached is closed when the first is there.
func (s *stage) holds(method, route string) (reached chan struct{}, release func()) {
	reached, gate := make(chan struct{}), make(chan struct{})
	var first, last sync.Once
	s.Lie(method, route, func(*evilserver.Request) *evilserver.Reply {
		first.Do(func() { close(reached) })
		<-gate
		return nil
	})
	release = func() { last.Do(func() { close(gate) }) }
	s.Cleanup(release)
	return reached, release
}

func (s *stage) await(c chan struct{}) {
	s.Helper()
	select {
	case <-c:
	case <-time.After(20 * time.Second):
		s.Fatal("it did not come to that")
	}
}

// refusal is an answer that refuses.
func refusal(status int, code api.Code) *evilserver.Reply {
	return &evilserver.Reply{Status: status, Header: http.Header{"Content-Type": {api.TypeJSON}}, Body: fmt.Appendf(nil, `{"code":%q,"message":"from the server"}`, code)}
}

// file is one to upload, which replaces one of its name.
func file(path, content string) client.File {
	return client.File{Path: path, Type: "text/plain", Source: evilserver.NewSource([]byte(content)), Replace: true}
}

// begin starts uploads.
func (s *stage) begin(p *evilserver.Person, files ...client.File) []wire.ObjectID {
	s.Helper()
	ids, err := p.Upload(evilserver.Soon(s), s.matter, "", files)
	s.ok(err)
	return ids
}

// ends waits for transfers, which must all come to one phase, and is how the last of them ended.
func (s *stage) ends(p *evilserver.Person, phase client.Phase, ids ...wire.ObjectID) (v client.TransferView) {
	s.Helper()
	for _, id := range ids {
		var err error
		v, err = p.WaitTransfer(evilserver.Soon(s), id)
		s.ok(err)
		if v.Phase != phase {
			s.Fatalf("%s is %s (%v), want %s", v.Name, v.Phase, v.Failure, phase)
		}
	}
	return v
}

// named lists the documents that stand, by name.
func (s *stage) named(p *evilserver.Person, name string) (list []client.DocumentView) {
	s.Helper()
	for _, d := range p.View(s.matter).Documents {
		if d.Name == name && d.Deleted == nil {
			list = append(list, d)
		}
	}
	return list
}

func (s *stage) document(text string) wire.ObjectID {
	s.Helper()
	id, err := wire.ParseObjectID(text)
	s.ok(err)
	return id
}

func (s *stage) position() uint64 { return s.Head(s.ada.Firm, s.matter).Position }

// hooked is a device whose writes can be refused.
type hooked struct {
	client.Device
	refuse func(name string, record []byte) error
}

func (d *hooked) Put(ctx context.Context, name string, record []byte) error {
	if d.refuse != nil {
		if err := d.refuse(name, record); err != nil {
			return err
		}
	}
	return d.Device.Put(ctx, name, record)
}

// journals are the records of uploads that a device holds.
func (s *stage) journals(p *evilserver.Person) (n int) {
	s.Helper()
	names, err := p.Device.List(s.Context(), "")
	s.ok(err)
	for _, name := range names {
		if strings.Contains(name, "/upload/") {
			n++
		}
	}
	return n
}

func large(chunks int) string {
	return string(bytes.Repeat([]byte("0123456789abcdef"), (chunks*document.ChunkSize-1000)/16))
}

func rename(to string) func(*chain.Document) (string, string) {
	return func(d *chain.Document) (string, string) { return to, d.Folder }
}

package evilserver

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/memstore"
)

// Fork is the same server with another face: it begins with what w holds and has the same private keys, and from there on
// it tells another story.
func (w *World) Fork() *World {
	w.Helper()
	f := &World{TB: w.TB, Store: memstore.New(w.Ledger.Integrate), Blobs: w.Blobs, Ledger: w.Ledger, Key: w.Key, told: -1, sessions: w.sessions}
	for partition, rows := range w.dump() {
		f.Edit(partition, func(tx store.Tx) error {
			for k, v := range rows {
				if err := tx.Put([]byte(k), v); err != nil {
					return err
				}
			}
			return nil
		})
	}
	front := httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
	_, port, _ := strings.Cut(front.Listener.Addr().String(), ":")
	f.Origin = "http://localhost:" + port
	c := w.config
	c.Store, c.Origin = f.Store, f.Origin
	s, err := server.New(c)
	w.ok(err)
	f.config, f.Server, f.handler = c, s, s.Handler()
	front.Start()
	w.Cleanup(func() { front.Close(); _ = f.Store.Close() })
	return f
}

// dump is every row of every partition.
func (w *World) dump() map[string]map[string][]byte {
	w.Helper()
	out := map[string]map[string][]byte{}
	partitions, err := w.Store.Partitions(context.Background())
	w.ok(err)
	for _, p := range partitions {
		out[p] = map[string][]byte{}
		w.ok(w.Store.View(context.Background(), p, func(tx store.Tx) error {
			return tx.Scan(nil, nil, 0, func(k, v []byte) error { out[p][string(k)] = bytes.Clone(v); return nil })
		}))
	}
	return out
}

// At is the same person on the same device, who is shown a face of the server. The client does not sign in.
func (p *Person) At(w *World) *Person {
	p.Helper()
	q := &Person{World: w, Called: p.Called, Device: p.Device, Random: p.Random, Now: p.Now, Firm: p.Firm, secrets: p.secrets, pass: p.pass, account: p.account, roots: p.roots}
	q.start()
	return q
}

// LogOf is the name of a firm's log and what it is held to.
func (w *World) LogOf(firm wire.ChainID) (f layout.Firm, keys *log.Keys) {
	w.Helper()
	w.Edit(layout.FirmPartition(firm), func(tx store.Tx) (err error) {
		f, _, err = layout.Get[layout.Firm](tx, layout.FirmKey())
		return err
	})
	seeds, err := w.Ledger.Keys.Seeds(context.Background(), f.Log)
	w.ok(err)
	keys, err = log.ParseKeys(f.Origin, seeds.Public(f.Origin).Keys)
	w.ok(err)
	return f, keys
}

// Signer signs whatever the attacker wants with a log's real keys.
func (w *World) Signer(firm wire.ChainID) *log.Signer {
	w.Helper()
	f, _ := w.LogOf(firm)
	seeds, err := w.Ledger.Keys.Seeds(context.Background(), f.Log)
	w.ok(err)
	s, err := log.NewSigner(f.Origin, seeds.Ed25519, seeds.MLDSA44)
	w.ok(err)
	return s
}

// PublicLog is a firm's log as anybody may read it.
type PublicLog struct {
	*World
	Firm wire.ChainID
}

var _ log.Source = PublicLog{}

// Read implements log.Source.
func (l PublicLog) Read(ctx context.Context, path string) (b []byte, err error) {
	err = l.Store.View(ctx, layout.FirmPartition(l.Firm), func(tx store.Tx) error {
		if path == "checkpoint" {
			b, _, err = ledger.PublicCheckpoint(tx)
			return err
		}
		t, err := log.ParseTilePath(path)
		if err != nil {
			return err
		}
		b, err = ledger.Tile(tx, t)
		return err
	})
	if access.Is(err, api.CodeNotFound) {
		err = log.ErrNoTile
	}
	return b, err
}

// Evidence is what the newest refusal shows others.
func (p *Person) Evidence() log.Evidence {
	p.Helper()
	list := p.Refusals()
	if len(list) == 0 || list[len(list)-1].Evidence == "" {
		p.Fatalf("no evidence: %+v", list)
	}
	e, err := log.ParseEvidence([]byte(list[len(list)-1].Evidence))
	p.ok(err)
	return e
}

// Proves asserts that the newest refusal has evidence, and that whoever has the log's keys and reads its public face judges
// it to be proved. An empty kind is any.
func (p *Person) Proves(kind string, face *World) {
	p.Helper()
	e := p.Evidence()
	_, keys := face.LogOf(p.Firm)
	verdict, err := e.Judge(context.Background(), keys, PublicLog{face, p.Firm})
	if err != nil || verdict != log.VerdictProved || (kind != "" && e.Kind != kind) {
		p.Errorf("evidence of %s is judged %v, %v; want %s", e.Kind, verdict, err, kind)
	}
	// It is in the file that is exported.
	if export, err := p.ExportRefusals(); err != nil || !bytes.Contains(export, []byte(`"evidence"`)) {
		p.Errorf("the export lacks the evidence: %v", err)
	}
}

// Lied asserts that an error is a lie of one cause.
func (p *Person) Lied(err error, cause error) {
	p.Helper()
	if f := client.FailureOf(err); f == nil || f.Code != api.CodeServerLied || !errors.Is(err, cause) {
		p.Errorf("got %v, want a lie of %v", err, cause)
	}
}

// Package crash kills the real server at random points while a real client works.
package crash

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/client/native"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/test/program"
)

func newClient(t *testing.T, origin string) *client.Client {
	t.Helper()
	transport, err := native.NewTransport(origin)
	if err != nil {
		t.Fatal(err)
	}
	device, err := native.OpenDevice(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return client.New(client.Config{Origin: origin, Transport: transport, Device: device, Pump: native.NewPump(transport, rand.Reader), Random: rand.Reader, Now: time.Now})
}

// acknowledged are the documents whose upload the client called done.
type acknowledged struct {
	mu   sync.Mutex // guards all below
	docs map[string][]byte
}

// TestKillNine kills the server a dozen times at random points of uploads and commits. What was acknowledged is there
// with the right bytes for a device that never saw it; nothing half-written is listed; every restart needs no repair
// (S-SERVER-04).
func TestKillNine(t *testing.T) {
	const kills, writers, enough = 12, 3, 60
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	server := program.Start(t, program.Binary(t), "")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()

	stretch, err := vault.DefaultStretch(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pass, err := vault.StretchPassphrase([]byte("correct horse battery staple"), stretch)
	if err != nil {
		t.Fatal(err)
	}
	var account wire.ObjectID
	var root vault.Root
	ada := newClient(t, server.Origin)
	_, secret, _ := strings.Cut(server.SetupLink(), "#")
	if _, err := ada.SetupOptions(ctx, secret, "Ada", "Ada LLP"); err != nil {
		t.Fatal(err)
	}
	keep := func(id wire.ObjectID, r vault.Root) error { account, root = id, r; return nil }
	if err := ada.SetupFinish(ctx, client.Unlocker{Passphrase: &pass, Keep: keep}); err != nil {
		t.Fatal(err)
	}
	kit, err := ada.CreateKit()
	if err != nil {
		t.Fatal(err)
	}
	if err := ada.TestKit(kit.Kit); err != nil {
		t.Fatal(err)
	}
	if err := ada.ConfirmKit(ctx); err != nil {
		t.Fatal(err)
	}
	view, err := ada.Overview(ctx)
	if err != nil {
		t.Fatal(err)
	}
	firm, err := wire.ParseHash(view.Firms[0].Firm)
	if err != nil {
		t.Fatal(err)
	}
	matter, err := ada.CreateMatter(ctx, firm, "Kill nine")
	if err != nil {
		t.Fatal(err)
	}

	done := &acknowledged{docs: map[string][]byte{}}
	stop := make(chan struct{})
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			r := mathrand.New(mathrand.NewPCG(seed, uint64(w)))
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				upload(ctx, t, ada, matter, done, fmt.Sprintf("w%d-%03d.bin", w, i), r)
			}
		})
	}
	r := mathrand.New(mathrand.NewPCG(seed, 99))
	for range kills {
		time.Sleep(time.Duration(50+r.IntN(700)) * time.Millisecond)
		server.Kill()
		server.Run()
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		done.mu.Lock()
		n := len(done.docs)
		done.mu.Unlock()
		if n >= enough {
			break
		}
	}
	close(stop)
	running.Wait()

	fresh := newClient(t, server.Origin)
	if err := fresh.SignInRoot(ctx, pass.LoginKey(), account, root); err != nil {
		t.Fatal(err)
	}
	m, err := fresh.Matter(ctx, matter)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]client.DocumentView{}
	for _, d := range m.Documents {
		if _, twice := listed[d.Name]; twice {
			t.Errorf("%s is listed twice", d.Name)
		}
		listed[d.Name] = d
	}
	for name, want := range done.docs {
		d, ok := listed[name]
		if !ok {
			t.Errorf("%s was acknowledged and is lost", name)
			continue
		}
		if got := download(ctx, t, fresh, matter, d); !bytes.Equal(got, want) {
			t.Errorf("%s has %d other bytes, want %d", name, len(got), len(want))
		}
	}
	for name, d := range listed {
		if _, ok := done.docs[name]; !ok {
			download(ctx, t, fresh, matter, d) // committed, and its answer was lost: it must still be whole
		}
	}
	t.Logf("%d kills, %d acknowledged, %d listed", kills, len(done.docs), len(listed))
}

func upload(ctx context.Context, t *testing.T, c *client.Client, matter wire.ChainID, done *acknowledged, name string, r *mathrand.Rand) {
	size := r.IntN(200 << 10)
	if r.IntN(8) == 0 {
		size = 4<<20 + r.IntN(4<<20)
	}
	content := make([]byte, size)
	_, _ = rand.Read(content)
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Error(err)
		return
	}
	source, err := native.OpenSource(path)
	if err != nil {
		t.Error(err)
		return
	}
	defer source.Close()
	ids, err := c.Upload(ctx, matter, "", []client.File{{Path: name, Type: "application/octet-stream", Source: source}})
	if err != nil {
		return // the server was away: nothing was begun
	}
	for range 20 {
		v, err := c.WaitTransfer(ctx, ids[0])
		if err != nil {
			t.Error(err)
			return
		}
		if v.Phase == client.PhaseDone {
			done.mu.Lock()
			done.docs[name] = content
			done.mu.Unlock()
			return
		}
		if v.Failure != nil && v.Failure.Code != "unavailable" && v.Failure.Code != "offline" && v.Failure.Code != "not-signed-in" {
			t.Errorf("%s: %v", name, v.Failure)
			return
		}
		if err := c.ResumeTransfer(ctx, ids[0]); err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
	}
	t.Errorf("%s never got through", name)
}

func download(ctx context.Context, t *testing.T, c *client.Client, matter wire.ChainID, d client.DocumentView) []byte {
	t.Helper()
	id, err := wire.ParseObjectID(d.Document)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "out")
	sink := native.NewSink(path, native.KeepExisting)
	transfer, err := c.Download(ctx, matter, id, wire.ObjectID{}, sink)
	if err != nil {
		t.Fatal(err)
	}
	v, err := c.WaitTransfer(ctx, transfer)
	if err != nil || v.Phase != client.PhaseDone {
		t.Errorf("%s: %v %v", d.Name, v.Phase, v.Failure)
		return nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

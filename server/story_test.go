//go:build !js

package server_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/server/blob/dirblob"
	"github.com/underseal/underseal/server/blob/memblob"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/boltstore"
)

func TestStory(t *testing.T) {
	t.Run("memory", func(t *testing.T) { story(t, newWorldOn(t, memory, memblob.New(), nil)) })
	t.Run("disk", func(t *testing.T) {
		disk := func(hook store.Hook) store.Store {
			s, err := boltstore.Open(boltstore.Config{Folder: t.TempDir(), NoSync: true, Hook: hook})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		b, err := dirblob.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		story(t, newWorldOn(t, disk, b, nil))
	})
}

// story is the main job at the level of requests: found, share, read, write back, rotate, remove, delete, sign in again.
func story(t *testing.T, w *world) {
	ada := w.founder()
	m := ada.matter()
	f := m.newFile(newID(t), 5<<20)
	m.put(f)
	refused(t, m.body(f, ""), api.CodeNotReleased)
	m.release(f)
	if got := m.body(f, ""); !bytes.Equal(got.body, f.body) {
		t.Fatalf("body: %d, %d bytes", got.status, len(got.body))
	}

	clara := m.join(chain.RoleClient)
	if n := len(clara.state.Documents); n != 1 {
		t.Fatalf("guest sees %d documents", n)
	}
	digests := clara.get(clara.digestsPath(f))
	if len(digests.body) != 32*document.Chunks(f.padded()) {
		t.Fatalf("digests: %d %s", digests.status, digests.body)
	}
	refused(t, clara.body(f, ""), api.CodeNotReleased) // a release is one session's
	clara.release(f)
	if got := clara.body(f, "bytes=0-99"); !bytes.Equal(got.body, f.body[:100]) {
		t.Fatalf("range: %d", got.status)
	}
	back := clara.newFile(newID(t), 100)
	clara.put(back)
	m = ada.replay(m.id)

	// Who is confirmed first sees nothing before.
	l := m.invite(chain.RoleParalegal, chain.ModeAfterIConfirm)
	petra := w.guest(l)
	sub := petra.acceptance(l)
	want[api.ChainHead](t, petra.send(m.path()+"/entries", sub))
	m.ok(m.state.Apply(sub.Entry))
	refused(t, petra.get(m.path()+"/entries?from=0"), api.CodeForbidden)
	refused(t, petra.get(m.path()+"/wraps/0"), api.CodeForbidden)
	if seats := want[api.Chains](t, petra.get(api.Firm(m.firm)+"/chains")).Chains; len(seats) != 1 || !seats[0].Waiting {
		t.Fatalf("seats %+v", seats)
	}
	admit, err := m.state.Admit(m.author, l.Invite)
	m.ok(err)
	m.append(admit)
	petra.replay(m.id)

	// The trail is the owner's to read.
	refused(t, clara.get(m.path()+"/trail"), api.CodeForbidden)
	trail, err := chain.ParseEntries(ada.get(m.path() + "/trail?from=0").body)
	m.ok(err)
	if len(trail) != 2 {
		t.Fatalf("%d releases", len(trail))
	}

	// Keys of those one shares a matter with, and of nobody else.
	links := petra.lookup(clara.author.Member)[0]
	if len(links) != 1 || !links[0].Bundle.Keys.Equal(clara.author.Identity.Public()) {
		t.Fatal("other keys")
	}

	// Removing is one entry, and at once.
	open := m.invite(chain.RoleClient, chain.ModeOpensAtOnce)
	m.remove(clara.author.Member)
	refused(t, clara.body(f, ""), api.CodeNotFound)
	ivan := w.guest(open)
	want[api.ChainHead](t, ivan.send(m.path()+"/entries", ivan.acceptance(open)))
	ivan.replay(m.id)
	m = ada.replay(m.id)
	ghost, err := m.state.Batch(m.author, []chain.Change{{Kind: chain.OpDelete, Document: f.change.Document}})
	m.ok(err)
	m.append(ghost)
	refused(t, m.body(f, ""), api.CodeGone)
	refused(t, m.get(m.digestsPath(f)), api.CodeGone)
	if left, err := w.blobs.List(t.Context(), m.firm.String(), f.upload.String()); err != nil || len(left) != 0 {
		t.Fatalf("deleted bytes stay: %v %v", left, err)
	}

	// Out, and in again.
	want[struct{}](t, ada.do("DELETE", api.RouteAccountSession, "", nil, nil))
	refused(t, ada.get(api.RouteAccount), api.CodeNotSignedIn)
	account := want[api.Account](t, ada.signIn())
	if account.Account != ada.account || account.Revision != 1 || len(account.Vault) != 1 || len(account.Firms) != 1 || account.Firms[0] != ada.firm {
		t.Fatalf("account %+v", account)
	}
	ada.open()
	want[struct{}](t, ada.do("DELETE", api.Firm(ada.firm)+"/session", "", nil, nil))
	refused(t, ada.get(m.path()), api.CodeNotSignedIn)

	// A session that nobody uses ends.
	ada.open()
	w.clock.advance(14 * time.Minute)
	want[api.ChainHead](t, ada.get(m.path()))
	w.clock.advance(14 * time.Minute)
	want[api.ChainHead](t, ada.get(m.path()))
	w.clock.advance(16 * time.Minute)
	refused(t, ada.get(m.path()), api.CodeNotSignedIn)
	refused(t, ada.get(api.RouteAccount), api.CodeNotSignedIn)
}

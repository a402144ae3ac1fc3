package client

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
)

func ringOf(names ...string) keyring {
	k := keyring{Name: "Ada"}
	for i, name := range names {
		k.Matters = append(k.Matters, matterSeat{Chain: wire.ChainID{byte(i + 1)}, Name: name})
	}
	return k
}

func TestKeyringOpensForItsAccountAndRevisionOnly(t *testing.T) {
	root := testRoot(t)
	c := signedIn(t, nil, newShelf(), wire.ObjectID{1}, root)
	c.account.ring = ringOf("Doe v. Roe")
	sealed, err := c.sealKeyring(c.account, c.account.ring, 7)
	must(t, err)
	again := &account{id: wire.ObjectID{1}, root: root}
	must(t, openKeyring(again, 7, sealed))
	if again.revision != 7 || len(again.ring.Matters) != 1 || again.ring.Matters[0].Name != "Doe v. Roe" {
		t.Fatalf("%+v", again)
	}
	more, err := c.sealKeyring(c.account, ringOf("Doe v. Roe", "In re Poe"), 7)
	must(t, err)
	if len(more) != len(sealed) {
		t.Errorf("%d and %d bytes tell how many matters there are", len(sealed), len(more))
	}
	bent := slices.Clone(sealed)
	bent[len(bent)-1]++
	for name, try := range map[string]struct {
		a        account
		revision uint64
		sealed   []byte
	}{
		"revision": {account{id: wire.ObjectID{1}, root: root}, 8, sealed},
		"account":  {account{id: wire.ObjectID{2}, root: root}, 7, sealed},
		"root":     {account{id: wire.ObjectID{1}, root: testRoot(t)}, 7, sealed},
		"bytes":    {account{id: wire.ObjectID{1}, root: root}, 7, bent},
		"nothing":  {account{id: wire.ObjectID{1}, root: root}, 7, nil},
	} {
		if err := openKeyring(&try.a, try.revision, try.sealed); !errors.Is(err, ErrAccountKeys) || try.a.revision != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOlderKeyringIsRefused: S-CLIENT-10, within a run and by what the device kept of an earlier one.
func TestOlderKeyringIsRefused(t *testing.T) {
	ctx, d, root := t.Context(), newShelf(), testRoot(t)
	c := signedIn(t, nil, d, wire.ObjectID{1}, root)
	at := func(revision uint64) api.Account {
		sealed, err := c.sealKeyring(c.account, ringOf("old"), revision)
		must(t, err)
		return api.Account{Revision: revision, Keyring: sealed}
	}
	old, same := at(4), at(5)
	c.account.ring, c.account.revision = ringOf("new"), 5
	if err := c.takeKeyring(ctx, c.account, old); !errors.Is(err, ErrRolledBack) || c.account.ring.Matters[0].Name != "new" || c.account.revision != 5 {
		t.Errorf("%v %+v", err, c.account)
	}
	must(t, c.rememberRevision(ctx, c.account))
	fresh := &account{id: wire.ObjectID{1}, root: root}
	if err := c.takeKeyring(ctx, fresh, old); !errors.Is(err, ErrRolledBack) || len(fresh.ring.Matters) != 0 {
		t.Errorf("after a restart: %v", err)
	}
	// A server that brings the root of before a renewal back, with what was sealed under it, is refused by the same number.
	before := &account{id: wire.ObjectID{1}, root: testRoot(t)}
	sealed, err := c.sealKeyring(before, ringOf("old"), 4)
	must(t, err)
	if err := c.takeKeyring(ctx, before, api.Account{Revision: 4, Keyring: sealed}); !errors.Is(err, ErrRolledBack) {
		t.Errorf("under an older root: %v", err)
	}
	must(t, c.takeKeyring(ctx, fresh, same))
	if code := failureOf(ErrRolledBack).Code; code != api.CodeServerLied {
		t.Errorf("code %s", code)
	}
}

// ringServer keeps a keyring by compare-and-swap.
type ringServer struct {
	mu       sync.Mutex // guards all below
	revision uint64
	sealed   []byte
	fails    bool
}

func (s *ringServer) Do(_ context.Context, r Request) (Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == methodGet {
		return answer(200, api.Account{Revision: s.revision, Keyring: s.sealed})
	}
	var put api.PutKeyring
	if err := json.Unmarshal(r.Body, &put); err != nil {
		return Response{}, err
	}
	switch {
	case s.fails:
		return refusal(api.CodeUnavailable)
	case put.Revision != s.revision:
		return refusal(api.CodeMoved)
	}
	s.revision, s.sealed = put.Revision+1, put.Keyring
	return Response{Status: 204}, nil
}

// TestFailedUpdateChangesNothing: what the server did not take is not believed here either.
func TestFailedUpdateChangesNothing(t *testing.T) {
	s := &ringServer{revision: 1, fails: true}
	c := signedIn(t, s, newShelf(), wire.ObjectID{1}, testRoot(t))
	c.account.ring = ringOf("one", "two")
	change := func(k *keyring) {
		k.KitSaved = true
		k.Matters[0].Name = "changed"
		k.dropMatter(wire.ChainID{2})
	}
	err := c.updateKeyring(t.Context(), change)
	ring := c.account.ring
	if !hasCode(err, api.CodeUnavailable) || ring.KitSaved || len(ring.Matters) != 2 || ring.Matters[0].Name != "one" || ring.Matters[1].Name != "two" || c.account.revision != 1 {
		t.Fatalf("%v %+v", err, ring)
	}
	s.fails = false
	must(t, c.updateKeyring(t.Context(), change))
	if ring := c.account.ring; !ring.KitSaved || len(ring.Matters) != 1 || ring.Matters[0].Name != "changed" || c.account.revision != 2 {
		t.Fatalf("%+v", ring)
	}
}

// TestTwoDevicesUpdateOneKeyring: neither loses what the other wrote, nor what it wrote itself from two places at once.
func TestTwoDevicesUpdateOneKeyring(t *testing.T) {
	s, root := &ringServer{revision: 1}, testRoot(t)
	devices := []*Client{signedIn(t, s, newShelf(), wire.ObjectID{1}, root), signedIn(t, s, newShelf(), wire.ObjectID{1}, root)}
	sealed, err := devices[0].sealKeyring(devices[0].account, keyring{}, 1)
	must(t, err)
	s.sealed = sealed
	const each, hands = 3, 2
	var wg sync.WaitGroup
	for i, c := range devices {
		for hand := range hands {
			wg.Go(func() {
				for n := 0; n < each; {
					seat := matterSeat{Chain: wire.ChainID{byte(i), byte(hand), byte(n)}}
					err := c.updateKeyring(t.Context(), func(k *keyring) { k.Matters = append(k.Matters, seat) })
					switch {
					case err == nil:
						n++
					case !hasCode(err, api.CodeUnavailable): // the other was faster eight times
						t.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	final := &account{id: wire.ObjectID{1}, root: root}
	must(t, openKeyring(final, s.revision, s.sealed))
	seen := map[wire.ChainID]bool{}
	for _, m := range final.ring.Matters {
		seen[m.Chain] = true
	}
	if want := len(devices) * hands * each; len(final.ring.Matters) != want || len(seen) != want || s.revision != uint64(want)+1 {
		t.Errorf("%d matters, %d of them different, revision %d, want %d", len(final.ring.Matters), len(seen), s.revision, want)
	}
}

func TestRecordsAreBoundToTheirNames(t *testing.T) {
	ctx, d, root := t.Context(), newShelf(), testRoot(t)
	c := signedIn(t, nil, d, wire.ObjectID{1}, root)
	a := c.account
	must(t, c.keep(ctx, a, "chain/1", []byte("one")))
	if got, err := c.record(ctx, a, "chain/1"); err != nil || string(got) != "one" {
		t.Fatalf("%s %v", got, err)
	}
	sealed := d.records[recordName(a, "chain/1")]
	d.records[recordName(a, "chain/2")] = sealed
	other := &account{id: wire.ObjectID{2}, root: root}
	d.records[recordName(other, "chain/1")] = sealed
	bent := slices.Clone(sealed)
	bent[len(bent)/2]++
	d.records[recordName(a, "chain/3")] = bent
	d.records[recordName(a, "chain/4")] = nil
	for name, who := range map[string]*account{"chain/1": other, "chain/2": a, "chain/3": a, "chain/4": a, "chain/5": a} {
		if got, err := c.record(ctx, who, name); !errors.Is(err, ErrAbsent) {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	names, err := c.records(ctx, a, "chain/")
	if want := []string{"chain/1", "chain/2", "chain/3", "chain/4"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("%v %v", names, err)
	}
}

// TestIdentityMustBeTheEnrolledOne: S-CLIENT-04.
func TestIdentityMustBeTheEnrolledOne(t *testing.T) {
	c := signedIn(t, nil, newShelf(), wire.ObjectID{1}, testRoot(t))
	firm := wire.ChainID{9}
	seat, _, err := c.newIdentity(c.account, firm, "Advocate LLP")
	must(t, err)
	seat.identity = nil // as it is after unlocking
	other := *seat
	other.Fingerprint[0]++
	salted := *seat
	salted.Salt[0]++
	for name, bad := range map[string]firmSeat{"fingerprint": other, "salt": salted} {
		c.account.ring.Firms = []firmSeat{bad}
		if a, err := c.author(firm); !errors.Is(err, ErrAccountKeys) || a.Identity != nil || failureOf(err).Code != api.CodeServerLied {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.account.ring.Firms = []firmSeat{*seat}
	if a, err := c.author(firm); err != nil || wire.Hash(a.Identity.Public().Fingerprint()) != seat.Fingerprint {
		t.Error(err)
	}
}

// unlocked is a device and a server that look whether the client holds its lock while it waits for them.
type unlocked struct {
	Device
	Transport
	t *testing.T
	c *Client
}

func (u *unlocked) look() {
	for range 200 {
		if u.c == nil {
			return
		}
		if u.c.mu.TryLock() {
			u.c.mu.Unlock()
			return
		}
		time.Sleep(time.Millisecond) // somebody else's moment
	}
	u.t.Error("the lock is held while a device or a server is waited for")
}

func (u *unlocked) Get(ctx context.Context, name string) ([]byte, error) {
	u.look()
	return u.Device.Get(ctx, name)
}

func (u *unlocked) Put(ctx context.Context, name string, record []byte) error {
	u.look()
	return u.Device.Put(ctx, name, record)
}

func (u *unlocked) Do(ctx context.Context, r Request) (Response, error) {
	u.look()
	return u.Transport.Do(ctx, r)
}

// TestNobodyWaitsWithTheLock: in a browser a device answers by its event loop, which calls back for the headers of a chunk: with the
// lock held by who waits, both would wait for ever.
func TestNobodyWaitsWithTheLock(t *testing.T) {
	s, root := &ringServer{revision: 1}, testRoot(t)
	u := &unlocked{Device: newShelf(), Transport: s, t: t}
	c := signedIn(t, u, u, wire.ObjectID{1}, root)
	sealed, err := c.sealKeyring(c.account, ringOf("one"), 1)
	must(t, err)
	s.sealed, u.c = sealed, c
	must(t, c.refreshAccount(t.Context()))
	must(t, c.updateKeyring(t.Context(), func(k *keyring) { k.KitSaved = true }))
	s.revision++ // another device was faster
	sealed, err = c.sealKeyring(c.account, ringOf("two"), s.revision)
	must(t, err)
	s.sealed = sealed
	must(t, c.updateKeyring(t.Context(), func(k *keyring) { k.KitSaved = true }))
}

package interop

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	f_log "github.com/transparency-dev/formats/log"
	f_note "github.com/transparency-dev/formats/note"
	f_witness "github.com/transparency-dev/formats/witness"

	"golang.org/x/mod/sumdb/note"

	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/server/auth"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/memstore"
	pushing "github.com/underseal/underseal/server/witness"
	"github.com/underseal/underseal/test/interop/witness"
)

// clock is a time that moves when it is told to.
type clock struct {
	mu sync.Mutex // guards t
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// watch is a firm with three witnesses, each of both algorithms and with a clock of its own.
type watch struct {
	*firm
	clock     *clock // the server's
	clocks    []*clock
	witnesses []*witness.Witness
	policy    string
	pusher    *pushing.Pusher
}

// newWatch founds a firm whose quorum is k of three.
func newWatch(t *testing.T, k string) *watch {
	t.Helper()
	w := &watch{clock: &clock{t: time.Unix(1_800_000_000, 0)}}
	var policy, members strings.Builder
	for i := range 3 {
		c := &clock{t: w.clock.now()}
		peer := must[*witness.Witness](t)(witness.New(fmt.Sprintf("witness.example/w%d", i), c.now))
		served := httptest.NewServer(peer)
		t.Cleanup(served.Close)
		w.clocks, w.witnesses = append(w.clocks, c), append(w.witnesses, peer)
		// One witness is two keys: both must be there for it to count.
		fmt.Fprintf(&policy, "witness e%d %s %s\nwitness m%d %s %s\ngroup w%d all e%d m%d\n", i, peer.Ed25519Key(), served.URL, i, peer.MLDSA44Key(), served.URL, i, i, i)
		fmt.Fprintf(&members, " w%d", i)
	}
	fmt.Fprintf(&policy, "group g %s%s\nquorum g\n", k, members.String())
	w.policy = policy.String()
	w.firm = found(t, plan{policy: w.policy})
	for _, peer := range w.witnesses {
		ok(t, peer.AddLog(w.trust.Origin, w.trust.Keys...))
	}
	w.pusher = w.on(w.store, w.log)
	return w
}

func (w *watch) on(s store.Store, l *ledger.Log) *pushing.Pusher {
	return &pushing.Pusher{Store: s, Log: l, Now: w.clock.now, Timeout: 4 * time.Second}
}

// step makes a pass and says of which classes its error has to be.
func (w *watch) step(want ...error) {
	w.t.Helper()
	w.stepOn(w.pusher, want...)
}

func (w *watch) stepOn(p *pushing.Pusher, want ...error) {
	w.t.Helper()
	err := p.Step(context.Background())
	if len(want) == 0 {
		ok(w.t, err)
	}
	for _, class := range []error{pushing.ErrAhead, pushing.ErrAnswer, pushing.ErrAway, pushing.ErrCosignature, pushing.ErrFork, pushing.ErrQuorum, pushing.ErrTime, pushing.ErrUnknown, pushing.ErrURL} {
		wanted := false
		for _, c := range want {
			wanted = wanted || c == class
		}
		if errors.Is(err, class) != wanted {
			w.t.Fatalf("%v: is %q %v, want %v", err, class, !wanted, wanted)
		}
	}
}

// served is the checkpoint that anybody gets.
func (w *watch) served() (status int, signed []byte) {
	w.t.Helper()
	reply, err := http.Get(w.url().String() + "checkpoint")
	ok(w.t, err)
	defer reply.Body.Close()
	b, err := io.ReadAll(reply.Body)
	ok(w.t, err)
	return reply.StatusCode, b
}

// holds verifies, with other people's code, that the checkpoint that anybody gets is of a size, satisfies the policy, and has
// the cosignatures of exactly the witnesses named, of a time.
func (w *watch) holds(size uint64, by map[int]time.Time) {
	w.t.Helper()
	status, signed := w.served()
	if status != 200 {
		w.t.Fatalf("status %d", status)
	}
	b := verifiers(w.t, w.trust.Origin, w.trust.Keys)
	var all []note.Verifier
	for _, peer := range w.witnesses {
		for _, k := range []string{peer.Ed25519Key(), peer.MLDSA44Key()} {
			all = append(all, must[note.Verifier](w.t)(f_note.NewVerifier(k)))
		}
	}
	c, _, n, err := f_log.ParseCheckpoint(signed, w.trust.Origin, b.ed, append(all, b.mldsa)...)
	ok(w.t, err)
	if c.Size != size || len(n.UnverifiedSigs) != 0 || len(n.Sigs) != 2+2*len(by) {
		w.t.Fatalf("%d leaves, %d signatures, %d unknown; want %d leaves, %d signatures", c.Size, len(n.Sigs), len(n.UnverifiedSigs), size, 2+2*len(by))
	}
	for _, s := range n.Sigs {
		var i int
		if _, err := fmt.Sscanf(s.Name, "witness.example/w%d", &i); err != nil {
			continue
		}
		at, err := f_note.CoSigV1Timestamp(s)
		ok(w.t, err)
		if !at.Equal(by[i]) {
			w.t.Fatalf("witness %d signed at %v, want %v", i, at, by[i])
		}
	}
	group, err := f_witness.ParsePolicy([]byte(w.policy))
	ok(w.t, err)
	if !group.Satisfied(signed) {
		w.t.Fatal("other people's reading of the policy is not satisfied")
	}
}

func (w *watch) all(at time.Time) map[int]time.Time {
	return map[int]time.Time{0: at, 1: at, 2: at}
}

// TestFollow: witnesses follow the log as it grows, and what anybody gets is what they cosigned.
func TestFollow(t *testing.T) {
	w := newWatch(t, "all")
	if status, _ := w.served(); status != 404 {
		t.Fatalf("a checkpoint that nobody witnessed is served: %d", status)
	}
	w.step()
	w.holds(5, w.all(w.clock.now()))
	w.open()
	w.holds(5, w.all(w.clock.now())) // what is newer is not served until it is witnessed
	if changed, err := w.pusher.Changed(t.Context()); err != nil || !changed {
		t.Fatalf("it does not see that the log has grown: %v", err)
	}
	w.step()
	if changed, err := w.pusher.Changed(t.Context()); err != nil || changed {
		t.Fatalf("it sees growth where there is none: %v", err)
	}
	w.holds(w.size(), w.all(w.clock.now()))
	for _, size := range []uint64{255, 257, 600} {
		w.growTo(size)
		w.step()
		w.holds(size, w.all(w.clock.now()))
	}
	// Each was asked once for each: the sizes that they cosigned are remembered.
	for _, peer := range w.witnesses {
		if peer.Asked() != 5 {
			t.Errorf("asked %d times", peer.Asked())
		}
	}
	s := w.state(255)
	if s.Witnessed == "" || s.Checkpoint+s.Witnessed[len(s.Checkpoint):] != s.Witnessed {
		t.Error("members are not told of it")
	}
	// Members' software reads the policy as well.
	p := must[*log.Policy](t)(log.ParsePolicy(w.policy))
	cs, err := p.Cosignatures([]byte(s.Witnessed))
	ok(t, err)
	if at, enough := p.WitnessedAt(cs); !enough || at != uint64(w.clock.now().Unix()) {
		t.Errorf("witnessed at %d, %v", at, enough)
	}
	// And whoever checks the whole log, checks it under what was witnessed.
	ok(t, check(verifiers(t, w.trust.Origin, w.trust.Keys), w.fetcher()))
}

// TestFresh: where nothing grows, the witnesses are asked again, and the checkpoint is as fresh as they are.
func TestFresh(t *testing.T) {
	w := newWatch(t, "2")
	w.step()
	first := w.clock.now()
	w.tick(time.Hour)
	w.witnesses[2].Set(witness.Stopped)
	w.step(pushing.ErrAway)
	// The one that is away now signed the same checkpoint an hour ago: that stays true.
	w.holds(5, map[int]time.Time{0: w.clock.now(), 1: w.clock.now(), 2: first})
}

// tick moves all clocks.
func (w *watch) tick(d time.Duration) {
	for _, c := range append(w.clocks, w.clock) {
		c.add(d)
	}
}

// TestForget: a witness that lost its memory, or remembers more than the server remembers of it, says its size and is asked
// from there.
func TestForget(t *testing.T) {
	w := newWatch(t, "all")
	w.step()
	w.growTo(100)
	w.step()
	w.witnesses[0].Forget(w.trust.Origin)
	ok(t, w.store.Update(t.Context(), w.id.String(), func(tx store.Tx) error {
		for _, peer := range must[*log.Policy](t)(log.ParsePolicy(w.policy)).Witnesses[2:4] {
			ok(t, ledger.PutCosigned(tx, peer.URL, 5))
		}
		return nil
	}))
	w.growTo(300)
	w.step()
	w.holds(300, w.all(w.clock.now()))
}

// TestStopped: a witness that never answers costs its cosignature, and where all are needed, what was witnessed before stays.
func TestStopped(t *testing.T) {
	w := newWatch(t, "2")
	w.witnesses[1].Set(witness.Stopped)
	w.step(pushing.ErrAway)
	at := w.clock.now()
	w.holds(5, map[int]time.Time{0: at, 2: at})

	w = newWatch(t, "all")
	w.step()
	_, before := w.served()
	w.growTo(50)
	w.witnesses[1].Set(witness.Stopped)
	w.step(pushing.ErrAway, pushing.ErrQuorum)
	if _, now := w.served(); string(now) != string(before) {
		t.Fatal("what was witnessed is gone")
	}
	w.witnesses[1].Set(witness.Honest)
	w.step()
	w.holds(50, w.all(w.clock.now()))
}

// TestSlow: what two witnesses made enough is kept while the third still has the request.
func TestSlow(t *testing.T) {
	w := newWatch(t, "2")
	w.witnesses[0].Set(witness.Stopped)
	w.pusher.Timeout = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.pusher.Step(ctx) }()
	for i := 0; ; i++ {
		if status, _ := w.served(); status == 200 {
			break
		}
		if i == 500 {
			t.Fatal("the slow one holds the others up")
		}
		time.Sleep(10 * time.Millisecond)
	}
	select {
	case err := <-done:
		t.Fatalf("the pass is over: %v", err)
	default:
	}
	cancel()
	if err := <-done; !errors.Is(err, pushing.ErrAway) {
		t.Fatal(err)
	}
	at := w.clock.now()
	w.holds(5, map[int]time.Time{1: at, 2: at})
}

// TestLying: what a witness makes up counts for nothing, and spoils nothing of the others.
func TestLying(t *testing.T) {
	for _, c := range []struct {
		name string
		mode witness.Mode
		want error
	}{
		{"bad signature", witness.BadSignature, pushing.ErrCosignature},
		{"another log", witness.WrongOrigin, pushing.ErrCosignature},
		{"another size", witness.OtherSize, pushing.ErrCosignature},
		{"another key", witness.Foreign, pushing.ErrCosignature},
		{"an answer without end", witness.Endless, pushing.ErrAnswer},
		{"a size that changes", witness.Restless, pushing.ErrAnswer},
		{"a size that is not there", witness.Boastful, pushing.ErrAhead},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWatch(t, "2")
			w.witnesses[1].Set(c.mode)
			w.step(c.want)
			at := w.clock.now()
			w.holds(5, map[int]time.Time{0: at, 2: at})
			// With the liar needed there is nothing.
			w.growTo(20)
			w.witnesses[2].Set(witness.BadSignature)
			w.step(c.want, pushing.ErrCosignature, pushing.ErrQuorum)
			w.holds(5, map[int]time.Time{0: at, 2: at})
			// One that stops lying is believed again.
			w.witnesses[1].Set(witness.Honest)
			w.step(pushing.ErrCosignature)
			w.holds(20, map[int]time.Time{0: at, 1: at})
		})
	}
}

// TestWrongTime: a cosignature of another time is refused, in either direction: one would look fresh for years, the other
// makes stale what is not. S-WIT-07
func TestWrongTime(t *testing.T) {
	for _, d := range []time.Duration{48 * time.Hour, -48 * time.Hour} {
		w := newWatch(t, "2")
		w.clocks[1].add(d)
		w.step(pushing.ErrTime)
		at := w.clock.now()
		w.holds(5, map[int]time.Time{0: at, 2: at})
	}
}

// TestClock: the server's clock jumps. What was witnessed stays served as it is, nothing of a wrong time is kept, and when
// the clock is right again all goes on.
func TestClock(t *testing.T) {
	w := newWatch(t, "all")
	w.step()
	first := w.clock.now()
	for _, d := range []time.Duration{72 * time.Hour, -144 * time.Hour} {
		w.clock.add(d)
		w.step(pushing.ErrTime, pushing.ErrQuorum)
		w.holds(5, w.all(first))
	}
	w.clock.add(72 * time.Hour)
	w.growTo(30)
	w.step()
	w.holds(30, w.all(first))
	// All clocks go back a little: the same checkpoint does not become older than it was.
	w.tick(-5 * time.Minute)
	w.step()
	w.holds(30, w.all(first))
	w.tick(6 * time.Minute)
	w.step()
	w.holds(30, w.all(first.Add(time.Minute)))
	// All clocks were wrong together, and are put right: what claims the future does not stay for ever.
	w.tick(48 * time.Hour)
	w.step()
	w.tick(-47 * time.Hour)
	w.step()
	w.holds(30, w.all(first.Add(time.Minute+time.Hour)))
}

// copyOf is a copy of the store as it is, under the same keys: what an operator has who puts a backup back, or runs two.
func (w *watch) copyOf() (store.Store, *ledger.Log) {
	w.t.Helper()
	l := ledger.NewLog(w.keys, &ledger.MemoryGuard{})
	to := memstore.New(l.Integrate)
	w.t.Cleanup(func() { to.Close() })
	for _, partition := range must[[]string](w.t)(w.store.Partitions(context.Background())) {
		ok(w.t, w.store.View(context.Background(), partition, func(from store.Tx) error {
			return to.Update(context.Background(), partition, func(tx store.Tx) error {
				return from.Scan(nil, nil, 0, func(k, v []byte) error { return tx.Put(k, v) })
			})
		}))
	}
	return to, l
}

// grow grows a copy by one commit with people in it.
func (w *watch) grow(s store.Store, l *ledger.Log, people int) {
	w.t.Helper()
	ok(w.t, s.Update(context.Background(), w.id.String(), func(tx store.Tx) error {
		for range people {
			bundle, err := chain.NewBundle(newID(w.t), newIdentity(w.t))
			if err != nil {
				return err
			}
			if err := auth.PutMember(tx, l, w.id, newID(w.t), 0, bundle); err != nil {
				return err
			}
		}
		return nil
	}))
}

// TestFork: witnesses cosign one history. A server that was put back to an older copy gets nothing from them, whether it is
// behind them, level with them or past them.
func TestFork(t *testing.T) {
	w := newWatch(t, "2")
	w.step()
	older, l := w.copyOf()
	w.growTo(20)
	w.step()

	forked := w.on(older, l)
	w.stepOn(forked, pushing.ErrAhead, pushing.ErrQuorum)
	w.grow(older, l, 14) // 20 leaves, others
	w.stepOn(forked, pushing.ErrFork, pushing.ErrQuorum)
	w.grow(older, l, 30)
	w.stepOn(forked, pushing.ErrFork, pushing.ErrQuorum)
	ok(t, older.View(t.Context(), w.id.String(), func(tx store.Tx) error {
		b, err := tx.Get(layout.WitnessedKey())
		ok(t, err)
		if c := must[log.Checkpoint](t)(log.Unverified(b)); c.Size != 5 {
			t.Errorf("the fork is witnessed at %d leaves", c.Size)
		}
		return nil
	}))
	// The witnesses are not moved by it.
	for _, peer := range w.witnesses {
		if peer.Size(w.trust.Origin) != 20 {
			t.Errorf("a witness is at %d leaves", peer.Size(w.trust.Origin))
		}
	}
	w.growTo(90)
	w.step()
	w.holds(90, w.all(w.clock.now()))
}

// TestCareless: one witness that cosigns forks is not a quorum of two.
func TestCareless(t *testing.T) {
	w := newWatch(t, "2")
	older, l := w.copyOf()
	w.growTo(20)
	w.step()
	w.witnesses[0].Set(witness.Careless)
	w.grow(older, l, 30)
	w.stepOn(w.on(older, l), pushing.ErrFork, pushing.ErrQuorum)
	ok(t, older.View(t.Context(), w.id.String(), func(tx store.Tx) error {
		if kept, err := layout.Has(tx, layout.WitnessedKey()); err != nil || kept {
			t.Errorf("the fork is witnessed: %v", err)
		}
		return nil
	}))
}

// TestUnknown: a witness that was not told of the log, or was told other keys, is not one that is away.
func TestUnknown(t *testing.T) {
	w := newWatch(t, "2")
	seeds, err := ledger.NewLogSeeds(rand.Reader)
	ok(t, err)
	ok(t, w.witnesses[0].AddLog(w.trust.Origin, seeds.Public(w.trust.Origin).Keys...))
	w.step(pushing.ErrUnknown)
	at := w.clock.now()
	w.holds(5, map[int]time.Time{1: at, 2: at})
}

// TestMonitor: the witness itself serves what it cosigned, so that whoever compares need not ask the server.
func TestMonitor(t *testing.T) {
	w := newWatch(t, "all")
	w.step()
	_, signed := w.served()
	p := must[*log.Policy](t)(log.ParsePolicy(w.policy))
	reply, err := http.Get(p.Witnesses[0].URL + "/" + layout.Hash([]byte(w.trust.Origin)) + "/checkpoint")
	ok(t, err)
	defer reply.Body.Close()
	b, err := io.ReadAll(reply.Body)
	ok(t, err)
	keys := must[*log.Keys](t)(log.ParseKeys(w.trust.Origin, w.trust.Keys))
	theirs, err := keys.Open(b)
	ok(t, err)
	if ours := must[log.Checkpoint](t)(keys.Open(signed)); ours != theirs {
		t.Errorf("%+v and %+v", ours, theirs)
	}
}

// TestPeer: the peer itself refuses what the specification has it refuse, with the statuses that the specification names.
func TestPeer(t *testing.T) {
	w := newWatch(t, "all")
	w.step()
	p := must[*log.Policy](t)(log.ParsePolicy(w.policy))
	signed := w.state(0).Checkpoint
	for _, c := range []struct {
		name, body string
		status     int
	}{
		{"the same again", "old 5\n\n" + signed, 200},
		{"another old size", "old 3\n\n" + signed, 409},
		{"no old size", "\n\n" + signed, 400},
		{"a size of another spelling", "old 05\n\n" + signed, 400},
		{"more than there is", "old 6\n\n" + signed, 400},
		{"another origin", "old 5\n\nx" + signed, 404},
		{"no signature", "old 5\n\n" + signed[:strings.Index(signed, "— ")], 403},
		{"another root", "old 5\n\n" + strings.Replace(signed, "\n5\n", "\n6\n", 1), 403},
		{"a proof too many", "old 5\n" + strings.Repeat("A", 43) + "=\n\n" + signed, 422},
	} {
		reply, err := http.Post(p.Witnesses[0].URL+"/add-checkpoint", "text/plain", strings.NewReader(c.body))
		ok(t, err)
		reply.Body.Close()
		if reply.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", c.name, reply.StatusCode, c.status)
		}
	}
}

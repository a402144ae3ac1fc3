package witness

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/auth"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/memstore"
)

var start = time.Unix(1_800_000_000, 0)

// cosigner is a witness's key, and signs whatever it is handed.
type cosigner struct {
	name string
	key  ed25519.PrivateKey
}

func newCosigner(t testing.TB, name string) cosigner {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	ok(t, err)
	return cosigner{name, key}
}

func (c cosigner) vkey() string {
	return log.VerifierKey(c.name, log.AlgCosigned, c.key.Public().(ed25519.PublicKey))
}

func (c cosigner) sign(text string, at time.Time) string {
	h := sha256.Sum256([]byte(c.name + "\n\x04" + string(c.key.Public().(ed25519.PublicKey))))
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", at.Unix(), text)
	blob := binary.BigEndian.AppendUint64(h[:4:4], uint64(at.Unix()))
	blob = append(blob, ed25519.Sign(c.key, []byte(message))...)
	return "— " + c.name + " " + base64.StdEncoding.EncodeToString(blob) + "\n"
}

// network answers requests without a network, by host.
type network struct {
	mu     sync.Mutex // guards both
	asked  []string   // bodies
	answer map[string]func(r *http.Request, body string) (status int, header, answer string)
}

// RoundTrip implements http.RoundTripper.
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.asked = append(n.asked, string(b))
	answer := n.answer[r.URL.Host]
	n.mu.Unlock()
	if answer == nil {
		return nil, errors.New("no such host")
	}
	status, header, body := answer(r, string(b))
	out := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}
	name, value, _ := strings.Cut(header, ": ")
	out.Header.Set(name, value)
	return out, nil
}

// honest signs the note that the request ends with, without a look at the rest.
func honest(c cosigner) func(*http.Request, string) (int, string, string) {
	return func(_ *http.Request, body string) (int, string, string) {
		_, signed, _ := strings.Cut(body, "\n\n")
		text, _, _ := strings.Cut(signed, "\n\n")
		return 200, "", c.sign(text+"\n", start)
	}
}

func fixed(status int, header, body string) func(*http.Request, string) (int, string, string) {
	return func(*http.Request, string) (int, string, string) { return status, header, body }
}

// first answers the first request, and then as usual.
func first(once, then func(*http.Request, string) (int, string, string)) func(*http.Request, string) (int, string, string) {
	asked := false
	return func(r *http.Request, body string) (int, string, string) {
		if !asked {
			asked = true
			return once(r, body)
		}
		return then(r, body)
	}
}

// world is a store with one firm, and a pusher on a network that is not there.
type world struct {
	t      testing.TB
	store  store.Store
	log    *ledger.Log
	firm   wire.ChainID
	net    *network
	pusher *Pusher
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newWorld(t testing.TB, policy string) *world {
	t.Helper()
	w := &world{t: t, firm: wire.ChainID{1}, net: &network{answer: map[string]func(*http.Request, string) (int, string, string){}}}
	w.log = ledger.NewLog(&ledger.MemoryKeys{Random: rand.Reader}, &ledger.MemoryGuard{})
	w.store = memstore.New(w.log.Integrate)
	t.Cleanup(func() { w.store.Close() })
	w.pusher = &Pusher{Store: w.store, Log: w.log, Client: &http.Client{Transport: w.net}, Now: func() time.Time { return start }, Timeout: time.Second}
	w.found(w.firm, policy)
	return w
}

func (w *world) found(firm wire.ChainID, policy string) {
	w.t.Helper()
	name := firm.String()[:8]
	_, err := w.log.Keys.Make(context.Background(), name)
	ok(w.t, err)
	w.update(firm, func(tx store.Tx) error {
		return layout.Put(tx, layout.FirmKey(), layout.Firm{Log: name, Origin: "localhost/log/" + name, Policy: policy})
	})
	w.grow(firm)
}

func (w *world) update(firm wire.ChainID, fn func(store.Tx) error) {
	w.t.Helper()
	ok(w.t, w.store.Update(context.Background(), firm.String(), fn))
}

// grow adds two leaves.
func (w *world) grow(firm wire.ChainID) {
	w.t.Helper()
	seed, err := keys.GenerateIdentitySeed(rand.Reader)
	ok(w.t, err)
	identity, err := keys.NewIdentity(seed)
	ok(w.t, err)
	member, err := wire.NewObjectID(rand.Reader)
	ok(w.t, err)
	bundle, err := chain.NewBundle(member, identity)
	ok(w.t, err)
	w.update(firm, func(tx store.Tx) error { return auth.PutMember(tx, w.log, firm, member, 0, bundle) })
}

func (w *world) get(firm wire.ChainID, key []byte) (b []byte) {
	w.t.Helper()
	ok(w.t, w.store.View(context.Background(), firm.String(), func(tx store.Tx) (err error) {
		b, err = tx.Get(key)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	}))
	return b
}

func (w *world) newest() string { return string(w.get(w.firm, layout.CheckpointKey())) }

func (w *world) witnessed() string { return string(w.get(w.firm, layout.WitnessedKey())) }

func (w *world) step() error { return w.pusher.Step(context.Background()) }

func textOf(note string) string { return note[:strings.Index(note, "\n\n")+1] }

// TestQuorum: exactly the cosignatures of the policy's witnesses stand under the checkpoint, in its order.
func TestQuorum(t *testing.T) {
	a, b, c := newCosigner(t, "a"), newCosigner(t, "b"), newCosigner(t, "c")
	w := newWorld(t, "witness c "+c.vkey()+" https://c\nwitness a "+a.vkey()+" https://a/prefix\nwitness b "+b.vkey()+"\ngroup g 2 a b c\nquorum g\n")
	stranger := newCosigner(t, "stranger")
	w.net.answer["a"] = func(r *http.Request, body string) (int, string, string) {
		if r.URL.String() != "https://a/prefix/add-checkpoint" || r.Method != "POST" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		_, _, line := honest(a)(r, body)
		_, _, another := honest(stranger)(r, body)
		_, _, others := honest(b)(r, body) // b has no address: nobody vouches for it but itself
		return 200, "", another + line + others + line
	}
	w.net.answer["c"] = honest(c)
	ok(t, w.step())
	text := textOf(w.newest())
	if got, want := w.witnessed(), w.newest()+c.sign(text, start)+a.sign(text, start); got != want {
		t.Fatalf("got %s\nwant %s", got, want)
	}
	for _, asked := range w.net.asked {
		if asked != "old 0\n\n"+w.newest() {
			t.Errorf("asked with %q", asked)
		}
	}
	// A witness is asked from the size that it cosigned.
	w.grow(w.firm)
	w.net.asked = nil
	ok(t, w.step())
	for _, asked := range w.net.asked {
		if !strings.HasPrefix(asked, "old 2\n") || strings.HasPrefix(asked, "old 2\n\n") || !strings.HasSuffix(asked, "\n\n"+w.newest()) {
			t.Errorf("asked with %q", asked)
		}
	}
	// And from the same size for the same checkpoint, with no proof.
	w.net.asked = nil
	ok(t, w.step())
	if len(w.net.asked) != 2 || w.net.asked[0] != "old 4\n\n"+w.newest() {
		t.Errorf("asked with %q", w.net.asked)
	}
}

// TestAhead: what is remembered of a witness is a hint. Where it cannot be true, the witness is asked from nothing.
func TestAhead(t *testing.T) {
	a := newCosigner(t, "a")
	w := newWorld(t, "witness a "+a.vkey()+" https://a\nquorum a\n")
	w.net.answer["a"] = honest(a)
	w.update(w.firm, func(tx store.Tx) error { return ledger.PutCosigned(tx, "https://a", 100) })
	ok(t, w.step())
	if len(w.net.asked) != 1 || !strings.HasPrefix(w.net.asked[0], "old 0\n\n") || w.witnessed() == "" {
		t.Errorf("asked with %q", w.net.asked)
	}
}

// TestNobody: a policy without a quorum makes every checkpoint served, a firm without a policy is nobody's to witness, and
// one without a log has nothing to be witnessed.
func TestNobody(t *testing.T) {
	w := newWorld(t, "quorum none\n")
	w.found(wire.ChainID{2}, "")
	w.update(wire.ChainID{3}, func(tx store.Tx) error {
		return layout.Put(tx, layout.FirmKey(), layout.Firm{Log: "x", Origin: "localhost/log/x", Policy: "quorum none\n"})
	})
	ok(t, w.step())
	if w.witnessed() != w.newest() {
		t.Error("a policy that asks for nothing is not satisfied")
	}
	if w.get(wire.ChainID{2}, layout.WitnessedKey()) != nil || w.get(wire.ChainID{3}, layout.WitnessedKey()) != nil {
		t.Error("something is witnessed that is not")
	}
	if changed, err := w.pusher.Changed(t.Context()); changed || err != nil {
		t.Errorf("%v %v", changed, err)
	}
}

// TestFirms: a firm whose witness is away, or whose rows are damaged, does not cost another firm its own.
func TestFirms(t *testing.T) {
	a := newCosigner(t, "a")
	w := newWorld(t, "witness a "+a.vkey()+" https://a\nquorum a\n")
	w.net.answer["a"] = honest(a)
	for i := range 2 * maxFirms {
		away := newCosigner(t, "away")
		w.found(wire.ChainID{0, byte(i + 1)}, "witness away "+away.vkey()+" https://away\nquorum away\n")
	}
	w.update(wire.ChainID{}, func(tx store.Tx) error { return tx.Put(layout.FirmKey(), []byte("{")) })
	if err := w.step(); !errors.Is(err, ErrAway) || !errors.Is(err, ErrQuorum) {
		t.Fatal(err)
	}
	if w.witnessed() == "" {
		t.Error("it has none")
	}
}

// TestAnswers: each answer has its class, and none but a good cosignature is kept.
func TestAnswers(t *testing.T) {
	a := newCosigner(t, "a")
	other := newCosigner(t, "a")
	for _, c := range []struct {
		name   string
		answer func(*http.Request, string) (int, string, string)
		want   error
	}{
		{"nothing", fixed(200, "", ""), ErrAnswer},
		{"no newline", func(r *http.Request, body string) (int, string, string) {
			_, _, line := honest(a)(r, body)
			return 200, "", strings.TrimSuffix(line, "\n")
		}, ErrAnswer},
		{"a page", fixed(200, "", "<html>\n"), ErrCosignature},
		{"another key of its name", honest(other), ErrCosignature},
		{"a bad one before a good one", func(r *http.Request, body string) (int, string, string) {
			_, _, line := honest(a)(r, body)
			return 200, "", a.sign("another\n", start) + line
		}, ErrCosignature},
		{"another note", func(r *http.Request, body string) (int, string, string) {
			return 200, "", a.sign("localhost/log/x\n1\nAAAA\n", start)
		}, ErrCosignature},
		{"time zero", func(r *http.Request, body string) (int, string, string) {
			_, signed, _ := strings.Cut(body, "\n\n")
			return 200, "", a.sign(textOf(signed), time.Unix(0, 0))
		}, ErrTime},
		{"a time to come", func(r *http.Request, body string) (int, string, string) {
			_, signed, _ := strings.Cut(body, "\n\n")
			return 200, "", a.sign(textOf(signed), start.Add(MaxSkew+time.Second))
		}, ErrTime},
		{"a time past", func(r *http.Request, body string) (int, string, string) {
			_, signed, _ := strings.Cut(body, "\n\n")
			return 200, "", a.sign(textOf(signed), start.Add(-MaxSkew-time.Second))
		}, ErrTime},
		{"too many lines", func(r *http.Request, body string) (int, string, string) {
			_, signed, _ := strings.Cut(body, "\n\n")
			_, _, line := honest(a)(r, body)
			return 200, "", strings.Repeat(newCosigner(t, "b").sign(textOf(signed), start), maxLines) + line
		}, ErrAnswer},
		{"too long", fixed(200, "", strings.Repeat("x", maxAnswer+1)), ErrAnswer},
		{"a little too long", func(r *http.Request, body string) (int, string, string) {
			_, _, line := honest(a)(r, body)
			rest := maxAnswer + 1 - len(line) - len("—  \n")
			name := strings.Repeat("b", 4+rest%4)
			return 200, "", line + "— " + name + " " + strings.Repeat("A", rest-len(name)) + "\n"
		}, ErrAnswer},
		{"conflict with nothing", fixed(409, "Content-Type: "+typeSize, ""), ErrAnswer},
		{"conflict without its type", first(fixed(409, "Content-Type: text/plain", "1\n"), honest(a)), ErrAnswer},
		{"conflict with another spelling", first(fixed(409, "Content-Type: "+typeSize, "01\n"), honest(a)), ErrAnswer},
		{"conflict about what was asked", first(fixed(409, "Content-Type: "+typeSize, "0\n"), honest(a)), ErrAnswer},
		{"conflict about more than there is", fixed(409, "Content-Type: "+typeSize, "3\n"), ErrAhead},
		{"conflict without end", func(r *http.Request, body string) (int, string, string) {
			if strings.HasPrefix(body, "old 1\n") {
				return 409, "Content-Type: " + typeSize, "2\n"
			}
			return 409, "Content-Type: " + typeSize, "1\n"
		}, ErrAnswer},
		{"elsewhere", fixed(307, "Location: https://b/add-checkpoint", ""), ErrAnswer},
		{"not found", fixed(404, "", ""), ErrUnknown},
		{"forbidden", fixed(403, "", ""), ErrUnknown},
		{"a fork", fixed(422, "", ""), ErrFork},
		{"bad request", fixed(400, "", ""), ErrAnswer},
		{"busy", fixed(429, "", ""), ErrAway},
		{"broken", fixed(502, "", ""), ErrAway},
		{"nobody", nil, ErrAway},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "witness a "+a.vkey()+" https://a\nquorum a\n")
			w.net.answer["a"], w.net.answer["b"] = c.answer, honest(a)
			err := w.step()
			for _, class := range []error{ErrAhead, ErrAnswer, ErrAway, ErrCosignature, ErrFork, ErrTime, ErrUnknown, ErrURL} {
				if errors.Is(err, class) != (class == c.want) {
					t.Errorf("%v: is %q %v", err, class, errors.Is(err, class))
				}
			}
			if !errors.Is(err, ErrQuorum) || w.witnessed() != "" {
				t.Errorf("witnessed: %v", err)
			}
			if len(w.net.asked) > maxTries {
				t.Errorf("asked %d times", len(w.net.asked))
			}
			w.net.answer["a"] = honest(a)
			ok(t, w.step())
			if w.witnessed() == "" {
				t.Error("one that answers again is not believed")
			}
		})
	}
}

// failing is a guard whose disk is full.
type failing struct{ ledger.MemoryGuard }

var errFull = errors.New("full")

// Raise implements ledger.Guard.
func (*failing) Raise(context.Context, string, ledger.Signed) error { return errFull }

// TestGuard: a checkpoint that could not be remembered outside the store does not leave (attack 72). S-WIT-04
func TestGuard(t *testing.T) {
	a := newCosigner(t, "a")
	w := newWorld(t, "witness a "+a.vkey()+" https://a\nquorum a\n")
	w.net.answer["a"] = honest(a)
	w.log.Guard = &failing{}
	if err := w.step(); !errors.Is(err, errFull) || len(w.net.asked) != 0 {
		t.Fatalf("asked %d times: %v", len(w.net.asked), err)
	}
}

// TestPutWitnessed: the witnessed checkpoint never becomes smaller, and never one that the log did not sign. S-WIT-05
func TestPutWitnessed(t *testing.T) {
	w := newWorld(t, "quorum none\n")
	small := []byte(w.newest())
	w.grow(w.firm)
	large := []byte(w.newest())
	put := func(note []byte) error {
		return w.store.Update(t.Context(), w.firm.String(), func(tx store.Tx) error { return ledger.PutWitnessed(tx, note) })
	}
	other := newWorld(t, "quorum none\n")
	for name, note := range map[string][]byte{
		"another history": []byte(other.newest()),
		"another log":     bytes.Replace(small, []byte("localhost/log/"), []byte("localhost/tree/"), 1),
		"more than it is": bytes.Replace(large, []byte("\n4\n"), []byte("\n6\n"), 1),
		"nothing":         nil,
	} {
		if err := put(note); !errors.Is(err, ledger.ErrWitnessed) && !errors.Is(err, log.ErrCheckpoint) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ok(t, put(small))
	ok(t, put(large))
	ok(t, put(small))
	if w.witnessed() != string(large) {
		t.Error("it became smaller")
	}
}

// TestURL: nothing is sent in the clear over a network, and nothing but to where the policy says. S-WIT-06
func TestURL(t *testing.T) {
	a := newCosigner(t, "a")
	for url, good := range map[string]bool{
		"https://w.example": true, "https://w.example:8443/a/b/": true, "http://localhost:1": true, "http://127.0.0.1:1/x": true, "http://[::1]:1": true,
		"http://w.example": false, "http://10.0.0.1": false, "http://localhost.example": false, "ftp://localhost": false, "w.example": false, "//w.example": false,
		"https://user:word@w.example": false, "https://w.example?x": false, "https://w.example#x": false, "https://": false, "http://0.0.0.0": false, "https://%zz": false,
	} {
		policy := "witness a " + a.vkey() + " " + url + "\nquorum a\n"
		if err := CheckPolicy(policy); (err == nil) != good || err != nil && !errors.Is(err, ErrURL) {
			t.Errorf("%s: %v", url, err)
		}
		if good {
			continue
		}
		w := newWorld(t, policy)
		if err := w.step(); !errors.Is(err, ErrURL) || len(w.net.asked) != 0 {
			t.Errorf("%s: asked %d times: %v", url, len(w.net.asked), err)
		}
	}
	if err := CheckPolicy("quorum nobody\n"); !errors.Is(err, log.ErrPolicy) {
		t.Error(err)
	}
}

// TestRoom: no more lines are kept than who reads a note takes.
func TestRoom(t *testing.T) {
	var policy strings.Builder
	w := newWorld(t, "")
	for i := range maxLines {
		c := newCosigner(t, fmt.Sprint("w", i))
		fmt.Fprintf(&policy, "witness %s %s https://%s\n", c.name, c.vkey(), c.name)
		w.net.answer[c.name] = honest(c)
	}
	policy.WriteString("quorum w0\n")
	w.update(w.firm, func(tx store.Tx) error {
		return layout.Put(tx, layout.FirmKey(), layout.Firm{Log: w.firm.String()[:8], Origin: "localhost/log/" + w.firm.String()[:8], Policy: policy.String()})
	})
	ok(t, w.step())
	p, err := log.ParsePolicy(policy.String())
	ok(t, err)
	cs, err := p.Cosignatures([]byte(w.witnessed()))
	if err != nil || len(cs) != maxLines-2 {
		t.Fatalf("%d cosignatures: %v", len(cs), err)
	}
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"0\n", "1\n", "01\n", "1", "", "18446744073709551615\n", "18446744073709551616\n", "+1\n", "1\n\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if size, err := parseSize(s); err == nil && fmt.Sprintf("%d\n", size) != s {
			t.Errorf("%q is %d", s, size)
		}
	})
}

// FuzzAnswer: whatever a witness answers, what is kept of it is good on its own.
func FuzzAnswer(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	a := cosigner{"a", key}
	signer, err := log.NewSigner("localhost/log/x", [32]byte{1}, [32]byte{2})
	ok(f, err)
	note, err := signer.Sign(log.Checkpoint{Origin: "localhost/log/x", Size: 1, Root: wire.Hash{1}})
	ok(f, err)
	policy, err := log.ParsePolicy("witness a " + a.vkey() + " https://a\nquorum a\n")
	ok(f, err)
	good := a.sign(textOf(string(note)), start)
	for _, s := range []string{good, good + good, "\n" + good, good + "— a AAAAAAAA\n", "— b AAAAAAAAAA==\n" + good, "x", "", good[:40] + "\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		lines, err := cosignatures(policy, note, s)
		if err != nil {
			return
		}
		for _, l := range lines {
			if l.text != good || l.Witness != "a" {
				t.Errorf("%q is kept", l.text)
			}
		}
	})
}

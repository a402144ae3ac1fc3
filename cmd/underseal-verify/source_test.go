package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/protocol/log"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// bend changes a file of a copy; nil removes it.
func bend(t testing.TB, name string, f func(b []byte) []byte) {
	t.Helper()
	b := f(read(t, name))
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if b != nil {
		put(t, filepath.Dir(name), filepath.Base(name), b)
	}
}

func flip(i int) func([]byte) []byte {
	return func(b []byte) []byte { b[(i+len(b))%len(b)] ^= 1; return b }
}

const leafInBundle = 2 + log.LeafSize

// TestShownLies: a log, or a copy of it, that shows something else than was signed.
func TestShownLies(t *testing.T) {
	s, stranger := newSigner(t, origin, 1), newSigner(t, origin, 2)
	p := policy(t, s, "")
	leaves, _ := honest(600)
	other := slices.Clone(leaves)
	other[2].Commit[0] ^= 1
	notSigned, withheld := "What is shown here is not what the log signed.", "This copy of the log is not complete."
	for _, tt := range []struct {
		name, path string
		lie        func([]byte) []byte
		code       int
		says       string
	}{
		{"a forged leaf", "tile/entries/001", flip(5*leafInBundle + 50), exitRefuted, notSigned},
		{"a forged last leaf", "tile/entries/002.p/88", flip(-1), exitRefuted, notSigned},
		{"a dropped leaf", "tile/entries/001", func(b []byte) []byte { return slices.Delete(b, leafInBundle, 2*leafInBundle) }, exitRefuted, notSigned},
		{"a dropped last leaf", "tile/entries/002.p/88", func(b []byte) []byte { return b[:len(b)-leafInBundle] }, exitRefuted, notSigned},
		{"two swapped", "tile/entries/001", func(b []byte) []byte {
			return append(append(slices.Clone(b[leafInBundle:2*leafInBundle]), b[:leafInBundle]...), b[2*leafInBundle:]...)
		}, exitRefuted, notSigned},
		{"a leaf of another place", "tile/entries/001", func(b []byte) []byte { copy(b, b[leafInBundle:2*leafInBundle]); return b }, exitRefuted, notSigned},
		{"a cut bundle", "tile/entries/001", func(b []byte) []byte { return b[:len(b)-1] }, exitRefuted, notSigned},
		{"a byte behind a bundle", "tile/entries/001", func(b []byte) []byte { return append(b, 0) }, exitRefuted, notSigned},
		{"a leaf behind a bundle", "tile/entries/002.p/88", func(b []byte) []byte { return append(b, b[:leafInBundle]...) }, exitRefuted, notSigned},
		{"an empty bundle", "tile/entries/001", func([]byte) []byte { return []byte{} }, exitRefuted, notSigned},
		{"an unknown type of leaf", "tile/entries/001", flip(2), exitRefuted, notSigned},
		{"a partial tile", "tile/0/002.p/88", flip(40), exitRefuted, notSigned},
		{"a full tile", "tile/0/000", flip(-1), exitRefuted, notSigned},
		{"a partial tile above", "tile/1/000.p/2", flip(0), exitRefuted, notSigned},
		{"a byte behind a tile", "tile/0/000", func(b []byte) []byte { return append(b, 0) }, exitRefuted, notSigned},
		{"no bundle", "tile/entries/001", func([]byte) []byte { return nil }, exitUndecided, withheld},
		{"no tile", "tile/0/001", func([]byte) []byte { return nil }, exitUndecided, withheld},
		{"no checkpoint", "checkpoint", func([]byte) []byte { return nil }, exitUndecided, "There is no log here"},
		{"another root", "checkpoint", func([]byte) []byte { _, c := tree(other); return must(s.Sign(c)) }, exitRefuted, notSigned},
		{"an empty checkpoint", "checkpoint", func([]byte) []byte { return []byte{} }, exitRefuted, "is damaged"},
		{"a changed size", "checkpoint", func(b []byte) []byte { return bytes.Replace(b, []byte("\n600\n"), []byte("\n599\n"), 1) }, exitRefuted, "does not carry both signatures"},
		{"one signature", "checkpoint", func(b []byte) []byte { return must(log.Carried(b)) }, exitRefuted, "does not carry both signatures"},
		{"the other signature", "checkpoint", func(b []byte) []byte {
			lines := strings.SplitAfter(string(b), "\n")
			return []byte(strings.Join(slices.Delete(lines, 4, 5), ""))
		}, exitRefuted, "does not carry both signatures"},
		{"another's keys", "checkpoint", func([]byte) []byte { _, c := tree(leaves); return must(stranger.Sign(c)) }, exitRefuted, "does not carry both signatures"},
		{"another log", "checkpoint", func([]byte) []byte {
			_, c := tree(leaves)
			c.Origin = "log.example/log/other"
			return must(newSigner(t, c.Origin, 1).Sign(c))
		}, exitRefuted, "is another log's"},
		{"a long checkpoint", "checkpoint", func([]byte) []byte { return make([]byte, log.MaxNoteSize+1) }, exitRefuted, notSigned},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := publish(t, leaves, s)
			bend(t, filepath.Join(dir, tt.path), tt.lie)
			want(t, tt.code, tt.says, "log", dir, "--policy", p)
		})
	}
}

// TestFolder: a copy that somebody made leads nowhere else. S-VERIFY-05
func TestFolder(t *testing.T) {
	s := newSigner(t, origin, 1)
	p := policy(t, s, "")
	leaves, _ := honest(300)
	for _, name := range []string{"checkpoint", "tile", "tile/0", "tile/0/000", "tile/entries/001.p"} {
		dir, outside := publish(t, leaves, s), t.TempDir()
		moved := filepath.Join(outside, "moved")
		if err := os.Rename(filepath.Join(dir, name), moved); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(moved, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		want(t, exitUndecided, "links are not followed", "log", dir, "--policy", p)
		// Within the folder as well: a link is not what a copy has.
		inside := filepath.Join(dir, "moved")
		if err := os.Rename(moved, inside); err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(filepath.Join(dir, name))
		if err := os.Symlink(inside, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		want(t, exitUndecided, "links are not followed", "log", dir, "--policy", p)
	}
	root := must(os.OpenRoot(publish(t, leaves, s)))
	for _, name := range []string{"../x", "/etc/passwd", "tile/../checkpoint", "tile//0/000", "", "checkpoint/", "notes.txt"} {
		if b, err := (folder{root}).Read(t.Context(), name); err != log.ErrNoTile {
			t.Errorf("%q: %d bytes, %v", name, len(b), err)
		}
	}
	want(t, exitUsage, "no such file", "log", filepath.Join(t.TempDir(), "none"), "--policy", p)
}

// TestEarlier: a log must extend what was kept of it. S-VERIFY-04
func TestEarlier(t *testing.T) {
	s, stranger := newSigner(t, origin, 1), newSigner(t, origin, 2)
	p := policy(t, s, "")
	all, _ := honest(700)
	_, early := tree(all[:301])
	other, _ := honest(735)
	other = rebooked(slices.Delete(other, 2, 3))
	dir, rewritten := publish(t, all, s), publish(t, other, s)
	shorter := publish(t, all[:294], s) // whole commits have seven leaves
	from := file(t, must(s.Sign(early)))
	want(t, exitVerified, "It begins with the 301 entries", "log", dir, "--policy", p, "--from", from)
	want(t, exitRefuted, "shorter than it was, by 7", "log", served(t, shorter), "--policy", p, "--from", from)
	want(t, exitUndecided, "is older than "+from+", by 7 entries", "log", shorter, "--policy", p, "--from", from)
	want(t, exitRefuted, "The log was rewritten", "log", rewritten, "--policy", p, "--from", from)
	want(t, exitUsage, "is no checkpoint of this log", "log", dir, "--policy", p, "--from", file(t, must(stranger.Sign(early))))
	want(t, exitUsage, "is no checkpoint of this log", "log", dir, "--policy", p, "--from", file(t, must(log.Carried(must(s.Sign(early))))))
	want(t, exitUsage, "no such file", "log", dir, "--policy", p, "--from", filepath.Join(t.TempDir(), "none"))

	save := filepath.Join(t.TempDir(), "kept")
	want(t, exitVerified, "All 294", "log", shorter, "--policy", p, "--save", save)
	want(t, exitVerified, "It begins with the 294 entries", "log", dir, "--policy", p, "--save", save)
	if !bytes.Equal(read(t, save), read(t, filepath.Join(dir, "checkpoint"))) {
		t.Error("the newest checkpoint was not kept")
	}
	want(t, exitRefuted, "The log is shorter", "log", served(t, shorter), "--policy", p, "--save", save)
	want(t, exitUndecided, "is older than", "log", shorter, "--policy", p, "--save", save)
	if !bytes.Equal(read(t, save), read(t, filepath.Join(dir, "checkpoint"))) {
		t.Error("a checkpoint was replaced by an older one")
	}
	proof := filepath.Join(t.TempDir(), "proof")
	want(t, exitRefuted, "The proof is in "+proof, "log", rewritten, "--policy", p, "--save", save, "--evidence", proof)
	if !bytes.Equal(read(t, save), read(t, filepath.Join(dir, "checkpoint"))) {
		t.Error("a checkpoint was replaced by one that does not extend it")
	}
	// What it wrote stands on its own.
	want(t, exitUndecided, "The file alone does not decide it", "evidence", proof, "--policy", p)
	want(t, exitVerified, "The log lied", "evidence", proof, "--policy", p, "--log", rewritten)
	same := slices.Clone(all)
	same[2].Commit[0] ^= 1
	same = rebooked(same)
	want(t, exitRefuted, "The log was rewritten", "log", publish(t, same, s), "--policy", p, "--save", save, "--evidence", proof)
	want(t, exitVerified, "two different histories of the same length", "evidence", proof, "--policy", p)
	want(t, exitRefuted, "proves nothing against this log", "evidence", proof, "--policy", policy(t, stranger, ""))
	// A log that breaks its rules is not kept.
	broken := slices.Clone(all)
	broken[6].Commit[0] ^= 1
	unsaved := filepath.Join(t.TempDir(), "kept")
	want(t, exitRefuted, "register", "log", publish(t, broken, s), "--policy", p, "--save", unsaved)
	if _, err := os.Stat(unsaved); err == nil {
		t.Error("the checkpoint of a false log was kept")
	}
}

// witness cosigns with Ed25519 (c2sp.org/tlog-cosignature).
func witness(seed byte) (vkey string, cosign func(note []byte, at uint64) string) {
	name := fmt.Sprintf("w%d.example", seed)
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))
	vkey = log.VerifierKey(name, log.AlgCosigned, key.Public().(ed25519.PublicKey))
	return vkey, func(note []byte, at uint64) string {
		text, _, _ := bytes.Cut(note, []byte("\n\n"))
		sig := ed25519.Sign(key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s\n", at, text))
		id := must(hex.DecodeString(strings.Split(vkey, "+")[1]))
		blob := append(append(id, binary.BigEndian.AppendUint64(nil, at)...), sig...)
		return "— " + name + " " + base64.StdEncoding.EncodeToString(blob) + "\n"
	}
}

func TestWitnesses(t *testing.T) {
	s := newSigner(t, origin, 1)
	k1, w1 := witness(1)
	k2, w2 := witness(2)
	leaves, _ := honest(20)
	two := policy(t, s, "witness a "+k1+"\nwitness b "+k2+"\ngroup g all a b\nquorum g\n")
	one := policy(t, s, "witness a "+k1+"\nwitness b "+k2+"\ngroup g any a b\nquorum g\n")
	dir := publish(t, leaves, s)
	note := filepath.Join(dir, "checkpoint")
	bare := read(t, note)
	want(t, exitRefuted, "Fewer witnesses vouch", "log", dir, "--policy", two)
	put(t, dir, "checkpoint", append(slices.Clone(bare), w1(bare, 1700000000)...))
	want(t, exitRefuted, "Fewer witnesses vouch", "log", dir, "--policy", two)
	want(t, exitVerified, "as of 2023-11-14T22:13:20Z", "log", dir, "--policy", one)
	put(t, dir, "checkpoint", append(slices.Clone(bare), w1(bare, 1700000000)+w2(bare, 1600000000)...))
	want(t, exitVerified, "as of 2020-09-13T12:26:40Z", "log", dir, "--policy", two)
	put(t, dir, "checkpoint", append(slices.Clone(bare), w1(bare, 1700000000)+w2([]byte("other\n1\n\n\n"), 1600000000)...))
	want(t, exitRefuted, "The signature of a witness", "log", dir, "--policy", two)
	want(t, exitVerified, "All 20", "log", dir, "--policy", policy(t, s, ""))
}

// TestWitnessLag: the public log is what witnesses saw, and a person's files are of what the log signed last. That is no lie.
func TestWitnessLag(t *testing.T) {
	s := newSigner(t, origin, 1)
	vkey, cosign := witness(1)
	witnessed, alone := policy(t, s, "witness w "+vkey+"\nquorum w\n"), policy(t, s, "")
	show := func(leaves []log.Leaf) string {
		dir := publish(t, leaves, s)
		note := read(t, filepath.Join(dir, "checkpoint"))
		put(t, dir, "checkpoint", append(note, cosign(note, 1700000000)...))
		return dir
	}
	leaves, m := honest(700)
	_, c := tree(leaves)
	kept := file(t, must(s.Sign(c)))
	older, then := honest(581) // witnessed
	dir := show(older)
	at := served(t, dir)
	want(t, exitVerified, "All 581", "log", at, "--policy", witnessed)
	want(t, exitUndecided, "by 119 entries", "log", at, "--policy", witnessed, "--from", kept)
	want(t, exitUndecided, "by 119 entries", "log", dir, "--policy", alone, "--from", kept)
	want(t, exitRefuted, "shorter than it was, by 119", "log", at, "--policy", alone, "--from", kept)

	// Link keys of an epoch that began after what was witnessed.
	links := m.links
	links.Epochs = []log.EpochLinks{links.Epochs[0], {Epoch: 2, StateFrom: m.next[1], TrailFrom: m.next[2], StateHead: m.head[1], TrailHead: m.head[2]}}
	keys := file(t, links.Format())
	ends := fmt.Sprintf("ends before these keys do, at position %d of the matter's state", then.next[1])
	want(t, exitUndecided, ends, "matter", at, "--policy", witnessed, "--keys", keys)
	want(t, exitUndecided, ends, "matter", dir, "--policy", alone, "--keys", keys)
	want(t, exitRefuted, "is missing from the log", "matter", at, "--policy", alone, "--keys", keys)
	want(t, exitVerified, "as far as these keys reach: epoch 2.", "matter", served(t, show(leaves)), "--policy", witnessed, "--keys", keys)
	want(t, exitVerified, "as far as these keys reach: epoch 1.", "matter", at, "--policy", witnessed, "--keys", file(t, m.links.Format()))
	// What is missing before something that is there is a lie, whoever shows it; also where only a later epoch has it.
	gap := slices.Clone(older)
	i := slices.IndexFunc(gap, func(l log.Leaf) bool { return l.Tag == m.links.Epochs[0].State.Tag(m.links.Chain, log.TypeState, 5) })
	gap = rebooked(slices.Delete(gap, i, i+1))
	want(t, exitRefuted, "position 5 of its state", "matter", served(t, show(gap)), "--policy", witnessed, "--keys", keys)
	next := log.NewLeaf(links.Chain, log.TypeState, links.Epochs[1].State, m.next[1], m.head[1], m.head[1])
	gap = rebooked(append(slices.Clone(older[:len(older)-1]), next, older[len(older)-1]))
	want(t, exitRefuted, "is missing from the log", "matter", served(t, show(gap)), "--policy", witnessed, "--keys", keys)
}

// TestWebPage: a proxy's page in the place of a log says nothing of the log.
func TestWebPage(t *testing.T) {
	s := newSigner(t, origin, 1)
	p := policy(t, s, "")
	leaves, _ := honest(600)
	files := http.FileServer(http.Dir(publish(t, leaves, s)))
	for _, name := range []string{"checkpoint", "tile/entries/001", "tile/0/000"} {
		for _, kind := range []string{"text/html; charset=utf-8", "application/octet-stream", "text/plain"} {
			at := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasSuffix(r.URL.Path, name) {
					files.ServeHTTP(w, r)
					return
				}
				w.Header().Set("Content-Type", kind)
				fmt.Fprint(w, "\n<!DOCTYPE html><html>Please sign in."+strings.Repeat("<br>", 5000))
			}))
			want(t, exitUndecided, "is a web page", "log", at, "--policy", p)
		}
	}
}

// served is a folder as its server shows it.
func served(t testing.TB, dir string) string {
	t.Helper()
	return serve(t, http.FileServer(http.Dir(dir)))
}

func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

// TestWeb: what a server can do wrong.
func TestWeb(t *testing.T) {
	s := newSigner(t, origin, 1)
	p := policy(t, s, "")
	leaves, m := honest(600)
	dir := publish(t, leaves, s)
	files := http.StripPrefix("/log/firm/", http.FileServer(http.Dir(dir)))
	at := serve(t, files) + "/log/firm"
	want(t, exitVerified, "All 600", "log", at, "--policy", p)
	want(t, exitVerified, "All 600", "log", at+"/", "--policy", p)
	want(t, exitVerified, "Nothing is missing", "matter", at, "--policy", p, "--keys", file(t, m.links.Format()))

	want(t, exitUndecided, "no checkpoint is found", "log", at+"/elsewhere", "--policy", p)
	bent := func(f func(w http.ResponseWriter, r *http.Request) bool) string {
		return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !f(w, r) {
				files.ServeHTTP(w, r)
			}
		})) + "/log/firm"
	}
	want(t, exitRefuted, "withheld or gone", "log", bent(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/entries/001") {
			return false
		}
		http.NotFound(w, r)
		return true
	}), "--policy", p)
	for _, name := range []string{"/checkpoint", "/entries/001", "/0/001"} {
		want(t, exitRefuted, "has more than", "log", bent(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, name) {
				return false
			}
			for { // without an end
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return true
				}
			}
		}), "--policy", p)
	}
	// A redirect leads nowhere else, and a token goes nowhere else.
	elsewhere := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Error("asked elsewhere, with", r.Header) }))
	sent := 0
	want(t, exitUndecided, "another address", "log", bent(func(w http.ResponseWriter, r *http.Request) bool {
		sent++
		http.Redirect(w, r, elsewhere+r.URL.Path, http.StatusFound)
		return true
	}), "--policy", p, "--token", "secret")
	want(t, exitVerified, "All 600", "log", bent(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.RawQuery != "" || !strings.HasSuffix(r.URL.Path, "checkpoint") {
			return false
		}
		http.Redirect(w, r, r.URL.Path+"?here", http.StatusFound)
		return true
	}), "--policy", p)
	if sent != 1 {
		t.Errorf("asked %d times, of a server that sends elsewhere", sent)
	}
	https := must(newWebSource("https://log.example/log", "secret"))
	for to, refused := range map[string]bool{"https://log.example/other": false, "http://log.example/log": true, "https://other.example/log": true, "https://log.example:8443/log": true} {
		asked, next := must(http.NewRequest("GET", "https://log.example/log", nil)), must(http.NewRequest("GET", to, nil))
		if err := https.client.CheckRedirect(next, []*http.Request{asked}); (err != nil) != refused {
			t.Errorf("sent to %s: %v", to, err)
		}
		if err := https.client.CheckRedirect(next, []*http.Request{asked, asked, asked, asked}); err == nil {
			t.Error("sent around without an end")
		}
	}
	// Tokens.
	guarded := bent(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == "Bearer secret" {
			return false
		}
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	want(t, exitUndecided, "asks for a token", "log", guarded, "--policy", p)
	want(t, exitVerified, "All 600", "log", guarded, "--policy", p, "--token", "secret")
	t.Setenv("UNDERSEAL_LOG_TOKEN", "secret")
	want(t, exitVerified, "All 600", "log", guarded, "--policy", p)
	want(t, exitUsage, "only sent through https", "log", "http://log.example/log/firm", "--policy", p)
	t.Setenv("UNDERSEAL_LOG_TOKEN", "")
	// A server that stumbles is asked again; one that is away decides nothing.
	var mu sync.Mutex
	stumbled := map[string]bool{}
	want(t, exitVerified, "All 600", "log", bent(func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if stumbled[r.URL.Path] || !strings.HasSuffix(r.URL.Path, "1") {
			return false
		}
		stumbled[r.URL.Path] = true
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}), "--policy", p)
	want(t, exitUndecided, "the server answers 418", "log", bent(func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusTeapot)
		return true
	}), "--policy", p)
	want(t, exitUndecided, "could not be read", "log", "http://127.0.0.1:1/log", "--policy", p)
	for _, bad := range []string{"http://", "https://user@log.example/log", "https://log.example/log?x", "https://log.example/log#x", "http://a b/"} {
		want(t, exitUsage, "no address of a log", "log", bad, "--policy", p)
	}
}

// TestCopy: a copy is as good as the log, carries on, and is never replaced by less. S-VERIFY-05
func TestCopy(t *testing.T) {
	s, stranger := newSigner(t, origin, 1), newSigner(t, origin, 2)
	p := policy(t, s, "")
	all, m := honest(903)
	dir := publish(t, all[:602], s)
	var mu sync.Mutex
	asked, broken := map[string]int{}, ""
	at := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.Path]++
		away, from := broken != "" && strings.HasSuffix(r.URL.Path, broken), dir
		mu.Unlock()
		if away {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		http.FileServer(http.Dir(from)).ServeHTTP(w, r)
	}))
	to := filepath.Join(t.TempDir(), "copy")
	broken = "/tile/entries/002.p/90"
	want(t, exitUndecided, "could not be read", "copy", at, to)
	want(t, exitUndecided, "There is no log here", "log", to, "--policy", p) // half a copy is none
	broken = ""
	clear(asked)
	want(t, exitVerified, "Nobody's signature was checked", "copy", at, to)
	if asked["/tile/entries/000"]+asked["/tile/entries/001"] != 0 || asked["/tile/entries/002.p/90"] != 1 {
		t.Errorf("what was there was asked for again: %v", asked)
	}
	want(t, exitVerified, "All 602", "log", to, "--policy", p)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !bytes.Equal(read(t, path), read(t, strings.Replace(path, dir, to, 1))) {
			t.Errorf("%s differs", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	earlyDir := dir
	dir = publish(t, all, s)
	want(t, exitVerified, "All 903", "copy", at, to, "--policy", p)
	want(t, exitVerified, "All 903", "log", to, "--policy", p)
	want(t, exitVerified, "Nothing is missing", "matter", to, "--policy", p, "--keys", file(t, m.links.Format()))
	clear(asked)
	want(t, exitVerified, "All 903", "copy", at, to)
	if len(asked) > 12 { // the checkpoint and the edge
		t.Errorf("%d files were asked for again", len(asked))
	}

	// What witnesses added to the copy's checkpoint is not replaced by less.
	_, cosign := witness(1)
	kept := read(t, filepath.Join(to, "checkpoint"))
	kept = append(kept, cosign(kept, 1700000000)...)
	put(t, to, "checkpoint", kept)
	want(t, exitVerified, "All 903", "copy", at, to)
	if !bytes.Equal(read(t, filepath.Join(to, "checkpoint")), kept) {
		t.Error("a cosigned checkpoint was replaced by a bare one")
	}
	dir = earlyDir
	want(t, exitRefuted, "fewer entries than the copy", "copy", at, to)
	other, _ := honest(1000)
	dir = publish(t, rebooked(slices.Delete(other, 2, 3)), s)
	want(t, exitRefuted, "no longer begins with what was copied", "copy", at, to)
	dir = publish(t, all, stranger)
	want(t, exitRefuted, "does not carry both signatures", "copy", at, filepath.Join(t.TempDir(), "c"), "--policy", p)
	dir = publish(t, all, s)
	bend(t, filepath.Join(dir, "tile/entries/001"), flip(50))
	want(t, exitRefuted, "not what it signed", "copy", at, filepath.Join(t.TempDir(), "c"))
	want(t, exitUsage, "another log's copy", "copy", at, filepath.Dir(put(t, t.TempDir(), "checkpoint", []byte("x"))))
	_, c := tree(all[:300])
	c.Origin = "log.example/log/other"
	want(t, exitUsage, "another log's copy", "copy", at, filepath.Dir(put(t, t.TempDir(), "checkpoint", must(newSigner(t, c.Origin, 1).Sign(c)))))
	if !bytes.Equal(read(t, filepath.Join(to, "checkpoint")), kept) {
		t.Error("a refused copy changed the checkpoint")
	}
	want(t, exitVerified, "All 903", "log", to, "--policy", p)
	// A file of the copy that is half is fetched again; a link is not written through.
	dir = publish(t, all, s)
	bend(t, filepath.Join(to, "tile/entries/001"), func(b []byte) []byte { return b[:50] })
	want(t, exitVerified, "All 903", "copy", at, to)
	want(t, exitVerified, "All 903", "log", to, "--policy", p)
	outside := t.TempDir()
	linked := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(linked, "tile")); err != nil {
		t.Fatal(err)
	}
	want(t, exitUndecided, "links are not followed", "copy", at, linked)
	if left := must(os.ReadDir(outside)); len(left) != 0 {
		t.Error("a copy was written outside of its folder")
	}
}

func receiptOf(t testing.TB, leaves []log.Leaf, index int, s *log.Signer) log.Receipt {
	t.Helper()
	rows, c := tree(leaves)
	return log.Receipt{Extra: leaves[index].Bytes(), Index: uint64(index), Path: must(log.ProveInclusion(rows, uint64(index), c.Size)), Checkpoint: must(s.Sign(c))}
}

func TestReceipt(t *testing.T) {
	s, stranger := newSigner(t, origin, 1), newSigner(t, origin, 2)
	p := policy(t, s, "")
	k1, w1 := witness(1)
	waiting := policy(t, s, "witness a "+k1+"\nquorum a\n")
	all, _ := honest(700)
	early := rebooked(append(slices.Clone(all[:296]), log.Leaf{Type: log.TypeMapRoot}))
	late := append(slices.Clone(early), all[300:]...)
	late = rebooked(late)
	r := receiptOf(t, early, 290, s)
	good := file(t, r.Format())
	dropped := rebooked(slices.Delete(slices.Clone(late), 290, 291))
	rewritten := slices.Clone(late)
	rewritten[3].Commit[0] ^= 1
	want(t, exitVerified, "as number 290 of 297", "receipt", good, "--policy", p)
	want(t, exitVerified, "as number 290 of 297", "receipt", good, "--policy", waiting) // nobody can have cosigned yet
	want(t, exitVerified, "It still does.", "receipt", good, "--policy", p, "--log", publish(t, late, s))
	want(t, exitVerified, "It still does.", "receipt", good, "--policy", p, "--log", publish(t, early, s))
	want(t, exitRefuted, "another entry in the place", "receipt", good, "--policy", p, "--log", publish(t, dropped, s))
	want(t, exitRefuted, "rewritten since", "receipt", good, "--policy", p, "--log", publish(t, rebooked(rewritten), s))
	short := publish(t, rebooked(append(slices.Clone(all[:200]), log.Leaf{Type: log.TypeMapRoot})), s)
	want(t, exitUndecided, "older than the receipt", "receipt", good, "--policy", p, "--log", short)
	want(t, exitRefuted, "entries are gone", "receipt", good, "--policy", p, "--log", serve(t, http.FileServer(http.Dir(short))))
	bare := read(t, filepath.Join(short, "checkpoint")) // a log that waits for witnesses shows what they have signed
	put(t, short, "checkpoint", append(bare, w1(bare, 1700000000)...))
	want(t, exitUndecided, "older than the receipt", "receipt", good, "--policy", waiting, "--log", serve(t, http.FileServer(http.Dir(short))))
	want(t, exitRefuted, "does not carry both", "receipt", good, "--policy", p, "--log", publish(t, late, stranger))

	change := func(f func(r *log.Receipt)) string {
		c := r
		c.Path = slices.Clone(r.Path)
		f(&c)
		return file(t, c.Format())
	}
	want(t, exitRefuted, "does not prove that the log has this entry", "receipt", change(func(r *log.Receipt) { r.Extra = all[5].Bytes() }), "--policy", p)
	want(t, exitRefuted, "does not prove that the log has this entry", "receipt", change(func(r *log.Receipt) { r.Index-- }), "--policy", p)
	want(t, exitRefuted, "does not prove that the log has this entry", "receipt", change(func(r *log.Receipt) { r.Path[0][0] ^= 1 }), "--policy", p)
	want(t, exitRefuted, "does not carry both signatures", "receipt", file(t, receiptOf(t, early, 290, stranger).Format()), "--policy", p)
	want(t, exitRefuted, "does not carry both signatures", "receipt", change(func(r *log.Receipt) { r.Checkpoint = must(log.Carried(r.Checkpoint)) }), "--policy", p)
	want(t, exitUndecided, "for which entry it is", "receipt", change(func(r *log.Receipt) { r.Extra = nil }), "--policy", p)
	want(t, exitRefuted, "is no receipt", "receipt", file(t, []byte("x")), "--policy", p)
	want(t, exitRefuted, "is no receipt", "receipt", file(t, append(r.Format(), '\n')), "--policy", p)
	want(t, exitUsage, "too long", "receipt", file(t, make([]byte, log.MaxReceiptSize+1)), "--policy", p)
}

type pages map[string][]byte

func (p pages) Page(path string) ([]byte, error)    { return p[path], nil }
func (p pages) PutPage(path string, b []byte) error { p[path] = slices.Clone(b); return nil }
func (p pages) DeletePage(path string) error        { delete(p, path); return nil }

func TestEvidence(t *testing.T) {
	s := newSigner(t, origin, 1)
	p := policy(t, s, "")
	all, _ := honest(700)
	hiding := rebooked(slices.Delete(slices.Clone(all), 290, 291))
	rows, c := tree(hiding)
	inMap := pages{}
	var items []log.MapItem
	for _, l := range hiding {
		if item, ok := log.MapItemOf(l); ok {
			items = append(items, item)
		}
	}
	root := must(log.MapInsert(inMap, items))
	hidden, _ := log.MapItemOf(all[290])
	e := log.Evidence{
		Kind: log.EvidenceHiddenLeaf, Origin: origin, Keys: s.VerifierKeys(), At: time.Unix(1.7e9, 0), What: "The server denies what it took.",
		Promised: string(receiptOf(t, all, 290, s).Format()), Shown: string(must(s.Sign(c))),
		Map: &log.EvidenceMap{Root: root, Inclusion: must(log.ProveInclusion(rows, c.Size-1, c.Size)), Proof: must(log.MapProve(inMap, hidden.Key)).Bytes()},
	}
	want(t, exitVerified, "signed later that there is no such entry", "evidence", file(t, e.Format()), "--policy", p)
	e.Shown = string(must(newSigner(t, origin, 2).Sign(c)))
	want(t, exitRefuted, "did not sign what the file says", "evidence", file(t, e.Format()), "--policy", p)
	want(t, exitRefuted, "This file is no evidence", "evidence", file(t, append(e.Format(), ' ')), "--policy", p)
	twice := log.Evidence{Kind: log.EvidenceTwoRoots, Origin: origin, Keys: s.VerifierKeys(), Promised: string(must(s.Sign(c))), Shown: string(must(s.Sign(c)))}
	want(t, exitRefuted, "proves no lie", "evidence", file(t, twice.Format()), "--policy", p)
	_, small := tree(all[:300])
	fork := log.Evidence{Kind: log.EvidenceFork, Origin: origin, Keys: s.VerifierKeys(), Promised: string(must(s.Sign(small))), Shown: string(must(s.Sign(c)))}
	want(t, exitUndecided, "Give --log", "evidence", file(t, fork.Format()), "--policy", p)
	want(t, exitUndecided, "could not be read", "evidence", file(t, fork.Format()), "--policy", p, "--log", "http://127.0.0.1:1/log")
	want(t, exitVerified, "It signed two histories", "evidence", file(t, fork.Format()), "--policy", p, "--log", publish(t, hiding, s))
	want(t, exitVerified, "It signed two histories", "evidence", file(t, fork.Format()), "--policy", p, "--log", publish(t, all, s))
}

// TestProgram: arguments, and one JSON object whatever happens. S-VERIFY-07
func TestProgram(t *testing.T) {
	s := newSigner(t, origin, 1)
	p := policy(t, s, "")
	leaves, m := honest(20)
	dir := publish(t, leaves, s)
	both := file(t, append(bytes.Replace(read(t, p), []byte("quorum none\n"), nil, 1), read(t, policy(t, newSigner(t, "log.example/log/two", 3), ""))...))
	one := strings.Split(string(read(t, p)), "\n")
	k := m.links
	k.Origin = "log.example/log/two"
	for says, args := range map[string][]string{
		"Say what to check":           {},
		"no command \"fly\"":          {"fly"},
		"log takes URL-OR-FOLDER":     {"log", "--policy", p},
		"copy takes URL and FOLDER":   {"copy", dir},
		"not defined: -loud":          {"log", dir, "--policy", p, "--loud"},
		"not defined: -keys":          {"log", dir, "--policy", p, "--keys", "x"},
		"Give --policy":               {"log", dir},
		"Give --keys":                 {"matter", dir, "--policy", p},
		"has no link keys":            {"matter", dir, "--policy", p, "--keys", p},
		"about a matter in another":   {"matter", dir, "--policy", p, "--keys", file(t, k.Format())},
		"is no policy":                {"log", dir, "--policy", file(t, []byte("x"))},
		"has not both keys":           {"log", dir, "--policy", file(t, []byte(one[0]+"\nquorum none\n"))},
		"names several logs":          {"log", dir, "--policy", both},
		"both keys of the log \"no\"": {"log", dir, "--policy", p, "--origin", "no"},
	} {
		want(t, exitUsage, says, args...)
	}
	want(t, exitVerified, "All 20", "log", "--policy", both, dir, "--origin", origin)
	for _, args := range [][]string{{"--help"}, {"-h"}, {"log", "--help"}} {
		want(t, exitVerified, "underseal-verify log URL-OR-FOLDER", args...)
	}
	bad := publish(t, leaves, s)
	bend(t, filepath.Join(bad, "tile/entries/000.p/20"), flip(5))
	for verdict, args := range map[string][]string{
		"verified":  {"log", dir, "--policy", p},
		"refuted":   {"log", bad, "--policy", p},
		"usage":     {"log", dir},
		"undecided": {"log", t.TempDir(), "--policy", p},
	} {
		var stdout, stderr bytes.Buffer
		verify(t.Context(), append(args, "--json"), &stdout, &stderr)
		var got map[string]any
		if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || got["verdict"] != verdict || got["sentence"] == "" || stderr.Len() > 0 {
			t.Errorf("%s: %v\n%s%s", verdict, err, &stdout, &stderr)
		}
		if verdict == "verified" && (got["size"] != 20.0 || got["origin"] != origin || got["leaves"].(map[string]any)["mapRoots"] != 3.0) {
			t.Errorf("%s", &stdout)
		}
	}
}

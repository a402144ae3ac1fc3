package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/underseal/underseal/server"
	"github.com/underseal/underseal/server/auth"
	"github.com/underseal/underseal/server/blob/dirblob"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store/boltstore"
	"github.com/underseal/underseal/test/browser"
	"github.com/underseal/underseal/test/program"
)

// recorder keeps every byte that reaches the server: request line, headers, body.
type recorder struct {
	next http.Handler

	mu   sync.Mutex // guards seen
	seen bytes.Buffer
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		http.Error(w, "body", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.seen.WriteString(q.Method + " " + q.URL.String() + "\n")
	_ = q.Header.Write(&r.seen)
	r.seen.Write(body)
	r.mu.Unlock()
	q.Body = io.NopCloser(bytes.NewReader(body))
	r.next.ServeHTTP(w, q)
}

// buildLeak makes the leak build's pages, once for all tests.
var buildLeak = sync.OnceValues(func() (pages string, err error) {
	pages = filepath.Join(program.Root(), "test", "out", "leak-dist")
	build := exec.Command("go", "run", "./webapp/build", "-out", pages, "-tags", "leaktest")
	build.Dir = program.Root()
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return pages, nil
})

func leakPages(t testing.TB) string {
	t.Helper()
	pages, err := buildLeak()
	if err != nil {
		t.Fatalf("the leak build: %v", err)
	}
	return pages
}

// leakServer is the real server on the real stores, in this process, with the leak build's pages.
func leakServer(t testing.TB) (origin string, setup string, seen *recorder, data string) {
	t.Helper()
	pages := leakPages(t)
	data = t.TempDir()
	l := ledger.NewLog(&ledger.MemoryKeys{Random: rand.Reader}, nil)
	store, err := boltstore.Open(boltstore.Config{Folder: filepath.Join(data, "store"), Hook: l.Integrate})
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := dirblob.Open(filepath.Join(data, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	origin = "http://localhost:" + port
	s, err := server.New(server.Config{Store: store, Blobs: blobs, Log: l, Keys: &auth.MemoryKeys{Random: rand.Reader}, Origin: origin, Assets: os.DirFS(pages)})
	if err != nil {
		t.Fatal(err)
	}
	if setup, err = s.SetupLink(context.Background()); err != nil {
		t.Fatal(err)
	}
	seen = &recorder{next: s.Handler()}
	h := &httptest.Server{Listener: listener, Config: &http.Server{Handler: seen, ReadHeaderTimeout: 10 * time.Second}}
	h.Start()
	t.Cleanup(func() {
		h.Close()
		_ = store.Close()
		_ = blobs.Close()
	})
	return origin, setup, seen, data
}

// spellings are the ways a secret could stand in other bytes.
func spellings(secret []byte) [][]byte {
	list := [][]byte{secret, []byte(hex.EncodeToString(secret)), []byte(strings.ToUpper(hex.EncodeToString(secret)))}
	for shift := range 3 {
		// In base64 the letters depend on where the secret starts: what neighbours would change is cut off.
		padded := append(make([]byte, shift), secret...)
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			s := encoding.EncodeToString(padded)
			from, to := 0, len(s)
			if shift > 0 {
				from = shift + 1
			}
			if len(padded)%3 != 0 {
				to--
			}
			if to-from >= 8 {
				list = append(list, []byte(s[from:to]))
			}
		}
	}
	var le, be []byte
	for _, u := range utf16.Encode([]rune(string(secret))) {
		le = append(le, byte(u), byte(u>>8))
		be = append(be, byte(u>>8), byte(u))
	}
	return append(list, le, be)
}

// find says in how many places of haystacks a secret stands, in any spelling.
func find(secret []byte, haystacks [][]byte) (n int) {
	for _, needle := range spellings(secret) {
		for _, h := range haystacks {
			n += bytes.Count(h, needle)
		}
	}
	return n
}

func stored(t testing.TB, folder string) (all [][]byte) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		all = append(all, []byte(d.Name()))
		if d.IsDir() {
			return nil
		}
		b, err := os.ReadFile(path)
		all = append(all, b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

type leak struct {
	Name  string
	Value []byte
}

// secretsOf are what the leak build told the page.
func secretsOf(t testing.TB, b *browser.Browser) (list []leak) {
	t.Helper()
	var raw []struct {
		Name  string
		Value string
	}
	if err := json.Unmarshal([]byte(b.Eval(`window.leaks.map(l => ({Name: l.name, Value: btoa(String.fromCharCode(...l.value))}))`)), &raw); err != nil {
		t.Fatal(err)
	}
	for _, r := range raw {
		v, err := base64.StdEncoding.DecodeString(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, leak{r.Name, v})
	}
	return list
}

// TestServerLearnsNothing searches every byte that the server received or stored in the whole story, in every usual
// spelling, for content, names and keys (S-CLIENT-01, attacks 61, 81).
func TestServerLearnsNothing(t *testing.T) {
	t.Parallel()
	origin, setup, seen, data := leakServer(t)
	_ = origin
	dir := t.TempDir()
	pdf := makePDF(t, filepath.Join(dir, "Kompromat über Müller.pdf"), canary)

	ada := browser.Start(t, browser.Options{Authenticator: true, Leaks: true})
	kit := setUp(t, ada, setup, false)
	newMatter(ada, "Doe versus Roe")
	ada.SetFiles("#file-input", pdf)
	waitTransfers(ada, browser.Patience)
	ada.Click(row(ada, "Kompromat") + ` [data-action="details"]`)
	ada.Click(`#document-dialog [data-action="rename"]`)
	ada.Type("#document-name", "Renamed exhibit.pdf")
	ada.Click("#document-rename")
	row(ada, "Renamed exhibit.pdf")
	closeDialogs(ada)
	link := invite(ada, "Clara Confidential", "client", "opens-at-once", false)

	clara := browser.Start(t, browser.Options{Authenticator: true, Leaks: true})
	clara.Open(link)
	clara.Click("#join-passkey")
	clara.See("#add-files")
	sameFile(t, download(clara, "Renamed exhibit.pdf", browser.Patience), pdf)
	clara.Click("#kit-now")
	claraKit := clara.SaveKit()
	withPassword(t, clara)
	// What follows a reload is told by a new page: what the first one was told is kept.
	secrets := append(secretsOf(t, ada), secretsOf(t, clara)...)
	ada.Reload()
	signIn(ada)
	openFirstMatter(ada)
	member := ada.String(`[...document.querySelectorAll("#members [data-member]")].find(m => m.innerText.includes("Clara")).dataset.member`)
	ada.Click(`#members [data-member="` + member + `"] summary`)
	ada.Click(`#members [data-member="` + member + `"] [data-action="member-remove"]`)
	ada.Click("#confirm-yes")
	ada.Until("Clara's seat ended", browser.Patience, `!document.querySelector("#members").innerText.includes("Clara")`)
	clara.Reload()
	clara.Click("#signin-with-kit summary")
	clara.Fill("#signin-kit-text", claraKit)
	clara.Click("#signin-kit")
	clara.See("#sign-out")

	secrets = append(append(secrets, secretsOf(t, ada)...), secretsOf(t, clara)...)
	kinds := map[string]int{}
	for _, s := range secrets {
		kinds[s.Name]++
	}
	for _, kind := range []string{"account root", "keyring key", "device cache key", "identity seed", "PRF output", "passkey unlock key", "content key", "entry key", "state link key", "trail link key",
		"history content key", "trail key", "document key", "invite secret", "invite link", "recovery kit", "kit unlock key", "session key", "password", "export key", "account secret", "password unlock key", "device token"} {
		if kinds[kind] == 0 {
			t.Errorf("the leak build never told a %s: the search would miss it", kind)
		}
	}
	secrets = append(secrets, leak{"recovery kit as shown", []byte(kit)}, leak{"plaintext", []byte(canary)}, leak{"matter name", []byte("Doe versus Roe")}, leak{"file name", []byte("Kompromat")},
		leak{"file name", []byte("Müller")}, leak{"new file name", []byte("Renamed exhibit")}, leak{"person", []byte("Ada Advocate")}, leak{"person", []byte("Clara Confidential")},
		leak{"firm", []byte("Advocate & Partners")}, leak{"name to sign in with", []byte("clara.confidential")}, leak{"link fragment", []byte(link[strings.IndexByte(link, '#')+1:])})

	seen.mu.Lock()
	received := bytes.Clone(seen.seen.Bytes())
	seen.mu.Unlock()
	kept := stored(t, data)
	haystacks := append(slices.Clip(kept), received)
	size := 0
	for _, h := range haystacks {
		size += len(h)
	}
	t.Logf("searching %d KiB for %d secrets of %d kinds", size>>10, len(secrets), len(kinds))
	for _, s := range secrets {
		if len(s.Value) < 6 {
			t.Errorf("%s is too short to search for", s.Name)
		}
		in := haystacks
		if s.Name == "device token" { // shown at a sign-in, as a cookie is, and kept by nobody but the device
			in = kept
		}
		if n := find(s.Value, in); n > 0 {
			t.Errorf("the server has a %s, %d times", s.Name, n)
		}
	}

	// The search itself must be able to find: one secret is planted, in each spelling, the way it would leak.
	planted := secrets[0].Value
	for i, spelling := range spellings(planted) {
		if find(planted, [][]byte{append([]byte("noise before "), append(spelling, " noise after"...)...)}) == 0 {
			t.Errorf("spelling %d of a planted secret is not found", i)
		}
	}
	ada.Eval(`fetch("/v1/health?x=` + hex.EncodeToString(planted) + `").then(() => 0)`)
	seen.mu.Lock()
	received = bytes.Clone(seen.seen.Bytes())
	seen.mu.Unlock()
	if find(planted, [][]byte{received}) == 0 {
		t.Error("a secret that was sent is not found")
	}
}

// withPassword gives somebody who is signed in a password and an app, and signs her in with them.
func withPassword(t testing.TB, b *browser.Browser) {
	t.Helper()
	openAccount(b)
	b.Click("#app-set")
	codes := setUpApp(t, b)
	b.Type("#app-code", codes.code())
	b.Click("#app-save")
	b.Until("the app is set up", browser.Patience, `!document.querySelector("#app-dialog")`)
	b.Click("#password-set")
	changePassword(b, "clara.confidential", horses)
	hasPassword(b)
	signOut(b)
	byPassword(b, "clara.confidential", horses)
	giveCode(b, codes.code())
	openMatter(b)
}

// TestShippedModuleCannotLeak proves that what `make build` made has nothing of the leak build in it.
func TestShippedModuleCannotLeak(t *testing.T) {
	t.Parallel()
	count := func(folder string) (n int) {
		for _, b := range stored(t, folder) {
			n += bytes.Count(b, []byte("leaktest"))
		}
		return n
	}
	dist := filepath.Join(program.Root(), "webapp", "dist")
	if _, err := os.Stat(filepath.Join(dist, "index.html")); err != nil {
		t.Fatal("run `make build` first")
	}
	if n := count(dist); n != 0 {
		t.Errorf("the shipped pages name the leak build %d times", n)
	}
	if count(leakPages(t)) == 0 {
		t.Error("the leak build does not name itself: this test would pass whatever ships")
	}
}

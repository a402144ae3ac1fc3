// Package arch holds the layout: who may import whom, on linux and on js/wasm, and rules about sources.
package arch

import (
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/underseal/underseal/test/program"
)

const module = "github.com/underseal/underseal/"

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

// list is what the go command says of packages of the product on a platform.
func list(t *testing.T, env []string, patterns ...string) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps"}, patterns...)...)
	cmd.Dir = program.Root()
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	found := map[string]pkg{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		found[strings.TrimPrefix(p.ImportPath, module)] = p
	}
	return found
}

func within(path string, folders ...string) bool {
	for _, f := range folders {
		if path == f || strings.HasPrefix(path, f+"/") {
			return true
		}
	}
	return false
}

// rule says what the packages below a folder never link, directly or through others.
type rule struct {
	below   []string
	except  []string
	linking []string // import paths, or ours without the module's name
}

var rules = []rule{
	{below: []string{"keys/seal"}, linking: []string{"keys/vault", "protocol", "client", "server"}},
	{below: []string{"keys/vrf"}, linking: []string{"keys", "protocol", "client", "server", "wasm", "webapp", "cmd"}},
	{below: []string{"keys"}, linking: []string{"protocol", "client", "server", "wasm", "webapp", "cmd"}},
	{below: []string{"protocol"}, linking: []string{"client", "server", "wasm", "webapp", "cmd"}},
	{below: []string{"client"}, linking: []string{"server", "wasm", "webapp", "cmd"}},
	{below: []string{"wasm"}, linking: []string{"server", "webapp", "cmd"}},
	{below: []string{"server"}, linking: []string{"client", "wasm", "webapp", "cmd"}},
	{below: []string{"keys", "protocol", "client", "wasm"}, linking: []string{"github.com/labstack/echo", "go.etcd.io/bbolt", "github.com/go-webauthn/webauthn", "github.com/coreos/go-oidc", "golang.org/x/oauth2"}},
	{below: []string{"keys", "protocol", "wasm"}, linking: []string{"net/http"}},
	{below: []string{"client"}, except: []string{"client/native"}, linking: []string{"net/http"}},
	// Who checks the server reads little: what signs, seals or serves is not in it.
	{below: []string{"cmd/underseal-verify"}, linking: []string{"server", "client", "wasm", "webapp", "keys", "protocol/chain", "protocol/api", "github.com/labstack/echo", "go.etcd.io/bbolt", "github.com/go-webauthn/webauthn"}},
	{below: []string{"server"}, except: []string{"server/store/boltstore"}, linking: []string{"go.etcd.io/bbolt"}},
	// OPAQUE and the lists of what people use as passwords are large: in a browser they are in the module for passwords alone,
	// which holds nothing else. The command line links them with its drivers.
	{below: []string{"keys", "protocol", "client", "wasm"}, except: []string{"keys/opaque", "wasm/password", "client/native"}, linking: []string{"keys/opaque", "github.com/bytemare"}},
	{below: []string{"keys", "protocol", "client", "wasm", "server"}, except: []string{"keys/strength", "wasm/password", "client/native"}, linking: []string{"keys/strength", "github.com/trustelem"}},
	{below: []string{"wasm/password", "keys/opaque", "keys/strength"}, linking: []string{"protocol", "client", "keys/vault", "keys/seal"}},
}

func checkRules(t *testing.T, found map[string]pkg) {
	t.Helper()
	for path, p := range found {
		for _, dep := range p.Imports {
			// A driver may touch JavaScript, and the binding: nothing that decides does.
			if dep == "syscall/js" && !within(path, "wasm", "keys/seal") {
				t.Errorf("%s imports %s", path, dep)
			}
		}
	}
	for _, r := range rules {
		for path, p := range found {
			if !within(path, r.below...) || within(path, r.except...) {
				continue
			}
			for _, dep := range p.Deps {
				if within(strings.TrimPrefix(dep, module), r.linking...) {
					t.Errorf("%s links %s", path, strings.TrimPrefix(dep, module))
				}
			}
		}
	}
}

func TestImports(t *testing.T) {
	linux := list(t, []string{"GOOS=linux"}, "./...")
	if len(linux) < 20 {
		t.Fatalf("only %d packages found: the rules would hold of nothing", len(linux))
	}
	checkRules(t, linux)
	js := list(t, []string{"GOOS=js", "GOARCH=wasm"}, portable...)
	checkRules(t, js)
	// Only cmd picks backends and embeds the screens.
	for path, p := range linux {
		if within(path, "cmd", "webapp", "server/store", "server/blob") || strings.HasSuffix(path, "test") {
			continue
		}
		for _, dep := range p.Imports {
			if within(strings.TrimPrefix(dep, module), "webapp", "server/store/boltstore", "server/store/memstore", "server/blob/dirblob", "server/blob/memblob") {
				t.Errorf("%s picks a backend: %s", path, dep)
			}
		}
	}
}

// portable are the packages that Workers and browsers run: the product without its native drivers.
var portable = []string{"./keys/...", "./protocol/...", "./client", "./wasm/...", "./server", "./server/auth/...", "./server/access/...", "./server/ledger/...", "./server/layout/...",
	"./server/store", "./server/store/memstore", "./server/blob", "./server/blob/memblob"}

// TestPortable vets them for js/wasm.
func TestPortable(t *testing.T) {
	cmd := exec.Command("go", append([]string{"vet"}, portable...)...)
	cmd.Dir = program.Root()
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestRulesCanFail shows that a rule sees what it forbids.
func TestRulesCanFail(t *testing.T) {
	for _, r := range rules {
		hit := false
		for _, dep := range []string{module + r.linking[0], r.linking[0]} {
			hit = hit || within(strings.TrimPrefix(dep, module), r.linking...)
		}
		if !hit {
			t.Errorf("rule over %v would not see %s", r.below, r.linking[0])
		}
	}
}

// sources walks the product's own text files.
func sources(t *testing.T, suffix string, visit func(path, text string)) {
	t.Helper()
	root, n := program.Root(), 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || within(rel, "webapp/dist", "test/out", "bin", "data")) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, suffix) {
			return nil
		}
		n++
		b, err := os.ReadFile(path)
		visit(filepath.ToSlash(rel), string(b))
		return err
	})
	if err != nil || n == 0 {
		t.Fatalf("%d files of %s: %v", n, suffix, err)
	}
}

// TestCiphers: only the native driver of seal names AES (S-SEAL-06): Go's own is table-based in wasm.
func TestCiphers(t *testing.T) {
	seen := 0
	sources(t, ".go", func(path, text string) {
		if strings.HasPrefix(path, "test/") || strings.HasSuffix(path, "_test.go") {
			return
		}
		for _, name := range []string{`"crypto/aes"`, `"crypto/cipher"`} {
			if strings.Contains(text, name) {
				if path != "keys/seal/driver_native.go" {
					t.Errorf("%s imports %s", path, name)
				}
				seen++
			}
		}
		if within(path, "keys", "protocol", "client") {
			for _, name := range []string{`"math/rand"`, `"math/rand/v2"`, `"compress/gzip"`, `"compress/flate"`, `"compress/zlib"`} {
				if strings.Contains(text, name) {
					t.Errorf("%s imports %s: no weak randomness and no compression beside secrets (attack 77)", path, name)
				}
			}
		}
	})
	if seen == 0 {
		t.Error("the native driver was not seen: this test would pass whatever imports AES")
	}
}

// TestScreens: what would open a hole in the page's policy never stands in a source.
func TestScreens(t *testing.T) {
	sources(t, ".ts", func(path, text string) {
		for _, name := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", ": any", "as any", "localhost:", "https://"} {
			if strings.Contains(text, name) && !strings.HasSuffix(path, ".test.ts") {
				t.Errorf("%s has %q", path, name)
			}
		}
	})
}

// TestNoLeftovers: what must never be committed.
func TestNoLeftovers(t *testing.T) {
	forbidden := []string{"registry" + ".npmjs.org", "proxy" + ".golang.org", "deb" + ".debian.org", "/wo" + "rk/"}
	for _, suffix := range []string{".go", ".ts", ".json", ".md", ".css", ".html", ".mod", "Makefile", ".npmrc"} {
		sources(t, suffix, func(path, text string) {
			for _, f := range forbidden {
				if strings.Contains(text, f) {
					t.Errorf("%s names %s", path, f)
				}
			}
		})
	}
}

// Command build makes webapp/dist: the module, the one for passwords, the worker, the page and a manifest of their hashes.
//
//	go run ./webapp/build [-out webapp/dist] [-tags leaktest]
//
// It runs from the root of the repository and needs nothing but Go. Two runs on the same sources give the same bytes,
// wherever they run: names carry content hashes, nothing carries a time or a path.
//
// The order is forced by who names whom: the worker embeds the modules' URLs and hashes (and refuses any other module),
// the page embeds the worker's URL, and index.html names the page's files with their integrity.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"text/template"

	"github.com/andybalholm/brotli"
)

func main() {
	out := flag.String("out", "webapp/dist", "folder to fill; what is in it and not part of the build is removed")
	tags := flag.String("tags", "", "build tags for the module, such as leaktest")
	flag.Parse()
	if err := run(*out, *tags); err != nil {
		fmt.Fprintln(os.Stderr, "webapp/build:", err)
		os.Exit(1)
	}
}

func run(out, tags string) error {
	if _, err := os.Stat("webapp/index.html"); err != nil {
		return errors.New("run it from the root of the repository")
	}
	scratch, err := os.MkdirTemp("", "underseal-webapp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)

	b := &build{scratch: scratch, files: map[string][]byte{}}
	if err := b.all(tags); err != nil {
		return err
	}
	return b.write(out)
}

// A build collects finished files by their path below dist.
type build struct {
	scratch string
	files   map[string][]byte
}

// An asset is a file that the page or the worker names. Its URL changes with its content.
type asset struct {
	URL       string
	SHA256    string // hex
	Integrity string // for the integrity attribute
}

func (b *build) all(tags string) error {
	if err := b.compile(tags); err != nil {
		return fmt.Errorf("modules: %w", err)
	}
	module, err := b.copy(filepath.Join(b.scratch, "wasm"), "underseal.wasm")
	if err != nil {
		return fmt.Errorf("module: %w", err)
	}
	passwords, err := b.copy(filepath.Join(b.scratch, "password"), "password.wasm")
	if err != nil {
		return fmt.Errorf("module for passwords: %w", err)
	}
	worker, err := b.worker(module, passwords)
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	var p page
	if p.Main, err = b.script("webapp/src/main.ts", "main.js", "--format=esm", define("WORKER_URL", worker.URL)); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	if p.Theme, err = b.script("webapp/src/theme-first.ts", "theme.js", "--format=iife"); err != nil {
		return fmt.Errorf("theme: %w", err)
	}
	if p.Style, err = b.script("webapp/style.css", "style.css"); err != nil {
		return fmt.Errorf("style: %w", err)
	}
	if p.Icon, err = b.copy("webapp/mark.svg", "mark.svg"); err != nil {
		return fmt.Errorf("icon: %w", err)
	}
	return b.index(p)
}

// compile makes the two modules that the worker runs, named after their folders, and esbuild, which bundles its script. No path, no
// build id, no time stays in a module.
//
// esbuild is built and not run by "go tool", which would compile the standard library once more for it.
func (b *build) compile(tags string) error {
	modules := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-tags="+tags, "-o", b.scratch,
		"./wasm", "./wasm/password")
	modules.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "GOFLAGS=")
	if err := b.tool(modules); err != nil {
		return err
	}
	return b.tool(exec.Command("go", "build", "-modfile=test/tools.mod", "-o", filepath.Join(b.scratch, "esbuild"), "github.com/evanw/esbuild/cmd/esbuild"))
}

// worker bundles Go's own loader into the worker: a static import would be a script without integrity.
func (b *build) worker(module, passwords asset) (asset, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return asset{}, fmt.Errorf("go env GOROOT: %w", err)
	}
	loader := filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js")
	return b.script("webapp/src/worker.ts", "worker.js", "--format=esm", "--alias:wasm_exec="+loader,
		define("WASM_URL", module.URL), define("WASM_SHA256", module.SHA256),
		define("PASSWORD_URL", passwords.URL), define("PASSWORD_SHA256", passwords.SHA256))
}

func define(name, value string) string { return fmt.Sprintf("--define:%s=%q", name, value) }

func (b *build) script(source, name string, flags ...string) (asset, error) {
	file := filepath.Join(b.scratch, name)
	args := []string{source, "--bundle", "--minify", "--charset=utf8", "--legal-comments=none", "--log-level=warning", "--outfile=" + file}
	if err := b.tool(exec.Command(filepath.Join(b.scratch, "esbuild"), append(args, flags...)...)); err != nil {
		return asset{}, err
	}
	return b.copy(file, name)
}

func (b *build) tool(cmd *exec.Cmd) error {
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// copy takes a file in under its content-hashed name.
func (b *build) copy(file, name string) (asset, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return asset{}, err
	}
	sum, strong := sha256.Sum256(data), sha512.Sum384(data)
	hash := hex.EncodeToString(sum[:])
	path := "a/" + hash[:32] + "-" + name
	b.files[path] = data
	return asset{URL: "/" + path, SHA256: hash, Integrity: "sha384-" + base64.StdEncoding.EncodeToString(strong[:])}, nil
}

// A page is what index.html names.
type page struct{ Main, Theme, Style, Icon asset }

func (b *build) index(p page) error {
	t, err := template.ParseFiles("webapp/index.html")
	if err != nil {
		return err
	}
	var html bytes.Buffer
	if err := t.Execute(&html, p); err != nil {
		return err
	}
	b.files["index.html"] = html.Bytes()
	return nil
}

// manifest lists the SHA-256 of every file a browser may be given, in the order of their names.
func (b *build) manifest() ([]byte, error) {
	sums := map[string]string{}
	for path, data := range b.files {
		sum := sha256.Sum256(data)
		sums["/"+path] = hex.EncodeToString(sum[:])
	}
	data, err := json.MarshalIndent(map[string]any{"files": sums}, "", "  ")
	return append(data, '\n'), err
}

func (b *build) write(out string) error {
	manifest, err := b.manifest()
	if err != nil {
		return err
	}
	b.files["manifest.json"] = manifest
	keep := map[string]bool{".keep": true}
	var tasks []func() error
	for path, data := range b.files {
		file := filepath.Join(out, path)
		keep[path] = true
		tasks = append(tasks, func() error { return writeFile(file, data) })
		for suffix, compress := range compressions {
			keep[path+suffix] = true
			tasks = append(tasks, func() error { return writeCompressed(file+suffix, data, compress) })
		}
	}
	if err := atOnce(tasks); err != nil {
		return err
	}
	if err := removeOthers(out, keep); err != nil {
		return err
	}
	return b.sizes(out)
}

// sizes prints what a browser loads: how long a first visit takes on a poor line is decided here.
func (b *build) sizes(out string) error {
	fmt.Printf("%10s %10s %10s\n", "bytes", "gzip", "brotli")
	for _, path := range slices.Sorted(maps.Keys(b.files)) {
		var size [3]int64
		for i, suffix := range []string{"", ".gz", ".br"} {
			info, err := os.Stat(filepath.Join(out, path+suffix))
			if err != nil {
				return err
			}
			size[i] = info.Size()
		}
		name := path[strings.LastIndexByte(path, '-')+1:]
		fmt.Printf("%10d %10d %10d  %s\n", size[0], size[1], size[2], name)
	}
	return nil
}

// compressions are the forms of a file that lie beside it, by what follows its name.
var compressions = map[string]func([]byte) ([]byte, error){".gz": gzipped, ".br": brotlied}

// writeCompressed writes one form of a file. What is there already under a content-hashed name is right, so an unchanged module is not
// compressed again.
func writeCompressed(file string, data []byte, compress func([]byte) ([]byte, error)) error {
	if _, err := os.Stat(file); err == nil && filepath.Base(filepath.Dir(file)) == "a" {
		return nil
	}
	small, err := compress(data)
	if err != nil {
		return err
	}
	return writeFile(file, small)
}

// atOnce does the tasks at once, as many as there are processors, and returns what went wrong.
func atOnce(tasks []func() error) error {
	errs := make([]error, len(tasks))
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	var group sync.WaitGroup
	for i, task := range tasks {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			errs[i] = task()
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// writeFile puts the whole file in place or nothing, so that an interrupted build leaves no half file under a final name.
func writeFile(file string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file+".part", data, 0o644); err != nil {
		return err
	}
	return os.Rename(file+".part", file)
}

func gzipped(data []byte) ([]byte, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	err := w.Close()
	return out.Bytes(), err
}

// brotliLevel is not the best one, 11, which takes a minute for a module and makes it a tenth smaller; 9 takes three times as long as 6
// for a fiftieth. Who tries the product waits for the build before anything else.
const brotliLevel = 6

func brotlied(data []byte) ([]byte, error) {
	var out bytes.Buffer
	w := brotli.NewWriterLevel(&out, brotliLevel)
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	err := w.Close()
	return out.Bytes(), err
}

func removeOthers(out string, keep map[string]bool) error {
	return filepath.WalkDir(out, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		path, err := filepath.Rel(out, file)
		if err != nil || keep[filepath.ToSlash(path)] {
			return err
		}
		return os.Remove(file)
	})
}

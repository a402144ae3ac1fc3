package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/underseal/underseal/test/vectors/pack"
)

var (
	//go:embed index.html
	indexHTML []byte
	//go:embed page.js
	pageJS []byte
	//go:embed worker.js
	workerJS []byte
)

// build compiles the cases with the hooks that only the tag "vectors" has.
func (h *harness) build(ctx context.Context, name string, env ...string) (string, error) {
	binary := filepath.Join(h.out, name)
	command := exec.CommandContext(ctx, "go", "build", "-tags", "vectors", "-o", binary, "./vectors/cases")
	command.Dir = filepath.Join(h.root, "test")
	command.Env = append(os.Environ(), env...)
	command.Stderr = os.Stderr
	return binary, command.Run()
}

func (h *harness) native(ctx context.Context) (pack.Report, error) {
	binary, err := h.build(ctx, "cases")
	if err != nil {
		return pack.Report{}, err
	}
	return report(exec.CommandContext(ctx, binary, h.packFile()))
}

func (h *harness) wasm(ctx context.Context) (string, error) {
	return h.build(ctx, "cases.wasm", "GOOS=js", "GOARCH=wasm")
}

func (h *harness) node(ctx context.Context) (pack.Report, error) {
	binary, err := h.wasm(ctx)
	if err != nil {
		return pack.Report{}, err
	}
	command := exec.CommandContext(ctx, "node", "--stack-size=8192", filepath.Join(h.goroot, "lib", "wasm", "wasm_exec_node.js"), binary, h.packFile())
	// wasm_exec.js has room for 8 KiB of environment.
	command.Env = []string{"PATH=" + os.Getenv("PATH")}
	return report(command)
}

// report runs a program that prints a report.
func report(command *exec.Cmd) (pack.Report, error) {
	var r pack.Report
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(out, &r)
}

// result is what page.js sends.
type result struct {
	Code  int      `json:"code"`
	Lines []string `json:"lines"`
}

// browser serves the cases on loopback, which is a secure context and so has
// WebCrypto, and waits for the page to send the report.
func (h *harness) browser(ctx context.Context) (pack.Report, error) {
	binary, err := h.wasm(ctx)
	if err != nil {
		return pack.Report{}, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return pack.Report{}, err
	}
	results := make(chan result, 1)
	server := &http.Server{Handler: h.pages(binary, results), ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(listener)
	defer server.Close()

	exited, stop, err := h.startChromium(ctx, "http://"+listener.Addr().String()+"/")
	if err != nil {
		return pack.Report{}, err
	}
	defer stop()
	select {
	case r := <-results:
		return parseResult(r)
	case err := <-exited:
		return pack.Report{}, fmt.Errorf("the browser ended before the cases did: %v", err)
	case <-ctx.Done():
		return pack.Report{}, ctx.Err()
	}
}

func parseResult(r result) (pack.Report, error) {
	text := strings.Join(r.Lines, "\n")
	if r.Code != 0 {
		return pack.Report{}, fmt.Errorf("exit code %d: %s", r.Code, text)
	}
	var p pack.Report
	return p, json.Unmarshal([]byte(text), &p)
}

func (h *harness) pages(binary string, results chan<- result) http.Handler {
	mux := http.NewServeMux()
	content := func(pattern, contentType string, body []byte) {
		mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Write(body)
		})
	}
	file := func(pattern, path string) {
		mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) })
	}
	content("/{$}", "text/html; charset=utf-8", indexHTML)
	content("/page.js", "text/javascript", pageJS)
	content("/worker.js", "text/javascript", workerJS)
	file("/wasm_exec.js", filepath.Join(h.goroot, "lib", "wasm", "wasm_exec.js"))
	file("/cases.wasm", binary)
	file("/pack.json", h.packFile())
	mux.HandleFunc("POST /result", func(w http.ResponseWriter, r *http.Request) {
		var sent result
		if err := json.NewDecoder(io.LimitReader(r.Body, 16<<20)).Decode(&sent); err != nil {
			sent = result{1, []string{"unreadable result: " + err.Error()}}
		}
		select {
		case results <- sent:
		default: // only the first one counts
		}
	})
	return mux
}

// startChromium opens a page in a fresh profile. stop ends the browser and
// removes the profile.
func (h *harness) startChromium(ctx context.Context, url string) (exited <-chan error, stop func(), err error) {
	profile, err := os.MkdirTemp("", "underseal-vectors-")
	if err != nil {
		return nil, nil, err
	}
	var log bytes.Buffer
	command := exec.CommandContext(ctx, h.chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--remote-debugging-port=0", "--user-data-dir="+profile, url)
	command.Stdout, command.Stderr = &log, &log
	// Its helpers may hold the pipe for a moment longer.
	command.WaitDelay = 5 * time.Second
	if err := command.Start(); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(profile))
	}
	done, ended := make(chan error, 1), make(chan struct{})
	go func() {
		err := command.Wait()
		done <- fmt.Errorf("%v: %s", err, log.String())
		close(ended)
	}()
	return done, func() {
		command.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			command.Process.Kill()
			<-ended
		}
		os.RemoveAll(profile)
	}, nil
}

// Package program runs the real underseal binary for tests: on loopback, on a port of its own, on a folder of its own.
package program

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// Root is the checkout.
func Root() string {
	dir, _ := os.Getwd()
	for range 8 {
		if b, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && strings.HasPrefix(string(b), "module github.com/underseal/underseal\n") {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return "."
}

// Binary is the path of the binary that `make build` made. UNDERSEAL_BIN names another.
func Binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv("UNDERSEAL_BIN")
	if path == "" {
		path = filepath.Join(Root(), "bin", "underseal")
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal("there is no binary: run `make build` first")
	}
	return path
}

// Server is a running server.
type Server struct {
	t       testing.TB
	binary  string
	Data    string
	Address string // host:port it listens on
	Origin  string // what browsers see: a proxy may stand between
	env     []string

	mu    sync.Mutex // guards all below
	cmd   *exec.Cmd
	setup string
	log   strings.Builder
}

// FreePort is a port nobody listens on.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Start starts a server on a fresh folder. origin may be empty: then it is its own address.
func Start(t testing.TB, binary, origin string, env ...string) *Server {
	t.Helper()
	port := FreePort(t)
	s := &Server{t: t, binary: binary, Data: t.TempDir(), Address: fmt.Sprintf("127.0.0.1:%d", port), Origin: origin, env: env}
	if origin == "" {
		s.Origin = fmt.Sprintf("http://localhost:%d", port)
	}
	s.Run()
	t.Cleanup(s.Kill)
	return s
}

var setupLink = regexp.MustCompile(`https?://\S+/setup#\S+`)

// Run starts the process, also again after Kill.
func (s *Server) Run() {
	s.t.Helper()
	cmd := exec.Command(s.binary, "serve", "--listen", s.Address, "--origin", s.Origin, "--data", s.Data)
	cmd.Env = append(os.Environ(), s.env...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	s.cmd = cmd
	s.mu.Unlock()
	go func() {
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			s.mu.Lock()
			s.log.WriteString(lines.Text() + "\n")
			if link := setupLink.FindString(lines.Text()); link != "" {
				s.setup = link
			}
			s.mu.Unlock()
		}
	}()
	s.wait()
}

func (s *Server) wait() {
	s.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Address+"/v1/health", nil)
		if err != nil {
			s.t.Fatal(err)
		}
		reply, err := http.DefaultClient.Do(r)
		cancel()
		if err == nil {
			reply.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the server did not start: %v\n%s", err, s.Log())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Log is what the server printed.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// PID is the server's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// SetupLink is the one-time link that the server printed.
func (s *Server) SetupLink() string {
	s.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		s.mu.Lock()
		link := s.setup
		s.mu.Unlock()
		if link != "" {
			return link
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the server printed no setup link:\n%s", s.Log())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Kill ends the process as a power cut would.
func (s *Server) Kill() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

//go:build !js

package native

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/underseal/underseal/client"
)

func TestParseOrigin(t *testing.T) {
	for in, want := range map[string]string{
		"https://Files.Example.com":      "https://files.example.com",
		"https://files.example.com:443/": "https://files.example.com",
		"https://files.example.com:8443": "https://files.example.com:8443",
		"http://localhost:8420":          "http://localhost:8420",
		"http://127.0.0.1:8420":          "http://127.0.0.1:8420",
		"http://[::1]:8420":              "http://[::1]:8420",
		"http://files.example.com":       "",
		"http://localhost.example.com":   "",
		"http://10.0.0.1":                "",
		"https://a@example.com":          "",
		"https://example.com/path":       "",
		"https://example.com?x":          "",
		"ftp://localhost":                "",
		"https://":                       "",
		"":                               "",
	} {
		got, err := ParseOrigin(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", in, got, err, want)
		}
	}
}

// TestTransport: cookies are kept by name, also Secure ones on this machine; redirects are answers and not followed.
func TestTransport(t *testing.T) {
	var seen, origin string
	followed := false
	mux := http.NewServeMux()
	mux.HandleFunc("/set", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "__Host-a", Value: "1", Secure: true, HttpOnly: true, Path: "/", SameSite: http.SameSiteStrictMode})
		http.SetCookie(w, &http.Cookie{Name: "__Host-b", Value: "2", Secure: true, Path: "/"})
	})
	mux.HandleFunc("/drop", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "__Host-a", MaxAge: -1, Path: "/"})
	})
	mux.HandleFunc("/see", func(w http.ResponseWriter, r *http.Request) {
		seen, origin = r.Header.Get("Cookie"), r.Header.Get("Origin")
	})
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/followed", http.StatusFound) })
	mux.HandleFunc("/followed", func(http.ResponseWriter, *http.Request) { followed = true })
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		part := make([]byte, 1<<20)
		for range maxReply>>20 + 1 {
			if _, err := w.Write(part); err != nil {
				return
			}
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	tr, err := NewTransport(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) (client.Response, error) {
		return tr.Do(t.Context(), client.Request{Method: http.MethodGet, Path: path})
	}
	for _, step := range []struct{ path, cookies string }{{"/set", "__Host-a=1; __Host-b=2"}, {"/drop", "__Host-b=2"}} {
		if _, err := get(step.path); err != nil {
			t.Fatal(err)
		}
		if _, err := get("/see"); err != nil {
			t.Fatal(err)
		}
		if seen != step.cookies || origin != server.URL {
			t.Errorf("after %s: cookies %q, origin %q", step.path, seen, origin)
		}
	}
	if r, err := get("/away"); err != nil || r.Status != http.StatusFound || followed {
		t.Errorf("redirect: %d, %v, followed %v", r.Status, err, followed)
	}
	if _, err := get("/endless"); !errors.Is(err, errTooLong) {
		t.Errorf("endless answer: %v", err)
	}
	for _, path := range []string{"", "v1", "//elsewhere.example/v1", "@elsewhere.example/"} {
		if _, err := get(path); !errors.Is(err, errPath) {
			t.Errorf("path %q: %v", path, err)
		}
	}
}

func TestDevice(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "records")
	d, err := OpenDevice(folder)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	names := []string{"a/upload/x", "a/upload/x/0000000001", "a/upload/x/0000000002", "b/../../etc", "b/A", "b/a", "b/_", "b/_5f", "b/\x00é"}
	for i, name := range names {
		if err := d.Put(ctx, name, []byte{1}); err != nil {
			t.Fatal(err)
		}
		if err := d.Put(ctx, name, []byte{byte(i), 2}); err != nil {
			t.Fatal(err)
		}
	}
	for i, name := range names {
		if got, err := d.Get(ctx, name); err != nil || !bytes.Equal(got, []byte{byte(i), 2}) {
			t.Errorf("%q: %v, %v", name, got, err)
		}
	}
	check(t, os.WriteFile(filepath.Join(folder, ".new-123"), nil, 0o600))
	if got, err := d.List(ctx, "a/upload/x"); err != nil || strings.Join(got, " ") != strings.Join(names[:3], " ") {
		t.Errorf("list: %q, %v", got, err)
	}
	if got, err := d.List(ctx, ""); err != nil || len(got) != len(names) {
		t.Errorf("list of all: %q, %v", got, err)
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
		}
	}
	for range 2 {
		check(t, d.Delete(ctx, names[0]))
	}
	if _, err := d.Get(ctx, names[0]); !errors.Is(err, client.ErrAbsent) {
		t.Errorf("deleted: %v", err)
	}
	for _, bad := range []string{"", strings.Repeat("x", 300)} {
		if err := d.Put(ctx, bad, nil); err == nil {
			t.Errorf("name of %d characters was taken", len(bad))
		}
	}
}

func TestFileSink(t *testing.T) {
	folder := t.TempDir()
	target := filepath.Join(folder, "file")
	one := func(s *FileSink, content string) error {
		if _, err := s.WriteAt([]byte(content), 0); err != nil {
			return err
		}
		if files, err := os.ReadDir(folder); err != nil || len(files) == 0 {
			t.Errorf("nothing beside the target: %v", err)
		}
		return s.Commit()
	}
	check(t, one(NewSink(target, KeepExisting), "first"))
	if err := one(NewSink(target, KeepExisting), "second"); !errors.Is(err, ErrExists) {
		t.Errorf("an existing file: %v", err)
	}
	if got, err := os.ReadFile(target); err != nil || string(got) != "first" {
		t.Errorf("%q, %v", got, err)
	}
	check(t, one(NewSink(target, ReplaceExisting), "third"))
	if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	s := NewSink(filepath.Join(folder, "other"), KeepExisting)
	if _, err := s.WriteAt([]byte("x"), 5); err != nil {
		t.Fatal(err)
	}
	check(t, s.Discard())
	check(t, s.Discard())
	check(t, NewSink(filepath.Join(folder, "empty"), KeepExisting).Commit())
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 2 {
		t.Errorf("%v, %v", files, err)
	}
}

func TestFileSource(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(path, bytes.Repeat([]byte("abc"), 1<<16), 0o600))
	open := func() *FileSource {
		s, err := OpenSource(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { check(t, s.Close()) })
		return s
	}
	first := open()
	if first.Identity() == "" || first.Identity() != open().Identity() {
		t.Error("one file has two identities")
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	before := first.Identity()
	// Another content with size and time put back: the ends give it away.
	check(t, os.WriteFile(path, bytes.Repeat([]byte("abd"), 1<<16), 0o600))
	check(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	if open().Identity() == before {
		t.Error("another content has the same identity")
	}
	if _, err := OpenSource(filepath.Dir(path)); err == nil {
		t.Error("a folder was opened")
	}
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"github.com/underseal/underseal/protocol/log"
)

// checkpointPath is the one resource of a log that is neither a tile nor a bundle.
const checkpointPath = "checkpoint"

// open finds a log where somebody says it is.
func (r *run) open(where string) (log.Source, error) {
	if strings.HasPrefix(where, "http://") || strings.HasPrefix(where, "https://") {
		r.remote = true
		return newWebSource(where, r.token)
	}
	root, err := os.OpenRoot(where)
	if err != nil {
		return nil, misused("%v.", err)
	}
	return folder{root}, nil
}

// limitOf is how many bytes a resource can have; ok is false for a path that no log has.
func limitOf(name string) (limit int64, ok bool) {
	if name == checkpointPath {
		return log.MaxNoteSize, true
	}
	t, err := log.ParseTilePath(name)
	if t.Level == log.LevelEntries {
		return log.MaxBundleSize, err == nil
	}
	return log.MaxTileSize, err == nil
}

// readAll takes no more than a resource can have.
func readAll(from io.Reader, name string) ([]byte, error) {
	limit, ok := limitOf(name)
	if !ok {
		return nil, log.ErrNoTile
	}
	b, err := io.ReadAll(io.LimitReader(from, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", log.ErrTile, name, limit)
	}
	return b, nil
}

// folder is a copy of a log. A copy may come from anybody: nothing in it leads out of it.
type folder struct{ root *os.Root }

var _ log.Source = folder{}

// Read implements log.Source. It refuses links, also to another place in the folder.
func (f folder) Read(_ context.Context, name string) ([]byte, error) {
	if _, ok := limitOf(name); !ok {
		return nil, log.ErrNoTile
	}
	for i, c := range name + "/" {
		if c != '/' {
			continue
		}
		info, err := f.root.Lstat(name[:i])
		if errors.Is(err, fs.ErrNotExist) {
			return nil, log.ErrNoTile
		}
		if err != nil {
			return nil, err
		}
		if i < len(name) && !info.IsDir() || i == len(name) && !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is neither a file nor a folder: links are not followed", name[:i])
		}
	}
	file, err := f.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readAll(file, name)
}

// write puts a file in place whole.
func (f folder) write(name string, b []byte) error {
	if err := f.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	if err := f.root.WriteFile(name+".new", b, 0o644); err != nil {
		return err
	}
	return f.root.Rename(name+".new", name)
}

// webSource is a log on its server.
type webSource struct {
	client *http.Client
	base   string
	token  string
}

var _ log.Source = (*webSource)(nil)

const (
	attempts = 3
	redirect = 3
)

var errElsewhere = errors.New("the server sends to another address, which is refused")

func newWebSource(base, token string) (*webSource, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, misused("%q is no address of a log.", base)
	}
	ip := net.ParseIP(u.Hostname())
	if token != "" && u.Scheme != "https" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, misused("A token is only sent through https.")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true // of hashes nothing can be compressed, and limits are on what arrives
	transport.MaxIdleConnsPerHost = 16
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if len(via) > redirect || next.URL.Host != via[0].URL.Host || next.URL.Scheme != via[0].URL.Scheme {
			return errElsewhere
		}
		return nil
	}}
	return &webSource{client: client, base: strings.TrimSuffix(base, "/"), token: token}, nil
}

// Read implements log.Source.
func (w *webSource) Read(ctx context.Context, name string) ([]byte, error) {
	for i := 1; ; i++ {
		b, again, err := w.get(ctx, name)
		if !again || i == attempts {
			return b, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Duration(i) * 500 * time.Millisecond):
		}
	}
}

// page is whether a type is of what is made for people to read in a browser.
func page(contentType string) bool {
	kind, _, _ := mime.ParseMediaType(contentType)
	return kind == "text/html" || kind == "application/xhtml+xml"
}

// get asks once. again: it may be different the next time.
func (w *webSource) get(ctx context.Context, name string) (b []byte, again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+"/"+name, nil)
	if err != nil {
		return nil, false, err
	}
	if w.token != "" {
		req.Header.Set("Authorization", "Bearer "+w.token)
	}
	reply, err := w.client.Do(req)
	if err != nil {
		return nil, ctx.Err() == nil && !errors.Is(err, errElsewhere), err
	}
	defer reply.Body.Close()
	switch code := reply.StatusCode; {
	case code == http.StatusOK:
		body := bufio.NewReader(reply.Body)
		start, _ := body.Peek(512) // what is not there is told when it is read
		if page(reply.Header.Get("Content-Type")) || page(http.DetectContentType(start)) {
			return nil, false, fmt.Errorf("what answers for %s is a web page and not the log: a proxy, a sign-in page, or another address", name)
		}
		b, err := readAll(body, name)
		return b, err != nil && !errors.Is(err, log.ErrTile), err
	case code == http.StatusNotFound || code == http.StatusGone:
		return nil, false, log.ErrNoTile
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return nil, false, errors.New("the server asks for a token, or for another one")
	default:
		return nil, code == http.StatusTooManyRequests || code >= 500, fmt.Errorf("the server answers %d for %s", code, name)
	}
}

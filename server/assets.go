package server

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/server/access"
)

// types of what is served, by the end of its name. Another file is not served.
var types = map[string]string{
	".html":  "text/html; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".css":   "text/css; charset=utf-8",
	".json":  "application/json",
	".svg":   "image/svg+xml",
	".wasm":  "application/wasm",
	".woff2": "font/woff2",
	".png":   "image/png",
}

// encodings that a file may stand beside itself in, best first.
var encodings = []struct{ name, suffix string }{{"br", ".br"}, {"gzip", ".gz"}}

// assets are the built pages.
type assets struct{ files fs.FS }

func newAssets(files fs.FS) (*assets, error) {
	if files == nil {
		return &assets{}, nil
	}
	if _, err := fs.Stat(files, "index.html"); err != nil {
		return nil, errors.New("server: the pages hold no index.html")
	}
	return &assets{files}, nil
}

// pages are the addresses that people see. The page itself decides what it shows.
func (s *Server) pages(e *echo.Echo) {
	for _, p := range []string{"/", "/setup", "/join", "/recover", "/m/*", "/account"} {
		e.GET(p, s.index)
		e.HEAD(p, s.index)
	}
	e.GET("/sso/:firm", s.leaving)
	e.HEAD("/sso/:firm", s.leaving)
	e.GET("/*", s.nowhere)
	e.GET("/manifest.json", s.manifest)
	e.GET("/a/:name", s.asset)
	e.HEAD("/a/:name", s.asset)
}

func (s *Server) index(c echo.Context) error {
	if s.static.files == nil {
		return c.String(http.StatusServiceUnavailable, "This server was built without its pages: run make.\n")
	}
	return s.static.serve(c, http.StatusOK, "index.html", "no-cache")
}

// leaving is the page that takes a browser to a firm's identity provider. It alone may lead off this origin, and opens nothing:
// it runs no module and has no keys. From any other page a browser that knows Connection-Allowlist follows no redirect to there.
func (s *Server) leaving(c echo.Context) error {
	c.Response().Header().Del("Connection-Allowlist")
	return s.index(c)
}

// nowhere answers an address that leads to nothing: a person who typed it gets the page, which says so, and a program
// the refusal that it reads.
func (s *Server) nowhere(c echo.Context) error {
	r := c.Request()
	program := r.URL.Path == "/v1" || isAPI(r) || strings.HasPrefix(r.URL.Path, "/a/") || path.Ext(r.URL.Path) != ""
	if program || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return access.Deny(api.CodeNotFound)
	}
	return s.static.serve(c, http.StatusNotFound, "index.html", "no-cache")
}

func (s *Server) manifest(c echo.Context) error {
	return s.static.serve(c, http.StatusOK, "manifest.json", "no-cache")
}

// asset serves a file whose name changes with its content.
func (s *Server) asset(c echo.Context) error {
	return s.static.serve(c, http.StatusOK, "a/"+c.Param("name"), "public, max-age=31536000, immutable")
}

// serve sends a file, compressed beforehand where the client takes that: nothing here was made for one reader, so its
// length tells nothing.
func (a *assets) serve(c echo.Context, status int, name, cache string) error {
	kind, known := types[path.Ext(name)]
	if a.files == nil || !known || !fs.ValidPath(name) {
		return access.Deny(api.CodeNotFound)
	}
	if info, err := fs.Stat(a.files, name); err != nil || !info.Mode().IsRegular() {
		return access.Deny(api.CodeNotFound)
	}
	h := c.Response().Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", cache)
	h.Set("Vary", "Accept-Encoding")
	for _, e := range encodings {
		if !accepts(c.Request().Header.Get("Accept-Encoding"), e.name) {
			continue
		}
		if _, err := fs.Stat(a.files, name+e.suffix); err == nil {
			h.Set("Content-Encoding", e.name)
			name += e.suffix
			break
		}
	}
	return send(c, status, a.files, name)
}

func send(c echo.Context, status int, files fs.FS, name string) error {
	file, err := files.Open(name)
	if err != nil {
		return access.Deny(api.CodeNotFound)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	c.Response().Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	c.Response().WriteHeader(status)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	_, err = io.Copy(c.Response(), file)
	return err
}

// accepts reports whether a client takes an encoding: named, and not with a weight of nought.
func accepts(header, name string) bool {
	for item := range strings.SplitSeq(header, ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(item), ";")
		if !strings.EqualFold(strings.TrimSpace(coding), name) {
			continue
		}
		q, isWeight := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
		return !isWeight || strings.Trim(q, "0.") != ""
	}
	return false
}

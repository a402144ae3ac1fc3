package server

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/server/access"
)

// policy lets the page's own scripts, its module and its worker run, and nothing be loaded from or sent to elsewhere. The
// one Trusted Types policy makes the worker's URL.
const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; " +
	"connect-src 'self'; worker-src 'self'; frame-src 'none'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types underseal"

// secured are on every answer.
var secured = map[string]string{
	"Content-Security-Policy":      policy,
	"Integrity-Policy":             "blocked-destinations=(script)",
	"Connection-Allowlist":         "(response-origin)",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Embedder-Policy": "require-corp",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Origin-Agent-Cluster":         "?1",
	"Referrer-Policy":              "no-referrer",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Permissions-Policy": "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=(), " +
		"publickey-credentials-create=(self), publickey-credentials-get=(self)",
}

// headers puts the security headers on every answer, whatever becomes of the request.
func (s *Server) headers(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		for name, value := range secured {
			h.Set(name, value)
		}
		if s.secure {
			h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
		}
		if isAPI(c.Request()) {
			h.Set("Cache-Control", "no-store")
		}
		return next(c)
	}
}

func isAPI(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/v1/") }

// sameOrigin refuses a request that another site's page makes. The cookies are SameSite=Strict besides. An identity provider
// alone sends browsers here from elsewhere, to one route, which asks for a secret of the browser's own.
func (s *Server) sameOrigin(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if !isAPI(r) || (r.Method == http.MethodGet && c.Path() == api.RouteSSOFinish) {
			return next(c)
		}
		if origin := r.Header.Get("Origin"); origin != "" && origin != s.config.Origin {
			return access.Deny(api.CodeForbidden)
		}
		switch r.Header.Get("Sec-Fetch-Site") {
		case "", "none", "same-origin":
			return next(c)
		}
		return access.Deny(api.CodeForbidden)
	}
}

// recovered turns a panic into an answer. What was thrown may hold anything and is not logged.
func (s *Server) recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v) // net/http's own way to cut a connection
				}
				s.config.Logger.Error("a handler panicked", "route", c.Path(), "stack", string(stack()))
				err = access.Deny(api.CodeInternal)
			}
		}()
		return next(c)
	}
}

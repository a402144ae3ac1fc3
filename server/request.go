package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/auth"
)

func stack() []byte { return debug.Stack() }

// maxVaultJSON bounds the two requests that hold a keyring.
const maxVaultJSON = api.MaxJSON + (api.MaxKeyring+2)/3*4

// arrived waits for a request's body, which is small, before anything is asked of clock or session: whoever holds it back acts by
// those of when it came.
func arrived(c echo.Context) error {
	r := c.Request()
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	if r.ContentLength > maxVaultJSON {
		return access.Deny(api.CodeTooLarge)
	}
	b, err := io.ReadAll(http.MaxBytesReader(c.Response(), r.Body, maxVaultJSON))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return access.Deny(api.CodeTooLarge)
	}
	if err != nil {
		return access.Deny(api.CodeBadRequest)
	}
	r.Body = io.NopCloser(bytes.NewReader(b))
	return nil
}

// body reads a request's body of exactly one type and at most limit bytes.
func body(c echo.Context, contentType string, limit int64) ([]byte, error) {
	r := c.Request()
	if r.Header.Get("Content-Type") != contentType || r.Header.Get("Content-Encoding") != "" {
		return nil, access.Deny(api.CodeBadRequest)
	}
	if r.ContentLength > limit {
		return nil, access.Deny(api.CodeTooLarge)
	}
	b, err := io.ReadAll(http.MaxBytesReader(c.Response(), r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, access.Deny(api.CodeTooLarge)
	case err != nil:
		return nil, access.Deny(api.CodeBadRequest)
	}
	// Where a digest is there, a key signed it: these are to be the bytes.
	if digest := r.Header.Get(api.HeaderDigest); digest != "" && digest != api.ContentDigest(sha256.Sum256(b)) {
		return nil, access.Deny(api.CodeDigest)
	}
	return b, nil
}

// decode reads a JSON request strictly: known fields, one value, nothing after it, and no PRF output anywhere.
func decode[T any](c echo.Context, limit int64) (v T, err error) {
	b, err := body(c, api.TypeJSON, limit)
	if err != nil {
		return v, err
	}
	if holdsPRF(b) {
		return v, access.Deny(api.CodeSecretReceived)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if d.Decode(&v) != nil {
		return v, access.Deny(api.CodeBadRequest)
	}
	if _, err := d.Token(); err != io.EOF {
		return v, access.Deny(api.CodeBadRequest)
	}
	return v, nil
}

// holdsPRF looks for results of a prf extension at any depth. It reads tokens, so that a name that comes twice hides
// nothing, and takes names in any case, as decoders do.
func holdsPRF(b []byte) bool {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	found, _ := scanPRF(d, false, 0)
	return found
}

// maxDepth bounds how deep a body may nest; no request comes near it.
const maxDepth = 64

func scanPRF(d *json.Decoder, inPRF bool, depth int) (found bool, err error) {
	t, err := d.Token()
	if err != nil {
		return false, err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return false, nil
	}
	if depth > maxDepth {
		return false, errDepth
	}
	for d.More() {
		name := ""
		if delim == '{' {
			k, err := d.Token()
			if err != nil {
				return false, err
			}
			name, _ = k.(string)
			if inPRF && strings.EqualFold(name, "results") {
				return true, nil
			}
		}
		if found, err := scanPRF(d, strings.EqualFold(name, "prf"), depth+1); found || err != nil {
			return found, err
		}
	}
	_, err = d.Token()
	return false, err
}

var errDepth = errors.New("server: JSON is nested too deep")

// Parameters of a path, in their one form.

func chainParam(c echo.Context, name string) (wire.ChainID, error) {
	id, err := wire.ParseHash(c.Param(name))
	if err != nil {
		return id, access.Deny(api.CodeNotFound)
	}
	return id, nil
}

func objectParam(c echo.Context, name string) (wire.ObjectID, error) {
	id, err := wire.ParseObjectID(c.Param(name))
	if err != nil {
		return id, access.Deny(api.CodeNotFound)
	}
	return id, nil
}

// number reads decimal digits without sign or leading zero.
func number(s string, bits int) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, bits)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return 0, access.Deny(api.CodeBadRequest)
	}
	return n, nil
}

func fromParam(c echo.Context) (uint64, error) {
	s := c.QueryParam("from")
	if s == "" {
		return 0, nil
	}
	return number(s, 64)
}

// Cookies.

const accountCookie = "__Host-underseal-account"

// firmCookies begins the names of a firm's cookies: a browser has one for each of its tabs.
func firmCookies(firm wire.ChainID) string { return "__Host-underseal-" + firm.String()[:12] + "-" }

func firmCookie(firm wire.ChainID, session wire.ObjectID) string {
	return firmCookies(firm) + session.String()[:12]
}

// proofOf is what a request in a firm, or one that changes factors, shows beside its cookie.
func proofOf(c echo.Context) (auth.RequestProof, error) {
	r := c.Request()
	session, err := wire.ParseObjectID(r.Header.Get(api.HeaderSession))
	if err != nil {
		return auth.RequestProof{}, access.Deny(api.CodeNotSignedIn)
	}
	p := auth.RequestProof{Session: session, Method: r.Method, Target: r.RequestURI, Digest: r.Header.Get(api.HeaderDigest), Signature: api.ParseProof(r.Header.Get(api.HeaderProof))}
	if r.ContentLength != 0 && p.Digest == "" {
		return p, access.Deny(api.CodeBadRequest)
	}
	return p, nil
}

func setCookie(c echo.Context, name string, token auth.Token, maxAge time.Duration) {
	cookie := &http.Cookie{Name: name, Value: token.String(), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: int(maxAge / time.Second)}
	if token == nil {
		cookie.MaxAge = -1
	}
	c.SetCookie(cookie)
}

func token(c echo.Context, name string) (auth.Token, error) {
	cookie, err := c.Cookie(name)
	if err != nil {
		return nil, access.Deny(api.CodeNotSignedIn)
	}
	return auth.ParseToken(cookie.Value)
}

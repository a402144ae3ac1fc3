package server_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
)

// FuzzRequests throws bodies at every route that takes one, as an owner. Whatever comes, the answer is one of the known
// codes, and never a fault of the server.
func FuzzRequests(f *testing.F) {
	w := newWorld(f)
	ada := w.founder()
	m := ada.matter()
	link := m.invite(chain.RoleClient, chain.ModeOpensAtOnce)
	doc := m.newFile(newID(f), 100)
	m.bring(doc)
	commit := m.commit(doc).Bytes()
	rotate, _ := m.rotation()
	routes := []struct{ method, path, kind string }{
		{"POST", m.path() + "/entries", api.TypeBinary}, {"POST", m.path() + "/trail", api.TypeBinary}, {"POST", api.Firm(m.firm) + "/chains", api.TypeBinary},
		{"POST", m.path() + "/uploads", api.TypeJSON}, {"POST", api.RouteEnrolments, api.TypeJSON}, {"POST", "/v1/enrolments/" + newID(f).String(), api.TypeJSON},
		{"POST", "/v1/sign-ins/" + newID(f).String(), api.TypeJSON}, {"PUT", api.RouteVault, api.TypeJSON}, {"PUT", api.RouteKeyring, api.TypeJSON},
		{"POST", api.RouteFirms, api.TypeJSON}, {"POST", api.Firm(m.firm) + "/sessions", api.TypeJSON},
	}
	for i := range routes {
		for _, seed := range [][]byte{commit, rotate.Bytes(), []byte(`{"upload":"` + newID(f).String() + `","padded":16384}`), []byte(`{"setup":"x"}`),
			[]byte(`{"invite":{"firm":"` + link.Firm.String() + `","chain":"` + link.Chain.String() + `","invite":"` + link.Invite.String() + `","signature":"AAAA"}}`),
			[]byte(`{"login":{"method":2,"publicKey":"AAAA","signature":"AAAA"},"credential":{"id":"x"}}`), []byte(`{"revision":1,"keyring":"AAAA"}`),
			[]byte(`{"ticket":"AAAA","guest":{"bundle":"AAAA"}}`), nil} {
			f.Add(uint8(i), seed)
		}
	}
	handler := w.server.Handler()
	known := map[api.Code]bool{}
	for _, c := range api.ServerCodes() {
		known[c] = true
	}
	var mu sync.Mutex // the store is one, and a cookie may change
	f.Fuzz(func(t *testing.T, route uint8, body []byte) {
		mu.Lock()
		defer mu.Unlock()
		r := routes[int(route)%len(routes)]
		req := httptest.NewRequest(r.method, r.path, bytes.NewReader(body))
		req.Header.Set("Content-Type", r.kind)
		for name, value := range ada.cookies {
			req.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		m.sign(req)
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, req)
		if rec.Code < 400 {
			return
		}
		a := answer{status: rec.Code, body: rec.Body.Bytes()}
		if !known[a.code()] || a.code() == api.CodeInternal {
			t.Fatalf("%s %s: %d %s", r.method, r.path, rec.Code, rec.Body)
		}
		if strings.Contains(rec.Body.String(), "goroutine") {
			t.Fatal("a stack is told")
		}
	})
}

// FuzzRange: a range that is answered is one that is within the body.
func FuzzRange(f *testing.F) {
	m := newWorld(f).founder().matter()
	doc := m.newFile(newID(f), 100)
	m.put(doc)
	m.release(doc)
	for _, s := range []string{"bytes=0-0", "bytes=-5", "bytes=5-", "bytes=5-1", "bytes=1-2,3-4", "items=1-2", "", "bytes", "bytes=-", "bytes=9999999999999999999-"} {
		f.Add(s)
	}
	handler := m.server.Handler()
	f.Fuzz(func(t *testing.T, spec string) {
		req := httptest.NewRequest("GET", m.bodyPath(doc), nil)
		req.Header["Range"] = []string{spec}
		for name, value := range m.cookies {
			req.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		m.sign(req)
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, req)
		switch rec.Code {
		case 200, 206:
			if !bytes.Contains(doc.body, rec.Body.Bytes()) || rec.Body.Len() == 0 {
				t.Fatalf("%q: %d bytes that are not there", spec, rec.Body.Len())
			}
		case 416:
		default:
			t.Fatalf("%q: %d", spec, rec.Code)
		}
	})
}

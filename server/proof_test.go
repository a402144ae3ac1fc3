package server_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
)

// signedAs are the headers of a request, with one thing wrong.
func (p *player) signedAs(method, target string, body []byte, change func(h map[string]string)) map[string]string {
	digest := ""
	if body != nil {
		digest = api.ContentDigest(sha256.Sum256(body))
	}
	h := api.SignRequest(p.firm, p.session.ID, p.session.Key, method, target, digest)
	change(h)
	return h
}

// TestStolenFirmCookie: who has a member's cookies, from wherever, and not the key of his device has no session: he reads nothing,
// writes nothing, stalls no matter and ends nothing. What he saw of another request he can send again, and that is all.
// S-REQUEST-01
func TestStolenFirmCookie(t *testing.T) {
	w := newWorld(t)
	m := w.founder().matter()
	eve := w.founder()
	renamed := m.renamed("theirs")
	entries := m.path() + "/entries"
	thief := &player{world: w, cookies: maps.Clone(m.cookies), firm: m.firm, session: m.session, author: m.author}
	stranger, _, err := chainSession(m)
	w.ok(err)
	for name, header := range map[string]map[string]string{
		"no proof":                {},
		"the session alone":       {api.HeaderSession: m.session.ID.String()},
		"no signature":            m.signedAs("GET", entries, nil, func(h map[string]string) { delete(h, api.HeaderProof) }),
		"noise":                   m.signedAs("GET", entries, nil, func(h map[string]string) { h[api.HeaderProof] = strings.Repeat("A", 86) }),
		"not base64":              m.signedAs("GET", entries, nil, func(h map[string]string) { h[api.HeaderProof] += "=" }),
		"of another path":         m.signedAs("GET", m.path(), nil, func(map[string]string) {}),
		"of another query":        m.signedAs("GET", entries+"?from=1", nil, func(map[string]string) {}),
		"of another method":       m.signedAs("POST", entries, nil, func(map[string]string) {}),
		"with a digest beside it": m.signedAs("GET", entries, nil, func(h map[string]string) { h[api.HeaderDigest] = api.ContentDigest([32]byte{}) }),
		"of another session":      m.signedAs("GET", entries, nil, func(h map[string]string) { h[api.HeaderSession] = newID(t).String() }),
		"by another device's key": api.SignRequest(m.firm, m.session.ID, stranger, "GET", entries, ""),
		"for another firm":        api.SignRequest(eve.firm, m.session.ID, m.session.Key, "GET", entries, ""),
		"two session ids":         m.signedAs("GET", entries, nil, func(h map[string]string) { h[api.HeaderSession] += ", " + h[api.HeaderSession] }),
	} {
		if got := thief.do("GET", entries, "", nil, header); got.code() != api.CodeNotSignedIn {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	other := m.renamed("other")
	for name, c := range map[string]struct {
		header map[string]string
		code   api.Code
	}{
		"of another body":  {m.signedAs("POST", entries, other.Bytes(), func(map[string]string) {}), api.CodeDigest},
		"without a digest": {api.SignRequest(m.firm, m.session.ID, m.session.Key, "POST", entries, ""), api.CodeBadRequest},
	} {
		if got := thief.do("POST", entries, api.TypeBinary, strings.NewReader(string(renamed.Bytes())), c.header); got.code() != c.code {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	refused(t, thief.do("DELETE", api.Firm(m.firm)+"/session", "", nil, nil), api.CodeNotSignedIn)
	// The session goes on, and the very request that he saw does what it did.
	header := m.signedAs("POST", entries, renamed.Bytes(), func(map[string]string) {})
	first := want[api.Appended](t, m.do("POST", entries, api.TypeBinary, strings.NewReader(string(renamed.Bytes())), header))
	again := want[api.Appended](t, thief.do("POST", entries, api.TypeBinary, strings.NewReader(string(renamed.Bytes())), header))
	if first.ChainHead != again.ChainHead {
		t.Errorf("%+v then %+v", first, again)
	}
}

func chainSession(m *matter) (ed25519.PrivateKey, *chain.Session, error) {
	s, err := chain.NewSession(m.author, m.firm, 1e12)
	if err != nil {
		return nil, nil, err
	}
	return s.Key, s, nil
}

// TestTabs: two tabs of one browser have a session each in one jar of cookies, and neither takes the other's. Those that ended
// leave the jar, and there are never more than a few.
func TestTabs(t *testing.T) {
	w := newWorld(t)
	one := w.founder()
	two := one.tab()
	two.opened = nil
	two.open()
	one.cookies = two.cookies
	for range 3 {
		want[api.Chains](t, one.get(api.Firm(one.firm)+"/chains"))
		want[api.Chains](t, two.get(api.Firm(one.firm)+"/chains"))
	}
	refused(t, two.do("DELETE", api.Firm(one.firm)+"/session", "", nil, nil), "")
	want[api.Chains](t, one.get(api.Firm(one.firm)+"/chains"))
	refused(t, two.get(api.Firm(one.firm)+"/chains"), api.CodeNotSignedIn)
	tabs := func() (n int) {
		for name := range one.cookies {
			if strings.HasPrefix(name, "__Host-underseal-"+one.firm.String()[:12]) {
				n++
			}
		}
		return n
	}
	for range 25 {
		one.open()
	}
	if n := tabs(); n < 10 || n > 20 {
		t.Errorf("%d cookies of sessions that go on", n)
	}
	w.clock.advance(13 * 3600e9)
	want[api.Account](t, one.signIn())
	one.open()
	if n := tabs(); n != 1 {
		t.Errorf("%d cookies, of which one leads somewhere", n)
	}
	if a := one.do(http.MethodGet, api.Firm(one.firm)+"/chains", "", nil, nil); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

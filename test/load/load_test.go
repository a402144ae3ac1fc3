// Package load asks much of the real server at once.
package load

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/client/native"
	"github.com/underseal/underseal/keys/opaque"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/auth/limit"
	"github.com/underseal/underseal/server/auth/totp"
	"github.com/underseal/underseal/test/program"
)

const horses = "correct horse battery staple"

// story is a firm whose founder signs in with a passkey, and whose client with a password and another passkey.
type story struct {
	*testing.T
	ctx        context.Context
	server     *program.Server
	ada, clara *client.Client
	adas       *passkey
	claras     *passkey
}

func (s *story) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *story) person() *client.Client {
	s.Helper()
	transport, err := native.NewTransport(s.server.Origin)
	s.ok(err)
	device, err := native.OpenDevice(s.TempDir())
	s.ok(err)
	return client.New(client.Config{Origin: s.server.Origin, Transport: transport, Device: device, Pump: native.NewPump(transport, rand.Reader),
		Passwords: native.Passwords{}, Random: rand.Reader, Now: time.Now})
}

// newStory begins one on a server that is told by a proxy where requests come from.
func newStory(t *testing.T) *story {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	s := &story{T: t, ctx: ctx, server: program.Start(t, program.Binary(t), "", "UNDERSEAL_ADDRESS_HEADER="+proxied)}
	s.ada, s.clara = s.person(), s.person()
	s.adas, s.claras = newPasskey(t, s.server.Origin), newPasskey(t, s.server.Origin)

	_, secret, _ := strings.Cut(s.server.SetupLink(), "#")
	options, err := s.ada.SetupOptions(ctx, secret, "Ada", "Ada LLP")
	s.ok(err)
	s.ok(s.ada.SetupFinish(ctx, s.adas.create(options)))
	kit, err := s.ada.CreateKit()
	s.ok(err)
	s.ok(s.ada.TestKit(kit.Kit))
	s.ok(s.ada.ConfirmKit(ctx))
	begun, err := s.ada.AuthenticatorBegin(ctx)
	s.ok(err)
	s.ok(s.ada.AuthenticatorFinish(ctx, s.code(begun)))
	s.ok(s.ada.SetPassword(ctx, "ada", []byte(horses)))
	view, err := s.ada.Overview(ctx)
	s.ok(err)
	firm, err := wire.ParseHash(view.Firms[0].Firm)
	s.ok(err)
	matter, err := s.ada.CreateMatter(ctx, firm, "Doe v. Roe")
	s.ok(err)
	link, _, err := s.ada.Invite(ctx, matter, "Clara", chain.RoleClient, chain.ModeOpensAtOnce, time.Now().Add(time.Hour))
	s.ok(err)

	_, err = s.clara.OpenInvite(ctx, link)
	s.ok(err)
	_, err = s.clara.InviteOptions(ctx)
	s.ok(err)
	begun, err = s.clara.EnrolPassword(ctx, "clara", []byte(horses))
	s.ok(err)
	_, err = s.clara.InviteFinish(ctx, client.Unlocker{Code: s.code(begun)})
	s.ok(err)
	options, err = s.clara.PasskeyAddOptions(ctx)
	s.ok(err)
	s.ok(s.clara.PasskeyAddFinish(ctx, s.claras.create(options), "Key"))
	return s
}

// code is what an app shows that was just set up.
func (s *story) code(a client.Authenticator) string {
	s.Helper()
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(a.Secret)
	s.ok(err)
	return totp.Secret(b).Code(time.Now())
}

// byPasskey signs Ada in, whose name is being guessed at, and says how long it took.
func (s *story) byPasskey() time.Duration {
	s.Helper()
	s.ada.SignOut(s.ctx)
	began := time.Now()
	options, err := s.ada.SignInOptions(s.ctx)
	s.ok(err)
	s.ok(s.ada.SignInPasskey(s.ctx, s.adas.get(options), s.adas.prf))
	return time.Since(began)
}

// byPassword signs Clara in with hers and a passkey, and says how long it took. The stretch is the client's own work.
func (s *story) byPassword() time.Duration {
	s.Helper()
	s.clara.SignOut(s.ctx)
	began := time.Now()
	step, err := s.clara.SignInPassword(s.ctx, "clara", []byte(horses))
	s.ok(err)
	if step.Passkey == nil {
		s.Fatal("no passkey is asked for")
	}
	s.ok(s.clara.SignInSecond(s.ctx, s.claras.get(*step.Passkey), nil))
	return time.Since(began)
}

const proxied = "X-Forwarded-For"

// guess is one attempt, and the code of its answer: none where a sign-in was begun.
func (s *story) guess(c *http.Client, address string, name wire.Hash, ke1 []byte) (api.Code, error) {
	b, err := json.Marshal(api.PasswordStart{Name: name, KE1: ke1})
	if err != nil {
		return "", err
	}
	r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.server.Origin+api.RoutePasswordSignIns, bytes.NewReader(b))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", api.TypeJSON)
	r.Header.Set(proxied, address)
	reply, err := c.Do(r)
	if err != nil {
		return "", err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode == http.StatusOK {
		return "", err
	}
	var e api.Error
	if err := json.Unmarshal(body, &e); err != nil {
		return "", fmt.Errorf("%s: %w", reply.Status, err)
	}
	return e.Code, nil
}

const attempts, thieves = 10_000, 200 // fifty each: what an address has free

// flood has all thieves guess, and counts the answers by their codes.
func (s *story) flood(try func(thief, n int) (address string, name wire.Hash)) (answers map[api.Code]int) {
	s.Helper()
	_, ke1, err := opaque.LoginStart("any", s.server.Origin, []byte("correct horse battery stable"))
	s.ok(err)
	answers = map[api.Code]int{}
	var mu sync.Mutex // guards answers
	var all sync.WaitGroup
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: thieves, MaxConnsPerHost: thieves}}
	defer c.CloseIdleConnections()
	for thief := range thieves {
		all.Go(func() {
			for n := range attempts / thieves {
				address, name := try(thief, n)
				code, err := s.guess(c, address, name, ke1)
				if err != nil {
					s.Error(err)
					return
				}
				mu.Lock()
				answers[code]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return answers
}

// TestTenThousandWrongPasswords: S-LIMIT-01, S-LIMIT-02. It has ten thousand wrong passwords tried in parallel, and prints how long a good sign-in takes
// meanwhile. How long it may take is not asserted: that is the machine's. That it works is, also for her whose name is tried.
func TestTenThousandWrongPasswords(t *testing.T) {
	s := newStory(t)
	adas, err := api.LoginName(s.server.Origin, "ada")
	s.ok(err)
	claras, err := api.LoginName(s.server.Origin, "clara")
	s.ok(err)
	for _, c := range []struct {
		what string
		try  func(thief, n int) (string, wire.Hash)
		most int // that may begin: one name waits, and so no name is tried in two cases
	}{
		{"one name, from one address", func(int, int) (string, wire.Hash) { return "198.51.100.1", adas }, 20},
		{"one name, from many addresses", func(thief, n int) (string, wire.Hash) { return fmt.Sprintf("2001:db8:%x:%x::1", thief, n), claras }, 20},
		{"many names, from many addresses", func(thief, n int) (string, wire.Hash) {
			return fmt.Sprintf("203.0.113.%d", thief), wire.Hash{byte(thief), byte(n), 1}
		}, attempts},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := *s
			s.T = t
			alone, alonePassword := s.byPasskey(), s.byPassword()
			var answers map[api.Code]int
			began, done := time.Now(), make(chan struct{})
			go func() { answers = s.flood(c.try); close(done) }()
			defer func() { <-done }()
			var byPasskey, byPassword []time.Duration
			for over := false; !over; {
				byPasskey, byPassword = append(byPasskey, s.byPasskey()), append(byPassword, s.byPassword())
				select {
				case <-done:
					over = true
				case <-time.After(500 * time.Millisecond): // a factor opens no more than sixty sessions a minute
				}
			}
			t.Logf("%d wrong ones took %v, %d of them began, %d had to wait", attempts, time.Since(began).Round(time.Millisecond), answers[""], answers[api.CodeTooMany])
			report(t, "passkey", alone, byPasskey)
			report(t, "password and a passkey", alonePassword, byPassword)
			if answers[""]+answers[api.CodeTooMany] != attempts || answers[""] > c.most || answers[""] < limit.FreeOfAccount {
				t.Errorf("answers: %v", answers)
			}
		})
	}
}

func report(t *testing.T, what string, alone time.Duration, meanwhile []time.Duration) {
	slices.Sort(meanwhile)
	ms := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	t.Logf("a good sign-in by %s took %v alone, meanwhile a median of %v and at most %v (%d of them)", what, ms(alone), ms(meanwhile[len(meanwhile)/2]),
		ms(meanwhile[len(meanwhile)-1]), len(meanwhile))
}

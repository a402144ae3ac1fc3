package opaque

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bytemare/opaque"
)

const (
	ada    = "ada"
	origin = "https://firm.example"
)

var secret = []byte("correct horse battery staple")

func newServer(t testing.TB, seed byte, origin string) *Server {
	t.Helper()
	s, err := NewServer([SeedSize]byte{seed}, origin)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// unstretched is our suite without Argon2id, for tests that sign in often. What
// they show has nothing to do with the stretch, and a server does not see it.
func unstretched() suite {
	s := ourSuite()
	s.conf.KSF, s.stretch = 0, opaque.ClientOptions{}
	return s
}

type person struct {
	suite    suite
	name     string
	origin   string
	password []byte
}

func (p person) register(t testing.TB, server *Server) (record, exportKey []byte) {
	t.Helper()
	r, request, err := p.suite.registerStart(parties{[]byte(p.name), []byte(p.origin)}, p.password, opaque.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.RegisterResponse(p.name, request)
	if err != nil {
		t.Fatal(err)
	}
	record, exportKey, err = r.Finish(response)
	if err != nil || CheckRecord(record) != nil {
		t.Fatal(err)
	}
	return record, exportKey
}

func (p person) start(t testing.TB) (*Login, []byte) {
	t.Helper()
	l, ke1, err := p.suite.loginStart(parties{[]byte(p.name), []byte(p.origin)}, p.password, opaque.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return l, ke1
}

// TestPassword is the whole story with the suite that ships.
func TestPassword(t *testing.T) {
	server := newServer(t, 1, origin)
	started := time.Now()
	r, request, err := RegisterStart(ada, origin, secret)
	if err != nil || len(request) != RegistrationRequestSize {
		t.Fatalf("%d bytes, %v", len(request), err)
	}
	response, err := server.RegisterResponse(ada, request)
	if err != nil || len(response) != RegistrationResponseSize {
		t.Fatalf("%d bytes, %v", len(response), err)
	}
	record, exportKey, err := r.Finish(response)
	if err != nil || len(record) != RecordSize || len(exportKey) != ExportKeySize || CheckRecord(record) != nil {
		t.Fatalf("%d and %d bytes, %v", len(record), len(exportKey), err)
	}
	t.Logf("a registration takes %v", time.Since(started).Round(time.Millisecond))
	if _, _, err := r.Finish(response); err != ErrRefused {
		t.Errorf("a registration finishes twice: %v", err)
	}

	started = time.Now()
	l, ke1, err := LoginStart(ada, origin, secret)
	if err != nil || len(ke1) != KE1Size {
		t.Fatalf("%d bytes, %v", len(ke1), err)
	}
	ke2, state, err := server.LoginStart(ada, record, ke1)
	if err != nil || len(ke2) != KE2Size || len(state) != StateSize {
		t.Fatalf("%d and %d bytes, %v", len(ke2), len(state), err)
	}
	ke3, sessionKey, again, err := l.Finish(ke2)
	if err != nil || len(ke3) != KE3Size || len(sessionKey) != SessionKeySize || !bytes.Equal(again, exportKey) {
		t.Fatalf("%d and %d bytes, %v", len(ke3), len(sessionKey), err)
	}
	theirs, err := LoginFinish(state, ke3)
	if err != nil || !bytes.Equal(theirs, sessionKey) {
		t.Fatalf("the two have different session keys: %v", err)
	}
	t.Logf("a sign-in takes %v", time.Since(started).Round(time.Millisecond))
	if _, _, _, err := l.Finish(ke2); err != ErrRefused {
		t.Errorf("a sign-in finishes twice: %v", err)
	}
	// The same person without the stretch: not one bit of the parameters may
	// be the server's to choose, so this is another password.
	weak := person{unstretched(), ada, origin, secret}
	weakLogin, ke1 := weak.start(t)
	ke2, _, err = server.LoginStart(ada, record, ke1)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := weakLogin.Finish(ke2); err != ErrRefused {
		t.Errorf("a client without the stretch signs in: %v", err)
	}
}

// TestStretchIsCompiledIn: attack 11. No message has parameters, and those of
// the client are the floor of package vault.
func TestStretchIsCompiledIn(t *testing.T) {
	o := ourSuite().withStretch(opaque.ClientOptions{})
	if fmt.Sprint(o.KSFParameters) != "[3 65536 1]" || !bytes.Equal(o.KSFSalt, make([]byte, 16)) || o.KSFLength != 64 {
		t.Errorf("%v, %x, %d", o.KSFParameters, o.KSFSalt, o.KSFLength)
	}
}

// TestWhatSignsNobodyIn plays everything that is not the right password of the
// right name at the right server.
func TestWhatSignsNobodyIn(t *testing.T) { // attack 13
	server := newServer(t, 1, origin)
	her := person{unstretched(), ada, origin, secret}
	record, _ := her.register(t, server)
	elsewhere := her
	elsewhere.origin = "https://firm.example.evil"
	bob := her
	bob.name = "bob"
	bobs, _ := bob.register(t, server)
	wrong := her
	wrong.password = []byte("Correct horse battery staple")
	for _, c := range []struct {
		name   string
		who    person
		server *Server
		as     string
		record []byte
		works  bool
	}{
		{"the right one", her, server, ada, record, true},
		{"another password", wrong, server, ada, record, false},
		{"a client that believes to be elsewhere", elsewhere, server, ada, record, false},
		{"a server of another origin", her, newServer(t, 1, "https://firm.example.evil"), ada, record, false},
		{"a server of another seed", her, newServer(t, 2, origin), ada, record, false},
		{"a server that answers for another name", her, server, "bob", record, false},
		{"another person's record", her, server, ada, bobs, false},
		{"another person's record and name", her, server, "bob", bobs, false},
		{"a name that she does not have", bob, server, ada, record, false},
		{"no record", her, server, ada, nil, false},
	} {
		login, ke1 := c.who.start(t)
		ke2, state, err := c.server.LoginStart(c.as, c.record, ke1)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		ke3, sessionKey, exportKey, err := login.Finish(ke2)
		if c.works {
			if _, err := LoginFinish(state, ke3); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != ErrRefused || ke3 != nil || sessionKey != nil || exportKey != nil {
			t.Errorf("%s: %v, want exactly ErrRefused and nothing", c.name, err)
		}
		for _, guess := range [][]byte{nil, make([]byte, KE3Size), bytes.Repeat([]byte{255}, KE3Size), ke2[KE2Size-KE3Size:], state[:KE3Size]} {
			if key, err := LoginFinish(state, guess); err != ErrRefused || key != nil {
				t.Errorf("%s: a guess finishes: %v", c.name, err)
			}
		}
	}
}

// TestMessagesChanged flips each byte of each message and cuts each.
func TestMessagesChanged(t *testing.T) {
	server := newServer(t, 1, origin)
	her := person{unstretched(), ada, origin, secret}
	record, _ := her.register(t, server)
	finish := func(ke2 []byte, ke1 func([]byte) []byte) error {
		login, first := her.start(t)
		if ke1 != nil {
			first = ke1(first)
		}
		answer, state, err := server.LoginStart(ada, record, first)
		if err != nil {
			return err
		}
		if ke2 != nil {
			for i := range answer {
				answer[i] ^= ke2[i]
			}
		}
		ke3, _, _, err := login.Finish(answer)
		if err != nil {
			return err
		}
		_, err = LoginFinish(state, ke3)
		return err
	}
	if err := finish(nil, nil); err != nil {
		t.Fatal(err)
	}
	for i := range KE2Size {
		mask := make([]byte, KE2Size)
		mask[i] = 1
		if err := finish(mask, nil); err != ErrRefused {
			t.Errorf("byte %d of KE2 changed: %v", i, err)
		}
	}
	for i := range KE1Size {
		if err := finish(nil, func(b []byte) []byte { b[i] ^= 1; return b }); err != ErrRefused {
			t.Errorf("byte %d of KE1 changed: %v", i, err)
		}
	}
	// A record that somebody changed in the store signs nobody in, whatever it
	// says, and an entry that is no record is refused before it is stored.
	for i := range record {
		changed := bytes.Clone(record)
		changed[i] ^= 1
		login, ke1 := her.start(t)
		ke2, _, err := server.LoginStart(ada, changed, ke1)
		if err == nil {
			_, _, _, err = login.Finish(ke2)
		}
		if err != ErrRefused {
			t.Errorf("byte %d of the record changed: %v", i, err)
		}
	}
}

// TestSizes: one length each, checked before anything else.
func TestSizes(t *testing.T) {
	server := newServer(t, 1, origin)
	her := person{unstretched(), ada, origin, secret}
	record, _ := her.register(t, server)
	_, ke1 := her.start(t)
	ke2, state, err := server.LoginStart(ada, record, ke1)
	if err != nil {
		t.Fatal(err)
	}
	request := ke1[:32]
	for name, c := range map[string]struct {
		good []byte
		try  func([]byte) error
	}{
		"request":        {request, func(b []byte) error { _, err := server.RegisterResponse(ada, b); return err }},
		"record":         {record, func(b []byte) error { return CheckRecord(b) }},
		"record 2":       {record, func(b []byte) error { _, _, err := server.LoginStart(ada, b, ke1); return err }},
		"KE1":            {ke1, func(b []byte) error { _, _, err := server.LoginStart(ada, record, b); return err }},
		"KE1 for nobody": {ke1, func(b []byte) error { _, _, err := server.LoginStart(ada, nil, b); return err }},
		"response": {join(request, request), func(b []byte) error {
			r, _, err := her.suite.registerStart(parties{[]byte(ada), []byte(origin)}, secret, opaque.ClientOptions{})
			if err == nil {
				_, _, err = r.Finish(b)
			}
			return err
		}},
	} {
		if err := c.try(c.good); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, b := range [][]byte{{}, c.good[:len(c.good)-1], append(bytes.Clone(c.good), 0), append(bytes.Clone(c.good), c.good...), make([]byte, len(c.good)),
			bytes.Repeat([]byte{255}, len(c.good))} {
			if err := c.try(b); err != ErrRefused {
				t.Errorf("%s of %d bytes: %v, want exactly ErrRefused", name, len(b), err)
			}
		}
	}
	for name, b := range map[string][]byte{"cut": ke2[:KE2Size-1], "extended": append(bytes.Clone(ke2), 0), "empty": nil, "zeros": make([]byte, KE2Size)} {
		login, _ := her.start(t)
		if _, _, _, err := login.Finish(b); err != ErrRefused {
			t.Errorf("KE2 %s: %v", name, err)
		}
		if _, _, _, err := login.Finish(ke2); err != ErrRefused {
			t.Errorf("KE2 after one that was %s: %v", name, err)
		}
	}
	ke3 := bytes.Repeat([]byte{7}, KE3Size)
	state = newState(ke3, ke3, 1)
	for _, b := range [][]byte{nil, state[:StateSize-1], append(bytes.Clone(state), 0)} {
		if _, err := LoginFinish(b, ke3); err != ErrRefused {
			t.Errorf("state of %d bytes: %v", len(b), err)
		}
	}
	for _, b := range [][]byte{nil, ke3[1:], append(bytes.Clone(ke3), 7)} {
		if _, err := LoginFinish(newState(b, ke3, 1), b); err != ErrRefused {
			t.Errorf("KE3 of %d bytes: %v", len(b), err)
		}
	}
	// Fields of zeros, which broken randomness gives.
	for name, c := range map[string]struct {
		good     []byte
		from, to int
		try      func([]byte) error
	}{
		"nonce of KE1":           {ke1, 32, 64, func(b []byte) error { _, _, err := server.LoginStart(ada, record, b); return err }},
		"masking key":            {record, 32, 96, CheckRecord},
		"masking nonce of KE2":   {ke2, 32, 64, parsesKE2},
		"masked response":        {ke2, 64, 192, parsesKE2},
		"nonce of KE2":           {ke2, 192, 224, parsesKE2},
		"MAC of KE2":             {ke2, 256, 320, parsesKE2},
		"evaluated point":        {ke2, 0, 32, parsesKE2},
		"key share of KE2":       {ke2, 224, 256, parsesKE2},
		"key share of KE1":       {ke1, 64, 96, func(b []byte) error { _, _, err := server.LoginStart(ada, record, b); return err }},
		"public key of a record": {record, 0, 32, CheckRecord},
	} {
		if err := c.try(c.good); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		changed := bytes.Clone(c.good)
		clear(changed[c.from:c.to])
		if err := c.try(changed); err != ErrRefused {
			t.Errorf("%s of zeros: %v", name, err)
		}
	}
}

func parsesKE2(b []byte) error {
	if _, ok := ourSuite().parseKE2(b); !ok {
		return ErrRefused
	}
	return nil
}

func TestBoundsOfWhatIsTyped(t *testing.T) {
	long := strings.Repeat("a", MaxName+1)
	for _, c := range []struct {
		name, origin string
		password     []byte
	}{
		{"", origin, secret}, {long, origin, secret}, {ada, "", secret}, {ada, long, secret}, {ada, origin, nil}, {ada, origin, []byte{}},
		{ada, origin, make([]byte, MaxPassword+1)},
	} {
		if r, b, err := RegisterStart(c.name, c.origin, c.password); err != ErrRefused || r != nil || b != nil {
			t.Errorf("registration of %d, %d, %d bytes: %v", len(c.name), len(c.origin), len(c.password), err)
		}
		if l, b, err := LoginStart(c.name, c.origin, c.password); err != ErrRefused || l != nil || b != nil {
			t.Errorf("sign-in of %d, %d, %d bytes: %v", len(c.name), len(c.origin), len(c.password), err)
		}
	}
	if _, _, err := LoginStart(long[:MaxName], long[:MaxName], make([]byte, MaxPassword)); err != nil {
		t.Errorf("the longest: %v", err)
	}
	for _, o := range []string{"", long} {
		if s, err := NewServer([SeedSize]byte{1}, o); err != ErrRefused || s != nil {
			t.Errorf("a server of %d bytes: %v", len(o), err)
		}
	}
	server := newServer(t, 1, origin)
	_, ke1, err := LoginStart(ada, origin, secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", long} {
		if _, err := server.RegisterResponse(name, ke1[:32]); err != ErrRefused {
			t.Errorf("a response for %d bytes: %v", len(name), err)
		}
		if _, _, err := server.LoginStart(name, nil, ke1); err != ErrRefused {
			t.Errorf("KE2 for %d bytes: %v", len(name), err)
		}
	}
}

// TestUnknownName plays somebody who wants to learn which names exist.
func TestUnknownName(t *testing.T) { // attack 87
	server := newServer(t, 1, origin)
	her := person{unstretched(), ada, origin, secret}
	record, _ := her.register(t, server)
	login, ke1 := her.start(t)
	unknown, state, err := server.LoginStart("nobody", nil, ke1)
	if err != nil {
		t.Fatal(err)
	}
	known, stateOfKnown, err := server.LoginStart(ada, record, ke1)
	if err != nil {
		t.Fatal(err)
	}
	if len(unknown) != len(known) || len(state) != len(stateOfKnown) {
		t.Errorf("answers of %d and %d bytes, states of %d and %d", len(unknown), len(known), len(state), len(stateOfKnown))
	}
	if _, _, _, err := login.Finish(unknown); err != ErrRefused {
		t.Errorf("a name without an account: %v, want what another password says", err)
	}
	// What does not depend on a message's randomness is the same at every
	// answer and after a restart, and another for another name and server.
	again := newServer(t, 1, origin)
	same, _, err := again.LoginStart("nobody", nil, ke1)
	if err != nil || !bytes.Equal(same[:32], unknown[:32]) || !bytes.Equal(again.fakeRecord("nobody"), server.fakeRecord("nobody")) {
		t.Errorf("an answer changes with a restart: %v", err)
	}
	seen := map[string]string{}
	for name, s := range map[string]*Server{"nobody": server, "nobody2": server, ada: server, "another seed": newServer(t, 2, origin)} {
		fake := s.fakeRecord(name)
		if CheckRecord(fake) != nil {
			t.Errorf("the fake record of %s is none", name)
		}
		for _, part := range []string{string(fake[:32]), string(fake[32:96])} {
			if other, ok := seen[part]; ok {
				t.Errorf("%s and %s have the same fake record", name, other)
			}
			seen[part] = name
		}
	}
	// Before and after an account comes into being, its name is evaluated alike.
	before, _, err := server.LoginStart(ada, nil, ke1)
	if err != nil || !bytes.Equal(before[:32], known[:32]) {
		t.Errorf("that an account was made shows in the evaluation: %v", err)
	}
}

// TestFakeNeverFinishes: not even who could compute the MAC of a fake record
// has a session, for there is no account.
func TestFakeNeverFinishes(t *testing.T) {
	server := newServer(t, 1, origin)
	_, ke1 := person{unstretched(), "nobody", origin, secret}.start(t)
	if picked, known := server.pick("nobody", nil); known != 0 || !bytes.Equal(picked, server.fakeRecord("nobody")) {
		t.Errorf("no record is known: %d", known)
	}
	record, _ := person{unstretched(), ada, origin, secret}.register(t, server)
	if picked, known := server.pick(ada, record); known != 1 || !bytes.Equal(picked, record) {
		t.Errorf("a record is not known: %d", known)
	}
	_, mac, key, err := server.loginStart(parties{[]byte("nobody"), []byte(origin)}, []byte("nobody"), server.fakeRecord("nobody"), ke1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LoginFinish(newState(mac, key, 1), mac); err != nil {
		t.Fatalf("the MAC is not the right one: %v", err)
	}
	if _, err := LoginFinish(newState(mac, key, 0), mac); err != ErrRefused {
		t.Errorf("a sign-in without an account finishes: %v", err)
	}
}

// TestStateTellsNothing plays somebody who reads the rows of the server.
func TestStateTellsNothing(t *testing.T) {
	server := newServer(t, 1, origin)
	her := person{unstretched(), ada, origin, secret}
	record, _ := her.register(t, server)
	login, ke1 := her.start(t)
	ke2, state, err := server.LoginStart(ada, record, ke1)
	if err != nil {
		t.Fatal(err)
	}
	ke3, sessionKey, exportKey, err := login.Finish(ke2)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string][]byte{"KE3": ke3, "the session key": sessionKey, "the export key": exportKey} {
		for i := 0; i+8 <= len(s); i++ {
			if bytes.Contains(join(state, record, ke1, ke2), s[i:i+8]) {
				t.Fatalf("%s stands in what the server keeps", name)
			}
		}
	}
	for i := 0; i+KE3Size <= StateSize; i++ {
		if _, err := LoginFinish(state, state[i:i+KE3Size]); err != ErrRefused {
			t.Errorf("a state finishes itself: %v", err)
		}
	}
	// A KE3 is good for its own sign-in only.
	_, ke1 = her.start(t)
	_, other, err := server.LoginStart(ada, record, ke1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LoginFinish(other, ke3); err != ErrRefused {
		t.Errorf("KE3 of another sign-in: %v", err)
	}
}

// TestConcurrently is for the race detector: one Server answers all.
func TestConcurrently(t *testing.T) {
	server := newServer(t, 1, origin)
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			her := person{unstretched(), fmt.Sprint(n), origin, secret}
			record, exportKey := her.register(t, server)
			for range 4 {
				login, ke1 := her.start(t)
				ke2, state, err := server.LoginStart(her.name, record, ke1)
				if err != nil {
					t.Error(err)
					return
				}
				ke3, _, again, err := login.Finish(ke2)
				if err != nil || !bytes.Equal(again, exportKey) {
					t.Error(err)
					return
				}
				if _, err := LoginFinish(state, ke3); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

func TestSecretsAreNotPrinted(t *testing.T) {
	r, _, err := RegisterStart(ada, origin, secret)
	if err != nil {
		t.Fatal(err)
	}
	l, _, err := LoginStart(ada, origin, secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []any{r, l, newServer(t, 1, origin)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if text := fmt.Sprintf(verb, secret); !strings.Contains(text, "private") || len(text) > 60 {
				t.Errorf("%s of %T prints %d characters", verb, secret, len(text))
			}
		}
		if _, err := json.Marshal(secret); err == nil {
			t.Errorf("%T marshals", secret)
		}
	}
}

// BenchmarkServer is what one KE1 costs a server, with and without an account.
func BenchmarkServer(b *testing.B) {
	server := newServer(b, 1, origin)
	her := person{unstretched(), ada, origin, secret}
	record, _ := her.register(b, server)
	_, ke1 := her.start(b)
	for name, record := range map[string][]byte{"known": record, "unknown": nil} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := server.LoginStart(ada, record, ke1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package evilserver

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha512"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/bytemare/ksf"
	rfc9807 "github.com/bytemare/opaque"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/opaque"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

var passwordCases = []attack{
	{"11-weaker-stretch", weakerStretch},
	{"12-stretch-that-stops-the-device", heavierStretch},
	{"13-another-salt", anotherSalt},
	{"23-one-ciphertext-for-many-passwords", manyPasswords},
	{"24-session-outlives", sessionOutlives},
	{"87-who-has-an-account", whoHasAnAccount},
}

const horses = "correct horse battery staple"

// protected is an office whose client signs in with a password.
func protected(t *testing.T) *office {
	t.Helper()
	o := newOffice(t)
	o.clara.SecondWay()
	o.clara.UsePassword("clara.client", horses)
	return o
}

func (w *World) login(name string) wire.Hash {
	w.Helper()
	hash, err := api.LoginName(w.Origin, name)
	w.ok(err)
	return hash
}

// ask sends JSON to the server, past every client, and is its answer.
func (w *World) ask(method, path string, v any, header map[string]string) (status int, body []byte) {
	w.Helper()
	b, err := json.Marshal(v)
	w.ok(err)
	r, err := http.NewRequest(method, w.Origin+path, bytes.NewReader(b))
	w.ok(err)
	r.Header.Set("Content-Type", api.TypeJSON)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	reply, err := http.DefaultClient.Do(r)
	w.ok(err)
	defer reply.Body.Close()
	var out bytes.Buffer
	_, err = out.ReadFrom(reply.Body)
	w.ok(err)
	return reply.StatusCode, out.Bytes()
}

// begin begins a sign-in with a name.
func (w *World) begin(name wire.Hash, ke1 []byte) (started api.PasswordStarted) {
	w.Helper()
	status, body := w.ask("POST", api.RoutePasswordSignIns, api.PasswordStart{Name: name, KE1: ke1}, nil)
	if status != http.StatusOK || json.Unmarshal(body, &started) != nil {
		w.Fatalf("%d %s", status, body)
	}
	return started
}

// finishes counts the sign-ins that a client went on with after a moment.
func (w *World) finishes(mark int) (n int) {
	for _, x := range w.Since(mark) {
		if x.Method == "POST" && Matches(api.RoutePasswordSignIn, x.Path) {
			n++
		}
	}
	return n
}

// guess tests a password of a name as somebody does who has all that the server has, with a stretch of his own.
func (o *office) guess(name wire.Hash, password string, passes, kib uint64) bool {
	o.Helper()
	c, err := (&rfc9807.Configuration{
		OPRF: rfc9807.RistrettoSha512, AKE: rfc9807.RistrettoSha512, KDF: crypto.SHA512, MAC: crypto.SHA512, Hash: crypto.SHA512,
		KSF: ksf.Argon2id, Context: []byte("underseal/v1/opaque"),
	}).Client()
	o.ok(err)
	ke1, err := c.GenerateKE1([]byte(password))
	o.ok(err)
	ke2, err := c.Deserialize.KE2(o.begin(name, ke1.Serialize()).KE2)
	o.ok(err)
	_, _, _, err = c.GenerateKE3(ke2, []byte(name.String()), []byte(o.Origin),
		&rfc9807.ClientOptions{KSFParameters: []uint64{passes, kib, 1}, KSFSalt: make([]byte, 16), KSFLength: 64})
	return err == nil
}

// A server has nothing to ask for: what it stores tests a guess by the whole stretch alone, an answer with parameters in it is
// no answer, and a device holds the parameters that lie on it to the floor.
func weakerStretch(t *testing.T) {
	o := protected(t)
	name := o.login("clara.client")
	if !o.guess(name, horses, 3, 64*1024) {
		t.Error("the right password does not open what was stored: the rest shows nothing")
	}
	if o.guess(name, horses, 1, 8) || o.guess(name, horses, 3, 32*1024) {
		t.Error("a guess costs less than it should")
	}

	for _, route := range []string{api.RoutePasswordSignIns, api.RoutePassword} {
		o.Twist("POST", route, func(b []byte) []byte {
			return append(bytes.TrimRight(b, "}\n"), `,"stretch":{"algorithm":"pbkdf2","iterations":1}}`...)
		})
	}
	tablet := o.clara.Elsewhere().Beware()
	mark := o.Mark()
	_, err := tablet.SignInPassword(Soon(t), "clara.client", []byte(horses))
	tablet.Stopped(err, api.CodeServerLied, client.ErrUnknownReply)
	if o.finishes(mark) != 0 {
		t.Error("the client went on")
	}
	o.ok(o.clara.ProveKit(Soon(t), o.clara.Kit()))
	o.clara.Beware()
	o.clara.Refused(o.clara.SetPassword(Soon(t), "clara.client", []byte("another horse battery staple")), client.ErrUnknownReply)

	for what, change := range map[string]func(s *vault.Stretch){
		"a kilobyte": func(s *vault.Stretch) { s.MemoryKiB = 1 },
		"a pass":     func(s *vault.Stretch) { s.Time = 1 },
		"half of it": func(s *vault.Stretch) { s.MemoryKiB /= 2 },
	} {
		s, err := vault.DefaultStretch(nil)
		o.ok(err)
		change(&s)
		if _, err := vault.ParseStretch(s.Bytes()); !errors.Is(err, vault.ErrStretchWeak) {
			t.Errorf("%s is read: %v", what, err)
		}
		if _, err := vault.StretchPassphrase([]byte(horses), s); !errors.Is(err, vault.ErrStretchWeak) {
			t.Errorf("%s is enough: %v", what, err)
		}
	}
}

// Nobody has a device work for longer than it was built to: parameters above the ceiling are refused before the first of it, and
// for each time that somebody types a password there is one stretch, whatever the server answers.
func heavierStretch(t *testing.T) {
	for what, change := range map[string]func(s *vault.Stretch){
		"a terabyte":          func(s *vault.Stretch) { s.MemoryKiB = 1 << 30 },
		"a gigabyte":          func(s *vault.Stretch) { s.MemoryKiB = 1 << 20 },
		"ten thousand passes": func(s *vault.Stretch) { s.Time = 10_000 },
		"all threads":         func(s *vault.Stretch) { s.Threads = 255 },
	} {
		s, err := vault.DefaultStretch(nil)
		if err != nil {
			t.Fatal(err)
		}
		change(&s)
		if _, err := vault.ParseStretch(s.Bytes()); !errors.Is(err, vault.ErrStretchHeavy) {
			t.Fatalf("%s is read: %v", what, err) // and not tried
		}
		if _, err := vault.StretchPassphrase([]byte(horses), s); !errors.Is(err, vault.ErrStretchHeavy) {
			t.Fatalf("%s is done: %v", what, err)
		}
	}

	o := protected(t)
	for what, answer := range map[string]func(v *api.PasswordStarted){
		"a flood":        func(v *api.PasswordStarted) { v.KE2 = append(v.KE2, make([]byte, 1<<20)...) },
		"nothing":        func(v *api.PasswordStarted) { v.KE2 = nil },
		"zeros":          func(v *api.PasswordStarted) { clear(v.KE2) },
		"another answer": func(v *api.PasswordStarted) { v.KE2[0] ^= 1 },
	} {
		TwistJSON(o.World, "POST", api.RoutePasswordSignIns, answer)
		tablet := o.clara.Elsewhere()
		mark := o.Mark()
		_, err := tablet.SignInPassword(Soon(t), "clara.client", []byte(horses))
		tablet.Stopped(err, api.CodePasswordFailed, nil)
		if n := len(o.Since(mark)); n != 1 {
			t.Errorf("%s: %d requests for one password", what, n)
		}
		o.Honest()
		o.Clock.Advance(time.Hour)
	}
}

// There is no salt that a server gives out. What stands in its place follows from its seed and the name: nobody's is another's,
// the same password in two accounts looks like two, and an answer for another name, or by another seed, signs nobody in.
func anotherSalt(t *testing.T) {
	o := protected(t)
	mallory := o.ada.Guest(o.matter, "Mallory", chain.RoleClient)
	mallory.SecondWay()
	mallory.UsePassword("mallory", horses) // as hers, by chance or because he guessed it
	_, ke1, err := opaque.LoginStart("any", o.Origin, []byte(horses))
	o.ok(err)
	hers, his := o.begin(o.login("clara.client"), ke1).KE2, o.begin(o.login("mallory"), ke1).KE2
	if bytes.Equal(hers[:32], his[:32]) {
		t.Error("one name's answer is another's: one table of guesses serves both")
	}

	for what, twist := range map[string]func(r *Request) *Reply{
		"the answer for another name": func(r *Request) *Reply {
			var start api.PasswordStart
			o.ok(json.Unmarshal(r.Body, &start))
			start.Name = o.login("mallory")
			r.Body, err = json.Marshal(start)
			o.ok(err)
			return r.Real()
		},
		"an answer by another seed": func(r *Request) *Reply {
			var start api.PasswordStart
			o.ok(json.Unmarshal(r.Body, &start))
			other, err := opaque.NewServer([opaque.SeedSize]byte{1}, o.Origin)
			o.ok(err)
			reply := r.Real()
			var started api.PasswordStarted
			o.ok(json.Unmarshal(reply.Body, &started))
			started.KE2, _, err = other.LoginStart(start.Name.String(), o.stored("mallory"), start.KE1)
			o.ok(err)
			reply.Body, err = json.Marshal(started)
			o.ok(err)
			return reply
		},
	} {
		o.Lie("POST", api.RoutePasswordSignIns, twist)
		tablet := o.clara.Elsewhere().Beware()
		mark := o.Mark()
		_, err := tablet.SignInPassword(Soon(t), "clara.client", []byte(horses))
		tablet.Stopped(err, api.CodePasswordFailed, nil)
		if o.finishes(mark) != 0 {
			t.Errorf("%s: the client told the server that the password is right", what)
		}
		o.Honest()
	}
	o.ok(o.clara.Again().ByPassword("clara.client", horses))
}

// stored is what the server keeps of a name's password.
func (o *office) stored(name string) []byte {
	o.Helper()
	var record []byte
	o.Edit(layout.Accounts, func(tx store.Tx) error {
		account, err := tx.Get(layout.NameKey(o.login(name)))
		if err != nil {
			return err
		}
		p, _, err := layout.Get[layout.Password](tx, layout.PasswordKey(wire.ObjectID(account)))
		record = p.Record
		return err
	})
	return record
}

// ---- 23: AES-GCM commits to no key. What it seals can be made to open under two.

// element is one of GCM's field, as its blocks spell it.
type element [2]uint64

func elementOf(b []byte) element {
	return element{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

func (a element) bytes() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, a[0]), a[1])
}

func (a element) plus(b element) element { return element{a[0] ^ b[0], a[1] ^ b[1]} }

func (a element) times(b element) (z element) {
	for i := range 128 {
		if a[i/64]>>(63-i%64)&1 == 1 {
			z = z.plus(b)
		}
		low := b[1] & 1
		b = element{b[0] >> 1, b[0]<<63 | b[1]>>1}
		if low == 1 {
			b[0] ^= 0xe1 << 56
		}
	}
	return z
}

// inverse is a to the power of 2^128 - 2.
func (a element) inverse() element {
	z := element{1 << 63, 0}
	square := a
	for range 127 {
		square = square.times(square)
		z = z.times(square)
	}
	return z
}

// bothWays is one segment of two blocks that opens under two AES keys: the first block is free, the second follows from it.
func bothWays(t *testing.T, nonce, aad []byte, one, two []byte) []byte {
	t.Helper()
	padded := make([]byte, 16)
	copy(padded, aad)
	length := element{uint64(len(aad)) * 8, 32 * 8}
	first := elementOf(random(t, 16))
	// What of a tag does not depend on the second block, and what multiplies that.
	half := func(key []byte) (rest, factor element) {
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		hash, mask := make([]byte, 16), append(bytes.Clone(nonce), 0, 0, 0, 1)
		block.Encrypt(hash, hash)
		block.Encrypt(mask, mask)
		h := elementOf(hash)
		h2 := h.times(h)
		h3 := h2.times(h)
		rest = elementOf(padded).times(h3.times(h)).plus(first.times(h3)).plus(length.times(h)).plus(elementOf(mask))
		return rest, h2
	}
	restOne, factorOne := half(one)
	restTwo, factorTwo := half(two)
	second := restOne.plus(restTwo).times(factorOne.plus(factorTwo).inverse())
	tag := restOne.plus(second.times(factorOne))
	return slices.Concat(first.bytes(), second.bytes(), tag.bytes())
}

// floe are the parts of a sealed root that follow from an unlock key: the tag of its header, and the key of its one segment.
func floe(t *testing.T, unlock, header, context []byte) (tag, segment []byte) {
	t.Helper()
	derive := func(key []byte, purpose string, size int) []byte {
		b, err := hkdf.Expand(sha512.New384, key, string(slices.Concat(header, []byte(purpose), context)), size)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return derive(unlock, "HEADER_TAG:", 32), derive(derive(unlock, "MESSAGE_KEY:", 48), "DEK:"+string(make([]byte, 8)), 32)
}

// A server that can have one ciphertext tried by the passwords of many, and sees who unlocks, cuts a list of guesses in halves.
// What a root is sealed in opens under one key.
func manyPasswords(t *testing.T) {
	o := protected(t)
	found := o.clara.secretsNamed("password unlock key")
	hers, another := found[len(found)-1], random(t, keys.KeySize)
	account, _, _ := o.clara.Root()
	context := slices.Concat([]byte(keys.LabelSealVault), []byte{0, wire.Suite, byte(vault.MethodPassword)}, account[:])
	header := slices.Concat(binary.BigEndian.AppendUint32([]byte{0, 0}, seal.SmallSegment), []byte{0, 0, 0, 32}, random(t, 32))
	nonce := random(t, 12)
	tagHers, keyHers := floe(t, hers, header, context)
	tagAnother, keyAnother := floe(t, another, header, context)
	place := append(make([]byte, 8), 1)
	both := bothWays(t, nonce, place, keyHers, keyAnother)
	for _, key := range [][]byte{keyHers, keyAnother} {
		block, err := aes.NewCipher(key)
		o.ok(err)
		gcm, err := cipher.NewGCM(block)
		o.ok(err)
		if _, err := gcm.Open(nil, nonce, both, place); err != nil {
			t.Fatal("the ciphertext does not open under both: the rest shows nothing")
		}
	}
	sealed := func(tag []byte) []byte {
		length := binary.BigEndian.AppendUint32(nil, uint32(4+len(nonce)+len(both)))
		return slices.Concat(header, tag, length, nonce, both)
	}
	unwraps := func(unlock, wrapped []byte) bool {
		_, err := vault.Unwrap([keys.KeySize]byte(unlock), vault.MethodPassword, account, wrapped)
		return err == nil
	}
	if !unwraps(another, sealed(tagAnother)) || !unwraps(hers, sealed(tagHers)) {
		t.Fatal("it is no wrapped root under either: the rest shows nothing")
	}
	if unwraps(hers, sealed(tagAnother)) || unwraps(another, sealed(tagHers)) {
		t.Error("one wrapped root opens under two unlock keys")
	}

	TwistJSON(o.World, "POST", api.RoutePasswordSignIn, func(v *api.PasswordFinished) {
		if v.Account == nil {
			return
		}
		for i := range v.Account.Vault {
			if v.Account.Vault[i].Method == uint8(vault.MethodPassword) {
				v.Account.Vault[i].Wrapped = sealed(tagAnother)
			}
		}
	})
	again := o.clara.Again().Beware()
	again.Stopped(again.ByPassword("clara.client", horses), api.CodeUnlockFailed, vault.ErrUnlock)
	if again.SignedIn() {
		t.Error("signed in with a root that another password opens, too")
	}
}

// ---- 24

// cookie is what the browser of somebody sends with every request: whoever copied it has no more.
func (p *Person) cookie() string {
	p.Helper()
	mark := p.Mark()
	_, err := p.Sessions(Soon(p))
	p.ok(err)
	for _, x := range p.Since(mark) {
		if c := x.Request.Header.Get("Cookie"); c != "" {
			return c
		}
	}
	p.Fatal("no cookie was sent")
	return ""
}

// Each of what ends a session ends it: at once, in the firm as well, for the device, which wipes its keys, and for a copied
// cookie.
func sessionOutlives(t *testing.T) {
	o := newOffice(t)
	ada := o.ada
	ada.UsePassword("ada", horses)
	tablet := ada.Elsewhere()
	var f *client.Failure
	if err := tablet.ByPassword("ada", horses); !errors.As(err, &f) || f.Code != api.CodeUnlockElsewhere {
		t.Fatal(err)
	}
	o.ok(tablet.UnlockWithKit())
	tablet.SignOut(Soon(t))
	password := horses
	byPassword := func() *Person {
		p := tablet.Again()
		p.App = ada.App
		o.ok(p.ByPassword("ada", password))
		return p
	}
	byKit := func() *Person {
		o.Clock.Advance(time.Minute)
		p := ada.Elsewhere()
		o.ok(p.SignInKit(Soon(t), ada.Kit()))
		return p
	}
	for _, c := range []struct {
		what  string
		in    func() *Person
		event func(other *Person) error
	}{
		{"it is ended from elsewhere", byKit, func(*Person) error { return ada.EndOtherSessions(Soon(t)) }},
		{"it is signed out", byPassword, func(other *Person) error { other.SignOut(Soon(t)); return nil }},
		{"the password is another", byPassword, func(*Person) error {
			password = "another horse battery staple"
			return ada.SetPassword(Soon(t), "ada", []byte(password))
		}},
		{"the app is another", byPassword, func(*Person) error {
			begun, err := ada.AuthenticatorBegin(Soon(t))
			o.ok(err)
			ada.App = o.World.App(begun.Secret)
			return ada.AuthenticatorFinish(Soon(t), ada.App.Code())
		}},
		{"the kit is another", byKit, func(*Person) error { ada.SecondWay(); return nil }},
		{"the password is gone", byPassword, func(*Person) error { return ada.RemovePassword(Soon(t)) }},
		{"nobody used it", byKit, func(*Person) error { o.Clock.Advance(16 * time.Minute); return nil }},
	} {
		o.ok(ada.ProveKit(Soon(t), ada.Kit()))
		other := c.in()
		o.ok(other.Look(o.matter))
		cookie := other.cookie()
		if status, _ := o.ask("GET", api.RouteAccount, nil, map[string]string{"Cookie": cookie}); status != http.StatusOK {
			t.Fatalf("%s: the cookie is worth nothing before: %d", c.what, status)
		}
		o.ok(c.event(other))
		if status, _ := o.ask("GET", api.RouteAccount, nil, map[string]string{"Cookie": cookie}); status != http.StatusUnauthorized {
			t.Errorf("%s: a copied cookie answers %d", c.what, status)
		}
		if err := other.Look(o.matter); err == nil {
			t.Errorf("%s: the matter opens", c.what)
		}
		if c.what != "nobody used it" && other.SignedIn() {
			t.Errorf("%s: its keys are there", c.what)
		}
		if c.what == "nobody used it" {
			break // hers as well
		}
		o.ok(ada.Look(o.matter))
	}
}

// ---- 87

// A name that nobody has is answered as any other: in as many bytes, with the same work, counted alike, and the same again when
// the server is started anew.
func whoHasAnAccount(t *testing.T) {
	o := protected(t)
	hers, nobodys := o.login("clara.client"), o.login("nobody")
	_, ke1, err := opaque.LoginStart("any", o.Origin, []byte(horses))
	o.ok(err)
	type seen struct {
		status, length int
		code           api.Code
	}
	look := func(method, path string, v any) (s seen) {
		status, body := o.ask(method, path, v, nil)
		s = seen{status: status, length: len(body)}
		var e api.Error
		if status >= 400 && json.Unmarshal(body, &e) == nil {
			s.code = e.Code
		}
		return s
	}
	try := func(name wire.Hash) (list []seen) {
		started := o.begin(name, ke1)
		path := api.RoutePasswordSignIns + "/" + started.SignIn.String()
		list = append(list, seen{length: len(started.KE2)},
			look("POST", path, api.PasswordFinish{Code: "123456"}),
			look("POST", path, api.PasswordFinish{KE3: make([]byte, opaque.KE3Size)}),
			look("POST", path, api.PasswordFinish{KE3: make([]byte, opaque.KE3Size)}))
		for range 8 {
			list = append(list, look("POST", api.RoutePasswordSignIns, api.PasswordStart{Name: name, KE1: ke1}))
		}
		return list
	}
	a, b := try(hers), try(nobodys)
	if !slices.Equal(a, b) {
		t.Errorf("one has an account, the other has none:\n%v\n%v", a, b)
	}
	if a[len(a)-1].code != api.CodeTooMany {
		t.Errorf("nobody waits: %v", a)
	}
	o.Clock.Advance(time.Hour)
	before := o.begin(nobodys, ke1).KE2[:32]
	o.Restart()
	o.Clock.Advance(time.Hour)
	if !bytes.Equal(o.begin(nobodys, ke1).KE2[:32], before) {
		t.Error("the answer for a name that nobody has is another after a restart")
	}
	if bytes.Equal(o.begin(o.login("somebody"), ke1).KE2[:32], before) {
		t.Error("all names that nobody has are answered alike")
	}
}

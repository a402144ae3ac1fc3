package device

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/wire"
)

const origin = "https://files.example"

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// pair is a new device that asks, and an old one that answers.
type pair struct {
	new     *Keys
	request Request
	old     *Answering
	root    vault.Root
}

func newPair(t testing.TB) pair {
	t.Helper()
	p := pair{new: must[*Keys](t)(NewKeys(rand.Reader)), root: must[vault.Root](t)(vault.GenerateRoot(rand.Reader))}
	p.request = must[Request](t)(ParseRequest(p.new.Request().Bytes()))
	p.old = must[*Answering](t)(NewAnswer(rand.Reader, origin, p.request, wire.ObjectID{7}, "Ada Advocate"))
	return p
}

func (p pair) grant(t testing.TB) Grant { return must[Grant](t)(p.old.Grant(rand.Reader, p.root)) }

// TestEnrol: the new device gets the root of the one that was compared. S-ENROL-01 S-ENROL-04 S-ENROL-05
func TestEnrol(t *testing.T) {
	p := newPair(t)
	code := p.request.Code(origin)
	if got := must[vault.DeviceCode](t)(vault.ParseDeviceCode(strings.ToLower(code.String()))); got != code || p.new.Request().Check(origin, got) != nil {
		t.Fatal("the code finds another request")
	}
	answer := must[Answer](t)(ParseAnswer(p.old.Bytes()))
	if name := must[string](t)(p.new.OpenName(origin, answer)); name != "Ada Advocate" {
		t.Errorf("%q", name)
	}
	if words := Transcript(origin, p.new.Request(), answer).Words(); !slices.Equal(words, p.old.Words()) || len(words) != 12 {
		t.Errorf("%v", words)
	}
	root := must[vault.Root](t)(p.new.Open(origin, answer, must[Grant](t)(ParseGrant(p.grant(t).Bytes()))))
	if root != p.root {
		t.Error("another root")
	}
	if short, long := must[*Answering](t)(NewAnswer(rand.Reader, origin, p.request, wire.ObjectID{7}, "A")), must[*Answering](t)(NewAnswer(rand.Reader, origin, p.request, wire.ObjectID{7}, strings.Repeat("A", 255))); len(short.Bytes()) != len(long.Bytes()) || len(long.Bytes()) != AnswerSize {
		t.Error("an answer tells how long a name is")
	}
	if _, err := NewAnswer(rand.Reader, origin, p.request, wire.ObjectID{7}, strings.Repeat("A", 256)); err == nil {
		t.Error("a name that is too long")
	}
}

// TestEnrolAttacks: what a server, or a third device, does in between. S-ENROL-02 S-ENROL-04 S-ENROL-05
func TestEnrolAttacks(t *testing.T) {
	p, evil := newPair(t), newPair(t)
	code := p.request.Code(origin)
	for name, r := range map[string]Request{
		"another request":    evil.request,
		"another wrap key":   {evil.request.WrapKey, p.request.DeviceKey},
		"another device key": {p.request.WrapKey, evil.request.DeviceKey},
	} {
		if err := r.Check(origin, code); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := p.request.Check("https://evil.example", code); !errors.Is(err, ErrRequest) {
		t.Error("a code of another server's page")
	}

	// A third device answers the same request: another account, another key, other words.
	third := must[*Answering](t)(NewAnswer(rand.Reader, origin, p.request, wire.ObjectID{8}, "Ada Advocate"))
	if slices.Equal(third.Words(), p.old.Words()) {
		t.Error("the same words")
	}
	swapped := p.old.Answer
	swapped.Account = wire.ObjectID{8}
	keyed := p.old.Answer
	keyed.Key = third.Key
	for name, a := range map[string]Answer{"another account": swapped, "another key": keyed} {
		if _, err := p.new.OpenName(origin, a); !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: the name opens: %v", name, err)
		}
		if Transcript(origin, p.request, a) == Transcript(origin, p.request, p.old.Answer) {
			t.Errorf("%s: the same words", name)
		}
	}
	if _, err := evil.new.OpenName(origin, p.old.Answer); !errors.Is(err, ErrAnswer) {
		t.Error("another device reads the name")
	}

	good := p.grant(t)
	other := must[Grant](t)(third.Grant(rand.Reader, evil.root))
	elsewhere := evil.grant(t)
	for name, g := range map[string]Grant{
		"a third device's":                    other,
		"of another enrolment":                elsewhere,
		"a third device's root, and our sign": {other.Root, good.Signature},
		"our root, a third device's sign":     {good.Root, other.Signature},
		"a flipped bit":                       {append([]byte{good.Root[0] ^ 1}, good.Root[1:]...), good.Signature},
		"no signature":                        {good.Root, make([]byte, ed25519.SignatureSize)},
	} {
		if root, err := p.new.Open(origin, p.old.Answer, g); !errors.Is(err, ErrGrant) || root != (vault.Root{}) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := evil.new.Open(origin, p.old.Answer, good); !errors.Is(err, ErrGrant) {
		t.Error("another device opens it")
	}
	if _, err := p.new.Open("https://evil.example", p.old.Answer, good); !errors.Is(err, ErrGrant) {
		t.Error("it opens on another server")
	}
	// The answer's own key may sign what is no root.
	short := must[[]byte](t)(keys.WrapTo(rand.Reader, p.request.WrapKey, rootInfo(Transcript(origin, p.request, p.old.Answer)), make([]byte, 31)))
	if _, err := p.new.Open(origin, p.old.Answer, Grant{short, ed25519.Sign(p.old.key, grantMessage(Transcript(origin, p.request, p.old.Answer), short))}); !errors.Is(err, ErrGrant) {
		t.Error("a root of 31 bytes")
	}
	bad := p.request
	bad.WrapKey = bytes.Repeat([]byte{0xff}, keys.WrapKeySize)
	if _, err := NewAnswer(rand.Reader, origin, bad, wire.ObjectID{7}, "Ada"); err == nil {
		t.Error("a wrap key that is none")
	}
}

// The three parsers: one encoding for each value.
func FuzzParseRequest(f *testing.F) {
	fuzz(f, newPair(f).request.Bytes(), func(b []byte) ([]byte, error) { v, err := ParseRequest(b); return v.Bytes(), err })
}

func FuzzParseAnswer(f *testing.F) {
	fuzz(f, newPair(f).old.Bytes(), func(b []byte) ([]byte, error) { v, err := ParseAnswer(b); return v.Bytes(), err })
}

func FuzzParseGrant(f *testing.F) {
	fuzz(f, newPair(f).grant(f).Bytes(), func(b []byte) ([]byte, error) { v, err := ParseGrant(b); return v.Bytes(), err })
}

func fuzz(f *testing.F, seed []byte, again func([]byte) ([]byte, error)) {
	if got, err := again(seed); err != nil || !bytes.Equal(got, seed) {
		f.Fatalf("the seed does not parse: %v", err)
	}
	for _, b := range [][]byte{seed, seed[:len(seed)-1], append(bytes.Clone(seed), 0), append([]byte{2}, seed[1:]...), nil} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := again(b)
		if err == nil && !bytes.Equal(got, b) {
			t.Fatal("it does not re-encode to what was parsed")
		}
		if err != nil && !errors.Is(err, wire.ErrMalformed) && !errors.Is(err, wire.ErrSuite) {
			t.Fatalf("%v", err)
		}
	})
}

// Package device is how a device of an account enrols another one, through a server that neither trusts: SPEC section 4.1.
//
// The new device draws keys and shows a code, which is a hash of its Request. The old one reads the code from its screen, finds
// the request with it, and gives an Answer: whose account it is, and a key for this one answer. Both show Words of request and
// answer for the person to compare. Then the old device makes a Grant, the root wrapped to the request and signed by the
// answer, and the new one opens it.
package device

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"io"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/wire"
)

// Errors.
var (
	ErrRequest = errors.New("a request that the code is not of")
	ErrAnswer  = errors.New("an answer that does not open")
	ErrGrant   = errors.New("a grant that the compared answer did not make")
)

// Request is what a new device asks with: keys that it drew for this and uses for nothing else.
type Request struct {
	WrapKey   []byte // X-Wing, that the root is wrapped to
	DeviceKey []byte // Ed25519, that signs in once
}

// Sizes of encodings.
const (
	RequestSize = 1 + keys.WrapKeySize + ed25519.PublicKeySize
	AnswerSize  = 1 + 16 + ed25519.PublicKeySize + keys.WrapOverhead + nameSize
	GrantSize   = 1 + keys.WrapOverhead + rootSize + ed25519.SignatureSize

	nameSize = 2 + document.MaxName
	rootSize = len(vault.Root{})
)

// Bytes is the encoding.
func (r Request) Bytes() []byte {
	w := wire.NewWriter()
	w.Uint8(wire.Suite)
	w.Fixed(r.WrapKey)
	w.Fixed(r.DeviceKey)
	return w.Bytes()
}

// ParseRequest is the inverse of Bytes.
func ParseRequest(b []byte) (Request, error) {
	r := wire.NewReader(b)
	if err := r.Suite(); err != nil {
		return Request{}, err
	}
	out := Request{WrapKey: r.Fixed(keys.WrapKeySize), DeviceKey: r.Fixed(ed25519.PublicKeySize)}
	return out, r.Done()
}

// Code is what the new device shows. It is of one server: the page of another one cannot pass a request on as its own.
func (r Request) Code(origin string) vault.DeviceCode {
	w := wire.NewWriter()
	w.Text(string(keys.LabelDeviceCode))
	w.Text(origin)
	w.Fixed(r.Bytes())
	return vault.NewDeviceCode(sha256.Sum256(w.Bytes()))
}

// Check holds a request to the code that was read from a screen.
func (r Request) Check(origin string, code vault.DeviceCode) error {
	if r.Code(origin) != code {
		return ErrRequest
	}
	return nil
}

// Keys are a new device's private ones.
type Keys struct {
	wrap   *keys.WrapKeyPair
	device ed25519.PrivateKey
}

// NewKeys draws them.
func NewKeys(random io.Reader) (*Keys, error) {
	var seed, device [32]byte
	for _, b := range [][]byte{seed[:], device[:]} {
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, err
		}
	}
	wrap, err := keys.NewWrapKeyPair(seed)
	return &Keys{wrap, ed25519.NewKeyFromSeed(device[:])}, err
}

// Request is what they ask with.
func (k *Keys) Request() Request {
	return Request{WrapKey: k.wrap.Public(), DeviceKey: k.device.Public().(ed25519.PublicKey)}
}

// DeviceKey signs in.
func (k *Keys) DeviceKey() ed25519.PrivateKey { return k.device }

// Answer says whose device read the code. The name is sealed to the new device, and is its sender's word.
type Answer struct {
	Account wire.ObjectID
	Key     []byte // Ed25519, for this answer alone
	Name    []byte // wrapped
}

// Bytes is the encoding.
func (a Answer) Bytes() []byte {
	w := wire.NewWriter()
	w.Uint8(wire.Suite)
	w.Fixed(a.Account[:])
	w.Fixed(a.Key)
	w.Fixed(a.Name)
	return w.Bytes()
}

// ParseAnswer is the inverse of Bytes.
func ParseAnswer(b []byte) (Answer, error) {
	r := wire.NewReader(b)
	if err := r.Suite(); err != nil {
		return Answer{}, err
	}
	a := Answer{Account: r.ID(), Key: r.Fixed(ed25519.PublicKeySize), Name: r.Fixed(keys.WrapOverhead + nameSize)}
	if a.Account.IsZero() {
		r.Refuse()
	}
	return a, r.Done()
}

// Answering is an answer with the key that signs its grant.
type Answering struct {
	Answer
	origin  string
	request Request
	key     ed25519.PrivateKey
}

// NewAnswer answers a request for an account, whose owner is called name.
func NewAnswer(random io.Reader, origin string, r Request, account wire.ObjectID, name string) (*Answering, error) {
	var seed [32]byte
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return nil, err
	}
	key := ed25519.NewKeyFromSeed(seed[:])
	a := Answer{Account: account, Key: key.Public().(ed25519.PublicKey)}
	w := wire.NewWriter()
	w.Text(name)
	if len(w.Bytes()) > nameSize {
		return nil, document.ErrName
	}
	plain := append(w.Bytes(), make([]byte, nameSize-len(w.Bytes()))...) // nobody learns how long it is
	var err error
	a.Name, err = keys.WrapTo(random, r.WrapKey, nameInfo(origin, r, a), plain)
	return &Answering{a, origin, r, key}, err
}

func nameInfo(origin string, r Request, a Answer) []byte {
	w := wire.NewWriter()
	w.Text(string(keys.LabelWrapDeviceName))
	w.Text(origin)
	w.Fixed(r.Bytes())
	w.Fixed(a.Account[:])
	w.Fixed(a.Key)
	return w.Bytes()
}

// OpenName is what an answer calls the account's owner.
func (k *Keys) OpenName(origin string, a Answer) (string, error) {
	plain, err := k.wrap.Unwrap(nameInfo(origin, k.Request(), a), a.Name)
	if err != nil {
		return "", ErrAnswer
	}
	r := wire.NewReader(plain)
	name, rest := r.Text(document.MaxName), r.Rest()
	if r.Failed() || len(plain) != nameSize || len(bytes.Trim(rest, "\x00")) > 0 || document.CheckTitle(name) != nil {
		return "", ErrAnswer
	}
	return name, nil
}

// Transcript is what both devices show the words of, and what a grant is bound to.
func Transcript(origin string, r Request, a Answer) keys.Fingerprint {
	w := wire.NewWriter()
	w.Text(string(keys.LabelDeviceWords))
	w.Text(origin)
	w.Fixed(r.Bytes())
	w.Fixed(a.Bytes())
	return sha256.Sum256(w.Bytes())
}

// Words are compared on both devices.
func (a *Answering) Words() []string { return Transcript(a.origin, a.request, a.Answer).Words() }

// Grant is the root, for the request of exactly the answer that was compared.
type Grant struct {
	Root      []byte // wrapped
	Signature []byte // by the answer's key
}

// Bytes is the encoding.
func (g Grant) Bytes() []byte {
	w := wire.NewWriter()
	w.Uint8(wire.Suite)
	w.Fixed(g.Root)
	w.Fixed(g.Signature)
	return w.Bytes()
}

// ParseGrant is the inverse of Bytes.
func ParseGrant(b []byte) (Grant, error) {
	r := wire.NewReader(b)
	if err := r.Suite(); err != nil {
		return Grant{}, err
	}
	g := Grant{Root: r.Fixed(keys.WrapOverhead + rootSize), Signature: r.Fixed(ed25519.SignatureSize)}
	return g, r.Done()
}

func rootInfo(transcript keys.Fingerprint) []byte {
	w := wire.NewWriter()
	w.Text(string(keys.LabelWrapDevice))
	w.Fixed(transcript[:])
	return w.Bytes()
}

func grantMessage(transcript keys.Fingerprint, root []byte) []byte {
	w := wire.NewWriter()
	w.Text(string(keys.LabelSignDevice))
	w.Fixed(transcript[:])
	w.Fixed(root)
	return w.Bytes()
}

// Grant hands the root over. The person has compared the words.
func (a *Answering) Grant(random io.Reader, root vault.Root) (Grant, error) {
	t := Transcript(a.origin, a.request, a.Answer)
	wrapped, err := keys.WrapTo(random, a.request.WrapKey, rootInfo(t), root[:])
	if err != nil {
		return Grant{}, err
	}
	return Grant{Root: wrapped, Signature: ed25519.Sign(a.key, grantMessage(t, wrapped))}, nil
}

// Open takes the root of a grant that the answer made whose words the person has compared. Every failure is ErrGrant.
func (k *Keys) Open(origin string, a Answer, g Grant) (vault.Root, error) {
	t := Transcript(origin, k.Request(), a)
	if !ed25519.Verify(a.Key, grantMessage(t, g.Root), g.Signature) {
		return vault.Root{}, ErrGrant
	}
	root, err := k.wrap.Unwrap(rootInfo(t), g.Root)
	if err != nil || len(root) != rootSize {
		return vault.Root{}, ErrGrant
	}
	return vault.Root(root), nil
}

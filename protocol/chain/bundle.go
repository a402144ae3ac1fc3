package chain

import (
	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/wire"
)

// BundleSize is the size of an encoded Bundle.
const BundleSize = 1 + 16 + 3200 + 3373

// Bundle is a member's public keys in one firm, signed by themselves: nobody can put another's keys under his own name.
type Bundle struct {
	Member    wire.ObjectID
	Keys      *keys.PublicKeys
	Signature []byte
}

func bundleMessage(member wire.ObjectID, public *keys.PublicKeys) []byte {
	w := wire.NewWriter()
	w.Uint8(wire.Suite)
	w.Fixed(member[:])
	w.Fixed(public.Bytes())
	return w.Bytes()
}

// NewBundle signs an identity's public keys.
func NewBundle(member wire.ObjectID, identity *keys.Identity) (Bundle, error) {
	sig, err := identity.Sign(keys.LabelSignKeys, bundleMessage(member, identity.Public()))
	if err != nil {
		return Bundle{}, err
	}
	return Bundle{Member: member, Keys: identity.Public(), Signature: sig}, nil
}

// Bytes is the encoding, suite first.
func (b Bundle) Bytes() []byte {
	return append(bundleMessage(b.Member, b.Keys), b.Signature...)
}

// ParseBundle is the inverse of Bytes. It does not verify.
func ParseBundle(encoded []byte) (Bundle, error) {
	if len(encoded) != BundleSize {
		return Bundle{}, wire.ErrMalformed
	}
	r := wire.NewReader(encoded)
	if err := r.Suite(); err != nil {
		return Bundle{}, err
	}
	b := Bundle{Member: r.ID()}
	public, err := keys.ParsePublicKeys(r.Fixed(3200))
	if err != nil {
		return Bundle{}, wire.ErrMalformed
	}
	b.Keys, b.Signature = public, r.Fixed(3373)
	return b, r.Done()
}

// Verify refuses a bundle that its own keys did not sign.
func (b Bundle) Verify() error {
	if b.Member.IsZero() || b.Keys == nil {
		return ErrKeyBundle
	}
	if err := b.Keys.Verify(keys.LabelSignKeys, bundleMessage(b.Member, b.Keys), b.Signature); err != nil {
		return ErrKeyBundle
	}
	return nil
}

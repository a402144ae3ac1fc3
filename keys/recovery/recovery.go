// Package recovery splits a key among custodians, so that any k of n put it together again and fewer learn nothing: Shamir's
// scheme over the scalars of ristretto255 (circl/secretsharing). There are no public commitments to the shares: they would be
// computationally binding only, and give whoever has a quantum computer the secret. Whether what came together is the key,
// the seal that it opens says.
//
// Split draws a fresh key: nobody shares one that is used elsewhere. A share is 64 bytes, its number and its value, each a
// scalar in its one spelling.
package recovery

import (
	cryptorand "crypto/rand"
	"errors"
	"io"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/secretsharing"

	"github.com/underseal/underseal/keys"
)

const (
	scalarSize = 32
	// ShareSize is the length of a share.
	ShareSize = 2 * scalarSize
	// MaxShares bounds n.
	MaxShares = 9
)

// ErrShares means a threshold that cannot be, or shares that are too few, malformed or of one number.
var ErrShares = errors.New("recovery: shares do not fit")

// Split draws a key and n shares of it, of which any k are enough. rand may be nil for crypto/rand.
func Split(rand io.Reader, k, n int) (key [keys.KeySize]byte, shares [][]byte, err error) {
	if k < 2 || k > n || n > MaxShares {
		return key, nil, ErrShares
	}
	if rand == nil {
		rand = cryptorand.Reader
	}
	secret := group.Ristretto255.RandomNonZeroScalar(rand)
	for _, s := range secretsharing.New(rand, uint(k-1), secret).Share(uint(n)) {
		b, err := encode(s)
		if err != nil {
			return key, nil, err
		}
		shares = append(shares, b)
	}
	key, err = derive(secret)
	return key, shares, err
}

// Combine puts the key together from exactly k shares of different numbers. Another share in place of one gives another key,
// which opens nothing.
func Combine(k int, shares [][]byte) (key [keys.KeySize]byte, err error) {
	if k < 2 || len(shares) != k || k > MaxShares {
		return key, ErrShares
	}
	var parsed []secretsharing.Share
	for _, b := range shares {
		s, ok := decode(b)
		if !ok {
			return key, ErrShares
		}
		for _, other := range parsed {
			if other.ID.IsEqual(s.ID) {
				return key, ErrShares
			}
		}
		parsed = append(parsed, s)
	}
	secret, err := secretsharing.Recover(uint(k-1), parsed)
	if err != nil {
		return key, ErrShares
	}
	return derive(secret)
}

func derive(secret group.Scalar) (key [keys.KeySize]byte, err error) {
	b, err := secret.MarshalBinary()
	if err != nil {
		return key, ErrShares
	}
	return keys.Derive(b, keys.LabelRecoverySplit), nil
}

func encode(s secretsharing.Share) ([]byte, error) {
	id, err := s.ID.MarshalBinary()
	if err != nil {
		return nil, err
	}
	value, err := s.Value.MarshalBinary()
	return append(id, value...), err
}

func decode(b []byte) (s secretsharing.Share, ok bool) {
	if len(b) != ShareSize {
		return s, false
	}
	s.ID, s.Value = group.Ristretto255.NewScalar(), group.Ristretto255.NewScalar()
	if s.ID.UnmarshalBinary(b[:scalarSize]) != nil || s.Value.UnmarshalBinary(b[scalarSize:]) != nil || s.ID.IsZero() {
		return s, false
	}
	again, err := encode(s)
	return s, err == nil && string(again) == string(b)
}

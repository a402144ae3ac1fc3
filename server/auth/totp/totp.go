// Package totp is the second factor of a password: codes of an authenticator app, RFC 6238 with what every app does (SHA-1,
// six digits, thirty seconds).
//
// NewSecret and its Text set an app up (api.AuthenticatorURL); Use accepts a code, once: it notes the step in the transaction of the caller, so
// that of two who use one code at the same time one wins, and a code that somebody saw is worth nothing. Attempts are
// counted by package limit: six digits are few. The server knows the secret, so a code signs in and never unlocks.
package totp

import (
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

const (
	// SecretSize is what RFC 4226, section 4, recommends: 160 bits.
	SecretSize = 20

	digits = 6
	period = 30 // seconds
	skew   = 1  // steps that a clock may be behind or ahead (RFC 6238, section 5.2)
)

var (
	// ErrCode is the one error for a code that does not count: another one, one of another time, one that was used, or no
	// code at all.
	ErrCode = errors.New("totp: code does not count")

	errPrivate = errors.New("totp: secrets are not serialised")
)

// Secret is what an app and the server share. Its bytes go into a row and to the person's own screen, once.
type Secret [SecretSize]byte

// NewSecret draws a secret.
func NewSecret(random io.Reader) (Secret, error) {
	var s Secret
	if _, err := io.ReadFull(random, s[:]); err != nil {
		return Secret{}, fmt.Errorf("totp: randomness: %w", err)
	}
	return s, nil
}

var spelling = base32.StdEncoding.WithPadding(base32.NoPadding)

// Text is the secret as apps take it, and as a person types it into one that has no camera.
func (s Secret) Text() string { return spelling.EncodeToString(s[:]) }

// Code is what an app with a right clock shows.
func (s Secret) Code(now time.Time) string { return s.code(now.Unix() / period) }

func (s Secret) code(step int64) string {
	code, err := hotp.GenerateCodeCustom(s.Text(), uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		// The library refuses only secrets that are no base32.
		panic("totp: " + err.Error())
	}
	return code
}

// match finds the step of a code. All steps are looked at, whichever it is.
func (s Secret) match(code string, now time.Time) (step int64, ok bool) {
	if len(code) != digits || strings.Trim(code, "0123456789") != "" || now.Unix() < period*(skew+1) {
		return 0, false
	}
	current := now.Unix() / period
	for at := current - skew; at <= current+skew; at++ {
		if subtle.ConstantTimeCompare([]byte(s.code(at)), []byte(code)) == 1 {
			step, ok = at, true
		}
	}
	return step, ok
}

// used notes the newest step that was used of a secret. When it expires, no step up to it is valid any more.
type used struct {
	Expires int64 `json:"expires"`
	Step    int64 `json:"step"`
}

// usedKey is totp/<account>/<hash of the secret>, in the accounts partition: a new secret begins anew.
func usedKey(account wire.ObjectID, s Secret) []byte {
	return []byte("totp/" + account.String() + "/" + layout.Hash(s[:]))
}

// Use accepts a code of an account's secret, in the transaction that does what the code is for. A step that was used is
// refused, and so is every one before it (RFC 6238, section 5.2). The error is ErrCode, or the store's.
func Use(tx store.Tx, now time.Time, account wire.ObjectID, s Secret, code string) error {
	key := usedKey(account, s)
	last, found, err := layout.Get[used](tx, key)
	if err != nil {
		return err
	}
	step, ok := s.match(code, now)
	if !ok || (found && step <= last.Step) {
		return ErrCode
	}
	next := used{Expires: (step + skew + 1) * period, Step: step}
	if found { // its note of when to look stands already
		return layout.Put(tx, key, next)
	}
	return layout.PutEphemeral(tx, key, next, next.Expires)
}

// Format hides the secret from every verb of fmt.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// String hides the secret.
func (s Secret) String() string { return "totp.Secret(private)" }

// GoString hides the secret.
func (s Secret) GoString() string { return s.String() }

// MarshalJSON refuses.
func (s Secret) MarshalJSON() ([]byte, error) { return nil, errPrivate }

package vault

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/argon2"

	"github.com/underseal/underseal/keys"
)

// Bounds of the stretch, compiled in. The server stores a Stretch and can
// change it: below the floor it would make guessing cheap, above the ceiling
// it would stop the device.
const (
	minMemoryKiB, maxMemoryKiB = 64 * 1024, 512 * 1024
	minTime, maxTime           = 3, 10
	minThreads, maxThreads     = 1, 4
)

// StretchSize is the length of an encoded Stretch.
const StretchSize = 16 + 4 + 4 + 1

var (
	// ErrStretchWeak means parameters below the floor.
	ErrStretchWeak = errors.New("vault: stretch is below the floor")
	// ErrStretchHeavy means parameters above the ceiling.
	ErrStretchHeavy = errors.New("vault: stretch is above the ceiling")
	// ErrStretchMalformed means that bytes are not an encoded Stretch.
	ErrStretchMalformed = errors.New("vault: malformed stretch")
	// ErrPassphraseEmpty means that there is nothing to stretch.
	ErrPassphraseEmpty = errors.New("vault: passphrase is empty")
)

// Stretch is how a passphrase is stretched with Argon2id (RFC 9106). It is
// public.
type Stretch struct {
	Salt      [16]byte
	MemoryKiB uint32
	Time      uint32
	Threads   uint8
}

// DefaultStretch is the floor, 64 MiB and three passes in one thread, with a
// fresh salt. rand may be nil for crypto/rand.
func DefaultStretch(rand io.Reader) (Stretch, error) {
	s := Stretch{MemoryKiB: minMemoryKiB, Time: minTime, Threads: minThreads}
	if err := read(rand, s.Salt[:]); err != nil {
		return Stretch{}, err
	}
	return s, nil
}

// ParseStretch is the inverse of Bytes. It refuses what StretchPassphrase
// would refuse.
func ParseStretch(b []byte) (Stretch, error) {
	if len(b) != StretchSize {
		return Stretch{}, ErrStretchMalformed
	}
	s := Stretch{
		Salt:      [16]byte(b[:16]),
		MemoryKiB: binary.BigEndian.Uint32(b[16:]),
		Time:      binary.BigEndian.Uint32(b[20:]),
		Threads:   b[24],
	}
	return s, s.check()
}

// Bytes returns the encoding.
func (s Stretch) Bytes() []byte {
	b := append(make([]byte, 0, StretchSize), s.Salt[:]...)
	b = binary.BigEndian.AppendUint32(b, s.MemoryKiB)
	b = binary.BigEndian.AppendUint32(b, s.Time)
	return append(b, s.Threads)
}

func (s Stretch) check() error {
	if s.MemoryKiB < minMemoryKiB || s.Time < minTime || s.Threads < minThreads {
		return ErrStretchWeak
	}
	if s.MemoryKiB > maxMemoryKiB || s.Time > maxTime || s.Threads > maxThreads {
		return ErrStretchHeavy
	}
	return nil
}

// Passphrase is a stretched passphrase.
type Passphrase struct{ secret [keys.KeySize]byte }

// StretchPassphrase stretches the exact bytes of a passphrase; the caller has
// normalised its Unicode. Parameters outside the bounds are refused before any
// work is done.
func StretchPassphrase(passphrase []byte, s Stretch) (Passphrase, error) {
	if err := s.check(); err != nil {
		return Passphrase{}, err
	}
	if len(passphrase) == 0 {
		return Passphrase{}, ErrPassphraseEmpty
	}
	secret := argon2.IDKey(passphrase, s.Salt[:], s.Time, s.MemoryKiB, s.Threads, keys.KeySize)
	return Passphrase{[keys.KeySize]byte(secret)}, nil
}

// LoginKey is the key that proves to the server that the passphrase is known.
func (p Passphrase) LoginKey() ed25519.PrivateKey {
	seed := keys.Derive(p.secret[:], keys.LabelLoginPassphrase)
	return ed25519.NewKeyFromSeed(seed[:])
}

// UnlockKey opens the vault.
func (p Passphrase) UnlockKey() [keys.KeySize]byte {
	return keys.Derive(p.secret[:], keys.LabelUnlockPassphrase)
}

// Format hides the secret from every verb of fmt.
func (p Passphrase) Format(s fmt.State, _ rune) { io.WriteString(s, p.String()) }

// String hides the secret.
func (p Passphrase) String() string { return "vault.Passphrase(private)" }

// GoString hides the secret.
func (p Passphrase) GoString() string { return p.String() }

// MarshalJSON refuses.
func (p Passphrase) MarshalJSON() ([]byte, error) { return nil, errPrivate }

// Package opaque signs in with a password that the server never learns: OPAQUE,
// RFC 9807, in one fixed configuration (OPAQUE-3DH over ristretto255 with
// SHA-512, HKDF, HMAC and Argon2id). There is nothing to negotiate, so there is
// nothing to downgrade (attack 11).
//
// A newcomer starts in the browser or the command line with [RegisterStart]
// and later [LoginStart], and on the server with [NewServer]. Both ways are two
// messages there and one back: the client keeps its [Registration] or [Login]
// between them, the server keeps bytes in a row, so that no memory of it must
// outlive a request. What the client gets besides is the export key: the same
// for every sign-in with that password, known to nobody else, and the secret
// that package vault makes an unlock key from.
//
// What is bound: the name of the account, which is also its credential
// identifier, and the server's origin. A record made for another name or at
// another origin signs nobody in, there is no salt to swap (attack 13), and
// who changes the origin of a server ends its passwords.
//
// A name without an account is answered from a record that follows from the
// server's stored seed: the answer has the same length and takes the same
// work, and is the same again after a restart (attack 87).
//
// Every failure is [ErrRefused]: another password, name, server or message, and
// a malformed one. The package keeps no state and does no I/O. A Server is safe
// for concurrent use, a Registration or a Login is one goroutine's. Not handled:
// counting attempts, which the caller does at every LoginStart, for one that
// finishes nothing has tested a password too; normalising the spelling of names
// and passwords; and Go cannot promise to erase a key from memory.
package opaque

import (
	"crypto"
	"errors"

	"github.com/bytemare/ecc"
	"github.com/bytemare/ksf"
	"github.com/bytemare/opaque"
)

// Sizes of the messages and secrets, in bytes.
const (
	RegistrationRequestSize  = 32
	RegistrationResponseSize = 64
	RecordSize               = 192
	KE1Size                  = 96
	KE2Size                  = 320
	KE3Size                  = 64
	ExportKeySize            = 64
	SessionKeySize           = 64
	// SeedSize is the length of what a server stores for good.
	SeedSize = 32
	// StateSize is the length of what a server keeps between two messages of
	// one sign-in.
	StateSize = verifierSize + SessionKeySize
)

// Bounds of what people type.
const (
	MaxName     = 255
	MaxPassword = 1024
)

// ErrRefused is the one error.
var ErrRefused = errors.New("opaque: refused")

// errPrivate is returned where a secret would have been serialised.
var errPrivate = errors.New("opaque: secrets are not serialised")

// The purposes of what is derived here. They stand here and not in package
// keys, so that the module for passwords need not link all of that.
const (
	labelContext    = "underseal/v1/opaque"
	labelOPRFSeed   = "underseal/v1/opaque/oprf-seed"
	labelServerKey  = "underseal/v1/opaque/server-key"
	labelFakeSeed   = "underseal/v1/opaque/fake-seed"
	labelFakeRecord = "underseal/v1/opaque/fake-record"
	labelFakeKey    = "underseal/v1/opaque/fake-key"
	labelVerifier   = "underseal/v1/opaque/state-verifier"
	labelStateKey   = "underseal/v1/opaque/state-session"
)

// suite is a configuration with what follows from it. There is one; another is
// made by the test vectors alone.
type suite struct {
	conf    opaque.Configuration
	group   ecc.Group
	element int // length of a point
	hash    int // length of a hash, a MAC and a key
	// stretch are the library's options for Argon2id: without them its
	// defaults count, which are four threads and may change.
	stretch opaque.ClientOptions
}

const nonceSize = 32

// ourSuite is RFC 9807's first recommendation (section 7), with the parameters
// of Argon2id that everything else here is stretched with. The output has the
// length of a hash and the salt is zeros, as it says: what a salt is for, the
// OPRF does.
func ourSuite() suite {
	return suite{
		conf: opaque.Configuration{
			OPRF: opaque.RistrettoSha512, AKE: opaque.RistrettoSha512,
			KDF: crypto.SHA512, MAC: crypto.SHA512, Hash: crypto.SHA512,
			KSF: ksf.Argon2id, Context: []byte(labelContext),
		},
		group:   ecc.Ristretto255Sha512,
		element: 32,
		hash:    64,
		stretch: opaque.ClientOptions{
			KSFParameters: []uint64{3, 64 * 1024, 1}, // passes, KiB, threads
			KSFSalt:       make([]byte, 16),
			KSFLength:     64,
		},
	}
}

// envelope is its length: nonce and MAC.
func (s suite) envelope() int { return nonceSize + s.hash }

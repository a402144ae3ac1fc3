package auth

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/opaque"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/auth/limit"
	"github.com/underseal/underseal/server/auth/totp"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// Key is the secret of signing in with passwords. It is drawn once: with another one no password signs anybody in.
type Key [32]byte

// Format hides the key from every verb of fmt.
func (k Key) Format(s fmt.State, _ rune) { io.WriteString(s, k.String()) }

// String hides the key.
func (Key) String() string { return "auth.Key(private)" }

// GoString hides the key.
func (k Key) GoString() string { return k.String() }

// Keys keeps the key. Like the logs' it is not in the store, so that who has the store alone, or a backup of it, can neither
// test passwords against the records that stand there nor make codes.
type Keys interface {
	// Key returns the key. Where there is none it is ErrNoKey.
	Key(ctx context.Context) (Key, error)
	// Make is the same, and makes a key, durably, where there is none.
	Make(ctx context.Context) (Key, error)
}

var (
	// ErrNoKey says that there is no key yet.
	ErrNoKey = errors.New("sign-in.key is not there")
	// ErrOtherKey says that passwords were set with another key than there is.
	ErrOtherKey = errors.New("sign-in.key is not the one that the passwords of this store were set with: without it nobody signs in by password. " +
		"Put back the one that belongs to this data folder. Nothing was started")
)

// The purposes of what is derived from the key.
const (
	labelOpaque keys.Label = "underseal/v1/server/opaque"
	labelLimit  keys.Label = "underseal/v1/server/limit"
	labelMask   keys.Label = "underseal/v1/server/mask"
	labelNobody keys.Label = "underseal/v1/server/nobody"
	labelWhich  keys.Label = "underseal/v1/server/which"
)

// secrets is what follows from the key.
type secrets struct {
	opaque *opaque.Server
	limit  *limit.Limiter
	mask   [keys.KeySize]byte
	nobody [keys.KeySize]byte
	which  [keys.KeySize]byte // says which key it is, and nothing of it
}

// loadSecrets takes the key, or makes the first one. A store in which passwords were set with another key is not served.
func loadSecrets(ctx context.Context, s store.Store, k Keys, origin string) (*secrets, error) {
	var want []byte
	err := s.View(ctx, layout.Accounts, func(tx store.Tx) (err error) {
		want, err = tx.Get(layout.SignInKeyKey())
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	key, err := k.Key(ctx)
	if errors.Is(err, ErrNoKey) && want == nil {
		key, err = k.Make(ctx)
	}
	if errors.Is(err, ErrNoKey) {
		err = ErrOtherKey
	}
	if err != nil {
		return nil, err
	}
	out := &secrets{mask: keys.Derive(key[:], labelMask), nobody: keys.Derive(key[:], labelNobody), which: keys.Derive(key[:], labelWhich)}
	if want != nil && !bytes.Equal(want, out.which[:]) {
		return nil, ErrOtherKey
	}
	out.limit = limit.New(keys.Derive(key[:], labelLimit))
	out.opaque, err = opaque.NewServer(keys.Derive(key[:], labelOpaque), origin)
	return out, err
}

// bind notes which key passwords are set with, from the first on.
func (s *secrets) bind(tx store.Tx) error { return tx.Put(layout.SignInKeyKey(), s.which[:]) }

// nobodyOf is the account of a name that nobody has: the same each time, so that all that is done for an account is done for
// it, and no answer or delay tells the two apart.
func (s *secrets) nobodyOf(name wire.Hash) wire.ObjectID {
	id := keys.Derive(s.nobody[:], labelNobody, name[:])
	return wire.ObjectID(id[:len(wire.ObjectID{})])
}

const nonceSize = 16

func (s *secrets) pad(account wire.ObjectID, nonce []byte) []byte {
	pad := keys.Derive(s.mask[:], labelMask, account[:], nonce)
	return pad[:totp.SecretSize]
}

// conceal masks an app's secret for its row: what it is bound to makes it useless in another one. It is a pad of its own
// each time, for whoever can change rows needs no secret, and whoever reads them shall learn none.
func (a *Service) conceal(account wire.ObjectID, secret totp.Secret) (layout.Masked, error) {
	nonce, err := a.random(nonceSize)
	if err != nil {
		return layout.Masked{}, err
	}
	m := layout.Masked{Nonce: nonce, Bytes: a.secrets.pad(account, nonce)}
	subtle.XORBytes(m.Bytes, m.Bytes, secret[:])
	return m, nil
}

// reveal is the inverse of conceal.
func (a *Service) reveal(account wire.ObjectID, m layout.Masked) (totp.Secret, error) {
	if len(m.Nonce) != nonceSize || len(m.Bytes) != totp.SecretSize {
		return totp.Secret{}, access.Deny(api.CodeInternal)
	}
	secret := totp.Secret(a.secrets.pad(account, m.Nonce))
	subtle.XORBytes(secret[:], secret[:], m.Bytes)
	return secret, nil
}

// MemoryKeys keeps a key in memory, for tests.
type MemoryKeys struct {
	Random io.Reader

	mu   sync.Mutex // guards all below
	made bool
	key  Key
}

var _ Keys = (*MemoryKeys)(nil)

// Key implements Keys.
func (m *MemoryKeys) Key(context.Context) (Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.made {
		return Key{}, ErrNoKey
	}
	return m.key, nil
}

// Make implements Keys.
func (m *MemoryKeys) Make(context.Context) (Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.made {
		if _, err := io.ReadFull(m.Random, m.key[:]); err != nil {
			return Key{}, err
		}
		m.made = true
	}
	return m.key, nil
}

package ledger

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"sync"

	"github.com/cloudflare/circl/sign/mldsa/mldsa44"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/log"
)

// LogKeys keeps the private keys of logs. It is the server's one secret that is not in its store, so that a thief of the
// store cannot sign.
type LogKeys interface {
	// Seeds returns the seeds of the log of that name. Where there are none it is ErrNoSeeds: a log that has begun never
	// gets others.
	Seeds(ctx context.Context, name string) (LogSeeds, error)
	// Make is the same for a log that begins: it makes seeds, durably, when there are none.
	Make(ctx context.Context, name string) (LogSeeds, error)
}

// ErrNoSeeds says that there are no private keys for a log.
var ErrNoSeeds = errors.New("log.key has no keys of this log")

// LogSeeds are the private keys of one log, each for one purpose.
type LogSeeds struct {
	Ed25519 [32]byte
	MLDSA44 [32]byte
	VRF     [32]byte
}

// NewLogSeeds draws seeds.
func NewLogSeeds(random io.Reader) (s LogSeeds, err error) {
	for _, b := range [][]byte{s.Ed25519[:], s.MLDSA44[:], s.VRF[:]} {
		if _, err := io.ReadFull(random, b); err != nil {
			return LogSeeds{}, err
		}
	}
	return s, nil
}

// String hides the seeds.
func (LogSeeds) String() string { return "ledger.LogSeeds(private)" }

// GoString hides the seeds.
func (s LogSeeds) GoString() string { return s.String() }

// Public are the keys that a firm's first statement names.
func (s LogSeeds) Public(origin string) api.LogKeys {
	ed := ed25519.NewKeyFromSeed(s.Ed25519[:]).Public().(ed25519.PublicKey)
	ml, _ := mldsa44.NewKeyFromSeed(&s.MLDSA44)
	// RFC 9381, 5.5: a key of ECVRF-EDWARDS25519-SHA512-TAI is made as one of Ed25519.
	vrf := ed25519.NewKeyFromSeed(s.VRF[:]).Public().(ed25519.PublicKey)
	return api.LogKeys{
		Origin: origin,
		Keys:   []string{log.VerifierKey(origin, log.AlgEd25519, ed), log.VerifierKey(origin, log.AlgMLDSA44, ml.Bytes())},
		VRF:    vrf,
	}
}

// MemoryKeys keeps seeds in memory, for tests.
type MemoryKeys struct {
	Random io.Reader

	mu    sync.Mutex // guards seeds
	seeds map[string]LogSeeds
}

var _ LogKeys = (*MemoryKeys)(nil)

// Seeds implements LogKeys.
func (m *MemoryKeys) Seeds(_ context.Context, name string) (LogSeeds, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.seeds[name]; ok {
		return s, nil
	}
	return LogSeeds{}, ErrNoSeeds
}

// Make implements LogKeys.
func (m *MemoryKeys) Make(_ context.Context, name string) (LogSeeds, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.seeds[name]; ok {
		return s, nil
	}
	s, err := NewLogSeeds(m.Random)
	if err != nil {
		return LogSeeds{}, err
	}
	if m.seeds == nil {
		m.seeds = map[string]LogSeeds{}
	}
	m.seeds[name] = s
	return s, nil
}

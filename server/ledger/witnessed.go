package ledger

import (
	"errors"
	"fmt"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// ErrWitnessed refuses a checkpoint that is not of the log as it stands.
var ErrWitnessed = errors.New("not a checkpoint of this log")

// Witnessing is what is carried to a log's witnesses.
type Witnessing struct {
	Newest    Published
	Origin    string
	Policy    string // c2sp.org/tlog-policy
	Witnessed []byte // the newest checkpoint that satisfies the policy; nil where there is none yet
}

// ToWitness is what there is to witness. found is false where the firm has no policy, or nothing was signed yet.
func ToWitness(tx store.Tx) (w Witnessing, found bool, err error) {
	f, found, err := layout.Get[layout.Firm](tx, layout.FirmKey())
	if err != nil || !found || f.Policy == "" {
		return w, false, err
	}
	w.Origin, w.Policy = f.Origin, f.Policy
	if w.Newest, err = Newest(tx); err != nil {
		if access.Is(err, api.CodeNotFound) {
			err = nil
		}
		return w, false, err
	}
	w.Witnessed, err = optional(tx.Get(layout.WitnessedKey()))
	return w, true, err
}

// Cosigned is the size that a witness is remembered to have cosigned last, and the proof that leads from it to a later one.
// A size that the log has not reached is forgotten: the witness tells its own.
func Cosigned(tx store.Tx, url string, to uint64) (from uint64, proof []wire.Hash, err error) {
	from, err = counter(tx, layout.CosignedKey(url))
	if err != nil {
		return 0, nil, err
	}
	if from > to {
		from = 0
	}
	proof, err = Consistency(tx, from, to)
	return from, proof, err
}

// Consistency proves that the log at one size begins with the log at another, both of which it has signed.
func Consistency(tx store.Tx, from, to uint64) ([]wire.Hash, error) {
	signed, err := integrated(tx)
	if err != nil {
		return nil, err
	}
	if to > signed.Size {
		return nil, fmt.Errorf("%w: it has %d leaves, not %d", ErrWitnessed, signed.Size, to)
	}
	return log.ProveConsistency(tree{tx}, from, to)
}

// PutCosigned remembers the size that a witness cosigned last.
func PutCosigned(tx store.Tx, url string, size uint64) error {
	if was, err := counter(tx, layout.CosignedKey(url)); err != nil || was == size {
		return err // a checkpoint that is kept fresh costs no commit
	}
	return tx.Put(layout.CosignedKey(url), layout.Uint64(size))
}

// PutWitnessed keeps a checkpoint with the cosignatures that satisfy the policy, which the caller has verified. One of a
// smaller size than the one that is kept changes nothing: what was shown to be witnessed stays so. One that is not of the
// log in the store is refused.
func PutWitnessed(tx store.Tx, note []byte) error {
	c, err := log.Unverified(note)
	if err != nil {
		return err
	}
	f, err := firmOf(tx)
	if err != nil {
		return err
	}
	signed, err := integrated(tx)
	if err != nil {
		return err
	}
	if c.Origin != f.Origin || c.Size == 0 || c.Size > signed.Size {
		return fmt.Errorf("%w: %d leaves of %d", ErrWitnessed, c.Size, signed.Size)
	}
	root, err := log.RootAt(tree{tx}, c.Size)
	if err != nil {
		return err
	}
	if root != c.Root {
		return fmt.Errorf("%w: another history at %d leaves", ErrWitnessed, c.Size)
	}
	kept, err := optional(tx.Get(layout.WitnessedKey()))
	if err != nil {
		return err
	}
	if kept != nil {
		size, err := sizeOf(kept)
		if err != nil {
			return err
		}
		if size > c.Size {
			return nil
		}
	}
	return tx.Put(layout.WitnessedKey(), note)
}

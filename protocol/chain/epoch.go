package chain

import (
	"crypto/subtle"
	"encoding/binary"
	"io"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// Secret is one symmetric key of an epoch.
type Secret [32]byte

// EpochKeys are the keys of one epoch that a seat holds. Keys above the seat's rung, and history it was not given, are
// zero; Rung, History and Audit say which are present. All rungs follow one way from Content and HistoryContent.
type EpochKeys struct {
	Epoch   uint32
	Rung    Rung
	History bool // opens the epoch before, by the same rung
	Audit   bool // reads the trail

	Content, Entry, StateLink, TrailLink      Secret
	HistoryContent, HistoryEntry, HistoryLink Secret
	Trail, TrailHistory                       Secret
}

// newEpochKeys makes a fresh epoch with every rung.
func newEpochKeys(random io.Reader, epoch uint32) (*EpochKeys, error) {
	k := &EpochKeys{Epoch: epoch, Rung: RungContent, History: true, Audit: true}
	for _, s := range []*Secret{&k.Content, &k.HistoryContent, &k.Trail, &k.TrailHistory} {
		if _, err := io.ReadFull(random, s[:]); err != nil {
			return nil, err
		}
	}
	k.derive()
	return k, nil
}

func (k *EpochKeys) number() []byte { return binary.BigEndian.AppendUint32(nil, k.Epoch) }

// derive fills the rungs below the highest one held: SPEC S-EPOCH-02.
func (k *EpochKeys) derive() {
	if k.Rung == RungContent {
		k.Entry = keys.Derive(k.Content[:], keys.LabelEpochEntryKey, k.number())
		if k.History {
			k.HistoryEntry = keys.Derive(k.HistoryContent[:], keys.LabelHistoryEntryKey, k.number())
		}
	}
	if k.Rung >= RungEntry {
		k.StateLink = keys.Derive(k.Entry[:], keys.LabelEpochStateLink, k.number())
		k.TrailLink = keys.Derive(k.Entry[:], keys.LabelEpochTrailLink, k.number())
		if k.History {
			k.HistoryLink = keys.Derive(k.HistoryEntry[:], keys.LabelHistoryLink, k.number())
		}
	}
}

func (k *EpochKeys) stateLink() log.LinkKey { return log.LinkKey(k.StateLink) }
func (k *EpochKeys) trailLink() log.LinkKey { return log.LinkKey(k.TrailLink) }

// grant is what is wrapped to a seat: the keys of its rung, of its history, and of the trail, and nothing else.
func (k *EpochKeys) grant(role Role, history bool) []byte {
	var b []byte
	switch role.Rung() {
	case RungContent:
		b = append(b, k.Content[:]...)
	case RungEntry:
		b = append(b, k.Entry[:]...)
	default:
		b = append(append(b, k.StateLink[:]...), k.TrailLink[:]...)
	}
	if history {
		switch role.Rung() {
		case RungContent:
			b = append(b, k.HistoryContent[:]...)
		case RungEntry:
			b = append(b, k.HistoryEntry[:]...)
		default:
			b = append(b, k.HistoryLink[:]...)
		}
	}
	if role.May(RightAudit) {
		b = append(b, k.Trail[:]...)
		if history {
			b = append(b, k.TrailHistory[:]...)
		}
	}
	return b
}

// parseGrant is the inverse of grant.
func parseGrant(b []byte, epoch uint32, role Role, history bool) (*EpochKeys, error) {
	r := wire.NewReader(b)
	k := &EpochKeys{Epoch: epoch, Rung: role.Rung(), History: history, Audit: role.May(RightAudit)}
	next := func() Secret { return Secret(r.Hash()) }
	switch k.Rung {
	case RungContent:
		k.Content = next()
	case RungEntry:
		k.Entry = next()
	default:
		k.StateLink, k.TrailLink = next(), next()
	}
	if history {
		switch k.Rung {
		case RungContent:
			k.HistoryContent = next()
		case RungEntry:
			k.HistoryEntry = next()
		default:
			k.HistoryLink = next()
		}
	}
	if k.Audit {
		k.Trail = next()
		if history {
			k.TrailHistory = next()
		}
	}
	if err := r.Done(); err != nil {
		return nil, ErrWrap
	}
	k.derive()
	return k, nil
}

// rungs are the keys a statement commits to, in the order of its commitments.
func (k *EpochKeys) rungs() []Secret {
	return []Secret{k.Content, k.Entry, k.StateLink, k.TrailLink, k.HistoryContent, k.HistoryEntry, k.HistoryLink, k.Trail, k.TrailHistory}
}

const commitmentCount = 9

var rungNames = [commitmentCount]string{"content", "entry", "state-link", "trail-link", "history-content", "history-entry", "history-link", "trail", "trail-history"}

func (k *EpochKeys) commitments() (c [commitmentCount]wire.Hash) {
	for i, s := range k.rungs() {
		c[i] = keys.Commit(s[:], keys.LabelCommitment, []byte(rungNames[i]), k.number())
	}
	return c
}

// holds says which of the keys of rungs these are to have.
func (k *EpochKeys) holds() [commitmentCount]bool {
	content, entry := k.Rung == RungContent, k.Rung >= RungEntry
	return [commitmentCount]bool{content, entry, true, true,
		k.History && content, k.History && entry, k.History, k.Audit, k.Audit && k.History}
}

// check compares every key of the rung with the statement's commitments (attacks 25, 35: SPEC S-EPOCH-04). Which keys
// those are follows from the rung and not from the keys: one that is all zeros is compared like any other.
func (k *EpochKeys) check(signed [commitmentCount]wire.Hash) error {
	held, holds := k.commitments(), k.holds()
	for i := range held {
		if !holds[i] {
			continue
		}
		if subtle.ConstantTimeCompare(held[i][:], signed[i][:]) != 1 {
			return ErrCommitment
		}
	}
	return nil
}

// Boxes open the epoch before: one for each rung, sealed under this epoch's history key of that rung. Empty in a first
// statement.
type Boxes struct{ Content, Entry, Link, Trail []byte }

func (b Boxes) empty() bool { return len(b.Content)+len(b.Entry)+len(b.Link)+len(b.Trail) == 0 }

const maxBox = 256

func boxContext(chain wire.ChainID, epoch uint32, rung string) []byte {
	w := wire.NewWriter()
	w.Text(string(keys.LabelSealHistory))
	w.Uint8(wire.Suite)
	w.Fixed(chain[:])
	w.Uint32(epoch)
	w.Text(rung)
	return w.Bytes()
}

// sealBoxes seals before under k.
func (k *EpochKeys) sealBoxes(random io.Reader, chain wire.ChainID, before *EpochKeys) (b Boxes, err error) {
	box := func(rung string, key Secret, secrets ...Secret) []byte {
		var plain []byte
		for _, s := range secrets {
			plain = append(plain, s[:]...)
		}
		sealed, sealErr := seal.Seal(random, key[:], boxContext(chain, k.Epoch, rung), plain)
		if sealErr != nil {
			err = sealErr
		}
		return sealed
	}
	b.Content = box("content", k.HistoryContent, before.Content, before.HistoryContent)
	b.Entry = box("entry", k.HistoryEntry, before.Entry, before.HistoryEntry)
	b.Link = box("link", k.HistoryLink, before.StateLink, before.TrailLink, before.HistoryLink)
	b.Trail = box("trail", k.TrailHistory, before.Trail, before.TrailHistory)
	return b, err
}

// openBefore opens the epoch before with the boxes of this epoch's statement.
func (k *EpochKeys) openBefore(chain wire.ChainID, b Boxes) (*EpochKeys, error) {
	if !k.History || k.Epoch < 2 {
		return nil, ErrNoKey
	}
	before := &EpochKeys{Epoch: k.Epoch - 1, Rung: k.Rung, History: true, Audit: k.Audit}
	open := func(rung string, key Secret, sealed []byte, into ...*Secret) error {
		plain, err := seal.Open(key[:], boxContext(chain, k.Epoch, rung), sealed)
		if err != nil || len(plain) != 32*len(into) {
			return ErrCommitment
		}
		for i, s := range into {
			*s = Secret(plain[32*i : 32*i+32])
		}
		return nil
	}
	var err error
	switch k.Rung {
	case RungContent:
		err = open("content", k.HistoryContent, b.Content, &before.Content, &before.HistoryContent)
	case RungEntry:
		err = open("entry", k.HistoryEntry, b.Entry, &before.Entry, &before.HistoryEntry)
	default:
		err = open("link", k.HistoryLink, b.Link, &before.StateLink, &before.TrailLink, &before.HistoryLink)
	}
	if err != nil {
		return nil, err
	}
	if k.Audit {
		if err := open("trail", k.TrailHistory, b.Trail, &before.Trail, &before.TrailHistory); err != nil {
			return nil, err
		}
	}
	before.derive()
	return before, nil
}

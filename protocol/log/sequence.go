package log

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"github.com/underseal/underseal/protocol/wire"
)

// EpochLinks are the link keys of one epoch of a chain, and where each sequence stood when it opened: the statement that
// opened it says so.
type EpochLinks struct {
	Epoch        uint32
	StateFrom    uint64 // the first position under State: the one after the statement
	TrailFrom    uint64
	State, Trail LinkKey
}

// LinkKeys are what a reviewer holds of a chain: with them and the public log he can tell that nothing is missing from it,
// and read nothing.
type LinkKeys struct {
	Origin string // of the log
	Chain  wire.ChainID
	Epochs []EpochLinks // from 1, without gap
}

// Errors of a sequence.
var (
	ErrIncomplete = errors.New("an entry is missing from the log")
	ErrLinkKeys   = errors.New("not link keys")
)

// Walk follows a sequence (TypeState or TypeTrail) through the log from its first position to where no leaf has the next
// tag, and is how many entries there are and the hash of the last one's leaf. find gives the leaf with a tag. seen, which may
// be nil, is told of each.
func (l LinkKeys) Walk(kind uint16, find func(tag wire.Hash) (Leaf, bool), seen func(position uint64, leaf Leaf)) (n uint64, head wire.Hash, err error) {
	for i, e := range l.Epochs {
		key, end := e.State, uint64(0)
		if kind == TypeTrail {
			key = e.Trail
		}
		last := i == len(l.Epochs)-1
		if !last {
			if end = l.Epochs[i+1].StateFrom; kind == TypeTrail {
				end = l.Epochs[i+1].TrailFrom
			}
		}
		for last || n < end {
			leaf, ok := find(key.tag(kind, n))
			if !ok {
				if last {
					return n, head, nil
				}
				return n, head, ErrIncomplete
			}
			if err := leaf.Check(kind, key, n, head, leaf.Commit); err != nil {
				return n, head, err
			}
			if seen != nil {
				seen(n, leaf)
			}
			n, head = n+1, leaf.Hash()
		}
	}
	return n, head, nil
}

const linkKeysHeader = "underseal/v1/link-keys"

// Format is the file that a reviewer is given. It is secret: who has it learns how many entries the chain has.
func (l LinkKeys) Format() []byte {
	var b strings.Builder
	b.WriteString(linkKeysHeader + "\norigin " + l.Origin + "\nchain " + l.Chain.String() + "\n")
	for _, e := range l.Epochs {
		b.WriteString("epoch " + strconv.FormatUint(uint64(e.Epoch), 10) + " " + strconv.FormatUint(e.StateFrom, 10) + " " + strconv.FormatUint(e.TrailFrom, 10) + " " +
			base64.StdEncoding.EncodeToString(e.State[:]) + " " + base64.StdEncoding.EncodeToString(e.Trail[:]) + "\n")
	}
	return []byte(b.String())
}

// ParseLinkKeys is the inverse of Format.
func ParseLinkKeys(b []byte) (LinkKeys, error) {
	if len(b) > 16<<20 {
		return LinkKeys{}, ErrLinkKeys
	}
	lines := strings.Split(string(b), "\n")
	if len(lines) < 5 || lines[0] != linkKeysHeader {
		return LinkKeys{}, ErrLinkKeys
	}
	var l LinkKeys
	var err error
	l.Origin = strings.TrimPrefix(lines[1], "origin ")
	if l.Chain, err = wire.ParseHash(strings.TrimPrefix(lines[2], "chain ")); err != nil {
		return LinkKeys{}, ErrLinkKeys
	}
	for _, line := range lines[3 : len(lines)-1] {
		e, err := parseEpochLinks(strings.Split(line, " "))
		if err != nil {
			return LinkKeys{}, err
		}
		l.Epochs = append(l.Epochs, e)
	}
	// One spelling: what is read is written the same.
	if string(l.Format()) != string(b) || !l.ordered() {
		return LinkKeys{}, ErrLinkKeys
	}
	return l, nil
}

func parseEpochLinks(f []string) (e EpochLinks, err error) {
	if len(f) != 6 || f[0] != "epoch" {
		return e, ErrLinkKeys
	}
	epoch, err1 := strconv.ParseUint(f[1], 10, 32)
	state, err2 := strconv.ParseUint(f[2], 10, 64)
	trail, err3 := strconv.ParseUint(f[3], 10, 64)
	a, err4 := base64.StdEncoding.DecodeString(f[4])
	b, err5 := base64.StdEncoding.DecodeString(f[5])
	if errors.Join(err1, err2, err3, err4, err5) != nil || len(a) != 32 || len(b) != 32 {
		return e, ErrLinkKeys
	}
	return EpochLinks{Epoch: uint32(epoch), StateFrom: state, TrailFrom: trail, State: LinkKey(a), Trail: LinkKey(b)}, nil
}

func (l LinkKeys) ordered() bool {
	for i, e := range l.Epochs {
		if e.Epoch != uint32(i+1) || (i == 0 && (e.StateFrom != 0 || e.TrailFrom != 0)) {
			return false
		}
		if i > 0 && (e.StateFrom <= l.Epochs[i-1].StateFrom || e.TrailFrom < l.Epochs[i-1].TrailFrom) {
			return false
		}
	}
	return len(l.Epochs) > 0
}

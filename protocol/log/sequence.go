package log

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/underseal/underseal/protocol/wire"
)

// EpochLinks are the link keys of one epoch of a chain, and where each sequence stood when it opened: the statement that
// opened it says so.
type EpochLinks struct {
	Epoch        uint32
	StateFrom    uint64 // the first position under State: the one after the statement
	TrailFrom    uint64
	StateHead    wire.Hash // leaf hash of the entry before it: a walk that comes there on another way is refused. Zeros in the first epoch
	TrailHead    wire.Hash
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
		key, from, closed, end := e.State, e.StateFrom, e.StateHead, uint64(0)
		if kind == TypeTrail {
			key, from, closed = e.Trail, e.TrailFrom, e.TrailHead
		}
		if n != from || head != closed {
			return n, head, ErrLink // not what the statement that opened this epoch closed
		}
		last := i == len(l.Epochs)-1
		if !last {
			if end = l.Epochs[i+1].StateFrom; kind == TypeTrail {
				end = l.Epochs[i+1].TrailFrom
			}
		}
		for last || n < end {
			leaf, ok := find(key.Tag(l.Chain, kind, n))
			if !ok {
				if last {
					return n, head, nil
				}
				return n, head, ErrIncomplete
			}
			if err := leaf.Check(l.Chain, kind, key, n, head, leaf.Commit); err != nil {
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
			base64.StdEncoding.EncodeToString(e.State[:]) + " " + base64.StdEncoding.EncodeToString(e.Trail[:]) + " " +
			base64.StdEncoding.EncodeToString(e.StateHead[:]) + " " + base64.StdEncoding.EncodeToString(e.TrailHead[:]) + "\n")
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
	if l.Origin == "" || !utf8.ValidString(l.Origin) || string(l.Format()) != string(b) || !l.ordered() {
		return LinkKeys{}, ErrLinkKeys
	}
	return l, nil
}

func parseEpochLinks(f []string) (e EpochLinks, err error) {
	if len(f) != 8 || f[0] != "epoch" {
		return e, ErrLinkKeys
	}
	epoch, err1 := strconv.ParseUint(f[1], 10, 32)
	state, err2 := strconv.ParseUint(f[2], 10, 64)
	trail, err3 := strconv.ParseUint(f[3], 10, 64)
	var fixed [4][32]byte
	for i := range fixed {
		b, err := base64.StdEncoding.DecodeString(f[4+i])
		if err != nil || len(b) != 32 {
			return e, ErrLinkKeys
		}
		fixed[i] = [32]byte(b)
	}
	if errors.Join(err1, err2, err3) != nil {
		return e, ErrLinkKeys
	}
	return EpochLinks{Epoch: uint32(epoch), StateFrom: state, TrailFrom: trail, State: fixed[0], Trail: fixed[1], StateHead: fixed[2], TrailHead: fixed[3]}, nil
}

func (l LinkKeys) ordered() bool {
	for i, e := range l.Epochs {
		if e.Epoch != uint32(i+1) || (i == 0 && (e.StateFrom != 0 || e.TrailFrom != 0 || !e.StateHead.IsZero() || !e.TrailHead.IsZero())) {
			return false
		}
		if i > 0 && (e.StateFrom <= l.Epochs[i-1].StateFrom || e.TrailFrom < l.Epochs[i-1].TrailFrom) {
			return false
		}
	}
	return len(l.Epochs) > 0
}

package chain

import (
	"crypto/sha256"
	"crypto/subtle"
	"io"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// Entry is one entry as it is stored and served.
type Entry struct {
	Leaf     log.Leaf
	Effect   []byte
	Envelope []byte
	// Erased is the hash of an envelope that is gone: the entry is a tombstone, and still counts. Nil for one that is there.
	Erased *wire.Hash
}

// Forms of what an entry has for an envelope.
const (
	formEnvelope = 0
	formErased   = 1
)

// Commit is what the entry's leaf commits to.
func (e Entry) Commit() wire.Hash {
	if e.Erased != nil {
		return log.CommitErased(e.Effect, *e.Erased)
	}
	return log.Commit(e.Effect, e.Envelope)
}

// newEntry commits to an effect, of which clear is the encoding, and its envelope. Where the effect names no chain it founds
// one, whose id is the commit.
func newEntry(effect *Effect, clear, envelope []byte, key log.LinkKey) Entry {
	id, commit := effect.Chain, log.Commit(clear, envelope)
	if id.IsZero() {
		id = commit
	}
	return Entry{Leaf: log.NewLeaf(id, effect.Sequence, key, effect.Position, effect.Previous, commit), Effect: clear, Envelope: envelope}
}

// stands verifies that an entry is linked where its effect says, in the chain id. Leaf and effect are each compared with what
// the link key gives: an honest server takes no entry whose tag is not of its mark.
func (e Entry) stands(effect *Effect, id wire.ChainID, key log.LinkKey) error {
	mark := key.Mark(effect.Sequence, effect.Position)
	if subtle.ConstantTimeCompare(effect.Mark[:], mark[:]) != 1 {
		return ErrLeaf
	}
	if e.Leaf.Check(id, effect.Sequence, key, effect.Position, effect.Previous, e.Commit()) != nil {
		return ErrLeaf
	}
	return nil
}

// Erase is the tombstone of an entry.
func (e Entry) Erase() Entry {
	if e.Erased == nil {
		h := wire.Hash(sha256.Sum256(e.Envelope))
		e.Envelope, e.Erased = nil, &h
	}
	return e
}

// RowKind is what a row holds.
type RowKind uint8

// Row kinds.
const (
	RowWrap    RowKind = 1 // a grant, wrapped to the member Recipient
	RowPackage RowKind = 2 // of an invite or a recovery, for whoever holds the secret of the link to Recipient
	RowEscrow  RowKind = 3 // an identity that its member Recipient left with custodians
	RowShare   RowKind = 4 // a custodian's share: wrapped to him, or by him to who gets it
)

// Row is what goes with an entry but outside it, so that it can be deleted: a wrap or a package. The entry's body
// commits to it.
type Row struct {
	Kind      RowKind
	Recipient wire.ObjectID
	Bytes     []byte
}

// MaxRow bounds a row. The largest is the package of a reviewer's invite: it repeats what the charter says of the log.
const MaxRow = 64 << 10

// Hash is the row's leaf in the statement's tree of rows.
func (r Row) Hash() wire.Hash {
	w := wire.NewWriter()
	w.Uint8(uint8(r.Kind))
	w.Fixed(r.Recipient[:])
	w.Bytes32(r.Bytes)
	return log.LeafHash(w.Bytes())
}

func rowsRoot(rows []Row) wire.Hash {
	hashes := make([]wire.Hash, len(rows))
	for i, r := range rows {
		hashes[i] = r.Hash()
	}
	return log.Root(hashes)
}

// Submission is an entry with its rows: what a client sends.
type Submission struct {
	Entry Entry
	Rows  []Row
}

// Bytes is the encoding of an entry.
func (e Entry) Bytes() []byte {
	w := wire.NewWriter()
	w.Fixed(e.Leaf.Bytes())
	w.Bytes32(e.Effect)
	if e.Erased != nil {
		w.Uint8(formErased)
		w.Fixed(e.Erased[:])
		return w.Bytes()
	}
	w.Uint8(formEnvelope)
	w.Bytes32(e.Envelope)
	return w.Bytes()
}

func readEntry(r *wire.Reader) Entry {
	leaf, err := log.ParseLeaf(r.Fixed(log.LeafSize))
	if err != nil {
		r.Refuse()
	}
	e := Entry{Leaf: leaf, Effect: r.Bytes32(MaxEffect)}
	switch r.Uint8() {
	case formEnvelope:
		e.Envelope = r.Bytes32(MaxEnvelope)
	case formErased:
		h := r.Hash()
		e.Erased = &h
	default:
		r.Refuse()
	}
	return e
}

// ParseEntry is the inverse of Bytes. It checks form, not truth.
func ParseEntry(b []byte) (Entry, error) {
	r := wire.NewReader(b)
	e := readEntry(r)
	return e, r.Done()
}

// ParseEntries reads entries that follow one another without more than their own lengths, as the server serves them.
func ParseEntries(b []byte) ([]Entry, error) {
	var entries []Entry
	r := wire.NewReader(b)
	for r.More() {
		entries = append(entries, readEntry(r))
	}
	if err := r.Done(); err != nil {
		return nil, err
	}
	return entries, nil
}

// Bytes is the encoding of a submission.
func (s Submission) Bytes() []byte {
	w := wire.NewWriter()
	w.Fixed(s.Entry.Bytes())
	w.Count(len(s.Rows))
	for _, row := range s.Rows {
		w.Uint8(uint8(row.Kind))
		w.Fixed(row.Recipient[:])
		w.Bytes32(row.Bytes)
	}
	return w.Bytes()
}

// ParseSubmission is the inverse of Bytes. It checks form, not truth.
func ParseSubmission(b []byte) (Submission, error) {
	r := wire.NewReader(b)
	s := Submission{Entry: readEntry(r)}
	if s.Entry.Erased != nil {
		r.Refuse() // nobody adds what is gone
	}
	for range r.Count(2*MaxSeats, 21) {
		row := Row{Kind: RowKind(r.Uint8()), Recipient: r.ID(), Bytes: r.Bytes32(MaxRow)}
		if row.Kind < RowWrap || row.Kind > RowShare {
			r.Refuse()
		}
		s.Rows = append(s.Rows, row)
	}
	return s, r.Done()
}

// MaxSubmission bounds an encoded submission.
const MaxSubmission = MaxEntry + 2*MaxSeats*(21+1500) + MaxRow + 2

func envelopeContext(effect []byte) []byte {
	h := sha256.Sum256(effect)
	w := wire.NewWriter()
	w.Text(string(keys.LabelSealEntry))
	w.Uint8(wire.Suite)
	w.Fixed(h[:])
	return w.Bytes()
}

// signedMessage is what an entry's author signs: effect and body together, neither alone.
func signedMessage(effect, body []byte) []byte {
	e, b := sha256.Sum256(effect), sha256.Sum256(body)
	return append(e[:], b[:]...)
}

const envelopeStep = 512

// packEnvelope is length ‖ body ‖ signature ‖ zeros to a multiple of 512.
func packEnvelope(body, signature []byte) []byte {
	w := wire.NewWriter()
	w.Bytes32(body)
	w.Bytes16(signature)
	n := 4 + len(body) + 2 + len(signature)
	w.Fixed(make([]byte, (envelopeStep-n%envelopeStep)%envelopeStep))
	return w.Bytes()
}

func unpackEnvelope(b []byte) (body, signature []byte, err error) {
	r := wire.NewReader(b)
	body, signature = r.Bytes32(MaxEnvelope), r.Bytes16(8<<10)
	rest := r.Rest()
	for _, z := range rest {
		if z != 0 {
			r.Refuse()
		}
	}
	if r.Failed() || len(b)%envelopeStep != 0 || len(rest) >= envelopeStep {
		return nil, nil, ErrEnvelope
	}
	return body, signature, nil
}

func sealEnvelope(random io.Reader, key Secret, effect, body, signature []byte) ([]byte, error) {
	return seal.Seal(random, key[:], envelopeContext(effect), packEnvelope(body, signature))
}

func openEnvelope(key Secret, effect, envelope []byte) (body, signature []byte, err error) {
	plain, err := seal.Open(key[:], envelopeContext(effect), envelope)
	if err != nil {
		return nil, nil, ErrEnvelope
	}
	return unpackEnvelope(plain)
}

// ID is the chain id of a first statement: the hash of effect and envelope.
func (e Entry) ID() wire.ChainID { return log.Commit(e.Effect, e.Envelope) }

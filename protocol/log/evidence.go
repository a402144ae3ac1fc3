package log

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/underseal/underseal/protocol/wire"
)

// Kinds of evidence.
const (
	EvidenceTwoRoots   = "two-roots"   // two signed roots of one size
	EvidenceFork       = "fork"        // two signed trees of which the larger does not begin with the smaller
	EvidenceHiddenLeaf = "hidden-leaf" // a receipt for a leaf, and a later signed tree whose map does not have it
)

const (
	evidenceFormat = "underseal/v1/evidence"
	maxWhat        = 4096

	// MaxEvidenceSize bounds evidence. Both notes may be long, and JSON writes their newlines as two bytes.
	MaxEvidenceSize = 4 << 20
)

// ErrEvidence says that a file is not evidence, or nothing that the log signed.
var ErrEvidence = errors.New("no evidence about this log")

// Evidence is a file that shows a lie to whoever has the log's keys: what the log signed once, and what it signed besides,
// which cannot both be true. Parsed evidence is an accusation; Judge decides.
type Evidence struct {
	Kind        string
	Origin      string       // of the log
	Keys        []string     // the verifier keys that the accuser knows: a claim, and no reason to trust them
	At          time.Time    // when it was noticed, in whole seconds: a claim
	What        string       // a sentence for people: a claim
	Promised    string       // a signed checkpoint, in full or as entries carry it, or a receipt
	Shown       string       // a signed checkpoint
	Consistency []wire.Hash  // what the server offered as proof that Shown and Promised fit
	Map         *EvidenceMap // of EvidenceHiddenLeaf alone
}

// EvidenceMap shows what the map under Shown has at the key of the leaf that was promised.
type EvidenceMap struct {
	Root      wire.Hash   `json:"root"`
	Inclusion []wire.Hash `json:"inclusion"` // of the map root's leaf, the last one under Shown
	Proof     []byte      `json:"proof"`     // MapProof
}

// evidenceJSON is the file.
type evidenceJSON struct {
	Format      string       `json:"format"`
	Kind        string       `json:"kind"`
	Origin      string       `json:"origin"`
	Keys        []string     `json:"keys"`
	At          string       `json:"at"`
	What        string       `json:"what"`
	Promised    string       `json:"promised"`
	Shown       string       `json:"shown"`
	Consistency []wire.Hash  `json:"consistency,omitempty"`
	Map         *EvidenceMap `json:"map,omitempty"`
}

// Format is the file that ParseEvidence takes. What would not print in What is replaced: a name from elsewhere may be in it.
func (e Evidence) Format() []byte {
	file := evidenceJSON{
		Format: evidenceFormat, Kind: e.Kind, Origin: e.Origin, Keys: e.Keys, At: e.At.UTC().Format(time.RFC3339), What: printable(e.What),
		Promised: e.Promised, Shown: e.Shown, Consistency: e.Consistency, Map: e.Map,
	}
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	if err := out.Encode(file); err != nil {
		panic(err) // strings, bytes and hashes always encode
	}
	return b.Bytes()
}

// printable keeps what a terminal and a page show as it stands.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// ParseEvidence is the inverse of Format. There is one spelling: nothing in the file is read in two ways, and nothing in it is
// not read.
func ParseEvidence(b []byte) (Evidence, error) {
	if len(b) > MaxEvidenceSize {
		return Evidence{}, fmt.Errorf("%w: too long", ErrEvidence)
	}
	var file evidenceJSON
	if err := json.Unmarshal(b, &file); err != nil || file.Format != evidenceFormat {
		return Evidence{}, fmt.Errorf("%w: another format", ErrEvidence)
	}
	at, err := time.Parse(time.RFC3339, file.At)
	if err != nil || len(file.What) > maxWhat || len(file.Consistency) > maxPath {
		return Evidence{}, fmt.Errorf("%w: malformed", ErrEvidence)
	}
	e := Evidence{
		Kind: file.Kind, Origin: file.Origin, Keys: file.Keys, At: at.UTC(), What: file.What,
		Promised: file.Promised, Shown: file.Shown, Consistency: file.Consistency, Map: file.Map,
	}
	switch {
	case e.Kind != EvidenceTwoRoots && e.Kind != EvidenceFork && e.Kind != EvidenceHiddenLeaf:
		return Evidence{}, fmt.Errorf("%w: unknown kind", ErrEvidence)
	case (e.Map != nil) != (e.Kind == EvidenceHiddenLeaf) || e.Map != nil && len(e.Map.Inclusion) > maxPath:
		return Evidence{}, fmt.Errorf("%w: malformed", ErrEvidence)
	case !bytes.Equal(e.Format(), b):
		return Evidence{}, fmt.Errorf("%w: another spelling", ErrEvidence)
	}
	if _, err := ParseKeys(e.Origin, e.Keys); err != nil {
		return Evidence{}, fmt.Errorf("%w: %w", ErrEvidence, err)
	}
	return e, nil
}

// Verdict is what evidence comes to.
type Verdict int

// Verdicts. The zero Verdict is none.
const (
	VerdictProved   Verdict = iota + 1 // the log signed what cannot both be true
	VerdictRefuted                     // what it signed fits together
	VerdictNeedsLog                    // nobody can tell without the log itself, or with what the log shows now
)

// String names the verdict.
func (v Verdict) String() string {
	return map[Verdict]string{VerdictProved: "proved", VerdictRefuted: "refuted", VerdictNeedsLog: "needs-log"}[v]
}

// Judge decides, under keys that the judge trusts: those in the file must be the same. src is the log, or a copy of it, and
// may be nil; only a fork needs it. An error means that there is no verdict: ErrEvidence where the log did not sign what the
// file says, others where src could not be read.
func (e Evidence) Judge(ctx context.Context, trusted *Keys, src Source) (Verdict, error) {
	claimed, err := ParseKeys(e.Origin, e.Keys)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrEvidence, err)
	}
	if !claimed.equal(trusted) {
		return 0, fmt.Errorf("%w: it is about another log, or other keys", ErrEvidence)
	}
	shown, err := openEither(trusted, []byte(e.Shown))
	if err != nil {
		return 0, fmt.Errorf("%w: what was shown: %w", ErrEvidence, err)
	}
	if e.Kind == EvidenceHiddenLeaf {
		return e.judgeHidden(trusted, shown)
	}
	note := []byte(e.Promised)
	if strings.HasPrefix(e.Promised, receiptHeader) {
		r, err := ParseReceipt(note)
		if err != nil {
			return 0, fmt.Errorf("%w: %w", ErrEvidence, err)
		}
		note = r.Checkpoint
	}
	promised, err := openEither(trusted, note)
	if err != nil {
		return 0, fmt.Errorf("%w: what was promised: %w", ErrEvidence, err)
	}
	switch {
	case e.Kind == EvidenceTwoRoots && promised.Size == shown.Size:
		return provedIf(promised.Root != shown.Root), nil
	case e.Kind == EvidenceFork && promised.Size < shown.Size:
		return e.judgeFork(ctx, trusted, src, promised, shown)
	case e.Kind == EvidenceFork && promised.Size > shown.Size:
		return e.judgeFork(ctx, trusted, src, shown, promised)
	}
	return 0, fmt.Errorf("%w: the sizes are not those of its kind", ErrEvidence)
}

func provedIf(lied bool) Verdict {
	if lied {
		return VerdictProved
	}
	return VerdictRefuted
}

func (k *Keys) equal(other *Keys) bool {
	return k.origin == other.origin && bytes.Equal(k.ed.public, other.ed.public) && bytes.Equal(k.mldsa.public, other.mldsa.public)
}

// openEither takes also the form that entries carry: people learn from each other's entries that they were shown different
// logs, and what a log signed with one of its keys it signed.
func openEither(k *Keys, signed []byte) (Checkpoint, error) {
	c, err := k.Open(signed)
	if err == nil {
		return c, nil
	}
	if carried, errCarried := k.OpenCarried(signed); errCarried == nil {
		return carried, nil
	}
	return Checkpoint{}, err
}

// judgeFork asks the log for the root that the larger tree had at the smaller size. A log that went back to its other
// history since cannot show that tree any more; then its newest checkpoint, which it signed too, is held against both.
func (e Evidence) judgeFork(ctx context.Context, trusted *Keys, src Source, smaller, larger Checkpoint) (Verdict, error) {
	if CheckConsistency(e.Consistency, smaller.Size, smaller.Root, larger.Size, larger.Root) == nil {
		return VerdictRefuted, nil
	}
	if src == nil {
		return VerdictNeedsLog, nil
	}
	root, err := NewReader(src, larger).RootAt(ctx, smaller.Size)
	if err == nil {
		return provedIf(root != smaller.Root), nil
	}
	if !withheld(err) {
		return 0, err
	}
	signed, err := src.Read(ctx, "checkpoint")
	if withheld(err) {
		return VerdictNeedsLog, nil
	}
	if err != nil {
		return 0, err
	}
	newest, err := trusted.Open(signed)
	if err != nil {
		return VerdictNeedsLog, nil
	}
	r := NewReader(src, newest)
	fit := 0
	for _, c := range []Checkpoint{smaller, larger} {
		root, err := r.RootAt(ctx, c.Size)
		if err != nil && !withheld(err) {
			return 0, err
		}
		if err == nil && root != c.Root {
			return VerdictProved, nil
		}
		if err == nil {
			fit++
		}
	}
	if fit == 2 {
		return VerdictRefuted, nil
	}
	return VerdictNeedsLog, nil
}

// withheld: the source answered, but not with this tree.
func withheld(err error) bool { return errors.Is(err, ErrTile) || errors.Is(err, ErrNoTile) }

// judgeHidden needs no log: the map is insert-only, so a leaf that was promised is at its key under every larger tree.
func (e Evidence) judgeHidden(trusted *Keys, shown Checkpoint) (Verdict, error) {
	r, err := ParseReceipt([]byte(e.Promised))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrEvidence, err)
	}
	leaf, err := ParseLeaf(r.Extra)
	if err != nil {
		return 0, fmt.Errorf("%w: the receipt has no leaf: %w", ErrEvidence, err)
	}
	if _, err := r.Verify(trusted, leaf.Hash()); err != nil {
		return 0, fmt.Errorf("%w: what was promised: %w", ErrEvidence, err)
	}
	item, ok := MapItemOf(leaf)
	if !ok || shown.Size <= r.Index {
		return 0, fmt.Errorf("%w: the leaf is none that the map must have", ErrEvidence)
	}
	if e.Map == nil {
		return 0, fmt.Errorf("%w: no map", ErrEvidence)
	}
	if err := CheckInclusion(e.Map.Inclusion, shown.Size-1, shown.Size, shown.Root, MapRootLeaf(e.Map.Root).Hash()); err != nil {
		return 0, fmt.Errorf("%w: map root: %w", ErrEvidence, err)
	}
	proof, err := ParseMapProof(e.Map.Proof)
	if err != nil {
		return 0, fmt.Errorf("%w: map proof: %w", ErrEvidence, err)
	}
	value, present, err := proof.Verify(e.Map.Root, item.Key)
	if err != nil {
		return 0, fmt.Errorf("%w: map proof: %w", ErrEvidence, err)
	}
	return provedIf(!present || value != item.Value), nil
}

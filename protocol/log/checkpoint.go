package log

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/mod/sumdb/note"

	"github.com/underseal/underseal/protocol/wire"
)

// Algorithms of verifier keys (c2sp.org/signed-note, c2sp.org/tlog-cosignature).
const (
	AlgEd25519   byte = 0x01 // a log's signature over the note
	AlgCosigned  byte = 0x04 // a witness's Ed25519 cosignature, with its time
	AlgMLDSA44   byte = 0x06 // an ML-DSA-44 signature of either, with a time
	maxOrigin         = 255  // the length of a name in what ML-DSA-44 signs has one byte
	maxSignature      = 100  // lines under a note: what package note reads, too

	// MaxNoteSize bounds signed checkpoints: a hundred of the longest signatures fit.
	MaxNoteSize = 512 << 10
)

// ErrCheckpoint says that a note is not a checkpoint that the log's keys signed, or not in its one form.
var ErrCheckpoint = errors.New("not a signed checkpoint of the log")

// VerifierKey spells a public key as signed notes do: name, key id, and algorithm with key.
func VerifierKey(name string, algorithm byte, public []byte) string {
	return name + "+" + hex.EncodeToString(keyID(name, algorithm, public)) + "+" + base64.StdEncoding.EncodeToString(append([]byte{algorithm}, public...))
}

func keyID(name string, algorithm byte, public []byte) []byte {
	h := sha256.New()
	h.Write([]byte(name))
	h.Write([]byte{'\n', algorithm})
	h.Write(public)
	return h.Sum(nil)[:4]
}

// verifier is one verifier key. It implements note.Verifier.
type verifier struct {
	name      string
	algorithm byte
	public    []byte
	mldsa     *mldsa44.PublicKey // for AlgMLDSA44
}

var _ note.Verifier = (*verifier)(nil)

// parseVerifier takes the one spelling of a verifier key of a known algorithm.
func parseVerifier(vkey string) (*verifier, error) {
	bad := errors.New("malformed verifier key")
	name, rest, _ := strings.Cut(vkey, "+")
	_, encoded, _ := strings.Cut(rest, "+")
	if len(vkey) > 4096 || !validName(name) {
		return nil, bad
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) == 0 || VerifierKey(name, key[0], key[1:]) != vkey {
		return nil, bad
	}
	v := &verifier{name: name, algorithm: key[0], public: key[1:]}
	switch v.algorithm {
	case AlgEd25519, AlgCosigned:
		if len(v.public) != ed25519.PublicKeySize {
			return nil, bad
		}
	case AlgMLDSA44:
		v.mldsa = new(mldsa44.PublicKey)
		if v.mldsa.UnmarshalBinary(v.public) != nil {
			return nil, bad
		}
	default:
		return nil, errors.New("unknown algorithm of a verifier key")
	}
	return v, nil
}

// validName: what may name a key, and short enough for what ML-DSA-44 signs.
func validName(name string) bool {
	return name != "" && len(name) <= maxOrigin && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == '+' || unicode.IsSpace(r) })
}

func (v *verifier) Name() string { return v.name }

func (v *verifier) KeyHash() uint32 {
	return binary.BigEndian.Uint32(keyID(v.name, v.algorithm, v.public))
}

func (v *verifier) id() string { return v.name + string(keyID(v.name, v.algorithm, v.public)) }

// Verify reports whether sig signs the text of a checkpoint.
func (v *verifier) Verify(text, sig []byte) bool {
	if v.algorithm == AlgEd25519 {
		return ed25519.Verify(v.public, text, sig)
	}
	if len(sig) < 8 {
		return false
	}
	time, sig := binary.BigEndian.Uint64(sig), sig[8:]
	if time > 1<<63-1 {
		return false
	}
	if v.algorithm == AlgCosigned {
		return ed25519.Verify(v.public, cosignedText(time, text), sig)
	}
	c, err := parseCheckpoint(string(text))
	return err == nil && mldsa44.Verify(v.mldsa, cosignedMessage(v.name, time, c), nil, sig)
}

func cosignedText(time uint64, text []byte) []byte {
	return append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", time), text...)
}

// cosignedMessage is what ML-DSA-44 signs: the structure, not the note's text.
func cosignedMessage(name string, time uint64, c Checkpoint) []byte {
	var b cryptobyte.Builder
	b.AddBytes([]byte("subtree/v1\n\x00"))
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(name)) })
	b.AddUint64(time)
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(c.Origin)) })
	b.AddUint64(0)
	b.AddUint64(c.Size)
	b.AddBytes(c.Root[:])
	return b.BytesOrPanic() // parsed and signed checkpoints have origins of one byte's length
}

// Checkpoint is what a log signs: the root of its tree at a size. One that was not opened with Keys is a claim.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   wire.Hash
}

// text is the note's text: three lines.
func (c Checkpoint) text() string {
	return c.Origin + "\n" + strconv.FormatUint(c.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.Root[:]) + "\n"
}

// parseCheckpoint is the inverse of text. An extension line is refused: no monitor could audit it, and ML-DSA-44 would not sign it.
func parseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || !validName(lines[0]) {
		return Checkpoint{}, fmt.Errorf("%w: not three lines", ErrCheckpoint)
	}
	c := Checkpoint{Origin: lines[0]}
	var err error
	c.Size, err = strconv.ParseUint(lines[1], 10, 64)
	if err != nil || c.Size > maxSize {
		return Checkpoint{}, fmt.Errorf("%w: size", ErrCheckpoint)
	}
	if c.Root, err = parseHashLine(lines[2]); err != nil {
		return Checkpoint{}, fmt.Errorf("%w: root", ErrCheckpoint)
	}
	if c.text() != text || c.Size == 0 && c.Root != Root(nil) {
		return Checkpoint{}, fmt.Errorf("%w: another spelling", ErrCheckpoint)
	}
	return c, nil
}

// parseHashLine takes the one base64 spelling of a hash.
func parseHashLine(s string) (h wire.Hash, err error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != len(h) || base64.StdEncoding.EncodeToString(b) != s {
		return h, wire.ErrMalformed
	}
	return wire.Hash(b), nil
}

// signature is one line under a note.
type signature struct {
	line string // with its newline
	name string
	id   string // the key: name and key id
	blob []byte // the signature after the key id
}

const signaturePrefix = "— "

// splitNote reads a signed checkpoint without verifying it. Each part of it has one spelling.
func splitNote(signed []byte) (Checkpoint, []signature, error) {
	text, rest, ok := strings.Cut(string(signed[:min(len(signed), MaxNoteSize+1)]), "\n\n")
	if len(signed) > MaxNoteSize || !ok || !strings.HasSuffix(rest, "\n") {
		return Checkpoint{}, nil, fmt.Errorf("%w: not a note", ErrCheckpoint)
	}
	c, err := parseCheckpoint(text + "\n")
	if err != nil {
		return Checkpoint{}, nil, err
	}
	var signatures []signature
	for line := range strings.Lines(rest) {
		s, ok := parseSignature(line)
		if !ok || len(signatures) == maxSignature {
			return Checkpoint{}, nil, fmt.Errorf("%w: signature lines", ErrCheckpoint)
		}
		signatures = append(signatures, s)
	}
	return c, signatures, nil
}

func parseSignature(line string) (signature, bool) {
	rest, ok := strings.CutPrefix(line, signaturePrefix)
	name, encoded, found := strings.Cut(strings.TrimSuffix(rest, "\n"), " ")
	if !ok || !found || !validName(name) {
		return signature{}, false
	}
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(b) < 5 || base64.StdEncoding.EncodeToString(b) != encoded {
		return signature{}, false
	}
	return signature{line: line, name: name, id: name + string(b[:4]), blob: b[4:]}, true
}

// openNote verifies the signatures of known keys under a signed checkpoint and returns them by their key's id. Signatures of
// keys that are not known are ignored, as notes ask. A bad one of a known key refuses the note, and so do two of one key:
// only the first would have been verified.
func openNote(signed []byte, known []*verifier) (Checkpoint, map[string]signature, error) {
	c, lines, err := splitNote(signed)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	found := map[string]signature{}
	verifiers := make([]note.Verifier, len(known))
	for i, v := range known {
		verifiers[i] = v
		for _, s := range lines {
			if s.id != v.id() {
				continue
			}
			if _, twice := found[s.id]; twice {
				return Checkpoint{}, nil, fmt.Errorf("%w: two signatures of one key", ErrCheckpoint)
			}
			found[s.id] = s
		}
	}
	if len(found) == 0 {
		return c, found, nil
	}
	n, err := note.Open(signed, note.VerifierList(verifiers...))
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	if n.Text != c.text() || len(n.Sigs) != len(found) {
		return Checkpoint{}, nil, fmt.Errorf("%w: read in two ways", ErrCheckpoint)
	}
	return c, found, nil
}

// Keys are the public keys of one log.
type Keys struct {
	origin    string
	ed, mldsa *verifier
}

// ParseKeys takes the verifier keys of the log of that origin: one of Ed25519 and one of ML-DSA-44, in either order, both
// named as the log.
func ParseKeys(origin string, vkeys []string) (*Keys, error) {
	k := &Keys{origin: origin}
	for _, vkey := range vkeys {
		v, err := parseVerifier(vkey)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
		case v.name != origin:
			return nil, fmt.Errorf("%w: a key of another name", ErrCheckpoint)
		case v.algorithm == AlgEd25519 && k.ed == nil:
			k.ed = v
		case v.algorithm == AlgMLDSA44 && k.mldsa == nil:
			k.mldsa = v
		default:
			return nil, fmt.Errorf("%w: a key too many", ErrCheckpoint)
		}
	}
	if k.ed == nil || k.mldsa == nil {
		return nil, fmt.Errorf("%w: a key is missing", ErrCheckpoint)
	}
	return k, nil
}

// Origin is the log's name.
func (k *Keys) Origin() string { return k.origin }

// Open verifies a signed checkpoint of the log. Both of its signatures must be there and verify: the log stays sound while
// either algorithm does.
func (k *Keys) Open(signed []byte) (Checkpoint, error) {
	return k.open(signed, k.ed, k.mldsa)
}

// OpenCarried verifies the form of a signed checkpoint that entries carry: under the Ed25519 signature alone. Another line
// is refused, so that an author has one way to write a checkpoint.
func (k *Keys) OpenCarried(signed []byte) (Checkpoint, error) {
	_, lines, err := splitNote(signed)
	if err == nil && len(lines) != 1 {
		err = fmt.Errorf("%w: not one signature", ErrCheckpoint)
	}
	if err != nil {
		return Checkpoint{}, err
	}
	return k.open(signed, k.ed)
}

func (k *Keys) open(signed []byte, all ...*verifier) (Checkpoint, error) {
	c, found, err := openNote(signed, all)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != k.origin {
		return Checkpoint{}, fmt.Errorf("%w: another log's", ErrCheckpoint)
	}
	for _, v := range all {
		s, ok := found[v.id()]
		if !ok {
			return Checkpoint{}, fmt.Errorf("%w: a signature is missing", ErrCheckpoint)
		}
		// The log says nothing of time: a witness does.
		if v.algorithm == AlgMLDSA44 && binary.BigEndian.Uint64(s.blob) != 0 {
			return Checkpoint{}, fmt.Errorf("%w: signed with a time", ErrCheckpoint)
		}
	}
	return c, nil
}

// Carried returns the form of a signed checkpoint that entries carry: the log's Ed25519 signature alone, since the other
// takes three kilobytes. It verifies nothing.
func Carried(signed []byte) ([]byte, error) {
	c, lines, err := splitNote(signed)
	if err != nil {
		return nil, err
	}
	carried := ""
	for _, s := range lines {
		if s.name != c.Origin || len(s.blob) != ed25519.SignatureSize {
			continue
		}
		if carried != "" {
			return nil, fmt.Errorf("%w: two signatures that could be carried", ErrCheckpoint)
		}
		carried = c.text() + "\n" + s.line
	}
	if carried == "" {
		return nil, fmt.Errorf("%w: no signature to carry", ErrCheckpoint)
	}
	return []byte(carried), nil
}

// Signer signs checkpoints as a log. It is safe for concurrent use.
type Signer struct {
	origin string
	ed     ed25519.PrivateKey
	mldsa  *mldsa44.PrivateKey
	public [2]verifier
}

// NewSigner makes the keys of the log of that origin from seeds.
func NewSigner(origin string, edSeed, mlSeed [32]byte) (*Signer, error) {
	if !validName(origin) {
		return nil, fmt.Errorf("%w: no name for a log", ErrCheckpoint)
	}
	s := &Signer{origin: origin, ed: ed25519.NewKeyFromSeed(edSeed[:])}
	public, private := mldsa44.NewKeyFromSeed(&mlSeed)
	s.mldsa = private
	s.public[0] = verifier{name: origin, algorithm: AlgEd25519, public: s.ed.Public().(ed25519.PublicKey)}
	s.public[1] = verifier{name: origin, algorithm: AlgMLDSA44, public: public.Bytes(), mldsa: public}
	return s, nil
}

// String hides the keys.
func (*Signer) String() string { return "log.Signer(private)" }

// GoString hides the keys.
func (s *Signer) GoString() string { return s.String() }

// VerifierKeys are what ParseKeys takes.
func (s *Signer) VerifierKeys() []string {
	var keys []string
	for _, v := range s.public {
		keys = append(keys, VerifierKey(v.name, v.algorithm, v.public))
	}
	return keys
}

// Sign signs a checkpoint of this log with both keys. The same checkpoint gives the same bytes.
func (s *Signer) Sign(c Checkpoint) ([]byte, error) {
	if parsed, err := parseCheckpoint(c.text()); err != nil || parsed != c || c.Origin != s.origin {
		return nil, fmt.Errorf("%w: not this log's to sign", ErrCheckpoint)
	}
	text := c.text()
	ml := make([]byte, 8+mldsa44.SignatureSize) // the time is zero
	if err := mldsa44.SignTo(s.mldsa, cosignedMessage(s.origin, 0, c), nil, false, ml[8:]); err != nil {
		return nil, fmt.Errorf("signing a checkpoint: %w", err)
	}
	var b bytes.Buffer
	b.WriteString(text + "\n")
	for i, blob := range [][]byte{ed25519.Sign(s.ed, []byte(text)), ml} {
		b.WriteString(signatureLine(&s.public[i], blob))
	}
	return b.Bytes(), nil
}

func signatureLine(v *verifier, blob []byte) string {
	id := keyID(v.name, v.algorithm, v.public)
	return signaturePrefix + v.name + " " + base64.StdEncoding.EncodeToString(append(id, blob...)) + "\n"
}

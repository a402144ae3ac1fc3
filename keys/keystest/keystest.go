// Package keystest runs our own vectors for keys, seal and vault. The files
// are in keys/testdata; another implementation runs the same ones.
//
// A file is {"vectors": [...]}. A vector has a name, an op, its inputs (in) and
// either the exact output (out) or the class of the one thing that is wrong
// with it (error). Bytes are hex, lists have commas, numbers are decimal.
// Every vector must give exactly what it says: an input that is refused for
// another reason than its own fails.
package keystest

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/keys/vault"
)

// File is a file of vectors.
type File struct {
	Vectors []Vector `json:"vectors"`
}

// Vector is one case.
type Vector struct {
	Name  string            `json:"name"`
	Op    string            `json:"op"`
	In    map[string]string `json:"in"`
	Out   string            `json:"out,omitempty"`
	Error string            `json:"error,omitempty"`
}

// Run runs all vectors of a file. It returns how many there are and what is
// wrong with each that fails. A file without vectors is an error.
func Run(data []byte) (cases int, failures []string, err error) {
	var file File
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return 0, nil, fmt.Errorf("keystest: %w", err)
	}
	if len(file.Vectors) == 0 {
		return 0, nil, errors.New("keystest: no vectors")
	}
	for _, v := range file.Vectors {
		out, class, err := Evaluate(v)
		if err != nil {
			failures = append(failures, fmt.Sprintf("%s: %v", v.Name, err))
			continue
		}
		if out != v.Out || class != v.Error {
			failures = append(failures, fmt.Sprintf("%s: got %q error %q, want %q error %q", v.Name, out, class, v.Out, v.Error))
		}
	}
	return len(file.Vectors), failures, nil
}

// Evaluate computes what a vector should say. The error is for vectors that
// cannot be run.
func Evaluate(v Vector) (out, class string, err error) {
	op, ok := ops()[v.Op]
	if !ok {
		return "", "", fmt.Errorf("unknown op %q", v.Op)
	}
	in := &input{fields: v.In, used: map[string]bool{}}
	out, opErr := op(in)
	if in.err != nil {
		return "", "", in.err
	}
	for name := range v.In {
		if !in.used[name] {
			return "", "", fmt.Errorf("input %q is not used", name)
		}
	}
	if opErr == nil {
		return out, "", nil
	}
	class, err = classify(opErr)
	return "", class, err
}

// classify is the one list of failure classes.
func classify(err error) (string, error) {
	var kitError *vault.KitError
	if errors.As(err, &kitError) {
		return "kit-group-" + strconv.Itoa(kitError.Group), nil
	}
	for class, sentinel := range map[string]error{
		"signature":        keys.ErrSignature,
		"wrap":             keys.ErrWrap,
		"malformed":        keys.ErrMalformed,
		"open":             seal.ErrOpen,
		"parameters":       seal.ErrParameters,
		"unlock":           vault.ErrUnlock,
		"prf":              vault.ErrPRF,
		"export-key":       vault.ErrExportKey,
		"stretch-weak":     vault.ErrStretchWeak,
		"stretch-heavy":    vault.ErrStretchHeavy,
		"stretch-size":     vault.ErrStretchMalformed,
		"passphrase-empty": vault.ErrPassphraseEmpty,
	} {
		if errors.Is(err, sentinel) {
			return class, nil
		}
	}
	return "", fmt.Errorf("error without a class: %w", err)
}

func ops() map[string]func(*input) (string, error) {
	return map[string]func(*input) (string, error){
		"derive": func(in *input) (string, error) {
			key := keys.Derive(in.bytes("secret"), keys.Label(in.text("label")), in.list("context")...)
			return hex.EncodeToString(key[:]), nil
		},
		"commit": func(in *input) (string, error) {
			key := keys.Commit(in.bytes("secret"), keys.Label(in.text("label")), in.list("context")...)
			return hex.EncodeToString(key[:]), nil
		},
		"identity":          identity,
		"parse-public-keys": parsePublicKeys,
		"parse-fingerprint": func(in *input) (string, error) {
			f, err := keys.ParseFingerprint(in.text("text"))
			return hex.EncodeToString(f[:]), err
		},
		"verify":          verify,
		"unwrap":          unwrap,
		"open":            open,
		"read":            read,
		"read-range":      readRange,
		"segment-key":     segmentKey,
		"vault-unwrap":    vaultUnwrap,
		"vault-root":      vaultRoot,
		"kit":             kit,
		"passphrase":      passphrase,
		"passkey":         passkey,
		"password":        password,
		"passkey-salt":    func(*input) (string, error) { s := vault.PasskeySalt(); return hex.EncodeToString(s[:]), nil },
		"stretch-default": stretchDefault,
	}
}

func identity(in *input) (string, error) {
	id, err := keys.NewIdentity(in.key("seed"))
	if err != nil {
		return "", err
	}
	f := id.Public().Fingerprint()
	return f.String() + " " + strings.Join(f.Words(), " "), nil
}

func parsePublicKeys(in *input) (string, error) {
	public, err := keys.ParsePublicKeys(in.bytes("public"))
	if err != nil {
		return "", err
	}
	return public.Fingerprint().String(), nil
}

func verify(in *input) (string, error) {
	id, err := keys.NewIdentity(in.key("seed"))
	if err != nil {
		return "", err
	}
	return "", id.Public().Verify(keys.Label(in.text("label")), in.bytes("message"), in.bytes("signature"))
}

func unwrap(in *input) (string, error) {
	pair, err := keys.NewWrapKeyPair(in.key("seed"))
	if err != nil {
		return "", err
	}
	payload, err := pair.Unwrap(in.bytes("info"), in.bytes("wrap"))
	return hex.EncodeToString(payload), err
}

func open(in *input) (string, error) {
	plaintext, err := seal.Open(in.bytes("key"), in.bytes("aad"), in.bytes("sealed"))
	return hex.EncodeToString(plaintext), err
}

func read(in *input) (string, error) {
	r, err := seal.NewReader(bytes.NewReader(in.bytes("segments")), in.bytes("header"), in.bytes("key"), in.bytes("aad"), int(in.number("segment")))
	if err != nil {
		return "", err
	}
	plaintext, err := io.ReadAll(r)
	return hex.EncodeToString(plaintext), err
}

func readRange(in *input) (string, error) {
	size, offset, length := in.number("size"), in.number("offset"), in.number("length")
	r, err := seal.NewRangeReader(bytes.NewReader(in.bytes("segments")), in.bytes("header"), in.bytes("key"), in.bytes("aad"), int(in.number("segment")), size)
	if err != nil {
		return "", err
	}
	plaintext := make([]byte, length)
	n, err := r.ReadAt(plaintext, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return hex.EncodeToString(plaintext[:n]), err
}

func segmentKey(in *input) (string, error) {
	index := uint64(in.number("index"))
	k, err := seal.OpenKeys(in.bytes("key"), in.bytes("aad"), in.bytes("header"), int(in.number("segment")))
	if err != nil {
		return "", err
	}
	key := k.SegmentKey(index)
	return hex.EncodeToString(key[:]), nil
}

func vaultUnwrap(in *input) (string, error) {
	root, err := vault.Unwrap(in.key("unlock"), vault.Method(in.number("method")), in.id("account"), in.bytes("wrapped"))
	return hex.EncodeToString(root[:]), err
}

// vaultRoot gives identity seed, keyring key and cache key.
func vaultRoot(in *input) (string, error) {
	root := vault.Root(in.key("root"))
	seed, keyring, cache := root.IdentitySeed(in.id("salt")), root.KeyringKey(), root.CacheKey()
	return pairs(seed[:], keyring[:], cache[:]), nil
}

// kit gives the public login key and the unlock key.
func kit(in *input) (string, error) {
	k, err := vault.ParseKit(in.text("text"))
	if err != nil {
		return "", err
	}
	unlock := k.UnlockKey()
	return pairs(k.LoginKey().Public().(ed25519.PublicKey), unlock[:]) + "," + k.String(), nil
}

// passphrase gives the public login key and the unlock key.
func passphrase(in *input) (string, error) {
	passphrase, encoded := in.text("passphrase"), in.bytes("stretch")
	stretch, err := vault.ParseStretch(encoded)
	if err != nil {
		return "", err
	}
	p, err := vault.StretchPassphrase([]byte(passphrase), stretch)
	if err != nil {
		return "", err
	}
	unlock := p.UnlockKey()
	return pairs(p.LoginKey().Public().(ed25519.PublicKey), unlock[:]), nil
}

func passkey(in *input) (string, error) {
	unlock, err := vault.PasskeyUnlockKey(in.bytes("prf"))
	return hex.EncodeToString(unlock[:]), err
}

// password gives the account secret of a root and the unlock key.
func password(in *input) (string, error) {
	secret := vault.Root(in.key("root")).AccountSecret()
	unlock, err := vault.PasswordUnlockKey(in.bytes("export"), secret)
	return pairs(secret[:], unlock[:]), err
}

func stretchDefault(in *input) (string, error) {
	s, err := vault.DefaultStretch(bytes.NewReader(in.bytes("salt")))
	return hex.EncodeToString(s.Bytes()), err
}

func pairs(b ...[]byte) string {
	var text []string
	for _, b := range b {
		text = append(text, hex.EncodeToString(b))
	}
	return strings.Join(text, ",")
}

// input reads the fields of a vector and remembers the first that is unfit.
type input struct {
	fields map[string]string
	used   map[string]bool
	err    error
}

func (in *input) fail(name, why string) {
	if in.err == nil {
		in.err = fmt.Errorf("input %q: %s", name, why)
	}
}

func (in *input) text(name string) string {
	value, ok := in.fields[name]
	if !ok {
		in.fail(name, "missing")
	}
	in.used[name] = true
	return value
}

func (in *input) bytes(name string) []byte {
	b, err := hex.DecodeString(in.text(name))
	if err != nil {
		in.fail(name, "not hex")
	}
	return b
}

func (in *input) list(name string) (list [][]byte) {
	if in.text(name) == "" {
		return nil
	}
	for text := range strings.SplitSeq(in.text(name), ",") {
		b, err := hex.DecodeString(text)
		if err != nil {
			in.fail(name, "not hex")
		}
		list = append(list, b)
	}
	return list
}

func (in *input) number(name string) int64 {
	n, err := strconv.ParseInt(in.text(name), 10, 64)
	if err != nil {
		in.fail(name, "not a number")
	}
	return n
}

func (in *input) key(name string) (key [32]byte) {
	if copy(key[:], in.bytes(name)) != len(key) || len(in.text(name)) != 64 {
		in.fail(name, "not 32 bytes")
	}
	return key
}

func (in *input) id(name string) (id [16]byte) {
	if copy(id[:], in.bytes(name)) != len(id) || len(in.text(name)) != 32 {
		in.fail(name, "not 16 bytes")
	}
	return id
}

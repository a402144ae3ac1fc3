// Package protocoltest runs our own vectors of the formats. The files are in protocol/testdata, made by this package's test
// with -update; another implementation runs the same ones.
//
// A file is {"vectors": [...]}. A vector has a name, an op, its inputs (in) and either the output (out) or the class of the
// one thing that is wrong with it (error). Bytes are hex, lists have commas, numbers are decimal. An input that is refused for
// another reason than its own fails.
package protocoltest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/device"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
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

// Run runs all vectors of a file: how many there are, and what is wrong with each that fails. A file without any is an error.
func Run(data []byte) (cases int, failures []string, err error) {
	var file File
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return 0, nil, fmt.Errorf("protocoltest: %w", err)
	}
	if len(file.Vectors) == 0 {
		return 0, nil, errors.New("protocoltest: no vectors")
	}
	for _, v := range file.Vectors {
		out, class, err := Evaluate(v)
		if err != nil {
			failures = append(failures, fmt.Sprintf("%s: %v", v.Name, err))
		} else if out != v.Out || class != v.Error {
			failures = append(failures, fmt.Sprintf("%s: got %q error %q, want %q error %q", v.Name, out, class, v.Out, v.Error))
		}
	}
	return len(file.Vectors), failures, nil
}

// Evaluate computes what a vector should say. The error is for vectors that cannot be run.
func Evaluate(v Vector) (out, class string, err error) {
	op, ok := ops()[v.Op]
	if !ok {
		return "", "", fmt.Errorf("unknown op %q", v.Op)
	}
	in := &input{fields: v.In, used: map[string]bool{}}
	out, opErr := op(in)
	for name := range v.In {
		if !in.used[name] && in.err == nil {
			in.err = fmt.Errorf("input %q is not used", name)
		}
	}
	if in.err != nil {
		return "", "", in.err
	}
	if opErr == nil {
		return out, "", nil
	}
	class, err = classify(opErr)
	return "", class, err
}

func classify(err error) (string, error) {
	var code *vault.CodeError
	if errors.As(err, &code) {
		return "code-group-" + strconv.Itoa(code.Group), nil
	}
	for class, sentinel := range map[string]error{"malformed": wire.ErrMalformed, "suite": wire.ErrSuite, "link": log.ErrLink, "body-root": document.ErrBodyRoot, "name": document.ErrName,
		"map": log.ErrMap, "map-taken": log.ErrMapTaken, "link-keys": log.ErrLinkKeys, "incomplete": log.ErrIncomplete} {
		if errors.Is(err, sentinel) {
			return class, nil
		}
	}
	return "", fmt.Errorf("error without a class: %w", err)
}

func ops() map[string]func(*input) (string, error) {
	return map[string]func(*input) (string, error){
		"commit": func(in *input) (string, error) {
			return hashHex(log.Commit(in.bytes("effect"), in.bytes("envelope"))), nil
		},
		"leaf": func(in *input) (string, error) {
			l := log.NewLeaf(in.hash("chain"), uint16(in.number("type")), log.LinkKey(in.hash("key")), in.number("seq"), in.hash("previous"), in.hash("commit"))
			return hex.EncodeToString(l.Bytes()), nil
		},
		"check-leaf": func(in *input) (string, error) {
			l, err := log.ParseLeaf(in.bytes("leaf"))
			id, kind, key, seq, previous, commit := in.hash("chain"), uint16(in.number("type")), log.LinkKey(in.hash("key")), in.number("seq"), in.hash("previous"), in.hash("commit")
			if err != nil {
				return "", err
			}
			return hashHex(l.Hash()), l.Check(id, kind, key, seq, previous, commit)
		},
		"mark": func(in *input) (string, error) {
			return hashHex(log.LinkKey(in.hash("key")).Mark(uint16(in.number("type")), in.number("seq"))), nil
		},
		"tag": func(in *input) (string, error) {
			return hashHex(log.Tag(in.hash("chain"), uint16(in.number("type")), in.number("seq"), in.hash("mark"))), nil
		},
		"opening": func(in *input) (string, error) {
			return hashHex(log.LinkKey(in.hash("key")).Opening(uint16(in.number("type")), in.number("seq"), in.hash("previous"))), nil
		},
		"commit-erased": func(in *input) (string, error) {
			return hashHex(log.CommitErased(in.bytes("effect"), in.hash("inner"))), nil
		},
		"server-leaf": func(in *input) (string, error) {
			var output [64]byte
			copy(output[:], in.bytes("output"))
			l := log.ServerLeaf(output, in.hash("previous"), in.hash("commit"))
			return hex.EncodeToString(l.Bytes()), nil
		},
		"parse-leaf": func(in *input) (string, error) {
			l, err := log.ParseLeaf(in.bytes("leaf"))
			return fmt.Sprintf("%d %s", l.Type, hashHex(l.Hash())), err
		},
		"link-keys": func(in *input) (string, error) {
			l, err := log.ParseLinkKeys([]byte(in.text("file")))
			return fmt.Sprintf("%s %s %d %t", l.Origin, l.Chain, len(l.Epochs), string(l.Format()) == in.text("file")), err
		},
		"walk": func(in *input) (string, error) {
			l, err := log.ParseLinkKeys([]byte(in.text("file")))
			kind, list := uint16(in.number("type")), in.text("leaves")
			if err != nil {
				return "", err
			}
			leaves := map[wire.Hash]log.Leaf{}
			for part := range strings.SplitSeq(list, ",") {
				b, hexErr := hex.DecodeString(part)
				leaf, err := log.ParseLeaf(b)
				if hexErr != nil || err != nil {
					return "", errors.Join(hexErr, err)
				}
				leaves[leaf.Tag] = leaf
			}
			n, head, err := l.Walk(kind, func(tag wire.Hash) (log.Leaf, bool) { leaf, ok := leaves[tag]; return leaf, ok }, nil)
			return fmt.Sprintf("%d %s", n, hashHex(head)), err
		},
		"map-key": func(in *input) (string, error) {
			return hashHex(log.MapKey(uint16(in.number("type")), in.hash("tag"))), nil
		},
		"map-root": func(in *input) (string, error) {
			var tree log.MapTree
			keys, values := in.hashes("keys"), in.hashes("values")
			for i := range min(len(keys), len(values)) {
				if err := tree.Insert(log.MapItem{Key: keys[i], Value: values[i]}); err != nil {
					return "", err
				}
			}
			return hashHex(tree.Root()), nil
		},
		"map-proof": func(in *input) (string, error) {
			root, key := in.hash("root"), in.hash("key")
			p, err := log.ParseMapProof(in.bytes("proof"))
			if err != nil {
				return "", err
			}
			value, present, err := p.Verify(root, key)
			return fmt.Sprintf("%t %s", present, hashHex(value)), err
		},
		"key-link": func(in *input) (string, error) {
			l, err := chain.ParseKeyLink(in.bytes("link"))
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%s %s %d %s %s", l.Firm, l.Member, l.Number, l.Previous, hashHex(l.Commit())), nil
		},
		"entry": func(in *input) (string, error) {
			e, err := chain.ParseEntry(in.bytes("entry"))
			return fmt.Sprintf("%t %s %t", e.Erased != nil, hashHex(e.Commit()), bytes.Equal(e.Bytes(), in.bytes("entry"))), err
		},
		"event-place": func(in *input) (string, error) {
			p, err := chain.ParseEventPlace(in.bytes("effect"))
			return fmt.Sprintf("%s %d %s %d", p.Chain, p.Position, p.Previous, p.Epoch), err
		},
		"padding": func(in *input) (string, error) {
			p := document.PaddedLength(in.number("length"))
			return fmt.Sprintf("%d %d %d", p, document.SealedLength(p), document.Chunks(p)), nil
		},
		"header": func(in *input) (string, error) {
			h, err := document.ParseHeader(in.bytes("header"))
			return fmt.Sprintf("%s %s %s %x %d", h.Compartment, h.Document, h.Version, h.Author, h.Padded), err
		},
		"body-root": func(in *input) (string, error) { return hashHex(document.BodyRoot(in.hashes("digests"))), nil },
		"check-digests": func(in *input) (string, error) {
			return "ok", document.CheckDigests(document.Header{Padded: in.number("padded")}, in.hash("root"), in.hashes("digests"))
		},
		"effect": func(in *input) (string, error) {
			e, err := chain.ParseEffect(in.bytes("effect"))
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%d %s %d %d %d %s %t", e.Kind, e.Entry, e.Sequence, e.Position, e.Epoch, e.Actor, bytes.Equal(e.Bytes(), in.bytes("effect"))), nil
		},
		"link": func(in *input) (string, error) {
			l, err := chain.ParseLink(in.text("link"))
			return fmt.Sprintf("%s %s %s %s %d %s %x", l.Firm, l.Chain, l.Invite, l.Inviter, l.Position, l.Head, l.Secret), err
		},
		"id": func(in *input) (string, error) {
			id, err := wire.ParseObjectID(in.text("text"))
			return hex.EncodeToString(id[:]), err
		},
		"content-digest": func(in *input) (string, error) {
			d, err := api.ParseContentDigest(in.text("text"))
			return hex.EncodeToString(d[:]), err
		},
		"device-code": func(in *input) (string, error) {
			r, err := device.ParseRequest(in.bytes("request"))
			origin := in.text("origin")
			if err != nil {
				return "", err
			}
			return r.Code(origin).String(), nil
		},
		"device-words": func(in *input) (string, error) {
			r, err := device.ParseRequest(in.bytes("request"))
			a, answerErr := device.ParseAnswer(in.bytes("answer"))
			origin := in.text("origin")
			if err := errors.Join(err, answerErr); err != nil {
				return "", err
			}
			return strings.Join(device.Transcript(origin, r, a).Words(), " "), nil
		},
		"device-grant": func(in *input) (string, error) {
			g, err := device.ParseGrant(in.bytes("grant"))
			return fmt.Sprintf("%d %d", len(g.Root), len(g.Signature)), err
		},
		"device-code-text": func(in *input) (string, error) {
			c, err := vault.ParseDeviceCode(in.text("text"))
			return hex.EncodeToString(c[:]), err
		},
		"name": func(in *input) (string, error) { return "ok", document.CheckName(string(in.bytes("name"))) },
	}
}

func hashHex(h wire.Hash) string { return hex.EncodeToString(h[:]) }

// input hands out the fields of a vector and remembers which were asked for.
type input struct {
	fields map[string]string
	used   map[string]bool
	err    error
}

func (in *input) text(name string) string {
	v, ok := in.fields[name]
	if !ok && in.err == nil {
		in.err = fmt.Errorf("input %q is missing", name)
	}
	in.used[name] = true
	return v
}

func (in *input) bytes(name string) []byte {
	b, err := hex.DecodeString(in.text(name))
	if err != nil && in.err == nil {
		in.err = err
	}
	return b
}

func (in *input) hash(name string) (h wire.Hash) {
	b := in.bytes(name)
	if len(b) != len(h) && in.err == nil {
		in.err = fmt.Errorf("input %q has %d bytes", name, len(b))
	}
	copy(h[:], b)
	return h
}

func (in *input) hashes(name string) (list []wire.Hash) {
	text := in.text(name)
	if text == "" {
		return nil
	}
	for part := range strings.SplitSeq(text, ",") {
		b, err := hex.DecodeString(part)
		if (err != nil || len(b) != 32) && in.err == nil {
			in.err = fmt.Errorf("input %q is no list of hashes", name)
			return nil
		}
		list = append(list, wire.Hash(b))
	}
	return list
}

func (in *input) number(name string) uint64 {
	n, err := strconv.ParseUint(in.text(name), 10, 64)
	if err != nil && in.err == nil {
		in.err = err
	}
	return n
}

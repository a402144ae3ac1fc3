package log

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrPolicy says that a text is not a trust policy.
var ErrPolicy = errors.New("malformed policy")

const (
	quorumNone = "none"

	maxPolicy = 1 << 20
	// maxPolicyLines bounds each of logs, witnesses and groups. More signatures than maxSignature do not fit a note.
	maxPolicyLines = maxSignature
)

// Policy says which logs and witnesses are trusted, and which witnesses together suffice (c2sp.org/tlog-policy).
type Policy struct {
	Logs      []PolicyLog
	Witnesses []Witness

	logKeys []*verifier      // of Logs
	keys    []*verifier      // of Witnesses, in their order
	groups  map[string]group // of a witness: without members
	member  map[string]bool  // names that are a group's member
	quorum  string
}

// PolicyLog is a log of a policy.
type PolicyLog struct {
	Origin string
	Key    string // verifier key
	URL    string // may be empty
}

// Witness is a witness of a policy.
type Witness struct {
	Name string // within the policy
	Key  string // verifier key
	URL  string // may be empty
}

// group is met by threshold of its members.
type group struct {
	threshold int
	members   []string
}

// ParsePolicy takes a policy file. What the format calls invalid is refused, and so is what it does not define.
func ParsePolicy(text string) (*Policy, error) {
	if len(text) > maxPolicy || !strings.HasSuffix(text, "\n") {
		return nil, fmt.Errorf("%w: too long, or no newline at its end", ErrPolicy)
	}
	p := &Policy{groups: map[string]group{}, member: map[string]bool{}}
	number := 0
	for line := range strings.Lines(text) {
		number++
		if err := p.parseLine(strings.TrimSuffix(line, "\n")); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrPolicy, number, err)
		}
	}
	if p.quorum == "" {
		return nil, fmt.Errorf("%w: no quorum", ErrPolicy)
	}
	return p, nil
}

func (p *Policy) parseLine(line string) error {
	for _, b := range []byte(line) {
		if b < ' ' && b != '\t' || b == 0x7f {
			return errors.New("control character")
		}
	}
	// Octets with the high bit are opaque: a space of Unicode is none here.
	items := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
	if len(items) == 0 || strings.HasPrefix(items[0], "#") {
		return nil
	}
	switch args := items[1:]; items[0] {
	case "log":
		return p.parseLog(args)
	case "witness":
		return p.parseWitness(args)
	case "group":
		return p.parseGroup(args)
	case "quorum":
		return p.parseQuorum(args)
	}
	return errors.New("unknown keyword")
}

func (p *Policy) parseLog(args []string) error {
	if len(args) < 1 || len(args) > 2 || len(p.Logs) == maxPolicyLines {
		return errors.New("not a log")
	}
	v, err := parseVerifier(args[0])
	if err != nil {
		return err
	}
	if v.algorithm != AlgEd25519 && v.algorithm != AlgMLDSA44 {
		return errors.New("not a log's key")
	}
	for _, other := range p.logKeys {
		if slices.Equal(other.public, v.public) {
			return errors.New("duplicate log")
		}
	}
	p.logKeys = append(p.logKeys, v)
	p.Logs = append(p.Logs, PolicyLog{Origin: v.name, Key: args[0], URL: strings.Join(args[1:], "")})
	return nil
}

func (p *Policy) parseWitness(args []string) error {
	if len(args) < 2 || len(args) > 3 || len(p.Witnesses) == maxPolicyLines {
		return errors.New("not a witness")
	}
	v, err := parseVerifier(args[1])
	if err != nil {
		return err
	}
	if v.algorithm != AlgCosigned && v.algorithm != AlgMLDSA44 {
		return errors.New("not a witness's key")
	}
	for _, other := range p.keys {
		// Two keys of one id could not be told apart under a note.
		if slices.Equal(other.public, v.public) || other.id() == v.id() {
			return errors.New("duplicate witness")
		}
	}
	if err := p.define(args[0], group{}); err != nil {
		return err
	}
	p.Witnesses = append(p.Witnesses, Witness{Name: args[0], Key: args[1], URL: strings.Join(args[2:], "")})
	p.keys = append(p.keys, v)
	return nil
}

func (p *Policy) parseGroup(args []string) error {
	if len(args) < 3 || len(p.groups)-len(p.Witnesses) == maxPolicyLines {
		return errors.New("not a group")
	}
	g := group{members: args[2:]}
	switch args[1] {
	case "any":
		g.threshold = 1
	case "all":
		g.threshold = len(g.members)
	default:
		k, err := strconv.Atoi(args[1])
		if err != nil || strconv.Itoa(k) != args[1] || k < 1 || k > len(g.members) {
			return errors.New("threshold of a group")
		}
		g.threshold = k
	}
	for _, m := range g.members {
		if _, defined := p.groups[m]; !defined {
			return errors.New("a group's member is not defined before it")
		}
		// Otherwise one witness could count twice.
		if p.member[m] {
			return errors.New("a name is a member twice")
		}
		p.member[m] = true
	}
	return p.define(args[0], g)
}

func (p *Policy) parseQuorum(args []string) error {
	if len(args) != 1 || p.quorum != "" {
		return errors.New("not one quorum")
	}
	if _, defined := p.groups[args[0]]; !defined && args[0] != quorumNone {
		return errors.New("the quorum is not defined before it")
	}
	p.quorum = args[0]
	return nil
}

func (p *Policy) define(name string, g group) error {
	if _, taken := p.groups[name]; taken || name == quorumNone {
		return errors.New("the name is taken")
	}
	p.groups[name] = g
	return nil
}

// QuorumNone reports whether the policy asks for no cosignature. Then nothing can be said of how fresh a checkpoint is.
func (p *Policy) QuorumNone() bool { return p.quorum == quorumNone }

// Keys returns the keys of the policy's log of that origin. It must name both.
func (p *Policy) Keys(origin string) (*Keys, error) {
	var vkeys []string
	for _, l := range p.Logs {
		if l.Origin == origin {
			vkeys = append(vkeys, l.Key)
		}
	}
	return ParseKeys(origin, vkeys)
}

// Cosignature is a witness's statement that it saw nothing larger or inconsistent up to a time.
type Cosignature struct {
	Witness string // its name in the policy
	Time    uint64 // seconds since 1970
}

// Cosignatures verifies the cosignatures of the policy's witnesses under a signed checkpoint, in the policy's order. A bad one
// of a known witness is an error, and so are two of one key. The log's own signatures are for Keys.Open to verify.
func (p *Policy) Cosignatures(signed []byte) ([]Cosignature, error) {
	_, found, err := openNote(signed, p.keys)
	if err != nil {
		return nil, err
	}
	var all []Cosignature
	for i, v := range p.keys {
		if s, ok := found[v.id()]; ok {
			all = append(all, Cosignature{Witness: p.Witnesses[i].Name, Time: binary.BigEndian.Uint64(s.blob)})
		}
	}
	return all, nil
}

// Satisfied reports whether the witnesses of those names suffice.
func (p *Policy) Satisfied(names []string) bool {
	have := map[string]bool{}
	for _, name := range names {
		have[name] = true
	}
	return p.QuorumNone() || p.met(p.quorum, have)
}

// met ends: a group's members are defined before it.
func (p *Policy) met(name string, have map[string]bool) bool {
	g := p.groups[name]
	if g.members == nil {
		return have[name]
	}
	met := 0
	for _, m := range g.members {
		if p.met(m, have) {
			met++
		}
	}
	return met >= g.threshold
}

// WitnessedAt returns the latest time such that the cosignatures of that time and later suffice, and whether any do. A policy
// without witnesses is satisfied at 0: it never makes a checkpoint fresh.
func (p *Policy) WitnessedAt(cs []Cosignature) (uint64, bool) {
	if p.QuorumNone() {
		return 0, true
	}
	newest := slices.Clone(cs)
	slices.SortFunc(newest, func(a, b Cosignature) int { return cmp.Compare(b.Time, a.Time) })
	var names []string
	for _, c := range newest {
		names = append(names, c.Witness)
		if p.Satisfied(names) {
			return c.Time, true
		}
	}
	return 0, false
}

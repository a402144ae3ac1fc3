package chain

import (
	"bytes"
	"net/netip"
	"slices"

	"github.com/underseal/underseal/protocol/wire"
)

// Policy are a firm's rules of signing in, in the clear: a server must know what it enforces. An owner signs them as an entry
// of the firm's own chain (SPEC S-POLICY-01). Times are minutes.
type Policy struct {
	StaffMFA       bool     `json:"staffMFA"`
	ClientMFA      bool     `json:"clientMFA"`
	PasswordLength uint8    `json:"passwordLength"` // characters
	PasswordDays   uint16   `json:"passwordDays"`   // after which a password must change; 0 never
	Idle           uint16   `json:"idle"`
	Absolute       uint16   `json:"absolute"`
	OneSession     bool     `json:"oneSession"`
	Networks       []string `json:"networks"` // CIDR, sorted; none: from anywhere
	// Recovery: RecoveryK of the custodians hand a member's identity back, RecoveryHours after somebody asked for it. 0: off.
	RecoveryK     uint8       `json:"recoveryK"`
	RecoveryHours uint16      `json:"recoveryHours"`
	Custodians    []Custodian `json:"custodians"` // sorted by member
}

// Bounds of a policy.
const (
	MinPassword     = 12
	MaxPassword     = 64
	MaxIdle         = 480
	MinAbsolute     = 15
	MaxAbsolute     = 1440
	MaxNetworks     = 32
	MaxRecovery     = 9  // custodians
	MinRecoveryWait = 24 // hours: the time that everybody has to say no
	MaxRecoveryWait = 720
	maxNetwork      = 43 // an IPv6 prefix at its longest
	defaultIdle     = 15
	defaultAbsolute = 12 * 60
)

// DefaultPolicy is what holds where no owner signed anything.
func DefaultPolicy() Policy {
	return Policy{PasswordLength: MinPassword, Idle: defaultIdle, Absolute: defaultAbsolute, Networks: []string{}, Custodians: []Custodian{}}
}

// SignedPolicy is the newest policy of a firm's chain.
type SignedPolicy struct {
	Policy
	Position uint64 // of the entry
	By       wire.ObjectID
	At       uint64
}

// Check reports whether a policy is one: ErrInput where not. Networks have one spelling and one order.
func (p Policy) Check() error {
	switch {
	case p.PasswordLength < MinPassword || p.PasswordLength > MaxPassword,
		p.Idle < 1 || p.Idle > MaxIdle,
		p.Absolute < MinAbsolute || p.Absolute > MaxAbsolute || p.Absolute < p.Idle,
		len(p.Networks) > MaxNetworks:
		return ErrInput
	}
	if err := p.checkRecovery(); err != nil {
		return err
	}
	for i, text := range p.Networks {
		if i > 0 && p.Networks[i-1] >= text {
			return ErrInput
		}
		if _, err := parseNetwork(text); err != nil {
			return err
		}
	}
	return nil
}

// checkRecovery: off is one thing, and on is a threshold of at least two that the custodians can reach, and a time to say no.
func (p Policy) checkRecovery() error {
	n := len(p.Custodians)
	for i := 1; i < n; i++ {
		if bytes.Compare(p.Custodians[i-1].Member[:], p.Custodians[i].Member[:]) >= 0 {
			return ErrInput
		}
	}
	off := p.RecoveryK == 0 && p.RecoveryHours == 0 && n == 0
	on := p.RecoveryK >= 2 && int(p.RecoveryK) <= n && n <= MaxRecovery && p.RecoveryHours >= MinRecoveryWait && p.RecoveryHours <= MaxRecoveryWait
	if !off && !on {
		return ErrInput
	}
	return nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	n, err := netip.ParsePrefix(text)
	// An IPv4 address in IPv6's clothes is compared as what it is, so that a prefix of such would match nothing.
	if err != nil || n != n.Masked() || n.String() != text || n.Addr().Is4In6() {
		return netip.Prefix{}, ErrInput
	}
	return n, nil
}

// Normal is the policy with its networks and custodians in the one spelling and order; what is no network is left as it is, for Check.
func (p Policy) Normal() Policy {
	networks := []string{}
	for _, text := range p.Networks {
		if n, err := netip.ParsePrefix(text); err == nil {
			text = n.Masked().String()
		} else if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
			text = netip.PrefixFrom(a, a.BitLen()).String()
		}
		networks = append(networks, text)
	}
	slices.Sort(networks)
	p.Networks = slices.Compact(networks)
	p.Custodians = append([]Custodian{}, p.Custodians...)
	slices.SortFunc(p.Custodians, func(a, b Custodian) int { return bytes.Compare(a.Member[:], b.Member[:]) })
	return p
}

// Admits reports whether a session may be used from an address. An address that nobody knows is in no network.
func (p Policy) Admits(from netip.Addr) bool {
	if len(p.Networks) == 0 {
		return true
	}
	from = from.Unmap().WithZone("")
	return slices.ContainsFunc(p.Networks, func(text string) bool {
		n, err := parseNetwork(text)
		return err == nil && n.Contains(from)
	})
}

func (p Policy) write(w *wire.Writer) {
	w.Bool(p.StaffMFA)
	w.Bool(p.ClientMFA)
	w.Uint8(p.PasswordLength)
	w.Uint16(p.PasswordDays)
	w.Uint16(p.Idle)
	w.Uint16(p.Absolute)
	w.Bool(p.OneSession)
	w.Count(len(p.Networks))
	for _, n := range p.Networks {
		w.Text(n)
	}
	w.Uint8(p.RecoveryK)
	w.Uint16(p.RecoveryHours)
	writeCustodians(w, p.Custodians)
}

func readPolicy(r *wire.Reader) Policy {
	p := Policy{StaffMFA: r.Bool(), ClientMFA: r.Bool(), PasswordLength: r.Uint8(), PasswordDays: r.Uint16(), Idle: r.Uint16(), Absolute: r.Uint16(), OneSession: r.Bool(), Networks: []string{}}
	for range r.Count(MaxNetworks, 2) {
		p.Networks = append(p.Networks, r.Text(maxNetwork))
	}
	p.RecoveryK, p.RecoveryHours, p.Custodians = r.Uint8(), r.Uint16(), readCustodians(r, MaxRecovery)
	if p.Check() != nil {
		r.Refuse()
	}
	return p
}

func (p *SignedPolicy) item() []byte {
	w := wire.NewWriter()
	w.Uint8(itemPolicy)
	w.Uint64(p.Position)
	w.Fixed(p.By[:])
	w.Uint64(p.At)
	p.Policy.write(w)
	return w.Bytes()
}

func parseSignedPolicy(r *wire.Reader) *SignedPolicy {
	p := &SignedPolicy{Position: r.Uint64(), By: r.ID(), At: r.Uint64()}
	p.Policy = readPolicy(r)
	return p
}

// Rules are the policy that holds.
func (s *State) Rules() Policy {
	if s.Policy == nil {
		return DefaultPolicy()
	}
	return s.Policy.Policy
}

// SetPolicy signs a firm's policy, in place of the one before.
func (s *State) SetPolicy(a Author, p Policy) (Submission, error) {
	if err := s.may(a, RightManage); err != nil {
		return Submission{}, err
	}
	if s.Charter.Kind != KindFirm || p.Check() != nil || !s.seatsCustodians(p) {
		return Submission{}, ErrInput
	}
	effect, err := s.effect(a, KindPolicy)
	if err != nil {
		return Submission{}, err
	}
	p.Networks, p.Custodians = slices.Clone(p.Networks), slices.Clone(p.Custodians)
	effect.Policy = &p
	return s.submit(a, effect, a.headBody())
}

// seatsCustodians reports whether everybody whom a policy makes a custodian is here, with the keys it names.
func (s *State) seatsCustodians(p Policy) bool {
	return !slices.ContainsFunc(p.Custodians, func(c Custodian) bool { return !s.holdsShares(c) })
}

// applyPolicy takes an owner's word in the firm's own chain. A matter has no policy: there nobody has the right.
func (s *State) applyPolicy(effect *Effect, e Entry, raw []byte, author *Member) error {
	if s.Charter.Kind != KindFirm || !author.Role.May(RightManage) {
		return ErrRights
	}
	h, err := parseHeadBody(raw)
	if err != nil {
		return ErrMismatch
	}
	if !s.seatsCustodians(*effect.Policy) {
		return ErrRecovery
	}
	s.Policy = &SignedPolicy{Policy: *effect.Policy, Position: effect.Position, By: effect.Actor, At: h.Time}
	s.commit(e, effect.Actor, h)
	return nil
}

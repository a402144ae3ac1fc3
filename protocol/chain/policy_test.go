package chain

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"testing"

	"github.com/underseal/underseal/protocol/wire"
)

// newFirm is a firm's own chain with its owner, and a policy to sign.
func newFirm(t testing.TB) (*person, Policy) {
	t.Helper()
	owner := newPerson(t)
	sub, id, _, err := Found(owner.Author, Charter{Kind: KindFirm}, "Advocate LLP", "Ada Advocate")
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{id: id, rows: map[wire.ObjectID][]byte{}}
	l.add(sub)
	owner.state = must[*State](t)(l.open(t, owner))
	p := DefaultPolicy()
	p.OneSession, p.Idle, p.Absolute = true, 5, 60
	return owner, p
}

// TestPolicy: an owner signs a firm's rules, the newest hold, they are in the state's root, and a cache keeps them.
// S-POLICY-01 S-STATE-01
func TestPolicy(t *testing.T) {
	ada, p := newFirm(t)
	s := ada.state
	before := s.Root()
	if s.Policy != nil || s.Rules().Idle != 15 || s.Rules().Absolute != 720 || DefaultPolicy().Check() != nil {
		t.Fatalf("%+v", s.Rules())
	}
	sub := must[Submission](t)(s.SetPolicy(ada.Author, p))
	p.Networks = append(p.Networks, "changed after it was signed")
	if s.Policy != nil {
		t.Fatal("authoring changes the state")
	}
	unsigned := s.Clone()
	if err := s.Apply(sub.Entry); err != nil {
		t.Fatal(err)
	}
	if s.Policy == nil || s.Policy.Idle != 5 || s.Policy.By != ada.Member || s.Policy.At != ada.head().Time || s.Policy.Position != 1 || len(s.Policy.Networks) != 0 || s.Root() == before {
		t.Fatalf("%+v", s.Policy)
	}
	first := s.Root()
	p.Networks = []string{"192.0.2.0/24"}
	next := must[Submission](t)(s.SetPolicy(ada.Author, p))
	// An entry that is withheld shows: what comes after it names it.
	if err := unsigned.Apply(next.Entry); !errors.Is(err, ErrOrder) {
		t.Errorf("a policy is withheld unseen: %v", err)
	}
	if err := s.Apply(next.Entry); err != nil {
		t.Fatal(err)
	}
	if s.Root() == first || s.Rules().Networks[0] != "192.0.2.0/24" {
		t.Error("the newest does not hold")
	}
	warm := must[*State](t)(Unmarshal(s.Marshal()))
	if warm.Root() != s.Root() || warm.Policy == nil || warm.Rules().Networks[0] != "192.0.2.0/24" || warm.Policy.By != ada.Member {
		t.Errorf("a cache loses it: %+v", warm.Policy)
	}
	if a, err := s.Describe(next.Entry, 2, sub.Entry.Leaf.Hash()); err != nil || a.Effect.Policy.Idle != 5 || a.Time == 0 {
		t.Errorf("%+v %v", a, err)
	}
}

// TestPolicyAttacks: who may not sign one, and where there is none. S-POLICY-01 S-CHAIN-07
func TestPolicyAttacks(t *testing.T) {
	w := newWorld(t)
	p := DefaultPolicy()
	body := func(a *person) []byte {
		h := wire.NewWriter()
		a.head().write(h)
		return h.Bytes()
	}
	if _, err := w.ada.state.SetPolicy(w.ada.Author, p); !errors.Is(err, ErrInput) {
		t.Errorf("a matter gets a policy: %v", err)
	}
	for name, who := range map[string]*person{"owner": w.olga, "paralegal": w.petra, "client": w.clara, "auditor": w.aude, "removed": w.rex, "waiting": w.wanda, "stranger": w.mal} {
		t.Run("in a matter, by "+name, func(t *testing.T) {
			refused(t, w.ada.state.Clone(), w.forge(t, who, KindPolicy, body(who), func(e *Effect) { e.Policy = &p }), ErrRights)
		})
	}
	// The same people in a firm's chain: only owners may.
	w.ada.state.Charter.Kind, w.ada.state.Charter.Firm = KindFirm, wire.ChainID{}
	for name, who := range map[string]*person{"paralegal": w.petra, "client": w.clara, "expert": w.xaver, "auditor": w.aude, "reviewer": w.rita, "removed": w.rex, "waiting": w.wanda, "stranger": w.mal} {
		t.Run("by "+name, func(t *testing.T) {
			if _, err := w.as(who).state.SetPolicy(who.Author, p); !errors.Is(err, ErrRights) {
				t.Errorf("may author: %v", err)
			}
			refused(t, w.ada.state.Clone(), w.forge(t, who, KindPolicy, body(who), func(e *Effect) { e.Policy = &p }), ErrRights)
		})
	}
	good := w.forge(t, w.olga, KindPolicy, body(w.olga), func(e *Effect) { e.Policy = &p })
	if err := w.ada.state.Clone().Apply(good); err != nil {
		t.Fatal(err)
	}
	// A server has no owner's key: what it writes over the clear part, or makes with a member's, is not the owner's word.
	weaker := good
	effect := must[*Effect](t)(ParseEffect(good.Effect))
	effect.Policy.Idle = MaxIdle
	weaker.Effect = effect.Bytes()
	refused(t, w.ada.state.Clone(), weaker, ErrLeaf)
	refused(t, w.ada.state.Clone(), w.relink(t, weaker), ErrEnvelope)
	inAnothersName := w.forge(t, &person{Author: Author{Member: w.olga.Member, Identity: w.clara.Identity, Random: w.clara.Random, Now: w.clara.Now}}, KindPolicy, body(w.clara), func(e *Effect) { e.Policy = &p })
	refused(t, w.ada.state.Clone(), inAnothersName, ErrEntrySig)
	refused(t, w.ada.state.Clone(), w.forge(t, w.olga, KindPolicy, append(body(w.olga), 0), func(e *Effect) { e.Policy = &p }), ErrMismatch)
	refused(t, w.ada.state.Clone(), good.Erase(), ErrErased)
}

// TestPolicyForm: what a policy may not say. S-POLICY-02
func TestPolicyForm(t *testing.T) {
	many := func(n int) (list []string) {
		for i := range n {
			list = append(list, "10.0."+strconv.Itoa(i)+".0/24")
		}
		slices.Sort(list)
		return list
	}
	custodians := func(n int) (list []Custodian) {
		for i := range n {
			list = append(list, Custodian{Member: wire.ObjectID{byte(i + 1)}})
		}
		return list
	}
	recovery := func(k uint8, hours uint16, n int) func(*Policy) {
		return func(p *Policy) { p.RecoveryK, p.RecoveryHours, p.Custodians = k, hours, custodians(n) }
	}
	ada, base := newFirm(t)
	parse := func(p Policy) error {
		e := must[*Effect](t)(ada.state.effect(ada.Author, KindPolicy))
		e.Policy = &p
		b := e.Bytes()
		got, err := ParseEffect(b)
		if err == nil && string(got.Bytes()) != string(b) {
			t.Error("written otherwise")
		}
		return err
	}
	for name, change := range map[string]func(*Policy){
		"the least": func(p *Policy) { p.PasswordLength, p.Idle, p.Absolute = 12, 1, 15 },
		"the most": func(p *Policy) {
			p.PasswordLength, p.PasswordDays, p.Idle, p.Absolute = 64, 65535, 480, 1440
			p.RecoveryK, p.RecoveryHours, p.Custodians = 9, 720, custodians(9)
		},
		"all networks": func(p *Policy) { p.Networks = many(32) },
		"any address":  func(p *Policy) { p.Networks = []string{"0.0.0.0/0", "::/0"} },
	} {
		p := base
		change(&p)
		if err := parse(p); err != nil || p.Check() != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Policy){
		"a short password": func(p *Policy) { p.PasswordLength = 11 }, "a long password": func(p *Policy) { p.PasswordLength = 65 },
		"no idle time": func(p *Policy) { p.Idle = 0 }, "too much idle time": func(p *Policy) { p.Idle, p.Absolute = 481, 1440 },
		"too short": func(p *Policy) { p.Absolute = 14 }, "too long": func(p *Policy) { p.Absolute = 1441 }, "shorter than idle": func(p *Policy) { p.Idle, p.Absolute = 30, 29 },
		"one of two": recovery(1, 24, 2), "three of two": recovery(3, 24, 2), "two of none": recovery(2, 24, 0), "none of two": recovery(0, 24, 2), "two of ten": recovery(2, 24, 10),
		"no time to say no": recovery(2, 23, 2), "a month and more": recovery(2, 721, 2), "a time for nothing": recovery(0, 24, 0),
		"custodians unsorted": func(p *Policy) { recovery(2, 24, 2)(p); slices.Reverse(p.Custodians) }, "a custodian twice": func(p *Policy) { recovery(2, 24, 2)(p); p.Custodians[1] = p.Custodians[0] },
		"too many networks": func(p *Policy) { p.Networks = many(33) }, "unsorted": func(p *Policy) { p.Networks = []string{"10.0.1.0/24", "10.0.0.0/24"} },
		"twice": func(p *Policy) { p.Networks = []string{"10.0.0.0/24", "10.0.0.0/24"} }, "no network": func(p *Policy) { p.Networks = []string{"office"} },
		"an address": func(p *Policy) { p.Networks = []string{"10.0.0.1"} }, "bits beside the mask": func(p *Policy) { p.Networks = []string{"10.0.0.1/24"} },
		"another spelling": func(p *Policy) { p.Networks = []string{"2001:DB8::/32"} }, "in IPv6's clothes": func(p *Policy) { p.Networks = []string{"::ffff:10.0.0.0/104"} },
		"empty": func(p *Policy) { p.Networks = []string{""} },
	} {
		p := base
		change(&p)
		if err := parse(p); err == nil || !errors.Is(p.Check(), ErrInput) {
			t.Errorf("%s parses: %v", name, p.Check())
		}
		if _, err := ada.state.SetPolicy(ada.Author, p); !errors.Is(err, ErrInput) {
			t.Errorf("%s is signed: %v", name, err)
		}
	}
	n := Policy{Networks: []string{"2001:DB8:1::5/32", "10.0.0.7", "10.0.0.7/32", "x"}}.Normal().Networks
	if !slices.Equal(n, []string{"10.0.0.7/32", "2001:db8::/32", "x"}) {
		t.Errorf("%q", n)
	}
}

// TestPolicyAdmits: which addresses are in a network.
func TestPolicyAdmits(t *testing.T) {
	p := Policy{Networks: []string{"192.0.2.0/24", "2001:db8::/32"}}
	for address, want := range map[string]bool{"192.0.2.255": true, "192.0.3.0": false, "::ffff:192.0.2.1": true, "2001:db8::1": true, "2001:db9::1": false, "fe80::1%eth0": false, "2001:db8::1%eth0": true} {
		if got := p.Admits(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	if p.Admits(netip.Addr{}) || !(Policy{}).Admits(netip.Addr{}) {
		t.Error("an unknown address")
	}
}

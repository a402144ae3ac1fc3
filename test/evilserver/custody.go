package evilserver

import (
	"slices"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/wire"
)

// HandBack has an owner sign that k of these custodians hand somebody back after so many hours; with none of them recovery is
// off.
func (p *Person) HandBack(k uint8, hours uint16, names ...string) {
	p.Helper()
	v, err := p.Client.Policy(Soon(p), p.Firm)
	p.ok(err)
	x := v.Policy
	x.Absolute, x.Idle, x.Custodians, x.RecoveryK, x.RecoveryHours = 1440, 480, nil, 0, 0
	for _, c := range v.MayBeCustodians {
		if slices.Contains(names, c.Name) && !c.Gone {
			x.Custodians = append(x.Custodians, c.Custodian)
		}
	}
	if len(names) > 0 {
		x.RecoveryK, x.RecoveryHours = k, hours
	}
	_, err = p.SetPolicy(Soon(p), p.Firm, x)
	p.ok(err)
}

// Leave leaves an identity with those whom the firm names now.
func (p *Person) Leave() {
	p.Helper()
	v, err := p.Custody(Soon(p), p.Firm)
	p.ok(err)
	_, err = p.Escrow(Soon(p), p.Firm, v.Policy)
	p.ok(err)
}

// BeginFor begins to hand somebody back, and is the link and the recovery.
func (p *Person) BeginFor(name string) (link string, id wire.ObjectID) {
	p.Helper()
	v, err := p.Recoveries(Soon(p), p.Firm)
	p.ok(err)
	i := slices.IndexFunc(v.MayBegin, func(h client.HolderView) bool { return h.Name == name })
	if i < 0 {
		p.Fatalf("%s cannot be handed back", name)
	}
	member, err := wire.ParseObjectID(v.MayBegin[i].Member)
	p.ok(err)
	link, err = p.BeginRecovery(Soon(p), p.Firm, member, "She lost her laptop.")
	p.ok(err)
	l, err := client.ParseRecoveryLink(link)
	p.ok(err)
	return link, l.Recovery
}

// Agree hands this custodian's share to whoever asks by now.
func (p *Person) Agree(id wire.ObjectID) error {
	v, err := p.Ceremony(Soon(p), p.Firm, id)
	if err != nil {
		return err
	}
	if v.Claim == nil {
		p.Fatal("nobody asks")
	}
	_, err = p.Approve(Soon(p), p.Firm, id, v.Claim.Fingerprint)
	return err
}

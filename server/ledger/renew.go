package ledger

import (
	"bytes"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
)

// leads verifies that links of the caller's, which the directory took before, lead from the keys of a fingerprint to others, and
// is where they lead.
func (a *appending) leads(from wire.Hash, links []chain.KeyLink) (wire.Hash, error) {
	for _, l := range links {
		if l.Member != a.caller.Member || l.Firm != a.caller.Firm || l.Number == 0 {
			return from, access.Deny(api.CodeForbidden)
		}
		stored, err := optional(a.tx.Get(layout.KeyLinkKey(l.Member, l.Number)))
		if err != nil {
			return from, err
		}
		b, err := optional(a.tx.Get(layout.KeyLinkKey(l.Member, l.Number-1)))
		if err != nil {
			return from, err
		}
		before, parseErr := chain.ParseKeyLink(b)
		if parseErr != nil || !bytes.Equal(stored, l.Bytes()) || wire.Hash(before.Bundle.Keys.Fingerprint()) != from {
			return from, access.Deny(api.CodeForbidden)
		}
		from = wire.Hash(l.Bundle.Keys.Fingerprint())
	}
	return from, nil
}

// renew puts the keys into the caller's seat that the directory has for him. What he left with custodians was of the old ones.
func (a *appending) renew() error {
	if err := access.Renew(a.seat, a.Submission); err != nil {
		return err
	}
	fingerprint, err := a.leads(a.seat.Fingerprint, []chain.KeyLink{a.Effect.Renew.Link})
	if err != nil {
		return err
	}
	a.seat.Fingerprint = fingerprint
	if a.head.Chain == a.caller.Firm {
		if err := a.renewed(fingerprint); err != nil {
			return err
		}
	}
	return putSeat(a.tx, a.head.Chain, a.seat)
}

// renewed ends a recovery of the caller's: done where he has the keys that custodians agreed to.
func (a *appending) renewed(fingerprint wire.Hash) error {
	_, r, err := openRecoveryOf(a.tx, a.caller.Member)
	if err != nil {
		return err
	}
	state := layout.RecoveryEnded
	if r != nil && Agreed(r) && Claimed(r) == fingerprint {
		state = layout.RecoveryDone
	}
	return dropEscrow(a.tx, a.caller.Member, state)
}

// comesAs is whether the caller may come back with the keys he has now.
func (a *appending) comesAs(fingerprint wire.Hash) error {
	links := a.Effect.Accept.Links
	if a.seat == nil {
		if len(links) > 0 {
			return access.Deny(api.CodeForbidden)
		}
		return nil
	}
	now, err := a.leads(a.seat.Fingerprint, links)
	if err == nil && now != fingerprint {
		err = access.Deny(api.CodeForbidden)
	}
	return err
}

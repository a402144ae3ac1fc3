package ledger

import (
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// maxForgiven is how often an owner forgives the failed sign-ins of one member in a day: each time a few more passwords can be
// tried, and who founds a firm and has somebody join it is an owner, too.
const maxForgiven = 3

// office is an owner's word about a member of the firm.
func (a *appending) office(member wire.ObjectID) error {
	if err := access.Office(a.caller, a.seat, a.head, a.Submission); err != nil {
		return err
	}
	has, err := layout.Has(a.tx, layout.MemberKey(member))
	if err == nil && !has {
		err = access.Deny(api.CodeNotFound)
	}
	return err
}

// unlock notes what is to be done in the accounts once the entry stands: another partition, so its caller does it.
func (a *appending) unlock() error {
	member := a.Effect.Unlock.Member
	if err := a.office(member); err != nil {
		return err
	}
	n, within, err := countedFor(a.tx, layout.ForgivenKey(member), time.Unix(a.now, 0), maxForgiven, 24*time.Hour)
	if err != nil {
		return err
	}
	if !within {
		return &api.Error{Code: api.CodeTooMany, Wait: int(n.Expires - a.now)}
	}
	return layout.Put(a.tx, layout.ForgivingKey(a.Effect.Entry), layout.Forgiving{Member: member})
}

// Present is whether a member has a seat in any chain of the firm, or waits for one.
func Present(tx store.Tx, member wire.ObjectID) (bool, error) {
	present := false
	err := tx.Scan(layout.SeatsOf(member), nil, 0, func(k, _ []byte) error {
		id, err := wire.ParseHash(layout.Last(k))
		if err != nil || present {
			return err
		}
		s, err := Seat(tx, id, member)
		present = !access.Joins(s)
		return err
	})
	return present, err
}

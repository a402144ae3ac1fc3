package auth

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/auth/limit"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// tooMany turns a limit's refusal into the answer.
func tooMany(err error) error {
	var denied *limit.Denied
	if !errors.As(err, &denied) {
		return err
	}
	return &api.Error{Code: api.CodeTooMany, Wait: int(math.Ceil(denied.Wait.Seconds()))}
}

// count counts an attempt, whatever becomes of it: then runs in the transaction that does, and is told whether waits begin
// with it. A flood is refused by a look alone.
func (a *Service) count(ctx context.Context, now time.Time, who limit.Attempt, then func(tx store.Tx, begins bool) error) error {
	err := a.Store.View(ctx, layout.Accounts, func(tx store.Tx) error { return a.secrets.limit.Check(tx, now, who) })
	if err == nil {
		err = a.update(ctx, now, func(tx store.Tx) error {
			begins, err := a.secrets.limit.Count(tx, now, who)
			if err != nil {
				return err
			}
			return then(tx, begins)
		})
	}
	return tooMany(err)
}

// tried notes an attempt for the account's owner and, where waits begin with it, for its firms' auditors. An account that is
// nobody's takes the same steps.
func (a *Service) tried(tx store.Tx, now time.Time, account wire.ObjectID, kind string, begins bool) error {
	r, found, err := layout.Get[layout.Attempts](tx, layout.AttemptsKey(account))
	if err != nil {
		return err
	}
	if kind == kindCode {
		r.Codes++
	} else {
		r.Passwords++
	}
	if found {
		err = layout.Put(tx, layout.AttemptsKey(account), r)
	} else { // nobody's
		r.Expires = now.Add(limit.Forgotten).Unix()
		err = layout.PutEphemeral(tx, layout.AttemptsKey(account), r, r.Expires)
	}
	if err != nil || !begins {
		return err
	}
	return a.notice(tx, now, account, kind)
}

// noticeDays is how long a firm that nobody enters may take to learn of something.
const noticeDays = 90

// notice puts down what the auditors of an account's firms are to be told. To write into the firms at once would take longer
// than to write into none, and so tell whoever tries names which of them exist: here they are rows of the same transaction,
// and Tell takes them further.
func (a *Service) notice(tx store.Tx, now time.Time, account wire.ObjectID, detail string) error {
	firms, err := firmsOf(tx, account)
	if err != nil {
		return err
	}
	if len(firms) == 0 {
		firms = []wire.ChainID{{}} // no firm has that id
	}
	n := layout.Notice{Expires: now.AddDate(0, 0, noticeDays).Unix(), Account: account, At: now.UnixMilli(), Detail: detail}
	for _, firm := range firms {
		if err := layout.PutEphemeral(tx, layout.NoticeKey(firm, account, n.At), n, n.Expires); err != nil {
			return err
		}
	}
	return nil
}

// Tell tells a firm's auditors what is put down for them. It is called where somebody enters the firm, and before an auditor
// reads: so what he asks for is there when he asks.
func (a *Service) Tell(ctx context.Context, now time.Time, firm wire.ChainID) error {
	var due []layout.Notice
	err := a.Store.View(ctx, layout.Accounts, func(tx store.Tx) error {
		return tx.Scan(layout.NoticesOf(firm), nil, 0, func(_, v []byte) error {
			var n layout.Notice
			err := json.Unmarshal(v, &n)
			due = append(due, n)
			return err
		})
	})
	if err != nil || len(due) == 0 {
		return err
	}
	err = a.Store.Update(ctx, layout.FirmPartition(firm), func(tx store.Tx) error {
		for _, n := range due {
			if err := a.Log.Locked(tx, a.Random, firm, n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	// Gone only now: what fails before is told the next time, and once all the same.
	return a.update(ctx, now, func(tx store.Tx) error {
		for _, n := range due {
			if err := tx.Delete(layout.NoticeKey(firm, n.Account, n.At)); err != nil {
				return err
			}
		}
		return nil
	})
}

// gotIn tells the owner of an account, who is signing in, of the attempts that did not, and forgets them. Those of his own that
// it took are none.
func gotIn(tx store.Tx, account wire.ObjectID, passwords, codes int) (*api.Failed, error) {
	r, found, err := layout.Get[layout.Attempts](tx, layout.AttemptsKey(account))
	if err != nil || !found {
		return nil, err
	}
	f := api.Failed{Passwords: max(0, r.Passwords-passwords), Codes: max(0, r.Codes-codes)}
	if err := layout.Put(tx, layout.AttemptsKey(account), layout.Attempts{}); err != nil {
		return nil, err
	}
	if f == (api.Failed{}) {
		return nil, nil
	}
	return &f, nil
}

// Forgive ends the waits of the member whom an owner's entry names. It is done once for each entry: where it fails it is due,
// and the same entry, sent again, does it; later it does nothing.
func (a *Service) Forgive(ctx context.Context, now time.Time, firm wire.ChainID, entry wire.ObjectID) error {
	var m layout.Member
	var due bool
	err := a.Store.View(ctx, layout.FirmPartition(firm), func(tx store.Tx) error {
		f, found, err := layout.Get[layout.Forgiving](tx, layout.ForgivingKey(entry))
		if err != nil || !found {
			return err
		}
		m, due, err = layout.Get[layout.Member](tx, layout.MemberKey(f.Member))
		return err
	})
	if err != nil || !due {
		return err
	}
	err = a.update(ctx, now, func(tx store.Tx) error {
		tries, err := triesOf(tx, m.Account)
		if err != nil {
			return err
		}
		for _, try := range tries {
			if err := a.secrets.limit.Unlock(tx, try); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.Store.Update(ctx, layout.FirmPartition(firm), func(tx store.Tx) error { return tx.Delete(layout.ForgivingKey(entry)) })
}

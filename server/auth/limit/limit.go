// Package limit slows down who guesses. It counts attempts, for the account that is tried and for the address that tries,
// in rows of the accounts partition: nothing of it is in memory, so a restart forgets nothing and any number of servers
// count together.
//
// Whoever starts an attempt calls Check in a View first, which is cheap and refuses a flood without touching the one
// writer, and Count in the Update that starts it. An OPAQUE start is an attempt, for it tests a password whether or not
// it is finished, and so is every code of a second factor. Who got all the way in calls Succeeded with the number of
// attempts it took. A few attempts are free; then each waits twice as long as the one before, up to 15 minutes, and
// after a day without any all is forgotten.
//
// Accounts are counted by the name that was typed, known or not, with the same work. Names and addresses stand in no row:
// only keyed hashes of them. An attempt that is refused is not counted, or somebody could keep a person out for ever by
// trying all the time; a name that is under attack still makes its owner wait, but not with a passkey or kit, which
// nobody can guess and which need not be counted here, nor on a device of his own, whose attempts are counted apart.
package limit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"time"

	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

const (
	// FreeOfAccount attempts of one name wait for nothing.
	FreeOfAccount = 5
	// FreeOfAddress is larger: a firm is one address, and in the morning everybody's attempts are under way at once.
	FreeOfAddress = 50
	// MaxWait is how long the wait grows.
	MaxWait = 15 * time.Minute
	// Ahead is how far a row may be ahead of the clock that reads it. A request's clock is that of its first lines, and its body
	// may come minutes later: whoever holds requests back must find in none of them a time before the waits.
	Ahead = time.Hour
	// Forgotten is how long after the last attempt nothing is known of it any more.
	Forgotten = 24 * time.Hour
)

// Denied says how long to wait. Everybody who may see it may see whether the name or the address is the reason: the
// answer is the same for both.
type Denied struct{ Wait time.Duration }

func (d *Denied) Error() string { return fmt.Sprintf("limit: wait %v", d.Wait.Round(time.Second)) }

// Limiter counts. It holds no state but its key.
type Limiter struct{ key [32]byte }

// New makes the limiter of a key, which is drawn once and stored: with another one, all counts begin anew.
func New(key [32]byte) *Limiter { return &Limiter{key} }

// Attempt is who is tried, by the name that was typed or by an id, and from where. An address that is not known is one
// address, of everybody who has none.
type Attempt struct {
	Account string
	Address netip.Addr
	Second  bool   // a second factor, by somebody who has shown the first: the address does not matter
	Device  string // of the account's owner, from which it is tried, as it has shown: the address does not matter
}

// row is one count.
type row struct {
	Expires int64 `json:"expires"` // seconds
	Count   int   `json:"count"`
	Until   int64 `json:"until,omitempty"` // milliseconds: no attempt before it
}

// counter is a row and its rule.
type counter struct {
	key  []byte
	free int
}

// The kinds of rows, which are also the purposes of the key.
const (
	account = "account"
	second  = "second"
	device  = "device"
	address = "address"
)

func (l *Limiter) counter(kind string, free int, of []byte) counter {
	mac := hmac.New(sha256.New, l.key[:])
	mac.Write([]byte(kind))
	mac.Write([]byte{0})
	mac.Write(of)
	return counter{[]byte("limit/" + kind + "/" + hex.EncodeToString(mac.Sum(nil)[:20])), free}
}

func (l *Limiter) account(a Attempt) counter {
	kind, of := account, a.Account
	switch {
	case a.Second:
		kind = second
	case a.Device != "":
		kind, of = device, a.Account+"/"+a.Device
	}
	return l.counter(kind, FreeOfAccount, []byte(of))
}

// address counts an IPv6 network as one: who has an address there has all of them.
func (l *Limiter) address(a netip.Addr) counter {
	a = a.Unmap()
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	network, err := a.Prefix(bits) // without the zone
	if err != nil {
		network = netip.Prefix{}
	}
	return l.counter(address, FreeOfAddress, []byte(network.String()))
}

func (l *Limiter) counters(a Attempt) []counter {
	if a.Second || a.Device != "" {
		return []counter{l.account(a)}
	}
	return []counter{l.account(a), l.address(a.Address)}
}

// wait is how long a row makes the next attempt wait. A clock that was set back must not lock anybody out for the time it
// was ahead: no honest row is further away than that.
func (r row) wait(now time.Time) time.Duration {
	wait := time.UnixMilli(r.Until).Sub(now)
	if r.Until == 0 || wait <= 0 || wait > MaxWait+Ahead {
		return 0
	}
	return min(wait, MaxWait)
}

// after is the wait that follows an attempt.
func (c counter) after(count int) time.Duration {
	if count < c.free {
		return 0
	}
	doubled := min(count-c.free, 20) // no more, or the shift would overflow into no wait at all
	return min(MaxWait, time.Second<<doubled)
}

func (c counter) read(tx store.Tx, now time.Time) (r row, found bool, err error) {
	r, found, err = layout.Get[row](tx, c.key)
	if r.Expires <= now.Unix() {
		r.Count, r.Until = 0, 0 // not swept yet
	}
	return r, found, err
}

// Check is nil where an attempt may start now, and a *Denied where it may not.
func (l *Limiter) Check(tx store.Tx, now time.Time, a Attempt) error {
	var longest time.Duration
	for _, c := range l.counters(a) {
		r, _, err := c.read(tx, now)
		if err != nil {
			return err
		}
		longest = max(longest, r.wait(now))
	}
	if longest > 0 {
		return &Denied{longest}
	}
	return nil
}

// Count counts an attempt that starts now, or is a *Denied and counts nothing. begins is whether the account is slowed down
// from this attempt on.
func (l *Limiter) Count(tx store.Tx, now time.Time, a Attempt) (begins bool, err error) {
	if err := l.Check(tx, now, a); err != nil {
		return false, err
	}
	for i, c := range l.counters(a) {
		n, err := c.count(tx, now)
		if err != nil {
			return false, err
		}
		begins = begins || (i == 0 && n == c.free)
	}
	return begins, nil
}

func (c counter) count(tx store.Tx, now time.Time) (n int, err error) {
	r, found, err := c.read(tx, now)
	if err != nil {
		return 0, err
	}
	r.Count++
	if wait := c.after(r.Count); wait > 0 {
		r.Until = now.Add(wait).UnixMilli()
	}
	r.Expires = now.Add(Forgotten).Unix()
	if found { // its note of when to look stands already: one for a row, however often it is tried
		return r.Count, layout.Put(tx, c.key, r)
	}
	return r.Count, layout.PutEphemeral(tx, c.key, r, r.Expires)
}

// Succeeded forgets the attempts of an account whose owner got in by so many of his own. Of the address it forgets only
// these: who has an account could otherwise guess on at others' from there.
func (l *Limiter) Succeeded(tx store.Tx, now time.Time, a Attempt, own int) error {
	for i, c := range l.counters(a) {
		if i == 0 {
			if err := c.forget(tx); err != nil {
				return err
			}
			continue
		}
		if err := c.giveBack(tx, now, own); err != nil {
			return err
		}
	}
	return nil
}

func (c counter) giveBack(tx store.Tx, now time.Time, own int) error {
	r, found, err := c.read(tx, now)
	if err != nil || !found {
		return err
	}
	r.Count = max(0, r.Count-own)
	if c.after(r.Count) == 0 {
		r.Until = 0
	}
	return layout.Put(tx, c.key, r)
}

func (c counter) forget(tx store.Tx) error {
	r, found, err := layout.Get[row](tx, c.key)
	if err != nil || !found {
		return err
	}
	// The row stays for its note: one that is gone and comes again would have two.
	r.Count, r.Until = 0, 0
	return layout.Put(tx, c.key, r)
}

// Unlock forgets the attempts of an account, of the kind that a is: an owner did so, with a reason.
func (l *Limiter) Unlock(tx store.Tx, a Attempt) error { return l.account(a).forget(tx) }

// Status is how many attempts of an account did not get in, and how long the next one waits.
func (l *Limiter) Status(tx store.Tx, now time.Time, a Attempt) (count int, wait time.Duration, err error) {
	r, _, err := l.account(a).read(tx, now)
	return r.Count, r.wait(now), err
}

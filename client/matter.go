package client

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// matter is an open chain: a matter's compartment, or a firm.
type matter struct {
	id, firm wire.ChainID

	mu     sync.Mutex   // guards all below; held over requests, so that one change is made at a time
	state  *chain.State // nil until opened
	poison error        // what made the chain unusable: nothing more is done in it
	pin    uint64       // position of a statement that the account is still to remember; 0: none

	currentAt time.Time // when the log last proved that nothing comes after state

	compared   map[wire.ObjectID]bool   // members whose view of the log was compared with ours
	uncompared map[wire.ObjectID][]byte // checkpoints of members' entries that still are to be compared
	anchors    map[uint64]wire.Hash     // leaf hashes of entries before a position, as activity found them on its way back
}

func (c *Client) matterOf(id wire.ChainID) (*matter, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account == nil {
		return nil, fail(api.CodeNotSignedIn, "")
	}
	if m := c.matters[id]; m != nil {
		return m, nil
	}
	firm := id
	if seat := c.account.ring.matter(id); seat != nil {
		firm = seat.Firm
	} else if c.account.ring.firm(id) == nil {
		return nil, fail(api.CodeNotHere, "")
	}
	m := &matter{id: id, firm: firm}
	c.matters[id] = m
	return m, nil
}

// matter opens a chain, or brings it up to date, and is its verified state. The result is a snapshot.
func (c *Client) matter(ctx context.Context, id wire.ChainID) (*chain.State, error) {
	m, err := c.matterOf(id)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := c.sync(ctx, m); err != nil {
		return nil, err
	}
	return m.state.Clone(), nil
}

// sync opens a matter or verifies what is new in it. A chain that lied once stays closed until the program is restarted:
// there is no "continue anyway".
func (c *Client) sync(ctx context.Context, m *matter) error {
	if m.poison != nil {
		return m.poison
	}
	err := c.bringUp(ctx, m)
	if err == nil {
		c.pinEpoch(ctx, m)
		c.keepRules(m)
		c.noteRecoveries(ctx, m)
		c.noteSelf(m)
		return nil
	}
	err = c.refuse(ctx, "the history of a matter", c.accuse(ctx, m, err))
	if hasCode(err, api.CodeServerLied) || hasCode(err, api.CodeRemoved) {
		m.poison = err
	}
	return err
}

func (c *Client) bringUp(ctx context.Context, m *matter) error {
	if m.state == nil {
		if err := c.loadCache(ctx, m); err != nil {
			return err
		}
	}
	before, position := m.state, uint64(0)
	var err error
	if m.state == nil {
		err = c.coldOpen(ctx, m)
	} else {
		position = m.state.Position
		err = c.catchUp(ctx, m)
	}
	if err != nil {
		if before == nil {
			m.state = nil
		}
		return err
	}
	changed := m.state.Position != position
	if err := c.checkOwnSeat(m); err != nil {
		return err
	}
	if err := c.checkLog(ctx, m, changed); err != nil {
		return err
	}
	// Kept when all of it was compared with the log: what a program that ended before did not compare is read again.
	if changed || m.state.Position != position {
		return c.saveCache(ctx, m)
	}
	return nil
}

// errMeanwhile says that somebody else was at work while a matter was read beside its snapshot: it is read again.
var errMeanwhile = errors.New("an entry was added meanwhile")

// place is where a matter stood when something was read beside it.
type place struct {
	position uint64
	epoch    uint32
	review   bool // by the server's word, as a reviewer has no other: it only says whether to read again
}

func placeOf(s *chain.State) place { return place{position: s.Position, epoch: s.Epoch} }

// reviewed is the place of a matter for a reviewer.
func (c *Client) reviewed(ctx context.Context, m *matter) (place, error) {
	var head api.ChainHead
	if err := c.getFirm(ctx, m.firm, api.Chain(m.firm, m.id), &head); err != nil {
		return place{}, c.notSeated(m, err)
	}
	return place{head.Position, head.Epoch, true}, nil
}

// overtaken are errors that an owner's statement, removal or erasure causes, too, where it comes between a snapshot of a
// matter and what is read beside it.
var overtaken = []error{chain.ErrEpoch, chain.ErrErased, chain.ErrNoKey, chain.ErrOrder, log.ErrIncomplete}

// steady reads something beside a snapshot of a matter, and again where the matter moved on since: before a server is accused
// of what an owner's change could explain, the matter is brought up to date. m.mu is not held.
func (c *Client) steady(ctx context.Context, m *matter, read func() (place, error)) error {
	for range 5 {
		at, err := read()
		if errors.Is(err, errMeanwhile) {
			continue
		}
		if !slices.ContainsFunc(overtaken, func(x error) bool { return errors.Is(err, x) }) {
			return err
		}
		var now place
		var syncErr error
		if at.review {
			now, syncErr = c.reviewed(ctx, m)
		} else if s, stateErr := c.matter(ctx, m.id); stateErr != nil {
			syncErr = stateErr
		} else {
			now = placeOf(s)
		}
		if syncErr != nil {
			return syncErr
		}
		if now == at {
			return err
		}
	}
	return fail(api.CodeUnavailable, "")
}

// refuseNew is refuse for what was not refused before: what sync found stands in the journal already.
func (c *Client) refuseNew(ctx context.Context, what string, err error) error {
	var known *Failure
	if errors.As(err, &known) {
		return known
	}
	return c.refuse(ctx, what, err)
}

// checkEvery is how often a matter in which nothing happens is compared with the log.
const checkEvery = time.Minute

// checkLog compares a matter with its firm's log: others' views of it, that nothing comes after the head, and our own keys.
func (c *Client) checkLog(ctx context.Context, m *matter, changed bool) error {
	if err := c.compareViews(ctx, m); err != nil {
		return err
	}
	now := c.config.Now()
	if changed || now.Sub(m.currentAt) >= checkEvery || now.Before(m.currentAt) {
		if err := c.current(ctx, m, false); err != nil {
			return err
		}
	}
	return c.watchSelf(ctx, m)
}

// checkOwnSeat compares the keys that our seat has with ours: a member who plays with the server could seat our id under
// others, and what is sealed to us would be sealed to them. Keys that we had are ours, too, until the newest are entered.
func (c *Client) checkOwnSeat(m *matter) error {
	author, err := c.author(m.firm)
	if err != nil {
		return err
	}
	me := m.state.Members[author.Member]
	if me == nil {
		return chain.ErrRoster
	}
	if _, err := certifying(author, wire.Hash(me.Keys.Fingerprint())); err != nil {
		return chain.ErrRoster
	}
	return nil
}

// pinEpoch has the account remember where the newest epoch was opened: none of its devices, not even one that never saw the
// matter, takes an older epoch for the newest afterwards and seals to who was removed (attack 31). Where the server is not
// reached, or does not take it, it is tried again the next time.
func (c *Client) pinEpoch(ctx context.Context, m *matter) {
	if m.pin == 0 {
		return
	}
	c.mu.Lock()
	due := false
	if c.account != nil {
		seat := c.account.ring.matter(m.id)
		position, _ := c.account.ring.pinned(m.id)
		// A join remembers more, once it is done.
		due = position != nil && *position < m.pin && (seat == nil || seat.Link == "")
	}
	c.mu.Unlock()
	if due && c.updateKeyring(ctx, func(k *keyring) {
		if position, head := k.pinned(m.id); position != nil && *position < m.pin {
			*position, *head = m.state.Position-1, m.state.Head
		}
	}) != nil {
		return
	}
	m.pin = 0
}

func (c *Client) cacheName(id wire.ChainID) string { return "chain/" + id.String() }

func (c *Client) loadCache(ctx context.Context, m *matter) error {
	a, err := c.who()
	if err != nil {
		return err
	}
	plain, err := c.record(ctx, a, c.cacheName(m.id))
	if errors.Is(err, ErrAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	s, err := chain.Unmarshal(plain)
	if err != nil || s.ID != m.id {
		return nil // another build's format: the chain is replayed
	}
	m.state = s
	return nil
}

func (c *Client) saveCache(ctx context.Context, m *matter) error {
	a, err := c.who()
	if err != nil {
		return err
	}
	return c.keep(ctx, a, c.cacheName(m.id), m.state.Marshal())
}

func (c *Client) who() (*account, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account == nil {
		return nil, fail(api.CodeNotSignedIn, "")
	}
	return c.account, nil
}

// coldOpen replays a chain from its first statement, with the newest epoch's keys and the history they open.
func (c *Client) coldOpen(ctx context.Context, m *matter) error {
	author, err := c.author(m.firm)
	if err != nil {
		return err
	}
	newest, reply, err := c.fetchKeys(ctx, m, author, 0)
	if err != nil {
		return c.notSeated(m, err)
	}
	if newest.Rung == chain.RungLink {
		return fail(api.CodeReviewOnly, "")
	}
	raw, err := c.inFirm(ctx, m.firm, Request{Method: methodGet, Path: api.Chain(m.firm, m.id) + "/statements"})
	if err != nil {
		return err
	}
	statements, err := chain.ParseEntries(raw)
	if err != nil {
		return err
	}
	held, err := chain.OpenHistory(m.id, newest, statements)
	if err != nil {
		return err
	}
	entries, err := c.fetchEntries(ctx, m, 0)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return ErrWithheld
	}
	s, err := chain.Start(m.id, entries[0], held)
	if err != nil {
		return err
	}
	link, err := c.pins(m, s)
	if err != nil {
		return err
	}
	m.state = s
	rows := map[uint32]*api.WrapReply{newest.Epoch: reply}
	if err := checkRow(s, author.Member, entries[0], rows); err != nil {
		return err
	}
	if err := c.applyAll(ctx, m, author, entries[1:], rows); err != nil {
		return err
	}
	if s.Unmet() {
		return chain.ErrAnchor
	}
	if link != nil {
		if err := link.CheckPin(s); err != nil {
			return err
		}
	}
	if err := c.checkFounder(ctx, m); err != nil {
		return err
	}
	if s.FirmOf() != m.firm {
		return chain.ErrWrongChain
	}
	return nil
}

// pins holds a fresh state to what the account remembers of the chain, on this device or another.
func (c *Client) pins(m *matter, s *chain.State) (*chain.Link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account == nil {
		return nil, fail(api.CodeNotSignedIn, "")
	}
	if position, head := c.account.ring.pinned(m.id); position != nil && *position > 0 && !head.IsZero() {
		s.Expect(*position, *head)
	}
	seat := c.account.ring.matter(m.id)
	if seat == nil || seat.Link == "" {
		return nil, nil
	}
	link, err := chain.ParseLink(seat.Link)
	if err != nil {
		return nil, err
	}
	link.Pin(s)
	return &link, nil
}

// checkFounder makes staff verify that a matter was opened by a firm seat that may.
func (c *Client) checkFounder(ctx context.Context, m *matter) error {
	c.mu.Lock()
	seat := c.account.ring.firm(m.firm)
	staff := seat != nil && seat.Staff && m.id != m.firm
	matterSeat := c.account.ring.matter(m.id)
	joining := matterSeat != nil && matterSeat.Link != ""
	c.mu.Unlock()
	if !staff {
		return nil
	}
	firm, err := c.matter(ctx, m.firm)
	if err != nil {
		return err
	}
	if !m.state.Charter.Log().Equal(firm.Charter.Log()) {
		return ErrLogKeys
	}
	for _, x := range m.state.Members {
		if !x.Invite.IsZero() {
			continue
		}
		f := firm.Members[x.ID]
		// Who joins now joins a matter of somebody who may open one now. An older matter outlives its founder's seat, but
		// nobody who was only invited, or whose seat is in doubt, ever had the right.
		was := f != nil && (f.State == chain.MemberSeated || (f.State == chain.MemberRemoved && !joining))
		if !was || !samePerson(f, x) || !f.Role.May(chain.RightManage) {
			return chain.ErrRights
		}
	}
	return nil
}

// samePerson is whether two chains know somebody by the same keys, or one by those that led to the other's: he renews them in one
// chain after the other.
func samePerson(a, b *chain.Member) bool {
	return a.Had(wire.Hash(b.Keys.Fingerprint())) || b.Had(wire.Hash(a.Keys.Fingerprint()))
}

// catchUp verifies what is new.
func (c *Client) catchUp(ctx context.Context, m *matter) error {
	author, err := c.author(m.firm)
	if err != nil {
		return err
	}
	var head api.ChainHead
	if err := c.getFirm(ctx, m.firm, api.Chain(m.firm, m.id), &head); err != nil {
		return c.notSeated(m, err)
	}
	switch {
	case head.Chain != m.id:
		return chain.ErrWrongChain
	case head.Position < m.state.Position, head.Epoch < m.state.Epoch:
		return ErrRolledBack
	case head.Position == m.state.Position:
		if head.Head != m.state.Head {
			return chain.ErrOrder
		}
		return nil
	}
	entries, err := c.fetchEntries(ctx, m, m.state.Position)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return ErrWithheld
	}
	if err := c.applyAll(ctx, m, author, entries, map[uint32]*api.WrapReply{}); err != nil {
		return err
	}
	if m.state.Unproved() {
		return chain.ErrErased
	}
	return nil
}

// notSeated turns the server's "not yours" into what it means for this person.
func (c *Client) notSeated(m *matter, err error) error {
	if !hasCode(err, api.CodeNotFound) && !hasCode(err, api.CodeForbidden) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account != nil {
		if seat := c.account.ring.matter(m.id); seat != nil && seat.Link != "" && m.state == nil {
			return fail(api.CodeWaiting, "")
		}
	}
	return fail(api.CodeRemoved, "")
}

const maxPages = 4096

func (c *Client) fetchEntries(ctx context.Context, m *matter, from uint64) ([]chain.Entry, error) {
	var all []chain.Entry
	for range maxPages {
		raw, err := c.inFirm(ctx, m.firm, Request{Method: methodGet, Path: api.Entries(m.firm, m.id, from+uint64(len(all)))})
		if err != nil {
			return nil, err
		}
		page, err := chain.ParseEntries(raw)
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			return all, nil
		}
		all = append(all, page...)
	}
	return nil, ErrUnknownReply
}

// fetchKeys unwraps the keys of an epoch (0: the newest). Where a statement made the wrap, hashes are of all its rows.
func (c *Client) fetchKeys(ctx context.Context, m *matter, author chain.Author, epoch uint32) (*chain.EpochKeys, *api.WrapReply, error) {
	var reply api.WrapReply
	if err := c.getFirm(ctx, m.firm, api.WrapPath(m.firm, m.id, epoch), &reply); err != nil {
		return nil, nil, err
	}
	k, err := chain.Unwrap(m.id, author, reply.Row)
	if err != nil {
		return nil, nil, err
	}
	if epoch != 0 && k.Epoch != epoch {
		return nil, nil, chain.ErrEpoch
	}
	c.epochSecrets(k)
	return k, &reply, nil
}

// applyAll applies entries in order, fetching keys where a statement opens an epoch.
func (c *Client) applyAll(ctx context.Context, m *matter, author chain.Author, entries []chain.Entry, rows map[uint32]*api.WrapReply) error {
	for _, e := range entries {
		effect, err := chain.ParseEffect(e.Effect)
		if err != nil {
			return err
		}
		if effect.Kind == chain.KindStatement {
			// Who came later has the keys of every epoch before: only a statement that he has none for can have ended his seat.
			if _, err := m.state.KeysOf(effect.Epoch); err != nil {
				if m.state.Ended(e, author.Member) {
					c.ended(ctx, m)
					return fail(api.CodeRemoved, "")
				}
				k, reply, err := c.fetchKeys(ctx, m, author, effect.Epoch)
				if err != nil {
					return err
				}
				m.state.AddKeys(k)
				rows[effect.Epoch] = reply
			}
		}
		if err := m.state.Apply(e); err != nil {
			return err
		}
		if effect.Kind == chain.KindStatement {
			m.pin = effect.Position
		}
		if err := checkRow(m.state, author.Member, e, rows); err != nil {
			return err
		}
	}
	return nil
}

// checkRow compares the row that was unwrapped with what the statement just applied signs of its rows. A row that an
// accept or admit made is bound by the commitments alone.
func checkRow(s *chain.State, self wire.ObjectID, e chain.Entry, rows map[uint32]*api.WrapReply) error {
	effect, err := chain.ParseEffect(e.Effect)
	if err != nil || effect.Kind != chain.KindStatement || rows[effect.Epoch] == nil {
		return err
	}
	reply := rows[effect.Epoch]
	wrap, err := chain.ParseWrap(reply.Row)
	if err != nil {
		return chain.ErrWrap
	}
	if wrap.Entry != effect.Entry {
		return nil
	}
	return s.CheckRow(self, reply.Row, reply.Hashes)
}

// ended remembers that this person's seat was ended, by somebody with keys and not by the server.
func (c *Client) ended(ctx context.Context, m *matter) {
	if a, err := c.who(); err == nil {
		_ = c.forget(ctx, a, c.cacheName(m.id)) // best effort: the keys in it open nothing new
	}
	_ = c.updateKeyring(ctx, func(k *keyring) {
		if seat := k.matter(m.id); seat != nil {
			seat.Removed = true
		}
	})
}

// change authors an entry at the newest head, as often as others are faster, and applies it once it is accepted.
func (c *Client) change(ctx context.Context, id wire.ChainID, build func(*chain.State, chain.Author) (chain.Submission, error)) (*chain.State, error) {
	return c.changeTo(ctx, id, nil, build)
}

// changeTo is change for an entry that seals something to people: their newest keys are looked up first.
func (c *Client) changeTo(ctx context.Context, id wire.ChainID, to func(*chain.State) []*chain.Member, build func(*chain.State, chain.Author) (chain.Submission, error)) (*chain.State, error) {
	m, err := c.matterOf(id)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := c.sync(ctx, m); err != nil {
		return nil, err
	}
	if err := c.renew(ctx, m); err != nil {
		return nil, failureOf(err)
	}
	return c.changeHeld(ctx, m, to, build)
}

// changeHeld is changeTo while m.mu is held.
func (c *Client) changeHeld(ctx context.Context, m *matter, to func(*chain.State) []*chain.Member, build func(*chain.State, chain.Author) (chain.Submission, error)) (*chain.State, error) {
	for range 16 {
		if err := c.sync(ctx, m); err != nil {
			return nil, err
		}
		if err := c.sealable(ctx, m, to); err != nil {
			return nil, err
		}
		author, err := c.author(m.firm)
		if err != nil {
			return nil, err
		}
		s := m.state.Clone()
		sub, err := build(s, author)
		if err != nil {
			return nil, failureOf(authoring(s, err))
		}
		err = c.submit(ctx, m, s, sub)
		if err == nil {
			if s.Epoch > m.state.Epoch {
				m.pin = s.Position - 1
			}
			m.state = s
			c.pinEpoch(ctx, m)
			if err := c.saveCache(ctx, m); err != nil {
				return nil, err
			}
			c.event(Event{Event: "matter", Matter: m.id.String()})
			return s.Clone(), nil
		}
		if !hasCode(err, api.CodeMoved) {
			return nil, failureErr(err)
		}
	}
	return nil, fail(api.CodeUnavailable, "")
}

// sealable is whether something may be sealed in a matter now: its head is current, as fresh as the firm's policy says, and
// those it is sealed to have no newer keys. A lie closes the chain.
func (c *Client) sealable(ctx context.Context, m *matter, to func(*chain.State) []*chain.Member) error {
	err := c.current(ctx, m, true)
	if err == nil && to != nil {
		var l *firmLog
		if l, err = c.logOf(ctx, m.firm, m.state.Charter.Log()); err == nil {
			err = c.people(ctx, m.firm, l, to(m.state))
		}
	}
	if err == nil {
		return nil
	}
	err = c.refuse(ctx, "the log of a firm", err)
	if hasCode(err, api.CodeServerLied) {
		m.poison = err
	}
	return err
}

// authoring errors are the person's, not the server's: what his own client derived says that he may not.
func authoring(s *chain.State, err error) error {
	var known *Failure
	switch {
	case errors.As(err, &known): // what was refused on the way is the server's
	case errors.Is(err, chain.ErrRights), errors.Is(err, chain.ErrInvite), errors.Is(err, chain.ErrRecovery):
		return fail(api.CodeNotAllowed, "")
	case errors.Is(err, chain.ErrStale):
		return fail(api.CodeNewKeys, staleNames(s))
	}
	return err
}

// staleNames are those whose new keys nobody renewed a chain's for.
func staleNames(s *chain.State) string {
	var names []string
	for _, m := range s.Stale() {
		names = append(names, m.Name)
	}
	return strings.Join(names, ", ")
}

// errVoid is a change of our own that would change nothing: nobody is told that it was done.
var errVoid = errors.New("an operation would be void")

// submit applies a submission's entry to s and sends it. The server knows an entry by its id, so sending it again where no
// answer came is safe. What does not apply, or would be void in part, is not sent: every member would stop at the one, and be
// told nothing of the other.
func (c *Client) submit(ctx context.Context, m *matter, s *chain.State, sub chain.Submission) error {
	voids := len(s.Voids)
	if err := s.Apply(sub.Entry); err != nil {
		return &Failure{Code: api.CodeInternal, cause: err}
	}
	if len(s.Voids) > voids {
		return &Failure{Code: api.CodeInternal, cause: errVoid}
	}
	l, err := c.logOf(ctx, m.firm, s.Charter.Log())
	if err != nil {
		return err
	}
	since := l.seen()
	r := Request{Method: methodPost, Path: api.Seen(api.Chain(m.firm, m.id)+"/entries", since.Size), ContentType: api.TypeBinary, Body: sub.Bytes()}
	var reply []byte
	err = c.retry(ctx, func() (err error) {
		reply, err = c.inFirm(ctx, m.firm, r)
		return err
	})
	if err != nil {
		return err
	}
	var head api.Appended
	if err := decode(reply, &head); err != nil {
		return err
	}
	if head.Chain != m.id || head.Position < s.Position {
		return c.refuse(ctx, "an accepted change", chain.ErrOrder)
	}
	if err := c.accepted(ctx, m.firm, m.id, l, head, sub.Entry.Leaf, since); err != nil {
		return c.refuse(ctx, "the receipt for a change", err)
	}
	return nil
}

// CreateMatter opens a matter in a firm and is its id.
func (c *Client) CreateMatter(ctx context.Context, firm wire.ChainID, name string) (wire.ChainID, error) {
	if err := c.twoWays(); err != nil {
		return wire.ChainID{}, err
	}
	author, err := c.author(firm)
	if err != nil {
		return wire.ChainID{}, failureOf(err)
	}
	c.mu.Lock()
	person := c.account.ring.Name
	c.mu.Unlock()
	trust, err := c.firmTrust(ctx, firm)
	if err != nil {
		return wire.ChainID{}, err
	}
	charter := chain.Charter{Kind: chain.KindCompartment, Firm: firm, LogOrigin: trust.Origin, LogKeys: trust.Keys, VRFKey: trust.VRFKey, Policy: trust.Policy}
	sub, id, epoch, err := chain.Found(author, charter, strings.TrimSpace(name), person)
	if err != nil {
		return wire.ChainID{}, failureOf(err)
	}
	c.epochSecrets(epoch)
	// Remembered first: a matter that was opened and forgotten would be lost, one that was never opened is only absent.
	seat := matterSeat{Chain: id, Firm: firm, Name: name, Accepted: true}
	if err := c.updateKeyring(ctx, func(k *keyring) {
		if k.matter(id) == nil {
			k.Matters = append(k.Matters, seat)
		}
	}); err != nil {
		return wire.ChainID{}, failureOf(err)
	}
	l, err := c.logOf(ctx, firm, trust)
	if err != nil {
		return wire.ChainID{}, failureOf(err)
	}
	since := l.seen()
	r := Request{Method: methodPost, Path: api.Seen(api.Firm(firm)+"/chains", since.Size), ContentType: api.TypeBinary, Body: sub.Bytes()}
	var reply []byte
	err = c.retry(ctx, func() (err error) {
		reply, err = c.inFirm(ctx, firm, r)
		return err
	})
	if err != nil {
		_ = c.updateKeyring(ctx, func(k *keyring) { k.dropMatter(id) })
		return wire.ChainID{}, failureOf(err)
	}
	// Where the answer is no receipt it stays remembered: it may be there.
	var appended api.Appended
	if err = decode(reply, &appended); err == nil {
		err = c.accepted(ctx, firm, id, l, appended, sub.Entry.Leaf, since)
	}
	if err != nil {
		return wire.ChainID{}, c.refuse(ctx, "the receipt for a new matter", err)
	}
	_, err = c.matter(ctx, id)
	return id, failureErr(err)
}

func (k *keyring) dropMatter(id wire.ChainID) {
	for i := range k.Matters {
		if k.Matters[i].Chain == id {
			k.Matters = append(k.Matters[:i], k.Matters[i+1:]...)
			return
		}
	}
}

// firmTrust opens the firm's own chain, and is what it says of the log: a matter that is opened says the same. Where the firm
// has witnesses, none is opened without them.
func (c *Client) firmTrust(ctx context.Context, firm wire.ChainID) (chain.LogTrust, error) {
	m, err := c.matterOf(firm)
	if err != nil {
		return chain.LogTrust{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := c.sync(ctx, m); err != nil {
		return chain.LogTrust{}, err
	}
	if err := c.renew(ctx, m); err != nil {
		return chain.LogTrust{}, err
	}
	return m.state.Charter.Log(), c.sealable(ctx, m, nil)
}

// RenameMatter renames a matter.
func (c *Client) RenameMatter(ctx context.Context, id wire.ChainID, name string) (*chain.State, error) {
	s, err := c.change(ctx, id, func(s *chain.State, a chain.Author) (chain.Submission, error) {
		return s.Batch(a, []chain.Change{{Kind: chain.OpProfile, Name: strings.TrimSpace(name)}})
	})
	if err != nil {
		return nil, err
	}
	return s, c.updateKeyring(ctx, func(k *keyring) {
		if seat := k.matter(id); seat != nil {
			seat.Name = s.Name
		}
	})
}

// Place renames documents' names or folders, as one entry.
func (c *Client) Place(ctx context.Context, id wire.ChainID, documents []wire.ObjectID, place func(*chain.Document) (name, folder string)) (*chain.State, error) {
	return c.eachDocument(ctx, id, documents, func(d *chain.Document) chain.Change {
		name, folder := place(d)
		return chain.Change{Kind: chain.OpPlace, Document: d.ID, Name: name, Folder: folder}
	})
}

// DeleteDocuments leaves tombstones, as one entry.
func (c *Client) DeleteDocuments(ctx context.Context, id wire.ChainID, documents []wire.ObjectID) (*chain.State, error) {
	return c.eachDocument(ctx, id, documents, func(d *chain.Document) chain.Change {
		return chain.Change{Kind: chain.OpDelete, Document: d.ID}
	})
}

func (c *Client) eachDocument(ctx context.Context, id wire.ChainID, documents []wire.ObjectID, change func(*chain.Document) chain.Change) (s *chain.State, err error) {
	documents = distinct(documents)
	for len(documents) > 0 {
		n := min(len(documents), chain.MaxOps)
		part := documents[:n]
		documents = documents[n:]
		s, err = c.change(ctx, id, func(s *chain.State, a chain.Author) (chain.Submission, error) {
			var changes []chain.Change
			for _, doc := range part {
				d := s.Documents[doc]
				if d == nil || d.Deleted {
					return chain.Submission{}, fail(api.CodeGone, "")
				}
				changes = append(changes, change(d))
			}
			return s.Batch(a, changes)
		})
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// distinct leaves out what was named before: a second deletion of one document would be void.
func distinct(ids []wire.ObjectID) []wire.ObjectID {
	seen := map[wire.ObjectID]bool{}
	var list []wire.ObjectID
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			list = append(list, id)
		}
	}
	return list
}

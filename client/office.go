package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// OfficeView is everybody in a firm and in its matters, for an owner of the firm.
type OfficeView struct {
	Firm   string         `json:"firm"`
	Name   string         `json:"name"`
	People []OfficePerson `json:"people"`
}

// OfficePerson is one of them. Who he is, what he is in and what he says of himself comes from entries that were verified, of the
// chains that this owner is in; Server is the server's word.
type OfficePerson struct {
	Member string        `json:"member"`
	Name   string        `json:"name"`   // empty: he is in no matter of this owner's
	Called []string      `json:"called"` // other names that owners gave him
	Words  []string      `json:"words"`
	IsMe   bool          `json:"isMe"`
	Seats  []OfficeSeat  `json:"seats"`
	Ways   uint8         `json:"ways"` // 0: no chain of this owner's says
	Read   []ReadingView `json:"read"`
	Left   *LeftView     `json:"left"`   // what he left with custodians of the firm; nil is nothing
	Alike  []AlikeView   `json:"alike"`  // others whom a name of his could be read as
	Server *OfficeServer `json:"server"` // nil: the server does not know him
}

// OfficeSeat is a seat in a chain that this owner is in.
type OfficeSeat struct {
	Matter string `json:"matter"`
	Name   string `json:"name"`
	Role   string `json:"role"`
	State  string `json:"state"` // seated, waiting, frozen
}

// OfficeServer is what a server says of somebody. Times are milliseconds; nil is never.
type OfficeServer struct {
	api.Factors
	EnteredAt   *int64 `json:"enteredAt"`
	Sessions    int    `json:"sessions"`
	Failed      int    `json:"failed"`
	LockedUntil *int64 `json:"lockedUntil"`
}

var seatStates = map[chain.MemberState]string{chain.MemberWaiting: "waiting", chain.MemberSeated: "seated", chain.MemberFrozen: "frozen"}

// Office lists everybody in a firm, as an owner of it: first those whose names are known here.
func (c *Client) Office(ctx context.Context, firm wire.ChainID) (OfficeView, error) {
	s, chains, err := c.office(ctx, firm)
	if err != nil {
		return OfficeView{}, err
	}
	var known api.People
	if err := c.getFirm(ctx, firm, api.Firm(firm)+"/people", &known); err != nil {
		return OfficeView{}, c.refuse(ctx, "who is in a firm", err)
	}
	author, err := c.author(firm)
	if err != nil {
		return OfficeView{}, err
	}
	people := map[wire.ObjectID]*OfficePerson{}
	person := func(id wire.ObjectID) *OfficePerson {
		if people[id] == nil {
			people[id] = &OfficePerson{Member: id.String(), Called: []string{}, Words: []string{}, Seats: []OfficeSeat{}, Read: []ReadingView{}, IsMe: id == author.Member}
		}
		return people[id]
	}
	for _, s := range chains {
		for _, m := range s.Members {
			if m.State != chain.MemberRemoved {
				person(m.ID).add(s, m)
			}
		}
	}
	for _, p := range known.People {
		person(p.Member).Server = officeServer(p)
	}
	v := OfficeView{Firm: firm.String(), Name: s.Name, People: []OfficePerson{}}
	for _, p := range people {
		v.People = append(v.People, *p)
	}
	slices.SortFunc(v.People, func(a, b OfficePerson) int {
		return cmp.Or(strings.Compare(a.order(), b.order()), strings.Compare(a.Member, b.Member))
	})
	v.markAlike()
	return v, nil
}

// order is by name, and after all names for who has none here.
func (p OfficePerson) order() string {
	if p.Name == "" {
		return "\uffff"
	}
	return strings.ToLower(p.Name)
}

// office is a firm's own state, where this person owns it, and with it those of all its matters that he is in.
func (c *Client) office(ctx context.Context, firm wire.ChainID) (*chain.State, []*chain.State, error) {
	if err := c.isFirm(firm); err != nil {
		return nil, nil, err
	}
	s, err := c.matter(ctx, firm)
	if err != nil {
		return nil, nil, err
	}
	author, err := c.author(firm)
	if err != nil {
		return nil, nil, err
	}
	if me := s.Members[author.Member]; me == nil || !me.Role.May(chain.RightManage) {
		return nil, nil, fail(api.CodeNotAllowed, "")
	}
	matters, err := c.matterStates(ctx, firm)
	if err != nil {
		return nil, nil, err
	}
	return s, append([]*chain.State{s}, matters...), nil
}

// matterStates are the states of all matters of a firm that this person is in. One that does not open is shown as such among the
// matters, and is left out here.
func (c *Client) matterStates(ctx context.Context, firm wire.ChainID) (states []*chain.State, err error) {
	c.mu.Lock()
	var matters []wire.ChainID
	if c.account == nil {
		c.mu.Unlock()
		return nil, fail(api.CodeNotSignedIn, "")
	}
	for _, seat := range c.account.ring.Matters {
		if seat.Firm == firm && seat.Chain != firm && !seat.Removed && seat.Link == "" {
			matters = append(matters, seat.Chain)
		}
	}
	c.mu.Unlock()
	for _, id := range matters {
		m, err := c.matter(ctx, id)
		if ctx.Err() != nil || hasCode(err, api.CodeOffline) || hasCode(err, api.CodeNotSignedIn) || hasCode(err, api.CodeSessionEnded) {
			return states, err
		}
		if err == nil {
			states = append(states, m)
		}
	}
	return states, nil
}

// add adds what one chain says of somebody. The firm's own comes first.
func (p *OfficePerson) add(s *chain.State, m *chain.Member) {
	p.Seats = append(p.Seats, OfficeSeat{Matter: s.ID.String(), Name: s.Name, Role: m.Role.String(), State: seatStates[m.State]})
	switch {
	case p.Name == "":
		p.Name, p.Words = m.Name, m.Keys.Fingerprint().Words()
	case p.Name != m.Name && !slices.Contains(p.Called, m.Name):
		p.Called = append(p.Called, m.Name)
	}
	if p.Ways == 0 {
		p.Ways = m.Ways
	}
	if left := leftView(s, m); left != nil {
		p.Left = left
	}
	for _, r := range readings(s, m) {
		i := slices.IndexFunc(p.Read, func(x ReadingView) bool { return x.Topic == r.Topic })
		if i < 0 {
			p.Read = append(p.Read, r)
		} else if r.At < p.Read[i].At {
			p.Read[i] = r
		}
	}
}

func officeServer(p api.FirmPerson) *OfficeServer {
	return &OfficeServer{Factors: p.Factors, EnteredAt: millis(p.Entered), Sessions: p.Sessions, Failed: p.Failed, LockedUntil: millis(p.Locked)}
}

// millis is a time in milliseconds; nil for never.
func millis(seconds int64) *int64 {
	if seconds <= 0 {
		return nil
	}
	ms := min(seconds, 1<<40) * 1000
	return &ms
}

// Unlock forgives the failed sign-ins of somebody in a firm, as its owner, for a reason that stands in the record.
func (c *Client) Unlock(ctx context.Context, firm wire.ChainID, member wire.ObjectID, reason string) error {
	return c.officeEntry(ctx, firm, func(s *chain.State, a chain.Author) (chain.Submission, error) {
		return s.Unlock(a, member, strings.TrimSpace(reason))
	})
}

// SignOutMember ends what somebody has open in a firm, as its owner, for a reason that stands in the record. He signs in again
// with what he signs in with.
func (c *Client) SignOutMember(ctx context.Context, firm wire.ChainID, member wire.ObjectID, reason string) error {
	return c.officeEntry(ctx, firm, func(s *chain.State, a chain.Author) (chain.Submission, error) {
		return s.SignOut(a, member, strings.TrimSpace(reason))
	})
}

func (c *Client) officeEntry(ctx context.Context, firm wire.ChainID, build func(*chain.State, chain.Author) (chain.Submission, error)) error {
	if err := c.isFirm(firm); err != nil {
		return err
	}
	_, err := c.change(ctx, firm, build)
	return err
}

// TrainingRecord is who in a firm says that he has read what, and when, as a table: a line for everybody and each topic, also for
// what nobody has read. The chain and the entry say where it stands, so that it can be checked.
func (c *Client) TrainingRecord(ctx context.Context, firm wire.ChainID) ([]byte, error) {
	v, err := c.Office(ctx, firm)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"person", "member", "role", "topic", "read at", "matter", "matter id", "entry"}) // a buffer takes everything
	for _, p := range v.People {
		if len(p.Seats) == 0 {
			continue // of a matter that this owner is not in
		}
		for _, topic := range chain.AllTopics.Names() {
			line := []string{cell(p.Name), p.Member, p.Seats[0].Role, topic, "", "", "", ""}
			for _, r := range p.Read {
				if r.Topic == topic {
					line = append(line[:4], time.UnixMilli(int64(min(r.At, 1<<50))).UTC().Format(time.RFC3339), cell(r.MatterName), r.Matter, strconv.FormatUint(r.Position, 10))
				}
			}
			_ = w.Write(line)
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

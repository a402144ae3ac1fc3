package client

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/underseal/underseal/client/alike"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// AlikeView is somebody whom a name could be read as, and is not: the words tell them apart (attack 5).
type AlikeView struct {
	Member string   `json:"member"` // empty: invited, and not there yet
	Name   string   `json:"name"`
	Role   string   `json:"role"`  // empty: in no chain of one's own
	State  string   `json:"state"` // here, former, invited
	Words  []string `json:"words"`
	IsMe   bool     `json:"isMe"`
}

// someone is one of whom a name is compared with.
type someone struct {
	AlikeView
	id   string // of the member, or of the invite
	look alike.Look
}

// crowd is everybody whom a name in a chain is compared with.
type crowd []someone

// crowdOf is who is in a chain, who was, and who is invited. An invite that is over names nobody any more.
func (c *Client) crowdOf(s *chain.State, self wire.ObjectID) crowd {
	var all crowd
	for _, m := range s.Members {
		v := AlikeView{Member: m.ID.String(), Name: m.Name, Role: m.Role.String(), State: "here", Words: m.Keys.Fingerprint().Words(), IsMe: m.ID == self}
		switch m.State {
		case chain.MemberRemoved:
			v.State = "former"
		case chain.MemberWaiting:
			v.State = "invited"
		}
		all = append(all, someone{v, v.Member, alike.LookOf(m.Name)})
	}
	now := uint64(c.config.Now().Unix())
	for _, i := range s.Invites {
		if i.State == chain.InviteOpen && i.Expires > now {
			all = append(all, someone{AlikeView{Name: i.Person, Role: i.Role.String(), State: "invited", Words: []string{}}, i.ID.String(), alike.LookOf(i.Person)})
		}
	}
	slices.SortFunc(all, func(a, b someone) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.id, b.id))
	})
	return all
}

// like is whom a name could be read as, but for those whose it is.
func (cr crowd) like(name string, but ...string) []AlikeView {
	list, look := []AlikeView{}, alike.LookOf(name)
	for _, x := range cr {
		if !slices.Contains(but, x.id) && look.Like(x.look) {
			list = append(list, x.AlikeView)
		}
	}
	return list
}

// mark says of custodians whom their names could be read as.
func (cr crowd) mark(list []HolderView) []HolderView {
	for i := range list {
		list[i].Alike = cr.like(list[i].Name, list[i].Member)
	}
	return list
}

// NamesLike is whom a name could be read as in a matter, for who is about to invite somebody by it.
func (c *Client) NamesLike(ctx context.Context, id wire.ChainID, name string) ([]AlikeView, error) {
	s, err := c.matter(ctx, id)
	if err != nil {
		return nil, err
	}
	author, err := c.author(s.FirmOf())
	if err != nil {
		return nil, err
	}
	return c.crowdOf(s, author.Member).like(name), nil
}

// markAlike says of everybody in a firm whom his names could be read as.
func (v *OfficeView) markAlike() {
	looks := make([][]alike.Look, len(v.People))
	for i, p := range v.People {
		for _, name := range append([]string{p.Name}, p.Called...) {
			looks[i] = append(looks[i], alike.LookOf(name))
		}
	}
	for i := range v.People {
		v.People[i].Alike = []AlikeView{}
		for j, q := range v.People {
			if i == j || !slices.ContainsFunc(looks[i], func(a alike.Look) bool { return slices.ContainsFunc(looks[j], a.Like) }) {
				continue
			}
			x := AlikeView{Member: q.Member, Name: q.Name, State: "here", Words: q.Words, IsMe: q.IsMe}
			if len(q.Seats) > 0 {
				x.Role = q.Seats[0].Role
			}
			v.People[i].Alike = append(v.People[i].Alike, x)
		}
	}
}

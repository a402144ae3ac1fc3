package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// The JSON of these types is webapp/src/engine.ts; the command line prints the same.

// PersonView is a member.
type PersonView struct {
	Member    string   `json:"member"`
	Name      string   `json:"name"`
	Role      string   `json:"role"`
	Words     []string `json:"words"`
	AddedBy   string   `json:"addedBy"`
	AddedAt   uint64   `json:"addedAt"`
	RemovedAt *uint64  `json:"removedAt"`
	IsMe      bool     `json:"isMe"`
	Frozen    bool     `json:"frozen"`
	// Ways to unlock, and what of the four topics was read when: his own signed word.
	Ways uint8         `json:"ways"`
	Read []ReadingView `json:"read"`
	// Left is what he left with custodians, in a firm's own chain; nil is nothing.
	Left *LeftView `json:"left"`
	// Alike are others whom this name could be read as.
	Alike []AlikeView `json:"alike"`
}

// ReadingView is one topic that somebody says he has read.
type ReadingView struct {
	Topic    string `json:"topic"`
	At       uint64 `json:"at"`       // by his own clock
	Position uint64 `json:"position"` // of the entry that says so first
	// Matter is the chain that the entry is of, and MatterName what it is called.
	Matter     string `json:"matter"`
	MatterName string `json:"matterName"`
}

func readings(s *chain.State, m *chain.Member) []ReadingView {
	list := []ReadingView{}
	for _, one := range m.Read.Each() {
		r, _ := m.ReadAt(one)
		list = append(list, ReadingView{Topic: one.Names()[0], At: r.At, Position: r.Position, Matter: s.ID.String(), MatterName: s.Name})
	}
	return list
}

// InviteView is an invite as members see it.
type InviteView struct {
	ID         string      `json:"id"`
	Person     string      `json:"person"`
	Role       string      `json:"role"`
	Mode       string      `json:"mode"`
	ExpiresAt  int64       `json:"expiresAt"`
	CreatedBy  string      `json:"createdBy"`
	State      string      `json:"state"`
	GuestWords []string    `json:"guestWords"`
	Alike      []AlikeView `json:"alike"` // whom this name could be read as
}

// VersionView is one version.
type VersionView struct {
	Version string `json:"version"`
	Size    uint64 `json:"size"`
	Author  string `json:"author"`
	At      uint64 `json:"at"`
}

// DeletionView says who deleted a document.
type DeletionView struct {
	By string `json:"by"`
	At uint64 `json:"at"`
}

// DocumentView is a document.
type DocumentView struct {
	Document  string        `json:"document"`
	Name      string        `json:"name"`
	Folder    string        `json:"folder"`
	Type      string        `json:"type"`
	Size      uint64        `json:"size"`
	Version   string        `json:"version"`
	Author    string        `json:"author"`
	At        uint64        `json:"at"`
	ChangedBy string        `json:"changedBy"`
	ChangedAt uint64        `json:"changedAt"`
	Versions  []VersionView `json:"versions"`
	Deleted   *DeletionView `json:"deleted"`
}

// MatterView is a matter.
type MatterView struct {
	Matter    string         `json:"matter"`
	Firm      string         `json:"firm"`
	FirmName  string         `json:"firmName"`
	Name      string         `json:"name"`
	MyRole    string         `json:"myRole"`
	Epoch     uint32         `json:"epoch"`
	Documents []DocumentView `json:"documents"`
	People    []PersonView   `json:"people"`
	Invites   []InviteView   `json:"invites"`
	// NewKeys are whose keys are newer than the epoch's: nothing is sealed here until an owner has renewed the matter's.
	NewKeys []NewKeysView `json:"newKeys"`
}

// NewKeysView is somebody who has new keys, and their words.
type NewKeysView struct {
	Member string   `json:"member"`
	Name   string   `json:"name"`
	Words  []string `json:"words"`
	IsMe   bool     `json:"isMe"`
}

// MatterSummary is a matter in a list.
type MatterSummary struct {
	Matter    string `json:"matter"`
	Firm      string `json:"firm"`
	Name      string `json:"name"`
	MyRole    string `json:"myRole"`
	Documents int    `json:"documents"`
	People    int    `json:"people"`
	ChangedAt uint64 `json:"changedAt"`
	State     string `json:"state"` // open, review, waiting, second-way, second-factor, password-old, removed, refused, recovered, offline, unavailable
}

// FirmView is a firm of the account.
type FirmView struct {
	Firm             string `json:"firm"`
	Name             string `json:"name"`
	MayCreateMatters bool   `json:"mayCreateMatters"`
}

// OverviewView is the first screen.
type OverviewView struct {
	Name     string          `json:"name"`
	Firms    []FirmView      `json:"firms"`
	Matters  []MatterSummary `json:"matters"`
	KitSaved bool            `json:"kitSaved"`
	Ways     uint8           `json:"ways"`   // to unlock that this account has
	WayDue   bool            `json:"wayDue"` // something was read or sent, and there is one way only
	Read     []string        `json:"read"`   // topics that this person acknowledged
	Failed   *api.Failed     `json:"failed"` // sign-ins that were tried since the last one; told once
}

// InvitationView is what a link opens to.
type InvitationView struct {
	FirmName     string   `json:"firmName"`
	MatterName   string   `json:"matterName"`
	Inviter      string   `json:"inviter"`
	InviterWords []string `json:"inviterWords"`
	Person       string   `json:"person"`
	Role         string   `json:"role"`
	Mode         string   `json:"mode"`
	ExpiresAt    int64    `json:"expiresAt"`
}

// PasskeyView is a passkey.
type PasskeyView struct {
	ID         string `json:"id"`   // of the credential, base64url
	Name       string `json:"name"` // as its owner called it; empty for the first one
	Unlocks    bool   `json:"unlocks"`
	CreatedAt  int64  `json:"createdAt"`
	LastUsedAt *int64 `json:"lastUsedAt"`
}

// IdentityView is this person in a firm.
type IdentityView struct {
	Firm     string   `json:"firm"`
	FirmName string   `json:"firmName"`
	Words    []string `json:"words"`
}

// FactorView is a password or an app: when it was set, in milliseconds.
type FactorView struct {
	SetAt int64 `json:"setAt"`
}

// AccountView is the account screen.
type AccountView struct {
	Name       string         `json:"name"`
	Account    string         `json:"account"`
	Passkeys   []PasskeyView  `json:"passkeys"`
	Password   *FactorView    `json:"password"` // nil: there is none
	App        *FactorView    `json:"app"`      // the authenticator app
	KitSaved   bool           `json:"kitSaved"`
	Ways       uint8          `json:"ways"`
	Identities []IdentityView `json:"identities"`
	Refusals   []Refusal      `json:"refusals"`
	Renewal    RenewalView    `json:"renewal"` // what is left of it
	RootDue    bool           `json:"rootDue"` // a device was revoked, and the root that it has is still to be replaced
}

// ModeName spells a mode as screens do; ParseMode is its inverse.
func ModeName(m chain.InviteMode) string {
	if m == chain.ModeAfterIConfirm {
		return "after-i-confirm"
	}
	return "opens-at-once"
}

// ParseMode reads a mode.
func ParseMode(s string) (chain.InviteMode, error) {
	switch s {
	case "opens-at-once":
		return chain.ModeOpensAtOnce, nil
	case "after-i-confirm":
		return chain.ModeAfterIConfirm, nil
	}
	return 0, fail(api.CodeBadRequest, "")
}

// View is how an opened invite is shown.
func (i Invitation) View() InvitationView {
	return InvitationView{FirmName: i.FirmName, MatterName: i.ChainName, Inviter: i.Inviter, InviterWords: keys.Fingerprint(i.Link.Inviter).Words(), Person: i.Person,
		Role: i.Role.String(), Mode: ModeName(i.Mode), ExpiresAt: int64(i.Expires) * 1000}
}

// Overview brings every matter up to date and lists them. A matter that is refused is listed as such: the others go on.
func (c *Client) Overview(ctx context.Context) (OverviewView, error) {
	a, err := c.who()
	if err != nil {
		return OverviewView{}, err
	}
	c.mu.Lock()
	ring := a.ring
	ring.Matters, ring.Firms = slices.Clone(a.ring.Matters), slices.Clone(a.ring.Firms)
	c.mu.Unlock()
	view := OverviewView{Name: ring.Name, Firms: []FirmView{}, Matters: []MatterSummary{}}
	for _, f := range ring.Firms {
		view.Firms = append(view.Firms, FirmView{Firm: f.Firm.String(), Name: f.Name, MayCreateMatters: f.Staff})
	}
	for _, seat := range ring.Matters {
		view.Matters = append(view.Matters, c.summary(ctx, seat))
	}
	c.mu.Lock()
	view.KitSaved, view.Ways, view.Read = a.ring.KitSaved, a.ways(), a.ring.Topics.Names()
	view.WayDue = (a.read || a.ring.Read) && view.Ways < 2
	if a.failed != (api.Failed{}) {
		failed := a.failed
		view.Failed, a.failed = &failed, api.Failed{}
	}
	c.mu.Unlock()
	return view, nil
}

func (c *Client) summary(ctx context.Context, seat matterSeat) MatterSummary {
	m := MatterSummary{Matter: seat.Chain.String(), Firm: seat.Firm.String(), Name: seat.Name, State: "open"}
	if seat.Removed {
		m.State = "removed"
		return m
	}
	if seat.Link != "" {
		if err := c.finishJoin(ctx, seat.Chain); err != nil {
			m.State = stateOf(err)
			return m
		}
	}
	s, err := c.matter(ctx, seat.Chain)
	if err != nil {
		m.State, m.MyRole = stateOf(err), seat.Role
		return m
	}
	m.Name, m.ChangedAt, m.People = s.Name, s.ChangedAt, len(s.Seated())
	for _, d := range s.Documents {
		if !d.Deleted {
			m.Documents++
		}
	}
	if a, err := c.author(seat.Firm); err == nil && s.Members[a.Member] != nil {
		m.MyRole = s.Members[a.Member].Role.String()
	}
	return m
}

func stateOf(err error) string {
	switch failureOf(err).Code {
	case api.CodeWaiting:
		return "waiting"
	case api.CodeSecondWay:
		return "second-way"
	case api.CodeRemoved:
		return "removed"
	case api.CodeServerLied:
		return "refused"
	case api.CodeOffline:
		return "offline"
	case api.CodeReviewOnly:
		return "review"
	case api.CodeSecondFactor:
		return "second-factor"
	case api.CodePasswordOld:
		return "password-old"
	case api.CodeRecovered:
		return "recovered"
	}
	return "unavailable"
}

// Matter opens a matter, or brings it up to date, and shows it.
func (c *Client) Matter(ctx context.Context, id wire.ChainID) (MatterView, error) {
	if err := c.joinFirst(ctx, id); err != nil {
		return MatterView{}, err
	}
	s, err := c.matter(ctx, id)
	if err != nil {
		return MatterView{}, err
	}
	return c.Show(s)
}

// Refresh looks for what is new in a matter, and tells with an event when there was something.
func (c *Client) Refresh(ctx context.Context, id wire.ChainID) error {
	m, err := c.matterOf(id)
	if err != nil {
		return err
	}
	m.mu.Lock()
	var before uint64
	if m.state != nil {
		before = m.state.Position
	}
	m.mu.Unlock()
	if err := c.joinFirst(ctx, id); err != nil {
		return err
	}
	s, err := c.matter(ctx, id)
	if err != nil {
		return err
	}
	if s.Position != before {
		c.event(Event{Event: "matter", Matter: id.String()})
	}
	return nil
}

// FinishJoin carries on a join that stopped half-way, such as with CodeSecondWay, once what it wanted is there.
func (c *Client) FinishJoin(ctx context.Context, id wire.ChainID) error { return c.joinFirst(ctx, id) }

// joinFirst carries on a join that was interrupted or waits.
func (c *Client) joinFirst(ctx context.Context, id wire.ChainID) error {
	a, err := c.who()
	if err != nil {
		return err
	}
	c.mu.Lock()
	seat := a.ring.matter(id)
	pending := seat != nil && seat.Link != "" && !seat.Removed
	c.mu.Unlock()
	if pending {
		return c.finishJoin(ctx, id)
	}
	return nil
}

// Show is a state as screens see it.
func (c *Client) Show(s *chain.State) (MatterView, error) {
	author, err := c.author(s.FirmOf())
	if err != nil {
		return MatterView{}, err
	}
	firmName, err := c.firmName(context.Background(), s.ID)
	if err != nil {
		return MatterView{}, err
	}
	v := MatterView{Matter: s.ID.String(), Firm: s.FirmOf().String(), FirmName: firmName, Name: s.Name, Epoch: s.Epoch,
		Documents: []DocumentView{}, People: []PersonView{}, Invites: []InviteView{}, NewKeys: []NewKeysView{}}
	if me := s.Members[author.Member]; me != nil {
		v.MyRole = me.Role.String()
	}
	docs := make([]*chain.Document, 0, len(s.Documents))
	for _, d := range s.Documents {
		docs = append(docs, d)
	}
	chain.SortDocuments(docs)
	for _, d := range docs {
		v.Documents = append(v.Documents, documentView(s, d))
	}
	c.showPeople(&v, s, author.Member)
	for _, m := range s.Stale() {
		v.NewKeys = append(v.NewKeys, NewKeysView{Member: m.ID.String(), Name: m.Name, Words: m.Keys.Fingerprint().Words(), IsMe: m.ID == author.Member})
	}
	return v, nil
}

func nameOf(s *chain.State, id wire.ObjectID) string {
	if m := s.Members[id]; m != nil {
		return m.Name
	}
	return ""
}

func documentView(s *chain.State, d *chain.Document) DocumentView {
	current := d.Current()
	v := DocumentView{Document: d.ID.String(), Name: d.Name, Folder: d.Folder, Type: current.Manifest.MediaType, Size: current.Manifest.Length,
		Version: current.Header.Version.String(), Author: nameOf(s, current.Author), At: current.At, ChangedBy: nameOf(s, d.ChangedBy), ChangedAt: d.ChangedAt}
	for _, x := range slices.Backward(d.Versions) {
		v.Versions = append(v.Versions, VersionView{Version: x.Header.Version.String(), Size: x.Manifest.Length, Author: nameOf(s, x.Author), At: x.At})
	}
	if d.Deleted {
		if v.Name == "" {
			v.Name = "(erased)" // what it was called was forgotten
		}
		v.Deleted = &DeletionView{By: nameOf(s, d.ChangedBy), At: d.ChangedAt}
	}
	return v
}

func (c *Client) showPeople(v *MatterView, s *chain.State, self wire.ObjectID) {
	all := c.crowdOf(s, self)
	for _, m := range s.Members {
		if m.State == chain.MemberWaiting {
			continue // shown with the invite
		}
		p := PersonView{Member: m.ID.String(), Name: m.Name, Role: m.Role.String(), Words: m.Keys.Fingerprint().Words(), AddedBy: nameOf(s, m.AddedBy), AddedAt: m.AddedAt,
			IsMe: m.ID == self, Frozen: m.State == chain.MemberFrozen, Ways: m.Ways, Read: readings(s, m), Left: leftView(s, m), Alike: all.like(m.Name, m.ID.String())}
		if m.State == chain.MemberRemoved {
			at := m.RemovedAt
			p.RemovedAt = &at
		}
		v.People = append(v.People, p)
	}
	slices.SortFunc(v.People, func(a, b PersonView) int {
		if a.AddedAt != b.AddedAt {
			return int(min(1, max(-1, int64(a.AddedAt)-int64(b.AddedAt))))
		}
		return strings.Compare(a.Member, b.Member)
	})
	now := uint64(c.config.Now().Unix())
	names := map[chain.InviteState]string{chain.InviteOpen: "open", chain.InviteWaiting: "waiting", chain.InviteSeated: "seated", chain.InviteCancelled: "cancelled", chain.InviteFrozen: "frozen"}
	for _, i := range s.Invites {
		x := InviteView{ID: i.ID.String(), Person: i.Person, Role: i.Role.String(), Mode: ModeName(i.Mode), ExpiresAt: int64(i.Expires) * 1000, CreatedBy: nameOf(s, i.Inviter),
			State: names[i.State], GuestWords: []string{}, Alike: all.like(i.Person, i.ID.String(), i.Guest.String())}
		if i.State == chain.InviteOpen && i.Expires <= now {
			x.State = "expired"
		}
		if g := s.Members[i.Guest]; g != nil && i.State == chain.InviteWaiting {
			x.GuestWords = g.Keys.Fingerprint().Words()
		}
		v.Invites = append(v.Invites, x)
	}
	slices.SortFunc(v.Invites, func(a, b InviteView) int {
		if a.ExpiresAt != b.ExpiresAt {
			return int(min(1, max(-1, b.ExpiresAt-a.ExpiresAt)))
		}
		return strings.Compare(a.ID, b.ID)
	})
}

// Account is the account screen.
func (c *Client) Account() (AccountView, error) {
	a, err := c.who()
	if err != nil {
		return AccountView{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	v := AccountView{Name: a.ring.Name, Account: a.id.String(), Passkeys: []PasskeyView{}, KitSaved: a.ring.KitSaved, Ways: a.ways(), Identities: []IdentityView{}, Refusals: slices.Clone(c.refusals)}
	if v.Refusals == nil {
		v.Refusals = []Refusal{}
	}
	v.Renewal, v.RootDue = c.renewalView(a, a.ring.Renewing, 0), a.ring.rootDue()
	for _, p := range a.passkeys {
		x := PasskeyView{ID: base64.RawURLEncoding.EncodeToString(p.ID), CreatedAt: p.Created * 1000, Unlocks: unlocks(a.vault, p.ID)}
		if named := a.ring.passkey(p.ID); named != nil {
			x.Name = named.Name
		}
		if p.LastUsed > 0 {
			used := p.LastUsed * 1000
			x.LastUsedAt = &used
		}
		v.Passkeys = append(v.Passkeys, x)
	}
	if a.passwordSet > 0 {
		v.Password = &FactorView{SetAt: a.passwordSet * 1000}
		if note := a.ring.Password; note != nil {
			v.Password.SetAt = note.SetAt // which no server could change
		}
	}
	if a.appSet > 0 {
		v.App = &FactorView{SetAt: a.appSet * 1000}
	}
	for _, f := range a.ring.Firms {
		v.Identities = append(v.Identities, IdentityView{Firm: f.Firm.String(), FirmName: f.Name, Words: keys.Fingerprint(f.Fingerprint).Words()})
	}
	return v, nil
}

// ExportRefusals is the journal as a file to hand to others. It names nobody and no document.
func (c *Client) ExportRefusals() ([]byte, error) {
	return json.MarshalIndent(map[string]any{"format": "underseal refusals 1", "server": c.config.Origin, "refusals": c.Refusals()}, "", "  ")
}

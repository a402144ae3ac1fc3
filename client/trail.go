package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"slices"
	"strconv"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// ActivityDocument is what an entry did to one document.
type ActivityDocument struct {
	Document string `json:"document"`
	Name     string `json:"name"`
	Folder   string `json:"folder"`
	Size     uint64 `json:"size"`
	Kind     string `json:"kind"`
}

// ActivityView is an entry, for people to read.
type ActivityView struct {
	Position  uint64             `json:"position"`
	At        uint64             `json:"at"`
	Person    string             `json:"person"`
	Kind      string             `json:"kind"`
	Subject   string             `json:"subject"`
	Member    string             `json:"member"` // the id of whom an owner let in again or signed out, where he is a guest; else empty
	Role      string             `json:"role"`
	Documents []ActivityDocument `json:"documents"`
	Void      int                `json:"void"`
	Rule      string             `json:"rule"`
	Why       string             `json:"why"`  // what its author gave as a reason
	Ways      int                `json:"ways"` // that he says he has to unlock
	Read      []string           `json:"read"` // topics that he says he has read
}

// ActivityPage is a part of a timeline, newest first.
type ActivityPage struct {
	Items []ActivityView `json:"items"`
	Next  *uint64        `json:"next"` // what to ask for next; nil at the beginning
}

// Activity is what happened in a matter before a position; nil begins with the newest entry. Every entry is held to the head
// that was verified, by the hashes that lead back from it.
func (c *Client) Activity(ctx context.Context, id wire.ChainID, before *uint64, limit int) (ActivityPage, error) {
	m, err := c.matterOf(id)
	if err != nil {
		return ActivityPage{}, err
	}
	var page ActivityPage
	err = c.steady(ctx, m, func() (at place, err error) {
		page, at, err = c.activity(ctx, m, before, limit)
		return at, err
	})
	if err != nil {
		return ActivityPage{}, c.refuseNew(ctx, "the activity of a matter", err)
	}
	c.nameGuests(ctx, m.firm, page.Items)
	return page, nil
}

// nameGuests names those whom a firm's own chain has no name for, its guests, by what they are called in the matters that this
// person is in; who is in none of them stays without. Where there is nobody to name, no matter is opened.
func (c *Client) nameGuests(ctx context.Context, firm wire.ChainID, items []ActivityView) {
	if !slices.ContainsFunc(items, func(v ActivityView) bool { return v.Member != "" }) {
		return
	}
	names := map[string]string{}
	matters, _ := c.matterStates(ctx, firm) // those that open: a name is a help to the reader, and the record is complete without
	for _, s := range matters {
		for _, m := range s.Members {
			if id := m.ID.String(); names[id] == "" {
				names[id] = m.Name
			}
		}
	}
	for i, v := range items {
		if v.Member != "" {
			items[i].Subject = names[v.Member]
		}
	}
}

func (c *Client) activity(ctx context.Context, m *matter, before *uint64, limit int) (page ActivityPage, at place, err error) {
	if limit < 1 || limit > 500 {
		return page, at, fail(api.CodeBadRequest, "")
	}
	s, err := c.matter(ctx, m.id)
	if err != nil {
		return page, at, err
	}
	at = placeOf(s)
	end, hash := s.Position, s.Head
	if before != nil {
		m.mu.Lock()
		anchor, known := m.anchors[*before]
		m.mu.Unlock()
		if !known {
			return page, at, fail(api.CodeBadRequest, "")
		}
		end, hash = *before, anchor
	}
	start := end - min(end, uint64(limit))
	entries, err := c.fetchRange(ctx, m, start, end)
	if err != nil {
		return page, at, err
	}
	page = ActivityPage{Items: []ActivityView{}}
	for i := len(entries) - 1; i >= 0; i-- {
		e, position := entries[i], start+uint64(i)
		if e.Leaf.Hash() != hash {
			return page, at, chain.ErrOrder
		}
		effect, err := chain.ParseEffect(e.Effect)
		if err != nil {
			return page, at, err
		}
		a, err := s.Describe(e, position, effect.Previous)
		if err != nil {
			return page, at, err
		}
		v := activityView(s, position, a)
		if a.Erased {
			if n := len(page.Items); n > 0 {
				v.At = page.Items[n-1].At // when it was is gone with the rest: before the one after it
			}
			v.Rule = s.Forgotten(position).Rule.String()
		}
		page.Items = append(page.Items, v)
		hash = effect.Previous
	}
	if start > 0 {
		m.mu.Lock()
		if m.anchors == nil {
			m.anchors = map[uint64]wire.Hash{}
		}
		m.anchors[start] = hash
		m.mu.Unlock()
		page.Next = &start
	}
	return page, at, nil
}

// fetchRange reads the entries of the state sequence from a position up to another.
func (c *Client) fetchRange(ctx context.Context, m *matter, start, end uint64) ([]chain.Entry, error) {
	var all []chain.Entry
	for uint64(len(all)) < end-start {
		raw, err := c.inFirm(ctx, m.firm, Request{Method: methodGet, Path: api.Entries(m.firm, m.id, start+uint64(len(all)))})
		if err != nil {
			return nil, err
		}
		page, err := chain.ParseEntries(raw)
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			return nil, ErrWithheld
		}
		all = append(all, page...)
	}
	return all[:end-start], nil
}

var opNames = map[chain.OpKind]string{chain.OpAdd: "added", chain.OpPlace: "placed", chain.OpDelete: "deleted", chain.OpProfile: "renamed"}

func activityView(s *chain.State, position uint64, a chain.Activity) ActivityView {
	v := ActivityView{Position: position, At: a.Time, Person: nameOf(s, a.Effect.Actor), Subject: a.Person, Void: a.Voids, Documents: []ActivityDocument{}, Read: a.Read.Names()}
	switch a.Effect.Kind {
	case chain.KindStatement:
		v.Kind = "renewed"
		switch a.Reason {
		case chain.ReasonFounded:
			v.Kind, v.Subject = "founded", s.Name
		case chain.ReasonMemberRemoved:
			v.Kind, v.Subject = "removed", nameOf(s, a.Subject)
		}
	case chain.KindBatch:
		for i, op := range a.Effect.Batch.Ops {
			v.Documents = append(v.Documents, activityDocument(s, op, a.Names[i]))
		}
		v.Kind = v.Documents[0].Kind
		v.Subject = v.Documents[0].Name
	case chain.KindInvite:
		v.Kind, v.Role = "invited", a.Effect.Invite.Role.String()
	case chain.KindCancel:
		v.Kind = "cancelled"
		if i := s.Invites[a.Effect.Cancel.Invite]; i != nil {
			v.Subject = i.Person
		}
	case chain.KindAccept:
		v.Kind = "accepted"
		if i := s.Invites[a.Effect.Accept.Invite]; i != nil {
			v.Role = i.Role.String()
		}
	case chain.KindAdmit:
		v.Kind = "admitted"
	case chain.KindErase:
		v.Kind, v.Rule = "erased", a.Effect.Erase.Rule.String()
	case chain.KindForget:
		v.Kind, v.Rule = "erased", a.Effect.Forget.Rule.String()
	case chain.KindPolicy:
		v.Kind = "policy"
	case chain.KindRenew:
		v.Kind = "new-keys"
	case chain.KindDeclare:
		v.Kind, v.Ways = "declared", int(a.Effect.Declare.Ways)
	case chain.KindUnlock:
		v.Kind, v.Why = "unlocked", a.Why
		v.about(s, a.Effect.Unlock.Member)
	case chain.KindSignOut:
		v.Kind, v.Why = "signed-out", a.Why
		v.about(s, a.Effect.SignOut.Member)
	case chain.KindEscrow:
		v.Kind = "escrowed"
		if a.Effect.Escrow.Policy == 0 {
			v.Kind = "escrow-ended"
		}
	case chain.KindRecover:
		v.Kind, v.Subject, v.Why = "recovery-begun", nameOf(s, a.Effect.Recover.Member), a.Why
	case chain.KindApprove:
		v.Kind, v.Subject = "recovery-agreed", recoveredName(s, a.Effect.Approve.Recovery)
	case chain.KindVeto:
		v.Kind, v.Subject, v.Why = "recovery-stopped", recoveredName(s, a.Effect.Veto.Recovery), a.Why
	}
	return v
}

// about says whom an entry of an owner's is about. A guest goes with his id: his name is not that of anybody in the firm.
func (v *ActivityView) about(s *chain.State, member wire.ObjectID) {
	if v.Subject = nameOf(s, member); v.Subject == "" {
		v.Member = member.String()
	}
}

// recoveredName is whose identity a recovery is about.
func recoveredName(s *chain.State, recovery wire.ObjectID) string {
	if r := s.Recoveries[recovery]; r != nil {
		return nameOf(s, r.Member)
	}
	return ""
}

func activityDocument(s *chain.State, op chain.OpEffect, n chain.ActivityName) ActivityDocument {
	v := ActivityDocument{Name: n.Name, Folder: n.Folder, Size: n.Size, Kind: opNames[op.Kind]}
	d := s.Documents[op.Document]
	if d == nil {
		return v // of the matter itself, or void
	}
	v.Document = op.Document.String()
	if op.Kind == chain.OpAdd && d.Versions[0].Header.Version != op.Version {
		v.Kind = "versioned"
	}
	if op.Kind == chain.OpDelete {
		v.Name, v.Folder = d.Name, d.Folder
	}
	return v
}

// TrailItem is one thing of the trail, or of what the server saw.
type TrailItem struct {
	Sequence   string `json:"sequence"` // trail, server
	Position   uint64 `json:"position"`
	At         uint64 `json:"at"`
	Person     string `json:"person"`
	Member     string `json:"member"`
	Kind       string `json:"kind"`
	Document   string `json:"document"`
	DocumentID string `json:"documentId"`
	Version    string `json:"version"`
	Detail     string `json:"detail"`
	Erased     string `json:"erased"` // the rule; empty for what is there
	Paired     *bool  `json:"paired"` // opened with served; nil where it does not apply
}

// TrailView is a trail, newest first.
type TrailView struct {
	Items []TrailItem `json:"items"`
	More  bool        `json:"more"`
}

type openedRelease struct {
	chain.Release
	leaf wire.Hash
}

type openedEvent struct {
	chain.Event
	leaf     wire.Hash
	position uint64
}

// trailRead is what was read of a matter's trail and server sequence.
type trailRead struct {
	from     uint64 // position of the first release
	releases []openedRelease
	events   []openedEvent
	more     bool
}

// Trail is who opened what, and what the server saw: the newest of each, or all where limit is 0. For auditors.
func (c *Client) Trail(ctx context.Context, id wire.ChainID, limit int) (TrailView, error) {
	m, err := c.matterOf(id)
	if err != nil {
		return TrailView{}, err
	}
	var s *chain.State
	var t *trailRead
	err = c.steady(ctx, m, func() (place, error) {
		if s, err = c.matter(ctx, id); err != nil {
			return place{}, err
		}
		t, err = c.readTrail(ctx, m, s, limit)
		return placeOf(s), err
	})
	if err != nil {
		return TrailView{}, c.refuseNew(ctx, "the trail of a matter", err)
	}
	return TrailView{Items: newestFirst(t.items(s)), More: t.more}, nil
}

func newestFirst(items []TrailItem) []TrailItem {
	slices.SortStableFunc(items, func(a, b TrailItem) int { return cmp.Compare(b.At, a.At) })
	return items
}

// readTrail opens the newest entries of both sequences; all of them where limit is 0.
func (c *Client) readTrail(ctx context.Context, m *matter, s *chain.State, limit int) (*trailRead, error) {
	var head api.ChainHead
	if err := c.getFirm(ctx, m.firm, api.Chain(m.firm, m.id), &head); err != nil {
		return nil, err
	}
	if head.TrailPosition < s.TrailPosition {
		return nil, ErrRolledBack
	}
	t := &trailRead{}
	if limit > 0 {
		t.from = head.TrailPosition - min(head.TrailPosition, uint64(limit))
		t.more = t.from > 0
	}
	if err := c.readReleases(ctx, m, s, t, head); err != nil {
		return nil, err
	}
	return t, c.readEvents(ctx, m, s, t, limit)
}

func (c *Client) readReleases(ctx context.Context, m *matter, s *chain.State, t *trailRead, head api.ChainHead) error {
	var previous wire.Hash
	for position := t.from; position < head.TrailPosition; {
		raw, err := c.inFirm(ctx, m.firm, Request{Method: methodGet, Path: api.Trail(m.firm, m.id, position)})
		if err != nil {
			return err
		}
		entries, err := chain.ParseEntries(raw)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return ErrWithheld
		}
		for _, e := range entries {
			if position == t.from && position > 0 {
				effect, err := chain.ParseEffect(e.Effect)
				if err != nil {
					return err
				}
				previous = effect.Previous // a page in the middle: the whole is verified by VerifyMatter
			}
			r, err := s.OpenRelease(e, position, previous)
			if err != nil {
				return err
			}
			previous = e.Leaf.Hash()
			t.releases = append(t.releases, openedRelease{r, previous})
			position++
			if len(t.releases)%50 == 0 {
				c.event(Event{Event: "trail", Matter: m.id.String(), Done: int64(position - t.from), Total: int64(head.TrailPosition - t.from)})
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Client) readEvents(ctx context.Context, m *matter, s *chain.State, t *trailRead, limit int) error {
	path := api.Events(m.firm, m.id, 0)
	if limit > 0 {
		path = api.LastEvents(m.firm, m.id, limit)
	}
	var previous wire.Hash
	for first := true; ; first = false {
		raw, err := c.inFirm(ctx, m.firm, Request{Method: methodGet, Path: path})
		if err != nil {
			return err
		}
		proofs, entries, err := chain.ParseEvents(raw)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return nil
		}
		for i, e := range entries {
			place, err := chain.ParseEventPlace(e.Effect)
			if err != nil {
				return err
			}
			position := uint64(len(t.events))
			if limit > 0 {
				if first && i == 0 {
					previous, t.more = place.Previous, t.more || place.Position > 0
				}
				position = place.Position
				if n := len(t.events); n > 0 && position != t.events[n-1].position+1 {
					return chain.ErrOrder
				}
			}
			event, err := s.OpenEvent(s.Charter.VRFKey, e, proofs[i], position, previous)
			if err != nil {
				return err
			}
			previous = e.Leaf.Hash()
			t.events = append(t.events, openedEvent{event, previous, position})
		}
		path = api.Events(m.firm, m.id, t.events[len(t.events)-1].position+1)
	}
}

// opening is what a release and the first ciphertext under it have in common.
type opening struct{ member, session, version wire.ObjectID }

// items shows what was read. Under one session a version is served once a release: what there is more of is unpaired.
func (t *trailRead) items(s *chain.State) []TrailItem {
	released, served := map[opening]int{}, map[opening]int{}
	for _, r := range t.releases {
		released[opening{r.Effect.Actor, r.Effect.Release.Session, r.Effect.Release.Version}]++
	}
	for _, e := range t.events {
		if e.Kind == chain.EventServed {
			served[opening{e.Member, e.Session, e.Version}]++
		}
	}
	items := []TrailItem{}
	paired := func(seen map[opening]int, o opening, other int) *bool {
		seen[o]++
		is := seen[o] <= other
		return &is
	}
	seen := map[opening]int{}
	last := uint64(0)
	for i, r := range t.releases {
		o := opening{r.Effect.Actor, r.Effect.Release.Session, r.Effect.Release.Version}
		x := TrailItem{Sequence: "trail", Position: t.from + uint64(i), At: r.Time, Person: nameOf(s, o.member), Member: o.member.String(), Kind: "opened",
			Version: o.version.String(), Paired: paired(seen, o, served[o])}
		if r.Unsigned {
			x.At, x.Kind = last, "unsigned"
		}
		if r.Erased {
			// When it was is gone with the rest: it stands where it stood.
			x.At, x.Erased = last, s.ErasureOf(x.Position).Rule.String()
		}
		last = x.At
		x.document(s, r.Effect.Release.Document)
		items = append(items, x)
	}
	seen = map[opening]int{}
	for _, e := range t.events {
		x := TrailItem{Sequence: "server", Position: e.position, At: e.Time, Person: nameOf(s, e.Member), Member: e.Member.String(), Kind: e.Kind.String(), Detail: e.Detail}
		if e.Kind == chain.EventServed {
			o := opening{e.Member, e.Session, e.Version}
			x.Version, x.Paired = e.Version.String(), paired(seen, o, released[o])
			x.document(s, e.Document)
		}
		items = append(items, x)
	}
	return items
}

func (x *TrailItem) document(s *chain.State, id wire.ObjectID) {
	x.DocumentID = id.String()
	if d := s.Documents[id]; d != nil {
		x.Document = d.Name
	}
}

// TrailCSV is the whole trail as a table, oldest first. It is of what a verification found in the log.
func (c *Client) TrailCSV(ctx context.Context, id wire.ChainID) ([]byte, error) {
	v, _, err := c.verified(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case v.state == nil:
		return nil, fail(api.CodeReviewOnly, "")
	case v.read == nil:
		return nil, fail(api.CodeForbidden, "")
	}
	return trailCSV(v.read.items(v.state))
}

func trailCSV(items []TrailItem) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"time", "sequence", "position", "what", "who", "member", "document", "document id", "version", "detail", "erased", "paired"}) // a buffer takes everything
	for _, x := range slices.Backward(newestFirst(items)) {
		at, pair := "", ""
		if x.At > 0 && x.Erased == "" { // when it was is gone: screens put it where it stood
			at = time.UnixMilli(int64(x.At)).UTC().Format(time.RFC3339)
		}
		if x.Paired != nil {
			pair = strconv.FormatBool(*x.Paired)
		}
		_ = w.Write([]string{at, x.Sequence, strconv.FormatUint(x.Position, 10), x.Kind, cell(x.Person), x.Member, cell(x.Document), x.DocumentID, x.Version, cell(x.Detail), x.Erased, pair})
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// cell keeps a name from being taken for a formula by whoever opens the table.
func cell(s string) string {
	if s != "" && bytes.ContainsAny([]byte(s[:1]), "=+-@\t\r") {
		return "'" + s
	}
	return s
}

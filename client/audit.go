package client

import (
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/underseal/underseal/keys/vrf"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// WitnessView is a witness of a firm's policy.
type WitnessView struct {
	Name string `json:"name"`
	At   *int64 `json:"at"` // when it last vouched for the log; nil: never
}

// LogView is where a firm's log stands, as verified.
type LogView struct {
	Origin    string        `json:"origin"`
	Size      uint64        `json:"size"`
	Root      string        `json:"root"`
	At        int64         `json:"at"`
	Policy    string        `json:"policy"` // none, met, stale
	Witnesses []WitnessView `json:"witnesses"`
	URL       string        `json:"url"`
}

// SequenceView is a sequence that was found complete.
type SequenceView struct {
	Sequence string `json:"sequence"`
	Entries  uint64 `json:"entries"`
	Head     string `json:"head"`
	Erased   uint64 `json:"erased"`
	Complete bool   `json:"complete"`
}

// UnpairedView is a release that was not followed by ciphertext, or ciphertext that no release opened.
type UnpairedView struct {
	Kind     string `json:"kind"` // released, served, unsigned
	At       uint64 `json:"at"`
	Person   string `json:"person"`
	Document string `json:"document"`
	Version  string `json:"version"`
}

// ErasureView is a part of a sequence whose details an owner took away.
type ErasureView struct {
	Sequence string `json:"sequence"`
	From     uint64 `json:"from"`
	To       uint64 `json:"to"`
	Rule     string `json:"rule"`
	By       string `json:"by"`
	At       uint64 `json:"at"`
}

// VerifyView is what a verification found. There is none of a matter in which something is wrong: that is an error.
type VerifyView struct {
	Matter string `json:"matter"`
	Name   string `json:"name"`
	LogView
	Sequences []SequenceView `json:"sequences"`
	Replayed  bool           `json:"replayed"` // what screens show was derived from exactly these entries
	Released  *int           `json:"released"` // auditors alone
	Served    *int           `json:"served"`
	Unpaired  []UnpairedView `json:"unpaired"`
	Erasures  []ErasureView  `json:"erasures"`
	Views     int            `json:"views"` // members whose view of the log was compared with ours
	Took      int64          `json:"took"`  // milliseconds
}

// Steps of a verification, as its progress names them.
const (
	stepState  = "state"
	stepTrail  = "trail"
	stepServer = "server"
)

// verification is one run.
type verification struct {
	c     *Client
	m     *matter
	log   *firmLog
	links log.LinkKeys
	state *chain.State // nil for a reviewer
	place place        // of the matter when it began
	since seenMatter   // what was remembered of the matter when it began
	at    log.Checkpoint
	note  string // of at
	tiles *log.Reader
	read  *trailRead // what audit held to the log; nil for who may not
}

// VerifyMatter proves, against the firm's public log, that nothing is missing from a matter's sequences, that nothing in them
// was changed and that nothing comes after: S-VERIFY-01. It needs link keys and no others.
func (c *Client) VerifyMatter(ctx context.Context, id wire.ChainID) (VerifyView, error) {
	began := c.config.Now()
	_, view, err := c.verified(ctx, id)
	if err != nil {
		return VerifyView{}, err
	}
	view.Took = c.config.Now().Sub(began).Milliseconds()
	return view, nil
}

// verified is VerifyMatter with what it was found by: what is exported is that, and is not read once more.
func (c *Client) verified(ctx context.Context, id wire.ChainID) (*verification, VerifyView, error) {
	m, err := c.matterOf(id)
	if err != nil {
		return nil, VerifyView{}, err
	}
	v, view, err := c.verifySteady(ctx, m, nil)
	if err == nil {
		return v, view, nil
	}
	err = c.refuseNew(ctx, "the record of a matter", err)
	if hasCode(err, api.CodeServerLied) {
		m.mu.Lock()
		m.poison = err
		m.mu.Unlock()
	}
	return nil, VerifyView{}, err
}

// verifySteady is verifyPinned, repeated where somebody else was at work.
func (c *Client) verifySteady(ctx context.Context, m *matter, pin *chain.Link) (v *verification, view VerifyView, err error) {
	err = c.steady(ctx, m, func() (place, error) {
		v = &verification{c: c, m: m}
		view, err = v.verifyPinned(ctx, pin)
		return v.place, err
	})
	return v, view, err
}

// verifyPinned is VerifyMatter that also finds the entry that an invite's link pinned.
func (v *verification) verifyPinned(ctx context.Context, pin *chain.Link) (VerifyView, error) {
	c, m := v.c, v.m
	if err := v.begin(ctx); err != nil {
		return VerifyView{}, err
	}
	view := VerifyView{Matter: m.id.String(), Sequences: []SequenceView{}, Unpaired: []UnpairedView{}, Erasures: []ErasureView{}}
	// The server may accept entries while this runs: what is listed is held to a checkpoint taken after it.
	state, err := v.list(ctx, api.SequenceState)
	if err != nil {
		return view, err
	}
	trail, err := v.list(ctx, api.SequenceTrail)
	if err != nil {
		return view, err
	}
	events, err := v.list(ctx, api.SequenceServer)
	if err != nil {
		return view, err
	}
	if pin != nil && (pin.Position >= uint64(len(state)) || state[pin.Position].leaf.Hash() != pin.Head) {
		return view, chain.ErrAnchor
	}
	if view.LogView, err = v.newest(ctx); err != nil {
		return view, err
	}
	for _, s := range []struct {
		name string
		kind uint16
		list []placed
	}{{stepState, log.TypeState, state}, {stepTrail, log.TypeTrail, trail}} {
		seen, err := v.complete(ctx, s.name, s.kind, s.list)
		if err != nil {
			return view, err
		}
		view.Sequences = append(view.Sequences, seen)
	}
	if err := v.inLog(ctx, stepServer, events); err != nil {
		return view, err
	}
	if err := v.newestEpoch(ctx, state); err != nil {
		return view, err
	}
	if v.state != nil {
		if err := v.replayed(&view, state); err != nil {
			return view, err
		}
		if err := v.audit(ctx, &view, trail, events); err != nil {
			return view, err
		}
	}
	if err := v.remember(ctx, state); err != nil {
		return view, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account == nil {
		return view, fail(api.CodeNotSignedIn, "")
	}
	if seat := c.account.ring.matter(m.id); seat != nil {
		view.Name = seat.Name
	}
	return view, nil
}

// begin gathers what a matter's leaves are read with.
func (v *verification) begin(ctx context.Context) error {
	trust, err := v.open(ctx)
	if err != nil {
		return err
	}
	if v.log, err = v.c.logOf(ctx, v.m.firm, trust); err != nil {
		return err
	}
	v.log.mu.Lock()
	v.since = v.log.kept.Matters[v.m.id]
	v.log.mu.Unlock()
	return v.keys(ctx)
}

// open brings the matter up to date, or finds that the seat is a reviewer's.
func (v *verification) open(ctx context.Context) (chain.LogTrust, error) {
	s, err := v.c.matter(ctx, v.m.id)
	if err == nil {
		v.state, v.place = s, placeOf(s)
		return s.Charter.Log(), nil
	}
	if !hasCode(err, api.CodeReviewOnly) {
		return chain.LogTrust{}, err
	}
	if v.place, err = v.c.reviewed(ctx, v.m); err != nil {
		return chain.LogTrust{}, err
	}
	v.c.mu.Lock()
	defer v.c.mu.Unlock()
	if v.c.account == nil {
		return chain.LogTrust{}, fail(api.CodeNotSignedIn, "")
	}
	if seat := v.c.account.ring.matter(v.m.id); seat != nil && seat.Log != nil {
		return *seat.Log, nil
	}
	return chain.LogTrust{}, ErrLogKeys
}

// keys gathers the link keys of every epoch. What the statements say of their places is held to the keys.
func (v *verification) keys(ctx context.Context) error {
	author, err := v.c.author(v.m.firm)
	if err != nil {
		return err
	}
	newest, _, err := v.c.fetchKeys(ctx, v.m, author, 0)
	if err != nil {
		return v.c.notSeated(v.m, err)
	}
	if v.state != nil && newest.Epoch > v.state.Epoch {
		return errMeanwhile
	}
	if v.state != nil && newest.Epoch < v.state.Epoch {
		return chain.ErrEpoch
	}
	raw, err := v.c.inFirm(ctx, v.m.firm, Request{Method: methodGet, Path: api.Chain(v.m.firm, v.m.id) + "/statements"})
	if err != nil {
		return err
	}
	statements, err := chain.ParseEntries(raw)
	if err != nil {
		return err
	}
	held, err := chain.OpenHistory(v.m.id, newest, statements)
	if err != nil {
		return err
	}
	v.links, err = chain.Links(v.log.trust.Origin, v.m.id, held, statements)
	return err
}

// placed is a leaf and where the server says that it stands in the log.
type placed struct {
	index uint64
	leaf  log.Leaf
}

// list reads a sequence's leaves.
func (v *verification) list(ctx context.Context, sequence string) ([]placed, error) {
	var all []placed
	for range maxPages {
		raw, err := v.c.inFirm(ctx, v.m.firm, Request{Method: methodGet, Path: api.Leaves(v.m.firm, v.m.id, sequence, uint64(len(all)))})
		if err != nil {
			return nil, err
		}
		if len(raw) == 0 {
			return all, nil
		}
		const size = 8 + log.LeafSize
		if len(raw)%size != 0 {
			return nil, ErrUnknownReply
		}
		for ; len(raw) > 0; raw = raw[size:] {
			leaf, err := log.ParseLeaf(raw[8:size])
			if err != nil {
				return nil, err
			}
			all = append(all, placed{binary.BigEndian.Uint64(raw), leaf})
		}
	}
	return nil, ErrUnknownReply
}

// newest takes the log's newest checkpoint, which everything is then held to, and what witnesses say of the log.
func (v *verification) newest(ctx context.Context) (LogView, error) {
	view, note, err := v.c.logView(ctx, v.m.firm, v.log)
	if err != nil {
		return view, err
	}
	if v.at, err = v.log.keys.Open([]byte(note)); err != nil {
		return view, err
	}
	v.note = note
	v.tiles = log.NewReader(tileSource{v.c, v.m.firm}, v.at)
	return view, nil
}

// LogStatus is where a firm's log stands.
func (c *Client) LogStatus(ctx context.Context, firm wire.ChainID) (LogView, error) {
	l, err := c.knownLog(ctx, firm)
	if err != nil {
		return LogView{}, c.refuse(ctx, "the log of a firm", err)
	}
	view, _, err := c.logView(ctx, firm, l)
	if err != nil {
		return view, c.refuse(ctx, "the log of a firm", err)
	}
	return view, nil
}

// knownLog is the log of a firm by whatever chain of it is at hand.
func (c *Client) knownLog(ctx context.Context, firm wire.ChainID) (*firmLog, error) {
	c.mu.Lock()
	if c.account == nil {
		c.mu.Unlock()
		return nil, fail(api.CodeNotSignedIn, "")
	}
	if l := c.logs[firm]; l != nil {
		c.mu.Unlock()
		return l, nil
	}
	var chains []wire.ChainID
	if f := c.account.ring.firm(firm); f != nil && f.Staff {
		chains = append(chains, firm)
	}
	var reviewing *chain.LogTrust
	for _, seat := range c.account.ring.Matters {
		if seat.Firm != firm || seat.Removed || seat.Link != "" {
			continue
		}
		if seat.Log != nil {
			reviewing = seat.Log
		} else {
			chains = append(chains, seat.Chain)
		}
	}
	c.mu.Unlock()
	for _, id := range chains {
		if s, err := c.matter(ctx, id); err == nil {
			return c.logOf(ctx, firm, s.Charter.Log())
		} else if hasCode(err, api.CodeServerLied) {
			return nil, err
		}
	}
	if reviewing != nil {
		return c.logOf(ctx, firm, *reviewing)
	}
	return nil, fail(api.CodeNotHere, "")
}

func (c *Client) logView(ctx context.Context, firm wire.ChainID, l *firmLog) (view LogView, note string, err error) {
	var state api.LogState
	since := l.seen()
	if err := c.getFirm(ctx, firm, api.Log(firm, since.Size), &state); err != nil {
		return view, "", err
	}
	cp, err := c.take(ctx, firm, l, []byte(state.Checkpoint), state.Consistency, since, false)
	if err != nil {
		return view, "", err
	}
	view = LogView{Origin: cp.Origin, Size: cp.Size, Root: cp.Root.String(), At: c.config.Now().UnixMilli(), Policy: "none", Witnesses: []WitnessView{},
		URL: c.config.Origin + "/log/" + api.LogName(cp.Origin)}
	if l.policy == nil {
		return view, state.Checkpoint, nil
	}
	return view, state.Checkpoint, c.witnesses(l, cp, state, &view)
}

// witnesses says who vouched for the log, and when. What they saw must lead to what is shown now.
func (c *Client) witnesses(l *firmLog, newest log.Checkpoint, state api.LogState, view *LogView) error {
	view.Policy = "stale"
	times := map[string]int64{}
	if state.Witnessed != "" {
		cp, err := l.keys.Open([]byte(state.Witnessed))
		if err != nil {
			return err
		}
		if cp.Size > newest.Size || log.CheckConsistency(state.Extends, cp.Size, cp.Root, newest.Size, newest.Root) != nil {
			return ErrFork
		}
		cosignatures, err := l.policy.Cosignatures([]byte(state.Witnessed))
		if err != nil {
			return err
		}
		for _, x := range cosignatures {
			times[x.Witness] = int64(min(x.Time, 1<<40)) * 1000
		}
		at, err := l.witnessedAt([]byte(state.Witnessed))
		if err != nil {
			return err
		}
		if c.fresh(l, at) == nil {
			view.Policy = "met"
		}
	}
	for _, w := range l.policy.Witnesses {
		x := WitnessView{Name: w.Name}
		if at, ok := times[w.Name]; ok {
			x.At = &at
		}
		view.Witnesses = append(view.Witnesses, x)
	}
	return nil
}

// tileSource reads tiles as a member.
type tileSource struct {
	c    *Client
	firm wire.ChainID
}

var _ log.Source = tileSource{}

// Read implements log.Source.
func (t tileSource) Read(ctx context.Context, path string) ([]byte, error) {
	b, err := t.c.inFirm(ctx, t.firm, Request{Method: methodGet, Path: api.Firm(t.firm) + "/log/tiles/" + path})
	if hasCode(err, api.CodeNotFound) {
		return nil, log.ErrNoTile
	}
	return b, err
}

// complete walks a sequence with its link keys, finds each leaf in the log, and proves that the next one is not there.
func (v *verification) complete(ctx context.Context, step string, kind uint16, list []placed) (SequenceView, error) {
	byTag := make(map[wire.Hash]log.Leaf, len(list))
	for _, p := range list {
		byTag[p.leaf.Tag] = p.leaf
	}
	n, head, err := v.links.Walk(kind, func(tag wire.Hash) (log.Leaf, bool) { l, ok := byTag[tag]; return l, ok }, nil)
	if err != nil {
		return SequenceView{}, err
	}
	if n != uint64(len(list)) {
		return SequenceView{}, log.ErrIncomplete
	}
	if err := v.inLog(ctx, step, list); err != nil {
		return SequenceView{}, err
	}
	if err := v.ends(ctx, kind, n); err != nil {
		return SequenceView{}, err
	}
	view := SequenceView{Sequence: step, Entries: n, Complete: true}
	if n > 0 {
		view.Head = head.String()
	}
	return view, nil
}

// newestEpoch proves that the link keys are of the newest epoch. Which one that is says the server, and it could show a matter
// as it was when an epoch was closed: under the keys of that epoch nothing comes after. The last entry says it, and the log
// has its hash. Where the state was derived up to the last entry, its epoch is the state's.
func (v *verification) newestEpoch(ctx context.Context, state []placed) error {
	n := uint64(len(state))
	if n == 0 {
		return log.ErrIncomplete
	}
	if v.state != nil && v.state.Position == n {
		return nil
	}
	entries, err := v.c.fetchRange(ctx, v.m, n-1, n)
	if err != nil {
		return err
	}
	effect, err := chain.ParseEffect(entries[0].Effect)
	if err != nil {
		return err
	}
	if entries[0].Commit() != state[n-1].leaf.Commit || effect.Position != n-1 {
		return chain.ErrLeaf
	}
	if effect.Epoch != v.links.Epochs[len(v.links.Epochs)-1].Epoch {
		return log.ErrIncomplete
	}
	return nil
}

// remember holds a matter that was found whole to what was found before, and keeps it: a reviewer, who derives no state, is
// not shown less than he saw.
func (v *verification) remember(ctx context.Context, state []placed) error {
	n := uint64(len(state))
	found := seenMatter{Entries: n, Head: state[n-1].leaf.Hash(), Epoch: v.links.Epochs[len(v.links.Epochs)-1].Epoch}
	if v.since.Entries > n || v.since.Epoch > found.Epoch || (v.since.Entries > 0 && state[v.since.Entries-1].leaf.Hash() != v.since.Head) {
		return ErrRolledBack
	}
	v.log.mu.Lock()
	defer v.log.mu.Unlock()
	if v.log.kept.Matters[v.m.id].Entries >= n {
		return nil
	}
	v.log.kept.Matters[v.m.id] = found
	return v.c.keepLog(ctx, v.m.firm, v.log)
}

// inLog finds leaves at their indices, by tiles that the checkpoint proves.
func (v *verification) inLog(ctx context.Context, step string, list []placed) error {
	const every = 256
	for i, p := range list {
		if i%every == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			v.progress(step, i, len(list))
		}
		if p.index >= v.at.Size {
			return log.ErrInclusion
		}
		h, err := v.tiles.LeafHash(ctx, p.index)
		if err != nil {
			return err
		}
		if h != p.leaf.Hash() {
			return log.ErrInclusion
		}
	}
	v.progress(step, len(list), len(list))
	return nil
}

func (v *verification) progress(step string, done, total int) {
	v.c.event(Event{Event: "verify", Matter: v.m.id.String(), Step: step, Done: int64(done), Total: int64(total)})
}

// ends proves that a sequence has no further entry.
func (v *verification) ends(ctx context.Context, kind uint16, n uint64) error {
	last := v.links.Epochs[len(v.links.Epochs)-1]
	key, sequence := last.State, api.SequenceState
	if kind == log.TypeTrail {
		key, sequence = last.Trail, api.SequenceTrail
	}
	// More than the next one: an entry that was left out of the middle is followed by others that the log has.
	var ahead []wire.Hash
	for i := range uint64(lookAhead) {
		ahead = append(ahead, log.MapKey(kind, key.Tag(v.links.Chain, kind, n+i)))
	}
	return v.absent(ctx, ahead, sequence, n)
}

// eventsEnd is ends for the server sequence, whose tags only the log's VRF key makes: the server must show the next one.
func (v *verification) eventsEnd(ctx context.Context, n uint64) error {
	var next api.NextEvent
	if err := v.c.getFirm(ctx, v.m.firm, api.Chain(v.m.firm, v.m.id)+"/events/next", &next); err != nil {
		return err
	}
	output, err := vrf.Verify(v.log.trust.VRFKey, chain.EventLabel(v.m.id, n), next.Proof)
	if err != nil || next.Position != n {
		return v.grown(ctx, api.SequenceServer, n, chain.ErrEvent)
	}
	return v.absent(ctx, []wire.Hash{log.MapKey(log.TypeServer, wire.Hash(output[:32]))}, api.SequenceServer, n)
}

// grown tells an entry that was added meanwhile from one that is kept back: the server lists the one.
func (v *verification) grown(ctx context.Context, sequence string, n uint64, otherwise error) error {
	raw, err := v.c.inFirm(ctx, v.m.firm, Request{Method: methodGet, Path: api.Leaves(v.m.firm, v.m.id, sequence, n)})
	if err != nil {
		return err
	}
	if len(raw) > 0 {
		return errMeanwhile
	}
	return otherwise
}

// lookAhead is how many further places of a sequence are looked at behind its end.
const lookAhead = 32

// absent proves that nothing stands at the keys of the map that are a sequence's next places.
func (v *verification) absent(ctx context.Context, keys []wire.Hash, sequence string, n uint64) error {
	var reply api.MapReply
	since := v.log.seen()
	if err := v.c.ask(ctx, v.m.firm, "/log/map", api.MapRequest{Keys: keys, Seen: since.Size}, &reply); err != nil {
		return err
	}
	cp, _, err := v.c.mapRoot(ctx, v.m.firm, v.log, reply.MapRoot, since, false)
	if err != nil {
		return err
	}
	if len(reply.Proofs) != len(keys) {
		return ErrUnknownReply
	}
	if cp.Size < v.at.Size {
		return ErrRolledBack
	}
	for i, key := range keys {
		p, err := log.ParseMapProof(reply.Proofs[i])
		if err != nil {
			return err
		}
		if _, present, err := p.Verify(reply.Root, key); err != nil {
			return err
		} else if present {
			return v.grown(ctx, sequence, n, log.ErrIncomplete)
		}
	}
	return nil
}

// replayed compares what screens show with what was just found in the log.
func (v *verification) replayed(view *VerifyView, state []placed) error {
	s := v.state
	if s.Position > uint64(len(state)) || state[s.Position-1].leaf.Hash() != s.Head {
		return ErrFork
	}
	view.Replayed = s.Position == uint64(len(state))
	for _, x := range s.Erasures {
		seen := &view.Sequences[0]
		if x.Sequence == log.TypeTrail {
			seen = &view.Sequences[1]
		}
		view.Erasures = append(view.Erasures, ErasureView{Sequence: seen.Sequence, From: x.From, To: x.To, Rule: x.Rule.String(), By: nameOf(s, x.By), At: x.At})
		seen.Erased += min(x.To, seen.Entries) - min(x.From, seen.Entries)
	}
	view.Views = v.m.views()
	return nil
}

// audit pairs what was released with what was served, where the seat may.
func (v *verification) audit(ctx context.Context, view *VerifyView, trail, events []placed) error {
	author, err := v.c.author(v.m.firm)
	if err != nil {
		return err
	}
	me := v.state.Members[author.Member]
	if me == nil || !me.Role.May(chain.RightAudit) {
		return nil
	}
	t, err := v.c.readTrail(ctx, v.m, v.state, 0)
	if err != nil {
		return err
	}
	if len(t.releases) < len(trail) || len(t.events) < len(events) {
		return ErrWithheld // the log has their leaves
	}
	// An entry without a leaf accuses nobody.
	if len(t.releases) > len(trail) {
		return v.grown(ctx, api.SequenceTrail, uint64(len(trail)), chain.ErrOrder)
	}
	if len(t.events) > len(events) {
		return v.grown(ctx, api.SequenceServer, uint64(len(events)), chain.ErrEvent)
	}
	if err := v.eventsEnd(ctx, uint64(len(events))); err != nil {
		return err
	}
	released, served := 0, 0
	for _, i := range t.items(v.state) {
		switch i.Kind {
		case "opened":
			released++
		case "served":
			served++
		case "unsigned":
			view.Unpaired = append(view.Unpaired, UnpairedView{Kind: "unsigned", At: i.At, Person: i.Person, Document: i.Document, Version: i.Version})
			continue
		}
		if i.Paired != nil && !*i.Paired {
			kind := map[string]string{"opened": "released", "served": "served"}[i.Kind]
			view.Unpaired = append(view.Unpaired, UnpairedView{Kind: kind, At: i.At, Person: i.Person, Document: i.Document, Version: i.Version})
		}
	}
	view.Released, view.Served = &released, &served
	// What is read is what the log has: each entry's leaf was just found there.
	for p, r := range t.releases {
		if trail[p].leaf.Hash() != r.leaf {
			return ErrFork
		}
	}
	for p, e := range t.events {
		if events[p].leaf.Hash() != e.leaf {
			return ErrFork
		}
	}
	view.Sequences = append(view.Sequences, serverSequence(events))
	v.read = t
	return nil
}

func serverSequence(events []placed) SequenceView {
	view := SequenceView{Sequence: stepServer, Entries: uint64(len(events)), Complete: true}
	if n := len(events); n > 0 {
		view.Head = events[n-1].leaf.Hash().String()
	}
	return view
}

// EraseTrail takes the sealed details of trail entries away that are older than a time, and is how many. Their leaves stay.
func (c *Client) EraseTrail(ctx context.Context, id wire.ChainID, before time.Time) (int, error) {
	m, err := c.matterOf(id)
	if err != nil {
		return 0, err
	}
	erased := 0
	err = c.steady(ctx, m, func() (place, error) {
		s, err := c.matter(ctx, id)
		if err != nil {
			return place{}, err
		}
		t, err := c.readTrail(ctx, m, s, 0)
		if err != nil {
			return placeOf(s), err
		}
		n, err := c.eraseTrail(ctx, id, t, before)
		erased += n
		return placeOf(s), err
	})
	return erased, c.refuseNew(ctx, "the trail of a matter", err)
}

func (c *Client) eraseTrail(ctx context.Context, id wire.ChainID, t *trailRead, before time.Time) (int, error) {
	from := 0
	for from < len(t.releases) && t.releases[from].Erased {
		from++
	}
	to := from
	for to < len(t.releases) && !t.releases[to].Erased && t.releases[to].Time < uint64(before.UnixMilli()) {
		to++
	}
	const most = 4096 // of one entry, as the server takes it
	for at := from; at < to; at += most {
		end := min(to, at+most)
		if _, err := c.change(ctx, id, func(s *chain.State, a chain.Author) (chain.Submission, error) {
			for _, x := range s.Erasures {
				if x.Sequence == log.TypeTrail && x.From < uint64(end) && uint64(at) < x.To {
					return chain.Submission{}, errMeanwhile
				}
			}
			return s.Erase(a, uint64(at), uint64(end), chain.EraseRetention)
		}); err != nil {
			return at - from, err
		}
	}
	return to - from, nil
}

// ForgetDeleted takes away what is left of deleted documents, their names and keys, and is how many entries went. What also
// did something else stays, and so does what was void in part.
func (c *Client) ForgetDeleted(ctx context.Context, id wire.ChainID) (int, error) {
	m, err := c.matterOf(id)
	if err != nil {
		return 0, err
	}
	forgotten := 0
	err = c.steady(ctx, m, func() (place, error) {
		s, err := c.matter(ctx, id)
		if err != nil {
			return place{}, err
		}
		positions, err := c.forgettable(ctx, m, s)
		if err != nil {
			return placeOf(s), err
		}
		for part := range slices.Chunk(positions, chain.MaxForget) {
			if _, err := c.change(ctx, id, func(s *chain.State, a chain.Author) (chain.Submission, error) {
				if slices.ContainsFunc(part, func(p uint64) bool { return s.Forgotten(p) != nil }) {
					return chain.Submission{}, errMeanwhile
				}
				return s.Forget(a, part, chain.EraseRequest)
			}); err != nil {
				return placeOf(s), err
			}
			forgotten += len(part)
		}
		return placeOf(s), nil
	})
	return forgotten, c.refuseNew(ctx, "the history of a matter", err)
}

func (c *Client) forgettable(ctx context.Context, m *matter, s *chain.State) ([]uint64, error) {
	void := map[uint64]bool{}
	for _, v := range s.Voids {
		void[v.Position] = true
	}
	deleted := func(id wire.ObjectID) bool { return s.Documents[id] != nil && s.Documents[id].Deleted }
	var positions []uint64
	entries, err := c.fetchRange(ctx, m, 0, s.Position)
	if err != nil {
		return nil, err
	}
	for i, e := range entries {
		effect, err := chain.ParseEffect(e.Effect)
		if err != nil {
			return nil, err
		}
		if p := uint64(i); e.Erased == nil && !void[p] && effect.Forgettable(deleted) {
			positions = append(positions, p)
		}
	}
	return positions, nil
}

// views is how many members' views of the log were compared with ours since the program started.
func (m *matter) views() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.compared)
}

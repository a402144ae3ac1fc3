package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/directory"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// Freshness is how old a witness's cosignature may be for a head to count as current, and clockSkew how far in the future.
const (
	Freshness = time.Hour
	clockSkew = 5 * time.Minute
)

// Sentinels of the log.
var (
	ErrLogKeys = errors.New("the log's keys are not the ones this device knows")
	ErrFork    = errors.New("the log shows another history than it signed before")
	ErrHidden  = errors.New("an entry that the log took is not in it any more")
	ErrPlace   = fmt.Errorf("the log has an entry in this matter's next place: %w", ErrWithheld)
)

// firmLog is what this device holds a firm's log to. It is kept, sealed, from one visit to the next.
type firmLog struct {
	trust  chain.LogTrust
	keys   *log.Keys
	policy *log.Policy // nil: the firm has no witnesses

	mu     sync.Mutex // guards all below
	kept   logRecord
	disk   log.Checkpoint // as this program last wrote it or found it written
	selfAt time.Time      // when the directory last showed our own keys to be ours
}

// logRecord is the newest checkpoint that was verified, with what it is compared with later.
type logRecord struct {
	Origin   string                       `json:"origin"`
	Keys     []string                     `json:"keys"`
	Size     uint64                       `json:"size"`
	Root     wire.Hash                    `json:"root"`
	Note     string                       `json:"note"`
	Receipts map[wire.ChainID]string      `json:"receipts"` // of the newest entry that this device made in a chain
	People   map[wire.ObjectID]seenPerson `json:"people"`
	Matters  map[wire.ChainID]seenMatter  `json:"matters"`
}

// seenMatter is what of a matter was found whole.
type seenMatter struct {
	Entries uint64
	Head    wire.Hash
	Epoch   uint32
}

// seenPerson is what was seen of a person, and how large the log was then.
type seenPerson struct {
	directory.Seen
	Size uint64
}

func newLogRecord(trust chain.LogTrust) logRecord {
	return logRecord{Origin: trust.Origin, Keys: trust.Keys, Receipts: map[wire.ChainID]string{}, People: map[wire.ObjectID]seenPerson{}, Matters: map[wire.ChainID]seenMatter{}}
}

// logRecord reads what this device remembers of a firm's log.
func (c *Client) logRecord(ctx context.Context, a *account, firm wire.ChainID, trust chain.LogTrust) (logRecord, error) {
	r := newLogRecord(trust)
	plain, err := c.record(ctx, a, logName(firm))
	switch {
	case errors.Is(err, ErrAbsent):
		return r, nil
	case err != nil:
		return r, err
	}
	var kept logRecord
	switch {
	case decode(plain, &kept) != nil:
		return r, &Failure{Code: api.CodeInternal, cause: ErrLogKeys} // sealed by this device and not readable: never begin anew
	case kept.Origin != trust.Origin || !slices.Equal(kept.Keys, trust.Keys):
		return r, ErrLogKeys
	}
	r.Size, r.Root, r.Note = kept.Size, kept.Root, kept.Note
	maps.Copy(r.Receipts, kept.Receipts)
	maps.Copy(r.People, kept.People)
	maps.Copy(r.Matters, kept.Matters)
	return r, nil
}

// lie is an error with what shows others that it is one.
type lie struct {
	error
	evidence *log.Evidence
}

func (l *lie) Unwrap() error { return l.error }

// logOf is the log of a firm, by what a chain's charter says of it. Another chain of the same firm must say the same.
func (c *Client) logOf(ctx context.Context, firm wire.ChainID, trust chain.LogTrust) (*firmLog, error) {
	c.mu.Lock()
	a, known := c.account, c.logs[firm]
	c.mu.Unlock()
	if a == nil {
		return nil, fail(api.CodeNotSignedIn, "")
	}
	if known != nil {
		if !known.trust.Equal(trust) {
			return nil, ErrLogKeys
		}
		return known, nil
	}
	l, err := newFirmLog(trust)
	if err != nil {
		return nil, err
	}
	if l.kept, err = c.logRecord(ctx, a, firm, trust); err != nil {
		return nil, err
	}
	l.disk = l.newest().Checkpoint
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account != a {
		return nil, fail(api.CodeNotSignedIn, "")
	}
	if other := c.logs[firm]; other != nil {
		return other, nil
	}
	c.logs[firm] = l
	if l.kept.Size > 0 {
		c.carry(firm, l.kept.Note)
	}
	return l, nil
}

func logName(firm wire.ChainID) string { return "log/" + firm.String() }

func newFirmLog(trust chain.LogTrust) (*firmLog, error) {
	keys, err := log.ParseKeys(trust.Origin, trust.Keys)
	if err != nil {
		return nil, ErrLogKeys
	}
	l := &firmLog{trust: trust, keys: keys}
	if trust.Policy != "" {
		if l.policy, err = log.ParsePolicy(trust.Policy); err != nil {
			return nil, ErrLogKeys
		}
		if l.policy.QuorumNone() {
			l.policy = nil
		}
	}
	return l, nil
}

// carry puts the newest checkpoint into every entry that is made from now on. c.mu is held.
func (c *Client) carry(firm wire.ChainID, note string) {
	if carried, err := log.Carried([]byte(note)); err == nil {
		c.carried[firm] = carried
	}
}

// take verifies a checkpoint that the server shows, and remembers it when it is newer than the newest so far. since is what
// the request named as seen: the proof is between the two. One that does not extend what was seen, or does not lead to it, is
// a fork: it says so with evidence (attacks 55, 56, 71, 72). One that is older than since hides what came after it: only
// where older says so may the server show it.
func (c *Client) take(ctx context.Context, firm wire.ChainID, l *firmLog, note []byte, consistency []wire.Hash, since seenLog, older bool) (log.Checkpoint, error) {
	cp, err := l.keys.Open(note)
	if err != nil {
		return cp, err
	}
	shown := seenLog{cp, string(note)}
	if cp.Size == 0 || !fits(since.Checkpoint, cp, consistency) {
		return cp, &lie{ErrFork, l.forkEvidence(since, shown, consistency)}
	}
	if !older && cp.Size < since.Size {
		return cp, ErrRolledBack
	}
	for {
		l.mu.Lock()
		newest := l.newest()
		if newest.Size == since.Size {
			defer l.mu.Unlock()
			return cp, c.remember(ctx, firm, l, shown)
		}
		l.mu.Unlock()
		// Another answer was taken since the request: its checkpoint must fit, too.
		if err := c.together(ctx, firm, l, newest, shown); err != nil {
			return cp, err
		}
		since = newest
	}
}

// remember keeps a checkpoint that extends the newest. l.mu is held.
func (c *Client) remember(ctx context.Context, firm wire.ChainID, l *firmLog, shown seenLog) error {
	if shown.Size <= l.kept.Size {
		return nil
	}
	l.kept.Size, l.kept.Root, l.kept.Note = shown.Size, shown.Root, shown.note
	c.mu.Lock()
	c.carry(firm, l.kept.Note)
	c.mu.Unlock()
	return c.keepLog(ctx, firm, l)
}

// fits holds a checkpoint to one that was seen. The proof is between the two, whichever is smaller.
func fits(seen, cp log.Checkpoint, consistency []wire.Hash) bool {
	switch {
	case seen.Size == 0:
		return true
	case cp.Size == seen.Size:
		return cp.Root == seen.Root
	case cp.Size > seen.Size:
		return log.CheckConsistency(consistency, seen.Size, seen.Root, cp.Size, cp.Root) == nil
	}
	return log.CheckConsistency(consistency, cp.Size, cp.Root, seen.Size, seen.Root) == nil
}

// together proves that the larger of two signed checkpoints begins with the smaller, by tiles that the larger one proves. A
// server that cannot show them signed two histories, or hides one.
func (c *Client) together(ctx context.Context, firm wire.ChainID, l *firmLog, promised, shown seenLog) error {
	small, large := promised.Checkpoint, shown.Checkpoint
	if small.Size > large.Size {
		small, large = large, small
	}
	root, err := large.Root, error(nil)
	if small.Size < large.Size {
		root, err = log.NewReader(tileSource{c, firm}, large).RootAt(ctx, small.Size)
	}
	if err != nil && !errors.Is(err, log.ErrTile) && !errors.Is(err, log.ErrNoTile) {
		return err
	}
	if err != nil || root != small.Root {
		return &lie{ErrFork, l.forkEvidence(promised, shown, nil)}
	}
	return nil
}

func (l *firmLog) evidence(kind, what string) *log.Evidence {
	return &log.Evidence{Kind: kind, Origin: l.trust.Origin, Keys: l.trust.Keys, What: what}
}

func (l *firmLog) forkEvidence(promised, shown seenLog, consistency []wire.Hash) *log.Evidence {
	kind := log.EvidenceFork
	if promised.Size == shown.Size {
		kind = log.EvidenceTwoRoots
	}
	e := l.evidence(kind, fmt.Sprintf("The log was signed at %d leaves, and was then shown at %d leaves with another history.", promised.Size, shown.Size))
	e.Promised, e.Shown, e.Consistency = promised.note, shown.note, consistency
	return e
}

// keepLog writes what is remembered of a log. l.mu is held.
func (c *Client) keepLog(ctx context.Context, firm wire.ChainID, l *firmLog) error {
	a, err := c.who()
	if err != nil {
		return err
	}
	if err := c.mergeLog(ctx, a, firm, l); err != nil {
		return err
	}
	plain, err := json.Marshal(l.kept)
	if err != nil {
		return err
	}
	if err := c.keep(ctx, a, logName(firm), plain); err != nil {
		return err
	}
	l.disk = l.newest().Checkpoint
	return nil
}

// mergeLog takes over what another program of this device, such as a second tab, wrote about a log since this one did. What
// it forgot would be forgotten for good, and two programs that are shown two histories would never find out. l.mu is held.
func (c *Client) mergeLog(ctx context.Context, a *account, firm wire.ChainID, l *firmLog) error {
	kept, err := c.logRecord(ctx, a, firm, l.trust)
	if err != nil {
		return err
	}
	ours, theirs := l.newest(), (&firmLog{kept: kept}).newest()
	if theirs.Size > 0 && theirs.Checkpoint != ours.Checkpoint && theirs.Checkpoint != l.disk {
		if err := c.together(ctx, firm, l, theirs, ours); err != nil {
			return err
		}
	}
	if theirs.Size > ours.Size {
		l.kept.Size, l.kept.Root, l.kept.Note = theirs.Size, theirs.Root, theirs.note
		c.mu.Lock()
		c.carry(firm, l.kept.Note)
		c.mu.Unlock()
	}
	for id, receipt := range kept.Receipts {
		if newerReceipt(receipt, l.kept.Receipts[id]) {
			l.kept.Receipts[id] = receipt
		}
	}
	for id, x := range kept.Matters {
		if x.Entries > l.kept.Matters[id].Entries {
			l.kept.Matters[id] = x
		}
	}
	for id, x := range kept.People {
		own := l.kept.People[id]
		if x.Links == own.Links && x.Newest != own.Newest {
			return directory.ErrVanish
		}
		if x.Links > own.Links || (x.Links == own.Links && x.Size > own.Size) {
			l.kept.People[id] = x
		}
	}
	return nil
}

// newerReceipt reports whether a receipt is for a later leaf than another, or the other is none.
func newerReceipt(receipt, than string) bool {
	r, err := log.ParseReceipt([]byte(receipt))
	if err != nil {
		return false
	}
	other, err := log.ParseReceipt([]byte(than))
	return err != nil || r.Index > other.Index
}

// seenLog is a signed checkpoint that was verified; zero where none was.
type seenLog struct {
	log.Checkpoint
	note string
}

// seen is the newest checkpoint that was verified: what a request says that its answer is to extend.
func (l *firmLog) seen() seenLog {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.newest()
}

// newest is seen while l.mu is held.
func (l *firmLog) newest() seenLog {
	return seenLog{log.Checkpoint{Origin: l.kept.Origin, Size: l.kept.Size, Root: l.kept.Root}, l.kept.Note}
}

// accepted verifies the answer to an entry that was sent: it is in the log, or the change did not happen (attack 73). since is
// what the request named as seen.
func (c *Client) accepted(ctx context.Context, firm, id wire.ChainID, l *firmLog, reply api.Appended, leaf log.Leaf, since seenLog) error {
	r, err := log.ParseReceipt([]byte(reply.Receipt))
	if err != nil {
		return err
	}
	if _, err := r.Verify(l.keys, leaf.Hash()); err != nil {
		return err
	}
	// A receipt that names another leaf would be no evidence when it is needed.
	if !bytes.Equal(r.Extra, leaf.Bytes()) {
		return log.ErrReceipt
	}
	if _, err := c.take(ctx, firm, l, r.Checkpoint, reply.Consistency, since, false); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept.Receipts[id] = reply.Receipt
	return c.keepLog(ctx, firm, l)
}

// ask is a question that is posted: asked again it changes nothing.
func (c *Client) ask(ctx context.Context, firm wire.ChainID, path string, in, out any) error {
	return c.retry(ctx, func() error { return c.postFirm(ctx, firm, methodPost, api.Firm(firm)+path, in, out) })
}

// mapRoot verifies under which root of the map a reply proves what it proves, and when witnesses saw it: zero where the firm
// has none. Under an older checkpoint than was seen an absence proves nothing: only what witnesses vouch for may be older.
func (c *Client) mapRoot(ctx context.Context, firm wire.ChainID, l *firmLog, r api.MapRoot, since seenLog, witnessed bool) (cp log.Checkpoint, at time.Time, err error) {
	if cp, err = c.take(ctx, firm, l, []byte(r.Checkpoint), r.Consistency, since, witnessed); err != nil {
		return cp, at, err
	}
	if err := log.CheckInclusion(r.Inclusion, cp.Size-1, cp.Size, cp.Root, log.MapRootLeaf(r.Root).Hash()); err != nil {
		return cp, at, err
	}
	if !witnessed {
		return cp, at, nil
	}
	at, err = l.witnessedAt([]byte(r.Checkpoint))
	return cp, at, err
}

// witnessedAt is when a quorum of the firm's witnesses had seen a checkpoint; zero where none did.
func (l *firmLog) witnessedAt(note []byte) (time.Time, error) {
	cosignatures, err := l.policy.Cosignatures(note)
	if err != nil {
		return time.Time{}, err
	}
	t, ok := l.policy.WitnessedAt(cosignatures)
	if !ok || t > 1<<40 {
		return time.Time{}, nil
	}
	return time.Unix(int64(t), 0), nil
}

// fresh says whether what witnesses saw is recent enough to seal on. Without witnesses freshness is not claimed.
func (c *Client) fresh(l *firmLog, at time.Time) error {
	if l.policy == nil {
		return nil
	}
	if age := c.config.Now().Sub(at); at.IsZero() || age > Freshness || age < -clockSkew {
		return fail(api.CodeNotWitnessed, "")
	}
	return nil
}

// current proves that nothing comes after the newest entry of a chain that was verified: its tag is in the map with its leaf,
// and the next tag is not. m.mu is held. sealing wants it as fresh as the firm's policy says.
func (c *Client) current(ctx context.Context, m *matter, sealing bool) error {
	l, err := c.logOf(ctx, m.firm, m.state.Charter.Log())
	if err != nil {
		return err
	}
	for range 4 {
		before := m.state.Position
		// Under the newest checkpoint first, also where there are witnesses: what they saw may be older than what this device
		// did, and an absence there would hide what came since.
		newer, at, err := c.compareHead(ctx, l, m, false)
		if err == nil && !newer && sealing && l.policy != nil {
			newer, at, err = c.compareHead(ctx, l, m, true)
		}
		if err != nil {
			return err
		}
		if !newer {
			m.currentAt = c.config.Now()
			if sealing {
				return c.fresh(l, at)
			}
			return nil
		}
		if err := c.catchUp(ctx, m); err != nil {
			return err
		}
		if m.state.Position == before {
			return ErrPlace
		}
		if err := c.compareViews(ctx, m); err != nil {
			return err
		}
	}
	return fail(api.CodeUnavailable, "")
}

// compareHead asks the map for the head of a chain and for what comes after it. at is when witnesses saw what the answer
// says: the newest that they saw may be older than the head.
func (c *Client) compareHead(ctx context.Context, l *firmLog, m *matter, witnessed bool) (newer bool, at time.Time, err error) {
	head, next, err := m.state.HeadKeys()
	if err != nil {
		return false, at, err
	}
	since := l.seen()
	req := api.MapRequest{Keys: []wire.Hash{head, next}, Seen: since.Size, Witnessed: witnessed}
	var reply api.MapReply
	if err := c.ask(ctx, m.firm, "/log/map", req, &reply); err != nil {
		return false, at, err
	}
	if _, at, err = c.mapRoot(ctx, m.firm, l, reply.MapRoot, since, witnessed); err != nil {
		return false, at, err
	}
	present, newer, err := l.standsAt(m, reply, head, next)
	switch {
	case err != nil || present || witnessed:
		return newer, at, err
	}
	return false, at, &lie{ErrHidden, l.hiddenEvidence(m, reply)}
}

// standsAt reads the two proofs of compareHead: whether the log has our head, and whether it has an entry after it.
func (l *firmLog) standsAt(m *matter, reply api.MapReply, head, next wire.Hash) (present, newer bool, err error) {
	if len(reply.Proofs) != 2 {
		return false, false, ErrUnknownReply
	}
	var value [2]wire.Hash
	var there [2]bool
	for i, key := range []wire.Hash{head, next} {
		p, err := log.ParseMapProof(reply.Proofs[i])
		if err != nil {
			return false, false, err
		}
		if value[i], there[i], err = p.Verify(reply.Root, key); err != nil {
			return false, false, err
		}
	}
	if there[0] && value[0] != m.state.Head {
		return false, false, &lie{ErrFork, l.hiddenEvidence(m, reply)}
	}
	return there[0], there[1], nil
}

// hiddenEvidence shows others that an entry vanished, where this device has the receipt for it.
func (l *firmLog) hiddenEvidence(m *matter, reply api.MapReply) *log.Evidence {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, err := log.ParseReceipt([]byte(l.kept.Receipts[m.id]))
	if err != nil {
		return nil
	}
	if leaf, err := log.ParseLeaf(r.Extra); err != nil || leaf.Hash() != m.state.Head {
		return nil
	}
	e := l.evidence(log.EvidenceHiddenLeaf, "The log gave a receipt for an entry, and was then shown without it.")
	e.Promised, e.Shown = l.kept.Receipts[m.id], reply.Checkpoint
	e.Map = &log.EvidenceMap{Root: reply.Root, Inclusion: reply.Inclusion, Proof: reply.Proofs[0]}
	return e
}

// compareViews holds the checkpoints that others put into their entries to what this device sees: members whose server shows
// them different logs find out from each other's entries (attacks 3, 71). The newest of each author is enough: his own
// client compared the ones before. What could not be compared, because no answer came, waits for the next time.
func (c *Client) compareViews(ctx context.Context, m *matter) error {
	if m.uncompared == nil {
		m.uncompared, m.compared = map[wire.ObjectID][]byte{}, map[wire.ObjectID]bool{}
	}
	for _, x := range m.state.TakeCarried() {
		m.uncompared[x.Author] = x.Checkpoint
	}
	if len(m.uncompared) == 0 {
		return nil
	}
	l, err := c.logOf(ctx, m.firm, m.state.Charter.Log())
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for author, note := range m.uncompared {
		cp, err := l.keys.OpenCarried(note)
		if err != nil {
			delete(m.uncompared, author)
			continue // not the log's: its author put it there, and it accuses nobody
		}
		if !done[string(note)] {
			if err := c.compareView(ctx, m.firm, l, seenLog{cp, string(note)}); err != nil {
				return err
			}
		}
		done[string(note)], m.compared[author] = true, true
		delete(m.uncompared, author)
	}
	return nil
}

// compareView proves that a member's checkpoint is of the log that this device sees. It is held to the checkpoint that this
// device verified, and to no other: a server with two histories would have a proof for each.
func (c *Client) compareView(ctx context.Context, firm wire.ChainID, l *firmLog, theirs seenLog) error {
	ours := l.seen()
	if ours.Size < theirs.Size {
		var state api.LogState
		if err := c.getFirm(ctx, firm, api.Log(firm, ours.Size), &state); err != nil {
			return err
		}
		if _, err := c.take(ctx, firm, l, []byte(state.Checkpoint), state.Consistency, ours, false); err != nil {
			return err
		}
		if ours = l.seen(); ours.Size < theirs.Size {
			return &lie{ErrFork, l.forkEvidence(theirs, ours, nil)} // an entry is in the log after what its author saw of it
		}
	}
	return c.together(ctx, firm, l, theirs, ours)
}

// accuse adds evidence to a lie that was found in a chain, where the log itself shows one, too. The lie stays what it was.
func (c *Client) accuse(ctx context.Context, m *matter, err error) error {
	var known, found *lie
	if m.state == nil || !hasCode(failureErr(err), api.CodeServerLied) || errors.As(err, &known) {
		return err
	}
	l, logErr := c.logOf(ctx, m.firm, m.state.Charter.Log())
	if logErr != nil {
		return err
	}
	if _, _, logErr = c.logView(ctx, m.firm, l); errors.As(logErr, &found) {
		return &lie{err, found.evidence}
	}
	return err
}

// people verifies the newest public keys of members in the firm's directory, and that they are the ones the chain has: what
// is sealed to somebody is sealed to his newest keys or not at all (attacks 1, 2, 4).
func (c *Client) people(ctx context.Context, firm wire.ChainID, l *firmLog, want []*chain.Member) error {
	for len(want) > 0 {
		part := want[:min(len(want), api.MaxKeyMembers)]
		want = want[len(part):]
		ids := make([]wire.ObjectID, len(part))
		for i, member := range part {
			ids[i] = member.ID
		}
		all, err := c.lookup(ctx, firm, l, ids)
		if err != nil {
			return err
		}
		for i, member := range part {
			if err := newestOf(all[i], member); err != nil {
				return err
			}
		}
	}
	return nil
}

// newestOf is whether a member has the newest keys that the directory has for him.
func newestOf(links []chain.KeyLink, member *chain.Member) error {
	if links[len(links)-1].Bundle.Keys.Equal(member.Keys) {
		return nil
	}
	// Keys that the directory had before are old; others never were his.
	if slices.ContainsFunc(links, func(x chain.KeyLink) bool { return x.Bundle.Keys.Equal(member.Keys) }) {
		return fail(api.CodeNewKeys, member.Name)
	}
	return directory.ErrLookup
}

// lookup is all key links of people, verified, oldest first. It remembers how many each had.
func (c *Client) lookup(ctx context.Context, firm wire.ChainID, l *firmLog, ids []wire.ObjectID) ([][]chain.KeyLink, error) {
	for range 5 {
		if all, err := c.lookupOnce(ctx, firm, l, ids); !errors.Is(err, errMeanwhile) {
			return all, err
		}
	}
	return nil, fail(api.CodeUnavailable, "")
}

func (c *Client) lookupOnce(ctx context.Context, firm wire.ChainID, l *firmLog, ids []wire.ObjectID) ([][]chain.KeyLink, error) {
	var reply api.KeysReply
	since := l.seen()
	req := api.KeysRequest{Members: ids, Seen: since.Size}
	if err := c.ask(ctx, firm, "/keys", req, &reply); err != nil {
		return nil, err
	}
	cp, _, err := c.mapRoot(ctx, firm, l, reply.MapRoot, since, false)
	if err != nil {
		return nil, err
	}
	if len(reply.Lookups) != len(ids) {
		return nil, ErrUnknownReply
	}
	all := make([][]chain.KeyLink, len(ids))
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, id := range ids {
		if all[i], err = reply.Lookups[i].Verify(l.trust.VRFKey, firm, id, reply.Root); err != nil {
			return nil, err
		}
		before := l.kept.People[id]
		if cp.Size < before.Size && uint32(len(all[i])) < before.Links {
			// Another answer overtook this one, and shows more: this one hides nothing, and is too old to seal on. The next
			// is to extend what was seen by now.
			return nil, errMeanwhile
		}
		seen, err := before.Extend(all[i])
		if err != nil {
			return nil, err
		}
		l.kept.People[id] = seenPerson{seen, max(cp.Size, before.Size)}
	}
	return all, c.keepLog(ctx, firm, l)
}

// ownLinks are this person's own key links, oldest first. The newest are keys of his: where they are former ones, the newest
// of all did not come into the directory yet.
func (c *Client) ownLinks(ctx context.Context, firm wire.ChainID, l *firmLog, author chain.Author) ([]chain.KeyLink, error) {
	all, err := c.lookup(ctx, firm, l, []wire.ObjectID{author.Member})
	if err != nil {
		return nil, err
	}
	links := all[0]
	newest := links[len(links)-1].Bundle.Keys
	if newest.Equal(author.Identity.Public()) {
		return links, nil
	}
	was := func(k *keys.PublicKeys) bool {
		return slices.ContainsFunc(author.Former, func(f *keys.Identity) bool { return f.Public().Equal(k) })
	}
	ours := func(x chain.KeyLink) bool { return x.Bundle.Keys.Equal(author.Identity.Public()) }
	if !was(newest) || slices.ContainsFunc(links, ours) {
		return nil, directory.ErrLookup // newer keys of ours that are not ours, or revoked ones that came back
	}
	return links, nil
}

// watchSelf looks this person's own keys up: others are shown what stands there (attacks 1 to 4).
func (c *Client) watchSelf(ctx context.Context, m *matter) error {
	author, err := c.author(m.firm)
	if err != nil {
		return err
	}
	l, err := c.logOf(ctx, m.firm, m.state.Charter.Log())
	if err != nil {
		return err
	}
	now := c.config.Now()
	l.mu.Lock()
	due := l.selfAt.IsZero() || now.Sub(l.selfAt) >= checkEvery || now.Before(l.selfAt)
	l.mu.Unlock()
	if !due {
		return nil
	}
	if _, err := c.ownLinks(ctx, m.firm, l, author); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.selfAt = now
	return nil
}

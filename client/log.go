package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

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
)

// firmLog is what this device holds a firm's log to. It is kept, sealed, from one visit to the next.
type firmLog struct {
	trust  chain.LogTrust
	keys   *log.Keys
	policy *log.Policy // nil: the firm has no witnesses

	mu     sync.Mutex // guards all below
	kept   logRecord
	selfAt time.Time // when the directory last showed our own keys to be ours
}

// logRecord is the newest checkpoint that was verified, with what it is compared with later.
type logRecord struct {
	Origin   string                           `json:"origin"`
	Keys     []string                         `json:"keys"`
	Size     uint64                           `json:"size"`
	Root     wire.Hash                        `json:"root"`
	Note     string                           `json:"note"`
	Receipts map[wire.ChainID]string          `json:"receipts"` // of the newest entry that this device made in a chain
	People   map[wire.ObjectID]directory.Seen `json:"people"`
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
	plain, err := c.record(ctx, a, logName(firm))
	switch {
	case errors.Is(err, ErrAbsent):
	case err != nil:
		return nil, err
	case decode(plain, &l.kept) != nil:
		return nil, &Failure{Code: api.CodeInternal, cause: ErrLogKeys} // sealed by this device and not readable: never begin anew
	case l.kept.Origin != trust.Origin || !slices.Equal(l.kept.Keys, trust.Keys):
		return nil, ErrLogKeys
	}
	l.kept.Origin, l.kept.Keys = trust.Origin, trust.Keys
	if l.kept.Receipts == nil {
		l.kept.Receipts = map[wire.ChainID]string{}
	}
	if l.kept.People == nil {
		l.kept.People = map[wire.ObjectID]directory.Seen{}
	}
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

// take verifies a checkpoint that the server shows, and remembers it when it is newer than the newest so far. One that does
// not extend what was seen, or does not lead to it, is a fork: it says so with evidence (attacks 55, 56, 71, 72).
func (c *Client) take(ctx context.Context, firm wire.ChainID, l *firmLog, note []byte, consistency []wire.Hash) (log.Checkpoint, error) {
	cp, err := l.keys.Open(note)
	if err != nil {
		return cp, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.compare(cp, note, consistency); err != nil {
		return cp, &lie{err, l.forkEvidence(cp, note, consistency)}
	}
	if cp.Size <= l.kept.Size {
		return cp, nil
	}
	l.kept.Size, l.kept.Root, l.kept.Note = cp.Size, cp.Root, string(note)
	c.mu.Lock()
	c.carry(firm, l.kept.Note)
	c.mu.Unlock()
	return cp, c.keepLog(ctx, firm, l)
}

// compare holds a checkpoint to the newest that was seen. The proof is between the two, whichever is smaller.
func (l *firmLog) compare(cp log.Checkpoint, note []byte, consistency []wire.Hash) error {
	seen := l.kept
	switch {
	case seen.Size == 0:
		return nil
	case cp.Size == seen.Size:
		if cp.Root != seen.Root {
			return ErrFork
		}
	case cp.Size > seen.Size:
		if log.CheckConsistency(consistency, seen.Size, seen.Root, cp.Size, cp.Root) != nil {
			return ErrFork
		}
	default:
		if log.CheckConsistency(consistency, cp.Size, cp.Root, seen.Size, seen.Root) != nil {
			return ErrFork
		}
	}
	return nil
}

func (l *firmLog) evidence(kind, what string) *log.Evidence {
	return &log.Evidence{Kind: kind, Origin: l.kept.Origin, Keys: l.kept.Keys, What: what}
}

func (l *firmLog) forkEvidence(cp log.Checkpoint, note []byte, consistency []wire.Hash) *log.Evidence {
	kind := log.EvidenceFork
	if cp.Size == l.kept.Size {
		kind = log.EvidenceTwoRoots
	}
	e := l.evidence(kind, fmt.Sprintf("The log was signed at %d leaves, and was then shown at %d leaves with another history.", l.kept.Size, cp.Size))
	e.Promised, e.Shown, e.Consistency = l.kept.Note, string(note), consistency
	return e
}

// keepLog writes what is remembered of a log. l.mu is held.
func (c *Client) keepLog(ctx context.Context, firm wire.ChainID, l *firmLog) error {
	a, err := c.who()
	if err != nil {
		return err
	}
	plain, err := json.Marshal(l.kept)
	if err != nil {
		return err
	}
	return c.keep(ctx, a, logName(firm), plain)
}

func (l *firmLog) seen() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept.Size
}

// accepted verifies the answer to an entry that was sent: it is in the log, or the change did not happen (attack 73).
func (c *Client) accepted(ctx context.Context, firm, id wire.ChainID, l *firmLog, reply api.Appended, leaf log.Leaf) error {
	r, err := log.ParseReceipt([]byte(reply.Receipt))
	if err != nil {
		return err
	}
	if _, err := r.Verify(l.keys, leaf.Hash()); err != nil {
		return err
	}
	if _, err := c.take(ctx, firm, l, r.Checkpoint, reply.Consistency); err != nil {
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
// has none.
func (c *Client) mapRoot(ctx context.Context, firm wire.ChainID, l *firmLog, r api.MapRoot) (cp log.Checkpoint, at time.Time, err error) {
	if cp, err = c.take(ctx, firm, l, []byte(r.Checkpoint), r.Consistency); err != nil {
		return cp, at, err
	}
	if cp.Size == 0 {
		return cp, at, log.ErrMap
	}
	if err := log.CheckInclusion(r.Inclusion, cp.Size-1, cp.Size, cp.Root, log.MapRootLeaf(r.Root).Hash()); err != nil {
		return cp, at, err
	}
	if l.policy == nil {
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
		head, next, err := m.state.HeadKeys()
		if err != nil {
			return err
		}
		req := api.MapRequest{Keys: []wire.Hash{head, next}, Seen: l.seen(), Witnessed: l.policy != nil}
		var reply api.MapReply
		if err := c.ask(ctx, m.firm, "/log/map", req, &reply); err != nil {
			return err
		}
		_, at, err := c.mapRoot(ctx, m.firm, l, reply.MapRoot)
		if err != nil {
			return err
		}
		newer, err := c.standsAt(l, m, reply, head, next)
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
			return ErrWithheld // the log has an entry that the server does not hand out
		}
	}
	return fail(api.CodeUnavailable, "")
}

// standsAt reads the two proofs of current: newer says that the log has an entry after ours.
func (c *Client) standsAt(l *firmLog, m *matter, reply api.MapReply, head, next wire.Hash) (newer bool, err error) {
	if len(reply.Proofs) != 2 {
		return false, ErrUnknownReply
	}
	var value [2]wire.Hash
	var present [2]bool
	for i, key := range []wire.Hash{head, next} {
		p, err := log.ParseMapProof(reply.Proofs[i])
		if err != nil {
			return false, err
		}
		if value[i], present[i], err = p.Verify(reply.Root, key); err != nil {
			return false, err
		}
	}
	switch {
	case present[0] && value[0] != m.state.Head:
		return false, ErrFork
	case !present[0] && l.policy == nil:
		return false, &lie{ErrHidden, l.hiddenEvidence(m, reply)}
	}
	// Under witnesses the newest checkpoint that they saw may be older than our head.
	return present[1], nil
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
// client compared the ones before.
func (c *Client) compareViews(ctx context.Context, m *matter) error {
	newest := map[wire.ObjectID][]byte{}
	if m.compared == nil {
		m.compared = map[wire.ObjectID]bool{}
	}
	for _, x := range m.state.TakeCarried() {
		newest[x.Author] = x.Checkpoint
	}
	if len(newest) == 0 {
		return nil
	}
	l, err := c.logOf(ctx, m.firm, m.state.Charter.Log())
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for author, note := range newest {
		cp, err := l.keys.OpenCarried(note)
		if err != nil {
			continue // not the log's: its author put it there, and it accuses nobody
		}
		m.compared[author] = true
		if done[string(note)] {
			continue
		}
		done[string(note)] = true
		if err := c.compareView(ctx, m.firm, l, cp, note); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) compareView(ctx context.Context, firm wire.ChainID, l *firmLog, cp log.Checkpoint, note []byte) error {
	var state api.LogState
	if err := c.getFirm(ctx, firm, api.Log(firm, l.seen()), &state); err != nil {
		return err
	}
	newest, err := c.take(ctx, firm, l, []byte(state.Checkpoint), state.Consistency)
	if err != nil {
		return err
	}
	var between api.LogState
	if err := c.getFirm(ctx, firm, api.Log(firm, cp.Size), &between); err != nil {
		return err
	}
	shown, err := l.keys.Open([]byte(between.Checkpoint))
	if err != nil {
		return err
	}
	same := cp.Size == shown.Size && cp.Root == shown.Root
	if same || (cp.Size < shown.Size && log.CheckConsistency(between.Consistency, cp.Size, cp.Root, shown.Size, shown.Root) == nil) {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.evidence(log.EvidenceFork, fmt.Sprintf("A member was shown the log at %d leaves, and this device at %d, with another history.", cp.Size, newest.Size))
	if cp.Size == shown.Size {
		e.Kind = log.EvidenceTwoRoots
	}
	e.Promised, e.Shown, e.Consistency = string(note), between.Checkpoint, between.Consistency
	return &lie{ErrFork, e}
}

// people verifies the newest public keys of members in the firm's directory, and that they are the ones the chain has: what
// is sealed to somebody is sealed to his newest keys or not at all (attacks 1, 2, 4). It remembers how many links each had.
func (c *Client) people(ctx context.Context, firm wire.ChainID, l *firmLog, want map[wire.ObjectID]*chain.Member) error {
	ids := make([]wire.ObjectID, 0, len(want))
	for id := range want {
		ids = append(ids, id)
	}
	for len(ids) > 0 {
		n := min(len(ids), api.MaxKeyMembers)
		if err := c.lookup(ctx, firm, l, ids[:n], want); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

func (c *Client) lookup(ctx context.Context, firm wire.ChainID, l *firmLog, ids []wire.ObjectID, want map[wire.ObjectID]*chain.Member) error {
	var reply api.KeysReply
	req := api.KeysRequest{Members: ids, Seen: l.seen()}
	if err := c.ask(ctx, firm, "/keys", req, &reply); err != nil {
		return err
	}
	if _, _, err := c.mapRoot(ctx, firm, l, reply.MapRoot); err != nil {
		return err
	}
	if len(reply.Lookups) != len(ids) {
		return ErrUnknownReply
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, id := range ids {
		links, err := reply.Lookups[i].Verify(l.trust.VRFKey, firm, id, reply.Root)
		if err != nil {
			return err
		}
		seen, err := l.kept.People[id].Extend(links)
		if err != nil {
			return err
		}
		l.kept.People[id] = seen
		newest := links[len(links)-1].Bundle.Keys
		if member := want[id]; member != nil && !newest.Equal(member.Keys) {
			// Keys that the directory had before are old; others never were his.
			if slices.ContainsFunc(links, func(x directory.Link) bool { return x.Bundle.Keys.Equal(member.Keys) }) {
				return fail(api.CodeNewKeys, member.Name)
			}
			return directory.ErrLookup
		}
	}
	return c.keepLog(ctx, firm, l)
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
	self := &chain.Member{ID: author.Member, Keys: author.Identity.Public()}
	err = c.people(ctx, m.firm, l, map[wire.ObjectID]*chain.Member{author.Member: self})
	if hasCode(err, api.CodeNewKeys) {
		return directory.ErrLookup // newer keys of ours that are not ours
	}
	if err == nil {
		l.mu.Lock()
		l.selfAt = now
		l.mu.Unlock()
	}
	return err
}

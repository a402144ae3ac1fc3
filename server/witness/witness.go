// Package witness carries the newest checkpoint of every log to the witnesses of the firm's policy, and keeps the one that
// they cosigned (c2sp.org/tlog-witness, c2sp.org/tlog-policy).
//
// Make a Pusher and call Step, again and again: one call is one pass over all firms, and nothing of it goes on afterwards.
// A witness that is away, slow or lying costs its own cosignature and no more. What a pass could not get is in its error;
// what was witnessed before stays kept and served.
package witness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
)

// The classes of what goes wrong with a witness. Those with a * ask for a person: they do not pass by themselves.
var (
	// ErrURL refuses* a witness whose address is neither https nor on this machine.
	ErrURL = errors.New("a witness is asked over https, or http on this machine")
	// ErrAway says that a witness did not answer in time.
	ErrAway = errors.New("the witness did not answer")
	// ErrAnswer says that its answer is not one of the protocol.
	ErrAnswer = errors.New("the witness answered against the protocol")
	// ErrUnknown says* that the witness does not know the log, or other keys of it.
	ErrUnknown = errors.New("the witness does not know this log or its keys")
	// ErrFork says* that the witness has seen another history of the log.
	ErrFork = errors.New("the witness has seen another history of this log")
	// ErrAhead says* that the witness has seen more of the log than the store has: the store is an older copy, or the witness lies.
	ErrAhead = errors.New("the witness has seen more of this log than the store has")
	// ErrCosignature refuses* an answer without a good cosignature, or with a bad one.
	ErrCosignature = errors.New("the witness answered with no good cosignature")
	// ErrTime refuses* a cosignature of a time that is far from ours.
	ErrTime = errors.New("the witness has another time than this server")
	// ErrQuorum says that the cosignatures of a pass do not satisfy the policy.
	ErrQuorum = errors.New("too few witnesses cosigned")
)

const (
	// MaxSkew is how far a cosignature's time may be from ours: a witness signs when it is asked.
	MaxSkew = 10 * time.Minute

	defaultTimeout = 10 * time.Second
	maxFirms       = 8   // that are carried at once
	maxLines       = 100 // signature lines that a note may have
)

// Pusher carries checkpoints to witnesses. It is safe for concurrent use; passes wait for each other.
type Pusher struct {
	Store   store.Store
	Log     *ledger.Log
	Client  *http.Client     // nil has the default transport. Redirects are not followed
	Now     func() time.Time // nil is time.Now
	Timeout time.Duration    // of one request; 0 is ten seconds

	mu   sync.Mutex        // held by a pass; guards seen
	seen map[string]uint64 // of each partition the size that was carried last
}

// CheckPolicy refuses a policy that Step could not follow.
func CheckPolicy(text string) error {
	p, err := log.ParsePolicy(text)
	if err != nil {
		return err
	}
	for _, w := range p.Witnesses {
		if _, err := endpoint(w.URL); w.URL != "" && err != nil {
			return fmt.Errorf("witness %s: %w", w.Name, err)
		}
	}
	return nil
}

// endpoint is where checkpoints are added at a witness.
func endpoint(prefix string) (string, error) {
	u, err := url.Parse(prefix)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", ErrURL
	}
	ip := net.ParseIP(u.Hostname())
	loopback := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback) {
		return "", ErrURL
	}
	return u.JoinPath("add-checkpoint").String(), nil
}

// Changed reports whether a log that has witnesses has grown since the last Step.
func (p *Pusher) Changed(ctx context.Context) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := false
	err := p.each(ctx, func(partition string) error {
		w, found, err := p.read(ctx, partition)
		if found && w.Newest.Size != p.seen[partition] {
			changed = true
		}
		return err
	})
	return changed, err
}

// Step is one pass: it carries the newest checkpoint of every firm that has a policy to all of its witnesses at once, and
// keeps it with their cosignatures where these satisfy the policy. It asks again where nothing has grown, so that the
// cosignatures stay fresh. Its error joins what went wrong with each witness, even where the policy was satisfied without.
func (p *Pusher) Step(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil {
		p.seen = map[string]uint64{}
	}
	var (
		running sync.WaitGroup
		mu      sync.Mutex // guards all
		all     []error
		slots   = make(chan struct{}, maxFirms)
	)
	err := p.each(ctx, func(partition string) error {
		w, found, err := p.read(ctx, partition)
		if err != nil || !found {
			return err
		}
		p.seen[partition] = w.Newest.Size
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			err := p.carry(ctx, partition, w)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				all = append(all, fmt.Errorf("%s: %w", w.Origin, err))
			}
		})
		return nil
	})
	running.Wait()
	return errors.Join(append(all, err)...)
}

// each calls fn for every firm's partition. An error of one does not keep the others from their turn.
func (p *Pusher) each(ctx context.Context, fn func(partition string) error) error {
	partitions, err := p.Store.Partitions(ctx)
	if err != nil {
		return err
	}
	var all []error
	for _, partition := range partitions {
		if partition != layout.Accounts {
			all = append(all, fn(partition))
		}
	}
	return errors.Join(all...)
}

func (p *Pusher) read(ctx context.Context, partition string) (w ledger.Witnessing, found bool, err error) {
	err = p.Store.View(ctx, partition, func(tx store.Tx) (err error) {
		w, found, err = ledger.ToWitness(tx)
		return err
	})
	return w, found && err == nil, err
}

func (p *Pusher) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}

// carry carries one log's newest checkpoint to its witnesses.
func (p *Pusher) carry(ctx context.Context, partition string, w ledger.Witnessing) error {
	policy, err := log.ParsePolicy(w.Policy)
	if err != nil {
		return err
	}
	// What a witness has seen is published: an older copy of the store must not go on from less.
	if err := p.Log.Publish(ctx, w.Newest); err != nil {
		return err
	}
	c := &collection{policy: policy, checkpoint: w.Newest.Checkpoint, lines: map[string]line{}}
	c.resume(w.Witnessed, p.now())
	services := servicesOf(policy)
	answers := make(chan answer)
	for _, s := range services {
		go func() {
			lines, err := p.ask(ctx, partition, w.Newest, policy, s)
			answers <- answer{s, lines, err}
		}()
	}
	var all []error
	kept := []byte(nil)
	// Who answers late does not delay what the others made enough.
	keep := func() {
		note, ok := c.note()
		if !ok || string(note) == string(kept) || string(note) == string(w.Witnessed) {
			return
		}
		err := p.Store.Update(ctx, partition, func(tx store.Tx) error { return ledger.PutWitnessed(tx, note) })
		if err != nil {
			all = append(all, err)
			return
		}
		kept = note
	}
	for range services {
		a := <-answers
		if a.err != nil {
			all = append(all, fmt.Errorf("witness %s: %w", a.service.names[0], a.err))
		}
		c.add(a.lines)
		if len(c.fresh) > 0 && kept == nil {
			keep()
		}
	}
	keep()
	if !policy.Satisfied(c.fresh) {
		all = append(all, ErrQuorum)
	}
	return errors.Join(all...)
}

// service is where one or more of a policy's witnesses are asked: one may have a key of each algorithm.
type service struct {
	url   string
	names []string // in the policy
}

type answer struct {
	service service
	lines   []line
	err     error
}

func servicesOf(policy *log.Policy) []service {
	var all []service
	at := map[string]int{}
	for _, w := range policy.Witnesses {
		if w.URL == "" {
			continue
		}
		i, known := at[w.URL]
		if !known {
			i, at[w.URL] = len(all), len(all)
			all = append(all, service{url: w.URL})
		}
		all[i].names = append(all[i].names, w.Name)
	}
	return all
}

// line is a verified cosignature.
type line struct {
	log.Cosignature
	text string // with its newline
}

// collection is a checkpoint with the cosignatures that came in.
type collection struct {
	policy     *log.Policy
	checkpoint []byte
	lines      map[string]line // by the witness's name
	fresh      []string        // whose came in this pass
}

// resume takes what is kept already, where it is under the same checkpoint: a witness that is away now was not away then.
// What claims to be from the future is left behind: it would never grow old.
func (c *collection) resume(witnessed []byte, now time.Time) {
	rest, same := strings.CutPrefix(string(witnessed), string(c.checkpoint))
	if !same {
		return
	}
	lines, err := cosignatures(c.policy, c.checkpoint, rest)
	if err != nil {
		return
	}
	for _, l := range lines {
		if inTime(l, now) != errFuture {
			c.lines[l.Witness] = l
		}
	}
}

// add takes verified lines. Of two of one witness the later stays: a clock that went back does not make older what was fresh.
func (c *collection) add(lines []line) {
	for _, l := range lines {
		c.fresh = append(c.fresh, l.Witness)
		if l.Time > c.lines[l.Witness].Time {
			c.lines[l.Witness] = l
		}
	}
}

// note is the checkpoint with exactly the lines that were verified, in the policy's order, where they satisfy the policy.
func (c *collection) note() ([]byte, bool) {
	note := append([]byte(nil), c.checkpoint...)
	var names []string
	room := maxLines - strings.Count(string(c.checkpoint), "\n— ")
	for _, w := range c.policy.Witnesses {
		if l, ok := c.lines[w.Name]; ok && len(names) < room {
			note, names = append(note, l.text...), append(names, w.Name)
		}
	}
	return note, c.policy.Satisfied(names)
}

// cosignatures verifies the cosignatures of the policy's witnesses among signature lines under a checkpoint. Lines of keys
// that are not the policy's are left out. A bad one of a key that is refuses them all.
func cosignatures(policy *log.Policy, checkpoint []byte, text string) ([]line, error) {
	var all []line
	n := 0
	for l := range strings.Lines(text) {
		if n++; n > maxLines {
			return nil, fmt.Errorf("%w: too many lines", ErrAnswer)
		}
		// Each by itself, so that it is known which line is whose.
		found, err := policy.Cosignatures(append(checkpoint[:len(checkpoint):len(checkpoint)], l...))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCosignature, err)
		}
		for _, cs := range found {
			all = append(all, line{cs, l})
		}
	}
	return all, nil
}

var (
	errFuture = fmt.Errorf("%w: it signed a time that is to come", ErrTime)
	errPast   = fmt.Errorf("%w: it signed a time that is past", ErrTime)
)

// inTime holds a cosignature's time against ours.
func inTime(l line, now time.Time) error {
	switch at := now.Unix(); {
	case l.Time > 1<<62 || int64(l.Time) > at+int64(MaxSkew.Seconds()):
		return errFuture
	case int64(l.Time) < at-int64(MaxSkew.Seconds()):
		return errPast
	}
	return nil
}

package client

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
)

// Event is what a Client tells unasked. Its JSON is webapp/src/engine.ts's Event.
type Event struct {
	Event    string        `json:"event"` // transfer, matter, signed-out, locked, lied, verify, trail
	Transfer *TransferView `json:"transfer,omitempty"`
	Matter   string        `json:"matter,omitempty"`
	Failure  *Failure      `json:"failure"`
	Reason   LockReason    `json:"reason,omitempty"` // of locked
	Promised string        `json:"promised,omitempty"`
	Shown    string        `json:"shown,omitempty"`
	Evidence string        `json:"evidence,omitempty"`
	Step     string        `json:"step,omitempty"` // of a verification, with what is done of it
	Done     int64         `json:"done,omitempty"`
	Total    int64         `json:"total,omitempty"`
}

// Phase is where a transfer stands.
type Phase string

// Phases.
const (
	PhaseQueued     Phase = "queued"
	PhaseSealing    Phase = "sealing" // sealing and sending
	PhaseCommitting Phase = "committing"
	PhaseFetching   Phase = "fetching"
	PhasePaused     Phase = "paused"
	PhaseWaiting    Phase = "waiting" // for the connection, or, with CodeNewKeys, for an owner to renew a matter's keys
	PhaseDone       Phase = "done"
	PhaseCancelled  Phase = "cancelled"
	PhaseFailed     Phase = "failed"
	PhaseNeedsFile  Phase = "needs-file" // after a reload: the person picks the file again
)

// Direction of a transfer.
type Direction string

// Directions.
const (
	Up   Direction = "up"
	Down Direction = "down"
)

// transfer is an upload or a download under way.
type transfer struct {
	id        wire.ObjectID
	direction Direction
	matter    wire.ChainID
	document  wire.ObjectID
	version   wire.ObjectID // of a download
	total     int64

	mu      sync.Mutex // guards all below
	name    string
	folder  string
	phase   Phase
	failure *Failure
	meter   meter
	cancel  context.CancelFunc // of the run; nil when none
	ended   chan struct{}      // closed when the run has ended
	paused  bool
	source  Source
	sink    Sink
	journal *journal
	group   *group
	shown   time.Time // when an event was last sent
}

// TransferView is a transfer as screens see it: webapp/src/engine.ts's Transfer.
type TransferView struct {
	ID             string    `json:"id"`
	Direction      Direction `json:"direction"`
	Matter         string    `json:"matter"`
	Document       *string   `json:"document"`
	Name           string    `json:"name"`
	Folder         string    `json:"folder"`
	Phase          Phase     `json:"phase"`
	Done           int64     `json:"done"`
	Total          int64     `json:"total"`
	BytesPerSecond float64   `json:"bytesPerSecond"`
	SecondsLeft    *float64  `json:"secondsLeft"`
	Failure        *Failure  `json:"failure"`
}

// meter measures speed over the last seconds.
type meter struct {
	done    int64
	samples []sample
}

type sample struct {
	at   time.Time
	done int64
}

const meterWindow = 8 * time.Second

func (m *meter) add(now time.Time, bytes int64) {
	m.done += bytes
	m.samples = append(m.samples, sample{now, m.done})
	for len(m.samples) > 2 && now.Sub(m.samples[0].at) > meterWindow {
		m.samples = m.samples[1:]
	}
}

func (m *meter) restart(done int64) { m.done, m.samples = done, nil }

func (m *meter) speed() float64 {
	if len(m.samples) < 2 {
		return 0
	}
	first, last := m.samples[0], m.samples[len(m.samples)-1]
	seconds := last.at.Sub(first.at).Seconds()
	if seconds <= 0 {
		return 0
	}
	return float64(last.done-first.done) / seconds
}

func (t *transfer) view() TransferView {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := TransferView{ID: t.id.String(), Direction: t.direction, Matter: t.matter.String(), Name: t.name, Folder: t.folder, Phase: t.phase,
		Done: min(t.meter.done, t.total), Total: t.total, BytesPerSecond: t.meter.speed(), Failure: t.failure}
	if !t.document.IsZero() {
		id := t.document.String()
		v.Document = &id
	}
	if v.BytesPerSecond > 0 && v.Done < v.Total {
		left := float64(v.Total-v.Done) / v.BytesPerSecond
		v.SecondsLeft = &left
	}
	return v
}

const eventEvery = 200 * time.Millisecond

// show tells the screens, not more often than they can paint unless the phase changed.
func (c *Client) show(t *transfer, always bool) {
	now := c.config.Now()
	t.mu.Lock()
	due := always || now.Sub(t.shown) >= eventEvery
	if due {
		t.shown = now
	}
	t.mu.Unlock()
	if due {
		v := t.view()
		c.event(Event{Event: "transfer", Transfer: &v})
	}
}

func (c *Client) phase(t *transfer, p Phase, f *Failure) {
	t.mu.Lock()
	t.phase, t.failure = p, f
	t.mu.Unlock()
	if p == PhaseDone {
		c.hasRead()
	}
	c.show(t, true)
}

func (c *Client) progress(t *transfer, bytes int64) {
	t.mu.Lock()
	t.meter.add(c.config.Now(), bytes)
	resumed := t.phase == PhaseWaiting
	if resumed {
		t.phase = PhaseSealing
		if t.direction == Down {
			t.phase = PhaseFetching
		}
	}
	t.mu.Unlock()
	c.show(t, resumed)
}

func (c *Client) addTransfer(t *transfer) {
	c.mu.Lock()
	c.transfers[t.id] = t
	c.order = append(c.order, t.id)
	c.mu.Unlock()
	c.show(t, true)
}

func (c *Client) transferOf(id wire.ObjectID) (*transfer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.transfers[id]; t != nil {
		return t, nil
	}
	return nil, fail(api.CodeNotHere, "")
}

// Transfers lists transfers, oldest first.
func (c *Client) Transfers() []TransferView {
	c.mu.Lock()
	list := make([]*transfer, 0, len(c.order))
	for _, id := range c.order {
		list = append(list, c.transfers[id])
	}
	c.mu.Unlock()
	views := make([]TransferView, len(list))
	for i, t := range list {
		views[i] = t.view()
	}
	return views
}

// errPaused ends a run without ending its transfer.
var errPaused = errors.New("paused")

// start runs a transfer beside the calls, when one of the slots is free.
func (c *Client) start(t *transfer, run func(ctx context.Context) error) {
	c.mu.Lock()
	parent, slots := c.ctx, c.slots
	c.mu.Unlock()
	ctx, cancel := context.WithCancel(parent)
	ended := make(chan struct{})
	t.mu.Lock()
	t.cancel, t.ended, t.paused, t.phase, t.failure = cancel, ended, false, PhaseQueued, nil
	t.mu.Unlock()
	c.show(t, true)
	go func() {
		defer close(ended)
		defer cancel()
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			c.finish(t, ctx.Err())
			return
		}
		err := run(ctx)
		<-slots
		c.finish(t, err)
	}()
}

func (c *Client) finish(t *transfer, err error) {
	t.mu.Lock()
	paused := t.paused
	t.cancel = nil
	t.mu.Unlock()
	if err != nil && t.direction == Up {
		c.mu.Lock()
		ctx := c.ctx
		c.mu.Unlock()
		defer c.leave(ctx, t) // the rest of the drop does not wait for it
	}
	switch {
	case err == nil:
		// run has set the phase
	case paused:
		c.phase(t, PhasePaused, nil)
	case errors.Is(err, context.Canceled):
		c.phase(t, PhaseCancelled, nil)
	default:
		c.phase(t, PhaseFailed, failureOf(err))
	}
}

// online repeats run for as long as the connection is lost.
func (c *Client) online(ctx context.Context, t *transfer, run func(ctx context.Context) error) error {
	delay := time.Second
	for {
		before := t.bytes()
		err := run(ctx)
		if !hasCode(err, api.CodeOffline) && !hasCode(err, api.CodeUnavailable) {
			return err
		}
		if t.bytes() > before {
			delay = time.Second
		}
		c.phase(t, PhaseWaiting, failureOf(err))
		if err := c.wait(ctx, delay); err != nil {
			return err
		}
		delay = min(delay*2, 15*time.Second)
	}
}

func (t *transfer) bytes() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.meter.done
}

// PauseTransfer stops a transfer where it is. What the server has stays there.
func (c *Client) PauseTransfer(id wire.ObjectID) error {
	t, err := c.transferOf(id)
	if err != nil {
		return err
	}
	t.mu.Lock()
	cancel, ended := t.cancel, t.ended
	if cancel == nil || t.phase == PhaseCommitting {
		t.mu.Unlock()
		return fail(api.CodeNotAllowed, "")
	}
	t.paused = true
	t.mu.Unlock()
	cancel()
	<-ended
	return nil
}

// ResumeTransfer carries on after a pause or a failure.
func (c *Client) ResumeTransfer(ctx context.Context, id wire.ObjectID) error {
	t, err := c.transferOf(id)
	if err != nil {
		return err
	}
	t.mu.Lock()
	running, phase, source := t.cancel != nil, t.phase, t.source
	t.mu.Unlock()
	if running || (phase != PhasePaused && phase != PhaseFailed) {
		return fail(api.CodeNotAllowed, "")
	}
	if t.direction == Down {
		c.start(t, func(ctx context.Context) error { return c.runDownload(ctx, t) })
		return nil
	}
	if source == nil {
		c.phase(t, PhaseNeedsFile, nil)
		return nil
	}
	c.start(t, func(ctx context.Context) error { return c.runUpload(ctx, t) })
	return nil
}

// CancelTransfer ends a transfer and removes what it left.
func (c *Client) CancelTransfer(ctx context.Context, id wire.ObjectID) error {
	t, err := c.transferOf(id)
	if err != nil {
		return err
	}
	t.mu.Lock()
	cancel, ended, phase := t.cancel, t.ended, t.phase
	t.paused = false
	t.mu.Unlock()
	if phase == PhaseCommitting || phase == PhaseDone {
		return fail(api.CodeNotAllowed, "")
	}
	if cancel != nil {
		cancel()
		<-ended
	}
	c.phase(t, PhaseCancelled, nil)
	if t.direction == Up {
		return c.dropUpload(ctx, t)
	}
	t.mu.Lock()
	sink := t.sink
	t.sink = nil
	t.mu.Unlock()
	if sink != nil {
		return sink.Discard()
	}
	return nil
}

// DismissTransfer takes an ended transfer off the list.
func (c *Client) DismissTransfer(id wire.ObjectID) error {
	t, err := c.transferOf(id)
	if err != nil {
		return err
	}
	t.mu.Lock()
	over := t.phase == PhaseDone || t.phase == PhaseFailed || t.phase == PhaseCancelled
	t.mu.Unlock()
	if !over {
		return fail(api.CodeNotAllowed, "")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.transfers, id)
	for i := range c.order {
		if c.order[i] == id {
			c.order = append(c.order[:i], c.order[i+1:]...)
			break
		}
	}
	return nil
}

// WaitTransfer waits until a transfer has ended or stands still, for callers without screens.
func (c *Client) WaitTransfer(ctx context.Context, id wire.ObjectID) (TransferView, error) {
	t, err := c.transferOf(id)
	if err != nil {
		return TransferView{}, err
	}
	for {
		v := t.view()
		switch v.Phase {
		case PhaseDone, PhaseFailed, PhaseCancelled, PhasePaused, PhaseNeedsFile:
			return v, nil
		case PhaseWaiting:
			if v.Failure != nil && v.Failure.Code == api.CodeNewKeys {
				return v, nil // for an owner: that may take days
			}
		}
		if err := c.wait(ctx, 20*time.Millisecond); err != nil {
			return v, err
		}
	}
}

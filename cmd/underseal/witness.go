package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/underseal/underseal/server/witness"
)

const (
	// maxPolicy is what a firm's first statement can carry.
	maxPolicy = 16 << 10

	settle  = 2 * time.Second // commits that come close together are witnessed together
	refresh = time.Minute     // a checkpoint that stays the newest is cosigned again, so that it can be shown to be fresh
)

// witnessPolicy reads the policy that new firms get. None is empty.
func witnessPolicy(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("--witness-policy: %w", err)
	}
	if len(b) == 0 || len(b) > maxPolicy {
		return "", errors.New("--witness-policy: the file is empty, or longer than 16 KiB")
	}
	if err := witness.CheckPolicy(string(b)); err != nil {
		return "", fmt.Errorf("--witness-policy: %w", err)
	}
	return string(b), nil
}

// startWitnessing carries checkpoints to witnesses until stop is called, which waits for the pass that runs.
func startWitnessing(ctx context.Context, d *data, logger *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	p := &witness.Pusher{Store: d.store, Log: d.log}
	go func() {
		defer close(done)
		follow(ctx, p, settle, refresh, logger)
	}()
	return func() { cancel(); <-done }
}

// follower is a witness.Pusher, or a test's.
type follower interface {
	Changed(ctx context.Context) (bool, error)
	Step(ctx context.Context) error
}

// follow makes a pass when a log has grown, and once in a while when none has. After a pass that went wrong the next comes
// sooner, then less and less so: what is away for a moment is back soon, what is away for good is asked as often as the rest.
func follow(ctx context.Context, p follower, settle, refresh time.Duration, logger *slog.Logger) {
	tick := time.NewTicker(settle)
	defer tick.Stop()
	due, wait := time.Now(), settle
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, err := p.Changed(ctx)
		if !changed && time.Now().Before(due) {
			continue
		}
		if changed {
			wait = settle
		}
		err = errors.Join(err, p.Step(ctx))
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			due, wait = time.Now().Add(refresh), settle
			continue
		}
		logger.Warn("witnessing", "error", err.Error())
		wait = min(2*wait, refresh)
		due = time.Now().Add(wait)
	}
}

// Package faultstore wraps a store so that chosen Updates fail, before or
// after they were applied. Tests use it to show that a caller survives both
// and can retry.
package faultstore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/underseal/underseal/server/store"
)

// ErrInjected is in every error made here, together with store.ErrCommit.
var ErrInjected = errors.New("faultstore: injected")

// Fault is what happens to one Update.
type Fault int

const (
	// None lets it pass.
	None Fault = iota
	// Refuse fails it before its function is called.
	Refuse
	// Discard calls its function, then drops what it wrote.
	Discard
	// Lose applies it durably, then reports that it failed: the answer is
	// what was lost.
	Lose
)

// Plan chooses the fault of the n-th Update, counted from 1 over all
// partitions. It is called from the goroutine of that Update, so it must be
// safe for concurrent use if the store is used so.
type Plan func(n int64, partition string) Fault

// Every returns a plan that gives fault to every n-th Update.
func Every(n int64, fault Fault) Plan {
	return func(i int64, _ string) Fault {
		if i%n == 0 {
			return fault
		}
		return None
	}
}

// Only returns a plan that gives fault to the n-th Update alone.
func Only(n int64, fault Fault) Plan {
	return func(i int64, _ string) Fault {
		if i == n {
			return fault
		}
		return None
	}
}

// Store implements store.Store.
type Store struct {
	inner store.Store
	plan  Plan
	count atomic.Int64
}

var _ store.Store = (*Store)(nil)

// New wraps inner, which the returned store closes.
func New(inner store.Store, plan Plan) *Store { return &Store{inner: inner, plan: plan} }

// Updates returns how many Updates were begun.
func (s *Store) Updates() int64 { return s.count.Load() }

// View implements store.Store.
func (s *Store) View(ctx context.Context, partition string, fn func(store.Tx) error) error {
	return s.inner.View(ctx, partition, fn)
}

// Update implements store.Store, but for the faults. An Update that fails by
// itself keeps its own error.
func (s *Store) Update(ctx context.Context, partition string, fn func(store.Tx) error) error {
	switch s.plan(s.count.Add(1), partition) {
	case Refuse:
		return injected("refused")
	case Discard:
		return s.inner.Update(ctx, partition, func(tx store.Tx) error {
			if err := fn(tx); err != nil {
				return err
			}
			return injected("discarded")
		})
	case Lose:
		if err := s.inner.Update(ctx, partition, fn); err != nil {
			return err
		}
		return injected("lost")
	default:
		return s.inner.Update(ctx, partition, fn)
	}
}

// Partitions implements store.Store.
func (s *Store) Partitions(ctx context.Context) ([]string, error) { return s.inner.Partitions(ctx) }

// Close implements store.Store.
func (s *Store) Close() error { return s.inner.Close() }

// Hook wraps a hook, which may be nil, so that the n-th commit, counted from
// 1, fails after inner has run if fails says so.
func Hook(inner store.Hook, fails func(n int64) bool) store.Hook {
	var count atomic.Int64
	return func(partition string, tx store.Tx) error {
		if inner != nil {
			if err := inner(partition, tx); err != nil {
				return err
			}
		}
		if fails(count.Add(1)) {
			return injected("hook")
		}
		return nil
	}
}

func injected(what string) error {
	return fmt.Errorf("%w: %w: %s", store.ErrCommit, ErrInjected, what)
}

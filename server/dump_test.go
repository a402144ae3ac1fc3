package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/underseal/underseal/server/store"
)

// seenByServer are the rows that a refusal, or a session, adds to: the server sequence and the log.
var seenByServer = []string{"event/", "events/", "denials/", "failures/", "openings/", "entered/", "log/", "map/"}

// dump is everything that the store holds but sessions, tickets, notes of when to look, and what else is to be skipped.
func dump(t testing.TB, w *world, skips ...string) string {
	t.Helper()
	var b strings.Builder
	partitions, err := w.store.Partitions(context.Background())
	w.ok(err)
	for _, p := range partitions {
		w.ok(w.store.View(context.Background(), p, func(tx store.Tx) error {
			return tx.Scan(nil, nil, 0, func(k, v []byte) error {
				for _, skip := range append([]string{"session/", "session-id/", "session-of/", "sessions-of/", "ticket/", "due/"}, skips...) {
					if strings.HasPrefix(string(k), skip) {
						return nil
					}
				}
				fmt.Fprintf(&b, "%s %s %x\n", p, k, v)
				return nil
			})
		}))
	}
	return b.String()
}

// rawDump is everything that the store holds, as it is.
func rawDump(t testing.TB, w *world) string {
	t.Helper()
	var b strings.Builder
	partitions, err := w.store.Partitions(context.Background())
	w.ok(err)
	for _, p := range partitions {
		w.ok(w.store.View(context.Background(), p, func(tx store.Tx) error {
			return tx.Scan(nil, nil, 0, func(k, v []byte) error {
				b.Write(k)
				b.Write(v)
				return nil
			})
		}))
	}
	return b.String()
}

// countRows counts the rows of all partitions under prefixes.
func countRows(t testing.TB, w *world, prefixes ...string) map[string]int {
	t.Helper()
	n := map[string]int{}
	partitions, err := w.store.Partitions(context.Background())
	w.ok(err)
	for _, p := range partitions {
		w.ok(w.store.View(context.Background(), p, func(tx store.Tx) error {
			for _, prefix := range prefixes {
				if err := tx.Scan([]byte(prefix), nil, 0, func(_, _ []byte) error { n[prefix]++; return nil }); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	return n
}

//go:build js && wasm

package main

import (
	"context"
	"sync"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
)

// textFile is what a page saves.
type textFile struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// record are the methods about the record: verification, activity, trail, and what is handed to reviewers.
func (b *binding) record() map[string]func(context.Context, input) (any, error) {
	c := b.client
	return map[string]func(context.Context, input) (any, error){
		"verifyMatter": withIDs(func(ctx context.Context, p ids) (any, error) {
			ctx, done := b.runs.begin(ctx, p.Matter)
			defer done()
			return c.VerifyMatter(ctx, p.Matter)
		}),
		"cancelVerify": withIDs(func(_ context.Context, p ids) (any, error) {
			b.runs.cancel(p.Matter)
			return nil, nil
		}),
		"activity": func(ctx context.Context, in input) (any, error) {
			var p struct {
				Matter wire.Hash
				Before *uint64
				Limit  int
			}
			if err := in.decode(&p); err != nil {
				return nil, err
			}
			return c.Activity(ctx, p.Matter, p.Before, p.Limit)
		},
		"trail": func(ctx context.Context, in input) (any, error) {
			var p struct {
				Matter wire.Hash
				Limit  int
			}
			if err := in.decode(&p); err != nil {
				return nil, err
			}
			return c.Trail(ctx, p.Matter, p.Limit)
		},
		"eraseTrail": both(func(ctx context.Context, p ids, w words) (any, error) {
			if w.Days < 1 || w.Days > 36500 {
				return nil, &client.Failure{Code: api.CodeBadRequest}
			}
			n, err := c.EraseTrail(ctx, p.Matter, time.Now().Add(-time.Duration(w.Days)*24*time.Hour))
			return map[string]int{"erased": n}, err
		}),
		"forgetDeleted": withIDs(func(ctx context.Context, p ids) (any, error) {
			n, err := c.ForgetDeleted(ctx, p.Matter)
			return map[string]int{"erased": n}, err
		}),
		"logStatus": withIDs(func(ctx context.Context, p ids) (any, error) { return c.LogStatus(ctx, p.Firm) }),
		"exportTrail": withIDs(func(ctx context.Context, p ids) (any, error) {
			text, err := c.TrailCSV(ctx, p.Matter)
			return textFile{"underseal-trail.csv", string(text)}, err
		}),
		"exportLinkKeys": withIDs(func(ctx context.Context, p ids) (any, error) {
			text, err := c.LinkKeysFile(ctx, p.Matter)
			return textFile{"underseal-link-keys.txt", string(text)}, err
		}),
		"exportPolicy": withIDs(func(ctx context.Context, p ids) (any, error) {
			text, err := c.PolicyFile(ctx, p.Firm)
			return textFile{"underseal-log-policy.txt", string(text)}, err
		}),
		"exportReceipt": func(ctx context.Context, in input) (any, error) {
			var p struct {
				Matter   wire.Hash
				Sequence string
				Position uint64
			}
			if err := in.decode(&p); err != nil {
				return nil, err
			}
			text, err := c.ReceiptFile(ctx, p.Matter, p.Sequence, p.Position)
			return textFile{"underseal-receipt.tlog-proof", string(text)}, err
		},
		"exportProof": withIDs(func(ctx context.Context, p ids) (any, error) {
			zip, err := c.ProofFile(ctx, p.Matter)
			return struct {
				Name   string `json:"name"`
				Base64 []byte `json:"base64"`
			}{"underseal-proof.zip", zip}, err
		}),
	}
}

// runs are the verifications that can be cancelled, one a matter.
type runs struct {
	mu  sync.Mutex // guards all
	all map[wire.Hash]context.CancelFunc
}

func (r *runs) begin(ctx context.Context, matter wire.Hash) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if before := r.all[matter]; before != nil {
		before()
	}
	if r.all == nil {
		r.all = map[wire.Hash]context.CancelFunc{}
	}
	r.all[matter] = cancel
	return ctx, cancel
}

func (r *runs) cancel(matter wire.Hash) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if cancel := r.all[matter]; cancel != nil {
		cancel()
		delete(r.all, matter)
	}
}

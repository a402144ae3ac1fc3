//go:build js && wasm

package main

import (
	"context"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// account are the methods about one's own factors.
func (b *binding) account() map[string]func(context.Context, input) (any, error) {
	c := b.client
	return map[string]func(context.Context, input) (any, error){
		"unlockKit": withWords(func(ctx context.Context, p words) (any, error) {
			if err := c.UnlockKit(ctx, p.Kit); err != nil {
				return nil, err
			}
			return c.Overview(ctx)
		}),
		"proveOptions": func(ctx context.Context, _ input) (any, error) { return options(c.ProveOptions(ctx)) },
		"proveFinish": func(ctx context.Context, in input) (any, error) {
			u, err := in.unlocker()
			if err != nil {
				return nil, err
			}
			return nil, c.ProvePasskey(ctx, u.Credential, u.PRF)
		},
		"proveKit":          withWords(func(ctx context.Context, p words) (any, error) { return nil, c.ProveKit(ctx, p.Kit) }),
		"passkeyAddOptions": func(ctx context.Context, _ input) (any, error) { return options(c.PasskeyAddOptions(ctx)) },
		"passkeyAddFinish": func(ctx context.Context, in input) (any, error) {
			u, err := in.unlocker()
			if err != nil {
				return nil, err
			}
			var p words
			if err := in.decode(&p); err != nil {
				return nil, err
			}
			return nil, c.PasskeyAddFinish(ctx, u, p.Name)
		},
		"office": withIDs(func(ctx context.Context, p ids) (any, error) { return c.Office(ctx, p.Firm) }),
		"officeUnlock": both(func(ctx context.Context, p ids, w words) (any, error) {
			return nil, c.Unlock(ctx, p.Firm, p.Member, w.Reason)
		}),
		"officeSignOut": both(func(ctx context.Context, p ids, w words) (any, error) {
			return nil, c.SignOutMember(ctx, p.Firm, p.Member, w.Reason)
		}),
		"exportTraining": withIDs(func(ctx context.Context, p ids) (any, error) {
			text, err := c.TrainingRecord(ctx, p.Firm)
			return textFile{Name: "underseal-training.csv", Text: string(text)}, err
		}),
		"acknowledge": func(ctx context.Context, in input) (any, error) {
			var p struct {
				Topics []string `json:"topics"`
			}
			if err := in.decode(&p); err != nil {
				return nil, err
			}
			var read chain.Topics
			for _, name := range p.Topics {
				one, ok := chain.ParseTopic(name)
				if !ok {
					return nil, &client.Failure{Code: api.CodeBadRequest}
				}
				read |= one
			}
			return nil, c.Acknowledge(ctx, read)
		},
		"sessions": func(ctx context.Context, _ input) (any, error) {
			list, err := c.Sessions(ctx)
			return map[string]any{"sessions": list}, err
		},
		"sessionEnd": func(ctx context.Context, in input) (any, error) {
			var p struct {
				ID wire.ObjectID `json:"id"`
			}
			if err := in.decode(&p); err != nil {
				return nil, err
			}
			return nil, c.EndSession(ctx, p.ID)
		},
		"sessionsEndOthers": func(ctx context.Context, _ input) (any, error) { return nil, c.EndOtherSessions(ctx) },
		"timeouts":          func(ctx context.Context, _ input) (any, error) { return c.Timeouts(ctx) },
		"lock": func(_ context.Context, in input) (any, error) {
			var p struct {
				Reason client.LockReason `json:"reason"`
			}
			if err := in.decode(&p); err != nil {
				return nil, err
			}
			if !p.Reason.Valid() {
				return nil, &client.Failure{Code: api.CodeBadRequest}
			}
			c.Lock(p.Reason)
			return nil, nil
		},
		"policy": withIDs(func(ctx context.Context, p ids) (any, error) { return c.Policy(ctx, p.Firm) }),
		"policySet": func(ctx context.Context, in input) (any, error) {
			var p struct {
				Firm   wire.Hash    `json:"firm"`
				Policy chain.Policy `json:"policy"`
			}
			if err := in.decode(&p); err != nil {
				return nil, err
			}
			return c.SetPolicy(ctx, p.Firm, p.Policy)
		},
		"passkeyRename": func(ctx context.Context, in input) (any, error) {
			p, err := in.passkey()
			if err != nil {
				return nil, err
			}
			return nil, c.RenamePasskey(ctx, p.ID, p.Name)
		},
		"passkeyRemove": func(ctx context.Context, in input) (any, error) {
			p, err := in.passkey()
			if err != nil {
				return nil, err
			}
			return nil, c.RemovePasskey(ctx, p.ID)
		},
	}
}

// named is a thing of the account's, by the id that it was shown with.
type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (in input) passkey() (named, error) {
	var p named
	return p, in.decode(&p)
}

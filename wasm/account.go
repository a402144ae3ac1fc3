//go:build js && wasm

package main

import (
	"context"
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
			return nil, c.ProvePasskey(ctx, u.Credential)
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

//go:build js && wasm

package main

import "context"

// sso are the methods about a firm's own sign-in.
func (b *binding) sso() map[string]func(context.Context, input) (any, error) {
	c := b.client
	return map[string]func(context.Context, input) (any, error){
		"sso": func(ctx context.Context, _ input) (any, error) {
			list, err := c.SSO(ctx)
			return map[string]any{"firms": list}, err
		},
		"ssoLink": withIDs(func(ctx context.Context, p ids) (any, error) {
			path, err := c.LinkSSO(ctx, p.Firm)
			return map[string]string{"path": path}, err
		}),
		"ssoUnlink": withIDs(func(ctx context.Context, p ids) (any, error) { return nil, c.UnlinkSSO(ctx, p.Firm) }),
		"ssoFirms":  func(ctx context.Context, _ input) (any, error) { return map[string]any{"firms": c.SSOFirms(ctx)}, nil },
		"takeUp":    func(ctx context.Context, _ input) (any, error) { return nil, c.TakeUp(ctx) },
		"unlockOptions": func(ctx context.Context, _ input) (any, error) {
			return options(c.UnlockOptions(ctx))
		},
		"unlockFinish": func(ctx context.Context, in input) (any, error) {
			u, err := in.unlocker()
			if err != nil {
				return nil, err
			}
			if err := c.UnlockPasskey(ctx, u.Credential, u.PRF); err != nil {
				return nil, err
			}
			return c.Overview(ctx)
		},
	}
}

//go:build js && wasm

package main

import (
	"context"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/wire"
)

// custodyParams are those of the methods about custodians.
type custodyParams struct {
	Firm        wire.Hash     `json:"firm"`
	Policy      uint64        `json:"policy"`
	Member      wire.ObjectID `json:"member"`
	Recovery    wire.ObjectID `json:"recovery"`
	Reason      string        `json:"reason"`
	Fingerprint string        `json:"fingerprint"`
}

func withCustody(call func(context.Context, custodyParams) (any, error)) func(context.Context, input) (any, error) {
	return func(ctx context.Context, in input) (any, error) {
		var p custodyParams
		if err := in.decode(&p); err != nil {
			return nil, err
		}
		return call(ctx, p)
	}
}

// recovery are the methods about identities that are left with custodians, and handed back.
func (b *binding) recovery() map[string]func(context.Context, input) (any, error) {
	c := b.client
	return map[string]func(context.Context, input) (any, error){
		"alerts":          func(ctx context.Context, _ input) (any, error) { return c.Alerts(ctx) },
		"custody":         withCustody(func(ctx context.Context, p custodyParams) (any, error) { return c.Custody(ctx, p.Firm) }),
		"custodyLeave":    withCustody(func(ctx context.Context, p custodyParams) (any, error) { return c.Escrow(ctx, p.Firm, p.Policy) }),
		"custodyWithdraw": withCustody(func(ctx context.Context, p custodyParams) (any, error) { return c.WithdrawEscrow(ctx, p.Firm) }),
		"custodyNothing":  withCustody(func(ctx context.Context, p custodyParams) (any, error) { return nil, c.KeepNothing(ctx, p.Firm) }),
		"recoveries":      withCustody(func(ctx context.Context, p custodyParams) (any, error) { return c.Recoveries(ctx, p.Firm) }),
		"recoveryBegin": withCustody(func(ctx context.Context, p custodyParams) (any, error) {
			link, err := c.BeginRecovery(ctx, p.Firm, p.Member, p.Reason)
			return map[string]string{"link": link}, err
		}),
		"recoveryCeremony": withCustody(func(ctx context.Context, p custodyParams) (any, error) { return c.Ceremony(ctx, p.Firm, p.Recovery) }),
		"recoveryAgree": withCustody(func(ctx context.Context, p custodyParams) (any, error) {
			return c.Approve(ctx, p.Firm, p.Recovery, p.Fingerprint)
		}),
		"recoveryStop": withCustody(func(ctx context.Context, p custodyParams) (any, error) {
			return c.Veto(ctx, p.Firm, p.Recovery, p.Reason)
		}),
		"recoveryOpen":    withWords(func(ctx context.Context, p words) (any, error) { return c.OpenRecovery(ctx, p.Fragment) }),
		"recoveryOptions": func(ctx context.Context, _ input) (any, error) { return options(c.RecoveryOptions(ctx)) },
		"recoveryFinish": func(ctx context.Context, in input) (any, error) {
			u, err := in.unlocker()
			if err != nil {
				return nil, err
			}
			return c.RecoveryFinish(ctx, u)
		},
		"recoveryAsk": func(ctx context.Context, _ input) (any, error) { return c.ClaimRecovery(ctx) },
		"recoveryAsking": func(ctx context.Context, _ input) (any, error) {
			asking, err := c.Asking(ctx)
			return map[string][]client.AskingView{"asking": asking}, err
		},
		"renewalContinue": func(ctx context.Context, _ input) (any, error) { return c.ContinueRenewal(ctx) },
		"recoveryTake":    withCustody(func(ctx context.Context, p custodyParams) (any, error) { return c.TakeBack(ctx, p.Recovery) }),
		"recoveryForget":  withCustody(func(ctx context.Context, p custodyParams) (any, error) { return nil, c.ForgetClaim(ctx, p.Recovery) }),
	}
}

//go:build js && wasm

package main

import (
	"context"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/wasm/qr"
)

// deviceID is a device of the account's, and what it is to be called.
type deviceID struct {
	ID   wire.ObjectID `json:"id"`
	Name string        `json:"name"`
}

// devices are the methods about the devices of an account, and about its keys when one of them is put out.
func (b *binding) devices() map[string]func(context.Context, input) (any, error) {
	c := b.client
	return map[string]func(context.Context, input) (any, error){
		"deviceAsk":   func(ctx context.Context, _ input) (any, error) { return asked(c.AskDevice(ctx)) },
		"deviceAsked": func(ctx context.Context, _ input) (any, error) { return c.DeviceAsked(ctx) },
		"deviceTake": func(ctx context.Context, _ input) (any, error) {
			if err := c.TakeDevice(ctx); err != nil {
				return nil, err
			}
			return c.Overview(ctx)
		},
		"deviceOpen":   taking(func(ctx context.Context, _ input, p code) (any, error) { return c.OpenDeviceCode(ctx, p.Code) }),
		"deviceGrant":  func(ctx context.Context, _ input) (any, error) { return nil, c.GrantDevice(ctx) },
		"deviceRefuse": func(ctx context.Context, _ input) (any, error) { return nil, c.RefuseDevice(ctx) },
		"deviceDone": func(ctx context.Context, _ input) (any, error) {
			done, err := c.DeviceDone(ctx)
			return map[string]bool{"done": done}, err
		},
		"devices": func(ctx context.Context, _ input) (any, error) { return c.Devices(ctx) },
		"deviceRename": taking(func(ctx context.Context, _ input, p deviceID) (any, error) {
			return nil, c.RenameDevice(ctx, p.ID, p.Name)
		}),
		"deviceRevoke": taking(func(ctx context.Context, _ input, p deviceID) (any, error) { return c.RevokeDevice(ctx, p.ID) }),
		"rootRenew":    func(ctx context.Context, _ input) (any, error) { return nil, c.RenewRoot(ctx, client.RootChange{}) },
		"renewKeys": taking(func(ctx context.Context, _ input, p struct {
			Matter  wire.Hash       `json:"matter"`
			Members []wire.ObjectID `json:"members"`
		}) (any, error) {
			return b.show(c.RenewKeys(ctx, p.Matter, p.Members))
		}),
	}
}

// asked is what a new device shows, and the picture of it.
func asked(v client.DeviceCodeView, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	picture, err := qr.Of(v.URL)
	if err != nil {
		return nil, &client.Failure{Code: api.CodeInternal}
	}
	return struct {
		client.DeviceCodeView
		QR qr.Code `json:"qr"`
	}{v, picture}, nil
}

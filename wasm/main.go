//go:build js && wasm

// Command wasm binds package client to JavaScript. It decides nothing: it finds the method, decodes, calls, encodes.
//
// worker.ts puts its host object at globalThis.undersealHost and runs the module, which calls host.ready(call). From then
// on call(method, params, secret, objects) answers a promise: params and result are the JSON of webapp/src/engine.ts, secret
// the bytes of a passkey's PRF output or of a password, objects the files or the sink that the method is about.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"syscall/js"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
)

func main() {
	h := host{js.Global().Get("undersealHost")}
	c := client.New(client.Config{Origin: h.Value.Get("origin").String(), Transport: h, Device: h, Pump: h, Passwords: h, Random: rand.Reader, Now: time.Now,
		Events: func(e client.Event) {
			if b, err := json.Marshal(e); err == nil {
				h.Call("event", string(b))
			}
		},
		DeviceName: h.Value.Get("deviceName").String(),
		Secret:     leak(h),
	})
	b := &binding{client: c}
	b.methods = b.table()
	maps.Copy(b.methods, b.record())
	maps.Copy(b.methods, b.account())
	maps.Copy(b.methods, b.sso())
	maps.Copy(b.methods, b.recovery())
	maps.Copy(b.methods, b.passwords())
	maps.Copy(b.methods, b.devices())
	call := js.FuncOf(func(_ js.Value, args []js.Value) any {
		in := input{method: args[0].String(), params: []byte(args[1].String()), secret: bytesOf(args[2]), objects: args[3]}
		return promise(func() (js.Value, error) { return b.call(context.Background(), in) })
	})
	h.Call("ready", call)
	select {}
}

// input is one call.
type input struct {
	method  string
	params  []byte
	secret  []byte
	objects js.Value
}

func (in input) decode(out any) error {
	if err := json.Unmarshal(in.params, out); err != nil {
		return &client.Failure{Code: api.CodeBadRequest}
	}
	return nil
}

type binding struct {
	client  *client.Client
	methods map[string]func(context.Context, input) (any, error)
	runs    runs
}

func (b *binding) call(ctx context.Context, in input) (js.Value, error) {
	defer clear(in.secret)
	method := b.methods[in.method]
	if method == nil {
		return js.Undefined(), &client.Failure{Code: api.CodeBadRequest}
	}
	// What the page asks by itself, such as a poll, keeps no session alive.
	var by struct {
		Unattended bool `json:"unattended"`
	}
	if json.Unmarshal(in.params, &by) == nil && by.Unattended {
		ctx = client.Unattended(ctx)
	}
	result, err := method(ctx, in)
	if err != nil {
		return js.Undefined(), err
	}
	if result == nil {
		result = struct{}{}
	}
	out, err := json.Marshal(result)
	return js.ValueOf(string(out)), err
}

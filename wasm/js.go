//go:build js && wasm

package main

import (
	"context"
	"errors"
	"slices"
	"syscall/js"

	"github.com/underseal/underseal/protocol/api"

	"github.com/underseal/underseal/client"
)

// await waits for a promise. It must run in a goroutine, never directly inside a callback.
func await(promise js.Value) (js.Value, error) {
	type outcome struct {
		value js.Value
		err   error
	}
	done := make(chan outcome, 1)
	resolved := js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- outcome{value: first(args)}
		return nil
	})
	rejected := js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- outcome{err: rejection(first(args))}
		return nil
	})
	defer resolved.Release()
	defer rejected.Release()
	promise.Call("then", resolved, rejected)
	out := <-done
	return out.value, out.err
}

func first(args []js.Value) js.Value {
	if len(args) == 0 {
		return js.Undefined()
	}
	return args[0]
}

// rejection turns what JavaScript threw into an error: { code } is a failure of the closed set, all else is offline or a
// fault, and its text is not carried on.
func rejection(v js.Value) error {
	if v.Type() != js.TypeObject {
		return errors.New("javascript threw")
	}
	if code := v.Get("code"); code.Type() == js.TypeString {
		return codeError(api.Code(code.String()), v.Get("wire").Truthy())
	}
	if name := v.Get("name"); name.Type() == js.TypeString {
		switch name.String() {
		case "AbortError":
			return context.Canceled
		case "NotReadableError", "NotFoundError":
			return &client.Failure{Code: api.CodeFileUnreadable}
		case "QuotaExceededError":
			return &client.Failure{Code: api.CodeNoRoom}
		}
		return errors.New("javascript threw " + name.String())
	}
	return errors.New("javascript threw")
}

// codeError is the error of a code. What the server answered a pump counts only as one of its own codes; what the pump says
// itself is one of a few. Anything else is a fault, and its text goes no further.
func codeError(code api.Code, fromServer bool) error {
	if fromServer {
		if slices.Contains(api.ServerCodes(), code) {
			return &api.Error{Code: code}
		}
		return &client.Failure{Code: api.CodeInternal}
	}
	switch code {
	case "body-digest":
		return client.ErrBodyDigest
	case "body-open":
		return client.ErrBodyOpen
	case "body-padding":
		return client.ErrPadding
	case api.CodeOffline, api.CodeUnavailable, api.CodeFileChanged, api.CodeFileUnreadable, api.CodeNoRoom, api.CodeNotHere, api.CodeStaleBuild:
		return &client.Failure{Code: code}
	}
	return failureFromGo(code)
}

// failureFromGo is a failure that a callback of ours rejected with: its code comes back through JavaScript.
func failureFromGo(code api.Code) error {
	if slices.Contains(api.ServerCodes(), code) {
		return &api.Error{Code: code}
	}
	switch code {
	case api.CodeServerLied, api.CodeCancelled, api.CodeNotAllowed, api.CodeRemoved, api.CodeWaiting:
		return &client.Failure{Code: code}
	}
	return &client.Failure{Code: api.CodeInternal}
}

// promise runs work in a goroutine and settles with what it answers.
func promise(work func() (js.Value, error)) js.Value {
	var executor js.Func
	executor = js.FuncOf(func(_ js.Value, args []js.Value) any {
		resolve, reject := args[0], args[1]
		go func() {
			defer executor.Release()
			value, err := work()
			if err != nil {
				reject.Invoke(failureJSON(err))
				return
			}
			resolve.Invoke(value)
		}()
		return nil
	})
	return js.Global().Get("Promise").New(executor)
}

func bytesOf(v js.Value) []byte {
	if v.IsNull() || v.IsUndefined() {
		return nil
	}
	b := make([]byte, v.Get("byteLength").Int())
	js.CopyBytesToGo(b, v)
	return b
}

func uint8Array(b []byte) js.Value {
	v := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(v, b)
	return v
}

// withAbort calls start with an AbortSignal that follows ctx.
func withAbort(ctx context.Context, start func(signal js.Value) js.Value) (js.Value, error) {
	controller := js.Global().Get("AbortController").New()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-ctx.Done():
			controller.Call("abort")
		case <-ended:
		}
	}()
	v, err := await(start(controller.Get("signal")))
	if ctx.Err() != nil {
		return js.Undefined(), ctx.Err()
	}
	return v, err
}

//go:build js && wasm

// Command password binds the client's side of package opaque to JavaScript. It is a module of its own, loaded when
// somebody uses a password: most never do, and need not load it. Whoever is done drops the whole module, and with it the
// 64 MiB that the stretch took, which a module never gives back.
//
// worker.ts puts a host object at globalThis.undersealPasswordHost and runs the module, which calls host.ready(register,
// signIn). Both are called with the name, the origin and the bytes of the password, and answer a promise of { message,
// finish }: message goes to the server, and finish, called once with the bytes of its answer, is a promise of
//
//	register  { record, exportKey }
//	signIn    { ke3, sessionKey, exportKey }
//
// Everything is bytes but name and origin. Every failure rejects with { code: "sign-in-failed" }.
package main

import (
	"syscall/js"

	"github.com/underseal/underseal/keys/opaque"
)

func main() {
	register := bind(func(name, origin string, password []byte) (js.Value, error) {
		r, request, err := opaque.RegisterStart(name, origin, password)
		if err != nil {
			return js.Undefined(), err
		}
		return begun(request, func(response []byte) (map[string]any, error) {
			record, exportKey, err := r.Finish(response)
			return map[string]any{"record": uint8Array(record), "exportKey": uint8Array(exportKey)}, err
		}), nil
	})
	signIn := bind(func(name, origin string, password []byte) (js.Value, error) {
		l, ke1, err := opaque.LoginStart(name, origin, password)
		if err != nil {
			return js.Undefined(), err
		}
		return begun(ke1, func(ke2 []byte) (map[string]any, error) {
			ke3, sessionKey, exportKey, err := l.Finish(ke2)
			return map[string]any{"ke3": uint8Array(ke3), "sessionKey": uint8Array(sessionKey), "exportKey": uint8Array(exportKey)}, err
		}), nil
	})
	js.Global().Get("undersealPasswordHost").Call("ready", register, signIn)
	select {}
}

// bind makes a function of JavaScript. Calls of another form are refused like everything else.
func bind(start func(name, origin string, password []byte) (js.Value, error)) js.Func {
	return js.FuncOf(func(_ js.Value, args []js.Value) any {
		return promise(func() (js.Value, error) {
			if len(args) != 3 || args[0].Type() != js.TypeString || args[1].Type() != js.TypeString {
				return js.Undefined(), opaque.ErrRefused
			}
			password, err := bytesOf(args[2])
			if err != nil {
				return js.Undefined(), err
			}
			defer clear(password)
			return start(args[0].String(), args[1].String(), password)
		})
	})
}

// begun is what a start answers. Its finish works once; it is not released, for JavaScript may call it again and must be
// told no.
func begun(message []byte, finish func([]byte) (map[string]any, error)) js.Value {
	called := false
	once := js.FuncOf(func(_ js.Value, args []js.Value) any {
		first := !called
		called = true
		return promise(func() (js.Value, error) {
			if !first || len(args) != 1 {
				return js.Undefined(), opaque.ErrRefused
			}
			answer, err := bytesOf(args[0])
			if err != nil {
				return js.Undefined(), err
			}
			result, err := finish(answer)
			if err != nil {
				return js.Undefined(), err
			}
			return js.ValueOf(result), nil
		})
	})
	return js.ValueOf(map[string]any{"message": uint8Array(message), "finish": once.Value})
}

// promise runs work in a goroutine, because a callback that takes long must not, and settles with what it answers.
func promise(work func() (js.Value, error)) js.Value {
	var executor js.Func
	executor = js.FuncOf(func(_ js.Value, args []js.Value) any {
		resolve, reject := args[0], args[1]
		go func() {
			defer executor.Release()
			value, err := work()
			if err != nil {
				reject.Invoke(js.ValueOf(map[string]any{"code": "sign-in-failed"}))
				return
			}
			resolve.Invoke(value)
		}()
		return nil
	})
	return js.Global().Get("Promise").New(executor)
}

// maxBytes is more than any message or password has.
const maxBytes = opaque.MaxPassword

func bytesOf(v js.Value) ([]byte, error) {
	if v.Type() != js.TypeObject || !v.InstanceOf(js.Global().Get("Uint8Array")) || v.Get("byteLength").Int() > maxBytes {
		return nil, opaque.ErrRefused
	}
	b := make([]byte, v.Get("byteLength").Int())
	js.CopyBytesToGo(b, v)
	return b, nil
}

func uint8Array(b []byte) js.Value {
	v := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(v, b)
	return v
}

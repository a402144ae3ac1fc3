//go:build js && wasm

// Command password binds the client's side of package opaque to JavaScript. It is a module of its own, loaded when
// somebody uses a password: most never do, and need not load it. Whoever is done drops the whole module, and with it the
// 64 MiB that the stretch took, which a module never gives back.
//
// The worker puts a host object at globalThis.undersealPasswordHost and runs the module, which calls host.ready(register,
// signIn, strength, end). The first two are called with the name, the origin and the bytes of the password, and answer a
// promise of { message, finish }: message goes to the server, and finish, called once with the bytes of its answer, is a
// promise of
//
//	register  { record, exportKey }
//	signIn    { ke3, sessionKey, exportKey }
//
// strength is called with the bytes of a password and a list of texts that a guesser knows, and answers a promise of { score,
// guesses, warning, suggestions }, as package strength has them. end ends the module, so that nothing holds its memory.
//
// Every failure rejects with { code: "sign-in-failed" }.
package main

import (
	"syscall/js"

	"github.com/underseal/underseal/keys/opaque"
	"github.com/underseal/underseal/keys/strength"
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
	ended := make(chan struct{})
	end := js.FuncOf(func(js.Value, []js.Value) any {
		close(ended)
		return nil
	})
	js.Global().Get("undersealPasswordHost").Call("ready", register, signIn, js.FuncOf(judge), end)
	<-ended
}

// judge says how good a password is.
func judge(_ js.Value, args []js.Value) any {
	return promise(func() (js.Value, error) {
		if len(args) != 2 || !args[1].InstanceOf(js.Global().Get("Array")) || args[1].Length() > maxWords {
			return js.Undefined(), opaque.ErrRefused
		}
		password, err := bytesOf(args[0])
		if err != nil {
			return js.Undefined(), err
		}
		defer clear(password)
		words := make([]string, args[1].Length())
		for i := range words {
			words[i] = args[1].Index(i).String()
		}
		s := strength.Of(string(password), words)
		suggestions := []any{}
		for _, code := range s.Suggestions {
			suggestions = append(suggestions, code)
		}
		return js.ValueOf(map[string]any{"score": s.Score, "guesses": s.Guesses, "warning": s.Warning, "suggestions": suggestions}), nil
	})
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

const (
	maxBytes = opaque.MaxPassword // more than any message has
	maxWords = 1000
)

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

//go:build vectors && js && wasm

package main

import (
	"errors"
	"os"
	"syscall/js"
)

// readPack takes what the worker fetched, or under Node the file.
func readPack(args []string) ([]byte, error) {
	if fetched := js.Global().Get("vectorPack"); fetched.Truthy() {
		data := make([]byte, fetched.Get("byteLength").Int())
		js.CopyBytesToGo(data, fetched)
		return data, nil
	}
	if len(args) != 2 {
		return nil, errors.New("usage: cases PACK")
	}
	return os.ReadFile(args[1])
}

// scope names the kind of global object, so that the harness knows that the
// cases ran in a worker of a browser.
func scope() string { return js.Global().Get("constructor").Get("name").String() }

//go:build js && wasm && leaktest

package main

import "syscall/js"

// leak hands each secret to the test that searches everything the server received for it. It is built only with the tag
// leaktest.
func leak(host) func(string, []byte) {
	return func(name string, value []byte) {
		js.Global().Call("postMessage", js.ValueOf(map[string]any{"event": "leaktest", "name": name, "value": uint8Array(value)}))
	}
}

//go:build js && wasm && leaktest

package main

// leak hands each secret to the test that searches everything the server received for it. It is built only with the tag
// leaktest.
func leak(h host) func(string, []byte) {
	return func(name string, value []byte) { h.Call("underseal_leaktest_secret", name, uint8Array(value)) }
}

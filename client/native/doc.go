//go:build !js

// Package native is a member's device outside of a browser: the seams of package client over net/http and files.
//
// Make a Transport with NewTransport, a Device with OpenDevice and a Pump with NewPump, and hand them to client.New.
// OpenSource and NewSink are the files that go up and come down. Nothing here decides what to trust: a Pump checks
// what it is told to check, and hands on no byte that did not verify.
package native

// Package client is what a member's device does, as portable Go: the browser's module and the command line are both
// thin bindings of it.
//
// Call New with a Transport, a Device and a Pump, then one of SetUp, Join or SignIn. Everything the server answers is
// hostile until protocol/chain has verified it; what does not verify is a Failure with CodeServerLied, is kept in the
// device's journal of refusals, and releases nothing.
package client

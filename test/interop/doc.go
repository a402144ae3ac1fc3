// Package interop holds that software which nobody here wrote accepts a firm's log as the server serves it: Tessera's checker
// and client, and transparency.dev's Merkle proofs, notes, receipts and policies. It is a module of its own, so that what
// these need is nobody else's dependency.
//
// Package witness, below it, is a witness made from the same libraries.
package interop

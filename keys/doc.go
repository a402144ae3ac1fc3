// Package keys holds identities: who can open and who signed.
//
// A newcomer starts with [NewIdentity], which computes a person's keys in one
// firm from a 32-byte seed, and [ParsePublicKeys] for everybody else's. Keys
// are wrapped to people with [PublicKeys.WrapKey] (HPKE with X-Wing, so an
// attacker who records today needs to break both X25519 and ML-KEM-768) and
// opened with [Identity.Unwrap]. Signatures are composite, ML-DSA-65 and
// Ed25519, and count only if both verify. [Derive] is how a key for one
// purpose comes from another secret; every purpose is a [Label] in labels.go.
//
// The package is deterministic but for the randomness of wraps and signatures,
// keeps no state and does no I/O. Errors hold no secret, and one sentinel
// stands for each thing that can fail. Values are safe for concurrent use. Not
// handled: Go cannot promise to erase a key from memory.
package keys

// Package keys holds identities: wrapping (HPKE), signing, fingerprints.
package keys

// Package pack is what the harness hands to the program that runs the cases:
// all vectors in one file, because a browser has no file system.
package pack

import "encoding/json"

// Pack is the one file.
type Pack struct {
	// Floe and Composite come from the specifications. Both are empty when
	// their folder is absent, and then their sets do not run.
	Floe      []Floe          `json:"floe"`
	Composite json.RawMessage `json:"composite,omitempty"`
	// Wycheproof are its files by name, without ".json".
	Wycheproof map[string]json.RawMessage `json:"wycheproof"`
	// HPKE is hpke-pq.json of the Go tree.
	HPKE json.RawMessage `json:"hpke"`
	// VRF are the examples of RFC 9381 for the suite, of keys/vrf/testdata.
	VRF json.RawMessage `json:"vrf"`
	// Opaque are the files of keys/opaque/testdata: the examples of RFC 9807, and ours.
	Opaque map[string]json.RawMessage `json:"opaque"`
	// TOTP are the values of RFC 6238, of server/auth/totp/testdata.
	TOTP json.RawMessage `json:"totp"`
	// Own are the files of keys/testdata by name.
	Own map[string]json.RawMessage `json:"own"`
	// Formats are the files of protocol/testdata by name.
	Formats map[string]json.RawMessage `json:"formats"`
}

// Floe is one known answer: ciphertext and plaintext in hex.
type Floe struct {
	Name         string `json:"name"`
	Ciphertext   string `json:"ct"`
	Plaintext    string `json:"pt"`
	Segment      int    `json:"segment"`
	RotationBits uint   `json:"rotationBits"`
}

// Report is what the program prints: where it ran, and each set.
type Report struct {
	Platform string `json:"platform"` // GOOS/GOARCH
	Scope    string `json:"scope"`    // class of the global object, on js
	Sets     []Set  `json:"sets"`
}

// Set is the outcome of one set of vectors.
type Set struct {
	Name     string   `json:"name"`
	Cases    int      `json:"cases"`
	Passed   int      `json:"passed"`
	Excluded int      `json:"excluded"` // with parameters that suite 1 does not have
	Failures []string `json:"failures,omitempty"`
}

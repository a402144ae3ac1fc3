//go:build vectors

// Command cases runs every set of vectors in a pack and prints a report. The
// harness builds it natively and for js/wasm with the tag "vectors".
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/underseal/underseal/keys/keystest"
	"github.com/underseal/underseal/protocol/protocoltest"
	"github.com/underseal/underseal/test/vectors/pack"
)

func main() {
	if err := run(os.Args, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "cases:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	data, err := readPack(args)
	if err != nil {
		return err
	}
	var p pack.Pack
	if err := json.Unmarshal(data, &p); err != nil {
		return fmt.Errorf("reading the pack: %w", err)
	}
	report := pack.Report{Platform: runtime.GOOS + "/" + runtime.GOARCH, Scope: scope()}
	for _, set := range sets(p) {
		c := &counter{set: pack.Set{Name: set.name}}
		if err := set.run(c); err != nil {
			return fmt.Errorf("%s: %w", set.name, err)
		}
		report.Sets = append(report.Sets, c.set)
	}
	return json.NewEncoder(stdout).Encode(report)
}

// set is a set of vectors that runs.
type set struct {
	name string
	run  func(*counter) error
}

func sets(p pack.Pack) []set {
	wycheproof := func(file string, run func(*counter, group, vector) string) func(*counter) error {
		return func(c *counter) error { return runWycheproof(c, p.Wycheproof[file], run) }
	}
	all := []set{
		{"Wycheproof AES-GCM", wycheproof("aes_gcm_test", aesGCM)},
		{"Wycheproof HKDF-SHA-384", wycheproof("hkdf_sha384_test", hkdf384)},
		{"Wycheproof HKDF-SHA-512", wycheproof("hkdf_sha512_test", hkdf512)},
		{"Wycheproof Ed25519", wycheproof("ed25519_test", ed25519Verify)},
		{"Wycheproof ML-DSA-65 verify", wycheproof("mldsa_65_verify_test", mldsaVerify)},
		{"Wycheproof ML-DSA-65 sign", wycheproof("mldsa_65_sign_seed_test", mldsaSign)},
		{"Wycheproof ML-KEM-768", wycheproof("mlkem_768_test", mlkemDecapsulate)},
		{"Wycheproof ML-KEM-768 encaps", wycheproof("mlkem_768_encaps_test", mlkemEncapsulate)},
		{"Wycheproof ML-KEM-768 keygen", wycheproof("mlkem_768_keygen_seed_test", mlkemKeygen)},
		{"HPKE X-Wing (Go tree)", func(c *counter) error { return hpkeVectors(c, p.HPKE) }},
		{"HPKE against crypto/hpke", hpkeDifferential},
		{"ECVRF (RFC 9381)", func(c *counter) error { return vrfExamples(c, p.VRF) }},
		{"OPAQUE (RFC 9807)", func(c *counter) error { return opaqueExamples(c, p.Opaque["rfc9807"], 6, 3) }},
		{"OPAQUE (ours)", func(c *counter) error { return opaqueExamples(c, p.Opaque["ours"], 1, 0) }},
		{"TOTP (RFC 6238)", func(c *counter) error { return totpValues(c, p.TOTP) }},
	}
	if len(p.Floe) > 0 {
		all = append(all, set{"FLOE specification", func(c *counter) error { return floe(c, p.Floe) }})
	}
	if len(p.Composite) > 0 {
		all = append(all, set{"Composite signature (LAMPS)", func(c *counter) error { return composite(c, p.Composite) }})
	}
	for _, name := range sortedKeys(p.Own) {
		all = append(all, set{"ours: " + name, func(c *counter) error { return ours(c, keystest.Run, p.Own[name]) }})
	}
	for _, name := range sortedKeys(p.Formats) {
		all = append(all, set{"formats: " + name, func(c *counter) error { return ours(c, protocoltest.Run, p.Formats[name]) }})
	}
	return all
}

// counter counts the cases of one set.
type counter struct{ set pack.Set }

// check counts a case; why is empty when it passed.
func (c *counter) check(name, why string) {
	c.set.Cases++
	if why == "" {
		c.set.Passed++
		return
	}
	c.set.Failures = append(c.set.Failures, name+": "+why)
}

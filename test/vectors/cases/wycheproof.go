//go:build vectors

package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"maps"
	"slices"

	"github.com/cloudflare/circl/kem/mlkem/mlkem768"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"

	"github.com/underseal/underseal/keys/seal"
)

// group and vector have the fields of all files we run.
type group struct {
	KeySize     int             `json:"keySize"`
	IVSize      int             `json:"ivSize"`
	TagSize     int             `json:"tagSize"`
	PublicKey   json.RawMessage `json:"publicKey"`
	PrivateSeed hexBytes        `json:"privateSeed"`
	Tests       []vector        `json:"tests"`
}

type vector struct {
	ID                         int `json:"tcId"`
	Result                     string
	Key, IV, AAD, Msg, CT, Tag hexBytes
	IKM, Salt, Info, OKM       hexBytes
	Size                       int
	Sig, Ctx, Rnd              hexBytes
	Seed, EK, DK, C, M, K      hexBytes
	Comment                    string
	hasMessage                 bool
}

// UnmarshalJSON also remembers whether there is a message at all: some
// signature cases give only its digest.
func (v *vector) UnmarshalJSON(b []byte) error {
	type plain vector
	if err := json.Unmarshal(b, (*plain)(v)); err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return err
	}
	_, v.hasMessage = fields["msg"]
	return nil
}

func (v vector) valid() bool { return v.Result == "valid" }

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// excluded is what a case returns that has parameters which suite 1 does not.
const excluded = "excluded"

func runWycheproof(c *counter, data json.RawMessage, run func(*counter, group, vector) string) error {
	var file struct {
		NumberOfTests int
		TestGroups    []group
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	for _, g := range file.TestGroups {
		for _, v := range g.Tests {
			if v.Result != "valid" && v.Result != "invalid" {
				return fmt.Errorf("case %d has result %q", v.ID, v.Result)
			}
			why := run(c, g, v)
			if why == excluded {
				c.set.Excluded++
				continue
			}
			c.check(fmt.Sprintf("case %d (%s)", v.ID, v.Comment), why)
		}
	}
	if got := c.set.Cases + c.set.Excluded; got != file.NumberOfTests || c.set.Cases == 0 {
		return fmt.Errorf("%d cases seen, file says %d", got, file.NumberOfTests)
	}
	return nil
}

// verdict compares what happened with the result of the case.
func verdict(v vector, accepted bool) string {
	if accepted == v.valid() {
		return ""
	}
	return fmt.Sprintf("accepted is %t, the case is %s", accepted, v.Result)
}

// aesGCM runs the driver that seal uses on this platform.
func aesGCM(_ *counter, g group, v vector) string {
	if g.KeySize != 256 || g.IVSize != 96 || g.TagSize != 128 {
		return excluded
	}
	sealed := slices.Concat(v.CT, v.Tag)
	opened, err := seal.VectorAEADOpen(v.Key, v.IV, sealed, v.AAD)
	if err != nil && !errors.Is(err, seal.ErrOpen) {
		return err.Error()
	}
	if why := verdict(v, err == nil); why != "" || !v.valid() {
		return why
	}
	again, err := seal.VectorAEADSeal(v.Key, v.IV, v.Msg, v.AAD)
	if err != nil || !bytes.Equal(opened, v.Msg) || !bytes.Equal(again, sealed) {
		return fmt.Sprintf("another message or ciphertext, %v", err)
	}
	return ""
}

func hkdf384(_ *counter, _ group, v vector) string { return hkdfCase(sha512.New384, v) }
func hkdf512(_ *counter, _ group, v vector) string { return hkdfCase(sha512.New, v) }

func hkdfCase(h func() hash.Hash, v vector) string {
	okm, err := hkdf.Key(h, v.IKM, v.Salt, string(v.Info), v.Size)
	if why := verdict(v, err == nil); why != "" || !v.valid() {
		return why
	}
	if !bytes.Equal(okm, v.OKM) {
		return "another output"
	}
	return ""
}

func ed25519Verify(_ *counter, g group, v vector) string {
	var public struct{ PK hexBytes }
	if err := json.Unmarshal(g.PublicKey, &public); err != nil || len(public.PK) != ed25519.PublicKeySize {
		return "unreadable public key"
	}
	return verdict(v, ed25519.Verify(ed25519.PublicKey(public.PK), v.Msg, v.Sig))
}

func mldsaVerify(_ *counter, g group, v vector) string {
	var encoded hexBytes
	if err := json.Unmarshal(g.PublicKey, &encoded); err != nil {
		return "unreadable public key"
	}
	var public mldsa65.PublicKey
	if err := public.UnmarshalBinary(encoded); err != nil {
		return verdict(v, false)
	}
	return verdict(v, mldsa65.Verify(&public, v.Msg, v.Ctx, v.Sig))
}

// mldsaSign compares deterministic signatures. Ours are hedged, with the same
// code but for the randomness.
func mldsaSign(_ *counter, g group, v vector) string {
	if len(v.Rnd) > 0 || !v.hasMessage {
		return excluded
	}
	if len(g.PrivateSeed) != mldsa65.SeedSize {
		return verdict(v, false)
	}
	_, private := mldsa65.NewKeyFromSeed((*[mldsa65.SeedSize]byte)(g.PrivateSeed))
	signature := make([]byte, mldsa65.SignatureSize)
	err := mldsa65.SignTo(private, v.Msg, v.Ctx, false, signature)
	if why := verdict(v, err == nil); why != "" || !v.valid() {
		return why
	}
	if !bytes.Equal(signature, v.Sig) {
		return "another signature"
	}
	return ""
}

func mlkemDecapsulate(_ *counter, _ group, v vector) string {
	if len(v.Seed) != mlkem768.KeySeedSize {
		return verdict(v, false)
	}
	public, private := mlkem768.NewKeyFromSeed(v.Seed)
	encoded, err := public.MarshalBinary()
	if err != nil {
		return err.Error()
	}
	shared, err := mlkem768.Scheme().Decapsulate(private, v.C)
	if why := verdict(v, err == nil); why != "" || !v.valid() {
		return why
	}
	if !bytes.Equal(shared, v.K) || len(v.EK) > 0 && !bytes.Equal(encoded, v.EK) {
		return "another secret or key"
	}
	return ""
}

func mlkemEncapsulate(_ *counter, _ group, v vector) string {
	public, err := mlkem768.Scheme().UnmarshalBinaryPublicKey(v.EK)
	if err != nil {
		return verdict(v, false)
	}
	ciphertext, shared, err := mlkem768.Scheme().EncapsulateDeterministically(public, v.M)
	if why := verdict(v, err == nil); why != "" || !v.valid() {
		return why
	}
	if !bytes.Equal(ciphertext, v.C) || !bytes.Equal(shared, v.K) {
		return "another ciphertext or secret"
	}
	return ""
}

func mlkemKeygen(_ *counter, _ group, v vector) string {
	public, private := mlkem768.NewKeyFromSeed(v.Seed)
	ek, err := public.MarshalBinary()
	if err != nil {
		return err.Error()
	}
	dk, err := private.MarshalBinary()
	if err != nil {
		return err.Error()
	}
	if !bytes.Equal(ek, v.EK) || !bytes.Equal(dk, v.DK) {
		return "another key pair"
	}
	return verdict(v, true)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

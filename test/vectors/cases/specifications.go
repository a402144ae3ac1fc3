//go:build vectors

package main

import (
	"bytes"
	"crypto/hpke"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	circlhpke "github.com/cloudflare/circl/hpke"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/keys/vrf"
	"github.com/underseal/underseal/test/vectors/pack"
)

// floe opens the known answers of https://c2sp.org/FLOE, and refuses each of
// them with its last bit flipped, cut by one byte and under another context.
func floe(c *counter, vectors []pack.Floe) error {
	key, aad := make([]byte, 32), []byte("This is AAD")
	for _, v := range vectors {
		sealed, err := hex.DecodeString(strings.TrimSpace(v.Ciphertext))
		if err != nil {
			return err
		}
		want, err := hex.DecodeString(strings.TrimSpace(v.Plaintext))
		if err != nil {
			return err
		}
		open := func(aad, sealed []byte) ([]byte, error) {
			return seal.VectorOpen(key, aad, sealed, v.Segment, v.RotationBits)
		}
		got, err := open(aad, sealed)
		why := ""
		if err != nil || !bytes.Equal(got, want) {
			why = fmt.Sprintf("opens to %d bytes, %v, want %d", len(got), err, len(want))
		}
		c.check(v.Name, why)
		flipped := append([]byte(nil), sealed...)
		flipped[len(flipped)-1] ^= 1
		for name, attempt := range map[string]func() ([]byte, error){
			"flipped":         func() ([]byte, error) { return open(aad, flipped) },
			"cut":             func() ([]byte, error) { return open(aad, sealed[:len(sealed)-1]) },
			"another context": func() ([]byte, error) { return open(nil, sealed) },
		} {
			got, err := attempt()
			why := ""
			if !errors.Is(err, seal.ErrOpen) || got != nil {
				why = fmt.Sprintf("opens to %d bytes, %v", len(got), err)
			}
			c.check(v.Name+" "+name, why)
		}
	}
	return nil
}

// composite runs the draft's vector: both signatures, each in no other's
// context, and its private key.
func composite(c *counter, data json.RawMessage) error {
	var v struct{ Message, Context, PK, SK, S, SWithContext []byte }
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	verify := func(name string, context, signature []byte, want error) {
		why := ""
		if err := keys.VectorVerify(v.PK, context, v.Message, signature); !errors.Is(err, want) {
			why = fmt.Sprintf("%v, want %v", err, want)
		}
		c.check(name, why)
	}
	verify("no context", nil, v.S, nil)
	verify("context", v.Context, v.SWithContext, nil)
	verify("no context, verified in one", v.Context, v.S, keys.ErrSignature)
	verify("context, verified in none", nil, v.SWithContext, keys.ErrSignature)
	if len(v.SK) != 64 {
		return fmt.Errorf("private key of %d bytes", len(v.SK))
	}
	public, signature, err := keys.VectorSign([32]byte(v.SK[:32]), [32]byte(v.SK[32:]), v.Context, v.Message)
	if err != nil {
		return err
	}
	why := ""
	if !bytes.Equal(public, v.PK) {
		why = "another public key"
	}
	c.check("private key", why)
	verify("our signature", v.Context, signature, nil)
	return nil
}

type hpkeVector struct {
	KEM         uint16   `json:"kem_id"`
	KDF         uint16   `json:"kdf_id"`
	AEAD        uint16   `json:"aead_id"`
	Info        hexBytes `json:"info"`
	Private     hexBytes `json:"skRm"`
	Public      hexBytes `json:"pkRm"`
	Enc         hexBytes `json:"enc"`
	Encryptions []struct {
		AAD, CT, PT hexBytes
	} `json:"encryptions"`
	Exports []struct {
		Context hexBytes `json:"exporter_context"`
		Length  uint     `json:"L"`
		Value   hexBytes `json:"exported_value"`
	} `json:"exports"`
}

// hpkeVectors runs what the file has for suite 1: X-Wing with HKDF-SHA256 and
// ChaCha20Poly1305. For X-Wing with another KDF it runs the key pair.
func hpkeVectors(c *counter, data json.RawMessage) error {
	var vectors []hpkeVector
	if err := json.Unmarshal(data, &vectors); err != nil {
		return err
	}
	complete := 0
	for _, v := range vectors {
		if circlhpke.KEM(v.KEM) != circlhpke.KEM_XWING {
			c.set.Excluded++
			continue
		}
		pair, err := keys.NewWrapKeyPair([32]byte(v.Private))
		if err != nil {
			return err
		}
		why := ""
		if !bytes.Equal(pair.Public(), v.Public) {
			why = "another public key"
		}
		c.check(fmt.Sprintf("key pair, KDF %d", v.KDF), why)
		if circlhpke.KDF(v.KDF) != circlhpke.KDF_HKDF_SHA256 || circlhpke.AEAD(v.AEAD) != circlhpke.AEAD_ChaCha20Poly1305 {
			continue
		}
		complete++
		if err := hpkeOpen(c, v); err != nil {
			return err
		}
	}
	if complete != 1 {
		return fmt.Errorf("%d vectors of suite 1, want 1", complete)
	}
	return nil
}

// hpkeOpen opens all messages of a vector. A wrap of ours is the first message
// of such a sequence, with empty associated data.
func hpkeOpen(c *counter, v hpkeVector) error {
	suite := circlhpke.NewSuite(circlhpke.KEM_XWING, circlhpke.KDF_HKDF_SHA256, circlhpke.AEAD_ChaCha20Poly1305)
	private, err := circlhpke.KEM_XWING.Scheme().UnmarshalBinaryPrivateKey(v.Private)
	if err != nil {
		return err
	}
	receiver, err := suite.NewReceiver(private, v.Info)
	if err != nil {
		return err
	}
	opener, err := receiver.Setup(v.Enc)
	if err != nil {
		return err
	}
	for i, e := range v.Encryptions {
		got, err := opener.Open(e.CT, e.AAD)
		why := ""
		if err != nil || !bytes.Equal(got, e.PT) {
			why = fmt.Sprint("does not open: ", err)
		}
		c.check(fmt.Sprintf("message %d", i), why)
	}
	for i, e := range v.Exports {
		why := ""
		if !bytes.Equal(opener.Export(e.Context, e.Length), e.Value) {
			why = "another value"
		}
		c.check(fmt.Sprintf("export %d", i), why)
	}
	return nil
}

// hpkeDifferential wraps with ours and unwraps with the standard library, and
// the other way round, and compares key pairs.
func hpkeDifferential(c *counter) error {
	kdf, aead := hpke.HKDFSHA256(), hpke.ChaCha20Poly1305()
	for n := range byte(32) {
		seed := [32]byte(bytes.Repeat([]byte{n}, 32))
		info, payload := bytes.Repeat([]byte{n}, int(n)), bytes.Repeat([]byte{n}, int(n)*5)
		ours, err := keys.NewWrapKeyPair(seed)
		if err != nil {
			return err
		}
		theirs, err := hpke.MLKEM768X25519().NewPrivateKey(seed[:])
		if err != nil {
			return err
		}
		why := ""
		if !bytes.Equal(ours.Public(), theirs.PublicKey().Bytes()) {
			why = "public keys differ"
		}
		c.check(fmt.Sprintf("key pair %d", n), why)

		wrap, err := keys.WrapTo(nil, ours.Public(), info, payload)
		if err != nil {
			return err
		}
		got, err := hpke.Open(theirs, kdf, aead, info, wrap)
		c.check(fmt.Sprintf("theirs of ours %d", n), same(got, payload, err))

		wrap, err = hpke.Seal(theirs.PublicKey(), kdf, aead, info, payload)
		if err != nil {
			return err
		}
		got, err = ours.Unwrap(info, wrap)
		c.check(fmt.Sprintf("ours of theirs %d", n), same(got, payload, err))
	}
	return nil
}

// vrfExamples computes and verifies the examples of RFC 9381, appendix B.3, and
// refuses each of them for another input and with each byte of its proof
// changed.
func vrfExamples(c *counter, data json.RawMessage) error {
	var file struct {
		Examples []struct {
			Name                    string
			SK, PK, Alpha, Pi, Beta hexBytes
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	for _, e := range file.Examples {
		key, err := vrf.NewPrivateKey(e.SK)
		if err != nil {
			return err
		}
		check := func(name string, got, want []byte, err error) {
			why := ""
			if err != nil || !bytes.Equal(got, want) {
				why = fmt.Sprintf("%x, %v, want %x", got, err, want)
			}
			c.check(e.Name+" "+name, why)
		}
		refuse := func(name string, alpha, proof []byte) {
			why := ""
			if _, err := vrf.Verify(e.PK, alpha, proof); !errors.Is(err, vrf.ErrProof) {
				why = fmt.Sprintf("%v, want %v", err, vrf.ErrProof)
			}
			c.check(e.Name+" "+name, why)
		}
		check("public key", key.Public(), e.PK, nil)
		beta, proof, err := key.Prove(e.Alpha)
		check("proof", proof[:], e.Pi, err)
		check("output", beta[:], e.Beta, err)
		beta, err = vrf.Verify(e.PK, e.Alpha, e.Pi)
		check("verified output", beta[:], e.Beta, err)
		refuse("another input", append(bytes.Clone(e.Alpha), 0), e.Pi)
		refuse("trailing byte", e.Alpha, append(bytes.Clone(e.Pi), 0))
		for i := range e.Pi {
			changed := bytes.Clone(e.Pi)
			changed[i] ^= 1
			refuse(fmt.Sprintf("byte %d changed", i), e.Alpha, changed)
		}
	}
	return nil
}

func same(got, want []byte, err error) string {
	if err != nil || !bytes.Equal(got, want) {
		return fmt.Sprint("does not open: ", err)
	}
	return ""
}

// ours runs a file of keys/testdata or protocol/testdata.
func ours(c *counter, run func([]byte) (int, []string, error), data json.RawMessage) error {
	cases, failures, err := run(data)
	c.set.Cases, c.set.Passed, c.set.Failures = cases, cases-len(failures), failures
	return err
}

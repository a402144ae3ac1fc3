package vrf

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"filippo.io/edwards25519"
)

// example is one of RFC 9381, appendix B.3. Its intermediate values are there
// so that a failure says where it begins.
type example struct {
	Name                                   string
	SK, PK, Alpha, X, H, K, U, V, Pi, Beta hexBytes
	KString                                hexBytes `json:"k_string"`
}

type hexBytes []byte

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

func examples(t testing.TB) []example {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "rfc9381.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Source   string
		Examples []example
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	if len(file.Examples) != 3 {
		t.Fatalf("%d examples, want 3", len(file.Examples))
	}
	return file.Examples
}

func testKey(t testing.TB, n byte) *PrivateKey {
	t.Helper()
	k, err := NewPrivateKey(bytes.Repeat([]byte{n}, SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestExamples(t *testing.T) {
	for _, e := range examples(t) {
		t.Run(e.Name, func(t *testing.T) {
			same := func(what string, got, want []byte) {
				t.Helper()
				if !bytes.Equal(got, want) {
					t.Errorf("%s is %x, want %x", what, got, want)
				}
			}
			k, err := NewPrivateKey(e.SK)
			if err != nil {
				t.Fatal(err)
			}
			same("public key", k.Public(), e.PK)
			same("public key of crypto/ed25519", ed25519.NewKeyFromSeed(e.SK).Public().(ed25519.PublicKey), e.PK)
			x, err := new(edwards25519.Scalar).SetBytesWithClamping(e.X)
			if err != nil || x.Equal(k.scalar) != 1 {
				t.Errorf("x is not %x", e.X)
			}
			h, err := encodeToCurve(e.PK, e.Alpha)
			if err != nil {
				t.Fatal(err)
			}
			same("H", h.Bytes(), e.H)
			digest := sha512.Sum512(append(k.prefix[:], e.H...))
			same("k_string", digest[:], e.KString)
			nonce := k.nonce(h)
			same("k", nonce.Bytes(), e.K)
			same("U", new(edwards25519.Point).ScalarBaseMult(nonce).Bytes(), e.U)
			same("V", new(edwards25519.Point).ScalarMult(nonce, h).Bytes(), e.V)
			beta, proof, err := k.Prove(e.Alpha)
			if err != nil {
				t.Fatal(err)
			}
			same("pi", proof[:], e.Pi)
			same("beta", beta[:], e.Beta)
			beta, err = Verify(e.PK, e.Alpha, e.Pi)
			if err != nil {
				t.Fatal(err)
			}
			same("verified beta", beta[:], e.Beta)
		})
	}
}

// refuses fails when the three verify, or give an output beside the error.
func refuses(t *testing.T, what string, public, alpha, proof []byte) {
	t.Helper()
	if beta, err := Verify(public, alpha, proof); !errors.Is(err, ErrProof) || beta != [OutputSize]byte{} {
		t.Errorf("%s: %x, %v, want ErrProof", what, beta[:4], err)
	}
}

func TestEveryChangedBitIsRefused(t *testing.T) {
	e := examples(t)[2]
	for _, part := range []struct {
		name  string
		bytes []byte
	}{{"key", e.PK}, {"alpha", e.Alpha}, {"proof", e.Pi}} {
		for bit := range len(part.bytes) * 8 {
			part.bytes[bit/8] ^= 1 << (bit % 8)
			refuses(t, fmt.Sprintf("bit %d of the %s changed", bit, part.name), e.PK, e.Alpha, e.Pi)
			part.bytes[bit/8] ^= 1 << (bit % 8)
		}
	}
	if _, err := Verify(e.PK, e.Alpha, e.Pi); err != nil {
		t.Errorf("unchanged again: %v", err)
	}
}

// TestManyResponsesAreRefused: a comparison that looked at one byte of the
// challenge alone would let a few of these through.
func TestManyResponsesAreRefused(t *testing.T) {
	e := examples(t)[0]
	for n := range uint64(2000) {
		s := uniform(sha512.Sum512(binary.BigEndian.AppendUint64(nil, n)))
		refuses(t, fmt.Sprintf("response %d", n), e.PK, e.Alpha, append(slices.Clone(e.Pi[:pointSize+challengeSize]), s.Bytes()...))
	}
}

func TestOtherLengthsAreRefused(t *testing.T) {
	e := examples(t)[2]
	refuses(t, "no key", nil, e.Alpha, e.Pi)
	refuses(t, "short key", e.PK[:31], e.Alpha, e.Pi)
	refuses(t, "long key", append(slices.Clone(e.PK), 0), e.Alpha, e.Pi)
	refuses(t, "no alpha", e.PK, nil, e.Pi)
	refuses(t, "short alpha", e.PK, e.Alpha[:1], e.Pi)
	refuses(t, "long alpha", e.PK, append(slices.Clone(e.Alpha), 0), e.Pi)
	refuses(t, "no proof", e.PK, e.Alpha, nil)
	refuses(t, "short proof", e.PK, e.Alpha, e.Pi[:ProofSize-1])
	refuses(t, "trailing byte", e.PK, e.Alpha, append(slices.Clone(e.Pi), 0))
	for _, size := range []int{0, 31, 33, 64} {
		if k, err := NewPrivateKey(make([]byte, size)); !errors.Is(err, ErrSeed) || k != nil {
			t.Errorf("seed of %d bytes: %v, want ErrSeed", size, err)
		}
	}
}

// order is L, by which scalars are reduced.
func order() *big.Int {
	l, _ := new(big.Int).SetString("27742317777372353535851937790883648493", 10)
	return l.Add(l, new(big.Int).Lsh(big.NewInt(1), 252))
}

func littleEndian(n *big.Int) []byte {
	b := n.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	return b
}

// TestUnreducedResponsesAreRefused: s + L is the same scalar, so each proof
// would have some fifteen spellings that anybody can write.
func TestUnreducedResponsesAreRefused(t *testing.T) {
	e := examples(t)[0]
	reversed := slices.Clone(e.Pi[pointSize+challengeSize:])
	slices.Reverse(reversed)
	s := new(big.Int).SetBytes(reversed)
	spellings := 0
	for s.Add(s, order()); s.BitLen() <= 256; s.Add(s, order()) {
		spellings++
		proof := append(slices.Clone(e.Pi[:pointSize+challengeSize]), littleEndian(s)...)
		refuses(t, fmt.Sprintf("s + %d L", spellings), e.PK, e.Alpha, proof)
	}
	if spellings < 14 {
		t.Errorf("only %d spellings tried", spellings)
	}
}

// TestOtherSpellingsOfPointsAreRefused: the module decodes all of these, and a
// key or a point written in two ways would be two keys in a directory.
func TestOtherSpellingsOfPointsAreRefused(t *testing.T) {
	e := examples(t)[0]
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	var spellings [][]byte
	for y := range int64(19) {
		spellings = append(spellings, littleEndian(new(big.Int).Add(p, big.NewInt(y))))
	}
	for _, b := range slices.Clone(spellings) {
		signed := slices.Clone(b)
		signed[31] |= 0x80
		spellings = append(spellings, signed)
	}
	// x is zero at y = 1 and y = -1, so there the sign says nothing.
	for _, y := range []*big.Int{big.NewInt(1), new(big.Int).Sub(p, big.NewInt(1))} {
		signed := littleEndian(y)
		signed[31] |= 0x80
		spellings = append(spellings, signed)
	}
	decoded := 0
	for _, b := range spellings {
		if _, err := new(edwards25519.Point).SetBytes(b); err == nil {
			decoded++
		}
		if _, ok := parsePoint(b); ok {
			t.Errorf("%x is a point", b)
		}
		refuses(t, "key", b, e.Alpha, e.Pi)
		refuses(t, "gamma", e.PK, e.Alpha, append(slices.Clone(b), e.Pi[pointSize:]...))
	}
	// Counted, so that the list does not shrink unseen: 12 of the y are on the
	// curve, in two signs, and the two zeros.
	if decoded != 26 {
		t.Errorf("the module decodes %d of these, want 26", decoded)
	}
}

// lowOrder are the eight points that the cofactor takes to the identity.
func lowOrder(t *testing.T) []*edwards25519.Point {
	t.Helper()
	minusOne, err := new(edwards25519.Scalar).SetCanonicalBytes(littleEndian(new(big.Int).Sub(order(), big.NewInt(1))))
	if err != nil {
		t.Fatal(err)
	}
	for n := range byte(255) {
		p, ok := parsePoint(append([]byte{n}, make([]byte, 31)...))
		if !ok {
			continue
		}
		// L times a point is of low order; it generates them all if four
		// times it is not the identity.
		generator := new(edwards25519.Point).Add(new(edwards25519.Point).ScalarMult(minusOne, p), p)
		twice := new(edwards25519.Point).Add(generator, generator)
		if isIdentity(new(edwards25519.Point).Add(twice, twice)) {
			continue
		}
		points := []*edwards25519.Point{edwards25519.NewIdentityPoint()}
		for len(points) < 8 {
			points = append(points, new(edwards25519.Point).Add(points[len(points)-1], generator))
		}
		return points
	}
	t.Fatal("no point of order 8")
	return nil
}

// forge proves, for the secret x of public up to a part of low order, that
// gamma is the point of alpha. It draws nonces until the challenge is a
// multiple of eight, which takes all low-order parts out of the equations.
func forge(t *testing.T, x *edwards25519.Scalar, public, alpha []byte, gamma *edwards25519.Point) []byte {
	t.Helper()
	h, err := encodeToCurve(public, alpha)
	if err != nil {
		t.Fatal(err)
	}
	for n := uint64(0); ; n++ {
		nonce := uniform(sha512.Sum512(binary.BigEndian.AppendUint64(nil, n)))
		u := new(edwards25519.Point).ScalarBaseMult(nonce)
		v := new(edwards25519.Point).ScalarMult(nonce, h)
		c := challenge(public, h, gamma, u, v)
		if c[0]%8 != 0 {
			continue
		}
		proof := appendProof(gamma, c, new(edwards25519.Scalar).MultiplyAdd(challengeScalar(c), x, nonce))
		return proof[:]
	}
}

// TestLowOrderKeysAreRefused: with such a key all outputs are one, known to
// everybody, and anybody can prove it for any input. Nothing but the check of
// the key stands in the way.
func TestLowOrderKeysAreRefused(t *testing.T) {
	known := output(edwards25519.NewIdentityPoint())
	for i, y := range lowOrder(t) {
		public := y.Bytes()
		for _, alpha := range []string{"a", "b"} {
			proof := forge(t, edwards25519.NewScalar(), public, []byte(alpha), edwards25519.NewIdentityPoint())
			if beta, err := verify(y, public, []byte(alpha), proof); err != nil || beta != known {
				t.Fatalf("point %d: the attack does not work: %v", i, err)
			}
			refuses(t, fmt.Sprintf("key of low order, point %d", i), public, []byte(alpha), proof)
		}
	}
}

// TestOneOutput: the owner of a key adds points of low order to gamma. All the
// proofs verify, and without the cofactor each would have its own output: a
// server could show eight labels for one name.
func TestOneOutput(t *testing.T) {
	k, alpha := testKey(t, 1), []byte("anna@example.com")
	want, _, err := k.Prove(alpha)
	if err != nil {
		t.Fatal(err)
	}
	h, err := encodeToCurve(k.Public(), alpha)
	if err != nil {
		t.Fatal(err)
	}
	gammas := map[string]bool{}
	for i, low := range lowOrder(t) {
		gamma := new(edwards25519.Point).ScalarMult(k.scalar, h)
		proof := forge(t, k.scalar, k.Public(), alpha, gamma.Add(gamma, low))
		gammas[string(proof[:pointSize])] = true
		if beta, err := Verify(k.Public(), alpha, proof); err != nil || beta != want {
			t.Errorf("point %d: %x, %v, want %x", i, beta, err, want)
		}
	}
	if len(gammas) != 8 {
		t.Errorf("%d gammas, want 8", len(gammas))
	}
}

// TestKeysWithALowOrderPart are no keys of low order, so RFC 9381 lets them
// be. Whoever multiplies by the negated challenge refuses them: two programs
// that follow the RFC would not agree on what is proven.
func TestKeysWithALowOrderPart(t *testing.T) {
	k, alpha := testKey(t, 1), []byte("alpha")
	for i, low := range lowOrder(t) {
		y := new(edwards25519.Point).ScalarBaseMult(k.scalar)
		public := y.Add(y, low).Bytes()
		h, err := encodeToCurve(public, alpha)
		if err != nil {
			t.Fatal(err)
		}
		gamma := new(edwards25519.Point).ScalarMult(k.scalar, h)
		beta, err := Verify(public, alpha, forge(t, k.scalar, public, alpha, gamma))
		if err != nil || beta != output(gamma) {
			t.Errorf("point %d: %v", i, err)
		}
	}
}

// TestAnotherKeysGammaIsRefused: its owner would choose an output among those
// of many keys.
func TestAnotherKeysGammaIsRefused(t *testing.T) {
	k, other, alpha := testKey(t, 1), testKey(t, 2), []byte("alpha")
	h, err := encodeToCurve(k.Public(), alpha)
	if err != nil {
		t.Fatal(err)
	}
	gamma := new(edwards25519.Point).ScalarMult(other.scalar, h)
	refuses(t, "gamma of another secret", k.Public(), alpha, forge(t, k.scalar, k.Public(), alpha, gamma))
	refuses(t, "proven with another secret", k.Public(), alpha, forge(t, other.scalar, k.Public(), alpha, gamma))
	_, proof, err := other.Prove(alpha)
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, "another key's proof", k.Public(), alpha, proof[:])
}

func TestOutputs(t *testing.T) {
	seen := map[[OutputSize]byte]string{}
	for n := byte(1); n < 4; n++ {
		k := testKey(t, n)
		for size := range 40 {
			alpha := make([]byte, size)
			beta, proof, err := k.Prove(alpha)
			if err != nil {
				t.Fatal(err)
			}
			again, proofAgain, err := k.Prove(alpha)
			if err != nil || again != beta || proofAgain != proof {
				t.Errorf("key %d, %d bytes: another output the second time: %v", n, size, err)
			}
			verified, err := Verify(k.Public(), alpha, proof[:])
			if err != nil || verified != beta {
				t.Errorf("key %d, %d bytes: does not verify: %v", n, size, err)
			}
			here := fmt.Sprintf("key %d, %d bytes", n, size)
			if there, ok := seen[beta]; ok {
				t.Errorf("%s and %s have one output", here, there)
			}
			seen[beta] = here
		}
	}
}

func TestNothingIsShared(t *testing.T) {
	seed := bytes.Repeat([]byte{1}, SeedSize)
	k, err := NewPrivateKey(seed)
	if err != nil {
		t.Fatal(err)
	}
	clear(seed)
	clear(k.Public())
	alpha := append(make([]byte, 0, 64), "alpha"...)
	beta, proof, err := k.Prove(alpha)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Verify(testKey(t, 1).Public(), alpha, proof[:]); err != nil || got != beta {
		t.Errorf("after its seed and its public key were overwritten: %v", err)
	}
	if !bytes.Equal(alpha[:cap(alpha)], append([]byte("alpha"), make([]byte, 59)...)) {
		t.Error("what lies behind alpha was written to")
	}
}

func TestPrivateKeysAreNotPrinted(t *testing.T) {
	k := testKey(t, 1)
	for _, secret := range []any{k, struct{ Key *PrivateKey }{k}, []*PrivateKey{k}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			if text := fmt.Sprintf(verb, secret); len(text) > 80 {
				t.Errorf("%s of %T prints %d characters", verb, secret, len(text))
			}
		}
		if text, err := json.Marshal(secret); err == nil {
			t.Errorf("%T marshals to %s", secret, text)
		}
	}
	if s := k.String() + k.GoString(); s != "vrf.PrivateKey(private)vrf.PrivateKey(private)" {
		t.Errorf("printed %q", s)
	}
}

func BenchmarkProve(b *testing.B) {
	k, alpha := testKey(b, 1), []byte("anna@example.com")
	for b.Loop() {
		if _, _, err := k.Prove(alpha); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	k, alpha := testKey(b, 1), []byte("anna@example.com")
	_, proof, err := k.Prove(alpha)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Verify(k.Public(), alpha, proof[:]); err != nil {
			b.Fatal(err)
		}
	}
}

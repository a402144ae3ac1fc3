//go:build vectors

package keys

// These are for test/vectors, which runs the known answers of the composite
// signature through the very code that ships. The tag "vectors" is set nowhere
// else, so no program has them.

// VectorSign loads both halves from their seeds and signs.
func VectorSign(mldsaSeed, edSeed [KeySize]byte, context, message []byte) (publicKey, signature []byte, err error) {
	k := newSigningKey(mldsaSeed, edSeed)
	signature, err = k.sign(context, message)
	return k.public().bytes(), signature, err
}

// VectorVerify verifies under a bare composite key.
func VectorVerify(publicKey, context, message, signature []byte) error {
	k, err := parseVerifyingKey(publicKey)
	if err != nil {
		return err
	}
	return k.verify(context, message, signature)
}

//go:build vectors

package seal

// These are for test/vectors, which runs the known answers of the
// specification and of AES-GCM through the very code that ships. The tag
// "vectors" is set nowhere else, so no program has them.

// VectorOpen opens header and segments with other parameters than suite 1's.
func VectorOpen(key, aad, sealed []byte, segment int, rotationBits uint) ([]byte, error) {
	return open(params{segment, rotationBits}, key, aad, sealed)
}

// VectorAEADSeal is the driver of this platform.
func VectorAEADSeal(key, nonce, plaintext, aad []byte) ([]byte, error) {
	cipher, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	return cipher.seal(nil, nonce, plaintext, aad)
}

// VectorAEADOpen is the driver of this platform.
func VectorAEADOpen(key, nonce, ciphertext, aad []byte) ([]byte, error) {
	cipher, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	return cipher.open(nil, nonce, ciphertext, aad)
}

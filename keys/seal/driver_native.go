//go:build !js

package seal

import (
	"crypto/aes"
	"crypto/cipher"
)

// This is the only file that may import crypto/aes or crypto/cipher: compiled
// for a browser, Go's AES is table-based and not constant-time.

type nativeAEAD struct{ gcm cipher.AEAD }

var _ aead = nativeAEAD{}

func newAEAD(key []byte) (aead, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, ErrNoCipher
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, ErrNoCipher
	}
	return nativeAEAD{gcm}, nil
}

func (a nativeAEAD) seal(dst, nonce, plaintext, aad []byte) ([]byte, error) {
	return a.gcm.Seal(dst, nonce, plaintext, aad), nil
}

func (a nativeAEAD) open(dst, nonce, ciphertext, aad []byte) ([]byte, error) {
	plaintext, err := a.gcm.Open(dst, nonce, ciphertext, aad)
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

//go:build !js

package seal

import "io"

// SealSegment appends the whole segment with that index to dst, for a native
// pump that seals segments of one body beside each other. rand may be nil for
// crypto/rand.
//
// The caller keeps what a Writer would keep for it: one plaintext for an
// index under these keys, every index up to the final one, nothing after it.
// A second sealing of the same plaintext at the same index is harmless, the
// nonce is fresh; two different plaintexts there would both open.
func (k *Keys) SealSegment(rand io.Reader, dst, plaintext []byte, segmentIndex uint64, final bool) ([]byte, error) {
	return k.state.encryptSegment(rand, dst, plaintext, segmentIndex, final)
}

// OpenSegment appends the plaintext of the segment with that index to dst, or
// nothing and ErrOpen. Whether the segment is the final one is what the caller
// knows from an authenticated length, never what the segment says.
func (k *Keys) OpenSegment(dst, segment []byte, segmentIndex uint64, final bool) ([]byte, error) {
	return k.state.decryptSegment(dst, segment, segmentIndex, final)
}

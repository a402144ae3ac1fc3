package seal

import "io"

// Keys are the segment keys of one sealed thing, for a pump that calls
// AES-256-GCM itself (JavaScript with WebCrypto, which keeps the bytes out of
// Go's memory). The pump must write every segment once, in order, as
//
//	length word(4) ‖ nonce(12) ‖ ciphertext ‖ tag(16)
//
// where all but the last are exactly as long as the segment length, with the
// word 0xFFFFFFFF, and the last one, never empty unless it is the only one,
// has its own total length as the word. The nonce is fresh randomness. The
// associated data of the cipher is SegmentAAD. The key is SegmentKey, the same
// for SegmentsPerKey segments. A reader must check the length word against
// what it expects before it opens a segment.
type Keys struct{ state *state }

// NewKeys starts to seal: it returns the keys and the header of HeaderSize
// bytes to be kept where it is authenticated. rand may be nil for crypto/rand.
func NewKeys(rand io.Reader, key, aad []byte, segment int) (*Keys, []byte, error) {
	if !isSuiteSegment(segment) {
		return nil, nil, ErrParameters
	}
	s, header, err := startEncryption(suiteParams(segment), rand, key, aad)
	if err != nil {
		return nil, nil, err
	}
	return &Keys{s}, header, nil
}

// OpenKeys starts to open, after checking the header. The failure is ErrOpen.
func OpenKeys(key, aad, header []byte, segment int) (*Keys, error) {
	if !isSuiteSegment(segment) {
		return nil, ErrParameters
	}
	s, err := startDecryption(suiteParams(segment), key, aad, header)
	if err != nil {
		return nil, err
	}
	return &Keys{s}, nil
}

// SegmentKey is the AES-256 key of the segment with that index.
func (k *Keys) SegmentKey(segmentIndex uint64) [KeySize]byte {
	key, err := k.state.segmentKey(segmentIndex)
	if err != nil {
		// HKDF refuses only output lengths that do not occur here.
		panic("seal: deriving a segment key: " + err.Error())
	}
	return [KeySize]byte(key)
}

// SegmentAAD is the associated data of the segment with that index: the index
// in eight bytes, then 1 for the final segment and 0 for the others.
func SegmentAAD(segmentIndex uint64, final bool) []byte { return segmentAAD(segmentIndex, final) }

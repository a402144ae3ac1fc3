package seal

import (
	"crypto/hkdf"
	cryptorand "crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
)

// Sizes of FLOE with AES-256-GCM and HKDF-Expand-SHA-384.
const (
	paramsSize   = 10
	ivSize       = 32
	tagSize      = 32
	messageSize  = 48 // KDF_KEY_LEN
	nonceSize    = 12 // AEAD_IV_LEN
	gcmTagSize   = 16
	rotationBits = 20 // AEAD_ROTATION_MASK
	notFinal     = 0xFFFFFFFF
)

// params are the parameters of FLOE. Only the specification's known answers
// need others than suiteParams, so they are not exported.
type params struct {
	segment      int // ENC_SEG_LEN
	rotationBits uint
}

func suiteParams(segment int) params { return params{segment, rotationBits} }

// capacity is the plaintext that fits in one segment.
func (p params) capacity() int { return p.segment - SegmentOverhead }

// encode is PARAM_ENCODE: AEAD 0, KDF 0, segment length, IV length.
func (p params) encode() [paramsSize]byte {
	var b [paramsSize]byte
	binary.BigEndian.PutUint32(b[2:], uint32(p.segment))
	binary.BigEndian.PutUint32(b[6:], ivSize)
	return b
}

// aead is one scheduled AES-256-GCM key. Its drivers: Go's on every platform
// but js, WebCrypto on js. Both append to dst, which must not overlap the
// input, and are safe for concurrent use.
type aead interface {
	seal(dst, nonce, plaintext, aad []byte) ([]byte, error)
	// open returns ErrOpen when the ciphertext (with its tag) does not verify.
	open(dst, nonce, ciphertext, aad []byte) ([]byte, error)
}

// state is FLOE's State: what start{En,De}cryption return.
type state struct {
	params
	messageKey []byte
	iv         [ivSize]byte
	aad        []byte

	mu       sync.Mutex // guards rotation and current
	rotation uint64
	current  aead
}

// derive is FLOE_KDF.
func (s *state) derive(key []byte, purpose string, length int) ([]byte, error) {
	encoded := s.encode()
	info := make([]byte, 0, paramsSize+ivSize+len(purpose)+len(s.aad))
	info = append(info, encoded[:]...)
	info = append(info, s.iv[:]...)
	info = append(info, purpose...)
	info = append(info, s.aad...)
	return hkdf.Expand(sha512.New384, key, string(info), length)
}

// startEncryption draws a fresh IV, so that sealing the same bytes under the
// same key again shares nothing with the first time (attack 43).
func startEncryption(p params, rand io.Reader, key, aad []byte) (*state, []byte, error) {
	if len(key) != KeySize {
		return nil, nil, ErrParameters
	}
	s := &state{params: p, aad: append([]byte(nil), aad...)}
	if _, err := io.ReadFull(orDefault(rand), s.iv[:]); err != nil {
		return nil, nil, fmt.Errorf("seal: randomness: %w", err)
	}
	tag, err := s.derive(key, "HEADER_TAG:", tagSize)
	if err != nil {
		return nil, nil, err
	}
	if s.messageKey, err = s.derive(key, "MESSAGE_KEY:", messageSize); err != nil {
		return nil, nil, err
	}
	encoded := p.encode()
	header := append(encoded[:], s.iv[:]...)
	return s, append(header, tag...), nil
}

func startDecryption(p params, key, aad, header []byte) (*state, error) {
	if len(key) != KeySize || len(header) != HeaderSize {
		return nil, ErrOpen
	}
	// Parameters are compared, never obeyed: a header cannot ask for another
	// cipher or segment length (attack 38).
	if encoded := p.encode(); string(header[:paramsSize]) != string(encoded[:]) {
		return nil, ErrOpen
	}
	s := &state{params: p, aad: append([]byte(nil), aad...)}
	copy(s.iv[:], header[paramsSize:])
	tag, err := s.derive(key, "HEADER_TAG:", tagSize)
	if err != nil {
		return nil, err
	}
	// The tag is a PRF of key, IV and aad under a collision-resistant hash, so
	// a second key cannot share it (attacks 23, 47). AES-GCM alone commits to
	// nothing.
	if subtle.ConstantTimeCompare(tag, header[paramsSize+ivSize:]) != 1 {
		return nil, ErrOpen
	}
	if s.messageKey, err = s.derive(key, "MESSAGE_KEY:", messageSize); err != nil {
		return nil, err
	}
	return s, nil
}

// mask is the first position that shares the AES key of position.
func (s *state) mask(position uint64) uint64 {
	return position &^ (1<<s.rotationBits - 1)
}

// segmentKey is DERIVE_KEY.
func (s *state) segmentKey(position uint64) ([]byte, error) {
	purpose := binary.BigEndian.AppendUint64([]byte("DEK:"), s.mask(position))
	return s.derive(s.messageKey, string(purpose), KeySize)
}

// cipher returns the scheduled key for position, which changes only once in
// 2^rotationBits segments.
func (s *state) cipher(position uint64) (aead, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && s.rotation == s.mask(position) {
		return s.current, nil
	}
	key, err := s.segmentKey(position)
	if err != nil {
		return nil, err
	}
	cipher, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	s.current, s.rotation = cipher, s.mask(position)
	return cipher, nil
}

// segmentAAD puts position and finality under the tag: a segment opens only
// where it was written, and only the last one opens as the last (attack 40).
func segmentAAD(position uint64, final bool) []byte {
	aad := binary.BigEndian.AppendUint64(make([]byte, 0, 9), position)
	if final {
		return append(aad, 1)
	}
	return append(aad, 0)
}

// encryptSegment appends one segment to dst. It stays private: encrypting two
// plaintexts at one position, or one after the final one, is a mistake that
// only a sequential writer rules out.
func (s *state) encryptSegment(rand io.Reader, dst, plaintext []byte, position uint64, final bool) ([]byte, error) {
	if len(plaintext) > s.capacity() || !final && len(plaintext) != s.capacity() {
		return nil, ErrParameters
	}
	if position >= MaxSegments || !final && position == MaxSegments-1 {
		return nil, ErrTooLong
	}
	cipher, err := s.cipher(position)
	if err != nil {
		return nil, err
	}
	length := uint32(notFinal)
	if final {
		length = uint32(len(plaintext) + SegmentOverhead)
	}
	var nonce [nonceSize]byte
	if _, err := io.ReadFull(orDefault(rand), nonce[:]); err != nil {
		return nil, fmt.Errorf("seal: randomness: %w", err)
	}
	dst = binary.BigEndian.AppendUint32(dst, length)
	dst = append(dst, nonce[:]...)
	return cipher.seal(dst, nonce[:], plaintext, segmentAAD(position, final))
}

// decryptSegment appends the plaintext of one segment to dst, or nothing.
func (s *state) decryptSegment(dst, segment []byte, position uint64, final bool) ([]byte, error) {
	// Lengths first. The length word is not under the GCM tag, so it must be
	// compared; and a segment shorter than its overhead would make the slices
	// below reach outside of it (attacks 40, 44).
	if len(segment) < SegmentOverhead || len(segment) > s.segment || position >= MaxSegments {
		return nil, ErrOpen
	}
	if !final && (len(segment) != s.segment || position == MaxSegments-1) {
		return nil, ErrOpen
	}
	want := uint32(notFinal)
	if final {
		want = uint32(len(segment))
	}
	if binary.BigEndian.Uint32(segment) != want {
		return nil, ErrOpen
	}
	cipher, err := s.cipher(position)
	if err != nil {
		return nil, err
	}
	nonce, ciphertext := segment[4:4+nonceSize], segment[4+nonceSize:]
	return cipher.open(dst, nonce, ciphertext, segmentAAD(position, final))
}

// orDefault lets a caller without a source of its own pass nil.
func orDefault(rand io.Reader) io.Reader {
	if rand == nil {
		return cryptorand.Reader
	}
	return rand
}

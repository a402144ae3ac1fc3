package seal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"
)

// tiny makes segments of 32 bytes of plaintext, so that every arrangement of
// several fits in a test.
func tiny() params { return params{64, rotationBits} }

func testKey(n byte) []byte { return bytes.Repeat([]byte{n}, KeySize) }

// pattern is n bytes that differ from place to place.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// sealWith returns the header and the segments, each on its own.
func sealWith(t testing.TB, p params, key, aad, plaintext []byte) (header []byte, segments [][]byte) {
	t.Helper()
	var body bytes.Buffer
	w, err := newWriter(p, nil, &body, key, aad)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plaintext); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for body.Len() > 0 {
		segments = append(segments, append([]byte(nil), body.Next(p.segment)...))
	}
	return w.Header(), segments
}

func join(header []byte, segments ...[]byte) []byte {
	return append(append([]byte(nil), header...), bytes.Join(segments, nil)...)
}

func TestEdgeSizes(t *testing.T) { // attack 44
	key, aad := testKey(1), []byte("context")
	for _, segment := range []int{SmallSegment, BodySegment} {
		capacity := segment - SegmentOverhead
		for _, n := range []int{0, 1, capacity - 1, capacity, capacity + 1, 2 * capacity, 2*capacity + 1} {
			plaintext := pattern(n)
			var body bytes.Buffer
			w, err := NewWriter(nil, &body, key, aad, segment)
			if err != nil {
				t.Fatal(err)
			}
			// In uneven pieces, as a stream comes.
			if _, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{bytes.NewReader(plaintext)}, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			sealed := body.Bytes()
			if got, want := int64(len(sealed)), SealedSize(int64(n), segment); got != want {
				t.Errorf("%d bytes in %d: sealed to %d bytes, want %d", n, segment, got, want)
			}
			if got, err := PlaintextSize(int64(len(sealed)), segment); err != nil || got != int64(n) {
				t.Errorf("PlaintextSize(%d) = %d, %v, want %d", len(sealed), got, err, n)
			}
			r, err := NewReader(iotest.HalfReader(bytes.NewReader(sealed)), w.Header(), key, aad, segment)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plaintext) {
				t.Errorf("%d bytes in %d: read back %d bytes, %v", n, segment, len(got), err)
			}
			ra, err := NewRangeReader(bytes.NewReader(sealed), w.Header(), key, aad, segment, int64(n))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(io.NewSectionReader(ra, 0, int64(n))); err != nil || !bytes.Equal(got, plaintext) {
				t.Errorf("%d bytes in %d: range read %d bytes, %v", n, segment, len(got), err)
			}
			if segment != SmallSegment {
				continue
			}
			if got, err := Open(key, aad, join(w.Header(), sealed)); err != nil || !bytes.Equal(got, plaintext) {
				t.Errorf("Open of %d bytes: %d bytes, %v", n, len(got), err)
			}
			again, err := Seal(nil, key, aad, plaintext)
			if err != nil || len(again) != HeaderSize+len(sealed) {
				t.Errorf("Seal of %d bytes: %d bytes, %v", n, len(again), err)
			}
		}
	}
}

func TestPlaintextSizeRefuses(t *testing.T) {
	for _, sealed := range []int64{-1, 0, SegmentOverhead - 1, SmallSegment + 1, SmallSegment + SegmentOverhead, 2*SmallSegment + SegmentOverhead} {
		if n, err := PlaintextSize(sealed, SmallSegment); !errors.Is(err, ErrParameters) {
			t.Errorf("PlaintextSize(%d) = %d, %v, want ErrParameters", sealed, n, err)
		}
	}
}

// refused checks that an arrangement of segments opens nowhere and that no
// byte came out that was not at its place in plaintext.
func refused(t *testing.T, what string, p params, key, aad, header []byte, body, plaintext []byte) {
	t.Helper()
	if got, err := open(p, key, aad, join(header, body)); !errors.Is(err, ErrOpen) || got != nil {
		t.Errorf("%s: open gave %d bytes, %v, want ErrOpen", what, len(got), err)
	}
	r, err := newReader(p, bytes.NewReader(body), header, key, aad)
	if err != nil {
		if !errors.Is(err, ErrOpen) {
			t.Errorf("%s: reader gave %v, want ErrOpen", what, err)
		}
		return
	}
	released, err := io.ReadAll(r)
	if !errors.Is(err, ErrOpen) {
		t.Errorf("%s: reader ended with %v, want ErrOpen", what, err)
	}
	if !bytes.HasPrefix(plaintext, released) {
		t.Errorf("%s: reader released something that was never written there", what)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, ErrOpen) {
		t.Errorf("%s: reader went on after its error: %d, %v", what, n, err)
	}
}

// arrangements calls f with every sequence over n segments that an attacker
// gets by dropping, and by permuting; and by doubling one anywhere.
func arrangements(n int, f func([]int)) {
	var permute func(chosen []int, used uint)
	permute = func(chosen []int, used uint) {
		f(chosen)
		for i := range n {
			if used&(1<<i) == 0 {
				permute(append(chosen[:len(chosen):len(chosen)], i), used|1<<i)
			}
		}
	}
	permute(nil, 0)
	for doubled := range n {
		for at := range n + 1 {
			var sequence []int
			for i := range n {
				if i == at {
					sequence = append(sequence, doubled)
				}
				sequence = append(sequence, i)
			}
			if at == n {
				sequence = append(sequence, doubled)
			}
			f(sequence)
		}
	}
}

func TestArrangements(t *testing.T) { // attack 40, S-SEAL-04
	p, key, aad := tiny(), testKey(1), []byte("context")
	tried := 0
	for n := 1; n <= 6; n++ {
		// The final segment short, and exactly full.
		for _, size := range []int{n*p.capacity() - 5, n * p.capacity()} {
			plaintext := pattern(size)
			header, segments := sealWith(t, p, key, aad, plaintext)
			if len(segments) != n {
				t.Fatalf("%d segments, want %d", len(segments), n)
			}
			arrangements(n, func(sequence []int) {
				var body []byte
				written := len(sequence) == n
				for i, s := range sequence {
					body = append(body, segments[s]...)
					written = written && i == s
				}
				if written {
					return
				}
				tried++
				refused(t, "arrangement", p, key, aad, header, body, plaintext)
				// The length words are not encrypted, so an attacker makes them
				// say what the reader wants to see.
				if relabelled := relabel(p, body); !bytes.Equal(relabelled, body) {
					refused(t, "relabelled arrangement", p, key, aad, header, relabelled, plaintext)
				}
				refusedInRange(t, p, key, aad, header, body, plaintext)
			})
			// Cut and extended by every number of bytes up to a segment.
			body := bytes.Join(segments, nil)
			for cut := 1; cut <= p.segment && cut <= len(body); cut++ {
				refused(t, "cut", p, key, aad, header, body[:len(body)-cut], plaintext)
				extended := append(append([]byte(nil), body...), segments[0][:min(cut, len(segments[0]))]...)
				refused(t, "extended", p, key, aad, header, extended, plaintext)
			}
		}
	}
	if tried < 4000 {
		t.Errorf("tried %d arrangements, want thousands", tried)
	}
}

// relabel gives every segment of a body the length word of its place.
func relabel(p params, body []byte) []byte {
	body = append([]byte(nil), body...)
	for i := 0; i+SegmentOverhead <= len(body); i += p.segment {
		word := uint32(notFinal)
		if rest := len(body) - i; rest <= p.segment {
			word = uint32(rest)
		}
		binary.BigEndian.PutUint32(body[i:], word)
	}
	return body
}

// refusedInRange reads every segment on its own. What opens must be what was
// written there; an arrangement that leaves all of them in place is only
// longer, which the signed length makes harmless.
func refusedInRange(t *testing.T, p params, key, aad, header, body, plaintext []byte) {
	t.Helper()
	r, err := newRangeReader(p, bytes.NewReader(body), header, key, aad, int64(len(plaintext)))
	if err != nil {
		t.Fatal(err)
	}
	for offset := 0; offset < len(plaintext); offset += p.capacity() {
		b := make([]byte, min(p.capacity(), len(plaintext)-offset))
		n, err := r.ReadAt(b, int64(offset))
		if err != nil && !errors.Is(err, ErrOpen) {
			t.Fatalf("ReadAt: %v", err)
		}
		if !bytes.Equal(b[:n], plaintext[offset:offset+n]) {
			t.Fatalf("ReadAt released something that was never written there")
		}
	}
}

func TestBitFlips(t *testing.T) { // attack 39
	p, key, aad := tiny(), testKey(1), []byte("context")
	plaintext := pattern(2*p.capacity() + 7)
	header, segments := sealWith(t, p, key, aad, plaintext)
	sealed := join(header, segments...)
	for bit := range len(sealed) * 8 {
		flipped := append([]byte(nil), sealed...)
		flipped[bit/8] ^= 1 << (bit % 8)
		refused(t, "bit flip", p, key, aad, flipped[:HeaderSize], flipped[HeaderSize:], plaintext)
	}
}

func TestSplice(t *testing.T) { // attack 41, S-SEAL-03
	p, key := tiny(), testKey(1)
	plaintext := pattern(3*p.capacity() - 1)
	header, segments := sealWith(t, p, key, []byte("version 1"), plaintext)
	for _, other := range []struct {
		name string
		key  []byte
		aad  string
	}{{"same key and context", testKey(1), "version 1"}, {"other context", testKey(1), "version 2"}, {"other key", testKey(2), "version 1"}} {
		otherHeader, otherSegments := sealWith(t, p, other.key, []byte(other.aad), plaintext)
		for i := range segments {
			spliced := append([][]byte(nil), segments...)
			spliced[i] = otherSegments[i]
			refused(t, other.name, p, key, []byte("version 1"), header, bytes.Join(spliced, nil), plaintext)
		}
		refused(t, other.name+", header", p, key, []byte("version 1"), otherHeader, bytes.Join(segments, nil), plaintext)
	}
	refused(t, "opened as another context", p, key, []byte("version 2"), header, bytes.Join(segments, nil), plaintext)
}

func TestParametersAreNotNegotiated(t *testing.T) { // attack 38, S-SEAL-01
	key, aad := testKey(1), []byte("context")
	sealed, err := Seal(nil, key, aad, []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	// The authentic header of a sibling with other parameters, so that only
	// the comparison of parameters can refuse it.
	for _, p := range []params{tiny(), suiteParams(BodySegment)} {
		header, segments := sealWith(t, p, key, aad, []byte("content"))
		if _, err := Open(key, aad, join(header, segments...)); !errors.Is(err, ErrOpen) {
			t.Errorf("segment length %d: %v, want ErrOpen", p.segment, err)
		}
	}
	for i := range paramsSize {
		for _, v := range []byte{1, 2, 255} {
			changed := append([]byte(nil), sealed...)
			changed[i] ^= v
			if _, err := Open(key, aad, changed); !errors.Is(err, ErrOpen) {
				t.Errorf("parameter byte %d: %v, want ErrOpen", i, err)
			}
		}
	}
	for _, segment := range []int{0, -1, 32, 40, 64, 65536, BodySegment + 1} {
		if _, err := NewWriter(nil, io.Discard, key, aad, segment); !errors.Is(err, ErrParameters) {
			t.Errorf("NewWriter(%d): %v, want ErrParameters", segment, err)
		}
		if _, err := NewReader(bytes.NewReader(nil), sealed[:HeaderSize], key, aad, segment); !errors.Is(err, ErrParameters) {
			t.Errorf("NewReader(%d): %v, want ErrParameters", segment, err)
		}
		if _, err := NewRangeReader(bytes.NewReader(nil), sealed[:HeaderSize], key, aad, segment, 0); !errors.Is(err, ErrParameters) {
			t.Errorf("NewRangeReader(%d): %v, want ErrParameters", segment, err)
		}
		if _, _, err := NewKeys(nil, key, aad, segment); !errors.Is(err, ErrParameters) {
			t.Errorf("NewKeys(%d): %v, want ErrParameters", segment, err)
		}
		if _, err := OpenKeys(key, aad, sealed[:HeaderSize], segment); !errors.Is(err, ErrParameters) {
			t.Errorf("OpenKeys(%d): %v, want ErrParameters", segment, err)
		}
	}
	for _, length := range []int{0, 16, 31, 33} {
		if _, err := Seal(nil, make([]byte, length), aad, nil); !errors.Is(err, ErrParameters) {
			t.Errorf("key of %d bytes: %v, want ErrParameters", length, err)
		}
		if _, err := Open(make([]byte, length), aad, sealed); !errors.Is(err, ErrOpen) {
			t.Errorf("key of %d bytes: %v, want ErrOpen", length, err)
		}
	}
}

func TestHeaderCommitsToKey(t *testing.T) { // attacks 23, 47, S-SEAL-02
	key, aad := testKey(1), []byte("context")
	sealed, err := Seal(nil, key, aad, []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	for bit := range KeySize * 8 {
		other := append([]byte(nil), key...)
		other[bit/8] ^= 1 << (bit % 8)
		// The header alone must refuse: the segments never get a say, because
		// AES-GCM can be made to accept one ciphertext under two keys.
		if _, err := OpenKeys(other, aad, sealed[:HeaderSize], SmallSegment); !errors.Is(err, ErrOpen) {
			t.Errorf("another key: %v, want ErrOpen", err)
		}
	}
	for _, aad := range []string{"", "contex", "context ", "Context"} {
		if _, err := OpenKeys(key, []byte(aad), sealed[:HeaderSize], SmallSegment); !errors.Is(err, ErrOpen) {
			t.Errorf("another context: %v, want ErrOpen", err)
		}
	}
}

// recorder is randomness that remembers what it gave.
type recorder struct{ given [][]byte }

func (r *recorder) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(rand.Uint32())
	}
	r.given = append(r.given, append([]byte(nil), p...))
	return len(p), nil
}

func TestFreshRandomness(t *testing.T) { // attack 43, S-SEAL-06
	key, aad, plaintext := testKey(1), []byte("context"), pattern(2*SmallSegment)
	var source recorder
	first, err := Seal(&source, key, aad, plaintext)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Seal(&source, key, aad, plaintext); err != nil {
		t.Fatal(err)
	}
	// Two times: one IV, three nonces, nothing else.
	if got, want := len(source.given), 8; got != want {
		t.Fatalf("%d reads of randomness, want %d", got, want)
	}
	seen := map[string]bool{}
	for i, given := range source.given {
		if want := []int{ivSize, nonceSize, nonceSize, nonceSize}[i%4]; len(given) != want || seen[string(given)] {
			t.Errorf("read %d: %d bytes, want %d fresh ones", i, len(given), want)
		}
		seen[string(given)] = true
	}
	if !bytes.Equal(first[paramsSize:][:ivSize], source.given[0]) {
		t.Error("the header's IV is not the randomness drawn for it")
	}
	for i := range 3 {
		if !bytes.Equal(first[HeaderSize+i*SmallSegment+4:][:nonceSize], source.given[1+i]) {
			t.Errorf("nonce %d is not the randomness drawn for it", i)
		}
	}
}

func TestFailingRandomness(t *testing.T) {
	broken := errors.New("no randomness")
	for n := range 3 {
		var source io.Reader = io.MultiReader(bytes.NewReader(make([]byte, n*16)), iotest.ErrReader(broken))
		if sealed, err := Seal(source, testKey(1), nil, []byte("content")); !errors.Is(err, broken) || sealed != nil {
			t.Errorf("after %d bytes: %d bytes, %v", n*16, len(sealed), err)
		}
	}
}

func TestReleasesOnlyVerified(t *testing.T) { // attack 45, S-SEAL-08
	p, key, aad := tiny(), testKey(1), []byte("context")
	plaintext := pattern(4 * p.capacity())
	header, segments := sealWith(t, p, key, aad, plaintext)
	for i := range segments {
		changed := append([][]byte(nil), segments...)
		changed[i] = append([]byte(nil), segments[i]...)
		changed[i][len(changed[i])-1] ^= 1
		r, err := newReader(p, iotest.OneByteReader(bytes.NewReader(bytes.Join(changed, nil))), header, key, aad)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(iotest.OneByteReader(r))
		if !errors.Is(err, ErrOpen) || !bytes.Equal(got, plaintext[:i*p.capacity()]) {
			t.Errorf("segment %d changed: released %d bytes, %v; want %d, ErrOpen", i, len(got), err, i*p.capacity())
		}
	}
	// The full final segment waits for the end of the source.
	r, err := newReader(p, bytes.NewReader(append(bytes.Join(segments, nil), 0)), header, key, aad)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); !errors.Is(err, ErrOpen) || len(got) != 3*p.capacity() {
		t.Errorf("one byte more: released %d bytes, %v; want %d, ErrOpen", len(got), err, 3*p.capacity())
	}
	// A source that fails is not a source that ends.
	broken := errors.New("connection lost")
	for n := range len(segments) * p.segment {
		source := io.MultiReader(bytes.NewReader(bytes.Join(segments, nil)[:n]), iotest.ErrReader(broken))
		r, err := newReader(p, source, header, key, aad)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); !errors.Is(err, broken) || !bytes.HasPrefix(plaintext, got) {
			t.Errorf("source failed after %d: %d bytes, %v", n, len(got), err)
		}
	}
}

// brokenWriter fails after some segments.
type brokenWriter struct{ left int }

var errBroken = errors.New("disk full")

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.left--; w.left < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

func TestWriterStops(t *testing.T) {
	p := tiny()
	for left := range 3 {
		w, err := newWriter(p, nil, &brokenWriter{left}, testKey(1), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, writeErr := w.Write(pattern(3 * p.capacity()))
		if closeErr := w.Close(); !errors.Is(errors.Join(writeErr, closeErr), errBroken) {
			t.Errorf("after %d segments: %v, %v", left, writeErr, closeErr)
		}
		if _, err := w.Write([]byte{0}); !errors.Is(err, errBroken) {
			t.Errorf("write after failure: %v", err)
		}
	}
	w, err := newWriter(p, nil, io.Discard, testKey(1), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte{0}); !errors.Is(err, ErrClosed) {
		t.Errorf("write after close: %v, want ErrClosed", err)
	}
	if err := w.Close(); !errors.Is(err, ErrClosed) {
		t.Errorf("second close: %v, want ErrClosed", err)
	}
}

func TestSegmentLimits(t *testing.T) {
	p := tiny()
	s, _, err := startEncryption(p, nil, testKey(1), nil)
	if err != nil {
		t.Fatal(err)
	}
	full := make([]byte, p.capacity())
	for _, c := range []struct {
		name      string
		plaintext []byte
		position  uint64
		final     bool
		want      error
	}{
		{"last possible", full, MaxSegments - 1, true, nil},
		{"no room for the final one", full, MaxSegments - 1, false, ErrTooLong},
		{"beyond", full, MaxSegments, true, ErrTooLong},
		{"short and not final", full[1:], 0, false, ErrParameters},
		{"too long", make([]byte, p.capacity()+1), 0, true, ErrParameters},
	} {
		if _, err := s.encryptSegment(nil, nil, c.plaintext, c.position, c.final); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestSegmentLengthsFirst opens authentic ciphertext of impossible length: only
// the checks before the cipher can refuse it.
func TestSegmentLengthsFirst(t *testing.T) { // S-SEAL-05
	p := tiny()
	s, _, err := startEncryption(p, nil, testKey(1), nil)
	if err != nil {
		t.Fatal(err)
	}
	segment := func(n int, position uint64, final bool) []byte {
		cipher, err := s.cipher(position)
		if err != nil {
			t.Fatal(err)
		}
		word := uint32(notFinal)
		if final {
			word = uint32(n)
		}
		b := append(binary.BigEndian.AppendUint32(nil, word), make([]byte, nonceSize)...)
		if b, err = cipher.seal(b, make([]byte, nonceSize), make([]byte, n-SegmentOverhead), segmentAAD(position, final)); err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		name     string
		segment  []byte
		position uint64
		final    bool
		want     error
	}{
		{"full", segment(64, 0, false), 0, false, nil},
		{"final", segment(50, 0, true), 0, true, nil},
		{"empty", segment(32, 0, true), 0, true, nil},
		{"last possible", segment(64, MaxSegments-1, true), MaxSegments - 1, true, nil},
		{"final and too long", segment(65, 0, true), 0, true, ErrOpen},
		{"too long", segment(65, 0, false), 0, false, ErrOpen},
		{"short and not final", segment(63, 0, false), 0, false, ErrOpen},
		{"no room for the final one", segment(64, MaxSegments-1, false), MaxSegments - 1, false, ErrOpen},
		{"beyond", segment(64, MaxSegments, true), MaxSegments, true, ErrOpen},
	} {
		if _, err := s.decryptSegment(nil, c.segment, c.position, c.final); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	for n := range SegmentOverhead {
		short := segment(SegmentOverhead, 0, true)[:n]
		if n >= 4 {
			binary.BigEndian.PutUint32(short, uint32(n))
		}
		if _, err := s.decryptSegment(nil, short, 0, true); !errors.Is(err, ErrOpen) {
			t.Errorf("%d bytes: %v, want ErrOpen", n, err)
		}
	}
}

func TestRangeReader(t *testing.T) { // S-SEAL-07
	p, key, aad := params{64, 1}, testKey(1), []byte("context") // a new key every two segments
	for _, size := range []int{1, 31, 32, 33, 64, 200} {
		plaintext := pattern(size)
		header, segments := sealWith(t, p, key, aad, plaintext)
		body := bytes.Join(segments, nil)
		r, err := newRangeReader(p, bytes.NewReader(body), header, key, aad, int64(size))
		if err != nil {
			t.Fatal(err)
		}
		for offset := range size + 2 {
			for length := range size + 3 {
				b := make([]byte, length)
				n, err := r.ReadAt(b, int64(offset))
				want := plaintext[min(offset, size):min(offset+length, size)]
				if !bytes.Equal(b[:n], want) || n == length != (err == nil) && length > 0 || err != nil && err != io.EOF {
					t.Fatalf("ReadAt(%d, %d) of %d: %d bytes, %v, want %d", length, offset, size, n, err, len(want))
				}
			}
		}
		if err := iotest.TestReader(io.NewSectionReader(r, 0, int64(size)), plaintext); err != nil {
			t.Error(err)
		}
		// A wrong length, as from a header that nobody signed.
		for wrong := range size + p.capacity() + 2 {
			if wrong == size {
				continue
			}
			r, err := newRangeReader(p, bytes.NewReader(body), header, key, aad, int64(wrong))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.ReadAt(make([]byte, 1), max(0, int64(wrong)-1)); !errors.Is(err, ErrOpen) {
				t.Errorf("length %d for %d: %v, want ErrOpen", wrong, size, err)
			}
		}
	}
	header, segments := sealWith(t, p, key, aad, nil)
	for _, c := range []struct {
		body []byte
		want error
	}{{segments[0], io.EOF}, {nil, ErrOpen}} {
		r, err := newRangeReader(p, bytes.NewReader(c.body), header, key, aad, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.ReadAt(make([]byte, 1), 0); !errors.Is(err, c.want) {
			t.Errorf("empty: %v, want %v", err, c.want)
		}
	}
	r, err := newRangeReader(p, brokenReaderAt{}, header, key, aad, 10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadAt(make([]byte, 1), 0); !errors.Is(err, errBroken) {
		t.Errorf("failing source: %v, want its own error", err)
	}
	if _, err := newRangeReader(p, nil, header, key, aad, -1); !errors.Is(err, ErrParameters) {
		t.Errorf("negative length: %v, want ErrParameters", err)
	}
}

type brokenReaderAt struct{}

func (brokenReaderAt) ReadAt([]byte, int64) (int, error) { return 0, errBroken }

func TestRangeReaderConcurrent(t *testing.T) {
	p, key, aad := params{64, 1}, testKey(1), []byte("context")
	plaintext := pattern(40 * p.capacity())
	header, segments := sealWith(t, p, key, aad, plaintext)
	r, err := newRangeReader(p, bytes.NewReader(bytes.Join(segments, nil)), header, key, aad, int64(len(plaintext)))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				offset := rand.IntN(len(plaintext) - 50)
				b := make([]byte, 50)
				if _, err := r.ReadAt(b, int64(offset)); err != nil || !bytes.Equal(b, plaintext[offset:offset+50]) {
					t.Errorf("ReadAt(%d): %v", offset, err)
				}
			}
		})
	}
	wg.Wait()
}

// TestPump seals with the exported keys alone, the way JavaScript does.
func TestPump(t *testing.T) {
	key, aad := testKey(1), []byte("context")
	plaintext := pattern(SmallSegment + 100)
	pump, header, err := NewKeys(nil, key, aad, SmallSegment)
	if err != nil {
		t.Fatal(err)
	}
	var sealed []byte
	capacity := SmallSegment - SegmentOverhead
	for i, piece := range [][]byte{plaintext[:capacity], plaintext[capacity:]} {
		segmentKey := pump.SegmentKey(uint64(i))
		cipher, err := newAEAD(segmentKey[:])
		if err != nil {
			t.Fatal(err)
		}
		final := i == 1
		word := []byte{0xff, 0xff, 0xff, 0xff}
		if final {
			n := len(piece) + SegmentOverhead
			word = []byte{0, 0, byte(n >> 8), byte(n)}
		}
		nonce := bytes.Repeat([]byte{byte(i + 1)}, 12)
		sealed = append(append(sealed, word...), nonce...)
		if sealed, err = cipher.seal(sealed, nonce, piece, SegmentAAD(uint64(i), final)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Open(key, aad, join(header, sealed)); err != nil || !bytes.Equal(got, plaintext) {
		t.Errorf("pumped: %d bytes, %v", len(got), err)
	}
	opened, err := OpenKeys(key, aad, header, SmallSegment)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []uint64{0, 1, SegmentsPerKey - 1, SegmentsPerKey, MaxSegments - 1} {
		if opened.SegmentKey(i) != pump.SegmentKey(i) {
			t.Errorf("keys of segment %d differ", i)
		}
	}
	if pump.SegmentKey(0) != pump.SegmentKey(SegmentsPerKey-1) || pump.SegmentKey(0) == pump.SegmentKey(SegmentsPerKey) {
		t.Error("the key does not change exactly every SegmentsPerKey segments")
	}
}

func TestCallerKeepsItsBytes(t *testing.T) {
	key, aad, plaintext := testKey(1), []byte("context"), pattern(100)
	sealed, err := Seal(nil, key, aad, plaintext)
	if err != nil {
		t.Fatal(err)
	}
	before := append([]byte(nil), sealed...)
	got, err := Open(key, aad, sealed)
	if err != nil || !bytes.Equal(got, pattern(100)) || !bytes.Equal(sealed, before) || !bytes.Equal(plaintext, pattern(100)) ||
		!bytes.Equal(key, testKey(1)) || string(aad) != "context" {
		t.Errorf("an argument was changed: %v", err)
	}
}

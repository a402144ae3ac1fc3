package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"
)

// TestText: an id and a hash have one spelling. S-WIRE-02
func TestText(t *testing.T) {
	var id ObjectID
	var h Hash
	for i := range h {
		h[i] = byte(i)
		id[i%16] = byte(i % 16)
	}
	if id.String() != "aaaqeayeaudaocajbifqydiob4" || len(h.String()) != 52 {
		t.Errorf("%s", id)
	}
	if got, err := ParseObjectID(id.String()); err != nil || got != id {
		t.Error(err)
	}
	if got, err := ParseHash(h.String()); err != nil || got != h {
		t.Error(err)
	}
	text := id.String()
	for name, s := range map[string]string{"none": "", "short": text[1:], "long": text + "a", "upper case": strings.ToUpper(text), "padding": text[:25] + "=", "unused bits": text[:25] + "5",
		"line break": text[:10] + "\n" + text[11:], "a digit that is none": text[:25] + "1", "huge": strings.Repeat("a", 1<<20)} {
		if got, err := ParseObjectID(s); !errors.Is(err, ErrMalformed) || !got.IsZero() {
			t.Errorf("%s: %v", name, err)
		}
	}
	var back struct {
		ID   ObjectID
		Hash Hash
	}
	if err := json.Unmarshal([]byte(`{"ID":"`+id.String()+`","Hash":"`+h.String()+`"}`), &back); err != nil || back.ID != id || back.Hash != h {
		t.Error(err)
	}
	if err := json.Unmarshal([]byte(`{"ID":"x"}`), &back); err == nil {
		t.Error("JSON takes any id")
	}
}

// TestReader: what is not there is not read, and is not asked memory for. S-WIRE-01 S-WIRE-03 S-WIRE-04 S-WIRE-05
func TestReader(t *testing.T) {
	w := NewWriter()
	w.Uint8(Suite)
	w.Uint16(2)
	w.Uint32(3)
	w.Uint64(4)
	w.Bool(true)
	w.Fixed([]byte("abc"))
	w.Bytes16([]byte("de"))
	w.Bytes32([]byte("fg"))
	w.Text("h\u00e9")
	w.Count(2)
	w.Fixed([]byte("xy"))
	whole := w.Bytes()
	read := func(b []byte) error {
		r := NewReader(b)
		if err := r.Suite(); err != nil {
			return err
		}
		r.Uint16()
		r.Uint32()
		r.Uint64()
		r.Bool()
		r.Fixed(3)
		r.Bytes16(2)
		r.Bytes32(2)
		r.Text(3)
		for range r.Count(2, 1) {
			r.Uint8()
		}
		return r.Done()
	}
	if err := read(whole); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if err := read(whole[:n]); !errors.Is(err, ErrMalformed) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	if err := read(append(bytes.Clone(whole), 0)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a byte more: %v", err)
	}
	for _, s := range []byte{0, 2, 255} {
		b := bytes.Clone(whole)
		b[0] = s
		if err := read(b); !errors.Is(err, ErrSuite) {
			t.Errorf("suite %d: %v", s, err)
		}
	}
	for name, f := range map[string]func(r *Reader){
		"bool 2":             func(r *Reader) { r.Bool() },
		"text not UTF-8":     func(r *Reader) { r.Uint8(); r.Text(10) },
		"longer than max":    func(r *Reader) { r.Uint8(); r.Bytes16(1) },
		"32 longer than max": func(r *Reader) { r.Fixed(5); r.Bytes32(1) },
		"count above max":    func(r *Reader) { r.Uint8(); r.Count(1, 0) },
		"count without room": func(r *Reader) { r.Uint8(); r.Count(9, 100) },
	} {
		r := NewReader([]byte{2, 0, 2, 0xff, 0xfe, 0, 0, 0, 2, 1, 1})
		f(r)
		if !r.Failed() {
			t.Errorf("%s is read", name)
		}
		if r.Done() == nil || r.More() || r.Uint64() != 0 || len(r.Rest()) != 0 {
			t.Errorf("%s: reading goes on after a failure", name)
		}
	}
	// 64 MiB are announced and allowed, and not there.
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if b := NewReader([]byte{4, 0, 0, 0}).Bytes32(1 << 30); b != nil {
		t.Error("read what is not there")
	}
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 1<<20 {
		t.Error("a length without bytes asks for memory")
	}
}

func FuzzParseText(f *testing.F) {
	f.Add("")
	f.Add(ObjectID{1}.String())
	f.Add(Hash{1}.String())
	f.Add(strings.ToUpper(ObjectID{}.String()))
	f.Add(ObjectID{}.String()[:25] + "5")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := ParseObjectID(s); err == nil && id.String() != s {
			t.Fatalf("%q re-encodes to %q", s, id)
		}
		if h, err := ParseHash(s); err == nil && h.String() != s {
			t.Fatalf("%q re-encodes to %q", s, h)
		}
	})
}

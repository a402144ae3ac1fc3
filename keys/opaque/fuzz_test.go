package opaque

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// parsers are all of the wire, each beside the library's own parser, which is
// another implementation of the same lengths and points.
func parsers(t testing.TB) map[byte]struct{ ours, theirs func([]byte) ([]byte, bool) } {
	s := ourSuite()
	library, err := s.conf.Deserializer()
	if err != nil {
		t.Fatal(err)
	}
	type pair = struct{ ours, theirs func([]byte) ([]byte, bool) }
	return map[byte]pair{
		0: {func(b []byte) ([]byte, bool) {
			m, ok := s.parseRegistrationRequest(b)
			if !ok {
				return nil, false
			}
			return encodeRegistrationRequest(m), true
		}, func(b []byte) ([]byte, bool) {
			m, err := library.RegistrationRequest(b)
			if err != nil {
				return nil, false
			}
			return m.Serialize(), true
		}},
		1: {func(b []byte) ([]byte, bool) {
			m, ok := s.parseRegistrationResponse(b)
			if !ok {
				return nil, false
			}
			return encodeRegistrationResponse(m), true
		}, func(b []byte) ([]byte, bool) {
			m, err := library.RegistrationResponse(b)
			if err != nil {
				return nil, false
			}
			return m.Serialize(), true
		}},
		2: {func(b []byte) ([]byte, bool) {
			m, ok := s.parseRecord(b)
			if !ok {
				return nil, false
			}
			return encodeRecord(m), true
		}, func(b []byte) ([]byte, bool) {
			m, err := library.RegistrationRecord(b)
			if err != nil {
				return nil, false
			}
			return m.Serialize(), true
		}},
		3: {func(b []byte) ([]byte, bool) {
			m, ok := s.parseKE1(b)
			if !ok {
				return nil, false
			}
			return encodeKE1(m), true
		}, func(b []byte) ([]byte, bool) {
			m, err := library.KE1(b)
			if err != nil {
				return nil, false
			}
			return m.Serialize(), true
		}},
		4: {func(b []byte) ([]byte, bool) {
			m, ok := s.parseKE2(b)
			if !ok {
				return nil, false
			}
			return encodeKE2(m), true
		}, func(b []byte) ([]byte, bool) {
			m, err := library.KE2(b)
			if err != nil {
				return nil, false
			}
			return m.Serialize(), true
		}},
	}
}

// FuzzParse: what parses encodes to the same bytes, and the library agrees.
func FuzzParse(f *testing.F) {
	all := parsers(f)
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		p, ok := all[kind]
		if !ok {
			return
		}
		before := bytes.Clone(b)
		again, ok := p.ours(b)
		if !bytes.Equal(before, b) {
			t.Fatal("parsing changed its input")
		}
		if ok && !bytes.Equal(again, b) {
			t.Fatal("does not re-encode to what was parsed")
		}
		if theirs, ok2 := p.theirs(b); ok != ok2 || !bytes.Equal(theirs, again) {
			t.Fatalf("ours parses: %v, the library: %v", ok, ok2)
		}
	})
}

// FuzzServer hands a server what anybody may send and what a store may hold.
func FuzzServer(f *testing.F) {
	server := newServer(f, 1, origin)
	f.Fuzz(func(t *testing.T, name string, record, ke1 []byte) {
		if len(record) == 0 {
			record = nil
		}
		ke2, state, err := server.LoginStart(name, record, ke1)
		if err != nil {
			if err != ErrRefused || ke2 != nil || state != nil {
				t.Fatalf("%v, want exactly ErrRefused", err)
			}
			return
		}
		if len(ke2) != KE2Size || len(state) != StateSize {
			t.Fatalf("%d and %d bytes", len(ke2), len(state))
		}
		if _, err := LoginFinish(state, ke1[:64]); err != ErrRefused {
			t.Fatal("a KE1 finishes a sign-in")
		}
	})
}

// FuzzLoginFinish: no pair of bytes is a sign-in, but the one that was made.
func FuzzLoginFinish(f *testing.F) {
	f.Fuzz(func(t *testing.T, state, ke3 []byte) {
		key, err := LoginFinish(state, ke3)
		if err != nil {
			if err != ErrRefused || key != nil {
				t.Fatalf("%v, want exactly ErrRefused", err)
			}
			return
		}
		if !bytes.Equal(newState(ke3, key, 1), state) {
			t.Fatal("a state that nobody made")
		}
	})
}

var corpora = []string{"FuzzParse", "FuzzServer", "FuzzLoginFinish"}

// TestCorpus fails when a fuzz test would run on nothing.
func TestCorpus(t *testing.T) {
	for _, target := range corpora {
		files, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
		if err != nil || len(files) == 0 {
			t.Errorf("%s has no corpus: %v", target, err)
		}
	}
}

// zeroed clears a part of what has it.
func zeroed(b []byte, from, to int) []byte {
	b = bytes.Clone(b)
	clear(b[min(from, len(b)):min(to, len(b))])
	return b
}

// TestWriteCorpus makes the corpus again when UPDATE_CORPUS is set.
func TestWriteCorpus(t *testing.T) {
	if os.Getenv("UPDATE_CORPUS") == "" {
		return
	}
	server := newServer(t, 1, origin)
	her := person{unstretched(), ada, origin, secret}
	record, _ := her.register(t, server)
	_, ke1 := her.start(t)
	ke2, state, err := server.LoginStart(ada, record, ke1)
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.RegisterResponse(ada, ke1[:32])
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	write := func(target, text string) {
		folder := filepath.Join("testdata", "fuzz", target)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("seed-%02d", n[target])), []byte("go test fuzz v1\n"+text), 0o644); err != nil {
			t.Fatal(err)
		}
		n[target]++
	}
	for kind, b := range [][]byte{ke1[:32], response, record, ke1, ke2} {
		for _, b := range [][]byte{b, b[:len(b)-1], append(bytes.Clone(b), 0), make([]byte, len(b)), nil, zeroed(b, 32, 64), zeroed(b, 64, 128), zeroed(b, 192, 224)} {
			write("FuzzParse", fmt.Sprintf("byte('\\x%02x')\n[]byte(%q)\n", kind, b))
		}
	}
	for _, c := range [][2][]byte{{record, ke1}, {nil, ke1}, {record[:100], ke1}, {record, ke1[:95]}, {make([]byte, RecordSize), make([]byte, KE1Size)}} {
		write("FuzzServer", fmt.Sprintf("string(%q)\n[]byte(%q)\n[]byte(%q)\n", ada, c[0], c[1]))
	}
	mac := bytes.Repeat([]byte{7}, KE3Size)
	for _, c := range [][2][]byte{{state, mac}, {newState(mac, mac, 1), mac}, {state[:10], mac}, {state, nil}} {
		write("FuzzLoginFinish", fmt.Sprintf("[]byte(%q)\n[]byte(%q)\n", c[0], c[1]))
	}
}

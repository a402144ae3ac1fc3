package api

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/underseal/underseal/protocol/wire"
)

// TestContentDigest: RFC 9530's spelling, and one of it. S-API-02
func TestContentDigest(t *testing.T) {
	d := sha256.Sum256([]byte("hello"))
	text := ContentDigest(d)
	if text != "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:" {
		t.Fatal(text)
	}
	if got, err := ParseContentDigest(text); err != nil || got != d {
		t.Fatal(err)
	}
	for name, s := range map[string]string{"none": "", "bare": strings.Trim(text[8:], ":"), "upper case": strings.Replace(text, "sha", "SHA", 1), "another hash": strings.Replace(text, "256", "512", 1),
		"no end": strings.TrimSuffix(text, ":"), "no padding": strings.Replace(text, "=:", ":", 2), "line break": text[:20] + "\n" + text[20:], "carriage return": text[:20] + "\r" + text[20:],
		"unused bits": strings.Replace(text, "CQ=", "CR=", 1), "short": "sha-256=:AAAA:", "two": text + ", " + text, "parameters": text + ";x", "space": " " + text} {
		if _, err := ParseContentDigest(s); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestProofs: what a proof is over says everything that it is for. S-API-03 S-API-04 S-API-05
func TestProofs(t *testing.T) {
	good := InviteProof{Firm: wire.Hash{1}, Chain: wire.Hash{2}, Invite: wire.ObjectID{3}}
	seen := map[string]string{}
	add := func(name string, message []byte) {
		t.Helper()
		if other := seen[string(message)]; other != "" {
			t.Errorf("%s is signed as %s", name, other)
		}
		seen[string(message)] = name
	}
	add("a proof", InviteProofMessage(ProofGuest, good, []byte("subject")))
	add("another purpose", InviteProofMessage(ProofEnrol, good, []byte("subject")))
	add("another subject", InviteProofMessage(ProofGuest, good, []byte("subjec")))
	for name, change := range map[string]func(*InviteProof){"firm": func(p *InviteProof) { p.Firm[0]++ }, "chain": func(p *InviteProof) { p.Chain[0]++ }, "invite": func(p *InviteProof) { p.Invite[0]++ }} {
		p := good
		change(&p)
		add("another "+name, InviteProofMessage(ProofGuest, p, []byte("subject")))
	}
	add("a login", LoginMessage("https://a.example", []byte("c")))
	add("a login elsewhere", LoginMessage("https://b.example", []byte("c")))
	add("a login again", LoginMessage("https://a.example", []byte("d")))
	add("a login with its bytes moved", LoginMessage("https://a.examplec", nil))
	add("a guest", GuestSubject([]byte("ticket"), []byte("bundle")))
	add("a guest with other keys", GuestSubject([]byte("ticket"), []byte("bundl3")))
	add("a guest with another ticket", GuestSubject([]byte("tickeT"), []byte("bundle")))
	ticket := append(make([]byte, 0, 64), "ticket"...)
	GuestSubject(ticket, []byte("x"))
	if string(ticket[:cap(ticket)][6:12]) != "\x00\x00\x00\x00\x00\x00" {
		t.Error("GuestSubject writes behind its argument")
	}
}

// TestCodes: the set is closed, and an error is a code, a sentence and at most a head. S-API-01
func TestCodes(t *testing.T) {
	codes := ServerCodes()
	if len(codes) < 20 || slices.Contains(codes, CodeServerLied) || slices.Contains(codes, CodeOffline) || slices.Contains(codes, "") {
		t.Errorf("%d codes, or one that only a client makes", len(codes))
	}
	if slices.Sort(codes); len(slices.Compact(codes)) != len(ServerCodes()) {
		t.Error("a code twice")
	}
	b, err := json.Marshal(&Error{Code: CodeMoved, Message: "m", Chain: &ChainHead{}})
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil {
		t.Fatal(err)
	}
	delete(fields, "code")
	delete(fields, "message")
	delete(fields, "chain")
	if len(fields) != 0 {
		t.Errorf("an error says more: %v", fields)
	}
}

// TestPaths: the paths that a client builds are those of the routes.
func TestPaths(t *testing.T) {
	firm, chain, a, b := wire.Hash{1}, wire.Hash{2}, wire.ObjectID{3}, wire.ObjectID{4}
	fill := func(route string) string {
		return strings.NewReplacer(":firm", firm.String(), ":chain", chain.String(), ":upload", a.String(), ":number", "7", ":document", a.String(), ":version", b.String(), ":epoch", "5").Replace(route)
	}
	for got, route := range map[string]string{
		Chain(firm, chain): RouteChain, Entries(firm, chain, 9): RouteEntries + "?from=9", UploadPath(firm, chain, a): RouteUpload, ChunkPath(firm, chain, a, 7): RouteChunk,
		VersionPath(firm, chain, a, b) + "/body": RouteBody, VersionPath(firm, chain, a, b) + "/digests": RouteDigests, WrapPath(firm, chain, 5): RouteWrap, Firm(firm) + "/chains": RouteChains,
	} {
		if want := fill(route); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func FuzzParseContentDigest(f *testing.F) {
	f.Add(ContentDigest([32]byte{1}))
	f.Add("sha-256=::")
	f.Add("sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nA=:")
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseContentDigest(s); err == nil && ContentDigest(d) != s {
			t.Fatalf("%q re-encodes differently", s)
		}
	})
}

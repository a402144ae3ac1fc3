package interop

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	f_log "github.com/transparency-dev/formats/log"
	f_note "github.com/transparency-dev/formats/note"
	f_proof "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	t_api "github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"

	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// both verifies a note of the log under each of its keys, as a stranger's software reads them.
type both struct {
	origin    string
	ed, mldsa note.Verifier
}

func verifiers(t testing.TB, origin string, vkeys []string) both {
	t.Helper()
	b := both{origin: origin}
	for _, k := range vkeys {
		v, err := f_note.NewVerifier(k)
		ok(t, err)
		if v.Name() != origin {
			t.Fatalf("a key is named %q", v.Name())
		}
		key, err := base64.StdEncoding.DecodeString(strings.SplitN(k, "+", 3)[2])
		ok(t, err)
		if key[0] == log.AlgEd25519 {
			b.ed = v
		} else {
			b.mldsa = v
		}
	}
	if b.ed == nil || b.mldsa == nil {
		t.Fatal("a key is missing")
	}
	return b
}

// open accepts a checkpoint under both signatures and no other.
func (b both) open(signed []byte) (*f_log.Checkpoint, error) {
	c, extra, n, err := f_log.ParseCheckpoint(signed, b.origin, b.ed, b.mldsa)
	if err != nil {
		return nil, err
	}
	if len(n.Sigs) != 2 || len(n.UnverifiedSigs) != 0 || len(extra) != 0 {
		return nil, fmt.Errorf("%d signatures, %d unknown, %q", len(n.Sigs), len(n.UnverifiedSigs), extra)
	}
	return c, nil
}

// leafHashes is how Tessera is told to hash a bundle: each entry as RFC 6962 does, with nothing of ours.
func leafHashes(bundle []byte) ([][]byte, error) {
	var b t_api.EntryBundle
	if err := b.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	var all [][]byte
	for _, e := range b.Entries {
		all = append(all, rfc6962.DefaultHasher.HashLeaf(e))
	}
	return all, nil
}

// check runs Tessera's checker over a whole log.
func check(b both, f fsck.Fetcher) error {
	for _, v := range []note.Verifier{b.ed, b.mldsa} {
		if err := fsck.New(b.origin, v, f, leafHashes, fsck.Opts{N: 2}).Check(context.Background()); err != nil {
			return err
		}
	}
	return nil
}

func (f *firm) fetcher() *client.HTTPFetcher {
	return must[*client.HTTPFetcher](f.t)(client.NewHTTPFetcher(f.url(), nil))
}

// proofs checks that Tessera's client can prove leaves of the log, and the log from earlier sizes.
func proofs(t testing.TB, b both, f fsck.Fetcher, leaves []uint64, roots map[uint64][]byte) {
	t.Helper()
	c, _, _, err := client.FetchCheckpoint(t.Context(), f.ReadCheckpoint, b.ed, b.origin)
	ok(t, err)
	builder, err := client.NewProofBuilder(t.Context(), c.Size, f.ReadTile)
	ok(t, err)
	for _, i := range leaves {
		if i >= c.Size {
			continue
		}
		bundle, err := client.GetEntryBundle(t.Context(), f.ReadEntryBundle, i/256, c.Size)
		ok(t, err)
		path, err := builder.InclusionProof(t.Context(), i)
		ok(t, err)
		hash := rfc6962.DefaultHasher.HashLeaf(bundle.Entries[i%256])
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, i, c.Size, hash, path, c.Hash); err != nil {
			t.Fatalf("leaf %d of %d: %v", i, c.Size, err)
		}
		hash[0] ^= 1
		if proof.VerifyInclusion(rfc6962.DefaultHasher, i, c.Size, hash, path, c.Hash) == nil {
			t.Fatal("another leaf is proved, too")
		}
	}
	for size, root := range roots {
		path, err := builder.ConsistencyProof(t.Context(), size, c.Size)
		ok(t, err)
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, size, c.Size, path, root, c.Hash); err != nil {
			t.Fatalf("%d to %d: %v", size, c.Size, err)
		}
	}
}

// TestServed: Tessera accepts the log of a running server at every size around the edges of its tiles, and every step from
// one size to the next. S-LOG-13
func TestServed(t *testing.T) {
	for _, sizes := range [][]uint64{{5, 255, 257, 511, 513}, {13, 256, 258, 512, 514}} {
		f := found(t, plan{})
		if sizes[0] == 13 { // what people do is in the log, too
			f.open()
			f.release(0)
		}
		b := verifiers(t, f.trust.Origin, f.trust.Keys)
		roots := map[uint64][]byte{}
		var tracker *client.LogStateTracker
		for _, size := range sizes {
			f.growTo(size)
			ok(t, check(b, f.fetcher()))
			raw, err := f.fetcher().ReadCheckpoint(t.Context())
			ok(t, err)
			c, err := b.open(raw)
			if err != nil || c.Size != size {
				t.Fatalf("%+v %v", c, err)
			}
			proofs(t, b, f.fetcher(), []uint64{0, 1, 2, 254, 255, 256, 257, 510, 511, 512, 513}, roots)
			roots[c.Size] = c.Hash
			if tracker == nil {
				tracker, err = client.NewLogStateTracker(t.Context(), f.fetcher().ReadTile, raw, b.ed, b.origin, client.UnilateralConsensus(f.fetcher().ReadCheckpoint))
				ok(t, err)
			}
			if _, _, _, err := tracker.Update(t.Context()); err != nil || tracker.Latest().Size != size {
				t.Fatalf("%d leaves: %v", tracker.Latest().Size, err)
			}
		}
	}
}

// TestToken: a log that is not for anybody is for who shows the token.
func TestToken(t *testing.T) {
	f := found(t, plan{token: "secret"})
	b := verifiers(t, f.trust.Origin, f.trust.Keys)
	if check(b, f.fetcher()) == nil {
		t.Fatal("anybody reads the log")
	}
	with := f.fetcher()
	with.SetAuthorizationHeader("Bearer secret")
	ok(t, check(b, with))
}

// bent is a log with one byte of one resource changed.
type bent struct {
	fsck.Fetcher
	bend func(kind string, level, n uint64, b []byte)
}

func (l bent) ReadCheckpoint(ctx context.Context) ([]byte, error) {
	b, err := l.Fetcher.ReadCheckpoint(ctx)
	l.bend("checkpoint", 0, 0, b)
	return b, err
}

func (l bent) ReadTile(ctx context.Context, level, n uint64, p uint8) ([]byte, error) {
	b, err := l.Fetcher.ReadTile(ctx, level, n, p)
	l.bend("tile", level, n, b)
	return b, err
}

func (l bent) ReadEntryBundle(ctx context.Context, n uint64, p uint8) ([]byte, error) {
	b, err := l.Fetcher.ReadEntryBundle(ctx, n, p)
	l.bend("entries", 0, n, b)
	return b, err
}

// TestBent: with one byte changed anywhere, the same software refuses.
func TestBent(t *testing.T) {
	f := found(t, plan{})
	f.growTo(600)
	b := verifiers(t, f.trust.Origin, f.trust.Keys)
	ok(t, check(b, f.fetcher()))
	for _, c := range []struct {
		kind     string
		level, n uint64
		at       int
	}{
		{"entries", 0, 0, 0}, {"entries", 0, 0, 1}, {"entries", 0, 0, 2}, {"entries", 0, 1, 25599}, {"entries", 0, 2, 5000},
		{"tile", 0, 0, 0}, {"tile", 0, 1, 8191}, {"tile", 0, 2, 40}, {"tile", 1, 0, 0}, {"tile", 1, 0, 63},
		{"checkpoint", 0, 0, 0}, {"checkpoint", 0, 0, len(b.origin) + 1}, {"checkpoint", 0, 0, len(b.origin) + 10}, {"checkpoint", 0, 0, 3000},
	} {
		hit := false
		err := check(b, bent{f.fetcher(), func(kind string, level, n uint64, b []byte) {
			if kind == c.kind && level == c.level && n == c.n && c.at < len(b) {
				b[c.at] ^= 1
				hit = true
			}
		}})
		if err == nil || !hit {
			t.Errorf("%+v: hit %v, accepted %v", c, hit, err == nil)
		}
	}
}

// spoil calls try with every byte of b changed, one at a time, but where only bits change that base64 leaves unused: other
// software reads those leniently, ours refuses them (protocol/log).
func spoil(b []byte, try func(changed []byte)) {
	for i := range b {
		if i+1 < len(b) && b[i+1] == '=' {
			continue
		}
		changed := bytes.Clone(b)
		changed[i] ^= 1
		try(changed)
	}
}

// TestCheckpoint: transparency.dev's formats verify both signatures, and refuse the note with any byte changed.
func TestCheckpoint(t *testing.T) {
	f := found(t, plan{})
	b := verifiers(t, f.trust.Origin, f.trust.Keys)
	signed := []byte(f.state(0).Checkpoint)
	c, err := b.open(signed)
	if err != nil || c.Size != 5 || c.Origin != f.trust.Origin {
		t.Fatalf("%+v %v", c, err)
	}
	spoil(signed, func(changed []byte) {
		if _, err := b.open(changed); err == nil {
			t.Fatalf("accepted: %q", changed)
		}
	})
}

// receipt verifies a receipt as somebody would who has only the specification's libraries.
func (b both) receipt(raw []byte) (*f_proof.TLogProof, error) {
	var p f_proof.TLogProof
	if err := p.Unmarshal(raw); err != nil {
		return nil, err
	}
	c, err := b.open(p.Checkpoint)
	if err != nil {
		return nil, err
	}
	var path [][]byte
	for _, h := range p.Hashes {
		path = append(path, h[:])
	}
	hash := rfc6962.DefaultHasher.HashLeaf(p.ExtraData)
	return &p, proof.VerifyInclusion(rfc6962.DefaultHasher, p.Index, c.Size, hash, path, c.Hash)
}

// TestReceipts: what the server answers to an entry is a tlog-proof, and the consistency that comes with it is RFC 6962's.
// S-LOG-11
func TestReceipts(t *testing.T) {
	f := found(t, plan{})
	b := verifiers(t, f.trust.Origin, f.trust.Keys)
	f.open()
	for i, size := range []uint64{0, 255, 511} {
		if size > 0 {
			f.growTo(size)
		}
		seen := must[*f_log.Checkpoint](t)(b.open([]byte(f.state(0).Checkpoint)))
		a := f.rename(fmt.Sprintf("%d.pdf", i), seen.Size)
		if i == 2 {
			a = f.release(seen.Size)
		}
		p, err := b.receipt([]byte(a.Receipt))
		ok(t, err)
		if !bytes.Equal(p.Marshal(), []byte(a.Receipt)) || len(p.ExtraData) != log.LeafSize {
			t.Fatal("a receipt is spelled in another way")
		}
		now := must[*f_log.Checkpoint](t)(b.open(p.Checkpoint))
		consistent(t, a.Consistency, seen, now)
		consistent(t, f.state(seen.Size).Consistency, seen, must[*f_log.Checkpoint](t)(b.open([]byte(f.state(0).Checkpoint))))
		if i == 1 {
			spoil([]byte(a.Receipt), func(changed []byte) {
				if _, err := b.receipt(changed); err == nil {
					t.Fatalf("accepted: %q", changed)
				}
			})
		}
	}
}

// consistent verifies our proof with their code, and that it proves nothing else.
func consistent(t testing.TB, hashes []wire.Hash, from, to *f_log.Checkpoint) {
	t.Helper()
	var path [][]byte
	for _, h := range hashes {
		path = append(path, bytes.Clone(h[:]))
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, from.Size, to.Size, path, from.Hash, to.Hash); err != nil {
		t.Fatalf("%d to %d: %v", from.Size, to.Size, err)
	}
	if len(path) == 0 {
		t.Fatal("no proof")
	}
	for i := range path {
		path[i][7] ^= 1
		if proof.VerifyConsistency(rfc6962.DefaultHasher, from.Size, to.Size, path, from.Hash, to.Hash) == nil {
			t.Fatal("a changed proof proves")
		}
		path[i][7] ^= 1
	}
}

// rows keeps a tree in memory.
type rows map[[2]uint64][]byte

func (r rows) Row(level int, n uint64) ([]byte, error) { return r[[2]uint64{uint64(level), n}], nil }

func (r rows) PutRow(level int, n uint64, row []byte) error {
	r[[2]uint64{uint64(level), n}] = row
	return nil
}

// folder is a log of that many leaves as files.
type folder struct {
	path   string
	signer *log.Signer
	rows   rows
	leaves [][]byte
}

func newFolder(t testing.TB) *folder {
	t.Helper()
	s, err := log.NewSigner("localhost:8420/log/folder", [32]byte{1}, [32]byte{2})
	ok(t, err)
	return &folder{path: t.TempDir(), signer: s, rows: rows{}}
}

// growTo appends leaves and writes what changed.
func (f *folder) growTo(t testing.TB, size uint64) (root wire.Hash) {
	t.Helper()
	from := uint64(len(f.leaves))
	var hashes []wire.Hash
	for i := from; i < size; i++ {
		leaf := log.Leaf{Type: log.TypeState, Tag: wire.Hash{byte(i), byte(i >> 8), byte(i >> 16)}}
		f.leaves = append(f.leaves, leaf.Bytes())
		hashes = append(hashes, leaf.Hash())
	}
	root, err := log.Grow(f.rows, from, hashes)
	ok(t, err)
	for level, count := 0, size; count > 0; level, count = level+1, count/256 {
		for n := from >> (8 * (level + 1)); n*256 < count; n++ {
			width := int(min(256, count-n*256))
			tile, err := log.TileOf(f.rows[[2]uint64{uint64(level), n}], width)
			ok(t, err)
			f.write(t, log.TilePath(level, n, width), tile)
			if level == 0 {
				f.write(t, log.BundlePath(n, width), log.Bundle(f.leaves[n*256:n*256+uint64(width)]))
			}
		}
	}
	signed, err := f.signer.Sign(log.Checkpoint{Origin: "localhost:8420/log/folder", Size: size, Root: root})
	ok(t, err)
	f.write(t, "checkpoint", signed)
	return root
}

func (f *folder) write(t testing.TB, path string, b []byte) {
	t.Helper()
	path = filepath.Join(f.path, filepath.FromSlash(path))
	ok(t, os.MkdirAll(filepath.Dir(path), 0o700))
	ok(t, os.WriteFile(path, b, 0o600))
}

// TestFolder: the same tiles as files, at sizes that a server's commits do not reach, and past the third level of tiles.
func TestFolder(t *testing.T) {
	f := newFolder(t)
	b := verifiers(t, "localhost:8420/log/folder", f.signer.VerifierKeys())
	fetcher := client.FileFetcher{Root: f.path}
	roots := map[uint64][]byte{}
	for _, size := range []uint64{1, 2, 3, 255, 256, 257, 258, 511, 512, 513, 65535, 65536, 65537, 65836} {
		root := f.growTo(t, size)
		ok(t, check(b, fetcher))
		proofs(t, b, fetcher, []uint64{0, 1, 2, 254, 255, 256, 511, 512, 65279, 65280, 65535, 65536, 65835}, roots)
		roots[size] = root[:]
	}
	for _, path := range []string{"tile/2/000.p/1", "tile/1/000", "tile/1/001.p/1", "tile/0/257.p/44", "tile/entries/256"} {
		name := filepath.Join(f.path, filepath.FromSlash(path))
		was, err := os.ReadFile(name)
		ok(t, err)
		changed := bytes.Clone(was)
		changed[len(changed)/2] ^= 1
		f.write(t, path, changed)
		if check(b, fetcher) == nil {
			t.Errorf("%s may be changed", path)
		}
		f.write(t, path, was)
	}
	ok(t, check(b, fetcher))
	if _, err := fetcher.ReadTile(t.Context(), 3, 0, 1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a fourth level: %v", err)
	}
}

// TestLenient shows what spoil leaves out: a spelling that other software reads as the same note. Ours refuses it.
func TestLenient(t *testing.T) {
	f := newFolder(t)
	f.growTo(t, 1)
	signed, err := os.ReadFile(filepath.Join(f.path, "checkpoint"))
	ok(t, err)
	b := verifiers(t, "localhost:8420/log/folder", f.signer.VerifierKeys())
	k, err := log.ParseKeys("localhost:8420/log/folder", f.signer.VerifierKeys())
	ok(t, err)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	changed := bytes.Clone(signed)
	at := bytes.LastIndexByte(changed, '=') - 1
	changed[at] = alphabet[strings.IndexByte(alphabet, changed[at])|1]
	if _, err := b.open(changed); err != nil {
		t.Fatalf("other software became strict, and spoil may change every byte: %v", err)
	}
	if _, err := k.Open(changed); err == nil {
		t.Fatal("ours reads another spelling")
	}
}

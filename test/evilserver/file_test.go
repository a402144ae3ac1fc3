package evilserver

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/wire"
)

var fileCases = []attack{
	{"39-flipped-bits", flippedBits},
	{"40-chunks-in-another-order", chunkOrder},
	{"41-chunks-of-another-file", splicing},
	{"42-keys-of-two-files-swapped", swappedKeys},
	{"43-key-used-again", keyReuse},
	{"44-sizes-at-the-edges", edgeSizes},
	{"45-nothing-before-the-last-byte", unverifiedRelease},
	{"47-two-contents-of-one-ciphertext", twoContents},
	{"48-false-sizes", falseSizes},
	{"49-resumed-upload", resumedUpload},
}

const (
	capacity  = seal.BodySegment - seal.SegmentOverhead
	fullChunk = 16 * capacity
)

func random(t *testing.T, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

// Any bit, anywhere: of the body, of its digests, of an entry.
func flippedBits(t *testing.T) {
	o := newOffice(t)
	clara := o.clara
	body := len(o.digests(clara).Reply.Body)
	for _, c := range []struct {
		route string
		at    int
		want  error
	}{
		{api.RouteBody, 0, client.ErrBodyDigest},
		{api.RouteBody, 16<<10 + 7, client.ErrBodyDigest},
		{api.RouteDigests, 0, document.ErrBodyRoot},
		{api.RouteDigests, body - 1, document.ErrBodyRoot},
	} {
		o.Twist("GET", c.route, func(b []byte) []byte { b[c.at] ^= 1; return b })
		clara.Beware()
		_, err := clara.Get(o.matter, o.doc)
		clara.Refused(err, c.want)
	}
	// The list of digests is changed to fit the body: it is the root that is signed.
	o.Twist("GET", api.RouteBody, func(b []byte) []byte { b[3] ^= 1; return b })
	full := o.Last("GET", api.RouteBody).Reply.Body
	full = bytes.Clone(full)
	o.Twist("GET", api.RouteDigests, func([]byte) []byte { d := sha256.Sum256(full); return d[:] })
	clara.Beware()
	_, err := clara.Get(o.matter, o.doc)
	clara.Refused(err, document.ErrBodyRoot)

	o.ada.MustPut(o.matter, "Next.txt", text(10))
	o.Twist("GET", api.RouteEntries, func(b []byte) []byte {
		if len(b) > 0 {
			b[len(b)-1] ^= 1 // of the envelope
		}
		return b
	})
	clara.Beware()
	clara.Refused(clara.Look(o.matter), chain.ErrLeaf)
	clara.Closed(o.matter)
}

// digests is the exchange of a download that went well.
func (o *office) digests(p *Person) *Exchange {
	o.Helper()
	if content, err := p.Get(o.matter, o.doc); err != nil || !bytes.Equal(content, o.content) {
		o.Fatalf("an honest download: %v", err)
	}
	return o.Last("GET", api.RouteDigests)
}

// permutations of 0..n-1, and every shorter and longer list that is near them.
func permutations(n int) (all [][]int) {
	var grow func(list []int)
	grow = func(list []int) {
		if len(list) == n {
			all = append(all, slices.Clone(list))
			return
		}
		for i := range n {
			if !slices.Contains(list, i) {
				grow(append(slices.Clone(list), i))
			}
		}
	}
	grow(nil)
	for i := range n {
		straight := make([]int, n)
		for j := range straight {
			straight[j] = j
		}
		all = append(all, slices.Delete(slices.Clone(straight), i, i+1), slices.Insert(slices.Clone(straight), i, i), append(slices.Clone(straight), i), straight[:i])
		double := slices.Clone(straight)
		double[i] = (i + 1) % n
		all = append(all, double)
	}
	return all
}

// Chunks in any order but theirs: through the client with a file of two, and of segments with every permutation up to six.
func chunkOrder(t *testing.T) {
	o := newOffice(t)
	o.content = random(t, fullChunk+5000)
	o.doc = o.ada.MustPut(o.matter, "Two chunks.bin", o.content)
	clara := o.clara
	list := o.digests(clara).Reply.Body
	if len(list) != 64 {
		t.Fatalf("%d bytes of digests, want two", len(list))
	}
	var whole []byte
	for _, x := range o.Since(0) {
		if Matches(api.RouteBody, x.Path) && x.Status < 300 {
			if bytes.Contains([]byte(x.Request.Header.Get("Range")), []byte("bytes=0-")) {
				whole = append(bytes.Clone(x.Reply.Body), whole...)
			} else {
				whole = append(whole, x.Reply.Body...)
			}
		}
	}
	first, second := whole[:document.ChunkSize], whole[document.ChunkSize:]
	serve := func(a, b []byte) func(r *Request) *Reply {
		return func(r *Request) *Reply {
			reply := r.Real()
			if bytes.HasPrefix([]byte(r.Header.Get("Range")), []byte("bytes=0-")) {
				reply.Body = a
			} else {
				reply.Body = b
			}
			return reply
		}
	}
	swapped := append(bytes.Clone(list[32:]), list[:32]...)
	for name, c := range map[string]struct {
		a, b, digests []byte
		want          error
	}{
		"reordered":               {second, first, list, client.ErrBodyDigest},
		"reordered, and the list": {second, first, swapped, document.ErrBodyRoot},
		"doubled":                 {first, first, list, client.ErrBodyDigest},
		"doubled, and the list":   {first, second, append(bytes.Clone(list), list[:32]...), document.ErrBodyRoot},
		"dropped":                 {first, nil, list, client.ErrBodyDigest},
		"dropped, and the list":   {first, nil, list[:32], document.ErrBodyRoot},
		"cut":                     {first, second[:len(second)-1], list, client.ErrBodyDigest},
		"cut at a segment":        {first[:seal.BodySegment*15], second, list, client.ErrBodyDigest},
		"extended":                {first, append(bytes.Clone(second), 0), list, client.ErrBodyDigest},
		"whole at once":           {whole, second, list, client.ErrBodyDigest},
		"a list that is no list":  {first, second, list[:63], document.ErrBodyRoot},
	} {
		t.Log(name)
		o.Lie("GET", api.RouteBody, serve(c.a, c.b))
		o.Twist("GET", api.RouteDigests, func([]byte) []byte { return c.digests })
		clara.Beware()
		_, err := clara.Get(o.matter, o.doc)
		clara.Refused(err, c.want)
	}

	key := random(t, 32)
	for n := 1; n <= 6; n++ {
		plain := random(t, (n-1)*(seal.SmallSegment-seal.SegmentOverhead)+100)
		var sealed bytes.Buffer
		w, err := seal.NewWriter(rand.Reader, &sealed, key, nil, seal.SmallSegment)
		o.ok(err)
		_, err = w.Write(plain)
		o.ok(errors.Join(err, w.Close()))
		segment := func(i int) []byte {
			return sealed.Bytes()[i*seal.SmallSegment : min(sealed.Len(), (i+1)*seal.SmallSegment)]
		}
		for _, order := range permutations(n) {
			var bent []byte
			for _, i := range order {
				bent = append(bent, segment(i)...)
			}
			r, err := seal.NewReader(bytes.NewReader(bent), w.Header(), key, nil, seal.SmallSegment)
			o.ok(err)
			_, err = io.ReadAll(r)
			if honest := bytes.Equal(bent, sealed.Bytes()); honest != (err == nil) {
				t.Errorf("%d segments in order %v: %v", n, order, err)
			}
		}
	}
}

// Another document's bytes, and another version's, are served in place of those that were asked for.
func splicing(t *testing.T) {
	o := newOffice(t)
	other := o.ada.MustPut(o.matter, "Other.txt", bytes.Repeat([]byte("irrelevant "), 3000))
	clara := o.clara
	old := clara.View(o.matter)
	version := map[string]string{}
	for _, d := range old.Documents {
		version[d.Document] = d.Version
	}
	_, err := clara.Get(o.matter, other) // so that it is released to this session
	o.ok(err)
	o.digests(clara)
	o.ada.MustPut(o.matter, "Complaint.txt", bytes.Repeat([]byte("privileges "), 3000)) // a second version

	redirect := func(to string, routes ...string) {
		for _, route := range routes {
			o.Lie("GET", route, func(r *Request) *Reply {
				parts := bytes.Split([]byte(r.Path), []byte("/"))
				doc := o.doc.String()
				if to == "other" {
					doc = other.String()
				}
				parts[7], parts[8] = []byte(doc), []byte(version[doc])
				r.Path = string(bytes.Join(parts, []byte("/")))
				reply := r.Real()
				if reply.Status > 299 {
					t.Errorf("the lie was not told: %d %s", reply.Status, reply.Body)
				}
				return reply
			})
		}
	}
	for _, to := range []string{"other", "the version before"} {
		t.Log(to)
		redirect(to, api.RouteBody)
		clara.Beware()
		_, err = clara.Get(o.matter, o.doc)
		clara.Refused(err, client.ErrBodyDigest)

		redirect(to, api.RouteBody, api.RouteDigests)
		clara.Beware()
		_, err = clara.Get(o.matter, o.doc)
		clara.Refused(err, document.ErrBodyRoot)
	}
}

// A member signs another document's sealed key, commitment and root as her own version's: the key is bound to the place it
// was sealed for.
func swappedKeys(t *testing.T) {
	o := newOffice(t)
	mallory := o.with(chain.RoleClient)
	theirs := mallory.State.Documents[o.doc].Current()
	f := mallory.File(o.ID(), "Mine.txt", o.content)
	f.Manifest.BodyRoot = theirs.BodyRoot
	mallory.Bring(f)
	mallory.MustSend(mallory.Add(func(_ int, v *document.Version) {
		v.WrappedKey, v.FLOEHeader = theirs.WrappedKey, theirs.FLOEHeader
	}, f))
	_, err := o.ada.Get(o.matter, o.doc)
	o.ok(err)
	body, list := o.Last("GET", api.RouteBody).Reply.Body, o.Last("GET", api.RouteDigests).Reply.Body
	o.Twist("GET", api.RouteBody, func([]byte) []byte { return body })
	o.Twist("GET", api.RouteDigests, func([]byte) []byte { return list })
	ada := o.ada.Beware()
	_, err = ada.Get(o.matter, f.Header.Document)
	ada.Refused(err, seal.ErrOpen)
}

// drawn remembers what was read of it.
type drawn struct {
	mu    sync.Mutex // guards all below
	runs  [][]byte
	fails bool
}

func (d *drawn) Read(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails {
		return 0, errors.New("no randomness")
	}
	n, err := rand.Read(b)
	d.runs = append(d.runs, bytes.Clone(b[:n]))
	return n, err
}

func (p *Person) secretsNamed(name string) (values [][]byte) {
	for _, s := range p.Secrets() {
		if s.Name == name {
			values = append(values, s.Value)
		}
	}
	return values
}

// Not a lie of a server: every version draws its key and IV, and shares no block with the one before. Without randomness
// nothing is sent at all.
func keyReuse(t *testing.T) {
	o := newOffice(t)
	source := &drawn{}
	o.ada.Random = source
	ada := o.ada.Again().In()
	mark := o.Mark()
	for range 3 {
		ada.MustPut(o.matter, "Same.txt", o.content)
	}
	dek := ada.secretsNamed("document key")
	dek = dek[len(dek)-3:]
	seen := map[string]bool{}
	for _, key := range dek {
		drawnIt := slices.ContainsFunc(source.runs, func(run []byte) bool { return bytes.Equal(run, key) })
		if seen[string(key)] || !drawnIt {
			t.Error("a version's key is not one that was drawn for it")
		}
		seen[string(key)] = true
	}
	blocks := map[string]bool{}
	chunks := 0
	for _, x := range o.Since(mark) {
		if !Matches(api.RouteChunk, x.Path) {
			continue
		}
		chunks++
		for i := 0; i+16 <= len(x.Request.Body); i += 16 {
			block := string(x.Request.Body[i : i+16])
			if blocks[block] {
				t.Fatal("two versions share a block")
			}
			blocks[block] = true
		}
	}
	if chunks != 3 {
		t.Errorf("%d chunks, want 3", chunks)
	}

	source.mu.Lock()
	source.fails = true
	source.mu.Unlock()
	ada.Beware()
	_, err := ada.Put(o.matter, "Same.txt", o.content)
	ada.Stopped(err, api.CodeInternal, nil)
}

// Not a lie of a server: files that are empty, of one byte, or end on a boundary come out as they went in, and a server
// that cuts or adds a byte is found as with any other.
func edgeSizes(t *testing.T) {
	o := newOffice(t)
	var files []client.File
	var contents [][]byte
	for _, n := range []int{0, 1, document.MinBody - 1, document.MinBody, document.MinBody + 1, capacity - 1, capacity, capacity + 1, fullChunk, fullChunk + 1} {
		content := random(t, n)
		contents = append(contents, content)
		files = append(files, client.File{Path: string(rune('a'+len(files))) + ".bin", Source: NewSource(content)})
	}
	ids, err := o.ada.Upload(Soon(t), o.matter, "", files)
	o.ok(err)
	var docs []wire.ObjectID
	for _, id := range ids {
		v, err := o.ada.WaitTransfer(Soon(t), id)
		o.ok(err)
		if v.Phase != client.PhaseDone {
			t.Fatalf("%s: %v", v.Name, v.Failure)
		}
		doc, err := wire.ParseObjectID(*v.Document)
		o.ok(err)
		docs = append(docs, doc)
	}
	for n, doc := range docs {
		if got, err := o.clara.Get(o.matter, doc); err != nil || !bytes.Equal(got, contents[n]) {
			t.Errorf("%d bytes: %v, %d came out", len(contents[n]), err, len(got))
		}
	}
	for _, bend := range []func(b []byte) []byte{
		func(b []byte) []byte { return b[:len(b)-1] }, func(b []byte) []byte { return append(b, 0) }, func([]byte) []byte { return nil },
	} {
		for _, n := range []int{0, 1, 3} {
			o.Twist("GET", api.RouteBody, bend)
			clara := o.clara.Beware()
			_, err := clara.Get(o.matter, docs[n])
			clara.Refused(err, client.ErrBodyDigest)
		}
	}
}

// The first of two chunks is right, and the last segment of the second is not: nothing was handed out, and what was
// written is gone.
func unverifiedRelease(t *testing.T) {
	o := newOffice(t)
	o.doc = o.ada.MustPut(o.matter, "Long.bin", random(t, fullChunk+5000))
	o.Lie("GET", api.RouteBody, func(r *Request) *Reply {
		reply := r.Real()
		if len(reply.Body) < document.ChunkSize {
			reply.Body[len(reply.Body)-1] ^= 1
		}
		return reply
	})
	clara := o.clara.Beware()
	_, err := clara.Get(o.matter, o.doc)
	clara.Refused(err, client.ErrBodyDigest)
	for _, s := range clara.sinks {
		if !s.Discarded {
			t.Error("what was written was not discarded")
		}
	}

	// The same by whoever uploaded it: its digest is right, its last segment does not open.
	mallory := o.with(chain.RoleClient)
	f := mallory.File(o.ID(), "Torn.bin", random(t, fullChunk+5000))
	f.Body[len(f.Body)-1] ^= 1
	f.Manifest.BodyRoot = document.BodyRoot(f.Digests())
	mallory.Bring(f)
	mallory.MustSend(mallory.Add(nil, f))
	clara.Beware()
	_, err = clara.Get(o.matter, f.Header.Document)
	clara.Refused(err, client.ErrBodyOpen)
}

// An uploader who wraps another key than the one she committed to: the header that she signed belongs to one key alone.
func twoContents(t *testing.T) {
	o := newOffice(t)
	mallory := o.with(chain.RoleClient)
	f := mallory.File(o.ID(), "Ambiguous.txt", o.content)
	f.Key = document.Key(random(t, 32))
	mallory.Bring(f)
	mallory.MustSend(mallory.Add(nil, f))
	for _, p := range []*Person{o.ada, o.clara} {
		p.Beware()
		_, err := p.Get(o.matter, f.Header.Document)
		p.Refused(err, seal.ErrOpen)
	}
}

// What a list shows is signed. A length that hides content behind itself, one of another class, and a server's own count
// are found or count for nothing.
func falseSizes(t *testing.T) {
	o := newOffice(t)
	mallory := o.with(chain.RoleClient)
	short := mallory.File(o.ID(), "Short.txt", []byte("what is shown, and what is hidden behind it"))
	short.Manifest.Length = 13
	long := mallory.File(o.ID(), "Long.txt", text(100))
	long.Manifest.Length = 1 << 20
	mallory.Bring(short)
	mallory.Bring(long)
	mallory.MustSend(mallory.Add(nil, short, long))
	ada := o.ada.Beware()
	for _, d := range ada.View(o.matter).Documents {
		if d.Name == "Long.txt" {
			t.Error("a document whose length is not its own is listed")
		}
	}
	_, err := ada.Get(o.matter, short.Header.Document)
	ada.Refused(err, client.ErrPadding)

	// The server's numbers: of an upload, and of a body's length.
	TwistJSON(o.World, "POST", api.RouteUploads, func(v *api.Upload) { v.Padded *= 2 })
	ada.Beware()
	_, err = ada.Put(o.matter, "Mine.txt", text(100))
	ada.Refused(err, client.ErrUploadRoot)
	for _, d := range ada.View(o.matter).Documents {
		if d.Document == o.doc.String() && d.Size != uint64(len(o.content)) {
			t.Errorf("size %d, want %d", d.Size, len(o.content))
		}
	}
}

// What the server says it has counts only if this device sealed it: before a chunk leaves, before the commit, and after a
// reload.
func resumedUpload(t *testing.T) {
	o := newOffice(t)
	foreign := func(v *api.Upload) { v.Chunks = []api.Chunk{{Number: 0, Digest: wire.Hash{1}}} }
	for name, lie := range map[string]func(){
		"chunks that were never sent": func() { TwistJSON(o.World, "POST", api.RouteUploads, foreign) },
		"other bytes at the commit":   func() { TwistJSON(o.World, "GET", api.RouteUpload, foreign) },
		"fewer chunks at the commit": func() {
			TwistJSON(o.World, "GET", api.RouteUpload, func(v *api.Upload) { v.Chunks = nil })
		},
		"another upload": func() {
			TwistJSON(o.World, "GET", api.RouteUpload, func(v *api.Upload) { v.Upload = o.ID() })
		},
		"a chunk beyond the end": func() {
			TwistJSON(o.World, "GET", api.RouteUpload, func(v *api.Upload) { v.Chunks = append(v.Chunks, api.Chunk{Number: 1 << 31}) })
		},
	} {
		t.Log(name)
		lie()
		ada := o.ada.Beware()
		_, err := ada.Put(o.matter, "Upload.txt", o.content)
		ada.Refused(err, client.ErrUploadRoot)
	}

	full, _ := json.Marshal(api.Error{Code: api.CodeNoSpace})
	o.Lie("PUT", api.RouteChunk, func(*Request) *Reply { return &Reply{Status: 507, Body: full} })
	if _, err := o.ada.Put(o.matter, "Upload.txt", o.content); client.FailureOf(err) == nil || client.FailureOf(err).Code != api.CodeNoSpace {
		t.Fatalf("a full disk: %v", err)
	}
	o.Honest()
	ada := o.ada.Again().In().Beware()
	var paused client.TransferView
	for _, v := range ada.Transfers() {
		if v.Phase == client.PhaseNeedsFile {
			paused = v
		}
	}
	id, err := wire.ParseObjectID(paused.ID)
	o.ok(err)
	TwistJSON(o.World, "POST", api.RouteUploads, foreign)
	o.ok(ada.ProvideFile(Soon(t), id, NewSource(o.content)))
	v, err := ada.WaitTransfer(Soon(t), id)
	o.ok(err)
	if v.Failure == nil {
		t.Fatal("an upload was carried on that was another one")
	}
	ada.Refused(v.Failure, client.ErrUploadRoot)
}

package evilserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// Insider is a member who gives all he holds to the server: his keys, and those of the epochs he was in. What follows
// writes protocol/chain's formats again, because its authoring refuses what an attacker would write.
type Insider struct {
	*Person
	Author chain.Author
	State  *chain.State
	matter wire.ChainID
}

// Insider opens what a person's own device and account hold.
func (p *Person) Insider(matter wire.ChainID) *Insider {
	p.Helper()
	p.ok(p.Look(matter))
	i := &Insider{Person: p, matter: matter}
	sealed, err := p.Device.Get(context.Background(), p.account.String()+"/chain/"+matter.String())
	p.ok(err)
	w := wire.NewWriter()
	w.Text(string(keys.LabelSealCache))
	w.Uint8(wire.Suite)
	w.Fixed(p.account[:])
	w.Text("chain/" + matter.String())
	key := p.NewestRoot().CacheKey()
	r, err := seal.NewReader(bytes.NewReader(sealed[seal.HeaderSize:]), sealed[:seal.HeaderSize], key[:], w.Bytes(), seal.BodySegment)
	p.ok(err)
	plain, err := io.ReadAll(r)
	p.ok(err)
	i.State, err = chain.Unmarshal(plain)
	p.ok(err)
	i.Author = p.author()
	return i
}

// author is a person's identity in the firm, out of the keyring.
func (p *Person) author() chain.Author {
	p.Helper()
	var kept layout.Keyring
	p.Edit(layout.Accounts, func(tx store.Tx) (err error) {
		kept, _, err = layout.Get[layout.Keyring](tx, layout.KeyringKey(p.account))
		return err
	})
	w := wire.NewWriter()
	w.Text(string(keys.LabelSealKeyring))
	w.Uint8(wire.Suite)
	w.Fixed(p.account[:])
	w.Uint64(kept.Revision)
	key := p.NewestRoot().KeyringKey()
	plain, err := seal.Open(key[:], w.Bytes(), kept.Keyring)
	p.ok(err)
	var ring struct {
		Firms []struct {
			Firm   wire.ChainID
			Salt   [16]byte
			Member wire.ObjectID
		}
	}
	p.ok(json.Unmarshal(plain, &ring))
	for _, f := range ring.Firms {
		if f.Firm == p.Firm {
			identity, err := keys.NewIdentity(p.NewestRoot().IdentitySeed(f.Salt))
			p.ok(err)
			return chain.Author{Member: f.Member, Identity: identity, Random: rand.Reader, Now: p.Clock.Now, Ways: 1}
		}
	}
	p.Fatal("no identity in the firm")
	return chain.Author{}
}

// Stranger is an identity that nobody invited.
func (w *World) Stranger() chain.Author {
	w.Helper()
	seed, err := keys.GenerateIdentitySeed(rand.Reader)
	w.ok(err)
	identity, err := keys.NewIdentity(seed)
	w.ok(err)
	return chain.Author{Member: w.ID(), Identity: identity, Random: rand.Reader, Now: w.Clock.Now, Ways: 1}
}

// ID is a fresh identifier.
func (w *World) ID() wire.ObjectID {
	w.Helper()
	id, err := wire.NewObjectID(rand.Reader)
	w.ok(err)
	return id
}

// Craft is an entry before it is sealed: each part may contradict the others.
type Craft struct {
	Effect    *chain.Effect
	Suite     uint8 // where it is not 0, what the effect says of itself
	Body      []byte
	Signer    *keys.Identity
	Signature []byte // in place of the signer's
	Sealed    chain.Secret
	Link      chain.Secret
}

// Effect begins an entry at the head.
func (i *Insider) Effect(kind chain.Kind) *chain.Effect {
	return &chain.Effect{Kind: kind, Chain: i.State.ID, Entry: i.ID(), Sequence: log.TypeState, Position: i.State.Position, Previous: i.State.Head, Epoch: i.State.Epoch, Actor: i.Author.Member}
}

// Head starts every body.
func Head() *wire.Writer {
	w := wire.NewWriter()
	w.Uint64(uint64(time.Now().UnixMilli()))
	w.Bytes16(nil)
	return w
}

// Craft fills in what an honest author would: the insider's signature under the epoch's keys.
func (i *Insider) Craft(effect *chain.Effect, body []byte) *Craft {
	i.Helper()
	k, err := i.State.Keys()
	i.ok(err)
	return &Craft{Effect: effect, Body: body, Signer: i.Author.Identity, Sealed: k.Entry, Link: k.StateLink}
}

func signedMessage(effect, body []byte) []byte {
	e, b := sha256.Sum256(effect), sha256.Sum256(body)
	return append(e[:], b[:]...)
}

func envelopeContext(effect []byte) []byte {
	h := sha256.Sum256(effect)
	w := wire.NewWriter()
	w.Text(string(keys.LabelSealEntry))
	w.Uint8(wire.Suite)
	w.Fixed(h[:])
	return w.Bytes()
}

const envelopeStep = 512

// Entry marks, signs, seals and links.
func (c *Craft) Entry(w *World) chain.Entry {
	w.Helper()
	c.Effect.Mark = log.LinkKey(c.Link).Mark(c.Effect.Sequence, c.Effect.Position)
	clear := c.Effect.Bytes()
	if c.Suite != 0 {
		clear[0] = c.Suite
	}
	signature := c.Signature
	if signature == nil {
		var err error
		signature, err = c.Signer.Sign(keys.LabelSignEntry, signedMessage(clear, c.Body))
		w.ok(err)
	}
	inner := wire.NewWriter()
	inner.Bytes32(c.Body)
	inner.Bytes16(signature)
	n := 4 + len(c.Body) + 2 + len(signature)
	inner.Fixed(make([]byte, (envelopeStep-n%envelopeStep)%envelopeStep))
	envelope, err := seal.Seal(rand.Reader, c.Sealed[:], envelopeContext(clear), inner.Bytes())
	w.ok(err)
	leaf := log.NewLeaf(c.Effect.Chain, c.Effect.Sequence, log.LinkKey(c.Link), c.Effect.Position, c.Effect.Previous, log.Commit(clear, envelope))
	return chain.Entry{Leaf: leaf, Effect: clear, Envelope: envelope}
}

// Open is the body and signature of an entry, for whoever holds the key.
func (w *World) Open(key chain.Secret, e chain.Entry) (body, signature []byte) {
	w.Helper()
	plain, err := seal.Open(key[:], envelopeContext(e.Effect), e.Envelope)
	w.ok(err)
	r := wire.NewReader(plain)
	body, signature = r.Bytes32(chain.MaxEnvelope), r.Bytes16(8<<10)
	return body, signature
}

// Plant crafts an entry and puts it at the head of the matter.
func (i *Insider) Plant(c *Craft, rows ...chain.Row) {
	i.Helper()
	i.World.Plant(i.Firm, i.matter, chain.Submission{Entry: c.Entry(i.World), Rows: rows})
}

// Statement is the body of a statement, every part of which an insider may choose.
type Statement struct {
	Reason      uint8
	Subject     wire.ObjectID
	Commitments [9]wire.Hash
	RowsRoot    wire.Hash
	StateRoot   wire.Hash
}

func (w *World) readStatement(b []byte) (s Statement) {
	w.Helper()
	r := wire.NewReader(b)
	r.Uint64()
	r.Bytes16(4096)
	s.Reason, s.Subject = r.Uint8(), r.ID()
	for i := range s.Commitments {
		s.Commitments[i] = r.Hash()
	}
	s.RowsRoot, s.StateRoot = r.Hash(), r.Hash()
	if r.Bool() || r.Done() != nil {
		w.Fatal("not a further statement")
	}
	return s
}

// Bytes is the body.
func (s Statement) Bytes() []byte {
	w := Head()
	w.Uint8(s.Reason)
	w.Fixed(s.Subject[:])
	for _, c := range s.Commitments {
		w.Fixed(c[:])
	}
	w.Fixed(s.RowsRoot[:])
	w.Fixed(s.StateRoot[:])
	w.Bool(false)
	return w.Bytes()
}

// Rotate is a rotation by as, of a matter without open invites, that evil has changed before it is signed: rows, effect and
// body may say anything, and as may be somebody who may not.
func (i *Insider) Rotate(as chain.Author, evil func(effect *chain.Effect, s *Statement, k *chain.EpochKeys, rows *[]chain.Row)) chain.Submission {
	i.Helper()
	old, err := i.State.Keys()
	i.ok(err)
	// chain authors it for an owner; who signs it is another matter.
	next := i.State.Clone()
	next.Members[i.Author.Member].Role = chain.RoleOwner
	sub, k, err := next.Rotate(i.Author, chain.Rotation{Reason: chain.ReasonScheduled, TrailPosition: i.World.Head(i.Firm, i.matter).TrailPosition,
		TrailHead: i.World.Head(i.Firm, i.matter).TrailHead, FirmName: "A firm"})
	i.ok(err)
	effect, err := chain.ParseEffect(sub.Entry.Effect)
	i.ok(err)
	raw, _ := i.Open(k.Entry, sub.Entry)
	s, rows := i.readStatement(raw), sub.Rows
	effect.Actor = as.Member
	// What an honest member will derive: the roles that are, and the invites that are not carried over.
	truth := i.State.Clone()
	truth.Epoch = effect.Epoch
	for n, seat := range effect.Statement.Seats {
		effect.Statement.Seats[n].Role = truth.Members[seat.Member].Role
	}
	for _, x := range truth.Invites {
		if x.State == chain.InviteOpen {
			x.State = chain.InviteCancelled
		}
	}
	s.StateRoot = truth.Root()
	evil(effect, &s, k, &rows)
	// The clear part is signed by whoever signs the rest.
	effect.Statement.Signature = nil
	effect.Statement.Signature, err = as.Identity.Sign(keys.LabelSignStatement, effect.Bytes())
	i.ok(err)
	c := &Craft{Effect: effect, Body: s.Bytes(), Signer: as.Identity, Sealed: k.Entry, Link: old.StateLink}
	return chain.Submission{Entry: c.Entry(i.World), Rows: rows}
}

// Wrap grants anything to anybody: base mode has no sender, so whoever has a public key can.
func (w *World) Wrap(maker *chain.Effect, to wire.ObjectID, public *keys.PublicKeys, role chain.Role, sender chain.Author, grant []byte) chain.Row {
	w.Helper()
	fingerprint := sender.Identity.Public().Fingerprint()
	b := wire.NewWriter()
	b.Uint8(wire.Suite)
	b.Fixed(maker.Chain[:])
	b.Fixed(maker.Entry[:])
	b.Uint32(maker.Epoch)
	b.Fixed(to[:])
	b.Uint8(uint8(role))
	b.Bool(true)
	b.Fixed(maker.Actor[:])
	b.Fixed(fingerprint[:])
	clear := b.Bytes()
	theirs := public.Fingerprint()
	info := wire.NewWriter()
	info.Text(string(keys.LabelWrapEpoch))
	info.Fixed(theirs[:])
	info.Fixed(clear)
	sealed, err := public.WrapKey(rand.Reader, info.Bytes(), grant)
	w.ok(err)
	row := wire.NewWriter()
	row.Fixed(clear)
	row.Bytes16(sealed)
	return chain.Row{Kind: chain.RowWrap, Recipient: to, Bytes: row.Bytes()}
}

// Grant is what an owner's or a client's wrap holds, of keys that may be anything.
func Grant(role chain.Role, k *chain.EpochKeys) []byte {
	g := append(append([]byte(nil), k.Content[:]...), k.HistoryContent[:]...)
	if role.May(chain.RightAudit) {
		g = append(append(g, k.Trail[:]...), k.TrailHistory[:]...)
	}
	return g
}

// RowsRoot is the tree over rows.
func RowsRoot(rows []chain.Row) wire.Hash {
	hashes := make([]wire.Hash, len(rows))
	for n, r := range rows {
		hashes[n] = r.Hash()
	}
	return log.Root(hashes)
}

// Do sends a request with the person's cookies, and as one of his session where it is in his firm.
func (p *Person) Do(method, path, contentType string, body []byte, header map[string]string) client.Response {
	p.Helper()
	r := client.Request{Method: method, Path: path, ContentType: contentType, Body: body, Header: header}
	if strings.HasPrefix(path, api.Firm(p.Firm)+"/") {
		r = p.SignRequest(p.Firm, r)
	}
	reply, err := p.Transport.Do(Soon(p), r)
	p.ok(err)
	return reply
}

// File is a version that an insider makes by hand.
type File struct {
	Header   document.Header
	Upload   wire.ObjectID
	Key      document.Key
	FLOE     []byte
	Body     []byte // sealed
	Manifest document.Manifest
}

// Digests of the chunks.
func (f *File) Digests() (list []wire.Hash) {
	for at := 0; at < len(f.Body); at += document.ChunkSize {
		list = append(list, wire.Hash(sha256.Sum256(f.Body[at:min(len(f.Body), at+document.ChunkSize)])))
	}
	return list
}

// File seals plaintext as a version of doc by the insider. plain is padded with zeros.
func (i *Insider) File(doc wire.ObjectID, name string, plain []byte) *File {
	i.Helper()
	padded := document.PaddedLength(uint64(len(plain)))
	f := &File{Upload: i.ID(), Header: document.Header{Compartment: i.matter, Document: doc, Version: i.ID(), Author: i.Author.Identity.Public().Fingerprint(), Padded: padded}}
	var err error
	f.Key, err = document.NewKey(rand.Reader)
	i.ok(err)
	k, header, err := seal.NewKeys(rand.Reader, f.Key[:], document.Version{Header: f.Header}.BodyContext(), seal.BodySegment)
	i.ok(err)
	f.FLOE = header
	content := append(append([]byte(nil), plain...), make([]byte, int(padded)-len(plain))...)
	const capacity = seal.BodySegment - seal.SegmentOverhead
	for n := 0; n*capacity < len(content); n++ {
		end := min(len(content), (n+1)*capacity)
		f.Body, err = k.SealSegment(rand.Reader, f.Body, content[n*capacity:end], uint64(n), end == len(content))
		i.ok(err)
	}
	f.Manifest = document.Manifest{Name: name, MediaType: "text/plain", Length: uint64(len(plain)), BodyRoot: document.BodyRoot(f.Digests())}
	if d := i.State.Documents[doc]; d != nil {
		f.Manifest.Previous = d.Current().Header.Version
	}
	return f
}

// Bring uploads the file's body as the insider.
func (i *Insider) Bring(f *File) {
	i.Helper()
	b, _ := json.Marshal(api.NewUpload{Upload: f.Upload, Padded: f.Header.Padded})
	if r := i.Do("POST", api.Chain(i.Firm, i.matter)+"/uploads", api.TypeJSON, b, nil); r.Status > 299 {
		i.Fatalf("an upload: %d %s", r.Status, r.Body)
	}
	for n := 0; n*document.ChunkSize < len(f.Body); n++ {
		chunk := f.Body[n*document.ChunkSize : min(len(f.Body), (n+1)*document.ChunkSize)]
		digest := map[string]string{"Content-Digest": api.ContentDigest(sha256.Sum256(chunk))}
		if r := i.Do("PUT", api.ChunkPath(i.Firm, i.matter, f.Upload, n), api.TypeBinary, chunk, digest); r.Status > 299 {
			i.Fatalf("a chunk: %d %s", r.Status, r.Body)
		}
	}
}

// sealManifest writes a manifest without asking whether it may be one.
func (i *Insider) sealManifest(h document.Header, m document.Manifest) []byte {
	i.Helper()
	w := wire.NewWriter()
	w.Text(m.Name)
	w.Text(m.Folder)
	w.Text(m.MediaType)
	w.Uint64(m.Length)
	w.Fixed(m.Previous[:])
	w.Fixed(m.BodyRoot[:])
	w.Uint8(uint8(m.Sensitivity))
	inner := w.Bytes()
	outer := wire.NewWriter()
	outer.Bytes32(inner)
	outer.Fixed(make([]byte, padmé(max(len(inner)+4, 512))-len(inner)-4))
	k, err := i.State.Keys()
	i.ok(err)
	sealed, err := seal.Seal(rand.Reader, k.Entry[:], h.Context(keys.LabelSealManifest), outer.Bytes())
	i.ok(err)
	return sealed
}

// padmé, as in PURBs: a bound in both directions on what document does.
func padmé(n int) int {
	e := 0
	for 1<<(e+1) <= n {
		e++
	}
	s := 0
	for 1<<s <= e {
		s++
	}
	mask := 1<<(e-s) - 1
	return (n + mask) &^ mask
}

// Add is the entry that adds files; version may change what it says of each.
func (i *Insider) Add(change func(n int, v *document.Version), files ...*File) *Craft {
	i.Helper()
	k, err := i.State.Keys()
	i.ok(err)
	effect, body := i.Effect(chain.KindBatch), Head()
	effect.Batch = &chain.BatchEffect{}
	for n, f := range files {
		wrapped, err := seal.Seal(rand.Reader, k.Content[:], f.Header.Context(keys.LabelSealDEK), f.Key[:])
		i.ok(err)
		v := document.Version{Header: f.Header, FLOEHeader: f.FLOE, WrappedKey: wrapped, Manifest: i.sealManifest(f.Header, f.Manifest), BodyRoot: f.Manifest.BodyRoot}
		if change != nil {
			change(n, &v)
		}
		v.Write(body)
		effect.Batch.Ops = append(effect.Batch.Ops, chain.OpEffect{Kind: chain.OpAdd, Document: f.Header.Document, Version: f.Header.Version, Upload: f.Upload, Padded: f.Header.Padded})
	}
	return i.Craft(effect, body.Bytes())
}

// Send appends a crafted entry through the honest server, which cannot tell.
func (i *Insider) Send(c *Craft, rows ...chain.Row) client.Response {
	i.Helper()
	sub := chain.Submission{Entry: c.Entry(i.World), Rows: rows}
	return i.Do("POST", api.Chain(i.Firm, i.matter)+"/entries", api.TypeBinary, sub.Bytes(), nil)
}

// MustSend does it.
func (i *Insider) MustSend(c *Craft, rows ...chain.Row) {
	i.Helper()
	if r := i.Send(c, rows...); r.Status > 299 {
		i.Fatalf("the honest server refused an entry: %d %s", r.Status, r.Body)
	}
}

package client

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"mime"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/wire"
)

// journal is what the device keeps, sealed, of an upload before its first chunk leaves: all that is needed to carry on
// after a reload, and what a chunk that the server claims to have is compared with (attack 49).
type journal struct {
	Upload     wire.ObjectID       `json:"upload"`
	Matter     wire.ChainID        `json:"matter"`
	Document   wire.ObjectID       `json:"document"`
	Version    wire.ObjectID       `json:"version"`
	Name       string              `json:"name"`
	Folder     string              `json:"folder"`
	MediaType  string              `json:"mediaType"`
	Length     int64               `json:"length"`
	Identity   string              `json:"identity"` // of the file
	Author     wire.Hash           `json:"author"`   // fingerprint of the keys that it is sealed as the work of
	Key        document.Key        `json:"key"`
	FLOEHeader []byte              `json:"floeHeader"`
	Digests    map[int][]wire.Hash `json:"-"` // every digest this upload ever sealed a chunk to; records of their own
}

func (j *journal) record() string { return "upload/" + j.Upload.String() }

// File is a file to upload: Path is "folder/name" as it was dropped. With Replace, a document of that name gets a new
// version; without, it gets a namesake.
type File struct {
	Path    string
	Type    string
	Source  Source
	Replace bool
}

// group is one drop: its documents become one entry.
type group struct {
	mu      sync.Mutex
	waiting int // transfers that are not sent yet
	ready   []*transfer
}

const maxFiles = 10_000

// Upload begins to upload files into a folder: one entry for all of them.
func (c *Client) Upload(ctx context.Context, id wire.ChainID, folder string, files []File) ([]wire.ObjectID, error) {
	if len(files) == 0 || len(files) > maxFiles {
		return nil, fail(api.CodeTooManyFiles, "")
	}
	s, err := c.matter(ctx, id)
	if err != nil {
		return nil, err
	}
	targets := make([]journal, len(files))
	var bad []string
	for i, f := range files {
		name, into := path.Base(f.Path), path.Join(folder, path.Dir(f.Path))
		if into == "." {
			into = ""
		}
		// Every name is looked at before a byte is sent: bad input loses nothing.
		if document.CheckName(name) != nil || document.CheckFolder(into) != nil || strings.Contains("/"+f.Path+"/", "/../") {
			bad = append(bad, f.Path)
			continue
		}
		targets[i] = journal{Name: name, Folder: into, MediaType: mediaType(f)}
		if f.Replace {
			targets[i].Document = existing(s, into, name)
		}
	}
	if len(bad) > 0 {
		return nil, fail(api.CodeBadName, listed(bad)) // all of them at once, and nothing was begun
	}
	return c.beginUploads(ctx, id, targets, files)
}

// UploadVersion begins to upload a new version of one document.
func (c *Client) UploadVersion(ctx context.Context, id wire.ChainID, doc wire.ObjectID, f File) ([]wire.ObjectID, error) {
	s, err := c.matter(ctx, id)
	if err != nil {
		return nil, err
	}
	d := s.Documents[doc]
	if d == nil || d.Deleted {
		return nil, fail(api.CodeGone, "")
	}
	return c.beginUploads(ctx, id, []journal{{Name: d.Name, Folder: d.Folder, MediaType: mediaType(f), Document: doc}}, []File{f})
}

// listed is a few names, one a line; newlines within are shown and not obeyed.
func listed(names []string) string {
	const most = 20
	lines := make([]string, 0, min(len(names), most)+1)
	for _, n := range names[:min(len(names), most)] {
		lines = append(lines, strings.ReplaceAll(n, "\n", "\u2424"))
	}
	if more := len(names) - most; more > 0 {
		lines = append(lines, "\u2026 "+strconv.Itoa(more))
	}
	return strings.Join(lines, "\n")
}

func existing(s *chain.State, folder, name string) wire.ObjectID {
	for _, d := range s.Documents {
		if !d.Deleted && d.Name == name && d.Folder == folder {
			return d.ID
		}
	}
	return wire.ObjectID{}
}

func mediaType(f File) string {
	if t, _, err := mime.ParseMediaType(f.Type); err == nil && len(t) <= 127 {
		return t
	}
	return "application/octet-stream"
}

func (c *Client) beginUploads(ctx context.Context, id wire.ChainID, targets []journal, files []File) ([]wire.ObjectID, error) {
	g := &group{waiting: len(targets)}
	var started []*transfer
	for i := range targets {
		j := targets[i]
		j.Matter, j.Length, j.Identity = id, files[i].Source.Size(), files[i].Source.Identity()
		if j.Length < 0 || j.Length > document.MaxBody {
			return nil, fail(api.CodeTooLarge, j.Name)
		}
		t, err := c.newUpload(ctx, &j)
		if err != nil {
			return nil, failureOf(err)
		}
		t.source, t.group = files[i].Source, g
		started = append(started, t)
	}
	ids := make([]wire.ObjectID, len(started))
	for i, t := range started {
		ids[i] = t.id
		c.addTransfer(t)
		c.start(t, func(ctx context.Context) error { return c.runUpload(ctx, t) })
	}
	return ids, nil
}

// newUpload draws a fresh key and identifiers (attack 43) and writes the journal.
func (c *Client) newUpload(ctx context.Context, j *journal) (*transfer, error) {
	for _, id := range []*wire.ObjectID{&j.Upload, &j.Version} {
		fresh, err := wire.NewObjectID(c.config.Random)
		if err != nil {
			return nil, err
		}
		*id = fresh
	}
	if j.Document.IsZero() {
		fresh, err := wire.NewObjectID(c.config.Random)
		if err != nil {
			return nil, err
		}
		j.Document = fresh
	}
	var err error
	if j.Key, err = document.NewKey(c.config.Random); err != nil {
		return nil, err
	}
	c.secret("document key", j.Key[:])
	if j.Author, err = c.authorOf(j); err != nil {
		return nil, err
	}
	_, j.FLOEHeader, err = seal.NewKeys(c.config.Random, j.Key[:], document.Version{Header: j.header()}.BodyContext(), seal.BodySegment)
	if err != nil {
		return nil, err
	}
	j.Digests = map[int][]wire.Hash{}
	if err := c.writeJournal(ctx, j); err != nil {
		return nil, err
	}
	return &transfer{id: j.Upload, direction: Up, matter: j.Matter, document: j.Document, total: j.Length, name: j.Name, folder: j.Folder, phase: PhaseQueued, journal: j}, nil
}

// authorOf is the fingerprint of the keys that this person signs a matter's entries with.
func (c *Client) authorOf(j *journal) (wire.Hash, error) {
	m, err := c.matterOf(j.Matter)
	if err != nil {
		return wire.Hash{}, err
	}
	author, err := c.author(m.firm)
	if err != nil {
		return wire.Hash{}, err
	}
	return wire.Hash(author.Identity.Public().Fingerprint()), nil
}

func (j *journal) header() document.Header {
	return document.Header{Compartment: j.Matter, Document: j.Document, Version: j.Version, Author: keys.Fingerprint(j.Author), Padded: document.PaddedLength(uint64(j.Length))}
}

func (c *Client) writeJournal(ctx context.Context, j *journal) error {
	a, err := c.who()
	if err != nil {
		return err
	}
	plain, err := json.Marshal(j)
	if err != nil {
		return err
	}
	return c.keep(ctx, a, j.record(), plain)
}

func digestRecord(j *journal, chunk int) string {
	return j.record() + "/" + padNumber(chunk)
}

func padNumber(n int) string {
	const digits = "0123456789"
	b := []byte("0000000000")
	for i := len(b) - 1; n > 0; i, n = i-1, n/10 {
		b[i] = digits[n%10]
	}
	return string(b)
}

// addDigest writes a chunk's digest into the journal before the chunk leaves.
func (c *Client) addDigest(ctx context.Context, t *transfer, chunk int, digest wire.Hash) error {
	a, err := c.who()
	if err != nil {
		return err
	}
	t.mu.Lock()
	list := append(slices.Clone(t.journal.Digests[chunk]), digest)
	t.journal.Digests[chunk] = list
	t.mu.Unlock()
	plain, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return c.keep(ctx, a, digestRecord(t.journal, chunk), plain)
}

func (c *Client) dropJournal(ctx context.Context, j *journal) error {
	a, err := c.who()
	if err != nil {
		return err
	}
	names, err := c.records(ctx, a, j.record())
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := c.forget(ctx, a, name); err != nil {
			return err
		}
	}
	return nil
}

// loadTransfers finds the uploads that a reload or a crash interrupted.
func (c *Client) loadTransfers(ctx context.Context, a *account) error {
	names, err := c.records(ctx, a, "upload/")
	if err != nil {
		return err
	}
	var last *transfer
	for _, name := range names {
		plain, err := c.record(ctx, a, name)
		if err != nil {
			continue // written by another build, or cut off while it was written: nothing had left by then
		}
		if rest, isDigest := strings.CutPrefix(name, "upload/"+idOf(last)+"/"); isDigest && last != nil {
			var list []wire.Hash
			if json.Unmarshal(plain, &list) == nil {
				last.journal.Digests[parseNumber(rest)] = list
			}
			continue
		}
		j := &journal{Digests: map[int][]wire.Hash{}}
		if decode(plain, j) != nil {
			continue
		}
		last = &transfer{id: j.Upload, direction: Up, matter: j.Matter, document: j.Document, total: j.Length, name: j.Name, folder: j.Folder,
			phase: PhaseNeedsFile, journal: j, group: &group{waiting: 1}}
		c.addTransfer(last)
	}
	return nil
}

func idOf(t *transfer) string {
	if t == nil {
		return "-"
	}
	return t.id.String()
}

func parseNumber(s string) (n int) {
	for _, r := range s {
		n = n*10 + int(r-'0')
	}
	return n
}

// ProvideFile carries on an upload after a reload. A changed file starts over, with a new key and new identifiers.
func (c *Client) ProvideFile(ctx context.Context, id wire.ObjectID, source Source) error {
	t, err := c.transferOf(id)
	if err != nil {
		return err
	}
	t.mu.Lock()
	if t.phase != PhaseNeedsFile {
		t.mu.Unlock()
		return fail(api.CodeNotAllowed, "")
	}
	same := t.journal.Identity == source.Identity() && t.journal.Length == source.Size()
	t.mu.Unlock()
	if !same {
		return fail(api.CodeFileChanged, t.name)
	}
	t.mu.Lock()
	t.source = source
	t.mu.Unlock()
	c.start(t, func(ctx context.Context) error { return c.runUpload(ctx, t) })
	return nil
}

// runUpload sends what the server lacks and commits.
func (c *Client) runUpload(ctx context.Context, t *transfer) error {
	err := c.sendAll(ctx, t)
	if hasCode(err, api.CodeUploadGone) && c.landed(ctx, t.journalNow()) {
		return c.alreadySent(ctx, t)
	}
	if err != nil {
		return c.refuse(ctx, "an upload", err)
	}
	return c.sent(ctx, t)
}

func (t *transfer) journalNow() *journal {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.journal
}

// sendAll sends what the server lacks of an upload.
func (c *Client) sendAll(ctx context.Context, t *transfer) error {
	t.mu.Lock()
	j, source := t.journal, t.source
	t.mu.Unlock()
	if source.Identity() != j.Identity || source.Size() != j.Length {
		return fail(api.CodeFileChanged, j.Name)
	}
	author, err := c.authorOf(j)
	if err != nil {
		return err
	}
	if author != j.Author {
		if j, err = c.startOver(ctx, t); err != nil {
			return err
		}
	}
	header := j.header()
	bodyKeys, err := seal.OpenKeys(j.Key[:], document.Version{Header: header}.BodyContext(), j.FLOEHeader, seal.BodySegment)
	if err != nil {
		return err
	}
	return c.online(ctx, t, func(ctx context.Context) error { return c.sendMissing(ctx, t, header, bodyKeys) })
}

// startOver begins an upload anew whose author has other keys by now: his fingerprint is bound into all that was sealed.
func (c *Client) startOver(ctx context.Context, t *transfer) (*journal, error) {
	before := t.journalNow()
	fresh := *before
	next, err := c.newUpload(ctx, &fresh)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	t.journal = next.journal
	t.meter.restart(0)
	t.mu.Unlock()
	_ = c.abandon(ctx, before) // what it cannot be told of expires there
	return next.journal, c.dropJournal(ctx, before)
}

// abandon tells the server that an upload is not coming.
func (c *Client) abandon(ctx context.Context, j *journal) error {
	firm := c.firmOf(j.Matter)
	_, err := c.inFirm(ctx, firm, Request{Method: methodDelete, Path: api.UploadPath(firm, j.Matter, j.Upload)})
	return err
}

// landed reports whether the version of an upload stands in its matter: the program ended between the commit and its
// answer, and the server has no upload of that id any more.
func (c *Client) landed(ctx context.Context, j *journal) bool {
	s, err := c.matter(ctx, j.Matter)
	if err != nil {
		return false
	}
	d := s.Documents[j.Document] // which may have been deleted since
	return d != nil && slices.ContainsFunc(d.Versions, func(v *chain.Version) bool { return v.Header.Version == j.Version })
}

func (c *Client) alreadySent(ctx context.Context, t *transfer) error {
	c.leave(ctx, t)
	if err := c.dropJournal(ctx, t.journal); err != nil {
		return failureOf(err)
	}
	c.phase(t, PhaseDone, nil)
	return nil
}

const (
	maxConflicts  = 4
	conflictPause = 250 * time.Millisecond
)

// sendMissing sends what the server lacks. Where the session ends meanwhile, asking again opens another, once for each time
// that something was sent. A chunk that was on its way when an earlier run ended may arrive after the list
// was made, and then the one sealed since is refused: the list is asked for again, and shows the earlier one, which
// counts if its digest is in the journal.
func (c *Client) sendMissing(ctx context.Context, t *transfer, h document.Header, k *seal.Keys) error {
	conflicts, renewedAt := 0, int64(-1)
	var refused error // the session had ended; whether it is tried again is seen from what the server has by now
	for {
		present, err := c.present(ctx, t, h)
		if err != nil {
			return err
		}
		if refused != nil {
			if t.bytes() <= renewedAt {
				return refused
			}
			renewedAt, refused = t.bytes(), nil
		}
		c.phase(t, PhaseSealing, nil)
		err = c.config.Pump.Send(ctx, c.sendOf(ctx, t, h, k, present))
		switch {
		case hasCode(err, api.CodeNotSignedIn):
			refused = err
		case hasCode(err, api.CodeChunkConflict) && conflicts+1 < maxConflicts:
			conflicts++
			if err := c.wait(ctx, conflictPause); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

func (c *Client) sendOf(ctx context.Context, t *transfer, h document.Header, k *seal.Keys, present map[int]wire.Hash) Send {
	j := t.journal
	firm := c.firmOf(j.Matter)
	return Send{Source: t.source, Length: j.Length, Padded: int64(h.Padded), Keys: k, Present: present,
		Path: func(chunk int) string { return api.ChunkPath(firm, j.Matter, j.Upload, chunk) },
		Header: func(chunk int, digest wire.Hash) map[string]string {
			return c.proofs(firm, methodPut, api.ChunkPath(firm, j.Matter, j.Upload, chunk), api.ContentDigest(digest))
		},
		Sealed: func(chunk int, digest wire.Hash) error { return c.addDigest(ctx, t, chunk, digest) },
		Stored: func(_ int, _ wire.Hash, bytes int64) { c.progress(t, bytes) },
	}
}

func (c *Client) firmOf(id wire.ChainID) wire.ChainID {
	if m, err := c.matterOf(id); err == nil {
		return m.firm
	}
	return wire.ChainID{}
}

// present begins the upload, or asks which chunks are there. A chunk counts only if its digest is one we sealed.
func (c *Client) present(ctx context.Context, t *transfer, h document.Header) (map[int]wire.Hash, error) {
	j := t.journal
	firm := c.firmOf(j.Matter)
	var reply api.Upload
	if err := c.postFirm(ctx, firm, methodPost, api.Chain(firm, j.Matter)+"/uploads", api.NewUpload{Upload: j.Upload, Padded: h.Padded}, &reply); err != nil {
		return nil, err
	}
	present, err := t.checkChunks(reply, h)
	if err != nil {
		return nil, err
	}
	var done int64
	for chunk := range present {
		done += contentOf(j.Length, int64(h.Padded), chunk)
	}
	t.mu.Lock()
	t.meter.restart(done)
	t.mu.Unlock()
	return present, nil
}

func (t *transfer) checkChunks(reply api.Upload, h document.Header) (map[int]wire.Hash, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if reply.Upload != t.journal.Upload || reply.Padded != h.Padded {
		return nil, ErrUploadRoot
	}
	present := map[int]wire.Hash{}
	for _, chunk := range reply.Chunks {
		n := int(chunk.Number)
		if n >= document.Chunks(h.Padded) || !slices.Contains(t.journal.Digests[n], chunk.Digest) {
			return nil, ErrUploadRoot
		}
		present[n] = chunk.Digest
	}
	return present, nil
}

// contentOf is how many bytes of content a chunk holds.
func contentOf(length, padded int64, chunk int) int64 {
	const perChunk = 16 * (seal.BodySegment - seal.SegmentOverhead)
	start := int64(chunk) * perChunk
	return max(0, min(length, start+perChunk)-start)
}

// sent hands a sent upload to its group, and commits the group when it is the last.
func (c *Client) sent(ctx context.Context, t *transfer) error {
	c.phase(t, PhaseCommitting, nil)
	t.mu.Lock()
	g := t.group
	t.mu.Unlock()
	g.mu.Lock()
	g.ready = append(g.ready, t)
	g.waiting--
	ready := g.ready
	due := g.waiting <= 0
	if due {
		g.ready = nil
	}
	g.mu.Unlock()
	if due {
		return c.commitGroup(ctx, t, ready)
	}
	return nil
}

// leave takes a transfer that will not be sent out of its group, and commits the group if it was the last.
func (c *Client) leave(ctx context.Context, t *transfer) {
	t.mu.Lock()
	g := t.group
	t.group = &group{waiting: 1} // should it carry on, it is committed alone
	t.mu.Unlock()
	if g == nil {
		return
	}
	g.mu.Lock()
	g.waiting--
	due := g.waiting <= 0 && len(g.ready) > 0
	ready := g.ready
	if due {
		g.ready = nil
	}
	g.mu.Unlock()
	if due {
		_ = c.commitGroup(ctx, nil, ready) // each transfer shows its own failure
	}
}

// commitGroup commits in as few entries as it can. self is the transfer whose run this is, if any: its error is the run's.
func (c *Client) commitGroup(ctx context.Context, self *transfer, ready []*transfer) error {
	var own error
	for len(ready) > 0 {
		part := oneEntry(ready)
		ready = ready[len(part):]
		err := c.commitPart(ctx, self, part)
		for _, t := range part {
			switch {
			case err == nil:
				c.phase(t, PhaseDone, nil)
				if dropErr := c.dropJournal(ctx, t.journal); dropErr != nil {
					return dropErr
				}
			case t == self:
				own = err
			default:
				c.phase(t, PhaseFailed, failureOf(err))
			}
		}
	}
	if own == nil {
		return failureErr(c.markRead(ctx))
	}
	return own
}

// errOtherKeys says that an upload was sealed as the work of keys that its author has no longer.
var errOtherKeys = errors.New("an upload of former keys")

// commitPart commits uploads as one entry. Where somebody in the matter has new keys it waits, beside the other transfers, until
// an owner has opened the next epoch.
func (c *Client) commitPart(ctx context.Context, self *transfer, part []*transfer) error {
	delay := time.Second
	for {
		err := c.online(ctx, part[0], func(ctx context.Context) error { return c.commit(ctx, part) })
		switch {
		case errors.Is(err, errOtherKeys):
			for _, t := range part {
				if err := c.sendAll(ctx, t); err != nil {
					return err
				}
			}
		case hasCode(err, api.CodeNewKeys):
			for _, t := range part {
				c.phase(t, PhaseWaiting, failureOf(err))
			}
			if err := c.aside(ctx, self != nil, delay); err != nil {
				return err
			}
			delay = min(delay*2, 15*time.Second)
		default:
			return err
		}
	}
}

// aside waits. A run that waits for somebody else's deed leaves its slot to others meanwhile.
func (c *Client) aside(ctx context.Context, running bool, d time.Duration) error {
	if running {
		c.mu.Lock()
		slots := c.slots
		c.mu.Unlock()
		<-slots
		defer func() { slots <- struct{}{} }()
	}
	return c.wait(ctx, d)
}

// oneEntry is how many of the uploads, from the first, one entry can hold: each of them of another document, because a version
// follows one that stands, and a second one in the same entry would be void.
func oneEntry(ready []*transfer) []*transfer {
	seen := map[wire.ObjectID]bool{}
	for i, t := range ready {
		if i == chain.MaxOps || seen[t.document] {
			return ready[:i]
		}
		seen[t.document] = true
	}
	return ready
}

// commit makes one entry of uploads that are complete, after comparing the server's list of chunks with the journal.
func (c *Client) commit(ctx context.Context, part []*transfer) error {
	var changes []chain.Change
	for _, t := range part {
		change, err := c.addition(ctx, t)
		if hasCode(err, api.CodeUploadGone) && c.landed(ctx, t.journalNow()) {
			continue // an earlier try arrived, and its answer did not
		}
		if err != nil {
			return c.refuse(ctx, "an upload", err)
		}
		changes = append(changes, change)
	}
	if len(changes) == 0 {
		return nil
	}
	_, err := c.change(ctx, part[0].matter, func(s *chain.State, a chain.Author) (chain.Submission, error) {
		placed := slices.Clone(changes)
		for i := range placed {
			if placed[i].Header.Author != a.Identity.Public().Fingerprint() {
				return chain.Submission{}, errOtherKeys
			}
			if d := s.Documents[placed[i].Document]; d != nil && d.Deleted {
				return chain.Submission{}, fail(api.CodeGone, placed[i].Manifest.Name)
			} else if d != nil {
				placed[i].Manifest.Name, placed[i].Manifest.Folder = d.Name, d.Folder // renamed meanwhile: the name stays
			}
		}
		return s.Batch(a, placed)
	})
	return err
}

func (c *Client) addition(ctx context.Context, t *transfer) (chain.Change, error) {
	j := t.journalNow()
	header := j.header()
	firm := c.firmOf(j.Matter)
	var reply api.Upload
	if err := c.getFirm(ctx, firm, api.UploadPath(firm, j.Matter, j.Upload), &reply); err != nil {
		return chain.Change{}, err
	}
	present, err := t.checkChunks(reply, header)
	if err != nil {
		return chain.Change{}, err
	}
	digests := make([]wire.Hash, document.Chunks(header.Padded))
	if len(present) != len(digests) {
		return chain.Change{}, ErrUploadRoot
	}
	for _, n := range slices.Sorted(maps.Keys(present)) {
		digests[n] = present[n]
	}
	return chain.Change{Kind: chain.OpAdd, Document: j.Document, Upload: j.Upload, Header: header, FLOEHeader: j.FLOEHeader, Key: j.Key,
		Manifest: document.Manifest{Name: j.Name, Folder: j.Folder, MediaType: j.MediaType, Length: uint64(j.Length), BodyRoot: document.BodyRoot(digests)}}, nil
}

// dropUpload removes a cancelled upload on both sides.
func (c *Client) dropUpload(ctx context.Context, t *transfer) error {
	c.leave(ctx, t)
	j := t.journalNow()
	err := c.abandon(ctx, j)
	if err != nil && !hasCode(err, api.CodeUploadGone) && !hasCode(err, api.CodeNotFound) && !hasCode(err, api.CodeOffline) {
		return failureOf(err)
	}
	return failureErr(c.dropJournal(ctx, j))
}

// hasRead is said before anybody is told that a document was read or sent: who asks then is to know.
func (c *Client) hasRead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account != nil {
		c.account.read = true
	}
}

// markRead has the keyring remember that a first document was read or sent.
func (c *Client) markRead(ctx context.Context) error {
	a, err := c.who()
	if err != nil {
		return err
	}
	c.mu.Lock()
	known := a.ring.Read
	c.mu.Unlock()
	if known {
		return nil
	}
	return c.updateKeyring(ctx, func(k *keyring) { k.Read = true })
}

package client

import (
	"context"
	"errors"

	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/wire"
)

// Download begins to fetch a version; zero is the newest. The sink is committed when every byte was verified.
func (c *Client) Download(ctx context.Context, id wire.ChainID, doc, version wire.ObjectID, sink Sink) (wire.ObjectID, error) {
	s, err := c.matter(ctx, id)
	if err != nil {
		return wire.ObjectID{}, err
	}
	// An auditor reads entries and holds no key of a document: that is no lie of the server's.
	if author, err := c.author(s.FirmOf()); err != nil {
		return wire.ObjectID{}, err
	} else if me := s.Members[author.Member]; me == nil || !me.Role.May(chain.RightRead) {
		return wire.ObjectID{}, fail(api.CodeNotAllowed, "")
	}
	v, d, err := findVersion(s, doc, version)
	if err != nil {
		return wire.ObjectID{}, err
	}
	transferID, err := wire.NewObjectID(c.config.Random)
	if err != nil {
		return wire.ObjectID{}, err
	}
	t := &transfer{id: transferID, direction: Down, matter: id, document: doc, version: v.Header.Version, total: int64(v.Manifest.Length), name: d.Name, folder: d.Folder,
		phase: PhaseQueued, sink: sink}
	c.addTransfer(t)
	c.start(t, func(ctx context.Context) error { return c.runDownload(ctx, t) })
	return transferID, nil
}

func findVersion(s *chain.State, doc, version wire.ObjectID) (*chain.Version, *chain.Document, error) {
	d := s.Documents[doc]
	if d == nil {
		return nil, nil, fail(api.CodeNotHere, "")
	}
	if d.Deleted {
		return nil, nil, fail(api.CodeGone, "")
	}
	if version.IsZero() {
		return d.Current(), d, nil
	}
	for _, v := range d.Versions {
		if v.Header.Version == version {
			return v, d, nil
		}
	}
	return nil, nil, fail(api.CodeNotHere, "")
}

func (c *Client) runDownload(ctx context.Context, t *transfer) error {
	err := c.online(ctx, t, func(ctx context.Context) error {
		c.phase(t, PhaseFetching, nil)
		t.mu.Lock()
		t.meter.restart(0)
		t.mu.Unlock()
		return c.fetch(ctx, t)
	})
	if err != nil {
		// No saved file whose last segment did not verify (SPEC S-DOC-07, attack 45).
		if discardErr := t.sink.Discard(); discardErr != nil {
			err = errors.Join(err, discardErr)
		}
		return c.refuse(ctx, "the content of a document", err)
	}
	if err := t.sink.Commit(); err != nil {
		return notSaved(err)
	}
	c.phase(t, PhaseDone, nil)
	return failureErr(c.markRead(ctx))
}

// notSaved is a Sink's failure: its own code where it has one, and else the device's.
func notSaved(err error) error {
	var own *Failure
	if errors.As(err, &own) {
		return err
	}
	return &Failure{Code: api.CodeNoRoom, cause: err}
}

func (c *Client) fetch(ctx context.Context, t *transfer) error {
	s, err := c.matter(ctx, t.matter)
	if err != nil {
		return err
	}
	v, _, err := findVersion(s, t.document, t.version)
	if err != nil {
		return err
	}
	k, err := s.KeysOf(v.Epoch)
	if err != nil {
		return err
	}
	key, err := v.OpenKey(k.Content)
	if err != nil {
		return err
	}
	bodyKeys, err := seal.OpenKeys(key[:], v.BodyContext(), v.FLOEHeader, seal.BodySegment)
	if err != nil {
		return err
	}
	if err := c.release(ctx, t.matter, t.document, t.version); err != nil {
		return err
	}
	digests, err := c.digests(ctx, t, v)
	if err != nil {
		return err
	}
	firm := c.firmOf(t.matter)
	path := api.VersionPath(firm, t.matter, t.document, t.version) + "/body"
	return c.config.Pump.Fetch(ctx, Fetch{Sink: t.sink, Path: path, Header: func() map[string]string { return c.proofs(firm, methodGet, path, "") }, Length: int64(v.Manifest.Length),
		Padded: int64(v.Header.Padded), Keys: bodyKeys, Digests: digests, Progress: func(bytes int64) { c.progress(t, bytes) },
		Renew: func(ctx context.Context) error { return c.release(ctx, t.matter, t.document, t.version) }})
}

// digests fetches the list of chunk digests and checks it against the signed root before anything is opened.
func (c *Client) digests(ctx context.Context, t *transfer, v *chain.Version) ([]wire.Hash, error) {
	firm := c.firmOf(t.matter)
	raw, err := c.inFirm(ctx, firm, Request{Method: methodGet, Path: api.VersionPath(firm, t.matter, t.document, t.version) + "/digests"})
	if err != nil {
		return nil, err
	}
	if len(raw)%32 != 0 {
		return nil, document.ErrBodyRoot
	}
	list := make([]wire.Hash, len(raw)/32)
	for i := range list {
		list[i] = wire.Hash(raw[32*i : 32*i+32])
	}
	return list, document.CheckDigests(v.Header, v.BodyRoot, list)
}

// release appends the trail entry that must stand before ciphertext is served.
func (c *Client) release(ctx context.Context, id wire.ChainID, doc, version wire.ObjectID) error {
	m, err := c.matterOf(id)
	if err != nil {
		return err
	}
	if err := c.ensureSession(ctx, m.firm); err != nil {
		return err
	}
	author, err := c.author(m.firm)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for range 16 {
		if err := c.sync(ctx, m); err != nil {
			return err
		}
		// What a session says that former keys certified counts only where the seat has them still.
		if err := c.renewSeat(ctx, m); err != nil {
			return err
		}
		var head api.ChainHead
		if err := c.getFirm(ctx, m.firm, api.Chain(m.firm, m.id), &head); err != nil {
			return err
		}
		c.mu.Lock()
		session := c.sessions[m.firm]
		c.mu.Unlock()
		if session == nil {
			return fail(api.CodeNotSignedIn, "")
		}
		e, err := m.state.Release(author, session, doc, version, head.TrailPosition, head.TrailHead)
		if errors.Is(err, chain.ErrSession) {
			// The clock moved past the session's end: another one is opened.
			c.mu.Lock()
			delete(c.sessions, m.firm)
			c.mu.Unlock()
			if err := c.ensureSession(ctx, m.firm); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		sub := chain.Submission{Entry: e}
		l, err := c.logOf(ctx, m.firm, m.state.Charter.Log())
		if err != nil {
			return err
		}
		since := l.seen()
		r := Request{Method: methodPost, Path: api.Seen(api.Chain(m.firm, m.id)+"/trail", since.Size), ContentType: api.TypeBinary, Body: sub.Bytes()}
		var reply []byte
		err = c.retry(ctx, func() (err error) {
			reply, err = c.inFirm(ctx, m.firm, r)
			return err
		})
		if hasCode(err, api.CodeMoved) {
			continue
		}
		if err != nil {
			return err
		}
		var accepted api.Appended
		if err := decode(reply, &accepted); err != nil {
			return err
		}
		return c.accepted(ctx, m.firm, m.id, l, accepted, e.Leaf, since)
	}
	return fail(api.CodeUnavailable, "")
}

package ledger

import (
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// maxUploads is how many uploads one member may have begun and not committed.
const maxUploads = 1000

// openUpload is an upload that the caller may still add to: his, of this chain, neither committed nor too old. All else
// is one answer, so that an id tells nothing.
func openUpload(tx store.Tx, now int64, c access.Caller, id wire.ChainID, upload wire.ObjectID) (layout.Upload, error) {
	u, found, err := layout.Get[layout.Upload](tx, layout.UploadKey(upload))
	if err != nil {
		return u, err
	}
	if !found || u.Committed || now >= u.Expires || u.Member != c.Member || u.Chain != id {
		return u, access.Deny(api.CodeUploadGone)
	}
	return u, nil
}

func complete(u layout.Upload) bool { return u.Chunks == document.Chunks(u.Padded) }

// mayUpload is whether the caller brings bytes into this chain.
func mayUpload(tx store.Tx, c access.Caller, id wire.ChainID) error {
	seat, err := Seat(tx, id, c.Member)
	if err != nil {
		return err
	}
	return access.Upload(seat)
}

// Upload is an upload of the caller's.
func Upload(tx store.Tx, now time.Time, c access.Caller, id wire.ChainID, upload wire.ObjectID) (layout.Upload, error) {
	if err := mayUpload(tx, c, id); err != nil {
		return layout.Upload{}, err
	}
	return openUpload(tx, now.Unix(), c, id, upload)
}

// BeginUpload makes an upload under the id that the caller chose. The same again changes nothing.
func BeginUpload(tx store.Tx, now time.Time, c access.Caller, id wire.ChainID, req api.NewUpload) (api.Upload, error) {
	fail := func(err error) (api.Upload, error) { return api.Upload{}, err }
	if err := mayUpload(tx, c, id); err != nil {
		return fail(err)
	}
	if req.Upload.IsZero() || req.Padded < document.MinBody || req.Padded > document.MaxBody || document.PaddedLength(req.Padded) != req.Padded {
		return fail(access.Deny(api.CodeBadRequest))
	}
	if err := Sweep(tx, now.Unix()); err != nil {
		return fail(err)
	}
	taken, err := layout.Has(tx, layout.UploadKey(req.Upload))
	if err != nil {
		return fail(err)
	}
	if taken {
		u, err := openUpload(tx, now.Unix(), c, id, req.Upload)
		if err != nil {
			return fail(err)
		}
		if u.Padded != req.Padded {
			return fail(access.Deny(api.CodeBadRequest))
		}
		return Chunks(tx, req.Upload, u)
	}
	// Bytes of an upload that was cancelled under this id may still be on their way out.
	if leaving, err := layout.Has(tx, layout.PurgeKey(req.Upload)); err != nil || leaving {
		return fail(orGone(err))
	}
	n := 0
	if err := tx.Scan(layout.UploadsOf(c.Member), nil, maxUploads, func(_, _ []byte) error { n++; return nil }); err != nil {
		return fail(err)
	}
	if n >= maxUploads {
		return fail(access.Deny(api.CodeTooLarge))
	}
	u := layout.Upload{Chain: id, Member: c.Member, Padded: req.Padded, Expires: now.Unix() + api.UploadLifetime}
	if err := layout.PutEphemeral(tx, layout.UploadKey(req.Upload), u, u.Expires); err != nil {
		return fail(err)
	}
	if err := tx.Put(layout.UploadOfKey(c.Member, req.Upload), nil); err != nil {
		return fail(err)
	}
	return Chunks(tx, req.Upload, u)
}

func orGone(err error) error {
	if err != nil {
		return err
	}
	return access.Deny(api.CodeUploadGone)
}

// Chunks lists the chunks of an upload that are there.
func Chunks(tx store.Tx, upload wire.ObjectID, u layout.Upload) (api.Upload, error) {
	out := api.Upload{Upload: upload, Padded: u.Padded, Chunks: []api.Chunk{}}
	err := eachChunk(tx, upload, func(n uint32, digest wire.Hash) error {
		out.Chunks = append(out.Chunks, api.Chunk{Number: n, Digest: digest})
		return nil
	})
	return out, err
}

func eachChunk(tx store.Tx, upload wire.ObjectID, fn func(n uint32, digest wire.Hash) error) error {
	return tx.Scan(layout.ChunksOf(upload), nil, 0, func(k, v []byte) error {
		n, ok := layout.ParseNumber(layout.Last(k))
		if !ok || len(v) != len(wire.Hash{}) {
			return errLayout
		}
		return fn(uint32(n), wire.Hash(v))
	})
}

// Chunk is the digest of a chunk that is there.
func Chunk(tx store.Tx, upload wire.ObjectID, n uint32) (digest wire.Hash, found bool, err error) {
	found, err = layout.Has(tx, layout.ChunkKey(upload, n))
	if err != nil || !found {
		return digest, found, err
	}
	b, err := tx.Get(layout.ChunkKey(upload, n))
	if err != nil || len(b) != len(digest) {
		return digest, false, errLayout
	}
	return wire.Hash(b), true, nil
}

// AddChunk notes a chunk whose bytes are stored. It counts once, and keeps the upload alive.
func AddChunk(tx store.Tx, now time.Time, c access.Caller, id wire.ChainID, upload wire.ObjectID, n uint32, digest wire.Hash) error {
	u, err := Upload(tx, now, c, id, upload)
	if err != nil {
		return err
	}
	old, found, err := Chunk(tx, upload, n)
	switch {
	case err != nil:
		return err
	case found && old != digest:
		return access.Deny(api.CodeChunkConflict)
	case !found:
		u.Chunks++
	}
	u.Expires = now.Unix() + api.UploadLifetime
	if err := layout.Put(tx, layout.UploadKey(upload), u); err != nil {
		return err
	}
	return tx.Put(layout.ChunkKey(upload, n), digest[:])
}

// CancelUpload drops an upload of the caller's.
func CancelUpload(tx store.Tx, now time.Time, c access.Caller, id wire.ChainID, upload wire.ObjectID) error {
	u, err := Upload(tx, now, c, id, upload)
	if err != nil {
		return err
	}
	return dropUpload(tx, upload, u)
}

func dropUpload(tx store.Tx, upload wire.ObjectID, u layout.Upload) error {
	if err := tx.Delete(layout.UploadKey(upload)); err != nil {
		return err
	}
	if err := tx.Delete(layout.UploadOfKey(u.Member, upload)); err != nil {
		return err
	}
	return tx.Put(layout.PurgeKey(upload), nil)
}

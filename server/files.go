package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/blob"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
)

// uploadParams are the chain and upload that a path names.
func uploadParams(c echo.Context) (id wire.ChainID, upload wire.ObjectID, err error) {
	if id, err = chainParam(c, "chain"); err != nil {
		return id, upload, err
	}
	upload, err = objectParam(c, "upload")
	return id, upload, err
}

func (s *Server) beginUpload(c echo.Context, now time.Time, caller access.Caller) error {
	id, err := chainParam(c, "chain")
	if err != nil {
		return err
	}
	req, err := decode[api.NewUpload](c, api.MaxJSON)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	out, err := change(ctx, s, caller, func(tx store.Tx) (api.Upload, error) { return ledger.BeginUpload(tx, now, caller, id, req) })
	if err == nil {
		s.purge(ctx, caller.Firm)
	}
	return reply(c, out, err)
}

func (s *Server) upload(c echo.Context, now time.Time, caller access.Caller) error {
	id, upload, err := uploadParams(c)
	if err != nil {
		return err
	}
	out, err := view(c.Request().Context(), s, caller.Firm, func(tx store.Tx) (api.Upload, error) {
		u, err := ledger.Upload(tx, now, caller, id, upload)
		if err != nil {
			return api.Upload{}, err
		}
		return ledger.Chunks(tx, upload, u)
	})
	return reply(c, out, err)
}

func (s *Server) cancelUpload(c echo.Context, now time.Time, caller access.Caller) error {
	id, upload, err := uploadParams(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	_, err = change(ctx, s, caller, func(tx store.Tx) (struct{}, error) {
		return struct{}{}, ledger.CancelUpload(tx, now, caller, id, upload)
	})
	if err != nil {
		return err
	}
	s.purge(ctx, caller.Firm)
	return c.NoContent(http.StatusNoContent)
}

func (s *Server) putChunk(c echo.Context, now time.Time, caller access.Caller) error {
	id, upload, err := uploadParams(c)
	if err != nil {
		return err
	}
	n, err := number(c.Param("number"), 31)
	if err != nil {
		return err
	}
	r := c.Request()
	digest, err := api.ParseContentDigest(r.Header.Get("Content-Digest"))
	if err != nil || r.Header.Get("Content-Type") != api.TypeBinary || r.Header.Get("Content-Encoding") != "" {
		return access.Deny(api.CodeBadRequest)
	}
	if err := s.storeChunk(r, now, caller, id, upload, uint32(n), digest); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// storeChunk streams a chunk to the blobs and then notes it. A chunk counts once it is noted. What a crash leaves between
// the two is noted when the uploader sends that number again: he sealed afresh, so his bytes differ, but the ones that
// stand were checked against a digest of his, which he finds in the list and in his journal.
func (s *Server) storeChunk(r *http.Request, now time.Time, caller access.Caller, id wire.ChainID, upload wire.ObjectID, n uint32, digest [32]byte) error {
	ctx := r.Context()
	u, err := view(ctx, s, caller.Firm, func(tx store.Tx) (layout.Upload, error) { return ledger.Upload(tx, now, caller, id, upload) })
	if err != nil {
		return err
	}
	size := document.ChunkLength(u.Padded, int(n))
	if size == 0 || r.ContentLength != size {
		return access.Deny(api.CodeBadRequest)
	}
	key := blob.Key{Firm: caller.Firm.String(), Upload: upload.String(), Number: n}
	in := &io.LimitedReader{R: r.Body, N: size + 1}
	switch err := s.config.Blobs.Put(ctx, key, size, digest, in); {
	case errors.Is(err, blob.ErrExists):
		return errors.Join(err, s.noteStanding(ctx, now, caller, id, upload, key))
	case err != nil:
		return err
	}
	// A chunk that was there already may leave the body unread. It is read to its end, so that the answer reaches the
	// client, and not a reset.
	if _, err := io.Copy(io.Discard, in); err != nil {
		return access.Deny(api.CodeBadRequest)
	}
	err = s.noteChunk(ctx, now, caller, id, upload, n, digest)
	if access.Is(err, api.CodeUploadGone) {
		// It was cancelled or expired while the bytes came in, and its own bytes may have been taken away before these.
		s.dropOrphan(ctx, caller, upload, key)
	}
	return err
}

// noteChunk outlives its request: bytes that stand without a note could not be sent again.
func (s *Server) noteChunk(ctx context.Context, now time.Time, caller access.Caller, id wire.ChainID, upload wire.ObjectID, n uint32, digest [32]byte) error {
	_, err := update(context.WithoutCancel(ctx), s, caller.Firm, func(tx store.Tx) (struct{}, error) {
		return struct{}{}, ledger.AddChunk(tx, now, caller, id, upload, n, digest)
	})
	return err
}

// noteStanding notes the chunk that stands where another was to be put.
func (s *Server) noteStanding(ctx context.Context, now time.Time, caller access.Caller, id wire.ChainID, upload wire.ObjectID, key blob.Key) error {
	info, err := s.config.Blobs.Stat(ctx, key)
	if err != nil {
		return err
	}
	return s.noteChunk(ctx, now, caller, id, upload, key.Number, info.Digest)
}

// dropOrphan takes a chunk away whose upload ended before it was noted, unless it was committed with that very chunk.
func (s *Server) dropOrphan(ctx context.Context, caller access.Caller, upload wire.ObjectID, key blob.Key) {
	ctx = context.WithoutCancel(ctx)
	there, err := view(ctx, s, caller.Firm, func(tx store.Tx) (bool, error) { return layout.Has(tx, layout.UploadKey(upload)) })
	if err == nil && !there {
		err = s.config.Blobs.Delete(ctx, key)
	}
	if err != nil {
		s.config.Logger.Warn("a chunk without an upload stays", "error", err.Error())
	}
}

// purgeLimit is how many deleted bodies one request takes away.
const purgeLimit = 8

// purge takes away the bytes of what was deleted. What fails, or is too much for one request, stays noted for the next.
func (s *Server) purge(ctx context.Context, firm wire.ChainID) {
	ctx = context.WithoutCancel(ctx)
	uploads, err := view(ctx, s, firm, func(tx store.Tx) ([]wire.ObjectID, error) { return ledger.Purges(tx, purgeLimit) })
	for _, upload := range uploads {
		err = errors.Join(err, s.purgeOne(ctx, firm, upload))
	}
	if err != nil {
		s.config.Logger.Warn("deleted bytes are not gone yet", "error", err.Error())
	}
}

func (s *Server) purgeOne(ctx context.Context, firm wire.ChainID, upload wire.ObjectID) error {
	if err := s.config.Blobs.DeleteUpload(ctx, firm.String(), upload.String()); err != nil {
		return err
	}
	for done := false; !done; {
		var err error
		done, err = update(ctx, s, firm, func(tx store.Tx) (bool, error) { return ledger.Purged(tx, upload) })
		if err != nil {
			return err
		}
	}
	return nil
}

// versionParams are the chain, document and version that a path names.
func versionParams(c echo.Context) (id wire.ChainID, doc, version wire.ObjectID, err error) {
	if id, err = chainParam(c, "chain"); err != nil {
		return id, doc, version, err
	}
	if doc, err = objectParam(c, "document"); err != nil {
		return id, doc, version, err
	}
	version, err = objectParam(c, "version")
	return id, doc, version, err
}

func (s *Server) digests(c echo.Context, _ time.Time, caller access.Caller) error {
	id, doc, version, err := versionParams(c)
	if err != nil {
		return err
	}
	out, err := view(c.Request().Context(), s, caller.Firm, func(tx store.Tx) ([]byte, error) { return ledger.Digests(tx, caller, id, doc, version) })
	return replyBinary(c, out, err)
}

func (s *Server) body(c echo.Context, now time.Time, caller access.Caller) error {
	id, doc, version, err := versionParams(c)
	if err != nil {
		return err
	}
	ctx, told := c.Request().Context(), false
	v, err := view(ctx, s, caller.Firm, func(tx store.Tx) (v layout.Version, err error) {
		v, told, err = ledger.Body(tx, now, caller, id, doc, version)
		return v, err
	})
	if err == nil && !told {
		// The auditors are told before the first byte leaves.
		v, err = change(ctx, s, caller, func(tx store.Tx) (layout.Version, error) {
			return s.config.Log.Serve(tx, s.config.Random, now, caller, id, doc, version)
		})
	}
	if err != nil {
		return err
	}
	return s.sendBody(c, caller.Firm, v)
}

// sendBody sends a version's bytes, or one range of them.
func (s *Server) sendBody(c echo.Context, firm wire.ChainID, v layout.Version) error {
	total := int64(document.SealedLength(v.Padded))
	h := c.Response().Header()
	h.Set("Accept-Ranges", "bytes")
	part, ranged, err := parseRange(c.Request().Header.Values("Range"), total)
	if err != nil {
		h.Set("Content-Range", "bytes */"+strconv.FormatInt(total, 10))
		return err
	}
	first, err := s.open(c, firm, v, part)
	if err != nil {
		return err // before anything was said
	}
	defer first.Close()
	defer first.control.SetWriteDeadline(time.Time{}) // the connection carries further requests
	h.Set("Content-Type", api.TypeBinary)
	h.Set("Content-Length", strconv.FormatInt(part.length, 10))
	status := http.StatusOK
	if ranged {
		status = http.StatusPartialContent
		h.Set("Content-Range", "bytes "+strconv.FormatInt(part.offset, 10)+"-"+strconv.FormatInt(part.offset+part.length-1, 10)+"/"+strconv.FormatInt(total, 10))
	}
	c.Response().WriteHeader(status)
	_, err = io.Copy(c.Response(), first)
	return err
}

// span is a range of a body.
type span struct{ offset, length int64 }

// parseRange reads a Range header of one range (RFC 9110, 14.2). Units other than bytes are ignored, as it says there;
// several ranges are refused: no client of ours asks for them.
func parseRange(values []string, total int64) (span, bool, error) {
	whole := span{0, total}
	if len(values) == 0 {
		return whole, false, nil
	}
	spec, ok := strings.CutPrefix(values[0], "bytes=")
	if !ok {
		return whole, false, nil
	}
	from, to, ok := strings.Cut(spec, "-")
	if len(values) != 1 || !ok || strings.Contains(spec, ",") {
		return whole, false, access.Deny(api.CodeRange)
	}
	if from == "" {
		n, err := position(to)
		if err != nil || n == 0 {
			return whole, false, access.Deny(api.CodeRange)
		}
		n = min(n, total)
		return span{total - n, n}, true, nil
	}
	first, err := position(from)
	last := total - 1
	if err == nil && to != "" {
		last, err = position(to)
	}
	if err != nil || first >= total || last < first {
		return whole, false, access.Deny(api.CodeRange)
	}
	return span{first, min(last, total-1) - first + 1}, true, nil
}

func position(s string) (int64, error) {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, access.Deny(api.CodeRange)
		}
	}
	return strconv.ParseInt(s, 10, 64)
}

// bodyReader reads a span of a body, chunk after chunk. It holds one chunk open, and none in memory.
type bodyReader struct {
	ctx    context.Context
	blobs  blob.Store
	key    blob.Key
	padded uint64
	rest   span
	chunk  io.ReadCloser

	control *http.ResponseController
}

// chunkTime is how long a client may take for one chunk, by the connection's clock and not the request's: one that
// stopped reading does not hold the connection for good. A server without connections has no such deadline.
const chunkTime = 10 * time.Minute

// open opens a span with its first chunk, so that a body that is not there is an answer and not a cut connection.
func (s *Server) open(c echo.Context, firm wire.ChainID, v layout.Version, part span) (*bodyReader, error) {
	r := &bodyReader{ctx: c.Request().Context(), blobs: s.config.Blobs, key: blob.Key{Firm: firm.String(), Upload: v.Upload.String()}, padded: v.Padded, rest: part,
		control: http.NewResponseController(c.Response())}
	return r, r.next()
}

func (r *bodyReader) next() error {
	if r.rest.length == 0 {
		return io.EOF
	}
	n := r.rest.offset / document.ChunkSize
	offset := r.rest.offset % document.ChunkSize
	length := min(document.ChunkLength(r.padded, int(n))-offset, r.rest.length)
	r.key.Number = uint32(n)
	chunk, err := r.blobs.Get(r.ctx, r.key, offset, length)
	if errors.Is(err, blob.ErrNotFound) {
		return access.Deny(api.CodeGone) // deleted while it was being read
	}
	if err != nil {
		return err
	}
	if err := r.control.SetWriteDeadline(time.Now().Add(chunkTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return errors.Join(err, chunk.Close())
	}
	r.chunk = chunk
	r.rest = span{r.rest.offset + length, r.rest.length - length}
	return nil
}

// Read implements io.Reader.
func (r *bodyReader) Read(p []byte) (int, error) {
	for {
		n, err := r.chunk.Read(p)
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
		if err := r.chunk.Close(); err != nil {
			return 0, err
		}
		if err := r.next(); err != nil {
			r.chunk = io.NopCloser(strings.NewReader(""))
			return 0, err
		}
	}
}

// Close implements io.Closer.
func (r *bodyReader) Close() error { return r.chunk.Close() }

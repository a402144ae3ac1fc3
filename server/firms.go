package server

import (
	"context"
	"crypto/sha256"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/auth"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
)

// view runs fn on a snapshot of the caller's firm.
func view[T any](ctx context.Context, s *Server, firm wire.ChainID, fn func(store.Tx) (T, error)) (out T, err error) {
	err = s.config.Store.View(ctx, layout.FirmPartition(firm), func(tx store.Tx) (err error) {
		out, err = fn(tx)
		return err
	})
	return out, err
}

// update changes the caller's firm.
func update[T any](ctx context.Context, s *Server, firm wire.ChainID, fn func(store.Tx) (T, error)) (out T, err error) {
	err = s.config.Store.Update(ctx, layout.FirmPartition(firm), func(tx store.Tx) (err error) {
		out, err = fn(tx)
		return err
	})
	return out, err
}

// change is the same for a caller, as long as his session goes on.
func change[T any](ctx context.Context, s *Server, caller access.Caller, fn func(store.Tx) (T, error)) (T, error) {
	return update(ctx, s, caller.Firm, func(tx store.Tx) (out T, err error) {
		if err := s.auth.Stands(tx, s.config.Now(), caller); err != nil {
			return out, err
		}
		return fn(tx)
	})
}

func (s *Server) found(c echo.Context, now time.Time, who auth.Who) error {
	if _, err := seenParam(c); err != nil {
		return err
	}
	req, err := decode[api.FoundRequest](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, firm, err := s.foundFirm(c.Request().Context(), now, who, req)
	return s.appended(c, firm, out, err)
}

// appended answers an accepted entry with its receipt. The log's newest checkpoint is remembered outside the store first.
func (s *Server) appended(c echo.Context, firm wire.ChainID, out ledger.Appended, err error) error {
	if err != nil {
		return err
	}
	seen, err := seenParam(c)
	if err != nil {
		return err
	}
	r, err := s.config.Log.Receipt(c.Request().Context(), s.config.Store, layout.FirmPartition(firm), out, seen)
	return reply(c, r, err)
}

func seenParam(c echo.Context) (uint64, error) {
	q := c.QueryParam(api.QuerySeen)
	if q == "" {
		return 0, nil
	}
	return number(q, 64)
}

// foundFirm uses the setup link up for this one request, then makes the firm. Either half may be repeated: the same
// request finishes what it began.
func (s *Server) foundFirm(ctx context.Context, now time.Time, who auth.Who, req api.FoundRequest) (ledger.Appended, wire.ChainID, error) {
	fail := func(err error) (ledger.Appended, wire.ChainID, error) { return ledger.Appended{}, wire.ChainID{}, err }
	bundle, err := chain.ParseBundle(req.Bundle)
	if err != nil || bundle.Member != req.Member || bundle.Verify() != nil {
		return fail(access.Deny(api.CodeBadRequest))
	}
	sub, err := ledger.Parse(req.Submission)
	if err != nil {
		return fail(err)
	}
	firm := sub.Entry.ID()
	caller := access.Caller{Firm: firm, Account: who.Account, Member: req.Member}
	// What can be seen to be wrong is refused before the link is used up.
	if err := access.First(caller, wire.Hash(bundle.Keys.Fingerprint()), sub.Submission, sub.Effect); err != nil {
		return fail(err)
	}
	name, renewals, err := s.auth.ClaimSetup(ctx, now, who, req.Setup, firm, requestHash(req))
	if err != nil {
		return fail(err)
	}
	out, err := update(ctx, s, firm, func(tx store.Tx) (ledger.Appended, error) {
		f := layout.Firm{Founded: now.Unix(), Log: name, Origin: s.auth.LogOrigin(name), Policy: s.config.Policy}
		if old, found, err := layout.Get[layout.Firm](tx, layout.FirmKey()); err != nil {
			return ledger.Appended{}, err
		} else if found {
			f = old // the same request, again
		}
		if err := layout.Put(tx, layout.FirmKey(), f); err != nil {
			return ledger.Appended{}, err
		}
		if err := auth.PutMember(tx, s.config.Log, firm, who.Account, renewals, bundle); err != nil {
			return ledger.Appended{}, err
		}
		return ledger.Found(tx, caller, sub)
	})
	return out, firm, err
}

func requestHash(req api.FoundRequest) wire.Hash {
	w := wire.NewWriter()
	w.Fixed(req.Member[:])
	w.Bytes32(req.Bundle)
	w.Bytes32(req.Submission)
	return sha256.Sum256(w.Bytes())
}

func (s *Server) endSession(c echo.Context, now time.Time, caller access.Caller) error {
	t, err := token(c, firmCookie(caller.Firm, caller.Session))
	if err != nil {
		return err
	}
	if err := s.auth.EndFirmSession(c.Request().Context(), now, caller, t); err != nil {
		return err
	}
	setCookie(c, firmCookie(caller.Firm, caller.Session), nil, 0)
	return c.NoContent(http.StatusNoContent)
}

func replyBinary(c echo.Context, b []byte, err error) error {
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, api.TypeBinary, b)
}

func (s *Server) people(c echo.Context, now time.Time, caller access.Caller) error {
	out, err := s.auth.People(c.Request().Context(), now, caller)
	return reply(c, out, err)
}

func (s *Server) chains(c echo.Context, _ time.Time, caller access.Caller) error {
	out, err := view(c.Request().Context(), s, caller.Firm, func(tx store.Tx) (api.Chains, error) { return ledger.Chains(tx, caller) })
	return reply(c, out, err)
}

func (s *Server) openChain(c echo.Context, _ time.Time, caller access.Caller) error {
	sub, err := submission(c)
	if err != nil {
		return err
	}
	out, err := change(c.Request().Context(), s, caller, func(tx store.Tx) (ledger.Appended, error) { return ledger.Found(tx, caller, sub) })
	return s.appended(c, caller.Firm, out, err)
}

func submission(c echo.Context) (ledger.Submitted, error) {
	// What would be refused after the entry was taken is refused before.
	if _, err := seenParam(c); err != nil {
		return ledger.Submitted{}, err
	}
	b, err := body(c, api.TypeBinary, chain.MaxSubmission)
	if err != nil {
		return ledger.Submitted{}, err
	}
	return ledger.Parse(b)
}

func (s *Server) chain(c echo.Context, _ time.Time, caller access.Caller) error {
	id, err := chainParam(c, "chain")
	if err != nil {
		return err
	}
	out, err := view(c.Request().Context(), s, caller.Firm, func(tx store.Tx) (api.ChainHead, error) { return ledger.ChainHead(tx, caller, id) })
	return reply(c, out, err)
}

func (s *Server) entries(c echo.Context, _ time.Time, caller access.Caller) error {
	return s.page(c, caller, layout.State)
}

func (s *Server) trail(c echo.Context, _ time.Time, caller access.Caller) error {
	return s.page(c, caller, layout.Trail)
}

func (s *Server) page(c echo.Context, caller access.Caller, sequence string) error {
	return s.chainPage(c, caller, func(tx store.Tx, id wire.ChainID, from uint64) ([]byte, error) {
		return ledger.Entries(tx, caller, id, sequence, from)
	})
}

// chainPage answers with a page of the chain that the path names, from the position that the query names.
func (s *Server) chainPage(c echo.Context, caller access.Caller, read func(store.Tx, wire.ChainID, uint64) ([]byte, error)) error {
	id, err := chainParam(c, "chain")
	if err != nil {
		return err
	}
	from, err := fromParam(c)
	if err != nil {
		return err
	}
	out, err := view(c.Request().Context(), s, caller.Firm, func(tx store.Tx) ([]byte, error) { return read(tx, id, from) })
	return replyBinary(c, out, err)
}

func (s *Server) append(c echo.Context, now time.Time, caller access.Caller) error {
	id, err := chainParam(c, "chain")
	if err != nil {
		return err
	}
	sub, err := submission(c)
	if err != nil {
		return err
	}
	ctx, insists := c.Request().Context(), c.Request().Header.Get(api.HeaderSecondGuest) == "1"
	if k := sub.Effect.Kind; k == chain.KindAccept || k == chain.KindDeclare {
		if caller.Ways, err = s.auth.Ways(ctx, caller.Account); err != nil {
			return err
		}
	}
	out, err := change(ctx, s, caller, func(tx store.Tx) (ledger.Appended, error) {
		out, err := ledger.Append(tx, now, caller, id, sub, insists)
		if err == nil && sub.Effect.Kind == chain.KindSignOut && !out.Again {
			err = s.auth.SignOutMember(tx, now, caller.Firm, sub.Effect.SignOut.Member)
		}
		return out, err
	})
	if err == nil && sub.Effect.Kind == chain.KindUnlock {
		// After the entry, which stands whatever becomes of this: where it fails, the same entry again does it.
		err = s.auth.Forgive(ctx, now, caller.Firm, sub.Effect.Entry)
	}
	if err == nil {
		s.purge(ctx, caller.Firm)
	}
	return s.appended(c, caller.Firm, out, err)
}

func (s *Server) release(c echo.Context, now time.Time, caller access.Caller) error {
	id, err := chainParam(c, "chain")
	if err != nil {
		return err
	}
	sub, err := submission(c)
	if err != nil {
		return err
	}
	out, err := change(c.Request().Context(), s, caller, func(tx store.Tx) (ledger.Appended, error) { return ledger.Release(tx, now, caller, id, sub) })
	return s.appended(c, caller.Firm, out, err)
}

// statements streams every statement, in pages, so that a long history is never held whole.
func (s *Server) statements(c echo.Context, _ time.Time, caller access.Caller) error {
	id, err := chainParam(c, "chain")
	if err != nil {
		return err
	}
	type page struct {
		bytes []byte
		next  uint32
	}
	for next := uint32(1); next != 0; {
		p, err := view(c.Request().Context(), s, caller.Firm, func(tx store.Tx) (p page, err error) {
			p.bytes, p.next, err = ledger.Statements(tx, caller, id, next)
			return p, err
		})
		if err != nil && c.Response().Committed {
			panic(http.ErrAbortHandler) // no length was promised: an answer that ended in order would be taken for the whole
		}
		if err != nil {
			return err
		}
		if !c.Response().Committed {
			c.Response().Header().Set("Content-Type", api.TypeBinary)
			c.Response().WriteHeader(http.StatusOK)
		}
		if _, err := c.Response().Write(p.bytes); err != nil {
			return err
		}
		next = p.next
	}
	return nil
}

func (s *Server) wrap(c echo.Context, _ time.Time, caller access.Caller) error {
	id, err := chainParam(c, "chain")
	if err != nil {
		return err
	}
	epoch, err := number(c.Param("epoch"), 32)
	if err != nil {
		return err
	}
	out, err := view(c.Request().Context(), s, caller.Firm, func(tx store.Tx) (api.WrapReply, error) { return ledger.Wrap(tx, caller, id, uint32(epoch)) })
	return reply(c, out, err)
}

// invite answers anybody who knows the id: what it tells is sealed under the secret in the link.
func (s *Server) invite(c echo.Context, now time.Time) error {
	firm, err := chainParam(c, "firm")
	if err != nil {
		return err
	}
	id, err := chainParam(c, "chain")
	if err != nil {
		return err
	}
	invite, err := objectParam(c, "invite")
	if err != nil {
		return err
	}
	out, err := view(c.Request().Context(), s, firm, func(tx store.Tx) (api.InviteReply, error) { return ledger.Invite(tx, now, id, invite) })
	return reply(c, out, err)
}

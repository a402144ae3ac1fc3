package server

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
)

// published reads something that comes with a checkpoint, and lets it out when the checkpoint is remembered outside the
// store.
func published[T any](ctx context.Context, s *Server, firm wire.ChainID, fn func(store.Tx) (T, ledger.Published, error)) (T, error) {
	var p ledger.Published
	out, err := view(ctx, s, firm, func(tx store.Tx) (out T, err error) {
		out, p, err = fn(tx)
		return out, err
	})
	if err != nil {
		return out, err
	}
	return out, s.config.Log.Publish(ctx, p)
}

func (s *Server) logState(c echo.Context, _ time.Time, caller access.Caller) error {
	from, err := fromParam(c)
	if err != nil {
		return err
	}
	out, err := published(c.Request().Context(), s, caller.Firm, func(tx store.Tx) (api.LogState, ledger.Published, error) { return ledger.State(tx, from) })
	return reply(c, out, err)
}

func (s *Server) logMap(c echo.Context, _ time.Time, caller access.Caller) error {
	req, err := decode[api.MapRequest](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, err := published(c.Request().Context(), s, caller.Firm, func(tx store.Tx) (api.MapReply, ledger.Published, error) { return ledger.Map(tx, req) })
	return reply(c, out, err)
}

func (s *Server) lookup(c echo.Context, _ time.Time, caller access.Caller) error {
	req, err := decode[api.KeysRequest](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, err := published(c.Request().Context(), s, caller.Firm, func(tx store.Tx) (api.KeysReply, ledger.Published, error) {
		return s.config.Log.Lookup(tx, caller, req)
	})
	return reply(c, out, err)
}

// putKeys takes a member's next keys, and answers with their receipt.
func (s *Server) putKeys(c echo.Context, now time.Time, caller access.Caller) error {
	seen, err := seenParam(c)
	if err != nil {
		return err
	}
	b, err := body(c, api.TypeBinary, chain.MaxKeyLink)
	if err != nil {
		return err
	}
	link, err := chain.ParseKeyLink(b)
	if err != nil {
		return access.Deny(api.CodeBadRequest)
	}
	ctx := c.Request().Context()
	at, proof, err := s.auth.PutKeys(ctx, now, caller, link)
	if err != nil {
		return err
	}
	r, err := s.config.Log.Receipt(ctx, s.config.Store, layout.FirmPartition(caller.Firm), at, seen)
	return reply(c, api.Linked{Receipt: r.Receipt, Consistency: r.Consistency, Proof: proof}, err)
}

func (s *Server) leaves(c echo.Context, _ time.Time, caller access.Caller) error {
	sequence := c.QueryParam("sequence")
	return s.chainPage(c, caller, func(tx store.Tx, id wire.ChainID, from uint64) ([]byte, error) {
		return ledger.Leaves(tx, caller, id, sequence, from)
	})
}

func (s *Server) events(c echo.Context, _ time.Time, caller access.Caller) error {
	last := uint64(0)
	if q := c.QueryParam("last"); q != "" {
		var err error
		if last, err = number(q, 64); err != nil {
			return err
		}
	}
	return s.chainPage(c, caller, func(tx store.Tx, id wire.ChainID, from uint64) ([]byte, error) {
		return ledger.Events(tx, caller, id, from, last)
	})
}

func (s *Server) nextEvent(c echo.Context, _ time.Time, caller access.Caller) error {
	id, err := chainParam(c, "chain")
	if err != nil {
		return err
	}
	out, err := view(c.Request().Context(), s, caller.Firm, func(tx store.Tx) (api.NextEvent, error) { return s.config.Log.NextEvent(tx, caller, id) })
	return reply(c, out, err)
}

func (s *Server) receipt(c echo.Context, _ time.Time, caller access.Caller) error {
	id, err := chainParam(c, "chain")
	if err != nil {
		return err
	}
	position, err := number(c.Param("position"), 64)
	if err != nil {
		return err
	}
	out, err := published(c.Request().Context(), s, caller.Firm, func(tx store.Tx) (string, ledger.Published, error) {
		return ledger.ReceiptOf(tx, caller, id, c.QueryParam("sequence"), position)
	})
	return replyBinary(c, []byte(out), err)
}

// memberTiles serves the log to members, who need no token for it.
func (s *Server) memberTiles(c echo.Context, _ time.Time, caller access.Caller) error {
	return s.tile(c, caller.Firm, ledger.Tile, foreverPrivate)
}

// publicLog serves a firm's log to anybody, as c2sp.org/tlog-tiles says: it shows sizes and hashes, and when they came.
func (s *Server) publicLog(c echo.Context, _ time.Time) error {
	// What is not there yet will be: nobody is to remember a refusal.
	c.Response().Header().Set("Cache-Control", "no-store")
	cache := forever
	if t := s.config.LogToken; t != "" {
		given, ok := strings.CutPrefix(c.Request().Header.Get("Authorization"), "Bearer ")
		if !ok || subtle.ConstantTimeCompare([]byte(given), []byte(t)) != 1 {
			c.Response().Header().Set("WWW-Authenticate", "Bearer")
			return access.Deny(api.CodeNotSignedIn)
		}
		cache = foreverPrivate
	}
	ctx := c.Request().Context()
	var firm wire.ChainID
	err := s.config.Store.View(ctx, layout.Accounts, func(tx store.Tx) error {
		b, err := tx.Get(layout.LogNameKey(c.Param("log")))
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrKey) || (err == nil && len(b) != len(firm)) {
			return access.Deny(api.CodeNotFound)
		}
		firm = wire.ChainID(b)
		return err
	})
	if err != nil {
		return err
	}
	if c.Param("*") == "checkpoint" {
		return s.checkpoint(c, firm)
	}
	return s.tile(c, firm, ledger.PublicTile, cache)
}

// checkpoint serves the newest checkpoint that satisfies the firm's witness policy, or the newest where there is none.
func (s *Server) checkpoint(c echo.Context, firm wire.ChainID) error {
	b, err := published(c.Request().Context(), s, firm, ledger.PublicCheckpoint)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	return c.Blob(http.StatusOK, "text/plain; charset=utf-8", b)
}

// A tile never changes. One that not everybody may read is kept by its reader alone: a cache between that took it for
// public would hand it to who shows no token.
const (
	forever        = "public, max-age=31536000, immutable"
	foreverPrivate = "private, max-age=31536000, immutable"
)

func (s *Server) tile(c echo.Context, firm wire.ChainID, read func(store.Tx, log.Tile) ([]byte, error), cache string) error {
	t, err := log.ParseTilePath(c.Param("*"))
	if err != nil {
		return access.Deny(api.CodeNotFound)
	}
	b, err := view(c.Request().Context(), s, firm, func(tx store.Tx) ([]byte, error) { return read(tx, t) })
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", cache)
	return c.Blob(http.StatusOK, api.TypeBinary, b)
}

// denied tells the auditors what a member was refused: of the chain that the path names, or else of the firm's. That it
// could not be recorded does not change the answer, which is a refusal already.
func (s *Server) denied(c echo.Context, now time.Time, caller access.Caller, cause error) {
	var code api.Code
	for _, of := range []api.Code{api.CodeForbidden, api.CodeNotReleased, api.CodeNotFromHere} {
		if access.Is(cause, of) {
			code = of
		}
	}
	if code == "" {
		return
	}
	id := caller.Firm
	// Who calls from elsewhere has shown no seat: only the firm's own auditors are told.
	if named, err := wire.ParseHash(c.Param("chain")); err == nil && code != api.CodeNotFromHere {
		id = named
	}
	_, err := update(c.Request().Context(), s, caller.Firm, func(tx store.Tx) (struct{}, error) {
		return struct{}{}, s.config.Log.Denied(tx, s.config.Random, now, caller, id, code, c.Request().Method+" "+c.Path())
	})
	if err != nil {
		s.config.Logger.Error("a refusal was not recorded", "route", c.Path(), "error", err.Error())
	}
}

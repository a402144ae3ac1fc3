package server

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/auth"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
)

// recoveryParams is the recovery that a path names, and its firm.
func recoveryParams(c echo.Context) (firm wire.ChainID, id wire.ObjectID, err error) {
	if firm, err = chainParam(c, "firm"); err == nil {
		id, err = objectParam(c, "recovery")
	}
	return firm, id, err
}

// recovery answers anybody who knows the id: what it tells is sealed under the secret in the link.
func (s *Server) recovery(c echo.Context, now time.Time) error {
	firm, id, err := recoveryParams(c)
	if err != nil {
		return err
	}
	out, err := view(c.Request().Context(), s, firm, func(tx store.Tx) (api.RecoveryReply, error) { return ledger.Recovery(tx, now, id) })
	return reply(c, out, err)
}

func (s *Server) claimRecovery(c echo.Context, now time.Time, who auth.Who) error {
	firm, id, err := recoveryParams(c)
	if err != nil {
		return err
	}
	req, err := decode[api.RecoveryClaim](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, err := s.auth.ClaimRecovery(c.Request().Context(), now, who, firm, id, req)
	return reply(c, out, err)
}

func (s *Server) recoveryStanding(c echo.Context, now time.Time, who auth.Who) error {
	firm, id, err := recoveryParams(c)
	if err != nil {
		return err
	}
	out, err := view(c.Request().Context(), s, firm, func(tx store.Tx) (api.RecoveryStanding, error) {
		return ledger.Standing(tx, now, who.Account, id)
	})
	return reply(c, out, err)
}

func (s *Server) finishRecovery(c echo.Context, now time.Time, who auth.Who) error {
	firm, id, err := recoveryParams(c)
	if err != nil {
		return err
	}
	req, err := decode[api.RecoveryFinish](c, api.MaxJSON)
	if err != nil {
		return err
	}
	if err := s.auth.FinishRecovery(c.Request().Context(), now, who, firm, id, req); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (s *Server) recoveryClaim(c echo.Context, now time.Time, caller access.Caller) error {
	id, err := objectParam(c, "recovery")
	if err != nil {
		return err
	}
	out, err := view(c.Request().Context(), s, caller.Firm, func(tx store.Tx) (api.ClaimReply, error) { return ledger.ClaimOf(tx, now, caller, id) })
	return reply(c, out, err)
}

func (s *Server) recoveryShare(c echo.Context, now time.Time, caller access.Caller) error {
	id, err := objectParam(c, "recovery")
	if err != nil {
		return err
	}
	out, err := view(c.Request().Context(), s, caller.Firm, func(tx store.Tx) (api.ShareReply, error) { return ledger.Share(tx, now, caller, id) })
	return reply(c, out, err)
}

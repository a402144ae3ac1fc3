package server

import (
	"time"

	"github.com/labstack/echo/v4"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/auth"
)

func (s *Server) beginPassword(c echo.Context, now time.Time) error {
	req, err := decode[api.PasswordStart](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, err := s.auth.BeginPassword(c.Request().Context(), now, s.address(c), req)
	return reply(c, out, err)
}

func (s *Server) finishPassword(c echo.Context, now time.Time) error {
	id, err := objectParam(c, "signin")
	if err != nil {
		return err
	}
	req, err := decode[api.PasswordFinish](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, token, err := s.auth.FinishPassword(c.Request().Context(), now, s.address(c), id, req, browser(c, req.Devices))
	if err == nil && out.Account != nil {
		s.signedIn(c, token)
	}
	return reply(c, out, err)
}

func (s *Server) enrolPassword(c echo.Context, now time.Time) error {
	id, err := objectParam(c, "enrolment")
	if err != nil {
		return err
	}
	req, err := decode[api.PasswordRequest](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, err := s.auth.EnrolPassword(c.Request().Context(), now, s.address(c), id, req)
	return reply(c, out, err)
}

func (s *Server) beginNewPassword(c echo.Context, now time.Time, who auth.Who) error {
	req, err := decode[api.PasswordRequest](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, err := s.auth.BeginNewPassword(c.Request().Context(), now, who, s.address(c), req)
	return reply(c, out, err)
}

func (s *Server) putPassword(c echo.Context, now time.Time, who auth.Who) error {
	req, err := decode[api.PutPassword](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, err := s.auth.PutPassword(c.Request().Context(), now, who, req)
	return reply(c, out, err)
}

func (s *Server) removePassword(c echo.Context, now time.Time, who auth.Who) error {
	out, err := s.auth.RemovePassword(c.Request().Context(), now, who)
	return reply(c, out, err)
}

func (s *Server) beginAuthenticator(c echo.Context, now time.Time, who auth.Who) error {
	if _, err := decode[struct{}](c, api.MaxJSON); err != nil {
		return err
	}
	out, err := s.auth.BeginAuthenticator(c.Request().Context(), now, who)
	return reply(c, out, err)
}

func (s *Server) putAuthenticator(c echo.Context, now time.Time, who auth.Who) error {
	req, err := decode[api.PutTOTP](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, err := s.auth.PutAuthenticator(c.Request().Context(), now, who, req)
	return reply(c, out, err)
}

func (s *Server) removeAuthenticator(c echo.Context, now time.Time, who auth.Who) error {
	out, err := s.auth.RemoveAuthenticator(c.Request().Context(), now, who)
	return reply(c, out, err)
}

// signedIn gives the browser the account's cookie.
func (s *Server) signedIn(c echo.Context, token auth.Token) {
	setCookie(c, accountCookie, token, max(s.config.Absolute, longest))
}

// tell has a firm's auditors told what is put down for them, before one of them reads.
func (s *Server) tell(h member) member {
	return func(c echo.Context, now time.Time, caller access.Caller) error {
		if err := s.auth.Tell(c.Request().Context(), now, caller.Firm); err != nil {
			return err
		}
		return h(c, now, caller)
	}
}

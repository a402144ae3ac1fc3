package server

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/auth"
)

// longest is how long a browser keeps the account's cookie: as long as a firm may let a session last. The session itself
// ends when the server says.
const longest = 24 * time.Hour

func (s *Server) health(c echo.Context, _ time.Time) error {
	return c.JSON(http.StatusOK, struct {
		OK bool `json:"ok"`
	}{true})
}

func (s *Server) beginEnrolment(c echo.Context, now time.Time) error {
	req, err := decode[api.EnrolRequest](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, err := s.auth.BeginEnrolment(c.Request().Context(), now, req)
	return reply(c, out, err)
}

func (s *Server) finishEnrolment(c echo.Context, now time.Time) error {
	id, err := objectParam(c, "enrolment")
	if err != nil {
		return err
	}
	req, err := decode[api.EnrolFinish](c, maxVaultJSON)
	if err != nil {
		return err
	}
	out, token, err := s.auth.FinishEnrolment(c.Request().Context(), now, id, req)
	if err == nil {
		s.signedIn(c, token)
	}
	return reply(c, out, err)
}

func (s *Server) beginSignIn(c echo.Context, now time.Time) error {
	if _, err := decode[struct{}](c, api.MaxJSON); err != nil {
		return err
	}
	out, err := s.auth.BeginSignIn(c.Request().Context(), now)
	return reply(c, out, err)
}

func (s *Server) finishSignIn(c echo.Context, now time.Time) error {
	id, err := objectParam(c, "signin")
	if err != nil {
		return err
	}
	req, err := decode[api.SignInFinish](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, token, err := s.auth.FinishSignIn(c.Request().Context(), now, id, req, browser(c, req.Devices))
	if err == nil {
		s.signedIn(c, token)
	}
	return reply(c, out, err)
}

// browser is where a sign-in comes from.
func browser(c echo.Context, devices []api.DeviceProof) auth.Browser {
	had, err := token(c, accountCookie)
	if err != nil {
		had = nil
	}
	return auth.Browser{Had: had, Devices: devices}
}

func (s *Server) devices(c echo.Context, _ time.Time, who auth.Who) error {
	out, err := s.auth.Devices(c.Request().Context(), who)
	return reply(c, out, err)
}

func (s *Server) newDevice(c echo.Context, now time.Time, who auth.Who) error {
	req, err := decode[api.NewDevice](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, err := s.auth.NewDevice(c.Request().Context(), now, who, req)
	return reply(c, out, err)
}

func (s *Server) revokeDevice(c echo.Context, now time.Time, who auth.Who) error {
	id, err := objectParam(c, "device")
	if err != nil {
		return err
	}
	out, err := s.auth.RevokeDevice(c.Request().Context(), now, who, id)
	return reply(c, out, err)
}

func (s *Server) newDeviceRequest(c echo.Context, now time.Time) error {
	req, err := decode[api.NewDeviceRequest](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, err := s.auth.NewDeviceRequest(c.Request().Context(), now, s.address(c), req)
	return reply(c, out, err)
}

func (s *Server) deviceRequest(c echo.Context, now time.Time) error {
	out, err := s.auth.DeviceRequest(c.Request().Context(), now, c.Param("code"))
	return reply(c, out, err)
}

func (s *Server) answerDevice(c echo.Context, now time.Time, who auth.Who) error {
	req, err := decode[api.DeviceAnswer](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, err := s.auth.AnswerDevice(c.Request().Context(), now, who, c.Param("code"), req)
	return reply(c, out, err)
}

func (s *Server) refuseDevice(c echo.Context, now time.Time, who auth.Who) error {
	if err := s.auth.RefuseDevice(c.Request().Context(), now, who, c.Param("code")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (s *Server) account(c echo.Context, _ time.Time, who auth.Who) error {
	out, err := s.auth.Account(c.Request().Context(), who)
	return reply(c, out, err)
}

func (s *Server) endAccountSession(c echo.Context, now time.Time, who auth.Who) error {
	if err := s.auth.SignOut(c.Request().Context(), now, who); err != nil {
		return err
	}
	setCookie(c, accountCookie, nil, 0)
	return c.NoContent(http.StatusNoContent)
}

func (s *Server) accountSessions(c echo.Context, now time.Time, who auth.Who) error {
	out, err := s.auth.Sessions(c.Request().Context(), now, who)
	return reply(c, out, err)
}

func (s *Server) endOneSession(c echo.Context, now time.Time, who auth.Who) error {
	id, err := objectParam(c, "session")
	if err != nil {
		return err
	}
	if id == who.Session {
		return s.endAccountSession(c, now, who)
	}
	if err := s.auth.EndOther(c.Request().Context(), now, who, id); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (s *Server) endOtherSessions(c echo.Context, now time.Time, who auth.Who) error {
	if err := s.auth.EndOthers(c.Request().Context(), now, who); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (s *Server) putKeyring(c echo.Context, now time.Time, who auth.Who) error {
	req, err := decode[api.PutKeyring](c, maxVaultJSON)
	if err != nil {
		return err
	}
	out, err := s.auth.PutKeyring(c.Request().Context(), now, who, req)
	return reply(c, out, err)
}

func (s *Server) putVault(c echo.Context, now time.Time, who auth.Who) error {
	req, err := decode[api.PutVault](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, err := s.auth.PutVault(c.Request().Context(), now, who, req)
	return reply(c, out, err)
}

func (s *Server) newRoot(c echo.Context, now time.Time, who auth.Who) error {
	req, err := decode[api.NewRoot](c, maxVaultJSON)
	if err != nil {
		return err
	}
	out, err := s.auth.NewRoot(c.Request().Context(), now, who, req)
	return reply(c, out, err)
}

func (s *Server) prove(c echo.Context, now time.Time, who auth.Who) error {
	req, err := decode[api.Prove](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, err := s.auth.Prove(c.Request().Context(), now, who, s.address(c), req)
	return reply(c, out, err)
}

func (s *Server) beginPasskey(c echo.Context, now time.Time, who auth.Who) error {
	if _, err := decode[struct{}](c, api.MaxJSON); err != nil {
		return err
	}
	out, err := s.auth.BeginPasskey(c.Request().Context(), now, who)
	return reply(c, out, err)
}

func (s *Server) finishPasskey(c echo.Context, now time.Time, who auth.Who) error {
	id, err := objectParam(c, "passkey")
	if err != nil {
		return err
	}
	req, err := decode[api.PasskeyFinish](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, err := s.auth.FinishPasskey(c.Request().Context(), now, who, id, req)
	return reply(c, out, err)
}

func (s *Server) removePasskey(c echo.Context, now time.Time, who auth.Who) error {
	credential, err := base64.RawURLEncoding.Strict().DecodeString(c.Param("passkey"))
	if err != nil || len(credential) == 0 {
		return access.Deny(api.CodeNotFound)
	}
	out, err := s.auth.RemovePasskey(c.Request().Context(), now, who, credential)
	return reply(c, out, err)
}

func (s *Server) ticket(c echo.Context, now time.Time, who auth.Who) error {
	req, err := decode[api.TicketRequest](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, err := s.auth.Ticket(c.Request().Context(), now, who, req.Firm)
	return reply(c, out, err)
}

func (s *Server) openSession(c echo.Context, now time.Time) error {
	firm, err := chainParam(c, "firm")
	if err != nil {
		return err
	}
	req, err := decode[api.OpenSession](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, err := s.auth.OpenSession(c.Request().Context(), now, firm, s.address(c), req)
	if err != nil {
		return err
	}
	s.dropCookies(c, now, firm)
	setCookie(c, firmCookie(firm, req.Session), out.Token, out.Expires.Sub(now))
	return c.JSON(http.StatusOK, out.Opened)
}

// mostCookies is how many sessions in a firm one browser keeps: its tabs.
const mostCookies = 16

// dropCookies takes those of a browser's cookies away that lead nowhere any more, and beyond a number all others.
func (s *Server) dropCookies(c echo.Context, now time.Time, firm wire.ChainID) {
	kept := 0
	for _, cookie := range c.Cookies() {
		if !strings.HasPrefix(cookie.Name, firmCookies(firm)) {
			continue
		}
		t, err := auth.ParseToken(cookie.Value)
		if err == nil && kept < mostCookies && s.auth.Lives(c.Request().Context(), now, firm, t) {
			kept++
			continue
		}
		setCookie(c, cookie.Name, nil, 0)
	}
}

// reply answers JSON, or hands the error on.
func reply(c echo.Context, v any, err error) error {
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

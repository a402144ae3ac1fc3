package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/auth"
	"github.com/underseal/underseal/server/auth/idp"
)

// ssoCookie holds a sign-in's secret while its browser is at an identity provider.
const ssoCookie = "__Host-underseal-sso"

// ours are the pages that a browser may be sent to after a sign-in: nothing that could be read as another site's address.
var ours = regexp.MustCompile(`^/(account|m/[a-z2-7]{52}(/[a-z]{1,16})?)?$`)

// setSSOCookie keeps or, with an empty secret, ends it. Lax: it is to come along when another site sends the browser back, which
// the account's own does not.
func setSSOCookie(c echo.Context, secret string) {
	cookie := &http.Cookie{Name: ssoCookie, Value: secret, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: auth.SSOSeconds}
	if secret == "" {
		cookie.MaxAge = -1
	}
	c.SetCookie(cookie)
}

// startSSO sends a browser to a firm's identity provider. Somebody reads what it answers, and not a program: every answer is
// an address.
func (s *Server) startSSO(c echo.Context, now time.Time) error {
	b := auth.SSOBegin{Then: c.QueryParam("then")}
	if !ours.MatchString(b.Then) {
		b.Then = "/"
	}
	var err error
	if b.Firm, err = chainParam(c, "firm"); err != nil {
		return s.land(c, b.Then, err)
	}
	if link := c.QueryParam("link"); link != "" {
		if b.Leave, err = wire.ParseObjectID(link); err != nil || b.Leave.IsZero() {
			return s.land(c, b.Then, access.Deny(api.CodeSignInFailed))
		}
	}
	if b.Browser, err = token(c, accountCookie); err != nil {
		b.Browser = nil
	}
	address, secret, err := s.auth.BeginSSO(c.Request().Context(), now, b)
	if err != nil {
		return s.land(c, b.Then, err)
	}
	setSSOCookie(c, secret.String())
	return c.Redirect(http.StatusSeeOther, address)
}

// finishSSO is where an identity provider sends a browser back to.
func (s *Server) finishSSO(c echo.Context, now time.Time) error {
	f := auth.SSOFinish{State: c.QueryParam("state"), Reply: idp.Reply{Code: c.QueryParam("code"), Issuer: c.QueryParam("iss"), Error: c.QueryParam("error")}}
	var err error
	if f.Firm, err = chainParam(c, "firm"); err != nil {
		return s.land(c, "/", err)
	}
	cookie, err := c.Cookie(ssoCookie)
	if err != nil {
		return s.land(c, "/", access.Deny(api.CodeSignInFailed))
	}
	var whole bool
	if f.Secret, whole = idp.ParseSecret(cookie.Value); !whole {
		return s.land(c, "/", access.Deny(api.CodeSignInFailed))
	}
	end, err := s.auth.FinishSSO(c.Request().Context(), now, f)
	if end.Then == "" {
		return s.land(c, "/", err)
	}
	setSSOCookie(c, "")
	switch {
	case err != nil:
		return s.land(c, end.Then, err)
	case end.Token == nil:
		return land(c, end.Then, api.SSOLinked)
	}
	setCookie(c, accountCookie, end.Token, max(s.config.Absolute, longest))
	return land(c, end.Then, api.SSOSignedIn)
}

// land sends the browser to a page of ours, which says in words that it failed.
func (s *Server) land(c echo.Context, then string, err error) error {
	outcome := api.SSOFailed
	var refused *idp.Refused
	var denied *api.Error
	switch {
	case errors.As(err, &refused):
		s.config.Logger.Warn("sign-in through an identity provider was refused", "at", string(refused.Step))
	case errors.Is(err, idp.ErrAway):
		s.config.Logger.Warn("an identity provider cannot be asked")
	case err != nil && !errors.As(err, &denied):
		outcome = api.SSOAway
		s.config.Logger.Error("request failed", "method", c.Request().Method, "route", c.Path(), "error", err.Error())
	}
	if access.Is(err, api.CodeUnavailable) {
		outcome = api.SSOAway
	}
	return land(c, then, outcome)
}

func land(c echo.Context, then, outcome string) error {
	return c.Redirect(http.StatusSeeOther, then+"?"+url.Values{api.SSOParam: {outcome}}.Encode())
}

func (s *Server) sso(c echo.Context, _ time.Time, who auth.Who) error {
	out, err := s.auth.SSO(c.Request().Context(), who)
	return reply(c, out, err)
}

func (s *Server) allowSSO(c echo.Context, now time.Time, who auth.Who) error {
	req, err := decode[api.SSORequest](c, api.MaxJSON)
	if err != nil {
		return err
	}
	out, err := s.auth.AllowSSO(c.Request().Context(), now, who, req)
	return reply(c, out, err)
}

func (s *Server) unlinkSSO(c echo.Context, now time.Time, who auth.Who) error {
	firm, err := chainParam(c, "firm")
	if err != nil {
		return err
	}
	if err := s.auth.UnlinkSSO(c.Request().Context(), now, who, firm); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// SSOAddress is what a firm registers at its identity provider: where browsers are sent back to.
func (s *Server) SSOAddress(firm wire.ChainID) string { return s.auth.SSOAddress(firm) }

// SSOPage is what a firm hands out to its staff: the page that takes a browser to its identity provider.
func (s *Server) SSOPage(firm wire.ChainID) string { return s.config.Origin + api.SSOPage(firm) }

// ForgetProvider ends every link with a firm's identity provider, and every session that it opened.
func (s *Server) ForgetProvider(ctx context.Context, firm wire.ChainID) (links int, err error) {
	return s.auth.ForgetProvider(ctx, s.config.Now(), firm)
}

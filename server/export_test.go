package server

import (
	"github.com/labstack/echo/v4"
)

// Routes lists every route, so that a test walks all of them and no list of its own.
func (s *Server) Routes() []*echo.Route {
	e := echo.New()
	s.routes(e)
	return e.Routes()
}

// HoldsPRF is holdsPRF.
var HoldsPRF = holdsPRF

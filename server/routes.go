package server

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/auth"
)

// anybody handles a request of somebody whom the server need not know. now is the one clock of the request.
type anybody func(c echo.Context, now time.Time) error

// account handles a request of somebody who is signed in.
type account func(c echo.Context, now time.Time, who auth.Who) error

// member handles a request of a member's session in the firm that the path names.
type member func(c echo.Context, now time.Time, caller access.Caller) error

// Handler serves pages, assets and the API.
func (s *Server) Handler() http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = s.failed
	e.Use(s.headers, s.recovered, s.sameOrigin)
	s.routes(e)
	return e
}

// routes is every route there is. A handler of a firm's route cannot be reached but through asMember, which says who
// calls: to forget it is a type error (attack 85).
func (s *Server) routes(e *echo.Echo) {
	e.GET(api.RouteHealth, s.asAnybody(s.health))
	e.POST(api.RouteEnrolments, s.asAnybody(s.beginEnrolment))
	e.POST(api.RouteEnrolment, s.asAnybody(s.finishEnrolment))
	e.POST(api.RouteSignIns, s.asAnybody(s.beginSignIn))
	e.POST(api.RouteSignIn, s.asAnybody(s.finishSignIn))
	e.POST(api.RoutePasswordSignIns, s.asAnybody(s.beginPassword))
	e.POST(api.RoutePasswordSignIn, s.asAnybody(s.finishPassword))
	e.POST(api.RouteEnrolmentPassword, s.asAnybody(s.enrolPassword))
	e.POST(api.RouteDeviceRequests, s.asAnybody(s.newDeviceRequest))
	e.GET(api.RouteDeviceRequest, s.asAnybody(s.deviceRequest))
	e.POST(api.RouteSessions, s.asAnybody(s.openSession)) // by its ticket
	e.GET(api.RouteInvite, s.asAnybody(s.invite))         // by its id
	e.GET(api.RouteRecovery, s.asAnybody(s.recovery))     // by its id
	e.GET(api.RoutePublicLog, s.asAnybody(s.publicLog))   // which nobody can read
	e.GET(api.RouteSSOStart, s.asAnybody(s.startSSO))     // to sign in
	e.GET(api.RouteSSOFinish, s.asAnybody(s.finishSSO))   // by what the identity provider says

	e.GET(api.RouteAccount, s.asAccount(s.account))
	e.DELETE(api.RouteAccountSession, s.asAccount(s.endAccountSession))
	e.GET(api.RouteAccountSessions, s.asAccount(s.accountSessions))
	e.DELETE(api.RouteAccountSessions, s.asAccount(s.endOtherSessions))
	e.DELETE(api.RouteOneSession, s.asAccount(s.endOneSession))
	e.PUT(api.RouteKeyring, s.asAccount(s.putKeyring))
	e.PUT(api.RouteVault, s.asAccount(s.putVault))
	e.POST(api.RouteRoot, s.asAccount(s.newRoot))
	e.GET(api.RouteDevices, s.asAccount(s.devices))
	e.POST(api.RouteDevices, s.asAccount(s.newDevice))
	e.DELETE(api.RouteDevice, s.asAccount(s.revokeDevice))
	e.PUT(api.RouteDeviceAnswer, s.asAccount(s.answerDevice))
	e.DELETE(api.RouteDeviceAnswer, s.asAccount(s.refuseDevice))
	e.POST(api.RouteProofs, s.asAccount(s.prove))
	e.POST(api.RoutePasskeys, s.asAccount(s.beginPasskey))
	e.POST(api.RoutePasskey, s.asAccount(s.finishPasskey))
	e.DELETE(api.RoutePasskey, s.asAccount(s.removePasskey))
	e.POST(api.RoutePassword, s.asAccount(s.beginNewPassword))
	e.PUT(api.RoutePassword, s.asAccount(s.putPassword))
	e.DELETE(api.RoutePassword, s.asAccount(s.removePassword))
	e.POST(api.RouteTOTP, s.asAccount(s.beginAuthenticator))
	e.PUT(api.RouteTOTP, s.asAccount(s.putAuthenticator))
	e.DELETE(api.RouteTOTP, s.asAccount(s.removeAuthenticator))
	e.GET(api.RouteSSO, s.asAccount(s.sso))
	e.POST(api.RouteSSO, s.asAccount(s.allowSSO))
	e.DELETE(api.RouteSSOLink, s.asAccount(s.unlinkSSO))
	e.POST(api.RouteTickets, s.asAccount(s.ticket))
	e.POST(api.RouteFirms, s.asAccount(s.found))
	e.POST(api.RouteRecoveryClaim, s.asAccount(s.claimRecovery))
	e.GET(api.RouteRecoveryStanding, s.asAccount(s.recoveryStanding))
	e.POST(api.RouteRecoveryFinish, s.asAccount(s.finishRecovery))

	e.DELETE(api.RouteSession, s.asMember(s.endSession))
	e.POST(api.RouteLookup, s.asMember(s.lookup))
	e.PUT(api.RouteLookup, s.asMember(s.putKeys))
	e.GET(api.RouteLog, s.asMember(s.logState))
	e.POST(api.RouteMap, s.asMember(s.logMap))
	e.GET(api.RouteTiles, s.asMember(s.memberTiles))
	e.GET(api.RouteLeaves, s.asMember(s.leaves))
	e.GET(api.RouteEvents, s.asMember(s.tell(s.events)))
	e.GET(api.RouteNextEvent, s.asMember(s.tell(s.nextEvent)))
	e.GET(api.RouteReceipt, s.asMember(s.receipt))
	e.GET(api.RoutePeople, s.asMember(s.people))
	e.GET(api.RouteChains, s.asMember(s.chains))
	e.POST(api.RouteChains, s.asMember(s.openChain))
	e.GET(api.RouteChain, s.asMember(s.chain))
	e.GET(api.RouteEntries, s.asMember(s.entries))
	e.POST(api.RouteEntries, s.asMember(s.append))
	e.GET(api.RouteStatements, s.asMember(s.statements))
	e.GET(api.RouteTrail, s.asMember(s.trail))
	e.POST(api.RouteTrail, s.asMember(s.release))
	e.GET(api.RouteWrap, s.asMember(s.wrap))
	e.POST(api.RouteUploads, s.asMember(s.beginUpload))
	e.GET(api.RouteUpload, s.asMember(s.upload))
	e.DELETE(api.RouteUpload, s.asMember(s.cancelUpload))
	e.PUT(api.RouteChunk, s.asMember(s.putChunk))
	e.GET(api.RouteDigests, s.asMember(s.digests))
	e.GET(api.RouteBody, s.asMember(s.body))
	e.GET(api.RouteRecoveryClaim, s.asMember(s.recoveryClaim))
	e.GET(api.RouteRecoveryShare, s.asMember(s.recoveryShare))

	s.pages(e)
}

func (s *Server) asAnybody(h anybody) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := arrived(c); err != nil {
			return err
		}
		return h(c, s.config.Now())
	}
}

func (s *Server) asAccount(h account) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := arrived(c); err != nil {
			return err
		}
		now := s.config.Now()
		t, err := token(c, accountCookie)
		if err != nil {
			return err
		}
		who, err := s.auth.AccountOf(c.Request().Context(), now, t, use(c))
		if err != nil {
			return err
		}
		if p, err := proofOf(c); err == nil { // where there is none, nothing is changed that takes one
			who.Signed = p
		}
		return h(c, now, who)
	}
}

func (s *Server) asMember(h member) echo.HandlerFunc {
	return func(c echo.Context) error {
		now := s.config.Now()
		firm, err := chainParam(c, "firm")
		if err != nil {
			return err
		}
		proof, err := proofOf(c)
		if err != nil {
			return err
		}
		t, err := token(c, firmCookie(firm, proof.Session))
		if err != nil {
			return err
		}
		caller, err := s.auth.Caller(c.Request().Context(), now, firm, t, proof, s.address(c), use(c))
		if access.Is(err, api.CodeNotFromHere) {
			s.denied(c, now, caller, err)
		}
		if err != nil {
			return err
		}
		err = h(c, now, caller)
		s.denied(c, now, caller, err)
		return err
	}
}

// use is whether a person caused a request, as the client says: who says so falsely keeps his own session alive.
func use(c echo.Context) auth.Use { return auth.Use(c.Request().Header.Get(api.HeaderIdle) != "1") }

// address is where a request comes from: the connection's other end, or what the proxy in front says of it. It is the last
// word of the header that counts, which the proxy itself wrote; what it was sent stands before. An address that cannot be
// read is none.
func (s *Server) address(c echo.Context) netip.Addr {
	r := c.Request()
	if s.config.AddressHeader == "" {
		a, _ := netip.ParseAddrPort(r.RemoteAddr)
		return a.Addr().Unmap().WithZone("")
	}
	values := r.Header.Values(s.config.AddressHeader)
	if len(values) == 0 {
		return netip.Addr{}
	}
	last := values[len(values)-1]
	a, err := netip.ParseAddr(strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:]))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

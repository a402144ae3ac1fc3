package server

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/server/blob"
	"github.com/underseal/underseal/server/store"
)

// answers are the codes that cross the wire, each with its status and a sentence. Nothing else of an error does.
var answers = map[api.Code]struct {
	status   int
	sentence string
}{
	api.CodeBadRequest:     {http.StatusBadRequest, "The request is not well-formed."},
	api.CodeTooLarge:       {http.StatusRequestEntityTooLarge, "That is more than is allowed."},
	api.CodeNotFound:       {http.StatusNotFound, "There is no such thing here, or it is not yours."},
	api.CodeNotSignedIn:    {http.StatusUnauthorized, "Please sign in."},
	api.CodeSignInFailed:   {http.StatusUnauthorized, "Signing in did not work."},
	api.CodeSessionEnded:   {http.StatusUnauthorized, "This session was ended elsewhere."},
	api.CodeProveAgain:     {http.StatusForbidden, "Please show once more that it is you."},
	api.CodeUnlockFirst:    {http.StatusForbidden, "This account is to be unlocked first."},
	api.CodeLastMethod:     {http.StatusConflict, "Without it nobody could get in any more."},
	api.CodeTooMany:        {http.StatusTooManyRequests, "Too many attempts. Please wait."},
	api.CodeCodeFailed:     {http.StatusUnauthorized, "This code does not count."},
	api.CodeSecondFactor:   {http.StatusForbidden, "A second factor is needed."},
	api.CodeNoSecond:       {http.StatusConflict, "A password needs a second factor."},
	api.CodePasswordOld:    {http.StatusForbidden, "This firm asks for a newer password."},
	api.CodeNameTaken:      {http.StatusConflict, "Somebody else has this name."},
	api.CodeNotFromHere:    {http.StatusForbidden, "This firm lets nobody in from here."},
	api.CodeNewKeys:        {http.StatusConflict, "Somebody has new keys: an owner must renew the keys here first."},
	api.CodeSecondWay:      {http.StatusForbidden, "You need two ways to unlock first."},
	api.CodeClock:          {http.StatusUnauthorized, "The clock of this device is wrong."},
	api.CodeTooEarly:       {http.StatusConflict, "It is too early: everybody has time to say no."},
	api.CodeRecoveryGone:   {http.StatusGone, "This recovery is over, or was never begun."},
	api.CodeRecovered:      {http.StatusForbidden, "Who you were in this firm was handed back in another account."},
	api.CodeDeviceRevoked:  {http.StatusForbidden, "This device was revoked by its owner."},
	api.CodeRequestGone:    {http.StatusGone, "This code is too old, or was refused."},
	api.CodeRequestTaken:   {http.StatusConflict, "Another device answered this code."},
	api.CodeForbidden:      {http.StatusForbidden, "You may not do this."},
	api.CodeSetupUsed:      {http.StatusGone, "This setup link was used already, or is too old."},
	api.CodeInviteUsed:     {http.StatusConflict, "Somebody accepted this invite already."},
	api.CodeInviteExpired:  {http.StatusGone, "This invite has expired."},
	api.CodeInviteGone:     {http.StatusGone, "This invite was withdrawn, or never made."},
	api.CodeMoved:          {http.StatusConflict, "Somebody else was faster: read what is new and try again."},
	api.CodeGone:           {http.StatusGone, "This document was deleted."},
	api.CodeDigest:         {http.StatusBadRequest, "The bytes are not the ones that were announced."},
	api.CodeChunkConflict:  {http.StatusConflict, "Another piece stands there already."},
	api.CodeUploadGone:     {http.StatusGone, "There is no such upload, or no more."},
	api.CodeUploadMissing:  {http.StatusConflict, "The upload is not complete."},
	api.CodeNotReleased:    {http.StatusForbidden, "This version was not released to this session."},
	api.CodeRange:          {http.StatusRequestedRangeNotSatisfiable, "The range is not within the document."},
	api.CodeNoSpace:        {http.StatusInsufficientStorage, "The server has no space left. Nothing was lost."},
	api.CodeSecretReceived: {http.StatusUnprocessableEntity, "The request held a secret that no server may see. It was not kept."},
	api.CodeUnavailable:    {http.StatusServiceUnavailable, "This cannot be done right now. Please try again."},
	api.CodeInternal:       {http.StatusInternalServerError, "Something is wrong with the server."},
}

// classes of errors below that a user is told apart. What is in none of them is internal.
var classes = []struct {
	err  error
	code api.Code
}{
	{store.ErrNoSpace, api.CodeNoSpace},
	{blob.ErrNoSpace, api.CodeNoSpace},
	{store.ErrCommit, api.CodeUnavailable},
	{store.ErrClosed, api.CodeUnavailable},
	{context.Canceled, api.CodeUnavailable},
	{context.DeadlineExceeded, api.CodeUnavailable},
	{store.ErrTooLarge, api.CodeTooLarge},
	{blob.ErrDigest, api.CodeDigest},
	{blob.ErrSize, api.CodeBadRequest},
	{blob.ErrExists, api.CodeChunkConflict},
	{blob.ErrRange, api.CodeRange},
}

// answer is the status and body of an error.
func answer(err error) (int, *api.Error) {
	out := &api.Error{Code: api.CodeInternal}
	var e *api.Error
	var h *echo.HTTPError
	switch {
	case errors.As(err, &e):
		out.Code, out.Chain, out.Wait, out.Device = e.Code, e.Chain, e.Wait, e.Device
	case errors.As(err, &h):
		out.Code = codeOf(h.Code)
	default:
		for _, c := range classes {
			if errors.Is(err, c.err) {
				out.Code = c.code
				break
			}
		}
	}
	a, known := answers[out.Code]
	if !known {
		out.Code, a = api.CodeInternal, answers[api.CodeInternal]
	}
	out.Message = a.sentence
	return a.status, out
}

func codeOf(status int) api.Code {
	switch status {
	case http.StatusNotFound:
		return api.CodeNotFound
	case http.StatusMethodNotAllowed:
		return api.CodeBadRequest
	}
	return api.CodeInternal
}

// failed answers an error. Only faults of the server are logged, and of them no more than their class: an error may
// name what a log must not.
func (s *Server) failed(err error, c echo.Context) {
	status, body := answer(err)
	if body.Code == api.CodeInternal {
		s.config.Logger.Error("request failed", "method", c.Request().Method, "route", c.Path(), "error", err.Error())
	}
	if c.Response().Committed {
		return // bytes went out: the connection is cut, and the length that was promised tells the client
	}
	if body.Wait > 0 {
		c.Response().Header().Set("Retry-After", strconv.Itoa(body.Wait))
	}
	if err := c.JSON(status, body); err != nil {
		s.config.Logger.Debug("answer not sent", "route", c.Path())
	}
}

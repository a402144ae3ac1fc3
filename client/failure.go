package client

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/device"
	"github.com/underseal/underseal/protocol/directory"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// Failure is every error that reaches a person: a code of the closed set, and nothing secret.
type Failure struct {
	Code   api.Code `json:"code"`
	Detail string   `json:"detail"`
	Wait   int      `json:"wait,omitempty"` // seconds, with CodeTooMany
	cause  error
}

func (f *Failure) Error() string {
	if f.Detail == "" {
		return string(f.Code)
	}
	return string(f.Code) + ": " + f.Detail
}

func (f *Failure) Unwrap() error { return f.cause }

func fail(code api.Code, detail string) *Failure { return &Failure{Code: code, Detail: detail} }

// Sentinels of this package, for what the server showed and should not have been able to.
var (
	ErrRolledBack   = errors.New("the chain is shorter than it was")
	ErrWithheld     = errors.New("the server withholds what it must have")
	ErrUnknownReply = errors.New("the server's answer is not one it may give")
	ErrAccountKeys  = errors.New("the account's keys are not the ones that were enrolled")
	ErrUploadRoot   = errors.New("the server holds other bytes than were sent")
	ErrPadding      = errors.New("the padding of a document is not zero")
	ErrBodyDigest   = errors.New("a chunk is not the one that was signed")
	ErrBodyOpen     = errors.New("a segment does not open")
)

// lies are the errors that only a server that lies, or somebody who helps it, can cause.
var lies = []error{
	chain.ErrOrder, chain.ErrWrongChain, chain.ErrLeaf, chain.ErrEpoch, chain.ErrEnvelope, chain.ErrEntrySig, chain.ErrMismatch, chain.ErrRights,
	chain.ErrRoster, chain.ErrCommitment, chain.ErrStateRoot, chain.ErrInvite, chain.ErrWrap, chain.ErrFirst, chain.ErrKeyBundle, chain.ErrNoKey, chain.ErrAnchor,
	document.ErrManifest, document.ErrBodyRoot, document.ErrLength, wire.ErrMalformed, wire.ErrSuite, seal.ErrOpen,
	log.ErrCheckpoint, log.ErrInclusion, log.ErrConsistency, log.ErrMap, log.ErrMapTaken, log.ErrReceipt, log.ErrTile, log.ErrLink, log.ErrIncomplete, log.ErrPolicy,
	chain.ErrKeyLink, chain.ErrStale, chain.ErrRecovery, directory.ErrLookup, directory.ErrVanish, device.ErrRequest, device.ErrAnswer, device.ErrGrant, chain.ErrErased, chain.ErrEvent, ErrLogKeys, ErrFork, ErrHidden, ErrPlace,
	ErrRolledBack, ErrWithheld, ErrUnknownReply, ErrAccountKeys, ErrUploadRoot, ErrPadding, ErrBodyDigest, ErrBodyOpen,
}

// failureOf gives any error its code.
func failureOf(err error) *Failure {
	var f *Failure
	var e *api.Error
	var kit *vault.KitError
	var code *vault.CodeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return f
	case errors.As(err, &e):
		return &Failure{Code: e.Code, Wait: e.Wait, cause: err}
	case errors.As(err, &kit):
		return &Failure{Code: api.CodeKitTypo, Detail: "Group " + strconv.Itoa(kit.Group), cause: err}
	case errors.As(err, &code):
		return &Failure{Code: api.CodeCodeTypo, Detail: "Group " + strconv.Itoa(code.Group), cause: err}
	case errors.Is(err, context.Canceled):
		return &Failure{Code: api.CodeCancelled, cause: err}
	case errors.Is(err, vault.ErrUnlock):
		return &Failure{Code: api.CodeUnlockFailed, cause: err}
	case errors.Is(err, document.ErrName):
		return &Failure{Code: api.CodeBadName, cause: err}
	case errors.Is(err, chain.ErrInput):
		return &Failure{Code: api.CodeNotAllowed, cause: err}
	}
	for _, lie := range lies {
		if errors.Is(err, lie) {
			return &Failure{Code: api.CodeServerLied, Detail: lie.Error(), cause: err}
		}
	}
	return &Failure{Code: api.CodeInternal, Detail: "", cause: err}
}

// FailureOf is the failure that err is: every error of this package has one.
func FailureOf(err error) *Failure { return failureOf(err) }

// maxWait bounds what a server may tell somebody to wait, in seconds: no honest one says more.
const maxWait = 15 * 60

// ReplyError is the error that an answer with a status of no success is. A Pump, which reads its answers itself, uses it so
// that both sides know the same codes, and no others.
func ReplyError(body []byte) error {
	var e api.Error
	if json.Unmarshal(body, &e) != nil || e.Code == "" || len(e.Code) > 40 {
		return &api.Error{Code: api.CodeInternal}
	}
	for _, c := range api.ServerCodes() {
		if c == e.Code {
			e.Message = "" // the server's sentences are not shown: they could say anything
			e.Wait = min(max(e.Wait, 0), maxWait)
			return &e
		}
	}
	return &api.Error{Code: api.CodeInternal}
}

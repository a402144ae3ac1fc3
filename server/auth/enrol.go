package auth

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"net/netip"
	"time"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/device"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// A share is how many devices may ask in DeviceRequestSeconds from a network of so many bits. They have no account that could be
// counted.
type share struct{ bits, most int }

// shares are those of an address. A household has 64 bits of IPv6, or one address of IPv4; whoever has more of either, up to all that
// a provider has, leaves room for others. IPv4 and IPv6 do not take each other's.
func shares(from netip.Addr) []share {
	if from.Is4() {
		return []share{{32, 20}, {24, 100}, {16, 400}, {0, 2000}}
	}
	return []share{{64, 20}, {48, 100}, {32, 400}, {0, 2000}}
}

// NewDeviceRequest keeps what a new device asks with, under its code. The same again is answered as it was.
func (a *Service) NewDeviceRequest(ctx context.Context, now time.Time, from netip.Addr, req api.NewDeviceRequest) (out api.DeviceRequest, err error) {
	r, err := device.ParseRequest(req.Request)
	if err != nil {
		return out, access.Deny(api.CodeBadRequest)
	}
	code := r.Code(a.Origin)
	err = a.update(ctx, now, func(tx store.Tx) error {
		row, found, err := layout.Get[layout.DeviceRequest](tx, layout.DeviceRequestKey(code[:]))
		if err != nil {
			return err
		}
		if !found || now.Unix() >= row.Expires {
			if err := countRequest(tx, now, from); err != nil {
				return err
			}
			row = layout.DeviceRequest{Expires: now.Unix() + api.DeviceRequestSeconds, Request: req.Request}
			err = layout.PutEphemeral(tx, layout.DeviceRequestKey(code[:]), row, row.Expires)
		}
		out = requestOf(row)
		return err
	})
	return out, err
}

func requestOf(r layout.DeviceRequest) api.DeviceRequest {
	return api.DeviceRequest{Request: r.Request, Answer: r.Answer, Grant: r.Grant, Refused: r.Refused, Done: r.Done, Expires: r.Expires}
}

// countRequest bounds what comes from an address, and from every network around it. Who comes from nowhere that can be read is one
// household with all others of them.
func countRequest(tx store.Tx, now time.Time, from netip.Addr) error {
	if !from.IsValid() {
		from = netip.IPv6Unspecified()
	}
	for _, share := range shares(from) {
		network, err := from.Prefix(share.bits)
		if err != nil {
			return err
		}
		row := layout.DeviceRequestsKey(network.String())
		n, found, err := layout.Get[layout.Denials](tx, row)
		if err != nil {
			return err
		}
		if !found || now.Unix() >= n.Expires {
			n = layout.Denials{Expires: now.Unix() + api.DeviceRequestSeconds}
		}
		if n.Count++; n.Count > share.most {
			return &api.Error{Code: api.CodeTooMany, Wait: int(n.Expires - now.Unix())}
		}
		if err := layout.PutEphemeral(tx, row, n, n.Expires); err != nil {
			return err
		}
	}
	return nil
}

// DeviceRequest is where a request stands, for whoever was shown its code.
func (a *Service) DeviceRequest(ctx context.Context, now time.Time, code string) (out api.DeviceRequest, err error) {
	err = a.Store.View(ctx, layout.Accounts, func(tx store.Tx) error {
		row, _, err := deviceRequest(tx, now, code)
		out = requestOf(row)
		return err
	})
	return out, err
}

// deviceRequest finds a request that did not expire. Codes have one spelling here.
func deviceRequest(tx store.Tx, now time.Time, text string) (row layout.DeviceRequest, key []byte, err error) {
	code, err := vault.ParseDeviceCode(text)
	if err != nil || code.String() != text {
		return row, nil, access.Deny(api.CodeRequestGone)
	}
	key = layout.DeviceRequestKey(code[:])
	row, found, err := layout.Get[layout.DeviceRequest](tx, key)
	if err == nil && (!found || now.Unix() >= row.Expires) {
		err = access.Deny(api.CodeRequestGone)
	}
	return row, key, err
}

// AnswerDevice takes what a device of an account that has unlocked it answers to a request: first whose it is, then, from the same
// session, the grant. The first answer is the only one. The same again is answered as it was.
func (a *Service) AnswerDevice(ctx context.Context, now time.Time, who Who, code string, req api.DeviceAnswer) (out api.DeviceRequest, err error) {
	if err := who.justProved(now); err != nil {
		return out, err
	}
	err = a.updateAs(ctx, now, who, func(tx store.Tx) error {
		// A device that is let in has a session by no factor of its owner's, which goes on when those are removed.
		if err := who.unlocked(tx); err != nil {
			return err
		}
		row, key, err := deviceRequest(tx, now, code)
		if err != nil {
			return err
		}
		if row, err = answered(row, now, who, req); err != nil {
			return err
		}
		of, _, err := layout.Get[layout.Account](tx, layout.AccountKey(who.Account))
		if err != nil {
			return err
		}
		row.Renewals = of.Renewals
		out = requestOf(row)
		return layout.PutEphemeral(tx, key, row, row.Expires)
	})
	return out, err
}

func answered(row layout.DeviceRequest, now time.Time, who Who, req api.DeviceAnswer) (layout.DeviceRequest, error) {
	ours := row.Account == who.Account && row.AccountSession == who.Session
	switch {
	case row.Refused:
		return row, access.Deny(api.CodeRequestGone)
	case len(row.Answer) > 0 && !ours:
		return row, access.Deny(api.CodeRequestTaken)
	case (len(req.Answer) > 0) == (len(req.Grant) > 0):
		return row, access.Deny(api.CodeBadRequest)
	case len(req.Answer) > 0:
		return answeredFirst(row, who, req.Answer)
	case len(row.Answer) == 0:
		return row, access.Deny(api.CodeBadRequest)
	case len(row.Grant) > 0 && !bytes.Equal(row.Grant, req.Grant):
		return row, access.Deny(api.CodeRequestTaken)
	}
	if _, err := device.ParseGrant(req.Grant); err != nil {
		return row, access.Deny(api.CodeBadRequest)
	}
	if len(row.Grant) == 0 {
		row.Grant, row.Expires = req.Grant, now.Unix()+api.DeviceRequestSeconds
	}
	return row, nil
}

// answeredFirst takes an answer that names the caller's own account (attack 9).
func answeredFirst(row layout.DeviceRequest, who Who, raw []byte) (layout.DeviceRequest, error) {
	answer, err := device.ParseAnswer(raw)
	if err != nil {
		return row, access.Deny(api.CodeBadRequest)
	}
	if answer.Account != who.Account {
		return row, access.Deny(api.CodeForbidden)
	}
	if len(row.Answer) > 0 && !bytes.Equal(row.Answer, raw) {
		return row, access.Deny(api.CodeRequestTaken)
	}
	row.Account, row.AccountSession, row.Answer = who.Account, who.Session, raw
	return row, nil
}

// RefuseDevice ends a request that the caller answered.
func (a *Service) RefuseDevice(ctx context.Context, now time.Time, who Who, code string) error {
	return a.updateAs(ctx, now, who, func(tx store.Tx) error {
		row, key, err := deviceRequest(tx, now, code)
		if err != nil {
			return err
		}
		if row.Account != who.Account || row.AccountSession != who.Session {
			return access.Deny(api.CodeRequestGone)
		}
		row.Refused, row.Grant = true, nil
		return layout.PutEphemeral(tx, key, row, row.Expires)
	})
}

// enrolled is whose a new device is that signed a challenge with the key of its request, which a device of that account granted, in
// a session that goes on and with the root that the account has. What a session that was ended had granted lets nobody in, nor
// does a request again whose own session was ended.
func (a *Service) enrolled(tx store.Tx, now time.Time, s layout.SignIn, login api.DeviceLogin) (account wire.ObjectID, shown layout.Factor, err error) {
	row, key, err := deviceRequest(tx, now, login.Code)
	if access.Is(err, api.CodeRequestGone) || (err == nil && (row.Refused || row.Over || len(row.Grant) == 0)) {
		return account, shown, access.Deny(api.CodeSignInFailed)
	}
	if err != nil {
		return account, shown, err
	}
	if err := granted(tx, now, row); err != nil {
		return account, shown, oneAnswer(err)
	}
	r, err := device.ParseRequest(row.Request)
	if err != nil {
		return account, shown, err
	}
	if !ed25519.Verify(r.DeviceKey, api.LoginMessage(a.Origin, s.Challenge), login.Signature) {
		return account, shown, access.Deny(api.CodeSignInFailed)
	}
	row.Done = true
	code, err := vault.ParseDeviceCode(login.Code)
	if err != nil {
		return account, shown, access.Deny(api.CodeSignInFailed)
	}
	return row.Account, factor(kindDevice, code[:]), layout.PutEphemeral(tx, key, row, row.Expires)
}

// granted is whether what granted a request still stands.
func granted(tx store.Tx, now time.Time, row layout.DeviceRequest) error {
	if _, _, err := aliveByID(tx, row.Account, row.AccountSession, now); err != nil {
		return err
	}
	of, _, err := layout.Get[layout.Account](tx, layout.AccountKey(row.Account))
	if err != nil || of.Renewals != row.Renewals {
		return deny(err, api.CodeSignInFailed)
	}
	return nil
}

// endEnrolment ends the request that a session was opened by, which says still that it was done.
func endEnrolment(tx store.Tx, s layout.AccountSession) error {
	for _, f := range s.Factors {
		if f.Kind != kindDevice {
			continue
		}
		key := layout.DeviceRequestByHash(f.ID)
		row, found, err := layout.Get[layout.DeviceRequest](tx, key)
		if err != nil || !found {
			return err
		}
		row.Over = true
		if err := layout.Put(tx, key, row); err != nil {
			return err
		}
	}
	return nil
}

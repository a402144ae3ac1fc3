package auth

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// NewSetup makes the secret of a setup link.
func (a *Service) NewSetup(ctx context.Context, now time.Time) (string, error) {
	b, err := a.random(tokenSize)
	if err != nil {
		return "", err
	}
	secret := base64.RawURLEncoding.EncodeToString(b)
	s := layout.Setup{Expires: now.Unix() + api.SetupLifetime}
	return secret, a.update(ctx, now, func(tx store.Tx) error { return layout.PutEphemeral(tx, layout.SetupKey(secret), s, s.Expires) })
}

// useSetup is the first step of a founding: it decides the name of the firm's log.
func (a *Service) useSetup(ctx context.Context, now time.Time, secret string) (api.LogKeys, error) {
	name, err := wire.NewObjectID(a.Random)
	if err != nil {
		return api.LogKeys{}, err
	}
	var s layout.Setup
	err = a.Store.Update(ctx, layout.Accounts, func(tx store.Tx) error {
		found := false
		if s, found, err = layout.Get[layout.Setup](tx, layout.SetupKey(secret)); err != nil {
			return err
		}
		if !found || now.Unix() >= s.Expires || !s.Account.IsZero() {
			return access.Deny(api.CodeSetupUsed)
		}
		if s.Log != "" {
			return nil
		}
		s.Log = name.String()
		return layout.Put(tx, layout.SetupKey(secret), s)
	})
	if err != nil {
		return api.LogKeys{}, err
	}
	seeds, err := a.Log.Keys.Make(ctx, s.Log)
	if err != nil {
		return api.LogKeys{}, err
	}
	keys := seeds.Public(a.LogOrigin(s.Log))
	keys.Policy = a.Policy
	return keys, nil
}

// LogOrigin is the origin of the log of a name (c2sp.org/tlog-checkpoint): where it is served, without the scheme.
func (a *Service) LogOrigin(name string) string { return a.host + "/log/" + name }

// ClaimSetup uses a setup link up, for one account, one firm and one request. The same again is the same answer, so that
// a founding whose second half failed can be repeated. It returns the name of the firm's log, and how often the account's root
// was renewed.
func (a *Service) ClaimSetup(ctx context.Context, now time.Time, who Who, secret string, firm wire.ChainID, request wire.Hash) (string, int, error) {
	var s layout.Setup
	var of layout.Account
	err := a.Store.Update(ctx, layout.Accounts, func(tx store.Tx) error {
		if err := who.stands(tx, now); err != nil {
			return err
		}
		var found bool
		var err error
		if of, _, err = layout.Get[layout.Account](tx, layout.AccountKey(who.Account)); err != nil {
			return err
		}
		if s, found, err = layout.Get[layout.Setup](tx, layout.SetupKey(secret)); err != nil {
			return err
		}
		if found && s.Account == who.Account && s.Firm == firm && s.Request == request {
			return nil
		}
		if !found || now.Unix() >= s.Expires || !s.Account.IsZero() || s.Log == "" {
			return access.Deny(api.CodeSetupUsed)
		}
		s.Account, s.Firm, s.Request, s.Expires = who.Account, firm, request, 0
		if err := tx.Put(layout.MembershipKey(who.Account, firm), nil); err != nil {
			return err
		}
		if err := tx.Put(layout.LogNameKey(s.Log), firm[:]); err != nil {
			return err
		}
		return layout.Put(tx, layout.SetupKey(secret), s)
	})
	return s.Log, of.Renewals, err
}

// inviteOf reads an invite and its inviter's seat.
func inviteOf(tx store.Tx, p api.InviteProof) (*access.Invite, *access.Seat, error) {
	i, found, err := layout.Get[access.Invite](tx, layout.InviteKey(p.Chain, p.Invite))
	if err != nil || !found {
		return nil, nil, err
	}
	seat, found, err := layout.Get[access.Seat](tx, layout.SeatKey(p.Chain, i.Inviter))
	if err != nil || !found {
		return nil, nil, err
	}
	return &i, &seat, nil
}

// checkInvite is whether a proof shows the link of an invite that may still be used. That somebody used it is no reason
// before it expires: this guest may be the second one, and the accept entry decides.
func checkInvite(tx store.Tx, now time.Time, purpose string, p api.InviteProof, subject []byte) (*access.Invite, error) {
	i, inviter, err := inviteOf(tx, p)
	if err != nil {
		return nil, err
	}
	if err := access.UsableInvite(i, inviter, now.Unix()); err != nil && !access.SecondGuest(err, i, now.Unix()) {
		return nil, err
	}
	if !ed25519.Verify(i.PublicKey[:], api.InviteProofMessage(purpose, p, subject), p.Signature) {
		return nil, access.Deny(api.CodeForbidden)
	}
	return i, nil
}

// useInvite is whether an account may be begun with an invite.
func (a *Service) useInvite(ctx context.Context, now time.Time, p api.InviteProof) error {
	partition := layout.FirmPartition(p.Firm)
	check := func(tx store.Tx) (*access.Invite, error) { return checkInvite(tx, now, api.ProofEnrol, p, nil) }
	// Looked at first: a partition that does not exist must not come into being.
	if err := a.Store.View(ctx, partition, func(tx store.Tx) error { _, err := check(tx); return err }); err != nil {
		return err
	}
	return a.Store.Update(ctx, partition, func(tx store.Tx) error {
		i, err := check(tx)
		if err != nil {
			return err
		}
		if i.Enrolments++; i.Enrolments > maxEnrolments {
			return access.Deny(api.CodeInviteGone)
		}
		return layout.Put(tx, layout.InviteKey(p.Chain, p.Invite), i)
	})
}

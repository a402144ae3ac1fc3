package client

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
)

// SSOView is the identity provider of one firm that this account works in. Times are milliseconds; 0 is never.
type SSOView struct {
	Firm     string `json:"firm"`
	FirmName string `json:"firmName"`
	Issuer   string `json:"issuer"` // as the server says
	Linked   bool   `json:"linked"`
	LinkedAt int64  `json:"linkedAt"`
	UsedAt   int64  `json:"usedAt"`
}

// SSO lists them. A firm that this account knows nothing of is not shown: where its sign-in leads, a server alone would say.
func (c *Client) SSO(ctx context.Context) ([]SSOView, error) {
	a, err := c.who()
	if err != nil {
		return nil, err
	}
	reply, err := c.ssoList(ctx)
	if err != nil {
		return nil, c.refuse(ctx, "the firms of an account", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	views := []SSOView{}
	for _, s := range reply {
		if seat := a.ring.firm(s.Firm); seat != nil {
			views = append(views, SSOView{Firm: s.Firm.String(), FirmName: seat.Name, Issuer: s.Issuer, Linked: s.Linked, LinkedAt: s.Created * 1000, UsedAt: s.LastUsed * 1000})
		}
	}
	return views, nil
}

func (c *Client) ssoList(ctx context.Context) ([]api.SSO, error) {
	var reply api.SSOList
	err := c.call(ctx, methodGet, api.RouteSSO, nil, &reply)
	return reply.Firms, err
}

// LinkSSO is the page that a browser goes to, at this server, to have the account linked with the sign-in of a firm that it works in. It
// needs a fresh proof. When the browser comes back no keys are here any more: TakeUp goes on.
func (c *Client) LinkSSO(ctx context.Context, firm wire.ChainID) (path string, err error) {
	a, err := c.who()
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	seat := a.ring.firm(firm)
	c.mu.Unlock()
	if seat == nil {
		return "", fail(api.CodeNotHere, "")
	}
	var reply api.SSOReply
	if err := c.changeFactors(ctx, a, methodPost, api.RouteSSO, api.SSORequest{Firm: firm}, &reply); err != nil {
		return "", failureOf(err)
	}
	return api.SSOLinkingPage(firm, reply.Link), nil
}

// UnlinkSSO ends the link, and every session that it opened. It needs a fresh proof.
func (c *Client) UnlinkSSO(ctx context.Context, firm wire.ChainID) error {
	a, err := c.who()
	if err != nil {
		return err
	}
	if err := c.changeFactors(ctx, a, methodDelete, api.SSOLinkPath(firm), nil, nil); err != nil {
		return failureOf(err)
	}
	return c.rememberSSO(ctx, slices.DeleteFunc(c.SSOFirms(ctx), func(known wire.ChainID) bool { return known == firm }))
}

// TakeUp goes on with the session that this browser has of an account since it came back from an identity provider. It brings
// no keys: UnlockPasskey, UnlockPassword or UnlockKit does, with what the person has. The device remembers whose sign-in led here.
func (c *Client) TakeUp(ctx context.Context) error {
	if c.SignedIn() {
		return fail(api.CodeBadRequest, "")
	}
	var reply api.Account
	if err := c.call(ctx, methodGet, api.RouteAccount, nil, &reply); err != nil {
		return c.refuse(ctx, "the account of a firm's sign-in", err)
	}
	list, err := c.ssoList(ctx)
	if err != nil {
		return c.refuse(ctx, "the firms of an account", err)
	}
	c.mu.Lock()
	c.ceremony = &ceremony{signedIn: &reply}
	c.mu.Unlock()
	firms := c.SSOFirms(ctx)
	for _, s := range list {
		if s.Linked && !slices.Contains(firms, s.Firm) {
			firms = append(firms, s.Firm)
		}
	}
	return c.rememberSSO(ctx, firms)
}

// UnlockOptions begins an unlocking by passkey after a sign-in that could not, or after a lock.
func (c *Client) UnlockOptions(ctx context.Context) (Options, error) {
	signedIn, err := c.accountToUnlock(ctx)
	if err != nil {
		return Options{}, err
	}
	var reply api.SignInReply
	if err := c.call(ctx, methodPost, api.RouteSignIns, struct{}{}, &reply); err != nil {
		return Options{}, failureOf(err)
	}
	c.mu.Lock()
	c.ceremony = &ceremony{signedIn: &signedIn, signIn: &reply}
	c.mu.Unlock()
	return Options{PublicKey: reply.Request, PRFSalt: vault.PasskeySalt()}, nil
}

// UnlockPasskey completes it. The passkey proves to the server, besides, whose session it is. Another account's is one that
// does not unlock; one without PRF leaves it to the kit.
func (c *Client) UnlockPasskey(ctx context.Context, credential json.RawMessage, prf []byte) error {
	c.mu.Lock()
	cer := c.ceremony
	c.mu.Unlock()
	if cer == nil || cer.signIn == nil || cer.signedIn == nil {
		return fail(api.CodeBadRequest, "")
	}
	id, err := credentialID(credential)
	if err != nil {
		return err
	}
	var unlock [32]byte
	if prf != nil {
		c.secret("PRF output", prf)
		if unlock, err = vault.PasskeyUnlockKey(prf); err != nil {
			return fail(api.CodeNoPRF, "")
		}
	}
	var reply api.Account
	err = c.call(ctx, methodPost, api.RouteProofs, api.Prove{SignIn: cer.signIn.SignIn, Credential: credential}, &reply)
	if hasCode(err, api.CodeForbidden) || (err == nil && reply.Account != cer.signedIn.Account) {
		err = vault.ErrUnlock
	}
	if err != nil {
		return c.refuse(ctx, "a passkey's proof", err)
	}
	if prf == nil || !unlocks(reply.Vault, id) {
		return fail(api.CodeUnlockElsewhere, "")
	}
	return c.open(ctx, reply, vault.MethodPasskey, id, unlock)
}

// ssoRecord is where a device keeps the ids of firms whose sign-in led to it. It is not sealed: it is read before anybody is
// signed in. The ids are no names, and open nothing.
const ssoRecord = "sso"

const maxSSOFirms = 8

// SSOFirms are the firms whose sign-in this device remembers.
func (c *Client) SSOFirms(ctx context.Context) []wire.ChainID {
	firms := []wire.ChainID{}
	b, err := c.config.Device.Get(ctx, ssoRecord)
	if err != nil || json.Unmarshal(b, &firms) != nil || len(firms) > maxSSOFirms {
		return []wire.ChainID{} // to remember none costs a detour
	}
	return firms
}

func (c *Client) rememberSSO(ctx context.Context, firms []wire.ChainID) error {
	b, err := json.Marshal(firms[max(0, len(firms)-maxSSOFirms):])
	if err != nil {
		return err
	}
	if err := c.config.Device.Put(ctx, ssoRecord, b); err != nil {
		return &Failure{Code: api.CodeNoRoom, cause: err}
	}
	return nil
}

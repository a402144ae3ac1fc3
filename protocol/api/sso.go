package api

import "github.com/underseal/underseal/protocol/wire"

// Routes of a firm's own sign-in, through its identity provider. The first two are for browsers to go to: each answers with
// another address, whatever happens.
const (
	RouteSSOStart  = "/v1/firms/:firm/oidc/start"    // GET ?then=&link=: to the identity provider
	RouteSSOFinish = "/v1/firms/:firm/oidc/callback" // GET, from there: to a page, and the account's cookie
	RouteSSO       = "/v1/account/sso"               // GET: SSOList · POST SSORequest: SSOReply
	RouteSSOLink   = "/v1/account/sso/:firm"         // DELETE: ends the link, and the sessions that it opened
)

// SSOParam is how the address of a page says what came of a sign-in through a firm: one of the outcomes, and nothing else of it.
const SSOParam = "sso"

// Outcomes.
const (
	SSOSignedIn = "in"
	SSOLinked   = "linked"
	SSOFailed   = string(CodeSignInFailed) // whatever the reason
	SSOAway     = string(CodeUnavailable)  // nothing was decided
)

// SSO is one firm's identity provider, as an account that has a seat in the firm's own chain sees it. Times are seconds.
type SSO struct {
	Firm     wire.ChainID `json:"firm"`
	Issuer   string       `json:"issuer"`
	Linked   bool         `json:"linked"`
	Created  int64        `json:"created"` // of the link; 0 without one
	LastUsed int64        `json:"lastUsed"`
}

// SSOList are those there are.
type SSOList struct {
	Firms []SSO `json:"firms"`
}

// SSORequest asks to link the account: it needs a fresh proof.
type SSORequest struct {
	Firm wire.ChainID `json:"firm"`
}

// SSOReply is leave to link: the browser goes to SSOLinkingPage with it, once, within the time of a ceremony.
type SSOReply struct {
	Link wire.ObjectID `json:"link"`
}

// SSOPage is the page that takes a browser to RouteSSOStart: no other page leads off this origin.
func SSOPage(firm wire.ChainID) string { return "/sso/" + firm.String() }

// SSOLinkingPage is the same with leave to link. The browser comes back to the account's page.
func SSOLinkingPage(firm wire.ChainID, link wire.ObjectID) string {
	return SSOPage(firm) + "?then=/account&link=" + link.String()
}

// SSOLinkPath is one link.
func SSOLinkPath(firm wire.ChainID) string { return RouteSSO + "/" + firm.String() }

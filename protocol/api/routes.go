package api

import (
	"strconv"

	"github.com/underseal/underseal/protocol/wire"
)

// Routes, as echo spells parameters. Methods stand beside each.
const (
	RouteHealth         = "/v1/health"                                                         // GET
	RouteEnrolments     = "/v1/enrolments"                                                     // POST EnrolRequest: EnrolReply
	RouteEnrolment      = "/v1/enrolments/:enrolment"                                          // POST EnrolFinish: Account, and the account's cookie
	RouteSignIns        = "/v1/sign-ins"                                                       // POST {}: SignInReply
	RouteSignIn         = "/v1/sign-ins/:signin"                                               // POST SignInFinish: Account, and the account's cookie
	RouteAccount        = "/v1/account"                                                        // GET: Account
	RouteAccountSession = "/v1/account/session"                                                // DELETE: signs out
	RouteKeyring        = "/v1/account/keyring"                                                // PUT PutKeyring
	RouteVault          = "/v1/account/vault"                                                  // PUT PutVault
	RouteTickets        = "/v1/account/tickets"                                                // POST TicketRequest: Ticket
	RouteFirms          = "/v1/firms"                                                          // POST FoundRequest: Appended
	RouteSessions       = "/v1/firms/:firm/sessions"                                           // POST OpenSession: Opened, and the firm's cookie
	RouteSession        = "/v1/firms/:firm/session"                                            // DELETE: ends it
	RouteChains         = "/v1/firms/:firm/chains"                                             // GET: Chains · POST a first statement (binary): Appended
	RouteChain          = "/v1/firms/:firm/chains/:chain"                                      // GET: ChainHead
	RouteEntries        = "/v1/firms/:firm/chains/:chain/entries"                              // GET ?from=: entries (binary) · POST a submission (binary): Appended
	RouteStatements     = "/v1/firms/:firm/chains/:chain/statements"                           // GET: entries (binary), oldest first
	RouteTrail          = "/v1/firms/:firm/chains/:chain/trail"                                // GET ?from=: entries (auditors) · POST a submission: Appended
	RouteWrap           = "/v1/firms/:firm/chains/:chain/wraps/:epoch"                         // GET: WrapReply
	RouteInvite         = "/v1/firms/:firm/chains/:chain/invites/:invite"                      // GET: InviteReply, without a session
	RouteUploads        = "/v1/firms/:firm/chains/:chain/uploads"                              // POST NewUpload: Upload
	RouteUpload         = "/v1/firms/:firm/chains/:chain/uploads/:upload"                      // GET: Upload · DELETE
	RouteChunk          = "/v1/firms/:firm/chains/:chain/uploads/:upload/chunks/:number"       // PUT bytes with Content-Digest
	RouteDigests        = "/v1/firms/:firm/chains/:chain/documents/:document/:version/digests" // GET: 32 bytes a chunk (binary)
	RouteBody           = "/v1/firms/:firm/chains/:chain/documents/:document/:version/body"    // GET with Range, behind a release
)

// HeaderSecondGuest, with the value 1, goes with an accept entry whose author knows that somebody used the invite before
// him, and that it freezes both until an owner decides. Without it the answer is CodeInviteUsed.
const HeaderSecondGuest = "X-Underseal-Second-Guest"

// Paths of the routes above.

// Firm is the prefix of a firm's routes.
func Firm(firm wire.ChainID) string { return "/v1/firms/" + firm.String() }

// Chain is the prefix of a chain's routes.
func Chain(firm, chain wire.ChainID) string { return Firm(firm) + "/chains/" + chain.String() }

// Entries is where a chain's entries are read, from a position, and appended.
func Entries(firm, chain wire.ChainID, from uint64) string {
	return Chain(firm, chain) + "/entries?from=" + strconv.FormatUint(from, 10)
}

// UploadPath is one upload.
func UploadPath(firm, chain wire.ChainID, upload wire.ObjectID) string {
	return Chain(firm, chain) + "/uploads/" + upload.String()
}

// ChunkPath is one chunk of an upload.
func ChunkPath(firm, chain wire.ChainID, upload wire.ObjectID, number int) string {
	return UploadPath(firm, chain, upload) + "/chunks/" + strconv.Itoa(number)
}

// VersionPath is the prefix of a version's digests and body.
func VersionPath(firm, chain wire.ChainID, document, version wire.ObjectID) string {
	return Chain(firm, chain) + "/documents/" + document.String() + "/" + version.String()
}

// WrapPath is the caller's wrap of an epoch; 0 is the newest.
func WrapPath(firm, chain wire.ChainID, epoch uint32) string {
	return Chain(firm, chain) + "/wraps/" + strconv.FormatUint(uint64(epoch), 10)
}

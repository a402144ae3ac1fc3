package api

// Code is the closed set of what can go wrong towards a user. Screens have a sentence for each; nothing else crosses
// the wire of an error, so nothing secret can.
type Code string

// Codes that the server answers.
const (
	CodeBadRequest     Code = "bad-request"     // not the one form of a request
	CodeTooLarge       Code = "too-large"       // more bytes than are allowed
	CodeNotFound       Code = "not-found"       // no such thing, or not yours: the same answer
	CodeNotSignedIn    Code = "not-signed-in"   // no session, or it ended
	CodeSignInFailed   Code = "sign-in-failed"  // one answer for every failed sign-in
	CodeSessionEnded   Code = "session-ended"   // it was ended by somebody else, or by a firm's policy
	CodeProveAgain     Code = "prove-again"     // signed in, but the last proof with a factor is too old for this
	CodeUnlockFirst    Code = "unlock-first"    // what changes factors is signed by who has unlocked the account, in this very session
	CodeLastMethod     Code = "last-method"     // no way to sign in, none to unlock, or a password without a second factor, would be left
	CodeTooMany        Code = "too-many"        // too many attempts: the answer says how many seconds to wait
	CodeCodeFailed     Code = "code-failed"     // one answer for every code that does not count: another one, a used one, one of another time
	CodeSecondFactor   Code = "second-factor"   // the firm's policy wants two factors, and the session has one
	CodeNoSecond       Code = "no-second"       // a password needs a second factor, and the account has none
	CodePasswordOld    Code = "password-old"    // the firm's policy wants a newer password than the one that signed in
	CodeNameTaken      Code = "name-taken"      // somebody else signs in with that name
	CodeNotFromHere    Code = "not-from-here"   // the firm's policy admits no session from this address
	CodeNewKeys        Code = "new-keys"        // somebody has newer keys than the roster, or than the epoch: an owner must renew the matter's keys
	CodeSecondWay      Code = "second-way"      // who works in a firm needs two ways to unlock before anything is wrapped to him
	CodeTooEarly       Code = "too-early"       // a recovery waits until everybody had the time to say no
	CodeRecoveryGone   Code = "recovery-gone"   // stopped, done, expired or never begun
	CodeRecovered      Code = "recovered"       // who this account was in the firm was handed back to him in another one
	CodeDeviceRevoked  Code = "device-revoked"  // a sign-in from a device that its owner revoked
	CodeRequestGone    Code = "request-gone"    // a new device's request expired, was refused, or was never made
	CodeRequestTaken   Code = "request-taken"   // another device answered it
	CodeClock          Code = "clock"           // the device's clock is so far behind that its session ended before it began
	CodeForbidden      Code = "forbidden"       // signed in, and may not
	CodeSetupUsed      Code = "setup-used"      // the setup link worked once already, or is too old, or was never made
	CodeInviteUsed     Code = "invite-used"     // somebody accepted it already
	CodeInviteExpired  Code = "invite-expired"  //
	CodeInviteGone     Code = "invite-gone"     // cancelled, frozen or never made
	CodeMoved          Code = "moved"           // the chain moved on: read what is new and try again
	CodeGone           Code = "gone"            // the document was deleted
	CodeDigest         Code = "digest-mismatch" // a chunk's bytes are not what Content-Digest says
	CodeChunkConflict  Code = "chunk-conflict"  // another chunk stands at that number
	CodeUploadGone     Code = "upload-gone"     // expired, cancelled, committed or never begun
	CodeUploadMissing  Code = "upload-missing"  // a commit names an upload with chunks missing
	CodeNotReleased    Code = "not-released"    // no release of this version to this session
	CodeRange          Code = "bad-range"       //
	CodeNoSpace        Code = "no-space"        // the server's disk is full; nothing was lost
	CodeSecretReceived Code = "secret-received" // a body held a PRF output: refused, and not kept
	CodeUnavailable    Code = "unavailable"     // it cannot be done right now; nothing was changed, or the same request may be sent again
	CodeInternal       Code = "internal"        // a fault of the server's
)

// Codes that only a client makes.
const (
	CodeOffline         Code = "offline"          // the server cannot be reached
	CodeServerLied      Code = "server-lied"      // what the server showed contradicts what was signed
	CodeNoPRF           Code = "no-prf"           // the authenticator cannot unlock
	CodePasskeyCanceled Code = "passkey-canceled" //
	CodeUnlockFailed    Code = "unlock-failed"    // one answer for every failed unlock
	CodeKitTypo         Code = "kit-typo"         // the detail names the group
	CodeCodeTypo        Code = "code-typo"        // of a new device's code: the detail names the group
	CodeBadLink         Code = "bad-link"         // an address that is no invite or setup link, or not a whole one
	CodeBadName         Code = "bad-name"         // a name that cannot be kept
	CodeTooManyFiles    Code = "too-many-files"   //
	CodeFileChanged     Code = "file-changed"     // the file is not the one that was paused
	CodeFileUnreadable  Code = "file-unreadable"  //
	CodeFileExists      Code = "file-exists"      // a file of that name is there already, and was left as it is
	CodeNoRoom          Code = "no-room"          // this device has no room for the file
	CodeRemoved         Code = "removed"          // one's own seat was ended
	CodeWaiting         Code = "waiting"          // an owner must confirm first
	CodeNotAllowed      Code = "not-allowed"      // one's role may not
	CodeNotHere         Code = "not-here"         // no such matter, document, person or transfer
	CodeCancelled       Code = "cancelled"        //
	CodeUnsupported     Code = "unsupported"      // this browser lacks what is needed
	CodeStaleBuild      Code = "stale-build"      // page and module are of different builds
	CodeUsage           Code = "usage"            // a command that cannot be
	CodeNotWitnessed    Code = "not-witnessed"    // the firm's witnesses have not vouched for the log lately: nothing is sealed on less
	CodeReviewOnly      Code = "review-only"      // a reviewer's seat: it checks and opens nothing
	CodeUnlockElsewhere Code = "unlock-elsewhere" // signed in, by what cannot unlock here: another method does
	CodePasswordFailed  Code = "password-failed"  // one answer for every sign-in with a password that does not work
	CodePasswordShort   Code = "password-short"   // the detail is how many characters it needs
	CodePasswordWeak    Code = "password-weak"    // easy to guess
	CodeBadLoginName    Code = "bad-login-name"   // not a name to sign in with
)

// ServerCodes are the codes that a server may answer; a client takes no other.
func ServerCodes() []Code {
	return []Code{CodeBadRequest, CodeTooLarge, CodeNotFound, CodeNotSignedIn, CodeSignInFailed, CodeSessionEnded, CodeProveAgain, CodeUnlockFirst, CodeLastMethod, CodeTooMany, CodeCodeFailed, CodeSecondFactor, CodeNoSecond,
		CodePasswordOld, CodeNameTaken, CodeNotFromHere, CodeNewKeys, CodeSecondWay, CodeTooEarly, CodeRecoveryGone, CodeRecovered, CodeDeviceRevoked, CodeRequestGone, CodeRequestTaken, CodeClock, CodeForbidden, CodeSetupUsed, CodeInviteUsed, CodeInviteExpired,
		CodeInviteGone, CodeMoved, CodeGone, CodeDigest, CodeChunkConflict, CodeUploadGone, CodeUploadMissing, CodeNotReleased, CodeRange, CodeNoSpace,
		CodeSecretReceived, CodeUnavailable, CodeInternal}
}

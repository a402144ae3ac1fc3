// Package layout is where everything that the server keeps stands in its store, and in what form.
//
// There is a partition "accounts", and one a firm, named by the firm's id. Keys are text: a prefix, then identifiers in
// base32 and numbers in 16 hexadecimal digits, so that they sort. Records are JSON, entries and rows are the binary forms
// of protocol/chain. Nothing here is secret from whoever has the disk but what is hashed: setup secrets, tickets and the
// tokens of cookies.
//
// In accounts:
//
//	setup/<hash>                       Setup        a setup link, by SHA-256 of its secret
//	enrolment/<id>                     Enrolment    an account that is being made
//	new-passkey/<id>                   NewPasskey   a further passkey that is being made
//	signin/<id>                        SignIn       a sign-in that is being made; also the challenge of a new login key
//	account/<id>                       Account
//	keyring/<account>                  Keyring
//	vault/<account>/<method>/<hash>    api.VaultEntry, by SHA-256 of its id
//	passkey/<account>/<hash>           Passkey, by SHA-256 of the credential's id
//	credential/<hash>                  the account's id: a credential belongs to one account
//	login/<hash>                       Login, by SHA-256 of the login key
//	name/<name>                        the account's id: who signs in with that name (api.LoginName)
//	password/<account>                 Password
//	authenticator/<account>            Authenticator
//	password-signin/<id>               PasswordSignIn  a sign-in with a password that is being made
//	new-password/<id>                  NewPassword     a password that is being set
//	new-authenticator/<id>             NewAuthenticator  an app that is being set up
//	attempts/<account>                 Attempts     that its owner was not told of; of a name without an account, by another id
//	notice/<firm>/<account>/<time>     Notice       what the firm's auditors are to be told
//	limit/<kind>/<hash>                how often was tried: package limit
//	totp/<account>/<hash>              which code was used last: package totp
//	sign-in-key                        32 bytes: which key passwords were set with
//	device/<account>/<id>              Device
//	device-request/<hash>              DeviceRequest  a device that wants to be enrolled, by SHA-256 of its code
//	device-requests/<network>          Denials      how many came from there in five minutes; of /0, from everywhere
//	session/<hash>                     AccountSession, by SHA-256 of the cookie's token
//	sessions-of/<account>/<session>    the key of its row
//	ticket/<hash>                      Ticket
//	sso/<firm>/<hash>                  SSO          whose subject of the firm's identity provider that is, by SHA-256 of issuer and subject
//	sso-of/<account>/<firm>            the hash of the one above
//	sso-leave/<id>                     SSOLeave     leave to make one
//	sso-begun/<hash>                   SSOBegun     a sign-in at an identity provider, by SHA-256 of the browser's secret
//	membership/<account>/<firm>        empty
//	log/<name>                         the firm's id: whose log has that name
//	due/<seconds>/<key>                empty: when to look whether the row at key is past its time
//
// In a firm:
//
//	firm                               Firm
//	policy                             Policy       the newest that an owner signed
//	escrow/<member>                    Escrow
//	escrow-row/<member>                the sealed identity
//	share/<member>/<custodian>         a custodian's share
//	recovery/<recovery>                Recovery
//	recovery-of/<member>               16 bytes     the one that is open
//	recovery-package/<recovery>        what its link opens
//	handed/<recovery>/<custodian>      a share, wrapped to who claims
//	member/<member>                    Member       whose account it is
//	member-of/<account>                16 bytes     the one member it is
//	entered/<member>                   Entered      when he opened a session last
//	signed-out/<member>                SignedOut    when an owner ended his sessions last
//	forgiving/<entry>                  Forgiving    whose failed sign-ins are still to be forgotten in the accounts
//	forgiven/<member>                  Denials      how often they were in a day
//	member-was/<account>               16 bytes     the one member it was, before he was handed to another account
//	keys/<member>                      chain.Bundle
//	session/<hash>                     Session
//	session-of/<member>/<hash>         16 bytes     the account's session that it was opened from
//	session-id/<session>               the member's id: a session's id is used once
//	chain/<chain>                      Chain        its head
//	seat/<chain>/<member>              access.Seat
//	seats-of/<member>/<chain>          empty
//	invite/<chain>/<invite>            access.Invite
//	package/<chain>/<invite>           the newest package of an invite that is open (bytes of a chain.Row)
//	state/<chain>/<position>           the leaf's index in the log, 8 bytes ‖ chain.Entry
//	trail/<chain>/<position>           the same
//	entry/<chain>/<entry>              Accepted     what was answered to an entry, for who asks again
//	statement/<chain>/<epoch>          the statement's position
//	rows/<chain>/<epoch>               hashes of the statement's rows, 32 bytes each
//	wrap/<chain>/<member>/<epoch>      chain.Wrap (bytes of a chain.Row)
//	document/<chain>/<document>        Document
//	version/<chain>/<version>          Version
//	version-of/<chain>/<document>/<version>  empty
//	upload/<upload>                    Upload       also the body of a version, once committed
//	upload-of/<member>/<upload>        empty: not committed yet
//	chunk/<upload>/<number>            32 bytes: the digest of a chunk that is in the blob store
//	purge/<upload>                     empty: bytes and chunk rows that are to go
//	release/<chain>/<version>/<session>  Release
//	event/<chain>/<position>           VRF proof ‖ chain.Entry: the server sequence
//	events/<chain>                     Sequence     where it stands
//	auditors/<chain>                   Auditors     whom it is sealed to
//	denials/<session>                  Denials      how many were recorded this minute
//	failures/<account>                 Denials      how many failed sign-ins were recorded this minute
//	noticed/<account>                  Notice       the newest that its auditors were told
//	openings/<member>                  Denials      how many sessions were opened this minute
//	key-link/<member>/<number>         chain.KeyLink
//	key-leaf/<member>/<number>         8 bytes: the index of its leaf in the log
//	log/size                           8 bytes
//	log/leaf/<index>                   98 bytes: the firm's one log, in order
//	log/tile/<level>/<number>          a row of the log's tree (log.Rows)
//	log/integrated                     size u64 ‖ root of the newest checkpoint
//	log/checkpoint                     the newest checkpoint, a signed note
//	log/witnessed                      the newest that satisfies the policy, with cosignatures
//	log/cosigned/<hash>                8 bytes: the size that the witness at a URL cosigned last, by SHA-256 of the URL
//	log/pending/<key>                  a leaf hash: what this commit adds to the map; none is left by it
//	map/<path>                         a page of the map (log.MapPages)
//	due/<seconds>/<key>                as above
//
// The blob store keeps chunk n of an upload at firm, upload, n.
package layout

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"github.com/underseal/underseal/protocol/wire"
)

// Accounts is the one partition that is no firm's.
const Accounts = "accounts"

// FirmPartition is a firm's partition.
func FirmPartition(firm wire.ChainID) string { return firm.String() }

func key(parts ...string) []byte {
	n := len(parts)
	for _, p := range parts {
		n += len(p)
	}
	b := make([]byte, 0, n)
	for i, p := range parts {
		if i > 0 {
			b = append(b, '/')
		}
		b = append(b, p...)
	}
	return b
}

func number(n uint64) string { return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, n)) }

// Hash names a row by something that is secret or has no fixed length.
func Hash(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// Keys of the accounts partition.

// SetupKey is a setup link's row.
func SetupKey(secret string) []byte { return key("setup", Hash([]byte(secret))) }

// SetupByHash is the same, from the hash.
func SetupByHash(hash string) []byte { return key("setup", hash) }

// EnrolmentKey is an unfinished enrolment.
func EnrolmentKey(id wire.ObjectID) []byte { return key("enrolment", id.String()) }

// NewPasskeyKey is a further passkey that is being made.
func NewPasskeyKey(id wire.ObjectID) []byte { return key("new-passkey", id.String()) }

// SignInKey is an unfinished sign-in.
func SignInKey(id wire.ObjectID) []byte { return key("signin", id.String()) }

// AccountKey is an account.
func AccountKey(id wire.ObjectID) []byte { return key("account", id.String()) }

// KeyringKey is an account's keyring.
func KeyringKey(id wire.ObjectID) []byte { return key("keyring", id.String()) }

// VaultKey is one unlock method.
func VaultKey(account wire.ObjectID, method uint8, id []byte) []byte {
	return key("vault", account.String(), strconv.Itoa(int(method)), Hash(id))
}

// VaultOf is the prefix of an account's unlock methods.
func VaultOf(account wire.ObjectID) []byte { return key("vault", account.String(), "") }

// VaultMethod is the prefix of those of one kind.
func VaultMethod(account wire.ObjectID, method uint8) []byte {
	return key("vault", account.String(), strconv.Itoa(int(method)), "")
}

// PasskeyKey is one passkey.
func PasskeyKey(account wire.ObjectID, credential []byte) []byte {
	return key("passkey", account.String(), Hash(credential))
}

// PasskeysOf is the prefix of an account's passkeys.
func PasskeysOf(account wire.ObjectID) []byte { return key("passkey", account.String(), "") }

// CredentialKey says whose a credential is.
func CredentialKey(credential []byte) []byte { return key("credential", Hash(credential)) }

// LoginKey says whose a login key is.
func LoginKey(public []byte) []byte { return key("login", Hash(public)) }

// NameKey says who signs in with a name.
func NameKey(name wire.Hash) []byte { return key("name", name.String()) }

// PasswordKey is an account's password.
func PasswordKey(account wire.ObjectID) []byte { return key("password", account.String()) }

// AuthenticatorKey is an account's authenticator app.
func AuthenticatorKey(account wire.ObjectID) []byte { return key("authenticator", account.String()) }

// PasswordSignInKey is an unfinished sign-in with a password.
func PasswordSignInKey(id wire.ObjectID) []byte { return key("password-signin", id.String()) }

// NewPasswordKey is a password that is being set.
func NewPasswordKey(id wire.ObjectID) []byte { return key("new-password", id.String()) }

// NewAuthenticatorKey is an authenticator app that is being set up.
func NewAuthenticatorKey(id wire.ObjectID) []byte { return key("new-authenticator", id.String()) }

// AttemptsKey counts what an owner is to be told of.
func AttemptsKey(account wire.ObjectID) []byte { return key("attempts", account.String()) }

// NoticeKey is what a firm's auditors are to be told of an account.
func NoticeKey(firm wire.ChainID, account wire.ObjectID, at int64) []byte {
	return key("notice", firm.String(), account.String(), number(uint64(at)))
}

// NoticesOf is the prefix of what a firm's auditors are to be told.
func NoticesOf(firm wire.ChainID) []byte { return key("notice", firm.String(), "") }

// SignInKeyKey says which key passwords were set with.
func SignInKeyKey() []byte { return key("sign-in-key") }

// DeviceKey is a device of an account.
func DeviceKey(account, device wire.ObjectID) []byte {
	return key("device", account.String(), device.String())
}

// DevicesOf is the prefix of an account's devices.
func DevicesOf(account wire.ObjectID) []byte { return key("device", account.String(), "") }

// DeviceRequestKey is a device that wants to be enrolled, by its code.
func DeviceRequestKey(code []byte) []byte { return key("device-request", Hash(code)) }

// DeviceRequestByHash is the same, by the hash of its code.
func DeviceRequestByHash(hash string) []byte { return key("device-request", hash) }

// DeviceRequestsKey counts those that came from a network.
func DeviceRequestsKey(network string) []byte { return key("device-requests", network) }

// TicketKey is a ticket.
func TicketKey(ticket []byte) []byte { return key("ticket", Hash(ticket)) }

// MembershipKey says that an account has been in a firm.
func MembershipKey(account wire.ObjectID, firm wire.ChainID) []byte {
	return key("membership", account.String(), firm.String())
}

// MembershipsOf is the prefix of an account's firms.
func MembershipsOf(account wire.ObjectID) []byte { return key("membership", account.String(), "") }

// Keys of both kinds of partition.

// SessionKey is a session, by its token.
func SessionKey(token []byte) []byte { return key("session", Hash(token)) }

// AccountSessionKey leads from a session's id to its row.
func AccountSessionKey(account, session wire.ObjectID) []byte {
	return key("sessions-of", account.String(), session.String())
}

// AccountSessionsOf is the prefix of an account's sessions.
func AccountSessionsOf(account wire.ObjectID) []byte { return key("sessions-of", account.String(), "") }

// FirmSessionKey says that a session, by its row's key, is a member's.
func FirmSessionKey(member wire.ObjectID, row []byte) []byte {
	return key("session-of", member.String(), Last(row))
}

// FirmSessionsOf is the prefix of a member's sessions.
func FirmSessionsOf(member wire.ObjectID) []byte { return key("session-of", member.String(), "") }

// SessionByHash is a session's row, from the last part of its key.
func SessionByHash(hash string) []byte { return key("session", hash) }

// DuePrefix is the prefix of the rows that say when to look.
func DuePrefix() []byte { return key("due", "") }

// DueKey says when to look at a row.
func DueKey(at int64, row []byte) []byte { return key("due", number(uint64(at)), string(row)) }

// ParseDue is the inverse of DueKey.
func ParseDue(k []byte) (at int64, row []byte, ok bool) {
	rest := string(k)
	if len(rest) < len("due/")+17 || rest[:4] != "due/" {
		return 0, nil, false
	}
	n, err := strconv.ParseUint(rest[4:20], 16, 63)
	return int64(n), []byte(rest[21:]), err == nil
}

// Keys of a firm's partition.

// FirmKey is the firm.
func FirmKey() []byte { return key("firm") }

// PolicyKey is the firm's newest policy.
func PolicyKey() []byte { return key("policy") }

// EscrowKey is what a member left with custodians.
func EscrowKey(member wire.ObjectID) []byte { return key("escrow", member.String()) }

// EscrowRowKey is a member's sealed identity.
func EscrowRowKey(member wire.ObjectID) []byte { return key("escrow-row", member.String()) }

// ShareKey is a custodian's share of a member's.
func ShareKey(member, custodian wire.ObjectID) []byte {
	return key("share", member.String(), custodian.String())
}

// SharesOf is the prefix of the shares of a member's.
func SharesOf(member wire.ObjectID) []byte { return key("share", member.String(), "") }

// RecoveryKey is a recovery.
func RecoveryKey(recovery wire.ObjectID) []byte { return key("recovery", recovery.String()) }

// RecoveryOfKey is the recovery of a member that is open.
func RecoveryOfKey(member wire.ObjectID) []byte { return key("recovery-of", member.String()) }

// OpenRecoveries is the prefix of the recoveries that are open.
func OpenRecoveries() []byte { return key("recovery-of", "") }

// RecoveryPackageKey is what a recovery's link opens.
func RecoveryPackageKey(recovery wire.ObjectID) []byte {
	return key("recovery-package", recovery.String())
}

// HandedKey is a share that a custodian handed over.
func HandedKey(recovery, custodian wire.ObjectID) []byte {
	return key("handed", recovery.String(), custodian.String())
}

// HandedOf is the prefix of the shares that were handed over.
func HandedOf(recovery wire.ObjectID) []byte { return key("handed", recovery.String(), "") }

// Members is the prefix of a firm's members.
func Members() []byte { return key("member", "") }

// EnteredKey is when a member opened a session last.
func EnteredKey(member wire.ObjectID) []byte { return key("entered", member.String()) }

// SignedOutKey is when an owner ended a member's sessions last.
func SignedOutKey(member wire.ObjectID) []byte { return key("signed-out", member.String()) }

// ForgivingKey is whom an owner's entry forgives failed sign-ins, until that is done.
func ForgivingKey(entry wire.ObjectID) []byte { return key("forgiving", entry.String()) }

// ForgivenKey is how often a member was forgiven failed sign-ins of late.
func ForgivenKey(member wire.ObjectID) []byte { return key("forgiven", member.String()) }

// MemberKey says whose account a member is.
func MemberKey(member wire.ObjectID) []byte { return key("member", member.String()) }

// MemberOfKey is the one member that an account is in a firm: 16 bytes.
func MemberOfKey(account wire.ObjectID) []byte { return key("member-of", account.String()) }

// MemberWasKey is the member that an account was, before a recovery handed him to another one: 16 bytes.
func MemberWasKey(account wire.ObjectID) []byte { return key("member-was", account.String()) }

// KeysKey is a member's public keys.
func KeysKey(member wire.ObjectID) []byte { return key("keys", member.String()) }

// SessionIDKey says who used a session's id.
func SessionIDKey(session wire.ObjectID) []byte { return key("session-id", session.String()) }

// ChainKey is a chain's head.
func ChainKey(chain wire.ChainID) []byte { return key("chain", chain.String()) }

// SeatKey is a seat.
func SeatKey(chain wire.ChainID, member wire.ObjectID) []byte {
	return key("seat", chain.String(), member.String())
}

// SeatsIn is the prefix of a chain's seats.
func SeatsIn(chain wire.ChainID) []byte { return key("seat", chain.String(), "") }

// SeatOfKey says that a member has, or had, a seat in a chain.
func SeatOfKey(member wire.ObjectID, chain wire.ChainID) []byte {
	return key("seats-of", member.String(), chain.String())
}

// SeatsOf is the prefix of a member's chains.
func SeatsOf(member wire.ObjectID) []byte { return key("seats-of", member.String(), "") }

// InviteKey is an invite.
func InviteKey(chain wire.ChainID, invite wire.ObjectID) []byte {
	return key("invite", chain.String(), invite.String())
}

// InvitesIn is the prefix of a chain's invites.
func InvitesIn(chain wire.ChainID) []byte { return key("invite", chain.String(), "") }

// PackageKey is an open invite's package.
func PackageKey(chain wire.ChainID, invite wire.ObjectID) []byte {
	return key("package", chain.String(), invite.String())
}

// Sequences of a chain, as keys name them.
const (
	State = "state"
	Trail = "trail"
)

// EntryKey is an entry.
func EntryKey(sequence string, chain wire.ChainID, position uint64) []byte {
	return key(sequence, chain.String(), number(position))
}

// EntriesOf is the prefix of a sequence.
func EntriesOf(sequence string, chain wire.ChainID) []byte { return key(sequence, chain.String(), "") }

// AcceptedKey is what was answered to an entry.
func AcceptedKey(chain wire.ChainID, entry wire.ObjectID) []byte {
	return key("entry", chain.String(), entry.String())
}

// StatementKey is where an epoch's statement stands.
func StatementKey(chain wire.ChainID, epoch uint32) []byte {
	return key("statement", chain.String(), number(uint64(epoch)))
}

// RowsKey are the hashes of a statement's rows.
func RowsKey(chain wire.ChainID, epoch uint32) []byte {
	return key("rows", chain.String(), number(uint64(epoch)))
}

// WrapKey is a member's wrap of an epoch.
func WrapKey(chain wire.ChainID, member wire.ObjectID, epoch uint32) []byte {
	return key("wrap", chain.String(), member.String(), number(uint64(epoch)))
}

// WrapsOf is the prefix of a member's wraps in a chain.
func WrapsOf(chain wire.ChainID, member wire.ObjectID) []byte {
	return key("wrap", chain.String(), member.String(), "")
}

// DocumentKey is a document.
func DocumentKey(chain wire.ChainID, document wire.ObjectID) []byte {
	return key("document", chain.String(), document.String())
}

// VersionKey is a version.
func VersionKey(chain wire.ChainID, version wire.ObjectID) []byte {
	return key("version", chain.String(), version.String())
}

// VersionOfKey says that a version is of a document.
func VersionOfKey(chain wire.ChainID, document, version wire.ObjectID) []byte {
	return key("version-of", chain.String(), document.String(), version.String())
}

// VersionsOf is the prefix of a document's versions.
func VersionsOf(chain wire.ChainID, document wire.ObjectID) []byte {
	return key("version-of", chain.String(), document.String(), "")
}

// UploadKey is an upload, and a version's body once it is committed.
func UploadKey(upload wire.ObjectID) []byte { return key("upload", upload.String()) }

// UploadOfKey says that a member's upload is not committed.
func UploadOfKey(member, upload wire.ObjectID) []byte {
	return key("upload-of", member.String(), upload.String())
}

// UploadsOf is the prefix of a member's uncommitted uploads.
func UploadsOf(member wire.ObjectID) []byte { return key("upload-of", member.String(), "") }

// ChunkKey is a chunk's digest.
func ChunkKey(upload wire.ObjectID, n uint32) []byte {
	return key("chunk", upload.String(), number(uint64(n)))
}

// ChunksOf is the prefix of an upload's chunks.
func ChunksOf(upload wire.ObjectID) []byte { return key("chunk", upload.String(), "") }

// PurgeKey says that an upload's bytes are to go.
func PurgeKey(upload wire.ObjectID) []byte { return key("purge", upload.String()) }

// Purges is the prefix of what is to go.
func Purges() []byte { return key("purge", "") }

// ReleaseKey is a release.
func ReleaseKey(chain wire.ChainID, version, session wire.ObjectID) []byte {
	return key("release", chain.String(), version.String(), session.String())
}

// LogSizeKey is the number of leaves of the firm's log.
func LogSizeKey() []byte { return key("log", "size") }

// LeafKey is one leaf.
func LeafKey(index uint64) []byte { return key("log", "leaf", number(index)) }

// TileKey is a row of the log's tree.
func TileKey(level int, n uint64) []byte { return key("log", "tile", strconv.Itoa(level), number(n)) }

// IntegratedKey is the newest checkpoint without its signatures.
func IntegratedKey() []byte { return key("log", "integrated") }

// CheckpointKey is the newest checkpoint.
func CheckpointKey() []byte { return key("log", "checkpoint") }

// WitnessedKey is the newest checkpoint that satisfies the policy.
func WitnessedKey() []byte { return key("log", "witnessed") }

// CosignedKey is the size that the witness at a URL cosigned last.
func CosignedKey(url string) []byte { return key("log", "cosigned", Hash([]byte(url))) }

// PendingKey is what a commit adds to the map.
func PendingKey(k wire.Hash) []byte { return key("log", "pending", hex.EncodeToString(k[:])) }

// Pendings is the prefix of what a commit adds to the map.
func Pendings() []byte { return key("log", "pending", "") }

// ParsePending is the inverse of PendingKey.
func ParsePending(k []byte) (h wire.Hash, ok bool) {
	n, err := hex.Decode(h[:], []byte(Last(k)))
	return h, err == nil && n == len(h)
}

// MapPageKey is a page of the map.
func MapPageKey(path string) []byte { return key("map", path) }

// LogNameKey says whose log has a name.
func LogNameKey(name string) []byte { return key("log", name) }

// EventKey is an entry of a chain's server sequence.
func EventKey(chain wire.ChainID, position uint64) []byte {
	return key("event", chain.String(), number(position))
}

// EventsKey is where a chain's server sequence stands.
func EventsKey(chain wire.ChainID) []byte { return key("events", chain.String()) }

// AuditorsKey is the key that a chain's server sequence is sealed to.
func AuditorsKey(chain wire.ChainID) []byte { return key("auditors", chain.String()) }

// DenialsKey is how many refusals of a session were recorded.
func DenialsKey(session wire.ObjectID) []byte { return key("denials", session.String()) }

// FailuresKey is how many failed sign-ins of an account were recorded.
func FailuresKey(account wire.ObjectID) []byte { return key("failures", account.String()) }

// NoticedKey is the newest notice of an account that the firm's auditors were told.
func NoticedKey(account wire.ObjectID) []byte { return key("noticed", account.String()) }

// OpeningsKey is how many sessions of a member were opened.
func OpeningsKey(member wire.ObjectID) []byte { return key("openings", member.String()) }

// SignedInKey is how many sessions of an account a factor opened.
func SignedInKey(account wire.ObjectID, f Factor) []byte {
	return key("signed-in", account.String(), f.Kind, Hash([]byte(f.ID)))
}

// KeyLinkKey is a person's public-key link.
func KeyLinkKey(member wire.ObjectID, n uint32) []byte {
	return key("key-link", member.String(), number(uint64(n)))
}

// KeyLeafKey is where the leaf of a link stands in the log.
func KeyLeafKey(member wire.ObjectID, n uint32) []byte {
	return key("key-leaf", member.String(), number(uint64(n)))
}

// KeyLinksOf is the prefix of a person's links.
func KeyLinksOf(member wire.ObjectID) []byte { return key("key-link", member.String(), "") }

// Last is what follows the last '/' of a key.
func Last(k []byte) string {
	for i := len(k) - 1; i >= 0; i-- {
		if k[i] == '/' {
			return string(k[i+1:])
		}
	}
	return string(k)
}

// ParseNumber is the inverse of how numbers stand in keys.
func ParseNumber(s string) (uint64, bool) {
	n, err := strconv.ParseUint(s, 16, 64)
	return n, err == nil && len(s) == 16
}

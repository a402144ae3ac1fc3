// Package access decides who may do what. Its functions are pure: what they decide on is handed in, and the answer is nil
// or an *api.Error with one code. The server knows seats and effects, and decides on nothing else.
//
// Somebody without a seat, or whose seat was ended, learns nothing of a chain: it is not found.
package access

import (
	"crypto/ed25519"
	"errors"
	"net/netip"
	"slices"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// Caller is who calls, in one firm. Every function that acts for somebody takes one.
type Caller struct {
	Firm     wire.ChainID
	Account  wire.ObjectID
	Member   wire.ObjectID
	Session  wire.ObjectID
	Address  netip.Addr // that the request came from; zero where it is not known
	Ways     int        // to unlock that the account has, where the entry says something of that
	Renewals int        // of the account's root when the session was opened
	SignedIn
}

// SignedIn is how somebody signed in.
type SignedIn struct {
	MFA         bool  // two factors, or a passkey, which is two
	PasswordSet int64 // seconds: when the password was set that he signed in with; 0 for another factor
}

// SeatState is where a seat stands.
type SeatState string

// Seat states.
const (
	Seated  SeatState = "seated"
	Waiting SeatState = "waiting" // for an owner to confirm
	Frozen  SeatState = "frozen"  // two guests used one invite: reads, and does nothing
	Removed SeatState = "removed"
)

// Seat is one member of a chain, as its effects say.
type Seat struct {
	chain.Seat
	State  SeatState
	Invite wire.ObjectID // that the member came by; zero for a founder
}

// InviteState is where an invite stands, but for its expiry.
type InviteState string

// Invite states.
const (
	InviteOpen      InviteState = "open"
	InviteWaiting   InviteState = "waiting"
	InviteSeated    InviteState = "seated"
	InviteFrozen    InviteState = "frozen"
	InviteCancelled InviteState = "cancelled"
)

// Invite is an invite, as its effect says.
type Invite struct {
	chain.InviteEffect
	Inviter     wire.ObjectID
	InviterKeys wire.Hash // the inviter's fingerprint when it was made
	State       InviteState
	Guest       wire.ObjectID
	Enrolments  int // accounts that were begun with it
}

// Deny is an answer.
func Deny(code api.Code) error { return &api.Error{Code: code} }

func (s *Seat) present(states ...SeatState) bool {
	if s == nil {
		return false
	}
	for _, state := range states {
		if s.State == state {
			return true
		}
	}
	return false
}

// require is the one place where a seat is looked at: without one of the states the chain is not found, without the
// rights the answer is no.
func require(s *Seat, rights chain.Rights, states ...SeatState) error {
	if !s.present(states...) {
		if s.present(Seated, Waiting, Frozen) {
			return Deny(api.CodeForbidden)
		}
		return Deny(api.CodeNotFound)
	}
	if !s.Role.May(rights) {
		return Deny(api.CodeForbidden)
	}
	return nil
}

// Head: who may know where a chain stands. Who waits looks whether he was admitted.
func Head(s *Seat) error { return require(s, 0, Seated, Waiting, Frozen) }

// Entries: who may read the state sequence. Who is frozen learns from it that he is.
func Entries(s *Seat) error { return require(s, 0, Seated, Frozen) }

// Trail: who may read the trail.
func Trail(s *Seat) error { return require(s, chain.RightAudit, Seated) }

// Digests: who may know a version's digests.
func Digests(s *Seat) error { return require(s, chain.RightRead, Seated, Frozen) }

// Body: who may have a version's bytes, once they were released.
func Body(s *Seat) error { return require(s, chain.RightRead, Seated) }

// Upload: who may bring bytes.
func Upload(s *Seat) error { return require(s, chain.RightUpload, Seated) }

// OpenChain: who may open a matter, by the seat in the firm's own chain.
func OpenChain(s *Seat) error { return require(s, chain.RightManage, Seated) }

// Staff: who works in a firm, by the seat in the firm's own chain.
func Staff(s *Seat) error { return require(s, 0, Seated) }

// Keys: whose public keys the caller may have: his own, and those of whoever shares, or shared, a chain with him.
func Keys(ours, theirs *Seat) error {
	if err := require(ours, 0, Seated, Waiting, Frozen); err != nil {
		return err
	}
	if theirs == nil {
		return Deny(api.CodeNotFound)
	}
	return nil
}

// Link: a member's next keys are his own word, and come once for each renewal of his account's root, which takes a factor. So
// whoever has an open device and no factor does not put keys of his own in place of the member's, who could never undo it.
// renewals is how many there had been when his newest keys came.
func Link(c Caller, l chain.KeyLink, renewals int) error {
	if l.Firm != c.Firm || l.Member != c.Member || l.Number == 0 || c.Renewals <= renewals {
		return Deny(api.CodeForbidden)
	}
	return nil
}

// First is whether an entry may found a chain: it seats the caller and nobody else, as owner, from the first epoch.
func First(c Caller, fingerprint wire.Hash, sub chain.Submission, effect *chain.Effect) error {
	if effect.Actor != c.Member {
		return Deny(api.CodeForbidden)
	}
	st := effect.Statement
	if st == nil || effect.Sequence != log.TypeState || effect.Epoch != 1 || !effect.Chain.IsZero() || effect.Position != 0 || !effect.Previous.IsZero() {
		return Deny(api.CodeBadRequest)
	}
	want := chain.Seat{Member: c.Member, Fingerprint: fingerprint, Role: chain.RoleOwner, From: 1}
	if len(st.Seats) != 1 || st.Seats[0] != want || len(st.Invites) != 0 || st.TrailPosition != 0 || !st.TrailHead.IsZero() ||
		len(st.Boxes.Content)+len(st.Boxes.Entry)+len(st.Boxes.Link)+len(st.Boxes.Trail) != 0 {
		return Deny(api.CodeBadRequest)
	}
	if err := committed(sub.Entry, effect, sub.Entry.ID()); err != nil {
		return err
	}
	return Rows(sub, effect, st.Seats, fingerprint, nil)
}

// committed: the leaf is of the effect's sequence, commits to the entry, and has the tag of the effect's mark at this very place
// of this chain. No entry takes another's tag, whatever link keys its author holds.
func committed(e chain.Entry, effect *chain.Effect, id wire.ChainID) error {
	if e.Leaf.Type != effect.Sequence || e.Leaf.Commit != log.Commit(e.Effect, e.Envelope) || e.Leaf.Tag != log.Tag(id, effect.Sequence, effect.Position, effect.Mark) {
		return Deny(api.CodeBadRequest)
	}
	return nil
}

// Rows: the rows are exactly one wrap a seat, in order, then one package an invite, in order (attack 34). What a wrap
// says of itself must be what the entry says.
func Rows(sub chain.Submission, effect *chain.Effect, seats []chain.Seat, sender wire.Hash, invites []wire.ObjectID) error {
	if len(sub.Rows) != len(seats)+len(invites) {
		return Deny(api.CodeBadRequest)
	}
	for i, seat := range seats {
		row := sub.Rows[i]
		w, err := chain.ParseWrap(row.Bytes)
		if err != nil || row.Kind != chain.RowWrap || row.Recipient != seat.Member {
			return Deny(api.CodeBadRequest)
		}
		sealed := w.Sealed
		w.Sealed = nil
		want := chain.Wrap{Chain: effect.Chain, Entry: effect.Entry, Epoch: effect.Epoch, Recipient: seat.Member, Role: seat.Role, History: seat.From == 1,
			Sender: effect.Actor, SenderKey: sender}
		if len(sealed) == 0 || !sameWrap(w, want) {
			return Deny(api.CodeBadRequest)
		}
	}
	for i, id := range invites {
		row := sub.Rows[len(seats)+i]
		if row.Kind != chain.RowPackage || row.Recipient != id || len(row.Bytes) == 0 {
			return Deny(api.CodeBadRequest)
		}
	}
	return nil
}

func sameWrap(a, b chain.Wrap) bool {
	return a.Chain == b.Chain && a.Entry == b.Entry && a.Epoch == b.Epoch && a.Recipient == b.Recipient && a.Role == b.Role &&
		a.History == b.History && a.Sender == b.Sender && a.SenderKey == b.SenderKey
}

// Append is what every further entry of either sequence must be: made by the caller, committed to by its leaf, and the
// next one. It says nothing of what the entry does.
func Append(c Caller, head api.ChainHead, e chain.Entry, effect *chain.Effect) error {
	if effect.Actor != c.Member {
		return Deny(api.CodeForbidden)
	}
	if effect.Chain != head.Chain {
		return Deny(api.CodeBadRequest)
	}
	if err := committed(e, effect, head.Chain); err != nil {
		return err
	}
	position, previous, epoch := head.Position, head.Head, head.Epoch
	if effect.Sequence == log.TypeTrail {
		position, previous = head.TrailPosition, head.TrailHead
	}
	if effect.Kind == chain.KindStatement {
		epoch++
	}
	if effect.Position != position || effect.Previous != previous || effect.Epoch != epoch {
		return &api.Error{Code: api.CodeMoved, Chain: &head}
	}
	return nil
}

// Statement: an owner opens the next epoch for seats that exist, unchanged, his own among them, and keeps invites that
// are not decided yet and whose inviters stay (attacks 26, 28, 29).
func Statement(s *Seat, head api.ChainHead, sub chain.Submission, effect *chain.Effect, seats map[wire.ObjectID]*Seat, invites map[wire.ObjectID]*Invite) error {
	if err := require(s, chain.RightManage, Seated); err != nil {
		return err
	}
	st := effect.Statement
	if st.TrailPosition != head.TrailPosition || st.TrailHead != head.TrailHead {
		return &api.Error{Code: api.CodeMoved, Chain: &head}
	}
	kept := map[wire.ObjectID]*Seat{}
	for _, seat := range st.Seats {
		old := seats[seat.Member]
		if !old.present(Seated, Frozen) || old.Seat != seat {
			return Deny(api.CodeForbidden)
		}
		kept[seat.Member] = old
	}
	if kept[effect.Actor] == nil {
		return Deny(api.CodeBadRequest)
	}
	for _, id := range st.Invites {
		i := invites[id]
		if i == nil || (i.State != InviteOpen && i.State != InviteWaiting) {
			return Deny(api.CodeInviteGone)
		}
		if inviter := kept[i.Inviter]; inviter == nil || !inviter.Role.May(chain.RightManage) {
			return Deny(api.CodeInviteGone)
		}
	}
	return Rows(sub, effect, st.Seats, s.Fingerprint, st.Invites)
}

// NewInvite: an owner invites somebody, with the keys of the rung that the role has.
func NewInvite(s *Seat, now int64, sub chain.Submission, effect *chain.Effect, taken bool) error {
	if err := require(s, chain.RightManage, Seated); err != nil {
		return err
	}
	i := effect.Invite
	if taken || i.Expires > 1<<62 {
		return Deny(api.CodeBadRequest)
	}
	if int64(i.Expires) <= now {
		return Deny(api.CodeInviteExpired)
	}
	return Rows(sub, effect, nil, s.Fingerprint, []wire.ObjectID{i.Invite})
}

// Cancel: an owner ends an invite that is not decided yet.
func Cancel(s *Seat, sub chain.Submission, i *Invite) error {
	if err := require(s, chain.RightManage, Seated); err != nil {
		return err
	}
	if i == nil || (i.State != InviteOpen && i.State != InviteWaiting) {
		return Deny(api.CodeInviteGone)
	}
	return noRows(sub)
}

func noRows(sub chain.Submission) error {
	if len(sub.Rows) != 0 {
		return Deny(api.CodeBadRequest)
	}
	return nil
}

// UsableInvite: whoever holds the link of an invite may be let near.
func UsableInvite(i *Invite, inviter *Seat, now int64) error {
	switch {
	case i == nil || i.State == InviteCancelled || i.State == InviteFrozen:
		return Deny(api.CodeInviteGone)
	case !inviter.present(Seated) || !inviter.Role.May(chain.RightManage):
		return Deny(api.CodeInviteGone)
	case i.State != InviteOpen:
		return Deny(api.CodeInviteUsed)
	case int64(i.Expires) <= now:
		return Deny(api.CodeInviteExpired)
	}
	return nil
}

// SecondGuest reports whether an invite is refused for no other reason than that somebody used it.
func SecondGuest(err error, i *Invite, now int64) bool {
	return Is(err, api.CodeInviteUsed) && int64(i.Expires) > now
}

// Joins reports whether an accept may come from the holder of a seat: from somebody who has none, or whose seat was ended.
func Joins(s *Seat) bool { return !s.present(Seated, Waiting, Frozen) }

// Accept: the holder of a link, who has no seat, puts his own keys to it. A second one is let through only where he
// insists; it freezes the invite. keys is the fingerprint that the
// caller's session was opened under.
func Accept(c Caller, s *Seat, now int64, sub chain.Submission, effect *chain.Effect, i *Invite, inviter *Seat, keys wire.Hash, insists bool) error {
	if !Joins(s) {
		return Deny(api.CodeInviteUsed)
	}
	a := effect.Accept
	switch err := UsableInvite(i, inviter, now); {
	case err == nil:
	case insists && SecondGuest(err, i, now):
	default:
		return err
	}
	if err := ways(c, effect.Chain, i.Role, a.Ways); err != nil {
		return err
	}
	fingerprint := wire.Hash(a.Bundle.Keys.Fingerprint())
	if a.Bundle.Member != c.Member || fingerprint != keys || a.Bundle.Verify() != nil {
		return Deny(api.CodeForbidden)
	}
	message := chain.AcceptMessage(c.Firm, effect.Chain, i.Invite, i.InviterKeys, a.Bundle)
	if !ed25519.Verify(i.PublicKey[:], message, a.Signature[:]) {
		return Deny(api.CodeForbidden)
	}
	if i.Mode == chain.ModeAfterIConfirm {
		return noRows(sub)
	}
	return Rows(sub, effect, []chain.Seat{{Member: c.Member, Role: i.Role, From: 1}}, fingerprint, nil)
}

// ways: nobody says that he has more ways to unlock than the server knows of, and who works in the firm has two.
func ways(c Caller, id wire.ChainID, role chain.Role, says uint8) error {
	kind := chain.KindCompartment
	if id == c.Firm {
		kind = chain.KindFirm
	}
	if int(says) > c.Ways {
		return Deny(api.CodeForbidden)
	}
	if kind.NeedsTwoWays(role) && says < 2 {
		return Deny(api.CodeSecondWay)
	}
	return nil
}

// Is reports whether an error is an answer with that code.
func Is(err error, code api.Code) bool {
	var e *api.Error
	return errors.As(err, &e) && e.Code == code
}

// Admit: an owner seats the guest who waits, with the keys that accepted.
func Admit(s *Seat, sub chain.Submission, effect *chain.Effect, i *Invite, guest *Seat) error {
	if err := require(s, chain.RightManage, Seated); err != nil {
		return err
	}
	if i == nil || i.State != InviteWaiting {
		return Deny(api.CodeInviteGone)
	}
	if !guest.present(Waiting) || guest.Seat != effect.Admit.Seat {
		return Deny(api.CodeForbidden)
	}
	return Rows(sub, effect, []chain.Seat{guest.Seat}, s.Fingerprint, nil)
}

// MaxErase bounds what one entry erases: it is one transaction.
const MaxErase = 4096

// Erase: an owner erases a part of the trail that is there.
func Erase(s *Seat, head api.ChainHead, sub chain.Submission, x *chain.EraseEffect) error {
	if err := require(s, chain.RightManage, Seated); err != nil {
		return err
	}
	if x.To > head.TrailPosition || x.To-x.From > MaxErase {
		return Deny(api.CodeBadRequest)
	}
	return noRows(sub)
}

// Forget: an owner takes entries away that are there.
func Forget(s *Seat, head api.ChainHead, sub chain.Submission, f *chain.ForgetEffect) error {
	if err := require(s, chain.RightManage, Seated); err != nil {
		return err
	}
	if f.Positions[len(f.Positions)-1] >= head.Position {
		return Deny(api.CodeBadRequest)
	}
	return noRows(sub)
}

// Policy: an owner signs the firm's rules in the firm's own chain, and does not shut himself out by them where he stands.
func Policy(c Caller, s *Seat, head api.ChainHead, sub chain.Submission, p *chain.Policy) error {
	if err := require(s, chain.RightManage, Seated); err != nil {
		return err
	}
	if head.Chain != c.Firm {
		return Deny(api.CodeBadRequest)
	}
	if err := From(*p, c.Address); err != nil {
		return err
	}
	if p.StaffMFA && !c.MFA {
		return Deny(api.CodeSecondFactor)
	}
	return noRows(sub)
}

const day = 24 * 3600

// Enough: a firm's sessions were signed in with what its policy asks for: of its staff, who have a seat in its own chain, by the
// one rule, of everybody else by the other.
func Enough(p chain.Policy, staff *Seat, in SignedIn, now int64) error {
	asks := p.ClientMFA
	if staff.present(Seated, Waiting, Frozen) {
		asks = p.StaffMFA
	}
	switch {
	case asks && !in.MFA:
		return Deny(api.CodeSecondFactor)
	case p.PasswordDays > 0 && in.PasswordSet > 0 && now >= in.PasswordSet+int64(p.PasswordDays)*day:
		return Deny(api.CodePasswordOld)
	}
	return nil
}

// From: a firm's sessions are used from where its policy says.
func From(p chain.Policy, address netip.Addr) error {
	if !p.Admits(address) {
		return Deny(api.CodeNotFromHere)
	}
	return nil
}

// Batch: who may upload adds versions, a writer changes documents, only an owner renames the matter.
func Batch(s *Seat, sub chain.Submission, effect *chain.Effect) error {
	if err := require(s, effect.Batch.Right(), Seated); err != nil {
		return err
	}
	return noRows(sub)
}

// Release: a reader opens a version to the very session that he calls with.
func Release(c Caller, s *Seat, sub chain.Submission, effect *chain.Effect) error {
	if err := require(s, chain.RightRead, Seated); err != nil {
		return err
	}
	if effect.Release == nil || effect.Release.Session != c.Session {
		return Deny(api.CodeForbidden)
	}
	return noRows(sub)
}

// Renew: who has a seat puts the keys into it that his old ones signed.
func Renew(s *Seat, sub chain.Submission) error {
	if err := require(s, 0, Seated); err != nil {
		return err
	}
	return noRows(sub)
}

// Declare: who has a seat says of himself how many ways to unlock he has, which the server knows as well. He says it also where
// it is one that is left.
func Declare(c Caller, s *Seat, sub chain.Submission, x *chain.DeclareEffect) error {
	if err := require(s, 0, Seated); err != nil {
		return err
	}
	if int(x.Ways) > c.Ways {
		return Deny(api.CodeForbidden)
	}
	return noRows(sub)
}

// inFirm: what is about people stands in the firm's own chain.
func inFirm(c Caller, s *Seat, rights chain.Rights, head api.ChainHead) error {
	if err := require(s, rights, Seated); err != nil {
		return err
	}
	if head.Chain != c.Firm {
		return Deny(api.CodeBadRequest)
	}
	return nil
}

// People: who may see who is in the firm, by the seat in the firm's own chain.
func People(s *Seat) error { return require(s, chain.RightManage, Seated) }

// Office: an owner of the firm has the server do something about a member: forgive failed sign-ins, end his sessions.
func Office(c Caller, s *Seat, head api.ChainHead, sub chain.Submission) error {
	if err := inFirm(c, s, chain.RightManage, head); err != nil {
		return err
	}
	return noRows(sub)
}

// Custodian: who holds shares is seated in the firm's own chain, with these keys and a role that reads what he agrees to.
func Custodian(s *Seat, fingerprint wire.Hash) error {
	if !s.present(Seated) || s.Fingerprint != fingerprint || !s.Role.MayHoldShares() {
		return Deny(api.CodeBadRequest)
	}
	return nil
}

// Escrow: staff may leave an identity with custodians: his own.
func Escrow(c Caller, s *Seat, head api.ChainHead) error { return inFirm(c, s, 0, head) }

// EscrowRows: the sealed identity of the caller, then one share for each custodian, in order (attack 18).
func EscrowRows(c Caller, sub chain.Submission, k uint8, custodians []chain.Custodian) error {
	if k == 0 || len(custodians) < int(k) || len(sub.Rows) != 1+len(custodians) {
		return Deny(api.CodeBadRequest)
	}
	want := append([]wire.ObjectID{c.Member}, make([]wire.ObjectID, 0, len(custodians))...)
	for _, x := range custodians {
		want = append(want, x.Member)
	}
	for i, row := range sub.Rows {
		kind := chain.RowShare
		if i == 0 {
			kind = chain.RowEscrow
		}
		if row.Kind != kind || row.Recipient != want[i] || len(row.Bytes) == 0 {
			return Deny(api.CodeBadRequest)
		}
	}
	return nil
}

func holds(custodians []chain.Custodian, member wire.ObjectID) bool {
	return slices.ContainsFunc(custodians, func(c chain.Custodian) bool { return c.Member == member })
}

// mayRecover: an owner of the firm or a custodian begins and stops the recovery of somebody else.
func mayRecover(c Caller, s *Seat, member wire.ObjectID, custodians []chain.Custodian) bool {
	return c.Member != member && (s.Role.May(chain.RightManage) || holds(custodians, c.Member))
}

// maxRecovery bounds how long a recovery may be open, in seconds.
const maxRecovery = 60 * 24 * 3600

// Recover: an owner or a custodian begins to hand a member's identity back.
func Recover(c Caller, s *Seat, head api.ChainHead, now int64, sub chain.Submission, x *chain.RecoverEffect, subject *Seat, escrowed bool, custodians []chain.Custodian) error {
	if err := inFirm(c, s, 0, head); err != nil {
		return err
	}
	switch {
	case !subject.present(Seated) || !escrowed:
		return Deny(api.CodeRecoveryGone)
	case !mayRecover(c, s, x.Member, custodians):
		return Deny(api.CodeForbidden)
	case x.Expires > 1<<62 || int64(x.Expires) <= now || int64(x.Expires) > now+maxRecovery:
		return Deny(api.CodeBadRequest)
	}
	return oneRow(sub, chain.RowPackage, x.Recovery)
}

func oneRow(sub chain.Submission, kind chain.RowKind, recipient wire.ObjectID) error {
	if len(sub.Rows) != 1 || sub.Rows[0].Kind != kind || sub.Rows[0].Recipient != recipient || len(sub.Rows[0].Bytes) == 0 {
		return Deny(api.CodeBadRequest)
	}
	return nil
}

// Approve: a custodian hands his share over, once, of somebody whose seat is not frozen.
func Approve(c Caller, s *Seat, head api.ChainHead, sub chain.Submission, subject *Seat, holdsShare, agreed bool) error {
	if err := inFirm(c, s, 0, head); err != nil {
		return err
	}
	if !subject.present(Seated) {
		return Deny(api.CodeRecoveryGone)
	}
	if !holdsShare || agreed {
		return Deny(api.CodeForbidden)
	}
	return oneRow(sub, chain.RowShare, c.Member)
}

// OpenRecovery: whoever holds the link of a recovery may be let near as long as it goes on.
func OpenRecovery(open bool, until, now int64) error {
	if !open || now >= until {
		return Deny(api.CodeRecoveryGone)
	}
	return nil
}

// HoldsRecovery: who signs as a recovery's link does has the link.
func HoldsRecovery(link []byte, purpose string, p api.RecoveryProof, subject []byte) error {
	if len(link) != ed25519.PublicKeySize || !ed25519.Verify(link, api.RecoveryProofMessage(purpose, p, subject), p.Signature) {
		return Deny(api.CodeForbidden)
	}
	return nil
}

// Claim: the holder of a link puts new keys of the member to it, from an account that is nobody in the firm yet. Once a
// custodian agreed to other keys, or for another account, it is too late (attack 18).
func Claim(c Caller, recovery, member wire.ObjectID, link []byte, claim chain.Claim, proof []byte, isMember, same, agreed bool) error {
	if len(link) != ed25519.PublicKeySize || claim.Verify(c.Firm, recovery, member, [ed25519.PublicKeySize]byte(link)) != nil {
		return Deny(api.CodeForbidden)
	}
	p := api.RecoveryProof{Firm: c.Firm, Recovery: recovery, Signature: proof}
	if err := HoldsRecovery(link, api.ProofRecoveryClaim, p, api.ClaimSubject(c.Account, claim.Bundle.Bytes())); err != nil {
		return err
	}
	if isMember || (agreed && !same) {
		return Deny(api.CodeForbidden)
	}
	return nil
}

// SeesClaim: the member himself, owners and custodians see who claims.
func SeesClaim(c Caller, s *Seat, member wire.ObjectID, custodians []chain.Custodian) error {
	if err := require(s, 0, Seated); err != nil {
		return err
	}
	if c.Member != member && !mayRecover(c, s, member, custodians) {
		return Deny(api.CodeNotFound)
	}
	return nil
}

// Share: a custodian has his share when he may agree, and not before.
func Share(c Caller, s *Seat, custodians []chain.Custodian, opens, now int64) error {
	if err := require(s, 0, Seated); err != nil {
		return err
	}
	if !holds(custodians, c.Member) {
		return Deny(api.CodeNotFound)
	}
	if now < opens {
		return Deny(api.CodeTooEarly)
	}
	return nil
}

// FinishRecovery: the link to the claimed keys, and to no others, binds the member, once enough custodians agreed.
func FinishRecovery(firm wire.ChainID, member wire.ObjectID, claimed wire.Hash, link chain.KeyLink, enough bool) error {
	if !enough || link.Firm != firm || link.Member != member || wire.Hash(link.Bundle.Keys.Fingerprint()) != claimed {
		return Deny(api.CodeForbidden)
	}
	return nil
}

// Veto: the member himself, an owner or a custodian stops a recovery.
func Veto(c Caller, s *Seat, head api.ChainHead, sub chain.Submission, member wire.ObjectID, custodians []chain.Custodian) error {
	if err := inFirm(c, s, 0, head); err != nil {
		return err
	}
	if c.Member != member && !mayRecover(c, s, member, custodians) {
		return Deny(api.CodeForbidden)
	}
	return noRows(sub)
}

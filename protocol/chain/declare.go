package chain

import (
	"github.com/underseal/underseal/protocol/wire"
)

// DeclareEffect is what a member says of himself: how many ways to unlock he has. Its body says what he has read.
type DeclareEffect struct{ Ways uint8 }

// MaxWays bounds the ways to unlock that anybody says he has.
const MaxWays = 64

func readWays(r *wire.Reader) uint8 {
	n := r.Uint8()
	if n == 0 || n > MaxWays {
		r.Refuse()
	}
	return n
}

// Topics are what a person was taught about this product, one bit each. That he read it is his own signed word.
type Topics uint16

// Topics.
const (
	TopicPasskey     Topics = 1 << iota // how one signs in, and what a passkey is
	TopicKit                            // what the recovery kit is for, and where to keep it
	TopicInvitations                    // how a false invitation is told from a true one
	TopicWhoSeesWhat                    // what the firm can see, what the server can
	topicsEnd
)

// AllTopics is everything there is to read.
const AllTopics = topicsEnd - 1

// NeedsTwoWays reports whether a seat of a role here is wrapped to only where its holder has two ways to unlock: everybody who
// works in the firm. Who has one and loses it would take the firm's access with him (SPEC S-DECLARE-02).
func (k ChainKind) NeedsTwoWays(r Role) bool {
	return k == KindFirm || r == RoleOwner || r == RoleParalegal
}

// Declare says how many ways to unlock the author has, and what of Topics he has read by now.
func (s *State) Declare(a Author, read Topics) (Submission, error) {
	m := s.Members[a.Member]
	if m == nil || m.State != MemberSeated {
		return Submission{}, ErrRights
	}
	if a.Ways == 0 || a.Ways > MaxWays || read&^AllTopics != 0 {
		return Submission{}, ErrInput
	}
	effect, err := s.effect(a, KindDeclare)
	if err != nil {
		return Submission{}, err
	}
	effect.Declare = &DeclareEffect{Ways: a.Ways}
	w := wire.NewWriter()
	a.head().write(w)
	w.Uint16(uint16(read))
	return s.submit(a, effect, w.Bytes())
}

func parseDeclareBody(b []byte) (head, Topics, error) {
	r := wire.NewReader(b)
	h, read := readHead(r), Topics(r.Uint16())
	if read&^AllTopics != 0 {
		r.Refuse()
	}
	return h, read, r.Done()
}

// applyDeclare keeps what somebody says of himself. What he read he cannot unread.
func (s *State) applyDeclare(effect *Effect, e Entry, raw []byte, author *Member) error {
	h, read, err := parseDeclareBody(raw)
	if err != nil {
		return ErrMismatch
	}
	author.Ways = effect.Declare.Ways
	author.Read |= read
	s.commit(e, effect.Actor, h)
	return nil
}

// UnlockEffect forgets the failed sign-ins of a member's account, which made it wait.
type UnlockEffect struct{ Member wire.ObjectID }

// MaxReason bounds what somebody gives as a reason.
const MaxReason = 1000

// reasonBody is the body of an entry that says why.
func reasonBody(a Author, reason string) []byte {
	w := wire.NewWriter()
	a.head().write(w)
	w.Text(reason)
	return w.Bytes()
}

func parseReasonBody(b []byte) (head, string, error) {
	r := wire.NewReader(b)
	h, reason := readHead(r), r.Text(MaxReason)
	return h, reason, r.Done()
}

// Unlock lets somebody sign in again who is made to wait, as an owner of the firm, for a reason that stands in the record.
func (s *State) Unlock(a Author, member wire.ObjectID, reason string) (Submission, error) {
	if err := s.may(a, RightManage); err != nil {
		return Submission{}, err
	}
	if s.Charter.Kind != KindFirm || member.IsZero() || reason == "" || len(reason) > MaxReason {
		return Submission{}, ErrInput
	}
	effect, err := s.effect(a, KindUnlock)
	if err != nil {
		return Submission{}, err
	}
	effect.Unlock = &UnlockEffect{Member: member}
	return s.submit(a, effect, reasonBody(a, reason))
}

// applyUnlock changes nothing of the state: the entry is the record that an owner did it, and why.
func (s *State) applyUnlock(effect *Effect, e Entry, raw []byte, author *Member) error {
	if s.Charter.Kind != KindFirm || !author.Role.May(RightManage) {
		return ErrRights
	}
	h, _, err := parseReasonBody(raw)
	if err != nil {
		return ErrMismatch
	}
	s.commit(e, effect.Actor, h)
	return nil
}

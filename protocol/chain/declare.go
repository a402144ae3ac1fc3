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

const topicCount = 4

var topicNames = [topicCount]string{"passkey", "kit", "invitations", "who-sees-what"}

// Each is every single topic of t, in order.
func (t Topics) Each() (each []Topics) {
	for i := range topicCount {
		if bit := Topics(1) << i; t&bit != 0 {
			each = append(each, bit)
		}
	}
	return each
}

// Names are what screens and files call the topics of t. ParseTopic is the inverse, of one.
func (t Topics) Names() []string {
	names := []string{}
	for i, name := range topicNames {
		if t&(Topics(1)<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// ParseTopic reads one topic's name.
func ParseTopic(name string) (Topics, bool) {
	for i, known := range topicNames {
		if name == known {
			return Topics(1) << i, true
		}
	}
	return 0, false
}

// Reading is when somebody first said that he read something: by his own clock, and in which entry.
type Reading struct{ At, Position uint64 }

// readTopics reads what somebody says that he read.
func readTopics(r *wire.Reader) Topics {
	t := Topics(r.Uint16())
	if t&^AllTopics != 0 {
		r.Refuse()
	}
	return t
}

// reads keeps what a member says that he read. What he read he cannot unread, and the first time counts.
func (m *Member) reads(t Topics, at, position uint64) {
	for i := range topicCount {
		if bit := Topics(1) << i; t&bit != 0 && m.Read&bit == 0 {
			m.Readings[i] = Reading{At: at, Position: position}
		}
	}
	m.Read |= t
}

// ReadAt is when a member first said that he read one topic.
func (m *Member) ReadAt(one Topics) (Reading, bool) {
	for i := range topicCount {
		if bit := Topics(1) << i; bit == one && m.Read&bit != 0 {
			return m.Readings[i], true
		}
	}
	return Reading{}, false
}

func (m *Member) writeReadings(w *wire.Writer) {
	w.Uint16(uint16(m.Read))
	for i, r := range m.Readings {
		if m.Read&(Topics(1)<<i) != 0 {
			w.Uint64(r.At)
			w.Uint64(r.Position)
		}
	}
}

func (m *Member) readReadings(r *wire.Reader) {
	m.Read = readTopics(r)
	for i := range m.Readings {
		if m.Read&(Topics(1)<<i) != 0 {
			m.Readings[i] = Reading{At: r.Uint64(), Position: r.Uint64()}
		}
	}
}

// NeedsTwoWays reports whether a seat of a role here is wrapped to only where its holder has two ways to unlock: everybody who
// works in the firm. Who has one and loses it would take the firm's access with him (SPEC S-DECLARE-02).
func (k ChainKind) NeedsTwoWays(r Role) bool {
	return k == KindFirm || r == RoleOwner || r == RoleParalegal
}

// MayDeclare reports whether a role can say anything in a chain: who opens no entries cannot seal one.
func (r Role) MayDeclare() bool { return r.Rung() >= RungEntry }

// Declare says how many ways to unlock the author has, and what of Topics he has read by now.
func (s *State) Declare(a Author) (Submission, error) {
	m := s.Members[a.Member]
	if m == nil || m.State != MemberSeated || !m.Role.MayDeclare() {
		return Submission{}, ErrRights
	}
	if err := a.checkSelf(); err != nil {
		return Submission{}, err
	}
	effect, err := s.effect(a, KindDeclare)
	if err != nil {
		return Submission{}, err
	}
	effect.Declare = &DeclareEffect{Ways: a.Ways}
	w := wire.NewWriter()
	a.head().write(w)
	w.Uint16(uint16(a.Read))
	return s.submit(a, effect, w.Bytes())
}

func parseDeclareBody(b []byte) (head, Topics, error) {
	r := wire.NewReader(b)
	h, read := readHead(r), readTopics(r)
	return h, read, r.Done()
}

// applyDeclare keeps what somebody says of himself.
func (s *State) applyDeclare(effect *Effect, e Entry, raw []byte, author *Member) error {
	h, read, err := parseDeclareBody(raw)
	if err != nil {
		return ErrMismatch
	}
	author.Ways = effect.Declare.Ways
	author.reads(read, h.Time, effect.Position)
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

// SignOutEffect ends what a member has open in the firm. He signs in again with what he signs in with.
type SignOutEffect struct{ Member wire.ObjectID }

// Unlock lets somebody sign in again who is made to wait, as an owner of the firm, for a reason that stands in the record.
func (s *State) Unlock(a Author, member wire.ObjectID, reason string) (Submission, error) {
	return s.office(a, KindUnlock, member, reason, func(e *Effect) { e.Unlock = &UnlockEffect{Member: member} })
}

// SignOut ends the sessions that somebody has open in the firm, as an owner, for a reason that stands in the record.
func (s *State) SignOut(a Author, member wire.ObjectID, reason string) (Submission, error) {
	return s.office(a, KindSignOut, member, reason, func(e *Effect) { e.SignOut = &SignOutEffect{Member: member} })
}

// office is what an owner of a firm has its server do about somebody.
func (s *State) office(a Author, kind Kind, member wire.ObjectID, reason string, set func(*Effect)) (Submission, error) {
	if err := s.may(a, RightManage); err != nil {
		return Submission{}, err
	}
	if s.Charter.Kind != KindFirm || member.IsZero() || reason == "" || len(reason) > MaxReason {
		return Submission{}, ErrInput
	}
	effect, err := s.effect(a, kind)
	if err != nil {
		return Submission{}, err
	}
	set(effect)
	return s.submit(a, effect, reasonBody(a, reason))
}

// applyOffice changes nothing of the state: the entry is the record that an owner did it, and why.
func (s *State) applyOffice(effect *Effect, e Entry, raw []byte, author *Member) error {
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

package chain

import (
	"slices"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/protocol/wire"
)

// RenewEffect puts new keys into a member's seat, by a link that his old ones signed. What was wrapped to the old keys stays
// so until an owner opens the next epoch: until then the chain is stale, and nothing more is sealed in it (SPEC S-RENEW-03).
type RenewEffect struct{ Link KeyLink }

// maxAcceptLinks bounds how often somebody may have renewed his keys while he was away.
const maxAcceptLinks = 8

func readKeyLink(r *wire.Reader) KeyLink {
	l, err := ParseKeyLink(r.Bytes16(MaxKeyLink))
	if err != nil || l.Number == 0 {
		r.Refuse()
	}
	return l
}

// FormerKeys are keys that a member had up to an entry. What they signed before it stays signed.
type FormerKeys struct {
	Keys  *keys.PublicKeys
	Until uint64 // position of the entry that ended them
}

// KeysAt are the keys that a member had when the chain stood at a position.
func (m *Member) KeysAt(position uint64) *keys.PublicKeys {
	for _, f := range m.Former {
		if position <= f.Until {
			return f.Keys
		}
	}
	return m.Keys
}

// Had reports whether a fingerprint is of keys that a member has or had.
func (m *Member) Had(fingerprint wire.Hash) bool {
	return wire.Hash(m.Keys.Fingerprint()) == fingerprint ||
		slices.ContainsFunc(m.Former, func(f FormerKeys) bool { return wire.Hash(f.Keys.Fingerprint()) == fingerprint })
}

// follow puts the keys of links in place of a member's, oldest first. Each must be signed by the ones before, for this member
// and firm, and none may be keys that he had: a revoked key does not come back (attack 4). m is unchanged where one is not.
func (m *Member) follow(links []KeyLink, firm wire.ChainID, at uint64) error {
	public, former := m.Keys, slices.Clone(m.Former)
	for _, l := range links {
		if l.Member != m.ID || l.Firm != firm {
			return ErrKeyLink
		}
		if err := l.SignedBy(public); err != nil {
			return err
		}
		if slices.ContainsFunc(former, func(f FormerKeys) bool { return f.Keys.Equal(l.Bundle.Keys) }) {
			return ErrKeyLink
		}
		former, public = append(former, FormerKeys{public, at}), l.Bundle.Keys
	}
	m.Keys, m.Former = public, former
	return nil
}

// Stale is who has new keys since the epoch was opened: the epoch's keys are where the old ones are, and an owner must open the
// next one before anything more is sealed.
func (s *State) Stale() []*Member {
	return slices.DeleteFunc(s.Seated(), func(m *Member) bool { return m.Renewed <= s.OpenedAt })
}

// Seals reports whether an entry of a kind seals something under the keys of the epoch that is open.
func (k Kind) Seals() bool { return k == KindBatch || k == KindInvite || k == KindAdmit }

// Renew enters the link to new keys, as their holder. a has the new identity; the old one signed the link.
func (s *State) Renew(a Author, link KeyLink) (Submission, error) {
	m := s.Members[a.Member]
	if m == nil || m.State != MemberSeated {
		return Submission{}, ErrRights
	}
	effect, err := s.effect(a, KindRenew)
	if err != nil {
		return Submission{}, err
	}
	effect.Renew = &RenewEffect{Link: link}
	return s.submit(a, effect, a.headBody())
}

// applyRenew takes a member's own word, twice: the link is signed by the keys he had, the entry by those that he has now.
func (s *State) applyRenew(effect *Effect, e Entry, current *EpochKeys) error {
	old := s.Members[effect.Actor]
	if old == nil || old.State != MemberSeated {
		return ErrRights
	}
	m := *old
	if err := m.follow([]KeyLink{effect.Renew.Link}, s.FirmOf(), effect.Position); err != nil {
		return err
	}
	for _, other := range s.Members {
		if other.ID != m.ID && other.Keys.Equal(m.Keys) {
			return ErrRoster
		}
	}
	raw, signature, err := openEnvelope(current.Entry, e.Effect, e.Envelope)
	if err != nil {
		return err
	}
	if err := m.Keys.Verify(keys.LabelSignEntry, signedMessage(e.Effect, raw), signature); err != nil {
		return ErrEntrySig
	}
	h, err := parseHeadBody(raw)
	if err != nil {
		return ErrMismatch
	}
	m.Renewed, m.Escrow = effect.Position, nil
	s.Members[m.ID] = &m
	s.endRecovery(&m, h.Time)
	s.commit(e, effect.Actor, h)
	return nil
}

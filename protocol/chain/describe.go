package chain

import (
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// Activity is what an entry did, for people to read.
type Activity struct {
	Effect  *Effect
	Time    uint64
	Person  string // of an invite, accept or admit
	Names   []ActivityName
	Reason  Reason        // of a statement
	Subject wire.ObjectID // of a statement
	Why     string        // of an unlock, a sign-out, a recover or a veto
	Read    Topics        // of a declare, an accept, or a first statement
	Voids   int
	Erased  bool // the envelope is gone, by an owner's word: only Effect is set
}

// ActivityName is what an operation calls a document or the matter; empty where it says nothing.
type ActivityName struct {
	Name, Folder string
	Size         uint64
}

// Describe opens an entry of the state sequence that stands at position after previous. Its caller holds it to the chain:
// the entry after it, or the state's head, names the hash of its leaf.
func (s *State) Describe(e Entry, position uint64, previous wire.Hash) (Activity, error) {
	effect, err := ParseEffect(e.Effect)
	if err != nil {
		return Activity{}, err
	}
	// A first statement names no chain: its own hash is the id.
	first := position == 0 && effect.Chain.IsZero() && e.Commit() == s.ID
	if (effect.Chain != s.ID && !first) || effect.Sequence != log.TypeState || effect.Position != position || effect.Previous != previous {
		return Activity{}, ErrOrder
	}
	if e.Leaf.Commit != e.Commit() {
		return Activity{}, ErrLeaf
	}
	if e.Erased != nil {
		if s.Forgotten(position) == nil || effect.Kind != KindBatch {
			return Activity{}, ErrErased
		}
		return Activity{Effect: effect, Names: make([]ActivityName, len(effect.Batch.Ops)), Erased: true}, nil
	}
	k, err := s.KeysOf(effect.Epoch)
	if err != nil {
		return Activity{}, err
	}
	key := k.Entry
	if effect.Kind == KindAccept {
		i := s.Invites[effect.Accept.Invite]
		if i == nil {
			return Activity{}, ErrInvite
		}
		key = i.AcceptKey
	}
	raw, _, err := openEnvelope(key, e.Effect, e.Envelope)
	if err != nil {
		return Activity{}, err
	}
	a := Activity{Effect: effect}
	for _, v := range s.Voids {
		if v.Position == position {
			a.Voids++
		}
	}
	return a, a.read(raw, k)
}

func (a *Activity) read(raw []byte, k *EpochKeys) error {
	switch a.Effect.Kind {
	case KindStatement:
		b, err := parseStatementBody(raw)
		if err != nil {
			return ErrMismatch
		}
		a.Time, a.Reason, a.Subject = b.Time, b.Reason, b.Subject
		if b.Founding != nil {
			a.Read = b.Founding.Read
		}
	case KindBatch:
		b, err := parseBatchBody(raw, a.Effect.Batch.Ops)
		if err != nil {
			return ErrMismatch
		}
		a.Time = b.Time
		for _, op := range b.Ops {
			n := ActivityName{Name: op.Name, Folder: op.Folder}
			if op.Version != nil {
				m, err := op.Version.OpenManifest(k.Entry)
				if err != nil {
					return err
				}
				n = ActivityName{Name: m.Name, Folder: m.Folder, Size: m.Length}
			}
			a.Names = append(a.Names, n)
		}
	case KindInvite:
		b, err := parseInviteBody(raw)
		if err != nil {
			return ErrMismatch
		}
		a.Time, a.Person = b.Time, b.Person
	case KindAccept:
		b, err := parseAcceptBody(raw)
		if err != nil {
			return ErrMismatch
		}
		a.Time, a.Person, a.Read = b.Time, b.Person, b.Read
	case KindAdmit:
		b, err := parseSeatBody(raw)
		if err != nil {
			return ErrMismatch
		}
		a.Time, a.Person = b.Time, b.Person
	case KindForget, KindEscrow, KindApprove:
		h, _, err := parseHashBody(raw)
		if err != nil {
			return ErrMismatch
		}
		a.Time = h.Time
	case KindDeclare:
		h, read, err := parseDeclareBody(raw)
		if err != nil {
			return ErrMismatch
		}
		a.Time, a.Read = h.Time, read
	case KindUnlock, KindVeto, KindSignOut:
		h, why, err := parseReasonBody(raw)
		if err != nil {
			return ErrMismatch
		}
		a.Time, a.Why = h.Time, why
	case KindRecover:
		h, why, _, err := parseRecoverBody(raw)
		if err != nil {
			return ErrMismatch
		}
		a.Time, a.Why = h.Time, why
	default:
		h, err := parseHeadBody(raw)
		if err != nil {
			return ErrMismatch
		}
		a.Time = h.Time
	}
	return nil
}

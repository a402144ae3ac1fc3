package chain

import (
	"crypto/ed25519"
	"io"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// Session is a device's key for frequent small events, signed by the member's identity.
type Session struct {
	ID          wire.ObjectID
	Member      wire.ObjectID
	Key         ed25519.PrivateKey
	Expires     uint64 // seconds since 1970
	Certificate []byte // the identity's signature over SessionMessage
}

func sessionMessage(firm wire.ChainID, id, member wire.ObjectID, public []byte, expires uint64) []byte {
	w := wire.NewWriter()
	w.Uint8(wire.Suite)
	w.Fixed(firm[:])
	w.Fixed(id[:])
	w.Fixed(member[:])
	w.Fixed(public)
	w.Uint64(expires)
	return w.Bytes()
}

// NewSession makes and signs a session key for one firm.
func NewSession(a Author, firm wire.ChainID, lifetime time.Duration) (*Session, error) {
	id, err := a.newID()
	if err != nil {
		return nil, err
	}
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(a.Random, seed); err != nil {
		return nil, err
	}
	s := &Session{ID: id, Member: a.Member, Key: ed25519.NewKeyFromSeed(seed), Expires: uint64(a.Now().Add(lifetime).Unix())}
	s.Certificate, err = a.Identity.Sign(keys.LabelSignSession, sessionMessage(firm, s.ID, s.Member, s.Key.Public().(ed25519.PublicKey), s.Expires))
	return s, err
}

// Release is an opened trail entry.
type Release struct {
	Effect        *Effect
	Time          uint64
	StatePosition uint64 // the state it was made under
	StateHead     wire.Hash
	Checkpoint    []byte // that its author had verified
	Erased        bool   // the envelope is gone, by an owner's word: only Effect is set
	Unsigned      bool   // its actor did not sign it, or nobody can read that he did: only Effect is set
}

func trailInfo(effect []byte) []byte {
	w := wire.NewWriter()
	w.Text(string(keys.LabelWrapTrail))
	w.Uint8(wire.Suite)
	w.Bytes32(effect)
	return w.Bytes()
}

func trailContext(effect []byte) []byte {
	w := wire.NewWriter()
	w.Text(string(keys.LabelSealTrail))
	w.Uint8(wire.Suite)
	w.Bytes32(effect)
	return w.Bytes()
}

// Release makes the trail entry that must stand before ciphertext is served: SPEC S-TRAIL-01. It is sealed to the
// epoch's auditors, so writers cannot read it. position and previous are where the trail stands, as the server says.
func (s *State) Release(a Author, session *Session, doc, version wire.ObjectID, position uint64, previous wire.Hash) (Entry, error) {
	k, err := s.Keys()
	if err != nil {
		return Entry{}, err
	}
	if err := s.may(a, RightRead); err != nil {
		return Entry{}, err
	}
	if uint64(a.Now().Unix()) > session.Expires {
		return Entry{}, ErrSession
	}
	if len(a.Checkpoint) > maxCheckpoint {
		return Entry{}, ErrInput
	}
	id, err := a.newID()
	if err != nil {
		return Entry{}, err
	}
	effect := &Effect{Kind: KindRelease, Chain: s.ID, Entry: id, Sequence: log.TypeTrail, Position: position, Previous: previous, Epoch: s.Epoch, Actor: a.Member,
		Release: &ReleaseEffect{Document: doc, Version: version, Session: session.ID}}
	effect.Mark = k.trailLink().Mark(log.TypeTrail, position)
	clear := effect.Bytes()
	w := wire.NewWriter()
	a.head().write(w)
	w.Uint64(s.Position)
	w.Fixed(s.Head[:])
	w.Fixed(session.Key.Public().(ed25519.PublicKey))
	w.Uint64(session.Expires)
	w.Bytes16(session.Certificate)
	body := w.Bytes()
	signature := ed25519.Sign(session.Key, append([]byte(keys.LabelSignRelease), signedMessage(clear, body)...))
	envelope, err := sealTrail(a.Random, s.TrailKey, clear, packEnvelope(body, signature))
	if err != nil {
		return Entry{}, err
	}
	return newEntry(effect, clear, envelope, k.trailLink()), nil
}

func sealTrail(random io.Reader, trailKey, effect, plain []byte) ([]byte, error) {
	var key [32]byte
	if _, err := io.ReadFull(random, key[:]); err != nil {
		return nil, err
	}
	wrap, err := keys.WrapTo(random, trailKey, trailInfo(effect), key[:])
	if err != nil {
		return nil, err
	}
	sealed, err := seal.Seal(random, key[:], trailContext(effect), plain)
	if err != nil {
		return nil, err
	}
	w := wire.NewWriter()
	w.Bytes16(wrap)
	w.Bytes32(sealed)
	return w.Bytes(), nil
}

// OpenRelease opens and verifies a trail entry for an auditor, against the position it claims.
func (s *State) OpenRelease(e Entry, position uint64, previous wire.Hash) (Release, error) {
	effect, err := ParseEffect(e.Effect)
	if err != nil {
		return Release{}, err
	}
	if effect.Kind != KindRelease || effect.Chain != s.ID || effect.Position != position || effect.Previous != previous {
		return Release{}, ErrOrder
	}
	// The statement that opened our epoch closed the trail of the ones before: who was removed then still has their keys
	// (attacks 28, 74).
	if effect.Epoch > s.Epoch || (effect.Epoch == s.Epoch) != (position >= s.TrailPosition) {
		return Release{}, ErrEpoch
	}
	k, err := s.KeysOf(effect.Epoch)
	if err != nil {
		return Release{}, err
	}
	if !k.Audit {
		return Release{}, ErrRights
	}
	if err := e.stands(effect, s.ID, k.trailLink()); err != nil {
		return Release{}, err
	}
	if e.Erased != nil {
		// A tombstone is one that an owner signed for; any other is an omission.
		if s.ErasureOf(position) == nil {
			return Release{}, ErrErased
		}
		return Release{Effect: effect, Erased: true}, nil
	}
	if out, ok := s.signedRelease(effect, e, k); ok {
		return out, nil
	}
	return Release{Effect: effect, Unsigned: true}, nil
}

// signedRelease opens what a release's actor signed. One that is noise, or signed by others, stands where it says, for its leaf
// was checked, and shows nothing but that somebody with the link key made it: no other entry depends on what is in it, so it
// closes nothing (SPEC S-TRAIL-06). Times are their authors': one after the session's end is told and not judged.
func (s *State) signedRelease(effect *Effect, e Entry, k *EpochKeys) (Release, bool) {
	body, signature, err := openTrail(k, e)
	if err != nil {
		return Release{}, false
	}
	r := wire.NewReader(body)
	h := readHead(r)
	out := Release{Effect: effect, Time: h.Time, StatePosition: r.Uint64(), StateHead: r.Hash(), Checkpoint: h.Checkpoint}
	public, expires, certificate := r.Fixed(ed25519.PublicKeySize), r.Uint64(), r.Bytes16(4096)
	m := s.Members[effect.Actor]
	if r.Done() != nil || m == nil {
		return Release{}, false
	}
	message := sessionMessage(s.FirmOf(), effect.Release.Session, effect.Actor, public, expires)
	if m.KeysAt(out.StatePosition).Verify(keys.LabelSignSession, message, certificate) != nil {
		return Release{}, false
	}
	return out, ed25519.Verify(public, append([]byte(keys.LabelSignRelease), signedMessage(e.Effect, body)...), signature)
}

func openTrail(k *EpochKeys, e Entry) (body, signature []byte, err error) {
	pair, err := keys.NewWrapKeyPair(k.Trail)
	if err != nil {
		return nil, nil, err
	}
	r := wire.NewReader(e.Envelope)
	wrap, sealed := r.Bytes16(4096), r.Bytes32(MaxEnvelope)
	if r.Done() != nil {
		return nil, nil, ErrEnvelope
	}
	key, err := pair.Unwrap(trailInfo(e.Effect), wrap)
	if err != nil || len(key) != 32 {
		return nil, nil, ErrEnvelope
	}
	plain, err := seal.Open(key, trailContext(e.Effect), sealed)
	if err != nil {
		return nil, nil, ErrEnvelope
	}
	return unpackEnvelope(plain)
}

// VerifySession checks a session's certificate against a member's public keys.
func VerifySession(public *keys.PublicKeys, firm wire.ChainID, id, member wire.ObjectID, sessionKey []byte, expires uint64, certificate []byte) error {
	if len(sessionKey) != ed25519.PublicKeySize {
		return ErrEntrySig
	}
	if err := public.Verify(keys.LabelSignSession, sessionMessage(firm, id, member, sessionKey, expires), certificate); err != nil {
		return ErrEntrySig
	}
	return nil
}

// Public is the session's Ed25519 public key.
func (s *Session) Public() []byte { return s.Key.Public().(ed25519.PublicKey) }

package chain

import (
	"bytes"
	"crypto/ed25519"
	"io"
	"slices"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// A firm's own member may leave his identity in the firm with custodians, k of whom together hand it back to him. All of it
// are entries of the firm's own chain: who the custodians are (a policy), that he wants it (an escrow), that somebody asks for
// it (a recover), who agreed (approves), who said no (a veto), and the renewal that ends it.

// EscrowEffect says that the author leaves his identity with the custodians of a policy; 0 takes it back. Its rows are the
// sealed identity, then one share for each custodian.
type EscrowEffect struct{ Policy uint64 }

// RecoverEffect begins to hand an identity back. Its row is the package that the holder of the link opens.
type RecoverEffect struct {
	Recovery  wire.ObjectID
	Member    wire.ObjectID
	PublicKey [32]byte // Ed25519, from the secret in the link
	Expires   uint64   // seconds since 1970; the server enforces it
}

// ApproveEffect is a custodian's share, wrapped to the keys of a fingerprint: he compared them with the person.
type ApproveEffect struct {
	Recovery    wire.ObjectID
	Fingerprint wire.Hash
}

// VetoEffect ends a recovery.
type VetoEffect struct{ Recovery wire.ObjectID }

// Escrow is what a member left with whom.
type Escrow struct {
	Position   uint64 // of the entry
	Policy     uint64 // position of the policy that was agreed to
	K          uint8
	Hours      uint16
	Custodians []Custodian
	RowsRoot   wire.Hash
}

// Custodian is who holds a share, by the keys it was sealed to.
type Custodian struct {
	Member      wire.ObjectID `json:"member"`
	Fingerprint wire.Hash     `json:"fingerprint"`
}

// Holds reports whether somebody holds a share of it.
func (e *Escrow) Holds(member wire.ObjectID) bool {
	return e != nil && slices.ContainsFunc(e.Custodians, func(c Custodian) bool { return c.Member == member })
}

// RecoveryState is where a recovery stands.
type RecoveryState uint8

// Recovery states.
const (
	RecoveryOpen RecoveryState = iota + 1
	RecoveryDone
	RecoveryVetoed
	RecoveryEnded // its subject renewed his keys by himself, or left
)

// Recovery is the handing back of one member's identity.
type Recovery struct {
	ID          wire.ObjectID
	Member      wire.ObjectID
	By          wire.ObjectID
	ByKeys      wire.Hash // who began it, by his fingerprint then
	At          uint64
	Position    uint64
	PublicKey   [32]byte
	Expires     uint64
	Reason      string
	PackageHash wire.Hash
	Escrow      Escrow // that it was begun under
	State       RecoveryState
	Fingerprint wire.Hash // of the keys that custodians agreed to; zeros before the first did
	Approvals   []Approval
	EndedBy     wire.ObjectID
	EndedAt     uint64
	EndReason   string
}

// Approval is one custodian's.
type Approval struct {
	Custodian wire.ObjectID
	At        uint64
}

func (r *Recovery) approvedBy(member wire.ObjectID) bool {
	return slices.ContainsFunc(r.Approvals, func(a Approval) bool { return a.Custodian == member })
}

// Agreed reports whether enough custodians agreed.
func (r *Recovery) Agreed() bool { return len(r.Approvals) >= int(r.Escrow.K) }

// OpensAt is when custodians may agree at the earliest, by the clock of who began it, in milliseconds since 1970.
func (r *Recovery) OpensAt() uint64 { return r.At + uint64(r.Escrow.Hours)*3_600_000 }

// RecoveryOf is the recovery of a member that is open.
func (s *State) RecoveryOf(member wire.ObjectID) *Recovery {
	for _, r := range s.Recoveries {
		if r.Member == member && r.State == RecoveryOpen {
			return r
		}
	}
	return nil
}

func (e *RecoverEffect) write(w *wire.Writer) {
	w.Fixed(e.Recovery[:])
	w.Fixed(e.Member[:])
	w.Fixed(e.PublicKey[:])
	w.Uint64(e.Expires)
}

func readRecover(r *wire.Reader) *RecoverEffect {
	return &RecoverEffect{Recovery: readObject(r), Member: readObject(r), PublicKey: r.Hash(), Expires: r.Uint64()}
}

func (e *Escrow) write(w *wire.Writer) {
	w.Uint64(e.Position)
	w.Uint64(e.Policy)
	w.Uint8(e.K)
	w.Uint16(e.Hours)
	writeCustodians(w, e.Custodians)
	w.Fixed(e.RowsRoot[:])
}

func readEscrow(r *wire.Reader) Escrow {
	return Escrow{Position: r.Uint64(), Policy: r.Uint64(), K: r.Uint8(), Hours: r.Uint16(), Custodians: readCustodians(r, MaxRecovery), RowsRoot: r.Hash()}
}

func (r *Recovery) item() []byte {
	w := wire.NewWriter()
	w.Uint8(itemRecovery)
	w.Fixed(r.ID[:])
	w.Fixed(r.Member[:])
	w.Fixed(r.By[:])
	w.Fixed(r.ByKeys[:])
	w.Uint64(r.At)
	w.Uint64(r.Position)
	w.Fixed(r.PublicKey[:])
	w.Uint64(r.Expires)
	w.Text(r.Reason)
	w.Fixed(r.PackageHash[:])
	r.Escrow.write(w)
	w.Uint8(uint8(r.State))
	w.Fixed(r.Fingerprint[:])
	w.Count(len(r.Approvals))
	for _, a := range r.Approvals {
		w.Fixed(a.Custodian[:])
		w.Uint64(a.At)
	}
	w.Fixed(r.EndedBy[:])
	w.Uint64(r.EndedAt)
	w.Text(r.EndReason)
	return w.Bytes()
}

func parseRecovery(r *wire.Reader) *Recovery {
	x := &Recovery{ID: r.ID(), Member: r.ID(), By: r.ID(), ByKeys: r.Hash(), At: r.Uint64(), Position: r.Uint64(), PublicKey: r.Hash(), Expires: r.Uint64(),
		Reason: r.Text(MaxReason), PackageHash: r.Hash(), Escrow: readEscrow(r), State: RecoveryState(r.Uint8()), Fingerprint: r.Hash()}
	for range r.Count(MaxRecovery, 24) {
		x.Approvals = append(x.Approvals, Approval{Custodian: r.ID(), At: r.Uint64()})
	}
	x.EndedBy, x.EndedAt, x.EndReason = r.ID(), r.Uint64(), r.Text(MaxReason)
	return x
}

// terms are what an escrow is under. They go into everything sealed for it, so that shares of another threshold, of other
// custodians or of an older escrow fit nothing (attack 19).
type terms struct {
	firm        wire.ChainID
	member      wire.ObjectID
	fingerprint wire.Hash // of the keys that are left
	policy      uint64
	k           uint8
	custodians  []Custodian
}

func (t terms) write(w *wire.Writer) {
	w.Uint8(wire.Suite)
	w.Fixed(t.firm[:])
	w.Fixed(t.member[:])
	w.Fixed(t.fingerprint[:])
	w.Uint64(t.policy)
	w.Uint8(t.k)
	writeCustodians(w, t.custodians)
}

func (t terms) context(label keys.Label) []byte {
	w := wire.NewWriter()
	w.Text(string(label))
	t.write(w)
	return w.Bytes()
}

// shareInfo binds a share to its place among the custodians and to the keys it is wrapped to.
func (t terms) shareInfo(label keys.Label, index int, to wire.Hash) []byte {
	w := wire.NewWriter()
	w.Text(string(label))
	t.write(w)
	w.Uint8(uint8(index))
	w.Fixed(to[:])
	return w.Bytes()
}

func writeCustodians(w *wire.Writer, list []Custodian) {
	w.Count(len(list))
	for _, c := range list {
		w.Fixed(c.Member[:])
		w.Fixed(c.Fingerprint[:])
	}
}

const custodianSize = 16 + 32

// readCustodians reads a sorted list without doubles.
func readCustodians(r *wire.Reader, limit int) []Custodian {
	list := []Custodian{}
	for range r.Count(limit, custodianSize) {
		c := Custodian{Member: readObject(r), Fingerprint: r.Hash()}
		if n := len(list); n > 0 && bytes.Compare(list[n-1].Member[:], c.Member[:]) >= 0 {
			r.Refuse()
		}
		list = append(list, c)
	}
	return list
}

// CustodiansFor are those of a policy who may hold shares of a member's: all but himself.
func (p Policy) CustodiansFor(member wire.ObjectID) []Custodian {
	return slices.DeleteFunc(slices.Clone(p.Custodians), func(c Custodian) bool { return c.Member == member })
}

// MayHoldShares reports whether a role can be a custodian's: one that reads what he is to agree to, and says so.
func (r Role) MayHoldShares() bool { return r.Rung() == RungContent }

// holdsShares reports whether somebody can be a custodian now: he is seated with these keys, and reads what he is to agree to.
func (s *State) holdsShares(c Custodian) bool {
	m := s.Members[c.Member]
	return m != nil && m.State == MemberSeated && m.Role.MayHoldShares() && wire.Hash(m.Keys.Fingerprint()) == c.Fingerprint
}

// escrowOf is what a member agrees to by naming a policy: nil where recovery is off, where the policy is not the newest, or
// where there are not enough custodians but himself.
func (s *State) escrowOf(member wire.ObjectID, policy uint64) *Escrow {
	if s.Charter.Kind != KindFirm || s.Policy == nil || policy == 0 || s.Policy.Position != policy || s.Policy.RecoveryK == 0 {
		return nil
	}
	list := s.Policy.CustodiansFor(member)
	if len(list) < int(s.Policy.RecoveryK) || slices.ContainsFunc(list, func(c Custodian) bool { return !s.holdsShares(c) }) {
		return nil
	}
	return &Escrow{Policy: policy, K: s.Policy.RecoveryK, Hours: s.Policy.RecoveryHours, Custodians: list}
}

func (s *State) termsOf(m *Member, e *Escrow) terms {
	return terms{s.FirmOf(), m.ID, wire.Hash(m.Keys.Fingerprint()), e.Policy, e.K, e.Custodians}
}

// Shares splits a fresh key for an escrow. It is package keys/recovery's Split, handed in so that the chain links no groups.
type Shares func(k, n int) (key [32]byte, shares [][]byte, err error)

// Escrow leaves the author's identity with the custodians of the newest policy. seed is what the identity is made from.
func (s *State) Escrow(a Author, seed [32]byte, split Shares) (Submission, error) {
	m := s.Members[a.Member]
	if m == nil || m.State != MemberSeated || s.Policy == nil {
		return Submission{}, ErrRights
	}
	escrow := s.escrowOf(m.ID, s.Policy.Position)
	if escrow == nil {
		return Submission{}, ErrRecovery
	}
	t := s.termsOf(m, escrow)
	key, shares, err := split(int(escrow.K), len(escrow.Custodians))
	if err != nil {
		return Submission{}, err
	}
	sealed, err := seal.Seal(a.Random, key[:], t.context(keys.LabelSealEscrow), seed[:])
	if err != nil {
		return Submission{}, err
	}
	rows := []Row{{Kind: RowEscrow, Recipient: m.ID, Bytes: sealed}}
	for i, c := range escrow.Custodians {
		wrap, err := s.Members[c.Member].Keys.WrapKey(a.Random, t.shareInfo(keys.LabelWrapShare, i, c.Fingerprint), shares[i])
		if err != nil {
			return Submission{}, err
		}
		rows = append(rows, Row{Kind: RowShare, Recipient: c.Member, Bytes: wrap})
	}
	return s.escrow(a, escrow.Policy, rows)
}

// WithdrawEscrow takes it back.
func (s *State) WithdrawEscrow(a Author) (Submission, error) {
	if m := s.Members[a.Member]; m == nil || m.State != MemberSeated || m.Escrow == nil {
		return Submission{}, ErrRecovery
	}
	return s.escrow(a, 0, nil)
}

func (s *State) escrow(a Author, policy uint64, rows []Row) (Submission, error) {
	effect, err := s.effect(a, KindEscrow)
	if err != nil {
		return Submission{}, err
	}
	effect.Escrow = &EscrowEffect{Policy: policy}
	return s.submit(a, effect, hashBody(a.head(), rowsRoot(rows)), rows...)
}

// hashBody is the body of an entry that signs one hash: of its rows, or of a state.
func hashBody(h head, hash wire.Hash) []byte {
	w := wire.NewWriter()
	h.write(w)
	w.Fixed(hash[:])
	return w.Bytes()
}

func parseHashBody(b []byte) (head, wire.Hash, error) {
	r := wire.NewReader(b)
	h, root := readHead(r), r.Hash()
	return h, root, r.Done()
}

// applyEscrow takes a member's own word about his own identity, with exactly the custodians whom an owner named and he saw.
func (s *State) applyEscrow(effect *Effect, e Entry, raw []byte, author *Member) error {
	h, root, err := parseHashBody(raw)
	if err != nil {
		return ErrMismatch
	}
	var escrow *Escrow
	switch policy := effect.Escrow.Policy; {
	case s.Charter.Kind != KindFirm:
		return ErrRights
	case policy == 0 && author.Escrow == nil:
		return ErrRecovery
	case policy != 0:
		if escrow = s.escrowOf(author.ID, policy); escrow == nil {
			return ErrRecovery
		}
		escrow.Position, escrow.RowsRoot = effect.Position, root
	}
	author.Escrow = escrow
	s.endRecovery(author, h.Time)
	s.commit(e, effect.Actor, h)
	return nil
}

// endRecovery ends a recovery that is open where its subject has other keys, or another escrow, than it was begun for. Where he
// has the very keys that enough custodians agreed to, it is done. Who has no seat any more is handed back to nobody.
func (s *State) endRecovery(m *Member, at uint64) {
	r := s.RecoveryOf(m.ID)
	if r == nil {
		return
	}
	r.State, r.EndedBy, r.EndedAt = RecoveryEnded, m.ID, at
	if m.State == MemberSeated && r.Agreed() && r.Fingerprint == wire.Hash(m.Keys.Fingerprint()) {
		r.State = RecoveryDone
	}
}

// takeBackApprovals has what somebody agreed to count no more, whose seat ended or is frozen: whoever had his keys may have said
// it. Seated again, he may say it anew. Where nobody else agreed, it may be to other keys.
func (s *State) takeBackApprovals(member wire.ObjectID) {
	for _, r := range s.Recoveries {
		if r.State != RecoveryOpen || !r.approvedBy(member) {
			continue
		}
		r.Approvals = slices.DeleteFunc(slices.Clone(r.Approvals), func(a Approval) bool { return a.Custodian == member })
		if len(r.Approvals) == 0 {
			r.Fingerprint = wire.Hash{}
		}
	}
}

// ---- the link, and what it opens

// RecoverySecret is the 128 bits in a recovery link's fragment. No server ever sees them.
type RecoverySecret [16]byte

func (s RecoverySecret) key(recovery wire.ObjectID) ed25519.PrivateKey {
	seed := keys.Derive(s[:], keys.LabelRecoveryKey, recovery[:])
	return ed25519.NewKeyFromSeed(seed[:])
}

func (s RecoverySecret) sealKey(recovery wire.ObjectID) [32]byte {
	return keys.Derive(s[:], keys.LabelRecoverySeal, recovery[:])
}

// RecoveryLink is what stands after # in a recovery link: the secret, whose identity it is about, and the fingerprint that what
// comes back must have.
type RecoveryLink struct {
	Firm        wire.ChainID
	Recovery    wire.ObjectID
	Member      wire.ObjectID
	Fingerprint wire.Hash
	Secret      RecoverySecret
}

// String is the fragment.
func (l RecoveryLink) String() string {
	w := wire.NewWriter()
	w.Uint8(wire.Suite)
	w.Fixed(l.Firm[:])
	w.Fixed(l.Recovery[:])
	w.Fixed(l.Member[:])
	w.Fixed(l.Fingerprint[:])
	w.Fixed(l.Secret[:])
	return fragment.EncodeToString(w.Bytes())
}

// ParseRecoveryLink is the inverse of String.
func ParseRecoveryLink(text string) (RecoveryLink, error) {
	b, err := decodeFragment(text)
	if err != nil {
		return RecoveryLink{}, err
	}
	r := wire.NewReader(b)
	if err := r.Suite(); err != nil {
		return RecoveryLink{}, err
	}
	l := RecoveryLink{Firm: r.Hash(), Recovery: r.ID(), Member: r.ID(), Fingerprint: r.Hash(), Secret: RecoverySecret(r.ID())}
	return l, r.Done()
}

// Key signs for the holder of the link.
func (l RecoveryLink) Key() ed25519.PrivateKey { return l.Secret.key(l.Recovery) }

// RecoveryPackage tells the holder of a link what it is about. He verifies none of it but by what comes back: the names are for
// him to recognise, the rest he needs to open shares.
type RecoveryPackage struct {
	FirmName   string
	Person     string
	By         string
	Policy     uint64
	K          uint8
	Hours      uint16
	Custodians []Custodian
	Names      []string // of the custodians
}

func (l RecoveryLink) context() []byte {
	w := wire.NewWriter()
	w.Text(string(keys.LabelRecoverySeal))
	w.Uint8(wire.Suite)
	w.Fixed(l.Firm[:])
	w.Fixed(l.Recovery[:])
	w.Fixed(l.Member[:])
	w.Fixed(l.Fingerprint[:])
	return w.Bytes()
}

func (p RecoveryPackage) bytes() []byte {
	w := wire.NewWriter()
	for _, name := range []string{p.FirmName, p.Person, p.By} {
		w.Text(name)
	}
	w.Uint64(p.Policy)
	w.Uint8(p.K)
	w.Uint16(p.Hours)
	writeCustodians(w, p.Custodians)
	for _, name := range p.Names {
		w.Text(name)
	}
	return pad(w.Bytes())
}

func parseRecoveryPackage(plain []byte) (RecoveryPackage, error) {
	inner, err := unpad(plain)
	if err != nil {
		return RecoveryPackage{}, ErrRecovery
	}
	r := wire.NewReader(inner)
	p := RecoveryPackage{FirmName: r.Text(document.MaxName), Person: r.Text(document.MaxName), By: r.Text(document.MaxName),
		Policy: r.Uint64(), K: r.Uint8(), Hours: r.Uint16(), Custodians: readCustodians(r, MaxRecovery)}
	for range p.Custodians {
		p.Names = append(p.Names, r.Text(document.MaxName))
	}
	if r.Done() != nil || p.Policy == 0 || p.K < 2 || int(p.K) > len(p.Custodians) {
		return RecoveryPackage{}, ErrRecovery
	}
	return p, nil
}

// Open opens a recovery's package with its link.
func (l RecoveryLink) Open(sealed []byte) (RecoveryPackage, error) {
	key := l.Secret.sealKey(l.Recovery)
	plain, err := seal.Open(key[:], l.context(), sealed)
	if err != nil {
		return RecoveryPackage{}, ErrRecovery
	}
	return parseRecoveryPackage(plain)
}

// ClaimMessage is what the key of a recovery link signs: the keys to which the identity is to be handed.
func ClaimMessage(firm wire.ChainID, recovery wire.ObjectID, member wire.ObjectID, b Bundle) []byte {
	fingerprint := b.Keys.Fingerprint()
	w := wire.NewWriter()
	w.Text(string(keys.LabelRecoveryClaim))
	w.Uint8(wire.Suite)
	w.Fixed(firm[:])
	w.Fixed(recovery[:])
	w.Fixed(member[:])
	w.Fixed(fingerprint[:])
	return w.Bytes()
}

// Claim is the holder's answer to a link: new keys for the member, and the link's signature over them.
type Claim struct {
	Bundle    Bundle
	Signature []byte
}

// Claim signs new keys with the link.
func (l RecoveryLink) Claim(identity *keys.Identity) (Claim, error) {
	b, err := NewBundle(l.Member, identity)
	if err != nil {
		return Claim{}, err
	}
	return Claim{b, ed25519.Sign(l.Key(), ClaimMessage(l.Firm, l.Recovery, l.Member, b))}, nil
}

// Verify holds a claim to the recovery that it is for: whoever signed it had the link, and these keys.
func (c Claim) Verify(firm wire.ChainID, recovery, member wire.ObjectID, link [32]byte) error {
	if c.Bundle.Member != member || c.Bundle.Verify() != nil || len(c.Signature) != ed25519.SignatureSize ||
		!ed25519.Verify(link[:], ClaimMessage(firm, recovery, member, c.Bundle), c.Signature) {
		return ErrRecovery
	}
	return nil
}

// ---- the ceremony

// mayRecover reports whether somebody may begin, or stop, the recovery of a member: an owner, or one of his custodians. He
// himself stops it and does not begin it.
func (s *State) mayRecover(who *Member, subject *Member, custodians *Escrow) bool {
	return who.ID != subject.ID && (who.Role.May(RightManage) || custodians.Holds(who.ID))
}

// Recover begins to hand a member's identity back, and is the link for whoever is to get it. It is shown once, and reaches him by
// another way than this service.
func (s *State) Recover(a Author, member wire.ObjectID, reason string, expires time.Time) (Submission, RecoveryLink, error) {
	fail := func(err error) (Submission, RecoveryLink, error) { return Submission{}, RecoveryLink{}, err }
	author, subject := s.Members[a.Member], s.Members[member]
	if author == nil || author.State != MemberSeated || subject == nil || subject.State != MemberSeated || subject.Escrow == nil || s.RecoveryOf(member) != nil {
		return fail(ErrRecovery)
	}
	if !s.mayRecover(author, subject, subject.Escrow) {
		return fail(ErrRights)
	}
	if reason == "" || len(reason) > MaxReason || !expires.After(a.Now()) {
		return fail(ErrInput)
	}
	effect, err := s.effect(a, KindRecover)
	if err != nil {
		return fail(err)
	}
	link := RecoveryLink{Firm: s.FirmOf(), Member: member, Fingerprint: wire.Hash(subject.Keys.Fingerprint())}
	if link.Recovery, err = a.newID(); err != nil {
		return fail(err)
	}
	if _, err := io.ReadFull(a.Random, link.Secret[:]); err != nil {
		return fail(err)
	}
	p := RecoveryPackage{FirmName: s.Name, Person: subject.Name, By: author.Name, Policy: subject.Escrow.Policy, K: subject.Escrow.K, Hours: subject.Escrow.Hours, Custodians: subject.Escrow.Custodians}
	for _, c := range p.Custodians {
		p.Names = append(p.Names, s.Members[c.Member].Name)
	}
	key := link.Secret.sealKey(link.Recovery)
	sealed, err := seal.Seal(a.Random, key[:], link.context(), p.bytes())
	if err != nil {
		return fail(err)
	}
	row := Row{Kind: RowPackage, Recipient: link.Recovery, Bytes: sealed}
	effect.Recover = &RecoverEffect{Recovery: link.Recovery, Member: member, PublicKey: [32]byte(link.Key().Public().(ed25519.PublicKey)), Expires: uint64(expires.Unix())}
	w := wire.NewWriter()
	a.head().write(w)
	w.Text(reason)
	h := row.Hash()
	w.Fixed(h[:])
	sub, err := s.submit(a, effect, w.Bytes(), row)
	return sub, link, err
}

func parseRecoverBody(b []byte) (h head, reason string, packed wire.Hash, err error) {
	r := wire.NewReader(b)
	h, reason, packed = readHead(r), r.Text(MaxReason), r.Hash()
	return h, reason, packed, r.Done()
}

func (s *State) applyRecover(effect *Effect, e Entry, raw []byte, author *Member) error {
	h, reason, packed, err := parseRecoverBody(raw)
	if err != nil {
		return ErrMismatch
	}
	x := effect.Recover
	subject := s.Members[x.Member]
	switch {
	case s.Charter.Kind != KindFirm:
		return ErrRights
	case subject == nil || subject.State != MemberSeated || subject.Escrow == nil || s.RecoveryOf(x.Member) != nil || s.Recoveries[x.Recovery] != nil:
		return ErrRecovery
	case !s.mayRecover(author, subject, subject.Escrow):
		return ErrRights
	}
	s.Recoveries[x.Recovery] = &Recovery{ID: x.Recovery, Member: x.Member, By: author.ID, ByKeys: wire.Hash(author.Keys.Fingerprint()), At: h.Time, Position: effect.Position,
		PublicKey: x.PublicKey, Expires: x.Expires, Reason: reason, PackageHash: packed, Escrow: *subject.Escrow, State: RecoveryOpen}
	s.commit(e, effect.Actor, h)
	return nil
}

// openRecovery is a recovery that goes on, and whose it is. While his seat is frozen it is only stopped.
func (s *State) openRecovery(id wire.ObjectID) (*Recovery, *Member, error) {
	r := s.Recoveries[id]
	if r == nil || r.State != RecoveryOpen || s.Members[r.Member] == nil {
		return nil, nil, ErrRecovery
	}
	return r, s.Members[r.Member], nil
}

// agreeable is the same, where custodians may agree to it.
func (s *State) agreeable(id wire.ObjectID) (*Recovery, *Member, error) {
	r, subject, err := s.openRecovery(id)
	if err == nil && subject.State != MemberSeated {
		err = ErrRecovery
	}
	return r, subject, err
}

// Approve hands a custodian's share of a recovery over to the keys of a claim: the gesture by which he says that he knows whose
// they are. row is his share, as the escrow's entry made it, with the hashes of all its rows.
func (s *State) Approve(a Author, recovery wire.ObjectID, claim Claim, row []byte, hashes []wire.Hash) (Submission, error) {
	r, subject, err := s.agreeable(recovery)
	if err != nil {
		return Submission{}, err
	}
	if m := s.Members[a.Member]; m == nil || m.State != MemberSeated || !r.Escrow.Holds(a.Member) {
		return Submission{}, ErrRights
	}
	fingerprint := wire.Hash(claim.Bundle.Keys.Fingerprint())
	if r.approvedBy(a.Member) || (!r.Fingerprint.IsZero() && r.Fingerprint != fingerprint) || uint64(a.Now().UnixMilli()) < r.OpensAt() {
		return Submission{}, ErrRecovery
	}
	if err := claim.Verify(s.FirmOf(), r.ID, r.Member, r.PublicKey); err != nil {
		return Submission{}, err
	}
	t := s.termsOf(subject, &r.Escrow)
	share, index, err := t.openShare(a, row, hashes, r.Escrow.RowsRoot)
	if err != nil {
		return Submission{}, err
	}
	wrap, err := claim.Bundle.Keys.WrapKey(a.Random, t.handedInfo(r.ID, index, fingerprint), share)
	if err != nil {
		return Submission{}, err
	}
	effect, err := s.effect(a, KindApprove)
	if err != nil {
		return Submission{}, err
	}
	effect.Approve = &ApproveEffect{Recovery: r.ID, Fingerprint: fingerprint}
	handed := Row{Kind: RowShare, Recipient: a.Member, Bytes: wrap}
	return s.submit(a, effect, hashBody(a.head(), handed.Hash()), handed)
}

// openShare opens a custodian's own share, held to the rows that the escrow's entry signed.
func (t terms) openShare(a Author, row []byte, hashes []wire.Hash, root wire.Hash) (share []byte, index int, err error) {
	index = slices.IndexFunc(t.custodians, func(c Custodian) bool { return c.Member == a.Member })
	if index < 0 || len(hashes) != 1+len(t.custodians) || log.Root(hashes) != root || hashes[1+index] != (Row{Kind: RowShare, Recipient: a.Member, Bytes: row}).Hash() {
		return nil, 0, ErrRecovery
	}
	identity := a.with(t.custodians[index].Fingerprint)
	if identity == nil {
		return nil, 0, ErrRecovery
	}
	share, err = identity.Unwrap(t.shareInfo(keys.LabelWrapShare, index, t.custodians[index].Fingerprint), row)
	if err != nil {
		return nil, 0, ErrRecovery
	}
	return share, index, nil
}

// handedInfo binds a share that is handed over to the recovery, beside what it was bound to.
func (t terms) handedInfo(recovery wire.ObjectID, index int, to wire.Hash) []byte {
	w := wire.NewWriter()
	w.Fixed(t.shareInfo(keys.LabelWrapRecovery, index, to))
	w.Fixed(recovery[:])
	return w.Bytes()
}

// applyApprove counts a custodian's word, once, for the keys that the others agreed to. One that was given before the time that
// everybody had to say no is void: only members see its clock.
func (s *State) applyApprove(effect *Effect, e Entry, raw []byte, author *Member) error {
	h, _, err := parseHashBody(raw)
	if err != nil {
		return ErrMismatch
	}
	r, _, err := s.agreeable(effect.Approve.Recovery)
	switch {
	case s.Charter.Kind != KindFirm:
		return ErrRights
	case err != nil:
		return err
	case !r.Escrow.Holds(author.ID):
		return ErrRights
	case r.approvedBy(author.ID) || (!r.Fingerprint.IsZero() && r.Fingerprint != effect.Approve.Fingerprint):
		return ErrRecovery
	}
	if h.Time < r.OpensAt() {
		s.Voids = append(s.Voids, Void{Position: effect.Position, Actor: effect.Actor})
		s.commit(e, effect.Actor, h)
		return nil
	}
	r.Fingerprint = effect.Approve.Fingerprint
	r.Approvals = append(r.Approvals, Approval{Custodian: author.ID, At: h.Time})
	s.commit(e, effect.Actor, h)
	return nil
}

// Veto stops a recovery.
func (s *State) Veto(a Author, recovery wire.ObjectID, reason string) (Submission, error) {
	r, subject, err := s.openRecovery(recovery)
	if err != nil {
		return Submission{}, err
	}
	m := s.Members[a.Member]
	if m == nil || m.State != MemberSeated || !s.mayStop(m, subject, r) {
		return Submission{}, ErrRights
	}
	if len(reason) > MaxReason {
		return Submission{}, ErrInput
	}
	effect, err := s.effect(a, KindVeto)
	if err != nil {
		return Submission{}, err
	}
	effect.Veto = &VetoEffect{Recovery: recovery}
	return s.submit(a, effect, reasonBody(a, reason))
}

func (s *State) mayStop(who, subject *Member, r *Recovery) bool {
	return who.ID == subject.ID || s.mayRecover(who, subject, &r.Escrow)
}

func (s *State) applyVeto(effect *Effect, e Entry, raw []byte, author *Member) error {
	h, reason, err := parseReasonBody(raw)
	if err != nil {
		return ErrMismatch
	}
	r, subject, err := s.openRecovery(effect.Veto.Recovery)
	switch {
	case s.Charter.Kind != KindFirm:
		return ErrRights
	case err != nil:
		return err
	case !s.mayStop(author, subject, r):
		return ErrRights
	}
	r.State, r.EndedBy, r.EndedAt, r.EndReason = RecoveryVetoed, author.ID, h.Time, reason
	s.commit(e, effect.Actor, h)
	return nil
}

// Handed opens what custodians handed over, as the holder of the link and of the claimed identity, and is the seed of the
// identity that comes back. shares are rows by custodian; combine is package keys/recovery's Combine. Whatever comes back is
// held to the fingerprint that the link pins.
func (l RecoveryLink) Handed(p RecoveryPackage, claimed *keys.Identity, escrow []byte, shares map[wire.ObjectID][]byte, combine func(k int, shares [][]byte) ([32]byte, error)) (seed [32]byte, err error) {
	t := terms{l.Firm, l.Member, l.Fingerprint, p.Policy, p.K, p.Custodians}
	to := wire.Hash(claimed.Public().Fingerprint())
	var opened [][]byte
	for i, c := range p.Custodians {
		row, ok := shares[c.Member]
		if !ok {
			continue
		}
		if share, err := claimed.Unwrap(t.handedInfo(l.Recovery, i, to), row); err == nil {
			opened = append(opened, share)
		}
	}
	// A custodian who hands over something else must not be able to stop the others: every set of k is tried. There are at most
	// 126 of them.
	for _, set := range subsets(opened, int(p.K)) {
		key, err := combine(int(p.K), set)
		if err != nil {
			continue
		}
		plain, err := seal.Open(key[:], t.context(keys.LabelSealEscrow), escrow)
		if err != nil || len(plain) != len(seed) {
			continue
		}
		identity, err := keys.NewIdentity([32]byte(plain))
		if err != nil || wire.Hash(identity.Public().Fingerprint()) != l.Fingerprint {
			return seed, ErrRecovery
		}
		return [32]byte(plain), nil
	}
	return seed, ErrRecovery
}

// subsets are all sets of k of a list's items, in order.
func subsets[T any](list []T, k int) [][]T {
	if k == 0 {
		return [][]T{nil}
	}
	if len(list) < k {
		return nil
	}
	var out [][]T
	for _, rest := range subsets(list[1:], k-1) {
		out = append(out, append([]T{list[0]}, rest...))
	}
	return append(out, subsets(list[1:], k)...)
}

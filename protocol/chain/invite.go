package chain

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"io"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// InviteSecret is the 128 bits in a link's fragment. No server ever sees them.
type InviteSecret [16]byte

func (s InviteSecret) key(invite wire.ObjectID) ed25519.PrivateKey {
	seed := keys.Derive(s[:], keys.LabelInviteKey, invite[:])
	return ed25519.NewKeyFromSeed(seed[:])
}

func (s InviteSecret) sealKey(invite wire.ObjectID) [32]byte {
	return keys.Derive(s[:], keys.LabelInviteSeal, invite[:])
}

func (s InviteSecret) acceptKey(invite wire.ObjectID) Secret {
	return keys.Derive(s[:], keys.LabelInviteAcceptKey, invite[:])
}

// Link is what stands after # in an invite link: the secret, and what the guest holds the server to.
type Link struct {
	Firm, Chain wire.ChainID
	Invite      wire.ObjectID
	Inviter     wire.Hash // fingerprint
	Position    uint64    // the entry that was newest when the link was made, and its leaf hash: a checkpoint
	Head        wire.Hash
	Secret      InviteSecret
}

var fragment = base64.RawURLEncoding.Strict()

// String is the fragment.
func (l Link) String() string {
	w := wire.NewWriter()
	w.Uint8(wire.Suite)
	w.Fixed(l.Firm[:])
	w.Fixed(l.Chain[:])
	w.Fixed(l.Invite[:])
	w.Fixed(l.Inviter[:])
	w.Uint64(l.Position)
	w.Fixed(l.Head[:])
	w.Fixed(l.Secret[:])
	return fragment.EncodeToString(w.Bytes())
}

// decodeFragment decodes what stands after # in a link.
func decodeFragment(s string) ([]byte, error) {
	if len(s) > 512 {
		return nil, wire.ErrMalformed
	}
	b, err := fragment.DecodeString(s)
	// The decoder passes over line breaks: only one spelling is accepted.
	if err != nil || fragment.EncodeToString(b) != s {
		return nil, wire.ErrMalformed
	}
	return b, nil
}

// ParseLink is the inverse of String.
func ParseLink(s string) (Link, error) {
	b, err := decodeFragment(s)
	if err != nil {
		return Link{}, err
	}
	r := wire.NewReader(b)
	if err := r.Suite(); err != nil {
		return Link{}, err
	}
	l := Link{Firm: r.Hash(), Chain: r.Hash(), Invite: r.ID(), Inviter: r.Hash(), Position: r.Uint64(), Head: r.Hash(), Secret: InviteSecret(r.ID())}
	return l, r.Done()
}

// Key signs for the holder of the link: towards the server, and in the accept entry.
func (l Link) Key() ed25519.PrivateKey { return l.Secret.key(l.Invite) }

// Package is what an invite tells its guest, sealed under the secret: who invites to what, and, where the invite opens
// at once, the epoch's keys.
type Package struct {
	Epoch     uint32
	FirmName  string
	ChainName string
	Inviter   string
	Person    string
	Role      Role
	Mode      InviteMode
	Expires   uint64
	StateLink Secret // to place the accept entry
	Grant     []byte // empty where an owner confirms first
	// Log is what a reviewer holds the firm's log to: he cannot open the charter that says it to everybody else.
	Log *LogTrust
}

func packageContext(firm, chain wire.ChainID, invite wire.ObjectID, inviter wire.Hash, epoch uint32) []byte {
	w := wire.NewWriter()
	w.Text(string(keys.LabelInviteSeal))
	w.Uint8(wire.Suite)
	w.Fixed(firm[:])
	w.Fixed(chain[:])
	w.Fixed(invite[:])
	w.Fixed(inviter[:])
	w.Uint32(epoch)
	return w.Bytes()
}

const packageStep = 512

func (p Package) seal(random io.Reader, secret InviteSecret, firm, chain wire.ChainID, invite wire.ObjectID, inviter wire.Hash) (Row, error) {
	key := secret.sealKey(invite)
	sealed, err := seal.Seal(random, key[:], packageContext(firm, chain, invite, inviter, p.Epoch), p.bytes())
	if err != nil {
		return Row{}, err
	}
	row := wire.NewWriter()
	row.Uint32(p.Epoch)
	row.Bytes32(sealed)
	return Row{Kind: RowPackage, Recipient: invite, Bytes: row.Bytes()}, nil
}

// bytes is what is sealed: the epoch stands outside, in the context.
func (p Package) bytes() []byte {
	w := wire.NewWriter()
	w.Text(p.FirmName)
	w.Text(p.ChainName)
	w.Text(p.Inviter)
	w.Text(p.Person)
	w.Uint8(uint8(p.Role))
	w.Uint8(uint8(p.Mode))
	w.Uint64(p.Expires)
	w.Fixed(p.StateLink[:])
	w.Bytes16(p.Grant)
	w.Bool(p.Log != nil)
	if p.Log != nil {
		p.Log.write(w)
	}
	return pad(w.Bytes())
}

// pad hides a package's length: its length, itself and zeros to a multiple of packageStep.
func pad(inner []byte) []byte {
	w := wire.NewWriter()
	w.Bytes32(inner)
	w.Fixed(make([]byte, (packageStep-(len(inner)+4)%packageStep)%packageStep))
	return w.Bytes()
}

// unpad is the inverse of pad.
func unpad(plain []byte) ([]byte, error) {
	r := wire.NewReader(plain)
	inner, rest := r.Bytes32(MaxRow), r.Rest()
	if r.Failed() || len(plain)%packageStep != 0 || len(rest) >= packageStep || len(bytes.Trim(rest, "\x00")) > 0 {
		return nil, wire.ErrMalformed
	}
	return inner, nil
}

// parsePackage is the inverse of bytes.
func parsePackage(plain []byte, epoch uint32) (Package, error) {
	inner, err := unpad(plain)
	if err != nil {
		return Package{}, ErrInvite
	}
	r := wire.NewReader(inner)
	p := Package{Epoch: epoch, FirmName: r.Text(document.MaxName), ChainName: r.Text(document.MaxName), Inviter: r.Text(document.MaxName), Person: r.Text(document.MaxName),
		Role: Role(r.Uint8()), Mode: InviteMode(r.Uint8()), Expires: r.Uint64(), StateLink: Secret(r.Hash()), Grant: r.Bytes16(512)}
	if r.Bool() {
		t := readLogTrust(r)
		p.Log = &t
	}
	if r.Done() != nil {
		return Package{}, ErrInvite
	}
	if !p.Role.Valid() || p.Mode < ModeOpensAtOnce || p.Mode > ModeAfterIConfirm || (p.Mode == ModeOpensAtOnce) != (len(p.Grant) > 0) || (p.Role.Rung() == RungLink) != (p.Log != nil) {
		return Package{}, ErrInvite
	}
	return p, nil
}

// OpenPackage opens what the server keeps for an invite, with the link. Whatever does not belong to exactly what the link
// pins does not open (attacks 1, 8).
func (l Link) OpenPackage(row []byte) (Package, error) {
	r := wire.NewReader(row)
	epoch, sealed := r.Uint32(), r.Bytes32(MaxRow)
	if r.Done() != nil {
		return Package{}, ErrInvite
	}
	key := l.Secret.sealKey(l.Invite)
	plain, err := seal.Open(key[:], packageContext(l.Firm, l.Chain, l.Invite, l.Inviter, epoch), sealed)
	if err != nil {
		return Package{}, ErrInvite
	}
	return parsePackage(plain, epoch)
}

func (s *State) newPackage(i *Invite, firmName string, k *EpochKeys) Package {
	p := Package{Epoch: k.Epoch, FirmName: firmName, ChainName: s.Name, Inviter: s.Members[i.Inviter].Name, Person: i.Person, Role: i.Role, Mode: i.Mode,
		Expires: i.Expires, StateLink: k.StateLink}
	if i.Mode == ModeOpensAtOnce {
		p.Grant = k.grant(i.Role, true)
	}
	if i.Role.Rung() == RungLink {
		t := s.Charter.Log()
		p.Log = &t
	}
	return p
}

// Invite is the gesture that consents and names the person.
func (s *State) Invite(a Author, person string, role Role, mode InviteMode, expires time.Time, firmName string) (Submission, Link, error) {
	if err := s.may(a, RightManage); err != nil {
		return Submission{}, Link{}, err
	}
	for _, name := range []string{person, firmName} {
		if err := document.CheckTitle(name); err != nil {
			return Submission{}, Link{}, err
		}
	}
	// A chain of more than MaxSeats could never rotate again: every invite that is out counts as a seat.
	if !role.Valid() || !expires.After(a.Now()) || s.claims() >= MaxSeats {
		return Submission{}, Link{}, ErrInput
	}
	k, err := s.Keys()
	if err != nil {
		return Submission{}, Link{}, err
	}
	effect, err := s.effect(a, KindInvite)
	if err != nil {
		return Submission{}, Link{}, err
	}
	id, err := a.newID()
	if err != nil {
		return Submission{}, Link{}, err
	}
	var secret InviteSecret
	if _, err := io.ReadFull(a.Random, secret[:]); err != nil {
		return Submission{}, Link{}, err
	}
	fingerprint := wire.Hash(a.Identity.Public().Fingerprint())
	i := &Invite{ID: id, Inviter: a.Member, InviterKeys: fingerprint, Person: person, Role: role, Mode: mode, Expires: uint64(expires.Unix())}
	effect.Invite = &InviteEffect{Invite: id, PublicKey: [32]byte(secret.key(id).Public().(ed25519.PublicKey)), Role: role, Mode: mode, Expires: i.Expires}
	row, err := s.newPackage(i, firmName, k).seal(a.Random, secret, s.FirmOf(), s.ID, id, fingerprint)
	if err != nil {
		return Submission{}, Link{}, err
	}
	body := &inviteBody{head: a.head(), Person: person, AcceptKey: secret.acceptKey(id), PackageHash: row.Hash()}
	for _, m := range s.Seated() {
		if !m.Role.May(RightManage) {
			continue
		}
		wrap, err := m.Keys.WrapKey(a.Random, secretInfo(s.ID, id, m.ID), secret[:])
		if err != nil {
			return Submission{}, Link{}, err
		}
		body.Secrets = append(body.Secrets, sealedSecret{Owner: m.ID, Wrap: wrap})
	}
	sub, err := s.submit(a, effect, body.bytes(), row)
	if err != nil {
		return Submission{}, Link{}, err
	}
	link := Link{Firm: s.FirmOf(), Chain: s.ID, Invite: id, Inviter: fingerprint, Position: effect.Position, Head: sub.Entry.Leaf.Hash(), Secret: secret}
	return sub, link, nil
}

// claims is how many seats there may be if everybody who was invited comes.
func (s *State) claims() (n int) {
	for _, m := range s.Members {
		if m.State != MemberRemoved {
			n++
		}
	}
	for _, i := range s.Invites {
		if i.State == InviteOpen {
			n++
		}
	}
	return n
}

func secretInfo(chain wire.ChainID, invite, owner wire.ObjectID) []byte {
	w := wire.NewWriter()
	w.Text(string(keys.LabelWrapInvite))
	w.Uint8(wire.Suite)
	w.Fixed(chain[:])
	w.Fixed(invite[:])
	w.Fixed(owner[:])
	return w.Bytes()
}

// openSecret opens the copy of an invite's secret that was sealed to the author.
func (i *Invite) openSecret(chain wire.ChainID, a Author) (InviteSecret, error) {
	for _, s := range i.Secrets {
		if s.Owner != a.Member {
			continue
		}
		for _, identity := range a.identities() {
			if b, err := identity.Unwrap(secretInfo(chain, i.ID, a.Member), s.Wrap); err == nil && len(b) == 16 {
				return InviteSecret(b), nil
			}
		}
	}
	return InviteSecret{}, ErrInvite
}

// Accept is a guest's answer. position and previous are where the chain stands, as the server says: it compares, and the
// guest replays the chain afterwards before he relies on any of it.
func (l Link) Accept(a Author, p Package, position uint64, previous wire.Hash) (Submission, error) {
	bundle, err := NewBundle(a.Member, a.Identity)
	if err != nil {
		return Submission{}, err
	}
	id, err := a.newID()
	if err != nil {
		return Submission{}, err
	}
	effect := &Effect{Kind: KindAccept, Chain: l.Chain, Entry: id, Sequence: log.TypeState, Position: position, Previous: previous, Epoch: p.Epoch, Actor: a.Member,
		Accept: &AcceptEffect{Invite: l.Invite, Ways: a.Ways, Links: a.Links, Bundle: bundle}}
	copy(effect.Accept.Signature[:], ed25519.Sign(l.Key(), AcceptMessage(l.Firm, l.Chain, l.Invite, l.Inviter, bundle)))
	body := &acceptBody{seatBody{head: a.head(), Person: p.Person}, a.Read}
	var rows []Row
	if p.Mode == ModeOpensAtOnce {
		k, err := parseGrant(p.Grant, p.Epoch, p.Role, true)
		if err != nil {
			return Submission{}, err
		}
		seat := Seat{Member: a.Member, Role: p.Role, From: 1}
		row, err := newWrap(a.Random, effect, k, seat, bundle.Keys, bundle.Keys.Fingerprint())
		if err != nil {
			return Submission{}, err
		}
		body.RowHash = row.Hash()
		rows = append(rows, row)
	}
	e, err := a.finish(effect, body.bytes(), l.Secret.acceptKey(l.Invite), log.LinkKey(p.StateLink))
	return Submission{Entry: e, Rows: rows}, err
}

// Pin holds a state to what a link promised. Call it before the chain is replayed, and CheckPin after.
func (l Link) Pin(s *State) { s.Expect(l.Position, l.Head) }

// CheckPin verifies, after the replay, that the inviter, invite and firm are the ones the link pinned.
func (l Link) CheckPin(s *State) error {
	i := s.Invites[l.Invite]
	if s.ID != l.Chain || s.FirmOf() != l.Firm || s.Unmet() || i == nil || i.InviterKeys != l.Inviter {
		return ErrAnchor
	}
	if m := s.Members[i.Inviter]; m == nil || !m.Had(l.Inviter) {
		return ErrAnchor
	}
	return nil
}

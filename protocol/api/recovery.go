package api

import (
	"crypto/sha256"

	"github.com/underseal/underseal/protocol/wire"
)

// Routes of a recovery by custodians (SPEC 8.3). Who asks for an identity back has an account and no session in the firm; what
// he is handed opens for the keys that the link signed for, and for nobody else.
const (
	RouteRecovery         = "/v1/firms/:firm/recoveries/:recovery"          // GET: RecoveryReply, without a session
	RouteRecoveryClaim    = "/v1/firms/:firm/recoveries/:recovery/claim"    // POST RecoveryClaim: RecoveryStanding (account) · GET: ClaimReply (the member, owners, custodians)
	RouteRecoveryStanding = "/v1/firms/:firm/recoveries/:recovery/standing" // GET: RecoveryStanding (the account that claimed)
	RouteRecoveryFinish   = "/v1/firms/:firm/recoveries/:recovery/finish"   // POST RecoveryFinish (the account that claimed)
	RouteRecoveryShare    = "/v1/firms/:firm/recoveries/:recovery/share"    // GET: ShareReply (a custodian)
)

// Where a recovery stands, as RecoveryReply says.
const (
	RecoveryOpen    = "open"
	RecoveryDone    = "done"
	RecoveryStopped = "stopped"
	RecoveryExpired = "expired"
	RecoveryGone    = "gone" // ended in another way, or never begun
)

// RecoveryReply is what anybody who knows a recovery's id may fetch. Times are seconds, by the server's clock; they and the
// package are of one that is open.
type RecoveryReply struct {
	State   string `json:"state"`
	Package []byte `json:"package,omitempty"` // sealed under the secret in the link
	Opens   int64  `json:"opens,omitempty"`   // when custodians may agree at the earliest
	Until   int64  `json:"until,omitempty"`
}

// RecoveryProof shows that its sender holds a recovery's link.
type RecoveryProof struct {
	Firm      wire.ChainID  `json:"firm"`
	Recovery  wire.ObjectID `json:"recovery"`
	Signature []byte        `json:"signature"` // by the link's key over RecoveryProofMessage
}

// RecoveryProofMessage is what the key of a recovery link signs.
func RecoveryProofMessage(purpose string, p RecoveryProof, subject []byte) []byte {
	w := wire.NewWriter()
	w.Text("underseal/v1/recovery/proof/" + purpose)
	w.Fixed(p.Firm[:])
	w.Fixed(p.Recovery[:])
	w.Bytes16(subject)
	return w.Bytes()
}

// Purposes of a RecoveryProof.
const (
	ProofRecoveryEnrol = "enrol" // over nothing: it begins the enrolment
	ProofRecoveryClaim = "claim" // over ClaimSubject: it makes a claim that account's
)

// ClaimSubject is what a claim's proof is over: a custodian, who sees the claim, cannot make it his own account's.
func ClaimSubject(account wire.ObjectID, bundle []byte) []byte {
	h := sha256.Sum256(bundle)
	return append(append([]byte(nil), account[:]...), h[:]...)
}

// RecoveryClaim says to which keys the identity is to be handed. Another claim by the same link takes its place as long as no
// custodian agreed.
type RecoveryClaim struct {
	Bundle    []byte `json:"bundle"`    // chain.Bundle of the member, with new keys
	Signature []byte `json:"signature"` // by the link's key over chain.ClaimMessage
	Proof     []byte `json:"proof"`     // by the link's key over RecoveryProofMessage and ClaimSubject
}

// ClaimReply is the claim, for those who compare it with the person and for whom it is about.
type ClaimReply struct {
	Bundle    []byte `json:"bundle"`
	Signature []byte `json:"signature"`
}

// RecoveryStanding is where a recovery stands for the account that claimed. The rows, and the newest of the member's key links,
// are there once enough custodians agreed, and not a moment before.
type RecoveryStanding struct {
	Opens  int64         `json:"opens"`
	Until  int64         `json:"until"`
	K      int           `json:"k"`
	Agreed int           `json:"agreed"`
	Escrow []byte        `json:"escrow,omitempty"` // the sealed identity
	Shares []HandedShare `json:"shares,omitempty"`
	Link   []byte        `json:"link,omitempty"` // chain.KeyLink
}

// HandedShare is a share that a custodian handed over, wrapped to the claimed keys.
type HandedShare struct {
	Custodian wire.ObjectID `json:"custodian"`
	Row       []byte        `json:"row"`
}

// RecoveryFinish binds the member to the account that claimed: by the link from the keys he had to those he claimed. What it
// did is in the firm's directory. The same again is answered as before.
type RecoveryFinish struct {
	Link []byte `json:"link"` // chain.KeyLink
}

// ShareReply is a custodian's own share, with the hashes of all rows of the entry that left it.
type ShareReply struct {
	Row    []byte      `json:"row"`
	Hashes []wire.Hash `json:"hashes"`
}

// RecoveryPath is one recovery.
func RecoveryPath(firm wire.ChainID, recovery wire.ObjectID) string {
	return Firm(firm) + "/recoveries/" + recovery.String()
}

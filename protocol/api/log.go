package api

import (
	"strconv"
	"strings"

	"github.com/underseal/underseal/protocol/directory"
	"github.com/underseal/underseal/protocol/wire"
)

// Appended is the answer to an accepted entry: where the chain stands, and the receipt (c2sp.org/tlog-proof, with the leaf
// as its extra data) that the entry is in the log. Consistency leads from the size of the log that the request's seen names
// to the receipt's checkpoint.
type Appended struct {
	ChainHead
	Receipt     string      `json:"receipt"`
	Consistency []wire.Hash `json:"consistency"`
}

// QuerySeen is the size of the newest checkpoint that the sender of an entry has verified.
const QuerySeen = "seen"

// Seen is a path with what its sender has seen of the log.
func Seen(path string, size uint64) string {
	return path + "?" + QuerySeen + "=" + strconv.FormatUint(size, 10)
}

// LogState is where a firm's log stands: GET /v1/firms/{firm}/log?from={size}. Checkpoints are signed notes.
type LogState struct {
	Checkpoint  string      `json:"checkpoint"`          // the newest
	Consistency []wire.Hash `json:"consistency"`         // between the size that was asked with and Checkpoint
	Witnessed   string      `json:"witnessed,omitempty"` // the newest that satisfies the firm's witness policy
	Extends     []wire.Hash `json:"extends,omitempty"`   // consistency from Witnessed to Checkpoint
}

// MapRoot is the root of the map under a checkpoint: its leaf is the checkpoint's last. Consistency is between the size that
// the request names as seen and the checkpoint's, whichever is smaller.
type MapRoot struct {
	Checkpoint  string      `json:"checkpoint"`
	Consistency []wire.Hash `json:"consistency"`
	Root        wire.Hash   `json:"root"`
	Inclusion   []wire.Hash `json:"inclusion"`
}

// MapRequest asks whether leaves stand in the map: POST /v1/firms/{firm}/log/map. Witnessed asks under the newest checkpoint
// that satisfies the policy, else under the newest.
type MapRequest struct {
	Keys      []wire.Hash `json:"keys"` // log.MapKey
	Seen      uint64      `json:"seen"` // size of the newest checkpoint that the client verified
	Witnessed bool        `json:"witnessed"`
}

// MapReply proves each key present or absent: log.MapProof.
type MapReply struct {
	MapRoot
	Proofs [][]byte `json:"proofs"`
}

// KeysRequest asks for people's public keys: POST /v1/firms/{firm}/keys.
type KeysRequest struct {
	Members   []wire.ObjectID `json:"members"`
	Seen      uint64          `json:"seen"`
	Witnessed bool            `json:"witnessed"`
}

// KeysReply has one lookup for each member, in the order asked.
type KeysReply struct {
	MapRoot
	Lookups []directory.Lookup `json:"lookups"`
}

// Linked is the answer to a person's next keys: PUT /v1/firms/{firm}/keys?seen={size} with a chain.KeyLink. Proof is the VRF
// proof of the label that its leaf has; the rest is as in Appended.
type Linked struct {
	Receipt     string      `json:"receipt"`
	Consistency []wire.Hash `json:"consistency"`
	Proof       []byte      `json:"proof"`
}

// NextEvent is the VRF proof of the tag that a chain's server sequence has at its next position: what the map is asked
// whether the sequence ends there.
type NextEvent struct {
	Position uint64 `json:"position"`
	Proof    []byte `json:"proof"`
}

// Limits of one request.
const (
	MaxMapKeys    = 256
	MaxKeyMembers = 64
	MaxLeaves     = 4096 // of one page
)

// Routes of the log.
const (
	RouteLog       = "/v1/firms/:firm/log"                              // GET ?from=: LogState
	RouteMap       = "/v1/firms/:firm/log/map"                          // POST MapRequest: MapReply
	RouteTiles     = "/v1/firms/:firm/log/tiles/*"                      // GET: what the public log serves at the same path, for members
	RouteLookup    = "/v1/firms/:firm/keys"                             // POST KeysRequest: KeysReply · PUT a chain.KeyLink (binary): Linked
	RouteLeaves    = "/v1/firms/:firm/chains/:chain/leaves"             // GET ?sequence=&from=: index u64 ‖ leaf, for each (binary)
	RouteNextEvent = "/v1/firms/:firm/chains/:chain/events/next"        // GET: NextEvent (auditors)
	RouteReceipt   = "/v1/firms/:firm/chains/:chain/receipts/:position" // GET ?sequence=: a receipt (text)
	RouteEvents    = "/v1/firms/:firm/chains/:chain/events"             // GET ?from= or ?last=: VRF proof ‖ entry, for each (auditors; binary)

	RoutePublicLog = "/log/:log/*" // GET checkpoint, tile/…: c2sp.org/tlog-tiles
)

// Sequences, as queries name them.
const (
	SequenceState  = "state"
	SequenceTrail  = "trail"
	SequenceServer = "server"
)

// Leaves is where a sequence's leaves are read.
func Leaves(firm, chain wire.ChainID, sequence string, from uint64) string {
	return Chain(firm, chain) + "/leaves?sequence=" + sequence + "&from=" + strconv.FormatUint(from, 10)
}

// ReceiptPath is the receipt for an entry.
func ReceiptPath(firm, chain wire.ChainID, sequence string, position uint64) string {
	return Chain(firm, chain) + "/receipts/" + strconv.FormatUint(position, 10) + "?sequence=" + sequence
}

// Events is where a chain's server sequence is read.
func Events(firm, chain wire.ChainID, from uint64) string {
	return Chain(firm, chain) + "/events?from=" + strconv.FormatUint(from, 10)
}

// LastEvents is where the newest entries of it are read.
func LastEvents(firm, chain wire.ChainID, n int) string {
	return Chain(firm, chain) + "/events?last=" + strconv.Itoa(n)
}

// Trail is where a chain's trail is read, from a position, and appended.
func Trail(firm, chain wire.ChainID, from uint64) string {
	return Chain(firm, chain) + "/trail?from=" + strconv.FormatUint(from, 10)
}

// Log is a firm's log.
func Log(firm wire.ChainID, from uint64) string {
	return Firm(firm) + "/log?from=" + strconv.FormatUint(from, 10)
}

// LogName is the last part of a log's origin: what its public paths are under.
func LogName(origin string) string { return origin[strings.LastIndexByte(origin, '/')+1:] }

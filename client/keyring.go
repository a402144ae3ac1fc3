package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// keyring is what an account remembers, sealed under its root: where it has identities and matters, and what it holds
// the server to there. The server keeps it and cannot read it.
type keyring struct {
	Name     string       `json:"name"`
	KitSaved bool         `json:"kitSaved"`
	Read     bool         `json:"read"` // a first document was read or sent: the moment to ask for the kit
	Firms    []firmSeat   `json:"firms"`
	Matters  []matterSeat `json:"matters"`
	// Passkeys are what their owner calls them: no server learns it.
	Passkeys []passkeyName `json:"passkeys,omitempty"`
	Password *passwordNote `json:"password,omitempty"`
	// Devices are what their owner calls them.
	Devices []namedDevice `json:"devices,omitempty"`
	// Renewing are the chains that this account's newest keys are still to be entered into.
	Renewing []wire.ChainID `json:"renewing,omitempty"`
	// Caches are keys of what devices keep, of roots before this one, newest first: what a device saw of a log it sees still.
	Caches [][32]byte `json:"caches,omitempty"`
	// Recoveries are those in which this account holds a share, and when it first saw them.
	Recoveries []seenRecovery `json:"recoveries,omitempty"`
	// Passphrase says that one unlocks on a device: no server has that wrap.
	Passphrase bool `json:"passphrase,omitempty"`
	// Topics are what this person has read.
	Topics chain.Topics `json:"topics,omitempty"`
	// Claims are identities that this account asks custodians for.
	Claims []claimSeat `json:"claims,omitempty"`
}

// passwordNote is all that is remembered of a password: that there is one, and when it was set.
type passwordNote struct {
	SetAt int64 `json:"setAt"`
}

// namedDevice is one device. Revoked: the root that it had is still to be replaced.
type namedDevice struct {
	ID      wire.ObjectID `json:"id"`
	Name    string        `json:"name"`
	AddedAt int64         `json:"addedAt"`
	Revoked bool          `json:"revoked,omitempty"`
}

func (k *keyring) device(id wire.ObjectID) *namedDevice {
	for i := range k.Devices {
		if k.Devices[i].ID == id {
			return &k.Devices[i]
		}
	}
	return nil
}

// rootDue reports whether a device was revoked that has the account's root.
func (k *keyring) rootDue() bool {
	return slices.ContainsFunc(k.Devices, func(d namedDevice) bool { return d.Revoked })
}

// passkeyName is one passkey, by its credential's id.
type passkeyName struct {
	ID     []byte `json:"id"`
	Name   string `json:"name"` // empty for the first one
	MadeAt int64  `json:"madeAt"`
}

func (k *keyring) passkey(id []byte) *passkeyName {
	for i := range k.Passkeys {
		if bytes.Equal(k.Passkeys[i].ID, id) {
			return &k.Passkeys[i]
		}
	}
	return nil
}

// firmSeat is the one identity of this account in a firm.
type firmSeat struct {
	Firm        wire.ChainID  `json:"firm"`
	Name        string        `json:"name"`
	Salt        [16]byte      `json:"salt"` // the identity is derived from the root and this
	Member      wire.ObjectID `json:"member"`
	Fingerprint wire.Hash     `json:"fingerprint"`
	Staff       bool          `json:"staff"`    // has a seat in the firm's own chain
	Position    uint64        `json:"position"` // of the firm's own chain: the newest entry seen on any device
	Head        wire.Hash     `json:"head"`
	Recovered   bool          `json:"recovered,omitempty"` // handed back by custodians, who hold nothing of it any more
	TakenBack   bool          `json:"takenBack,omitempty"` // the keys it had before were left with custodians, who hold nothing of these
	// Former are the identities before, newest first. They are kept for good: they open what was wrapped to them.
	Former []formerIdentity `json:"former,omitempty"`

	identity *keys.Identity
}

// formerIdentity is an identity that another one took the place of.
type formerIdentity struct {
	Seed        [32]byte  `json:"seed"`
	Fingerprint wire.Hash `json:"fingerprint"`

	identity *keys.Identity
}

// matterSeat is a matter this account was in, and how far it verified it.
type matterSeat struct {
	Chain    wire.ChainID `json:"chain"`
	Firm     wire.ChainID `json:"firm"`
	Name     string       `json:"name"`
	Link     string       `json:"link,omitempty"` // of the invite it came by, until the seat is verified
	Accepted bool         `json:"accepted"`       // an accept entry was sent
	Position uint64       `json:"position"`       // the newest entry seen on any device, and its leaf hash
	Head     wire.Hash    `json:"head"`
	Removed  bool         `json:"removed"`
	// Log is what a reviewer holds the firm's log to, and Role says that he is one: he opens no charter.
	Log  *chain.LogTrust `json:"log,omitempty"`
	Role string          `json:"role,omitempty"`
}

func (k *keyring) firm(id wire.ChainID) *firmSeat {
	for i := range k.Firms {
		if k.Firms[i].Firm == id {
			return &k.Firms[i]
		}
	}
	return nil
}

func (k *keyring) matter(id wire.ChainID) *matterSeat {
	for i := range k.Matters {
		if k.Matters[i].Chain == id {
			return &k.Matters[i]
		}
	}
	return nil
}

// pinned is what the account holds a chain to, a matter's or a firm's own: the newest entry seen on any device.
func (k *keyring) pinned(id wire.ChainID) (position *uint64, head *wire.Hash) {
	if seat := k.matter(id); seat != nil {
		return &seat.Position, &seat.Head
	}
	if seat := k.firm(id); seat != nil {
		return &seat.Position, &seat.Head
	}
	return nil, nil
}

func keyringContext(account wire.ObjectID, revision uint64) []byte {
	w := wire.NewWriter()
	w.Text(string(keys.LabelSealKeyring))
	w.Uint8(wire.Suite)
	w.Fixed(account[:])
	w.Uint64(revision)
	return w.Bytes()
}

// clone shares nothing that a change may write to.
func (k keyring) clone() keyring {
	k.Firms, k.Matters, k.Passkeys = slices.Clone(k.Firms), slices.Clone(k.Matters), slices.Clone(k.Passkeys)
	k.Devices, k.Renewing, k.Caches = slices.Clone(k.Devices), slices.Clone(k.Renewing), slices.Clone(k.Caches)
	for i := range k.Firms {
		k.Firms[i].Former = slices.Clone(k.Firms[i].Former)
	}
	k.Recoveries, k.Claims = slices.Clone(k.Recoveries), slices.Clone(k.Claims)
	return k
}

func (c *Client) sealKeyring(a *account, ring keyring, revision uint64) ([]byte, error) {
	plain, err := json.Marshal(ring)
	if err != nil {
		return nil, err
	}
	key := a.root.KeyringKey()
	return seal.Seal(c.config.Random, key[:], keyringContext(a.id, revision), pad(plain))
}

// pad hides how many matters there are, in steps of a kilobyte: JSON may end in spaces.
func pad(plain []byte) []byte {
	const step = 1024
	n := (step - len(plain)%step) % step
	return append(plain, strings.Repeat(" ", n)...)
}

func openKeyring(a *account, revision uint64, sealed []byte) error {
	key := a.root.KeyringKey()
	plain, err := seal.Open(key[:], keyringContext(a.id, revision), sealed)
	if err != nil {
		return ErrAccountKeys
	}
	a.revision = revision
	return decode(plain, &a.ring)
}

// updateKeyring changes the keyring on the server: change is applied to a copy of the newest one, again where another device
// was faster, and the copy takes the place of ours once the server has it. Where it fails nothing was changed here.
func (c *Client) updateKeyring(ctx context.Context, change func(*keyring)) error {
	c.ringing.Lock()
	defer c.ringing.Unlock()
	for range 8 {
		c.mu.Lock()
		a := c.account
		if a == nil {
			c.mu.Unlock()
			return fail(api.CodeNotSignedIn, "")
		}
		ring := a.ring.clone()
		change(&ring)
		revision := a.revision
		sealed, err := c.sealKeyring(a, ring, revision+1)
		signature := ed25519.Sign(a.root.KeyringSigner(), api.KeyringMessage(a.id, revision+1, sealed))
		c.mu.Unlock()
		if err != nil {
			return err
		}
		err = c.call(ctx, methodPut, api.RouteKeyring, api.PutKeyring{Revision: revision, Keyring: sealed, Signature: signature}, nil)
		if err == nil {
			c.mu.Lock()
			a.ring, a.revision = ring, revision+1
			c.mu.Unlock()
			return c.rememberRevision(ctx, a)
		}
		if !hasCode(err, api.CodeMoved) {
			return err
		}
		if err := c.freshKeyring(ctx, a); err != nil {
			return err
		}
	}
	return fail(api.CodeUnavailable, "")
}

// freshKeyring reads what another device wrote, and which ways to unlock there are by now.
func (c *Client) freshKeyring(ctx context.Context, a *account) error {
	var fresh api.Account
	if err := c.call(ctx, methodGet, api.RouteAccount, nil, &fresh); err != nil {
		return err
	}
	err := c.takeKeyring(ctx, a, fresh)
	if err == nil {
		c.took(a, fresh)
	}
	return err
}

// takeKeyring opens a keyring the server handed out, and refuses one older than this device has seen.
func (c *Client) takeKeyring(ctx context.Context, a *account, fresh api.Account) error {
	known := c.knownRevision(ctx, a) // and then the lock: nobody waits for a device with it
	c.mu.Lock()
	defer c.mu.Unlock()
	if fresh.Revision < max(a.revision, known) {
		return ErrRolledBack
	}
	old := a.ring
	a.ring = keyring{}
	if err := openKeyring(a, fresh.Revision, fresh.Keyring); err != nil {
		a.ring = old
		return err
	}
	return nil
}

// knownRevision is the newest that this device has seen; 0 where it has seen none.
func (c *Client) knownRevision(ctx context.Context, a *account) uint64 {
	known, err := c.config.Device.Get(ctx, recordName(a, "revision"))
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(string(known), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// rememberRevision keeps the number unsealed: a server that brings a root of before a renewal back brings the keys of what is
// sealed back, too, and the device is to know all the same that it saw more.
func (c *Client) rememberRevision(ctx context.Context, a *account) error {
	if err := c.config.Device.Put(ctx, recordName(a, "revision"), []byte(strconv.FormatUint(a.revision, 10))); err != nil {
		return &Failure{Code: api.CodeNoRoom, cause: err}
	}
	return nil
}

// Records on the device: sealed under a key of the root, each bound to its name.

func recordContext(account wire.ObjectID, name string) []byte {
	w := wire.NewWriter()
	w.Text(string(keys.LabelSealCache))
	w.Uint8(wire.Suite)
	w.Fixed(account[:])
	w.Text(name)
	return w.Bytes()
}

func recordName(a *account, name string) string { return a.id.String() + "/" + name }

func (c *Client) keep(ctx context.Context, a *account, name string, plain []byte) error {
	key := a.root.CacheKey()
	sealed, err := sealRecord(c.config.Random, key, recordContext(a.id, name), plain)
	if err != nil {
		return err
	}
	if err := c.config.Device.Put(ctx, recordName(a, name), sealed); err != nil {
		return &Failure{Code: api.CodeNoRoom, cause: err}
	}
	return nil
}

// record opens one; one that does not open counts as absent: it was made by another account or build, or was damaged.
func (c *Client) record(ctx context.Context, a *account, name string) ([]byte, error) {
	sealed, err := c.config.Device.Get(ctx, recordName(a, name))
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	caches := append([][32]byte{a.root.CacheKey()}, a.ring.Caches...)
	c.mu.Unlock()
	for _, key := range caches {
		if plain, err := openRecord(key, recordContext(a.id, name), sealed); err == nil {
			return plain, nil
		}
	}
	return nil, ErrAbsent
}

// sealRecord seals in body segments: a matter's record has megabytes, and in a browser each segment is a call to wait
// for.
func sealRecord(random io.Reader, key [32]byte, context, plain []byte) ([]byte, error) {
	var body bytes.Buffer
	w, err := seal.NewWriter(random, &body, key[:], context, seal.BodySegment)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return append(w.Header(), body.Bytes()...), nil
}

// openRecord is the inverse of sealRecord.
func openRecord(key [32]byte, context, sealed []byte) ([]byte, error) {
	if len(sealed) < seal.HeaderSize {
		return nil, seal.ErrOpen
	}
	r, err := seal.NewReader(bytes.NewReader(sealed[seal.HeaderSize:]), sealed[:seal.HeaderSize], key[:], context, seal.BodySegment)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func (c *Client) forget(ctx context.Context, a *account, name string) error {
	return c.config.Device.Delete(ctx, recordName(a, name))
}

func (c *Client) records(ctx context.Context, a *account, prefix string) ([]string, error) {
	names, err := c.config.Device.List(ctx, recordName(a, prefix))
	for i := range names {
		names[i] = strings.TrimPrefix(names[i], a.id.String()+"/")
	}
	return names, err
}

// keepRefusals writes the journal of refusals.
func (c *Client) keepRefusals(ctx context.Context) error {
	c.mu.Lock()
	a, list := c.account, slices.Clone(c.refusals)
	c.mu.Unlock()
	if a == nil {
		return nil
	}
	return c.writeRefusals(ctx, a, list)
}

func (c *Client) writeRefusals(ctx context.Context, a *account, list []Refusal) error {
	plain, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return c.keep(ctx, a, "refusals", plain)
}

// readRefusals is what this device refused for an account. A record of another build counts as none.
func (c *Client) readRefusals(ctx context.Context, a *account) ([]Refusal, error) {
	plain, err := c.record(ctx, a, "refusals")
	if errors.Is(err, ErrAbsent) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var earlier []Refusal
	if decode(plain, &earlier) != nil {
		return nil, nil
	}
	return earlier, nil
}

// loadRefusals joins what this device refused earlier with what was refused before sign-in, and keeps the latter: a server
// that lies about a link or a vault lies before there is an account to seal a journal for.
func (c *Client) loadRefusals(ctx context.Context, a *account) error {
	earlier, err := c.readRefusals(ctx, a)
	if err != nil {
		return err
	}
	c.mu.Lock()
	fresh := slices.DeleteFunc(slices.Clone(c.refusals), func(r Refusal) bool { return slices.Contains(earlier, r) })
	c.refusals = append(earlier, fresh...)
	list := slices.Clone(c.refusals)
	c.mu.Unlock()
	if len(fresh) == 0 {
		return nil
	}
	return c.writeRefusals(ctx, a, list)
}

// refuseFor is refuse for an account whose sign-in failed because of it: its keys are here, so its journal can be kept.
func (c *Client) refuseFor(ctx context.Context, a *account, what string, lie error) error {
	err := c.refuse(ctx, what, lie)
	if !hasCode(err, api.CodeServerLied) {
		return err
	}
	list, keepErr := c.readRefusals(ctx, a)
	if keepErr == nil {
		c.mu.Lock()
		if n := len(c.refusals); n > 0 {
			list = append(list, c.refusals[n-1])
		}
		c.mu.Unlock()
		keepErr = c.writeRefusals(ctx, a, list)
	}
	if keepErr != nil {
		f := failureOf(err)
		return &Failure{Code: f.Code, Detail: f.Detail, cause: errors.Join(f.cause, keepErr)}
	}
	return err
}

// Refusals is the journal, oldest first.
func (c *Client) Refusals() []Refusal {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Refusal(nil), c.refusals...)
}

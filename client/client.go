package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/underseal/underseal/keys"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// Client is one person on one device. Its methods may be called concurrently.
type Client struct {
	config Config

	renewal sync.Mutex // held over a renewal, so that one goes on at a time; taken before all others
	ringing sync.Mutex // held over an update of the keyring, so that one is made at a time; taken before mu

	mu        sync.Mutex // guards all below
	account   *account   // nil: signed out
	ceremony  *ceremony  // an enrolment or sign-in that waits for its gesture
	matters   map[wire.ChainID]*matter
	sessions  map[wire.ChainID]*chain.Session
	lasts     map[wire.ChainID]api.Opened   // how long those last
	rules     map[wire.ChainID]chain.Policy // of firms whose chains were read
	locked    bool                          // keys were wiped, and the account's session kept
	behind    map[wire.ChainID]bool         // firms whose directories have former keys of this account's
	renewing  map[wire.ChainID]*Failure     // what was in the way of new keys in a chain, if anything
	answering *answering                    // a new device whose code was read here
	logs      map[wire.ChainID]*firmLog
	carried   map[wire.ChainID][]byte // the newest checkpoint of a firm's log, as entries carry it
	transfers map[wire.ObjectID]*transfer
	order     []wire.ObjectID // of transfers
	slots     chan struct{}   // how many transfers run at once
	refusals  []Refusal
	read      chain.Topics // by somebody who has no account yet, or is not signed in
	telling   telling
	ctx       context.Context // of everything that runs beside calls; ends with sign-out
	stop      context.CancelFunc
}

const transfersAtOnce = 2

// New makes a client that is signed out.
func New(config Config) *Client {
	c := &Client{config: config}
	c.reset()
	return c
}

// reset forgets every key.
func (c *Client) reset() {
	if c.stop != nil {
		c.stop()
	}
	c.account, c.ceremony, c.locked = nil, nil, false
	c.lasts, c.rules, c.behind = map[wire.ChainID]api.Opened{}, map[wire.ChainID]chain.Policy{}, map[wire.ChainID]bool{}
	c.renewing, c.answering = map[wire.ChainID]*Failure{}, nil
	c.matters, c.sessions, c.transfers = map[wire.ChainID]*matter{}, map[wire.ChainID]*chain.Session{}, map[wire.ObjectID]*transfer{}
	c.logs, c.carried = map[wire.ChainID]*firmLog{}, map[wire.ChainID][]byte{}
	c.order, c.slots, c.refusals = nil, make(chan struct{}, transfersAtOnce), nil
	c.read, c.telling = 0, newTelling()
	c.ctx, c.stop = context.WithCancel(context.Background())
}

func (c *Client) event(e Event) {
	if c.config.Events != nil {
		c.config.Events(e)
	}
}

func (c *Client) secret(name string, value []byte) {
	if c.config.Secret != nil {
		c.config.Secret(name, value)
	}
}

// epochSecrets tells every key of an epoch.
func (c *Client) epochSecrets(k *chain.EpochKeys) {
	if c.config.Secret == nil {
		return
	}
	for name, s := range map[string]chain.Secret{"content key": k.Content, "entry key": k.Entry, "state link key": k.StateLink, "trail link key": k.TrailLink,
		"history content key": k.HistoryContent, "history entry key": k.HistoryEntry, "history link key": k.HistoryLink, "trail key": k.Trail, "trail history key": k.TrailHistory} {
		if s != (chain.Secret{}) {
			c.secret(name, s[:])
		}
	}
}

// account is who is signed in, with the keys.
type account struct {
	id       wire.ObjectID
	session  wire.ObjectID // that this browser or folder has, as the server said last
	root     vault.Root
	ring     keyring
	revision uint64
	passkeys []api.Passkey
	vault    []api.VaultEntry

	passwordSet int64 // seconds; 0: there is none
	appSet      int64
	failed      api.Failed // that its owner was not shown yet
	read        bool       // something was read or sent here, which its keyring may not say yet

	pending *madeKit // not yet confirmed as saved
	shown   *shown   // what unlocked or proved last
}

// ways is how many ways to unlock an account has: those that the server keeps and that the account's own record knows of, so
// that no server makes them more; and a passphrase, whose wrapped root lies on a device. A password, which opens nothing on another
// device without the kit, is one where there is a kit, or nothing else.
func (a *account) ways() uint8 {
	n, kit, password := 0, false, false
	for _, e := range a.vault {
		switch vault.Method(e.Method) {
		case vault.MethodPasskey:
			if a.ring.passkey(e.ID) != nil {
				n++
			}
		case vault.MethodKit:
			kit = a.ring.KitSaved
		case vault.MethodPassword:
			password = a.ring.Password != nil
		}
	}
	if a.ring.Passphrase {
		n++
	}
	if kit {
		n++
	}
	if password && (kit || n == 0) {
		n++
	}
	return uint8(min(n, chain.MaxWays))
}

// call sends JSON and reads JSON.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	r, err := requestOf(method, path, in)
	if err != nil {
		return err
	}
	return c.answered(ctx, r, out)
}

func requestOf(method, path string, in any) (Request, error) {
	r := Request{Method: method, Path: path}
	if in == nil {
		return r, nil
	}
	body, err := json.Marshal(in)
	r.Body, r.ContentType = body, api.TypeJSON
	return r, err
}

func (c *Client) answered(ctx context.Context, r Request, out any) error {
	body, err := c.send(ctx, r)
	if err != nil || out == nil {
		return err
	}
	return decode(body, out)
}

// decode is strict: an answer with anything unknown in it is not one of this protocol.
func decode(body []byte, out any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(out); err != nil || d.More() {
		return ErrUnknownReply
	}
	return nil
}

func (c *Client) send(ctx context.Context, r Request) ([]byte, error) {
	reply, err := c.config.Transport.Do(ctx, mark(ctx, r))
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &Failure{Code: api.CodeOffline, cause: err}
	}
	if reply.Status < 200 || reply.Status > 299 {
		err := ReplyError(reply.Body)
		if hasCode(err, api.CodeSessionEnded) {
			c.endedElsewhere(ctx, failureOf(err))
		}
		return nil, err
	}
	return reply.Body, nil
}

func hasCode(err error, code api.Code) bool {
	f := failureOf(err)
	return f != nil && f.Code == code
}

// inFirm sends a request within a firm, and opens or renews the firm's session where the server asks for it.
func (c *Client) inFirm(ctx context.Context, firm wire.ChainID, r Request) ([]byte, error) {
	if err := c.ensureSession(ctx, firm); err != nil {
		return nil, err
	}
	body, err := c.send(ctx, c.SignRequest(firm, r))
	switch {
	case hasCode(err, api.CodeNotSignedIn):
	case hasCode(err, api.CodeSecondFactor), hasCode(err, api.CodePasswordOld):
		// Opened anew it is let in, once what is wanted was shown.
		c.leaveFirm(firm)
		return body, err
	default:
		return body, err
	}
	c.leaveFirm(firm)
	if err := c.ensureSession(ctx, firm); err != nil {
		return nil, err
	}
	return c.send(ctx, c.SignRequest(firm, r))
}

// SignRequest puts into a request what shows that it is of this device's session in a firm (SPEC S-REQUEST-01). Where there is no session
// it is left as it is.
func (c *Client) SignRequest(firm wire.ChainID, r Request) Request {
	digest := r.Header[api.HeaderDigest]
	if digest == "" && len(r.Body) > 0 {
		digest = api.ContentDigest(sha256.Sum256(r.Body))
	}
	header := c.proofs(firm, r.Method, r.Path, digest)
	for name, value := range r.Header {
		header[name] = value
	}
	r.Header = header
	return r
}

// proofs are the headers of a request in a firm.
func (c *Client) proofs(firm wire.ChainID, method, path, digest string) map[string]string {
	c.mu.Lock()
	s := c.sessions[firm]
	c.mu.Unlock()
	if s == nil {
		return map[string]string{}
	}
	return api.SignRequest(firm, s.ID, s.Key, method, path, digest)
}

// leaveFirm forgets a session in a firm.
func (c *Client) leaveFirm(firm wire.ChainID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sessions, firm)
}

func (c *Client) getFirm(ctx context.Context, firm wire.ChainID, path string, out any) error {
	body, err := c.inFirm(ctx, firm, Request{Method: methodGet, Path: path})
	if err != nil {
		return err
	}
	return decode(body, out)
}

func (c *Client) postFirm(ctx context.Context, firm wire.ChainID, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	reply, err := c.inFirm(ctx, firm, Request{Method: method, Path: path, Body: body, ContentType: api.TypeJSON})
	if err != nil || out == nil {
		return err
	}
	return decode(reply, out)
}

const sessionLifetime = 12 * time.Hour

// ensureSession opens a session in a firm with a ticket of the account.
func (c *Client) ensureSession(ctx context.Context, firm wire.ChainID) error {
	c.mu.Lock()
	acct, open := c.account, c.sessions[firm] != nil
	c.mu.Unlock()
	if acct == nil {
		return fail(api.CodeNotSignedIn, "")
	}
	if open {
		return nil
	}
	return c.openSession(ctx, firm, nil)
}

// openSession opens a session; as a guest it shows the link's proof and its own keys.
func (c *Client) openSession(ctx context.Context, firm wire.ChainID, guest *chain.Link) error {
	author, err := c.author(firm)
	if err != nil {
		return err
	}
	newest := wire.Hash(author.Identity.Public().Fingerprint())
	var ticket api.Ticket
	if err := c.call(ctx, methodPost, api.RouteTickets, api.TicketRequest{Firm: firm}, &ticket); err != nil {
		if hasCode(err, api.CodeNotSignedIn) {
			c.SignOut(ctx)
			c.event(Event{Event: "signed-out", Failure: failureOf(err)})
		}
		return err
	}
	if author, err = certifying(author, ticket.Keys); err != nil {
		return err
	}
	s, err := chain.NewSession(author, firm, sessionLifetime)
	if err != nil {
		return err
	}
	c.secret("session key", s.Key.Seed())
	open := api.OpenSession{Ticket: ticket.Ticket, Member: author.Member, Session: s.ID, PublicKey: s.Public(), Expires: s.Expires, Certificate: s.Certificate}
	if guest != nil {
		if open.Guest, err = guestProof(author, *guest, ticket.Ticket); err != nil {
			return err
		}
	}
	var opened api.Opened
	if err := c.call(ctx, methodPost, api.Firm(firm)+"/sessions", open, &opened); err != nil {
		return err
	}
	c.mu.Lock()
	c.sessions[firm], c.lasts[firm] = s, opened
	c.behind[firm] = ticket.Keys != wire.Hash{} && ticket.Keys != newest
	c.mu.Unlock()
	return nil
}

// certifying is an author with the identity that a firm's directory has for him, which certifies his sessions there: his
// newest one, or a former one where the newest did not come there yet. Another's is nobody's.
func certifying(a chain.Author, fingerprint wire.Hash) (chain.Author, error) {
	if fingerprint.IsZero() {
		return a, nil
	}
	for _, identity := range append([]*keys.Identity{a.Identity}, a.Former...) {
		if wire.Hash(identity.Public().Fingerprint()) == fingerprint {
			a.Identity = identity
			return a, nil
		}
	}
	return a, ErrAccountKeys
}

// author is this person in a firm.
func (c *Client) author(firm wire.ChainID) (chain.Author, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account == nil {
		return chain.Author{}, fail(api.CodeNotSignedIn, "")
	}
	seat := c.account.ring.firm(firm)
	if seat == nil {
		return chain.Author{}, fail(api.CodeNotHere, "")
	}
	if err := identify(&seat.identity, c.account.root.IdentitySeed(seat.Salt), seat.Fingerprint); err != nil {
		return chain.Author{}, err
	}
	author := chain.Author{Member: seat.Member, Identity: seat.identity, Ways: c.account.ways(), Read: c.account.ring.Topics, Random: c.config.Random, Now: c.config.Now, Checkpoint: c.carried[firm]}
	for i := range seat.Former {
		f := &seat.Former[i]
		if err := identify(&f.identity, f.Seed, f.Fingerprint); err != nil {
			return chain.Author{}, err
		}
		author.Former = append(author.Former, f.identity)
	}
	return author, nil
}

// identify computes an identity, where it was not yet. Public halves are recomputed and compared with the ones that were
// enrolled (attacks 14, 16).
func identify(known **keys.Identity, seed [32]byte, fingerprint wire.Hash) error {
	if *known != nil {
		return nil
	}
	identity, err := keys.NewIdentity(seed)
	if err != nil {
		return err
	}
	if wire.Hash(identity.Public().Fingerprint()) != fingerprint {
		return ErrAccountKeys
	}
	*known = identity
	return nil
}

// twoWays is whether somebody who works in a firm may go on: who has one way to unlock, and loses it, takes what he alone can
// open with him.
func (c *Client) twoWays() error {
	a, err := c.who()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.ways() < 2 {
		return fail(api.CodeSecondWay, "")
	}
	return nil
}

// Refusal is one thing this device refused, as it is kept.
type Refusal struct {
	At    int64    `json:"at"` // milliseconds since 1970
	Code  api.Code `json:"code"`
	What  string   `json:"what"` // what was asked of the server
	Found string   `json:"found"`
	// Evidence is a file that shows others what the server did, where there is one: underseal-verify judges it.
	Evidence string `json:"evidence,omitempty"`
}

// refuse records a lie in the device's sealed journal and passes every error on.
func (c *Client) refuse(ctx context.Context, what string, err error) error {
	f := failureOf(err)
	if f == nil {
		return nil
	}
	if f.Code != api.CodeServerLied {
		return f
	}
	refusal := Refusal{At: c.config.Now().UnixMilli(), Code: f.Code, What: what, Found: f.Detail}
	var l *lie
	if errors.As(err, &l) && l.evidence != nil {
		e := *l.evidence
		e.At = c.config.Now().UTC().Truncate(time.Second)
		refusal.Evidence = string(e.Format())
	}
	c.mu.Lock()
	c.refusals = append(c.refusals, refusal)
	signedIn := c.account != nil
	c.mu.Unlock()
	if signedIn {
		// Keeping the record must not hide the lie: its own failure is joined, never returned instead.
		if keepErr := c.keepRefusals(ctx); keepErr != nil {
			f = &Failure{Code: f.Code, Detail: f.Detail, cause: errors.Join(f.cause, keepErr)}
		}
	}
	c.event(Event{Event: "lied", Failure: f, Promised: what, Shown: f.Detail, Evidence: refusal.Evidence})
	return f
}

package evilserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/client/native"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// Memory is a client.Device that ends with the test.
type Memory struct {
	mu      sync.Mutex // guards records
	records map[string][]byte
}

var _ client.Device = (*Memory)(nil)

// NewMemory is an empty device.
func NewMemory() *Memory { return &Memory{records: map[string][]byte{}} }

// Get implements client.Device.
func (m *Memory) Get(_ context.Context, name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.records[name]
	if !ok {
		return nil, client.ErrAbsent
	}
	return bytes.Clone(b), nil
}

// Put implements client.Device.
func (m *Memory) Put(_ context.Context, name string, record []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records[name] = bytes.Clone(record)
	return nil
}

// Delete implements client.Device.
func (m *Memory) Delete(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.records, name)
	return nil
}

// List implements client.Device.
func (m *Memory) List(_ context.Context, prefix string) (names []string, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.records {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names, nil
}

// Source is a file in memory.
type Source struct{ *bytes.Reader }

// NewSource makes one.
func NewSource(content []byte) *Source { return &Source{bytes.NewReader(content)} }

// Identity implements client.Source.
func (s *Source) Identity() string {
	h := sha256.New()
	_, _ = io.Copy(h, io.NewSectionReader(s, 0, s.Size())) // memory does not fail
	return hex.EncodeToString(h.Sum(nil))
}

// Unchanged is nil: nobody writes to it.
func (s *Source) Unchanged() error { return nil }

// Sink is where a download goes. What was not committed nobody was given.
type Sink struct {
	mu        sync.Mutex // guards all below
	written   []byte
	Committed bool
	Discarded bool
}

// WriteAt implements io.WriterAt.
func (s *Sink) WriteAt(b []byte, at int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if end := int(at) + len(b); end > len(s.written) {
		s.written = append(s.written, make([]byte, end-len(s.written))...)
	}
	return copy(s.written[at:], b), nil
}

// Commit implements client.Sink.
func (s *Sink) Commit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Committed = true
	return nil
}

// Discard implements client.Sink.
func (s *Sink) Discard() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written, s.Discarded = nil, true
	return nil
}

// Released is what was handed out, and whether anything was.
func (s *Sink) Released() ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written, s.Committed
}

// passphrases are stretched once for all tests: that is slow by design.
var passphrases = struct {
	sync.Mutex
	made map[string]*vault.Passphrase
}{made: map[string]*vault.Passphrase{}}

func passphrase(name string) (*vault.Passphrase, error) {
	passphrases.Lock()
	defer passphrases.Unlock()
	if p := passphrases.made[name]; p != nil {
		return p, nil
	}
	stretch, err := vault.DefaultStretch(rand.Reader)
	if err != nil {
		return nil, err
	}
	p, err := vault.StretchPassphrase([]byte("correct horse of "+name), stretch)
	if err != nil {
		return nil, err
	}
	passphrases.made[name] = &p
	return &p, nil
}

// Person is somebody honest, on one device.
type Person struct {
	*client.Client
	*World
	Called    string
	Device    client.Device
	Transport *native.Transport
	Random    io.Reader
	Now       func() time.Time // nil: the world's clock
	Firm      wire.ChainID
	App       *App // nil: there is none

	secrets *secrets
	pass    *vault.Passphrase
	account wire.ObjectID
	roots   []vault.Root // that this device keeps, oldest first
	kit     string       // as it was printed
	sinks   []*Sink
	marks   struct{ exchange, sink, refusal int }
}

// secrets are what a client tells the build that searches for leaks.
type secrets struct {
	mu   sync.Mutex // guards list
	list []Secret
}

// Secret is one of them.
type Secret struct {
	Name  string
	Value []byte
}

// Person is somebody who has no account yet.
func (w *World) Person(name string) *Person {
	w.Helper()
	pass, err := passphrase(name)
	w.ok(err)
	p := &Person{World: w, Called: name, Device: NewMemory(), Random: rand.Reader, pass: pass, secrets: &secrets{}}
	p.start()
	return p
}

// start starts the program on the person's device.
func (p *Person) start() {
	p.Helper()
	t, err := native.NewTransport(p.Origin)
	p.ok(err)
	p.Transport = t
	now := p.Now
	if now == nil {
		now = p.Clock.Now
	}
	p.Client = client.New(client.Config{Origin: p.Origin, Transport: t, Device: p.Device, Pump: native.NewPump(t, p.Random), Passwords: native.Passwords{}, Random: p.Random, Now: now, DeviceName: p.Called,
		Secret: func(name string, value []byte) {
			p.secrets.mu.Lock()
			defer p.secrets.mu.Unlock()
			p.secrets.list = append(p.secrets.list, Secret{name, bytes.Clone(value)})
			if name == "session key" {
				p.sessions.learn(value)
			}
		}})
}

// Secrets lists what the client told.
func (p *Person) Secrets() []Secret {
	p.secrets.mu.Lock()
	defer p.secrets.mu.Unlock()
	return append([]Secret(nil), p.secrets.list...)
}

func (p *Person) unlocker() client.Unlocker {
	return client.Unlocker{Passphrase: p.pass, Keep: func(account wire.ObjectID, root vault.Root) error {
		p.account, p.roots = account, []vault.Root{root}
		return nil
	}}
}

// SecondWay makes a kit, as whoever works in a firm must have before anything is wrapped to him.
func (p *Person) SecondWay() {
	p.Helper()
	kit, err := p.CreateKit()
	p.ok(err)
	p.kit = kit.Kit
	p.ok(p.TestKit(kit.Kit))
	p.ok(p.ConfirmKit(Soon(p)))
	p.Settle(Soon(p)) // now, and not at some moment of a test
}

// secondWay goes on with a join that a second way to unlock was missing for.
func (p *Person) secondWay(id wire.ChainID, err error) (wire.ChainID, error) {
	if f := client.FailureOf(err); f == nil || f.Code != api.CodeSecondWay {
		return id, err
	}
	p.SecondWay()
	return id, p.FinishJoin(Soon(p), id)
}

// Founder sets up a firm of her own.
func (w *World) Founder(name string) *Person {
	w.Helper()
	p := w.Person(name)
	link, err := w.Server.SetupLink(context.Background())
	w.ok(err)
	_, secret, _ := strings.Cut(link, "#")
	_, err = p.SetupOptions(Soon(w), secret, name, name+" LLP")
	w.ok(err)
	w.ok(p.SetupFinish(Soon(w), p.unlocker()))
	p.SecondWay()
	view, err := p.Overview(Soon(w))
	w.ok(err)
	p.Firm, err = wire.ParseHash(view.Firms[0].Firm)
	w.ok(err)
	return p
}

// SignIn signs in with what this device keeps.
func (p *Person) SignIn() error {
	p.World.anotherMinute(p.Firm)
	return p.SignInRoot(Soon(p), p.pass.LoginKey(), p.account, p.roots...)
}

// NewestRoot is the newest root that this device keeps.
func (p *Person) NewestRoot() vault.Root { return p.roots[len(p.roots)-1] }

// Kit is the newest kit that was printed.
func (p *Person) Kit() string { return p.kit }

// NewRoot replaces the root of the account, by its passphrase and a new kit.
func (p *Person) NewRoot(ctx context.Context) error {
	kit, err := p.CreateKit()
	if err != nil {
		return err
	}
	if err := p.TestKit(kit.Kit); err != nil {
		return err
	}
	p.kit = kit.Kit
	return p.RenewRoot(ctx, client.RootChange{Passphrase: p.pass, Keep: func(root vault.Root) error {
		p.roots = append(p.roots, root)
		return nil
	}})
}

// Again is the same person on the same device, after the program was started again.
func (p *Person) Again() *Person { return p.on(p.Device) }

// Elsewhere is the same person on a device that has seen nothing yet.
func (p *Person) Elsewhere() *Person { return p.on(NewMemory()) }

func (p *Person) on(d client.Device) *Person {
	p.Helper()
	q := &Person{World: p.World, Called: p.Called, Device: d, Random: p.Random, Now: p.Now, Firm: p.Firm, App: p.App, secrets: p.secrets, pass: p.pass, account: p.account, roots: p.roots, kit: p.kit}
	q.start()
	return q
}

// In signs in, which must succeed.
func (p *Person) In() *Person {
	p.Helper()
	p.ok(p.SignIn())
	return p
}

// Matter opens a new matter.
func (p *Person) NewMatter(name string) wire.ChainID {
	p.Helper()
	id, err := p.CreateMatter(Soon(p), p.Firm, name)
	p.ok(err)
	return id
}

// InviteTo makes a link.
func (p *Person) InviteTo(matter wire.ChainID, name string, role chain.Role, mode chain.InviteMode) string {
	p.Helper()
	link, _, err := p.Invite(Soon(p), matter, name, role, mode, p.Clock.Now().Add(time.Hour))
	p.ok(err)
	return link
}

// Accept makes an account with a link, or uses the one there is.
func (p *Person) Accept(link string) (wire.ChainID, error) {
	ctx := Soon(p)
	i, err := p.OpenInvite(ctx, link)
	if err != nil {
		return wire.ChainID{}, err
	}
	p.Firm = i.Link.Firm
	if p.SignedIn() {
		return p.secondWay(p.AcceptInvite(ctx))
	}
	if _, err := p.InviteOptions(ctx); err != nil {
		return wire.ChainID{}, err
	}
	return p.secondWay(p.InviteFinish(ctx, p.unlocker()))
}

// Asks makes an account with a recovery's link, or uses the one there is, and asks for the identity.
func (p *Person) Asks(ctx context.Context, link string) (client.AskingView, error) {
	v, err := p.OpenRecovery(ctx, link)
	if err != nil {
		return client.AskingView{}, err
	}
	p.Firm, err = wire.ParseHash(v.Firm)
	p.ok(err)
	if p.SignedIn() {
		return p.ClaimRecovery(ctx)
	}
	if _, err := p.RecoveryOptions(ctx); err != nil {
		return client.AskingView{}, err
	}
	return p.RecoveryFinish(ctx, p.unlocker())
}

// Guest is a new person who is invited and in at once.
func (p *Person) Guest(matter wire.ChainID, name string, role chain.Role) *Person {
	p.Helper()
	q := p.Person(name)
	_, err := q.Accept(p.InviteTo(matter, name, role, chain.ModeOpensAtOnce))
	p.ok(err)
	return q
}

// Put uploads a file and is its document.
func (p *Person) Put(matter wire.ChainID, name string, content []byte) (wire.ObjectID, error) {
	ids, err := p.Upload(Soon(p), matter, "", []client.File{{Path: name, Type: "text/plain", Source: NewSource(content), Replace: true}})
	if err != nil {
		return wire.ObjectID{}, err
	}
	v, err := p.WaitTransfer(Soon(p), ids[0])
	if err != nil {
		return wire.ObjectID{}, err
	}
	if v.Phase != client.PhaseDone {
		return wire.ObjectID{}, v.Failure
	}
	return wire.ParseObjectID(*v.Document)
}

// MustPut does it.
func (p *Person) MustPut(matter wire.ChainID, name string, content []byte) wire.ObjectID {
	p.Helper()
	doc, err := p.Put(matter, name, content)
	p.ok(err)
	return doc
}

// Get downloads the newest version, and is what was released.
func (p *Person) Get(matter wire.ChainID, doc wire.ObjectID) ([]byte, error) {
	sink := &Sink{}
	p.sinks = append(p.sinks, sink)
	id, err := p.Download(Soon(p), matter, doc, wire.ObjectID{}, sink)
	if err != nil {
		return nil, err
	}
	v, err := p.WaitTransfer(Soon(p), id)
	if err != nil {
		return nil, err
	}
	if v.Phase != client.PhaseDone {
		return nil, v.Failure
	}
	content, committed := sink.Released()
	if !committed {
		return nil, errors.New("done, and nothing was committed")
	}
	return content, nil
}

// View is a matter.
func (p *Person) View(matter wire.ChainID) client.MatterView {
	p.Helper()
	v, err := p.Client.Matter(Soon(p), matter)
	p.ok(err)
	return v
}

// Look brings a matter up to date.
func (p *Person) Look(matter wire.ChainID) error {
	_, err := p.Client.Matter(Soon(p), matter)
	return err
}

// Beware begins what Refused asserts of.
func (p *Person) Beware() *Person {
	p.World.mu.Lock()
	p.told = -1
	p.World.mu.Unlock()
	p.marks.exchange, p.marks.sink, p.marks.refusal = p.Mark(), len(p.sinks), len(p.Refusals())
	return p
}

// Stopped asserts that the client gave a typed error of one code and one cause, released nothing and sent nothing since
// Beware.
func (p *Person) Stopped(err error, code api.Code, cause error) {
	p.Helper()
	f := client.FailureOf(err)
	switch {
	case f == nil:
		p.Fatal("the client accepted it")
	case f.Code != code || (cause != nil && !errors.Is(err, cause)):
		p.Fatalf("got %s (%v), want %s (%v)", f.Code, f.Unwrap(), code, cause)
	}
	for _, s := range p.sinks[p.marks.sink:] {
		if content, committed := s.Released(); committed || len(content) > 0 {
			p.Errorf("%d bytes were released", len(content))
		}
	}
	p.World.mu.Lock()
	from := max(p.marks.exchange, p.told)
	p.World.mu.Unlock()
	for _, x := range p.Since(from) {
		if sends(x) && x.Status < 300 {
			p.Errorf("the client sent %s %s after the lie", x.Method, x.Path)
		}
	}
}

// Refused asserts the four things of a lie that was found: see the package.
func (p *Person) Refused(err error, cause error) {
	p.Helper()
	p.Stopped(err, api.CodeServerLied, cause)
	p.Recorded(cause)
}

// Recorded asserts that a refusal stands in the journal, and still does when the program was started again.
func (p *Person) Recorded(cause error) {
	p.Helper()
	recorded := func(where string, list []client.Refusal, from int) {
		p.Helper()
		if len(list) <= from || list[len(list)-1].Code != api.CodeServerLied || list[len(list)-1].Found != cause.Error() {
			p.Errorf("%s holds no refusal of it: %+v", where, list)
		}
	}
	recorded("the journal", p.Refusals(), p.marks.refusal)
	p.Honest()
	again := p.Again().In()
	recorded("the journal after the next sign-in", again.Refusals(), 0)
	if export, err := again.ExportRefusals(); err != nil || !bytes.Contains(export, []byte(cause.Error())) {
		p.Errorf("the export lacks it: %v", err)
	}
}

// Closed asserts that a matter stays closed: nothing is read from it or sealed into it after a lie.
func (p *Person) Closed(matter wire.ChainID) {
	p.Helper()
	mark := p.Mark()
	if _, err := p.Put(matter, "after.txt", []byte("after")); client.FailureOf(err) == nil || client.FailureOf(err).Code != api.CodeServerLied {
		p.Errorf("a file was taken into a matter that lied: %v", err)
	}
	if _, _, err := p.Invite(Soon(p), matter, "After", chain.RoleClient, chain.ModeOpensAtOnce, p.Clock.Now().Add(time.Hour)); err == nil {
		p.Error("somebody was invited to a matter that lied")
	}
	for _, x := range p.Since(mark) {
		if sends(x) {
			p.Errorf("the client sent %s %s", x.Method, x.Path)
		}
	}
}

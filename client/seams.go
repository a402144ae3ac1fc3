package client

import (
	"context"
	"io"
	"time"

	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/wire"
)

// Request is one request to the server. Path starts with a slash; the transport knows the server's origin.
type Request struct {
	Method      string
	Path        string
	ContentType string
	Header      map[string]string
	Body        []byte
}

// Response is its answer, whatever the status.
type Response struct {
	Status int
	Body   []byte
}

// Transport sends small requests and keeps the server's cookies. An error means that no answer came.
type Transport interface {
	Do(ctx context.Context, r Request) (Response, error)
}

// ErrAbsent is a Device's answer for a record that is not there.
var ErrAbsent = io.EOF

// Device keeps records for one person on his device. They are sealed before they get here. Put replaces, durably;
// List gives names with a prefix, sorted.
type Device interface {
	Get(ctx context.Context, name string) ([]byte, error)
	Put(ctx context.Context, name string, record []byte) error
	Delete(ctx context.Context, name string) error
	List(ctx context.Context, prefix string) ([]string, error)
}

// Source is a file to upload. What it is else is the Pump's business.
type Source interface {
	Size() int64
	// Identity tells this content from another one of the same name: size, time of change, and what else is cheap.
	Identity() string
}

// Sink is where a download goes. It shows nothing to anybody before Commit.
type Sink interface {
	// Commit is called when every byte has been verified; Discard removes what was written.
	Commit() error
	Discard() error
}

// Pump moves bodies between files and the server, so that they never pass through the rest of the program. It seals and
// opens with the keys it is given and does nothing else on its own authority.
type Pump interface {
	Send(ctx context.Context, s Send) error
	Fetch(ctx context.Context, f Fetch) error
}

// Send is the upload of one body: content, then zeros to Padded, sealed in segments, cut into chunks.
type Send struct {
	Source Source
	Length int64
	Padded int64
	Keys   *seal.Keys
	Path   func(chunk int) string
	// Header is what goes with the PUT of a chunk of that digest, Content-Digest among it: a map of its own each time.
	Header  func(chunk int, digest wire.Hash) map[string]string
	Present map[int]wire.Hash // chunks that need not be sent
	// Sealed is called with a chunk's digest before its first byte leaves; the chunk is not sent when it fails.
	Sealed func(chunk int, digest wire.Hash) error
	// Stored is called when the server has the chunk. Bytes are of the content.
	Stored func(chunk int, digest wire.Hash, bytes int64)
}

// Fetch is the download of one body. Each chunk must match its digest before it is opened, and the bytes after Length
// must be zeros.
type Fetch struct {
	Sink     Sink
	Path     string
	Header   func() map[string]string // of each GET: a map of its own each time
	Length   int64
	Padded   int64
	Keys     *seal.Keys
	Digests  []wire.Hash
	Progress func(bytes int64)
	// Renew is called when the server says that the release has run out.
	Renew func(ctx context.Context) error
}

// Passwords is the client's side of passwords (keys/opaque, and how good one is). It is large and most people never use it: a
// browser loads it when somebody does, and forgets it afterwards. name is the text of an api.LoginName. Passwords are exact
// bytes: whoever reads one from a person has normalised it (NFC, every space a plain one). An error says that it failed and
// nothing else.
type Passwords interface {
	Register(ctx context.Context, name, origin string, password []byte) (PasswordRegistration, error)
	SignIn(ctx context.Context, name, origin string, password []byte) (PasswordSignIn, error)
	// Strength judges a password; words are what a guesser knows of the person.
	Strength(ctx context.Context, password []byte, words []string) (Strength, error)
}

// PasswordRegistration is between the two messages of setting a password.
type PasswordRegistration interface {
	Message() []byte
	// Finish takes the server's answer, once. The export key is for this device alone.
	Finish(ctx context.Context, response []byte) (record, exportKey []byte, err error)
}

// PasswordSignIn is between the two messages of a sign-in.
type PasswordSignIn interface {
	Message() []byte
	// Finish takes the server's answer, once: another password, or another server, is an error.
	Finish(ctx context.Context, ke2 []byte) (ke3, exportKey []byte, err error)
}

// Strength is how good a password is: a score from 0 to 4, the decimal logarithm of how many guesses it withstands, and
// codes of what is wrong with it and what would help.
type Strength struct {
	Score       int      `json:"score"`
	Guesses     float64  `json:"guesses"`
	Warning     string   `json:"warning"`
	Suggestions []string `json:"suggestions"`
}

// Config is what a Client is made of.
type Config struct {
	Origin    string // of the server, as the person sees it
	Transport Transport
	Device    Device
	Pump      Pump
	Passwords Passwords // may be nil: then nobody uses one here
	Random    io.Reader
	Now       func() time.Time
	// DeviceName is what this device is called until its owner names it: the kind of browser and system, say.
	DeviceName string
	Events     func(Event) // may be nil; must not call back into the Client
	// Secret is told each secret as it comes to be. Only the build that searches for leaks sets it.
	Secret func(name string, value []byte)
}

// Methods of requests: net/http, which has names for them, would make the module in the browser half as large again.
const (
	methodGet    = "GET"
	methodPost   = "POST"
	methodPut    = "PUT"
	methodDelete = "DELETE"
)

// Package witness is a witness of c2sp.org/tlog-witness, made from the public libraries of transparency.dev alone: it shares
// no code with the product, so that the product's checkpoints are judged by somebody else's reading of the specifications.
//
// New makes one, AddLog tells it whom to watch, and it is an http.Handler. Set makes it misbehave.
package witness

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	f_log "github.com/transparency-dev/formats/log"
	f_note "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

// Mode is how a witness behaves.
type Mode int

// The modes. All but Honest are attacks.
const (
	Honest       Mode = iota
	Stopped           // takes the request and never answers
	Careless          // cosigns whatever is signed, without looking at what came before
	BadSignature      // spoils its signatures
	WrongOrigin       // cosigns the same tree under another log's name
	OtherSize         // cosigns another size than it was asked for
	Foreign           // answers with good cosignatures of a key that nobody knows
	Endless           // answers without end
	Restless          // says at every request that it is at another size
	Boastful          // claims to have seen more than there is
)

// Algorithms of keys (c2sp.org/signed-note).
const (
	algCosigned = 0x04
	algMLDSA44  = 0x06
)

// Witness keeps, of each log, the newest checkpoint that it cosigned.
type Witness struct {
	name  string
	ed    ed25519.PrivateKey
	mldsa *f_note.SubtreeSigner
	vkeys []string
	now   func() time.Time

	mu    sync.Mutex // guards all below: checking and keeping is one step
	mode  Mode
	asked int
	logs  map[string]*watched
}

type watched struct {
	keys   note.Verifiers
	newest f_log.Checkpoint
	signed []byte // with our cosignatures
}

var _ http.Handler = (*Witness)(nil)

// New makes a witness with a key of each algorithm.
func New(name string, now func() time.Time) (*Witness, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	skey, vkey, err := f_note.GenerateMLDSAKey(name)
	if err != nil {
		return nil, err
	}
	w := &Witness{name: name, ed: private, now: now, logs: map[string]*watched{}}
	if w.mldsa, err = f_note.NewMLDSASigner(skey); err != nil {
		return nil, err
	}
	key := append([]byte{algCosigned}, public...)
	w.vkeys = []string{fmt.Sprintf("%s+%08x+%s", name, w.edHash(), base64.StdEncoding.EncodeToString(key)), vkey}
	return w, nil
}

// edHash is the id of the Ed25519 cosigning key.
func (w *Witness) edHash() uint32 {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%c%s", w.name, algCosigned, w.ed.Public().(ed25519.PublicKey))
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// Ed25519Key is the verifier key of its Ed25519 cosignatures.
func (w *Witness) Ed25519Key() string { return w.vkeys[0] }

// MLDSA44Key is the verifier key of its ML-DSA-44 cosignatures.
func (w *Witness) MLDSA44Key() string { return w.vkeys[1] }

// AddLog makes it watch a log from its beginning.
func (w *Witness) AddLog(origin string, vkeys ...string) error {
	var all []note.Verifier
	for _, k := range vkeys {
		v, err := f_note.NewVerifier(k)
		if err != nil {
			return err
		}
		all = append(all, v)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logs[origin] = &watched{keys: note.VerifierList(all...)}
	return nil
}

// Set changes how it behaves.
func (w *Witness) Set(m Mode) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mode = m
}

// Asked is how many times it was asked to cosign.
func (w *Witness) Asked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

// Size is the size of the newest checkpoint of a log that it cosigned.
func (w *Witness) Size(origin string) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.logs[origin].newest.Size
}

// Forget makes it a witness that never saw the log.
func (w *Witness) Forget(origin string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logs[origin].newest, w.logs[origin].signed = f_log.Checkpoint{}, nil
}

// refusal is an answer that is not a cosignature.
type refusal struct {
	status int
	body   string
}

// Error implements error.
func (r *refusal) Error() string { return fmt.Sprintf("status %d: %s", r.status, r.body) }

func refuse(status int, why string) error { return &refusal{status, why + "\n"} }

const typeSize = "text/x.tlog.size"

// ServeHTTP implements http.Handler.
func (w *Witness) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/add-checkpoint":
		w.addCheckpoint(out, r)
	case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/checkpoint"):
		w.monitor(out, strings.Trim(strings.TrimSuffix(r.URL.Path, "checkpoint"), "/"))
	default:
		http.NotFound(out, r)
	}
}

// monitor serves the newest checkpoint of the log whose origin has that hash.
func (w *Witness) monitor(out http.ResponseWriter, hash string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for origin, l := range w.logs {
		if h := sha256.Sum256([]byte(origin)); hex.EncodeToString(h[:]) == hash && l.signed != nil {
			out.Write(l.signed)
			return
		}
	}
	out.WriteHeader(http.StatusNotFound)
}

func (w *Witness) addCheckpoint(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.asked++
	mode := w.mode
	w.mu.Unlock()
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		return
	}
	switch mode {
	case Stopped:
		<-r.Context().Done()
		return
	case Endless:
		for err == nil {
			_, err = out.Write(bytes.Repeat([]byte("— "), 1<<10))
		}
		return
	case Restless:
		out.Header().Set("Content-Type", typeSize)
		out.WriteHeader(http.StatusConflict)
		fmt.Fprintf(out, "%d\n", w.Asked()%2+1)
		return
	case Boastful:
		out.Header().Set("Content-Type", typeSize)
		out.WriteHeader(http.StatusConflict)
		fmt.Fprintf(out, "%d\n", 1<<40)
		return
	}
	lines, err := w.add(body, mode)
	if no := (*refusal)(nil); errors.As(err, &no) {
		if no.status == http.StatusConflict {
			out.Header().Set("Content-Type", typeSize)
		}
		out.WriteHeader(no.status)
		io.WriteString(out, no.body)
		return
	}
	if err != nil {
		out.WriteHeader(http.StatusInternalServerError)
		return
	}
	io.WriteString(out, lines)
}

// add checks a request and cosigns.
func (w *Witness) add(body []byte, mode Mode) (string, error) {
	old, path, signed, err := parseRequest(body)
	if err != nil {
		return "", refuse(http.StatusBadRequest, err.Error())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	origin, _, _ := strings.Cut(signed, "\n")
	l := w.logs[origin]
	if l == nil {
		return "", refuse(http.StatusNotFound, "unknown origin")
	}
	n, err := note.Open([]byte(signed), l.keys)
	if err != nil {
		return "", refuse(http.StatusForbidden, "signature")
	}
	var c f_log.Checkpoint
	extra, err := c.Unmarshal([]byte(n.Text))
	if err != nil || len(c.Hash) != sha256.Size || len(extra) > 0 {
		return "", refuse(http.StatusBadRequest, "checkpoint")
	}
	if mode != Careless {
		if err := check(l.newest, c, old, path); err != nil {
			return "", err
		}
	}
	l.newest = c
	lines, err := w.cosign(c, mode)
	l.signed = []byte(signed + lines)
	return lines, err
}

// check holds a checkpoint against what was cosigned before.
func check(newest, c f_log.Checkpoint, old uint64, path [][]byte) error {
	switch {
	case old > c.Size:
		return refuse(http.StatusBadRequest, "old size")
	case old != newest.Size:
		return refuse(http.StatusConflict, strconv.FormatUint(newest.Size, 10))
	case c.Size == 0 && !bytes.Equal(c.Hash, rfc6962.DefaultHasher.EmptyRoot()), old == 0 && len(path) > 0:
		return refuse(http.StatusUnprocessableEntity, "empty tree")
	case old == 0:
		return nil
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, old, c.Size, path, newest.Hash, c.Hash); err != nil {
		return refuse(http.StatusUnprocessableEntity, "consistency")
	}
	return nil
}

// parseRequest takes the one form of a request.
func parseRequest(body []byte) (old uint64, path [][]byte, signed string, err error) {
	bad := errors.New("malformed request")
	head, signed, found := strings.Cut(string(body), "\n\n")
	lines := strings.Split(head, "\n")
	size, ok := strings.CutPrefix(lines[0], "old ")
	old, err = strconv.ParseUint(size, 10, 64)
	if !found || !ok || err != nil || strconv.FormatUint(old, 10) != size || len(lines) > 64 {
		return 0, nil, "", bad
	}
	for _, line := range lines[1:] {
		h, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(h) != sha256.Size {
			return 0, nil, "", bad
		}
		path = append(path, h)
	}
	return old, path, signed, nil
}

// cosign makes the signature lines of both keys.
func (w *Witness) cosign(c f_log.Checkpoint, mode Mode) (string, error) {
	switch mode {
	case WrongOrigin:
		c.Origin = "another.example/log"
	case OtherSize:
		c.Size--
	case Foreign:
		other, err := New(w.name+"/other", w.now)
		if err != nil {
			return "", err
		}
		w = other
	}
	at := uint64(w.now().Unix())
	message := append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", at), c.Marshal()...)
	ed := append(binary.BigEndian.AppendUint64(nil, at), ed25519.Sign(w.ed, message)...)
	ml, err := w.mldsa.SignSubtree(at, c.Origin, 0, c.Size, c.Hash)
	if err != nil {
		return "", err
	}
	if mode == BadSignature {
		ed[20] ^= 1
		ml[20] ^= 1
	}
	return w.line(w.edHash(), ed) + w.line(w.mldsa.KeyHash(), ml), nil
}

func (w *Witness) line(hash uint32, sig []byte) string {
	return "— " + w.name + " " + base64.StdEncoding.EncodeToString(append(binary.BigEndian.AppendUint32(nil, hash), sig...)) + "\n"
}

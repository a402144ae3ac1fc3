package witness

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
)

const (
	maxTries  = 3        // of one witness in one pass: it may tell another size than the one that is remembered
	maxAnswer = 64 << 10 // a witness has a few keys; the longest cosignature has three kilobytes
	typeSize  = "text/x.tlog.size"
)

// ask gets a witness's cosignatures on a checkpoint.
func (p *Pusher) ask(ctx context.Context, partition string, newest ledger.Published, policy *log.Policy, s service) ([]line, error) {
	address, err := endpoint(s.url)
	if err != nil {
		return nil, err
	}
	var from uint64
	var proof []wire.Hash
	err = p.Store.View(ctx, partition, func(tx store.Tx) (err error) {
		from, proof, err = ledger.Cosigned(tx, s.url, newest.Size)
		return err
	})
	for try := 0; err == nil; try++ {
		var text string
		var conflict *conflictError
		text, err = p.post(ctx, address, request(from, proof, newest.Checkpoint))
		switch {
		case err == nil:
			return p.accept(ctx, partition, newest, policy, s, text)
		case !errors.As(err, &conflict):
			return nil, err
		case conflict.size > newest.Size:
			return nil, fmt.Errorf("%w: %d leaves, not %d", ErrAhead, conflict.size, newest.Size)
		case try == maxTries-1 || conflict.size == from:
			return nil, fmt.Errorf("%w: it cannot be asked from any size", ErrAnswer)
		}
		from = conflict.size
		err = p.Store.View(ctx, partition, func(tx store.Tx) (err error) {
			proof, err = ledger.Consistency(tx, from, newest.Size)
			return err
		})
	}
	return nil, err
}

// request is the body of add-checkpoint.
func request(old uint64, proof []wire.Hash, checkpoint []byte) []byte {
	b := fmt.Appendf(nil, "old %d\n", old)
	for _, h := range proof {
		b = append(base64.StdEncoding.AppendEncode(b, h[:]), '\n')
	}
	return append(append(b, '\n'), checkpoint...)
}

// accept verifies what a witness answered, and remembers the size.
func (p *Pusher) accept(ctx context.Context, partition string, newest ledger.Published, policy *log.Policy, s service, text string) ([]line, error) {
	if text == "" || !strings.HasSuffix(text, "\n") {
		return nil, fmt.Errorf("%w: no signature lines", ErrAnswer)
	}
	found, err := cosignatures(policy, newest.Checkpoint, text)
	if err != nil {
		return nil, err
	}
	var own []line
	now := p.now()
	for _, l := range found {
		// At this address only its own cosignatures are news.
		if !slices.Contains(s.names, l.Witness) {
			continue
		}
		if err := inTime(l, now); err != nil {
			return nil, err
		}
		own = append(own, l)
	}
	if len(own) == 0 {
		return nil, ErrCosignature
	}
	return own, p.Store.Update(ctx, partition, func(tx store.Tx) error { return ledger.PutCosigned(tx, s.url, newest.Size) })
}

// conflictError is the witness's word that it cosigned another size last.
type conflictError struct{ size uint64 }

// Error implements error.
func (e *conflictError) Error() string {
	return "the witness is at size " + strconv.FormatUint(e.size, 10)
}

// post sends one request and reads its whole answer.
func (p *Pusher) post(ctx context.Context, address string, body []byte) (string, error) {
	timeout := p.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return "", ErrURL
	}
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	reply, err := p.client().Do(r)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrAway, err)
	}
	defer reply.Body.Close()
	b, err := io.ReadAll(io.LimitReader(reply.Body, maxAnswer+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrAway, err)
	case len(b) > maxAnswer:
		return "", fmt.Errorf("%w: it is too long", ErrAnswer)
	}
	return classify(reply, string(b))
}

// classify tells the answers of the protocol apart.
func classify(reply *http.Response, body string) (string, error) {
	switch reply.StatusCode {
	case http.StatusOK:
		return body, nil
	case http.StatusConflict:
		size, err := parseSize(body)
		if err != nil || reply.Header.Get("Content-Type") != typeSize {
			return "", fmt.Errorf("%w: a conflict without its size", ErrAnswer)
		}
		return "", &conflictError{size}
	case http.StatusNotFound, http.StatusForbidden:
		return "", fmt.Errorf("%w: status %d", ErrUnknown, reply.StatusCode)
	case http.StatusUnprocessableEntity:
		return "", ErrFork
	}
	if reply.StatusCode >= 500 || reply.StatusCode == http.StatusTooManyRequests {
		return "", fmt.Errorf("%w: status %d", ErrAway, reply.StatusCode)
	}
	return "", fmt.Errorf("%w: status %d", ErrAnswer, reply.StatusCode)
}

// parseSize takes the one spelling of a size.
func parseSize(body string) (uint64, error) {
	text, ok := strings.CutSuffix(body, "\n")
	size, err := strconv.ParseUint(text, 10, 64)
	if !ok || err != nil || strconv.FormatUint(size, 10) != text {
		return 0, ErrAnswer
	}
	return size, nil
}

// client follows no redirect: a checkpoint goes where the policy says.
func (p *Pusher) client() *http.Client {
	c := http.Client{}
	if p.Client != nil {
		c = *p.Client
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

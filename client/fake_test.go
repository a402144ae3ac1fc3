package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
)

// answerer is a Transport that answers by itself.
type answerer func(r Request) (Response, error)

func (a answerer) Do(_ context.Context, r Request) (Response, error) { return a(r) }

func answer(status int, v any) (Response, error) {
	b, err := json.Marshal(v)
	return Response{Status: status, Body: b}, err
}

func refusal(code api.Code) (Response, error) { return answer(409, api.Error{Code: code}) }

// shelf is a Device in memory.
type shelf struct {
	mu      sync.Mutex // guards records
	records map[string][]byte
}

func newShelf() *shelf { return &shelf{records: map[string][]byte{}} }

func (s *shelf) Get(_ context.Context, name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.records[name]; ok {
		return bytes.Clone(b), nil
	}
	return nil, ErrAbsent
}

func (s *shelf) Put(_ context.Context, name string, record []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[name] = bytes.Clone(record)
	return nil
}

func (s *shelf) Delete(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, name)
	return nil
}

func (s *shelf) List(_ context.Context, prefix string) (names []string, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.records {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func testRoot(t *testing.T) vault.Root {
	t.Helper()
	root, err := vault.GenerateRoot(rand.Reader)
	must(t, err)
	return root
}

// signedIn is a client with an account and nothing else.
func signedIn(t *testing.T, transport Transport, d Device, id wire.ObjectID, root vault.Root) *Client {
	t.Helper()
	c := New(Config{Origin: "http://localhost", Transport: transport, Device: d, Random: rand.Reader, Now: time.Now})
	c.account = &account{id: id, root: root, revision: 1}
	return c
}

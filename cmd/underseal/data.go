package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/underseal/underseal/server/auth"
	"github.com/underseal/underseal/server/blob"
	"github.com/underseal/underseal/server/blob/dirblob"
	"github.com/underseal/underseal/server/ledger"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/boltstore"
)

// errInUse says that a server runs on the data.
var errInUse = errors.New("a server is running on this data folder: stop it first")

// data is an open data folder: store/, blobs/, log.key, sign-in.key, last-signed/ and, where a firm has an identity provider, oidc.key.
type data struct {
	store *boltstore.Store
	blobs *dirblob.Store
	log   *ledger.Log
	key   *signInKey
	guard *guardFolder

	providers *providerFile
}

// openData opens a data folder. An empty lastSigned is the folder of that name in it.
func openData(folder, lastSigned string) (*data, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	guard := &guardFolder{path: or(lastSigned, filepath.Join(folder, "last-signed"))}
	l := ledger.NewLog(&keyFile{path: filepath.Join(folder, "log.key")}, guard)
	s, err := boltstore.Open(boltstore.Config{Folder: filepath.Join(folder, "store"), Hook: l.Integrate})
	if errors.Is(err, store.ErrLocked) {
		return nil, errInUse
	}
	if err != nil {
		return nil, err
	}
	b, err := dirblob.Open(filepath.Join(folder, "blobs"))
	if errors.Is(err, blob.ErrLocked) {
		err = errInUse
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &data{store: s, blobs: b, log: l, key: &signInKey{path: filepath.Join(folder, "sign-in.key")}, guard: guard,
		providers: &providerFile{path: filepath.Join(folder, "oidc.key")}}, nil
}

func (d *data) Close() error { return errors.Join(d.blobs.Close(), d.store.Close(), d.guard.Close()) }

// keyFile keeps the seeds of logs in one file that only its owner reads. It stands beside the store and not in it, so
// that a copy of the store signs nothing.
type keyFile struct {
	path string
	mu   sync.Mutex // guards the file
}

var _ ledger.LogKeys = (*keyFile)(nil)

// read reads the file. k.mu is held.
func (k *keyFile) read() (map[string]ledger.LogSeeds, error) {
	all := map[string]ledger.LogSeeds{}
	b, err := os.ReadFile(k.path)
	if errors.Is(err, os.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading log.key: %w", err)
	}
	if json.Unmarshal(b, &all) != nil || all == nil {
		return nil, errors.New("log.key is damaged: put back the one that belongs to this data folder")
	}
	return all, nil
}

// Seeds implements ledger.LogKeys.
func (k *keyFile) Seeds(_ context.Context, name string) (ledger.LogSeeds, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	all, err := k.read()
	if err != nil {
		return ledger.LogSeeds{}, err
	}
	s, ok := all[name]
	if !ok {
		return s, ledger.ErrNoSeeds
	}
	return s, nil
}

// Make implements ledger.LogKeys.
func (k *keyFile) Make(_ context.Context, name string) (ledger.LogSeeds, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	all, err := k.read()
	if err != nil {
		return ledger.LogSeeds{}, err
	}
	if s, ok := all[name]; ok {
		return s, nil
	}
	s, err := ledger.NewLogSeeds(rand.Reader)
	if err != nil {
		return ledger.LogSeeds{}, err
	}
	all[name] = s
	b, err := json.Marshal(all)
	if err != nil {
		return ledger.LogSeeds{}, err
	}
	return s, replaceFile(k.path, b)
}

// replaceFile puts a file in place whole and durably.
func replaceFile(path string, b []byte) error {
	if err := putFile(path, b); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	return nil
}

func putFile(path string, b []byte) (err error) {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// signInKey keeps the key of passwords in a file of its own, for the reason that keyFile does: a copy of the store tests no
// password and makes no code.
type signInKey struct {
	path string
	mu   sync.Mutex // guards the file
}

var _ auth.Keys = (*signInKey)(nil)

// Key implements auth.Keys.
func (k *signInKey) Key(context.Context) (auth.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.read()
}

// read reads the file. k.mu is held.
func (k *signInKey) read() (auth.Key, error) {
	b, err := os.ReadFile(k.path)
	if errors.Is(err, os.ErrNotExist) {
		return auth.Key{}, auth.ErrNoKey
	}
	if err != nil {
		return auth.Key{}, fmt.Errorf("reading sign-in.key: %w", err)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(key) != len(auth.Key{}) {
		return auth.Key{}, errors.New("sign-in.key is damaged: put back the one that belongs to this data folder")
	}
	return auth.Key(key), nil
}

// Make implements auth.Keys.
func (k *signInKey) Make(context.Context) (auth.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, err := k.read()
	if !errors.Is(err, auth.ErrNoKey) {
		return key, err
	}
	if _, err := io.ReadFull(rand.Reader, key[:]); err != nil {
		return auth.Key{}, err
	}
	return key, replaceFile(k.path, []byte(base64.StdEncoding.EncodeToString(key[:])+"\n"))
}

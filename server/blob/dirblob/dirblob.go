// Package dirblob keeps ciphertext in a folder: <firm>/<upload>/<number>, each
// file an object's bytes and then the 32 bytes of their SHA-256. The digest
// travels inside the file, so that one link puts both in place or neither.
//
// An object is written to a file in tmp/, synced, and linked to its name, which
// fails if the name is taken. What a crash leaves is in tmp/, and is removed
// when the folder is opened next.
package dirblob

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"

	"github.com/underseal/underseal/server/blob"
)

const (
	temporary = "tmp"
	lockName  = "lock"
)

// Store implements blob.Store.
type Store struct {
	root string
	lock *os.File

	// folders is held for writing while a folder is made and made durable, so
	// that whoever finds one there knows it will stay.
	folders sync.RWMutex
}

var _ blob.Store = (*Store)(nil)

// Open opens or makes the store in the folder root. One process may have it
// open: another gets blob.ErrLocked.
func Open(root string) (*Store, error) {
	s := &Store{root: root}
	if err := os.MkdirAll(filepath.Join(root, temporary), 0o700); err != nil {
		return nil, fmt.Errorf("dirblob: making the folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(root, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("dirblob: opening the lock: %w", err)
	}
	s.lock = lock
	if err := errors.Join(lockFile(lock)); err != nil {
		return nil, fmt.Errorf("dirblob: locking the folder: %w", errors.Join(err, lock.Close()))
	}
	if err := s.settle(); err != nil {
		return nil, errors.Join(fmt.Errorf("dirblob: tidying up: %w", err), lock.Close())
	}
	return s, nil
}

// settle removes what a crash left in tmp/, and makes the folders durable that
// it may have left unsynced.
func (s *Store) settle() error {
	leftovers, err := os.ReadDir(filepath.Join(s.root, temporary))
	if err != nil {
		return err
	}
	for _, leftover := range leftovers {
		if err := os.Remove(filepath.Join(s.root, temporary, leftover.Name())); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(s.root)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := syncFolder(filepath.Join(s.root, entry.Name())); err != nil {
				return err
			}
		}
	}
	return errors.Join(syncFolder(s.root), syncFolder(filepath.Dir(filepath.Clean(s.root))))
}

// Close implements blob.Store.
func (s *Store) Close() error { return s.lock.Close() }

func (s *Store) folder(key blob.Key) string { return filepath.Join(s.root, key.Firm, key.Upload) }

func (s *Store) path(key blob.Key) string {
	return filepath.Join(s.folder(key), strconv.FormatUint(uint64(key.Number), 10))
}

func check(ctx context.Context, key blob.Key) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return key.Check()
}

// Put implements blob.Store.
func (s *Store) Put(ctx context.Context, key blob.Key, size int64, digest [32]byte, r io.Reader) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	found, err := s.Stat(ctx, key)
	if err == nil {
		return s.same(key, found, size, digest)
	}
	if !errors.Is(err, blob.ErrNotFound) {
		return err
	}
	file, err := os.CreateTemp(filepath.Join(s.root, temporary), "put-")
	if err != nil {
		return classify("making a file", err)
	}
	defer os.Remove(file.Name()) // its other name, if it got one, stays
	if err := errors.Join(write(ctx, file, r, size, digest), file.Close()); err != nil {
		return classify("writing a file", err)
	}
	return s.link(ctx, file.Name(), key, size, digest)
}

// same answers for a key that is taken. The folder is synced, because whoever
// put the object there may not have got to it yet.
func (s *Store) same(key blob.Key, found blob.Info, size int64, digest [32]byte) error {
	if err := blob.Same(found, size, digest); err != nil {
		return err
	}
	return classify("syncing a folder", syncFolder(s.folder(key)))
}

func write(ctx context.Context, file *os.File, r io.Reader, size int64, digest [32]byte) error {
	if err := blob.Copy(ctx, file, r, size, digest); err != nil {
		return err
	}
	if _, err := file.Write(digest[:]); err != nil {
		return err
	}
	return file.Sync()
}

// link gives the file its name unless that is taken. A DeleteUpload may take
// the folder away in between; then it is made again.
func (s *Store) link(ctx context.Context, file string, key blob.Key, size int64, digest [32]byte) error {
	for range 10 {
		if err := s.makeFolder(key); err != nil {
			return classify("making a folder", err)
		}
		err := os.Link(file, s.path(key))
		if err == nil {
			err = syncFolder(s.folder(key))
		}
		if errors.Is(err, os.ErrExist) {
			var found blob.Info
			if found, err = s.Stat(ctx, key); err == nil {
				return s.same(key, found, size, digest)
			}
		}
		if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, blob.ErrNotFound) {
			return classify("naming a file", err)
		}
	}
	return errors.New("dirblob: the upload is being deleted")
}

// makeFolder makes the folder of an upload, durably.
func (s *Store) makeFolder(key blob.Key) error {
	s.folders.RLock()
	_, err := os.Stat(s.folder(key))
	s.folders.RUnlock()
	if err == nil {
		return nil
	}
	s.folders.Lock()
	defer s.folders.Unlock()
	if err := os.MkdirAll(s.folder(key), 0o700); err != nil {
		return err
	}
	return errors.Join(syncFolder(filepath.Dir(s.folder(key))), syncFolder(s.root))
}

// Get implements blob.Store.
func (s *Store) Get(ctx context.Context, key blob.Key, offset, length int64) (io.ReadCloser, error) {
	file, size, err := s.open(ctx, key)
	if err != nil {
		return nil, err
	}
	length, err = blob.CheckRange(size, offset, length)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return section{io.NewSectionReader(file, offset, length), file}, nil
}

// section is a part of a file that closes the file.
type section struct {
	io.Reader
	io.Closer
}

// open opens an object and tells its size, without the digest behind it.
func (s *Store) open(ctx context.Context, key blob.Key) (*os.File, int64, error) {
	if err := check(ctx, key); err != nil {
		return nil, 0, err
	}
	file, err := os.Open(s.path(key))
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0, blob.ErrNotFound
	}
	if err != nil {
		return nil, 0, classify("opening a file", err)
	}
	stat, err := file.Stat()
	if err == nil && (!stat.Mode().IsRegular() || stat.Size() < sha256.Size) {
		err = blob.ErrDamaged
	}
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, stat.Size() - sha256.Size, nil
}

// Stat implements blob.Store.
func (s *Store) Stat(ctx context.Context, key blob.Key) (blob.Info, error) {
	file, size, err := s.open(ctx, key)
	if err != nil {
		return blob.Info{}, err
	}
	defer file.Close()
	info := blob.Info{Size: size}
	if _, err := file.ReadAt(info.Digest[:], size); err != nil {
		return blob.Info{}, classify("reading a digest", err)
	}
	return info, nil
}

// Delete implements blob.Store.
func (s *Store) Delete(ctx context.Context, key blob.Key) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	err := os.Remove(s.path(key))
	if err == nil {
		err = syncFolder(s.folder(key))
	}
	return classify("deleting a file", absentIsFine(err))
}

// List implements blob.Store.
func (s *Store) List(ctx context.Context, firm, upload string) ([]uint32, error) {
	key := blob.Key{Firm: firm, Upload: upload}
	if err := check(ctx, key); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(s.folder(key))
	if err := absentIsFine(err); err != nil {
		return nil, classify("listing a folder", err)
	}
	var numbers []uint32
	for _, entry := range entries {
		number, err := strconv.ParseUint(entry.Name(), 10, 32)
		if err == nil {
			numbers = append(numbers, uint32(number))
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// Uploads implements blob.Store.
func (s *Store) Uploads(ctx context.Context, firm, after string, limit int) ([]string, error) {
	if err := errors.Join(ctx.Err(), blob.CheckFirm(firm)); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(s.root, firm))
	if err := absentIsFine(err); err != nil {
		return nil, classify("listing a folder", err)
	}
	var uploads []string
	for _, entry := range entries { // ReadDir sorts
		if limit > 0 && len(uploads) == limit {
			break
		}
		if entry.Name() > after && blob.CheckUpload(entry.Name()) == nil {
			uploads = append(uploads, entry.Name())
		}
	}
	return uploads, nil
}

// DeleteUpload implements blob.Store.
func (s *Store) DeleteUpload(ctx context.Context, firm, upload string) error {
	key := blob.Key{Firm: firm, Upload: upload}
	if err := check(ctx, key); err != nil {
		return err
	}
	if err := os.RemoveAll(s.folder(key)); err != nil {
		return classify("deleting a folder", err)
	}
	return classify("syncing a folder", absentIsFine(syncFolder(filepath.Dir(s.folder(key)))))
}

func absentIsFine(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// classify names what was being done, and a full disk. The path, which says
// where the server keeps its data, is left out.
func classify(doing string, err error) error {
	var path *os.PathError
	var link *os.LinkError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return fmt.Errorf("dirblob: %s: %w", doing, blob.ErrNoSpace)
	case errors.As(err, &path):
		return fmt.Errorf("dirblob: %s: %w", doing, path.Err)
	case errors.As(err, &link):
		return fmt.Errorf("dirblob: %s: %w", doing, link.Err)
	}
	return fmt.Errorf("dirblob: %s: %w", doing, err)
}

// syncFolder makes names in a folder durable.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

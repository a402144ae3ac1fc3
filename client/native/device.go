//go:build !js

package native

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"

	"github.com/underseal/underseal/client"
)

// Device is a folder with a file for each record. It is safe for concurrent use, also by several processes: a record is
// replaced whole or not at all.
type Device struct{ folder string }

var _ client.Device = (*Device)(nil)

// OpenDevice makes the folder, for its owner alone, where it is not there.
func OpenDevice(folder string) (*Device, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("opening the records of this device: %w", err)
	}
	return &Device{folder}, nil
}

const (
	recordSuffix = ".record"
	maxFileName  = 240
)

var errRecordName = errors.New("a record's name must have 1 to about 200 characters")

// fileName is a record's name as a file's: what is not a small letter, a digit or a dash is spelled in hexadecimal, so that
// no name leaves the folder and no file system folds two into one.
func fileName(record string) (string, error) {
	encoded := encodeName(record)
	if record == "" || len(encoded) > maxFileName {
		return "", errRecordName
	}
	return encoded + recordSuffix, nil
}

func encodeName(record string) string {
	var b strings.Builder
	for i := range len(record) {
		if c := record[i]; c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return b.String()
}

// recordName is the inverse of fileName; other files in the folder are no records.
func recordName(file string) (string, bool) {
	encoded, ok := strings.CutSuffix(file, recordSuffix)
	if !ok {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(encoded); i++ {
		if encoded[i] != '_' {
			b.WriteByte(encoded[i])
			continue
		}
		var c byte
		if i+2 >= len(encoded) {
			return "", false
		}
		if _, err := fmt.Sscanf(encoded[i+1:i+3], "%02x", &c); err != nil {
			return "", false
		}
		b.WriteByte(c)
		i += 2
	}
	name := b.String()
	return name, encodeName(name) == encoded
}

func (d *Device) path(record string) (string, error) {
	name, err := fileName(record)
	return filepath.Join(d.folder, name), err
}

// Get implements client.Device.
func (d *Device) Get(_ context.Context, name string) ([]byte, error) {
	path, err := d.path(name)
	if err != nil {
		return nil, err
	}
	record, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, client.ErrAbsent
	}
	return record, err
}

// Put implements client.Device: when it returns, the record survives a loss of power.
func (d *Device) Put(_ context.Context, name string, record []byte) error {
	path, err := d.path(name)
	if err != nil {
		return err
	}
	return WriteFile(path, record)
}

// Delete implements client.Device. What is not there is deleted.
func (d *Device) Delete(_ context.Context, name string) error {
	path, err := d.path(name)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncFolder(d.folder)
}

// List implements client.Device.
func (d *Device) List(_ context.Context, prefix string) ([]string, error) {
	files, err := os.ReadDir(d.folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files {
		if name, ok := recordName(f.Name()); ok && strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names, nil
}

// WriteFile replaces a file, whole and durably, readable by its owner alone.
func WriteFile(path string, content []byte) (err error) {
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // a second Close is an error of no interest
			_ = os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(folder)
}

// syncFolder makes a new name durable. Windows has no such call, and needs none.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

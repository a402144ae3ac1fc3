package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
)

// bench is what the drivers of the tests ask of a test, outside of one: the browser and the server are then started,
// stopped and reported on by the same code.
type bench struct {
	testing.TB // for the methods that nobody here calls

	name     string
	cleanups []func()
	err      error
}

// alone runs one part and everything it left to clean up. A part that cannot go on ends by itself and not the others.
func alone(name string, part func(*bench) []table) (tables []table, err error) {
	b := &bench{name: name}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer b.cleanUp()
		tables = part(b)
	}()
	<-done
	return tables, b.err
}

func (b *bench) cleanUp() {
	for _, f := range slices.Backward(b.cleanups) {
		f()
	}
}

// Helper implements testing.TB.
func (b *bench) Helper() {}

// Name implements testing.TB.
func (b *bench) Name() string { return b.name }

// Cleanup implements testing.TB.
func (b *bench) Cleanup(f func()) { b.cleanups = append(b.cleanups, f) }

// TempDir implements testing.TB.
func (b *bench) TempDir() string {
	dir, err := os.MkdirTemp("", "underseal-bench-")
	b.must(err)
	b.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	})
	return dir
}

// Error implements testing.TB.
func (b *bench) Error(args ...any) { b.err = errors.Join(b.err, errors.New(fmt.Sprint(args...))) }

// Errorf implements testing.TB.
func (b *bench) Errorf(format string, args ...any) {
	b.err = errors.Join(b.err, fmt.Errorf(format, args...))
}

// Fatal implements testing.TB.
func (b *bench) Fatal(args ...any) {
	b.Error(args...)
	runtime.Goexit()
}

// Fatalf implements testing.TB.
func (b *bench) Fatalf(format string, args ...any) {
	b.Errorf(format, args...)
	runtime.Goexit()
}

func (b *bench) must(err error) {
	if err != nil {
		b.Fatal(err)
	}
}

// progress tells whoever waits what is being measured.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, b.name+": "+format+"\n", args...)
}

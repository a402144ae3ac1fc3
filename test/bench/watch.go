package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// arguments are values as a JavaScript array.
func arguments(values ...any) string {
	text, err := json.Marshal(values)
	if err != nil {
		panic(err) // strings and numbers
	}
	return string(text)
}

// usage is anonymous memory in MiB: the page's renderer, the server, and whatever else Chromium runs.
type usage struct{ renderer, server, others int }

// watcher samples memory until it is stopped.
type watcher struct {
	browser, server int
	renderer        int
	first           usage
	stopped, ended  chan struct{}

	mu   sync.Mutex // guards peak
	peak usage
}

const sampleEvery = 50 * time.Millisecond

func watch(b *bench, browser, server int) *watcher {
	w := &watcher{browser: browser, server: server, stopped: make(chan struct{}), ended: make(chan struct{})}
	// Chromium keeps a spare renderer: the page's is the larger one.
	most := -1
	for _, pid := range descendants(browser) {
		if m := rssAnon(pid); isRenderer(pid) && m > most {
			w.renderer, most = pid, m
		}
	}
	if w.renderer == 0 {
		b.Fatal("the browser has no renderer")
	}
	w.first = w.sample()
	w.peak = w.first
	go func() {
		defer close(w.ended)
		for {
			select {
			case <-w.stopped:
				return
			case <-time.After(sampleEvery):
			}
			now := w.sample()
			w.mu.Lock()
			w.peak = usage{max(w.peak.renderer, now.renderer), max(w.peak.server, now.server), max(w.peak.others, now.others)}
			w.mu.Unlock()
		}
	}()
	return w
}

func (w *watcher) stop() { close(w.stopped); <-w.ended }

// growth is the peak so far over the first sample.
func (w *watcher) growth() usage {
	w.mu.Lock()
	defer w.mu.Unlock()
	return usage{w.peak.renderer - w.first.renderer, w.peak.server - w.first.server, w.peak.others - w.first.others}
}

func (w *watcher) sample() usage {
	u := usage{renderer: rssAnon(w.renderer), server: rssAnon(w.server)}
	for _, pid := range append(descendants(w.browser), w.browser) {
		if pid != w.renderer {
			u.others += rssAnon(pid)
		}
	}
	return u
}

// rssAnon is a process's anonymous resident memory in MiB; of one that has ended, nought.
func rssAnon(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kib, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			return kib >> 10
		}
	}
	return 0
}

func isRenderer(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && strings.Contains(string(line), "--type=renderer")
}

// descendants are the processes below one.
func descendants(root int) []int {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	children := map[int][]int{}
	for _, file := range stats {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// The name stands in brackets and may hold anything: what follows the last one is state and parent.
		_, rest, _ := strings.Cut(string(raw[max(0, strings.LastIndexByte(string(raw), ')')):]), ") ")
		fields := strings.Fields(rest)
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil || len(fields) < 2 {
			continue
		}
		parent, err := strconv.Atoi(fields[1])
		if err == nil {
			children[parent] = append(children[parent], pid)
		}
	}
	var all []int
	for next := []int{root}; len(next) > 0; next = next[1:] {
		all = append(all, children[next[0]]...)
		next = append(next, children[next[0]]...)
	}
	return all
}

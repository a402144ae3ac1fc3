// Command demotamper shows what becomes of an operator who changes his server's database by hand. It runs the real server on
// loopback with a law firm in it, keeps what an auditor would keep, and then plays the operator who changes things in five ways. It ends
// with an error if any of it goes unnoticed.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	s := &stage{}
	missed, err := s.play()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "demotamper:", err)
		os.Exit(2)
	case missed > 0:
		fmt.Printf("\n%d CHECKS NOTICED NOTHING.\n", missed)
		os.Exit(1)
	}
	fmt.Println("\nEverything was noticed, and but for the server's own refusal by people who had no access to it. What nobody could notice is an\nentry that is dropped from the end before anybody was shown it: so clients keep receipts, and firms have witnesses.")
}

// act is one thing that the operator does, and who notices.
type act struct {
	title  string
	story  string
	do     func(*stage, *operator)
	checks []check
}

// check is somebody who looks. It returns what he says, and whether he noticed.
type check struct {
	who  string
	look func(*stage) (says string, noticed bool)
}

func acts() []act {
	return []act{
		{
			"The operator rewrites an entry", "He changes one byte in the sealed record of what happened in the matter, and leaves the rest.",
			func(s *stage, o *operator) { o.rewriteEntry(s.matter, 1) },
			[]check{{"Ada, on a new device", (*stage).newDevice}},
		},
		{
			"The operator changes a leaf of the log", "He puts another hash in the place of the newest entry's.",
			func(s *stage, o *operator) { o.changeLeaf(o.newestIndex(s.matter)) },
			[]check{{"the auditor, with underseal-verify log", (*stage).auditLog}, {"Ada, who verifies the matter", (*stage).verifyMatter}},
		},
		{
			"The operator writes the whole log anew",
			"He takes an entry out of the middle, makes the tree and the map over what is left, signs all of it with the log's own keys,\n   and deletes the file that remembers what was signed. The new log has no flaw in itself.",
			func(s *stage, o *operator) { o.replaceLeaf(o.entryIndex(s.matter, 1)); o.forget() },
			[]check{
				{"the auditor, with the checkpoint he kept", (*stage).auditSince},
				{"a court, with the file that the auditor wrote", (*stage).court},
				{"a reviewer, with the matter's link keys alone", (*stage).review},
				{"Ada's client, with her receipt", (*stage).receipt},
				{"Ada, on the device that she had", (*stage).verifyMatter},
			},
		},
		{
			"The operator puts yesterday's database back", "What happened today is to have never happened.",
			func(s *stage, o *operator) { o.close(); s.putBack() },
			[]check{{"the server itself", (*stage).refusesToStart}},
		},
		{
			"The same, and he deletes the file that remembers what was signed", "Now the server starts, and serves yesterday's log: well signed, and shorter.",
			func(s *stage, o *operator) { o.close(); s.putBack(); o.forget() },
			[]check{
				{"the auditor, with the checkpoint he kept", (*stage).auditSince},
				{"Ada's client, with her receipt", (*stage).receipt},
				{"Ada, on the device that she had", (*stage).verifyMatter},
			},
		},
		{
			"The operator denies an entry", "He takes its key out of the map, and signs on from there: the log only grows.",
			func(s *stage, o *operator) { o.deny(o.newestIndex(s.matter)) },
			[]check{{"the auditor, with underseal-verify log", (*stage).auditLog}, {"Ada, who verifies the matter", (*stage).verifyMatter}},
		},
	}
}

func (s *stage) play() (missed int, err error) {
	defer s.cleanUp()
	defer func() {
		if f := recover(); f != nil {
			stopped, ok := f.(failure)
			if !ok {
				panic(f)
			}
			err = stopped.err
		}
	}()
	fmt.Print("A law firm works on an Underseal server. Nobody has tampered with anything.\n\n")
	s.prepare()
	for _, c := range []check{{"underseal-verify log", (*stage).auditSince}, {"underseal-verify matter", (*stage).review}, {"underseal-verify receipt", (*stage).receipt}, {"Ada, on the device that she had", (*stage).verifyMatter}, {"Ada, on a new device", (*stage).newDevice}} {
		says, noticed := c.look(s)
		if noticed {
			return 0, fmt.Errorf("%s accuses an honest server: %s", c.who, says)
		}
		fmt.Printf("   fine    %s\n           %s\n", c.who, says)
	}
	for i, a := range acts() {
		fmt.Printf("\n%d. %s.\n   %s\n", i+1, a.title, a.story)
		s.restore()
		o := s.openStore()
		a.do(s, o)
		o.close()
		if a.checks[0].who != "the server itself" {
			s.server.Run()
		}
		for _, c := range a.checks {
			says, noticed := c.look(s)
			word := "caught "
			if !noticed {
				word = "MISSED "
				missed++
			}
			fmt.Printf("   %s by %s:\n           %s\n", word, c.who, strings.ReplaceAll(says, "\n", "\n           "))
		}
	}
	return missed, nil
}

func (s *stage) path(name string) string { return filepath.Join(s.folder, name) }

// Scorecard runs the cases and prints one line for each of the 88 attacks: refused, detected, failed, or not yet. It exits
// with 1 where a case that is due does not pass. Run it in the test module: go run ./evilserver/scorecard
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/underseal/underseal/test/evilserver"
)

func main() {
	if err := run(os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// event is one line of go test -json.
type event struct{ Action, Test, Output string }

func run(stdout, stderr io.Writer) error {
	cmd := exec.Command("go", "test", "-json", "-count=1", "-run", "^TestAttack$", "./evilserver")
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	results, log, readErr := read(out)
	testErr := cmd.Wait()
	if readErr != nil {
		return readErr
	}
	missed := print(stdout, results)
	if missed > 0 || testErr != nil {
		fmt.Fprint(stderr, log)
		return fmt.Errorf("%d cases that are due do not pass (go test: %v)", missed, testErr)
	}
	return nil
}

// read collects how each numbered case ended, and what failing ones said. One failure fails a number.
func read(out io.Reader) (results map[int]string, log string, err error) {
	results = map[int]string{}
	said := map[string]*strings.Builder{}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		if said[e.Test] == nil {
			said[e.Test] = &strings.Builder{}
		}
		said[e.Test].WriteString(e.Output)
		if e.Action == "fail" {
			log += said[e.Test].String()
		}
		name, isCase := strings.CutPrefix(e.Test, "TestAttack/")
		number, _, _ := strings.Cut(name, "-")
		n, atoiErr := strconv.Atoi(number)
		if !isCase || atoiErr != nil || (e.Action != "pass" && e.Action != "fail" && e.Action != "skip") {
			continue
		}
		if results[n] != "fail" {
			results[n] = e.Action
		}
	}
	return results, log, lines.Err()
}

// print writes the card and is how many due cases do not pass.
func print(w io.Writer, results map[int]string) (missed int) {
	totals := map[string]int{}
	for _, a := range evilserver.Attacks {
		word := "not yet"
		switch {
		case results[a.Number] == "pass" && a.Detected:
			word = "detected"
		case results[a.Number] == "pass":
			word = "refused"
		case results[a.Number] != "" || a.Due:
			word = "FAILED"
			missed++
		}
		totals[word]++
		fmt.Fprintf(w, "%2d  %-8s  %s\n", a.Number, word, a.Title)
	}
	fmt.Fprintf(w, "\n%d refused, %d detected, %d not yet, %d failed, of %d\n", totals["refused"], totals["detected"], totals["not yet"], totals["FAILED"], len(evilserver.Attacks))
	return missed
}

package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/chain"
)

// TestMemberOffice: an owner of the firm sees everybody, acts for reasons, and gets the record of who read what. Nobody else does.
func TestMemberOffice(t *testing.T) {
	w := newWorld(t)
	owner, bob, twin := w.person(), w.person(), w.person()
	owner.want(exitFine, "join", w.firmLinkFor("Olga Owner", chain.RoleOwner))
	bob.want(exitFine, "join", w.firmLinkFor("Bob Barrister", chain.RoleParalegal))
	carl := w.person()
	carl.want(exitFine, "join", w.link(chain.RoleClient, chain.ModeOpensAtOnce)) // of a matter that Olga is not in

	bob.has(bob.want(exitFine, "read"), "recovery kit", "With --acknowledge")
	if r := bob.want(exitFine, "read", "--acknowledge"); strings.Count(r.stdout, "you have read this") != len(lessons) || r.stderr != "" {
		t.Errorf("%q %q", r.stdout, r.stderr)
	}
	table := filepath.Join(t.TempDir(), "training.csv")
	r := owner.want(exitFine, "people", "Firm & Partners", "--csv", table)
	owner.has(r, "Olga Owner (you)", "(in no matter of yours)", "    paralegal in the firm itself\n    says: 2 ways to unlock; read passkey, kit, invitations, who-sees-what\n    the server says: kit, passphrase; last signed in", "Who read what is in")
	owner.has(owner.want(exitError, "people", "Firm & Partners", "--csv", table), "There is a file")
	b, err := os.ReadFile(table)
	w.must(err)
	lines, err := csv.NewReader(strings.NewReader(string(b))).ReadAll()
	w.must(err)
	if read := slices.IndexFunc(lines, func(line []string) bool { return line[0] == "Bob Barrister" && line[3] == "kit" && line[4] != "" }); read < 0 {
		t.Errorf("%s", b)
	}

	owner.has(owner.want(exitFine, "unlock", "Firm & Partners", "Bob Barrister", "--reason", "He telephoned"), "The failed sign-ins of Bob Barrister are forgiven")
	owner.has(owner.want(exitFine, "sign-out", "Firm & Partners", "Bob Barrister", "--reason", "He lost his laptop"), "Bob Barrister was signed out")
	bob.want(exitFine, "ls") // and signs in again
	owner.has(owner.want(exitError, "unlock", "Firm & Partners", "Nobody", "--reason", "r"), "Nobody in this firm is called “Nobody”")
	owner.has(owner.want(exitError, "unlock", "Firm & Partners", "", "--reason", "r"), "Nobody in this firm")
	twin.want(exitFine, "join", w.firmLinkFor("Bob Barrister", chain.RoleParalegal))
	owner.has(owner.want(exitError, "unlock", "Firm & Partners", "Bob Barrister", "--reason", "r"), "Several people are called “Bob Barrister”")
	v := parsed[client.OfficeView](owner, owner.want(exitFine, "people", "Firm & Partners", "--json").stdout)
	for _, p := range v.People {
		if p.Name == "Bob Barrister" {
			owner.want(exitFine, "unlock", "Firm & Partners", p.Member[:8], "--reason", "r")
		}
	}
	for _, args := range [][]string{{"people", "Firm & Partners"}, {"unlock", "Firm & Partners", "Olga Owner", "--reason", "r"}, {"sign-out", "Firm & Partners", "Olga Owner", "--reason", "r"}} {
		bob.has(bob.want(exitError, args...), "Your role does not allow that. It takes an owner of the firm")
	}
}

// TestNamesThatLookAlike: S-CLIENT-21. They are pointed out with the words, and nobody is chosen by one.
func TestNamesThatLookAlike(t *testing.T) {
	hers, his := "aaaabbbbccccdddd", "eeeeffffgggghhhh"
	read := "Cl\u0430ra" // a Cyrillic a
	v := client.OfficeView{People: []client.OfficePerson{
		{Member: hers, Name: "Clara", Words: []string{"eagle", "broom"}, Alike: []client.AlikeView{{Member: his, Name: read}}},
		{Member: his, Name: read, Words: []string{"castle", "robin"}, Alike: []client.AlikeView{{Member: hers, Name: "Clara"}}},
		{Member: "iiiijjjjkkkkllll", Name: "Bob", Words: []string{"tunnel"}},
	}}
	for _, name := range []string{"Clara", read} {
		if p, err := somebody(v, name); err == nil {
			t.Errorf("%q chooses %s", name, p.Member)
		}
	}
	for name, want := range map[string]string{"aaaa": hers, his: his, "Bob": "iiiijjjjkkkkllll"} {
		if p, err := somebody(v, name); err != nil || p.Member != want {
			t.Errorf("%q chooses %s, %v", name, p.Member, err)
		}
	}
	text := strings.Join(personText(v, v.People[0]), "\n")
	for _, want := range []string{"LOOKS LIKE eeeeffff", "compare the words", "words: eagle broom"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said: %s", want, text)
		}
	}
	if text := strings.Join(personText(v, v.People[2]), "\n"); strings.Contains(text, "words") {
		t.Errorf("Bob looks like nobody: %s", text)
	}
}

// TestRolesAreOfCommands: what is said of a command's role is said of one that there is.
func TestRolesAreOfCommands(t *testing.T) {
	for name := range takesRole {
		if !slices.ContainsFunc(memberCommands(), func(c command) bool { return c.name == name }) {
			t.Errorf("there is no command %s", name)
		}
	}
}

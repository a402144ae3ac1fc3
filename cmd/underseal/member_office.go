package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// people lists everybody in a firm, for its owners, and writes down who says that he read what.
func (s *session) people(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("people", flag.ContinueOnError)
	table := f.String("csv", "", "file to write who read what to")
	force := f.Bool("force", false, "replace a file that is there")
	rest, err := s.arguments(f, args, 1, "FIRM")
	if err != nil {
		return err
	}
	if err := writable(*table, *force); err != nil {
		return err
	}
	firm, v, err := s.office(ctx, rest[0])
	if err != nil {
		return err
	}
	if *table != "" {
		b, err := s.client.TrainingRecord(ctx, firm)
		if err != nil {
			return err
		}
		if err := save(*table, b); err != nil {
			return err
		}
		s.show.note("Who read what is in %s.", quote(*table))
	}
	if s.asJSON {
		printJSON(s.stdout, v)
		return nil
	}
	for _, p := range v.People {
		for _, line := range personText(v, p) {
			fmt.Fprintln(s.stdout, line)
		}
	}
	return nil
}

func (s *session) office(ctx context.Context, name string) (wire.ChainID, client.OfficeView, error) {
	if err := s.signIn(ctx); err != nil {
		return wire.ChainID{}, client.OfficeView{}, err
	}
	firm, err := s.firm(ctx, name)
	if err != nil {
		return wire.ChainID{}, client.OfficeView{}, err
	}
	v, err := s.client.Office(ctx, firm)
	return firm, v, err
}

func personText(v client.OfficeView, p client.OfficePerson) []string {
	name := "(in no matter of yours)"
	if p.Name != "" {
		name = safe(p.Name)
	}
	if p.IsMe {
		name += " (you)"
	}
	for _, other := range p.Called {
		name += ", also called " + safe(other)
	}
	lines := append([]string{fmt.Sprintf("%s  %s", p.Member[:8], name)}, alikeText(p)...)
	for _, seat := range p.Seats {
		where := "in " + quote(seat.Name)
		if seat.Matter == v.Firm {
			where = "in the firm itself"
		}
		text := fmt.Sprintf("    %s %s", seat.Role, where)
		if seat.State != "seated" {
			text += ", " + seat.State
		}
		lines = append(lines, text)
	}
	if len(p.Seats) > 0 {
		lines = append(lines, "    says: "+ownWord(p))
	}
	if p.Left != nil {
		lines = append(lines, fmt.Sprintf("    left with custodians: %s, any %d of whom can bring him back", holderNames(p.Left.Holders), p.Left.K))
	}
	return append(lines, "    the server says: "+serversWord(p.Server))
}

// alikeText is of whom a name could be read, and the words that tell them apart.
func alikeText(p client.OfficePerson) (lines []string) {
	for _, other := range p.Alike {
		lines = append(lines, fmt.Sprintf("    LOOKS LIKE %s, %s: compare the words", other.Member[:8], safe(other.Name)))
	}
	if len(lines) > 0 {
		lines = append(lines, "    words: "+strings.Join(p.Words, " "))
	}
	return lines
}

// ownWord is what somebody says of himself, under his signature.
func ownWord(p client.OfficePerson) string {
	read := "read nothing"
	if len(p.Read) > 0 {
		var topics []string
		for _, r := range p.Read {
			topics = append(topics, r.Topic)
		}
		read = "read " + strings.Join(topics, ", ")
	}
	switch p.Ways {
	case 0:
		return read
	case 1:
		return "one way to unlock; " + read
	}
	return fmt.Sprintf("%d ways to unlock; %s", p.Ways, read)
}

func passkeys(n, unlocking int) string {
	switch {
	case n == 1 && unlocking == 1:
		return "a passkey"
	case n == 1:
		return "a passkey that does not unlock"
	}
	return fmt.Sprintf("%d passkeys, of which unlock: %d", n, unlocking)
}

func serversWord(o *client.OfficeServer) string {
	if o == nil {
		return "nothing"
	}
	var how []string
	if o.Passkeys > 0 {
		how = append(how, passkeys(o.Passkeys, o.Unlocking))
	}
	for _, kind := range []struct {
		has  bool
		name string
	}{{o.Kit, "kit"}, {o.Password, "password"}, {o.App, "authenticator app"}, {o.Passphrase, "passphrase"}, {o.SSO, "the firm's sign-in"}} {
		if kind.has {
			how = append(how, kind.name)
		}
	}
	entered := "never signed in"
	if o.EnteredAt != nil {
		entered = "last signed in " + when(uint64(*o.EnteredAt))
	}
	text := fmt.Sprintf("%s; %s; sessions open: %d", or(strings.Join(how, ", "), "no way to sign in"), entered, o.Sessions)
	if o.Failed > 0 {
		text += fmt.Sprintf("; failed since: %d", o.Failed)
	}
	if o.LockedUntil != nil && time.UnixMilli(*o.LockedUntil).After(time.Now()) {
		text += "; LOCKED until " + when(uint64(*o.LockedUntil))
	}
	return text
}

// unlockMember forgives somebody's failed sign-ins.
func (s *session) unlockMember(ctx context.Context, args []string) error {
	return s.act(ctx, "unlock", args, (*client.Client).Unlock, "The failed sign-ins of %s are forgiven, and the firm's record says why.")
}

// signOutMember ends somebody's sessions in a firm.
func (s *session) signOutMember(ctx context.Context, args []string) error {
	return s.act(ctx, "sign-out", args, (*client.Client).SignOutMember, "%s was signed out everywhere in this firm, and its record says why.")
}

type officeAct func(c *client.Client, ctx context.Context, firm wire.ChainID, member wire.ObjectID, reason string) error

// act does what an owner does about somebody, for a reason.
func (s *session) act(ctx context.Context, name string, args []string, do officeAct, done string) error {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	reason := f.String("reason", "", "why")
	rest, err := s.arguments(f, args, 2, "FIRM", "NAME")
	if err != nil {
		return err
	}
	if strings.TrimSpace(*reason) == "" {
		return misused("say why: --reason; everybody in the firm reads it")
	}
	if len(strings.TrimSpace(*reason)) > chain.MaxReason {
		return misused("a reason has at most %d bytes", chain.MaxReason)
	}
	firm, v, err := s.office(ctx, rest[0])
	if err != nil {
		return err
	}
	p, err := somebody(v, rest[1])
	if err != nil {
		return err
	}
	member, err := wire.ParseObjectID(p.Member)
	if err != nil {
		return err
	}
	if err := do(s.client, ctx, firm, member, *reason); err != nil {
		return err
	}
	if s.asJSON {
		printJSON(s.stdout, map[string]string{"member": p.Member})
		return nil
	}
	fmt.Fprintf(s.stdout, done+"\n", or(safe(p.Name), p.Member[:8]))
	return nil
}

// ambiguous is what is said where a name is more than one person's, as it is read.
func ambiguous(name string) error {
	return plain(codeAmbiguous, "Several people are called %s, or look it: give the beginning of an id.", quote(name))
}

// somebody is the one person of a name that looks like nobody else's, or of the beginning of an id.
func somebody(v client.OfficeView, name string) (client.OfficePerson, error) {
	found := slices.DeleteFunc(slices.Clone(v.People), func(p client.OfficePerson) bool {
		return p.Name != name && (len(name) < 4 || !strings.HasPrefix(p.Member, name))
	})
	switch {
	case name == "" || len(found) == 0:
		return client.OfficePerson{}, plain(api.CodeNotHere, "Nobody in this firm is called %s: underseal people FIRM lists everybody.", quote(name))
	case len(found) > 1 || found[0].Name == name && len(found[0].Alike) > 0:
		return client.OfficePerson{}, ambiguous(name)
	}
	return found[0], nil
}

// lessons are what there is to read, in the order of the topics.
var lessons = []struct {
	topic chain.Topics
	title string
	text  string
}{
	{chain.TopicPasskey, "How one signs in", "In a browser your device keeps a key, a passkey. It shows it to this server's address and to no other, and only when your finger, face or PIN says so. On this machine the key lies in a file, sealed under your passphrase. Have a second way for the day you lose either."},
	{chain.TopicKit, "What the recovery kit is for", "If your devices are lost, the code of the kit opens your account from any other. Nobody can make you a new one: not your firm, not whoever runs the server. Keep it on paper, away from the device. Whoever asks you for it is a thief."},
	{chain.TopicInvitations, "How to tell a false invitation", "A true one names who sent it, the firm and the matter before you do anything. It never asks for a password that you have elsewhere, a code or money. If you did not expect it, telephone the sender at a number you already had, and compare the safety words."},
	{chain.TopicWhoSeesWhat, "Who sees what", "Only those who are listed in a matter can read what is in it. Its owners and auditors also see who opened which document, and when. The server sees that you are here, when and from where, and roughly how large things are. It sees no name and no document."},
}

// lessons shows what everybody should know, and has it said that this person read it.
func (s *session) lessons(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("read", flag.ContinueOnError)
	sign := f.Bool("acknowledge", false, "say, under your signature, that you have read it")
	if _, err := s.arguments(f, args, 0); err != nil {
		return err
	}
	if err := s.signIn(ctx); err != nil {
		return err
	}
	v, err := s.client.Overview(ctx)
	if err == nil && *sign {
		if err = s.client.Acknowledge(ctx, chain.AllTopics); err == nil {
			v, err = s.client.Overview(ctx)
		}
	}
	if err != nil {
		return err
	}
	if s.asJSON {
		printJSON(s.stdout, map[string]any{"read": v.Read})
		return nil
	}
	for _, l := range lessons {
		title := l.title
		if slices.Contains(v.Read, l.topic.Names()[0]) {
			title += " (you have read this)"
		}
		fmt.Fprintf(s.stdout, "%s\n    %s\n", title, l.text)
	}
	if len(v.Read) < len(lessons) {
		s.show.note("With --acknowledge you say, under your signature, that you have read these, so that your firm can show it.")
	}
	return nil
}

package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/wire"
)

// sessions lists where this account is signed in, and ends sessions.
func (s *session) sessions(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("sessions", flag.ContinueOnError)
	end := f.String("end", "", "beginning of the id of a session to end")
	others := f.Bool("end-others", false, "end all but this one")
	if _, err := s.arguments(f, args, 0); err != nil {
		return err
	}
	if *end != "" && !isIDPrefix(*end) {
		return misused("%s is no beginning of a session's id: underseal sessions shows them", quote(*end))
	}
	if err := s.signIn(ctx); err != nil {
		return err
	}
	if *end != "" {
		if err := s.endSession(ctx, *end); err != nil {
			return err
		}
	}
	if *others {
		if err := s.client.EndOtherSessions(ctx); err != nil {
			return err
		}
	}
	if !s.client.SignedIn() {
		return nil // he ended this very one
	}
	list, err := s.client.Sessions(ctx)
	if err != nil {
		return err
	}
	if s.asJSON {
		printJSON(s.stdout, map[string]any{"sessions": list})
		return nil
	}
	for _, v := range list {
		here := ""
		if v.Current {
			here = "  (this one)"
		}
		fmt.Fprintf(s.stdout, "%s  since %s, last used %s, by %s%s\n", v.ID, when(uint64(v.CreatedAt)), when(uint64(v.SeenAt)), safe(v.Method), here)
	}
	return nil
}

// endSession ends the one session of this account whose id begins so.
func (s *session) endSession(ctx context.Context, text string) error {
	list, err := s.client.Sessions(ctx)
	if err != nil {
		return err
	}
	v, err := beginning(list, func(v client.SessionView) string { return v.ID }, text, "session")
	if err != nil {
		return err
	}
	id, err := wire.ParseObjectID(v.ID)
	if err != nil {
		return err
	}
	return s.client.EndSession(ctx, id)
}

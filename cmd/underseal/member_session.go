package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/underseal/underseal/protocol/wire"
)

// sessions lists where this account is signed in, and ends sessions.
func (s *session) sessions(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("sessions", flag.ContinueOnError)
	end := f.String("end", "", "id of a session to end")
	others := f.Bool("end-others", false, "end all but this one")
	if _, err := s.arguments(f, args, 0); err != nil {
		return err
	}
	var id wire.ObjectID
	if *end != "" {
		var err error
		if id, err = wire.ParseObjectID(*end); err != nil {
			return misused("%s is no id of a session: underseal sessions shows them", quote(*end))
		}
	}
	if err := s.signIn(ctx); err != nil {
		return err
	}
	if *end != "" {
		if err := s.client.EndSession(ctx, id); err != nil {
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

package access

import (
	"errors"
	"testing"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

func seat(role chain.Role, state SeatState) *Seat {
	return &Seat{Seat: chain.Seat{Member: wire.ObjectID{1}, Fingerprint: wire.Hash{2}, Role: role, From: 1}, State: state}
}

func code(err error) api.Code {
	var e *api.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// TestSeats is the table of who may do what: one line a role and state, one column a decision.
func TestSeats(t *testing.T) {
	const ok, no, none = api.Code(""), api.CodeForbidden, api.CodeNotFound
	decisions := []struct {
		name string
		may  func(*Seat) error
	}{{"head", Head}, {"entries", Entries}, {"trail", Trail}, {"digests", Digests}, {"body", Body}, {"upload", Upload}, {"open chain", OpenChain}}
	for _, c := range []struct {
		seat *Seat
		want [7]api.Code
	}{
		{seat(chain.RoleOwner, Seated), [7]api.Code{ok, ok, ok, ok, ok, ok, ok}},
		{seat(chain.RoleParalegal, Seated), [7]api.Code{ok, ok, no, ok, ok, ok, no}},
		{seat(chain.RoleClient, Seated), [7]api.Code{ok, ok, no, ok, ok, ok, no}},
		{seat(chain.RoleExpert, Seated), [7]api.Code{ok, ok, no, ok, ok, no, no}},
		{seat(chain.RoleAuditor, Seated), [7]api.Code{ok, ok, ok, no, no, no, no}},
		{seat(chain.RoleReviewer, Seated), [7]api.Code{ok, ok, no, no, no, no, no}},
		{seat(chain.RoleOwner, Waiting), [7]api.Code{ok, no, no, no, no, no, no}},
		{seat(chain.RoleOwner, Frozen), [7]api.Code{ok, ok, no, ok, no, no, no}},
		{seat(chain.RoleOwner, Removed), [7]api.Code{none, none, none, none, none, none, none}},
		{seat(chain.RoleOwner, ""), [7]api.Code{none, none, none, none, none, none, none}},
		{seat(0, Seated), [7]api.Code{ok, ok, no, no, no, no, no}},
		{nil, [7]api.Code{none, none, none, none, none, none, none}},
	} {
		for i, d := range decisions {
			if got := code(d.may(c.seat)); got != c.want[i] {
				t.Errorf("%+v: %s: %q, want %q", c.seat, d.name, got, c.want[i])
			}
		}
	}
}

func TestUsableInvite(t *testing.T) {
	owner := seat(chain.RoleOwner, Seated)
	invite := func(s InviteState) *Invite { return &Invite{InviteEffect: chain.InviteEffect{Expires: 100}, State: s} }
	for _, c := range []struct {
		invite  *Invite
		inviter *Seat
		now     int64
		want    api.Code
	}{
		{invite(InviteOpen), owner, 99, ""},
		{invite(InviteOpen), owner, 100, api.CodeInviteExpired},
		{invite(InviteWaiting), owner, 99, api.CodeInviteUsed},
		{invite(InviteSeated), owner, 999, api.CodeInviteUsed},
		{invite(InviteFrozen), owner, 99, api.CodeInviteGone},
		{invite(InviteCancelled), owner, 99, api.CodeInviteGone},
		{invite(InviteOpen), seat(chain.RoleOwner, Removed), 99, api.CodeInviteGone},
		{invite(InviteOpen), seat(chain.RoleOwner, Frozen), 99, api.CodeInviteGone},
		{invite(InviteOpen), seat(chain.RoleClient, Seated), 99, api.CodeInviteGone},
		{invite(InviteOpen), nil, 99, api.CodeInviteGone},
		{nil, nil, 99, api.CodeInviteGone},
	} {
		if got := code(UsableInvite(c.invite, c.inviter, c.now)); got != c.want {
			t.Errorf("%+v %+v at %d: %q, want %q", c.invite, c.inviter, c.now, got, c.want)
		}
	}
}

// TestAppend: an entry is the next one of its chain, by the caller, and its leaf commits to it and has the tag of its own place.
// S-LOG-18
func TestAppend(t *testing.T) {
	head := api.ChainHead{Chain: wire.Hash{9}, Epoch: 3, Position: 7, Head: wire.Hash{7}, TrailPosition: 2, TrailHead: wire.Hash{2}}
	caller := Caller{Member: wire.ObjectID{1}}
	base := chain.Effect{Kind: chain.KindCancel, Chain: head.Chain, Entry: wire.ObjectID{5}, Sequence: log.TypeState, Position: 7, Previous: head.Head, Epoch: 3, Actor: caller.Member, Cancel: &chain.CancelEffect{}}
	for name, c := range map[string]struct {
		change func(*chain.Effect)
		want   api.Code
	}{
		"next": {func(*chain.Effect) {}, ""},
		"trail": {func(e *chain.Effect) {
			e.Kind, e.Sequence, e.Position, e.Previous, e.Release = chain.KindRelease, log.TypeTrail, 2, head.TrailHead, &chain.ReleaseEffect{}
		}, ""},
		"trail as state": {func(e *chain.Effect) {
			e.Kind, e.Sequence, e.Release = chain.KindRelease, log.TypeTrail, &chain.ReleaseEffect{}
		}, api.CodeMoved},
		"statement":       {func(e *chain.Effect) { e.Kind, e.Epoch, e.Statement = chain.KindStatement, 4, &chain.StatementEffect{} }, ""},
		"statement stays": {func(e *chain.Effect) { e.Kind, e.Statement = chain.KindStatement, &chain.StatementEffect{} }, api.CodeMoved},
		"epoch skipped":   {func(e *chain.Effect) { e.Epoch++ }, api.CodeMoved},
		"epoch before":    {func(e *chain.Effect) { e.Epoch-- }, api.CodeMoved},
		"position":        {func(e *chain.Effect) { e.Position-- }, api.CodeMoved},
		"previous":        {func(e *chain.Effect) { e.Previous[1]++ }, api.CodeMoved},
		"actor":           {func(e *chain.Effect) { e.Actor[1]++ }, api.CodeForbidden},
		"chain":           {func(e *chain.Effect) { e.Chain[1]++ }, api.CodeBadRequest},
	} {
		effect := base
		c.change(&effect)
		entry := chain.Entry{Effect: effect.Bytes(), Envelope: []byte("sealed")}
		entry.Leaf = log.Leaf{Type: effect.Sequence, Tag: log.Tag(head.Chain, effect.Sequence, effect.Position, effect.Mark), Commit: log.Commit(entry.Effect, entry.Envelope)}
		err := Append(caller, head, entry, &effect)
		if got := code(err); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		var e *api.Error
		if c.want == api.CodeMoved && (!errors.As(err, &e) || e.Chain == nil || *e.Chain != head) {
			t.Errorf("%s: moved without the head", name)
		}
		if c.want != "" {
			continue
		}
		strange := entry
		strange.Leaf.Commit[0]++
		if got := code(Append(caller, head, strange, &effect)); got != api.CodeBadRequest {
			t.Errorf("%s: another commit is taken: %q", name, got)
		}
		for what, tag := range map[string]wire.Hash{"chain": log.Tag(wire.Hash{1}, effect.Sequence, effect.Position, effect.Mark), "sequence": log.Tag(head.Chain, log.TypeServer, effect.Position, effect.Mark),
			"position": log.Tag(head.Chain, effect.Sequence, effect.Position+1, effect.Mark), "mark": log.Tag(head.Chain, effect.Sequence, effect.Position, wire.Hash{1})} {
			strange := entry
			strange.Leaf.Tag = tag
			if got := code(Append(caller, head, strange, &effect)); got != api.CodeBadRequest {
				t.Errorf("%s: the tag of another %s is taken: %q", name, what, got)
			}
		}
	}
}

func TestKeysAndJoining(t *testing.T) {
	theirs := seat(chain.RoleClient, Removed)
	for _, c := range []struct {
		ours *Seat
		keys api.Code
		join bool
	}{
		{seat(chain.RoleClient, Seated), "", false},
		{seat(chain.RoleClient, Waiting), "", false},
		{seat(chain.RoleClient, Frozen), "", false},
		{seat(chain.RoleClient, Removed), api.CodeNotFound, true},
		{nil, api.CodeNotFound, true},
	} {
		if got := code(Keys(c.ours, theirs)); got != c.keys {
			t.Errorf("%+v: %q, want %q", c.ours, got, c.keys)
		}
		if code(Keys(c.ours, nil)) != api.CodeNotFound {
			t.Errorf("%+v: keys of a stranger", c.ours)
		}
		if Joins(c.ours) != c.join {
			t.Errorf("%+v joins: %v", c.ours, !c.join)
		}
	}
}

// TestEnough: S-SESSION-08. Of staff and of everybody else a firm may ask for different things.
func TestEnough(t *testing.T) {
	const days = 24 * 3600
	seat := func(s SeatState) *Seat { return &Seat{State: s} }
	for name, c := range map[string]struct {
		p    chain.Policy
		seat *Seat
		in   SignedIn
		now  int64
		code api.Code
	}{
		"nothing asked":              {chain.Policy{}, nil, SignedIn{}, 0, ""},
		"staff, one factor":          {chain.Policy{StaffMFA: true}, seat(Seated), SignedIn{}, 0, api.CodeSecondFactor},
		"staff, two factors":         {chain.Policy{StaffMFA: true}, seat(Seated), SignedIn{MFA: true}, 0, ""},
		"staff who wait":             {chain.Policy{StaffMFA: true}, seat(Waiting), SignedIn{}, 0, api.CodeSecondFactor},
		"who left, by staff's rule":  {chain.Policy{StaffMFA: true}, seat(Removed), SignedIn{}, 0, ""},
		"who left, by clients' rule": {chain.Policy{ClientMFA: true}, seat(Removed), SignedIn{}, 0, api.CodeSecondFactor},
		"clients, by staff's rule":   {chain.Policy{StaffMFA: true}, nil, SignedIn{}, 0, ""},
		"clients, one factor":        {chain.Policy{ClientMFA: true}, nil, SignedIn{}, 0, api.CodeSecondFactor},
		"staff, by clients' rule":    {chain.Policy{ClientMFA: true}, seat(Seated), SignedIn{}, 0, ""},
		"a password in time":         {chain.Policy{PasswordDays: 2}, nil, SignedIn{PasswordSet: 10}, 2*days + 9, ""},
		"an old password":            {chain.Policy{PasswordDays: 2}, nil, SignedIn{PasswordSet: 10, MFA: true}, 2*days + 10, api.CodePasswordOld},
		"a password for ever":        {chain.Policy{}, nil, SignedIn{PasswordSet: 10}, 1 << 40, ""},
		"no password":                {chain.Policy{PasswordDays: 2}, nil, SignedIn{MFA: true}, 1 << 40, ""},
	} {
		err := Enough(c.p, c.seat, c.in, c.now)
		if (err == nil) != (c.code == "") || (err != nil && !Is(err, c.code)) {
			t.Errorf("%s: %v, want %q", name, err, c.code)
		}
	}
}

package main

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// policyKeys are the rules as --set names them, in the order they are shown.
var policyKeys = []string{"staff-mfa", "client-mfa", "password-length", "password-days", "idle", "absolute", "one-session", "networks", "recovery"}

// policyValue spells a rule as setRule reads it.
func policyValue(p chain.Policy, key string) string {
	switch key {
	case "staff-mfa":
		return strconv.FormatBool(p.StaffMFA)
	case "client-mfa":
		return strconv.FormatBool(p.ClientMFA)
	case "password-length":
		return strconv.Itoa(int(p.PasswordLength))
	case "password-days":
		return strconv.Itoa(int(p.PasswordDays))
	case "idle":
		return strconv.Itoa(int(p.Idle))
	case "absolute":
		return strconv.Itoa(int(p.Absolute))
	case "one-session":
		return strconv.FormatBool(p.OneSession)
	case "networks":
		return strings.Join(p.Networks, ",")
	}
	if p.RecoveryK == 0 {
		return "off"
	}
	return fmt.Sprintf("%d of %d, after %d hours", p.RecoveryK, len(p.Custodians), p.RecoveryHours)
}

// setRule changes one rule by key=value.
func setRule(p *chain.Policy, text string) error {
	key, value, ok := strings.Cut(text, "=")
	yes := func(to *bool) (err error) {
		if value != "true" && value != "false" {
			return strconv.ErrSyntax
		}
		*to = value == "true"
		return nil
	}
	number := func(bits int) (n uint64, err error) { return strconv.ParseUint(value, 10, bits) }
	var err error
	var n uint64
	switch {
	case !ok:
		err = strconv.ErrSyntax
	case key == "staff-mfa":
		err = yes(&p.StaffMFA)
	case key == "client-mfa":
		err = yes(&p.ClientMFA)
	case key == "password-length":
		n, err = number(8)
		p.PasswordLength = uint8(n)
	case key == "password-days":
		n, err = number(16)
		p.PasswordDays = uint16(n)
	case key == "idle":
		n, err = number(16)
		p.Idle = uint16(n)
	case key == "absolute":
		n, err = number(16)
		p.Absolute = uint16(n)
	case key == "one-session":
		err = yes(&p.OneSession)
	case key == "networks":
		p.Networks = []string{}
		if value != "" {
			p.Networks = strings.Split(value, ",")
		}
	case key == "recovery":
		if value != "off" {
			err = strconv.ErrSyntax // custodians are chosen by who they are, on screen
		}
		p.RecoveryK, p.RecoveryHours, p.Custodians = 0, 0, nil
	default:
		return misused("there is no rule %s: there are %s", quote(key), strings.Join(policyKeys, ", "))
	}
	if err != nil {
		return misused("%s is no value of %s", quote(value), quote(key))
	}
	return nil
}

// policy shows a firm's rules, and signs other ones.
func (s *session) policy(ctx context.Context, args []string) error {
	var changes []string
	f := flag.NewFlagSet("policy", flag.ContinueOnError)
	f.Func("set", "a rule to set: key=value", func(text string) error {
		changes = append(changes, text)
		return setRule(&chain.Policy{}, text)
	})
	rest, err := s.arguments(f, args, 1, "FIRM")
	if err != nil {
		return err
	}
	if err := s.signIn(ctx); err != nil {
		return err
	}
	firm, err := s.firm(ctx, rest[0])
	if err != nil {
		return err
	}
	v, err := s.client.Policy(ctx, firm)
	if err != nil {
		return err
	}
	if len(changes) > 0 {
		for _, change := range changes {
			if err := setRule(&v.Policy, change); err != nil {
				return err
			}
		}
		if v.Policy.Normal().Check() != nil {
			return misused("the rules cannot be: passwords of 12 to 64, idle of 1 to 480 minutes, absolute of 15 to 1440 and no less than idle, at most 32 networks such as 192.0.2.0/24, recovery by 2 to 9 people or 0/0")
		}
		if v, err = s.client.SetPolicy(ctx, firm, v.Policy); err != nil {
			return err
		}
	}
	if s.asJSON {
		printJSON(s.stdout, v)
		return nil
	}
	for _, line := range policyText(v) {
		fmt.Fprintln(s.stdout, line)
	}
	return nil
}

func policyText(v client.PolicyView) (lines []string) {
	for _, key := range policyKeys {
		lines = append(lines, fmt.Sprintf("%-16s %s", key, safe(policyValue(v.Policy, key))))
	}
	if v.At == nil {
		return append(lines, "Nobody has signed any: these are the defaults.")
	}
	return append(lines, "Signed by "+safe(v.By)+", "+when(uint64(*v.At)))
}

// firm is the one firm of a name, or of the beginning of an id.
func (s *session) firm(ctx context.Context, name string) (wire.ChainID, error) {
	v, err := s.client.Overview(ctx)
	if err != nil {
		return wire.ChainID{}, err
	}
	found := ""
	for _, f := range v.Firms {
		if f.Name != name && (len(name) < 4 || !strings.HasPrefix(f.Firm, name)) {
			continue
		}
		if found != "" {
			return wire.ChainID{}, plain(codeAmbiguous, "Several firms are called %s: give the beginning of an id.", quote(name))
		}
		found = f.Firm
	}
	if found == "" {
		return wire.ChainID{}, plain(api.CodeNotHere, "You are in no firm called %s.", quote(name))
	}
	return wire.ParseHash(found)
}

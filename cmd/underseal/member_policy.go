package main

import (
	"context"
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// policyKeys are the rules as --set names them, in the order they are shown.
var policyKeys = []string{"staff-mfa", "client-mfa", "password-length", "password-days", "idle", "absolute", "one-session", "networks", "recovery"}

// policyRules say what each takes, and what holds where nobody signed anything.
var policyRules = map[string]string{
	"staff-mfa":       "true or false: who works here and signed in with one factor shows a second; false unless set",
	"client-mfa":      "true or false: the same for clients and all other guests; false unless set",
	"password-length": fmt.Sprintf("characters, %d to %d; %d unless set", chain.MinPassword, chain.MaxPassword, chain.DefaultPolicy().PasswordLength),
	"password-days":   "days after which a password must change, up to 65535; 0, for ever, unless set",
	"idle":            fmt.Sprintf("minutes without use after which a session locks, 1 to %d; %d unless set", chain.MaxIdle, chain.DefaultPolicy().Idle),
	"absolute":        fmt.Sprintf("minutes after which a session ends, %d to %d and no less than idle; %d unless set", chain.MinAbsolute, chain.MaxAbsolute, chain.DefaultPolicy().Absolute),
	"one-session":     "true or false: signing in elsewhere ends the session before; false unless set",
	"networks":        fmt.Sprintf("at most %d, as in 192.0.2.0/24,2001:db8::/32, yours among them; anywhere unless set", chain.MaxNetworks),
	"recovery":        fmt.Sprintf("off, or as in '2 of NAME, NAME after 48 hours': at least 2 of at most %d custodians, after %d to %d hours; off unless set", chain.MaxRecovery, chain.MinRecoveryWait, chain.MaxRecoveryWait),
}

// anywhere is where one may sign in from, where there is no rule of networks.
const anywhere = "anywhere"

func policyHelp() string {
	var b strings.Builder
	for _, key := range policyKeys {
		fmt.Fprintf(&b, "\n  %-16s %s", key, policyRules[key])
	}
	return b.String()
}

// policyValue spells a rule as setRule reads it. who are the people whom custodians are named by.
func policyValue(p chain.Policy, who []client.CustodianView, key string) string {
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
		return or(strings.Join(p.Networks, ","), anywhere)
	}
	if p.RecoveryK == 0 {
		return "off"
	}
	var names []string
	for _, c := range p.Custodians {
		names = append(names, custodianName(c, who))
	}
	slices.Sort(names)
	return fmt.Sprintf("%d of %s after %d hours", p.RecoveryK, strings.Join(names, ", "), p.RecoveryHours)
}

// custodianName is what somebody is called, or his id where a name would not be read as his.
func custodianName(c chain.Custodian, who []client.CustodianView) string {
	i := slices.IndexFunc(who, func(x client.CustodianView) bool { return x.Custodian == c })
	if i < 0 || strings.Contains(who[i].Name, ",") {
		return c.Member.String()
	}
	if len(who[i].Alike) > 0 {
		return c.Member.String()
	}
	return who[i].Name
}

var recoveryRule = regexp.MustCompile(`^([0-9]{1,2}) of (.+) after ([0-9]{1,3}) hours?$`)

// setRecovery reads "2 of Ada, Bob, Cora after 48 hours", or "off". Of who is called what, who decides: nil, where only the form
// is looked at.
func setRecovery(p *chain.Policy, who []client.CustodianView, value string) error {
	p.RecoveryK, p.RecoveryHours, p.Custodians = 0, 0, nil
	if value == "off" {
		return nil
	}
	parts := recoveryRule.FindStringSubmatch(value)
	if parts == nil {
		return misused("%s is no value of recovery: it is off, or as in '2 of Ada Advocate, Bob Barrister after 48 hours'", quote(value))
	}
	k, _ := strconv.ParseUint(parts[1], 10, 8) // the pattern bounds both
	hours, _ := strconv.ParseUint(parts[3], 10, 16)
	p.RecoveryK, p.RecoveryHours = uint8(k), uint16(hours)
	for _, name := range strings.Split(parts[2], ",") {
		c, err := custodianNamed(who, strings.TrimSpace(name))
		if err != nil {
			return err
		}
		if who != nil {
			p.Custodians = append(p.Custodians, c)
		}
	}
	return nil
}

// custodianNamed is the one person of a name, or of the beginning of an id, who can be a custodian.
func custodianNamed(who []client.CustodianView, name string) (chain.Custodian, error) {
	var found []chain.Custodian
	looks := false
	for _, x := range who {
		if !x.Gone && (x.Name == name || (len(name) >= 4 && strings.HasPrefix(x.Member.String(), name))) {
			found = append(found, x.Custodian)
			looks = looks || x.Name == name && len(x.Alike) > 0
		}
	}
	switch {
	case name == "":
		return chain.Custodian{}, misused("a custodian has a name")
	case who == nil:
		return chain.Custodian{}, nil
	case len(found) == 0:
		return chain.Custodian{}, plain(api.CodeNotHere, "Nobody called %s can be a custodian: that takes a seat in the firm that reads documents.", quote(name))
	case len(found) > 1 || looks:
		return chain.Custodian{}, ambiguous(name)
	}
	return found[0], nil
}

// setRule changes one rule by key=value. One that could not be whatever the others are is refused with what it takes.
func setRule(p *chain.Policy, who []client.CustodianView, text string) error {
	key, _, _ := strings.Cut(text, "=")
	alone := chain.DefaultPolicy()
	if err := putRule(&alone, who, text); err != nil {
		return err
	}
	custodiansUnknown := key == "recovery" && who == nil
	if !custodiansUnknown && alone.Normal().Check() != nil {
		return misused("%s cannot be. %s takes %s", quote(text), key, policyRules[key])
	}
	return putRule(p, who, text)
}

func putRule(p *chain.Policy, who []client.CustodianView, text string) error {
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
		if value != anywhere && value != "" {
			p.Networks = strings.Split(value, ",")
		}
	case key == "recovery":
		return setRecovery(p, who, value)
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
		return setRule(&chain.Policy{}, nil, text)
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
			if err := setRule(&v.Policy, v.MayBeCustodians, change); err != nil {
				return err
			}
		}
		if v.Policy.Normal().Check() != nil {
			return misused("the rules cannot be together: idle is %d minutes, and absolute, %d, must be no less", v.Policy.Idle, v.Policy.Absolute)
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
		lines = append(lines, fmt.Sprintf("%-16s %s", key, safe(policyValue(v.Policy, v.MayBeCustodians, key))))
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

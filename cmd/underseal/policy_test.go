package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/chain"
)

// TestPolicyRules: every rule is shown as it is set, and nothing else is one.
func TestPolicyRules(t *testing.T) {
	p := chain.DefaultPolicy()
	set := []string{"staff-mfa=true", "client-mfa=true", "password-length=14", "password-days=365", "idle=10", "absolute=480", "one-session=true", "networks=192.0.2.0/24,2001:db8::/32", "recovery=off"}
	for _, text := range set {
		if err := setRule(&p, text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	var got []string
	for _, key := range policyKeys {
		got = append(got, key+"="+policyValue(p, key))
	}
	if !slices.Equal(got, set) || p.Check() != nil {
		t.Errorf("%q", got)
	}
	if err := setRule(&p, "networks="); err != nil || len(p.Networks) != 0 {
		t.Errorf("%v %q", err, p.Networks)
	}
	for _, text := range []string{"", "idle", "idle=", "idle=x", "idle=-1", "idle=65536", "password-length=256", "one-session=yes", "recovery=2", "recovery=on", "speed=9"} {
		if err := setRule(&p, text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	at := int64(1_700_000_000_000)
	bad := "Ada\x1b[2J"
	if text := strings.Join(policyText(client.PolicyView{Policy: p, By: bad, At: &at}), "\n"); strings.Contains(text, "\x1b") || !strings.Contains(text, "Signed by Ada") {
		t.Errorf("%q", text)
	}
}

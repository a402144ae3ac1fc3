package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// TestPolicyIsDocumented: each rule, with its limits, stands in the help and in the README.
func TestPolicyIsDocumented(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	help := policyHelp()
	for _, key := range policyKeys {
		if policyRules[key] == "" || !strings.Contains(help, "\n  "+key+" ") {
			t.Errorf("the help lacks %s", key)
		}
		if want := "| `" + key + "` | " + policyRules[key] + " |"; !strings.Contains(string(readme), want) {
			t.Errorf("the README lacks\n%s", want)
		}
	}
}

// TestPolicyRules: every rule is shown as it is set, and nothing else is one.
func TestPolicyRules(t *testing.T) {
	p := chain.DefaultPolicy()
	person := func(n byte, name string) client.CustodianView {
		return client.CustodianView{Custodian: chain.Custodian{Member: wire.ObjectID{n, n, n, n}, Fingerprint: wire.Hash{n}}, Name: name}
	}
	who := []client.CustodianView{person(1, "Ada Advocate"), person(2, "Bob"), person(3, "Cora, Clerk"), person(4, "Dan"), person(5, "Dan"), {Custodian: chain.Custodian{Member: wire.ObjectID{9}}, Name: "Gone", Gone: true}}
	who[3].Alike, who[4].Alike = []client.AlikeView{{Name: "Dan"}}, []client.AlikeView{{Name: "Dan"}}
	set := []string{"staff-mfa=true", "client-mfa=true", "password-length=14", "password-days=365", "idle=10", "absolute=480", "one-session=true", "networks=192.0.2.0/24,2001:db8::/32", "recovery=2 of Ada Advocate, Bob after 48 hours"}
	for _, text := range set {
		if err := setRule(&p, who, text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	var got []string
	for _, key := range policyKeys {
		got = append(got, key+"="+policyValue(p, who, key))
	}
	if !slices.Equal(got, set) || p.Check() != nil {
		t.Errorf("%q", got)
	}
	for _, text := range []string{"networks=", "networks=anywhere"} {
		if err := setRule(&p, who, text); err != nil || len(p.Networks) != 0 || policyValue(p, who, "networks") != "anywhere" {
			t.Errorf("%s: %v %q", text, err, p.Networks)
		}
	}
	for _, text := range []string{"idle=0", "idle=481", "absolute=14", "password-length=11", "networks=office", "recovery=1 of Ada Advocate after 48 hours", "recovery=2 of Ada Advocate, Bob after 1 hour"} {
		key, _, _ := strings.Cut(text, "=")
		if err := setRule(&p, who, text); err == nil || !strings.Contains(err.Error(), policyRules[key]) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"", "idle", "idle=", "idle=x", "idle=-1", "idle=65536", "password-length=256", "one-session=yes", "recovery=2", "recovery=on", "recovery=2 of Ada Advocate", "recovery=2 of Ada Advocate, Nobody after 48 hours",
		"recovery=2 of Ada Advocate, Gone after 48 hours", "recovery=2 of Ada Advocate, Dan after 48 hours", "recovery=2 of Ada Advocate, after 48 hours", "recovery=x of Ada Advocate after 48 hours", "speed=9"} {
		if err := setRule(&p, who, text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	// Who has a comma in his name, or shares it, is named by his id, and shown so.
	byID := "recovery=3 of " + who[2].Member.String()[:6] + ", Bob," + who[3].Member.String() + " after 24 hours"
	if err := setRule(&p, who, byID); err != nil || len(p.Custodians) != 3 || p.RecoveryK != 3 || p.RecoveryHours != 24 {
		t.Errorf("%v %+v", err, p)
	}
	if err := setRule(&p, who, "recovery="+policyValue(p, who, "recovery")); err != nil || len(p.Custodians) != 3 {
		t.Errorf("%v %+v", err, p)
	}
	if err := setRule(&p, who, "recovery=off"); err != nil || p.RecoveryK != 0 || p.RecoveryHours != 0 || p.Custodians != nil || policyValue(p, who, "recovery") != "off" {
		t.Errorf("%v %+v", err, p)
	}
	at := int64(1_700_000_000_000)
	bad := "Ada\x1b[2J"
	if text := strings.Join(policyText(client.PolicyView{Policy: p, By: bad, At: &at}), "\n"); strings.Contains(text, "\x1b") || !strings.Contains(text, "Signed by Ada") {
		t.Errorf("%q", text)
	}
}

package evilserver

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// attack is one case: NN-words, and what the attacker does.
type attack struct {
	name string
	run  func(t *testing.T)
}

// TestAttack runs the cases. Their numbers are those of Attacks.
func TestAttack(t *testing.T) {
	for _, cases := range [][]attack{identityCases, memberCases, fileCases, nameCases, edgeCases, logCases, ssoCases, deviceCases, recoveryCases,
		passwordCases} {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t)
			})
		}
	}
}

// office is where most stories begin: Ada's firm with a matter, Clara in it as a client, and a document of Ada's.
type office struct {
	*World
	ada, clara *Person
	matter     wire.ChainID
	doc        wire.ObjectID
	content    []byte
	before     *World // where a case needs it: the server as it was
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{World: NewWorld(t, nil), content: bytes.Repeat([]byte("privileged "), 3000)}
	o.ada = o.Founder("Ada")
	o.matter = o.ada.NewMatter("Doe v. Roe")
	o.clara = o.ada.Guest(o.matter, "Clara", chain.RoleClient)
	o.doc = o.ada.MustPut(o.matter, "Complaint.txt", o.content)
	return o
}

// with adds Mallory, a member who helps the server.
func (o *office) with(role chain.Role) *Insider {
	o.Helper()
	return o.ada.Guest(o.matter, "Mallory", role).Insider(o.matter)
}

func text(n int) []byte { return fmt.Appendf(nil, "%*d", n, n) }

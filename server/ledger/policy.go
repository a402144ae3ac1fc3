package ledger

import (
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// Policy is the firm's newest policy; found is false where no owner signed one.
func Policy(tx store.Tx) (p chain.Policy, found bool, err error) {
	signed, found, err := layout.Get[layout.Policy](tx, layout.PolicyKey())
	return signed.Policy, found, err
}

package client

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// PolicyFile is what a reviewer holds a firm's log to, as c2sp.org/tlog-policy has it: the log's keys and address, and the
// firm's witnesses. underseal-verify takes it as --policy.
func (c *Client) PolicyFile(ctx context.Context, firm wire.ChainID) ([]byte, error) {
	l, err := c.knownLog(ctx, firm)
	if err != nil {
		return nil, failureOf(err)
	}
	return c.policyFile(l), nil
}

func (c *Client) policyFile(l *firmLog) []byte {
	var b strings.Builder
	b.WriteString("# What the log " + l.trust.Origin + " is held to. Compare it with one from somebody else in the firm.\n")
	for _, key := range l.trust.Keys {
		b.WriteString("log " + key + " " + c.config.Origin + "/log/" + api.LogName(l.trust.Origin) + "\n")
	}
	if l.trust.Policy == "" {
		b.WriteString("quorum none\n")
	} else {
		b.WriteString(strings.TrimRight(l.trust.Policy, "\n") + "\n")
	}
	return []byte(b.String())
}

// LinkKeysFile is what a reviewer needs to check a matter's completeness, and nothing more.
func (c *Client) LinkKeysFile(ctx context.Context, id wire.ChainID) ([]byte, error) {
	v, _, err := c.verified(ctx, id)
	if err != nil {
		return nil, err
	}
	return v.links.Format(), nil
}

// ReceiptFile is a receipt for an entry, verified: whoever has it and the policy file knows that the log took the entry.
func (c *Client) ReceiptFile(ctx context.Context, id wire.ChainID, sequence string, position uint64) ([]byte, error) {
	// The tags of what the server saw are its own: whose place a leaf is nobody else can tell.
	if sequence != api.SequenceState && sequence != api.SequenceTrail {
		return nil, fail(api.CodeBadRequest, "")
	}
	m, err := c.matterOf(id)
	if err != nil {
		return nil, err
	}
	var b []byte
	err = c.steady(ctx, m, func() (place, error) {
		v := &verification{c: c, m: m}
		b, err = v.receipt(ctx, sequence, position)
		return v.place, err
	})
	if err != nil {
		return nil, c.refuseNew(ctx, "the receipt for an entry", err)
	}
	return b, nil
}

func (v *verification) receipt(ctx context.Context, sequence string, position uint64) ([]byte, error) {
	c, m := v.c, v.m
	b, err := c.inFirm(ctx, m.firm, Request{Method: methodGet, Path: api.ReceiptPath(m.firm, m.id, sequence, position)})
	if err != nil {
		return nil, err
	}
	// After the receipt: an epoch that was opened before it is known by now.
	if err := v.begin(ctx); err != nil {
		return nil, err
	}
	r, err := log.ParseReceipt(b)
	if err != nil {
		return nil, err
	}
	leaf, err := log.ParseLeaf(r.Extra)
	if err != nil {
		return nil, err
	}
	if _, err := r.Verify(v.log.keys, leaf.Hash()); err != nil {
		return nil, err
	}
	// The log has many leaves: this one must be of the place that was asked for (attack 75).
	if !standsIn(v.links, sequence, position, leaf) {
		return nil, log.ErrReceipt
	}
	return b, nil
}

// standsIn reports whether a leaf's tag is that of a position of a chain's sequence.
func standsIn(links log.LinkKeys, sequence string, position uint64, leaf log.Leaf) bool {
	kind := log.TypeState
	if sequence == api.SequenceTrail {
		kind = log.TypeTrail
	}
	for _, e := range slices.Backward(links.Epochs) {
		from, key := e.StateFrom, e.State
		if kind == log.TypeTrail {
			from, key = e.TrailFrom, e.Trail
		}
		if position >= from {
			return leaf.Type == kind && leaf.Tag == key.Tag(links.Chain, kind, position)
		}
	}
	return false
}

const proofReadme = `This is what a matter's record was proved with. It holds no document and no key that opens one.

  policy.txt      the log's keys, and the firm's witnesses
  link-keys.txt   secret: with them and the log anybody can tell that no entry is missing, and how many there are
  checkpoint.txt  the log as it was signed, and seen by witnesses where it has some, when this was made
  report.json     what the program that made this found
  trail.csv       who opened what (for auditors)

Check it with underseal-verify, which shares no code with the server:

  underseal-verify log %[1]s --policy policy.txt --from checkpoint.txt
  underseal-verify matter %[1]s --policy policy.txt --keys link-keys.txt
`

// ProofFile verifies a matter and puts everything that shows it to others into one ZIP file.
func (c *Client) ProofFile(ctx context.Context, id wire.ChainID) ([]byte, error) {
	began := c.config.Now()
	v, view, err := c.verified(ctx, id)
	if err != nil {
		return nil, err
	}
	view.Took = c.config.Now().Sub(began).Milliseconds()
	report, err := json.MarshalIndent(view, "", "  ")
	if err != nil {
		return nil, err
	}
	checkpoint, err := c.publicNote(ctx, v.m.firm, v.log, v.note)
	if err != nil {
		return nil, c.refuse(ctx, "the record of a matter", err)
	}
	files := []struct {
		name string
		data []byte
	}{
		{"README.txt", []byte(fmt.Sprintf(proofReadme, view.URL))}, {"policy.txt", c.policyFile(v.log)}, {"link-keys.txt", v.links.Format()},
		{"checkpoint.txt", []byte(checkpoint)}, {"report.json", report},
	}
	if v.read != nil {
		trail, err := trailCSV(v.read.items(v.state))
		if err != nil {
			return nil, err
		}
		files = append(files, struct {
			name string
			data []byte
		}{"trail.csv", trail})
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Store, Modified: c.config.Now().UTC()})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

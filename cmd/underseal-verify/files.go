package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/underseal/underseal/protocol/log"
)

func (r *run) checkReceipt(ctx context.Context, args []string) (string, error) {
	b, err := readFile(args[0], log.MaxReceiptSize)
	if err != nil {
		return "", err
	}
	receipt, err := log.ParseReceipt(b)
	if err != nil {
		return "", refuted(err.Error(), "This file is no receipt.")
	}
	leaf, err := log.ParseLeaf(receipt.Extra)
	if err != nil {
		return "", undecided(err.Error(), "The receipt does not say for which entry it is.")
	}
	signed, err := r.openSigned(receipt.Checkpoint, "The checkpoint in the receipt")
	if err != nil {
		return "", err
	}
	if _, err := receipt.Verify(r.keys, leaf.Hash()); err != nil {
		return "", refuted(err.Error(), "The receipt does not prove that the log has this entry.")
	}
	if _, err := r.witnessed(receipt.Checkpoint); err != nil {
		return "", err
	}
	r.facts["index"], r.facts["size"], r.facts["leaf"], r.facts["type"] = receipt.Index, signed.Size, leaf.Hash().String(), leaf.Type
	sentence := fmt.Sprintf("The log signed that it holds this entry, as number %d of %d.", receipt.Index, signed.Size)
	if r.log == "" {
		return sentence, nil
	}
	if err := r.stillThere(ctx, receipt.Index, leaf, signed); err != nil {
		return "", err
	}
	return sentence + " It still does.", nil
}

// stillThere checks that the log has a leaf that it promised, and the tree under which it did.
func (r *run) stillThere(ctx context.Context, index uint64, leaf log.Leaf, promised log.Checkpoint) error {
	src, err := r.open(r.log)
	if err != nil {
		return err
	}
	c, _, err := r.newest(ctx, src)
	if err != nil {
		return err
	}
	detail := fmt.Sprintf("Promised: %d entries, root %v. Shown: %d entries, root %v.", promised.Size, promised.Root, c.Size, c.Root)
	if c.Size < promised.Size {
		// A log that waits for witnesses shows less than it signed, and a copy may be older than the receipt.
		if r.showsNewest() {
			return refuted(detail, "The log is shorter than when it gave the receipt: entries are gone.")
		}
		return undecided(detail, "What is shown here of the log is older than the receipt.")
	}
	reader := log.NewReader(src, c)
	has, err := reader.LeafHash(ctx, index)
	if err != nil {
		return r.unread(err)
	}
	if has != leaf.Hash() {
		return refuted(detail, "The log has another entry in the place of the one that it gave a receipt for.")
	}
	root, err := reader.RootAt(ctx, promised.Size)
	if err != nil {
		return r.unread(err)
	}
	if root != promised.Root {
		return refuted(detail, "The log was rewritten since it gave the receipt.")
	}
	return nil
}

func (r *run) checkEvidence(ctx context.Context, args []string) (string, error) {
	b, err := readFile(args[0], log.MaxEvidenceSize)
	if err != nil {
		return "", err
	}
	e, err := log.ParseEvidence(b)
	if err != nil {
		return "", refuted(err.Error(), "This file is no evidence.")
	}
	r.facts["kind"], r.facts["claim"], r.facts["noticed"] = e.Kind, e.What, e.At
	var src log.Source // none, unless there is --log
	if r.log != "" {
		if src, err = r.open(r.log); err != nil {
			return "", err
		}
	}
	verdict, err := e.Judge(ctx, r.keys, src)
	if errors.Is(err, log.ErrEvidence) {
		return "", refuted(err.Error(), "The file proves nothing against this log: it did not sign what the file says.")
	}
	if err != nil {
		return "", r.unread(err)
	}
	switch verdict {
	case log.VerdictProved:
		return "The log lied. " + map[string]string{
			log.EvidenceTwoRoots:   "It signed two different histories of the same length.",
			log.EvidenceFork:       "It signed two histories of which the longer does not begin with the shorter.",
			log.EvidenceHiddenLeaf: "It gave a receipt for an entry, and signed later that there is no such entry.",
		}[e.Kind] + " Only the holder of the log's keys could have made both signatures.", nil
	case log.VerdictRefuted:
		return "", refuted("", "The file proves no lie: what the log signed fits together.")
	}
	return "", undecided("", "The file alone does not decide it, or what the log shows now does not. Give --log with the log, or with a copy of it from that time.")
}

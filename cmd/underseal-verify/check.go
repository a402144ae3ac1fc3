package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
)

// unread says what it means that something of a log could not be read, or was not what the checkpoint signs.
func (r *run) unread(err error) error {
	var o *outcome
	switch {
	case errors.As(err, &o):
		return err
	case errors.Is(err, context.Canceled):
		return undecided("", "It was interrupted.")
	case errors.Is(err, log.ErrTile):
		return refuted(err.Error(), "What is shown here is not what the log signed.")
	case errors.Is(err, log.ErrNoTile) && r.remote:
		return refuted(err.Error(), "The log does not show everything that it signed: part of it is withheld or gone.")
	case errors.Is(err, log.ErrNoTile):
		return undecided(err.Error(), "This copy of the log is not complete.")
	}
	return undecided(err.Error(), "The log could not be read.")
}

// openSigned verifies both signatures of the log under a checkpoint. what begins the sentence where one is not right.
func (r *run) openSigned(signed []byte, what string) (log.Checkpoint, error) {
	claimed, err := log.Unverified(signed)
	if err != nil {
		return claimed, refuted(err.Error(), "%s is damaged: it is no signed checkpoint.", what)
	}
	if claimed.Origin != r.keys.Origin() {
		return claimed, refuted(fmt.Sprintf("It names %q, and the policy %q.", claimed.Origin, r.keys.Origin()), "%s is another log's.", what)
	}
	c, err := r.keys.Open(signed)
	if err != nil {
		return c, refuted(err.Error(), "%s does not carry both signatures of this log.", what)
	}
	return c, nil
}

// witnessed checks cosignatures under a checkpoint. enough is false where those that are there do not suffice.
func (r *run) witnessed(signed []byte) (enough bool, err error) {
	cosigned, err := r.policy.Cosignatures(signed)
	if err != nil {
		return false, refuted(err.Error(), "The signature of a witness under the checkpoint is false.")
	}
	var names []string
	for _, c := range cosigned {
		names = append(names, c.Witness)
	}
	at, enough := r.policy.WitnessedAt(cosigned)
	if len(names) > 0 {
		r.facts["witnesses"] = names
	}
	if enough && !r.policy.QuorumNone() {
		r.facts["witnessedAt"] = time.Unix(int64(at), 0).UTC().Format(time.RFC3339)
	}
	return enough, nil
}

// newest reads and verifies the checkpoint that a log shows.
func (r *run) newest(ctx context.Context, src log.Source) (log.Checkpoint, []byte, error) {
	signed, err := src.Read(ctx, checkpointPath)
	if errors.Is(err, log.ErrNoTile) {
		return log.Checkpoint{}, nil, undecided("", "There is no log here: no checkpoint is found.")
	}
	if err != nil {
		return log.Checkpoint{}, nil, r.unread(err)
	}
	if r.policy == nil { // copy: whoever verifies the copy has the keys
		c, err := log.Unverified(signed)
		if err != nil {
			err = refuted(err.Error(), "What is shown as the log's checkpoint is none.")
		}
		return c, signed, err
	}
	c, err := r.openSigned(signed, "The log's checkpoint")
	if err != nil {
		return c, nil, err
	}
	enough, err := r.witnessed(signed)
	if err == nil && !enough {
		err = refuted(fmt.Sprintf("Witnesses that signed: %v.", r.facts["witnesses"]), "Fewer witnesses vouch for the log's checkpoint than the policy asks for.")
	}
	r.facts["size"], r.facts["root"] = c.Size, c.Root.String()
	return c, signed, err
}

// audit is told of every leaf and keeps the first rule that the log broke. That is said only once the leaves are known to be
// those that the log signed: till then whoever made a copy may have broken it.
type audit struct {
	placed log.MapTree
	counts [log.TypeMapRoot + 1]uint64
	last   uint16
	broken error
}

func (a *audit) leaf(index uint64, l log.Leaf) error {
	if a.broken != nil {
		return nil
	}
	a.counts[l.Type]++
	a.last = l.Type
	item, ok := log.MapItemOf(l)
	if ok && a.placed.Insert(item) != nil {
		a.broken = refuted(fmt.Sprintf("The map's key %v comes a second time with leaf %d.", item.Key, index),
			"The log has two entries in one place. People who asked for that place could be shown either. It is entry number %d.", index)
	}
	if !ok && a.placed.Root() != l.Commit {
		a.broken = refuted(fmt.Sprintf("Leaf %d has map root %v, and the leaves before it give %v.", index, l.Commit, a.placed.Root()),
			"The log's register of its own entries is false at entry number %d: with it the log could deny entries that it has.", index)
	}
	return nil
}

// whole verifies everything that a log promises: every leaf and tile, and its map. also may be nil.
func (r *run) whole(ctx context.Context, src log.Source, c log.Checkpoint, also func(log.Leaf)) error {
	a := &audit{}
	err := log.VerifyTree(ctx, src, c, log.VerifyOptions{Progress: r.progress(), Leaf: func(index uint64, l log.Leaf) error {
		if also != nil {
			also(l)
		}
		return a.leaf(index, l)
	}})
	if err != nil {
		return r.unread(err)
	}
	if a.broken != nil {
		return a.broken
	}
	if c.Size > 0 && a.last != log.TypeMapRoot {
		return refuted(fmt.Sprintf("Leaf %d has type %d.", c.Size-1, a.last), "The log's checkpoint does not end with the register of its entries, as it must.")
	}
	r.facts["leaves"] = map[string]uint64{"state": a.counts[log.TypeState], "trail": a.counts[log.TypeTrail], "server": a.counts[log.TypeServer],
		"keys": a.counts[log.TypeKeys], "mapRoots": a.counts[log.TypeMapRoot]}
	return nil
}

// showsNewest is whether what is read is all that the log signed: a log that waits for witnesses shows less, and a copy may
// be of any time.
func (r *run) showsNewest() bool { return r.remote && r.policy.QuorumNone() }

// extends checks that a log begins with what it had when a checkpoint was kept.
func (r *run) extends(ctx context.Context, src log.Source, c log.Checkpoint, signed []byte, file string) error {
	kept, err := readFile(file, log.MaxNoteSize)
	if err != nil {
		return err
	}
	old, err := r.keys.Open(kept)
	if err != nil {
		return misused("%s is no checkpoint of this log: %v.", file, err)
	}
	detail := fmt.Sprintf("Kept in %s: %d entries, root %v. Shown: %d entries, root %v.", file, old.Size, old.Root, c.Size, c.Root)
	if old.Size > c.Size && r.showsNewest() {
		return refuted(detail, "The log is shorter than it was, by %d: entries are gone, or this is an older state of it.", old.Size-c.Size)
	}
	if old.Size > c.Size {
		return undecided(detail, "What is shown here of the log is older than %s, by %d entries.", file, old.Size-c.Size)
	}
	root, err := log.NewReader(src, c).RootAt(ctx, old.Size)
	if err != nil {
		return r.unread(err)
	}
	if root == old.Root {
		r.facts["extends"] = old.Size
		return nil
	}
	what := "The log was rewritten: it no longer begins with the entries that it had. Its own signatures prove it."
	if r.evidenceFile != "" {
		e := log.Evidence{Kind: log.EvidenceFork, Origin: c.Origin, At: time.Now(), What: what, Promised: string(kept), Shown: string(signed)}
		if old.Size == c.Size {
			e.Kind = log.EvidenceTwoRoots
		}
		for _, l := range r.policy.Logs {
			if l.Origin == c.Origin {
				e.Keys = append(e.Keys, l.Key)
			}
		}
		if err := replaceFile(r.evidenceFile, e.Format()); err != nil {
			return err
		}
		detail += " The proof is in " + r.evidenceFile + "."
	}
	return refuted(detail, "%s", what)
}

// extendsKept checks what --from and --save name.
func (r *run) extendsKept(ctx context.Context, src log.Source, c log.Checkpoint, signed []byte) error {
	if r.from != "" {
		if err := r.extends(ctx, src, c, signed, r.from); err != nil {
			return err
		}
	}
	if _, err := os.Stat(r.save); r.save == "" || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return r.extends(ctx, src, c, signed, r.save)
}

func replaceFile(name string, b []byte) error {
	err := os.WriteFile(name+".new", b, 0o644)
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err != nil {
		return undecided(err.Error(), "%s could not be written.", name)
	}
	return nil
}

// checked verifies a whole log, and that it extends what was kept of it.
func (r *run) checked(ctx context.Context, where string, also func(log.Leaf)) (log.Checkpoint, []byte, error) {
	src, err := r.open(where)
	if err != nil {
		return log.Checkpoint{}, nil, err
	}
	c, signed, err := r.newest(ctx, src)
	if err != nil {
		return c, nil, err
	}
	if err := r.extendsKept(ctx, src, c, signed); err != nil {
		return c, nil, err
	}
	return c, signed, r.whole(ctx, src, c, also)
}

// keep saves the checkpoint of a log that was verified.
func (r *run) keep(signed []byte) error {
	if r.save == "" {
		return nil
	}
	return replaceFile(r.save, signed)
}

func (r *run) checkLog(ctx context.Context, args []string) (string, error) {
	c, signed, err := r.checked(ctx, args[0], nil)
	if err != nil {
		return "", err
	}
	sentence := fmt.Sprintf("All %d entries are those that the log signed, and its register has each of them once.", c.Size)
	if size, ok := r.facts["extends"]; ok {
		sentence += fmt.Sprintf(" It begins with the %d entries that it had before.", size)
	}
	if at, ok := r.facts["witnessedAt"]; ok {
		sentence += fmt.Sprintf(" Enough witnesses vouch for it, as of %s.", at)
	}
	return sentence, r.keep(signed)
}

func (r *run) checkMatter(ctx context.Context, args []string) (string, error) {
	if r.keysFile == "" {
		return "", misused("Give --keys with the matter's link keys.")
	}
	b, err := readFile(r.keysFile, 16<<20)
	if err != nil {
		return "", err
	}
	links, err := log.ParseLinkKeys(b)
	if err != nil {
		return "", misused("%s has no link keys.", r.keysFile)
	}
	if links.Origin != r.keys.Origin() {
		return "", misused("%s is about a matter in another log: %s.", r.keysFile, links.Origin)
	}
	tagged := map[uint16]map[wire.Hash]log.Leaf{log.TypeState: {}, log.TypeTrail: {}}
	c, signed, err := r.checked(ctx, args[0], func(l log.Leaf) {
		if of := tagged[l.Type]; of != nil {
			of[l.Tag] = l
		}
	})
	if err != nil {
		return "", err
	}
	r.facts["matter"] = links.Chain.String()
	reach := links.Epochs[len(links.Epochs)-1].Epoch
	r.facts["epoch"] = reach
	sentence := fmt.Sprintf("Nothing is missing from the matter, as far as these keys reach: epoch %d. In the log", reach)
	for _, kind := range []uint16{log.TypeState, log.TypeTrail} {
		name := map[uint16]string{log.TypeState: "state", log.TypeTrail: "trail"}[kind]
		n, head, err := walk(links, kind, tagged[kind])
		if errors.Is(err, errEnds) && !r.showsNewest() {
			return "", undecided(err.Error(), "What is shown here of the log, %d entries, ends before these keys do, at position %d of the matter's %s. Nothing before is missing.", c.Size, n, name)
		}
		if err != nil {
			return "", refuted(err.Error(), "%s", walkFailed(err, name, n))
		}
		r.facts[name] = map[string]any{"entries": n, "head": head.String()}
		sentence += fmt.Sprintf(" its %s has %d entries", name, n)
		if n > 0 {
			sentence += fmt.Sprintf(", the last with hash %v", head)
		}
		sentence += ";"
	}
	return sentence + " and the log has none after them under these keys. Compare that with the people in the matter.", r.keep(signed)
}

// beyondEnd is how many positions after the end of a sequence are tried, beside as many as there are leaves.
const beyondEnd = 1 << 12

// errEnds is log.ErrIncomplete where nothing comes after what is missing.
var errEnds = fmt.Errorf("%w, and none after it is there", log.ErrIncomplete)

// walk follows a sequence to its end. That no leaf has the next tag is an end only if none has a later one either: otherwise
// an entry was taken out of the middle.
func walk(links log.LinkKeys, kind uint16, leaves map[wire.Hash]log.Leaf) (n uint64, head wire.Hash, err error) {
	find := func(tag wire.Hash) (log.Leaf, bool) { l, ok := leaves[tag]; return l, ok }
	n, head, err = links.Walk(kind, find, nil)
	if err != nil && !errors.Is(err, log.ErrIncomplete) {
		return n, head, err
	}
	if p, ok := after(links, kind, n, find, beyondEnd+uint64(len(leaves))); ok {
		return n, head, fmt.Errorf("%w: position %d is there", log.ErrIncomplete, p)
	}
	if err == nil && n == 0 && kind == log.TypeState {
		err = fmt.Errorf("%w: every matter begins with one", errEnds)
	} else if err != nil {
		err = errEnds
	}
	return n, head, err
}

// after looks for an entry after position n, under every key that may be its.
func after(links log.LinkKeys, kind uint16, n uint64, find func(wire.Hash) (log.Leaf, bool), tries uint64) (uint64, bool) {
	for i, e := range links.Epochs {
		key, from, end := e.State, e.StateFrom, uint64(math.MaxUint64)
		if kind == log.TypeTrail {
			key, from = e.Trail, e.TrailFrom
		}
		if i+1 < len(links.Epochs) {
			if end = links.Epochs[i+1].StateFrom; kind == log.TypeTrail {
				end = links.Epochs[i+1].TrailFrom
			}
		}
		from = max(from, n+1)
		for k := uint64(0); k < tries && from+k < end; k++ {
			if _, ok := find(key.Tag(links.Chain, kind, from+k)); ok {
				return from + k, true
			}
		}
	}
	return 0, false
}

func walkFailed(err error, name string, n uint64) string {
	if errors.Is(err, log.ErrIncomplete) {
		return fmt.Sprintf("An entry of the matter is missing from the log: the one at position %d of its %s.", n, name)
	}
	return fmt.Sprintf("An entry of the matter was replaced or moved: what stands at position %d of its %s does not follow from the entries before it.", n, name)
}

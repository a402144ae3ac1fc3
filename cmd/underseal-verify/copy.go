package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/underseal/underseal/protocol/log"
)

// keeper reads what a folder has, and from the log what it has not, and keeps that.
type keeper struct {
	from log.Source
	to   folder
}

var _ log.Source = (*keeper)(nil)

// Read implements log.Source, for tiles and bundles.
func (k *keeper) Read(ctx context.Context, name string) ([]byte, error) {
	t, err := log.ParseTilePath(name)
	if err != nil {
		return nil, err
	}
	want := t.Width * log.MaxTileSize / log.TileWidth
	if t.Level == log.LevelEntries {
		want = t.Width * log.MaxBundleSize / log.TileWidth
	}
	b, err := k.to.Read(ctx, name)
	if err == nil && len(b) == want || err != nil && !errors.Is(err, log.ErrNoTile) && !errors.Is(err, log.ErrTile) {
		return b, err
	}
	if b, err = k.from.Read(ctx, name); err != nil || len(b) != want {
		return b, err // what has another length is for who reads to refuse
	}
	return b, k.to.write(name, b)
}

// copyLog verifies the tree as it copies it. The checkpoint comes last: a folder that has one has all that it signs.
func (r *run) copyLog(ctx context.Context, args []string) (string, error) {
	src, err := r.open(args[0])
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(args[1], 0o755); err != nil {
		return "", misused("%v.", err)
	}
	root, err := os.OpenRoot(args[1])
	if err != nil {
		return "", misused("%v.", err)
	}
	defer root.Close()
	to := folder{root}
	c, signed, err := r.newest(ctx, src)
	if err != nil {
		return "", err
	}
	newer, err := r.beyond(ctx, src, c, signed, to)
	if err != nil {
		return "", err
	}
	if err := log.VerifyTree(ctx, &keeper{src, to}, c, log.VerifyOptions{Progress: r.progress()}); err != nil {
		if errors.Is(err, log.ErrTile) {
			return "", refuted(err.Error(), "What the log shows is not what it signed, or the files that are in %s already are not.", args[1])
		}
		return "", r.unread(err)
	}
	if newer {
		if err := to.write(checkpointPath, signed); err != nil {
			return "", err
		}
	}
	r.facts["origin"], r.facts["size"], r.facts["root"] = c.Origin, c.Size, c.Root.String()
	sentence := fmt.Sprintf("All %d entries of %s are in %s.", c.Size, c.Origin, args[1])
	if r.policy == nil {
		sentence += " Nobody's signature was checked: underseal-verify log does that."
	}
	return sentence, nil
}

// beyond refuses a log that would replace a copy by less than it has, or by another history. newer is false where the
// checkpoint that is there says as much.
func (r *run) beyond(ctx context.Context, src log.Source, c log.Checkpoint, signed []byte, to folder) (newer bool, err error) {
	had, err := to.Read(ctx, checkpointPath)
	if errors.Is(err, log.ErrNoTile) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	old, err := log.Unverified(had)
	if err != nil || old.Origin != c.Origin {
		return false, misused("The folder has another log's copy, or a damaged one. Nothing was changed.")
	}
	detail := fmt.Sprintf("Copied before: %d entries, root %v. Shown: %d entries, root %v.", old.Size, old.Root, c.Size, c.Root)
	if c.Size < old.Size {
		return false, refuted(detail, "The log has fewer entries than the copy of it. Nothing was changed.")
	}
	was, err := log.NewReader(src, c).RootAt(ctx, old.Size)
	if err != nil {
		return false, r.unread(err)
	}
	if was != old.Root {
		return false, refuted(detail, "The log was rewritten: it no longer begins with what was copied. Nothing was changed.")
	}
	return c.Size > old.Size || len(signed) > len(had), nil
}

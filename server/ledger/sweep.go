package ledger

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// errLayout says that the store holds what the server did not write.
var errLayout = errors.New("ledger: a stored row is damaged")

// Sweep takes a little of what is past its time in a firm away.
func Sweep(tx store.Tx, now int64) error {
	return layout.Sweep(tx, now, func(row, value []byte) error { return sweep(tx, row, value) })
}

// sweep ends one row of a firm that is past its time.
func sweep(tx store.Tx, row, value []byte) error {
	if strings.HasPrefix(string(row), "session/") {
		var s layout.Session
		if err := json.Unmarshal(value, &s); err != nil {
			return err
		}
		if err := tx.Delete(layout.FirmSessionKey(s.Member, row)); err != nil {
			return err
		}
	}
	if !strings.HasPrefix(string(row), "upload/") {
		return tx.Delete(row)
	}
	upload, err := wire.ParseObjectID(layout.Last(row))
	if err != nil {
		return err
	}
	var u layout.Upload
	if err := json.Unmarshal(value, &u); err != nil {
		return err
	}
	return dropUpload(tx, upload, u)
}

// Purges names up to limit uploads whose bytes are to go.
func Purges(tx store.Tx, limit int) (out []wire.ObjectID, err error) {
	err = tx.Scan(layout.Purges(), nil, limit, func(k, _ []byte) error {
		id, err := wire.ParseObjectID(layout.Last(k))
		out = append(out, id)
		return err
	})
	return out, err
}

// purgeRows is how many chunk rows one transaction takes away.
const purgeRows = 4096

// Purged takes the rows of an upload away whose bytes are gone. It is to be called until it reports that nothing is left.
func Purged(tx store.Tx, upload wire.ObjectID) (done bool, err error) {
	n := 0
	err = tx.Scan(layout.ChunksOf(upload), nil, purgeRows, func(k, _ []byte) error {
		n++
		return tx.Delete(k)
	})
	if err != nil || n == purgeRows {
		return false, err
	}
	if err := tx.Delete(layout.UploadKey(upload)); err != nil {
		return false, err
	}
	return true, tx.Delete(layout.PurgeKey(upload))
}

package log

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/underseal/underseal/protocol/wire"
)

const (
	receiptHeader = "c2sp.org/tlog-proof@v1\n"

	// MaxExtraSize bounds what a receipt carries beside its proof.
	MaxExtraSize = 4096
	// MaxReceiptSize bounds receipts.
	MaxReceiptSize = MaxNoteSize + 2*MaxExtraSize + 64*maxPath
)

// ErrReceipt says that bytes are not the one spelling of a receipt.
var ErrReceipt = errors.New("malformed receipt")

// Receipt proves, to whoever has the log's keys and nothing else, that a leaf is in the log (c2sp.org/tlog-proof). A parsed
// receipt is not a verified one.
type Receipt struct {
	Extra      []byte // in ours the leaf, so that the file stands alone. Nothing but Verify vouches for it.
	Index      uint64
	Path       []wire.Hash // as CheckInclusion takes it
	Checkpoint []byte      // signed
}

// Format is the text that ParseReceipt takes.
func (r Receipt) Format() []byte { return []byte(r.String()) }

// String is Format as a string.
func (r Receipt) String() string {
	encode := base64.StdEncoding.EncodeToString
	var b strings.Builder
	b.Grow(len(receiptHeader) + len("extra \nindex \n\n") + 20 + base64.StdEncoding.EncodedLen(len(r.Extra)) + 45*len(r.Path) + len(r.Checkpoint))
	b.WriteString(receiptHeader)
	if len(r.Extra) > 0 {
		b.WriteString("extra " + encode(r.Extra) + "\n")
	}
	b.WriteString("index " + strconv.FormatUint(r.Index, 10) + "\n")
	for _, h := range r.Path {
		b.WriteString(encode(h[:]) + "\n")
	}
	b.WriteString("\n")
	b.Write(r.Checkpoint)
	return b.String()
}

// ParseReceipt is the inverse of Format. It refuses what could not be verified under any key.
func ParseReceipt(b []byte) (Receipt, error) {
	if len(b) > MaxReceiptSize {
		return Receipt{}, fmt.Errorf("%w: too long", ErrReceipt)
	}
	head, signed, found := strings.Cut(string(b), "\n\n")
	rest, known := strings.CutPrefix(head+"\n", receiptHeader)
	if !found || !known {
		return Receipt{}, fmt.Errorf("%w: another format", ErrReceipt)
	}
	r := Receipt{Checkpoint: []byte(signed)}
	lines := strings.Split(strings.TrimSuffix(rest, "\n"), "\n")
	if extra, ok := strings.CutPrefix(lines[0], "extra "); ok {
		var err error
		if r.Extra, err = base64.StdEncoding.DecodeString(extra); err != nil || len(r.Extra) > MaxExtraSize {
			return Receipt{}, fmt.Errorf("%w: extra", ErrReceipt)
		}
		lines = lines[1:]
	}
	if err := r.parsePath(lines); err != nil {
		return Receipt{}, err
	}
	c, _, err := splitNote(r.Checkpoint)
	if err != nil {
		return Receipt{}, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	if r.Index >= c.Size || !bytes.Equal(r.Format(), b) {
		return Receipt{}, fmt.Errorf("%w: another spelling", ErrReceipt)
	}
	return r, nil
}

// parsePath reads the line of the index and those of the path.
func (r *Receipt) parsePath(lines []string) (err error) {
	if len(lines) == 0 || len(lines) > 1+maxPath {
		return fmt.Errorf("%w: path", ErrReceipt)
	}
	index, ok := strings.CutPrefix(lines[0], "index ")
	if r.Index, err = strconv.ParseUint(index, 10, 64); err != nil || !ok {
		return fmt.Errorf("%w: index", ErrReceipt)
	}
	for _, line := range lines[1:] {
		h, err := parseHashLine(line)
		if err != nil {
			return fmt.Errorf("%w: path", ErrReceipt)
		}
		r.Path = append(r.Path, h)
	}
	return nil
}

// Verify proves that the log has the leaf of that hash at r.Index, and returns the checkpoint under which it does.
func (r Receipt) Verify(k *Keys, leafHash wire.Hash) (Checkpoint, error) {
	c, err := k.Open(r.Checkpoint)
	if err != nil {
		return Checkpoint{}, err
	}
	if err := CheckInclusion(r.Path, r.Index, c.Size, c.Root, leafHash); err != nil {
		return Checkpoint{}, err
	}
	return c, nil
}

package log

import "bytes"

// Unverified is what a signed note says, before anybody has checked a signature: for who made it, and to say what was shown.
func Unverified(signed []byte) (Checkpoint, error) {
	end := bytes.Index(signed, []byte("\n\n"))
	if end < 0 {
		return Checkpoint{}, ErrCheckpoint
	}
	return parseCheckpoint(string(signed[:end+1]))
}

package vault

import (
	"crypto/sha256"

	"github.com/underseal/underseal/keys"
)

// PasskeySalt is what every client asks a passkey's PRF for. It is a constant
// of the client: a salt chosen by the server would let it collect outputs that
// another server's vault opens with.
func PasskeySalt() [32]byte { return sha256.Sum256([]byte(keys.LabelPasskeySalt)) }

// PasskeyUnlockKey makes the unlock key from a PRF output, which has exactly
// 32 bytes. The output itself is used for nothing else and is never sent. The
// error is ErrPRF.
func PasskeyUnlockKey(prfOutput []byte) ([keys.KeySize]byte, error) {
	if len(prfOutput) != 32 {
		return [keys.KeySize]byte{}, ErrPRF
	}
	return keys.Derive(prfOutput, keys.LabelUnlockPasskey), nil
}

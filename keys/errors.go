package keys

import "errors"

var (
	// ErrSignature means that a signature does not verify, whatever the reason.
	ErrSignature = errors.New("keys: signature does not verify")
	// ErrWrap is the one error for a wrap that does not open: another key,
	// another context, changed or cut. It tells no more (attack 15).
	ErrWrap = errors.New("keys: wrap does not open")
	// ErrMalformed means that public bytes are not the encoding of anything.
	ErrMalformed = errors.New("keys: malformed")
	// errPrivate is returned where a private key would have been serialised.
	errPrivate = errors.New("keys: private keys are not serialised")
)

package chain

import "errors"

// Every error of Apply and Open wraps one of these. All but ErrNoKey mean that somebody lied, and are final.
var (
	ErrOrder      = errors.New("entry does not follow the one before it")
	ErrWrongChain = errors.New("entry belongs to another chain")
	ErrErased     = errors.New("an envelope is gone, and no owner said so")
	ErrSession    = errors.New("the session's certificate has run out")
	ErrEvent      = errors.New("not an entry of the server sequence at this place")
	ErrLeaf       = errors.New("entry is not committed to by its leaf")
	ErrEpoch      = errors.New("entry is of another epoch")
	ErrEnvelope   = errors.New("entry does not open under its epoch's key")
	ErrEntrySig   = errors.New("entry is not signed by its author")
	ErrMismatch   = errors.New("effect and body of an entry disagree")
	ErrRights     = errors.New("author may not do this")
	ErrRoster     = errors.New("statement seats somebody nobody admitted, or changes who somebody is")
	ErrCommitment = errors.New("epoch key is not the one its statement commits to")
	ErrStateRoot  = errors.New("derived state is not the one that was signed")
	ErrInvite     = errors.New("invite does not allow this")
	ErrWrap       = errors.New("wrap is not one the statement made for us")
	ErrFirst      = errors.New("first statement is not what the chain id names")
	ErrKeyBundle  = errors.New("key bundle is not signed by its own keys")
	ErrKeyLink    = errors.New("not a key link that the keys before it signed")
	ErrStale      = errors.New("somebody has new keys, and no owner has renewed the chain's since")
	ErrRecovery   = errors.New("recovery does not allow this")
	ErrNoKey      = errors.New("no key for this epoch")
	ErrAnchor     = errors.New("chain does not hold what the link pinned")
	ErrInput      = errors.New("this cannot be done here") // authoring only: the caller asked for the impossible
)

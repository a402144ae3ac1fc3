package client

// ReplyError is the error that an answer with a status of no success is. A Pump, which reads its answers itself, uses it so
// that both sides know the same codes, and no others.
func ReplyError(status int, body []byte) error { return parseError(status, body) }

package client

import (
	"context"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
)

// publicNote is the checkpoint that others hold the public log to: the newest that the firm's witnesses saw, as the public log
// shows no newer one. Where there are no witnesses, or they saw none yet, it is note, the newest that was signed.
func (c *Client) publicNote(ctx context.Context, firm wire.ChainID, l *firmLog, note string) (string, error) {
	if l.policy == nil {
		return note, nil
	}
	var state api.LogState
	since := l.seen()
	if err := c.getFirm(ctx, firm, api.Log(firm, since.Size), &state); err != nil {
		return "", err
	}
	newest, err := c.take(ctx, firm, l, []byte(state.Checkpoint), state.Consistency, since, false)
	if err != nil {
		return "", err
	}
	if state.Witnessed == "" {
		return note, nil
	}
	var view LogView
	if err := c.witnesses(l, newest, state, &view); err != nil {
		return "", err
	}
	at, err := l.witnessedAt([]byte(state.Witnessed))
	if err != nil || at.IsZero() {
		return note, err
	}
	return state.Witnessed, nil
}

package client

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
)

// deviceRecord makes a device one of an account's. It lies unsealed: there is no key yet when it is needed. The secret alone opens
// nothing, and without it a server that was stolen, with all its keys, has no password to guess at. Whoever unlocks the account
// here by any way leaves it.
type deviceRecord struct {
	Account wire.ObjectID `json:"account"`
	Secret  []byte        `json:"secret"`          // vault.AccountSecret
	Login   string        `json:"login,omitempty"` // that was typed here last
}

const devicePrefix = "device/"

func deviceName(account wire.ObjectID) string { return devicePrefix + account.String() }

// device reads the record of an account. found is false where this device is none of its own; a record that is damaged is none.
func (c *Client) device(ctx context.Context, account wire.ObjectID) (r deviceRecord, found bool, err error) {
	b, err := c.config.Device.Get(ctx, deviceName(account))
	if errors.Is(err, ErrAbsent) {
		return deviceRecord{}, false, nil
	}
	if err != nil {
		return deviceRecord{}, false, err
	}
	found = json.Unmarshal(b, &r) == nil && r.Account == account && len(r.Secret) == len(vault.AccountSecret{})
	return r, found, nil
}

// enrolDevice leaves the record of an account that is unlocked. login is what was typed, or empty: then what was typed before
// stays.
func (c *Client) enrolDevice(ctx context.Context, a *account, login string) error {
	secret := a.root.AccountSecret()
	c.secret("account secret", secret[:])
	old, found, err := c.device(ctx, a.id)
	if err != nil {
		return err
	}
	r := deviceRecord{Account: a.id, Secret: secret[:], Login: login}
	if login == "" {
		r.Login = old.Login
	}
	if found && slices.Equal(old.Secret, r.Secret) && old.Login == r.Login {
		return nil
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := c.config.Device.Put(ctx, deviceName(a.id), b); err != nil {
		return &Failure{Code: api.CodeNoRoom, cause: err}
	}
	return nil
}

// Logins are the names that somebody signed in with on this device, for a form to begin with.
func (c *Client) Logins(ctx context.Context) ([]string, error) {
	names, err := c.config.Device.List(ctx, devicePrefix)
	if err != nil {
		return nil, failureOf(err)
	}
	logins := []string{}
	for _, name := range names {
		id, err := wire.ParseObjectID(strings.TrimPrefix(name, devicePrefix))
		if err != nil {
			continue
		}
		r, found, err := c.device(ctx, id)
		if err != nil {
			return nil, failureOf(err)
		}
		if found && r.Login != "" {
			logins = append(logins, r.Login)
		}
	}
	return logins, nil
}

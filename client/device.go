package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/wire"
)

// deviceRecord makes a device one of an account's. It lies unsealed: there is no key yet when it is needed. The secret alone opens
// nothing, and without it a server that was stolen, with all its keys, has no password to guess at. Whoever unlocks the account
// here by any way leaves it.
type deviceRecord struct {
	Account wire.ObjectID `json:"account"`
	Secret  []byte        `json:"secret"`          // vault.AccountSecret
	Login   string        `json:"login,omitempty"` // that was typed here last
	Device  wire.ObjectID `json:"device,omitzero"` // what the server knows this device by
	Token   []byte        `json:"token,omitempty"` // that shows the server that it is this one
}

func (r deviceRecord) same(o deviceRecord) bool {
	return r.Account == o.Account && r.Login == o.Login && r.Device == o.Device && bytes.Equal(r.Secret, o.Secret) && bytes.Equal(r.Token, o.Token)
}

const (
	devicePrefix = "device/"
	deviceToken  = 32
)

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
	r := old
	r.Account, r.Secret = a.id, secret[:]
	if login != "" {
		r.Login = login
	}
	if r.Device.IsZero() || len(r.Token) != deviceToken {
		if r.Device, err = wire.NewObjectID(c.config.Random); err != nil {
			return err
		}
		r.Token = make([]byte, deviceToken)
		if _, err := io.ReadFull(c.config.Random, r.Token); err != nil {
			return err
		}
		c.secret("device token", r.Token)
	}
	if found && r.same(old) {
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

// deviceRecords are those of every account that this device is one of.
func (c *Client) deviceRecords(ctx context.Context) ([]deviceRecord, error) {
	names, err := c.config.Device.List(ctx, devicePrefix)
	if err != nil {
		return nil, err
	}
	var list []deviceRecord
	for _, name := range names {
		id, err := wire.ParseObjectID(strings.TrimPrefix(name, devicePrefix))
		if err != nil {
			continue
		}
		r, found, err := c.device(ctx, id)
		if err != nil {
			return nil, err
		}
		if found {
			list = append(list, r)
		}
	}
	return list, nil
}

// deviceProofs go with a sign-in: whose it is shows only in the answer.
func (c *Client) deviceProofs(ctx context.Context) (proofs []api.DeviceProof, err error) {
	list, err := c.deviceRecords(ctx)
	for _, r := range list {
		if len(r.Token) == deviceToken && len(proofs) < api.MaxDevices {
			proofs = append(proofs, api.DeviceProof{Device: r.Device, Token: r.Token})
		}
	}
	return proofs, err
}

// revokedHere drops the record of this device that the server says was revoked: it is to be enrolled again like a new one. Nothing
// else goes on a server's word: what was seen of a log stays.
func (c *Client) revokedHere(ctx context.Context, err error) error {
	var told *api.Error
	if !errors.As(err, &told) || told.Code != api.CodeDeviceRevoked {
		return err
	}
	list, listErr := c.deviceRecords(ctx)
	for _, r := range list {
		if r.Device == told.Device {
			listErr = errors.Join(listErr, c.config.Device.Delete(ctx, deviceName(r.Account)))
		}
	}
	if listErr != nil {
		return &Failure{Code: api.CodeDeviceRevoked, cause: errors.Join(err, listErr)}
	}
	return err
}

// register tells the server which device this is, and gives it a name where it has none. Where that fails it is tried at the next
// sign-in; only that it was revoked ends this one.
func (c *Client) register(ctx context.Context, a *account) error {
	r, found, err := c.device(ctx, a.id)
	if err != nil || !found {
		return err
	}
	err = c.changeFactors(ctx, a, methodPost, api.RouteDevices, api.NewDevice{Device: r.Device, Hash: sha256.Sum256(r.Token)}, nil)
	if hasCode(err, api.CodeDeviceRevoked) {
		err = c.revokedHere(ctx, err)
		c.SignOut(ctx)
		return failureOf(err)
	}
	c.mu.Lock()
	known := a.ring.device(r.Device) != nil
	c.mu.Unlock()
	if err != nil || known {
		return nil
	}
	named := namedDevice{ID: r.Device, Name: c.config.DeviceName, AddedAt: c.config.Now().UnixMilli()}
	_ = c.updateKeyring(ctx, func(k *keyring) {
		if k.device(r.Device) == nil {
			k.Devices = append(k.Devices, named)
		}
	})
	return nil
}

// DeviceView is a device of the account. Times are milliseconds.
type DeviceView struct {
	ID         string `json:"id"`
	Name       string `json:"name"` // empty where nobody named it
	CreatedAt  int64  `json:"createdAt"`
	LastUsedAt int64  `json:"lastUsedAt"`
	Current    bool   `json:"current"`
	Revoked    bool   `json:"revoked"` // and the account still has the root that it had
}

// DevicesView are the devices of the account, oldest first. RootDue: one was revoked, and the root is still to be replaced.
type DevicesView struct {
	Devices []DeviceView `json:"devices"`
	RootDue bool         `json:"rootDue"`
}

// Devices lists them, as the server says, by the names that their owner gave them.
func (c *Client) Devices(ctx context.Context) (DevicesView, error) {
	a, err := c.who()
	if err != nil {
		return DevicesView{}, err
	}
	var reply api.Devices
	if err := c.call(ctx, methodGet, api.RouteDevices, nil, &reply); err != nil {
		return DevicesView{}, failureOf(err)
	}
	if c.unnamed(a, reply) {
		c.ringing.Lock()
		err = c.freshKeyring(ctx, a)
		c.ringing.Unlock()
		if err != nil {
			return DevicesView{}, c.refuse(ctx, "the account's own record", err)
		}
	}
	return c.devicesView(reply)
}

// unnamed reports whether the keyring here knows one of the devices not: it named itself there, so there is a newer one.
func (c *Client) unnamed(a *account, reply api.Devices) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(reply.Devices, func(d api.Device) bool { return a.ring.device(d.Device) == nil })
}

func (c *Client) devicesView(reply api.Devices) (DevicesView, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account == nil {
		return DevicesView{}, fail(api.CodeNotSignedIn, "")
	}
	ring := &c.account.ring
	v := DevicesView{Devices: []DeviceView{}, RootDue: ring.rootDue()}
	for _, d := range reply.Devices {
		x := DeviceView{ID: d.Device.String(), CreatedAt: d.Created * 1000, LastUsedAt: d.LastUsed * 1000, Current: d.Current, Revoked: d.Revoked}
		if named := ring.device(d.Device); named != nil {
			x.Name = named.Name
			x.Revoked = x.Revoked || named.Revoked
		}
		v.RootDue = v.RootDue || x.Revoked
		v.Devices = append(v.Devices, x)
	}
	return v, nil
}

// RenameDevice changes what its owner calls a device.
func (c *Client) RenameDevice(ctx context.Context, id wire.ObjectID, name string) error {
	if document.CheckTitle(name) != nil {
		return fail(api.CodeBadName, "")
	}
	if err := c.deviceOf(ctx, id); err != nil {
		return err
	}
	added := c.config.Now().UnixMilli()
	return failureErr(c.updateKeyring(ctx, func(k *keyring) {
		if named := k.device(id); named != nil {
			named.Name = name
			return
		}
		k.Devices = append(k.Devices, namedDevice{ID: id, Name: name, AddedAt: added})
	}))
}

// deviceOf is whether a device is one of the account's.
func (c *Client) deviceOf(ctx context.Context, id wire.ObjectID) error {
	v, err := c.Devices(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(v.Devices, func(d DeviceView) bool { return d.ID == id.String() }) {
		return fail(api.CodeNotHere, "")
	}
	return nil
}

// RevokeDevice ends a device: when it returns, all its sessions have ended. The device still has the root, so RenewRoot is due,
// which the account remembers.
func (c *Client) RevokeDevice(ctx context.Context, id wire.ObjectID) (DevicesView, error) {
	if err := c.deviceOf(ctx, id); err != nil {
		return DevicesView{}, err
	}
	a, err := c.who()
	if err != nil {
		return DevicesView{}, err
	}
	var reply api.Devices
	if err := c.changeFactors(ctx, a, methodDelete, api.RouteDevices+"/"+id.String(), nil, &reply); err != nil {
		return DevicesView{}, failureOf(err)
	}
	err = c.updateKeyring(ctx, func(k *keyring) {
		if named := k.device(id); named != nil {
			named.Revoked = true
			return
		}
		k.Devices = append(k.Devices, namedDevice{ID: id, Revoked: true})
	})
	if err != nil {
		return DevicesView{}, failureOf(err)
	}
	return c.devicesView(reply)
}

// Logins are the names that somebody signed in with on this device, for a form to begin with.
func (c *Client) Logins(ctx context.Context) ([]string, error) {
	list, err := c.deviceRecords(ctx)
	if err != nil {
		return nil, failureOf(err)
	}
	logins := []string{}
	for _, r := range list {
		if r.Login != "" {
			logins = append(logins, r.Login)
		}
	}
	return logins, nil
}

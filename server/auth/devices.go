package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"slices"
	"time"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/access"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// ownedDevice is a device with its id.
type ownedDevice struct {
	layout.Device
	id wire.ObjectID
}

// readDevices are an account's devices, those that were revoked among them, oldest first.
func readDevices(tx store.Tx, account wire.ObjectID) (out []ownedDevice, err error) {
	err = tx.Scan(layout.DevicesOf(account), nil, 0, func(k, v []byte) error {
		id, err := wire.ParseObjectID(layout.Last(k))
		if err != nil {
			return err
		}
		d := ownedDevice{id: id}
		if err := json.Unmarshal(v, &d.Device); err != nil {
			return err
		}
		out = append(out, d)
		return nil
	})
	slices.SortFunc(out, func(x, y ownedDevice) int {
		if x.Created != y.Created {
			return int(x.Created - y.Created)
		}
		return bytes.Compare(x.id[:], y.id[:])
	})
	return out, err
}

// deviceOf is which of an account's devices signs in, of those that a browser says it is; zero where it is none. One that was
// revoked signs nobody in.
func deviceOf(tx store.Tx, now time.Time, account wire.ObjectID, proofs []api.DeviceProof) (wire.ObjectID, error) {
	id, d, err := shownDevice(tx, account, proofs)
	if err != nil || id.IsZero() {
		return id, err
	}
	if d.Revoked > 0 {
		return wire.ObjectID{}, &api.Error{Code: api.CodeDeviceRevoked, Device: id}
	}
	d.LastUsed = now.Unix()
	return id, layout.Put(tx, layout.DeviceKey(account, id), d)
}

// shownDevice is the first of an account's devices that a browser shows it is.
func shownDevice(tx store.Tx, account wire.ObjectID, proofs []api.DeviceProof) (id wire.ObjectID, d layout.Device, err error) {
	if len(proofs) > api.MaxDevices {
		return id, d, access.Deny(api.CodeTooLarge)
	}
	for _, p := range proofs {
		d, found, err := layout.Get[layout.Device](tx, layout.DeviceKey(account, p.Device))
		if err != nil {
			return id, d, err
		}
		hash := sha256.Sum256(p.Token)
		if found && subtle.ConstantTimeCompare(d.Hash[:], hash[:]) == 1 {
			return p.Device, d, nil
		}
	}
	return id, d, nil
}

// Devices lists an account's devices. One that was revoked is listed until the root was replaced: until then it has it.
func (a *Service) Devices(ctx context.Context, who Who) (out api.Devices, err error) {
	err = a.Store.View(ctx, layout.Accounts, func(tx store.Tx) error {
		out, err = listDevices(tx, who)
		return err
	})
	return out, err
}

func listDevices(tx store.Tx, who Who) (api.Devices, error) {
	out := api.Devices{Devices: []api.Device{}}
	all, err := readDevices(tx, who.Account)
	for _, d := range all {
		if !d.Renewed {
			out.Devices = append(out.Devices, api.Device{Device: d.id, Created: d.Created, LastUsed: d.LastUsed, Current: d.id == who.device, Revoked: d.Revoked > 0})
		}
	}
	return out, err
}

// NewDevice notes which device a session is of, and keeps it where it is new, which takes a proof and who has unlocked the account.
// The same again is answered as it was.
func (a *Service) NewDevice(ctx context.Context, now time.Time, who Who, req api.NewDevice) (out api.Devices, err error) {
	if req.Device.IsZero() {
		return out, access.Deny(api.CodeBadRequest)
	}
	err = a.updateAs(ctx, now, who, func(tx store.Tx) error {
		if err := keepDevice(tx, now, who, req); err != nil {
			return err
		}
		row, err := alive(tx, layout.SessionKey(who.Token), now)
		if err != nil {
			return err
		}
		row.Device, who.device = req.Device, req.Device
		if err := layout.Put(tx, layout.SessionKey(who.Token), row); err != nil {
			return err
		}
		out, err = listDevices(tx, who)
		return err
	})
	return out, err
}

// keepDevice keeps a device. One that is known is named by its token's hash, which its owner and the server have.
func keepDevice(tx store.Tx, now time.Time, who Who, req api.NewDevice) error {
	account := who.Account
	d, found, err := layout.Get[layout.Device](tx, layout.DeviceKey(account, req.Device))
	switch {
	case err != nil:
		return err
	case found && d.Hash != req.Hash:
		return access.Deny(api.CodeForbidden)
	case found && d.Revoked > 0:
		return &api.Error{Code: api.CodeDeviceRevoked, Device: req.Device}
	case !found:
		if err := who.justProved(now); err != nil {
			return err
		}
		if err := who.unlocked(tx); err != nil {
			return err
		}
		if err := roomForDevice(tx, account); err != nil {
			return err
		}
		d = layout.Device{Created: now.Unix(), Hash: req.Hash}
	}
	d.LastUsed = now.Unix()
	return layout.Put(tx, layout.DeviceKey(account, req.Device), d)
}

// roomForDevice drops the oldest of those that were revoked for good, where there is no room.
func roomForDevice(tx store.Tx, account wire.ObjectID) error {
	all, err := readDevices(tx, account)
	if err != nil || len(all) < api.MaxDevices {
		return err
	}
	for _, d := range all {
		if d.Renewed {
			return tx.Delete(layout.DeviceKey(account, d.id))
		}
	}
	return access.Deny(api.CodeTooLarge)
}

// RevokeDevice ends a device's sessions, everywhere, before it answers; from then on its token signs nobody in. What it has of
// the account's keys, the next root takes the use of. The same again is answered as it was.
func (a *Service) RevokeDevice(ctx context.Context, now time.Time, who Who, id wire.ObjectID) (out api.Devices, err error) {
	if err := who.justProved(now); err != nil {
		return out, err
	}
	if id == who.device {
		return out, access.Deny(api.CodeForbidden) // whoever revokes it signs out first: he is to go on with the next root
	}
	err = a.endBy(ctx, now, who, endedByRevoking, func(tx store.Tx) (func(layout.AccountSession) bool, error) {
		if err := who.unlocked(tx); err != nil {
			return nil, err
		}
		d, found, err := layout.Get[layout.Device](tx, layout.DeviceKey(who.Account, id))
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, access.Deny(api.CodeNotFound)
		}
		if d.Revoked == 0 {
			d.Revoked = now.Unix()
			if err := layout.Put(tx, layout.DeviceKey(who.Account, id), d); err != nil {
				return nil, err
			}
		}
		out, err = listDevices(tx, who)
		return func(s layout.AccountSession) bool { return s.ID != who.Session && s.Device == id }, err
	})
	return out, err
}

// endDevices ends every device of an account but the caller's own: what they keep is of a root that is no more. Those that were
// revoked are still told so.
func endDevices(tx store.Tx, who Who) error {
	all, err := readDevices(tx, who.Account)
	if err != nil {
		return err
	}
	for _, d := range all {
		switch {
		case d.Revoked > 0:
			d.Renewed = true
			err = layout.Put(tx, layout.DeviceKey(who.Account, d.id), d.Device)
		case d.id != who.device:
			err = tx.Delete(layout.DeviceKey(who.Account, d.id))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

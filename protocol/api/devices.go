package api

import "github.com/underseal/underseal/protocol/wire"

// Routes of devices.
const (
	RouteDevices = "/v1/account/devices"         // GET: Devices · POST NewDevice: the caller's own
	RouteDevice  = "/v1/account/devices/:device" // DELETE: revokes it
)

// MaxDevices bounds those of an account.
const MaxDevices = 32

// NewDevice says which device the caller's session is of, after it unlocked: POST /v1/account/devices. The device drew both,
// and keeps the token, whose SHA-256 is Hash.
type NewDevice struct {
	Device wire.ObjectID `json:"device"`
	Hash   wire.Hash     `json:"hash"`
}

// DeviceProof goes with a sign-in: one for each account that the browser or folder is a device of, as nobody knows yet whose
// sign-in it is. A device that was revoked is answered CodeDeviceRevoked, and nobody is signed in.
type DeviceProof struct {
	Device wire.ObjectID `json:"device"`
	Token  []byte        `json:"token"`
}

// Device is a browser, or a folder of the command line, that unlocked the account. Times are seconds. What it is called stands in
// the keyring.
type Device struct {
	Device   wire.ObjectID `json:"device"`
	Created  int64         `json:"created"`
	LastUsed int64         `json:"lastUsed"`
	Current  bool          `json:"current"`
	Revoked  bool          `json:"revoked"` // and the account still has the root that it had
}

// Devices are those of an account, oldest first.
type Devices struct {
	Devices []Device `json:"devices"`
}

package api

import "github.com/underseal/underseal/protocol/wire"

// Routes of devices.
const (
	RouteDevices = "/v1/account/devices"         // GET: Devices · POST NewDevice: the caller's own
	RouteDevice  = "/v1/account/devices/:device" // DELETE: revokes it

	RouteDeviceRequests = "/v1/device-requests"               // POST NewDeviceRequest: DeviceRequest
	RouteDeviceRequest  = "/v1/device-requests/:code"         // GET: DeviceRequest
	RouteDeviceAnswer   = "/v1/account/device-requests/:code" // PUT DeviceAnswer: DeviceRequest · DELETE: refuses it
)

// DeviceRequestSeconds is how long a request of a new device lasts, and once more after it was granted.
const DeviceRequestSeconds = 5 * 60

// NewDeviceRequest is a device that wants to be enrolled by another one: POST /v1/device-requests. It has no account yet, so it
// is counted by where it comes from.
type NewDeviceRequest struct {
	Request []byte `json:"request"` // device.Request
}

// DeviceRequest is where it stands: GET /v1/device-requests/{code}, for whoever was shown the code. What is in it is public, or
// sealed to the new device.
type DeviceRequest struct {
	Request []byte `json:"request"`
	Answer  []byte `json:"answer,omitempty"` // device.Answer
	Grant   []byte `json:"grant,omitempty"`  // device.Grant
	Refused bool   `json:"refused,omitempty"`
	Done    bool   `json:"done,omitempty"` // the new device has signed in
	Expires int64  `json:"expires"`        // seconds
}

// DeviceAnswer is the other device's part, within a fresh proof: PUT /v1/account/device-requests/{code}, first with an answer, then
// with a grant. The first answer is the only one.
type DeviceAnswer struct {
	Answer []byte `json:"answer,omitempty"`
	Grant  []byte `json:"grant,omitempty"`
}

// DeviceLogin signs a new device in that another one granted its request: its key signs LoginMessage.
type DeviceLogin struct {
	Code      string `json:"code"`
	Signature []byte `json:"signature"`
}

// DeviceRequestPath is one request, and DeviceAnswerPath where it is answered, by its code.
func DeviceRequestPath(code string) string { return RouteDeviceRequests + "/" + code }

// DeviceAnswerPath is where a request is answered.
func DeviceAnswerPath(code string) string { return "/v1/account/device-requests/" + code }

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

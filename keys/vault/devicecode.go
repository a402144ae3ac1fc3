package vault

import "fmt"

const (
	deviceCodeSize   = 13 // bytes that hold 100 bits
	deviceCodeGroups = 5
)

// DeviceCode is what a device shows that wants to be enrolled: 100 bits of the
// hash of its request. It is not secret. Whoever has it finds the request, and
// holds a server to that one.
type DeviceCode [deviceCodeSize]byte

// CodeError says which group of a typed code is wrong.
type CodeError struct {
	Group int // from 1
}

func (e *CodeError) Error() string {
	return fmt.Sprintf("vault: group %d of the code is wrong", e.Group)
}

// NewDeviceCode is the code of a hash.
func NewDeviceCode(hash [32]byte) (c DeviceCode) {
	copy(c[:], hash[:])
	c[deviceCodeSize-1] &= 0xF0
	return c
}

// String returns the code as it is shown: five groups of five characters with
// dashes.
func (c DeviceCode) String() string { return formatGroups(c[:], deviceCodeGroups) }

// ParseDeviceCode reads what a person typed, as ParseKit does. The error is a
// *CodeError that names the first wrong group.
func ParseDeviceCode(text string) (DeviceCode, error) {
	var c DeviceCode
	if group := parseGroups(c[:], deviceCodeGroups, text); group > 0 {
		return DeviceCode{}, &CodeError{group}
	}
	return c, nil
}

package chain

// Role is what a seat is for. It fixes the rights and the rung of keys: there are no others.
type Role uint8

// Roles. In a firm's chain an owner is an admin.
const (
	RoleOwner Role = iota + 1
	RoleParalegal
	RoleClient
	RoleExpert
	RoleAuditor
	RoleReviewer
)

// Rights of a seat.
type Rights uint16

// Rights.
const (
	RightRead   Rights = 1 << iota
	RightUpload        // add documents and versions
	RightWrite         // rename, move and delete them as well
	RightManage
	RightAudit
	RightReview
)

// Rung is how far down the ladder of keys a seat reaches.
type Rung uint8

// Rungs: each opens what the ones below it open.
const (
	RungLink Rung = iota + 1
	RungEntry
	RungContent
)

var roles = map[Role]struct {
	name   string
	rights Rights
	rung   Rung
}{
	RoleOwner:     {"owner", RightRead | RightUpload | RightWrite | RightManage | RightAudit, RungContent},
	RoleParalegal: {"paralegal", RightRead | RightUpload | RightWrite, RungContent},
	RoleClient:    {"client", RightRead | RightUpload, RungContent},
	RoleExpert:    {"expert", RightRead, RungContent},
	RoleAuditor:   {"auditor", RightAudit, RungEntry},
	RoleReviewer:  {"reviewer", RightReview, RungLink},
}

// Valid reports whether r is a role.
func (r Role) Valid() bool { _, ok := roles[r]; return ok }

// Rights are what the role may do.
func (r Role) Rights() Rights { return roles[r].rights }

// May reports whether the role has every right of want.
func (r Role) May(want Rights) bool { return r.Rights()&want == want }

// Rung is the highest key the role holds.
func (r Role) Rung() Rung { return roles[r].rung }

func (r Role) String() string { return roles[r].name }

// ParseRole is the inverse of String.
func ParseRole(name string) (Role, bool) {
	for r, d := range roles {
		if d.name == name {
			return r, true
		}
	}
	return 0, false
}

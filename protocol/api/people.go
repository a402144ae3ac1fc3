package api

import "github.com/underseal/underseal/protocol/wire"

// RoutePeople is for owners of the firm's own chain.
const RoutePeople = "/v1/firms/:firm/people" // GET: People

// People are all who have a seat in a firm, or in a matter of it. What stands here is the server's word.
type People struct {
	People []FirmPerson `json:"people"`
}

// FirmPerson is what a server knows of somebody that his firm needs to know: of other firms, nothing. Times are seconds since
// 1970, and 0 is never.
type FirmPerson struct {
	Member   wire.ObjectID `json:"member"`
	Factors  Factors       `json:"factors"`
	Entered  int64         `json:"entered"`  // when he opened a session in this firm last
	Sessions int           `json:"sessions"` // that he has open in it
	Failed   int           `json:"failed"`   // passwords and codes that did not get in since he last did
	Locked   int64         `json:"locked"`   // until when the next one waits
}

// Factors are kinds, and how many: what they are made of nobody is told.
type Factors struct {
	Passkeys   int  `json:"passkeys"`
	Unlocking  int  `json:"unlocking"` // of those, that unlock as well
	Kit        bool `json:"kit"`
	Password   bool `json:"password"`
	App        bool `json:"app"`        // an authenticator app
	Passphrase bool `json:"passphrase"` // of a command line
	SSO        bool `json:"sso"`        // this firm's own sign-in
}

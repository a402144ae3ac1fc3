//go:build vectors

package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/underseal/underseal/keys/opaque"
	"github.com/underseal/underseal/server/auth/totp"
)

// opaqueExamples runs each example through our messages: what every step makes,
// and that each message is refused cut, extended and changed. Those with 3DH
// over curve25519 are excluded: the suite has ristretto255, and the library no
// other curve of that kind.
func opaqueExamples(c *counter, data json.RawMessage, run, excluded int) error {
	var file struct{ Vectors []opaque.Vector }
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	ran := 0
	for _, v := range file.Vectors {
		steps, ok, err := opaque.VectorRun(v)
		if err != nil {
			return err
		}
		if !ok {
			c.set.Excluded++
			continue
		}
		ran++
		for _, step := range steps {
			c.check(v.Name+" "+step.Name, step.Why)
		}
	}
	if ran != run || c.set.Excluded != excluded {
		return fmt.Errorf("%d examples ran and %d were excluded, want %d and %d", ran, c.set.Excluded, run, excluded)
	}
	return nil
}

// totpValues are the codes of RFC 6238, appendix B: the last six of their eight
// digits, for the same number is taken modulo another power of ten.
func totpValues(c *counter, data json.RawMessage) error {
	var file struct {
		Secret  hexBytes
		Vectors []struct {
			Time                 int64
			SHA1, SHA256, SHA512 string
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	if len(file.Secret) != totp.SecretSize {
		return fmt.Errorf("secret of %d bytes", len(file.Secret))
	}
	for _, v := range file.Vectors {
		why := ""
		if got := totp.Secret(file.Secret).Code(time.Unix(v.Time, 0)); len(v.SHA1) != 8 || got != v.SHA1[2:] {
			why = fmt.Sprintf("%s, want %s", got, v.SHA1)
		}
		c.check(fmt.Sprint("at ", v.Time), why)
		c.set.Excluded += 2 // SHA-256 and SHA-512
	}
	return nil
}

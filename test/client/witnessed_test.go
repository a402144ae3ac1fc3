package client

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/server"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/test/evilserver"
)

// newWitnessed is a firm with one witness, who cosigns its newest checkpoint when he is told to, at a time.
func newWitnessed(t *testing.T) (s *stage, cosign func(at time.Time) []byte) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	vkey := log.VerifierKey("witness.example", log.AlgCosigned, public)
	s = &stage{World: evilserver.NewWorld(t, func(c *server.Config) { c.Policy = "witness w " + vkey + " https://witness.example/\nquorum w\n" })}
	s.ada = s.Founder("Ada")
	return s, func(at time.Time) (witnessed []byte) {
		s.Edit(layout.FirmPartition(s.ada.Firm), func(tx store.Tx) error {
			note, err := tx.Get(layout.CheckpointKey())
			if err != nil {
				return err
			}
			text := note[:bytes.Index(note, []byte("\n\n"))+1]
			id := sha256.Sum256(append([]byte("witness.example\n\x04"), public...))
			line := binary.BigEndian.AppendUint64(id[:4:4], uint64(at.Unix()))
			line = append(line, ed25519.Sign(private, append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", at.Unix()), text...))...)
			witnessed = append(bytes.Clone(note), "— witness.example "+base64.StdEncoding.EncodeToString(line)+"\n"...)
			return tx.Put(layout.WitnessedKey(), witnessed)
		})
		return witnessed
	}
}

// TestHeadIsCurrentUnderWitnesses: S-CLIENT-13. What witnesses saw is older than what the log has since: an entry that came
// after it, and that the server keeps back, is missed all the same.
func TestHeadIsCurrentUnderWitnesses(t *testing.T) {
	s, cosign := newWitnessed(t)
	cosign(time.Now())
	s.matter = s.ada.NewMatter("Doe v. Roe")
	cosign(time.Now())
	clara := s.ada.Guest(s.matter, "Clara", chain.RoleOwner)
	s.ok(clara.Look(s.matter))
	cosign(time.Now())
	mark := s.Mark()
	s.ok(clara.Look(s.matter))
	before := s.Since(mark)
	_, err := s.ada.RenameMatter(evilserver.Soon(t), s.matter, "unseen")
	s.ok(err)
	again := clara.Again().In()
	again.Beware()
	s.Replay(before)
	again.Refused(again.Look(s.matter), client.ErrPlace)
}

// TestProofUnderWitnesses: the checkpoint in a proof is one that the public log has reached: what it signed since, its
// witnesses have not seen, and it does not show.
func TestProofUnderWitnesses(t *testing.T) {
	s, cosign := newWitnessed(t)
	witnessed := cosign(time.Now())
	created, err := s.ada.CreateMatter(evilserver.Soon(t), s.ada.Firm, "Doe v. Roe")
	s.ok(err)
	checkpoint := func() []byte {
		t.Helper()
		b, err := s.ada.ProofFile(evilserver.Soon(t), created)
		s.ok(err)
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		s.ok(err)
		f, err := z.Open("checkpoint.txt")
		s.ok(err)
		got, err := io.ReadAll(f)
		s.ok(err)
		return got
	}
	if got := checkpoint(); !bytes.Equal(got, witnessed) {
		t.Errorf("the proof has\n%.80s\nand witnesses saw\n%.80s", got, witnessed)
	}
	// Before they saw anything it is the newest.
	s.Edit(layout.FirmPartition(s.ada.Firm), func(tx store.Tx) error { return tx.Delete(layout.WitnessedKey()) })
	if c, err := log.Unverified(checkpoint()); err != nil || c.Size == 0 || bytes.Equal(checkpoint(), witnessed) {
		t.Errorf("%+v %v", c, err)
	}
	// What is shown as witnessed must be of this log.
	s.Edit(layout.FirmPartition(s.ada.Firm), func(tx store.Tx) error {
		bent := bytes.Clone(witnessed)
		bent[len(bent)-20] ^= 1
		return tx.Put(layout.WitnessedKey(), bent)
	})
	s.ada.Beware()
	if _, err := s.ada.ProofFile(evilserver.Soon(t), created); client.FailureOf(err) == nil {
		t.Error("a proof with a bent cosignature")
	}
}

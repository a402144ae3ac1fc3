package opaque

import (
	"bytes"

	"github.com/bytemare/ecc"
	"github.com/bytemare/opaque"
	"github.com/bytemare/opaque/message"
)

// The messages are those of RFC 9807, sections 5.1 and 6.1: fields of fixed
// lengths, one behind the other. They are parsed here and not by the library,
// so that the rules are ours: one length each, points in their one spelling and
// never the neutral one, and what parses encodes to the same bytes again.

// split cuts b into parts of exactly these sizes. The parts are copies: the
// library keeps some of them, and the caller keeps b.
func split(b []byte, sizes ...int) (parts [][]byte, ok bool) {
	for _, size := range sizes {
		if len(b) < size {
			return nil, false
		}
		parts = append(parts, bytes.Clone(b[:size]))
		b = b[size:]
	}
	return parts, len(b) == 0
}

// point decodes a group element. The neutral one would make the outcome the
// same whatever the secret.
func (s suite) point(b []byte) (*ecc.Element, bool) {
	p := s.group.NewElement()
	if len(b) != s.element || p.Decode(b) != nil || p.IsIdentity() || !bytes.Equal(p.Encode(), b) {
		return nil, false
	}
	return p, true
}

func (s suite) parseRegistrationRequest(b []byte) (*message.RegistrationRequest, bool) {
	blinded, ok := s.point(b)
	return &message.RegistrationRequest{BlindedMessage: blinded}, ok
}

func encodeRegistrationRequest(m *message.RegistrationRequest) []byte {
	return m.BlindedMessage.Encode()
}

func (s suite) parseRegistrationResponse(b []byte) (*message.RegistrationResponse, bool) {
	parts, ok := split(b, s.element, s.element)
	if !ok {
		return nil, false
	}
	evaluated, ok := s.point(parts[0])
	_, ok2 := s.point(parts[1])
	return &message.RegistrationResponse{EvaluatedMessage: evaluated, ServerPublicKey: parts[1]}, ok && ok2
}

func encodeRegistrationResponse(m *message.RegistrationResponse) []byte {
	return join(m.EvaluatedMessage.Encode(), m.ServerPublicKey)
}

func (s suite) parseRecord(b []byte) (*message.RegistrationRecord, bool) {
	parts, ok := split(b, s.element, s.hash, s.envelope())
	if !ok {
		return nil, false
	}
	public, ok := s.point(parts[0])
	return &message.RegistrationRecord{ClientPublicKey: public, MaskingKey: parts[1], Envelope: parts[2]}, ok && !zeros(parts[1])
}

func encodeRecord(m *message.RegistrationRecord) []byte {
	return join(m.ClientPublicKey.Encode(), m.MaskingKey, m.Envelope)
}

func (s suite) parseKE1(b []byte) (*message.KE1, bool) {
	parts, ok := split(b, s.element, nonceSize, s.element)
	if !ok {
		return nil, false
	}
	blinded, ok := s.point(parts[0])
	share, ok2 := s.point(parts[2])
	m := &message.KE1{CredentialRequest: message.CredentialRequest{BlindedMessage: blinded}, ClientNonce: parts[1], ClientKeyShare: share}
	return m, ok && ok2 && !zeros(parts[1])
}

func encodeKE1(m *message.KE1) []byte {
	return join(m.BlindedMessage.Encode(), m.ClientNonce, m.ClientKeyShare.Encode())
}

func (s suite) parseKE2(b []byte) (*message.KE2, bool) {
	parts, ok := split(b, s.element, nonceSize, s.element+s.envelope(), nonceSize, s.element, s.hash)
	if !ok {
		return nil, false
	}
	evaluated, ok := s.point(parts[0])
	share, ok2 := s.point(parts[4])
	for _, part := range parts {
		ok = ok && !zeros(part)
	}
	m := &message.KE2{
		CredentialResponse: &message.CredentialResponse{EvaluatedMessage: evaluated, MaskingNonce: parts[1], MaskedResponse: parts[2]},
		ServerNonce:        parts[3], ServerKeyShare: share, ServerMac: parts[5],
	}
	return m, ok && ok2
}

func encodeKE2(m *message.KE2) []byte {
	return join(m.EvaluatedMessage.Encode(), m.MaskingNonce, m.MaskedResponse, m.ServerNonce, m.ServerKeyShare.Encode(), m.ServerMac)
}

// zeros reports whether b is what a broken source of randomness gives: nobody
// honest ever sends it.
func zeros(b []byte) bool {
	sum := byte(0)
	for _, v := range b {
		sum |= v
	}
	return sum == 0
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// withStretch are options with the parameters of the stretch in them.
func (s suite) withStretch(o opaque.ClientOptions) *opaque.ClientOptions {
	o.KSFParameters, o.KSFSalt, o.KSFLength = s.stretch.KSFParameters, s.stretch.KSFSalt, s.stretch.KSFLength
	return &o
}

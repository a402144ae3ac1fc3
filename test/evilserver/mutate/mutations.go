package main

// mutation is a defence to take out.
type mutation struct {
	number  string // of the case
	without string // what
	pages   bool   // the pages must be built again
	edits   []edit
}

// edit replaces what stands once in a file.
type edit struct{ file, old, new string }

const (
	replay   = "protocol/chain/replay.go"
	pump     = "client/native/pump.go"
	doc      = "protocol/document/document.go"
	account  = "client/account.go"
	matter   = "client/matter.go"
	views    = "client/log.go"
	audit    = "client/audit.go"
	lookups  = "protocol/directory/directory.go"
	keyring  = "client/keyring.go"
	recovers = "protocol/chain/recovery.go"
	labels   = "keys/labels.go"
	rightsOf = "if !author.Role.May(op.Kind.right()) {"
)

var freshKey = []edit{{"protocol/document/version.go", "	_, err := io.ReadFull(random, k[:])\n	return k, err", "	return k, nil"}}

var mutations = []mutation{
	{number: "01", without: "the invite key's signature", edits: []edit{{replay, "if !ed25519.Verify(i.PublicKey[:],", "if false && !ed25519.Verify(i.PublicKey[:],"}}},
	{number: "02", without: "keys that are a member's for good", edits: []edit{{replay, "	if old.State != MemberRemoved || back.follow(a.Links, s.FirmOf(), effect.Position) != nil || !back.Keys.Equal(a.Bundle.Keys) {\n", "	if false {\n"}}},
	{number: "04", without: "an entry's signature", edits: []edit{{replay, "if err := author.Keys.Verify(keys.LabelSignEntry, signedMessage(e.Effect, raw), signature); err != nil {", "if err := author.Keys.Verify(keys.LabelSignEntry, signedMessage(e.Effect, raw), signature); false && err != nil {"}}},
	{number: "04", without: "the signature of the keys before", edits: []edit{{"protocol/chain/keylink.go", "	if before.Verify(keys.LabelSignKeyLink", "	if false && before.Verify(keys.LabelSignKeyLink"}, {views, "	if !was(newest) || slices.ContainsFunc(links, ours) {\n", "	if false && (!was(newest) || slices.ContainsFunc(links, ours)) {\n"}}},
	{number: "07", without: "the label in a signature", edits: []edit{{"keys/composite.go", "	m = append(m, byte(len(context)))\n	m = append(m, context...)", "	m = append(m, 0)"}}},
	{number: "08", without: "the owner's confirmation", edits: []edit{{replay, "if i.Mode == ModeOpensAtOnce {", "if true {"}}},
	{number: "08", without: "the journal of what was refused before sign-in", edits: []edit{{keyring, "	if len(fresh) == 0 {\n", "	if true {\n"}}},
	{number: "09", without: "the code that a request is held to", edits: []edit{{"client/enrol.go", "	return reply, request.Check(c.config.Origin, code)\n", "	_ = request\n	return reply, nil\n"}}},
	{number: "09", without: "the answer that was shown first", edits: []edit{{"client/enrol.go", "	if !bytes.Equal(first.Bytes(), reply.Answer) {\n", "	if false && !bytes.Equal(first.Bytes(), reply.Answer) {\n"}}},
	{number: "09", without: "the answer's signature", edits: []edit{{"protocol/device/device.go", "	if !ed25519.Verify(a.Key, grantMessage(t, g.Root), g.Signature) {\n", "	if false {\n"}}},
	{number: "10", without: "strict answers", edits: []edit{{"client/client.go", "	d.DisallowUnknownFields()\n", ""}}},
	{number: "11", without: "the stretch of a password", edits: []edit{{"keys/opaque/opaque.go", "KSFParameters: []uint64{3, 64 * 1024, 1}", "KSFParameters: []uint64{1, 8, 1}"}}},
	{number: "11", without: "the floor of a stretch", edits: []edit{{"keys/vault/passphrase.go", "	if s.MemoryKiB < minMemoryKiB || s.Time < minTime || s.Threads < minThreads {\n", "	if s.Threads < minThreads {\n"}}},
	{number: "11", without: "strict answers", edits: []edit{{"client/client.go", "	d.DisallowUnknownFields()\n", ""}}},
	{number: "12", without: "the ceiling of a stretch", edits: []edit{{"keys/vault/passphrase.go", "	if s.MemoryKiB > maxMemoryKiB || s.Time > maxTime || s.Threads > maxThreads {\n", "	if false {\n"}}},
	{number: "12", without: "the one length of an answer", edits: []edit{{"keys/opaque/wire.go", "	return parts, len(b) == 0\n", "	return parts, true\n"}}},
	{number: "13", without: "the name in an answer", edits: []edit{
		{"keys/opaque/client.go", "return parties{[]byte(name), []byte(origin)}, ok", "return parties{[]byte(\"name\"), []byte(origin)}, ok"},
		{"keys/opaque/server.go", "s.loginStart(parties{[]byte(name), s.origin}, []byte(name), picked", "s.loginStart(parties{[]byte(\"name\"), s.origin}, []byte(name), picked"}}},
	{number: "13", without: "a key for each name", edits: []edit{
		{"keys/opaque/server.go", "return s.registerResponse([]byte(name), request)", "return s.registerResponse([]byte(\"name\"), request)"},
		{"keys/opaque/server.go", "s.loginStart(parties{[]byte(name), s.origin}, []byte(name), picked", "s.loginStart(parties{[]byte(name), s.origin}, []byte(\"name\"), picked"}}},
	{number: "14", without: "the keyring's revision in its seal", edits: []edit{{keyring, "	w.Fixed(account[:])\n	w.Uint64(revision)", "	w.Fixed(account[:])"}}},
	{number: "14", without: "the account in a root's wrap", edits: []edit{{"keys/vault/vault.go", "seal.Seal(rand, unlock[:], wrapContext(method, account)", "seal.Seal(rand, unlock[:], wrapContext(method, [16]byte{})"}, {"keys/vault/vault.go", "seal.Open(unlock[:], wrapContext(method, account)", "seal.Open(unlock[:], wrapContext(method, [16]byte{})"}}},
	{number: "15", without: "the one error of every unlock", edits: []edit{
		{"keys/vault/vault.go", "	if !method.known() || len(wrapped) != WrappedSize {\n		return Root{}, ErrUnlock", "	if !method.known() || len(wrapped) != WrappedSize {\n		return Root{}, ErrMethod"},
		{account, "			return failureOf(vault.ErrUnlock)\n		}\n		return c.opened", "			return failureOf(err)\n		}\n		return c.opened"}}},
	{number: "16", without: "the account in a device's own record and in the keyring's seal", edits: []edit{
		{account, "if reply.Account != id {", "if false {"}, {keyring, "	w.Fixed(account[:])\n	w.Uint64(revision)", "	w.Uint64(revision)"}}},
	{number: "18", without: "the link's signature under who asks", edits: []edit{{"client/recovery.go", "		err = claim.Verify(s.ID, r.ID, r.Member, r.PublicKey)", "		_ = claim.Verify(s.ID, r.ID, r.Member, r.PublicKey)"}}},
	{number: "18", without: "the words that were compared", edits: []edit{{"client/recovery.go", "if claim.Bundle.Keys.Fingerprint().String() != fingerprint {", "if fingerprint == \"\" {"}}},
	{number: "18", without: "the fingerprint in a recovery's link", edits: []edit{{recovers, "if err != nil || wire.Hash(identity.Public().Fingerprint()) != l.Fingerprint {", "if err != nil || identity == nil {"}}},
	{number: "18", without: "the right to begin a recovery", edits: []edit{{recovers, "	case !s.mayRecover(author, subject, subject.Escrow):\n", "	case false:\n"}}},
	{number: "18", without: "whose keys a link is about", edits: []edit{{"client/claim.go", "if err == nil && (newest.Firm != l.Firm || newest.Member != l.Member) {", "if false {"}}},
	{number: "19", without: "the rows that an escrow signed", edits: []edit{{recovers, "log.Root(hashes) != root || ", "log.Root(hashes) == (wire.Hash{}) || "}}},
	{number: "19", without: "the right to sign rules", edits: []edit{{"protocol/chain/policy.go", "if s.Charter.Kind != KindFirm || !author.Role.May(RightManage) {", "if s.Charter.Kind != KindFirm {"}}},
	{number: "20", without: "a session that is no proof", edits: []edit{{"server/auth/session.go", "		s.Proved = 0 // the person has shown nothing here\n", ""}}},
	{number: "20", without: "strict answers", edits: []edit{{"client/client.go", "	d.DisallowUnknownFields()\n", ""}}},
	{number: "20", without: "the one kind of each way", edits: []edit{{account, "if e.Method != uint8(method) || !bytes.Equal(e.ID, id) {", "if !bytes.Equal(e.ID, id) {"}}},
	{number: "17", without: "the revision that was seen", edits: []edit{{keyring, "err == nil && fresh.Revision < n {", "err == nil && fresh.Revision < min(n, 0) {"}}},
	{number: "17", without: "one's own seat", edits: []edit{{matter, "	if _, err := certifying(author, wire.Hash(me.Keys.Fingerprint())); err != nil {\n", "	if false {\n"}}},
	{number: "21", without: "a label of its own", edits: []edit{{labels, `"underseal/v1/epoch/trail-link"`, `"underseal/v1/epoch/state-link"`}}},
	{number: "22", without: "a label for unlocking", edits: []edit{{labels, `"underseal/v1/unlock/kit"`, `"underseal/v1/login/kit"`}}},
	{number: "23", without: "the commitment to an unlock key", edits: []edit{{"keys/seal/floe.go", "if subtle.ConstantTimeCompare(tag, header[paramsSize+ivSize:]) != 1 {", "if false && subtle.ConstantTimeCompare(tag, header[paramsSize+ivSize:]) != 1 {"}}},
	{number: "24", without: "the end of what a replaced factor opened", edits: []edit{{"server/auth/session.go", "		return s.ID != who.Session && slices.ContainsFunc(gone", "		return false && slices.ContainsFunc(gone"}}},
	{number: "24", without: "the end of it in firms", edits: []edit{{"server/auth/session.go", "	if len(e.sessions) == 0 {\n", "	if true {\n"}}},
	{number: "24", without: "the end of its keys", edits: []edit{{"client/sessions.go", "	if c.SignedIn() || c.Locked() {\n		c.SignOut(ctx)\n", "	if c.SignedIn() || c.Locked() {\n"}}},
	{number: "25", without: "the right to open an epoch", edits: []edit{{replay, "	if !author.Role.May(RightManage) {\n		return ErrRights\n	}\n	if err := checkClear", "	if err := checkClear"}}},
	{number: "26", without: "seats that somebody was admitted to", edits: []edit{
		{replay, "if m == nil || m.State == MemberRemoved", "if m == nil {\n			continue\n		}\n		if m.State == MemberRemoved"},
		{replay, "if len(st.Seats) != len(seated) {", "if false {"}, {replay, "if st.Seats[i] != want {", "if false && st.Seats[i] != want {"}}},
	{number: "28", without: "the seat of an author", edits: []edit{{replay, "if author == nil || author.State != MemberSeated {", "if author == nil {"}}},
	{number: "29", without: "rights of a role", edits: []edit{{replay, rightsOf, "if false {"}}},
	{number: "31", without: "what this device saw", edits: []edit{{matter, "	case head.Position < m.state.Position, head.Epoch < m.state.Epoch:\n		return ErrRolledBack\n", ""}}},
	{number: "31", without: "what the account remembers", edits: []edit{{matter, "		s.Expect(*position, *head)\n", "		_ = head\n"}}},
	{number: "33", without: "the place that a wrap says it is for", edits: []edit{{"protocol/chain/wrap.go", "if w.Recipient != a.Member || (w.Chain != id && !first) {", "if false && (w.Recipient != a.Member || (w.Chain != id && !first)) {"}}},
	{number: "33", without: "the place in a wrap's seal", edits: []edit{{"protocol/chain/wrap.go", "	b.Fixed(w.clear().Bytes())\n", ""}}},
	{number: "34", without: "the derived roster", edits: []edit{{"protocol/chain/author.go", "	for _, m := range s.Seated() {\n		seat := Seat", "	for _, m := range sortedByID(s.Members) {\n		seat := Seat"}}},
	{number: "35", without: "commitments to keys", edits: []edit{{"protocol/chain/epoch.go", "if subtle.ConstantTimeCompare(held[i][:], signed[i][:]) != 1 {", "if false && subtle.ConstantTimeCompare(held[i][:], signed[i][:]) != 1 {"}}},
	{number: "37", without: "an entry's signature", edits: []edit{{replay, "if err := author.Keys.Verify(keys.LabelSignEntry, signedMessage(e.Effect, raw), signature); err != nil {", "if err := author.Keys.Verify(keys.LabelSignEntry, signedMessage(e.Effect, raw), signature); false && err != nil {"}}},
	{number: "38", without: "the one suite", edits: []edit{{"protocol/wire/wire.go", "} else if v != Suite {", "} else if v == 0 {"}}},
	{number: "39", without: "a chunk's digest", edits: []edit{{pump, " || wire.Hash(sha256.Sum256(body)) != f.Digests[c.number] {", " {"}}},
	{number: "40", without: "the signed root over digests", edits: []edit{{doc, "if len(digests) != Chunks(h.Padded) || BodyRoot(digests) != root {", "if false {"}}},
	{number: "40", without: "a segment's place", edits: []edit{{"keys/seal/floe.go", "func segmentAAD(position uint64, final bool) []byte {", "func segmentAAD(position uint64, final bool) []byte {\n	position = 0"}}},
	{number: "41", without: "the signed root over digests", edits: []edit{{doc, " || BodyRoot(digests) != root {", " {"}}},
	{number: "42", without: "the version in what it seals", edits: []edit{{doc, "append(append([]byte(label), 0), h.Bytes()...)", "append([]byte(label), 0)"}}},
	{number: "43", without: "a key for each version", edits: freshKey},
	{number: "44", without: "the shortest body", edits: []edit{{doc, "padme(max(length, MinBody))", "padme(length)"}}},
	{number: "45", without: "the wait for the last segment", edits: []edit{{"client/download.go", "if discardErr := t.sink.Discard(); discardErr != nil {", "if discardErr := t.sink.Commit(); discardErr != nil {"}}},
	{number: "47", without: "the commitment to a body's key", edits: []edit{{"keys/seal/floe.go", "if subtle.ConstantTimeCompare(tag, header[paramsSize+ivSize:]) != 1 {", "if false && subtle.ConstantTimeCompare(tag, header[paramsSize+ivSize:]) != 1 {"}}},
	{number: "48", without: "zeros behind the content", edits: []edit{{pump, "		if b != 0 {\n", "		if b != 0 && n < 0 {\n"}}},
	{number: "48", without: "a length of its class", edits: []edit{{doc, "if m.Length > MaxBody || PaddedLength(m.Length) != h.Padded {", "if m.Length > MaxBody {"}}},
	{number: "49", without: "the journal of digests", edits: []edit{{"client/upload.go", " || !slices.Contains(t.journal.Digests[n], chunk.Digest) {", " {"}}},
	{number: "51", without: "effect and body under one signature", edits: []edit{{"protocol/chain/entry.go", "e, b := sha256.Sum256(effect), sha256.Sum256(body)", "e, b := [32]byte{}, [32]byte{}"}}},
	{number: "52", without: "the matter in an entry", edits: []edit{{replay, "	case effect.Chain != s.ID:\n		return ErrWrongChain\n", ""}}},
	{number: "52", without: "the matter in a version", edits: []edit{{replay, "want := document.Header{Compartment: s.ID,", "want := document.Header{Compartment: v.Header.Compartment,"}}},
	{number: "53", without: "the author in a version", edits: []edit{{replay, "Author: author.Keys.Fingerprint(), Padded: op.Padded}", "Author: v.Header.Author, Padded: op.Padded}"}}},
	{number: "54", without: "rights of a role", edits: []edit{{replay, rightsOf, "if false {"}}},
	{number: "58", without: "the tombstone", edits: []edit{{replay, "	if d != nil && d.Deleted {\n		return false", "	if false {\n		return false"}}},
	{number: "60", without: "what a name may hold", edits: []edit{{"protocol/document/name.go", "if r == '/' || r == '\\\\' || hidden(r) {", "if r == -1 {"}}},
	{number: "61", without: "a path without the secret", edits: []edit{{"client/people.go", `"/invites/"+l.Invite.String(), nil`, `"/invites/"+l.Invite.String()+"?"+l.String(), nil`}}},
	{number: "77", without: "uncompressed answers", edits: []edit{{"client/native/transport.go", "DisableCompression: true,", "DisableCompression: false,"}}},
	{number: "78", without: "a key for each version", edits: freshKey},
	{number: "79", without: "classes of sizes", edits: []edit{{doc, "padme(max(length, MinBody))", "max(length, MinBody)"}}},
	{number: "81", without: "the policy on where a page may connect", edits: []edit{{"server/headers.go", "connect-src 'self'; ", "connect-src *; "}}},
	{number: "83", without: "the comparison of a module's hash", pages: true, edits: []edit{{"webapp/src/module.ts", "if (digest !== sha256)", `if (digest === "")`}}},
	{number: "85", without: "the look at a seat", edits: []edit{{"server/access/access.go", "	if !s.present(states...) {\n", "	if s == nil {\n		return nil\n	}\n	if !s.present(states...) {\n"}}},
	{number: "87", without: "answers for names that nobody has", edits: []edit{{"server/auth/password.go", "	case err == nil && len(b) == len(account):\n", "	case errors.Is(err, store.ErrNotFound):\n		return account, nil, access.Deny(api.CodeSignInFailed)\n	case err == nil && len(b) == len(account):\n"}}},
	{number: "87", without: "the count of attempts with names that nobody has", edits: []edit{{"server/auth/password.go", "limit.Attempt{Account: req.Name.String(), Address: from}", "limit.Attempt{Account: req.Name.String() + out.SignIn.String(), Address: from}"}}},
	{number: "88", without: "typed errors of bad answers", edits: []edit{{"client/client.go", "err != nil || d.More() {\n		return ErrUnknownReply", "err != nil || d.More() {\n		return err"}}},
	{number: "03", without: "the comparison of members' views", edits: []edit{{views, "	if err != nil || root != small.Root {\n", "	if false && (err != nil || root != small.Root) {\n"}}},
	{number: "05", without: "the look of letters", edits: []edit{{"client/alike/alike.go", "	}, confusables.Skeleton(text))", "	}, text+confusables.Skeleton(text)[:0])"}}},
	{number: "05", without: "what takes no room", edits: []edit{{"client/alike/alike.go", "unicode.In(r, unicode.Cf,", "unicode.In(r, unicode.Zp,"}}},
	{number: "05", without: "open invites", edits: []edit{{"client/views.go", "Alike: all.like(i.Person, i.ID.String(), i.Guest.String())", "Alike: all.like(i.Person, i.ID.String(), i.Guest.String())[:0]"}}},
	{number: "06", without: "the signature of the keys before", edits: []edit{{"protocol/chain/keylink.go", "	if before.Verify(keys.LabelSignKeyLink", "	if false && before.Verify(keys.LabelSignKeyLink"}}},
	{number: "06", without: "the link in the map", edits: []edit{{lookups, "if err != nil || !present || value != leaf.Hash() {", "if err != nil || !present || false && value != leaf.Hash() {"}}},
	{number: "06", without: "the look at one's own keys", edits: []edit{{matter, "	return c.watchSelf(ctx, m)\n", "	return nil\n"}}},
	{number: "27", without: "the proof that nothing comes after", edits: []edit{{views, "	return there[0], there[1], nil\n", "	return there[0], false, nil\n"}}},
	{number: "27", without: "the age of a map", edits: []edit{{views, "	if !older && cp.Size < since.Size {\n", "	if false {\n"}}},
	{number: "30", without: "the head's value in the map", edits: []edit{{views, "	if there[0] && value[0] != m.state.Head {\n", "	if false {\n"}}},
	{number: "30", without: "the end of the invites of who is removed", edits: []edit{{replay, "			i.State = InviteCancelled\n			if g", "			if g"}}},
	{number: "55", without: "the proof that nothing comes after", edits: []edit{{views, "	return there[0], there[1], nil\n", "	return there[0], false, nil\n"}}},
	{number: "55", without: "the log's own lie beside a chain's", edits: []edit{{matter, "c.accuse(ctx, m, err))", "err)"}}},
	{number: "56", without: "what this device saw", edits: []edit{{matter, "	case head.Position < m.state.Position, head.Epoch < m.state.Epoch:\n		return ErrRolledBack\n", ""}}},
	{number: "57", without: "the proof that nothing comes after", edits: []edit{{views, "	return there[0], there[1], nil\n", "	return there[0], false, nil\n"}}},
	{number: "71", without: "the comparison of members' views", edits: []edit{{matter, "	if err := c.compareViews(ctx, m); err != nil {\n		return err\n	}\n	now", "	now"}}},
	{number: "71", without: "the checkpoint that was seen", edits: []edit{{views, "	if cp.Size == 0 || !fits(since.Checkpoint, cp, consistency) {\n", "	if cp.Size == 0 {\n"}}},
	{number: "72", without: "the checkpoint that was seen", edits: []edit{{views, "	if cp.Size == 0 || !fits(since.Checkpoint, cp, consistency) {\n", "	if cp.Size == 0 {\n"}}},
	{number: "72", without: "the size that was seen", edits: []edit{{views, "	if !older && cp.Size < since.Size {\n", "	if false {\n"}}},
	{number: "73", without: "the receipt for a change", edits: []edit{{matter, "	if err := c.accepted(ctx, m.firm, m.id, l, head, sub.Entry.Leaf, since); err != nil {\n", "	if err := c.accepted(ctx, m.firm, m.id, l, head, sub.Entry.Leaf, since); false && err != nil {\n"}}},
	{number: "73", without: "the receipt for an opening", edits: []edit{{"client/download.go", "		return c.accepted(", "		return nil\n		return c.accepted("}}},
	{number: "73", without: "the receipt for a new matter", edits: []edit{{matter, "	if err = decode(reply, &appended); err == nil {\n", "	if err = decode(reply, &appended); false {\n"}}},
	{number: "73", without: "the leaf that a receipt names", edits: []edit{{views, "	if !bytes.Equal(r.Extra, leaf.Bytes()) {\n", "	if false && !bytes.Equal(r.Extra, leaf.Bytes()) {\n"}}},
	{number: "74", without: "a leaf for every event", edits: []edit{{audit, "	if len(t.events) > len(events) {\n		return v.grown", "	if len(t.events) > len(events) {\n		t.events = t.events[:len(events)]\n	}\n	if false {\n		return v.grown"}}},
	{number: "74", without: "an entry's signature", edits: []edit{{replay, "if err := author.Keys.Verify(keys.LabelSignEntry, signedMessage(e.Effect, raw), signature); err != nil {", "if err := author.Keys.Verify(keys.LabelSignEntry, signedMessage(e.Effect, raw), signature); false && err != nil {"}}},
	{number: "75", without: "the place of an exported receipt", edits: []edit{{"client/export.go", "	if !standsIn(v.links, sequence, position, leaf) {\n", "	if false && !standsIn(v.links, sequence, position, leaf) {\n"}}},
	{number: "76", without: "pairs of openings and deliveries", edits: []edit{{audit, "		if i.Paired != nil && !*i.Paired {\n", "		if i.Paired == nil && i.Kind == \"\" {\n"}}},
}

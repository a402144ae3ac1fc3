package server_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/log"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
)

// open to anybody: what they give is sealed, or proved by the request itself.
var public = map[string]bool{
	"GET " + api.RouteHealth: true, "POST " + api.RouteEnrolments: true, "POST " + api.RouteEnrolment: true, "POST " + api.RouteSignIns: true,
	"POST " + api.RouteDeviceRequests: true, "GET " + api.RouteDeviceRequest: true, "POST " + api.RouteSignIn: true, "POST " + api.RouteSessions: true, "GET " + api.RouteInvite: true,
	"POST " + api.RoutePasswordSignIns: true, "POST " + api.RoutePasswordSignIn: true, "POST " + api.RouteEnrolmentPassword: true,
	"GET " + api.RouteRecovery: true,
	"GET " + api.RouteSSOStart: true, "GET " + api.RouteSSOFinish: true, // a browser's: see TestSSOAnswersPeople
}

// of an account, and of no firm.
var accounts = map[string]bool{
	"GET " + api.RouteAccount: true, "DELETE " + api.RouteAccountSession: true, "PUT " + api.RouteKeyring: true, "PUT " + api.RouteVault: true,
	"POST " + api.RouteRoot: true, "GET " + api.RouteDevices: true, "POST " + api.RouteDevices: true, "DELETE " + api.RouteDevice: true, "PUT " + api.RouteDeviceAnswer: true, "DELETE " + api.RouteDeviceAnswer: true, "POST " + api.RouteTickets: true, "POST " + api.RouteFirms: true, "POST " + api.RouteProofs: true, "POST " + api.RoutePasskeys: true,
	"GET " + api.RouteAccountSessions: true, "DELETE " + api.RouteAccountSessions: true, "DELETE " + api.RouteOneSession: true, "POST " + api.RoutePasskey: true, "DELETE " + api.RoutePasskey: true,
	"POST " + api.RoutePassword: true, "PUT " + api.RoutePassword: true, "DELETE " + api.RoutePassword: true,
	"POST " + api.RouteTOTP: true, "PUT " + api.RouteTOTP: true, "DELETE " + api.RouteTOTP: true,
	"POST " + api.RouteRecoveryClaim: true, "GET " + api.RouteRecoveryStanding: true, "POST " + api.RouteRecoveryFinish: true,
	"GET " + api.RouteSSO: true, "POST " + api.RouteSSO: true, "DELETE " + api.RouteSSOLink: true,
}

// firmwide are routes that whoever has a session in the firm may call, also who was removed from a matter or was not
// seated yet: they show hashes, as the public log does. A tag cannot be guessed, so that nobody learns of a chain by asking
// the map without its link key.
var firmwide = map[string]bool{"GET " + api.RouteLog: true, "POST " + api.RouteMap: true, "GET " + api.RouteTiles: true}

// walk is a matter with everything in it, and how to call each of its routes as its owner would, with success.
type walk struct {
	*matter
	file    file // committed and released
	begun   file // an upload that is not committed
	invited wire.ObjectID
	known   wire.ObjectID // a member of this matter and of no other
	handed  wire.ObjectID // a recovery of which the owner is a custodian
}

// request is one call of a route.
type request struct {
	contentType string
	body        []byte
	header      map[string]string
}

func (w *walk) path(route string) string {
	return strings.NewReplacer(":firm", w.firm.String(), ":chain", w.id.String(), ":member", w.known.String(), ":epoch", "0",
		":invite", w.invited.String(), ":recovery", w.handed.String(), ":upload", w.begun.upload.String(), ":number", "0", ":document", w.file.change.Document.String(),
		":version", w.file.change.Header.Version.String(), "*", "tile/entries/000.p/1", "/leaves", "/leaves?sequence=state", ":position", "0?sequence=state").Replace(route)
}

// requests are the bodies that routes take. by is who makes the entries in them.
func (w *walk) requests(by *player) map[string]request {
	state := w.state.Clone()
	as := state.Members[w.author.Member]
	ghost := *as
	ghost.ID, ghost.Keys = by.author.Member, by.author.Identity.Public()
	state.Members[by.author.Member] = &ghost // a client that lies to itself
	batch, err := state.Batch(by.author, []chain.Change{{Kind: chain.OpPlace, Document: w.file.change.Document, Name: "stolen.pdf"}})
	w.ok(err)
	session := by.session
	if session == nil {
		session, err = chain.NewSession(by.author, w.firm, 1<<40)
		w.ok(err)
	}
	release, err := state.Release(by.author, session, w.file.change.Document, w.file.change.Header.Version, state.TrailPosition, state.TrailHead)
	w.ok(err)
	first, _, _, err := chain.Found(by.author, chain.Charter{Kind: chain.KindCompartment, Firm: w.firm}, "Mine", "Me")
	w.ok(err)
	chunk := w.begun.chunk(0)
	_, link := by.nextKeys(by.directoryLinks()...)
	inJSON := func(v any) []byte {
		b, err := json.Marshal(v)
		w.ok(err)
		return b
	}
	return map[string]request{
		"POST " + api.RouteChains:  {contentType: api.TypeBinary, body: first.Bytes()},
		"POST " + api.RouteEntries: {contentType: api.TypeBinary, body: batch.Bytes()},
		"POST " + api.RouteTrail:   {contentType: api.TypeBinary, body: chain.Submission{Entry: release}.Bytes()},
		"POST " + api.RouteUploads: {contentType: api.TypeJSON, body: []byte(`{"upload":"` + newID(w.t).String() + `","padded":16384}`)},
		"POST " + api.RouteLookup:  {contentType: api.TypeJSON, body: inJSON(api.KeysRequest{Members: []wire.ObjectID{w.known}})},
		"PUT " + api.RouteLookup:   {contentType: api.TypeBinary, body: link.Bytes()},
		"POST " + api.RouteMap:     {contentType: api.TypeJSON, body: inJSON(api.MapRequest{Keys: []wire.Hash{{1}}})},
		"PUT " + api.RouteChunk: {contentType: api.TypeBinary, body: chunk,
			header: map[string]string{"Content-Digest": api.ContentDigest(sha256.Sum256(chunk))}},
	}
}

// TestAttack85EveryRoute walks every route there is as somebody who is not signed in, as a member of another firm, as a
// member of the firm but not the matter, and as one who was removed from it. A new route is walked without being listed.
func TestAttack85EveryRoute(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	m := ada.matter()
	clara := m.join(chain.RoleClient).player
	dan := m.join(chain.RoleClient).player
	f, begun := m.newFile(newID(t), 100), m.newFile(newID(t), 100)
	m.put(f)
	m.bring(begun)
	clara.replay(m.id).release(f)
	m.remove(clara.author.Member)
	link := m.invite(chain.RoleClient, chain.ModeOpensAtOnce)

	eve := w.founder() // of another firm
	eveMatter := eve.matter()
	otherFile := eveMatter.newFile(newID(t), 100)
	eveMatter.put(otherFile)
	// Somebody in the firm, but in another of its matters only.
	paul := ada.matter().join(chain.RoleParalegal).player

	strangers := map[string]*player{"no session": w.player(), "another firm": eve, "another matter": paul, "removed": clara}
	strangers["no session"].firm = ada.firm
	target := &walk{matter: m, file: f, begun: begun, invited: link.Invite, known: dan.author.Member, handed: ada.holds(dan)}
	before, logged := dump(t, w, seenByServer...), len(ada.whole(""))
	walked := 0
	for _, route := range w.server.Routes() {
		key := route.Method + " " + route.Path
		if public[key] || !strings.HasPrefix(route.Path, "/v1/") {
			continue
		}
		for who, p := range strangers {
			r := target.requests(p)[key]
			var body io.Reader
			if r.body != nil {
				body = bytes.NewReader(r.body)
			}
			if accounts[key] {
				if who == "no session" {
					refused(t, p.do(route.Method, target.path(route.Path), r.contentType, body, r.header), api.CodeNotSignedIn)
				}
				continue
			}
			walked++
			// Also with a cookie of another firm under the name that is looked for.
			if who == "another firm" {
				refused(t, p.do(route.Method, target.path(route.Path), r.contentType, body, r.header), api.CodeNotSignedIn)
				p = &player{world: w, cookies: map[string]string{}, author: p.author, session: p.session, opened: map[string]*chain.Session{api.Firm(ada.firm): eve.session}}
				for name, value := range eve.cookies {
					p.cookies[strings.Replace(name, eve.firm.String()[:12], ada.firm.String()[:12], 1)] = value
				}
				if r.body != nil {
					body = bytes.NewReader(r.body)
				}
			}
			got := p.do(route.Method, target.path(route.Path), r.contentType, body, r.header)
			switch {
			case who == "no session" || who == "another firm":
				refused(t, got, api.CodeNotSignedIn)
			case key == "GET "+api.RouteChains:
				for _, seat := range want[api.Chains](t, got).Chains {
					if seat.Chain == m.id && (!seat.Removed || seat.Position != 0 || seat.Epoch != 0 || !seat.Head.IsZero()) {
						t.Errorf("%s: %s tells %+v", who, key, seat)
					}
				}
			case key == "POST "+api.RouteChains || key == "PUT "+api.RouteLookup:
				if got.code() != api.CodeNotFound && got.code() != api.CodeForbidden {
					t.Errorf("%s: %s: %d %.80q", who, key, got.status, got.body)
				}
			case firmwide[key]:
				if got.status != 200 {
					t.Errorf("%s: %s: %d %.80q", who, key, got.status, got.body)
				}
			case key == "DELETE "+api.RouteSession: // his own
				if got.status != 204 {
					t.Errorf("%s: %s: %d %.80q", who, key, got.status, got.body)
				}
				p.open()
			default:
				if got.code() != api.CodeNotFound {
					t.Errorf("%s: %s: %d %.80q", who, key, got.status, got.body)
				}
			}
		}
	}
	if walked < 60 {
		t.Fatalf("only %d calls were made", walked)
	}
	if dump(t, w, seenByServer...) != before {
		t.Fatal("somebody who may not changed something")
	}
	// What was added is what the server saw: refusals, and sessions that ended and began.
	added := ada.whole("")[logged:]
	if n := ofType(added, log.TypeServer); n == 0 || n+ofType(added, log.TypeMapRoot) != len(added) {
		t.Fatalf("%d leaves were added, %d of them are of the server", len(added), n)
	}
	// The same calls, by the owner, succeed: nothing was refused for another reason.
	for _, route := range w.server.Routes() {
		key := route.Method + " " + route.Path
		if public[key] || accounts[key] || !strings.HasPrefix(route.Path, "/v1/") || route.Method == "DELETE" || key == "PUT "+api.RouteLookup { // TestNextKeys
			continue
		}
		m.replayInto()
		if key == "GET "+api.RouteBody {
			m.release(f)
		}
		r := target.requests(ada)[key]
		var body io.Reader
		if r.body != nil {
			body = bytes.NewReader(r.body)
		}
		if got := ada.do(route.Method, target.path(route.Path), r.contentType, body, r.header); got.status/100 != 2 {
			t.Errorf("owner: %s: %d %s", key, got.status, got.body)
		}
	}
}

// holds has the player hold a share of somebody who is being handed back, and is which recovery.
func (p *player) holds(other *player) wire.ObjectID {
	p.t.Helper()
	id, member := newID(p.t), other.author.Member
	e := layout.Escrow{K: 2, Custodians: []chain.Custodian{{Member: p.author.Member}}, Hashes: []wire.Hash{{1}}}
	p.ok(p.update(func(tx store.Tx) error {
		if err := tx.Put(layout.ShareKey(member, p.author.Member), []byte("sealed")); err != nil {
			return err
		}
		return layout.Put(tx, layout.RecoveryKey(id), layout.Recovery{Member: member, Until: 1 << 40, State: layout.RecoveryOpen, Escrow: e, Claim: other.bundle()})
	}))
	return id
}

// replayInto brings the state up to date, with where the trail stands.
func (m *matter) replayInto() {
	fresh := m.player.replay(m.id)
	head := want[api.ChainHead](m.t, m.get(m.path()))
	*m.state = *fresh.state
	m.state.TrailPosition, m.state.TrailHead = head.TrailPosition, head.TrailHead
}

// TestAttack85OtherChain calls with objects of one matter under the path of another that the caller may read.
func TestAttack85OtherChain(t *testing.T) {
	w := newWorld(t)
	ada := w.founder()
	secret, open := ada.matter(), ada.matter()
	f := secret.newFile(newID(t), 100)
	secret.put(f)
	begun := secret.newFile(newID(t), 100)
	secret.bring(begun)
	clara := open.join(chain.RoleClient)

	refused(t, clara.get(clara.bodyPath(f)), api.CodeNotFound)
	refused(t, clara.get(clara.digestsPath(f)), api.CodeNotFound)
	refused(t, clara.get(api.UploadPath(clara.firm, clara.id, begun.upload)), api.CodeUploadGone)
	refused(t, clara.putChunk(begun, 0), api.CodeUploadGone)
	refused(t, clara.do("DELETE", api.UploadPath(clara.firm, clara.id, begun.upload), "", nil, nil), api.CodeUploadGone)
	refused(t, clara.beginUpload(begun), api.CodeUploadGone)
	// Another's upload is not committed, in his own matter or in one that both are in.
	stolen := clara.newFile(newID(t), 100)
	stolen.change.Upload = begun.upload
	refused(t, clara.send(clara.path()+"/entries", clara.commit(stolen)), api.CodeUploadGone)
	mine := open.newFile(newID(t), 100)
	open.replayInto()
	open.bring(mine)
	stolen.change.Upload = mine.upload
	refused(t, clara.send(clara.path()+"/entries", clara.commit(stolen)), api.CodeUploadGone)
	// A release of what the matter does not hold.
	refused(t, clara.send(clara.path()+"/trail", clara.releaseOf(f)), api.CodeNotFound)
	// The owner's second session is another session.
	secret.release(f)
	ada.open()
	refused(t, secret.body(f, ""), api.CodeNotReleased)
}

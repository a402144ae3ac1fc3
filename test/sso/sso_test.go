// Package sso holds sign-in through a firm's identity provider to SPEC, section 14.2, with the real server, the real client and
// a real OpenID provider, all on loopback.
package sso

import (
	"bytes"
	"strings"
	"testing"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/server"
	"github.com/underseal/underseal/server/auth/idp"
	"github.com/underseal/underseal/server/layout"
	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/test/evilserver"
	testidp "github.com/underseal/underseal/test/idp"
)

var (
	userAda     = testidp.User{Subject: "248289761001", Name: "ada", Password: "a", Email: "ada@firm.example"}
	userBertha  = testidp.User{Subject: "248289761002", Name: "bertha", Password: "b", Email: "bertha@firm.example"}
	userMallory = testidp.User{Subject: "mallory", Name: "mallory", Password: "m", Email: "ada@firm.example"} // so the provider says
)

const clientID = "underseal-test"

// office is a firm with an identity provider, and its founder with a kit.
type office struct {
	*evilserver.World
	ada       *evilserver.Person
	kit       string
	firm      wire.ChainID
	provider  *testidp.Provider
	providers *evilserver.Providers
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{providers: &evilserver.Providers{}}
	o.World = evilserver.NewWorld(t, func(c *server.Config) { c.Providers = o.providers })
	o.ada, o.kit = o.founder("Ada")
	o.firm = o.ada.Firm
	o.provider = o.register(o.firm)
	return o
}

func (o *office) founder(name string) (*evilserver.Person, string) {
	o.Helper()
	p := o.Founder(name)
	kit, err := p.CreateKit()
	o.ok(err)
	o.ok(p.TestKit(kit.Kit))
	o.ok(p.ConfirmKit(evilserver.Soon(o)))
	return p, kit.Kit
}

// register gives a firm a provider of its own.
func (o *office) register(firm wire.ChainID) *testidp.Provider {
	o.Helper()
	p := testidp.Start(o, []testidp.User{userAda, userBertha, userMallory}, testidp.Client{ID: clientID, Secret: "a secret of the firm", Redirect: o.Server.SSOAddress(firm)})
	o.providers.Set(firm, idp.Settings{Issuer: p.Issuer, ClientID: clientID, ClientSecret: "a secret of the firm"})
	return p
}

func (o *office) ok(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

func code(err error) api.Code {
	if f := client.FailureOf(err); f != nil {
		return f.Code
	}
	return ""
}

func (o *office) refused(err error, want api.Code) {
	o.Helper()
	if got := code(err); got != want {
		o.Fatalf("got %q (%v), want %s", got, err, want)
	}
}

// tab is a browser that is signed in with a kit.
func (o *office) tab(kit string) *evilserver.Tab {
	o.Helper()
	b := o.Tab()
	o.ok(b.SignInKit(evilserver.Soon(o), kit))
	return b
}

// link links whoever is signed in with a user of the provider.
func (o *office) link(b *evilserver.Tab, u testidp.User) string {
	o.Helper()
	path, err := b.LinkSSO(evilserver.Soon(o), o.firm)
	o.ok(err)
	return b.Through(o.provider, path, u)
}

// linked is Ada's browser after she linked.
func (o *office) linked() *evilserver.Tab {
	o.Helper()
	b := o.tab(o.kit)
	if page := o.link(b, userAda); page != "/account?sso=linked" {
		o.Fatal(page)
	}
	return b
}

// in says that the browser was signed in and sent to a page.
func (o *office) in(b *evilserver.Tab, page, want string) {
	o.Helper()
	if page != want+"?sso=in" {
		o.Fatalf("sent to %q", page)
	}
	if err := b.TakeUp(evilserver.Soon(o)); err != nil {
		o.Fatalf("no session: %v", err)
	}
}

// out says that it was not, in the one answer.
func (o *office) out(b *evilserver.Tab, page string) {
	o.Helper()
	if page != "/?sso=sign-in-failed" && page != "/account?sso=sign-in-failed" {
		o.Errorf("sent to %q", page)
	}
	if b.Cookie("-account") != "" {
		o.Error("there is a session")
	}
}

// TestRoundTrip: S-SSO-01, S-SSO-04. Linked, a browser that knows nothing is signed in; it has no keys, and the session is no
// proof: the kit unlocks, and what changes factors asks for one.
func TestRoundTrip(t *testing.T) {
	o := newOffice(t)
	ctx := evilserver.Soon(t)
	first := o.linked()
	o.ok(first.TakeUp(ctx))
	if firms := first.SSOFirms(ctx); len(firms) != 1 || firms[0] != o.firm {
		t.Errorf("the device remembers %v", firms)
	}
	o.ok(first.UnlockKit(ctx, o.kit))
	list, err := first.SSO(ctx)
	o.ok(err)
	if len(list) != 1 || !list[0].Linked || list[0].Issuer != o.provider.Issuer || list[0].FirmName != "Ada LLP" || list[0].LinkedAt == 0 || list[0].UsedAt != 0 {
		t.Errorf("%+v", list)
	}

	fresh := o.Tab()
	o.in(fresh, fresh.Through(o.provider, evilserver.SSOPath(o.firm)+"?then=/m/"+strings.Repeat("a", 52), userAda), "/m/"+strings.Repeat("a", 52))
	if fresh.SignedIn() {
		t.Error("keys came with the session")
	}
	if _, err := fresh.Overview(ctx); code(err) != api.CodeNotSignedIn {
		t.Errorf("without keys: %v", err)
	}
	o.refused(fresh.UnlockKit(ctx, swapTwo(o.kit)), api.CodeKitTypo)
	o.ok(fresh.UnlockKit(ctx, o.kit))
	view, err := fresh.Overview(ctx)
	o.ok(err)
	if len(view.Firms) != 1 || view.Firms[0].Firm != o.firm.String() {
		t.Errorf("%+v", view)
	}
	sessions, err := fresh.Sessions(ctx)
	o.ok(err)
	methods := map[string]int{}
	for _, s := range sessions {
		methods[s.Method]++
		if s.Current && s.Method != "sso" {
			t.Errorf("this session: %+v", s)
		}
	}
	if methods["sso"] != 1 || methods["kit"] != 1 {
		t.Errorf("%v", methods)
	}
	// It is no proof.
	kit, err := fresh.CreateKit()
	o.ok(err)
	o.ok(fresh.TestKit(kit.Kit))
	o.refused(fresh.ConfirmKit(ctx), api.CodeProveAgain)
	o.refused(fresh.UnlinkSSO(ctx, o.firm), api.CodeProveAgain)
	o.refused(fresh.EndOtherSessions(ctx), api.CodeProveAgain)
	_, err = fresh.LinkSSO(ctx, o.firm)
	o.refused(err, api.CodeProveAgain)
	o.ok(fresh.ProveKit(ctx, o.kit))
	o.ok(fresh.ConfirmKit(ctx))
	_ = kit
	if n := len(o.secretIn(fresh)); n != 0 {
		t.Errorf("secrets were sent: %v", o.secretIn(fresh))
	}
}

// anotherMinute forgets what was counted in this one: a story tells days in seconds.
func (o *office) anotherMinute() {
	o.Helper()
	o.Edit(layout.FirmPartition(o.firm), func(tx store.Tx) error {
		for _, counted := range []string{"failures/", "openings/"} {
			if err := tx.Scan([]byte(counted), nil, 0, func(k, _ []byte) error { return tx.Delete(k) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// inStore reports whether a text stands in anything that the server keeps.
func (o *office) inStore(text string) (found bool) {
	o.Helper()
	partitions, err := o.Store.Partitions(evilserver.Soon(o))
	o.ok(err)
	for _, p := range partitions {
		o.Edit(p, func(tx store.Tx) error {
			return tx.Scan(nil, nil, 0, func(k, v []byte) error {
				found = found || bytes.Contains(k, []byte(text)) || bytes.Contains(v, []byte(text))
				return nil
			})
		})
	}
	return found
}

// secretIn names the secrets of a browser's client that stand in anything that was sent to the server.
func (o *office) secretIn(b *evilserver.Tab) (found []string) {
	for _, x := range o.Since(0) {
		for _, s := range b.Secrets() {
			if len(s.Value) > 0 && (strings.Contains(string(x.Request.Body), string(s.Value)) || strings.Contains(x.Path+x.Query, string(s.Value))) {
				found = append(found, s.Name+" in "+x.Path)
			}
		}
	}
	return found
}

// swapTwo is a kit with two letters of its first group exchanged.
func swapTwo(kit string) string {
	b := []byte(kit)
	for i := range 3 {
		if b[i] != b[i+1] {
			b[i], b[i+1] = b[i+1], b[i]
			break
		}
	}
	return string(b)
}

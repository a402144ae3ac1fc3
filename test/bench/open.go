package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/client/native"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/test/browser"
)

// listen notes when the page calls the worker and when it is answered.
const listen = `(() => {
	window.benchCalls = [];
	const post = Worker.prototype.postMessage, seen = new WeakSet(), open = new Map();
	Worker.prototype.postMessage = function (message, ...rest) {
		if (!seen.has(this)) {
			seen.add(this);
			this.addEventListener("message", ({data}) => {
				const call = open.get(data.id);
				if (call) { call.milliseconds = performance.now() - call.from; open.delete(data.id); }
			});
		}
		if (message && message.method) {
			const call = {method: message.method, from: performance.now()};
			open.set(message.id, call);
			benchCalls.push(call);
		}
		return post.call(this, message, ...rest);
	};
})()`

// took is how long the last call of a method took, in milliseconds.
func (o *office) took(method string) float64 {
	var calls []struct {
		Method       string
		Milliseconds float64
	}
	o.b.must(json.Unmarshal([]byte(o.page.Eval("benchCalls")), &calls))
	last := 0.0
	for _, c := range calls {
		if c.Method == method && c.Milliseconds > 0 {
			last = c.Milliseconds
		}
	}
	if last == 0 {
		o.b.Fatalf("the page never called %s: %v", method, calls)
	}
	return last
}

// opening measures how long a large matter takes to open on a device that never saw it, and on one that did.
func opening(b *bench, s sizes) []table {
	o := found(b)
	p := join(b, o.invite("paralegal"))
	// What a sign-in costs by itself: the matter is as good as empty.
	base := o.openings(b, s, p)
	b.progress("making %d documents and %d operations", s.documents, s.operations)
	entries := p.fill(b, s)
	full := o.openings(b, s, p)

	e := expectations(fmt.Sprintf("Opening a matter of %d documents and %d operations in %d entries, medians of %d", s.documents, s.operations, entries, s.rounds))
	cold, warm := median(full.cold)-median(base.cold), median(full.warm)-median(base.warm)
	e.atMost("browser: warm, of cold, without the sign-in", warm/cold, 0.1)
	e.atMost("native: warm, of cold", median(full.warmNative)/median(full.coldNative), 0.1)
	e.told("browser: cold · warm, without the sign-in", fmt.Sprintf("%.0f · %.0f ms", cold, warm))
	e.told("browser: cold · warm, with the sign-in", fmt.Sprintf("%.0f · %.0f ms", median(full.cold), median(full.warm)))
	e.told("browser: cold · warm, the sign-in and an empty matter", fmt.Sprintf("%.0f · %.0f ms", median(base.cold), median(base.warm)))
	e.told("browser: cold · warm, from the click to the list", fmt.Sprintf("%.0f · %.0f ms", median(full.coldShown), median(full.warmShown)))
	e.told("native: cold · warm", fmt.Sprintf("%.0f · %.0f ms", median(full.coldNative), median(full.warmNative)))
	e.note("In the browser: the call that ends the sign-in and opens every matter, with the requests it makes; less the same with an empty matter. Native: from signed in to the matter shown, a new session included.")
	return []table{e}
}

// openings are milliseconds of several rounds.
type openings struct{ cold, warm, coldShown, warmShown, coldNative, warmNative []float64 }

func (o *office) openings(b *bench, s sizes, p *person) (all openings) {
	for range s.rounds {
		o.page.Open("about:blank")
		o.page.Empty(o.server.Origin)
		cold := o.signInTime(b)
		warm := o.signInTime(b)
		all.cold, all.coldShown = append(all.cold, cold.opened), append(all.coldShown, cold.shown)
		all.warm, all.warmShown = append(all.warm, warm.opened), append(all.warmShown, warm.shown)
		device := b.TempDir()
		coldNative, warmNative := p.openOn(b, device), p.openOn(b, device)
		all.coldNative, all.warmNative = append(all.coldNative, coldNative), append(all.warmNative, warmNative)
		b.progress("browser: cold %.0f, warm %.0f ms; native: cold %.0f, warm %.0f ms", cold.opened, warm.opened, coldNative, warmNative)
	}
	return all
}

type signInTime struct{ opened, shown float64 } // milliseconds

// signInTime loads the page, signs in and is how long that took.
func (o *office) signInTime(b *bench) signInTime {
	o.page.Open(o.server.Origin + "/")
	o.page.See("#signin-passkey")
	o.page.Eval(listen)
	start := time.Now()
	o.page.Click("#signin-passkey")
	o.page.SeeWithin("#matters [data-matter]", 10*browser.Patience)
	shown := time.Since(start).Seconds() * 1000
	return signInTime{o.took("signinFinish"), shown}
}

// invite makes an invite that opens at once, and is its link.
func (o *office) invite(role string) string {
	o.page.Click("#invite-open")
	o.page.Type("#invite-person", "Petra Paralegal")
	o.page.Eval(fmt.Sprintf(`(() => { const s = document.querySelector("#invite-role"); s.value = %q; s.dispatchEvent(new Event("change", {bubbles: true})); })()`, role))
	o.page.Click(`#invite-mode [value="opens-at-once"]`)
	o.page.Click("#invite-create")
	o.page.See("#invite-link")
	link := o.page.String(`document.querySelector("#invite-link").value ?? document.querySelector("#invite-link").innerText`)
	o.page.Click("#invite-done")
	return link
}

// person is a member outside of a browser.
type person struct {
	client     *client.Client
	origin     string
	matter     wire.ChainID
	passphrase vault.Passphrase
}

func newClient(b *bench, origin, device string) *client.Client {
	transport, err := native.NewTransport(origin)
	b.must(err)
	records, err := native.OpenDevice(filepath.Join(device, "records"))
	b.must(err)
	return client.New(client.Config{Origin: transport.Origin(), Transport: transport, Device: records, Pump: native.NewPump(transport, rand.Reader), Random: rand.Reader, Now: time.Now})
}

func join(b *bench, link string) *person {
	ctx := context.Background()
	origin, fragment, _ := strings.Cut(link, "/join#")
	stretch, err := vault.DefaultStretch(rand.Reader)
	b.must(err)
	p := &person{client: newClient(b, origin, b.TempDir()), origin: origin}
	p.passphrase, err = vault.StretchPassphrase([]byte("correct horse battery staple"), stretch)
	b.must(err)
	_, err = p.client.OpenInvite(ctx, fragment)
	b.must(err)
	_, err = p.client.InviteOptions(ctx)
	b.must(err)
	p.matter, err = p.client.InviteFinish(ctx, client.Unlocker{Passphrase: &p.passphrase})
	b.must(err)
	return p
}

// fill uploads the documents in drops of two hundred, then renames them, and is how many entries the matter has.
func (p *person) fill(b *bench, s sizes) int {
	ctx := context.Background()
	entries := 3 // founded, invited, accepted
	file, err := native.OpenSource(makeFile(b, "page.txt", 0))
	b.must(err)
	defer file.Close()
	for from := 0; from < s.documents; from += chain.MaxOps {
		var files []client.File
		for i := from; i < min(from+chain.MaxOps, s.documents); i++ {
			files = append(files, client.File{Path: fmt.Sprintf("Exhibits %d/Exhibit %04d.txt", i/50, i), Type: "text/plain", Source: file})
		}
		ids, err := p.client.Upload(ctx, p.matter, "", files)
		b.must(err)
		for _, id := range ids {
			v, err := p.client.WaitTransfer(ctx, id)
			b.must(err)
			if v.Phase != client.PhaseDone {
				b.Fatal("a document was not uploaded: ", v.Failure)
			}
		}
		entries++
		b.progress("%d documents", from+len(files))
	}
	view, err := p.client.Matter(ctx, p.matter)
	b.must(err)
	var documents []wire.ObjectID
	for _, d := range view.Documents {
		id, err := wire.ParseObjectID(d.Document)
		b.must(err)
		documents = append(documents, id)
	}
	for done := s.documents; done < s.operations; entries++ {
		n := min(s.perEntry, s.operations-done)
		part := make([]wire.ObjectID, n)
		for i := range part {
			part[i] = documents[(done+i)%len(documents)]
		}
		_, err := p.client.Place(ctx, p.matter, part, func(d *chain.Document) (name, folder string) { return fmt.Sprintf("Exhibit %d.txt", done), d.Folder })
		b.must(err)
		done += n
	}
	return entries
}

// openOn opens the matter with what a device has, and is how long that took in milliseconds.
func (p *person) openOn(b *bench, device string) float64 {
	ctx := context.Background()
	account, root, ok := p.client.Root()
	if !ok {
		b.Fatal("nobody is signed in")
	}
	c := newClient(b, p.origin, device)
	b.must(c.SignInRoot(ctx, p.passphrase.LoginKey(), account, root))
	start := time.Now()
	_, err := c.Matter(ctx, p.matter)
	b.must(err)
	return time.Since(start).Seconds() * 1000
}

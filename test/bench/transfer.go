package main

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"time"

	"github.com/underseal/underseal/protocol/document"
	"github.com/underseal/underseal/protocol/wire"
)

// plainUpload sends the same file to the same routes as it is: the same chunk lengths, a digest each, three in flight. It
// runs in a worker, as ours does: in a page under a debugger, bodies pass through the debugger.
const plainUpload = `
	const [chain, upload, padded, sizes] = args;
	const begun = await fetch(chain + "/uploads", {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({upload, padded})});
	if (!begun.ok) throw new Error("begin: " + begun.status + await begun.text());
	const at = sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0));
	let next = 0;
	const start = performance.now();
	await Promise.all([1, 2, 3].map(async () => {
		while (next < sizes.length) {
			const i = next++;
			const body = new Uint8Array(sizes[i]);
			body.set(new Uint8Array(await file.slice(at[i], at[i] + sizes[i]).arrayBuffer()));
			const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
			const headers = {"Content-Type": "application/octet-stream", "Content-Digest": "sha-256=:" + btoa(String.fromCharCode(...digest)) + ":"};
			const reply = await fetch(chain + "/uploads/" + upload + "/chunks/" + i, {method: "PUT", body, headers});
			if (!reply.ok) throw new Error("chunk: " + reply.status);
			await reply.arrayBuffer();
		}
	}));
	const seconds = (performance.now() - start) / 1000;
	await fetch(chain + "/uploads/" + upload, {method: "DELETE"});
	return seconds;
`

// plainDownload fetches the same ranges, three in flight, and drops them.
const plainDownload = `
	const [path, sizes] = args;
	const {port1, port2} = new MessageChannel();
	port2.close();
	const at = sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0));
	let next = 0;
	const start = performance.now();
	await Promise.all([1, 2, 3].map(async () => {
		while (next < sizes.length) {
			const i = next++;
			const reply = await fetch(path, {headers: {Range: "bytes=" + at[i] + "-" + (at[i] + sizes[i] - 1)}, cache: "no-store"});
			const body = await reply.arrayBuffer();
			if (reply.status !== 206 || body.byteLength !== sizes[i]) throw new Error("range: " + reply.status);
			port1.postMessage(null, [body]);
		}
	}));
	return (performance.now() - start) / 1000;
`

// transfers measures a file through the client beside the same bytes through the same routes without it.
func transfers(b *bench, s sizes) []table {
	const name = "Deposition.bin"
	file := makeFile(b, name, s.large)
	o := found(b)
	length := uint64(s.large) << 20
	padded := document.PaddedLength(length)
	chunks := make([]int64, document.Chunks(padded))
	for i := range chunks {
		chunks[i] = document.ChunkLength(padded, i)
	}
	speed := func(seconds float64) string { return fmt.Sprintf("%.1f", float64(length)/seconds/1e6) }

	t := o.plainTab(file)
	plainUp := t.plainUp(o, padded, chunks)
	b.progress("plain upload: %s MB/s", speed(plainUp))
	up := o.upload(file).Seconds()
	b.progress("our upload: %s MB/s", speed(up))
	plainUp = (plainUp + t.plainUp(o, padded, chunks)) / 2 // before and after ours: the machine is not always the same
	o.clearTransfers()
	doc := o.document(name)
	path := o.server.Origin + o.chain() + "/documents/" + doc + "/" + o.version(doc) + "/body"
	verified, saved := o.download(doc, name)
	b.progress("our download: %s MB/s", speed(verified.Seconds()))
	sameFile(b, filepath.Join(o.page.Downloads, name), file)
	var plainDown float64
	t.worker(plainDownload, arguments(path, chunks), &plainDown)
	b.progress("plain download: %s MB/s", speed(plainDown))

	e := expectations(fmt.Sprintf("A file of %d MiB, through the client and beside it", s.large))
	e.atMost("upload: time, of a plain one", up/plainUp, 1.4)
	e.atMost("download, verified: time, of a plain one", verified.Seconds()/plainDown, 1.4)
	e.told("download, verified and saved: time, of a plain one", fmt.Sprintf("%.2f", saved.Seconds()/plainDown))
	e.told("upload: ours · plain", speed(up)+" · "+speed(plainUp)+" MB/s")
	e.told("download: ours · plain", speed(verified.Seconds())+" · "+speed(plainDown)+" MB/s")
	e.note("The plain ones are a loop of `fetch` in a worker of the same browser: the same routes, chunk lengths and digests, three in flight. Downloaded bytes are dropped there; ours are checked and written to disk.")
	return []table{e}
}

// plainTab is a tab that is signed in by the app's cookies and holds a file.
func (o *office) plainTab(file string) *tab {
	t := newTab(o.b, o.profile)
	t.open(o.server.Origin + "/manifest.json")
	t.eval(`document.body.append(Object.assign(document.createElement("input"), {type: "file"}))`, nil)
	t.setFile("input", file)
	return t
}

func (t *tab) plainUp(o *office, padded uint64, chunks []int64) (seconds float64) {
	id, err := wire.NewObjectID(rand.Reader)
	t.b.must(err)
	t.worker(plainUpload, arguments(o.server.Origin+o.chain(), id.String(), padded, chunks), &seconds)
	return seconds
}

// memory watches the renderer and the server while a large file goes up and comes down.
func memory(b *bench, s sizes) []table {
	const name = "Production.bin"
	file := makeFile(b, name, s.huge)
	o := found(b)
	time.Sleep(2 * time.Second) // what sign-in left to collect
	w := watch(b, o.page.PID, o.server.PID())
	up := o.upload(file)
	b.progress("%d MiB up in %s", s.huge, up.Round(time.Second))
	rising := w.growth()
	o.clearTransfers()
	doc := o.document(name)
	verified, _ := o.download(doc, name)
	b.progress("%d MiB down in %s", s.huge, verified.Round(time.Second))
	w.stop()
	sameFile(b, filepath.Join(o.page.Downloads, name), file)
	total := w.growth()

	e := expectations(fmt.Sprintf("A file of %d MiB up and down: peak RssAnon over its value after sign-in, MiB", s.huge))
	e.below("renderer", total.renderer, 400)
	e.below("server", total.server, 400)
	e.told("renderer · server, of the upload alone", fmt.Sprintf("%d · %d", rising.renderer, rising.server))
	e.told("renderer · server, after sign-in", fmt.Sprintf("%d · %d", w.first.renderer, w.first.server))
	e.told("all other processes of the browser", fmt.Sprintf("%d", total.others))
	return []table{e}
}

func (t *table) below(what string, got, want int) {
	t.add(what, fmt.Sprintf("below %d", want), fmt.Sprint(got), verdict(got < want))
}

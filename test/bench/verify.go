package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/client/native"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// matterVerified measures the verification of one large matter in the browser, and by the same client outside of one.
func matterVerified(b *bench, s sizes) []table {
	o := found(b)
	p := join(b, o.invite("owner"))
	b.progress("making %d entries", s.entries)
	p.work(b, s)
	var page, alone []float64
	var seen client.VerifyView
	o.page.Open(o.server.Origin + "/m/" + o.matter + "/verify")
	o.page.See("#signin-passkey")
	o.page.Eval(listen)
	o.page.Click("#signin-passkey")
	for i := range s.rounds {
		if i > 0 {
			o.page.Click("#verify-again")
		}
		o.page.SeeWithin("#verify-again", slow)
		if o.page.String(`String(!!document.querySelector("#verify-result"))`) != "true" {
			b.Fatal("the matter did not verify in the browser: ", o.page.String(`document.querySelector("#verify").innerText`))
		}
		page = append(page, o.took("verifyMatter"))
		var err error
		seen, err = p.client.VerifyMatter(context.Background(), p.matter)
		b.must(err)
		alone = append(alone, float64(seen.Took))
		b.progress("browser %.0f ms, native %.0f ms", page[i], alone[i])
	}
	entries := ""
	for _, q := range seen.Sequences {
		entries += fmt.Sprintf(", %s %d", q.Sequence, q.Entries)
	}
	e := expectations(fmt.Sprintf("Verifying a matter%s, medians of %d", entries, s.rounds))
	e.told("browser: the first time · later", fmt.Sprintf("%.0f · %.0f ms", page[0], median(page[min(1, len(page)-1):])))
	e.told("native: the first time · later", fmt.Sprintf("%.0f · %.0f ms", alone[0], median(alone[min(1, len(alone)-1):])))
	e.told("browser, of native", fmt.Sprintf("%.1f", median(page)/median(alone)))
	e.note("From the page's call to the verdict, by an owner, who audits: every leaf walked by the link keys and proved to be in the log, that none comes after them, that what is shown was derived from exactly these, and every release opened and paired with what was served. The matter itself is open already, as it is when somebody asks for this.")
	return []table{e}
}

// work renames documents and opens some, till the matter has its entries: one in ten is a release, which the server follows
// with an entry of its own.
func (p *person) work(b *bench, s sizes) {
	ctx := context.Background()
	entries := p.fill(b, sizes{documents: 100, operations: 100, perEntry: 1})
	view, err := p.client.Matter(ctx, p.matter)
	b.must(err)
	var documents []wire.ObjectID
	for _, d := range view.Documents {
		id, err := wire.ParseObjectID(d.Document)
		b.must(err)
		documents = append(documents, id)
	}
	target := filepath.Join(b.TempDir(), "read")
	for i := entries; i < s.entries; i++ {
		document := documents[i%len(documents)]
		if i%10 == 0 {
			p.read(b, document, target)
		} else {
			part := []wire.ObjectID{document}
			_, err := p.client.Place(ctx, p.matter, part, func(d *chain.Document) (name, folder string) { return fmt.Sprintf("Exhibit %d.txt", i), d.Folder })
			b.must(err)
		}
		if i%1000 == 0 {
			b.progress("%d entries", i)
		}
	}
}

// read downloads a document over the one before.
func (p *person) read(b *bench, document wire.ObjectID, target string) {
	ctx := context.Background()
	id, err := p.client.Download(ctx, p.matter, document, wire.ObjectID{}, native.NewSink(target, native.ReplaceExisting))
	b.must(err)
	v, err := p.client.WaitTransfer(ctx, id)
	b.must(err)
	if v.Phase != client.PhaseDone {
		b.Fatal("a document was not downloaded: ", v.Failure)
	}
}

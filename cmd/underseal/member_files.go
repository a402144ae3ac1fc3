package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"mime"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/client/native"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// target is MATTER, MATTER:/path or, to tell namesakes apart, MATTER:ID.
type target struct {
	matter   string
	path     string // without the slash it began with
	document string // beginning of an id
	inFolder bool   // the path ended in a slash, or is empty
	whole    bool   // nothing but the matter was named
}

func parseTarget(text string) (target, error) {
	if m, p, ok := strings.Cut(text, ":/"); ok {
		clean := strings.Trim(p, "/")
		for part := range strings.SplitSeq(clean, "/") {
			if clean != "" && (part == "" || part == "." || part == "..") {
				return target{}, misused("%s is no path in a matter", quote("/"+p))
			}
		}
		return target{matter: m, path: clean, inFolder: clean == "" || strings.HasSuffix(p, "/")}, nil
	}
	if i := strings.LastIndexByte(text, ':'); i > 0 && isIDPrefix(text[i+1:]) {
		return target{matter: text[:i], document: text[i+1:]}, nil
	}
	return target{matter: text, whole: true, inFolder: true}, nil
}

const minIDPrefix = 4

func isIDPrefix(s string) bool {
	return len(s) >= minIDPrefix && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// matter finds a matter and opens it.
func (s *session) matter(ctx context.Context, name string) (client.MatterView, error) {
	found, err := s.find(ctx, name)
	if err != nil {
		return client.MatterView{}, err
	}
	id, err := wire.ParseHash(found.Matter)
	if err != nil {
		return client.MatterView{}, err
	}
	return s.client.Matter(ctx, id)
}

// find finds a matter by name, by id or by the beginning of one; and after all of them the firm itself.
func (s *session) find(ctx context.Context, name string) (client.MatterSummary, error) {
	all, err := s.client.Overview(ctx)
	if err != nil {
		return client.MatterSummary{}, err
	}
	var found []client.MatterSummary
	for _, m := range all.Matters {
		if m.Name == name || m.Matter == name {
			found = append(found, m)
		}
	}
	for _, m := range all.Matters {
		if len(found) == 0 && isIDPrefix(name) && strings.HasPrefix(m.Matter, name) {
			found = append(found, m)
		}
	}
	for _, f := range all.Firms {
		if len(found) == 0 && f.MayCreateMatters && (f.Name == name || f.Firm == name) {
			found = append(found, client.MatterSummary{Matter: f.Firm, Firm: f.Firm, Name: f.Name}) // the firm itself, by its name or whole id
		}
	}
	switch len(found) {
	case 0:
		return client.MatterSummary{}, plain(api.CodeNotHere, "There is no matter %s. underseal ls lists yours.", quote(name))
	case 1:
		return found[0], nil
	}
	lines := []string{fmt.Sprintf("%s is the name of %d matters. Say which, by the beginning of its id:", quote(name), len(found))}
	for _, m := range found {
		lines = append(lines, fmt.Sprintf("  %s  %s", m.Matter[:12], safe(m.Name)))
	}
	return client.MatterSummary{}, plain(codeAmbiguous, "%s", strings.Join(lines, "\n"))
}

func pathOf(d client.DocumentView) string { return path.Join(d.Folder, d.Name) }

func isFolder(m client.MatterView, folder string) bool {
	for _, d := range m.Documents {
		if d.Deleted == nil && (d.Folder == folder || strings.HasPrefix(d.Folder, folder+"/")) {
			return true
		}
	}
	return false
}

// document finds exactly one document.
func document(m client.MatterView, t target) (client.DocumentView, error) {
	var found []client.DocumentView
	for _, d := range m.Documents {
		byPath := t.document == "" && !t.inFolder && pathOf(d) == t.path
		byID := t.document != "" && strings.HasPrefix(d.Document, t.document)
		if d.Deleted == nil && (byPath || byID) {
			found = append(found, d)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		lines := []string{fmt.Sprintf("%s is the name of %d documents. Say which: MATTER:ID", quote("/"+t.path), len(found))}
		for _, d := range found {
			lines = append(lines, fmt.Sprintf("  %s  %s, by %s", d.Document, when(d.At), safe(d.Author)))
		}
		return client.DocumentView{}, plain(codeAmbiguous, "%s", strings.Join(lines, "\n"))
	case t.whole || t.path == "" && t.document == "":
		return client.DocumentView{}, plain(api.CodeNotHere, "%s is a whole matter: name one document, as MATTER:/path.", quote(t.matter))
	case t.document == "" && isFolder(m, t.path):
		return client.DocumentView{}, plain(api.CodeNotHere, "%s is a folder: name one document in it.", quote("/"+t.path))
	}
	return client.DocumentView{}, plain(api.CodeNotHere, "There is no document %s in %s.", quote("/"+t.path), quote(m.Name))
}

func when(millis uint64) string { return time.UnixMilli(int64(millis)).Format("2006-01-02 15:04") }

func (s *session) list(ctx context.Context, args []string) error {
	rest, err := s.arguments(flag.NewFlagSet("ls", flag.ContinueOnError), args, 0, "MATTER:/path")
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return s.listMatters(ctx)
	}
	t, err := parseTarget(rest[0])
	if err != nil {
		return err
	}
	if err := s.signIn(ctx); err != nil {
		return err
	}
	m, err := s.matter(ctx, t.matter)
	if err != nil {
		return err
	}
	return s.listDocuments(m, t)
}

func (s *session) listMatters(ctx context.Context) error {
	if err := s.signIn(ctx); err != nil {
		return err
	}
	v, err := s.client.Overview(ctx)
	if err != nil {
		return err
	}
	if s.asJSON {
		printJSON(s.stdout, v)
	} else {
		for _, m := range v.Matters {
			fmt.Fprintf(s.stdout, "%s  %-11s  %-9s  %-14s  %s\n", m.Matter[:12], m.State, m.MyRole, documentCount(m), safe(m.Name))
		}
	}
	for _, m := range v.Matters {
		if m.State == "refused" {
			return &client.Failure{Code: api.CodeServerLied}
		}
	}
	return nil
}

// documentCount is how many documents a matter has; a reviewer cannot tell.
func documentCount(m client.MatterSummary) string {
	switch {
	case m.State == stateReview:
		return "   check only"
	case m.Documents == 1:
		return "   1 document"
	}
	return fmt.Sprintf("%4d documents", m.Documents)
}

func (s *session) listDocuments(m client.MatterView, t target) error {
	shown := []client.DocumentView{}
	for _, d := range m.Documents {
		under := t.path == "" && t.document == "" || d.Folder == t.path || strings.HasPrefix(d.Folder, t.path+"/")
		itself := !t.inFolder && (t.document == "" && pathOf(d) == t.path || t.document != "" && strings.HasPrefix(d.Document, t.document))
		if d.Deleted == nil && (under && t.document == "" || itself) {
			shown = append(shown, d)
		}
	}
	if len(shown) == 0 && (t.path != "" || t.document != "") {
		return plain(api.CodeNotHere, "There is nothing at %s in %s.", quote("/"+t.path+t.document), quote(m.Name))
	}
	if s.asJSON {
		m.Documents = shown
		printJSON(s.stdout, m)
		return nil
	}
	for _, d := range shown {
		fmt.Fprintf(s.stdout, "%12d  %s  %-20s  /%s\n", d.Size, when(d.At), safe(d.Author), safe(pathOf(d)))
	}
	return nil
}

// reported is what put, get and rm say.
type reported struct {
	Matter   string `json:"matter"`
	Document string `json:"document"`
	Path     string `json:"path"`
	File     string `json:"file,omitempty"`
	Bytes    int64  `json:"bytes"`
	Version  int    `json:"version,omitempty"` // of what put added: 1 is a new document
	Resumed  bool   `json:"resumed,omitempty"`
}

func (s *session) report(r reported, format string, args ...any) {
	if s.asJSON {
		printJSON(s.stdout, r)
		return
	}
	fmt.Fprintf(s.stdout, format+"\n", args...)
}

func (s *session) put(ctx context.Context, args []string) error {
	rest, err := s.arguments(flag.NewFlagSet("put", flag.ContinueOnError), args, 2, "FILE", "MATTER:/path")
	if err != nil {
		return err
	}
	t, err := parseTarget(rest[1])
	if err != nil {
		return err
	}
	if t.document != "" {
		return misused("name a path: MATTER:/path")
	}
	source, err := native.OpenSource(rest[0])
	if err != nil {
		return unreadable(rest[0], err)
	}
	defer source.Close()
	if err := s.signIn(ctx); err != nil {
		return err
	}
	m, err := s.matter(ctx, t.matter)
	if err != nil {
		return err
	}
	where, err := placeOf(m, t, filepath.Base(rest[0]))
	if err != nil {
		return err
	}
	return s.upload(ctx, m, rest[0], where, source)
}

// placeOf is the path that a file of this name is put at. A last part without an ending may be meant as a folder or as the
// document's name: it is not guessed.
func placeOf(m client.MatterView, t target, name string) (string, error) {
	if t.inFolder || isFolder(m, t.path) {
		return path.Join(t.path, name), nil
	}
	_, err := document(m, t)
	var own *plainError
	if none := errors.As(err, &own) && own.code == api.CodeNotHere; none && ending(name) != "" && ending(t.path) == "" {
		return "", misused("%s is neither a folder nor a document yet: end it with a slash for a folder, or name the document with its ending", quote("/"+t.path))
	}
	return t.path, nil
}

// ending is a name's ending with its dot. "Doe v. Roe" and ".bashrc" have none.
func ending(name string) string {
	name = path.Base(name)
	e := path.Ext(name)
	if e == name || e == "." || strings.ContainsRune(e, ' ') {
		return ""
	}
	return e
}

func unreadable(file string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return plain(api.CodeFileUnreadable, "There is no file %s.", quote(file))
	}
	return plain(api.CodeFileUnreadable, "%s cannot be read, or is no file.", quote(file))
}

func (s *session) upload(ctx context.Context, m client.MatterView, file, where string, source *native.FileSource) error {
	id, resumed, err := s.resume(ctx, m, where, source)
	if err != nil {
		return err
	}
	if !resumed {
		if id, err = s.begin(ctx, m, where, file, source); err != nil {
			return err
		}
	}
	v, err := s.wait(ctx, id)
	if err != nil && resumed && lostUpload(err) {
		s.show.note("What was sent before cannot be used any more; starting over.")
		if err := s.client.CancelTransfer(ctx, id); err != nil {
			return err
		}
		resumed = false
		if id, err = s.begin(ctx, m, where, file, source); err != nil {
			return err
		}
		v, err = s.wait(ctx, id)
	}
	if err != nil {
		return err
	}
	r := reported{Matter: m.Matter, Path: "/" + where, File: file, Bytes: v.Total, Resumed: resumed}
	if v.Document != nil {
		r.Document = *v.Document
	}
	if r.Version, err = s.versions(ctx, m, r.Document); err != nil {
		return err
	}
	if r.Version > 1 {
		s.report(r, "Version %d of %s is in %s.", r.Version, quote(r.Path), quote(m.Name))
		return nil
	}
	s.report(r, "%s is in %s.", quote(r.Path), quote(m.Name))
	return nil
}

// versions counts a document's, now.
func (s *session) versions(ctx context.Context, m client.MatterView, document string) (int, error) {
	id, err := wire.ParseHash(m.Matter)
	if err != nil {
		return 0, err
	}
	now, err := s.client.Matter(ctx, id)
	if err != nil {
		return 0, err
	}
	for _, d := range now.Documents {
		if d.Document == document {
			return len(d.Versions), nil
		}
	}
	return 0, nil // somebody deleted it at once
}

// lostUpload says that an earlier upload cannot be carried on. The server forgot it after a week; or it keeps a chunk that it
// does not list, because it was stopped between storing and noting it, and takes no other in its place.
func lostUpload(err error) bool {
	code := client.FailureOf(err).Code
	return code == api.CodeUploadGone || code == api.CodeChunkConflict
}

func (s *session) begin(ctx context.Context, m client.MatterView, where, file string, source *native.FileSource) (wire.ObjectID, error) {
	id, err := wire.ParseHash(m.Matter)
	if err != nil {
		return wire.ObjectID{}, err
	}
	f := client.File{Path: where, Type: mime.TypeByExtension(filepath.Ext(file)), Source: source, Replace: true}
	ids, err := s.client.Upload(ctx, id, "", []client.File{f})
	if err != nil {
		return wire.ObjectID{}, err
	}
	return ids[0], nil
}

// resume finds an interrupted upload of this very file to this very place, and carries it on. One of another state of the
// file is given up: its key must not seal two contents.
func (s *session) resume(ctx context.Context, m client.MatterView, where string, source *native.FileSource) (wire.ObjectID, bool, error) {
	for _, t := range s.client.Transfers() {
		if t.Phase != client.PhaseNeedsFile || t.Matter != m.Matter || path.Join(t.Folder, t.Name) != where {
			continue
		}
		id, err := wire.ParseObjectID(t.ID)
		if err != nil {
			return id, false, err
		}
		err = s.client.ProvideFile(ctx, id, source)
		if err == nil {
			s.show.note("Carrying on where the upload stopped.")
			return id, true, nil
		}
		if f := client.FailureOf(err); f.Code != api.CodeFileChanged {
			return id, false, f
		}
		s.show.note("The file has changed since its upload stopped; starting over.")
		if err := s.client.CancelTransfer(ctx, id); err != nil {
			return id, false, err
		}
	}
	return wire.ObjectID{}, false, nil
}

const pauseWithin = 30 * time.Second

// wait waits for a transfer. An interrupt pauses it: what the server has stays there, and so does the journal.
func (s *session) wait(ctx context.Context, id wire.ObjectID) (client.TransferView, error) {
	v, err := s.client.WaitTransfer(ctx, id)
	if err != nil && ctx.Err() != nil {
		return s.pause(id)
	}
	if err != nil {
		return v, err
	}
	return v, outcome(v)
}

func outcome(v client.TransferView) error {
	switch {
	case v.Phase == client.PhaseDone:
		return nil
	case v.Failure != nil:
		return v.Failure
	}
	return &client.Failure{Code: api.CodeCancelled}
}

func (s *session) pause(id wire.ObjectID) (client.TransferView, error) {
	ctx, cancel := context.WithTimeout(context.Background(), pauseWithin)
	defer cancel()
	for ctx.Err() == nil {
		err := s.client.PauseTransfer(id)
		if err == nil {
			break
		}
		// It is being committed, or has just ended: that is waited for.
		short, stop := context.WithTimeout(ctx, 100*time.Millisecond)
		v, err := s.client.WaitTransfer(short, id)
		stop()
		if err == nil {
			return v, outcome(v)
		}
	}
	return client.TransferView{}, plain(api.CodeCancelled, "Paused. What was sent is kept for a week: the same command carries on.")
}

func (s *session) get(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("get", flag.ContinueOnError)
	out := f.String("o", "", "file to write")
	force := f.Bool("force", false, "replace a file that is there")
	rest, err := s.arguments(f, args, 1, "MATTER:/path")
	if err != nil {
		return err
	}
	t, err := parseTarget(rest[0])
	if err != nil {
		return err
	}
	if err := s.signIn(ctx); err != nil {
		return err
	}
	m, err := s.matter(ctx, t.matter)
	if err != nil {
		return err
	}
	if role, ok := chain.ParseRole(m.MyRole); !ok || !role.May(chain.RightRead) {
		return &client.Failure{Code: api.CodeNotAllowed} // an auditor sees the names and has no key
	}
	d, err := document(m, t)
	if err != nil {
		return err
	}
	file, err := outputFile(*out, d.Name)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(file); err == nil && !*force {
		return native.ErrExists
	}
	if _, err := os.Stat(filepath.Dir(file)); err != nil {
		return unwritable(file, err)
	}
	return s.download(ctx, m, d, file, native.Overwrite(*force))
}

// outputFile is where a document goes. Its name was given by somebody else: it may not pick a folder, nor be one that a
// shell or a system acts upon.
func outputFile(wanted, name string) (string, error) {
	if wanted != "" {
		if info, err := os.Stat(wanted); err == nil && info.IsDir() {
			wanted = filepath.Join(wanted, name)
		} else {
			return wanted, nil
		}
	} else {
		wanted = name
	}
	if !filepath.IsLocal(name) || strings.ContainsAny(name, `/\`) || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") {
		return "", plain(api.CodeBadName, "The document's name %s is not used for a file unasked: give one with -o FILE.", quote(name))
	}
	return wanted, nil
}

// unwritable says which file was not written and why.
func unwritable(file string, err error) error {
	why := "there is no room for it, or the place may not be written to"
	var number syscall.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist):
		why = "there is no folder " + quote(filepath.Dir(file))
	case errors.As(err, &number):
		why = number.Error()
	}
	return plain(api.CodeNoRoom, "%s was not written: %s. No file was left behind.", quote(file), why)
}

func (s *session) download(ctx context.Context, m client.MatterView, d client.DocumentView, file string, overwrite native.Overwrite) error {
	chainID, err := wire.ParseHash(m.Matter)
	if err != nil {
		return err
	}
	doc, err := wire.ParseObjectID(d.Document)
	if err != nil {
		return err
	}
	id, err := s.client.Download(ctx, chainID, doc, wire.ObjectID{}, native.NewSink(file, overwrite))
	if err != nil {
		return err
	}
	v, err := s.client.WaitTransfer(ctx, id)
	if err != nil && ctx.Err() != nil {
		ending, cancel := context.WithTimeout(context.Background(), pauseWithin)
		defer cancel()
		if err := s.client.CancelTransfer(ending, id); err != nil {
			return err
		}
		return plain(api.CodeCancelled, "Stopped. No file was written.")
	}
	if err == nil {
		err = outcome(v)
	}
	if err != nil && client.FailureOf(err).Code == api.CodeNoRoom {
		return unwritable(file, err)
	}
	if err != nil {
		return err
	}
	s.report(reported{Matter: m.Matter, Document: d.Document, Path: "/" + pathOf(d), File: file, Bytes: v.Total}, "%s was verified and saved as %s.", quote("/"+pathOf(d)), quote(file))
	return nil
}

func (s *session) remove(ctx context.Context, args []string) error {
	rest, err := s.arguments(flag.NewFlagSet("rm", flag.ContinueOnError), args, 1, "MATTER:/path")
	if err != nil {
		return err
	}
	t, err := parseTarget(rest[0])
	if err != nil {
		return err
	}
	if err := s.signIn(ctx); err != nil {
		return err
	}
	m, err := s.matter(ctx, t.matter)
	if err != nil {
		return err
	}
	d, err := document(m, t)
	if err != nil {
		return err
	}
	chainID, err := wire.ParseHash(m.Matter)
	if err != nil {
		return err
	}
	doc, err := wire.ParseObjectID(d.Document)
	if err != nil {
		return err
	}
	if _, err := s.client.DeleteDocuments(ctx, chainID, []wire.ObjectID{doc}); err != nil {
		return err
	}
	s.report(reported{Matter: m.Matter, Document: d.Document, Path: "/" + pathOf(d), Bytes: int64(d.Size)}, "%s was deleted from %s.", quote("/"+pathOf(d)), quote(m.Name))
	return nil
}

func (s *session) invite(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("invite", flag.ContinueOnError)
	name := f.String("name", "Guest", "who is invited")
	roleName := f.String("role", "client", "owner, paralegal, client, expert, auditor or reviewer")
	modeName := f.String("mode", "opens-at-once", "opens-at-once or after-i-confirm")
	days := f.Int("days", 7, "how long the link works")
	rest, err := s.arguments(f, args, 1, "MATTER")
	if err != nil {
		return err
	}
	role, ok := chain.ParseRole(*roleName)
	if !ok {
		return misused("--role is client, paralegal, expert, owner, auditor or reviewer, and not %s", quote(*roleName))
	}
	mode, err := client.ParseMode(*modeName)
	if err != nil {
		return misused("--mode is opens-at-once or after-i-confirm")
	}
	if *days < 1 || *days > 365 {
		return misused("--days is 1 to 365")
	}
	if err := s.signIn(ctx); err != nil {
		return err
	}
	m, err := s.matter(ctx, rest[0])
	if err != nil {
		return err
	}
	id, err := wire.ParseHash(m.Matter)
	if err != nil {
		return err
	}
	others, err := s.client.NamesLike(ctx, id, *name)
	if err != nil {
		return err
	}
	expires := time.Now().Add(time.Duration(*days) * 24 * time.Hour)
	link, invite, err := s.client.Invite(ctx, id, *name, role, mode, expires)
	if err != nil {
		return err
	}
	if s.asJSON {
		printJSON(s.stdout, map[string]any{"matter": m.Matter, "invite": invite.String(), "link": link, "expiresAt": expires.UnixMilli(), "alike": others})
		return nil
	}
	for _, other := range others {
		s.show.note("%s looks like %s (%s), who is in this matter, was, or is invited. Their words tell them apart.", safe(*name), safe(other.Name), other.Role)
	}
	s.show.note("For %s, until %s, to be used once. Whoever has this link is let in: send it where only they read.", safe(*name), expires.Format("2006-01-02 15:04"))
	fmt.Fprintln(s.stdout, link)
	return nil
}

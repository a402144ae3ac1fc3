package client

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/client/native"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
	"github.com/underseal/underseal/test/evilserver"
)

// TestOneDropIsOneEntry, and more than an entry holds are several.
func TestOneDropIsOneEntry(t *testing.T) {
	s := newStage(t)
	for _, c := range []struct{ files, entries int }{{1, 1}, {7, 1}, {chain.MaxOps + 5, 2}} {
		var files []client.File
		for i := range c.files {
			files = append(files, file(fmt.Sprintf("drop of %d/%d.txt", c.files, i), "content"))
		}
		mark, before := s.Mark(), s.position()
		s.ends(s.ada, client.PhaseDone, s.begin(s.ada, files...)...)
		if n := s.count(mark, "POST", api.RouteEntries); n != c.entries || s.position() != before+uint64(c.entries) {
			t.Errorf("%d files are %d entries", c.files, n)
		}
	}
	if n := len(s.ada.View(s.matter).Documents); n != 1+7+chain.MaxOps+5 {
		t.Errorf("%d documents", n)
	}
	if n := s.journals(s.ada); n != 0 {
		t.Errorf("%d records of uploads are left", n)
	}
}

// fickle is a file that changes after it was chosen.
type fickle struct {
	*evilserver.Source
	asked atomic.Int32
}

func (f *fickle) Identity() string {
	if f.asked.Add(1) > 1 {
		return "changed"
	}
	return f.Source.Identity()
}

// TestTheRestOfADropGoesOn without the file that failed, the one that was paused and the one that was cancelled.
func TestTheRestOfADropGoesOn(t *testing.T) {
	s := newStage(t)
	changed := client.File{Path: "changed.txt", Source: &fickle{Source: evilserver.NewSource([]byte("x"))}}
	before := s.position()
	ids := s.begin(s.ada, file("a.txt", "a"), changed, file("b.txt", "b"))
	s.ends(s.ada, client.PhaseDone, ids[0], ids[2])
	if v := s.ends(s.ada, client.PhaseFailed, ids[1]); v.Failure.Code != api.CodeFileChanged {
		t.Errorf("%+v", v.Failure)
	}
	if s.position() != before+1 {
		t.Errorf("%d entries", s.position()-before)
	}
	for name, stop := range map[string]func(id wire.ObjectID) error{
		"paused":    s.ada.PauseTransfer,
		"cancelled": func(id wire.ObjectID) error { return s.ada.CancelTransfer(evilserver.Soon(t), id) },
	} {
		t.Run(name, func(t *testing.T) {
			var held atomic.Pointer[string]
			reached, gate := make(chan struct{}), make(chan struct{})
			s.Lie("PUT", api.RouteChunk, func(r *evilserver.Request) *evilserver.Reply {
				if id := held.Load(); id != nil && strings.Contains(r.Path, *id) {
					close(reached)
					<-gate
				}
				return nil
			})
			defer s.Honest()
			defer close(gate)
			// The second waits for a slot until its id is known here: the first two hold both.
			block := make(chan struct{})
			s.Lie("POST", api.RouteUploads, func(*evilserver.Request) *evilserver.Reply { <-block; return nil })
			before := s.position()
			ids := s.begin(s.ada, file(name+"/1.txt", "1"), file(name+"/2.txt", "2"), file(name+"/3.txt", "3"))
			stopped := ids[1].String()
			held.Store(&stopped)
			close(block)
			s.await(reached)
			s.ok(stop(ids[1]))
			s.ends(s.ada, client.PhaseDone, ids[0], ids[2])
			if s.position() != before+1 {
				t.Errorf("%d entries", s.position()-before)
			}
			if name == "cancelled" {
				s.ends(s.ada, client.PhaseCancelled, ids[1])
				return
			}
			s.ends(s.ada, client.PhasePaused, ids[1])
			held.Store(nil)
			s.ok(s.ada.ResumeTransfer(evilserver.Soon(t), ids[1]))
			s.ends(s.ada, client.PhaseDone, ids[1])
			if s.position() != before+2 || len(s.named(s.ada, "2.txt")) != 1 {
				t.Errorf("%d entries", s.position()-before)
			}
		})
	}
}

// TestCommitWithoutAnAnswer: it landed, and is done: once, whether one answer was lost or all that are waited for.
func TestCommitWithoutAnAnswer(t *testing.T) {
	for _, lost := range []int{1, 4} {
		t.Run(fmt.Sprint(lost), func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			before := s.position()
			s.breaks(lost, "POST", api.RouteEntries)
			s.ends(s.ada, client.PhaseDone, s.begin(s.ada, file("a.txt", "a"), file("b.txt", "b"))...)
			if s.position() != before+1 || len(s.named(s.ada, "a.txt")) != 1 || len(s.named(s.ada, "b.txt")[0].Versions) != 1 {
				t.Errorf("%d entries, %+v", s.position()-before, s.ada.View(s.matter).Documents)
			}
			if n := s.journals(s.ada); n != 0 {
				t.Errorf("%d records of uploads are left", n)
			}
		})
	}
}

// TestCommitThatNeverArrived is tried again, and counts once.
func TestCommitThatNeverArrived(t *testing.T) {
	s := newStage(t)
	var n atomic.Int32
	s.Lie("POST", api.RouteEntries, func(*evilserver.Request) *evilserver.Reply {
		if n.Add(1) <= 2 {
			return refusal(503, api.CodeUnavailable)
		}
		return nil
	})
	before := s.position()
	s.ends(s.ada, client.PhaseDone, s.begin(s.ada, file("a.txt", "a"))...)
	if s.position() != before+1 {
		t.Errorf("%d entries", s.position()-before)
	}
}

// TestChangesWithoutAnAnswer: every change that is sent again counts once.
func TestChangesWithoutAnAnswer(t *testing.T) {
	s := newStage(t)
	ctx := evilserver.Soon(t)
	doc := s.ada.MustPut(s.matter, "a.txt", []byte("a"))
	for name, change := range map[string]func() error{
		"place":  func() error { _, err := s.ada.Place(ctx, s.matter, []wire.ObjectID{doc}, rename("b.txt")); return err },
		"rename": func() error { _, err := s.ada.RenameMatter(ctx, s.matter, "Roe v. Doe"); return err },
		"invite": func() error { s.ada.InviteTo(s.matter, "Clara", chain.RoleClient, chain.ModeOpensAtOnce); return nil },
	} {
		before := s.position()
		s.breaks(1, "POST", api.RouteEntries)
		if err := change(); err != nil || s.position() != before+1 {
			t.Errorf("%s: %v, %d entries", name, err, s.position()-before)
		}
		s.Honest()
	}
	if v := s.ada.Elsewhere().In().View(s.matter); v.Name != "Roe v. Doe" || v.Documents[0].Name != "b.txt" || len(v.Invites) != 1 {
		t.Errorf("%+v", v)
	}
}

// TestNamesThatAreTaken: with Replace the next version, without it a namesake, and two of one name in one drop are both kept.
func TestNamesThatAreTaken(t *testing.T) {
	s := newStage(t)
	doc := s.ada.MustPut(s.matter, "a.txt", []byte("1"))
	if again := s.ada.MustPut(s.matter, "a.txt", []byte("2")); again != doc {
		t.Error("another document")
	}
	s.ends(s.ada, client.PhaseDone, s.begin(s.ada, file("a.txt", "3"), file("b.txt", "b"), file("a.txt", "4"))...)
	list := s.named(s.ada, "a.txt")
	if len(list) != 1 || len(list[0].Versions) != 4 {
		t.Fatalf("%+v", list)
	}
	namesake := file("a.txt", "5")
	namesake.Replace = false
	s.ends(s.ada, client.PhaseDone, s.begin(s.ada, namesake)...)
	if len(s.named(s.ada, "a.txt")) != 2 {
		t.Errorf("%+v", s.named(s.ada, "a.txt"))
	}
	// Naming one twice does a thing once, and says so of nothing that was void.
	_, err := s.ada.DeleteDocuments(evilserver.Soon(t), s.matter, []wire.ObjectID{doc, doc})
	s.ok(err)
	if _, err := s.ada.DeleteDocuments(evilserver.Soon(t), s.matter, []wire.ObjectID{doc}); client.FailureOf(err) == nil || client.FailureOf(err).Code != api.CodeGone {
		t.Errorf("deleted twice: %v", err)
	}
	state := s.ada.Insider(s.matter).State
	if len(state.Voids) != 0 {
		t.Errorf("void: %+v", state.Voids)
	}
}

// TestRenamedWhileItWasUploaded: the new version has the document's name of now, whoever uploads it.
func TestRenamedWhileItWasUploaded(t *testing.T) {
	s := newStage(t)
	doc := s.ada.MustPut(s.matter, "a.txt", []byte("1"))
	clara := s.ada.Guest(s.matter, "Clara", chain.RoleClient) // may upload, and not rename
	for i, p := range []*evilserver.Person{s.ada, clara} {
		old, name := s.ada.View(s.matter).Documents[0].Name, fmt.Sprintf("renamed %d.txt", i)
		reached, release := s.holds("PUT", api.RouteChunk)
		ids := s.begin(p, file(old, "new"))
		s.await(reached)
		_, err := s.ada.Place(evilserver.Soon(t), s.matter, []wire.ObjectID{doc}, rename(name))
		s.ok(err)
		release()
		s.ends(p, client.PhaseDone, ids...)
		list := s.named(s.ada, name)
		if len(list) != 1 || len(list[0].Versions) != i+2 || len(s.ada.View(s.matter).Documents) != 1 {
			t.Errorf("%+v", s.ada.View(s.matter).Documents)
		}
		s.Honest()
	}
}

// TestDeletedWhileItWasUploaded says so, and brings nothing back.
func TestDeletedWhileItWasUploaded(t *testing.T) {
	s := newStage(t)
	doc := s.ada.MustPut(s.matter, "a.txt", []byte("1"))
	reached, release := s.holds("PUT", api.RouteChunk)
	ids := s.begin(s.ada, file("a.txt", "2"))
	s.await(reached)
	other := s.ada.Elsewhere().In()
	_, err := other.DeleteDocuments(evilserver.Soon(t), s.matter, []wire.ObjectID{doc})
	s.ok(err)
	before := s.position()
	release()
	if v := s.ends(s.ada, client.PhaseFailed, ids...); v.Failure.Code != api.CodeGone {
		t.Errorf("%+v", v.Failure)
	}
	if s.position() != before || s.ada.View(s.matter).Documents[0].Deleted == nil {
		t.Error("it came back")
	}
	s.Honest()
	s.ends(s.ada, client.PhaseDone, s.begin(s.ada, file("a.txt", "3"))...) // a new document of that name
}

// TestTwoPeopleRace: each is moved by the other, and nothing is lost, doubled or void.
func TestTwoPeopleRace(t *testing.T) {
	s := newStage(t)
	doc := s.ada.MustPut(s.matter, "shared.txt", []byte("0"))
	paula := s.ada.Guest(s.matter, "Paula", chain.RoleParalegal)
	people, before := []*evilserver.Person{s.ada, paula}, s.position()
	const each = 5
	mark := s.Mark()
	var wg sync.WaitGroup
	for i, p := range people {
		wg.Go(func() {
			for n := range each {
				if _, err := p.Place(evilserver.Soon(t), s.matter, []wire.ObjectID{doc}, rename(fmt.Sprintf("%d of %d.txt", n, i))); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for n := range each {
				ids, err := p.UploadVersion(evilserver.Soon(t), s.matter, doc, file("x", fmt.Sprintf("%d of %d", n, i)))
				if err != nil {
					t.Error(err)
					return
				}
				if v, err := p.WaitTransfer(evilserver.Soon(t), ids[0]); err != nil || v.Phase != client.PhaseDone {
					t.Errorf("%v %+v", err, v)
				}
			}
		})
	}
	wg.Wait()
	views := []client.MatterView{s.ada.View(s.matter), paula.View(s.matter)}
	if d := views[0].Documents[0]; len(views[0].Documents) != 1 || len(d.Versions) != 1+2*each || d.Name != views[1].Documents[0].Name || s.position() != before+4*each {
		t.Errorf("%+v, %d entries", d, s.position()-before)
	}
	if voids := s.ada.Insider(s.matter).State.Voids; len(voids) != 0 {
		t.Errorf("void: %+v", voids)
	}
	moved := 0
	for _, x := range s.Since(mark) {
		if x.Method == "POST" && evilserver.Matches(api.RouteEntries, x.Path) && x.Status >= 400 {
			moved++
		}
	}
	t.Logf("moved %d times", moved)
}

// TestSessionThatEndsWhileSending is opened again, each time that something was sent in between.
func TestSessionThatEndsWhileSending(t *testing.T) {
	s := newStage(t)
	content := large(3)
	var mu sync.Mutex
	stored, ended := 0, 0
	s.Lie("PUT", api.RouteChunk, func(r *evilserver.Request) *evilserver.Reply {
		mu.Lock()
		defer mu.Unlock()
		if stored > ended { // after the first chunk, and after the second
			ended++
			s.ada.Do("DELETE", api.Firm(s.ada.Firm)+"/session", "", nil, nil)
		}
		reply := r.Real()
		if reply.Status < 300 {
			stored++
		}
		return reply
	})
	mark := s.Mark()
	v := s.ends(s.ada, client.PhaseDone, s.begin(s.ada, file("a.txt", content))...)
	if n := s.count(mark, "POST", api.RouteSessions); n < 2 || ended < 2 {
		t.Errorf("%d sessions were opened, %d had ended", n, ended)
	}
	s.Honest()
	got, err := s.ada.Get(s.matter, s.document(*v.Document))
	if err != nil || string(got) != content {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	// A server that honours none is given up.
	s.Lie("PUT", api.RouteChunk, func(*evilserver.Request) *evilserver.Reply { return refusal(401, api.CodeNotSignedIn) })
	if v := s.ends(s.ada, client.PhaseFailed, s.begin(s.ada, file("b.txt", "b"))...); v.Failure.Code != api.CodeNotSignedIn {
		t.Errorf("%+v", v.Failure)
	}
}

// TestChunkIsInTheJournalBeforeItLeaves: S-CLIENT-05, and what stands at the server otherwise does not count.
func TestChunkIsInTheJournalBeforeItLeaves(t *testing.T) {
	s := newStage(t)
	device := &hooked{Device: s.ada.Device}
	s.ada.Device = device
	ada := s.ada.Again().In()
	s.ok(ada.Look(s.matter))
	device.refuse = func(name string, _ []byte) error {
		if strings.Contains(name, "/upload/") && strings.Count(name, "/") > 2 {
			return errors.New("the disk is full")
		}
		return nil
	}
	mark := s.Mark()
	if v := s.ends(ada, client.PhaseFailed, s.begin(ada, file("a.txt", "a"))...); v.Failure.Code != api.CodeNoRoom {
		t.Errorf("%+v", v.Failure)
	}
	if n := len(slices.DeleteFunc(s.Since(mark), func(x *evilserver.Exchange) bool {
		return x.Method != "PUT" || !evilserver.Matches(api.RouteChunk, x.Path)
	})); n != 0 {
		t.Errorf("%d chunks left", n)
	}
	device.refuse = nil
	ada.Beware()
	before := s.position()
	claim := func(u *api.Upload) { u.Chunks = []api.Chunk{{Number: 0, Digest: wire.Hash{1}}} }
	evilserver.TwistJSON(s.World, "POST", api.RouteUploads, claim)
	evilserver.TwistJSON(s.World, "GET", api.RouteUpload, claim)
	ids := s.begin(ada, file("b.txt", "b"))
	v := s.ends(ada, client.PhaseFailed, ids...)
	if s.position() != before {
		t.Error("it was committed")
	}
	ada.Refused(v.Failure, client.ErrUploadRoot)
}

// TestChangedFileStartsOver: S-CLIENT-06. Nothing of the journal serves other bytes, and these get a key of their own.
func TestChangedFileStartsOver(t *testing.T) {
	s := newStage(t)
	first, second := large(2), strings.ToUpper(large(2))
	var puts atomic.Int32
	reached, gate := make(chan struct{}), make(chan struct{})
	s.Lie("PUT", api.RouteChunk, func(r *evilserver.Request) *evilserver.Reply {
		if puts.Add(1) == 2 {
			close(reached)
			<-gate
		}
		return nil
	})
	ids := s.begin(s.ada, file("a.txt", first))
	s.await(reached)
	s.ok(s.ada.PauseTransfer(ids[0]))
	close(gate)
	s.Honest()
	again := s.ada.Again().In()
	s.ok(again.Look(s.matter))
	list := again.Transfers()
	if len(list) != 1 || list[0].Phase != client.PhaseNeedsFile || list[0].ID != ids[0].String() {
		t.Fatalf("%+v", list)
	}
	mark := s.Mark()
	err := again.ProvideFile(evilserver.Soon(t), ids[0], evilserver.NewSource([]byte(second)))
	if f := client.FailureOf(err); f == nil || f.Code != api.CodeFileChanged || s.count(mark, "POST", api.RouteUploads) != 0 {
		t.Fatalf("other bytes under the same journal: %v", err)
	}
	s.ok(again.CancelTransfer(evilserver.Soon(t), ids[0]))
	if n := s.journals(again); n != 0 {
		t.Errorf("%d records of the upload are left", n)
	}
	fresh := s.begin(again, file("a.txt", second))
	v := s.ends(again, client.PhaseDone, fresh...)
	keys := map[string]bool{}
	n := 0
	for _, secret := range again.Secrets() {
		if secret.Name == "document key" {
			keys[string(secret.Value)] = true
			n++
		}
	}
	if n != 2 || len(keys) != 2 || fresh[0] == ids[0] {
		t.Errorf("%d keys of %d uploads, %v and %v", len(keys), n, ids, fresh)
	}
	if got, err := again.Get(s.matter, s.document(*v.Document)); err != nil || string(got) != second {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestResumedUploadSendsTheRest: the same file carries on where it was.
func TestResumedUploadSendsTheRest(t *testing.T) {
	s := newStage(t)
	content := large(4)
	var puts atomic.Int32
	reached, gate := make(chan struct{}), make(chan struct{})
	s.Lie("PUT", api.RouteChunk, func(r *evilserver.Request) *evilserver.Reply {
		if puts.Add(1) == 4 {
			close(reached)
			<-gate
		}
		return nil
	})
	ids := s.begin(s.ada, file("a.txt", content))
	s.await(reached)
	s.ok(s.ada.PauseTransfer(ids[0]))
	close(gate)
	s.Honest()
	again := s.ada.Again().In()
	mark := s.Mark()
	s.ok(again.ProvideFile(evilserver.Soon(t), ids[0], evilserver.NewSource([]byte(content))))
	v := s.ends(again, client.PhaseDone, ids...)
	if n := s.count(mark, "PUT", api.RouteChunk); n > 3 {
		t.Errorf("%d chunks were sent, with some there", n)
	}
	if got, err := again.Get(s.matter, s.document(*v.Document)); err != nil || string(got) != content {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestFileThatIsThere stays, and the person is told that it is there.
func TestFileThatIsThere(t *testing.T) {
	s := newStage(t)
	doc := s.ada.MustPut(s.matter, "a.txt", []byte("content"))
	target := filepath.Join(t.TempDir(), "a.txt")
	s.ok(os.WriteFile(target, []byte("mine"), 0o600))
	get := func(o native.Overwrite) client.TransferView {
		id, err := s.ada.Download(evilserver.Soon(t), s.matter, doc, wire.ObjectID{}, native.NewSink(target, o))
		s.ok(err)
		v, err := s.ada.WaitTransfer(evilserver.Soon(t), id)
		s.ok(err)
		return v
	}
	if v := get(native.KeepExisting); v.Phase != client.PhaseFailed || v.Failure.Code != api.CodeFileExists {
		t.Errorf("%s %+v", v.Phase, v.Failure)
	}
	if kept, err := os.ReadFile(target); err != nil || string(kept) != "mine" {
		t.Errorf("%q %v", kept, err)
	}
	if v := get(native.ReplaceExisting); v.Phase != client.PhaseDone {
		t.Errorf("%s %+v", v.Phase, v.Failure)
	}
	if kept, err := os.ReadFile(target); err != nil || !bytes.Equal(kept, []byte("content")) {
		t.Errorf("%q %v", kept, err)
	}
}

// TestSecondWayIsDue: who is told that his first document was sent is asked for a second way to unlock then, and not when his
// keyring says so, too.
func TestSecondWayIsDue(t *testing.T) {
	s := newStage(t)
	guest := s.ada.Guest(s.matter, "Gina", chain.RoleClient)
	guest.Settle(evilserver.Soon(t))
	if v, err := guest.Overview(evilserver.Soon(t)); err != nil || v.WayDue {
		t.Fatalf("before anything was read: %v, %v", v.WayDue, err)
	}
	gate := make(chan struct{})
	defer close(gate)
	s.Lie("PUT", api.RouteKeyring, func(*evilserver.Request) *evilserver.Reply { <-gate; return nil })
	ids := s.begin(guest, file("first.txt", "first"))
	ctx := evilserver.Soon(t)
	for sent := func(v client.TransferView) bool { return v.ID == ids[0].String() && v.Phase == client.PhaseDone }; !slices.ContainsFunc(guest.Transfers(), sent); {
		s.ok(ctx.Err())
		time.Sleep(time.Millisecond)
	}
	if v, err := guest.Overview(evilserver.Soon(t)); err != nil || !v.WayDue {
		t.Errorf("%+v, %v", v, err)
	}
}

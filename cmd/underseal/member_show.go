package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
)

// safe spells text that somebody else chose so that a terminal shows what it is: controls, marks that reorder or hide, and
// bytes that are no text are escaped, and so is the backslash that escapes (attack 60).
func safe(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case r == '\\':
			b.WriteString(`\\`)
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
		text = text[n:]
	}
	return b.String()
}

func quote(text string) string { return "“" + safe(text) + "”" }

// printJSON writes one line. What JSON leaves as it is and a terminal would act upon is escaped as JSON allows.
func printJSON(w io.Writer, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("encoding our own views: " + err.Error())
	}
	var line strings.Builder
	for _, r := range strings.TrimSuffix(b.String(), "\n") {
		switch {
		case strconv.IsPrint(r):
			line.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&line, `\u%04x`, r)
		default:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			fmt.Fprintf(&line, `\u%04x\u%04x`, high, low)
		}
	}
	fmt.Fprintln(w, line.String())
}

// display is standard error: notes, and progress on one line of a terminal or now and then elsewhere.
type display struct {
	out      io.Writer
	terminal bool

	mu     sync.Mutex // guards all below
	line   bool       // a progress line stands
	phase  client.Phase
	shown  time.Time
	lately *client.Event // the newest lie
}

func newDisplay(out io.Writer) *display { return &display{out: out, terminal: isTerminal(out)} }

const lineEvery = 10 * time.Second

func (d *display) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clear()
	fmt.Fprintf(d.out, format+"\n", args...)
}

// clear takes the progress line away. The caller holds mu.
func (d *display) clear() {
	if d.line {
		fmt.Fprint(d.out, "\r\x1b[K")
		d.line = false
	}
}

func (d *display) finish() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clear()
}

// event is told by the client.
func (d *display) event(e client.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.Event == "lied" {
		d.lately = &e
	}
	if e.Event == "verify" || e.Event == "trail" {
		d.progress(recordText(e), false)
		return
	}
	if e.Event == "renewal" {
		d.progress(fmt.Sprintf("entering your new keys  %d of %d", e.Done, e.Total), false)
		return
	}
	if e.Transfer == nil {
		return
	}
	t := e.Transfer
	if t.Phase == client.PhaseNeedsFile {
		return // an upload of an earlier day
	}
	changed := t.Phase != d.phase
	d.phase = t.Phase
	d.progress(progressText(t), changed && t.Phase == client.PhaseWaiting)
}

// progress shows a line. Where there is no terminal it is shown now and then, or when it is urgent. The caller holds mu.
func (d *display) progress(text string, urgent bool) {
	if d.terminal {
		fmt.Fprint(d.out, "\r\x1b[K"+text)
		d.line = true
		return
	}
	if now := time.Now(); urgent || now.Sub(d.shown) >= lineEvery && !d.shown.IsZero() {
		d.shown = now
		fmt.Fprintln(d.out, text)
	} else if d.shown.IsZero() {
		d.shown = now
	}
}

// recordText is how far a verification, or the reading of a trail, has come.
func recordText(e client.Event) string {
	words := map[string]string{"state": "finding every entry in the log", "trail": "finding every opening in the log", "server": "finding the server's notes in the log"}
	return fmt.Sprintf("%s  %d of %d", or(words[e.Step], "reading the trail"), e.Done, e.Total)
}

func progressText(t *client.TransferView) string {
	words := map[client.Phase]string{client.PhaseQueued: "starting", client.PhaseSealing: "sealing and sending", client.PhaseCommitting: "signing", client.PhaseFetching: "fetching and verifying",
		client.PhaseWaiting: "no connection; trying again", client.PhaseDone: "done", client.PhasePaused: "paused", client.PhaseFailed: "failed", client.PhaseCancelled: "stopped"}
	percent := int64(100)
	if t.Total > 0 {
		percent = t.Done * 100 / t.Total
	}
	name := []rune(safe(t.Name))
	if len(name) > 40 {
		name = append(name[:39], '…')
	}
	state := words[t.Phase]
	if f := t.Failure; t.Phase == client.PhaseWaiting && f != nil && f.Code == api.CodeNewKeys {
		state = "somebody has new keys; waiting for an owner to renew the matter's"
	}
	text := fmt.Sprintf("%s  %d%%  %s of %s  %s", string(name), percent, bytesText(t.Done), bytesText(t.Total), state)
	if t.SecondsLeft != nil && (t.Phase == client.PhaseSealing || t.Phase == client.PhaseFetching) {
		text += fmt.Sprintf("  %s/s  %s left", bytesText(int64(t.BytesPerSecond)), time.Duration(*t.SecondsLeft*float64(time.Second)).Round(time.Second))
	}
	return text
}

func bytesText(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1000, "kB"
	for _, next := range []string{"MB", "GB", "TB"} {
		if value < 1000 {
			break
		}
		value, unit = value/1000, next
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}

// lie says what was promised and what was shown, and has the evidence of it.
func (d *display) lie(f *client.Failure) (text, evidence string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	promised, shown := "", f.Detail
	if d.lately != nil {
		promised, shown, evidence = d.lately.Promised, d.lately.Shown, d.lately.Evidence
	}
	text = "THE SERVER LIED. What it showed contradicts what was signed; nothing of it was used, and the refusal is on record."
	if promised != "" {
		text += "\n  asked for: " + safe(promised)
	}
	if shown != "" {
		text += "\n  shown:     " + safe(shown)
	}
	return text + "\nTell the person who runs your firm's matters, by another way than this server.", evidence
}

// sentence says what happened and what to do.
func sentence(code api.Code) string {
	if text, ok := sentences()[code]; ok {
		return text
	}
	return "Something went wrong that has no name. Nothing was changed here."
}

func sentences() map[api.Code]string {
	return map[api.Code]string{
		api.CodeBadRequest:      "The server does not understand this program. One of the two is of another version: update it.",
		api.CodeTooLarge:        "That is larger than the server takes.",
		api.CodeNotFound:        "The server has no such thing, or it is not yours.",
		api.CodeNotSignedIn:     "The session ended. Run the command again.",
		api.CodeSignInFailed:    "The server did not accept the sign-in. If the identity was made for this server, ask whoever runs it.",
		api.CodeSessionEnded:    "This session was ended, by you elsewhere or by a rule of the firm. Run the command again.",
		api.CodeProveAgain:      "Show once more that it is you: run the command again.",
		api.CodeUnlockFirst:     "Only whoever has unlocked the account changes how it is opened. Nothing was changed: sign in again, then run the command again.",
		api.CodeLastMethod:      "Without it nobody could get in any more. Add another way first.",
		api.CodeSecondWay:       "Whoever works in a firm needs two ways to unlock. Make a recovery kit or a passkey in the browser, under Account, and try again.",
		api.CodeClock:           "The clock of this machine is hours behind. Set it right, then run the command again.",
		api.CodeTooEarly:        "It is too early: everybody has time to say no first.",
		api.CodeRecoveryGone:    "This recovery is over, or was never begun.",
		api.CodeTooMany:         "There were too many attempts. Wait a little, then run the command again.",
		api.CodeCodeFailed:      "That code does not count. Codes change every thirty seconds and work once. Check that the clock of the device that shows it is right.",
		api.CodeSecondFactor:    "The firm asks for two factors, and this sign-in was by one. Use the browser, with a passkey or with a password and a code.",
		api.CodeNoSecond:        "A password needs a second factor beside it. Set up an authenticator app or a passkey first.",
		api.CodePasswordFailed:  "The name or the password is not right.",
		api.CodePasswordShort:   "That password is too short.",
		api.CodePasswordWeak:    "That password is easy to guess. A few words that do not go together are better.",
		api.CodeBadLoginName:    "That is no name to sign in with. It has 3 to 64 letters without accents, digits, dots, dashes and underscores.",
		api.CodePasswordOld:     "The firm asks for a newer password. Set one in the browser, under Account.",
		api.CodeNameTaken:       "Somebody else signs in with that name. Choose another.",
		api.CodeUnlockElsewhere: "You are signed in, and that does not unlock here. Use another way.",
		api.CodeRecovered:       "Who you were in this firm was handed back to you in another account. If it was not you who asked for that, telephone an owner of the firm now.",
		api.CodeRequestGone:     "That code is over: it is good for five minutes, and once. Ask for a new one on the device that showed it.",
		api.CodeRequestTaken:    "Another device answered that code. Nothing of yours was given away. Begin again on the new device.",
		api.CodeCodeTypo:        "The code was not typed as it is shown.",
		api.CodeDeviceRevoked:   "This device was revoked by its owner. Whoever has another device, or the kit, brings the account here again: underseal login ADDRESS --again",
		api.CodeNotFromHere:     "The firm lets nobody in from this address. Ask an owner of the firm.",
		api.CodeForbidden:       "You may not do that.",
		api.CodeSetupUsed:       "That setup link was used already, or is too old. Ask for a new one.",
		api.CodeInviteUsed:      "That invite was used already. If it was not you, tell the person who invited you at once; else ask for a new one.",
		api.CodeInviteExpired:   "That invite is too old. Ask the person who invited you for a new one.",
		api.CodeInviteGone:      "That invite was withdrawn, or never made. Ask the person who invited you for a new one.",
		api.CodeMoved:           "Somebody else made a change at the same moment. Run the command again.",
		api.CodeGone:            "That document was deleted.",
		api.CodeDigest:          "A part of the file was damaged on its way. Run the command again.",
		api.CodeChunkConflict:   "Another upload of the same file runs at the same time. Let it end, then run the command again.",
		api.CodeUploadGone:      "The server no longer has what was sent before. Run the command again.",
		api.CodeUploadMissing:   "The server lacks a part of the file. Run the command again.",
		api.CodeNotReleased:     "The server did not release the document to this session. Run the command again.",
		api.CodeRange:           "The server cannot serve that part of the document.",
		api.CodeNoSpace:         "The server's disk is full. Nothing was lost: run the command again when there is room.",
		api.CodeSecretReceived:  "The server was sent something secret, and refused it. Update this program.",
		api.CodeUnavailable:     "The server cannot do it right now. Run the command again in a while.",
		api.CodeInternal:        "Something failed that should not. Run the command again; if it happens again, tell whoever runs the server.",
		api.CodeOffline:         "The server cannot be reached. Check the connection and run the command again.",
		api.CodeServerLied:      "The server showed what contradicts what was signed.",
		api.CodeNoPRF:           "That passkey cannot unlock.",
		api.CodePasskeyCanceled: "No passkey was used.",
		api.CodeUnlockFailed:    "That passphrase does not unlock this identity.",
		api.CodeKitTypo:         "The recovery kit was not typed as it was printed: eight groups of five. Compare it with the paper, group by group, and type it again.",
		api.CodeBadLink:         "That is no link of an invite or a recovery, or not a whole one. Put it in quotes, and copy all of it.",
		api.CodeBadName:         "A name cannot be kept: it is empty, longer than 255 bytes, or has hidden characters or slashes in it.",
		api.CodeTooManyFiles:    "Too many files at once.",
		api.CodeFileChanged:     "The file changed while it was being sent. Nothing was added: run the command again when it is at rest.",
		api.CodeFileUnreadable:  "A file cannot be read or written.",
		api.CodeFileExists:      "There is a file of that name already, and it was left as it is. Give another name with -o, or --force.",
		api.CodeNoRoom:          "There is no room for it on this device, or the place may not be written to. No file was left behind.",
		api.CodeRemoved:         "You are no longer a member of that matter.",
		api.CodeWaiting:         "An owner must confirm first that it is you. Try again later.",
		api.CodeNotAllowed:      "Your role does not allow that.",
		api.CodeNotHere:         "There is no such matter, document or person.",
		api.CodeCancelled:       "Stopped.",
		api.CodeUnsupported:     "This program cannot do that.",
		api.CodeStaleBuild:      "This program is of another version. Update it.",
		api.CodeUsage:           "That is no command.",
		api.CodeNotWitnessed:    "The firm's witnesses have not vouched for its log lately, so nothing was sealed. Reading still works. Run the command again in a few minutes; if it stays so, tell whoever runs the server.",
		api.CodeNewKeys:         "Somebody has newer keys than this matter knows, and nothing was sealed to the old ones. An owner must renew the matter's keys first.",
		api.CodeReviewOnly:      "Your seat checks this matter and opens nothing in it: underseal verify MATTER. To read, ask an owner for another role.",
	}
}

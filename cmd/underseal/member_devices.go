package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/client/native"
	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
)

// askAgain is how long to wait before looking whether the other device did its part.
const askAgain = 2 * time.Second

// login brings an account to this machine, and gives it a passphrase here.
func (s *session) login(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("login", flag.ContinueOnError)
	kit := f.Bool("kit", false, "by the recovery kit")
	name := f.String("name", "", "by a password, and the kit: the name that goes with it")
	again := f.Bool("again", false, "beside the identity that is here, which is kept under another name")
	rest, err := s.arguments(f, args, 1, "ADDRESS")
	if err != nil {
		return err
	}
	if *kit && *name != "" {
		return misused("--kit and --name are two ways")
	}
	origin, err := native.ParseOrigin(rest[0])
	if err != nil {
		return misused("%s is %v", quote(rest[0]), err)
	}
	if err := s.makeRoom(*again); err != nil {
		return err
	}
	passphrase, err := s.passphrase(ctx, askTwice)
	if err != nil {
		return err
	}
	if err := s.newClient(origin); err != nil {
		return err
	}
	switch {
	case *kit:
		err = s.loginKit(ctx)
	case *name != "":
		err = s.loginPassword(ctx, *name)
	default:
		err = s.loginDevice(ctx)
	}
	if err != nil {
		return err
	}
	return s.stay(ctx, passphrase)
}

// makeRoom is whether this home can have an identity, or another one.
func (s *session) makeRoom(again bool) error {
	if err := os.MkdirAll(s.home, 0o700); err != nil {
		return plain(codeBadIdentity, "The folder %s cannot be made.", quote(s.home))
	}
	_, err := os.Lstat(filepath.Join(s.home, identityName))
	if err == nil && !again {
		return plain(codeBadIdentity, "There is an identity in %s already. Give another folder with --home, or --again to put a new one in its place.", quote(s.home))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return plain(codeBadIdentity, "The folder %s cannot be used.", quote(s.home))
	}
	return nil
}

// stay gives the account that is open a passphrase on this machine. An identity that was here stays under another name.
func (s *session) stay(ctx context.Context, passphrase []byte) error {
	stretch, err := vault.DefaultStretch(rand.Reader)
	if err != nil {
		return err
	}
	p, err := vault.StretchPassphrase(passphrase, stretch)
	if err != nil {
		return err
	}
	err = s.client.AddPassphrase(ctx, p, func(account wire.ObjectID, root vault.Root) error {
		return s.keep(attemptName, p, stretch.Bytes(), account, root)
	})
	if err != nil {
		return err
	}
	if err := s.putAside(); err != nil {
		return err
	}
	if err := s.settle(attemptName); err != nil {
		return err
	}
	s.carryOn(ctx)
	v, err := s.client.Account()
	if err != nil {
		return err
	}
	if s.asJSON {
		printJSON(s.stdout, v)
		return nil
	}
	fmt.Fprintf(s.stdout, "You are %s on this machine, too.\n", safe(v.Name))
	return nil
}

// putAside renames the identity that is here.
func (s *session) putAside() error {
	for _, name := range []string{identityName, nextName} {
		old := filepath.Join(s.home, name)
		if _, err := os.Lstat(old); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		kept := strings.TrimSuffix(old, ".json") + "-before-" + time.Now().UTC().Format("20060102T150405.000") + ".json"
		if err := os.Rename(old, kept); err != nil {
			return plain(codeBadIdentity, "The identity in %s cannot be renamed.", quote(s.home))
		}
		s.show.note("The identity that was here is %s now.", quote(kept))
	}
	return nil
}

// loginKit signs in and unlocks by the recovery kit.
func (s *session) loginKit(ctx context.Context) error {
	kit, err := s.hidden(ctx, "Recovery kit: ")
	if err != nil {
		return err
	}
	return kitFailed(s.client.SignInKit(ctx, string(kit)))
}

func kitFailed(err error) error {
	f := client.FailureOf(err)
	switch {
	case f == nil:
		return nil
	case f.Code == api.CodeSignInFailed || f.Code == api.CodeUnlockFailed:
		return plain(f.Code, "No account on this server has that recovery kit. A kit ends when another one is made.")
	}
	return f
}

// loginPassword signs in by a password and a code. On a machine that is new a password unlocks nothing: the kit does.
func (s *session) loginPassword(ctx context.Context, name string) error {
	password, err := s.hidden(ctx, "Password: ")
	if err != nil {
		return err
	}
	second, err := s.client.SignInPassword(ctx, name, password)
	if err != nil {
		return err
	}
	if !second.Code {
		return plain(api.CodeUnsupported, "Your second factor is a passkey, which works in the browser only. Bring the account here by another device: underseal login without --name")
	}
	code, err := s.answer(ctx, "Code of your authenticator app: ")
	if err != nil {
		return err
	}
	err = s.client.SignInCode(ctx, strings.TrimSpace(string(code)))
	if f := client.FailureOf(err); f == nil || f.Code != api.CodeUnlockElsewhere {
		return err
	}
	kit, err := s.hidden(ctx, "A password unlocks nothing on a machine that is new to your account. Recovery kit: ")
	if err != nil {
		return err
	}
	return kitFailed(s.client.UnlockKit(ctx, string(kit)))
}

// loginDevice shows a code that a device with the account lets this one in by.
func (s *session) loginDevice(ctx context.Context) error {
	v, err := s.client.AskDevice(ctx)
	if err != nil {
		return err
	}
	s.show.note("On a device where you are signed in, open %s\nor type this code there under Account, Devices, or after underseal devices --approve:\n\n    %s\n\nIt is good until %s.",
		v.URL, v.Code, time.UnixMilli(v.ExpiresAt).Format("15:04:05"))
	asked, err := s.deviceAnswered(ctx)
	if err != nil {
		return err
	}
	s.show.note("%s answered. Both devices must show these words:\n\n    %s\n", quote(asked.Name), strings.Join(asked.Words, " "))
	if err := s.agreed(ctx, "Does the other device show the same, and is that account yours? Type yes: "); err != nil {
		return err
	}
	for {
		err := s.client.TakeDevice(ctx)
		if f := client.FailureOf(err); f == nil || f.Code != api.CodeWaiting {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// deviceAnswered waits until another device shows words to compare.
func (s *session) deviceAnswered(ctx context.Context) (client.DeviceAskView, error) {
	for {
		v, err := s.client.DeviceAsked(ctx)
		switch {
		case err != nil:
			return v, err
		case v.State == client.DeviceRefused:
			return v, &client.Failure{Code: api.CodeRequestGone}
		case v.State != client.DeviceWaiting:
			return v, nil
		}
		if err := pause(ctx); err != nil {
			return v, err
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(askAgain):
		return nil
	}
}

// agreed asks for the one word that goes on.
func (s *session) agreed(ctx context.Context, question string) error {
	said, err := s.answer(ctx, question)
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(said)) != "yes" {
		return plain(codeOtherWords, "Nothing was handed over. Where the words differ, somebody stands between your devices: tell the person who runs your firm's matters.")
	}
	return nil
}

// devices lists what the account is open on, lets a new device in, renames one, or revokes one.
func (s *session) devices(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("devices", flag.ContinueOnError)
	approve := f.String("approve", "", "the code that a new device shows")
	rename := f.String("rename", "", "id of a device that gets another name, or its beginning")
	revoke := f.String("revoke", "", "id of a device to put out, or its beginning")
	yes := f.Bool("yes", false, "put it out without being asked")
	wanted := []string{}
	rest, err := s.arguments(f, args, 0, "NAME")
	if err != nil {
		return err
	}
	for _, text := range []string{*approve, *rename, *revoke} {
		if text != "" {
			wanted = append(wanted, text)
		}
	}
	if len(wanted) > 1 {
		return misused("--approve, --rename and --revoke are three things")
	}
	if (len(rest) == 1) != (*rename != "") {
		return misused("--rename takes an id and a name")
	}
	if *revoke != "" {
		if err := s.mayAsk(*yes); err != nil {
			return err
		}
	}
	if err := s.signIn(ctx); err != nil {
		return err
	}
	switch {
	case *approve != "":
		return s.approve(ctx, *approve)
	case *revoke != "":
		return s.revoke(ctx, *revoke, *yes)
	case *rename != "":
		if err := s.renameDevice(ctx, *rename, rest[0]); err != nil {
			return err
		}
	}
	v, err := s.client.Devices(ctx)
	if err != nil {
		return err
	}
	if s.asJSON {
		printJSON(s.stdout, v)
		return nil
	}
	s.printDevices(v)
	return nil
}

// device is the one device of this account whose id begins so.
func (s *session) device(ctx context.Context, text string) (client.DeviceView, wire.ObjectID, error) {
	v, err := s.client.Devices(ctx)
	if err != nil {
		return client.DeviceView{}, wire.ObjectID{}, err
	}
	d, err := oneDevice(v.Devices, text)
	if err != nil {
		return client.DeviceView{}, wire.ObjectID{}, err
	}
	id, err := wire.ParseObjectID(d.ID)
	return d, id, err
}

func oneDevice(list []client.DeviceView, text string) (client.DeviceView, error) {
	return beginning(list, func(d client.DeviceView) string { return d.ID }, text, "device")
}

// beginning is the one of a list whose id begins so. The command that lists them is what one is called, with an s.
func beginning[T any](list []T, id func(T) string, text, called string) (found T, err error) {
	n := 0
	for _, v := range list {
		if strings.HasPrefix(id(v), text) {
			found, n = v, n+1
		}
	}
	var none T
	switch n {
	case 0:
		return none, plain(api.CodeNotHere, "You have no %s %s: underseal %ss lists them.", called, quote(text), called)
	case 1:
		return found, nil
	}
	return none, plain(codeAmbiguous, "Several of your %ss begin with %s: give more of the id.", called, quote(text))
}

func (s *session) renameDevice(ctx context.Context, text, name string) error {
	_, id, err := s.device(ctx, text)
	if err != nil {
		return err
	}
	return s.client.RenameDevice(ctx, id, name)
}

func (s *session) printDevices(v client.DevicesView) {
	for _, d := range v.Devices {
		note := ""
		switch {
		case d.Current:
			note = "  (this one)"
		case d.Revoked:
			note = "  (revoked; your keys are still those that it has: --revoke it once more)"
		}
		fmt.Fprintf(s.stdout, "%s  %s  since %s, last used %s%s\n", d.ID, quote(or(d.Name, "no name")), when(uint64(d.CreatedAt)), when(uint64(d.LastUsedAt)), note)
	}
}

// approve lets the device in that shows a code, once its owner has compared.
func (s *session) approve(ctx context.Context, code string) error {
	v, err := s.client.OpenDeviceCode(ctx, code)
	if err != nil {
		return err
	}
	s.show.note("The new device must show these words:\n\n    %s\n", strings.Join(v.Words, " "))
	if err := s.agreed(ctx, "Does it, and is it yours? It will be able to do all that you can. Type yes: "); err != nil {
		_ = s.client.RefuseDevice(ctx) // it is over in five minutes all the same
		return err
	}
	if err := s.client.GrantDevice(ctx); err != nil {
		return err
	}
	for {
		done, err := s.client.DeviceDone(ctx)
		if err != nil {
			return err
		}
		if done {
			break
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	if s.asJSON {
		printJSON(s.stdout, map[string]any{"approved": true})
		return nil
	}
	fmt.Fprintln(s.stdout, "The new device has your account.")
	return nil
}

// revoked is what came of it.
type revoked struct {
	Kit     string             `json:"kit"` // the one there is from now on
	Renewal client.RenewalView `json:"renewal"`
	client.DevicesView
	Custodies []client.CustodyView `json:"custodies"` // what is to be left with custodians again
}

// revokeText is what somebody agrees to who puts a device out.
func revokeText(d client.DeviceView) string {
	return fmt.Sprintf("You are about to put out %s. It is signed out and opens nothing new. Every key that it had is replaced: your recovery kit ends and a new one is printed, every other device is to be let in again, every other session ends, and what you left with custodians is taken back until you leave it again.",
		quote(or(d.Name, d.ID)))
}

// revoke puts a device out, and replaces the keys that it has. The new kit is shown before the old one ends.
func (s *session) revoke(ctx context.Context, text string, yes bool) error {
	d, id, err := s.device(ctx, text)
	if err != nil {
		return err
	}
	if d.Current {
		return plain(api.CodeNotAllowed, "This is the device that you are on: put it out from another one.")
	}
	if err := s.confirmed(ctx, yes, revokeText(d)); err != nil {
		return err
	}
	if _, err := s.client.RevokeDevice(ctx, id); err != nil {
		return err
	}
	kit, err := s.client.CreateKit()
	if err != nil {
		return err
	}
	if !s.asJSON {
		fmt.Fprintf(s.stdout, "Your new recovery kit. The one before ends now. Write it down and keep it as you keep a passport:\n\n    %s\n\n", kit.Kit)
	}
	if err := s.testKit(ctx, kit); err != nil {
		return err
	}
	keep := func(root vault.Root) error {
		return s.keep(nextName, s.phrase, s.identity.Stretch, s.identity.Account, root)
	}
	if err := s.client.RenewRoot(ctx, client.RootChange{Passphrase: &s.phrase, Keep: keep}); err != nil {
		return err
	}
	if err := s.settle(nextName); err != nil {
		return err
	}
	out := revoked{Kit: kit.Kit}
	if out.Renewal, err = s.client.ContinueRenewal(ctx); err != nil {
		return err
	}
	if out.DevicesView, err = s.client.Devices(ctx); err != nil {
		return err
	}
	out.Custodies = s.takenBack(ctx)
	if s.asJSON {
		printJSON(s.stdout, out)
		return nil
	}
	fmt.Fprintln(s.stdout, "It is put out. Every other device is to be let in again, and every other session has ended. A passkey that lies on the lost device still signs in, and opens nothing: remove it in the browser, under Account.")
	for _, line := range renewalText(out.Renewal) {
		fmt.Fprintln(s.stdout, line)
	}
	for _, v := range out.Custodies {
		fmt.Fprintln(s.stdout, endedText(v))
	}
	return nil
}

// takenBack is what other keys took back from custodians and is to be left again. What cannot be looked at now, underseal custody
// says.
func (s *session) takenBack(ctx context.Context) []client.CustodyView {
	v, err := s.client.Alerts(ctx)
	if err != nil {
		return []client.CustodyView{}
	}
	return slices.DeleteFunc(v.Custodies, func(v client.CustodyView) bool { return v.Ended != client.EndedRenewed })
}

// carryOn goes on with a renewal of keys that was cut off. What it cannot do now is no failure of the command.
func (s *session) carryOn(ctx context.Context) {
	if v, err := s.client.Account(); err == nil && v.RootDue {
		s.show.note("A device was revoked, and your keys are still those that it has. Run: underseal devices")
	}
	v, err := s.client.Renewal()
	if err != nil || v.Total == 0 {
		return
	}
	if v, err = s.client.ContinueRenewal(ctx); err != nil {
		_, text, _ := s.explain(err)
		s.show.note("Your new keys are not in all your matters yet. %s", text)
		return
	}
	for _, line := range renewalText(v) {
		s.show.note("%s", line)
	}
	for _, v := range s.takenBack(ctx) {
		s.show.note("%s", endedText(v))
	}
}

func renewalText(v client.RenewalView) []string {
	lines := []string{fmt.Sprintf("Your new keys are in %d of %d matters and firms.", v.Done, v.Total)}
	for _, left := range v.Left {
		why := ""
		if left.Failure != nil {
			why = ": " + sentence(left.Failure.Code)
		}
		lines = append(lines, fmt.Sprintf("    not yet in %s%s", quote(or(left.Name, left.Matter)), why))
	}
	if len(v.Left) > 0 {
		lines = append(lines, "Any later command tries again.")
	}
	return lines
}

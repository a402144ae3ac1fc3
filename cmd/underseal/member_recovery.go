package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
)

// custody shows what somebody left with the custodians of a firm, leaves it, or takes it back.
func (s *session) custody(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("custody", flag.ContinueOnError)
	leave := f.Bool("leave", false, "leave your identity with the firm's custodians")
	withdraw := f.Bool("withdraw", false, "take it back")
	yes := f.Bool("yes", false, "do it without being asked")
	rest, err := s.arguments(f, args, 1, "FIRM")
	if err != nil {
		return err
	}
	if *leave && *withdraw {
		return misused("--leave and --withdraw are two things")
	}
	if *leave || *withdraw {
		if err := s.mayAsk(*yes); err != nil {
			return err
		}
	}
	if err := s.signIn(ctx); err != nil {
		return err
	}
	firm, err := s.firm(ctx, rest[0])
	if err != nil {
		return err
	}
	v, err := s.client.Custody(ctx, firm)
	if err == nil && *leave && !v.Offered {
		return plain(api.CodeNotAllowed, "The firm names no custodians, or too few beside you: nobody is his own custodian. An owner names them with: underseal policy FIRM --set 'recovery=…'.")
	}
	if err == nil && *leave {
		if err := s.confirmed(ctx, *yes, consent(v)); err != nil {
			return err
		}
		v, err = s.client.Escrow(ctx, firm, v.Policy)
	}
	if err == nil && *withdraw {
		if v.Left != nil {
			if err := s.confirmed(ctx, *yes, parting(v)); err != nil {
				return err
			}
		}
		v, err = s.client.WithdrawEscrow(ctx, firm)
	}
	if err != nil {
		return err
	}
	if s.asJSON {
		printJSON(s.stdout, v)
		return nil
	}
	for _, line := range custodyText(v) {
		fmt.Fprintln(s.stdout, line)
	}
	return nil
}

// consent says with whom something is left, and what they could do together.
func consent(v client.CustodyView) string {
	return fmt.Sprintf("You are about to leave your identity in %s with %s. Any %d of them together could become you in this firm. Before they can hand it to anybody, %d hours pass in which you, every owner and every custodian are told and can stop it.",
		quote(v.FirmName), holderNames(v.Holders), v.K, v.Hours)
}

// parting says what is given up by taking it back.
func parting(v client.CustodyView) string {
	return fmt.Sprintf("You are about to take back what you left with %s. If you then lose every device and your kit, nobody can bring you back into %s.", holderNames(v.Left.Holders), quote(v.FirmName))
}

// endedText says what somebody has not left any more, and how he leaves it again.
func endedText(v client.CustodyView) string {
	if v.Ended == client.EndedRecovered {
		return fmt.Sprintf("What you had left with the custodians of %s brought you back, and is used up. Nobody could do it a second time.%s", quote(v.FirmName), leaveAgain(v))
	}
	return fmt.Sprintf("What you had left with the custodians of %s is taken back, as your keys are other ones: they could not bring you back any more.%s", quote(v.FirmName), leaveAgain(v))
}

func leaveAgain(v client.CustodyView) string {
	if !v.Offered {
		return ""
	}
	return fmt.Sprintf(" To leave it again, run: underseal custody %s --leave", shellWord(v.FirmName, v.Firm))
}

// shellWord is a name as a shell takes it, or the id where the name is none that is copied.
func shellWord(name, id string) string {
	if name == "" || safe(name) != name || strings.ContainsRune(name, '\'') || strings.HasPrefix(name, "-") {
		return id
	}
	return "'" + name + "'"
}

func nothingLeft(v client.CustodyView) string {
	if v.Ended == client.EndedNot {
		return "You left nothing with custodians."
	}
	return endedText(v)
}

func holderNames(list []client.HolderView) string {
	var names []string
	for _, h := range list {
		name := safe(h.Name)
		if h.Gone {
			name += " (left)"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func custodyText(v client.CustodyView) (lines []string) {
	switch {
	case v.Left != nil:
		lines = append(lines, fmt.Sprintf("You left your identity with %s: any %d of them hand it back, %d hours after somebody asks.", holderNames(v.Left.Holders), v.Left.K, v.Left.Hours))
		if !v.Left.Reaches {
			lines = append(lines, "Too few of them are left in the firm to bring you back.")
		}
		if v.Again {
			lines = append(lines, fmt.Sprintf("The firm names others now: %s, any %d of whom would be enough, after %d hours. Nothing moves until you run --leave.", holderNames(v.Holders), v.K, v.Hours))
		}
	case v.Offered:
		lines = append(lines, nothingLeft(v), fmt.Sprintf("The firm names %s: any %d of them could hand your identity back to you, %d hours after somebody asks. Run --leave if you want that.", holderNames(v.Holders), v.K, v.Hours))
	default:
		lines = append(lines, nothingLeft(v), "The firm names no custodians, or too few beside you.")
	}
	return lines
}

// recover lists recoveries, begins one, agrees to one, or stops one; and with a link, or with nothing, it is for who lost
// everything.
func (s *session) recover(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("recover", flag.ContinueOnError)
	begin := f.String("begin", "", "name of somebody who lost everything")
	agree := f.String("agree", "", "id of a recovery to hand your share over in")
	stop := f.String("stop", "", "id of a recovery to stop")
	said := f.String("words", "", "the words as the person reads them to you")
	reason := f.String("reason", "", "why")
	rest, err := s.arguments(f, args, 0, "FIRM")
	if err != nil {
		return err
	}
	asked := slices.DeleteFunc([]string{*begin, *agree, *stop}, func(text string) bool { return text == "" })
	switch {
	case len(asked) > 1:
		return misused("--begin, --agree and --stop are three things")
	case *begin != "" && *reason == "":
		return misused("say why: --reason; everybody in the firm reads it")
	case *agree != "" && *said == "":
		return misused("telephone the person, have the words read to you, and give them as --words: what differs is not handed anything")
	}
	switch {
	case len(asked) == 0 && len(rest) == 0:
		return s.goOn(ctx)
	case len(asked) == 0 && (rest[0] == "-" || strings.Contains(rest[0], "/recover#")):
		return s.ask(ctx, rest[0])
	case len(rest) == 0:
		return misused("recover lacks FIRM")
	}
	if err := s.signIn(ctx); err != nil {
		return err
	}
	firm, err := s.firm(ctx, rest[0])
	if err != nil {
		return err
	}
	switch {
	case *begin != "":
		return s.beginRecovery(ctx, firm, *begin, *reason)
	case *agree != "":
		return s.agree(ctx, firm, *agree, *said)
	case *stop != "":
		return s.stopRecovery(ctx, firm, *stop, *reason)
	}
	return s.recoveries(ctx, firm)
}

func (s *session) recoveries(ctx context.Context, firm wire.ChainID) error {
	v, err := s.client.Recoveries(ctx, firm)
	if err != nil {
		return err
	}
	if s.asJSON {
		printJSON(s.stdout, v)
		return nil
	}
	if len(v.Recoveries) == 0 {
		fmt.Fprintln(s.stdout, "Nobody has ever been brought back.")
	}
	for _, r := range v.Recoveries {
		for _, line := range recoveryText(r) {
			fmt.Fprintln(s.stdout, line)
		}
	}
	return nil
}

func recoveryText(r client.RecoveryView) []string {
	lines := []string{fmt.Sprintf("%s  %s  %s, begun %s by %s: %s", r.Recovery, safe(r.Person), r.State, when(r.At), safe(r.By), safe(r.Reason))}
	var names []string
	for _, h := range r.Holders {
		name := safe(h.Name)
		switch {
		case h.AgreedAt != nil:
			name += " agreed"
		case h.Gone:
			name += " left"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	lines = append(lines, fmt.Sprintf("    %d of %d agreed: %s", r.Agreed, r.K, strings.Join(names, ", ")))
	switch {
	case r.State != "open":
	case r.IsMine:
		lines = append(lines, "    It is you whom somebody asks for. If it was not you who asked, stop it now: --stop "+r.Recovery)
	case r.MayAgree:
		lines = append(lines, "    You can agree from "+when(r.AgreesAt)+", until "+when(r.Until))
	}
	return lines
}

func (s *session) beginRecovery(ctx context.Context, firm wire.ChainID, name, reason string) error {
	v, err := s.client.Recoveries(ctx, firm)
	if err != nil {
		return err
	}
	found := ""
	for _, m := range v.MayBegin {
		if m.Name != name && (len(name) < 4 || !strings.HasPrefix(m.Member, name)) {
			continue
		}
		if found != "" || m.Name == name && len(m.Alike) > 0 {
			return ambiguous(name)
		}
		found = m.Member
	}
	if found == "" {
		return plain(api.CodeNotHere, "Nobody called %s left an identity with custodians, that you could have handed back.", quote(name))
	}
	member, err := wire.ParseObjectID(found)
	if err != nil {
		return err
	}
	link, err := s.client.BeginRecovery(ctx, firm, member, reason)
	if err != nil {
		return err
	}
	if s.asJSON {
		printJSON(s.stdout, map[string]string{"link": link})
		return nil
	}
	s.show.note("Give this link to %s alone, in person or on another service once you have spoken. It is shown only now.", safe(name))
	fmt.Fprintln(s.stdout, link)
	return nil
}

// recovery is the one recovery whose id begins so.
func (s *session) recovery(ctx context.Context, firm wire.ChainID, id string) (wire.ObjectID, error) {
	v, err := s.client.Recoveries(ctx, firm)
	if err != nil {
		return wire.ObjectID{}, err
	}
	found := slices.DeleteFunc(v.Recoveries, func(r client.RecoveryView) bool { return !strings.HasPrefix(r.Recovery, id) })
	switch len(found) {
	case 0:
		return wire.ObjectID{}, plain(api.CodeNotHere, "There is no recovery %s: underseal recover FIRM lists them.", quote(id))
	case 1:
		return wire.ParseObjectID(found[0].Recovery)
	}
	return wire.ObjectID{}, plain(codeAmbiguous, "Several recoveries begin with %s: give more of the id.", quote(id))
}

// agree hands a share over where the words that the person reads are those of who asks.
func (s *session) agree(ctx context.Context, firm wire.ChainID, id, said string) error {
	recovery, err := s.recovery(ctx, firm, id)
	if err != nil {
		return err
	}
	c, err := s.client.Ceremony(ctx, firm, recovery)
	if err != nil {
		return err
	}
	if c.State != "open" {
		return &client.Failure{Code: api.CodeRecoveryGone}
	}
	if c.Claim == nil {
		return plain(api.CodeNotHere, "Nobody has opened the link yet: there are no words to compare.")
	}
	if !slices.Equal(strings.Fields(strings.ToLower(said)), c.Claim.Words) {
		return plain(codeOtherWords, "Those are not the words of who asks for the identity of %s. Nothing was handed over. If they were read to you so, stop it: --stop %s", safe(c.Person), c.Recovery)
	}
	v, err := s.client.Approve(ctx, firm, recovery, c.Claim.Fingerprint)
	if err != nil {
		return err
	}
	return s.showRecovery(v)
}

func (s *session) stopRecovery(ctx context.Context, firm wire.ChainID, id, reason string) error {
	recovery, err := s.recovery(ctx, firm, id)
	if err != nil {
		return err
	}
	v, err := s.client.Veto(ctx, firm, recovery, reason)
	if err != nil {
		return err
	}
	return s.showRecovery(v)
}

func (s *session) showRecovery(v client.RecoveryView) error {
	if s.asJSON {
		printJSON(s.stdout, v)
		return nil
	}
	for _, line := range recoveryText(v) {
		fmt.Fprintln(s.stdout, line)
	}
	return nil
}

// asker is the entrance of a recovery's link.
type asker struct {
	*session
	fragment string
	asking   client.AskingView
}

// asked is what somebody asks for, and the kit that was made for it.
type asked struct {
	client.AskingView
	Kit string `json:"kit,omitempty"`
}

func (s *session) ask(ctx context.Context, link string) error {
	origin, fragment, err := s.link(ctx, link, "/recover")
	if err != nil {
		return err
	}
	return s.enter(ctx, origin, &asker{session: s, fragment: fragment})
}

func (a *asker) open(ctx context.Context) error {
	v, err := a.client.OpenRecovery(ctx, a.fragment)
	if err != nil {
		return err
	}
	if v.Here {
		return plain(api.CodeNotAllowed, "This identity is somebody in %s already, and nobody is two people in one firm. Give another folder with --home.", quote(v.FirmName))
	}
	a.show.note("%s began to bring %s back into %s. If that is not you, stop here and tell %s.", safe(v.By), safe(v.Person), quote(v.FirmName), safe(v.By))
	return nil
}

func (a *asker) here(ctx context.Context) (err error) {
	if err := a.open(ctx); err != nil {
		return err
	}
	a.asking, err = a.client.ClaimRecovery(ctx)
	return a.report(ctx, err)
}

func (a *asker) enrol(ctx context.Context, u client.Unlocker) (err error) {
	if _, err := a.client.RecoveryOptions(ctx); err != nil {
		return err
	}
	a.asking, err = a.client.RecoveryFinish(ctx, u)
	return err
}

func (a *asker) report(ctx context.Context, err error) error {
	if err != nil {
		return err
	}
	out := asked{AskingView: a.asking}
	if out.SecondWay {
		if out.Kit, err = a.secondWay(ctx); err != nil {
			return err
		}
		out.SecondWay = false
	}
	return a.showAsked(out, out)
}

// goOn goes on with what this identity asks for: it comes back where custodians agreed, and puts away what is over.
func (s *session) goOn(ctx context.Context) error {
	if err := s.signIn(ctx); err != nil {
		return err
	}
	list, err := s.client.Asking(ctx)
	if err != nil {
		return err
	}
	all := []asked{}
	for _, v := range list {
		one, err := s.further(ctx, v)
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	if len(all) == 0 && !s.asJSON {
		fmt.Fprintln(s.stdout, "You ask for nothing. With a link that was made for you: underseal recover LINK. About others: underseal recover FIRM.")
		return nil
	}
	return s.showAsked(map[string][]asked{"asking": all}, all...)
}

// further takes one as far as it goes.
func (s *session) further(ctx context.Context, v client.AskingView) (out asked, err error) {
	id, err := wire.ParseObjectID(v.Recovery)
	if err != nil {
		return out, err
	}
	out.AskingView = v
	switch v.State {
	case "waiting":
	case "agreed", "returning":
		if v.SecondWay {
			if out.Kit, err = s.secondWay(ctx); err != nil {
				return out, err
			}
		}
		out.AskingView, err = s.client.TakeBack(ctx, id)
	default:
		err = s.client.ForgetClaim(ctx, id)
	}
	return out, err
}

func (s *session) showAsked(asJSON any, list ...asked) error {
	if s.asJSON {
		printJSON(s.stdout, asJSON)
		return nil
	}
	for _, one := range list {
		for _, line := range askedText(one.AskingView) {
			fmt.Fprintln(s.stdout, line)
		}
	}
	return nil
}

// overText is why somebody asks no more.
var overText = map[string]string{
	"stopped": "was stopped, and nothing is handed over",
	"expired": "had not enough custodians who agreed in time",
	"done":    "brought another account back: if that was not you, telephone the firm at once",
	"taken":   "is somebody else's by now, who asked by the same link: if that was not you, telephone the firm at once",
}

func askedText(v client.AskingView) []string {
	switch v.State {
	case "waiting":
		return []string{
			fmt.Sprintf("You ask to be brought back into %s as %s. %d of %d agreed so far: any of %s can, from %s until %s.", quote(v.FirmName), safe(v.Person), v.Agreed, v.K, names(v.Custodians), when(uint64(v.OpensAt)), when(uint64(v.Until))),
			"Your words, which custodians ask you for by telephone: " + strings.Join(v.Words, " "),
			"When they have agreed, run: underseal recover",
		}
	case "back":
		lines := []string{fmt.Sprintf("You are back in %s.", quote(v.FirmName))}
		if v.Lost > 0 {
			lines = append(lines, fmt.Sprintf("%d matters are not open to what came back: an owner ends your seat there and invites you again.", v.Lost))
		}
		if n := len(v.Renewal.Left); n > 0 {
			lines = append(lines, fmt.Sprintf("Your new keys are not entered everywhere yet: %d matters are left.", n))
		}
		return append(lines, "What you had left with custodians is used up. To leave your new identity with them: underseal custody FIRM --leave")
	}
	why := overText[v.State]
	if why == "" {
		why = "is over"
	}
	return []string{fmt.Sprintf("The recovery of %s in %s %s.", safe(v.Person), quote(v.FirmName), why)}
}

func names(list []string) string {
	var out []string
	for _, name := range list {
		out = append(out, safe(name))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

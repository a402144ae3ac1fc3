// Everybody in a firm, for its owners: who they are and what they are in, how they sign in, and what can be done about it.

import { alikeInList, alikeNote } from "../alike.ts";
import type { App, Screen } from "../app.ts";
import { fill, h, type Child } from "../dom.ts";
import type { Id, Office, OfficePerson } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { date, dateTime, name, timeOfDay, visible } from "../format.ts";
import { saveText } from "../savefile.ts";
import { roleName, say, topicName } from "../sentences.ts";
import { announce, busy, button, dialog, field, form, problem, problemSlot, words } from "../ui.ts";
import { options } from "./activity.ts";
import { inviteDialog, leftWith } from "./people.ts";

const t = say.office;
const topics = Object.keys(topicName).length;

export function officeScreen(app: App, firm: Id): Screen {
  const body = h("div", { class: "stack", "aria-busy": true }, h("p", { role: "status" }, say.loading));
  const lead = h("p", { class: "lead" });
  const load = async () => {
    try {
      const office = await app.engine.call("office", { firm });
      fill(lead, name(office.name));
      fill(body, ...content(app, office, load));
    } catch (thrown) {
      fill(body, problem(failureOf(thrown)), h("div", { class: "actions start" }, button(say.tryAgain, {}, () => void load())));
    } finally {
      body.removeAttribute("aria-busy");
    }
  };
  void load();
  return {
    node: h("section", { class: "page office" },
      h("div", {}, h("p", { class: "crumb" }, h("a", { href: `/m/${firm}/rules` }, t.back)), h("h1", { tabindex: -1 }, t.title), lead),
      h("p", { class: "hint part-lead" }, t.lead), body),
  };
}

// What was typed or chosen stays while the list is asked for again.
let wanted = { firm: "", text: "", which: "" };

type Which = (p: OfficePerson) => boolean;

const filters: Readonly<Record<string, { label: string; takes: Which }>> = {
  locked: { label: t.locked, takes: isLocked },
  "one-way": { label: t.oneWay, takes: (p) => p.ways === 1 },
  unread: { label: t.unread, takes: (p) => p.seats.length > 0 && p.read.length < topics },
};

function isLocked(p: OfficePerson): boolean {
  return (p.server?.lockedUntil ?? 0) > Date.now();
}

function content(app: App, office: Office, reload: () => Promise<void>): Child[] {
  if (wanted.firm !== office.firm) wanted = { firm: office.firm, text: "", which: "" };
  const slot = problemSlot();
  const filter = h("input", { id: "office-filter", type: "search", value: wanted.text, autocomplete: "off", on: { input: () => draw() } });
  const which = h("select", { id: "office-which", on: { change: () => draw() } });
  options(which, t.all, Object.entries(filters).map(([value, { label }]) => [value, label] as const));
  which.value = wanted.which;
  const shown = h("p", { class: "hint", role: "status" });
  const list = h("ul", { id: "office", class: "office-list" });
  const draw = () => {
    wanted = { firm: office.firm, text: filter.value, which: which.value };
    const text = filter.value.trim().toLocaleLowerCase();
    const takes = filters[which.value]?.takes ?? (() => true);
    const some = office.people.filter((p) => takes(p) && searched(p).includes(text));
    shown.textContent = t.shown(some.length, office.people.length);
    fill(list, some.map((p) => row(app, office, p, reload)));
    if (some.length === 0) fill(list, h("li", { class: "empty" }, t.noMatch));
  };
  const training = button(t.training, { id: "office-training" }, () => void busy(training, slot, async () => {
    const file = await app.engine.call("exportTraining", { firm: office.firm });
    saveText(file.name, file.text);
    announce(say.verify.saved(file.name));
  }));
  const invite = button(t.invite, { id: "office-invite" }, () => void busy(invite, slot, async () => {
    const view = await app.engine.call("matterOpen", { matter: office.firm });
    inviteDialog(app, view, () => void reload(), { matter: office.firm, person: "", role: "paralegal", mode: "opens-at-once", days: 7 });
  }));
  draw();
  return [
    h("div", { class: "actions start" }, invite, h("a", { id: "office-seats", href: `/m/${office.firm}` }, t.seats)),
    h("p", { class: "hint part-lead" }, t.inviteHint),
    h("div", { class: "filters" }, field(t.filter, filter), field(t.which, which)), shown,
    h("div", { class: "office-row head", "aria-hidden": true }, Object.values(t.columns).map((each) => h("span", {}, each))),
    list, slot.node,
    h("div", { class: "actions start" }, training, button(t.again, { id: "office-again" }, () => void reload()), h("p", { class: "hint" }, t.trainingHint)),
  ];
}

function searched(p: OfficePerson): string {
  return [p.name, ...p.called, ...p.seats.flatMap((s) => [s.name, roleName[s.role]])].join("\n").toLocaleLowerCase();
}

function calledHere(p: OfficePerson): string {
  return p.name === "" ? t.guest(p.member) : visible(p.name);
}

function row(app: App, office: Office, p: OfficePerson, reload: () => Promise<void>): HTMLElement {
  const locked = isLocked(p);
  return h("li", { "data-person": p.member, "data-locked": String(locked) },
    h("div", { class: "office-row" },
      h("div", {},
        h("p", { class: "thing-name" }, p.name === "" ? h("span", { class: "hint" }, t.noName) : name(p.name), p.isMe && h("span", { class: "hint" }, ` (${say.people.you})`)),
        p.called.length > 0 && h("p", { class: "hint" }, t.alsoCalled(p.called.map(visible).join(", "))),
        h("ul", { class: "plain-list hint" }, p.seats.map((seat) => h("li", {}, seatText(office, seat))))),
      cell(t.columns.signsIn, factors(p)),
      cell(t.columns.here, lastHere(p)),
      cell(t.columns.state, state(p, locked))),
    alikeInList(p.alike, p.words),
    (p.words.length > 0 || p.read.length > 0) && details(office, p),
    actions(app, office, p, reload));
}

function cell(label: string, ...content: Child[]): HTMLElement {
  return h("div", { class: "office-cell", "data-label": label }, h("div", {}, content));
}

function seatText(office: Office, seat: OfficePerson["seats"][number]): Child {
  const where = seat.matter === office.firm ? t.firmItself : visible(seat.name);
  return [t.seat(roleName[seat.role], where), seat.state === "waiting" && h("span", { class: "badge" }, t.waiting), seat.state === "frozen" && h("span", { class: "badge" }, t.frozen)];
}

function factors(p: OfficePerson): Child {
  const s = p.server;
  if (!s) return t.factors.none;
  const list = [
    s.passkeys > 0 && t.factors.passkeys(s.passkeys, s.unlocking), s.kit && t.factors.kit, s.password && t.factors.password,
    s.app && t.factors.app, s.passphrase && t.factors.passphrase, s.sso && t.factors.sso,
  ].filter((each) => each !== false);
  return list.length === 0 ? t.factors.none : h("ul", { class: "plain-list" }, list.map((each) => h("li", {}, each)));
}

function lastHere(p: OfficePerson): Child {
  if (!p.server) return "\u2014";
  return [h("p", {}, p.server.enteredAt === null ? t.never : date(p.server.enteredAt)), h("p", { class: "hint" }, t.open(p.server.sessions))];
}

function state(p: OfficePerson, locked: boolean): Child {
  const s = p.server;
  const lines = [
    locked && s?.lockedUntil && h("p", { class: "caution" }, t.lockedUntil, timeOfDay(s.lockedUntil)),
    s !== null && s.failed > 0 && h("p", {}, t.failed(s.failed)),
    p.ways === 1 && h("p", { class: "caution" }, t.oneWayBadge),
  ].filter((each) => each !== false && each !== null && each !== 0 && each !== undefined);
  return lines.length === 0 ? h("p", { class: "hint" }, t.fine) : lines;
}

function details(office: Office, p: OfficePerson): HTMLElement {
  const where = (r: OfficePerson["read"][number]) => t.entry(r.position, r.matter === office.firm ? t.firmItself : visible(r.matterName));
  return h("details", { class: "quiet-details" }, h("summary", {}, t.details),
    p.ways > 1 && h("p", { class: "hint", "data-ways": p.ways }, say.people.ways(p.ways)),
    p.left !== null && leftWith(p.left),
    h("p", { class: "words-title" }, t.read),
    p.read.length === 0 ? h("p", { class: "hint" }, t.readNothing)
      : h("ul", { class: "plain-list hint" }, p.read.map((r) => h("li", { "data-topic": r.topic }, topicName[r.topic], ", ", dateTime(r.at), ", ", where(r)))),
    p.words.length > 0 && [h("p", { class: "words-title" }, say.people.words), words(p.words)]);
}

// ---- what an owner can do, each for a reason that stands in the record

interface Act {
  action: "office-unlock" | "office-signout";
  button: string;
  label(person: string): string;
  title(person: string): string;
  text: string;
  yes: string;
  done(person: string): string;
  call: "officeUnlock" | "officeSignOut";
}

const unlock: Act = { action: "office-unlock", button: t.unlock, label: t.unlockOne, title: t.unlockTitle, text: t.unlockText, yes: t.unlockYes, done: t.unlocked, call: "officeUnlock" };
const signOut: Act = { action: "office-signout", button: t.signOut, label: t.signOutOne, title: t.signOutTitle, text: t.signOutText, yes: t.signOutYes, done: t.signedOut, call: "officeSignOut" };

function actions(app: App, office: Office, p: OfficePerson, reload: () => Promise<void>): HTMLElement | false {
  const s = p.server;
  const acts = [s !== null && isLocked(p) && unlock, s !== null && s.sessions > 0 && !p.isMe && signOut].filter((act) => act !== false);
  return acts.length > 0 && h("div", { class: "actions start" }, acts.map((act) =>
    button(act.button, { class: "small", "data-action": act.action, "aria-label": act.label(calledHere(p)) }, () => reasonDialog(app, office, p, act, reload))));
}

function reasonDialog(app: App, office: Office, p: OfficePerson, act: Act, reload: () => Promise<void>) {
  const slot = problemSlot();
  const person = calledHere(p);
  const reason = h("input", { id: "office-reason", required: true, maxlength: 300, autocomplete: "off" });
  const yes = h("button", { id: "office-yes", class: "primary", type: "submit" }, act.yes);
  const submit = () => void busy(yes, slot, async () => {
    await app.engine.call(act.call, { firm: office.firm, member: p.member, reason: reason.value });
    open.close();
    announce(act.done(person));
    await reload();
  });
  const open = dialog("office-dialog", act.title(person), h("p", {}, act.text), p.words.length > 0 && h("div", {}, h("p", { class: "words-title" }, say.people.words), words(p.words)),
    alikeNote(p.alike),
    form({}, submit, field(t.reason, reason, t.reasonHint), slot.node,
      h("div", { class: "actions" }, button(say.cancel, { class: "quiet" }, () => open.close()), yes)));
  reason.focus();
}

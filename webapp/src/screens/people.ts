// The people of a matter, and its invitations.

import { alikeInList, alikeNote } from "../alike.ts";
import type { App, Changed } from "../app.ts";
import { fill, h, keyedList, type Row } from "../dom.ts";
import type { Invite, InviteMode, Left, MatterView, Params, Person, Role } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { date, name, visible } from "../format.ts";
import { offer } from "../roles.ts";
import { inviteState, modeMeaning, modeName, roleMeaning, roleName, say, topicName } from "../sentences.ts";
import { teach } from "../teach.ts";
import { ask, announce, busy, button, dialog, field, form, problemSlot, words } from "../ui.ts";
import type { Panel } from "./documents.ts";

const t = say.people;

export function peoplePanel(app: App, changed: Changed): Panel {
  let view: MatterView | null = null;
  const invite = button(t.invite, { id: "invite-open" }, () => view && inviteDialog(app, view, changed, null));
  const members = h("ul", { id: "members", class: "people-list" });
  const invites = h("ul", { id: "invites", class: "people-list" });
  const former = h("ul", { id: "former-members", class: "people-list" });
  const inviteSection = h("div", {}, h("h3", {}, t.invites), invites);
  const formerSection = h("details", { class: "quiet-details" }, h("summary", {}, t.former), former);
  const now = () => view;
  const showMembers = keyedList(members, (p: Person) => p.member, (p) => personRow(app, now, p, changed));
  const showFormer = keyedList(former, (p: Person) => p.member, (p) => personRow(app, now, p, changed));
  const showInvites = keyedList(invites, (i: Invite) => i.id, (i) => inviteRow(app, now, i, changed));
  return {
    node: h("aside", { class: "people", "aria-labelledby": "people-title" },
      h("div", { class: "people-head" }, h("h2", { id: "people-title" }, t.title), invite),
      members, inviteSection, formerSection),
    show(next) {
      view = next;
      const gone = next.people.filter((p) => p.removedAt !== null);
      const mine = offer(next.myRole).people;
      const pending = mine ? next.invites.filter((i) => i.state !== "seated" && i.state !== "cancelled") : [];
      invite.hidden = !mine;
      showMembers(next.people.filter((p) => p.removedAt === null));
      showFormer(gone);
      showInvites(pending);
      formerSection.hidden = gone.length === 0;
      inviteSection.hidden = pending.length === 0;
    },
  };
}

// Rows are redrawn only when what they show has changed, so that an open list of words stays open.
function redrawn<T>(node: HTMLElement, cells: (item: T) => (HTMLElement | false)[]): (item: T) => void {
  let drawn = "";
  return (item) => {
    const now = JSON.stringify(item);
    if (now === drawn) return;
    drawn = now;
    fill(node, ...cells(item));
  };
}

function personRow(app: App, view: () => MatterView | null, first: Person, changed: Changed): Row<Person> {
  const node = h("li", { "data-member": first.member });
  const update = redrawn<Person>(node, (p) => {
    const current = view();
    const removable = !p.isMe && p.removedAt === null && current !== null && offer(current.myRole).people;
    const label = visible(p.name);
    return [
      h("div", { class: "person-head" },
        h("span", { class: "person-name" }, name(p.name), p.isMe && h("span", { class: "hint" }, " (" + t.you + ")")),
        h("span", { class: "role" }, roleName[p.role])),
      p.ways === 1 && p.removedAt === null && h("p", { class: "hint one-way" }, t.oneWay),
      p.frozen && p.removedAt === null && h("p", { class: "problem small-problem" }, t.seatFrozen),
      alikeInList(p.alike, p.words),
      h("details", { open: node.querySelector("details")?.open ?? false },
        h("summary", { class: "hint" }, p.removedAt === null ? founder(current, p) ? [t.founded, date(p.addedAt)] : [t.since, date(p.addedAt), t.addedBy, name(p.addedBy)] : [t.until, date(p.removedAt)]),
        p.removedAt === null && selfSaid(p),
        h("p", { class: "words-title" }, t.words), words(p.words), h("p", { class: "hint" }, t.wordsHint),
        removable && button(t.remove, { class: "small", "data-action": "member-remove", "aria-label": t.removeOne(label) }, () => askRemove(app, view(), p, changed))),
    ];
  });
  update(first);
  return { node, update };
}

// What this person says of himself, as the roster has it.
function selfSaid(p: Person): HTMLElement {
  return h("div", { class: "self-said" },
    p.ways > 1 && h("p", { class: "hint", "data-ways": p.ways }, t.ways(p.ways)),
    p.read.length > 0 && [h("p", { class: "words-title" }, t.read), h("ul", { class: "plain-list hint" }, p.read.map((r) => h("li", { "data-topic": r.topic }, topicName[r.topic], ", ", date(r.at))))],
    p.left !== null && leftWith(p.left));
}

/** With whom somebody left his identity: everybody in the firm may know. */
export function leftWith(left: Left): HTMLElement {
  return h("p", { class: "hint", "data-left": left.k }, say.custody.leftWith(left.holders.map((who) => visible(who.name)), left.k));
}

// The first seat is the one that nobody but its holder gave.
function founder(view: MatterView | null, person: Person): boolean {
  return person.addedBy === person.name && view?.people[0]?.member === person.member;
}

function askRemove(app: App, view: MatterView | null, person: Person, changed: Changed) {
  if (!view) return;
  ask({
    title: t.removeTitle(visible(person.name)),
    text: t.removeText,
    extra: alikeNote(person.alike, person.words),
    yes: t.removeButton,
    danger: true,
    act: async () => changed(await app.engine.call("memberRemove", { matter: view.matter, member: person.member })),
  });
}

function inviteRow(app: App, view: () => MatterView | null, first: Invite, changed: Changed): Row<Invite> {
  const node = h("li", { "data-invite": first.id });
  const update = redrawn<Invite>(node, (i) => {
    const current = view();
    const mine = current !== null && offer(current.myRole).people;
    const label = visible(i.person);
    node.dataset["state"] = i.state;
    return [
      h("div", { class: "person-head" }, h("span", { class: "person-name" }, name(i.person)), h("span", { class: "role" }, roleName[i.role])),
      h("p", { class: "hint" }, h("strong", { class: "invite-state" }, inviteState[i.state]), i.state === "open" && [" \u00b7 ", t.expires, date(i.expiresAt)], " \u00b7 ", t.by, name(i.createdBy)),
      alikeInList(i.alike, i.guestWords),
      i.state === "frozen" && h("p", { class: "problem small-problem" }, t.frozen),
      mine && h("div", { class: "actions start" },
        i.state === "waiting" && button(t.confirm, { class: "primary small", "data-action": "invite-confirm", "aria-label": t.confirmOne(label) }, () => askConfirm(app, view(), i, changed)),
        i.state !== "expired" && button(say.cancel, { class: "small", "data-action": "invite-cancel", "aria-label": t.cancelOne(label) }, () => askCancel(app, view(), i, changed))),
    ];
  });
  update(first);
  return { node, update };
}

function askConfirm(app: App, view: MatterView | null, invite: Invite, changed: Changed) {
  if (!view) return;
  ask({
    title: t.confirmTitle(visible(invite.person)),
    text: t.confirmText,
    extra: [words(invite.guestWords), alikeNote(invite.alike)],
    yes: t.confirmButton,
    act: async () => changed(await app.engine.call("inviteConfirm", { matter: view.matter, invite: invite.id })),
  });
}

function askCancel(app: App, view: MatterView | null, invite: Invite, changed: Changed) {
  if (!view) return;
  ask({
    title: t.cancelTitle(visible(invite.person)),
    text: t.cancelText,
    yes: t.cancelButton,
    no: t.keep,
    danger: true,
    act: async () => changed(await app.engine.call("inviteCancel", { matter: view.matter, invite: invite.id })),
  });
}

// ---- inviting

const roles: readonly Role[] = ["client", "paralegal", "expert", "owner", "auditor", "reviewer"];
const modes = ["opens-at-once", "after-i-confirm"] as const satisfies readonly InviteMode[];
const days = [1, 3, 7, 14, 30];

/** What is asked for, kept while a second way to unlock is made. */
type Asked = Params<"inviteCreate">;

/** Asks whom to invite to what is shown, and gives the link. asked is what stands in it at first. */
export function inviteDialog(app: App, view: MatterView, changed: Changed, asked: Asked | null) {
  const slot = problemSlot();
  const person = h("input", { id: "invite-person", required: true, maxlength: 120, value: asked?.person ?? "", autocomplete: "off", spellcheck: "false" });
  const role = h("select", { id: "invite-role", on: { change: () => meaning() } }, roles.map((r) => h("option", { value: r, selected: r === asked?.role }, roleName[r])));
  const hint = h("p", { class: "hint", id: "invite-role-hint" });
  const meaning = () => (hint.textContent = roleMeaning[role.value as Role]);
  const valid = h("select", { id: "invite-days" }, days.map((d) => h("option", { value: d, selected: d === (asked?.days ?? 7) }, say.invite.daysOption(d))));
  const create = h("button", { id: "invite-create", class: "primary", type: "submit" }, say.invite.create);
  role.setAttribute("aria-describedby", hint.id);
  meaning();
  const mode = modeChoice(asked?.mode ?? modes[0]);
  const submit = () => void busy(create, slot, async () => {
    const next: Asked = { matter: view.matter, person: person.value.trim(), role: role.value as Role, mode: mode.chosen(), days: Number(valid.value) };
    try {
      const made = await app.engine.call("inviteCreate", next);
      showLink(app, open.node, next.person, made.link, () => open.close());
      changed(await app.engine.call("matterOpen", { matter: view.matter }));
    } catch (thrown) {
      if (failureOf(thrown).code !== "second-way") throw thrown;
      app.secondWay("/m/" + view.matter, () => inviteDialog(app, view, changed, next));
    }
  });
  const looks = h("div", { id: "invite-alike", "aria-live": "polite" });
  person.addEventListener("input", paused(async () => {
    const typed = person.value.trim();
    const { alike } = await app.engine.call("namesLike", { matter: view.matter, name: typed });
    if (typed === person.value.trim()) fill(looks, alikeNote(alike));
  }));
  const roleField = field(say.invite.role, role);
  roleField.append(hint);
  const open = dialog("invite-dialog", say.invite.title, form({}, submit,
    field(say.invite.person, person, say.invite.personHint), looks, roleField, mode.node, field(say.invite.days, valid), slot.node,
    h("div", { class: "actions" }, button(say.cancel, { class: "quiet" }, () => open.close()), create)));
  person.focus();
}

// Nobody waits for it, and creating the link does not need it: where it fails, the roster says the same afterwards.
function paused(act: () => Promise<void>): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(() => void act().catch(() => undefined), 300);
  };
}

function modeChoice(first: InviteMode) {
  const options = modes.map((mode) => h("input", { type: "radio", name: "invite-mode", value: mode, checked: mode === first, "aria-describedby": "mode-" + mode }));
  const node = h("fieldset", { id: "invite-mode" }, h("legend", {}, say.invite.mode),
    options.map((option, i) => {
      const mode = modes[i] ?? "opens-at-once";
      return h("label", { class: "check" }, option, h("span", {}, modeName[mode], h("span", { class: "hint block", id: "mode-" + mode }, modeMeaning[mode])));
    }));
  return { node, chosen: (): InviteMode => modes[options.findIndex((option) => option.checked)] ?? "after-i-confirm" };
}

function showLink(app: App, node: HTMLDialogElement, person: string, link: string, done: () => void) {
  const field = h("input", { id: "invite-link", readonly: true, value: link, "aria-label": say.invite.link, on: { focus: () => field.select() } });
  const told = h("span", { class: "hint", role: "status" });
  const copy = button(say.invite.copy, { id: "invite-copy", class: "primary" }, () => void copyLink(field, told));
  const heading = node.querySelector("h2");
  if (heading) heading.textContent = say.invite.doneTitle(visible(person));
  node.querySelector("form")?.replaceWith(h("div", {},
    h("div", { class: "copy" }, field, copy), told,
    h("p", {}, say.invite.warning),
    h("p", { class: "hint" }, say.invite.once),
    teach(app, "inviting"),
    h("div", { class: "actions" }, button(say.invite.done, { id: "invite-done" }, done))));
  copy.focus();
}

async function copyLink(field: HTMLInputElement, told: HTMLElement) {
  try {
    await navigator.clipboard.writeText(field.value);
    told.textContent = say.invite.copied;
  } catch {
    field.select();
    told.textContent = say.invite.copyFailed;
  }
  announce(told.textContent);
}


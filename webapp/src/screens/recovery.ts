// Recoveries of a firm: the list, the way to begin one, and the ceremony by which custodians hand somebody back.

import { alikeNote } from "../alike.ts";
import type { App, Screen } from "../app.ts";
import { fill, h, type Child } from "../dom.ts";
import type { Ceremony, Event, Id, Recoveries, Recovery } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { date, dateTime, name, visible } from "../format.ts";
import { say } from "../sentences.ts";
import { announce, busy, button, dialog, field, form, problem, problemSlot, tick, words } from "../ui.ts";

const t = say.recovery;

// ---- the list

export function recoveriesScreen(app: App, firm: Id): Screen {
  const body = h("div", { class: "stack", "aria-busy": true }, h("p", { role: "status" }, say.loading));
  const begin = button(t.begin, { id: "recovery-begin", hidden: true }, () => known && beginDialog(app, known, load));
  let known: Recoveries | null = null;
  const load = async () => {
    try {
      known = await app.engine.call("recoveries", { firm });
      begin.hidden = known.mayBegin.length === 0;
      fill(body, list(known));
    } catch (thrown) {
      fill(body, problem(failureOf(thrown)), h("div", { class: "actions start" }, button(say.tryAgain, {}, () => void load())));
    } finally {
      body.removeAttribute("aria-busy");
    }
  };
  void load();
  return {
    node: h("section", { class: "page narrow" },
      h("div", {}, h("p", { class: "crumb" }, h("a", { href: `/m/${firm}/rules` }, t.back)), h("div", { class: "page-head tight-head" }, h("h1", { tabindex: -1 }, t.title), begin)),
      h("p", { class: "lead" }, t.lead), body),
    event: (event: Event) => void (event.event === "matter" && event.matter === firm && load()),
  };
}

function list({ firm, recoveries, mayBegin }: Recoveries): Child[] {
  const nobody = mayBegin.length === 0 && !recoveries.some((r) => r.state === "open") && h("p", { id: "recovery-nobody", class: "hint" }, t.beginNobody);
  if (recoveries.length === 0) return [h("p", {}, t.none), nobody];
  return [h("ul", { id: "recoveries", class: "matters" }, recoveries.map((r) => h("li", {},
    h("a", { class: "matter-card", href: `/m/${firm}/recovery/${r.recovery}`, "data-recovery": r.recovery, "data-state": r.state },
      name(r.person, "matter-name"),
      h("span", { class: "matter-facts" }, h("span", { class: "badge" }, t.state[r.state]), h("span", {}, t.begun, date(r.at), t.by, name(r.by)), h("span", {}, t.of(r.agreed, r.k))))))), nobody];
}

// ---- beginning one

function beginDialog(app: App, known: Recoveries, done: () => Promise<void>) {
  const slot = problemSlot();
  const who = h("select", { id: "recovery-who" }, known.mayBegin.map((m) => h("option", { value: m.member, disabled: m.gone }, m.gone ? t.whoGone(visible(m.name)) : visible(m.name))));
  const apart = h("div", { id: "recovery-alike", "aria-live": "polite" });
  const chosen = () => {
    const person = known.mayBegin.find((m) => m.member === who.value);
    fill(apart, person !== undefined && alikeNote(person.alike, person.words));
  };
  who.addEventListener("change", chosen);
  chosen();
  const reason = h("textarea", { id: "recovery-reason", class: "prose", required: true, rows: 3, maxlength: 900 });
  const go = h("button", { id: "recovery-make", class: "primary", type: "submit" }, t.beginYes);
  const submit = () => void busy(go, slot, async () => {
    const person = known.mayBegin.find((m) => m.member === who.value)?.name ?? "";
    const { link } = await app.engine.call("recoveryBegin", { firm: known.firm, member: who.value, reason: reason.value.trim() });
    showLink(open.node, person, link, () => open.close());
    app.alertsChanged();
    await done();
  });
  const open = dialog("recovery-dialog", t.beginTitle, form({}, submit,
    h("p", {}, t.beginText), field(t.who, who), apart, field(t.reason, reason, t.reasonHint), slot.node,
    h("div", { class: "actions" }, button(say.cancel, { class: "quiet" }, () => open.close()), go)));
}

function showLink(node: HTMLDialogElement, person: string, link: string, done: () => void) {
  const input = h("input", { id: "recovery-link", readonly: true, value: link, "aria-label": t.link, on: { focus: () => input.select() } });
  const told = h("span", { class: "hint", role: "status" });
  const copy = button(say.invite.copy, { id: "recovery-copy", class: "primary" }, () => {
    const copied = () => (told.textContent = say.invite.copied);
    const failed = () => (input.select(), (told.textContent = say.invite.copyFailed));
    void navigator.clipboard.writeText(link).then(copied, failed);
  });
  const heading = node.querySelector("h2");
  if (heading) heading.textContent = t.linkTitle(visible(person));
  node.querySelector("form")?.replaceWith(h("div", { class: "stack tight" },
    h("div", { class: "copy" }, input, copy), told,
    h("p", {}, t.warning), h("p", { class: "hint" }, t.once),
    h("div", { class: "actions" }, button(say.invite.done, { id: "recovery-link-done" }, done))));
  copy.focus();
}

// ---- the ceremony

export function ceremonyScreen(app: App, firm: Id, recovery: Id): Screen {
  const node = h("section", { id: "ceremony", class: "page narrow", "aria-busy": true }, h("h1", { tabindex: -1 }, t.title), h("p", { role: "status" }, say.loading));
  let drawn = "";
  const load = async () => {
    try {
      const now = await app.engine.call("recoveryCeremony", { firm, recovery });
      if (JSON.stringify(now) === drawn) return; // a word that is being compared is not drawn anew
      drawn = JSON.stringify(now);
      fill(node, ceremony(app, now, load));
      node.dataset["state"] = now.state;
    } catch (thrown) {
      fill(node, crumb(firm), h("h1", { tabindex: -1 }, t.title), problem(failureOf(thrown)), h("div", { class: "actions start" }, button(say.tryAgain, {}, () => void load())));
    } finally {
      node.removeAttribute("aria-busy");
    }
  };
  void load();
  const timer = setInterval(() => void (node.isConnected && !document.hidden && !document.querySelector("dialog") && load()), 20_000);
  return {
    node,
    event: (event: Event) => void (event.event === "matter" && event.matter === firm && load()),
    leave: () => clearInterval(timer),
  };
}

function crumb(firm: Id): HTMLElement {
  return h("p", { class: "crumb" }, h("a", { href: `/m/${firm}/recovery` }, t.title));
}

function title(r: Recovery): string {
  if (r.state !== "open" && r.state !== "expired") return t.overTitle(visible(r.person));
  return r.isMine ? t.mineTitle : t.ceremonyTitle(visible(r.person));
}

function ceremony(app: App, r: Ceremony, done: () => Promise<void>): Child[] {
  const slot = problemSlot();
  const stop = r.mayStop && button(t.stop, { id: "recovery-stop", class: r.isMine ? "danger" : "" }, () => stopDialog(app, r, done));
  return [
    h("div", {}, crumb(r.firm), h("h1", { tabindex: -1 }, title(r))),
    r.isMine && r.mayStop && h("p", { class: "problem", role: "alert" }, t.mine(visible(r.by))),
    h("div", { class: "sheet" }, facts(r)),
    !r.isMine && r.state === "open" && agreement(app, r, slot, done),
    slot.node,
    h("div", { class: "actions start" }, stop),
  ];
}

function facts(r: Ceremony): HTMLElement {
  const fact = (term: string, ...value: Child[]) => [h("dt", {}, term), h("dd", {}, value)];
  const over = r.endedAt !== null && r.state !== "open" && r.state !== "expired" && t.ended[r.state];
  return h("dl", { class: "facts" },
    fact(t.facts.who, name(r.person), alikeNote(r.alike)),
    fact(t.facts.by, name(r.by)),
    fact(t.facts.when, dateTime(r.at)),
    fact(t.facts.why, name(r.reason)),
    over === false ? [fact(t.facts.opens, t.opens, dateTime(r.opensAt)), fact(t.facts.until, dateTime(r.until))]
      : fact(t.facts.state, over, dateTime(r.endedAt ?? 0), r.endedBy !== "" && [t.by, name(r.endedBy)], r.endReason !== "" && h("p", { class: "hint" }, name(r.endReason))),
    fact(t.facts.custodians, h("ul", { id: "recovery-custodians", class: "holders" }, r.holders.map((who) =>
      h("li", { "data-holder": who.member, "data-agreed": String(who.agreedAt !== null) }, tick(who.agreedAt === null ? "open" : "good"),
        h("span", {}, name(who.name), who.isMe && h("span", { class: "hint" }, " (" + t.you + ")"), h("span", { class: "hint block" }, who.agreedAt === null ? (who.gone ? say.custody.gone : t.waiting) : [t.agreedAt, dateTime(who.agreedAt)]))))),
      h("p", { class: "hint" }, t.of(r.agreed, r.k))));
}

function agreement(app: App, r: Ceremony, slot: ReturnType<typeof problemSlot>, done: () => Promise<void>): Child {
  const me = r.holders.find((who) => who.isMe);
  const person = visible(r.person);
  if (!me) return h("p", {}, r.mayStop ? t.notHolder : t.noSay);
  if (me.agreedAt !== null) return h("p", { id: "recovery-agreed" }, t.agreed);
  const { claim } = r;
  if (!claim) return h("p", { id: "recovery-nobody-yet" }, t.nobodyYet);
  const early = Date.now() < r.agreesAt;
  const spoke = h("input", { id: "recovery-spoke", type: "checkbox", required: true, disabled: early });
  const agree = h("button", { id: "recovery-agree", class: "primary", type: "submit", disabled: early }, t.agree);
  const submit = () => void busy(agree, slot, async () => {
    await app.engine.call("recoveryAgree", { firm: r.firm, recovery: r.recovery, fingerprint: claim.fingerprint });
    announce(t.agreed);
    app.alertsChanged();
    await done();
  });
  return h("section", { class: "sheet" },
    h("div", { class: "stack tight" }, h("h2", {}, t.compareTitle), h("p", {}, t.compare(person)), h("div", { id: "recovery-words" }, words(claim.words)), h("p", { class: "caution" }, t.compareNo)),
    h("div", { class: "stack tight" }, h("h2", {}, t.handTitle), h("p", {}, t.hand(r.k, person))),
    early && h("p", { id: "recovery-early", class: "caution" }, t.early, dateTime(r.agreesAt), ". ", t.earlyWhy),
    form({}, submit, h("label", { class: "check" }, spoke, h("span", {}, t.spoke(person))), h("div", { class: "actions start" }, agree)));
}

/** Asks for a reason, and stops a recovery. */
export function stopDialog(app: App, r: Recovery, done: () => Promise<void>) {
  const slot = problemSlot();
  const reason = h("textarea", { id: "stop-reason", class: "prose", rows: 2, maxlength: 900 });
  const yes = h("button", { id: "stop-yes", class: "danger", type: "submit" }, t.stopYes);
  const submit = () => void busy(yes, slot, async () => {
    await app.engine.call("recoveryStop", { firm: r.firm, recovery: r.recovery, reason: reason.value.trim() });
    open.close();
    announce(t.stopped);
    app.alertsChanged();
    await done();
  });
  const open = dialog("stop-dialog", t.stopTitle, form({}, submit,
    h("p", {}, t.stopText), field(t.stopReason, reason), slot.node,
    h("div", { class: "actions" }, button(say.cancel, { class: "quiet" }, () => open.close()), yes)));
}

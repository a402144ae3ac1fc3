// Whether somebody leaves his identity with custodians: what he is shown before he does, and the way back.

import { alikeNote } from "../alike.ts";
import type { App } from "../app.ts";
import { fill, h, type Child } from "../dom.ts";
import type { AccountView, Custody, Holder } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { name, visible } from "../format.ts";
import { say } from "../sentences.ts";
import { announce, ask, busy, button, dialog, problem, problemSlot, words } from "../ui.ts";

const t = say.custody;

/** One part for each firm that somebody works in; nothing where there is none. Guests are not asked. */
export function custodySection(app: App, account: AccountView): HTMLElement {
  const section = h("section", { id: "custody", class: "sheet", hidden: true }, h("h2", {}, t.title), h("p", { class: "hint" }, t.hint));
  for (const { firm, firmName } of account.identities) {
    const body = h("div", { class: "stack tight" });
    const part = h("div", { class: "stack tight firm-custody", "data-custody": firm }, h("h3", {}, name(firmName)), body);
    const add = () => {
      section.append(part);
      section.hidden = false;
    };
    const show = (custody: Custody) => {
      body.dataset["state"] = custody.left === null ? "none" : custody.again ? "again" : "left";
      fill(body, parts(app, custody, show));
      add();
    };
    app.engine.call("custody", { firm }).then(show, (thrown: unknown) => {
      const failure = failureOf(thrown);
      if (failure.code === "not-allowed") return;
      fill(body, problem(failure));
      add();
    });
  }
  return section;
}

type Show = (custody: Custody) => void;

function parts(app: App, custody: Custody, show: Show): Child[] {
  const { left } = custody;
  const leave = custody.offered && button(custody.left !== null ? t.leaveAgain : custody.ended === "" ? t.leave : t.leaveNew, { "data-action": "custody-leave", class: custody.again ? "primary" : "" }, () => askConsent(app, custody, show));
  const back = button(t.back, { "data-action": "custody-withdraw" }, () => askBack(app, custody, show));
  if (left === null) {
    if (!custody.offered) return [custody.ended !== "" && h("p", { class: "caution" }, t.ended[custody.ended]), h("p", {}, custody.k === 0 ? t.off : t.few)];
    return [custody.ended === "" ? h("p", {}, t.nothing, " ", t.offer(custody.k, custody.hours))
      : [h("p", { class: "caution" }, t.ended[custody.ended], " ", t.endedTodo), h("p", {}, t.offer(custody.k, custody.hours))], holders(custody.holders),
      h("div", { class: "actions start" }, leave, custody.again && nothingAgain(app, custody, show))];
  }
  return [
    h("p", {}, t.left(left.k, left.hours)), holders(left.holders),
    !left.reaches && h("p", { class: "caution" }, t.short),
    custody.again && h("div", { class: "stack tight", "data-changed": custody.firm }, h("h4", {}, t.changedTitle), h("p", {}, t.changed), h("p", {}, t.offer(custody.k, custody.hours)), holders(custody.holders)),
    h("div", { class: "actions start" }, custody.again && leave, back),
  ];
}

function holders(list: readonly Holder[]): HTMLElement {
  return h("ul", { class: "holders" }, list.map((who) => h("li", { "data-holder": who.member }, name(who.name), who.gone && h("span", { class: "badge" }, t.gone))));
}

function nothingAgain(app: App, custody: Custody, show: Show): HTMLElement {
  const slot = problemSlot();
  const no = button(t.nothingAgain, { "data-action": "custody-nothing", class: "quiet" }, () => void busy(no, slot, async () => {
    await app.engine.call("custodyNothing", { firm: custody.firm });
    show(await app.engine.call("custody", { firm: custody.firm }));
    app.alertsChanged();
  }));
  return h("span", {}, no, slot.node);
}

/** Names everybody who would hold a share, and what they could do together. Nothing is left but by its one button. */
export function askConsent(app: App, custody: Custody, show: Show) {
  const { firm, policy, k, hours, holders: list } = custody;
  const slot = problemSlot();
  const yes = button(t.consentYes(k, list.length), { id: "consent-yes", class: "primary" }, () => void busy(yes, slot, async () => {
    show(await app.engine.call("custodyLeave", { firm, policy }));
    app.alertsChanged();
    open.close();
    announce(t.done);
  }));
  const open = dialog("consent-dialog", t.consentTitle(visible(custody.firmName)),
    h("ul", { id: "consent-holders", class: "holders" }, list.map((who) => h("li", {}, name(who.name),
      h("details", {}, h("summary", { class: "hint" }, t.words), words(who.words)), alikeNote(who.alike, who.words)))),
    h("div", { class: "stack tight" },
      h("p", {}, t.consentWhat(k, list.length)),
      h("p", { class: "caution", id: "consent-could" }, t.consentCould(k)),
      h("p", {}, t.consentWhen(hours)),
      h("p", { class: "hint" }, t.consentOnly)),
    slot.node,
    h("div", { class: "actions" }, button(say.cancel, { class: "quiet" }, () => open.close()), yes));
}

function askBack(app: App, custody: Custody, show: Show) {
  ask({
    title: t.backTitle,
    text: t.backText,
    yes: t.backYes,
    danger: true,
    act: async () => {
      show(await app.engine.call("custodyWithdraw", { firm: custody.firm }));
      app.alertsChanged();
      announce(t.tookBack);
    },
  });
}

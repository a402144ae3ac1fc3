// The firm's own sign-in: the buttons that lead to it, and the section under Account that links it.

import type { App } from "../app.ts";
import { fill, h } from "../dom.ts";
import type { SSO } from "../engine.ts";
import { date, dateTime, name, visible } from "../format.ts";
import { withProof } from "../prove.ts";
import { say } from "../sentences.ts";
import { ssoPage } from "../sso.ts";
import { announce, ask, busy, button, problemSlot, type ProblemSlot } from "../ui.ts";

const t = say.sso;

/** A button for each firm whose sign-in this device knows; nothing where it knows none. */
export function ssoButtons(app: App, then: string): HTMLElement {
  const node = h("div", { class: "go", hidden: true });
  // Who wants the other ways needs none of it: what fails here is not shown.
  void app.engine.call("ssoFirms").then(({ firms }) => {
    fill(node, firms.map((firm, n) => button(firms.length === 1 ? t.button : t.buttonOf(firm.slice(0, 6)), { id: n === 0 ? "signin-sso" : null, "data-sso": firm }, () => location.assign(ssoPage(firm, then)))));
    node.hidden = firms.length === 0;
  }, () => undefined);
  return node;
}

/** For those whose firm has an identity provider; hidden for all others. */
export function ssoSection(app: App): HTMLElement {
  const slot = problemSlot();
  const heading = h("h2", { tabindex: -1 }, t.title);
  const list = h("ul", { id: "sso", class: "plain things" });
  const node = h("section", { class: "sheet", hidden: true }, heading, h("p", { class: "hint" }, t.hint), list, slot.node);
  const load = async () => {
    const { firms } = await app.engine.call("sso");
    fill(list, firms.map((one) => row(app, one, slot, async () => {
      await load();
      announce(t.unlinked);
      heading.focus();
    })));
    node.hidden = firms.length === 0;
  };
  load().catch(() => undefined); // the page is there without it
  return node;
}

function row(app: App, one: SSO, slot: ProblemSlot, unlinked: () => Promise<void>): HTMLElement {
  const at = host(one.issuer);
  const firm = visible(one.firmName);
  const link = button(t.link, { class: "small", "data-action": "sso-link", "aria-label": t.linkOne(firm) }, () =>
    void busy(link, slot, async () => {
      const { path } = await withProof(app, () => app.engine.call("ssoLink", { firm: one.firm }));
      location.assign(path);
    }));
  const unlink = button(t.unlink, { class: "small", "data-action": "sso-unlink", "aria-label": t.unlinkOne(firm) }, () => ask({
    title: t.unlinkTitle(firm), text: t.unlinkText, yes: t.unlinkYes, danger: true,
    act: async () => void (await withProof(app, () => app.engine.call("ssoUnlink", { firm: one.firm }))),
    after: () => void unlinked(),
  }));
  return h("li", { "data-sso": one.firm, "data-linked": String(one.linked) },
    h("div", {},
      h("p", { class: "thing-name" }, name(one.firmName), " ", h("span", { class: "badge" }, one.linked ? t.linked : t.notLinked)),
      h("p", { class: "hint" }, t.at, name(at), one.linked && [t.since, date(one.linkedAt), one.usedAt === 0 ? t.neverUsed : [t.used, dateTime(one.usedAt)]], "."),
      !one.linked && h("p", { class: "hint" }, t.leave)),
    h("div", { class: "actions" }, one.linked ? unlink : link));
}

/** Where a person would be: the server says it, so it is text and no link. */
function host(issuer: string): string {
  return URL.canParse(issuer) ? new URL(issuer).host : issuer;
}

// Other keys in place of all that somebody has: a kit that is tested first, then how far the firms and matters have them.

import type { App, Screen } from "../app.ts";
import { fill, h } from "../dom.ts";
import type { AccountView, Event, Renewal } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { name } from "../format.ts";
import { explain, say } from "../sentences.ts";
import { announce, busy, button, page, problem, problemSlot } from "../ui.ts";
import { kitScreen } from "./kit.ts";

const t = say.renewal;

/** Begins with the kit: the one before opens nothing afterwards. */
export function renewRoot(app: App) {
  app.show(kitScreen(app, { then: "/account", mayWait: false, renews: () => app.show(renewalScreen(app)) }));
}

function renewalScreen(app: App): Screen {
  const bar = h("progress", { id: "renewal-progress", "aria-label": t.title });
  const text = h("p", { role: "status" }, t.working);
  const body = h("div", { id: "renewal", class: "sheet", "data-state": "working" }, text, bar);
  const goOn = async () => {
    try {
      const now = await app.engine.call("renewalContinue", { unattended: false });
      await app.refresh().catch(() => null);
      app.alertsChanged(); // what was left with custodians may have ended
      body.dataset["state"] = now.left.length === 0 ? "done" : "left";
      fill(body, now.left.length === 0 ? h("p", { id: "renewal-done" }, t.done) : left(app, now, goOn));
      announce(now.left.length === 0 ? t.done : t.left(now.left.length));
    } catch (thrown) {
      body.dataset["state"] = "failed";
      fill(body, problem(failureOf(thrown)), h("p", {}, t.later), button(say.tryAgain, {}, () => app.show(renewalScreen(app))));
    }
  };
  void goOn();
  return {
    node: page(t.title, h("p", { class: "lead" }, t.lead), body,
      h("ul", { class: "bullets" }, t.next.map((each) => h("li", {}, each))),
      h("div", { class: "actions start" }, h("a", { id: "renewal-leave", class: "button", href: "/account" }, t.account))),
    event(event: Event) {
      if (event.event !== "renewal") return;
      bar.max = Math.max(1, event.total);
      bar.value = event.done;
      text.textContent = t.progress(event.done, event.total);
    },
  };
}

/** What is left of one, on the account; false where nothing is. */
export function renewalSection(app: App, account: AccountView): HTMLElement | false {
  if (account.renewal.left.length === 0) return false;
  const body = h("div", { class: "stack" });
  const goOn = async () => {
    const now = await app.engine.call("renewalContinue", { unattended: false });
    announce(now.left.length === 0 ? t.done : t.left(now.left.length));
    fill(body, now.left.length === 0 ? h("p", { id: "renewal-done", role: "status" }, t.done) : left(app, now, goOn));
  };
  fill(body, left(app, account.renewal, goOn));
  return h("section", { id: "renewal", class: "sheet", "data-state": "left" }, h("h2", {}, t.title), body);
}

function left(app: App, { left: list }: Renewal, goOn: () => Promise<void>): HTMLElement {
  const slot = problemSlot();
  const again = button(say.tryAgain, { id: "renewal-again" }, () => void busy(again, slot, goOn));
  return h("div", { class: "stack" }, h("p", {}, t.left(list.length)),
    h("ul", { id: "renewal-left", class: "bullets" }, list.map(({ matter, name: title, failure }) => h("li", { "data-matter": matter }, name(title === "" ? app.summary(matter)?.name ?? t.unnamed : title),
      failure && h("span", { class: "hint block" }, explain(failure).what)))),
    h("p", { class: "hint" }, t.later), slot.node, h("div", { class: "actions start" }, again));
}

// Somebody who lost everything: the link, a new account, the words that custodians compare, the wait, and the way back in.

import type { App, Screen } from "../app.ts";
import { fill, h, type Child } from "../dom.ts";
import type { Asking, Offer } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { dateTime, name, visible } from "../format.ts";
import { createPasskey } from "../passkey.ts";
import { say } from "../sentences.ts";
import { teach } from "../teach.ts";
import { announce, busy, button, problem, problemSlot, words } from "../ui.ts";
import { enrolScreen } from "./enrol.ts";
import { signinScreen } from "./signin.ts";

const t = say.claim;
const path = "/recover";

/** me is who is signed in. */
export function claimScreen(app: App, me: string | null): Screen {
  if (app.link?.path === path) return offerScreen(app, app.link.fragment, me);
  if (me !== null) return askingScreen(app);
  const screen = signinScreen(app, path, null);
  screen.node.querySelector("h1")?.after(h("p", { class: "lead" }, t.noFragment));
  return screen;
}

// ---- what the link opens to

function offerScreen(app: App, fragment: string, me: string | null): Screen {
  const node = h("section", { id: "claim", class: "page narrow", "aria-busy": true }, h("h1", { tabindex: -1 }, t.opening));
  app.engine.call("recoveryOpen", { fragment })
    .then((offer) => (offer.asked ? toAsking(app) : showOffer(app, node, offer, me)))
    .catch((thrown: unknown) => fill(node, h("h1", { tabindex: -1 }, t.kicker), problem(failureOf(thrown)),
      me !== null && h("div", { class: "actions start" }, button(t.mine, {}, () => toAsking(app)))))
    .finally(() => node.removeAttribute("aria-busy"));
  return { node };
}

/** The link has done its work. */
function toAsking(app: App) {
  app.dropLink();
  app.go(path);
}

function showOffer(app: App, node: HTMLElement, offer: Offer, me: string | null) {
  const slot = problemSlot();
  const status = h("p", { class: "status", role: "status" });
  const go = button(me === null ? say.join.button : t.ask, { id: me === null ? "claim-passkey" : "claim-ask", class: "primary large" }, () =>
    void busy(go, slot, async () => {
      try {
        if (me === null) await byPasskey(app, status);
        else await app.engine.call("recoveryAsk");
        toAsking(app);
      } finally {
        status.textContent = "";
      }
    }));
  const heading = h("h1", { tabindex: -1, class: "invite-title" }, h("span", { class: "kicker" }, t.title(visible(offer.by), visible(offer.person))), name(offer.firmName));
  fill(node, heading,
    h("div", { class: "sheet" },
      h("dl", { class: "facts" }, fact(t.who, name(offer.person)), fact(t.by, name(offer.by)), custodians(offer), times(offer)),
      offer.here ? h("p", { id: "claim-here", class: "caution" }, t.here(visible(me ?? ""))) : [
        slot.node,
        h("div", { class: "go" }, go,
          h("p", { class: "hint" }, me === null ? say.join.hint : say.join.signedInAs(visible(me))),
          me === null && h("p", { class: "hint" }, button(say.join.password, { id: "claim-with-password", class: "link" }, () => app.show(withPassword(app, offer)))),
          status)]),
    !offer.here && h("section", { class: "stack tight" }, h("h2", {}, t.next), h("ol", { class: "steps" }, t.steps(me === null, offer.k, offer.hours).map((step) => h("li", {}, step)))),
    h("p", { class: "hint" }, t.notYou(visible(offer.person), visible(offer.by))),
    me === null && [teach(app, "passkey"), h("p", { class: "hint" }, button(t.elsewhere, { id: "claim-signin", class: "link" }, () => app.go("/")))]);
  heading.focus();
}

function fact(term: string, ...value: Child[]): Child[] {
  return [h("dt", {}, term), h("dd", {}, value)];
}

function custodians({ k, custodians: list }: Offer): Child[] {
  return fact(t.custodians, h("ul", { id: "claim-custodians", class: "holders" }, list.map((who) => h("li", {}, name(who)))), h("p", { class: "hint" }, t.enough(k)));
}

function times({ opensAt, until }: Offer): Child[] {
  return [fact(t.opens, dateTime(opensAt)), fact(t.until, dateTime(until))];
}

async function byPasskey(app: App, status: HTMLElement): Promise<void> {
  const passkey = await createPasskey(await app.engine.call("recoveryOptions"), () => (status.textContent = say.secondTouch));
  status.textContent = say.join.working;
  await made(app, app.engine.call("recoveryFinish", { passkey }));
}

function withPassword(app: App, offer: Offer): Screen {
  return enrolScreen(app, {
    about: `${offer.person} ${offer.firmName}`,
    begin: () => app.engine.call("recoveryOptions"),
    finish: async (code) => {
      await made(app, app.engine.call("recoveryFinish", { code }));
      toAsking(app);
    },
    back: () => app.go(path),
  });
}

// Where the account is there and only the asking failed, the page it leads to asks again and says why not.
async function made(app: App, asked: Promise<Asking>): Promise<void> {
  const failed = await asked.then(() => null, (thrown: unknown) => ({ thrown }));
  const overview = await app.engine.call("overview").catch((thrown: unknown) => {
    throw failed?.thrown ?? thrown;
  });
  app.signedIn(overview);
}

// ---- the wait, and the end of it

function askingScreen(app: App): Screen {
  const node = h("section", { id: "claim", class: "page narrow", "aria-busy": true }, h("h1", { tabindex: -1 }, t.kicker), h("p", { role: "status" }, say.loading));
  let drawn = "";
  let back = false;
  const load = async (unattended: boolean) => {
    if (back) return; // what it came to stays on the page
    try {
      const { asking } = await app.engine.call("recoveryAsking", { unattended });
      if (back || JSON.stringify(asking) === drawn) return; // words that are read out are not drawn anew
      drawn = JSON.stringify(asking);
      fill(node, asking.length === 0 ? nothing() : asking.map((one) => part(app, one, () => load(false), show)));
    } catch (thrown) {
      if (unattended && drawn !== "") return;
      drawn = "";
      fill(node, h("h1", { tabindex: -1 }, t.kicker), problem(failureOf(thrown)), h("div", { class: "actions start" }, button(say.tryAgain, {}, () => void load(false))));
    } finally {
      node.removeAttribute("aria-busy");
    }
  };
  const show = (one: Asking) => {
    back = true;
    fill(node, isBack(app, one));
    node.querySelector("h1")?.focus();
  };
  void load(false);
  const timer = setInterval(() => void (node.isConnected && !document.hidden && !document.querySelector("dialog") && load(true)), 20_000);
  return { node, leave: () => clearInterval(timer) };
}

function nothing(): Child[] {
  return [h("h1", { tabindex: -1 }, t.kicker), h("p", { class: "lead" }, t.nothing), h("div", { class: "actions start" }, h("a", { class: "button", href: "/" }, say.waiting.matters))];
}

type Show = (one: Asking) => void;

function part(app: App, one: Asking, load: () => Promise<void>, show: Show): HTMLElement {
  const body = one.state === "waiting" ? isWaiting(app, one)
    : one.state === "agreed" || one.state === "returning" ? isAgreed(app, one, load, show)
    : isOver(app, one, load);
  return h("section", { class: "stack", "data-claim": one.recovery, "data-state": one.state }, body);
}

function heading(one: Asking, title: string): HTMLElement {
  return h("h1", { tabindex: -1, class: "invite-title" }, h("span", { class: "kicker" }, t.into(visible(one.person), visible(one.firmName))), title);
}

function isWaiting(app: App, one: Asking): Child[] {
  const open = Date.now() >= one.opensAt;
  return [
    heading(one, t.waitTitle),
    h("div", { class: "sheet" },
      h("div", { class: "stack tight" }, h("h2", {}, t.words), h("div", { id: "claim-words" }, words(one.words)), h("p", {}, t.wordsHint)),
      h("dl", { class: "facts" },
        fact(t.agreedSoFar, h("span", { id: "claim-agreed", role: "status" }, say.recovery.of(one.agreed, one.k))), custodians(one),
        fact(open ? t.opened : t.opens, dateTime(one.opensAt)), fact(t.until, dateTime(one.until)))),
    one.secondWay && secondWay(app),
    h("p", { class: "hint" }, t.later),
  ];
}

function secondWay(app: App): HTMLElement {
  return h("section", { class: "notice" }, h("p", {}, t.secondWay), button(say.matters.wayButton, { id: "claim-second-way" }, () => app.secondWay(path, () => undefined)));
}

function isAgreed(app: App, one: Asking, load: () => Promise<void>, show: Show): Child[] {
  const slot = problemSlot();
  const status = h("p", { class: "status", role: "status" });
  const go = button(one.state === "agreed" ? t.takeBack : t.goOn, { id: "claim-back", class: "primary large" }, () =>
    void busy(go, slot, async () => {
      try {
        status.textContent = t.working;
        const back = await app.engine.call("recoveryTake", { recovery: one.recovery });
        await app.refresh();
        app.alertsChanged();
        announce(t.backTitle(visible(back.firmName)));
        show(back);
      } catch (thrown) {
        if (failureOf(thrown).code === "recovery-gone") await load();
        throw thrown;
      } finally {
        status.textContent = "";
      }
    }));
  return [
    heading(one, one.state === "agreed" ? t.agreedTitle : t.returningTitle),
    h("p", { class: "lead" }, one.state === "agreed" ? t.agreed(one.k) : t.returning),
    one.secondWay ? secondWay(app) : h("div", { class: "sheet" }, slot.node, h("div", { class: "go" }, go, h("p", { class: "hint" }, t.takeHint), status)),
  ];
}

function isBack(app: App, one: Asking): HTMLElement {
  return h("div", { class: "stack", "data-claim": one.recovery, "data-state": one.state },
    h("h1", { tabindex: -1 }, t.backTitle(visible(one.firmName))),
    h("p", { class: "lead" }, t.back),
    one.lost > 0 && h("p", { id: "claim-lost", class: "caution" }, t.lost(one.lost)),
    one.renewal.left.length > 0 && h("p", { id: "claim-left", class: "caution" }, t.left(one.renewal.left.length)),
    h("div", { class: "actions start" }, button(say.waiting.matters, { id: "claim-matters", class: "primary large" }, () => app.go("/"))),
    h("section", { class: "sheet" }, h("div", { class: "stack tight" }, h("h2", {}, t.thenTitle), h("p", {}, t.then)),
      h("div", { class: "actions start" }, h("a", { id: "claim-account", class: "button", href: "/account" }, t.leaveAgain))));
}

function isOver(app: App, one: Asking, load: () => Promise<void>): Child[] {
  const slot = problemSlot();
  const away = button(t.putAway, { id: "claim-forget" }, () => void busy(away, slot, async () => {
    await app.engine.call("recoveryForget", { recovery: one.recovery });
    app.alertsChanged();
    await load();
  }));
  const { what, todo } = t.over[one.state as keyof typeof t.over] ?? t.over.gone;
  return [heading(one, what), h("p", { class: "lead" }, todo(visible(one.by))), slot.node, h("div", { class: "actions start" }, away)];
}

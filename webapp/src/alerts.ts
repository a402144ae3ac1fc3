// What somebody must be told wherever he is on this site: that an identity is asked for, how
// far his own asking is, or that he is asked to leave his identity, perhaps again.

import type { App } from "./app.ts";
import { fill, h } from "./dom.ts";
import type { Alerts as Told, Asking, Custody, Recovery } from "./engine.ts";
import { visible } from "./format.ts";
import { askConsent } from "./screens/custody.ts";
import { stopDialog } from "./screens/recovery.ts";
import { say } from "./sentences.ts";
import { button } from "./ui.ts";

const t = say.recovery.alert;
const every = 60_000; // ms

/** Lies above every page from sign-in on. */
export class Alerts {
  readonly node = h("aside", { id: "alerts", "aria-label": t.label, hidden: true });
  readonly #app: App;
  #timer = 0;
  #drawn = "";

  constructor(app: App) {
    this.#app = app;
  }

  begin() {
    this.stop();
    this.#timer = window.setInterval(() => void (!document.hidden && this.look(true)), every);
    void this.look(false);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = 0;
    this.#draw({ asking: [], recoveries: [], custodies: [] });
  }

  /** A look that fails is made again by the next one; what is shown stays. */
  async look(unattended: boolean) {
    const timer = this.#timer;
    const told = await this.#app.engine.call("alerts", { unattended }).catch(() => null);
    if (told && timer === this.#timer) this.#draw(told); // else somebody signed out meanwhile
  }

  #draw(told: Told) {
    const now = JSON.stringify(told);
    if (now === this.#drawn) return;
    this.#drawn = now;
    this.node.hidden = told.asking.length + told.recoveries.length + told.custodies.length === 0;
    fill(this.node, [...told.recoveries].sort((a, b) => Number(b.isMine) - Number(a.isMine)).map((r) => this.#recovery(r)), told.asking.map(asking), told.custodies.map((c) => (c.ended === "renewed" ? this.#renewed(c) : custody(c))));
  }

  #recovery(r: Recovery): HTMLElement {
    const link = h("a", { class: "button small", href: `/m/${r.firm}/recovery/${r.recovery}`, "data-action": "alert-look" }, t.look);
    const stop = r.isMine && button(say.recovery.stop, { class: "small danger", "data-action": "alert-stop" }, () => stopDialog(this.#app, r, () => this.look(false)));
    return h("div", { class: r.isMine ? "notice alarm" : "notice", role: r.isMine ? "alert" : null, "data-alert": r.isMine ? "mine" : "recovery", "data-recovery": r.recovery }, h("p", {}, text(r)), h("div", { class: "actions" }, link, stop));
  }

  // What ended without a word of his own is done again from here; under Account he says that he will not.
  #renewed(c: Custody): HTMLElement {
    const leave = button(say.custody.leaveNew, { class: "small primary", "data-action": "alert-leave" }, () => askConsent(this.#app, c, () => this.#app.go(location.pathname)));
    return h("div", { class: "notice", "data-alert": "custody", "data-ended": c.ended }, h("p", {}, t.renewed(visible(c.firmName))), h("div", { class: "actions" }, leave));
  }
}

function text(r: Recovery): string {
  const by = visible(r.by);
  if (r.isMine) return t.mine(by, visible(r.firmName));
  if (r.state === "expired") return t.expired(visible(r.person));
  return r.mayAgree ? t.custodian(by, visible(r.person)) : t.owner(by, visible(r.person));
}

function asking(one: Asking): HTMLElement {
  const firm = visible(one.firmName);
  const standing = one.state === "waiting" ? t.asking(firm, one.agreed, one.k) : one.state === "agreed" || one.state === "returning" ? t.askingAgreed(firm) : t.askingOver(firm);
  return h("div", { class: "notice", "data-alert": "asking", "data-state": one.state }, h("p", {}, standing), h("a", { class: "button small", href: "/recover", "data-action": "alert-look" }, t.look));
}

function custody(c: Custody): HTMLElement {
  return h("div", { class: "notice", "data-alert": "custody" }, h("p", {}, c.left === null ? t.again(visible(c.firmName)) : t.custody(visible(c.firmName))),
    h("a", { class: "button small", href: "/account" }, t.decide));
}

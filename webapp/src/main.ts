// The page: takes the secret out of the address, starts the worker, and shows the screen for where we are.

import { Alerts } from "./alerts.ts";
import type { App, Link, Screen } from "./app.ts";
import { Countdown } from "./countdown.ts";
import { door } from "./door.ts";
import { byId, fill, h } from "./dom.ts";
import type { Event, Failure, Id, LockReason, MatterSummary, Overview, Topic } from "./engine.ts";
import { Engine, failureOf } from "./engine-client.ts";
import { keepOpened, wasOpened } from "./opened.ts";
import { Presence } from "./presence.ts";
import { accountScreen } from "./screens/account.ts";
import { claimScreen } from "./screens/claim.ts";
import { deviceScreen } from "./screens/device.ts";
import { joinScreen } from "./screens/join.ts";
import { askForSecondWay, kitScreen } from "./screens/kit.ts";
import { liedScreen } from "./screens/lied.ts";
import { isPart, matterScreen } from "./screens/matter.ts";
import { mattersScreen } from "./screens/matters.ts";
import { ceremonyScreen, recoveriesScreen } from "./screens/recovery.ts";
import { officeScreen } from "./screens/office.ts";
import { rulesScreen } from "./screens/rules.ts";
import { secondWayScreen } from "./screens/secondway.ts";
import { setupScreen } from "./screens/setup.ts";
import { goUnlock, signinScreen, type Ended } from "./screens/signin.ts";
import { say } from "./sentences.ts";
import { leaves, takeOutcome, type Outcome } from "./sso.ts";
import { Tabs, type Word } from "./tabs.ts";
import { themeButton } from "./theme.ts";
import { Transfers } from "./transfers.ts";
import { announce, ask, button, focusHeading, mark, page, problem } from "./ui.ts";

const matterPath = /^\/m\/([a-z2-7]{52})(?:\/(activity|trail|verify|rules|people|recovery)(?:\/([a-z2-7]{26}))?)?\/?$/;

/** How long after a real input requests are still that person's. */
const hereFor = 30_000; // ms

class Program implements App {
  readonly engine = new Engine();
  readonly transfers = new Transfers(this.engine, () => void this.#afterSaving());
  readonly #alerts = new Alerts(this);
  link: Link | null = null;
  #setupSecret = "";
  #overview: Overview | null = null;
  #screen: Screen | null = null;
  #proof: Screen | null = null; // the last screen with a file that proves a lie
  #wayAsked = false;
  readonly #read = new Set<Topic>(); // what this person has read
  #ended: Ended | null = null; // why the last session is over
  #tried: HTMLElement | null = null; // a notice of failed attempts, until it is closed
  readonly #tabs = new Tabs((word) => this.#heard(word));
  readonly #countdown = new Countdown({ stay: () => this.#presence.use(), lock: () => void this.#lock("absolute") });
  readonly #presence: Presence = new Presence({
    timeouts: () => this.engine.call("timeouts"),
    touch: () => (this.#here(), this.refresh()),
    moving: () => this.transfers.moving(),
    used: (at) => this.#used(at),
    show: (standing) => this.#countdown.show(standing),
    over: (cause) => void this.#lock(cause),
  });

  constructor(fragment: string) {
    this.#keep(fragment);
  }

  async run(outcome: Outcome | null) {
    byId("body").append(this.transfers.node, this.#countdown.node);
    byId("head").after(this.#alerts.node);
    this.engine.listen((event) => this.#event(event));
    this.engine.door = async (code) => this.#overview !== null && door(this, code);
    document.addEventListener("click", (event) => this.#followLink(event));
    addEventListener("popstate", () => this.#arrive());
    addEventListener("beforeunload", (event) => this.#beforeLeaving(event));
    this.#drawHead();
    const { state } = await this.engine.call("start");
    if (state === "signed-in") this.signedIn(await this.engine.call("overview"));
    else if (wasOpened()) this.#ended = { kind: "reloaded" };
    if (outcome === null || this.#overview !== null) this.#route();
    else await this.#cameBack(outcome);
  }

  // From a firm's sign-in: there may be a session now, and there are no keys.
  async #cameBack(outcome: Outcome) {
    try {
      if (outcome === "in" || outcome === "linked") {
        await this.engine.call("takeUp");
        return await goUnlock(this, location.pathname, outcome);
      }
      this.#ended = { kind: "sso", code: outcome };
    } catch (thrown) {
      this.#ended = { kind: "told", failure: failureOf(thrown) };
    }
    this.#route();
  }

  go(path: string) {
    if (path !== location.pathname) history.pushState(null, "", path);
    this.#route();
  }

  show(screen: Screen) {
    this.#screen?.leave?.();
    this.#screen = screen;
    for (const open of document.querySelectorAll("dialog")) open.close();
    fill(byId("main"), screen.node);
    scrollTo(0, 0);
    screen.node.querySelector<HTMLElement>("h1")?.focus();
  }

  signedIn(overview: Overview) {
    this.#know(overview);
    this.#ended = null;
    keepOpened(true);
    if (overview.failed) this.#tried = failedNotice(overview.failed, () => this.#calmed());
    this.#drawHead();
    this.#presence.begin();
    this.#here();
    this.#alerts.begin();
    this.engine.call("renewalContinue", { unattended: true }).catch(() => undefined); // the next sign-in tries again
    this.transfers.load().catch((thrown: unknown) => fill(byId("notice"), problem(failureOf(thrown))));
  }

  async refresh(): Promise<Overview> {
    return this.#know(await this.engine.call("overview"));
  }

  #know(overview: Overview): Overview {
    for (const topic of overview.read) this.#read.add(topic);
    return (this.#overview = overview);
  }

  hasRead(topic: Topic): boolean {
    return this.#read.has(topic);
  }

  // Nobody waits for it: where the server is away it is said once more when the topic comes up again.
  acknowledge(topic: Topic) {
    this.#read.add(topic);
    this.engine.call("acknowledge", { topics: [topic] }).catch(() => this.#read.delete(topic));
  }

  #calmed() {
    this.#tried = null;
    this.#drawHead();
    focusHeading();
  }

  summary(matter: Id): MatterSummary | null {
    return this.#overview?.matters.find((m) => m.matter === matter) ?? null;
  }

  firm(firm: Id): Overview["firms"][number] | null {
    return this.#overview?.firms.find((f) => f.firm === firm) ?? null;
  }

  alertsChanged() {
    void this.#alerts.look(false);
  }

  dropLink() {
    this.link = null;
  }

  limitsChanged() {
    this.#presence.ask();
  }

  makeKit(then: string, mayWait: boolean) {
    this.show(kitScreen(this, { then, mayWait }));
  }

  secondWay(then: string, after?: () => void) {
    this.show(this.#overview?.kitSaved ? secondWayScreen(this, then, after) : kitScreen(this, { then, mayWait: true, after }));
  }

  #keep(fragment: string) {
    if (fragment === "") return;
    if (location.pathname === "/join" || location.pathname === "/recover" || location.pathname === "/device") this.link = { path: location.pathname, fragment };
    if (location.pathname === "/setup") this.#setupSecret = fragment;
  }

  // Back, forward, or a link pasted over this very page, which changes what follows # and loads nothing.
  #arrive() {
    this.#keep(takeFragment());
    this.#route();
  }

  #route() {
    this.show(this.#screenFor(location.pathname));
    this.#drawHead();
  }

  #screenFor(path: string): Screen {
    if (path === "/setup") return setupScreen(this, this.#setupSecret);
    if (path === "/join") return joinScreen(this, this.#overview?.name ?? null);
    if (path === "/recover") return claimScreen(this, this.#overview?.name ?? null);
    const [, matter, part = "documents", recovery] = matterPath.exec(path) ?? [];
    if (path !== "/" && path !== "/account" && path !== "/device" && matter === undefined) return nowhereScreen();
    if (!this.#overview) return signinScreen(this, this.link?.path ?? path, this.#ended);
    const code = this.link?.path === "/device" ? this.link.fragment : "";
    this.link = null; // whoever is signed in and went elsewhere has left it behind
    if (path === "/account") return accountScreen(this);
    if (path === "/device") return deviceScreen(this, code);
    if (matter !== undefined && part === "recovery") return recovery === undefined ? recoveriesScreen(this, matter) : ceremonyScreen(this, matter, recovery);
    if (recovery !== undefined) return nowhereScreen();
    if (matter !== undefined && part === "rules") return rulesScreen(this, matter);
    if (matter !== undefined && part === "people") return officeScreen(this, matter);
    return matter === undefined || !isPart(part) ? mattersScreen(this) : matterScreen(this, matter, part);
  }

  #event(event: Event) {
    if (event.event === "lied") this.#lied(event);
    else if (event.event === "signed-out") this.#signedOut(event.failure);
    else if (event.event === "locked") this.#locked(event.reason);
    else this.#screen?.event?.(event);
  }

  // A server that lied is soon caught at more. What others can judge stays on the page; what comes after it is in the journal.
  #lied(lie: Extract<Event, { event: "lied" }>) {
    if (this.#proof !== null && this.#screen === this.#proof) return;
    const screen = liedScreen(this, lie);
    this.#proof = (lie.evidence ?? "") === "" ? null : screen;
    this.show(screen);
  }

  #signedOut(failure: Failure | null) {
    if (this.#overview) this.#end(failure && { kind: "told", failure });
  }

  #locked(reason: LockReason) {
    if (this.#overview) this.#end({ kind: "locked", reason });
  }

  // Nothing of what was open stays on the page.
  #forget() {
    this.#overview = null;
    keepOpened(false);
    this.#read.clear();
    this.#tried = null;
    this.#proof = null;
    this.#presence.stop();
    this.#alerts.stop();
    this.transfers.forget();
    announce(""); // what was said last may name a document
    this.#drawHead();
  }

  #end(ended: Ended | null) {
    this.#forget();
    this.#ended = ended;
    this.show(signinScreen(this, location.pathname, ended));
  }

  async #signOut() {
    this.#tabs.say({ kind: "signed-out" });
    await this.engine.call("signOut");
    this.#forget();
    this.#ended = null;
    this.go("/");
  }

  async #lock(reason: LockReason) {
    if (!this.#overview) return;
    this.#tabs.say({ kind: "locked", reason });
    await this.#wipe({ kind: "locked", reason });
  }

  // What is on the page goes first. A worker that does not wipe its keys is ended with them: to start anew is better than
  // a lock that is none.
  async #wipe(ended: Ended) {
    this.#forget();
    this.show({ node: page(say.locked.wiping) });
    try {
      await within(5000, this.engine.call("lock", { reason: ended.kind === "locked" ? ended.reason : "asked" }));
    } catch {
      this.engine.stop();
      return location.reload();
    }
    this.#end(ended);
  }

  // Another tab shares the session: it tells the server, and this one only wipes what it holds.
  #heard(word: Word) {
    if (!this.#overview) return;
    if (word.kind === "used") this.#presence.use(word.at, true);
    else void this.#wipe(word.kind === "locked" ? word : { kind: "elsewhere" });
  }

  #used(at: number) {
    this.#tabs.say({ kind: "used", at });
    this.#here();
  }

  #here() {
    this.engine.here(Date.now() + hereFor);
  }

  #askSignOut() {
    const refused = (thrown: unknown) => fill(byId("notice"), problem(failureOf(thrown)));
    if (!this.transfers.underWay()) this.#signOut().catch(refused);
    else ask({ title: say.nav.signOut, text: say.transfers.unfinished, yes: say.nav.signOut, act: () => this.#signOut() });
  }

  async #afterSaving() {
    if (this.#wayAsked || (this.#overview?.ways ?? 0) > 1) return;
    const overview = await this.refresh().catch(() => null);
    if (!overview?.wayDue || this.#wayAsked) return;
    this.#wayAsked = true;
    askForSecondWay(this, location.pathname);
  }

  #drawHead() {
    const link = (path: string, text: string, id: string) => h("a", { id, href: path, "aria-current": location.pathname === path ? "page" : null }, text);
    fill(byId("head"),
      h("a", { class: "brand", href: "/", "aria-label": say.product }, mark(), h("span", {}, say.product)),
      h("nav", { "aria-label": say.nav.label },
        this.#overview !== null && [
          link("/", say.nav.matters, "nav-matters"),
          link("/account", say.nav.account, "nav-account"),
          button(say.nav.lock, { id: "lock", class: "link" }, () => void this.#lock("asked")),
          button(say.nav.signOut, { id: "sign-out", class: "link" }, () => this.#askSignOut()),
        ],
        themeButton()));
    fill(byId("notice"), this.#tried);
  }

  // Our own links change the page without loading it; anything else is the browser's business.
  #followLink(event: MouseEvent) {
    const anchor = event.target instanceof Element ? event.target.closest("a") : null;
    const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (!anchor || !plain || anchor.origin !== location.origin || anchor.hasAttribute("download") || anchor.hash !== "") return;
    event.preventDefault();
    this.go(anchor.pathname);
  }

  #beforeLeaving(event: BeforeUnloadEvent) {
    if (this.transfers.underWay()) event.preventDefault();
  }
}

function failedNotice({ passwords, codes }: { passwords: number; codes: number }, close: () => void): HTMLElement {
  const t = say.failed;
  return h("section", { id: "failed-notice", class: "notice", "aria-label": t.label },
    h("div", { class: "stack tight" },
      passwords > 0 && h("p", {}, t.passwords(passwords)),
      codes > 0 && h("p", {}, t.codes(codes)),
      h("p", {}, codes > 0 ? t.todoCodes : t.todo)),
    h("div", { class: "actions" }, codes > 0 && h("a", { class: "button", href: "/account" }, t.change), button(say.close, { id: "failed-close" }, close)));
}

function within<T>(ms: number, work: Promise<T>): Promise<T> {
  return Promise.race([work, new Promise<never>((_, reject) => setTimeout(() => reject(new Error("too slow")), ms))]);
}

function nowhereScreen(): Screen {
  return { node: page(say.notFound.title, h("p", { class: "lead" }, say.notFound.text), h("div", { class: "actions start" }, h("a", { class: "button", href: "/" }, say.notFound.button))) };
}

// The secret leaves the address bar and the history entry before anything else happens: before a request could carry it.
function takeFragment(): string {
  const fragment = location.hash.slice(1);
  if (fragment !== "") history.replaceState(null, "", location.pathname);
  return fragment;
}

function supported(): boolean {
  return typeof WebAssembly === "object" && typeof Worker === "function" && globalThis.crypto?.subtle !== undefined;
}

function showUnsupported() {
  fill(byId("main"), page(say.unsupported.title, h("p", { class: "lead", id: "unsupported" }, say.unsupported.text), h("p", {}, say.unsupported.todo)));
}

function showStartProblem(thrown: unknown) {
  fill(byId("main"), page(say.product, problem(failureOf(thrown)), h("div", { class: "actions start" }, button(say.reload, {}, () => location.reload()))));
}

const outcome = takeOutcome();
const fragment = takeFragment();
if (!supported()) showUnsupported();
else if (!leaves()) {
  try {
    new Program(fragment).run(outcome).catch(showStartProblem);
  } catch (thrown) {
    showStartProblem(thrown);
  }
}

// The tray of transfers: it stays while pages change, and paints at most once a frame whatever arrives.

import { fill, h, keyedList, type Row } from "./dom.ts";
import type { Event, Id, Transfer } from "./engine.ts";
import { failureOf, type Engine } from "./engine-client.ts";
import { name, seconds, size, visible } from "./format.ts";
import { saveFile } from "./savefile.ts";
import { phase, say } from "./sentences.ts";
import { announce, button, problem } from "./ui.ts";

type Phase = Transfer["phase"];

const over: ReadonlySet<Phase> = new Set(["done", "cancelled"]);
const stuck: ReadonlySet<Phase> = new Set(["failed", "needs-file"]);
const pausable: ReadonlySet<Phase> = new Set(["queued", "sealing", "fetching", "waiting"]);
const endless: ReadonlySet<Phase> = new Set(["committing", "verifying", "saving"]);
const moving: ReadonlySet<Phase> = new Set(["sealing", "committing", "fetching", "verifying", "saving"]);
const rest = 4000; // ms
const shownAtOnce = 40; // rows; a dropped folder of thousands is summed up below them

export class Transfers {
  readonly node: HTMLElement;
  readonly #engine: Engine;
  readonly #all = new Map<Id, Transfer>();
  /** Downloads asked for in this tab, whose bytes this tab saves, once. */
  readonly #toSave = new Set<Id>();
  readonly #saved: () => void;
  readonly #summary = h("span", { class: "tray-summary" });
  readonly #list = h("ul", { class: "tray-list" });
  readonly #more = h("p", { class: "hint tray-more", hidden: true });
  readonly #clear = button(say.transfers.clear, { id: "transfers-clear", class: "quiet small" }, () => this.#clearFinished());
  readonly #rows: (items: readonly Transfer[]) => void;
  readonly #details = h("details", { open: true });
  #painting = false;
  #resting: ReturnType<typeof setTimeout> | undefined;
  #worked = false; // since the tray last folded by itself
  #folded = false; // by itself: then it opens by itself

  /** saved is called after a document reached this person's disk. */
  constructor(engine: Engine, saved: () => void) {
    this.#engine = engine;
    this.#saved = saved;
    this.#rows = keyedList(this.#list, (t) => t.id, (t) => this.#row(t));
    this.node = h("section", { id: "transfers", class: "tray", "aria-label": say.transfers.title, hidden: true },
      this.#details);
    fill(this.#details,
      h("summary", {}, this.#summary),
      this.#list, this.#more,
      h("div", { class: "tray-foot" }, this.#clear));
    engine.listen((event) => this.#event(event));
  }

  /** Takes up what the worker knows, after a reload or a sign-in. */
  async load() {
    const { transfers } = await this.#engine.call("transfers");
    for (const transfer of transfers) this.#all.set(transfer.id, transfer);
    this.#paint();
  }

  forget() {
    this.#all.clear();
    this.#toSave.clear();
    this.#paint();
  }

  /** The bytes of this download go to the disk as soon as they are verified. */
  save(transfer: Id) {
    this.#toSave.add(transfer);
    this.#saveIfDone(this.#all.get(transfer));
  }

  underWay(): boolean {
    return [...this.#all.values()].some((t) => !over.has(t.phase) && !stuck.has(t.phase));
  }

  /** Bytes are on their way: what is paused or waits for a connection is not. */
  moving(): boolean {
    return [...this.#all.values()].some((t) => moving.has(t.phase));
  }

  #event(event: Event) {
    if (event.event !== "transfer") return;
    const { transfer } = event;
    const before = this.#all.get(transfer.id)?.phase;
    this.#all.set(transfer.id, transfer);
    if (before !== transfer.phase) this.#say(transfer);
    this.#saveIfDone(transfer);
    this.#paint();
  }

  #say(transfer: Transfer) {
    const document = visible(transfer.name);
    if (stuck.has(transfer.phase)) announce(say.transfers.failed(document));
    else if (transfer.phase === "done" && transfer.direction === "up") announce(say.transfers.sent(document));
  }

  #saveIfDone(transfer: Transfer | undefined) {
    if (transfer?.phase === "done" && transfer.direction === "down" && this.#toSave.delete(transfer.id)) void this.#toDisk(transfer);
  }

  async #toDisk(transfer: Transfer) {
    try {
      const { name: fileName, file } = await this.#engine.call("downloadFile", { transfer: transfer.id });
      saveFile(fileName, file);
      announce(say.transfers.saved(visible(fileName)));
      this.#saved();
    } catch (thrown) {
      this.#all.set(transfer.id, { ...transfer, phase: "failed", failure: failureOf(thrown) });
      this.#paint();
    }
  }

  #paint() {
    if (this.#painting) return;
    this.#painting = true;
    requestAnimationFrame(() => {
      this.#painting = false;
      this.#draw();
    });
  }

  #draw() {
    const all = [...this.#all.values()].filter((t) => t.phase !== "cancelled");
    const urgent = all.filter((t) => stuck.has(t.phase));
    const active = all.filter((t) => !over.has(t.phase) && !stuck.has(t.phase));
    const done = all.filter((t) => t.phase === "done");
    const inOrder = [...urgent, ...active.filter((t) => t.phase !== "queued"), ...active.filter((t) => t.phase === "queued"), ...done.reverse()];
    this.node.hidden = all.length === 0;
    this.#summary.textContent = urgent.length > 0 ? say.transfers.attention(urgent.length) : say.transfers.summary(active.length, done.length);
    this.node.classList.toggle("attention", urgent.length > 0);
    this.#rows(inOrder.slice(0, shownAtOnce));
    this.#more.hidden = inOrder.length <= shownAtOnce;
    this.#more.textContent = say.transfers.more(inOrder.length - shownAtOnce);
    this.#clear.hidden = done.length === 0;
    this.#rest(urgent.length + active.length > 0);
  }

  // The tray covers what is read: it folds a moment after the last transfer, once, and opens for the next. What failed is not
  // over, and keeps it open; so does somebody who is at it.
  #rest(busy: boolean) {
    if (busy) {
      clearTimeout(this.#resting);
      this.#unfold();
      this.#worked = true;
    } else if (this.#worked) {
      this.#worked = false;
      this.#foldSoon();
    }
  }

  #foldSoon() {
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => {
      if (this.#list.contains(document.activeElement) || this.node.matches(":hover")) return this.#foldSoon();
      this.#folded = this.#details.open;
      this.#details.open = false;
    }, rest);
  }

  #unfold() {
    if (this.#folded) this.#details.open = true;
    this.#folded = false;
  }

  #clearFinished() {
    for (const transfer of [...this.#all.values()]) if (over.has(transfer.phase)) this.#dismiss(transfer.id);
  }

  #dismiss(transfer: Id) {
    this.#all.delete(transfer);
    this.#order("transferDismiss", transfer);
    this.#paint();
  }

  #order(method: "transferPause" | "transferResume" | "transferCancel" | "transferDismiss", transfer: Id) {
    this.#engine.call(method, { transfer }).catch((thrown: unknown) => this.#refused(transfer, thrown));
  }

  #refused(id: Id, thrown: unknown) {
    const transfer = this.#all.get(id);
    if (!transfer) return;
    this.#all.set(id, { ...transfer, failure: failureOf(thrown) });
    this.#paint();
  }

  async #chosen(transfer: Id, input: HTMLInputElement) {
    const file = input.files?.[0];
    input.value = "";
    if (!file) return;
    try {
      await this.#engine.call("transferFile", { transfer, file });
    } catch (thrown) {
      this.#refused(transfer, thrown);
    }
  }

  #row(first: Transfer): Row<Transfer> {
    const { id } = first;
    const label = visible(first.name);
    const bar = h("progress", { max: 1, value: 0, "aria-label": label });
    const state = h("p", { class: "transfer-state" });
    const trouble = h("div", {});
    const input = h("input", { type: "file", class: "visually-hidden", tabindex: -1, "aria-label": `${say.transfers.choose}: ${label}`, on: { change: () => void this.#chosen(id, input) } });
    const action = (what: string, text: string, press: () => void) => button(text, { class: "small", "data-action": what, "aria-label": `${text}: ${label}` }, press);
    const pause = action("pause", say.transfers.pause, () => this.#order("transferPause", id));
    const resume = action("resume", say.transfers.resume, () => this.#order("transferResume", id));
    const choose = action("choose-file", say.transfers.choose, () => input.click());
    const cancel = action("cancel", say.transfers.cancel, () => this.#order("transferCancel", id));
    const dismiss = action("dismiss", say.transfers.dismiss, () => this.#dismiss(id));
    const node = h("li", { class: "transfer", "data-transfer": id, "data-direction": first.direction },
      h("p", { class: "transfer-name" }, name(first.name)), bar, state, trouble, input,
      h("div", { class: "transfer-actions" }, pause, resume, choose, cancel, dismiss));
    let failure: Transfer["failure"] = null;
    let shown: Phase | null = null;

    const update = (t: Transfer) => {
      state.textContent = stateText(t);
      setBar(bar, t);
      if (t.failure !== failure) fill(trouble, (failure = t.failure) && !forKeys(t) && problem(failure));
      if (t.phase === shown) return;
      shown = t.phase;
      node.dataset["phase"] = t.phase;
      bar.hidden = over.has(t.phase);
      pause.hidden = !pausable.has(t.phase);
      resume.hidden = t.phase !== "paused" && t.phase !== "failed";
      choose.hidden = t.phase !== "needs-file";
      cancel.hidden = over.has(t.phase) || (t.phase === "failed" && t.direction === "down");
      dismiss.hidden = t.phase !== "done" && !(t.phase === "failed" && t.direction === "down");
    };
    update(first);
    return { node, update };
  }
}

function setBar(bar: HTMLProgressElement, t: Transfer) {
  if (endless.has(t.phase)) bar.removeAttribute("value");
  else bar.value = t.total > 0 ? t.done / t.total : 0;
}

function stateText(t: Transfer): string {
  if (t.phase === "done") return `${phase.done} \u00b7 ${size(t.total)}`;
  if (t.phase === "needs-file") return say.transfers.needsFile;
  const parts: string[] = [forKeys(t) ? say.transfers.forKeys : phase[t.phase]];
  if (t.phase === "queued") parts.push(size(t.total));
  else parts.push(size(t.done) + say.transfers.of + size(t.total));
  if (t.phase === "sealing" || t.phase === "fetching") {
    if (t.bytesPerSecond > 0) parts.push(size(t.bytesPerSecond) + say.transfers.perSecond);
    if (t.secondsLeft !== null) parts.push(seconds(t.secondsLeft) + say.transfers.left);
  }
  return parts.join(" \u00b7 ");
}

// It waits for an owner, and nobody is at fault.
function forKeys(t: Transfer): boolean {
  return t.phase === "waiting" && t.failure?.code === "new-keys";
}

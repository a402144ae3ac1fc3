// The few pieces every screen is made of: fields, buttons that work, refusals in place, dialogs, announcements.

import { byId, drawing, fill, h, type Child, type Props } from "./dom.ts";
import type { Failure } from "./engine.ts";
import { failureOf } from "./engine-client.ts";
import { name, timeLeft } from "./format.ts";
import { explain, known, say, type Explanation } from "./sentences.ts";

/** Says text to a screen reader, without moving anything. */
export function announce(text: string) {
  byId("announce").textContent = text;
}

// Nobody is at fault and nothing is lost: said in a quieter colour.
const gentle: ReadonlySet<string> = new Set(["no-prf", "no-passkeys", "passkey-canceled", "offline", "not-signed-in", "waiting", "prove-again", "unlock-first", "last-method", "session-ended", "unlock-elsewhere",
  "second-way", "second-factor", "password-old", "no-second", "request-gone", "code-typo", "password-short", "password-weak", "bad-login-name", "name-taken"]);

/** What happened and what to do, where it happened. as says it in other words than the code's. */
export function problem(failure: Failure, as?: Explanation): HTMLElement {
  const { what, todo, gentle: quiet } = as ?? explain(failure);
  const code = known(failure.code);
  return h("div", { class: (quiet ?? gentle.has(code)) ? "problem gentle" : "problem", role: "alert", "data-code": code },
    h("p", { class: "problem-what" }, what),
    h("p", {}, todo),
    failure.wait !== undefined && failure.wait > 0 && waiting(failure.wait),
    failure.detail !== "" && h("div", { class: "problem-detail" }, failure.detail.split("\n").map((line) => h("p", {}, name(line)))),
    h("p", { class: "problem-code" }, say.code(code)));
}

// How long it is until it may be tried again, while it is on the page.
function waiting(seconds: number): HTMLElement {
  const until = Date.now() + seconds * 1000;
  const left = h("span", { class: "wait-left", role: "timer", "aria-live": "off" });
  const node = h("p", { class: "problem-wait" }, say.wait, left);
  const tick = () => {
    const n = Math.ceil((until - Date.now()) / 1000);
    if (n > 0 && timer !== null && !node.isConnected) return clearInterval(timer);
    left.textContent = timeLeft(Math.max(0, n));
    if (n > 0) return;
    if (timer !== null) clearInterval(timer);
    fill(node, say.waited);
    if (node.isConnected) announce(say.waited);
  };
  let timer: ReturnType<typeof setInterval> | null = null;
  tick();
  timer = setInterval(tick, 500);
  return node;
}

/** A place under a form or list where a refusal is shown, and taken away at the next try. */
export interface ProblemSlot {
  node: HTMLElement;
  show(failure: Failure): void;
  clear(): void;
}

/** as has other words for some codes than they have elsewhere. */
export function problemSlot(as: Readonly<Record<string, Explanation>> = {}): ProblemSlot {
  const node = h("div", { class: "problem-slot" });
  return { node, show: (failure) => fill(node, problem(failure, as[failure.code])), clear: () => fill(node) };
}

/** Runs work with control disabled, so that it happens once, and shows a refusal in slot. Where one has to wait, it stays disabled. */
export async function busy(control: HTMLButtonElement, slot: ProblemSlot, work: () => Promise<void>): Promise<void> {
  if (control.disabled) return;
  slot.clear();
  control.disabled = true;
  control.setAttribute("aria-busy", "true");
  let wait = 0;
  try {
    await work();
  } catch (thrown) {
    const failure = failureOf(thrown);
    wait = failure.wait ?? 0;
    slot.show(failure);
  } finally {
    control.removeAttribute("aria-busy");
    if (wait > 0) setTimeout(() => (control.disabled = false), wait * 1000);
    else control.disabled = false;
  }
}

export function button(label: Child, props: Props, press: () => void): HTMLButtonElement {
  return h("button", { type: "button", ...props, on: { click: press } }, label);
}

/** A labelled control with its hint tied to it. */
export function field(label: string, control: HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement, hint?: string): HTMLElement {
  if (hint !== undefined) control.setAttribute("aria-describedby", control.id + "-hint");
  return h("div", { class: "field" },
    h("label", { for: control.id }, label),
    control,
    hint === undefined ? null : h("p", { class: "hint", id: control.id + "-hint" }, hint));
}

/** A form whose submit is ours; the browser checks required fields before it. */
export function form(props: Props, submit: () => void, ...children: Child[]): HTMLFormElement {
  const node = h("form", props, ...children);
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  return node;
}

export interface Dialog {
  node: HTMLDialogElement;
  close(): void;
}

/** A native modal dialog: Escape closes it, focus returns to where it was, and it leaves nothing behind. It begins at its first
field; where there is none at the first of its actions, which changes nothing, else at its heading. */
export function dialog(id: string, title: string, ...content: Child[]): Dialog {
  const heading = h("h2", { id: id + "-title", tabindex: -1 }, title);
  const node = h("dialog", { id, "aria-labelledby": heading.id },
    h("div", { class: "dialog-head" }, heading, closeButton(() => node.close())),
    content);
  const before = document.activeElement;
  node.addEventListener("close", () => {
    node.remove();
    if (before instanceof HTMLElement && before.checkVisibility()) before.focus();
    else if (document.activeElement === document.body) focusHeading();
  });
  document.body.append(node);
  node.showModal();
  const shown = (css: string) => [...node.querySelectorAll<HTMLElement>(css)].find((each) => each.checkVisibility());
  (shown(fields) ?? shown(".actions button.quiet") ?? heading).focus();
  return { node, close: () => node.close() };
}

const fields = "input:not([type=file], [readonly]), select, textarea";

/** The heading of what is shown takes the focus where the control that had it is gone. */
export function focusHeading() {
  byId("main").querySelector<HTMLElement>("h1")?.focus();
}

/** Everything a question is about: all of it, and what does not fit is scrolled to. */
export function allNames(names: readonly string[]): HTMLElement {
  return h("ul", { class: "clashes", tabindex: 0 }, names.map((each) => h("li", {}, name(each))));
}

function closeButton(press: () => void): HTMLButtonElement {
  return button(drawing("icon", "0 0 16 16", "M3.5 3.5l9 9M12.5 3.5l-9 9"), { class: "quiet icon-button", "data-action": "close", "aria-label": say.close }, press);
}

interface Question {
  title: string;
  text: string;
  extra?: Child;
  yes: string;
  no?: string;
  danger?: boolean;
  /** Other words for some refusals. */
  as?: Readonly<Record<string, Explanation>>;
  /** The dialog stays open, with the refusal in it, when this fails. */
  act(): Promise<void>;
  /** Where the focus goes once it is done and the dialog is gone. */
  after?(): void;
}

/** Asks before something that cannot be taken back. */
export function ask(question: Question) {
  const slot = problemSlot(question.as);
  let done = false;
  const yes = button(question.yes, { id: "confirm-yes", class: question.danger ? "danger" : "primary" }, () =>
    void busy(yes, slot, async () => {
      await question.act();
      done = true;
      open.close();
    }));
  const open = dialog("confirm-dialog", question.title,
    h("p", {}, question.text),
    question.extra ?? null,
    slot.node,
    h("div", { class: "actions" }, button(question.no ?? say.cancel, { id: "confirm-no", class: "quiet" }, () => open.close()), yes));
  open.node.addEventListener("close", () => done && question.after?.());
  if (question.danger) byId("confirm-no").focus();
}

/** Text to take elsewhere: a command or a digest, with a button that copies it. */
export function copyable(text: string, id: string, what: string): HTMLElement {
  const code = h("code", { id }, text);
  const copy = button(say.verify.copy, { class: "small", "aria-label": say.verify.copy + ": " + what }, () => void copyText(text, code, copy));
  return h("div", { class: "copyable" }, code, copy);
}

async function copyText(text: string, code: HTMLElement, copy: HTMLButtonElement) {
  try {
    await navigator.clipboard.writeText(text);
    copy.textContent = say.verify.copied;
    announce(say.verify.copied);
  } catch {
    getSelection()?.selectAllChildren(code); // then the person's own keys copy it
  }
}

/** A tick or another mark beside a line. Its meaning stands in the words next to it. */
export function tick(kind: "good" | "open" | "look"): SVGSVGElement {
  const paths = { good: "M3.2 8.6l3.1 3.1 6.5-7", open: "M4 8h8", look: "M8 3.4v5.800M8 12.400v.1" };
  return drawing("tick " + kind, "0 0 16 16", paths[kind]);
}

/** Safety words: a list, because they are read out one by one. */
export function words(list: readonly string[]): HTMLElement {
  return h("ol", { class: "words" }, list.map((word) => h("li", {}, word)));
}

/** The mark: a round seal with a cord, pressed once. */
export function mark(): SVGSVGElement {
  return drawing("seal-mark", "0 0 32 32",
    "M16 2.6l2.9 1.9 3.4-.5 1.7 3 3.2 1.3-.1 3.5 2.3 2.6-1.5 3.1.9 3.3-2.8 2-.6 3.5-3.4.6-1.9 2.9-3.4-.8-3 1.7-2.7-2.3-3.5.1-1.3-3.2-3-1.7.5-3.4L1.800 16.900l2-2.800-.4-3.400 3-1.700 1.200-3.200 3.500.100z",
    "M11 10.500v6.200a5 5 0 0 0 10 0v-6.200M9.200 10.500h3.600M19.200 10.500h3.600M10.500 23.300h11");
}

/** A page of one narrow column; its heading takes the focus when it is shown. */
export function page(title: Child, ...children: Child[]): HTMLElement {
  return h("section", { class: "page narrow" }, h("h1", { tabindex: -1 }, title), children);
}

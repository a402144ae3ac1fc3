// Passwords, typed: the field with its button that shows it, the form to sign in or unlock with one, and the one for a new one.

import type { App } from "./app.ts";
import { fill, h } from "./dom.ts";
import type { Strength } from "./engine.ts";
import { say } from "./sentences.ts";
import { busy, button, field, form, problemSlot } from "./ui.ts";

const t = say.password;

interface Field {
  node: HTMLElement;
  input: HTMLInputElement;
}

function passwordField(id: string, label: string, autocomplete: "current-password" | "new-password"): Field {
  const input = h("input", { id, type: "password", required: true, autocomplete, autocapitalize: "none", spellcheck: "false" });
  const show = button(t.show, { id: id + "-show", class: "small quiet", "aria-label": t.showIt, "aria-controls": id }, () => {
    const shown = input.type === "text";
    input.type = shown ? "password" : "text";
    show.textContent = shown ? t.show : t.hide;
    show.setAttribute("aria-label", shown ? t.showIt : t.hideIt);
  });
  return { node: h("div", { class: "field" }, h("label", { for: id }, label), h("div", { class: "with-button" }, input, show)), input };
}

function loginField(id: string, hint?: string): Field {
  const input = h("input", { id, type: "text", required: true, maxlength: 64, autocomplete: "username", autocapitalize: "none", spellcheck: "false" });
  return { node: field(t.login, input, hint), input };
}

/** Puts in the name this device remembers, if it is one and nothing is typed. Whoever is in the field already types over it. */
export function prefill(input: HTMLInputElement, logins: readonly string[]) {
  if (logins.length !== 1 || input.value !== "") return;
  input.value = logins[0] ?? "";
  if (document.activeElement === input) input.select();
}

interface PasswordForm {
  prefix: string; // of the ids
  submit: string;
  hint?: string;
  primary: boolean;
}

/** use is called with what was typed. remembered is told whether somebody signed in with a password on this device before. */
export function passwordForm(app: App, { prefix, submit: label, hint, primary }: PasswordForm, use: (login: string, password: string) => Promise<void>, remembered?: () => void): HTMLElement {
  const slot = problemSlot();
  const login = loginField(prefix + "-login");
  const password = passwordField(prefix + "-password-text", t.password, "current-password");
  const go = h("button", { id: prefix + "-password", type: "submit", class: primary ? "primary" : null }, label);
  const submit = () => void busy(go, slot, async () => {
    await use(login.input.value, password.input.value);
    password.input.value = "";
  });
  // Whoever types needs none of it: what fails here is not shown.
  void app.engine.call("logins").then(({ logins }) => {
    prefill(login.input, logins);
    if (logins.length > 0) remembered?.();
  }, () => undefined);
  return form({}, submit, login.node, password.node, slot.node,
    h("div", { class: "actions" }, hint !== undefined && h("p", { class: "hint" }, hint), go));
}

/** The password alone, of whoever is signed in. */
export function onlyPassword(prefix: string, label: string, use: (password: string) => Promise<void>): { node: HTMLElement; input: HTMLInputElement } {
  const slot = problemSlot();
  const password = passwordField(prefix + "-password-text", t.password, "current-password");
  const go = h("button", { id: prefix + "-password", type: "submit" }, label);
  const submit = () => void busy(go, slot, async () => {
    await use(password.input.value);
    password.input.value = "";
  });
  return { node: form({}, submit, password.node, slot.node, h("div", { class: "actions" }, go)), input: password.input };
}

export interface NewPassword {
  node: HTMLElement;
  login: HTMLInputElement;
  password: HTMLInputElement;
}

/** The name and the password that somebody chooses, with how good it is. about is what else a guesser would know. */
export function newPassword(app: App, login: string, about: string): NewPassword {
  const name = loginField("password-login", t.loginHint);
  name.input.value = login;
  const password = passwordField("password-new", t.new, "new-password");
  const meter = strengthMeter(app, password.input, () => name.input.value + " " + about);
  password.input.setAttribute("aria-describedby", "password-meter");
  name.input.addEventListener("input", meter.look);
  password.node.append(meter.node);
  const help = h("details", { class: "quiet-details" }, h("summary", {}, t.helpTitle), h("ul", { class: "bullets" }, t.help.map((line) => h("li", {}, line))));
  return { node: h("div", { class: "stack" }, name.node, password.node, help), login: name.input, password: password.input };
}

const pause = 250; // ms without a key, after which somebody looks up

function strengthMeter(app: App, input: HTMLInputElement, about: () => string): { node: HTMLElement; look(): void } {
  const bars = h("div", { class: "meter", "aria-hidden": true }, [0, 1, 2, 3].map(() => h("span", {})));
  const words = h("p", { class: "hint", "aria-live": "polite" }, t.least(12));
  const node = h("div", { id: "password-meter", "data-score": "" }, bars, words);
  let last = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const ask = async () => {
    const mine = ++last;
    const typed = input.value;
    const strength = await app.engine.call("passwordStrength", { about: about(), password: typed });
    if (mine !== last) return;
    const short = strength.least - [...typed.normalize("NFC")].length;
    node.dataset["score"] = typed === "" ? "" : String(short > 0 ? Math.min(strength.score, 1) : strength.score);
    fill(words, typed === "" ? t.least(strength.least) : short > 0 ? t.missing(short) : verdict(strength));
  };
  const look = () => {
    clearTimeout(timer);
    // It is only advice: what does not come is said when the password is set.
    timer = setTimeout(() => void ask().catch(() => undefined), pause);
  };
  input.addEventListener("input", look);
  void ask().catch(() => undefined); // loads the module while somebody thinks of one
  return { node, look };
}

function verdict(strength: Strength): string {
  const advice = strength.score > 2 ? [] : [t.warning[strength.warning], ...strength.suggestions.map((each) => t.suggestion[each])];
  return [t.score[strength.score] ?? "", ...advice].filter((text) => text !== undefined && text !== "").join(" ");
}

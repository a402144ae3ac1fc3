// The recovery kit, typed, pasted or from its file.

import { h } from "./dom.ts";
import { say } from "./sentences.ts";
import { busy, button, field, form, problemSlot } from "./ui.ts";

interface KitForm {
  prefix: string; // of the ids
  submit: string;
  primary: boolean;
}

/** use is called with the code, wherever it was typed or stands in a file. */
export function kitForm({ prefix, submit: label, primary }: KitForm, use: (kit: string) => Promise<void>): HTMLElement {
  const slot = problemSlot();
  const text = h("textarea", { id: prefix + "-text", required: true, rows: 4, autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
  const go = h("button", { id: prefix, type: "submit", class: primary ? "primary" : null }, label);
  const submit = () => void busy(go, slot, async () => {
    await use(codeIn(text.value));
    text.value = "";
  });
  return form({}, submit,
    field(say.signin.kit, text, say.signin.kitHint),
    slot.node,
    h("div", { class: "actions" }, kitFile(prefix + "-file", (code) => text.value = code), go));
}

/** A button that chooses a saved kit, whose code goes to use. */
export function kitFile(id: string, use: (code: string) => void): HTMLElement {
  const read = async () => {
    const file = input.files?.[0];
    if (file && file.size < 10_000) use(codeIn(await file.text()));
    input.value = "";
  };
  const input = h("input", { id, type: "file", class: "visually-hidden", tabindex: -1, "aria-label": say.signin.kitFile, on: { change: () => void read() } });
  return h("span", { class: "choose" }, button(say.signin.kitFile, { class: "quiet" }, () => input.click()), input);
}

/** The code inside a saved kit, where it stands alone between two rules; anything else is taken as it is. */
function codeIn(text: string): string {
  return /^-{8,}\s*\n([\s\S]*?)\n-{8,}/m.exec(text)?.[1]?.trim() ?? text.trim();
}

// What an authenticator app is set up with: a picture for its camera, the same to type, and the first code it shows.

import { h } from "./dom.ts";
import type { AppSetup } from "./engine.ts";
import { qrPicture } from "./qr.ts";
import { say, type Explanation } from "./sentences.ts";
import { busy, copyable, field, form, problemSlot } from "./ui.ts";

const t = say.app;

export function codeField(id: string, label: string, hint?: string): { node: HTMLElement; input: HTMLInputElement } {
  const input = h("input", { id, class: "code", required: true, inputmode: "numeric", autocomplete: "one-time-code", maxlength: 12, autocapitalize: "none", spellcheck: "false", enterkeyhint: "done" });
  return { node: field(label, input, hint), input };
}

/** A code as apps show it: some put a space in the middle. */
export function codeIn(input: HTMLInputElement): string {
  return input.value.replace(/\s/g, "");
}

/** use is called with a first code. as has other words for some refusals. */
export function appSetup(app: AppSetup, use: (code: string) => Promise<void>, as?: Readonly<Record<string, Explanation>>): HTMLElement {
  const slot = problemSlot(as);
  const code = codeField("app-code", t.code, say.second.codeHint);
  const save = h("button", { id: "app-save", class: "primary", type: "submit" }, t.save);
  const submit = () => void busy(save, slot, async () => {
    try {
      await use(codeIn(code.input));
    } finally {
      code.input.value = "";
      code.input.focus();
    }
  });
  return form({ class: "app-setup" }, submit,
    h("p", {}, t.lead),
    h("div", { class: "stack tight" },
      h("p", { class: "step" }, t.scan),
      h("div", { class: "app-ways" },
        h("figure", {}, qrPicture("app-qr", t.picture, app.qr)),
        h("div", { class: "stack" },
          h("p", { class: "only-touch" }, h("a", { id: "app-open", class: "button", href: app.url }, t.open)),
          h("div", { class: "stack tight" }, h("p", {}, t.or), copyable(groups(app.secret), "app-secret", t.key)),
          h("p", { class: "hint" }, t.alone)))),
    code.node, slot.node, h("div", { class: "actions" }, save));
}

/** Four letters at a time, as people type. Apps take spaces. */
function groups(secret: string): string {
  return secret.match(/.{1,4}/g)?.join(" ") ?? "";
}

// Coming back: with the passkey, or with the recovery kit.

import type { App, Screen } from "../app.ts";
import { h } from "../dom.ts";
import type { Failure } from "../engine.ts";
import { askPasskey } from "../passkey.ts";
import { say } from "../sentences.ts";
import { busy, button, field, form, page, problem, problemSlot } from "../ui.ts";

/** then is where to go with keys in hand; ended says why the last session is over, if it was not asked for. */
export function signinScreen(app: App, then: string, ended: Failure | null): Screen {
  const slot = problemSlot();
  const status = h("p", { class: "status", role: "status" });
  const go = button(say.signin.button, { id: "signin-passkey", class: "primary large" }, () =>
    void busy(go, slot, async () => {
      try {
        const passkey = await askPasskey(await app.engine.call("signinOptions"));
        status.textContent = say.signin.working;
        app.signedIn(await app.engine.call("signinFinish", { passkey }));
        app.go(then);
      } finally {
        status.textContent = "";
      }
    }));
  return {
    node: page(say.signin.title,
      app.invitation !== null && h("p", { class: "lead" }, say.signin.forInvite),
      ended && problem(ended),
      h("div", { class: "sheet" }, h("div", { class: "go" }, go, status), slot.node, kitForm(app, then)),
      h("p", { class: "hint" }, say.signin.newHere)),
  };
}

function kitForm(app: App, then: string): HTMLElement {
  const slot = problemSlot();
  const text = h("textarea", { id: "signin-kit-text", required: true, rows: 4, autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
  const input = h("input", { id: "signin-kit-file", type: "file", class: "visually-hidden", tabindex: -1, "aria-label": say.signin.kitFile, on: { change: () => void read(input, text) } });
  const go = h("button", { id: "signin-kit", type: "submit" }, say.signin.kitButton);
  const submit = () => void busy(go, slot, async () => {
    app.signedIn(await app.engine.call("signinKit", { kit: codeIn(text.value) }));
    text.value = "";
    app.go(then);
  });
  return h("details", { id: "signin-with-kit", class: "quiet-details" },
    h("summary", {}, say.signin.kitTitle),
    form({}, submit,
      field(say.signin.kit, text, say.signin.kitHint),
      slot.node,
      h("div", { class: "actions" }, button(say.signin.kitFile, { class: "quiet" }, () => input.click()), input, go)));
}

async function read(input: HTMLInputElement, text: HTMLTextAreaElement) {
  const file = input.files?.[0];
  if (file && file.size < 10_000) text.value = codeIn(await file.text());
  input.value = "";
}

/** The code inside a saved kit, where it stands alone between two rules; anything else is taken as it is. */
function codeIn(text: string): string {
  return /^-{8,}\s*\n([\s\S]*?)\n-{8,}/m.exec(text)?.[1]?.trim() ?? text.trim();
}

// After the right password: a code of an authenticator app, or a passkey.

import type { App, Screen } from "../app.ts";
import { codeField, codeIn } from "../appsetup.ts";
import { h } from "../dom.ts";
import type { Overview, SecondStep } from "../engine.ts";
import { askPasskey } from "../passkey.ts";
import { say } from "../sentences.ts";
import { busy, button, form, page, problemSlot } from "../ui.ts";

const t = say.second;

/** come is told what came of it: keys, or a refusal that may lead to another way to unlock. */
export function secondScreen(app: App, step: SecondStep, back: () => void, come: (work: Promise<Overview>) => Promise<void>): Screen {
  const slot = problemSlot({ "sign-in-failed": t.over });
  const status = h("p", { class: "status", role: "status" });
  const { passkey: options } = step;
  const usePasskey = options !== null && button(step.code ? t.passkey : t.onlyPasskey, { id: "second-passkey", class: step.code ? null : "primary large" }, () =>
    usePasskey && void busy(usePasskey, slot, async () => {
      const passkey = await askPasskey(options);
      status.textContent = t.working;
      await come(app.engine.call("signinSecond", { passkey }).finally(() => (status.textContent = "")));
    }));
  return {
    node: page(t.title,
      h("p", { id: "second", class: "lead" }, step.code ? t.lead : t.leadPasskey),
      h("div", { class: "sheet" },
        step.code && codeForm(app, slot, come),
        !step.code && slot.node,
        usePasskey && h("div", { class: "go" }, usePasskey, status)),
      h("p", { class: "hint" }, t.lost),
      h("p", { class: "hint" }, button(t.back, { id: "second-back", class: "link" }, back))),
  };
}

function codeForm(app: App, slot: ReturnType<typeof problemSlot>, come: (work: Promise<Overview>) => Promise<void>): HTMLElement {
  const code = codeField("second-code", t.code, t.codeHint);
  const go = h("button", { id: "second-go", class: "primary", type: "submit" }, t.button);
  const submit = () => void busy(go, slot, async () => {
    try {
      await come(app.engine.call("signinCode", { code: codeIn(code.input) }));
    } finally {
      code.input.value = "";
      code.input.focus();
    }
  });
  return form({}, submit, code.node, slot.node, h("div", { class: "actions start" }, go));
}

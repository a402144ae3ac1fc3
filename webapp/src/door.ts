// At a firm's door: its rules ask for more than this session has. The person shows it, and goes on where he was.

import type { App } from "./app.ts";
import { codeField, codeIn } from "./appsetup.ts";
import { h } from "./dom.ts";
import { askPasskey } from "./passkey.ts";
import { setPassword } from "./screens/password.ts";
import { say } from "./sentences.ts";
import { busy, button, dialog, form, problemSlot } from "./ui.ts";

const t = say.door;

/** Asks for what the code of a refusal says is missing. True once it is there. */
export function door(app: App, code: string): Promise<boolean> {
  return code === "password-old" ? setPassword(app, say.password.oldTitle, say.password.oldText, true) : secondFactor(app);
}

async function secondFactor(app: App): Promise<boolean> {
  const { app: hasApp, passkeys } = await app.engine.call("account");
  return new Promise((resolve) => {
    const slot = problemSlot();
    let done = false;
    const finish = () => {
      done = true;
      open.close();
    };
    const code = codeField("door-code", t.code, say.second.codeHint);
    const go = h("button", { id: "door-go", class: "primary", type: "submit" }, t.button);
    const submit = () => void busy(go, slot, async () => {
      await app.engine.call("proveCode", { code: codeIn(code.input) }).finally(() => (code.input.value = ""));
      finish();
    });
    const passkey = button(hasApp ? t.orPasskey : t.passkey, { id: "door-passkey", class: hasApp ? null : "primary" }, () => void busy(passkey, slot, async () => {
      await app.engine.call("proveFinish", { passkey: await askPasskey(await app.engine.call("proveOptions")) });
      finish();
    }));
    const open = dialog("door-dialog", t.title, h("p", {}, t.text),
      hasApp && form({}, submit, code.node, h("div", { class: "actions start" }, go)),
      slot.node,
      passkeys.length > 0 && h("div", { class: "go" }, passkey),
      !hasApp && passkeys.length === 0 && [h("p", {}, t.none), h("a", { class: "button", href: "/account" }, t.account)]);
    open.node.addEventListener("close", () => resolve(done));
    if (hasApp) code.input.focus();
  });
}

// Some changes need a fresh proof that it is still the same person: a gesture, then what was asked is done.

import type { App } from "./app.ts";
import { h } from "./dom.ts";
import { failureOf } from "./engine-client.ts";
import { kitForm } from "./kitform.ts";
import { askPasskey } from "./passkey.ts";
import { say } from "./sentences.ts";
import { busy, button, dialog, problemSlot } from "./ui.ts";

const t = say.prove;

/** Runs work. Where it wants a fresh proof it asks for one, and runs work once more. */
export async function withProof<T>(app: App, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (failureOf(thrown).code !== "prove-again" || !(await proved(app))) throw thrown;
    return work();
  }
}

function proved(app: App): Promise<boolean> {
  return new Promise((resolve) => {
    const slot = problemSlot();
    let done = false;
    const finish = () => {
      done = true;
      open.close();
    };
    const go = button(t.passkey, { id: "prove-passkey", class: "primary" }, () => void busy(go, slot, async () => {
      await app.engine.call("proveFinish", { passkey: await askPasskey(await app.engine.call("proveOptions")) });
      finish();
    }));
    const kit = kitForm({ prefix: "prove-kit", submit: t.kit, primary: false }, async (text) => {
      await app.engine.call("proveKit", { kit: text });
      finish();
    });
    const open = dialog("prove-dialog", t.title, h("p", {}, t.text), h("div", { class: "go" }, go), slot.node,
      h("details", { id: "prove-with-kit", class: "quiet-details" }, h("summary", {}, t.orKit), kit));
    open.node.addEventListener("close", () => resolve(done));
    go.focus();
  });
}

// Some changes need a fresh proof that it is still the same person: a gesture, a password, a code or the kit, then what was asked
// is done.

import type { App } from "./app.ts";
import { codeField, codeIn } from "./appsetup.ts";
import { h } from "./dom.ts";
import type { AccountView } from "./engine.ts";
import { failureOf } from "./engine-client.ts";
import { kitForm } from "./kitform.ts";
import { askPasskey } from "./passkey.ts";
import { onlyPassword } from "./passwordform.ts";
import { say } from "./sentences.ts";
import { busy, button, dialog, form, problemSlot } from "./ui.ts";

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

async function proved(app: App): Promise<boolean> {
  const account = await app.engine.call("account");
  return new Promise((resolve) => {
    let done = false;
    const finish = () => {
      done = true;
      open.close();
    };
    const [first, ...others] = ways(app, account, finish);
    const open = dialog("prove-dialog", t.title, h("p", {}, t.text), first?.node ?? null,
      others.map(({ id, or, node }) => h("details", { id, class: "quiet-details" }, h("summary", {}, or), node)));
    open.node.addEventListener("close", () => resolve(done));
    first?.focus.focus();
  });
}

interface Way {
  id: string;
  or: string;
  node: HTMLElement;
  focus: HTMLElement;
}

// The quickest one first; the others are a click away.
function ways(app: App, account: AccountView, finish: () => void): Way[] {
  return [
    ...(account.passkeys.length > 0 ? [passkeyWay(app, finish)] : []),
    ...(account.app ? [codeWay(app, finish)] : []),
    ...(account.password ? [passwordWay(app, finish)] : []),
    kitWay(app, finish),
  ];
}

function passkeyWay(app: App, finish: () => void): Way {
  const slot = problemSlot();
  const go = button(t.passkey, { id: "prove-passkey", class: "primary" }, () => void busy(go, slot, async () => {
    await app.engine.call("proveFinish", { passkey: await askPasskey(await app.engine.call("proveOptions")) });
    finish();
  }));
  return { id: "prove-with-passkey", or: t.passkey, node: h("div", { class: "go" }, go, slot.node), focus: go };
}

function codeWay(app: App, finish: () => void): Way {
  const slot = problemSlot();
  const code = codeField("prove-code-text", say.second.code, say.second.codeHint);
  const go = h("button", { id: "prove-code", type: "submit" }, t.code);
  const submit = () => void busy(go, slot, async () => {
    await app.engine.call("proveCode", { code: codeIn(code.input) }).finally(() => (code.input.value = ""));
    finish();
  });
  return { id: "prove-with-code", or: t.orCode, node: form({}, submit, code.node, slot.node, h("div", { class: "actions" }, go)), focus: code.input };
}

function passwordWay(app: App, finish: () => void): Way {
  const { node, input } = onlyPassword("prove", t.password, async (password) => {
    await app.engine.call("provePassword", { password });
    finish();
  });
  return { id: "prove-with-password", or: t.orPassword, node, focus: input };
}

function kitWay(app: App, finish: () => void): Way {
  const node = kitForm({ prefix: "prove-kit", submit: t.kit, primary: false }, async (text) => {
    await app.engine.call("proveKit", { kit: text });
    finish();
  });
  return { id: "prove-with-kit", or: t.orKit, node, focus: node };
}

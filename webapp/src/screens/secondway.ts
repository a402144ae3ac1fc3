// A second way to unlock, where a kit is there already or is not wanted: a passkey on another device, made right here.

import type { App, Screen } from "../app.ts";
import { h } from "../dom.ts";
import { dayText } from "../format.ts";
import { createPasskey } from "../passkey.ts";
import { withProof } from "../prove.ts";
import { say } from "../sentences.ts";
import { teach } from "../teach.ts";
import { busy, button, page, problemSlot } from "../ui.ts";

const t = say.secondWay;

/** after is what was held up by the lack of it. */
export function secondWayScreen(app: App, then: string, after?: () => void): Screen {
  const slot = problemSlot();
  const status = h("p", { class: "status", role: "status" });
  const add = button(t.add, { id: "second-way-passkey", class: "primary large" }, () => void busy(add, slot, async () => {
    try {
      await withProof(app, async () => {
        const passkey = await createPasskey(await app.engine.call("passkeyAddOptions"), () => (status.textContent = say.secondTouch));
        status.textContent = say.account.adding;
        await app.engine.call("passkeyAddFinish", { passkey, name: say.account.newName(dayText(Date.now())) });
      });
      await app.refresh();
      app.go(then);
      after?.();
    } finally {
      status.textContent = "";
    }
  }));
  return {
    node: page(t.title,
      after !== undefined && h("p", { id: "second-way", class: "notice" }, t.why),
      h("p", { class: "lead" }, t.lead),
      h("div", { class: "sheet" }, slot.node, h("div", { class: "go" }, add, h("p", { class: "hint" }, t.hint), status)),
      teach(app, "passkey"),
      h("div", { class: "actions start" }, button(say.back, { id: "second-way-back", class: "quiet" }, () => app.go(then)))),
  };
}

// Coming back: with the passkey, or with the recovery kit.

import type { App, Screen } from "../app.ts";
import { byId, fill, h } from "../dom.ts";
import type { Failure, LockReason } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { kitForm } from "../kitform.ts";
import { askPasskey } from "../passkey.ts";
import { say } from "../sentences.ts";
import type { Outcome } from "../sso.ts";
import { busy, button, page, problem, problemSlot } from "../ui.ts";
import { ssoButtons } from "./sso.ts";

/** Why the last session is over, where it was not asked for here. */
export type Ended = { kind: "told"; failure: Failure } | { kind: "locked"; reason: LockReason } | { kind: "elsewhere" } | { kind: "sso"; code: Exclude<Outcome, "in" | "linked"> };

/** then is where to go with keys in hand. */
export function signinScreen(app: App, then: string, ended: Ended | null): Screen {
  const locked = ended?.kind === "locked" ? ended.reason : null;
  const slot = problemSlot();
  const status = h("p", { class: "status", role: "status" });
  const go = button(locked ? say.locked.button : say.signin.button, { id: "signin-passkey", class: "primary large" }, () =>
    void busy(go, slot, async () => {
      try {
        const passkey = await askPasskey(await app.engine.call("signinOptions"));
        status.textContent = say.signin.working;
        app.signedIn(await app.engine.call("signinFinish", { passkey }));
        app.go(then);
      } catch (thrown) {
        if (failureOf(thrown).code !== "unlock-elsewhere") throw thrown;
        app.show(unlockScreen(app, then));
      } finally {
        status.textContent = "";
      }
    }));
  const kit = kitForm({ prefix: "signin-kit", submit: locked ? say.locked.kitButton : say.signin.kitButton, primary: false }, async (text) => {
    app.signedIn(await app.engine.call("signinKit", { kit: text }));
    app.go(then);
  });
  return {
    node: page(locked ? say.locked.title : say.signin.title,
      app.invitation !== null && h("p", { class: "lead" }, say.signin.forInvite),
      ended && endedText(ended),
      h("div", { class: "sheet" }, h("div", { class: "go" }, go, status), slot.node,
        app.invitation === null && ssoButtons(app, then), // an invite is in this page alone: who leaves it loses it
        h("details", { id: "signin-with-kit", class: "quiet-details" }, h("summary", {}, locked ? say.locked.kitTitle : say.signin.kitTitle), kit)),
      locked === null && h("p", { class: "hint" }, say.signin.newHere)),
  };
}

function endedText(ended: Ended): HTMLElement {
  if (ended.kind === "told") return problem(ended.failure);
  if (ended.kind === "sso") return problem({ code: ended.code, detail: "" }, say.sso.explain[ended.code]);
  if (ended.kind === "elsewhere") return h("p", { id: "signed-out-elsewhere", class: "lead" }, say.signin.elsewhere);
  return h("div", { id: "locked", class: "stack tight", "data-reason": ended.reason }, h("p", { class: "lead" }, say.locked.why[ended.reason]), h("p", {}, say.locked.lost));
}

/** Signed in by what cannot unlock: a passkey without PRF leaves the kit, a firm's sign-in all that the person has. */
export function unlockScreen(app: App, then: string, by: "passkey" | "in" | "linked" = "passkey"): Screen {
  const kit = kitForm({ prefix: "unlock-kit", submit: say.unlock.button, primary: by === "passkey" }, async (text) => {
    app.signedIn(await app.engine.call("unlockKit", { kit: text }));
    app.go(then);
    fill(byId("notice"), h("section", { id: "unlock-notice", class: "notice", "aria-label": say.unlock.add }, h("p", {}, say.unlock.notice), h("a", { class: "button", href: "/account" }, say.unlock.add)));
  });
  if (by !== "passkey") return afterFirm(app, then, by, kit);
  return {
    node: page(say.unlock.title,
      h("p", { id: "unlock", class: "lead" }, say.unlock.lead),
      h("div", { class: "sheet" }, kit),
      h("p", { class: "hint" }, say.unlock.after),
      h("p", { class: "hint" }, button(say.unlock.other, { id: "unlock-other", class: "link" }, () => app.go(then)))),
  };
}

function afterFirm(app: App, then: string, by: "in" | "linked", kit: HTMLElement): Screen {
  const slot = problemSlot();
  const status = h("p", { class: "status", role: "status" });
  const go = button(say.locked.button, { id: "unlock-passkey", class: "primary large" }, () =>
    void busy(go, slot, async () => {
      try {
        const passkey = await askPasskey(await app.engine.call("unlockOptions"));
        status.textContent = say.signin.working;
        app.signedIn(await app.engine.call("unlockFinish", { passkey }));
        app.go(then);
      } catch (thrown) {
        if (failureOf(thrown).code !== "unlock-elsewhere") throw thrown;
        app.show(unlockScreen(app, then));
      } finally {
        status.textContent = "";
      }
    }));
  // Whoever wants another way leaves no session behind.
  const other = button(say.sso.other, { id: "unlock-other", class: "link" }, () => void busy(other, slot, async () => {
    await app.engine.call("signOut");
    app.go(then);
  }));
  return {
    node: page(say.unlock.title,
      h("p", { id: "unlock", class: "lead", "data-by": by }, by === "in" ? say.sso.lead : say.sso.linkedLead),
      h("div", { class: "sheet" }, h("div", { class: "go" }, go, status), slot.node,
        h("details", { id: "unlock-with-kit", class: "quiet-details" }, h("summary", {}, say.locked.kitTitle), kit)),
      h("p", { class: "hint" }, say.sso.why),
      h("p", { class: "hint" }, other)),
  };
}

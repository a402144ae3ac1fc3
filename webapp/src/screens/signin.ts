// Coming back: with the passkey, with a password, or with the recovery kit. What signs in and cannot unlock here is followed by
// something that can.

import type { App, Screen } from "../app.ts";
import { byId, fill, h } from "../dom.ts";
import type { Failure, LockReason, Overview, PasskeyResult, Result } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { kitForm } from "../kitform.ts";
import { askPasskey } from "../passkey.ts";
import { passwordForm } from "../passwordform.ts";
import { say } from "../sentences.ts";
import type { Outcome } from "../sso.ts";
import { busy, button, page, problem, problemSlot } from "../ui.ts";
import { newDeviceScreen } from "./newdevice.ts";
import { secondScreen } from "./second.ts";
import { ssoButtons } from "./sso.ts";

/** Why the last session is over, where it was not asked for here. */
export type Ended = { kind: "told"; failure: Failure } | { kind: "locked"; reason: LockReason } | { kind: "elsewhere" } | { kind: "reloaded" } | { kind: "sso"; code: Exclude<Outcome, "in" | "linked"> };

/** What signed in and left the keys to something else. */
export type SignedInBy = "passkey" | "renewed" | "password" | "in" | "linked";

/** A passkey that could unlock, and did not, is from before the account had other keys. */
function signedBy(passkey: PasskeyResult): SignedInBy {
  return passkey.prf === null ? "passkey" : "renewed";
}

/** then is where to go with keys in hand. */
export function signinScreen(app: App, then: string, ended: Ended | null): Screen {
  const locked = ended?.kind === "locked" ? ended.reason : null;
  const slot = problemSlot();
  const status = h("p", { class: "status", role: "status" });
  const go = button(locked ? say.locked.button : say.signin.button, { id: "signin-passkey", class: "primary large" }, () =>
    void busy(go, slot, async () => {
      const passkey = await askPasskey(await app.engine.call("signinOptions"));
      status.textContent = say.signin.working;
      await enter(app, then, signedBy(passkey), app.engine.call("signinFinish", { passkey }).finally(() => (status.textContent = "")));
    }));
  const password = h("details", { id: "signin-with-password", class: "quiet-details" },
    h("summary", {}, locked ? say.locked.passwordTitle : say.signin.passwordTitle),
    passwordForm(app,
      { prefix: "signin", primary: false, ...(locked ? { submit: say.locked.passwordButton, hint: say.locked.passwordHint } : { submit: say.signin.passwordButton, hint: say.signin.passwordHint }) },
      (login, text) => byPassword(app, then, ended, login, text),
      () => (password.open = true))); // who uses one on this device finds it open
  const kit = kitForm({ prefix: "signin-kit", submit: locked ? say.locked.kitButton : say.signin.kitButton, primary: false }, async (text) => {
    app.signedIn(await app.engine.call("signinKit", { kit: text }));
    app.go(then);
  });
  return {
    node: page(locked ? say.locked.title : say.signin.title,
      app.link !== null && h("p", { class: "lead" }, say.signin.forLink[app.link.path]),
      ended && endedText(ended),
      h("div", { class: "sheet" }, h("div", { class: "go" }, go, status), slot.node,
        app.link === null && ssoButtons(app, then), // a link is in this page alone: who leaves it loses it
        password,
        h("details", { id: "signin-with-kit", class: "quiet-details" }, h("summary", {}, locked ? say.locked.kitTitle : say.signin.kitTitle), kit),
        h("p", { class: "quiet-link" }, otherDevice(app, "signin-device", then, async () => app.show(signinScreen(app, then, ended))))),
      locked === null && h("p", { class: "hint" }, say.signin.newHere)),
  };
}

function endedText(ended: Ended): HTMLElement {
  if (ended.kind === "told") return problem(ended.failure);
  if (ended.kind === "sso") return problem({ code: ended.code, detail: "" }, say.sso.explain[ended.code]);
  if (ended.kind === "elsewhere") return h("p", { id: "signed-out-elsewhere", class: "lead" }, say.signin.elsewhere);
  if (ended.kind === "reloaded") return h("p", { id: "reloaded", class: "lead" }, say.signin.reloaded);
  return h("div", { id: "locked", class: "stack tight", "data-reason": ended.reason }, h("p", { class: "lead" }, say.locked.why[ended.reason]), h("p", {}, say.locked.lost));
}

/** Goes on with keys in hand, or to what else unlocks. */
async function enter(app: App, then: string, by: SignedInBy, work: Promise<Overview>): Promise<void> {
  try {
    app.signedIn(await work);
    app.go(then);
  } catch (thrown) {
    if (failureOf(thrown).code !== "unlock-elsewhere") throw thrown;
    await goUnlock(app, then, by);
  }
}

// The session that was locked is unlocked by the password alone. Where it is not there any more, or was another account's, the
// person signs in.
async function byPassword(app: App, then: string, ended: Ended | null, login: string, password: string): Promise<void> {
  if (ended?.kind === "locked") {
    try {
      return await enter(app, then, "password", app.engine.call("unlockPassword", { login, password }));
    } catch (thrown) {
      if (!signsIn.has(failureOf(thrown).code)) throw thrown;
    }
  }
  const step = await app.engine.call("signinPassword", { login, password });
  app.show(secondScreen(app, step, () => app.go(then), (work) => enter(app, then, "password", work)));
}

const signsIn: ReadonlySet<string> = new Set(["not-signed-in", "session-ended", "bad-request", "not-here"]);

/** The way in where nothing of one's own is at hand but a device that is open. */
function otherDevice(app: App, id: string, then: string, back: () => Promise<void>): HTMLElement {
  return button(say.newDevice.open, { id, class: "link" }, () => app.show(newDeviceScreen(app, then, () => void back())));
}

// ---- signed in by what cannot unlock here

export async function goUnlock(app: App, then: string, by: SignedInBy): Promise<void> {
  app.show(unlockScreen(app, then, by, await app.engine.call("unlockWays")));
}

// After a firm's sign-in a passkey is what most people have; what was shown already is not asked for again.
function unlockScreen(app: App, then: string, by: SignedInBy, ways: Result<"unlockWays">): Screen {
  const passkeyFirst = ways.passkey && (by === "in" || by === "linked");
  const passkey = ways.passkey && by !== "passkey" && by !== "renewed" && unlockPasskey(app, then, by, passkeyFirst);
  const kit = kitForm({ prefix: "unlock-kit", submit: say.unlock.button, primary: !passkeyFirst }, async (text) => {
    app.signedIn(await app.engine.call("unlockKit", { kit: text }));
    app.go(then);
    fill(byId("notice"), afterKit(by));
  });
  const password = ways.password && by !== "password" && h("details", { id: "unlock-with-password", class: "quiet-details" }, h("summary", {}, say.locked.passwordTitle),
    passwordForm(app, { prefix: "unlock", submit: say.locked.passwordButton, primary: false }, (login, text) => enter(app, then, by, app.engine.call("unlockPassword", { login, password: text }))));
  return {
    node: page(say.unlock.title,
      h("p", { id: "unlock", class: "lead", "data-by": by }, lead[by]),
      h("div", { class: "sheet" },
        passkeyFirst && passkey,
        passkeyFirst && password,
        passkeyFirst ? h("details", { id: "unlock-with-kit", class: "quiet-details" }, h("summary", {}, say.locked.kitTitle), kit) : kit,
        !passkeyFirst && password,
        !passkeyFirst && passkey,
        h("p", { class: "quiet-link" }, otherDevice(app, "unlock-device", then, async () => app.go(then)))),
      h("p", { class: "hint" }, why[by]),
      h("div", { class: "hint" }, otherWay(app, then, by))),
  };
}

const lead: Readonly<Record<SignedInBy, string>> = { passkey: say.unlock.lead, renewed: say.unlock.leadRenewed, password: say.unlock.leadPassword, in: say.sso.lead, linked: say.sso.linkedLead };
const why: Readonly<Record<SignedInBy, string>> = { passkey: say.unlock.after, renewed: say.unlock.whyRenewed, password: say.unlock.whyPassword, in: say.sso.why, linked: say.sso.why };

function unlockPasskey(app: App, then: string, by: SignedInBy, first: boolean): HTMLElement {
  const slot = problemSlot();
  const status = h("p", { class: "status", role: "status" });
  const go = button(first ? say.locked.button : say.unlock.orPasskey, { id: "unlock-passkey", class: first ? "primary large" : null }, () =>
    void busy(go, slot, async () => {
      const passkey = await askPasskey(await app.engine.call("unlockOptions"));
      status.textContent = say.signin.working;
      await enter(app, then, by === "password" ? by : signedBy(passkey), app.engine.call("unlockFinish", { passkey }).finally(() => (status.textContent = "")));
    }));
  return h("div", { class: "go" }, go, status, slot.node);
}

// Whoever wants another way leaves no session behind.
function otherWay(app: App, then: string, by: SignedInBy): HTMLElement {
  if (by === "passkey" || by === "renewed") return button(say.unlock.other, { id: "unlock-other", class: "link" }, () => app.go(then));
  const slot = problemSlot();
  const other = button(say.sso.other, { id: "unlock-other", class: "link" }, () => void busy(other, slot, async () => {
    await app.engine.call("signOut");
    app.go(then);
  }));
  return h("div", { class: "stack tight" }, h("div", {}, other), slot.node);
}

function afterKit(by: SignedInBy): HTMLElement | null {
  if (by === "renewed") return null;
  if (by === "password") return h("section", { id: "unlock-notice", class: "notice", "aria-label": say.password.title }, h("p", {}, say.unlock.noticePassword));
  return h("section", { id: "unlock-notice", class: "notice", "aria-label": say.unlock.add }, h("p", {}, say.unlock.notice), h("a", { class: "button", href: "/account" }, say.unlock.add));
}

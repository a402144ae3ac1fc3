// The password of an account and its authenticator app: setting, changing and removing them.

import type { App } from "../app.ts";
import { appSetup } from "../appsetup.ts";
import { h } from "../dom.ts";
import type { AccountView } from "../engine.ts";
import { date } from "../format.ts";
import { newPassword, prefill } from "../passwordform.ts";
import { withProof } from "../prove.ts";
import { say } from "../sentences.ts";
import { announce, ask, busy, button, dialog, form, problemSlot } from "../ui.ts";
import { whatIsLeft } from "./passkeys.ts";

const t = say.password;

/** changed draws the account again, as it is now. */
export function passwordSection(app: App, account: AccountView, changed: () => Promise<void>): HTMLElement {
  const { password } = account;
  const set = button(password ? t.change : t.set, { id: "password-set" }, () => void setPassword(app, password ? t.changeTitle : t.setTitle, null, password !== null).then(async (done) => {
    if (!done) return;
    await changed();
    announce(t.saved);
  }));
  const remove = button(t.remove, { id: "password-remove", "aria-label": t.removeYes }, () => ask({
    title: t.removeTitle, text: t.removeText, extra: whatIsLeft({ ...account, password: null }), yes: t.removeYes, danger: true,
    act: async () => void (await withProof(app, () => app.engine.call("passwordRemove"))),
    after: () => void changed().then(() => announce(t.removed)),
  }));
  return h("section", { class: "sheet", "data-has": String(password !== null) }, h("h2", {}, t.title),
    h("p", {}, password ? [t.since, date(password.setAt), "."] : t.none),
    h("p", { class: "hint" }, t.hint),
    h("div", { class: "actions start" }, set, password && remove));
}

/** Asks for a new password; text says why, where nobody asked for it. It is true once one is set. */
export function setPassword(app: App, title: string, text: string | null, others: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    const slot = problemSlot();
    const chosen = newPassword(app, "", "");
    const save = h("button", { id: "password-save", class: "primary", type: "submit" }, t.save);
    let done = false;
    const submit = () => void busy(save, slot, async () => {
      await withProof(app, () => app.engine.call("passwordSet", { login: chosen.login.value, password: chosen.password.value }));
      chosen.password.value = "";
      done = true;
      open.close();
    });
    const open = dialog("password-dialog", title, text !== null && h("p", {}, text),
      form({}, submit, chosen.node, others && h("p", { class: "hint" }, t.others), slot.node,
        h("div", { class: "actions" }, button(say.cancel, { class: "quiet" }, () => open.close()), save)));
    open.node.addEventListener("close", () => resolve(done));
    void app.engine.call("logins").then(({ logins }) => prefill(chosen.login, logins), () => undefined);
    chosen.login.focus();
  });
}

export function appSection(app: App, account: AccountView, changed: () => Promise<void>): HTMLElement {
  const s = say.app;
  const slot = problemSlot();
  const has = account.app !== null;
  const set = button(has ? s.replace : s.set, { id: "app-set" }, () => void busy(set, slot, async () => {
    const setup = await withProof(app, () => app.engine.call("appBegin"));
    const open = dialog("app-dialog", s.title, has && h("p", {}, s.replaced), appSetup(setup, async (code) => {
      await app.engine.call("appFinish", { code });
      open.close();
      await changed();
      announce(s.saved);
    }, { "sign-in-failed": s.tooSlow }));
  }));
  const remove = button(s.remove, { id: "app-remove", "aria-label": s.removeYes }, () => ask({
    title: s.removeTitle, text: s.removeText, yes: s.removeYes, danger: true, as: { "last-method": s.needed },
    act: async () => void (await withProof(app, () => app.engine.call("appRemove"))),
    after: () => void changed().then(() => announce(s.removed)),
  }));
  return h("section", { class: "sheet", "data-has": String(has) }, h("h2", {}, s.title),
    h("p", {}, account.app ? [s.since, date(account.app.setAt), "."] : s.none),
    slot.node, h("div", { class: "actions start" }, set, has && remove));
}

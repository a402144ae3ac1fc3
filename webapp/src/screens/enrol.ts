// A new account with a password in place of a passkey: the name and the password, then the app that goes with it.

import type { App, Screen } from "../app.ts";
import { appSetup } from "../appsetup.ts";
import { h } from "../dom.ts";
import type { AppSetup } from "../engine.ts";
import { newPassword } from "../passwordform.ts";
import { say } from "../sentences.ts";
import { busy, button, form, page, problemSlot } from "../ui.ts";

const t = say.password;

interface Enrolment {
  about: string; // what a guesser knows
  begin(): Promise<unknown>;
  finish(code: string): Promise<void>;
  /** Back to the passkey. */
  back(): void;
}

export function enrolScreen(app: App, enrolment: Enrolment): Screen {
  const slot = problemSlot();
  const chosen = newPassword(app, "", enrolment.about);
  const go = h("button", { id: "password-continue", class: "primary", type: "submit" }, t.continue);
  const submit = () => void busy(go, slot, async () => {
    await enrolment.begin();
    const setup = await app.engine.call("enrolPassword", { login: chosen.login.value, password: chosen.password.value });
    chosen.password.value = "";
    app.show(appScreen(app, setup, enrolment));
  });
  return {
    node: page(t.enrolTitle, h("p", { id: "enrol", class: "lead" }, t.enrolLead),
      form({ class: "sheet" }, submit, chosen.node, slot.node, h("div", { class: "actions start" }, go)),
      h("p", { class: "hint" }, t.hint),
      h("p", { class: "hint" }, button(t.enrolPasskey, { id: "enrol-back", class: "link" }, enrolment.back))),
  };
}

function appScreen(app: App, setup: AppSetup, enrolment: Enrolment): Screen {
  return {
    node: page(say.app.title,
      h("div", { class: "sheet" }, appSetup(setup, enrolment.finish, { "sign-in-failed": say.setup.tooSlow })),
      h("p", { class: "hint" }, button(say.back, { id: "enrol-back", class: "link" }, () => app.show(enrolScreen(app, enrolment))))),
  };
}

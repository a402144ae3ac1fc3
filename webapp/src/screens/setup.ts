// First run: the link is tried, then an attorney names herself and her firm and makes a passkey, or chooses a password; the kit comes next.

import type { App, Screen } from "../app.ts";
import { fill, h, type Child } from "../dom.ts";
import { failureOf } from "../engine-client.ts";
import { createPasskey } from "../passkey.ts";
import { say } from "../sentences.ts";
import { teach } from "../teach.ts";
import { busy, button, field, form, page, problem, problemSlot } from "../ui.ts";
import { enrolScreen } from "./enrol.ts";

export function setupScreen(app: App, secret: string): Screen {
  if (secret === "") return { node: page(say.setup.noSecret, h("p", { class: "lead" }, say.setup.noSecretTodo)) };
  const body = h("div", { class: "stack", "aria-busy": true }, h("p", { role: "status" }, say.loading));
  const open = async () => {
    try {
      await app.engine.call("setupOpen", { secret });
      fill(body, ...setupForm(app, secret));
    } catch (thrown) {
      const failure = failureOf(thrown);
      fill(body, problem(failure), h("div", { class: "actions start" }, failure.code === "setup-used" ? h("a", { id: "setup-signin", class: "button", href: "/" }, say.signin.title) : button(say.tryAgain, {}, () => void open())));
    } finally {
      body.removeAttribute("aria-busy");
    }
  };
  void open();
  return { node: page(say.setup.title, body) };
}

function setupForm(app: App, secret: string): Child[] {
  const person = h("input", { id: "setup-name", required: true, maxlength: 120, autocomplete: "name", spellcheck: "false" });
  const firm = h("input", { id: "setup-firm", required: true, maxlength: 120, autocomplete: "organization", spellcheck: "false" });
  const go = h("button", { id: "setup-passkey", class: "primary large", type: "submit" }, say.setup.button);
  const status = h("p", { class: "status", role: "status" });
  const slot = problemSlot();

  const named = () => ({ person: person.value.trim(), firm: firm.value.trim() });
  const submit = () => void busy(go, slot, async () => {
    try {
      const options = await app.engine.call("setupOptions", { secret, ...named() });
      const passkey = await createPasskey(options, () => (status.textContent = say.secondTouch));
      status.textContent = say.setup.working;
      app.signedIn(await app.engine.call("setupFinish", { passkey }));
      app.makeKit("/", false);
    } finally {
      status.textContent = "";
    }
  });

  const password = button(say.join.password, { id: "setup-with-password", class: "link" }, () => {
    if (!node.reportValidity()) return;
    app.show(enrolScreen(app, {
      about: `${named().person} ${named().firm}`,
      begin: () => app.engine.call("setupOptions", { secret, ...named() }),
      finish: async (code) => {
        app.signedIn(await app.engine.call("setupFinish", { code }));
        app.makeKit("/", false);
      },
      back: () => app.go("/setup"),
    }));
  });
  const node = form({ class: "sheet" }, submit,
    field(say.setup.person, person, say.setup.personHint),
    field(say.setup.firm, firm, say.setup.firmHint),
    slot.node,
    h("div", { class: "go" }, go, h("p", { class: "hint" }, say.setup.passkeyHint), h("p", { class: "hint" }, password), status));
  return [h("p", { class: "lead" }, say.setup.lead), node, teach(app, "passkey")];
}

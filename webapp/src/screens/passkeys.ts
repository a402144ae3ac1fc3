// The passkeys of an account: their names, what each can do, and the way to add, rename and remove one.

import type { App } from "../app.ts";
import { fill, h } from "../dom.ts";
import type { AccountView, Passkey } from "../engine.ts";
import { date, dayText, name, visible } from "../format.ts";
import { createAnyPasskey, forgetPasskey } from "../passkey.ts";
import { withProof } from "../prove.ts";
import { say } from "../sentences.ts";
import { announce, ask, busy, button, dialog, field, form, problemSlot } from "../ui.ts";

const t = say.account;

export function passkeysSection(app: App, first: AccountView): HTMLElement {
  const slot = problemSlot();
  const status = h("p", { class: "status", role: "status" });
  const heading = h("h2", { tabindex: -1 }, t.passkeys);
  const list = h("ul", { id: "passkeys", class: "plain things" });
  const draw = (account: AccountView) => fill(list, [...account.passkeys].sort((a, b) => a.createdAt - b.createdAt).map((passkey) => row(passkey, account)));
  const refresh = async () => draw(await app.engine.call("account"));

  const row = (passkey: Passkey, account: AccountView) => {
    const title = passkey.name === "" ? t.unnamed : passkey.name;
    const rename = button(t.rename, { class: "small", "data-action": "passkey-rename", "aria-label": t.renameOne(visible(title)) }, () =>
      nameDialog(app, passkey.id, title, t.renameTitle, null, async () => (await refresh(), announce(t.renamed))));
    const remove = button(t.remove, { class: "small", "data-action": "passkey-remove", "aria-label": t.removeOne(visible(title)) }, () => askRemove(app, passkey, account, async () => {
      await refresh();
      announce(t.removed);
      heading.focus();
    }));
    return h("li", { "data-passkey": passkey.id, "data-unlocks": String(passkey.unlocks) },
      h("div", {},
        h("p", { class: "thing-name" }, name(title), " ", h("span", { class: "badge" }, passkey.unlocks ? t.unlocks : t.signsIn)),
        h("p", { class: "hint" }, t.made, date(passkey.createdAt), passkey.lastUsedAt === null ? t.neverUsed : [t.used, date(passkey.lastUsedAt)], ".", !passkey.unlocks && [" ", t.signsInHint])),
      h("div", { class: "actions" }, rename, remove));
  };

  // It is in force as soon as the gesture is done: whoever closes the dialog that asks for its name has it all the same.
  const add = button(t.add, { id: "passkey-add" }, () => void busy(add, slot, async () => {
    try {
      const made = await withProof(app, async () => {
        const passkey = await createAnyPasskey(await app.engine.call("passkeyAddOptions"), () => (status.textContent = say.secondTouch));
        status.textContent = t.adding;
        const unlocks = passkey.prf !== null;
        const fresh = { id: (passkey.credential as { id: string }).id, name: t.newName(dayText(Date.now())), unlocks };
        await app.engine.call("passkeyAddFinish", { passkey, name: fresh.name });
        return fresh;
      });
      await refresh();
      nameDialog(app, made.id, made.name, t.nameTitle, made.unlocks ? t.nameText : t.nameTextNoUnlock, refresh);
    } finally {
      status.textContent = "";
    }
  }));

  draw(first);
  return h("section", { class: "sheet" }, heading, h("p", { class: "hint" }, t.passkeysHint), list, slot.node, add, status);
}

// text is there for one that was just added: then there is nothing to cancel.
function nameDialog(app: App, id: string, before: string, title: string, text: string | null, done: () => Promise<void>) {
  const slot = problemSlot();
  const input = h("input", { id: "passkey-name", required: true, maxlength: 60, value: before, autocomplete: "off", spellcheck: "false" });
  const save = h("button", { id: "passkey-name-save", class: "primary", type: "submit" }, say.save);
  const submit = () => void busy(save, slot, async () => {
    await withProof(app, () => app.engine.call("passkeyRename", { id, name: input.value.trim() }));
    await done();
    open.close();
  });
  const open = dialog("passkey-name-dialog", title, text !== null && h("p", {}, text), form({}, submit,
    field(t.passkeyName, input, t.passkeyNameHint), slot.node,
    h("div", { class: "actions" }, button(text === null ? say.cancel : t.keepName, { class: "quiet" }, () => open.close()), save)));
  input.select();
}

function askRemove(app: App, passkey: Passkey, account: AccountView, after: () => Promise<void>) {
  const rest = account.passkeys.filter((other) => other.id !== passkey.id);
  ask({
    title: t.removeTitle(visible(passkey.name === "" ? t.unnamed : passkey.name)),
    text: t.removeText,
    extra: whatIsLeft({ ...account, passkeys: rest }),
    yes: t.removeYes,
    danger: true,
    act: async () => {
      await withProof(app, () => app.engine.call("passkeyRemove", { id: passkey.id }));
      await forgetPasskey(passkey.id);
    },
    after: () => void after(),
  });
}

/** What an account can still be opened with. */
export function whatIsLeft({ passkeys, password, kitSaved }: AccountView): HTMLElement {
  const unlocking = passkeys.filter((p) => p.unlocks).length;
  const signingIn = passkeys.length - unlocking;
  const ways = unlocking + (password ? 1 : 0) + (kitSaved ? 1 : 0);
  return h("div", { id: "what-is-left", class: "stack tight" }, h("h3", {}, t.left),
    ways + signingIn > 0 && h("ul", { class: "bullets" },
      unlocking > 0 && h("li", {}, t.leftUnlocks(unlocking)),
      signingIn > 0 && h("li", {}, t.leftSignsIn(signingIn)),
      password !== null && h("li", {}, t.leftPassword),
      kitSaved && h("li", {}, t.leftKit)),
    ways === 0 && h("p", { class: "caution" }, t.leftNothing),
    ways === 1 && h("p", { class: "caution" }, t.leftOne));
}

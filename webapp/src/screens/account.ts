// What belongs to the person: passkeys, the kit, safety words, and what this device refused.

import type { App, Screen } from "../app.ts";
import { fill, h } from "../dom.ts";
import type { AccountView } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { date, dateTime, name } from "../format.ts";
import { saveText } from "../savefile.ts";
import { explain, known, say } from "../sentences.ts";
import { busy, button, problem, problemSlot, words } from "../ui.ts";

const t = say.account;

export function accountScreen(app: App): Screen {
  const body = h("div", { "aria-busy": true }, h("p", { role: "status" }, say.loading));
  const load = async () => {
    try {
      const account = await app.engine.call("account");
      fill(body, kit(app, account), identities(account), passkeys(account), refusals(app, account), h("p", { class: "hint id" }, t.id + ": ", h("code", {}, account.account)));
    } catch (thrown) {
      fill(body, problem(failureOf(thrown)), button(say.tryAgain, {}, () => void load()));
    } finally {
      body.removeAttribute("aria-busy");
    }
  };
  void load();
  return { node: h("section", { class: "page narrow account" }, h("h1", { tabindex: -1 }, t.title), body) };
}

function section(title: string, ...children: Parameters<typeof h>[2][]): HTMLElement {
  return h("section", { class: "sheet" }, h("h2", {}, title), children);
}

function kit(app: App, account: AccountView): HTMLElement {
  const make = button(account.kitSaved ? t.kitAgain : t.kitMake, { id: "kit-make", class: account.kitSaved ? "" : "primary" }, () => app.makeKit("/account", true));
  return section(t.kit, h("p", {}, account.kitSaved ? t.kitSaved : t.kitMissing), account.kitSaved && h("p", { class: "hint" }, say.kit.replaces), make);
}

function passkeys(account: AccountView): HTMLElement {
  return section(t.passkeys, h("ul", { id: "passkeys", class: "plain" }, account.passkeys.map((passkey) =>
    h("li", {}, name(passkey.name), h("span", { class: "hint block" }, t.made, date(passkey.createdAt), passkey.lastUsedAt === null ? t.neverUsed : [t.used, date(passkey.lastUsedAt)])))));
}

function identities(account: AccountView): HTMLElement {
  return section(t.identities, h("p", { class: "hint" }, t.identitiesHint),
    account.identities.map((identity) => h("div", { class: "identity", "data-firm": identity.firm }, h("h3", {}, name(identity.firmName)), words(identity.words))));
}

function refusals(app: App, account: AccountView): HTMLElement {
  const slot = problemSlot();
  const save = button(t.export, { id: "refusals-export" }, () => void busy(save, slot, () => exportRefusals(app)));
  if (account.refusals.length === 0) return section(t.refusals, h("p", { id: "no-refusals" }, t.noRefusals));
  return section(t.refusals, h("p", { class: "hint" }, t.refusalsHint),
    h("ul", { id: "refusals", class: "plain" }, account.refusals.map((refusal) =>
      h("li", {}, h("span", {}, dateTime(refusal.at)), " ", h("code", {}, known(refusal.code)), h("span", { class: "block" }, explain({ code: refusal.code, detail: "" }).what), name([refusal.what, refusal.found].filter((text) => text !== "").join(": "), "hint block")))),
    slot.node, save);
}

export async function exportRefusals(app: App) {
  const { name: fileName, text } = await app.engine.call("refusalsExport");
  saveText(fileName, text);
}

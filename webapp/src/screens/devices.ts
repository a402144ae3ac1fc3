// The devices of an account: their names, the way to let another one in, and to put one out, after which all keys are replaced.

import type { App } from "../app.ts";
import { fill, h } from "../dom.ts";
import type { AccountView, Device } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { date, dateTime, name, visible } from "../format.ts";
import { withProof } from "../prove.ts";
import { say } from "../sentences.ts";
import { announce, ask, busy, button, dialog, field, form, problem, problemSlot } from "../ui.ts";
import { renewRoot } from "./renewal.ts";

const t = say.devices;

export function devicesSection(app: App, account: AccountView): HTMLElement {
  const list = h("ul", { id: "devices", class: "plain things" }, h("li", {}, h("p", { role: "status" }, say.loading)));
  const due = h("div", { class: "stack", hidden: true },
    h("p", { id: "root-due", class: "caution" }, t.due),
    h("div", { class: "actions start" }, button(t.renew, { id: "root-renew", class: "primary" }, () => renewRoot(app))));

  const load = async () => {
    const now = await app.engine.call("devices");
    due.hidden = !now.rootDue;
    fill(list, [...now.devices].sort((a, b) => Number(b.current) - Number(a.current) || b.lastUsedAt - a.lastUsedAt).map(row));
  };
  const row = (device: Device) => {
    const title = device.name === "" ? t.unnamed : device.name;
    const rename = button(say.account.rename, { class: "small", "data-action": "device-rename", "aria-label": say.account.renameOne(visible(title)) }, () => nameDialog(app, device, title, load));
    const revoke = button(t.revoke, { class: "small", "data-action": "device-revoke", "aria-label": t.revokeOne(visible(title)) }, () => askRevoke(app, account, device, title));
    return h("li", { "data-device": device.id, "data-current": String(device.current), "data-revoked": String(device.revoked) },
      h("div", {},
        h("p", { class: "thing-name" }, name(title), " ", device.current && h("span", { class: "badge" }, t.thisOne), device.revoked && h("span", { class: "badge" }, t.revoked)),
        h("p", { class: "hint" }, t.since, date(device.createdAt), t.used, dateTime(device.lastUsedAt), ".")),
      h("div", { class: "actions" }, rename, !device.current && !device.revoked && revoke));
  };
  const begin = () => void load().catch((thrown: unknown) => fill(list, h("li", {}, problem(failureOf(thrown)), button(say.tryAgain, { class: "small" }, begin))));
  begin();
  return h("section", { class: "sheet" }, h("h2", { tabindex: -1 }, t.title), h("p", { class: "hint" }, t.hint), due, list,
    h("div", { class: "actions start" }, h("a", { id: "device-add", class: "button", href: "/device" }, t.add)));
}

function nameDialog(app: App, device: Device, before: string, done: () => Promise<void>) {
  const slot = problemSlot();
  const input = h("input", { id: "device-name", required: true, maxlength: 60, value: before, autocomplete: "off", spellcheck: "false" });
  const save = h("button", { id: "device-name-save", class: "primary", type: "submit" }, say.save);
  const submit = () => void busy(save, slot, async () => {
    await app.engine.call("deviceRename", { id: device.id, name: input.value.trim() });
    await done();
    open.close();
    announce(t.renamed);
  });
  const open = dialog("device-name-dialog", t.renameTitle, form({}, submit,
    field(say.account.passkeyName, input, say.account.passkeyNameHint), slot.node,
    h("div", { class: "actions" }, button(say.cancel, { class: "quiet" }, () => open.close()), save)));
  input.select();
}

// It says first what comes with it: nobody is to be surprised by a kit that opens nothing any more.
function askRevoke(app: App, account: AccountView, device: Device, title: string) {
  ask({
    title: t.revokeTitle(visible(title)),
    text: t.revokeText,
    extra: h("ul", { id: "revoke-what", class: "bullets" },
      h("li", {}, t.endsDevice), h("li", {}, t.endsKeys),
      account.kitSaved && h("li", {}, t.endsKit), h("li", {}, t.endsOthers), h("li", {}, t.endsCustody),
      account.passkeys.length > 0 && h("li", {}, t.endsPasskeys), account.password !== null && h("li", {}, t.endsPassword)),
    yes: t.revokeYes,
    danger: true,
    act: async () => void (await withProof(app, () => app.engine.call("deviceRevoke", { id: device.id }))),
    after: () => renewRoot(app),
  });
}

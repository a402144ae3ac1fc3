// What belongs to the person: passkeys, the password, the kit, safety words, and what this device refused.

import type { App, Screen } from "../app.ts";
import { fill, h } from "../dom.ts";
import type { AccountView, LogStatus, Refusal } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { count, dateTime, name, shortDigest, visible } from "../format.ts";
import { saveText } from "../savefile.ts";
import { explain, known, say } from "../sentences.ts";
import { lessons } from "../teach.ts";
import { announce, busy, button, copyable, problem, problemSlot, words } from "../ui.ts";
import { custodySection } from "./custody.ts";
import { judging } from "./lied.ts";
import { devicesSection } from "./devices.ts";
import { passkeysSection } from "./passkeys.ts";
import { appSection, passwordSection } from "./password.ts";
import { renewalSection } from "./renewal.ts";
import { sessionsSection } from "./sessions.ts";
import { ssoSection } from "./sso.ts";
import { savePolicy, witnessItems } from "./verify.ts";

const t = say.account;

export function accountScreen(app: App): Screen {
  const body = h("div", { "aria-busy": true }, h("p", { role: "status" }, say.loading));
  const load = async () => {
    try {
      const account = await app.engine.call("account");
      fill(body,
        renewalSection(app, account),
        kit(app, account),
        passkeysSection(app, account),
        passwordSection(app, account, load),
        appSection(app, account, load),
        devicesSection(app, account),
        ssoSection(app),
        sessionsSection(app),
        identities(account),
        custodySection(app, account),
        firmLogs(app, account),
        lessons(app),
        refusals(app, account),
        h("p", { class: "hint id" }, t.id + ": ", h("code", {}, account.account)));
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

function identities(account: AccountView): HTMLElement {
  return section(t.identities, h("p", { class: "hint" }, t.identitiesHint),
    account.identities.map((identity) => h("div", { class: "identity", "data-firm": identity.firm }, h("h3", {}, name(identity.firmName)), words(identity.words))));
}

// ---- the log of each firm

function firmLogs(app: App, account: AccountView): HTMLElement | false {
  if (account.identities.length === 0) return false;
  return section(t.firm, h("p", { class: "hint" }, t.firmHint), account.identities.map((identity) => firmLog(app, identity)));
}

// Asked only when somebody wants it: it needs the server, and this page should open without.
function firmLog(app: App, { firm, firmName }: AccountView["identities"][number]): HTMLElement {
  const slot = problemSlot();
  const works = app.firm(firm)?.mayCreateMatters ?? false; // its rules are for those who work there
  const found = h("div", { class: "log-status" });
  const look = button(t.logLoad, { "data-action": "log-status", class: "small", "aria-label": t.logOf(visible(firmName)) }, () =>
    void busy(look, slot, async () => {
      const status = await app.engine.call("logStatus", { firm });
      fill(found, logFacts(status, firm));
      announce(t.logOf(visible(firmName)));
    }));
  const policy = button(t.policy, { "data-action": "save-policy", class: "small" }, () =>
    void busy(policy, slot, async () => announce(say.verify.saved(await savePolicy(app, firm)))));
  return h("div", { class: "stack firm-log", "data-firm-log": firm }, h("h3", {}, name(firmName)), found, slot.node,
    h("div", { class: "actions start" }, works && h("a", { class: "button small", href: `/m/${firm}/rules`, "data-action": "rules", "aria-label": t.rules + ": " + visible(firmName) }, t.rules), works && peopleLink(app, firm, firmName), look, policy), h("p", { class: "hint" }, t.policyHint));
}

// For owners alone, which only the firm's own chain says.
function peopleLink(app: App, firm: string, firmName: string): HTMLElement {
  const link = h("a", { class: "button small", href: `/m/${firm}/people`, "data-action": "people", hidden: true, "aria-label": say.office.title + ": " + visible(firmName) }, say.office.title);
  app.engine.call("matterOpen", { matter: firm }).then((view) => (link.hidden = view.myRole !== "owner"), () => undefined);
  return link;
}

function logFacts(status: LogStatus, firm: string): HTMLElement {
  const fact = (term: string, ...value: Parameters<typeof h>[2][]) => [h("dt", {}, term), h("dd", {}, value)];
  return h("dl", { class: "facts", "data-policy": status.policy },
    fact(t.logSize, count(status.size)),
    fact(t.logRoot, h("code", { title: status.root }, shortDigest(status.root))),
    fact(t.logWitnesses, say.witnessState[status.policy], status.witnesses.length > 0 && h("ul", { class: "unpaired" }, witnessItems(status.witnesses))),
    fact(t.logAddress, copyable(status.url, "log-url-" + firm, t.logAddress)),
    fact(t.logAt, dateTime(status.at)));
}

// ---- what this device refused

function refusals(app: App, account: AccountView): HTMLElement {
  const slot = problemSlot();
  const save = button(t.export, { id: "refusals-export" }, () => void busy(save, slot, () => exportRefusals(app)));
  const proven = account.refusals.find((r) => r.evidence)?.evidence ?? "";
  if (account.refusals.length === 0) return section(t.refusals, h("p", { id: "no-refusals" }, t.noRefusals));
  return section(t.refusals, h("p", { class: "hint" }, t.refusalsHint),
    h("ul", { id: "refusals", class: "plain" }, account.refusals.map(refusal)),
    proven !== "" && h("div", { class: "judge" }, h("p", { class: "hint" }, t.evidenceHint), judging(proven, "refusals")),
    slot.node, save);
}

function refusal(r: Refusal): HTMLElement {
  const { evidence } = r;
  return h("li", {}, h("span", {}, dateTime(r.at)), " ", h("code", {}, known(r.code)), h("span", { class: "block" }, explain({ code: r.code, detail: "" }).what),
    name([r.what, r.found].filter((text) => text !== "").join(": "), "hint block"),
    evidence !== undefined && evidence !== "" && button(t.evidence, { class: "small danger", "data-action": "save-evidence" }, () => saveText(say.lied.evidenceFile, evidence)));
}

export async function exportRefusals(app: App) {
  const { name: fileName, text } = await app.engine.call("refusalsExport");
  saveText(fileName, text);
}

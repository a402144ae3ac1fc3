// The rules of a firm: a form for its owners, a list for everybody else, and what was done in the firm.

import { alikeInList } from "../alike.ts";
import type { App, Screen } from "../app.ts";
import { fill, h, type Child, type Props } from "../dom.ts";
import type { Custodian, Event, Id, Policy, Rules } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { date, name } from "../format.ts";
import { say } from "../sentences.ts";
import { allNames, announce, ask, busy, button, form, problem, problemSlot } from "../ui.ts";
import { activityPart } from "./activity.ts";

const t = say.rules;
const mostNetworks = 32;

export function rulesScreen(app: App, firm: Id): Screen {
  const body = h("div", { class: "stack", "aria-busy": true }, h("p", { role: "status" }, say.loading));
  const people = h("a", { id: "rules-people", href: `/m/${firm}/people`, hidden: true }, say.office.title);
  const activity = activityPart(app, firm, { kind: "firm", title: t.activity, lead: t.activityLead });
  const load = async () => {
    try {
      // Who may change them is decided by the firm's own chain; this is about what is offered.
      const [policy, view] = await Promise.all([app.engine.call("policy", { firm }), app.engine.call("matterOpen", { matter: firm }).catch(() => null)]);
      people.hidden = view?.myRole !== "owner";
      if (view?.myRole === "owner") fill(body, origin(policy, t.leadOwner), rulesForm(app, firm, policy, load));
      else fill(body, origin(policy, t.leadOther), readOnly(policy));
      if (!activity.node.isConnected) node.append(activity.node);
    } catch (thrown) {
      fill(body, problem(failureOf(thrown)), h("div", { class: "actions start" }, button(say.tryAgain, {}, () => void load())));
    } finally {
      body.removeAttribute("aria-busy");
    }
  };
  const node = h("section", { class: "page narrow rules" },
    h("div", {}, h("p", { class: "crumb" }, h("a", { href: "/account" }, t.back)), h("h1", { tabindex: -1 }, t.title), firmName(app, firm),
      h("p", { class: "matter-line" }, people, h("a", { id: "rules-recoveries", href: `/m/${firm}/recovery` }, t.recoveries))),
    body);
  void load();
  return {
    node,
    event: (event: Event) => activity.event?.(event),
  };
}

function firmName(app: App, firm: Id): Child {
  const found = app.firm(firm);
  return found !== null && h("p", { class: "lead" }, name(found.name));
}

function origin(policy: Policy, lead: string): HTMLElement {
  const who = policy.at === null ? t.none : [t.set, name(policy.by), t.setAt, date(policy.at), "."];
  return h("div", { class: "stack tight" }, h("p", {}, lead), h("p", { id: "rules-origin", class: "hint", "data-set": policy.at === null ? "false" : "true" }, who));
}

// ---- what each rule is called, means, and who holds to it

type Holder = "server" | "client" | "both";

interface Rule {
  label: string;
  hint: string;
  holder: Holder;
}

const rules = {
  staffMFA: { label: t.staffMFA, hint: t.staffMFAHint, holder: "server" },
  clientMFA: { label: t.clientMFA, hint: t.clientMFAHint, holder: "server" },
  passwordLength: { label: t.passwordLength, hint: t.passwordLengthHint, holder: "client" },
  passwordDays: { label: t.passwordDays, hint: t.passwordDaysHint, holder: "server" },
  idle: { label: t.idle, hint: t.idleHint, holder: "both" },
  absolute: { label: t.absolute, hint: t.absoluteHint, holder: "both" },
  oneSession: { label: t.oneSession, hint: t.oneSessionHint, holder: "server" },
  networks: { label: t.networks, hint: t.networksHint, holder: "server" },
  recovery: { label: t.recoveryOn, hint: t.recoveryHint, holder: "both" },
} as const satisfies Record<string, Rule>;

type RuleName = keyof typeof rules;

const groups: readonly (readonly [string, readonly RuleName[]])[] = [
  [t.sessions, ["idle", "absolute", "oneSession"]],
  [t.where, ["networks"]],
  [t.signIn, ["staffMFA", "clientMFA", "passwordLength", "passwordDays"]],
  [t.recovery, ["recovery"]],
];

function meaning(rule: RuleName, id?: string): HTMLElement {
  return h("p", { class: "hint", id: id ?? null }, rules[rule].hint, " ", h("span", { class: "holder", "data-holder": rules[rule].holder }, t[rules[rule].holder], "."));
}

// ---- for everybody

function readOnly(policy: Policy): HTMLElement {
  return h("div", { id: "rules", class: "stack" }, groups.map(([title, names]) =>
    h("section", { class: "sheet" }, h("h2", {}, title), h("dl", { class: "rule-list" }, names.map((rule) =>
      h("div", { "data-rule": rule }, h("dt", {}, rules[rule].label), h("dd", { class: "rule-value" }, valueText(policy, rule)), h("dd", {}, meaning(rule))))))));
}

function valueText(policy: Policy, rule: RuleName): Child {
  switch (rule) {
    case "staffMFA":
    case "clientMFA":
    case "oneSession":
      return policy[rule] ? t.value.yes : t.value.no;
    case "passwordLength": return t.value.characters(policy.passwordLength);
    case "passwordDays": return policy.passwordDays === 0 ? t.value.never : t.value.days(policy.passwordDays);
    case "idle":
    case "absolute":
      return [t.value.minutes(policy[rule]), " ", t.hours(policy[rule])];
    case "networks": return policy.networks.length === 0 ? t.value.anywhere : h("ul", { class: "plain-list" }, policy.networks.map((network) => h("li", {}, h("code", {}, network))));
    case "recovery": return policy.recoveryK === 0 ? t.value.off : custodianNames(policy);
  }
}

// ---- for owners

/** A control of the form, and what it says. */
interface Control {
  node: HTMLElement;
  read(into: Rules): void;
}

function rulesForm(app: App, firm: Id, policy: Policy, saved: () => Promise<void>): HTMLElement {
  const slot = problemSlot();
  const told = h("p", { id: "rules-saved", class: "hint saved", role: "status" });
  const controls = groups.map(([title, names]) => ({ title, controls: names.map((rule) => controlFor(rule, policy)) }));
  const save = h("button", { id: "rules-save", class: "primary", type: "submit" }, t.save);
  const sign = async (next: Rules) => {
    told.textContent = "";
    await app.engine.call("policySet", { firm, policy: next });
    app.limitsChanged();
    await saved();
    announce(t.saved);
    const place = document.getElementById("rules-saved");
    if (place) place.textContent = t.saved;
  };
  const submit = () => {
    const next: Rules = { ...rulesOf(policy) };
    for (const group of controls) for (const control of group.controls) control.read(next);
    const fewer = next.networks.length > 0 && next.networks.join() !== policy.networks.join();
    if (!fewer) return void busy(save, slot, () => sign(next));
    ask({ title: t.networksTitle, text: t.networksText, extra: allNames(next.networks), yes: t.save, danger: true, act: () => sign(next) });
  };
  const node = form({ id: "rules", class: "stack" }, submit,
    controls.map((group) => h("fieldset", { class: "sheet" }, h("legend", {}, group.title), group.controls.map((control) => control.node))),
    slot.node,
    h("div", { class: "actions" }, told, save));
  longEnough(node);
  return node;
}

function rulesOf({ by: _by, at: _at, ...rest }: Policy): Rules {
  return rest;
}

function controlFor(rule: RuleName, policy: Policy): Control {
  switch (rule) {
    case "staffMFA":
    case "clientMFA":
    case "oneSession":
      return checkbox(rule, policy[rule], (into, on) => (into[rule] = on));
    case "passwordLength": return number(rule, policy.passwordLength, 12, 64, t.characters);
    case "passwordDays": return number(rule, policy.passwordDays, 0, 3650, t.days);
    case "idle": return number(rule, policy.idle, 1, 480, t.minutes);
    case "absolute": return number(rule, policy.absolute, 15, 1440, t.minutes);
    case "networks": return networks(policy.networks);
    case "recovery": return recovery(policy);
  }
}

function checkbox(rule: RuleName, checked: boolean, write: (into: Rules, on: boolean) => void): Control {
  const id = "rule-" + rule;
  const input = h("input", { id, type: "checkbox", checked, "aria-describedby": id + "-hint" });
  return {
    node: h("div", { class: "check" }, input, h("div", {}, h("label", { for: id }, rules[rule].label), meaning(rule, id + "-hint"))),
    read: (into) => write(into, input.checked),
  };
}

function numberInput(id: string, value: number, min: number, max: number, props: Props = {}) {
  return h("input", { id, type: "number", value, min, max, required: true, inputmode: "numeric", autocomplete: "off", ...props });
}

function number(rule: "passwordLength" | "passwordDays" | "idle" | "absolute", value: number, min: number, max: number, unit: string): Control {
  const id = "rule-" + rule;
  const input = numberInput(id, value, min, max, { "aria-describedby": `${id}-unit ${id}-hint` });
  const also = h("span", { class: "hint" });
  const show = () => (also.textContent = unit === t.minutes ? t.hours(input.valueAsNumber || 0) : "");
  input.addEventListener("input", show);
  show();
  return {
    node: h("div", { class: "field" }, h("label", { for: id }, rules[rule].label),
      h("div", { class: "with-unit" }, input, h("span", { id: id + "-unit" }, unit), also), meaning(rule, id + "-hint")),
    read: (into) => (into[rule] = input.valueAsNumber),
  };
}

// The browser checks each number by itself; that one must not be above the other is said here, in its own words.
function longEnough(node: HTMLFormElement) {
  const of = (id: string) => node.querySelector<HTMLInputElement>("#rule-" + id);
  const [idle, absolute] = [of("idle"), of("absolute")];
  if (!idle || !absolute) return;
  const check = () => absolute.setCustomValidity(absolute.valueAsNumber < idle.valueAsNumber ? t.absoluteShort : "");
  for (const input of [idle, absolute]) input.addEventListener("input", check);
}

function networks(before: readonly string[]): Control {
  const id = "rule-networks";
  const input = h("textarea", { id, rows: 3, autocomplete: "off", autocapitalize: "none", spellcheck: "false", "aria-describedby": id + "-hint" }, before.join("\n"));
  const list = () => input.value.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  input.addEventListener("input", () => {
    const bad = list().find((line) => !isNetwork(line));
    input.setCustomValidity(bad !== undefined ? t.networkBad(bad) : list().length > mostNetworks ? t.networksMany : "");
  });
  return {
    node: h("div", { class: "field" }, h("label", { for: id }, rules.networks.label), input, meaning("networks", id + "-hint")),
    read: (into) => (into.networks = list()),
  };
}

// Good enough to catch a slip while typing; what a network is, is decided where it is signed.
function isNetwork(line: string): boolean {
  const [, four, fourBits] = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/.exec(line) ?? [];
  if (four !== undefined) return four.split(".").every((part) => Number(part) < 256) && Number(fourBits) <= 32;
  const [, sixBits] = /^[0-9a-f:]*:[0-9a-f:]*\/(\d{1,3})$/i.exec(line) ?? [];
  return sixBits !== undefined && Number(sixBits) <= 128;
}

function custodianNames(policy: Policy): Child {
  const names = policy.mayBeCustodians.filter((c) => isCustodian(policy, c)).map((c) => h("li", {}, name(c.name), c.gone && h("span", { class: "hint" }, " ", t.custodianGone)));
  return [t.value.ofCustodians(policy.recoveryK, policy.custodians.length, policy.recoveryHours), h("ul", { class: "plain-list" }, names)];
}

function isCustodian(policy: Rules, who: Custodian): boolean {
  return policy.custodians.some((c) => c.member === who.member && c.fingerprint === who.fingerprint);
}

function recovery(policy: Policy): Control {
  const id = "rule-recovery";
  const on = h("input", { id, type: "checkbox", checked: policy.recoveryK > 0, "aria-describedby": id + "-hint" });
  const k = numberInput(id + "-k", policy.recoveryK || 2, 2, 9);
  const hours = numberInput(id + "-hours", policy.recoveryHours || 48, 24, 720);
  const people = policy.mayBeCustodians.map((who) => ({ who, box: h("input", { type: "checkbox", checked: isCustodian(policy, who), "data-custodian": who.member }) }));
  const chosen = () => people.filter(({ box }) => box.checked).map(({ who: { member, fingerprint } }) => ({ member, fingerprint }));
  const all = h("div", { class: "stack tight" },
    h("fieldset", { id: id + "-custodians" }, h("legend", {}, t.custodians),
      people.map(({ who, box }) => [h("label", { class: "check" }, box, h("span", {}, name(who.name), who.gone && h("span", { class: "hint block" }, t.custodianGone))), alikeInList(who.alike, who.words)])),
    h("div", { class: "pair-of-fields" },
      h("div", { class: "field" }, h("label", { for: k.id }, t.recoveryK), k),
      h("div", { class: "field" }, h("label", { for: hours.id }, t.recoveryHours), hours)));
  const check = () => {
    all.hidden = k.disabled = hours.disabled = !on.checked;
    k.setCustomValidity(on.checked && k.valueAsNumber > chosen().length ? t.recoveryShort : "");
  };
  for (const input of [on, k, hours, ...people.map(({ box }) => box)]) input.addEventListener("input", check);
  check();
  return {
    node: h("div", { class: "stack tight" }, h("div", { class: "check" }, on, h("div", {}, h("label", { for: id }, rules.recovery.label), meaning("recovery", id + "-hint"))), all),
    read(into) {
      into.recoveryK = on.checked ? k.valueAsNumber : 0;
      into.recoveryHours = on.checked ? hours.valueAsNumber : 0;
      into.custodians = on.checked ? chosen() : [];
    },
  };
}

// What was done in a matter, as its members signed it: by day, newest first.

import type { App } from "../app.ts";
import { tallyChart } from "../chart.ts";
import { fill, h, type Child } from "../dom.ts";
import type { Activity, ActivityKind, Event, Id } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { dayStart, longDay, name, size, timeOfDay, valid, visible } from "../format.ts";
import { saveText } from "../savefile.ts";
import { activityKind, didWhat, say, topicName } from "../sentences.ts";
import { announce, busy, button, field, problem, problemSlot } from "../ui.ts";
import type { MatterPart } from "./matter.ts";

const t = say.activity;
const atOnce = 100;
const atMost = 500; // of one answer

export interface Place {
  kind: "matter" | "firm";
  title: string;
  lead: string;
}

const ofMatter: Place = { kind: "matter", title: t.title, lead: t.lead };

export function activityPart(app: App, matter: Id, place: Place = ofMatter): MatterPart {
  const slot = problemSlot();
  const list = h("div", { id: "activity", class: "stack" }, h("p", { role: "status" }, say.loading));
  const hint = h("p", { class: "hint" });
  const chart = tallyChart("activity-chart", t.chart);
  const filters = makeFilters(() => draw());
  const older = button(t.older, { id: "activity-older", hidden: true }, () => void busy(older, slot, () => load(next)));
  let items: Activity[] = [];
  let next: number | null = null;
  let drawn = "";

  const draw = () => {
    const shown = items.filter(filters.takes);
    const now = JSON.stringify([shown, items.length]);
    if (now === drawn) return; // a redrawn list would lose the focus that is in it
    drawn = now;
    older.hidden = next === null;
    hint.hidden = next === null;
    hint.textContent = t.loaded(items.length);
    filters.node.hidden = items.length === 0;
    chart.show(shown.map((item) => ({ at: item.at, who: item.person })));
    if (items.length === 0) return fill(list, h("div", { class: "empty" }, h("h3", {}, t.empty), h("p", {}, t.emptyText)));
    if (shown.length === 0) return fill(list, h("p", { class: "empty" }, t.noMatch));
    fill(list, byDay(shown).map((day) => daySection(app, matter, day, slot, place)));
  };
  const load = async (before: number | null) => {
    const limit = before === null ? Math.min(atMost, Math.max(atOnce, items.length)) : atOnce;
    const page = await app.engine.call("activity", { matter, before, limit });
    items = before === null ? page.items : [...items, ...page.items];
    next = page.next;
    filters.offer(items);
    draw();
    if (before !== null) announce(t.loaded(items.length));
  };
  const begin = () => void load(null).catch((thrown: unknown) => {
    const again = button(say.tryAgain, {}, begin);
    fill(list, problem(failureOf(thrown)), h("div", { class: "actions start" }, again));
    drawn = "";
  });
  begin();
  return {
    node: h("section", { class: "part", "aria-labelledby": "activity-title" },
      h("div", { class: "part-head" }, h("h2", { id: "activity-title" }, place.title)),
      h("p", { class: "hint part-lead" }, place.lead),
      filters.node, chart.node, slot.node, list,
      h("div", { class: "actions start" }, older, hint)),
    event: (event: Event) => void (event.event === "matter" && event.matter === matter && begin()),
  };
}

// ---- filters

function makeFilters(changed: () => void) {
  const person = h("select", { id: "activity-person", on: { change: changed } });
  const kind = h("select", { id: "activity-kind", on: { change: changed } });
  return {
    node: h("div", { class: "filters", hidden: true }, field(t.person, person), field(t.kind, kind)),
    offer(items: readonly Activity[]) {
      options(person, t.everybody, [...new Set(items.map((item) => item.person))].sort((a, b) => a.localeCompare(b)).map((who) => [who, visible(who)]));
      const there = new Set(items.map((item) => item.kind));
      options(kind, t.everything, (Object.keys(activityKind) as ActivityKind[]).filter((k) => there.has(k)).map((k) => [k, activityKind[k]]));
    },
    takes: (item: Activity) => (person.value === "" || item.person === person.value) && (kind.value === "" || item.kind === kind.value),
  };
}

/** Fills a select, and keeps what was chosen where it is still there. */
export function options(select: HTMLSelectElement, any: string, values: (readonly [string, string])[]) {
  const before = select.value;
  fill(select, h("option", { value: "" }, any), values.filter(([value]) => value !== "").map(([value, label]) => h("option", { value }, label)));
  select.value = values.some(([value]) => value === before) ? before : "";
}

// ---- days

interface Day {
  at: number;
  items: Activity[];
}

// The order is that of the record. An author's clock may be wrong, so a day can come twice.
function byDay(items: readonly Activity[]): Day[] {
  const days: Day[] = [];
  for (const item of items) {
    const at = valid(item.at) ? dayStart(item.at) : 0;
    const last = days.at(-1);
    if (last?.at === at) last.items.push(item);
    else days.push({ at, items: [item] });
  }
  return days;
}

function dayName(at: number): string {
  const now = Date.now();
  if (at === dayStart(now)) return t.today;
  return at === dayStart(now, -1) ? t.yesterday : longDay(at);
}

function daySection(app: App, matter: Id, day: Day, slot: ReturnType<typeof problemSlot>, place: Place): HTMLElement {
  return h("section", { class: "day" }, h("h3", {}, dayName(day.at)), h("ol", { class: "timeline" }, day.items.map((item) => row(app, matter, item, slot, place))));
}

function row(app: App, matter: Id, item: Activity, slot: ReturnType<typeof problemSlot>, place: Place): HTMLElement {
  const receipt = button(t.receipt, { class: "link receipt", "data-action": "save-receipt", "aria-label": t.receiptOf(item.position) }, () =>
    void busy(receipt, slot, async () => {
      const file = await app.engine.call("exportReceipt", { matter, sequence: "state", position: item.position });
      saveText(file.name, file.text);
      announce(say.verify.saved(file.name));
    }));
  // A guest goes with his id: the firm's own record has no name for him, and who is not in his matter has none.
  const subject = item.member === "" ? name(item.subject) : h("bdi", { title: item.member }, say.office.guest(item.member, visible(item.subject)));
  const words = didWhat<Node>(item.kind, name(item.person, "name who-did"), subject, item.role, item.documents.length, item.rule, item.ways, place.kind);
  return h("li", { "data-position": item.position, "data-kind": item.kind },
    timeOfDay(item.at),
    h("div", { class: "done" }, h("p", {}, words), item.read.length > 0 && h("p", { class: "hint" }, t.read(item.read.map((topic) => topicName[topic]))), item.why !== "" && h("p", { class: "hint" }, name(item.why)), documents(item), item.void > 0 && h("p", { class: "hint caution" }, t.voided(item.void))),
    h("span", { class: "entry-no" }, h("span", { class: "hint" }, t.entry(item.position)), receipt));
}

const named = 3; // documents before the rest is folded away

function documents(item: Activity): Child {
  if (item.documents.length === 0 || item.kind === "renamed") return null; // a matter's new name stands in the sentence
  const each = (d: Activity["documents"][number]) => h("li", {}, d.folder !== "" && [name(d.folder), " / "], name(d.name), d.size > 0 && h("span", { class: "hint" }, " " + size(d.size)));
  const rest = item.documents.slice(named);
  return [
    h("ul", { class: "done-documents" }, item.documents.slice(0, named).map(each)),
    rest.length > 0 && h("details", { class: "quiet-details" }, h("summary", { class: "hint" }, t.more(rest.length)), h("ul", { class: "done-documents" }, rest.map(each))),
  ];
}
